"""How scopes are stored: between commas, between spaces, as a JSON list."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Literal

from ..errors import ConfigurationError
from ..text import quoted

Format = Literal["comma", "space", "json"]
FORMATS: tuple[Format, ...] = ("comma", "space", "json")
_LONGEST_SHOWN = 60


def split(text: str, form: Format) -> list[str]:
    """The words of a stored text; stray spaces and empty ones are left out.

    Commas and spaces both stand between scopes: whoever reads them afterwards takes them so.

    :raises ConfigurationError: JSON that is no list of texts.
    """
    if form != "json":
        return text.replace(",", " ").split()
    if not text.strip():
        return []
    try:
        words = json.loads(text)
    except (ValueError, RecursionError):
        words = None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ConfigurationError(f"expected a JSON list of texts: {quoted(text[:_LONGEST_SHOWN])}", where="scopes")
    return [word for part in words if (word := part.strip())]


def join(words: Iterable[str], form: Format) -> str:
    """The text to store."""
    if form == "json":
        listed = list(words)
        # Half a character is one in JSON's own notation only.
        return json.dumps(listed, ensure_ascii=any("\ud800" <= letter <= "\udfff" for letter in "".join(listed)))
    return (" " if form == "space" else ",").join(words)
