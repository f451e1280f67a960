"""Decisions about random rules, grants, roles and resources, against a reference that is slow and obvious.

The reference knows neither bits nor closures nor tries: it keeps scopes as sets of words, takes the rule as it was
written, and asks one question after the other.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from calls import call_gate
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from scopeware import Group, Policy, Route, Scopeware, TokenStore
from scopeware.gate.context import Context
from scopeware.gate.decision import ALLOWED, Allowed, Caller, Circumstances, judge
from scopeware.gate.rights import Rights, resource_by
from scopeware.scopes import Vocabulary
from scopeware.tokens import LiveToken

CATEGORIES = ("repository", "repository.hooks", "issue", "admin")
LEVELS = ("read", "write")
EVERY_SCOPE = frozenset(f"{level}:{category}" for level in LEVELS for category in CATEGORIES)
RESOURCES = ("alice/widgets", "alice/gadgets", "bob/secret")
PATTERNS = (*RESOURCES, "alice/*", "bob/*", "carol/*")
INHERITED: tuple[tuple[str, ...], ...] = ((), ("read:*",), ("write:issue",), ("*",))
READS = ("GET", "HEAD", "OPTIONS")
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "DELETE", "PROPFIND", "get", "Post")
ADDRESSES = ("192.0.2.7", "203.0.113.9", "")


def vocabulary(inherited: tuple[str, ...]) -> Vocabulary:
    """Categories, one of them a part of another, one for administrators."""
    return Vocabulary(
        "small",
        CATEGORIES,
        all_word="all",
        public_only="public-only",
        wildcards={"read:*": ["read:*"]},
        admin=["admin"],
        inherited=inherited,
    )


# -- what is drawn


@dataclass(frozen=True)
class World:
    """One request, and everything that its decision may depend on.

    :param rule: what the group says.
    :param get_scopes: what a route in it asks of GET instead.
    :param words: what was granted: scopes, each of them everywhere or at a resource.
    """

    rule: dict[str, Any]
    get_scopes: tuple[str, ...] | None
    method: str
    resource: str
    words: tuple[tuple[str, str | None], ...]
    public_only: bool
    networks: str | None
    address: str
    owner: str
    role: str
    kind: str
    roles_there: dict[str, str | None] | None
    visible: dict[str, str]
    inherited: tuple[str, ...]

    def requests(self) -> Iterator[World]:
        """This world, with each request that may come in it."""
        addresses = ADDRESSES if self.networks else ADDRESSES[:1]
        for method, resource, address in itertools.product(METHODS, RESOURCES, addresses):
            yield replace(self, method=method, resource=resource, address=address)

    @property
    def path(self) -> str:
        """Of the request."""
        return f"/files/{self.resource}"

    @property
    def scopes(self) -> str:
        """The token's scopes, as text."""
        words = [word if pattern is None else f"{word}@{pattern}" for word, pattern in self.words]
        return ",".join([*(["public-only"] if self.public_only else []), *words])

    def group(self) -> Group:
        """The rule, as the product reads it."""
        routes = [] if self.get_scopes is None else [Route(path="/", methods=["GET"], scopes=self.get_scopes)]
        return Group(path="/files/<owner>/<repo>", routes=routes, **self.rule)


FIXED = ("read:issue", "write:repository", "read:repository.hooks", "all", "read:*")


def needed(least: int) -> st.SearchStrategy[tuple[str, ...]]:
    """Some categories and fixed scopes."""
    return st.lists(st.sampled_from((*CATEGORIES, *FIXED)), min_size=least, max_size=2, unique=True).map(tuple)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """What a group says, as far as that is allowed together."""
    free = draw(st.sampled_from((True, False, False, False)))
    rule: dict[str, Any] = {"scopes": () if free else draw(needed(0))}
    any_of = () if free else draw(st.sampled_from((0, 0, 1, 2)).flatmap(lambda count: st.tuples(*[needed(1)] * count)))
    if any_of:
        rule["any_of"] = any_of
    words = [*rule["scopes"], *itertools.chain(*any_of)]
    if any(word in CATEGORIES for word in words):
        rule["action"] = draw(st.sampled_from((None, None, "read", "write")))
    rule["require_token"] = draw(st.sampled_from((True, True, False)))
    rule["accept"] = draw(
        st.sampled_from(("any", "any", "any", "token", "session") if rule["require_token"] else ("any",))
    )
    rule["public_only"] = draw(st.sampled_from(("check", "check", "allow", "reject")))
    if draw(st.booleans()):
        rule["resource"] = "<owner>/<repo>"
    elif words and rule.get("action") != "write":
        rule["bound"] = draw(st.sampled_from(("reject", "filter")))
    if rule["require_token"] and draw(st.sampled_from((True, False, False))):
        rule |= {"owner": "<owner>", "self_or_admin": True}
    return rule


@st.composite
def worlds(draw: st.DrawFn, least: int = 0) -> World:
    """Any of them; what leads to an allowed request comes more often than the rest, for most are denied anyway.

    :param least: how many scopes the token has at least.
    """
    granted = st.sampled_from((*sorted(EVERY_SCOPE), "write:repository", "read:repository", "all", "read:*"))
    places = st.sampled_from((None, *PATTERNS, "alice/*", "alice/widgets"))
    words = list(draw(st.lists(st.tuples(granted, places), min_size=least, max_size=3)))
    rule = draw(rules())
    if draw(st.sampled_from((True, True, False))):
        # What may be asked for here, granted here, nearby, or everywhere.
        near = st.sampled_from((None, *RESOURCES, "alice/*"))
        level = st.sampled_from(("read", "write", "write"))
        for word in dict.fromkeys((*rule["scopes"], *itertools.chain(*rule.get("any_of", ())))):
            words.append((f"{draw(level)}:{word}" if word in CATEGORIES else word, draw(near)))
    roles = st.sampled_from(("user", "admin", "admin", "viewer", "clerk", "unheard-of"))
    return World(
        rule=rule,
        get_scopes=draw(st.none() | needed(0)),
        method=METHODS[0],
        resource=RESOURCES[0],
        words=tuple(words),
        public_only=draw(st.sampled_from((False, False, False, True))),
        networks=draw(st.sampled_from((None, None, None, "192.0.2.0/24", "192.0.2.7,198.51.100.0/24"))),
        address=ADDRESSES[0],
        owner=draw(st.sampled_from(("alice", "alice", "bob"))),
        role=draw(roles),
        kind=draw(st.sampled_from(("token",) * 10 + ("session", "nobody"))),
        roles_there=draw(st.none() | st.fixed_dictionaries(dict.fromkeys(RESOURCES, st.none() | roles))),
        visible=draw(
            st.fixed_dictionaries(dict.fromkeys(RESOURCES, st.sampled_from(("public", "public", "limited", "private"))))
        ),
        inherited=draw(st.sampled_from(INHERITED)),
    )


# -- the reference


def meaning(word: str) -> frozenset[str]:
    """The scopes that a granted word comes to: writing is reading, and the whole goes with its parts."""
    if word == "all":
        return EVERY_SCOPE
    if word == "read:*":
        return frozenset(scope for scope in EVERY_SCOPE if scope.startswith("read:"))
    level, _, category = word.partition(":")
    return frozenset(
        scope
        for scope in EVERY_SCOPE
        for its_level, _, its_category in [scope.partition(":")]
        if level in (its_level, "write") and (its_category == category or its_category.startswith(f"{category}."))
    )


CEILINGS: dict[str, frozenset[str]] = {
    "admin": EVERY_SCOPE,
    "user": frozenset(scope for scope in EVERY_SCOPE if not scope.endswith(":admin")),
    "viewer": frozenset({"read:repository", "read:repository.hooks", "read:issue"}),
    "clerk": frozenset({"read:issue", "write:issue"}),
    "unheard-of": frozenset(),
}
INHERITED_SCOPES: dict[tuple[str, ...], frozenset[str]] = {
    (): frozenset(),
    ("read:*",): meaning("read:*"),
    ("write:issue",): meaning("write:issue"),
    ("*",): EVERY_SCOPE,
}


class Reference:
    """Whether a request is allowed, and nothing else."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rule = world.rule

    def allows(self) -> bool:
        """By each method that the one of the request may be taken for."""
        world = self.world
        if world.method.isupper():
            return self._allows(world.method)
        return self._allows(world.method.upper()) and self._allows("ANYTHING")

    def _allows(self, method: str) -> bool:
        if self.world.kind == "nobody":
            return not self.rule["require_token"]
        if self.world.kind == "session":
            return self.rule["accept"] != "token" and self._is_the_owners()
        return (
            self._comes_from_its_networks()
            and self.rule["accept"] != "session"
            and self._has_the_scopes(method)
            and self._may_see_it()
            and self._is_the_owners()
        )

    def _comes_from_its_networks(self) -> bool:
        if self.world.networks is None:
            return True
        blocks = [ip_network(text) for text in self.world.networks.split(",")]
        return self.world.address in {str(address) for block in blocks for address in block}

    def _may_see_it(self) -> bool:
        if not self.world.public_only or self.rule["public_only"] == "allow":
            return True
        # Without a resource in the rule nobody says that anything is public.
        seen = self.world.visible[self.world.resource] if "resource" in self.rule else "private"
        return self.rule["public_only"] == "check" and seen == "public"

    def _is_the_owners(self) -> bool:
        if "owner" not in self.rule:
            return True
        return self.world.role == "admin" or self.world.resource.split("/")[0] == self.world.owner

    def _has_the_scopes(self, method: str) -> bool:
        if "resource" in self.rule:
            rights = self._rights_at(self.world.resource)
            return bool(rights) if self._is_scope_free(method) else any(need <= rights for need in self._needs(method))
        if self._is_scope_free(method):
            return bool(self._rights_anywhere(self._role_somewhere()))
        needs = self._needs(method)
        if any(need <= self._granted(None, self.world.role) for need in needs):
            return True
        reads = self.rule.get("action") == "read" or (self.rule.get("action") is None and method in READS)
        return (
            self.rule.get("bound") == "filter"
            and reads
            and any(need <= self._granted(place, self._role_somewhere()) for place in self._places() for need in needs)
        )

    def _is_scope_free(self, method: str) -> bool:
        return not any(self._lists(method))

    def _lists(self, method: str) -> list[tuple[str, ...]]:
        """The lists of what is asked for, as written; one of them has to be met."""
        if method in ("GET", "HEAD") and self.world.get_scopes is not None:
            return [self.world.get_scopes]
        return [(*self.rule["scopes"], *words) for words in self.rule.get("any_of") or ((),)]

    def _needs(self, method: str) -> list[frozenset[str]]:
        level = self.rule.get("action") or ("read" if method in READS else "write")
        needs = []
        for words in self._lists(method):
            need: frozenset[str] = frozenset()
            for word in words:
                need |= meaning(f"{level}:{word}" if word in CATEGORIES else word)
            needs.append(need)
        return needs

    def _role_somewhere(self) -> str:
        """Where roles are given per resource, the owner may have the highest there; the application asks about each."""
        known = self.world.role != "unheard-of" and self.world.roles_there is not None
        return "admin" if known else self.world.role

    def _places(self) -> Iterator[str]:
        """Something at, or below, each resource that the token is bound to, and somewhere else."""
        if self.world.roles_there is not None:
            yield "some/where"
        for _, pattern in self.world.words:
            if pattern is not None:
                yield pattern.replace("*", "anything")

    def _granted(self, place: str | None, role: str) -> frozenset[str]:
        """What the token was granted for a place, as far as a role goes."""
        found: frozenset[str] = frozenset()
        for word, pattern in self.world.words:
            covers = pattern is None or (
                place is not None
                and (place == pattern or (pattern.endswith("/*") and place.startswith(pattern.removesuffix("*"))))
            )
            if covers:
                found |= meaning(word)
        return found & CEILINGS[role]

    def _rights_anywhere(self, role: str) -> frozenset[str]:
        found = self._granted(None, role)
        for place in self._places():
            found |= self._granted(place, role)
        return found

    def _rights_at(self, resource: str) -> frozenset[str]:
        if self.world.roles_there is None:
            return self._granted(resource, self.world.role)
        there = self.world.roles_there[resource]
        rights = self._granted(resource, self.world.role) & INHERITED_SCOPES[self.world.inherited]
        return rights if there is None else rights | self._granted(resource, there)


# -- the product


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, ...], TokenStore]]:
    """A store for each vocabulary."""
    folder: Path = tmp_path_factory.mktemp("stores")
    made = {
        inherited: TokenStore.connect(f"sqlite:///{folder}/{number}.db") for number, inherited in enumerate(INHERITED)
    }
    yield made
    for store in made.values():
        store.close()


def gate_of(world: World, store: TokenStore) -> Scopeware:
    """The gate of that world, in front of an application that lets everyone in."""

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"in"]

    def resource_role(owner: str, resource: str) -> str | None:
        assert world.roles_there is not None
        assert owner == world.owner
        return world.roles_there[resource]

    return Scopeware(
        application,
        Policy([world.group()], vocabulary=vocabulary(world.inherited), roles={"clerk": "*:issue"}),
        store,
        identify=lambda environ: world.owner if world.kind == "session" else None,
        visibility=lambda environ, resource: "private" if resource is None else world.visible[resource],
        resource_role=None if world.roles_there is None else resource_role,
    )


def judged(world: World, gate: Scopeware, store: TokenStore) -> bool:
    """What `judge` says."""
    requirement = gate.policy.requirement(world.method, world.path)
    assert requirement is not None
    token = None
    if world.kind == "token":
        granted = gate.policy.vocabulary.parse(world.scopes)
        token = LiveToken(
            token_id=1,
            name="one",
            owner=world.owner,
            role=world.role,
            granted=granted,
            scopes=gate.policy.roles.effective(granted, world.role),
            networks=None if world.networks is None else tuple(map(ip_network, world.networks.split(","))),
        )
    owner = None if world.kind == "nobody" else world.owner
    role = None if owner is None else world.role
    context = Context(gate, token, owner, requirement, world.path, ALLOWED)
    there = None if world.roles_there is None else world.roles_there.__getitem__
    rights = Rights(store, gate.policy, None if there is None else lambda owner, resource: there(resource))
    circumstances: Circumstances = rights.circumstances(
        context,
        lambda rule: world.visible.get(resource_by(rule, context) or "") == "public",
        lambda rule: resource_by(rule, context),
    )
    decision = judge(requirement, Caller(token, owner, role, world.address), circumstances)
    return isinstance(decision, Allowed)


@given(world=worlds())
@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_what_is_allowed_is_allowed_by_the_reference(stores: dict[tuple[str, ...], TokenStore], world: World) -> None:
    """And what the reference allows is allowed: nothing is gained or lost in bits, closures, ceilings and tries."""
    store = stores[world.inherited]
    gate = gate_of(world, store)
    decisions = set()
    for one in world.requests():
        allowed = judged(one, gate, store)
        assert allowed == Reference(one).allows(), one
        decisions.add("allowed" if allowed else "denied")
    event(f"{world.kind}: {' and '.join(sorted(decisions))}")


@given(world=worlds(least=1))
@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_the_gate_decides_as_judge_does(stores: dict[tuple[str, ...], TokenStore], world: World) -> None:
    """Its short way for the most frequent requests included; with real tokens, over WSGI."""
    store = stores[world.inherited]
    gate = gate_of(world, store)
    if world.role not in store.roles:
        world = replace(world, role="viewer")
    if world.owner not in {owner.name for owner in store.owners()}:
        store.add_owner(world.owner)
    store.set_role(world.owner, world.role)
    headers = {}
    if world.kind == "token":
        name = f"token {len(store.list(dead=True))}"
        issued = store.issue(owner=world.owner, name=name, scopes=world.scopes, networks=world.networks)
        headers["authorization"] = f"Bearer {issued.secret}"
    for one in world.requests():
        environ = {"REMOTE_ADDR": one.address}
        reply = call_gate(gate, one.method, one.path, environ=environ, strict=one.method.isupper(), **headers)
        assert (reply.status == 200) == judged(one, gate, store), one


@pytest.mark.parametrize(
    ("words", "rule", "method", "allowed"),
    [
        pytest.param([("write:repository", "alice/*")], {"scopes": ("repository",)}, "POST", True, id="all below"),
        pytest.param([("write:repository", "bob/*")], {"scopes": ("repository",)}, "POST", False, id="another's"),
        pytest.param([("read:repository", None)], {"scopes": ("repository.hooks",)}, "GET", True, id="a part"),
        pytest.param([("read:repository.hooks", None)], {"scopes": ("repository",)}, "GET", False, id="only a part"),
        pytest.param([("all", None)], {"scopes": ("admin",)}, "GET", False, id="administration"),
        pytest.param([("write:issue", None)], {"scopes": ("issue",)}, "get", True, id="either method"),
        pytest.param([("read:issue", None)], {"scopes": ("issue",)}, "get", False, id="one of them"),
        pytest.param([], {"scopes": ()}, "GET", False, id="no scope"),
    ],
)
def test_the_reference_is_right(
    words: list[tuple[str, str | None]], rule: dict[str, Any], method: str, allowed: bool
) -> None:
    """In cases that everyone can tell."""
    said = {"require_token": True, "accept": "any", "public_only": "reject", "resource": "<owner>/<repo>"}
    world = World(
        said | rule, None, method, RESOURCES[0], tuple(words), False, None, "", "alice", "user", "token", None, {}, ()
    )
    assert Reference(world).allows() is allowed
