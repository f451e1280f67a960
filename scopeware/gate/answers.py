"""What the gate answers instead of the application."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, final

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from ..errors import ConfigurationError
from ..text import did_you_mean, near, quoted
from .decision import Code

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_RETRY_SECONDS = "5"
_UNQUOTABLE = re.compile(r"[^ !#-\[\]-~]")
_HELP: dict[Code, str] = {
    "address_not_allowed": "use the token from one of its networks, or make another one",
    "ambiguous_credentials": "send one token, in one place",
    "ambiguous_destination": "send one absolute path of this host as Destination",
    "ambiguous_method": "send the method itself, without an override header",
    "ambiguous_path": "send the path in its plain form",
    "insufficient_scope": "use a token that has the required scopes",
    "internal_error": "nothing was done; tell whoever runs this service",
    "owner_inactive": "ask an administrator to enable the owner",
    "owner_mismatch": "use a token of that owner",
    "public_only": "use a token without the public-only restriction",
    "resource_out_of_reach": "use a token that reaches the resource",
    "session_required": "sign in with your browser",
    "store_unavailable": "nothing was done; try again in a few seconds",
    "token_expired": "make a new token",
    "token_invalid": "send the whole token as `Authorization: Bearer <token>`, or make a new one",
    "token_required": "send a token in the header `Authorization: Bearer <token>`",
    "token_revoked": "make a new token",
    "token_rotated": "use the token that has taken its place",
    "unmatched": "check the path; whoever runs this service can add a rule for it",
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A refusal, for a style to put into words.

    :param status: the HTTP status.
    :param code: why, for machines.
    :param detail: why, for people.
    :param required_scopes: one list of scopes that would do, sorted.
    :param alternatives: all such lists.
    :param available_scopes: those of the token that was sent.
    :param group: the path of the group that decided, as the policy writes it.
    :param description: what the policy says about that group.
    """

    status: int
    code: Code
    detail: str
    required_scopes: tuple[str, ...] = ()
    alternatives: tuple[tuple[str, ...], ...] = ()
    available_scopes: tuple[str, ...] = ()
    group: str = ""
    description: str = ""

    @property
    def title(self) -> str:
        """The reason phrase of the status."""
        return HTTPStatus(self.status).phrase

    @property
    def help(self) -> str:
        """How to get further."""
        return _HELP[self.code]


Style = Callable[[Answer, "WSGIEnvironment"], tuple[str, bytes]]
"""Makes the content type and the body of an answer."""


def problem(answer: Answer, environ: WSGIEnvironment) -> tuple[str, bytes]:
    """``application/problem+json`` (RFC 9457), or a short page where the client prefers one."""
    accept = environ.get("HTTP_ACCEPT", "")
    if "text/html" in accept and _prefers_html(accept):
        return "text/html; charset=utf-8", _page(answer).encode("utf-8")
    members: dict[str, Any] = {
        "type": "about:blank",
        "title": answer.title,
        "status": answer.status,
        "code": answer.code,
        "detail": answer.detail,
        "help": answer.help,
    }
    if answer.required_scopes:
        members["required_scopes"] = answer.required_scopes
    if len(answer.alternatives) > 1:
        members["alternatives"] = answer.alternatives
    if answer.available_scopes:
        members["available_scopes"] = answer.available_scopes
    if answer.group:
        members["group"] = answer.group
    if answer.description:
        members["description"] = answer.description
    return "application/problem+json", _json(members)


def gitea(answer: Answer, environ: WSGIEnvironment) -> tuple[str, bytes]:
    """``{"message", "url"}``, as Gitea's API answers."""
    message = answer.detail
    if answer.code == "insufficient_scope":
        message = (
            f"token does not have the required scope(s), required=[{','.join(answer.required_scopes)}], "
            f"token scope={','.join(answer.available_scopes)}"
        )
    return "application/json;charset=utf-8", _json({"message": message, "url": f"{_origin(environ)}/api/swagger"})


def timetracker(answer: Answer, environ: WSGIEnvironment) -> tuple[str, bytes]:
    """``{"error", "message", "required_scope", "available_scopes"}``."""
    members: dict[str, Any] = {"error": answer.title, "message": answer.detail}
    if answer.required_scopes:
        lists = [" ".join(words) for words in answer.alternatives or (answer.required_scopes,)]
        members["required_scope"] = " or ".join(lists)
        members["available_scopes"] = answer.available_scopes
        if answer.code == "insufficient_scope":
            members["error"] = "Insufficient permissions"
            quoted_lists = " or ".join(f"'{words}'" for words in lists)
            members["message"] = f"This endpoint requires the {quoted_lists} scope"
    return "application/json", _json(members)


STYLES: Mapping[str, Style] = {"problem": problem, "gitea": gitea, "timetracker": timetracker}
CONSTANT_STYLES = (problem, timetracker)
"""Those whose answers do not depend on the environ, but for a client that prefers HTML."""


def style_named(name: str) -> Style:
    """The style of that name.

    :raises ConfigurationError: there is none.
    """
    if name not in STYLES:
        hint = did_you_mean(near(name, STYLES)) or f"; there are: {', '.join(STYLES)}"
        raise ConfigurationError(f"no answer style {quoted(name)}{hint}", where="gate.answers")
    return STYLES[name]


def challenges(answer: Answer, realm: str, *, basic: bool) -> list[tuple[str, str]]:
    """The ``WWW-Authenticate`` lines (RFC 6750 3), one a scheme.

    :param basic: whether to offer Basic, too.
    """
    if answer.status not in (400, 401, 403) or answer.code == "session_required":
        return []
    error = {400: "invalid_request", 401: "invalid_token", 403: "insufficient_scope"}[answer.status]
    line = f'Bearer realm="{realm}"'
    if answer.code != "token_required":
        line += f', error="{error}", error_description="{_quotable(answer.detail)}"'
        if answer.status == 403 and answer.required_scopes:
            line += f', scope="{" ".join(answer.required_scopes)}"'
    lines = [("WWW-Authenticate", line)]
    if basic and answer.status == 401:
        lines.append(("WWW-Authenticate", f'Basic realm="{realm}", charset="UTF-8"'))
    return lines


def headers(answer: Answer, content_type: str, body: bytes, vary: str) -> list[tuple[str, str]]:
    """The headers every answer has, whatever its style."""
    lines = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("Vary", vary),
        ("X-Content-Type-Options", "nosniff"),
    ]
    if answer.status == 503:
        lines.append(("Retry-After", _RETRY_SECONDS))
    return lines


def _json(members: Mapping[str, Any]) -> bytes:
    return json.dumps(members).encode("ascii") + b"\n"


def _quotable(text: str) -> str:
    """As an error description may hold it: ASCII without quotes and backslashes (RFC 6750 3)."""
    return _UNQUOTABLE.sub("?", text)


def _prefers_html(accept: str) -> bool:
    offers = ["application/problem+json", "application/json", "text/html"]
    return parse_accept_header(accept, MIMEAccept).best_match(offers) == "text/html"


def _origin(environ: WSGIEnvironment) -> str:
    """For a link in a body, never for a decision."""
    host = environ.get("HTTP_HOST") or f"{environ.get('SERVER_NAME', '')}:{environ.get('SERVER_PORT', '')}"
    return f"{environ.get('wsgi.url_scheme', 'http')}://{host}"


def _page(answer: Answer) -> str:
    rows = [("Needed", " ".join(answer.required_scopes)), ("The token has", " ".join(answer.available_scopes))]
    listed = "".join(f"<dt>{name}</dt><dd><code>{html.escape(text)}</code></dd>" for name, text in rows if text)
    title = html.escape(f"{answer.status} {answer.title}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width">'
        "<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:4rem auto;padding:0 1rem}"
        "dt{font-weight:600}dd{margin:0 0 .5rem}</style></head>"
        f"<body><h1>{title}</h1><p>{_sentence(answer.detail)}</p>"
        f"{f'<dl>{listed}</dl>' if listed else ''}<p>{_sentence(answer.help)}</p></body></html>\n"
    )


def _sentence(text: str) -> str:
    escaped = re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(text))
    return f"{escaped[:1].upper()}{escaped[1:]}."
