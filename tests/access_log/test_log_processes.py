"""Processes that end, are killed, fork, or write to the same place."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from access_log_helpers import SECONDS, child_environment, end_of, paths_in, run_script, start_script, until
from services import run_sql

from scopeware import TokenStore

SLACK = 0.5
"""How much later than it should a thread may come to do its work on a machine with others on it, in seconds."""


def numbered(count: int, kind: str = "") -> list[str]:
    return [f"{kind}/{number}" for number in range(count)]


# -- a clean end


@pytest.mark.parametrize("how", ["close", "exit", "error", "terminate", "thread"])
def test_a_clean_end_loses_nothing(tmp_path: Path, how: str) -> None:
    """Nothing was written before; all of it is there after, once, in order."""
    url = f"sqlite:///{tmp_path}/tokens.db"
    process = start_script("ending", url, how, 301)
    process.communicate(timeout=SECONDS)
    assert process.returncode == (how == "error")
    assert paths_in(url) == numbered(302 if how == "thread" else 301)
    # Nor when the token was used.
    assert run_sql(url, "SELECT last_used_at IS NOT NULL FROM scopeware_token") == [(1,)]


def test_a_clean_end_loses_nothing_on_a_server_either(url: str) -> None:
    """The connection is still there when the process ends."""
    run_script("ending", url, "exit", 50)
    assert paths_in(url) == numbered(50)


def test_a_sink_that_hangs_does_not_keep_a_process_from_ending(tmp_path: Path) -> None:
    """What it does not take is lost then, and nothing else is left to do."""
    process = start_script("hanging", f"sqlite:///{tmp_path}/tokens.db")
    assert end_of(process, 3) == ""


@contextmanager
def gunicorn(url: str, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """gunicorn with two workers, and its port; both are gone afterwards."""
    pytest.importorskip("gunicorn")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "--workers", "2", *options),
                *("--bind", f"fd://{listener.fileno()}", f"access_log_site:application({url!r})"),
            ],
            pass_fds=(listener.fileno(),),
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        port = listener.getsockname()[1]
    try:
        yield process, port
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def fetch(port: int, path: str, secret: str | None) -> int:
    headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return answer.status
    except HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize(
    ("options", "signals"),
    [
        pytest.param(["--worker-class", "gthread", "--threads", "4"], [signal.SIGTERM], id="threads"),
        pytest.param(["--preload", "--worker-class", "gthread"], [signal.SIGINT], id="preloaded, interrupted"),
        pytest.param(["--max-requests", "45"], [signal.SIGHUP, signal.SIGTERM], id="restarted in between"),
    ],
)
def test_a_server_that_is_stopped_loses_nothing(
    tmp_path: Path, options: list[str], signals: list[signal.Signals]
) -> None:
    """Every request that was answered is a row, of whichever worker; none comes twice."""
    url = f"sqlite:///{tmp_path}/tokens.db"
    store = TokenStore.connect(url)
    secret = store.issue(owner="alice", name="t", scopes="read:misc").secret
    expected: list[str] = []
    with gunicorn(url, *options) as (process, port), ThreadPoolExecutor(4) as pool:
        for turn, number in enumerate(signals):
            paths = numbered(60, f"/{turn}")
            expected += paths
            secrets = [secret if each % 2 else None for each in range(60)]
            statuses = list(pool.map(fetch, [port] * 60, paths, secrets))
            assert statuses == [200 if each % 2 else 401 for each in range(60)]
            process.send_signal(number)
        process.wait(SECONDS)
    store.close()
    assert Counter(paths_in(url)) == Counter(expected)


# -- a kill


def test_a_kill_loses_no_more_than_the_flush_interval(url: str, record_property: Any) -> None:
    """Rows that were noted earlier are all there, in order; those of the last moment may not be."""
    flush = 0.25
    process = start_script("requesting", url, flush)
    assert process.stdout is not None
    reported: list[tuple[int, float]] = []
    while len(reported) < 400:
        number, moment = process.stdout.readline().split()
        reported.append((int(number), float(moment)))
    killed = time.monotonic()
    os.killpg(process.pid, signal.SIGKILL)
    rest, _ = process.communicate(timeout=SECONDS)
    reported += [(int(words[0]), float(words[1])) for line in rest.splitlines() if len(words := line.split()) == 2]
    # A server finds out by itself that nobody is there any more.
    until(lambda: len(paths_in(url)) > 100, "writing")
    found = paths_in(url)
    assert found == numbered(len(found))
    lost = [moment for number, moment in reported if number >= len(found)]
    age = killed - min(lost, default=killed)
    record_property("lost", len(lost))
    record_property("age", age)
    assert age <= flush + SLACK


# -- forks


def test_a_fork_while_rows_are_written_repeats_and_loses_none(url: str) -> None:
    """The parent's rows are written by the parent, each child's by the child, on each database."""
    asked = int(run_script("forking", url, 5))
    expected = Counter(numbered(asked, "/parent"))
    for child in range(5):
        expected.update(numbered(10, f"/child{child}"))
    assert Counter(paths_in(url)) == expected


def test_a_fork_takes_no_rows_along_that_wait(tmp_path: Path) -> None:
    """They are in the child's memory, too, and not its own."""
    url = f"sqlite:///{tmp_path}/tokens.db"
    run_script("forking_with_rows_waiting", url)
    assert Counter(paths_in(url)) == Counter(numbered(25, "/parent") + numbered(10, "/child0"))


def test_a_fork_takes_no_rows_along_that_wait_on_disk(tmp_path: Path) -> None:
    """The file is the same one in the child, which neither writes nor reads it."""
    run_script("forking_with_rows_on_disk", tmp_path, tmp_path / "found")
    found = (tmp_path / "found").read_text().split()
    assert Counter(found) == Counter([*numbered(151, "/parent"), "/child0/0", "/child1/0"])


def test_a_fork_in_the_middle_of_a_sink_is_fine(tmp_path: Path) -> None:
    """The child's own thread calls it anew; the parent's goes on."""
    run_script("forking_while_a_sink_hangs", tmp_path / "found")
    assert (tmp_path / "found").read_text().split() == ["/child0/0", "/parent/0", "/parent/1"]


# -- one place for several


def test_several_processes_append_to_one_file(tmp_path: Path) -> None:
    """Each row is a line, whole and once, also while the file is moved away."""
    path = tmp_path / "log.jsonl"
    processes = [start_script("appending", path, name, 800) for name in "abc"]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    moved = 0
    while any(process.poll() is None for process in processes):
        if path.exists() and path.stat().st_size > 50_000:
            os.rename(path, tmp_path / f"log.jsonl.{moved}")
            moved += 1
        time.sleep(0.005)
    for process in processes:
        end_of(process)
    lines = [line for file in tmp_path.glob("log.jsonl*") for line in file.read_text().splitlines()]
    paths = [json.loads(line)["path"] for line in lines]
    assert moved > 1
    assert Counter(path[:-301] for path in paths) == Counter(
        path for name in "abc" for path in numbered(800, f"/{name}")
    )


def test_several_processes_write_whole_lines_to_one_pipe(tmp_path: Path) -> None:
    """As the workers of a server in a container do, whose output is collected."""
    reading, writing = os.pipe()
    processes = [start_script("printing", name, 900, stdout=writing) for name in "abc"]
    os.close(writing)
    # All of them have something to write, and the pipe is full, when it is read at last.
    for process in processes:
        assert process.stderr is not None
        assert process.stderr.readline() == "ready\n"
    time.sleep(0.2)
    with open(reading, "rb") as pipe:
        lines = pipe.read().splitlines()
    for process in processes:
        end_of(process)
    assert len(lines) == 2_700
    assert len({json.loads(line)["path"] for line in lines}) == 2_700
