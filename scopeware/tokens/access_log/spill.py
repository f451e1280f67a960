"""Entries that wait on disk."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from typing import final

from .entry import LogEntry

_BATCH = 1000


@final
class Spill:
    """A temporary file that nobody else can open, for entries that cannot be written down yet. First in, first out;
    what was taken is not read again. Safe for threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._file: int | None = None
        self._taken = 0

    def add(self, entries: Sequence[LogEntry]) -> None:
        """Let entries wait."""
        text = "".join(json.dumps(entry) + "\n" for entry in entries).encode("ascii")
        with self._lock:
            if self._file is None:
                self._file, path = tempfile.mkstemp(prefix="scopeware-log-")
                os.unlink(path)
            # Not through a buffer, which a forked child would write once more.
            while text:
                text = text[os.write(self._file, text) :]

    def deliver(self, sink: Callable[[Sequence[LogEntry]], object]) -> None:
        """Hand over what waits, some at a time. What `sink` raises ends that; what it has not taken waits on."""
        while batch := self._next():
            entries, end = batch
            sink(entries)
            self._taken = end
        with self._lock:
            if self._file is not None and self._taken >= os.fstat(self._file).st_size:
                os.close(self._file)
                self._file, self._taken = None, 0

    def _next(self) -> tuple[list[LogEntry], int] | None:
        """Some entries, and where the file goes on after them."""
        with self._lock:
            if self._file is None:
                return None
            entries: list[LogEntry] = []
            end = self._taken
            with open(os.dup(self._file), "rb") as file:
                size = os.fstat(self._file).st_size
                # A duplicate shares its position with the original, which appends.
                file.seek(end)
                while len(entries) < _BATCH and (line := file.readline()):
                    entries.append(LogEntry(*json.loads(line)))
                    end += len(line)
                os.lseek(self._file, size, os.SEEK_SET)
            return (entries, end) if entries else None

    def forget(self) -> None:
        """Start over: what waits is another process's, and so is the file."""
        self._lock = threading.Lock()
        if self._file is not None:
            os.close(self._file)
        self._file, self._taken = None, 0
