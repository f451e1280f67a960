"""A column of scopes in anyone's table."""

from __future__ import annotations

import hashlib
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
_GREETING_SECONDS = 5
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
    :param place: which it is; ``None`` to look at what was done in the database alone.
    :raises ConfigurationError: there is no such table or column, it holds no text, or nothing tells its rows apart.
    :raises StoreUnavailable: the database cannot be asked.
    """

    def __init__(self, database: str | peewee.Database, place: Place | None) -> None:
        self.place = place or Place("", "")
        self._is_lent = not isinstance(database, str)
        self._database: Any = _connection(database) if isinstance(database, str) else database
        self.name = without_password(database) if isinstance(database, str) else str(database.database)
        if isinstance(self._database, peewee.SqliteDatabase):
            self.kind = "sqlite"
        else:
            self.kind = "mariadb" if isinstance(self._database, peewee.MySQLDatabase) else "postgres"
        # Reading rows is not peewee's any more: what goes wrong then is the driver's own.
        self._errors: tuple[type[Exception], ...] = (peewee.PeeweeException, OSError, _driver_error(self.kind))
        try:
            with self.answering():
                if not self._is_lent:
                    self._database.connect()
                if self.kind == "mariadb" and not self._is_lent:
                    self._database.execute_sql("SET SESSION tx_isolation = 'REPEATABLE-READ'")
                    self._database.execute_sql("SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')")
                    self._database.connection()._read_timeout = None
                if place is not None:
                    self._look()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let the connection go, if it is its own."""
        if not self._is_lent:
            self._database.close()

    # -- names, as the database writes them

    def quoted(self, name: str) -> str:
        """An identifier."""
        mark = "`" if self.kind == "mariadb" else '"'
        return f"{mark}{name.replace(mark, mark * 2)}{mark}"

    def literal(self, text: str) -> str:
        """A text, as SQL for a script."""
        if self.kind == "mariadb":
            text = text.replace("\\", "\\\\")
        return "'" + text.replace("'", "''") + "'"

    @property
    def table(self) -> str:
        """The table, as SQL; one with a dot names a schema, too."""
        return ".".join(map(self.quoted, self.place.table.split(".")))

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
            parts.append(self.where(alias))
        return " AND ".join(parts)

    def where(self, alias: str, bounds: str = "") -> str:
        """Of which rows the deployment's own condition holds, as SQL. It stands alone, so that its names mean theirs.

        :param bounds: more that has to hold, of the table by its own name.
        """
        if not self.place.where:
            return "1 = 1"
        own = self.key(self.table)
        chosen = f"SELECT {own} AS sw_k FROM {self.table} WHERE ({self.place.where}){bounds}"
        return f"{self.key(alias)} IN (SELECT sw_k FROM ({chosen}) AS sw_x)"

    # -- what is there

    def _look(self) -> None:
        schema, _, table = self.place.table.rpartition(".")
        where = f"table {quoted(self.place.table)}"
        if self.kind == "sqlite" and schema not in ("", "main"):
            raise ConfigurationError(f"there is no table {quoted(self.place.table)}")
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
        is_primary = self._keys(table, schema or None)[0] == [self.key_name]
        self.is_row_number = is_primary and str(columns[self.key_name].data_type).upper() == "INTEGER"
        self._measure(table, schema)
        if self.place.where:
            try:
                self.first(f"SELECT 1 FROM {self.table} t WHERE {self.condition('t')} LIMIT 1")
            except self._errors as error:
                raise ConfigurationError(
                    f"the database does not take it: {' '.join(str(error).split())}", where="--where"
                ) from None

    def _key(self, table: str, schema: str | None, columns: dict[str, Any], where: str) -> str:
        primary, unique = self._keys(table, schema)
        name = self.place.key
        if not name:
            if len(primary) != 1:
                what = f"a primary key of {len(primary)} columns" if primary else "no primary key"
                raise ConfigurationError(f"it has {what}; name a unique column with --id", where=where)
            name = str(primary[0])
            self._check_no_null(name, where)
            return name
        if name not in columns:
            raise ConfigurationError(
                f"there is no column {quoted(name)}{did_you_mean(near(name, columns))}", where=where
            )
        if primary != [name] and [name] not in unique:
            raise ConfigurationError(
                f"the column {quoted(name)} does not tell rows apart: it is not unique", where=where
            )
        self._check_no_null(name, where)
        return name

    def _keys(self, table: str, schema: str | None) -> tuple[list[str], list[list[str]]]:
        """The columns of the primary key, and of each other that tells all rows apart."""
        if self.kind == "mariadb":
            rows = self.all(
                "SELECT index_name, column_name FROM information_schema.statistics WHERE non_unique = 0 "
                "AND table_schema = COALESCE(\0, database()) AND table_name = \0 ORDER BY index_name, seq_in_index",
                (schema, table),
            )
            found: dict[str, list[str]] = {}
            for index, column in rows:
                found.setdefault(str(index), []).append(str(column))
            return found.pop("PRIMARY", []), list(found.values())
        # One of some rows, or of what is made of a column, does not tell rows apart.
        if self.kind == "postgres":
            # What information_schema tells depends on who asks.
            rows = self.all(
                "SELECT i.indexrelid, i.indisprimary, a.attname FROM pg_index i JOIN pg_attribute a "
                "ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey) WHERE i.indrelid = CAST(\0 AS regclass) "
                "AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL",
                (self.table,),
            )
            columns: dict[tuple[Any, bool], list[str]] = {}
            for number, is_primary, name in rows:
                columns.setdefault((number, bool(is_primary)), []).append(str(name))
            primary = next((names for (_, is_primary), names in columns.items() if is_primary), [])
            return primary, list(columns.values())
        listed = self.all(f"PRAGMA index_list({self.quoted(table)})")
        whole = [str(row[1]) for row in listed if row[2] and not row[4]]
        names = [[row[2] for row in self.all(f"PRAGMA index_info({self.quoted(index)})")] for index in whole]
        return list(self._database.get_primary_keys(table, schema)), names

    def _check_no_null(self, name: str, where: str) -> None:
        # A primary key may be NULL in SQLite.
        if self.first(f"SELECT 1 FROM {self.table} WHERE {self.quoted(name)} IS NULL LIMIT 1"):
            raise ConfigurationError(f"the column {quoted(name)} is NULL in some rows; name another one", where=where)

    def _measure(self, table: str, schema: str) -> None:
        """How long a text may be, and which columns would change by themselves."""
        self._longest: int | None = None
        self._in_bytes = False
        self.clocks: tuple[str, ...] = ()
        if self.kind == "sqlite":
            return
        here = "current_schema()" if self.kind == "postgres" else "database()"
        row = self.first(
            "SELECT character_maximum_length, data_type FROM information_schema.columns "
            f"WHERE table_schema = COALESCE(\0, {here}) AND table_name = \0 AND column_name = \0",
            (schema or None, table, self.place.column),
        )
        if row is not None and row[0] is not None:
            self._longest = int(row[0])
            self._in_bytes = self.kind == "mariadb" and str(row[1]).lower().endswith("text")
        if self.kind == "mariadb":
            rows = self.all(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = COALESCE(\0, database()) "
                "AND table_name = \0 AND LOWER(extra) LIKE '%on update%'",
                (schema or None, table),
            )
            self.clocks = tuple(str(name) for (name,) in rows)

    def fits(self, text: str) -> bool:
        """Whether a text is short enough."""
        return self._longest is None or len(text.encode() if self._in_bytes else text) <= self._longest

    def texts(self) -> dict[str, int]:
        """The distinct texts, with how many rows hold each."""
        rows = self.all(f"SELECT {self.text('t')}, COUNT(*) FROM {self.table} t WHERE {self.condition('t')} GROUP BY 1")
        return {str(text): int(count) for text, count in rows}

    def others(self) -> dict[str, int]:
        """Rows that hold no text, and are left as they are: by what they hold, how many."""
        name = f"t.{self.quoted(self.place.column)}"
        found = {}
        (nulls,) = self.first(f"SELECT COUNT(*) FROM {self.table} t WHERE {name} IS NULL AND {self.where('t')}") or (0,)
        if nulls:
            found["NULL"] = int(nulls)
        if self.kind == "sqlite":
            rows = self.all(
                f"SELECT typeof({name}), COUNT(*) FROM {self.table} t "
                f"WHERE typeof({name}) NOT IN ('text', 'null') AND {self.where('t')} GROUP BY 1"
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
        if self.kind != "sqlite":
            statement = statement.replace("%", "%%")  # which the drivers take for the beginning of a value
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
            with _file_lock(f"{os.path.realpath(self._database.database)}-scopeware-migrate", busy):
                yield
            return
        # Of this database: MariaDB's locks are the server's.
        place = f"{self._database.database}.{self.place.table}"
        name = f"scopeware migrate {hashlib.sha256(place.encode()).hexdigest()}"[:64]
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
        return peewee.SqliteDatabase(known.path, timeout=_PATIENCE_SECONDS, thread_safe=False, check_same_thread=False)
    parameters = {key: value for key, value in getattr(known, "parameters", {}).items() if key != "max_connections"}
    if isinstance(known.peewee, peewee.PostgresqlDatabase):
        options: dict[str, Any] = {"connect_timeout": _GREETING_SECONDS, "prefer_psycopg3": True}
        return peewee.PostgresqlDatabase(**options | parameters, thread_safe=False)
    # For the server's greeting; a statement may take longer.
    options = {"connect_timeout": _GREETING_SECONDS, "read_timeout": _GREETING_SECONDS}
    return peewee.MySQLDatabase(**options | parameters, thread_safe=False)


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
