"""What scopeware brings for the tests of guarded applications, and that it works in a project of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import flask
import pytest

from scopeware import Policy
from scopeware.errors import ConfigurationError
from scopeware.testing import assert_policy_complete

RULES = """
[policy]
prefix = "/api"

[[group]]
path = "/orders"
scopes = ["issue"]

[[group]]
path = "/login"
scopes = []
require_token = false
"""
ALLOWED = """
[lint]
allow = [{ id = "public-write", path = "/api/login", method = "POST", reason = "people sign in there" }]
"""


def application(**routes: str) -> flask.Flask:
    """A Flask application that fails whenever it is called; a route by its name: ``orders="GET /api/orders"``."""
    made = flask.Flask("guarded", static_folder=None)
    for name, route in routes.items():
        method, _, path = route.partition(" ")
        made.add_url_rule(path, name, lambda **_: 1 / 0, methods=[method])
    return made


def said(app: Any, policy: Any) -> str:
    """Why an assertion fails."""
    with pytest.raises(AssertionError) as failed:
        assert_policy_complete(app, policy)
    return str(failed.value)


# -- whether a policy is complete


def test_a_policy_that_covers_every_route_is_complete() -> None:
    """Nothing of the application is called; wrappers are looked through."""
    app = application(orders="GET /api/orders", order="DELETE /api/orders/<int:id>")
    assert_policy_complete(app, Policy.loads(RULES))
    assert_policy_complete(app.wsgi_app, Policy.loads(RULES))


def test_a_file_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name, or `scopes.toml` in the current directory; one that is no policy is no failure of the test."""
    monkeypatch.chdir(tmp_path)
    app = application(orders="GET /api/orders")
    (tmp_path / "scopes.toml").write_text(RULES, "utf-8")
    assert_policy_complete(app)
    assert_policy_complete(app, tmp_path / "scopes.toml")
    with pytest.raises(ConfigurationError):
        assert_policy_complete(app, "nowhere.toml")


@pytest.mark.parametrize(
    ("route", "id_"),
    [
        ("GET /api/export", "route-without-group"),
        ("GET /admin", "outside-prefix"),
        ("POST /api/login", "public-write"),
    ],
)
def test_each_route_that_is_not_guarded_is_named(route: str, id_: str) -> None:
    """One that no group covers, one beside the prefix, and whatever the linter calls an error."""
    failed = said(application(orders="GET /api/orders", other=route), Policy.loads(RULES))
    assert id_ in failed
    assert route.partition(" ")[2] in failed
    assert "/api/orders" not in failed


def test_routes_that_are_not_known_beside_the_prefix_are_named() -> None:
    """By what is known of their paths, beside those that are known; below the prefix they are refused."""
    known = {"orders": "GET /api/orders"}
    assert_policy_complete(application(odd="GET /api/orders/a\\b", **known), Policy.loads(RULES))
    failed = said(application(odd="DELETE /beside/a\\b", **known), Policy.loads(RULES))
    assert "outside-prefix: /beside: there are routes that are not known" in failed
    assert len(failed.splitlines()) == 2
    failed = said(application(odd="DELETE /beside/a\\b", other="GET /admin", **known), Policy.loads(RULES))
    assert "outside-prefix: /beside: there are routes that are not known" in failed
    assert "outside-prefix: GET /admin" in failed
    assert len(failed.splitlines()) == 3


def test_all_of_them_are_named_at_once() -> None:
    """Who mends one need not run the tests again for the next."""
    routes = {f"e{number}": f"GET /api/{number}/export" for number in range(9)}
    failed = said(application(orders="GET /api/orders", **routes), Policy.loads(RULES))
    assert all(f"/api/{number}/export" in failed for number in range(9))


def test_all_routes_beside_the_prefix_are_named() -> None:
    """However many there are."""
    routes = {f"e{number}": f"GET /beside{number}" for number in range(9)}
    failed = said(application(orders="GET /api/orders", **routes), Policy.loads(RULES))
    assert [number for number in range(9) if f"/beside{number}" not in failed] == []


def test_what_the_policy_allows_is_fine() -> None:
    """That route, with that method, and no other."""
    app = application(orders="GET /api/orders", login="POST /api/login")
    assert_policy_complete(app, Policy.loads(RULES + ALLOWED))
    assert "public-write" in said(app, Policy.loads((RULES + ALLOWED).replace("POST", "PUT")))
    beside = '[lint]\nallow = [{ id = "outside-prefix", reason = "the front page" }]\n'
    assert_policy_complete(application(front="GET /", orders="GET /api/orders"), Policy.loads(RULES + beside))


def test_an_application_without_routes_is_never_complete() -> None:
    """Nothing can be said of it."""
    for app in (lambda environ, start_response: [], application(), object()):
        assert said(app, Policy.loads(RULES))


# -- in a project of its own

CONFTEST = """
import pytest
from shop import app as shop

pytest_plugins = ["scopeware.testing"]

@pytest.fixture
def client(scopeware_tokens):
    from werkzeug.test import Client
    return Client(scopeware_tokens.guard(shop))
"""
SHOP = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [environ["scopeware"].owner.encode()]
"""
TESTS = """
from scopeware import Policy

secrets = []

def test_with_enough(client, scopeware_tokens):
    answer = client.get("/api/orders", headers=scopeware_tokens.headers("read:issue"))
    assert (answer.status_code, answer.text) == (200, "tester")

def test_with_too_little(client, scopeware_tokens):
    assert client.post("/api/orders", headers=scopeware_tokens.headers("read:issue")).status_code == 403
    assert client.get("/api/orders").status_code == 401

def test_two_tokens_of_one_owner_and_a_role(client, scopeware_tokens):
    for scopes in ("read:issue", "read:issue"):
        assert client.get("/api/orders", headers=scopeware_tokens.headers(scopes)).status_code == 200
    headers = scopeware_tokens.headers("write:issue", owner="carol", role="viewer")
    assert client.post("/api/orders", headers=headers).status_code == 403
    assert client.get("/api/orders", headers=headers).text == "carol"

def test_networks_and_lifetimes_too(client, scopeware_tokens):
    headers = scopeware_tokens.headers("all", networks="192.0.2.0/24", expires_in="1h")
    assert client.get("/api/orders", headers=headers, environ_overrides={"REMOTE_ADDR": "192.0.2.7"}).status_code == 200
    assert client.get("/api/orders", headers=headers).status_code == 403

def test_the_policy_is_the_projects(scopeware_policy):
    assert isinstance(scopeware_policy, Policy)
    assert scopeware_policy.prefix == "/api"

def test_here_a_token_is_made(client, scopeware_tokens):
    secrets.append(scopeware_tokens.issue("all"))
    assert client.get("/api/orders", headers={"Authorization": f"Bearer {secrets[0]}"}).status_code == 200

def test_here_it_is_gone(client, scopeware_tokens):
    assert secrets
    assert client.get("/api/orders", headers={"Authorization": f"Bearer {secrets[0]}"}).status_code == 401
"""
OWN_POLICY = """
import pytest
from scopeware import Policy
from werkzeug.test import Client

pytest_plugins = ["scopeware.testing"]

@pytest.fixture(scope="session")
def scopeware_policy():
    return Policy.loads('''
[vocabulary]
name = "shop"
actions = ["read", "write"]
categories = { order = "Orders" }

[gate]
token_prefix = "shop"

[[group]]
path = "/orders"
scopes = ["order"]
''')
"""
OWN_TESTS = """
from shop import app
from werkzeug.test import Client

def test_a_vocabulary_of_ones_own(scopeware_tokens):
    client = Client(scopeware_tokens.guard(app, headers=["X-API-Key"]))
    assert client.get("/orders", headers={"X-API-Key": scopeware_tokens.issue("read:order")}).status_code == 200
    assert scopeware_tokens.issue("write:order").startswith("shop_")
"""
NO_POLICY = """
import pytest
from shop import app

def test_without_a_policy_that_is_said(scopeware_tokens):
    assert scopeware_tokens.issue("read:user")
    with pytest.raises(ValueError, match="scopes.toml"):
        scopeware_tokens.guard(app)
"""


def run_project(folder: Path, conftest: str, tests: str, rules: str | None, passed: int) -> None:
    """The tests of a project, in a process of their own, every warning an error."""
    (folder / "conftest.py").write_text(conftest, "utf-8")
    (folder / "shop.py").write_text(SHOP, "utf-8")
    (folder / "test_shop.py").write_text(tests, "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -p no:randomly -p no:cacheprovider\n", "utf-8")
    if rules is not None:
        (folder / "scopes.toml").write_text(rules, "utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "SCOPEWARE_", "COV_"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-q"],
        cwd=folder,
        env=kept,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{passed} passed" in done.stdout
    assert "warning" not in done.stdout
    assert not [path.name for path in folder.iterdir() if path.suffix.startswith(".db")]


@pytest.mark.parametrize(
    ("conftest", "tests", "rules", "passed"),
    [
        pytest.param(CONFTEST, TESTS, RULES, 7, id="scopes.toml"),
        pytest.param(OWN_POLICY, OWN_TESTS, None, 1, id="a policy of its own"),
        pytest.param('pytest_plugins = ["scopeware.testing"]', NO_POLICY, None, 1, id="no policy"),
    ],
)
def test_the_fixtures_in_a_project(tmp_path: Path, conftest: str, tests: str, rules: str | None, passed: int) -> None:
    """Tokens that are gone after each test, and a gate with the project's policy."""
    run_project(tmp_path, conftest, tests, rules, passed)
