"""``scopeware migrate``: what is asked, printed and changed, and how it ends."""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import re
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import termios
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from command_line import DATABASE, HOST, SECONDS, environment, free_port, says
from services import run_sql

from scopeware import TokenStore
from scopeware.cli import migrate as module
from scopeware.migration import Mapping, run

STYLE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
PASSWORD = "s3cret-of-the-database"
GITEA = "sqlite:///gitea.db"
PLACE = ("--table", "access_token", "--column", "scope")
HERE = ("--database", GITEA, *PLACE)
MAPPING = ("--mapping", "gitea-1.19")
TEXTS = ("repo", "repo", "user:email", "write:misc", None, "wirte:package,sudo")

ROUTES = [
    {"method": "GET", "path": "/user/emails", "old_scopes": ["user:email"], "new_categories": ["user"]},
    {"method": "POST", "path": "/user/keys", "old_scopes": ["user"], "new_categories": ["user"]},
    {"method": "GET", "path": "/repos/<owner>", "old_scopes": ["repo"], "new_categories": ["repository"]},
    {"method": "GET", "path": "/issues", "old_scopes": ["repo"], "new_categories": ["issue"]},
]

POLICY = """
[policy]
prefix = "/api"

[[group]]
path = "/repos"
scopes = ["repository"]
"""

INTERRUPTED = """
import itertools, os, signal, sys
import peewee
from scopeware.cli.main import main
from scopeware.migration import run

run.CHUNK = 2
count = itertools.count(1)
execute = peewee.Database.execute_sql

def interrupted(self, statement, *arguments, **options):
    cursor = execute(self, statement, *arguments, **options)
    if statement.startswith('UPDATE "access_token"') and next(count) == 10:
        os.kill(os.getpid(), signal.SIGINT)
    return cursor

peewee.Database.execute_sql = interrupted
main(sys.argv[1:])
"""

APP = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"the application"]
"""


def fill(path, texts=TEXTS):
    """A Gitea-shaped table in a file."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TABLE access_token (id INTEGER PRIMARY KEY, uid INTEGER, name TEXT, token_hash TEXT, "
            "token_salt TEXT, token_last_eight TEXT, scope TEXT, created_unix INTEGER, updated_unix INTEGER)"
        )
        connection.executemany(
            "INSERT INTO access_token VALUES (?, 1, ?, ?, '', '', ?, 1, 2)",
            [(each, f"token {each}", f"hash {each}", text) for each, text in enumerate(texts, 1)],
        )


@pytest.fixture
def gitea(folder):
    """What the tokens of a file hold: ``gitea()``."""
    fill(folder / "gitea.db")

    def texts():
        with closing(sqlite3.connect(folder / "gitea.db")) as connection:
            return tuple(text for (text,) in connection.execute("SELECT scope FROM access_token ORDER BY id"))

    return texts


@pytest.fixture
def routes(folder):
    """A table of routes for ``--before``."""
    (folder / "routes.json").write_text(json.dumps(ROUTES), "utf-8")
    return "routes.json"


CONVERTED = tuple(None if text is None else Mapping.builtin("gitea-1.19").convert(text) for text in TEXTS)


@pytest.fixture
def on_terminal(folder):
    """``on_terminal("migrate", ..., answer="y\\n")``: status and all that is shown, where a person sits."""

    def talk(*arguments, answer=None, columns=120):
        leader, follower = os.openpty()
        changes = {"COLUMNS": str(columns), "TERM": "xterm-256color"}
        process = subprocess.Popen(
            [sys.executable, "-m", "scopeware", *arguments],
            cwd=folder,
            env=environment(**changes),
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
            # So that ^C is a signal.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  # there is one thread
        )
        os.close(follower)
        shown, pause = b"", 0.0
        deadline = time.monotonic() + SECONDS
        try:
            while time.monotonic() < deadline:
                if select.select([leader], [], [], 0.1)[0]:
                    shown += os.read(leader, 65_536)
                if answer is None or b"[y/N]" not in shown or time.monotonic() < pause:
                    continue
                if answer == signal.SIGINT:
                    process.send_signal(answer)
                else:
                    os.write(leader, answer.encode())
                # Who is not waiting yet does not hear it, and is told once more, as people do.
                pause = time.monotonic() + 2
                answer = answer if answer in (signal.SIGINT, "\x03") else None
        except OSError:
            pass  # Linux says EIO where all others have closed it.
        finally:
            os.close(leader)
            if time.monotonic() > deadline:
                process.kill()
        return process.wait(SECONDS), STYLE.sub("", shown.decode("utf-8").replace("\r\n", "\n"))

    return talk


class TestPlan:
    def test_what_an_administrator_reads_first(self, cli, gitea, routes):
        """How many rows, which texts become what, who gains and loses which routes, what nobody knows."""
        result = cli("migrate", "plan", *HERE, *MAPPING, "--before", routes)
        assert (result.status, result.err) == (0, "")
        assert gitea() == TEXTS
        lines = result.out.splitlines()
        assert lines[0] == "access_token.scope in sqlite:///gitea.db, by gitea-1.19"
        assert lines[1] == "5 rows, 4 distinct texts; 4 rows would change"
        assert re.fullmatch(r"1 rows? holds? NULL, and (is|are) left as (it is|they are)", lines[2])
        assert re.fullmatch(r"over 4 routes: 1 tokens? would reach more, 2 less", lines[3])
        table = {
            line.split("  ")[0]: line.split()[1:] for line in lines if re.match(r"(repo|user:email|write:misc) ", line)
        }
        assert table == {
            "repo": ["write:repository", "2", "1"],
            "user:email": ["write:user", "1", "1"],
            "write:misc": ["(no", "change)", "1"],
        }
        assert "`wirte:package` in 1 row" in result.out
        assert "did you mean `write:package`" in result.out
        assert re.search(r"routes that tokens gain:\n +1  POST /user/keys\n", result.out)
        assert re.search(r"routes that tokens lose:\n +2  GET /issues\n", result.out)

    def test_json(self, cli, gitea, routes):
        """The same, all of it, for machines."""
        data = cli("migrate", "plan", *HERE, *MAPPING, "--before", routes, "--json").json
        assert (data["rows"], data["changed"], data["left_as_they_are"]) == (5, 4, {"NULL": 1})
        assert (data["widened"], data["narrowed"], data["routes"]) == (1, 2, 4)
        assert {line["old"]: line["new"] for line in data["strings"]} == {
            old: new for old, new in zip(TEXTS, CONVERTED, strict=True) if old is not None
        }
        assert gitea() == TEXTS

    def test_every_text_and_every_route(self, cli, folder, routes):
        """Or thirty texts and a dozen routes, and how many more there are."""
        fill(folder / "gitea.db", [f"word{each:03d},repo" for each in range(40)])
        many = [
            {"method": "GET", "path": f"/r{each:02d}", "old_scopes": ["repo"], "new_categories": ["misc"]}
            for each in range(20)
        ]
        (folder / "routes.json").write_text(json.dumps(many), "utf-8")
        options = ("migrate", "plan", *HERE, *MAPPING, "--before", routes)
        some, everything = cli(*options).out, cli(*options, "--all").out
        assert "... and 10 more; --all shows them" in some
        assert "--all lists the routes for each text" in some
        assert re.search(r"^ +8 more$", some, re.MULTILINE)
        assert "word039,repo" not in some
        assert "more; --all" not in everything
        assert "word039,repo  (1 row" in everything
        assert everything.count("  loses  GET /r19") == 40
        assert everything.count("`word") == 40

    def test_what_cannot_be_read_and_what_is_too_long(self, cli, folder):
        """It is counted."""
        fill(folder / "gitea.db", ['["user:email"]', "no list", b"\xff", '["sudo"]'])
        out = cli("migrate", "plan", *HERE, "--mapping", "gitea-1.19-strict", "--format", "json").out
        assert re.search(r"^1 rows? cannot be read as json, and (is|are) left as (it is|they are)$", out, re.MULTILINE)
        assert re.search(r"^1 rows? holds? blob, and (is|are) left as (it is|they are)$", out, re.MULTILINE)
        assert re.search(r"^no list +cannot be read +1$", out, re.MULTILINE)

    def test_what_does_not_fit(self, cli, networked):
        """It is said by `plan`; `apply` changes nothing."""
        run_sql(
            networked,
            "CREATE TABLE access_token (id INTEGER PRIMARY KEY, scope VARCHAR(12))",
            "INSERT INTO access_token VALUES (1, 'repo'), (2, 'user')",
        )
        place = ("--database", networked, *PLACE)
        assert "too long for the column: `write:repository`\n" in cli("migrate", "plan", *place, *MAPPING).out
        assert cli("migrate", "plan", *place, *MAPPING, "--json").json["too_long"] == ["write:repository"]
        says(cli("migrate", "apply", *place, *MAPPING, "--yes"), 2, "`write:repository`", "make it longer")
        assert run_sql(networked, "SELECT scope FROM access_token ORDER BY id") == [("repo",), ("user",)]

    def test_routes_that_one_side_knows(self, cli, gitea, folder):
        """They are counted, and left out."""
        (folder / "before.json").write_text(json.dumps(ROUTES[:3]), "utf-8")
        (folder / "after.json").write_text(json.dumps(ROUTES[1:]), "utf-8")
        options = ("--before", "before.json", "--after", "after.json", "--all")
        out = cli("migrate", "plan", *HERE, *MAPPING, *options).out
        assert "over 2 routes" in out
        assert "2 routes are known on one side only, and were left out" in out
        assert "write:misc  (" not in out

    @pytest.mark.parametrize("text", ["\x1b[2J\x1b[31m", "a\rb", "[bold]x[/]", "\u202e", "<script>", "a\nb"])
    def test_hostile_texts(self, cli, folder, routes, text):
        """A terminal obeys none of it."""
        fill(folder / "gitea.db", [f"{text},repo"])
        for options in ((), ("--all",), ("--before", routes, "--all")):
            result = cli("migrate", "plan", *HERE, *MAPPING, *options)
            assert result.status == 0
            assert [line for line in result.out.splitlines() if not line.isprintable()] == []
        assert "[bold]x[/]" in result.out or "bold" not in text

    def test_words_of_ten_thousand_letters(self, cli, folder):
        """They are cut where they are listed."""
        fill(folder / "gitea.db", ["x" * 10_000 + ",repo"] * 3)
        out = cli("migrate", "plan", *HERE, *MAPPING).out
        assert re.search(r"^  `x{70,80}(\.\.\.)?` in 3 rows", out, re.MULTILINE)
        assert "x... (10,005 characters)" in out
        assert max(map(len, out.splitlines())) < 300

    def test_dry_run_is_plan(self, cli, gitea, routes):
        """As text and as JSON; it does not ask."""
        for options in (("--before", routes), ("--json",), ("--before", routes, "--json")):
            planned = cli("migrate", "plan", *HERE, *MAPPING, *options)
            assert cli("migrate", "apply", *HERE, *MAPPING, "--dry-run", *options) == planned
        assert cli("migrate", "apply", *HERE, *MAPPING, "--dry-run", "--yes").status == 0
        assert gitea() == TEXTS


class TestFailOn:
    @pytest.mark.parametrize(
        ("texts", "widen", "narrow"),
        [
            (("user:email",), 1, 1),
            (("repo",), 0, 1),
            (("user,user:email",), 0, 0),
            (("write:misc",), 0, 0),
            ((None,), 0, 0),
            ((), 0, 0),
        ],
    )
    def test_a_script_is_stopped(self, cli, folder, routes, texts, widen, narrow):
        """With status 1, by what it asked for; the report is printed all the same."""
        fill(folder / "gitea.db", texts)
        rows = [row for row in ROUTES if row["path"] != "/issues" or "repo" in texts]
        if texts == ("user:email",):
            rows = [*ROUTES, {"method": "GET", "path": "/x", "old_scopes": ["user:email"], "new_categories": ["admin"]}]
        (folder / "routes.json").write_text(json.dumps(rows), "utf-8")
        options = ("migrate", "plan", *HERE, *MAPPING, "--before", routes)
        usual = cli(*options)
        for kinds, status in (
            (["widen"], widen),
            (["narrow"], narrow),
            (["widen", "narrow"], widen or narrow),
        ):
            flags = [word for kind in kinds for word in ("--fail-on", kind)]
            result = cli(*options, *flags)
            assert (result.status, result.out) == (status, usual.out)
            assert cli(*options, *flags, "--json").status == status

    def test_apply_writes_nothing_then(self, cli, gitea, routes, folder):
        """Yes or no; and goes on where nobody would."""
        options = ("migrate", "apply", *HERE, "--before", routes, "--yes")
        for kind in ("widen", "narrow"):
            result = cli(*options, *MAPPING, "--fail-on", kind)
            assert (result.status, gitea()) == (1, TEXTS)
            assert "would reach more" in result.out
        says(cli("migrate", "apply", *HERE, *MAPPING, "--yes", "--fail-on", "widen"), 2, "--fail-on", "--before")
        assert cli("migrate", "status", "--database", GITEA, "--json").out.strip() == "[]"
        assert cli(*options, "--mapping", "gitea-1.19-strict", "--fail-on", "widen").status == 0
        assert gitea() != TEXTS

    def test_without_routes_nobody_knows(self, cli, gitea):
        """So it is wrong to ask, rather than fine."""
        says(cli("migrate", "plan", *HERE, *MAPPING, "--fail-on", "widen"), 2, "--fail-on", "--before", "--after")

    @pytest.mark.parametrize("option", ["--before", "--after"])
    def test_a_table_of_routes_that_is_wrong(self, cli, gitea, folder, option):
        """Which one is said; nothing is printed."""
        for content, word in (("{", "read"), ("[]", "list"), ('[{"method": "GET"}]', "path")):
            (folder / "broken.json").write_text(content, "utf-8")
            says(cli("migrate", "plan", *HERE, *MAPPING, option, "broken.json"), 2, "broken.json", word)
        says(cli("migrate", "plan", *HERE, *MAPPING, option, "nothing.json"), 2, "nothing.json")


class TestPage:
    @pytest.mark.parametrize(
        "text", ["<script>alert(1)</script>", "<img/src=x/onerror=alert(1)>", "'\"><b>", "{{7*7}}"]
    )
    def test_a_page_for_users(self, cli, folder, routes, text):
        """Where it was written is said; hostile texts are texts."""
        fill(folder / "gitea.db", [f"{text},repo"])
        result = cli("migrate", "plan", *HERE, *MAPPING, "--before", routes, "--html", "page.html")
        assert (result.status, result.err) == (0, "the page for users: page.html\n")
        tags, texts = [], []
        parser = HTMLParser()
        parser.handle_starttag = lambda tag, attributes: tags.append(tag)
        parser.handle_data = texts.append
        parser.feed((folder / "page.html").read_text("utf-8"))
        assert {"script", "img", "b", "svg"}.isdisjoint(tags)
        assert f"{text},repo" in texts

    def test_beside_json(self, cli, gitea, folder):
        """Only JSON is printed."""
        result = cli("migrate", "plan", *HERE, *MAPPING, "--html", "page.html", "--json")
        assert (result.json["rows"], result.err) == (5, "")
        assert (folder / "page.html").exists()

    @pytest.mark.parametrize("option", ["--html", "--sql"])
    @pytest.mark.parametrize("path", ["nowhere/page", "."])
    def test_a_place_that_cannot_be_written(self, cli, gitea, option, path):
        """It is said in a line."""
        result = cli("migrate", "plan", *HERE, *MAPPING, option, path)
        says(result, result.status)
        assert result.status in (2, 3)

    def test_a_script(self, cli, gitea, folder):
        """It does what `apply` does."""
        assert cli("migrate", "plan", *HERE, *MAPPING, "--sql", "convert.sql").status == 0
        assert gitea() == TEXTS
        with closing(sqlite3.connect(folder / "gitea.db")) as connection:
            connection.executescript((folder / "convert.sql").read_text("utf-8"))
        assert gitea() == CONVERTED


class TestAsking:
    def test_the_plan_is_shown_and_a_yes_waited_for(self, on_terminal, gitea):
        """Then it is converted, and the way back is said."""
        status, shown = on_terminal("migrate", "apply", *HERE, *MAPPING, answer="y\n")
        assert status == 0
        assert gitea() == CONVERTED
        plan, _, after = shown.partition("convert 4 rows of access_token.scope? [y/N]")
        assert "5 rows, 4 distinct texts; 4 rows would change" in plan
        assert "converted 4 rows (run 1); `scopeware migrate undo` takes it back" in after
        status, shown = on_terminal("migrate", "undo", *HERE, answer="y\n")
        assert status == 0
        assert "restored 4 rows (run 1)" in shown
        assert gitea() == TEXTS

    @pytest.mark.parametrize(
        "answer", ["n\n", "\n", "\x04", "\x03", signal.SIGINT], ids=["n", "enter", "eof", "^C", "int"]
    )
    def test_anything_else_is_a_no(self, on_terminal, cli, gitea, folder, answer):
        """Nothing is changed, nothing begun, no lock left."""
        status, shown = on_terminal("migrate", "apply", *HERE, *MAPPING, answer=answer)
        assert status > 0
        assert "Traceback" not in shown
        assert gitea() == TEXTS
        assert cli("migrate", "status", *HERE, "--json").json == []
        assert [path.name for path in folder.glob("gitea.db*")] == ["gitea.db"]

    def test_a_no_to_taking_it_back(self, on_terminal, cli, gitea):
        """It stays converted."""
        cli("migrate", "apply", *HERE, *MAPPING, "--yes")
        status, shown = on_terminal("migrate", "undo", *HERE, answer="n\n")
        assert status > 0
        assert "restore up to 4 rows of access_token.scope?" in shown
        assert gitea() == CONVERTED

    def test_nobody_to_ask(self, cli, gitea):
        """A script has to say `--yes`; nothing is changed."""
        result = cli("migrate", "apply", *HERE, *MAPPING)
        assert result.status == 2
        assert result.out == ""
        assert result.err.splitlines()[-1].startswith("scopeware: ")
        assert "--yes" in result.err.splitlines()[-1]
        assert gitea() == TEXTS
        cli("migrate", "apply", *HERE, *MAPPING, "--yes")
        says(cli("migrate", "undo", *HERE), 2, "--yes")
        assert gitea() == CONVERTED
        assert cli("migrate", "undo", *HERE, "--yes").status == 0
        assert gitea() == TEXTS

    @pytest.mark.parametrize("closed", [(0,), (0, 2)], ids=["stdin", "stdin and stderr"])
    def test_nobody_at_all(self, folder, gitea, closed):
        """Started with nothing to read from: the same."""
        done = subprocess.run(
            [sys.executable, "-m", "scopeware", "migrate", "apply", *HERE, *MAPPING],
            cwd=folder,
            env=environment(),
            capture_output=True,
            preexec_fn=lambda: [os.close(number) for number in closed],
            timeout=SECONDS,
            check=False,
        )
        assert b"Traceback" not in done.stderr
        assert done.returncode == 2
        assert gitea() == TEXTS

    def test_an_older_conversion_is_asked_about_too(self, on_terminal, cli, gitea, folder):
        """Though the last one is taken back already."""
        cli("migrate", "apply", *HERE, *MAPPING, "--yes")
        (folder / "reads.toml").write_text(
            '[old]\nscopes = ["write:repository"]\n[map]\n"write:repository" = "read:repository"\n', "utf-8"
        )
        assert cli("migrate", "apply", *HERE, "--mapping", "reads.toml", "--yes").status == 0
        assert cli("migrate", "undo", *HERE, "--yes").status == 0
        assert gitea() == CONVERTED
        result = cli("migrate", "undo", *HERE)
        assert (result.status, gitea()) == (2, CONVERTED)
        assert "--yes" in result.err
        _, shown = on_terminal("migrate", "undo", *HERE, answer="n\n")
        assert "restore up to 4 rows" in shown
        assert gitea() == CONVERTED

    def test_there_is_nothing_to_ask(self, cli, gitea):
        """Where nothing would change."""
        cli("migrate", "apply", *HERE, *MAPPING, "--yes")
        result = cli("migrate", "apply", *HERE, *MAPPING)
        assert (result.status, result.out, result.err) == (0, "nothing to convert\n", "")

    def test_json_is_all_that_is_printed(self, cli, gitea):
        """The plan and the question go elsewhere."""
        refused = cli("migrate", "apply", *HERE, *MAPPING, "--json")
        assert (refused.status, refused.out) == (2, "")
        done = cli("migrate", "apply", *HERE, *MAPPING, "--json", "--yes")
        assert (done.json, done.err) == ({"run": 1, "rows": 4, "resumed": False}, "")
        assert cli("migrate", "apply", *HERE, *MAPPING, "--json").json == {"run": None, "rows": 0, "resumed": False}
        assert cli("migrate", "undo", *HERE, "--json", "--yes").json == {
            "run": 1,
            "rows": 4,
            "changed_since": 0,
            "gone": 0,
        }


class TestProgress:
    def test_a_bar_on_a_terminal(self, on_terminal, gitea):
        """With what is done, of how many rows, at which rate, for how much longer."""
        _, shown = on_terminal("migrate", "apply", *HERE, *MAPPING, "--yes")
        assert "converting" in shown
        assert "0:00:00" in shown
        assert re.findall(r"(\d+)/(\d+)", shown)[-1] == ("6", "6")
        _, shown = on_terminal("migrate", "undo", *HERE, "--yes")
        assert "restoring" in shown
        assert re.findall(r"(\d+)/(\d+)", shown)[-1] == ("4", "4")

    def test_none_elsewhere(self, command, gitea):
        """What is piped is for machines and for logs."""
        result = command("migrate", "apply", *HERE, *MAPPING, "--yes")
        assert (result.status, result.err) == (0, "")
        assert result.out == "converted 4 rows (run 1); `scopeware migrate undo` takes it back\n"
        result = command("migrate", "undo", *HERE, "--yes")
        assert (result.status, result.out, result.err) == (0, "restored 4 rows (run 1)\n", "")


class TestUndo:
    def test_what_is_left_is_said(self, cli, gitea):
        """Beside what was restored."""
        cli("migrate", "apply", *HERE, *MAPPING, "--yes")
        run_sql(
            GITEA, "UPDATE access_token SET scope = 'read:misc' WHERE id = 1", "DELETE FROM access_token WHERE id = 2"
        )
        result = cli("migrate", "undo", *HERE, "--yes")
        assert (result.status, result.out) == (0, "restored 2 rows (run 1)\n")
        assert re.fullmatch(
            r"1 rows? (was|were) changed since, and (is|are) left as (it is|they are)\n"
            r"1 rows? (is|are) not there any more\n",
            result.err,
        )
        assert gitea() == ("read:misc", *TEXTS[2:])

    @pytest.mark.parametrize("number", ["1", "2"])
    def test_which_one(self, cli, gitea, number):
        """The last one, or it is said which one is in the way."""
        cli("migrate", "apply", *HERE, *MAPPING, "--yes")
        run_sql(GITEA, "UPDATE access_token SET scope = 'sudo' WHERE id = 4")
        cli("migrate", "apply", *HERE, *MAPPING, "--yes")
        result = cli("migrate", "undo", *HERE, "--run", number, "--yes")
        if number == "1":
            says(result, 2, "conversion 2 came after it")
        else:
            assert re.fullmatch(r"restored 1 rows? \(run 2\)\n", result.out)

    @pytest.mark.parametrize(("number", "said"), [("7", "no conversion 7"), ("0", "range"), ("x", "x")])
    def test_one_there_is_not(self, cli, gitea, number, said):
        """Where to look is said."""
        cli("migrate", "apply", *HERE, *MAPPING, "--yes")
        says(cli("migrate", "undo", *HERE, "--run", number, "--yes"), 2, said)

    def test_nothing_to_take_back(self, cli, gitea):
        """Nor tables of ours."""
        says(cli("migrate", "undo", *HERE, "--yes"), 2, "nothing to take back", "scopeware migrate status")


class TestStatus:
    def test_nothing_yet(self, cli, gitea):
        """It is said elsewhere than on stdout."""
        result = cli("migrate", "status", *HERE)
        assert (result.status, result.out, result.err) == (0, "", "nothing has been converted here\n")
        assert cli("migrate", "status", *HERE, "--json").json == []

    def test_which_when_by_whom_how_far(self, cli, gitea):
        """A line each, oldest first; and as JSON."""
        cli("migrate", "apply", *HERE, *MAPPING, "--yes", "--where", "id < 3")
        cli("migrate", "apply", *HERE, *MAPPING, "--yes")
        cli("migrate", "undo", *HERE, "--yes")
        lines = cli("migrate", "status", *HERE).out.splitlines()
        assert lines[0].split() == ["run", "column", "mapping", "status", "rows", "time", "who"]
        who = f"{getpass.getuser()}@{socket.gethostname()}"
        now = datetime.now(UTC)
        days = [(now - timedelta(minutes=minutes)).strftime("%Y-%m-%d %H:%M") for minutes in (1, 0)]
        for line, expected in zip(lines[1:], (["1", "done", "2"], ["2", "undone", "0"]), strict=True):
            cells = line.split()
            assert [cells[0], cells[3], cells[4]] == expected
            assert cells[1:3] == ["access_token.scope", "gitea-1.19"]
            assert " ".join(cells[5:7]) in days
            assert cells[7] == who
        first, second = cli("migrate", "status", *HERE, "--json").json
        assert (
            datetime.fromisoformat(first.pop("started_at")) <= datetime.fromisoformat(first.pop("finished_at")) <= now
        )
        assert first == {
            "run": 1,
            "table": "access_token",
            "column": "scope",
            "id_column": "id",
            "where": "id < 3",
            "mapping": "gitea-1.19",
            "format": "comma",
            "who": who,
            "state": "done",
            "rows": 2,
            "undone_at": None,
        }
        assert (second["run"], second["state"], second["rows"]) == (2, "undone", 0)
        assert datetime.fromisoformat(second["undone_at"]).tzinfo is not None

    def test_of_a_database_rather_than_of_a_table(self, cli, gitea):
        """One need not say again which table that was."""
        cli("migrate", "apply", *HERE, *MAPPING, "--yes")
        run_sql(GITEA, "CREATE TABLE other AS SELECT * FROM access_token", "CREATE UNIQUE INDEX i ON other (id)")
        run_sql(GITEA, "UPDATE other SET scope = 'repo', name = 'repo'")
        for column in ("scope", "name"):
            options = ("--table", "other", "--column", column, "--id", "id", "--yes")
            assert cli("migrate", "apply", "--database", GITEA, *options, *MAPPING).status == 0

        def listed(*options):
            return [each["run"] for each in cli("migrate", "status", "--database", GITEA, *options, "--json").json]

        assert listed() == [1, 2, 3]
        assert listed("--table", "other") == [2, 3]
        assert listed("--column", "scope") == [1, 2]
        assert listed("--table", "other", "--column", "name") == [3]
        assert listed("--table", "nothing") == []


class TestErrors:
    @pytest.mark.parametrize("action", ["plan", "apply", "undo", "status"])
    def test_a_database_that_is_not_there(self, cli, folder, action):
        """Status 3; no file is made."""
        options = MAPPING if action in ("plan", "apply") else ()
        says(cli("migrate", action, *HERE, *options), 3, "gitea.db", "no such file")
        assert list(folder.iterdir()) == []

    @pytest.mark.parametrize("action", ["plan", "apply", "undo", "status"])
    @pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
    def test_a_server_that_is_away(self, cli, action, scheme):
        """Status 3, and no password on the screen."""
        url = f"{scheme}://somebody:{PASSWORD}@{HOST}:{free_port()}/gitea"
        options = MAPPING if action in ("plan", "apply") else ()
        result = cli("migrate", action, "--database", url, *PLACE, *options)
        says(result, 3, HOST)
        assert PASSWORD not in result.err

    @pytest.mark.parametrize(
        "url",
        [
            f"postgresql://somebody:{PASSWORD}@{HOST}/",
            f"postgresql://somebody:{PASSWORD}/x@{HOST}/gitea",
            f"mysql://somebody:{PASSWORD}@{HOST}:70000/gitea",
            f"oracle://somebody:{PASSWORD}@{HOST}/gitea",
            f"sqlite://somebody:{PASSWORD}@{HOST}/gitea",
            f"somebody:{PASSWORD}@{HOST}/gitea",
        ],
    )
    def test_a_url_that_is_wrong(self, cli, url):
        """Status 2, and no password on the screen."""
        result = cli("migrate", "plan", "--database", url, *PLACE, *MAPPING)
        says(result, 2)
        assert PASSWORD not in result.err

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (("--table", "acces_token", "--column", "scope"), "did you mean `access_token`?"),
            (("--table", "access_token", "--column", "scopes"), "did you mean `scope`?"),
            (("--table", "access_token", "--column", "uid"), "holds no text"),
            ((*PLACE, "--id", "uid"), "it is not unique"),
            ((*PLACE, "--where", "nonsense = 1"), "--where"),
            ((*PLACE, "--where", "scope LIKE '%"), "--where"),
        ],
    )
    @pytest.mark.parametrize("action", ["plan", "apply"])
    def test_a_place_that_is_not_there(self, cli, gitea, action, options, said):
        """Status 2, and what is near."""
        says(cli("migrate", action, "--database", GITEA, *options, *MAPPING), 2, said)
        assert gitea() == TEXTS

    @pytest.mark.parametrize(
        "options", [(), ("--mapping", "gitea-1.20"), (*MAPPING, "--format", "yaml"), (*MAPPING, "--fail-on", "both")]
    )
    def test_wrong_usage(self, cli, gitea, options):
        """Status 2, before anything is looked at."""
        says(cli("migrate", "plan", *HERE, *options), 2)

    def test_a_database_that_refuses_writes(self, cli, gitea):
        """Status 3, and what it says."""
        run_sql(
            GITEA, "CREATE TRIGGER no BEFORE UPDATE ON access_token BEGIN SELECT RAISE(ABORT, 'not on a Sunday'); END"
        )
        says(cli("migrate", "apply", *HERE, *MAPPING, "--yes"), 3, "not on a Sunday", "gitea.db")
        assert gitea() == TEXTS

    def test_what_cannot_be_converted(self, cli, folder):
        """A whole table of it is left, without a word too many."""
        fill(folder / "gitea.db", ["no list", '["repo"]'])
        result = cli("migrate", "apply", *HERE, *MAPPING, "--format", "json", "--yes")
        assert (result.status, result.err) == (0, "")
        assert run_sql(GITEA, "SELECT scope FROM access_token") == [("no list",), ('["write:repository"]',)]

    def test_somebody_else_is_at_it(self, cli, gitea, folder):
        """Status 2; one waits, and tries again."""
        with (folder / "gitea.db-scopeware-migrate").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            says(cli("migrate", "apply", *HERE, *MAPPING, "--yes"), 2, "somebody else is converting access_token now")
            assert cli("migrate", "plan", *HERE, *MAPPING).status == 0
        assert gitea() == TEXTS
        assert cli("migrate", "apply", *HERE, *MAPPING, "--yes").status == 0

    @pytest.mark.parametrize("action", ["plan", "apply", "undo", "status"])
    def test_help(self, cli, action):
        """Each says what it does."""
        result = cli("migrate", action, "--help")
        assert result.status == 0
        assert "--database" in result.out


class TestSecrets:
    def test_a_password_that_works_is_not_shown(self, cli, postgres_url, folder):
        """In no report, no page, no answer; in whichever way it was given."""
        run_sql(
            postgres_url,
            "CREATE TABLE access_token (id BIGINT PRIMARY KEY, scope VARCHAR(255))",
            "INSERT INTO access_token VALUES (1, 'repo'), (2, 'user')",
        )
        for url in (
            postgres_url.replace("postgres@", f"postgres:{PASSWORD}@"),
            f"{postgres_url.replace('postgres@', '')}?user=postgres&password={PASSWORD}",
        ):
            place = ("--database", url, *PLACE)
            said = []
            for words in (
                ("plan", *place, *MAPPING, "--html", "page.html", "--sql", "convert.sql"),
                ("plan", *place, *MAPPING, "--json"),
                ("apply", *place, *MAPPING),
                ("apply", *place, *MAPPING, "--yes"),
                ("status", *place, "--json"),
                ("undo", *place, "--yes"),
                ("undo", *place, "--yes"),
                ("plan", "--database", url, "--table", "nothing", *MAPPING),
            ):
                result = cli("migrate", *words)
                said += [result.out, result.err]
            said += [path.read_text("utf-8") for path in folder.iterdir()]
            assert postgres_url.rpartition("/")[2] in "".join(said)
            assert PASSWORD not in "".join(said)


class TestStopping:
    def test_what_an_interrupt_leaves(self, cli, folder):
        """A conversion that is begun, and gone on with; no lock, no traceback, status 130."""
        fill(folder / "gitea.db", ["repo", "user:email"] * 20)
        done = subprocess.run(
            [sys.executable, "-c", INTERRUPTED, "migrate", "apply", *HERE, *MAPPING, "--yes"],
            cwd=folder,
            env=environment(),
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr.lstrip()) == (130, b"", b"scopeware: stopped\n")
        assert sorted(path.name for path in folder.iterdir()) == ["gitea.db"]
        (begun,) = cli("migrate", "status", *HERE, "--json").json
        assert begun["state"] == "unfinished"
        # In the middle of the tenth transaction of two rows.
        assert begun["rows"] == 18
        result = cli("migrate", "apply", *HERE, *MAPPING, "--yes")
        assert result.out.startswith("converted 22 rows (run 1, going on with what was begun earlier)")
        assert cli("migrate", "undo", *HERE, "--yes").out == "restored 40 rows (run 1)\n"
        assert run_sql(GITEA, "SELECT scope, COUNT(*) FROM access_token GROUP BY 1 ORDER BY 1") == [
            ("repo", 20),
            ("user:email", 20),
        ]

    def test_what_was_begun_is_said_where_nothing_is_left_to_convert(self, cli, gitea, monkeypatch):
        """It was stopped between its last row and its end."""

        def stop(*_):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(run, "_pass", lambda *arguments, _original=run._pass: (_original(*arguments), stop()))
            assert cli("migrate", "apply", *HERE, *MAPPING, "--yes").status == 130
        assert gitea() == CONVERTED
        result = cli("migrate", "apply", *HERE, *MAPPING)
        assert result.out.startswith("converted 0 rows (run 1, going on with what was begun earlier)")


class TestOwnStore:
    def test_tokens_of_a_store_that_is_serving(self, cli, server, issue, folder):
        """By default it is scopeware's own tokens; in another process it takes effect on the very next request."""
        (folder / "policy.toml").write_text(POLICY, "utf-8")
        (folder / "app.py").write_text(APP, "utf-8")
        secret = issue("write:misc")
        run_sql(DATABASE, "UPDATE scopeware_token SET scopes = 'repo'")
        gate = server("run", "app:application", "--policy", "policy.toml", "--port", str(free_port()))
        assert gate.ask("GET", "/api/repos/a", secret)[0] == 403
        assert gate.ask("POST", "/api/repos/a", secret)[0] == 403
        assert cli("migrate", "plan", *MAPPING).out.startswith(f"scopeware_token.scopes in {DATABASE}, by gitea-1.19\n")
        assert gate.ask("GET", "/api/repos/a", secret)[0] == 403
        assert cli("migrate", "apply", *MAPPING, "--yes").out.startswith("converted 1 row")
        assert gate.ask("POST", "/api/repos/a", secret) == (200, "the application")
        assert cli("token", "list", "--json").json[0]["scopes"] == "write:repository"
        assert cli("migrate", "undo", "--yes").status == 0
        assert gate.ask("POST", "/api/repos/a", secret)[0] == 403
        assert cli("db", "status").status == 0

    def test_of_a_server(self, cli, networked, monkeypatch):
        """Tables and columns as the store made them there."""
        monkeypatch.setenv("SCOPEWARE_DATABASE", networked)
        with closing(TokenStore.connect(networked)) as store:
            store.issue(owner="alice", name="ci", scopes="write:misc")
        run_sql(networked, "UPDATE scopeware_token SET scopes = 'repo,user:email'")
        assert cli("migrate", "plan", *MAPPING, "--json").json["changed"] == 1
        assert cli("migrate", "apply", *MAPPING, "--yes", "--json").json["rows"] == 1
        assert run_sql(networked, "SELECT scopes FROM scopeware_token") == [("write:repository,write:user",)]
        assert cli("migrate", "undo", "--yes", "--json").json["rows"] == 1
        assert run_sql(networked, "SELECT scopes FROM scopeware_token") == [("repo,user:email",)]

    def test_the_environment_says_where(self, cli, gitea, monkeypatch):
        """As for every command."""
        monkeypatch.setenv("SCOPEWARE_DATABASE", GITEA)
        assert cli("migrate", "plan", *PLACE, *MAPPING, "--json").json["database"] == GITEA


def test_the_defaults_are_those_of_the_store():
    """The table and the column are named in one place only."""
    from scopeware.tokens.models import Token

    assert Token._meta.table_name == module._TABLE
    assert module._COLUMN in Token._meta.columns
