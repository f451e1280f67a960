"""Route groups for an application's routes: as few as will do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ..policy import Pattern, distinct
from ..policy.segment import Kind, Segment
from ..policy.trie import overlapping
from . import hints
from .endpoint import Endpoint
from .hints import GENERIC
from .labels import Label, hubs, meant, name_of, strictest
from .paths import choice

CHECK = "check: "
_MOST_ALONE = 6
_ROUNDS = 6
_ONE_VARIABLE = (Kind.VARIABLE, Kind.TYPED)
NOBODY = Label(())
"""No scope, but a token."""


@dataclass(slots=True, eq=False)
class _Node:
    """A place in the tree of paths, with the routes that end there."""

    segment: Segment | None = None
    path: str = ""
    above: _Node | None = None
    children: dict[Segment, _Node] = field(default_factory=dict)
    here: list[Endpoint] = field(default_factory=list)

    def everything(self) -> Iterator[Endpoint]:
        yield from self.here
        for child in self.children.values():
            yield from child.everything()

    @property
    def is_many(self) -> bool:
        return self.segment is not None and self.segment.kind is Kind.MANY

    @property
    def is_open(self) -> bool:
        return self.is_many or any(endpoint.open for endpoint in self.here)


@dataclass(slots=True)
class Special:
    """A route of a group that needs something else.

    :param path: below the group's.
    :param methods: none for all.
    :param why: what to say about it.
    :param whole: whether everything is spelled out, be it what the group says.
    """

    path: str
    methods: tuple[str, ...]
    label: Label
    why: str = ""
    whole: bool = False


@dataclass(slots=True)
class DraftedGroup:
    """A group that is going to be written.

    :param path: below the prefix.
    :param below: whether it covers what is below it.
    :param resource: what it is about.
    :param remarks: what to say about it.
    :param count: how many routes lie in it.
    """

    path: str
    label: Label
    below: bool = True
    resource: str = ""
    specials: list[Special] = field(default_factory=list)
    remarks: dict[str, None] = field(default_factory=dict)
    count: int = 0
    nodes: list[_Node] = field(default_factory=list)

    @property
    def is_leaf(self) -> bool:
        """Whether no route lies below its path."""
        return all(node.path == self.path and not node.is_open for node in self.nodes)


def attempts(
    endpoints: list[Endpoint], prefix: str, labels: Mapping[Endpoint, Label], *, resources: bool
) -> Iterator[list[DraftedGroup]]:
    """Groups for these routes: as they should be; and simpler, where rules would contradict each other."""
    for with_resources in (True, False) if resources else (False,):
        yield _Builder(endpoints, prefix, labels, with_resources, True).groups()
    yield _Builder(endpoints, prefix, labels, False, True).flat()
    yield _Builder(endpoints, prefix, labels, False, False).groups()


def everything_at_once(labels: Mapping[Endpoint, Label], rest: str) -> DraftedGroup:
    """One group for all, which needs everything."""
    label = strictest(labels.values())
    words = tuple(dict.fromkeys(word for each in labels.values() for words in each.needs for word in words))
    whole = DraftedGroup("/", replace(label, needs=(words or (rest,),), public=False), count=len(labels))
    whole.remarks["check: these routes overlap too much to tell them apart; all of them need everything"] = None
    return whole


class _Builder:
    """Makes groups of routes."""

    def __init__(
        self,
        endpoints: list[Endpoint],
        prefix: str,
        labels: Mapping[Endpoint, Label],
        resources: bool,
        specials: bool,
    ) -> None:
        self._labels = labels
        self._resources = resources
        self._specials = specials
        self._depth = prefix.count("/")
        self._hubs = hubs(endpoints, self._depth)
        self._made: list[DraftedGroup] = []
        self._root = _Node(path="")
        for endpoint in endpoints:
            self._place(endpoint)

    def _place(self, endpoint: Endpoint) -> None:
        node = self._root
        for segment in endpoint.pattern.segments[self._depth :]:
            child = node.children.get(segment)
            if child is None:
                path = distinct(f"{node.path}/{segment.text}")
                child = node.children[segment] = _Node(segment, path, node)
            node = child
        node.here.append(endpoint)

    def groups(self) -> list[DraftedGroup]:
        self._cover(self._root, None)
        for _ in range(_ROUNDS):
            if not self._part():
                break
        return sorted(joined(self._made), key=lambda group: (not group.label.needs, group.path == "/", group.path))

    def flat(self) -> list[DraftedGroup]:
        """A group for each path, and one for what two of them share."""
        todo = [self._root]
        while todo:
            node = todo.pop()
            todo += node.children.values()
            if node.here:
                self._alone(node)
        meets: dict[str, DraftedGroup] = {}
        patterns = [Pattern.parse(group.path, below=group.below) for group in self._made]
        for first, second in overlapping(patterns):
            one, other = patterns[first], patterns[second]
            if not one.includes(other) and not other.includes(one) and len(one.segments) == len(other.segments):
                pairs = zip(one.segments, other.segments, strict=True)
                path = distinct(
                    "".join(f"/{(mine if theirs.includes(mine) else theirs).text}" for mine, theirs in pairs)
                )
                label = strictest((self._made[first].label, self._made[second].label))
                meets[path] = DraftedGroup(path, label, below=False)
                meets[path].remarks[f"check: {one} and {other} share this; it needs what both do"] = None
        there = {group.path for group in self._made}
        self._made += [group for path, group in meets.items() if path not in there]
        return sorted(self._made, key=lambda group: (not group.label.needs, group.path == "/", group.path))

    # -- one branch of the tree

    def _cover(self, node: _Node, inherited: DraftedGroup | None) -> None:
        labels = Counter(self._labels[endpoint] for endpoint in node.everything())
        guarded = any(not label.public for label in labels)
        group = inherited
        if group is None:
            if self._is_common(node) or not guarded or self._is_mixed(node, labels):
                if node.here:
                    self._note(node, self._open(node, self._best(node, labels), below=node.is_open))
                for child in node.children.values():
                    self._cover(child, None)
                return
            group = self._open(node, self._best(node, labels))
        elif not self._specials:
            self._add_needs(group, labels)
        elif self._differs(node, labels, group):
            resource, group = group.resource, self._open(node, self._best(node, labels))
            group.resource = resource
        chain = self._resource(node) if self._resources and group.path == node.path else None
        self._note(node, group)
        for child in node.children.values():
            if chain is not None and child is chain[0]:
                self._cover_resource(child, chain, group)
                continue
            self._cover(child, group)
            for hidden in self._hidden(child, chain) if chain is not None else ():
                self._take_out(hidden)

    def _is_common(self, node: _Node) -> bool:
        """Whether it only leads somewhere: the root, ``/api/v1``, and the product's name below it."""
        while not node.here and node.above is not None and node.segment and node.segment.kind in _ONE_VARIABLE:
            node = node.above  # /<version>/things
        texts = tuple(part for part in node.path.split("/") if part)
        return all(GENERIC.fullmatch(text) or texts[: at + 1] in self._hubs for at, text in enumerate(texts))

    @staticmethod
    def _is_mixed(node: _Node, labels: Counter[Label]) -> bool:
        """Whether what lies below has little in common, so that nothing can be said of what will lie there one day."""
        guarded: Counter[tuple[tuple[str, ...], ...]] = Counter()
        for label, count in labels.items():
            guarded[label.needs] += 0 if label.public else count
        if node.here or node.is_many or len(guarded) < 2 or max(guarded.values()) >= 0.8 * guarded.total():
            return False
        # Unless it is what most of it is called after.
        return meant(name_of(node.path.rpartition("/")[2]), {word for label in labels for word in label.words}) is None

    @staticmethod
    def _differs(node: _Node, labels: Counter[Label], group: DraftedGroup) -> bool:
        """Whether all of a branch needs something else than the group it lies in."""
        only = next(iter(labels))
        same = len({(label.needs, label.by_session, label.public) for label in labels}) == 1
        other = (only.needs, only.by_session) != (group.label.needs, group.label.by_session)
        return same and other and not only.public and bool(node.children) and not _below_many(node)

    def _best(self, node: _Node, labels: Iterable[Label]) -> Label:
        """What most routes there need; a group asks for a token, and its routes say who does not need one."""
        here = Counter(self._labels[endpoint] for endpoint in node.here)
        for counts in (here, Counter(labels) if not isinstance(labels, Counter) else labels):
            listed = [label for label, _ in counts.most_common() if not label.public]
            chosen = next((label for label in listed if label.needs), None) or next(iter(listed), None)
            if chosen is not None:
                return replace(chosen, action="")
        return NOBODY

    def _open(self, node: _Node, label: Label, *, below: bool = True) -> DraftedGroup:
        group = DraftedGroup(node.path or "/", label, below)
        self._made.append(group)
        return group

    @staticmethod
    def _add_needs(group: DraftedGroup, labels: Iterable[Label]) -> None:
        """Ask for what any route in it asks for."""
        for label in labels:
            if label.needs != group.label.needs:
                every = (word for words in (*group.label.needs, *label.needs) for word in words)
                words = tuple(dict.fromkeys(every))
                group.label = Label((words,) if words else (), by_session=group.label.by_session or label.by_session)
                group.remarks["check: routes of several kinds lie here; they need all of this"] = None

    def _note(self, node: _Node, group: DraftedGroup) -> None:
        """Count the routes that end at a node, and say what of them differs from the group."""
        if not node.here:
            return
        group.count += len(node.here)
        group.nodes.append(node)
        path = below(node.path or "/", group.path)
        by_label: dict[Label, list[Endpoint]] = {}
        for endpoint in node.here:
            label = self._labels[endpoint]
            by_label.setdefault(label, []).append(endpoint)
            self._remark(endpoint, label, group)
        for label, alike in by_label.items():
            if label == group.label or not self._specials:
                continue
            methods = {method for endpoint in alike for method in endpoint.methods}
            if not all(endpoint.methods for endpoint in alike):
                methods = set()
            group.specials.append(Special(path, tuple(sorted(methods)), label, _why(label, alike[0])))

    def _remark(self, endpoint: Endpoint, label: Label, group: DraftedGroup) -> None:
        if endpoint.rough:
            group.remarks["check: the application takes fewer paths than the rule here"] = None
        if not endpoint.methods and not label.public:
            group.remarks["check: it answers to every method; those that only read need no more than to read"] = None
        if endpoint.declared is None and any(len(words) > 1 for words in label.needs):
            said = f"check: the view of {endpoint.path} answers on other paths, too; one category may do for all"
            group.remarks[said] = None
        if hints.seems_to_batch(endpoint):
            remark = (
                f"check: what {endpoint.path} is asked for is in the body, where nobody looks; ask for all it may need"
            )
            group.remarks[remark] = None
        if endpoint.declared is None and not label.public and (why := hints.seems_to_read(endpoint)):
            said = f'check: POST {endpoint.path} may only read ({why}); then: methods = ["POST"], action = "read"'
            group.remarks[said] = None
        if hints.seems_to_mint(endpoint) and not label.by_session and not label.public:
            said = f'check: tokens seem to be made at {endpoint.path}; then, on a route for it: accept = "session"'
            group.remarks[said] = None

    # -- what routes are about

    @staticmethod
    def _first_variable(node: _Node) -> _Node | None:
        found = [child for child in node.children.values() if child.segment and child.segment.kind in _ONE_VARIABLE]
        return found[0] if len(found) == 1 else None

    def _resource(self, node: _Node) -> list[_Node] | None:
        """The variables below a collection that name what routes are about: ``<owner>/<repo>``."""
        first = self._first_variable(node)
        literal = node.segment is not None and node.segment.kind is Kind.LITERAL
        if first is None or not literal or _below_many(node):
            return None
        chain = [first]
        second = self._first_variable(first)
        if second is not None and not first.here and len(first.children) == 1:
            chain.append(second)
        parts = [part for part in chain[-1].children.values() if part.segment and part.segment.kind is Kind.LITERAL]
        beside = [each for child in node.children.values() if child is not first for each in self._hidden(child, chain)]
        guarded = any(not self._labels[endpoint].public for endpoint in chain[-1].everything())
        return chain if len(parts) >= 2 and len(beside) <= 3 and guarded else None

    @staticmethod
    def _hidden(child: _Node, chain: list[_Node]) -> list[_Node]:
        """The places beside a resource that its group would cover, too."""
        whole = Pattern.parse(chain[-1].path, below=True)
        found = []
        todo = [child]
        while todo:
            node = todo.pop()
            todo += node.children.values()
            if node.here and whole.overlaps(Pattern.parse(node.path)):
                found.append(node)
        return found

    def _cover_resource(self, child: _Node, chain: list[_Node], group: DraftedGroup) -> None:
        last = chain[-1]
        if child is not last:
            self._note(child, group)
        labels = Counter(self._labels[endpoint] for endpoint in last.everything())
        opened = self._open(last, self._best(last, labels))
        count = sum(len(node.segment.names) for node in chain if node.segment)
        names = Pattern.parse(last.path).names[-count:]
        opened.resource = "/".join(f"<{name}>" for name in names)
        self._note(last, opened)
        for part in last.children.values():
            self._cover(part, opened)

    # -- groups against each other

    def _take_out(self, node: _Node) -> None:
        """A group for one path alone, which lay in another."""
        for group in self._made:
            if node in group.nodes:
                rest = below(node.path, group.path)
                group.specials = [each for each in group.specials if each.path != rest]
                group.count -= len(node.here)
                group.nodes.remove(node)
                paths = {f" {endpoint.path} " for endpoint in node.here}
                group.remarks = {text: None for text in group.remarks if not any(path in text for path in paths)}
        self._alone(node)

    def _alone(self, node: _Node) -> None:
        labels = [self._labels[endpoint] for endpoint in node.here]
        self._note(node, self._open(node, self._best(node, labels), below=node.is_open))

    def _part(self) -> bool:
        """Where two groups cover some path, and neither lies in the other, let those that can keep to their routes.

        :return: whether anything was changed.
        """
        patterns = [Pattern.parse(group.path, below=group.below) for group in self._made]
        crossing: set[tuple[int, int]] = set()
        for first, second in overlapping(patterns):
            one, other = patterns[first], patterns[second]
            if not one.includes(other) and not other.includes(one):
                crossing.add((min(first, second), max(first, second)))
        changed = False
        gone: set[int] = set()
        for pair in sorted(crossing):
            leaves = [index for index in pair if self._made[index].is_leaf and self._made[index].below]
            for index in leaves:
                self._made[index].below = False
                changed = True
            wide = [index for index in pair if self._made[index].below and len(self._made[index].nodes) <= _MOST_ALONE]
            if wide and not leaves and not gone & set(pair):
                gone.add(min(wide, key=lambda each: len(self._made[each].nodes)))
                changed = True
        lost = [self._made[index] for index in gone]
        self._made = [group for index, group in enumerate(self._made) if index not in gone]
        for group in lost:
            for node in group.nodes:
                self._alone(node)
        return changed


def _below_many(node: _Node) -> bool:
    while node.above is not None:
        if node.is_many:
            return True
        node = node.above
    return False


def _why(label: Label, endpoint: Endpoint) -> str:
    """What to say about a route that differs."""
    if label.public:
        if endpoint.declared is not None and endpoint.declared.require_token is False:
            return "public: the application asks for no token there"
        return f"{CHECK}public: {'people sign in there' if hints.seems_to_sign_in(endpoint) else 'it looks harmless'}"
    if label.action:
        return f"{CHECK}{hints.seems_to_change(endpoint)}"
    return ""


def below(path: str, above: str) -> str:
    """A path as seen from one above it."""
    if above == "/":
        return path
    return path[len(above) :] or "/"


def joined(groups: list[DraftedGroup]) -> list[DraftedGroup]:
    """Groups side by side that need the same, as one: ``/<any(a, b):part>``."""
    alike: dict[tuple[object, ...], list[DraftedGroup]] = {}
    left = []
    for group in groups:
        front, _, last = group.path.rpartition("/")
        plain = last and not set('<>",') & set(last)
        specials = tuple((each.path, each.methods, each.label, each.why) for each in group.specials)
        if not plain or (group.specials and any(each.path != "/" for each in group.specials)):
            left.append(group)
        else:
            alike.setdefault((front, group.label, group.below, group.resource, specials), []).append(group)
    for same in alike.values():
        if len(same) < 3:
            left += same
            continue
        same.sort(key=lambda group: group.path)
        front = same[0].path.rpartition("/")[0]
        words = [group.path.rpartition("/")[2] for group in same]
        whole = DraftedGroup(
            f"{front}/{choice('part', words)}", same[0].label, same[0].below, same[0].resource, same[0].specials
        )
        for group in same:
            whole.count += group.count
            whole.remarks |= group.remarks
        left.append(whole)
    return left
