"""What a token was granted: an immutable set of scopes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, final

from ..errors import ScopewareError
from ..text import did_you_mean, quoted

if TYPE_CHECKING:
    from .vocabulary import Vocabulary


class UnknownScope(ScopewareError, ValueError):
    """A word that is no scope of the vocabulary.

    :param word: the word, verbatim.
    :param vocabulary: the name of the vocabulary that lacks it.
    :param suggestions: near words that it has, best first.
    """

    def __init__(self, word: str, vocabulary: str, suggestions: tuple[str, ...] = ()) -> None:
        super().__init__(f"unknown scope {quoted(word)} in vocabulary `{vocabulary}`{did_you_mean(suggestions)}")
        self.word = word
        self.vocabulary = vocabulary
        self.suggestions = suggestions

    def __reduce__(self) -> tuple[object, ...]:
        return UnknownScope, (self.word, self.vocabulary, self.suggestions)


class VocabularyMismatch(ScopewareError, TypeError):
    """Two scope sets of different vocabularies were combined or compared."""

    def __init__(self, left: str, right: str) -> None:
        super().__init__(f"scope sets of two vocabularies do not mix: `{left}` and `{right}`")
        self.left = left
        self.right = right

    def __reduce__(self) -> tuple[object, ...]:
        return VocabularyMismatch, (self.left, self.right)


@final
class ScopeSet:
    """An immutable, hashable set of scopes of one :class:`~scopeware.scopes.Vocabulary`.

    Made by :meth:`Vocabulary.parse`, never by hand. Scopes implied by a granted one (read by write, a part by its
    whole) belong to the set. ``public_only`` is a restriction, not a scope: it takes part in ``<=``, ``&`` and
    ``|``, which together order scope sets by what they allow, and not in :meth:`covers`.
    """

    __slots__ = ("_granted", "bits", "public_only", "vocabulary")

    bits: int
    """One bit a scope, in vocabulary order, closed under implication."""
    public_only: bool
    """Whether the set is good for public resources only."""
    vocabulary: Vocabulary
    _granted: int

    def __init__(self, vocabulary: Vocabulary, granted: int, public_only: bool = False) -> None:
        set_once = object.__setattr__
        set_once(self, "vocabulary", vocabulary)
        # The words as they were granted. Not part of equality: `all` and its nine writes allow the same
        # today, but only the former is to include a category that is introduced tomorrow.
        set_once(self, "_granted", granted)
        set_once(self, "bits", vocabulary.closure(granted))
        set_once(self, "public_only", public_only)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a ScopeSet is immutable: cannot set `{name}`")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a ScopeSet is immutable: cannot delete `{name}`")

    def __reduce__(self) -> tuple[object, ...]:
        return ScopeSet, (self.vocabulary, self._granted, self.public_only)

    def covers(self, need: ScopeSet | str) -> bool:
        """Whether every scope of `need` is in this set; ``public_only`` on either side is left out of it.

        :raises UnknownScope: `need` is text with a word the vocabulary lacks.
        :raises ValueError: `need` is text that names no scope: asking for nothing is a slip, not a pass.
        """
        if isinstance(need, str):
            need = self.vocabulary.parse(need)
            if not need.bits:
                raise ValueError("`covers` was asked about no scope at all")
        elif not isinstance(need, ScopeSet):
            raise TypeError(f"expected a scope set or text, not {type(need).__name__}")
        return not self._same_vocabulary(need).bits & ~self.bits

    def __contains__(self, scope: object) -> bool:
        return isinstance(scope, str) and self.covers(scope)

    def __and__(self, other: ScopeSet) -> ScopeSet:
        """The rights both have; public-only if either is, as a restriction only ever takes away."""
        if not isinstance(other, ScopeSet):
            return NotImplemented
        self._same_vocabulary(other)
        granted = (self.bits & other.bits) | (self._granted & other._granted)
        return ScopeSet(self.vocabulary, granted, self.public_only or other.public_only)

    def __or__(self, other: ScopeSet) -> ScopeSet:
        """The least set that allows what either allows; so public-only only if all that grants anything is."""
        if not isinstance(other, ScopeSet):
            return NotImplemented
        self._same_vocabulary(other)
        granting = [one for one in (self, other) if one.bits] or [self, other]
        public_only = all(one.public_only for one in granting)
        return ScopeSet(self.vocabulary, self._granted | other._granted, public_only)

    def __le__(self, other: ScopeSet) -> bool:
        """Whether a token with this set can do nothing that one with `other` cannot."""
        if not isinstance(other, ScopeSet):
            return NotImplemented
        self._same_vocabulary(other)
        unrestricted = self.bits and not self.public_only
        return not self.bits & ~other.bits and not (unrestricted and other.public_only)

    def __lt__(self, other: ScopeSet) -> bool:
        if not isinstance(other, ScopeSet):
            return NotImplemented
        return self <= other and self != other

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ScopeSet):
            return NotImplemented
        return self.bits == other.bits and self.public_only == other.public_only and self.vocabulary == other.vocabulary

    def __hash__(self) -> int:
        return hash((self.bits, self.public_only))

    def __bool__(self) -> bool:
        """Whether the set grants anything."""
        return self.bits != 0

    def __iter__(self) -> Iterator[str]:
        """The scopes in vocabulary order, without those that another one implies."""
        return iter(self.vocabulary.words(self.bits))

    def __len__(self) -> int:
        return len(self.vocabulary.words(self.bits))

    def __str__(self) -> str:
        """Canonical text: the restriction, then the scopes in vocabulary order; everything is one word."""
        return self.vocabulary.spell(self.bits, self.public_only)

    @property
    def as_granted(self) -> str:
        """The text to keep in a database: like ``str()``, but a wildcard word (``all``) stands in it only if it
        was granted as that word, so that a category introduced later widens only who asked for everything."""
        return self.vocabulary.spell(self._granted, self.public_only, as_granted=True)

    def __repr__(self) -> str:
        return f"ScopeSet({str(self)!r})"

    def _same_vocabulary(self, other: ScopeSet) -> ScopeSet:
        if other.vocabulary is not self.vocabulary and other.vocabulary != self.vocabulary:
            raise VocabularyMismatch(self.vocabulary.name, other.vocabulary.name)
        return other
