"""One request, as it is written down."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple, Protocol

from ..records import moment


class LogEntry(NamedTuple):
    """One request; never a secret.

    :param at: when it came, in milliseconds since 1970, UTC.
    :param token_id: the token it carried, where there is such a token; with `hint` and `owner`.
    :param owner: whose token it is, or who else was signed in.
    :param address: where it came from: the server's ``REMOTE_ADDR``.
    :param path: without the query, which may hold secrets.
    :param group: the path of the group that decided, as the policy writes it; empty where none did.
    :param scopes: what was needed: scopes with spaces between, alternatives with ``|``; what a guard of a view asked
        for stands beside what the policy did.
    :param resource: what it was about, where the policy says so.
    :param decision: ``"allowed"``, ``"denied"``, or ``"reported"``: it would have been denied, in report mode.
    :param code: why it was denied.
    :param status: of the answer; ``None`` where there was none.
    :param duration: from the request's coming to the end of the answer, in microseconds.
    """

    at: int
    token_id: int | None
    hint: str | None
    owner: str | None
    address: str
    method: str
    path: str
    group: str
    scopes: str
    resource: str | None
    decision: str
    code: str | None
    status: int | None
    duration: int

    @property
    def time(self) -> datetime:
        """When it came."""
        return moment(self.at / 1000)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: times as ISO 8601."""
        return {"time": self.time.isoformat(timespec="milliseconds"), **self._asdict()}


class Visit(Protocol):
    """A request that is over, before anyone has looked at it closely."""

    @property
    def is_refusal(self) -> bool:
        """Whether it was denied, or would have been."""

    def entry(self) -> LogEntry:
        """What is written down of it."""
