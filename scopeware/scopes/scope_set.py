"""What a token was granted: an immutable set of scopes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, final

from ..errors import ScopewareError
from ..text import did_you_mean, quoted
from .resource import canonical_pattern, encode, including, names_one

if TYPE_CHECKING:
    from .vocabulary import Vocabulary

_UNBOUND: Mapping[str, int] = MappingProxyType({})


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
    whole) belong to the set. A scope may be bound to a resource (``write:repository@alice/widgets``), or to all below
    one (``@alice/*``): there, and nowhere else, it holds. ``public_only`` is a restriction, not a scope: it takes part
    in ``<=``, ``&`` and ``|``, which together order scope sets by what they allow, and not in :meth:`covers`.
    """

    __slots__ = ("_bound", "_granted", "bits", "bound", "public_only", "vocabulary")

    bits: int
    """What holds everywhere: one bit a scope, in vocabulary order, closed under implication."""
    bound: Mapping[str, int]
    """Resource → the bits that hold there beyond those that hold everywhere, or in all of a resource it is part of."""
    public_only: bool
    """Whether the set is good for public resources only."""
    vocabulary: Vocabulary
    _granted: int
    _bound: Mapping[str, int]

    def __init__(
        self,
        vocabulary: Vocabulary,
        granted: int,
        public_only: bool = False,
        bound: Iterable[tuple[str, int]] = (),
    ) -> None:
        set_once = object.__setattr__
        set_once(self, "vocabulary", vocabulary)
        # The words as they were granted. Not part of equality: `all` and its nine writes allow the same
        # today, but only the former is to include a category that is introduced tomorrow.
        set_once(self, "_granted", granted)
        set_once(self, "_bound", MappingProxyType({key: words for key, words in sorted(bound) if words}) or _UNBOUND)
        set_once(self, "bits", vocabulary.closure(granted))
        set_once(self, "public_only", public_only)
        set_once(self, "bound", MappingProxyType(self._beyond()) if self._bound else _UNBOUND)

    def _beyond(self) -> dict[str, int]:
        beyond = {}
        for pattern, words in self._bound.items():
            wider = self.bits
            for other in including(pattern):
                if other != pattern and other in self._bound:
                    wider |= self.vocabulary.closure(self._bound[other])
            bits = self.vocabulary.closure(words) & ~wider
            if bits:
                beyond[pattern] = bits
        return beyond

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a ScopeSet is immutable: cannot set `{name}`")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a ScopeSet is immutable: cannot delete `{name}`")

    def __reduce__(self) -> tuple[object, ...]:
        return ScopeSet, (self.vocabulary, self._granted, self.public_only, tuple(self._bound.items()))

    def at(self, resource: str) -> int:
        """The bits that hold for a resource; for what names none in one way only, those that hold everywhere."""
        return self._over(encode(resource)) if self.bound and names_one(resource) else self.bits

    def over(self, pattern: str) -> int:
        """The bits that hold for a resource, or for all below one (``alice/*``), written as in a grant."""
        known = canonical_pattern(pattern)
        return self.bits if known is None else self._over(known)

    def _over(self, pattern: str) -> int:
        bits = self.bits
        for wider in including(pattern):
            bits |= self.bound.get(wider, 0)
        return bits

    def _words_over(self, pattern: str) -> int:
        words = self._granted
        for wider in including(pattern):
            words |= self._bound.get(wider, 0)
        return words

    @property
    def anywhere(self) -> int:
        """The bits that hold for some resource at least."""
        bits = self.bits
        for more in self.bound.values():
            bits |= more
        return bits

    def without_words(self, words: int) -> ScopeSet:
        """This set as if these words (bits of :meth:`Vocabulary.word_bits`) had not been granted."""
        bound = ((pattern, granted & ~words) for pattern, granted in self._bound.items())
        return ScopeSet(self.vocabulary, self._granted & ~words, self.public_only, bound)

    def for_public_only(self) -> ScopeSet:
        """This set, good for public resources only."""
        return ScopeSet(self.vocabulary, self._granted, True, self._bound.items())

    def without_restriction(self) -> ScopeSet:
        """This set, good for what is not public, too."""
        return ScopeSet(self.vocabulary, self._granted, False, self._bound.items())

    @property
    def granted_words(self) -> int:
        """The words that were granted, anywhere, as bits of :meth:`Vocabulary.word_bits`."""
        words = self._granted
        for more in self._bound.values():
            words |= more
        return words

    @property
    def granted(self) -> Mapping[str, tuple[str, ...]]:
        """The words that were granted, by the resource they are bound to: under ``""`` those that hold everywhere. Also
        words that others imply."""
        words = {"": self.vocabulary.each(self._granted)}
        words |= {pattern: self.vocabulary.each(bits) for pattern, bits in self._bound.items()}
        return {pattern: granted for pattern, granted in words.items() if granted}

    def covers(self, need: ScopeSet | str) -> bool:
        """Whether every scope of `need` is in this set; ``public_only`` on either side is left out of it.

        :raises UnknownScope: `need` is text with a word the vocabulary lacks.
        :raises ValueError: `need` is text that names no scope: asking for nothing is a slip, not a pass.
        """
        if isinstance(need, str):
            need = self.vocabulary.parse(need)
            if not need:
                raise ValueError("`covers` was asked about no scope at all")
        elif not isinstance(need, ScopeSet):
            raise TypeError(f"expected a scope set or text, not {type(need).__name__}")
        self._same_vocabulary(need)
        return not need.bits & ~self.bits and not any(
            bits & ~self._over(pattern) for pattern, bits in need.bound.items()
        )

    def __contains__(self, scope: object) -> bool:
        return isinstance(scope, str) and self.covers(scope)

    def __and__(self, other: ScopeSet) -> ScopeSet:
        """The rights both have; public-only if either is, as a restriction only ever takes away."""
        if not isinstance(other, ScopeSet):
            return NotImplemented
        self._same_vocabulary(other)
        granted = self._common(self.bits & other.bits, self._granted & other._granted)
        bound = (
            (
                pattern,
                self._common(
                    self._over(pattern) & other._over(pattern), self._words_over(pattern) & other._words_over(pattern)
                ),
            )
            for pattern in {*self._bound, *other._bound}
        )
        return ScopeSet(self.vocabulary, granted, self.public_only or other.public_only, bound)

    def _common(self, bits: int, words: int) -> int:
        """The words for bits that two sets share: the words that both have, and scopes for what these do not cover."""
        return words | self.vocabulary.without_implied(bits & ~self.vocabulary.closure(words))

    def __or__(self, other: ScopeSet) -> ScopeSet:
        """The least set that allows what either allows; so public-only only if all that grants anything is."""
        if not isinstance(other, ScopeSet):
            return NotImplemented
        self._same_vocabulary(other)
        granting = [one for one in (self, other) if one] or [self, other]
        public_only = all(one.public_only for one in granting)
        bound = (
            (pattern, self._bound.get(pattern, 0) | other._bound.get(pattern, 0))
            for pattern in {*self._bound, *other._bound}
        )
        return ScopeSet(self.vocabulary, self._granted | other._granted, public_only, bound)

    def __le__(self, other: ScopeSet) -> bool:
        """Whether a token with this set can do nothing that one with `other` cannot."""
        if not isinstance(other, ScopeSet):
            return NotImplemented
        self._same_vocabulary(other)
        unrestricted = self and not self.public_only
        return other.covers(self) and not (unrestricted and other.public_only)

    def __lt__(self, other: ScopeSet) -> bool:
        if not isinstance(other, ScopeSet):
            return NotImplemented
        return self <= other and self != other

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ScopeSet):
            return NotImplemented
        return (
            self.bits == other.bits
            and self.bound == other.bound
            and self.public_only == other.public_only
            and self.vocabulary == other.vocabulary
        )

    def __hash__(self) -> int:
        return hash((self.bits, self.public_only, *self.bound.items()))

    def __bool__(self) -> bool:
        """Whether the set grants anything, anywhere."""
        return self.bits != 0 or bool(self.bound)

    def __iter__(self) -> Iterator[str]:
        """The scopes in vocabulary order, without those that another one implies; then the bound ones."""
        yield from self.vocabulary.words(self.bits)
        for pattern, bits in self.bound.items():
            for word in self.vocabulary.words(bits):
                yield f"{word}@{pattern}"

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __str__(self) -> str:
        """Canonical text: the restriction, the scopes in vocabulary order, the bound ones by their resources;
        everything is one word."""
        return ",".join(self.texts)

    @property
    def texts(self) -> tuple[str, ...]:
        """The words of the canonical text."""
        vocabulary = self.vocabulary
        texts = list(vocabulary.spell(self.bits))
        for pattern, bits in self.bound.items():
            whole = vocabulary.all_word is not None and self._over(pattern) == vocabulary.everything
            texts += (f"{word}@{pattern}" for word in vocabulary.spell(vocabulary.everything if whole else bits))
        return self._restriction + tuple(texts)

    @property
    def _restriction(self) -> tuple[str, ...]:
        word = self.vocabulary.public_only
        return (word,) if self.public_only and word else ()

    @property
    def as_granted(self) -> str:
        """The text to keep in a database: like ``str()``, but a wildcard word (``all``) stands in it only if it
        was granted as that word, so that a category introduced later widens only who asked for everything."""
        spell = self.vocabulary.spell
        texts = [*self._restriction, *spell(self._granted, as_granted=True)]
        for pattern, words in self._bound.items():
            texts += (f"{word}@{pattern}" for word in spell(words, as_granted=True))
        return ",".join(texts)

    def __repr__(self) -> str:
        return f"ScopeSet({str(self)!r})"

    def _same_vocabulary(self, other: ScopeSet) -> ScopeSet:
        if other.vocabulary is not self.vocabulary and other.vocabulary != self.vocabulary:
            raise VocabularyMismatch(self.vocabulary.name, other.vocabulary.name)
        return other
