"""Known tokens that hold for a short while."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from time import monotonic, time
from typing import Any, final

from .database import Database
from .known import INVALID, KnownTokens
from .push import Listener
from .records import LiveToken, Refusal
from .secret import digest


@final
class TokensByLease(KnownTokens):
    """What it answers held at most `staleness` ago, counted from before it was asked for; and not even that long, where
    a message said meanwhile that something has changed.

    :param staleness: in seconds; 0 to ask each time.
    :param listener: hears of changes; it may be down at any time.
    """

    def __init__(self, database: Database, *arguments: Any, staleness: float, listener: Listener | None) -> None:
        self._database = database
        self._staleness = staleness
        self.first: Callable[[], None] | None = None
        """What has to succeed before anything is looked up."""
        self._listener = listener
        self._era = 0
        _all.add(self)
        super().__init__(database, *arguments)

    def forget(self) -> None:
        """Start over with nothing known."""
        # INVARIANT: what is being read now was begun in an earlier era, and will not be kept.
        self._era += 1
        super().forget()

    def expire(self) -> None:
        """Let everything be read again."""
        self._era += 1

    def close(self) -> None:
        """Refuse from now on, and listen no more."""
        super().close()
        if self._listener is not None:
            self._listener.close()

    def authenticate(self, secret: str) -> LiveToken | Refusal:
        """What a request that carries `secret` may do, or why it may not.

        :raises StoreUnavailable: the database cannot be asked.
        """
        key = digest(secret)
        token = self._by_digest.get(key)
        if token is not None and token.generation == self._era and monotonic() < token.fresh_until:
            return token
        return self._look_up(secret, key)

    def _look_up(self, secret: str, key: bytes) -> LiveToken | Refusal:
        if not self._form.is_well_formed(secret):
            return INVALID
        self._check_open()
        first = self.first
        if first is not None:
            first()
            self.first = None
        if self._listener is not None:
            self._listener.start(self.expire)
        era = self._era
        asked = monotonic()
        try:
            digests = self._peppers.digests(secret) if self._peppers.current else (key,)
            row = self._database.select(self._statement, digests)
        except self._database.errors as error:
            raise self._database.unavailable(error) from error
        judged = self._judge(secret, row, era, asked + self._staleness)
        if isinstance(judged, LiveToken):
            # PERF: one comparison a request instead of two
            judged.fresh_until = min(judged.fresh_until, monotonic() + judged.expires_at - time())
            if self._staleness and self._era == era:
                self._remember(key, judged)
        return judged


_all: weakref.WeakSet[TokensByLease] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    # Nobody listens in the child yet.
    for known in list(_all):
        known.expire()


os.register_at_fork(after_in_child=_after_fork_in_child)
