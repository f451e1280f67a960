"""Paths with variables, in werkzeug's rule syntax, and what can be said of two of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import cached_property
from typing import Any, final

from werkzeug.routing import (
    AnyConverter,
    IntegerConverter,
    Map,
    PathConverter,
    UnicodeConverter,
    ValidationError,
)
from werkzeug.routing.converters import NumberConverter
from werkzeug.routing.rules import parse_converter_args

from ..errors import ConfigurationError
from ..text import did_you_mean, near, quoted
from .path import AmbiguousPath

_VARIABLE = re.compile(
    r"<(?:(?P<converter>[a-zA-Z_][a-zA-Z0-9_]*)(?:\((?P<arguments>[^<>]*)\))?:)?(?P<name>[a-zA-Z_][a-zA-Z0-9_]*)>"
)
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\\?#<>;]|%(?:2[ef]|5c|00|3b|25|0[ad])", re.IGNORECASE)
_LONGEST = 255
_MAP = Map()
_ANY_SEGMENT = UnicodeConverter(_MAP).regex
_VARIABLE_KEY = ("<variable>",)


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
    names: tuple[str, ...] = field(default=(), compare=False)
    letters: str = field(default="", compare=False)
    """What stands literally beside variables."""
    digits_only: bool = field(default=False, compare=False)

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
        if other.choices:
            return any(self.accepts(choice) for choice in other.choices)
        if self.kind is Kind.TYPED and other.kind is Kind.COMPOSITE:
            return self.may_hold(other.letters)
        if other.kind is Kind.TYPED and self.kind is Kind.COMPOSITE:
            return other.may_hold(self.letters)
        return True

    def takes(self, sign: str | Segment | None) -> bool:
        """Whether a text, everything that another segment matches, or anything at all is matched."""
        if self.kind in (Kind.VARIABLE, Kind.MANY):
            return True
        return self.accepts(sign) if isinstance(sign, str) else self == sign

    def may_hold(self, letters: str) -> bool:
        """Whether these characters can all be in what the segment matches; ``True`` may mean: cannot tell."""
        return not self.digits_only or not letters or letters.isdecimal()


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
        texts = _split(source[1:].removesuffix("/"), source) if source != "/" else []
        segments = [_segment(text, source) for text in texts]
        if below and segments and segments[-1].kind is Kind.MANY:
            # With all that is below, one segment and many match the same; the variable stands for all of it.
            regex = f"(?P<{segments[-1].names[0]}>.+)"
            segments[-1] = replace(segments[-1], kind=Kind.VARIABLE, key=_VARIABLE_KEY, regex=regex)
        names = tuple(name for segment in segments for name in segment.names)
        return cls(source, tuple(segments), names, below)

    def __post_init__(self) -> None:
        if len(set(self.names)) < len(self.names):
            twice = next(name for name in self.names if self.names.count(name) > 1)
            raise PatternError(f"the variable `{twice}` is there twice in {quoted(self.source)}")

    def __truediv__(self, below: Pattern) -> Pattern:
        """The pattern of the path `below` under this one.

        :raises PatternError: a variable is in both.
        """
        above = Pattern.parse(self.source) if self.below and "<path" in self.source else self
        source = f"{self.source.removesuffix('/')}{below.source if below.segments else ''}" or "/"
        return Pattern(source, above.segments + below.segments, self.names + below.names)

    @property
    def has_many(self) -> bool:
        """Whether some variable matches more than one segment."""
        return any(segment.kind is Kind.MANY for segment in self.segments)

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        regex = "".join(f"/{segment.regex}" for segment in self.segments)
        return re.compile(f"{regex}(?:/.*)?" if self.below else regex, re.DOTALL)

    def params(self, path: str) -> dict[str, str]:
        """Variable → its text in `path`, which this pattern matches; else nothing."""
        match = self._regex.fullmatch(path)
        return match.groupdict() if match else {}

    def places(self, names: Sequence[str]) -> tuple[object, ...]:
        """Where in a path these variables stand, for comparing templates across patterns."""
        if self.has_many:
            return (self.source, *names)
        where = {
            name: (index, place)
            for index, segment in enumerate(self.segments)
            for place, name in enumerate(segment.names)
        }
        return tuple(where[name] for name in names)

    @property
    def specificity(self) -> tuple[tuple[int, int], ...]:
        """A sort key: a pattern comes before every one that includes it, variables for many segments aside."""
        end = ((len(Kind), self.below),)
        return tuple((segment.kind, len(segment.choices)) for segment in self.segments) + end

    def includes(self, other: Pattern) -> bool:
        """Whether every path of `other` is one of this pattern; ``False`` may mean: cannot tell."""
        if self.has_many or other.has_many:
            return self._includes_on_all_ways(other)
        mine, theirs = self.segments, other.segments
        if len(mine) > len(theirs) or not all(one.includes(two) for one, two in zip(mine, theirs, strict=False)):
            return False
        return self.below or (len(mine) == len(theirs) and not other.below)

    def _includes_on_all_ways(self, other: Pattern) -> bool:
        """Follow both patterns at once, along everything that tells their segments apart, and look for an end of
        `other` that is none of this one."""
        texts = {choice for segment in (*self.segments, *other.segments) for choice in segment.choices}
        kinds = {segment for segment in other.segments if segment.kind in (Kind.TYPED, Kind.COMPOSITE)}
        start = (frozenset((0,)), frozenset((0,)))
        seen = {start}
        todo = [start]
        while todo:
            theirs, mine = todo.pop()
            if len(other.segments) in theirs and len(self.segments) not in mine:
                return False
            for sign in (*texts, *kinds, None):
                reached = (other._advance(theirs, sign), self._advance(mine, sign))
                if reached[0] and reached not in seen:
                    seen.add(reached)
                    todo.append(reached)
        return True

    def _advance(self, places: frozenset[int], sign: str | Segment | None) -> frozenset[int]:
        """Where one more segment leads from these places: a text, one of a kind, or one that is like no other."""
        reached = set()
        for place in places:
            if place == len(self.segments):
                reached |= {place} if self.below else set()
            elif self.segments[place].takes(sign):
                reached.add(place + 1)
            if place and self.segments[place - 1].kind is Kind.MANY:
                reached.add(place)
        return frozenset(reached)

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
        if self.names and pattern.below and pattern.has_many:
            raise PatternError(
                f"in {quoted(pattern.source)}, which covers what is below it, nobody can say where <path:...> ends; "
                "put the template on a route"
            )
        if not self.names or set("".join(self._parts[::2])) & set("<>"):
            raise PatternError(f"{quoted(source)} names no variable of the path; write `<name>`")

    def fill(self, params: Mapping[str, str]) -> str:
        """The text for these variables."""
        return "".join(params[part] if odd % 2 else part for odd, part in enumerate(self._parts))

    def meaning(self, pattern: Pattern) -> tuple[object, ...]:
        """What tells two templates of two patterns apart: the text between, and where the variables stand."""
        return tuple(self._parts[::2]), pattern.places(self.names)


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


def _segment(text: str, source: str) -> Segment:
    if "<" not in text and ">" not in text:
        _check_literal(text, source)
        return Segment(Kind.LITERAL, (text,), text, re.escape(text), text.__eq__, frozenset((text,)))
    literals = []
    keys: list[object] = []
    converters: dict[str, Any] = {}
    regex = ""
    end = 0
    for found in _VARIABLE.finditer(text):
        name, literal = found["name"], text[end : found.start()]
        end = found.end()
        if name.startswith("__"):
            raise PatternError(f"a variable cannot start with two underscores: `{name}`")
        if name in converters:
            raise PatternError(f"the variable `{name}` is there twice in {quoted(source)}")
        converter, key = _converter(found["converter"] or "default", found["arguments"] or "", source)
        converters[name] = converter
        literals.append(literal)
        keys += [literal, key]
        regex += f"{re.escape(literal)}(?P<{name}>{converter.regex})"
    literals.append(text[end:])
    for literal in literals:
        _check_literal(literal, source)
    keys.append(literals[-1])
    regex += re.escape(literals[-1])
    try:
        accepts = _acceptor(re.compile(regex), converters)
    except (re.error, OverflowError) as error:
        raise PatternError(f"{quoted(text)} in {quoted(source)} does not work: {error}") from None
    names = tuple(converters)
    if not any(literals) and len(converters) == 1:
        return _variable(converters[names[0]], Segment(Kind.TYPED, tuple(keys), text, regex, accepts, names=names))
    if any(isinstance(converter, PathConverter) for converter in converters.values()):
        raise PatternError(f"a `path` variable is a segment of its own: {quoted(source)}")
    return Segment(Kind.COMPOSITE, tuple(keys), text, regex, accepts, names=names, letters="".join(literals))


def _check_literal(text: str, source: str) -> None:
    if bad := _FORBIDDEN.search(text):
        raise PatternError(f"{quoted(bad[0])} cannot be in a path: {quoted(source)}")


def _variable(converter: Any, typed: Segment) -> Segment:
    """A segment that is one variable and nothing else."""
    if isinstance(converter, PathConverter):
        # At least one segment, and no empty one: what canonical paths are made of.
        return replace(typed, kind=Kind.MANY, key=("<many>",), accepts=_anything)
    if isinstance(converter, AnyConverter):
        choices = frozenset(converter.items)
        for choice in choices:
            if "/" in choice:
                raise PatternError(f"a choice cannot hold a slash: {quoted(typed.text)}")
            if choice in ("", ".", ".."):
                raise PatternError(f"{quoted(choice)} is in no canonical path: {quoted(typed.text)}")
        if not choices:
            raise PatternError(f"there is nothing to choose from: {quoted(typed.text)}")
        return replace(
            typed, kind=Kind.CHOICE, key=("<choice>", choices), accepts=choices.__contains__, choices=choices
        )
    if converter.regex == _ANY_SEGMENT:
        return replace(typed, kind=Kind.VARIABLE, key=_VARIABLE_KEY, accepts=_anything)
    if isinstance(converter, IntegerConverter) and not (converter.signed or _bounded(converter)):
        return replace(
            typed, accepts=str.isdecimal, digits_only=True
        )  # PERF: the same characters as \d+, a fifth of the time
    return typed


def _converter(name: str, arguments: str, source: str) -> tuple[Any, object]:
    """werkzeug's own converter, so that a policy and an application read `<int(min=1):id>` alike."""
    made = _MAP.converters.get(name)
    if made is None:
        raise PatternError(
            f"unknown converter {quoted(name)} in {quoted(source)}{did_you_mean(near(name, _MAP.converters))}"
        )
    try:
        positional, keyword = parse_converter_args(arguments)
        converter = made(_MAP, *positional, **keyword)
        if isinstance(converter, NumberConverter):
            _bounded(converter)
    except (TypeError, ValueError) as error:
        raise PatternError(f"{quoted(f'{name}({arguments})')} in {quoted(source)} does not work: {error}") from None
    return converter, (name, positional, tuple(sorted(keyword.items())))


def _bounded(converter: NumberConverter) -> bool:
    """Whether a number is more than its digits.

    :raises TypeError: a bound is no number.
    """
    bounds = (converter.fixed_digits or None, converter.min, converter.max)
    return any(bound is not None and bound + 0 == bound for bound in bounds)


def _acceptor(regex: re.Pattern[str], converters: Mapping[str, Any]) -> Callable[[str], bool]:
    """Whether werkzeug would take a segment: it matches, and each converter likes its part."""
    judging = [(name, converter) for name, converter in converters.items() if converter.regex != _ANY_SEGMENT]

    def accepts(text: str) -> bool:
        # Several variables side by side can be told apart in as many ways; frameworks pay for that, too.
        if len(converters) > 1 and len(text) > _LONGEST:
            raise AmbiguousPath("it has a segment too long to be taken apart")
        match = regex.fullmatch(text)
        if match is None:
            return False
        try:
            for name, converter in judging:
                converter.to_python(match[name])
        except (ValidationError, ValueError):
            return False
        return True

    return accepts


def _anything(text: str) -> bool:
    return True
