"""Policies and paths to draw, for the property tests of this folder."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from scopeware.errors import ConfigurationError
from scopeware.policy import Group, Policy, Route
from scopeware.scopes import Vocabulary

DATA = Path(__file__).parent.parent / "data"

SEGMENTS = (
    "a",
    "b",
    "c",
    "<x{}>",
    "<x{}>",
    "<int:n{}>",
    "<any(a,b):k{}>",
    "<p{}>.<any(diff,patch):s{}>",
    "<path:rest{}>",
)
"""What drawn rules are made of; the braces take a number, so that no variable is there twice."""

TEXTS = ("a", "b", "c", "z", "7", "7.diff", "c.patch")
"""What drawn paths are made of: something for each kind of segment, and `z` for none but plain variables."""

SOME_PATHS = ("/", "/a", "/a/b", "/7/b/c", "/z/7.diff", "/c.patch/a/b", "/b/a/7/z", "/a/a/a/a/a", "/z/z")
"""Some paths made of them."""

_SCOPES: tuple[dict[str, Any], ...] = (
    {"scopes": ["user"]},
    {"scopes": ["user"]},
    {"scopes": ["issue"]},
    {"scopes": ["issue", "user"]},
    {"any_of": [["issue"], ["user", "misc"]]},
    {"scopes": []},
)


def path_of(segments: Sequence[str], first: int) -> str:
    return "/" + "/".join(segment.replace("{}", str(number)) for number, segment in enumerate(segments, first))


@st.composite
def _routes(draw: st.DrawFn) -> Route:
    path = path_of(draw(st.lists(st.sampled_from(SEGMENTS), max_size=2)), 10)
    return Route(
        path=path,
        methods=draw(st.sampled_from([None, None, ["GET"], ["POST"], ["GET", "PROPFIND"], ["DELETE", "POST"]])),
        bound=draw(st.sampled_from([None, None, None, "filter", "reject"])),
        **draw(st.sampled_from([*_SCOPES, {"require_token": False}])),
    )


@st.composite
def _groups(draw: st.DrawFn) -> Group:
    path = path_of(draw(st.lists(st.sampled_from(SEGMENTS), max_size=2)), 0)
    # What a variable for many segments holds is not settled where a group goes on after it.
    names = re.findall(r"(?<!path:)(?<=[<:])([a-z]+\d)>|<path:(\w+)>$", path)
    resource = draw(st.sampled_from([None, None, *(f"<{plain or last}>" for plain, last in names)]))
    routes = tuple(draw(st.lists(_routes(), max_size=3)))
    below = draw(st.sampled_from([True, True, True, False]))
    if not below:
        routes = tuple(replace(route, path="/") for route in routes)
    needs = draw(st.sampled_from(_SCOPES))
    lists = resource is None and needs != {"scopes": []}
    bound = draw(st.sampled_from([None, None, "filter"])) if lists else None
    return Group(path=path, below=below, routes=routes, resource=resource, bound=bound, **needs)


def as_far_as_it_loads(groups: Sequence[Group], load: Callable[[Sequence[Group]], Policy]) -> list[Group]:
    """`groups` without the rules that cannot stand beside the ones before them."""
    kept: list[Group] = []
    for group in groups:
        candidate = replace(group, routes=())
        try:
            load([*kept, candidate])
        except ConfigurationError:
            continue
        for route in group.routes:
            try:
                load([*kept, longer := replace(candidate, routes=(*candidate.routes, route))])
            except ConfigurationError:
                continue
            candidate = longer
        kept.append(candidate)
    return kept


@st.composite
def policies(draw: st.DrawFn, *, alike: bool = True) -> list[Group]:
    """Groups over a small alphabet that make a policy.

    :param alike: whether several groups may need the same; then they may cross.
    """
    drawn = draw(st.lists(_groups(), min_size=1, max_size=5))
    if not alike:
        names = list(Vocabulary.builtin("gitea").categories)
        drawn = [replace(group, scopes=[name], any_of=None) for group, name in zip(drawn, names, strict=False)]
    loading = as_far_as_it_loads(drawn, Policy)
    assume(loading)
    return loading


# -- the routes of two applications


def _werkzeug_rule(path: str) -> str:
    """A path of the route tables in werkzeug's syntax, without the prefix of the API."""
    path = path.removeprefix("/api/v1").replace("?/", "/")
    path = re.sub(r"\{(\w+):([\w|]+)\}", lambda found: f"<any({found[2].replace('|', ',')}):{found[1]}>", path)
    path = re.sub(r"\{([\w-]+)\}", lambda found: f"<{found[1].replace('-', '_')}>", path)
    return re.sub(r"\*$", "<path:rest>", path).rstrip("/") or "/"


def _table(name: str) -> tuple[tuple[str, str], ...]:
    routes = json.loads((DATA / f"{name}-routes.json").read_text("utf-8"))
    return tuple(dict.fromkeys((route["method"], _werkzeug_rule(route["path"])) for route in routes))


TABLES = {name: _table(name) for name in ("gitea", "timetracker")}
"""Method and rule of every route of two real applications; ``ANY`` is every method."""


def texts_of(rules: Sequence[str]) -> list[str]:
    """Literals of these rules, in order, and a few texts that only variables match."""
    literals = {text for rule in rules for text in rule.split("/") if text and "<" not in text}
    return [*sorted(literals), "alice", "7", "7.diff", "7.patch", "tarball", "x.y"]


@st.composite
def paths_like(draw: st.DrawFn, rules: Sequence[str], texts: Sequence[str]) -> str:
    """A path that one of `rules` matches, or one close to that."""
    segments: list[str] = []
    for segment in draw(st.sampled_from(rules)).strip("/").split("/"):
        if segment.startswith("<path:"):
            segments += draw(st.lists(st.sampled_from(texts), min_size=1, max_size=3))
        elif segment.startswith("<int:"):
            segments.append(draw(st.sampled_from(["7", "12", draw(st.sampled_from(texts))])))
        elif "<any" in segment:
            choice = draw(st.sampled_from(re.findall(r"\w+", re.findall(r"any\((.*?)\)", segment)[0])))
            segments.append(re.sub(r"<any.*>", choice, segment).replace("<index>", "7").replace("<sha>", "c0ffee"))
        elif segment.startswith("<"):
            segments.append(draw(st.sampled_from(texts)))
        else:
            segments.append(segment)
    change = draw(st.sampled_from(["as it is", "as it is", "as it is", "shorter", "longer", "other"]))
    if change == "shorter":
        segments.pop()
    elif change == "longer":
        segments.append(draw(st.sampled_from(texts)))
    elif change == "other":
        segments[draw(st.integers(0, len(segments) - 1))] = draw(st.sampled_from(texts))
    return "/" + "/".join(segments)


@st.composite
def table_policies(draw: st.DrawFn, table: str) -> tuple[list[Group], list[str]]:
    """Groups made of some routes of a table, and the rules they were made of."""
    chosen = draw(st.lists(st.sampled_from(TABLES[table]), min_size=2, max_size=14, unique=True))
    groups: dict[str, list[Route]] = {}
    for method, rule in chosen:
        segments = rule.strip("/").split("/")
        length = draw(st.integers(0, len(segments)))
        below = "/" + "/".join(segments[length:])
        routes = groups.setdefault("/" + "/".join(segments[:length]), [])
        if length < len(segments) or draw(st.booleans()):
            methods = None if method == "ANY" or draw(st.booleans()) else ["GET" if method == "HEAD" else method]
            routes.append(Route(path=below, methods=methods, **draw(st.sampled_from(_SCOPES))))
    drawn = [
        Group(path=path, routes=tuple(routes), **draw(st.sampled_from(_SCOPES))) for path, routes in groups.items()
    ]
    return as_far_as_it_loads(drawn, Policy), [rule for _, rule in chosen]
