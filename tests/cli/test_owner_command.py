"""``scopeware owner``: who holds tokens."""

from __future__ import annotations

from datetime import datetime

import pytest
from command_line import says

from scopeware import TokenStore
from scopeware.tokens import OWNER_KINDS, LiveToken, Refusal


class TestAdd:
    def test_an_owner_is_a_user_unless_something_else_is_said(self, command):
        """And that is printed."""
        assert command("owner", "add", "alice").out == "alice: user, active\n"
        assert command("owner", "add", "root", "--role", "admin").out == "root: admin, active\n"

    def test_json_has_the_facts(self, cli):
        """Since when, with a time zone."""
        made = cli("owner", "add", "alice", "--role", "viewer", "--json").json
        since = made.pop("created_at")
        assert made == {"name": "alice", "kind": "user", "role": "viewer", "active": True}
        assert datetime.fromisoformat(since).utcoffset() is not None

    def test_an_owner_is_added_once(self, cli):
        """The second time it is an error, and the first one stays."""
        cli("owner", "add", "alice", "--role", "admin")
        says(cli("owner", "add", "alice"), 2, "there already is an owner `alice`")
        assert cli("owner", "list", "--json").json[0]["role"] == "admin"

    @pytest.mark.parametrize(
        ("role", "words"),
        [
            ("viwer", ("`viwer`", "did you mean `viewer`?")),
            ("boss", ("`boss`", "there are: viewer, user, admin")),
            ("", ("unknown role", "there are: viewer, user, admin")),
            ("Admin", ("`Admin`", "`admin`")),
        ],
    )
    def test_an_unknown_role_is_refused_with_those_there_are(self, cli, role, words):
        """Near ones, or all; and nobody is added."""
        says(cli("owner", "add", "alice", "--role", role), 2, *words)
        assert cli("owner", "list", "--json").json == []

    def test_a_role_of_the_policys_own_needs_that_policy(self, cli, fleet):
        """Without it there is no such role."""
        says(cli("owner", "add", "op", "--role", "operator"), 2, "`operator`", "there are: viewer, user, admin")
        assert cli("owner", "add", "op", "--role", "operator", "--policy", fleet).out == "op: operator, active\n"

    @pytest.mark.parametrize("kind", OWNER_KINDS)
    def test_an_owner_is_of_a_kind(self, cli, kind):
        """For people to see: in the list, in JSON, and beside each of its tokens."""
        made = cli("owner", "add", "deploy", "--kind", kind, "--json").json
        assert (made["kind"], made["role"]) == (kind, "user")
        assert cli("owner", "list").out.splitlines()[1].split()[:3] == ["deploy", kind, "user"]
        cli("token", "create", "--owner", "deploy", "--name", "ci", "--scopes", "read:user")
        assert cli("token", "show", "1", "--json").json["owner_kind"] == kind
        who = "user" if kind == "user" else f"{kind}, user"
        assert f"deploy ({who})" in cli("token", "show", "1").out

    @pytest.mark.parametrize("kind", ["robot", "", "Bot"])
    def test_a_kind_that_is_none_is_refused_with_those_there_are(self, cli, kind):
        """And nobody is added."""
        result = cli("owner", "add", "deploy", "--kind", kind)
        says(result, 2, "'--kind'", "'user', 'bot', 'organization'", "scopeware owner add --help")
        assert cli("owner", "list", "--json").json == []

    @pytest.mark.parametrize("name", ["", "  ", " alice", "alice ", "a\tb", "n" * 256, "\x1b[31m"])
    def test_a_name_that_cannot_be_is_refused(self, cli, name):
        """Empty, with space around, unprintable, too long."""
        says(cli("owner", "add", name), 2)
        assert cli("owner", "list", "--json").json == []

    @pytest.mark.parametrize("name", ["", "  "])
    def test_an_empty_name_is_an_owners_not_a_tokens(self, cli, name):
        """The message is about what was done."""
        assert "token" not in cli("owner", "add", name).err


class TestList:
    def test_owners_are_listed_by_name(self, cli):
        """With role and status."""
        for name in ("carol", "alice", "bob"):
            cli("owner", "add", name)
        cli("owner", "set-role", "bob", "admin")
        cli("owner", "disable", "carol")
        heading, *lines = cli("owner", "list").out.splitlines()
        assert heading.split() == ["owner", "kind", "role", "status", "since"]
        assert [line.split()[:4] for line in lines] == [
            ["alice", "user", "user", "active"],
            ["bob", "user", "admin", "active"],
            ["carol", "user", "user", "inactive"],
        ]
        listed = cli("owner", "list", "--json").json
        assert [(owner["name"], owner["role"], owner["active"]) for owner in listed] == [
            ("alice", "user", True),
            ("bob", "admin", True),
            ("carol", "user", False),
        ]

    def test_no_owner_is_said_on_stderr(self, cli):
        """As JSON it is an empty list."""
        result = cli("owner", "list")
        assert (result.status, result.out, result.err) == (0, "", "no owners in sqlite:///scopeware.db\n")
        assert cli("owner", "list", "--json").json == []

    def test_an_owner_is_added_with_the_first_token(self, cli, issue):
        """With the role `user`."""
        issue("all", owner="dora")
        owner = cli("owner", "list", "--json").json[0]
        assert (owner["name"], owner["role"], owner["active"]) == ("dora", "user", True)

    @pytest.mark.parametrize("name", ["[bold]x", "[/bold]", "[red]a[/]", "%s %(x)s", "漢字", "ünï", "\\[bold]x"])
    def test_strange_names_are_shown_verbatim(self, cli, name):
        """In what `add` prints, in the table and as JSON."""
        assert cli("owner", "add", name).out == f"{name}: user, active\n"
        assert cli("owner", "list").out.splitlines()[1].split("  user")[0].rstrip() == name
        assert cli("owner", "list", "--json").json[0]["name"] == name


class TestChanges:
    def test_disabling_an_owner_ends_its_tokens_until_it_is_enabled(self, cli, issue):
        """At once, for a store that is open."""
        secret = issue("read:user")
        store = TokenStore.connect("sqlite:///scopeware.db")
        assert isinstance(store.authenticate(secret), LiveToken)
        assert cli("owner", "disable", "alice").out == "alice: user, inactive\n"
        refusal = store.authenticate(secret)
        assert isinstance(refusal, Refusal)
        assert refusal.code == "owner_inactive"
        assert cli("owner", "enable", "alice", "--json").json["active"] is True
        assert isinstance(store.authenticate(secret), LiveToken)
        store.close()

    def test_a_new_role_changes_what_the_tokens_can_do(self, cli, issue):
        """Down and up again."""
        issue("write:user,write:admin")
        for role, effective in (
            ("viewer", "read:user"),
            ("admin", "write:admin,write:user"),
            ("user", "write:user"),
        ):
            assert cli("owner", "set-role", "alice", role).out == f"alice: {role}, active\n"
            assert cli("token", "show", "1", "--json").json["effective_scopes"] == effective

    def test_a_role_of_the_policys_own_can_be_given(self, cli, fleet):
        """With that policy."""
        cli("owner", "add", "op")
        assert cli("owner", "set-role", "op", "operator", "--policy", fleet).out == "op: operator, active\n"
        says(cli("owner", "set-role", "op", "operatr", "--policy", fleet), 2, "did you mean `operator`?")

    @pytest.mark.parametrize("line", ["set-role nobody user", "disable nobody", "enable nobody"])
    def test_an_unknown_owner_is_named(self, cli, line):
        """And not added."""
        says(cli("owner", *line.split()), 2, "there is no owner `nobody`")
        assert cli("owner", "list", "--json").json == []

    def test_an_unknown_role_is_refused_and_the_old_one_stays(self, cli):
        """The role is looked at first."""
        cli("owner", "add", "alice")
        says(cli("owner", "set-role", "alice", "usr"), 2, "unknown role `usr`; did you mean `user`?")
        assert cli("owner", "list", "--json").json[0]["role"] == "user"

    @pytest.mark.parametrize("line", ["disable", "enable"])
    def test_a_name_that_is_no_utf8_is_unknown(self, cli, line):
        """As the shell passes bytes that are none."""
        says(cli("owner", line, "\udcff"), 2, "there is no owner")
