"""``scopeware advise``: what the log says about the policy and about each token; and tokens that become less."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
from calls import Recorder, call_gate
from command_line import DATABASE, SECONDS, SECRET, environment, says

from scopeware import Policy, Scopeware, TokenStore

SCOPES = """
[policy]
prefix = "/api"

[[group]]
path = "/repos/<owner>/<repo>"
scopes = ["repository"]
resource = "<owner>/<repo>"

[[group]]
path = "/issues"
scopes = ["issue"]
"""
SITE = "/api/repos/alice/site"
NARROW = "read:repository@alice/site"


class Forge:
    """The database and the policy that commands find, with requests in the log."""

    def __init__(self, folder):
        self.file = folder / "scopes.toml"
        self.file.write_text(SCOPES, "utf-8")

    def store(self):
        return TokenStore.connect(DATABASE)

    def issue(self, scopes="write:repository,write:issue", owner="alice", **more):
        """A token; its id is one more than that of the one before."""
        store = self.store()
        issued = store.issue(owner=owner, name=f"of {owner}, {len(store.list())}", scopes=scopes, **more)
        store.close()
        return issued

    def ask(self, secret, *asked, **options):
        """Requests through a gate: their statuses."""
        store = self.store()
        gate = Scopeware(Recorder(), Policy.load(self.file), store, **options)
        headers = {} if secret is None else {"authorization": f"Bearer {secret}"}
        statuses = [call_gate(gate, *each.split(" "), **headers).status for each in asked]
        store.close()
        return statuses

    def works(self, secret):
        """Whether a token is accepted."""
        return self.ask(secret, f"GET {SITE}") == [200]


@pytest.fixture
def forge(folder):
    return Forge(folder)


@pytest.fixture
def used(forge):
    """A token that can do more than it did: number 1, alice's."""
    issued = forge.issue()
    assert forge.ask(issued.secret, f"GET {SITE}", f"HEAD {SITE}/x") == [200, 200]
    return issued


@pytest.fixture
def typed(folder):
    """``typed("alice\\n", "advise", ...)``: status, stdout, and what else was on the terminal that was typed on."""

    def run(text, *arguments):
        leader, follower = os.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "scopeware", *arguments],
            cwd=folder,
            env=environment(),
            stdin=follower,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        os.close(follower)
        os.write(leader, text.encode())
        out, err = process.communicate(timeout=SECONDS)
        os.close(leader)
        return process.returncode, out.decode(), err.decode()

    return run


class TestTokens:
    def test_each_token_with_what_would_be_enough(self, cli, forge, used):
        """Those that nobody used, too; the same as data."""
        forge.issue("read:issue", owner="bob")
        result = cli("advise", "--tokens")
        first, second = result.out.splitlines()[1:]
        assert result.status == 0
        assert [first.split()[0], first.split()[-1]] == ["1", NARROW]
        assert second.endswith("never used: revoke it")
        rows = cli("advise", "--tokens", "--json").json
        assert [(row["token"], row["requests"], row["advised"], row["narrows"]) for row in rows] == [
            (1, 2, NARROW, True),
            (2, 0, None, False),
        ]
        assert (rows[0]["used"], rows[0]["resources"]) == (["read:repository"], ["alice/site"])
        assert rows[0]["unused"] == ["write:issue", "write:repository"]

    def test_one_owners_or_one_token(self, cli, forge, used):
        """Both together are the tokens of that owner with that number: none, if it is someone else's."""
        forge.issue(owner="bob")

        def ids(*options):
            return [row["token"] for row in cli("advise", "--tokens", "--json", *options).json]

        assert ids("--owner", "bob") == [2]
        assert ids("--token", "1") == [1]
        result = cli("advise", "--tokens", "--json", "--owner", "bob", "--token", "1")
        assert result.status == 2 or result.json == []

    def test_only_what_is_recent_counts(self, cli, forge, used):
        """As far as one asks back."""
        store = forge.store()
        store._database.peewee.execute_sql("UPDATE scopeware_access_log SET at = at - 86400000 * 30")
        store.close()
        requests = {
            since: cli("advise", "--tokens", "--json", "--since", since).json[0]["requests"] for since in ("7d", "90d")
        }
        assert requests == {"7d": 0, "90d": 2}

    def test_what_a_token_did_before_it_was_rotated_counts(self, cli, forge, used):
        """Over two rotations, with and without a grace; the newest needs what any of them did."""
        store = forge.store()
        second = store.rotate(1, grace="1d")
        assert forge.ask(second.secret, "GET /api/issues") == [200]
        third = store.rotate(2)
        store.close()
        assert forge.ask(used.secret, f"GET {SITE}") == [200]
        rows = {row["token"]: row for row in cli("advise", "--tokens", "--json").json}
        assert rows[3]["requests"] == 4
        assert rows[3]["used"] == ["read:issue", "read:repository"]
        assert (rows[3]["advised"], rows[3]["resources"]) == (f"read:issue,{NARROW}", ["alice/site"])
        assert cli("advise", "--tokens", "--json", "--token", "1").json[0]["used"] == ["read:repository"]
        assert forge.works(third.secret)
        made = cli("advise", "--apply", "3", "--consent", "alice", "--json").json
        assert (made["id"], made["scopes"]) == (4, f"read:issue,{NARROW}")
        assert forge.ask(made["secret"], "GET /api/issues", f"GET {SITE}", "PUT /api/issues") == [200, 200, 403]

    def test_a_token_that_was_rotated_and_used_for_nothing_since_is_not_to_be_revoked(self, cli, forge, used):
        """What it is for is known."""
        store = forge.store()
        store.rotate(1)
        store.close()
        assert "revoke it" not in cli("advise", "--tokens").out
        assert cli("advise", "--apply", "2", "--consent", "alice", "--json").json["scopes"] == NARROW

    def test_what_another_owners_token_did_does_not_count(self, cli, forge, used):
        """Rotated as well, and with the same name; whatever is written down as its successor."""
        other = forge.issue(owner="bob")
        assert forge.ask(other.secret, "GET /api/issues", "DELETE /api/issues") == [200, 200]
        store = forge.store()
        store.rotate(1)
        store.rotate(2)
        store._database.peewee.execute_sql("UPDATE scopeware_token SET successor_id = 3 WHERE id = 2")
        store.close()
        for options in ((), ("--owner", "alice"), ("--token", "3")):
            rows = {row["token"]: row for row in cli("advise", "--tokens", "--json", *options).json}
            assert rows[3]["owner"] == "alice"
            assert [word for word in rows[3]["used"] if "issue" in word] == []

    def test_what_is_over_is_not_advised_to_be_rotated(self, cli, forge, used):
        """A token in its grace has been."""
        store = forge.store()
        store.rotate(1, grace="1d")
        store.close()
        assert "--apply" not in cli("advise", "--tokens", "--token", "1").err

    def test_options_for_tokens_alone(self, cli, forge, used):
        """Are wrong about the policy."""
        for options in (("--owner", "alice"), ("--token", "1"), ("--consent", "alice"), ("--grace", "1d")):
            says(cli("advise", *options), 2, "--tokens")


class TestApply:
    def test_with_consent_a_token_becomes_less(self, command, forge, used):
        """Its secret is printed once, and works; the old one works no more."""
        result = command("advise", "--tokens", "--apply", "1", "--consent", "alice")
        assert result.status == 0
        assert SECRET.fullmatch(result.out.strip())
        assert not SECRET.search(result.err)
        assert NARROW in result.err
        secret = result.out.strip()
        assert forge.ask(secret, f"GET {SITE}", f"DELETE {SITE}", "GET /api/issues") == [200, 403, 403]
        assert not forge.works(used.secret)
        assert secret not in command("token", "list", "--all", "--json").out

    @pytest.mark.parametrize(("grace", "works"), [((), False), (("--grace", "1h"), True)])
    def test_the_old_one_works_during_its_grace(self, cli, forge, used, grace, works):
        """And not without one."""
        made = cli("advise", "--apply", "1", "--consent", "alice", "--json", *grace).json
        assert (made["id"], made["replaces"], made["scopes"]) == (2, 1, NARROW)
        assert forge.works(made["secret"])
        assert forge.works(used.secret) is works

    def test_the_consent_of_nobody_else_will_do(self, cli, forge, used):
        """Nothing changes."""
        for name in ("bob", "Alice", "", " alice", "alice\n"):
            says(cli("advise", "--apply", "1", "--consent", name), 2, "nothing has changed")
        assert forge.works(used.secret)

    def test_where_nobody_is_asked_nothing_happens(self, command, forge, used):
        """A script has to say who agreed."""
        says(command("advise", "--apply", "1"), 2, "--consent alice", NARROW)
        assert forge.works(used.secret)

    @pytest.mark.parametrize(("text", "agreed"), [("alice\n", True), ("yes\n", False), ("\x04", False)])
    def test_on_a_terminal_the_owners_name_is_asked_for(self, typed, forge, used, text, agreed):
        """What will happen is said before."""
        status, out, err = typed(text, "advise", "--apply", "1")
        assert NARROW in err
        assert "Traceback" not in err
        assert (status == 0) is agreed
        assert forge.works(used.secret) is not agreed
        assert bool(SECRET.search(out)) is agreed
        assert not SECRET.search(err)

    def test_of_a_log_with_gaps_nothing_is_applied(self, cli, forge, used):
        """It may have needed more; what is printed says so, too."""
        forge.file.write_text(SCOPES + "[access_log]\nallowed = 0.5\n", "utf-8")
        says(cli("advise", "--apply", "1", "--consent", "alice"), 2, "only a part")
        assert "only a part" in cli("advise", "--tokens").err
        assert forge.works(used.secret)

    def test_what_was_used_for_all_it_has_stays(self, cli, forge):
        """So does what was never used; no secret is printed."""
        whole, never = forge.issue("read:issue"), forge.issue("read:issue")
        forge.ask(whole.secret, "GET /api/issues")
        for number, why in ((whole.token.id, "used for all it has"), (never.token.id, "revoke it instead")):
            result = cli("advise", "--apply", str(number), "--consent", "alice")
            assert (result.status, result.out) == (1, "")
            assert why in result.err

    def test_dead_tokens_stay_dead(self, cli, forge, used):
        """Revoked, rotated, of nobody."""
        store = forge.store()
        store.rotate(1, grace="1d")
        store.revoke(2)
        store.close()
        for number in ("1", "2", "3"):
            says(cli("advise", "--apply", number, "--consent", "alice"), 2, number)
        assert len(cli("token", "list", "--all", "--json").json) == 2


class TestWhatTheLogDoesNotSay:
    """It is said that it does not, and nothing is advised by what is not there."""

    @pytest.mark.parametrize("to", ["[]", '["stdout"]', '["file:/tmp/access.jsonl"]'])
    def test_a_log_that_is_kept_elsewhere_says_nothing(self, cli, forge, used, to):
        """Nor does an old one that is in the database still."""
        forge.file.write_text(f"{SCOPES}[access_log]\nto = {to}\n", "utf-8")
        for options in ((), ("--tokens",), ("--json",), ("--apply", "1", "--consent", "alice")):
            says(cli("advise", *options), 2, "scopes.toml", "not kept in the database", 'to = ["database"]')
        assert forge.works(used.secret)

    def test_a_log_that_is_kept_in_the_database_too_will_do(self, cli, forge, used):
        """Wherever else it goes."""
        forge.file.write_text(SCOPES + '[access_log]\nto = ["stdout", "database"]\n', "utf-8")
        assert cli("advise", "--tokens", "--json").json[0]["requests"] == 2

    def test_a_log_that_is_kept_for_less_is_said(self, cli, forge, used):
        """On stderr, and what there is, is printed; to go by it, one has to say so."""
        forge.file.write_text(SCOPES + '[access_log]\nkeep = "30d"\n', "utf-8")
        for options in (("--tokens",), ("--tokens", "--since", "31d"), ()):
            result = cli("advise", "--json", *options)
            assert result.status == 0
            assert result.err == "the log is kept for 30d: nothing older is known\n"
            assert result.json
        for since in ((), ("--since", "31d")):
            says(cli("advise", "--apply", "1", "--consent", "alice", *since), 2, "--since", "kept for 30d")
        assert forge.works(used.secret)

    def test_as_far_as_the_log_goes_back_all_is_well(self, cli, forge, used):
        """Where no more is asked for than there is."""
        forge.file.write_text(SCOPES + '[access_log]\nkeep = "30d"\n', "utf-8")
        for since in ("30d", "7d"):
            assert cli("advise", "--tokens", "--json", "--since", since).err == ""
        assert cli("advise", "--apply", "1", "--consent", "alice", "--since", "30d", "--json").json["replaces"] == 1
        assert not forge.works(used.secret)

    @pytest.mark.parametrize("options", [("--owner", "alice"), ("--token", "1"), ("--owner", "alice", "--token", "1")])
    def test_a_token_to_narrow_is_named_once(self, cli, forge, used, options):
        """Whether what else is named would fit or not."""
        result = cli("advise", "--apply", "1", "--consent", "alice", *options)
        says(result, 2, "--apply", "--owner", "--token", "advise --help")
        assert forge.works(used.secret)

    @pytest.mark.parametrize("options", [("--consent", "alice"), ("--grace", "1d")])
    def test_what_is_for_a_rotation_alone_is_wrong_without_one(self, cli, forge, used, options):
        """Nobody is to think that something was done."""
        says(cli("advise", "--tokens", *options), 2, "--apply")


class TestPolicy:
    def test_groups_that_pass_without_a_token_are_not_called_never_hit(self, cli, forge, used):
        """The log has no request that passes so; a group that asks for a token on one route or another is named."""
        groups = {
            "/open": "require_token = false",
            "/signed-in": 'accept = "session"',
            "/shut": "",
            "/partly": '[[group.route]]\npath = "/public"\nrequire_token = false',
        }
        text = "".join(f'\n[[group]]\npath = "{path}"\nscopes = []\n{more}\n' for path, more in groups.items())
        forge.file.write_text(SCOPES + text, "utf-8")
        never = cli("advise", "--json").json["never_hit"]
        assert {"/issues", "/shut"} <= set(never) <= {"/issues", "/shut", "/partly"}
        assert cli("advise").out.splitlines() == [f"never hit: {', '.join(never)}"]

    def test_a_log_without_refusals_is_fine(self, cli, forge, used):
        """What nobody uses is named all the same."""
        result = cli("advise", "--policy", "scopes.toml", "--since", "7d")
        assert (result.status, result.out) == (0, "never hit: /issues\n")
        assert "0 of 2 requests" in result.err
        assert cli("advise", "--json").json == {"requests": 2, "refused": [], "never_hit": ["/issues"], "draft": ""}

    def test_what_would_be_refused_is_counted(self, cli, forge, used):
        """In report mode nothing is refused, and the exit status says that something would be."""
        asked = ["PUT /api/issues", "GET /api/things/7", "GET /api/things/8/parts", "GET /api/repos/bob/x"]
        narrow = forge.issue("read:issue,read:repository@alice/site")
        assert forge.ask(narrow.secret, *asked, mode="report") == [200] * 4
        assert forge.ask(None, "GET /api/issues", "GET /api/issues", mode="report") == [200] * 2
        result = cli("advise", "--json")
        assert result.status == 1
        assert {(row["code"], row["group"]): row["count"] for row in result.json["refused"]} == {
            ("token_required", "/issues"): 2,
            ("unmatched", None): 2,
            ("insufficient_scope", "/issues"): 1,
            ("resource_out_of_reach", "/repos/<owner>/<repo>"): 1,
        }
        assert (result.json["requests"], result.json["never_hit"]) == (8, [])
        shown = cli("advise")
        assert shown.status == 1
        assert "6 of 8 requests" in shown.err
        assert re.search(
            r"(?m)^1 +insufficient_scope +/issues +PUT /api/issues +make tokens with write:issue", shown.out
        )

    def test_the_draft_can_be_appended(self, cli, forge, used):
        """Then it loads, and the same requests find their groups."""
        asked = ["GET /api/things/7", "POST /api/things", "GET /api/other"]
        forge.ask(used.secret, *asked, mode="report")
        shown = cli("advise").out.partition("# to append to scopes.toml:\n")[2]
        assert shown.strip() == cli("advise", "--json").json["draft"].strip()
        with forge.file.open("a", encoding="utf-8") as file:
            file.write(shown)
        everything = forge.issue("all", owner="root")
        assert forge.ask(everything.secret, *asked, "GET /api/yet/another") == [200, 200, 200, 403]

    def test_no_secret_is_printed(self, cli, forge, used):
        """Wherever somebody sent one."""
        odd = [f"GET /api/{used.secret}", f"GET /api/x/{used.secret[:30]}", f"GET /api/issues?{used.secret}"]
        forge.ask(used.secret, *odd, mode="report")
        forge.ask(used.secret[:-1] + "_", "GET /api/issues", mode="report")
        for options in ((), ("--json",), ("--tokens",), ("--tokens", "--json")):
            result = cli("advise", *options)
            assert used.secret[4:20] not in result.out + result.err
            assert json.dumps(result.out)

    def test_what_cannot_be_is_said(self, cli, forge):
        """In a line."""
        for option, value in (("--policy", "nowhere.toml"), ("--since", "soon"), ("--apply", "x")):
            says(cli("advise", option, value), 2, value)
