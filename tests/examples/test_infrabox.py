"""The claims of the document that examples/infrabox follows, a pull request and its review, each with its tests.

Most are shown over HTTP, on ``scopeware run`` with the policy's own hooks; what needs many requests, or a look inside,
in this process.
"""

from __future__ import annotations

import http.client
import importlib.util
import itertools
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from calls import Recorder, Reply, call_gate

from scopeware import Policy, Scopeware, TokenStore
from scopeware.tokens import AccessLog, NoSuchToken, StoreUnavailable, schema

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "infrabox"
POLICY = FOLDER / "policy.toml"
HOST = "127.0.0.1"
SECONDS = 20
DAY = 86400

ROLES = ("viewer", "user", "devops", "admin")
NAMES = dict(zip(ROLES, ("vera", "uma", "dana", "adam"), strict=True))
VIEWER_SCOPES = "read:projects,read:builds,read:clusters"
OWN, AUDIT = "/api/v1/user/global-tokens", "/api/v1/admin/global-tokens"

# -- the document

CLAIMS = [
    # (where in the document, what it says, the tests that show it)
    ("description", "there is a role `viewer`", "test_each_role_may_what_the_table_says"),
    ("description", "a viewer may GET, and nothing else", "test_the_viewer_role_reads_and_nothing_else"),
    ("description", "personal tokens are kept in a table", "test_a_token_without_an_owner_cannot_be_stored"),
    ("description", "making one gives a secret", "test_the_secret_is_shown_once"),
    ("description", "it is accepted as its owner's, in the viewer role", "test_whoever_makes_it_a_token_only_reads"),
    ("description", "administrators have them under /admin", "test_an_administrator_sees_everybody_s_tokens"),
    ("description", "such a token reads projects", "test_it_sees_the_projects_that_its_owner_collaborates_on"),
    ("must fix", "failed requests are in the access log", "test_failures_are_in_the_access_log"),
    ("must fix", "deleting asks whose token it is", "test_another_s_token_is_as_one_that_does_not_exist"),
    ("should fix", "no comparison of levels lifts a viewer", "test_what_a_role_may_every_higher_role_may"),
    ("should fix", "no stored scope that is dead", "test_what_would_be_ignored_is_refused"),
    ("should fix", "the tables come in one migration", "test_the_tables_of_the_store_come_whole_or_not_at_all"),
    ("suggestions", "tokens expire", "test_an_expired_token_is_refused"),
    ("suggestions", "the log is kept for a time", "test_old_rows_of_the_log_are_removed"),
    ("on the code", "401 and 403 at least are logged, or everything", "test_failures_are_in_the_access_log"),
    ("on the code", "either scope_push means something, or it goes", "test_what_would_be_ignored_is_refused"),
    ("on the code", "viewer is below user", "test_what_a_role_may_every_higher_role_may"),
    ("on the code", "the query itself has the owner, always", "test_the_store_is_asked_for_the_caller_s_own"),
    ("on the code", "and a second layer asks whose it is", "test_the_store_asks_again_where_a_token_ends"),
    ("on the code", "no failure leaves a table half made", "test_the_tables_of_the_store_come_whole_or_not_at_all"),
    ("on the code", "no token without an owner", "test_a_token_without_an_owner_cannot_be_stored"),
    ("on the code", "old log rows: a job, or pruning by hand", "test_old_rows_of_the_log_are_removed"),
    ("on the code", "tokens expire, and the check looks at it", "test_an_expired_token_is_refused"),
    ("commits", "everyone makes, ends and looks at their own", "test_everyone_has_tokens_of_their_own"),
    ("commits", "a token has an owner and a date", "test_a_token_without_an_owner_cannot_be_stored"),
    ("commits", "projects are asked for by collaborator", "test_it_sees_the_projects_that_its_owner_collaborates_on"),
    ("commits", "every request with a token is logged", "test_failures_are_in_the_access_log"),
    ("commits", "list, create, delete, log: for anyone signed in", "test_everyone_has_tokens_of_their_own"),
    ("commits", "the administrators' list is for looking only", "test_nobody_writes_to_the_administrators_list"),
    ("commits", "users and tokens: one query for projects", "test_a_token_sees_what_its_owner_sees"),
    ("commits", "tokens do not get into administration", "test_no_token_gets_into_administration"),
    ("commits", "a project that is not shared is out of reach", "test_a_collaborator_who_leaves_is_out_at_once"),
    ("commits", "nobody unauthorized at any of the four", "test_no_token_makes_or_sees_tokens"),
    ("commits", "an unknown token is a 404", "test_another_s_token_is_as_one_that_does_not_exist"),
    ("commits", "dates are text", "test_a_token_lives_for_as_long_as_it_is_told"),
    ("commits", "the 404 names its status in the body", "test_another_s_token_is_as_one_that_does_not_exist"),
    ("commits", "no choice of scopes: tokens only read", "test_whoever_makes_it_a_token_only_reads"),
    ("commits", "(taken back) a token lists all projects", "test_it_sees_the_projects_that_its_owner_collaborates_on"),
    ("commits", "as by design: only where its owner is one", "test_a_token_sees_what_its_owner_sees"),
    ("commits", "a year, if nobody says", "test_a_token_lives_for_as_long_as_it_is_told"),
    ("commits", "past its expiry it is refused", "test_an_expired_token_is_refused"),
    ("commits", "from 1 to 3650 days", "test_an_expiry_out_of_bounds_is_refused_and_nothing_written"),
    ("commits", "the list tells the expiry", "test_a_token_lives_for_as_long_as_it_is_told"),
    ("commits", "failed requests are logged", "test_failures_are_in_the_access_log"),
    ("commits", "deleting is one step", "test_the_store_asks_again_where_a_token_ends"),
    ("commits", "viewer is the least role", "test_what_a_role_may_every_higher_role_may"),
    ("commits", "one migration with all columns", "test_the_tables_of_the_store_come_whole_or_not_at_all"),
    ("commits", "global tokens are always read-only", "test_whoever_makes_it_a_token_only_reads"),
    ("approval", "all answers are logged", "test_failures_are_in_the_access_log"),
    ("approval", "deleting has the owner in the query", "test_the_store_is_asked_for_the_caller_s_own"),
    ("approval", "viewer is below user", "test_what_a_role_may_every_higher_role_may"),
    ("approval", "one atomic schema", "test_the_tables_of_the_application_come_whole_or_not_at_all"),
    ("approval", "expiry in the schema and in the check", "test_an_expired_token_is_refused"),
    ("approval", "left: scope_push is stored, not enforced", "test_what_would_be_ignored_is_refused"),
    ("approval", "left: pruning is the operator's runbook", "test_old_rows_of_the_log_are_removed"),
    ("approval", "later: unknown kinds of token are refused", "test_a_credential_of_another_kind_is_refused"),
]

NOT_HERE = [
    # (where in the document, what it says, why it is not shown)
    ("suggestions", "local tooling belongs into another change", "about that change, not about tokens"),
    ("on the code", "the same", "about that change, not about tokens"),
    ("commits", "pages for own tokens and for the audit, menus", "there are no pages here; the API behind them is"),
    ("commits", "project tokens on the page of one's own", "a page over routes that are as before"),
    ("commits", "test set-up: truncating tables, three times", "each test makes its own data"),
    ("commits", "a page that did not load, fonts", "there are no pages here"),
    ("commits", "a proxy for development", "there are no pages here"),
    ("commits", "the order of a menu", "there are no pages here"),
    ("commits", "columns by name, not by index", "how a query is read; nobody sees it"),
    ("commits", "a warning 30 days before the end", "on a page; `scopeware token list --expiring 30d` shows those"),
    ("approval", "local tooling was split off", "about that change, not about tokens"),
]

OUTLINE = {"description": 7, "must fix": 2, "should fix": 3, "suggestions": 3, "on the code": 10}
OUTLINE |= {"commits": 33, "approval": 9}


def test_every_claim_of_the_document_has_its_test():
    """None is left out, none is bound to a test that is not there, and what is not shown says why."""
    shown = {name for name in globals() if name.startswith("test_")}
    assert {test for _, _, test in CLAIMS} <= shown
    assert all(reason for _, _, reason in NOT_HERE)
    places = [where for where, _, _ in CLAIMS + NOT_HERE]
    assert {where: places.count(where) for where in places} == OUTLINE


# -- what a role may: (method, path) -> the least role

LEAST = {
    ("GET", "/projects"): "viewer",
    ("POST", "/projects"): "user",
    ("GET", "/projects/1"): "viewer",
    ("GET", "/projects/1/collaborators"): "viewer",
    ("POST", "/projects/1/trigger"): "user",
    ("GET", "/projects/1/builds"): "viewer",
    ("GET", "/projects/1/builds/1"): "viewer",
    ("GET", "/projects/1/builds/1/jobs"): "viewer",
    ("GET", "/projects/1/builds/1/restart"): "user",
    ("GET", "/projects/1/builds/1/abort"): "user",
    ("GET", "/admin/clusters"): "viewer",
    ("POST", "/admin/clusters"): "devops",
    ("GET", "/admin/users"): "admin",
    ("POST", "/admin/users"): "admin",
}
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PROPFIND", "get", "JEFF")
PATHS = sorted({path for _, path in LEAST} | {"/projects/7/anything", "/user/global-tokens", "/admin/global-tokens"})


# -- in this process


class Local:
    """The gate in front of the application, on databases of its own, with the hooks that the policy names.

    :param app: what stands behind the gate instead of the application.
    """

    def __init__(self, folder: Path, seed: Path, monkeypatch: pytest.MonkeyPatch, app: Any = None) -> None:
        self.folder = folder
        shutil.copy(seed, folder / "infrabox.db")
        monkeypatch.setenv("INFRABOX_DATABASE", str(folder / "infrabox.db"))
        self.example = load_example()
        # The hooks are those of this very module.
        monkeypatch.setitem(sys.modules, "app", self.example)
        self.policy = Policy.load(POLICY)
        self.store = TokenStore.connect(f"sqlite:///{folder / 'tokens.db'}")
        self.gate = Scopeware(app or self.example.app, self.policy, self.store)
        self._count = itertools.count()

    def ask(self, method: str, path: str, body: Any = None, *, token: str = "", session: str = "") -> Reply:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        if session:
            headers["cookie"] = f"{self.example.COOKIE}={self.session(session)}"
        sent = {} if body is None else {"body": json.dumps(body).encode(), "CONTENT_TYPE": "application/json"}
        return call_gate(self.gate, method, path, environ=sent | {"REMOTE_ADDR": HOST}, **headers)

    def session(self, name: str) -> str:
        """A session as signing in makes one."""
        with closing(sqlite3.connect(self.folder / "infrabox.db")) as connection, connection:
            digest = self.example._digest(f"session of {name}")
            connection.execute("INSERT OR IGNORE INTO session VALUES (?, ?, ?)", (digest, name, int(time.time()) + 60))
        return f'"session of {name}"'

    def change(self, statement: str, *values: object) -> None:
        """Change the application's own tables."""
        with closing(sqlite3.connect(self.folder / "infrabox.db")) as connection, connection:
            connection.execute(statement, values)

    def all_scopes(self, owner: str) -> str:
        """A token that was granted everything, as only an operator can make one."""
        ceiling = self.policy.roles.ceiling("admin")
        return self.store.issue(owner=owner, name=f"all {next(self._count)}", scopes=ceiling).secret

    def viewer_token(self, owner: str) -> str:
        body = {"description": f"viewer {next(self._count)}"}
        return self.ask("POST", OWN, body, session=owner).json["token"]


def load_example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("infrabox_example", FOLDER / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as made:
        yield made


@pytest.fixture(scope="module")
def seed(tmp_path_factory) -> Path:
    """The application's database as it makes it. Hashing passwords takes its time."""
    path: Path = tmp_path_factory.mktemp("seed") / "infrabox.db"
    load_example().Server(path)
    return path


@pytest.fixture(scope="module")
def outline(tmp_path_factory, seed, patch) -> Iterator[Local]:
    """The policy in front of an application that lets everything pass."""
    made = Local(tmp_path_factory.mktemp("outline"), seed, patch, Recorder())
    yield made
    made.store.close()


@pytest.fixture
def local(tmp_path, seed, monkeypatch) -> Iterator[Local]:
    """The application, new."""
    made = Local(tmp_path, seed, monkeypatch)
    yield made
    made.store.close()


def passes(reply: Reply) -> bool:
    return reply.status not in (401, 403)


# -- over HTTP


@dataclass
class Answer:
    """An answer that came over the wire."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def same(self) -> tuple[int, list[tuple[str, str]], bytes]:
        """All of it but the time."""
        return self.status, [line for line in self.headers if line[0] != "Date"], self.body


@dataclass
class Site:
    """``scopeware run`` in the example's folder, as its README says."""

    folder: Path
    port: int = 0
    cookies: dict[str, str] = field(default_factory=dict)
    count: Iterator[int] = field(default_factory=itertools.count)

    @property
    def database(self) -> str:
        return f"sqlite:///{self.folder / 'tokens.db'}"

    @property
    def environ(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("SCOPEWARE_")}
        return kept | {"INFRABOX_DATABASE": str(self.folder / "infrabox.db")}

    def ask(self, method: str, path: str, body: Any = None, *, token: str = "", session: str = "") -> Answer:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if session:
            headers["Cookie"] = self.sign_in(session)
        sent = None if body is None else json.dumps(body)
        return self.send(method, path, sent, headers | ({"Content-Type": "application/json"} if sent else {}))

    def send(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Answer:
        with closing(http.client.HTTPConnection(HOST, self.port, timeout=SECONDS)) as connection:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())

    def sign_in(self, name: str) -> str:
        if name not in self.cookies:
            answer = self.ask("POST", "/api/v1/account/login", {"name": name, "password": "infrabox"})
            assert answer.status == 200
            self.cookies[name] = dict(answer.headers)["Set-Cookie"].partition(";")[0]
        return self.cookies[name]

    def make(self, owner: str, **fields: Any) -> dict[str, Any]:
        """A personal token, made by its owner."""
        answer = self.ask("POST", OWN, {"description": f"token {next(self.count)}"} | fields, session=owner)
        assert answer.status == 201, answer
        return answer.json

    def command(self, *arguments: str) -> Any:
        """What a command of ``scopeware`` says, as JSON."""
        done = subprocess.run(
            [sys.executable, "-m", "scopeware", *arguments, "--database", self.database, "--json"],
            cwd=FOLDER,
            env=self.environ,
            capture_output=True,
            timeout=SECONDS,
            check=True,
        )
        return json.loads(done.stdout)

    def log(self, token: int, owner: str, entries: int) -> list[dict[str, Any]]:
        """The access log of a token, once there are so many entries: it is written once a second."""
        until = time.monotonic() + SECONDS
        while True:
            found = self.ask("GET", f"{OWN}/{token}/access-log", session=owner).json
            if len(found) >= entries or time.monotonic() > until:
                return found
            time.sleep(0.1)

    def tables(self, name: str) -> sqlite3.Connection:
        return sqlite3.connect(self.folder / name, timeout=SECONDS)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("infrabox"))
    command = [sys.executable, "-m", "scopeware", "run", "app:app", "--policy", "policy.toml", "--port", "0", "--json"]
    with (made.folder / "out").open("wb") as out, (made.folder / "err").open("wb") as err:
        process = subprocess.Popen(
            [*command, "--database", made.database], cwd=FOLDER, env=made.environ, stdout=out, stderr=err
        )
    try:
        until = time.monotonic() + SECONDS
        while not made.port:
            said = (made.folder / "err").read_text("utf-8")
            assert process.poll() is None, said
            assert time.monotonic() < until, said
            found = re.search(r"http://[\d.]+:(\d+);", said)
            made.port = int(found[1]) if found else 0
            time.sleep(0.02)
        yield made
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
    assert "Traceback" not in (made.folder / "out").read_text("utf-8")


# -- roles


def test_what_a_role_may_every_higher_role_may(outline):
    """All pairs of roles: what the lower one may, with any method on any path, the higher one may, and something more.
    Roles are sets of scopes, so there is no number to compare."""
    may = {}
    for role, name in NAMES.items():
        secret = outline.all_scopes(name)
        asked = itertools.product(METHODS, PATHS)
        may[role] = {each for each in asked if passes(outline.ask(each[0], f"/api/v1{each[1]}", token=secret))}
    for lower, higher in itertools.combinations(ROLES, 2):
        assert may[lower] < may[higher]
        assert outline.policy.roles.ceiling(lower) <= outline.policy.roles.ceiling(higher)
        assert not outline.policy.roles.ceiling(higher) <= outline.policy.roles.ceiling(lower)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_what_the_table_says(outline, role):
    """A token that was granted everything may what its owner's role may, and no more."""
    secret = outline.all_scopes(NAMES[role])
    may = {each for each in LEAST if passes(outline.ask(each[0], f"/api/v1{each[1]}", token=secret))}
    assert may == {each for each, least in LEAST.items() if ROLES.index(least) <= ROLES.index(role)}


@pytest.mark.parametrize("role", ROLES)
def test_a_session_may_what_the_table_says(local, role):
    """Who is signed in without a token is held to the same table, by the same policy."""
    body = {"name": "spare"}
    refused = set()
    for method, path in LEAST:
        sent = body if method == "POST" else None
        if not passes(local.ask(method, f"/api/v1{path}", sent, session=NAMES[role])):
            refused.add((method, path))
    assert refused == {each for each, least in LEAST.items() if ROLES.index(least) > ROLES.index(role)}


def test_the_viewer_role_reads_and_nothing_else(outline):
    """By GET, HEAD and OPTIONS; every other method is refused everywhere, known or not, in any letters."""
    secret = outline.all_scopes("vera")
    for method, path in itertools.product(METHODS, PATHS):
        reply = outline.ask(method, f"/api/v1{path}", token=secret)
        if method not in ("GET", "HEAD", "OPTIONS"):
            assert reply.status == 403, (method, path)
    assert {outline.ask(method, "/api/v1/projects", token=secret).status for method in METHODS[:3]} == {200}


@pytest.mark.parametrize("how", ["restart", "abort"])
def test_a_get_that_changes_something_is_no_reading(site, how):
    """Builds are restarted and aborted by GET. The policy says what that is; a viewer's GET does not do it."""
    viewer = site.make("uma")["token"]
    jobs, path = "/api/v1/projects/1/builds/2/jobs", f"/api/v1/projects/1/builds/2/{how}"
    before = site.ask("GET", jobs, token=viewer).json
    answer = site.ask("GET", path, token=viewer)
    assert (answer.status, answer.json["required_scopes"]) == (403, ["write:builds"])
    assert site.ask("GET", path, session="vera").status == 403
    assert site.ask("GET", jobs, token=viewer).json == before
    assert site.ask("GET", path, session="uma").json[0]["state"] == {"restart": "queued", "abort": "killed"}[how]


# -- personal tokens


@pytest.mark.parametrize("name", NAMES.values())
def test_everyone_has_tokens_of_their_own(site, name):
    """Makes one, sees it in the list, uses it, ends it; then it is gone from the list, and works no more."""
    made = site.make(name)
    assert [each["id"] for each in site.ask("GET", OWN, session=name).json].count(made["id"]) == 1
    assert site.ask("GET", "/api/v1/projects", token=made["token"]).status == 200
    assert site.ask("DELETE", f"{OWN}/{made['id']}", session=name).status == 200
    refused = site.ask("GET", "/api/v1/projects", token=made["token"])
    assert (refused.status, refused.json["code"]) == (401, "token_revoked")
    assert made["id"] not in [each["id"] for each in site.ask("GET", OWN, session=name).json]
    assert site.ask("DELETE", f"{OWN}/{made['id']}", session=name).status == 404


@pytest.mark.parametrize("name", NAMES.values())
def test_whoever_makes_it_a_token_only_reads(site, name):
    """An administrator's, too: the same scopes, the same refusals."""
    made = site.make(name)
    assert made["scopes"] == VIEWER_SCOPES
    assert site.ask("GET", "/api/v1/projects/1/builds", token=made["token"]).status == 200
    for path in ("/api/v1/projects", "/api/v1/projects/1/trigger", "/api/v1/admin/clusters"):
        answer = site.ask("POST", path, {"name": "x"}, token=made["token"])
        assert (answer.status, answer.json["code"]) == (403, "insufficient_scope")
    assert site.ask("DELETE", "/api/v1/projects/1", token=made["token"]).status == 403


def test_what_a_token_is_refused_its_owner_does(site):
    """The same writes, signed in: they are there, and a user may."""
    assert site.ask("POST", "/api/v1/projects/1/trigger", {}, session="uma").json["project"] == 1
    assert site.ask("POST", "/api/v1/projects", {"name": "brand new"}, session="ugo").json["role"] == "Owner"
    assert site.ask("POST", "/api/v1/projects", {"name": "never"}, session="vera").status == 403
    assert site.ask("POST", "/api/v1/projects", {"name": "never"}).status == 401


def test_it_sees_the_projects_that_its_owner_collaborates_on(site):
    """In the list, and one by one; any other is, byte for byte, as one that does not exist."""
    token = site.make("vera")["token"]
    assert [each["name"] for each in site.ask("GET", "/api/v1/projects", token=token).json] == ["website"]
    assert site.ask("GET", "/api/v1/projects/1/collaborators", token=token).status == 200
    for below in ("", "/builds", "/builds/1", "/builds/1/jobs", "/collaborators"):
        foreign, unknown = (site.ask("GET", f"/api/v1/projects/{number}{below}", token=token) for number in (3, 999))
        assert foreign.status == 404
        assert foreign.same == unknown.same


@pytest.mark.parametrize("name", ["vera", "uma", "ugo", "dana", "adam"])
def test_a_token_sees_what_its_owner_sees(local, name):
    """The one who is signed in and the token get the same answers, an administrator too."""
    secret = local.viewer_token(name)
    for path in ("/projects", *(f"/projects/{number}{below}" for number in (1, 2, 3) for below in ("", "/builds"))):
        by_token, by_session = (
            local.ask("GET", f"/api/v1{path}", **who) for who in ({"token": secret}, {"session": name})
        )
        assert (by_token.status, by_token.body) == (by_session.status, by_session.body)


def test_a_collaborator_who_leaves_is_out_at_once(local):
    """On the next request, in the list and one by one; in another project nothing changes."""
    secret = local.viewer_token("uma")
    assert local.ask("GET", "/api/v1/projects/2", token=secret).status == 200
    local.change("DELETE FROM collaborator WHERE project = 2 AND user = 'uma'")
    assert local.ask("GET", "/api/v1/projects/2", token=secret).status == 404
    assert [each["id"] for each in local.ask("GET", "/api/v1/projects", token=secret).json] == [1]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("POST", ""), ("DELETE", "/1"), ("GET", "/1/access-log")], ids=str
)
def test_no_token_makes_or_sees_tokens(local, method, path):
    """Not an administrator's with every scope, not beside a cookie; nobody without a session; a session does."""
    local.viewer_token("adam")  # number 1
    body = {"description": "made with a token"} if method == "POST" else None
    secret = local.all_scopes("adam")
    for who in ({"token": secret}, {"token": secret, "session": "adam"}):
        reply = local.ask(method, OWN + path, body, **who)
        assert (reply.status, reply.code) == (403, "session_required")
    assert local.ask(method, OWN + path, body).status == 401
    assert "made with a token" not in [token.name for token in local.store.list()]
    assert local.ask(method, OWN + path, body, session="adam").status in (200, 201)


@pytest.mark.parametrize("name", ["uma", "adam"])
def test_another_s_token_is_as_one_that_does_not_exist(site, name):
    """404, the same byte for byte, for an administrator, too; and the token goes on working."""
    made = site.make("ugo")
    for method, below in (("DELETE", ""), ("GET", "/access-log")):
        foreign, unknown = (
            site.ask(method, f"{OWN}/{number}{below}", session=name) for number in (made["id"], 999_999)
        )
        assert (foreign.status, foreign.json["status"]) == (404, 404)
        assert foreign.same == unknown.same
        assert foreign.same == site.ask(method, f"{OWN}/{10**17}{below}", session=name).same
    assert site.ask("GET", "/api/v1/projects", token=made["token"]).status == 200
    assert site.ask("GET", f"{OWN}/{made['id']}/access-log", session="ugo").status == 200


def test_the_store_is_asked_for_the_caller_s_own(local, monkeypatch):
    """The owner is part of every question about tokens that one person's routes ask: nothing is found first and
    compared later."""
    local.viewer_token("ugo")  # number 1
    asked: list[tuple[str, object]] = []

    def spy(kind: type, name: str, owner: Callable[..., object]) -> None:
        was = getattr(kind, name)

        def noted(self: object, *arguments: Any, **keywords: Any) -> Any:
            asked.append((name, owner(*arguments, **keywords)))
            return was(self, *arguments, **keywords)

        monkeypatch.setattr(kind, name, noted)

    spy(TokenStore, "list", lambda **keywords: keywords.get("owner"))
    spy(TokenStore, "revoke", lambda _, by=None: by)
    spy(TokenStore, "show", lambda _: None)
    spy(AccessLog, "latest", lambda wanted, **_: wanted.owner)
    for method, path in (("GET", OWN), ("GET", f"{OWN}/1/access-log"), ("DELETE", f"{OWN}/1")):
        for name in ("adam", "ugo"):
            local.ask(method, path, session=name)
    assert set(asked) == {("list", "adam"), ("list", "ugo"), ("revoke", "ugo"), ("latest", "ugo")}


def test_the_store_asks_again_where_a_token_ends(local):
    """Were the application to forget, the store ends no one else's token: whose it is is asked in its transaction."""
    secret = local.viewer_token("ugo")
    number = local.store.find(secret).id
    with pytest.raises(NoSuchToken):
        local.store.revoke(number, by="uma")
    assert local.store.show(number).status == "live"
    assert local.store.revoke(number, by="ugo")


@pytest.mark.parametrize(("fields", "days"), [({}, 365), ({"expires_days": 1}, 1), ({"expires_days": 3650}, 3650)])
def test_a_token_lives_for_as_long_as_it_is_told(site, fields, days):
    """A year if nobody says; the list says until when, as text."""
    made = site.make("uma", **fields)
    listed = next(each for each in site.ask("GET", OWN, session="uma").json if each["id"] == made["id"])
    expected = datetime.now(UTC) + timedelta(days=days)
    assert abs(datetime.fromisoformat(listed["expires_at"]) - expected) < timedelta(minutes=1)
    assert datetime.fromisoformat(listed["created_at"]) < datetime.fromisoformat(listed["expires_at"])


@pytest.mark.parametrize("days", [0, -1, 3651, 10**6, 10**30, 1.5, "30", True, None, [30]], ids=str)
def test_an_expiry_out_of_bounds_is_refused_and_nothing_written(local, days):
    """With what is allowed; neither a token nor an owner is there afterwards."""
    reply = local.ask("POST", OWN, {"description": "x", "expires_days": days}, session="uma")
    expected = "from 1 to 3650" if type(days) is int else "not of type int"
    assert (reply.status, reply.json["message"]) == (422, f"expires_days: {expected}")
    assert (local.store.list(dead=True), local.store.owners()) == ([], [])


def test_an_expired_token_is_refused(site):
    """With 401; the day before it was not."""
    made = site.make("uma", expires_days=1)
    assert site.ask("GET", "/api/v1/projects", token=made["token"]).status == 200
    with closing(site.tables("tokens.db")) as connection, connection:
        connection.execute("UPDATE scopeware_token SET expires_at = 1 WHERE id = ?", (made["id"],))
    refused = site.ask("GET", "/api/v1/projects", token=made["token"])
    assert (refused.status, refused.json["code"]) == (401, "token_expired")


@pytest.mark.parametrize(
    "field",
    [
        {"scope_push": True},
        {"scope_push": False},
        {"scope_pull": True},
        {"type": "global"},
        {"role": "admin"},
        {"scopes": "write:projects"},
        {"owner": "adam"},
    ],
    ids=str,
)
def test_what_would_be_ignored_is_refused(local, field):
    """A field that means nothing here is named in a 422, and nothing is written; without it the token is made."""
    (name,) = field
    reply = local.ask("POST", OWN, {"description": "x"} | field, session="adam")
    assert reply.status == 422
    assert f"unknown field '{name}'" in reply.json["message"]
    assert local.store.list(dead=True) == []
    assert local.ask("POST", OWN, {"description": "x"}, session="adam").status == 201


@pytest.mark.parametrize("body", [None, [], "x", {}, {"description": ""}, {"description": 1}, {"description": "a\nb"}])
def test_a_body_that_cannot_be_is_refused(local, body):
    """Nothing at all, no object, no description: 422, and nothing is written."""
    assert local.ask("POST", OWN, body, session="uma").status == 422
    assert local.store.list(dead=True) == []


def test_two_live_tokens_of_one_owner_have_two_descriptions(site):
    """409 for the second; somebody else may use the words, and so may the owner once the token has ended."""
    made = site.make("uma", description="deploy")
    assert site.ask("POST", OWN, {"description": "deploy"}, session="uma").status == 409
    assert site.make("ugo", description="deploy")["id"] != made["id"]
    site.ask("DELETE", f"{OWN}/{made['id']}", session="uma")
    assert site.make("uma", description="deploy")["id"] != made["id"]


def test_the_secret_is_shown_once(site):
    """In the answer that makes it, which no cache keeps; in no list, no log, no line of the server, and no file."""
    made = site.ask("POST", OWN, {"description": "shown once"}, session="uma")
    assert dict(made.headers)["Cache-Control"] == "no-store"
    secret, number = made.json["token"], made.json["id"]
    assert re.fullmatch(r"infrabox_[0-9A-Za-z]{36}", secret)
    site.ask("GET", f"/api/v1/projects?token={secret}", token=secret)
    assert site.log(number, "uma", 1)
    shown = [
        site.ask("GET", OWN, session="uma").body,
        site.ask("GET", AUDIT, session="adam").body,
        site.ask("GET", f"{OWN}/{number}/access-log", session="uma").body,
        *(path.read_bytes() for path in site.folder.iterdir()),
    ]
    assert not [text for text in shown if secret.encode() in text]


# -- the access log


@contextmanager
def broken_jobs(site: Site) -> Iterator[None]:
    """The application without one of its tables."""
    with closing(site.tables("infrabox.db")) as connection:
        connection.execute("ALTER TABLE job RENAME TO elsewhere")
        try:
            yield
        finally:
            connection.execute("ALTER TABLE elsewhere RENAME TO job")


def test_failures_are_in_the_access_log(site):
    """Everything that a token was used for: what went well, the refusals of the gate, the 404 and 500 of the
    application; and, of a token that was deleted, the 401s. Its owner reads it, signed in."""
    made = site.make("uma")
    number, secret = made["id"], made["token"]
    site.ask("GET", "/api/v1/projects", token=secret)
    site.ask("POST", "/api/v1/projects", {"name": "no"}, token=secret)
    site.ask("GET", OWN, token=secret)
    site.ask("GET", "/api/v1/projects/3", token=secret)
    with broken_jobs(site):
        assert site.ask("GET", "/api/v1/projects/1/builds/1/jobs", token=secret).status == 500
    site.ask("DELETE", f"{OWN}/{number}", session="uma")
    site.ask("GET", "/api/v1/projects", token=secret)
    entries = site.log(number, "uma", 6)
    # In any order: a request is written down when it is over, which may be after the answer has come.
    assert Counter((each["method"], each["path"], each["status_code"], each["code"]) for each in entries) == Counter(
        [
            ("GET", "/api/v1/projects", 200, None),
            ("POST", "/api/v1/projects", 403, "insufficient_scope"),
            ("GET", OWN, 403, "session_required"),
            ("GET", "/api/v1/projects/3", 404, None),
            ("GET", "/api/v1/projects/1/builds/1/jobs", 500, None),
            ("GET", "/api/v1/projects", 401, "token_revoked"),
        ]
    )
    assert all(datetime.fromisoformat(each["accessed_at"]).tzinfo for each in entries)


def test_a_stranger_s_guesses_are_in_the_operator_s_log(local):
    """A token that there never was is nobody's: the log has the refusal, and no one's own log."""
    local.viewer_token("uma")
    assert local.ask("GET", "/api/v1/projects", token="infrabox_" + "0" * 36).status == 401
    local.gate.access_log.flush()
    (record,) = local.gate.access_log.latest()
    assert (record.entry.status, record.entry.code, record.entry.owner) == (401, "token_invalid", None)
    assert local.ask("GET", f"{OWN}/1/access-log", session="uma").json == []


def test_old_rows_of_the_log_are_removed(site, local):
    """Those older than the policy's 90 days while it runs, and by a command; younger ones stay."""
    assert local.policy.access_log.keep == timedelta(days=90)
    secret = local.viewer_token("uma")

    def rows(path: Path) -> list[int]:
        with closing(sqlite3.connect(path)) as connection:
            return [
                days for (days,) in connection.execute("SELECT duration FROM scopeware_access_log WHERE duration < 0")
            ]

    def age(path: Path, days: int) -> None:
        """A row so old, known by a duration that none has."""
        with closing(sqlite3.connect(path, timeout=SECONDS)) as connection, connection:
            connection.execute(
                "INSERT INTO scopeware_access_log (at, address, method, path, group_path, scopes, decision, duration) "
                "VALUES (?, '', 'GET', '/', '', '', 'allowed', ?)",
                (int((time.time() - days * DAY) * 1000), -days),
            )

    for path in (local.folder / "tokens.db", site.folder / "tokens.db"):
        for days in (89, 91):
            age(path, days)
    local.ask("GET", "/api/v1/projects", token=secret)
    local.gate.access_log.flush()
    assert rows(local.folder / "tokens.db") == [-89]
    site.command("audit", "prune", "--keep", "90d")
    assert rows(site.folder / "tokens.db") == [-89]
    assert site.command("audit", "prune", "--keep", "88d")["removed"] == 1


# -- administration


def test_an_administrator_sees_everybody_s_tokens(site):
    """With their owners and their end, those that are over, too; nobody else does, nor any token."""
    made, over = site.make("vera"), site.make("ugo")
    site.ask("DELETE", f"{OWN}/{over['id']}", session="ugo")
    listed = {each["id"]: each for each in site.ask("GET", AUDIT, session="adam").json}
    assert (listed[made["id"]]["owner"], listed[made["id"]]["status"]) == ("vera", "live")
    assert (listed[over["id"]]["owner"], listed[over["id"]]["status"]) == ("ugo", "revoked")
    assert listed[made["id"]]["expires_at"] == made["expires_at"]
    for name in ("vera", "uma", "dana"):
        refused = site.ask("GET", AUDIT, session=name)
        assert (refused.status, refused.json["code"]) == (403, "resource_out_of_reach")
    assert site.ask("GET", AUDIT).status == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"])
def test_nobody_writes_to_the_administrators_list(local, method):
    """Refused in every role, by session and by token; also below it."""
    local.viewer_token("uma")
    for path in (AUDIT, f"{AUDIT}/1"):
        for name in NAMES.values():
            assert local.ask(method, path, {"description": "x"}, session=name).status == 403
            assert local.ask(method, path, {"description": "x"}, token=local.all_scopes(name)).status == 403
    assert {token.status for token in local.store.list(dead=True)} == {"live"}


def test_no_token_gets_into_administration(site):
    """A personal token of an administrator is none of an administrator; signed in, the administrator is."""
    token = site.make("adam")["token"]
    for method, path in (("GET", "/admin/users"), ("POST", "/admin/users"), ("POST", "/admin/clusters")):
        assert site.ask(method, f"/api/v1{path}", {} if method == "POST" else None, token=token).status == 403
    assert site.ask("GET", AUDIT, token=token).json["code"] == "session_required"
    assert site.ask("GET", "/api/v1/admin/clusters", token=token).status == 200
    assert site.ask("GET", "/api/v1/admin/users", session="adam").status == 200


# -- owners


def test_a_demoted_owner_s_tokens_shrink_at_once(local):
    """The role is the application's; the next request goes by it. What was granted is not lost, only out of reach."""
    secret = local.all_scopes("uma")
    reading = local.viewer_token("uma")
    trigger = ("POST", "/api/v1/projects/1/trigger", {})
    assert local.ask(*trigger, token=secret).status == 201
    for role, status in (("viewer", 403), ("devops", 201), ("nobody knows this one", 403)):
        local.change("UPDATE user SET role = ? WHERE name = 'uma'", role)
        assert local.ask(*trigger, token=secret).status == status
        assert local.ask(*trigger, session="uma").status == status
        assert local.ask("GET", "/api/v1/projects", token=reading).status == (200 if role in ROLES else 403)


def test_an_administrator_demotes_over_the_api(site):
    """And it counts on the next request; a role that there is not is refused."""
    token = site.make("dana")["token"]
    try:
        assert site.ask("POST", "/api/v1/admin/users", {"name": "dana", "role": "viewer"}, session="adam").status == 200
        assert site.ask("POST", "/api/v1/admin/clusters", {"name": "spare"}, session="dana").status == 403
        assert site.ask("GET", "/api/v1/projects", token=token).status == 200
    finally:
        site.ask("POST", "/api/v1/admin/users", {"name": "dana", "role": "devops"}, session="adam")
    assert site.ask("POST", "/api/v1/admin/clusters", {"name": "spare"}, session="dana").status == 200
    assert site.ask("POST", "/api/v1/admin/users", {"name": "dana", "role": "king"}, session="adam").status == 422


def test_a_disabled_owner_s_tokens_die_at_once(site):
    """And so does the session; nobody signs in. They come back with the account."""
    token = site.make("ugo")["token"]
    site.sign_in("ugo")
    password = {"name": "ugo", "password": "infrabox"}
    try:
        assert site.ask("POST", "/api/v1/admin/users", {"name": "ugo", "active": False}, session="adam").status == 200
        refused = site.ask("GET", "/api/v1/projects", token=token)
        assert (refused.status, refused.json["code"]) == (401, "owner_inactive")
        assert site.ask("GET", "/api/v1/projects", session="ugo").status == 401
        assert site.ask("POST", "/api/v1/account/login", password).status == 401
    finally:
        site.ask("POST", "/api/v1/admin/users", {"name": "ugo", "active": True}, session="adam")
    assert site.ask("GET", "/api/v1/projects", token=token).status == 200


def test_an_owner_nobody_knows_has_no_rights(local):
    """A token of somebody who is not in the user table is refused."""
    secret = local.all_scopes("mallory")
    reply = local.ask("GET", "/api/v1/projects", token=secret)
    assert (reply.status, reply.code) == (401, "owner_inactive")


# -- credentials


@pytest.mark.parametrize(
    "credential",
    [
        "Bearer eyJhbGciOiJSUzI1NiJ9.eyJ0eXBlIjoicHJvamVjdCJ9.c2lnbmF0dXJl",
        "bearer eyJhbGciOiJub25lIn0.eyJ0eXBlIjoibm9uc2Vuc2UifQ.",
        "Bearer swt_0123456789abcdefghijklmnopqrstuvwxyz",
        "Bearer infrabox_0123456789abcdefghijklmnopqrstuvwxyz",
        "Bearer global",
        "token something",
        "Basic dW1hOmluZnJhYm94",
        "Nonsense x",
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/api/v1/projects", "/api/v1/account/login"])
def test_a_credential_of_another_kind_is_refused(outline, credential, path):
    """401 before the application is called, on a public route, too, and beside a good session."""
    calls = outline.gate.app.calls
    for cookie in ("", f"{outline.example.COOKIE}={outline.session('uma')}"):
        reply = call_gate(outline.gate, "GET", path, authorization=credential, **({"cookie": cookie} if cookie else {}))
        assert (reply.status, reply.code) == (401, "token_invalid")
    assert outline.gate.app.calls == calls
    assert outline.ask("GET", path, session="uma").status == 200


@pytest.mark.parametrize(
    "cookie", ["", "infrabox_session=", "infrabox_session=guess", "infrabox_session=uma", "other=x"]
)
def test_a_cookie_that_signing_in_did_not_make_is_nobody(site, cookie):
    """401, as without one; and a wrong password makes none, whether there is such a user or not."""
    assert site.send("GET", OWN, None, {"Cookie": cookie}).status == 401
    wrong, nobody = (
        site.ask("POST", "/api/v1/account/login", {"name": name, "password": "wrong"}) for name in ("uma", "nobody")
    )
    assert wrong.status == 401
    assert wrong.same == nobody.same
    assert "Set-Cookie" not in dict(wrong.headers)


def test_the_cookie_is_for_this_site_s_own_requests(site):
    """No script reads it, no other site's page sends it, and it ends."""
    answer = site.ask("POST", "/api/v1/account/login", {"name": "uma", "password": "infrabox"})
    cookie = dict(answer.headers)["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/api/v1", "Max-Age=43200"} <= set(cookie.split("; "))
    with closing(site.tables("infrabox.db")) as connection, connection:
        connection.execute("UPDATE session SET expires = 1 WHERE digest = ?", (digest_of(cookie),))
    assert site.send("GET", OWN, None, {"Cookie": cookie.partition(";")[0]}).status == 401


def digest_of(cookie: str) -> str:
    digest: str = load_example()._digest(cookie.partition(";")[0].partition("=")[2])
    return digest


# -- the tables


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")}


def test_the_tables_of_the_store_come_whole_or_not_at_all(tmp_path, local):
    """They are one migration. One that fails in the middle, on SQLite, leaves nothing behind, and the next one, after
    whatever was in the way is gone, makes all of them."""
    assert [step.name for step in schema.status(local.store._database.peewee)] == ["0001_tables"]
    path = tmp_path / "half.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        # The last of the tables is there already: those before it have been made when this is found out.
        connection.execute("CREATE TABLE scopeware_generation (id INTEGER)")
    with pytest.raises(StoreUnavailable, match="scopeware_generation already exists"):
        TokenStore.connect(f"sqlite:///{path}")
    assert tables(path) == {"scopeware_generation"}
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE scopeware_generation")
    TokenStore.connect(f"sqlite:///{path}").close()
    assert tables(path) == tables(local.folder / "tokens.db")


def test_the_tables_of_the_application_come_whole_or_not_at_all(tmp_path, local):
    """One transaction, its rows included."""
    path = tmp_path / "half.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE cluster (name TEXT)")
    with pytest.raises(sqlite3.OperationalError, match="cluster already exists"):
        local.example.Server(path)
    assert tables(path) == {"cluster"}
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE cluster")
    for _ in range(2):
        local.example.Server(path)
    assert tables(path) == tables(local.folder / "infrabox.db")


def test_a_token_without_an_owner_cannot_be_stored(local):
    """The database itself refuses one, and one of an owner who is not there; tokens go with their owner's row."""
    local.viewer_token("uma")
    with closing(sqlite3.connect(local.folder / "tokens.db")) as connection:
        connection.execute("PRAGMA foreign_keys = 1")
        for owner in ("NULL", "99"):
            with pytest.raises(sqlite3.IntegrityError):
                connection.execute(f"UPDATE scopeware_token SET owner_id = {owner}")
        (made,) = connection.execute("SELECT created_at FROM scopeware_token WHERE expires_at > created_at").fetchone()
        assert abs(made - time.time()) < 60
        connection.execute("DELETE FROM scopeware_owner WHERE name = 'uma'")
        assert connection.execute("SELECT count(*) FROM scopeware_token").fetchone() == (0,)
