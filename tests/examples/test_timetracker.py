"""The time tracker of examples/timetracker: what the document of its scopes says, and its 280 routes, row by row.

The claims are tried over HTTP against ``scopeware run``, the rows in this process through ``wsgiref.validate``.
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from wsgiref.validate import validator

import pytest
import webtest

from scopeware import Policy, Scopeware, TokenStore
from scopeware.tokens import LogFilter

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "timetracker"
ROUTES = json.loads((ROOT / "tests" / "data" / "timetracker-routes.json").read_text())
SECONDS = 20


class Claim(NamedTuple):
    """What the document says.

    :param where: the heading it stands under.
    :param test: the test of this file that shows it.
    """

    where: str
    says: str
    test: str


CLAIMS = [
    Claim("Overview", "scopes are selected when a token is made", "test_the_page_offers_what_can_be_selected"),
    Claim("Overview", "scopes control access to resources", "test_the_exact_scopes_pass_and_no_others"),
    Claim(
        "Scope Format", "a scope is action:resource, the action read or write", "test_scopes_are_action_and_resource"
    ),
    Claim("Scope Format", "admin:all is full access to all resources", "test_full_access_reaches_every_route"),
    Claim(
        "Scope Format", "* is a wildcard, for administrators only", "test_words_for_many_scopes_are_refused_to_others"
    ),
    Claim("Projects", "read:projects lists and shows projects", "test_projects_are_read"),
    Claim("Projects", "write:projects creates, updates and archives them", "test_projects_are_written"),
    Claim("Time Entries", "read:time_entries lists and shows entries", "test_time_entries_are_read"),
    Claim("Time Entries", "read:time_entries tells the state of the timer", "test_the_timer_is_read_and_run"),
    Claim("Time Entries", "who is no administrator sees only their own", "test_others_entries_are_not_there"),
    Claim("Time Entries", "administrators see all", "test_administrators_see_and_change_all_entries"),
    Claim("Time Entries", "write:time_entries creates, updates, deletes entries", "test_time_entries_are_written"),
    Claim("Time Entries", "write:time_entries starts and stops the timer", "test_the_timer_is_read_and_run"),
    Claim("Tasks", "read:tasks lists and shows tasks, by project and status", "test_tasks_are_read"),
    Claim("Tasks", "write:tasks creates, updates and deletes them", "test_tasks_are_written"),
    Claim("Clients", "read:clients lists and shows clients", "test_clients_are_read"),
    Claim("Clients", "write:clients creates, updates and deletes them", "test_clients_are_written"),
    Claim("Reports", "read:reports gives summaries, between dates", "test_reports_are_read"),
    Claim("Reports", "who is no administrator sees their own data only", "test_reports_are_about_oneself"),
    Claim("Users", "read:users shows oneself, to everybody", "test_everybody_may_look_at_themselves"),
    Claim("Users", "the list takes admin:all and an administrator", "test_the_list_of_users_is_for_administrators"),
    Claim("Administrative", "admin:all reaches all endpoints", "test_full_access_reaches_every_route"),
    Claim("Administrative", "such as the list of users", "test_the_list_of_users_is_for_administrators"),
    Claim("Common Combinations", "five combinations and what they are for", "test_presets_are_those_of_the_document"),
    Claim(
        "Common Combinations", "each reaches what its scopes name", "test_a_preset_reaches_its_endpoints_and_no_others"
    ),
    Claim("How Scope Checking Works", "first the token is validated", "test_the_order_of_the_checks"),
    Claim("How Scope Checking Works", "then its scopes are", "test_the_order_of_the_checks"),
    Claim("How Scope Checking Works", "then the resource, and the user's rights", "test_the_order_of_the_checks"),
    Claim("Wildcard Scopes", "read:* reads everything", "test_words_for_many_scopes"),
    Claim("Wildcard Scopes", "write:* writes everything", "test_words_for_many_scopes"),
    Claim("Wildcard Scopes", "* is the same as admin:all", "test_words_for_many_scopes"),
    Claim("Wildcard Scopes", "for administrators only", "test_words_for_many_scopes_are_refused_to_others"),
    Claim("Wildcard Scopes", "(and worth nothing once they are none)", "test_they_are_worth_nothing_after_a_demotion"),
    Claim("Principle of Least Privilege", "grant the least that does", "test_a_token_without_a_scope_is_not_made"),
    Claim("Principle of Least Privilege", "avoid admin:all", "test_the_page_offers_what_can_be_selected"),
    Claim("Principle of Least Privilege", "a token for each integration", "test_a_token_for_each_integration"),
    Claim("Principle of Least Privilege", "review scopes, take away what is unused", "test_scopes_are_taken_away"),
    Claim("Token Management", "several tokens, each with its scopes", "test_a_token_for_each_integration"),
    Claim("Token Management", "tokens can expire", "test_tokens_expire"),
    Claim("Token Management", "usage can be monitored", "test_what_tokens_are_used_for_is_written_down"),
    Claim("Token Management", "tokens can be rotated", "test_tokens_are_rotated"),
    Claim("Scope Audit", "/admin/api-tokens shows the scopes of each token", "test_tokens_are_reviewed"),
    Claim("Scope Audit", "unused scopes are removed", "test_scopes_are_taken_away"),
    Claim("Scope Audit", "inactive tokens are deleted", "test_tokens_are_ended"),
    Claim("Dashboard Integration", "three scopes", "test_presets_are_those_of_the_document"),
    Claim("Dashboard Integration", "names, entries, statistics", "test_a_preset_reaches_its_endpoints_and_no_others"),
    Claim("Mobile Timer App", "four scopes", "test_presets_are_those_of_the_document"),
    Claim("Mobile Timer App", "start and stop the timer", "test_a_preset_reaches_its_endpoints_and_no_others"),
    Claim("Invoice Generator", "four scopes", "test_presets_are_those_of_the_document"),
    Claim("Invoice Generator", "rates, clients, hours", "test_a_preset_reaches_its_endpoints_and_no_others"),
    Claim("Project Management Sync", "five scopes", "test_presets_are_those_of_the_document"),
    Claim("Project Management Sync", "both ways", "test_a_preset_reaches_its_endpoints_and_no_others"),
    Claim("Testing Scopes", "read:projects: GET works, POST is a 403", "test_projects_are_written"),
    Claim("Troubleshooting", "the body of a 403, member by member", "test_a_refusal_says_what_is_required"),
    Claim("Troubleshooting", "what is others' is denied", "test_others_entries_are_not_there"),
    Claim("Troubleshooting", "an administrator's token reaches it", "test_administrators_see_and_change_all_entries"),
    Claim("Reference Table", "eleven scopes: read, write, for whom", "test_the_reference_table"),
]
SECTIONS = """
Overview, Scope Format, Projects, Time Entries, Tasks, Clients, Reports, Users, Administrative, Common Combinations,
How Scope Checking Works, Wildcard Scopes, Principle of Least Privilege, Token Management, Scope Audit,
Dashboard Integration, Mobile Timer App, Invoice Generator, Project Management Sync, Testing Scopes, Troubleshooting,
Reference Table
"""

ENDPOINTS = [
    # Those that the document names, each with the scope that it is listed under.
    ("GET", "/projects", "read:projects"),
    ("GET", "/projects/1", "read:projects"),
    ("POST", "/projects", "write:projects"),
    ("PUT", "/projects/1", "write:projects"),
    ("DELETE", "/projects/1", "write:projects"),
    ("GET", "/time-entries", "read:time_entries"),
    ("GET", "/time-entries/1", "read:time_entries"),
    ("GET", "/timer/status", "read:time_entries"),
    ("POST", "/time-entries", "write:time_entries"),
    ("PUT", "/time-entries/1", "write:time_entries"),
    ("DELETE", "/time-entries/1", "write:time_entries"),
    ("POST", "/timer/start", "write:time_entries"),
    ("POST", "/timer/stop", "write:time_entries"),
    ("GET", "/tasks", "read:tasks"),
    ("GET", "/tasks/1", "read:tasks"),
    ("POST", "/tasks", "write:tasks"),
    ("PUT", "/tasks/1", "write:tasks"),
    ("DELETE", "/tasks/1", "write:tasks"),
    ("GET", "/clients", "read:clients"),
    ("GET", "/clients/1", "read:clients"),
    ("POST", "/clients", "write:clients"),
    ("PUT", "/clients/1", "write:clients"),
    ("DELETE", "/clients/1", "write:clients"),
    ("GET", "/reports/summary", "read:reports"),
    ("GET", "/users/me", "read:users"),
    ("GET", "/users", "admin:all"),
]
PRESETS = {
    "read-only": "read:projects read:time_entries read:tasks read:clients read:reports",
    "time-tracking": "read:projects read:time_entries write:time_entries read:tasks",
    "project-management": "read:projects write:projects read:tasks write:tasks read:time_entries",
    "full-user": "read:projects write:projects read:time_entries write:time_entries read:tasks write:tasks "
    "read:clients write:clients read:reports",
    "admin": "admin:all",
    "dashboard": "read:projects read:time_entries read:reports",
    "mobile-timer": "read:projects read:tasks read:time_entries write:time_entries",
    "invoice-generator": "read:projects read:clients read:time_entries read:reports",
    "project-sync": "read:projects write:projects read:tasks write:tasks read:time_entries",
}
MANY = ("read:*", "write:*", "*", "admin:all")
"""Words for many scopes, for administrators only."""


class TestTheClaims:
    def test_each_has_a_test(self):
        """A test of this file, by its name."""
        here = {name for names in (globals(), *map(vars, CLASSES)) for name in names if name.startswith("test_")}
        assert {claim.test for claim in CLAIMS} <= here

    def test_no_section_of_the_document_is_left_out(self):
        """In its order; nor is one of its endpoints or combinations."""
        assert list(dict.fromkeys(claim.where for claim in CLAIMS)) == re.split(r",\s", SECTIONS.strip())
        assert len(set(CLAIMS)) == len(CLAIMS)
        assert (len(ENDPOINTS), len(PRESETS)) == (26, 5 + 4)


# -- the routes, in this process


def concrete(path: str) -> str:
    """A path that a row of the table stands for. What stands there without its prefix is below /api/v1, too."""
    path = re.sub(r"<string:\w+>", "eur", re.sub(r"<int:\w+>", "7", path))
    return path.replace("?/", "/api/v1/", 1)


def row_id(route: dict) -> str:
    return f"{route['method']} {route['path']}"


class Walker:
    """The policy in front of an application that lets everything pass, and tokens for any scopes."""

    def __init__(self, folder: Path) -> None:
        text = (FOLDER / "policy.toml").read_text("utf-8")
        self.policy = Policy.loads(re.sub(r"(?ms)^\[hooks\].*?(?=^\[)", "", text))
        self.store = TokenStore.connect(f"sqlite:///{folder / 'tokens.db'}")
        self.store.add_owner("root", role="admin")
        self.known: dict[str, str] = {}
        self.calls = 0
        self.client = webtest.TestApp(validator(Scopeware(self.application, self.policy, self.store)), lint=False)

    def application(self, environ, start_response):
        self.calls += 1
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"reached"]

    def ask(self, method: str, path: str, scopes: str | None = None) -> int:
        """The status; asserts that the application was called once or not at all."""
        if scopes is not None and scopes not in self.known:
            self.known[scopes] = self.store.issue(owner="root", name=str(len(self.known)), scopes=scopes).secret
        headers = {} if scopes is None else {"Authorization": f"Bearer {self.known[scopes]}"}
        before = self.calls
        status: int = self.client.request(path, method=method, headers=headers, expect_errors=True).status_int
        assert self.calls - before == (status == 200)
        return status

    def all_but(self, alternatives: list[str]) -> str:
        """Every word that covers none of these: what is left when nothing that would do is granted."""
        vocabulary = self.policy.vocabulary
        words = (*vocabulary.scopes, *vocabulary.wildcards)
        return ",".join(
            word for word in words if not any(vocabulary.parse(word).covers(scope) for scope in alternatives)
        )


@pytest.fixture(scope="module")
def walker(tmp_path_factory):
    made = Walker(tmp_path_factory.mktemp("timetracker"))
    yield made
    made.store.close()


class TestTheRoutes:
    def test_the_table_is_whole(self):
        """280 rows, none twice."""
        assert len(ROUTES) == len({(route["method"], concrete(route["path"])) for route in ROUTES}) == 280

    def test_the_policy_is_short(self):
        """A reviewer can read it whole."""
        assert len((FOLDER / "policy.toml").read_text("utf-8").splitlines()) <= 120

    def test_the_requirements_are_those_of_the_table(self, walker):
        """The alternatives and the token requirement of all rows at once, as the policy states them."""
        differing = []
        for route in ROUTES:
            requirement = walker.policy.requirement(route["method"], concrete(route["path"]))
            stated = [list(alternative) for alternative in requirement.scope_lists()]
            if (stated, requirement.require_token) != ([[scope] for scope in route["any_of"]], route["req_token"]):
                differing.append(row_id(route))
        assert differing == []

    @pytest.mark.parametrize("route", ROUTES, ids=row_id)
    def test_the_exact_scopes_pass_and_no_others(self, walker, route):
        """Each alternative by itself suffices; all other scopes together do not, nor does reading where one writes."""
        method, path = route["method"], concrete(route["path"])
        for scope in route["any_of"]:
            assert walker.ask(method, path, scope) == 200
            if scope.startswith("write:"):
                assert walker.ask(method, path, scope.replace("write:", "read:")) == 403
        others = walker.all_but(route["any_of"])
        assert "write:webhooks" in others or "webhooks" in path
        assert walker.ask(method, path, others) == (403 if route["any_of"] else 200)

    @pytest.mark.parametrize("route", ROUTES, ids=row_id)
    def test_a_token_is_required_where_the_table_says_so(self, walker, route):
        """Without one: 401, else the application."""
        assert walker.ask(route["method"], concrete(route["path"])) == (401 if route["req_token"] else 200)

    def test_the_rows_without_a_token(self):
        """The only write among them, but for signing in, is the one that the application guards itself."""
        free = {row_id(route) for route in ROUTES if not route["req_token"]}
        assert free == {
            "GET /api/v1/info",
            "GET /api/v1/health",
            "POST /api/v1/auth/login",
            "POST /api/v1/clients/<int:client_id>/invoice-unbilled",
        }

    @pytest.mark.parametrize("word", ["admin:all", "*"])
    def test_full_access_reaches_every_route(self, walker, word):
        """All 280 rows; and read:* and write:* together do not come to the same."""
        asked = {(route["method"], concrete(route["path"])) for route in ROUTES}
        assert {walker.ask(method, path, word) for method, path in asked} == {200}
        assert walker.ask("GET", "/api/v1/users", "read:*,write:*") == 403

    @pytest.mark.parametrize(("method", "path", "scope"), ENDPOINTS)
    def test_the_endpoints_of_the_document(self, walker, method, path, scope):
        """Also those two that the table of routes does not have: PUT and DELETE of a client."""
        assert walker.ask(method, f"/api/v1{path}", scope) == 200
        assert walker.ask(method, f"/api/v1{path}", walker.all_but([scope])) == 403
        assert walker.ask(method, f"/api/v1{path}") == 401

    @pytest.mark.parametrize("path", ["/api/v1", "/api/v1/secrets", "/api/v1/project", "/api/v1/auth/logout"])
    def test_what_no_row_covers_is_refused(self, walker, path):
        """Whatever the scopes."""
        assert walker.ask("GET", path, "admin:all") == 403
        assert walker.ask("GET", path) == 401

    def test_writing_to_what_is_public_takes_somebody(self, walker):
        """Only the methods that the table has are for everyone."""
        assert walker.ask("GET", "/api/v1/info") == 200
        assert walker.ask("POST", "/api/v1/info") == 401

    @pytest.mark.parametrize("preset", PRESETS)
    def test_a_preset_reaches_its_endpoints_and_no_others(self, walker, preset):
        """Of those of the document; write includes read."""
        granted = walker.policy.vocabulary.parse(PRESETS[preset])
        for method, path, scope in ENDPOINTS:
            expected = 200 if granted.covers(scope) else 403
            assert walker.ask(method, f"/api/v1{path}", walker.policy.presets[preset].scopes) == expected

    def test_scopes_are_action_and_resource(self, walker):
        """`read` or `write`, a colon, what is read or written; but for the words for many."""
        vocabulary = walker.policy.vocabulary
        for scope in {*vocabulary.scopes} - {*MANY}:
            assert re.fullmatch(r"(read|write):[a-z_]+", scope)
        assert {*vocabulary.wildcards, "admin:all"} == {*MANY}
        assert {scope for route in ROUTES for scope in route["any_of"]} <= {*vocabulary.scopes}

    def test_presets_are_those_of_the_document(self, walker):
        """Five combinations and four use cases, with the scopes that it lists."""
        parse = walker.policy.vocabulary.parse
        known = {name: parse(preset.scopes) for name, preset in walker.policy.presets.items()}
        assert known == {name: parse(scopes) for name, scopes in PRESETS.items()}
        assert all(preset.description for preset in walker.policy.presets.values())


# -- the application, over HTTP


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    json: Any


class Site:
    """The application under ``scopeware run``, and people who are signed in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "time.db"
        self.tokens = f"sqlite:///{folder / 'tokens.db'}"
        self.names = iter(range(1_000_000))
        self.cookies: dict[str, str] = {}
        kept = {key: value for key, value in os.environ.items() if not key.startswith("SCOPEWARE_")}
        self.environ = kept | {"TIMETRACKER_DATABASE": str(self.database), "PYTHONDONTWRITEBYTECODE": "1"}
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            command = ["run", "app:app", "--policy", "policy.toml", "--database", self.tokens, "--port", "0", "--json"]
            self.process = subprocess.Popen(
                [sys.executable, "-m", "scopeware", *command], cwd=FOLDER, env=self.environ, stdout=out, stderr=err
            )
        self.port = int(waited_for(self.listens))

    def listens(self) -> str | None:
        told = re.search(r"http://127\.0\.0\.1:(\d+);", (self.folder / "err").read_text("utf-8"))
        assert self.process.poll() is None, (self.folder / "err").read_text("utf-8")
        return told and told[1]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SECONDS)

    def ask(self, method: str, path: str, secret: str | None = None, body: object = None, **headers: str) -> Answer:
        """One request; ``X_API_Key="…"`` is a header."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if secret is not None:
            sent["Authorization"] = f"Bearer {secret}"
        if body is not None:
            sent["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            response = connection.getresponse()
            return Answer(response.status, response.headers, json.loads(response.read()))
        finally:
            connection.close()

    def api(self, method: str, path: str, secret: str | None = None, body: object = None) -> Answer:
        return self.ask(method, f"/api/v1{path}", secret, body)

    def page(self, who: str, method: str = "GET", path: str = "", body: object = None) -> Answer:
        """The page of tokens, as somebody sees it who is signed in."""
        if who not in self.cookies:
            signed_in = self.api("POST", "/auth/login", body={"username": who, "password": who})
            self.cookies[who] = signed_in.headers["Set-Cookie"].partition(";")[0]
        return self.ask(method, f"/admin/api-tokens{path}", body=body, Cookie=self.cookies[who])

    def token(self, who: str, scopes: str, **more: str) -> str:
        """The secret of a new token."""
        made = self.page(who, "POST", body={"name": f"token {next(self.names)}", "scopes": scopes} | more)
        assert made.status == 201, made
        return made.json["token"]

    def person(self, name: str, role: str) -> None:
        """Somebody new, whose password is the name, too."""
        from werkzeug.security import generate_password_hash

        self.write("INSERT INTO user (name, password, role) VALUES (?, ?, ?)", name, generate_password_hash(name), role)

    def write(self, statement: str, *values: object, database: Path | None = None) -> None:
        """Change a database behind the server's back."""
        connection = sqlite3.connect(database or self.database, timeout=SECONDS)
        with connection:
            connection.execute(statement, values)
        connection.close()

    def command(self, *arguments: str) -> Any:
        """What a command of scopeware prints as JSON."""
        done = subprocess.run(
            [sys.executable, "-m", "scopeware", *arguments, "--policy", "policy.toml", "--json"],
            cwd=FOLDER,
            env=self.environ,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr.decode()


def waited_for(found: Callable[[], Any]) -> Any:
    """What `found` returns, once that is something."""
    deadline = time.monotonic() + SECONDS
    while not (answer := found()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return answer


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    assert made.stop() == 0
    assert "Traceback" not in (made.folder / "err").read_text("utf-8")


class TestResources:
    """Each endpoint of the document with its scope, and beside it without."""

    def test_projects_are_read(self, site):
        """The list and one of them; with the scope of another resource neither."""
        secret = site.token("alice", "read:projects")
        assert [each["name"] for each in site.api("GET", "/projects", secret).json["project"]][:2] == [
            "Website",
            "Migration",
        ]
        assert site.api("GET", "/projects/1", secret).json["name"] == "Website"
        assert site.api("GET", "/projects/1", site.token("alice", "write:tasks")).status == 403

    def test_projects_are_written(self, site):
        """Made, changed, archived; who may only read is refused, and nothing happens."""
        reader, writer = site.token("alice", "read:projects"), site.token("alice", "write:projects")
        assert site.api("POST", "/projects", reader, {"name": "No"}).status == 403
        made = site.api("POST", "/projects", writer, {"name": "New Project", "status": "active"})
        assert (made.status, made.json["name"], made.json["status"]) == (201, "New Project", "active")
        path = f"/projects/{made.json['id']}"
        assert site.api("PUT", path, reader, {"name": "No"}).status == 403
        assert site.api("PUT", path, writer, {"name": "Newer"}).json["name"] == "Newer"
        assert site.api("DELETE", path, reader).status == 403
        assert site.api("DELETE", path, writer).status == 200
        assert (site.api("GET", path, reader).json["name"], site.api("GET", path, reader).json["status"]) == (
            "Newer",
            "archived",
        )

    def test_time_entries_are_read(self, site):
        """The list, from a date on, and one of them."""
        secret = site.token("alice", "read:time_entries")
        everything = site.api("GET", "/time-entries?end_date=2024-12-31", secret).json["time_entry"]
        assert [each["notes"] for each in everything] == ["layout", "call"]
        late = site.api("GET", "/time-entries?start_date=2024-02-01&end_date=2024-12-31", secret).json["time_entry"]
        assert [each["notes"] for each in late] == ["call"]
        assert site.api("GET", "/time-entries/1", secret).json["hours"] == 2
        assert site.api("GET", "/time-entries", site.token("alice", "read:reports")).status == 403

    def test_time_entries_are_written(self, site):
        """Made, changed, deleted; who may only read is refused."""
        reader, writer = site.token("bob", "read:time_entries"), site.token("bob", "write:time_entries")
        entry = {"project_id": 1, "start_time": "2025-03-01T08:00:00Z", "end_time": "2025-03-01T08:30:00Z"}
        assert site.api("POST", "/time-entries", reader, entry).status == 403
        made = site.api("POST", "/time-entries", writer, entry)
        assert (made.status, made.json["user"], made.json["hours"]) == (201, "bob", 0.5)
        path = f"/time-entries/{made.json['id']}"
        assert site.api("PUT", path, reader, {"notes": "no"}).status == 403
        assert site.api("PUT", path, writer, {"notes": "yes"}).json["notes"] == "yes"
        assert site.api("DELETE", path, reader).status == 403
        assert site.api("DELETE", path, writer).status == 200
        assert site.api("GET", path, writer).status == 404

    def test_the_timer_is_read_and_run(self, site):
        """Its state with the reading scope, starting and stopping with the writing one; it is one's own."""
        reader, writer = site.token("alice", "read:time_entries"), site.token("alice", "write:time_entries")
        assert site.api("GET", "/timer/status", reader).json == {"active": False, "timer": None}
        assert site.api("POST", "/timer/start", reader, {"project_id": 1}).status == 403
        started = site.api("POST", "/timer/start", writer, {"project_id": 1})
        assert (started.status, started.json["end_time"]) == (201, None)
        assert site.api("GET", "/timer/status", reader).json["timer"]["id"] == started.json["id"]
        assert site.api("GET", "/timer/status", site.token("root", "read:time_entries")).json["active"] is False
        assert site.api("POST", "/timer/start", writer, {"project_id": 1}).status == 409
        assert site.api("POST", "/timer/stop", reader).status == 403
        assert site.api("POST", "/timer/stop", writer).json["end_time"] is not None
        assert site.api("POST", "/timer/stop", writer).status == 409

    def test_tasks_are_read(self, site):
        """The list, of a project and in a state, and one of them."""
        secret = site.token("alice", "read:tasks")
        assert site.api("GET", "/tasks?project_id=1&status=todo", secret).json["task"][0]["name"] == "Front page"
        assert site.api("GET", "/tasks?project_id=2&status=todo", secret).json == {"task": []}
        assert site.api("GET", "/tasks/2", secret).json["name"] == "Dry run"
        assert site.api("GET", "/tasks/2", site.token("alice", "read:projects")).status == 403

    def test_tasks_are_written(self, site):
        """Made, changed, deleted; who may only read is refused."""
        reader, writer = site.token("alice", "read:tasks"), site.token("alice", "write:tasks")
        task = {"name": "New Task", "project_id": 2, "status": "done"}
        assert site.api("POST", "/tasks", reader, task).status == 403
        made = site.api("POST", "/tasks", writer, task)
        path = f"/tasks/{made.json['id']}"
        assert made.status == 201
        assert site.api("PUT", path, reader, {"status": "todo"}).status == 403
        assert site.api("PUT", path, writer, {"status": "review"}).json["status"] == "review"
        assert site.api("DELETE", path, reader).status == 403
        assert site.api("DELETE", path, writer).status == 200
        assert site.api("GET", path, reader).status == 404

    def test_clients_are_read(self, site):
        """The list and one of them; their contacts are something else."""
        secret = site.token("alice", "read:clients")
        assert site.api("GET", "/clients", secret).json["client"][0]["name"] == "Acme"
        assert site.api("GET", "/clients/2", secret).json["name"] == "Initech"
        assert site.api("GET", "/clients/2", site.token("alice", "write:contacts")).status == 403
        assert site.api("GET", "/clients/2/contacts", secret).status == 403

    def test_clients_are_written(self, site):
        """Made, changed, deleted; who may only read is refused. What projects need stays."""
        reader, writer = site.token("alice", "read:clients"), site.token("alice", "write:clients")
        client = {"name": "New Client", "email": "client@example.com"}
        assert site.api("POST", "/clients", reader, client).status == 403
        made = site.api("POST", "/clients", writer, client)
        path = f"/clients/{made.json['id']}"
        assert (made.status, made.json["email"]) == (201, "client@example.com")
        assert site.api("PUT", path, reader, {"name": "No"}).status == 403
        assert site.api("PUT", path, writer, {"name": "Yes"}).json["name"] == "Yes"
        assert site.api("DELETE", path, reader).status == 403
        assert site.api("DELETE", path, writer).status == 200
        assert site.api("GET", path, reader).status == 404
        assert site.api("DELETE", "/clients/1", writer).status == 422

    def test_reports_are_read(self, site):
        """A summary between two dates; with another scope none."""
        secret = site.token("alice", "read:reports")
        january = site.api("GET", "/reports/summary?start_date=2024-01-01&end_date=2024-01-31", secret)
        assert january.json == {"entries": 1, "hours": 2}
        assert site.api("GET", "/reports/summary", site.token("alice", "read:time_entries")).status == 403

    def test_everybody_may_look_at_themselves(self, site):
        """With read:users; without it not."""
        for who, role in (("alice", "user"), ("root", "admin")):
            me = site.api("GET", "/users/me", site.token(who, "read:users"))
            assert (me.status, me.json["user"]) == (200, {"name": who, "role": role})
            assert site.api("GET", "/users/me", site.token(who, "write:projects")).status == 403

    def test_the_list_of_users_is_for_administrators(self, site):
        """It takes admin:all, which nobody else is granted; read:users is not enough, not even with that role."""
        everyone = site.api("GET", "/users", site.token("root", "admin:all"))
        assert {"alice", "bob", "root"} <= {user["name"] for user in everyone.json["users"]}
        assert site.api("GET", "/users", site.token("root", "read:users")).status == 403
        assert site.api("GET", "/users", site.token("root", "read:*")).status == 403
        assert site.api("GET", "/users", site.token("alice", "read:users")).status == 403

    def test_what_the_application_has_not_is_its_own_404(self, site):
        """The gate lets the request pass with the scope, and not without it."""
        answer = site.api("GET", "/webhooks", site.token("alice", "read:webhooks"))
        assert (answer.status, answer.json["error"]) == (404, "Not Found")
        assert site.api("GET", "/webhooks", site.token("alice", "read:projects")).status == 403

    def test_either_of_two_scopes_will_do(self, site):
        """Inventory is read with its own scope, or with that of projects; with neither the body names both."""
        for scope in ("read:inventory", "read:projects"):
            assert site.api("GET", "/inventory/items", site.token("alice", scope)).status == 404
        refused = site.api("GET", "/inventory/items", site.token("alice", "write:tasks"))
        assert refused.status == 403
        assert refused.json["required_scope"] == "read:inventory or read:projects"
        assert refused.json["message"] == "This endpoint requires the 'read:inventory' or 'read:projects' scope"

    @pytest.mark.parametrize(
        "body",
        [None, [], {}, {"name": None}, {"name": []}, {"name": "x", "client_id": 99}, {"name": "x", "client_id": 2**80}],
    )
    def test_bodies_that_cannot_be_are_told(self, site, body):
        """422, and nothing is made."""
        secret = site.token("alice", "write:projects")
        before = site.api("GET", "/projects", secret).json
        assert site.api("POST", "/projects", secret, body).status == 422
        assert site.api("GET", "/projects", secret).json == before


class TestWhoseItIs:
    def test_others_entries_are_not_there(self, site):
        """Neither in the list nor by their number, to read or to write, whatever the scopes of the token."""
        secret = site.token("alice", "write:time_entries")
        shown = site.api("GET", "/time-entries", secret).json["time_entry"]
        assert {entry["user"] for entry in shown} == {"alice"}
        for method, body in (("GET", None), ("PUT", {"notes": "mine"}), ("DELETE", None)):
            theirs = site.api(method, "/time-entries/3", secret, body)
            nobodys = site.api(method, "/time-entries/99999", secret, body)
            assert (theirs.status, theirs.json) == (nobodys.status, nobodys.json)
            assert theirs.status == 404
        assert site.api("GET", "/time-entries/3", site.token("bob", "read:time_entries")).json["notes"] == "texts"

    def test_administrators_see_and_change_all_entries(self, site):
        """With the scope; without it their role does not help."""
        secret = site.token("root", "write:time_entries")
        shown = site.api("GET", "/time-entries", secret).json["time_entry"]
        assert {entry["user"] for entry in shown} >= {"alice", "bob"}
        changed = site.api("PUT", "/time-entries/2", secret, {"notes": "call"})
        assert (changed.status, changed.json["user"]) == (200, "alice")
        assert site.api("GET", "/time-entries", site.token("root", "write:projects")).status == 403

    def test_reports_are_about_oneself(self, site):
        """For administrators about everybody."""
        path = "/reports/summary?start_date=2024-01-01&end_date=2024-01-31"
        assert site.api("GET", path, site.token("bob", "read:reports")).json == {"entries": 1, "hours": 3}
        assert site.api("GET", path, site.token("root", "read:reports")).json == {"entries": 2, "hours": 5}

    def test_nobody_makes_entries_for_others(self, site):
        """What the body says about that is not looked at."""
        body = {"project_id": 1, "user": "bob", "end_time": "2030-01-01T00:00:00Z"}
        made = site.api("POST", "/time-entries", site.token("alice", "write:time_entries"), body)
        assert made.json["user"] == "alice"
        site.api("DELETE", f"/time-entries/{made.json['id']}", site.token("alice", "write:time_entries"))


class TestTheWriteWithoutAToken:
    PATH = "/clients/2/invoice-unbilled"

    def test_the_policy_lets_every_token_pass(self, site):
        """Whatever its scopes; the caller's own hours are billed, once."""
        site.person("erin", "user")
        entry = {"project_id": 2, "start_time": "2025-01-01T08:00:00Z", "end_time": "2025-01-01T12:00:00Z"}
        assert site.api("POST", "/time-entries", site.token("erin", "write:time_entries"), entry).status == 201
        secret = site.token("erin", "read:webhooks")
        billed = site.api("POST", self.PATH, secret)
        assert (billed.status, billed.json) == (201, {"client_id": 2, "entries": 1, "hours": 4})
        assert site.api("POST", self.PATH, secret).json["entries"] == 0

    def test_the_application_refuses_whoever_is_not_signed_in(self, site):
        """Where the policy says nothing; a token that does not work is refused, too."""
        refused = site.api("POST", self.PATH)
        assert refused.status == 401
        assert refused.headers["WWW-Authenticate"].startswith("Bearer ")
        secret = site.token("alice", "read:webhooks")
        assert site.api("POST", self.PATH, f"{secret[:-1]}{'a' if secret[-1] != 'a' else 'b'}").status == 401


class TestWordsForManyScopes:
    @pytest.mark.parametrize(
        ("word", "reads", "writes", "administers"),
        [
            ("read:*", True, False, False),
            ("write:*", True, True, False),
            ("*", True, True, True),
            ("admin:all", True, True, True),
        ],
    )
    def test_words_for_many_scopes(self, site, word, reads, writes, administers):
        """What each is worth, for an administrator."""
        secret = site.token("root", word)
        assert (site.api("GET", "/clients", secret).status == 200) is reads
        made = site.api("POST", "/clients", secret, {"name": "Many"})
        assert (made.status == 201) is writes
        assert made.status in (201, 403)
        assert (site.api("GET", "/users", secret).status == 200) is administers

    @pytest.mark.parametrize("word", MANY)
    def test_words_for_many_scopes_are_refused_to_others(self, site, word):
        """When the token is made, by the page; also beside what is fine."""
        for scopes in (word, f"read:projects,{word}"):
            made = site.page("alice", "POST", body={"name": "more", "scopes": scopes})
            assert made.status == 422
            assert word in made.json["message"]
            assert "token" not in made.json
        assert site.page("alice", "POST", body={"name": "more", "preset": "admin"}).status == 422

    def test_they_are_worth_nothing_after_a_demotion(self, site):
        """From the next request on; what was granted besides goes on. Promoted again, they are what they were."""
        site.person("carol", "admin")
        secrets = {word: site.token("carol", f"{word},read:tasks") for word in MANY}
        for secret in secrets.values():
            assert site.api("GET", "/clients", secret).status == 200
        site.write("UPDATE user SET role = 'user' WHERE name = 'carol'")
        for secret in secrets.values():
            assert site.api("GET", "/clients", secret).status == 403
            assert site.api("GET", "/users", secret).status == 403
            assert site.api("GET", "/tasks", secret).status == 200
        site.write("UPDATE user SET role = 'admin' WHERE name = 'carol'")
        assert {site.api("GET", "/clients", secret).status for secret in secrets.values()} == {200}

    @pytest.mark.parametrize(
        ("scope", "reads", "writes", "path"),
        [
            ("read:projects", True, False, "/projects"),
            ("write:projects", True, True, "/projects"),
            ("read:time_entries", True, False, "/time-entries"),
            ("write:time_entries", True, True, "/time-entries"),
            ("read:tasks", True, False, "/tasks"),
            ("write:tasks", True, True, "/tasks"),
            ("read:clients", True, False, "/clients"),
            ("write:clients", True, True, "/clients"),
            ("read:reports", True, False, "/time-off/holidays"),
            ("read:users", True, False, "/users/me"),
            ("admin:all", True, True, "/tax-rules"),
        ],
    )
    def test_the_reference_table(self, walker, site, scope, reads, writes, path):
        """Writing includes reading; only admin:all is for administrators only."""
        assert (walker.ask("GET", f"/api/v1{path}", scope) == 200) is reads
        assert (walker.ask("POST", f"/api/v1{path}", scope) == 200) is writes
        made = site.page("alice", "POST", body={"name": f"row {scope}", "scopes": scope})
        assert (made.status == 201) is (scope != "admin:all")


class TestRefusals:
    def test_a_refusal_says_what_is_required(self, site):
        """The document's example, member by member; and in the challenge."""
        secret = site.token("alice", "read:projects,read:time_entries")
        refused = site.api("POST", "/projects", secret, {"name": "Test"})
        assert refused.status == 403
        assert refused.json == {
            "error": "Insufficient permissions",
            "message": "This endpoint requires the 'write:projects' scope",
            "required_scope": "write:projects",
            "available_scopes": ["read:projects", "read:time_entries"],
        }
        assert 'error="insufficient_scope"' in refused.headers["WWW-Authenticate"]
        assert 'scope="write:projects"' in refused.headers["WWW-Authenticate"]
        assert refused.headers["Cache-Control"] == "no-store"

    def test_the_order_of_the_checks(self, site):
        """The token, its scopes, the resource, the user: each is looked at only where the one before is fine."""
        nothing, other = "/time-entries/99999", "/time-entries/3"
        assert site.api("GET", nothing, "tt_000").status == 401
        assert site.api("GET", nothing, site.token("alice", "read:tasks")).status == 403
        assert site.api("GET", nothing, site.token("root", "read:time_entries")).status == 404
        assert site.api("GET", other, site.token("alice", "read:time_entries")).status == 404
        assert site.api("GET", other, site.token("root", "read:time_entries")).status == 200

    def test_tokens_travel_in_three_ways(self, site):
        """`Bearer`, `Token` and `X-API-Key` come to the same; two at once to nothing, Basic neither."""
        secret = site.token("alice", "read:projects")
        ways = ({"Authorization": f"Bearer {secret}"}, {"Authorization": f"Token {secret}"}, {"X_API_Key": secret})
        for headers in ways:
            assert site.ask("GET", "/api/v1/projects", **headers).status == 200
            assert site.ask("POST", "/api/v1/projects", **headers).status == 403
        assert site.ask("GET", "/api/v1/projects", secret, X_API_Key=secret).status == 400
        assert site.ask("GET", f"/api/v1/projects?token={secret}").status == 401
        refused = site.ask("GET", "/api/v1/projects", Authorization=f"Basic {secret}")
        assert refused.status == 401
        assert refused.headers.get_all("WWW-Authenticate")[0].startswith("Bearer ")
        assert len(refused.headers.get_all("WWW-Authenticate")) == 1

    def test_tokens_work_from_their_networks(self, site):
        """Here they are asked from 127.0.0.1."""
        assert site.api("GET", "/projects", site.token("alice", "read:projects", networks="127.0.0.0/8")).status == 200
        elsewhere = site.token("alice", "read:projects", networks="192.0.2.0/24, 2001:db8::/32")
        assert site.api("GET", "/projects", elsewhere).status == 403
        assert site.ask("GET", "/api/v1/projects", elsewhere, X_Forwarded_For="192.0.2.7").status == 403

    def test_the_tokens_of_who_is_not_active_do_not_work(self, site):
        """From the next request on, nor does the session."""
        site.person("dave", "user")
        secret = site.token("dave", "read:projects")
        assert site.api("GET", "/projects", secret).status == 200
        site.write("UPDATE user SET active = 0 WHERE name = 'dave'")
        assert site.api("GET", "/projects", secret).status == 401
        assert site.page("dave").status == 401


class TestThePage:
    """/admin/api-tokens: for people who are signed in."""

    def test_the_page_offers_what_can_be_selected(self, site):
        """Scopes and presets that the caller can be granted: admin:all to administrators only."""
        offered = site.page("alice").json
        assert {*offered["presets"]} == {*PRESETS} - {"admin"}
        scopes = {entry["scope"] for row in offered["scopes"] for entry in row["scopes"]}
        assert "write:projects" in scopes
        assert "admin:all" not in scopes
        assert {*site.page("root").json["presets"]} == {*PRESETS}
        more = {entry["scope"] for row in site.page("root").json["scopes"] for entry in row["scopes"]}
        assert more - scopes == {"admin:all"}

    def test_a_token_is_made_of_a_preset(self, site):
        """With its scopes; not of one that there is not, nor with more."""
        made = site.page("bob", "POST", body={"name": "timer", "preset": "mobile-timer"})
        assert made.json["scopes"] == ["read:projects", "write:time_entries", "read:tasks"]
        assert site.api("GET", "/timer/status", made.json["token"]).status == 200
        assert site.api("GET", "/reports/summary", made.json["token"]).status == 403
        assert site.page("bob", "POST", body={"name": "other", "preset": "nothing"}).status == 422
        more = {"name": "other", "preset": "mobile-timer", "scopes": "write:clients"}
        assert site.page("bob", "POST", body=more).status == 422

    def test_the_secret_is_shown_once(self, site):
        """`tt_`, and 36 characters; in an answer that nobody keeps, and never again."""
        made = site.page("bob", "POST", body={"name": "once", "scopes": "read:tasks"})
        assert re.fullmatch(r"tt_[0-9A-Za-z]{36}", made.json["token"])
        assert made.headers["Cache-Control"] == "no-store"
        listed = site.page("bob")
        assert listed.headers["Cache-Control"] == "no-store"
        assert made.json["token"] not in json.dumps(listed.json)
        stored = (site.folder / "tokens.db").read_bytes()
        assert made.json["token"].encode() not in stored

    def test_a_token_without_a_scope_is_not_made(self, site):
        """Nor one with a scope that there is not, whose near matches are named."""
        for scopes in ("", " , "):
            assert site.page("bob", "POST", body={"name": "none", "scopes": scopes}).status == 422
        assert site.page("bob", "POST", body={"name": "none"}).status == 422
        unknown = site.page("bob", "POST", body={"name": "none", "scopes": "projects:read"})
        assert unknown.status == 422
        assert "read:projects" in unknown.json["message"]

    def test_a_token_for_each_integration(self, site):
        """The three of the document, at the same time, each with its own scopes."""
        timer, reports = (
            site.token("root", "read:projects,write:time_entries"),
            site.token("root", "read:*,read:reports"),
        )
        script = site.token("root", "admin:all")
        statuses = {
            secret: [site.api("GET", path, secret).status for path in ("/projects", "/reports/summary", "/users")]
            for secret in (timer, reports, script)
        }
        assert list(statuses.values()) == [[200, 403, 403], [200, 200, 403], [200, 200, 200]]

    def test_tokens_are_reviewed(self, site):
        """One sees one's own, with their scopes and when they were last used; administrators see all."""
        site.token("alice", "read:tasks")
        site.token("root", "read:tasks")
        mine = site.page("alice").json["tokens"]
        assert {token["owner"] for token in mine} == {"alice"}
        assert ["read:tasks"] in [token["scopes"] for token in mine]
        assert all({"hint", "last_used_at", "expires_at", "status"} <= {*token} for token in mine)
        assert {token["owner"] for token in site.page("root").json["tokens"]} >= {"alice", "root"}

    def test_scopes_are_taken_away(self, site):
        """From a token that goes on with the same secret; none are added, and not to others' tokens."""
        made = site.page("bob", "POST", body={"name": "review", "scopes": "write:projects,read:tasks"}).json
        assert site.api("GET", "/tasks", made["token"]).status == 200
        assert site.page("bob", "PATCH", f"/{made['id']}", {"scopes": "read:projects"}).json["scopes"] == [
            "read:projects"
        ]
        assert site.api("GET", "/projects", made["token"]).status == 200
        assert site.api("GET", "/tasks", made["token"]).status == 403
        assert site.page("bob", "PATCH", f"/{made['id']}", {"scopes": "read:projects,read:tasks"}).status == 422
        assert site.page("alice", "PATCH", f"/{made['id']}", {"name": "mine"}).status == 404

    def test_tokens_expire(self, site):
        """When they were told to, by default after a while; afterwards they are refused."""
        made = site.page("bob", "POST", body={"name": "short", "scopes": "read:tasks", "expires_in": "7d"}).json
        left = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
        assert timedelta(days=6) < left <= timedelta(days=7, seconds=1)
        usual = site.page("bob", "POST", body={"name": "usual", "scopes": "read:tasks"}).json
        assert usual["expires_at"] is not None
        for when in ("0d", "yesterday"):
            asked = {"name": "past", "scopes": "read:tasks", "expires_in": when}
            assert site.page("bob", "POST", body=asked).status == 422
        assert site.api("GET", "/tasks", made["token"]).status == 200
        site.write(
            "UPDATE scopeware_token SET expires_at = 1 WHERE id = ?", made["id"], database=site.folder / "tokens.db"
        )
        assert site.api("GET", "/tasks", made["token"]).status == 401

    def test_tokens_are_rotated(self, site):
        """The new one has the scopes of the old one, which is over."""
        old = site.page("bob", "POST", body={"name": "turn", "scopes": "read:tasks"}).json
        new = site.page("bob", "POST", f"/{old['id']}/rotate")
        assert (new.status, new.json["name"], new.json["scopes"]) == (201, "turn", ["read:tasks"])
        assert site.api("GET", "/tasks", new.json["token"]).status == 200
        assert site.api("GET", "/tasks", old["token"]).status == 401
        assert site.page("alice", "POST", f"/{new.json['id']}/rotate").status == 404

    def test_tokens_are_ended(self, site):
        """By their owner or an administrator, effective at once; for others they are not there."""
        first, second = (
            site.page("bob", "POST", body={"name": name, "scopes": "read:tasks"}).json for name in ("one", "two")
        )
        assert site.page("alice", "DELETE", f"/{first['id']}").status == 404
        assert site.api("GET", "/tasks", first["token"]).status == 200
        for who, token in (("bob", first), ("root", second)):
            assert site.page(who, "DELETE", f"/{token['id']}").json == {"revoked": True}
            assert site.api("GET", "/tasks", token["token"]).status == 401

    @pytest.mark.parametrize("path", ["", "/", "/1", "/1/rotate", "/nothing"])
    def test_no_token_gets_there(self, site, path):
        """Not even an administrator's; nor does nobody."""
        secret = site.token("root", "admin:all")
        for method in ("GET", "POST", "PATCH", "DELETE"):
            assert site.ask(method, f"/admin/api-tokens{path}", secret).status == 403
            assert site.ask(method, f"/admin/api-tokens{path}").status == 401

    def test_a_session_is_for_the_page(self, site):
        """The API takes tokens: a session has no scopes, and nobody would ask it for any."""
        assert site.page("root").status == 200
        assert site.ask("GET", "/api/v1/users", Cookie=site.cookies["root"]).status == 401
        assert site.ask("GET", "/api/v1/projects", Cookie=site.cookies["root"]).status == 401
        assert site.ask("GET", "/admin/api-tokens", Cookie="timetracker_session=guess").status == 401

    def test_signing_in_takes_the_password(self, site):
        """The cookie is for no script and no other site."""
        for body in (
            {"username": "alice", "password": "x"},
            {"username": "nobody", "password": "x"},
            {"username": "alice"},
        ):
            refused = site.api("POST", "/auth/login", body=body)
            assert refused.status == 403
            assert "Set-Cookie" not in refused.headers
        cookie = site.api("POST", "/auth/login", body={"username": "alice", "password": "alice"}).headers["Set-Cookie"]
        assert {"HttpOnly", "Path=/admin", "SameSite=Strict"} <= {*cookie.split("; ")}


class TestWhatIsWrittenDown:
    def test_what_tokens_are_used_for_is_written_down(self, site):
        """Who did what with which token, and what was refused; the page shows when a token was last used."""
        made = site.page("bob", "POST", body={"name": "watched", "scopes": "read:tasks"}).json
        site.api("GET", "/tasks", made["token"])
        site.api("DELETE", "/tasks/1", made["token"])
        store = TokenStore.connect(site.tokens)
        wanted = LogFilter(token_id=made["id"])
        records = waited_for(lambda: len(found := store.access_log().latest(wanted)) == 2 and found)
        # Requests stand in the order in which they ended: an answer can be read before its server is done with it.
        assert sorted((record.entry.method, record.entry.path, record.entry.status) for record in records) == [
            ("DELETE", "/api/v1/tasks/1", 403),
            ("GET", "/api/v1/tasks", 200),
        ]
        assert {record.entry.code for record in records if record.entry.status == 403} == {"insufficient_scope"}
        assert {record.entry.owner for record in records} == {"bob"}
        assert store.access_log().latest(wanted, reader="alice") == []
        store.close()

        def last_used():
            return next(token["last_used_at"] for token in site.page("bob").json["tokens"] if token["id"] == made["id"])

        assert waited_for(last_used) is not None


class TestTheCommandLine:
    """What the page does, by command."""

    def test_a_token_is_made_of_a_preset(self, site):
        """And works; a preset for administrators is refused to others."""
        create = ("token", "create", "--database", site.tokens, "--name", "by command", "--owner")
        status, made = site.command(*create, "bob", "--preset", "dashboard")
        assert (status, made["scopes"]) == (0, "read:projects,read:time_entries,read:reports")
        assert site.api("GET", "/reports/summary", made["secret"]).status == 200
        assert site.api("POST", "/projects", made["secret"], {"name": "no"}).status == 403
        status, error = site.command(*create, "alice", "--preset", "admin")
        assert status == 2
        assert "admin:all" in error
        status, made = site.command(*create, "root", "--preset", "admin")
        assert (status, made["scopes"], made["owner_role"]) == (0, "admin:all", "admin")
        assert site.api("GET", "/users", made["secret"]).status == 200

    def test_the_scopes_are_listed_with_the_presets(self, site):
        """All of both."""
        status, listed = site.command("scopes", "list")
        assert status == 0
        text = json.dumps(listed)
        assert all(f'"{name}"' in text for name in PRESETS)
        assert all(f'"{scope}"' in text for scope in ("read:projects", "write:webhooks", "admin:all"))


# -- the application itself, strictly


def load_example(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, FOLDER / "app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_application_keeps_to_the_rules_of_wsgi(tmp_path):
    """Gate and application through wsgiref.validate, for every kind of answer."""
    application = load_example("timetracker_example").TimeTracker(tmp_path / "time.db")
    store = TokenStore.connect(f"sqlite:///{tmp_path / 'tokens.db'}", accounts=application.account)
    text = (FOLDER / "policy.toml").read_text("utf-8")
    policy = Policy.loads(re.sub(r"(?ms)^\[hooks\].*?(?=^\[)", "", text))
    gate = Scopeware(application, policy, store, identify=application.identify)
    client = webtest.TestApp(validator(gate), lint=False)
    client.authorization = ("Bearer", store.issue(owner="root", name="all", scopes="admin:all").secret)
    client.get("/api/v1/info", status=200)
    client.head("/api/v1/projects", status=200)
    client.post_json("/api/v1/projects", {"name": "New"}, status=201)
    client.get("/api/v1/projects/99", status=404)
    client.put("/api/v1/users", status=405)
    client.get("/admin/api-tokens", status=403)
    client.authorization = None
    client.get("/api/v1/projects", status=401)
    client.post_json("/api/v1/auth/login", {"username": "root", "password": "root"}, status=200)
    assert client.get("/admin/api-tokens", status=200).json["tokens"][0]["name"] == "all"
    store.close()


def test_the_module_makes_the_application_when_it_is_asked_for(tmp_path, monkeypatch):
    """Once, in the file that the environment names; it has no other attribute like that."""
    monkeypatch.setenv("TIMETRACKER_DATABASE", str(tmp_path / "named.db"))
    example = load_example("timetracker_example_again")
    assert not (tmp_path / "named.db").exists()
    assert example.app is example.app
    assert (tmp_path / "named.db").exists()
    assert not hasattr(example, "nothing")


CLASSES = [found for name, found in list(globals().items()) if name.startswith("Test")]
