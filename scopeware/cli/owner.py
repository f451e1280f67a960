"""``scopeware owner``: who holds tokens."""

from __future__ import annotations

import click

from ..scopes import DEFAULT_ROLE
from ..tokens import OWNER_KINDS, OwnerInfo, OwnerKind
from ..tokens.urls import without_password
from .output import database_option, json_option, load_policy, open_store, policy_option, print_json, print_table


@click.group()
def owner() -> None:
    """Who holds tokens: their roles, and whether they are active."""


@owner.command()
@click.argument("name")
@click.option("--role", default=DEFAULT_ROLE, show_default=True, help="viewer, user, admin, or one of the policy's.")
@click.option("--kind", type=click.Choice(OWNER_KINDS), default="user", show_default=True, help="For people to see.")
@policy_option
@database_option
@json_option
def add(name: str, role: str, kind: OwnerKind, policy: str | None, database: str, as_json: bool) -> None:
    """Add an owner."""
    _print(open_store(database, load_policy(policy)).add_owner(name, role=role, kind=kind), as_json)


@owner.command(name="list")
@policy_option
@database_option
@json_option
def list_(policy: str | None, database: str, as_json: bool) -> None:
    """List owners."""
    owners = open_store(database, load_policy(policy)).owners()
    if as_json:
        print_json([_as_dict(info) for info in owners])
    elif owners:
        print_table(
            ("owner", "kind", "role", "status", "since"),
            (
                (info.name, info.kind, info.role, "active" if info.active else "inactive", info.created_at)
                for info in owners
            ),
        )
    else:
        click.echo(f"no owners in {without_password(database)}", err=True)


@owner.command(name="set-role")
@click.argument("name")
@click.argument("role")
@policy_option
@database_option
@json_option
def set_role(name: str, role: str, policy: str | None, database: str, as_json: bool) -> None:
    """Give an owner another role; all its tokens follow at once."""
    _print(open_store(database, load_policy(policy)).set_role(name, role), as_json)


@owner.command()
@click.argument("name")
@policy_option
@database_option
@json_option
def disable(name: str, policy: str | None, database: str, as_json: bool) -> None:
    """Make an owner inactive: none of its tokens works any more."""
    _print(open_store(database, load_policy(policy)).disable_owner(name), as_json)


@owner.command()
@click.argument("name")
@policy_option
@database_option
@json_option
def enable(name: str, policy: str | None, database: str, as_json: bool) -> None:
    """Make an owner active again."""
    _print(open_store(database, load_policy(policy)).enable_owner(name), as_json)


def _print(info: OwnerInfo, as_json: bool) -> None:
    if as_json:
        print_json(_as_dict(info))
    else:
        click.echo(f"{info.name}: {info.role}, {'active' if info.active else 'inactive'}")


def _as_dict(info: OwnerInfo) -> dict[str, object]:
    return {
        "name": info.name,
        "kind": info.kind,
        "role": info.role,
        "active": info.active,
        "created_at": info.created_at,
    }
