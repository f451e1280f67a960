"""What views say of themselves."""

from __future__ import annotations

from typing import Any

from ..endpoint import Declared


def first_line(view: Any) -> str:
    """The first line of a view's own docstring."""
    doc = getattr(view, "__doc__", None)
    # What a class or a partial has from its kind says nothing of this one.
    if not isinstance(doc, str) or doc == getattr(type(view), "__doc__", None):
        return ""
    return next((line.strip() for line in doc.splitlines() if line.strip()), "")


def operation_of(view: Any, function: Any) -> int:
    """The same number for routes that a function answers, be it of a class that ``as_view`` makes a view of each time.
    What such views are told by their routes tells them apart, too."""
    view_class = getattr(view, "view_class", None) or getattr(view, "cls", None)
    if view_class is None:
        return id(view)
    if any(isinstance(value, tuple | dict) and value for value in _closure(view)):
        return id(view)  # of Flask: which was given arguments of its own
    told = [vars(view).get(name) for name in ("initkwargs", "view_initkwargs")]
    words = [
        (key, value if type(value) in (str, int, bool) else id(value))
        for table in told
        if type(table) is dict
        for key, value in sorted(table.items(), key=lambda item: str(item[0]))
    ]
    return hash((id(view_class), id(function), *words))


def _closure(view: Any) -> list[Any]:
    found = []
    for cell in getattr(view, "__closure__", None) or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # not made yet
            continue
    return found


def declared_by(*views: Any) -> Declared | None:
    """What ``req_token`` and ``req_scopes`` on a view, and on what in it answers, ask for."""
    distinct = {id(view): view for view in views}.values()
    guards = [guard for view in distinct for guard in getattr(view, "__scopeware__", ())]
    if not guards:
        return None
    scopes = tuple(dict.fromkeys(word for guard in guards for word in guard.scopes))
    by_session = any(guard.accept == "session" for guard in guards)
    return Declared((scopes,) if scopes else None, not all(guard.optional for guard in guards), by_session)
