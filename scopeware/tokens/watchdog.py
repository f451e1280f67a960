"""An end to waiting for a server that has stopped talking."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from time import monotonic
from typing import Any, final

_LOOK_SECONDS = 0.5
_IDLE_ROUNDS = 20


@final
class Watchdog:
    """Cuts connections that someone has been waiting on for too long: what waits gets an error then.

    Drivers have no time limit for an answer, or one for all, and a server that hangs keeps its connections alive.
    """

    def __init__(self) -> None:
        self._watched: dict[int, tuple[Any, float]] = {}
        self._running = False
        self._lock = threading.Lock()

    def watch(self, connection: Any, seconds: float) -> None:
        """Cut this one after so many seconds, unless :meth:`release` is called before."""
        self._watched[id(connection)] = (connection, monotonic() + seconds)
        if not self._running:
            self._start()

    def release(self, connection: Any) -> None:
        """Nobody waits on it any more."""
        self._watched.pop(id(connection), None)

    def _start(self) -> None:
        with self._lock:
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="scopeware-watchdog", daemon=True).start()

    def _run(self) -> None:
        idle = 0
        pause = threading.Event()
        while idle < _IDLE_ROUNDS:
            pause.wait(_LOOK_SECONDS)
            idle = 0 if self._watched else idle + 1
            for key, (connection, deadline) in list(self._watched.items()):
                if monotonic() > deadline and self._watched.pop(key, None) is not None:
                    _cut(connection)
        with self._lock:
            self._running = False
            again = bool(self._watched)
        if again:
            self._start()


def _cut(connection: Any) -> None:
    """End a connection under whoever waits on it: its file descriptor stays theirs to close."""
    with suppress(Exception):
        # PyMySQL does not show its socket.
        descriptor = connection.fileno() if hasattr(connection, "fileno") else connection._sock.fileno()
        line = socket.socket(fileno=descriptor)
        try:
            line.shutdown(socket.SHUT_RDWR)
        finally:
            line.detach()
