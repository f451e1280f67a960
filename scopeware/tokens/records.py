"""Tokens and owners as values, and what is said when one cannot be had."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, final

from ..errors import ScopewareError
from ..scopes import ScopeSet
from ..text import quoted

Status = Literal["live", "revoked", "expired", "owner_inactive"]
RefusalCode = Literal["token_invalid", "token_revoked", "token_expired", "owner_inactive"]


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
    role: str
    active: bool
    created_at: datetime


@final
@dataclass(frozen=True, slots=True)
class TokenInfo:
    """A token as it is in the database now; never the secret.

    :param scopes: what was granted, as far as the vocabulary knows the words.
    :param unknown_scopes: words that it does not know; they grant nothing.
    :param effective: `scopes` ∩ what the owner's role allows now.
    :param hint: the last characters of the secret, for people to recognise it.
    """

    id: int
    owner: str
    name: str
    scopes: ScopeSet
    unknown_scopes: tuple[str, ...]
    effective: ScopeSet
    hint: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    owner_role: str
    owner_active: bool

    @property
    def status(self) -> Status:
        """Whether it works right now, or why not."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= datetime.now(UTC):
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

    :param scopes: effective: granted ∩ the owner's role.
    :param expires_at: seconds since 1970, or infinity.
    :param remote_user: the owner as WSGI spells it: UTF-8 bytes as latin-1 (PEP 3333).
    :param generation: how many changes there had been when it was read.
    """

    __slots__ = (
        "bits",
        "expires_at",
        "generation",
        "id",
        "name",
        "owner",
        "public_only",
        "remote_user",
        "role",
        "scopes",
    )

    def __init__(
        self, *, token_id: int, name: str, owner: str, role: str, scopes: ScopeSet, expires_at: float, generation: int
    ) -> None:
        self.id = token_id
        self.name = name
        self.owner = owner
        self.remote_user = wsgi_text(owner)
        self.role = role
        self.scopes = scopes
        self.bits = scopes.bits
        self.public_only = scopes.public_only
        self.expires_at = expires_at
        self.generation = generation

    def __repr__(self) -> str:
        return f"<LiveToken {self.id} {self.name!r} of {self.owner!r}: {self.scopes}>"


@final
@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a token does not work. `token_id` and `owner` are known where there is such a token."""

    code: RefusalCode
    token_id: int | None = None
    owner: str | None = None


def moment(seconds: int) -> datetime:
    """Seconds since 1970 as a time in UTC; the beginning of all times for what cannot be one."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, TypeError, OSError):
        return datetime.min.replace(tzinfo=UTC)


def wsgi_text(text: str) -> str:
    """`text` as an environ holds it: UTF-8 bytes as latin-1 (PEP 3333)."""
    return text if text.isascii() else text.encode("utf-8").decode("latin-1")
