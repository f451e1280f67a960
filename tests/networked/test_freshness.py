"""For how long an answer may be behind: `max_staleness`, never longer, whatever happens meanwhile."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from networked_helpers import LIVE, in_background, until
from processes import answer
from services import run_sql

from scopeware.tokens import LiveToken
from scopeware.tokens.secret import SecretFormat

REVOKE = "UPDATE scopeware_token SET revoked_at = 1, live_name = NULL WHERE id = {}"
REVIVE = "UPDATE scopeware_token SET revoked_at = NULL WHERE id = {}"
LONG = 3600
"""Longer than any test: what is seen before that is not seen because the time was over."""


# -- asked each time


@pytest.mark.parametrize("options", [{"max_staleness": 0}, {"max_staleness": LONG, "cache_size": 0}], ids=str)
def test_who_asks_each_time_sees_any_change_at_the_very_next_call(options, url, connect):
    """Changes made by hand, too, in both directions."""
    store = connect(url, **options)
    issued = store.issue(owner="alice", name="ci", scopes="write:issue")
    for _ in range(5):
        assert answer(store, issued.secret) == LIVE
        run_sql(url, REVOKE.format(issued.token.id))
        assert answer(store, issued.secret) == "token_revoked"
        run_sql(url, REVIVE.format(issued.token.id))
        assert answer(store, issued.secret) == LIVE
        run_sql(url, "UPDATE scopeware_owner SET role = 'viewer'")
        assert answer(store, issued.secret) == "read:issue"
        run_sql(url, "UPDATE scopeware_owner SET role = 'user', active = FALSE")
        assert answer(store, issued.secret) == "owner_inactive"
        run_sql(url, "UPDATE scopeware_owner SET active = TRUE")
    run_sql(url, "DELETE FROM scopeware_token")
    assert answer(store, issued.secret) == "token_invalid"


def test_a_refusal_is_never_remembered(url, connect):
    """What becomes good is good at once."""
    store = connect(url, max_staleness=LONG)
    issued = store.issue(owner="alice", name="ci", scopes="write:issue")
    run_sql(url, REVOKE.format(issued.token.id))
    assert answer(store, issued.secret) == "token_revoked"
    run_sql(url, REVIVE.format(issued.token.id), "UPDATE scopeware_owner SET active = FALSE")
    assert answer(store, issued.secret) == "owner_inactive"
    run_sql(url, "UPDATE scopeware_owner SET active = TRUE")
    assert answer(store, issued.secret) == LIVE


def test_a_token_that_was_seen_is_remembered_for_as_long_as_was_said(url, connect):
    """And a token that was not is looked up: so the tests of the bound are about something."""
    store = connect(url, max_staleness=LONG)
    seen, unseen = (store.issue(owner="alice", name=name, scopes="write:issue") for name in ("seen", "unseen"))
    assert answer(store, seen.secret) == LIVE
    run_sql(url, *(REVOKE.format(issued.token.id) for issued in (seen, unseen)))
    assert answer(store, seen.secret) == LIVE
    assert answer(store, unseen.secret) == "token_revoked"


# -- the bound


@pytest.mark.parametrize("bound", [0.3, None], ids=["0.3-seconds", "by-default"])
def test_no_token_is_accepted_later_than_the_bound_after_its_revocation(bound, url, connect):
    """Tokens that another store revokes, at any moment of the time for which they are remembered.

    There is no allowance for slow machines: what counts is when a request began, and one that began after the bound is
    refused however late the others were.
    """
    revoking = connect(url)
    asked = connect(url) if bound is None else connect(url, max_staleness=bound)
    bound = bound or 1.0
    made = [revoking.issue(owner="alice", name=f"ci{number}", scopes="write:issue") for number in range(40)]
    accepted = dict.fromkeys((issued.token.id for issued in made), 0.0)
    refused = set()
    revoked = {}
    stop = threading.Event()

    def ask():
        while not stop.is_set():
            for issued in made:
                begun = time.monotonic()
                if isinstance(asked.authenticate(issued.secret), LiveToken):
                    accepted[issued.token.id] = max(begun, accepted[issued.token.id])
                else:
                    refused.add(issued.token.id)
            time.sleep(0.002)

    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(ask) for _ in range(2)]
        try:
            until(lambda: all(accepted.values()), "asking")
            for issued in made:
                revoking.revoke(issued.token.id)
                revoked[issued.token.id] = time.monotonic()
                time.sleep(1.5 * bound / len(made))
            until(lambda: len(refused) == len(made), "refusing", bound + 5)
            time.sleep(0.1)
        finally:
            stop.set()
        for one in asking:
            one.result()
    late = sorted(accepted[token] - revoked[token] for token in revoked)
    assert late[-1] < bound
    # They were remembered: some were accepted for a good while.
    assert late[-1] > bound / 3


def test_another_process_refuses_within_the_bound(url, store, elsewhere):
    """By default that is a second."""
    elsewhere.connect(url)
    for number in range(2):
        issued = store.issue(owner="alice", name=f"ci{number}", scopes="write:issue")
        elsewhere.watch(issued.secret)
        store.revoke(issued.token.id)
        revoked = time.monotonic()
        accepted, _, said = elsewhere.seen()
        assert said == "token_revoked"
        assert accepted < revoked + 1.0


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(lambda store, token: store.revoke(token.id), "token_revoked", id="revoked"),
        pytest.param(lambda store, token: store.rotate(token.id), "token_rotated", id="rotated"),
        pytest.param(lambda store, token: store.edit(token.id, scopes="read:issue"), "read:issue", id="narrowed"),
        pytest.param(lambda store, token: store.disable_owner("alice"), "owner_inactive", id="disabled-owner"),
        pytest.param(lambda store, token: store.set_role("alice", "viewer"), "read:issue", id="narrower-role"),
    ],
)
def test_a_process_sees_its_own_change_at_once(change, expected, url, connect):
    """In every thread."""
    store = connect(url, max_staleness=LONG)
    issued = store.issue(owner="alice", name="ci", scopes="write:issue")
    with ThreadPoolExecutor(1) as pool:
        assert answer(store, issued.secret) == LIVE
        assert pool.submit(answer, store, issued.secret).result() == LIVE
        change(store, issued.token)
        assert answer(store, issued.secret) == expected
        assert pool.submit(answer, store, issued.secret).result() == expected


def test_no_thread_accepts_a_token_after_its_revocation_was_reported_here(url, connect):
    """Threads that ask without pause while another one revokes."""
    store = connect(url, max_staleness=LONG)
    made = [store.issue(owner="alice", name=f"ci{number}", scopes="write:issue") for number in range(30)]
    reported = set()
    late = []
    rounds = []
    stop = threading.Event()

    def ask():
        while not stop.is_set():
            for issued in made:
                dead = issued.token.id in reported
                if isinstance(store.authenticate(issued.secret), LiveToken) and dead:
                    late.append(issued.token.id)
            rounds.append(1)

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        try:
            until(lambda: len(rounds) > 4, "asking")
            for issued in made:
                store.revoke(issued.token.id)
                reported.add(issued.token.id)
            seen = len(rounds)
            until(lambda: len(rounds) > seen + 4, "asking again")
        finally:
            stop.set()
        for one in asking:
            one.result()
    assert late == []
    assert {answer(store, issued.secret) for issued in made} == {"token_revoked"}


# -- clocks


def test_a_token_that_expires_while_it_is_remembered_is_refused(url, connect):
    """To the second, and no other token with it."""
    store = connect(url, max_staleness=LONG)
    brief = store.issue(owner="alice", name="brief", scopes="write:issue", expires_in=timedelta(seconds=1))
    other = store.issue(owner="alice", name="other", scopes="write:issue", expires_in=timedelta(hours=1))
    expiry = brief.token.expires_at.timestamp()
    accepted = 0.0
    assert answer(store, other.secret) == LIVE
    while True:
        begun = time.time()
        said = answer(store, brief.secret)
        if said != LIVE:
            break
        accepted = begun
        assert begun < expiry
    assert said == "token_expired"
    assert expiry - 0.1 < accepted
    run_sql(url, REVOKE.format(other.token.id))
    assert answer(store, other.secret) == LIVE


class Clock:
    """The time of day that a store sees."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test can set."""
    clock = Clock()
    for module in ("known", "known_by_lease"):
        monkeypatch.setattr(f"scopeware.tokens.{module}.time", clock)
    return clock


@pytest.mark.parametrize("jump", [-86_400, -1, 86_400], ids=["back-a-day", "back-a-second", "on-a-day"])
@pytest.mark.parametrize("when", ["before it is seen", "while it is remembered"])
def test_a_clock_that_is_set_prolongs_nothing(jump, when, clock, url, connect):
    """The time of day has no say in how long a token is remembered, whether it expires one day or never."""
    bound = 0.3
    store = connect(url, max_staleness=bound)
    made = [
        store.issue(owner="alice", name=f"expires in {length}", scopes="write:issue", expires_in=length)
        for length in ("30d", "never")
    ]
    if when == "before it is seen":
        clock.ahead = jump
    assert [answer(store, issued.secret) for issued in made] == [LIVE, LIVE]
    clock.ahead = jump
    run_sql(url, *(REVOKE.format(issued.token.id) for issued in made))
    revoked = time.monotonic()
    accepted = 0.0
    while True:
        begun = time.monotonic()
        clock.ahead += jump / 100
        if LIVE not in [answer(store, issued.secret) for issued in made]:
            break
        accepted = begun
        assert begun < revoked + bound + 5
        time.sleep(0.005)
    assert accepted < revoked + bound
    assert [answer(store, issued.secret) for issued in made] == ["token_revoked"] * 2


# -- look-ups under way


class Barrier:
    """Holds a look-up after it has read the row, until it is told to go on."""

    def __init__(self, store, monkeypatch) -> None:
        self.read, self.go_on = threading.Event(), threading.Event()
        select = store._database.select

        def held(statement, *values):
            row = select(statement, *values)
            if "digest" in statement and not self.read.is_set():
                self.read.set()
                assert self.go_on.wait(20)
            return row

        monkeypatch.setattr(store._database, "select", held)


def test_a_look_up_that_a_revocation_overtook_is_not_remembered(url, connect, monkeypatch):
    """It was begun before and may say so; whoever asks afterwards is refused."""
    store = connect(url, max_staleness=LONG)
    issued = store.issue(owner="alice", name="ci", scopes="write:issue")
    barrier = Barrier(store, monkeypatch)
    asking = in_background(lambda: answer(store, issued.secret))
    assert barrier.read.wait(10)
    store.revoke(issued.token.id)
    barrier.go_on.set()
    assert asking.result(10) in (LIVE, "token_revoked")
    for _ in range(3):
        assert answer(store, issued.secret) == "token_revoked"


def test_a_look_up_that_nothing_overtook_is_remembered(url, connect, monkeypatch):
    """However long it was held."""
    store = connect(url, max_staleness=LONG)
    issued = store.issue(owner="alice", name="ci", scopes="write:issue")
    barrier = Barrier(store, monkeypatch)
    asking = in_background(lambda: answer(store, issued.secret))
    assert barrier.read.wait(10)
    barrier.go_on.set()
    assert asking.result(10) == LIVE
    run_sql(url, REVOKE.format(issued.token.id))
    assert answer(store, issued.secret) == LIVE


@pytest.mark.parametrize("channel", ["notify", "redis"])
def test_a_look_up_that_a_message_overtook_is_not_remembered(
    channel, postgres_url, redis_url, connect, elsewhere, monkeypatch
):
    """Another process has revoked the token, and said so, while the row was on its way."""
    push = redis_url if channel == "redis" else "notify"
    store = connect(postgres_url, max_staleness=LONG, push=push)
    elsewhere.connect(postgres_url, push=push)
    issued, first = (store.issue(owner="alice", name=name, scopes="write:issue") for name in ("ci", "first"))
    # From here on it listens.
    assert answer(store, first.secret) == LIVE
    elsewhere.do("add_owner", "bob")
    heard = store._known._era
    until(lambda: not elsewhere.do("set_role", "bob", "viewer") or store._known._era > heard, "listening")
    barrier = Barrier(store, monkeypatch)
    asking = in_background(lambda: answer(store, issued.secret))
    assert barrier.read.wait(10)
    heard = store._known._era
    assert elsewhere.do("revoke", issued.token.id) == "True"
    until(lambda: store._known._era > heard, "the message")
    barrier.go_on.set()
    assert asking.result(10) in (LIVE, "token_revoked")
    for _ in range(3):
        assert answer(store, issued.secret) == "token_revoked"


def test_an_answer_that_took_longer_than_the_bound_is_not_remembered(url, connect, monkeypatch):
    """The bound is counted from before the question."""
    bound = 0.3
    store = connect(url, max_staleness=bound)
    issued = store.issue(owner="alice", name="ci", scopes="write:issue")
    barrier = Barrier(store, monkeypatch)
    asking = in_background(lambda: answer(store, issued.secret))
    assert barrier.read.wait(10)
    run_sql(url, REVOKE.format(issued.token.id))
    time.sleep(bound)
    barrier.go_on.set()
    assert asking.result(10) in (LIVE, "token_revoked")
    assert answer(store, issued.secret) == "token_revoked"


# -- how much is remembered


def test_no_more_tokens_are_remembered_than_was_said(url, connect):
    """The last ones are; asked by many threads, too."""
    store = connect(url, max_staleness=LONG, cache_size=5)
    made = [store.issue(owner="alice", name=f"ci{number}", scopes="write:issue") for number in range(12)]

    def ask():
        sizes = set()
        for issued in made:
            assert answer(store, issued.secret) == LIVE
            sizes.add(len(store._known._by_digest))
        return max(sizes)

    assert ask() == 5
    with ThreadPoolExecutor(8) as pool:
        assert max(pool.map(lambda _: ask(), range(8))) <= 5 + 8  # each thread may be about to make room
    assert ask() == 5
    run_sql(url, "UPDATE scopeware_token SET revoked_at = 1")
    assert [answer(store, issued.secret) for issued in made[-5:]] == [LIVE] * 5
    assert [answer(store, issued.secret) for issued in made[:-5]] == ["token_revoked"] * 7


def test_strange_tokens_are_not_remembered_at_all(url, connect):
    """Whoever guesses fills no memory, and makes nobody forget what was seen."""
    store = connect(url, max_staleness=LONG, cache_size=5)
    issued = store.issue(owner="alice", name="ci", scopes="write:issue")
    assert answer(store, issued.secret) == LIVE
    form = SecretFormat(store.prefix)
    assert {answer(store, form.generate()) for _ in range(20)} == {"token_invalid"}
    assert {answer(store, f"{issued.secret[:-1]}!") for _ in range(20)} == {"token_invalid"}
    run_sql(url, REVOKE.format(issued.token.id))
    assert answer(store, issued.secret) == LIVE
    assert len(store._known._by_digest) == 1
