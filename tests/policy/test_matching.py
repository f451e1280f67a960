"""Which rule decides: against a slow reference, two routers, and by hand."""

from __future__ import annotations

import functools
import random
import re
from typing import Any

import pytest
from falcon.routing import CompiledRouter
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from policy_reference import Reach, covers, decides, decision, lies_within, most_specific, needs, universe
from policy_strategies import SEGMENTS, TABLES, TEXTS, path_of, paths_like, policies, table_policies, texts_of
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from scopeware.policy import Group, PatternError, Policy, PolicyError, Route

METHODS = ("GET", "HEAD", "POST", "DELETE", "PROPFIND")
SHORT_PATHS = universe(TEXTS, 2)
LONG_PATHS = universe(TEXTS, 5)

thorough = settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
first_examples_first = settings(thorough, phases=[Phase.explicit, Phase.generate])


def expected(groups: list[Group], method: str, path: str) -> set[Any]:
    """What the rules that the reference finds need there."""
    decided = decides(groups, method, path)
    return {needs(group, route, method, path) for group, route in decided} or {None}


def rule_at(policy: Policy, method: str, path: str) -> tuple[str, str]:
    requirement = policy.requirement(method, path)
    assert requirement is not None
    return requirement.group, requirement.route


# -- the reference itself


@settings(max_examples=200, deadline=None)
@given(*[st.lists(st.sampled_from(SEGMENTS), max_size=2)] * 2, *[st.booleans()] * 2)
def test_the_reference_tells_inclusion_as_listing_all_paths_does(
    one: list[str], other: list[str], one_below: bool, other_below: bool
) -> None:
    """The yardstick is right: what it calls included has no path outside, among all paths of four segments."""
    inner, outer = Reach(path_of(one, 0), one_below), Reach(path_of(other, 5), other_below)
    listed = [
        {path for path in universe(TEXTS, 4) if covers(reach.path, path, below=reach.below)} for reach in (inner, outer)
    ]
    assert lies_within(inner, outer) == (listed[0] <= listed[1])


def test_the_reference_prefers_the_narrower_rule() -> None:
    """A literal before a typed variable before a plain one, and before all a rule without what is below it."""
    reaches = [Reach("/<x>", True), Reach("/<int:n>", True), Reach("/7", True)]
    assert most_specific(reaches) == [Reach("/7", True)]
    assert most_specific([*reaches, Reach("/7")]) == [Reach("/7")]


def test_the_reference_names_both_rules_where_neither_is_narrower() -> None:
    """Where two rules cross it does not choose."""
    reaches = [Reach("/<x>/b", True), Reach("/a/<y>", True)]
    assert most_specific(reaches) == reaches


# -- against the reference


@thorough
@given(policies(alike=False), st.randoms(use_true_random=False))
def test_a_compiled_policy_decides_as_the_reference(groups: list[Group], choose: random.Random) -> None:
    """For every short path and some long ones, what the trie finds is what the definition says."""
    policy = Policy(groups)
    for path in [*SHORT_PATHS, *choose.sample(LONG_PATHS, 60)]:
        method = choose.choice(METHODS)
        found = decision(policy, method, path)
        wanted = expected(groups, method, path)
        assert (found and found[:2]) in {want and want[:2] for want in wanted}, (method, path)


_CROSSING = [
    Group(path="/<x>/b", scopes=["user"], routes=[Route(path="/c", scopes=["admin"])]),
    Group(path="/a/<y>", scopes=["user"]),
]
_MANY_WITHIN = [
    Group(path="/<path:x>/b", scopes=["user"], routes=[Route(path="/c", scopes=["admin"])]),
    Group(path="/<y>", scopes=["user"]),
]
_SETTLED_IN_PART = [
    Group(
        path="/",
        scopes=["user"],
        routes=[
            Route(path="/<x>/b", scopes=["issue"]),
            Route(path="/a/<y>", scopes=["package"]),
            Route(path="/a/b", methods=["GET"], scopes=["admin"]),
        ],
    )
]


def assert_nothing_is_left_open(groups: list[Group], choose: random.Random) -> None:
    try:
        policy = Policy(groups)
    except PolicyError:
        return
    for path in [*SHORT_PATHS, *choose.sample(LONG_PATHS, 60), "/a/b/c"]:
        for method in METHODS:
            found = decision(policy, method, path)
            wanted = {want and want[:2] for want in expected(groups, method, path)}
            assert {found and found[:2]} == wanted, (method, path)


@pytest.mark.parametrize(
    "groups",
    [
        pytest.param(_CROSSING, id="groups that cross"),
        pytest.param(_MANY_WITHIN, id="a group after many segments"),
        pytest.param(_SETTLED_IN_PART, id="routes whose meet is settled for GET only"),
    ],
)
def test_rules_that_leave_a_decision_open_are_refused(groups: list[Group]) -> None:
    """Where two rules are equally specific and one of them needs something else, the policy does not load."""
    assert_nothing_is_left_open(groups, random.Random(0))


@first_examples_first
@example(_CROSSING, random.Random(0))
@given(policies(), st.randoms(use_true_random=False))
def test_no_policy_loads_that_leaves_a_decision_open(groups: list[Group], choose: random.Random) -> None:
    """Rules that are equally specific somewhere need the same there; all others are refused."""
    assert_nothing_is_left_open(groups, choose)


_MANY_AT_THE_END = [Group(path="/files/<path:rest>", scopes=["user"], resource="<rest>")]


@first_examples_first
@example(_MANY_AT_THE_END, random.Random(0))
@given(policies(), st.randoms(use_true_random=False))
def test_the_resource_of_a_request_is_that_of_the_reference(groups: list[Group], choose: random.Random) -> None:
    """Templates are filled with what the variables of the deciding rule stand for."""
    policy = Policy(groups)
    for path in [*SHORT_PATHS, *choose.sample(LONG_PATHS, 60), "/files/a/b/c"]:
        assert decision(policy, "GET", path) in expected(groups, "GET", path), path


@pytest.mark.parametrize("table", list(TABLES))
@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_policies_of_real_routes_decide_as_the_reference(table: str, data: st.DataObject) -> None:
    """Some routes of a real application, as groups and as routes of groups, on paths like theirs."""
    groups, rules = data.draw(table_policies(table))
    policy = Policy(groups)
    texts = texts_of(rules)
    for _ in range(20):
        path = data.draw(paths_like(rules, texts))
        method = data.draw(st.sampled_from(METHODS))
        found = decision(policy, method, path)
        wanted = expected(groups, method, path)
        assert (found and found[:2]) in {want and want[:2] for want in wanted}


# -- against two routers


@functools.cache
def policy_of_all_routes(table: str) -> Policy:
    """Every route of a table as an exact rule of one group."""
    scopes = {"GET": "user", "HEAD": "user", "POST": "issue", "PUT": "misc", "PATCH": "package"}
    gets = {rule for method, rule in TABLES[table] if method == "GET"}
    routes = [
        Route(
            path=rule,
            methods=None if method == "ANY" else ["GET" if method == "HEAD" else method],
            scopes=[scopes.get(method, "admin")],
        )
        for method, rule in TABLES[table]
        if method != "HEAD" or rule not in gets
    ]
    return Policy([Group(path="/", scopes=["notification"], routes=routes)])


@functools.cache
def werkzeug_map(table: str) -> Map:
    return Map(
        [
            Rule(rule, endpoint=rule, methods=None if method == "ANY" else [method], strict_slashes=False)
            for method, rule in TABLES[table]
        ]
    )


def werkzeug_finds(table: str, method: str, path: str) -> tuple[str, dict[str, str]] | None:
    try:
        rule, arguments = werkzeug_map(table).bind("localhost").match(path, method, return_rule=True)
    except HTTPException:
        return None
    return rule.rule, {name: str(value) for name, value in arguments.items()}


@pytest.mark.parametrize("table", list(TABLES))
def test_each_real_route_is_found_by_its_own_path(table: str) -> None:
    """A path made of a route finds this route, with the method it is for."""
    policy = policy_of_all_routes(table)
    for method, rule in TABLES[table]:
        path = re.sub(r"<path:\w+>", "one/two", rule)
        path = re.sub(r"<any\((\w+),.*?\):\w+>", r"\1", path)
        path = re.sub(r"<int:\w+>", "17", path)
        path = re.sub(r"<(?:string:)?\w+>", "some", path)
        assert rule_at(policy, "PURGE" if method == "ANY" else method, path) == ("/", rule)


@pytest.mark.parametrize("table", list(TABLES))
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_the_deciding_route_is_the_one_werkzeug_dispatches_to(table: str, data: st.DataObject) -> None:
    """An application on werkzeug runs the route whose rule decided; where it answers 404 or 405, no route did."""
    rules = [rule for _, rule in TABLES[table]]
    path = data.draw(paths_like(rules, texts_of(rules)))
    method = data.draw(st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"]))
    found = werkzeug_finds(table, method, path)
    assert rule_at(policy_of_all_routes(table), method, path)[1] == (found[0] if found else "")


@pytest.mark.parametrize(
    "many",
    [
        pytest.param(False, id="one segment each"),
        pytest.param(
            True,
            id="many segments",
        ),
    ],
)
def test_params_are_the_arguments_werkzeug_passes(many: bool) -> None:
    """The variables of the deciding route hold what the application's view gets."""
    policy = policy_of_all_routes("gitea")
    choose = random.Random(3)
    for method, rule in TABLES["gitea"]:
        if ("<path:" in rule) is not many or method == "ANY":
            continue
        path = re.sub(r"<path:\w+>", "one/two/three.txt", rule)
        path = re.sub(r"<any\((\w+),.*?\):\w+>", r"\1", path)
        path = re.sub(r"<\w+>", lambda _: choose.choice(["alice", "7", "x.y"]), path)
        requirement = policy.requirement(method, path)
        found = werkzeug_finds("gitea", method, path)
        assert requirement is not None
        assert found is not None
        assert (requirement.route, policy.params(requirement, path)) == found


class _Resource:
    """A falcon resource that answers all methods."""

    def __init__(self, rule: str) -> None:
        self.rule = rule

    def on_get(self, request: Any, response: Any, **arguments: str) -> None: ...


@functools.cache
def falcon_router(table: str) -> CompiledRouter:
    """The table in falcon: it knows no choices, so each becomes as many templates, and names are those of places."""
    router = CompiledRouter()
    for rule in dict.fromkeys(rule for _, rule in TABLES[table]):
        choices = re.search(r"<any\((.*?)\):\w+>", rule)
        for choice in choices[1].split(",") if choices else [""]:
            template = rule.replace(choices[0], choice) if choices else rule
            template = re.sub(r"<path:\w+>", "{rest:path}", template)
            segments = [
                re.sub(r"<int:\w+>", f"{{n{place}:int}}", re.sub(r"<(?:string:)?\w+>", f"{{v{place}}}", segment))
                for place, segment in enumerate(template.split("/"))
            ]
            router.add_route("/".join(segments), _Resource(rule))
    return router


@pytest.mark.parametrize("table", list(TABLES))
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_the_deciding_route_is_the_one_falcon_dispatches_to(table: str, data: st.DataObject) -> None:
    """An application on falcon runs the resource of the rule that decided, whatever the method."""
    rules = list(dict.fromkeys(rule for _, rule in TABLES[table]))
    path = data.draw(paths_like(rules, texts_of(rules)))
    found = falcon_router(table).find(path)
    assert rule_at(policy_of_paths(table), "GET", path)[1] == (found[0].rule if found else "")


@functools.cache
def policy_of_paths(table: str) -> Policy:
    rules = dict.fromkeys(rule for _, rule in TABLES[table])
    return Policy([Group(path="/", scopes=["user"], routes=[Route(path=rule, scopes=["issue"]) for rule in rules])])


# -- by hand


def three_levels() -> Policy:
    return Policy(
        [
            Group(path="/", scopes=["misc"]),
            Group(
                path="/repos/<owner>/<repo>",
                scopes=["repository"],
                routes=[
                    Route(path="/", methods=["DELETE"], scopes=["admin"]),
                    Route(path="/pulls/<index>.<any(diff,patch):kind>", scopes=["issue"]),
                    Route(path="/milestones/<int:index>", scopes=["issue", "repository"]),
                    Route(path="/<any(archive,raw):kind>/<path:rest>", action="read"),
                    Route(path="/raw/<path:rest>", methods=["PUT"], scopes=["package"]),
                    Route(path="/raw/<path:rest>/blame", scopes=["notification"]),
                ],
            ),
            Group(path="/repos/search/<kind>", scopes=[]),
            Group(path="/repos/search/<kind>/issues", scopes=[]),
            Group(path="/repos/<owner>/<repo>/issues", scopes=["issue"]),
        ]
    )


def deep_settings() -> Policy:
    return Policy(
        [
            Group(path="/repos/<owner>/<repo>", scopes=["repository"]),
            Group(path="/repos/<owner>/<repo>/<path:deep>/settings", scopes=["admin"]),
        ]
    )


@pytest.mark.parametrize(
    ("method", "path", "group", "route"),
    [
        pytest.param("GET", "/", "/", "", id="the root group, its path"),
        pytest.param("GET", "/x/y/z", "/", "", id="the root group, below"),
        pytest.param("GET", "/repos", "/", "", id="shorter than the group"),
        pytest.param("GET", "/repos/a", "/", "", id="one segment short of the group"),
        pytest.param("GET", "/repos/a/b", "/repos/<owner>/<repo>", "", id="a group, its path"),
        pytest.param("GET", "/repos/a/b/c/d/e", "/repos/<owner>/<repo>", "", id="a group, far below"),
        pytest.param("GET", "/repos/search", "/", "", id="a literal that only goes on"),
        pytest.param("GET", "/repos/search/x", "/repos/search/<kind>", "", id="a literal beside a variable"),
        pytest.param(
            "GET", "/repos/search/x/pulls/7", "/repos/search/<kind>", "", id="routes of other groups are not its"
        ),
        pytest.param("GET", "/repos/searchx/x", "/repos/<owner>/<repo>", "", id="a literal is no beginning"),
        pytest.param("GET", "/repos/a/b/issues", "/repos/<owner>/<repo>/issues", "", id="the longer group"),
        pytest.param("GET", "/repos/a/b/issue", "/repos/<owner>/<repo>", "", id="not quite the longer group"),
        pytest.param("DELETE", "/repos/a/b", "/repos/<owner>/<repo>", "/repos/<owner>/<repo>", id="root of a group"),
        pytest.param("DELETE", "/repos/a/b/c", "/repos/<owner>/<repo>", "", id="a route is exact"),
        pytest.param(
            "GET",
            "/repos/a/b/pulls/7.diff",
            "/repos/<owner>/<repo>",
            "/repos/<owner>/<repo>/pulls/<index>.<any(diff,patch):kind>",
            id="variables within a segment",
        ),
        pytest.param("GET", "/repos/a/b/pulls/7.dif", "/repos/<owner>/<repo>", "", id="not quite the suffix"),
        pytest.param("GET", "/repos/a/b/pulls/.diff", "/repos/<owner>/<repo>", "", id="nothing before the suffix"),
        pytest.param(
            "GET",
            "/repos/a/b/milestones/7",
            "/repos/<owner>/<repo>",
            "/repos/<owner>/<repo>/milestones/<int:index>",
            id="a number",
        ),
        pytest.param("GET", "/repos/a/b/milestones/7a", "/repos/<owner>/<repo>", "", id="no number"),
        pytest.param(
            "PUT",
            "/repos/a/b/raw/x/y",
            "/repos/<owner>/<repo>",
            "/repos/<owner>/<repo>/raw/<path:rest>",
            id="the route for this method",
        ),
        pytest.param(
            "POST",
            "/repos/a/b/raw/x/y",
            "/repos/<owner>/<repo>",
            "/repos/<owner>/<repo>/<any(archive,raw):kind>/<path:rest>",
            id="for another method the less specific route",
        ),
        pytest.param(
            "PUT",
            "/repos/a/b/raw/x/y/blame",
            "/repos/<owner>/<repo>",
            "/repos/<owner>/<repo>/raw/<path:rest>/blame",
            id="a literal after many segments",
        ),
        pytest.param("PUT", "/repos/a/b/raw", "/repos/<owner>/<repo>", "", id="many segments are at least one"),
    ],
)
def test_the_most_specific_rule_decides(method: str, path: str, group: str, route: str) -> None:
    """The group with the narrowest set of paths, and its narrowest route for the method."""
    assert rule_at(three_levels(), method, path) == (group, route)


@pytest.mark.parametrize(
    ("path", "group"),
    [
        pytest.param("/repos/a/b/x/settings", "/repos/<owner>/<repo>/<path:deep>/settings", id="one segment"),
        pytest.param("/repos/a/b/x/y/settings", "/repos/<owner>/<repo>/<path:deep>/settings", id="two segments"),
        pytest.param("/repos/a/b/x/settings/y", "/repos/<owner>/<repo>/<path:deep>/settings", id="below"),
        pytest.param("/repos/a/b/settings", "/repos/<owner>/<repo>", id="at least one segment"),
        pytest.param("/repos/a/b/settings/x", "/repos/<owner>/<repo>", id="the literal comes after them"),
    ],
)
def test_a_group_may_stand_after_many_segments(path: str, group: str) -> None:
    """A path variable in the middle takes one segment or more, and the group covers what is below."""
    assert rule_at(deep_settings(), "GET", path) == (group, "")


def test_ten_thousand_groups_load_and_match() -> None:
    """Size changes nothing about which rule decides."""
    groups = [Group(path=f"/area{number % 100}/<x>/part{number}", scopes=["user"]) for number in range(10_000)]
    policy = Policy([*groups, Group(path="/area7/<x>", scopes=["issue"])])
    for number in (0, 99, 100, 4_207, 9_999):
        path = f"/area{number % 100}/any/part{number}"
        assert rule_at(policy, "GET", f"{path}/below") == (f"/area{number % 100}/<x>/part{number}", "")
        requirement = policy.requirement("GET", f"/area{(number + 1) % 100}/any/part{number}")
        assert requirement is not None
        assert requirement.unmatched == ((number + 1) % 100 != 7)


def test_paths_without_variables_do_not_cost_a_group_its_variables() -> None:
    """A literal that leads nowhere falls back to the variable beside it, without going back in the path."""
    policy = Policy(
        [
            Group(path="/<x>/b/c", scopes=["user"]),
            Group(path="/a/<y>/d", scopes=["issue"]),
        ]
    )
    assert rule_at(policy, "GET", "/a/b/c") == ("/<x>/b/c", "")
    assert rule_at(policy, "GET", "/a/b/d") == ("/a/<y>/d", "")
    requirement = policy.requirement("GET", "/a/b/e")
    assert requirement is not None
    assert requirement.unmatched


def test_up_to_eight_typed_variables_may_compete() -> None:
    """Each is tried on a segment, and several may hold at once."""
    groups = [Group(path=f"/<int(min={number}):n>/x{number}", scopes=["user"]) for number in range(8)]
    policy = Policy(groups)
    assert rule_at(policy, "GET", "/3/x3") == ("/<int(min=3):n>/x3", "")
    requirement = policy.requirement("GET", "/2/x3")
    assert requirement is not None
    assert requirement.unmatched


def test_nine_typed_variables_are_too_many() -> None:
    """The number of ways to go on doubles with each, so there is an end, and the message names them."""
    groups = [Group(path=f"/<int(min={number}):n>/x{number}", scopes=["user"]) for number in range(9)]
    with pytest.raises(PatternError, match=r"9 typed variables compete for one segment: .*<int\(min=8\):n>"):
        Policy(groups)
