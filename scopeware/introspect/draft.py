"""A policy drafted from an application's routes: nearly right, and it says what to check."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import final

from ..errors import ConfigurationError
from ..policy import Pattern, Policy, distinct, sample
from ..policy.segment import Kind
from ..scopes import Vocabulary
from ..text import counted, printable
from . import hints
from .coverage import decisions, requirement_at, uncovered
from .endpoint import Discovery, Endpoint
from .grouping import DraftedGroup, Special, attempts, below, everything_at_once
from .hints import GENERIC
from .labels import (
    REST,
    Label,
    category_in,
    declared_label,
    labels_of,
    literal_front,
    meant,
    name_of,
    strictest,
    verdict,
)
from .toml import category_line, remarked, spelled, string

_BUILTIN = "gitea"
_CATEGORIES = re.compile(r"^\[vocabulary\.categories\][^\n]*\n", re.MULTILINE)
_MANY = re.compile(r"<path(?:\([^<>]*\))?:\w+>$")
_NAME = re.compile(r":?\w+>")
_ROUNDS = 4


@final
@dataclass(frozen=True, slots=True)
class Draft:
    """A drafted policy.

    :param text: what to write into the file.
    :param groups: how many groups it has.
    :param to_check: how many places a person should look at.
    :param added: what is new in it, where there was a policy before.
    :param categories: and the lines that are new in its vocabulary.
    """

    text: str
    groups: int
    to_check: int
    added: str = ""
    categories: tuple[str, ...] = ()


def draft(discovery: Discovery, name: str) -> Draft:
    """A policy for these routes. It loads, and covers every one of them; none needs less than is known of it.

    :param name: what the application is called.
    """
    endpoints = list(map(hints.as_sign_in, discovery.endpoints))
    if not endpoints:
        return _unknown(discovery, name)
    prefix = _prefix(endpoints, discovery.lost)
    labels = labels_of(endpoints, prefix)
    names = _fit(labels, Vocabulary.builtin(_BUILTIN))
    if names is not None:
        labels = {endpoint: label.renamed(names) for endpoint, label in labels.items()}
    head = _head(discovery, name, prefix, labels, own=names is None)
    for groups in attempts(endpoints, prefix, labels, resources=True):
        made = _settled(head, groups, prefix, labels)
        if made is not None:
            return made
    text = "\n".join([head, spelled(everything_at_once(labels, REST))])
    return Draft(text, 1, text.count("# check"))


def draft_more(text: str, policy: Policy, discovery: Discovery, *, guess_public: bool = True) -> Draft | None:
    """What to write into a policy file so that it covers the routes that it does not; ``None`` where it covers all.

    Not a line that is there is changed. Routes outside of the policy's prefix are left alone.

    :param text: the file as it is.
    :param guess_public: whether a route may be public because it looks harmless.
    :raises ConfigurationError: what would have to be added contradicts what is there.
    """
    missing = list(map(hints.as_sign_in, uncovered(policy, discovery.endpoints)))
    if not missing:
        return None
    labels = labels_of(missing, policy.prefix, guess_public=guess_public)
    known = policy.vocabulary.categories
    declared = _declared_words(labels)
    has_table = _CATEGORIES.search(text) is not None
    names: dict[str, str] = {}
    new: dict[str, None] = {}
    for word in sorted({word for label in labels.values() for word in label.words}):
        category = category_in(word)
        there = word if category in known or policy.vocabulary.parse_known([word])[0].bits else None
        if there is None and word not in declared:
            there = meant(word, known) or (None if has_table else REST if REST in known else None)
        if there is not None:
            names[word] = there
        elif category is None or not has_table:
            raise ConfigurationError(
                f"the new routes want `{word}`, which the vocabulary does not have; add it", where=policy.source
            )
        else:
            new[category] = None
    labels = {endpoint: label.renamed(names) for endpoint, label in labels.items()}
    end = "\r\n" if "\r\n" in text else "\n"
    before = _with_categories(text if text.endswith("\n") else f"{text}{end}", new, end)
    problem = "what covers them would cover others, too"
    for groups in attempts(missing, policy.prefix, labels, resources=False):
        added = "\n".join(["", "# -- new routes, drafted; check them", *map(spelled, groups)]).replace("\n", end)
        try:
            whole = Policy.loads(before + added)
        except ConfigurationError as error:
            problem = error.problem
            continue
        if not uncovered(whole, missing) and not any(each.weaker for each in _mismatches(whole, labels)):
            lines = tuple(category_line(word) for word in new)
            return Draft(before + added, len(groups), added.count("# check"), added, lines)
    raise ConfigurationError(f"the new routes cannot be added below what is there: {problem}", where=policy.source)


def _unknown(discovery: Discovery, name: str) -> Draft:
    """A policy for an application of which no route is known: everything is guarded, as one."""
    group = DraftedGroup("/", Label(((REST,),)))
    group.remarks["check: no route is known. Give each part of it a group; until then all of it needs this"] = None
    group.remarks["check: methods other than GET, HEAD and OPTIONS count as writing, PROPFIND too"] = None
    text = "\n".join([_head(discovery, name, "", {}, own=True), spelled(group)])
    return Draft(text, 1, text.count("# check"))


# -- checked against what the policy decides


def _settled(head: str, groups: list[DraftedGroup], prefix: str, labels: Mapping[Endpoint, Label]) -> Draft | None:
    """The draft, with a rule more for each route that another one would decide about; ``None`` if that is no help."""
    best: Draft | None = None
    for _ in range(_ROUNDS):
        text = "\n".join([head, *map(spelled, groups)])
        try:
            policy = Policy.loads(text)
        except ConfigurationError:
            return best
        if uncovered(policy, labels):
            return best
        wrong = list(_mismatches(policy, labels))
        if not any(each.weaker for each in wrong):
            best = Draft(text, len(groups), text.count("# check"))
        if not wrong or not _mend(groups, prefix, policy, wrong):
            return best
    return best


@dataclass(frozen=True, slots=True)
class _Wrong:
    """A path that a policy decides otherwise about than it should.

    :param below: whether it is about what lies below the path, too.
    :param weaker: whether the policy asks for less.
    """

    path: str
    below: bool
    method: str
    label: Label
    weaker: bool


def _mismatches(policy: Policy, labels: Mapping[Endpoint, Label]) -> Iterator[_Wrong]:
    """The paths of routes, and what rules cover of them, that a policy decides wrongly about."""
    for decision in decisions(policy, list(labels)):
        method, endpoint, requirement = decision.method, decision.endpoint, decision.requirement
        if requirement is None or not decision.rivals:
            continue
        # Where anything may be, nothing is known of it: whatever else is asked for there will do.
        known = [each for each in decision.rivals if not _takes_anything(each, labels[each])]
        guarded = requirement.require_token and not requirement.scope_free
        if not known and guarded and not decision.is_whole:
            continue
        label = strictest(labels[each] for each in known or decision.rivals)
        found = verdict(policy, requirement, method, label)
        if found < 0 or (found and decision.is_whole):
            yield _Wrong(_rule_for(decision.path), decision.is_whole and endpoint.open, method, label, found < 0)


def _takes_anything(endpoint: Endpoint, label: Label) -> bool:
    many = endpoint.pattern.below or endpoint.pattern.has_many
    return many and label.words == {REST} and not label.by_session


def _rule_for(path: str) -> str:
    """The path of a rule for paths, or for what is below them: ``.../...``."""
    front = path.partition("/...")[0]
    return distinct(front if front == path or _MANY.search(front) else f"{front}/<path:rest>")


def _mend(groups: list[DraftedGroup], prefix: str, policy: Policy, wrong: Iterable[_Wrong]) -> bool:
    """Add a rule for each path that is decided wrongly; whether any could be."""
    mended = False
    by_path: dict[tuple[str, bool, Label], set[str]] = {}
    for each in wrong:
        by_path.setdefault((each.path, each.below, each.label), set()).add(each.method)
    for (path, is_open, label), methods in by_path.items():
        rest = path[len(prefix) :] or "/"
        deciding = requirement_at(policy, min(methods), sample(path))
        group = next((each for each in groups if deciding is not None and each.path == deciding.group), None)
        inside = group is not None and (rest == group.path or rest.startswith(f"{group.path.rstrip('/')}/"))
        if group is None or not inside or (not group.below and rest != group.path):
            if any(_shape(each.path) == _shape(rest) for each in groups):
                continue  # what decides instead of it is mended by its own path
            groups.append(DraftedGroup(rest, label, below=is_open, count=1))
            mended = True
            continue
        special = Special(below(rest, group.path), tuple(sorted(methods)), label, whole=True)
        twins = [twin for twin in group.specials if _shape(twin.path) == _shape(special.path)]
        twins = [twin for twin in twins if methods.intersection(twin.methods)]
        for twin in twins:
            both = strictest((twin.label, label))
            mended |= both != twin.label
            twin.label, twin.whole = both, True
        if not twins:
            group.specials.append(special)
            mended = True
    return mended


def _shape(path: str) -> str:
    """A path, whatever its variables are called."""
    return _NAME.sub(">", path)


# -- what it is made of


def _prefix(endpoints: list[Endpoint], lost: Iterable[str]) -> str:
    """The literal segments that all paths have in front, those below which more may be included."""
    front: list[str] = []
    listed = [*(endpoint.pattern.segments for endpoint in endpoints), *(Pattern.parse(path).segments for path in lost)]
    for segments in zip(*listed, strict=False):
        if any(segment.kind is not Kind.LITERAL or segment != segments[0] for segment in segments):
            break
        front.append(segments[0].text)
    longest = min((len(endpoint.pattern.segments) for endpoint in endpoints), default=0)
    # At least one segment tells routes apart.
    while front and (len(front) >= longest or not any(GENERIC.fullmatch(text) for text in front)):
        front.pop()
    return "".join(f"/{text}" for text in front)


def _declared_words(labels: Mapping[Endpoint, Label]) -> set[str]:
    """The words that the application says itself; they stay as they are."""
    return {word for endpoint in labels if (said := declared_label(endpoint)) is not None for word in said.words}


def _fit(labels: Mapping[Endpoint, Label], vocabulary: Vocabulary) -> dict[str, str] | None:
    """Word → category of a vocabulary, if every word is one of them."""
    declared = _declared_words(labels)
    words = {word for label in labels.values() for word in label.words}
    if not words or words == {REST}:
        return None
    names: dict[str, str] = {}
    if 2 * len(words) < len(vocabulary.categories):
        return None  # most of it would be for nothing
    for word in words:
        category = category_in(word)
        if word in declared:
            there = word if category in vocabulary.categories else None
        else:
            there = meant(word, vocabulary.categories)
        if there is None:
            return None
        names[word] = there
    return names


# -- text


def _head(discovery: Discovery, name: str, prefix: str, labels: Mapping[Endpoint, Label], *, own: bool) -> str:
    found = f"{counted(len(discovery.endpoints), 'route')}, {printable(discovery.kind)}"
    lines = [
        f"# Who may call what in {printable(name)}: {found}.",
        "# Drafted by `scopeware init`. Read it once; what says `check` is a guess. Then: scopeware lint.",
        "",
        "[policy]",
    ]
    if not own:
        lines.append(remarked(f'vocabulary = "{_BUILTIN}"', "its categories fit; `scopeware scopes list` shows them"))
    common = _busiest(discovery.endpoints) if not prefix else ""
    why = "every route lies there; the rest is passed through untouched" if prefix else "everything"
    lines.append(remarked(f"prefix = {string(prefix)}", f"what is guarded: {why}"))
    if common:
        lines.append(
            f"# check: most routes lie under {common}; if pages beside them have a sign-in of their own, guard"
        )
        lines.append(f"# only those: prefix = {string(common)}, and take it from the paths below.")
    lines += [f"# note: {printable(note)}" for note in discovery.notes]
    lines.append("")
    if not all(endpoint.methods for endpoint in discovery.endpoints):
        lines += ["[gate]", remarked('preflight = "check"', "some routes answer to every method, OPTIONS too"), ""]
    if own:
        lines += _vocabulary(name, labels)
    return "\n".join(lines)


def _vocabulary(name: str, labels: Mapping[Endpoint, Label]) -> list[str]:
    words = {word for label in labels.values() for word in label.words}
    categories = sorted({category for word in words if (category := category_in(word)) is not None} or {REST})
    singles = sorted(word for word in words if category_in(word) is None)
    stem = (
        os.path.basename(name).partition(".")[0]
        if name.endswith((".json", ".yaml", ".yml"))
        else name.partition(":")[0]
    )
    lines = ["[vocabulary]", f"name = {string(name_of(stem.rpartition('.')[2]))}", 'actions = ["read", "write"]', ""]
    if singles:
        table = ", ".join(f'{string(word)} = ""' for word in singles)
        lines[-1:] = [f"scopes = {{ {table} }}", ""]
    lines.append("[vocabulary.categories]")
    for category in categories:
        key = category if re.fullmatch(r"[A-Za-z0-9_-]+", category) else string(category)
        lines.append(f"{key} = {string(_description(category, labels))}")
    return [*lines, ""]


def _description(category: str, labels: Mapping[Endpoint, Label]) -> str:
    paths = {
        endpoint.path for endpoint, label in labels.items() if category in {category_in(word) for word in label.words}
    }
    if not paths:
        return "What belongs nowhere else"
    more = len(paths) - 1
    return f"{min(sorted(paths), key=len)}" + (f" and {more} more path{'s' if more > 1 else ''}" if more else "")


def _busiest(endpoints: Iterable[Endpoint]) -> str:
    """Where most routes lie, if that is an API beside something else."""
    counts: Counter[str] = Counter()
    total = 0
    for endpoint in endpoints:
        total += 1
        path = ""
        for text in literal_front(endpoint, 0):
            if not GENERIC.fullmatch(text):
                break
            path += f"/{text}"
            counts[path] += 1
    likely = [(path.count("/"), path) for path, count in counts.items() if total > count >= 0.6 * total]
    return max(likely)[1] if likely else ""


def _with_categories(text: str, new: Iterable[str], end: str) -> str:
    heading = _CATEGORIES.search(text)
    if heading is None:
        return text
    lines = "".join(f"{category_line(word)}{end}" for word in new)
    return text[: heading.end()] + lines + text[heading.end() :]
