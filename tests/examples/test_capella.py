"""The collaboration manager of examples/capella: what Capella's page on access control says, line by line, and shown.

The claims are driven over HTTP against ``scopeware run``, as the README starts it; where many requests are needed, or
users change, a gate in this process with `wsgiref.validate` in between.
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
import types
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from calls import Reply, call_gate

from scopeware import Policy, Scopeware, TokenStore

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "capella"
FACTS = json.loads((ROOT / "tests" / "data" / "capella-permissions.json").read_text("utf-8"))
SECONDS = 20

ACCESS, PROTECT, GLOBAL, PROJECT = "Access Control", "Protect a route", "Global scope", "Project scope"
UPSTREAM = "(the code that the page is about)"

CLAIMS = [
    # where, what it says, what shows it
    (ACCESS, "routes can be protected", "test_whoever_brings_nothing_is_refused"),
    (ACCESS, "a permission is a resource and a verb", "test_a_permission_is_a_resource_and_a_verb"),
    (UPSTREAM, "which verbs each resource has", "test_every_resource_has_its_verbs"),
    (ACCESS, "permissions are grouped into scopes", "test_the_scopes_are_headings_that_cannot_be_granted"),
    (ACCESS, "a role has access to a scope", "test_a_role_has_the_permissions_that_upstream_gives_it"),
    (ACCESS, "there is a global scope", "test_a_permission_of_the_global_scope_is_bound_to_nothing"),
    (ACCESS, "there is a project scope", "test_a_permission_of_a_project_holds_there_alone"),
    (ACCESS, "all permissions are on the token page", "test_the_overview_shows_what_the_roles_of_who_asks_have"),
    (ACCESS, "what a route needs is in the API document", "test_each_protected_operation_names_its_permission"),
    (PROTECT, "a route is protected where it is defined", "test_the_decorator_decides_as_the_policy_does"),
    (PROTECT, "the permission gets into the API document by itself", "test_another_policy_makes_another_document"),
    (GLOBAL, "GET of `configuration` in `admin` is required", "test_the_configuration_takes_its_permission"),
    (GLOBAL, "the text says UPDATE, the code GET", "test_where_text_and_code_differ_the_code_counts"),
    (GLOBAL, "logged in, without a permission", "test_who_is_signed_in_needs_no_permission_for_that"),
    (PROJECT, "UPDATE of `root` in that project is required", "test_a_project_takes_its_permission"),
    (UPSTREAM, "who has signed in may do what the role says", "test_a_session_does_what_the_roles_allow"),
    (UPSTREAM, "a token does no more than the role of its owner", "test_a_token_does_no_more_than_the_role"),
    (UPSTREAM, "nor than the role in the project", "test_a_token_does_no_more_than_the_role_in_the_project"),
    (UPSTREAM, "whoever sees an internal project reads it", "test_an_internal_project_is_read_by_everybody"),
    (UPSTREAM, "global project rights hold in all projects", "test_rights_in_all_projects_are_inherited"),
    (UPSTREAM, "and only for administrators", "test_nobody_inherits_what_the_role_has_not"),
    (UPSTREAM, "requested and actual scopes of a token differ", "test_a_demotion_shows_and_holds"),
    (UPSTREAM, "and in a project", "test_a_demotion_in_a_project_shows_and_holds_there"),
    (UPSTREAM, "tokens are made by people who sign in", "test_no_token_makes_sees_or_ends_tokens"),
    (UPSTREAM, "the secret is shown once", "test_the_secret_is_in_the_first_answer_only"),
]


def test_every_claim_is_shown_and_every_section_has_claims():
    """No claim without a test, none twice, none of the four sections left out."""
    shown = [test for _, _, test in CLAIMS]
    assert [test for test in shown if not callable(globals().get(test))] == []
    assert len(set(shown)) == len(shown)
    assert {where for where, _, _ in CLAIMS} == {ACCESS, PROTECT, GLOBAL, PROJECT, UPSTREAM}


# -- the site, as a process and in this one


@dataclass
class Site:
    """The application behind its gate, and the people who use it.

    :param ask: sends a request.
    :param store: the tokens, as somebody with the command line has them.
    """

    ask: Callable[..., Reply]
    store: TokenStore
    cookies: dict[str, str] = field(default_factory=dict)
    made: int = 0

    def sign_in(self, name: str) -> str:
        """The cookie of a user who has signed in."""
        if name not in self.cookies:
            reply = self.ask("POST", "/api/v1/authentication/session", body={"name": name, "password": "coffee"})
            self.cookies[name] = (reply.header("Set-Cookie") or "").partition(";")[0]
        return self.cookies[name]

    def create(self, name: str, *scopes: str, **more: str) -> Reply:
        """What a user who asks for a token is answered."""
        self.made += 1
        body = {"name": f"token {self.made}", "scopes": ",".join(scopes), **more}
        return self.ask("POST", "/api/v1/users/current/tokens", cookie=self.sign_in(name), body=body)

    def token(self, name: str, *scopes: str) -> str:
        """The secret of a new token that a user has made."""
        reply = self.create(name, *scopes)
        assert reply.status == 201, reply
        secret: str = reply.json["secret"]
        return secret

    def given(self, name: str, *scopes: str) -> str:
        """The secret of a token that was made at the command line, where nobody asks what the role allows."""
        self.made += 1
        return self.store.issue(owner=name, name=f"given {self.made}", scopes=",".join(scopes)).secret

    def codes(self, secret: str, *requests: tuple[str, str]) -> list[str | int]:
        """The code of each refusal, the status of what was let in."""
        return [outcome(self.ask(*request, token=secret)) for request in requests]


def outcome(reply: Reply) -> str | int:
    """The code of a refusal, or the status of an answer of the application's."""
    return reply.code or reply.status


def headers_of(token: str | None, cookie: str | None) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return headers | ({"Cookie": cookie} if cookie else {})


def sample(method: str) -> dict[str, str] | None:
    """A body that the application takes."""
    return {"description": "new", "volume": "new"} if method in ("POST", "PUT", "PATCH") else None


@pytest.fixture(scope="module")
def policy() -> Policy:
    """The policy of the example."""
    return Policy.load(FOLDER / "policy.toml")


@pytest.fixture(scope="module")
def example() -> types.ModuleType:
    """The module of the application, under a name of its own."""
    spec = importlib.util.spec_from_file_location("capella_example", FOLDER / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, policy: Policy) -> Iterator[Site]:
    """The site as its README starts it, with its databases elsewhere."""
    folder = tmp_path_factory.mktemp("capella")
    database = f"sqlite:///{folder / 'tokens.db'}"
    arguments = ["run", "app:app", "--policy", "policy.toml", "--database", database, "--port", "0", "--json"]
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "scopeware", *arguments],
            cwd=FOLDER,
            env=os.environ | {"CAPELLA_DATABASE": str(folder / "capella.db")},
            stdout=out,
            stderr=err,
        )
    try:
        port = awaited_port(process, folder / "err")

        def ask(
            method: str, path: str, *, token: str | None = None, cookie: str | None = None, body: Any = None
        ) -> Reply:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
            try:
                sent = body or sample(method)
                headers = headers_of(token, cookie) | ({"Content-Type": "application/json"} if sent else {})
                connection.request(method, path, json.dumps(sent) if sent else None, headers)
                got = connection.getresponse()
                return Reply(got.status, got.reason, got.getheaders(), got.read(), None)
            finally:
                connection.close()

        store = TokenStore.connect(
            database, vocabulary=policy.vocabulary, roles=policy.roles, prefix=policy.options.token_prefix
        )
        yield Site(ask, store)
        store.close()
    finally:
        process.terminate()
        process.wait(SECONDS)


def awaited_port(process: subprocess.Popen[bytes], said: Path) -> int:
    """The port that the server says it got."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(r"http://127\.0\.0\.1:([0-9]+)", said.read_text("utf-8"))
        if found:
            return int(found[1])
        time.sleep(0.02)
    raise AssertionError(f"it does not listen: {said.read_text('utf-8')}")


@pytest.fixture(scope="module")
def fresh(example: types.ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database that the application starts with."""
    path = tmp_path_factory.mktemp("fresh") / "capella.db"
    example.Manager(path)
    return path


@pytest.fixture
def make_site(example: types.ModuleType, fresh: Path, tmp_path: Path) -> Iterator[Callable[[Policy], Site]]:
    """``make_site(policy)``: the site in this process, everything as at the start."""
    stores = []

    def make(rules: Policy) -> Site:
        manager = example.Manager(shutil.copy(fresh, tmp_path / "capella.db"))
        store = TokenStore.connect(f"sqlite:///{tmp_path / 'tokens.db'}")
        stores.append(store)
        # Where the policy's hooks say that it is.
        module = types.ModuleType("app")
        module.app = manager  # type: ignore[attr-defined]
        with patch.dict(sys.modules, {"app": module}):
            gate = Scopeware(manager, rules, store)

        def ask(
            method: str, path: str, *, token: str | None = None, cookie: str | None = None, body: Any = None
        ) -> Reply:
            sent = body or sample(method)
            environ = {"body": json.dumps(sent).encode(), "CONTENT_TYPE": "application/json"} if sent else {}
            headers = {name.lower(): value for name, value in headers_of(token, cookie).items()}
            return call_gate(gate, method, path, environ=environ, **headers)

        return Site(ask, store)

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def site(make_site: Callable[[Policy], Site], policy: Policy) -> Site:
    """The site in this process, with the policy of the example."""
    return make_site(policy)


# -- permissions, scopes and roles

CONFIGURATION = ("GET", "/api/v1/configurations/global")
PROJECTS = ("GET", "/api/v1/projects")
COFFEE = "/api/v1/projects/coffee-machine"
ROCKET = "/api/v1/projects/rocket"
LIBRARY = "/api/v1/projects/library"
ME = ("GET", "/api/v1/users/current")
TOKENS = "/api/v1/users/current/tokens"
LACKS, OUT = "insufficient_scope", "resource_out_of_reach"


def test_whoever_brings_nothing_is_refused(live):
    """Everywhere but where one signs in and where the API document is; and so is whoever brings nonsense."""
    for request in (CONFIGURATION, PROJECTS, ("PATCH", COFFEE), ME, ("GET", TOKENS), ("GET", "/api/v1/nowhere")):
        reply = live.ask(*request)
        assert (reply.status, reply.code) == (401, "token_required")
        assert any('realm="capella"' in challenge for challenge in reply.all("WWW-Authenticate"))
        assert live.ask(*request, cookie="capella_session=guessed").code == "token_required"
        assert live.ask(*request, token="collab_guessed").code == "token_invalid"
    assert live.ask("GET", "/api/openapi.json").status == 200


def test_a_permission_is_a_resource_and_a_verb(live):
    """The resource with another verb will not do, nor another resource with the verb, nor all of both."""
    requests = [CONFIGURATION, ("PUT", CONFIGURATION[1])]
    assert live.codes(live.token("root", "admin.configuration:get"), *requests) == [200, LACKS]
    assert live.codes(live.token("root", "admin.configuration:update"), *requests) == [LACKS, 200]
    assert live.codes(live.token("root", "admin.events:get", "admin.users:update"), *requests) == [LACKS, LACKS]
    reply = live.ask(*CONFIGURATION, token=live.token("root", "admin.events:get"))
    assert reply.json["required_scopes"] == ["admin.configuration:get"]


def test_every_resource_has_its_verbs(policy):
    """As upstream has them, and no others; but for tokens, which no token touches here."""
    expected = {
        f"{resource}:{verb}"
        for resource, verbs in FACTS["resources"].items()
        for verb in verbs
        if resource != "user.tokens"
    }
    assert set(policy.vocabulary.scopes) == expected


@pytest.mark.parametrize(
    "word", ["user:get", "admin:update", "project:get", "admin:*", "admin.users", "get:admin.users"]
)
def test_the_scopes_are_headings_that_cannot_be_granted(live, word):
    """`user`, `admin` and `project` group permissions and are none; the spelling is the dotted one."""
    assert live.create("root", word).status == 422
    assert live.create("root", "admin.users:get").status == 201


@pytest.mark.parametrize("role", FACTS["roles"])
def test_a_role_has_the_permissions_that_upstream_gives_it(policy, role):
    """Each of them, in the global scope or in that of a project, and no other."""
    patterns = FACTS["roles"][role]
    expected = {
        scope for scope in policy.vocabulary.scopes if scope in patterns or f"{scope.partition('.')[0]}.*" in patterns
    }
    held = {scope for scope in policy.vocabulary.scopes if scope in policy.roles.ceiling(role)}
    # What an administrator may do in projects comes of `admin.projects`, which stands for all of `project`.
    assert {scope for scope in held if role != "admin" or not scope.startswith("project.")} == expected


def test_a_permission_of_the_global_scope_is_bound_to_nothing(live):
    """It holds for the site; bound to a project it is worth nothing, and nobody is given that who asks for it."""
    assert live.codes(live.token("root", "admin.configuration:get"), CONFIGURATION) == [200]
    assert live.codes(live.given("root", "admin.configuration:get@coffee-machine"), CONFIGURATION) == [OUT]
    for name, scope in (("root", "admin.configuration:get"), ("alice", "user.sessions:get")):
        assert live.create(name, f"{scope}@coffee-machine").status == 403
        assert live.create(name, scope).status == 201


def test_a_permission_of_a_project_holds_there_alone(live):
    """In another one it is out of reach, in the same words as in one that is not there."""
    secret = live.token("alice", "project.root:get@coffee-machine")
    assert live.codes(secret, ("GET", COFFEE), ("GET", LIBRARY)) == [200, OUT]
    there, missing = (live.ask("GET", f"/api/v1/projects/{slug}", token=secret) for slug in ("rocket", "nothing"))
    assert there.body.replace(b"rocket", b"") == missing.body.replace(b"nothing", b"")
    assert (there.status, there.code) == (missing.status, missing.code) == (403, OUT)
    assert [row["slug"] for row in live.ask(*PROJECTS, token=secret).json] == ["coffee-machine"]


@pytest.mark.parametrize(
    ("name", "headings"),
    [
        ("root", {"user", "admin", "project"}),
        ("alice", {"user", "project"}),
        ("dave", {"user", "project"}),
    ],
)
def test_the_overview_shows_what_the_roles_of_who_asks_have(live, policy, name, headings):
    """For a session and for any token; each with its description; and what it shows can be asked for."""
    shown = live.ask("GET", "/api/v1/permissions", cookie=live.sign_in(name)).json
    assert shown == live.ask("GET", "/api/v1/permissions", token=live.token(name, "user.sessions:get")).json
    assert all(row["description"] for row in shown)
    scopes = [entry["scope"] for row in shown for entry in row["scopes"]]
    assert {scope.partition(".")[0] for scope in scopes} == headings
    assert scopes == [scope for scope in policy.vocabulary.scopes if scope in scopes]
    assert "project.root:update" in scopes
    asked = [f"{scope}@coffee-machine" if scope.startswith("project.") else scope for scope in scopes]
    assert live.create(name, *asked).status == (403 if name == "dave" else 201)


def test_the_overview_of_a_reader_shows_what_readers_have(live):
    """carol is a member of one project, and reads it."""
    shown = live.ask("GET", "/api/v1/permissions", cookie=live.sign_in("carol")).json
    scopes = {entry["scope"] for row in shown for entry in row["scopes"] if row["category"].startswith("project.")}
    assert scopes == set(FACTS["roles"]["read-only"])


# -- one route, protected in the two ways


def test_the_configuration_takes_its_permission(live):
    """GET of `configuration` in the `admin` group of the global scope."""
    assert live.codes(live.token("root", "admin.configuration:get"), CONFIGURATION) == [200]
    everything_else = [scope for scope in live.store.vocabulary.scopes if scope != "admin.configuration:get"]
    assert live.codes(live.token("root", *everything_else), CONFIGURATION) == [LACKS]


def test_where_text_and_code_differ_the_code_counts(live):
    """The page's example has `configuration={GET}`, and the sentence below it UPDATE: that alone is refused."""
    for path in (CONFIGURATION[1], "/decorated/configuration"):
        assert live.codes(live.token("root", "admin.configuration:update"), ("GET", path)) == [LACKS]
        assert live.codes(live.token("root", "admin.configuration:get"), ("GET", path)) == [200]


def test_who_is_signed_in_needs_no_permission_for_that(live):
    """By a session, or with whatever token that works; nobody else."""
    for path in (ME[1], "/decorated/me"):
        assert live.ask("GET", path, cookie=live.sign_in("alice")).json == {"name": "alice", "role": "user"}
        for scope in ("user.feedback:create", "project.root:get@coffee-machine"):
            assert live.ask("GET", path, token=live.token("alice", scope)).json["name"] == "alice"
        assert live.ask("GET", path).code == "token_required"
        assert live.ask("GET", path, token="collab_guessed").code == "token_invalid"
        ended = live.create("alice", "user.feedback:create").json
        live.ask("DELETE", f"{TOKENS}/{ended['id']}", cookie=live.sign_in("alice"))
        assert live.ask("GET", path, token=ended["secret"]).code == "token_revoked"


def test_a_project_takes_its_permission(live):
    """UPDATE of `root` in the project that the path names; not the verb elsewhere, nor another verb there."""
    for path in ("/api/v1/projects", "/decorated/projects"):
        here, there = ("PATCH", f"{path}/coffee-machine"), ("PATCH", f"{path}/library")
        assert live.codes(live.token("alice", "project.root:update@coffee-machine"), here, there) == [200, OUT]
        assert live.codes(live.token("alice", "project.root:get@coffee-machine"), here, there) == [LACKS, LACKS]
        assert live.codes(live.token("alice", "project.project_users:update@coffee-machine"), here) == [LACKS]


CALLERS = {
    "nobody": None,
    "an administrator's session": ("root",),
    "a manager's session": ("alice",),
    "a reader's session": ("carol",),
    "a stranger's session": ("dave",),
    "a token for something else": ("root", "admin.events:get"),
    "the other verb": ("root", "admin.configuration:update"),
    "the permission": ("root", "admin.configuration:get"),
    "the permission, and no administrator": ("alice", "admin.configuration:get"),
    "the permission of the project": ("alice", "project.root:update@coffee-machine"),
    "of another project": ("alice", "project.root:update@rocket"),
    "of all projects": ("alice", "project.root:update"),
    "of the project, and a reader": ("carol", "project.root:update@coffee-machine"),
    "of the project, and a stranger": ("dave", "project.root:update@coffee-machine"),
    "of all projects, and an administrator": ("root", "admin.projects:update"),
    "of all projects, and no administrator": ("dave", "admin.projects:update"),
}


@pytest.mark.parametrize("caller", CALLERS.values(), ids=list(CALLERS))
def test_the_decorator_decides_as_the_policy_does(site, caller):
    """With a permission of the global scope, with one of a project, just signed in: both ways answer the same."""
    known = {}
    if caller is not None:
        name, *scopes = caller
        known = {"token": site.given(name, *scopes)} if scopes else {"cookie": site.sign_in(name)}
    pairs = [
        (CONFIGURATION, ("GET", "/decorated/configuration")),
        (("PATCH", COFFEE), ("PATCH", "/decorated/projects/coffee-machine")),
        (("PATCH", ROCKET), ("PATCH", "/decorated/projects/rocket")),
        (("PATCH", "/api/v1/projects/nothing"), ("PATCH", "/decorated/projects/nothing")),
        (ME, ("GET", "/decorated/me")),
    ]
    for by_policy, by_decorator in pairs:
        ruled, decorated = site.ask(*by_policy, **known), site.ask(*by_decorator, **known)
        assert (outcome(ruled), ruled.status) == (outcome(decorated), decorated.status), by_policy
        if ruled.code in (LACKS, OUT):
            assert ruled.json["required_scopes"] == decorated.json["required_scopes"]


# -- the API document


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of everything in an API document."""
    return [
        (method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]


def concrete(path: str) -> str:
    """A path that a template stands for, of something that is there."""
    known = {"project_slug": "coffee-machine", "username": "carol", "token_id": "999"}
    return re.sub(r"\{(\w+)\}", lambda match: known[match[1]], path)


def test_each_protected_operation_names_its_permission(site):
    """And 401 and 403; what it says is what the gate does: that permission lets in, all others together do not."""
    document = site.ask("GET", "/api/openapi.json").json
    named = {}
    for method, path, operation in operations(document):
        request = (method, concrete(path))
        if path in ("/api/openapi.json", "/api/v1/authentication/session"):
            assert (operation["security"], set(operation["responses"])) == ([], {"default"})
            continue
        assert "401" in operation["responses"]
        assert site.ask(*request).code == "token_required"
        if "x-required-scopes" not in operation:
            continue
        [scopes] = named[method, path] = operation["x-required-scopes"]
        assert operation["security"] == [{"token": scopes}]
        assert all(f"`{scope}`" in operation["responses"]["403"]["description"] for scope in scopes)
        # Those of all projects stand for each.
        known = [scope for scope in site.store.vocabulary.scopes if not scope.startswith("admin.projects:")]
        assert site.codes(site.given("root", *set(known) - set(scopes)), request) == [LACKS]
        assert isinstance(site.codes(site.given("root", *scopes), request)[0], int)
    assert named["GET", "/api/v1/configurations/global"] == [["admin.configuration:get"]]
    assert named["GET", "/decorated/configuration"] == [["admin.configuration:get"]]
    assert named["PATCH", "/api/v1/projects/{project_slug}"] == [["project.root:update"]]
    assert named["PATCH", "/decorated/projects/{project_slug}"] == [["project.root:update"]]
    assert named["POST", "/api/v1/projects"] == [["user.projects:create"]]
    assert {path for _, path, _ in operations(document)} - {path for _, path in named} == {
        "/api/openapi.json",
        "/api/v1/authentication/session",
        "/api/v1/permissions",
        "/api/v1/users/current",
        "/api/v1/users/current/tokens",
        "/api/v1/users/current/tokens/{token_id}",
        "/decorated/me",
    }


def test_another_policy_makes_another_document(make_site):
    """Nothing else says what a route needs: the application's own file has the permission of no route of the policy."""
    text = (FOLDER / "policy.toml").read_text("utf-8")
    changed = text.replace('scopes = ["admin.configuration"]', 'scopes = ["admin.tools"]')
    site = make_site(Policy.loads(changed, source="policy.toml"))
    paths = site.ask("GET", "/api/openapi.json").json["paths"]
    assert paths["/api/v1/configurations/global"]["get"]["x-required-scopes"] == [["admin.tools:get"]]
    assert site.codes(site.token("root", "admin.tools:get"), CONFIGURATION) == [200]
    assert site.codes(site.token("root", "admin.configuration:get"), CONFIGURATION) == [LACKS]


# -- token ∩ role


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("root", [200, 200, 200, 200, 200, 200]),
        ("alice", [LACKS, 200, 200, 200, OUT, LACKS]),
        ("carol", [LACKS, 200, 200, LACKS, OUT, LACKS]),
        ("dave", [LACKS, 200, OUT, OUT, 200, LACKS]),
    ],
)
def test_a_session_does_what_the_roles_allow(live, name, expected):
    """Of the site, and in each project: with no token, and no more than with one."""
    requests = [CONFIGURATION, PROJECTS, ("GET", COFFEE), ("PATCH", COFFEE), ("GET", ROCKET), ("PATCH", LIBRARY)]
    assert [outcome(live.ask(*request, cookie=live.sign_in(name))) for request in requests] == expected
    shown = [row["slug"] for row in live.ask(*PROJECTS, cookie=live.sign_in(name)).json]
    readable = [slug for slug, at in (("coffee-machine", 2), ("rocket", 4)) if expected[at] == 200]
    assert shown == sorted([*readable, "library"])


def test_a_token_does_no_more_than_the_role(live):
    """What was granted beyond it, at the command line, is worth nothing; here nobody gets it."""
    assert live.codes(live.given("alice", "admin.configuration:get", "user.sessions:get"), CONFIGURATION) == [LACKS]
    refused = live.create("alice", "user.sessions:get", "admin.configuration:get")
    assert (refused.status, "admin.configuration:get" in refused.json["detail"]) == (403, True)
    assert live.codes(live.token("root", "admin.configuration:get"), CONFIGURATION) == [200]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("alice", [200, 200, 200, 200, 200]),
        ("bob", [200, LACKS, LACKS, 200, 200]),
        ("carol", [200, LACKS, LACKS, 200, LACKS]),
        ("dave", [OUT, OUT, OUT, OUT, OUT]),
    ],
    ids=["manager", "read-write", "read-only", "stranger"],
)
def test_a_token_does_no_more_than_the_role_in_the_project(live, name, expected):
    """Though it was granted everything there, or everything everywhere."""
    requests = [
        ("GET", COFFEE),
        ("PATCH", COFFEE),
        ("GET", f"{COFFEE}/users"),
        ("GET", f"{COFFEE}/volume"),
        ("PUT", f"{COFFEE}/volume"),
    ]
    everything = [scope for scope in live.store.vocabulary.scopes if scope.startswith("project.")]
    assert live.codes(live.given(name, *everything), *requests) == expected
    assert live.codes(live.given(name, *(f"{scope}@coffee-machine" for scope in everything)), *requests) == expected
    assert live.create(name, "project.root:update@coffee-machine").status == (201 if name == "alice" else 403)
    assert live.create(name, "project.root:update").status == 403


def test_an_internal_project_is_read_by_everybody(live):
    """And no more than read; a private one is not even there."""
    secret = live.token("dave", "project.root:get@library")
    assert live.codes(secret, ("GET", LIBRARY), ("PATCH", LIBRARY), ("GET", COFFEE)) == [200, LACKS, OUT]
    assert live.create("dave", "project.root:get@coffee-machine").status == 403
    assert live.create("dave", "project.root:get@nothing").json == {
        "detail": live.create("dave", "project.root:get@coffee-machine")
        .json["detail"]
        .replace("coffee-machine", "nothing")
    }


def test_rights_in_all_projects_are_inherited(live):
    """A verb of `admin.projects` is that verb of every resource in every project, whoever is a member there."""
    reading, updating = live.token("root", "admin.projects:get"), live.token("root", "admin.projects:update")
    for path in (COFFEE, ROCKET, LIBRARY):
        requests = [("GET", path), ("GET", f"{path}/users"), ("PATCH", path), ("PUT", f"{path}/volume")]
        assert live.codes(reading, *requests) == [200, 200, LACKS, LACKS]
        assert live.codes(updating, *requests) == [LACKS, LACKS, 200, 200]
    assert len(live.ask(*PROJECTS, token=reading).json) == 3
    bound = live.token("root", "project.root:get@rocket")
    assert live.codes(bound, ("GET", ROCKET), ("GET", COFFEE)) == [200, OUT]


def test_nobody_inherits_what_the_role_has_not(live):
    """The same words on tokens of others open nothing, not even where they are members."""
    for name in ("alice", "dave"):
        assert live.create(name, "admin.projects:get").status == 403
        secret = live.given(name, "admin.projects:get", "user.sessions:get")
        assert live.ask("GET", ROCKET if name == "alice" else COFFEE, token=secret).status == 403
    assert live.ask("GET", ROCKET, token=live.given("alice", "project.root:get@rocket")).code == OUT


# -- requested and actual


def scopes_of(site: Site, name: str, token_id: int) -> tuple[list[str], list[str]]:
    """What was requested for a token, and what it actually has, as its owner sees it."""
    rows = site.ask("GET", TOKENS, cookie=site.sign_in(name)).json
    [row] = [row for row in rows if row["id"] == token_id]
    return row["requested_scopes"], row["actual_scopes"]


def test_a_demotion_shows_and_holds(site):
    """An administrator's token once its owner is a user: what was requested stays, what it may do is less, at once."""
    root = site.token("root", "admin.users:update")
    role = ("PATCH", "/api/v1/users/dave")
    assert site.ask(*role, token=root, body={"role": "admin"}).json == {"name": "dave", "role": "admin"}
    asked = ["user.sessions:get", "admin.configuration:get", "admin.projects:get"]
    made = site.create("dave", *asked).json
    bound = ["project.root:update@coffee-machine", "project.root:update@rocket"]
    other = site.create("dave", *bound).json
    requests = [CONFIGURATION, ("GET", COFFEE), ("GET", "/api/v1/sessions")]

    def seen() -> list[Any]:
        return [
            scopes_of(site, "dave", made["id"]),
            site.codes(made["secret"], *requests),
            scopes_of(site, "dave", other["id"]),
            site.codes(other["secret"], ("PATCH", COFFEE), ("PATCH", ROCKET)),
        ]

    as_administrator = [(asked, asked), [200, 200, 200], (bound, bound), [200, 200]]
    assert seen() == as_administrator
    site.ask(*role, token=root, body={"role": "user"})
    # He is a manager of the rocket all the same.
    assert seen() == [(asked, asked[:1]), [LACKS, OUT, 200], (bound, bound[1:]), [OUT, 200]]
    site.ask(*role, token=root, body={"role": "admin"})
    assert seen() == as_administrator


def test_a_demotion_in_a_project_shows_and_holds_there(site):
    """Of a member who may write, to one who may read, to none."""
    alice = site.token(
        "alice", "project.project_users:update@coffee-machine", "project.project_users:delete@coffee-machine"
    )
    asked = ["project.shared_volumes:get@coffee-machine", "project.shared_volumes:update@coffee-machine"]
    made = site.create("bob", *asked).json
    requests = [("GET", f"{COFFEE}/volume"), ("PUT", f"{COFFEE}/volume")]
    assert scopes_of(site, "bob", made["id"]) == (asked, asked)
    assert site.codes(made["secret"], *requests) == [200, 200]

    site.ask("PATCH", f"{COFFEE}/users/bob", token=alice, body={"role": "read-only"})
    assert scopes_of(site, "bob", made["id"]) == (asked, asked[:1])
    assert site.codes(made["secret"], *requests) == [200, LACKS]

    site.ask("DELETE", f"{COFFEE}/users/bob", token=alice)
    assert scopes_of(site, "bob", made["id"]) == (asked, [])
    assert site.codes(made["secret"], *requests) == [OUT, OUT]


def test_what_was_granted_in_all_projects_shows_where_it_holds(site):
    """At the command line a grant may be bound to none; actual are the projects where its owner has the right."""
    token = site.store.issue(owner="alice", name="wide", scopes="project.root:update,project.root:get").token
    actual = ["project.root:get@coffee-machine", "project.root:get@library", "project.root:update@coffee-machine"]
    assert scopes_of(site, "alice", token.id) == (["project.root:get", "project.root:update"], actual)


# -- the token page


@pytest.mark.parametrize(
    "scopes", [["user.sessions:get"], ["admin.users:update", "admin.projects:delete"], ["project.root:get@rocket"]]
)
def test_no_token_makes_sees_or_ends_tokens(live, scopes):
    """Whatever it may do otherwise: that takes a person who has signed in."""
    made = live.create("root", *scopes).json
    for request in (("GET", TOKENS), ("POST", TOKENS), ("DELETE", f"{TOKENS}/{made['id']}")):
        assert live.ask(*request, token=made["secret"]).code == "session_required"
    assert live.ask("DELETE", f"{TOKENS}/{made['id']}", cookie=live.sign_in("alice")).status == 404
    assert live.ask("DELETE", f"{TOKENS}/{made['id']}", cookie=live.sign_in("root")).status == 200
    assert live.ask(*ME, token=made["secret"]).code == "token_revoked"


def test_the_secret_is_in_the_first_answer_only(live):
    """And that is not to be kept by anyone on the way; nor is the cookie to be read by scripts or sent by others."""
    made = live.create("alice", "user.sessions:get", expires_in="7d")
    assert (made.header("Cache-Control"), made.json["secret"].startswith("collab_")) == ("no-store", True)
    assert made.json["secret"] not in live.ask("GET", TOKENS, cookie=live.sign_in("alice")).body.decode()
    reply = live.ask("POST", "/api/v1/authentication/session", body={"name": "bob", "password": "coffee"})
    attributes = set((reply.header("Set-Cookie") or "").split("; ")[1:])
    assert {"HttpOnly", "SameSite=Strict"} <= attributes
    assert reply.header("Cache-Control") == "no-store"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "bob", "password": "tea"}, 401),
        ({"name": "nobody", "password": "coffee"}, 401),
        ({"name": "bob", "password": ""}, 422),
        ({"name": ["bob"], "password": "coffee"}, 422),
        ({"name": "bob"}, 422),
        (["bob", "coffee"], 422),
    ],
)
def test_a_wrong_password_signs_nobody_in(live, body, status):
    """Nor does nonsense, and no cookie is set."""
    reply = live.ask("POST", "/api/v1/authentication/session", body=body)
    assert (reply.status, reply.header("Set-Cookie")) == (status, None)


def test_signing_out_ends_the_session(site):
    """The cookie is worth nothing then."""
    cookie = site.sign_in("alice")
    assert site.ask(*ME, cookie=cookie).status == 200
    assert site.ask("DELETE", "/api/v1/authentication/session", cookie=cookie).status == 200
    assert site.ask(*ME, cookie=cookie).code == "token_required"


@pytest.mark.parametrize(
    ("change", "code"),
    [("UPDATE login SET expires_at = 1", None), ("UPDATE user SET active = 0 WHERE name = 'alice'", "owner_inactive")],
    ids=["the session has expired", "the user is not active"],
)
def test_who_was_signed_in_once_is_not_for_ever(site, tmp_path, change, code):
    """Sessions end, and so does everything of a user who is no longer active."""
    cookie, secret = site.sign_in("alice"), site.token("alice", "user.sessions:get")
    assert site.ask(*ME, cookie=cookie).status == 200
    with closing(sqlite3.connect(tmp_path / "capella.db")) as database, database:
        database.execute(change)
    assert site.ask(*ME, cookie=cookie).code == "token_required"
    assert site.ask(*ME, token=secret).code == code
    body = {"name": "alice", "password": "coffee"}
    assert site.ask("POST", "/api/v1/authentication/session", body=body).status == (401 if code else 200)


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x", "scopes": ""},
        {"name": "x", "scopes": "admin.nothing:get"},
        {"name": "x", "scopes": "user.sessions:get", "expires_in": "never"},
        {"name": "x", "scopes": "user.sessions:get", "expires_in": "10y"},
        {"name": "x", "scopes": "user.sessions:get", "expires_in": 7},
        {"name": "", "scopes": "user.sessions:get"},
        {"scopes": "user.sessions:get"},
        {"name": "x", "scopes": ["user.sessions:get"]},
    ],
)
def test_a_token_that_cannot_be_is_not_made(site, body):
    """What is wrong is told, and nothing is written."""
    cookie = site.sign_in("carol")
    assert site.ask("POST", TOKENS, cookie=cookie, body=body).status == 422
    assert site.ask("GET", TOKENS, cookie=cookie).json == []


# -- projects come and go


def test_a_new_project_is_its_maker_s(site):
    """Who makes one manages it; the slug cannot be taken twice."""
    secret = site.token("carol", "user.projects:create")
    body = {"name": "Tea Pot"}
    assert site.ask("POST", PROJECTS[1], token=secret, body=body).json["slug"] == "tea-pot"
    assert site.ask("POST", PROJECTS[1], token=secret, body=body).status == 409
    assert site.ask("POST", PROJECTS[1], token=site.token("carol", "user.sessions:get"), body=body).code == LACKS
    assert site.codes(site.token("carol", "project.root:update@tea-pot"), ("PATCH", "/api/v1/projects/tea-pot")) == [
        200
    ]


def test_a_token_does_not_reach_another_project_of_the_same_name(site):
    """It ends with the project that it was bound to."""
    old = site.token("alice", "project.root:get@coffee-machine")
    assert site.codes(site.token("alice", "project.root:delete@coffee-machine"), ("DELETE", COFFEE)) == [200]
    maker = site.token("alice", "user.projects:create")
    assert site.ask("POST", PROJECTS[1], token=maker, body={"name": "Coffee Machine"}).status == 201
    assert site.codes(old, ("GET", COFFEE)) == ["token_revoked"]
    assert site.codes(site.token("alice", "project.root:get@coffee-machine"), ("GET", COFFEE)) == [200]


def test_what_a_permission_shows_is_no_more_than_its_resource(site):
    """The project does not tell what is in its shared workspace."""
    site.codes(site.token("alice", "project.shared_volumes:update@coffee-machine"), ("PUT", f"{COFFEE}/volume"))
    secret = site.token("alice", "project.root:get@coffee-machine")
    assert set(site.ask("GET", COFFEE, token=secret).json) == {"slug", "name", "description", "visibility"}
    assert site.codes(secret, ("GET", f"{COFFEE}/volume"), ("GET", f"{COFFEE}/users")) == [LACKS, LACKS]
    secret = site.token("alice", "project.root:update@coffee-machine")
    assert set(site.ask("PATCH", COFFEE, token=secret).json) == {"slug", "description"}


def test_adding_a_member_is_not_changing_one(site):
    """Two verbs: what adds members does not give those there are another role."""
    adding = site.token("alice", "project.project_users:create@coffee-machine")
    new, again = {"user": "dave", "role": "read-only"}, {"user": "dave", "role": "manager"}
    assert site.ask("POST", f"{COFFEE}/users", token=adding, body=new).json == new
    assert site.ask("POST", f"{COFFEE}/users", token=adding, body=again).status == 409
    assert site.codes(adding, ("PATCH", f"{COFFEE}/users/dave"), ("DELETE", f"{COFFEE}/users/dave")) == [LACKS, LACKS]
