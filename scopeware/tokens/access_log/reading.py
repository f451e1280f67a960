"""The access log in the database, for those who may read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import time
from typing import Any, NamedTuple

from peewee import SQL, fn

from ...errors import ConfigurationError
from ...text import is_storable
from ..database import Database
from ..models import LogRow
from .entry import LogEntry

_BATCH = 1000
_COLUMNS = [LogRow.id, *(getattr(LogRow, name) for name in LogEntry._fields)]


class LogRecord(NamedTuple):
    """An entry that was written to the database.

    :param id: higher than those that were written before.
    """

    id: int
    entry: LogEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """Entries that meet all of these; whatever is ``None`` does not matter.

    :param denied: whether they were denied, or would have been.
    :param code: why they were.
    :param since: those that came no earlier; with a time zone.
    :param until: those that came earlier; with a time zone.
    :param below: those whose path starts so.
    """

    token_id: int | None = None
    owner: str | None = None
    denied: bool | None = None
    code: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    below: str | None = None

    def conditions(self) -> list[Any]:
        """For the database."""
        found: list[Any] = []
        if not all(is_storable(text) for text in (self.owner, self.code, self.below) if text is not None):
            return [SQL("1 = 0")]
        if self.token_id is not None:
            found.append(LogRow.token_id == self.token_id)
        if self.owner is not None:
            found.append(LogRow.owner == self.owner)
        if self.denied is not None:
            found.append(LogRow.decision != "allowed" if self.denied else LogRow.decision == "allowed")
        if self.code is not None:
            found.append(LogRow.code == self.code)
        if self.since is not None:
            found.append(LogRow.at >= _milliseconds(self.since))
        if self.until is not None:
            found.append(LogRow.at < _milliseconds(self.until))
        if self.below is not None:
            found.append(fn.SUBSTR(LogRow.path, 1, len(self.below)) == self.below)
        return found


class LogReader:
    """Reads the log, and removes what is old.

    :param is_admin: whether an owner of that name is an administrator.
    """

    def __init__(self, database: Database, is_admin: Callable[[str], bool]) -> None:
        self._database = database
        self._is_admin = is_admin

    def latest(
        self, wanted: LogFilter | None = None, *, limit: int = 200, reader: str | None = None
    ) -> list[LogRecord]:
        """The latest entries, newest first.

        :param reader: the owner who asks: who is no administrator sees those of its own tokens only. By default whoever
            runs this, who sees all.
        :raises StoreUnavailable: the database cannot be asked.
        """
        return self._select(wanted, reader, LogRow.id.desc(), limit)

    def after(
        self, record_id: int, wanted: LogFilter | None = None, *, limit: int = _BATCH, reader: str | None = None
    ) -> list[LogRecord]:
        """The entries that were written after one, oldest first.

        :raises StoreUnavailable: the database cannot be asked.
        """
        return self._select(wanted, reader, LogRow.id, limit, LogRow.id > record_id)

    def all(self, wanted: LogFilter | None = None, *, reader: str | None = None) -> Iterator[LogRecord]:
        """All entries, oldest first, some at a time: memory stays flat.

        :raises StoreUnavailable: the database cannot be asked.
        """
        last = 0
        while batch := self.after(last, wanted, reader=reader):
            yield from batch
            last = batch[-1].id

    def _select(
        self, wanted: LogFilter | None, reader: str | None, order: Any, limit: int, *conditions: Any
    ) -> list[LogRecord]:
        asked = [*(wanted or LogFilter()).conditions(), *conditions]
        if reader is not None and not is_storable(reader):
            return []
        if reader is not None and not self._is_admin(reader):
            asked += [LogRow.owner == reader, LogRow.token_id.is_null(False)]
        query = LogRow.select(*_COLUMNS).order_by(order).limit(limit)
        if asked:
            query = query.where(*asked)
        with self._database.session():
            rows = list(query.tuples().execute(self._database.peewee))
        return [LogRecord(row[0], LogEntry(*row[1:])) for row in rows]

    def prune(self, keep: timedelta, *, batches: int | None = None) -> int:
        """Remove entries older than `keep`, in small batches; how many there were.

        :param batches: at most so many.
        :raises ConfigurationError: no length of time at all.
        :raises StoreUnavailable: the database cannot be written any more; some may be gone.
        """
        if keep <= timedelta(0):
            raise ConfigurationError("say how much to keep", where="keep")
        until = int((time() - keep.total_seconds()) * 1000)
        removed = 0
        while batches is None or batches > 0:
            with self._database.transaction():
                query = LogRow.select(LogRow.id).where(LogRow.at < until).order_by(LogRow.at).limit(_BATCH)
                batch = [row_id for (row_id,) in query.tuples().execute(self._database.peewee)]
                if not batch:
                    break
                removed += LogRow.delete().where(LogRow.id.in_(batch)).execute(self._database.peewee)
            batches = None if batches is None else batches - 1
        return removed


def _milliseconds(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise ConfigurationError("the time has no time zone; use datetime.now(UTC) - ...", where="since")
    return int(moment.timestamp() * 1000)
