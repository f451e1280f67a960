"""Work that no request waits for."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from collections.abc import Callable
from typing import final

from .database import StoreUnavailable

logger = logging.getLogger("scopeware.tokens")

_IDLE_ROUNDS = 5
_CLOSE_SECONDS = 10.0

Job = Callable[[], None]


@final
class Background:
    """A thread that does its jobs every now and then, while there is something to do. After a fork the child has a
    thread of its own, and none of the parent's work.

    :param interval: in seconds, from something to do to its being done.
    """

    def __init__(self, interval: float = 1.0) -> None:
        self.interval = interval
        self._paced = False
        self._jobs: list[tuple[Job, Job]] = []
        self._start_over()
        _all.add(self)

    def _start_over(self) -> None:
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._hurry = threading.Event()
        self.woken = False
        """Whether it was told that there is something to do, and will do it."""
        self._closed = False
        self._working = threading.Lock()

    def add(self, job: Job, forget: Job) -> None:
        """One more job, once. It is done in the thread, never twice at the same time; what it raises is logged.

        :param forget: drops what waits, in the child of a fork: it is the parent's.
        """
        with self._lock:
            if (job, forget) not in self._jobs:
                self._jobs.append((job, forget))

    def wake(self) -> None:
        """There is something to do."""
        self.woken = True
        if self._thread is None:
            self._start()

    def pace(self, interval: float) -> None:
        """Work at this interval, in seconds, or more often where someone asked for that."""
        self.interval = interval if not self._paced else min(self.interval, interval)
        self._paced = True

    def hurry(self) -> None:
        """There is much to do: do it now."""
        self._hurry.set()
        self.wake()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._closed:
                # It holds this object only while it works, so that one that nobody needs any more goes away.
                thread = threading.Thread(target=self._run, name="scopeware-background", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:  # at the end of the process, or too many
                    logger.warning("work in the background has to wait: %s", error)
                else:
                    self._thread = thread

    def _run(self) -> None:
        try:
            self._run_until_idle()
        except BaseException:
            # As a library's timeout that is no Exception: another thread takes over when there is something to do.
            self._thread = None
            raise

    def _run_until_idle(self) -> None:
        idle = 0
        while True:
            self._hurry.wait(self.interval)
            self._hurry.clear()
            idle = 0 if self.woken else idle + 1
            self.woken = False
            self.work()
            if self._closed or idle >= _IDLE_ROUNDS:
                with self._lock:
                    # INVARIANT: who wakes sets the flag, then looks for the thread.
                    self._thread = None
                    if self._closed or not self.woken:
                        return
                    self._thread = threading.current_thread()

    def work(self, patience: float = -1) -> None:
        """Do all jobs, now, in this thread.

        :param patience: how long to wait for another thread that does them, in seconds; negative for ever.
        """
        if not self._working.acquire(timeout=patience):
            logger.error("work in the background hangs; what it would have done is left undone")
            return
        try:
            for job, _ in self._jobs:
                try:
                    job()
                except StoreUnavailable as error:
                    logger.warning("%s", error)
                except Exception:
                    logger.exception("work in the background failed")
        finally:
            self._working.release()

    def close(self) -> None:
        """Do what is left to do, and nothing more after that."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            thread = self._thread
        self._hurry.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_CLOSE_SECONDS)
        self.work(_CLOSE_SECONDS)

    def after_fork_in_child(self) -> None:
        """The parent's thread and its work stay with the parent."""
        closed = self._closed
        self._start_over()
        self._closed = closed
        for _, forget in self._jobs:
            forget()


_all: weakref.WeakSet[Background] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for background in list(_all):
        background.after_fork_in_child()


def _at_exit() -> None:
    for background in list(_all):
        background.close()


os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_at_exit)
