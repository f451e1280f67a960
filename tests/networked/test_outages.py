"""Servers that restart, connections that are dropped, networks that fall silent, pools that run dry, forks.

Whatever happens, no answer is wrong: a token is what it is in the database, or nobody can say.
"""

from __future__ import annotations

import gc
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from networked_helpers import LIVE, in_background, until
from processes import answer, in_child
from services import address_of, drop_connections, kind_of, run_sql, through

from scopeware import Scopeware
from scopeware.tokens import (
    Account,
    Issued,
    LiveToken,
    NameTaken,
    StoreUnavailable,
    TokenRefused,
    TokenStore,
    networked,
)
from scopeware.tokens.secret import SecretFormat

RECOVERY_SECONDS = 2.5
"""Within how long a store notices that its server is back: a second, and time for slow machines."""
SILENCE_SECONDS = 12
"""For how long a silent network may hold up whoever asks: for a look-up that was under way, and one more attempt."""

OTHERS = {
    "postgres": "SELECT pid, state, wait_event FROM pg_stat_activity"
    " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()",
    "mariadb": "SELECT id, state, info FROM information_schema.processlist"
    " WHERE db = database() AND id <> connection_id()",
}
OWN_ID = {"postgres": "SELECT pg_backend_pid()", "mariadb": "SELECT connection_id()"}
ROWS = [
    f"SELECT {columns} FROM scopeware_{table} ORDER BY id"
    for table, columns in {
        "owner": "id, name, role, active",
        "token": "id, parent_id, successor_id, name, live_name, scopes, hint, expires_at, rotated_at, revoked_at",
    }.items()
]


def connections(url):
    """What the server says of the connections to a database: number, state, what it waits for or runs."""
    return run_sql(url, OTHERS[kind_of(url)])


def server_side(store, url):
    """By which number the server knows the connection that answers next."""
    return store._database.select(OWN_ID[kind_of(url)])[0]


def rows(url):
    """All owners and tokens."""
    return [run_sql(url, statement) for statement in ROWS]


@contextmanager
def asking(ask: Callable[[], None], threads: int = 4):
    """Threads that call `ask` again and again; what it raises is raised in the end."""
    stop = threading.Event()

    def loop():
        while not stop.is_set():
            ask()

    with ThreadPoolExecutor(threads) as pool:
        done = [pool.submit(loop) for _ in range(threads)]
        try:
            yield
        finally:
            stop.set()
    for one in done:
        one.result()


@pytest.fixture
def own_url(own):
    """A database on a server that the test may stop."""
    return own.new_database()


# -- servers that go and come back


@pytest.mark.parametrize(("how", "staleness"), [("stop", 0), ("kill", 0), ("kill", 1)])
def test_no_answer_is_wrong_while_a_server_restarts(how, staleness, own, own_url, connect):
    """A token that lives, one that is revoked, one that never was: right, or unavailable; and soon right again."""
    store = connect(own_url, max_staleness=staleness)
    live = store.issue(owner="alice", name="live", scopes="write:issue")
    dead = store.issue(owner="alice", name="dead", scopes="write:issue")
    store.revoke(dead.token.id)
    never = SecretFormat(store.prefix).generate()
    answers = defaultdict(set)

    def ask():
        for what, secret in (("live", live.secret), ("dead", dead.secret), ("never", never)):
            answers[what].add(answer(store, secret))
        time.sleep(0.001)

    with asking(ask):
        until(lambda: len(answers) == 3 and all(answers.values()), "asking")
        getattr(own, how)()
        until(lambda: all("unavailable" in said for said in answers.values()), "noticing")
        own.start()
        until(lambda: answer(store, live.secret) == LIVE, "recovering", RECOVERY_SECONDS)
    assert answers == {
        "live": {LIVE, "unavailable"},
        "dead": {"token_revoked", "unavailable"},
        "never": {"token_invalid", "unavailable"},
    }


def test_known_tokens_pass_until_the_bound_is_over_and_no_longer(own, own_url, connect, call, policy, app):
    """Then there is a 503 that says when to come again, and the application is not called; until the server is back."""
    bound = 1.5
    store = connect(own_url, max_staleness=bound)
    known = store.issue(owner="alice", name="known", scopes="write:issue")
    strange = store.issue(owner="alice", name="strange", scopes="write:issue")
    gate = Scopeware(app, policy, store)

    def ask(secret, path="/api/v1/issues"):
        return call(gate, "GET", path, **({"authorization": f"Bearer {secret}"} if secret else {}))

    assert ask(known.secret).status == 200
    own.kill()
    gone = time.monotonic()
    passed = []
    while True:
        begun = time.monotonic()
        calls = app.calls
        reply = ask(known.secret)
        if reply.status != 200:
            break
        passed.append(begun - gone)
        time.sleep(0.01)
    assert (reply.status, reply.code, app.calls) == (503, "store_unavailable", calls)
    assert int(reply.header("Retry-After")) > 0
    # What was known was read before the server was gone, and what counts is when a request began.
    assert passed
    assert max(passed) < bound
    for secret in (strange.secret, known.secret):
        begun = time.monotonic()
        reply = ask(secret)
        assert (reply.status, app.calls) == (503, calls)
        assert time.monotonic() - begun < 1
    assert ask(known.secret[:-1] + "!").status == 401
    assert ask(None, "/api/v1/version").status == 200
    own.start()
    until(lambda: ask(strange.secret).status == 200, "recovering", RECOVERY_SECONDS)
    assert ask(known.secret).status == 200


def test_what_is_changed_while_the_server_is_gone_is_refused_and_not_kept(own, own_url, connect):
    """An error, at once; and afterwards all is as it was."""
    store = connect(own_url)
    issued = store.issue(owner="alice", name="ci", scopes="write:issue")
    before = rows(own_url)
    own.kill()
    begun = time.monotonic()
    for change in (
        lambda: store.revoke(issued.token.id),
        lambda: store.issue(owner="bob", name="ci", scopes="write:issue"),
        lambda: store.disable_owner("alice"),
        store.list,
    ):
        with pytest.raises(StoreUnavailable):
            change()
    assert time.monotonic() - begun < 3
    own.start()
    until(lambda: answer(store, issued.secret) == LIVE, "recovering", RECOVERY_SECONDS)
    assert rows(own_url) == before
    assert store.revoke(issued.token.id)
    assert answer(store, issued.secret) == "token_revoked"


def test_a_store_that_starts_while_the_server_is_gone_answers_once_it_is_there(
    own, own_url, connect, call, policy, app
):
    """Where it does not migrate. What needs no token is served meanwhile, what does is a 503."""
    secret = connect(own_url).issue(owner="alice", name="ci", scopes="write:issue").secret
    empty = own.new_database()
    own.kill()
    gate = Scopeware(app, policy, connect(own_url, migrate=False))
    unprepared = connect(empty, migrate=False)
    with pytest.raises(StoreUnavailable):
        connect(own_url)

    def ask(path, **headers):
        return call(gate, "GET", path, **headers)

    assert ask("/api/v1/version").status == 200
    reply = ask("/api/v1/issues", authorization=f"Bearer {secret}")
    assert (reply.status, reply.code, app.calls) == (503, "store_unavailable", 1)
    own.start()
    until(lambda: ask("/api/v1/issues", authorization=f"Bearer {secret}").status == 200, "recovering", RECOVERY_SECONDS)
    # The tables are looked at then: a database without them does not say that there is no such token.
    time.sleep(1)
    assert answer(unprepared, secret) == "unavailable"


# -- connections that are dropped


def test_dropped_connections_are_replaced_and_nobody_notices(url, connect):
    """As long as the server answers, every look-up is answered, the one that was under way included."""
    store = connect(url, max_staleness=0)
    issued = store.issue(owner="alice", name="ci", scopes="write:issue")
    answers = set()
    dropped = []
    with asking(lambda: answers.add(answer(store, issued.secret)), threads=1):
        for _ in range(8):
            # Long enough for it to have another one: one that cannot be made is an outage.
            time.sleep(0.2)
            dropped.append(drop_connections(url))
    assert sum(dropped) >= 5
    assert answers == {LIVE}


def test_a_connection_that_comes_back_broken_spoils_no_second_attempt(url, connect, monkeypatch):
    """Whoever was given a dropped connection asks again on one that cannot have been dropped."""
    store = connect(url, max_staleness=0)
    issued = store.issue(owner="alice", name="ci", scopes="write:issue")
    taken, release, gone = threading.Event(), threading.Event(), threading.Event()

    def hold():
        with store._database.session():
            taken.set()
            release.wait(10)
        gone.set()

    close_idle = store._database._pool.close_idle

    def close_and_let_go():
        close_idle()
        release.set()
        assert gone.wait(10)

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold)
        assert taken.wait(10)
        assert answer(store, issued.secret) == LIVE
        assert drop_connections(url) == 2
        monkeypatch.setattr(store._database._pool, "close_idle", close_and_let_go)
        try:
            assert answer(store, issued.secret) == LIVE
        finally:
            release.set()
        holding.result()


def test_changes_go_through_on_connections_that_were_dropped_meanwhile(url, connect):
    """The first of them already."""
    store = connect(url)
    for number in range(3):
        issued = store.issue(owner="alice", name=f"ci{number}", scopes="write:issue")
        assert drop_connections(url) > 0
        assert store.revoke(issued.token.id)
        assert drop_connections(url) > 0
        assert answer(store, issued.secret) == "token_revoked"


HOLD = {
    "postgres": [
        "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF {condition} THEN PERFORM pg_sleep(30); END IF; RETURN NEW; END $$",
        "CREATE TRIGGER hold BEFORE {event} ON scopeware_token FOR EACH ROW EXECUTE FUNCTION hold()",
    ],
    "mariadb": [
        "CREATE TRIGGER hold BEFORE {event} ON scopeware_token FOR EACH ROW IF {condition} THEN DO sleep(30); END IF",
    ],
}
LET_GO = {
    "postgres": ["DROP TRIGGER IF EXISTS hold ON scopeware_token", "DROP FUNCTION IF EXISTS hold"],
    "mariadb": ["DROP TRIGGER IF EXISTS hold"],
}
HELD = {"postgres": "PgSleep", "mariadb": "User sleep"}


@pytest.mark.parametrize(
    ("change", "event", "condition"),
    [
        pytest.param(
            lambda store: store.issue(owner="bob", name="new", scopes="write:issue"),
            "INSERT",
            "NEW.name = 'new'",
            id="issue",
        ),
        pytest.param(
            lambda store: store.rotate(store.list()[0].id, grace="1h"), "INSERT", "NEW.name = 'ci'", id="rotate"
        ),
        pytest.param(
            lambda store: store.revoke(store.list()[0].id), "UPDATE", "OLD.name = 'made with it'", id="revoke"
        ),
    ],
)
def test_a_change_whose_connection_is_dropped_half_way_leaves_nothing(change, event, condition, store, issued, url):
    """A new owner without a token, a token without its successor, a token that outlives the one it was made with."""
    parent = store.authenticate(issued.secret)
    assert isinstance(parent, LiveToken)
    store.issue(owner="alice", name="made with it", scopes="read:issue", parent=parent)
    before = rows(url)
    kind = kind_of(url)
    run_sql(url, *(statement.format(event=event, condition=condition) for statement in HOLD[kind]))
    try:
        changing = in_background(lambda: change(store))
        until(lambda: any(HELD[kind] in words for words in connections(url)), "getting half way")
        drop_connections(url)
        with pytest.raises(StoreUnavailable):
            changing.result(5)
    finally:
        run_sql(url, *LET_GO[kind])
    assert rows(url) == before
    assert answer(store, issued.secret) == LIVE
    change(store)
    assert rows(url) != before


@pytest.fixture
def narrow(url, connect):
    """A store with one connection, so that the next who asks has the one that was used last."""
    return connect(f"{url}?max_connections=1", max_staleness=0)


def break_token(store, url):
    """A statement of a transaction fails, as the column it names is gone for a moment."""
    run_sql(url, "ALTER TABLE scopeware_token RENAME COLUMN hint TO hidden")
    try:
        with pytest.raises(StoreUnavailable):
            store.issue(owner="bob", name="ci", scopes="write:issue")
        with pytest.raises(StoreUnavailable):
            store.list()
        assert answer(store, SecretFormat(store.prefix).generate()) == "unavailable"
    finally:
        run_sql(url, "ALTER TABLE scopeware_token RENAME COLUMN hidden TO hint")


def take_name(store, url):
    """A constraint is violated."""
    with pytest.raises(NameTaken):
        store.issue(owner="alice", name="ci", scopes="write:issue")


def refuse_scopes(store, url):
    """A transaction that has added an owner finds that the token may not be."""
    with pytest.raises(TokenRefused):
        store.issue(owner="bob", name="ci", scopes="write:issue", parent=store.authenticate(store.first_secret))


def interrupt(store, url):
    """Whoever is in a transaction is told to end."""

    def end(*arguments):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store._database, "_notify", end)
        with pytest.raises(KeyboardInterrupt):
            store.set_role("alice", "viewer")


@pytest.mark.parametrize("failure", [break_token, take_name, refuse_scopes, interrupt])
def test_a_transaction_that_failed_leaves_a_connection_that_works(failure, narrow, url):
    """No open transaction at the server, no half of it in the tables, no thread of the pool lost."""
    store = narrow
    issued = store.issue(owner="alice", name="ci", scopes="write:issue")
    store.first_secret = issued.secret
    before = rows(url)
    for _ in range(3):
        failure(store, url)
        assert rows(url) == before
        assert "idle in transaction" not in str(connections(url))
        # One that was closed may be there for a moment.
        until(lambda: len(connections(url)) <= 1, "closing")
    until(lambda: answer(store, issued.secret) == LIVE, "recovering", RECOVERY_SECONDS)
    assert store.revoke(issued.token.id)
    assert answer(store, issued.secret) == "token_revoked"


# -- networks that fall silent


def test_a_silent_network_is_a_503_in_bounded_time(url, proxy, connect, call, policy, app):
    """For all who were asking when it fell silent; those who come after them are told at once."""
    store = connect(through(url, proxy), max_staleness=0)
    issued = store.issue(owner="alice", name="ci", scopes="write:issue")
    gate = Scopeware(app, policy, store)

    def ask():
        return call(gate, "GET", "/api/v1/issues", authorization=f"Bearer {issued.secret}")

    assert ask().status == 200
    proxy.cut()
    begun = time.monotonic()
    try:
        asked = [in_background(lambda: answer(store, issued.secret)) for _ in range(3)]
        revoking = in_background(lambda: store.revoke(issued.token.id))
        through_gate = in_background(ask)
        for one in (through_gate, *asked):
            one.exception(max(0.0, begun + SILENCE_SECONDS - time.monotonic()))
        assert through_gate.result().status == 503
        assert through_gate.result().header("Retry-After") is not None
        assert [one.result() for one in asked] == ["unavailable"] * 3
        with pytest.raises(StoreUnavailable):
            revoking.result(max(0.0, begun + SILENCE_SECONDS - time.monotonic()))
        told = time.monotonic()
        assert ask().status == 503
        assert time.monotonic() - told < 0.5
        assert app.calls == 1
    finally:
        proxy.restore()
    until(lambda: ask().status == 200, "recovering", RECOVERY_SECONDS)
    assert store.revoke(issued.token.id)


def test_a_network_that_falls_silent_half_way_ends_a_change(url, proxy, connect, monkeypatch):
    """In bounded time, and nothing of it is there: a new owner without a token, for one."""
    monkeypatch.setattr(networked, "_SESSION_SECONDS", 1)
    cuts = []

    def accounts(name):
        # It is asked in the middle of the transaction, after the owner was added.
        if cuts:
            cuts.pop()
            proxy.cut()
        return Account("user")

    store = connect(through(url, proxy), accounts=accounts)
    before = rows(url)
    cuts.append(1)
    issuing = in_background(lambda: store.issue(owner="alice", name="ci", scopes="write:issue"))
    try:
        with pytest.raises(StoreUnavailable):
            issuing.result(SILENCE_SECONDS)
        assert cuts == []
    finally:
        proxy.restore()
    until(lambda: "idle in transaction" not in str(connections(url)), "giving up")
    assert rows(url) == before
    assert answer(store, store.issue(owner="alice", name="ci", scopes="write:issue").secret) == LIVE


def test_a_silent_network_does_not_hold_up_every_thread(url, proxy, connect):
    """While it is tried whether it is back, the others are told at once."""
    store = connect(through(url, proxy), max_staleness=0)
    issued = store.issue(owner="alice", name="ci", scopes="write:issue")
    proxy.refuse()
    assert answer(store, issued.secret) == "unavailable"
    proxy.cut()
    begun: dict[int, float] = {}
    answers = set()

    def ask():
        me = threading.get_ident()
        begun[me] = time.monotonic()
        answers.add(answer(store, issued.secret))
        del begun[me]
        time.sleep(0.02)

    held_up = []
    with asking(ask, threads=6):
        try:
            end = time.monotonic() + 3.5
            while time.monotonic() < end:
                held_up.append(sum(time.monotonic() - since > 0.5 for since in list(begun.values())))
                time.sleep(0.05)
        finally:
            proxy.restore()
        until(lambda: LIVE in answers, "recovering", 2 * RECOVERY_SECONDS)
    assert answers == {LIVE, "unavailable"}
    # One or two may try; and a machine may be busy.
    assert max(held_up) <= 2


def test_who_waits_for_another_process_to_migrate_is_patient(url, connect, monkeypatch):
    """That is no silence of the network, however long it takes."""
    for patience in ("_CONNECT_SECONDS", "_SILENCE_SECONDS", "_SESSION_SECONDS"):
        monkeypatch.setattr(networked, patience, 0.5)
    name = f"scopeware migration {url.rpartition('/')[2]}"
    holding = {
        "postgres": [f"SELECT pg_advisory_lock({networked._MIGRATION_LOCK})", "SELECT pg_sleep(2)"],
        "mariadb": [f"SELECT get_lock('{name}', 0)", "DO sleep(2)"],
    }[kind_of(url)]
    migrating = in_background(lambda: run_sql(url, *holding))
    until(lambda: any("leep" in str(words) for words in connections(url)), "migrating")
    begun = time.monotonic()
    store = connect(url)
    assert time.monotonic() - begun > 1.3
    migrating.result(5)
    assert store.list() == []


# -- pools


def test_the_number_of_connections_is_bounded(url, proxy, connect):
    """Two are enough for twenty threads that look up and change things; there are never more."""
    store = connect(f"{through(url, proxy)}?max_connections=2", max_staleness=0)
    issued = store.issue(owner="alice", name="ci", scopes="write:issue")
    number = iter(range(1000))

    def work():
        made = store.issue(owner="alice", name=f"token {next(number)}", scopes="write:issue")
        return [answer(store, secret) for secret in [issued.secret, made.secret] * 10]

    with ThreadPoolExecutor(20) as pool:
        done = [pool.submit(work) for _ in range(20)]
        assert [one.result() for one in done] == [[LIVE] * 20] * 20
    # None was replaced: there have not been more, ever.
    assert proxy.accepted == 2
    assert len(connections(url)) == 2


@pytest.fixture
def limited_url(url):
    """The same database by way of a user who may have two connections to it."""
    user = f"u{secrets.token_hex(8)}"
    postgres = kind_of(url) == "postgres"
    name = url.rpartition("/")[2]
    if postgres:
        grant = f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {user}"
        more = [grant, grant.replace("TABLES", "SEQUENCES"), f"GRANT ALL ON SCHEMA public TO {user}"]
        run_sql(url, f"CREATE ROLE {user} LOGIN CONNECTION LIMIT 2", *more)
    else:
        run_sql(url, f"CREATE USER {user}@'%' WITH MAX_USER_CONNECTIONS 2", f"GRANT ALL ON {name}.* TO {user}@'%'")
    host, port = address_of(url)
    yield f"{'postgresql' if postgres else 'mysql'}://{user}@{host}:{port}/{name}"
    drop_connections(url)
    run_sql(url, *([f"DROP OWNED BY {user}", f"DROP ROLE {user}"] if postgres else [f"DROP USER {user}@'%'"]))


def test_a_server_that_gives_no_more_connections_is_not_away(limited_url, connect):
    """Those that a process has go on working, and answer again as soon as one of them is free."""
    store = connect(limited_url, migrate=False, max_staleness=0)
    issued = store.issue(owner="alice", name="ci", scopes="write:issue")
    taken, release = threading.Barrier(3), threading.Event()

    def hold():
        with store._database.session():
            taken.wait(10)
            release.wait(10)

    with ThreadPoolExecutor(2) as pool:
        holding = [pool.submit(hold) for _ in range(2)]
        taken.wait(10)
        assert answer(store, issued.secret) == "unavailable"
        release.set()
        for one in holding:
            one.result()
    until(lambda: answer(store, issued.secret) == LIVE, "recovering", RECOVERY_SECONDS)
    assert store.revoke(issued.token.id)


def test_a_pool_that_is_exhausted_is_a_503_in_bounded_time(narrow, url, call, policy, app):
    """An error of ours, whatever is asked; and as soon as a connection is free again, an answer."""
    store = narrow
    issued = store.issue(owner="alice", name="ci", scopes="write:issue")
    gate = Scopeware(app, policy, store)
    taken, release = threading.Event(), threading.Event()

    def hold():
        with store._database.session():
            taken.set()
            assert release.wait(30)

    with ThreadPoolExecutor(8) as pool:
        holding = pool.submit(hold)
        assert taken.wait(10)
        begun = time.monotonic()
        try:
            asked = [pool.submit(store.authenticate, issued.secret) for _ in range(2)]
            asked += [pool.submit(store.revoke, issued.token.id), pool.submit(store.list)]
            reply = call(gate, "GET", "/api/v1/issues", authorization=f"Bearer {issued.secret}")
            failures = [one.exception(10) for one in asked]
            seconds = time.monotonic() - begun
            patient = pool.submit(store.authenticate, issued.secret)
            time.sleep(0.2)
        finally:
            release.set()
        assert isinstance(patient.result(2), LiveToken)
        holding.result()
    assert (reply.status, reply.code, app.calls) == (503, "store_unavailable", 0)
    assert [type(failure) for failure in failures] == [StoreUnavailable] * 4
    assert "all 1 connections are in use" in str(failures[0])
    assert seconds < 6
    assert answer(store, issued.secret) == LIVE
    assert len(connections(url)) == 1


def test_nothing_is_left_at_a_connection_that_a_pooler_might_give_to_others(postgres_url, connect):
    """PgBouncer gives each transaction another connection to the server: no prepared statement would be there."""
    store = connect(f"{postgres_url}?max_connections=1&prepare_threshold=none", max_staleness=0)
    for number in range(10):
        issued = store.issue(owner="alice", name=f"ci{number}", scopes="write:issue")
        assert answer(store, issued.secret) == LIVE
    assert store._database.select("SELECT count(*) FROM pg_prepared_statements") == (0,)
    assert len(connections(postgres_url)) == 1


# -- forks


def busy(store, url, threads=3):
    """The connections of a pool that several threads have used."""
    barrier = threading.Barrier(threads)

    def use():
        with store._database.session():
            barrier.wait(10)

    with ThreadPoolExecutor(threads) as pool:
        for one in [pool.submit(use) for _ in range(threads)]:
            one.result()
    return {number for number, *_ in connections(url)}


def test_a_forked_child_has_connections_of_its_own(url, connect):
    """The parent's go on working, whatever the child does with its own, and however it ends."""
    store = connect(url, max_staleness=0)
    issued = store.issue(owner="alice", name="ci", scopes="write:issue")
    parents = busy(store, url)

    def child():
        said = [answer(store, issued.secret), server_side(store, url)]
        store.issue(owner="alice", name="made in a child", scopes="write:issue")
        store.close()
        gc.collect()
        return said

    def heir():
        said = [answer(store, issued.secret), in_child(child), server_side(store, url)]
        return [*said, answer(store, issued.secret)]

    said, (grandchilds, grandchilds_own), own, again = in_child(heir)
    assert [said, grandchilds, again] == [LIVE] * 3
    assert {own, grandchilds_own}.isdisjoint(parents)
    assert own != grandchilds_own
    for _ in range(5):
        assert answer(store, issued.secret) == LIVE
        assert server_side(store, url) in parents
    assert store.revoke(issued.token.id)
    assert answer(store, issued.secret) == "token_revoked"
    until(lambda: {number for number, *_ in connections(url)} == parents, "the children's connections to end")


def test_children_and_parent_ask_at_the_same_time(url, connect):
    """Nobody reads an answer that is somebody else's: each asks for a token of its own."""
    store = connect(url, max_staleness=0)
    made = [store.issue(owner=f"owner{number}", name="ci", scopes="write:issue") for number in range(4)]
    busy(store, url)

    def ask(issued: Issued) -> set[str]:
        found = [store.authenticate(issued.secret) for _ in range(150)]
        return {token.owner if isinstance(token, LiveToken) else str(token) for token in found}

    def child(issued: Issued) -> Callable[[], set[str]]:
        return lambda: ask(issued)

    with ThreadPoolExecutor(4) as pool:
        children = [pool.submit(in_child, child(issued)) for issued in made[1:]]
        assert ask(made[0]) == {"owner0"}
        assert [one.result() for one in children] == [{"owner1"}, {"owner2"}, {"owner3"}]


def test_a_fork_while_other_threads_ask_leaves_nothing_locked(url, connect):
    """In the child everything works at once, though the threads that held something in the parent are gone there."""
    store = connect(f"{url}?max_connections=2", max_staleness=0)
    issued = store.issue(owner="alice", name="ci", scopes="write:issue")
    answers = set()

    def child() -> list[str]:
        begun = time.monotonic()
        said = answer(store, issued.secret)
        store.set_role("alice", "user")
        return [said, "at once" if time.monotonic() - begun < 5 else "late"]

    with asking(lambda: answers.add(answer(store, issued.secret)), threads=6):
        until(lambda: answers, "asking")
        assert [in_child(child) for _ in range(8)] == [[LIVE, "at once"]] * 8
    assert answers == {LIVE}


def test_a_closed_store_says_so(url, connect, call, policy, app):
    """It is not taken for an outage that ends, and its connections are gone."""
    store: TokenStore = connect(url)
    issued = store.issue(owner="alice", name="ci", scopes="write:issue")
    assert answer(store, issued.secret) == LIVE
    store.close()
    with pytest.raises(StoreUnavailable, match="the store was closed"):
        store.authenticate(issued.secret)
    with pytest.raises(StoreUnavailable, match="the store was closed"):
        store.revoke(issued.token.id)
    reply = call(Scopeware(app, policy, store), "GET", "/api/v1/issues", authorization=f"Bearer {issued.secret}")
    assert (reply.status, app.calls) == (503, 0)
    until(lambda: connections(url) == [], "closing")
