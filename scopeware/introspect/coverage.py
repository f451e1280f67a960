"""What a policy says about the routes of an application."""

from __future__ import annotations

from collections.abc import Iterable

from ..policy import AmbiguousPath, Policy, Requirement, sample
from .endpoint import Endpoint


def decided(policy: Policy, endpoint: Endpoint, method: str | None = None) -> Requirement | None:
    """What decides about a route, on a path that it stands for; ``None`` outside of the prefix.

    :param method: by default its first.
    """
    return requirement_at(policy, method or next(iter(endpoint.methods), "GET"), sample(endpoint.path))


def requirement_at(policy: Policy, method: str, path: str) -> Requirement | None:
    """What decides about a path, as text; ``None`` outside of the prefix, and where it has no one reading."""
    try:
        return policy.requirement(method, path.encode("utf-8").decode("latin-1"))
    except (AmbiguousPath, UnicodeEncodeError):
        return None


def methods_of(endpoint: Endpoint) -> tuple[str, ...]:
    """The methods to ask about: its own, or one that reads and one that writes."""
    return endpoint.methods or ("GET", "POST")


def uncovered(policy: Policy, endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    """The routes under the policy's prefix that no group covers."""
    found = []
    for endpoint in endpoints:
        requirement = decided(policy, endpoint)
        if requirement is not None and not requirement.group:
            found.append(endpoint)
    return found


def outside(policy: Policy, endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    """The routes that the policy does not look at."""
    return [endpoint for endpoint in endpoints if decided(policy, endpoint) is None]


def answering(endpoints: Iterable[Endpoint], method: str, path: str) -> Endpoint | None:
    """The route that a request for this path, as text, leads to: the most specific one."""
    wanted = "GET" if method == "HEAD" else method
    bare = path.rstrip("/") or "/"
    found = [
        endpoint
        for endpoint in endpoints
        if (not endpoint.methods or wanted in endpoint.methods) and endpoint.pattern.matches(bare)
    ]
    return min(found, key=lambda endpoint: endpoint.pattern.specificity, default=None)
