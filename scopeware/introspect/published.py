"""An application's own document, annotated while it is served."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, final

from werkzeug.datastructures import Headers

from ..errors import ConfigurationError
from ..policy import Policy
from .openapi import annotate

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_CONDITIONAL = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_ACCEPT_ENCODING", "HTTP_RANGE")
_OF_THE_OLD_BODY = (
    *("Content-Length", "Content-Type", "ETag", "Last-Modified", "Accept-Ranges"),
    *("Content-MD5", "Digest", "Content-Digest", "Repr-Digest"),
)


@final
class Published:
    """Serves an OpenAPI document that says what its operations need: stands between the gate and the application.

    Put it inside of the gate: who may read the document is the policy's business, too.

    :param app: the application. Requests for other paths pass untouched.
    :param policy: what the operations need.
    :param path: where the document is served, from the root of the server.
    :param document: the document, or a function that makes it; by default what the application answers at that path. An
        answer that is no OpenAPI document in JSON passes as it is.
    """

    def __init__(
        self,
        app: WSGIApplication,
        policy: Policy,
        path: str = "/openapi.json",
        document: object | Callable[[], object] = None,
    ) -> None:
        if not path.startswith("/"):
            raise ConfigurationError("a path starts with a slash", where="path")
        self.app = app
        self._policy = policy
        self._path = path.encode("utf-8").decode("latin-1")  # as servers give it
        self._document = document
        if document is not None and not callable(document):
            annotate(document, policy)  # so that what is wrong is said now

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        asked = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
        if asked != self._path or environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            return self.app(environ, start_response)
        if self._document is not None:
            document = self._document() if callable(self._document) else self._document
            return _answer(environ, start_response, "200 OK", Headers(), annotate(document, self._policy))
        return self._annotated(environ, start_response)

    def _annotated(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        head = environ.get("REQUEST_METHOD") == "HEAD"
        inner = {key: value for key, value in environ.items() if key not in _CONDITIONAL}
        body, status, headers = _whole(self.app, inner | {"REQUEST_METHOD": "GET"})
        told = self._told(body) if status.startswith("200") and _is_json(headers) else None
        if told is None:
            start_response(status, list(headers))
            return [] if head else [body]
        return _answer(environ, start_response, status, headers, told)

    def _told(self, body: bytes) -> dict[str, Any] | None:
        """The document, annotated; ``None`` for what is none."""
        try:
            return annotate(json.loads(body), self._policy)
        except (ValueError, RecursionError):  # a ConfigurationError, too: what cannot be annotated passes as it is
            return None


def _is_json(headers: Headers) -> bool:
    return "json" in headers.get("Content-Type", "").lower() and "Content-Encoding" not in headers


def _whole(app: WSGIApplication, environ: WSGIEnvironment) -> tuple[bytes, str, Headers]:
    """An application's whole answer, what it wrote (PEP 3333) included."""
    begun: list[Any] = []
    written: list[bytes] = []

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], Any]:
        begun[:] = [status, headers]
        return written.append

    answer = app(environ, start)
    try:
        returned = list(answer)
    finally:
        close = getattr(answer, "close", None)
        if close is not None:
            close()
    return b"".join([*written, *returned]), begun[0], Headers(begun[1])


def _answer(
    environ: WSGIEnvironment, start_response: StartResponse, status: str, headers: Headers, document: object
) -> list[bytes]:
    text = json.dumps(document).encode("ascii")
    kind = headers.get("Content-Type", "application/json").partition(";")[0].strip()
    for name in _OF_THE_OLD_BODY:
        headers.remove(name)
    headers["Content-Type"] = kind
    headers["Content-Length"] = str(len(text))
    start_response(status, list(headers))
    return [] if environ.get("REQUEST_METHOD") == "HEAD" else [text]
