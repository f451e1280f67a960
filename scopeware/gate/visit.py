"""A request from its coming to the end of its answer, for the access log."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from time import perf_counter, time
from typing import TYPE_CHECKING, Any, final

from ..text import printable
from ..tokens import LogEntry
from .context import Context
from .decision import Denied

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from ..policy import Requirement

_LONGEST_PATH = 2000
_LONGEST_NAME = 255
_LONGEST_DURATION = 2**31 - 1
"""In microseconds, half an hour: what the log's table holds."""


@final
class Visit:
    """One request and how it went.

    :param started: when it came, on the performance counter.
    """

    __slots__ = (
        "_entry",
        "address",
        "context",
        "ended",
        "method",
        "passed",
        "start_response",
        "started",
        "status",
    )

    def __init__(
        self, context: Context, environ: WSGIEnvironment, start_response: StartResponse | None, started: float
    ) -> None:
        self.context = context
        self.method = environ.get("REQUEST_METHOD", "")
        self.address = environ.get("REMOTE_ADDR", "")
        self.start_response = start_response
        self.started = self.ended = started
        self.status: str | bytes | int | None = None
        self._entry: LogEntry | None = None
        self.passed = True
        """Whether the application was called."""

    def start(self, status: str, lines: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], object]:
        """``start_response`` for the application."""
        start: Any = self.start_response
        answer: Callable[[bytes], object] = start(status, lines) if exc_info is None else start(status, lines, exc_info)
        self.status = status
        return answer

    def end(self) -> None:
        """The answer is over."""
        self.ended = perf_counter()
        # What belongs to the server is not kept for as long as the log waits to be written.
        self.start_response = None
        if len(self.context.path) > _LONGEST_PATH:
            # Nor is a long path; the application may keep the context itself.
            self._entry = self.entry()
            self.context = Context(self.context.gate, None, None, None, "", self.context.decision)

    @property
    def is_refusal(self) -> bool:
        """Whether it was denied, or would have been."""
        return isinstance(self.context.decision, Denied)

    def entry(self) -> LogEntry:
        """What is written down of it."""
        if self._entry is not None:
            return self._entry
        context = self.context
        decision = context.decision
        token = context.token or context.refusal
        requirement = context.requirement
        asked = context.guard or requirement
        owner = context.owner if context.refusal is None else context.refusal.owner
        denied = isinstance(decision, Denied)
        reported = self.passed and context.gate.mode == "report"
        resource = context.resource if requirement is not None and requirement.resource is not None else None
        secret = context.gate.secret_pattern
        return LogEntry(
            at=int((time() - perf_counter() + self.started) * 1000),
            token_id=None if token is None else getattr(token, "token_id", None) or getattr(token, "id", None),
            hint=None if token is None else token.hint,
            owner=None if owner is None else printable(owner)[:_LONGEST_NAME],
            address=printable(str(self.address))[:64],
            method=without_secrets(str(self.method), secret)[:32],
            path=without_secrets(context.path, secret),
            group=context.group,
            scopes=" | ".join(" ".join(words) for words in _needed(asked, context.guards_met)),
            resource=None if resource is None else secret.sub(r"\1***", printable(resource))[:_LONGEST_PATH],
            decision=("reported" if reported else "denied") if denied else "allowed",
            code=decision.code if isinstance(decision, Denied) else None,
            status=_number(self.status),
            duration=min(int((self.ended - self.started) * 1_000_000), _LONGEST_DURATION),
        )


def _needed(asked: Requirement | None, guards: tuple[Requirement, ...]) -> list[tuple[str, ...]]:
    """Lists of scopes, all of any one of which were needed: by the policy, and by the guards of views besides."""
    lists = [] if asked is None else list(asked.scope_lists())
    for guard in guards:
        if guard is not asked:
            both = itertools.product(lists or [()], guard.scope_lists())
            # Also where both ask for the same: it may be about something else.
            lists = [tuple(sorted((*one, *other))) for one, other in both]
    return lists


def secret_pattern(prefix: str) -> re.Pattern[str]:
    """What may be a token with this prefix, or a part of one."""
    return re.compile(rf"({re.escape(prefix)}(?:_|%5f))[0-9A-Za-z]+", re.IGNORECASE)


def without_secrets(text: str, secret: re.Pattern[str]) -> str:
    """Text of an environ, fit to be printed, without what may be a token."""
    if not text.isascii():
        text = text.encode("latin-1", "replace").decode("utf-8", "backslashreplace")
    return secret.sub(r"\1***", printable(text))[:_LONGEST_PATH]


def _number(status: str | bytes | int | None) -> int | None:
    if isinstance(status, int) or status is None:
        return status
    # Not every application gives text.
    first = bytes(status, "ascii", "replace")[:3] if isinstance(status, str) else status[:3]
    return int(first) if first.isdigit() else None
