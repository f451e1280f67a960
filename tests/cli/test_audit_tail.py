"""``scopeware audit tail``: what is written down is printed, until it is stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import closing
from datetime import datetime

import pytest
import services
from command_line import DATABASE, REFUSED, SECONDS, SECRET, environment, says, write_down
from services import CuttableProxy, address_of, run_sql, through

PROMPT = 2.0
"""How long it may take from writing to printing."""


class Tail:
    """``scopeware audit tail`` as a process of its own, that has looked at the log at least once."""

    def __init__(self, folder, url, options, **requests):
        self.url = url
        self._out = folder / "tail.out"
        self._err = folder / "tail.err"
        command = [sys.executable, "-m", "scopeware", "audit", "tail", "--database", url, *options]
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=out, stderr=err)
        self._greet(requests)

    def _greet(self, requests):
        """It does not say when it begins: write until it prints, and wait until it has printed all of that."""
        deadline = time.monotonic() + SECONDS
        written = 0
        while not self.lines and time.monotonic() < deadline and self.process.poll() is None:
            written += 1
            write_down(self.url, {"path": f"/greeting/{written}"} | requests)
            time.sleep(0.1)
        self.wait_for(f"/greeting/{written}")
        self._seen = len(self.lines)

    @property
    def err(self):
        return self._err.read_text("utf-8")

    @property
    def lines(self):
        """What it has printed, as far as lines are complete."""
        return self._out.read_text("utf-8").split("\n")[:-1]

    @property
    def new(self):
        """What it has printed after the greetings."""
        return self.lines[self._seen :]

    def wait_for(self, text, seconds=SECONDS):
        """Until a line with that text was printed; how long it took."""
        start = time.monotonic()
        while time.monotonic() < start + seconds:
            if any(text in line for line in self.lines):
                return time.monotonic() - start
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"{text} was not printed: {self.lines} {self.err}")

    def stop(self, sign=signal.SIGTERM):
        """End it; its exit status."""
        self.process.send_signal(sign)
        return self.process.wait(SECONDS)


@pytest.fixture
def tail(folder):
    """``tail("--denied")``: follows the log; what is unusual about requests that it prints are keyword arguments."""
    started = []

    def start(*options, url=DATABASE, **requests):
        write_down(url, {"path": "/before"} | requests)
        started.append(Tail(folder, url, options, **requests))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait(SECONDS)


class TestPrinting:
    def test_what_another_process_writes_is_printed_soon(self, tail):
        """A line a request, in their order; and nothing of what was there before."""
        running = tail()
        write_down(DATABASE, {"path": "/first"}, {"path": "/second"} | REFUSED)
        assert running.wait_for("/second") < PROMPT
        first, second = (line[19:] for line in running.new)
        assert first == "  alice  1 ...abcd  192.0.2.7  GET /first  200 allowed"
        assert second == "  alice  1 ...abcd  192.0.2.7  GET /second  403 denied insufficient_scope"
        assert not any("/before" in line for line in running.lines)
        assert running.err == ""

    def test_a_line_begins_with_the_time_in_utc(self, tail):
        """As in the list."""
        running = tail()
        write_down(DATABASE, {"path": "/then", "at": 1_700_000_000_123})
        running.wait_for("/then")
        assert running.new[0].startswith("2023-11-14 22:13:20  ")

    def test_what_the_gate_saw_is_printed(self, folder, tail, call, make_gate, store):
        """By the gate's own thread, without anyone asking for it; and no secret."""
        secret = store.issue(owner="alice", name="ci", scopes="read:user").secret
        running = tail(url="sqlite:///tokens.db")
        call(make_gate(), "GET", f"/api/v1/user/{secret}", authorization=f"token {secret}")
        assert running.wait_for("GET /api/v1/user/swt_***  200 allowed") < PROMPT + 1
        store.close()
        assert not SECRET.search((folder / "tail.out").read_text("utf-8"))

    def test_json_is_a_line_a_request(self, cli, tail):
        """The same as in the list."""
        running = tail("--json")
        write_down(DATABASE, {"path": "/漢字\n", "owner": "[bold]ü"}, REFUSED)
        running.wait_for("insufficient_scope")
        entries = [json.loads(line) for line in running.new]
        assert entries == cli("audit", "list", "--limit", "2", "--json").json
        assert entries[0]["path"] == "/漢字\n"
        assert datetime.fromisoformat(entries[0]["time"]).utcoffset() is not None

    @pytest.mark.parametrize(
        ("options", "usual", "other"),
        [
            ("--denied", REFUSED, {}),
            ("--allowed", {}, REFUSED),
            ("--owner bob", {"owner": "bob"}, {}),
            ("--token 2", {"token_id": 2}, {}),
            ("--code insufficient_scope", REFUSED, REFUSED | {"code": "public_only"}),
            ("--path /greeting", {}, {"path": "/elsewhere"}),
            ("--since 1h", {}, {"at": 1000}),
        ],
    )
    def test_only_those_are_printed_that_are_meant(self, tail, options, usual, other):
        """One of the others in between is passed over."""
        running = tail(*options.split(), **usual)
        write_down(DATABASE, {"path": "/other"} | other, {"path": "/greeting/last"} | usual)
        running.wait_for("/greeting/last")
        assert len(running.new) == 1

    def test_more_than_are_read_at_a_time(self, tail):
        """None is left out, and none printed twice."""
        running = tail()
        write_down(DATABASE, *({"path": f"/{number}/"} for number in range(2500)))
        running.wait_for("/2499/")
        assert [line.split("/")[1] for line in running.new] == [str(number) for number in range(2500)]

    def test_control_characters_do_not_reach_the_terminal(self, tail):
        """Nor does a line end make one request look like two. (A bell: click takes colours out here.)"""
        running = tail()
        write_down(DATABASE, {"owner": "red\x07\nline", "path": "/odd"})
        running.wait_for("/odd")
        assert "\x07" not in running.new[0]
        assert "red\\x07\\nline" in running.new[0]

    def test_it_goes_on_after_everything_was_removed(self, cli, tail):
        """What is written then is new."""
        running = tail(at=1000)
        assert cli("audit", "prune", "--keep", "1d").status == 0
        write_down(DATABASE, {"path": "/afterwards"})
        running.wait_for("/afterwards", seconds=PROMPT)


class TestNetworked:
    def test_what_another_process_writes_is_printed_soon(self, tail, networked):
        """On each server."""
        running = tail(url=networked)
        write_down(networked, {"path": "/first"}, REFUSED | {"path": "/second"})
        assert running.wait_for("/second") < PROMPT
        assert len(running.new) == 2

    def test_what_is_committed_late_is_printed(self, tail, networked):
        """Several processes write at a time, and who began first may be done last."""
        running = tail(url=networked)
        columns = "at, address, method, path, group_path, scopes, decision, duration"
        values = f"{int(time.time() * 1000)}, '192.0.2.7', 'GET', '/late', '', '', 'allowed', 1"
        with closing(services._connect(networked)) as slow:
            services._run(slow, "BEGIN", f"INSERT INTO scopeware_access_log ({columns}) VALUES ({values})")
            write_down(networked, {"path": "/early"})
            running.wait_for("/early")
            services._run(slow, "COMMIT")
        assert run_sql(networked, "SELECT count(*) FROM scopeware_access_log WHERE path = '/late'") == [(1,)]
        running.wait_for("/late", seconds=PROMPT)

    def test_a_database_that_goes_away_ends_it_with_one_line(self, tail, postgres_url):
        """Exit status 3; what was printed is whole."""
        with CuttableProxy(address_of(postgres_url)) as proxy:
            running = tail(url=through(postgres_url, proxy))
            proxy.refuse()
            assert running.process.wait(SECONDS) == 3
        assert running.err.startswith("scopeware: the token store postgresql://")
        assert running.err.count("\n") == 1
        assert "Traceback" not in running.err


class TestTheEnd:
    @pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
    def test_it_ends_at_once_and_what_it_printed_is_whole(self, tail, folder, sign):
        """Without a traceback."""
        running = tail()
        write_down(DATABASE, {"path": "/last"})
        running.wait_for("/last")
        start = time.monotonic()
        running.stop(sign)
        assert time.monotonic() - start < PROMPT
        assert (folder / "tail.out").read_text("utf-8").endswith("GET /last  200 allowed\n")
        assert "Traceback" not in running.err

    @pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
    def test_that_is_how_it_is_meant_to_end(self, tail, sign):
        """As `run` and `demo` do: exit status 0, and not a word."""
        running = tail()
        assert (running.stop(sign), running.err) == (0, "")

    def test_head_may_close_the_pipe(self, folder):
        """With the next request it is over, which is no failure and makes no noise."""
        write_down(DATABASE, {})
        process = subprocess.Popen(
            [sys.executable, "-m", "scopeware", "audit", "tail"],
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            process.stdout.close()
            deadline = time.monotonic() + SECONDS
            while process.poll() is None and time.monotonic() < deadline:
                write_down(DATABASE, {})
                time.sleep(0.1)
            assert process.poll() == 0
            assert process.stderr.read() == b""
        finally:
            process.kill()
            process.wait(SECONDS)
            process.stderr.close()

    def test_wrong_usage_is_told_before_it_waits(self, cli):
        """As for `list`."""
        says(cli("audit", "tail", "--token", "ci"), 2, "'--token'", "scopeware audit tail --help")
        says(cli("audit", "tail", "--since", "soon"), 2, "'--since'", "`soon` is no time")
