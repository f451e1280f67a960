"""``scopeware audit``: what tokens were used for, what was refused, and what becomes of the record."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from command_line import DATABASE, REFUSED, SECRET, says, write_down

DAY = timedelta(days=1)


def ago(**length):
    """A moment that is over, as the log has it."""
    return int((time.time() - timedelta(**length).total_seconds()) * 1000)


@pytest.fixture
def paths(cli):
    """``paths("--denied")``: the paths of the requests that are listed; as many on paper as in JSON."""

    def run(*options):
        result = cli("audit", "list", *options, "--json")
        assert result.status == 0, result
        found = [entry["path"] for entry in result.json]
        shown = cli("audit", "list", *options)
        assert shown.status == 0
        assert len(shown.out.splitlines()) == (len(found) + 1 if found else 0)
        assert shown.err == ("" if found else "nothing of that kind in the log in sqlite:///scopeware.db\n")
        return found

    return run


class TestWhatTheGateSaw:
    @pytest.fixture
    def secret(self, call, make_gate, store):
        """A token that was used once with and once without success, as was nothing at all; one was in a path."""
        gate = make_gate()
        secret = store.issue(owner="alice", name="ci", scopes="read:user").secret
        for method, path in (("GET", "/api/v1/user"), ("DELETE", "/api/v1/user"), ("GET", f"/api/v1/user/{secret}")):
            call(gate, method, path, environ={"REMOTE_ADDR": "192.0.2.7"}, authorization=f"token {secret}")
        call(gate, "GET", "/api/v1/user", environ={"REMOTE_ADDR": "2001:db8::1"})
        store.close()
        return secret

    def test_every_request_is_a_line(self, cli, secret):
        """When, whose, which token, from where, what, and how it went; the newest is last."""
        result = cli("audit", "list", "--database", "sqlite:///tokens.db")
        assert (result.status, result.err) == (0, "")
        heading, *lines = result.out.splitlines()
        assert heading.split() == ["time", "owner", "token", "address", "request", "outcome"]
        seen = [line.split()[2:] for line in lines]
        token = ["alice", "1", f"...{secret[-4:]}", "192.0.2.7"]
        assert seen == [
            [*token, "GET", "/api/v1/user", "200", "allowed"],
            [*token, "DELETE", "/api/v1/user", "403", "denied", "insufficient_scope"],
            [*token, "GET", "/api/v1/user/swt_***", "200", "allowed"],
            ["-", "-", "2001:db8::1", "GET", "/api/v1/user", "401", "denied", "token_required"],
        ]
        for line in lines:
            at = datetime.strptime(line[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
            assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)

    def test_json_has_all_that_is_known(self, cli, secret):
        """Times as ISO 8601 with a zone; the time it took in microseconds."""
        entries = cli("audit", "list", "--json", "--database", "sqlite:///tokens.db").json
        entry = entries[1]
        assert datetime.fromisoformat(entry.pop("time")) == datetime.fromtimestamp(entry.pop("at") / 1000, UTC)
        assert entry.pop("duration") >= 0
        assert entry == {
            "id": 2,
            "token_id": 1,
            "hint": secret[-4:],
            "owner": "alice",
            "address": "192.0.2.7",
            "method": "DELETE",
            "path": "/api/v1/user",
            "group": "/user",
            "scopes": "write:user",
            "resource": None,
            "decision": "denied",
            "code": "insufficient_scope",
            "status": 403,
        }
        assert [entry["id"] for entry in entries] == [1, 2, 3, 4]
        assert (entries[3]["token_id"], entries[3]["hint"], entries[3]["owner"]) == (None, None, None)

    @pytest.mark.parametrize("line", ["list", "list --json", "export", "export --format csv"])
    def test_no_secret_is_in_it(self, cli, secret, line):
        """Nor a part of one."""
        result = cli("audit", *line.split(), "--database", "sqlite:///tokens.db")
        assert "/api/v1/user/swt_***" in result.out
        assert secret[4:-6] not in result.out
        assert not SECRET.search(result.out)


class TestFilters:
    @pytest.fixture(autouse=True)
    def requests(self):
        """Of two owners and three tokens, some refused, some long ago."""
        write_down(
            DATABASE,
            {"path": "/old", "at": ago(days=400)},
            {"path": "/week", "at": ago(days=6), "owner": "bob", "token_id": 2},
            {"path": "/api/repos", "at": ago(hours=1), "token_id": 3},
            {"path": "/api/repos/x", "at": ago(minutes=2), "owner": None, "token_id": None, "hint": None}
            | REFUSED
            | {"code": "token_required", "status": 401},
            {"path": "/api/repositories", "at": ago(minutes=1), "owner": "bob", "token_id": 2} | REFUSED,
            {"path": "/reported", "decision": "reported", "code": "insufficient_scope"},
        )

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ("", "/old /week /api/repos /api/repos/x /api/repositories /reported"),
            ("--owner bob", "/week /api/repositories"),
            ("--owner BOB", ""),
            ("--owner nobody", ""),
            ("--token 2", "/week /api/repositories"),
            ("--token 9", ""),
            ("--denied", "/api/repos/x /api/repositories /reported"),
            ("--allowed", "/old /week /api/repos"),
            ("--code insufficient_scope", "/api/repositories /reported"),
            ("--code insufficient", ""),
            ("--path /api/repos", "/api/repos /api/repos/x /api/repositories"),
            ("--path /api/repos/", "/api/repos/x"),
            ("--path /", "/old /week /api/repos /api/repos/x /api/repositories /reported"),
            ("--path api", ""),
            ("--path %", ""),
            ("--path /api/repo_", ""),
            ("--owner bob --denied", "/api/repositories"),
            ("--owner alice --token 2", ""),
            ("--limit 2", "/api/repositories /reported"),
            ("--limit 1 --owner bob", "/api/repositories"),
            ("--limit 100000 --allowed", "/old /week /api/repos"),
        ],
    )
    def test_those_are_listed_that_are_meant(self, paths, options, expected):
        """The latest of them, the newest last."""
        assert paths(*options.split()) == expected.split()

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ("--since 30m", "/api/repos/x /api/repositories /reported"),
            ("--since 7d", "/week /api/repos /api/repos/x /api/repositories /reported"),
            ("--since 1s --allowed", ""),
            ("--until 7d", "/old"),
            ("--until 1y", "/old"),
            ("--since 2w --until 1d", "/week"),
            ("--since 2000-01-01 --until 2001-01-01", ""),
            ("--until 2001-01-01", ""),
            ("--since 2999-01-01", ""),
        ],
    )
    def test_times_count_back_from_now_or_are_dates(self, paths, options, expected):
        """From the one on, up to the other."""
        assert paths(*options.split()) == expected.split()

    def test_a_date_is_in_utc_unless_it_says_otherwise(self, cli, paths):
        """The first moment of it is in, the last before it is out."""
        noon = datetime(2020, 2, 3, 12, tzinfo=UTC)
        for minutes in (-1, 0):
            at = int((noon + timedelta(minutes=minutes)).timestamp() * 1000)
            write_down(DATABASE, {"path": f"/{minutes}", "at": at})
        for moment in ("2020-02-03T12:00", "2020-02-03T12:00:00Z", "2020-02-03T14:00:00+02:00"):
            assert paths("--since", moment, "--until", "2020-02-04") == ["/0"]
            assert paths("--since", "2020-02-03", "--until", moment) == ["/-1"]

    @pytest.mark.parametrize("option", ["--since", "--until"])
    @pytest.mark.parametrize("moment", ["soon", "", "2030-13-01", "7 d", "-7d", "\x1b[31m"])
    def test_what_is_no_time_is_refused_with_examples(self, cli, option, moment):
        """What was written is repeated, escaped where that is needed."""
        shown = moment.replace("\x1b", "\\x1b")
        said = f"'{option}': `{shown}` is no time; write 7d for a week ago, or 2030-01-31"
        says(cli("audit", "list", f"{option}={moment}"), 2, said, "scopeware audit list --help")

    @pytest.mark.parametrize("option", ["--since", "--until"])
    def test_a_time_before_all_calendars_is_told_in_a_line(self, cli, option):
        """As one that is none."""
        says(cli("audit", "list", option, "999999y"), 2, f"'{option}'", "`999999y`")

    def test_letter_case_of_a_path_matters(self, paths):
        """As it does to the gate."""
        assert paths("--path", "/API") == []

    @pytest.mark.parametrize("option", ["--owner", "--code", "--path"])
    def test_what_is_no_utf8_is_nobodys(self, paths, option):
        """As the shell passes bytes that are none."""
        assert paths(option, "\udcff") == []


class TestList:
    def test_an_empty_log_is_said_on_stderr(self, cli):
        """So that stdout stays empty; as JSON it is a list."""
        result = cli("audit", "list")
        said = "nothing of that kind in the log in sqlite:///scopeware.db\n"
        assert (result.status, result.out, result.err) == (0, "", said)
        assert cli("audit", "list", "--json").json == []

    def test_fifty_are_listed_unless_another_number_is_named(self, cli):
        """The latest ones."""
        write_down(DATABASE, *({"path": f"/{number}"} for number in range(60)))
        listed = [entry["path"] for entry in cli("audit", "list", "--json").json]
        assert listed == [f"/{number}" for number in range(10, 60)]

    def test_what_is_odd_is_shown_verbatim_and_control_characters_are_not(self, cli):
        """Markup, formats, letters of any script are text; nothing gets to the terminal as a command."""
        odd = ("[bold]x[/bold]", "[/]", ":smile:", "%s", "漢字", "back\\")
        write_down(DATABASE, *({"path": f"/{word}", "owner": word} for word in odd))
        write_down(DATABASE, {"owner": "\x1b[31mred\nline", "path": "/\x07", "address": ""})
        out = cli("audit", "list").out
        lines = out.splitlines()
        assert len(lines) == len(odd) + 2
        for word, line in zip(odd, lines[1:], strict=False):
            assert line.split()[2] == word
            assert f"GET /{word}  " in line
        assert "\x1b" not in out
        assert "\x07" not in out
        assert "\\x1b[31mred\\nline" in lines[-1]

    def test_an_answer_that_never_came_has_no_status(self, cli):
        """A dash in its place; null in JSON."""
        write_down(DATABASE, {"status": None})
        assert cli("audit", "list").out.splitlines()[1].endswith("GET /api/v1/user  - allowed")
        assert cli("audit", "list", "--json").json[0]["status"] is None


class TestPrune:
    @pytest.fixture(autouse=True)
    def requests(self):
        """One of each age."""
        write_down(DATABASE, *({"path": f"/{days}", "at": ago(days=days)} for days in (400, 91, 89, 0)))

    def test_what_is_older_is_removed(self, cli, paths):
        """What is younger stays."""
        result = cli("audit", "prune", "--keep", "90d")
        assert (result.status, result.out, result.err) == (0, "removed: 2\n", "")
        assert paths() == ["/89", "/0"]

    def test_the_second_time_there_is_nothing_left(self, cli):
        """JSON says how many."""
        assert cli("audit", "prune", "--keep", "90d", "--json").json == {"removed": 2}
        assert cli("audit", "prune", "--keep", "90d", "--json").json == {"removed": 0}

    def test_more_than_is_removed_at_a_time(self, cli, paths):
        """Batch after batch, all of it."""
        write_down(DATABASE, *({"at": ago(days=100)} for _ in range(2500)))
        assert cli("audit", "prune", "--keep", "90d").out == "removed: 2502\n"
        assert paths() == ["/89", "/0"]

    @pytest.mark.parametrize("period", ["0d", "90", "-1d", "", "soon"])
    def test_a_period_that_is_none_is_refused_and_nothing_is_removed(self, cli, paths, period):
        """Nobody wants all of it gone by mistake."""
        says(cli("audit", "prune", f"--keep={period}"), 2, "'--keep'", f"`{period}` is no length of time")
        assert len(paths()) == 4

    def test_a_very_long_time_keeps_everything(self, cli, paths):
        """Longer than the calendar has been there."""
        assert cli("audit", "prune", "--keep", "999999y").out == "removed: 0\n"
        assert len(paths()) == 4
