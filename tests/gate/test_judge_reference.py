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
from scopeware.gate.decision import ALLOWED, Caller, Circumstances, Denied, judge
from scopeware.gate.rights import Rights, resource_by
from scopeware.scopes import Category, ScopeSet, Vocabulary
from scopeware.tokens import LiveToken

CATEGORIES = ("repository", "repository.hooks", "issue", "admin")
LEVELS = ("read", "write", "read_own", "write_own")
EVERY_SCOPE = frozenset(
    f"{level}:{category}"
    for level in LEVELS
    for category in CATEGORIES
    if category != "issue" or not level.endswith("_own")
)
RESOURCES = ("alice/widgets", "alice/gadgets", "bob/secret")
PATTERNS = (*RESOURCES, "alice/*", "bob/*", "carol/*")
INHERITED: tuple[tuple[str, ...], ...] = ((), ("read:*",), ("write:issue",), ("write_own:repository",), ("*",))
OWNERS = ("alice", "alice", "bob", None)
READS = ("GET", "HEAD", "OPTIONS")
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "DELETE", "PROPFIND", "get", "Post")
ADDRESSES = ("192.0.2.7", "203.0.113.9", "")


def vocabulary(inherited: tuple[str, ...]) -> Vocabulary:
    """Categories, one of them a part of another, one for administrators, one of things that nobody owns."""
    return Vocabulary(
        "small",
        [Category(name, actions=("read", "write") if name == "issue" else None) for name in CATEGORIES],
        actions=LEVELS,
        implies={"write": ["read"], "write_own": ["read_own"]},
        own={"read": "read_own", "write": "write_own"},
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
    :param owned_by: who owns each resource.
    :param held: whether a session may do what its role allows and nothing else.
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
    owned_by: dict[str, str | None]
    held: bool

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


FIXED = ("read:issue", "write:repository", "read:repository.hooks", "write_own:repository", "all", "read:*")


def needed(least: int) -> st.SearchStrategy[tuple[str, ...]]:
    """Some categories and fixed scopes."""
    return st.lists(st.sampled_from((*CATEGORIES, *FIXED)), min_size=least, max_size=2, unique=True).map(tuple)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """What a group says, as far as that is allowed together."""
    free = draw(st.sampled_from((True, False, False, False, False)))
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
    others = draw(st.sampled_from((None, None, None, ("admin",), ("user", "admin"), ("tenant", "viewer"), ())))
    if others is not None:
        rule["others"] = others
    levels = (rule["action"],) if rule.get("action") else ("read", "write")
    needs = [asked_for(word, level) for word in words for level in levels]
    if others is not None or any(less_of(need) != need for need in needs):
        own = draw(st.sampled_from((None, "reject", "filter", *(["check"] if "resource" in rule else []))))
        rule |= {} if own is None else {"own": own}
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
    favoured = draw(st.sampled_from((True, True, False)))
    if favoured or draw(st.booleans()):
        # What may be asked for here, granted here, nearby, or everywhere.
        near = st.sampled_from((None, None, *RESOURCES, "alice/*"))
        level = st.sampled_from(("write", "write", "write_own", "write_own", "read", "read_own"))
        for word in dict.fromkeys((*rule["scopes"], *itertools.chain(*rule.get("any_of", ())))):
            scope = f"{draw(level)}:{word}" if word in CATEGORIES else word
            words.append((scope if scope in EVERY_SCOPE or word in FIXED else f"write:{word}", draw(near)))
    all_roles = ("user", "admin", "admin", "viewer", "clerk", "tenant", "unheard-of")
    roles = st.sampled_from(("admin", "admin", "user", "tenant") if favoured else all_roles)
    networks = (None,) if favoured else (None, "192.0.2.0/24", "192.0.2.7,198.51.100.0/24")
    there = st.fixed_dictionaries(dict.fromkeys(RESOURCES, roles if favoured else st.none() | roles))
    visible = st.sampled_from(("public", "public", "limited", "private"))
    return World(
        rule=rule,
        get_scopes=draw(st.none() if favoured else st.none() | needed(0)),
        method=METHODS[0],
        resource=RESOURCES[0],
        words=tuple(words),
        public_only=draw(st.just(False) if favoured else st.booleans()),
        networks=draw(st.sampled_from(networks)),
        address=ADDRESSES[0],
        owner=draw(st.sampled_from(("alice", "alice", "bob"))),
        role=draw(roles),
        kind=draw(st.sampled_from(("token",) * 10 + ("session", "session", "nobody"))),
        roles_there=draw(st.none() | there),
        visible=draw(st.fixed_dictionaries(dict.fromkeys(RESOURCES, visible))),
        inherited=draw(st.sampled_from(INHERITED)),
        owned_by=draw(st.fixed_dictionaries(dict.fromkeys(RESOURCES, st.sampled_from(OWNERS)))),
        held=draw(st.booleans()),
    )


# -- the reference


INCLUDED = {
    "read": ("read", "read_own"),
    "write": LEVELS,
    "read_own": ("read_own",),
    "write_own": ("read_own", "write_own"),
}


def meaning(word: str) -> frozenset[str]:
    """The scopes that a granted word comes to: writing is reading, all is one's own, too, and the whole goes with its
    parts."""
    if word == "all":
        return EVERY_SCOPE
    if word == "read:*":
        return frozenset(scope for scope in EVERY_SCOPE if scope.startswith(("read:", "read_own:")))
    level, _, category = word.partition(":")
    return frozenset(
        scope
        for scope in EVERY_SCOPE
        for its_level, _, its_category in [scope.partition(":")]
        if its_level in INCLUDED[level] and (its_category == category or its_category.startswith(f"{category}."))
    )


def asked_for(word: str, level: str) -> frozenset[str]:
    """The scopes that a rule asks for with a word."""
    return meaning(f"{level}:{word}" if word in CATEGORIES else word)


def less_of(need: frozenset[str]) -> frozenset[str]:
    """What does instead where the request is about one's own things."""
    return frozenset(less if (less := scope.replace(":", "_own:")) in EVERY_SCOPE else scope for scope in need)


COMMON = frozenset(scope for scope in EVERY_SCOPE if not scope.endswith(":admin"))
CEILINGS: dict[str, frozenset[str]] = {
    "admin": EVERY_SCOPE,
    "user": COMMON,
    "viewer": frozenset(scope for scope in COMMON if scope.startswith("read")),
    "clerk": frozenset({"read:issue", "write:issue"}),
    "tenant": frozenset(scope for scope in EVERY_SCOPE if "_own:" in scope),
    "unheard-of": frozenset(),
}
INHERITED_SCOPES: dict[tuple[str, ...], frozenset[str]] = {
    (): frozenset(),
    ("read:*",): meaning("read:*"),
    ("write:issue",): meaning("write:issue"),
    ("write_own:repository",): meaning("write_own:repository"),
    ("*",): EVERY_SCOPE,
}
ANY, OWN, NOTHING = "any", "own", "nothing"


def least(*verdicts: str) -> str:
    """What all of these allow."""
    return next(verdict for verdict in (NOTHING, OWN, ANY) if verdict in verdicts)


class Reference:
    """Whose things a request may be about: anyone's, the caller's own, or nobody's."""

    def __init__(self, world: World) -> None:
        if world.kind == "session" and world.held:
            # It does what a token with everything would.
            world = replace(world, words=(("all", None),), public_only=False, networks=None)
        self.world = world
        self.rule = world.rule

    def allows(self) -> str:
        """By each method that the one of the request may be taken for."""
        return least(*(self._allows(method) for method in self._methods()))

    def reaches(self) -> bool:
        """Whether an application that comes upon the resource is told that this caller may do the same there; what the
        rule says beside scopes and owners it knows itself."""
        if self.world.kind == "nobody" or not self._may_see_that():
            return False
        verdicts = []
        for method in self._methods():
            if self.world.kind == "session" and not self.world.held:
                verdicts.append(self._for_whom(ANY))
                continue
            rights = self._rights_at(self.world.resource)
            found = ANY if self._is_scope_free(method) else self._met_by(rights, method)
            found = found if rights else NOTHING
            verdicts.append(found if found != ANY or self._role_reaches_others() else OWN)
        return least(*verdicts) == ANY or (least(*verdicts) == OWN and self._owns_it())

    def _may_see_that(self) -> bool:
        restricted = self.world.kind == "token" and self.world.public_only
        return not restricted or self.world.visible[self.world.resource] == "public"

    def _methods(self) -> tuple[str, ...]:
        method = self.world.method
        return (method,) if method.isupper() else (method.upper(), "ANYTHING")

    def _allows(self, method: str) -> str:
        if self.world.kind == "nobody":
            return NOTHING if self.rule["require_token"] else self._for_whom(ANY)
        if self.world.kind == "session":
            fine = self.rule["accept"] != "token" and self._is_the_owners()
            scopes = self._scopes(method) if self.world.held else ANY
        else:
            fine = (
                self._comes_from_its_networks()
                and self.rule["accept"] != "session"
                and self._may_see_it()
                and self._is_the_owners()
            )
            scopes = self._scopes(method)
        return self._for_whom(scopes) if fine else NOTHING

    def _for_whom(self, scopes: str) -> str:
        """What is left where the role, too, may be one for one's own things, and someone has to see to that."""
        if scopes == NOTHING or (scopes == ANY and self._role_reaches_others()):
            return scopes
        if self._own() == "filter":
            return OWN
        return OWN if self._own() == "check" and self._owns_it() else NOTHING

    def _own(self) -> str:
        own: str = self.rule.get("own") or ("check" if "resource" in self.rule else "reject")
        return own

    def _owns_it(self) -> bool:
        return self.world.kind != "nobody" and self.world.owned_by[self.world.resource] == self.world.owner

    def _role_reaches_others(self) -> bool:
        if "others" not in self.rule:
            return True
        return self.world.kind != "nobody" and self.world.role in self.rule["others"]

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

    def _scopes(self, method: str) -> str:
        """Whose things the scopes are good for."""
        if "resource" in self.rule:
            rights = self._rights_at(self.world.resource)
            return (ANY if rights else NOTHING) if self._is_scope_free(method) else self._met_by(rights, method)
        if self._is_scope_free(method):
            return ANY if self._rights_anywhere(self._role_somewhere()) else NOTHING
        everywhere = self._met_by(self._granted(None, self.world.role), method)
        reads = self.rule.get("action") == "read" or (self.rule.get("action") is None and method in READS)
        if everywhere != NOTHING or self.rule.get("bound") != "filter" or not reads:
            return everywhere
        # Of the places that it reaches at all, the one where it reaches least.
        found = [self._met_by(self._granted(place, self._role_somewhere()), method) for place in self._places()]
        reached = [verdict for verdict in found if verdict != NOTHING]
        return least(*reached) if reached else NOTHING

    def _met_by(self, rights: frozenset[str], method: str) -> str:
        needs = self._needs(method)
        if any(need <= rights for need in needs):
            return ANY
        lesser = [less_of(need) for need in needs if less_of(need) != need]
        return OWN if self._own() != "reject" and any(need <= rights for need in lesser) else NOTHING

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
                need |= asked_for(word, level)
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


Told = list[tuple[str, list[str]]]
ROLES = {"clerk": "*:issue", "tenant": "write_own:*"}


def gate_of(world: World, store: TokenStore, told: Told) -> Scopeware:
    """The gate of that world, in front of an application that lets everyone in.

    :param told: gets what the application is told: whose things are in reach, and which resources.
    """

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        context = environ["scopeware"]
        start_response("200 OK", [("Content-Type", "text/plain")])
        reached = [name for name in RESOURCES if context.allows(name, public=world.visible[name] == "public")]
        told.append((context.possession, reached))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"in"]

    def resource_role(owner: str, resource: str) -> str | None:
        assert world.roles_there is not None
        assert owner == world.owner
        return world.roles_there[resource]

    return Scopeware(
        application,
        Policy([world.group()], vocabulary=vocabulary(world.inherited), roles=ROLES),
        store,
        identify=lambda environ: world.owner if world.kind == "session" else None,
        visibility=lambda environ, resource: "private" if resource is None else world.visible[resource],
        resource_role=None if world.roles_there is None else resource_role,
        resource_owner=world.owned_by.__getitem__,
        sessions="role" if world.held else "free",
    )


def judged(world: World, gate: Scopeware, store: TokenStore) -> str:
    """What `judge` says."""
    requirement = gate.policy.requirement(world.method, world.path)
    assert requirement is not None
    known, roles = gate.policy.vocabulary, gate.policy.roles
    token = held = None
    usual: dict[str, Any] = {"token_id": 1, "name": "one", "owner": world.owner, "role": world.role}
    if world.kind == "token":
        granted = known.parse(world.scopes)
        networks = None if world.networks is None else tuple(map(ip_network, world.networks.split(",")))
        token = LiveToken(**usual, granted=granted, scopes=roles.effective(granted, world.role), networks=networks)
    elif world.kind == "session" and world.held:
        held = LiveToken(**usual, granted=ScopeSet(known, known.everything), scopes=roles.ceiling(world.role))
    owner = None if world.kind == "nobody" else world.owner
    role = None if owner is None else world.role
    context = Context(gate, token, owner, requirement, world.path, ALLOWED)
    there = None if world.roles_there is None else world.roles_there.__getitem__
    rights = Rights(
        store,
        gate.policy,
        None if there is None else lambda owner, resource: there(resource),
        world.owned_by.__getitem__,
    )
    circumstances: Circumstances = rights.circumstances(
        context,
        lambda rule: world.visible.get(resource_by(rule, context) or "") == "public",
        lambda rule: resource_by(rule, context),
    )
    decision = judge(requirement, Caller(token, owner, role, world.address, held), circumstances)
    return NOTHING if isinstance(decision, Denied) else OWN if decision.own else ANY


@given(world=worlds())
@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_what_is_allowed_is_allowed_by_the_reference(stores: dict[tuple[str, ...], TokenStore], world: World) -> None:
    """And what the reference allows is allowed, for as much: nothing is gained or lost in bits, closures, ceilings and
    tries."""
    store = stores[world.inherited]
    gate = gate_of(world, store, [])
    verdicts = set()
    for one in world.requests():
        verdict = judged(one, gate, store)
        assert verdict == Reference(one).allows(), one
        verdicts.add(verdict)
    event(f"{world.kind}: {' and '.join(sorted(verdicts))}")


@given(world=worlds(least=1))
@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_the_gate_decides_as_judge_does(stores: dict[tuple[str, ...], TokenStore], world: World) -> None:
    """Its short way for the most frequent requests included; with real tokens, over WSGI. What the application is told
    beside that, of whose things are in reach and of other resources, is what the reference says."""
    store = stores[world.inherited]
    told: Told = []
    gate = gate_of(world, store, told)
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
        told.clear()
        reply = call_gate(gate, one.method, one.path, environ=environ, strict=one.method.isupper(), **headers)
        verdict = judged(one, gate, store)
        assert (reply.status == 200) == (verdict != NOTHING), one
        if reply.status == 200:
            reached = [name for name in RESOURCES if Reference(replace(one, resource=name)).reaches()]
            assert told == [(verdict, reached)], one


REPOSITORY = {"scopes": ("repository",)}
LIST = {"resource": None, "scopes": ("repository",)}


@pytest.mark.parametrize(
    ("words", "rule", "method", "allowed"),
    [
        pytest.param([("write:repository", "alice/*")], REPOSITORY, "POST", ANY, id="all below"),
        pytest.param([("write:repository", "bob/*")], REPOSITORY, "POST", NOTHING, id="another's"),
        pytest.param([("read:repository", None)], {"scopes": ("repository.hooks",)}, "GET", ANY, id="a part"),
        pytest.param([("read:repository.hooks", None)], REPOSITORY, "GET", NOTHING, id="only a part"),
        pytest.param([("all", None)], {"scopes": ("admin",)}, "GET", NOTHING, id="administration"),
        pytest.param([("write:issue", None)], {"scopes": ("issue",)}, "get", ANY, id="either method"),
        pytest.param([("read:issue", None)], {"scopes": ("issue",)}, "get", NOTHING, id="one of them"),
        pytest.param([], {"scopes": ()}, "GET", NOTHING, id="no scope"),
        pytest.param([("read_own:repository", None)], REPOSITORY, "GET", OWN, id="one's own"),
        pytest.param([("read_own:repository", None)], REPOSITORY, "POST", NOTHING, id="writing one's own by reading"),
        pytest.param([("write_own:repository", None)], REPOSITORY, "get", OWN, id="one's own, either method"),
        pytest.param(
            [("write_own:repository", "alice/gadgets")], REPOSITORY, "GET", NOTHING, id="one's own, elsewhere"
        ),
        pytest.param([("read_own:repository", None)], REPOSITORY | {"own": "reject"}, "GET", NOTHING, id="refused"),
        pytest.param([("read_own:repository", None)], LIST, "GET", NOTHING, id="a list"),
        pytest.param([("read_own:repository", None)], LIST | {"own": "filter"}, "GET", OWN, id="a list of one's own"),
        pytest.param([("read:repository", None)], LIST | {"own": "filter"}, "GET", ANY, id="a list of all"),
        pytest.param([("read:repository", None)], REPOSITORY | {"others": ("admin",)}, "GET", OWN, id="by the role"),
        pytest.param([("read:repository", None)], REPOSITORY | {"others": ("user",)}, "GET", ANY, id="another role"),
        pytest.param([("read:repository", None)], LIST | {"others": ()}, "GET", NOTHING, id="nobody, in a list"),
    ],
)
def test_the_reference_is_right(
    words: list[tuple[str, str | None]], rule: dict[str, Any], method: str, allowed: str
) -> None:
    """In cases that everyone can tell: alice's widgets are hers, and she is a user."""
    said = {"require_token": True, "accept": "any", "public_only": "reject", "resource": "<owner>/<repo>"} | rule
    world = World(
        rule={key: value for key, value in said.items() if value is not None},
        get_scopes=None,
        method=method,
        resource=RESOURCES[0],
        words=tuple(words),
        public_only=False,
        networks=None,
        address="",
        owner="alice",
        role="user",
        kind="token",
        roles_there=None,
        visible={},
        inherited=(),
        owned_by={RESOURCES[0]: "alice"},
        held=False,
    )
    assert Reference(world).allows() == allowed
    assert Reference(replace(world, owned_by={RESOURCES[0]: "bob"})).allows() in (
        (allowed,) if allowed != OWN or world.rule.get("own") == "filter" else (NOTHING,)
    )
