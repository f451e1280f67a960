"""One canonical reading of a path, or none."""

from __future__ import annotations

import re
from urllib.parse import unquote

from ..errors import ScopewareError

# PERF: nearly every path consists of these and needs no closer look.
_PLAIN = re.compile(r"/[A-Za-z0-9_/.~@+,:=!$&'()*-]*").fullmatch
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ENCODED = re.compile(r"%(?:2[ef]|5c|00|3b|25|0[ad])", re.IGNORECASE)
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
    text = raw
    for _ in range(3):
        for reading in _readings(text):
            folded = reading.casefold()
            if folded == wanted or folded.startswith(f"{wanted}/"):
                return True
        text = unquote(text)
    return False


def _readings(text: str) -> tuple[str, ...]:
    cleaned = _CONTROL.sub("", re.split(r"[?#]", text)[0].replace("\\", "/"))
    readings = []
    for form in (cleaned, without_parameters(cleaned)):
        resolved: list[str] = []
        climbed: list[str] = []
        for segment in form.split("/"):
            if segment == "..":
                if resolved:
                    resolved.pop()
            elif segment not in ("", "."):
                resolved.append(segment)
                climbed.append(segment)
        readings += [f"/{'/'.join(resolved)}", f"/{'/'.join(climbed)}"]
    return tuple(readings)
