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


def declared_by(view: Any) -> Declared | None:
    """What ``req_token`` and ``req_scopes`` on a view ask for."""
    guards = getattr(view, "__scopeware__", ())
    if not guards:
        return None
    scopes = tuple(dict.fromkeys(word for guard in guards for word in guard.scopes))
    by_session = any(guard.accept == "session" for guard in guards)
    return Declared((scopes,) if scopes else None, not all(guard.optional for guard in guards), by_session)
