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

    __slots__ = ("_ceilings", "_withheld", "vocabulary")

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
        for word, holders in vocabulary.reserved.items():
            for role in holders:
                if role not in ceilings:
                    raise VocabularyError(f"unknown role {quoted(role)}", where=f"reserved.{word}")
        self._withheld = {role: self._words_withheld(role) for role in ceilings}
        self._ceilings = MappingProxyType(
            {
                role: self._ceiling(bits & ~vocabulary.reaching(self._withheld[role] & vocabulary.everything), role)
                for role, bits in ceilings.items()
            }
        )

    def _ceiling(self, bits: int, role: str) -> ScopeSet:
        """As a set in which the words for many scopes that the role may use stand as such, so that they stay words."""
        words = 0
        for word in self.vocabulary.wildcards:
            bit = self.vocabulary.word_bits(word)
            if not self.vocabulary.closure(bit) & ~bits and not bit & self._withheld[role]:
                words |= bit
        return ScopeSet(self.vocabulary, bits | words)

    def _words_withheld(self, role: str) -> int:
        words = 0
        for word, holders in self.vocabulary.reserved.items():
            if role not in holders:
                words |= self.vocabulary.word_bits(word)
        return words

    def ceiling(self, role: str) -> ScopeSet:
        """The ceiling of `role`; nothing at all for a role nobody knows."""
        return self._ceilings.get(role) or ScopeSet(self.vocabulary, 0)

    def effective(self, granted: ScopeSet, role: str) -> ScopeSet:
        """What of `granted` is worth anything under `role`: words reserved to other roles are as if they had not been
        granted, and the rest reaches as far as the ceiling."""
        return granted.without_words(self._withheld.get(role, -1)) & self.ceiling(role)

    def reserved_in(self, granted: ScopeSet, role: str) -> tuple[str, ...]:
        """The words of `granted` that are reserved to other roles than `role`."""
        words = granted.granted_words & self._withheld.get(role, -1)
        return tuple(word for word in self.vocabulary.reserved if words & self.vocabulary.word_bits(word))

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
