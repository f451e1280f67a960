"""Answers from memory: never older than the database, whoever changed it and however."""

import multiprocessing
import os
import random
import sqlite3
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from processes import answer, in_child
from token_helpers import accepted, bytes_on_disk, may_do_nothing, raw, reading_connection, run_sql, trace

from scopeware.tokens import LiveToken, StoreUnavailable, TokenStore
from scopeware.tokens.freshness import NO_STAMP, data_version_stamp, wal_index_stamp
from scopeware.tokens.models import Owner, Token

FORK = multiprocessing.get_context("fork")


def copied(model, **changed):
    """A SELECT of all rows of a table with all columns in their order, some of them changed."""
    columns = [changed.get(field.column_name, field.column_name) for field in model._meta.sorted_fields]
    return f"SELECT {', '.join(columns)} FROM {model._meta.table_name}"


CHANGES = [
    pytest.param("UPDATE scopeware_token SET revoked_at = 1", "token_revoked", id="revoked"),
    pytest.param("UPDATE scopeware_token SET revoked_at = 1, rotated_at = 1", "token_rotated", id="rotated"),
    pytest.param("UPDATE scopeware_token SET expires_at = 1", "token_expired", id="expired"),
    pytest.param("UPDATE scopeware_token SET scopes = 'read:misc'", "read:misc", id="other-scopes"),
    pytest.param(
        "UPDATE scopeware_token SET scopes = 'public-only,write:issue'", "public-only,write:issue", id="restricted"
    ),
    pytest.param("UPDATE scopeware_token SET digest = zeroblob(32)", "token_invalid", id="another-secret"),
    pytest.param("UPDATE scopeware_token SET owner_id = 99", "token_invalid", id="nobodys"),
    pytest.param("DELETE FROM scopeware_token", "token_invalid", id="deleted"),
    pytest.param(f"REPLACE INTO scopeware_token {copied(Token, revoked_at='1')}", "token_revoked", id="token-replaced"),
    pytest.param(
        f"INSERT INTO scopeware_token {copied(Token, id='1', expires_at='1')} "
        "WHERE true ON CONFLICT DO UPDATE SET expires_at = 1",
        "token_expired",
        id="token-upserted",
    ),
    pytest.param("DELETE FROM scopeware_owner", "token_invalid", id="owner-deleted"),
    pytest.param("UPDATE scopeware_owner SET active = 0", "owner_inactive", id="owner-inactive"),
    pytest.param("UPDATE scopeware_owner SET role = 'viewer'", "read:issue", id="another-role"),
    pytest.param("UPDATE scopeware_owner SET role = 'nobody'", "", id="a-role-nobody-knows"),
    pytest.param(f"REPLACE INTO scopeware_owner {copied(Owner, active='0')}", "owner_inactive", id="owner-replaced"),
    pytest.param(
        f"REPLACE INTO scopeware_owner {copied(Owner, id='id + 100')}",
        "token_invalid",
        id="owner-replaced-by-a-namesake",
    ),
    pytest.param("DELETE FROM scopeware_generation", "unavailable", id="counter-deleted"),
    pytest.param("DROP TABLE scopeware_generation", "unavailable", id="counter-dropped"),
    pytest.param("UPDATE scopeware_generation SET counter = 'many'", "unavailable", id="counter-that-is-no-number"),
    pytest.param(
        "UPDATE scopeware_owner SET id = id + 100",
        "token_invalid",
        id="owner-renumbered",
    ),
    pytest.param(
        "DROP TABLE scopeware_token",
        "unavailable",
        id="table-dropped",
    ),
]


@pytest.fixture
def store(connect):
    """A store in a file, with nobody in it."""
    return connect()


def in_another_thread(store, secret):
    """What `store` answers in a thread that has never asked before."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(answer, store, secret).result()


# -- changes that the store knows nothing of


@pytest.mark.parametrize(("statement", "expected"), CHANGES)
def test_what_anyone_commits_is_seen_by_the_very_next_request(
    statement, expected, stamps, store, issued, path, elsewhere
):
    """In the thread that asked before, in another one, and in another process, all of which had it in memory."""
    second = TokenStore.connect(f"sqlite:///{path}")
    with ThreadPoolExecutor(1) as pool:
        everywhere = [
            lambda: answer(store, issued.secret),
            lambda: pool.submit(answer, store, issued.secret).result(),
            lambda: answer(second, issued.secret),
            lambda: elsewhere.ask(path, issued.secret),
        ]
        for _ in range(2):
            assert [ask() for ask in everywhere] == ["write:issue"] * 4
        run_sql(path, statement)
        assert [ask() for ask in everywhere] == [expected] * 4
        assert [ask() for ask in everywhere] == [expected] * 4
    second.close()


def test_a_foreign_key_takes_the_tokens_with_their_owner(stamps, store, issued, path):
    """Deleted by cascade, they are refused as if deleted by hand."""
    assert answer(store, issued.secret) == "write:issue"
    run_sql(path, "PRAGMA foreign_keys = 1", "DELETE FROM scopeware_owner")
    assert answer(store, issued.secret) == "token_invalid"
    with raw(path) as connection:
        assert connection.execute("SELECT count(*) FROM scopeware_token").fetchone() == (0,)


def test_what_is_rolled_back_is_not_seen(stamps, store, issued, path):
    """Neither before the end of the transaction nor after it; what is committed is."""
    with raw(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE scopeware_token SET revoked_at = 1")
        assert answer(store, issued.secret) == "write:issue"
        connection.execute("ROLLBACK")
        assert answer(store, issued.secret) == "write:issue"
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE scopeware_token SET revoked_at = 1")
        assert answer(store, issued.secret) == "write:issue"
        connection.execute("COMMIT")
        assert answer(store, issued.secret) == "token_revoked"


def test_a_change_is_seen_through_checkpoints_and_vacuum(stamps, store, issued, path):
    """What moves the data about in the files hides no commit."""
    assert answer(store, issued.secret) == "write:issue"
    for maintenance in ("PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(RESTART)", "ANALYZE"):
        run_sql(path, maintenance)
        assert answer(store, issued.secret) == "write:issue"
        run_sql(path, "UPDATE scopeware_token SET scopes = 'read:issue'")
        assert answer(store, issued.secret) == "read:issue"
        run_sql(path, maintenance, "UPDATE scopeware_token SET scopes = 'write:issue'", maintenance)
        assert answer(store, issued.secret) == "write:issue"


def test_a_thousand_commits_are_seen_one_by_one(stamps, store, issued, path):
    """No two states of the database look alike."""
    with raw(path) as connection:
        for number in range(1_000):
            connection.execute("UPDATE scopeware_owner SET active = ?", (number % 2,))
            assert answer(store, issued.secret) == ("write:issue" if number % 2 else "owner_inactive")


def test_a_connection_that_reads_for_a_long_time_holds_nobody_in_the_past(stamps, store, issued, path):
    """Somebody's open read transaction, in this thread as well, is theirs alone."""
    with raw(path) as reading:
        reading.execute("BEGIN")
        reading.execute("SELECT * FROM scopeware_token").fetchall()
        with store._database.session(), store._database.peewee.atomic():
            assert store.show(issued.token.id).status == "live"
            assert answer(store, issued.secret) == "write:issue"
            run_sql(path, "UPDATE scopeware_token SET revoked_at = 1")
            assert answer(store, issued.secret) == "token_revoked"


# -- changes through the store


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(lambda store, token: store.revoke(token.id), "token_revoked", id="revoke"),
        pytest.param(lambda store, token: store.disable_owner("alice"), "owner_inactive", id="disable"),
        pytest.param(lambda store, token: store.set_role("alice", "viewer"), "read:issue", id="narrower-role"),
        pytest.param(lambda store, token: store.set_role("alice", "admin"), "write:admin,write:issue", id="wider-role"),
    ],
)
def test_what_one_store_changes_every_other_sees(change, expected, stamps, store, issued, path, elsewhere):
    """Whichever store does it: this one, another one in this process, another thread."""
    second = TokenStore.connect(f"sqlite:///{path}")
    for asked in (store, second):
        assert answer(asked, issued.secret) == "write:issue"
    assert elsewhere.ask(path, issued.secret) == "write:issue"
    change(second, issued.token)
    for asked in (store, second):
        assert answer(asked, issued.secret) == expected
    assert in_another_thread(store, issued.secret) == expected
    assert elsewhere.ask(path, issued.secret) == expected
    second.close()


def test_what_another_process_changes_is_seen_here(stamps, store, issued, path, elsewhere):
    """And its own memory is not behind ours."""
    assert answer(store, issued.secret) == "write:issue"
    elsewhere.do(path, "disable_owner", "alice")
    assert answer(store, issued.secret) == "owner_inactive"
    elsewhere.do(path, "enable_owner", "alice")
    assert answer(store, issued.secret) == "write:issue"
    assert elsewhere.do(path, "revoke", issued.token.id) == "True"
    assert answer(store, issued.secret) == "token_revoked"
    assert elsewhere.ask(path, issued.secret) == "token_revoked"


def test_a_revocation_outlives_all_connections(stamps, connect, path):
    """The file is closed by all, opened again, and the token is as dead as before; the other one lives."""
    first = connect()
    revoked = first.issue(owner="alice", name="a", scopes="read:user")
    other = first.issue(owner="alice", name="b", scopes="read:user")
    assert answer(first, revoked.secret) == "read:user"
    first.revoke(revoked.token.id)
    first.close()
    assert not (path.parent / f"{path.name}-wal").exists()
    again = connect()
    assert answer(again, revoked.secret) == "token_revoked"
    assert answer(again, other.secret) == "read:user"


def test_one_store_goes_on_while_others_come_and_go(stamps, store, issued, path):
    """Who closes a store takes no lock and no file away from the others."""
    for number in range(20):
        assert answer(store, issued.secret) == "write:issue"
        with TokenStore.connect(f"sqlite:///{path}")._database.session():
            pass
        other = TokenStore.connect(f"sqlite:///{path}")
        assert answer(other, issued.secret) == "write:issue"
        other.set_role("alice", ("viewer", "user")[number % 2])
        other.close()
        assert answer(store, issued.secret) == ("read:issue", "write:issue")[number % 2]
        other = TokenStore.connect(f"sqlite:///{path}")
        other.set_role("alice", "user")
        other.close()


# -- forks


def test_a_forked_child_sees_what_its_parent_changes(stamps, store, issued):
    """And keeps seeing it; what it had in memory at the fork does not count."""
    assert answer(store, issued.secret) == "write:issue"
    ours, theirs = FORK.Pipe()

    def child():
        said = [answer(store, issued.secret)]
        theirs.send("ready")
        theirs.recv()
        said.append(answer(store, issued.secret))
        return said

    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(in_child, child)
        assert ours.recv() == "ready"
        assert answer(store, issued.secret) == "write:issue"
        store.revoke(issued.token.id)
        ours.send("revoked")
        assert outcome.result() == ["write:issue", "token_revoked"]
    assert answer(store, issued.secret) == "token_revoked"


def test_a_parent_sees_what_its_forked_child_changes(stamps, store, issued):
    """A child may write, and may fork again."""
    assert answer(store, issued.secret) == "write:issue"

    def grandchild():
        store.disable_owner("alice")
        return answer(store, issued.secret)

    def child():
        store.set_role("alice", "viewer")
        return [answer(store, issued.secret), in_child(grandchild), answer(store, issued.secret)]

    assert in_child(child) == ["read:issue", "owner_inactive", "owner_inactive"]
    assert answer(store, issued.secret) == "owner_inactive"
    store.enable_owner("alice")
    assert answer(store, issued.secret) == "read:issue"


def test_a_fork_in_memory_has_a_copy_of_its_own(connect):
    """A database in memory is the child's own after the fork."""
    store = connect("sqlite:///:memory:")
    issued = store.issue(owner="alice", name="ci", scopes="read:user")

    def child():
        before = answer(store, issued.secret)
        store.revoke(issued.token.id)
        return before, answer(store, issued.secret)

    assert in_child(child) == ("read:user", "token_revoked")
    assert answer(store, issued.secret) == "read:user"


def hammer(store, secret, accepted_once, channel):
    """Ask without pause until well after the first refusal; report when the last accepted request began."""
    last_accepted, refused = 0.0, 0
    while refused < 200:
        begun = time.monotonic()
        if isinstance(store.authenticate(secret), LiveToken):
            if not last_accepted:
                accepted_once.release()
            last_accepted = begun
        else:
            refused += 1
    channel.put(last_accepted)


@pytest.mark.parametrize("size", [100, 0], ids=["with-memory", "without"])
def test_no_process_accepts_a_token_after_its_revocation_was_reported(size, stamps, connect):
    """Eight processes ask as fast as they can while a ninth revokes: who asks after that is refused, everywhere."""
    store = connect(cache_size=size)
    issued = store.issue(owner="alice", name="ci", scopes="read:user")
    assert answer(store, issued.secret) == "read:user"
    accepted_once, channel = FORK.Semaphore(0), FORK.Queue()
    arguments = (store, issued.secret, accepted_once, channel)
    processes = [FORK.Process(target=hammer, args=arguments, daemon=True) for _ in range(8)]
    for process in processes:
        process.start()
    for _ in processes:
        assert accepted_once.acquire(timeout=20)
    time.sleep(0.2)
    store.revoke(issued.token.id)
    reported = time.monotonic()
    last = [channel.get(timeout=20) for _ in processes]
    for process in processes:
        process.join(20)
    assert [process.exitcode for process in processes] == [0] * 8
    assert min(last) > 0
    assert max(last) < reported


def test_no_thread_accepts_a_token_after_its_revocation_was_reported(any_store):
    """The same among threads, again and again."""
    store = any_store
    stop = threading.Event()
    secrets = [store.issue(owner="alice", name=f"ci{n}", scopes="read:user") for n in range(40)]
    reported = {}
    late = []

    def ask():
        while not stop.is_set():
            for issued in secrets:
                dead = issued.token.id in reported
                if isinstance(store.authenticate(issued.secret), LiveToken) and dead:
                    late.append(issued.token.id)

    with ThreadPoolExecutor(6) as pool:
        asking = [pool.submit(ask) for _ in range(6)]
        for issued in secrets:
            store.revoke(issued.token.id)
            reported[issued.token.id] = True
        time.sleep(0.05)
        stop.set()
        for one in asking:
            one.result()
    assert late == []
    assert {answer(store, issued.secret) for issued in secrets} == {"token_revoked"}


# -- a look-up under way while something changes


def interpose(select, moment, then):
    """`select`, stopping before a statement, or between the statement and its row."""

    def interposed(statement, *values):
        what = "row" if "digest" in statement else "counter"
        if moment == f"before the {what}":
            then()
        row = select(statement, *values)
        if moment == f"after the {what}":
            then()
        return row

    return interposed


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("moment", ["before the counter", "after the counter", "before the row", "after the row"])
def test_a_look_up_under_way_does_not_bring_a_revoked_token_back(moment, known, stamps, store, issued, monkeypatch):
    """Whenever the revocation comes in between, the next request is refused, here and in another thread."""
    if known:
        assert answer(store, issued.secret) == "write:issue"
        store.add_owner("somebody else")
    done = []

    def revoke():
        if not done:
            done.append(moment)
            with ThreadPoolExecutor(1) as pool:
                pool.submit(store.revoke, issued.token.id).result()

    with monkeypatch.context() as patch:
        patch.setattr(store._database, "select", interpose(store._database.select, moment, revoke))
        during = answer(store, issued.secret)
    assert done
    assert during in ("write:issue", "token_revoked")
    assert during == "token_revoked" or moment == "after the row"
    assert answer(store, issued.secret) == "token_revoked"
    assert in_another_thread(store, issued.secret) == "token_revoked"
    store.add_owner("yet another")
    assert answer(store, issued.secret) == "token_revoked"


def test_threads_whose_look_ups_overtake_each_other_agree_in_the_end(stamps, store, issued, monkeypatch):
    """One thread has read the row before the revocation and keeps it after another thread saw the revocation."""
    read, go_on = threading.Event(), threading.Event()
    slow = threading.get_ident()

    def wait():
        if threading.get_ident() == slow:
            read.set()
            assert go_on.wait(10)

    monkeypatch.setattr(store._database, "select", interpose(store._database.select, "after the row", wait))
    with ThreadPoolExecutor(1) as pool:
        overtaking = pool.submit(lambda: read.wait(10) and store.revoke(1) and answer(store, issued.secret))
        overtaking.add_done_callback(lambda _: go_on.set())
        assert answer(store, issued.secret) == "write:issue"
        assert overtaking.result() == "token_revoked"
    monkeypatch.undo()
    for _ in range(3):
        assert answer(store, issued.secret) == "token_revoked"


# -- a database that goes back in time


@pytest.fixture
def backup(store, path, tmp_path):
    """A copy of the database as it was before the token was issued; called, it is put back in place."""
    store.add_owner("alice")
    run_sql(path, f"VACUUM INTO '{tmp_path / 'backup.db'}'")

    def restore():
        with raw(tmp_path / "backup.db") as source, raw(path) as target:
            source.backup(target)

    return restore


def test_a_token_that_a_restored_backup_lacks_stays_unknown(stamps, store, backup):
    """Nothing that is committed after the restoration brings a token back that is in no table."""
    lost = store.issue(owner="alice", name="ci", scopes="all")
    assert answer(store, lost.secret) == answer(store, lost.secret) != "token_invalid"
    backup()
    assert answer(store, lost.secret) == "token_invalid"
    store.issue(owner="alice", name="another", scopes="read:user")
    assert answer(store, lost.secret) == "token_invalid"


def test_a_token_that_was_known_before_another_database_was_put_in_place_is_looked_up_again(
    stamps, store, path, tmp_path, monkeypatch
):
    """Once the exchange was noticed, nothing that was known of the old file is said of the new one."""
    lost = store.issue(owner="alice", name="ci", scopes="read:user")
    other_path = tmp_path / "other.db"
    other = TokenStore.connect(f"sqlite:///{other_path}")
    kept = other.issue(owner="alice", name="ci", scopes="read:user")
    other.close()
    assert answer(store, lost.secret) == "read:user"
    assert answer(store, kept.secret) == "token_invalid"
    for beside in ("-wal", "-shm"):
        os.unlink(f"{path}{beside}")
    os.replace(other_path, path)
    store._known._look_again = 0.0
    assert answer(store, lost.secret) == "unavailable"
    assert answer(store, kept.secret) == "read:user"
    assert answer(store, lost.secret) == "token_invalid"


def test_what_was_rolled_back_in_memory_accepts_nothing_later(connect, monkeypatch):
    """A request that came while a change was under way does not outlive its end."""
    store = connect("sqlite:///:memory:")
    issued = store.issue(owner="alice", name="ci", scopes="read:user")

    class Failure(Exception):
        """Whatever may come in between."""

    def show(token_id):
        assert answer(store, issued.secret) == "read:user"
        raise Failure

    with monkeypatch.context() as patch:
        patch.setattr(store, "show", show)
        with pytest.raises(Failure):
            store.issue(owner="alice", name="another", scopes="read:user")
    store.revoke(issued.token.id)
    assert answer(store, issued.secret) == "token_revoked"


# -- memory


def test_a_known_token_costs_no_statement(stamps, store, issued):
    """The first request reads the counter and the row, the second one nothing."""
    statements = trace(store)
    first = store.authenticate(issued.secret)
    assert len(statements) == 2
    assert store.authenticate(issued.secret) is first
    assert len(statements) == 2


def test_commits_to_other_tables_cost_no_look_up(stamps, store, issued, path):
    """The counter is read again, the tokens are not; a change of a token is one more statement."""
    run_sql(path, "CREATE TABLE note (text)")
    first = store.authenticate(issued.secret)
    statements = trace(store)
    with raw(path) as connection:
        for number in range(10):
            connection.execute("INSERT INTO note VALUES (?)", (number,))
            assert store.authenticate(issued.secret) is first
    assert len(statements) == 10
    assert all("generation" in statement for statement in statements)
    run_sql(path, "UPDATE scopeware_token SET hint = 'abcd'")
    assert store.authenticate(issued.secret) is first
    assert len(statements) == 11
    run_sql(path, "UPDATE scopeware_token SET name = 'other'")
    assert accepted(store, issued.secret).name == "other"
    assert len(statements) == 13


def test_two_threads_need_one_look_at_the_counter(stamps, store, issued):
    """What one thread has found out the other one believes."""
    assert answer(store, issued.secret) == "write:issue"

    def ask():
        statements = trace(store)
        return answer(store, issued.secret), statements

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(ask).result() == ("write:issue", [])


@pytest.mark.parametrize("size", [-1, 0, 1, 10, 1_000])
def test_memory_is_bounded_and_makes_no_difference(size, stamps, connect):
    """Any number of tokens in any order: the same answers, and never more of them kept than allowed."""
    store = connect(cache_size=size)
    tokens = [
        store.issue(owner=f"owner{number % 3}", name=str(number), scopes=["read:user", "read:misc"][number % 2])
        for number in range(25)
    ]
    expected = {issued.secret: ["read:user", "read:misc"][number % 2] for number, issued in enumerate(tokens)}
    choice = random.Random(4)
    for turn in range(300):
        issued = choice.choice(tokens)
        if turn == 150:
            store.revoke(issued.token.id)
            expected[issued.secret] = "token_revoked"
        assert answer(store, issued.secret) == expected[issued.secret]
        assert len(store._known._by_digest) <= max(size, 0)
    assert len(store._known._by_digest) == min(max(size, 0), 24) or size == 1_000


def test_the_token_that_came_first_makes_room(connect):
    """One that is read again counts as new."""
    store = connect(cache_size=2)
    first, second, third = (store.issue(owner="a", name=name, scopes="read:user") for name in "abc")
    one, two = store.authenticate(first.secret), store.authenticate(second.secret)
    assert store.authenticate(first.secret) is one
    store.authenticate(third.secret)
    assert store.authenticate(second.secret) is two
    assert store.authenticate(first.secret) is not one


def test_room_is_made_while_other_threads_make_room_too(connect):
    """Whatever they do to the memory in between, it stays bounded and the answers right."""
    store = connect(cache_size=1)
    tokens = [store.issue(owner="a", name=name, scopes="read:user") for name in "ab"]
    assert answer(store, tokens[0].secret) == "read:user"

    class Changing(dict):
        """Changed by another thread while this one looks."""

        changes = 0

        def __iter__(self):
            self.changes += 1
            if self.changes == 1:
                raise RuntimeError("dictionary changed size during iteration")
            return super().__iter__()

    store._known._by_digest = Changing(store._known._by_digest)
    assert answer(store, tokens[1].secret) == "read:user"
    assert store._known._by_digest.changes == 2
    assert len(store._known._by_digest) == 1


def test_meanings_of_scopes_are_kept_within_bounds(connect, monkeypatch):
    """More combinations of scopes and role than are remembered are all read right."""
    monkeypatch.setattr("scopeware.tokens.known.CACHE_SIZE", 2)
    store = connect(cache_size=0)
    words = ["read:user", "read:misc", "read:issue", "write:issue", "read:package"]
    tokens = [store.issue(owner="alice", name=word, scopes=word) for word in words]
    for _ in range(2):
        assert [answer(store, issued.secret) for issued in tokens] == words
        assert len(store._known._meanings) <= 2


def test_tokens_that_share_their_scopes_share_the_set(store):
    """A million tokens of one kind need one scope set; another role is another set."""
    one, two = (store.issue(owner="alice", name=name, scopes="all") for name in "ab")
    three = store.issue(owner="bob", name="c", scopes="all")
    store.set_role("bob", "viewer")
    assert accepted(store, one.secret).scopes is accepted(store, two.secret).scopes
    assert accepted(store, three.secret).scopes != accepted(store, one.secret).scopes


def test_refusals_are_not_remembered(stamps, store, issued):
    """A token that comes to life again works at once."""
    store.disable_owner("alice")
    assert answer(store, issued.secret) == "owner_inactive"
    assert store._known._by_digest == {}
    store.enable_owner("alice")
    assert answer(store, issued.secret) == "write:issue"


# -- stamps


def test_the_stamp_differs_after_every_commit_and_only_then(path, store):
    """By this process or another connection; reading changes nothing."""
    with raw(path) as connection:
        stamp = wal_index_stamp(str(path))
        seen = [stamp()]
        for number in range(20):
            connection.execute("UPDATE scopeware_generation SET counter = counter + 1")
            seen.append(stamp())
            assert stamp() == seen[-1]
            connection.execute("SELECT * FROM scopeware_generation").fetchall()
            assert stamp() == seen[-1], number
    assert len(set(seen)) == 21


def test_the_other_stamp_differs_after_every_commit_of_another(path, store):
    """Asked of SQLite, by a connection that writes nothing itself."""
    with raw(path) as asked, raw(path) as connection:
        stamp = data_version_stamp(asked)
        seen = [stamp()]
        for _ in range(20):
            connection.execute("UPDATE scopeware_generation SET counter = counter + 1")
            seen.append(stamp())
            assert stamp() == seen[-1]
    assert len(set(seen)) == 21


def test_no_stamp_is_never_the_same_twice():
    """Where nothing tells, everything is asked anew."""
    assert NO_STAMP() != NO_STAMP()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="no-file"),
        pytest.param(b"", id="empty"),
        pytest.param(struct.pack("=I", 3007000) + bytes(91), id="too-short"),
        pytest.param(bytes(200), id="no-version"),
        pytest.param(struct.pack("=I", 3007001) + bytes(200), id="another-version"),
    ],
)
def test_an_index_that_cannot_be_read_gives_no_stamp(content, tmp_path):
    """Then SQLite is asked instead; one of the version that is known gives a stamp."""
    if content is not None:
        (tmp_path / "x.db-shm").write_bytes(content)
    assert wal_index_stamp(str(tmp_path / "x.db")) is None
    (tmp_path / "y.db-shm").write_bytes(struct.pack("=I", 3007000) + bytes(200))
    assert wal_index_stamp(str(tmp_path / "y.db"))() == struct.pack("=I", 3007000) + bytes(92)


def test_a_database_in_another_journal_mode_is_still_seen_to_change(path, tmp_path):
    """Where write-ahead logging cannot be had, the version that SQLite keeps tells."""
    run_sql(path, "PRAGMA journal_mode = delete", "CREATE TABLE t (x)")
    assert wal_index_stamp(str(path)) is None
    with raw(path) as asked:
        stamp = data_version_stamp(asked)
        before = stamp()
        run_sql(path, "INSERT INTO t VALUES (1)")
        assert stamp() != before


def test_the_files_of_the_database_are_not_written_by_asking(stamps, store, issued, path):
    """A request that is accepted or refused leaves no trace in them."""
    other = store._format.generate()
    assert answer(store, issued.secret) == "write:issue"
    before = bytes_on_disk(path)
    for secret in (issued.secret, other, "x") * 5:
        answer(store, secret)
    assert bytes_on_disk(path) == before
    assert may_do_nothing(store, other)


def test_what_is_read_for_requests_cannot_write(store, issued):
    """The connections of the hot path refuse to."""
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reading_connection(store).execute("UPDATE scopeware_token SET revoked_at = NULL")
    assert answer(store, issued.secret) == "write:issue"


def test_a_store_that_was_closed_accepts_nothing(any_store):
    """Not even what it knew a moment ago."""
    issued = any_store.issue(owner="alice", name="ci", scopes="read:user")
    assert answer(any_store, issued.secret) == "read:user"
    any_store.close()
    with pytest.raises(StoreUnavailable, match="the store was closed"):
        any_store.authenticate(issued.secret)
