"""How long tokens may live."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import final

from ..durations import parse_duration, spell_duration
from ..errors import ConfigurationError
from .table import require


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """What a deployment allows for the expiry of its tokens: the policy's ``[tokens]`` table.

    :param default_lifetime: for a token whose maker does not say; ``None`` for no expiry.
    :param max_lifetime: the longest there may be. With it, no token lives for ever.
    :param min_lifetime: the shortest that may be asked for.
    :param presets: lengths to choose from, as people write them; those beyond the longest are left out.
    :raises ConfigurationError: a default that is longer than the longest, a preset that is no length of time.
    """

    default_lifetime: timedelta | None = field(default=None, metadata={"kind": timedelta})
    max_lifetime: timedelta | None = field(default=None, metadata={"kind": timedelta})
    min_lifetime: timedelta | None = field(default=None, metadata={"kind": timedelta})
    presets: tuple[str, ...] = ("7d", "30d", "60d", "90d", "365d")

    def __post_init__(self) -> None:
        for key in ("default_lifetime", "max_lifetime", "min_lifetime"):
            length = getattr(self, key)
            require(length is None or length > timedelta(0), key, "a length of time that is not over at once")
        if self.max_lifetime is not None and self.default_lifetime is not None:
            require(
                self.default_lifetime <= self.max_lifetime,
                "default_lifetime",
                f"no more than max_lifetime, {spell_duration(self.max_lifetime)}",
            )
        if self.min_lifetime is not None:
            for key in ("default_lifetime", "max_lifetime"):
                length = getattr(self, key)
                shortest = spell_duration(self.min_lifetime)
                require(length is None or length >= self.min_lifetime, key, f"no less than min_lifetime, {shortest}")
        for preset in self.presets:
            try:
                parse_duration(preset)
            except ConfigurationError as error:
                raise error.at("presets") from None

    @property
    def may_be_endless(self) -> bool:
        """Whether a token may live for ever."""
        return self.max_lifetime is None

    @property
    def default(self) -> timedelta | None:
        """The length for a token whose maker does not say; ``None`` for no expiry."""
        return self.default_lifetime or self.max_lifetime

    @property
    def choices(self) -> tuple[str, ...]:
        """The presets that may be chosen, shortest first."""
        lengths = sorted({parse_duration(preset) for preset in self.presets})
        least, most = self.min_lifetime or timedelta(0), self.max_lifetime or timedelta.max
        return tuple(spell_duration(each) for each in lengths if least <= each <= most)
