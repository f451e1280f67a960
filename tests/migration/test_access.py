"""Who reaches what before and after: tables of routes, policies, and what is gained and lost between them."""

import itertools
import json

import pytest

from scopeware import Group, Policy
from scopeware.errors import ConfigurationError
from scopeware.migration import Mapping
from scopeware.migration.access import (
    AccessChange,
    Change,
    NewRoutes,
    OldRoutes,
    PolicyRoutes,
    Reached,
    access_change,
    side_at,
)
from scopeware.policy import sample

GITEA = Mapping.builtin("gitea-1.19")
READ_ONLY_LOG = Mapping.from_mapping(
    {
        "target": {"categories": {"log": {"actions": ["read"]}, "user": ""}},
        "old": {"scopes": ["log", "user"]},
        "map": {"log": "read:log", "user": "write:user"},
    }
)

BEFORE = [
    {"method": "GET", "path": "/version", "old_scopes": []},
    {"method": "GET", "path": "/user", "old_scopes": ["read:user"]},
    {"method": "PATCH", "path": "/user", "old_scopes": ["user"]},
    {"method": "GET", "path": "/repos/{owner}/{repo}", "old_scopes": ["repo"]},
    {"method": "DELETE", "path": "/repos/{owner}/{repo}", "old_scopes": ["delete_repo"]},
    {"method": "POST", "path": "/repos/{owner}/{repo}/issues", "old_scopes": ["repo"]},
    {"method": "POST", "path": "/both", "old_scopes": ["repo", "user"]},
]
AFTER = [
    {"method": "GET", "path": "/version", "new_categories": ["misc"]},
    {"method": "GET", "path": "/user", "new_categories": ["user"]},
    {"method": "PATCH", "path": "/user", "new_categories": ["user"]},
    {"method": "GET", "path": "/repos/{owner}/{repo}", "new_categories": ["repository"]},
    {"method": "DELETE", "path": "/repos/{owner}/{repo}", "new_categories": ["repository"]},
    {"method": "POST", "path": "/repos/{owner}/{repo}/issues", "new_categories": ["issue"]},
    {"method": "POST", "path": "/both", "new_categories": ["user", "repository"]},
]
OLD_POLICY = """
[vocabulary]
name = "old"
categories = { none = "what the old system did not have" }
[vocabulary.scopes]
repo = { implies = ["public_repo"] }
public_repo = "public repositories"
user = { implies = ["read:user"] }
"read:user" = "the profile"
[policy]
prefix = "/api"
[[group]]
path = "/user"
scopes = ["user"]
  [[group.route]]
  path = "/"
  methods = ["GET"]
  scopes = ["read:user"]
[[group]]
path = "/repos/<owner>/<repo>"
scopes = ["repo"]
[[group]]
path = "/version"
scopes = []
"""
NEW_POLICY = """
[policy]
prefix = "/api"
[[group]]
path = "/user"
scopes = ["user"]
[[group]]
path = "/repos/<owner>/<repo>"
scopes = ["repository"]
resource = "<owner>/<repo>"
public_only = "check"
[[group]]
path = "/version"
require_token = false
scopes = []
[[group]]
path = "/packages"
scopes = ["package"]
"""


@pytest.fixture
def written(tmp_path):
    """``written(rows)`` or ``written(text)``: the path of a file with that."""
    numbers = itertools.count()

    def write(content):
        kind = "toml" if isinstance(content, str) else "json"
        path = tmp_path / f"side{next(numbers)}.{kind}"
        path.write_text(content if kind == "toml" else json.dumps(content), "utf-8")
        return path

    return write


@pytest.fixture
def compare(written):
    """``compare(before, after, text)``: what the tokens with that text gain and lose."""

    def make(before, after, text, mapping=GITEA):
        sides = (side_at(written(before), mapping, old=True), side_at(written(after), mapping, old=False))
        return access_change(*sides).of(text, mapping.conversion(text.split(",") if text else []))

    return make


def shown(found):
    """Routes, as people read them."""
    return [str(each) for each in found]


# -- two tables


@pytest.mark.parametrize(
    ("text", "gained", "lost"),
    [
        pytest.param("read:user", [], ["GET /version"], id="reading"),
        pytest.param("user", [], ["GET /version"], id="writing"),
        pytest.param("user:email", ["GET /user", "PATCH /user"], ["GET /version"], id="widened"),
        pytest.param(
            "repo",
            ["DELETE /repos/{owner}/{repo}"],
            ["POST /repos/{owner}/{repo}/issues", "GET /version"],
            id="widened-and-narrowed",
        ),
        pytest.param(
            "delete_repo",
            ["GET /repos/{owner}/{repo}"],
            ["GET /version"],
            id="delete-becomes-write",
        ),
        pytest.param(
            "public_repo",
            ["DELETE /repos/{owner}/{repo} (where it is public)"],
            ["POST /repos/{owner}/{repo}/issues (where it is public)", "GET /version"],
            id="public",
        ),
        pytest.param(
            "repo,public_repo",
            ["DELETE /repos/{owner}/{repo} (where it is public)"],
            [
                "GET /repos/{owner}/{repo} (where it is not public)",
                "POST /repos/{owner}/{repo}/issues",
                "GET /version",
            ],
            id="not-public",
        ),
        pytest.param("repo,user", ["DELETE /repos/{owner}/{repo}"], [...], id="two-scopes-for-one-route"),
        pytest.param("sudo", [], ["GET /version"], id="nothing-of-it"),
        pytest.param("nobody:knows", [], ["GET /version"], id="unknown"),
        pytest.param("", [], [], id="nothing"),
    ],
)
def test_two_tables_are_compared_route_by_route(compare, text, gained, lost):
    """Before, a route asked for all of its old scopes, and one without any for any token at all; after, it asks for
    its categories. What is the same on both sides is not told."""
    change = compare(BEFORE, AFTER, text)
    assert shown(change.gained) == gained
    if lost != [...]:
        assert shown(change.lost) == lost
    assert bool(change) == bool(gained or lost)


def test_routes_that_need_two_scopes_need_both(compare):
    """With one of them nobody passed, and nobody passes with one of the categories."""
    for text in ("repo", "user"):
        assert "POST /both" not in shown(compare(BEFORE, AFTER, text).gained + compare(BEFORE, AFTER, text).lost)
    only_user = [*AFTER[:-1], AFTER[-1] | {"new_categories": ["user"]}]
    assert "POST /both" in shown(compare(BEFORE, only_user, "user").gained)
    with_admin = [*AFTER[:-1], AFTER[-1] | {"new_categories": ["user", "admin"]}]
    assert "POST /both" in shown(compare(BEFORE, with_admin, "repo,user").lost)
    assert "POST /both" not in shown(compare(BEFORE, with_admin, "user").lost)


def test_routes_are_told_in_order(compare):
    """By path, then by method; each once."""
    change = compare([each | {"old_scopes": []} for each in reversed(BEFORE)], AFTER, "sudo")
    assert list(change.lost) == sorted(Reached(each["path"], each["method"]) for each in AFTER)


def test_only_routes_that_both_sides_know_are_compared(written):
    """How many are left out is told."""
    before = side_at(written([*BEFORE, {"method": "GET", "path": "/gone", "old_scopes": []}]), GITEA, old=True)
    after = side_at(written(AFTER[1:]), GITEA, old=False)
    change = AccessChange(before, after)
    assert change.only_one == 2
    assert change.routes == [(each["method"], each["path"]) for each in BEFORE[1:]]
    assert not change.of("read:user", GITEA.conversion(["read:user"]))


def test_tables_without_a_route_in_common_are_refused(written):
    """The same path with another method is another route."""
    before = side_at(written(BEFORE[1:2]), GITEA, old=True)
    after = side_at(written(AFTER[2:3]), GITEA, old=False)
    with pytest.raises(ConfigurationError, match="the two have no route in common"):
        access_change(before, after)


def test_any_method_is_each_of_them(compare):
    """``ANY`` stands for the methods that people use, and each is written at its own level."""
    before = [{"method": "ANY", "path": "/x", "old_scopes": ["notification"]}]
    after = [{"method": "ANY", "path": "/x", "new_categories": ["user"]}]
    change = compare(before, after, "read:user")
    assert shown(change.gained) == ["GET /x"]
    assert shown(compare(before, after, "user").gained) == [
        f"{each} /x" for each in ("DELETE", "GET", "PATCH", "POST", "PUT")
    ]
    assert shown(compare(before, after, "notification").lost) == [
        f"{each} /x" for each in ("DELETE", "GET", "PATCH", "POST", "PUT")
    ]


@pytest.mark.parametrize("method", ["any", "Any"])
def test_any_method_in_any_case(written, method):
    """As with methods that have a name."""
    after = side_at(written([{"method": method, "path": "/x", "new_categories": ["user"]}]), GITEA, old=False)
    assert ("GET", "/x") in after.routes
    lower = side_at(written([{"method": "get", "path": "/x", "new_categories": ["user"]}]), GITEA, old=False)
    assert lower.routes == [("GET", "/x")]


@pytest.mark.parametrize(
    ("method", "reads"),
    [("GET", True), ("HEAD", True), ("OPTIONS", True), ("POST", False), ("PROPFIND", False), ("get", True)],
)
def test_categories_are_needed_at_the_level_of_the_method(written, method, reads):
    """As the gate reads methods."""
    after = side_at(written([{"method": method, "path": "/x", "new_categories": ["user"]}]), GITEA, old=False)
    token = GITEA.conversion(["read:user"])
    assert after.passes(token, method.upper(), "/x", public=True) is reads
    assert after.passes(GITEA.conversion(["user"]), method.upper(), "/x", public=True) is True


def test_routes_after_may_name_scopes_instead(written):
    """As a list, or as text; none for any token that has some."""
    rows = [
        {"method": "POST", "path": "/list", "scopes": ["read:user", "read:issue"]},
        {"method": "POST", "path": "/text", "scopes": "read:user read:issue"},
        {"method": "POST", "path": "/none", "scopes": []},
    ]
    after = side_at(written(rows), GITEA, old=False)
    for text, expected in [("read:user,read:issue", [1, 1, 1]), ("user", [0, 0, 1]), ("x", [0, 0, 0])]:
        token = GITEA.conversion(text.split(","))
        assert [after.passes(token, "POST", path, public=True) for _, path in after.routes] == expected


def test_routes_before_may_name_scopes_instead(written):
    """The old ones, under the key that other tables use."""
    before = side_at(written([{"method": "GET", "path": "/x", "scopes": ["repo"]}]), GITEA, old=True)
    assert before.passes(GITEA.old.bits("repo"), "GET", "/x", public=False) is True
    assert before.passes(GITEA.old.bits("user"), "GET", "/x", public=False) is False


def test_what_no_scope_allows_nobody_reaches(written):
    """A category without writing: its routes for writing are out of reach, and not open to all."""
    rows = [{"method": each, "path": "/log", "new_categories": ["log"]} for each in ("GET", "POST")]
    after = side_at(written(rows), READ_ONLY_LOG, old=False)
    for text, reads in [("log", True), ("log,user", True), ("user", False)]:
        token = READ_ONLY_LOG.conversion(text.split(","))
        assert after.passes(token, "GET", "/log", public=True) is reads
        assert after.passes(token, "POST", "/log", public=True) is False


def test_public_only_matters_where_something_is_public_or_not(written):
    """A token for public things passes elsewhere as any other."""
    after = side_at(written(AFTER), GITEA, old=False)
    token = GITEA.conversion(["public_repo", "user"])
    assert token.scopes.public_only
    assert after.passes(token, "PATCH", "/user", public=False) is True
    assert after.passes(token, "GET", "/repos/{owner}/{repo}", public=True) is True
    assert after.passes(token, "GET", "/repos/{owner}/{repo}", public=False) is False


def test_of_routes_that_a_table_does_not_have_nothing_is_known(written):
    """Neither that they are passed nor that they are not."""
    before, after = side_at(written(BEFORE), GITEA, old=True), side_at(written(AFTER), GITEA, old=False)
    assert isinstance(before, OldRoutes)
    assert isinstance(after, NewRoutes)
    token = GITEA.conversion(["repo"])
    assert before.passes(before.prepare("repo", token), "GET", "/else", public=True) is None
    assert before.passes(before.prepare("", token), "GET", "/else", public=True) is None
    assert before.passes(before.prepare([], token), "GET", "/version", public=True) is False
    assert after.passes(token, "GET", "/else", public=True) is None


class Says:
    """A side that answers the same to everything."""

    def __init__(self, *answers):
        self.routes = [("GET", "/x")]
        self.answers = answers

    def prepare(self, old_text, conversion):
        """Whatever."""
        return old_text

    def passes(self, token, method, path, *, public):
        """What it was told to."""
        return self.answers[public]


@pytest.mark.parametrize(
    ("before", "after", "gained", "lost"),
    [
        pytest.param((False, False), (True, True), [""], [], id="gained"),
        pytest.param((False, False), (False, True), ["public"], [], id="gained-where-public"),
        pytest.param((False, True), (True, True), ["not public"], [], id="gained-elsewhere"),
        pytest.param((True, True), (False, False), [], [""], id="lost"),
        pytest.param((True, True), (True, False), [], ["public"], id="lost-where-public"),
        pytest.param((True, True), (False, True), [], ["not public"], id="lost-elsewhere"),
        pytest.param((True, False), (False, True), ["public"], ["not public"], id="one-for-the-other"),
        pytest.param((True, False), (True, False), [], [], id="the-same"),
        pytest.param((None, None), (True, True), [], [], id="unknown-before"),
        pytest.param((True, True), (None, None), [], [], id="unknown-after"),
        pytest.param((False, None), (True, True), [], [], id="half-unknown"),
    ],
)
def test_where_a_route_is_gained_or_lost(before, after, gained, lost):
    """Everywhere, or only where what it is about is public, or is not; where nothing is known, neither."""
    change = AccessChange(Says(*before), Says(*after)).of("x", GITEA.conversion(["x"]))
    assert change == Change(
        tuple(Reached("/x", "GET", where) for where in gained), tuple(Reached("/x", "GET", where) for where in lost)
    )


def test_sides_without_routes_cannot_be_compared(written):
    """Of two that can be asked about any route, none says which there are."""
    side = PolicyRoutes(Policy.loads(NEW_POLICY), old=False)
    with pytest.raises(ConfigurationError, match="neither side says which routes there are; give a table of them"):
        AccessChange(side, side)


# -- policies


@pytest.mark.parametrize(
    ("text", "gained", "lost"),
    [
        pytest.param("read:user", [], [], id="reading"),
        pytest.param("user", [], [], id="writing"),
        pytest.param("user:email", ["/api/user", "/api/version"], [], id="unknown-to-the-old-policy"),
        pytest.param("repo", [], [], id="repository"),
        pytest.param("public_repo", ["/api/repos/<owner>/<repo> (where it is public)"], ["/api/version"], id="public"),
        pytest.param("repo,package", ["/api/packages"], [], id="what-only-the-new-policy-has"),
    ],
)
def test_two_policies_are_compared_by_their_own_routes(compare, text, gained, lost):
    """Each rule with its methods, of either policy. What asks for no scope is gained by words the old policy did not
    know, as such a token could do nothing there; and lost by one for public things, where the new policy takes none."""
    change = compare(OLD_POLICY, NEW_POLICY, text)
    methods = ("DELETE", "GET", "PATCH", "POST", "PUT")
    assert shown(change.gained) == [f"{method} {path}" for path in gained for method in methods]
    assert shown(change.lost) == [f"{method} {path}" for path in lost for method in methods]


def test_the_routes_of_policies():
    """Groups with the methods people use, routes with theirs; under the prefix, each once."""
    policy = Policy.loads(
        """
        [policy]
        prefix = "/api"
        [[group]]
        path = "/"
        scopes = ["misc"]
          [[group.route]]
          path = "/exact"
          methods = ["GET", "PURGE"]
          scopes = []
        [[group]]
        path = "/a/<b>"
        scopes = ["user"]
          [[group.route]]
          path = "/"
          methods = ["GET"]
          scopes = []
          [[group.route]]
          path = "/c"
          scopes = []
        """
    )
    usual = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    expected = [(each, "/api/") for each in usual] + [("GET", "/api/exact"), ("PURGE", "/api/exact")]
    expected += [(each, "/api/a/<b>") for each in usual] + [(each, "/api/a/<b>/c") for each in usual]
    assert PolicyRoutes(policy, old=True).own_routes() == expected


def test_two_policies_know_the_routes_of_both(written):
    """What one has and the other has not is compared all the same: policies can be asked about anything."""
    change = access_change(
        side_at(written(OLD_POLICY), GITEA, old=True), side_at(written(NEW_POLICY), GITEA, old=False)
    )
    assert ("GET", "/api/packages") in change.routes
    assert len(change.routes) == len(set(change.routes)) == 4 * 5
    assert change.only_one == 0
    found = change.of("read:package", GITEA.conversion(["read:package"]))
    assert Reached("/api/packages", "GET") in found.gained
    assert Reached("/api/packages", "POST") not in found.gained


def test_a_policy_on_one_side_is_asked_about_the_routes_of_the_other(written):
    """Before or after; what lies outside of its prefix passes it untouched."""
    rows = [each | {"path": f"/api{each['path']}"} for each in AFTER] + [
        {"method": "GET", "path": "/elsewhere", "new_categories": ["admin"]}
    ]
    change = access_change(side_at(written(OLD_POLICY), GITEA, old=True), side_at(written(rows), GITEA, old=False))
    assert len(change.routes) == 8
    assert shown(change.of("read:user", GITEA.conversion(["read:user"])).lost) == [
        "GET /api/version",
        "GET /elsewhere",
    ]

    rows = [each | {"path": f"/api{each['path']}"} for each in BEFORE]
    change = access_change(side_at(written(rows), GITEA, old=True), side_at(written(NEW_POLICY), GITEA, old=False))
    found = change.of("repo", GITEA.conversion(["repo"]))
    assert shown(found.gained) == ["DELETE /api/repos/{owner}/{repo}"]
    assert found.lost == ()
    found = change.of("public_repo", GITEA.conversion(["public_repo"]))
    assert shown(found.gained) == ["DELETE /api/repos/{owner}/{repo} (where it is public)"]
    assert shown(found.lost) == ["GET /api/version"]


def test_unknown_words_grant_nothing_by_any_policy(written):
    """Before, by the old vocabulary; after, by the new one."""
    change = access_change(
        side_at(written(OLD_POLICY), GITEA, old=True), side_at(written(NEW_POLICY), GITEA, old=False)
    )
    assert not change.of("nobody:knows", GITEA.conversion(["nobody:knows"]))
    assert not change.of("", GITEA.conversion([]))


EVERY_KIND = """
[policy]
prefix = "/api"
{policy}
[[group]]
path = "/plain"
scopes = ["user"]
[[group]]
path = "/two"
scopes = ["user", "issue"]
[[group]]
path = "/either"
scopes = []
any_of = [["read:issue"], ["read:package", "read:misc"]]
[[group]]
path = "/fixed"
scopes = ["write:misc"]
[[group]]
path = "/free"
scopes = []
[[group]]
path = "/tokens"
scopes = []
accept = "token"
[[group]]
path = "/sessions"
scopes = []
accept = "session"
[[group]]
path = "/anyone"
require_token = false
scopes = []
public_only = "allow"
[[group]]
path = "/optional"
require_token = false
scopes = ["misc"]
[[group]]
path = "/check/<owner>/<repo>"
scopes = ["repository"]
resource = "<owner>/<repo>"
public_only = "check"
  [[group.route]]
  path = "/markdown"
  methods = ["POST"]
  action = "read"
[[group]]
path = "/reject"
scopes = ["issue"]
public_only = "reject"
[[group]]
path = "/allow"
scopes = ["package"]
public_only = "allow"
[[group]]
path = "/mail/<owner>"
scopes = ["user"]
owner = "<owner>"
self_or_admin = true
[[group]]
path = "/typed/<int:number>"
scopes = ["admin"]
"""
TOKENS = (
    *("all", "read:user", "write:user", "read:user,read:issue", "write:issue", "read:issue", "read:package,read:misc"),
    *("read:package", "write:misc", "read:misc", "write:repository", "public-only,read:repository", "public-only,all"),
    *("public-only,write:issue", "public-only,write:package", "public-only,write:user", "write:admin", "read:admin"),
    "read:user@alice/widgets",
)


@pytest.mark.parametrize("public", [True, False], ids=["public", "not-public"])
@pytest.mark.parametrize("unmatched", ["deny", "pass"])
def test_a_policy_says_what_the_gate_does(make_gate, call, store, unmatched, public):
    """For every rule, method and token, of an administrator: what is told beforehand is what happens."""
    text = EVERY_KIND.replace("{policy}", f'unmatched = "{unmatched}"')
    visibility = "public" if public else "private"
    gate = make_gate(policy=text, visibility=lambda environ, resource: visibility)
    side = PolicyRoutes(Policy.loads(text), old=False)
    routes = [*side.own_routes(), *[(method, path) for method in ("GET", "POST") for path in ("/api/none", "/outside")]]
    store.add_owner("root", role="admin")
    found = {}
    for number, words in enumerate(TOKENS):
        secret = store.issue(owner="root", name=f"token {number}", scopes=words).secret
        token = side.prepare("", GITEA.conversion(words.split(",")))
        for method, path in routes:
            if "@" in words and "repository" in path:
                continue
            status = call(gate, method, sample(path), authorization=f"token {secret}").status
            found[words, method, path] = (side.passes(token, method, path, public=public), status == 200)
    assert {key for key, (told, done) in found.items() if told != done} == set()
    assert len({told for told, _ in found.values()}) == 2


def test_a_token_without_scopes_passes_nothing_but_what_is_not_guarded():
    """Not even what asks for no scope, or for no token."""
    side = PolicyRoutes(Policy.loads(EVERY_KIND.replace("{policy}", 'unmatched = "pass"')), old=False)
    token = side.prepare("", GITEA.conversion(["public-only", "nobody:knows"]))
    assert not any(side.passes(token, *route, public=True) for route in [*side.own_routes(), ("GET", "/api/none")])
    assert side.passes(token, "GET", "/outside", public=True)


@pytest.mark.parametrize("path", ["/api//free", "/api/free/../free", "/api/free/%2e", "/API/free", "/api/free;x"])
def test_paths_that_have_no_one_reading_are_passed_by_nobody(path):
    """The gate refuses them; a table with such a path is no reason to call everybody's access unchanged."""
    side = PolicyRoutes(Policy.loads(EVERY_KIND.replace("{policy}", "")), old=False)
    token = side.prepare("", GITEA.conversion(["all"]))
    assert side.passes(token, "GET", "/api/free", public=True) is True
    assert side.passes(token, "GET", path, public=True) is not True


def test_a_policy_may_be_about_ones_own_things(compare):
    """A scope for one's own things is one to pass with, where the application keeps callers to theirs, and nowhere
    else."""
    vocabulary = {
        "categories": {"files": "Files"},
        "actions": ["read", "read_own"],
        "implies": {"read": ["read_own"]},
        "own": {"read": "read_own"},
        "methods": {"*": ["read"]},
    }
    policy = """
        [vocabulary]
        categories = { files = "Files" }
        actions = ["read", "read_own"]
        implies = { read = ["read_own"] }
        own = { read = "read_own" }
        methods = { "*" = ["read"] }
        [[group]]
        path = "/files"
        scopes = ["files"]
        own = "filter"
        [[group]]
        path = "/others"
        scopes = ["files"]
        """
    mapping = Mapping.from_mapping(
        {"target": vocabulary, "old": {"scopes": ["mine"]}, "map": {"mine": "read_own:files"}}
    )
    before = [{"method": "GET", "path": path, "old_scopes": ["mine"]} for path in ("/files", "/others")]
    assert shown(compare(before, policy, "mine", mapping).lost) == ["GET /others"]


# -- paths


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/b", "/a/b"),
        ("/a/<b>", "/a/x-7"),
        ("/<a>/<b>", "/x-7/x-7"),
        ("/<int:a>", "/7"),
        ("/<float:a>", "/7.5"),
        ("/<uuid:a>", "/00000000-0000-4000-8000-000000000000"),
        ("/<path:a>", "/x-7"),
        ("/<a>.<b>", "/x-7.x-7"),
        ("/{a}", "/x-7"),
        ("/{a}/{b}", "/x-7/x-7"),
        ("/{a}.{kind:diff|patch}", "/x-7.diff"),
        ("/raw/*", "/raw/x"),
        ("", ""),
    ],
)
def test_templates_stand_for_a_path(path, expected):
    """In the syntax of policies, and in those of tables of routes."""
    assert sample(path) == expected


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/<a>",
            "/<int:a>",
            "/<float:a>",
            "/<uuid:a>",
            "/<path:a>",
            "/<any(diff,patch):a>",
            "/<a>.<any(diff,patch):b>",
        ),
        *("/<int(min=10):a>", "/<int(max=5):a>", "/<int(fixed_digits=3):a>", "/<int(signed=True):a>"),
        *("/<string(length=2):a>", "/<string(minlength=3):a>", '/<any("a b", c):a>', "/v<int:a>/<b>/raw/<path:c>"),
    ],
)
def test_a_rule_is_asked_about_by_a_path_of_its_own(path):
    """What stands for it has to be decided by it, and by no other rule."""
    requirement = Policy([Group(path=path, scopes=["user"])]).requirement("GET", sample(path))
    assert requirement is not None
    assert requirement.group == path


def test_rules_with_choices_are_compared_by_themselves(compare):
    """And not by what decides about all other paths."""
    before = '[[group]]\npath = "/a"\nscopes = ["issue"]\n[[group.route]]\npath = "/<any(b,c):d>"\nscopes = ["user"]\n'
    after = before.replace('scopes = ["user"]', 'scopes = ["package"]')
    change = compare(before, after, "read:user")
    assert "GET /a/<any(b,c):d>" in shown(change.lost)
    assert "GET /a" not in shown(change.lost)


# -- files

ROW = {"method": "GET", "path": "/x"}
BAD_ROWS = {
    "no-table": (7, False, "", "expected a list of routes"),
    "nothing": (None, False, "", "expected a list of routes"),
    "no-rows": ([], False, "", "expected a list of routes"),
    "a-table-without-rows": ({"paths": [ROW]}, False, "", "expected a list of routes"),
    "a-table-with-other-rows": ({"routes": "x"}, False, "", "expected a list of routes"),
    "a-row-that-is-none": ([ROW | {"scopes": []}, 7], False, "[1]", "expected a route with `method` and `path`"),
    "no-method": ([{"path": "/x"}], False, "[0]", "expected a route with `method` and `path`"),
    "no-path": ([{"method": "GET"}], True, "[0]", "expected a route with `method` and `path`"),
    "method-of-another-kind": ([ROW | {"method": ["GET"]}], False, "[0]", "expected a route with"),
    "path-of-another-kind": ([ROW | {"path": 7}], False, "[0]", "expected a route with"),
    "nothing-needed-after": ([ROW], False, "[0]", "expected `new_categories`, or `scopes`"),
    "nothing-needed-before": ([ROW], True, "[0]", "expected `old_scopes`, or `scopes`"),
    "only-old-after": ([ROW | {"old_scopes": ["repo"]}], False, "[0]", "expected `new_categories`, or `scopes`"),
    "only-new-before": ([ROW | {"new_categories": ["user"]}], True, "[0]", "expected `old_scopes`, or `scopes`"),
    "unknown-scope": ([ROW | {"scopes": ["read:it"]}], False, "[0]", "unknown scope `read:it`"),
    "scope-that-is-none": ([ROW | {"scopes": [7]}], False, "[0]", "unknown scope `7`"),
    "scopes-of-another-kind": ([ROW | {"scopes": 7}], False, "[0]", ""),
    "scopes-null": ([ROW | {"scopes": None}], False, "[0]", ""),
    "scopes-that-restrict": ([ROW | {"scopes": ["public-only"]}], False, "[0]", ""),
    "scopes-bound": ([ROW | {"scopes": ["read:user@alice/widgets"]}], False, "[0]", ""),
    "unknown-category": ([ROW | {"new_categories": ["it"]}], False, "[0]", "`it` is no category of gitea"),
    "category-as-text": ([ROW | {"new_categories": "user"}], False, "[0]", ""),
    "category-that-is-a-list": ([ROW | {"new_categories": [["user"]]}], False, "[0]", ""),
    "categories-of-another-kind": ([ROW | {"new_categories": 7}], False, "[0]", ""),
    "categories-null": ([ROW | {"new_categories": None}], False, "[0]", "expected `new_categories`, or `scopes`"),
    "unknown-old-scope": ([ROW | {"old_scopes": ["rep"]}], True, "[0]", "`rep` is no old scope"),
    "new-scope-before": ([ROW | {"old_scopes": ["write:issue"]}], True, "[0]", "`write:issue` is no old scope"),
    "old-scopes-null": ([ROW | {"old_scopes": None}], True, "[0]", "expected `old_scopes`, or `scopes`"),
    "old-scopes-as-text": ([ROW | {"old_scopes": "repo"}], True, "[0]", "expected `old_scopes`, or `scopes`"),
    "old-scope-that-is-none": ([ROW | {"old_scopes": [7]}], True, "[0]", "`7` is no old scope"),
    "old-scope-that-is-a-list": ([ROW | {"old_scopes": [["repo"]]}], True, "[0]", ""),
}


@pytest.mark.parametrize(("rows", "old", "where", "problem"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_tables_that_cannot_be_read(tmp_path, rows, old, where, problem):
    """Are refused, with the file and the row: what a route needs is not guessed."""
    path = tmp_path / "routes.json"
    path.write_text(json.dumps(rows), "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        side_at(path, GITEA, old=old)
    assert caught.value.where == f"{path}{where}"
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    "content",
    [b"", b"[", b"\xff", b"[" * 100_000, b"[" + b"1" * 5_000 + b"]"],
    ids=["empty", "cut", "latin-1", "deep", "long"],
)
def test_files_that_are_no_json(tmp_path, content):
    """Are refused, with their name."""
    path = tmp_path / "routes.json"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="it cannot be read") as caught:
        side_at(str(path), GITEA, old=True)
    assert caught.value.where == str(path)


@pytest.mark.parametrize("name", ["none.json", "none.toml"])
def test_files_that_are_not_there(tmp_path, name):
    """Are missed by name."""
    with pytest.raises(ConfigurationError) as caught:
        side_at(tmp_path / name, GITEA, old=True)
    assert str(tmp_path / name) in str(caught.value)


def test_a_route_that_stands_there_twice_is_refused_where_the_two_differ(written):
    """Nobody could say which of them holds; the same twice does no harm."""
    row = {"method": "GET", "path": "/x", "old_scopes": ["repo"]}
    assert side_at(written([row, dict(row)]), GITEA, old=True).routes == [("GET", "/x")]
    with pytest.raises(ConfigurationError):
        side_at(written([row, row | {"old_scopes": []}]), GITEA, old=True)


def test_tables_may_stand_in_a_table(written):
    """Under `routes`, beside what else there is to say; categories under the shorter name, too."""
    rows = {"source": "x", "routes": [ROW | {"categories": ["user"]}]}
    after = side_at(written(rows), GITEA, old=False)
    assert after.passes(GITEA.conversion(["read:user"]), "GET", "/x", public=False) is True
    assert after.passes(GITEA.conversion(["write:issue"]), "GET", "/x", public=False) is False


def test_a_table_for_both_sides(written):
    """One row may say what was needed and what is; each side reads its own."""
    path = written([ROW | {"old_scopes": ["repo"], "new_categories": ["user"]}])
    change = access_change(side_at(path, GITEA, old=True), side_at(path, GITEA, old=False))
    assert shown(change.of("repo", GITEA.conversion(["repo"])).lost) == ["GET /x"]
    assert shown(change.of("read:user", GITEA.conversion(["read:user"])).gained) == ["GET /x"]
