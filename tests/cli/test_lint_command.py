"""``scopeware lint``: what it prints, for people, for a review on GitHub, and for machines, and how it ends."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command_line import says

ROOT = Path(__file__).resolve().parents[2]
POLICY = """\
[policy]
prefix = "/api"
[vocabulary]
name = "shop"
categories = { order = "Orders" }

# größe
[[group]]
path = "/orders"
scopes = ["order"]
  [[group.route]]
  path = "/search/deep"
  action = "read"
[[group]]
path = "/login"
scopes = []
require_token = false
"""
ROWS = [
    {"method": "GET", "path": "/api/orders"},
    {"method": "GET", "path": "/api/orders/{id}", "doc": "Delete 100% of it,\r\nfor: ever::x"},
    {"method": "POST", "path": "/api/login"},
]
WORKFLOW = re.compile(r"::(error|warning) file=([^:,]*)(?:,line=(\d+))?,title=([^:,]*)::(.*)")
DOCUMENT = {
    "openapi": "3.1.0",
    "servers": [{"url": "/api"}],
    "paths": {"/orders/search/deep": {"get": {"summary": "All of them"}}, "/login": {"get": {}}},
}


@pytest.fixture
def shop(folder):
    """A policy and a table of routes under which three things are wrong."""
    (folder / "scopes.toml").write_text(POLICY, "utf-8")
    (folder / "routes.json").write_text(json.dumps(ROWS), "utf-8")
    return ("scopes.toml", "--app", "routes.json")


def test_what_people_see(cli, shop):
    """A line a finding, with file and line; what it all means on stderr; nothing that a terminal would obey."""
    result = cli("lint", *shop)
    assert result.status == 1
    lines = result.out.splitlines()
    assert [re.match(r"(\w+) scopes\.toml:(\d+): ([\w-]+): ", line).groups() for line in lines] == [
        ("error", "14", "public-write"),
        ("error", "8", "write-by-reading-method"),
        ("warning", "11", "rule-without-route"),
    ]
    assert all(line.isprintable() for line in lines)
    assert result.err.splitlines()[0] == "2 errors, 1 warning (3 routes)"


def test_one_is_no_plural(cli, folder):
    """Of errors, of warnings and of routes."""
    text = '[policy]\nprefix = "/api"\n[vocabulary]\nname = "shop"\ncategories = { order = "Orders" }\n'
    (folder / "scopes.toml").write_text(f'{text}[[group]]\npath = "/orders"\nscopes = ["order"]\n', "utf-8")
    for path, said in (
        ("/api/orders", "nothing found (1 route)"),
        ("/beside", "0 errors, 2 warnings (1 route)"),
        ("/api/bills", "1 error, 1 warning (1 route)"),
    ):
        (folder / "routes.json").write_text(json.dumps([{"method": "GET", "path": path}]), "utf-8")
        assert cli("lint", "--app", "routes.json").err.splitlines()[0] == said


def test_routes_that_are_not_known_beside_the_prefix_are_found(cli, folder, shop):
    """Nobody guards them; those below the prefix are refused, whatever they are."""
    ids = ("public-write", "write-by-reading-method", "rule-without-route")
    entries = ", ".join(f'{{ id = "{each}", reason = "known" }}' for each in ids)
    (folder / "scopes.toml").write_text(f"lint.allow = [{entries}]\n{POLICY}", "utf-8")
    for lost, found in ((["/api/odd"], []), (["/odd"], ["/odd"]), (["/odd", "/"], ["/", "/odd"])):
        (folder / "routes.json").write_text(json.dumps({"routes": ROWS, "lost": lost}), "utf-8")
        result = cli("lint", *shop, "--json")
        assert result.status == bool(found)
        assert [(each["id"], each["path"]) for each in result.json["findings"]] == [
            ("outside-prefix", path) for path in found
        ]
    assert "outside-prefix: /odd: there are routes that are not known" in cli("lint", *shop).out


def test_what_a_review_on_github_shows(cli, shop, folder):
    """A workflow command a finding, at its line; what the runner would read as something else is escaped."""
    (folder / "scopes.toml").rename("50% a,b:c.toml")
    result = cli("lint", "50% a,b:c.toml", *shop[1:], "--format", "github")
    assert result.status == 1
    found = [WORKFLOW.fullmatch(line).groups() for line in result.out.splitlines()]
    assert [each[:4] for each in found] == [
        ("error", "50%25 a%2Cb%3Ac.toml", "14", "scopeware public-write"),
        ("error", "50%25 a%2Cb%3Ac.toml", "8", "scopeware write-by-reading-method"),
        ("warning", "50%25 a%2Cb%3Ac.toml", "11", "scopeware rule-without-route"),
    ]
    assert "Delete 100%25 of it,%0D%0Afor: ever::x" in found[1][4]


def test_what_machines_read(cli, shop):
    """All of it, in one object, with the same status."""
    result = cli("lint", *shop, "--json")
    assert result.status == 1
    assert {key: value for key, value in result.json.items() if key != "findings"} == {
        "policy": "scopes.toml",
        "routes": 3,
        "notes": [],
    }
    first = result.json["findings"][0]
    assert "anyone may write there" in first.pop("message")
    where = {"method": "POST", "path": "/api/login", "line": 14}
    assert first == {"id": "public-write", "severity": "error", **where}


def test_nothing_is_found(cli, folder, shop):
    """In the default file, once what was found is allowed, with reasons."""
    ids = ("public-write", "write-by-reading-method", "rule-without-route")
    entries = ", ".join(f'{{ id = "{each}", reason = "known" }}' for each in ids)
    (folder / "scopes.toml").write_text(f"lint.allow = [{entries}]\n{POLICY}", "utf-8")
    for more, out in (((), ""), (("--format", "github"), "")):
        result = cli("lint", *shop[1:], *more)
        assert (result.status, result.out) == (0, out)
    assert cli("lint", *shop[1:], "--json").json["findings"] == []


@pytest.mark.parametrize(
    ("text", "more", "said"),
    [
        pytest.param('lint.allow = [{ id = "public-write" }]\n', (), "reason", id="no reason"),
        pytest.param('lint.allow = [{ id = "publik-write", reason = "x" }]\n', (), "public-write", id="an unknown id"),
        pytest.param("", ("--app", "nothing_here:app"), "nothing_here", id="no application"),
    ],
)
def test_what_is_wrong_is_no_finding(cli, folder, text, more, said):
    """It has another status, and is said in a line."""
    (folder / "scopes.toml").write_text(text + POLICY, "utf-8")
    says(cli("lint", *more), 2, said)


@pytest.mark.parametrize("name", ["openapi.json", "openapi"])
def test_a_document_alone(cli, folder, name):
    """Whatever the file is called, its routes are looked at."""
    (folder / "scopes.toml").write_text(POLICY, "utf-8")
    (folder / name).write_text(json.dumps(DOCUMENT), "utf-8")
    result = cli("lint", "--openapi", name, "--json")
    assert (result.status, result.err) == (0, "")
    assert (result.json["routes"], result.json["findings"]) == (2, [])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "gitea",
            [
                ("write-without-token", "DELETE", "/api/v1/repos/<>/<>/actions/artifacts/<>"),
                ("write-without-token", "POST", "/api/v1/repos/<>/<>/file-contents"),
            ],
        ),
        (
            "timetracker",
            [
                ("public-write", "POST", "/api/v1/auth/login"),
                ("public-write", "POST", "/api/v1/clients/<>/invoice-unbilled"),
            ],
        ),
    ],
)
def test_the_policies_that_ship(cli, name, expected):
    """Two writes in each are as they are in the application, and are found; of the rest, unused categories alone."""
    policy = ROOT / "examples" / name / "policy.toml"
    result = cli("lint", str(policy), "--app", str(ROOT / "tests" / "data" / f"{name}-routes.json"), "--json")
    assert result.status == 1
    rest = [each for each in result.json["findings"] if each["id"] != "unused-category"]
    assert [(each["id"], each["method"], re.sub("<[^<>]*>", "<>", each["path"])) for each in rest] == expected
    lines = policy.read_text("utf-8").split("\n")
    assert all(each["line"] is None or lines[each["line"] - 1].strip().startswith("[[group") for each in rest)
