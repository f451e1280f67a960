"""``scopeware token rotate``, ``edit``, ``revoke`` and ``purge``: what becomes of tokens that are there."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from command_line import DATABASE, SECRET, says, write_down
from services import run_sql

from scopeware import TokenStore
from scopeware.tokens import LiveToken, SecretFormat

DAY = 86_400


def works(secret):
    """Whether a secret is let through, or else the code of the refusal."""
    with closing(TokenStore.connect(DATABASE)) as store:
        found = store.authenticate(secret)
    return True if isinstance(found, LiveToken) else found.code


def left(token):
    """How long a token of JSON still works, to the nearest minute."""
    minutes = (datetime.fromisoformat(token["expires_at"]) - datetime.now(UTC)) / timedelta(minutes=1)
    return timedelta(minutes=round(minutes))


@pytest.fixture
def show(cli):
    """``show(1)``: a token as JSON."""
    return lambda token_id, *options: cli("token", "show", str(token_id), *options, "--json").json


@pytest.fixture
def live(cli):
    """``live()``: the ids of the tokens that work."""
    return lambda: [token["id"] for token in cli("token", "list", "--json").json]


class TestRotate:
    def test_the_new_secret_works_and_the_old_one_does_not(self, cli, issue, show):
        """At once, where no grace was asked for; the one names the other."""
        old = issue("read:user")
        new = cli("token", "rotate", "1", "--quiet").out.strip()
        assert (works(new), works(old)) == (True, "token_rotated")
        assert (show(1)["status"], show(1)["successor_id"]) == ("rotated", 2)
        assert show(1)["rotated_at"] == show(1)["revoked_at"]
        assert (show(2)["status"], show(2)["rotated_at"]) == ("live", None)

    def test_it_is_the_same_token_but_for_the_secret(self, cli, show):
        """Owner, name, scopes, networks, who may end it, and when it ends."""
        restrictions = ("--network", "192.0.2.0/24", "--managed", "--expires", "2099-01-31")
        cli("token", "create", "--owner", "a", "--name", "ci", "--scopes", "public-only,read:user", *restrictions)
        made = cli("token", "rotate", "1", "--json").json
        secret = made.pop("secret")
        assert SECRET.fullmatch(secret)
        assert made == show(2)
        old = show(1)
        changed = {key for key in made if made[key] != old[key]}
        assert changed <= {"id", "hint", "status", "created_at", "rotated_at", "revoked_at", "successor_id"}
        assert changed >= {"id", "hint", "status"}

    def test_quiet_prints_exactly_the_secret_and_a_newline(self, command):
        """What ``$(...)`` catches; stderr stays empty."""
        command("token", "create", "--owner", "alice", "--name", "ci", "--scopes", "read:user")
        result = command("token", "rotate", "1", "--quiet")
        assert (result.status, result.err) == (0, "")
        assert SecretFormat().is_well_formed(result.out.removesuffix("\n"))
        assert result.out.endswith("\n")

    def test_the_secret_alone_goes_to_stdout_and_what_there_is_to_say_to_stderr(self, cli, issue):
        """As when a token is made."""
        issue("read:user")
        result = cli("token", "rotate", "1")
        assert SECRET.fullmatch(result.out.strip())
        assert result.err == "token 2 of alice: read:user, without expiry; the secret is not shown again\n"

    def test_with_a_grace_both_work_for_a_while(self, cli, issue, show):
        """Then the old one is over."""
        old = issue("read:user")
        new = cli("token", "rotate", "1", "--grace", "12h", "--quiet").out.strip()
        assert (works(new), works(old)) == (True, True)
        assert left(show(1)) == timedelta(hours=12)
        assert (show(1)["status"], show(1)["revoked_at"]) == ("live", None)
        assert show(2)["expires_at"] is None
        shown = cli("token", "show", "1").out
        assert "successor  token 2" in shown
        assert "rotated    20" in shown
        run_sql(DATABASE, "UPDATE scopeware_token SET expires_at = 1 WHERE id = 1")
        assert (works(new), works(old)) == (True, "token_rotated")

    def test_a_grace_makes_no_token_live_longer(self, cli, issue, show):
        """It ends when it would have ended."""
        issue("read:user", "--expires", "1h")
        cli("token", "rotate", "1", "--grace", "30d")
        assert left(show(1)) == timedelta(hours=1)
        assert show(2)["expires_at"] == show(1)["expires_at"]

    def test_another_end_can_be_asked_for(self, cli, issue, show):
        """Later, earlier, or none."""
        issue("read:user", "--expires", "1d")
        made = cli("token", "rotate", "1", "--expires", "30d", "--json").json
        assert left(made) == timedelta(days=30)
        made = cli("token", "rotate", "2", "--expires", "1h", "--json").json
        assert left(made) == timedelta(hours=1)
        assert cli("token", "rotate", "3", "--expires", "never", "--json").json["expires_at"] is None

    @pytest.mark.parametrize(
        "expires",
        [
            "soon",
            pytest.param(""),
            "0d",
            "-1d",
            "999999y",
        ],
    )
    def test_an_end_that_is_none_is_refused_and_nothing_changes(self, cli, issue, expires):
        """The old secret goes on working."""
        old = issue("read:user")
        assert cli("token", "rotate", "1", f"--expires={expires}").status == 2
        assert works(old) is True
        assert len(cli("token", "list", "--all", "--json").json) == 1

    @pytest.mark.parametrize("expires", ["91d", "never"])
    def test_no_end_is_beyond_the_longest_of_the_policy(self, cli, issue, limited, expires):
        """As when a token is made; what is allowed is done."""
        old = issue("read:user", "--expires", "1d")
        says(cli("token", "rotate", "1", "--expires", expires, "--policy", limited), 2, "90d from now at the latest")
        assert works(old) is True
        made = cli("token", "rotate", "1", "--expires", "90d", "--policy", limited, "--json").json
        assert left(made) == timedelta(days=90)

    def test_a_token_without_an_end_gets_one_where_the_policy_wants_that(self, cli, issue, limited):
        """It was made before there was such a policy. No token lives for ever where there is a longest."""
        issue("read:user")
        made = cli("token", "rotate", "1", "--policy", limited, "--json").json
        assert made["expires_at"] is not None
        assert left(made) <= timedelta(days=90)

    def test_one_that_was_rotated_before_is_refused(self, cli, issue):
        """Also while its grace lasts: its successor is the one to rotate."""
        issue("read:user")
        cli("token", "rotate", "1", "--grace", "1d")
        says(cli("token", "rotate", "1"), 2, "token 1 no longer works (rotated)")
        assert cli("token", "rotate", "2").status == 0

    @pytest.mark.parametrize("status", ["revoked", "expired"])
    def test_one_that_no_longer_works_is_refused(self, cli, issue, status):
        """It must not come to life again."""
        issue("read:user")
        if status == "revoked":
            cli("token", "revoke", "1")
        else:
            run_sql(DATABASE, "UPDATE scopeware_token SET expires_at = 1")
        says(cli("token", "rotate", "1"), 2, f"token 1 no longer works ({status}); issue a new one")
        assert len(cli("token", "list", "--all", "--json").json) == 1

    def test_its_name_goes_along(self, cli, issue):
        """It stays taken, also while the old one works on."""
        issue("read:user")
        cli("token", "rotate", "1", "--grace", "1d")
        taken = cli("token", "create", "--owner", "alice", "--name", "token 1", "--scopes", "all")
        says(taken, 2, "alice already has a live token named `token 1`")

    def test_what_the_role_leaves_is_told(self, cli, issue):
        """As when a token is made."""
        issue("write:user,write:admin")
        assert "the role `user` limits this to: write:user\n" in cli("token", "rotate", "1").err

    def test_the_prefix_is_that_of_the_policy(self, cli, issue, fleet):
        """Not of the old secret."""
        issue("read:docker", "--policy", fleet)
        assert cli("token", "rotate", "1", "--policy", fleet, "--quiet").out.startswith("flt_")

    def test_words_that_this_policy_does_not_know_go_along(self, cli, issue, show, fleet):
        """They grant nothing here, and are what they were where they are known."""
        issue("read:user")
        made = cli("token", "rotate", "1", "--policy", fleet, "--json").json
        assert (made["scopes"], made["unknown_scopes"]) == ("", ["read:user"])
        assert show(2)["scopes"] == "read:user"


class TestEdit:
    def test_a_name_can_be_another(self, cli, issue):
        """The secret works on; the new name is taken, the old one free."""
        secret = issue("read:user")
        result = cli("token", "edit", "1", "--name", "laptop")
        assert result.status == 0
        assert ["name", "laptop"] in [line.split() for line in result.out.splitlines()]
        assert works(secret) is True
        create = ("token", "create", "--owner", "alice", "--scopes", "all", "--name")
        says(cli(*create, "laptop"), 2, "alice already has a live token named `laptop`")
        assert cli(*create, "token 1").status == 0

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("token 2", "alice already has a live token named `token 2`"),
            (" ", "needs a name"),
            ("a\tb", "`a\\tb` cannot"),
        ],
    )
    def test_a_name_that_is_taken_or_none_is_refused(self, cli, issue, show, name, said):
        """And stays what it was. Its own name is fine."""
        issue("all")
        issue("all")
        says(cli("token", "edit", "1", "--name", name), 2, said)
        assert show(1)["name"] == "token 1"
        assert cli("token", "edit", "1", "--name", "token 1").status == 0

    def test_scopes_can_be_fewer(self, cli, issue, show):
        """At once; JSON is the token as it is now."""
        secret = issue("write:user,read:issue")
        with closing(TokenStore.connect(DATABASE)) as store:
            assert str(store.authenticate(secret).scopes) == "read:issue,write:user"
            made = cli("token", "edit", "1", "--scopes", "read:user", "--json").json
            assert str(store.authenticate(secret).scopes) == "read:user"
        assert made["scopes"] == "read:user"
        assert made == show(1)

    @pytest.mark.parametrize(
        ("scopes", "said"),
        [
            ("write:user", "write:user goes beyond what the token has"),
            ("read:user,read:issue", "goes beyond what the token has"),
            ("all", "all goes beyond what the token has"),
            ("public-only", "name at least one"),
            ("raed:user", "unknown scope `raed:user`"),
        ],
    )
    def test_scopes_cannot_be_more(self, cli, issue, show, scopes, said):
        """Nor none, nor unknown; they stay what they were."""
        issue("public-only,read:user,read:issue@alice/widgets")
        before = show(1)
        says(cli("token", "edit", "1", "--scopes", scopes), 2, said)
        assert show(1) == before

    def test_a_restriction_stays(self, cli, issue):
        """Who leaves it out does not get rid of it."""
        issue("public-only,write:user")
        assert cli("token", "edit", "1", "--scopes", "read:user", "--json").json["scopes"] == "public-only,read:user"

    def test_a_scope_can_be_bound_and_not_freed(self, cli, issue):
        """Bound to a resource it is less; from there to anywhere it would be more."""
        issue("read:repository")
        bound = "read:repository@alice/widgets"
        assert cli("token", "edit", "1", "--scopes", bound, "--json").json["scopes"] == bound
        says(cli("token", "edit", "1", "--scopes", "read:repository"), 2, "goes beyond what the token has")

    def test_the_end_can_be_earlier_and_not_later(self, cli, issue, show):
        """A period or a date."""
        issue("read:user")
        assert left(cli("token", "edit", "1", "--expires", "30d", "--json").json) == timedelta(days=30)
        sooner = f"{datetime.now(UTC) + timedelta(days=20):%Y-%m-%d}"
        assert cli("token", "edit", "1", "--expires", sooner, "--json").json["expires_at"].startswith(sooner)
        for later in ("21d", "never", "2099-01-31"):
            says(cli("token", "edit", "1", "--expires", later), 2, "the expiry is later than")
        for none in ("soon", "0d"):
            says(cli("token", "edit", "1", f"--expires={none}"), 2, f"`{none}` is no expiry; write 30d")
        says(cli("token", "edit", "1", "--expires", "2001-01-01"), 2, "the expiry is past")
        assert show(1)["expires_at"].startswith(sooner)

    def test_networks_can_be_smaller_and_not_larger(self, cli, issue, show):
        """From anywhere to some, from some to fewer."""
        issue("read:user")
        first = cli("token", "edit", "1", "--network", "192.0.2.0/24", "--network", "10.0.0.0/8", "--json").json
        assert first["networks"] == ["10.0.0.0/8", "192.0.2.0/24"]
        assert cli("token", "edit", "1", "--network", "192.0.2.7", "--json").json["networks"] == ["192.0.2.7/32"]
        for more in ("192.0.2.0/24", "0.0.0.0/0", "2001:db8::/32"):
            says(cli("token", "edit", "1", "--network", more), 2, "the networks go beyond", "192.0.2.7")
        says(cli("token", "edit", "1", "--network", "office"), 2, "`office` is no network")
        assert show(1)["networks"] == ["192.0.2.7/32"]

    @pytest.mark.parametrize(
        ("option", "said"),
        [("--name", "needs a name"), ("--scopes", "name at least one"), ("--expires", "`` is no expiry; write 30d")],
    )
    def test_an_empty_text_is_one(self, cli, issue, option, said):
        """As a script passes it whose variable is not set."""
        issue("read:user")
        says(cli("token", "edit", "1", option, ""), 2, said)

    def test_all_of_it_or_nothing(self, cli, issue, show):
        """Where one thing cannot be, the others are not done."""
        issue("read:user")
        before = show(1)
        says(
            cli("token", "edit", "1", "--name", "laptop", "--expires", "1d", "--scopes", "write:user"), 2, "goes beyond"
        )
        assert show(1) == before

    def test_one_that_no_longer_works_is_refused(self, cli, issue):
        """Nothing would come of it."""
        issue("read:user")
        cli("token", "revoke", "1")
        says(cli("token", "edit", "1", "--name", "laptop"), 2, "token 1 no longer works (revoked)")

    def test_an_end_beyond_the_longest_of_the_policy_is_refused(self, cli, issue, limited):
        """What was made before there was one can be brought within it."""
        issue("read:user")
        says(cli("token", "edit", "1", "--expires", "91d", "--policy", limited), 2, "90d from now at the latest")
        assert cli("token", "edit", "1", "--expires", "90d", "--policy", limited).status == 0

    def test_nothing_to_change_is_wrong_usage(self, cli, issue):
        """Something was forgotten."""
        issue("read:user")
        says(cli("token", "edit", "1"), 2, "--name", "scopeware token edit --help")


class TestRevokeByFilter:
    @pytest.fixture(autouse=True)
    def tokens(self, issue):
        """Two of alice's, one of them bound; one of bob's."""
        issue("read:user", "--expires", "10d")
        issue("write:repository@alice/widgets")
        issue("read:user", owner="bob")

    @pytest.mark.parametrize(
        ("options", "ended"),
        [
            (("--owner", "alice"), [1, 2]),
            (("--name", "token 3"), [3]),
            (("--scope", "read:user"), [1, 3]),
            (("--resource", "alice/*"), [2]),
            (("--expiring", "30d"), [1]),
            (("--owner", "bob", "--scope", "read:user"), [3]),
        ],
    )
    def test_all_that_are_meant_end_and_no_other(self, cli, live, options, ended):
        """Each is told of."""
        result = cli("token", "revoke", *options)
        assert (result.status, result.err) == (0, "")
        assert result.out == "".join(f"token {token_id} is revoked\n" for token_id in ended)
        assert live() == [token_id for token_id in (1, 2, 3) if token_id not in ended]

    def test_those_that_are_not_used(self, cli, live):
        """Those that are stay."""
        at = int(time.time()) - 100 * DAY
        run_sql(DATABASE, f"UPDATE scopeware_token SET created_at = {at} WHERE id IN (1, 2)")
        run_sql(DATABASE, f"UPDATE scopeware_token SET last_used_at = {at + 99 * DAY} WHERE id = 2")
        assert cli("token", "revoke", "--unused", "90d").out == "token 1 is revoked\n"
        assert live() == [2, 3]

    def test_json_lists_them(self, cli):
        """As when they are named."""
        assert cli("token", "revoke", "--owner", "alice", "--json").json == [
            {"id": 1, "revoked": True, "was_revoked": False},
            {"id": 2, "revoked": True, "was_revoked": False},
        ]

    def test_none_is_fine_and_said(self, cli, live):
        """What was wanted is so; as JSON it is an empty list."""
        result = cli("token", "revoke", "--name", "nothing")
        assert (result.status, result.out, result.err) == (0, "", "no such tokens\n")
        assert cli("token", "revoke", "--name", "nothing", "--json").json == []
        assert live() == [1, 2, 3]

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ((), "name tokens by their ids, or say which are meant"),
            (("1", "--owner", "alice"), "name tokens by their ids, or say which are meant"),
            (("--owner", "nobody"), "there is no owner `nobody`"),
            (("--scope", "raed:user"), "unknown scope `raed:user`"),
            (("--scope", ""), "name one scope"),
            (("--resource", ""), "is no resource"),
            (("--unused", "soon"), "`soon` is no length of time"),
            (("--all",), "No such option '--all'"),
        ],
    )
    def test_nothing_ends_where_it_is_not_clear_what_is_meant(self, cli, live, options, said):
        """All of them never are."""
        says(cli("token", "revoke", *options), 2, said)
        assert live() == [1, 2, 3]

    def test_the_one_that_it_took_the_place_of_ends_with_it(self, cli, live):
        """Its grace is over."""
        cli("token", "rotate", "3", "--grace", "1d")
        assert cli("token", "revoke", "--name", "token 3").out == "token 3 is revoked\ntoken 4 is revoked\n"
        assert live() == [1, 2]

    def test_the_tokens_of_an_inactive_owner_are_meant_too(self, cli, live):
        """They would work again once the owner is active."""
        cli("owner", "disable", "alice")
        cli("token", "revoke", "--owner", "alice")
        cli("owner", "enable", "alice")
        assert live() == [3]


class TestRevokeById:
    def test_the_one_that_it_took_the_place_of_ends_with_it(self, cli, issue, live):
        """Its grace is over."""
        old = issue("read:user")
        new = cli("token", "rotate", "1", "--grace", "1d", "--quiet").out.strip()
        assert cli("token", "revoke", "2").status == 0
        assert (works(new), works(old)) == ("token_revoked", "token_rotated")
        assert live() == []

    def test_its_successor_does_not(self, cli, issue, live):
        """That is the one in use."""
        issue("read:user")
        new = cli("token", "rotate", "1", "--grace", "1d", "--quiet").out.strip()
        cli("token", "revoke", "1")
        assert works(new) is True
        assert live() == [2]

    def test_what_ended_with_another_one_was_not_revoked_before(self, cli, issue):
        """It was live until this very command."""
        issue("read:user")
        cli("token", "rotate", "1", "--grace", "1d")
        assert cli("token", "revoke", "2", "1").out == "token 2 is revoked\ntoken 1 is revoked\n"


class TestPurge:
    @pytest.fixture(autouse=True)
    def tokens(self, cli, issue):
        """Live; revoked and expired long ago; revoked and expired just now."""
        for _ in range(5):
            issue("read:user", "--expires", "1d")
        cli("token", "revoke", "2", "4")
        at = int(time.time()) - 100 * DAY
        run_sql(
            DATABASE,
            f"UPDATE scopeware_token SET revoked_at = {at} WHERE id = 2",
            f"UPDATE scopeware_token SET expires_at = {at} WHERE id = 3",
            f"UPDATE scopeware_token SET expires_at = {at + 100 * DAY - 60} WHERE id = 5",
        )

    def test_what_ended_long_ago_is_removed(self, cli):
        """What ended lately stays, and what works."""
        result = cli("token", "purge", "--dead-for", "90d")
        assert (result.status, result.out, result.err) == (0, "removed: 2\n", "")
        assert [token["id"] for token in cli("token", "list", "--all", "--json").json] == [1, 4, 5]
        says(cli("token", "show", "2"), 2, "there is no token 2")

    def test_the_second_time_there_is_nothing_left(self, cli):
        """JSON says how many."""
        assert cli("token", "purge", "--dead-for", "90d", "--json").json == {"removed": 2}
        assert cli("token", "purge", "--dead-for", "90d", "--json").json == {"removed": 0}

    def test_nothing_that_works_is_removed(self, cli, live):
        """However short the time; one in its grace is one that works."""
        cli("token", "rotate", "1", "--grace", "1h")
        cli("token", "purge", "--dead-for", "1s")
        assert live() == [1, 6]

    @pytest.mark.parametrize("period", ["0d", "90", "-1d", "", "soon"])
    def test_a_period_that_is_none_is_refused_and_nothing_is_removed(self, cli, period):
        """Nobody wants all of it gone by mistake."""
        says(cli("token", "purge", f"--dead-for={period}"), 2, "'--dead-for'", f"`{period}` is no length of time")
        assert len(cli("token", "list", "--all", "--json").json) == 5

    def test_the_access_log_keeps_what_it_says_about_them(self, cli):
        """As --help says."""
        write_down(DATABASE, {"token_id": 2, "hint": "gone"})
        cli("token", "purge", "--dead-for", "90d")
        assert [entry["hint"] for entry in cli("audit", "list", "--token", "2", "--json").json] == ["gone"]

    def test_a_successor_can_be_removed_before_the_one_it_took_the_place_of(self, cli, live):
        """Neither stands in the way of the other."""
        cli("token", "rotate", "1", "--grace", "1h")
        run_sql(DATABASE, "UPDATE scopeware_token SET revoked_at = 1 WHERE id = 6")
        assert cli("token", "purge", "--dead-for", "90d").out == "removed: 3\n"
        assert live() == [1]
        assert cli("token", "show", "1", "--json").json["successor_id"] is None

    def test_an_id_is_not_given_again(self, cli):
        """What the log says about a token must not come to be about another."""
        run_sql(DATABASE, "UPDATE scopeware_token SET revoked_at = 1")
        cli("token", "purge", "--dead-for", "90d")
        made = cli("token", "create", "--owner", "bob", "--name", "new", "--scopes", "read:user", "--json").json
        assert made["id"] == 6
