"""What the gate learned about a request, for the application behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, final

from ..policy import Requirement
from ..scopes import ScopeSet
from ..tokens import LiveToken, Refusal
from .decision import Allowed, Decision, reach_of

if TYPE_CHECKING:
    from .middleware import Scopeware

ENVIRON_KEY = "scopeware"


@final
class Context:
    """What stands in the environ under ``scopeware``.

    :param token: the token that was used, without its secret; ``None`` for others who are signed in, and for nobody.
    :param owner: who is calling: the token's owner, or whom ``identify`` named; ``None`` for nobody.
    :param requirement: what the policy asks of the request; ``None`` where it does not apply.
    :param path: what was decided about: ``SCRIPT_NAME + PATH_INFO``, as the server gave them.
    :param guard: what a guard of a view asked for and did not get.
    :param guards_met: what guards of views asked for and got.
    :param kept_to_own: whether a guard of a view let the caller pass for what is the caller's own, and no more.
    :param refusal: what is known of a token that does not work.
    :param decision: :class:`~scopeware.gate.Allowed` or, in report mode, maybe :class:`~scopeware.gate.Denied`.
    """

    __slots__ = (
        "decision",
        "gate",
        "guard",
        "guards_met",
        "kept_to_own",
        "owner",
        "path",
        "refusal",
        "requirement",
        "token",
    )

    def __init__(
        self,
        gate: Scopeware,
        token: LiveToken | None,
        owner: str | None,
        requirement: Requirement | None,
        path: str,
        decision: Decision,
        refusal: Refusal | None = None,
    ) -> None:
        self.gate = gate
        self.token = token
        self.owner = owner
        self.requirement = requirement
        self.path = path
        self.decision = decision
        self.refusal = refusal
        self.guard: Requirement | None = None
        self.guards_met: tuple[Requirement, ...] = ()
        self.kept_to_own = False

    @property
    def scopes(self) -> ScopeSet | None:
        """What the token may do now: granted ∩ its owner's role. ``None`` without a token."""
        return self.token.scopes if self.token else None

    @property
    def public_only(self) -> bool:
        """Whether the caller is to see public resources only."""
        return self.token is not None and self.token.public_only

    @property
    def possession(self) -> Literal["any", "own"]:
        """Whether the caller reaches what others own, too, or only what is the caller's own: then the application keeps
        to that where it shows lists, or makes things."""
        return "any" if isinstance(self.decision, Allowed) and not self.decision.own else "own"

    @property
    def group(self) -> str:
        """The path of the group that decided, as the policy writes it; empty where none did."""
        return self.requirement.group if self.requirement else ""

    @property
    def route(self) -> str:
        """The path of the route that decided, in full; empty where a group itself did."""
        return self.requirement.route if self.requirement else ""

    @property
    def params(self) -> dict[str, str]:
        """The variables of that path."""
        return self.gate.policy.params(self.requirement, self.path) if self.requirement else {}

    @property
    def resource(self) -> str | None:
        """What the request is about, where the policy says so."""
        if self.requirement is None or self.requirement.resource is None:
            return None
        return self.requirement.resource.fill(self.params)

    @property
    def reach(self) -> tuple[str, ...] | None:
        """The resources that the caller may get to see in a list: ``alice/widgets``, ``alice/*``. ``None`` for all;
        ``*`` where roles are given per resource, for those who reach only what is theirs, and for bound tokens where
        the policy does not apply: ask :meth:`allows` about each."""
        if self.token is None:
            held = self.owner is not None and self.gate.options.sessions == "role"
            return ("*",) if held and self.gate.by_resource else None
        if self.gate.by_resource or (self.requirement is None and self.token.scopes.bound):
            return ("*",)
        if self.requirement is None:
            return None
        if self.possession == "own":
            return ("*",)
        return None if self.requirement.met_by(self.token.bits) else reach_of(self.requirement, self.token.scopes)

    def allows(self, resource: str, scopes: str | None = None, *, public: bool = False) -> bool:
        """Whether the caller may do this with another resource, too: for an application that comes upon one.

        :param scopes: what it needs there; by default what the request needs.
        :param public: whether that resource is public: public-only tokens reach no other.
        :raises UnknownScope: a word is no scope.
        """
        return self.gate.allows(self, resource, scopes, public)

    def __repr__(self) -> str:
        return f"<Context of {self.owner or 'nobody'} in {self.group or 'no group'}: {self.decision}>"
