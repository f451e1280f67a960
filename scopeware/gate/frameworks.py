"""What requests and responses look like in the frameworks, without importing any of them.

A view of a framework only runs where the framework is loaded; its own objects lead to the rest.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard, final

from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


@final
@dataclass(frozen=True, slots=True)
class Returned:
    """What a view returns."""

    result: Any


def environ_in(arguments: tuple[Any, ...]) -> WSGIEnvironment | None:
    """The environ among a view's arguments: as such, or of a request object; ``None`` where requests are no arguments
    (Flask, Bottle)."""
    for argument in arguments:
        # Django and Pyramid say `environ`, Falcon `env`.
        request = getattr(argument, "request", None)
        for holder in (argument, request):
            for candidate in (holder, getattr(holder, "environ", None), getattr(holder, "env", None)):
                if _is_environ(candidate):
                    return candidate
    return None


def variables_in(arguments: tuple[Any, ...]) -> dict[str, Any]:
    """The variables of the route, where a view gets them with its request, not as arguments (Pyramid)."""
    for argument in arguments:
        for holder in (argument, getattr(argument, "request", None)):
            variables = getattr(holder, "matchdict", None)
            if isinstance(variables, dict):
                return variables
    return {}


def respond(
    arguments: tuple[Any, ...], environ: WSGIEnvironment, status: str, lines: list[tuple[str, str]], body: bytes
) -> Returned:
    """Give an answer the way the view that got these arguments would."""
    if environ.get("REQUEST_METHOD") == "HEAD":
        body = b""
    for position, argument in enumerate(arguments):
        following = arguments[position + 1] if position + 1 < len(arguments) else None
        if _is_environ(argument) and callable(following):
            following(status, lines)
            return Returned([body])
        if _is_environ(getattr(argument, "env", None)) and hasattr(following, "append_header"):
            return _falcon(following, status, lines, body)
        if _is_environ(getattr(argument, "META", None)):
            return _django(status, lines, body)
        # A method of a view class finds the request in itself.
        for request in (argument, getattr(argument, "request", argument)):
            if _is_environ(getattr(request, "environ", None)) and hasattr(request, "response"):
                return _pyramid(request.response, status, lines, body)
    if "bottle.app" in environ:
        # Of the module that the application comes from: some projects bring their own copy of Bottle.
        bottle = sys.modules[type(environ["bottle.app"]).__module__]
        response = bottle.HTTPResponse(body, status)
        for name, value in lines:
            response.add_header(name, value)
        return Returned(response)
    return Returned(Response(body, status, lines))


def _is_environ(candidate: object) -> TypeGuard[WSGIEnvironment]:
    return isinstance(candidate, dict) and "REQUEST_METHOD" in candidate and "PATH_INFO" in candidate


def _falcon(response: Any, status: str, lines: list[tuple[str, str]], body: bytes) -> Returned:
    response.status = status
    response.data = body
    for name, value in lines:
        if name == "Content-Type":
            response.content_type = value
        elif name != "Content-Length":
            response.append_header(name, value)
    # As a hook would: without it the responder's own result stands.
    response.complete = True
    return Returned(None)


def _django(status: str, lines: list[tuple[str, str]], body: bytes) -> Returned:
    response = sys.modules["django.http"].HttpResponse(body, status=int(status[:3]), reason=status[4:])
    for name, value in reversed(lines):
        # Django keeps one line of each; the first challenge is the one to keep.
        response[name] = value
    return Returned(response)


def _pyramid(response: Any, status: str, lines: list[tuple[str, str]], body: bytes) -> Returned:
    response.status = status
    response.body = body
    response.headerlist = lines
    return Returned(response)
