"""Pyramid: routes with their views; what it finds by traversal cannot be known beforehand."""

from __future__ import annotations

import re
import sys
from typing import Any

from ..endpoint import Finder
from ..pieces import Way, named, of_regex, text
from .view import declared_by, first_line

_TRAVERSAL = (
    "some views are found by traversal, through objects that exist only while the application runs: "
    "which paths lead to them nobody can say; guard the part of the site where they lie as a whole"
)
_REST = re.compile(r"\*\w*$")
_OLD = re.compile(r":(?P<name>[_a-zA-Z]\w*)")
_VARIABLE = re.compile(r"\{(?P<name>\w+)(?::(?P<regex>(?:[^{}]|\{[^{}]*\})+))?\}")


def add(found: Finder, before: str, app: Any) -> None:
    """Note the routes of a Pyramid router."""
    registry = app.registry
    introspector = getattr(registry, "introspector", None)
    if introspector is None or not introspector.categories():
        found.lose(before or "/", "it keeps no list of its views (introspection=False); some are not known")
    views = _views(registry)
    known = _route_methods(registry)
    mapper = registry.queryUtility(sys.modules["pyramid.interfaces"].IRoutesMapper)
    routes = mapper.get_routes() if mapper is not None else []
    for route in routes:
        parts, is_open = _parts(route.pattern)
        answering = views.get(route.name, [])
        own = known.get(route.name)
        listed = [(view["request_methods"] or own, view["callable"]) for view in answering]
        # A route without a view of its own may have those that are found by traversal below it.
        is_open = is_open or (getattr(route, "factory", None) is not None and not listed)
        for methods, view in listed or [(own, None)]:
            found.add_in_order(
                _methods(methods),
                [text(before), *parts],
                name=route.name,
                doc=first_line(view),
                tags=(),
                is_open=is_open,
                declared=declared_by(view),
                operation=id(view) if view is not None else 0,
            )
    if any(not view["route_name"] and not _is_pyramids(view) for entries in views.values() for view in entries):
        found.notes[_TRAVERSAL] = None
        found.add((), before or "/", name="traversal", open=True, rough=True)


def _views(registry: Any) -> dict[str, list[dict[str, Any]]]:
    introspector = getattr(registry, "introspector", None)
    by_route: dict[str, list[dict[str, Any]]] = {}
    for entry in (introspector.get_category("views") if introspector is not None else None) or []:
        view = entry["introspectable"]
        by_route.setdefault(view.get("route_name") or "", []).append(
            {key: view.get(key) for key in ("request_methods", "callable", "route_name", "context", "name")}
        )
    return by_route


def _route_methods(registry: Any) -> dict[str, Any]:
    """Route → the methods that it is for."""
    introspector = getattr(registry, "introspector", None)
    entries = (introspector.get_category("routes") if introspector is not None else None) or []
    return {entry["introspectable"].get("name"): entry["introspectable"].get("request_methods") for entry in entries}


def _is_pyramids(view: dict[str, Any]) -> bool:
    """Whether a view is one that Pyramid adds by itself: for exceptions, for files."""
    context = view["context"]
    if isinstance(context, type) and issubclass(context, Exception):
        return True
    if getattr(context, "__name__", "") == "IExceptionResponse":
        return True
    return "pyramid.static" in str(getattr(type(view["callable"]), "__module__", ""))


def _methods(predicate: Any) -> tuple[str, ...]:
    """Those that a view is for; none, for any, where they are said in another way: ``not_("GET")``."""
    if isinstance(predicate, str):
        return (predicate,)
    listed = tuple(predicate) if isinstance(predicate, list | tuple) else ()
    return listed if all(isinstance(each, str) for each in listed) else ()


def _parts(pattern: str) -> tuple[list[list[Way]], bool]:
    """A pattern, which needs no slash in front, and whether ``*rest`` stands for all that follows."""
    written = pattern if pattern.startswith("/") else f"/{pattern}"
    written, star = _REST.subn("", written)
    syntax = _VARIABLE if _VARIABLE.search(written) else _OLD
    parts = []
    end = 0
    for match in syntax.finditer(written):
        parts.append(text(written[end : match.start()]))
        end = match.end()
        regex = match.groupdict().get("regex")
        parts.append(of_regex(regex, match["name"]) if regex else named(match["name"]))
    return [*parts, text(written[end:])], bool(star)
