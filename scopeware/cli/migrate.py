"""``scopeware migrate``: turn old scopes into new ones, in anyone's table, after saying what that changes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ..errors import ConfigurationError
from ..migration import Mapping
from ..migration.access import AccessChange, access_change, side_at
from ..migration.column import Column, Place
from ..migration.formats import FORMATS, Format
from ..migration.plan import Kind, Line, Plan
from ..migration.plan import plan as make_plan
from ..migration.report import as_data, as_page, as_sql
from ..migration.run import Run, apply, runs, undo
from ..text import printable, quoted
from .output import DENIED, FINE, Command, database_option, json_option, print_json, print_table

_MOST_LINES = 30
_MOST_ROUTES = 12
_MOST_LETTERS = 100
_TABLE, _COLUMN = "scopeware_token", "scopes"


def _place_options(command: Command) -> Command:
    """Where the scopes are."""
    for option in (
        click.option("--where", metavar="SQL", default="", help="Only rows for which this holds."),
        click.option("--id", "key", metavar="COLUMN", default="", help="Tells rows apart.  [default: the primary key]"),
        click.option("--column", default=_COLUMN, show_default=True, help="Holds the scopes."),
        click.option("--table", default=_TABLE, show_default=True, help="With those of a schema: public.access_token."),
    ):
        command = option(command)
    return database_option(command)


def _mapping_options(command: Command) -> Command:
    """What becomes of scopes."""
    for option in (
        click.option(
            "--format",
            "form",
            type=click.Choice(FORMATS),
            default="comma",
            show_default=True,
            help="How scopes are stored.",
        ),
        click.option(
            "--mapping", metavar="NAME", required=True, help=f"A TOML file, or {', '.join(Mapping.builtin_names())}."
        ),
    ):
        command = option(command)
    return command


def _access_options(command: Command) -> Command:
    """Who reached what, and reaches what."""
    for option in (
        click.option("--after", metavar="FILE", help="The same as they are now."),
        click.option("--before", metavar="FILE", help="Routes as they were: a policy, or JSON rows with old scopes."),
    ):
        command = option(command)
    return command


_fail_on = click.option(
    "--fail-on", type=click.Choice(["widen", "narrow"]), multiple=True, help="Exit 1 if a token would; write nothing."
)


@click.group()
def migrate() -> None:
    """Turn old scopes into new ones, in any table; say what that changes first, and take it back if need be.

    \b
    scopeware migrate plan --database sqlite:///gitea.db --table access_token --column scope --mapping gitea-1.19
    scopeware migrate apply --database sqlite:///gitea.db --table access_token --column scope --mapping gitea-1.19
    scopeware migrate undo --database sqlite:///gitea.db --table access_token --column scope
    """


@migrate.command()
@_place_options
@_mapping_options
@_access_options
@_fail_on
@click.option("--html", metavar="FILE", type=click.Path(dir_okay=False), help="Write a page for one's users, too.")
@click.option("--sql", metavar="FILE", type=click.Path(dir_okay=False), help="Write the same as a script of SQL, too.")
@click.option("--all", "everything", is_flag=True, help="Every text and every route, however many.")
@json_option
def plan(
    database: str,
    table: str,
    column: str,
    key: str,
    where: str,
    mapping: str,
    form: Format,
    before: str | None,
    after: str | None,
    fail_on: tuple[Kind, ...],
    html: str | None,
    sql: str | None,
    everything: bool,
    as_json: bool,
) -> int:
    """Say what converting a column would do. Nothing is changed.

    With --before and --after (a policy, or a JSON table of routes) the access change is exact: which routes a token
    with each list of scopes gains and loses.
    """
    with _column(database, table, column, key, where) as opened:
        made = _planned(opened, mapping, form, before, after, needs_access=bool(fail_on))
        if sql is not None:
            Path(sql).write_text(as_sql(made, opened), "utf-8")
    if html is not None:
        Path(html).write_text(as_page(made), "utf-8")
    if as_json:
        print_json(as_data(made))
    else:
        _print_plan(made, everything)
        if html is not None:
            click.echo(f"the page for users: {html}", err=True)
    return DENIED if any(made.count(kind) for kind in fail_on) else FINE


@migrate.command(name="apply")
@_place_options
@_mapping_options
@_access_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="What `plan` does.")
@_fail_on
@json_option
def apply_(
    database: str,
    table: str,
    column: str,
    key: str,
    where: str,
    mapping: str,
    form: Format,
    before: str | None,
    after: str | None,
    yes: bool,
    dry_run: bool,
    fail_on: tuple[Kind, ...],
    as_json: bool,
) -> int:
    """Convert a column. Each row that changes is written down, so that `undo` can take it back.

    It can be stopped at any time, and gone on with; and it can be run while the application is.
    """
    with _column(database, table, column, key, where) as opened:
        made = _planned(opened, mapping, form, before, after, needs_access=bool(fail_on))
        failed = any(made.count(kind) for kind in fail_on)
        if dry_run or failed:
            if as_json:
                print_json(as_data(made))
            else:
                _print_plan(made, everything=False)
            return DENIED if failed else FINE
        if made.changed and not yes:
            _print_plan(made, everything=False, err=True)
            _ask(f"convert {made.changed:,} rows of {table}.{column}?")
        with _progress("converting", made.rows + sum(made.others.values())) as progress:
            applied = apply(opened, Mapping.named(mapping), form, progress)
    if as_json:
        print_json({"run": applied.run, "rows": applied.rows, "resumed": applied.resumed})
    elif applied.run is None:
        click.echo("nothing to convert")
    else:
        resumed = ", going on with what was begun earlier" if applied.resumed else ""
        click.echo(
            f"converted {applied.rows:,} rows (run {applied.run}{resumed}); `scopeware migrate undo` takes it back"
        )
    return FINE


@migrate.command(name="undo")
@_place_options
@click.option("--run", "run_id", type=click.IntRange(1), help="Which conversion.  [default: the last one]")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def undo_(
    database: str, table: str, column: str, key: str, where: str, run_id: int | None, yes: bool, as_json: bool
) -> None:
    """Take a conversion back: rows that still hold what it wrote get what they held before."""
    with _column(database, table, column, key, where) as opened:
        with opened.answering():
            known = [
                run for run in runs(opened) if (run.table, run.column) == (table, column) and run.state != "undone"
            ]
        rows = next((run.rows for run in reversed(known) if run_id in (run.id, None)), 0)
        if rows and not yes:
            _ask(f"restore up to {rows:,} rows of {table}.{column}?")
        with _progress("restoring", rows) as progress:
            undone = undo(opened, run_id, progress)
    if as_json:
        print_json({"run": undone.run, "rows": undone.rows, "changed_since": undone.changed, "gone": undone.gone})
        return
    click.echo(f"restored {undone.rows:,} rows (run {undone.run})")
    if undone.changed:
        click.echo(f"{undone.changed:,} rows were changed since, and are left as they are", err=True)
    if undone.gone:
        click.echo(f"{undone.gone:,} rows are not there any more", err=True)


@migrate.command()
@click.option("--table", help="Only those of this one.")
@click.option("--column", help="Only those of this one.")
@database_option
@json_option
def status(database: str, table: str | None, column: str | None, as_json: bool) -> None:
    """List the conversions of this database: which, when, by whom, how far."""
    opened = Column(database, None)
    try:
        with opened.answering():
            known = [run for run in runs(opened) if table in (None, run.table) and column in (None, run.column)]
    finally:
        opened.close()
    if as_json:
        print_json([_as_dict(run) for run in known])
    elif known:
        rows = [
            (run.id, f"{run.table}.{run.column}", run.mapping, run.state, f"{run.rows:,}", run.started_at, run.who)
            for run in known
        ]
        print_table(("run", "column", "mapping", "status", "rows", "time", "who"), rows)
    else:
        click.echo("nothing has been converted here", err=True)


def _as_dict(run: Run) -> dict[str, object]:
    return {
        "run": run.id,
        "table": run.table,
        "column": run.column,
        "id_column": run.key,
        "where": run.where,
        "mapping": run.mapping,
        "format": run.form,
        "who": run.who,
        "state": run.state,
        "rows": run.rows,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "undone_at": run.undone_at,
    }


@contextmanager
def _column(database: str, table: str, column: str, key: str, where: str) -> Iterator[Column]:
    opened = Column(database, Place(table, column, key, where))
    try:
        yield opened
    finally:
        opened.close()


def _planned(
    column: Column, name: str, form: Format, before: str | None, after: str | None, *, needs_access: bool = False
) -> Plan:
    mapping = Mapping.named(name)
    access: AccessChange | None = None
    if before is not None or after is not None:
        sides = (before or after or "", after or before or "")
        access = access_change(side_at(sides[0], mapping, old=True), side_at(sides[1], mapping, old=False))
    elif needs_access:
        raise ConfigurationError("say which routes there were and are: --before, --after", where="--fail-on")
    return make_plan(column, mapping, form, access)


def _ask(question: str) -> None:
    if sys.stdin is None or not sys.stdin.isatty():
        raise ConfigurationError(f"{question} Nobody is there to answer; say --yes")
    if not click.confirm(question, err=True):
        raise click.Abort


@contextmanager
def _progress(what: str, rows: int) -> Iterator[Callable[[int], None]]:
    """A bar with rate and time left, on a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(show_speed=True),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=rows)
        yield lambda done: bar.advance(task, done)


# -- a plan for people


def _print_plan(plan: Plan, everything: bool, *, err: bool = False) -> None:
    def say(text: str = "") -> None:
        click.echo(text, err=err)

    say(f"{plan.table}.{plan.column} in {plan.database}, by {plan.mapping}")
    say(f"{plan.rows:,} rows, {len(plan.lines):,} distinct texts; {plan.changed:,} rows would change")
    for kind, count in plan.others.items():
        say(f"{count:,} rows hold {kind}, and are left as they are")
    unreadable = sum(line.count for line in plan.lines if line.new is None)
    if unreadable:
        say(f"{unreadable:,} rows cannot be read as {plan.form}, and are left as they are")
    for text in plan.too_long:
        say(f"too long for the column: {quoted(text[:80])}")
    if plan.routes is not None:
        say(
            f"over {plan.routes:,} routes: {plan.count('widen'):,} tokens would reach more, "
            f"{plan.count('narrow'):,} less"
        )
        if plan.routes_left_out:
            say(f"{plan.routes_left_out:,} routes are known on one side only, and were left out")
    say()
    shown = plan.lines if everything else plan.lines[:_MOST_LINES]
    print_table(
        _HEADINGS if plan.routes is not None else _HEADINGS[:3], [_cells(line, plan) for line in shown], err=err
    )
    if len(shown) < len(plan.lines):
        say(f"... and {len(plan.lines) - len(shown):,} more; --all shows them")
    if plan.suggestions:
        say()
        say("unknown words, which stay as they are and grant nothing:")
        for word, count, suggestion in plan.suggestions[: None if everything else _MOST_LINES]:
            rows = "1 row" if count == 1 else f"{count:,} rows"
            say(f"  {quoted(word[:80])} in {rows}{'; ' if suggestion else ''}{suggestion}")
    if plan.routes is not None:
        _print_routes(plan, everything, say)


_HEADINGS = ("until now", "from now on", "rows", "gained", "lost")


def _cells(line: Line, plan: Plan) -> tuple[object, ...]:
    new = "cannot be read" if line.new is None else "(no change)" if not line.is_changed else line.new or "(no access)"
    cells = (_shortened(line.old) or "(empty)", _shortened(new), f"{line.count:,}")
    if plan.routes is None or line.change is None:
        return cells
    return (*cells, len(line.change.gained) or "", len(line.change.lost) or "")


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}... ({len(text):,} characters)"


def _print_routes(plan: Plan, everything: bool, say: Callable[[str], None]) -> None:
    most = None if everything else _MOST_ROUTES
    kinds: tuple[tuple[Kind, str], ...] = (("widen", "gain"), ("narrow", "lose"))
    for kind, word in kinds:
        found = plan.routes_by_tokens(kind)
        if found:
            say("")
            say(f"routes that tokens {word}:")
            for route, count in found[:most]:
                say(f"  {count:>9,}  {route}")
            if most is not None and len(found) > most:
                say(f"             {len(found) - most:,} more")
    if everything:
        for line in plan.lines:
            if line.change:
                say("")
                say(f"{printable(line.old) or '(empty)'}  ({line.count:,} rows)")
                for word, routes in (("gains", line.change.gained), ("loses", line.change.lost)):
                    for each in routes:
                        say(f"  {word}  {each}")
    elif any(line.change for line in plan.lines):
        say("")
        say("--all lists the routes for each text, --html writes a page for users")
