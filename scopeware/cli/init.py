"""``scopeware init``: a policy drafted from an application's own routes."""

from __future__ import annotations

import os
import shlex

import click

from ..introspect.coverage import outside, uncovered
from ..introspect.draft import draft, draft_more
from ..introspect.endpoint import Discovery, Endpoint
from ..policy import Policy
from ..text import counted, printable
from .files import whole_file
from .output import DENIED, FINE, json_option, print_json
from .subject import found_in, subject_options

_FILE = "scopes.toml"


@click.command()
@click.argument("application", metavar="MODULE:APP|DOCUMENT")
@click.option(
    "--policy", metavar="FILE", default=_FILE, show_default=True, help="Where to write it; - for the terminal."
)
@click.option("--update", is_flag=True, help="Add what an existing policy lacks; what stands there is left alone.")
@subject_options
@json_option
def init(application: str, policy: str, update: bool, openapi: str | None, settings: str | None, as_json: bool) -> int:
    """Draft a policy from an application's routes, or from a document. Nothing of the application is called.

    \b
    scopeware init myapp:app
    scopeware init openapi.json

    Where there is a policy already, what it does not cover is said, and added with --update; exits 1 if there is such.
    """
    if policy == "-" and as_json:
        raise click.UsageError("--policy - prints the policy itself; leave out --json")
    discovery = found_in(application, openapi, settings)
    if policy != "-" and os.path.exists(policy):
        return _again(discovery, policy, update, as_json)
    made = draft(discovery, application)
    if policy == "-":
        click.echo(made.text, nl=False)
        return FINE
    with whole_file(policy, policy) as file:
        file.write(made.text)
    if as_json:
        print_json(
            {
                "policy": policy,
                "routes": len(discovery.endpoints),
                "groups": made.groups,
                "to_check": made.to_check,
                "notes": discovery.notes,
            }
        )
        return FINE
    count = len(discovery.endpoints)
    groups = counted(made.groups, "group")
    click.echo(
        f"{policy}: {counted(count, 'route')} ({printable(discovery.kind)}) in {groups}; {_check(made.to_check)}"
    )
    for note in discovery.notes:
        click.echo(f"note: {printable(note)}", err=True)
    lint = shlex.join(["scopeware", "lint", policy, "--app", application])
    click.echo(f"next: read it, then: {lint}", err=True)
    return FINE


def _again(discovery: Discovery, path: str, update: bool, as_json: bool) -> int:
    policy = Policy.load(path)
    missing = uncovered(policy, discovery.endpoints)
    beside = outside(policy, discovery.endpoints)
    added = None
    if update and missing:
        added = draft_more(_as_it_is(path), policy, discovery)
    if added is not None:
        with whole_file(path, path) as file:
            file.write(added.text)
    if as_json:
        print_json(
            {
                "policy": path,
                "routes": len(discovery.endpoints),
                "new": [str(endpoint) for endpoint in missing],
                "outside": [str(endpoint) for endpoint in beside],
                "added": added.groups if added is not None else 0,
            }
        )
        return FINE if added is not None or not missing else DENIED
    _list(missing, f"{path} does not cover")
    if beside:
        said = f"{counted(len(beside), 'route')} outside of its prefix `{policy.prefix}`, not guarded"
        click.echo(said, err=True)
    if added is not None:
        click.echo(f"added {counted(added.groups, 'group')} to {path}, at its end; {_check(added.to_check)}")
    elif missing:
        click.echo(f"--update adds them to {path}, and changes nothing that is there", err=True)
        return DENIED
    else:
        inside = counted(len(discovery.endpoints) - len(beside), "route")
        click.echo(f"{path} covers all {inside} under its prefix")
    return FINE


def _as_it_is(path: str) -> str:
    """The text of a file, with the ends of its lines."""
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def _list(endpoints: list[Endpoint], what: str) -> None:
    if endpoints:
        click.echo(f"{what} {counted(len(endpoints), 'route')}:")
        for endpoint in endpoints:
            click.echo(f"  {printable(str(endpoint))}")


def _check(count: int) -> str:
    return f"{counted(count, 'place')} to check"
