"""What the tests of the access log share, those that run in other processes included."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any
from wsgiref.validate import WSGIWarning, validator

from scopeware import Scopeware
from scopeware.tokens import LogEntry, LogFilter

SECONDS = 20
"""How long anything here may take at most."""
HERE = Path(__file__).parent


def bearer(secret: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"authorization": f"Bearer {secret}"}


def entries(gate: Scopeware, wanted: LogFilter | None = None) -> list[LogEntry]:
    """All that was noted, the oldest first."""
    gate.access_log.flush()
    return [record.entry for record in gate.access_log.all(wanted)]


def entry_of(**values: Any) -> LogEntry:
    """An entry of a request that nobody made: alice's, allowed, unless it is said otherwise."""
    usual = {
        "at": 1_800_000_000_000,
        "token_id": 1,
        "hint": "abcd",
        "owner": "alice",
        "address": "192.0.2.1",
        "method": "GET",
        "path": "/api/v1/user",
        "group": "/user",
        "scopes": "read:user",
        "resource": None,
        "decision": "allowed",
        "code": None,
        "status": 200,
        "duration": 12,
    }
    return LogEntry(**(usual | values))


def until(reached: Callable[[], Any], what: str, seconds: float = SECONDS) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, f"{what} took more than {seconds} s"
        time.sleep(0.01)


def environ_of(method: str, path: str, secret: str | None = None, **more: Any) -> dict[str, Any]:
    """An environ as a server makes it."""
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "forge.example",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.7",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if secret is not None:
        environ["HTTP_AUTHORIZATION"] = f"Bearer {secret}"
    return environ | more


def started(app: Any, environ: dict[str, Any], statuses: list[str] | None = None) -> Any:
    """What a strict server gets to iterate over and to close."""
    kept = [] if statuses is None else statuses

    def start_response(status: str, lines: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        kept.append(status)
        return lambda data: None

    with warnings.catch_warnings():
        # It warns of methods it does not know.
        warnings.simplefilter("ignore", WSGIWarning)
        return validator(app)(environ, start_response)


def ask(app: Any, path: str, secret: str | None = None, method: str = "GET", **more: Any) -> int:
    """The status of the answer to a request; it is read to its end and closed."""
    statuses: list[str] = []
    body = started(app, environ_of(method, path, secret, **more), statuses)
    try:
        for _ in body:
            pass
    finally:
        body.close()
    return int(statuses[-1][:3])


def ask_many(app: Any, paths: Iterable[str], secret: str | None = None) -> float:
    """Ask for these paths, one after the other; how long the slowest answer took, in seconds."""
    slowest = 0.0
    for path in paths:
        before = time.perf_counter()
        ask(app, path, secret)
        slowest = max(slowest, time.perf_counter() - before)
    return slowest


def paths_in(url: str) -> list[str]:
    """The paths of all rows in the log of a database, in the order in which they were written."""
    from services import run_sql  # with pytest, which other processes do not need

    return [path for (path,) in run_sql(url, "SELECT path FROM scopeware_access_log ORDER BY id")]


# -- other processes


def child_environment() -> dict[str, str]:
    """The environment of a process that is to import what this one does; without that of coverage, which keeps its
    data in SQLite, too, and not for forks of busy threads."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    return kept | {"PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)])}


def start_script(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    """`access_log_site.py` with these arguments, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, str(HERE / "access_log_site.py"), *map(str, arguments)],
        **({"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options),
        stdin=subprocess.PIPE,
        text=True,
        env=child_environment(),
        start_new_session=True,
    )


def end_of(process: subprocess.Popen[str], seconds: float = SECONDS) -> str:
    """What a script has printed by its end; one that fails or hangs fails the test, and leaves no child behind."""
    with process:
        try:
            printed, complained = process.communicate(timeout=seconds)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, f"the script ended with {process.returncode}: {complained[-3_000:]}"
    return printed or ""


def run_script(*arguments: object) -> str:
    """What `access_log_site.py` prints when it is called so."""
    return end_of(start_script(*arguments))
