"""What a conversion would do, before anything is done."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal, final

from ..text import did_you_mean, near
from .access import AccessChange, Change, Reached
from .column import Column
from .formats import Format, split
from .mapping import Conversion, Mapping

Kind = Literal["widen", "narrow"]


@final
@dataclass(frozen=True, slots=True)
class Line:
    """A stored text, what it becomes, and for how many tokens.

    :param new: ``None`` for a text that cannot be read, and is left as it is.
    :param change: what these tokens gain and lose, where routes are known.
    """

    old: str
    new: str | None
    count: int
    unknown: tuple[str, ...] = ()
    change: Change | None = None

    @property
    def is_changed(self) -> bool:
        """Whether rows with this text are written."""
        return self.new is not None and self.new != self.old

    @property
    def widens(self) -> bool:
        """Whether a token gains a route."""
        return self.change is not None and bool(self.change.gained)

    @property
    def narrows(self) -> bool:
        """Whether a token loses a route."""
        return self.change is not None and bool(self.change.lost)


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """What a conversion would do.

    :param lines: one for each distinct text, those of most tokens first.
    :param others: rows without a text, which are left as they are: by what they hold, how many.
    :param too_long: new texts that do not fit into the column.
    :param routes: how many routes were compared; ``None`` where none are known.
    """

    database: str
    table: str
    column: str
    mapping: str
    form: Format
    lines: tuple[Line, ...]
    others: dict[str, int]
    too_long: tuple[str, ...] = ()
    routes: int | None = None
    routes_left_out: int = 0
    suggestions: tuple[tuple[str, int, str], ...] = ()
    """Unknown words, with how many tokens have each, and what may have been meant."""

    @property
    def rows(self) -> int:
        """Rows with a text."""
        return sum(line.count for line in self.lines)

    @property
    def changed(self) -> int:
        """Rows that would be written."""
        return sum(line.count for line in self.lines if line.is_changed)

    def count(self, kind: Kind) -> int:
        """How many tokens reach more, or less."""
        return sum(line.count for line in self.lines if (line.widens if kind == "widen" else line.narrows))

    def routes_by_tokens(self, kind: Kind) -> list[tuple[Reached, int]]:
        """The routes that tokens gain, or lose, with how many do: most first."""
        found: Counter[Reached] = Counter()
        for line in self.lines:
            if line.change is not None:
                for route in line.change.gained if kind == "widen" else line.change.lost:
                    found[route] += line.count
        return sorted(found.items(), key=lambda item: (-item[1], item[0]))


def plan(column: Column, mapping: Mapping, form: Format = "comma", access: AccessChange | None = None) -> Plan:
    """What converting a column would do; nothing is changed.

    :param access: compares what tokens reach before and after.
    :raises StoreUnavailable: the database cannot be asked.
    """
    with column.answering():
        texts = column.texts()
        others = column.others()
    lines = [_line(text, count, mapping, form, access) for text, count in texts.items()]
    lines.sort(key=lambda line: (-line.count, line.old))
    unknown: dict[str, int] = {}
    for line in lines:
        for word in line.unknown:
            unknown[word] = unknown.get(word, 0) + line.count
    target = mapping.target
    restriction = [target.public_only] if target.public_only else []
    known = [*mapping.old.words, *target.scopes, *target.wildcards, *restriction]
    return Plan(
        database=column.name,
        table=column.place.table,
        column=column.place.column,
        mapping=mapping.name,
        form=form,
        lines=tuple(lines),
        others=others,
        too_long=tuple(
            line.new for line in lines if line.new is not None and line.is_changed and not column.fits(line.new)
        ),
        routes=len(access.routes) if access else None,
        routes_left_out=access.only_one if access else 0,
        suggestions=tuple(
            (word, count, did_you_mean(near(word[:100], known)).lstrip("; ")) for word, count in sorted(unknown.items())
        ),
    )


def _line(text: str, count: int, mapping: Mapping, form: Format, access: AccessChange | None) -> Line:
    try:
        words = split(text, form)
    except ValueError:
        return Line(text, None, count)
    conversion: Conversion = mapping.conversion(words)
    change = access.of(words, conversion) if access else None
    return Line(text, mapping.convert(text, form), count, conversion.unknown, change)
