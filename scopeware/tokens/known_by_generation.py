"""Known tokens that hold until something is committed to the database."""

from __future__ import annotations

from time import time
from typing import Any, final

from .database import StoreUnavailable
from .freshness import NO_STAMP, Stamp
from .known import INVALID, KnownTokens
from .records import LiveToken, Refusal
from .secret import digest
from .sqlite import SqliteDatabase

_LOOK_SECONDS = 1.0
"""How often to look whether the database file is still in its place."""

# It names the other tables so that it fails where one is gone.
_GENERATION = (
    "SELECT counter FROM scopeware_generation WHERE id = 1 "
    "AND NOT EXISTS (SELECT 1 FROM scopeware_token, scopeware_owner WHERE 0)"
)


@final
class TokensByGeneration(KnownTokens):
    """What it answers holds now: a look at the database's stamp tells whether anything was committed since a token was
    read, in any process; if so, the counter of changes tells whether it concerned tokens or owners at all; if so, each
    token is read again when it is next asked for.
    """

    def __init__(self, database: SqliteDatabase, *arguments: Any) -> None:
        self._database = database
        super().__init__(database, *arguments)

    def forget(self) -> None:
        """Start over with nothing known."""
        super().forget()
        # The stamp, what it said at the time of the last count, and the count.
        self._fresh: tuple[Stamp, object, int] = (NO_STAMP, None, -1)
        self._look_again = 0.0

    def authenticate(self, secret: str) -> LiveToken | Refusal:
        """What a request that carries `secret` may do, or why it may not.

        :raises StoreUnavailable: the database cannot be asked.
        """
        key = digest(secret)
        token = self._by_digest.get(key)
        if token is not None:
            now = time()
            stamp, seen, generation = self._fresh
            if (
                0 < self._look_again - now <= _LOOK_SECONDS
                and now < token.expires_at
                and token.generation == generation
                and stamp is self._database.stamp
                and stamp() == seen
            ):
                return token
        return self._look_up(secret, key)

    def _look_up(self, secret: str, key: bytes) -> LiveToken | Refusal:
        if not self._form.is_well_formed(secret):
            return INVALID
        try:
            # INVARIANT: the generation is older than the row. Should the row change in between, the next
            # request sees a newer generation and asks again.
            generation = self._generation()
            token = self._by_digest.get(key)
            if token is not None and token.generation == generation and time() < token.expires_at:
                return token
            digests = self._peppers.digests(secret) if self._peppers.current else (key,)
            row = self._database.select(self._statement, digests)
        except self._database.errors as error:
            raise self._database.unavailable(error) from error
        judged = self._judge(secret, row, generation)
        if isinstance(judged, LiveToken):
            self._remember(key, judged)
        return judged

    def _generation(self) -> int:
        """The number of the state that tokens and owners are in, all processes' changes included."""
        self._check_open()
        now = time()
        if not self._look_again - _LOOK_SECONDS <= now < self._look_again:
            self._database.check_in_place()
            self._look_again = now + _LOOK_SECONDS
        stamp = self._database.stamp
        if stamp is NO_STAMP:
            stamp = self._database.watch()
        # INVARIANT: what the stamp says is older than the generation that is kept with it.
        says = stamp()
        known_stamp, seen, generation = self._fresh
        if stamp is known_stamp and says == seen:
            return generation
        row = self._database.select(_GENERATION)
        if row is None:
            raise StoreUnavailable("its table `scopeware_generation` is empty", self._database.path)
        (counted,) = row
        if not isinstance(counted, int):
            raise StoreUnavailable("its table `scopeware_generation` holds no number", self._database.path)
        self._fresh = (stamp, says, counted)
        return counted
