"""The policy of examples/gitea against the route table of Gitea, row by row, and its application behind the gate."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from wsgiref.validate import validator

import pytest
import webtest

from scopeware import Policy, Scopeware, TokenStore

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "gitea"
ROUTES = json.loads((ROOT / "tests" / "data" / "gitea-routes.json").read_text())

# Where the policy is stricter than Gitea: (method, path) -> who may.
TOKEN_NEEDED_HERE = {
    # Writes that Gitea's table leaves without reqToken.
    ("DELETE", "/api/v1/repos/{username}/{reponame}/actions/artifacts/{artifact_id}"),
    ("POST", "/api/v1/repos/{username}/{reponame}/file-contents"),
}
SESSION_NEEDED_HERE = {
    # Sign-in by password only, in Gitea, too; there the first lacks reqToken.
    ("GET", "/api/v1/users/{username}/tokens"),
    ("POST", "/api/v1/users/{username}/tokens"),
    ("DELETE", "/api/v1/users/{username}/tokens/{id}"),
}


def load_example():
    spec = importlib.util.spec_from_file_location("gitea_example", FOLDER / "app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def concrete(path: str) -> str:
    """A path that a row of the table stands for."""
    path = re.sub(r"\{\w+:(\w+)[^}]*\}", r"\1", path)
    return re.sub(r"\{(\w+)\}", r"x\1", path).replace("*", "some/file.txt")


def row_id(route: dict) -> str:
    return f"{route['method']} {route['path']}"


class Walker:
    """A gate before an application that lets everything pass, and tokens for any scopes."""

    def __init__(self, folder: Path) -> None:
        self.policy = Policy.load(FOLDER / "policy.toml")
        self.store = TokenStore.connect(f"sqlite:///{folder / 'tokens.db'}")
        self.store.add_owner("root", role="admin")
        self.known: dict[str, str] = {}
        self.calls = 0
        self.public = "public"
        self.session = None
        gate = Scopeware(
            self.application,
            self.policy,
            self.store,
            visibility=lambda environ, resource: self.public,
            identify=lambda environ: self.session,
        )
        self.client = webtest.TestApp(validator(gate), lint=False)

    def application(self, environ, start_response):
        self.calls += 1
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"reached"]

    def token(self, scopes: str) -> str:
        if scopes not in self.known:
            self.known[scopes] = self.store.issue(owner="root", name=scopes or "-", scopes=scopes).secret
        return self.known[scopes]

    def ask(self, method: str, path: str, scopes: str | None = None) -> tuple[int, str | None]:
        """The status and, for a refusal, its code; asserts that the application was called once or not at all."""
        headers = {} if scopes is None else {"Authorization": f"Bearer {self.token(scopes)}"}
        before = self.calls
        response = self.client.request(path, method=method, headers=headers, expect_errors=True)
        assert self.calls - before == (response.status_int == 200)
        if method == "HEAD":
            return response.status_int, None
        return response.status_int, None if response.status_int == 200 else response.json["code"]


@pytest.fixture(scope="module")
def walker(tmp_path_factory):
    made = Walker(tmp_path_factory.mktemp("gitea"))
    yield made
    made.store.close()


def needed(route: dict) -> list[str]:
    level = "read" if route["method"] in ("GET", "HEAD", "OPTIONS") else "write"
    return [f"{level}:{category}" for category in route["categories"]]


def all_but(walker: Walker, missing: list[str]) -> str:
    """Every category at its highest level, but for those of `missing`."""
    left_out = {scope.partition(":")[2] for scope in missing}
    return ",".join(f"write:{category}" for category in walker.policy.vocabulary.categories if category not in left_out)


def expand(route: dict) -> list[dict]:
    """A row for ANY method as rows for a reading and a writing one."""
    if route["method"] != "ANY":
        return [route]
    return [route | {"method": method} for method in ("GET", "POST")]


ROWS = [row for route in ROUTES for row in expand(route)]
BY_TOKEN = [row for row in ROWS if (row["method"], row["path"]) not in SESSION_NEEDED_HERE]
BY_SESSION = [row for row in ROWS if (row["method"], row["path"]) in SESSION_NEEDED_HERE]


def test_the_table_is_whole():
    """491 rows, and every exception that this file lists is one of them."""
    known = {(route["method"], route["path"]) for route in ROUTES}
    assert len(ROUTES) == 491
    assert known >= TOKEN_NEEDED_HERE | SESSION_NEEDED_HERE


def test_the_policy_is_short():
    """A reviewer can read it whole."""
    assert len((FOLDER / "policy.toml").read_text().splitlines()) <= 150


@pytest.mark.parametrize("route", BY_TOKEN, ids=row_id)
def test_the_exact_scopes_pass_and_each_one_missing_is_refused(walker, route):
    """The scopes of the row and no others suffice; all others without one of them do not."""
    method, path = route["method"], concrete(route["path"])
    scopes = needed(route)
    # A row without categories takes any token; this one has a scope that no row asks for.
    assert walker.ask(method, path, ",".join(scopes) or "read:misc") == (200, None)
    for scope in scopes:
        status, code = walker.ask(method, path, all_but(walker, [scope]))
        assert (status, code) == (403, None if method == "HEAD" else "insufficient_scope")
    if scopes and scopes[0].startswith("write:"):
        reading = ",".join(scope.replace("write:", "read:") for scope in scopes)
        assert walker.ask(method, path, reading) == (403, "insufficient_scope")


@pytest.mark.parametrize("route", BY_TOKEN, ids=row_id)
def test_a_token_is_required_where_the_table_says_so(walker, route):
    """Without a token: 401 where Gitea has reqToken (and in the two places it forgot), else the application."""
    method, path = route["method"], concrete(route["path"])
    required = route["req_token"] or (route["method"], route["path"]) in TOKEN_NEEDED_HERE
    expected = (401, None if method == "HEAD" else "token_required") if required else (200, None)
    assert walker.ask(method, path) == expected


@pytest.mark.parametrize("visibility", ["public", "limited", "private", None])
@pytest.mark.parametrize("route", BY_TOKEN, ids=row_id)
def test_public_only_tokens_are_treated_as_the_table_says(walker, route, visibility):
    """`check` passes what is public and nothing else, `reject` nothing, no treatment everything."""
    method, path = route["method"], concrete(route["path"])
    scopes = ",".join(["public-only", *(needed(route) or ["read:misc"])])
    passes = {"check": visibility == "public", "reject": False, None: True}[route["public_only"]]
    walker.public = visibility
    try:
        status, code = walker.ask(method, path, scopes)
    finally:
        walker.public = "public"
    assert (status, code) == ((200, None) if passes else (403, None if method == "HEAD" else "public_only"))


@pytest.mark.parametrize("route", BY_SESSION, ids=row_id)
def test_where_gitea_takes_a_password_no_token_passes(walker, route):
    """A token with every scope is refused, so is nobody; the user who is signed in passes, and no other user."""
    method, path = route["method"], concrete(route["path"])
    assert walker.ask(method, path, "all") == (403, "session_required")
    assert walker.ask(method, path) == (401, "token_required")
    try:
        walker.session = "xusername"
        assert walker.ask(method, path) == (200, None)
        walker.session = "mallory"
        assert walker.ask(method, path) == (403, "owner_mismatch")
        walker.session = "root"  # an administrator
        assert walker.ask(method, path) == (200, None)
    finally:
        walker.session = None


def test_the_requirements_are_those_of_the_table(walker):
    """Categories, token requirement and public-only treatment of all 491 rows at once, as the policy states them."""
    differing = set()
    for route in ROWS:
        requirement = walker.policy.requirement(route["method"], concrete(route["path"]))
        lists = requirement.scope_lists()
        stated = (sorted(lists[0]) if lists else [], requirement.require_token, requirement.public_only)
        if stated != (sorted(needed(route)), route["req_token"], route["public_only"] or "allow"):
            differing.add((route["method"], route["path"]))
    assert differing == TOKEN_NEEDED_HERE | {("GET", "/api/v1/users/{username}/tokens")}


@pytest.fixture
def forge(tmp_path):
    """The application of the example behind its policy; a function that makes a client for an owner and scopes."""
    example = load_example()
    store = TokenStore.connect(f"sqlite:///{tmp_path / 'tokens.db'}")
    store.add_owner("root", role="admin")
    application = example.Forge(tmp_path / "forge.db")
    gate = Scopeware(application, Policy.load(example.POLICY), store, visibility=application.visibility)

    def client(owner: str | None = None, scopes: str = "") -> webtest.TestApp:
        made = webtest.TestApp(validator(gate), lint=False)
        if owner is not None:
            made.authorization = ("Bearer", store.issue(owner=owner, name=scopes or "-", scopes=scopes).secret)
        return made

    yield client
    store.close()


PERMISSIONS = "/api/v1/users/alice/orgs/acme/permissions"


class TestPermissionsOfAUserInAnOrganization:
    """The case the project grew from: a group that needs two categories, and a token."""

    def test_without_a_token_it_is_401(self, forge):
        """Anonymous requests are told to bring a token."""
        response = forge().get(PERMISSIONS, status=401)
        challenges = response.headers.getall("WWW-Authenticate")
        assert challenges == ['Bearer realm="gitea"', 'Basic realm="gitea", charset="UTF-8"']

    def test_with_both_scopes_it_is_the_application_s_answer(self, forge):
        """200, and the permissions of an owner."""
        answer = forge("bob", "read:user,read:organization").get(PERMISSIONS).json
        assert answer == {
            "is_owner": True,
            "is_admin": True,
            "can_write": True,
            "can_read": True,
            "can_create_repository": True,
        }

    @pytest.mark.parametrize(
        ("user", "expected"),
        [
            ("bob", (False, False, True, True, False)),
            ("carol", (False, False, False, True, False)),
            ("root", (False, True, True, True, True)),
        ],
    )
    def test_it_tells_members_apart(self, forge, user, expected):
        """A writer, a reader, a site administrator."""
        path = PERMISSIONS.replace("alice", user)
        answer = forge("bob", "read:user,read:organization").get(path).json
        assert tuple(answer.values()) == expected

    @pytest.mark.parametrize(("scopes", "missing"), [("read:user", "organization"), ("write:organization", "user")])
    def test_with_either_scope_missing_it_is_403(self, forge, scopes, missing):
        """The refusal names what is missing and what is required."""
        answer = forge("alice", scopes).get(PERMISSIONS, status=403).json
        assert answer["code"] == "insufficient_scope"
        assert answer["required_scopes"] == ["read:organization", "read:user"]
        assert answer["detail"] == f"the token lacks read:{missing}"

    @pytest.mark.parametrize(
        ("path", "message"),
        [
            ("/api/v1/users/unknow/orgs/acme/permissions", "user redirect does not exist [name: unknow]"),
            ("/api/v1/users/alice/orgs/unknow/permissions", "GetUserByName"),
        ],
    )
    def test_for_unknown_users_and_organizations_the_application_s_404_passes_untouched(self, forge, path, message):
        """Status, headers and body are the application's own."""
        response = forge("alice", "read:user,read:organization").get(path, status=404)
        assert response.json == {"message": message}
        assert "Cache-Control" not in response.headers


class TestTheForge:
    """The rest of the small application, through the gate."""

    def test_everyone_reads_what_is_public_and_nobody_else_what_is_not(self, forge):
        """Anonymous requests see public repositories; private ones do not exist for them."""
        assert forge().get("/api/v1/repos/alice/widgets").json["full_name"] == "alice/widgets"
        forge().get("/api/v1/repos/alice/diary", status=404)
        assert forge("alice", "read:repository").get("/api/v1/repos/alice/diary").json["private"] is True

    def test_a_public_only_token_does_not_see_its_owner_s_private_repositories(self, forge):
        """Neither the item nor the list shows them, and an unknown one is refused with the same bytes."""
        client = forge("alice", "public-only,read:repository,read:user")
        client.get("/api/v1/repos/alice/widgets", status=200)
        private = client.get("/api/v1/repos/alice/diary", status=403)
        unknown = client.get("/api/v1/repos/alice/nothing", status=403)
        assert (private.body, private.headerlist) == (unknown.body, unknown.headerlist)
        assert [entry["full_name"] for entry in client.get("/api/v1/users/alice/repos").json] == ["alice/widgets"]
        assert len(forge("alice", "read:repository,read:user").get("/api/v1/users/alice/repos").json) == 2

    def test_issues_are_written_with_write_issue_only(self, forge):
        """A POST with the reading scope is refused and changes nothing."""
        path = "/api/v1/repos/alice/widgets/issues"
        forge("bob", "read:issue").post_json(path, {"title": "no"}, status=403)
        assert len(forge().get(path).json) == 2
        made = forge("bob", "write:issue").post_json(path, {"title": "yes"}, status=201).json
        assert (made["number"], made["user"]) == (3, "bob")

    def test_what_a_token_may_and_its_owner_may_not_is_refused_by_the_application(self, forge):
        """The scopes let the request through; bob still is no owner of alice's repository."""
        forge("bob", "write:repository").delete("/api/v1/repos/alice/widgets", status=403)
        forge("alice", "write:repository").delete("/api/v1/repos/alice/widgets", status=204)
        forge().get("/api/v1/repos/alice/widgets", status=404)

    def test_a_token_looks_at_itself_and_ends_itself(self, forge):
        """GET and DELETE /token need a token and no scope; afterwards it is revoked."""
        client = forge("alice", "read:misc")
        assert client.get("/api/v1/token").json["scopes"] == ["read:misc"]
        client.delete("/api/v1/token", status=204)
        assert client.get("/api/v1/token", status=401).json["code"] == "token_revoked"
        forge().get("/api/v1/token", status=401)

    def test_administration_takes_an_administrator_with_the_scope(self, forge):
        """Neither the scope without the role nor the role without the scope will do."""
        forge("root", "read:admin").get("/api/v1/admin/users", status=200)
        forge("root", "read:user").get("/api/v1/admin/users", status=403)
        forge("alice", "all").get("/api/v1/admin/users", status=403)


class TestBoundTokens:
    """Tokens for some repositories, through the gate and the application."""

    def test_it_reaches_its_repository_and_no_other(self, forge):
        """Another one is refused with the same bytes as one that is not there, by whatever method."""
        client = forge("alice", "write:repository@alice/widgets")
        client.get("/api/v1/repos/alice/widgets", status=200)
        client.patch_json("/api/v1/repos/alice/widgets", {"description": "new"}, status=200)
        for ask in (client.get, client.delete):
            private, unknown = (ask(f"/api/v1/repos/alice/{name}", status=403) for name in ("diary", "nothing"))
            assert private.json["code"] == "resource_out_of_reach"
            assert (private.body, private.headerlist) == (unknown.body, unknown.headerlist)

    def test_what_is_public_to_everyone_is_not_for_a_token_that_is_bound_elsewhere(self, forge):
        """Without it the request would pass; with it the token has to reach."""
        forge().get("/api/v1/repos/alice/widgets", status=200)
        forge("alice", "read:repository@alice/diary").get("/api/v1/repos/alice/widgets", status=403)

    @pytest.mark.parametrize(
        ("scopes", "expected"),
        [
            ("read:user,read:repository", ["alice/diary", "alice/widgets"]),
            ("read:user,read:repository@alice/*", ["alice/diary", "alice/widgets"]),
            ("read:user,read:repository@alice/widgets", ["alice/widgets"]),
            ("read:user,read:repository@bob/*", []),
            ("public-only,read:user,read:repository@alice/*", ["alice/widgets"]),
        ],
    )
    def test_its_owner_s_list_shows_what_it_reaches(self, forge, scopes, expected):
        """The application filters, as the policy says that it does."""
        answer = forge("alice", scopes).get("/api/v1/user/repos").json
        assert [entry["full_name"] for entry in answer] == expected

    @pytest.mark.parametrize("path", ["/users/alice/repos", "/repos/search"])
    def test_other_lists_are_out_of_reach(self, forge, path):
        """Nobody filters them."""
        answer = forge("alice", "read:user,read:repository@alice/*").get(f"/api/v1{path}", status=403).json
        assert answer["code"] == "resource_out_of_reach"
        forge("alice", "read:user,read:repository").get(f"/api/v1{path}", status=200)

    def test_issues_are_another_category_there_too(self, forge):
        """Bound or not."""
        path = "/api/v1/repos/alice/widgets/issues"
        forge("bob", "write:issue@alice/widgets").post_json(path, {"title": "yes"}, status=201)
        forge("bob", "write:repository@alice/widgets").post_json(path, {"title": "no"}, status=403)
        forge("bob", "write:issue@alice/diary").post_json(path, {"title": "no"}, status=403)
        assert len(forge().get(path).json) == 3

    def test_a_binding_gives_nothing_that_its_owner_has_not(self, forge):
        """The application still says who may see what."""
        client = forge("bob", "write:repository@alice/*")
        client.get("/api/v1/repos/alice/diary", status=404)
        client.delete("/api/v1/repos/alice/widgets", status=403)

    def test_a_bound_token_looks_at_itself(self, forge):
        """And at what needs no scope."""
        client = forge("alice", "read:repository@alice/widgets")
        assert client.get("/api/v1/token").json["scopes"] == ["read:repository@alice/widgets"]
        client.get("/api/v1/version", status=200)
        client.get("/api/v1/user", status=403)
