"""Logs on real databases, and a caller of guarded applications."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from access_log_helpers import entry_of
from services import new_database, own_mariadb, own_postgres, require, run_sql, server_url  # noqa: F401

from scopeware import Scopeware, TokenStore
from scopeware.policy import LogOptions
from scopeware.tokens import LogEntry
from scopeware.tokens.access_log.sinks import sink_at
from scopeware.tokens.sqlite import _PRAGMAS

TABLES = ("access_log", "pepper", "token", "owner")


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test cuts the power, and waiting for the disk would take most of their time."""
    monkeypatch.setitem(_PRAGMAS, "synchronous", "off")


@pytest.fixture(autouse=True)
def unguarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gates do more where any view is guarded, which it stays for the rest of the process."""
    monkeypatch.setattr("scopeware.gate.guards.in_use", False)


@pytest.fixture(scope="session")
def shared_databases() -> Iterator[Callable[[str], str]]:
    """The URL of a networked database with all its tables, one a kind for all tests of a process: to make one takes
    far longer than to empty it."""
    with ExitStack() as stack:
        made: dict[str, str] = {}

        def shared(kind: str) -> str:
            require(kind)
            if kind not in made:
                url = stack.enter_context(new_database(server_url(kind)))
                TokenStore.connect(url).close()
                made[kind] = url
            return made[kind]

        yield shared


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def kind(request: pytest.FixtureRequest) -> str:
    """Each database that there is."""
    return request.param


@pytest.fixture
def url(kind: str, tmp_path: Path, shared_databases: Callable[[str], str]) -> str:
    """A database with nobody in it, of each kind."""
    if kind == "sqlite":
        return f"sqlite:///{tmp_path}/tokens.db"
    url = shared_databases(kind)
    run_sql(url, *(f"DELETE FROM scopeware_{table}" for table in TABLES))
    return url


@pytest.fixture
def connect(url: str) -> Iterator[Callable[..., TokenStore]]:
    """Opens stores on :func:`url`, and closes them after the test."""
    opened: list[TokenStore] = []

    def connect(**options: Any) -> TokenStore:
        opened.append(TokenStore.connect(url, **options))
        return opened[-1]

    yield connect
    for store in opened:
        store.close()


@pytest.fixture
def any_store(connect: Callable[..., TokenStore]) -> TokenStore:
    """A store with nobody in it, on each database."""
    return connect()


@pytest.fixture
def any_gate(any_store: TokenStore, app: Any, policy: Any) -> Callable[..., Scopeware]:
    """``any_gate(flush=..., **options)``: a gate before it, whose log has these options."""

    def make(store: TokenStore | None = None, *, log_sink: Any = None, **options: Any) -> Scopeware:
        log = LogOptions(**options)
        return Scopeware(app, policy, store or any_store, access_log=log, log_sink=log_sink)

    return make


@pytest.fixture
def write(any_store: TokenStore) -> Callable[..., list[LogEntry]]:
    """``write({"at": 5, "path": "/"}, ...)``: puts entries into the log, as the writer in the background does."""
    sink = sink_at("database", any_store._database)

    def write(*entries: dict[str, Any]) -> list[LogEntry]:
        made = [entry_of(**entry) for entry in entries]
        sink(made)
        return made

    return write
