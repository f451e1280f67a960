"""PostgreSQL and MariaDB: pooled connections that come and go."""

from __future__ import annotations

import os
import threading
import weakref
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from peewee import (
    IntegrityError,
    InterfaceError,
    MySQLDatabase,
    OperationalError,
    PeeweeException,
    PostgresqlDatabase,
)

from ..errors import ConfigurationError
from .database import Database, StoreUnavailable
from .outage import Outage
from .pool import NoConnectionLeft, Pool
from .push import CHANNEL, channel_at
from .watchdog import Watchdog

_CONNECT_SECONDS = 3
_SILENCE_SECONDS = 5
"""How long a server that was there may say nothing."""
_SESSION_SECONDS = 60
"""How long a session may take, migrations aside."""
_MOST_CONNECTIONS = 10
_PATIENCE = {
    "connect_timeout": _CONNECT_SECONDS,
    "tcp_user_timeout": _SILENCE_SECONDS * 1000,
    "keepalives_idle": _SILENCE_SECONDS,
    "keepalives_interval": 1,
    "keepalives_count": 3,
}
"""How long psycopg waits for a server that says nothing."""
_MIGRATION_LOCK = 0x5C09E


class NetworkedDatabase(Database):
    """A database server. Connections are pooled for the process; one that was lost is replaced without anyone noticing,
    as long as the server answers.

    :param address: what messages call it.
    :param parameters: of the driver; ``max_connections`` is the pool's.
    """

    parameter = "%s"
    peewee: Any

    def __init__(self, address: str, parameters: Mapping[str, Any]) -> None:
        self.name = address
        self.parameters = dict(parameters)
        self.errors = (*self._driver_errors(), PeeweeException, OSError, NoConnectionLeft, StoreUnavailable)
        self._lost: tuple[type[Exception], ...] = (*self._lost_errors(), OperationalError, InterfaceError, OSError)
        self._start_over()
        _databases.add(self)

    def _start_over(self) -> None:
        parameters = dict(self.parameters)
        most = parameters.pop("max_connections", _MOST_CONNECTIONS)
        self.peewee = self._peewee(parameters)
        self._pool = Pool(self.peewee.connect_anew, most, _CONNECT_SECONDS)
        self._watchdog = Watchdog()
        self._outage = Outage(self, self._pool, self._lost, self._is_crowded)

    @abstractmethod
    def _driver_errors(self) -> tuple[type[Exception], ...]:
        """What the driver raises."""

    @abstractmethod
    def _lost_errors(self) -> tuple[type[Exception], ...]:
        """What of it may mean that the connection is lost."""

    @abstractmethod
    def _peewee(self, parameters: dict[str, Any]) -> Any:
        """peewee's database, a :class:`_Lent` one."""

    def set_up(self) -> None:
        """Nothing: databases are made by their administrators."""
        self.check_exists()

    def check_exists(self) -> None:
        """Nothing, if it answers.

        :raises StoreUnavailable: it does not.
        """
        try:
            self.select("SELECT 1")
        except self.errors as error:
            raise self.unavailable(error) from error

    def select(self, statement: str, values: tuple[object, ...] = ()) -> tuple[Any, ...] | None:
        """The first row of a SELECT that stands alone; asked once more where the connection was lost."""
        row: tuple[Any, ...] | None = self._outage.attempt(lambda take: self._select_once(take, statement, values))
        return row

    def _select_once(
        self, take: Callable[[], Any], statement: str, values: tuple[object, ...]
    ) -> tuple[Any, ...] | None:
        connection = take()
        try:
            row = self._first_row(connection, statement, values)
        except BaseException:
            self._pool.throw_away(connection)
            raise
        self._pool.give(connection)
        return row

    def _first_row(self, connection: Any, statement: str, values: tuple[object, ...]) -> tuple[Any, ...] | None:
        self._watchdog.watch(connection, _SILENCE_SECONDS)
        try:
            cursor = connection.cursor()
            cursor.execute(statement, values)
            row: tuple[Any, ...] | None = cursor.fetchone()
            cursor.close()
        finally:
            self._watchdog.release(connection)
        return row

    @contextmanager
    def session(self) -> Iterator[None]:
        """A connection of the pool for this thread; a session inside of a session is the same one."""
        if not self.peewee.is_closed():
            yield
            return
        try:
            connection = self._working_connection()
            self._watchdog.watch(connection, _SESSION_SECONDS)
            try:
                self.peewee.borrow(connection)
                yield
            except BaseException as error:
                if not isinstance(error, IntegrityError) and isinstance(error, self.errors):
                    self.peewee.condemn()
                raise
            finally:
                self._take_back()
        except IntegrityError:
            raise
        except self.errors as error:
            raise self.unavailable(error) from error

    def _take_back(self) -> None:
        connection, fine = self.peewee.give_back()
        self._watchdog.release(connection)
        if fine and self._is_reusable(connection):
            self._pool.give(connection)
        else:
            self._pool.throw_away(connection)

    def _is_reusable(self, connection: Any) -> bool:
        """Whether no transaction is open."""
        return True

    def _is_crowded(self, error: Exception) -> bool:
        """Whether the server is there, and takes no more connections."""
        return getattr(error, "sqlstate", None) == "53300" or error.args[:1] in ((1040,), (1203,))

    def set_channel(self, push: str) -> None:
        """Announce changes, and listen for them, over what `push` names."""
        self.channel = channel_at(push, self.parameters, on_postgres=False)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """A transaction after which those who listen are told; where the database itself tells them, in it."""
        with self.transaction():
            yield
            self._notify()
        if self.channel is not None:
            self.channel.publish()

    def _notify(self) -> None:
        """Nothing, where the database cannot."""

    def _working_connection(self) -> Any:
        """A connection of the pool that answers."""
        return self._outage.attempt(self._answering)

    def _answering(self, take: Callable[[], Any]) -> Any:
        connection = take()
        try:
            self._first_row(connection, "SELECT 1", ())
        except BaseException:
            self._pool.throw_away(connection)
            raise
        return connection

    def close(self) -> None:
        """Close what nobody uses."""
        self._outage.close()
        self._pool.close_idle()

    def knock(self) -> None:
        """Nothing, if the server answers; else any of :attr:`errors`."""
        try:
            self._select_once(self._pool.take, "SELECT 1", ())
        except self._lost:
            self._pool.close_idle()
            self._select_once(self._pool.take_new, "SELECT 1", ())

    def after_fork_in_child(self) -> None:
        """Leave the parent's connections to the parent, without a word to the server."""
        _left_behind.append((self.peewee, self._pool, self._watchdog, self._outage))
        self._start_over()


class PostgresDatabase(NetworkedDatabase):
    """PostgreSQL, through psycopg 3."""

    def _driver_errors(self) -> tuple[type[Exception], ...]:
        return (_psycopg().Error,)

    def _lost_errors(self) -> tuple[type[Exception], ...]:
        return (_psycopg().OperationalError, _psycopg().InterfaceError)

    def _peewee(self, parameters: dict[str, Any]) -> Any:
        return _LentPostgres(prefer_psycopg3=True, **(_PATIENCE | parameters))

    def _is_reusable(self, connection: Any) -> bool:
        return bool(connection.info.transaction_status == _psycopg().pq.TransactionStatus.IDLE)

    def _notify(self) -> None:
        self.peewee.execute_sql("SELECT pg_notify(%s, '')", (CHANNEL,))

    def set_channel(self, push: str) -> None:
        """Announce changes, and listen for them, over what `push` names."""
        self.channel = channel_at(push, _PATIENCE | self.parameters, on_postgres=True)

    @contextmanager
    def migrating(self) -> Iterator[None]:
        """A transaction: PostgreSQL makes and drops tables in it."""
        self._watchdog.release(self.peewee.connection())
        with self.peewee.atomic():
            self.peewee.execute_sql("SELECT pg_advisory_xact_lock(%s)", (_MIGRATION_LOCK,))
            yield


class MariaDatabase(NetworkedDatabase):
    """MariaDB, through PyMySQL."""

    def _driver_errors(self) -> tuple[type[Exception], ...]:
        return (_pymysql().Error,)

    def _lost_errors(self) -> tuple[type[Exception], ...]:
        return (_pymysql().err.OperationalError, _pymysql().err.InterfaceError)

    def _peewee(self, parameters: dict[str, Any]) -> Any:
        if isinstance(parameters.get("password"), str):
            # PyMySQL would write it as latin-1.
            parameters["password"] = parameters["password"].encode("utf-8")
        return _LentMaria(
            **{
                "connect_timeout": _CONNECT_SECONDS,
                # For the server's greeting; later there is the watchdog.
                "read_timeout": _CONNECT_SECONDS,
                "write_timeout": _SILENCE_SECONDS,
                # A row that was not there must be seen once another transaction has put it there; and what does not
                # fit is an error, not cut.
                "init_command": "SET SESSION tx_isolation = 'READ-COMMITTED', "
                "sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')",
                **parameters,
            },
        )

    @contextmanager
    def migrating(self) -> Iterator[None]:
        """A lock: MariaDB has no transactions for tables."""
        name = f"scopeware migration {self.parameters['database']}"[:64]
        self._watchdog.release(self.peewee.connection())
        row = self.peewee.execute_sql("SELECT GET_LOCK(%s, 60)", (name,)).fetchone()
        if row != (1,):
            raise StoreUnavailable("another process has been migrating it for a minute", self.name)
        try:
            yield
        finally:
            self.peewee.execute_sql("SELECT RELEASE_LOCK(%s)", (name,))


class _Lent:
    """A peewee database whose connections are lent to it, one a thread."""

    refusals: tuple[type[Exception], ...] = (TypeError, ValueError, AttributeError, LookupError)
    """What a driver raises whose parameters make no sense."""

    def __init__(self, *arguments: Any, **parameters: Any) -> None:
        self._loan = threading.local()
        super().__init__(*arguments, **parameters)

    def connect_anew(self) -> Any:
        """A connection of the driver.

        :raises ConfigurationError: the driver does not take what the URL says.
        """
        try:
            return super()._connect()  # type: ignore[misc]
        except self.refusals as error:
            problem = f"the driver does not take what the URL says: {error}"
            raise ConfigurationError(problem, where="database") from None

    def _connect(self) -> Any:
        return self._loan.connection

    def _close(self, conn: Any) -> None:
        """It is not peewee's to close."""

    def borrow(self, connection: Any) -> None:
        """Use this one in this thread."""
        self._loan.connection, self._loan.fine = connection, True
        self.connect()  # type: ignore[attr-defined]

    def condemn(self) -> None:
        """What is lent to this thread is not to be used any more."""
        self._loan.fine = False

    def give_back(self) -> tuple[Any, bool]:
        """What was lent to this thread, and whether it is good for others."""
        connection, fine = self._loan.connection, self._loan.fine
        del self._loan.connection
        state: Any = self._state  # type: ignore[attr-defined]
        fine = fine and not state.transactions
        state.reset()
        return connection, fine


class _LentPostgres(_Lent, PostgresqlDatabase):
    def __init__(self, *arguments: Any, **parameters: Any) -> None:
        self.refusals = (TypeError, ValueError, AttributeError, LookupError, _psycopg().ProgrammingError)
        super().__init__(*arguments, **parameters)


class _LentMaria(_Lent, MySQLDatabase):
    def connect_anew(self) -> Any:
        """A connection of the driver."""
        connection = super().connect_anew()
        connection._read_timeout = None
        return connection


def _psycopg() -> Any:
    try:
        import psycopg  # noqa: PLC0415  # an extra
    except ImportError:
        raise ConfigurationError(
            "psycopg is missing; run `pip install scopeware[postgres]`", where="database"
        ) from None
    return psycopg


def _pymysql() -> Any:
    try:
        import pymysql  # noqa: PLC0415  # an extra
    except ImportError:
        raise ConfigurationError("PyMySQL is missing; run `pip install scopeware[mysql]`", where="database") from None
    return pymysql


_databases: weakref.WeakSet[NetworkedDatabase] = weakref.WeakSet()
_left_behind: list[object] = []


def _after_fork_in_child() -> None:
    for database in list(_databases):
        database.after_fork_in_child()


os.register_at_fork(after_in_child=_after_fork_in_child)
