"""Paths with variables, in werkzeug's rule syntax, and what can be said of two of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import Any, final

from werkzeug.routing import Map, PathConverter, ValidationError
from werkzeug.routing.rules import parse_converter_args

from ..errors import ConfigurationError
from ..scopes.suggest import did_you_mean, near, quoted

_VARIABLE = re.compile(
    r"<(?:(?P<converter>[a-zA-Z_][a-zA-Z0-9_]*)(?:\((?P<arguments>[^<>]*)\))?:)?(?P<name>[a-zA-Z_][a-zA-Z0-9_]*)>"
)
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\?#<>;]|%(?:2[ef]|5c|00|3b|25)", re.IGNORECASE)
_MAP = Map()


class PatternError(ConfigurationError):
    """A path that is not in werkzeug's rule syntax, or that no request can have."""


class Kind(IntEnum):
    """What a segment matches, the most specific first."""

    LITERAL = 0
    CHOICE = 1
    COMPOSITE = 2
    TYPED = 3
    VARIABLE = 4
    MANY = 5


@final
@dataclass(frozen=True, slots=True)
class Segment:
    """What may stand between two slashes; a :attr:`Kind.MANY` matches one or more segments.

    Two segments are equal when they match the same, whatever their variables are called.
    """

    kind: Kind
    key: tuple[Any, ...]
    text: str = field(compare=False)
    regex: str = field(compare=False)
    accepts: Callable[[str], bool] = field(compare=False, repr=False)
    choices: frozenset[str] = field(default=frozenset(), compare=False)

    def includes(self, other: Segment) -> bool:
        """Whether all that `other` matches is matched by this segment too. ``False`` may mean: cannot tell."""
        if self.kind is Kind.MANY or self == other:
            return True
        if other.kind is Kind.MANY:
            return False
        if self.kind is Kind.VARIABLE:
            return True
        return bool(other.choices) and all(self.accepts(choice) for choice in other.choices)

    def overlaps(self, other: Segment) -> bool:
        """Whether something is matched by both. ``True`` may mean: cannot tell."""
        if self.choices:
            return any(other.accepts(choice) for choice in self.choices)
        return any(self.accepts(choice) for choice in other.choices) if other.choices else True


@final
@dataclass(frozen=True)
class Pattern:
    """A path with variables.

    :param source: as written.
    :param segments: what it is made of; none for the root.
    :param names: the variables, in order.
    :param below: whether it stands for everything below it, too.
    """

    source: str
    segments: tuple[Segment, ...]
    names: tuple[str, ...]
    below: bool = False

    @classmethod
    def parse(cls, source: str, *, below: bool = False) -> Pattern:
        """The pattern that `source` spells: ``/repos/<owner>/<repo>``, ``/<int:id>``, ``/raw/<path:rest>``,
        ``/<index>.<any(diff,patch):kind>``. A slash at the end makes no difference.

        :raises PatternError: no leading slash, an empty or dot segment, a character that no canonical path has, an
            unknown converter, a variable named twice.
        """
        if not source.startswith("/"):
            raise PatternError(f"a path starts with a slash: {quoted(source)}")
        trimmed = source[1:].removesuffix("/")
        names: list[str] = []
        texts = _split(trimmed, source) if trimmed else []
        segments = tuple(_segment(text, source, names) for text in texts)
        return cls(source, segments, tuple(names), below)

    def __post_init__(self) -> None:
        if len(set(self.names)) < len(self.names):
            twice = next(name for name in self.names if self.names.count(name) > 1)
            raise PatternError(f"the variable `{twice}` is there twice in {quoted(self.source)}")

    def __truediv__(self, below: Pattern) -> Pattern:
        """The pattern of the path `below` under this one.

        :raises PatternError: a variable is in both.
        """
        source = f"{self.source.removesuffix('/')}{below.source if below.segments else ''}" or "/"
        return Pattern(source, self.segments + below.segments, self.names + below.names)

    @property
    def has_many(self) -> bool:
        """Whether some variable matches more than one segment."""
        return any(segment.kind is Kind.MANY for segment in self.segments)

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        return re.compile("".join(f"/{segment.regex}" for segment in self.segments) + "(?:/.*)?", re.DOTALL)

    def params(self, path: str) -> dict[str, str]:
        """Variable → its text in `path`, which this pattern, or it with something below, matches; else nothing."""
        match = self._regex.fullmatch(path)
        return match.groupdict() if match else {}

    def positions(self, names: Sequence[str]) -> tuple[int, ...]:
        """Where in the pattern variables stand, for comparing templates across patterns."""
        return tuple(self.names.index(name) for name in names)

    @property
    def specificity(self) -> tuple[tuple[int, int], ...]:
        """A sort key: a pattern comes before every one that includes it."""
        end = ((len(Kind), self.below),)
        return tuple((segment.kind, len(segment.choices)) for segment in self.segments) + end

    def includes(self, other: Pattern) -> bool:
        """Whether every path of `other` is one of this pattern; ``False`` may mean: cannot tell."""
        mine, theirs = self.segments, other.segments

        def rest(i: int, j: int) -> bool:
            if i == len(mine):
                return self.below or (j == len(theirs) and not other.below)
            if j == len(theirs) or not mine[i].includes(theirs[j]):
                return False
            if rest(i + 1, j + 1):
                return True
            return mine[i].kind is Kind.MANY and rest(i, j + 1)

        return rest(0, 0)

    def overlaps(self, other: Pattern) -> bool:
        """Whether some path is of both patterns; ``True`` may mean: cannot tell."""
        mine, theirs = self.segments, other.segments

        def rest(i: int, j: int) -> bool:
            if i == len(mine):
                return self.below or j == len(theirs)
            if j == len(theirs):
                return other.below
            if not mine[i].overlaps(theirs[j]):
                return False
            return (
                rest(i + 1, j + 1)
                or (mine[i].kind is Kind.MANY and rest(i, j + 1))
                or (theirs[j].kind is Kind.MANY and rest(i + 1, j))
            )

        return rest(0, 0)

    def __str__(self) -> str:
        return self.source


@final
class Template:
    """Text with variables of a path in it: ``<owner>/<repo>``.

    :raises PatternError: a variable that the path does not have, or none at all.
    """

    __slots__ = ("_parts", "names", "source")

    def __init__(self, source: str, pattern: Pattern) -> None:
        self.source = source
        self._parts = re.split(r"<([a-zA-Z_][a-zA-Z0-9_]*)>", source)
        self.names = tuple(self._parts[1::2])
        for name in self.names:
            if name not in pattern.names:
                raise PatternError(
                    f"`<{name}>` is no variable of {quoted(pattern.source)}{did_you_mean(near(name, pattern.names))}"
                )
        if not self.names or set("".join(self._parts[::2])) & set("<>"):
            raise PatternError(f"{quoted(source)} names no variable of the path; write `<name>`")

    def fill(self, params: Mapping[str, str]) -> str:
        """The text for these variables."""
        return "".join(params[part] if odd % 2 else part for odd, part in enumerate(self._parts))

    def meaning(self, pattern: Pattern) -> tuple[object, ...]:
        """What tells two templates of two patterns apart: the text between, and where the variables stand."""
        return tuple(self._parts[::2]), pattern.positions(self.names)


def _split(trimmed: str, source: str) -> list[str]:
    """Split at the slashes outside of variables."""
    texts = [""]
    for piece in re.split(r"(<[^<>]*>|/)", trimmed):
        if piece == "/":
            texts.append("")
        else:
            texts[-1] += piece
    for text in texts:
        if text in ("", ".", ".."):
            raise PatternError(f"the segment {quoted(text)} in {quoted(source)} is in no canonical path")
    return texts


def _segment(text: str, source: str, names: list[str]) -> Segment:
    if "<" not in text and ">" not in text:
        return _literal(text, source)
    literals = []
    regexes = []
    keys: list[object] = []
    converters = []
    end = 0
    for found in _VARIABLE.finditer(text):
        literals.append(text[end : found.start()])
        end = found.end()
        converter, key = _converter(found["converter"] or "default", found["arguments"] or "", source)
        if found["name"].startswith("__"):
            raise PatternError(f"a variable cannot start with two underscores: `{found['name']}`")
        names.append(found["name"])
        converters.append(converter)
        keys += [literals[-1], key]
        regexes.append(f"{re.escape(literals[-1])}(?P<{found['name']}>{converter.regex})")
    literals.append(text[end:])
    for literal in literals:
        _check_literal(literal, source)
    keys.append(literals[-1])
    regex = "".join(regexes) + re.escape(literals[-1])
    if not any(literals) and len(converters) == 1:
        return _variable(converters[0], tuple(keys), text, regex)
    if any(isinstance(converter, PathConverter) for converter in converters):
        raise PatternError(f"a `path` variable is a segment of its own: {quoted(source)}")
    return Segment(Kind.COMPOSITE, tuple(keys), text, regex, _fullmatch(regex))


def _literal(text: str, source: str) -> Segment:
    _check_literal(text, source)
    return Segment(Kind.LITERAL, (text,), text, re.escape(text), text.__eq__, frozenset((text,)))


def _check_literal(text: str, source: str) -> None:
    if bad := _FORBIDDEN.search(text):
        raise PatternError(f"{quoted(bad[0])} cannot be in a path: {quoted(source)}")


def _variable(converter: Any, key: tuple[Any, ...], text: str, regex: str) -> Segment:
    """A segment that is one variable and nothing else."""
    if isinstance(converter, PathConverter):
        # At least one segment, and no empty one: what canonical paths are made of.
        return Segment(Kind.MANY, ("<many>",), text, regex, _anything)
    items = getattr(converter, "items", None)
    if items:
        if any("/" in item for item in items):
            raise PatternError(f"a choice cannot hold a slash: {quoted(text)}")
        return Segment(Kind.CHOICE, ("<choice>", frozenset(items)), text, regex, items.__contains__, frozenset(items))
    if converter.regex == _MAP.converters["default"](_MAP).regex:
        return Segment(Kind.VARIABLE, ("<variable>",), text, regex, _anything)
    return Segment(Kind.TYPED, key, text, regex, _acceptor(converter, regex))


def _converter(name: str, arguments: str, source: str) -> tuple[Any, object]:
    """werkzeug's own converter, so that a policy and an application read `<int(min=1):id>` alike."""
    made = _MAP.converters.get(name)
    if made is None:
        raise PatternError(
            f"unknown converter {quoted(name)} in {quoted(source)}{did_you_mean(near(name, _MAP.converters))}"
        )
    try:
        positional, keyword = parse_converter_args(arguments)
        return made(_MAP, *positional, **keyword), (name, positional, tuple(sorted(keyword.items())))
    except (TypeError, ValueError) as error:
        raise PatternError(f"{quoted(f'{name}({arguments})')} in {quoted(source)} does not work: {error}") from None


def _acceptor(converter: Any, regex: str) -> Callable[[str], bool]:
    if type(converter) is _MAP.converters["int"] and converter.regex == r"\d+" and _is_unbounded(converter):
        return str.isdecimal  # PERF: the same characters as \d+, a fifth of the time
    matches = re.compile(regex).fullmatch

    def accepts(text: str) -> bool:
        if matches(text) is None:
            return False
        try:
            converter.to_python(text)
        except (ValidationError, ValueError):
            return False
        return True

    return accepts


def _is_unbounded(converter: Any) -> bool:
    return not converter.fixed_digits and converter.min is None and converter.max is None


def _fullmatch(regex: str) -> Callable[[str], bool]:
    matches = re.compile(regex).fullmatch
    return lambda text: matches(text) is not None


def _anything(text: str) -> bool:
    return True
