"""The access log, written in the background and read by people."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from random import random
from time import monotonic
from typing import final

from ...errors import ConfigurationError
from ...policy import LogOptions
from ..background import Background
from ..database import Database
from ..last_use import LastUse
from .delivery import Delivery
from .entry import LogEntry, Visit
from .reading import LogReader
from .sinks import Sink, sink_at

logger = logging.getLogger("scopeware.tokens")

_PRUNE_SECONDS = 60.0
_PRUNE_BATCHES = 10


@final
class AccessLog(LogReader):
    """Takes note of requests in no time, and writes them down in the background: at the latest after the flush
    interval, which is what a killed process loses at most.

    Allowed requests may be left out, as the options say, or when more of them wait than they allow; refusals never are.

    :param options: where it goes, and what is kept.
    :raises ConfigurationError: a file that cannot be written.
    """

    def __init__(
        self,
        database: Database,
        options: LogOptions,
        background: Background,
        last_use: LastUse,
        is_admin: Callable[[str], bool],
    ) -> None:
        super().__init__(database, is_admin)
        self.options = options
        self._background = background
        self._last_use = last_use
        self._queue: deque[Visit] = deque()
        self._dropped = 0
        self._pruned_at = 0.0
        self._deliveries = []
        for place in options.to:
            try:
                self._deliveries.append(Delivery(place, sink_at(place, database), options.most))
            except OSError as error:
                problem = f"`{place}` cannot be written: {error.strerror}"
                raise ConfigurationError(problem, where="access_log.to") from error
        self._writing = False

    @property
    def dropped(self) -> int:
        """How many allowed requests were not written down because too many waited."""
        return self._dropped + max((delivery.dropped for delivery in self._deliveries), default=0)

    def tell(self, sink: Sink, name: str = "a callable") -> None:
        """Write to a callable, too. It is called in the background, with some entries at a time."""
        self._deliveries.append(Delivery(name, sink, self.options.most))

    def add(self, visit: Visit) -> None:
        """Take note of a request that is over."""
        # PERF: all that a request waits for
        queue = self._queue
        if len(queue) >= self.options.most:
            self._overflow(visit)
            return
        queue.append(visit)
        if not self._writing:
            self._begin()
        elif not self._background.woken:
            self._background.wake()

    def _begin(self) -> None:
        """Only a log that is written to has work to be done."""
        self._writing = True
        self._background.pace(self.options.flush.total_seconds())
        self._background.add(self._write, self._forget)
        self._background.wake()

    def _overflow(self, visit: Visit) -> None:
        self._background.hurry()
        if not visit.is_refusal:
            self._dropped += 1
            return
        try:
            for delivery in self._deliveries:
                delivery.spill.add([visit.entry()])
        except OSError as error:
            # Rather more memory than a refusal that nobody hears of.
            logger.error("refusals cannot wait on disk: %s", error)
            self._queue.append(visit)

    def _write(self) -> None:
        queue = self._queue
        entries: list[LogEntry] = []
        allowed = self.options.allowed
        for _ in range(len(queue)):
            try:
                entry = queue.popleft().entry()
            except Exception:
                logger.exception("a request cannot be written down")
                continue
            if entry.token_id is not None and entry.decision != "denied":
                self._last_use.note(entry.token_id, entry.at // 1000)
            if entry.decision != "allowed" or allowed >= 1 or random() < allowed:  # noqa: S311  # a sample
                entries.append(entry)
        delivered = [delivery.deliver(entries) for delivery in self._deliveries]
        if not all(delivered):
            self._background.wake()
        self._prune_a_little()

    def _prune_a_little(self) -> None:
        keep = self.options.keep
        due = keep is not None and "database" in self.options.to and monotonic() > self._pruned_at + _PRUNE_SECONDS
        if keep is not None and due and self.prune(keep, batches=_PRUNE_BATCHES) == 0:
            self._pruned_at = monotonic()

    def _forget(self) -> None:
        self._queue.clear()
        for delivery in self._deliveries:
            delivery.forget()

    def flush(self) -> None:
        """Write down, now, what was noted so far."""
        self._background.work()
