"""Conversions of a column: each is written down row by row, so that it can be taken back."""

from __future__ import annotations

import getpass
import itertools
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from time import time
from typing import Any, Literal, final

import peewee

from ..errors import ConfigurationError
from ..text import quoted
from .column import Column, Place
from .formats import Format
from .mapping import Mapping

RUNS = "scopeware_migrate_run"
STRINGS = "scopeware_migrate_string"
"""What becomes of each text. Its columns are called like none of theirs, as their conditions stand beside them."""
JOURNAL = "scopeware_migrate_row_{}"
CHUNK = 20_000
_MOST_PASSES = 20
_CONFLICTS = {1205, 1213, "40001", "40P01"}
"""What MariaDB and PostgreSQL say when they break a transaction off for another's sake."""

State = Literal["unfinished", "done", "undone"]
Progress = Callable[[int], None]


class TooLong(ConfigurationError):
    """New texts do not fit into the column."""


@final
@dataclass(frozen=True, slots=True)
class Run:
    """A conversion of a column.

    :param rows: how many rows it has changed, and not changed back.
    :param who: who started it.
    """

    id: int
    table: str
    column: str
    key: str
    where: str
    mapping: str
    digest: str
    form: str
    who: str
    started_at: datetime
    finished_at: datetime | None
    undone_at: datetime | None
    rows: int = 0

    @property
    def state(self) -> State:
        """How far it has come."""
        if self.undone_at is not None:
            return "undone"
        return "unfinished" if self.finished_at is None else "done"


@final
@dataclass(frozen=True, slots=True)
class Applied:
    """What a conversion did.

    :param run: which it is; ``None`` where there was nothing to do.
    :param rows: how many rows it changed now.
    :param resumed: whether it had begun earlier.
    """

    run: int | None
    rows: int
    resumed: bool = False


@final
@dataclass(frozen=True, slots=True)
class Undone:
    """What was taken back.

    :param rows: how many rows hold again what they held before.
    :param changed: how many hold something else by now, and were left as they are.
    :param gone: how many are not there any more.
    """

    run: int
    rows: int
    changed: int
    gone: int


def apply(column: Column, mapping: Mapping, form: Format = "comma", progress: Progress | None = None) -> Applied:
    """Convert a column: each distinct text once, the rows in bounded transactions.

    What was begun and not finished is gone on with. Rows that are written in the old form meanwhile are found by
    another pass. To apply twice is to apply once.

    :param progress: called with the number of rows that were gone over since it was called last.
    :raises TooLong: a new text does not fit; nothing was changed.
    :raises ConfigurationError: somebody else is at it, JSON that is none.
    :raises StoreUnavailable: the database cannot be written; what was done so far stands in the journal.
    """
    with column.answering(), column.alone():
        changes = changing(column, mapping, form)
        _again(column, lambda: _make_tables(column))
        # Only the last one is gone on with: what came after it has to be taken back before it.
        last = _standing_runs(column)[-1:]
        unfinished = [run for run in last if run.state == "unfinished" and _is_of(run, column, mapping, form)]
        if not changes and not unfinished:
            return Applied(None, 0)
        run_id = unfinished[-1].id if unfinished else _begin(column, mapping, form)
        total = 0
        for _ in range(_MOST_PASSES):
            if changes:
                _know(column, run_id, changes)
                total += _pass(column, run_id, progress or (lambda _: None))
            changes = changing(column, mapping, form)
            if not changes:
                break
        column.run(f"UPDATE {RUNS} SET finished_at = \0 WHERE id = \0", (int(time()), run_id))
        return Applied(run_id, total, bool(unfinished))


def changing(column: Column, mapping: Mapping, form: Format) -> dict[str, str]:
    """The texts that a mapping changes → what they become.

    :raises TooLong: one of those does not fit.
    """
    changes = {}
    for text in column.texts():
        try:
            new = mapping.convert(text, form)
        except ConfigurationError:
            continue  # what cannot be read is left as it is
        if new != text:
            changes[text] = new
    long = [new for new in changes.values() if not column.fits(new)]
    if long:
        raise TooLong(
            f"{len(long)} new texts do not fit into the column {column.place.column}, such as "
            f"{quoted(long[0][:200])}; make it longer"
        )
    return changes


def undo(column: Column, run_id: int | None = None, progress: Progress | None = None) -> Undone:
    """Take a conversion back: the rows that still hold what it wrote get what they held before. The others are left.

    :param run_id: which one; by default the last one of this column.
    :raises ConfigurationError: there is none, or it was of another table or column.
    :raises StoreUnavailable: the database cannot be written; it can be gone on with.
    """
    with column.answering(), column.alone():
        run = _run_to_undo(column, run_id)
        restored = 0
        journal = JOURNAL.format(run.id)
        # One that was stopped at once has written nothing.
        _make_journal(column, run.id)
        last: object = None
        while True:
            last = _next_key(column, f"{journal} j", "j.k", last, CHUNK)
            with_last = "" if last is None else " AND j.k <= \0"
            values = () if last is None else (last,)
            done = _again(column, lambda: _restore(column, run.id, with_last, values))  # noqa: B023
            restored += done
            if progress is not None:
                progress(done)
            if last is None:
                break
        changed, gone = _left(column, run.id)
        column.run(f"UPDATE {RUNS} SET undone_at = \0 WHERE id = \0", (int(time()), run.id))
        return Undone(run.id, restored, changed, gone)


def runs(column: Column) -> list[Run]:
    """All conversions in this database, oldest first."""
    if not column.has_table(RUNS):
        return []
    found = column.all(
        "SELECT id, table_name, column_name, key_name, where_sql, mapping, digest, form, who, started_at, "
        f"finished_at, undone_at FROM {RUNS} ORDER BY id"
    )
    made = []
    for row in found:
        journal = JOURNAL.format(row[0])
        count = column.first(f"SELECT COUNT(*) FROM {journal}") if column.has_table(journal) else None
        times = [None if at is None else datetime.fromtimestamp(at, UTC) for at in row[9:]]
        values: list[Any] = [*row[:9], *times, count[0] if count else 0]
        made.append(Run(*values))
    return made


# -- tables of our own


def _make_tables(column: Column) -> int:
    number = "INTEGER PRIMARY KEY" if column.kind == "sqlite" else "INTEGER NOT NULL PRIMARY KEY"
    text = {"sqlite": "TEXT", "postgres": "TEXT", "mariadb": "LONGTEXT"}[column.kind]
    options = " DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin" if column.kind == "mariadb" else ""
    column.run(
        f"CREATE TABLE IF NOT EXISTS {RUNS} (id {number}, table_name {text} NOT NULL, column_name {text} NOT NULL, "
        f"key_name {text} NOT NULL, where_sql {text} NOT NULL, mapping {text} NOT NULL, digest {text} NOT NULL, "
        f"form {text} NOT NULL, "
        f"who {text} NOT NULL, started_at BIGINT NOT NULL, finished_at BIGINT, undone_at BIGINT){options}"
    )
    index = ", KEY sw_old (sw_run, sw_old(180))" if column.kind == "mariadb" else ""
    column.run(
        f"CREATE TABLE IF NOT EXISTS {STRINGS} (sw_run INTEGER NOT NULL, sw_no INTEGER NOT NULL, "
        f"sw_old {text} NOT NULL, sw_new {text} NOT NULL, "
        f"PRIMARY KEY (sw_run, sw_no){index}){options}"
    )
    if column.kind == "sqlite":
        column.run(f"CREATE UNIQUE INDEX IF NOT EXISTS {STRINGS}_old ON {STRINGS} (sw_run, sw_old)")
    return 0


def _begin(column: Column, mapping: Mapping, form: Format) -> int:
    place = column.place
    return _again(column, lambda: _insert_run(column, place, mapping, form))


def _insert_run(column: Column, place: Place, mapping: Mapping, form: Format) -> int:
    (run_id,) = column.first(f"SELECT COALESCE(MAX(id), 0) + 1 FROM {RUNS}") or (1,)
    column.run(
        f"INSERT INTO {RUNS} (id, table_name, column_name, key_name, where_sql, mapping, digest, form, who, "
        "started_at) VALUES (\0, \0, \0, \0, \0, \0, \0, \0, \0, \0)",
        (
            run_id,
            place.table,
            place.column,
            column.key_name,
            place.where,
            mapping.name,
            mapping.digest,
            form,
            f"{_user()}@{socket.gethostname()}",
            int(time()),
        ),
    )
    return int(run_id)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _make_journal(column: Column, run_id: int) -> None:
    journal = JOURNAL.format(run_id)
    if column.has_table(journal):
        return
    if column.kind == "sqlite":
        # PERF: one tree instead of a table and an index. A key that is the row's number is one here, too.
        is_number = column.is_row_number
        options = "" if is_number else " WITHOUT ROWID"
        key_type = "INTEGER" if is_number else ""
        column.run(f"CREATE TABLE {journal} (k {key_type} NOT NULL PRIMARY KEY, s INTEGER NOT NULL){options}")
        return
    # The type of the key is that of theirs, whatever it is. The index comes with the table, or with it none.
    picked = f"SELECT {column.key('t')} AS k, 0 AS s FROM {column.table} t WHERE 1 = 0"
    if column.kind == "mariadb":
        options = "DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin"
        column.run(f"CREATE TABLE {journal} (UNIQUE KEY (k)) {options} AS {picked}")
        return
    with column.transaction():
        column.run(f"CREATE TABLE {journal} AS {picked}")
        column.run(f"CREATE UNIQUE INDEX {journal}_k ON {journal} (k)")


def _standing_runs(column: Column) -> list[Run]:
    """The conversions of this column that were not taken back, oldest first."""
    here = (column.place.table, column.place.column)
    return [run for run in runs(column) if (run.table, run.column) == here and run.state != "undone"]


def _is_of(run: Run, column: Column, mapping: Mapping, form: Format) -> bool:
    place = column.place
    theirs = (run.table, run.column, run.key, run.where, run.mapping, run.digest, run.form)
    return theirs == (place.table, place.column, column.key_name, place.where, mapping.name, mapping.digest, form)


def _know(column: Column, run_id: int, changes: dict[str, str]) -> None:
    """Write down what becomes of texts."""
    _make_journal(column, run_id)
    with column.transaction():
        rows = column.all(f"SELECT sw_old, sw_no FROM {STRINGS} WHERE sw_run = \0", (run_id,))
        known = {text for text, _ in rows}
        numbers = itertools.count(max((number for _, number in rows), default=0) + 1)
        for old, new in sorted(changes.items()):
            if old not in known:
                column.run(
                    f"INSERT INTO {STRINGS} (sw_run, sw_no, sw_old, sw_new) VALUES (\0, \0, \0, \0)",
                    (run_id, next(numbers), old, new),
                )
    if column.kind == "postgres":
        column.run(f"ANALYZE {STRINGS}")


# -- going over the rows


def _pass(column: Column, run_id: int, progress: Progress) -> int:
    total = 0
    last: object = None
    while True:
        first = last
        last = _next_key(column, f"{column.table} t", column.key("t"), first, CHUNK)
        bounds, values = "", []
        if first is not None:
            bounds += f" AND {column.key('t')} > \0"
            values.append(first)
        if last is not None:
            bounds += f" AND {column.key('t')} <= \0"
            values.append(last)
        total += _again(column, lambda: _convert(column, run_id, bounds, tuple(values)))  # noqa: B023
        progress(CHUNK if last is not None else _count(column, bounds, tuple(values)))
        if last is None:
            return total


def _count(column: Column, bounds: str, values: tuple[object, ...]) -> int:
    (count,) = column.first(f"SELECT COUNT(*) FROM {column.table} t WHERE 1 = 1{bounds}", values) or (0,)
    return int(count)


def _next_key(column: Column, source: str, key: str, after: object, count: int) -> Any:
    """The key so many rows on; ``None`` at the end."""
    where, values = ("", ()) if after is None else (f" WHERE {key} > \0", (after,))
    row = column.first(f"SELECT {key} FROM {source}{where} ORDER BY {key} LIMIT 1 OFFSET {count - 1}", values)
    return None if row is None else row[0]


def _again(column: Column, work: Callable[[], int]) -> int:
    """Work in a transaction, once more where it was broken off for another's sake."""
    for attempt in range(5):
        try:
            with column.transaction():
                return work()
        except Exception as error:
            cause = error.__cause__ or error.__context__
            marks = {*error.args[:1], getattr(error, "sqlstate", None), getattr(cause, "sqlstate", None)}
            taken = isinstance(error, peewee.IntegrityError)  # the number of a run, by somebody else at once
            if attempt == 4 or not (taken or marks & _CONFLICTS):
                raise
    raise AssertionError("unreachable")


def _convert(column: Column, run_id: int, bounds: str, values: tuple[object, ...]) -> int:
    """Convert the rows between two keys, and write down which those were."""
    journal, name = JOURNAL.format(run_id), column.quoted(column.place.column)
    joined = f"m.sw_run = {run_id} AND m.sw_old = {column.text('t')}"
    where = f"{column.condition('t')}{bounds}"
    if column.kind == "postgres":
        return column.run(
            f"WITH changed AS (UPDATE {column.table} AS t SET {name} = m.sw_new FROM {STRINGS} m "
            f"WHERE {joined} AND {where} RETURNING {column.key('t')} AS k, m.sw_no AS s) "
            f"INSERT INTO {journal} (k, s) SELECT k, s FROM changed ON CONFLICT (k) DO UPDATE SET s = excluded.s",
            values,
        )
    if column.kind == "sqlite":
        column.run(
            f"INSERT OR REPLACE INTO {journal} (k, s) SELECT {column.key('t')}, m.sw_no "
            f"FROM {column.table} t JOIN {STRINGS} m ON {joined} WHERE {where}",
            values,
        )
        # By the journal: what is changed is written down, whatever their condition says the second time.
        return column.run(
            f"UPDATE {column.table} AS t SET {name} = m.sw_new FROM {journal} j, {STRINGS} m "
            f"WHERE j.k = {column.key('t')} AND m.sw_no = j.s AND {joined}{bounds}",
            values,
        )
    # What is read to be inserted is locked until the transaction ends (InnoDB, REPEATABLE READ).
    column.run(
        f"INSERT INTO {journal} (k, s) SELECT {column.key('t')}, m.sw_no "
        f"FROM {column.table} t STRAIGHT_JOIN {STRINGS} m FORCE INDEX (sw_old) ON {joined} WHERE {where} "
        "ON DUPLICATE KEY UPDATE s = VALUES(s)",
        values,
    )
    return column.run(
        f"UPDATE {column.table} t STRAIGHT_JOIN {journal} j ON j.k = {column.key('t')} "
        f"STRAIGHT_JOIN {STRINGS} m ON m.sw_no = j.s AND {joined} "
        f"SET t.{name} = m.sw_new{_standing(column)} WHERE 1 = 1{bounds}",
        values,
    )


def _standing(column: Column) -> str:
    """What keeps columns that would change by themselves."""
    return "".join(f", t.{column.quoted(clock)} = t.{column.quoted(clock)}" for clock in column.clocks)


# -- taking back


def _run_to_undo(column: Column, run_id: int | None) -> Run:
    place = column.place
    known = [run for run in runs(column) if (run.table, run.column) == (place.table, place.column)]
    found = [run for run in known if (run.state != "undone" if run_id is None else run.id == run_id)]
    if not found:
        which = f"no conversion {run_id}" if run_id is not None else "nothing to take back"
        raise ConfigurationError(f"there is {which} in {place.table}.{place.column}; see `scopeware migrate status`")
    run = found[-1]
    if run.key != column.key_name:
        raise ConfigurationError(f"its rows are told apart by {run.key}; say --id {run.key}")
    later = [each.id for each in known if each.id > run.id and each.state != "undone"]
    if later:
        raise ConfigurationError(f"conversion {later[-1]} came after it; take that one back first")
    return run


def _restore(column: Column, run_id: int, bounds: str, values: tuple[object, ...]) -> int:
    """Give rows back what they held, where they hold what was written; and forget those."""
    journal, name = JOURNAL.format(run_id), column.quoted(column.place.column)
    key = column.key("t")
    joined = f"m.sw_run = {run_id} AND m.sw_no = j.s AND m.sw_new = {column.text('t')} AND j.k = {key}"
    if column.kind == "postgres":
        return column.run(
            f"WITH restored AS (UPDATE {column.table} AS t SET {name} = m.sw_old FROM {journal} j, {STRINGS} m "
            f"WHERE {joined}{bounds} RETURNING j.k AS k) DELETE FROM {journal} j USING restored r WHERE j.k = r.k",
            values,
        )
    picked = f"SELECT j.k FROM {journal} j, {STRINGS} m, {column.table} t WHERE {joined}{bounds}"
    if column.kind == "sqlite":
        column.run("CREATE TEMP TABLE IF NOT EXISTS scopeware_restored (k)")
        column.run("DELETE FROM scopeware_restored")
        column.run(f"INSERT INTO scopeware_restored {picked}", values)
        column.run(
            f"UPDATE {column.table} AS t SET {name} = m.sw_old FROM {journal} j, {STRINGS} m WHERE {joined}{bounds}",
            values,
        )
        return column.run(f"DELETE FROM {journal} WHERE k IN (SELECT k FROM scopeware_restored)")
    keys = [row[0] for row in column.all(f"{picked} FOR UPDATE", values)]
    column.run(
        f"UPDATE {column.table} t JOIN {journal} j ON j.k = {key} JOIN {STRINGS} m "
        f"ON m.sw_run = {run_id} AND m.sw_no = j.s AND m.sw_new = {column.text('t')} "
        f"SET t.{name} = m.sw_old{_standing(column)}" + (f" WHERE 1 = 1{bounds}" if bounds else ""),
        values,
    )
    for some in _portions(keys):
        marks = ", ".join(["\0"] * len(some))
        column.run(f"DELETE FROM {journal} WHERE k IN ({marks})", tuple(some))
    return len(keys)


def _portions(keys: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(keys), 1000):
        yield keys[start : start + 1000]


def _left(column: Column, run_id: int) -> tuple[int, int]:
    """How many rows of a journal hold something else by now, and how many are gone."""
    journal = JOURNAL.format(run_id)
    there = f"EXISTS (SELECT 1 FROM {column.table} t WHERE {column.key('t')} = j.k)"
    (changed,) = column.first(f"SELECT COUNT(*) FROM {journal} j WHERE {there}") or (0,)
    (gone,) = column.first(f"SELECT COUNT(*) FROM {journal} j WHERE NOT {there}") or (0,)
    return int(changed), int(gone)
