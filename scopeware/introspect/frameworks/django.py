"""Django: its URL patterns, with the methods that views and Django REST framework's viewsets answer to."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..endpoint import Finder
from ..paths import of_words
from ..pieces import Piece, Way, anchors, anything, named, of_regex, text, together
from .view import declared_by, first_line, operation_of

_KINDS = {"IntConverter": "int", "UUIDConverter": "uuid", "StringConverter": "", "SlugConverter": ""}
_METHODS = ("get", "post", "put", "patch", "delete", "head", "options", "trace")
_VARIABLE = re.compile(r"<(?:(?P<converter>[^<>:]+):)?(?P<name>\w+)>")
_MOST = 20_000


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A URL pattern with all that stands before it."""

    ways: list[Way]
    tags: tuple[str, ...]
    entry: Any


def add(found: Finder, before: str) -> None:
    """Note the URL patterns of the project that is set up in this process."""
    resolvers = sys.modules["django.urls"]
    for number, leaf in enumerate(_walk(resolvers.get_resolver().url_patterns, text(f"{before}/"), (), ())):
        if number == _MOST:
            found.lose(before or "/", f"there are more than {_MOST:,} routes; the rest is left out")
            return
        name = leaf.entry.name or getattr(leaf.entry, "lookup_str", "")
        for methods, function, doc in _answering(leaf.entry.callback):
            found.add_in_order(
                methods,
                [leaf.ways],
                is_open=_is_open(leaf.entry.pattern),
                name=str(name),
                doc=doc,
                tags=leaf.tags,
                declared=declared_by(leaf.entry.callback, function),
                operation=operation_of(leaf.entry.callback, function),
            )


def _walk(patterns: Any, before: list[Way], tags: tuple[str, ...], above: tuple[Any, ...]) -> Iterator[_Leaf]:
    for entry in patterns:
        ways = together([before, _ways(entry.pattern, is_leaf=not hasattr(entry, "url_patterns"))])
        if not hasattr(entry, "url_patterns"):
            yield _Leaf(ways, tags, entry)
        elif entry not in above:  # patterns may include themselves
            inner = tuple(word for word in (entry.namespace or entry.app_name,) if word)
            yield from _walk(entry.url_patterns, ways, inner or tags, (*above, entry))


def _is_open(pattern: Any) -> bool:
    """Whether a view answers for whatever starts so: a regular expression without an end."""
    regex = getattr(pattern, "_regex", None)
    return regex is not None and not (str(regex).endswith("$") or anchors(str(regex))[1])


def _ways(pattern: Any, *, is_leaf: bool) -> list[Way]:
    """What one ``path()``, ``re_path()`` or ``i18n_patterns()`` takes, before whatever follows."""
    if hasattr(pattern, "language_prefix"):
        codes = [str(code) for code, _ in sys.modules["django.conf"].settings.LANGUAGES]
        ways: list[Way] = [(Piece(name="language", kind=of_words(codes)), Piece("/"))]
        return ways if pattern.prefix_default_language else [*ways, ()]
    if hasattr(pattern, "_route"):
        return [way for route in _in_all_languages(pattern._route) for way in _route(route, pattern)]
    found: list[Way] = []
    for regex in _in_all_languages(getattr(pattern, "_regex", "")):
        # Django looks anywhere for what has no beginning, unless it is all of the rest.
        anchored = anchors(regex)[0] or (is_leaf and regex.endswith("$"))
        found += together([text("") if anchored else anything(), of_regex(regex)])
    return found


def _in_all_languages(written: Any) -> list[str]:
    """A pattern as it is spelled in each of the project's languages, where it is translated."""
    if isinstance(written, str):
        return [written]
    translation = sys.modules["django.utils.translation"]
    spelled: dict[str, None] = {}
    for code, _ in sys.modules["django.conf"].settings.LANGUAGES:
        with translation.override(code):
            spelled[str(written)] = None
    return list(spelled) or [str(written)]


def _route(route: str, pattern: Any) -> list[Way]:
    parts = []
    end = 0
    for match in _VARIABLE.finditer(route):
        parts += [text(route[end : match.start()]), _variable(match, getattr(pattern, "converters", {}))]
        end = match.end()
    return together([*parts, text(route[end:])])


def _variable(match: re.Match[str], converters: Any) -> list[Way]:
    converter = converters.get(match["name"])
    kind = type(converter).__name__
    if converter is None or not type(converter).__module__.startswith("django.urls."):
        return of_regex(str(getattr(converter, "regex", "[^/]+")), match["name"])
    if kind == "PathConverter":
        return [(Piece(name=match["name"], many=True),)]
    return named(match["name"], _KINDS.get(kind, ""), rough=kind not in _KINDS)


def _answering(view: Any) -> Iterator[tuple[tuple[str, ...], Any, str]]:
    """Methods, the function that answers, and what is written about it."""
    actions = getattr(view, "actions", None)  # of a viewset
    view_class = getattr(view, "cls", None) or getattr(view, "view_class", None)
    doc = first_line(view)
    if isinstance(actions, dict) and view_class is not None:
        for method, action in sorted(actions.items()):
            function = getattr(view_class, action, None)
            yield (method.upper(),), function, first_line(function) or first_line(view_class)
        return
    if view_class is not None:
        allowed = [str(method).lower() for method in getattr(view_class, "http_method_names", _METHODS)]
        functions = {method: getattr(view_class, method, None) for method in allowed}
        own = {method: function for method, function in functions.items() if callable(function)}
        wanted = {method: own[method] for method in own if method not in ("head", "options", "trace")}
        if not wanted and _dispatches(view_class):
            yield (), view, first_line(view_class)
            return
        wanted = wanted or own
        for method, function in wanted.items():
            yield (method.upper(),), function, first_line(function) or first_line(view_class)
        if wanted:
            return
    yield tuple(getattr(view, "allowed_methods", ()) or _required(view)), view, doc


def _required(view: Any) -> tuple[str, ...]:
    """The methods that ``require_http_methods`` around a view lets through, where its closure tells."""
    while view is not None:
        for cell in getattr(view, "__closure__", None) or ():
            try:
                value = cell.cell_contents
            except ValueError:
                continue
            if isinstance(value, list | tuple) and value and all(map(_is_method, value)):
                return tuple(value)
        view = getattr(view, "__wrapped__", None)
    return ()


def _is_method(word: object) -> bool:
    return isinstance(word, str) and word.isupper() and word.lower() in _METHODS


def _dispatches(view_class: Any) -> bool:
    """Whether a view class finds out by itself what to do for a method."""
    dispatch = getattr(view_class, "dispatch", None)
    module = str(getattr(dispatch, "__module__", ""))
    return dispatch is not None and not module.startswith(("django.", "rest_framework."))
