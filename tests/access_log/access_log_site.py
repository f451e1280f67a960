"""What other processes do for tests: they ask gates of their own, and end in one way or another.

Run as ``access_log_site.py NAME ARGUMENTS``, where NAME is one of the functions that are listed at the end.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from access_log_helpers import ask, ask_many

from scopeware import Policy, Scopeware, TokenStore
from scopeware.policy import LogOptions
from scopeware.tokens.sqlite import _PRAGMAS

POLICY = """
[[group]]
path = "/"
scopes = ["misc"]
"""

# No test cuts the power.
_PRAGMAS["synchronous"] = "off"


def hello(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """The application."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def gate_on(url: str, *, sink: Any = None, **options: Any) -> Scopeware:
    """A gate in front of it; flushes are named in seconds."""
    seconds = options.pop("flush", 1.0)
    log = LogOptions(flush=timedelta(seconds=float(seconds)), **options)
    return Scopeware(hello, Policy.loads(POLICY), TokenStore.connect(url), access_log=log, log_sink=sink)


def application(url: str) -> Scopeware:
    """For servers: flushes are far apart, so that only the end writes what is noted."""
    return gate_on(url, flush=600)


def token(gate: Scopeware, name: str = "t") -> str:
    return gate.store.issue(owner="alice", name=name, scopes="read:misc").secret


def ending(url: str, how: str, count: str) -> None:
    """Make requests, allowed and denied ones in turn, and end at once."""
    gate = gate_on(url, flush=600)
    secret = token(gate)
    for number in range(int(count)):
        ask(gate, f"/{number}", secret if number % 2 else None)
    if how == "close":
        gate.store.close()
        os._exit(0)
    if how == "exit":
        sys.exit(0)
    if how == "thread":
        threading.Thread(target=ask_many, args=(gate, [f"/{count}"])).start()
    if how == "error":
        sys.excepthook = lambda *arguments: None
        raise RuntimeError("not my day")
    if how == "terminate":
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)


def hanging(url: str) -> None:
    """End while a sink hangs for good."""
    from scopeware.tokens import background

    background._CLOSE_SECONDS = 0.2
    called = threading.Event()

    def hang(entries: Any) -> None:
        called.set()
        time.sleep(3600)

    gate = gate_on(url, sink=hang, to=(), flush=0.01)
    ask(gate, "/0")
    called.wait(10)


def requesting(url: str, flush: str) -> None:
    """Make numbered requests until killed, and report each once it is answered."""
    gate = gate_on(url, flush=flush)
    secret = token(gate)
    number = 0
    while True:
        ask(gate, f"/{number}", secret if number % 2 else None)
        print(number, time.monotonic(), flush=True)
        number += 1
        time.sleep(0.001)


def appending(path: str, name: str, count: str) -> None:
    """Write many rows to a file that others write to as well: one at first, and then more and more at a time."""
    gate = gate_on("sqlite:///:memory:", to=(f"file:{path}",), flush=600)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(count)):
        ask(gate, f"/{name}/{number}/{'x' * 300}")
        if number % (1 + number // 300) == 0:
            gate.access_log.flush()


def printing(name: str, count: str) -> None:
    """Write many rows to the standard output, which others write to as well."""
    gate = gate_on("sqlite:///:memory:", to=("stdout",), flush=600)
    for number in range(int(count)):
        ask(gate, f"/{name}/{number}/{'x' * 300}")
    print("ready", file=sys.stderr, flush=True)


def using(url: str, seconds: str, secret: str) -> None:
    """Use a token for a while; how often that was."""
    gate = gate_on(url, flush=0.02)
    end = time.monotonic() + float(seconds)
    count = 0
    while time.monotonic() < end:
        assert ask(gate, "/", secret) == 200
        count += 1
    gate.store.close()
    print(count)


# -- forks


@contextmanager
def busy(gate: Scopeware, secret: str | None) -> Iterator[list[int]]:
    """A thread makes numbered requests meanwhile; how many there were in the end."""
    asked = [0]
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            ask(gate, f"/parent/{asked[0]}", secret if asked[0] % 2 else None)
            asked[0] += 1
            time.sleep(0.0005)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield asked
    finally:
        stop.set()
        thread.join()


def in_children(count: int, child: Callable[[int], None]) -> None:
    """Fork some children; each ends as processes do. One that does not end within seconds is an error."""
    for number in range(count):
        pid = os.fork()
        if not pid:
            signal.alarm(15)
            child(number)
            sys.exit(0)
        _, status = os.waitpid(pid, 0)
        if status:
            os._exit(f"child {number} ended with {status}" and 3)
        time.sleep(0.005)


def forking(url: str, children: str) -> None:
    """Fork while the thread in the background writes nearly all the time."""
    gate = gate_on(url, flush=0.001)
    secret = token(gate)
    with busy(gate, secret) as asked:
        time.sleep(0.05)
        in_children(int(children), lambda number: _ask_as_child(gate, number, secret))
    gate.store.close()
    print(asked[0])


def _ask_as_child(gate: Scopeware, number: int, secret: str) -> None:
    for each in range(10):
        ask(gate, f"/child{number}/{each}", secret if each % 2 else None)


def forking_with_rows_waiting(url: str) -> None:
    """Fork with rows in memory that nobody has written yet; the child has none of its own, or some."""
    gate = gate_on(url, flush=600)
    ask_many(gate, [f"/parent/{number}" for number in range(20)])
    in_children(1, lambda number: None)
    in_children(1, lambda number: _ask_as_child(gate, number, ""))
    ask_many(gate, [f"/parent/{number}" for number in range(20, 25)])


def forking_with_rows_on_disk(folder: str, path: str) -> None:
    """Fork with refusals in the temporary file, for a sink that lives again in the child, and then in the parent."""
    tempfile.tempdir = folder
    dead = [True]

    def sink(entries: Any) -> None:
        if dead:
            raise OSError("dead")
        with open(path, "a", encoding="ascii") as file:
            file.writelines(f"{entry.path}\n" for entry in entries)

    def child(number: int) -> None:
        dead.clear()
        ask(gate, f"/child{number}/0")

    gate = gate_on("sqlite:///:memory:", sink=sink, to=(), most=100, flush=600)
    ask_many(gate, [f"/parent/{number}" for number in range(150)])
    gate.access_log.flush()
    in_children(2, child)
    dead.clear()
    ask(gate, "/parent/150")


def forking_while_a_sink_hangs(path: str) -> None:
    """Fork while the thread in the background is in the middle of a sink, which holds a lock of this module."""
    lock = threading.Lock()
    inside, go_on = threading.Event(), threading.Event()
    parent = os.getpid()

    def sink(entries: Any) -> None:
        if os.getpid() == parent:
            inside.set()
            go_on.wait(20)
        with lock, open(path, "a", encoding="ascii") as file:
            file.writelines(f"{entry.path}\n" for entry in entries)

    gate = gate_on("sqlite:///:memory:", sink=sink, to=(), flush=0.001)
    ask(gate, "/parent/0")
    inside.wait(10)
    ask(gate, "/parent/1")
    in_children(1, lambda number: ask_many(gate, ["/child0/0"]))
    go_on.set()
    gate.store.close()


COMMANDS: tuple[Callable[..., None], ...] = (
    ending,
    hanging,
    requesting,
    appending,
    printing,
    using,
    forking,
    forking_with_rows_waiting,
    forking_with_rows_on_disk,
    forking_while_a_sink_hangs,
)

if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    {command.__name__: command for command in COMMANDS}[name](*arguments)
