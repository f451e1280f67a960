"""What the tests of tokens share: raw SQL, another process, questions and answers as text."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import services
from processes import answer

from scopeware.tokens import LiveToken, Refusal, TokenStore
from scopeware.tokens.database import Database
from scopeware.tokens.models import LogRow, Owner, Pepper, Token
from scopeware.tokens.urls import database_at

MODELS = (Owner, Token, Pepper, LogRow)


def may_do_nothing(store: TokenStore, secret: str) -> bool:
    """Whether `secret` is refused, or recognised and good for nothing."""
    found = store.authenticate(secret)
    return isinstance(found, Refusal) or (not found.scopes and not found.bits)


def accepted(store: TokenStore, secret: str) -> LiveToken:
    """The token, where `secret` is accepted."""
    found = store.authenticate(secret)
    assert isinstance(found, LiveToken), found
    return found


def reading_connection(store: TokenStore) -> sqlite3.Connection:
    """The connection through which this thread reads for requests."""
    store._database.select("SELECT 1")
    return store._database._local.reader.connection


def trace(store: TokenStore) -> list[str]:
    """Every statement that requests of this thread run from now on."""
    statements: list[str] = []
    reading_connection(store).set_trace_callback(statements.append)
    return statements


def url_of(path: Path) -> str:
    """The URL of the database file at `path`."""
    return f"sqlite:///{path}"


@contextmanager
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that scopeware knows nothing of, as a person with the sqlite3 shell has it."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as connection:
        connection.execute("PRAGMA synchronous = off")
        yield connection


def run_sql(path: Path, *statements: str) -> None:
    """Run statements on a connection of their own, one after the other."""
    with raw(path) as connection:
        for statement in statements:
            connection.execute(statement).fetchall()


def rows(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All that is in the tables that requests depend on."""
    with raw(path) as connection:
        return {
            table: connection.execute(f"SELECT * FROM scopeware_{table} ORDER BY id").fetchall()
            for table in ("owner", "token", "generation")
        }


class Home:
    """A database that a test has for itself, whichever it is: its stores, and what is in it.

    :param database: a way into it that no store uses; by default one of its own.
    :param options: of all stores on it.
    """

    def __init__(self, url: str, database: Database | None = None, **options: Any) -> None:
        self.url = url
        self.kind = services.kind_of(url)
        self._lent = database is not None
        self._database = database or database_at(url)
        self._options = options
        self._opened: list[TokenStore] = []

    def connect(self, **options: Any) -> TokenStore:
        """One more store on it, closed after the test."""
        self._opened.append(TokenStore.connect(self.url, **(self._options | options)))
        if self.url.endswith(":memory:"):
            self._database = self._opened[-1]._database
        return self._opened[-1]

    def run_sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements behind the back of all stores, each committed before the next; the rows of the last one."""
        rows: list[tuple[Any, ...]] = []
        with self._database.session():
            for statement in statements:
                cursor = self._database.peewee.execute_sql(statement)
                rows = list(cursor.fetchall()) if cursor.description else []
        return rows

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """All that is in the tables: of each, its rows."""
        found = {}
        for model in MODELS:
            names = [field.column_name for field in model._meta.sorted_fields]
            table, key = model._meta.table_name, model._meta.primary_key.column_name
            selected = self.run_sql(f"SELECT {', '.join(names)} FROM {table} ORDER BY {key}")
            found[table.removeprefix("scopeware_")] = [dict(zip(names, row, strict=True)) for row in selected]
        return found

    def empty(self) -> None:
        """Remove all that is in the tables; somebody's forgotten transaction is an error, and not waited for."""
        patience = {
            "sqlite": "PRAGMA busy_timeout = 10000",
            "postgres": "SET lock_timeout = '10s'",
            "mariadb": "SET innodb_lock_wait_timeout = 10",
        }
        self.run_sql(patience[self.kind], *(f"DELETE FROM {model._meta.table_name}" for model in reversed(MODELS)))

    def close(self) -> None:
        """Close all stores on it."""
        while self._opened:
            self._opened.pop().close()
        if not self._lent:
            self._database.close()


def bytes_on_disk(path: Path) -> bytes:
    """The bytes of a database and of the files beside it, read by another process: to open and close them in this
    one would drop the locks that SQLite holds on them here (POSIX advisory locks)."""
    files = sorted(str(file) for file in path.parent.glob(f"{path.name}*"))
    assert files
    return subprocess.run(["cat", *files], check=True, capture_output=True).stdout


def run_script(script: str, *arguments: object, seconds: int = 15) -> str:
    """What a script of its own prints; one that fails, crashes or hangs fails the test, and leaves no child behind."""
    with subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(),
        start_new_session=True,
    ) as process:
        try:
            printed, complained = process.communicate(timeout=seconds)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, f"the script ended with {process.returncode}: {complained[-2_000:]}"
    return printed


def _environment() -> dict[str, str]:
    """The environment but for coverage's, which keeps its data in SQLite, too, and not for forks of busy threads."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


class Elsewhere:
    """Another process, started from scratch, that keeps stores open and answers for them."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=_environment(),
        )

    def ask(self, path: Path, secret: str) -> str:
        """What that process answers to `secret`."""
        return self._call("ask", url_of(path), secret)

    def do(self, path: Path, method: str, *arguments: Any) -> str:
        """Call a method of the store over there."""
        return self._call(method, url_of(path), *arguments)

    def _call(self, *command: Any) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the other process has ended"
        return json.loads(line)

    def end(self) -> None:
        """Let it end by itself."""
        with self._process as process:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=10)


def _serve() -> None:
    stores: dict[str, TokenStore] = {}
    for line in sys.stdin:
        method, url, *arguments = json.loads(line)
        try:
            if url not in stores:
                stores[url] = TokenStore.connect(url)
            store = stores[url]
            said = answer(store, *arguments) if method == "ask" else str(getattr(store, method)(*arguments))
        except Exception as error:
            said = repr(error)
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    _serve()
