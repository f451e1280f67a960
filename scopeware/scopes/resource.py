"""The resources that a grant can be bound to, as text: ``alice/widgets``, ``alice/*``."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote, unquote

_SAFE = "/@:+=!$&'()~;"
_BELOW = "/*"
_MOST_SEGMENTS = 32
"""Deeper resources are in nobody's grants but those for all below one."""


def encode(resource: str) -> str:
    """A resource as it stands in a grant: what would be read as something else there is percent-encoded."""
    return quote(resource, safe=_SAFE, errors="surrogatepass")


def canonical_pattern(text: str) -> str | None:
    """The one spelling of a resource, or of all below one (``alice/*``), as it stands in a grant; ``None`` for text
    that is neither."""
    below = text.endswith(_BELOW)
    stem = text.removesuffix(_BELOW) if below else text
    try:
        plain = unquote(stem, errors="strict")
    except UnicodeDecodeError:
        return None
    if "*" in stem or not names_one(plain) or plain.count("/") >= _MOST_SEGMENTS:
        return None
    return encode(plain) + (_BELOW if below else "")


def names_one(text: str) -> bool:
    """Whether a text names a resource, in one way only: segments between slashes, none of them empty or of dots."""
    return text.isprintable() and not any(segment in ("", ".", "..") for segment in text.split("/"))


def including(pattern: str) -> Iterator[str]:
    """The patterns that include this one, itself first: ``a/b``, ``a/*`` for ``a/b``."""
    yield pattern
    above = pattern.removesuffix(_BELOW).split("/", _MOST_SEGMENTS)[:-1]
    for depth in range(len(above), 0, -1):
        yield "/".join(above[:depth]) + _BELOW
