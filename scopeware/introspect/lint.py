"""Looks for what is wrong with a policy, and with an application under it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..errors import ConfigurationError
from ..policy import Pattern, Policy, Requirement, sample
from ..policy.segment import Kind, Segment
from ..text import counted, did_you_mean, near, quoted
from . import hints
from .coverage import Decision, decisions, outside, path_of, requirement_at
from .endpoint import READS, Declared, Endpoint
from .findings import KINDS, Finding
from .hints import GENERIC
from .labels import need_of

_LINE = re.compile(r"(\d+):")
_VARIABLE = re.compile(r"<[^<>]*>")
_MOST_OUTSIDE = 5


@dataclass(frozen=True, slots=True)
class _Case:
    """A policy, and what is known of the application."""

    policy: Policy
    endpoints: Sequence[Endpoint]
    decisions: Sequence[Decision]
    lost: Sequence[str]

    def covered(self) -> Iterator[tuple[Decision, Requirement]]:
        """What groups decide about routes, and about parts of them."""
        for decision in self.decisions:
            if decision.requirement is not None and decision.requirement.group:
                yield decision, decision.requirement

    def whole(self) -> Iterator[tuple[Decision, Requirement]]:
        """What groups decide about routes as such."""
        return ((decision, requirement) for decision, requirement in self.covered() if decision.is_whole)


def lint(policy: Policy, endpoints: Iterable[Endpoint] = (), lost: Iterable[str] = ()) -> list[Finding]:
    """What is wrong with a policy, and with an application under it, by path.

    What the policy allows in ``[lint]`` is left out; an allowance that allows nothing is a finding itself.

    :param endpoints: the application's routes; without any, only the policy is looked at.
    :param lost: paths below which there are routes that are not known.
    :raises ConfigurationError: the policy allows a kind of finding that there is not.
    """
    for number, allowance in enumerate(policy.allowances):
        if allowance.id not in KINDS:
            hint = did_you_mean(near(allowance.id, KINDS))
            where = f"{policy.source}: lint.allow[{number}].id" if policy.source else f"lint.allow[{number}].id"
            raise ConfigurationError(f"{quoted(allowance.id)} is nothing the linter finds{hint}", where=where)
    listed = list(endpoints)
    case = _Case(policy, listed, tuple(decisions(policy, listed)), tuple(lost))
    found: dict[tuple[str, ...], Finding] = {}
    for check in (*_ALWAYS, _lost, *(_WITH_ROUTES if listed else ())):
        for finding in check(case):
            about = (finding.path, finding.method) if finding.path else (finding.message,)
            found.setdefault((finding.id, *about), finding)
    for finding in list(found.values()):
        front = finding.path.partition("/...")[0]
        above = found.get((finding.id, front or "/", finding.method)) if front != finding.path else None
        if above is not None and above.line == finding.line:
            del found[finding.id, finding.path, finding.method]  # one rule, said twice
    used = set()
    left = []
    for finding in sorted(found.values(), key=lambda each: (each.path, each.method, each.id)):
        reasons = [
            number
            for number, allowance in enumerate(policy.allowances)
            if allowance.id == finding.id
            and allowance.path in ("", finding.path)
            and allowance.method in ("", finding.method)
        ]
        used.update(reasons)
        if not reasons:
            left.append(finding)
    if listed:
        for number, allowance in enumerate(policy.allowances):
            if number not in used:
                said = f"nothing of the kind is found; remove it from [lint] ({allowance.id})"
                left.append(Finding("unused-allowance", allowance.path, allowance.method, said))
    return left


def _line(where: str) -> int:
    found = _LINE.match(where)
    return int(found[1]) if found else 0


def _about(id_: str, decision: Decision, message: str) -> Finding:
    requirement = decision.requirement
    shown = decision.method if decision.endpoint.methods else ""
    part = "" if decision.is_whole else f" (part of {decision.endpoint.path})"
    return Finding(id_, decision.path, shown, f"{message}{part}", _line(requirement.where) if requirement else 0)


# -- what is covered


def _uncovered(case: _Case) -> Iterator[Finding]:
    said: set[tuple[Endpoint, str]] = set()
    for decision in case.decisions:
        requirement, about = decision.requirement, (decision.endpoint, decision.method)
        if requirement is not None and not requirement.group and about not in said:
            said.add(about)
            what = "it is refused" if requirement.unmatched else 'it passes, for unmatched = "pass"'
            yield _about("route-without-group", decision, f"no group covers it; {what}")


def _outside(case: _Case) -> Iterator[Finding]:
    left = outside(case.policy, case.endpoints)
    if left:
        shown = ", ".join(str(endpoint) for endpoint in left[:_MOST_OUTSIDE])
        more = f" and {len(left) - _MOST_OUTSIDE} more" if len(left) > _MOST_OUTSIDE else ""
        prefix = case.policy.prefix
        yield Finding(
            "outside-prefix",
            prefix,
            "",
            f"{counted(len(left), 'route')} beside it, not guarded: {shown}{more}",
        )


def _lost(case: _Case) -> Iterator[Finding]:
    for path in case.lost:
        requirement = requirement_at(case.policy, "GET", f"{path.rstrip('/')}/x-7")
        if requirement is None:
            said = "there are routes that are not known, and what lies outside of the prefix is not guarded"
            yield Finding("outside-prefix", path, "", said)
        elif not requirement.group and not requirement.unmatched:
            said = 'there are routes that are not known, and they pass, for unmatched = "pass"'
            yield Finding("route-without-group", path, "", said)


def _dead(case: _Case) -> Iterator[Finding]:
    for group in case.policy.groups:
        pattern = Pattern.parse(path_of(case.policy, group), below=group.below)
        inside = [endpoint for endpoint in case.endpoints if pattern.overlaps(endpoint.pattern)]
        if not inside:
            said = "no route lies there; remove it, or mend its path"
            yield Finding("group-without-route", path_of(case.policy, group), "", said, _line(group.where))
            continue
        for route in group.routes:
            exact = Pattern.parse(path_of(case.policy, group, route))
            methods = set(route.methods or ()) - {"OPTIONS"}  # which frameworks answer by themselves
            if not any(
                exact.overlaps(endpoint.pattern)
                and (not methods or not endpoint.methods or methods & {_as_get(word) for word in endpoint.methods})
                for endpoint in inside
            ):
                said = "no route is like that; remove it, or mend its path and methods"
                named = ",".join(route.methods or ())
                yield Finding("rule-without-route", path_of(case.policy, group, route), named, said, _line(route.where))


def _as_get(method: str) -> str:
    return "GET" if method == "HEAD" else method


# -- who may write


def _unguarded_writes(case: _Case) -> Iterator[Finding]:
    for decision, requirement in case.covered():
        declared = decision.endpoint.declared or Declared()
        if decision.method in READS:
            continue
        if not decision.endpoint.methods and (not decision.is_whole or declared.require_token is False):
            continue  # what is mounted there may have routes of its own, and what is meant so is no mistake
        if not requirement.require_token:
            if requirement.scope_free:
                may = "write there" if decision.endpoint.methods else "write there, if it does for any method"
                said = f"anyone may {may}; require a token, or say in [lint] why not"
                yield _about("public-write", decision, said)
            elif not _only_reads(case, requirement):
                yield _about("write-without-token", decision, "anonymous requests pass; require a token")
        elif declared.require_token is False and declared.alternatives:
            said = "the application's own table asks for scopes, but for no token; the policy does"
            yield _about("write-without-token", decision, said)


def _only_reads(case: _Case, requirement: Requirement) -> bool:
    """Whether the rule asks for what reading asks for, and nothing else."""
    vocabulary = case.policy.vocabulary
    reading = vocabulary.actions_for("GET")
    bits = 0
    for category in vocabulary.categories:
        bits |= vocabulary.need(category, reading) or 0
    writing = vocabulary.actions_for("POST") != reading
    return writing and all(not need & ~bits for need in requirement.alternatives)


def _odd_methods(case: _Case) -> Iterator[Finding]:
    vocabulary = case.policy.vocabulary
    if vocabulary.actions_for("GET") == vocabulary.actions_for("POST"):
        return
    for decision, requirement in case.covered():
        why = hints.seems_to_change(decision.endpoint)
        if requirement.scope_free:
            if why and not requirement.require_token:
                yield _about(
                    "public-write", decision, f"{why}, and anyone may; require a token, or say in [lint] why not"
                )
            continue
        only_reads = _only_reads(case, requirement)
        if only_reads and requirement.action is not None and decision.method not in READS and not decision.is_whole:
            said = f"{decision.method} there needs no more than reading, too; name the methods that the rule is for"
            yield _about("write-by-reading-method", decision, said)
            continue
        if why and only_reads:
            said = f'{why}, and reading suffices; write action = "write", or say in [lint] why not'
            yield _about("write-by-reading-method", decision, said)
        elif (why := hints.seems_to_read(decision.endpoint)) and not only_reads and requirement.action is None:
            then = f'methods = ["{decision.method}"], action = "read"'
            said = f"{why}, and it takes the scopes for writing; write {then} if so"
            yield _about("read-by-writing-method", decision, said)


# -- paths that are not what they seem


def _wide(case: _Case) -> Iterator[Finding]:
    for group in case.policy.groups:
        path = path_of(case.policy, group)
        segments = Pattern.parse(path, below=group.below).segments
        front = list(itertools.takewhile(_says_nothing, segments))
        following = segments[len(front)] if len(front) < len(segments) else None
        if following is None and not group.below:
            continue
        if following is not None and following.kind not in (Kind.VARIABLE, Kind.MANY, Kind.TYPED):
            continue
        families: dict[str, str] = {}
        for decision, requirement in case.whole():
            if requirement.group == group.path:
                own = list(itertools.dropwhile(_says_nothing, decision.endpoint.pattern.segments[len(front) :]))
                if own and own[0].kind is Kind.LITERAL:
                    families.setdefault(own[0].text, decision.path)
        if len(families) > 1:
            shown = ", ".join(sorted(families.values())[:3])
            said = f"{len(families)} kinds of routes fall in ({shown}); give each a group of its own"
            yield Finding("wide-wildcard", path, "", said, _line(group.where))


def _says_nothing(segment: Segment) -> bool:
    """Whether it tells nothing about what lies there: ``api``, ``v1``."""
    return segment.kind is Kind.LITERAL and GENERIC.fullmatch(segment.text) is not None


def _spellings(case: _Case) -> Iterator[Finding]:
    by_operation: dict[tuple[int, str], list[tuple[Decision, Requirement]]] = {}
    for decision, requirement in case.whole():
        if decision.endpoint.operation:
            key = (decision.endpoint.operation, decision.method)
            by_operation.setdefault(key, []).append((decision, requirement))
    for answers in by_operation.values():
        first, needs = answers[0]
        for other, requirement in answers[1:]:
            if _weight(requirement) != _weight(needs):
                said = (
                    f"the same view answers {first.path}, which needs {_spelled(needs)}; here {_spelled(requirement)}"
                )
                yield _about("two-spellings", other, said)


def _weight(requirement: Requirement) -> tuple[object, ...]:
    """What a rule asks for, wherever in a path what it is about may stand."""
    return (
        frozenset(requirement.alternatives),
        requirement.scope_free,
        requirement.require_token,
        requirement.accept,
        requirement.public_only == "allow",
        requirement.owner is None,
        requirement.own if requirement.if_owned else "",
        frozenset(requirement.if_owned),
        requirement.others,
    )


def _spelled(requirement: Requirement) -> str:
    lists = requirement.scope_lists()
    text = " or ".join("+".join(words) for words in lists if words) or "no scope"
    return text if requirement.require_token else f"{text}, and no token"


def _representations(case: _Case) -> Iterator[Finding]:
    shapes: dict[str, set[str]] = {}
    for endpoint in case.endpoints:
        shapes.setdefault(_shape(endpoint.path), set()).add(endpoint.path)
    for decision, requirement in case.covered():
        stem, suffix = hints.suffix_of(decision.path)
        if not suffix or decision.method not in READS:
            continue
        for path in sorted(shapes.get(_shape(stem), ())):
            guarded = requirement_at(case.policy, decision.method, sample(path))
            if guarded is not None and guarded.group and _is_weaker(requirement, guarded):
                said = f"the .{suffix} of {path} needs {_spelled(requirement)}; the resource itself {_spelled(guarded)}"
                yield _about("alternate-representation", decision, said)


def _shape(path: str) -> str:
    """A path with all variables alike."""
    return _VARIABLE.sub("<>", path)


def _is_weaker(one: Requirement, other: Requirement) -> bool:
    """Whether someone passes the one who does not pass the other."""
    if (other.require_token and not one.require_token) or (other.accept == "session" and one.accept != "session"):
        return True
    if other.scope_free:
        return False
    if one.scope_free:
        return True
    return any(not other.met_by(one.vocabulary.closure(need)) for need in one.alternatives)


def _minting(case: _Case) -> Iterator[Finding]:
    for decision, requirement in case.covered():
        if decision.method in READS or decision.method == "DELETE" or not hints.seems_to_mint(decision.endpoint):
            continue
        if requirement.accept != "session" and not requirement.unmatched:
            said = (
                'tokens seem to be made there, and a token suffices; write accept = "session", or say in [lint] why not'
            )
            yield _about("mints-with-token", decision, said)


def _batches(case: _Case) -> Iterator[Finding]:
    for decision, requirement in case.whole():
        if decision.method in READS or requirement.accept == "session" or not hints.seems_to_batch(decision.endpoint):
            continue
        said = "what it is asked for is in the body; ask for all scopes that any of it needs, or say in [lint] why not"
        yield _about("batch", decision, said)


# -- what the policy itself says


def _public_only(case: _Case) -> Iterator[Finding]:
    if case.policy.vocabulary.public_only is None:
        return
    for requirement in case.policy.requirements():
        if requirement.resource is not None and requirement.public_only == "allow" and not requirement.scope_free:
            rule = requirement.route or requirement.group
            said = 'what it is about may be private; write public_only = "check"'
            yield Finding("public-only-unchecked", f"{case.policy.prefix}{rule}", "", said, _line(requirement.where))


def _categories(case: _Case) -> Iterator[Finding]:
    vocabulary = case.policy.vocabulary
    needed = _needed(case.policy)
    for name, category in vocabulary.categories.items():
        actions = vocabulary.actions if category.actions is None else category.actions
        own = vocabulary.closure(vocabulary.need(name, actions) or 0)
        if actions and not own & needed:
            yield Finding("unused-category", "", "", f"{quoted(name)}: no rule asks for it; its scopes grant nothing")


def _needed(policy: Policy) -> int:
    """The scopes that some rule asks for, by some method."""
    bits = 0
    for requirement in policy.requirements():
        for need in (*requirement.alternatives, *requirement.if_owned):
            bits |= need
    return bits


def _grants(case: _Case) -> Iterator[Finding]:
    policy = case.policy
    needed = policy.vocabulary.closure(_needed(policy))
    for role, patterns in policy.role_patterns.items():
        for pattern in (word for word in re.split(r"[ ,]+", patterns) if word and not word.startswith("-")):
            if "*" not in pattern and not policy.vocabulary.match([pattern]) & needed:
                yield Finding("unused-grant", "", "", f"role {quoted(role)}: no rule asks for {quoted(pattern)}")


def _code(case: _Case) -> Iterator[Finding]:
    vocabulary = case.policy.vocabulary
    for decision, requirement in case.whole():
        said = decision.endpoint.declared
        if said is None:
            continue
        if said.require_token and not requirement.require_token:
            yield _about("differs-from-code", decision, "its code asks for a token, the policy for none")
            continue
        if said.by_session and requirement.accept != "session" and not requirement.unmatched:
            yield _about("differs-from-code", decision, "its code takes no tokens, the policy does")
            continue
        needs = [need_of(vocabulary, words, decision.method) for words in said.alternatives or ()]
        if not needs or None in needs:
            continue  # of another vocabulary: nothing to compare
        # What the policy lets pass has to do for the code, too: else nobody knows until they are refused.
        mine = [vocabulary.closure(need) for need in requirement.alternatives] or [0]
        if not requirement.unmatched and any(all((need or 0) & ~bits for need in needs) for bits in mine):
            theirs = " or ".join("+".join(vocabulary.words(need or 0)) for need in needs)
            text = f"its code asks for {theirs}, the policy for {_spelled(requirement)}"
            yield _about("differs-from-code", decision, text)


_Check = Callable[[_Case], Iterator[Finding]]
_ALWAYS: tuple[_Check, ...] = (_public_only, _categories, _grants)
_WITH_ROUTES: tuple[_Check, ...] = (
    _uncovered,
    _outside,
    _dead,
    _unguarded_writes,
    _odd_methods,
    _wide,
    _spellings,
    _representations,
    _minting,
    _batches,
    _code,
)
