"""``scopeware audit``: what tokens were used for, and what was refused."""

from __future__ import annotations

import csv
import json
import re
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from ..durations import parse_duration
from ..errors import ConfigurationError
from ..text import quoted
from ..tokens import LogEntry, LogFilter, LogReader, LogRecord
from ..tokens.urls import without_password
from .application import end_on_signals, ended
from .files import whole_file
from .output import DURATION, Command, database_option, json_option, open_store, print_json, print_table, text
from .token import TOKEN_ID

_PAUSE = 0.5
_TERMINATED = 128 + signal.SIGTERM
_LATE = 500
"""How many numbers back a row may turn up late."""
_FORMULA = re.compile(r"[=+\-@\t\r\n]")


@click.group()
def audit() -> None:
    """The access log: what tokens were used for, and what was refused."""


class _Moment(click.ParamType[datetime]):
    """A time: ``2030-01-31``, or how long ago: ``7d``."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            return datetime.now(UTC) - parse_duration(value)
        except OverflowError:
            self.fail(f"{quoted(value)} ago there was no calendar", param, ctx)
        except ConfigurationError:
            pass
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{quoted(value)} is no time; write 7d for a week ago, or 2030-01-31", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _filter_options(command: Command) -> Command:
    """Which entries."""
    for option in (
        click.option("--path", "below", help="Only paths that start so."),
        click.option("--until", metavar="WHEN", type=_Moment(), help="Only those before: 1d (ago), 2030-01-31."),
        click.option("--since", metavar="WHEN", type=_Moment(), help="Only those since: 7d (ago), 2030-01-31."),
        click.option("--code", help="Only those denied for this: insufficient_scope, token_rotated ..."),
        click.option("--denied/--allowed", "denied", default=None, help="Only those that were, or were not, denied."),
        click.option("--token", "token_id", type=TOKEN_ID, help="Only this token's."),
        click.option("--owner", help="Only those of this owner's tokens."),
    ):
        command = option(command)
    return command


@audit.command(name="list")
@_filter_options
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000), help="At most so many.")
@database_option
@json_option
def list_(limit: int, database: str, as_json: bool, **wanted: Any) -> None:
    """List the latest requests, the newest last."""
    records = list(reversed(_log(database).latest(LogFilter(**wanted), limit=limit)))
    if as_json:
        print_json([_as_dict(record) for record in records])
    elif records:
        print_table(
            ("time", "owner", "token", "address", "request", "outcome"), (_row(record.entry) for record in records)
        )
    else:
        click.echo(f"nothing of that kind in the log in {without_password(database)}", err=True)


@audit.command()
@_filter_options
@database_option
@json_option
def tail(database: str, as_json: bool, **wanted: Any) -> None:
    """Print requests as they are written down, until stopped."""
    end_on_signals()
    log = _log(database)
    filter_ = LogFilter(**wanted)
    start = max((record.id for record in log.latest(limit=1)), default=0)
    last = start
    late: set[int] = set()
    try:
        while True:
            # A row may be committed after one with a higher number.
            batch = [record for record in log.after(max(start, last - _LATE), filter_) if record.id not in late]
            for record in batch:
                row = (text(cell) for cell in _row(record.entry))
                click.echo(json.dumps(_as_dict(record)) if as_json else "  ".join(row))
            last = max((record.id for record in batch), default=last)
            late = {number for number in late | {record.id for record in batch} if number > last - _LATE}
            if not batch:
                time.sleep(_PAUSE)
    except KeyboardInterrupt:
        return


@audit.command()
@_filter_options
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option("--json", "form", flag_value="jsonl", help="The same as --format jsonl.")
@click.option("--output", metavar="FILE", help="Write there, not to the terminal.")
@database_option
def export(form: str, output: str | None, database: str, **wanted: Any) -> None:
    """Print all requests, the oldest first, for other programs."""
    end_on_signals(_TERMINATED)
    records = _until_ended(_log(database).all(LogFilter(**wanted)))
    with nullcontext(sys.stdout) if output is None else whole_file(output, "--output", private=True) as file:
        if form == "csv":
            _write_csv(records, file)
        else:
            file.writelines(json.dumps(_as_dict(record)) + "\n" for record in records)


@audit.command()
@click.option("--keep", metavar="PERIOD", type=DURATION, required=True, help="What is younger stays: 90d.")
@database_option
@json_option
def prune(keep: timedelta, database: str, as_json: bool) -> None:
    """Remove what is old, a little at a time."""
    removed = _log(database).prune(keep)
    if as_json:
        print_json({"removed": removed})
    else:
        click.echo(f"removed: {removed}")


def _log(database: str) -> LogReader:
    return open_store(database, None).access_log()


def _until_ended(records: Iterable[LogRecord]) -> Iterator[LogRecord]:
    for record in records:
        if ended.is_set():
            sys.exit(_TERMINATED)
        yield record


def _write_csv(records: Iterable[LogRecord], file: Any) -> None:
    writer = csv.writer(file)
    writer.writerow(["id", "time", *LogEntry._fields])
    for record in records:
        # A spreadsheet takes what starts so for a formula.
        writer.writerow([f"'{cell}" if _FORMULA.match(str(cell)) else cell for cell in _as_dict(record).values()])


def _as_dict(record: LogRecord) -> dict[str, Any]:
    return {"id": record.id, **record.entry.as_dict()}


def _row(entry: LogEntry) -> tuple[str, ...]:
    token = "-" if entry.token_id is None else f"{entry.token_id} ...{entry.hint}"
    outcome = entry.decision if entry.code is None else f"{entry.decision} {entry.code}"
    status = "-" if entry.status is None else str(entry.status)
    return (
        entry.time.strftime("%Y-%m-%d %H:%M:%S"),
        entry.owner or "-",
        token,
        entry.address,
        f"{entry.method} {entry.path}",
        f"{status} {outcome}",
    )
