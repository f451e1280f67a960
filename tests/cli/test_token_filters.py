"""``scopeware token list``: which tokens are meant."""

from __future__ import annotations

import time

import pytest
from command_line import DATABASE, says
from services import run_sql

DAY = 86_400


def long_ago(token_id, days, column="created_at"):
    """Let a token have been made, or used, so many days ago."""
    at = int(time.time()) - days * DAY
    run_sql(DATABASE, f"UPDATE scopeware_token SET {column} = {at} WHERE id = {token_id}")


@pytest.fixture
def listed(cli):
    """``listed("--owner", "alice")``: the ids that are listed; the same ones on paper as in JSON."""

    def run(*options):
        result = cli("token", "list", *options, "--json")
        assert result.status == 0, result
        ids = [token["id"] for token in result.json]
        shown = cli("token", "list", *options)
        assert [int(line.split()[0]) for line in shown.out.splitlines()[1:]] == ids
        assert shown.err == ("" if ids else "no such tokens\n")
        return ids

    return run


class TestOwnerAndName:
    def test_a_name_is_meant_as_it_stands(self, cli, listed):
        """Of any owner; letter case matters, and a part of it is another name."""
        for owner, name in (("alice", "ci"), ("bob", "ci"), ("alice", "CI"), ("alice", "ci 2")):
            cli("token", "create", "--owner", owner, "--name", name, "--scopes", "all")
        assert listed("--name", "ci") == [1, 2]
        assert listed("--name", "CI") == [3]
        assert listed("--name", "c%") == listed("--name", "c_") == listed("--name", "") == []

    def test_all_that_is_said_has_to_hold(self, cli, listed):
        """Two options are one filter."""
        for owner, name in (("alice", "ci"), ("bob", "ci"), ("alice", "cd")):
            cli("token", "create", "--owner", owner, "--name", name, "--scopes", "all")
        assert listed("--owner", "alice", "--name", "ci") == [1]
        assert listed("--owner", "alice") == [1, 3]
        assert listed("--owner", "bob", "--name", "cd") == []

    def test_that_there_are_none_at_all_is_said_differently(self, cli):
        """So that nobody looks for a mistake in a filter that there is not."""
        assert cli("token", "list").err == "no tokens in sqlite:///scopeware.db\n"
        assert cli("token", "list", "--name", "ci").err == "no such tokens\n"

    def test_a_name_that_is_no_utf8_is_nobodys(self, cli, listed):
        """As the shell passes bytes that are none."""
        assert listed("--name", "\udcff") == []


class TestScope:
    def test_tokens_are_meant_that_were_granted_it(self, issue, listed):
        """As part of another scope, too: write includes read, and ``all`` everything."""
        for scopes in ("read:user", "write:user", "all", "write:issue", "public-only,read:user"):
            issue(scopes)
        assert listed("--scope", "read:user") == [1, 2, 3, 5]
        assert listed("--scope", "write:user") == [2, 3]
        assert listed("--scope", "write:issue") == [3, 4]

    def test_what_is_granted_somewhere_is_granted(self, issue, listed):
        """A scope without a resource means anywhere; one with a resource means there."""
        for scopes in ("write:repository@alice/widgets", "write:repository@alice/*", "write:repository"):
            issue(scopes)
        assert listed("--scope", "write:repository") == [1, 2, 3]
        assert listed("--scope", "write:repository@alice/widgets") == [1, 2, 3]
        assert listed("--scope", "write:repository@alice/gadgets") == [2, 3]
        assert listed("--scope", "write:repository@bob/widgets") == [3]

    def test_it_is_of_the_policys_vocabulary(self, cli, fleet):
        """Another one's words are unknown."""
        create = ("token", "create", "--owner", "alice", "--name", "ci", "--scopes", "read:vms", "--policy", fleet)
        assert cli(*create).status == 0
        asked = ("token", "list", "--scope", "read:vms")
        assert len(cli(*asked, "--policy", fleet, "--json").json) == 1
        says(cli(*asked), 2, "unknown scope `read:vms` in vocabulary `gitea`")

    def test_one_that_is_unknown_is_an_error_not_an_empty_list(self, cli, issue):
        """A mistyped filter must not look like good news."""
        issue("read:user")
        says(cli("token", "list", "--scope", "raed:user"), 2, "unknown scope `raed:user`", "`read:user`")

    def test_one_that_is_unknown_is_so_without_a_token(self, cli):
        """Whether it is a scope has nothing to do with what is in the database."""
        says(cli("token", "list", "--scope", "raed:user"), 2, "unknown scope `raed:user`", "`read:user`")

    @pytest.mark.parametrize("scope", ["", "public-only"])
    def test_what_names_no_scope_is_refused(self, cli, issue, scope):
        """It could mean all of them, or none."""
        issue("read:user")
        says(cli("token", "list", "--scope", scope), 2, "scope: name one scope")


class TestResource:
    @pytest.fixture(autouse=True)
    def tokens(self, issue):
        """Bound to one, to another, to two, to all below, and to none."""
        for scopes in (
            "read:repository@alice/widgets",
            "read:repository@alice/gadgets",
            "read:issue@alice/widgets,read:repository@bob/site",
            "read:repository@alice/*",
            "read:repository",
        ):
            issue(scopes)

    def test_tokens_are_meant_that_are_bound_to_it(self, listed):
        """To it itself; those that reach further are not about it."""
        assert listed("--resource", "alice/widgets") == [1, 3]
        assert listed("--resource", "bob/site") == [3]
        assert listed("--resource", "alice/nothing") == []

    def test_all_below_one_can_be_meant(self, listed):
        """On the boundary of a segment."""
        assert listed("--resource", "alice/*") == [1, 2, 3, 4]
        assert listed("--resource", "bob/*") == [3]
        assert listed("--resource", "al/*") == []

    @pytest.mark.parametrize("resource", ["", "alice/", "/alice", "a/../b", "*/widgets", "al*"])
    def test_what_is_no_resource_is_refused(self, cli, resource):
        """What was written is repeated."""
        says(cli("token", "list", "--resource", resource), 2, f"resource: `{resource}` is no resource")


class TestTimes:
    def test_tokens_that_expire_soon(self, issue, listed):
        """Within the time, not after it, not never."""
        issue("all", "--expires", "10d")
        issue("all", "--expires", "40d")
        issue("all", "--expires", "never")
        assert listed("--expiring", "30d") == [1]
        assert listed("--expiring", "9d") == []
        assert listed("--expiring", "2w") == [1]
        assert listed("--expiring", "8w") == [1, 2]

    def test_tokens_that_are_not_used(self, issue, listed):
        """Neither used nor made since."""
        for _ in range(4):
            issue("all")
        for token_id in (1, 2, 3):
            long_ago(token_id, 100)
        long_ago(2, 99, "last_used_at")
        long_ago(3, 1, "last_used_at")
        assert listed("--unused", "90d") == [1, 2]
        assert listed("--unused", "2d") == [1, 2]
        assert listed("--unused", "1h") == [1, 2, 3]
        assert listed("--unused", "1y") == []

    @pytest.mark.parametrize("option", ["--unused", "--expiring"])
    def test_a_very_long_time_is_one(self, issue, listed, option):
        """Longer than the calendar has been there."""
        issue("all", "--expires", "1d")
        assert listed(option, "999999y") == ([] if option == "--unused" else [1])


class TestAll:
    @pytest.fixture(autouse=True)
    def tokens(self, cli, issue):
        """Live, revoked, expired, rotated (4, by 6), of an inactive owner."""
        for _ in range(4):
            issue("all", "--expires", "10d")
        issue("all", "--expires", "10d", owner="bob")
        cli("token", "revoke", "2")
        run_sql(DATABASE, "UPDATE scopeware_token SET expires_at = 1 WHERE id = 3")
        cli("token", "rotate", "4")
        cli("owner", "disable", "bob")

    def test_those_that_no_longer_work_are_listed_when_all_are_asked_for(self, cli, listed):
        """Each with why."""
        assert listed() == [1, 6]
        assert listed("--all") == [1, 2, 3, 4, 5, 6]
        statuses = [token["status"] for token in cli("token", "list", "--all", "--json").json]
        assert statuses == ["live", "revoked", "expired", "rotated", "owner_inactive", "live"]
        shown = [line.split()[6] for line in cli("token", "list", "--all").out.splitlines()[1:]]
        assert shown == statuses

    def test_filters_hold_for_them_too(self, listed):
        """All of alice's, all that end, all of that name."""
        assert listed("--all", "--owner", "alice") == [1, 2, 3, 4, 6]
        assert listed("--all", "--owner", "bob") == [5]
        assert listed("--owner", "bob") == []
        assert listed("--all", "--expiring", "1d") == [3]
        assert listed("--expiring", "1d") == []
        assert listed("--all", "--name", "token 2", "--scope", "read:user") == [2]
