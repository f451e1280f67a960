"""The servers that tests talk to, and that they go away when they are told to."""

from __future__ import annotations

import os
import select
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import services
from services import CuttableProxy, OwnPostgres, address_of, drop_connections, free_port, new_database, run_sql, through

postgres_url = services.postgres_url
mariadb_url = services.mariadb_url
redis_url = services.redis_url
redis_channel = services.redis_channel
own_postgres = services.own_postgres
own_mariadb = services.own_mariadb

ASK_FOR_TLS = struct.pack("!ii", 8, 80877103)
"""What PostgreSQL answers with one byte, whoever asks."""


@pytest.fixture(params=["postgres_url", "mariadb_url"])
def url(request):
    """A database of each kind."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["own_postgres", "own_mariadb"])
def own(request):
    """A server of each kind, running."""
    server = request.getfixturevalue(request.param)
    server.start()
    return server


@pytest.fixture
def open_connection():
    """``open_connection(url)``: a driver's connection, in a transaction that has read something."""
    with ExitStack() as opened:

        def connect(url):
            connection = opened.enter_context(closing(services._connect(url)))
            services._run(connection, "BEGIN", "SELECT * FROM thing")
            return connection

        yield connect


def loses(connection, statement):
    """Whether the connection is lost over a statement, by what its driver says."""
    try:
        services._run(connection, statement)
    except Exception as error:
        return not {"OperationalError", "InterfaceError"}.isdisjoint(base.__name__ for base in type(error).__mro__)
    return False


def listed(url):
    """The names of the databases on a server."""
    names = "SELECT datname FROM pg_database" if services.kind_of(url) == "postgres" else "SHOW DATABASES"
    return {row[0] for row in run_sql(url, names)}


def with_port(url, port):
    host, old = address_of(url)
    return url.replace(f"{host}:{old}", f"{host}:{port}")


class TestRequire:
    @pytest.mark.parametrize("kind", services.SERVERS)
    def test_one_that_does_not_answer_is_a_skip_that_says_what_to_set(self, kind, monkeypatch):
        """Where nothing is required."""
        services.require(kind)
        variable, default = services.SERVERS[kind]
        monkeypatch.setenv(variable, with_port(default, free_port()))
        monkeypatch.delenv("SCOPEWARE_REQUIRE_SERVICES", raising=False)
        assert not services.reachable(kind)
        with pytest.raises(pytest.skip.Exception, match=variable):
            services.require(kind)

    @pytest.mark.parametrize("kind", services.SERVERS)
    def test_one_that_does_not_answer_fails_what_requires_it(self, kind, monkeypatch):
        """A skip would hide that nothing was tried."""
        services.require(kind)
        variable, default = services.SERVERS[kind]
        monkeypatch.setenv(variable, with_port(default, free_port()))
        monkeypatch.setenv("SCOPEWARE_REQUIRE_SERVICES", "1")
        with pytest.raises(pytest.fail.Exception, match=variable):
            services.require(kind)

    @pytest.mark.parametrize("kind", ["mariadb", "redis"])
    def test_one_that_is_silent_is_waited_for_a_moment(self, kind, monkeypatch):
        """Where something listens, and says nothing."""
        services.require(kind)
        monkeypatch.setattr(services, "_CHECK_SECONDS", 1)
        variable, default = services.SERVERS[kind]
        with CuttableProxy(address_of(default)) as proxy:
            proxy.cut()
            monkeypatch.setenv(variable, through(default, proxy))
            began = time.monotonic()
            assert not services.reachable(kind)
            assert time.monotonic() - began < 5

    def test_a_driver_that_is_missing_counts_the_same(self, monkeypatch):
        """It is named."""
        monkeypatch.setitem(services._DRIVERS, "postgres", "no_such_driver")
        monkeypatch.setenv("SCOPEWARE_TEST_POSTGRES", "postgresql://nobody@127.0.0.1:1/nothing")
        monkeypatch.setenv("SCOPEWARE_REQUIRE_SERVICES", "1")
        with pytest.raises(pytest.fail.Exception, match="no_such_driver"):
            services.require("postgres")

    def test_it_is_asked_once(self, monkeypatch):
        """Whether it answers now is not asked any more."""
        services.require("mariadb")
        monkeypatch.setattr(services, "_connect", None)
        assert services.reachable("mariadb")

    def test_programs_that_are_missing_count_the_same(self, monkeypatch, tmp_path):
        """Of servers of the test's own."""
        monkeypatch.setattr(services.shutil, "which", lambda *arguments, **options: None)
        monkeypatch.delenv("SCOPEWARE_REQUIRE_SERVICES", raising=False)
        with pytest.raises(pytest.skip.Exception, match="mariadb-install-db"):
            services.OwnMariaDB()


class TestDatabases:
    def test_a_test_gets_an_empty_one_of_its_own(self, url):
        """The server knows it by the name in the URL."""
        here = "'public'" if services.kind_of(url) == "postgres" else "database()"
        tables = f"SELECT table_name FROM information_schema.tables WHERE table_schema = {here}"
        assert run_sql(url, tables) == []
        assert run_sql(url, "CREATE TABLE thing (a INTEGER)", tables) == [("thing",)]
        assert url.rpartition("/")[2] in listed(url)

    @pytest.mark.parametrize("kind", ["postgres", "mariadb"])
    def test_it_is_dropped_with_connections_open(self, kind, open_connection):
        """Those in a transaction that has read from it, too."""
        services.require(kind)
        with new_database(services.server_url(kind)) as url:
            run_sql(url, "CREATE TABLE thing (a INTEGER)")
            connection = open_connection(url)
        assert url.rpartition("/")[2] not in listed(services.server_url(kind))
        assert loses(connection, "SELECT 1")

    def test_rows_of_the_last_statement_come_back(self, url):
        """What went before is committed, and a percent sign is one."""
        statements = ["CREATE TABLE thing (a INTEGER, b VARCHAR(9))", "INSERT INTO thing VALUES (1, '%s'), (2, '%%')"]
        assert run_sql(url, *statements) == []
        assert run_sql(url, "DELETE FROM thing WHERE a = 2", "SELECT * FROM thing") == [(1, "%s")]

    def test_sqlite_is_spoken_too(self, tmp_path):
        """The same function for all three."""
        url = f"sqlite:///{tmp_path}/things.db"
        assert run_sql(url, "CREATE TABLE thing (a)", "INSERT INTO thing VALUES (1)") == []
        assert run_sql(url, "SELECT * FROM thing") == [(1,)]
        with closing(sqlite3.connect(tmp_path / "things.db")) as connection:
            assert connection.execute("SELECT * FROM thing").fetchall() == [(1,)]

    def test_connections_are_dropped(self, url, open_connection):
        """All of that database, and no other's."""
        run_sql(url, "CREATE TABLE thing (a INTEGER)")
        ours = [open_connection(url), open_connection(url)]
        with new_database(services.server_url(services.kind_of(url))) as elsewhere:
            run_sql(elsewhere, "CREATE TABLE thing (a INTEGER)")
            theirs = open_connection(elsewhere)
            assert drop_connections(url) == 2
            assert [loses(connection, "SELECT 1") for connection in ours] == [True, True]
            assert not loses(theirs, "SELECT 1")
        assert drop_connections(url) == 0

    def test_a_statement_that_runs_is_ended(self, url, open_connection):
        """At once."""
        run_sql(url, "CREATE TABLE thing (a INTEGER)")
        connection = open_connection(url)
        if services.kind_of(url) == "postgres":
            sleep, statements = "SELECT pg_sleep(60)", "SELECT query FROM pg_stat_activity"
        else:
            sleep, statements = "SELECT sleep(60)", "SELECT info FROM information_schema.processlist"
        with ThreadPoolExecutor(1) as pool:
            lost = pool.submit(loses, connection, sleep)
            services._until(lambda: (sleep,) in run_sql(url, statements), "a statement")
            assert drop_connections(url) == 1
            assert lost.result(5)


class TestRedis:
    def test_messages_on_a_channel_of_the_tests_own_arrive(self, redis_url, redis_channel):
        """By way of a proxy, too."""
        import redis

        with (
            CuttableProxy(address_of(redis_url)) as proxy,
            redis.Redis.from_url(redis_url) as here,
            redis.Redis.from_url(through(redis_url, proxy)) as there,
            there.pubsub(ignore_subscribe_messages=True) as channel,
        ):
            channel.subscribe(redis_channel)
            channel.get_message(timeout=5)
            assert here.publish(redis_channel, "hello") == 1
            assert channel.get_message(timeout=5)["data"] == b"hello"
            proxy.cut()
            here.publish(redis_channel, "again")
            assert channel.get_message(timeout=0.1) is None
            proxy.restore()
            assert channel.get_message(timeout=5)["data"] == b"again"


@pytest.fixture
def proxy(postgres_url):
    """A proxy in front of PostgreSQL."""
    with CuttableProxy(address_of(postgres_url)) as proxy:
        yield proxy


@pytest.fixture
def connection(postgres_url, proxy):
    """A connection to PostgreSQL through the proxy."""
    import psycopg

    with closing(psycopg.connect(through(postgres_url, proxy), autocommit=True)) as connection:
        assert connection.execute("SELECT 1").fetchall() == [(1,)]
        yield connection


def stays_silent(plug):
    return select.select([plug], [], [], 0.2)[0] == []


class TestCuttableProxy:
    def test_much_goes_through_in_both_directions(self, proxy, connection):
        """All of it, in order."""
        sent = os.urandom(20_000_000).hex()
        assert connection.execute("SELECT %s::text", (sent,)).fetchone() == (sent,)
        assert proxy.accepted == 1

    def test_cut_is_silence(self, proxy, connection):
        """Nothing comes back, nothing is closed, and what was held back comes when it is restored."""
        proxy.cut()
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(services._run, connection, "SELECT 2")
            assert stays_silent(connection.pgconn.socket)
            assert not asked.done()
            proxy.restore()
            assert asked.result(5) == [(2,)]

    def test_what_the_server_says_is_cut_too(self, postgres_url, proxy, connection):
        """As the end of a connection."""
        proxy.cut()
        assert drop_connections(postgres_url) == 1
        assert stays_silent(connection.pgconn.socket)
        proxy.restore()
        assert loses(connection, "SELECT 1")

    def test_who_connects_while_it_is_cut_hears_nothing(self, proxy):
        """And is served when it is restored."""
        proxy.cut()
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as plug:
            assert proxy.accepted == 1
            plug.sendall(ASK_FOR_TLS)
            assert stays_silent(plug)
            proxy.restore()
            assert plug.recv(1) in (b"N", b"S")
        assert proxy.accepted == 1

    def test_refuse_resets_and_refuses(self, postgres_url, proxy, connection):
        """Until it is restored, on the same port."""
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as plug:
            proxy.refuse()
            with pytest.raises(ConnectionResetError):
                plug.recv(1)
        assert loses(connection, "SELECT 1")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", proxy.port), timeout=5)
        proxy.restore()
        assert run_sql(through(postgres_url, proxy), "SELECT 4") == [(4,)]
        assert proxy.accepted == 3

    def test_one_state_follows_any_other(self, postgres_url, proxy):
        """Cut after refused, and refused after cut."""
        proxy.refuse()
        proxy.cut()
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as plug:
            assert stays_silent(plug)
            proxy.refuse()
            with pytest.raises(ConnectionResetError):
                plug.recv(1)
        proxy.refuse()
        proxy.restore()
        proxy.restore()
        assert run_sql(through(postgres_url, proxy), "SELECT 5") == [(5,)]

    def test_clients_of_a_server_that_is_not_there_are_reset(self):
        """So soon that connecting may fail with it already."""
        with (
            CuttableProxy(("127.0.0.1", free_port())) as proxy,
            pytest.raises(ConnectionResetError),
            socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as plug,
        ):
            plug.recv(1)

    def test_closed_it_is_gone(self):
        """With its thread, and it may be closed again."""
        proxy = CuttableProxy(("127.0.0.1", free_port()))
        proxy.close()
        proxy.close()
        assert not proxy._thread.is_alive()
        assert proxy.accepted == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", proxy.port), timeout=5)
        with pytest.raises(RuntimeError):
            proxy.cut()

    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("postgresql://me:p%40ss@db.example:5432/name?a=b", "postgresql://me:p%40ss@127.0.0.1:{}/name?a=b"),
            ("mysql://me@[::1]/name", "mysql://me@127.0.0.1:{}/name"),
            ("redis://cache.example/0", "redis://127.0.0.1:{}/0"),
        ],
    )
    def test_through_changes_host_and_port_only(self, url, expected):
        """Whatever else there is."""
        with CuttableProxy(address_of(url)) as proxy:
            assert through(url, proxy) == expected.format(proxy.port)


class TestOwnServers:
    @pytest.mark.parametrize("how", ["restart", "kill"])
    def test_it_keeps_its_data(self, own, how, open_connection):
        """It comes back at the same place, and its clients have lost their connections."""
        url = own.new_database()
        run_sql(url, "CREATE TABLE thing (a INTEGER)", "INSERT INTO thing VALUES (7)")
        connection = open_connection(url)
        getattr(own, how)()
        assert own.running == (how == "restart")
        own.start()
        assert run_sql(url, "SELECT * FROM thing") == [(7,)]
        assert loses(connection, "SELECT 1")

    def test_stopped_it_refuses(self, own):
        """And starts again, once however often it is told to."""
        own.stop()
        own.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address_of(own.url), timeout=5)
        own.start()
        own.start()
        assert run_sql(own.url, "SELECT 1") == [(1,)]

    def test_nothing_is_left_of_it(self):
        """Neither processes nor files."""
        server = OwnPostgres()
        assert server.log.exists()
        server.close()
        assert not server.folder.exists()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address_of(server.url), timeout=5)
        server.close()

    def test_its_guard_knows_which_process_it_is(self, own):
        """The one that is to be ended."""
        assert int(own._pid_file().read_text().split()[0]) == own._process.pid

    def test_it_does_not_outlive_those_who_made_it(self, own_postgres):
        """However they end."""
        code = (
            "import os, services; own = services.OwnPostgres(); print(own.url, own.folder, flush=True); os.kill(0, 9)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(services.__file__).parent,
            stdout=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
            start_new_session=True,
        )
        url, folder = done.stdout.split()
        assert done.returncode == -signal.SIGKILL
        services._until(lambda: not Path(folder).exists(), "cleaning up")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address_of(url), timeout=5)

    def test_all_fixtures_of_a_process_share_one(self, own_postgres):
        """Each conftest that imports one has a fixture of its own."""
        with services._shared(OwnPostgres) as server:
            assert server is own_postgres
        assert own_postgres.running
