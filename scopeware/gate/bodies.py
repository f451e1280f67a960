"""The answers of applications, on their way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, final

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

Rendered = tuple[str, list[tuple[str, str]], bytes]
"""The status line, the headers and the body."""


@final
class Watched:
    """The body of an answer; once it is over, `done` is called."""

    __slots__ = ("_body", "_done", "_iterator")

    def __init__(self, body: Iterable[bytes], done: Callable[[], None]) -> None:
        self._body = body
        self._done: Callable[[], None] | None = done
        self._iterator: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        self._iterator = iter(self._body)
        return self

    def __next__(self) -> bytes:
        if self._iterator is None:
            self._iterator = iter(self._body)
        return next(self._iterator)

    def close(self) -> None:
        """The server's last word."""
        close = getattr(self._body, "close", None)
        try:
            if close is not None:
                close()
        finally:
            done, self._done = self._done, None
            if done is not None:
                done()


def captured(app: WSGIApplication, environ: WSGIEnvironment, *, headers_only: bool = False) -> Rendered:
    """The answer of an application, as a whole.

    :param headers_only: without the body, which may never end.
    """
    started: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start(status: str, lines: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], object]:
        started[:] = [(status, lines)]
        return written.append

    body = app(environ, start)
    chunks = []
    try:
        for chunk in body:
            if headers_only and started:
                break
            chunks.append(chunk)
    finally:
        close = getattr(body, "close", None)
        if close is not None:
            close()
    status, lines = started[-1]
    return status, lines, b"".join(written + chunks)


def sends_a_file(environ: WSGIEnvironment, body: Iterable[bytes]) -> bool:
    """Whether the server may send the body by itself, if it gets it as it is (PEP 3333)."""
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(body, wrapper)
