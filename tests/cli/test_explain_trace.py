"""``scopeware explain``: how the rule was found, what would do instead, and which view answers."""

from __future__ import annotations

import pytest
from command_line import DATABASE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from policy_strategies import TEXTS, policies

from scopeware import Policy, TokenStore
from scopeware.policy import AmbiguousPath

FORGE = """
[policy]
prefix = "/api"

[[group]]
path = "/repos/<owner>/<repo>"
scopes = ["repository"]
resource = "<owner>/<repo>"
public_only = "check"

[[group]]
path = "/numbers/<int:id>"
scopes = ["issue"]
public_only = "allow"

[[group]]
path = "/numbers/<name>"
scopes = ["issue", "package"]

[[group]]
path = "/either"
any_of = [["read:issue"], ["read:package", "read:misc"]]

[[group]]
path = "/other-way"
any_of = [["write:admin"], ["read:issue", "read:package"]]

[[group]]
path = "/list"
scopes = ["repository"]
bound = "filter"

[[group]]
path = "/admin"
scopes = ["admin"]

[[group]]
path = "/anyone"
scopes = []
"""
APPLICATION = """
import flask

app = flask.Flask("traced")

@app.route("/api/numbers/<int:id>", methods=["GET", "DELETE"])
def number(id):
    raise RuntimeError("it was called")

@app.route("/api/numbers/<name>")
def named(name): return ""

@app.route("/")
def front(): return ""
"""
unhurried = settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture
def explain(cli, folder):
    """``explain("GET", "/api/anyone", ...)``: the facts, as data."""
    (folder / "forge.toml").write_text(FORGE, "utf-8")

    def run(*arguments):
        result = cli("explain", "forge.toml", *arguments, "--json")
        assert result.err == ""
        assert result.status == (0 if result.json["decision"] == "allowed" else 1)
        return result.json

    return run


@pytest.fixture
def site(folder, monkeypatch):
    """An application beside the policy: ``module:app``."""
    (folder / "traced_site.py").write_text(APPLICATION, "utf-8")
    monkeypatch.syspath_prepend(str(folder))
    return "traced_site:app"


def raw(path):
    return path.encode("utf-8").decode("latin-1")


class TestNearest:
    words = ("all", "read:repository", "write:issue", "read:package", "read:misc", "read:admin", "write:repository@a/b")
    granted = st.lists(st.sampled_from(words), min_size=1, max_size=3, unique=True).map(",".join)
    paths = ("/repos/a/b", "/repos/c/d", "/numbers/7", "/numbers/x", "/either", "/other-way", "/list", "/admin")

    @unhurried
    @given(
        granted,
        st.sampled_from(paths),
        st.sampled_from(["GET", "DELETE", "get"]),
        st.sampled_from(["user", "viewer", "admin"]),
    )
    def test_with_the_nearest_scopes_it_would_be_allowed(self, explain, scopes, path, method, role):
        """Wherever the scopes are what is lacking; where it is the role, none are named."""
        asked = (method, f"/api{path}", "--role", role)
        facts = explain(*asked, "--scopes", scopes)
        if facts.get("code") != "insufficient_scope":
            return
        nearest = facts["nearest_scopes"]
        if nearest is None:
            assert explain(*asked, "--scopes", "all")["decision"] == "denied"
        else:
            assert explain(*asked, "--scopes", nearest)["decision"] == "allowed"

    @pytest.mark.parametrize(
        ("scopes", "request_", "nearest"),
        [
            ("write:package", ("GET", "/api/numbers/x"), "write:package,read:issue"),
            ("read:misc", ("GET", "/api/other-way"), "read:misc,read:issue,read:package"),
            ("public-only,read:issue", ("DELETE", "/api/numbers/7"), "public-only,write:issue"),
            ("read:repository@a/b", ("DELETE", "/api/repos/a/b"), "write:repository@a/b"),
        ],
    )
    def test_they_are_no_more_than_they_have_to_be(self, explain, scopes, request_, nearest):
        """What the token is restricted to, it stays restricted to."""
        facts = explain(*request_, "--scopes", scopes, "--public")
        vocabulary = Policy.loads(FORGE).vocabulary
        assert vocabulary.parse(facts["nearest_scopes"]) == vocabulary.parse(nearest)

    @pytest.mark.parametrize(
        ("options", "path"),
        [
            (("--scopes", "write:admin", "--role", "user"), "/admin"),
            (("--scopes", "all"), "/nothing"),
            (("--scopes", "public-only,all", "--role", "admin"), "/admin"),
        ],
    )
    def test_where_no_scope_helps_none_is_named(self, explain, options, path):
        """The role is too low, no group covers it, the token is for public things."""
        facts = explain("DELETE", f"/api{path}", *options)
        assert (facts["decision"], facts.get("nearest_scopes")) == ("denied", None)

    def test_a_token_of_the_database(self, explain, folder):
        """With its own scopes and its owner's role; one that does not work is not explained."""
        store = TokenStore.connect(DATABASE)
        for name, scopes in (("one", "read:issue"), ("two", "all")):
            store.issue(owner="alice", name=name, scopes=scopes)
        store.set_role("alice", "viewer")
        store.close()
        assert explain("GET", "/api/numbers/7", "--token", "1")["decision"] == "allowed"
        assert explain("DELETE", "/api/numbers/7", "--token", "2")["code"] == "insufficient_scope"


class TestTrace:
    @settings(unhurried, max_examples=150)
    @given(policies(), st.lists(st.sampled_from([*TEXTS, "größe", "a;b"]), max_size=5), st.sampled_from(["", "/api"]))
    def test_the_last_step_is_what_decides(self, groups, segments, prefix):
        """The steps are the path's segments, as far as any rule has something to say."""
        policy = Policy(groups, prefix=prefix)
        path = raw(f"{prefix}/{'/'.join(segments)}".rstrip("/") or "/")
        try:
            decided = policy.requirement("GET", path)
        except AmbiguousPath:
            return
        steps = policy.trace("GET", path)
        assert [segment for segment, _, _ in steps] == segments[: len(steps)]
        if len(steps) < len(segments):
            assert steps[-1][1] == "nothing more specific"
        if steps:
            assert steps[-1][2] is decided

    def test_segment_by_segment(self, explain):
        """How each was read, and what would decide up to there."""
        for path, read_as, rule in (
            ("/numbers/7", ["literal", "typed variable"], "/numbers/<int:id>"),
            ("/numbers/x", ["literal", "variable"], "/numbers/<name>"),
            ("/repos/größe/b/c", ["literal", "variable", "variable", "nothing more specific"], "/repos/<owner>/<repo>"),
            ("/nothing", ["nothing more specific"], None),
        ):
            trace = explain("GET", f"/api{path}")["trace"]
            assert [step["read_as"] for step in trace] == read_as
            assert [step["segment"] for step in trace] == path.strip("/").split("/")
            assert trace[-1]["rule"] == rule

    def test_what_is_shown_can_be_shown(self, cli, folder):
        """Nothing that a terminal obeys."""
        (folder / "forge.toml").write_text(FORGE, "utf-8")
        result = cli("explain", "forge.toml", "GET", "/api/repos/\u202ea/b\u200b")
        assert all(line.isprintable() for line in result.out.splitlines())


class TestViews:
    def test_which_view_answers(self, explain, site):
        """As the application would find it, outside of the prefix, too; nothing of it is called."""
        for method, path, view in (
            ("GET", "/api/numbers/7", "number (DELETE,GET /api/numbers/<int:id>)"),
            ("HEAD", "/api/numbers/7/", "number (DELETE,GET /api/numbers/<int:id>)"),
            ("GET", "/api/numbers/größe", "named (GET /api/numbers/<name>)"),
            ("DELETE", "/api/numbers/x", None),
            ("GET", "/api/repos/a/b", None),
            ("GET", "/", "front (GET /)"),
        ):
            assert explain(method, path, "--scopes", "all", "--app", site)["view"] == view

    def test_an_application_that_cannot_be_imported_is_said(self, cli, folder):
        """In a line."""
        (folder / "forge.toml").write_text(FORGE, "utf-8")
        result = cli("explain", "forge.toml", "GET", "/api/anyone", "--app", "no_such_module:app")
        assert (result.status, result.err.count("\n")) == (2, 1)
