"""The key ``bound``: what becomes of tokens that are bound to resources, on lists of such."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from scopeware.policy import Group, Policy, PolicyError, Requirement, Route
from scopeware.scopes import Vocabulary

CRUD = Vocabulary("crud", ["docs"], actions=["create", "read", "update", "delete"])


def need(policy: Policy, method: str = "GET", path: str = "/a") -> Requirement:
    requirement = policy.requirement(method, path)
    assert requirement is not None
    return requirement


def one(*routes: Route, vocabulary: str | Vocabulary = "gitea", **needs: Any) -> Policy:
    """A policy of the group `/a`."""
    return Policy([Group(path="/a", routes=routes, **needs)], vocabulary=vocabulary)


# -- what is filtered


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_methods_that_read_may_be_filtered(method: str) -> None:
    """Where the policy says so; unless it does, bound tokens are refused."""
    assert need(one(scopes=["issue"], bound="filter"), method).filters
    assert not need(one(scopes=["issue"], bound="reject"), method).filters
    assert not need(one(scopes=["issue"]), method).filters


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "COPY", "MOVE", "PROPFIND", "TRACE", "GETX", ""])
def test_methods_that_write_are_never_filtered(method: str) -> None:
    """An application that shows less than there is still writes wherever it is told to."""
    policy = one(scopes=["issue"], bound="filter")
    assert need(policy).filters
    assert not need(policy, method).filters


@pytest.mark.parametrize("method", ["get", "Get", "head", "options"])
def test_a_method_in_another_case_is_not_filtered(method: str) -> None:
    """Some frameworks take it for one that reads, others do not; the stricter reading counts."""
    requirement = need(one(scopes=["issue"], bound="filter"), method)
    assert not requirement.filters
    assert requirement.also is not None
    assert requirement.also.filters


@pytest.mark.parametrize(
    ("method", "filters"), [("GET", True), ("POST", False), ("PUT", False), ("DELETE", False), ("REPORT", False)]
)
def test_finer_vocabularies_filter_what_reads(method: str, filters: bool) -> None:
    """What GET needs is what reading is."""
    assert need(one(scopes=["docs"], bound="filter", vocabulary=CRUD), method).filters is filters


def test_an_action_that_reads_is_filtered_whatever_the_method() -> None:
    """A search that is a POST is a list, too; beside it a POST writes."""
    policy = one(Route(path="/search", methods=["POST"], action="read"), scopes=["issue"], bound="filter")
    assert need(policy, "POST", "/a/search").filters
    assert not need(policy, "PUT", "/a/search").filters
    assert not need(policy, "POST", "/a/other").filters
    assert need(one(scopes=["issue"], action="read", bound="filter"), "DELETE").filters


@pytest.mark.parametrize("method", ["SEARCH", "REPORT", "PROPFIND"])
def test_a_route_of_a_method_that_is_not_well_known_may_filter(method: str) -> None:
    """Where its action reads; without one it writes, and the filter has no effect."""
    with pytest.raises(PolicyError, match="no effect where nothing is read"):
        one(Route(path="/b", methods=[method], bound="filter"), scopes=["issue"])
    policy = one(Route(path="/b", methods=[method], action="read", bound="filter"), scopes=["issue"])
    assert need(policy, method, "/a/b").filters


def test_a_method_that_reads_by_the_vocabulary_is_filtered() -> None:
    """The table of a vocabulary has the last word on any method."""
    vocabulary = Vocabulary("v", ["docs"], methods={"GET": ["read"], "SEARCH": ["read"], "*": ["write"]})
    assert need(one(scopes=["docs"], bound="filter", vocabulary=vocabulary), "SEARCH").filters
    assert not need(one(scopes=["docs"], bound="filter", vocabulary=vocabulary), "PROPFIND").filters


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH", "MOVE", "PROPFIND"])
def test_a_vocabulary_of_one_action_filters_only_what_reads(method: str) -> None:
    """Where no scope tells reading from writing, the method does: a bound token deletes nothing from a list."""
    vocabulary = Vocabulary("v", ["docs"], actions=["use"], methods={"*": ["use"]})
    policy = one(scopes=["docs"], bound="filter", vocabulary=vocabulary)
    assert need(policy).filters
    assert not need(policy, method).filters


def test_alternatives_and_fixed_scopes_are_filtered_like_categories() -> None:
    """What is asked for does not matter, as long as something is."""
    assert need(one(any_of=[["read:issue"], ["misc"]], bound="filter")).filters
    assert need(one(scopes=["read:issue"], bound="filter")).filters
    assert not need(one(any_of=[["read:issue"], ["misc"]])).filters


def test_what_is_filtered_is_asked_for_all_the_same() -> None:
    """The key adds no scope and takes none away, and bits still decide alone for tokens that are not bound."""
    plain, filtered = need(one(scopes=["issue"])), need(one(scopes=["issue"], bound="filter"))
    assert filtered == replace(plain, filters=True)
    assert filtered.simple == plain.simple > 0


# -- routes and groups


def test_a_route_inherits_what_its_group_says_and_may_say_otherwise() -> None:
    """Key by key, like every other need."""
    policy = one(
        Route(path="/open", scopes=["misc"]),
        Route(path="/strict", bound="reject"),
        Route(path="/other/lists", bound="filter"),
        scopes=["issue"],
        bound="filter",
    )
    assert need(policy, path="/a/open").filters
    assert not need(policy, path="/a/strict").filters
    assert need(policy, path="/a/other/lists").filters
    strict = one(Route(path="/list", bound="filter"), scopes=["issue"])
    assert need(strict, path="/a/list").filters
    assert not need(strict, path="/a/other").filters


def test_a_route_where_a_resource_decides_leaves_the_filter_of_its_group_behind() -> None:
    """A bound token reaches the resource or it does not; the lists beside it stay filtered."""
    policy = one(
        Route(path="/<name>", resource="<name>"), Route(path="/free", scopes=[]), scopes=["issue"], bound="filter"
    )
    assert not need(policy, path="/a/b").filters
    assert need(policy, path="/a/b").resource is not None
    assert not need(policy, path="/a/free").filters
    assert need(policy, path="/a").filters
    assert need(policy, path="/a/b/c").filters


def test_a_file_says_it_too() -> None:
    """For groups and for routes."""
    policy = Policy.loads("""
        [[group]]
        path = "/a"
        scopes = ["issue"]
        bound = "filter"
          [[group.route]]
          path = "/strict"
          bound = "reject"
    """)
    assert need(policy).filters
    assert not need(policy, path="/a/strict").filters


# -- what is refused


@pytest.mark.parametrize(
    ("needs", "problem"),
    [
        pytest.param(
            {"scopes": ["issue"], "resource": "<n>", "bound": "filter"},
            "`bound` has no effect where a resource decides",
            id="a resource",
        ),
        pytest.param(
            {"scopes": [], "bound": "filter"}, "`bound` has no effect where no scope is asked for", id="no scope"
        ),
        pytest.param({"scopes": ["issue"], "bound": "allow"}, "`allow` is none of reject, filter", id="unknown word"),
        pytest.param({"scopes": ["issue"], "bound": ""}, "is none of reject, filter", id="an empty word"),
        pytest.param({"scopes": ["issue"], "bound": True}, "is none of reject, filter", id="a flag"),
        pytest.param({"scopes": ["issue"], "bound": False}, "is none of reject, filter", id="a flag that is false"),
        pytest.param({"scopes": ["issue"], "bound": ["filter"]}, "is none of reject, filter", id="a list"),
    ],
)
def test_a_key_that_cannot_be_or_has_no_effect_is_refused(needs: dict[str, Any], problem: str) -> None:
    """Of a group and of a route, with its place; without the trouble both load."""
    with pytest.raises(PolicyError) as caught:
        Policy([Group(path="/b", scopes=[]), Group(path="/a/<n>", **needs)])
    assert caught.value.where == "group[1].bound"
    assert problem in caught.value.problem
    with pytest.raises(PolicyError) as caught:
        one(Route(path="/<n>", **needs), scopes=["user"])
    assert caught.value.where == "group[0].route[0].bound"
    assert problem in caught.value.problem
    fine = needs | {"bound": "filter", "scopes": ["issue"], "resource": None}
    assert Policy([Group(path="/a/<n>", **fine)])
    assert one(Route(path="/<n>", **fine), scopes=["user"])


def test_a_route_that_filters_where_the_resource_of_its_group_decides_is_refused() -> None:
    """What it inherits counts; the same route in a group without a resource loads."""
    route = Route(path="/list", bound="filter")
    with pytest.raises(PolicyError, match="no effect where a resource decides") as caught:
        Policy([Group(path="/a/<n>", scopes=["issue"], resource="<n>", routes=[route])])
    assert caught.value.where == "group[0].route[0].bound"
    with pytest.raises(PolicyError, match="no effect where no scope is asked for"):
        Policy([Group(path="/a/<n>", scopes=[], routes=[route])])
    assert Policy([Group(path="/a/<n>", scopes=["issue"], routes=[route])])


@pytest.mark.parametrize(
    ("group", "route"),
    [
        pytest.param({}, {"methods": ["POST", "DELETE"]}, id="methods that write"),
        pytest.param({}, {"action": "write"}, id="an action that writes"),
        pytest.param({"action": "write"}, {}, id="an action of the group that writes"),
    ],
)
def test_a_filter_where_nothing_is_read_is_refused(group: dict[str, Any], route: dict[str, Any]) -> None:
    """It has no effect: what writes is never filtered. Where one method reads it loads."""
    assert one(Route(path="/b", bound="filter", methods=["GET", "POST"]), scopes=["issue"])
    with pytest.raises(PolicyError, match="`bound` has no effect") as caught:
        one(Route(path="/b", bound="filter", **route), scopes=["issue"], **group)
    assert caught.value.where == "group[0].route[0].bound"


@pytest.mark.parametrize("methods", [7, True, 1.5, ["get"], [7], [["GET"]], "GET"])
def test_methods_that_cannot_be_are_refused_beside_a_filter(methods: Any) -> None:
    """As without one: the error is about them."""
    assert one(Route(path="/b", bound="filter", methods=["GET"]), scopes=["issue"])
    with pytest.raises(PolicyError) as caught:
        one(Route(path="/b", bound="filter", methods=methods), scopes=["issue"])
    assert caught.value.where == "group[0].route[0].methods"


def test_to_refuse_may_be_said_anywhere() -> None:
    """It is what holds without a word."""
    policy = Policy(
        [
            Group(path="/a/<n>", scopes=["issue"], resource="<n>", bound="reject"),
            Group(path="/b", scopes=[], bound="reject"),
        ]
    )
    assert not need(policy, path="/a/x").filters
    assert not need(policy, path="/b").filters


# -- rules against each other


def test_rules_that_overlap_have_to_agree_about_lists() -> None:
    """Whether a bound token may read is a difference like any other, and shows in what a requirement means."""
    crossing = [Group(path="/<x>/b", scopes=["user"]), Group(path="/a/<y>", scopes=["user"], bound="filter")]
    with pytest.raises(PolicyError, match="ambiguous") as caught:
        Policy(crossing)
    assert "`/<x>/b`" in caught.value.problem
    assert "`/a/<y>`" in caught.value.problem
    same = Policy([replace(crossing[0], bound="filter"), crossing[1]])
    assert need(same, path="/a/b").filters
    settled = Policy([*crossing, Group(path="/a/b", scopes=["user"], bound="filter")])
    assert need(settled, path="/a/b").filters
    assert not need(settled, path="/z/b").filters
    one_meaning, other_meaning = need(settled, path="/a/b").meaning(), need(settled, path="/z/b").meaning()
    assert one_meaning != other_meaning
    assert need(settled, "POST", "/a/b").meaning() == need(settled, "POST", "/z/b").meaning()


def test_routes_that_overlap_have_to_agree_only_where_something_is_read() -> None:
    """Nothing that writes is filtered, so for it there is no difference."""
    group = Group(path="/a", scopes=["user"], bound="filter")
    routes = [
        Route(path="/<x>/b", scopes=["issue"], methods=["POST"]),
        Route(path="/c/<y>", scopes=["issue"], methods=["POST"], bound="reject"),
    ]
    assert not need(Policy([replace(group, routes=routes)]), "POST", "/a/c/b").filters
    reading = [replace(route, methods=["GET"]) for route in routes]
    with pytest.raises(PolicyError, match="ambiguous"):
        Policy([replace(group, routes=reading)])


def test_where_a_resource_decides_a_filter_makes_no_difference() -> None:
    """Two rules about the same resource agree, whatever was inherited for lists."""
    route = Route(path="/<y>/<z>", resource="<y>")
    policy = Policy(
        [
            Group(path="/a", scopes=["user"], bound="filter", routes=[route]),
            Group(path="/b", scopes=["user"], routes=[route]),
        ]
    )
    assert need(policy, path="/a/x/y").filters is need(policy, path="/b/x/y").filters is False
