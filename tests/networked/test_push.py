"""Word of changes: it arrives at once where it can, and where it cannot, `max_staleness` holds."""

from __future__ import annotations

import itertools
import logging
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from types import SimpleNamespace

import pytest
from networked_helpers import LIVE, in_background, listeners, until, watch
from processes import answer, in_child
from services import CuttableProxy, address_of, drop_connections, free_port, run_sql, through

from scopeware.tokens import push as push_module
from scopeware.tokens.urls import database_at

LONG = 30
"""What `max_staleness` is where a message has to be faster."""
SOON = 3.0
"""Within how long a message has arrived: it takes milliseconds, but for machines that are busy with something else."""
RECOVERED = 5.0
"""Within how long a channel that works again is listened to: it is tried every second."""


@pytest.fixture(params=["postgres-notify", "postgres-redis", "mariadb-redis"])
def kind(request):
    """A database, and how its changes are announced."""
    return request.param


@pytest.fixture
def url(kind, request):
    """The database."""
    return request.getfixturevalue(f"{kind.partition('-')[0]}_url")


@pytest.fixture
def push(kind, redis_url):
    """The channel."""
    return "notify" if kind.endswith("notify") else redis_url


@pytest.fixture
def redis(redis_url):
    """A client of Redis."""
    import redis

    with redis.Redis.from_url(redis_url) as client:
        yield client


def channel_of(url):
    """What Redis calls the channel of a database."""
    return f"scopeware:{url.rpartition('/')[2]}"


_numbers = itertools.count()


def made_by(store, name="ci"):
    """A token that `store` issues."""
    return store.issue(owner="alice", name=name, scopes="write:issue")


def listening(store, other):
    """Wait until `store` hears of what `other` does."""
    first = made_by(other, f"first {next(_numbers)}")
    assert answer(store, first.secret) == LIVE

    def told_once():
        heard = store._known._era
        other.set_role("alice", "user")
        end = time.monotonic() + 0.2
        while store._known._era == heard and time.monotonic() < end:
            time.sleep(0.001)
        return store._known._era > heard

    # Several times in a row: who has lost the channel takes everything for changed now and then, too.
    until(lambda: all(told_once() for _ in range(4)), "listening", RECOVERED)
    # What was told is all heard before anything else is.
    time.sleep(0.1)


# -- messages arrive


def test_a_change_arrives_in_another_process_at_once(url, push, connect, elsewhere):
    """Long before the bound is over, and again and again."""
    store = connect(url, push=push)
    elsewhere.connect(url, push=push, max_staleness=LONG)
    seconds = []
    for number in range(10):
        issued = made_by(store, f"ci{number}")
        elsewhere.watch(issued.secret)
        store.revoke(issued.token.id)
        revoked = time.monotonic()
        _, refused, said = elsewhere.seen()
        assert said == "token_revoked"
        seconds.append(refused - revoked)
    assert max(seconds) < SOON
    assert sorted(seconds)[5] < 0.5


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(lambda store, token: store.disable_owner("alice"), "owner_inactive", id="disabled-owner"),
        pytest.param(lambda store, token: store.set_role("alice", "viewer"), "read:issue", id="narrower-role"),
        pytest.param(lambda store, token: store.edit(token.id, scopes="read:issue"), "read:issue", id="narrowed"),
        pytest.param(lambda store, token: store.rotate(token.id), "token_rotated", id="rotated"),
    ],
)
def test_every_kind_of_change_is_announced(change, expected, postgres_url, connect):
    """To another store of the same process, too."""
    store, asked = connect(postgres_url), connect(postgres_url, push="notify", max_staleness=LONG)
    issued = made_by(store)
    listening(asked, store)
    assert answer(asked, issued.secret) == LIVE
    watching = in_background(lambda: watch(asked, issued.secret))
    change(store, issued.token)
    changed = time.monotonic()
    _, refused, said = watching.result(LONG)
    assert said == expected
    assert refused - changed < SOON


def test_without_a_channel_nothing_arrives(url, push, connect):
    """So the tests of the channel are about something; nor does a change that nobody announced."""
    store, deaf, hearing = (
        connect(url, push=push),
        *(connect(url, max_staleness=LONG, **options) for options in ({}, {"push": push})),
    )
    issued, unannounced = made_by(store), made_by(store, "unannounced")
    listening(hearing, store)
    for asked in (deaf, hearing):
        assert {answer(asked, one.secret) for one in (issued, unannounced)} == {LIVE}
    run_sql(url, f"UPDATE scopeware_token SET revoked_at = 1 WHERE id = {unannounced.token.id}")
    time.sleep(0.3)
    assert answer(hearing, unannounced.secret) == LIVE
    store.revoke(issued.token.id)
    until(lambda: answer(hearing, issued.secret) == "token_revoked", "the message", SOON)
    # It says only that something has changed; what has, is read.
    assert answer(hearing, unannounced.secret) == "token_revoked"
    assert {answer(deaf, one.secret) for one in (issued, unannounced)} == {LIVE}


def test_what_changes_while_listening_begins_is_not_missed(url, push, connect):
    """A token that was looked up before the channel was there is looked up again once it is."""
    store = connect(url, push=push)
    for number in range(10):
        issued = made_by(store, f"ci{number}")
        asked = connect(url, push=push, max_staleness=LONG)
        assert answer(asked, issued.secret) == LIVE
        time.sleep(0.004 * number)
        store.revoke(issued.token.id)
        until(lambda asked=asked, issued=issued: answer(asked, issued.secret) == "token_revoked", "the message", SOON)
        asked.close()


@pytest.mark.parametrize("beat", [0.0005, 0.002])
def test_no_message_is_missed_while_the_line_is_tested(beat, kind, url, push, monkeypatch):
    """However often that is: messages that come while something else is waited for are not lost."""
    monkeypatch.setattr(push_module, "_BEAT_SECONDS", beat)
    monkeypatch.setattr(push_module, "_MOST_SILENT_BEATS", 1_000_000)
    database = database_at(url)
    database.set_channel("notify" if push == "notify" else f"{push}?socket_timeout=2")
    heard = threading.Event()
    stop = threading.Event()
    failures = []

    def listen():
        try:
            with database.channel.connected() as wait:
                heard.set()
                while not stop.is_set():
                    if wait():
                        heard.set()
        except Exception as error:
            failures.append(error)

    listening = threading.Thread(target=listen, daemon=True)
    listening.start()
    assert heard.wait(5)
    try:
        for number in range(200):
            heard.clear()
            with database.changing():
                pass
            assert heard.wait(3), f"message {number} was not heard: {failures}"
    finally:
        stop.set()
        listening.join(5)
        database.close()
    assert failures == []


# -- channels that are down


@pytest.mark.parametrize(("database", "how"), [("postgres_url", "cut"), ("mariadb_url", "refuse")])
def test_the_bound_holds_while_redis_is_away(how, database, redis_url, request, connect):
    """Silent or not there at all; afterwards messages arrive again, and what was missed is made up for."""
    bound = 1.0
    url = request.getfixturevalue(database)
    with CuttableProxy(address_of(redis_url)) as proxy:
        store = connect(url, push=redis_url)
        brief = connect(url, push=through(redis_url, proxy), max_staleness=bound)
        patient = connect(url, push=through(redis_url, proxy), max_staleness=LONG)
        listening(brief, store)
        listening(patient, store)
        missed = made_by(store)
        until(lambda: answer(patient, missed.secret) == LIVE, "asking")
        getattr(proxy, how)()
        for number in range(3):
            issued = made_by(store, f"ci{number}")
            assert answer(brief, issued.secret) == LIVE
            time.sleep(0.1 * number)
            watching = in_background(lambda issued=issued: watch(brief, issued.secret))
            store.revoke(issued.token.id)
            revoked = time.monotonic()
            accepted, _, said = watching.result(LONG)
            assert said == "token_revoked"
            assert accepted < revoked + bound
        store.revoke(missed.token.id)
        proxy.restore()
        restored = time.monotonic()
        until(lambda: answer(patient, missed.secret) == "token_revoked", "what was missed", RECOVERED)
        assert time.monotonic() - restored < RECOVERED
        listening(patient, store)
        again = made_by(store, "again")
        assert answer(patient, again.secret) == LIVE
        store.revoke(again.token.id)
        until(lambda: answer(patient, again.secret) == "token_revoked", "the message", SOON)
        brief.close()
        patient.close()


def test_a_subscription_that_was_reset_for_a_moment_is_made_up_for(mariadb_url, redis_url, connect):
    """It is back before anyone notices; a message that came meanwhile must not be missed for that."""
    with CuttableProxy(address_of(redis_url)) as proxy:
        store = connect(mariadb_url, push=redis_url)
        asked = connect(mariadb_url, push=through(redis_url, proxy), max_staleness=LONG)
        listening(asked, store)
        for number in range(3):
            issued = made_by(store, f"ci{number}")
            until(lambda issued=issued: answer(asked, issued.secret) == LIVE, "asking")
            proxy.refuse()
            store.revoke(issued.token.id)
            proxy.restore()
            until(lambda issued=issued: answer(asked, issued.secret) == "token_revoked", "what was missed", RECOVERED)
        asked.close()


def test_the_bound_holds_when_the_connection_that_listens_is_dropped(postgres_url, connect, caplog):
    """And it is back soon: messages arrive again, and what was missed is made up for. One warning is enough."""
    bound = 1.0
    store = connect(postgres_url)
    brief = connect(postgres_url, push="notify", max_staleness=bound)
    patient = connect(postgres_url, push="notify", max_staleness=LONG)
    listening(brief, store)
    listening(patient, store)
    for number in range(3):
        issued = made_by(store, f"ci{number}")
        for asked in (brief, patient):
            until(lambda asked=asked, issued=issued: answer(asked, issued.secret) == LIVE, "asking")
        drop_connections(postgres_url)
        watching = in_background(lambda issued=issued: watch(brief, issued.secret))
        store.revoke(issued.token.id)
        revoked = time.monotonic()
        accepted, _, said = watching.result(LONG)
        assert said == "token_revoked"
        assert accepted < revoked + bound
        until(lambda issued=issued: answer(patient, issued.secret) == "token_revoked", "what was missed", RECOVERED)
        listening(patient, store)
    warnings = [record for record in caplog.records if "not heard of at once" in record.message]
    assert 0 < len(warnings) <= 2 * 3


def test_the_bound_holds_while_the_server_is_silent_and_messages_arrive_afterwards(postgres_url, connect):
    """The line that listens is silent as well, and is not taken for one that works."""
    with CuttableProxy(address_of(postgres_url)) as proxy:
        store = connect(postgres_url)
        asked = connect(through(postgres_url, proxy), push="notify", max_staleness=LONG)
        listening(asked, store)
        issued = made_by(store)
        until(lambda: answer(asked, issued.secret) == LIVE, "asking")
        proxy.cut()
        store.revoke(issued.token.id)
        proxy.restore()
        until(lambda: answer(asked, issued.secret) == "token_revoked", "the message", RECOVERED)
        asked.close()


@pytest.mark.parametrize(("database", "how"), [("postgres_url", "cut"), ("mariadb_url", "refuse")])
def test_a_redis_that_is_away_from_the_start_is_in_nobodys_way(how, database, redis_url, request, connect, caplog):
    """Tokens are issued, used and revoked as without it, and it is said in the log that the others are not told."""
    url = request.getfixturevalue(database)
    with CuttableProxy(address_of(redis_url)) as proxy:
        getattr(proxy, how)()
        begun = time.monotonic()
        store = connect(url, push=through(redis_url, proxy))
        issued = made_by(store)
        assert time.monotonic() - begun < 5
        assert answer(store, issued.secret) == LIVE
        begun = time.monotonic()
        assert store.revoke(issued.token.id)
        assert time.monotonic() - begun < 5
        assert answer(store, issued.secret) == "token_revoked"
        assert "cannot be announced" in caplog.text
        store.close()


def test_a_channel_that_comes_later_is_used(mariadb_url, redis_url, connect, monkeypatch):
    """Nobody has to start anything again, neither who announces nor who listens."""
    monkeypatch.setattr(push_module, "_QUIET_SECONDS", 0.5)
    with CuttableProxy(address_of(redis_url)) as proxy:
        proxy.refuse()
        push = through(redis_url, proxy)
        store, asked = connect(mariadb_url, push=push), connect(mariadb_url, push=push, max_staleness=LONG)
        assert answer(asked, made_by(store).secret) == LIVE
        proxy.restore()
        listening(asked, store)
        issued = made_by(store, "later")
        assert answer(asked, issued.secret) == LIVE
        store.revoke(issued.token.id)
        until(lambda: answer(asked, issued.secret) == "token_revoked", "the message", SOON)
        asked.close()


# -- threads and forks


def test_a_closed_store_listens_no_more(url, push, connect):
    """Its thread ends, and so does its connection."""
    store = connect(url, push=push)
    before = set(listeners())
    assert answer(store, made_by(store).secret) == LIVE
    [thread] = set(listeners()) - before
    listening(store, connect(url, push=push))
    store.close()
    thread.join(5)
    assert not thread.is_alive()
    store.close()


def test_a_closed_store_listens_no_more_while_its_server_is_silent(kind, url, push, connect):
    """Nothing in the process waits for ever."""
    with CuttableProxy(address_of(url if push == "notify" else push)) as proxy:
        place = through(url, proxy) if push == "notify" else url
        store = connect(place, push=push if push == "notify" else through(push, proxy))
        before = set(listeners())
        assert answer(store, made_by(store).secret) == LIVE
        [thread] = set(listeners()) - before
        listening(store, connect(url, push=push))
        proxy.cut()
        # Long enough for it to have tested the line.
        time.sleep(1.5)
        store._known.close()
        try:
            thread.join(8)
            assert not thread.is_alive()
        finally:
            proxy.restore()


def test_nobody_listens_before_anything_is_asked(url, push, connect):
    """Who only issues tokens, as the command line does, starts no thread."""
    store = connect(url, push=push)
    before = set(listeners())
    issued = made_by(store)
    store.revoke(issued.token.id)
    assert set(listeners()) <= before
    assert answer(store, issued.secret) == "token_revoked"
    assert len(set(listeners()) - before) == 1


def test_threads_that_ask_first_at_the_same_time_start_one_listener(postgres_url, connect, monkeypatch):
    """Another one would not end when the store is closed."""
    store = connect(postgres_url, push="notify")
    issued = made_by(store)
    before = set(listeners())
    barrier = threading.Barrier(2)

    def getpid():
        with suppress(threading.BrokenBarrierError):
            barrier.wait(0.5)
        return os.getpid()

    monkeypatch.setattr(push_module, "os", SimpleNamespace(getpid=getpid))
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda _: answer(store, issued.secret), range(2))) == [LIVE, LIVE]
    started = set(listeners()) - before
    try:
        store.close()
        for thread in started:
            thread.join(3)
        assert [thread.is_alive() for thread in started] == [False]
    finally:
        for thread in started:
            for argument in getattr(thread, "_args", ()):
                if isinstance(argument, threading.Event):
                    argument.set()


@pytest.mark.parametrize(
    "known",
    [
        False,
        True,
    ],
    ids=["strange-to-the-parent", "known-to-the-parent"],
)
def test_a_forked_child_listens_for_itself(known, url, push, connect, elsewhere):
    """And so does its parent, as before."""
    store = connect(url, push=push, max_staleness=LONG)
    elsewhere.connect(url, push=push)
    other = connect(url, push=push)
    listening(store, other)
    issued = made_by(other)
    if known:
        until(lambda: answer(store, issued.secret) == LIVE, "asking")
        # It stays known: nothing changes any more.
        time.sleep(0.2)
        assert answer(store, issued.secret) == LIVE

    def child():
        assert answer(store, issued.secret) == LIVE
        assert answer(store, issued.secret) == LIVE
        time.sleep(0.5)
        assert elsewhere.do("revoke", issued.token.id) == "True"
        begun = time.monotonic()
        while answer(store, issued.secret) == LIVE and time.monotonic() < begun + SOON:
            time.sleep(0.005)
        return answer(store, issued.secret), len(listeners())

    assert in_child(child) == ("token_revoked", 1)
    until(lambda: answer(store, issued.secret) == "token_revoked", "the message", SOON)
    listening(store, other)


# -- floods


@pytest.mark.parametrize("payload", [b"changed", b"\x00\xff" * 500, b""], ids=["changed", "garbage", "nothing"])
def test_a_flood_of_messages_does_no_harm(payload, mariadb_url, redis_url, redis, connect, caplog):
    """Whoever writes to the channel can make a store ask more often, and nothing else."""
    store = connect(mariadb_url, push=redis_url, max_staleness=LONG)
    issued, other = made_by(store), made_by(store, "other")
    listening(store, connect(mariadb_url, push=redis_url))
    with closing(redis.pipeline(transaction=False)) as pipeline:
        for _ in range(20_000):
            pipeline.publish(channel_of(mariadb_url), payload)
        flooding = in_background(pipeline.execute)
        said = set()
        while not flooding.done():
            said.add(answer(store, issued.secret))
        assert min(flooding.result()) > 0
    assert said == {LIVE}
    elsewhere = connect(mariadb_url, push=redis_url)
    elsewhere.revoke(other.token.id)
    until(lambda: answer(store, other.secret) == "token_revoked", "the message", RECOVERED)
    assert answer(store, issued.secret) == LIVE
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_flood_of_notifications_does_no_harm(postgres_url, connect, caplog):
    """The same for PostgreSQL's own; other channels of the database are not listened to."""
    store = connect(postgres_url, push="notify", max_staleness=LONG)
    issued, other = made_by(store), made_by(store, "other")
    elsewhere = connect(postgres_url)
    listening(store, elsewhere)
    flood = "DO $$ BEGIN FOR n IN 1..20000 LOOP PERFORM pg_notify('{}', repeat('x', 50) || n); END LOOP; END $$"
    heard = store._known._era
    run_sql(postgres_url, flood.format("another"))
    time.sleep(0.2)
    assert store._known._era == heard
    flooding = in_background(lambda: [run_sql(postgres_url, flood.format("scopeware")) for _ in range(3)])
    said = set()
    while not flooding.done():
        said.add(answer(store, issued.secret))
    flooding.result()
    assert said == {LIVE}
    until(lambda: store._known._era > heard, "the flood")
    elsewhere.revoke(other.token.id)
    until(lambda: answer(store, other.secret) == "token_revoked", "the message", RECOVERED)
    assert answer(store, issued.secret) == LIVE
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_port_where_nobody_is_costs_nothing(mariadb_url, connect):
    """A Redis that was taken down for good: fifty changes are made as fast as without one."""
    store = connect(mariadb_url, push=f"redis://127.0.0.1:{free_port()}/0")
    begun = time.monotonic()
    for number in range(50):
        made_by(store, f"ci{number}")
    assert time.monotonic() - begun < 5
