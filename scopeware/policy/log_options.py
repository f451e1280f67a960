"""What is kept of requests, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import final

from ..text import quoted
from .table import require

_SINKS = ("database", "stdout")
_FILE = "file:"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """The access log: the policy's ``[access_log]`` table.

    :param to: where it goes: ``"database"`` (the store's), ``"stdout"``, ``"file:/var/log/access.jsonl"``; nowhere, if
        none is named.
    :param keep: how long rows stay in the database; for ever by default.
    :param allowed: the part of allowed requests that is kept, from 0 to 1. Refusals always are.
    :param flush: how often what has come together is written. It is what a ``kill -9`` may lose.
    :param most: how many rows may wait in memory.
    :raises ConfigurationError: a place, a part or a length that cannot be.
    """

    to: tuple[str, ...] = ("database",)
    keep: timedelta | None = field(default=None, metadata={"kind": timedelta})
    allowed: float = 1.0
    flush: timedelta = timedelta(seconds=1)
    most: int = 20_000

    def __post_init__(self) -> None:
        for place in self.to:
            known = place in _SINKS or (place.startswith(_FILE) and len(place) > len(_FILE))
            require(known, "to", f'"database", "stdout" or "file:/path", not {quoted(place)}')
        require(len(set(self.to)) == len(self.to), "to", "each place once")
        require(0 <= self.allowed <= 1, "allowed", "a part from 0 to 1")
        require(self.flush > timedelta(0), "flush", "a length of time that is not over at once")
        require(self.keep is None or self.keep > timedelta(0), "keep", "a length of time that is not over at once")
        require(self.most >= 100, "most", "room for 100 rows at least")
