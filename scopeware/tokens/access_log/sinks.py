"""Where the access log goes."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import final

from ..database import Database
from ..models import LogRow
from .entry import LogEntry

Sink = Callable[[Sequence[LogEntry]], object]
"""Takes entries, oldest first. What it raises means that it took none of them."""

_FILE = "file:"


@final
class DatabaseSink:
    """The table beside the tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database
        meta = LogRow._meta
        columns = [meta.fields[name].column_name for name in LogEntry._fields]
        places = ", ".join([database.parameter] * len(columns))
        self._insert = f"INSERT INTO {meta.table_name} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608

    def __call__(self, entries: Sequence[LogEntry]) -> None:
        with self._database.transaction():
            cursor = self._database.peewee.connection().cursor()
            cursor.executemany(self._insert, entries)
            cursor.close()


@final
class LinesSink:
    """JSON, a line an entry, appended to a file that is opened anew each time, so that it may be moved away; or written
    to the standard output.

    :param path: ``None`` for the standard output.
    :raises OSError: the file cannot be written.
    """

    def __init__(self, path: str | None) -> None:
        self._path = None if path is None else os.path.abspath(path)
        if self._path is not None:
            os.close(self._open())

    def __call__(self, entries: Sequence[LogEntry]) -> None:
        lines = [json.dumps(entry.as_dict()) + "\n" for entry in entries]
        if self._path is None:
            # A line at a time, which other processes on the same pipe do not come in between.
            for line in lines:
                sys.stdout.write(line)
                sys.stdout.flush()
            return
        descriptor = self._open()
        try:
            text = "".join(lines).encode("ascii")
            written = os.write(descriptor, text)
            if written < len(text):
                # A full disk: half a line would spoil the next one.
                size = os.fstat(descriptor).st_size
                os.ftruncate(descriptor, max(0, size - written))
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        return os.open(str(self._path), os.O_APPEND | os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)


def sink_at(place: str, database: Database) -> Sink:
    """The sink that a policy's ``access_log.to`` names.

    :raises OSError: its file cannot be written.
    """
    if place == "database":
        return DatabaseSink(database)
    return LinesSink(place.removeprefix(_FILE) if place.startswith(_FILE) else None)
