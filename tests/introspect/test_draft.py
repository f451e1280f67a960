"""Drafted policies: they load, cover every route, ask for what the application says, and open nothing by mistake."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import flask
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from scopeware import Policy, req_scopes, req_token
from scopeware.errors import ConfigurationError
from scopeware.introspect import hints
from scopeware.introspect.coverage import methods_of, outside, requirement_at, uncovered
from scopeware.introspect.discover import discover
from scopeware.introspect.draft import draft, draft_more
from scopeware.introspect.endpoint import Declared, Discovery, Endpoint, Finder
from scopeware.introspect.tables import discover_document
from scopeware.policy import Requirement, sample
from scopeware.policy.segment import Kind

DATA = Path(__file__).resolve().parents[1] / "data"
READS = ("GET", "HEAD", "OPTIONS")
Row = dict[str, Any]

# What drawn paths are made of, and what may stand for each variable; the braces take a number.
LITERALS = ("issues", "orders", "me", "export", "version", "login", "v1", "größe")
VARIABLES = {
    "<x{}>": ("zz", "me"),
    "<int:n{}>": ("41",),
    "<any(issues, mine):k{}>": ("mine", "issues"),
    "<p{}>.<any(diff, patch):s{}>": ("zz.diff",),
    "<path:rest{}>": ("zz/yy", "export"),
}
METHODS = ((), ("GET",), ("GET",), ("POST",), ("DELETE",), ("GET", "POST"), ("PATCH", "PUT"), ("HEAD",), ("PROPFIND",))
FRONTS = ((), ("api",), ("api", "v1"), ("forge", "api"))
_NUMBERED = re.compile(r"(?<=[a-z])\d+>")
_VARIABLE = re.compile(r"<[^<>]*>")

drawn_words = st.lists(st.sampled_from(["issue", "order", "shop", "user"]), min_size=1, max_size=2, unique=True)
drawn_lists = st.lists(drawn_words.map(tuple), min_size=1, max_size=2, unique=True).map(tuple)
drawn_declared = st.one_of(
    st.none(),
    st.just(Declared(None, False)),
    st.builds(Declared, st.one_of(st.none(), drawn_lists), st.sampled_from([None, True, False])),
)


@st.composite
def discoveries(draw: st.DrawFn, plain: bool = False) -> Discovery:
    """Routes of all kinds, each method and path of them once.

    :param plain: whether each has as many segments as its path, and each of those is a literal or a variable.
    """
    segments = [*LITERALS, *(each for each in VARIABLES if not plain or "<p" not in each)]
    front = draw(st.sampled_from(FRONTS))
    found = Finder()
    taken: set[tuple[str, str]] = set()
    for _ in range(draw(st.integers(1, 8))):
        parts = draw(st.lists(st.sampled_from(segments), max_size=4))
        path = "/" + "/".join([*front, *(part.replace("{}", str(at)) for at, part in enumerate(parts))])
        methods = draw(st.sampled_from(METHODS))
        shape = _NUMBERED.sub(">", path)
        known = {method for other, method in taken if other == shape}
        asked = {"GET" if method == "HEAD" else method for method in methods} or {"*"}
        if asked & known or "*" in known or (known and not methods):
            continue
        taken |= {(shape, method) for method in asked}
        tags = draw(st.sampled_from([(), ("Orders",), ("issue_api",), ("me-bp",)]))
        open_ = not plain and draw(st.integers(0, 5)) == 5
        found.add(methods, path, tags=tags, declared=draw(drawn_declared), open=open_)
    return found.discovery()


unhurried = settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def paths_of(endpoint: Endpoint) -> Iterator[str]:
    """Paths that an endpoint stands for, one for each of what its variables may be."""
    parts = [
        VARIABLES.get(re.sub(r"(?<=[a-z])\d+(?=>)", "{}", part), (sample(part),))
        for part in endpoint.path.strip("/").split("/")
    ]
    for texts in itertools.product(*parts):
        yield "/" + "/".join(texts)


def answering(endpoints: Iterable[Endpoint], method: str, path: str) -> list[Endpoint]:
    """The endpoints that may get a request: those without variables first, as frameworks do; HEAD is GET."""
    asked = {method, "GET" if method == "HEAD" else "HEAD" if method == "GET" else method}
    fitting = [
        each
        for each in endpoints
        if each.pattern.matches(path.rstrip("/") or "/") and (not each.methods or asked & set(each.methods))
    ]
    return [each for each in fitting if "<" not in each.path and not each.open] or fitting


def requests_of(endpoints: tuple[Endpoint, ...]) -> Iterator[tuple[str, str, list[Endpoint]]]:
    """Requests that some endpoint answers, and which ones may."""
    for endpoint in endpoints:
        for path in paths_of(endpoint):
            for method in methods_of(endpoint):
                yield method, path, answering(endpoints, method, path)


def may_be_public(endpoint: Endpoint, method: str) -> bool:
    """Whether there is a reason for a route to be public: it is hinted at, or the application says so."""
    said = endpoint.declared
    if said is not None and said != Declared():
        return said.require_token is False
    if hints.seems_to_sign_in(endpoint):
        return True
    return hints.seems_public(endpoint) and method in READS


def wanted(lists: Iterable[Iterable[str]], method: str) -> set[frozenset[str]]:
    """The scopes for these categories, at the level of a method."""
    level = "read" if method in READS else "write"
    return {frozenset(f"{level}:{word}" for word in words) for words in lists}


def drafted(routes: Discovery, name: str = "shop:app") -> Policy:
    """The policy that is drafted for an application."""
    return Policy.loads(draft(routes, name).text)


def table(routes: dict[str, Row]) -> Discovery:
    """``{"GET /orders": {"categories": ["order"]}}`` as a table of routes."""
    rows = []
    for key, row in routes.items():
        methods, path = key.split(" ")
        rows.append({"method": methods, "methods": methods.split(","), "path": path, **row})
    return discover_document(rows, "table")


def served(*written: str, in_order: bool = False) -> Discovery:
    """``served("GET,POST /orders shop")``: methods, path and tag.

    :param in_order: whether the first route that fits answers.
    """
    made = []
    for number, each in enumerate(written, 1):
        methods, path, *tags = each.split(" ")
        listed = () if methods == "ANY" else tuple(methods.split(","))
        made.append(Endpoint(listed, path, name=f"v{number}", tags=tuple(tags), order=number if in_order else 0))
    return Discovery("table", tuple(sorted(made, key=lambda each: (each.path, each.methods))))


def needs(policy: Policy, request: str) -> Requirement:
    """What a request needs: ``needs(policy, "GET /orders")``."""
    method, path = request.split(" ")
    found = requirement_at(policy, method, path)
    assert found is not None
    return found


def lists(policy: Policy, request: str) -> set[frozenset[str]]:
    """The scopes that a request needs, all of one of these sets."""
    return {frozenset(words) for words in needs(policy, request).scope_lists()}


def is_public(requirement: Requirement) -> bool:
    """Whether whoever sends no token passes."""
    return not requirement.require_token and not requirement.unmatched


OTHERS: dict[str, Row] = {"GET /api/users": {}, "GET /api/articles": {}}
"""Two routes that have nothing to do with the rest."""


# -- any application


@unhurried
@given(discoveries())
def test_a_draft_loads_and_covers_every_route(routes: Discovery) -> None:
    """Whatever the routes are, the text is a policy, and no route is left out or outside of its prefix."""
    policy = drafted(routes)
    assert uncovered(policy, routes.endpoints) == []
    assert outside(policy, routes.endpoints) == []


@unhurried
@given(discoveries())
def test_a_draft_covers_every_path_of_every_route(routes: Discovery) -> None:
    """A path that is another route's, too, is covered by either."""
    policy = drafted(routes)
    for method, path, _ in requests_of(routes.endpoints):
        assert needs(policy, f"{method} {path}").group, (method, path)


@settings(unhurried, max_examples=300)
@given(discoveries())
def test_nothing_is_public_without_a_reason(routes: Discovery) -> None:
    """A request passes without a token only if a route that may answer it is hinted at, or declared, as public."""
    policy = drafted(routes)
    for method, path, routes_there in requests_of(routes.endpoints):
        if is_public(needs(policy, f"{method} {path}")):
            assert any(may_be_public(each, method) for each in routes_there), (method, path)


@unhurried
@given(discoveries())
def test_no_write_is_public_but_for_signing_in(routes: Discovery) -> None:
    """Also where the application's own table says so."""
    policy = drafted(routes)
    for method, path, routes_there in requests_of(routes.endpoints):
        if method in routes_there[0].writes and is_public(needs(policy, f"{method} {path}")):
            said = [each.declared is not None and not each.methods for each in routes_there]  # of every method
            assert any(said) or any(hints.seems_to_sign_in(each) for each in routes_there), (method, path)


@unhurried
@given(discoveries(plain=True))
def test_declared_categories_are_asked_for_exactly(routes: Discovery) -> None:
    """A route that says what it needs gets these words, each list, and no other, wherever it alone answers."""
    policy = drafted(routes)
    for method, path, routes_there in requests_of(routes.endpoints):
        declared = routes_there[0].declared
        reading = [
            each for each in routes.endpoints if "GET" in (each.methods or ("GET",)) and each.pattern.matches(path)
        ]
        if method == "HEAD" and reading and routes_there[0] not in reading:
            continue  # another route answers GET there, and a policy decides both alike
        if len(routes_there) == 1 and declared is not None and declared.alternatives is not None:
            assert lists(policy, f"{method} {path}") == wanted(declared.alternatives, method), (method, path)


@unhurried
@given(discoveries(plain=True), st.sampled_from(METHODS))
def test_a_route_of_the_future_is_refused(routes: Discovery, methods: tuple[str, ...]) -> None:
    """Where all paths have an API's prefix, a part of it that nobody knew of is covered by nothing."""
    policy = drafted(routes)
    path = f"{policy.prefix}/somethingnew"
    method = next(iter(methods), "GET")
    below = policy.prefix.count("/")
    assume(policy.prefix and all(each.pattern.segments[below:] for each in routes.endpoints))
    assume(all(each.pattern.segments[below].kind is Kind.LITERAL for each in routes.endpoints))
    assert needs(policy, f"{method} {path}").unmatched


@unhurried
@given(discoveries(plain=True), st.data())
def test_more_routes_change_nothing_that_was_decided(routes: Discovery, data: st.DataObject) -> None:
    """All old lines stay in their order, new categories aside; the new routes are covered, the old as before."""
    kept = data.draw(st.lists(st.booleans(), min_size=len(routes.endpoints), max_size=len(routes.endpoints)))
    old = tuple(itertools.compress(routes.endpoints, kept))
    assume(old)
    text = draft(Discovery("table", old), "shop:app").text
    before = Policy.loads(text)
    new = tuple(each for each in routes.endpoints if each not in outside(before, routes.endpoints))
    try:
        more = draft_more(text, before, Discovery("table", new))
    except ConfigurationError:
        return
    if more is None:
        assert uncovered(before, new) == []
        return
    left = text.splitlines()
    for line in more.text.splitlines():
        if left and line == left[0]:
            left.pop(0)
        elif left:
            assert re.fullmatch(r'[\w-]+ = ".*"', line)
    assert left == []
    after = Policy.loads(more.text)
    assert uncovered(after, new) == []
    for method, path, _ in requests_of(old):
        request = f"{method} {path}"
        mine, theirs = needs(before, request), needs(after, request)
        assert lists(before, request) == lists(after, request), request
        assert (mine.scope_free, mine.require_token) == (theirs.scope_free, theirs.require_token), request
    unknown = f"{before.prefix}/somethingnew"
    if needs(before, f"GET {unknown}").unmatched and not any(each.pattern.below for each in new):
        assert needs(after, f"GET {unknown}").unmatched or any(each.pattern.matches(unknown) for each in new)


EVIL = '\n[[group]]\npath = "/evil"\nscopes = []\nrequire_token = false\n#'


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30), st.sampled_from(["get", "delete"]))
@example(name=EVIL, doc=EVIL, app=EVIL, verb="get")
def test_no_name_and_no_description_is_read_as_a_rule(name: str, doc: str, app: str, verb: str) -> None:
    """Whatever they are, the groups are the same."""
    routes = Finder()
    routes.add(("POST",), "/api/orders", name=f"get_it{name}")
    routes.add(("GET",), "/api/orders/<x>", name=f"{verb}_it{name}", doc=f"{verb} {doc}")
    routes.add(("GET",), "/api/users", doc=doc)
    policy = drafted(routes.discovery(), app)
    assert {group.path for group in policy.groups} == {"/orders", "/users"}


# -- two real ones


def rows_of(name: str) -> list[Row]:
    """The rows of a route table that ships with the tests."""
    rows: list[Row] = json.loads((DATA / f"{name}-routes.json").read_text("utf-8"))
    return rows


@pytest.fixture(scope="module", params=[("gitea", 30), ("timetracker", 60)], ids=["gitea", "timetracker"])
def real(request: pytest.FixtureRequest) -> tuple[str, int, Policy, Discovery]:
    """A table's name, how many groups are enough for it, the drafted policy, and the routes."""
    name, most = request.param
    routes = discover_document(rows_of(name), name)
    return name, most, drafted(routes), routes


def paths_in(name: str) -> Iterator[tuple[Row, str]]:
    """The rows of a table, each with a path that it stands for."""
    for row in rows_of(name):
        yield row, sample(row["path"].replace("?/", "/api/v1/", 1) if row["path"][0] == "?" else row["path"])


def test_every_row_of_a_real_table_needs_its_categories(real: tuple[str, int, Policy, Discovery]) -> None:
    """Each list of them, at the level of the method; a scope that is for administrators alone is for nobody else."""
    name, _, policy, _ = real
    wrong = []
    for row, path in paths_in(name):
        method = "GET" if row["method"] == "ANY" else row["method"]
        said = [[word] for word in row["any_of"]] if "any_of" in row else [row["categories"]]
        words = {frozenset(each.removeprefix("read:").removeprefix("write:") for each in one) for one in said}
        found = needs(policy, f"{method} {path}")
        got = {frozenset(word.partition(":")[2] for word in one) for one in found.scope_lists()}
        if "any_of" in row and row["any_of"] == ["admin:all"]:
            continue
        if got != {one for one in words if one}:
            wrong.append((method, row["path"], words, got))
    assert wrong == []


def test_every_row_of_a_real_table_needs_a_token_or_not(real: tuple[str, int, Policy, Discovery]) -> None:
    """As the table says, but writes always take one, signing in aside."""
    name, _, policy, _ = real
    wrong = []
    for row, path in paths_in(name):
        method = "GET" if row["method"] == "ANY" else row["method"]
        takes = row["req_token"] or row.get("basic_auth_only") or (method not in READS and not path.endswith("/login"))
        if needs(policy, f"{method} {path}").require_token is not bool(takes):
            wrong.append((row["method"], row["path"]))
    assert wrong == []


def test_what_is_for_administrators_is_not_open_to_the_scopes_of_others() -> None:
    """Routes that declare `admin:all`, which is no category, share no category with routes that do not."""
    policy = drafted(discover_document(rows_of("timetracker"), "timetracker"))
    theirs: set[str] = set()
    others: set[str] = set()
    for row, path in paths_in("timetracker"):
        words = {word for one in needs(policy, f"{row['method']} {path}").scope_lists() for word in one}
        (theirs if row["any_of"] == ["admin:all"] else others).update(words)
    assert theirs
    assert theirs & others == set()


def test_the_groups_of_a_real_table_are_few(real: tuple[str, int, Policy, Discovery]) -> None:
    """A person is to read them."""
    name, most, policy, _ = real
    assert len(policy.groups) <= most, name


def test_a_new_part_of_a_real_application_is_refused(real: tuple[str, int, Policy, Discovery]) -> None:
    """No group covers what no route is there for."""
    for request in ("GET /api/v1/somethingnew", "POST /api/v1/somethingnew/x", "DELETE /api/v1"):
        assert needs(real[2], request).unmatched, request


# -- what has to be public, and what must not


@pytest.mark.parametrize(
    ("routes", "request_"),
    [
        pytest.param(
            {"GET /api/orders/<x>": {"req_token": False}, "GET /api/orders/export": {}, "POST /api/orders": {}},
            "GET /api/orders/export",
            id="a literal beside a variable that is declared public",
        ),
        pytest.param(
            {"GET /api/files/<path:p>": {"req_token": False}, "GET /api/files/keys/mine": {}, "GET /api/files": {}},
            "GET /api/files/keys/mine",
            id="a literal below a catch-all that is declared public",
        ),
        pytest.param({"POST /api/auth/login": {}}, "GET /api/auth/users", id="what lies beside a sign-in page"),
        pytest.param({"GET /api/version": {}}, "POST /api/version", id="writing where reading is harmless"),
        pytest.param({"POST /api/index/refresh": {}}, "POST /api/index/refresh", id="refreshing what is no session"),
        pytest.param({"POST /api/orders/callback": {}}, "POST /api/orders/callback", id="a callback of something else"),
        pytest.param({"DELETE /api/auth/login": {}}, "DELETE /api/auth/login", id="more than signing in"),
        pytest.param(
            {"GET /api/orders/version": {"req_token": True}}, "GET /api/orders/version", id="a version that takes one"
        ),
        pytest.param({"POST /api/orders": {"req_token": False}}, "POST /api/orders", id="a write declared public"),
        pytest.param({"GET /api/patients/<x>/health": {}}, "GET /api/patients/7/health", id="the health of somebody"),
        pytest.param({"GET /api/docs/<path:p>/version": {}}, "GET /api/docs/a/b/version", id="a version of a document"),
        pytest.param({"GET /api/private/ping": {}}, "GET /api/private/ping", id="what is called private"),
        pytest.param({"GET,PUT /api/version": {}}, "GET /api/version", id="a version that can be written"),
        pytest.param({"ANY /api/version": {}}, "GET /api/version", id="a version by any method"),
        pytest.param({"GET /assets": {}}, "GET /assets", id="assets that are no files"),
        pytest.param({"GET /assets/<int:n>/rights": {}}, "GET /assets/7/rights", id="a thing among assets"),
        pytest.param({"GET,PUT /assets/<path:p>": {}}, "GET /assets/a.js", id="files that can be written"),
        pytest.param({"GET /api/users/last-login": {}}, "GET /api/users/last-login", id="a word that ends in login"),
        pytest.param({"POST /api/users/disable-login": {}}, "POST /api/users/disable-login", id="no login any more"),
        pytest.param({"POST /api/settings/sso_login": {}}, "POST /api/settings/sso_login", id="a setting for logins"),
        pytest.param({"POST /api/users/<x>/sign-in": {}}, "POST /api/users/7/sign-in", id="signing in as somebody"),
        pytest.param({"ANY /api/auth/login": {}}, "PUT /api/auth/login", id="a sign-in by another method"),
        pytest.param({"POST /api/tokens/<x>/refresh": {}}, "POST /api/tokens/7/refresh", id="a token that goes on"),
        pytest.param(
            {"POST /api/security/scans/<x>/refresh": {}}, "POST /api/security/scans/7/refresh", id="a scan once more"
        ),
        pytest.param(
            {"POST /api/sessions/<x>/messages/callback": {}},
            "POST /api/sessions/7/messages/callback",
            id="a callback of a message",
        ),
        pytest.param(
            {"GET /api/docs/<book>/version": {"req_token": False}, "GET /api/docs/private/<name>": {}},
            "GET /api/docs/private/version",
            id="where one that is declared public crosses another",
        ),
    ],
)
def test_what_is_not_public(routes: dict[str, Row], request_: str) -> None:
    """Nothing but what is hinted at, or declared so and only reads, passes without a token."""
    assert not is_public(needs(drafted(table(OTHERS | routes)), request_))


@pytest.mark.parametrize(
    ("routes", "request_"),
    [
        pytest.param({"GET /api/version": {}}, "GET /api/version", id="a harmless read"),
        pytest.param({"POST /api/auth/login": {}}, "POST /api/auth/login", id="a sign-in"),
        pytest.param({"POST /api/security/refresh": {}}, "POST /api/security/refresh", id="a session that goes on"),
        pytest.param({"GET /assets/<path:p>": {}}, "GET /assets/js/a.js", id="files"),
    ],
)
def test_what_is_public(routes: dict[str, Row], request_: str) -> None:
    """What is hinted at, or declared so and only reads, passes without a token."""
    assert is_public(needs(drafted(table(OTHERS | routes)), request_))


def test_signing_in_where_every_method_is_taken_is_by_get_and_post() -> None:
    """As in plain Django views: the page is public, and nothing else that might be asked of it."""
    policy = drafted(table({"ANY /portal/login": {}, "GET /portal/users": {}, "ANY /portal/users/<id>/login": {}}))
    asked = ("GET /portal/login", "POST /portal/login", "DELETE /portal/login", "POST /portal/users/7/login")
    assert [is_public(needs(policy, each)) for each in asked] == [True, True, False, False]


def test_a_view_that_is_public_on_one_path_is_not_so_on_all() -> None:
    """That one view answers for the version and for the settings makes the settings no public page."""
    site = flask.Flask("shop", static_folder=None)
    views = {"both": lambda: "", "orders": lambda: ""}
    for path, name in (("/api/a/version", "both"), ("/api/settings", "both"), ("/api/orders", "orders")):
        site.add_url_rule(path, name, views[name])
    assert not is_public(needs(drafted(discover(site)), "GET /api/settings"))


def test_a_guarded_view_is_not_public_whatever_it_is_called() -> None:
    """A decorator that asks for a token is believed more than a path that looks like signing in."""
    site = flask.Flask("shop", static_folder=None)
    for path in ("/api/callback", "/api/orders", "/api/users"):
        site.add_url_rule(path, path, req_token(lambda: ""))
    policy = drafted(discover(site))
    assert not is_public(needs(policy, "GET /api/callback"))


# -- routes that share paths

USERS = (
    "GET,PUT /api/u/<name> people",
    "GET,POST /api/u/<name>/posts people",
    "GET,POST /api/u/<name>/friends people",
    "DELETE,GET /api/u/<name>/secrets staff",
    "GET /api/staff staff",
    "GET /api/u/<int:id> things",
    "GET /api/u/<int:id>/parts things",
    "GET /api/misc misc",
)
TENANTS = (
    "GET,PUT /api/<tenant> tenants",
    "GET,PUT /api/<tenant>/pages tenants",
    "DELETE,GET /api/<tenant>/admin staff",
    "GET /api/misc misc",
    *(f"GET,POST /api/{word}{more} shop" for word in ("carts", "prices", "items") for more in ("", "/<int:id>")),
)
TREES = (
    "GET,PUT /api/files/<path:p>/content files",
    "GET,PUT /api/files/<path:p>/meta files",
    "GET,PUT /api/files/<path:p>/permissions staff",
    "DELETE /api/files/<path:p>/purge staff",
    "GET /api/staff staff",
    "GET /api/misc misc",
)
LEAVES = ("GET,POST /api/orders orders", "GET /api/items items", "GET,DELETE /api/<path:rest> backend")
PAGES = (
    "GET /api/docs docs",
    "GET /api/docs/<page> docs",
    "GET /api/files files",
    "DELETE,GET /api/<path:p> staff",
    "GET /api/misc misc",
)
SECTIONS = (
    "GET,DELETE /api/<section>/<page> pages",
    "GET /api/v2/version about",
    "GET,DELETE /api/reports/<name> reports",
)
HOSTS = (
    *(f"DELETE,GET /api/orders {host}" for host in ("shop", "staff")),
    "GET /api/items shop",
    "GET /api/people staff",
    "GET /api/docs docs",
)


@pytest.mark.parametrize(
    ("routes", "request_", "scopes"),
    [
        pytest.param(USERS, "DELETE /api/u/bob/secrets", ["write:staff"], id="a variable"),
        pytest.param(USERS, "DELETE /api/u/7/secrets", ["write:staff"], id="a variable where numbers have a group"),
        pytest.param(USERS, "PUT /api/u/7", ["write:people"], id="a method that the numbers have not"),
        pytest.param(USERS, "GET /api/u/7/parts", ["read:things"], id="what only the numbers have"),
        pytest.param(TENANTS, "DELETE /api/acme/admin", ["write:staff"], id="a variable beside words"),
        pytest.param(TENANTS, "DELETE /api/carts/admin", ["write:staff"], id="a variable where words have a group"),
        pytest.param(TENANTS, "DELETE /api/prices/admin", ["write:staff"], id="each of the words"),
        pytest.param(TENANTS, "POST /api/items/7", ["write:shop"], id="what only the words have"),
        pytest.param(TREES, "PUT /api/files/a/b/permissions", ["write:staff"], id="one end of many segments"),
        pytest.param(TREES, "DELETE /api/files/a/b/purge", ["write:staff"], id="another end, by another method"),
        pytest.param(TREES, "PUT /api/files/a/b/meta", ["write:files"], id="the end that most have"),
        pytest.param(LEAVES, "DELETE /api/orders/7", ["write:backend"], id="below a leaf, where all the rest goes"),
        pytest.param(LEAVES, "GET /api/orders/7/x", ["read:backend"], id="deep below a leaf"),
        pytest.param(LEAVES, "DELETE /api/orders", ["write:backend"], id="a method that the leaf has not"),
        pytest.param(LEAVES, "POST /api/orders", ["write:orders"], id="the leaf itself"),
        pytest.param(PAGES, "DELETE /api/docs/intro", ["write:staff"], id="a method that the page has not"),
        pytest.param(PAGES, "GET /api/docs/intro/x", ["read:staff"], id="below a page"),
        pytest.param(PAGES, "GET /api/docs/intro", ["read:docs"], id="the page itself"),
        pytest.param(PAGES, "DELETE /api/files/x/y/z", ["write:staff"], id="deep below another leaf"),
        pytest.param(HOSTS, "DELETE /api/orders", ["write:shop", "write:staff"], id="one path on two hosts"),
    ],
)
def test_whatever_may_answer_is_asked_for(routes: tuple[str, ...], request_: str, scopes: list[str]) -> None:
    """A group that covers a route of another one has a rule for it."""
    assert lists(drafted(served(*routes)), request_) == {frozenset(scopes)}


@pytest.mark.parametrize(
    ("in_order", "request_", "scopes"),
    [
        pytest.param(True, "DELETE /api/reports/x", ["write:pages"], id="the first"),
        pytest.param(True, "GET /api/v2/version", ["read:pages"], id="the first, before a public one"),
        pytest.param(False, "DELETE /api/reports/x", ["write:reports"], id="the most specific"),
        pytest.param(False, "GET /api/v2/version", [], id="the most specific, which is public"),
    ],
)
def test_the_route_that_answers_decides(in_order: bool, request_: str, scopes: list[str]) -> None:
    """In some frameworks it is the first that fits."""
    policy = drafted(served(*SECTIONS, in_order=in_order))
    assert lists(policy, request_) == ({frozenset(scopes)} if scopes else set())
    assert is_public(needs(policy, request_)) is (not scopes)


def test_what_comes_first_is_not_public_because_of_what_comes_next() -> None:
    """A variable in front of the static files takes some of them."""
    routes = ("GET,POST /<tenant>/settings", "GET /static/<path:file>", "GET /<tenant>")
    policy = drafted(served(*routes, in_order=True))
    assert not is_public(needs(policy, "GET /static/settings"))
    assert not is_public(needs(policy, "POST /static/settings"))
    assert is_public(needs(policy, "GET /static/app.js"))
    assert is_public(needs(drafted(served(*routes)), "GET /static/app.js"))


def test_one_view_for_many_tables_needs_the_scope_of_each() -> None:
    """That the same thing answers does not make them the same."""
    found = Finder()
    tables = ("carts", "payroll", "prices", "salaries")
    for name in tables:
        found.add(("GET", "POST"), f"/api/{name}", name="crud", operation=1)
        found.add(("GET", "DELETE"), f"/api/{name}/<int:id>", name="crud", operation=1)
    policy = drafted(found.discovery())
    for name in tables:
        assert lists(policy, f"DELETE /api/{name}/7") == {frozenset((f"write:{name}",))}


@pytest.mark.parametrize(
    "routes",
    [
        pytest.param(("GET,PUT /<name> a", "GET /<org>/repos/<name> b", "GET /c c"), id="in another place"),
        pytest.param(("GET /u/<x>", "GET /u/<y>/<x>", "DELETE /u/<y>/<x>/parts/<z>"), id="further to the right"),
    ],
)
def test_two_variables_of_one_name_load(routes: tuple[str, ...]) -> None:
    """One that stands for another, as routes of the same shape do, is not there twice."""
    found = served(*routes)
    assert uncovered(drafted(found), found.endpoints) == []


def test_two_that_differ_in_a_slash_need_what_either_does() -> None:
    """A policy cannot tell them apart."""
    paths = {
        "/api/reports": {"get": {"security": []}},
        "/api/reports/": {"get": {"x-required-scopes": [["admin"]]}},
        "/api/orders": {"get": {"x-required-scopes": [["orders"]]}},
    }
    document = {"openapi": "3.1.0", "info": {}, "security": [{"token": []}], "paths": paths}
    policy = drafted(discover_document(document, "openapi"))
    assert not is_public(needs(policy, "GET /api/reports"))
    assert lists(policy, "GET /api/reports") == {frozenset(("read:admin",))}


# -- what is not known


@pytest.mark.parametrize(
    ("lost", "prefix"),
    [
        pytest.param((), "/api/v1", id="nothing"),
        pytest.param(("/api/v1/more",), "/api/v1", id="below the prefix"),
        pytest.param(("/api/v2",), "/api", id="beside it"),
        pytest.param(("/api/v1/more", "/api/x"), "/api", id="below and beside it"),
        pytest.param(("/admin/users",), "", id="beside all"),
        pytest.param(("/",), "", id="anywhere"),
    ],
)
def test_routes_that_are_not_known_are_guarded(lost: tuple[str, ...], prefix: str) -> None:
    """The prefix is such that they lie below it, and are refused."""
    policy = drafted(replace(served("GET /api/v1/orders", "GET /api/v1/users"), lost=lost))
    assert policy.prefix == prefix
    assert all(needs(policy, f"DELETE {path}/7".replace("//", "/")).unmatched for path in lost)


@pytest.mark.parametrize(
    ("methods", "checked"),
    [
        pytest.param("ANY", True, id="any method"),
        pytest.param("GET,OPTIONS", False, id="some methods"),
    ],
)
def test_a_view_that_runs_for_preflights_is_guarded(methods: str, checked: bool) -> None:
    """Where OPTIONS is no different from other methods, it takes a token."""
    options = drafted(served(f"{methods} /api/orders", "GET /api/users")).options
    assert options.preflight == ("check" if checked else "pass")


# -- exactly what is declared


@pytest.mark.parametrize(
    ("routes", "request_", "scopes"),
    [
        pytest.param(
            {"GET /api/a": {"categories": ["order"]}, "GET /api/b": {"categories": ["order.refund"]}},
            "GET /api/b",
            [["read:order.refund"]],
            id="parts of categories",
        ),
        pytest.param(
            {"GET /api/a": {"categories": ["user"]}, "GET /api/b": {"categories": ["users"]}},
            "GET /api/b",
            [["read:users"]],
            id="words that are alike",
        ),
        pytest.param({"GET /api/a": {"categories": ["org"]}}, "GET /api/a", [["read:org"]], id="a word that is short"),
        pytest.param({"GET /api/a": {"categories": ["Shop"]}}, "GET /api/a", [["read:Shop"]], id="capitals"),
        pytest.param(
            {"GET /api/a": {"any_of": [["write:shop"]]}}, "GET /api/a", [["write:shop"]], id="a GET that writes"
        ),
        pytest.param(
            {"POST /api/a": {"any_of": [["read:shop"]]}}, "POST /api/a", [["read:shop"]], id="a POST that reads"
        ),
        pytest.param(
            {"GET /api/a": {"any_of": [["read:shop"]], "name": "delete_it"}},
            "GET /api/a",
            [["read:shop"]],
            id="whatever it is called",
        ),
        pytest.param({"GET /api/a": {"any_of": [["admin:all"]]}}, "GET /api/a", [["admin:all"]], id="no category"),
        pytest.param(
            {"GET /api/<x>": {"categories": ["a", "shop"]}, "POST /api/me": {"categories": ["b"]}},
            "GET /api/me",
            [["read:a", "read:shop"]],
            id="a variable where a literal answers another method",
        ),
        pytest.param(
            {"GET /<x>/stars": {"categories": ["a"]}, "GET /settings": {"categories": ["b"]}},
            "GET /settings",
            [["read:b"]],
            id="paths that cross",
        ),
        pytest.param({"GET /api/a*b": {"categories": ["a"]}}, "GET /api/a*b", [["read:a"]], id="a star in a path"),
    ],
)
def test_declared_scopes_are_kept(routes: dict[str, Row], request_: str, scopes: list[list[str]]) -> None:
    """As they are written, neither renamed nor at another level."""
    policy = drafted(table({"GET /api/zzz": {"categories": ["issue"]}} | routes))
    assert lists(policy, request_) == {frozenset(words) for words in scopes}


def test_sessions_only_is_kept() -> None:
    """Where the application takes no tokens, the policy takes none."""
    policy = drafted(table(OTHERS | {"POST /api/keys": {"categories": ["user"], "basic_auth_only": True}}))
    assert needs(policy, "POST /api/keys").accept == "session"


def test_decorators_are_declarations() -> None:
    """What `req_scopes` asks for on a view, the policy does, too."""
    site = flask.Flask("shop", static_folder=None)
    site.add_url_rule("/api/orders", "orders", req_scopes("read:user", "read:issue")(lambda: ""))
    site.add_url_rule("/api/users", "users", lambda: "")
    assert lists(drafted(discover(site)), "GET /api/orders") == {frozenset(("read:issue", "read:user"))}


# -- adding to what is there

POLICY = """
[policy]
prefix = "/api"
[[group]]
path = "/users"
scopes = ["user"]
"""


def test_a_declared_category_that_is_not_known_is_not_exchanged_for_another() -> None:
    """The vocabulary lacks it: that is an error, or it is added; no other word will do."""
    policy = Policy.loads(POLICY)
    said, more = "", None
    try:
        more = draft_more(POLICY, policy, table({"GET /api/bills": {"categories": ["billing"]}}))
    except ConfigurationError as error:
        said = str(error)
    asked_for = lists(Policy.loads(more.text), "GET /api/bills") if more is not None else set()
    assert "billing" in said or asked_for == {frozenset(("read:billing",))}


def test_nothing_is_added_where_all_is_covered() -> None:
    """There is no text then."""
    assert draft_more(POLICY, Policy.loads(POLICY), table({"GET /api/users/<x>": {}})) is None


# -- no table of routes


@pytest.mark.parametrize("kind", ["wsgidav", "function"])
def test_an_application_without_a_table_is_guarded_as_a_whole(kind: str, tmp_path: Path) -> None:
    """One group, which asks for a token and a scope, whatever the path and the method."""
    site: Any = lambda environ, start_response: []  # noqa: E731
    if kind == "wsgidav":
        made_by = pytest.importorskip("wsgidav.wsgidav_app").WsgiDAVApp
        site = made_by({"provider_mapping": {"/": str(tmp_path)}, "simple_dc": {"user_mapping": {"*": True}}})
    made = draft(discover(site), "files:app")
    policy = Policy.loads(made.text)
    assert (made.groups, len(policy.groups)) == (1, 1)
    for request in ("GET /", "PROPFIND /a/b", "MOVE /x.txt", "OPTIONS /"):
        found = needs(policy, request)
        assert found.group, request
        assert found.require_token, request
        assert not found.scope_free, request
