"""Word of changes, from process to process: what is known need not wait to be asked for again.

Nothing depends on it. It shortens the time that a change takes to arrive; where it fails, `max_staleness` holds.
"""

from __future__ import annotations

import logging
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from time import monotonic
from typing import Any, final
from urllib.parse import urlsplit

from ..errors import ConfigurationError
from ..text import quoted
from .watchdog import Watchdog

logger = logging.getLogger("scopeware.tokens")

CHANNEL = "scopeware"
_BEAT_SECONDS = 1.0
_CONNECT_SECONDS = 2.0
_starting = threading.Lock()
_MOST_SILENT_BEATS = 3
_QUIET_SECONDS = 5.0
_PAUSES = (0.1, 0.5, 1.0)


class Channel(ABC):
    """A way for messages from process to process."""

    @abstractmethod
    def connected(self) -> Any:
        """A context in which ``wait`` of what it gives returns whether there was a message within a moment; both may
        raise anything."""

    def publish(self) -> None:  # noqa: B027  # where the database itself carries the message, nothing is left to do
        """Say that something has changed, after it was committed."""


@final
class NotifyChannel(Channel):
    """PostgreSQL's ``LISTEN``: the store's own transactions ``NOTIFY``.

    :param parameters: of the driver.
    """

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        known = {name: value for name, value in parameters.items() if name != "max_connections"}
        known["dbname"] = known.pop("database")
        self._parameters = known

    @contextmanager
    def connected(self) -> Iterator[Callable[[], bool]]:
        """Listens."""
        import psycopg  # noqa: PLC0415  # an extra

        with closing(psycopg.connect(**self._parameters, autocommit=True)) as connection:
            watchdog = Watchdog()
            watchdog.watch(connection, _CONNECT_SECONDS)
            connection.execute(f"LISTEN {CHANNEL}")
            watchdog.release(connection)

            def wait() -> bool:
                heard = any(True for _ in connection.notifies(timeout=_BEAT_SECONDS, stop_after=1))
                if not heard:
                    watchdog.watch(connection, _CONNECT_SECONDS)
                    connection.execute("SELECT 1")  # whether the line is still there
                    watchdog.release(connection)
                return heard

            yield wait


@final
class RedisChannel(Channel):
    """Redis or Valkey.

    :param url: ``redis://host:6379/0``, ``rediss://`` with TLS, ``unix:///path``.
    :param database: whose changes they are, for several may share a server.
    :raises ConfigurationError: it is no such URL, or the driver is missing.
    """

    def __init__(self, url: str, database: str) -> None:
        try:
            import redis  # noqa: PLC0415  # an extra
        except ImportError:
            raise ConfigurationError("redis is missing; run `pip install scopeware[redis]`", where="push") from None
        self._channel = f"{CHANNEL}:{database}"
        self._silent_until = 0.0
        timeouts = {"socket_connect_timeout": _CONNECT_SECONDS, "socket_timeout": 2 * _BEAT_SECONDS}
        try:
            self._redis: Any = redis.Redis.from_url(url, **timeouts)
        except (ValueError, TypeError):
            problem = "this is no Redis URL; write redis://host:6379/0, and percent-encode what is special in it"
            raise ConfigurationError(problem, where="push") from None

    @contextmanager
    def connected(self) -> Iterator[Callable[[], bool]]:
        """Subscribes."""
        with closing(self._redis.pubsub(ignore_subscribe_messages=True)) as listening:
            listening.subscribe(self._channel)
            silence = 0

            def wait() -> bool:
                nonlocal silence
                message = listening.get_message(timeout=_BEAT_SECONDS)
                silence = silence + 1 if message is None else 0
                if silence == 1:
                    listening.ping()
                elif silence > _MOST_SILENT_BEATS:
                    raise TimeoutError("Redis no longer answers")
                return message is not None and message["type"] == "message"

            yield wait

    def publish(self) -> None:
        """Tell the others; if that fails, they find out by themselves."""
        if monotonic() < self._silent_until:
            return
        try:
            self._redis.publish(self._channel, "changed")
        except Exception as error:
            # Whoever makes a change waits for this; not again and again.
            self._silent_until = monotonic() + _QUIET_SECONDS
            logger.warning(
                "a change could not be announced, and for a moment others cannot be announced either: %s", error
            )


def channel_at(push: str, parameters: Mapping[str, Any], on_postgres: bool) -> Channel:
    """The channel that `push` names: ``"notify"`` for PostgreSQL's own, or the URL of a Redis.

    :param parameters: of the database's driver.
    :raises ConfigurationError: it names none, or none that this database has.
    """
    if push == "notify":
        if not on_postgres:
            raise ConfigurationError("only PostgreSQL has `notify`; name a Redis, redis://host:6379/0", where="push")
        return NotifyChannel(parameters)
    try:
        scheme = urlsplit(push).scheme
    except ValueError:
        scheme = ""
    if scheme in ("redis", "rediss", "unix"):
        return RedisChannel(push, parameters["database"])
    # There may be a password in it.
    what = quoted(scheme) if "://" in push and scheme else "this"
    raise ConfigurationError(f"{what} is neither `notify` nor the URL of a Redis: redis://host:6379/0", where="push")


@final
class Listener:
    """Listens to a channel in a thread of its own, for as long as the process lives; after a fork, another one."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._process = 0
        self._closed = threading.Event()

    def start(self, changed: Callable[[], None]) -> None:
        """Begin, if that was not done in this process.

        :param changed: called after each message, and whenever some may have been missed.
        """
        if self._process == os.getpid() or self._closed.is_set():
            return
        with _starting:
            if self._process == os.getpid():
                return
            self._process = os.getpid()
            self._closed = threading.Event()
        threading.Thread(target=self._run, args=(changed, self._closed), name="scopeware-push", daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._closed.set()

    def _run(self, changed: Callable[[], None], closed: threading.Event) -> None:
        failures = 0
        while not closed.is_set():
            try:
                with self._channel.connected() as wait:
                    changed()
                    failures = 0
                    while not closed.is_set():
                        if wait():
                            changed()
            except Exception as error:
                if closed.is_set():
                    return
                if not failures:
                    logger.warning("changes are not heard of at once any more, but in time: %s", error)
                changed()
                closed.wait(_PAUSES[min(failures, len(_PAUSES) - 1)])
                failures += 1


def _start_over() -> None:
    global _starting  # noqa: PLW0603
    _starting = threading.Lock()


os.register_at_fork(after_in_child=_start_over)
