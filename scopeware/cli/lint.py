"""``scopeware lint``: what is wrong with a policy, and with an application under it."""

from __future__ import annotations

from collections import Counter

import click

from ..introspect.data import read
from ..introspect.endpoint import Endpoint
from ..introspect.findings import KINDS, Finding
from ..introspect.lint import lint as find
from ..introspect.tables import discover_document
from ..policy import Policy
from ..text import counted, printable
from .output import DENIED, FINE, json_option, print_json
from .subject import found_in, subject_options


@click.command()
@click.argument("policy", default="scopes.toml")
@click.option("--app", "application", metavar="MODULE:APP|DOCUMENT", help="The application, for its routes.")
@subject_options
@click.option(
    "--format", "form", type=click.Choice(["text", "github"]), default="text", show_default=True, help="How to print."
)
@json_option
def lint(
    policy: str, application: str | None, openapi: str | None, settings: str | None, form: str, as_json: bool
) -> int:
    """Say what is wrong with a policy, and with an application under it: the route that nobody guards, the rule that is
    dead, the write that asks for no token. Exits 1 if anything is found.

    \b
    scopeware lint scopes.toml --app myapp:app
    scopeware lint scopes.toml --openapi openapi.json --format github

    What is fine goes into the policy, with a reason:

    \b
    [lint]
    allow = [{ id = "public-write", path = "/login", reason = "people sign in there" }]
    """
    loaded = Policy.load(policy)
    endpoints: tuple[Endpoint, ...] = ()
    notes: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    if application is not None or openapi is not None:
        if application is not None:
            discovery = found_in(application, openapi, settings)
        else:
            discovery = discover_document(read(str(openapi)), str(openapi))
        endpoints, notes, lost = discovery.endpoints, discovery.notes, discovery.lost
    found = find(loaded, endpoints, lost)
    if as_json:
        print_json(
            {"policy": policy, "routes": len(endpoints), "notes": notes, "findings": [_data(each) for each in found]}
        )
    elif form == "github":
        for each in found:
            click.echo(_github(policy, each))
    else:
        _print(policy, found, len(endpoints), notes)
    return DENIED if found else FINE


def _data(finding: Finding) -> dict[str, object]:
    return {
        "id": finding.id,
        "severity": finding.severity,
        "method": finding.method or None,
        "path": finding.path or None,
        "message": finding.message,
        "line": finding.line or None,
    }


def _print(policy: str, found: list[Finding], routes: int, notes: tuple[str, ...]) -> None:
    for each in found:
        place = f"{policy}:{each.line}: " if each.line else ""
        colour = "red" if each.severity == "error" else "yellow"
        click.echo(f"{click.style(each.severity, fg=colour)} {place}{printable(str(each))}")
    for note in notes:
        click.echo(f"note: {printable(note)}", err=True)
    counts = Counter(each.severity for each in found)
    alone = "the policy alone" if notes else "the policy alone; name the application with --app"
    asked = counted(routes, "route") if routes else alone
    said = f"{counted(counts['error'], 'error')}, {counted(counts['warning'], 'warning')}" if found else "nothing found"
    click.echo(f"{said} ({asked})", err=True)
    for id_ in sorted({each.id for each in found}):
        click.echo(f"  {id_}: {KINDS[id_][1]}", err=True)


def _github(policy: str, finding: Finding) -> str:
    """A workflow command: what is shown beside the line in a review."""
    place = f"file={_property(policy)}" + (f",line={finding.line}" if finding.line else "")
    text = str(finding).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::{finding.severity} {place},title={_property(f'scopeware {finding.id}')}::{text}"


def _property(text: str) -> str:
    for sign, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C")):
        text = text.replace(sign, code)
    return text
