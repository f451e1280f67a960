"""Columns of scopes on each database, in tables as applications have them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from services import _connect, _run, kind_of, new_database, require, run_sql, server_url

from scopeware.migration import Mapping
from scopeware.migration.column import Column, Place

KINDS = ("sqlite", "postgres", "mariadb")

GITEA = {
    "sqlite": (
        "CREATE TABLE access_token (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, uid INTEGER NULL, name TEXT NULL, "
        "token_hash TEXT NULL, token_salt TEXT NULL, token_last_eight TEXT NULL, scope TEXT NULL, "
        "created_unix INTEGER NULL, updated_unix INTEGER NULL)"
    ),
    "postgres": (
        "CREATE TABLE access_token (id BIGSERIAL PRIMARY KEY NOT NULL, uid BIGINT NULL, name VARCHAR(255) NULL, "
        "token_hash VARCHAR(255) NULL, token_salt VARCHAR(255) NULL, token_last_eight VARCHAR(255) NULL, "
        "scope VARCHAR(255) NULL, created_unix BIGINT NULL, updated_unix BIGINT NULL)"
    ),
    "mariadb": (
        "CREATE TABLE access_token (id BIGINT(20) PRIMARY KEY AUTO_INCREMENT NOT NULL, uid BIGINT(20) NULL, "
        "name VARCHAR(255) NULL, token_hash VARCHAR(255) NULL, token_salt VARCHAR(255) NULL, "
        "token_last_eight VARCHAR(255) NULL, scope VARCHAR(255) NULL, created_unix BIGINT(20) NULL, "
        "updated_unix BIGINT(20) NULL) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"
    ),
}
"""As Gitea 1.19 makes it."""

INDEXES = (
    'CREATE UNIQUE INDEX "UQE_access_token_token_hash" ON access_token (token_hash)',
    'CREATE INDEX "IDX_access_token_uid" ON access_token (uid)',
    'CREATE INDEX "IDX_access_token_token_last_eight" ON access_token (token_last_eight)',
)

TEXTS = (
    "repo",
    "user:email",
    "repo,user:follow",
    "all",
    "write:repository",
    "public_repo",
    None,
    "",
    "read:user,read:org",
    " repo , ,sudo",
    "wirte:package,package",
    "nobody:knows",
    "REPO",
    "repo,repo",
    "répö 漢字 😀,notification",
    "'; DROP TABLE access_token; --,repo",
)
"""What Gitea's tokens hold, and what they should not."""


class Database:
    """A database on a server, which is emptied for each test: to make one takes its time, and so does to connect."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection = _connect(url)
        if kind_of(url) == "postgres":
            # Who is killed here is never the server, which need not wait for its disk.
            _run(self._connection, f"ALTER DATABASE {url.rpartition('/')[2]} SET synchronous_commit = off")

    def empty(self) -> None:
        """Drop all that is in it."""
        if kind_of(self.url) == "mariadb":
            for name, kind in _run(self._connection, "SHOW FULL TABLES"):
                marked = "`" + name.replace("`", "``") + "`"
                _run(self._connection, f"DROP {'VIEW' if kind == 'VIEW' else 'TABLE'} {marked}")
            return
        schemas = _run(
            self._connection, "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)'"
        )
        drop = [f'DROP SCHEMA "{schema}" CASCADE' for (schema,) in schemas]
        _run(self._connection, *drop, "CREATE SCHEMA public", "GRANT USAGE ON SCHEMA public TO PUBLIC")

    def close(self) -> None:
        """Connected no more."""
        self._connection.close()


@pytest.fixture(scope="session")
def databases() -> Iterator[Callable[[str], Database]]:
    """``databases("postgres")``: a database there."""
    made: dict[str, Database] = {}
    with ExitStack() as stack:

        def database(kind: str) -> Database:
            require(kind)
            if kind not in made:
                made[kind] = Database(stack.enter_context(new_database(server_url(kind))))
                stack.callback(made[kind].close)
            return made[kind]

        yield database


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of database."""
    return request.param


@pytest.fixture
def url(kind: str, databases: Callable[[str], Database], tmp_path: Path) -> str:
    """A database of that kind with nothing in it."""
    if kind == "sqlite":
        return f"sqlite:///{tmp_path}/gitea.db"
    databases(kind).empty()
    return databases(kind).url


class Table:
    """A table with a column of scopes.

    :ivar name: as SQL, and as people write it for ``--table``.
    """

    def __init__(self, kind: str, url: str) -> None:
        self.kind = kind
        self.url = url
        self.name = "access_token"
        self._opened: list[Column] = []
        self._connection: Any = None

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements, as the application would: on a connection of its own."""
        if self.kind == "sqlite":
            return run_sql(self.url, *statements)
        # To connect takes its time. SQLite's connections do not survive a fork.
        self._connection = self._connection or _connect(self.url)
        return _run(self._connection, *statements)

    def literal(self, value: object) -> str:
        """A value as SQL."""
        if value is None or isinstance(value, int):
            return "NULL" if value is None else str(value)
        if isinstance(value, bytes):
            return f"'\\x{value.hex()}'" if self.kind == "postgres" else f"X'{value.hex()}'"
        text = str(value).replace("\\", "\\\\") if self.kind == "mariadb" else str(value)
        return "'" + text.replace("'", "''") + "'"

    def insert(self, rows: Iterable[tuple[object, ...]], into: str | None = None) -> None:
        """Add rows."""
        lines = [f"({', '.join(map(self.literal, row))})" for row in rows]
        for start in range(0, len(lines), 5000):
            self.sql(f"INSERT INTO {into or self.name} VALUES {', '.join(lines[start : start + 5000])}")

    def make(self, *texts: str | None, key: str = "INTEGER PRIMARY KEY", scope: str | None = None) -> Table:
        """Make a table of an ``id`` and a ``scope``, with these in it, from 1 on."""
        text = scope or {"mariadb": "LONGTEXT CHARACTER SET utf8mb4"}.get(self.kind, "TEXT")
        self.sql(f"CREATE TABLE {self.name} (id {key}, scope {text})")
        if texts:
            self.insert(enumerate(texts, 1))
        return self

    def make_gitea(self, number: int, texts: tuple[str | None, ...] = TEXTS) -> Table:
        """Make Gitea's table, with so many tokens."""
        marks = "`" if self.kind == "mariadb" else '"'
        self.sql(GITEA[self.kind], *(index.replace('"', marks) for index in INDEXES))
        self.insert(
            (
                # Not in the order in which they were made, and with gaps.
                (each * 7919) % 100_003,
                each % 13,
                f"token 'n' {each}%",
                hashlib.sha256(str(each).encode()).hexdigest(),
                f"s\\{each:08x}",
                f"{each:08d}",
                texts[each % len(texts)],
                1_600_000_000 + each,
                1_600_000_000 + 2 * each,
            )
            for each in range(1, number + 1)
        )
        return self

    def column(
        self, column: str = "scope", *, table: str = "", key: str = "", where: str = "", url: str = ""
    ) -> Column:
        """Open the column; it is closed after the test."""
        # PyMySQL reads all certificates there are for each connection, used or not.
        plain = f"{self.url}?ssl_disabled=true" if self.kind == "mariadb" else self.url
        self._opened.append(Column(url or plain, Place(table or self.name, column, key, where)))
        return self._opened[-1]

    def close(self) -> None:
        """Close all columns that are open."""
        while self._opened:
            self._opened.pop().close()

    def disconnect(self) -> None:
        """Close the application's connection."""
        if self._connection is not None:
            self._connection.close()

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        """All of it, in the order of its first columns."""
        return self.sql(f"SELECT * FROM {self.name} ORDER BY 1, 2")

    @property
    def texts(self) -> dict[Any, Any]:
        """The scopes by their ids."""
        return dict(self.sql(f"SELECT id, scope FROM {self.name} ORDER BY id"))

    @property
    def digest(self) -> str:
        """A hash of every byte of every row."""
        return hashlib.sha256("\n".join(map(repr, self.rows)).encode()).hexdigest()

    @property
    def tables(self) -> set[str]:
        """The names of all tables in the database."""
        if self.kind == "sqlite":
            return {name for (name,) in self.sql("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        here = "'public'" if self.kind == "postgres" else "DATABASE()"
        return {
            name
            for (name,) in self.sql(f"SELECT table_name FROM information_schema.tables WHERE table_schema = {here}")
        }


@pytest.fixture
def table(kind: str, url: str) -> Iterator[Table]:
    """A table on each kind of database, not yet made."""
    made = Table(kind, url)
    yield made
    made.close()
    made.disconnect()


@pytest.fixture(scope="session")
def mapping() -> Mapping:
    """Gitea's."""
    return Mapping.builtin("gitea-1.19")


@pytest.fixture
def refuse_writes() -> Callable[[Table], None]:
    """``refuse_writes(table)``: the database lets nobody change its rows any more."""

    def refuse(table: Table) -> None:
        head = f"CREATE TRIGGER refuse BEFORE UPDATE ON {table.name}"
        if table.kind == "sqlite":
            table.sql(f"{head} BEGIN SELECT RAISE(ABORT, 'not on a Sunday'); END")
        elif table.kind == "mariadb":
            table.sql(f"{head} FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not on a Sunday'")
        else:
            table.sql(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'not on a Sunday'; END $$",
                f"{head} FOR EACH ROW EXECUTE FUNCTION refuse()",
            )

    return refuse
