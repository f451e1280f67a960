"""A path that one with variables stands for, or that two of them share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from werkzeug.routing.rules import parse_converter_args

from .pattern import Pattern
from .segment import Kind, Segment

_TEXT = "x-7"
"""What hardly any path has as its own word."""
_VARIABLE = re.compile(r"<(?:(\w+)(?:\(([^<>]*)\))?:)?(\w+)>|\{(\w+)(?::([^}]*))?\}")
_STAR = re.compile(r"(?<=/)\*(?=/|$)")
_NAMED = re.compile(r"<(?:[^<>:]*:)?(\w+)>")
_MOST_WAYS = 16


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
        names = ("fixed_digits", "min", "max") if converter == "int" else ("min", "max")
        given = dict(zip(names, values, strict=False)) | options
        smallest, largest = given.get("min"), given.get("max")
        number = smallest if smallest is not None else 7 if largest is None else min(7, largest)
        return str(number).zfill(given.get("fixed_digits") or 0) if converter == "int" else f"{float(number)}"
    return "x" * (options.get("length") or options.get("minlength") or next(iter(values), 1))


def deep_sample(pattern: Pattern) -> str | None:
    """A path of `pattern` with more segments than :func:`sample` has; ``None`` where there is none."""
    if not pattern.below and not pattern.has_many:
        return None
    texts = (f"{_TEXT}/{_TEXT}" if segment.kind is Kind.MANY else segment.text for segment in pattern.segments)
    path = sample("".join(f"/{text}" for text in texts))
    return f"{path}/{_TEXT}" if pattern.below else path


def meeting(one: Pattern, other: Pattern) -> tuple[str, str] | None:
    """Paths that two patterns have in common: in werkzeug's rule syntax, and one that this stands for.

    ``None`` where there are none, or where none can be told.
    """
    for segments in islice(_aligned(one, other, 0, 0), _MOST_WAYS):
        for narrower in (_narrower, lambda first, second: _narrower(second, first)):
            path = distinct("".join(f"/{narrower(*pair).text}" for pair in segments) or "/")
            asked = sample(path)
            if one.matches(asked) and other.matches(asked):
                return path, asked
    return None


def distinct(path: str) -> str:
    """`path`, with a number after names that are there twice."""
    names = _NAMED.findall(path)
    seen: set[str] = set()

    def renamed(match: re.Match[str]) -> str:
        name = match[1]
        number = 2
        while name in seen or (name != match[1] and name in names):
            name = f"{match[1]}{number}"
            number += 1
        seen.add(name)
        return f"{match[0][: -len(match[1]) - 1]}{name}>"

    return _NAMED.sub(renamed, path)


def _narrower(one: Segment, other: Segment) -> Segment:
    return other if one.includes(other) else one


def _aligned(one: Pattern, other: Pattern, i: int, j: int) -> Iterator[list[tuple[Segment, Segment]]]:
    """The ways in which the segments of two patterns can stand for the same path, side by side."""
    mine, theirs = one.segments, other.segments
    if i == len(mine) or j == len(theirs):
        if i == len(mine) and (j == len(theirs) or one.below):
            yield [(segment, segment) for segment in theirs[j:]]
        elif j == len(theirs) and other.below:
            yield [(segment, segment) for segment in mine[i:]]
        return
    pair = (mine[i], theirs[j])
    if not mine[i].overlaps(theirs[j]):
        return
    nexts = [(i + 1, j + 1)]
    nexts += [(i, j + 1)] if mine[i].kind is Kind.MANY else []
    nexts += [(i + 1, j)] if theirs[j].kind is Kind.MANY else []
    for following in nexts:
        yield from ([pair, *rest] for rest in _aligned(one, other, *following))
