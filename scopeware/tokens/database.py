"""SQLite files, set up for a server: many threads, many processes, forks."""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from peewee import IntegrityError, PeeweeException, SqliteDatabase

from ..errors import ConfigurationError, ScopewareError
from ..scopes.suggest import quoted
from .freshness import NO_STAMP, Stamp, data_version_stamp, wal_index_stamp

MEMORY = ":memory:"
_BUSY_SECONDS = 5
_PRAGMAS = {
    "journal_mode": "wal",
    # A revocation that was reported must survive a power cut; tokens are written rarely.
    "synchronous": "full",
    "foreign_keys": 1,
    # REPLACE is to run the triggers that count changes.
    "recursive_triggers": 1,
}


class StoreUnavailable(ScopewareError):
    """The database cannot be asked, or cannot be written, right now. Nothing was decided and nothing half-written.

    :param problem: what the database said.
    :param database: which one.
    """

    def __init__(self, problem: str, database: str) -> None:
        super().__init__(f"the token store {database} is out of reach: {problem}")
        self.problem = problem
        self.database = database


# A WAL index that is gone is a ValueError: its mapping is closed.
DATABASE_ERRORS: tuple[type[Exception], ...] = (sqlite3.Error, PeeweeException, OSError, ValueError, StoreUnavailable)


def path_of(url: str) -> str:
    """The file that a database URL names (``sqlite:///tokens.db``, ``sqlite:////var/lib/tokens.db``), or ``:memory:``.

    :raises ConfigurationError: it is no such URL.
    """
    from playhouse import db_url  # noqa: PLC0415  # it imports every database playhouse knows

    scheme = urlsplit(url).scheme
    if scheme != "sqlite":
        raise ConfigurationError(
            f"{quoted(url)} is no SQLite database; write sqlite:///tokens.db, or sqlite:////absolute/path.db",
            where="database",
        )
    try:
        known = db_url.parse(url)
    except ValueError as error:
        raise ConfigurationError(f"{quoted(url)}: {error}", where="database") from None
    name = known.pop("database")
    if known or not isinstance(name, str):
        raise ConfigurationError(f"{quoted(url)}: nothing may follow the file's name", where="database")
    if name != MEMORY and name.startswith("file:"):
        raise ConfigurationError(f"{quoted(url)}: write the file's name itself", where="database")
    return name


class _Reader:
    """Closes its connection when nobody holds it any more, as when its thread ends."""

    __slots__ = ("_shared", "connection")

    def __init__(self, connection: sqlite3.Connection, *, shared: bool) -> None:
        self.connection = connection
        self._shared = shared

    def __del__(self) -> None:
        if not self._shared:
            self.connection.close()


class Database:
    """A database file with a connection for reading a thread. After a fork the child opens its own.

    :param path: of the file, or ``:memory:``, which is one connection for all threads and ends with the process.
    """

    def __init__(self, path: str) -> None:
        self.path = path if path == MEMORY else os.path.abspath(path)
        self._lock = threading.RLock()
        self._start_over()
        _databases.add(self)

    def _start_over(self) -> None:
        in_memory = self.path == MEMORY
        self.peewee = SqliteDatabase(
            self.path,
            pragmas=_PRAGMAS,
            timeout=_BUSY_SECONDS,
            check_same_thread=False,
            thread_safe=not in_memory,
        )
        self._local = threading.local()
        self._anchor: _Reader | None = None
        self.stamp: Stamp = NO_STAMP
        """What differs after every commit, by whomever. It is set up by :meth:`watch`, and again after every close:
        what was kept of an earlier one is void."""
        self._identity: tuple[object, object] | None = None

    def connection(self) -> sqlite3.Connection:
        """A connection of this thread for reading, one statement at a time: the driver's own.

        It is another than peewee's, so that no half-read query of anyone's pins what is seen here to the past.

        :raises StoreUnavailable, sqlite3.Error: it cannot be opened.
        """
        try:
            reader: _Reader = self._local.reader
        except AttributeError:
            reader = self._local.reader = self._open()
        return reader.connection

    def _open(self) -> _Reader:
        if self.path == MEMORY:
            self.peewee.connect(reuse_if_open=True)
            return _Reader(self.peewee.connection(), shared=True)
        self._check_place()
        connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, check_same_thread=False, isolation_level=None)
        reader = _Reader(connection, shared=False)
        connection.execute("PRAGMA journal_mode = wal").close()
        connection.execute("PRAGMA query_only = 1").close()
        return reader

    def check_exists(self) -> None:
        """Nothing, if there is such a file already.

        :raises StoreUnavailable: there is none.
        """
        if self.path != MEMORY and not os.path.exists(self.path):
            raise StoreUnavailable("there is no such file; `scopeware db upgrade` makes one", self.path)

    def _check_place(self) -> None:
        parent = Path(self.path).parent
        if not parent.is_dir():
            raise StoreUnavailable(f"there is no directory {parent}", self.path)
        if os.path.isdir(self.path):
            raise StoreUnavailable("it is a directory", self.path)

    def watch(self) -> Stamp:
        """Set :attr:`stamp` up, if need be. One that is new says nothing about what an older one said."""
        with self._lock:
            if self.stamp is NO_STAMP and self.path != MEMORY:
                # Kept open, so that the WAL index stays the same file for as long as a stamp looks at it.
                self._anchor = self._open()
                self._anchor.connection.execute("PRAGMA user_version").fetchall()
                self._identity = self._identify()
                self.stamp = wal_index_stamp(self.path) or data_version_stamp(self._anchor.connection)
            return self.stamp

    def check_in_place(self) -> None:
        """Nothing, if the files that are open are still those of that name.

        :raises StoreUnavailable: one was removed or replaced.
        """
        if self._identity is not None and self._identify() != self._identity:
            raise StoreUnavailable("its files were removed or replaced", self.path)

    def _identify(self) -> tuple[object, object]:
        return _inode(self.path), _inode(f"{self.path}-shm")

    @contextmanager
    def session(self) -> Iterator[None]:
        """Opens peewee's connection of this thread for a while, and turns what the driver raises into
        :class:`StoreUnavailable`; all but violated constraints."""
        try:
            if self.path == MEMORY:
                self.peewee.connect(reuse_if_open=True)
                yield
            else:
                self._check_place()
                with self.peewee.connection_context():
                    yield
        except (IntegrityError, sqlite3.IntegrityError):
            raise
        except (sqlite3.Error, PeeweeException, OSError) as error:
            raise self.unavailable(error) from error

    def unavailable(self, error: Exception) -> StoreUnavailable:
        """The error that says so, after letting go of a connection that may be broken."""
        self.close()
        if isinstance(error, StoreUnavailable):
            return error
        return StoreUnavailable(str(error) or type(error).__name__, self.path)

    def close(self) -> None:
        """Close this thread's connection and what all threads share; other threads' go with their threads."""
        with self._lock:
            if self.path == MEMORY:
                self.peewee.close()
            self.stamp = NO_STAMP
            self._anchor = None
            self._identity = None
            self._local = threading.local()

    def before_fork(self) -> None:
        """Take no connection of the forking thread into the child: SQLite's do not survive that."""
        if self.path != MEMORY:
            self.close()

    def after_fork(self) -> None:
        """In the child: forget what other threads of the parent had, without touching it."""
        if self.path != MEMORY:
            _left_behind.append((self._local, self._anchor))
            self._lock = threading.RLock()
            self._start_over()


def _inode(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


_databases: weakref.WeakSet[Database] = weakref.WeakSet()
_left_behind: list[object] = []


def _before_fork() -> None:
    for database in list(_databases):
        database.before_fork()


def _after_fork() -> None:
    for database in list(_databases):
        database.after_fork()


os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
