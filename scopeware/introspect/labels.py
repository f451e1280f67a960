"""What each route of an application is going to need, by what is known of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import final

from ..policy import Policy, Requirement
from ..policy.segment import Kind
from ..scopes import Vocabulary
from . import hints
from .endpoint import READS, Endpoint
from .hints import GENERIC

REST = "misc"
"""The category of what belongs to none."""
MOST_CATEGORIES = 24
_MOST_SPELLINGS = 3
_SHORT = {
    "app": "application",
    "config": "configuration",
    "org": "organization",
    "pkg": "package",
    "repo": "repository",
}
_NEVER = -1
"""The scope bits that nobody has."""
_NOT_IN_NAMES = re.compile(r"[^a-z0-9_-]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_KINDS = re.compile(r"[-_](?:rest[-_]api|api|views?|viewset|controller|resource|blueprint|bp|namespace|ns)$")
_CATEGORY = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_SCOPE = re.compile(r"(read|write):([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)")
_SINGLE = re.compile(r"[A-Za-z0-9_-]+(?:[:.][A-Za-z0-9_-]+)+")


@final
@dataclass(frozen=True, slots=True)
class Label:
    """What routes need, all those of a group alike.

    :param needs: categories, or scopes as they are: all of any one list; none for no scope.
    :param public: anyone may, without a token.
    :param by_session: no token will do.
    :param action: the level, where it does not follow from the method.
    """

    needs: tuple[tuple[str, ...], ...]
    public: bool = False
    by_session: bool = False
    action: str = ""

    @property
    def words(self) -> set[str]:
        """Every word of it."""
        return {word for words in self.needs for word in words}

    def renamed(self, names: Mapping[str, str]) -> Label:
        """The same with other names for its categories."""
        lists = (tuple(dict.fromkeys(names.get(word, word) for word in words)) for words in self.needs)
        return replace(self, needs=tuple(dict.fromkeys(lists)))


def strictest(labels: Iterable[Label]) -> Label:
    """What does for each of several routes at once: all that any of them needs."""
    listed = list(labels)
    needs: tuple[tuple[str, ...], ...] = ((),)
    for alternatives in dict.fromkeys(label.needs for label in listed if label.needs):
        needs = tuple(dict.fromkeys(tuple(dict.fromkeys(one + two)) for one in needs for two in alternatives))
    return Label(
        () if needs == ((),) else needs,
        public=all(label.public for label in listed),
        by_session=any(label.by_session for label in listed),
        action=max((label.action for label in listed), default=""),
    )


def labels_of(endpoints: Iterable[Endpoint], prefix: str, *, guess_public: bool = True) -> dict[Endpoint, Label]:
    """What each route is going to need: what the application says itself; else by its tag, or its path.

    :param prefix: what stands before all paths.
    :param guess_public: whether a route may be public because it looks harmless.
    """
    listed = list(endpoints)
    depth = prefix.count("/")
    tagged = Counter(endpoint.tags[0] for endpoint in listed if endpoint.tags)
    by_tag = len(tagged) >= 3 and max(tagged.values()) < 0.7 * sum(tagged.values())
    found_hubs = hubs(listed, depth)
    labels: dict[Endpoint, Label] = {}
    guessed: dict[Endpoint, Label] = {}
    for endpoint in listed:
        said = declared_label(endpoint)
        if said is not None:
            labels[endpoint] = said
            continue
        word = name_of(endpoint.tags[0]) if by_tag and endpoint.tags else _by_path(endpoint, depth, found_hubs)
        if guess_public and _is_public(endpoint):
            labels[endpoint] = Label((), public=True)
        else:
            action = "write" if hints.seems_to_change(endpoint) else ""
            guessed[endpoint] = Label(((word,),), by_session=_by_session(endpoint), action=action)
    _unify(guessed)
    counts = Counter(word for label in guessed.values() for word in label.words)
    kept = {word for word, _ in counts.most_common(MOST_CATEGORIES)} | {"admin"}
    if len(counts) > MOST_CATEGORIES:
        kept = {word for word in kept if counts[word] > 1}
    for endpoint, label in guessed.items():
        labels[endpoint] = label.renamed(dict.fromkeys(label.words - kept, REST))
    return _alike(labels)


def _alike(labels: dict[Endpoint, Label]) -> dict[Endpoint, Label]:
    """Routes that look the same, but for the hosts they are for, need what any of them does."""
    same: dict[str, list[Endpoint]] = {}
    for endpoint in labels:
        same.setdefault(endpoint.path, []).append(endpoint)
    for twins in same.values():
        for endpoint in twins if len(twins) > 1 else ():
            mine = [each for each in twins if each is endpoint or _share_methods(each, endpoint)]
            labels[endpoint] = strictest([labels[each] for each in mine])
    return labels


def _share_methods(one: Endpoint, other: Endpoint) -> bool:
    return one.methods == other.methods or not set(one.methods).isdisjoint(other.methods)


def _is_public(endpoint: Endpoint) -> bool:
    """Whether it is drafted as public; never against what its code says."""
    if endpoint.declared is not None and (endpoint.declared.require_token or endpoint.declared.by_session):
        return False
    return hints.seems_public(endpoint) or hints.seems_to_sign_in(endpoint)


def _by_session(endpoint: Endpoint) -> bool:
    return endpoint.declared is not None and endpoint.declared.by_session


def _unify(labels: dict[Endpoint, Label]) -> None:
    """One view on a few paths is one operation, and needs the same on each: what any of them seems to need."""
    operations: dict[tuple[int, str], list[Endpoint]] = {}
    for endpoint, label in labels.items():
        if endpoint.operation:
            operations.setdefault((endpoint.operation, label.action), []).append(endpoint)
    for endpoints in operations.values():
        needs = {labels[endpoint].needs for endpoint in endpoints}
        if 1 < len(needs) <= _MOST_SPELLINGS:
            every = strictest(labels[endpoint] for endpoint in endpoints)
            for endpoint in endpoints:
                labels[endpoint] = replace(every, by_session=labels[endpoint].by_session)


def declared_label(endpoint: Endpoint) -> Label | None:
    """What the application says itself, in categories where the level is that of the method."""
    said = endpoint.declared
    if said is None or said.alternatives is None:
        return None
    lists = []
    for words in said.alternatives:
        found = [_declared_word(word, endpoint) for word in words]
        if None in found:
            return None
        lists.append(tuple(dict.fromkeys(word for word in found if word is not None)))
    needs = tuple(dict.fromkeys(words for words in lists if words))
    # Whatever writes takes a token, but for signing in.
    harmless = not endpoint.writes or (not needs and hints.seems_to_sign_in(endpoint))
    return Label(needs, said.require_token is False and harmless and not said.by_session, said.by_session)


def _declared_word(word: str, endpoint: Endpoint) -> str | None:
    if _CATEGORY.fullmatch(word):
        return word
    if scope := _SCOPE.fullmatch(word):
        levels = {"read" if method in READS else "write" for method in endpoint.methods}
        return scope[2] if levels == {scope[1]} else word
    return word if _SINGLE.fullmatch(word) else None


def category_in(word: str) -> str | None:
    """The category of a word; ``None`` for a scope that stands alone."""
    if scope := _SCOPE.fullmatch(word):
        return scope[2]
    return word if _CATEGORY.fullmatch(word) and ":" not in word else None


# -- by paths


def hubs(endpoints: Iterable[Endpoint], depth: int) -> set[tuple[str, ...]]:
    """Beginnings of paths that nearly everything below their parent shares: the name of the product, mostly."""
    below: dict[tuple[str, ...], Counter[str]] = {}
    for endpoint in endpoints:
        texts = literal_front(endpoint, depth)
        for position in range(len(texts)):
            below.setdefault(texts[:position], Counter())[texts[position]] += 1
    found: set[tuple[str, ...]] = set()
    for front, counts in below.items():
        text, most = counts.most_common(1)[0]
        children = below.get((*front, text), Counter())
        generic = all(GENERIC.fullmatch(part) or (*front[:at], part) in found for at, part in enumerate(front))
        if generic and most >= 10 and most >= 0.8 * sum(counts.values()) and len(children) >= 3:
            found.add((*front, text))
    return found


def literal_front(endpoint: Endpoint, depth: int) -> tuple[str, ...]:
    """The literal segments that a path begins with, after so many."""
    texts = []
    for segment in endpoint.pattern.segments[depth:]:
        if segment.kind is not Kind.LITERAL:
            texts += [word] if (word := segment.ends[0].strip("-_.")) else []
            break
        texts.append(segment.text)
    return tuple(texts)


def _by_path(endpoint: Endpoint, depth: int, found_hubs: set[tuple[str, ...]]) -> str:
    texts = literal_front(endpoint, depth)
    for position, text in enumerate(texts):
        if not GENERIC.fullmatch(text) and texts[: position + 1] not in found_hubs:
            return name_of(text)
    return REST


def name_of(text: str) -> str:
    """A text as the name of a category."""
    word = _NOT_IN_NAMES.sub("-", _CAMEL.sub("-", text).lower()).strip("-_")
    return _KINDS.sub("", word) or REST


def meant(word: str, known: Iterable[str]) -> str | None:
    """The category that a word means: itself, its singular, what it is short for."""
    single = f"{word[:-3]}y" if word.endswith("ies") else word
    if word.endswith("s") and not word.endswith("ss") and single == word:
        single = word[:-1]
    listed = list(known)
    return next((name for name in (word, single, _SHORT.get(single)) if name in listed), None)


# -- what a policy makes of it


def verdict(policy: Policy, requirement: Requirement, method: str, label: Label) -> int:
    """How what decides compares with a label: 0 the same, 1 stricter, -1 weaker."""
    vocabulary = policy.vocabulary
    needs = [need_of(vocabulary, words, method, label.action) for words in label.needs]
    wanted = {_NEVER if need is None else need for need in needs}
    there = set(requirement.alternatives)
    needs_token = not label.public
    same_scopes = requirement.scope_free == (not wanted) and there == wanted
    same = same_scopes and requirement.require_token == needs_token
    if same and (requirement.accept == "session") == label.by_session:
        return 0
    if (needs_token and not requirement.require_token) or (label.by_session and requirement.accept != "session"):
        return -1
    if wanted and (requirement.scope_free or not all(_covers(vocabulary, need, wanted) for need in there)):
        return -1
    return 1


def _covers(vocabulary: Vocabulary, need: int, wanted: set[int]) -> bool:
    closed = vocabulary.closure(need)
    return any(not each & ~closed for each in wanted)


def need_of(vocabulary: Vocabulary, words: Iterable[str], method: str, action: str = "") -> int | None:
    """The scope bits that categories, at the level of a method, and scopes come to; ``None`` if one is unknown."""
    actions = (action,) if action else vocabulary.actions_for(method)
    bits = 0
    for word in words:
        need = vocabulary.need(word, actions) if word in vocabulary.categories else None
        need = vocabulary.parse_known([word])[0].bits if need is None else need
        if not need:
            return None
        bits |= need
    return bits
