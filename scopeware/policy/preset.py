"""Scopes that are often wanted together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from ..errors import ConfigurationError
from ..scopes import UnknownScope, Vocabulary
from ..text import did_you_mean, near, quoted


@final
@dataclass(frozen=True, slots=True)
class Preset:
    """Scopes to choose together, where tokens are made.

    :param name: what it is called.
    :param scopes: canonical text.
    :param description: one line for the people who choose.
    """

    name: str
    scopes: str
    description: str = ""


def read_presets(tables: Mapping[str, Any], vocabulary: Vocabulary) -> dict[str, Preset]:
    """The presets of a policy: name → a table with ``scopes`` (a list, or text) and ``description``.

    :raises ConfigurationError: a key or value that cannot be, a scope that nobody knows, no scope at all.
    """
    return {name: _preset(name, entry, vocabulary) for name, entry in tables.items()}


def _preset(name: str, entry: Any, vocabulary: Vocabulary) -> Preset:
    where = f"presets.{name}"
    if not name or not name.isprintable():
        raise ConfigurationError(f"{quoted(name)} cannot be a name", where="presets")
    if not isinstance(entry, Mapping):
        raise ConfigurationError("expected a table with `scopes` and `description`", where=where)
    for key in entry:
        if key not in ("scopes", "description"):
            hint = did_you_mean(near(key, ("scopes", "description")))
            raise ConfigurationError(f"unknown key {quoted(key)}{hint}", where=where)
    scopes, description = entry.get("scopes", ""), entry.get("description", "")
    if not isinstance(scopes, str) and not (isinstance(scopes, list) and all(isinstance(word, str) for word in scopes)):
        raise ConfigurationError("expected a list of scopes", where=f"{where}.scopes")
    if not isinstance(description, str):
        raise ConfigurationError("expected a string", where=f"{where}.description")
    try:
        known = vocabulary.parse(scopes)
    except UnknownScope as error:
        raise ConfigurationError(str(error), where=f"{where}.scopes") from None
    if not known:
        raise ConfigurationError("no scope at all", where=f"{where}.scopes")
    return Preset(name, known.as_granted, description)
