"""The linter: each kind of finding is found where it is, and not found beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import flask
import pytest

from scopeware import Group, Policy, Route, req_scopes, req_token
from scopeware.introspect.discover import discover
from scopeware.introspect.endpoint import Declared, Endpoint
from scopeware.introspect.findings import KINDS, Finding
from scopeware.introspect.lint import lint

SHOP = """
[policy]
prefix = "/api"
[vocabulary]
name = "shop"
actions = ["read", "write"]
public_only = "public-only"
[vocabulary.categories]
order = "Orders"
[[group]]
path = "/orders"
scopes = ["order"]
"""
"""A policy for :data:`ORDERS` in which nothing is wrong; what is wrong is added to it, or replaced."""
ORDERS = "GET /api/orders", "POST /api/orders", "GET /api/orders/<x>"


def routes(*written: str, **known: Any) -> list[Endpoint]:
    """``routes("GET,POST /orders")``; ``ANY`` for every method, and ``/...`` for all that is below."""
    made = []
    for each in written:
        methods, path = each.split(" ", 1)
        listed = () if methods == "ANY" else tuple(methods.split(","))
        made.append(Endpoint(listed, path.removesuffix("/..."), open=path.endswith("/..."), **known))
    return made


def group(path: str, needs: str = 'scopes = ["order"]') -> str:
    """A group more for the shop's policy."""
    return f'[[group]]\npath = "{path}"\n{needs}\n'


def found(text: str, *endpoints: Endpoint, lost: Iterable[str] = ()) -> list[tuple[str, str, str]]:
    """Id, method and path of what is found in a policy, with the shop's own routes and these."""
    findings = lint(Policy.loads(text), [*routes(*ORDERS), *endpoints], lost)
    return [(each.id, each.method, each.path) for each in findings]


PUBLIC = "scopes = []\nrequire_token = false"
OPEN_ORDER = 'scopes = ["order"]\nrequire_token = false'
JSON = routes("GET /api/carts/<x>", "GET /api/carts/<x>.json")
TWICE = [*routes("GET /api/carts", operation=1), *routes("GET /api/baskets", operation=1)]
APART = [*routes("GET /api/carts", operation=1), *routes("GET /api/baskets", operation=2)]
ALLOWED = '[lint]\nallow = [{ id = "public-write", path = "/api/login", reason = "people sign in" }]\n'
Case = tuple[str, list[Endpoint]]

# id → where, method and path of the finding; what it is found in; and its nearest neighbour, in which nothing is found.
CASES: dict[str, tuple[tuple[str, str], Case, Case]] = {
    "route-without-group": (
        ("GET", "/api/carts"),
        (SHOP, routes("GET /api/carts")),
        (SHOP + group("/carts"), routes("GET /api/carts")),
    ),
    "outside-prefix": (
        ("", "/api"),
        (SHOP, routes("GET /carts")),
        (SHOP.replace('prefix = "/api"', 'prefix = ""').replace('"/orders"', '"/api/orders"'), []),
    ),
    "group-without-route": (
        ("", "/api/carts"),
        (SHOP + group("/carts"), routes("GET /api/orders/carts")),
        (SHOP + group("/carts"), routes("ANY /api/carts/x/y/...")),
    ),
    "rule-without-route": (
        ("PUT", "/api/orders/<x>"),
        (SHOP + '[[group.route]]\npath = "/<x>"\nmethods = ["PUT"]\naction = "read"\n', []),
        (SHOP + '[[group.route]]\npath = "/<x>"\nmethods = ["PUT"]\naction = "read"\n', routes("PUT /api/orders/new")),
    ),
    "write-without-token": (
        ("POST", "/api/carts"),
        (SHOP + group("/carts", OPEN_ORDER), routes("POST /api/carts")),
        (SHOP + group("/carts", OPEN_ORDER), routes("GET,HEAD,OPTIONS /api/carts")),
    ),
    "public-write": (
        ("DELETE", "/api/carts"),
        (SHOP + group("/carts", PUBLIC), routes("DELETE /api/carts")),
        (SHOP + group("/carts", "scopes = []"), routes("DELETE /api/carts")),
    ),
    "read-by-writing-method": (
        ("POST", "/api/orders/search"),
        (SHOP, routes("POST /api/orders/search")),
        (
            SHOP + '[[group.route]]\npath = "/search"\nmethods = ["POST"]\naction = "read"\n',
            routes("POST /api/orders/search"),
        ),
    ),
    "write-by-reading-method": (
        ("GET", "/api/orders/<x>/x"),
        (SHOP, routes("GET /api/orders/<x>/x", name="delete_order")),
        (SHOP, routes("GET /api/orders/<x>/x", name="delete_form")),
    ),
    "wide-wildcard": (
        ("", "/api/<x>"),
        (SHOP + group("/<x>"), routes("GET /api/carts", "GET /api/stock")),
        (SHOP + group("/<x>"), routes("GET /api/<shop>", "GET /api/<shop>/stock")),
    ),
    "two-spellings": (
        ("GET", "/api/baskets"),
        (SHOP + group("/carts") + group("/baskets", "scopes = []"), TWICE),
        (SHOP + group("/carts") + group("/baskets", "scopes = []"), APART),
    ),
    "alternate-representation": (
        ("GET", "/api/carts/<x>.json"),
        (SHOP + group("/carts/<x>") + group("/carts/<x>.json", "scopes = []"), JSON),
        (SHOP + group("/carts/<x>") + group("/carts/<x>.json"), JSON),
    ),
    "mints-with-token": (
        ("POST", "/api/orders/tokens"),
        (SHOP, routes("POST /api/orders/tokens")),
        (SHOP + '[[group.route]]\npath = "/tokens"\naccept = "session"\n', routes("POST /api/orders/tokens")),
    ),
    "batch": (
        ("POST", "/api/orders/batch"),
        (SHOP, routes("POST /api/orders/batch")),
        (SHOP + '[[group.route]]\npath = "/batch"\naccept = "session"\n', routes("POST /api/orders/batch")),
    ),
    "public-only-unchecked": (
        ("", "/api/carts/<x>"),
        (
            SHOP + group("/carts/<x>", 'scopes = ["order"]\nresource = "<x>"\npublic_only = "allow"'),
            routes("GET /api/carts/<x>"),
        ),
        (
            SHOP + group("/carts/<x>", 'scopes = ["order"]\nresource = "<x>"\npublic_only = "check"'),
            routes("GET /api/carts/<x>"),
        ),
    ),
    "unused-category": (
        ("", ""),
        (SHOP.replace('order = "Orders"', 'order = "Orders"\nstock = "Stock"'), []),
        (
            SHOP.replace('order = "Orders"', 'order = "Orders"\nheading = { actions = [] }\n"heading.cart" = "Carts"')
            + group("/carts", 'scopes = ["heading.cart"]'),
            routes("GET /api/carts"),
        ),
    ),
    "unused-grant": (
        ("", ""),
        (SHOP.replace("order =", 'cart = "Carts"\norder =') + '[roles]\nclerk = "read:cart,*:order"\n', []),
        (SHOP + '[roles]\nclerk = "read:order"\n', []),
    ),
    "differs-from-code": (
        ("GET", "/api/carts"),
        (SHOP + group("/carts", "scopes = []"), routes("GET /api/carts", declared=Declared((("order",),)))),
        (SHOP + group("/carts"), routes("GET /api/carts", declared=Declared((("read:order",),), True))),
    ),
    "unused-allowance": (
        ("", "/api/login"),
        (SHOP + ALLOWED, []),
        (SHOP + ALLOWED + group("/login", PUBLIC), routes("POST /api/login")),
    ),
}


def test_every_kind_of_finding_is_tried() -> None:
    """None was forgotten."""
    assert set(CASES) == set(KINDS)


@pytest.mark.parametrize("id_", CASES)
def test_a_kind_of_finding(id_: str) -> None:
    """It is found once, with its method and path and nothing else, and not in what is nearly the same, and right."""
    where, (wrong, endpoints), (right, others) = CASES[id_]
    beside = {"unused-category"} - {id_}
    assert [each for each in found(wrong, *endpoints) if each[0] not in beside] == [(id_, *where)]
    assert id_ not in {each[0] for each in found(right, *others)}


# -- parts of routes, and what is like others

PASSING = SHOP.replace("[policy]", '[policy]\nunmatched = "pass"')
AT_ROOT = SHOP.replace('prefix = "/api"', 'prefix = ""').replace('"/orders"', '"/api/orders"')
BY_SESSION = 'scopes = ["order"]\naccept = "session"'
ONLY_ONE = 'below = false\nscopes = ["order"]'
FILES = SHOP + group("/f")
SEARCH = SHOP + group("/carts") + '[[group.route]]\npath = "/search"\naction = "read"\n'
NAMED = routes("GET /api/carts/<id>", "GET /api/carts/<cart>.json")
SESSIONS = routes("PUT /api/keys", declared=Declared(None, True, by_session=True))
JOBS = SHOP + group("/jobs", PUBLIC)

# As in `CASES`; what is found may not be all.
PARTS: dict[str, tuple[tuple[str, str, str], Case, Case]] = {
    "a public part of all that is below": (
        ("public-write", "PUT", "/api/f/<a>/<b>"),
        (FILES + group("/f/<a>/<b>", PUBLIC), routes("PUT /api/f/<path:p>")),
        (FILES + group("/f/<a>/<b>", PUBLIC), routes("PUT /api/f/<p>", "GET /api/f/<path:p>")),
    ),
    "a public part, and as deep as it goes": (
        ("public-write", "PUT", "/api/f/<path:p>/..."),
        (FILES + group("/f/<a>/<b>", PUBLIC), routes("PUT /api/f/<path:p>")),
        (
            FILES + group("/f/<a>/<b>", PUBLIC + "\nbelow = false"),
            routes("GET /api/f/<x>/<y>", "PUT /api/f/<x>/<y>/<path:p>"),
        ),
    ),
    "public numbers among words": (
        ("public-write", "PUT", "/api/f/<int:n>"),
        (FILES + group("/f/<int:n>", PUBLIC), routes("PUT /api/f/<p>")),
        (FILES + group("/f/<int:n>", PUBLIC), routes("PUT /api/f/<any(a, b):p>", "GET /api/f/<int:n>")),
    ),
    "public numbers where another route only reads them": (
        ("public-write", "PUT", "/api/f/<int:n>"),
        (FILES + group("/f/<int:n>", PUBLIC), routes("PUT /api/f/<p>", "GET /api/f/<int:n>")),
        (FILES + group("/f/<int:n>"), routes("PUT /api/f/<p>", "GET /api/f/<int:n>")),
    ),
    "public for any method": (
        ("public-write", "", "/api/wipe"),
        (SHOP + group("/wipe", PUBLIC), routes("ANY /api/wipe")),
        (SHOP + group("/wipe", PUBLIC), routes("ANY /api/wipe", declared=Declared(None, False))),
    ),
    "what is below a group passes": (
        ("route-without-group", "GET", "/api/f/<path:p>/..."),
        (PASSING + group("/f/<a>", ONLY_ONE), routes("GET /api/f/<path:p>")),
        (PASSING + group("/f/<a>"), routes("GET /api/f/<path:p>")),
    ),
    "what is below an open route passes": (
        ("route-without-group", "GET", "/api/f/..."),
        (PASSING + group("/f", ONLY_ONE), routes("GET /api/f/...")),
        (PASSING + group("/f", ONLY_ONE), routes("GET /api/f")),
    ),
    "a wide group below what says nothing": (
        ("wide-wildcard", "", "/api/v1/<x>"),
        (AT_ROOT + group("/api/v1/<x>"), routes("GET /api/v1/carts", "GET /api/v1/stock")),
        (AT_ROOT + group("/api/v1/<x>"), routes("GET /api/v1/carts", "GET /api/v1/carts/<int:n>")),
    ),
    "a group of all": (
        ("wide-wildcard", "", "/api"),
        (AT_ROOT + group("/api"), routes("GET /api/carts", "GET /api/v1/stock")),
        (AT_ROOT + group("/api"), routes("GET /api/carts", "GET /api/v1/carts")),
    ),
    "a read that lowers another route": (
        ("write-by-reading-method", "DELETE", "/api/carts/search"),
        (SEARCH, routes("POST /api/carts/search", "DELETE /api/carts/<x>")),
        (
            SEARCH.replace('action = "read"', 'action = "read"\nmethods = ["POST"]'),
            routes("POST /api/carts/search", "DELETE /api/carts/<x>"),
        ),
    ),
    "a representation with another variable": (
        ("alternate-representation", "GET", "/api/carts/<cart>.json"),
        (SHOP + group("/carts/<x>") + group("/carts/<x>.json", "scopes = []"), NAMED),
        (SHOP + group("/carts/<x>") + group("/carts/<x>.json"), NAMED),
    ),
    "a representation of what is for sessions": (
        ("alternate-representation", "GET", "/api/carts/<cart>.json"),
        (SHOP + group("/carts/<x>", BY_SESSION) + group("/carts/<x>.json"), NAMED),
        (SHOP + group("/carts/<x>", BY_SESSION) + group("/carts/<x>.json", BY_SESSION), NAMED),
    ),
    "code for sessions": (
        ("differs-from-code", "PUT", "/api/keys"),
        (SHOP + group("/keys"), SESSIONS),
        (SHOP + group("/keys", BY_SESSION), SESSIONS),
    ),
    "a public GET that changes something": (
        ("public-write", "GET", "/api/jobs/<x>/cancel"),
        (JOBS, routes("GET /api/jobs/<x>/cancel", name="cancel_job")),
        (JOBS, routes("GET /api/jobs/<x>/cancel", name="cancel_form")),
    ),
}


@pytest.mark.parametrize("case", PARTS)
def test_a_part_of_a_route_is_looked_at(case: str) -> None:
    """What is found in it is not found in what is nearly the same, and right."""
    where, (wrong, endpoints), (right, others) = PARTS[case]
    assert where in found(wrong, *endpoints)
    assert found(right, *others) == []


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        pytest.param(SHOP, "/admin", [("outside-prefix", "", "/admin")], id="beside the prefix"),
        pytest.param(SHOP, "/", [("outside-prefix", "", "/")], id="above the prefix"),
        pytest.param(SHOP, "/api/x", [], id="refused"),
        pytest.param(PASSING, "/api/x", [("route-without-group", "", "/api/x")], id="unmatched passes"),
        pytest.param(PASSING, "/api/orders", [], id="in a group"),
    ],
)
def test_routes_that_are_not_known_may_be_unguarded(text: str, path: str, expected: list[tuple[str, str, str]]) -> None:
    """Where they are, there has to be a group, or a refusal."""
    assert found(text, lost=[path]) == expected


# -- what might be overlooked

INVENTORY = SHOP.replace('order = "Orders"', 'order = "Orders"\nstock = "Stock"\ncart = "Carts"')
CHECKED = SHOP + group("/carts/<x>", 'scopes = ["order"]\nresource = "<x>"')
LITERAL_X = group("/carts/x", PUBLIC) + group("/carts/<id>")
SUFFIX = group("/carts/<x>") + group("/carts/<x>.<any(json, csv):format>", "scopes = []")


def test_every_unused_category_is_named() -> None:
    """However many there are."""
    messages = [each.message for each in lint(Policy.loads(INVENTORY)) if each.id == "unused-category"]
    assert [re.findall("`(.*?)`", message)[0] for message in messages] == ["stock", "cart"]


def test_every_unused_grant_is_named() -> None:
    """However many there are."""
    policy = Policy.loads(INVENTORY + '[roles]\nclerk = "read:cart,write:stock"\nguest = "read:stock"\n')
    messages = " ".join(each.message for each in lint(policy) if each.id == "unused-grant")
    assert re.findall("`(.*?)`", messages) == ["clerk", "read:cart", "clerk", "write:stock", "guest", "read:stock"]


@pytest.mark.parametrize(
    ("text", "endpoints", "expected"),
    [
        pytest.param(
            CHECKED.replace("[policy]", '[policy]\npublic_only = "allow"'),
            routes("GET /api/carts/<x>"),
            ("public-only-unchecked", "", "/api/carts/<x>"),
            id="public-only tokens let be by the whole policy",
        ),
        pytest.param(
            SHOP.replace('scopes = ["order"]', 'scopes = ["order"]\npublic_only = "allow"')
            + '[[group.route]]\npath = "/<x>"\nresource = "<x>"\n',
            [],
            ("public-only-unchecked", "", "/api/orders/<x>"),
            id="public-only tokens let be by the group of a route",
        ),
        pytest.param(
            SHOP + LITERAL_X,
            routes("POST /api/carts/<id>", declared=Declared((("order",),), False)),
            ("write-without-token", "POST", "/api/carts/<id>"),
            id="a variable beside a literal that is called x",
        ),
        pytest.param(
            SHOP + SUFFIX,
            routes("GET /api/carts/<x>", "GET /api/carts/<x>.<any(json, csv):format>"),
            ("alternate-representation", "GET", "/api/carts/<x>.<any(json, csv):format>"),
            id="a suffix that is one of several",
        ),
        pytest.param(
            SHOP + group("/carts/tokens", PUBLIC),
            routes("ANY /api/carts/tokens"),
            ("mints-with-token", "", "/api/carts/tokens"),
            id="tokens made by a route of any method",
        ),
        pytest.param(
            SHOP + group("/carts"),
            routes("GET /api/carts", declared=Declared((("write:order",),))),
            ("differs-from-code", "GET", "/api/carts"),
            id="code that asks for a higher level",
        ),
    ],
)
def test_what_is_easily_overlooked(text: str, endpoints: list[Endpoint], expected: tuple[str, str, str]) -> None:
    """It is found all the same."""
    assert expected in found(text, *endpoints)


@pytest.mark.parametrize(
    ("text", "endpoints"),
    [
        pytest.param(
            SHOP + '[[group.route]]\npath = "/"\nmethods = ["OPTIONS"]\nrequire_token = false\n',
            [],
            id="a rule for the OPTIONS that frameworks answer by themselves",
        ),
        pytest.param(
            SHOP + group("/carts"), routes("HEAD /api/carts", "POST /api/carts"), id="a route for HEAD, which is GET"
        ),
        pytest.param(
            SHOP + group("/größe"), routes("GET /api/größe/<int(min=9):x>", "ANY /api/größe/<path:p>"), id="odd paths"
        ),
        pytest.param(
            SHOP + group("/carts", 'scopes = []\naccept = "session"'), routes("POST /api/carts/tokens"), id="a session"
        ),
    ],
)
def test_what_is_fine(text: str, endpoints: list[Endpoint]) -> None:
    """Nothing is said of it."""
    assert found(text, *endpoints) == []


def test_the_decorators_of_a_view_are_its_code() -> None:
    """A policy that lets more pass than they do is found."""
    site = flask.Flask("shop", static_folder=None)
    site.add_url_rule("/api/orders", "orders", req_scopes("write:order")(lambda: ""))
    site.add_url_rule("/api/orders/<x>", "order", req_token(lambda x: ""))
    findings = lint(Policy.loads(SHOP), discover(site).endpoints)
    assert [(each.id, each.path) for each in findings] == [("differs-from-code", "/api/orders")]


def test_without_routes_only_the_policy_is_looked_at() -> None:
    """No group is dead where nobody knows the application."""
    assert lint(Policy.loads(INVENTORY + group("/carts", 'scopes = ["cart", "stock"]'))) == []


def test_a_policy_made_in_python_is_looked_at_too() -> None:
    """Its findings have no line."""
    policy = Policy([Group(path="/a", scopes=["user"], routes=[Route(path="/b", action="read")])], vocabulary="gitea")
    findings = [each for each in lint(policy, routes("GET /a")) if each.id != "unused-category"]
    assert [(each.id, each.path, each.line) for each in findings] == [("rule-without-route", "/a/b", 0)]


@pytest.mark.parametrize("comment", ["# größe\n", "# a\u2028b\x85c\n"], ids=["letters", "line separators"])
def test_a_finding_names_the_line_of_its_rule(comment: str) -> None:
    """As an editor counts them, by newlines."""
    text = comment + SHOP + "\n" + group("/carts")
    finding = lint(Policy.loads(text), routes(*ORDERS))[-1]
    assert finding.id == "group-without-route"
    assert text.split("\n")[finding.line - 1] == "[[group]]"
    assert text.split("\n")[finding.line] == 'path = "/carts"'


def test_findings_are_ordered_and_there_once() -> None:
    """By path and method, so that two runs can be compared."""
    endpoints = routes("POST /api/z", "GET /api/z", "GET /api/a", "ANY /api/m", "GET /api/z")
    findings: list[Finding] = lint(Policy.loads(SHOP), [*routes(*ORDERS), *endpoints])
    assert [(each.path, each.method) for each in findings] == [
        ("/api/a", "GET"),
        ("/api/m", ""),
        ("/api/z", "GET"),
        ("/api/z", "POST"),
    ]


def test_what_is_allowed_of_one_rule_is_not_of_another_below_it() -> None:
    """A public upload that is meant so says nothing of what lies below, which another rule makes public."""
    allowed = '[lint]\nallow = [{ id = "public-write", path = "/api/up", reason = "everybody may" }]\n'
    above = group("/up", "below = false\n" + PUBLIC)
    everywhere = routes("PUT /api/up/...")
    two = SHOP + above + group("/up/<a>", PUBLIC) + allowed
    assert ("public-write", "PUT", "/api/up/...") in found(two, *everywhere)
    assert found(SHOP + group("/up", PUBLIC) + allowed, *everywhere) == []
