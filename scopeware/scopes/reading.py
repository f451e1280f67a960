"""A vocabulary as it is written in TOML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..text import did_you_mean, near, quoted
from .category import Category, VocabularyError

_KEYS = (
    "actions",
    "admin",
    "all",
    "categories",
    "implies",
    "inherited",
    "methods",
    "name",
    "public_only",
    "reserved",
    "wildcards",
)


def arguments(data: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a :class:`Vocabulary` that a table spells.

    :raises VocabularyError: an unknown key, or a value of the wrong kind.
    """
    for key in data:
        if key not in _KEYS:
            raise VocabularyError(f"unknown key {quoted(key)}{did_you_mean(near(key, _KEYS))}", where=key)
    categories = _expect(data.get("categories"), dict, "categories", "a table: name = description")
    options: dict[str, Any] = {}
    if "actions" in data:
        options["actions"] = _strings(data["actions"], "actions")
    for key in ("implies", "wildcards", "methods", "reserved"):
        if key in data:
            table = _expect(data[key], dict, key, "a table of lists of strings")
            options[key] = {word: _strings(values, f"{key}.{word}") for word, values in table.items()}
    for key, keyword in (("all", "all_word"), ("public_only", "public_only")):
        if key in data:
            options[keyword] = _expect(data[key], str, key, "a string")
    for key in ("admin", "inherited"):
        if key in data:
            options[key] = _strings(data[key], key)
    options["name"] = _expect(data.get("name", "custom"), str, "name", "a string")
    options["categories"] = [_category(key, entry) for key, entry in categories.items()]
    return options


def _expect(value: Any, kind: type, where: str, form: str) -> Any:
    if not isinstance(value, kind):
        raise VocabularyError(f"expected {form}", where=where)
    return value


def _strings(value: Any, where: str) -> list[str]:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise VocabularyError("expected a list of strings", where=where)
    return value


def _category(name: str, entry: Any) -> Category:
    where = f"categories.{name}"
    if isinstance(entry, str):
        return Category(name, entry)
    table = _expect(entry, dict, where, "a description, or a table with `description` and `actions`")
    for key in table:
        if key not in ("description", "actions"):
            raise VocabularyError(
                f'unknown key {quoted(key)}; a name with a dot is written in quotes: "{name}.{key}"', where=where
            )
    actions = tuple(_strings(table["actions"], f"{where}.actions")) if "actions" in table else None
    return Category(name, _expect(table.get("description", ""), str, where, "a string"), actions)
