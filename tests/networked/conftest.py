"""Stores on database servers, in this process and in others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from networked_helpers import Elsewhere
from services import (  # noqa: F401
    CuttableProxy,
    address_of,
    drop_connections,
    new_database,
    own_mariadb,
    own_postgres,
    redis_url,
    require,
    run_sql,
    server_url,
)

from scopeware.tokens import Issued, TokenStore


def _database(kind: str) -> Iterator[str]:
    require(kind)
    with new_database(server_url(kind)) as url:
        TokenStore.connect(url).close()
        yield url


@pytest.fixture(scope="session")
def postgres_database() -> Iterator[str]:
    """A PostgreSQL database that has its tables. To make one for each test would take most of their time."""
    yield from _database("postgres")


@pytest.fixture(scope="session")
def mariadb_database() -> Iterator[str]:
    """A MariaDB database that has its tables."""
    yield from _database("mariadb")


def _emptied(url: str) -> str:
    drop_connections(url)
    run_sql(url, *(f"DELETE FROM scopeware_{table}" for table in ("access_log", "token", "owner", "pepper")))
    return url


@pytest.fixture
def postgres_url(postgres_database: str) -> str:
    """The PostgreSQL database, with nothing in its tables and nobody connected to it."""
    return _emptied(postgres_database)


@pytest.fixture
def mariadb_url(mariadb_database: str) -> str:
    """The MariaDB database, with nothing in its tables and nobody connected to it."""
    return _emptied(mariadb_database)


@pytest.fixture(params=["postgres_url", "mariadb_url"], ids=["postgres", "mariadb"])
def url(request: pytest.FixtureRequest) -> str:
    """A database of each kind."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["own_postgres", "own_mariadb"], ids=["postgres", "mariadb"])
def own(request: pytest.FixtureRequest) -> Any:
    """A server of each kind that the test may stop, running."""
    server = request.getfixturevalue(request.param)
    server.start()
    return server


@pytest.fixture
def proxy(url: str) -> Iterator[CuttableProxy]:
    """A proxy in front of the server of `url`."""
    with CuttableProxy(address_of(url)) as proxy:
        yield proxy


@pytest.fixture
def connect() -> Iterator[Callable[..., TokenStore]]:
    """``connect(url, **options)`` opens a store, and closes it after the test."""
    opened: list[TokenStore] = []

    def connect(url: str, **options: Any) -> TokenStore:
        opened.append(TokenStore.connect(url, **options))
        return opened[-1]

    yield connect
    for store in opened:
        store.close()


@pytest.fixture
def store(url: str, connect: Callable[..., TokenStore]) -> TokenStore:
    """A store with nobody in it, on a database of each kind."""
    return connect(url)


@pytest.fixture
def issued(store: TokenStore) -> Issued:
    """A token of alice's."""
    return store.issue(owner="alice", name="ci", scopes="write:issue")


@pytest.fixture(scope="session")
def other_process() -> Iterator[Elsewhere]:
    """Another process. To start one for each test would take most of their time."""
    process = Elsewhere()
    yield process
    process.end()


@pytest.fixture
def elsewhere(other_process: Elsewhere) -> Iterator[Elsewhere]:
    """Another process, which keeps no connection after the test."""
    yield other_process
    other_process.disconnect()
