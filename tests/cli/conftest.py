"""A clean directory to run commands in, and two ways to run them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from command_line import SECONDS, Result, Server, environment
from services import mariadb_url, postgres_url, redis_url  # noqa: F401

from scopeware.cli.main import main

FLEET = """
[policy]
prefix = "/api"

[vocabulary]
name = "fleet"
actions = ["create", "read", "update", "delete"]
all = "everything"
categories = { docker = "Containers", vms = "Machines [bold]loud[/]" }
wildcards = { "read:*" = ["read:*"] }

[roles]
operator = "read:*,create:docker"

[gate]
token_prefix = "flt"

[[group]]
path = "/docker"
scopes = ["docker"]

[[group]]
path = "/vms/<name>"
any_of = [["read:vms"], ["read:docker", "vms"]]
owner = "<name>"
self_or_admin = true

[[group]]
path = "/shows/<name>"
scopes = ["docker"]
resource = "<name>"
public_only = "check"
"""

LIMITED = """
[tokens]
default_lifetime = "30d"
max_lifetime = "90d"

[[group]]
path = "/"
scopes = ["user"]
"""

SETTINGS = ("DATABASE", "POLICY", "PUSH", "PEPPER", "PEPPER_FILE")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The current directory: empty, with nobody's settings."""
    monkeypatch.chdir(tmp_path)
    for name in SETTINGS:
        monkeypatch.delenv(f"SCOPEWARE_{name}", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture
def fleet(folder):
    """A policy with a vocabulary, roles and a token prefix of its own."""
    (folder / "fleet.toml").write_text(FLEET, "utf-8")
    return "fleet.toml"


@pytest.fixture
def limited(folder):
    """A policy that says how long tokens live: a month, and three at most."""
    (folder / "limited.toml").write_text(LIMITED, "utf-8")
    return "limited.toml"


@pytest.fixture(params=["postgres", "mariadb"])
def networked(request):
    """The URL of an empty database on each server."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def cli(capsys):
    """Runs a command in this process: ``cli("token", "list").out``."""

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        captured = capsys.readouterr()
        return Result(ended.value.code, captured.out, captured.err)

    return run


@pytest.fixture
def command(folder):
    """Runs a command as a process of its own; keyword arguments go into its environment."""

    def run(*arguments, seconds=SECONDS, **changes):
        done = subprocess.run(
            [sys.executable, "-m", "scopeware", *arguments],
            cwd=folder,
            env=environment(**changes),
            capture_output=True,
            timeout=seconds,
            check=False,
        )
        return Result(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))

    return run


@pytest.fixture
def issue(cli):
    """Makes a token: ``issue("read:user", owner="alice")`` is its secret."""
    made = []

    def create(scopes, *more, owner="alice"):
        made.append(scopes)
        name = f"token {len(made)}"
        result = cli("token", "create", "--owner", owner, "--name", name, "--scopes", scopes, "--quiet", *more)
        assert result.status == 0, result
        return result.out.strip()

    return create


@pytest.fixture
def server(folder):
    """Starts ``scopeware`` as a server, and ends it."""
    started = []

    def start(*arguments, wait_for=r"http://[^\s;\"]+", output=None, **changes):
        home = environment(HOME=str(folder), **changes)
        started.append(Server(arguments, folder, home, output))
        return started[-1].start(wait_for)

    yield start
    for one in started:
        one.stop()
