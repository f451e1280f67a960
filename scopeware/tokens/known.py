"""Tokens that were seen before, and whether that still holds."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from math import inf, isfinite
from time import time
from typing import Any, final

from ..scopes import ScopeSet
from .database import DATABASE_ERRORS, Database, StoreUnavailable
from .freshness import NO_STAMP, Stamp
from .records import LiveToken, Refusal
from .secret import SecretFormat

CACHE_SIZE = 100_000
_LOOK_SECONDS = 1.0
"""How often to look whether the database file is still in its place."""

# PERF: a token that is not known costs this one statement; through the ORM it would cost fifteen times as much.
_BY_DIGEST = (
    "SELECT token.id, token.name, token.scopes, token.expires_at, token.revoked_at, "
    "owner.name, owner.role, owner.active "
    "FROM token JOIN owner ON owner.id = token.owner_id WHERE token.digest = ?"
)
# It names the other tables so that it fails where one is gone.
_GENERATION = "SELECT counter FROM generation WHERE id = 1 AND NOT EXISTS (SELECT 1 FROM token, owner WHERE 0)"
_INVALID = Refusal("token_invalid")


@final
class KnownTokens:
    """Answers for secrets, from memory where nothing has changed since.

    What it answers holds now: a look at the database's stamp tells whether anything was committed since a token was
    read, in any process; if so, the counter of changes tells whether it concerned tokens or owners at all; if so, each
    token is read again when it is next asked for.

    :param database: where the tokens are.
    :param form: how their secrets look.
    :param effective: what granted scopes (as stored) come to under a role.
    :param size: how many tokens to remember; the one that came first makes room.
    """

    __slots__ = (
        "_by_digest",
        "_closed",
        "_database",
        "_effective",
        "_form",
        "_fresh",
        "_look_again",
        "_meanings",
        "_size",
    )

    def __init__(
        self, database: Database, form: SecretFormat, effective: Callable[[str | None, str], ScopeSet], size: int
    ) -> None:
        self._database = database
        self._form = form
        self._effective = effective
        self._size = size
        self._closed = False
        self.forget()

    def forget(self) -> None:
        """Start over with nothing known."""
        self._by_digest: dict[bytes, LiveToken] = {}
        self._meanings: dict[tuple[str | None, str], ScopeSet] = {}
        # The stamp, what it said at the time of the last count, and the count.
        self._fresh: tuple[Stamp, object, int] = (NO_STAMP, None, -1)
        self._look_again = 0.0

    def speak(self, form: SecretFormat) -> None:
        """Start over with secrets that look like this."""
        self._form = form
        self.forget()

    def close(self) -> None:
        """Refuse from now on."""
        self._closed = True
        self.forget()

    def authenticate(self, secret: str) -> LiveToken | Refusal:
        """What a request that carries `secret` may do, or why it may not.

        :raises StoreUnavailable: the database cannot be asked.
        """
        key = sha256(secret.encode("utf-8", "surrogatepass")).digest()
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
            return _INVALID
        try:
            # INVARIANT: the generation is older than the row. Should the row change in between, the next
            # request sees a newer generation and asks again.
            generation = self._generation()
            token = self._by_digest.get(key)
            if token is not None and token.generation == generation and time() < token.expires_at:
                return token
            row = self._database.select(_BY_DIGEST, (key,))
        except DATABASE_ERRORS as error:
            raise self._database.unavailable(error) from error
        return _INVALID if row is None else self._judge(key, row, generation)

    def _judge(self, key: bytes, row: tuple[Any, ...], generation: int) -> LiveToken | Refusal:
        token_id, name, scopes, expires_at, revoked_at, owner, role, active = row
        if revoked_at is not None:
            return Refusal("token_revoked", token_id, owner)
        if not isinstance(owner, str) or not isinstance(name, str):
            return _INVALID
        if expires_at is not None and not isinstance(expires_at, int | float):
            return _INVALID
        if expires_at is not None and expires_at <= time():
            return Refusal("token_expired", token_id, owner)
        if expires_at is not None and not isfinite(expires_at):
            return _INVALID
        if active != 1:
            return Refusal("owner_inactive", token_id, owner)
        token = LiveToken(
            token_id=token_id,
            name=name,
            owner=owner,
            role=role,
            scopes=self._meaning(scopes, role),
            expires_at=inf if expires_at is None else expires_at,
            generation=generation,
        )
        self._remember(key, token)
        return token

    def _generation(self) -> int:
        """The number of changes to tokens and owners so far, all processes' included."""
        if self._closed:
            raise StoreUnavailable("the store was closed", self._database.path)
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
            raise StoreUnavailable("its table `generation` is empty", self._database.path)
        (counted,) = row
        if not isinstance(counted, int):
            raise StoreUnavailable("its table `generation` holds no number", self._database.path)
        self._fresh = (stamp, says, counted)
        return counted

    def _meaning(self, scopes: str | None, role: str) -> ScopeSet:
        known = self._meanings.get((scopes, role))
        if known is None:
            known = self._effective(scopes, role)
            if len(self._meanings) >= CACHE_SIZE:
                self._meanings.clear()
            self._meanings[scopes, role] = known
        return known

    def _remember(self, key: bytes, token: LiveToken) -> None:
        # No lock, which another thread might hold at a fork: each step is one of the interpreter's own.
        known = self._by_digest
        while len(known) >= self._size:
            try:
                del known[next(iter(known))]
            except (KeyError, RuntimeError, StopIteration):
                if not known:
                    break
        if self._size > 0:
            known.pop(key, None)
            known[key] = token
