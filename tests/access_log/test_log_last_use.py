"""When a token was last used: written seldom, by nobody who waits, and missed by no request."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from access_log_helpers import ask, end_of, start_script, until
from services import run_sql

from scopeware import TokenStore
from scopeware.tokens import StoreUnavailable

THREADS = 64
SECONDS_OF_USE = 2
FLUSH = timedelta(seconds=0.02)

# What writes down each UPDATE that finds its row.
TRIGGERS = {
    "sqlite": (
        "CREATE TRIGGER seen AFTER UPDATE OF last_used_at ON scopeware_token"
        " BEGIN INSERT INTO used VALUES (NEW.id, NEW.last_used_at); END",
    ),
    "postgres": (
        "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO used VALUES (NEW.id, NEW.last_used_at); RETURN NEW; END'",
        "CREATE TRIGGER seen AFTER UPDATE OF last_used_at ON scopeware_token FOR EACH ROW EXECUTE FUNCTION see()",
    ),
    "mariadb": (
        "CREATE TRIGGER seen AFTER UPDATE ON scopeware_token FOR EACH ROW"
        " INSERT INTO used VALUES (NEW.id, NEW.last_used_at)",
    ),
}
CLEANING = {
    "sqlite": ("DROP TRIGGER seen", "DROP TABLE used"),
    "postgres": ("DROP TRIGGER seen ON scopeware_token", "DROP FUNCTION see", "DROP TABLE used"),
    "mariadb": ("DROP TRIGGER seen", "DROP TABLE used"),
}


@pytest.fixture
def updates(url: str, kind: str, any_store: TokenStore) -> Iterator[Callable[[int], list[int]]]:
    """``updates(token_id)``: what was written to a token's row so far."""
    run_sql(url, "CREATE TABLE used (id INTEGER, at BIGINT)", *TRIGGERS[kind])
    yield lambda token_id: [at for (at,) in run_sql(url, f"SELECT at FROM used WHERE id = {token_id} ORDER BY at")]
    run_sql(url, *CLEANING[kind])


def settle(store: TokenStore) -> None:
    """Have everything written that is still noted."""
    store.background.work()
    store.background.work()


def test_many_threads_on_one_token_write_once_a_window(
    any_store: TokenStore, any_gate: Any, updates: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """No request fails, nothing is locked, while other tokens are made and revoked at the same time."""
    gate = any_gate(flush=FLUSH)
    issued = any_store.issue(owner="alice", name="busy", scopes="read:user")
    end = time.monotonic() + SECONDS_OF_USE
    together = threading.Barrier(THREADS)
    before = int(time.time())

    def use(number: int) -> list[int]:
        statuses = []
        together.wait(10)
        while time.monotonic() < end:
            statuses.append(ask(gate, "/api/v1/user", issued.secret))
            if number == 0:
                other = any_store.issue(owner="bob", name=f"t{len(statuses)}", scopes="all")
                any_store.revoke(other.token.id)
                time.sleep(0.5)
        return statuses

    with ThreadPoolExecutor(THREADS) as pool:
        statuses = [status for found in pool.map(use, range(THREADS)) for status in found]
    settle(any_store)
    assert set(statuses) == {200}
    assert len(statuses) > THREADS
    written = updates(issued.token.id)
    assert len(written) == 1
    assert before <= written[0] <= time.time()
    assert any_store.show(issued.token.id).last_used_at == datetime.fromtimestamp(written[0], UTC)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_it_is_written_again_after_a_window(any_store: TokenStore, any_gate: Any, updates: Any) -> None:
    """And not before; each time what it was then."""
    any_store.last_use.window = 1
    gate = any_gate(flush=FLUSH)
    issued = any_store.issue(owner="alice", name="t", scopes="read:user")
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        assert ask(gate, "/api/v1/user", issued.secret) == 200
        time.sleep(0.01)
    settle(any_store)
    written = updates(issued.token.id)
    assert 2 <= len(written) <= 4
    assert all(later > earlier for earlier, later in itertools.pairwise(written))


def test_the_window_is_one_for_all_processes(any_store: TokenStore, url: str, updates: Any) -> None:
    """Two of them use the token at the same time; one write is enough."""
    issued = any_store.issue(owner="alice", name="t", scopes="read:misc")
    processes = [start_script("using", url, 0.6, issued.secret) for _ in range(2)]
    used = [int(end_of(process)) for process in processes]
    assert min(used) > 10
    assert len(updates(issued.token.id)) == 1


def test_within_the_window_the_database_is_not_even_asked(any_store: TokenStore, any_gate: Any) -> None:
    """By a process that has written it; another token is written all the same."""
    gate = any_gate(flush=timedelta(hours=1), to=())
    one, two = (any_store.issue(owner="alice", name=name, scopes="read:user") for name in ("1", "2"))
    asked: list[str] = []
    begin = any_store._database.transaction

    def transaction() -> Any:
        asked.append("")
        return begin()

    any_store._database.transaction = transaction
    for issued, count in ((one, 1), (one, 1), (one, 1), (two, 2), (one, 2)):
        assert ask(gate, "/api/v1/user", issued.secret) == 200
        settle(any_store)
        assert len(asked) == count


def test_each_token_has_a_window_of_its_own(any_store: TokenStore, any_gate: Any, updates: Any) -> None:
    """Those that were refused were not used; one that was not used stays as it was."""
    gate = any_gate(flush=FLUSH)
    one, two, refused, idle = (
        any_store.issue(owner="alice", name=name, scopes=scopes)
        for name, scopes in (("1", "read:user"), ("2", "read:user"), ("3", "read:misc"), ("4", "read:user"))
    )
    for _ in range(5):
        statuses = [ask(gate, "/api/v1/user", issued.secret) for issued in (one, two, refused)]
        assert statuses == [200, 200, 403]
        settle(any_store)
    assert [len(updates(issued.token.id)) for issued in (one, two, refused, idle)] == [1, 1, 0, 0]
    assert any_store.show(idle.token.id).last_used_at is None


def test_nothing_but_the_one_column_changes(any_store: TokenStore, any_gate: Any, url: str) -> None:
    """What was revoked meanwhile stays revoked."""
    gate = any_gate(flush=timedelta(hours=1))
    issued = any_store.issue(owner="alice", name="t", scopes="read:user")
    columns = "name, live_name, scopes, expires_at, rotated_at, created_at, hint, managed"
    before = run_sql(url, f"SELECT {columns} FROM scopeware_token")
    assert ask(gate, "/api/v1/user", issued.secret) == 200
    any_store.edit(issued.token.id, name="renamed")
    any_store.revoke(issued.token.id)
    settle(any_store)
    shown = any_store.show(issued.token.id)
    assert (shown.status, shown.name) == ("revoked", "renamed")
    assert shown.last_used_at is not None
    after = run_sql(url, f"SELECT {columns} FROM scopeware_token")
    assert after[0][2:] == before[0][2:]


def test_a_use_that_cannot_be_written_down_fails_no_request(
    any_store: TokenStore, any_gate: Any, url: str, kind: str
) -> None:
    """Nor the log; it is written with the next use."""
    gate = any_gate(flush=timedelta(hours=1))
    issued = any_store.issue(owner="alice", name="t", scopes="read:user")
    refusing = {
        "sqlite": (
            "CREATE TRIGGER stop BEFORE UPDATE OF last_used_at ON scopeware_token BEGIN SELECT RAISE(ABORT, 'no'); END",
        ),
        "postgres": (
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'",
            "CREATE TRIGGER stop BEFORE UPDATE OF last_used_at ON scopeware_token"
            " FOR EACH ROW EXECUTE FUNCTION refuse()",
        ),
        "mariadb": ("CREATE TRIGGER stop BEFORE UPDATE ON scopeware_token FOR EACH ROW SIGNAL SQLSTATE '45000'",),
    }
    run_sql(url, *refusing[kind])
    try:
        for _ in range(3):
            assert ask(gate, "/api/v1/user", issued.secret) == 200
            settle(any_store)
        assert len(gate.access_log.latest()) == 3
        assert any_store.show(issued.token.id).last_used_at is None
    finally:
        on = " ON scopeware_token" if kind == "postgres" else ""
        run_sql(url, f"DROP TRIGGER stop{on}", *(["DROP FUNCTION refuse"] if on else []))
    assert ask(gate, "/api/v1/user", issued.secret) == 200
    settle(any_store)
    assert any_store.show(issued.token.id).last_used_at is not None


def test_a_clock_that_was_set_back_writes_nothing_older(any_store: TokenStore, any_gate: Any, updates: Any) -> None:
    """What is there already is later."""
    gate = any_gate(flush=timedelta(hours=1))
    issued = any_store.issue(owner="alice", name="t", scopes="read:user")
    later = int(time.time()) + 1_000
    any_store.last_use.note(issued.token.id, later)
    settle(any_store)
    assert ask(gate, "/api/v1/user", issued.secret) == 200
    settle(any_store)
    assert updates(issued.token.id) == [later]


def test_a_token_that_is_gone_keeps_no_other_from_being_written(any_store: TokenStore, any_gate: Any, url: str) -> None:
    """Removed between its use and the write."""
    gate = any_gate(flush=timedelta(hours=1))
    gone, there = (any_store.issue(owner="alice", name=name, scopes="read:user") for name in ("1", "2"))
    for issued in (gone, there):
        assert ask(gate, "/api/v1/user", issued.secret) == 200
    run_sql(url, f"DELETE FROM scopeware_token WHERE id = {gone.token.id}")
    settle(any_store)
    assert any_store.show(there.token.id).last_used_at is not None


def test_it_is_written_off_the_way_of_requests(any_store: TokenStore, any_gate: Any) -> None:
    """By itself, soon after; and by the thread in the background."""
    gate = any_gate(flush=FLUSH)
    issued = any_store.issue(owner="alice", name="t", scopes="read:user")
    writers: set[str] = set()
    begin = any_store._database.transaction

    def transaction() -> Any:
        writers.add(threading.current_thread().name)
        return begin()

    any_store._database.transaction = transaction
    assert ask(gate, "/api/v1/user", issued.secret) == 200
    until(lambda: any_store.show(issued.token.id).last_used_at is not None, "writing")
    assert writers == {"scopeware-background"}


def test_it_is_written_without_a_log(any_store: TokenStore, any_gate: Any) -> None:
    """The log goes nowhere; the token was used all the same."""
    gate = any_gate(flush=FLUSH, to=())
    issued = any_store.issue(owner="alice", name="t", scopes="read:user")
    assert ask(gate, "/api/v1/user", issued.secret) == 200
    until(lambda: any_store.show(issued.token.id).last_used_at is not None, "writing")
    assert gate.access_log.latest() == []


def test_no_request_fails_after_the_store_was_closed(any_store: TokenStore, any_gate: Any) -> None:
    """It is refused, as it should be."""
    gate = any_gate(flush=FLUSH)
    issued = any_store.issue(owner="alice", name="t", scopes="read:user")
    assert ask(gate, "/api/v1/user", issued.secret) == 200
    any_store.close()
    assert ask(gate, "/api/v1/user", issued.secret) == 503
    with pytest.raises(StoreUnavailable):
        any_store.show(issued.token.id)
