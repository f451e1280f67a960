"""What commands have in common: options, tables, JSON, exit statuses."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..durations import parse_duration
from ..errors import ConfigurationError
from ..policy import Policy
from ..text import printable
from ..tokens import TokenStore

FINE, DENIED, WRONG, OUT_OF_REACH = 0, 1, 2, 3

Command = TypeVar("Command", bound=Callable[..., Any])

_DEFAULT_DATABASE = "sqlite:///scopeware.db"
_PUSH_VARIABLE = "SCOPEWARE_PUSH"
_WHOLE = ("id", "expires", "status", "secret", "time", "last used", "kind", "role")
"""Columns that are short, and not folded."""
_DEFAULT_POLICY = "scopes.toml"


class _Duration(click.ParamType[timedelta]):
    """A length of time: ``30d``."""

    name = "period"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        try:
            return parse_duration(value)
        except ConfigurationError as error:
            self.fail(error.problem, param, ctx)


DURATION = _Duration()


def database_option(command: Command) -> Command:
    """``--database URL``."""
    return click.option(
        "--database",
        metavar="URL",
        envvar="SCOPEWARE_DATABASE",
        default=_DEFAULT_DATABASE,
        show_default=True,
        help="Where the tokens are.",
    )(command)


def policy_option(command: Command) -> Command:
    """``--policy FILE``, optional: for its vocabulary, roles and token prefix."""
    return click.option(
        "--policy",
        metavar="FILE",
        envvar="SCOPEWARE_POLICY",
        help=f"The policy whose scopes, roles and prefix to use.  [default: {_DEFAULT_POLICY} if there is one, "
        "else Gitea's scopes]",
    )(command)


def json_option(command: Command) -> Command:
    """``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def load_policy(path: str | None) -> Policy | None:
    """The policy at `path`, or the default one if there is one.

    :raises ConfigurationError: it cannot be used.
    """
    if path is None and os.path.exists(_DEFAULT_POLICY):
        path = _DEFAULT_POLICY
    return None if path is None else Policy.load(path)


def look_here_too() -> None:
    """Find modules in the current directory, as ``python -m`` does: a policy or a command may name some."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())


def open_store(database: str, policy: Policy | None) -> TokenStore:
    """The store at `database`, speaking the policy's vocabulary.

    :raises ScopewareError: it cannot be opened.
    """
    networked = not database.startswith("sqlite:")
    store = TokenStore.connect(database, push=os.environ.get(_PUSH_VARIABLE) if networked else None)
    context = click.get_current_context(silent=True)
    if context is not None:
        context.call_on_close(store.close)
    if policy is not None:
        look_here_too()
        accounts = policy.hooks.load("accounts")
        store.use(policy.vocabulary, policy.roles, policy.options.token_prefix, policy.lifetimes, accounts)
    return store


def print_json(data: object) -> None:
    """Print `data` for machines; times as ISO 8601."""
    click.echo(json.dumps(data, indent=2, default=_plain, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, err: bool = False) -> None:
    """Print rows for people, verbatim but for what a terminal would obey."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(Text(text(column)), overflow="fold", no_wrap=column in _WHOLE)
    for row in rows:
        table.add_row(*(Text(text(cell)) for cell in row))
    # What is piped is not folded: a line a row.
    width = None if sys.stdout.isatty() else 1_000_000
    buffer = io.StringIO()
    Console(file=buffer, width=width, force_terminal=sys.stdout.isatty(), emoji=False).print(table)
    click.echo("\n".join(line.rstrip() for line in buffer.getvalue().splitlines()), err=err)


def text(value: object) -> str:
    """A cell: times to the minute in UTC, ``-`` for nothing."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    return "-" if value is None else printable(str(value))


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
