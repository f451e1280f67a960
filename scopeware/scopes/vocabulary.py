"""The categories and actions a deployment knows."""

from __future__ import annotations

import functools
import importlib.resources
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, final

from ..text import did_you_mean, near, quoted
from . import reading
from .category import Category, VocabularyError
from .methods import OTHER, method_table, unknown_action
from .resource import canonical_pattern
from .scope_set import ScopeSet, UnknownScope

_NAME = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_SEPARATORS = re.compile(r"[ ,]+")
_MEMORY = 4096
_LONGEST_SUGGESTED = 60


@final
class Vocabulary:
    """Categories × actions with their implications, order and spelling; immutable.

    A scope is spelled ``action:category``. Any number of categories; each may have actions of its own.

    :param name: what messages call it.
    :param categories: in canonical order; names alone will do.
    :param actions: in canonical order.
    :param implies: action → the actions it includes (``{"write": ["read"]}``), transitively.
    :param all_word: one word for everything (Gitea's ``all``), also printed for everything.
    :param public_only: the word of the restriction to public resources, where there is one.
    :param wildcards: further words → the scopes they stand for, ``*`` matching any action or category
        (``{"read:*": ["read:*"]}``). They are understood, and printed only as granted.
    :param methods: HTTP method → the actions it needs, ``"*"`` for every other method. By default GET, HEAD and
        OPTIONS read; all others write, or create (POST), update (PUT, PATCH), delete (DELETE), and all three for
        any other method, where those are the vocabulary's actions.
    :param admin: categories that are for administrators only.
    :param reserved: words (scopes or wildcards) → the roles whose owners alone may be granted them.
    :param inherited: patterns, as :meth:`match` reads them: the scopes that a role without a resource gives in every
        resource, where roles are given per resource.
    :raises VocabularyError: a name twice, an unknown action, a word that cannot be told from another.
    """

    __slots__ = (
        "_arguments",
        "_closures",
        "_definition",
        "_implied_by",
        "_known",
        "_methods",
        "_scopes",
        "_wildcards",
        "_words",
        "actions",
        "admin",
        "all_word",
        "categories",
        "everything",
        "inherited_bits",
        "name",
        "public_only",
        "reserved",
    )

    def __init__(
        self,
        name: str,
        categories: Iterable[Category | str],
        *,
        actions: Sequence[str] = ("read", "write"),
        implies: Mapping[str, Iterable[str]] | None = None,
        all_word: str | None = None,
        public_only: str | None = None,
        wildcards: Mapping[str, Iterable[str]] | None = None,
        methods: Mapping[str, Iterable[str]] | None = None,
        admin: Iterable[str] = (),
        reserved: Mapping[str, Iterable[str]] | None = None,
        inherited: Iterable[str] = (),
    ) -> None:
        listed = [Category(entry) if isinstance(entry, str) else entry for entry in categories]
        self._arguments = {
            "actions": tuple(actions),
            "implies": implies and {action: tuple(implied) for action, implied in implies.items()},
            "all_word": all_word,
            "public_only": public_only,
            "wildcards": wildcards and {word: tuple(patterns) for word, patterns in wildcards.items()},
            "methods": methods and {method: tuple(needed) for method, needed in methods.items()},
            "admin": tuple(admin),
            "reserved": reserved and {word: tuple(roles) for word, roles in reserved.items()},
            "inherited": tuple(inherited),
        }
        self.name = name
        self.actions = tuple(actions)
        self.all_word = all_word
        self.public_only = public_only
        self.categories: Mapping[str, Category] = MappingProxyType({entry.name: entry for entry in listed})
        self.admin = tuple(admin)
        self._check_names(listed)

        if implies is None:
            implies = {"write": ("read",)} if {"read", "write"} <= set(self.actions) else {}
        closed = self._close_actions(implies)
        self._scopes = tuple(
            f"{action}:{category.name}" for category in listed for action in self._actions_of(category)
        )
        index = {scope: position for position, scope in enumerate(self._scopes)}
        self.everything = (1 << len(self._scopes)) - 1
        self._closures = self._close_scopes(listed, closed, index)
        self._implied_by = self._invert(self._closures)

        self._wildcards: dict[str, int] = {}
        if all_word is not None:
            self._check_word(all_word, index, "all")
            self._wildcards[all_word] = self.everything
        for word, patterns in (wildcards or {}).items():
            self._check_word(word, index, f"wildcards.{word}")
            self._wildcards[word] = self._wildcard(word, patterns)
        if public_only is not None:
            self._check_word(public_only, index, "public_only")
        self._known: dict[str, int] = {scope: 1 << position for scope, position in index.items()}
        for offset, word in enumerate(self._wildcards):
            self._known[word] = 1 << (len(self._scopes) + offset)
        self._methods = method_table(self.actions, methods)
        self.reserved = MappingProxyType({word: tuple(roles) for word, roles in (reserved or {}).items()})
        self._check_reserved()
        try:
            self.inherited_bits = self.match(inherited)
        except VocabularyError as error:
            raise error.at("inherited") from None
        # PERF: every refusal spells scopes, and mostly the same ones.
        self._words: dict[int, tuple[str, ...]] = {}
        self._definition = (
            name,
            tuple(self.categories),
            self._scopes,
            self.actions,
            tuple(self._closures),
            tuple(self._wildcards.items()),
            all_word,
            public_only,
            tuple(sorted(self._methods.items())),
            self.admin,
            tuple(sorted(self.reserved.items())),
            self.inherited_bits,
        )

    # -- where vocabularies come from

    @classmethod
    def builtin(cls, name: str) -> Vocabulary:
        """The vocabulary that ships under `name` (``gitea``); the same object every time.

        :raises VocabularyError: none has that name.
        """
        return _load_builtin(name)

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> Vocabulary:
        """A vocabulary from the table of a policy file.

        :param data: ``name``, ``categories`` (name → description, or → a table with ``description`` and
            ``actions``), and the keyword arguments of the class (``all`` for ``all_word``).
        :raises VocabularyError: an unknown key, a value of the wrong kind, or what the class refuses.
        """
        return cls(**reading.arguments(data))

    # -- from text and back

    def parse(self, scopes: str | Iterable[str]) -> ScopeSet:
        """The scope set that `scopes` spells.

        :param scopes: words separated by commas or spaces, or an iterable of words. Case matters (RFC 6749 3.3).
        :raises UnknownScope: a word is no scope of this vocabulary; the first one is named.
        """
        parsed, unknown = self.parse_known(scopes)
        if unknown:
            raise self.unknown(unknown[0])
        return parsed

    def parse_known(self, scopes: str | Iterable[Any] | None) -> tuple[ScopeSet, tuple[str, ...]]:
        """Like :meth:`parse` for text of unknown age: the words that are known, and those that are not.

        Unknown words grant nothing, and so does ``None``.
        """
        if scopes is None:
            scopes = ()
        elif isinstance(scopes, str):
            scopes = (word for word in _SEPARATORS.split(scopes) if word)
        granted = 0
        bound: dict[str, int] = {}
        public_only = False
        unknown = []
        for word in scopes:
            if not isinstance(word, str):
                unknown.append(repr(word))
            elif word == self.public_only:
                public_only = True
            elif "@" not in word:
                bit = self._known.get(word, 0)
                granted |= bit
                if not bit:
                    unknown.append(word)
            else:
                scope, _, resource = word.partition("@")
                pattern = canonical_pattern(resource)
                bit = self._known.get(scope, 0)
                if bit and pattern is not None:
                    bound[pattern] = bound.get(pattern, 0) | bit
                else:
                    unknown.append(word)
        return ScopeSet(self, granted, public_only, bound.items()), tuple(unknown)

    def word_bits(self, word: str) -> int:
        """The bit that stands for a scope, or for a wildcard, as it was granted.

        :raises UnknownScope: it is neither.
        """
        bit = self._known.get(word)
        if bit is None:
            raise self.unknown(word)
        return bit

    def unknown(self, word: str) -> UnknownScope:
        """The error that says `word` is not known here, with near matches."""
        scope, at, resource = word.partition("@")
        if at:
            pattern = canonical_pattern(resource) if len(resource) <= _LONGEST_SUGGESTED else None
            scopes = (scope,) if scope in self._known else self.unknown(scope).suggestions
            near_words = [each for each in scopes if each in self._known]
            return UnknownScope(word, self.name, tuple(f"{each}@{pattern or 'owner/name'}" for each in near_words))
        action, colon, category = word.partition(":")
        if f"{category}:{action}" in self._known:
            suggestions: tuple[str, ...] = (f"{category}:{action}",)
        elif action in self.actions and not category:
            suggestions = tuple(scope for scope in self._scopes if scope.startswith(f"{action}:"))[:3]
        elif not colon and category == "" and word in self.categories:
            suggestions = tuple(f"{known}:{word}" for known in self._actions_of(self.categories[word]))
        else:
            words = [*self._known, *([self.public_only] if self.public_only else [])]
            suggestions = near(word, words)
            if not suggestions and (categories := near(category or action, self.categories, 1)):
                known = self.categories[categories[0]]
                suggestions = tuple(f"{known_action}:{known.name}" for known_action in self._actions_of(known))
        return UnknownScope(word, self.name, suggestions)

    def words(self, bits: int) -> tuple[str, ...]:
        """The scopes of `bits` in canonical order, without those that another scope of `bits` implies."""
        known = self._words.get(bits)
        if known is None:
            known = tuple(
                scope
                for position, scope in enumerate(self._scopes)
                if bits >> position & 1 and not bits & self._implied_by[position]
            )
            if len(self._words) >= _MEMORY:
                self._words.clear()
            self._words[bits] = known
        return known

    def spell(self, granted: int, *, as_granted: bool = False) -> tuple[str, ...]:
        """The words for scope bits, canonical; with `as_granted`, for granted words, wildcards kept as such."""
        bits = granted & self.everything
        if not as_granted:
            return (self.all_word,) if bits == self.everything and self.all_word is not None else self.words(bits)
        words = []
        covered = 0
        for word, meaning in self._wildcards.items():
            if granted & self._known[word] and (meaning & ~covered or word in self.reserved):
                words.append(word)
                # A word that some may not use does not stand for what was granted besides.
                covered |= 0 if word in self.reserved else meaning
        withheld = [scope for scope in self.reserved if bits & self._known[scope] & self.everything]
        for scope in withheld:
            bits &= ~self._known[scope]
        return (*words, *self.words(bits & ~covered), *withheld)

    # -- what is implied, and what a request needs

    def closure(self, granted: int) -> int:
        """The scope bits that granted words come to, everything they imply included."""
        bits = 0
        rest = granted & self.everything
        if rest == self.everything:
            return self.everything
        while rest:
            lowest = rest & -rest
            bits |= self._closures[lowest.bit_length() - 1]
            rest &= ~bits & ~lowest
        if granted > self.everything:
            for word, meaning in self._wildcards.items():
                if granted & self._known[word]:
                    bits |= meaning
        return bits

    def match(self, patterns: Iterable[str]) -> int:
        """The scope bits that patterns select, in order: ``read:user``, ``read:*``, ``*:user``, ``*`` add scopes and
        all they imply; with ``-`` in front they take scopes away, and all that imply them.

        :raises VocabularyError: a pattern selects nothing.
        """
        bits = 0
        for pattern in patterns:
            chosen = self._select(pattern)
            if pattern.startswith("-"):
                bits &= ~self.reaching(chosen)
            else:
                bits |= self.closure(chosen)
        return bits

    def reaching(self, bits: int) -> int:
        """The scopes that are among `bits` or imply one of them."""
        reaching = 0
        for position, closure in enumerate(self._closures):
            if closure & bits:
                reaching |= 1 << position
        return reaching

    def _select(self, pattern: str) -> int:
        wanted = pattern.removeprefix("-")
        if wanted in ("*", "*:*"):
            return self.everything
        action, _, category = wanted.partition(":")
        chosen = 0
        for position, scope in enumerate(self._scopes):
            has_action, _, has_category = scope.partition(":")
            # A part goes where its whole goes.
            of_category = category in ("*", has_category) or has_category.startswith(f"{category}.")
            if action in ("*", has_action) and of_category:
                chosen |= 1 << position
        if not chosen:
            raise VocabularyError(f"the pattern {quoted(pattern)} matches no scope{self._hint(category)}")
        return chosen

    def actions_for(self, method: str) -> tuple[str, ...]:
        """The actions that an HTTP method stands for; all of them are needed."""
        return self._methods.get(method) or self._methods[OTHER]

    @property
    def methods(self) -> tuple[str, ...]:
        """The HTTP methods that need something else than all others."""
        return tuple(method for method in self._methods if method != OTHER)

    def need(self, category: str, actions: Iterable[str]) -> int | None:
        """The scope bits for `actions` in `category`; ``None`` where the category lacks one, so nobody can have it.

        :raises VocabularyError: there is no such category.
        """
        if category not in self.categories:
            raise VocabularyError(f"unknown category {quoted(category)}{self._hint(category)}")
        bits = 0
        for action in actions:
            bit = self._known.get(f"{action}:{category}")
            if bit is None:
                return None
            bits |= bit
        return bits

    @property
    def admin_bits(self) -> int:
        """The scopes of the categories that are for administrators only, their parts', and what implies any."""
        bits = 0
        for position, scope in enumerate(self._scopes):
            category = scope.partition(":")[2]
            if any(category == name or category.startswith(f"{name}.") for name in self.admin):
                bits |= 1 << position
        return self.reaching(bits)

    @property
    def scopes(self) -> tuple[str, ...]:
        """Every scope, in canonical order."""
        return self._scopes

    @property
    def wildcards(self) -> tuple[str, ...]:
        """The words that stand for many scopes, ``all`` among them."""
        return tuple(self._wildcards)

    def __setattr__(self, name: str, value: object) -> None:
        if hasattr(self, "_definition"):
            raise AttributeError(f"a Vocabulary is immutable: cannot set `{name}`")
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Vocabulary is immutable: cannot delete `{name}`")

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (self.name, tuple(self.categories.values()), self._arguments)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Vocabulary) and self._definition == other._definition)

    def __hash__(self) -> int:
        return hash(self._definition)

    def __repr__(self) -> str:
        return f"<Vocabulary {self.name}: {len(self.categories)} categories, {len(self._scopes)} scopes>"

    # -- construction

    def _check_names(self, listed: list[Category]) -> None:
        if not listed:
            raise VocabularyError("a vocabulary needs at least one category", where="categories")
        if not self.actions:
            raise VocabularyError("a vocabulary needs at least one action", where="actions")
        for kind, names in (("actions", self.actions), ("categories", [entry.name for entry in listed])):
            seen: set[str] = set()
            for name in names:
                if not _NAME.fullmatch(name):
                    raise VocabularyError(
                        f"{quoted(name)} cannot be part of a scope: use letters, digits, `_`, `-`, and dots between",
                        where=kind,
                    )
                if name in seen:
                    raise VocabularyError(f"{quoted(name)} is there twice", where=kind)
                seen.add(name)
        for entry in listed:
            for action in entry.actions or ():
                if action not in self.actions:
                    raise unknown_action(self.actions, action, f"categories.{entry.name}.actions")
            if entry.actions is not None and len(set(entry.actions)) < len(entry.actions):
                raise VocabularyError("an action is there twice", where=f"categories.{entry.name}.actions")
            if entry.actions == ():
                raise VocabularyError("no action at all", where=f"categories.{entry.name}.actions")
        for name in self.admin:
            if name not in self.categories:
                raise VocabularyError(f"unknown category {quoted(name)}{self._hint(name)}", where="admin")

    def _check_reserved(self) -> None:
        for word, roles in self.reserved.items():
            where = f"reserved.{word}"
            if word not in self._known:
                raise VocabularyError(f"{quoted(word)} is no word of this vocabulary", where=where)
            if not roles:
                raise VocabularyError("it is reserved for nobody; name a role, or leave the word out", where=where)

    def _actions_of(self, category: Category) -> tuple[str, ...]:
        if category.actions is None:
            return self.actions
        return tuple(action for action in self.actions if action in category.actions)

    def _close_actions(self, implies: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
        direct: dict[str, set[str]] = {action: set() for action in self.actions}
        for action, implied in implies.items():
            for word in (action, *implied):
                if word not in direct:
                    raise unknown_action(self.actions, word, f"implies.{action}")
            direct[action] |= set(implied)
        closed = {}
        for action in self.actions:
            reached = {action}
            todo = [action]
            while todo:
                new = direct[todo.pop()] - reached
                reached |= new
                todo += new
            closed[action] = reached
        return closed

    def _close_scopes(self, listed: list[Category], closed: dict[str, set[str]], index: dict[str, int]) -> list[int]:
        children: dict[str, list[str]] = {}
        for entry in listed:
            parent = entry.name.rpartition(".")[0]
            if parent and parent not in self.categories:
                raise VocabularyError(
                    f"`{entry.name}` is a part of `{parent}`, which is no category; add it", where="categories"
                )
            children.setdefault(parent, []).append(entry.name)

        closures = [0] * len(index)
        for entry in listed:
            members = [entry.name]
            for member in members:
                members += children.get(member, ())
            for action in self._actions_of(entry):
                bits = 0
                for member in members:
                    for implied in closed[action]:
                        position = index.get(f"{implied}:{member}")
                        if position is not None:
                            bits |= 1 << position
                closures[index[f"{action}:{entry.name}"]] = bits
        return closures

    @staticmethod
    def _invert(closures: list[int]) -> list[int]:
        """For each scope, those that imply it; of two that imply each other the first stands for both."""
        implied_by = [0] * len(closures)
        for position, closure in enumerate(closures):
            rest = closure & ~(1 << position)
            while rest:
                lowest = rest & -rest
                rest ^= lowest
                other = lowest.bit_length() - 1
                if not closures[other] >> position & 1 or position < other:
                    implied_by[other] |= 1 << position
        return implied_by

    def _check_word(self, word: str, index: Mapping[str, int], where: str) -> None:
        if word in index or word in self._wildcards:
            raise VocabularyError(f"the word {quoted(word)} means two things", where=where)
        if not word or not word.isascii() or not word.isprintable() or set(word) & set(' ,@"\\'):
            raise VocabularyError(f"{quoted(word)} cannot be a scope word", where=where)

    def _wildcard(self, word: str, patterns: Iterable[str]) -> int:
        try:
            meaning = self.match(patterns)
        except VocabularyError as error:
            raise error.at(f"wildcards.{word}") from None
        if not meaning:
            raise VocabularyError("it stands for nothing", where=f"wildcards.{word}")
        return meaning

    def _hint(self, category: str) -> str:
        return did_you_mean(near(category, self.categories))


def _restore(name: str, categories: tuple[Category, ...], arguments: dict[str, Any]) -> Vocabulary:
    return Vocabulary(name, categories, **arguments)


@functools.cache
def _load_builtin(name: str) -> Vocabulary:
    folder = importlib.resources.files(__package__)
    known = sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))
    if name not in known:
        raise VocabularyError(f"no built-in vocabulary {quoted(name)}; there are: {', '.join(known)}")
    return Vocabulary.from_mapping(tomllib.loads(folder.joinpath(f"{name}.toml").read_text("utf-8")))
