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
_MIDDLES = ("7", "99", "123", "1234", "x", "x-7", "")


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
    for pairs in islice(_aligned(one, other, 0, 0), _MOST_WAYS):
        shared = [_shared(*pair) for pair in pairs]
        texts = [each for each in shared if each is not None]
        asked = "".join(f"/{text}" for _, text in texts) or "/"
        if len(texts) == len(pairs) and one.matches(asked) and other.matches(asked):
            return distinct("".join(f"/{rule}" for rule, _ in texts) or "/"), asked
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


def _shared(one: Segment, other: Segment) -> tuple[str, str] | None:
    """What two segments have in common: as a rule, and a text."""
    narrower = other if one.includes(other) else one
    if one.includes(other) or other.includes(one):
        return narrower.text, sample(f"/{narrower.text}")[1:]
    if words := sorted(word for word in one.choices | other.choices if one.accepts(word) and other.accepts(word)):
        return words[0], words[0]
    front, end = (max(pair, key=len) for pair in zip(one.ends, other.ends, strict=True))
    likely = [(segment.text, sample(f"/{segment.text}")[1:]) for segment in (one, other)]
    likely += [(one.text, f"{front}{middle}{end}") for middle in _MIDDLES]
    return next(((rule, text) for rule, text in likely if one.accepts(text) and other.accepts(text)), None)


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
