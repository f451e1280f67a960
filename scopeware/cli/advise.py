"""``scopeware advise``: what the access log says about a policy, and about each token."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from ..durations import spell_duration
from ..errors import ConfigurationError
from ..introspect.least import Advice
from ..introspect.least import advise as advise_token
from ..introspect.report import PolicyAdvice, advise_policy
from ..policy import Policy, document
from ..text import printable
from ..tokens import LogFilter, TokenStore
from .output import DENIED, DURATION, FINE, database_option, json_option, open_store, print_json, print_table
from .token import TOKEN_ID

_AGO = timedelta(days=90)


@click.command()
@click.option("--policy", metavar="FILE", default="scopes.toml", show_default=True, envvar="SCOPEWARE_POLICY")
@click.option("--tokens", is_flag=True, help="About tokens: what each was used for, and the least that would do.")
@click.option("--since", metavar="PERIOD", type=DURATION, default=spell_duration(_AGO), show_default=True)
@click.option("--owner", help="Only this owner's tokens.")
@click.option("--token", "token_id", type=TOKEN_ID, help="Only this token.")
@click.option("--apply", "token_to_narrow", metavar="ID", type=TOKEN_ID, help="Rotate this token to the least.")
@click.option("--consent", metavar="OWNER", help="Its owner has agreed; for scripts. Else you are asked.")
@click.option(
    "--grace", metavar="PERIOD", type=DURATION, help="How long the old token works on.  [default: not at all]"
)
@database_option
@json_option
def advise(
    policy: str,
    tokens: bool,
    since: timedelta,
    owner: str | None,
    token_id: int | None,
    token_to_narrow: int | None,
    consent: str | None,
    grace: timedelta | None,
    database: str,
    as_json: bool,
) -> int:
    """Say what the access log tells about the policy: what was refused, or would have been in report mode, which groups
    were never hit, and a draft of what is missing. Exits 1 if anything would be refused.

    \b
    scopeware advise --policy scopes.toml --since 7d
    scopeware advise --tokens --since 90d
    scopeware advise --tokens --apply 17 --grace 7d

    With --tokens: what each token was used for, what of it never was, and the narrower one that would have been enough.
    """
    loaded = Policy.load(policy)
    store = open_store(database, loaded)
    if "database" not in loaded.access_log.to:
        raise ConfigurationError('the access log is not kept in the database: to = ["database"]', where=policy)
    if token_to_narrow is not None and (owner is not None or token_id is not None):
        raise click.UsageError("--apply names the token itself; leave out --owner and --token")
    if tokens and token_to_narrow is None and (consent is not None or grace is not None):
        raise click.UsageError("--consent and --grace are for --apply")
    keep = loaded.access_log.keep
    if keep is not None and keep < since:
        said = f"the log is kept for {spell_duration(keep)}: nothing older is known"
        if token_to_narrow is not None:
            raise ConfigurationError(f"{said}; if that is enough, say so", where="--since")
        click.echo(said, err=True)
    moment = datetime.now(UTC) - since
    if token_to_narrow is not None:
        return _narrow(loaded, store, token_to_narrow, moment, consent, grace, as_json)
    if tokens:
        found = [_of_token(loaded, store, each, moment) for each in _live(store, owner, token_id)]
        if as_json:
            print_json([_token_data(advice) for advice in found])
        else:
            _print_tokens(loaded, found)
        return FINE
    if owner is not None or token_id is not None or consent is not None or grace is not None:
        raise click.UsageError("--owner, --token, --consent and --grace are for --tokens")
    entries = (record.entry for record in store.access_log().all(LogFilter(since=moment)))
    advice = advise_policy(loaded, entries, document.read(policy))
    if as_json:
        print_json(_policy_data(advice))
    else:
        _print_policy(loaded, advice, policy)
    return DENIED if advice.refused else FINE


def _live(store: TokenStore, owner: str | None, token_id: int | None) -> list[Any]:
    if token_id is not None:
        token = store.show(token_id)
        return [token] if owner in (None, token.owner) else []
    return store.list(owner=owner)


def _of_token(policy: Policy, store: TokenStore, token: Any, since: datetime) -> Advice:
    log = store.access_log()
    numbers = _lineage(store, token)
    filters = [LogFilter(token_id=number, since=since, denied=False) for number in numbers]
    entries = (record.entry for wanted in filters for record in log.all(wanted))
    return advise_token(policy, token, entries, rotated_from=numbers)


def _lineage(store: TokenStore, token: Any) -> list[int]:
    """A token, and those that it was rotated from: what they did, it is for, too."""
    known = store.list(owner=token.owner, dead=True)
    found = [token.id]
    for number in found:
        found += [each.id for each in known if each.successor_id == number and each.id not in found]
    return found


def _narrow(
    policy: Policy,
    store: TokenStore,
    token_id: int,
    since: datetime,
    consent: str | None,
    grace: timedelta | None,
    as_json: bool,
) -> int:
    token = store.show(token_id)
    if token.status != "live":
        raise ConfigurationError(f"token {token_id} does not work: {token.status}", where="--apply")
    if policy.access_log.allowed < 1:
        raise ConfigurationError("the log keeps only a part of what was allowed; that is not enough", where="--apply")
    advice = _of_token(policy, store, token, since)
    if not advice.narrows:
        why = (
            advice.unclear or "it was used for all it has"
            if advice.requests
            else "the log has no request of it; revoke it instead"
        )
        click.echo(f"token {token_id} stays as it is: {why}", err=True)
        return DENIED
    _agree(
        token.owner,
        consent,
        f"token {token_id} ({token.name}) of {token.owner}: {token.scopes} becomes {advice.scopes}",
    )
    issued = store.rotate(token_id, grace=grace, scopes=advice.scopes)
    if as_json:
        data = {
            "id": issued.token.id,
            "replaces": token_id,
            "scopes": str(issued.token.scopes),
            "secret": issued.secret,
        }
        print_json(data)
    else:
        click.echo(issued.secret)
        until = f"; the old one works for another {spell_duration(grace)}" if grace else "; the old one works no more"
        click.echo(f"token {issued.token.id}: {issued.token.scopes}{until}", err=True)
    return FINE


def _agree(owner: str, consent: str | None, what: str) -> None:
    """Nothing, if the owner has agreed."""
    if consent is None:
        if sys.stdin is None or not sys.stdin.isatty():
            raise ConfigurationError(f"{what}. Has its owner agreed? Say --consent {owner}", where="--apply")
        click.echo(printable(what), err=True)
        consent = click.prompt("If its owner has agreed, type the owner's name", err=True)
    if consent != owner:
        raise ConfigurationError("that is not its owner; nothing has changed", where="--consent")


def _token_data(advice: Advice) -> dict[str, Any]:
    token = advice.token
    return {
        "token": token.id,
        "owner": token.owner,
        "name": token.name,
        "scopes": str(token.scopes),
        "requests": advice.requests,
        "used": advice.used,
        "unused": advice.unused,
        "resources": advice.resources,
        "advised": str(advice.scopes) if advice.requests else None,
        "narrows": advice.narrows,
        "unclear": advice.unclear or None,
        "refused_today": [f"{use.method} {use.path}" for use in advice.refused],
    }


def _print_tokens(policy: Policy, found: list[Advice]) -> None:
    rows = []
    for advice in found:
        least = (
            "never used: revoke it"
            if not advice.requests
            else str(advice.scopes)
            if advice.narrows
            else advice.unclear or "(as it is)"
        )
        rows.append(
            (
                advice.token.id,
                advice.token.owner,
                advice.token.name,
                str(advice.token.scopes),
                f"{advice.requests:,}",
                ", ".join(advice.unused) or "-",
                least,
            )
        )
    if rows:
        print_table(("id", "owner", "name", "scopes", "requests", "never used", "would be enough"), rows)
    else:
        click.echo("there is no token", err=True)
    if policy.access_log.allowed < 1:
        click.echo("the log keeps only a part of what was allowed: a token may need more than it shows", err=True)
    if any(advice.narrows and advice.token.status == "live" and not advice.token.rotated_at for advice in found):
        click.echo("`--apply ID` rotates a token to that, with its owner's consent", err=True)


def _policy_data(advice: PolicyAdvice) -> dict[str, Any]:
    return {
        "requests": advice.requests,
        "refused": [
            {
                "group": each.group or None,
                "code": each.code,
                "scopes": each.scopes or None,
                "count": each.count,
                "examples": list(each.paths),
                "tokens": [{"id": number, "owner": owner} for number, owner in each.tokens],
                "remedy": each.remedy,
            }
            for each in advice.refused
        ],
        "never_hit": advice.never_hit,
        "draft": advice.draft,
    }


def _print_policy(policy: Policy, advice: PolicyAdvice, path: str) -> None:
    if advice.refused:
        rows = [
            (f"{each.count:,}", each.code, each.group or "(no group)", next(iter(each.paths)), each.remedy)
            for each in advice.refused
        ]
        print_table(("requests", "refused for", "group", "such as", "if it is to pass"), rows)
    said = f"{sum(each.count for each in advice.refused):,} of {advice.requests:,} requests were, or would be, refused"
    click.echo(said, err=True)
    if advice.never_hit:
        click.echo(f"never hit: {', '.join(map(printable, advice.never_hit))}")
    if advice.draft:
        click.echo(f"\n# to append to {printable(path)}:")
        click.echo(advice.draft)
    if policy.access_log.allowed < 1 and advice.never_hit:
        click.echo("the log keeps only a part of what was allowed: a group may have been hit all the same", err=True)
