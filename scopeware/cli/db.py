"""``scopeware db``: the tables."""

from __future__ import annotations

import click

from ..tokens import schema
from ..tokens.urls import database_at
from .output import DENIED, FINE, database_option, json_option, print_json, print_table


@click.group()
def db() -> None:
    """The tables that tokens are kept in."""


@db.command()
@database_option
@json_option
def upgrade(database: str, as_json: bool) -> None:
    """Create the tables, or bring them up to date; each step whole or not at all."""
    opened = database_at(database)
    opened.set_up()
    with opened.session():
        applied = schema.upgrade(opened)
    if as_json:
        print_json({"applied": applied})
    else:
        click.echo(f"applied: {', '.join(applied)}" if applied else "nothing to do")


@db.command()
@database_option
@json_option
def status(database: str, as_json: bool) -> int:
    """List the migrations. Exits 1 if some are pending, or unknown to this version."""
    opened = database_at(database)
    opened.check_exists()
    with opened.session():
        steps = schema.status(opened.peewee)
    if as_json:
        print_json([{"name": step.name, "applied": step.applied, "known": step.known} for step in steps])
    else:
        states = ((step.name, step.applied or "pending" if step.known else "unknown to this version") for step in steps)
        print_table(("migration", "applied"), states)
    return FINE if all(step.known and step.applied for step in steps) else DENIED
