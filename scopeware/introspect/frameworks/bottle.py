"""Bottle, of any copy: many projects bring their own along."""

from __future__ import annotations

import re
from typing import Any

from ..endpoint import Finder
from ..paths import joined
from ..pieces import Piece, Way, named, of_regex, text
from .view import declared_by, first_line

# <name>, <name:filter>, <name:re:...>, and what was written before 0.10: :name and :name#regex#
_SYNTAX = re.compile(
    r"(?P<escape>\\*)(?:<(?P<name>[a-zA-Z_]\w*)?(?::(?P<filter>[a-zA-Z_]\w*)(?::(?P<config>(?:\\.|[^\\>])+)?)?)?>"
    r"|:(?P<old>[a-zA-Z_]\w*)?(?:\#(?P<regex>.*?)\#)?)"
)


def add(found: Finder, before: str, app: Any) -> list[tuple[str, Any]]:
    """Note the routes of a Bottle; what is mounted in it is returned, each with what stands before its paths."""
    mounted: dict[tuple[str, int], tuple[str, Any]] = {}
    for route in sorted(app.routes, key=_turn):
        config = getattr(route, "config", {})
        if "mountpoint.target" in config:
            target = config["mountpoint.target"]
            prefix = joined(before, str(config["mountpoint.prefix"]))
            mounted[prefix, id(target)] = (prefix, target)
            continue
        method = str(route.method).upper()
        view = route.callback
        found.add_in_order(
            () if method in ("ANY", "PROXY") else (method,),
            [text(before), *_parts(str(route.rule))],
            name=route.name or getattr(view, "__name__", ""),
            doc=first_line(view),
            declared=declared_by(view),
            operation=id(view),
        )
    return list(mounted.values())


def _turn(route: Any) -> tuple[bool, bool]:
    """Bottle tries what is for a method first, and what has no variables first; else in the order of definition."""
    return str(route.method).upper() == "ANY", _SYNTAX.search(str(route.rule)) is not None


def _parts(rule: str) -> list[list[Way]]:
    rule = rule if rule.startswith("/") else f"/{rule}"
    parts = []
    end = 0
    for match in _SYNTAX.finditer(rule):
        parts.append(text(rule[end : match.start()]))
        end = match.end()
        if len(match["escape"]) % 2:
            parts.append(text(match[0][len(match["escape"]) :]))
        else:
            parts += [text(match["escape"]), _variable(match)]
    return [*parts, text(rule[end:])]


def _variable(match: re.Match[str]) -> list[Way]:
    name = match["name"] or match["old"] or "x"
    kind = match["filter"]
    if kind in ("int", "float"):  # which may be negative here
        return named(name, rough=True)
    if kind == "path":
        return [(Piece(name=name, many=True),)]
    if kind and kind != "re":  # a filter of the application's own
        return named(name, many=True, rough=True)
    regex = match["config"] if kind == "re" else match["regex"]
    return of_regex(regex, name) if regex else named(name)
