"""What a request needs."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, final

from .pattern import Pattern, Template
from .rules import Accept, Own, PublicOnly

if TYPE_CHECKING:
    from ..scopes import Vocabulary


@final
@dataclass(frozen=True, slots=True)
class Requirement:
    """What one method on the paths of one rule needs; compiled, shared by all requests it holds for.

    :param group: the path of the deciding group, as written; empty where no group covers the request.
    :param route: the path of the deciding route, in full; empty where the group itself decides.
    :param pattern: whose variables are the request's parameters.
    :param vocabulary: whose bits `alternatives` are.
    :param alternatives: scope bits, any one of which suffices. Empty: no scope suffices.
    :param scope_free: no scope is asked for.
    :param filters: the application shows tokens that are bound to resources only what they reach.
    :param if_owned: scope bits, any one of which suffices for what is the caller's own.
    :param own: what becomes of callers who may reach only what is theirs.
    :param others: the roles whose owners reach what others own; ``None`` for all.
    :param destination: the method writes where its ``Destination`` header says, too (RFC 4918 9.8, 9.9).
    :param also: what has to be met besides, for a request that might be read as another.
    :param unmatched: no group covers the request, and the policy denies what none covers.
    :param action: the level that the rule names, where it does not follow from the method.
    :param where: where in the policy file the rule stands.
    """

    group: str
    route: str
    pattern: Pattern
    vocabulary: Vocabulary = field(repr=False)
    alternatives: tuple[int, ...] = ()
    scope_free: bool = False
    require_token: bool = True
    accept: Accept = "any"
    public_only: PublicOnly = "reject"
    resource: Template | None = None
    owner: Template | None = None
    unmatched: bool = False
    destination: bool = False
    filters: bool = False
    if_owned: tuple[int, ...] = ()
    own: Own = "reject"
    others: tuple[str, ...] | None = None
    also: Requirement | None = None
    description: str = field(default="", compare=False)
    action: str | None = field(default=None, compare=False)
    where: str = field(default="", compare=False)
    simple: int = field(init=False, compare=False)
    """The bits that decide alone, where nothing but one list of scopes is asked for; else -1, which no token has."""

    def __post_init__(self) -> None:
        simple = -1
        plain = self.owner is None and self.others is None and not (self.unmatched or self.destination or self.also)
        if self.accept != "session" and plain:
            if self.scope_free:
                simple = 0
            elif len(self.alternatives) == 1 and self.alternatives[0]:
                simple = self.alternatives[0]
        object.__setattr__(self, "simple", simple)

    def met_by(self, bits: int) -> bool:
        """Whether a token with these scope bits has the scopes. An empty need is never met by accident: only a rule
        that says ``scopes = []`` is met by any token."""
        if self.scope_free:
            return True
        return any(need and not need & ~bits for need in self.alternatives)

    def met_somehow_by(self, bits: int) -> bool:
        """Whether a token with these scope bits has the scopes, be it only for what its owner owns."""
        if self.met_by(bits):
            return True
        return self.own != "reject" and any(need and not need & ~bits for need in self.if_owned)

    @property
    def asks_for_role(self) -> bool:
        """Whether it depends on the caller's role, not only on scopes."""
        mine = self.owner is not None or self.others is not None
        return mine or (self.also is not None and self.also.asks_for_role)

    def scope_lists(self) -> tuple[tuple[str, ...], ...]:
        """The alternatives as scopes, each sorted; with what is needed also."""
        return tuple(tuple(sorted(self.vocabulary.words(need))) for need in self._needs())

    def _needs(self) -> tuple[int, ...]:
        # Where the application keeps callers to what is theirs, that suffices to get there.
        mine = self.alternatives + (self.if_owned if self.own == "filter" else ())
        if self.also is None:
            return mine
        closed = self.vocabulary.closure
        pairs = itertools.product(mine or (0,), self.also._needs() or (0,))
        return tuple(need for mine, theirs in pairs if (need := closed(mine) | closed(theirs)))

    def missing(self, bits: int) -> tuple[str, ...]:
        """The scopes that bits lack of the alternative they come nearest to, sorted; empty if none are lacking."""
        lacking = set(self.also.missing(bits)) if self.also is not None else set()
        if not self.met_by(bits) and self.alternatives:
            nearest = min((need & ~bits for need in self.alternatives), key=int.bit_count)
            lacking |= set(self.vocabulary.words(nearest))
        return tuple(sorted(lacking))

    def meaning(self) -> tuple[object, ...]:
        """What two rules that overlap have to agree on, for the overlap to be harmless."""
        return (
            frozenset(self.alternatives),
            self.scope_free,
            self.require_token,
            self.accept,
            self.public_only,
            self.resource and self.resource.meaning(self.pattern),
            self.owner and self.owner.meaning(self.pattern),
            self.unmatched,
            self.destination,
            self.filters,
            frozenset(self.if_owned),
            self.own,
            None if self.others is None else frozenset(self.others),
        )


@final
@dataclass(frozen=True, slots=True)
class MethodTable:
    """Method → requirement, for one path."""

    by_method: dict[str, Requirement]
    other: Requirement
    _joined: dict[str, Requirement] = field(default_factory=dict, compare=False, repr=False)

    def get(self, method: str) -> Requirement:
        """The requirement for `method`; every method has one.

        Frameworks disagree on the case of methods. One that is no upper case needs what every other method needs, and
        what the one in upper case needs.
        """
        found = self.by_method.get(method)
        if found is not None:
            return found
        upper = method.upper()
        likely = self.by_method.get(upper)
        if likely is None or likely.meaning() == self.other.meaning():
            return self.other
        if upper not in self._joined:
            self._joined[upper] = replace(self.other, also=likely, destination=likely.destination)
        return self._joined[upper]
