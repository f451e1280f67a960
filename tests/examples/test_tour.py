"""The tour of examples/gitea, as a person runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from services import mariadb_url, postgres_url

TOUR = Path(__file__).resolve().parents[2] / "examples" / "gitea" / "tour.py"

__all__ = ["mariadb_url", "postgres_url"]


def tour(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What it prints, and how it ends."""
    return subprocess.run([sys.executable, TOUR, *arguments], capture_output=True, text=True, timeout=60, check=False)


def everything_came_as_expected(done: subprocess.CompletedProcess[str]) -> bool:
    """Each step is there, and none came otherwise."""
    headings = ["A role is a ceiling", "Bound to", "Public only", "Made with a token", "Rotated", "Revoked"]
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line for line in headings if line not in done.stdout] == []
    assert "\n  NO " not in done.stdout
    return done.stdout.endswith("Everything came as expected.\n")


def test_it_goes_as_it_says_on_sqlite() -> None:
    """On a database of its own, which is gone afterwards."""
    assert everything_came_as_expected(tour())


@pytest.mark.parametrize("server", ["postgres_url", "mariadb_url"])
def test_it_goes_as_it_says_on_a_server(server: str, request: pytest.FixtureRequest) -> None:
    """Asked each time, so that every step shows on the next request."""
    assert everything_came_as_expected(tour("--database", request.getfixturevalue(server)))


def test_a_database_that_is_not_there_is_an_error() -> None:
    """Nothing comes as expected then."""
    assert tour("--database", "sqlite:////no/such/directory/tokens.db").returncode != 0
