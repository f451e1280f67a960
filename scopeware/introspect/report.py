"""What report mode, or the access log, says about a policy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import final

from ..errors import ConfigurationError
from ..policy import Policy
from ..text import printable
from ..tokens import LogEntry
from .draft import Draft, draft_more
from .endpoint import READS, Discovery, Endpoint, Finder

_MOST_EXAMPLES = 3
_MOST_TOKENS = 5
_MOST_PATHS = 200
_NUMBER = re.compile(r"\d+")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@final
@dataclass(slots=True)
class Refused:
    """Requests that were refused, or would have been, for one reason in one group.

    :param group: its path; empty where no group covers them.
    :param code: why.
    :param scopes: what was needed.
    :param count: how many.
    :param paths: some of them, with their methods.
    :param tokens: some of the tokens: number and owner.
    :param writes: whether any of them was for writing.
    """

    group: str
    code: str
    scopes: str
    count: int = 0
    paths: dict[str, None] = field(default_factory=dict)
    tokens: dict[tuple[int, str], None] = field(default_factory=dict)
    writes: bool = False

    @property
    def remedy(self) -> str:
        """What can be done about it, if it is to pass."""
        if self.code == "unmatched":
            return "draft a group for them; see below"
        if self.code == "token_required":
            if self.writes or not self.group:
                return "send a token"
            return "send a token; or, if everyone may read it: require_token = false on a route for GET"
        if self.code == "insufficient_scope":
            return f"make tokens with {self.scopes or 'the scopes'}; what they have cannot be widened"
        if self.code == "public_only":
            return (
                'say what is public (`visibility`) and write public_only = "check", or make tokens without public-only'
            )
        if self.code == "resource_out_of_reach":
            return "make tokens that are bound to it, or to nothing"
        if self.code == "session_required":
            return "it takes no tokens; sign in"
        if self.code.startswith("token_") or self.code == "owner_inactive":
            return "make new tokens"
        return "mend the request"


@final
@dataclass(frozen=True, slots=True)
class PolicyAdvice:
    """What the access log says about a policy.

    :param requests: how many entries were read.
    :param refused: what was refused, or would have been, the most frequent first.
    :param never_hit: the groups that ask for a token and that no request fell in.
    :param draft: what to append to the policy for paths that no group covers; empty where there are none.
    """

    requests: int
    refused: tuple[Refused, ...]
    never_hit: tuple[str, ...]
    draft: str


def advise_policy(policy: Policy, entries: Iterable[LogEntry], text: str = "") -> PolicyAdvice:
    """What the access log says about a policy.

    :param text: the policy file, for a draft of what is missing in it.
    """
    refused: dict[tuple[str, str, str], Refused] = {}
    hit: set[str] = set()
    lost = Finder()
    lost.kinds["log"] = None
    requests = paths = 0
    for entry in entries:
        requests += 1
        hit.add(entry.group)
        if entry.decision == "allowed" or entry.code is None:
            continue
        # What was needed tells requests apart only where that was the problem.
        scopes = entry.scopes if entry.code == "insufficient_scope" else ""
        found = refused.setdefault((entry.group, entry.code, scopes), Refused(entry.group, entry.code, scopes))
        found.count += 1
        found.writes |= entry.method not in READS
        if len(found.paths) < _MOST_EXAMPLES:
            found.paths[f"{entry.method} {entry.path}"] = None
        if entry.token_id is not None and len(found.tokens) < _MOST_TOKENS:
            found.tokens[entry.token_id, entry.owner or "?"] = None
        lost_way = entry.code in ("unmatched", "token_required") and not entry.group
        if lost_way and paths < _MOST_PATHS and not set("<>{}*\\") & set(entry.path):
            paths += 1
            lost.add((entry.method,), _general(entry.path))
    # Who needs no token, or may not have one, is not in the log where all went well.
    open_to = {each.group for each in policy.requirements() if not each.require_token or each.accept == "session"}
    return PolicyAdvice(
        requests,
        tuple(sorted(refused.values(), key=lambda each: (-each.count, each.group, each.code))),
        tuple(group.path for group in policy.groups if group.path not in open_to | hit),
        _drafted(policy, lost.discovery(), text),
    )


def _general(path: str) -> str:
    """A path with variables where it has numbers."""
    count = 0
    segments = []
    for segment in path.split("/"):
        kind = "int" if _NUMBER.fullmatch(segment) else "uuid" if _UUID.fullmatch(segment) else ""
        count += bool(kind)
        segments.append(f"<{kind}:id{count if count > 1 else ''}>" if kind else segment)
    return "/".join(segments)


def _drafted(policy: Policy, lost: Discovery, text: str) -> str:
    if not text or not lost.endpoints:
        return ""
    fine: list[Endpoint] = []
    problems: dict[str, None] = {}

    def take(more: Sequence[Endpoint]) -> None:
        """Add those that contradict nothing."""
        try:
            _draft(policy, lost, [*fine, *more], text)
        except ConfigurationError as error:
            if len(more) == 1:
                problems[f"{more[0]}: {error.problem}"] = None
            else:
                take(more[: len(more) // 2])
                take(more[len(more) // 2 :])
        else:
            fine.extend(more)

    take(lost.endpoints)
    made = _draft(policy, lost, fine, text) if fine else None
    lines = [f"# left out: {printable(problem)}" for problem in list(problems)[:_MOST_EXAMPLES]]
    if made is None:
        return "\n".join(lines)
    if made.categories:
        lines += ["# first, below [vocabulary.categories]:", *(f"#   {line}" for line in made.categories)]
    return "\n".join([*lines, made.added])


def _draft(policy: Policy, lost: Discovery, endpoints: Sequence[Endpoint], text: str) -> Draft | None:
    # What strangers ask for opens nothing.
    return draft_more(text, policy, replace(lost, endpoints=tuple(endpoints)), guess_public=False)
