"""Falcon: its compiled router, its sinks and static routes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..endpoint import Finder
from ..pieces import Piece, Way, named, of_regex, text
from .view import declared_by, first_line

_FIELD = re.compile(r"\{(?P<name>[^{}:]+)(?::(?P<converter>\w+)(?:\([^{}]*\))?)?\}")
_NEVER_EMPTY = ("int", "float", "uuid", "dt")


def add(found: Finder, before: str, app: Any) -> None:
    """Note the routes of a Falcon application."""
    router = getattr(app, "_router", None)
    roots = getattr(router, "_roots", None)
    if roots is None:
        found.lose(before or "/", "its router is not Falcon's own; no route of it is known")
    converters = getattr(getattr(router, "options", None), "converters", {})
    for node in _nodes(roots or []):
        if node.resource is None:
            continue
        parts = [text(before), *_parts(str(node.uri_template), converters)]
        for method, responder in sorted(node.method_map.items()):
            function = getattr(responder, "__func__", responder)
            if _is_default(function):
                continue
            found.add_places(
                (method,),
                parts,
                name=f"{type(node.resource).__name__}.{getattr(function, '__name__', '')}",
                doc=first_line(function) or first_line(type(node.resource)),
                declared=declared_by(function),
                operation=hash((id(node.resource), id(function))),
            )
    for entry in getattr(app, "_sinks", []):
        pattern, sink = entry[0], entry[1]
        ways = of_regex(pattern.pattern, flags=pattern.flags)
        found.add_places((), [text(before), ways], is_open=True, name=getattr(sink, "__name__", "sink"))
    for static in getattr(app, "_static_routes", []):
        static = static[0] if isinstance(static, tuple) else static  # noqa: PLW2901
        prefix = str(getattr(static, "_prefix", "/")).rstrip("/")
        found.add_places((), [text(before), text(f"{prefix}/")], is_open=True, name="static")


def _nodes(nodes: Any) -> Iterator[Any]:
    for node in nodes:
        yield node
        yield from _nodes(node.children)


def _parts(template: str, converters: Any) -> list[list[Way]]:
    parts = []
    end = 0
    for match in _FIELD.finditer(template):
        parts += [text(template[end : match.start()]), _variable(match, converters)]
        end = match.end()
        if end == len(template) and template[match.start() - 1] == "/" and match["converter"] not in _NEVER_EMPTY:
            parts[-1] = [*parts[-1], ()]  # which may be empty there
    return [*parts, text(template[end:])]


def _variable(match: re.Match[str], converters: Any) -> list[Way]:
    name, kind = match["name"].strip(), match["converter"] or ""
    converter = converters.get(kind) if hasattr(converters, "get") and kind else None
    if kind == "path" or getattr(converter, "CONSUME_MULTIPLE_SEGMENTS", False):
        return [(Piece(name=name, many=True, rough=kind != "path"),)]
    # What Falcon's own take is more than rules spell: `+7`, `1e3`, a UUID without hyphens.
    return named(name, rough=bool(kind))


def _is_default(function: Any) -> bool:
    """Whether Falcon answers itself: for methods that the resource has not."""
    module = str(getattr(function, "__module__", ""))
    return module == "falcon.responders" or module.startswith("falcon.app")
