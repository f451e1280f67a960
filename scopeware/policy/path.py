"""One canonical reading of a path, or none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

from ..errors import ScopewareError

# PERF: nearly every path consists of these and needs no closer look.
_PLAIN = re.compile(r"/[A-Za-z0-9_/.~@+,:=!$&'()*-]*").fullmatch
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ENCODED = re.compile(r"%(?:2[ef]|5c|00|3b|25|0[ad])", re.IGNORECASE)
_ABSOLUTE = re.compile(r"\A/*[A-Za-z][A-Za-z0-9+.-]*:/+[^/]*")
_PARAMETERS = re.compile(r";[^/]*")


class AmbiguousPath(ScopewareError, ValueError):
    """A path that a server, a framework and a guard may read in different ways.

    :param reason: what makes it so.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def canonical(raw: str) -> str:
    """The one reading of a path.

    :param raw: ``SCRIPT_NAME + PATH_INFO``, as a WSGI server gives it: percent-decoded bytes as latin-1 (PEP 3333).
    :return: the path as text, without a slash at its end (but ``/`` alone stays).
    :raises AmbiguousPath: an empty segment, a dot segment, a backslash, a control character, ``?`` or ``#``, what is
        still percent-encoded and would be a separator, bytes that are no UTF-8, no slash in front.
    """
    # PERF: three looks in C decide for almost all requests.
    if not _PLAIN(raw) or "//" in raw or "/." in raw:
        raw = _examine(raw)
    return raw[:-1] if raw[-1] == "/" and len(raw) > 1 else raw


def _examine(raw: str) -> str:
    if raw == "":
        return "/"
    if raw[0] != "/":
        raise AmbiguousPath("it does not start with a slash")
    try:
        path = raw if raw.isascii() else raw.encode("latin-1").decode("utf-8")
    except UnicodeError:
        raise AmbiguousPath("its bytes are not UTF-8") from None
    if _CONTROL.search(path):
        raise AmbiguousPath("it holds a control character")
    for character in "\\?#":
        if character in path:
            raise AmbiguousPath(f"it holds `{character}`")
    if "//" in path:
        raise AmbiguousPath("it has an empty segment")
    if any(segment in (".", "..") for segment in path.split("/")):
        raise AmbiguousPath("it has a dot segment")
    if found := _ENCODED.search(path):
        raise AmbiguousPath(f"it holds `{found[0]}`, still percent-encoded")
    return path


def wsgi_path(path: str) -> str:
    """A path as WSGI servers hand it over: UTF-8 bytes as latin-1 (PEP 3333)."""
    return path if path.isascii() else path.encode("utf-8").decode("latin-1")


def without_parameters(path: str) -> str:
    """`path` as a router reads it that drops ``;parameters`` from each segment (RFC 3986 3.3)."""
    return _PARAMETERS.sub("", path)


def may_lie_under(raw: str, prefix: str) -> bool:
    """Whether some reading of a path lies under `prefix`, letter case aside; the more readings, the safer.

    For paths that have no canonical reading, or one that does not lie under it.
    """
    if not prefix:
        return True
    wanted = prefix.casefold()
    for reading in _readings(raw):
        folded = reading.casefold()
        if folded == wanted or folded.startswith(f"{wanted}/"):
            return True
    return False


def _readings(raw: str) -> Iterator[str]:
    """What servers, frameworks and proxies might make of a path: decoded strictly or not, once more or thrice, cut at
    ``?`` and ``#``, without control characters, with ``\\`` as a slash, without parameters, with dots resolved."""
    readings = dict.fromkeys(_decoded(raw))
    for reread in (
        lambda text: re.split(r"[?#]", text)[0],
        lambda text: _ABSOLUTE.sub("", text),
        lambda text: _CONTROL.sub("", text),
        lambda text: text.replace("\\", "/"),
        without_parameters,
    ):
        # Most of them change nothing, and what is the same is looked at once.
        readings |= dict.fromkeys(reread(text) for text in list(readings))
    for text in readings:
        yield from _resolved(text)


def _decoded(raw: str) -> Iterator[str]:
    octets = raw.encode("latin-1", "ignore")
    for text in dict.fromkeys((raw, octets.decode("utf-8", "ignore"), octets.decode("utf-8", "replace"))):
        once = unquote(text)
        twice = unquote(once)
        yield from (text, once, twice, unquote(twice))


def _resolved(text: str) -> tuple[str, str]:
    """Without empty and dot segments; ``..`` climbing, or left out."""
    climbed: list[str] = []
    kept: list[str] = []
    for segment in text.split("/"):
        if segment == "..":
            del climbed[-1:]
        elif segment not in ("", "."):
            climbed.append(segment)
            kept.append(segment)
    return f"/{'/'.join(climbed)}", f"/{'/'.join(kept)}"
