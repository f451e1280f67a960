"""``scopeware demo``: what it prints to try is true."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
from contextlib import closing

import pytest
from command_line import HOST, SECONDS, SECRET, environment

PROMISED = re.compile(r": (\d{3})\b")


@pytest.fixture
def demo(server, folder):
    """Starts a demo whose temporary directories lie in ``temporary``."""
    (folder / "temporary").mkdir()

    def start(*arguments, port="0", **changes):
        return server("demo", "--port", port, *arguments, TMPDIR=str(folder / "temporary"), **changes)

    return start


def shell(line, folder):
    """What a command line prints, pasted as it is."""
    done = subprocess.run(
        line,
        shell=True,
        cwd=folder,
        env=environment(HOME=str(folder)),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, (line, done.stderr)
    return done.stdout


def steps_in(text):
    """Comment and command line of each step that was printed."""
    return re.findall(r"^# (.+)\n(.+)$", text, re.MULTILINE)


def check(steps, folder):
    """Run every step and compare with what was promised; the statuses seen."""
    seen = []
    for comment, line in steps:
        printed = shell(line, folder)
        promised = PROMISED.search(comment)
        if promised is None:
            assert line.startswith("scopeware "), line
            continue
        status = printed.split()[1]
        assert status == promised[1], (comment, line, printed)
        seen.append(int(status))
    return seen


class TestWhatItPrints:
    @pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
    def test_every_step_does_what_its_comment_says(self, demo, folder):
        """Pasted line by line; the token that is revoked is refused on the very next request."""
        running = demo()
        assert running.out.startswith(f"A small forge listens on {running.url}; its policy is Gitea's.")
        steps = steps_in(running.out)
        assert len(steps) == 12
        seen = check(steps, folder)
        assert {200, 201, 401, 403, 404} <= set(seen)
        assert len(seen) == len(steps) - 1
        decisions = running.out.split("printed below.\n\n")[1].splitlines()
        assert len(decisions) == len(seen)
        assert not any(SECRET.search(line) for line in decisions)

    @pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
    def test_json_has_the_same_steps_and_then_a_line_a_decision(self, demo, folder):
        """Everything on stdout is JSON."""
        running = demo("--json")
        told = json.loads(running.out)
        assert told["url"] == running.url
        assert told["database"].startswith("sqlite:////")
        assert len(told["steps"]) == 12
        check(told["steps"][:4], folder)
        decisions = [json.loads(line) for line in running.lines(5)[1:]]
        assert [decision["status"] for decision in decisions] == [None, 401, None, 403]
        assert running.stop() == 0

    def test_each_demo_makes_tokens_of_its_own(self, demo):
        """Nothing is secret that everyone has."""
        first = demo()
        secrets = set(SECRET.findall(first.out))
        first.stop()
        second = set(SECRET.findall(demo().out))
        assert len(secrets) == len(second) == 5
        assert not secrets & second


class TestDirectory:
    @pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
    def test_the_temporary_directory_is_removed(self, demo, folder, sign):
        """It is there while it runs, and then no more; exit status 0."""
        running = demo()
        assert len(list((folder / "temporary").iterdir())) == 1
        assert running.stop(sign) == 0
        assert list((folder / "temporary").iterdir()) == []
        assert running.err == ""

    def test_nothing_goes_wrong_when_it_ends_after_a_request(self, demo):
        """What is still to be written of that request is written first, or let go; not a word about it."""
        running = demo("--json")
        secret = SECRET.search(running.out)[0]
        running.ask("GET", "/api/v1/users/alice/orgs/acme/permissions", secret)
        assert (running.stop(), running.err) == (0, "")

    def test_the_temporary_directory_is_removed_when_the_terminal_is_closed(self, demo, folder):
        """SIGHUP is how most demos end."""
        demo().stop(signal.SIGHUP)
        assert list((folder / "temporary").iterdir()) == []

    def test_a_directory_keeps_the_databases_for_the_next_time(self, demo, folder):
        """Tokens of the same names are made anew, the old ones end, what was made in the forge stays."""
        first = demo("--directory", "kept")
        old = SECRET.findall(first.out)
        issues = "/api/v1/repos/alice/widgets/issues"
        line = next(line for comment, line in steps_in(first.out) if ": 201" in comment)
        if shutil.which("curl"):
            shell(line, folder)
        number = len(json.loads(first.ask("GET", issues)[1]))
        assert first.stop() == 0
        assert {path.name for path in (folder / "kept").iterdir()} >= {"tokens.db", "forge.db"}
        assert list((folder / "temporary").iterdir()) == []
        second = demo("--directory", "kept")
        new = SECRET.findall(second.out)
        assert not set(old) & set(new)
        permissions = "/api/v1/users/alice/orgs/acme/permissions"
        assert second.ask("GET", permissions, old[0])[0] == 401
        assert second.ask("GET", permissions, new[0])[0] == 200
        assert len(json.loads(second.ask("GET", issues)[1])) == number
        assert second.stop() == 0

    @pytest.mark.parametrize("name", ["with space", "it's", "a&b"])
    def test_a_directory_of_any_name_can_be_pasted(self, demo, folder, name):
        """The step that revokes finds the database."""
        running = demo("--directory", name)
        line = next(line for _, line in steps_in(running.out) if line.startswith("scopeware token revoke"))
        assert (folder / name / "tokens.db").exists()
        assert shell(line, folder) == "token 1 is revoked\n"

    @pytest.mark.parametrize("name", ["a?b", "a#b"])
    def test_a_directory_that_no_url_can_name_is_told_in_one_line(self, command, folder, name):
        """And is not made."""
        result = command("demo", "--port", "0", "--directory", name)
        assert (result.status, len(result.err.splitlines())) == (2, 1)
        assert not (folder / name).exists()

    @pytest.mark.parametrize("name", ["a-file", "a-file/below"])
    def test_a_directory_that_cannot_be_made_is_told_in_one_line(self, command, folder, name):
        """By name."""
        (folder / "a-file").touch()
        result = command("demo", "--port", "0", "--directory", name)
        assert "Traceback" not in result.err
        assert result.err.count("\n") == 1

    def test_a_token_database_that_is_none_is_told(self, command, folder):
        """And the directory stays, for it is not ours."""
        (folder / "kept").mkdir()
        (folder / "kept" / "tokens.db").write_text("this is a letter and no database " * 40)
        result = command("demo", "--port", "0", "--directory", "kept")
        assert result.status == 3
        assert "tokens.db is out of reach" in result.err
        assert (folder / "kept" / "tokens.db").exists()


class TestPort:
    def test_a_port_that_is_taken_is_told_and_nothing_stays(self, command, folder):
        """With the way out."""
        (folder / "temporary").mkdir()
        with closing(socket.socket()) as busy:
            busy.bind((HOST, 0))
            busy.listen()
            port = str(busy.getsockname()[1])
            result = command("demo", "--port", port, TMPDIR=str(folder / "temporary"))
        assert (result.status, result.out) == (2, "")
        assert result.err.endswith(f"scopeware: cannot listen on {HOST}:{port}; choose another --port\n")
        assert "Traceback" not in result.err
        assert list((folder / "temporary").iterdir()) == []
