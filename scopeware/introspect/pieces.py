"""Paths put together from pieces: text, variables, regular expressions; each with all that it may stand for."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

from ..policy import distinct
from .paths import of_words, variable

# What reads regular expressions for Python itself; it has no other name.
codes: Any = importlib.import_module("re._constants")
parser: Any = importlib.import_module("re._parser")

_MOST_WAYS = 48
_MOST_REPEATED = 3
_CHOICE = re.compile(r"(?!\.\.?$)[\w.@+-]+")


@final
@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a path.

    :param text: what stands there; or empty, for a variable.
    :param name: of the variable, where it has one.
    :param kind: its converter: ``int``, ``float``, ``uuid``.
    :param many: whether there may be slashes in it.
    :param rough: whether it stands for more than the application takes.
    """

    text: str = ""
    name: str = ""
    kind: str = ""
    many: bool = False
    rough: bool = False


Way = tuple[Piece, ...]
"""Pieces one after another. What may be there in several ways is a list of them."""


@final
@dataclass(frozen=True, slots=True)
class Place:
    """A path in werkzeug's rule syntax, as of :class:`~.endpoint.Endpoint`."""

    path: str
    open: bool = False
    rough: bool = False


def text(written: str) -> list[Way]:
    """Text as it stands."""
    return [(Piece(written),)] if written else [()]


def named(name: str, kind: str = "", *, many: bool = False, rough: bool = False) -> list[Way]:
    """A variable; one with slashes may be empty."""
    piece = Piece(name=name or "x", kind=kind, many=many, rough=rough)
    return [(piece,), ()] if many else [(piece,)]


_WHATEVER: Way = (Piece(name="x", many=True, rough=True),)


def anything() -> list[Way]:
    """Whatever there may be."""
    return named("", many=True, rough=True)


def places(parts: Iterable[list[Way]], *, is_open: bool = False) -> list[Place]:
    """The paths that parts after one another stand for.

    :param is_open: whether anything may follow, be it in the middle of a word.
    """
    found = dict.fromkeys(place for way in together(parts) for place in _places(way, is_open))
    return list(found)


def together(parts: Iterable[list[Way]]) -> list[Way]:
    """Every way through parts after one another; where there are too many, something wider."""
    ways: list[Way] = [()]
    for part in parts:
        if len(ways) * len(part) > _MOST_WAYS:
            part = [_WHATEVER]  # noqa: PLW2901
        ways = list(dict.fromkeys((*before, *after) for before in ways for after in part))
    return ways


def _places(way: Way, is_open: bool) -> list[Place]:
    segments: list[list[Piece]] = [[]]
    for piece in way:
        if piece.text:
            first, *rest = piece.text.split("/")
            segments[-1] += [Piece(first)] if first else []
            segments += [[Piece(part)] if part else [] for part in rest]
        else:
            segments[-1].append(piece)
    ends_in_slash = not segments[-1]
    segments = [segment for segment in segments if segment]
    spelled = []
    rough = any(piece.rough for piece in way)
    for position, segment in enumerate(segments):
        last = position == len(segments) - 1
        if any(piece.many for piece in segment):
            if last and not is_open and len(segment) == 1 and segment[0] != _WHATEVER[0]:
                spelled.append(variable(segment[0].name or "rest", "path"))
                break
            # Where the slashes are, nobody knows: whatever lies below what is known.
            return [_spelled(spelled, is_open=True, rough=True)]
        if last and is_open and not ends_in_slash:
            # The word may go on.
            if all(piece.text for piece in segment):
                word = _segment(segment)
                ways = [word, f"{word}{variable('rest')}"]
                return [_spelled([*spelled, each], is_open=True, rough=True) for each in ways]
            wide = [variable(segment[0].name or "x")] if len(segment) == 1 else []
            return [_spelled([*spelled, *wide], is_open=True, rough=True)]
        spelled.append(_segment(segment))
    return [_spelled(spelled, is_open, rough)]


def _spelled(segments: list[str], is_open: bool, rough: bool) -> Place:
    return Place(distinct("/" + "/".join(segments)), is_open, rough)


def _segment(pieces: list[Piece]) -> str:
    joined: list[Piece] = []
    for piece in pieces:
        before = joined[-1] if joined else None
        if before is not None and bool(before.text) == bool(piece.text):
            # Two variables side by side are one, for all that can be told.
            one = Piece(before.text + piece.text) if piece.text else replace(before, kind="", rough=True)
            joined[-1] = one
        else:
            joined.append(piece)
    if len(joined) == 1 and not joined[0].text:
        return variable(joined[0].name or "x", joined[0].kind)
    return "".join(piece.text or variable(piece.name or "x") for piece in joined)


# -- regular expressions


def anchors(regex: str) -> tuple[bool, bool]:
    """Whether all of a regular expression begins at the start, and whether all of it ends at the end."""
    try:
        nodes = list(parser.parse(regex))
    except (re.error, RecursionError, OverflowError, ValueError):
        return False, False
    starts = [(codes.AT, codes.AT_BEGINNING), (codes.AT, codes.AT_BEGINNING_STRING)]
    ends = [(codes.AT, codes.AT_END), (codes.AT, codes.AT_END_STRING)]
    return bool(nodes) and nodes[0] in starts, bool(nodes) and nodes[-1] in ends


def of_regex(regex: str, name: str = "", flags: int = 0) -> list[Way]:
    """The ways in which a regular expression may match: all of them, and maybe more.

    :param name: of the variable that the whole of it is.
    :param flags: with which it is compiled.
    """
    try:
        tree = parser.parse(regex, flags)
        names = {number: word for word, number in tree.state.groupdict.items()}
        reader = _Reader(names)
        return reader.called(name, tree, tree.state.flags) if name else _tidy(reader.sequence(tree, tree.state.flags))
    except (re.error, RecursionError, OverflowError, ValueError):
        return anything()


def _tidy(ways: Iterable[Way]) -> list[Way]:
    found = list(dict.fromkeys(ways))
    return found if len(found) <= _MOST_WAYS else anything()


class _Reader:
    """Reads what a regular expression was parsed into.

    :param names: number of a group → its name.
    """

    def __init__(self, names: Mapping[int, str]) -> None:
        self._names = names

    def sequence(self, nodes: Iterable[Any], flags: int) -> list[Way]:
        """Ways through nodes after one another."""
        return together([self._node(code, value, flags) for code, value in nodes])

    def called(self, name: str, nodes: Any, flags: int) -> list[Way]:
        """The same, as one variable."""
        ways = _tidy(self.sequence(nodes, flags))
        empty = [way for way in ways if not way]
        full = [way for way in ways if way]
        slashed = [way for way in full if len(way) > 1 and way[-1].text == "/"]
        if not slashed:
            return [*self._variable(name, nodes, full), *empty]
        # A slash at its end is one after it.
        bare = self._variable(name, (), list(dict.fromkeys(way[:-1] if way in slashed else way for way in full)))
        return [*bare, *((*way, Piece("/")) for way in bare), *empty]

    @staticmethod
    def _variable(name: str, nodes: Any, full: list[Way]) -> list[Way]:
        """What stands for all of these ways, and is called so."""
        words = [way[0].text if len(way) == 1 else "".join(piece.text for piece in way) for way in full]
        texts = all(piece.text for way in full for piece in way)
        if texts and full and all(_CHOICE.fullmatch(word) for word in words):
            return full if len(words) == 1 else [(Piece(name=name, kind=of_words(words)),)]
        many = any(piece.many or "/" in piece.text for way in full for piece in way)
        if len(full) == 1 and not many and len(full[0]) > 1 and sum(not piece.text for piece in full[0]) == 1:
            return [tuple(piece if piece.text else replace(piece, name=name) for piece in full[0])]
        kind = "int" if _is_digits(nodes) else ""
        exact = bool(kind) or _is_segment(nodes) or (many and len(full) == 1 == len(full[0]) and _is_dots(nodes))
        return [(Piece(name=name, kind=kind, many=many, rough=not exact),)] if full else []

    def _node(self, code: Any, value: Any, flags: int) -> list[Way]:
        if code is codes.LITERAL:
            letter = chr(value)
            if flags & re.IGNORECASE and letter.swapcase() != letter:
                return [(Piece(rough=True),)]
            return text(letter)
        if code is codes.NOT_LITERAL:
            return [(Piece(many=chr(value) != "/", rough=True),)]
        if code is codes.ANY:
            return [(Piece(many=True, rough=True),)]
        if code is codes.IN:
            return _one_of(value, flags)
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            least, most, repeated = value
            return self._repeated(least, most, repeated, flags)
        if code is codes.SUBPATTERN:
            group, added, removed, inner = value
            inside = (flags | added) & ~removed
            if group in self._names:
                return self.called(self._names[group], inner, inside)
            return _tidy(self.sequence(inner, inside))
        if code is codes.ATOMIC_GROUP:
            return _tidy(self.sequence(value, flags))
        if code is codes.BRANCH:
            return _tidy(way for branch in value[1] for way in self.sequence(branch, flags))
        if code in (codes.AT, codes.ASSERT, codes.ASSERT_NOT):
            return [()]
        return anything()

    def _repeated(self, least: int, most: Any, inner: Any, flags: int) -> list[Way]:
        ways = self.sequence(inner, flags)
        nothing: list[Way] = [()] if least == 0 or () in ways else []
        if (least, most) in ((0, 1), (1, 1)):
            return _tidy([*ways, *nothing])
        pieces = [piece for way in ways for piece in way]
        if any(piece.many or "/" in piece.text for piece in pieces):
            return [(Piece(many=True, rough=True),), *nothing]
        if least == most and least <= _MOST_REPEATED and all(piece.text for piece in pieces):
            return together([ways] * least)
        return [(Piece(rough=True),), *nothing]


def _one_of(items: Sequence[tuple[Any, Any]], flags: int) -> list[Way]:
    letters = [chr(value) for code, value in items if code is codes.LITERAL]
    if len(letters) == len(items) <= _MOST_REPEATED and not flags & re.IGNORECASE:
        return [(Piece(letter),) for letter in letters]
    return [(Piece(many=_takes_slash(items), rough=True),)]


def _takes_slash(items: Sequence[tuple[Any, Any]]) -> bool:
    negated = any(code is codes.NEGATE for code, _ in items)
    found = False
    for code, value in items:
        if code is codes.LITERAL:
            found |= chr(value) == "/"
        elif code is codes.RANGE:
            found |= value[0] <= ord("/") <= value[1]
        elif code is codes.CATEGORY:
            found |= value in (codes.CATEGORY_NOT_DIGIT, codes.CATEGORY_NOT_SPACE, codes.CATEGORY_NOT_WORD)
    return found != negated


def _repeats(nodes: Any, inner: list[Any]) -> bool:
    """Whether it is one thing, once or more."""
    listed = list(nodes)
    if len(listed) != 1 or listed[0][0] not in (codes.MAX_REPEAT, codes.MIN_REPEAT):
        return False
    least, most, repeated = listed[0][1]
    return least == 1 and most is codes.MAXREPEAT and list(repeated) in inner


def _is_digits(nodes: Any) -> bool:
    digit = (codes.CATEGORY, codes.CATEGORY_DIGIT)
    return _repeats(nodes, [[(codes.IN, [digit])], [(codes.IN, [(codes.RANGE, (48, 57))])]])


def _is_segment(nodes: Any) -> bool:
    return _repeats(nodes, [[(codes.NOT_LITERAL, 47)]])


def _is_dots(nodes: Any) -> bool:
    return _repeats(nodes, [[(codes.ANY, None)]])
