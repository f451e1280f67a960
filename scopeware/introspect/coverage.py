"""What a policy says about the routes of an application."""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import final

from ..policy import AmbiguousPath, Group, Pattern, Policy, Requirement, Route, deep_sample, meeting, sample
from ..policy.segment import Kind
from ..policy.trie import overlapping
from .endpoint import Endpoint

_MOST_CHOICES = 64


@final
@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy says about some of the paths of a route.

    :param path: these, in werkzeug's rule syntax: the route's own; or those that a rule covers which covers not all of
        it; or ``.../...``, what is below.
    :param asked: one of them.
    :param requirement: ``None`` outside of the prefix.
    :param rivals: the routes that may answer there, as far as is known.
    """

    endpoint: Endpoint
    method: str
    path: str
    asked: str
    requirement: Requirement | None
    rivals: tuple[Endpoint, ...]

    @property
    def is_whole(self) -> bool:
        """Whether it is about the route as such."""
        return self.path == self.endpoint.path


def decisions(policy: Policy, endpoints: Sequence[Endpoint]) -> Iterator[Decision]:
    """What the policy says about routes: each method of each, and wherever it might say something else about a part."""
    patterns = [endpoint.pattern for endpoint in endpoints]
    patterns += [Pattern.parse(path_of(policy, group), below=group.below) for group in policy.groups]
    patterns += [Pattern.parse(path_of(policy, group, route)) for group in policy.groups for route in group.routes]
    words = {pattern.source for pattern in patterns if not pattern.names}
    places = [{endpoint.path: _like_no_other(endpoint.pattern, words)} for endpoint in endpoints]
    longest = max((len(pattern.segments) for pattern in patterns), default=0) + 1
    rivals = [{position} for position in range(len(endpoints))]
    for index, endpoint in enumerate(endpoints):
        if (deep := deep_sample(endpoint.pattern)) is not None:
            places[index][f"{endpoint.path.rstrip('/')}/..."] = deep
    for pair in overlapping(patterns):
        first, second = sorted(pair)
        if second < len(endpoints):
            rivals[first].add(second)
            rivals[second].add(first)
        elif (
            first < len(endpoints)
            and not patterns[second].includes(patterns[first])
            and (place := meeting(patterns[first], patterns[second])) is not None
        ):
            path, asked = place
            places[first].setdefault(path, asked)
            if patterns[second].below and (patterns[first].below or patterns[first].has_many):
                # One more segment, and more than any route that lies there has.
                for more, count in (("/...", 1), ("/.../...", longest)):
                    deeper = f"{asked}{'/x-7' * count}"
                    if patterns[first].matches(deeper):
                        places[first].setdefault(f"{path.rstrip('/')}{more}", deeper)
    for index, endpoint in enumerate(endpoints):
        around = [endpoints[each] for each in sorted(rivals[index])]
        for path, asked in places[index].items():
            for method in methods_of(endpoint):
                # Which a policy cannot tell apart.
                alike = ("GET", "HEAD") if method in ("GET", "HEAD") else (method,)
                best = _rivals(around, alike, asked)
                if path == endpoint.path or endpoint in best:
                    yield Decision(endpoint, method, path, asked, requirement_at(policy, method, asked), tuple(best))


def _like_no_other(pattern: Pattern, words: Container[str]) -> str:
    """A path of a pattern, which is none of these if possible."""
    texts = ([*sorted(each.choices)] if each.kind is Kind.CHOICE else [each.text] for each in pattern.segments)
    ways = itertools.islice(itertools.product(*texts), _MOST_CHOICES)
    found = [sample("".join(f"/{text}" for text in way) or "/") for way in ways]
    return next((path for path in found if path not in words), found[0])


def path_of(policy: Policy, group: Group, route: Route | None = None) -> str:
    """A rule's path, from the root."""
    path = f"{policy.prefix}{'' if group.path == '/' else group.path}"
    below = "" if route is None or route.path == "/" else route.path
    return f"{path}{below}" or "/"


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
    """The routes under the policy's prefix of which no group covers some part."""
    found = []
    for endpoint in endpoints:
        paths = (sample(endpoint.path), deep_sample(endpoint.pattern))
        method = methods_of(endpoint)[0]
        there = [requirement_at(policy, method, path) for path in paths if path is not None]
        if any(requirement is not None and not requirement.group for requirement in there):
            found.append(endpoint)
    return found


def outside(policy: Policy, endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    """The routes that the policy does not look at."""
    return [endpoint for endpoint in endpoints if decided(policy, endpoint) is None]


def answering(endpoints: Iterable[Endpoint], method: str, path: str) -> Endpoint | None:
    """The route that a request for this path, as text, leads to: the first, or the most specific."""
    alike = ("GET", "HEAD") if method == "HEAD" else (method,)
    return next(iter(_rivals(endpoints, alike, path)), None)


def _rivals(endpoints: Iterable[Endpoint], methods: Sequence[str], path: str) -> list[Endpoint]:
    """The routes that may answer a request by one of these methods, the likeliest first."""
    bare = path.rstrip("/") or "/"
    found = [
        endpoint
        for endpoint in endpoints
        if (not endpoint.methods or not set(methods).isdisjoint(endpoint.methods)) and endpoint.pattern.matches(bare)
    ]
    rank = _turn if all(endpoint.order for endpoint in found) else _weight
    found.sort(key=lambda endpoint: (rank(endpoint), endpoint.pattern.specificity))
    certain = next((rank(each) for each in found if not each.rough or (each.open and not each.methods)), None)
    return [endpoint for endpoint in found if certain is None or rank(endpoint) <= certain]


def _turn(endpoint: Endpoint) -> list[tuple[int, int]]:
    return [(endpoint.order, 0)]


def _weight(endpoint: Endpoint) -> list[tuple[int, int]]:
    """A sort key, the most specific first. Which variable comes first where another would do, frameworks say."""
    pairs = endpoint.pattern.specificity
    return [(Kind.VARIABLE if kind == Kind.TYPED else kind, count) for kind, count in pairs]
