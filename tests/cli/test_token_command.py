"""``scopeware token``: made once, shown never again, ended at once."""

from __future__ import annotations

import datetime
import os
import shlex
import subprocess
import sys
from datetime import UTC, timedelta

import pytest
from command_line import SECRET, environment, says

from scopeware import TokenStore
from scopeware.tokens import LiveToken, Refusal, SecretFormat

CREATE = ("token", "create", "--owner", "alice", "--name", "ci")


class TestCreate:
    def test_quiet_prints_exactly_the_secret_and_a_newline(self, command):
        """What ``$(...)`` catches is the secret; stderr stays empty."""
        result = command(*CREATE, "--scopes", "read:user", "--quiet")
        assert (result.status, result.err) == (0, "")
        assert SecretFormat().is_well_formed(result.out.removesuffix("\n"))
        assert result.out.endswith("\n")

    def test_the_secret_alone_goes_to_stdout_and_what_there_is_to_say_to_stderr(self, command):
        """Without --quiet, too, stdout can be caught."""
        result = command(*CREATE, "--scopes", "read:user")
        assert result.status == 0
        assert SECRET.fullmatch(result.out.strip())
        assert result.err == "token 1 of alice: read:user, without expiry; the secret is not shown again\n"

    def test_the_printed_secret_is_the_token_that_the_store_knows(self, issue, folder):
        """It works, with the scopes that were asked for; another one does not."""
        secret = issue("read:user")
        store = TokenStore.connect("sqlite:///scopeware.db")
        live = store.authenticate(secret)
        assert isinstance(live, LiveToken)
        assert (live.owner, str(live.scopes)) == ("alice", "read:user")
        assert isinstance(store.authenticate(SecretFormat().generate()), Refusal)
        store.close()

    def test_json_carries_the_secret_and_the_facts(self, cli):
        """For machines: one object, times as ISO 8601 with a zone."""
        made = cli(*CREATE, "--scopes", "user", "--json")
        says(made, 2, "`user`")
        made = cli(*CREATE, "--scopes", "write:user,read:user", "--expires", "2099-01-31", "--json").json
        assert SECRET.fullmatch(made["secret"])
        assert made["hint"] == made["secret"][-4:]
        assert made["scopes"] == made["effective_scopes"] == "write:user"
        assert (made["id"], made["owner"], made["name"], made["status"]) == (1, "alice", "ci", "live")
        assert made["expires_at"] == "2099-01-31T00:00:00+00:00"
        assert made["revoked_at"] is None
        assert (made["owner_role"], made["owner_active"], made["unknown_scopes"]) == ("user", True, [])

    def test_it_says_what_the_role_leaves_of_what_was_asked_for(self, cli):
        """``all`` of a user is not all: the ceiling is told at once."""
        result = cli(*CREATE, "--scopes", "all")
        said = result.err.splitlines()
        assert said[0].startswith("token 1 of alice: all, without expiry")
        assert said[1].startswith("the role `user` limits this to: write:activitypub,")
        assert "admin" not in said[1]

    def test_it_says_so_when_the_role_leaves_nothing(self, cli):
        """A viewer's token of administrator scopes is worth nothing."""
        cli("owner", "add", "alice", "--role", "viewer")
        result = cli(*CREATE, "--scopes", "write:admin")
        assert result.err.splitlines()[1] == "the role `viewer` limits this to: nothing"

    @pytest.mark.parametrize(
        ("period", "delta"),
        [
            ("90m", timedelta(minutes=90)),
            ("12h", timedelta(hours=12)),
            ("30d", timedelta(days=30)),
            ("2w", timedelta(weeks=2)),
            ("1y", timedelta(days=365)),
        ],
    )
    def test_a_period_counts_from_now(self, cli, period, delta):
        """m, h, d, w and y."""
        made = cli(*CREATE, "--scopes", "all", "--expires", period, "--json").json
        expires = datetime.datetime.fromisoformat(made["expires_at"])
        assert abs(expires - (datetime.datetime.now(UTC) + delta)) < timedelta(seconds=30)

    @pytest.mark.parametrize(
        ("written", "meant"),
        [
            ("2099-01-31", "2099-01-31T00:00:00+00:00"),
            ("2099-01-31T12:30", "2099-01-31T12:30:00+00:00"),
            ("2099-01-31T12:30:00+02:00", "2099-01-31T10:30:00+00:00"),
            ("never", None),
        ],
    )
    def test_a_date_is_in_utc_unless_it_says_otherwise(self, cli, written, meant):
        """And ``never`` can be written out."""
        assert cli(*CREATE, "--scopes", "all", "--expires", written, "--json").json["expires_at"] == meant

    def test_the_end_is_told_in_utc(self, cli):
        """To the minute."""
        result = cli(*CREATE, "--scopes", "read:user", "--expires", "2099-01-31T12:30:00+02:00")
        assert "until 2099-01-31 10:30 UTC" in result.err

    @pytest.mark.parametrize("expires", ["soon", "", "30", "30days", "-1d", "0d", "2030-13-01", "1.5h", "1234567d"])
    def test_an_expiry_that_is_none_is_refused_with_examples(self, cli, expires):
        """What was written is repeated."""
        says(cli(*CREATE, "--scopes", "all", f"--expires={expires}"), 2, f"`{expires}`", "30d, 12h or 2030-01-31")

    @pytest.mark.parametrize("expires", ["2001-01-01", "0001-01-01"])
    def test_a_past_expiry_is_refused_and_nothing_is_made(self, cli, expires):
        """A token that never worked helps nobody."""
        says(cli(*CREATE, "--scopes", "all", "--expires", expires), 2, "expiry is past")
        assert cli("token", "list", "--all", "--json").json == []

    def test_an_expiry_beyond_the_calendar_is_refused(self, cli):
        """Python's calendar ends with the year 9999, in UTC."""
        says(cli(*CREATE, "--scopes", "all", "--expires", "9999-12-31T23:59:59-12:00"), 2, "expiry")
        assert cli("token", "list", "--all", "--json").json == []

    @pytest.mark.parametrize("expires", ["8000y", "999999y"])
    def test_a_period_beyond_the_calendar_is_refused(self, cli, expires):
        """As a date would be."""
        says(cli(*CREATE, "--scopes", "all", "--expires", expires), 2, "expiry")

    def test_an_expiry_with_control_characters_is_escaped(self, cli):
        """Nothing that is typed gets to the terminal as a command."""
        says(cli(*CREATE, "--scopes", "all", "--expires", "\x1b[31msoon"), 2, "`\\x1b[31msoon`")

    @pytest.mark.parametrize(
        ("scopes", "word", "near"),
        [
            ("red:user", "`red:user`", "`read:user`"),
            ("read:user,write:isue", "`write:isue`", "`write:issue`"),
            ("public", "`public`", "`public-only`"),
        ],
    )
    def test_an_unknown_scope_is_named_with_near_ones(self, cli, scopes, word, near):
        """The first one that is unknown, and nothing is made."""
        says(cli(*CREATE, "--scopes", scopes), 2, f"unknown scope {word} in vocabulary `gitea`; did you mean", near)
        assert cli("owner", "list", "--json").json == []

    @pytest.mark.parametrize("scopes", ["", " , ", "public-only"])
    def test_no_scope_at_all_is_refused(self, cli, scopes):
        """A restriction alone is none, either."""
        says(cli(*CREATE, "--scopes", scopes), 2, "a token without a scope could do nothing; name at least one")

    def test_a_name_that_is_taken_is_refused_until_its_token_is_revoked(self, cli):
        """Live names are unique for an owner, not for everyone."""
        assert cli(*CREATE, "--scopes", "all").status == 0
        says(cli(*CREATE, "--scopes", "all"), 2, "alice already has a live token named `ci`; choose another name")
        assert cli("token", "create", "--owner", "bob", "--name", "ci", "--scopes", "all").status == 0
        cli("token", "revoke", "1")
        assert cli(*CREATE, "--scopes", "all").status == 0

    @pytest.mark.parametrize("name", ["", " ", " ci", "ci\n", "a\x1b[31mb", "n" * 256, "\udcff"])
    def test_a_name_that_cannot_be_shown_is_refused(self, cli, name):
        """For tokens and for owners; what cannot be printed is escaped, what is long is cut."""
        says(cli("token", "create", "--owner", "alice", "--name", name, "--scopes", "all"), 2)
        says(cli("token", "create", "--owner", name, "--name", "ci", "--scopes", "all"), 2)
        assert cli("owner", "list", "--json").json == []


class TestPolicyOfItsOwn:
    def test_its_vocabulary_and_its_prefix_are_used(self, cli, fleet):
        """The secret starts with gate.token_prefix, the scopes are of [vocabulary]."""
        made = cli(*CREATE, "--scopes", "delete:vms read:docker", "--policy", fleet, "--json").json
        assert made["secret"].startswith("flt_")
        assert made["scopes"] == "read:docker,delete:vms"

    def test_the_scopes_of_another_vocabulary_are_refused(self, cli, fleet):
        """And so are its scopes where no policy is named."""
        says(cli(*CREATE, "--scopes", "read:user", "--policy", fleet), 2, "`read:user` in vocabulary `fleet`")
        says(cli(*CREATE, "--scopes", "read:docker"), 2, "`read:docker` in vocabulary `gitea`")

    def test_scopes_toml_in_the_current_directory_is_the_default(self, cli, fleet, folder):
        """But an option goes before it."""
        (folder / fleet).rename(folder / "scopes.toml")
        assert cli(*CREATE, "--scopes", "all").status == 2
        assert cli(*CREATE, "--scopes", "everything", "--quiet").out.startswith("flt_")
        (folder / "plain.toml").write_text('[[group]]\npath = "/"\nscopes = ["user"]\n', "utf-8")
        made = cli(*CREATE[:-1], "other", "--scopes", "read:user", "--quiet", "--policy", "plain.toml")
        assert made.out.startswith("swt_")

    def test_scopeware_policy_names_it_too(self, command, fleet):
        """In the environment."""
        made = command(*CREATE, "--scopes", "everything", "--quiet", SCOPEWARE_POLICY=fleet)
        assert made.out.startswith("flt_")

    def test_a_role_of_its_own_is_a_ceiling(self, cli, fleet):
        """What an operator's token is worth is told, and shown."""
        cli("owner", "add", "alice", "--role", "operator", "--policy", fleet)
        result = cli(*CREATE, "--scopes", "everything", "--policy", fleet)
        left = "create:docker,read:docker,read:vms"
        assert result.err.splitlines()[1] == f"the role `operator` limits this to: {left}"
        assert cli("token", "show", "1", "--policy", fleet, "--json").json["effective_scopes"] == left

    def test_words_of_another_vocabulary_are_listed_as_unknown(self, cli, fleet, issue):
        """They grant nothing, and are not hidden."""
        issue("read:user")
        shown = cli("token", "show", "1", "--policy", fleet, "--json").json
        assert (shown["scopes"], shown["effective_scopes"], shown["unknown_scopes"]) == ("", "", ["read:user"])
        text = cli("token", "show", "1", "--policy", fleet).out
        assert "unknown" in text
        assert "nothing" in text


class TestDatabase:
    def test_scopeware_database_names_it(self, command, folder):
        """And the option goes before it."""
        assert command(*CREATE, "--scopes", "all", SCOPEWARE_DATABASE="sqlite:///env.db").status == 0
        assert (folder / "env.db").exists()
        assert not (folder / "scopeware.db").exists()
        result = command("token", "list", "--database", "sqlite:///option.db", SCOPEWARE_DATABASE="sqlite:///env.db")
        assert (result.status, result.out, result.err) == (0, "", "no tokens in sqlite:///option.db\n")
        assert (folder / "option.db").exists()

    def test_it_is_scopeware_db_in_the_current_directory_by_default(self, issue, folder):
        """As --help says."""
        issue("all")
        assert (folder / "scopeware.db").exists()


class TestListAndShow:
    def test_secrets_are_never_shown_again(self, cli, folder):
        """By no command, in no form; nor are they in the database's files."""
        secret = cli(*CREATE, "--scopes", "all", "--quiet").out.strip()
        files = b"".join(path.read_bytes() for path in folder.iterdir())
        assert b"alice" in files
        assert secret[4:-6].encode() not in files
        for line in ("list", "list --all", "list --json", "list --all --json", "show 1", "show 1 --json", "revoke 1"):
            result = cli("token", *line.split())
            assert result.status == 0
            for text in (result.out, result.err):
                assert secret not in text
                assert secret[4:-6] not in text
                assert not SECRET.search(text)

    def test_the_list_is_a_table_a_line_each(self, cli, issue):
        """With the last characters, so that people recognise theirs."""
        secret = issue("read:user,write:issue", "--expires", "2099-01-31")
        result = cli("token", "list")
        heading, line = result.out.splitlines()
        assert heading.split() == ["id", "owner", "name", "scopes", "secret", "status", "last", "used", "expires"]
        told = ["1", "alice", "token", "1", "write:issue,read:user", f"...{secret[-4:]}", "live", "never"]
        assert line.split() == [*told, "2099-01-31", "00:00"]
        assert result.err == ""

    def test_an_empty_list_is_said_on_stderr(self, cli):
        """So that stdout stays empty; as JSON it is a list."""
        result = cli("token", "list")
        assert (result.status, result.out, result.err) == (0, "", "no tokens in sqlite:///scopeware.db\n")
        assert cli("token", "list", "--json").json == []

    def test_dead_tokens_are_listed_with_all(self, cli, issue):
        """Revoked ones, and those of an inactive owner; each with its status."""
        issue("all")
        issue("all")
        issue("all", owner="bob")
        cli("token", "revoke", "2")
        cli("owner", "disable", "bob")
        assert [token["id"] for token in cli("token", "list", "--json").json] == [1]
        listed = cli("token", "list", "--all", "--json").json
        assert [(token["id"], token["status"]) for token in listed] == [
            (1, "live"),
            (2, "revoked"),
            (3, "owner_inactive"),
        ]
        assert listed[1]["revoked_at"] is not None
        assert "revoked" not in cli("token", "list").out
        assert "revoked" in cli("token", "list", "--all").out

    def test_only_one_owners_are_listed_with_owner(self, cli, issue):
        """And an owner nobody knows is an error, not an empty list."""
        issue("all")
        issue("all", owner="bob")
        assert [token["owner"] for token in cli("token", "list", "--owner", "bob", "--json").json] == ["bob"]
        says(cli("token", "list", "--owner", "bop"), 2, "there is no owner `bop`")

    def test_show_tells_what_was_requested_and_what_is_effective(self, cli, issue):
        """Now: after a change of the role, too."""
        issue("write:user,write:admin")
        rows = dict(line.split(None, 1) for line in cli("token", "show", "1").out.splitlines())
        assert rows["requested"].strip() == "write:admin,write:user"
        assert rows["effective"].strip() == "write:user"
        assert rows["owner"].strip() == "alice (user)"
        assert "revoked" not in rows
        cli("owner", "set-role", "alice", "viewer")
        assert cli("token", "show", "1", "--json").json["effective_scopes"] == "read:user"
        cli("owner", "disable", "alice")
        assert "alice (viewer, inactive)" in cli("token", "show", "1").out

    @pytest.mark.parametrize("line", ["show 9", "revoke 9"])
    def test_an_id_nobody_has_is_named(self, cli, line):
        """For every command that takes one."""
        says(cli("token", *line.split()), 2, "there is no token 9")

    @pytest.mark.parametrize("line", ["show ci", "revoke ci", "revoke 1 ci"])
    def test_an_id_is_a_number(self, cli, line):
        """A name is not taken for one."""
        says(cli("token", *line.split()), 2, "'ci' is not a valid integer", "--help")

    @pytest.mark.parametrize("line", ["show", "revoke"])
    def test_an_id_beyond_the_databases_numbers_is_named(self, cli, line):
        """There can be no such token."""
        says(cli("token", line, "99999999999999999999"), 2, "99999999999999999999 is not in the range")

    def test_an_owner_that_is_no_utf8_is_unknown(self, cli):
        """As the shell passes bytes that are none."""
        says(cli("token", "list", "--owner", "\udcff"), 2, "there is no owner")

    @pytest.mark.parametrize("name", ["[bold]x", "[/]", "[link=http://a]y[/link]", "%s", "{0}", "漢字", "ünï", "a 'b'"])
    def test_strange_names_are_shown_verbatim(self, cli, name):
        """Markup, formats and letters of any script are text."""
        cli("token", "create", "--owner", name, "--name", f"{name} 2", "--scopes", "read:user")
        row = cli("token", "list").out.splitlines()[1]
        assert row.split("read:user")[0].split() == ["1", *name.split(), *name.split(), "2"]
        assert cli("token", "list", "--json").json[0]["owner"] == name
        shown = cli("token", "show", "1").out
        assert f"{name} (user)" in shown
        assert f"{name} 2" in shown

    @pytest.mark.parametrize("name", [":smile:", "back\\", "back\\\\slash\\"])
    def test_emoji_codes_and_backslashes_are_shown_verbatim(self, cli, name):
        """They are names like any other."""
        cli("token", "create", "--owner", name, "--name", "ci", "--scopes", "read:user")
        row = cli("token", "list").out.splitlines()[1]
        assert row.split() == ["1", name, "ci", "read:user", *row.split()[4:]]

    def test_unicode_names_travel_through_a_process(self, command):
        """Arguments in, table and JSON out."""
        command("token", "create", "--owner", "ünï [bold]漢", "--name", "%s", "--scopes", "read:user")
        assert "ünï [bold]漢  %s" in command("token", "list").out
        assert "ünï [bold]漢" in command("token", "list", "--json").out


class TestRevoke:
    def test_it_ends_a_token_at_once(self, cli, issue):
        """In every process on the file."""
        secret = issue("all")
        store = TokenStore.connect("sqlite:///scopeware.db")
        assert isinstance(store.authenticate(secret), LiveToken)
        result = cli("token", "revoke", "1")
        assert (result.status, result.out, result.err) == (0, "token 1 is revoked\n", "")
        refusal = store.authenticate(secret)
        assert isinstance(refusal, Refusal)
        assert refusal.code == "token_revoked"
        store.close()

    def test_revoking_twice_is_fine_and_said(self, cli, issue):
        """What was wanted is so."""
        issue("all")
        cli("token", "revoke", "1")
        again = cli("token", "revoke", "1")
        assert (again.status, again.out) == (0, "token 1 was revoked before\n")
        assert cli("token", "revoke", "1", "--json").json == [{"id": 1, "revoked": False, "was_revoked": True}]

    def test_several_are_ended_together(self, cli, issue):
        """Each is told of."""
        for _ in range(3):
            issue("all")
        cli("token", "revoke", "3")
        result = cli("token", "revoke", "1", "3")
        assert result.out == "token 1 is revoked\ntoken 3 was revoked before\n"
        assert [token["id"] for token in cli("token", "list", "--json").json] == [2]

    def test_nothing_is_revoked_when_one_of_them_is_unknown(self, cli, issue):
        """Wherever it stands in the list."""
        issue("all")
        issue("all")
        for ids in (("1", "9", "2"), ("9", "1"), ("1", "2", "9")):
            says(cli("token", "revoke", *ids), 2, "there is no token 9")
        assert [token["status"] for token in cli("token", "list", "--all", "--json").json] == ["live", "live"]

    def test_one_that_is_named_twice_is_revoked_now(self, cli, issue):
        """It was live until this very command."""
        issue("all")
        result = cli("token", "revoke", "1", "1")
        assert result.out.splitlines()[0] == "token 1 is revoked"

    def test_json_tells_which_were_live(self, cli, issue):
        """A list, in the order of the arguments."""
        issue("all")
        issue("all")
        cli("token", "revoke", "2")
        assert cli("token", "revoke", "2", "1", "--json").json == [
            {"id": 2, "revoked": False, "was_revoked": True},
            {"id": 1, "revoked": True, "was_revoked": False},
        ]


class TestClosedPipe:
    def test_head_may_close_the_pipe(self, command, folder):
        """``token list | head -1`` prints one line and no traceback."""
        command(*CREATE, "--scopes", "all")
        pipeline = f"{shlex.quote(sys.executable)} -m scopeware token list | head -1"
        done = subprocess.run(
            pipeline, shell=True, cwd=folder, env=environment(), capture_output=True, text=True, check=False
        )
        assert done.stdout.split()[:2] == ["id", "owner"]
        assert done.stdout.count("\n") == 1
        assert done.stderr == ""

    @staticmethod
    def into_a_closed_pipe(folder, *arguments):
        """The exit status and stderr of a command whose output nobody reads."""
        reader, writer = os.pipe()
        os.close(reader)
        try:
            done = subprocess.run(
                [sys.executable, "-m", "scopeware", *arguments],
                cwd=folder,
                env=environment(),
                stdout=writer,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        finally:
            os.close(writer)
        return done.returncode, done.stderr

    @pytest.mark.parametrize("line", ["scopes list", "scopes list --json", "scopes normalize all"])
    def test_a_pipe_that_is_closed_from_the_start_makes_no_noise(self, folder, line):
        """Nor does Python complain at exit."""
        assert self.into_a_closed_pipe(folder, *line.split())[1] == ""

    @pytest.mark.parametrize("line", ["scopes list", "scopes list --json"])
    def test_a_closed_pipe_is_no_failure(self, folder, line):
        """Whoever read the output has seen enough: exit 0, as the command line intends."""
        assert self.into_a_closed_pipe(folder, *line.split())[0] == 0

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
    def test_a_full_disk_is_told_in_one_line(self, folder):
        """An output that cannot be written is an error like any other."""
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run(
                [sys.executable, "-m", "scopeware", "scopes", "list"],
                cwd=folder,
                env=environment(),
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert done.returncode != 0
        assert done.stderr.count("\n") == 1
