"""A vocabulary as it is written in TOML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..text import did_you_mean, near, quoted
from .category import Category, SingleScope, VocabularyError

KEYS = (
    "actions",
    "admin",
    "aliases",
    "all",
    "categories",
    "category_wildcards",
    "implies",
    "inherited",
    "methods",
    "name",
    "own",
    "public_only",
    "reserved",
    "scopes",
    "spelling",
    "wildcards",
)


def arguments(data: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a :class:`Vocabulary` that a table spells.

    :raises VocabularyError: an unknown key, or a value of the wrong kind.
    """
    _check_keys(data, KEYS)
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
    for key in ("aliases", "own"):
        if key in data:
            table = _expect(data[key], dict, key, "a table: action = action")
            options[key] = {word: _expect(other, str, f"{key}.{word}", "an action") for word, other in table.items()}
    if "spelling" in data:
        options["spelling"] = _expect(data["spelling"], str, "spelling", "a string")
    if "category_wildcards" in data:
        options["category_wildcards"] = _expect(data["category_wildcards"], bool, "category_wildcards", "true or false")
    if "scopes" in data:
        table = _expect(data["scopes"], dict, "scopes", "a table: scope = description")
        options["scopes"] = [_single(word, entry) for word, entry in table.items()]
    options["name"] = _expect(data.get("name", "custom"), str, "name", "a string")
    options["categories"] = [_category(key, entry) for key, entry in categories.items()]
    return options


def _single(name: str, entry: Any) -> SingleScope:
    where = f"scopes.{name}"
    if isinstance(entry, str):
        return SingleScope(name, entry)
    table = _expect(entry, dict, where, "a description, or a table with `description` and `implies`")
    _check_keys(table, ("description", "implies"), where)
    implies = _strings(table.get("implies", []), f"{where}.implies")
    return SingleScope(name, _expect(table.get("description", ""), str, where, "a string"), tuple(implies))


def _check_keys(table: Mapping[str, Any], known: tuple[str, ...], where: str = "") -> None:
    for key in table:
        if key not in known:
            raise VocabularyError(f"unknown key {quoted(key)}{did_you_mean(near(key, known))}", where=where or key)


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
