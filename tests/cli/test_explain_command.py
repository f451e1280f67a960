"""``scopeware explain``: which group, what it needs, and the decision."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import DATABASE, says
from services import run_sql

GITEA = str(Path(__file__).parents[2] / "examples" / "gitea" / "policy.toml")
ISSUE = ("explain", GITEA, "DELETE", "/api/v1/repos/a/b/issues/3")
DEPOT = """
[vocabulary]
name = "depot"
spelling = "category:action"
actions = ["read_any", "read_own", "write_any", "write_own"]
implies = { write_any = ["read_any"], write_own = ["read_own"] }
own = { read_any = "read_own", write_any = "write_own" }
methods = { GET = ["read_any"], "*" = ["write_any"] }
categories = { docker = "Containers", vms = "Virtual machines" }

[roles]
operator = "*:read_any"

[[group]]
path = "/docker"
scopes = ["docker"]
own = "filter"

[[group]]
path = "/docker/<name>"
scopes = ["docker"]
resource = "docker/<name>"

[[group]]
path = "/vms"
scopes = ["vms"]
others = ["admin", "operator"]

[[group]]
path = "/files"
scopes = []
others = []
own = "filter"

[[group]]
path = "/images"
scopes = ["docker"]
bound = "filter"

[[group]]
path = "/open"
scopes = []
"""


class TestDecisions:
    def test_a_denied_request_says_which_group_and_what_is_missing(self, command):
        """Exit status 1, and the same on paper."""
        result = command(*ISSUE, "--scopes", "read:issue", "--json")
        assert result.status == 1
        facts = result.json
        assert facts["decision"] == "denied"
        assert (facts["status"], facts["code"]) == (403, "insufficient_scope")
        assert facts["group"] == "/repos/<owner>/<repo>/<any(issues, labels, milestones):part>"
        assert facts["required_scopes"] == ["write:issue"]
        assert facts["missing"] == ["write:issue"]
        assert facts["available_scopes"] == ["read:issue"]
        assert facts["resource"] == "a/b"
        assert facts["params"] == {"owner": "a", "repo": "b", "part": "issues"}
        text = command(*ISSUE, "--scopes", "read:issue")
        assert text.status == 1
        assert text.err == ""
        rows = dict(line.split("  ", 1) for line in text.out.partition("\n\n")[0].splitlines())
        assert rows["request"].strip() == "DELETE /api/v1/repos/a/b/issues/3"
        assert rows["missing"].strip() == "write:issue"
        assert rows["decision"].strip() == "denied (403 insufficient_scope)"
        assert rows["detail"].strip() == "the token lacks write:issue"
        assert rows["params"].strip() == "owner=a, repo=b, part=issues"

    def test_an_allowed_request_exits_with_0(self, command):
        """Its nearest neighbour."""
        result = command(*ISSUE, "--scopes", "write:issue", "--json")
        assert result.status == 0
        assert (result.json["decision"], result.json["status"], result.json["code"]) == ("allowed", None, None)
        assert result.json["missing"] == []
        text = command(*ISSUE, "--scopes", "write:issue")
        assert text.status == 0
        assert "denied" not in text.out
        assert "the application is called" in text.out

    def test_without_scopes_it_is_nobody_who_asks(self, cli):
        """No token: 401, unless the route is for everyone."""
        facts = cli(*ISSUE, "--json")
        assert (facts.status, facts.json["status"], facts.json["code"]) == (1, 401, "token_required")
        assert facts.json["available_scopes"] is None
        version = cli("explain", GITEA, "GET", "/api/v1/version", "--json")
        assert (version.status, version.json["decision"]) == (0, "allowed")
        assert version.json["require_token"] is False

    @pytest.mark.parametrize("scopes", ["", "public-only"])
    def test_a_token_without_a_scope_is_worth_nothing(self, cli, scopes):
        """It is a token, so this is 403, not 401."""
        facts = cli(*ISSUE, "--scopes", scopes, "--json")
        assert (facts.status, facts.json["status"], facts.json["code"]) == (1, 403, "insufficient_scope")

    def test_what_no_group_covers_is_denied(self, cli):
        """With and without a token; no group is named."""
        facts = cli("explain", GITEA, "GET", "/api/v1/nothing", "--scopes", "all", "--json")
        assert (facts.status, facts.json["code"]) == (1, "unmatched")
        assert (facts.json["covered"], facts.json["group"]) == (False, None)
        assert cli("explain", GITEA, "GET", "/api/v1/nothing", "--json").json["code"] == "token_required"
        assert (
            "no rule of the policy covers this path"
            in cli("explain", GITEA, "GET", "/api/v1/nothing", "--scopes", "all").out
        )

    def test_outside_of_the_prefix_nothing_is_asked(self, cli):
        """Allowed, because it is not guarded; and that is said."""
        facts = cli("explain", GITEA, "DELETE", "/assets/logo.svg", "--json")
        assert facts.status == 0
        assert (facts.json["covered"], facts.json["decision"]) == (False, "allowed")
        assert facts.json["detail"] == "outside of the policy's prefix"
        assert "outside of the policy's prefix" in cli("explain", GITEA, "DELETE", "/assets/logo.svg").out

    @pytest.mark.parametrize(
        ("path", "why"),
        [
            ("/api/v1//user", "an empty segment"),
            ("/api/v1/../v1/user", "a dot segment"),
            ("/api/v1/user/%2e%2e", "still percent-encoded"),
            ("/api/v1/user\\orgs", "holds `\\`"),
            ("/api/v1/user?page=2", "holds `?`"),
            ("/API/v1/user", "may be taken for one under `/api/v1`"),
            ("api/v1/user", "does not start with a slash"),
        ],
    )
    def test_an_ambiguous_path_is_denied_with_its_reason(self, cli, path, why):
        """400, whoever asks."""
        facts = cli("explain", GITEA, "GET", path, "--scopes", "all", "--json")
        assert facts.status == 1
        assert (facts.json["decision"], facts.json["status"], facts.json["code"]) == ("denied", 400, "ambiguous_path")
        assert why in facts.json["detail"]
        assert "denied (400 ambiguous_path)" in cli("explain", GITEA, "GET", path).out

    def test_methods_are_read_as_a_server_sends_them(self, cli):
        """In lower case it is another method, and that writes."""
        assert cli("explain", GITEA, "HEAD", "/api/v1/user", "--scopes", "read:user").status == 0
        assert cli("explain", GITEA, "head", "/api/v1/user", "--scopes", "read:user").status == 1

    def test_a_path_of_any_script_is_matched(self, cli, fleet):
        """As its bytes would be."""
        facts = cli("explain", fleet, "GET", "/api/shows/漢字ü", "--scopes", "read:docker", "--json")
        assert facts.status == 0
        assert facts.json["params"] == {"name": "漢字ü"}
        assert facts.json["resource"] == "漢字ü"
        assert "name=漢字ü" in cli("explain", fleet, "GET", "/api/shows/漢字ü", "--scopes", "read:docker").out


class TestWho:
    def test_a_role_is_a_ceiling(self, cli):
        """``all`` of a user does not reach administration; an administrator's does, a viewer's only reads."""
        admin = ("explain", GITEA, "GET", "/api/v1/admin/users", "--scopes", "all")
        assert cli(*admin).status == 1
        assert cli(*admin, "--role", "admin").status == 0
        facts = cli(*ISSUE, "--scopes", "all", "--role", "viewer", "--json")
        assert facts.status == 1
        assert "write:issue" not in facts.json["available_scopes"]
        assert "read:issue" in facts.json["available_scopes"]

    def test_a_role_of_the_policys_own(self, cli, fleet):
        """And one that it has not."""
        create = ("explain", fleet, "POST", "/api/docker", "--scopes", "everything", "--role")
        assert cli(*create, "operator").status == 0
        assert cli("explain", fleet, "DELETE", *create[3:], "operator").status == 1
        says(cli(*create, "operater"), 2, "unknown role `operater`; did you mean `operator`?")

    def test_an_owner_may_go_where_only_owners_may(self, cli, fleet):
        """Or an administrator."""
        asked = ("explain", fleet, "GET", "/api/vms/alice", "--scopes", "read:vms", "--json")
        assert cli(*asked, "--owner", "alice").status == 0
        other = cli(*asked, "--owner", "bob")
        assert (other.status, other.json["code"]) == (1, "owner_mismatch")
        assert cli(*asked).json["code"] == "owner_mismatch"
        assert cli(*asked, "--owner", "bob", "--role", "admin").status == 0

    def test_alternatives_are_all_named(self, cli, fleet):
        """In JSON as lists, on paper with `or`."""
        asked = ("explain", fleet, "DELETE", "/api/vms/someone", "--scopes", "read:docker")
        facts = cli(*asked, "--json").json
        assert [set(scopes) for scopes in facts["alternatives"]] == [{"read:vms"}, {"read:docker", "delete:vms"}]
        assert facts["required_scopes"] == ["read:vms"]
        shown = " or ".join("+".join(scopes) for scopes in facts["alternatives"])
        assert f"alternatives      {shown}" in cli(*asked).out

    def test_a_public_only_token_needs_what_is_public(self, cli):
        """--public says that it is; in a group that rejects such tokens it does not matter."""
        asked = ("explain", GITEA, "GET", "/api/v1/repos/a/b/hooks", "--scopes", "public-only,read:repository")
        refused = cli(*asked, "--json")
        assert (refused.status, refused.json["code"]) == (1, "public_only")
        assert cli(*asked, "--public").status == 0
        rejected = ("explain", GITEA, "GET", "/api/v1/notifications", "--scopes", "public-only,all", "--public")
        assert cli(*rejected, "--json").json["code"] == "public_only"


@pytest.fixture
def depot(folder):
    """A policy where some may reach only what is their own."""
    (folder / "depot.toml").write_text(DEPOT, "utf-8")
    return "depot.toml"


class TestOwn:
    """What is one's own: by scopes (``own`` of the vocabulary), and by role (``others``)."""

    def test_a_token_for_ones_own_reaches_what_is_owned(self, cli, depot):
        """--owned says that it is; else it is somebody else's, or nobody's."""
        asked = ("explain", depot, "GET", "/docker/web", "--scopes", "docker:read_own")
        other = cli(*asked, "--json")
        assert (other.status, other.json["code"]) == (1, "resource_out_of_reach")
        assert (other.json["own"], other.json["others"]) == ("check", None)
        own = cli(*asked, "--owned", "--json")
        assert (own.status, own.json["decision"]) == (0, "allowed")
        assert own.json["detail"] == "the application is called, for the caller's own only"
        rows = dict(line.split("  ", 1) for line in cli(*asked, "--owned").out.partition("\n\n")[0].splitlines())
        assert rows["own"].strip() == "check"
        assert rows["detail"].strip() == "the application is called, for the caller's own only"

    def test_a_token_for_everybodys_need_not_own_it(self, cli, depot):
        """Its own or not: the application is called for all."""
        asked = ("explain", depot, "GET", "/docker/web", "--scopes", "docker:read_any")
        for more in ((), ("--owned",)):
            facts = cli(*asked, *more, "--json")
            assert (facts.status, facts.json["detail"]) == (0, "the application is called")

    @pytest.mark.parametrize("more", [("--owned",), ("--owned", "--owner", "alice", "--role", "admin")])
    def test_to_own_it_is_not_enough(self, cli, depot, more):
        """Without the scopes, or for another action, it is denied like anybody else's."""
        denied = cli("explain", depot, "DELETE", "/docker/web", "--scopes", "docker:read_own", *more, "--json")
        assert (denied.status, denied.json["code"]) == (1, "insufficient_scope")
        nobody = cli("explain", depot, "GET", "/docker/web", "--owned", "--json")
        assert (nobody.status, nobody.json["code"]) == (1, "token_required")

    def test_where_the_application_filters_it_is_called_for_ones_own(self, cli, depot):
        """Owned or not: the list holds both."""
        asked = ("explain", depot, "GET", "/docker", "--json", "--scopes")
        facts = cli(*asked, "docker:read_own")
        assert (facts.status, facts.json["own"]) == (0, "filter")
        assert facts.json["detail"] == "the application is called, for the caller's own only"
        assert cli(*asked, "docker:read_any").json["detail"] == "the application is called"

    @pytest.mark.parametrize(
        ("scopes", "path", "more"),
        [
            ("docker:read_own", "/docker", ()),
            ("docker:read_own", "/docker/web", ("--owned",)),
            ("docker:read_own@docker/web", "/docker/web", ("--owned",)),
            ("docker:read_any@docker/web", "/docker/web", ()),
            ("docker:read_any@docker/web", "/images", ()),
        ],
    )
    def test_nothing_is_missing_where_it_is_allowed(self, cli, depot, scopes, path, more):
        """Also if there is a scope that would reach further."""
        facts = cli("explain", depot, "GET", path, "--scopes", scopes, *more, "--json")
        assert (facts.status, facts.json["missing"]) == (0, [])

    def test_something_is_missing_where_it_is_denied(self, cli, depot):
        """Its nearest neighbour."""
        facts = cli("explain", depot, "GET", "/docker/web", "--scopes", "vms:read_any", "--json")
        assert (facts.status, facts.json["missing"]) == (1, ["docker:read_any"])

    def test_what_is_others_is_for_some_roles(self, cli, depot):
        """They are named; everybody else reaches what is their own, which there is here nothing of."""
        asked = ("explain", depot, "GET", "/vms", "--scopes", "vms:read_any")
        user = cli(*asked, "--json")
        assert (user.status, user.json["code"]) == (1, "resource_out_of_reach")
        assert (user.json["own"], user.json["others"]) == ("reject", ["admin", "operator"])
        assert cli(*asked, "--role", "operator").status == 0
        shown = cli(*asked).out.splitlines()
        assert "others            admin, operator" in [line.rstrip() for line in shown]

    def test_where_others_are_for_nobody_that_is_said(self, cli, depot):
        """In JSON an empty list, on paper a line of its own."""
        asked = ("explain", depot, "GET", "/files", "--scopes", "vms:read_any", "--role", "admin")
        facts = cli(*asked, "--json")
        assert (facts.status, facts.json["others"]) == (0, [])
        assert facts.json["detail"] == "the application is called, for the caller's own only"
        assert any(line.startswith("others ") for line in cli(*asked).out.splitlines())

    def test_where_it_does_not_matter_whose_it_is_nothing_is_said_of_it(self, cli, depot):
        """Neither in JSON nor on paper; and to own it changes nothing."""
        asked = ("explain", depot, "GET", "/open", "--scopes", "vms:read_any")
        for more in ((), ("--owned",)):
            facts = cli(*asked, *more, "--json")
            assert (facts.status, facts.json["own"], facts.json["others"]) == (0, None, None)
            assert facts.json["detail"] == "the application is called"
        assert not any(line.startswith(("own ", "others ")) for line in cli(*asked).out.splitlines())

    def test_a_token_of_the_database_owns_what_its_owner_owns(self, cli, depot):
        """--owned is about that owner."""
        create = ("token", "create", "--owner", "alice", "--name", "ci", "--policy", depot)
        assert cli(*create, "--scopes", "docker:read_own").status == 0
        asked = ("explain", depot, "GET", "/docker/web", "--token", "1")
        assert cli(*asked).status == 1
        assert cli(*asked, "--owned").status == 0


class TestErrors:
    @pytest.mark.parametrize("missing", [(), (GITEA,), (GITEA, "GET")])
    def test_a_missing_argument_is_named(self, cli, missing):
        """The first one."""
        name = ("'POLICY'", "'METHOD'", "'PATH'")[len(missing)]
        says(cli("explain", *missing), 2, f"Missing argument {name}", "scopeware explain --help")

    def test_an_unknown_scope_is_named(self, cli):
        """Of the policy's vocabulary."""
        says(cli(*ISSUE, "--scopes", "read:isue"), 2, "unknown scope `read:isue`", "`read:issue`")

    def test_a_policy_that_is_not_there_is_named(self, cli):
        """Wrong configuration is 2, never taken for a denial."""
        says(cli("explain", "nope.toml", "GET", "/"), 2, "nope.toml: there is no such policy file")
        says(cli("explain", ".", "GET", "/"), 2, ".: it is a directory; name the policy file in it")

    @pytest.mark.parametrize("path", ["/api/vms/[bold]x[/bold]", "/api/vms/[bold]x", "/api/vms/:smile:"])
    def test_the_request_is_shown_verbatim(self, cli, fleet, path):
        """Markup in a path is text."""
        assert cli("explain", fleet, "GET", path).out.splitlines()[0].split(None, 1)[1].rstrip() == f"GET {path}"

    def test_a_path_that_is_broken_markup_is_shown(self, cli, fleet):
        """It is a path."""
        assert "GET /api/vms/[/]x" in cli("explain", fleet, "GET", "/api/vms/[/]x").out

    def test_control_characters_do_not_reach_the_terminal(self, cli, fleet):
        """They are what makes the path ambiguous; shown escaped."""
        assert "\x1b" not in cli("explain", fleet, "GET", "/api/vms/\x1b[31mx").out

    def test_a_path_that_is_no_utf8_is_ambiguous(self, cli, fleet):
        """As the gate would say of these bytes."""
        facts = cli("explain", fleet, "GET", "/api/vms/\udcff", "--json")
        assert (facts.status, facts.json["code"]) == (1, "ambiguous_path")


class TestToken:
    def test_a_token_of_the_database_is_explained(self, cli, fleet):
        """By its scopes, and by what its owner's role leaves of them now."""
        cli("token", "create", "--owner", "1", "--name", "ci", "--scopes", "read:vms", "--policy", fleet)
        assert cli("explain", fleet, "GET", "/api/vms/1", "--token", "1").status == 0
        assert cli("explain", fleet, "GET", "/api/nowhere", "--token", "1").status == 1

    def test_one_that_does_not_work_or_is_not_there_is_told(self, cli, fleet):
        """In a line, as wrong usage."""
        cli("token", "create", "--owner", "1", "--name", "ci", "--scopes", "read:vms", "--policy", fleet)
        cli("token", "revoke", "1", "--policy", fleet)
        says(cli("explain", fleet, "GET", "/api/vms/1", "--token", "1"), 2, "token 1 does not work: revoked")
        says(cli("explain", fleet, "GET", "/api/vms/1", "--token", "2"), 2, "there is no token 2")
        says(cli("explain", fleet, "GET", "/api/vms/1", "--token", "1", "--scopes", "read:vms"), 2, "not both")

    def test_it_is_decided_about_where_it_is_bound_to(self, cli):
        """There it is allowed; beside that it is not."""
        create = ("token", "create", "--owner", "alice", "--name", "ci", "--scopes", "read:repository@alice/widgets")
        assert cli(*create).status == 0
        asked = ("--token", "1", "--json")
        there = cli("explain", GITEA, "GET", "/api/v1/repos/alice/widgets", *asked)
        assert (there.status, there.json["resource"]) == (0, "alice/widgets")
        elsewhere = cli("explain", GITEA, "GET", "/api/v1/repos/alice/gadgets", *asked)
        assert (elsewhere.status, elsewhere.json["code"]) == (1, "resource_out_of_reach")

    def test_nothing_is_missing_where_it_is_allowed(self, cli):
        """What a bound token has there, it has."""
        asked = ("explain", GITEA, "GET", "/api/v1/repos/alice/widgets", "--json", "--scopes")
        facts = cli(*asked, "read:repository@alice/widgets").json
        assert (facts["decision"], facts["missing"]) == ("allowed", [])

    @pytest.mark.parametrize("status", ["rotated", "expired", "owner_inactive"])
    def test_why_one_does_not_work_is_told(self, cli, status):
        """Its successor does."""
        cli("token", "create", "--owner", "alice", "--name", "ci", "--scopes", "all")
        if status == "rotated":
            cli("token", "rotate", "1")
        elif status == "expired":
            run_sql(DATABASE, "UPDATE scopeware_token SET expires_at = 1")
        else:
            cli("owner", "disable", "alice")
        asked = ("explain", GITEA, "GET", "/api/v1/user", "--token")
        says(cli(*asked, "1"), 2, f"token 1 does not work: {status}")
        if status == "rotated":
            assert cli(*asked, "2").status == 0
