"""Entries on their way to a sink that may be slow, or dead."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import final

from .entry import LogEntry
from .sinks import Sink
from .spill import Spill

logger = logging.getLogger("scopeware.tokens")

_BATCH = 1000
_CHANCES = 5
"""How often an entry is handed over that a sink refuses which takes others."""


@final
class Delivery:
    """What a sink has not taken yet. In memory there is a bounded number of entries; beyond that refusals wait in a
    temporary file, and allowed requests are counted and dropped.

    :param most: how many may wait in memory.
    """

    def __init__(self, name: str, sink: Sink, most: int) -> None:
        self.name = name
        self.dropped = 0
        """How many allowed requests were not written down."""
        self.spill = Spill()
        """What waits on disk."""
        self._sink = sink
        self._most = most
        self._waiting: list[LogEntry] = []
        self._failing = False
        self._stubborn: list[tuple[LogEntry, int]] = []

    def deliver(self, entries: Sequence[LogEntry]) -> bool:
        """Hand over what waits, and these. Whether the sink took everything."""
        self._waiting += entries
        handed = bool(self._waiting)
        try:
            # What waits on disk waits longer.
            self.spill.deliver(self._hand_over)
            while self._waiting:
                self._hand_over(self._waiting[:_BATCH])
                del self._waiting[:_BATCH]
            self._try_again(alive=handed)
        except Exception as error:
            if not self._failing:
                logger.error("the access log cannot be written to %s: %s", self.name, error)
            self._failing = True
            self._make_room()
            return False
        if self._failing:
            logger.warning("the access log is written to %s again; %d allowed left out", self.name, self.dropped)
        self._failing = False
        return not self._stubborn

    def _hand_over(self, entries: Sequence[LogEntry]) -> None:
        try:
            self._sink(entries)
        except Exception:
            if not self._took_some(entries):
                raise

    def _took_some(self, entries: Sequence[LogEntry]) -> bool:
        """Hand entries over one by one, after they were refused together: whether the sink is alive. Then those that it
        does not take stand in the way of others no longer; they get some more chances."""
        refused: list[LogEntry] = []
        problem = ""
        for number, entry in enumerate(entries, 1):
            try:
                self._sink([entry])
            except Exception as error:
                refused.append(entry)
                problem = str(error)
                if len(refused) == number and number >= min(2, len(entries)):
                    return False
        if refused:
            logger.error("%d requests are not taken by %s: %s", len(refused), self.name, problem)
        self._stubborn += [(entry, 1) for entry in refused]
        return True

    def _try_again(self, alive: bool) -> None:
        """Hand over once more what was refused while the sink took other entries.

        :param alive: whether it has taken some now; else nobody can say whose fault it is.
        """
        stubborn, self._stubborn = self._stubborn, []
        for entry, chances in stubborn:
            try:
                self._sink([entry])
            except Exception as error:
                if not alive or chances < _CHANCES:
                    self._stubborn.append((entry, chances + alive))
                    continue
                logger.error("a request of %s cannot be written to %s: %s", entry.time, self.name, error)

    def _make_room(self) -> None:
        if len(self._waiting) > self._most:
            refusals = [entry for entry in self._waiting if entry.decision != "allowed"]
            self.dropped += len(self._waiting) - len(refusals)
            self._waiting = refusals
            if len(refusals) > self._most // 2:
                try:
                    self.spill.add(refusals)
                except OSError as error:
                    logger.error("refusals cannot wait on disk: %s", error)
                else:
                    self._waiting = []

    def forget(self) -> None:
        """Drop what waits: it is another process's."""
        self._waiting = []
        self._stubborn = []
        self.spill.forget()
