"""``scopeware token``: make tokens, look at them, end them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import click

from ..durations import parse_duration
from ..errors import ConfigurationError
from ..policy import Policy
from ..scopes import notation
from ..text import did_you_mean, near, quoted
from ..tokens import Issued, TokenFilter, TokenInfo, TokenRefused
from ..tokens.urls import without_password
from .output import (
    DURATION,
    Command,
    database_option,
    json_option,
    load_policy,
    open_store,
    policy_option,
    print_json,
    print_table,
    text,
)

TOKEN_ID = click.IntRange(1, 2**31 - 1)
_EXPIRES_HELP = "30d, 12h, 2w, 1y, never, or a date such as 2030-01-31; by default what the policy's [tokens] says."


def _filter_options(command: Command) -> Command:
    """Which tokens: the options of ``list`` and ``revoke``."""
    for option in (
        click.option("--unused", metavar="PERIOD", type=DURATION, help="Only those not used for so long: 90d."),
        click.option("--expiring", metavar="PERIOD", type=DURATION, help="Only those that expire within: 30d."),
        click.option("--resource", help="Only those bound to it: alice/widgets; alice/* for all below."),
        click.option("--scope", help="Only those that were granted it: write:repository."),
        click.option("--name", help="Only those of this name."),
        click.option("--owner", help="Only this owner's."),
    ):
        command = option(command)
    return command


@click.group()
def token() -> None:
    """Make tokens, look at them, end them."""


@token.command()
@click.option("--owner", required=True, help="Who holds it; added with the role `user` if new.")
@click.option("--name", required=True, help="What the owner calls it.")
@click.option("--scopes", help='What it may do: "read:user,write:issue".')
@click.option("--preset", help="What it may do, by the name of a preset of the policy.")
@click.option("--expires", metavar="WHEN", help=_EXPIRES_HELP)
@click.option(
    "--network", "networks", metavar="CIDR", multiple=True, help="The only addresses it works from; repeatable."
)
@click.option("--managed", is_flag=True, help="Its owner cannot end or change it.")
@click.option("--quiet", is_flag=True, help="Print the secret and nothing else.")
@policy_option
@database_option
@json_option
def create(
    owner: str,
    name: str,
    scopes: str | None,
    preset: str | None,
    expires: str | None,
    networks: tuple[str, ...],
    managed: bool,
    quiet: bool,
    policy: str | None,
    database: str,
    as_json: bool,
) -> None:
    """Make a token and print its secret, for the only time.

    \b
    scopeware token create --owner alice --name ci --scopes read:user,read:organization --expires 30d
    scopeware token create --owner bob --name deploy --scopes write:repository@bob/site --network 192.0.2.0/24
    TOKEN=$(scopeware token create --owner bob --name laptop --scopes all --quiet)
    """
    loaded = load_policy(policy)
    wanted = [] if scopes is None else [scopes]
    if preset is not None:
        wanted.append(_preset(loaded, preset))
    if not wanted:
        raise click.UsageError("say what it may do: --scopes, or --preset")
    store = open_store(database, loaded)
    expires_in, expires_at = _expiry(expires)
    issued = store.issue(
        owner=owner,
        name=name,
        scopes=",".join(notation.read(store.vocabulary, text).scopes.as_granted for text in wanted),
        expires_in=expires_in,
        expires_at=expires_at,
        networks=networks or None,
        managed=managed,
    )
    _print_issued(issued, quiet, as_json)


def _preset(policy: Policy | None, name: str) -> str:
    if policy is None:
        raise ConfigurationError("presets are in a policy; name one with --policy", where="--preset")
    presets = policy.presets
    if name not in presets:
        hint = did_you_mean(near(name, presets)) or f"; there are: {', '.join(presets) or 'none'}"
        raise ConfigurationError(f"the policy has no preset {quoted(name)}{hint}", where="--preset")
    return presets[name].scopes


def _print_issued(issued: Issued, quiet: bool, as_json: bool) -> None:
    made = issued.token
    if as_json:
        print_json({"secret": issued.secret, **as_dict(made)})
        return
    click.echo(issued.secret)
    if quiet:
        return
    until = f"until {text(made.expires_at)} UTC" if made.expires_at else "without expiry"
    click.echo(f"token {made.id} of {made.owner}: {made.scopes}, {until}; the secret is not shown again", err=True)
    if made.effective != made.scopes:
        click.echo(f"the role `{made.owner_role}` limits this to: {made.effective or 'nothing'}", err=True)


@token.command(name="list")
@_filter_options
@click.option("--all", "dead", is_flag=True, help="Those that no longer work, too.")
@policy_option
@database_option
@json_option
def list_(policy: str | None, database: str, as_json: bool, **wanted: Any) -> None:
    """List tokens. Their secrets are not kept and cannot be shown."""
    tokens = open_store(database, load_policy(policy)).matching(_filter(wanted))
    if as_json:
        print_json([as_dict(info) for info in tokens])
    elif tokens:
        _print_tokens(tokens)
    else:
        click.echo(f"no tokens in {without_password(database)}" if wanted == _NO_FILTER else "no such tokens", err=True)


_NO_FILTER = dict.fromkeys(("owner", "name", "scope", "resource", "expiring", "unused")) | {"dead": False}


def _filter(wanted: dict[str, Any]) -> TokenFilter:
    """The filter that the options say."""
    unused, expiring = wanted.pop("unused"), wanted.pop("expiring")
    made = TokenFilter(**wanted, unused_for=unused, expiring_in=expiring)
    wanted.update(unused=unused, expiring=expiring)
    return made


def _print_tokens(tokens: list[TokenInfo]) -> None:
    print_table(
        ("id", "owner", "name", "scopes", "secret", "status", "last used", "expires"),
        (
            (
                info.id,
                info.owner,
                info.name,
                str(info.scopes) or "nothing",
                f"...{info.hint}",
                info.status,
                info.last_used_at or "never",
                info.expires_at or "never",
            )
            for info in tokens
        ),
    )


@token.command()
@click.argument("token_id", type=TOKEN_ID)
@policy_option
@database_option
@json_option
def show(token_id: int, policy: str | None, database: str, as_json: bool) -> None:
    """Show one token: what was requested, and what of it is effective now."""
    _print_one(open_store(database, load_policy(policy)).show(token_id), as_json)


def _print_one(info: TokenInfo, as_json: bool) -> None:
    if as_json:
        print_json(as_dict(info))
    else:
        print_table(("token", str(info.id)), [(name, value) for name, value in _rows(info) if value != ""])


@token.command()
@click.argument("token_id", type=TOKEN_ID)
@click.option(
    "--grace", metavar="PERIOD", type=DURATION, help="How long the old secret works on; by default not at all."
)
@click.option("--expires", metavar="PERIOD", help="30d, never; by default until the old one would have expired.")
@click.option("--quiet", is_flag=True, help="Print the secret and nothing else.")
@policy_option
@database_option
@json_option
def rotate(
    token_id: int,
    grace: timedelta | None,
    expires: str | None,
    quiet: bool,
    policy: str | None,
    database: str,
    as_json: bool,
) -> None:
    """Replace a token by one with the same name, scopes and restrictions, and print its secret, for the only time."""
    store = open_store(database, load_policy(policy))
    _print_issued(store.rotate(token_id, grace=grace, expires_in=expires), quiet, as_json)


@token.command()
@click.argument("token_id", type=TOKEN_ID)
@click.option("--name", help="Call it so.")
@click.option("--scopes", help="Fewer scopes than it has.")
@click.option("--expires", metavar="WHEN", help="An earlier end: 12h, or 2030-01-31.")
@click.option("--network", "networks", metavar="CIDR", multiple=True, help="Fewer addresses; repeatable.")
@policy_option
@database_option
@json_option
def edit(
    token_id: int,
    name: str | None,
    scopes: str | None,
    expires: str | None,
    networks: tuple[str, ...],
    policy: str | None,
    database: str,
    as_json: bool,
) -> None:
    """Give a token another name, or less of what it has. For more, make another one."""
    if name is None and scopes is None and expires is None and not networks:
        raise click.UsageError("say what to change: --name, --scopes, --expires, --network")
    store = open_store(database, load_policy(policy))
    expires_in, expires_at = _expiry(expires)
    info = store.edit(
        token_id, name=name, scopes=scopes, expires_in=expires_in, expires_at=expires_at, networks=networks or None
    )
    _print_one(info, as_json)


@token.command()
@click.argument("token_ids", type=TOKEN_ID, nargs=-1)
@_filter_options
@policy_option
@database_option
@json_option
def revoke(token_ids: tuple[int, ...], policy: str | None, database: str, as_json: bool, **wanted: Any) -> None:
    """End tokens, for good and at once, and with them those that were made with them: by id, or all that are meant.

    \b
    scopeware token revoke 3 4
    scopeware token revoke --owner alice --unused 90d
    scopeware token revoke --resource alice/widgets
    """
    store = open_store(database, load_policy(policy))
    asked_for = any(value is not None for value in wanted.values())
    if bool(token_ids) == asked_for:
        raise click.UsageError("name tokens by their ids, or say which are meant: --owner, --resource, --unused ...")
    if asked_for:
        revoked = dict.fromkeys(store.revoke_matching(_filter(wanted)), True)
    else:
        revoked = {token_id: store.show(token_id).revoked_at is None for token_id in token_ids}
        for token_id in revoked:
            store.revoke(token_id)
    if as_json:
        print_json(
            [{"id": token_id, "revoked": fresh, "was_revoked": not fresh} for token_id, fresh in revoked.items()]
        )
        return
    for token_id, fresh in revoked.items():
        click.echo(f"token {token_id} {'is revoked' if fresh else 'was revoked before'}")
    if not revoked:
        click.echo("no such tokens", err=True)


@token.command()
@click.option("--dead-for", metavar="PERIOD", type=DURATION, required=True, help="Those that have not worked for: 90d.")
@policy_option
@database_option
@json_option
def purge(dead_for: timedelta, policy: str | None, database: str, as_json: bool) -> None:
    """Remove what is left of tokens that ended long ago. The access log keeps what it says about them."""
    removed = open_store(database, load_policy(policy)).purge(dead_for)
    if as_json:
        print_json({"removed": removed})
    else:
        click.echo(f"removed: {removed}")


def as_dict(info: TokenInfo) -> dict[str, object]:
    """A token for JSON; never its secret."""
    return {
        "id": info.id,
        "owner": info.owner,
        "name": info.name,
        "scopes": str(info.scopes),
        "effective_scopes": str(info.effective),
        "unknown_scopes": info.unknown_scopes,
        "networks": [str(network) for network in info.networks],
        "managed": info.managed,
        "hint": info.hint,
        "status": info.status,
        "created_at": info.created_at,
        "expires_at": info.expires_at,
        "last_used_at": info.last_used_at,
        "rotated_at": info.rotated_at,
        "revoked_at": info.revoked_at,
        "parent_id": info.parent_id,
        "successor_id": info.successor_id,
        "owner_kind": info.owner_kind,
        "owner_role": info.owner_role,
        "owner_active": info.owner_active,
    }


def _rows(info: TokenInfo) -> list[tuple[str, object]]:
    return [
        ("owner", f"{info.owner} ({_who(info)}{'' if info.owner_active else ', inactive'})"),
        ("name", info.name),
        ("requested", ",".join([*(str(info.scopes),) * bool(info.scopes), *info.unknown_scopes])),
        ("effective", str(info.effective) or "nothing"),
        ("unknown", ",".join(info.unknown_scopes)),
        ("networks", ", ".join(str(network) for network in info.networks)),
        ("managed", "its owner cannot end or change it" if info.managed else ""),
        ("made with", "" if info.parent_id is None else f"token {info.parent_id}"),
        ("secret", f"...{info.hint}"),
        ("status", info.status),
        ("created", info.created_at),
        ("last used", info.last_used_at or "never"),
        ("expires", info.expires_at or "never"),
        ("rotated", info.rotated_at or ""),
        ("successor", "" if info.successor_id is None else f"token {info.successor_id}"),
        ("revoked", info.revoked_at or ""),
    ]


def _who(info: TokenInfo) -> str:
    return info.owner_role if info.owner_kind == "user" else f"{info.owner_kind}, {info.owner_role}"


def _expiry(expires: str | None) -> tuple[timedelta | str | None, datetime | None]:
    """How long, or until when."""
    if expires is None or expires == "never":
        return expires, None
    try:
        return parse_duration(expires), None
    except ConfigurationError:
        pass
    try:
        moment = datetime.fromisoformat(expires)
    except ValueError:
        raise TokenRefused(f"{quoted(expires)} is no expiry; write 30d, 12h or 2030-01-31", "expires") from None
    return None, moment if moment.tzinfo else moment.replace(tzinfo=UTC)
