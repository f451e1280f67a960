"""``scopeware db``: the tables."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from command_line import says


def from_the_future(path):
    """Pretend that a newer version migrated the database."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO scopeware_migration (name, applied) VALUES ('0999_future', '2030-01-01 00:00:00')"
        )


class TestUpgrade:
    def test_it_makes_the_tables_once(self, command, folder):
        """The second time there is nothing to do."""
        first = command("db", "upgrade", "--database", "sqlite:///new.db")
        assert (first.status, first.out, first.err) == (0, "applied: 0001_tables\n", "")
        assert (folder / "new.db").exists()
        again = command("db", "upgrade", "--database", "sqlite:///new.db")
        assert (again.status, again.out, again.err) == (0, "nothing to do\n", "")

    def test_json_lists_what_was_applied(self, cli):
        """An empty list is fine, too."""
        assert cli("db", "upgrade", "--json").json == {"applied": ["0001_tables"]}
        assert cli("db", "upgrade", "--json").json == {"applied": []}

    def test_tokens_survive_it(self, cli, issue):
        """It changes tables, not what is in them."""
        issue("read:user")
        before = cli("token", "list", "--json").json
        assert cli("db", "upgrade").status == 0
        assert cli("token", "list", "--json").json == before


class TestStatus:
    def test_it_lists_the_migrations_with_their_time(self, cli):
        """All applied: exit 0."""
        cli("db", "upgrade")
        result = cli("db", "status")
        assert result.status == 0
        heading, line = result.out.splitlines()
        assert heading.split() == ["migration", "applied"]
        assert line.startswith("0001_tables  20")
        listed = cli("db", "status", "--json").json
        assert [(step["name"], step["known"]) for step in listed] == [("0001_tables", True)]
        assert datetime.fromisoformat(listed[0]["applied"])

    def test_pending_ones_make_it_exit_with_1(self, cli, folder):
        """And it does not apply them."""
        (folder / "scopeware.db").touch()
        for _ in range(2):
            result = cli("db", "status")
            assert result.status == 1
            assert result.out.splitlines()[1].split() == ["0001_tables", "pending"]
        listed = cli("db", "status", "--json")
        assert listed.status == 1
        assert listed.json == [{"name": "0001_tables", "applied": None, "known": True}]

    def test_ones_from_a_newer_version_make_it_exit_with_1(self, cli, folder):
        """And are named."""
        cli("db", "upgrade")
        from_the_future(folder / "scopeware.db")
        result = cli("db", "status")
        assert result.status == 1
        assert result.out.splitlines()[2].split(None, 1) == ["0999_future", "unknown to this version"]
        assert [step["known"] for step in cli("db", "status", "--json").json] == [True, False]

    def test_a_file_that_is_not_there_is_not_made(self, cli, folder):
        """Asking changes nothing; how to make one is said."""
        says(cli("db", "status", "--database", "sqlite:///gone.db"), 3, "gone.db", "`scopeware db upgrade` makes one")
        assert not (folder / "gone.db").exists()

    def test_times_are_in_utc_and_say_so(self, command):
        """As those of tokens and owners are."""
        command("db", "upgrade", TZ="America/New_York")
        applied = datetime.fromisoformat(command("db", "status", "--json").json[0]["applied"])
        assert applied.utcoffset() == timedelta(0)
        assert abs(datetime.now(UTC) - applied) < timedelta(minutes=5)


class TestNewerSchema:
    @pytest.mark.parametrize("line", ["token list", "owner list", "db upgrade", "token revoke 1", "owner add x"])
    def test_every_command_refuses_it(self, cli, folder, line):
        """Which migration is unknown, and what to do."""
        cli("db", "upgrade")
        from_the_future(folder / "scopeware.db")
        said = ("migrated by a newer version", "0999_future", "upgrade scopeware")
        says(cli(*line.split()), 2, *said)
