"""A path that one with variables stands for."""

from __future__ import annotations

import re
from typing import Any

from werkzeug.routing.rules import parse_converter_args

_TEXT = "x-7"
"""What hardly any path has as its own word."""
_VARIABLE = re.compile(r"<(?:(\w+)(?:\(([^<>]*)\))?:)?(\w+)>|\{(\w+)(?::([^}]*))?\}")


_STAR = re.compile(r"(?<=/)\*(?=/|$)")


def sample(path: str) -> str:
    """A path that `path` stands for, in werkzeug's rule syntax or with ``{name}``, ``{name:a|b}`` and ``*``."""

    def value(match: re.Match[str]) -> str:
        converter, options, alternatives = match[1], match[2], match[5]
        if alternatives:
            return alternatives.split("|")[0]
        if options:
            return _fitting(converter, *parse_converter_args(options))
        return {"int": "7", "float": "7.5", "uuid": "00000000-0000-4000-8000-000000000000"}.get(converter or "", _TEXT)

    return _STAR.sub("x", _VARIABLE.sub(value, path))


def _fitting(converter: str, values: tuple[Any, ...], options: dict[str, Any]) -> str:
    """A text that a converter takes."""
    if converter == "any":
        return str(values[0]) if values else "x"
    if converter in ("int", "float"):
        number = options.get("min", min(7, options.get("max", 7)))
        return str(number).zfill(options.get("fixed_digits", 0)) if converter == "int" else f"{float(number)}"
    return "x" * (options.get("length") or options.get("minlength") or next(iter(values), 1))
