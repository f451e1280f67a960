"""Flask, and whatever else keeps its routes in a werkzeug ``Map``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..endpoint import Finder
from ..pieces import Piece, Way, anything, of_regex, text
from .view import declared_by, first_line, operation_of

_VARIABLE = re.compile(r"<(?:(?P<converter>\w+)(?:\((?P<arguments>[^<>]*)\))?:)?(?P<name>\w+)>")


def add(found: Finder, before: str, url_map: Any, views: Mapping[str, Any]) -> None:
    """Note the rules of a map.

    :param before: what stands before their paths.
    :param views: endpoint → view.
    """
    if getattr(url_map, "host_matching", False) or any(rule.subdomain for rule in url_map.iter_rules()):
        found.notes["some routes are for one host or subdomain only; the policy tells paths apart, not hosts"] = None
    for rule in url_map.iter_rules():
        name = rule.endpoint if isinstance(rule.endpoint, str) else getattr(rule.endpoint, "__name__", "")
        view = views.get(rule.endpoint) if isinstance(rule.endpoint, str) else rule.endpoint
        for methods, answering in _by_method(view, sorted(rule.methods or ())):
            found.add_places(
                methods,
                [text(before), *_parts(rule)],
                name=name,
                doc=first_line(answering),
                tags=_tags(name, view),
                declared=declared_by(view, answering),
                operation=0 if view is None or name.endswith("static") else operation_of(view, answering),
            )


def _parts(rule: Any) -> list[list[Way]]:
    parts = []
    end = 0
    converters = getattr(rule, "_converters", {})
    for match in _VARIABLE.finditer(rule.rule):
        parts += [text(rule.rule[end : match.start()]), _variable(match, converters.get(match["name"]))]
        end = match.end()
    return [*parts, text(rule.rule[end:])]


def _variable(match: re.Match[str], converter: Any) -> list[Way]:
    name = match["name"]
    if type(converter).__module__ != "werkzeug.routing.converters":
        return of_regex(str(getattr(converter, "regex", ".+")), name) if converter is not None else anything()
    kind = type(converter).__name__
    if kind == "PathConverter":
        return [(Piece(name=name, many=True),)]
    items = getattr(converter, "items", ())
    if any("/" in str(item) for item in items):
        return [way for item in items for way in text(str(item))]
    return [(Piece(name=name, kind=match[0][1:-1].rpartition(":")[0] if match["converter"] else ""),)]


def _by_method(view: Any, methods: list[str]) -> list[tuple[list[str], Any]]:
    """The functions that answer, where a class has one for each method."""
    view_class = getattr(view, "view_class", None)
    if view_class is None or not methods:
        return [(methods, view)]
    functions = {method: getattr(view_class, method.lower(), None) for method in methods}
    own = [([method], function) for method, function in functions.items() if callable(function)]
    rest = [method for method, function in functions.items() if not callable(function)]
    rest = [method for method in rest if method not in ("HEAD", "OPTIONS") or not own]
    return [*own, *([(rest, view)] if rest else [])]


def _tags(name: str, view: Any) -> tuple[str, ...]:
    """Blueprints, and what flask-restx keeps in its resources."""
    namespaces = getattr(getattr(view, "view_class", None), "__apidoc__", None)
    if isinstance(namespaces, dict) and isinstance(namespaces.get("tags"), list):
        return tuple(map(str, namespaces["tags"]))
    blueprint = name.rpartition(".")[0]
    return (blueprint,) if blueprint else ()
