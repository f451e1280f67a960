"""Hypothesis strategies that several test modules share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple
from urllib.parse import quote

from hypothesis import strategies as st

from scopeware.scopes import Category, ScopeSet, Vocabulary

ACTION_NAMES = ("read", "write", "create", "update", "delete", "run", "Read", "read_own", "x.y")
CATEGORY_NAMES = ("user", "issue", "admin", "repository", "misc", "User", "a", "b", "package-registry", "0", "read")
PART_NAMES = ("hooks", "keys", "a", "b", "user")
WILDCARD_WORDS = ("*", "read:*", "write:*", "role:admin", "some")
SEPARATORS = (",", " ", ", ", ",,", "  ", " ,")


@dataclass(frozen=True)
class Draft:
    """What a vocabulary is built from; kept beside it so that a slow reference can read it."""

    categories: tuple[Category, ...]
    actions: tuple[str, ...]
    implies: Mapping[str, tuple[str, ...]]
    wildcards: Mapping[str, tuple[str, ...]]
    all_word: str | None
    public_only: str | None
    reserved: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def build(self) -> Vocabulary:
        """The vocabulary itself, built anew each time."""
        return Vocabulary(
            "drafted",
            self.categories,
            actions=self.actions,
            implies=self.implies,
            wildcards=self.wildcards,
            all_word=self.all_word,
            public_only=self.public_only,
            methods={"*": self.actions[:1]},
            reserved=self.reserved,
        )

    def actions_of(self, category: Category) -> tuple[str, ...]:
        """What can be done in `category`, in canonical order."""
        return tuple(action for action in self.actions if category.actions is None or action in category.actions)

    @property
    def scopes(self) -> tuple[str, ...]:
        """Every scope, in canonical order."""
        return tuple(f"{action}:{entry.name}" for entry in self.categories for action in self.actions_of(entry))


def subsets(values: tuple[str, ...], *, least: int = 0) -> st.SearchStrategy[tuple[str, ...]]:
    """Some of `values`, in any order, each at most once."""
    return st.lists(st.sampled_from(values), unique=True, min_size=least).map(tuple)


@st.composite
def drafts(draw: st.DrawFn) -> Draft:
    """Any vocabulary: parts of parts, categories with actions of their own, implications with cycles, wildcards."""
    actions = draw(subsets(ACTION_NAMES, least=1))
    names = list(draw(subsets(CATEGORY_NAMES, least=1)))
    for _ in range(draw(st.integers(0, 5))):
        part = f"{draw(st.sampled_from(names))}.{draw(st.sampled_from(PART_NAMES))}"
        if part not in names:
            names.append(part)
    own_actions = st.none() | subsets(actions, least=1)
    categories = tuple(Category(name, actions=draw(own_actions)) for name in draw(st.permutations(names)))
    draft = Draft(
        categories,
        actions,
        implies=draw(st.dictionaries(st.sampled_from(actions), subsets(actions), max_size=4)),
        wildcards={},
        all_word=draw(st.sampled_from((None, "all"))),
        public_only=draw(st.sampled_from((None, "public-only"))),
    )
    patterns = ["*", "*:*"]
    for scope in draft.scopes:
        action, _, category = scope.partition(":")
        patterns += [scope, f"{action}:*", f"*:{category}"]
    some_patterns = st.lists(st.sampled_from(patterns), min_size=1, max_size=3).map(tuple)
    wildcards = st.dictionaries(st.sampled_from(WILDCARD_WORDS), some_patterns, max_size=3)
    return replace(draft, wildcards=draw(wildcards))


@st.composite
def drafts_with_a_part_introduced(draw: st.DrawFn) -> tuple[Draft, Draft]:
    """A draft, and the same one a release later: a category has become divisible."""
    before = draw(drafts())
    taken = {entry.name for entry in before.categories}
    whole = draw(st.sampled_from(sorted(taken)))
    name = next(f"{whole}.{segment}" for segment in ("new", "newer") if f"{whole}.{segment}" not in taken)
    part = Category(name, actions=draw(st.none() | subsets(before.actions, least=1)))
    position = draw(st.integers(0, len(before.categories)))
    categories = (*before.categories[:position], part, *before.categories[position:])
    return before, replace(before, categories=categories)


def vocabularies() -> st.SearchStrategy[Vocabulary]:
    """Any vocabulary, Gitea's among them."""
    return drafts().map(Draft.build) | st.just(Vocabulary.builtin("gitea"))


def scope_words(vocabulary: Vocabulary) -> st.SearchStrategy[list[str]]:
    """Words that `vocabulary` knows, repetitions included."""
    words = [*vocabulary.scopes, *vocabulary.wildcards]
    if vocabulary.public_only is not None:
        words.append(vocabulary.public_only)
    return st.lists(st.sampled_from(words), max_size=12)


@st.composite
def scope_texts(draw: st.DrawFn, vocabulary: Vocabulary) -> str:
    """Scopes of `vocabulary` as people write them, with commas and spaces anywhere between."""
    separator = st.sampled_from(SEPARATORS)
    text = draw(st.sampled_from(("", *SEPARATORS)))
    for word in draw(scope_words(vocabulary)):
        text += word + draw(separator)
    return text


def scope_sets(vocabulary: Vocabulary) -> st.SearchStrategy[ScopeSet]:
    """Any scope set of `vocabulary`."""
    return scope_words(vocabulary).map(vocabulary.parse)


def scope_sets_together(count: int) -> st.SearchStrategy[tuple[ScopeSet, ...]]:
    """`count` scope sets of one vocabulary, whichever."""
    return vocabularies().flatmap(lambda vocabulary: st.tuples(*[scope_sets(vocabulary)] * count))


# -- grants that are bound to resources


class Target(NamedTuple):
    """Where a scope holds: at one resource, or for all below one; for all below nothing, so everywhere."""

    path: str
    below: bool = False

    def covers(self, place: str) -> bool:
        """Whether what holds here holds for `place`."""
        if not self.below:
            return place == self.path
        return not self.path or place.startswith(f"{self.path}/")


EVERYWHERE = Target("", below=True)
NAMED = ("a", "b", "a/x", "a/y", "a/x/1", "ax/x", "b/*", 'ü, %2F@"/x')
"""Resources that drawn grants are bound to; one is called by a star, one by everything that needs to be encoded."""
TARGETS = (*map(Target, NAMED), Target("a", below=True), Target("a/x", below=True), Target("b", below=True))
PLACES = (*NAMED, "elsewhere", "a/other", "a/x/other", "b/other")
"""Those, and for each that grants reach beyond one resource, one which no grant names: it stands for all others."""


class Grant(NamedTuple):
    """A word as it was granted."""

    word: str
    target: Target
    text: str


def spellings(target: Target) -> st.SearchStrategy[str]:
    """The ways to write a resource, or all below one, in a grant."""
    usual = quote(target.path, safe="/")
    small = re.sub("%..", lambda escape: escape[0].lower(), usual)
    every_byte = "".join(f"%{byte:02x}" for byte in target.path.encode())
    as_little_as_can_be = target.path.replace("%", "%25").replace("*", "%2a").replace(" ", "%20").replace(",", "%2C")
    ways = st.sampled_from((usual, small, every_byte, as_little_as_can_be))
    return ways.map("{}/*".format) if target.below else ways


@st.composite
def grants(draw: st.DrawFn, vocabulary: Vocabulary) -> list[Grant]:
    """Words that `vocabulary` knows, some of them bound to resources, in any spelling of these."""
    drawn = []
    for word in draw(scope_words(vocabulary)):
        target = EVERYWHERE
        if word != vocabulary.public_only:
            target = draw(st.just(EVERYWHERE) | st.sampled_from(TARGETS))
        text = word if target == EVERYWHERE else f"{word}@{draw(spellings(target))}"
        drawn.append(Grant(word, target, text))
    return drawn


@st.composite
def drafts_with_grants(draw: st.DrawFn, count: int) -> tuple[Draft, Vocabulary, list[list[Grant]]]:
    """A draft, what it builds, and `count` lists of words granted of it."""
    draft = draw(drafts())
    vocabulary = draft.build()
    return draft, vocabulary, [draw(grants(vocabulary)) for _ in range(count)]


@st.composite
def drafts_with_reserved_words(draw: st.DrawFn, roles: tuple[str, ...]) -> Draft:
    """Any vocabulary with words that only owners of some of these roles may be granted."""
    draft = draw(drafts())
    words = [*draft.scopes, *draft.wildcards, *([draft.all_word] if draft.all_word else [])]
    reserved = st.dictionaries(st.sampled_from(words), subsets(roles, least=1), max_size=3)
    return replace(draft, reserved=draw(reserved))
