"""The keys ``own`` and ``others``: what becomes of callers who may reach only what is theirs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scopeware.errors import ConfigurationError
from scopeware.policy import Group, Policy, PolicyError, Requirement, Route
from scopeware.scopes import Category, SingleScope, Vocabulary

VOCABULARY = Vocabulary(
    "server",
    ["docker", "vms", Category("system", actions=("read_any", "write_any"))],
    actions=["read_any", "read_own", "write_any", "write_own"],
    implies={"write_any": ["read_any"], "write_own": ["read_own"]},
    own={"read_any": "read_own", "write_any": "write_own"},
    methods={"GET": ["read_any"], "OPTIONS": ["read_any"], "*": ["write_any"]},
    scopes=[SingleScope("everything", implies=("*",)), "alone"],
    spelling="category:action",
)
HALF = Vocabulary("half", ["docs"], actions=["read", "write", "write_own"], own={"write": "write_own"})
READS = ("GET", "HEAD", "OPTIONS")
WRITES = ("POST", "PUT", "PATCH", "DELETE", "COPY", "MOVE", "PROPFIND", "")


def need(policy: Policy, method: str = "GET", path: str = "/a/x") -> Requirement:
    requirement = policy.requirement(method, path)
    assert requirement is not None
    return requirement


def one(*routes: Route, path: str = "/a/<name>", vocabulary: str | Vocabulary = VOCABULARY, **needs: Any) -> Policy:
    """A policy of one group."""
    return Policy([Group(path=path, routes=routes, **needs)], vocabulary=vocabulary)


def bits(scopes: str, vocabulary: Vocabulary = VOCABULARY) -> int:
    return vocabulary.parse(scopes).bits


# -- what does instead


@pytest.mark.parametrize(
    ("needs", "method", "any_bits", "own_bits"),
    [
        pytest.param({"scopes": ["docker"]}, "GET", ["docker:read_any"], ["docker:read_own"], id="reading"),
        pytest.param({"scopes": ["docker"]}, "PUT", ["docker:write_any"], ["docker:write_own"], id="writing"),
        pytest.param({"scopes": ["system"]}, "GET", ["system:read_any"], [], id="a category without"),
        pytest.param(
            {"scopes": ["docker", "system"]},
            "GET",
            ["docker:read_any,system:read_any"],
            ["docker:read_own,system:read_any"],
            id="of two categories one",
        ),
        pytest.param(
            {"scopes": ["docker", "vms"]},
            "GET",
            ["docker:read_any,vms:read_any"],
            ["docker:read_own,vms:read_own"],
            id="two categories",
        ),
        pytest.param(
            {"scopes": [], "any_of": [["docker"], ["system"]]},
            "GET",
            ["docker:read_any", "system:read_any"],
            ["docker:read_own"],
            id="of two alternatives one",
        ),
        pytest.param(
            {"scopes": ["system"], "any_of": [["docker"], ["vms"]]},
            "GET",
            ["docker:read_any,system:read_any", "vms:read_any,system:read_any"],
            ["docker:read_own,system:read_any", "vms:read_own,system:read_any"],
            id="alternatives beside what is needed anyway",
        ),
        pytest.param(
            {"scopes": ["docker:read_any"]}, "PUT", ["docker:read_any"], ["docker:read_own"], id="a scope, as it is"
        ),
        pytest.param({"scopes": ["docker:read_own"]}, "PUT", ["docker:read_own"], [], id="one's own things, as such"),
        pytest.param({"scopes": ["alone"]}, "GET", ["alone"], [], id="a scope that stands alone"),
        pytest.param({"scopes": []}, "GET", [], [], id="nothing"),
    ],
)
def test_what_is_asked_for_says_what_does_for_ones_own_things(
    needs: dict[str, Any], method: str, any_bits: list[str], own_bits: list[str]
) -> None:
    """The same with each action that has a lesser one exchanged for it."""
    requirement = need(one(resource="<name>", **needs), method)
    for scopes in any_bits:
        assert requirement.met_by(bits(scopes))
        assert requirement.met_somehow_by(bits(scopes))
    for scopes in own_bits:
        assert not requirement.met_by(bits(scopes))
        assert requirement.met_somehow_by(bits(scopes))
    assert bool(requirement.if_owned) is bool(own_bits)
    assert requirement.met_somehow_by(0) is requirement.scope_free


def test_a_word_that_includes_everything_does_not_turn_into_its_parts() -> None:
    """Who has every lesser scope there is has not the word."""
    requirement = need(one(scopes=["everything"], resource="<name>"))
    lesser = bits("docker:read_own,docker:write_own,vms:write_own,system:write_any,alone")
    assert requirement.met_by(bits("everything"))
    assert not requirement.met_somehow_by(lesser)
    assert not requirement.met_somehow_by(bits("docker:write_any,vms:write_any,system:write_any,alone"))


@pytest.mark.parametrize("method", READS + WRITES)
def test_what_does_for_ones_own_things_is_met_by_nobody_else(method: str) -> None:
    """Reading by what reads, writing by what writes."""
    requirement = need(one(scopes=["docker"], resource="<name>"), method)
    assert requirement.met_somehow_by(bits("docker:read_own")) is (method in READS)
    assert requirement.met_somehow_by(bits("docker:write_own"))
    assert not requirement.met_somehow_by(bits("vms:write_any,system:write_any,alone"))


def test_where_it_is_refused_what_does_for_ones_own_things_does_not_count() -> None:
    """So it is a lack of scope, and which one is said."""
    requirement = need(one(scopes=["docker"], path="/a", own="reject"), path="/a")
    assert requirement.if_owned
    assert not requirement.met_somehow_by(bits("docker:read_own"))
    assert requirement.missing(bits("docker:read_own")) == ("docker:read_any",)
    assert requirement.met_somehow_by(bits("docker:read_any"))


def test_in_a_vocabulary_without_own_there_is_nothing_of_the_kind() -> None:
    """Whatever becomes of callers who may reach only what is theirs, there are none."""
    requirement = need(one(scopes=["issue"], resource="<name>", vocabulary="gitea"))
    assert (requirement.if_owned, requirement.others) == ((), None)
    assert requirement.simple == Vocabulary.builtin("gitea").word_bits("read:issue")


@given(
    held=st.integers(0, VOCABULARY.everything),
    words=st.lists(st.sampled_from(("docker", "vms", "system", "alone", "docker:read_own")), max_size=2, unique=True),
    alternatives=st.lists(st.sampled_from(("docker", "vms", "system")), max_size=2, unique=True),
    own=st.sampled_from(("check", "reject")),
    method=st.sampled_from((*READS, *WRITES, "get", "Put")),
)
def test_what_meets_a_requirement_meets_it_somehow(
    held: int, words: list[str], alternatives: list[str], own: Any, method: str
) -> None:
    """More bits never meet less, and where what is one's own does not count nothing but all of it does."""
    groups = [["docker"], ["docker", "system"]]
    policy = Policy(
        [
            Group(path="/a/<name>", scopes=words, any_of=[[word] for word in alternatives] or None, resource="<name>"),
            *(Group(path=f"/b/{'-'.join(group)}/<name>", scopes=group, resource="<name>", own=own) for group in groups),
        ],
        vocabulary=VOCABULARY,
    )
    for path in ("/a/x", "/b/docker/x", "/b/docker-system/x"):
        requirement = need(policy, method, path)
        assert requirement.met_somehow_by(held) or not requirement.met_by(held)
        assert requirement.met_somehow_by(VOCABULARY.everything)
        if requirement.own == "reject":
            assert requirement.met_somehow_by(held) == requirement.met_by(held)
        if requirement.met_somehow_by(held):
            assert requirement.met_somehow_by(held | bits("docker:write_own"))


# -- own


@pytest.mark.parametrize(
    ("needs", "own"),
    [
        pytest.param({"resource": "<name>"}, "check", id="a resource"),
        pytest.param({}, "reject", id="no resource"),
        pytest.param({"resource": "<name>", "own": "reject"}, "reject", id="a resource, refused"),
        pytest.param({"resource": "<name>", "own": "filter"}, "filter", id="a resource, filtered"),
        pytest.param({"resource": "<name>", "own": "check"}, "check", id="a resource, in so many words"),
        pytest.param({"own": "filter"}, "filter", id="no resource, filtered"),
        pytest.param({"own": "reject"}, "reject", id="no resource, refused"),
    ],
)
def test_a_resource_decides_what_becomes_of_them_unless_it_is_said(needs: dict[str, Any], own: str) -> None:
    """Where there is one, the gate asks whose it is; where there is none, there is nobody to ask."""
    policy = one(scopes=["docker"], **needs)
    assert {need(policy, method).own for method in READS + WRITES} == {own}


def test_a_route_inherits_and_may_say_otherwise() -> None:
    """Key by key, like every other need."""
    policy = one(
        Route(path="/list", own="filter"),
        Route(path="/none", own="reject"),
        Route(path="/open", scopes=["system"]),
        Route(path="/<part>", resource="<name>/<part>", methods=["PUT"]),
        scopes=["docker"],
        resource="<name>",
        others=["admin"],
    )
    assert [need(policy, path=f"/a/x{path}").own for path in ("", "/list", "/none", "/open")] == [
        "check",
        "filter",
        "reject",
        "check",
    ]
    assert need(policy, "PUT", "/a/x/part").own == "check"
    assert {need(policy, path=f"/a/x{path}").others for path in ("", "/list", "/none", "/open")} == {("admin",)}
    other = one(Route(path="/free", others=["admin", "user"]), scopes=["docker"], others=["admin"])
    assert need(other, path="/a/x/free").others == ("admin", "user")


@pytest.mark.parametrize(
    ("routes", "needs", "where", "problem"),
    [
        pytest.param((), {"scopes": ["docker"], "own": "check"}, "own", 'resource = "<name>"', id="nothing to ask of"),
        pytest.param((), {"scopes": ["system"], "own": "filter"}, "own", "no effect", id="no lesser scope"),
        pytest.param(
            (), {"scopes": ["system"], "own": "check", "resource": "<name>"}, "own", "no effect", id="nothing to check"
        ),
        pytest.param((), {"scopes": ["system"], "own": "reject"}, "own", "no effect", id="nothing to refuse"),
        pytest.param((), {"scopes": [], "own": "filter"}, "own", "no effect", id="no scope"),
        pytest.param((), {"scopes": ["docker:read_own"], "own": "filter"}, "own", "no effect", id="less is asked for"),
        pytest.param((), {"scopes": ["issue"], "own": "mine"}, "own", "`mine` is none of check", id="an unknown word"),
        pytest.param((), {"scopes": ["docker"], "own": ["check"]}, "own", "is none of check", id="a list"),
        pytest.param((), {"scopes": ["docker"], "own": {}}, "own", "is none of check", id="a table"),
        pytest.param((), {"scopes": ["docker"], "own": True}, "own", "`True` is none of check", id="a flag"),
        pytest.param((), {"scopes": ["docker"], "own": "Filter"}, "own", "`Filter` is none of", id="letter case"),
        pytest.param((), {"scopes": ["docker"], "own": ""}, "own", "`` is none of", id="empty"),
        pytest.param(
            (Route(path="/b", own="check"),), {"scopes": ["docker"]}, "route[0].own", "resource", id="in a route"
        ),
        pytest.param(
            (Route(path="/b", scopes=["system"], own="filter"),),
            {"scopes": ["docker"]},
            "route[0].own",
            "no effect",
            id="a route without a lesser scope",
        ),
        pytest.param((), {"scopes": ["docker"], "others": "admin"}, "others", "expected a list", id="text for roles"),
        pytest.param((), {"scopes": ["docker"], "others": ["boss"]}, "others", "unknown role `boss`", id="no role"),
        pytest.param((), {"scopes": ["docker"], "others": ["Admin"]}, "others", "mean `admin`", id="another case"),
        pytest.param((), {"scopes": ["docker"], "others": [""]}, "others", "expected a list", id="an empty role"),
        pytest.param((), {"scopes": ["docker"], "others": [7]}, "others", "expected a list", id="a number"),
        pytest.param((), {"scopes": ["docker"], "others": [["admin"]]}, "others", "expected a list", id="a list in it"),
        pytest.param((), {"scopes": ["docker"], "others": {"admin": 1}}, "others", "expected a list", id="table"),
        pytest.param((), {"scopes": ["docker"], "others": ["user", "user"]}, "others", "twice", id="a role twice"),
        pytest.param(
            (Route(path="/b", others=["boss"]),), {"scopes": ["docker"]}, "route[0].others", "`boss`", id="in a route"
        ),
    ],
)
def test_a_key_that_cannot_be_or_has_no_effect_is_refused(
    routes: tuple[Route, ...], needs: dict[str, Any], where: str, problem: str
) -> None:
    """At load, with the place where it stands."""
    vocabulary = "gitea" if needs["scopes"] == ["issue"] else VOCABULARY
    with pytest.raises(PolicyError) as caught:
        one(*routes, vocabulary=vocabulary, **needs)
    assert caught.value.where == f"group[0].{where}"
    assert problem in caught.value.problem


@pytest.mark.parametrize("word", [7, "", ["admin"]], ids=["a number", "empty", "a list"])
def test_what_is_no_role_is_called_so(word: Any) -> None:
    """Not a category or a scope, which nobody was asked for."""
    with pytest.raises(PolicyError, match="roles"):
        one(scopes=["docker"], others=[word])


def test_a_key_that_comes_from_the_group_may_have_no_effect_on_a_route() -> None:
    """As with every other one; only what is written there has to."""
    policy = one(Route(path="/b", scopes=["system"]), Route(path="/c", scopes=[]), scopes=["docker"], own="filter")
    assert need(policy, path="/a/x/b").if_owned == need(policy, path="/a/x/c").if_owned == ()
    assert need(policy).own == "filter"


def test_with_others_what_becomes_of_them_has_an_effect_whatever_is_asked_for() -> None:
    """For then the role decides."""
    for scopes in (["system"], ["alone"], []):
        policy = one(scopes=scopes, own="filter", others=["admin"])
        assert (need(policy).own, need(policy).others) == ("filter", ("admin",))
    policy = one(Route(path="/b", own="filter"), scopes=["issue"], others=["admin"], vocabulary="gitea")
    assert need(policy, path="/a/x/b").own == "filter"


def test_a_route_of_some_methods_has_to_have_the_effect_on_one_of_them() -> None:
    """Reading has nothing lesser in this vocabulary, writing has."""
    writing = Route(path="/b", methods=["PUT"], own="filter")
    policy = one(writing, scopes=["docs"], vocabulary=HALF)
    assert need(policy, "PUT", "/a/x/b").own == "filter"
    with pytest.raises(PolicyError, match="no effect") as caught:
        one(replace(writing, methods=["GET"]), scopes=["docs"], vocabulary=HALF)
    assert caught.value.where == "group[0].route[0].own"


def test_a_group_has_to_have_it_on_some_method_only() -> None:
    """The others do not notice."""
    policy = one(scopes=["docs"], own="filter", vocabulary=HALF)
    assert (need(policy).if_owned, bool(need(policy, "PUT").if_owned)) == ((), True)


def test_the_file_says_where_it_went_wrong() -> None:
    """With the line of the rule."""
    text = '[[group]]\npath = "/a"\nscopes = ["user"]\n[[group]]\npath = "/b"\nscopes = ["user"]\nothers = ["boss"]\n'
    with pytest.raises(PolicyError) as caught:
        Policy.loads(text, source="scopes.toml")
    assert caught.value.where == "scopes.toml:4: group[1].others"


# -- others


def test_others_names_roles_of_the_policy() -> None:
    """Those that are always there, and its own; in any number."""
    text = '[roles]\nclerk = "read:user"\n[[group]]\npath = "/a"\nscopes = ["user"]\nothers = {}\n'
    for roles in (["admin"], ["clerk", "viewer"], [], ["viewer", "user", "admin", "clerk"]):
        written = str(roles).replace("'", '"')
        assert need(Policy.loads(text.format(written)), path="/a").others == tuple(roles)
    assert need(Policy.loads(text.replace("others = {}\n", "")), path="/a").others is None


@pytest.mark.parametrize(
    ("needs", "asks"),
    [
        pytest.param({}, False, id="scopes alone"),
        pytest.param({"others": ["admin"]}, True, id="others"),
        pytest.param({"others": []}, True, id="nobody reaches others'"),
        pytest.param({"owner": "<name>", "self_or_admin": True}, True, id="self or admin"),
        pytest.param({"own": "filter"}, False, id="own alone"),
    ],
)
def test_a_requirement_says_whether_the_role_matters(needs: dict[str, Any], asks: bool) -> None:
    """Where it does, bits never decide alone."""
    policy = one(scopes=["docker"], **needs)
    for method in ("GET", "PUT", "DELETE", "FROB"):
        assert need(policy, method).asks_for_role is asks
        assert (need(policy, method).simple == -1) is asks
    assert need(policy, "get").simple == -1


def test_a_request_that_may_be_read_as_another_asks_for_a_role_where_that_one_does() -> None:
    """One of two readings is enough."""
    policy = one(Route(path="/b", methods=["GET"], others=["admin"]), scopes=["docker"])
    assert need(policy, "GET", "/a/x/b").asks_for_role
    assert not need(policy, "PUT", "/a/x/b").asks_for_role
    joined = need(policy, "get", "/a/x/b")
    assert joined.others is None
    assert joined.asks_for_role


@pytest.mark.parametrize("method", ["get", "Put", "delete", "frob"])
def test_in_a_rule_with_others_each_reading_asks_for_the_role(method: str) -> None:
    """Whatever the letter case."""
    assert need(one(scopes=["docker"], others=["admin"]), method).asks_for_role


def test_a_route_may_be_public_in_a_group_where_the_role_decides() -> None:
    """Such as the login page of an application that shows everybody their own."""
    public = Route(path="/login", require_token=False, scopes=[])
    policy = one(public, scopes=["docker"], others=["admin"])
    assert not need(policy, path="/a/x/login").require_token


# -- rules that overlap


@pytest.mark.parametrize(
    ("one_says", "other_says"),
    [
        pytest.param({"own": "filter"}, {}, id="filtered or refused"),
        pytest.param({"own": "filter"}, {"own": "reject"}, id="in so many words"),
        pytest.param({"others": ["admin"]}, {}, id="others or all"),
        pytest.param({"others": ["admin"]}, {"others": ["admin", "user"]}, id="more roles"),
        pytest.param({"others": ["admin"]}, {"others": ["user"]}, id="other roles"),
        pytest.param({"others": ["admin"]}, {"others": []}, id="nobody"),
        pytest.param({"others": ["admin"], "own": "filter"}, {"others": ["admin"]}, id="filtered or not"),
    ],
)
def test_rules_that_overlap_and_differ_in_it_are_ambiguous(
    one_says: dict[str, Any], other_says: dict[str, Any]
) -> None:
    """Both are named; alike they are not, nor with a rule for what they share."""
    first = Group(path="/<x>/b", scopes=["docker"], **one_says)
    second = Group(path="/a/<y>", scopes=["docker"], **other_says)
    with pytest.raises(PolicyError, match="ambiguous") as caught:
        Policy([first, second], vocabulary=VOCABULARY)
    assert "`/<x>/b`" in caught.value.problem
    assert "`/a/<y>`" in caught.value.problem
    assert Policy([first, replace(first, path="/a/<y>")], vocabulary=VOCABULARY)
    settled = Policy([first, second, replace(first, path="/a/b")], vocabulary=VOCABULARY)
    assert need(settled, path="/a/b").meaning() == need(settled, path="/z/b").meaning()
    assert need(settled, path="/a/b").meaning() != need(settled, path="/a/z").meaning()


def test_roles_in_another_order_are_the_same_roles() -> None:
    """They are a set, whatever the order they were written in."""
    first = Group(path="/<x>/b", scopes=["docker"], others=["admin", "user"])
    second = Group(path="/a/<y>", scopes=["docker"], others=["user", "admin"])
    policy = Policy([first, second], vocabulary=VOCABULARY)
    assert need(policy, path="/z/b").meaning() == need(policy, path="/a/z").meaning()


def test_methods_that_differ_in_it_alone_are_told_apart_in_another_letter_case() -> None:
    """Reading a route as GET, or as any other method: both have to be met."""
    policy = one(Route(path="/b", methods=["GET"], action="write_any", own="filter"), scopes=["docker"])
    joined = need(policy, "get", "/a/x/b")
    assert joined.also is not None
    assert (joined.own, joined.also.own) == ("reject", "filter")
    assert need(policy, "put", "/a/x/b").also is None


# -- what is said to be needed


def test_where_the_application_sees_to_it_less_is_said_to_suffice() -> None:
    """Elsewhere it depends on what the request is about, so only what always does is named."""
    policy = one(Route(path="/list", own="filter"), scopes=["docker"], resource="<name>")
    assert need(policy).scope_lists() == (("docker:read_any",),)
    assert need(policy, path="/a/x/list").scope_lists() == (("docker:read_any",), ("docker:read_own",))


# -- accept, for the whole policy


def accepted(policy: Policy, path: str) -> str:
    return need(policy, path=path).accept


@pytest.mark.parametrize("accept", ["any", "token", "session"])
def test_the_policy_says_who_counts_as_signed_in_for_groups_that_do_not(accept: Any) -> None:
    """In a file and in Python alike; without it anyone does."""
    groups = [
        Group(path="/a", scopes=["user"], routes=[Route(path="/b", accept="session")]),
        Group(path="/any", scopes=["user"], accept="any", routes=[Route(path="/b", scopes=[])]),
        Group(path="/token", scopes=["user"], accept="token", routes=[Route(path="/b", scopes=[])]),
    ]
    policy = Policy(groups, accept=accept)
    assert [accepted(policy, path) for path in ("/a", "/a/b", "/any", "/any/b", "/token", "/token/b")] == [
        accept,
        "session",
        "any",
        "any",
        "token",
        "token",
    ]
    loaded = Policy.loads(f'[policy]\naccept = "{accept}"\n[[group]]\npath = "/a"\nscopes = ["user"]\n')
    assert accepted(loaded, "/a") == accept
    assert accepted(Policy(groups), "/a") == "any"


def test_where_nobody_has_to_be_signed_in_the_policys_word_makes_no_difference() -> None:
    """A public group cannot be for tokens only; what says so itself is refused, what inherits it is not."""
    public = Group(path="/version", scopes=[], require_token=False)
    policy = Policy([public, Group(path="/a", scopes=["user"])], accept="token")
    assert (accepted(policy, "/version"), accepted(policy, "/a")) == ("any", "token")
    guarded = Policy([replace(public, routes=[Route(path="/b", require_token=True)])], accept="token")
    assert (accepted(guarded, "/version"), accepted(guarded, "/version/b")) == ("any", "token")
    with pytest.raises(PolicyError, match="`accept` has no effect") as caught:
        Policy([replace(public, accept="token")], accept="any")
    assert caught.value.where == "group[0].accept"


def test_what_no_group_covers_is_decided_without_it() -> None:
    """Denied it is to all, passed it is by all."""
    groups = [Group(path="/a", scopes=["user"])]
    assert need(Policy(groups, accept="token"), path="/b").unmatched
    passing = need(Policy(groups, accept="token", unmatched="pass"), path="/b")
    assert (passing.accept, passing.require_token) == ("any", False)


@pytest.mark.parametrize(
    ("accept", "problem"),
    [
        pytest.param('"tokens"', "`tokens` is none of any, token, session", id="another word"),
        pytest.param('""', "`` is none of any, token, session", id="empty"),
        pytest.param("true", "expected a string", id="a flag"),
        pytest.param('["token"]', "expected a string", id="a list"),
    ],
)
def test_a_word_that_says_nobody_is_refused(accept: str, problem: str) -> None:
    """With its key."""
    with pytest.raises(ConfigurationError) as caught:
        Policy.loads(f'[policy]\naccept = {accept}\n[[group]]\npath = "/a"\nscopes = ["user"]\n', source="s.toml")
    assert caught.value.where == "s.toml: policy.accept"
    assert problem in caught.value.problem
