"""What people see: tables that fit a terminal, and are lines where nobody looks at them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import pairwise, takewhile

import pytest
from command_line import DATABASE, SECONDS, environment, write_down
from rich.cells import cell_len

from scopeware import TokenStore

STYLE = re.compile(r"\x1b\[[0-9;]*m")
LONG = "a-very-long-owner-name.of-some-organization@example.com"
NAME = "deploy to production of the web shop (blue/green), second attempt"
SCOPES = "write:repository@alice/widgets,read:issue,read:organization,write:package,read:notification"


@pytest.fixture
def on_terminal(folder):
    """``on_terminal("token", "list", columns=60)``: the lines that a command shows on a terminal, styles included."""

    def run(*arguments, columns=80, **changes):
        leader, follower = os.openpty()
        changes = {"COLUMNS": str(columns), "TERM": "xterm-256color"} | changes
        process = subprocess.Popen(
            [sys.executable, "-m", "scopeware", *arguments],
            cwd=folder,
            env=environment(**changes),
            stdin=subprocess.DEVNULL,
            stdout=follower,
            stderr=follower,
        )
        os.close(follower)
        shown = b""
        try:
            # Linux says EIO where all others have closed it.
            while chunk := os.read(leader, 65_536):
                shown += chunk
        except OSError:
            pass
        finally:
            os.close(leader)
            process.wait(SECONDS)
        return shown.decode("utf-8").replace("\r\n", "\n").splitlines()

    return run


def plain(lines):
    """Lines without their styles."""
    return [STYLE.sub("", line) for line in lines]


@pytest.fixture
def tokens(cli):
    """A usual one, a long one, one of odd letters."""
    for owner, name, scopes in (("alice", "ci", "read:user"), (LONG, NAME, SCOPES), ("漢字", "😀 [b]x[/b]", "all")):
        options = ("--expires", "2099-01-31", "--quiet")
        cli("token", "create", "--owner", owner, "--name", name, "--scopes", scopes, *options)


@pytest.mark.usefixtures("tokens")
class TestTokens:
    @pytest.mark.parametrize("columns", [60, 80, 120])
    def test_no_line_is_wider_than_the_terminal(self, on_terminal, columns):
        """Wide letters count twice."""
        lines = plain(on_terminal("token", "list", columns=columns))
        assert max(map(cell_len, lines)) <= columns
        assert len(lines) > 4

    def test_nothing_gets_lost_in_folding(self, on_terminal):
        """What stands in a column, from top to bottom, is all there was."""
        lines = plain(on_terminal("token", "list", columns=120))
        starts = [lines[0].index(word) for word in ("owner", "name", "scopes", "secret")]
        first = next(number for number, line in enumerate(lines) if line.startswith("2 "))
        rows = [lines[first], *takewhile(lambda line: line.startswith("   "), lines[first + 1 :])]
        owner, name, scopes = ("".join(row[start:end].strip() for row in rows) for start, end in pairwise(starts))
        assert owner == LONG
        assert name.replace(" ", "") == NAME.replace(" ", "")
        assert set(scopes.split(",")) == set(SCOPES.split(","))

    def test_what_is_short_is_not_folded_at_eighty_columns(self, on_terminal, cli):
        """What a token is recognised by, its state, its end."""
        hints = [token["hint"] for token in cli("token", "list", "--json").json]
        rows = [line for line in plain(on_terminal("token", "list")) if line[0].isdigit()]
        assert [row.split("...")[1].split() for row in rows] == [
            [hint, "live", "never", "2099-01-31", "00:00"] for hint in hints
        ]

    def test_what_is_short_is_not_folded_at_sixty_columns(self, on_terminal, cli):
        """It is what people look for."""
        rows = [line for line in plain(on_terminal("token", "list", columns=60)) if line[0].isdigit()]
        hints = [token["hint"] for token in cli("token", "list", "--json").json]
        assert [f"...{hint}" in row for row, hint in zip(rows, hints, strict=True)] == [True] * 3
        assert all("2099-01-31 00:00" in row for row in rows)

    @pytest.mark.xfail(strict=True, reason="columns of no width at all are left")
    def test_no_column_gets_lost_on_a_narrow_terminal(self, on_terminal):
        """Better a line that is too long than half the truth."""
        shown = "".join(plain(on_terminal("token", "list", "--owner", "alice", columns=40))).replace(" ", "")
        for word in ("alice", "ci", "live", "2099-01-31"):
            assert word in shown

    def test_the_heading_stands_out_on_a_terminal_only(self, on_terminal, command):
        """A style is nothing for a file, nor for a terminal that knows none."""
        heading, *rows = on_terminal("token", "list", columns=250)
        assert STYLE.search(heading)
        assert not any(STYLE.search(row) for row in rows)
        assert not any("\x1b" in line for line in on_terminal("token", "list", TERM="dumb"))
        assert "\x1b" not in command("token", "list").out

    def test_a_line_a_row_where_it_is_piped(self, command):
        """However narrow the terminal that it is typed on."""
        assert command("token", "list", COLUMNS="40").out.count("\n") == 4

    def test_a_line_a_row_however_long(self, cli, folder):
        """A token bound to hundreds of resources is one token."""
        store = TokenStore.connect(DATABASE)
        scopes = ",".join(f"write:repository@alice/repository-{number:05}" for number in range(400))
        store.issue(owner="bob", name="many", scopes=scopes)
        store.close()
        assert len(cli("token", "list", "--owner", "bob").out.splitlines()) == 2

    def test_an_error_is_one_line_that_the_terminal_folds(self, on_terminal):
        """So that it can be copied as one."""
        (line,) = on_terminal("token", "list", "--expiring", "soon", columns=40)
        assert line.startswith("scopeware: Invalid value for '--expiring'")
        assert len(line) > 80


class TestTheLog:
    @pytest.fixture(autouse=True)
    def requests(self):
        """A usual one, a long one, one that would command the terminal."""
        write_down(
            DATABASE,
            {},
            {"owner": LONG, "path": "/api/" + "x" * 300, "address": "2001:db8:1234:5678:9abc:def0:1234:5678"},
            {"owner": "\x1b[2J\x1b]0;title\x07", "path": "/[bold]漢[/bold]"},
        )

    @pytest.mark.parametrize("columns", [60, 80, 120])
    def test_no_line_is_wider_than_the_terminal(self, on_terminal, columns):
        """Wide letters count twice."""
        lines = plain(on_terminal("audit", "list", columns=columns))
        assert max(map(cell_len, lines)) <= columns

    def test_nothing_in_it_commands_the_terminal(self, on_terminal):
        """It is shown as what it is."""
        lines = plain(on_terminal("audit", "list", columns=200))
        assert "\x1b" not in "".join(lines)
        assert "\x07" not in "".join(lines)
        assert "\\x1b[2J\\x1b]0;title\\x07" in lines[-1]
        assert "/[bold]漢[/bold]" in lines[-1]

    def test_times_are_not_folded_at_eighty_columns(self, on_terminal):
        """A day and a time can be told apart from a number."""
        rows = plain(on_terminal("audit", "list"))
        assert len([row for row in rows if re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ", row)]) == 3
