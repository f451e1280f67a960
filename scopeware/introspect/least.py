"""The least a token needs: by what it was used for."""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, final

from ..gate.decision import Caller, Circumstances, Denied, judge
from ..policy import DESTINATION_METHODS, AmbiguousPath, Policy, Requirement
from ..scopes import ScopeSet
from ..scopes.resource import canonical_pattern, encode
from ..tokens import LiveToken, LogEntry, TokenInfo

_MOST_RESOURCES = 10
"""A token that was used for more resources than these is not bound to each of them."""
_LONGEST_PATH = 1500
"""Longer ones may have been cut by the log."""

Outcome = Literal["any", "own"] | None
"""Whether a request is allowed: for whatever is there, for the caller's own only, or not."""


@final
@dataclass(frozen=True, slots=True, order=True)
class Use:
    """A request that was allowed, however often.

    :param needed: what was needed then, as the log has it.
    """

    method: str
    path: str
    needed: str

    @property
    def is_whole(self) -> bool:
        """Whether the log has the path as it was: no secret starred, nothing escaped, nothing cut."""
        return "***" not in self.path and "\\" not in self.path and len(self.path) < _LONGEST_PATH

    @property
    def goes_elsewhere(self) -> bool:
        """Whether it wrote where a header said, which no log has (RFC 4918 9.8, 9.9)."""
        return self.method.upper() in DESTINATION_METHODS


@final
@dataclass(frozen=True, slots=True)
class Advice:
    """What a token was used for, and the least that would have done.

    :param token: as it is.
    :param requests: how many of its requests were allowed.
    :param used: the scopes that they needed.
    :param unused: the scopes that it has, and that none of them needed.
    :param resources: what they were about.
    :param scopes: the least of its scopes by which each of them would be allowed. Without any one of these, at least
        one would be refused; but for what a copy, a move or a guard of a view needed elsewhere, which no log says.
    :param uses: those requests.
    :param refused: requests that were allowed once, and would not be today: they ask for nothing.
    :param unclear: why nothing is advised, where the log does not say enough.
    """

    token: TokenInfo
    requests: int
    used: tuple[str, ...]
    unused: tuple[str, ...]
    resources: tuple[str, ...]
    scopes: ScopeSet
    uses: tuple[Use, ...] = field(repr=False, default=())
    refused: tuple[Use, ...] = ()
    unclear: str = ""

    @property
    def narrows(self) -> bool:
        """Whether it has more than it was used for."""
        return bool(self.requests) and self.scopes != self.token.scopes and self.scopes <= self.token.scopes


def advise(
    policy: Policy,
    token: TokenInfo,
    entries: Iterable[LogEntry],
    *,
    rotated_from: Container[int] = (),
    roles_by_resource: bool | None = None,
) -> Advice:
    """What a token was used for, and the least that would have done.

    :param entries: from the access log; those of other tokens, and what was not allowed, are left out.
    :param rotated_from: tokens that this one took the place of: what they did, it is for, too.
    :param roles_by_resource: whether roles are given per resource (``resource_role=``), so that the owner's own role
        does not say what was allowed; by default whether the policy's hooks say so.
    """
    requests = 0
    uses: dict[Use, Outcome] = {}
    representative: dict[tuple[int, str | None, str, bool], Use] = {}
    resources: set[str] = set()
    by_resource = bool(policy.hooks.resource_role) if roles_by_resource is None else roles_by_resource
    case = _Case(policy, token, by_resource)
    for entry in entries:
        its_own = entry.token_id == token.id or (entry.token_id is not None and entry.token_id in rotated_from)
        if not its_own or entry.decision != "allowed":
            continue
        requests += 1
        use = Use(entry.method, entry.path, entry.scopes)
        if use in uses:
            continue
        uses[use] = case.outcome(token.scopes, use)
        about = case.about(use)
        resources |= {about} if about is not None else set()
        if uses[use] is not None:
            # Requests are many; what they are decided by is little.
            key = (id(case.requirement(use)), about, use.needed, use.goes_elsewhere)
            representative.setdefault(key, use)
    wanted, least, unclear = _Least(case, sorted(representative.values())).found()
    used = 0
    for bits in wanted.values():
        used |= policy.vocabulary.closure(bits)
    vocabulary = policy.vocabulary
    return Advice(
        token,
        requests,
        used=vocabulary.words(used),
        unused=tuple(word for word in vocabulary.words(token.scopes.anywhere) if not used & vocabulary.word_bits(word)),
        resources=tuple(sorted(resources)),
        scopes=least,
        uses=tuple(sorted(use for use, outcome in uses.items() if outcome is not None)),
        refused=tuple(sorted(use for use, outcome in uses.items() if outcome is None)),
        unclear=unclear,
    )


class _Case:
    """A token under a policy, and what would become of its requests with other scopes.

    What the owner's role takes away is taken from any scopes alike; where a role is given per resource, the log does
    not say which it was, and a request that only such a role can explain is looked at without any.
    """

    def __init__(self, policy: Policy, token: TokenInfo, by_resource: bool) -> None:
        self.policy = policy
        self._by_resource = by_resource
        self.token = token
        self._without_role: set[Use] = set()
        self._tried: tuple[ScopeSet, ScopeSet] | None = None

    def outcome(self, scopes: ScopeSet, use: Use) -> Outcome:
        """What becomes of a request with these scopes."""
        if use not in self._without_role:
            found = self._outcome(self._effective(scopes), scopes, use)
            if found is not None or scopes is not self.token.scopes or not self._by_resource:
                return found
            if self._outcome(scopes, scopes, use) is None:
                return None
            self._without_role.add(use)
        return self._outcome(scopes, scopes, use)

    def _effective(self, scopes: ScopeSet) -> ScopeSet:
        # PERF: the same scopes are tried on one request after another.
        if self._tried is None or self._tried[0] is not scopes:
            self._tried = (scopes, self.policy.roles.effective(scopes, self.token.owner_role))
        return self._tried[1]

    def worth(self, use: Use) -> ScopeSet:
        """The token's scopes as far as they count for a request."""
        scopes = self.token.scopes
        return scopes if use in self._without_role else self._effective(scopes)

    def _outcome(self, effective: ScopeSet, scopes: ScopeSet, use: Use) -> Outcome:
        requirement = self.requirement(use)
        if requirement is None:
            return "any" if self._guard_met(effective, use) else None
        token = self.token
        live = LiveToken(
            token_id=token.id,
            name=token.name,
            owner=token.owner,
            role=token.owner_role,
            granted=scopes,
            scopes=effective,
        )
        params = self.policy.params
        circumstances = Circumstances(
            params=lambda rule: params(rule, _raw(use.path)),
            # What could be seen then is taken for public still, and for the caller's own where it was.
            is_public=lambda _: True,
            resource=lambda rule: rule.resource.fill(params(rule, _raw(use.path))) if rule.resource else None,
            owner_of=lambda _: token.owner,
        )
        decision = judge(requirement, Caller(live, token.owner, token.owner_role), circumstances)
        if isinstance(decision, Denied) or not self._guard_met(effective, use):
            return None
        return "own" if decision.own else "any"

    def requirement(self, use: Use) -> Requirement | None:
        """What today's policy says; ``None`` outside of its prefix."""
        try:
            return self.policy.requirement(use.method, _raw(use.path))
        except AmbiguousPath:
            return None

    def about(self, use: Use) -> str | None:
        """The resource of a request, as far as the log can be believed."""
        requirement = self.requirement(use)
        if requirement is None or requirement.resource is None or not use.is_whole:
            return None
        return requirement.resource.fill(self.policy.params(requirement, _raw(use.path)))

    def guard(self, use: Use) -> list[int]:
        """The scope bits, any of which a guard in the application asked for; none where the policy alone did."""
        requirement = self.requirement(use)
        lists = [] if requirement is None else requirement.scope_lists()
        if not use.needed or use.needed == " | ".join(" ".join(words) for words in lists):
            return []
        found = []
        for words in use.needed.split(" | "):
            parsed, unknown = self.policy.vocabulary.parse_known(words)
            if not unknown and parsed.bits:
                found.append(parsed.bits)
        return found

    def _guard_met(self, scopes: ScopeSet, use: Use) -> bool:
        # Where it asked, which may be elsewhere than where the policy says, no log has.
        needs = self.guard(use)
        if not needs or any(not need & ~scopes.anywhere for need in needs):
            return True
        # A policy that has changed since asked for it.
        return all(need & ~self.token.scopes.anywhere for need in needs)


class _Least:
    """Looks for the least of a token's scopes.

    :param uses: requests that were allowed, one of each kind.
    """

    def __init__(self, case: _Case, uses: Sequence[Use]) -> None:
        self._case = case
        self._uses = uses
        self._token = case.token
        self._vocabulary = case.policy.vocabulary
        self._outcomes = {use: case.outcome(self._token.scopes, use) for use in uses}
        self._by_resource: dict[str, list[Use]] = {}
        for use in uses if self._token.scopes.bound else ():
            if (name := case.about(use)) is not None:
                self._by_resource.setdefault(canonical_pattern(encode(name)) or "", []).append(use)

    def found(self) -> tuple[Mapping[str | None, int], ScopeSet, str]:
        """What was needed where, the least that does, and why that is not less."""
        scopes = self._token.scopes
        if not self._uses:
            return {}, scopes, ""
        wanted = self._wanted()
        if kept := self._kept():
            least = self._without_more(self._everything(), keep=kept)
            return wanted, scopes if least == scopes or not least <= scopes else least, ""
        for words in (self._spelled(wanted), self._smallest() if not wanted else [], self._everything()):
            found = self._read(words)
            if words and found <= scopes and self._does(found):
                return wanted, self._without_more(words), ""
        return wanted, scopes, "the log does not say enough"

    def _read(self, words: Sequence[str]) -> ScopeSet:
        found = self._vocabulary.parse(words)
        return found.for_public_only() if self._token.scopes.public_only else found

    def _does(self, scopes: ScopeSet, likely: Iterable[Use] = ()) -> bool:
        """Whether each request comes out the same; those first that are likely not to."""
        uses = itertools.chain(likely, self._outcomes)
        return all(self._case.outcome(scopes, use) == self._outcomes[use] for use in uses)

    def _kept(self) -> set[str]:
        """The words that stay because the log does not say where they were needed: by what something was copied or
        moved to, by guards in the application."""
        possible = 0
        if any(use.goes_elsewhere for use in self._uses):
            for requirement in self._case.policy.requirements():
                if requirement.destination:
                    possible |= _union(requirement.alternatives) | _union(requirement.if_owned)
        for use in self._uses:
            possible |= _union(need for need in self._case.guard(use) if not need & ~self._token.scopes.anywhere)
        each = {word: self._vocabulary.word_bits(word.partition("@")[0]) for word in self._everything()}
        return {word for word, bit in each.items() if bit & possible}

    def _without_more(self, words: Sequence[str], keep: Container[str] = ()) -> ScopeSet:
        """As little as will do: whatever can go, goes, what stands for much first."""
        left = list(words)
        for word in sorted(words, key=self._size, reverse=True):
            if word in keep:
                continue
            fewer = [each for each in left if each != word]
            # PERF: a word that is needed is mostly found out by what it is bound to; tokens are bound to hundreds.
            likely = self._by_resource.get(word.partition("@")[2], ())
            if fewer and self._does(self._read(fewer), likely):
                left = fewer
        return self._read(left)

    def _size(self, word: str) -> tuple[int, bool, str]:
        scope, _, pattern = word.partition("@")
        return self._vocabulary.closure(self._vocabulary.word_bits(scope)).bit_count(), not pattern, word

    def _wanted(self) -> dict[str | None, int]:
        """The scope bits that were needed, by what the requests were about."""
        wanted: dict[str | None, int] = {}
        options = {use: self._options(use) for use in self._uses}
        for use in sorted(self._uses, key=lambda each: (len(options[each]), each)):
            about = None if self._case.guard(use) else self._case.about(use)
            have = wanted.get(about, 0) | wanted.get(None, 0)
            if options[use]:
                best = min(options[use], key=lambda need: (need & ~have).bit_count())
                wanted[about] = wanted.get(about, 0) | best
        return wanted

    def _options(self, use: Use) -> list[int]:
        """The scope bits of the token any of which allows a request; none where it needs none."""
        about = self._case.about(use)
        worth = self._case.worth(use)
        bits = worth.at(about) if about is not None else worth.anywhere
        lists: list[list[int]] = []
        requirement = self._case.requirement(use)
        while requirement is not None:
            if not requirement.scope_free:
                # Only where nothing else allowed it was it for what is the owner's own.
                there = [need for need in requirement.alternatives if not need & ~bits]
                lists.append(there or [need for need in requirement.if_owned if not need & ~bits])
            requirement = requirement.also
        if guard := [need for need in self._case.guard(use) if not need & ~worth.anywhere]:
            lists.append(guard)
        if not lists or not all(lists):
            return []
        closed = self._vocabulary.closure
        return list(dict.fromkeys(closed(_union(parts)) for parts in itertools.product(*lists)))

    def _spelled(self, places: Mapping[str | None, int]) -> list[str]:
        """Words for scope bits per resource: bound where what needs a scope is about few resources."""
        everywhere = places.get(None, 0)
        found = list(self._vocabulary.words(everywhere))
        by_word: dict[str, list[str]] = {}
        for name, bits in places.items():
            if name is not None:
                for word in self._vocabulary.words(bits & ~everywhere):
                    by_word.setdefault(word, []).append(name)
        for word, names in by_word.items():
            patterns = [canonical_pattern(encode(name)) for name in names]
            if len(names) > _MOST_RESOURCES or None in patterns:
                found.append(word)
            else:
                found += [f"{word}@{pattern}" for pattern in sorted(filter(None, patterns))]
        return found

    def _smallest(self) -> list[str]:
        """One scope, for a token that only went where none is needed: without any it could not."""
        worth = self._case.policy.roles.effective(self._token.scopes, self._token.owner_role)
        held = [word for word in self._vocabulary.scopes if self._vocabulary.word_bits(word) & worth.bits]
        if held:
            return [min(held, key=self._size)]
        return list(worth)[:1]

    def _everything(self) -> list[str]:
        """Each scope of the token by itself, where it is bound to."""
        scopes = self._token.scopes
        each = [word for word in self._vocabulary.scopes if self._vocabulary.word_bits(word) & scopes.bits]
        for pattern, bits in scopes.bound.items():
            each += [f"{word}@{pattern}" for word in self._vocabulary.scopes if self._vocabulary.word_bits(word) & bits]
        return each


def _union(parts: Iterable[int]) -> int:
    bits = 0
    for part in parts:
        bits |= part
    return bits


def _raw(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("latin-1")
