"""Lengths of time as people write them: ``30d``, ``12h``."""

from __future__ import annotations

import re
from datetime import timedelta

from .errors import ConfigurationError
from .text import quoted

_FORM = re.compile(r"([0-9]{1,6})([smhdwy])")
_HIGHEST = 999_999
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}


def parse_duration(text: str) -> timedelta:
    """The length of time that ``90s``, ``15m``, ``12h``, ``30d``, ``2w`` or ``1y`` (365 days) says.

    :raises ConfigurationError: it says none, or none at all (``0d``).
    """
    match = _FORM.fullmatch(text)
    if match is None or not int(match[1]):
        raise ConfigurationError(f"{quoted(text)} is no length of time; write 12h, 30d, 2w or 1y")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def spell_duration(length: timedelta) -> str:
    """Such a text for a whole number of seconds, in days where that comes out even and can be read."""
    seconds = int(length.total_seconds())
    for unit in "dwyhm":
        number, rest = divmod(seconds, _SECONDS[unit])
        if not rest and number <= _HIGHEST:
            return f"{number}{unit}"
    return f"{seconds}s"
