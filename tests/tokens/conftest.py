"""Stores on real files, and clocks that tests set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from token_helpers import Elsewhere, url_of

from scopeware.tokens import Issued, TokenStore
from scopeware.tokens.database import _PRAGMAS


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test cuts the power, and waiting for the disk would take most of their time."""
    monkeypatch.setitem(_PRAGMAS, "synchronous", "off")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database of a test is."""
    return tmp_path / "tokens.db"


@pytest.fixture
def connect(path: Path) -> Iterator[Callable[..., TokenStore]]:
    """Opens stores on the database of the test, and closes them after it."""
    opened = []

    def connect(url: str | None = None, **options: object) -> TokenStore:
        opened.append(TokenStore.connect(url or url_of(path), **options))
        return opened[-1]

    yield connect
    for store in opened:
        store.close()


@pytest.fixture
def store(connect: Callable[..., TokenStore]) -> TokenStore:
    """A store with nobody in it."""
    return connect()


@pytest.fixture
def issued(store: TokenStore) -> Issued:
    """A token of alice's that writes issues and administration, as far as her role allows."""
    return store.issue(owner="alice", name="ci", scopes="write:issue,write:admin")


@pytest.fixture(params=["wal-index", "data-version"])
def stamps(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to see that something was committed."""
    if request.param == "data-version":
        monkeypatch.setattr("scopeware.tokens.database.wal_index_stamp", lambda path: None)
    return request.param


@pytest.fixture(params=["wal-index", "data-version", "memory"])
def any_store(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, connect: Callable[..., TokenStore]
) -> TokenStore:
    """A store of each kind."""
    if request.param == "data-version":
        monkeypatch.setattr("scopeware.tokens.database.wal_index_stamp", lambda path: None)
    return connect("sqlite:///:memory:") if request.param == "memory" else connect()


@pytest.fixture(scope="session")
def elsewhere() -> Iterator[Elsewhere]:
    """Another process that answers for stores of its own."""
    process = Elsewhere()
    yield process
    process.end()


class Clock:
    """The time that scopeware sees."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.25

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands still until a test moves it."""
    clock = Clock()

    class Stopped(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromtimestamp(clock.now, tz or UTC)

    monkeypatch.setattr("scopeware.tokens.known.time", clock)
    monkeypatch.setattr("scopeware.tokens.store.time", clock)
    monkeypatch.setattr("scopeware.tokens.records.datetime", Stopped)
    return clock


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds the database locked gives up at once."""
    monkeypatch.setattr("scopeware.tokens.database._BUSY_SECONDS", 0.05)
