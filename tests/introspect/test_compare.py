"""Whether an OpenAPI document and a policy say the same, both ways."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scopeware import Policy
from scopeware.introspect.openapi import annotate, compare

RULES = """
[policy]
prefix = "/api"

[[group]]
path = "/user"
scopes = ["user"]
  [[group.route]]
  path = "/keys"
  methods = ["POST"]
  action = "read"

[[group]]
path = "/users/<name>"
scopes = ["issue", "user"]

[[group]]
path = "/users/me"
scopes = ["misc"]

[[group]]
path = "/signed-in"
scopes = []
accept = "session"

[[group]]
path = "/optional"
scopes = ["misc"]
require_token = false

[[group]]
path = "/open"
scopes = []
require_token = false
"""
POLICY = Policy.loads(RULES)
VERSIONS = ("2.0", "3.0.3", "3.1.0")
OPERATIONS = {
    "/api/user": ("get", "put"),
    "/api/user/keys": ("post",),
    "/api/users/{name}": ("get",),
    "/api/users/me": ("get",),
    "/api/signed-in": ("get",),
    "/api/optional": ("get",),
    "/api/open": ("get", "post"),
}
FINE = {"responses": {"200": {"description": "Fine"}}}
NO_OPERATION = "the policy has a rule for it, the document no operation"


def document(paths: dict[str, Any], version: str = "3.1.0", **more: Any) -> dict[str, Any]:
    """A document, with these path items."""
    known = {"swagger" if version == "2.0" else "openapi": version, "info": {"title": "Things", "version": "1"}}
    return known | {"paths": copy.deepcopy(paths)} | more


def whole(version: str = "3.1.0") -> dict[str, Any]:
    """One with an operation for each rule."""
    items = {path: {method: copy.deepcopy(FINE) for method in methods} for path, methods in OPERATIONS.items()}
    return document(items, version)


def differences(made: Any, policy: Policy = POLICY, **more: Any) -> list[str]:
    """What is said of them."""
    return [str(each) for each in compare(made, policy, **more)]


# -- what says the same


def test_what_was_annotated_says_the_same() -> None:
    """Whatever the version has a place for; and comparing changes nothing."""
    for version in VERSIONS:
        told = annotate(whole(version), POLICY)
        before = copy.deepcopy(told)
        assert differences(told) == [], version
        assert told == before


changes = st.tuples(
    st.sampled_from([(path, method) for path, methods in OPERATIONS.items() for method in methods]),
    st.sampled_from(["no security", "another scope", "one more way", "nobody asked", "gone"]),
)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(changes, max_size=3, unique_by=lambda change: change[0]))
def test_every_operation_that_says_something_else_is_told_and_no_other(changed: list[Any]) -> None:
    """Each once, and rules without an operation besides."""
    told = annotate(whole(), POLICY)
    expected = set()
    for (path, method), change in changed:
        operation = told["paths"][path][method]
        operation.pop("x-required-scopes", None)
        if change == "gone":
            del told["paths"][path][method]
        elif change == "no security":
            operation.pop("security")
            expected.add((method.upper(), path))
        elif change == "nobody asked":
            if operation["security"] != []:
                expected.add((method.upper(), path))
            operation["security"] = []
        else:
            more = [{"token": ["write:admin"]}]
            operation["security"] = more + (operation["security"] if change == "one more way" else [])
            expected.add((method.upper(), path))
    found = compare(told, POLICY)
    assert {(each.method, each.path) for each in found if each.method} == expected
    assert {each.problem for each in found if not each.method} <= {NO_OPERATION}
    gone = {
        path for path, methods in OPERATIONS.items() if not any(method in told["paths"][path] for method in methods)
    }
    assert {each.path for each in found if not each.method} <= {path.replace("{name}", "<name>") for path in gone}


# -- what does not


@pytest.mark.parametrize(
    ("path", "operation", "said"),
    [
        ("/api/user", {"security": [{"token": ["write:user"]}]}, "says write:user, the policy read:user"),
        ("/api/users/x", {"security": [{"token": ["read:user"]}]}, "the policy read:issue+read:user"),
        ("/api/nothing", {}, "no group of the policy covers it"),
        ("/elsewhere", {}, "it lies outside of the policy's prefix"),
    ],
)
def test_what_is_said_of_an_operation(path: str, operation: Any, said: str) -> None:
    """Both sides, in words."""
    [found] = [each for each in compare(document({path: {"get": operation}}), POLICY) if each.method]
    assert (found.method, found.path) == ("GET", path)
    assert said in found.problem


def test_that_people_have_to_sign_in_is_not_that_they_need_a_token() -> None:
    """Where the policy takes no tokens, a document that asks for one is wrong."""
    told = annotate(whole(), POLICY)
    told["paths"]["/api/signed-in"]["get"]["security"] = [{"token": []}]
    assert [each for each in differences(told) if "/api/signed-in" in each]


def test_security_is_compared_beside_the_extension() -> None:
    """OpenAPI 3.1 says in `security` what clients go by."""
    told = annotate(whole(), POLICY)
    told["paths"]["/api/user"]["get"]["security"] = [{"token": ["write:admin"]}]
    assert [each for each in differences(told) if "/api/user:" in each]


def test_a_rule_without_an_operation_is_told() -> None:
    """A group, or a route."""
    for gone in ("/api/user/keys", "/api/open"):
        told = annotate(whole(), POLICY)
        del told["paths"][gone]
        assert differences(told) == [f"{gone}: {NO_OPERATION}"]


def test_a_rule_whose_only_operations_are_another_rules_is_told() -> None:
    """Who deletes the operation of `/users/<name>` is told so, though `/users/me` is one of its paths."""
    told = annotate(whole(), POLICY)
    del told["paths"]["/api/users/{name}"]
    assert differences(told) == [f"/api/users/<name>: {NO_OPERATION}"]


# -- documents as they are written

ITEM = {"$ref": "#/components/pathItems/Thing"}


def shared_operation() -> dict[str, Any]:
    """What YAML makes of an anchor: the same operation in two places."""
    one = copy.deepcopy(FINE)
    made = document({})
    made["paths"] = {"/api/user": {"get": one, "put": one}}
    return made


def shared_answers() -> dict[str, Any]:
    """What a framework makes: the same answers for all."""
    answers = copy.deepcopy(FINE["responses"])
    made = document({})
    made["paths"] = {"/api/user": {"get": {"responses": answers}, "put": {"responses": answers}}}
    return made


def shared_item() -> dict[str, Any]:
    """A path item that two paths refer to."""
    return document(
        {"/api/user": ITEM, "/api/users/me": ITEM}, components={"pathItems": {"Thing": {"get": copy.deepcopy(FINE)}}}
    )


@pytest.mark.parametrize("made", [shared_operation, shared_answers], ids=["operation", "answers"])
def test_what_two_operations_share_in_memory_is_told_apart(made: Any) -> None:
    """Each says what it needs itself."""
    item = annotate(made(), POLICY)["paths"]["/api/user"]
    for method, word in (("get", "read:user"), ("put", "write:user")):
        assert item[method]["x-required-scopes"] == [[word]]
        assert item[method]["responses"]["403"] == {"description": f"The token needs `{word}`."}


def test_what_is_not_true_of_both_is_not_called_the_same() -> None:
    """Two paths that share an item need different things, and the item cannot say both."""
    told = annotate(shared_item(), POLICY)
    said = [told["paths"][path].get("get") for path in ("/api/user", "/api/users/me")]
    if said != [None, None]:  # taken apart
        assert [each["x-required-scopes"] for each in said] == [[["read:user"]], [["read:misc"]]]
    else:
        assert [each for each in compare(told, POLICY) if each.method]


def test_an_operation_of_another_server_is_compared_where_it_is() -> None:
    """As `scopeware routes` reads it."""
    here = [{"url": "https://other.example/api"}]
    made = document({"/user": {"get": FINE | {"servers": here}}, "/users/me": {"servers": here, "get": dict(FINE)}})
    told = annotate(made, POLICY)["paths"]
    assert told["/user"]["get"].get("x-required-scopes") == [["read:user"]]
    assert told["/users/me"]["get"].get("x-required-scopes") == [["read:misc"]]


@pytest.mark.parametrize("path", ["/api/a//b", "/api/a?b=c"])
def test_a_path_that_no_request_has_is_one_difference(path: str) -> None:
    """The others are compared all the same."""
    found = differences(document({path: {"get": FINE}, "/api/user": {"get": FINE}}))
    assert [each for each in found if each.startswith(f"GET {path}: ")]
    assert [each for each in found if each.startswith("GET /api/user: ")]


def test_what_stands_before_the_paths_may_be_said() -> None:
    """However it is written."""
    for base in ("/api", "/api/", "api"):
        told = annotate(document({"/user": {"get": FINE}}), POLICY, base=base)
        assert told["paths"]["/user"]["get"].get("x-required-scopes") == [["read:user"]], base
        assert not [each for each in compare(told, POLICY, base=base) if each.method]
