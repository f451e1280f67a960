"""Real PostgreSQL, MariaDB and Redis servers for tests, and ways to take them from under those who use them.

Where they are is said by ``SCOPEWARE_TEST_POSTGRES``, ``SCOPEWARE_TEST_MARIADB`` and ``SCOPEWARE_TEST_REDIS``. Tests
that need one which does not answer are skipped; with ``SCOPEWARE_REQUIRE_SERVICES=1`` they fail.

A conftest takes the fixtures that it wants: ``from services import postgres_url  # noqa: F401``.
"""

from __future__ import annotations

import glob
import importlib
import os
import pwd
import random
import re
import secrets
import selectors
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, ClassVar, NoReturn, Self, TypeVar
from urllib.parse import unquote, urlsplit

import pytest

HOST = "127.0.0.1"

SERVERS = {
    "postgres": ("SCOPEWARE_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres"),
    "mariadb": ("SCOPEWARE_TEST_MARIADB", "mysql://root@127.0.0.1:3306/test"),
    "redis": ("SCOPEWARE_TEST_REDIS", "redis://127.0.0.1:6379/0"),
}
"""By kind: the variable with the URL of the server, and the URL where there is no such variable."""

_KINDS = {
    "postgresql": "postgres",
    "postgres": "postgres",
    "mysql": "mariadb",
    "mariadb": "mariadb",
    "redis": "redis",
    "sqlite": "sqlite",
}
_DRIVERS = {"postgres": "psycopg", "mariadb": "pymysql", "redis": "redis"}
_PORTS = {"postgres": 5432, "mariadb": 3306, "redis": 6379}

_CHECK_SECONDS = 2
_SECONDS = 10
"""How long anything here may take that should take no time."""
_SERVER_SECONDS = 30
"""How long a server may take to start or to stop; it takes a fraction of a second."""

_GUARD = """
read -r goodbye || {
    server=$(head -n 1 "$2")
    kill -s "$1" "$server"
    for tenths in 1 2 3 4 5; do kill -0 "$server" && sleep "0.$tenths"; done
    rm -rf "$3"
}
"""
"""Ends a server and removes its folder when the tests that it belongs to are killed without a chance to do so."""

_NO_SUCH_THREAD = 1094
"""What MariaDB says of a connection that is gone already."""


def kind_of(url: str) -> str:
    """``postgres``, ``mariadb``, ``redis`` or ``sqlite``."""
    return _KINDS[urlsplit(url).scheme]


def address_of(url: str) -> tuple[str, int]:
    """Host and port that a URL names, for a :class:`CuttableProxy` to stand in front of."""
    parts = urlsplit(url)
    return parts.hostname or HOST, parts.port or _PORTS[kind_of(url)]


def server_url(kind: str) -> str:
    """Where the server of that kind is to be."""
    variable, default = SERVERS[kind]
    return os.environ.get(variable) or default


def unique_name() -> str:
    """A name for a database or a channel that nothing else has, in this process or another."""
    # pytest-randomly gives every worker the same random numbers, but not these.
    return f"scopeware_test_{secrets.token_hex(8)}"


def free_port() -> int:
    """A port that nothing listens on, out of those that the system does not give to whoever connects somewhere.

    So it is still free when a server comes back to it.
    """
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port


def _until(reached: Callable[[], bool], what: str, seconds: float = _SECONDS) -> None:
    end = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > end:
            raise RuntimeError(f"{what} took more than {seconds} s")
        time.sleep(0.005)


# Whether they are there


def reachable(kind: str) -> bool:
    """Whether the server of that kind answers and its driver is installed. It is asked once a process."""
    return _trouble(kind, server_url(kind)) is None


def require(kind: str) -> None:
    """Skip the test where the server of that kind is out of reach, or fail it where services are required."""
    trouble = _trouble(kind, server_url(kind))
    if trouble is not None:
        _give_up(trouble)


def _give_up(reason: str) -> NoReturn:
    if os.environ.get("SCOPEWARE_REQUIRE_SERVICES") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@cache
def _trouble(kind: str, url: str) -> str | None:
    """Why the server cannot be used; its URL may have a password in it, and is not shown."""
    host, port = address_of(url)
    try:
        driver = importlib.import_module(_DRIVERS[kind])
    except ImportError:
        return f"no {kind}: its driver {_DRIVERS[kind]} is not installed"
    try:
        if kind == "redis":
            _ping(driver, url)
        else:
            _connect(url, administer=True, seconds=_CHECK_SECONDS).close()
    except Exception as error:
        return f"no {kind} at {host}:{port}, set {SERVERS[kind][0]} to where one is ({type(error).__name__}: {error})"
    return None


def _ping(redis: Any, url: str) -> None:
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    once = Retry(NoBackoff(), 0)
    with redis.Redis.from_url(
        url, socket_connect_timeout=_CHECK_SECONDS, socket_timeout=_CHECK_SECONDS, retry=once
    ) as client:
        client.ping()


# Databases, and statements on connections of their own


def _connect(url: str, *, administer: bool = False, seconds: int = _SERVER_SECONDS) -> Any:
    """A connection of the driver that commits every statement.

    :param administer: connect to the server rather than to the database, which need not be there.
    :param seconds: how long the server may be silent.
    """
    kind = kind_of(url)
    if kind == "sqlite":
        return sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=5)
    parts = urlsplit(url)
    if kind == "postgres":
        import psycopg

        server = parts._replace(scheme="postgresql", path="/postgres" if administer else parts.path)
        return psycopg.connect(server.geturl(), autocommit=True, connect_timeout=seconds)
    if kind == "mariadb":
        import pymysql

        host, port = address_of(url)
        return pymysql.connect(
            host=host,
            port=port,
            user=unquote(parts.username or "root"),
            password=unquote(parts.password or ""),
            database=None if administer else _name_of(url),
            autocommit=True,
            connect_timeout=seconds,
            # The timeout for connecting does not cover the server's greeting.
            read_timeout=seconds,
            write_timeout=seconds,
        )
    raise ValueError(f"{kind} has no SQL")


def _name_of(url: str) -> str:
    return unquote(urlsplit(url).path.removeprefix("/"))


def _run(connection: Any, *statements: str) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    with closing(connection.cursor()) as cursor:
        for statement in statements:
            cursor.execute(statement)
            rows = list(cursor.fetchall()) if cursor.description else []
    return rows


def run_sql(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements on a connection of their own, each committed before the next.

    :param url: of a database of PostgreSQL, MariaDB or SQLite.
    :returns: the rows of the last one.
    """
    with closing(_connect(url)) as connection:
        return _run(connection, *statements)


def create_database(server: str) -> str:
    """The URL of a new database with nothing in it, on the server where the database `server` is."""
    name = unique_name()
    # Nobody can be connected to template0, which would be in the way.
    template = " TEMPLATE template0" if kind_of(server) == "postgres" else ""
    with closing(_connect(server, administer=True)) as connection:
        _run(connection, f"CREATE DATABASE {name}{template}")
    return urlsplit(server)._replace(path=f"/{name}").geturl()


def drop_database(url: str) -> None:
    """Drop a database, whoever is connected to it."""
    # PostgreSQL waits a tenth of a second for those it has to force out itself. MariaDB has no such force, and waits
    # for transactions that have read from the database.
    drop_connections(url)
    with closing(_connect(url, administer=True)) as connection:
        if kind_of(url) == "postgres":
            _run(connection, f"DROP DATABASE IF EXISTS {_name_of(url)} WITH (FORCE)")
        else:
            _run(connection, f"SET lock_wait_timeout = {_SECONDS}", f"DROP DATABASE IF EXISTS {_name_of(url)}")


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """The same as :func:`create_database`, for as long as the context lasts."""
    url = create_database(server)
    try:
        yield url
    finally:
        drop_database(url)


def drop_connections(url: str) -> int:
    """End all other connections to a database, in the middle of whatever they do, as a restart of the server would.

    They are gone when it returns. Their clients find out when they use them next.

    :param url: of a database that tests have for themselves, past any proxy.
    :returns: how many there were.
    """
    if kind_of(url) == "postgres":
        listing = (
            "SELECT pid FROM pg_stat_activity"
            " WHERE datname = %s AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        end = "SELECT pg_terminate_backend(%s)"
    else:
        listing = "SELECT id FROM information_schema.processlist WHERE db = %s AND id <> connection_id()"
        end = "KILL %s"
    with closing(_connect(url, administer=True)) as connection, closing(connection.cursor()) as cursor:

        def others() -> set[int]:
            cursor.execute(listing, (_name_of(url),))
            return {row[0] for row in cursor.fetchall()}

        found = others()
        for number in found:
            try:
                cursor.execute(end, (number,))
            except Exception as error:
                if error.args[:1] != (_NO_SUCH_THREAD,):
                    raise
        _until(lambda: found.isdisjoint(others()), "ending connections")
    return len(found)


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """A PostgreSQL database of the test's own, with nothing in it."""
    require("postgres")
    with new_database(server_url("postgres")) as url:
        yield url


@pytest.fixture
def mariadb_url() -> Iterator[str]:
    """A MariaDB database of the test's own, with nothing in it."""
    require("mariadb")
    with new_database(server_url("mariadb")) as url:
        yield url


@pytest.fixture
def redis_url() -> str:
    """The Redis server, which all tests share: see :func:`redis_channel`."""
    require("redis")
    return server_url("redis")


@pytest.fixture
def redis_channel() -> str:
    """A channel that no other test publishes on."""
    return unique_name()


# A network that fails


class _Side:
    """One end of a connection through a proxy.

    :ivar waiting: what is still to be written to it.
    :ivar ended: it has said that nothing more will come from it.
    :ivar told: it has been told that nothing more will come to it.
    """

    other: _Side

    def __init__(self, plug: socket.socket) -> None:
        plug.setblocking(False)
        plug.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.plug = plug
        self.waiting = bytearray()
        self.ended = False
        self.told = False

    def take(self) -> None:
        """Read what has come, for the other side."""
        # Nothing is read before what was read last is written, so that who is too fast has to wait.
        if self.ended or self.other.waiting:
            return
        with suppress(BlockingIOError):
            data = self.plug.recv(65_536)
            self.other.waiting += data
            self.ended = not data

    def give(self) -> None:
        """Write what waits, as far as it is taken."""
        if self.waiting:
            with suppress(BlockingIOError):
                del self.waiting[: self.plug.send(self.waiting)]
        if self.other.ended and not self.waiting and not self.told:
            self.told = True
            self.plug.shutdown(socket.SHUT_WR)

    @property
    def interest(self) -> int:
        """What to wake up for."""
        reading = selectors.EVENT_READ if not self.ended and not self.other.waiting else 0
        return reading | (selectors.EVENT_WRITE if self.waiting else 0)


class CuttableProxy:
    """A TCP proxy on a loopback port that can stop forwarding, or refuse to be connected to.

    What its methods say is so when they return. All its sockets belong to one thread; so what waits for an answer
    without giving other threads a turn, as ``pgconn.get_result()`` of psycopg does, waits forever.

    :param target: host and port that it stands in front of; see :func:`address_of`.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._state = "open"
        self._accepted = 0
        self._sides: set[_Side] = set()
        self._kept: list[socket.socket] = []
        """Clients that came while it was cut; the target knows nothing of them."""
        self._wishes: SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = SimpleQueue()
        self._selector = selectors.DefaultSelector()
        self._bell, self._ear = socket.socketpair()
        self._selector.register(self._ear, selectors.EVENT_READ, lambda events: self._obey())
        self._listener: socket.socket | None = None
        self.port = free_port()
        self._listen()
        self._thread = threading.Thread(target=self._loop, name="cuttable proxy", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def accepted(self) -> int:
        """How many connections there have been, those included that came while it was cut."""
        return self._ask(self._count) if self._thread.is_alive() else self._accepted

    def cut(self) -> None:
        """Go silent: nothing is forwarded any more and nothing is closed. New connections are accepted, and silent."""
        self._ask(self._cut)

    def refuse(self) -> None:
        """Reset all connections, and have new ones refused."""
        self._ask(self._refuse)

    def restore(self) -> None:
        """Forward again, what was held back when it was cut, too."""
        self._ask(self._restore)

    def close(self) -> None:
        """Close all connections and be gone."""
        if self._thread.is_alive():
            self._ask(self._close)
        self._thread.join(_SECONDS)
        self._bell.close()
        self._ear.close()
        self._selector.close()

    # Any thread

    def _ask(self, wish: Callable[[], Any]) -> Any:
        if not self._thread.is_alive():
            raise RuntimeError("the proxy is closed")
        done: Future[Any] = Future()
        self._wishes.put((wish, done))
        self._bell.send(b"!")
        return done.result(_SECONDS)

    # Its own thread

    def _loop(self) -> None:
        while self._state != "closed":
            for key, events in self._selector.select():
                key.data(events)

    def _obey(self) -> None:
        self._ear.recv(4096)
        with suppress(Empty):
            while True:
                wish, done = self._wishes.get_nowait()
                try:
                    done.set_result(wish())
                except Exception as error:
                    done.set_exception(error)

    def _listen(self) -> None:
        if self._listener is None:
            self._listener = socket.create_server((HOST, self.port))
            self._listener.setblocking(False)
            self._selector.register(self._listener, selectors.EVENT_READ, lambda events: self._accept())

    def _deafen(self) -> None:
        if self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self) -> None:
        with suppress(BlockingIOError):
            while self._listener is not None:
                client, _ = self._listener.accept()
                self._accepted += 1
                if self._state == "open":
                    self._join(client)
                else:
                    self._kept.append(client)

    def _join(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._target, timeout=_CHECK_SECONDS)
        except OSError:
            _reset(client)
            return
        one, other = _Side(client), _Side(server)
        one.other, other.other = other, one
        self._sides |= {one, other}
        self._watch(one)
        self._watch(other)

    def _serve(self, side: _Side, events: int) -> None:
        # It may have been closed since it was found to be ready.
        if side not in self._sides or self._state != "open":
            return
        try:
            if events & selectors.EVENT_READ:
                side.take()
            side.give()
            side.other.give()
        except OSError:
            self._end(side, _reset)
            return
        if side.told and side.other.told:
            self._end(side, socket.socket.close)
            return
        self._watch(side)
        self._watch(side.other)

    def _watch(self, side: _Side) -> None:
        interest = side.interest if self._state == "open" else 0
        watched = side.plug in self._selector.get_map()
        if interest and watched:
            self._selector.modify(side.plug, interest, partial(self._serve, side))
        elif interest:
            self._selector.register(side.plug, interest, partial(self._serve, side))
        elif watched:
            self._selector.unregister(side.plug)

    def _end(self, side: _Side, how: Callable[[socket.socket], None]) -> None:
        for end in (side, side.other):
            if end.plug in self._selector.get_map():
                self._selector.unregister(end.plug)
            how(end.plug)
            self._sides.discard(end)

    def _end_all(self, how: Callable[[socket.socket], None]) -> None:
        while self._sides:
            self._end(next(iter(self._sides)), how)
        while self._kept:
            how(self._kept.pop())

    def _count(self) -> int:
        # Who has just connected may not have been seen yet.
        self._accept()
        return self._accepted

    def _cut(self) -> None:
        self._accept()
        self._state = "cut"
        self._listen()
        for side in self._sides:
            self._watch(side)

    def _refuse(self) -> None:
        self._accept()
        self._state = "refusing"
        self._deafen()
        self._end_all(_reset)

    def _restore(self) -> None:
        self._accept()
        self._state = "open"
        self._listen()
        kept, self._kept = self._kept, []
        for client in kept:
            self._join(client)
        for side in self._sides:
            self._watch(side)

    def _close(self) -> None:
        self._state = "closed"
        self._deafen()
        self._end_all(socket.socket.close)


def _reset(plug: socket.socket) -> None:
    """Close a connection with RST rather than FIN."""
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    plug.close()


def through(url: str, proxy: CuttableProxy) -> str:
    """The same URL by way of a proxy."""
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}{at}{HOST}:{proxy.port}").geturl()


# Servers that stop


class OwnServer:
    """A database server that tests may stop, in processes and a folder of its own. It runs once it is made."""

    KIND: ClassVar[str]
    ACCOUNT: ClassVar[str]
    """Who runs it where the tests are run by root, whom it refuses to be run by."""
    STOP: ClassVar[signal.Signals]
    KILL: ClassVar[signal.Signals]

    def __init__(self) -> None:
        self._find_programs()
        try:
            importlib.import_module(_DRIVERS[self.KIND])
        except ImportError:
            _give_up(f"no {self.KIND} of our own: its driver {_DRIVERS[self.KIND]} is not installed")
        self._account = self._find_account()
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        # Not below pytest's own folder, which is for the one who runs the tests alone.
        self.folder = Path(tempfile.mkdtemp(prefix="scopeware-test-"))
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self.port = free_port()
        try:
            if self._account:
                os.chown(self.folder, self._account["user"], self._account["group"])
            self._guard = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "guard", self.KILL.name.removeprefix("SIG"), self._pid_file(), self.folder],
                **self._account,
                cwd="/",
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            self._initialise()
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        """Of the database that comes with it."""
        raise NotImplementedError

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it where it does not run, on the port that it had, and wait until it answers."""
        if self.running:
            return
        with self.log.open("ab") as log:
            process = self._process = subprocess.Popen(
                self._command(),
                **self._account,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

        def answers() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"{self.KIND} did not start:\n{self._end_of_log()}")
            try:
                _connect(self.url, administer=True).close()
            except importlib.import_module(_DRIVERS[self.KIND]).OperationalError:
                return False
            return True

        _until(answers, f"starting {self.KIND}", _SERVER_SECONDS)

    def stop(self) -> None:
        """Have it write everything down, disconnect everybody and end."""
        self._signal(self.STOP)

    def kill(self) -> None:
        """End it in the middle of whatever it does; what was committed is there when it starts again."""
        self._signal(self.KILL)

    def restart(self) -> None:
        """Stop and start it."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End it and remove all it has written."""
        self.kill()
        if self._guard is not None:
            self._guard.communicate(b"goodbye\n")
            self._guard = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def new_database(self) -> str:
        """The URL of a new database on it, with nothing in it. It goes when the server does."""
        return create_database(self.url)

    def _signal(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        # It says nothing to one that has ended already.
        process.send_signal(number)
        try:
            process.wait(_SERVER_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise RuntimeError(f"{self.KIND} did not end at {number.name}:\n{self._end_of_log()}") from None

    def _prepare(self, *command: str) -> None:
        with self.log.open("ab") as log:
            code = subprocess.call(
                command, **self._account, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        if code:
            raise RuntimeError(f"{command[0]} ended with {code}:\n{self._end_of_log()}")

    def _end_of_log(self) -> str:
        return self.log.read_text("utf-8", "replace")[-3000:]

    @classmethod
    def _find_account(cls) -> dict[str, Any]:
        if os.geteuid() != 0:
            return {}
        for name in (cls.ACCOUNT, "nobody"):
            with suppress(KeyError):
                found = pwd.getpwnam(name)
                return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
        _give_up(f"no {cls.KIND} of our own: neither {cls.ACCOUNT} nor nobody has an account to run it")

    def _find_programs(self) -> None:
        raise NotImplementedError

    def _initialise(self) -> None:
        raise NotImplementedError

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _pid_file(self) -> Path:
        raise NotImplementedError


class OwnPostgres(OwnServer):
    """A PostgreSQL server that tests may stop; see :class:`OwnServer`.

    Killed, it ends as in an emergency: it writes nothing down, yet tells its clients.
    """

    KIND = "postgres"
    ACCOUNT = "postgres"
    STOP = signal.SIGINT
    # Processes of its own would survive a SIGKILL for a while, and its shared memory for good.
    KILL = signal.SIGQUIT

    @property
    def url(self) -> str:
        return f"postgresql://postgres@{HOST}:{self.port}/postgres"

    def _find_programs(self) -> None:
        folders = sorted(
            map(Path, glob.glob("/usr/lib/postgresql/*/bin")),
            key=lambda folder: [int(number) for number in re.findall(r"\d+", folder.parent.name)],
            reverse=True,
        )
        asked = shutil.which("pg_config")
        if asked:
            folders.append(Path(subprocess.check_output([asked, "--bindir"], text=True).strip()))
        for folder in folders:
            if (folder / "initdb").is_file() and (folder / "postgres").is_file():
                self._programs = folder
                return
        _give_up("no postgres of our own: no initdb in /usr/lib/postgresql/*/bin, nor where pg_config says")

    def _initialise(self) -> None:
        self._prepare(
            f"{self._programs}/initdb",
            f"--pgdata={self.data}",
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        )

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": HOST,
            "unix_socket_directories": "",
            "fsync": "off",
            "full_page_writes": "off",
            "shared_buffers": "16MB",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [f"{self._programs}/postgres", "-D", str(self.data), "-p", str(self.port), *options]

    def _pid_file(self) -> Path:
        return self.data / "postmaster.pid"


class OwnMariaDB(OwnServer):
    """A MariaDB server that tests may stop; see :class:`OwnServer`. Killed, it says nothing to anybody."""

    KIND = "mariadb"
    ACCOUNT = "mysql"
    STOP = signal.SIGTERM
    KILL = signal.SIGKILL

    @property
    def url(self) -> str:
        return f"mysql://root@{HOST}:{self.port}/test"

    def _find_programs(self) -> None:
        places = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/libexec", "/usr/local/sbin"])
        install = shutil.which("mariadb-install-db", path=places)
        server = shutil.which("mariadbd", path=places)
        if install is None or server is None:
            _give_up("no mariadb of our own: no mariadb-install-db or no mariadbd on the path")
        self._install, self._server = install, server

    def _initialise(self) -> None:
        self._prepare(
            self._install,
            "--no-defaults",
            f"--datadir={self.data}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            *self._settings(),
        )
        self.start()
        with closing(_connect(self.url, administer=True)) as connection:
            _run(connection, "CREATE DATABASE test")

    def _settings(self) -> list[str]:
        return [
            # A server that starts removes the temporary tables that it finds, other servers' included.
            f"--tmpdir={self.folder}",
            "--skip-name-resolve",
            "--loose-innodb-buffer-pool-size=16M",
            "--loose-innodb-log-file-size=32M",
            "--loose-innodb-flush-method=nosync",
            "--loose-innodb-doublewrite=0",
        ]

    def _command(self) -> list[str]:
        return [
            self._server,
            "--no-defaults",
            f"--datadir={self.data}",
            f"--socket={self.folder}/socket",
            f"--pid-file={self._pid_file()}",
            f"--port={self.port}",
            f"--bind-address={HOST}",
            "--skip-networking=0",
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_general_ci",
            "--loose-innodb-flush-log-at-trx-commit=2",
            *self._settings(),
        ]

    def _pid_file(self) -> Path:
        return self.folder / "pid"


_Server = TypeVar("_Server", bound=OwnServer)
_own: dict[type[OwnServer], Any] = {}
_users: Counter[type[OwnServer]] = Counter()


@contextmanager
def _shared(kind: type[_Server]) -> Iterator[_Server]:
    """One server for the whole process: each conftest that imports a session's fixture has one of its own."""
    if not _users[kind]:
        _own[kind] = kind()
    _users[kind] += 1
    try:
        yield _own[kind]
    finally:
        _users[kind] -= 1
        if not _users[kind]:
            _own.pop(kind).close()


@pytest.fixture(scope="session")
def own_postgres() -> Iterator[OwnPostgres]:
    """A PostgreSQL server that tests may stop. Those who find it stopped start it; others have been here."""
    with _shared(OwnPostgres) as server:
        yield server


@pytest.fixture(scope="session")
def own_mariadb() -> Iterator[OwnMariaDB]:
    """A MariaDB server that tests may stop. Those who find it stopped start it; others have been here."""
    with _shared(OwnMariaDB) as server:
        yield server
