"""The policy file: TOML to rules, and where in the file each stands."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from ..errors import ConfigurationError
from ..scopes import Vocabulary
from ..text import did_you_mean, near, quoted
from .hooks import Hooks
from .lifetimes import Lifetimes
from .log_options import LogOptions
from .options import Options
from .rules import Group, Route
from .table import with_changes

_SETTINGS = {
    "gate": ("options", Options()),
    "tokens": ("lifetimes", Lifetimes()),
    "access_log": ("access_log", LogOptions()),
    "hooks": ("hooks", Hooks()),
}
"""Table → the policy's argument that it makes, and what holds where it says nothing."""
TABLES = ("policy", "vocabulary", "roles", "presets", *_SETTINGS, "lint", "group")
POLICY_KEYS = ("vocabulary", "prefix", "require_token", "accept", "unmatched", "public_only")
_HEADING = re.compile(r"\s*\[\[\s*(group(?:\s*\.\s*route)?)\s*\]\]")


class DocumentError(ConfigurationError):
    """A policy file that cannot be read as one."""


def read(path: str | os.PathLike[str]) -> str:
    """The text of a policy file.

    :raises DocumentError: it is missing, a directory, unreadable, not UTF-8, or empty.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        raise DocumentError("there is no such policy file", where=os.fspath(path)) from None
    except IsADirectoryError:
        raise DocumentError("it is a directory; name the policy file in it", where=os.fspath(path)) from None
    except UnicodeDecodeError as error:
        raise DocumentError(f"it is not UTF-8 text (byte {error.start})", where=os.fspath(path)) from None
    except OSError as error:
        raise DocumentError(f"it cannot be read: {error.strerror}", where=os.fspath(path)) from None
    if not text.strip():
        raise DocumentError("the policy file is empty; write at least one [[group]]", where=os.fspath(path))
    return text


def parse(text: str) -> dict[str, Any]:
    """The keyword arguments of a :class:`Policy` that TOML text spells.

    :raises ConfigurationError: it is no TOML, or has a key or value that a policy file has not; `where` starts with
        the line where it is known.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _broken(str(error)) from None
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"broken TOML: {error}") from None
    _known(data, TABLES, "")
    head = _table(data, "policy")
    _known(head, POLICY_KEYS, "policy")
    arguments = {key: value for key, value in head.items() if key != "vocabulary"}
    for key in ("prefix", "accept", "unmatched", "public_only"):
        if not isinstance(arguments.get(key, ""), str):
            raise DocumentError("expected a string", where=f"policy.{key}")
    arguments["vocabulary"] = _vocabulary(data, head)
    roles = _table(data, "roles")
    for role, patterns in roles.items():
        if not isinstance(patterns, str):
            raise DocumentError('expected patterns such as "read:*"', where=f"roles.{role}")
    arguments["roles"] = roles
    arguments["presets"] = _table(data, "presets")
    arguments["lint"] = _table(data, "lint")
    for name, (argument, defaults) in _SETTINGS.items():
        changes = _table(data, name)
        try:
            arguments[argument] = with_changes(defaults, changes)
        except ConfigurationError as error:
            raise error.at(name) from None
    groups = data.get("group", [])
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        raise DocumentError("groups are written [[group]]", where="group")
    lines = _Lines(text, groups)
    arguments["groups"] = [_group(entry, number, lines) for number, entry in enumerate(groups)]
    return arguments


def _vocabulary(data: Mapping[str, Any], head: Mapping[str, Any]) -> str | Vocabulary:
    name = head.get("vocabulary")
    if name is not None and not isinstance(name, str):
        raise DocumentError("expected the name of a built-in vocabulary", where="policy.vocabulary")
    if "vocabulary" not in data:
        return name or "gitea"
    if name is not None:
        raise DocumentError(
            "it has no effect beside the [vocabulary] table; leave one of them out", where="policy.vocabulary"
        )
    table = _table(data, "vocabulary")
    try:
        return Vocabulary.from_mapping(table)
    except ConfigurationError as error:
        raise error.at("vocabulary") from None


def _group(entry: Mapping[str, Any], number: int, lines: _Lines) -> Group:
    place = lines.of(number)
    _known(entry, [field.name for field in fields(Group) if field.name not in ("where", "routes")] + ["route"], place)
    values = {key: value for key, value in entry.items() if key != "route"}
    routes = entry.get("route", [])
    if not isinstance(routes, list) or not all(isinstance(route, dict) for route in routes):
        raise DocumentError("routes are written [[group.route]]", where=f"{place}.route")
    _path(values, place)
    made = []
    for position, route in enumerate(routes):
        spot = lines.of(number, position)
        _known(route, [field.name for field in fields(Route) if field.name != "where"], spot)
        _path(route, spot)
        made.append(Route(**route, where=spot))
    return Group(**values, routes=tuple(made), where=place)


def _path(entry: Mapping[str, Any], place: str) -> None:
    if not isinstance(entry.get("path"), str):
        raise DocumentError('it needs a path: path = "/..."', where=f"{place}.path")
    if not isinstance(entry.get("description", ""), str):
        raise DocumentError("expected a string", where=f"{place}.description")


def _known(table: Mapping[str, Any], keys: Sequence[str], place: str) -> None:
    for key in table:
        if key not in keys:
            where = f"{place}.{key}" if place else key
            raise DocumentError(f"unknown key {quoted(key)}{did_you_mean(near(key, keys))}", where=where)


def _table(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    table = data.get(key, {})
    if not isinstance(table, dict):
        raise DocumentError(f"expected a table: [{key}]", where=key)
    return table


def _broken(message: str) -> DocumentError:
    place = re.search(r"\(at line (\d+), column (\d+)\)", message)
    if place is None:
        return DocumentError(f"broken TOML: {message}")
    return DocumentError(f"broken TOML: {message[: place.start()].strip()}", where=f"{place[1]}:{place[2]}")


class _Lines:
    """Where the headings of groups and routes stand, as far as that can be told without a second TOML parser."""

    def __init__(self, text: str, groups: list[dict[str, Any]]) -> None:
        found: list[tuple[int, list[int]]] = []
        for number, line in enumerate(text.split("\n"), 1):
            heading = _HEADING.match(line)
            if heading is None:
                continue
            if "route" not in heading[1]:
                found.append((number, []))
            elif found:
                found[-1][1].append(number)
        # Headings inside of strings, or rules written inline, make the counts differ: then only the key is told.
        self._groups = [line for line, _ in found] if len(found) == len(groups) else None
        shapes = [len(routes) if isinstance(routes := group.get("route", []), list) else -1 for group in groups]
        self._routes = [lines for _, lines in found] if [len(lines) for _, lines in found] == shapes else None

    def of(self, group: int, route: int | None = None) -> str:
        """``LINE: group[N].route[M]``, as far as the line is known."""
        key = f"group[{group}]" + ("" if route is None else f".route[{route}]")
        if route is not None and self._routes is not None:
            return f"{self._routes[group][route]}: {key}"
        # For a route that is written inline, the line of its group.
        return key if self._groups is None else f"{self._groups[group]}: {key}"
