"""What scopes imply and where they hold, worked out slowly from the definition."""

from __future__ import annotations

from collections.abc import Iterable

from strategies import PLACES, Draft, Grant

from scopeware.scopes import ScopeSet, Vocabulary


def scopes_implied(draft: Draft, granted: Iterable[str]) -> set[str]:
    """The reference: every scope that a walk along implied actions and down the dots can reach."""
    reached: set[tuple[str, str]] = set()
    todo = []
    for word in granted:
        action, _, category = word.partition(":")
        todo.append((action, category))
    while todo:
        here = todo.pop()
        if here in reached:
            continue
        reached.add(here)
        action, category = here
        todo += [(implied, category) for implied in draft.implies.get(action, ())]
        todo += [(action, part.name) for part in draft.categories if part.name.rpartition(".")[0] == category]
    return {f"{action}:{category}" for action, category in reached} & set(draft.scopes)


def scopes_meant(draft: Draft, word: str) -> set[str]:
    """The reference for wildcards: the scopes that one word stands for, before what they imply."""
    if word == draft.all_word:
        return set(draft.scopes)
    if word not in draft.wildcards:
        return {word} & set(draft.scopes)
    return set().union(*(scopes_matching(draft, pattern) for pattern in draft.wildcards[word]))


def scopes_matching(draft: Draft, pattern: str) -> set[str]:
    """The reference for patterns: the scopes that one selects, before what they imply."""
    wanted_action, wanted = ("*", "*") if pattern == "*" else pattern.split(":")
    matching = set()
    for scope in draft.scopes:
        action, category = scope.split(":")
        if wanted_action in ("*", action) and (wanted == "*" or f"{category}.".startswith(f"{wanted}.")):
            matching.add(scope)
    return matching


def scopes_of(vocabulary: Vocabulary, bits: int) -> set[str]:
    """The scopes whose bits are set."""
    return {scope for position, scope in enumerate(vocabulary.scopes) if bits >> position & 1}


# -- scopes that are bound to resources

Pairs = frozenset[tuple[str, str]]
"""Scopes, each with a place where it holds."""


def pairs_granted(draft: Draft, granted: Iterable[Grant]) -> Pairs:
    """The reference: for every word, every scope that it comes to, with every place that its target covers."""
    return frozenset(
        (scope, place)
        for grant in granted
        for scope in scopes_implied(draft, scopes_meant(draft, grant.word))
        for place in PLACES
        if grant.target.covers(place)
    )


def pairs_of(scopes: ScopeSet) -> Pairs:
    """What a scope set says about each place."""
    return frozenset((scope, place) for place in PLACES for scope in scopes_of(scopes.vocabulary, scopes.at(place)))
