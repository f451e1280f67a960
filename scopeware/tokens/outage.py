"""Times when a server cannot be reached."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, final

from .database import StoreUnavailable
from .pool import Pool

_KNOCK_SECONDS = 0.5
"""How long a server is left alone before it is tried again."""

Result = TypeVar("Result")


class Server(Protocol):
    """What can be away."""

    name: str

    def knock(self) -> None:
        """Nothing, if the server answers; else it raises."""


@final
class Outage:
    """Knows whether a server is away. While it is, everybody is told at once; a thread of its own finds out when it is
    back, so that no request waits for what cannot come.

    :param pool: its connections.
    :param lost: what may mean that a connection is lost.
    :param is_crowded: whether an error means that the server is there, and takes no more connections.
    """

    def __init__(
        self, server: Server, pool: Pool, lost: tuple[type[Exception], ...], is_crowded: Callable[[Exception], bool]
    ) -> None:
        self._server = weakref.ref(server)
        self._pool = pool
        self._lost = lost
        self._is_crowded = is_crowded
        self._name = server.name
        self._away = False
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def attempt(self, ask: Callable[[Callable[[], Any]], Result]) -> Result:
        """What `ask` returns; it is called again where the first connection it took was lost while nobody looked.

        :param ask: called with what gives it a connection.
        :raises StoreUnavailable: the server is known to be away.
        """
        if self._away:
            raise StoreUnavailable("it could not be reached a moment ago", self._name)
        try:
            return ask(self._pool.take)
        except self._lost as error:
            if _was_just_made(error):
                self._begin(error)
                raise
            self._pool.close_idle()
        try:
            return ask(self._pool.take_new)
        except self._lost as error:
            self._begin(error)
            raise

    def close(self) -> None:
        """Nobody asks any more."""
        self._closed.set()

    def _begin(self, error: Exception) -> None:
        if self._is_crowded(error):
            return
        with self._lock:
            if self._away or self._closed.is_set():
                return
            self._away = True
        thread = threading.Thread(
            target=_wait_until_back, args=(weakref.ref(self), self._closed), name="scopeware-outage", daemon=True
        )
        thread.start()

    def is_over(self) -> bool:
        """Try whether the server is back."""
        server = self._server()
        if server is None:
            return True
        try:
            server.knock()
        except Exception:
            return False
        self._away = False
        return True


def _wait_until_back(outage: weakref.ref[Outage], closed: threading.Event) -> None:
    # It holds nothing while it waits, so that what nobody needs any more goes away.
    while not closed.wait(_KNOCK_SECONDS):
        known = outage()
        if known is None or known.is_over():
            return
        del known


def _was_just_made(error: Any) -> bool:
    """Whether it was the attempt to connect that failed."""
    return getattr(error, "while_connecting", False) is True
