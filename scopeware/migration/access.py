"""What a conversion changes for whom: the routes that a token gains and loses."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, final

from ..errors import ConfigurationError
from ..policy import AmbiguousPath, Policy, Requirement, sample
from ..scopes import Vocabulary
from ..text import quoted
from .formats import split
from .mapping import NOBODY, Access, Conversion, Mapping, access_of, passes

Where = Literal["", "public", "not public"]
"""Where a route was gained or lost: everywhere, or only where what it is about is public, or is not."""
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@final
@dataclass(frozen=True, slots=True, order=True)
class Reached:
    """A route, and where it is reached."""

    path: str
    method: str
    where: Where = ""

    def __str__(self) -> str:
        return f"{self.method} {self.path}" + (f" (where it is {self.where})" if self.where else "")


@final
@dataclass(frozen=True, slots=True)
class Change:
    """What a token gains and loses."""

    gained: tuple[Reached, ...] = ()
    lost: tuple[Reached, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.gained or self.lost)


class Side(Protocol):
    """Who passes which routes, before or after."""

    @property
    def routes(self) -> Sequence[tuple[str, str]]:
        """Method and path, as written; empty where any can be asked about."""

    def prepare(self, words: Sequence[str], conversion: Conversion) -> Any:
        """What of a token decides.

        :param words: its scopes as they were.
        """

    def passes(self, token: Any, method: str, path: str, *, public: bool) -> bool | None:
        """Whether it passes; ``None`` where nothing is known of the route."""


@final
class AccessChange:
    """Compares two sides, route by route.

    :param before: who passed what.
    :param after: who passes what.
    :raises ConfigurationError: they have no route in common.
    """

    def __init__(self, before: Side, after: Side) -> None:
        self._before = before
        self._after = after
        known = [dict.fromkeys(side.routes) for side in (before, after) if side.routes]
        if not known:
            raise ConfigurationError("neither side says which routes there are; give a table of them", where="--before")
        self.routes = [route for route in known[0] if all(route in each for each in known)]
        self.only_one = sum(len(each) for each in known) - len(known) * len(self.routes)
        """How many routes only one of the sides knows; they are left out."""
        if not self.routes:
            raise ConfigurationError("the two have no route in common", where="--before")

    def of(self, scopes: str | Sequence[str], conversion: Conversion) -> Change:
        """What the tokens with these scopes gain and lose. Those that have new ones already do neither.

        :param scopes: as they were: words, or text.
        """
        words = split(scopes, "comma") if isinstance(scopes, str) else scopes
        if conversion.kept and (not conversion.old or conversion.words == tuple(words)):
            return Change()
        before = self._before.prepare(words, conversion)
        after = self._after.prepare(words, conversion)
        gained: list[Reached] = []
        lost: list[Reached] = []
        for method, path in self.routes:
            had = [self._before.passes(before, method, path, public=public) for public in (False, True)]
            has = [self._after.passes(after, method, path, public=public) for public in (False, True)]
            if None in had or None in has or had == has:
                continue
            more = [now and not then for then, now in zip(had, has, strict=True)]
            less = [then and not now for then, now in zip(had, has, strict=True)]
            for found, kind in ((gained, more), (lost, less)):
                if any(kind):
                    where: Where = "" if all(kind) else "public" if kind[1] else "not public"
                    found.append(Reached(path, method, where))
        return Change(tuple(sorted(gained)), tuple(sorted(lost)))


@final
class OldRoutes:
    """Rows with the old scopes that routes needed: all of them; none for any token."""

    def __init__(self, mapping: Mapping, rows: Iterable[tuple[str, str, Access]]) -> None:
        self._mapping = mapping
        self._access = {(method, path): access for method, path, access in rows}
        self.routes = list(self._access)

    def prepare(self, words: Sequence[str], conversion: Conversion) -> int | None:
        """The bits of its old scopes; ``None`` without a word: such a token could do nothing."""
        return conversion.old if words else None

    def passes(self, token: int | None, method: str, path: str, *, public: bool) -> bool | None:
        """Whether it passed."""
        access = self._access.get((method, path))
        if access is None or token is None:
            return None if access is None else False
        return self._mapping.passed(access, token, public=public)


@final
class NewRoutes:
    """Rows with what routes need of the new vocabulary."""

    def __init__(self, rows: Iterable[tuple[str, str, Access]]) -> None:
        self._access = {(method, path): access for method, path, access in rows}
        self.routes = list(self._access)

    def prepare(self, words: Sequence[str], conversion: Conversion) -> Conversion:
        """The conversion."""
        return conversion

    def passes(self, token: Conversion, method: str, path: str, *, public: bool) -> bool | None:
        """Whether it passes."""
        access = self._access.get((method, path))
        return None if access is None else passes(access, token.scopes, public=public)


@final
class PolicyRoutes:
    """A policy, before or after.

    :param old: whether the scopes of its vocabulary are the old ones.
    """

    def __init__(self, policy: Policy, *, old: bool) -> None:
        self._policy = policy
        self._old = old
        self._found: dict[tuple[str, str], Requirement | bool] = {}
        self.routes: Sequence[tuple[str, str]] = ()

    def own_routes(self) -> list[tuple[str, str]]:
        """A route for each of its rules and methods."""
        paths: list[tuple[str, Sequence[str]]] = []
        for group in self._policy.groups:
            paths.append((f"{self._policy.prefix}{group.path}", _METHODS))
            for route in group.routes:
                below = "" if route.path == "/" else route.path
                paths.append((f"{self._policy.prefix}{group.path.rstrip('/')}{below}", route.methods or _METHODS))
        return list(dict.fromkeys((method, path) for path, methods in paths for method in methods))

    def prepare(self, words: Sequence[str], conversion: Conversion) -> Any:
        """Its scopes, in the policy's vocabulary."""
        return self._policy.vocabulary.parse_known(words if self._old else conversion.words)[0]

    def passes(self, token: Any, method: str, path: str, *, public: bool) -> bool | None:
        """Whether a token passes that is bound to nothing, of an administrator; be it for what is its owner's."""
        key = (method, path)
        if key not in self._found:
            try:
                self._found[key] = self._policy.requirement(method, sample(path)) or True
            except AmbiguousPath:
                self._found[key] = False
        requirement = self._found[key]
        if isinstance(requirement, bool):
            return requirement
        if requirement.unmatched or requirement.accept == "session" or not token:
            return False
        restricted = token.public_only and requirement.public_only != "allow"
        if restricted and (requirement.public_only == "reject" or not public):
            return False
        return requirement.met_somehow_by(token.bits)


def side_at(path: str | os.PathLike[str], mapping: Mapping, *, old: bool) -> Side:
    """The side that a file describes: a policy in TOML, or JSON rows with ``method``, ``path``, and ``old_scopes`` or
    ``new_categories`` (or ``scopes``).

    :raises ConfigurationError: it is neither.
    """
    name = os.fspath(path)
    if not name.endswith(".json"):
        return PolicyRoutes(Policy.load(path), old=old)
    try:
        with open(path, encoding="utf-8") as file:
            rows = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"it cannot be read: {error}", where=name) from None
    if isinstance(rows, dict):
        rows = rows.get("routes")
    if not isinstance(rows, list) or not rows:
        raise ConfigurationError("expected a list of routes", where=name)
    read = [_row(row, mapping, f"{name}[{number}]", old=old) for number, row in enumerate(rows)]
    found = [each for entry in read for each in entry]
    known: dict[tuple[str, str], Access] = {}
    for method, route, access in found:
        if known.setdefault((method, route), access) != access:
            raise ConfigurationError(f"{method} {route} is there twice, with different needs", where=name)
    return OldRoutes(mapping, found) if old else NewRoutes(found)


def _row(row: Any, mapping: Mapping, where: str, *, old: bool) -> list[tuple[str, str, Access]]:
    if not isinstance(row, dict) or not isinstance(row.get("method"), str) or not isinstance(row.get("path"), str):
        raise ConfigurationError("expected a route with `method` and `path`", where=where)
    methods = list(_METHODS) if row["method"].upper() == "ANY" else [row["method"].upper()]
    categories = row.get("new_categories", row.get("categories"))
    before: Any = row.get("old_scopes", row.get("scopes") if old else [])
    if not isinstance(before, list):
        raise ConfigurationError("expected `old_scopes`, or `scopes`", where=where)
    lacking = [word for word in before if not isinstance(word, str) or word not in mapping.old]
    if lacking:
        raise ConfigurationError(f"{quoted(str(lacking[0]))} is no old scope", where=where)
    made = []
    for method in methods:
        new = 0
        if categories is not None:
            new = _need(mapping.target, categories, method, where)
        elif not old:
            new = _scopes(mapping.target, row.get("scopes"), where)
        access = access_of(before, new, mapping.old, mapping.target, mapping.about, mapping.public)
        made.append((method, row["path"], access))
    return made


def _need(vocabulary: Vocabulary, categories: Any, method: str, where: str) -> int:
    if not isinstance(categories, list):
        raise ConfigurationError("expected a list of categories", where=where)
    bits = 0
    for category in categories:
        if not isinstance(category, str) or category not in vocabulary.categories:
            raise ConfigurationError(f"{quoted(str(category))} is no category of {vocabulary.name}", where=where)
        need = vocabulary.need(category, vocabulary.actions_for(method))
        if need is None:
            return NOBODY
        bits |= need
    return bits


def _scopes(vocabulary: Vocabulary, words: Any, where: str) -> int:
    if not isinstance(words, list | str):
        raise ConfigurationError("expected `new_categories`, or `scopes`", where=where)
    parsed, unknown = vocabulary.parse_known(words)
    if unknown:
        raise ConfigurationError(f"unknown scope {quoted(unknown[0])}", where=where)
    if parsed.public_only or parsed.bound:
        raise ConfigurationError("a route needs scopes, not restrictions of them", where=where)
    return parsed.bits


def access_change(before: Side, after: Side) -> AccessChange:
    """The comparison of two sides. Where both are policies, their own rules are the routes."""
    if isinstance(before, PolicyRoutes) and isinstance(after, PolicyRoutes):
        routes = list(dict.fromkeys([*before.own_routes(), *after.own_routes()]))
        before.routes = after.routes = routes
    return AccessChange(before, after)
