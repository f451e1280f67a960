"""How tests run ``scopeware``: as a command of its own, as a server, and what a well-formed error looks like."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scopeware.cli.main import cli as group
from scopeware.tokens import schema
from scopeware.tokens.models import LogRow
from scopeware.tokens.urls import database_at

SECONDS = 20
SECRET = re.compile(r"[a-z][a-z0-9]+_[0-9A-Za-z]{36}")
HOST = "127.0.0.1"
DATABASE = "sqlite:///scopeware.db"
"""The default, in the current directory."""


def leaves(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, by its words."""
    for name, found in command.commands.items():
        if hasattr(found, "commands"):
            yield from leaves(found, (*words, name))
        else:
            yield (*words, name), found


COMMANDS = dict(leaves(group))


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def says(result: Result, status: int, *words: str) -> None:
    """Check an error: its exit status, nothing on stdout, one line on stderr with all these words, no traceback."""
    assert result.status == status, result
    assert result.out == ""
    assert result.err.startswith("scopeware: ")
    assert result.err.endswith("\n")
    assert result.err.count("\n") == 1, result.err
    assert "Traceback" not in result.err
    assert result.err[:-1].isprintable()
    for word in words:
        assert word in result.err


def environment(**changes: str) -> dict[str, str]:
    """The environment of a command: nobody's settings, wide tables, the venv's commands first, no proxy."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("SCOPEWARE_", "COV_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    return kept | {"PATH": path, "COLUMNS": "200", "NO_PROXY": HOST, "no_proxy": HOST} | changes


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


@dataclass
class Server:
    """``scopeware run`` or ``scopeware demo`` as a process of its own, its output in files."""

    arguments: tuple[str, ...]
    folder: Path
    environ: dict[str, str]
    output: int | None = None
    """Where its stdout goes, if not into a file."""
    url: str = ""
    port: int = 0
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self, awaited: str = r"http://[^\s;\"]+") -> Server:
        """Start it, and wait for what it prints once it listens."""
        with (self.folder / "server.out").open("wb") as out, (self.folder / "server.err").open("wb") as err:
            command = [sys.executable, "-m", "scopeware", *self.arguments]
            self.process = subprocess.Popen(
                command, stdout=self.output or out, stderr=err, cwd=self.folder, env=self.environ
            )
        ready = re.compile(awaited)
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            for text in (self.err, self.out):
                found = ready.search(text)
                if found and text.endswith("\n"):
                    self.url = found[0].rstrip(":;,")
                    self.port = int(self.url.rpartition(":")[2])
                    return self
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        self.stop(signal.SIGKILL)
        raise AssertionError(f"it does not listen: {self.err}")

    @property
    def out(self) -> str:
        return (self.folder / "server.out").read_text("utf-8")

    @property
    def err(self) -> str:
        return (self.folder / "server.err").read_text("utf-8")

    def stop(self, sign: int = signal.SIGTERM) -> int:
        """End it; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(sign)
        return self.process.wait(SECONDS)

    def ask(self, method: str, target: str, token: str | None = None) -> tuple[int, str]:
        """Status and body of the answer to one request."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=SECONDS)
        try:
            connection.request(method, target, headers={"Authorization": f"Bearer {token}"} if token else {})
            response = connection.getresponse()
            return response.status, response.read().decode("utf-8")
        finally:
            connection.close()

    def lines(self, number: int) -> list[str]:
        """What it printed on stdout, once that is so many lines."""
        deadline = time.monotonic() + SECONDS
        while self.out.count("\n") < number and time.monotonic() < deadline:
            time.sleep(0.02)
        lines = self.out.splitlines()
        assert len(lines) == number, lines
        return lines


def write_down(url: str, *requests: dict[str, Any]) -> None:
    """Put requests into the access log, as the gate of another process would.

    :param requests: what is unusual about each; a usual one is alice's, and allowed.
    """
    usual = {
        "at": int(time.time() * 1000),
        "token_id": 1,
        "hint": "abcd",
        "owner": "alice",
        "address": "192.0.2.7",
        "method": "GET",
        "path": "/api/v1/user",
        "group": "/user",
        "scopes": "read:user",
        "resource": None,
        "decision": "allowed",
        "code": None,
        "status": 200,
        "duration": 1200,
    }
    database = database_at(url)
    database.set_up()
    with database.session():
        schema.upgrade(database)
    with database.transaction():
        LogRow.insert_many([usual | request for request in requests]).execute(database.peewee)
    database.close()


REFUSED = {"decision": "denied", "code": "insufficient_scope", "status": 403}
"""What is unusual about a request that was refused."""
