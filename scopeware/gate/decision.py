"""Allowed, or denied and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal, final

from ..policy import Requirement
from ..scopes import ADMIN_ROLE, ScopeSet
from ..tokens import LiveToken, Refusal, lies_in

Code = Literal[
    "address_not_allowed",
    "ambiguous_credentials",
    "ambiguous_destination",
    "ambiguous_method",
    "ambiguous_path",
    "insufficient_scope",
    "internal_error",
    "owner_inactive",
    "owner_mismatch",
    "public_only",
    "resource_out_of_reach",
    "session_required",
    "store_unavailable",
    "token_expired",
    "token_invalid",
    "token_required",
    "token_revoked",
    "token_rotated",
    "unmatched",
]

STATUS: dict[Code, int] = {
    "address_not_allowed": 403,
    "ambiguous_credentials": 400,
    "ambiguous_destination": 400,
    "ambiguous_method": 400,
    "ambiguous_path": 400,
    "insufficient_scope": 403,
    "internal_error": 500,
    "owner_inactive": 401,
    "owner_mismatch": 403,
    "public_only": 403,
    "resource_out_of_reach": 403,
    "session_required": 403,
    "store_unavailable": 503,
    "token_expired": 401,
    "token_invalid": 401,
    "token_required": 401,
    "token_revoked": 401,
    "token_rotated": 401,
    "unmatched": 403,
}


@final
@dataclass(frozen=True, slots=True)
class Allowed:
    """The application may be called.

    :param preflight: for a CORS preflight: of its answer only the headers go out.
    :param own: only as far as it is the caller's own, which the application may have to see to.
    """

    allowed: Literal[True] = True
    preflight: bool = False
    own: bool = False


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
ALLOWED_OWN = Allowed(own=True)
PREFLIGHT = Allowed(preflight=True)
TOKEN_REQUIRED = Denied("token_required", "a token is required")
SESSION_REQUIRED = Denied("session_required", "tokens are not taken here; sign in")
UNMATCHED = Denied("unmatched", "no rule of the policy covers this path")
PUBLIC_ONLY = Denied("public_only", "the token is for public resources only")
ADDRESS_NOT_ALLOWED = Denied("address_not_allowed", "the token does not work from this address")
RESOURCE_OUT_OF_REACH = Denied("resource_out_of_reach", "the token does not reach this resource")
WORTHLESS = Denied("insufficient_scope", "the token has no scope that is worth anything now")
LIST_OUT_OF_REACH = Denied("resource_out_of_reach", "the token is bound to resources, and this is about others, too")
NOT_OWNED = Denied("resource_out_of_reach", "only what is the caller's own is in reach here")
STORE_UNAVAILABLE = Denied("store_unavailable", "tokens cannot be checked now")
HIDDEN = (RESOURCE_OUT_OF_REACH, NOT_OWNED)
"""Refusals in whose place a deployment may answer as if there was nothing."""
ROLE_TOO_LOW = Denied("insufficient_scope", "the role of who is signed in does not allow this")
OWNER_MISMATCH = Denied("owner_mismatch", "only its owner, or an administrator, may do this")
REFUSALS: dict[str, Denied] = {
    "token_invalid": Denied("token_invalid", "the token is unknown or malformed"),
    "token_revoked": Denied("token_revoked", "the token was revoked"),
    "token_rotated": Denied("token_rotated", "the token was rotated; another one has taken its place"),
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
    :param address: where the request comes from, as the server says.
    :param held: for whoever is signed in by something else, what their role amounts to, where that matters.
    """

    token: LiveToken | None = None
    owner: str | None = None
    role: str | None = None
    address: str = ""
    held: LiveToken | None = None


ANONYMOUS = Caller()

RightsAt = Callable[[LiveToken, str], int | None]
"""The scope bits of a token at a resource; ``None`` where its owner has no business at all."""


@final
# PERF: made for each request that is not allowed at once; a frozen one takes three times as long to make.
@dataclass(slots=True, eq=False)
class Circumstances:
    """What a decision may depend on beside the requirement and the caller; asked for where it matters.

    :param params: the variables of the path, by a requirement's rule.
    :param is_public: whether what the request is about, by that rule, is known to be public.
    :param resource: what it is about; ``None`` where the rule names nothing.
    :param rights_at: what a token may do at a resource, where roles are given per resource.
    :param held: the scopes of a token that may be worth something, somewhere.
    :param owner_of: who owns a resource; ``None`` where nobody knows.
    """

    params: Callable[[Requirement], dict[str, str]]
    is_public: Callable[[Requirement], bool]
    resource: Callable[[Requirement], str | None]
    rights_at: RightsAt | None = None
    held: Callable[[LiveToken], ScopeSet] = attrgetter("scopes")
    owner_of: Callable[[str], str | None] = lambda _: None


def judge(requirement: Requirement, caller: Caller, circumstances: Circumstances) -> Decision:
    """Whether the caller meets a requirement.

    Everything is denied that is not allowed in so many words.
    """
    decision = _judge(requirement, caller, circumstances)
    return decision if requirement.also is None else both(judge(requirement.also, caller, circumstances), decision)


def both(one: Decision, other: Decision) -> Decision:
    """What two decisions about one request come to: the one that allows less."""
    if isinstance(one, Denied) or (one.own and not isinstance(other, Denied)):
        return one
    return other


def _judge(requirement: Requirement, caller: Caller, circumstances: Circumstances) -> Decision:
    if caller.token is not None and not _may_come_from(caller.token, caller.address):
        return ADDRESS_NOT_ALLOWED
    if requirement.unmatched:
        return TOKEN_REQUIRED if caller.owner is None else UNMATCHED
    if caller.owner is None:
        if requirement.require_token:
            return TOKEN_REQUIRED
        return ALLOWED if requirement.others is None else _judge_possession(requirement, caller, circumstances)
    only_own = False
    if caller.token is None:
        if requirement.accept == "token":
            return TOKEN_REQUIRED
        if caller.held is not None:
            found = _judge_scopes(requirement, caller.held, circumstances)
            if isinstance(found, Denied):
                return ROLE_TOO_LOW if found.code == "insufficient_scope" else found
            only_own = found
    else:
        found = _judge_token(requirement, caller.token, circumstances)
        if isinstance(found, Denied):
            return found
        only_own = found
    whose = requirement.owner if caller.role != ADMIN_ROLE else None
    if whose is not None and whose.fill(circumstances.params(requirement)) != caller.owner:
        return OWNER_MISMATCH
    if only_own or (requirement.others is not None and caller.role not in requirement.others):
        return _judge_possession(requirement, caller, circumstances)
    return ALLOWED


def _judge_possession(requirement: Requirement, caller: Caller, circumstances: Circumstances) -> Decision:
    """Whether what the request is about is the caller's own, or the application sees to that."""
    if requirement.own == "filter":
        return ALLOWED_OWN
    about = circumstances.resource(requirement) if requirement.own == "check" else None
    if about is not None and caller.owner is not None and circumstances.owner_of(about) == caller.owner:
        return ALLOWED_OWN
    # Where roles are given per resource, the same as where there is none: whether there is one is not to be told.
    return NOT_OWNED if circumstances.rights_at is None else RESOURCE_OUT_OF_REACH


def _may_come_from(token: LiveToken, address: str) -> bool:
    return token.networks is None or lies_in(address, token.networks)


def _judge_token(requirement: Requirement, token: LiveToken, circumstances: Circumstances) -> Denied | bool:
    if requirement.accept == "session":
        return SESSION_REQUIRED
    found = _judge_scopes(requirement, token, circumstances)
    if isinstance(found, Denied) or not token.public_only or requirement.public_only == "allow":
        return found
    if requirement.public_only == "check" and circumstances.is_public(requirement):
        return found
    return PUBLIC_ONLY


def _judge_scopes(requirement: Requirement, token: LiveToken, circumstances: Circumstances) -> Denied | bool:
    """Why a token has not the scopes where the request is about; if it has, whether for its owner's own things only."""
    about = circumstances.resource(requirement) if circumstances.rights_at or token.scopes.bound else None
    if about is not None and circumstances.rights_at is not None:
        return _judge_by_role(requirement, token, about, circumstances.rights_at)
    held = circumstances.held(token)
    if not held:
        return WORTHLESS
    bits = token.bits if about is None else token.scopes.at(about)
    if requirement.scope_free:
        return RESOURCE_OUT_OF_REACH if about is not None and not bits else False
    if requirement.met_somehow_by(bits):
        return not requirement.met_by(bits)
    if requirement.met_somehow_by(held.bits):
        # By what the owner's role allows elsewhere, at most.
        return not requirement.met_by(held.bits) if requirement.filters else _lacking(requirement, bits)
    reach = reach_of(requirement, held)
    if not reach:
        return _lacking(requirement, bits)
    if about is not None:
        return RESOURCE_OUT_OF_REACH
    if not requirement.filters:
        return LIST_OUT_OF_REACH
    return not all(requirement.met_by(held.over(pattern)) for pattern in reach)


def _judge_by_role(requirement: Requirement, token: LiveToken, about: str, rights_at: RightsAt) -> Denied | bool:
    """The same where the owner's role at the resource decides. What the token itself lacks is told first, so that it is
    told alike where its owner has a role and where there is nothing at all."""
    granted = token.granted.at(about)
    if not token.granted:
        return WORTHLESS
    if requirement.scope_free:
        if not granted:
            return RESOURCE_OUT_OF_REACH
    elif not requirement.met_somehow_by(granted):
        reaches = reach_of(requirement, token.granted)
        return RESOURCE_OUT_OF_REACH if reaches else _lacking(requirement, granted)
    rights = rights_at(token, about)
    if rights is None:
        return RESOURCE_OUT_OF_REACH
    if requirement.scope_free:
        return False if rights else WORTHLESS
    return not requirement.met_by(rights) if requirement.met_somehow_by(rights) else _lacking(requirement, rights)


def _lacking(requirement: Requirement, bits: int) -> Denied:
    missing = requirement.missing(bits)
    if not missing:
        return Denied("insufficient_scope", "no scope allows this method here")
    return Denied("insufficient_scope", f"the token lacks {' and '.join(missing)}")


def reach_of(requirement: Requirement, scopes: ScopeSet) -> tuple[str, ...]:
    """The resources where a scope set that is bound to some meets a requirement, be it only for what its owner owns:
    ``alice/widgets``, ``alice/*``."""
    return tuple(pattern for pattern in scopes.bound if requirement.met_somehow_by(scopes.over(pattern)))
