"""What URLs of databases and of channels may say, and that passwords in them stay there."""

from __future__ import annotations

import logging
import secrets
import sys
import time
import traceback
from urllib.parse import quote

import pytest
from networked_helpers import LIVE
from processes import answer
from services import CuttableProxy, address_of, free_port, run_sql, through

from scopeware import ConfigurationError, Scopeware, StoreUnavailable
from scopeware.errors import ScopewareError
from scopeware.tokens import TokenStore
from scopeware.tokens.networked import MariaDatabase, PostgresDatabase
from scopeware.tokens.urls import database_at

PASSWORD = "hunter2"
NETWORKED = ["postgresql", "mysql"]


# -- databases


@pytest.mark.parametrize(
    ("scheme", "kind"),
    [
        ("postgresql", PostgresDatabase),
        ("postgres", PostgresDatabase),
        ("mysql", MariaDatabase),
        ("mariadb", MariaDatabase),
    ],
)
def test_a_scheme_names_a_kind_of_database(scheme, kind):
    """Without connecting to it; host and port may be left out."""
    database = database_at(f"{scheme}://somebody@db.example:1234/tokens")
    assert type(database) is kind
    assert database.name == f"{scheme}://db.example:1234/tokens"
    assert database_at(f"{scheme}:///tokens").name == f"{scheme}://localhost/tokens"


@pytest.mark.parametrize("scheme", ["oracle", "cockroachdb", "postgresql+pool", "postgresql+psycopg", "pg", "http"])
def test_another_scheme_is_refused(scheme):
    """What is understood is named."""
    with pytest.raises(ConfigurationError, match="is no database known here") as caught:
        TokenStore.connect(f"{scheme}://somebody@db.example/tokens")
    assert all(f"{known}://" in caught.value.problem for known in ("sqlite", *NETWORKED))


@pytest.mark.parametrize("scheme", NETWORKED)
@pytest.mark.parametrize("rest", ["", "/", "/?max_connections=2", "/one/two", "/tokens/", "/tokens#old"])
def test_a_url_without_the_name_of_a_database_is_refused(scheme, rest):
    """With the form that is expected."""
    with pytest.raises(ConfigurationError, match=f"it names no database; write {scheme}://user@host/name"):
        TokenStore.connect(f"{scheme}://somebody@db.example{rest}")


@pytest.mark.parametrize("scheme", NETWORKED)
@pytest.mark.parametrize("place", ["db.example:port", "db.example:70000", "[::1", "db.example:-1"])
def test_a_place_that_cannot_be_is_refused(scheme, place):
    """It is said which setting is meant."""
    with pytest.raises(ConfigurationError) as caught:
        TokenStore.connect(f"{scheme}://somebody@{place}/tokens")
    assert caught.value.where == "database"


@pytest.mark.parametrize("scheme", NETWORKED)
@pytest.mark.parametrize("most", ["0", "-1", "2.5", "many", "true", "", "1e3"])
def test_a_number_of_connections_that_cannot_be_is_refused(scheme, most):
    """It starts at 1."""
    with pytest.raises(ConfigurationError, match="`max_connections` is a number from 1") as caught:
        TokenStore.connect(f"{scheme}://somebody@db.example/tokens?max_connections={most}")
    assert f"`{most}`" in caught.value.problem.lower()


@pytest.mark.parametrize("most", [1, 3])
def test_a_number_of_connections_is_for_the_pool(url, connect, most):
    """The driver is not told."""
    store = connect(f"{url}?max_connections={most}")
    assert answer(store, store.issue(owner="alice", name="ci", scopes="write:issue").secret) == LIVE


@pytest.mark.parametrize(
    ("scheme", "option", "named"),
    [
        ("postgresql", "nonsense=1", "nonsense"),
        ("postgresql", "connect_timeout=soon", "connect_timeout"),
        ("mysql", "nonsense=1", "nonsense"),
        ("mysql", "connect_timeout=0", "connect_timeout"),
        ("mysql", "ssl=true", "what the URL says"),
    ],
)
def test_an_option_that_the_driver_does_not_take_is_named(scheme, option, named):
    """By an error that the command line can show."""
    with pytest.raises(ScopewareError, match=named):
        TokenStore.connect(f"{scheme}://somebody@127.0.0.1:{free_port()}/tokens?{option}")


@pytest.mark.parametrize("scheme", NETWORKED)
def test_a_server_that_is_not_there_is_unavailable(scheme):
    """At once, and it is named."""
    port = free_port()
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable, match=f"{scheme}://127.0.0.1:{port}/tokens is out of reach"):
        TokenStore.connect(f"{scheme}://somebody@127.0.0.1:{port}/tokens")
    assert time.monotonic() - begun < 3


def test_a_database_that_is_not_there_is_unavailable(url):
    """The server's own words are in the message."""
    with pytest.raises(StoreUnavailable, match=r"(?i)(unknown database|database) .*_absent"):
        TokenStore.connect(f"{url}_absent")


@pytest.mark.parametrize(
    ("scheme", "driver", "extra"),
    [("postgresql", "psycopg", "scopeware[postgres]"), ("mysql", "pymysql", "scopeware[mysql]")],
)
def test_a_missing_driver_says_what_to_install(scheme, driver, extra, monkeypatch):
    """It is an extra."""
    monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(ConfigurationError) as caught:
        TokenStore.connect(f"{scheme}://somebody@127.0.0.1/tokens")
    assert f"pip install {extra}" in caught.value.problem


# -- passwords


@pytest.mark.parametrize("scheme", NETWORKED)
@pytest.mark.parametrize("password", ["plain", "p@ss/w:rd", "#?&=%", "ünïcödé", "100%25", "with space+plus"])
def test_a_password_is_percent_decoded_once(scheme, password):
    """And so is the name of who connects."""
    url = f"{scheme}://some%40body:{quote(password, safe='')}@db.example/tokens"
    parameters = database_at(url).parameters
    assert parameters["user"] == "some@body"
    assert password in (parameters.get("password"), parameters.get("passwd"))


def test_a_password_is_given_as_the_driver_wants_it(mariadb_url, connect):
    """Nobody who turns warnings into errors is locked out."""
    with pytest.raises(StoreUnavailable, match="Access denied"):
        connect(mariadb_url.replace("root@", f"root:{PASSWORD}@"))


@pytest.mark.parametrize(
    "password",
    [
        "p@ss/w:rd#?%25",
        "пароль",
    ],
)
def test_a_password_with_anything_in_it_opens_the_door(password, mariadb_url, connect):
    """Written as it should be; the password next to it does not."""
    user = f"u{secrets.token_hex(8)}"
    name = mariadb_url.rpartition("/")[2]
    run_sql(
        mariadb_url,
        "SET NAMES utf8mb4",
        f"CREATE USER {user}@'%' IDENTIFIED BY '{password}'",
        f"GRANT ALL ON {name}.* TO {user}@'%'",
    )
    host, port = address_of(mariadb_url)
    try:
        store = connect(f"mysql://{user}:{quote(password, safe='')}@{host}:{port}/{name}")
        assert answer(store, store.issue(owner="alice", name="ci", scopes="write:issue").secret) == LIVE
        with pytest.raises(StoreUnavailable, match="Access denied") as caught:
            connect(f"mysql://{user}:{quote(password + 'x', safe='')}@{host}:{port}/{name}")
        assert password not in "".join(traceback.format_exception(caught.value))
    finally:
        run_sql(mariadb_url, f"DROP USER {user}@'%'")


def everything_said(error: BaseException, caplog: pytest.LogCaptureFixture) -> str:
    """What a person may come to see of an error: message, repr, traceback, log."""
    return "".join([str(error), repr(error), *traceback.format_exception(error), caplog.text])


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://somebody:{PASSWORD}@127.0.0.1:1/tokens",
        f"mysql://somebody:{PASSWORD}@127.0.0.1:1/tokens",
        f"postgresql://127.0.0.1:1/tokens?user=somebody&password={PASSWORD}",
        f"mysql://127.0.0.1:1/tokens?user=somebody&password={PASSWORD}",
        f"postgresql://somebody:{PASSWORD}@no-such-host.invalid/tokens",
        f"mysql://somebody:{PASSWORD}@no-such-host.invalid/tokens",
        f"postgresql://somebody:{PASSWORD}@127.0.0.1/",
        f"mysql://somebody:{PASSWORD}@127.0.0.1/one/two",
        f"postgresql://somebody:{PASSWORD}@127.0.0.1/tokens?max_connections=0",
        f"mysql://somebody:{PASSWORD}@127.0.0.1:70000/tokens",
        f"postgresql://somebody:{PASSWORD}@[::1/tokens",
        f"oracle://somebody:{PASSWORD}@127.0.0.1/tokens",
        f"//somebody:{PASSWORD}@127.0.0.1/tokens",
        f"somebody:{PASSWORD}@127.0.0.1/tokens",
        pytest.param(f"postgresql://somebody:{PASSWORD}/x@127.0.0.1/tokens", id="postgres, slash"),
        pytest.param(f"postgresql://somebody:{PASSWORD}#x@127.0.0.1/tokens", id="postgres, hash"),
        pytest.param(f"mysql://somebody:{PASSWORD}?x@127.0.0.1/tokens", id="mysql, question mark"),
        pytest.param(f"sqlite://somebody:{PASSWORD}/x@127.0.0.1/tokens", id="sqlite, slash"),
    ],
)
def test_a_password_is_not_in_what_is_said_of_a_url(url, caplog):
    """Whatever is wrong with it, that somebody forgot to escape the password included."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ScopewareError) as caught:
        TokenStore.connect(url)
    assert PASSWORD not in everything_said(caught.value, caplog)


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_a_password_is_not_in_what_is_said_while_it_works(kind, own_postgres, own_mariadb, call, policy, app, caplog):
    """Nor when it no longer does: in no repr, no log, no answer."""
    caplog.set_level(logging.DEBUG)
    own = {"postgres": own_postgres, "mariadb": own_mariadb}[kind]
    own.start()
    url = own.new_database()
    if kind == "mariadb":
        run_sql(url, f"SET PASSWORD = PASSWORD('{PASSWORD}')")
    try:
        with CuttableProxy(address_of(url)) as proxy:
            user = url.partition("@")[0]
            store = TokenStore.connect(through(url, proxy).replace(user, f"{user}:{PASSWORD}"), max_staleness=0)
            secret = store.issue(owner="alice", name="ci", scopes="write:issue").secret
            gate = Scopeware(app, policy, store)
            assert call(gate, "GET", "/api/v1/issues", authorization=f"Bearer {secret}").status == 200
            proxy.refuse()
            reply = call(gate, "GET", "/api/v1/issues", authorization=f"Bearer {secret}")
            assert reply.status == 503
            with pytest.raises(StoreUnavailable) as caught:
                store.revoke(1)
            shown = [repr(thing) for thing in (gate, store, store._database, store._database.peewee, store._known)]
            store.close()
    finally:
        if kind == "mariadb":
            run_sql(url.replace("root@", f"root:{PASSWORD}@"), "SET PASSWORD = ''")
    told = [everything_said(caught.value, caplog), reply.body.decode(), str(reply.headers), *shown]
    assert "out of reach" in caplog.text
    assert [text for text in told if PASSWORD in text] == []


# -- channels and bounds


@pytest.mark.parametrize("scheme", NETWORKED)
@pytest.mark.parametrize("push", ["", "nothing", "Notify", "localhost:6379", "http://127.0.0.1", "valkey://127.0.0.1"])
def test_a_channel_that_is_none_is_refused(scheme, push):
    """What there is is named."""
    with pytest.raises(ConfigurationError, match="is neither `notify` nor the URL of a Redis") as caught:
        TokenStore.connect(f"{scheme}://somebody@127.0.0.1/tokens", push=push)
    assert caught.value.where == "push"


@pytest.mark.parametrize(
    "push",
    [
        "redis://127.0.0.1:port/0",
        "redis://127.0.0.1/0?socket_timeout=long",
        "redis://[::1/0",
    ],
)
def test_the_url_of_a_redis_that_cannot_be_is_refused(push):
    """As any setting that is wrong."""
    with pytest.raises(ConfigurationError) as caught:
        TokenStore.connect("postgresql://somebody@127.0.0.1/tokens", push=push)
    assert caught.value.where == "push"


def test_only_postgresql_has_notify():
    """Whoever asks MariaDB for it is told what else there is."""
    with pytest.raises(ConfigurationError, match="only PostgreSQL has `notify`; name a Redis"):
        TokenStore.connect("mysql://somebody@127.0.0.1/tokens", push="notify")
    assert database_at("postgresql://somebody@127.0.0.1/tokens").set_channel("notify") is None


def test_a_missing_driver_of_redis_says_what_to_install(monkeypatch):
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigurationError, match=r"pip install scopeware\[redis\]"):
        TokenStore.connect("mysql://somebody@127.0.0.1/tokens", push="redis://127.0.0.1/0")


@pytest.mark.parametrize(
    "push",
    [
        f"http://:{PASSWORD}@127.0.0.1/0",
        f"redis://:{PASSWORD}@127.0.0.1/0?socket_timeout=long",
        pytest.param(f"redis://:{PASSWORD}/x@127.0.0.1/0", id="slash"),
        pytest.param(f"//:{PASSWORD}@127.0.0.1/0", id="no scheme"),
        pytest.param(f":{PASSWORD}@127.0.0.1:6379", id="no slashes"),
    ],
)
def test_a_password_is_not_in_what_is_said_of_a_channel(push, caplog):
    """Whatever is wrong with it."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ConfigurationError) as caught:
        TokenStore.connect("postgresql://somebody@127.0.0.1/tokens", push=push)
    assert PASSWORD not in everything_said(caught.value, caplog)


def test_a_password_that_redis_refuses_is_not_logged(postgres_url, redis_url, connect, caplog):
    """Changes are made all the same."""
    caplog.set_level(logging.DEBUG)
    host, port = address_of(redis_url)
    store = connect(postgres_url, push=f"redis://nobody:{PASSWORD}@{host}:{port}/0")
    secret = store.issue(owner="alice", name="ci", scopes="write:issue").secret
    assert answer(store, secret) == LIVE
    assert "cannot be announced" in caplog.text
    assert PASSWORD not in "".join([caplog.text, repr(store._database.channel), repr(store._known)])


@pytest.mark.parametrize("option", [{"push": "notify"}, {"push": "redis://127.0.0.1/0"}, {"max_staleness": 1.0}])
@pytest.mark.parametrize("place", ["tokens.db", ":memory:"])
def test_sqlite_takes_neither_channel_nor_bound(option, place, tmp_path):
    """They would have no effect; the file is not even made."""
    path = place if place == ":memory:" else f"{tmp_path}/{place}"
    with pytest.raises(ConfigurationError, match="it has no effect on SQLite") as caught:
        TokenStore.connect(f"sqlite:///{path}", **option)
    assert [caught.value.where] == list(option)
    assert list(tmp_path.iterdir()) == []
    TokenStore.connect(f"sqlite:///{path}").close()


@pytest.mark.parametrize("seconds", [-0.001, 3600.1, float("nan"), float("inf")])
def test_a_bound_that_cannot_be_is_refused(seconds):
    """Before anything is connected to."""
    with pytest.raises(ConfigurationError, match="from 0 to 3600") as caught:
        TokenStore.connect(f"postgresql://somebody@127.0.0.1:{free_port()}/tokens", max_staleness=seconds)
    assert caught.value.where == "max_staleness"


@pytest.mark.parametrize("seconds", [0, 0.5, 3600])
def test_a_bound_that_can_be_is_taken(url, connect, seconds):
    """The ends included."""
    store = connect(url, max_staleness=seconds)
    assert answer(store, store.issue(owner="alice", name="ci", scopes="write:issue").secret) == LIVE
