"""What callers may do with resources."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import final

from ..policy import Policy, Requirement
from ..scopes import ScopeSet
from ..tokens import LiveToken, TokenStore
from .context import Context
from .decision import Circumstances

ResourceRole = Callable[[str, str], str | None]
ResourceOwner = Callable[[str], str | None]


@final
class Rights:
    """Looks rights up where requests are about something.

    :param resource_role: names the role that an owner has at a resource; ``None`` where roles are not given per
        resource.
    :param resource_owner: names who owns a resource; ``None`` where nobody is asked.
    :param holds_sessions: whether who is signed in by something else may only do what their role allows.
    """

    __slots__ = ("_holds_sessions", "_policy", "_resource_owner", "_resource_role", "_store")

    def __init__(
        self,
        store: TokenStore,
        policy: Policy,
        resource_role: ResourceRole | None,
        resource_owner: ResourceOwner | None = None,
        holds_sessions: bool = False,
    ) -> None:
        self._store = store
        self._policy = policy
        self._resource_role = resource_role
        self._resource_owner = resource_owner
        self._holds_sessions = holds_sessions

    def of_session(self, owner: str) -> LiveToken | None:
        """What someone's role amounts to; ``None`` where sessions are asked for no scopes."""
        return self._store.held_by(owner) if self._holds_sessions else None

    def circumstances(
        self,
        context: Context,
        is_public: Callable[[Requirement], bool],
        resource: Callable[[Requirement], str | None],
    ) -> Circumstances:
        """Those of a request.

        :param is_public: whether what it is about, by a rule, is known to be public.
        :param resource: what it is about, by a rule.
        """
        by_role = self._resource_role is not None
        return Circumstances(
            params=lambda rule: self._policy.params(rule, context.path),
            is_public=is_public,
            resource=resource,
            rights_at=self._at if by_role else None,
            held=self._held_somewhere if by_role else attrgetter("scopes"),
            owner_of=self._owner_of,
        )

    def _held_somewhere(self, token: LiveToken) -> ScopeSet:
        """What a token has now, or may have where its owner has another role: the application asks about each."""
        return token.scopes | token.granted if token.role in self._store.roles else token.scopes

    def _owner_of(self, resource: str) -> str | None:
        owner: object = self._resource_owner(resource) if self._resource_owner is not None else None
        if owner is not None and not isinstance(owner, str):
            raise TypeError(f"resource_owner returned {owner!r}, neither a name nor None")
        return owner

    def _at(self, token: LiveToken, resource: str) -> int | None:
        role: object = self._resource_role(token.owner, resource) if self._resource_role is not None else None
        if role is not None and not isinstance(role, str):
            raise TypeError(f"resource_role returned {role!r}, neither a role nor None")
        bits = self._store.rights_at(token, resource, role)
        return None if role is None and not bits else bits

    def allows(self, context: Context, resource: str, scopes: str | None, public: bool) -> bool:
        """Whether a caller may do something with a resource: see :meth:`Context.allows`."""
        token = context.token
        if token is None and context.owner is not None:
            token = self.of_session(context.owner)
        if token is None:
            return context.owner is not None and (context.possession == "any" or self._owns(context, resource))
        if token.public_only and public is not True:
            return False
        rights = token.scopes.at(resource) if self._resource_role is None else self._at(token, resource)
        if not rights:
            return False
        if scopes is not None:
            need = self._policy.vocabulary.parse(scopes)
            if need.bound or need.public_only:
                raise ValueError("name the resource once, and scopes that are bound to none")
            less = self._policy.vocabulary.owned(need.bits)
            everyones = need.bits != 0 and not need.bits & ~rights
            somehow = everyones or (less != need.bits and not less & ~rights)
        elif context.requirement is not None:
            everyones = _is_met(context.requirement, rights)
            somehow = _is_met(context.requirement, rights, somehow=True)
        else:
            return False
        kept = context.kept_to_own or not _reaches_others(context.requirement, token.role)
        return everyones if not kept and everyones else somehow and self._owns(context, resource)

    def _owns(self, context: Context, resource: str) -> bool:
        return context.owner is not None and self._owner_of(resource) == context.owner


def _is_met(requirement: Requirement, bits: int, *, somehow: bool = False) -> bool:
    """Whether these scopes do, whichever way the request is read."""
    met = requirement.met_somehow_by(bits) if somehow else requirement.met_by(bits)
    return met and (requirement.also is None or _is_met(requirement.also, bits, somehow=somehow))


def _reaches_others(requirement: Requirement | None, role: str) -> bool:
    """Whether owners of a role reach what others own, whichever way the request is read."""
    if requirement is None:
        return True
    reaches = requirement.others is None or role in requirement.others
    return reaches and _reaches_others(requirement.also, role)


def resource_by(rule: Requirement, context: Context) -> str | None:
    """What a request is about, by one of the rules that decide about it; ``None`` where that names nothing."""
    return None if rule.resource is None else rule.resource.fill(context.gate.policy.params(rule, context.path))
