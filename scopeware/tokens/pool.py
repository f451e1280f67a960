"""Connections to a server, shared by the threads of a process."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, final

from ..errors import ScopewareError


class NoConnectionLeft(ScopewareError):
    """All connections are in use, and none became free in time."""


@final
class Pool:
    """A bounded number of connections, each used by one thread at a time; the one that was given back last is taken
    first.

    :param connect: makes one, or raises.
    :param most: how many there may be.
    :param patience: how long to wait for one, in seconds.
    """

    def __init__(self, connect: Callable[[], Any], most: int, patience: float) -> None:
        self._connect = connect
        self._most = most
        self._patience = patience
        self._idle: deque[Any] = deque()
        self._count = 0
        self._waiters: deque[_Waiter] = deque()
        self._lock = threading.Lock()

    def take(self) -> Any:
        """A connection for this thread alone, until it is given back or thrown away.

        :raises NoConnectionLeft: all are in use.
        """
        try:
            if not self._waiters:
                # PERF: no lock where there is a free one; taking from a deque is one step of the interpreter's own.
                return self._idle.pop()
        except IndexError:
            pass
        return self._wait(new=False)

    def take_new(self) -> Any:
        """The same, one that was just made: none of those that may have been lost.

        :raises NoConnectionLeft: all are in use.
        """
        return self._wait(new=True)

    def _wait(self, *, new: bool) -> Any:
        waiter = _Waiter()
        with self._lock:
            if self._count < self._most:
                self._count += 1
                waiter.get(_ROOM)
            else:
                # INVARIANT: who waits says so before looking for one that is free; who gives one back does it the
                # other way around.
                self._waiters.append(waiter)
                self._serve()
        if not waiter.done.wait(self._patience) and waiter.got is None:
            with self._lock:
                if waiter.got is None:
                    self._waiters.remove(waiter)
                    raise NoConnectionLeft(f"all {self._most} connections are in use")
        if waiter.got is not _ROOM:
            if not new:
                return waiter.got
            with suppress(Exception):
                waiter.got.close()
        try:
            return self._connect()
        except BaseException as error:
            self._leave_room()
            error.while_connecting = True  # type: ignore[attr-defined]
            raise

    def _serve(self) -> None:
        """Hand what is free to those who wait, in the order they came."""
        while self._waiters:
            try:
                connection = self._idle.pop()
            except IndexError:
                return
            self._waiters.popleft().get(connection)

    def give(self, connection: Any) -> None:
        """Give one back that is as good as new."""
        self._idle.append(connection)
        if self._waiters:
            with self._lock:
                self._serve()

    def throw_away(self, connection: Any) -> None:
        """Close one that nobody should use any more."""
        with suppress(Exception):
            connection.close()
        self._leave_room()

    def _leave_room(self) -> None:
        with self._lock:
            if self._waiters:
                self._waiters.popleft().get(_ROOM)
            else:
                self._count -= 1

    def close_idle(self) -> None:
        """Close those that nobody uses now."""
        with suppress(IndexError):
            while True:
                self.throw_away(self._idle.pop())


_ROOM = object()
"""Instead of a connection: another one may be made."""


@final
class _Waiter:
    """Someone who waits for a connection."""

    __slots__ = ("done", "got")

    def __init__(self) -> None:
        self.done = threading.Event()
        self.got: Any = None

    def get(self, connection: Any) -> None:
        """Here it is."""
        self.got = connection
        self.done.set()
