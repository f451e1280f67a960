"""Which tokens are meant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, final

from peewee import SQL

from ..errors import ConfigurationError
from ..scopes import ScopeSet, canonical_pattern
from ..text import is_storable, quoted
from .models import Owner, Token
from .records import TokenInfo


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFilter:
    """Tokens that meet all of these; whatever is ``None`` does not matter.

    :param owner: whose they are.
    :param name: what they are called.
    :param scope: a scope that they have, as granted: ``write:repository``.
    :param resource: what they are bound to: ``alice/widgets``; ``alice/*`` for anything below, too.
    :param expiring_in: those that expire within this time.
    :param unused_for: those that have not been used for this long, nor made since.
    :param dead: whether those that no longer work are meant, too.
    """

    owner: str | None = None
    name: str | None = None
    scope: str | None = None
    resource: str | None = None
    expiring_in: timedelta | None = None
    unused_for: timedelta | None = None
    dead: bool = False

    def __post_init__(self) -> None:
        for where, length in (("expiring_in", self.expiring_in), ("unused_for", self.unused_for)):
            if length is not None and length <= timedelta(0):
                raise ConfigurationError("no length of time at all", where=where)
        if self.resource is not None:
            known = canonical_pattern(self.resource)
            if known is None:
                raise ConfigurationError(f"{quoted(self.resource)} is no resource", where="resource")
            object.__setattr__(self, "resource", known)

    @property
    def is_everything(self) -> bool:
        """Whether it leaves nobody out."""
        return self == TokenFilter(dead=self.dead)

    def conditions(self) -> list[Any]:
        """What the database can tell."""
        found: list[Any] = []
        if not all(is_storable(text) for text in (self.owner, self.name) if text is not None):
            return [SQL("1 = 0")]
        if self.owner is not None:
            found.append(Owner.name == self.owner)
        if self.name is not None:
            found.append(Token.name == self.name)
        now = datetime.now(UTC).timestamp()
        if self.expiring_in is not None:
            found.append(Token.expires_at <= now + self.expiring_in.total_seconds())
        if self.unused_for is not None:
            since = now - self.unused_for.total_seconds()
            found += [Token.created_at < since, Token.last_used_at.is_null() | (Token.last_used_at < since)]
        if not self.dead:
            found += [Token.revoked_at.is_null(), Token.expires_at.is_null() | (Token.expires_at > now)]
        return found

    def meets(self, token: TokenInfo, *, asleep: bool = False) -> bool:
        """Whether a token that the database found is meant.

        :param asleep: whether those are meant, too, that would work if their owners were active.
        """
        if not self.dead and token.status != "live" and not (asleep and token.status == "owner_inactive"):
            return False
        if self.scope is not None and not _has(token.scopes, self.scope):
            return False
        return self.resource is None or any(_is_below(known, self.resource) for known in token.scopes.bound)


def _has(scopes: ScopeSet, scope: str) -> bool:
    need = scopes.vocabulary.parse(scope)
    if not need:
        raise ConfigurationError("name one scope", where="scope")
    return scopes.covers(need) or bool(not need.bound and not need.bits & ~scopes.anywhere)


def _is_below(pattern: str, resource: str) -> bool:
    return pattern == resource or (resource.endswith("/*") and pattern.startswith(resource[:-1]))
