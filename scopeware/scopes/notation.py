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
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from ..errors import ConfigurationError
from ..text import did_you_mean, near, quoted
from .scope_set import ScopeSet
from .vocabulary import Vocabulary

_ALL = "*"
_SEPARATORS = re.compile(r"[ ,]+")
_LONGEST_TAKEN_APART = 200


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
    :raises ConfigurationError: JSON that the ``json`` notation would not write.
    """
    restricted = False
    entries: Iterable[object] = text
    if isinstance(text, str):
        if text.lstrip().startswith("{"):
            entries, restricted = _from_json(text)
        else:
            entries = [word for word in _SEPARATORS.split(text) if word]
    names = _names(vocabulary)
    plain: list[str] = []
    unknown: list[str] = []
    for entry in entries:
        if isinstance(entry, Grouped):
            found, lacking = names.read_group(entry)
        else:
            found, lacking = names.read(entry) if isinstance(entry, str) else ([], [repr(entry)])
        if strict and lacking:
            raise vocabulary.unknown(entry if isinstance(entry, str) else lacking[0])
        plain += found
        unknown += lacking
    scopes, _ = vocabulary.parse_known(plain)
    return Reading(scopes.for_public_only() if restricted else scopes, tuple(dict.fromkeys(unknown)))


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
    names = _names(vocabulary)
    texts = [vocabulary.public_only] if scopes.public_only and vocabulary.public_only else []
    texts += (_bound(word, resource) for word, resource in _split(scopes, names))
    for group in groups(scopes):
        meant = [vocabulary.spell_scope(action, category) for category in group.categories for action in group.actions]
        for text in names.if_read_as(f"{'+'.join(group.categories)}:{'+'.join(group.actions)}", meant):
            texts.append(_bound(text, group.resource))
    return ",".join(texts)


def _dotted(scopes: ScopeSet) -> str:
    names = _names(scopes.vocabulary)
    texts: list[str] = []
    for text in scopes.texts:
        word, _, resource = text.partition("@")
        action, category = names.parts.get(word, ("", ""))
        texts += (_bound(each, resource) for each in names.if_read_as(f"{category}:{action}", [word]))
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


def _from_json(text: str) -> tuple[list[object], bool]:
    """The words and groups that JSON spells, and whether they are restricted to what is public."""
    problem = ConfigurationError("expected what the json notation writes", where="scopes")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise problem from None
    words, restricted = data.get("words", []), data.get("public_only", False)
    fine = not {*data} - {"words", "groups", "public_only"} and _are_texts(words) and isinstance(restricted, bool)
    tables = data.get("groups", [])
    if not fine or not isinstance(tables, list) or not all(_is_group(table) for table in tables):
        raise problem
    found = [Grouped(tuple(each["categories"]), tuple(each["actions"]), each.get("resource")) for each in tables]
    return [*words, *found], restricted


def _is_group(table: object) -> bool:
    if not isinstance(table, dict) or not {"categories", "actions"} <= {*table} <= {
        "categories",
        "actions",
        "resource",
    }:
        return False
    lists = (table["categories"], table["actions"])
    return all(_are_texts(each) and each for each in lists) and isinstance(table.get("resource"), str | None)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


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
        restriction = [vocabulary.public_only] if vocabulary.public_only else []
        self._words = _folded([*vocabulary.wildcards, *vocabulary.singles, *restriction], {})
        self._categories = _folded(vocabulary.categories, {})
        self._actions = _folded([*vocabulary.actions, *vocabulary.aliases], vocabulary.aliases) | {_ALL: _ALL}

    def read(self, text: str) -> tuple[list[str], list[str]]:
        """The vocabulary's words for one of a notation's, and what is not known of it."""
        body, at, resource = text.partition("@")
        for word in (text, f"{self._words.get(_lower(body), body)}{at}{resource}"):
            if self._is_known(word):
                return [word], []
        before, colon, after = body.partition(":")
        if not colon or (at and not self._is_known(f"{self._vocabulary.scopes[0]}@{resource}")):
            return [], [text]
        return self._read_pairs(before.split("+"), after.split("+"), f"{at}{resource}")

    def read_group(self, group: Grouped) -> tuple[list[str], list[str]]:
        """The same for a group."""
        suffix = "" if group.resource is None else f"@{group.resource}"
        if suffix and not self._is_known(f"{self._vocabulary.scopes[0]}{suffix}"):
            return [], [suffix]
        return self._read_pairs(group.categories, group.actions, suffix)

    def if_read_as(self, text: str, meant: list[str]) -> list[str]:
        """This text, if it is read as what is meant; else the words themselves."""
        return [text] if set(self.read(text)[0]) == set(meant) else sorted(meant)

    def _is_known(self, word: str) -> bool:
        return not self._vocabulary.parse_known([word])[1]

    def _read_pairs(self, before: Sequence[str], after: Sequence[str], suffix: str) -> tuple[list[str], list[str]]:
        categories, unknown_categories = _look_up(before, self._categories)
        actions, unknown_actions = _look_up(after, self._actions)
        whole_before, whole_after = "+".join(before), "+".join(after)
        whole = f"{whole_before}:{whole_after}{suffix}"
        found = []
        unknown: list[str] = []
        if len(whole) <= _LONGEST_TAKEN_APART:
            unknown += (f"{name}:{whole_after}{suffix}" for name in unknown_categories)
            unknown += (f"{whole_before}:{name}{suffix}" for name in unknown_actions)
        elif unknown_categories or unknown_actions:
            unknown.append(whole)
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


def _look_up(parts: Sequence[str], names: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The names that are meant, each once, and what is none."""
    known: list[str] = []
    unknown: list[str] = []
    for part in dict.fromkeys(parts):
        name = names.get(part) or names.get(_lower(part))
        (unknown if name is None else known).append(part if name is None else name)
    return list(dict.fromkeys(known)), unknown


def _folded(names: Iterable[str], meant: Mapping[str, str]) -> dict[str, str]:
    """As it is written, and in lower case, where that is no other's → what is meant: mostly the name itself."""
    exact = {name: meant.get(name, name) for name in names}
    lower: dict[str, str | None] = {}
    for name, means in exact.items():
        lower[_lower(name)] = None if lower.get(_lower(name), means) != means else means
    return {name: means for name, means in lower.items() if means is not None} | exact


def _lower(text: str) -> str:
    """ASCII letters alone: other alphabets have letters that become these."""
    return text.lower() if text.isascii() else text


@functools.lru_cache(maxsize=32)
def _names(vocabulary: Vocabulary) -> _Names:
    return _Names(vocabulary)
