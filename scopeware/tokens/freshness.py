"""Whether anything was committed to an SQLite database since last time, by anyone, without asking it."""

from __future__ import annotations

import mmap
import os
import sqlite3
import struct
import threading
import weakref
from collections.abc import Callable
from functools import partial
from operator import getitem

_HEADER = slice(0, 96)
_VERSION = 3007000

# INVARIANT: a descriptor of a WAL index is not closed while the file is in use. Closing any would drop the locks that
# SQLite holds on the file in this process (POSIX advisory locks). So there is one for each file, kept here.
_mappings: dict[tuple[int, int], tuple[int, mmap.mmap, weakref.WeakSet[partial[object]]]] = {}
_mappings_lock = threading.Lock()

Stamp = Callable[[], object]
"""A function whose result differs after a commit."""

NO_STAMP: Stamp = object
"""Stands in where there is none: an `object()` equals nothing, so that every question is asked anew."""


def wal_index_stamp(database: str) -> Stamp | None:
    """A stamp that reads the header of the WAL index (``-shm``), which every commit in WAL mode rewrites in memory
    that all processes share: about a fortieth of the cost of ``PRAGMA data_version``. ``None`` where there is none.

    The caller keeps a connection open for as long as it uses the stamp: SQLite removes the file with the last one.

    Source: https://www.sqlite.org/walformat.html#walidxfmt (two copies of a header of 48 bytes, the version first).

    :param database: the path of a database that some connection of this process has read in WAL mode.
    """
    path = f"{database}-shm"
    with _mappings_lock:
        try:
            _forget_removed()
            status = os.stat(path)
            identity = (status.st_dev, status.st_ino)
            if identity not in _mappings:
                if status.st_size < _HEADER.stop:
                    return None
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                view = mmap.mmap(descriptor, _HEADER.stop, mmap.MAP_SHARED, mmap.PROT_READ)
                _mappings[identity] = (descriptor, view, weakref.WeakSet())
        except OSError:
            return None
        _, view, users = _mappings[identity]
    if struct.unpack_from("=I", view, 0)[0] != _VERSION:
        return None
    # PERF: no Python frame; this runs for every request.
    stamp: partial[object] = partial(getitem, view, _HEADER)
    users.add(stamp)
    return stamp


def _forget_removed() -> None:
    """Close what maps files that are gone from the file system and that nobody looks at: no lock is lost."""
    for identity, (descriptor, view, users) in list(_mappings.items()):
        if not users and os.fstat(descriptor).st_nlink == 0:
            view.close()
            os.close(descriptor)
            del _mappings[identity]


def data_version_stamp(connection: sqlite3.Connection) -> Stamp:
    """A stamp that asks SQLite itself.

    :param connection: that writes nothing, and that nobody else uses.
    """
    lock = threading.Lock()

    def stamp() -> object:
        try:
            with lock:
                return connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error:
            return object()

    return stamp


def _start_over() -> None:
    global _mappings_lock  # noqa: PLW0603
    _mappings_lock = threading.Lock()


os.register_at_fork(after_in_child=_start_over)
