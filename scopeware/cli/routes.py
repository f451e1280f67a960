"""``scopeware routes``: what routes an application has."""

from __future__ import annotations

from typing import Any

import click

from ..introspect.endpoint import Discovery, Endpoint
from ..text import counted, printable
from .output import DENIED, FINE, json_option, print_json, print_table
from .subject import found_in, subject_options


@click.command()
@click.argument("application", metavar="MODULE:APP|DOCUMENT")
@subject_options
@json_option
def routes(application: str, openapi: str | None, settings: str | None, as_json: bool) -> int:
    """List the routes of an application, or of a document. It is imported, and nothing of it is called.

    \b
    scopeware routes myapp:app
    scopeware routes openapi.json

    Exits 1 if none is found.
    """
    discovery = found_in(application, openapi, settings)
    if as_json:
        print_json(as_data(discovery))
    else:
        print_routes(discovery)
    return FINE if discovery.endpoints else DENIED


def as_data(discovery: Discovery) -> dict[str, Any]:
    """All of it, for machines; ``routes`` is what ``routes`` and ``init`` read again."""
    return {
        "kind": discovery.kind,
        "notes": discovery.notes,
        "lost": discovery.lost,
        "routes": [
            _row(endpoint, method) for endpoint in discovery.endpoints for method in endpoint.methods or ("ANY",)
        ],
    }


def _row(endpoint: Endpoint, method: str) -> dict[str, Any]:
    row: dict[str, Any] = {"method": method, "path": endpoint.path, "name": endpoint.name, "doc": endpoint.doc}
    row |= {"tags": endpoint.tags, "open": endpoint.open, "rough": endpoint.rough}
    row |= {"methods": endpoint.methods, "operation": endpoint.operation}
    if endpoint.order:
        row["order"] = endpoint.order
    if endpoint.declared is not None:
        if endpoint.declared.alternatives is not None:
            row["any_of"] = endpoint.declared.alternatives
        if endpoint.declared.require_token is not None:
            row["req_token"] = endpoint.declared.require_token
        if endpoint.declared.by_session:
            row["accept"] = "session"
    return row


def print_routes(discovery: Discovery) -> None:
    """A table of routes, and what could not be known."""
    if discovery.endpoints:
        rows = [
            (
                ",".join(endpoint.methods) or "ANY",
                endpoint.path + ("/..." if endpoint.open else ""),
                endpoint.name,
                endpoint.doc[:60],
            )
            for endpoint in discovery.endpoints
        ]
        print_table(("method", "path", "name", "description"), rows)
    click.echo(f"{counted(len(discovery.endpoints), 'route')} ({printable(discovery.kind)})", err=True)
    for note in discovery.notes:
        click.echo(f"note: {printable(note)}", err=True)
