"""Paths with variables, in werkzeug's rule syntax, and what can be said of two of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

from ..text import did_you_mean, near, quoted
from .segment import Kind, PatternError, Segment, below_all, parse_segment


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
        segments = [parse_segment(text, source) for text in texts]
        if below and segments and segments[-1].kind is Kind.MANY:
            segments[-1] = below_all(segments[-1])
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

    def matches(self, path: str) -> bool:
        """Whether a canonical path is one of this pattern."""
        match = self._regex.fullmatch(path if path != "/" else "")
        if match is None:
            return False
        single = [segment for segment in self.segments if segment.kind is not Kind.MANY]
        # What converters refuse, a regular expression may let pass; where segments are counted, each can be asked.
        return self.has_many or all(
            segment.accepts(text) for segment, text in zip(single, path[1:].split("/"), strict=False)
        )

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
        if self.names and sum(segment.kind is Kind.MANY for segment in pattern.segments) > 1:
            raise PatternError(
                f"in {quoted(pattern.source)} nobody can say where one <path:...> ends and the other begins"
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
