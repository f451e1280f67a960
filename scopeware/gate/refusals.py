"""Denied requests and the answers they get."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, final

from ..policy import Options
from .answers import CONSTANT_STYLES, Answer, Style, challenges, headers, problem
from .bodies import Rendered
from .context import Context
from .decision import Denied

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

logger = logging.getLogger("scopeware.gate")

_MOST_KEPT = 1024


@final
class Refusals:
    """Renders the answers to denied requests.

    :param options: the realm, and whether Basic and scope headers are on.
    :param style: makes the bodies.
    :param varying: the headers that answers depend on.
    """

    __slots__ = ("_kept", "_options", "_style", "_vary")

    def __init__(self, options: Options, style: Style, varying: Iterable[str]) -> None:
        self._options = options
        self._style = style
        self._vary = ", ".join(varying)
        self._kept: dict[tuple[object, ...], Rendered] = {}

    def render(self, environ: WSGIEnvironment, context: Context) -> Rendered:
        """The answer to a request whose context says that it was denied."""
        decision = context.decision
        if not isinstance(decision, Denied):
            raise AssertionError("only what was denied is refused")
        accept = environ.get("HTTP_ACCEPT", "")
        # A browser would ask for a password, whether a person opened the page or a script fetched it.
        asks = environ.get("HTTP_X_REQUESTED_WITH") == "XMLHttpRequest" or "text/html" in accept
        basic = self._options.basic and not asks
        token = context.token
        bound = token is not None and token.scopes.bound
        if self._style not in CONSTANT_STYLES or "text/html" in accept or bound:
            return self._render(environ, context, decision, basic)
        # PERF: the same refusals come again and again.
        key = (id(context.requirement), decision, token.scopes.bits if token else 0, context.public_only, basic)
        known = self._kept.get(key)
        if known is None:
            known = self._render(environ, context, decision, basic)
            # INVARIANT: no id is used twice, for the policy keeps its requirements. Those of guards have no group.
            if context.group:
                if len(self._kept) >= _MOST_KEPT:
                    self._kept.clear()
                self._kept[key] = known
        status, lines, body = known
        return status, lines.copy(), body

    def _render(self, environ: WSGIEnvironment, context: Context, decision: Denied, basic: bool) -> Rendered:
        answer = _answer(decision, context)
        try:
            content_type, body = self._style(answer, environ)
        except Exception:
            logger.exception("the answer style failed")
            content_type, body = problem(answer, environ)
        lines = headers(answer, content_type, body, self._vary)
        lines += challenges(answer, self._options.realm, basic=basic)
        if self._options.scope_headers and context.token is not None:
            lines += scope_headers(context)
        return f"{answer.status} {answer.title}", lines, body


def scope_headers(context: Context) -> list[tuple[str, str]]:
    """What GitHub tells clients about their token, and about what is asked here."""
    lines = []
    if context.token is not None:
        lines.append(("X-OAuth-Scopes", ", ".join(context.token.scopes.texts)))
    if context.requirement is not None:
        needed = context.requirement.scope_lists()
        lines.append(("X-Accepted-OAuth-Scopes", ", ".join(needed[0]) if needed else ""))
    return lines


def _answer(decision: Denied, context: Context) -> Answer:
    required: tuple[str, ...] = ()
    alternatives: tuple[tuple[str, ...], ...] = ()
    if context.requirement is not None and decision.code in (
        "insufficient_scope",
        "public_only",
        "resource_out_of_reach",
    ):
        alternatives = context.requirement.scope_lists()
        required = alternatives[0] if alternatives else ()
    return Answer(
        status=decision.status,
        code=decision.code,
        detail=decision.detail,
        required_scopes=required,
        alternatives=alternatives,
        available_scopes=context.token.scopes.texts if context.token is not None else (),
        group=context.group,
        description=context.requirement.description if context.requirement is not None else "",
    )
