"""Rules compiled into a segment trie without backtracking.

The rules make a trie of segments in which a path may take several ways at once. It is turned into one where there is
a single way for each path, by following all of them together (the subset construction). Every node then knows
beforehand what decides a request that ends there, and one that goes on where no rule has anything more to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import final

from .pattern import Pattern
from .requirement import MethodTable
from .segment import Kind, PatternError, Segment

_MOST_CHECKS = 8
"""Typed variables that may compete for one segment: each doubles the ways to go on."""


@dataclass(slots=True, eq=False)
class _Step:
    """A node of the trie as the rules make it; several may be on the way at once."""

    literals: dict[str, _Step] = field(default_factory=dict)
    checked: dict[Segment, _Step] = field(default_factory=dict)
    variable: _Step | None = None
    many: _Step | None = None
    loops: bool = False
    group: int | None = None
    exact_group: int | None = None
    routes: list[int] = field(default_factory=list)

    def child(self, segment: Segment) -> _Step:
        if segment.kind is Kind.LITERAL:
            return self.literals.setdefault(segment.text, _Step())
        if segment.kind is Kind.VARIABLE:
            self.variable = self.variable or _Step()
            return self.variable
        if segment.kind is Kind.MANY:
            self.many = self.many or _Step(loops=True)
            return self.many
        return self.checked.setdefault(segment, _Step())


@final
@dataclass(slots=True, eq=False)
class Node:
    """Where a request is after some segments.

    :param literals: segment → node.
    :param checks: the typed variables to try on any other segment.
    :param otherwise: which checks succeeded, as bits → node.
    :param default: the node for any other segment, where there is nothing to check; ``None`` if it leads nowhere.
    :param here: what decides a request whose path ends here.
    :param below: what decides one that goes on to where no node is.
    """

    literals: Mapping[str, Node]
    checks: tuple[Callable[[str], bool], ...]
    otherwise: Mapping[int, Node]
    default: Node | None
    here: MethodTable
    below: MethodTable


Ranked = Iterable[tuple[Pattern, int]]
TableFor = Callable[[int | None, tuple[int, ...]], MethodTable]


class _Builder:
    def __init__(self, groups: Ranked, routes: Ranked, table_for: TableFor) -> None:
        self._table_for = table_for
        self._nodes: dict[tuple[frozenset[_Step], int | None], Node] = {}
        self._pending: list[tuple[Node, frozenset[_Step], int | None]] = []
        self._root = _Step()
        for pattern, rank in groups:
            step = self._place(pattern)
            if pattern.below:
                step.group = rank
            else:
                step.exact_group = rank
        for pattern, rank in routes:
            self._place(pattern).routes.append(rank)

    def _place(self, pattern: Pattern) -> _Step:
        step = self._root
        for segment in pattern.segments:
            step = step.child(segment)
        return step

    def build(self) -> Node:
        root = self._node(frozenset((self._root,)), None)
        while self._pending:
            node, steps, best = self._pending.pop()
            self._connect(node, steps, best)
        return root

    def _node(self, steps: frozenset[_Step], inherited: int | None) -> Node:
        best = min((step.group for step in steps if step.group is not None), default=None)
        if best is None or (inherited is not None and inherited < best):
            best = inherited
        known = self._nodes.get((steps, best))
        if known is None:
            routes = tuple(sorted(rank for step in steps for rank in step.routes))
            exact = min((step.exact_group for step in steps if step.exact_group is not None), default=best)
            deciding = exact if best is None or (exact is not None and exact < best) else best
            below = self._table_for(best, ())
            here = self._table_for(deciding, routes) if routes or deciding != best else below
            known = self._nodes[steps, best] = Node({}, (), {}, None, here, below)
            self._pending.append((known, steps, best))
        return known

    def _connect(self, node: Node, steps: frozenset[_Step], best: int | None) -> None:
        checked: dict[Segment, list[_Step]] = {}
        literals: dict[str, list[_Step]] = {}
        always: list[_Step] = []
        for step in steps:
            for text, child in step.literals.items():
                literals.setdefault(text, []).append(child)
            for segment, child in step.checked.items():
                checked.setdefault(segment, []).append(child)
            always += [child for child in (step.variable, step.many, step if step.loops else None) if child]
        segments = sorted(checked, key=lambda segment: (segment.kind, segment.text))
        # What a choice selects is known beforehand, as it is for literals.
        for segment in [segment for segment in segments if segment.kind is Kind.CHOICE]:
            for choice in segment.choices:
                literals.setdefault(choice, []).extend(checked[segment])
            segments.remove(segment)
        if len(segments) > _MOST_CHECKS:
            raise PatternError(
                f"{len(segments)} typed variables compete for one segment: "
                f"{', '.join(segment.text for segment in segments)}; use a plain variable"
            )

        def follow(children: Iterable[_Step], passed: Iterable[Segment]) -> Node:
            reached = frozenset((*children, *always, *(step for segment in passed for step in checked[segment])))
            return self._node(reached, best)

        ways: dict[str, Node] = {}
        for text, children in literals.items():
            ways[text] = follow(children, [segment for segment in segments if segment.accepts(text)])
        otherwise: dict[int, Node] = {}
        for mask in range(1 << len(segments)):
            passed = [segment for bit, segment in enumerate(segments) if mask >> bit & 1]
            if passed or always:
                otherwise[mask] = follow((), passed)
        node.literals = ways
        node.checks = tuple(segment.accepts for segment in segments)
        node.otherwise = otherwise
        node.default = otherwise.get(0)


def build(groups: Ranked, routes: Ranked, table_for: TableFor) -> Node:
    """The trie of these rules.

    :param groups: patterns with their ranks; the more specific, the lower.
    :param routes: patterns of single paths, with theirs.
    :param table_for: the table for the rank of the deciding group (``None``: no group), and those of the routes that a
        path matches, ascending.
    :raises PatternError: too many typed variables in one place.
    """
    return _Builder(groups, routes, table_for).build()


def find(node: Node, segments: list[str]) -> MethodTable:
    """What decides about the path of these segments, from `node` on."""
    for segment in segments:
        way = node.literals.get(segment)
        if way is None:
            way = node.otherwise.get(_passed(node.checks, segment)) if node.checks else node.default
            if way is None:
                return node.below
        node = way
    return node.here


def tables(root: Node) -> Iterator[MethodTable]:
    """Every table that decides somewhere, once."""
    nodes = {id(root): root}
    found: dict[int, MethodTable] = {}
    todo = [root]
    while todo:
        node = todo.pop()
        found |= {id(table): table for table in (node.here, node.below)}
        for child in (*node.literals.values(), *node.otherwise.values()):
            if id(child) not in nodes:
                nodes[id(child)] = child
                todo.append(child)
    yield from found.values()


def trace(node: Node, segments: list[str]) -> Iterator[tuple[str, str, MethodTable]]:
    """How :func:`find` goes: each segment, how it was read, and what would decide if the path ended there."""
    for segment in segments:
        way = node.literals.get(segment)
        how = "literal"
        if way is None and node.checks:
            passed = _passed(node.checks, segment)
            way = node.otherwise.get(passed)
            how = "typed variable" if passed else "variable"
        elif way is None:
            way, how = node.default, "variable"
        if way is None:
            yield segment, "nothing more specific", node.below
            return
        node = way
        yield segment, how, node.here


def _passed(checks: tuple[Callable[[str], bool], ...], segment: str) -> int:
    mask = 0
    for bit, accepts in enumerate(checks):
        if accepts(segment):
            mask |= 1 << bit
    return mask


def overlapping(patterns: list[Pattern]) -> Iterator[tuple[int, int]]:
    """Pairs of patterns (by index) that some path may have in common; each at most twice, at least one way around."""
    root = _Step()
    many = []
    for index, pattern in enumerate(patterns):
        if pattern.has_many:
            many.append(index)
        else:
            step = root
            for segment in pattern.segments:
                step = step.child(segment)
            step.routes.append(index)
    for index, pattern in enumerate(patterns):
        for other in many:
            if other != index and pattern.overlaps(patterns[other]):
                yield index, other
        if not pattern.has_many:
            for other in _crossing(root, pattern, patterns):
                if other != index:
                    yield index, other


def _crossing(root: _Step, pattern: Pattern, patterns: list[Pattern]) -> Iterator[int]:
    """Those that are no longer than `pattern` and cross it."""
    front = [root]
    for segment in pattern.segments:
        reached: list[_Step] = []
        for step in front:
            yield from (index for index in step.routes if patterns[index].below)
            if segment.kind is Kind.LITERAL:
                literal = step.literals.get(segment.text)
                reached += [literal] if literal else []
            else:
                reached += [child for text, child in step.literals.items() if segment.accepts(text)]
            reached += [child for other, child in step.checked.items() if other.overlaps(segment)]
            reached += [step.variable] if step.variable else []
        front = reached
    for step in front:
        yield from step.routes
