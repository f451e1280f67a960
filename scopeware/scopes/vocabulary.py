"""The categories and actions a deployment knows."""

from __future__ import annotations

import functools
import importlib.resources
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, final

from ..text import did_you_mean, near, quoted
from . import reading
from .category import Category, SingleScope, VocabularyError
from .implication import close_actions, close_circles, invert
from .methods import OTHER, method_table, unknown_action
from .resource import canonical_pattern
from .scope_set import ScopeSet, UnknownScope

Spelling = Literal["action:category", "category:action"]
ACTION_FIRST: Spelling = "action:category"
CATEGORY_FIRST: Spelling = "category:action"

_ALIAS = re.compile(r"[A-Za-z0-9_-]+(?:[:.][A-Za-z0-9_-]+)*")
_NAME = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_SEPARATORS = re.compile(r"[ ,]+")
_MEMORY = 4096
_LONGEST_SUGGESTED = 60


@final
class Vocabulary:
    """Categories × actions with their implications, order and spelling; immutable.

    A scope is spelled ``action:category``, or the other way round. Any number of categories; each may have actions of
    its own.

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
    :param spelling: ``"action:category"`` or ``"category:action"``.
    :param scopes: scopes that stand alone, after those of the categories; names alone will do.
    :param category_wildcards: whether there is a word for all that can be done in a category (``*:docker``), too.
    :param own: action → the same for one's own things only (``{"read_any": "read_own"}``), which it includes. Whoever
        has only the latter passes where the request is about what is theirs.
    :param aliases: other spellings of actions, old ones mostly, for :mod:`~scopeware.scopes.notation` to understand.
    :raises VocabularyError: a name twice, an unknown action, a word that cannot be told from another.
    """

    __slots__ = (
        "_arguments",
        "_closures",
        "_definition",
        "_implied_by",
        "_known",
        "_methods",
        "_own_bits",
        "_parts",
        "_scopes",
        "_wildcards",
        "_words",
        "actions",
        "admin",
        "aliases",
        "all_word",
        "categories",
        "everything",
        "inherited_bits",
        "name",
        "own",
        "public_only",
        "reserved",
        "singles",
        "spelling",
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
        spelling: Spelling = ACTION_FIRST,
        scopes: Iterable[SingleScope | str] = (),
        category_wildcards: bool = False,
        own: Mapping[str, str] | None = None,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        listed = [Category(entry) if isinstance(entry, str) else entry for entry in categories]
        singles = [SingleScope(entry) if isinstance(entry, str) else entry for entry in scopes]
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
            "spelling": spelling,
            "scopes": tuple(singles),
            "category_wildcards": category_wildcards,
            "own": own and dict(own),
            "aliases": aliases and dict(aliases),
        }
        self.name = name
        self.actions = tuple(actions)
        self.all_word = all_word
        self.public_only = public_only
        self.categories: Mapping[str, Category] = MappingProxyType({entry.name: entry for entry in listed})
        self.admin = tuple(admin)
        self.singles: Mapping[str, SingleScope] = MappingProxyType({entry.name: entry for entry in singles})
        self.own = MappingProxyType(dict(own or {}))
        self.aliases = MappingProxyType(dict(aliases or {}))
        if spelling not in (ACTION_FIRST, CATEGORY_FIRST):
            raise VocabularyError(f'expected "{ACTION_FIRST}" or "{CATEGORY_FIRST}"', where="spelling")
        self.spelling = spelling
        self._check_names(listed)
        self._check_actions()

        if implies is None:
            implies = {"write": ("read",)} if {"read", "write"} <= set(self.actions) else {}
        closed = close_actions(self.actions, implies, self.own)
        for action, less in self.own.items():
            if action in closed[less]:
                raise VocabularyError(f"{quoted(less)} includes it, and so holds for all", where=f"own.{action}")
        self._parts = tuple((action, entry.name) for entry in listed for action in self._actions_of(entry))
        self._wildcards: dict[str, int] = {}
        self._scopes = self._words_of(singles)
        index = {scope: position for position, scope in enumerate(self._scopes)}
        self.everything = (1 << len(self._scopes)) - 1
        owned = {*self.own.values()}
        self._own_bits = sum(1 << position for position, (action, _) in enumerate(self._parts) if action in owned)
        self._closures = self._close_scopes(listed, closed, index)
        for single in singles:
            self._closures.append(1 << index[single.name] | self._included(single))
        close_circles(self._closures, len(self._parts))
        self._implied_by = invert(self._closures)

        if all_word is not None:
            self._check_word(all_word, index, "all")
            self._wildcards[all_word] = self.everything
        for word, patterns in (wildcards or {}).items():
            self._check_word(word, index, f"wildcards.{word}")
            self._wildcards[word] = self._wildcard(word, patterns)
        if category_wildcards:
            for entry in listed:
                word = self.spell_scope("*", entry.name)
                self._check_word(word, index, f"wildcards.{word}")
                self._wildcards[word] = self._wildcard(word, [word])
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
            self._parts,
            self.actions,
            tuple(self._closures),
            tuple(self._wildcards.items()),
            all_word,
            public_only,
            tuple(sorted(self._methods.items())),
            self.admin,
            tuple(sorted(self.reserved.items())),
            self.inherited_bits,
            tuple(sorted(self.own.items())),
            tuple(sorted(self.aliases.items())),
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
        action, category = self._split(word)
        if self.spell_scope(category, action) in self._known:
            suggestions: tuple[str, ...] = (self.spell_scope(category, action),)
        elif action in self.actions and not category:
            suggestions = tuple(self.spell_scope(*parts) for parts in self._parts if parts[0] == action)[:3]
        elif word in self.categories:
            suggestions = tuple(self.spell_scope(known, word) for known in self._actions_of(self.categories[word]))
        else:
            words = [*self._known, *([self.public_only] if self.public_only else [])]
            suggestions = near(word, words)
            if not suggestions and (categories := near(category or action, self.categories, 1)):
                known = self.categories[categories[0]]
                suggestions = tuple(self.spell_scope(each, known.name) for each in self._actions_of(known))
        return UnknownScope(word, self.name, suggestions)

    def words(self, bits: int) -> tuple[str, ...]:
        """The scopes of `bits` in canonical order, without those that another scope of `bits` implies."""
        known = self._words.get(bits)
        if known is None:
            least = self.without_implied(bits)
            known = tuple(scope for position, scope in enumerate(self._scopes) if least >> position & 1)
            if len(self._words) >= _MEMORY:
                self._words.clear()
            self._words[bits] = known
        return known

    def each(self, granted: int) -> tuple[str, ...]:
        """Every word of these granted words, also where another one implies it: what stands for many first."""
        many = tuple(word for word in self._wildcards if granted & self._known[word])
        return many + tuple(scope for position, scope in enumerate(self._scopes) if granted >> position & 1)

    def without_implied(self, bits: int) -> int:
        """These scope bits, but for those that others of them imply."""
        return sum(1 << at for at, above in enumerate(self._implied_by) if bits >> at & 1 and not bits & above)

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
                # A word that some may not use, or that may come to mean less, stands for nothing granted besides.
                covered |= meaning if word == self.all_word and word not in self.reserved else 0
        withheld = [scope for scope in self.reserved if bits & self._known[scope] & self.everything]
        for scope in withheld:
            bits &= ~self._known[scope]
        # What holds for one's own things was granted in so many words, though more was, too.
        least = self.without_implied(bits & ~covered) | (bits & self._own_bits)
        return (*words, *(scope for position, scope in enumerate(self._scopes) if least >> position & 1), *withheld)

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
        """The scope bits that patterns select, in order: ``read:user``, ``read:*``, ``*:user``, ``*:user.*`` (its parts
        alone), ``*`` add scopes and all they imply; with ``-`` in front they take scopes away, and all that imply them.

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
        if wanted in self.singles:
            return 1 << self._scopes.index(wanted)
        action, category = self._split(wanted)
        whole = category.removesuffix(".*")
        chosen = 0
        for position, (has_action, has_category) in enumerate(self._parts):
            # A part goes where its whole goes.
            of_category = category in ("*", has_category) or has_category.startswith(f"{whole}.")
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
            bit = self._bit_of(action, category)
            if bit is None:
                return None
            bits |= bit
        return bits

    def _bit_of(self, action: str, category: str) -> int | None:
        """The bit of an action in a category that has it. A scope that stands alone may be spelled like another."""
        bit = self._known.get(self.spell_scope(action, category))
        return None if bit is None or bit >> len(self._parts) else bit

    def owned(self, need: int) -> int:
        """What does instead of these scope bits where the request is about the caller's own things."""
        if not self.own:
            return need
        bits = need
        for position, (action, category) in enumerate(self._parts):
            if need >> position & 1 and action in self.own:
                less = self._bit_of(self.own[action], category)
                if less is not None:
                    bits = bits & ~(1 << position) | less
        return bits

    @property
    def admin_bits(self) -> int:
        """The scopes of the categories that are for administrators only, their parts', and what implies any."""
        bits = 0
        for position, (_, category) in enumerate(self._parts):
            if any(category == name or category.startswith(f"{name}.") for name in self.admin):
                bits |= 1 << position
        return self.reaching(bits)

    @property
    def scopes(self) -> tuple[str, ...]:
        """Every scope, in canonical order."""
        return self._scopes

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """The action and the category of every scope that has them, in canonical order."""
        return self._parts

    def spell_scope(self, action: str, category: str) -> str:
        """The word for an action in a category."""
        return f"{action}:{category}" if self.spelling == ACTION_FIRST else f"{category}:{action}"

    def describe(self, word: str) -> str:
        """What a scope, or a word for many, is about, in one line for people; empty where nobody said.

        :raises UnknownScope: it is neither.
        """
        if word in self.singles:
            return self.singles[word].description
        if word in self._wildcards:
            return ", ".join(self.words(self._wildcards[word]))
        if word not in self._known:
            raise self.unknown(word)
        return self.categories[self._split(word)[1]].description

    def overview(self, ceiling: ScopeSet | None = None) -> list[dict[str, Any]]:
        """All that can be granted, for the page where people choose: a dictionary for each category, with `category`,
        `description` and `scopes` (each with `scope` and `action`), then one for each scope that stands alone.

        :param ceiling: leave out what is not in this set, such as that of a role.
        """
        rows: list[dict[str, Any]] = []
        of_category: dict[str, list[dict[str, str]]] = {name: [] for name in self.categories}
        for (action, category), scope in zip(self._parts, self._scopes, strict=False):
            if ceiling is None or ceiling.bits & self._known[scope]:
                of_category[category].append({"scope": scope, "action": action})
        for category, scopes in of_category.items():
            if scopes:
                about = self.categories[category].description
                rows.append({"category": category, "description": about, "scopes": scopes})
        for name, single in self.singles.items():
            if ceiling is None or ceiling.bits & self._known[name]:
                rows.append({"category": None, "description": single.description, "scopes": [{"scope": name}]})
        return rows

    def _split(self, word: str) -> tuple[str, str]:
        """The action and the category that a word seems to name; for one without a colon the second is empty."""
        first, colon, second = word.partition(":")
        return (first, second) if self.spelling == ACTION_FIRST or not colon else (second, first)

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
            if entry.actions == () and not any(other.name.startswith(f"{entry.name}.") for other in listed):
                raise VocabularyError(
                    "no action at all; only a category with parts can do without",
                    where=f"categories.{entry.name}.actions",
                )
        for name in self.admin:
            if name not in self.categories:
                raise VocabularyError(f"unknown category {quoted(name)}{self._hint(name)}", where="admin")

    def _check_actions(self) -> None:
        for action, less in self.own.items():
            for word in (action, less):
                if word not in self.actions:
                    raise unknown_action(self.actions, word, f"own.{action}")
            if less == action or less in self.own:
                raise VocabularyError("it would hold for less than for one's own things", where=f"own.{action}")
        for alias, action in self.aliases.items():
            if action not in self.actions:
                raise unknown_action(self.actions, action, f"aliases.{alias}")
            if alias in self.actions or not _ALIAS.fullmatch(alias):
                raise VocabularyError(f"{quoted(alias)} cannot be another spelling of an action", where="aliases")

    def _words_of(self, singles: list[SingleScope]) -> tuple[str, ...]:
        words = {self.spell_scope(*parts): 0 for parts in self._parts}
        for single in singles:
            self._check_word(single.name, words, f"scopes.{single.name}")
            words[single.name] = 0
        return tuple(words)

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

    def _close_scopes(self, listed: list[Category], closed: dict[str, set[str]], index: dict[str, int]) -> list[int]:
        children: dict[str, list[str]] = {}
        for entry in listed:
            parent = entry.name.rpartition(".")[0]
            if parent and parent not in self.categories:
                raise VocabularyError(
                    f"`{entry.name}` is a part of `{parent}`, which is no category; add it", where="categories"
                )
            children.setdefault(parent, []).append(entry.name)

        closures = []
        for entry in listed:
            members = [entry.name]
            for member in members:
                members += children.get(member, ())
            for action in self._actions_of(entry):
                words = (self.spell_scope(implied, member) for member in members for implied in closed[action])
                positions = {index[word] for word in words if word in index}
                closures.append(sum(1 << position for position in positions if position < len(self._parts)))
        return closures

    def _included(self, single: SingleScope) -> int:
        bits = 0
        for pattern in single.implies:
            try:
                bits |= self._select(pattern)
            except VocabularyError as error:
                raise error.at(f"scopes.{single.name}.implies") from None
            if pattern.startswith("-"):
                raise VocabularyError("a scope only adds; leave the dash out", where=f"scopes.{single.name}.implies")
        return bits

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
