"""Words in messages: quoted, fit to be printed, with near matches for those that nobody knows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST = 80
"""Longer words are cut in messages, and get no suggestion: comparing them costs quadratic time."""


def near(word: str, known: Iterable[str], most: int = 3) -> tuple[str, ...]:
    """The known words closest to `word`, best first, at most `most` of them."""
    if len(word) > _LONGEST:
        return ()
    candidates = {known_word.lower(): known_word for known_word in known}
    return tuple(candidates[match] for match in difflib.get_close_matches(word.lower(), candidates, n=most, cutoff=0.6))


def quoted(word: str) -> str:
    """`word` in backticks, fit to be printed: escaped where it is not printable, cut where it is long."""
    shown = printable(word)
    if len(shown) > _LONGEST:
        shown = f"{shown[: _LONGEST - 3]}..."
    return f"`{shown}`"


def printable(text: str) -> str:
    """`text`, with what is not printable escaped."""
    return text if text.isprintable() else text.encode("unicode_escape", "backslashreplace").decode("ascii")


def is_storable(text: str) -> bool:
    """Whether any database can hold a text: it can be written as UTF-8, and has no NUL."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def did_you_mean(suggestions: Iterable[str]) -> str:
    """``; did you mean `a` or `b`?``, or nothing where there is nothing to suggest."""
    words = [f"`{word}`" for word in suggestions]
    return f"; did you mean {' or '.join(words)}?" if words else ""


def counted(count: int, word: str) -> str:
    """``1 route``, ``2 routes``."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"
