"""OpenAPI documents that say what their operations need: what is said, of which, and that the gate does so."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopeware import Policy, Scopeware, TokenStore, req_scopes, req_token
from scopeware.errors import ConfigurationError
from scopeware.introspect.openapi import annotate

ROOT = Path(__file__).resolve().parents[2]
RULES = """
[policy]
prefix = "/api"

[[group]]
path = "/user"
scopes = ["user"]

[[group]]
path = "/both"
scopes = ["user", "issue"]

[[group]]
path = "/either"
any_of = [["read:issue"], ["read:package", "read:misc"]]

[[group]]
path = "/anyone"
scopes = []

[[group]]
path = "/open"
scopes = []
require_token = false

[[group]]
path = "/optional"
scopes = ["misc"]
require_token = false

[[group]]
path = "/tokens-only"
scopes = []
accept = "token"

[[group]]
path = "/sessions-only"
scopes = []
accept = "session"

[[group]]
path = "/number/<int:id>"
scopes = ["issue"]

[[group]]
path = "/fraction/<float:id>"
scopes = ["issue"]

[[group]]
path = "/uuid/<uuid:id>"
scopes = ["issue"]

[[group]]
path = "/choice/<any(issues, labels):part>"
scopes = ["issue"]

[[group]]
path = "/text/<id>/file.<ext>"
scopes = ["issue"]

[[group]]
path = "/größe"
scopes = ["issue"]
"""
POLICY = Policy.loads(RULES)
VERSIONS = ("2.0", "3.0.3", "3.1.0")
NEEDED = {"description": "A token is needed."}
FINE = {"200": {"description": "Fine"}}


def operation(**more: Any) -> dict[str, Any]:
    """A small one, as a framework makes it."""
    return {"summary": "One", "responses": copy.deepcopy(FINE)} | more


def document(paths: dict[str, Any], version: str = "3.1.0", **more: Any) -> dict[str, Any]:
    """A document of a version, whose paths stand below ``/api``."""
    head: dict[str, Any] = {"openapi": version, "servers": [{"url": "https://server.example/api"}]}
    if version == "2.0":
        head = {"swagger": version, "basePath": "/api"}
    return {**head, "info": {"title": "Things", "version": "1"}, "paths": paths} | more


def annotated(path: str, method: str = "get", *, version: str = "3.1.0", policy: Policy = POLICY, **more: Any) -> Any:
    """What is said of one operation."""
    made = annotate(document({path: {method: operation()}}, version), policy, **more)
    return made["paths"][path][method]


def outcome(asked: Any) -> dict[str, Any] | ConfigurationError:
    """The document annotated, or what it is refused with; anything else that is raised gets through."""
    try:
        return annotate(asked, POLICY)
    except ConfigurationError as error:
        return error


@pytest.fixture
def valid() -> Callable[[dict[str, Any]], None]:
    """Fails where a document is none, by its own version's schema."""
    validator = pytest.importorskip("openapi_spec_validator")
    return lambda made: validator.validate(json.loads(json.dumps(made)))


# -- what an operation says


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("method", "word"), [("get", "read:user"), ("post", "write:user")])
def test_an_operation_says_what_it_needs(version: str, method: str, word: str) -> None:
    """By its method; the scopes stand in `security` where the version has a place for them, and always beside it."""
    assert annotated("/user", method, version=version) == {
        "summary": "One",
        "security": [{"token": [word] if version == "3.1.0" else []}],
        "x-required-scopes": [[word]],
        "responses": {
            "200": {"description": "Fine"},
            "401": {"description": "A token is needed."},
            "403": {"description": f"The token needs `{word}`."},
        },
    }


def test_all_scopes_of_a_list_are_needed() -> None:
    """One entry with all of them."""
    told = annotated("/both")
    assert told["security"] == [{"token": ["read:issue", "read:user"]}]
    assert told["x-required-scopes"] == [["read:issue", "read:user"]]
    assert told["responses"]["403"] == {"description": "The token needs `read:issue` and `read:user`."}


@pytest.mark.parametrize(
    ("version", "security"),
    [
        pytest.param("3.1.0", [{"token": ["read:issue"]}, {"token": ["read:misc", "read:package"]}], id="3.1"),
        pytest.param("3.0.3", [{"token": []}], id="3.0"),
        pytest.param("2.0", [{"token": []}], id="2.0"),
    ],
)
def test_one_of_several_lists_is_enough(version: str, security: list[Any]) -> None:
    """An entry each, and each once."""
    told = annotated("/either", version=version)
    assert told["security"] == security
    assert told["x-required-scopes"] == [["read:issue"], ["read:misc", "read:package"]]
    assert told["responses"]["403"]["description"] == "The token needs `read:issue` or `read:misc` and `read:package`."


NOTHING = ({"token": []}, NEEDED, {"description": "The token may not be used here."})


@pytest.mark.parametrize(
    ("path", "security", "denied", "forbidden", "scopes"),
    [
        pytest.param("/anyone", [{"token": []}], *NOTHING[1:], None, id="any token"),
        pytest.param("/tokens-only", [{"token": []}], *NOTHING[1:], None, id="tokens only"),
        pytest.param("/nowhere", [{"token": []}], *NOTHING[1:], None, id="what no rule covers"),
        pytest.param("/open", [], None, None, None, id="public"),
        pytest.param(
            "/optional",
            [{}, {"token": ["read:misc"]}],
            {"description": "The token does not work."},
            {"description": "The token needs `read:misc`."},
            [["read:misc"]],
            id="without a token, or with one that is enough",
        ),
        pytest.param(
            "/sessions-only",
            [{"session": []}],
            {"description": "Sign in, in a browser."},
            None,
            None,
            id="no token will do",
        ),
    ],
)
def test_whether_a_token_is_needed_is_said(path: str, security: Any, denied: Any, forbidden: Any, scopes: Any) -> None:
    """`{}` in the list is nobody in particular, and an empty list everybody (OpenAPI 3.1 4.8.10)."""
    told = annotated(path)
    assert told["security"] == security
    assert (told["responses"].get("401"), told["responses"].get("403")) == (denied, forbidden)
    assert told.get("x-required-scopes") == scopes


def test_every_method_of_a_path_is_told_and_nothing_else() -> None:
    """What else stands there is no operation."""
    methods = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
    more = {"summary": "All", "description": "x", "servers": [], "parameters": [], "x-get": operation()}
    made = annotate(document({"/user": {method: operation() for method in methods} | more}), POLICY)
    item = made["paths"]["/user"]
    reading = {"get", "head", "options"}
    assert {method: item[method]["x-required-scopes"] for method in methods} == {
        method: [["read:user" if method in reading else "write:user"]] for method in methods
    }
    assert {key: item[key] for key in more} == more


@pytest.mark.parametrize("more", [{}, {"security": [{"mine": []}]}, {"x-required-scopes": "mine"}])
def test_outside_of_the_prefix_an_operation_is_left_as_it_is(more: dict[str, Any]) -> None:
    """The gate does not ask there."""
    paths = {"/user": {"get": operation(**more)}}
    away = annotate(document(paths, servers=[{"url": "/elsewhere"}]), POLICY)
    assert away["paths"] == paths
    assert annotate(document(paths), POLICY)["paths"]["/user"]["get"]["x-required-scopes"] == [["read:user"]]


@pytest.mark.parametrize("there", [[], [{"cookie": []}], [{"token": ["old"]}, {}], None, "x"])
def test_what_was_said_of_security_before_is_replaced(there: Any) -> None:
    """In what the policy covers the policy knows."""
    for path in ("/user", "/open", "/sessions-only", "/optional"):
        made = annotate(document({path: {"get": operation(security=there)}}), POLICY)
        assert made["paths"][path]["get"] == annotated(path)


def test_scopes_that_are_no_longer_needed_are_taken_back() -> None:
    """Also what another tool wrote under that name."""
    made = annotate(document({"/open": {"get": operation(**{"x-required-scopes": [["old"]]})}}), POLICY)
    assert "x-required-scopes" not in made["paths"]["/open"]["get"]


# -- answers


@pytest.mark.parametrize(
    "mine",
    [
        pytest.param({"description": "Mine", "content": {}}, id="with a body"),
        pytest.param({"$ref": "#/components/responses/Denied"}, id="a reference"),
        pytest.param({}, id="empty"),
        pytest.param({"description": "The token needs more, see below"}, id="almost our words"),
    ],
)
def test_answers_that_are_described_already_stay(mine: dict[str, Any]) -> None:
    """The document knows its own; what is lacking is added."""
    for code, other in (("401", "403"), ("403", "401")):
        paths = {"/user": {"get": operation(responses={code: mine})}}
        answers = annotate(document(paths), POLICY)["paths"]["/user"]["get"]["responses"]
        assert answers[code] == mine
        assert set(answers) == {code, other}


def test_answers_of_a_document_from_yaml_are_found() -> None:
    """There `401:` without quotes is a number; written as JSON, the document would have both."""
    mine = {"description": "Mine"}
    paths = {"/user": {"get": operation(responses={200: mine, 401: mine, 403: mine})}}
    answers = annotate(document(paths), POLICY)["paths"]["/user"]["get"]["responses"]
    assert sorted(map(str, answers)) == ["200", "401", "403"]
    assert list(answers.values()) == [mine] * 3


def test_an_operation_without_answers_gets_them() -> None:
    """Some tools leave them out; a public one needs none."""
    made = annotate(document({"/user": {"get": {}}, "/open": {"get": {}}}), POLICY)["paths"]
    assert set(made["/user"]["get"]["responses"]) == {"401", "403"}
    assert made["/open"]["get"] == {"security": []}


# -- sessions


def test_sessions_are_a_cookie_unless_it_is_said_what_they_are() -> None:
    """The scheme is declared where an operation names it."""
    asked = document({"/sessions-only": {"get": operation()}})
    schemes = annotate(asked, POLICY)["components"]["securitySchemes"]
    assert (schemes["session"]["type"], schemes["session"]["in"]) == ("apiKey", "cookie")
    mine = {"type": "openIdConnect", "openIdConnectUrl": "https://id.example/"}
    assert annotate(asked, POLICY, session=mine)["components"]["securitySchemes"]["session"] == mine
    assert mine == {"type": "openIdConnect", "openIdConnectUrl": "https://id.example/"}


def test_where_no_operation_is_for_sessions_alone_they_are_not_declared() -> None:
    """It may be that there are none."""
    assert set(annotate(document({"/user": {"get": operation()}}), POLICY)["components"]["securitySchemes"]) == {
        "token"
    }


def test_a_version_without_cookies_gets_a_header() -> None:
    """2.0 knows keys in headers and queries only; another scheme is taken as it is."""
    asked = document({"/sessions-only": {"get": operation()}}, "2.0")
    made = annotate(asked, POLICY)["securityDefinitions"]["session"]
    assert (made["type"], made["in"], made["name"]) == ("apiKey", "header", "Cookie")
    assert annotate(asked, POLICY, session={"type": "basic"})["securityDefinitions"]["session"] == {"type": "basic"}


def test_a_session_may_be_optional() -> None:
    """Then nobody in particular will do, too."""
    policy = Policy.loads('[[group]]\npath = "/x"\nscopes = []\naccept = "session"\nrequire_token = false')
    assert annotated("/x", policy=policy, base="")["security"] == [{}, {"session": []}]


@pytest.mark.parametrize("path", ["/user", "/anyone", "/open"])
def test_where_no_token_will_do_no_token_is_said_to_need_anything(path: str) -> None:
    """It is refused, whatever it has."""
    told = annotated(path, views={("GET", path): req_token(accept="session")(lambda: None)})
    assert told["security"] == [{"session": []}]
    assert "The token needs" not in json.dumps(told)


# -- schemes


@pytest.mark.parametrize("version", VERSIONS)
def test_the_scheme_is_declared_with_every_scope(version: str) -> None:
    """What each is about stands there for people."""
    made = annotate(document({}, version), POLICY)
    schemes = made["securityDefinitions"] if version == "2.0" else made["components"]["securitySchemes"]
    scheme = schemes["token"]
    assert list(scheme["x-scopes"]) == list(POLICY.vocabulary.scopes)
    assert scheme["x-scopes"]["read:issue"] == "Issues, labels, milestones, comments, tracked time"
    kind = {key: scheme.get(key) for key in ("type", "scheme", "in", "name")}
    bearer = {"type": "http", "scheme": "bearer", "in": None, "name": None}
    header = {"type": "apiKey", "scheme": None, "in": "header", "name": "Authorization"}
    assert kind == (header if version == "2.0" else bearer)


def test_other_schemes_and_components_stay() -> None:
    """Only ours is added."""
    there = {"schemas": {"Thing": {}}, "securitySchemes": {"mine": {"type": "http", "scheme": "basic"}}}
    made = annotate(document({}, components=there), POLICY)["components"]
    assert made["schemas"] == there["schemas"]
    assert made["securitySchemes"]["mine"] == there["securitySchemes"]["mine"]
    assert set(made["securitySchemes"]) == {"mine", "token"}


def test_a_scheme_of_the_documents_own_called_session_is_what_sessions_are() -> None:
    """It knows better; but what is said in the call goes before."""
    mine = {"type": "apiKey", "in": "cookie", "name": "sid"}
    paths = {"/sessions-only": {"get": operation()}}
    asked = document(paths, components={"securitySchemes": {"session": mine}})
    assert annotate(asked, POLICY)["components"]["securitySchemes"]["session"] == mine
    told = {"type": "http", "scheme": "basic"}
    assert annotate(asked, POLICY, session=told)["components"]["securitySchemes"]["session"] == told


def test_a_scheme_of_the_documents_own_called_token_does_not_get_lost() -> None:
    """Operations elsewhere name it: it stays, or that there is no room for ours is told."""
    mine = {"type": "apiKey", "in": "query", "name": "token"}
    asked = document({"/user": {"get": operation()}}, components={"securitySchemes": {"token": mine}})
    made = outcome(asked)
    if isinstance(made, ConfigurationError):
        assert "token" in str(made)
    else:
        assert made["components"]["securitySchemes"]["token"] == mine


# -- where the paths stand


@pytest.mark.parametrize(
    ("head", "base", "covered"),
    [
        pytest.param({"openapi": "3.1.0", "servers": [{"url": "https://a.example/api"}]}, None, True, id="a server"),
        pytest.param({"openapi": "3.1.0", "servers": [{"url": "https://a.example/api/"}]}, None, True, id="a slash"),
        pytest.param({"openapi": "3.1.0", "servers": [{"url": "/api"}]}, None, True, id="a path"),
        pytest.param({"openapi": "3.1.0", "servers": [{"url": "//a.example/api"}]}, None, True, id="no scheme"),
        pytest.param({"openapi": "3.1.0", "servers": [{"url": "/api"}, {"url": "/x"}]}, None, True, id="the first"),
        pytest.param({"openapi": "3.1.0", "servers": [{"url": "/x"}, {"url": "/api"}]}, None, False, id="the second"),
        pytest.param({"openapi": "3.1.0", "servers": [{"url": "https://a.example"}]}, None, False, id="a host alone"),
        pytest.param({"openapi": "3.1.0", "servers": []}, None, False, id="an empty list"),
        pytest.param({"openapi": "3.1.0"}, None, False, id="no server"),
        pytest.param({"openapi": "3.1.0"}, "/api", True, id="said in the call"),
        pytest.param({"openapi": "3.1.0"}, "/api/", True, id="said with a slash"),
        pytest.param({"openapi": "3.1.0", "servers": [{"url": "/x"}]}, "/api", True, id="the call goes before"),
        pytest.param({"openapi": "3.1.0", "servers": [{"url": "/api"}]}, "", False, id="also with nothing"),
        pytest.param({"swagger": "2.0", "basePath": "/api"}, None, True, id="basePath"),
        pytest.param({"swagger": "2.0", "basePath": "/api/"}, None, True, id="basePath with a slash"),
        pytest.param({"swagger": "2.0", "basePath": "/"}, None, False, id="basePath is the root"),
        pytest.param({"swagger": "2.0"}, None, False, id="no basePath"),
        pytest.param({"swagger": "2.0", "servers": [{"url": "/api"}]}, None, False, id="2.0 knows no servers"),
        pytest.param(
            {
                "openapi": "3.0.3",
                "servers": [
                    {"url": "https://{host}:{port}/{base}", "variables": {"base": {"default": "api"}}},
                ],
            },
            None,
            True,
            id="a server with variables",
        ),
        pytest.param(
            {"openapi": "3.0.3", "servers": [{"url": "{base}", "variables": {"base": {"default": "/api"}}}]},
            None,
            True,
            id="a server that is a variable",
        ),
    ],
)
def test_paths_stand_below_what_the_document_says(head: dict[str, Any], base: str | None, covered: bool) -> None:
    """Or the call; a variable of a server stands for its default (OpenAPI 3.1 4.8.6)."""
    asked = head | {"info": {}, "paths": {"/user": {"get": operation()}}}
    told = annotate(asked, POLICY, base=base)["paths"]["/user"]["get"]
    assert ("security" in told) is covered


def test_the_paths_of_a_policy_without_a_prefix_need_no_base() -> None:
    """They are the document's."""
    policy = Policy.loads('[[group]]\npath = "/user"\nscopes = ["user"]')
    for asked in ({"openapi": "3.0.0"}, {"swagger": "2.0"}):
        made = annotate(asked | {"paths": {"/user": {"get": operation()}}}, policy)
        assert made["paths"]["/user"]["get"]["x-required-scopes"] == [["read:user"]]


@pytest.mark.parametrize("base", ["", "/", "/api", "/z"])
def test_extensions_among_the_paths_are_no_paths(base: str) -> None:
    """Whatever stands in them (`x-...`, OpenAPI 3.1 4.8.8)."""
    policy = Policy.loads('[[group]]\npath = "/user"\nscopes = ["user"]')
    paths = {"x-made-by": {"get": operation()}}
    assert annotate(document(paths, servers=[{"url": base}]), policy)["paths"] == paths


# -- variables in paths


def parameter(name: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema}


INTEGER = parameter("id", type="integer")
UUID = parameter("id", type="string", format="uuid")


@pytest.mark.parametrize(
    ("path", "shared", "own"),
    [
        pytest.param("/number/{id}", [], [INTEGER], id="a whole number"),
        pytest.param("/number/{id}", [INTEGER], [], id="said of the path"),
        pytest.param("/number/{id}", [parameter("id", type="string")], [INTEGER], id="said of both"),
        pytest.param("/number/{id}", [{"$ref": "#/components/parameters/page"}], [INTEGER], id="beside a reference"),
        pytest.param("/number/{id}", [], [parameter("id", type="integer", format="int64")], id="a long one"),
        pytest.param("/number/{id}", [], [parameter("id", type=["integer", "null"])], id="a list of types, as in 3.1"),
        pytest.param("/number/{id}", [], [parameter("id", enum=[7, 8])], id="one of some numbers"),
        pytest.param(
            "/number/{id}",
            [],
            [INTEGER, {"name": "id", "in": "query", "schema": {"type": "string"}}],
            id="two of a name",
        ),
        pytest.param("/number/{id}", [], [{"name": "id", "in": "path", "type": "integer"}], id="as 2.0 says it"),
        pytest.param("/fraction/{id}", [], [parameter("id", type="number")], id="a number"),
        pytest.param("/uuid/{id}", [], [UUID], id="a UUID"),
        pytest.param("/uuid/{id}", [], [{"name": "id", "in": "path", "format": "uuid"}], id="a UUID, as 2.0 says it"),
        pytest.param("/choice/{part}", [], [parameter("part", enum=["labels"])], id="one of some words"),
        pytest.param("/text/{id}/file.{ext}", [], [], id="any text, two in a path, nothing said of them"),
        pytest.param("/text/{id:[a-z]+}/file.{e.x-t*}", [], [], id="odd names"),
        pytest.param("/text/{größe}/file.{ext}", [], [parameter("größe", type="string")], id="other letters"),
        pytest.param("/größe", [], [], id="a path of other letters"),
    ],
)
def test_a_path_with_variables_is_one_that_it_stands_for(path: str, shared: list[Any], own: list[Any]) -> None:
    """So that the rule decides which would decide about a request."""
    made = annotate(document({path: {"parameters": shared, "get": operation(parameters=own)}}), POLICY)
    assert made["paths"][path]["get"].get("x-required-scopes") == [["read:issue"]]
    assert made["paths"][path]["get"]["parameters"] == own


@pytest.mark.parametrize(
    ("path", "own"),
    [
        pytest.param("/number/{id}", [parameter("id", type="string")], id="text for a number"),
        pytest.param("/number/{id}", [parameter("other", type="integer")], id="a number of another name"),
        pytest.param("/number/{id}", [], id="nothing said of it"),
        pytest.param("/uuid/{id}", [INTEGER], id="a number for a UUID"),
        pytest.param("/choice/{part}", [parameter("part", enum=["hooks"])], id="another word"),
    ],
)
def test_a_path_that_the_rule_does_not_cover_is_not_covered(path: str, own: list[Any]) -> None:
    """Such a request would be refused by the gate."""
    made = annotate(document({path: {"get": operation(parameters=own)}}), POLICY)
    assert made["paths"][path]["get"]["security"] == [{"token": []}]
    assert "x-required-scopes" not in made["paths"][path]["get"]


@pytest.mark.parametrize(
    "path", ["/user?page=1", "/user#fragment", "/../user", "//user", "/us\\er", "user", "/user/\x00"]
)
def test_a_path_that_has_no_one_reading_is_left_as_it_is(path: str) -> None:
    """The gate refuses such requests, whatever they carry."""
    paths = {path: {"get": operation()}}
    assert annotate(document(paths), POLICY)["paths"] == paths


# -- guards of views


@req_token
def signed_in() -> None: ...


@req_token(accept="session")
def session_only() -> None: ...


@req_scopes("read:issue")
def reader() -> None: ...


@req_scopes("read:issue", optional=True)
def perhaps() -> None: ...


@req_token
@req_scopes("write:issue", "read:misc", optional=True)
def both() -> None: ...


@pytest.mark.parametrize(
    ("path", "view", "security", "scopes"),
    [
        pytest.param("/anyone", None, [{"token": []}], None, id="no view"),
        pytest.param("/anyone", len, [{"token": []}], None, id="a view without a guard"),
        pytest.param("/anyone", reader, [{"token": ["read:issue"]}], [["read:issue"]], id="any token, a reader"),
        pytest.param(
            "/user", reader, [{"token": ["read:issue", "read:user"]}], [["read:issue", "read:user"]], id="both"
        ),
        pytest.param(
            "/either",
            reader,
            [{"token": ["read:issue"]}, {"token": ["read:issue", "read:misc", "read:package"]}],
            [["read:issue"], ["read:issue", "read:misc", "read:package"]],
            id="in each alternative",
        ),
        pytest.param("/open", signed_in, [{"token": []}], None, id="public, but signed in"),
        pytest.param("/open", reader, [{"token": ["read:issue"]}], [["read:issue"]], id="public, but a reader"),
        pytest.param("/open", perhaps, [{}, {"token": ["read:issue"]}], [["read:issue"]], id="public, and optional"),
        pytest.param("/anyone", perhaps, [{"token": ["read:issue"]}], [["read:issue"]], id="required all the same"),
        pytest.param(
            "/open", both, [{"token": ["read:misc", "write:issue"]}], [["read:misc", "write:issue"]], id="two guards"
        ),
        pytest.param("/anyone", session_only, [{"session": []}], None, id="a session"),
        pytest.param("/nowhere", reader, [{"token": []}], None, id="where no rule lets anyone through"),
    ],
)
def test_the_guard_of_a_view_is_told_besides(path: str, view: Any, security: Any, scopes: Any) -> None:
    """Who calls it has to meet both."""
    told = annotated(path, views={} if view is None else {("GET", path): view})
    assert told["security"] == security
    assert told.get("x-required-scopes") == scopes


def test_a_guard_is_told_outside_of_the_prefix_too() -> None:
    """It works there."""
    told = annotated("/user", base="/elsewhere", views={("GET", "/user"): reader})
    assert told["security"] == [{"token": ["read:issue"]}]
    assert annotated("/user", base="/elsewhere", views={("GET", "/user"): len}) == operation()


def test_a_guard_is_told_of_its_own_method_and_path_only() -> None:
    """Views are named by both, the path as the document writes it."""
    views = {("GET", "/number/{id}"): reader}
    paths = {"/anyone": {"get": operation(), "post": operation()}, "/number/{id}": {"post": operation()}}
    assert annotate(document(paths), POLICY, views=views) == annotate(document(paths), POLICY)


# -- the document itself


def everything(version: str) -> dict[str, Any]:
    """A valid document with an operation of each kind."""
    plain = ("/user", "/both", "/either", "/anyone", "/open", "/optional", "/tokens-only", "/sessions-only", "/nowhere")
    paths: dict[str, Any] = {path: {"get": operation(), "post": operation()} for path in plain}
    said = {"name": "id", "in": "path", "required": True}
    said |= {"type": "integer"} if version == "2.0" else {"schema": {"type": "integer"}}
    paths["/number/{id}"] = {"parameters": [said], "get": operation(), "delete": operation()}
    return document(paths, version)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_comes_out_is_a_valid_document(version: str, valid: Callable[[dict[str, Any]], None]) -> None:
    """If it was one before: of its own version."""
    before = everything(version)
    valid(before)
    valid(annotate(before, POLICY, views={("GET", "/anyone"): reader}))


@pytest.mark.parametrize("version", VERSIONS)
def test_the_document_itself_is_not_changed(version: str) -> None:
    """Nor does it change when what was made of it does."""
    asked = everything(version)
    before = copy.deepcopy(asked)
    made = annotate(asked, POLICY)
    assert asked == before
    made["paths"]["/open"]["get"]["responses"]["200"]["description"] = "changed"
    made["info"]["title"] = "changed"
    assert asked == before
    assert annotate(MappingProxyType(asked), POLICY) == annotate(asked, POLICY)


@pytest.mark.parametrize("version", VERSIONS)
def test_to_do_it_again_changes_nothing(version: str) -> None:
    """Also from a file in between."""
    once = annotate(everything(version), POLICY)
    assert annotate(once, POLICY) == once
    assert annotate(json.loads(json.dumps(once)), POLICY) == once


KINDS = {
    "any token": "scopes = []",
    "a scope": 'scopes = ["user"]',
    "another scope": 'scopes = ["issue"]',
    "public": "scopes = []\nrequire_token = false",
    "optional": 'scopes = ["misc"]\nrequire_token = false',
    "session": 'scopes = []\naccept = "session"',
}


@pytest.mark.parametrize("after", KINDS)
@pytest.mark.parametrize("before", KINDS)
def test_a_policy_that_changes_is_told_anew(before: str, after: str) -> None:
    """What an older policy said does not stay: not in the answers, either."""
    old, new = (Policy.loads(f'[[group]]\npath = "/x"\n{KINDS[kind]}') for kind in (before, after))
    asked = document({"/x": {"get": operation()}}, servers=[])
    assert annotate(annotate(asked, old), new)["paths"] == annotate(asked, new)["paths"]


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({}, id="empty"),
        pytest.param({"paths": {}}, id="no version"),
        pytest.param({"openapi": "3.1.0"}, id="no paths"),
        pytest.param({"openapi": "3.1.0", "paths": None}, id="paths are nothing"),
        pytest.param({"openapi": "3.1.0", "paths": [{"/user": {}}]}, id="paths are a list"),
        pytest.param({"openapi": "4.0.0", "paths": {}}, id="a version to come"),
        pytest.param({"swagger": "1.2", "paths": {}}, id="an old version"),
        pytest.param({"openapi": True, "paths": {}}, id="a version that is none"),
        pytest.param({"openapi": ["3.1.0"], "paths": {}}, id="a list of versions"),
        pytest.param([], id="a list"),
        pytest.param([1], id="a list of numbers"),
        pytest.param("openapi: 3.1.0", id="text"),
        pytest.param(None, id="nothing"),
        pytest.param(5, id="a number"),
    ],
)
def test_what_is_no_document_is_told(odd: Any) -> None:
    """With what was expected."""
    with pytest.raises(
        ConfigurationError, match="expected an OpenAPI document with `openapi` or `swagger`, and `paths`"
    ):
        annotate(odd, POLICY)


@pytest.mark.parametrize("version", [3.0, 3.1, "3.0.0", "3.1.1"])
def test_a_version_may_be_a_number(version: Any) -> None:
    """As YAML reads `openapi: 3.1`."""
    made = annotate(document({"/user": {"get": operation()}}) | {"openapi": version}, POLICY)
    words = ["read:user"] if str(version).startswith("3.1") else []
    assert made["paths"]["/user"]["get"]["security"] == [{"token": words}]


@pytest.mark.parametrize(
    "paths",
    [
        pytest.param({}, id="none"),
        pytest.param({"/user": None}, id="nothing below a path"),
        pytest.param({"/user": [operation()]}, id="a list"),
        pytest.param({"/user": "get"}, id="text"),
        pytest.param({"/user": {"$ref": "#/x"}}, id="a reference"),
        pytest.param({"/user": {"get": None, "post": [], "put": "x", "delete": 5}}, id="operations that are none"),
        pytest.param({"/user": {"GET": operation()}}, id="a method in capital letters"),
        pytest.param({5: {"get": operation()}, None: {"get": operation()}}, id="paths that are no text"),
    ],
)
def test_what_is_no_operation_is_left_alone(paths: dict[Any, Any]) -> None:
    """It is not ours to judge."""
    assert annotate(document(paths), POLICY)["paths"] == paths


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda asked, get: asked.update(components=None), id="components: null"),
        pytest.param(lambda asked, get: asked.update(components=[]), id="components are a list"),
        pytest.param(lambda asked, get: asked.update(components={"securitySchemes": None}), id="schemes: null"),
        pytest.param(lambda asked, get: asked.update(components={"securitySchemes": []}), id="schemes are a list"),
        pytest.param(lambda asked, get: asked.update(servers=[{"url": "http://[/api"}]), id="a server without a host"),
        pytest.param(lambda asked, get: asked.update(servers=[None]), id="a server that is nothing"),
        pytest.param(lambda asked, get: asked.update(servers="/api"), id="a server that is text"),
        pytest.param(lambda asked, get: get.update(parameters=None), id="parameters: null"),
        pytest.param(lambda asked, get: get.update(parameters=5), id="parameters are a number"),
        pytest.param(lambda asked, get: get.update(parameters=[None, 5, "id", []]), id="parameters are anything"),
        pytest.param(lambda asked, get: get.update(parameters=[{"name": ["id"]}]), id="a name that is a list"),
        pytest.param(
            lambda asked, get: get.update(parameters=[parameter("id", enum={"a": 1})]), id="a table to choose"
        ),
        pytest.param(lambda asked, get: get.update(parameters=[parameter("id", enum=5)]), id="a number to choose"),
        pytest.param(lambda asked, get: get.update(parameters=[{"name": "id", "schema": None}]), id="schema: null"),
        pytest.param(lambda asked, get: get.update(parameters=[{"name": "id", "schema": []}]), id="schema is a list"),
        pytest.param(lambda asked, get: asked["paths"]["/number/{id}"].update(parameters=None), id="null for the path"),
        pytest.param(lambda asked, get: get.update(responses=None), id="responses: null"),
        pytest.param(lambda asked, get: get.update(responses=[]), id="responses are a list"),
        pytest.param(lambda asked, get: get.update(responses="200"), id="responses are text"),
        pytest.param(
            lambda asked, get: get.update(responses={"401": None, "403": None}), id="answers that are nothing"
        ),
        pytest.param(lambda asked, get: asked["paths"].update({"/\ud800": {"get": {}}}), id="a path that is no UTF-8"),
        pytest.param(
            lambda asked, get: asked["paths"].update({"//x": {"get": {"security": None}}}),
            id="security: null elsewhere",
        ),
    ],
)
def test_an_odd_document_is_left_alone_or_told(change: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
    """A line that says what is wrong, or the rest of the document annotated; never a traceback."""
    asked = document({"/number/{id}": {"get": operation(parameters=[INTEGER])}, "/user": {"get": operation()}})
    change(asked, asked["paths"]["/number/{id}"]["get"])
    made = outcome(asked)
    if isinstance(made, ConfigurationError):
        assert str(made).isprintable()
        assert len(str(made)) < 300
    else:
        assert set(made["paths"]) == set(asked["paths"])


ODD = st.sampled_from(
    [None, True, 5, 1.5, "", "x", "/api", "{id}", [], {}, [None], [[]], [{}], {"name": ["x"]}, {"$ref": "#/x"}, {5: 5}]
)


def places(node: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Every place in a document, as what holds it and under which key."""
    inside = list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
    for key, value in inside:
        found.append((node, key))
        places(value, found)
    return found


@given(data=st.data(), version=st.sampled_from(VERSIONS))
@settings(deadline=None)
def test_whatever_stands_in_a_document_it_is_annotated_or_refused(data: st.DataObject, version: str) -> None:
    """And not changed; what was annotated can be annotated again, and stays as it is."""
    asked = everything(version)
    asked["paths"]["/number/{id}"]["get"]["parameters"] = [copy.deepcopy(INTEGER)]
    asked |= {"components": {"securitySchemes": {}}, "securityDefinitions": {}}
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key = data.draw(st.sampled_from(places(asked, [])))
        holder[key] = copy.deepcopy(data.draw(ODD))
    before = copy.deepcopy(asked)
    made = outcome(asked)
    assert asked == before
    if not isinstance(made, ConfigurationError):
        assert annotate(made, POLICY) == made


# -- what it says, and what the gate does

PATHS = (
    "/user",
    "/users/x/orgs",
    "/users/x/mail",
    "/repos/x/y",
    "/repos/x/y/markdown",
    "/issues",
    "/packages",
    "/admin",
)
MORE_PATHS = ("/either", "/fixed", "/anyone", "/tokens-only", "/sessions-only", "/version", "/optional", "/nothing")


@pytest.mark.parametrize("method", ["get", "post", "delete"])
@pytest.mark.parametrize("path", [*PATHS, *MORE_PATHS])
def test_the_gate_does_as_the_document_says(
    gate: Scopeware, call: Any, issue: Any, store: TokenStore, policy: Policy, path: str, method: str
) -> None:
    """Each list of scopes suffices, none of them less; and nobody comes in without a token who should not."""
    store.add_owner("root", role="admin")
    made = annotate(document({path: {method: operation()}}, servers=[{"url": policy.prefix}]), policy)
    told = made["paths"][path][method]

    def answer(scopes: str | None) -> Any:
        headers = {} if scopes is None else {"authorization": f"Bearer {issue(scopes, owner='root')}"}
        return call(gate, method.upper(), f"{policy.prefix}{path}", **headers)

    nobody = answer(None)
    assert (nobody.status == 200) is (told["security"] == [] or {} in told["security"])
    assert nobody.status in (200, 401)
    useless = answer("read:activitypub")
    lists = told.get("x-required-scopes", [])
    if lists:
        assert useless.code == "insufficient_scope"
        assert sorted(map(sorted, useless.json.get("alternatives", [useless.json["required_scopes"]]))) == lists
    elif told["security"] == [{"session": []}]:
        assert useless.code == "session_required"
    elif path == "/nothing":
        assert useless.code == "unmatched"
    else:
        assert useless.status == 200
    for words in lists:
        assert answer(",".join(words)).status == 200
        for left_out in words:
            rest = [word for word in words if word != left_out]
            assert answer(",".join([*rest, "read:activitypub"])).code == "insufficient_scope"


OWN = """
[vocabulary]
spelling = "category:action"
actions = ["read_any", "read_own"]
own = { read_any = "read_own" }
methods = { "*" = ["read_any"] }
categories = { docker = "Containers" }
[[group]]
path = "/list"
scopes = ["docker"]
own = "filter"
[[group]]
path = "/docker/<name>"
scopes = ["docker"]
resource = "<name>"
[[group]]
path = "/all"
scopes = ["docker"]
"""


@pytest.mark.parametrize(
    ("path", "lists", "status"),
    [
        pytest.param("/list", [["docker:read_any"], ["docker:read_own"]], 200, id="the application shows one's own"),
        pytest.param("/docker/web", [["docker:read_any"]], 403, id="somebody else's"),
        pytest.param("/all", [["docker:read_any"]], 403, id="everybody's"),
    ],
)
def test_what_suffices_for_ones_own_is_told_where_it_always_lets_in(
    make_gate: Any, call: Any, store: TokenStore, path: str, lists: list[list[str]], status: int
) -> None:
    """Where it depends on whose it is, the document promises nothing."""
    policy = Policy.loads(OWN)
    gate = make_gate(policy=policy)
    assert annotated(path, policy=policy, base="")["x-required-scopes"] == lists
    for scope, expected in (("docker:read_own", status), ("docker:read_any", 200)):
        secret = store.issue(owner="alice", name=scope, scopes=scope).secret
        assert call(gate, "GET", path, authorization=f"Bearer {secret}").status == expected


def test_a_large_document_is_annotated_in_no_time() -> None:
    """The hundreds of routes of Gitea."""
    policy = Policy.load(ROOT / "examples" / "gitea" / "policy.toml")
    paths: dict[str, Any] = {}
    for row in json.loads((ROOT / "tests" / "data" / "gitea-routes.json").read_text("utf-8")):
        paths.setdefault(row["path"].removeprefix("/api/v1"), {})[row["method"].lower()] = operation()
    start = time.perf_counter()
    made = annotate(document(paths, servers=[{"url": "/api/v1"}]), policy)
    assert time.perf_counter() - start < 3
    told = made["paths"]["/repos/{username}/{reponame}/keys/{id}"]["delete"]
    assert told["x-required-scopes"] == [["write:repository"]]
    assert made["paths"]["/version"]["get"]["security"] == []
    assert all(
        "security" in each for item in made["paths"].values() for method, each in item.items() if method != "any"
    )
