"""From the request to the sink: in the background, whatever the sink does."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import tempfile
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from access_log_helpers import ask, ask_many, entries, paths_in, until
from services import CuttableProxy, address_of, run_sql, through

from scopeware import ConfigurationError, Policy, Scopeware, TokenStore
from scopeware.policy import LogOptions
from scopeware.tokens import LogEntry

FLUSH = timedelta(seconds=0.05)
NEVER = timedelta(hours=1)
NO_TIME = 1.0
"""No request may take so long, in seconds; what they must not wait for takes longer. One takes a tenth of a
millisecond, but others use this machine, too."""


class Sink:
    """Takes entries, keeps them, and remembers how it was called; may be dead, or hang."""

    def __init__(self) -> None:
        self.taken: list[LogEntry] = []
        self.batches: list[int] = []
        self.threads: set[str] = set()
        self.refused = 0
        self.dead = False
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def __call__(self, entries: Sequence[LogEntry]) -> None:
        self.threads.add(threading.current_thread().name)
        if not self.may_go_on.wait(60):
            raise TimeoutError("the test forgot about it")
        if self.dead:
            self.refused += 1
            raise OSError("the sink is dead")
        self.batches.append(len(entries))
        self.taken += entries

    @property
    def paths(self) -> list[str]:
        return [entry.path for entry in self.taken]


@pytest.fixture
def sink() -> Iterator[Sink]:
    """It goes on after the test, so that nothing waits for it."""
    sink = Sink()
    yield sink
    sink.dead = False
    sink.may_go_on.set()


def plain(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answers, and keeps nothing."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"the application"]


@pytest.fixture
def gate_to(make_gate: Any, sink: Sink) -> Callable[..., Scopeware]:
    """``gate_to(to=(...), most=100)``: a gate that writes to :func:`sink`, and to what is named."""

    def make(**options: Any) -> Scopeware:
        log = LogOptions(**({"to": (), "flush": FLUSH} | options))
        return make_gate(app=plain, access_log=log, log_sink=sink)

    return make


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written but by `flush`, so that a test can say when."""
    monkeypatch.setattr("scopeware.tokens.background.Background._start", lambda self: None)


def numbered(count: int, start: int = 0, kind: str = "") -> list[str]:
    return [f"/api/v1/user/{kind}{number}" for number in range(start, start + count)]


# -- in the background


def test_no_request_writes(gate_to: Any, sink: Sink, issue: Any) -> None:
    """It is done by a thread of its own, some rows at a time, allowed and denied ones."""
    gate = gate_to()
    secret = issue("read:user")
    ask_many(gate, numbered(300), secret)
    ask_many(gate, numbered(100, 300))
    until(lambda: len(sink.taken) == 400, "writing")
    assert sink.paths == numbered(400)
    assert sink.threads == {"scopeware-background"}
    assert len(sink.batches) < 100


def test_no_request_writes_to_the_database(gate_to: Any, store: TokenStore, issue: Any) -> None:
    """Nobody holds the lock for writing in the thread of a request."""
    writers: set[str] = set()
    gate = gate_to(to=("database",))
    begin = store._database.transaction

    def transaction() -> Any:
        writers.add(threading.current_thread().name)
        return begin()

    secret = issue("read:user")
    store._database.transaction = transaction
    ask_many(gate, numbered(50), secret)
    until(lambda: len(gate.access_log.latest()) == 50, "writing")
    assert writers == {"scopeware-background"}


@pytest.mark.parametrize("count", [1, 1_000, 2_500])
def test_sinks_get_a_bounded_number_at_a_time(gate_to: Any, sink: Sink, no_threads: None, count: int) -> None:
    """All of them, in order."""
    gate = gate_to()
    ask_many(gate, numbered(count))
    gate.access_log.flush()
    assert sink.paths == numbered(count)
    assert sink.batches == [1_000] * (count // 1_000) + [count % 1_000] * (count % 1_000 > 0)


def test_rows_are_written_after_the_flush_interval_without_another_request(gate_to: Any, sink: Sink) -> None:
    """The last one is not left waiting for the next; a longer pause in between is none of its business."""
    gate = gate_to()
    for number in range(1, 3):
        ask(gate, "/api/v1/user")
        until(lambda count=number: len(sink.taken) == count, "writing")
        time.sleep(FLUSH.total_seconds() * 8)


def test_a_longer_flush_interval_is_waited_for(gate_to: Any, sink: Sink) -> None:
    """A deployment that wants fewer and larger writes gets them."""
    gate = gate_to(flush=timedelta(seconds=2.5))
    ask(gate, "/api/v1/user")
    time.sleep(1.5)
    assert sink.taken == []
    until(lambda: sink.taken, "writing", 3)


def test_the_thread_goes_when_there_is_nothing_to_do_and_comes_again(gate_to: Any, sink: Sink) -> None:
    """A process with many stores does not keep a thread for each."""

    def threads() -> list[threading.Thread]:
        return [each for each in threading.enumerate() if each.name == "scopeware-background"]

    others = threads()
    gate = gate_to()
    for number in range(2):
        ask(gate, "/api/v1/user")
        assert set(threads()) > set(others)
        until(lambda: set(threads()) <= set(others), "ending")
        assert len(sink.taken) == number + 1


def test_threads_lose_and_repeat_nothing(gate_to: Any, sink: Sink, issue: Any) -> None:
    """Many at once, while it is written and flushed all the time."""
    gate = gate_to(flush=timedelta(milliseconds=1))
    secret = issue("read:user")
    threads = [
        threading.Thread(target=ask_many, args=(gate, numbered(60, kind=f"{name}-"), secret if name % 2 else None))
        for name in range(16)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        gate.access_log.flush()
    gate.access_log.flush()
    assert Counter(sink.paths) == Counter(path for name in range(16) for path in numbered(60, kind=f"{name}-"))
    for name in range(16):
        assert [path for path in sink.paths if f"/{name}-" in path] == numbered(60, kind=f"{name}-")


def test_several_sinks_get_the_same(gate_to: Any, sink: Sink, tmp_path: Path, issue: Any) -> None:
    """The database, a file and a callable."""
    gate = gate_to(to=("database", f"file:{tmp_path}/log.jsonl"))
    ask_many(gate, numbered(30), issue("read:user"))
    found = entries(gate)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [entry.path for entry in found] == numbered(30)
    assert found == sink.taken
    assert lines == [entry.as_dict() for entry in found]


@pytest.mark.parametrize("to", [(), ("stdout",)])
def test_where_no_database_is_asked_for_none_is_written(
    gate_to: Any, sink: Sink, capsys: pytest.CaptureFixture[str], to: tuple[str, ...]
) -> None:
    """The rows go where they were sent to."""
    gate = gate_to(to=to)
    ask_many(gate, numbered(3))
    assert entries(gate) == []
    assert sink.paths == numbered(3)
    assert [json.loads(line)["path"] for line in capsys.readouterr().out.splitlines()] == (numbered(3) if to else [])


def test_a_place_that_cannot_be_written_is_refused_at_once(make_gate: Any, tmp_path: Path) -> None:
    """Not when the first row is lost."""
    for place in (tmp_path / "missing" / "log.jsonl", tmp_path):
        with pytest.raises(ConfigurationError) as caught:
            make_gate(access_log=LogOptions(to=(f"file:{place}",)))
        assert caught.value.where == "access_log.to"
    make_gate(access_log=LogOptions(to=(f"file:{tmp_path}/log.jsonl",)))


def test_the_policy_says_where_it_goes(app: Any, store: TokenStore, tmp_path: Path) -> None:
    """Unless the gate is told otherwise."""
    text = f"""
    [access_log]
    to = ["file:{tmp_path}/log.jsonl"]
    allowed = 0
    [[group]]
    path = "/"
    scopes = ["user"]
    """
    for options, lines, rows in (({}, 1, 0), ({"access_log": LogOptions()}, 1, 1)):
        gate = Scopeware(app, Policy.loads(text), store, **options)
        ask(gate, "/")
        assert len(entries(gate)) == rows
        assert len((tmp_path / "log.jsonl").read_text().splitlines()) == lines


# -- what is left out


def test_a_sample_of_allowed_requests_keeps_all_refusals(gate_to: Any, sink: Sink, issue: Any, store: Any) -> None:
    """And what would have been one."""
    gate = gate_to(allowed=0.1)
    secret = issue("read:user")
    ask_many(gate, numbered(1_000, kind="a"), secret)
    ask_many(gate, numbered(100, kind="d"))
    gate.access_log.flush()
    kept = Counter(entry.decision for entry in sink.taken)
    # Six standard deviations around a hundred.
    assert 43 <= kept["allowed"] <= 157
    assert kept["denied"] == 100


@pytest.mark.parametrize(("allowed", "rows"), [(0.0, 0), (1.0, 50)])
def test_none_and_all_are_samples_too(gate_to: Any, sink: Sink, issue: Any, allowed: float, rows: int) -> None:
    """Refusals are kept with both; so is when the token was used."""
    gate = gate_to(allowed=allowed)
    secret = issue("read:user")
    ask_many(gate, numbered(50), secret)
    ask_many(gate, numbered(50))
    gate.access_log.flush()
    gate.access_log.flush()
    assert Counter(entry.decision for entry in sink.taken) == Counter(allowed=rows, denied=50)
    assert gate.store.find(secret).last_used_at is not None


def test_a_sample_keeps_what_is_reported(make_gate: Any, sink: Sink, issue: Any) -> None:
    """It is what report mode is for."""
    gate = make_gate(mode="report", access_log=LogOptions(to=(), allowed=0.0), log_sink=sink)
    secret = issue("read:misc")
    for path in ("/api/v1/user", "/api/v1/anyone"):
        assert ask(gate, path, secret) == 200
    gate.access_log.flush()
    assert [(entry.decision, entry.code) for entry in sink.taken] == [("reported", "insufficient_scope")]


# -- a sink that is dead


def test_a_dead_sink_fails_no_request_and_slows_none(
    gate_to: Any, sink: Sink, issue: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once that it is dead, and once that it is not any more; then it gets all it has missed, in order."""
    gate = gate_to()
    secret = issue("read:user")
    sink.dead = True
    assert ask_many(gate, numbered(100), secret) < NO_TIME
    assert ask_many(gate, numbered(100, 100)) < NO_TIME
    until(lambda: sink.refused >= 3, "trying again")
    assert sink.taken == []
    sink.dead = False
    until(lambda: len(sink.taken) == 200, "delivering")
    assert sink.paths == numbered(200)
    assert gate.access_log.dropped == 0

    def said() -> list[tuple[int, str]]:
        own = [record for record in caplog.records if record.name == "scopeware.tokens"]
        return [(record.levelno, record.getMessage()) for record in own]

    until(lambda: len(said()) > 1, "saying so")
    assert [level for level, _ in said()] == [logging.ERROR, logging.WARNING]
    assert said()[0][1] == "the access log cannot be written to a callable: the sink is dead"


def test_one_dead_sink_does_not_keep_rows_from_another(gate_to: Any, sink: Sink, tmp_path: Path) -> None:
    """Whichever comes first."""
    gate = gate_to(to=("database", f"file:{tmp_path}/log.jsonl"))
    run_sql(f"sqlite:///{tmp_path}/tokens.db", "ALTER TABLE scopeware_access_log RENAME TO away")
    ask_many(gate, numbered(5))
    gate.access_log.flush()
    run_sql(f"sqlite:///{tmp_path}/tokens.db", "ALTER TABLE away RENAME TO scopeware_access_log")
    assert sink.paths == numbered(5)
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 5
    assert [entry.path for entry in entries(gate)] == numbered(5)
    assert sink.paths == numbered(5)


def test_allowed_rows_are_dropped_and_counted_where_too_many_wait(
    gate_to: Any, sink: Sink, issue: Any, no_threads: None
) -> None:
    """Never refusals: none is missing after all of it, and each row was either delivered or counted."""
    gate = gate_to(most=100)
    secret = issue("read:user")
    sink.dead = True
    for round_ in range(5):
        ask_many(gate, numbered(60, round_ * 100, "a"), secret)
        ask_many(gate, numbered(40, round_ * 100, "d"))
        gate.access_log.flush()
    sink.dead = False
    gate.access_log.flush()
    kept = Counter(entry.decision for entry in sink.taken)
    assert kept["denied"] == 200
    assert kept["allowed"] + gate.access_log.dropped == 300
    assert gate.access_log.dropped > 0
    assert set(sink.paths) >= {path for round_ in range(5) for path in numbered(40, round_ * 100, "d")}


def refusals_in_order(gate: Scopeware, sink: Sink, rounds: int, each: int) -> None:
    """Refuse some requests, with a flush after each round, while the sink is dead; then let it live."""
    sink.dead = True
    for round_ in range(rounds):
        ask_many(gate, numbered(each, round_ * each))
        gate.access_log.flush()
    sink.dead = False
    gate.access_log.flush()


DISK_FIRST = pytest.mark.xfail(strict=True, reason="what went to disk at once is delivered before what came earlier")


@pytest.mark.parametrize(
    ("rounds", "each"),
    [
        pytest.param(1, 40, id="in memory"),
        pytest.param(2, 60, id="on disk"),
        pytest.param(3, 50, id="first in memory and then on disk"),
        pytest.param(1, 250, id="so many at once that some go to disk at once", marks=DISK_FIRST),
        pytest.param(4, 50, id="on disk and then in memory"),
        pytest.param(2, 150, id="both at once, and again", marks=DISK_FIRST),
    ],
)
def test_refusals_are_all_delivered_in_order(
    gate_to: Any, sink: Sink, no_threads: None, rounds: int, each: int
) -> None:
    """None is lost, none comes twice, however many there were while the sink was dead."""
    gate = gate_to(most=100)
    refusals_in_order(gate, sink, rounds, each)
    assert sink.paths == numbered(rounds * each)


@pytest.mark.parametrize(("rounds", "each"), [(3, 50), (5, 70), (2, 2_500)])
def test_no_refusal_is_lost_or_repeated(gate_to: Any, sink: Sink, no_threads: None, rounds: int, each: int) -> None:
    """Wherever they waited."""
    gate = gate_to(most=100)
    refusals_in_order(gate, sink, rounds, each)
    assert Counter(sink.paths) == Counter(numbered(rounds * each))
    assert gate.access_log.dropped == 0


MOODS = {
    "every other time": lambda call: call % 2 == 1,
    "but for the second call": lambda call: call != 1,
    "but for every third": lambda call: call % 3 != 2,
}


@pytest.mark.parametrize("mood", MOODS)
@pytest.mark.parametrize("most", [100, 5_000], ids=["on disk", "in memory"])
def test_a_sink_that_comes_and_goes_gets_every_refusal(
    gate_to: Any, sink: Sink, no_threads: None, most: int, mood: str
) -> None:
    """A server that restarts takes some, and then nothing again; whatever it did not take waits on."""
    gate = gate_to(most=most)
    sink.dead = True
    ask_many(gate, numbered(1_200))
    gate.access_log.flush()
    calls = iter(range(100_000))

    def moody(given: Sequence[LogEntry]) -> None:
        sink.dead = MOODS[mood](next(calls))
        sink(given)

    gate.access_log._deliveries[0]._sink = moody
    for _ in range(3):
        gate.access_log.flush()
    gate.access_log._deliveries[0]._sink = sink
    sink.dead = False
    gate.access_log.flush()
    assert Counter(sink.paths) == Counter(numbered(1_200))


@pytest.mark.parametrize("count", [1, 2, 1_500])
def test_rows_that_a_living_sink_does_not_take_hold_up_no_others(
    gate_to: Any, sink: Sink, no_threads: None, count: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Wherever they stand among others; each is told of, and left out."""
    gate = gate_to()

    def picky(given: Sequence[LogEntry]) -> None:
        if any(entry.path.endswith("odd") for entry in given):
            raise ValueError("that is no row")
        sink(given)

    gate.access_log._deliveries[0]._sink = picky
    ask_many(gate, [*numbered(count), "/api/v1/user/odd", *numbered(count, count), "/api/v1/user/odd"])
    for _ in range(3):
        gate.access_log.flush()
    ask_many(gate, numbered(3, 2 * count))
    gate.access_log.flush()
    assert sink.paths == numbered(2 * count + 3)
    assert "that is no row" in caplog.text


def test_memory_stays_bounded_while_a_sink_is_dead(gate_to: Any, sink: Sink, issue: Any, no_threads: None) -> None:
    """Ten times as many requests take no more of it."""
    gate = gate_to(most=100)
    secret = issue("read:user")
    sink.dead = True

    def drive(rounds: int) -> None:
        for _ in range(rounds):
            ask_many(gate, numbered(100), secret)
            ask_many(gate, numbered(100))
            gate.access_log.flush()

    drive(2)
    tracemalloc.start()
    try:
        drive(1)
        few, _ = tracemalloc.get_traced_memory()
        drive(5)
        many, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A row takes about a kilobyte; there were a thousand more of them.
    assert many - few < 100_000
    sink.dead = False
    gate.access_log.flush()
    assert sum(entry.decision == "denied" for entry in sink.taken) == 800


def test_a_full_disk_fails_no_request(
    gate_to: Any, sink: Sink, tmp_path: Path, no_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where refusals cannot even wait on disk, they are lost rather than unanswered."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    gate = gate_to(most=100)
    sink.dead = True
    for path in numbered(150):
        assert ask(gate, path) == 401


def test_a_full_disk_keeps_no_rows_from_another_sink(
    make_gate: Any, sink: Sink, tmp_path: Path, no_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that lives gets all of them."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    gate = make_gate(access_log=LogOptions(most=100), log_sink=sink)
    run_sql(f"sqlite:///{tmp_path}/tokens.db", "ALTER TABLE scopeware_access_log RENAME TO away")
    for start in (0, 80):
        ask_many(gate, numbered(80, start))
        gate.access_log.flush()
    run_sql(f"sqlite:///{tmp_path}/tokens.db", "ALTER TABLE away RENAME TO scopeware_access_log")
    assert sink.paths == numbered(160)


@pytest.mark.xfail(strict=True, reason="a thread that cannot be started fails the request")
def test_a_thread_that_cannot_be_started_fails_no_request(
    gate_to: Any, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a container allows no more of them for a moment; the rows are written once it does."""
    gate = gate_to()
    with monkeypatch.context() as patch:

        def start(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        patch.setattr(threading.Thread, "start", start)
        assert ask(gate, "/api/v1/user/0") == 401
    assert ask(gate, "/api/v1/user/1") == 401
    until(lambda: len(sink.taken) == 2, "writing", 3)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_sink_that_ends_its_thread_is_dead_for_a_while_only(gate_to: Any, sink: Sink) -> None:
    """Timeouts of some libraries are no `Exception` either."""
    gate = gate_to()
    called: list[int] = []

    def ending(given: Sequence[LogEntry]) -> None:
        called.append(len(given))
        if len(called) == 1:
            raise GeneratorExit
        sink(given)

    gate.access_log._deliveries[0]._sink = ending
    ask(gate, "/api/v1/user/0")
    until(lambda: called, "writing")
    ask(gate, "/api/v1/user/1")
    until(lambda: sink.paths == numbered(2), "writing", 1)


# -- rows that a database cannot take

LONG = timedelta(hours=1).total_seconds()


@pytest.mark.parametrize(
    "owner",
    [
        pytest.param("cn=" + "x" * 300, id="a long one"),
        pytest.param("a\x00b", id="NUL"),
        pytest.param("a" * 255, id="just short enough"),
    ],
)
def test_an_owner_that_the_database_cannot_take_holds_up_no_other_row(
    any_store: TokenStore, policy: Policy, app: Any, no_threads: None, owner: str
) -> None:
    """Names of sessions are not the store's own, and may be anything: it is a refusal, and so are those that follow."""
    gate = Scopeware(
        app,
        policy,
        any_store,
        identify=lambda environ: owner if environ["PATH_INFO"].endswith("odd") else "bob",
    )
    for name in ("before", "odd", "after"):
        assert ask(gate, f"/api/v1/users/x/mail/{name}") == 403
    gate.access_log.flush()
    assert [entry.path.rpartition("/")[2] for entry in entries(gate)] == ["before", "odd", "after"]


@pytest.mark.parametrize("seconds", [LONG, 60.0], ids=["an hour", "a minute"])
def test_an_answer_that_takes_long_holds_up_no_other_row(
    any_gate: Any,
    any_store: TokenStore,
    no_threads: None,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
) -> None:
    """A stream of events may last for hours, and is a row with its length; from half an hour on, with that."""
    gate = any_gate()
    secret = any_store.issue(owner="alice", name="t", scopes="read:user").secret
    passed = [0.0]
    for module in ("middleware", "visit"):
        clock = f"scopeware.gate.{module}.perf_counter"
        monkeypatch.setattr(clock, lambda: time.perf_counter() + passed[0])
    ask(gate, "/api/v1/user/before", secret)

    def streaming(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"x"
        passed[0] = seconds

    plain, gate.app = gate.app, streaming
    ask(gate, "/api/v1/user/odd", secret)
    gate.app = plain
    ask(gate, "/api/v1/user/after", secret)
    found = entries(gate)
    assert [entry.path.rpartition("/")[2] for entry in found] == ["before", "odd", "after"]
    assert min(seconds, (2**31 - 1) / 1e6) <= found[1].duration / 1e6 < seconds + NO_TIME


# -- a sink that hangs


def test_a_hanging_sink_slows_no_request(gate_to: Any, sink: Sink, issue: Any) -> None:
    """Not even when so much waits that it is dropped, or goes to disk; then it gets all refusals, in order."""
    gate = gate_to(most=100)
    secret = issue("read:user")
    sink.may_go_on.clear()
    ask(gate, "/api/v1/user/first")
    until(lambda: sink.threads, "writing")
    assert ask_many(gate, numbered(150, kind="a"), secret) < NO_TIME
    assert ask_many(gate, numbered(400)) < NO_TIME
    assert sink.taken == []
    sink.may_go_on.set()
    refused = ["/api/v1/user/first", *numbered(400)]
    until(lambda: sum(entry.decision == "denied" for entry in sink.taken) == len(refused), "delivering")
    assert [entry.path for entry in sink.taken if entry.decision == "denied"] == refused
    until(lambda: len(sink.taken) - len(refused) + gate.access_log.dropped == 150, "delivering the rest")
    assert gate.access_log.dropped >= 50


@pytest.mark.xfail(strict=True, reason="all sinks are written to by one thread, one after the other")
def test_a_hanging_sink_keeps_no_rows_from_another(gate_to: Any, sink: Sink, store: TokenStore) -> None:
    """The database gets its rows all the while."""
    gate = gate_to(to=("database",))
    sink.may_go_on.clear()
    ask(gate, "/api/v1/user/0")
    until(lambda: sink.threads, "writing")
    ask(gate, "/api/v1/user/1")
    until(lambda: len(gate.access_log.latest()) == 2, "writing to the database", 1)


def test_a_locked_database_slows_no_request(gate_to: Any, issue: Any, tmp_path: Path) -> None:
    """Somebody holds SQLite's lock for writing; whoever waits for it is not a request."""
    gate = gate_to(to=("database",))
    secret = issue("read:user")
    ask(gate, "/api/v1/user/first", secret)
    gate.access_log.flush()
    with closing(sqlite3.connect(tmp_path / "tokens.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        end = time.monotonic() + 0.6
        slowest, count = 0.0, 0
        while time.monotonic() < end:
            slowest = max(
                slowest, ask_many(gate, numbered(10, count), secret), ask_many(gate, numbered(10, count + 10))
            )
            count += 20
        assert len(gate.access_log.latest(limit=100_000)) == 1
        other.execute("ROLLBACK")
    # Who waits for the lock does so for seconds.
    assert slowest < NO_TIME
    assert [entry.path for entry in entries(gate)] == ["/api/v1/user/first", *numbered(count)]


def test_a_database_that_was_moved_away_gets_its_rows_when_it_is_back(
    gate_to: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLite's files, with all their rows."""
    gate = gate_to(to=("database",))
    ask(gate, "/api/v1/user/0")
    gate.access_log.flush()
    names = [path.name for path in tmp_path.iterdir() if path.name.startswith("tokens.db")]
    for name in names:
        os.rename(tmp_path / name, tmp_path / f"away-{name}")
    assert ask_many(gate, numbered(100, 1)) < NO_TIME
    gate.access_log.flush()
    assert "cannot be written" in caplog.text
    for name in names:
        os.rename(tmp_path / f"away-{name}", tmp_path / name)
    assert [entry.path for entry in entries(gate)] == numbered(101)


@pytest.mark.parametrize("server", ["own_postgres", "own_mariadb"])
def test_a_server_that_was_stopped_gets_its_rows_when_it_is_back(
    request: Any, server: str, policy: Policy, app: Any
) -> None:
    """All refusals in order, those that say that it could not be asked included; no request waits for the log."""
    own = request.getfixturevalue(server)
    own.start()
    url = own.new_database()
    store = TokenStore.connect(url)
    try:
        gate = Scopeware(app, policy, store, access_log=LogOptions(flush=FLUSH))
        secret = store.issue(owner="alice", name="t", scopes="read:user").secret
        assert ask(gate, "/api/v1/user/0", secret) == 200
        gate.access_log.flush()
        own.stop()
        assert ask_many(gate, numbered(100, 1)) < NO_TIME
        until(lambda: ask(gate, "/api/v1/user/asked", secret) == 503, "noticing")
        assert ask_many(gate, numbered(100, 101)) < NO_TIME
        own.start()
        until(lambda: ask(gate, "/api/v1/version", secret) == 200, "coming back")
        until(lambda: f"{numbered(1, 200)[0]}" in paths_in(url), "delivering")
        found = [path for path in paths_in(url) if path not in ("/api/v1/user/asked", "/api/v1/version")]
        assert found == numbered(201)
        assert (503, "store_unavailable") in {(entry.status, entry.code) for entry in entries(gate)}
        assert gate.access_log.dropped == 0
    finally:
        own.start()
        store.close()


@pytest.mark.parametrize("server", ["postgres", "mariadb"])
def test_a_silent_network_slows_no_request(
    server: str, shared_databases: Any, policy: Policy, app: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is answered and nothing refused: the writer waits for seconds, and nobody else does."""
    url = shared_databases(server)
    run_sql(url, "DELETE FROM scopeware_access_log")
    with CuttableProxy(address_of(url)) as proxy:
        store = TokenStore.connect(through(url, proxy))
        gate = Scopeware(app, policy, store, access_log=LogOptions(flush=FLUSH))
        ask(gate, "/api/v1/user/0")
        gate.access_log.flush()
        proxy.cut()
        ask(gate, "/api/v1/user/1")
        time.sleep(FLUSH.total_seconds() * 4)
        assert ask_many(gate, numbered(100, 2)) < NO_TIME
        proxy.restore()
        until(lambda: len(paths_in(url)) >= 102, "delivering")
        store.close()
    assert paths_in(url) == numbered(102)


def test_a_dead_database_is_told_of_once_where_old_rows_are_to_go(
    gate_to: Any, tmp_path: Path, no_threads: None, caplog: pytest.LogCaptureFixture
) -> None:
    """As an error; not with every flush, which is every second."""
    gate = gate_to(to=("database",), keep=timedelta(days=1))
    run_sql(f"sqlite:///{tmp_path}/tokens.db", "ALTER TABLE scopeware_access_log RENAME TO away")
    for number in range(5):
        ask(gate, f"/api/v1/user/{number}")
        gate.access_log.flush()
    run_sql(f"sqlite:///{tmp_path}/tokens.db", "ALTER TABLE away RENAME TO scopeware_access_log")
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1


# -- a file of lines


def test_a_file_is_readable_by_nobody_else_and_is_appended_to(gate_to: Any, tmp_path: Path) -> None:
    """Whatever the umask; a line that was there stays."""
    path = tmp_path / "log.jsonl"
    before = os.umask(0)
    try:
        gate = gate_to(to=(f"file:{path}",))
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    for number in range(3):
        ask(gate, f"/api/v1/user/{number}")
        gate.access_log.flush()
        assert [json.loads(line)["path"] for line in path.read_text().splitlines()] == numbered(number + 1)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_may_be_moved_away(gate_to: Any, tmp_path: Path) -> None:
    """As logrotate does: the next row starts a new one, readable by nobody else either; none is lost."""
    path = tmp_path / "log.jsonl"
    gate = gate_to(to=(f"file:{path}",))
    for number in range(3):
        ask(gate, f"/api/v1/user/{number}")
        gate.access_log.flush()
        os.rename(path, tmp_path / f"log.jsonl.{number}")
    for number in range(3):
        [line] = (tmp_path / f"log.jsonl.{number}").read_text().splitlines()
        assert json.loads(line)["path"] == f"/api/v1/user/{number}"
        assert (tmp_path / f"log.jsonl.{number}").stat().st_mode & 0o777 == 0o600


def test_a_relative_file_stays_where_it_was_at_the_start(
    gate_to: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers change into other directories."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    gate = gate_to(to=("file:log.jsonl",))
    monkeypatch.chdir(tmp_path / "elsewhere")
    ask(gate, "/api/v1/user")
    gate.access_log.flush()
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 1


def test_each_row_is_a_line(gate_to: Any, make_gate: Any, tmp_path: Path) -> None:
    """Whatever is in it: line breaks of any kind, letters of any script."""
    path = tmp_path / "log.jsonl"
    gate = gate_to(to=(f"file:{path}",))
    odd = ["a\nb", "a\r\nb", "\u0085", "日本".encode().decode("latin-1"), "\u2028".encode().decode("latin-1"), '"}{"']
    for text in odd:
        ask(gate, f"/api/v1/user/{text}")
    found = entries(gate)
    gate.access_log.flush()
    lines = path.read_bytes().splitlines()
    assert found == []
    assert len(lines) == len(odd)
    assert all(json.loads(line)["code"] for line in lines)
    assert json.loads(lines[3])["path"] == "/api/v1/user/日本"


@pytest.mark.xfail(strict=True, reason="a batch that did not fit is written again as a whole, after half a line")
def test_a_file_system_that_was_full_leaves_no_torn_line(gate_to: Any, tmp_path: Path, no_threads: None) -> None:
    """Some of a batch fits, and the rest does not: each line can be read in the end."""
    import resource

    path = tmp_path / "log.jsonl"
    gate = gate_to(to=(f"file:{path}",))
    ask_many(gate, numbered(20))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Nothing else is written by this process meanwhile.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        gate.access_log.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.stat().st_size == 1_000
    gate.access_log.flush()
    paths = [json.loads(line)["path"] for line in path.read_text().splitlines()]
    assert set(paths) == set(numbered(20))
