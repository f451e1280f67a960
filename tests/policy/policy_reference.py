"""What a policy decides, worked out slowly from its definition; and every way someone might read a path.

A rule is a list of regular expressions, one a segment. A group covers its path and, unless it says otherwise,
everything below it, on segment boundaries. The most specific of the groups that cover a path decides: the one whose
paths are all paths of each of the others. Inside it the most specific route for the method does, and where there is
none, the group.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

from scopeware.policy import Group, Policy, Route
from scopeware.scopes import Vocabulary

_MANY = r"[^/]+(?:/[^/]+)*?"
_VARIABLE = re.compile(r"<(?:(\w+)(?:\(([^<>]*)\))?:)?(\w+)>")

# Texts of every shape that the converters below tell apart; with the literals of two rules they stand for all texts.
_SHAPES = ("7", "8", "other", "7.diff", "7.patch", "8.diff", "8.patch", "7.other", "other.diff", "other.patch")


class Reach(NamedTuple):
    """The paths of a rule: that at `path`, and what is below it."""

    path: str
    below: bool = False


@functools.cache
def regexes(path: str) -> tuple[str, ...]:
    """One regular expression a segment; a `path` variable's matches several segments."""
    return tuple(_regex(text) for text in path.strip("/").split("/") if text)


def _regex(text: str) -> str:
    made = ""
    end = 0
    for variable in _VARIABLE.finditer(text):
        converter, arguments, _ = variable.groups()
        made += re.escape(text[end : variable.start()])
        if converter == "int":
            made += r"\d+"
        elif converter == "any":
            made += f"(?:{'|'.join(re.escape(choice.strip()) for choice in arguments.split(','))})"
        elif converter == "path":
            made += _MANY
        else:
            made += "[^/]+"
        end = variable.end()
    return made + re.escape(text[end:])


@functools.cache
def _compiled(path: str, below: bool) -> re.Pattern[str]:
    return re.compile("".join(f"/{regex}" for regex in regexes(path)) + ("(?:/.*)?" if below else "/?"))


def covers(path: str, concrete: str, *, below: bool) -> bool:
    """Whether `concrete` is a path of the rule at `path`."""
    return _compiled(path, below).fullmatch(concrete) is not None


@functools.cache
def lies_within(inner: Reach, outer: Reach) -> bool:
    """Whether every path of the rule that reaches `inner` is one of that which reaches `outer`.

    Follows both along all paths at once, made of the literals in them and of texts of every other shape.
    """
    texts = _texts(inner.path) | _texts(outer.path)
    start = (frozenset({0}), frozenset({0}))
    seen = {start}
    todo = [start]
    while todo:
        mine, theirs = todo.pop()
        if len(regexes(inner.path)) in mine and len(regexes(outer.path)) not in theirs:
            return False
        for text in texts:
            state = (_advance(inner, mine, text), _advance(outer, theirs, text))
            if state[0] and state not in seen:
                seen.add(state)
                todo.append(state)
    return True


def _texts(path: str) -> frozenset[str]:
    """All that could be a literal or a choice, and texts of other shapes; some words too many do no harm."""
    return frozenset(re.findall(r"[^/<>(),:]+", path)) | set(_SHAPES)


def _advance(reach: Reach, places: frozenset[int], text: str) -> frozenset[int]:
    reached = set()
    steps = regexes(reach.path)
    for place in places:
        if place == len(steps):
            reached |= {place} if reach.below else set()
        elif re.fullmatch(steps[place], text):
            reached.add(place + 1)
        # After a variable for many segments it may go on with any text.
        if place and steps[place - 1] == _MANY:
            reached.add(place)
    return frozenset(reached)


def most_specific(reaches: Iterable[Reach]) -> list[Reach]:
    """Those of these that no other one lies within; several where neither of two lies within the other."""
    reaches = list(dict.fromkeys(reaches))
    return [
        reach
        for reach in reaches
        if not any(lies_within(other, reach) and not lies_within(reach, other) for other in reaches)
    ]


def joined(group: Group, route: Route) -> str:
    """The path of a route in full."""
    return f"{group.path.rstrip('/')}/{route.path.strip('/')}".rstrip("/") or "/"


def decides(groups: Sequence[Group], method: str, concrete: str) -> list[tuple[Group, Route | None]]:
    """The rules that decide about a request below the prefix: one, unless several are equally specific."""
    method = "GET" if method == "HEAD" else method
    covering = {
        Reach(group.path, group.below): group for group in groups if covers(group.path, concrete, below=group.below)
    }
    decided: list[tuple[Group, Route | None]] = []
    for reach in most_specific(covering):
        group = covering[reach]
        matching = [
            route
            for route in group.routes
            if covers(joined(group, route), concrete, below=False) and method in (route.methods or (method,))
        ]
        best = most_specific(Reach(joined(group, route)) for route in matching)
        decided += [(group, route) for route in matching if Reach(joined(group, route)) in best] or [(group, None)]
    return decided


Needed = tuple[frozenset[int], bool, str | None, bool]
"""Scope bits, any of which suffices; whether someone has to be signed in; about what; and whether it is a list that is
filtered for tokens that are bound to resources."""


def needs(group: Group, route: Route | None, method: str, concrete: str) -> Needed:
    """What a rule asks for.

    For the vocabulary of Gitea, where there is nothing but categories to read or to write.
    """
    level = "read" if method in ("GET", "HEAD", "OPTIONS") else "write"
    rules = [group] if route is None else [route, group]
    level = next((rule.action for rule in rules if rule.action), level)
    require_token = next((rule.require_token for rule in rules if rule.require_token is not None), True)
    asking = next(rule for rule in rules if rule.scopes is not None or rule.any_of is not None)
    lists = [[*(asking.scopes or ()), *words] for words in asking.any_of or [()]]
    parse = Vocabulary.builtin("gitea").parse
    alternatives = frozenset(parse([f"{level}:{word}" for word in words]).bits for words in lists)
    resource = next((rule.resource for rule in rules if rule.resource), None)
    path = group.path if route is None else joined(group, route)
    about = None if resource is None else fill(resource, path, concrete, below=route is None and group.below)
    bound = next((rule.bound for rule in rules if rule.bound), "reject")
    filters = bound == "filter" and level == "read" and resource is None and lists != [[]]
    return alternatives, require_token, about, filters


def decision(policy: Policy, method: str, concrete: str) -> Needed | None:
    """What `policy` asks for, in the same terms; nothing where no group covers the path."""
    requirement = policy.requirement(method, concrete)
    assert requirement is not None, "the policy has no prefix"
    if requirement.unmatched:
        return None
    alternatives = frozenset(policy.vocabulary.closure(bits) for bits in requirement.alternatives)
    template = requirement.resource
    about = None if template is None else template.fill(policy.params(requirement, concrete))
    return alternatives or frozenset({0}), requirement.require_token, about, requirement.filters


def fill(template: str, path: str, concrete: str, *, below: bool) -> str:
    """`template` with the texts that the variables of `path` have in `concrete`."""
    grouped = "".join(f"/{_named(text)}" for text in path.strip("/").split("/") if text)
    # A variable for many segments at the end takes all that is below.
    below = below and regexes(path)[-1] != _MANY
    found = re.fullmatch(grouped + ("(?:/.*)?" if below else "/?"), concrete)
    assert found is not None
    return re.sub(r"<(\w+)>", lambda name: found[name[1]], template)


def _named(text: str) -> str:
    variables = _VARIABLE.findall(text)
    pieces = _VARIABLE.split(text)[::4]
    made = re.escape(pieces[0])
    for (converter, arguments, name), piece in zip(variables, pieces[1:], strict=True):
        regex = _regex(f"<{converter}{f'({arguments})' if arguments else ''}:{name}>" if converter else f"<{name}>")
        made += f"(?P<{name}>{regex})" + re.escape(piece)
    return made


# -- readings of a path


def readings(raw: str) -> Iterator[str]:
    """Paths that servers, proxies and frameworks may make of what a WSGI server calls ``PATH_INFO``.

    Each of the things that some do and others do not, in every combination: decode once more, drop or keep bytes that
    are no UTF-8, take the path out of an absolute target, cut at ``?`` or ``#``, turn backslashes around, drop control
    characters, drop parameters, resolve dot segments before or after empty ones are dropped.
    """
    data = raw.encode("latin-1")
    choices: list[list[Any]] = [
        [lambda text: text, unquote, lambda text: unquote(unquote(text))],
        [lambda text: text, lambda text: re.sub(r"^[a-z][a-z0-9+.-]*://[^/]*", "", text, flags=re.IGNORECASE)],
        [lambda text: text, lambda text: re.split("[?#]", text)[0]],
        [lambda text: text, lambda text: text.replace("\\", "/")],
        [lambda text: text, lambda text: re.sub("[\x00-\x1f\x7f-\x9f]", "", text)],
        [lambda text: text, lambda text: re.sub(";[^/]*", "", text)],
        [lambda text: text, lambda text: re.sub("/+", "/", text)],
        [lambda text: text, _resolve],
    ]
    texts = {data.decode("utf-8", errors) for errors in ("ignore", "replace")}
    for alternatives in choices:
        texts |= {way(text) for text in texts for way in alternatives}
    for text in texts:
        yield "/" + "/".join(segment for segment in text.split("/") if segment)


def _resolve(path: str) -> str:
    """RFC 3986 5.2.4."""
    resolved: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del resolved[-1:]
        elif segment != ".":
            resolved.append(segment)
    return "/".join(resolved)


def lies_under(path: str, prefix: str) -> bool:
    """Whether a path lies under a prefix, on a segment boundary, letter case aside."""
    folded = path.casefold()
    return folded == prefix.casefold() or folded.startswith(f"{prefix.casefold()}/")


def universe(alphabet: Sequence[str], depth: int) -> list[str]:
    """Every path of at most `depth` segments."""
    return [
        "/" + "/".join(segments)
        for length in range(depth + 1)
        for segments in itertools.product(alphabet, repeat=length)
    ]
