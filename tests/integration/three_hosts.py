"""Three hosts on a network of their own, with links that can be cut: what a deployment on several machines looks like.

Each host is a Linux network namespace in which gunicorn runs with two workers; PostgreSQL, Redis and the clients have
namespaces, too, and a bridge in one more connects them all. Nothing of it is seen from outside, so that the addresses
clash with nobody's, and all of it goes with the namespaces.
"""

from __future__ import annotations

import ctypes
import http.client
import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Self, TypeVar
from wsgiref.validate import validator

import pytest
from live_servers import child_environment
from services import HOST, OwnPostgres

from scopeware import Policy, Scopeware, TokenStore

POLICY = """
[[group]]
path = "/"
scopes = ["misc"]

[[group]]
path = "/public"
require_token = false
scopes = []
"""

HOSTS = {"one": "192.0.2.1", "two": "192.0.2.2", "three": "192.0.2.3"}
POSTGRES = "192.0.2.10"
REDIS = "192.0.2.20"
CLIENTS = "192.0.2.30"
NETWORK = "192.0.2.0/24"
PORT = 8000
WORKERS = 2

CUTS = ("refused", "silent")
"""How a link can be cut: whoever connects is told so at once; or what is sent gets lost and nobody says anything."""
_CUT = {
    "refused": "route add blackhole {}",
    # Sent to an interface that there is not.
    "silent": "neigh replace {} lladdr 02:00:00:00:00:ff dev eth0 nud permanent",
}
_RESTORE = {"refused": "route delete blackhole {}", "silent": "neigh delete {} dev eth0"}

SECONDS = 30
"""How long anything here may take; it is what gunicorn gives a worker, too."""
_CLIENT_THREADS = 32
_PAUSE_SECONDS = 0.03
_CLONE_NEWNET = 0x40000000

_GUARD = """
read -r goodbye || sleep 2
for place in /run/netns/"$1"-*; do
    [ -e "$place" ] || continue
    namespace=${place##*/}
    for process in $(ip netns pids "$namespace"); do kill -KILL "$process" 2> /dev/null; done
    ip netns delete "$namespace"
done
"""
"""Removes the namespaces, and what still runs in them, at the end and when the tests are killed: then after the guards
of servers had their time."""

_Result = TypeVar("_Result")
_libc = ctypes.CDLL(None, use_errno=True)


# What runs on a host


class TellsWhoAnswered:
    """Says in headers which process answered, and how long it took it, the gate's refusals included."""

    def __init__(self, application: Any) -> None:
        self._application = application

    def __call__(self, environ: Any, start_response: Any) -> Any:
        began = time.monotonic()

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            told = [("X-Worker", str(os.getpid())), ("X-Seconds", f"{time.monotonic() - began:.3f}")]
            return start_response(status, [*headers, *told], exc_info)

        return self._application(environ, start)


def serving(database: str, push: str) -> TellsWhoAnswered:
    """What a host's gunicorn serves: a request may issue a token, in the worker that happens to serve it."""
    store = TokenStore.connect(database, push=push)

    def application(environ: Any, start_response: Any) -> list[bytes]:
        if environ["REQUEST_METHOD"] == "POST":
            issued = store.issue(owner="alice", name=environ["PATH_INFO"].strip("/"), scopes="read:misc")
            body = f"{issued.token.id} {issued.secret}"
        else:
            body = environ.get("REMOTE_USER", "nobody")
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [body.encode()]

    return TellsWhoAnswered(validator(Scopeware(application, Policy.loads(POLICY), store)))


# Machines


def give_up(reason: str) -> NoReturn:
    """Skip the test, or fail it where services are required."""
    if os.environ.get("SCOPEWARE_REQUIRE_SERVICES") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def wait_for(reached: Callable[[], Any], what: str, seconds: float = SECONDS) -> float:
    """Wait until something is so; how long that took."""
    began = time.monotonic()
    while not reached():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.01)
    return time.monotonic() - began


def _run(*command: str, given: str = "") -> None:
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {given}{done.stderr}")


def _ip(namespace: str, *commands: str) -> None:
    _run("ip", "-n", namespace, "-batch", "-", given="\n".join(commands) + "\n")


def _enter(namespace: str) -> None:
    """Move this thread, and whatever it starts, into a namespace."""
    with open(f"/run/netns/{namespace}", "rb") as door:
        if _libc.setns(door.fileno(), _CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


class Machine:
    """A network namespace, and threads of this process that live in it.

    :param namespace: its name, which no other has.
    :param address: on the network.
    """

    def __init__(self, namespace: str, address: str, threads: int = 1) -> None:
        self.namespace = namespace
        self.address = address
        self.threads = ThreadPoolExecutor(threads, initializer=_enter, initargs=(namespace,))

    def run(self, function: Callable[..., _Result], *arguments: Any, **options: Any) -> _Result:
        """Call a function in the namespace, and in the same thread each time, unless it has more of them."""
        return self.threads.submit(function, *arguments, **options).result(SECONDS * 2)

    def command(self, *command: str) -> list[str]:
        """What to run for a command to be run in the namespace."""
        return ["ip", "netns", "exec", self.namespace, *command]

    @contextmanager
    def running(self, *command: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
        """A program that runs in the namespace, in the folder of its log, for as long as the context lasts."""
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.command(*command),
                # Where gunicorn puts its control socket.
                env=child_environment(HOME=str(log.parent)),
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @contextmanager
    def cut(self, other: Machine, how: str) -> Iterator[None]:
        """Nothing passes between this machine and another, in either direction, for as long as the context lasts."""
        with ExitStack() as stack:
            for here, there in ((self, other), (other, self)):
                _ip(here.namespace, _CUT[how].format(there.address))
                stack.callback(_ip, here.namespace, _RESTORE[how].format(there.address))
            yield


class Switch:
    """A bridge, and the machines that are connected to it. It leaves nothing behind."""

    def __init__(self) -> None:
        if os.geteuid() != 0:
            give_up("no network namespaces: only root can make them")
        if shutil.which("ip") is None:
            give_up("no network namespaces: there is no `ip`; install iproute2")
        self.name = f"scopeware-{secrets.token_hex(4)}"
        self.machines: list[Machine] = []
        self._namespace = f"{self.name}-switch"
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "guard", self.name],
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            _run("ip", "netns", "add", self._namespace)
            _ip(self._namespace, "link add bridge type bridge", "link set bridge up")
        except RuntimeError as error:
            self.close()
            give_up(f"no network namespaces: {error}")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def machine(self, name: str, address: str, threads: int = 1) -> Machine:
        """A new machine, connected and reachable."""
        namespace = f"{self.name}-{name}"
        port = f"port{len(self.machines)}"
        _run("ip", "netns", "add", namespace)
        _ip(
            self._namespace,
            f"link add {port} type veth peer name eth0 netns {namespace}",
            f"link set {port} master bridge up",
        )
        _ip(namespace, "link set lo up", f"address add {address}/24 dev eth0", "link set eth0 up")
        machine = Machine(namespace, address, threads)
        self.machines.append(machine)
        return machine

    def close(self) -> None:
        """End what still runs on the machines, and remove all there is."""
        for machine in self.machines:
            machine.threads.shutdown()
        _, complaints = self._guard.communicate(b"goodbye\n", SECONDS)
        if complaints:
            raise RuntimeError(f"the network was not removed: {complaints.decode()}")


# Servers


class PostgresOnNetwork(OwnPostgres):
    """A PostgreSQL server that its machine's address reaches. It is made and used in the machine's thread."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def reached_at(self) -> str:
        """Its URL for other machines."""
        return self.url.replace(HOST, self._address)

    def _initialise(self) -> None:
        super()._initialise()
        with (self.data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {NETWORK} trust\n")

    def _command(self) -> list[str]:
        return [*super()._command(), "-c", f"listen_addresses={HOST},{self._address}"]


@contextmanager
def redis_server(machine: Machine, log: Path) -> Iterator[str]:
    """The URL of a Redis server on a machine, for all machines."""
    if shutil.which("redis-server") is None or importlib.util.find_spec("redis") is None:
        give_up("no redis of our own: no redis-server on the path, or its driver redis is not installed")
    options = ("--bind", machine.address, "--port", "6379", "--save", "", "--protected-mode", "no")
    with machine.running("redis-server", *options, log=log) as process:

        def answers() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"redis did not start:\n{log.read_text()}")
            try:
                machine.run(socket.create_connection, (machine.address, 6379), SECONDS).close()
            except OSError:
                return False
            return True

        wait_for(answers, "starting redis")
        yield f"redis://{machine.address}:6379/0"


def redis_client(address: str, seconds: float = 2) -> Any:
    """A client that tries once.

    :param seconds: how long it waits.
    """
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return redis.Redis(address, socket_connect_timeout=seconds, socket_timeout=seconds, retry=Retry(NoBackoff(), 0))


def _ask_redis(address: str, method: str, *arguments: Any, **options: Any) -> Any:
    with redis_client(address) as client:
        return getattr(client, method)(*arguments, **options)


# Hosts, and those who ask them


@dataclass(frozen=True)
class Answer:
    """What a host answered to a request.

    :ivar worker: the process that did.
    :ivar retry: its ``Retry-After``.
    :ivar worked: for how many seconds the worker had it in its hands.
    :ivar asked: when the client began to ask; all times are this process's.
    :ivar answered: when it had the answer.
    """

    host: str
    worker: str
    status: int
    body: str
    retry: str | None
    worked: float
    asked: float
    answered: float


@dataclass(frozen=True)
class Done:
    """What became of a command, and in how many seconds."""

    code: int
    output: str
    seconds: float


class Host:
    """A machine on which gunicorn serves."""

    def __init__(self, name: str, machine: Machine, clients: Machine, log: Path) -> None:
        self.name = name
        self.machine = machine
        self.log = log
        self._clients = clients

    def serve(self, database: str, push: str) -> Any:
        """A context in which it does."""
        return self.machine.running(
            sys.executable,
            "-m",
            "gunicorn",
            f"--bind=0.0.0.0:{PORT}",
            f"--workers={WORKERS}",
            "--worker-class=sync",
            "--graceful-timeout=2",
            f"three_hosts:serving({database!r}, {push!r})",
            log=self.log,
        )

    def ask(self, secret: str | None, path: str = "/", method: str = "GET") -> Answer:
        """What it answers to a client over a new connection, so that any worker may; in a thread of the clients."""
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        asked = time.monotonic()
        connection = http.client.HTTPConnection(self.machine.address, PORT, timeout=SECONDS)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            body = answer.read().decode()
        finally:
            connection.close()
        return Answer(
            host=self.name,
            worker=answer.headers["X-Worker"],
            status=answer.status,
            body=body,
            retry=answer.headers["Retry-After"],
            worked=float(answer.headers["X-Seconds"]),
            asked=asked,
            answered=time.monotonic(),
        )

    def ask_all(self, secret: str | None, path: str = "/") -> list[Answer]:
        """What all its workers answer, asked until each has."""
        answers: list[Answer] = []

        def all_have() -> bool:
            asked = [self._clients.threads.submit(self.ask, secret, path) for _ in range(3 * WORKERS)]
            answers.extend(future.result() for future in asked)
            return len({answer.worker for answer in answers}) == WORKERS

        wait_for(all_have, f"hearing of all workers of host {self.name}")
        return answers

    def says(self) -> str:
        """Its log."""
        return self.log.read_text("utf-8", "replace")


class Watch:
    """Clients that keep asking hosts the same.

    :ivar answers: what they were answered so far, all hosts'.
    """

    def __init__(self, clients: Machine, hosts: Iterable[Host], secret: str | None, path: str, askers: int) -> None:
        self.answers: list[Answer] = []
        self._asked = (secret, path)
        self._ended = False
        self._futures = [clients.threads.submit(self._ask, host) for host in hosts for _ in range(askers)]

    def _ask(self, host: Host) -> None:
        while not self._ended:
            self.answers.append(host.ask(*self._asked))
            time.sleep(_PAUSE_SECONDS)

    def of(self, *hosts: Host) -> list[Answer]:
        """What these have answered."""
        names = [host.name for host in hosts]
        return [answer for answer in list(self.answers) if answer.host in names]

    def wait_until_all(self, hosts: Iterable[Host], status: int, since: float, times: int = 3) -> None:
        """Wait until each worker of these hosts has given this answer so many times, to what was asked since then."""
        hosts = list(hosts)

        def all_have() -> bool:
            for future in self._futures:
                if future.done():
                    future.result()
            seen: defaultdict[str, int] = defaultdict(int)
            for answer in self.of(*hosts):
                if answer.status == status and answer.asked >= since:
                    seen[answer.worker] += 1
            return len(seen) == WORKERS * len(hosts) and min(seen.values()) >= times

        wait_for(all_have, f"{status} from all workers of {', '.join(host.name for host in hosts)}")

    def end(self) -> None:
        """Ask no more, and wait for what was asked."""
        self._ended = True
        for future in self._futures:
            future.result()


class ThreeHosts:
    """Three hosts that share a PostgreSQL and a Redis.

    :param folder: for logs.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        switch = stack.enter_context(Switch())
        self.clients = switch.machine("clients", CLIENTS, _CLIENT_THREADS)
        self.postgres = switch.machine("postgres", POSTGRES)
        self.redis = switch.machine("redis", REDIS)
        server = self.postgres.run(PostgresOnNetwork, POSTGRES)
        stack.callback(server.close)
        self.database = server.reached_at()
        self.push = stack.enter_context(redis_server(self.redis, folder / "redis.log"))
        self.hosts: list[Host] = []
        servers: list[subprocess.Popen[bytes]] = []
        for name, address in HOSTS.items():
            place = folder / name
            place.mkdir()
            host = Host(name, switch.machine(name, address), self.clients, place / "gunicorn.log")
            self.hosts.append(host)
            servers.append(stack.enter_context(host.serve(self.database, self.push)))
        # All at once, before they are waited for one by one.
        stack.callback(lambda: [server.terminate() for server in servers])
        for host in self.hosts:
            wait_for(lambda host=host: self._serves(host), f"starting host {host.name}")

    def _serves(self, host: Host) -> bool:
        try:
            return self.clients.run(host.ask, None, "/public").status == 200
        except OSError:
            return False

    @contextmanager
    def watch(
        self, *hosts: Host, secret: str | None = None, path: str = "/", askers: int = WORKERS + 1
    ) -> Iterator[Watch]:
        """Clients that keep asking, for as long as the context lasts.

        :param askers: how many ask each host.
        """
        watch = Watch(self.clients, hosts, secret, path, askers)
        try:
            yield watch
        finally:
            watch.end()

    @contextmanager
    def store(self, host: Host) -> Iterator[Callable[..., Any]]:
        """A store on a host, in this process: ``call("revoke", 1)`` calls its method."""
        store = host.machine.run(TokenStore.connect, self.database, push=self.push)
        try:
            yield lambda method, *arguments, **options: host.machine.run(getattr(store, method), *arguments, **options)
        finally:
            host.machine.run(store.close)

    def scopeware(self, host: Host, *arguments: str) -> Done:
        """The command, run on a host to its end."""
        began = time.monotonic()
        done = subprocess.run(
            host.machine.command(sys.executable, "-m", "scopeware", *arguments),
            env=child_environment(SCOPEWARE_DATABASE=self.database, SCOPEWARE_PUSH=self.push),
            cwd=host.log.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS * 2,
            check=False,
        )
        return Done(done.returncode, done.stdout, time.monotonic() - began)

    def ask_redis(self, method: str, *arguments: Any, **options: Any) -> Any:
        """What Redis answers on its own machine."""
        return self.redis.run(_ask_redis, REDIS, method, *arguments, **options)

    def listen_anew(self) -> float:
        """Wait until each worker is told of changes, all that were before forgotten; how long that took."""
        # Redis does not notice for long that those are gone to whom nothing passes.
        self.ask_redis("client_kill_filter", _type="pubsub")
        channel = "scopeware:postgres"
        listening = WORKERS * len(self.hosts)
        return wait_for(
            lambda: dict(self.ask_redis("pubsub_numsub", channel)) == {channel.encode(): listening},
            "listening to Redis",
        )
