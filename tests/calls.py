"""Calls of WSGI applications as strict servers make them, and what comes back."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from wsgiref.validate import WSGIWarning, validator

StartResponse = Callable[..., Callable[[bytes], object]]


@dataclass
class Recorder:
    """A WSGI application that answers 200 and keeps a copy of every environ it was called with."""

    environs: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        self.environs.append(dict(environ))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"the application"]

    @property
    def calls(self) -> int:
        """How often it was called."""
        return len(self.environs)

    @property
    def environ(self) -> dict[str, Any]:
        """What it was called with last."""
        return self.environs[-1]


@dataclass(frozen=True)
class Reply:
    """An answer, read to its end and closed; `record` is the wrapped application, where that is a recorder."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes
    record: Any

    def all(self, name: str) -> list[str]:
        """The values of all header lines of that name, in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        """The value of the one line of that name; ``None`` without one."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} is there {len(values)} times"
        return values[0] if values else None

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        """The reason code of a refusal in the default style; ``None`` for what the application answered."""
        return self.json["code"] if self.header("Content-Type") == "application/problem+json" else None


def _environ(method: str, path: str, extra: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    body = extra.pop("body", b"")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "forge.example",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "forge.example",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body) if isinstance(body, bytes) else body,
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if isinstance(body, bytes) and body:
        environ["CONTENT_LENGTH"] = str(len(body))
    environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    return environ | extra


def call_gate(
    app: Any, method: str, path: str, *, environ: dict[str, Any] | None = None, strict: bool = True, **headers: str
) -> Reply:
    """Call a WSGI application and read its whole answer.

    :param environ: keys to set besides the usual ones; ``body`` is what stands in ``wsgi.input``.
    :param strict: whether to let `wsgiref.validate` watch; it refuses environs that servers should not make but do.
    :param headers: request headers; ``x_api_key="..."`` is ``X-API-Key``.
    """
    started: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(status: str, lines: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        started.append((status, lines))
        return written.append

    made = _environ(method, path, dict(environ or {}), headers)
    with warnings.catch_warnings():
        # It warns of methods it does not know.
        warnings.simplefilter("ignore", WSGIWarning)
        result = (validator(app) if strict else app)(made, start_response)
        try:
            body = b"".join(result)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()
    status, lines = started[-1]
    number, _, reason = status.partition(" ")
    return Reply(int(number), reason, lines, b"".join(written) + body, getattr(app, "app", None))
