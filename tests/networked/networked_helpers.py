"""What the tests of networked stores share: questions and answers as text, other processes, deadlines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from processes import answer

from scopeware.tokens import TokenStore

LIVE = "write:issue"
"""What a store says to a token of the tests that works."""


def until(reached: Callable[[], Any], what: str, seconds: float = 10.0) -> float:
    """Wait until something is so; for how many seconds that was. A test that waits for too long fails."""
    begun = time.monotonic()
    while not reached():
        assert time.monotonic() - begun < seconds, f"{what} took more than {seconds} s"
        time.sleep(0.005)
    return time.monotonic() - begun


def watch(store: TokenStore, secret: str, seconds: float = 60.0) -> tuple[float, float, str]:
    """Ask until `secret` is no longer accepted: when the last accepted question was begun, when the first other answer
    was there, and that answer."""
    end = time.monotonic() + seconds
    accepted = 0.0
    while True:
        begun = time.monotonic()
        said = answer(store, secret)
        if said != LIVE:
            return accepted, time.monotonic(), said
        accepted = begun
        assert begun < end, f"still accepted after {seconds} s"
        time.sleep(0.001)


def in_background(function: Callable[[], Any]) -> Future[Any]:
    """What `function` returns in a thread that nobody waits for at the end: it may hang."""
    done: Future[Any] = Future()

    def run() -> None:
        try:
            done.set_result(function())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, name="in background", daemon=True).start()
    return done


def listeners() -> list[threading.Thread]:
    """The threads of this process that listen for changes."""
    return [thread for thread in threading.enumerate() if thread.name == "scopeware-push"]


class Elsewhere:
    """Another process, started from scratch, that keeps a store open and answers for it. Its clock
    (``time.monotonic``) is that of this process."""

    def __init__(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
        self._number = 0
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=kept | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )

    def connect(self, url: str, **options: Any) -> None:
        """Open a store over there, in the place of the one before."""
        said = self._call("connect", url, options)
        assert said == "connected", said

    def disconnect(self) -> None:
        """Close the store over there: a later test may count the connections."""
        said = self._call("disconnect")
        assert said == "disconnected", said

    def ask(self, secret: str) -> str:
        """What the store over there answers to `secret`."""
        return self._call("ask", secret)

    def do(self, method: str, *arguments: Any) -> str:
        """Call a method of the store over there."""
        return self._call(method, *arguments)

    def watch(self, secret: str) -> None:
        """Have `secret` asked for over there until it is no longer accepted; it has been accepted when this returns."""
        said = self._call("watch", secret)
        assert said == "accepted", said

    def seen(self) -> tuple[float, float, str]:
        """What came of it: see :func:`watch`."""
        accepted, refused, said = self._read()
        return accepted, refused, said

    def _call(self, *command: Any) -> Any:
        self._number += 1
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([self._number, *command]) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        while True:
            line = self._process.stdout.readline()
            assert line, "the other process has ended"
            number, said = json.loads(line)
            # A test that failed may have left answers behind.
            if number == self._number:
                return said

    def end(self) -> None:
        """Let it end by itself."""
        with self._process as process:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def _serve() -> None:
    store: TokenStore | None = None
    for line in sys.stdin:
        number, method, *arguments = json.loads(line)

        def say(said: Any, number: int = number) -> None:
            print(json.dumps([number, said]), flush=True)

        try:
            if method == "connect":
                if store is not None:
                    store.close()
                url, options = arguments
                store = TokenStore.connect(url, **options)
                say("connected")
            elif method == "disconnect":
                if store is not None:
                    store.close()
                store = None
                say("disconnected")
            elif method == "ask":
                say(answer(store, *arguments))
            elif method == "watch":
                said = answer(store, *arguments)
                say("accepted" if said == LIVE else said)
                say(watch(store, *arguments))
            else:
                say(str(getattr(store, method)(*arguments)))
        except Exception as error:
            say(repr(error))
    if store is not None:
        store.close()


if __name__ == "__main__":
    _serve()
