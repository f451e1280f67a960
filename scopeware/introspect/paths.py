"""Paths as other systems write them, in werkzeug's rule syntax."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from ..policy import distinct

_UNSAFE = re.compile(r"\W", re.ASCII)
_BRACES = re.compile(r"\{([^{}:]+)(?::([^{}]*(?:\{[^{}]*\}[^{}]*)*))?\}")


def variable(name: str, converter: str = "") -> str:
    """``<name>``, with a name that rules may have."""
    word = _UNSAFE.sub("_", name).strip("_") or "x"
    word = f"x{word}" if word[0].isdigit() or word.startswith("__") else word
    return f"<{converter}:{word}>" if converter else f"<{word}>"


def of_words(words: Iterable[str]) -> str:
    """The converter for one of some words."""
    return f"any({', '.join(_quoted(word) for word in words)})"


def _quoted(word: str) -> str:
    # Bare words are read as Python would read some of them.
    plain = word.isidentifier() and word.isascii() and word.lower() not in ("true", "false", "none", "inf", "nan")
    return word if plain else f'"{word}"'


def choice(name: str, words: Iterable[str]) -> str:
    """A variable that is one of some words."""
    return variable(name, of_words(words))


def joined(before: str, path: str) -> str:
    """One path below another, with one slash between."""
    return f"{before.rstrip('/')}/{path.lstrip('/')}".rstrip("/") or "/"


def from_braces(path: str, convert: Callable[[str, str | None], str] | None = None) -> str:
    """The path that ``/repos/{owner}/{kind:a|b}/*`` spells.

    :param convert: name and what follows its colon → a variable; by default one segment, or one of some words.
    """

    def made(match: re.Match[str]) -> str:
        name, detail = match[1].strip(), match[2]
        if convert is not None:
            return convert(name, detail)
        if detail in ("int", "float", "uuid", "path", "string"):
            return variable(name, detail)
        if detail and re.fullmatch(r"[\w.-]+(\|[\w.-]+)*", detail):
            return choice(name, detail.split("|"))
        return variable(name, "path" if re.search(r"/|\.[*+]", detail or "") else "")

    path = _BRACES.sub(made, path)
    segments = path.split("/")
    if segments[-1] == "*":
        segments[-1] = "<path:rest>"
    return distinct("/".join("<x>" if segment == "*" else segment for segment in segments))
