"""``scopeware token``: make tokens, look at them, end them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

from ..text import quoted
from ..tokens import TokenInfo, TokenRefused
from .output import database_option, json_option, load_policy, open_store, policy_option, print_json, print_table, text

TOKEN_ID = click.IntRange(1, 2**63 - 1)
_PERIOD = re.compile(r"(\d{1,6})([mhdwy])")
_SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}


@click.group()
def token() -> None:
    """Make tokens, look at them, end them."""


@token.command()
@click.option("--owner", required=True, help="Who holds it; added with the role `user` if new.")
@click.option("--name", required=True, help="What the owner calls it.")
@click.option("--scopes", required=True, help='What it may do: "read:user,write:issue".')
@click.option("--expires", metavar="WHEN", help="30d, 12h, 2w, 1y, or a date such as 2030-01-31; never by default.")
@click.option("--quiet", is_flag=True, help="Print the secret and nothing else.")
@policy_option
@database_option
@json_option
def create(
    owner: str,
    name: str,
    scopes: str,
    expires: str | None,
    quiet: bool,
    policy: str | None,
    database: str,
    as_json: bool,
) -> None:
    """Make a token and print its secret, for the only time.

    \b
    scopeware token create --owner alice --name ci --scopes read:user,read:organization --expires 30d
    TOKEN=$(scopeware token create --owner bob --name laptop --scopes all --quiet)
    """
    store = open_store(database, load_policy(policy))
    issued = store.issue(owner=owner, name=name, scopes=scopes, expires_at=_moment(expires))
    if as_json:
        print_json({"secret": issued.secret, **as_dict(issued.token)})
        return
    click.echo(issued.secret)
    if quiet:
        return
    made = issued.token
    until = f"until {text(made.expires_at)} UTC" if made.expires_at else "without expiry"
    click.echo(f"token {made.id} of {made.owner}: {made.scopes}, {until}; the secret is not shown again", err=True)
    if made.effective != made.scopes:
        click.echo(f"the role `{made.owner_role}` limits this to: {made.effective or 'nothing'}", err=True)


@token.command(name="list")
@click.option("--owner", help="Only this owner's.")
@click.option("--all", "dead", is_flag=True, help="Those that no longer work, too.")
@policy_option
@database_option
@json_option
def list_(owner: str | None, dead: bool, policy: str | None, database: str, as_json: bool) -> None:
    """List tokens. Their secrets are not kept and cannot be shown."""
    tokens = open_store(database, load_policy(policy)).list(owner=owner, dead=dead)
    if as_json:
        print_json([as_dict(info) for info in tokens])
    elif tokens:
        print_table(
            ("id", "owner", "name", "scopes", "secret", "status", "expires"),
            (
                (
                    info.id,
                    info.owner,
                    info.name,
                    str(info.scopes) or "nothing",
                    f"...{info.hint}",
                    info.status,
                    info.expires_at or "never",
                )
                for info in tokens
            ),
        )
    else:
        click.echo(f"no tokens in {database}", err=True)


@token.command()
@click.argument("token_id", type=TOKEN_ID)
@policy_option
@database_option
@json_option
def show(token_id: int, policy: str | None, database: str, as_json: bool) -> None:
    """Show one token: what was requested, and what of it is effective now."""
    info = open_store(database, load_policy(policy)).show(token_id)
    if as_json:
        print_json(as_dict(info))
    else:
        print_table(("token", str(info.id)), [(name, value) for name, value in _rows(info) if value != ""])


@token.command()
@click.argument("token_ids", type=TOKEN_ID, nargs=-1, required=True)
@policy_option
@database_option
@json_option
def revoke(token_ids: tuple[int, ...], policy: str | None, database: str, as_json: bool) -> None:
    """End tokens, for good and at once."""
    store = open_store(database, load_policy(policy))
    for token_id in token_ids:
        store.show(token_id)
    revoked = {token_id: store.revoke(token_id) for token_id in dict.fromkeys(token_ids)}
    if as_json:
        print_json(
            [{"id": token_id, "revoked": fresh, "was_revoked": not fresh} for token_id, fresh in revoked.items()]
        )
        return
    for token_id, fresh in revoked.items():
        click.echo(f"token {token_id} {'is revoked' if fresh else 'was revoked before'}")


def as_dict(info: TokenInfo) -> dict[str, object]:
    """A token for JSON; never its secret."""
    return {
        "id": info.id,
        "owner": info.owner,
        "name": info.name,
        "scopes": str(info.scopes),
        "effective_scopes": str(info.effective),
        "unknown_scopes": info.unknown_scopes,
        "hint": info.hint,
        "status": info.status,
        "created_at": info.created_at,
        "expires_at": info.expires_at,
        "revoked_at": info.revoked_at,
        "owner_role": info.owner_role,
        "owner_active": info.owner_active,
    }


def _rows(info: TokenInfo) -> list[tuple[str, object]]:
    return [
        ("owner", f"{info.owner} ({info.owner_role}{'' if info.owner_active else ', inactive'})"),
        ("name", info.name),
        ("requested", ",".join([*(str(info.scopes),) * bool(info.scopes), *info.unknown_scopes])),
        ("effective", str(info.effective) or "nothing"),
        ("unknown", ",".join(info.unknown_scopes)),
        ("secret", f"...{info.hint}"),
        ("status", info.status),
        ("created", info.created_at),
        ("expires", info.expires_at or "never"),
        ("revoked", info.revoked_at or ""),
    ]


def _moment(expires: str | None) -> datetime | None:
    if expires is None or expires == "never":
        return None
    try:
        if period := _PERIOD.fullmatch(expires):
            return datetime.now(UTC) + timedelta(seconds=int(period[1]) * _SECONDS[period[2]])
        moment = datetime.fromisoformat(expires)
    except (ValueError, OverflowError):
        raise TokenRefused(f"{quoted(expires)} is no expiry; write 30d, 12h or 2030-01-31", "expires") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
