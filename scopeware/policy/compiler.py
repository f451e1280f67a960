"""Rules checked one by one and against each other, and made into a trie."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import ConfigurationError
from ..scopes import READ_METHODS, Vocabulary, VocabularyError
from ..text import did_you_mean, near, quoted
from .pattern import Pattern, Template
from .requirement import MethodTable, Requirement
from .rules import ACCEPT, BOUND, OWN, PUBLIC_ONLY, Group, Needs, Own, Route
from .segment import Kind, PatternError
from .trie import Node, build, overlapping

DESTINATION_METHODS = ("COPY", "MOVE")
_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", *DESTINATION_METHODS)


class PolicyError(ConfigurationError):
    """A policy that cannot be enforced as it stands."""


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A group or a route with its pattern and its requirements."""

    rule: Group | Route
    pattern: Pattern
    by_method: dict[str, Requirement]
    other: Requirement | None
    group: int = -1
    """For a route, the index of its group."""

    @property
    def name(self) -> str:
        methods = getattr(self.rule, "methods", None)
        text = f"{','.join(methods)} {self.pattern}" if methods else str(self.pattern)
        return f"`{text}` ({self.rule.where})" if self.rule.where else f"`{text}`"

    def needs(self, method: str) -> Requirement | None:
        """What `method` needs, if this rule decides about it."""
        return self.by_method.get(method, self.other)

    def clashes_with(self, other: _Compiled) -> list[str]:
        """The methods that both decide about, and differently; of two groups of which one has routes, all."""
        routes = getattr(self.rule, "routes", ()) or getattr(other.rule, "routes", ())
        clashing = []
        for method in {*self.by_method, *other.by_method, "*"}:
            mine, theirs = self.needs(method), other.needs(method)
            if mine and theirs and (routes or mine.meaning() != theirs.meaning()):
                clashing.append(method)
        return clashing

    def shares_method_with(self, other: _Compiled) -> bool:
        """Whether some method is decided by both."""
        return any(self.needs(method) and other.needs(method) for method in {*self.by_method, *other.by_method, "*"})


class Compiler:
    """Checks rules one by one, then against each other, and builds the trie.

    :param roles: those there are.
    :param defaults: what groups need that do not say.
    :param nobody: what decides where no group does.
    """

    def __init__(self, vocabulary: Vocabulary, roles: Iterable[str], defaults: Needs, nobody: Requirement) -> None:
        self._vocabulary = vocabulary
        self._roles = tuple(roles)
        self._methods = tuple(dict.fromkeys((*_METHODS, *vocabulary.methods)))
        self._defaults = defaults
        there = dict.fromkeys(DESTINATION_METHODS, replace(nobody, destination=True))
        self._nobody = MethodTable(there, nobody)

    def compile(self, groups: Sequence[Group]) -> Node:
        """The trie of these groups.

        :raises ConfigurationError: a rule that cannot be used, or two that contradict each other.
        """
        compiled_groups: list[_Compiled] = []
        compiled_routes: list[_Compiled] = []
        for number, group in enumerate(groups):
            place = group.where or f"group[{number}]"
            compiled = self._located(place, self._group, group)
            compiled_groups.append(compiled)
            for position, route in enumerate(group.routes):
                spot = route.where or f"{place}.route[{position}]"
                compiled_routes.append(self._located(spot, self._route, route, group, compiled.pattern, number))
        self._check_groups(compiled_groups)
        self._check_routes(compiled_groups, compiled_routes)
        group_order = _by_rank([group.pattern for group in compiled_groups])
        route_order = _by_rank([route.pattern for route in compiled_routes])
        rank_of_group = {index: rank for rank, index in enumerate(group_order)}
        tables = [MethodTable(group.by_method, group.other or self._nobody.other) for group in compiled_groups]

        def table_for(group_rank: int | None, route_ranks: tuple[int, ...]) -> MethodTable:
            if group_rank is None:
                return self._nobody
            group = group_order[group_rank]
            table = tables[group]
            chosen = [compiled_routes[route_order[rank]] for rank in route_ranks]
            chosen = [route for route in chosen if route.group == group]
            if not chosen:
                return table
            by_method: dict[str, Requirement] = {}
            for route in chosen:
                for method, requirement in route.by_method.items():
                    by_method.setdefault(method, requirement)
                if route.other is not None:
                    return MethodTable(by_method, route.other)
            return MethodTable({**table.by_method, **by_method}, table.other)

        return build(
            [(group.pattern, rank_of_group[index]) for index, group in enumerate(compiled_groups)],
            [(compiled_routes[index].pattern, rank) for rank, index in enumerate(route_order)],
            table_for,
        )

    @staticmethod
    def _located(place: str, make: Any, *arguments: Any) -> _Compiled:
        try:
            compiled: _Compiled = make(*arguments)
            return compiled
        except ConfigurationError as error:
            kind = PolicyError if isinstance(error, VocabularyError | PatternError) else type(error)
            raise kind(error.problem, where=error.where).at(place) from None

    def _group(self, group: Group) -> _Compiled:
        if not isinstance(group.below, bool):
            raise PolicyError("expected true or false", where="below")
        pattern = _parse(group.path, below=group.below)
        if not group.below and any(route.path != "/" for route in group.routes):
            raise PolicyError("a group without what is below it has no routes there", where="below")
        if group.scopes is None and group.any_of is None:
            raise PolicyError('say which scopes it needs: scopes = ["..."], or scopes = [] for none', where="scopes")
        table = self._requirements(group, group, pattern, group.path, "")
        _check_effects(group, table.values())
        return _Compiled(group, pattern, {method: table[method] for method in self._methods}, table["*"])

    def _route(self, route: Route, group: Group, above: Pattern, number: int) -> _Compiled:
        below = _parse(route.path)
        try:
            pattern = above / below
        except PatternError as error:
            raise error.at("path") from None
        needs = {name: getattr(route, name) for name in Needs.__slots__}
        differs = [name for name, value in needs.items() if value not in (None, "") and name != "description"]
        if not differs:
            raise PolicyError("it says nothing that its group does not say", where="path")
        merged = {name: getattr(group, name) if value is None else value for name, value in needs.items()}
        if route.scopes is not None or route.any_of is not None:
            merged |= {"scopes": route.scopes, "any_of": route.any_of}
        merged["description"] = route.description or group.description
        needs_all = Needs(**merged)
        table = self._requirements(needs_all, route, pattern, group.path, str(pattern))
        if route.methods is None:
            _check_effects(route, table.values())
            return _Compiled(route, pattern, {method: table[method] for method in self._methods}, table["*"], number)
        by_method = {}
        for method in _methods(route.methods):
            by_method[method] = table.get(method) or table["*"]
            if method == "GET":
                by_method["HEAD"] = table["GET"]
        _check_effects(route, by_method.values())
        return _Compiled(route, pattern, by_method, None, number)

    def _requirements(
        self, needs: Needs, written: Needs, pattern: Pattern, group: str, route: str
    ) -> dict[str, Requirement]:
        """Method → requirement, for the well-known methods and ``*``."""
        vocabulary = self._vocabulary
        require_token = self._flag(needs, "require_token")
        accept = one_of(self._value(needs, "accept"), ACCEPT, "accept")
        public_only = one_of(self._value(needs, "public_only"), PUBLIC_ONLY, "public_only")
        scopes = _words(needs.scopes if needs.scopes is not None else (), "scopes")
        any_of = [_words(words, "any_of") for words in _list(() if needs.any_of is None else needs.any_of, "any_of")]
        if needs.any_of is not None and not any_of:
            raise PolicyError("no alternative at all; leave it out, or name some", where="any_of")
        if any(not words for words in any_of):
            raise PolicyError("an empty alternative would always do; use scopes = [] for that", where="any_of")
        scope_free = not scopes and not any_of
        if written.action is not None:
            self._check_action(written.action, [*scopes, *(word for words in any_of for word in words)])
        if not require_token and needs.accept is None:
            accept = "any"  # what is public is so for all, whatever the policy says of the rest
        if accept == "token" and not require_token:
            raise PolicyError("`accept` has no effect where require_token = false", where="accept")
        resource = self._template(needs.resource, pattern, "resource")
        bound = one_of(self._value(needs, "bound"), BOUND, "bound")
        if written.bound == "filter" and (resource is not None or scope_free):
            why = "a resource decides" if resource is not None else "no scope is asked for"
            raise PolicyError(f"`bound` has no effect where {why}", where="bound")
        reading = vocabulary.actions_for("GET")
        tells_reading = reading != vocabulary.actions_for("*")
        owner = self._template(needs.owner, pattern, "owner")
        self_or_admin = needs.self_or_admin if needs.self_or_admin is not None else False
        if not isinstance(self_or_admin, bool):
            raise PolicyError("expected true or false", where="self_or_admin")
        if self_or_admin and owner is None:
            raise PolicyError('say whose it is: owner = "<name>"', where="self_or_admin")
        if self_or_admin and not require_token:
            raise PolicyError("`self_or_admin` has no effect where require_token = false", where="self_or_admin")
        if owner is not None and not self_or_admin:
            if written.owner is not None:
                raise PolicyError("`owner` has no effect without self_or_admin = true", where="owner")
            owner = None
        others = self._others(needs)
        own = self._own(needs, resource)
        made: dict[tuple[object, ...], Requirement] = {}
        table = {}
        for method in (*self._methods, "*"):
            actions = (needs.action,) if needs.action else vocabulary.actions_for(method)
            destination = method in DESTINATION_METHODS
            # Where no action tells reading from writing, the method does.
            reads = actions == reading and (tells_reading or method in READ_METHODS)
            filters = bound == "filter" and resource is None and not scope_free and reads
            if (actions, destination, filters) not in made:
                lists = [[*scopes, *words] for words in any_of] or [scopes]
                alternatives = [bits for words in lists if (bits := self._bits(words, actions)) is not None]
                if_owned = [less for bits in alternatives if (less := vocabulary.owned(bits)) != bits]
                made[actions, destination, filters] = Requirement(
                    group,
                    route,
                    pattern,
                    vocabulary,
                    () if scope_free else tuple(dict.fromkeys(alternatives)),
                    scope_free,
                    require_token,
                    accept,
                    public_only,
                    resource,
                    owner,
                    destination=destination,
                    filters=filters,
                    if_owned=() if scope_free else tuple(dict.fromkeys(if_owned)),
                    own=own,
                    others=others,
                    description=needs.description,
                    action=needs.action,
                    where=str(getattr(written, "where", "")),
                )
            table[method] = made[actions, destination, filters]
        return table

    def _others(self, needs: Needs) -> tuple[str, ...] | None:
        if needs.others is None:
            return None
        roles = _words(needs.others, "others", "roles")
        for role in roles:
            if role not in self._roles:
                hint = did_you_mean(near(role, self._roles)) or f"; there are: {', '.join(self._roles)}"
                raise PolicyError(f"unknown role {quoted(role)}{hint}", where="others")
        return tuple(roles)

    @staticmethod
    def _own(needs: Needs, resource: Template | None) -> Own:
        if needs.own is None:
            return "check" if resource is not None else "reject"
        own: Own = one_of(needs.own, OWN, "own")
        if own == "check" and resource is None:
            raise PolicyError('say what it is about: resource = "<name>"', where="own")
        return own

    def _bits(self, words: Sequence[str], actions: Iterable[str]) -> int | None:
        """The scope bits of categories and fixed scopes; ``None`` where nobody can have them."""
        bits = 0
        for word in words:
            need = self._vocabulary.need(word, actions) if self._is_category(word) else self._fixed(word)
            if need is None:
                return None
            bits |= need
        return bits

    def _is_category(self, word: str) -> bool:
        return word in self._vocabulary.categories

    def _fixed(self, word: str) -> int:
        parsed, unknown = self._vocabulary.parse_known([word])
        if unknown:
            vocabulary = self._vocabulary
            hints = near(word, [*vocabulary.categories, *vocabulary.scopes, *vocabulary.wildcards])
            raise PolicyError(
                f"{quoted(word)} is neither a category nor a scope of vocabulary `{vocabulary.name}`"
                f"{did_you_mean(hints)}",
                where="scopes",
            )
        if not parsed.bits:
            raise PolicyError(f"{quoted(word)} is a restriction, not something to ask for", where="scopes")
        return parsed.bits

    def _check_action(self, action: str, words: Sequence[str]) -> None:
        if action not in self._vocabulary.actions:
            raise PolicyError(
                f"unknown action {quoted(str(action))}{did_you_mean(near(str(action), self._vocabulary.actions))}",
                where="action",
            )
        categories = [word for word in words if self._is_category(word)]
        if not categories:
            raise PolicyError("`action` has no effect: no category is asked for", where="action")
        for word in categories:
            if self._vocabulary.need(word, (action,)) is None:
                raise PolicyError(f"the category `{word}` has no action `{action}`", where="action")

    def _value(self, needs: Needs, key: str) -> Any:
        value = getattr(needs, key)
        return getattr(self._defaults, key) if value is None else value

    def _flag(self, needs: Needs, key: str) -> bool:
        value = self._value(needs, key)
        if not isinstance(value, bool):
            raise PolicyError("expected true or false", where=key)
        return value

    def _template(self, source: str | None, pattern: Pattern, key: str) -> Template | None:
        if source is None:
            return None
        if not isinstance(source, str):
            raise PolicyError("expected a string", where=key)
        try:
            return Template(source, pattern)
        except PatternError as error:
            raise error.at(key) from None

    # -- rules against each other

    def _check_groups(self, groups: list[_Compiled]) -> None:
        self._check_duplicates(groups)
        patterns = [group.pattern for group in groups]
        for first, second in overlapping(patterns):
            self._check_pair(groups, groups[first], groups[second])

    def _check_routes(self, groups: list[_Compiled], routes: list[_Compiled]) -> None:
        by_group: dict[int, list[_Compiled]] = {}
        for route in routes:
            by_group.setdefault(route.group, []).append(route)
        for siblings in by_group.values():
            self._check_duplicates(siblings)
            for first, second in overlapping([route.pattern for route in siblings]):
                one, other = siblings[first], siblings[second]
                if one.shares_method_with(other):
                    self._check_pair(siblings, one, other)
        if routes:
            self._check_dead(groups, routes)

    @staticmethod
    def _check_dead(groups: list[_Compiled], routes: list[_Compiled]) -> None:
        patterns = [entry.pattern for entry in (*groups, *routes)]
        for pair in overlapping(patterns):
            second, first = sorted(pair)
            if second >= len(groups) or first < len(groups):
                continue
            route, group = routes[first - len(groups)], groups[second]
            own = groups[route.group]
            if second != route.group and group.pattern.includes(route.pattern) and own.pattern.includes(group.pattern):
                raise PolicyError(
                    f"the route {route.name} never decides: the group {group.name} is more specific than its own; "
                    "move it there",
                    where=route.rule.where,
                )

    @staticmethod
    def _check_duplicates(rules: list[_Compiled]) -> None:
        seen: dict[tuple[object, ...], list[_Compiled]] = {}
        for rule in rules:
            for other in seen.setdefault((rule.pattern.segments, rule.pattern.below), []):
                if rule.shares_method_with(other):
                    raise PolicyError(f"two rules for one path: {other.name} and {rule.name}", where=rule.rule.where)
            seen[rule.pattern.segments, rule.pattern.below].append(rule)

    @staticmethod
    def _check_pair(rules: list[_Compiled], one: _Compiled, other: _Compiled) -> None:
        narrower, wider = one.pattern.includes(other.pattern), other.pattern.includes(one.pattern)
        if narrower and wider:
            raise PolicyError(f"two rules for one path: {one.name} and {other.name}", where=other.rule.where)
        if narrower or wider:
            return
        clashing = one.clashes_with(other)
        if not clashing or _meet_is_settled(rules, one, other, clashing):
            return
        raise PolicyError(
            f"ambiguous: {one.name} and {other.name} both cover some path and need different things there, "
            "and neither is more specific; give one of them a narrower path or a converter such as <int:...>, "
            "or add a rule for what they share",
            where=other.rule.where,
        )


def _meet_is_settled(rules: list[_Compiled], one: _Compiled, other: _Compiled, methods: list[str]) -> bool:
    """Whether other rules stand exactly where two overlap, so that neither of them decides there about any of these
    methods."""
    if one.pattern.has_many or other.pattern.has_many:
        return False
    longer, shorter = sorted((one.pattern.segments, other.pattern.segments), key=len, reverse=True)
    meet = list(longer)
    for position, segment in enumerate(shorter):
        if longer[position].includes(segment):
            meet[position] = segment
        elif not segment.includes(longer[position]):
            return False
    shared = (tuple(meet), one.pattern.below and other.pattern.below)
    settling = [rule for rule in rules if (rule.pattern.segments, rule.pattern.below) == shared]
    return all(any(rule.needs(method) for rule in settling) for method in methods)


def _by_rank(patterns: list[Pattern]) -> list[int]:
    """Indices of patterns, each before all that include it."""
    order: list[int] = []
    wide: list[int] = []
    for index in sorted(range(len(patterns)), key=lambda index: patterns[index].specificity):
        rivals = order if patterns[index].has_many else wide
        places = [order.index(other) for other in rivals if patterns[other].includes(patterns[index])]
        order.insert(min(places, default=len(order)), index)
        if any(segment.kind is Kind.MANY for segment in patterns[index].segments[:-1]):
            wide.append(index)
    return order


def _parse(path: Any, *, below: bool = False) -> Pattern:
    if not isinstance(path, str):
        raise PolicyError("expected a string", where="path")
    try:
        return Pattern.parse(path, below=below)
    except PatternError as error:
        raise error.at("path") from None


def one_of(value: Any, allowed: tuple[Any, ...], where: str) -> Any:
    """`value`, if it is allowed.

    :raises PolicyError: it is not.
    """
    if value not in allowed:
        raise PolicyError(f"{quoted(str(value))} is none of {', '.join(allowed)}", where=where)
    return value


def _check_effects(written: Needs, decided: Iterable[Requirement]) -> None:
    requirements = list(decided)
    if written.bound == "filter" and not any(requirement.filters for requirement in requirements):
        raise PolicyError("`bound` has no effect where nothing is read", where="bound")
    if written.own is not None and not any(each.if_owned or each.others is not None for each in requirements):
        why = "no scope here is for one's own things, and `others` names nobody"
        raise PolicyError(f"`own` has no effect: {why}", where="own")


def _list(value: Any, where: str) -> Sequence[Any]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise PolicyError("expected a list", where=where)
    return value


def _words(value: Any, where: str, what: str = "categories or scopes") -> list[str]:
    words = list(_list(value, where))
    for word in words:
        if not isinstance(word, str) or not word:
            raise PolicyError(f"expected a list of {what}", where=where)
    if len(set(words)) < len(words):
        raise PolicyError("the same word twice", where=where)
    return words


def _methods(methods: Sequence[str]) -> list[str]:
    listed = list(_list(methods, "methods"))
    if not listed:
        raise PolicyError("no method at all; leave it out for all of them", where="methods")
    for method in listed:
        if not isinstance(method, str) or not method.isalpha() or method != method.upper() or not method.isascii():
            raise PolicyError(f"a method is upper-case letters: {quoted(str(method))}", where="methods")
        if method == "HEAD":
            raise PolicyError("HEAD always decides as GET; name GET", where="methods")
    if len(set(listed)) < len(listed):
        raise PolicyError("the same method twice", where="methods")
    return listed
