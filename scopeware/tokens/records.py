"""Tokens and owners as values, and what is said when one cannot be had."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from typing import Literal, final

from ..errors import ScopewareError
from ..scopes import ScopeSet
from ..text import quoted
from .networks import Network

Status = Literal["live", "rotated", "revoked", "expired", "owner_inactive"]
RefusalCode = Literal["token_invalid", "token_rotated", "token_revoked", "token_expired", "owner_inactive"]
OwnerKind = Literal["user", "bot", "organization"]
OWNER_KINDS: tuple[OwnerKind, ...] = ("user", "bot", "organization")


class TokenRefused(ScopewareError, ValueError):
    """A token cannot be issued as asked. Nothing was written.

    :param field: which argument is at fault.
    """

    def __init__(self, problem: str, field: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.field = field


class NameTaken(TokenRefused):
    """The owner has a live token of that name."""

    def __init__(self, name: str, owner: str) -> None:
        super().__init__(f"{owner} already has a live token named {quoted(name)}; choose another name", "name")
        self.name = name
        self.owner = owner


class TokenManaged(ScopewareError, ValueError):
    """A managed token: its owner may not end or change it."""

    def __init__(self, token_id: int, owner: str) -> None:
        super().__init__(f"token {token_id} is managed; an administrator can end or change it, {owner} cannot")
        self.token_id = token_id
        self.owner = owner


class TokenDead(ScopewareError, ValueError):
    """A token that no longer works cannot be rotated or changed."""

    def __init__(self, token_id: int, status: str) -> None:
        super().__init__(f"token {token_id} no longer works ({status}); issue a new one")
        self.token_id = token_id
        self.status = status


class NoSuchToken(ScopewareError, LookupError):
    """There is no token with that id."""

    def __init__(self, token_id: int) -> None:
        super().__init__(f"there is no token {token_id}; `scopeware token list --all` shows those there are")
        self.token_id = token_id


class NoSuchOwner(ScopewareError, LookupError):
    """There is no owner of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no owner {quoted(name)}; `scopeware owner list` shows those there are")
        self.name = name


class OwnerExists(ScopewareError, ValueError):
    """There already is an owner of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there already is an owner {quoted(name)}")
        self.name = name


@final
@dataclass(frozen=True, slots=True)
class OwnerInfo:
    """An owner as it is in the database now."""

    name: str
    kind: OwnerKind
    role: str
    active: bool
    created_at: datetime


@final
@dataclass(frozen=True, slots=True)
class Account:
    """What the application's own user table says about an owner.

    :param role: one of the policy's roles.
    :param active: whether the owner's tokens work at all.
    """

    role: str
    active: bool = True


@final
@dataclass(frozen=True, slots=True)
class TokenInfo:
    """A token as it is in the database now; never the secret.

    :param scopes: what was granted, as far as the vocabulary knows the words.
    :param unknown_scopes: words that it does not know; they grant nothing.
    :param effective: `scopes` ∩ what the owner's role allows now.
    :param networks: where it may be used from; anywhere, if there are none.
    :param managed: whether its owner may not end or change it.
    :param hint: the last characters of the secret, for people to recognise it.
    :param last_used_at: roughly: written once a minute at most.
    :param parent_id: the token it was made with.
    :param successor_id: the token that took its place when it was rotated.
    """

    id: int
    owner: str
    name: str
    scopes: ScopeSet
    unknown_scopes: tuple[str, ...]
    effective: ScopeSet
    networks: tuple[Network, ...]
    managed: bool
    hint: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    rotated_at: datetime | None
    revoked_at: datetime | None
    owner_kind: OwnerKind
    owner_role: str
    owner_active: bool
    parent_id: int | None = None
    successor_id: int | None = None

    @property
    def status(self) -> Status:
        """Whether it works right now, or why not."""
        expired = self.expires_at is not None and self.expires_at <= datetime.now(UTC)
        if self.rotated_at is not None and (expired or self.revoked_at is not None):
            return "rotated"
        if self.revoked_at is not None:
            return "revoked"
        if expired:
            return "expired"
        return "live" if self.owner_active else "owner_inactive"


@final
@dataclass(frozen=True, slots=True)
class Issued:
    """A new token, with its secret: the only time anyone sees it."""

    secret: str = field(repr=False)
    token: TokenInfo


@final
class LiveToken:
    """What the gate needs to know of a token that works; shared between requests, never changed.

    :param granted: what it was granted.
    :param scopes: effective: granted ∩ the owner's role.
    :param networks: where it may be used from; ``None`` for anywhere.
    :param expires_at: seconds since 1970, or infinity.
    :param remote_user: the owner as WSGI spells it: UTF-8 bytes as latin-1 (PEP 3333).
    :param restricted: whether more than `bits` has to be looked at.
    :param generation: the state of the store it was read in.
    :param fresh_until: when it has to be read again, on the monotonic clock.
    """

    __slots__ = (
        "bits",
        "expires_at",
        "fresh_until",
        "generation",
        "granted",
        "hint",
        "id",
        "name",
        "networks",
        "owner",
        "public_only",
        "remote_user",
        "restricted",
        "role",
        "scopes",
    )

    def __init__(
        self,
        *,
        token_id: int,
        name: str,
        owner: str,
        role: str,
        granted: ScopeSet,
        scopes: ScopeSet,
        networks: tuple[Network, ...] | None = None,
        hint: str = "",
        expires_at: float = inf,
        generation: int = 0,
        fresh_until: float = inf,
    ) -> None:
        self.id = token_id
        self.name = name
        self.owner = owner
        self.remote_user = wsgi_text(owner)
        self.role = role
        self.granted = granted
        self.scopes = scopes
        self.bits = scopes.bits
        self.public_only = scopes.public_only
        self.networks = networks
        self.restricted = scopes.public_only or networks is not None
        self.hint = hint
        self.expires_at = expires_at
        self.generation = generation
        self.fresh_until = fresh_until

    def under(self, role: str, scopes: ScopeSet) -> LiveToken:
        """This token, its owner having another role."""
        return LiveToken(
            token_id=self.id,
            name=self.name,
            owner=self.owner,
            role=role,
            granted=self.granted,
            scopes=scopes,
            networks=self.networks,
            hint=self.hint,
            expires_at=self.expires_at,
            generation=self.generation,
            fresh_until=self.fresh_until,
        )

    def __repr__(self) -> str:
        return f"<LiveToken {self.id} {self.name!r} of {self.owner!r}: {self.scopes}>"


@final
@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a token does not work. The rest is known where there is such a token."""

    code: RefusalCode
    token_id: int | None = None
    owner: str | None = None
    hint: str | None = None


def moment(seconds: float) -> datetime:
    """Seconds since 1970 as a time in UTC; the end of all times for what is after it, the beginning for all else that
    cannot be one."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, TypeError, OSError):
        late = type(seconds) in (int, float) and seconds > 0
        return (datetime.max if late else datetime.min).replace(tzinfo=UTC)


def wsgi_text(text: str) -> str:
    """`text` as an environ holds it: UTF-8 bytes as latin-1 (PEP 3333)."""
    return text if text.isascii() else text.encode("utf-8").decode("latin-1")
