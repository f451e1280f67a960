"""Spellings of scopes: one scope set, written as different systems write it.

- ``plain``: as the vocabulary spells them, canonical: ``read:docker,read:vms``
- ``compact``: what was granted, categories with the same actions together: ``docker+vms:read_any+update_own``
- ``dotted``: a category and an action each: ``admin.users:get,admin.users:update``
- ``json``: the groups of the compact notation as data
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import final

from ..errors import ConfigurationError
from ..text import did_you_mean, near, quoted
from .scope_set import ScopeSet
from .vocabulary import Vocabulary

_ALL = "*"
_SEPARATORS = re.compile(r"[ ,]+")


@final
@dataclass(frozen=True, slots=True)
class Grouped:
    """Categories in which the same can be done.

    :param categories: sorted.
    :param actions: sorted; ``*`` for all there are.
    :param resource: what the grant is bound to, if it is.
    """

    categories: tuple[str, ...]
    actions: tuple[str, ...]
    resource: str | None = None


@final
@dataclass(frozen=True, slots=True)
class Reading:
    """What a text says.

    :param scopes: as far as it is known.
    :param unknown: the words, or parts of words, that are not; they grant nothing.
    """

    scopes: ScopeSet
    unknown: tuple[str, ...] = ()


def read(vocabulary: Vocabulary, text: str | Iterable[str], *, strict: bool = True) -> Reading:
    """What scopes in any of the notations say.

    Categories and actions are understood in any letter case, and actions also by their `aliases`.

    :param text: words separated by commas or spaces, an iterable of words, or what the ``json`` notation writes.
    :param strict: whether a word that is not known is an error; if not, it is left out.
    :raises UnknownScope: it is, and there is one.
    """
    if isinstance(text, str):
        from_json = text.lstrip().startswith("{")
        text = _from_json(vocabulary, text) if from_json else [word for word in _SEPARATORS.split(text) if word]
    names = _names(vocabulary)
    plain: list[str] = []
    unknown: list[str] = []
    for word in text:
        words, lacking = names.read(word)
        plain += words
        unknown += lacking
        if strict and lacking:
            raise vocabulary.unknown(word)
    return Reading(vocabulary.parse_known(plain)[0], tuple(dict.fromkeys(unknown)))


def write(scopes: ScopeSet, notation: str) -> str:
    """A scope set in a notation: always the same text for the same grants.

    :param notation: ``"plain"``, ``"compact"``, ``"dotted"`` or ``"json"``.
    :raises ConfigurationError: there is no such notation.
    """
    if notation not in NOTATIONS:
        hint = did_you_mean(near(notation, NOTATIONS)) or f"; there are: {', '.join(NOTATIONS)}"
        raise ConfigurationError(f"no notation {quoted(notation)}{hint}", where="notation")
    return NOTATIONS[notation](scopes)


def words(scopes: ScopeSet) -> tuple[str, ...]:
    """The words that were granted and are about no single category (``role:admin``), each once."""
    names = _names(scopes.vocabulary)
    return tuple(dict.fromkeys(word for word, _ in _split(scopes, names)))


def groups(scopes: ScopeSet) -> tuple[Grouped, ...]:
    """What was granted in categories: for each set of actions those in which they can be done, as a form shows them.

    Categories with the same actions stand together; a category stands once for what it is bound to. What is bound to
    nothing comes first.
    """
    names = _names(scopes.vocabulary)
    found: list[Grouped] = []
    for resource, granted in scopes.granted.items():
        actions_of: dict[str, set[str]] = {}
        for word in granted:
            if word in names.parts:
                action, category = names.parts[word]
                actions_of.setdefault(category, set()).add(action)
        same: dict[tuple[str, ...], list[str]] = {}
        for category in sorted(actions_of):
            same.setdefault(tuple(sorted(actions_of[category])), []).append(category)
        found += (Grouped(tuple(categories), actions, resource or None) for actions, categories in same.items())
    return tuple(found)


def _split(scopes: ScopeSet, names: _Names) -> list[tuple[str, str]]:
    """The words about no single category, with what they are bound to."""
    return [
        (word, resource) for resource, granted in scopes.granted.items() for word in granted if word not in names.parts
    ]


def _compact(scopes: ScopeSet) -> str:
    vocabulary = scopes.vocabulary
    texts = [vocabulary.public_only] if scopes.public_only and vocabulary.public_only else []
    texts += (_bound(word, resource) for word, resource in _split(scopes, _names(vocabulary)))
    for group in groups(scopes):
        texts.append(_bound(f"{'+'.join(group.categories)}:{'+'.join(group.actions)}", group.resource))
    return ",".join(texts)


def _dotted(scopes: ScopeSet) -> str:
    parts = _names(scopes.vocabulary).parts
    texts = []
    for text in scopes.texts:
        word, _, resource = text.partition("@")
        action, category = parts.get(word, ("", ""))
        texts.append(_bound(f"{category}:{action}" if category else word, resource))
    return ",".join(texts)


def _json(scopes: ScopeSet) -> str:
    names = _names(scopes.vocabulary)
    data = {
        "public_only": scopes.public_only,
        "words": [_bound(word, resource) for word, resource in _split(scopes, names)],
        "groups": [
            {"categories": group.categories, "actions": group.actions}
            | ({"resource": group.resource} if group.resource else {})
            for group in groups(scopes)
        ],
    }
    return json.dumps(data)


def _from_json(vocabulary: Vocabulary, text: str) -> list[str]:
    try:
        data = json.loads(text)
        texts = [str(word) for word in data.get("words", ())]
        if data.get("public_only", False) is not False:
            texts.append(vocabulary.public_only or "public_only")
        for group in data.get("groups", ()):
            body = f"{'+'.join(group['categories'])}:{'+'.join(group['actions'])}"
            texts.append(_bound(body, group.get("resource")))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ConfigurationError("expected what the json notation writes", where="scopes") from None
    return texts


def _bound(word: str, resource: str | None) -> str:
    return f"{word}@{resource}" if resource else word


NOTATIONS: Mapping[str, Callable[[ScopeSet], str]] = {
    "plain": str,
    "compact": _compact,
    "dotted": _dotted,
    "json": _json,
}


@final
class _Names:
    """The names of a vocabulary, as they may be written."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.parts: dict[str, tuple[str, str]] = dict(zip(vocabulary.scopes, vocabulary.parts, strict=False))
        """Scope, or word for all of a category → its action and its category."""
        for category in vocabulary.categories:
            word = vocabulary.spell_scope(_ALL, category)
            if word in vocabulary.wildcards:
                self.parts[word] = (_ALL, category)
        self._vocabulary = vocabulary
        self._words = _folded([*vocabulary.wildcards, *vocabulary.singles])
        self._categories = _folded(vocabulary.categories)
        self._actions = _folded(vocabulary.actions) | _folded(vocabulary.aliases, vocabulary.aliases)

    def read(self, text: str) -> tuple[list[str], list[str]]:
        """The vocabulary's words for one of a notation's, and what is not known of it."""
        body, at, resource = text.partition("@")
        suffix = f"{at}{resource}"
        known = self._words.get(body) or self._words.get(body.lower(), body)
        if not self._vocabulary.parse_known([known + suffix])[1]:
            return [known + suffix], []
        if at and self._vocabulary.parse_known([f"{self._vocabulary.scopes[0]}{suffix}"])[1]:
            return [], [text]
        before, colon, after = body.partition(":")
        if not colon:
            return [], [text]
        categories, unknown_categories = _look_up(before, self._categories)
        actions, unknown_actions = _look_up(after, self._actions | {_ALL: _ALL})
        found = []
        unknown = [f"{name}:{after}{suffix}" for name in unknown_categories]
        unknown += (f"{before}:{name}{suffix}" for name in unknown_actions)
        for category in categories:
            for action in actions:
                words = self._meant(action, category)
                found += [word + suffix for word in words]
                if not words:
                    unknown.append(f"{category}:{action}{suffix}")
        return found, unknown

    def _meant(self, action: str, category: str) -> list[str]:
        """The words for an action in a category; none where it has no such action."""
        word = self._vocabulary.spell_scope(action, category)
        if word in self.parts:
            return [word]
        if action != _ALL:
            return []
        return [scope for scope, (_, of) in self.parts.items() if of == category]


def _look_up(text: str, names: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The names that stand in a text with ``+`` between, each once, and what is none."""
    known: list[str] = []
    unknown: list[str] = []
    for part in dict.fromkeys(text.split("+")):
        name = names.get(part) or names.get(part.lower())
        (unknown if name is None else known).append(part if name is None else name)
    return list(dict.fromkeys(known)), unknown


def _folded(names: Iterable[str], meant: Mapping[str, str] | None = None) -> dict[str, str]:
    """As it is written, and in lower case, where that is no other's → what is meant."""
    exact = {name: meant[name] if meant else name for name in names}
    lower: dict[str, str | None] = {}
    for name, means in exact.items():
        lower[name.lower()] = None if lower.get(name.lower(), means) != means else means
    return {name: means for name, means in lower.items() if means is not None} | exact


@functools.lru_cache(maxsize=32)
def _names(vocabulary: Vocabulary) -> _Names:
    return _Names(vocabulary)
