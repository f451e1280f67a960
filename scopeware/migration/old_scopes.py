"""The scopes of the old system, and which of them include others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, final

from ..errors import ConfigurationError
from ..scopes.implication import close_circles
from ..text import did_you_mean, near, quoted


@final
class OldScopes:
    """Words in their order, each with a bit; and what each includes.

    :param words: the scopes; their order is that of the old system.
    :param implies: scope → those that it includes at once.
    :raises ConfigurationError: a word twice, or one that includes what is no scope.
    """

    def __init__(self, words: Iterable[str], implies: Mapping[str, Iterable[str]] | None = None) -> None:
        self.words = tuple(words)
        self._index = {word: position for position, word in enumerate(self.words)}
        if len(self._index) < len(self.words):
            twice = next(word for position, word in enumerate(self.words) if self._index[word] != position)
            raise ConfigurationError(f"{quoted(twice)} is there twice", where="old.scopes")
        closures = [1 << position for position in range(len(self.words))]
        for word, included in (implies or {}).items():
            for each in (word, *included):
                if each not in self._index:
                    raise ConfigurationError(f"{quoted(each)} is no old scope", where=f"old.implies.{word}")
                closures[self._index[word]] |= 1 << self._index[each]
        close_circles(closures, 0)
        self._closures = tuple(closures)

    @classmethod
    def from_mapping(cls, data: Any) -> OldScopes:
        """From a table with ``scopes`` and ``implies``.

        :raises ConfigurationError: it is none.
        """
        if not isinstance(data, Mapping) or not isinstance(data.get("scopes"), list):
            raise ConfigurationError("expected a table [old] with a list `scopes`", where="old")
        for key in data:
            if key not in ("scopes", "implies"):
                hint = did_you_mean(near(key, ("scopes", "implies")))
                raise ConfigurationError(f"unknown key {quoted(key)}{hint}", where=f"old.{key}")
        implies = data.get("implies", {})
        lists = [data["scopes"], *(implies.values() if isinstance(implies, Mapping) else [None])]
        if not all(isinstance(each, list) and all(isinstance(word, str) for word in each) for each in lists):
            raise ConfigurationError("expected lists of scopes", where="old")
        return cls(data["scopes"], implies)

    def __contains__(self, word: object) -> bool:
        return word in self._index

    def index(self, word: str) -> int:
        """The position of a word."""
        return self._index[word]

    def bits(self, word: str) -> int:
        """The bits of a word and of all it includes."""
        return self._closures[self._index[word]]

    def spell(self, bits: int) -> tuple[str, ...]:
        """The words of these bits."""
        return tuple(word for position, word in enumerate(self.words) if bits >> position & 1)
