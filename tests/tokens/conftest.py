"""Stores on real databases, and clocks that tests set."""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from services import mariadb_url, new_database, postgres_url, require, server_url  # noqa: F401
from token_helpers import Elsewhere, Home, url_of

import scopeware.tokens
from scopeware.tokens import Issued, TokenStore
from scopeware.tokens.database import Database
from scopeware.tokens.sqlite import _PRAGMAS
from scopeware.tokens.urls import database_at

NETWORKED = ("postgres", "mariadb")


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test cuts the power, and waiting for the disk would take most of their time."""
    monkeypatch.setitem(_PRAGMAS, "synchronous", "off")


# -- each database there is


@pytest.fixture(scope="session")
def shared_databases() -> Iterator[Callable[[str], tuple[str, Database]]]:
    """A networked database with all its tables, and a way into it: one a kind for all tests of a process, as it takes
    far longer to make one than to empty it."""
    with ExitStack() as stack:
        made: dict[str, tuple[str, Database]] = {}

        def shared(kind: str) -> tuple[str, Database]:
            require(kind)
            if kind not in made:
                url = stack.enter_context(new_database(server_url(kind)))
                TokenStore.connect(url).close()
                made[kind] = (url, database_at(url))
                stack.callback(made[kind][1].close)
            return made[kind]

        yield shared


@pytest.fixture
def home_of(
    path: Path, shared_databases: Callable[[str], tuple[str, Database]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Home]]:
    """``home_of("postgres")``: a database with nobody in it; see :func:`home` and :func:`any_home`."""
    with ExitStack() as stack:

        def make(kind: str) -> Home:
            server = kind.partition("-")[0]
            if server in NETWORKED:
                options = {} if kind.endswith("-remembering") else {"max_staleness": 0}
                home = Home(*shared_databases(server), **options)
                home.empty()
            else:
                if kind == "data-version":
                    monkeypatch.setattr("scopeware.tokens.sqlite.wal_index_stamp", lambda path: None)
                home = Home("sqlite:///:memory:" if kind == "memory" else url_of(path))
            stack.callback(home.close)
            return home

        yield make


@pytest.fixture(params=["sqlite", *NETWORKED])
def home(request: pytest.FixtureRequest, home_of: Callable[[str], Home]) -> Home:
    """A database with nobody in it, of each kind that scopeware knows; what anyone commits is seen at once."""
    return home_of(request.param)


@pytest.fixture(
    params=[
        "wal-index",
        "data-version",
        "memory",
        "postgres",
        "postgres-remembering",
        "mariadb",
        "mariadb-remembering",
    ]
)
def any_home(request: pytest.FixtureRequest, home_of: Callable[[str], Home]) -> Home:
    """The same, and each way to know what was committed; the networked stores ask each time, or remember for a second
    what nobody in this process has changed."""
    return home_of(request.param)


@pytest.fixture
def store(home: Home) -> TokenStore:
    """A store with nobody in it, on each database. What is about SQLite's files has a `store` of its own."""
    return home.connect()


@pytest.fixture
def any_store(any_home: Home) -> TokenStore:
    """A store of each kind."""
    return any_home.connect()


@pytest.fixture
def issued(store: TokenStore) -> Issued:
    """A token of alice's that writes issues and administration, as far as her role allows."""
    return store.issue(owner="alice", name="ci", scopes="write:issue,write:admin")


# -- SQLite's files


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database file of a test is."""
    return tmp_path / "tokens.db"


@pytest.fixture
def connect(path: Path) -> Iterator[Callable[..., TokenStore]]:
    """Opens stores on the database file of the test, and closes them after it."""
    opened = []

    def connect(url: str | None = None, **options: object) -> TokenStore:
        opened.append(TokenStore.connect(url or url_of(path), **options))
        return opened[-1]

    yield connect
    for store in opened:
        store.close()


@pytest.fixture(params=["wal-index", "data-version"])
def stamps(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to see that something was committed."""
    if request.param == "data-version":
        monkeypatch.setattr("scopeware.tokens.sqlite.wal_index_stamp", lambda path: None)
    return request.param


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds the database locked gives up at once."""
    monkeypatch.setattr("scopeware.tokens.sqlite._BUSY_SECONDS", 0.05)


@pytest.fixture(scope="session")
def elsewhere() -> Iterator[Elsewhere]:
    """Another process that answers for stores of its own."""
    process = Elsewhere()
    yield process
    process.end()


# -- the time


class Clock:
    """The time that scopeware sees: seconds since 1970, and since whenever."""

    def __init__(self) -> None:
        self._now = self._elapsed = 1_800_000_000.25

    @property
    def now(self) -> float:
        """What the wall says."""
        return self._now

    @now.setter
    def now(self, now: float) -> None:
        # However the clock on the wall is set, time goes on.
        self._elapsed += max(now - self._now, 0)
        self._now = now

    def __call__(self) -> float:
        return self._now

    def monotonic(self) -> float:
        """What has gone by."""
        return self._elapsed


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands still until a test moves it."""
    clock = Clock()

    class Stopped(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromtimestamp(clock.now, tz or UTC)

    for found in pkgutil.walk_packages(scopeware.tokens.__path__, "scopeware.tokens."):
        module = importlib.import_module(found.name)
        for name, known, stopped in (("time", time.time, clock), ("datetime", datetime, Stopped)):
            if vars(module).get(name) is known:
                monkeypatch.setattr(module, name, stopped)
    monkeypatch.setattr("scopeware.tokens.known_by_lease.monotonic", clock.monotonic)
    return clock
