"""Files that cannot be used, files that vanish, locks, threads and forks."""

import gc
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from peewee import IntegrityError
from processes import answer, in_child
from token_helpers import bytes_on_disk, raw, reading_connection, rows, run_script, run_sql, url_of

from scopeware.errors import ConfigurationError, ScopewareError
from scopeware.tokens import LiveToken, SchemaError, StoreUnavailable, TokenStore, sqlite
from scopeware.tokens.sqlite import MEMORY, SqliteDatabase, path_of

NOBODY = 65534


@pytest.fixture
def store(connect):
    """A store in a file, with nobody in it."""
    return connect()


# -- URLs


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///tokens.db", "tokens.db"),
        ("sqlite:////var/lib/tokens.db", "/var/lib/tokens.db"),
        ("sqlite:///with space.db", "with space.db"),
        ("sqlite:///:memory:", MEMORY),
    ],
)
def test_a_url_names_a_file(url, path):
    """Three slashes before a relative path, four before an absolute one."""
    assert path_of(url) == path


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        pytest.param("oracle:///tokens", "`oracle` is no database known here; write sqlite:///", id="another-database"),
        pytest.param("tokens.db", "this names no database; write sqlite:///tokens.db", id="a-path"),
        pytest.param("", "this names no database; write sqlite:///tokens.db", id="nothing"),
        pytest.param("sqlite:///tokens.db?timeout=5", "nothing may follow the file's name", id="query"),
        pytest.param("sqlite://host/tokens.db", "nothing may follow", id="host"),
        pytest.param("sqlite://host:port/tokens.db", "this is no URL", id="no-port"),
        pytest.param("sqlite:///file:tokens.db", "write the file's name itself", id="sqlites-own-url"),
        pytest.param(
            "sqlite:///tokens.db#old",
            "nothing may follow the file's name",
            id="fragment",
        ),
        pytest.param(
            "sqlite://[/tokens.db",
            "",
            id="no-url",
        ),
    ],
)
def test_a_url_that_names_no_file_is_refused(url, problem):
    """With the form that is expected, before anything is opened."""
    with pytest.raises(ConfigurationError) as caught:
        TokenStore.connect(url)
    assert problem in caught.value.problem
    assert caught.value.where == "database"


@pytest.mark.parametrize("url", ["postgresql://scope:hunter2@host/tokens", "sqlite://scope:hunter2@host/tokens.db"])
def test_a_password_in_a_url_is_in_no_message(url):
    """Messages are logged."""
    with pytest.raises(ConfigurationError) as caught:
        path_of(url)
    assert "hunter2" not in f"{caught.value} {caught.value!r} {caught.value.problem}"


# -- files that cannot be used


def test_a_file_that_is_no_database_is_refused_and_left_alone(path):
    """Whatever it was, it still is."""
    path.write_text("These are my holiday notes.\n" * 100)
    with pytest.raises(StoreUnavailable, match="file is not a database") as caught:
        TokenStore.connect(url_of(path))
    assert caught.value.database == str(path)
    assert caught.value.problem == "file is not a database"
    assert isinstance(caught.value, ScopewareError)
    assert path.read_text() == "These are my holiday notes.\n" * 100


def test_a_directory_is_refused(tmp_path):
    """It says so; a file in it is fine."""
    with pytest.raises(StoreUnavailable, match="it is a directory"):
        TokenStore.connect(url_of(tmp_path))
    TokenStore.connect(url_of(tmp_path / "tokens.db")).close()


def test_a_directory_that_does_not_exist_is_not_made(tmp_path):
    """It is named."""
    with pytest.raises(StoreUnavailable, match=f"there is no directory {tmp_path / 'missing'}"):
        TokenStore.connect(url_of(tmp_path / "missing" / "tokens.db"))
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_the_file_system_refuses_is_refused(tmp_path):
    """With what the system says; one that is just short enough is fine."""
    with pytest.raises(StoreUnavailable, match="File name too long"):
        TokenStore.connect(url_of(tmp_path / ("x" * 300)))
    TokenStore.connect(url_of(tmp_path / ("x" * 200))).close()


@pytest.mark.parametrize("migrate", [True, False])
def test_a_corrupt_database_is_refused(migrate, path):
    """Nobody knows what is in it."""
    TokenStore.connect(url_of(path)).close()
    content = bytearray(path.read_bytes())
    content[100:] = random.Random(1).randbytes(len(content) - 100)
    path.write_bytes(content)
    with pytest.raises(StoreUnavailable, match="malformed"):
        TokenStore.connect(url_of(path), migrate=migrate)


@pytest.fixture
def public_path():
    """Where a database can be reached by a user without rights; pytest's own directories cannot."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o755)
    yield directory / "tokens.db"
    shutil.rmtree(directory)


def without_rights(function):
    """What `function` returns, run by somebody who may read what everybody may read."""
    if os.getuid():
        pytest.skip("only root can become somebody else")

    def run():
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        return function()

    return in_child(run)


def attempt(function):
    """The text of the error, or what comes out."""
    try:
        return str(function())
    except StoreUnavailable as error:
        return error.problem


@pytest.mark.parametrize("migrate", [True, False])
def test_a_file_in_a_directory_that_cannot_be_written_is_refused(migrate, public_path):
    """SQLite needs files beside it even to read; its owner can use it."""
    TokenStore.connect(url_of(public_path)).close()
    public_path.chmod(0o644)
    said = without_rights(lambda: attempt(lambda: TokenStore.connect(url_of(public_path), migrate=migrate)))
    assert said in ("attempt to write a readonly database", "unable to open database file")
    TokenStore.connect(url_of(public_path), migrate=migrate).close()


def test_a_new_file_is_its_owners_alone(public_path):
    """Nobody else reads the digests, nor the files beside it; a file that is there keeps its mode."""
    store = TokenStore.connect(url_of(public_path))
    issued = store.issue(owner="alice", name="ci", scopes="read:user")
    assert answer(store, issued.secret) == "read:user"
    files = list(public_path.parent.iterdir())
    assert len(files) == 3
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    store.close()
    said = without_rights(lambda: attempt(lambda: TokenStore.connect(url_of(public_path))))
    assert said == "unable to open database file"
    public_path.chmod(0o640)
    TokenStore.connect(url_of(public_path)).close()
    assert public_path.stat().st_mode & 0o777 == 0o640


def test_a_new_file_in_a_directory_that_cannot_be_written_is_refused(public_path):
    """Nothing is made."""
    said = without_rights(lambda: attempt(lambda: TokenStore.connect(url_of(public_path))))
    assert said == "Permission denied"
    assert list(public_path.parent.iterdir()) == []


def test_a_file_that_can_be_read_only_is_read_and_not_written(public_path, elsewhere):
    """While its writer is there, a reader without rights sees what is in it, and can change nothing."""
    store = TokenStore.connect(url_of(public_path))
    public_path.chmod(0o644)
    issued = store.issue(owner="alice", name="ci", scopes="read:user")
    assert elsewhere.ask(public_path, issued.secret) == "read:user"

    def reader():
        reading = TokenStore.connect(url_of(public_path), migrate=False)
        said = [answer(reading, issued.secret)]
        for change in (
            lambda: reading.revoke(issued.token.id),
            lambda: reading.issue(owner="alice", name="mine", scopes="all"),
            lambda: reading.set_role("alice", "admin"),
        ):
            said.append(attempt(change))
        return [*said, answer(reading, issued.secret)]

    refused = "attempt to write a readonly database"
    assert without_rights(reader) == ["read:user", refused, refused, refused, "read:user"]
    assert [token.name for token in store.list(dead=True)] == ["ci"]
    store.close()
    elsewhere.do(public_path, "close")


# -- files that vanish


@pytest.fixture
def used(stamps, store, issued):
    """A store with a token in its memory."""
    assert answer(store, issued.secret) == "write:issue"
    return store


def wait_for(expected, store, secret, seconds=1.3):
    """What is answered until `expected` is, at most for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and (said := answer(store, secret)) != expected:
        time.sleep(0.02)
    return said


def test_a_file_that_is_gone_is_noticed_and_one_that_is_back_is_used(used, issued, path):
    """Within about a second nothing is accepted any more; put back, the token is good again."""
    aside = path.with_name("aside.db")
    for beside in ("", "-wal", "-shm"):
        os.rename(f"{path}{beside}", f"{aside}{beside}")
    assert wait_for("unavailable", used, issued.secret) == "unavailable"
    assert answer(used, issued.secret) == "unavailable"
    for beside in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            os.unlink(f"{path}{beside}")
        os.rename(f"{aside}{beside}", f"{path}{beside}")
    assert wait_for("write:issue", used, issued.secret) == "write:issue"
    used.revoke(issued.token.id)
    assert answer(used, issued.secret) == "token_revoked"


def test_a_file_that_is_gone_is_not_made_anew(used, issued, path):
    """An empty database in its place would be in the way of the one that is put back."""
    for beside in ("", "-wal", "-shm"):
        os.unlink(f"{path}{beside}")
    assert wait_for("unavailable", used, issued.secret) == "unavailable"
    assert answer(used, issued.secret) == "unavailable"
    assert list(path.parent.iterdir()) == []


def test_a_file_that_is_replaced_is_noticed(used, issued, path):
    """Another database takes the place: what only the old one had is not accepted for longer than a second."""
    replacement = path.with_name("replacement.db")
    other = TokenStore.connect(url_of(replacement))
    for number in range(5):
        kept = other.issue(owner="alice", name=f"kept{number}", scopes="read:misc")
    other.close()
    for beside in ("-wal", "-shm"):
        os.unlink(f"{path}{beside}")
    os.replace(replacement, path)
    assert wait_for("unavailable", used, issued.secret) == "unavailable"
    assert wait_for("read:misc", used, kept.secret) == "read:misc"
    assert answer(used, issued.secret) == "token_invalid"


def test_an_index_that_is_removed_is_noticed(used, issued, path):
    """Without it nobody here would see what others commit; then the store finds its way back."""
    os.unlink(f"{path}-shm")
    assert wait_for("unavailable", used, issued.secret) == "unavailable"
    assert wait_for("write:issue", used, issued.secret) == "write:issue"
    run_sql(path, "UPDATE scopeware_token SET revoked_at = 1")
    assert answer(used, issued.secret) == "token_revoked"


def test_an_index_that_is_removed_is_noticed_beside_another_store(store, issued, path, tmp_path):
    """A second database in the process makes no difference: what is raised says that the store is unavailable."""
    assert answer(store, issued.secret) == "write:issue"
    os.unlink(f"{path}-shm")
    other = TokenStore.connect(url_of(tmp_path / "other.db"))
    assert answer(other, issued.secret) == "token_invalid"
    assert answer(store, issued.secret) in ("write:issue", "unavailable")
    other.close()


@pytest.mark.parametrize(
    "emptied",
    [
        pytest.param("memory"),
        "new",
    ],
)
def test_a_file_that_is_emptied_is_noticed(emptied, connect, path):
    """A token that is known is not accepted for longer than a second, a new one not at all."""
    store = connect()
    issued = store.issue(owner="alice", name="ci", scopes="read:user")
    if emptied == "memory":
        assert answer(store, issued.secret) == "read:user"
    else:
        # Nothing left in the log: all is in the file.
        run_sql(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    os.truncate(path, 0)
    assert wait_for("unavailable", store, issued.secret) == "unavailable"


# -- writing that fails


def test_a_full_disk_leaves_nothing_half_written(path, store, issued):
    """The store says that it is unavailable; nothing was added, and with room again all works."""
    assert answer(store, issued.secret) == "write:issue"
    before = rows(path)

    def fill():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(path) + 500, resource.RLIM_INFINITY))
        said = []
        for number in range(100):
            try:
                store.issue(owner=f"owner{number}", name="x" * 255, scopes="all")
            except StoreUnavailable as error:
                said.append(error.problem)
                break
        with pytest.raises(StoreUnavailable):
            store.issue(owner="nobody", name="x" * 255, scopes="all")
        said += [number, answer(store, issued.secret)]
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        return said, store.issue(owner="bob", name="x", scopes="all").secret

    (_, number, known), secret = in_child(fill)
    assert known == "write:issue"
    after = rows(path)
    assert after["token"][0] == before["token"][0]
    owners = ["alice", *(f"owner{done}" for done in range(number)), "bob"]
    assert [row[1] for row in after["owner"]] == owners
    assert [row[1] for row in after["token"]] == list(range(1, len(owners) + 1))
    with raw(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert answer(store, secret) != "token_invalid"
    assert answer(store, issued.secret) == "write:issue"


def test_a_full_disk_is_named(path, store):
    """The message says what is wrong, not what came of it."""

    def fill():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(path) + 500, resource.RLIM_INFINITY))
        try:
            for number in range(100):
                store.issue(owner=f"owner{number}", name="x" * 255, scopes="all")
        except StoreUnavailable as error:
            return error.problem
        return "there was room"

    assert in_child(fill) in ("disk I/O error", "database or disk is full")


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda store: store.issue(owner="alice", name="new", scopes="read:user"), id="issue"),
        pytest.param(lambda store: store.revoke(1), id="revoke"),
        pytest.param(lambda store: store.add_owner("bob"), id="add-owner"),
        pytest.param(lambda store: store.set_role("alice", "admin"), id="role"),
        pytest.param(lambda store: store.disable_owner("alice"), id="disable"),
        pytest.param(lambda store: store.enable_owner("alice"), id="enable"),
        pytest.param(lambda store: TokenStore.connect(url_of(store._database.path)), id="connect"),
    ],
)
def test_a_locked_database_is_read_but_not_written(write, hasty, connect, path):
    """Somebody's long transaction holds up writers, who say so in the end, and no requests."""
    store = connect()
    issued = store.issue(owner="alice", name="ci", scopes="read:user")
    before = rows(path)
    with raw(path) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailable, match="database is locked"):
            write(store)
        assert answer(store, issued.secret) == "read:user"
        assert rows(path) == before
        connection.execute("ROLLBACK")
    assert write(store) is not None
    assert answer(store, issued.secret) in ("read:user", "token_revoked", "owner_inactive")


def test_a_broken_constraint_is_not_an_unavailable_database(store, issued):
    """Whoever writes gets to know which it was, and the store goes on."""
    statement = "INSERT INTO scopeware_owner (name, role, created_at) VALUES ('alice', 'user', 0)"
    with pytest.raises(IntegrityError), store._database.session():
        store._database.peewee.execute_sql(statement)
    with pytest.raises(StoreUnavailable, match="no such column"), store._database.session():
        store._database.peewee.execute_sql("SELECT missing FROM scopeware_owner")
    assert answer(store, issued.secret) == "write:issue"


def test_a_writer_waits_for_another_one(store, issued, path):
    """A transaction of half a second is waited for."""
    with raw(path) as connection, ThreadPoolExecutor(1) as pool:
        connection.execute("BEGIN IMMEDIATE")
        waiting = pool.submit(store.revoke, issued.token.id)
        time.sleep(0.5)
        assert not waiting.done()
        assert answer(store, issued.secret) == "write:issue"
        connection.execute("COMMIT")
        assert waiting.result() is True
    assert answer(store, issued.secret) == "token_revoked"


def test_a_failed_write_leaves_the_store_usable(hasty, connect, path):
    """After any number of failures, in any thread."""
    store = connect()
    issued = store.issue(owner="alice", name="ci", scopes="read:user")
    with raw(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                store.revoke(issued.token.id)
            assert answer(store, issued.secret) == "read:user"
        connection.execute("ROLLBACK")
    assert store.revoke(issued.token.id)
    assert answer(store, issued.secret) == "token_revoked"


def test_the_journal_cannot_be_taken_away_from_a_store_in_use(used, issued, path):
    """Another process that leaves write-ahead logging is told that the database is locked."""
    with raw(path) as connection:
        connection.execute("PRAGMA busy_timeout = 0")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            connection.execute("PRAGMA journal_mode = delete")
    run_sql(path, "UPDATE scopeware_token SET revoked_at = 1")
    assert answer(used, issued.secret) == "token_revoked"


# -- the store when it was closed


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda store, issued: store.authenticate(issued.secret), id="authenticate"),
        pytest.param(lambda store, issued: store.find(issued.secret), id="find"),
        pytest.param(lambda store, issued: store.show(issued.token.id), id="show"),
        pytest.param(lambda store, issued: store.list(), id="list"),
        pytest.param(lambda store, issued: store.owners(), id="owners"),
        pytest.param(lambda store, issued: store.owner("alice"), id="owner"),
        pytest.param(lambda store, issued: store.issue(owner="alice", name="x", scopes="all"), id="issue"),
        pytest.param(lambda store, issued: store.revoke(issued.token.id), id="revoke"),
        pytest.param(lambda store, issued: store.add_owner("bob"), id="add-owner"),
        pytest.param(lambda store, issued: store.disable_owner("alice"), id="disable-owner"),
    ],
)
def test_a_closed_store_answers_nothing(ask, any_store):
    """Closed once or twice, in whichever thread; before that it did."""
    issued = any_store.issue(owner="alice", name="ci", scopes="all")
    assert any_store.authenticate(issued.secret)
    any_store.close()
    any_store.close()
    with pytest.raises(StoreUnavailable, match="the store was closed"):
        ask(any_store, issued)
    with ThreadPoolExecutor(1) as pool, pytest.raises(StoreUnavailable, match="the store was closed"):
        pool.submit(ask, any_store, issued).result()


def test_closing_one_store_leaves_another_on_the_same_file_open(store, issued, path):
    """Each has connections of its own."""
    other = TokenStore.connect(url_of(path))
    assert answer(other, issued.secret) == "write:issue"
    other.close()
    assert answer(store, issued.secret) == "write:issue"
    store.revoke(issued.token.id)
    assert answer(store, issued.secret) == "token_revoked"


# -- how SQLite is set up


def test_sqlite_is_set_up_for_a_server(path, monkeypatch):
    """Readers do not wait for writers, a reported revocation is on the disk, references hold, waiting has an end."""
    monkeypatch.undo()
    store = TokenStore.connect(url_of(path))
    with store._database.session():
        peewee = store._database.peewee
        settings = {
            name: peewee.execute_sql(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "recursive_triggers", "busy_timeout")
        }
    assert settings == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "recursive_triggers": 1,
        "busy_timeout": 5_000,
    }
    reading = reading_connection(store)
    assert reading.execute("PRAGMA busy_timeout").fetchone() == (5_000,)
    assert reading.execute("PRAGMA query_only").fetchone() == (1,)
    store.close()


def test_a_relative_path_stays_where_it_was(path, monkeypatch):
    """A server that changes its directory keeps its database."""
    monkeypatch.chdir(path.parent)
    store = TokenStore.connect(f"sqlite:///{path.name}")
    issued = store.issue(owner="alice", name="ci", scopes="read:user")
    monkeypatch.chdir("/")
    assert store._database.path == str(path)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(answer, store, issued.secret).result() == "read:user"
    store.close()
    assert path.exists()


def test_memory_is_one_database_for_all_threads(connect):
    """And another one for each store."""
    store, other = connect("sqlite:///:memory:"), connect("sqlite:///:memory:")
    with ThreadPoolExecutor(4) as pool:
        tokens = list(pool.map(lambda n: store.issue(owner="a", name=str(n), scopes="read:user"), range(20)))
        assert set(pool.map(lambda one: answer(store, one.secret), tokens)) == {"read:user"}
    assert len(store.list()) == 20
    assert answer(other, tokens[0].secret) == "token_invalid"


# -- many threads


def test_threads_that_do_everything_at_once_never_find_the_database_locked(path, store):
    """Sixteen threads on two stores issue, revoke, change roles and ask for two seconds; each sees its own changes."""
    stores = [store, TokenStore.connect(url_of(path))]
    until = time.monotonic() + 2

    def work(number):
        choice = random.Random(number)
        mine = stores[number % 2]
        owner = f"owner{number}"
        mine.add_owner(owner)
        live = []
        done = 0
        while time.monotonic() < until:
            step = choice.random()
            if step < 0.2 or not live:
                live.append(mine.issue(owner=owner, name=str(done), scopes="all", expires_in=timedelta(days=1)))
            elif step < 0.3:
                dead = live.pop(choice.randrange(len(live)))
                assert mine.revoke(dead.token.id)
                assert [answer(one, dead.secret) for one in stores] == ["token_revoked"] * 2
            elif step < 0.35:
                role = choice.choice(["viewer", "user"])
                mine.set_role(owner, role)
                assert stores[0].authenticate(live[0].secret).scopes == mine.roles[role]
            else:
                asked = choice.choice(live)
                assert isinstance(choice.choice(stores).authenticate(asked.secret), LiveToken)
            done += 1
        return len(live)

    with ThreadPoolExecutor(16) as pool:
        live = list(pool.map(work, range(16)))
    assert len(store.list()) == sum(live)
    stores[1].close()


def descriptors():
    """How many files this process has open."""
    return len(os.listdir("/proc/self/fd"))


def test_threads_that_end_leave_no_file_open(stamps, store, issued):
    """Two hundred short-lived threads, each of which reads and some of which write."""
    assert answer(store, issued.secret) == "write:issue"

    def work(number):
        assert answer(store, issued.secret) == "write:issue"
        assert reading_connection(store)
        if number % 20 == 0:
            store.set_role("alice", "user")

    before = None
    for number in range(200):
        thread = threading.Thread(target=work, args=(number,))
        thread.start()
        thread.join(10)
        before = before or descriptors()
    assert descriptors() <= before


def test_stores_that_are_closed_leave_no_file_open(stamps, path):
    """Fifty times opened, used and closed."""
    secret = TokenStore.connect(url_of(path)).issue(owner="alice", name="ci", scopes="read:user").secret
    before = None
    for _ in range(50):
        store = TokenStore.connect(url_of(path))
        assert answer(store, secret) == "read:user"
        store.close()
        before = before or descriptors()
    assert descriptors() <= before + 1


def test_stores_that_cannot_be_opened_leave_no_file_open(tmp_path):
    """Fifty times tried, on files that are no databases and databases that are too old."""
    (tmp_path / "notes.db").write_text("no database\n" * 100)
    run_sql(tmp_path / "empty.db", "CREATE TABLE t (x)")
    before = None
    for _ in range(50):
        with pytest.raises(StoreUnavailable):
            TokenStore.connect(url_of(tmp_path / "notes.db"))
        with pytest.raises(SchemaError):
            TokenStore.connect(url_of(tmp_path / "empty.db"), migrate=False)
        before = before or descriptors()
    assert descriptors() <= before


def test_a_failed_write_does_not_disturb_a_request_under_way(hasty, connect, path):
    """Another thread's request that has just taken its connection goes on with it."""
    store = connect(cache_size=0)
    issued = store.issue(owner="alice", name="ci", scopes="read:user")
    assert answer(store, issued.secret) == "read:user"
    reader = store._database._local.reader
    taken = reader.connection

    class Slow:
        """What happens between taking the connection and using it."""

        def execute(self, *arguments):
            with raw(path) as other, ThreadPoolExecutor(1) as pool:
                other.execute("BEGIN IMMEDIATE")
                with pytest.raises(StoreUnavailable, match="locked"):
                    pool.submit(store.revoke, issued.token.id).result()
            return taken.execute(*arguments)

    reader.connection = Slow()
    assert answer(store, issued.secret) == "read:user"
    reader.connection = taken
    assert answer(store, issued.secret) == "read:user"


FAILING_WRITES = """
import sqlite3, sys, threading, time
from scopeware.tokens import LiveToken, StoreUnavailable, TokenStore, sqlite

sqlite._BUSY_SECONDS = 0.001
store = TokenStore.connect(f"sqlite:///{sys.argv[1]}", cache_size=0)
secret = store.issue(owner="alice", name="ci", scopes="all").secret
stop, refused = threading.Event(), []

def ask():
    while not stop.is_set():
        try:
            if not isinstance(store.authenticate(secret), LiveToken):
                refused.append("refused")
        except Exception as error:
            refused.append(repr(error))

lock = sqlite3.connect(sys.argv[1], isolation_level=None)
lock.execute("BEGIN IMMEDIATE")
threads = [threading.Thread(target=ask) for _ in range(4)]
for thread in threads:
    thread.start()
until = time.monotonic() + 2
while time.monotonic() < until:
    try:
        store.revoke(1)
    except StoreUnavailable:
        time.sleep(0.001)
stop.set()
for thread in threads:
    thread.join()
print(refused)
"""

FORKS = """
import os, sys, threading, time
from scopeware.tokens import LiveToken, TokenStore

store = TokenStore.connect(f"sqlite:///{sys.argv[1]}", cache_size=int(sys.argv[2]))
secret = store.issue(owner="alice", name="ci", scopes="all").secret
stop, refused = threading.Event(), []

def ask():
    while not stop.is_set():
        try:
            if not isinstance(store.authenticate(secret), LiveToken):
                refused.append("refused")
        except Exception as error:
            refused.append(repr(error))

threads = [threading.Thread(target=ask) for _ in range(4)]
for thread in threads:
    thread.start()
until = time.monotonic() + 2
while time.monotonic() < until:
    child = os.fork()
    if not child:
        os._exit(not isinstance(store.authenticate(secret), LiveToken))
    if os.waitpid(child, 0)[1]:
        refused.append("child")
stop.set()
for thread in threads:
    thread.join()
print(refused)
"""


def test_failing_writes_disturb_no_requests(path):
    """One thread cannot write for two seconds; the requests of four others are all accepted."""
    assert run_script(FAILING_WRITES, path, seconds=60) == "[]\n"


@pytest.mark.parametrize("size", [100, 0], ids=["with-memory", "without"])
def test_forks_disturb_no_requests(size, path):
    """A server with four busy threads forks for two seconds; its requests and its children's are all accepted."""
    try:
        assert run_script(FORKS, path, size, seconds=60) == "[]\n"
    except subprocess.TimeoutExpired:
        pytest.fail("a child hangs")


# -- forks in the middle of something


def test_a_child_can_write_though_another_thread_was_writing_at_the_fork(store, issued, path, monkeypatch):
    """The thread stays behind in the parent, and so must what it holds; the child finds the database locked."""
    with raw(path) as connection, ThreadPoolExecutor(1) as pool:
        connection.execute("BEGIN IMMEDIATE")
        writing = pool.submit(store.set_role, "alice", "viewer")
        time.sleep(0.2)
        monkeypatch.setattr(sqlite, "_BUSY_SECONDS", 0.05)
        try:
            assert in_child(lambda: attempt(lambda: store.revoke(issued.token.id)), seconds=3) == "database is locked"
        finally:
            connection.execute("COMMIT")
            writing.result()


def test_a_child_forked_while_another_thread_writes_leaves_the_writing_alone(store, issued, path):
    """What the parent's thread began it finishes; the child sees it when it is done."""
    with raw(path) as connection, ThreadPoolExecutor(1) as pool:
        connection.execute("BEGIN IMMEDIATE")
        writing = pool.submit(store.revoke, issued.token.id)
        time.sleep(0.2)
        assert in_child(lambda: answer(store, issued.secret)) == "write:issue"
        connection.execute("COMMIT")
        assert writing.result() is True
    assert in_child(lambda: answer(store, issued.secret)) == "token_revoked"
    with raw(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_what_the_parent_had_open_is_left_alone_by_the_child(used, issued, monkeypatch):
    """Connections of other threads are neither used nor closed there: SQLite's do not survive a fork."""
    left_behind = []
    monkeypatch.setattr(sqlite, "_left_behind", left_behind)
    parents = used._database._open()
    connection = parents.connection
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)
        del parents
    assert left_behind == [connection]
    assert connection.execute("SELECT count(*) FROM scopeware_token").fetchone() == (1,)
    connection.close()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(answer, used, issued.secret).result() == "write:issue"
        theirs = pool.submit(reading_connection, used).result()
        assert in_child(lambda: (answer(used, issued.secret), theirs in left_behind)) == ("write:issue", True)
        assert pool.submit(reading_connection, used).result() is theirs
        assert theirs.execute("SELECT count(*) FROM scopeware_token").fetchone() == (1,)


def test_what_is_closed_for_all_is_opened_again_by_each_thread(used, issued):
    """A thread that had a connection from before takes a new one when it next asks."""
    with ThreadPoolExecutor(1) as pool:
        before = pool.submit(reading_connection, used).result()
        assert pool.submit(reading_connection, used).result() is before
        used._database.close()
        assert pool.submit(answer, used, issued.secret).result() == "write:issue"
        assert pool.submit(reading_connection, used).result() is not before
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        before.execute("SELECT 1")


def test_requests_wait_while_another_thread_forks(used, issued):
    """Until the parent goes on; whoever comes first after that is answered."""
    run_sql(used._database.path, "UPDATE scopeware_owner SET role = 'viewer'")
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(reading_connection, used).result()
        used._database.before_fork()
        asked = pool.submit(used._database.select, "SELECT 1")
        time.sleep(0.1)
        assert not asked.done()
        used._database.after_fork_in_parent()
        assert asked.result(1) == (1,)
    assert answer(used, issued.secret) == "read:issue"


def test_a_store_in_memory_is_kept_by_the_child(connect):
    """Its one connection has no file and no locks."""
    store = connect("sqlite:///:memory:")
    issued = store.issue(owner="alice", name="ci", scopes="read:user")
    connection = reading_connection(store)
    for hook in (store._database.before_fork, store._database.after_fork_in_parent):
        hook()
        assert answer(store, issued.secret) == "read:user"
    store._database.before_fork()
    store._database.after_fork_in_child()
    assert reading_connection(store) is connection
    assert answer(store, issued.secret) == "read:user"


def test_the_hooks_of_forks_reach_every_database(used, issued, connect):
    """All that were opened in this process."""
    other = connect()
    assert answer(other, issued.secret) == "write:issue"
    assert None not in (used._database._anchor, other._database._anchor)
    sqlite._before_fork()
    assert used._database._anchor is other._database._anchor is None
    locks = [one._database._lock for one in (used, other)]
    sqlite._after_fork_in_parent()
    assert [one._database._lock for one in (used, other)] == locks
    assert answer(used, issued.secret) == answer(other, issued.secret) == "write:issue"
    sqlite._before_fork()
    sqlite._after_fork_in_child()
    assert all(one._database._lock is not lock for one, lock in zip((used, other), locks, strict=True))
    assert answer(used, issued.secret) == answer(other, issued.secret) == "write:issue"


def test_a_store_that_nobody_holds_is_forgotten_by_forks(path):
    """Only databases in use are told of a fork."""
    TokenStore.connect(url_of(path)).close()
    kept = SqliteDatabase(str(path))
    assert kept in sqlite._databases
    del kept
    gc.collect()
    assert all(one.path != str(path) for one in sqlite._databases)


def test_files_stay_readable_by_other_processes_while_a_store_is_open(used, issued, path):
    """A backup by copying does not disturb it."""
    assert b"SQLite format 3" in bytes_on_disk(path)
    assert subprocess.run(["true"], check=True).returncode == 0
    assert answer(used, issued.secret) == "write:issue"


def test_the_interpreter_ends_quietly_with_stores_open(path):
    """In whatever order things are torn down, nothing complains."""
    script = (
        "import sys, threading\n"
        "from scopeware.tokens import TokenStore\n"
        "store = TokenStore.connect(f'sqlite:///{sys.argv[1]}')\n"
        "secret = store.issue(owner='alice', name='ci', scopes='all').secret\n"
        "threading.Thread(target=store.authenticate, args=(secret,)).start()\n"
        "store.authenticate(secret)\n"
    )
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", script, str(path)]
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert (ended.returncode, ended.stderr) == (0, "")
