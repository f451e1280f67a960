"""SQLite files, set up for a server: many threads, many processes, forks."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import peewee
from peewee import IntegrityError, PeeweeException

from ..errors import ConfigurationError
from ..text import quoted
from .database import Database, StoreUnavailable
from .freshness import NO_STAMP, Stamp, data_version_stamp, wal_index_stamp

logger = logging.getLogger("scopeware.tokens")

MEMORY = ":memory:"
_BUSY_SECONDS = 5
_FORK_SECONDS = 10.0
"""How long a fork waits for other threads to come out of SQLite; they are in there for microseconds."""
_FORK_SECONDS_FOR_WRITERS = 1.0
"""How long it waits for those that write: they may wait for a lock themselves."""
_PRAGMAS = {
    # A revocation that was reported must survive a power cut; tokens are written rarely.
    "synchronous": "full",
    "foreign_keys": 1,
    # REPLACE is to run the triggers that count changes.
    "recursive_triggers": 1,
}


DATABASE_ERRORS: tuple[type[Exception], ...] = (sqlite3.Error, PeeweeException, OSError, StoreUnavailable)


def path_of(url: str) -> str:
    """The file that a database URL names (``sqlite:///tokens.db``, ``sqlite:////var/lib/tokens.db``), or ``:memory:``.

    :raises ConfigurationError: it is no such URL.
    """
    from playhouse import db_url  # noqa: PLC0415  # it imports every database playhouse knows

    # The URL itself is not shown: there may be a password in it.
    try:
        parts = urlsplit(url)
        known = db_url.parse(url)
    except ValueError:
        raise ConfigurationError("this is no URL; percent-encode what is special in it", where="database") from None
    if parts.scheme != "sqlite":
        what = f"{quoted(parts.scheme)} is no database known here" if parts.scheme else "this names no database"
        raise ConfigurationError(
            f"{what}; write sqlite:///tokens.db, sqlite:////absolute/path.db, postgresql://... or mysql://...",
            where="database",
        )
    name = known.pop("database")
    if parts.path in ("", "/"):
        raise ConfigurationError("it names no file; write sqlite:///tokens.db", where="database")
    if known or parts.fragment or not isinstance(name, str):
        raise ConfigurationError("nothing may follow the file's name, nor come before it", where="database")
    if name != MEMORY and name.startswith("file:"):
        raise ConfigurationError("write the file's name itself", where="database")
    return name


class _Reader:
    """A connection of one thread. It is closed when nobody holds it any more, as when its thread ends."""

    __slots__ = ("__weakref__", "_process", "_shared", "busy", "connection", "era")

    def __init__(self, connection: sqlite3.Connection, era: int, *, shared: bool) -> None:
        self.connection = connection
        self.era = era
        self.busy = False
        self._process = os.getpid()
        self._shared = shared

    def __del__(self) -> None:
        if self._process != os.getpid():
            # SQLite's connections do not survive a fork, not even to be closed.
            _left_behind.append(self.connection)
        elif not self._shared:
            self.connection.close()


class SqliteDatabase(Database):
    """A database file with a connection for reading a thread. After a fork the child opens its own.

    :param path: of the file, or ``:memory:``, which is one connection for all threads and ends with the process.
    """

    parameter = "?"
    errors = DATABASE_ERRORS
    # It takes the write lock at once: a transaction that read first could not wait for it.
    _begin = ("IMMEDIATE",)

    def __init__(self, path: str) -> None:
        self.path = self.name = path if path == MEMORY else os.path.abspath(path)
        self._era = 0
        self._forking = False
        self._start_over()
        _databases.add(self)

    def _start_over(self) -> None:
        in_memory = self.path == MEMORY
        self.peewee = peewee.SqliteDatabase(
            self.path if in_memory else self._uri,
            pragmas=_PRAGMAS,
            timeout=_BUSY_SECONDS,
            check_same_thread=False,
            thread_safe=not in_memory,
            uri=not in_memory,
        )
        self.writing = threading.RLock()
        """Held by the one thread of this process that writes."""
        self._lock = threading.RLock()
        self._may_go_on = threading.Event()
        self._may_go_on.set()
        self._forking = False
        self._local = threading.local()
        self._readers: weakref.WeakSet[_Reader] = weakref.WeakSet()
        self._sessions = 0
        self._openings = 0
        self._held = False
        self._anchor: _Reader | None = None
        self.stamp: Stamp = NO_STAMP
        """What differs after every commit, by whomever. It is set up by :meth:`watch`, and again after every close:
        what was kept of an earlier one is void."""
        self._identity: tuple[object, object] | None = None

    @property
    def _uri(self) -> str:
        # Never made by looking for it: an empty file would stand in the way of the one that belongs there.
        return f"file:{quote(self.path)}?mode=rw"

    def _create(self) -> None:
        """Make the file, readable by nobody else, if there is none."""
        if self.path == MEMORY or os.path.exists(self.path):
            return
        self._check_place()
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise StoreUnavailable(error.strerror or str(error), self.path) from error

    def set_up(self) -> None:
        """Make the file, readable by nobody else, if there is none; and put it into WAL mode, where it stays: readers
        and a writer do not wait for each other then.

        :raises StoreUnavailable: it cannot be made or opened, is no database, or keeps no WAL.
        """
        self._create()
        if self.path == MEMORY:
            return
        self._check_place()
        until = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                with closing(self._connect()) as connection:
                    (mode,) = connection.execute("PRAGMA journal_mode = wal").fetchone()
                break
            except sqlite3.OperationalError as error:
                # SQLite itself does not wait for this one.
                if "locked" not in str(error) or time.monotonic() > until:
                    raise self.unavailable(error) from error
                time.sleep(0.02)
            except sqlite3.Error as error:
                raise self.unavailable(error) from error
        if mode != "wal":
            raise StoreUnavailable(f"it cannot be put into WAL mode, and stays in {mode} mode", self.path)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self._uri, timeout=_BUSY_SECONDS, check_same_thread=False, isolation_level=None, uri=True
        )

    # -- reading

    def select(self, statement: str, values: tuple[object, ...] = ()) -> tuple[object, ...] | None:
        """The first row of a SELECT, through a connection of this thread: the driver's own.

        It is another than peewee's, so that no half-read query of anyone's pins what is seen here to the past.

        :raises StoreUnavailable, sqlite3.Error: it cannot be asked.
        """
        try:
            reader: _Reader = self._local.reader
        except AttributeError:
            reader = self._new_reader()
        if reader.era != self._era:
            reader = self._new_reader()
        # INVARIANT: whoever is busy said so before looking whether someone forks; who forks, the other way around.
        reader.busy = True
        try:
            while self._forking:
                reader.busy = False
                self._may_go_on.wait(_FORK_SECONDS)
                reader.busy = True
            row: tuple[object, ...] | None = reader.connection.execute(statement, values).fetchone()
            return row
        except sqlite3.Error:
            self._local.__dict__.pop("reader", None)
            raise
        finally:
            reader.busy = False

    def _new_reader(self) -> _Reader:
        self._may_go_on.wait(_FORK_SECONDS)
        with self._lock:
            self._openings += 1
        try:
            reader = self._local.reader = self._open()
        finally:
            with self._lock:
                self._openings -= 1
        return reader

    def _open(self) -> _Reader:
        if self.path == MEMORY:
            self.peewee.connect(reuse_if_open=True)
            return _Reader(self.peewee.connection(), self._era, shared=True)
        self._check_place()
        reader = _Reader(self._connect(), self._era, shared=False)
        reader.connection.execute("PRAGMA query_only = 1").close()
        self._readers.add(reader)
        return reader

    # -- freshness

    def watch(self) -> Stamp:
        """Set :attr:`stamp` up, if need be. One that is new says nothing about what an older one said."""
        self._may_go_on.wait(_FORK_SECONDS)
        with self._lock:
            if self.stamp is NO_STAMP and self.path != MEMORY:
                # Kept open, so that the WAL index stays the same file for as long as a stamp looks at it.
                self._anchor = self._open()
                connection = self._anchor.connection
                connection.execute("PRAGMA user_version").fetchall()
                self._identity = self._identify()
                # Beside a database in another mode, a WAL index would be a leftover that never changes.
                in_wal_mode = connection.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
                stamp = wal_index_stamp(self.path) if in_wal_mode else None
                self.stamp = stamp or data_version_stamp(connection)
            return self.stamp

    def check_in_place(self) -> None:
        """Nothing, if the files that are open are still those of that name.

        :raises StoreUnavailable: one was removed, replaced or emptied.
        """
        with self._lock:
            if self._identity is not None and self._identify() != self._identity:
                self.close()
                raise StoreUnavailable("its files were removed or replaced", self.path)

    def _identify(self) -> tuple[object, object]:
        return _inode(self.path), _inode(f"{self.path}-shm")

    # -- writing, and whatever takes long

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
                with self._in_session(), self.peewee.connection_context():
                    yield
        except (IntegrityError, sqlite3.IntegrityError):
            raise
        except (sqlite3.Error, PeeweeException, OSError) as error:
            raise self.unavailable(error) from error

    @contextmanager
    def _in_session(self) -> Iterator[None]:
        self._may_go_on.wait(_FORK_SECONDS)
        with self._lock:
            self._sessions += 1
        try:
            yield
        finally:
            with self._lock:
                self._sessions -= 1

    def set_channel(self, push: str) -> None:
        """Nobody needs to be told.

        :raises ConfigurationError: always.
        """
        raise ConfigurationError("it has no effect on SQLite: changes are seen at once", where="push")

    @contextmanager
    def migrating(self) -> Iterator[None]:
        """A transaction: SQLite makes and drops tables in it."""
        with self.peewee.atomic(*self._begin):
            yield

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

    # -- the end, and forks

    def close(self) -> None:
        """Close this thread's connection and what all threads share. Other threads close theirs when they next ask:
        closing a connection that someone uses is not to be survived."""
        with self._lock:
            self._era += 1
            self._local.__dict__.pop("reader", None)
            if self.path == MEMORY:
                self.peewee.close()
            self.stamp = NO_STAMP
            self._anchor = None
            self._identity = None

    def before_fork(self) -> None:
        """Wait until no thread is inside of SQLite, whose locks would stay locked in the child; and take no connection
        of the forking thread there."""
        if self.path == MEMORY:
            return
        self._may_go_on.clear()
        self._forking = True
        start = time.monotonic()
        while not self._is_quiet(writers_too=time.monotonic() < start + _FORK_SECONDS_FOR_WRITERS):
            if time.monotonic() > start + _FORK_SECONDS:
                logger.warning("a process forks while a thread of it is inside of SQLite, which may not survive that")
                break
            time.sleep(0.0005)
        self._local.__dict__.pop("reader", None)
        self.stamp = NO_STAMP
        self._anchor = None
        self._identity = None

    def _is_quiet(self, *, writers_too: bool) -> bool:
        """Whether no thread is inside of SQLite; then the lock is kept, so that none goes in."""
        if not self._lock.acquire(timeout=_FORK_SECONDS):
            return False
        inside = self._openings or (writers_too and self._sessions)
        self._held = not inside and not any(reader.busy for reader in list(self._readers))
        if not self._held:
            self._lock.release()
        return self._held

    def after_fork_in_parent(self) -> None:
        """Let the others go on."""
        if self._held:
            self._held = False
            self._lock.release()
        self._forking = False
        self._may_go_on.set()

    def after_fork_in_child(self) -> None:
        """Forget what other threads of the parent had and held, without touching it."""
        if self.path != MEMORY:
            _left_behind.append((self._local, self._lock, self.writing))
            self._era += 1
            self._start_over()


def _inode(path: str) -> tuple[int, int, bool] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size == 0


_databases: weakref.WeakSet[SqliteDatabase] = weakref.WeakSet()
_left_behind: list[object] = []


def _before_fork() -> None:
    for database in list(_databases):
        database.before_fork()


def _after_fork_in_parent() -> None:
    for database in list(_databases):
        database.after_fork_in_parent()


def _after_fork_in_child() -> None:
    for database in list(_databases):
        database.after_fork_in_child()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
