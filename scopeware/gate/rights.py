"""What callers may do with resources."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from ..policy import Policy, Requirement
from ..tokens import LiveToken, TokenStore
from .context import Context
from .decision import Circumstances

ResourceRole = Callable[[str, str], str | None]


@final
class Rights:
    """Looks rights up where requests are about something.

    :param resource_role: names the role that an owner has at a resource; ``None`` where roles are not given per
        resource.
    """

    __slots__ = ("_policy", "_resource_role", "_store")

    def __init__(self, store: TokenStore, policy: Policy, resource_role: ResourceRole | None) -> None:
        self._store = store
        self._policy = policy
        self._resource_role = resource_role

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
        return Circumstances(
            params=lambda rule: self._policy.params(rule, context.path),
            is_public=is_public,
            resource=resource,
            rights_at=None if self._resource_role is None else self._at,
        )

    def _at(self, token: LiveToken, resource: str) -> int | None:
        role: object = self._resource_role(token.owner, resource) if self._resource_role is not None else None
        if role is not None and not isinstance(role, str):
            raise TypeError(f"resource_role returned {role!r}, neither a role nor None")
        bits = self._store.rights_at(token, resource, role)
        return None if role is None and not bits else bits

    def allows(self, context: Context, resource: str, scopes: str | None, public: bool) -> bool:
        """Whether a caller may do something with a resource: see :meth:`Context.allows`."""
        token = context.token
        if token is None:
            return context.owner is not None
        if token.public_only and public is not True:
            return False
        rights = token.scopes.at(resource) if self._resource_role is None else self._at(token, resource)
        if not rights:
            return False
        if scopes is not None:
            need = self._policy.vocabulary.parse(scopes)
            if need.bound or need.public_only:
                raise ValueError("name the resource once, and scopes that are bound to none")
            return need.bits != 0 and not need.bits & ~rights
        return context.requirement is not None and _is_met(context.requirement, rights)


def _is_met(requirement: Requirement, bits: int) -> bool:
    """Whether these scopes do, whichever way the request is read."""
    return requirement.met_by(bits) and (requirement.also is None or _is_met(requirement.also, bits))


def resource_by(rule: Requirement, context: Context) -> str | None:
    """What a request is about, by one of the rules that decide about it; ``None`` where that names nothing."""
    return None if rule.resource is None else rule.resource.fill(context.gate.policy.params(rule, context.path))
