"""Secrets are shown by the two commands that make one, and by nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import COMMANDS, DATABASE, SECRET, write_down

from scopeware.tokens import SecretFormat

GITEA = str(Path(__file__).parents[2] / "examples" / "gitea" / "policy.toml")
SHOWING = {
    ("token", "create"): ("--owner", "alice", "--name", "new", "--scopes", "all"),
    ("token", "rotate"): ("1",),
}
SILENT = {
    ("token", "list"): ("--all",),
    ("token", "show"): ("1",),
    ("token", "edit"): ("1", "--name", "other"),
    ("token", "revoke"): ("1",),
    ("token", "purge"): ("--dead-for", "1d"),
    ("owner", "add"): ("bob",),
    ("owner", "list"): (),
    ("owner", "set-role"): ("alice", "viewer"),
    ("owner", "disable"): ("alice",),
    ("owner", "enable"): ("alice",),
    ("scopes", "list"): (),
    ("scopes", "normalize"): ("all",),
    ("scopes", "format"): ("all",),
    ("scopes", "convert"): ("--mapping", "gitea-1.19", "repo"),
    ("migrate", "plan"): ("--mapping", "gitea-1.19"),
    ("migrate", "apply"): ("--mapping", "gitea-1.19", "--yes"),
    ("migrate", "status"): (),
    ("explain",): (GITEA, "GET", "/api/v1/user", "--token", "1"),
    ("audit", "list"): (),
    ("audit", "export"): (),
    ("audit", "prune"): ("--keep", "1d"),
    ("db", "upgrade"): (),
    ("db", "status"): (),
    ("advise",): ("--policy", GITEA, "--tokens"),
}
READING_NO_DATABASE = {("lint",), ("init",), ("routes",), ("openapi", "annotate")}
ENDLESS = {("run",), ("demo",), ("audit", "tail"), ("migrate", "undo")}
"""What is tried where it is started, or after something else; a demo prints the secrets of its own tokens, for they are
to be used."""


@pytest.fixture
def secret(issue):
    """Of the token 1, which was used once."""
    secret = issue("all")
    write_down(DATABASE, {"hint": secret[-4:]})
    return secret


def test_every_command_is_tried():
    """One that is new has to be put into one of the lists."""
    assert set(COMMANDS) == {*SHOWING, *SILENT, *ENDLESS, *READING_NO_DATABASE}


@pytest.mark.parametrize("words", SHOWING, ids=" ".join)
@pytest.mark.parametrize("form", ["plain", "json", "quiet"])
def test_a_command_that_makes_a_secret_shows_it_once(cli, secret, words, form):
    """The new one, on stdout; never the old one."""
    options = {"plain": (), "json": ("--json",), "quiet": ("--quiet",)}[form]
    result = cli(*words, *SHOWING[words], *options)
    assert result.status == 0
    (shown,) = SECRET.findall(result.out)
    assert SecretFormat().is_well_formed(shown)
    assert shown != secret
    assert not SECRET.search(result.err)


@pytest.mark.parametrize("words", SILENT, ids=" ".join)
@pytest.mark.parametrize("form", ["plain", "json"])
def test_no_other_command_shows_one(cli, secret, words, form):
    """Nor a part of one that is longer than what people recognise it by."""
    result = cli(*words, *SILENT[words], *(("--json",) if form == "json" else ()))
    assert result.status == 0, result
    told = result.out + result.err
    assert told
    assert not SECRET.search(told)
    body = secret.partition("_")[2]
    parts = {body[start : start + 6] for start in range(len(body) - 5)}
    assert not any(part in told for part in parts)
