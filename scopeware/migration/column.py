"""A column of scopes in anyone's table."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

import peewee

from ..errors import ConfigurationError
from ..text import did_you_mean, near, quoted
from ..tokens import StoreUnavailable
from ..tokens.sqlite import SqliteDatabase
from ..tokens.urls import database_at, without_password

_PATIENCE_SECONDS = 30
_VALUE = "\0"
_TEXTUAL = ("char", "text", "clob", "string", "enum")


@final
@dataclass(frozen=True, slots=True)
class Place:
    """Where scopes are stored.

    :param table: its name, maybe after that of a schema and a dot.
    :param column: holds the scopes.
    :param key: tells the rows apart; by default the primary key.
    :param where: SQL that leaves rows out.
    """

    table: str
    column: str
    key: str = ""
    where: str = ""


class Column:
    """A column of a table, on a connection of its own.

    Strings are compared byte by byte, whatever the database's collation says.

    :param database: its URL, as for :meth:`~scopeware.TokenStore.connect`; or peewee's database, with an open
        connection, as a migration has it.
    :raises ConfigurationError: there is no such table or column, it holds no text, or nothing tells its rows apart.
    :raises StoreUnavailable: the database cannot be asked.
    """

    def __init__(self, database: str | peewee.Database, place: Place) -> None:
        self.place = place
        self._is_lent = not isinstance(database, str)
        self._database: Any = _connection(database) if isinstance(database, str) else database
        self.name = without_password(database) if isinstance(database, str) else str(database.database)
        if isinstance(self._database, peewee.SqliteDatabase):
            self.kind = "sqlite"
        else:
            self.kind = "mariadb" if isinstance(self._database, peewee.MySQLDatabase) else "postgres"
        # Reading rows is not peewee's any more: what goes wrong then is the driver's own.
        self._errors: tuple[type[Exception], ...] = (peewee.PeeweeException, OSError, _driver_error(self.kind))
        with self.answering():
            if not self._is_lent:
                self._database.connect()
            if self.kind == "mariadb" and not self._is_lent:
                self._database.execute_sql("SET SESSION tx_isolation = 'REPEATABLE-READ'")
                self._database.execute_sql("SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')")
            self._look()

    def close(self) -> None:
        """Let the connection go, if it is its own."""
        if not self._is_lent:
            self._database.close()

    # -- names, as the database writes them

    def quoted(self, name: str) -> str:
        """An identifier; one with a dot names a schema, too."""
        mark = "`" if self.kind == "mariadb" else '"'
        return ".".join(f"{mark}{part.replace(mark, mark * 2)}{mark}" for part in name.split("."))

    def literal(self, text: str) -> str:
        """A text, as SQL for a script."""
        if self.kind == "mariadb":
            text = text.replace("\\", "\\\\")
        return "'" + text.replace("'", "''") + "'"

    @property
    def table(self) -> str:
        """The table, as SQL."""
        return self.quoted(self.place.table)

    def key(self, alias: str) -> str:
        """The key of a row, as SQL."""
        return f"{alias}.{self.quoted(self.key_name)}"

    def text(self, alias: str) -> str:
        """The scopes of a row, as SQL that compares byte by byte."""
        name = f"{alias}.{self.quoted(self.place.column)}"
        if self.kind == "sqlite":
            return f"{name} COLLATE BINARY"
        if self.kind == "postgres":
            return f'{name}::text COLLATE "C"'
        return f"CONVERT({name} USING utf8mb4) COLLATE utf8mb4_nopad_bin"

    def condition(self, alias: str) -> str:
        """Which rows are meant, as SQL."""
        parts = [f"{alias}.{self.quoted(self.place.column)} IS NOT NULL"]
        if self.kind == "sqlite":
            parts.append(f"typeof({alias}.{self.quoted(self.place.column)}) = 'text'")
        if self.place.where:
            parts.append(self._where)
        return " AND ".join(parts)

    @property
    def _where(self) -> str:
        # The drivers of servers take a percent sign for the beginning of a value.
        where = self.place.where if self.kind == "sqlite" else self.place.where.replace("%", "%%")
        return f"({where or '1 = 1'})"

    # -- what is there

    def _look(self) -> None:
        schema, _, table = self.place.table.rpartition(".")
        where = f"table {quoted(self.place.table)}"
        tables = self._database.get_tables(schema or None)
        if table not in tables:
            raise ConfigurationError(f"there is no table {quoted(self.place.table)}{did_you_mean(near(table, tables))}")
        columns = {each.name: each for each in self._database.get_columns(table, schema or None)}
        found = columns.get(self.place.column)
        if found is None:
            hint = did_you_mean(near(self.place.column, columns))
            raise ConfigurationError(f"there is no column {quoted(self.place.column)}{hint}", where=where)
        kind = str(found.data_type or "").lower()
        if kind and not any(word in kind for word in _TEXTUAL):
            raise ConfigurationError(f"the column {quoted(found.name)} holds no text, but {kind}", where=where)
        self.key_name = self._key(table, schema or None, columns, where)
        self.key_type = str(columns[self.key_name].data_type or "")
        self._longest = self._longest_text(table, schema)
        if self.place.where:
            try:
                self.first(f"SELECT 1 FROM {self.table} t WHERE {self.condition('t')} LIMIT 1")
            except self._errors as error:
                self._database.rollback()
                raise ConfigurationError(
                    f"the database does not take it: {' '.join(str(error).split())}", where="--where"
                ) from None

    def _key(self, table: str, schema: str | None, columns: dict[str, Any], where: str) -> str:
        primary = list(self._database.get_primary_keys(table, schema))
        unique = [index.columns for index in self._database.get_indexes(table, schema) if index.unique]
        name = self.place.key
        if not name:
            if len(primary) != 1:
                what = f"a primary key of {len(primary)} columns" if primary else "no primary key"
                raise ConfigurationError(f"it has {what}; name a unique column with --id", where=where)
            return str(primary[0])
        if name not in columns:
            raise ConfigurationError(
                f"there is no column {quoted(name)}{did_you_mean(near(name, columns))}", where=where
            )
        if primary != [name] and [name] not in unique:
            raise ConfigurationError(
                f"the column {quoted(name)} does not tell rows apart: it is not unique", where=where
            )
        if self.first(f"SELECT 1 FROM {self.table} WHERE {self.quoted(name)} IS NULL LIMIT 1"):
            raise ConfigurationError(f"the column {quoted(name)} is NULL in some rows; name another one", where=where)
        return name

    def _longest_text(self, table: str, schema: str) -> int | None:
        if self.kind == "sqlite":
            return None
        here = "current_schema()" if self.kind == "postgres" else "database()"
        row = self.first(
            "SELECT character_maximum_length FROM information_schema.columns "
            f"WHERE table_schema = COALESCE(\0, {here}) AND table_name = \0 AND column_name = \0",
            (schema or None, table, self.place.column),
        )
        return None if row is None or row[0] is None else int(row[0])

    def fits(self, text: str) -> bool:
        """Whether a text is short enough."""
        if self._longest is None:
            return True
        # MariaDB counts a text column in bytes.
        length = len(text.encode()) if self.kind == "mariadb" and self._longest > 65_000 else len(text)
        return length <= self._longest

    def texts(self) -> dict[str, int]:
        """The distinct texts, with how many rows hold each."""
        rows = self.all(f"SELECT {self.text('t')}, COUNT(*) FROM {self.table} t WHERE {self.condition('t')} GROUP BY 1")
        return {str(text): int(count) for text, count in rows}

    def others(self) -> dict[str, int]:
        """Rows that hold no text, and are left as they are: by what they hold, how many."""
        name = f"t.{self.quoted(self.place.column)}"
        found = {}
        (nulls,) = self.first(f"SELECT COUNT(*) FROM {self.table} t WHERE {name} IS NULL AND {self._where}") or (0,)
        if nulls:
            found["NULL"] = int(nulls)
        if self.kind == "sqlite":
            rows = self.all(
                f"SELECT typeof({name}), COUNT(*) FROM {self.table} t "
                f"WHERE typeof({name}) NOT IN ('text', 'null') AND {self._where} GROUP BY 1"
            )
            found |= {str(kind): int(count) for kind, count in rows}
        return found

    # -- statements

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Turns what the driver raises into :class:`StoreUnavailable`."""
        try:
            yield
        except StoreUnavailable:
            raise
        except self._errors as error:
            raise StoreUnavailable(" ".join(str(error).split()) or type(error).__name__, self.name) from error

    def run(self, statement: str, values: tuple[object, ...] = ()) -> int:
        """Run a statement; how many rows it touched. NUL stands for a value: no condition of theirs has one."""
        return int(self._execute(statement, values).rowcount)

    def first(self, statement: str, values: tuple[object, ...] = ()) -> tuple[Any, ...] | None:
        """The first row."""
        row = self._execute(statement, values).fetchone()
        return None if row is None else tuple(row)

    def all(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows."""
        return [tuple(row) for row in self._execute(statement, values).fetchall()]

    def _execute(self, statement: str, values: tuple[object, ...]) -> Any:
        return self._database.execute_sql(statement.replace(_VALUE, self._database.param), values)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing."""
        with self._database.atomic("IMMEDIATE") if self.kind == "sqlite" else self._database.atomic():
            yield

    def has_table(self, name: str) -> bool:
        """Whether there is such a table."""
        return name in self._database.get_tables()

    # -- one at a time

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else converts this column meanwhile.

        :raises ConfigurationError: somebody does.
        """
        busy = ConfigurationError(f"somebody else is converting {self.place.table} now; wait until they are done")
        if self.kind == "sqlite":
            with _file_lock(f"{self._database.database}-scopeware-migrate", busy):
                yield
            return
        name = f"scopeware migrate {self.place.table}"[:64]
        take, drop = (
            ("SELECT pg_try_advisory_lock(hashtext(\0))", "SELECT pg_advisory_unlock(hashtext(\0))")
            if self.kind == "postgres"
            else ("SELECT GET_LOCK(\0, 0)", "SELECT RELEASE_LOCK(\0)")
        )
        row = self.first(take, (name,))
        if row is None or not row[0]:
            raise busy
        try:
            yield
        finally:
            self.first(drop, (name,))


def _connection(url: str) -> Any:
    """A connection of peewee's, without the ways that a store has with its own.

    :raises StoreUnavailable: the file is not there.
    """
    known = database_at(url)
    known.close()
    if isinstance(known, SqliteDatabase):
        if not os.path.exists(known.path):
            raise StoreUnavailable("there is no such file", known.path)
        return peewee.SqliteDatabase(known.path, timeout=_PATIENCE_SECONDS)
    parameters = {key: value for key, value in getattr(known, "parameters", {}).items() if key != "max_connections"}
    if isinstance(known.peewee, peewee.PostgresqlDatabase):
        return peewee.PostgresqlDatabase(prefer_psycopg3=True, **parameters)
    return peewee.MySQLDatabase(**parameters)


def _driver_error(kind: str) -> type[Exception]:
    driver = importlib.import_module({"sqlite": "sqlite3", "mariadb": "pymysql", "postgres": "psycopg"}[kind])
    error: type[Exception] = driver.Error
    return error


@contextmanager
def _file_lock(path: str, busy: ConfigurationError) -> Iterator[None]:
    import fcntl  # noqa: PLC0415  # POSIX

    with open(path, "a", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise busy from None
        # Who held it before may have removed it, and a third may have made it again.
        if not os.path.exists(path) or os.stat(path).st_ino != os.fstat(file.fileno()).st_ino:
            raise busy
        try:
            yield
        finally:
            os.unlink(path)
