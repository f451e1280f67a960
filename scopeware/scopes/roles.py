"""Ceilings on what an owner's tokens can do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import final

from ..text import did_you_mean, near, quoted
from .category import VocabularyError
from .scope_set import ScopeSet
from .vocabulary import Vocabulary

DEFAULT_ROLE = "user"
ADMIN_ROLE = "admin"


@final
class Roles(Mapping[str, ScopeSet]):
    """Role name → the most its owners' tokens can do.

    :param vocabulary: whose scopes they are.
    :param table: role → patterns (``"read:*,-*:admin"``), as :meth:`Vocabulary.match` reads them. By default
        ``viewer`` reads everything but the administrators' categories, ``user`` does everything but those,
        ``admin`` everything.
    :raises VocabularyError: a pattern matches nothing.
    """

    __slots__ = ("_ceilings", "vocabulary")

    def __init__(self, vocabulary: Vocabulary, table: Mapping[str, str] | None = None) -> None:
        self.vocabulary = vocabulary
        common = vocabulary.everything & ~vocabulary.admin_bits
        reads = 0
        for category in vocabulary.categories:
            reads |= vocabulary.need(category, vocabulary.actions_for("GET")) or 0
        ceilings = {
            "viewer": vocabulary.closure(reads & common),
            DEFAULT_ROLE: common,
            ADMIN_ROLE: vocabulary.everything,
        }
        for role, patterns in (table or {}).items():
            if not isinstance(patterns, str):
                raise VocabularyError('expected patterns such as "read:*"', where=f"roles.{role}")
            words = [word for word in patterns.replace(",", " ").split(" ") if word]
            try:
                ceilings[role] = vocabulary.match(words)
            except VocabularyError as error:
                raise error.at(f"roles.{role}") from None
        self._ceilings = MappingProxyType({role: ScopeSet(vocabulary, bits) for role, bits in ceilings.items()})

    def ceiling(self, role: str) -> ScopeSet:
        """The ceiling of `role`; nothing at all for a role nobody knows."""
        return self._ceilings.get(role) or ScopeSet(self.vocabulary, 0)

    def check(self, role: str) -> str:
        """`role`, if there is such a role.

        :raises VocabularyError: there is none; near ones are named.
        """
        if role not in self._ceilings:
            hint = did_you_mean(near(role, self._ceilings)) or f"; there are: {', '.join(self._ceilings)}"
            raise VocabularyError(f"unknown role {quoted(role)}{hint}")
        return role

    def __getitem__(self, role: str) -> ScopeSet:
        return self._ceilings[role]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ceilings)

    def __len__(self) -> int:
        return len(self._ceilings)
