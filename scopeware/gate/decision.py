"""Allowed, or denied and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, final

from ..policy import Requirement
from ..scopes import ADMIN_ROLE
from ..tokens import LiveToken, Refusal

Code = Literal[
    "ambiguous_credentials",
    "ambiguous_destination",
    "ambiguous_method",
    "ambiguous_path",
    "insufficient_scope",
    "internal_error",
    "owner_inactive",
    "owner_mismatch",
    "public_only",
    "session_required",
    "store_unavailable",
    "token_expired",
    "token_invalid",
    "token_required",
    "token_revoked",
    "unmatched",
]

STATUS: dict[Code, int] = {
    "ambiguous_credentials": 400,
    "ambiguous_destination": 400,
    "ambiguous_method": 400,
    "ambiguous_path": 400,
    "insufficient_scope": 403,
    "internal_error": 500,
    "owner_inactive": 401,
    "owner_mismatch": 403,
    "public_only": 403,
    "session_required": 403,
    "store_unavailable": 503,
    "token_expired": 401,
    "token_invalid": 401,
    "token_required": 401,
    "token_revoked": 401,
    "unmatched": 403,
}


@final
@dataclass(frozen=True, slots=True)
class Allowed:
    """The application may be called.

    :param preflight: for a CORS preflight: of its answer only the headers go out.
    """

    allowed: Literal[True] = True
    preflight: bool = False


@final
@dataclass(frozen=True, slots=True)
class Denied:
    """The application must not be called.

    :param code: why, for machines.
    :param detail: why, for people; never says whether something exists.
    """

    code: Code
    detail: str

    @property
    def allowed(self) -> Literal[False]:
        return False

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return STATUS[self.code]


Decision = Allowed | Denied

ALLOWED = Allowed()
PREFLIGHT = Allowed(preflight=True)
TOKEN_REQUIRED = Denied("token_required", "a token is required")
SESSION_REQUIRED = Denied("session_required", "tokens are not taken here; sign in")
UNMATCHED = Denied("unmatched", "no rule of the policy covers this path")
PUBLIC_ONLY = Denied("public_only", "the token is for public resources only")
OWNER_MISMATCH = Denied("owner_mismatch", "only its owner, or an administrator, may do this")
REFUSALS: dict[str, Denied] = {
    "token_invalid": Denied("token_invalid", "the token is unknown or malformed"),
    "token_revoked": Denied("token_revoked", "the token was revoked"),
    "token_expired": Denied("token_expired", "the token has expired"),
    "owner_inactive": Denied("owner_inactive", "the owner of the token is not active"),
}


def refused(refusal: Refusal) -> Denied:
    """The decision for a token that does not work."""
    return REFUSALS[refusal.code]


@final
@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling: with a token, or signed in by something else, or nobody.

    :param token: the token.
    :param owner: its owner, or who else is signed in.
    :param role: the role of that owner, as far as it is known.
    """

    token: LiveToken | None = None
    owner: str | None = None
    role: str | None = None


ANONYMOUS = Caller()


def judge(
    requirement: Requirement,
    caller: Caller,
    params: Callable[[Requirement], dict[str, str]],
    is_public: Callable[[Requirement], bool],
) -> Decision:
    """Whether the caller meets a requirement.

    Everything is denied that is not allowed in so many words.

    :param params: the variables of the path by that requirement's rule, asked for where whose it is matters.
    :param is_public: whether what the request is about, by that rule, is known to be public; asked where it matters.
    """
    if requirement.also is not None:
        decision = judge(requirement.also, caller, params, is_public)
        if decision is not ALLOWED:
            return decision
    if requirement.unmatched:
        return TOKEN_REQUIRED if caller.owner is None else UNMATCHED
    if caller.owner is None:
        return TOKEN_REQUIRED if requirement.require_token else ALLOWED
    if caller.token is None:
        if requirement.accept == "token":
            return TOKEN_REQUIRED
    else:
        denied = _judge_token(requirement, caller.token, is_public)
        if denied is not None:
            return denied
    whose = requirement.owner
    if whose is not None and caller.role != ADMIN_ROLE and whose.fill(params(requirement)) != caller.owner:
        return OWNER_MISMATCH
    return ALLOWED


def _judge_token(requirement: Requirement, token: LiveToken, is_public: Callable[[Requirement], bool]) -> Denied | None:
    if requirement.accept == "session":
        return SESSION_REQUIRED
    if not token.bits or not requirement.met_by(token.bits):
        missing = requirement.missing(token.bits)
        if not token.bits:
            return Denied("insufficient_scope", "the token has no scope that is worth anything now")
        if not missing:
            return Denied("insufficient_scope", "no scope allows this method here")
        return Denied("insufficient_scope", f"the token lacks {' and '.join(missing)}")
    if not token.public_only or requirement.public_only == "allow":
        return None
    if requirement.public_only == "check" and is_public(requirement):
        return None
    return PUBLIC_ONLY
