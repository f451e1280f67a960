"""Tokens that were seen before."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from math import inf, isfinite
from time import time
from typing import Any

from ..errors import ConfigurationError
from ..scopes import ScopeSet
from .database import Database, StoreUnavailable
from .networks import parse_networks
from .pepper import Peppers
from .records import LiveToken, Refusal
from .secret import SecretFormat

CACHE_SIZE = 100_000

# PERF: a token that is not known costs this one statement; through the ORM it would cost fifteen times as much.
_BY_DIGEST = (
    "SELECT t.id, t.name, t.scopes, t.networks, t.hint, t.pepper, t.expires_at, t.rotated_at, t.revoked_at, "
    "o.name, o.role, o.active "
    "FROM scopeware_token AS t JOIN scopeware_owner AS o ON o.id = t.owner_id WHERE t.digest "
)
INVALID = Refusal("token_invalid")

Effective = Callable[[str | None, str], tuple[ScopeSet, ScopeSet]]
"""What scopes (as stored) were granted, and what they come to under a role."""
Rehash = Callable[[int, str], None]


class KnownTokens(ABC):
    """Answers for secrets, from memory as long as what was read still holds: that is for subclasses to know.

    :param database: where the tokens are.
    :param form: how their secrets look.
    :param peppers: what their digests may be made with.
    :param effective: what granted scopes come to under a role.
    :param rehash: called with a token's id and secret where its digest is not made with the current pepper.
    :param size: how many tokens to remember; the one that came first makes room.
    """

    def __init__(
        self,
        database: Database,
        form: SecretFormat,
        peppers: Peppers,
        effective: Effective,
        rehash: Rehash,
        size: int,
    ) -> None:
        self._form = form
        self._peppers = peppers
        self._effective = effective
        self._rehash = rehash
        self._size = size
        self._closed = False
        self._name = database.name
        places = ", ".join([database.parameter] * len(peppers.versions))
        self._statement = f"{_BY_DIGEST}= {places}" if len(peppers.versions) == 1 else f"{_BY_DIGEST}IN ({places})"
        self.forget()

    def forget(self) -> None:
        """Start over with nothing known."""
        self._by_digest: dict[bytes, LiveToken] = {}
        self._meanings: dict[tuple[str | None, str], tuple[ScopeSet, ScopeSet]] = {}

    def expire(self) -> None:  # noqa: B027  # where a change is seen by itself, there is nothing to do
        """Let everything be read again: something has changed."""

    def speak(self, form: SecretFormat) -> None:
        """Start over with secrets that look like this."""
        self._form = form
        self.forget()

    def close(self) -> None:
        """Refuse from now on."""
        self._closed = True
        self.forget()

    @abstractmethod
    def authenticate(self, secret: str) -> LiveToken | Refusal:
        """What a request that carries `secret` may do, or why it may not.

        :raises StoreUnavailable: the database cannot be asked.
        """

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store was closed", self._name)

    def _judge(
        self, secret: str, row: tuple[Any, ...] | None, generation: int, fresh_until: float = inf
    ) -> LiveToken | Refusal:
        """What a row says about the token with this secret.

        :param generation: the state of the store that the row was read in.
        :param fresh_until: when it has to be read again.
        """
        if row is None:
            return INVALID
        token_id, name, scopes, networks, hint, pepper, expires_at, rotated_at, revoked_at, owner, role, active = row
        if revoked_at is not None:
            return Refusal("token_revoked" if rotated_at is None else "token_rotated", token_id, owner, hint)
        if not isinstance(owner, str) or not isinstance(name, str):
            return INVALID
        if expires_at is not None:
            if not isinstance(expires_at, int | float):
                return INVALID
            if expires_at <= time():
                return Refusal("token_expired" if rotated_at is None else "token_rotated", token_id, owner, hint)
            if not isfinite(expires_at):
                return INVALID
        if active != 1:
            return Refusal("owner_inactive", token_id, owner, hint)
        if pepper != self._peppers.current:
            self._rehash(token_id, secret)
        granted, effective = self.meaning(scopes, role)
        return LiveToken(
            token_id=token_id,
            name=name,
            owner=owner,
            role=role,
            granted=granted,
            scopes=effective,
            networks=None if networks is None else _networks(networks),
            hint=hint,
            expires_at=inf if expires_at is None else expires_at,
            generation=generation,
            fresh_until=fresh_until,
        )

    def meaning(self, scopes: str | None, role: str) -> tuple[ScopeSet, ScopeSet]:
        """What scopes (as stored) were granted, and what they come to under a role."""
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


def _networks(text: object) -> Any:
    """The networks that are stored; none at all for what cannot be read."""
    try:
        return parse_networks(text) if isinstance(text, str) else ()
    except ConfigurationError:
        return ()
