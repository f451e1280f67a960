"""Columns are converted, and taken back: what changes, what is written down, and what others do meanwhile."""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import pwd
import random
import secrets
import socket
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import peewee
import pytest
from processes import in_child
from services import _connect, new_database, run_sql, server_url

from scopeware.errors import ConfigurationError
from scopeware.migration import Mapping, run
from scopeware.migration.column import Column, Place
from scopeware.migration.plan import plan
from scopeware.migration.run import Applied, TooLong, Undone, apply, runs, undo
from scopeware.tokens import StoreUnavailable

SECONDS = 10


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """A few rows make many transactions."""
    monkeypatch.setattr(run, "CHUNK", 3)


@pytest.fixture
def gitea(table):
    """Gitea's table, with 50 tokens."""
    return table.make_gitea(50)


def only_on(*kinds):
    """A test of these databases."""
    return pytest.mark.parametrize("kind", kinds, indirect=True)


def converted(mapping, before):
    """What the rows of Gitea's table are to be."""
    return [(*row[:6], row[6] if row[6] is None else mapping.convert(row[6]), *row[7:]) for row in before]


@contextmanager
def meanwhile(table, *turns):
    """``progress`` for :func:`apply`: after each chunk one of `turns` is run, as statements of the application."""
    waiting = list(turns)

    def progress(_):
        if waiting:
            table.sql(*waiting.pop(0))

    yield progress
    assert not waiting, "it did not go over the rows that often"


class TestPlan:
    def test_it_changes_nothing(self, gitea, mapping, tmp_path):
        """Not a byte, not a table, not a file."""
        before, tables = gitea.digest, gitea.tables
        content = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        made = plan(gitea.column(), mapping)
        gitea.close()
        assert made.rows == sum(line.count for line in made.lines) == 50 - made.others["NULL"]
        assert made.changed == sum(mapping.convert(row[6]) != row[6] for row in gitea.rows if row[6] is not None)
        assert (gitea.digest, gitea.tables) == (before, tables)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == content

    def test_it_says_what_apply_does(self, gitea, mapping):
        """Text by text."""
        before = gitea.rows
        lines = {line.old: line for line in plan(gitea.column(), mapping).lines}
        apply(gitea.column(), mapping)
        for old, new in zip(before, gitea.rows, strict=True):
            if old[6] is None:
                assert new[6] is None
            else:
                assert lines[old[6]].new == new[6]
                assert lines[old[6]].count == [row[6] for row in before].count(old[6])

    @only_on("postgres", "mariadb")
    @pytest.mark.parametrize("key", ["", "id"])
    def test_who_may_only_read_can_plan(self, gitea, mapping, key):
        """The careful administrator's user. To apply it may not, and changes nothing."""
        user = f"u{secrets.token_hex(8)}"
        before = gitea.digest
        name = gitea.url.rpartition("/")[2]
        if gitea.kind == "postgres":
            gitea.sql(f"CREATE ROLE {user} LOGIN", f"GRANT SELECT ON access_token TO {user}")
        else:
            gitea.sql(f"CREATE USER {user}@'%'", f"GRANT SELECT ON {name}.* TO {user}@'%'")
        url = gitea.url.replace("postgres@", f"{user}@").replace("root@", f"{user}@")
        try:
            column = gitea.column(key=key, url=url)
            assert plan(column, mapping).changed > 20
            with pytest.raises(StoreUnavailable, match="denied"):
                apply(column, mapping)
            assert gitea.digest == before
        finally:
            gitea.close()
            drop = [f"DROP OWNED BY {user}", f"DROP ROLE {user}"]
            gitea.sql(*(drop if gitea.kind == "postgres" else [f"DROP USER {user}@'%'"]))


class TestCycle:
    def test_apply_again_and_undo(self, gitea, mapping):
        """Each row gets its new scopes and keeps all else; twice is once; undone it is as at the start."""
        before, digest = gitea.rows, gitea.digest
        number = plan(gitea.column(), mapping).changed
        assert apply(gitea.column(), mapping) == Applied(1, number)
        assert gitea.rows == converted(mapping, before)
        after = gitea.digest
        assert after != digest
        assert apply(gitea.column(), mapping) == Applied(None, 0)
        assert gitea.digest == after
        assert undo(gitea.column()) == Undone(1, number, 0, 0)
        assert gitea.digest == digest
        assert apply(gitea.column(), mapping) == Applied(2, number)
        assert gitea.digest == after

    def test_however_many_rows_a_transaction_has(self, table, mapping, monkeypatch):
        """The last one full, or not."""
        table.make_gitea(14)
        before, digest = table.rows, table.digest
        for chunk in (1, 5, 14, 15, 20_000):
            monkeypatch.setattr(run, "CHUNK", chunk)
            apply(table.column(), mapping)
            assert table.rows == converted(mapping, before)
            undo(table.column())
            assert table.digest == digest

    @pytest.mark.parametrize(
        "texts",
        [(), (None, None), ("write:repository", ""), ("nobody:knows",)],
        ids=["empty", "NULL", "new", "unknown"],
    )
    def test_where_there_is_nothing_to_convert(self, table, mapping, texts):
        """No conversion is begun."""
        table.make(*texts)
        before = table.digest
        assert apply(table.column(), mapping) == Applied(None, 0)
        assert runs(table.column()) == []
        assert table.digest == before
        with pytest.raises(ConfigurationError, match="nothing to take back"):
            undo(table.column())

    def test_a_text_that_becomes_empty_is_restored(self, table):
        """Empty is not NULL."""
        table.make("user:email", None, "")
        apply(table.column(), Mapping.builtin("gitea-1.19-strict"))
        assert table.texts == {1: "", 2: None, 3: ""}
        undo(table.column())
        assert table.texts == {1: "user:email", 2: None, 3: ""}

    def test_two_mappings_one_after_the_other(self, table, mapping):
        """Each conversion is taken back by itself, the last one first."""
        other = Mapping.from_mapping(
            {"name": "reads", "old": {"scopes": ["write:repository"]}, "map": {"write:repository": "read:repository"}}
        )
        table.make("repo", "write:repository", "user")
        apply(table.column(), mapping)
        apply(table.column(), other)
        assert table.texts == {1: "read:repository", 2: "read:repository", 3: "write:user"}
        with pytest.raises(ConfigurationError, match="conversion 2 came after it; take that one back first"):
            undo(table.column(), 1)
        assert undo(table.column()) == Undone(2, 2, 0, 0)
        assert table.texts == {1: "write:repository", 2: "write:repository", 3: "write:user"}
        assert undo(table.column()) == Undone(1, 2, 0, 0)
        assert table.texts == {1: "repo", 2: "write:repository", 3: "user"}

    def test_a_database_that_a_migration_lends(self, table, mapping):
        """As ``migrations/templates`` does; it stays open."""
        table.make(*["repo"] * 10)
        with closing(table.column()._database) as database:
            lent = Column(database, Place("access_token", "scope"))
            assert apply(lent, mapping) == Applied(1, 10)
            lent.close()
            assert not database.is_closed()
            assert undo(Column(database, Place("access_token", "scope"))) == Undone(1, 10, 0, 0)
        assert set(table.texts.values()) == {"repo"}

    @only_on("sqlite", "postgres")
    def test_in_a_transaction_that_is_rolled_back(self, table, mapping):
        """Nothing happened, and nothing says that it did."""
        table.make(*["repo"] * 10)
        before, tables = table.digest, table.tables
        column = table.column()
        with column._database.atomic() as transaction:
            lent = Column(column._database, Place("access_token", "scope"))
            assert apply(lent, mapping) == Applied(1, 10)
            transaction.rollback()
        column.close()
        assert (table.digest, table.tables) == (before, tables)


class TestFormats:
    @pytest.mark.parametrize(
        ("form", "old", "new"),
        [
            ("comma", " user:follow ,, repo,", "write:repository,write:user"),
            ("space", "  user:follow\trepo ", "write:repository write:user"),
            ("json", '[ "user:follow", "répo", " repo "]', '["répo", "write:repository", "write:user"]'),
            ("json", '["\\u0000", "repo"]', '["\\u0000", "write:repository"]'),
        ],
    )
    def test_each_way_to_store_scopes(self, table, mapping, form, old, new):
        """It is read and written as it is; an odd spelling comes back with `undo`."""
        table.make(old, "" if form != "json" else "[]")
        apply(table.column(), mapping, form)
        assert table.texts[1] == new
        assert apply(table.column(), mapping, form) == Applied(None, 0)
        undo(table.column())
        assert table.texts[1] == old

    def test_what_is_no_list_is_left_as_it_is(self, table, mapping):
        """As `plan` says; the others are converted."""
        broken = ["repo", '{"repo": 1}', "[1]", "[", '"repo"', "null", "[" * 5000, '["repo", null]', '["repo"],']
        table.make(*broken, '["repo"]')
        lines = plan(table.column(), mapping, "json").lines
        assert sorted(line.old for line in lines if line.new is None) == sorted(broken)
        assert apply(table.column(), mapping, "json").rows == 1
        assert list(table.texts.values()) == [*broken, '["write:repository"]']

    def test_a_word_with_a_comma_in_it_is_one_word(self, table, mapping):
        """It is unknown, and grants nothing: neither before nor after."""
        table.make('["nobody,repo"]', '["sudo"]')
        assert plan(table.column(), mapping, "json").lines[0].unknown in ((), ("nobody,repo",))
        apply(table.column(), mapping, "json")
        assert json.loads(table.texts[1]) == ["nobody,repo"]
        assert json.loads(table.texts[2]) == ["write:admin"]

    def test_half_a_letter_in_json(self, table, mapping):
        """It is written as it was: no database takes it otherwise."""
        table.make('["\\ud800", "repo"]')
        apply(table.column(), mapping, "json")
        assert json.loads(table.texts[1]) == ["\ud800", "write:repository"]
        undo(table.column())
        assert table.texts == {1: '["\\ud800", "repo"]'}


CONDITIONS = {
    "uid = 5": lambda row: row[1] == 5,
    "name = 'token ''n'' 5%'": lambda row: row[2] == "token 'n' 5%",
    "name LIKE '%5_' OR name LIKE '%''n'' 7%'": lambda row: row[2][-2:-1] == "5" or "'n' 7" in row[2],
    "scope LIKE 'repo,%'": lambda row: (row[6] or "").startswith("repo,"),
    "uid % 2 = 0": lambda row: row[1] % 2 == 0,
    "created_unix > 1600000020": lambda row: row[7] > 1_600_000_020,
    "id > 20000": lambda row: row[0] > 20_000,
    "access_token.id > 20000": lambda row: row[0] > 20_000,
    "uid IN (SELECT 3 UNION SELECT 4)": lambda row: row[1] in (3, 4),
    "1 = 0": lambda row: False,
}


class TestWhere:
    def test_only_rows_for_which_it_holds(self, gitea, mapping):
        """Quotes, percent signs and names that our tables have, too, are the administrator's own."""
        before, digest = gitea.rows, gitea.digest
        after = converted(mapping, before)
        for where, meant in CONDITIONS.items():
            expected = [new if meant(row) else row for row, new in zip(before, after, strict=True)]
            changed = sum(old != new for old, new in zip(before, expected, strict=True))
            column = gitea.column(where=where)
            assert plan(column, mapping).changed == changed, where
            assert apply(column, mapping).rows == changed, where
            assert gitea.rows == expected, where
            if changed:
                assert runs(column)[-1].where == where
                undo(column)
            assert gitea.digest == digest, where

    def test_what_the_database_does_not_take(self, gitea):
        """Its own words say why."""
        for where in ("no_such = 1", "uid =", "(", "uid = 'x", "uid = 1; DROP TABLE access_token"):
            with pytest.raises(ConfigurationError, match="the database does not take it") as caught:
                gitea.column(where=where)
            assert caught.value.where == "--where"
            assert "\n" not in str(caught.value)
        assert len(gitea.rows) == 50

    def test_a_condition_that_is_true_at_times(self, table, mapping):
        """A clock, or chance: whatever is changed is written down."""
        chance = {"sqlite": "abs(random()) % 2", "postgres": "random() < 0.5", "mariadb": "rand() < 0.5"}[table.kind]
        table.make(*["repo"] * 100)
        before = table.digest
        apply(table.column(where=chance), mapping)
        undo(table.column())
        assert table.digest == before


class TestRefusals:
    def test_a_new_text_that_is_too_long(self, table, mapping):
        """Nothing is changed, nothing begun; what fits exactly does."""
        if table.kind == "sqlite":
            pytest.skip("SQLite does not mind")
        table.make("repo", "user", scope="VARCHAR(15)")
        before = table.digest
        assert plan(table.column(), mapping).too_long == ("write:repository",)
        with pytest.raises(TooLong, match=r"1 new texts do not fit .* such as `write:repository`; make it longer"):
            apply(table.column(), mapping)
        assert table.digest == before
        assert runs(table.column()) == []
        with pytest.raises(ConfigurationError, match="nothing to take back"):
            undo(table.column())
        table.sql("ALTER TABLE access_token " + _widened(table.kind))
        assert plan(table.column(), mapping).too_long == ()
        assert apply(table.column(), mapping).rows == 2

    @only_on("mariadb")
    @pytest.mark.parametrize("type_", ["TINYTEXT", "TEXT"])
    def test_bytes_are_counted_where_the_database_counts_bytes(self, table, mapping, type_):
        """Letters of two bytes: it is known before anything is changed."""
        most = {"TINYTEXT": 255, "TEXT": 65_535}[type_]
        old = "é" * ((most - 10) // 2) + ",repo"
        table.make(old, "user", scope=f"{type_} CHARACTER SET utf8mb4")
        with pytest.raises(TooLong):
            apply(table.column(), mapping)
        assert table.texts == {1: old, 2: "user"}
        assert runs(table.column()) == []

    def test_what_is_too_long_meanwhile(self, table, mapping, monkeypatch):
        """It is said, and the rest stands in the journal."""
        if table.kind == "sqlite":
            pytest.skip("SQLite does not mind")
        table.make("user", "user", scope="VARCHAR(15)")
        monkeypatch.setattr(run, "CHUNK", 1)
        turn = ["UPDATE access_token SET scope = 'repo' WHERE id = 2"]
        with meanwhile(table, turn) as progress, pytest.raises(TooLong):
            apply(table.column(), mapping, progress=progress)
        assert table.texts == {1: "write:user", 2: "repo"}
        undone = undo(table.column())
        assert (undone.rows, undone.gone) == (1, 0)
        assert table.texts == {1: "user", 2: "repo"}

    def test_a_database_that_refuses_writes(self, gitea, mapping, refuse_writes):
        """Nothing is changed; what it says is said. Once it takes them, it is gone on with."""
        before = gitea.digest
        refuse_writes(gitea)
        with pytest.raises(StoreUnavailable, match="not on a Sunday"):
            apply(gitea.column(), mapping)
        assert gitea.digest == before
        assert [each.rows for each in runs(gitea.column())] == [0]
        gitea.sql("DROP TRIGGER refuse" + (" ON access_token" if gitea.kind == "postgres" else ""))
        assert apply(gitea.column(), mapping).resumed
        assert gitea.digest != before
        undo(gitea.column())
        assert gitea.digest == before

    @only_on("postgres")
    def test_a_transaction_that_is_read_only(self, gitea, mapping):
        """`plan` works there."""
        before = gitea.digest
        url = f"{gitea.url}?options=-c%20default_transaction_read_only%3Don"
        column = gitea.column(url=url)
        assert plan(column, mapping).changed > 20
        with pytest.raises(StoreUnavailable, match="read-only"):
            apply(column, mapping)
        assert gitea.digest == before

    @only_on("sqlite")
    def test_a_file_that_one_may_only_read(self, gitea, mapping, tmp_path):
        """And a folder; `plan` works there."""
        before = gitea.digest
        path = tmp_path / "gitea.db"

        def attempt():
            column = gitea.column()
            planned = plan(column, mapping).changed
            try:
                apply(column, mapping)
            except StoreUnavailable as error:
                return planned, str(error)
            return planned, "it was written"

        path.chmod(0o444)
        tmp_path.chmod(0o555)
        try:
            planned, said = _as_nobody(attempt, tmp_path) if os.geteuid() == 0 else attempt()
        finally:
            tmp_path.chmod(0o755)
            path.chmod(0o644)
        assert planned > 20
        assert "gitea.db" in said
        assert gitea.digest == before

    def test_what_is_not_text_any_more_on_the_way(self, gitea, mapping):
        """The table is dropped under it."""
        with meanwhile(gitea, ["DROP TABLE access_token"]) as progress, pytest.raises(StoreUnavailable):
            apply(gitea.column(), mapping, progress=progress)

    def test_a_conflict_with_others_is_tried_again(self, table, mapping):
        """The database broke the transaction off for somebody else's sake, twice."""
        if table.kind == "sqlite":
            pytest.skip("a file has one writer at a time")
        table.make(*["repo"] * 5)
        before = table.digest
        deadlock_at(table, times=2)
        assert apply(table.column(), mapping).rows == 5
        undo(table.column())
        assert table.digest == before

    def test_a_conflict_that_does_not_end(self, table, mapping):
        """It is given up."""
        if table.kind == "sqlite":
            pytest.skip("a file has one writer at a time")
        table.make(*["repo"] * 5)
        deadlock_at(table, times=1000)
        with pytest.raises(StoreUnavailable, match="deadlock"):
            apply(table.column(), mapping)
        assert set(table.texts.values()) == {"repo"}


def _widened(kind):
    return "ALTER COLUMN scope TYPE VARCHAR(16)" if kind == "postgres" else "MODIFY scope VARCHAR(16)"


def _as_nobody(function, folder):
    """What a function returns for a user who owns nothing; the folders above are opened for them."""

    def attempt():
        os.setgid(65_534)
        os.setuid(65_534)
        return function()

    closed = [parent for parent in folder.parents if not parent.stat().st_mode & 0o001]
    modes = [parent.stat().st_mode for parent in closed]
    for parent in closed:
        parent.chmod(0o711)
    try:
        return in_child(attempt)
    finally:
        for parent, mode in zip(closed, modes, strict=True):
            parent.chmod(mode)


def deadlock_at(table, times):
    """The first writes of a connection end as a deadlock does."""
    if table.kind == "mariadb":
        table.sql(
            "CREATE TRIGGER collide BEFORE UPDATE ON access_token FOR EACH ROW BEGIN SET @n = COALESCE(@n, 0) + 1; "
            f"IF @n <= {times} THEN SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'deadlock found'; "
            "END IF; END"
        )
    else:
        table.sql(
            "CREATE SEQUENCE collisions",
            "CREATE FUNCTION collide() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF nextval('collisions') <= {times} THEN "
            "RAISE EXCEPTION 'deadlock detected' USING ERRCODE = 'deadlock_detected'; END IF; RETURN NEW; END $$",
            "CREATE TRIGGER collide BEFORE UPDATE ON access_token FOR EACH ROW EXECUTE FUNCTION collide()",
        )


class TestMeanwhile:
    def test_rows_in_the_old_form_are_found(self, table, mapping):
        """Behind and before the place where it is, new ones and changed ones; they are restored to what they held."""
        table.make(*["repo"] * 9)
        with meanwhile(
            table,
            [
                "INSERT INTO access_token VALUES (0, 'user:email')",
                "INSERT INTO access_token VALUES (10, 'sudo')",
                "UPDATE access_token SET scope = 'package' WHERE id = 1",
                "UPDATE access_token SET scope = 'read:org' WHERE id = 9",
            ],
        ) as progress:
            assert apply(table.column(), mapping, progress=progress) == Applied(1, 12)
        assert all(mapping.convert(text) == text for text in table.texts.values())
        assert table.texts[1] == "write:package"
        assert undo(table.column()) == Undone(1, 11, 0, 0)
        assert table.texts == dict.fromkeys(range(2, 9), "repo") | {
            0: "user:email",
            1: "package",
            9: "read:org",
            10: "sudo",
        }

    def test_known_and_new_texts_turn_up_in_every_pass(self, table, mapping):
        """However many passes that takes."""
        table.make("repo", "repo")
        turns = [
            ["INSERT INTO access_token VALUES (3, 'repo'), (4, 'user')"],
            ["INSERT INTO access_token VALUES (5, 'sudo'), (6, 'user')"],
            [],
            ["INSERT INTO access_token VALUES (7, 'all,repo'), (8, 'sudo'), (9, 'repo')"],
        ]
        with meanwhile(table, *turns) as progress:
            assert apply(table.column(), mapping, progress=progress).rows == 9
        assert all(mapping.convert(text) == text for text in table.texts.values())
        undo(table.column())
        assert list(table.texts.values()) == [
            *("repo", "repo", "repo", "user", "sudo", "user", "all,repo", "sudo", "repo")
        ]

    def test_new_texts_turn_up_after_it_was_broken_off(self, table, mapping):
        """Some of those it knew are converted by then."""
        table.make(*["repo"] * 3, *["user"] * 3, *["sudo"] * 3)
        break_off(table.column(), mapping, after=1)
        table.insert([(10, "package"), (11, "repo")])
        with meanwhile(table, ["INSERT INTO access_token VALUES (12, 'read:org')"]) as progress:
            assert apply(table.column(), mapping, progress=progress).resumed
        assert all(mapping.convert(text) == text for text in table.texts.values())
        undo(table.column())
        assert [table.texts[key] for key in (1, 4, 7, 10, 11, 12)] == [
            *("repo", "user", "sudo", "package", "repo", "read:org")
        ]

    def test_an_application_that_never_stops_does_not_keep_it_forever(self, table, mapping):
        """It ends; whether it says that it is done or not, the next one finds what is left."""
        table.make("repo", "repo")
        apply(
            table.column(), mapping, progress=lambda _: table.sql("UPDATE access_token SET scope = 'user' WHERE id = 1")
        )
        assert table.texts == {1: "user", 2: "write:repository"}
        assert apply(table.column(), mapping).rows == 1
        while any(each.state != "undone" for each in runs(table.column())):
            undo(table.column())
        assert table.texts == {1: "user", 2: "repo"}

    def test_what_was_changed_since_is_left_and_counted(self, table, mapping):
        """And what was deleted; the others are restored."""
        table.make(*["repo"] * 8)
        apply(table.column(), mapping)
        table.sql(
            "UPDATE access_token SET scope = 'read:user' WHERE id = 1",
            "UPDATE access_token SET scope = NULL WHERE id = 4",
            "UPDATE access_token SET scope = 'Write:repository' WHERE id = 5",
            "UPDATE access_token SET scope = 'write:repository ' WHERE id = 6",
            "DELETE FROM access_token WHERE id IN (2, 7)",
            "INSERT INTO access_token VALUES (9, 'write:repository')",
        )
        assert undo(table.column()) == Undone(1, 2, 4, 2)
        assert table.texts == {
            1: "read:user",
            3: "repo",
            4: None,
            5: "Write:repository",
            6: "write:repository ",
            8: "repo",
            9: "write:repository",
        }
        (known,) = runs(table.column())
        assert (known.state, known.rows) == ("undone", 6)

    def test_what_is_changed_between_its_transactions(self, table, mapping):
        """To the new form by somebody else, to nothing, to what it was: the application is right."""
        table.make(*["repo"] * 9)
        with meanwhile(
            table,
            [
                "UPDATE access_token SET scope = 'write:user' WHERE id IN (2, 8)",
                "UPDATE access_token SET scope = NULL WHERE id IN (3, 9)",
                "DELETE FROM access_token WHERE id IN (1, 7)",
            ],
        ) as progress:
            apply(table.column(), mapping, progress=progress)
        assert table.texts == {
            **dict.fromkeys((4, 5, 6), "write:repository"),
            **dict.fromkeys((2, 8), "write:user"),
            **dict.fromkeys((3, 9)),
        }
        assert undo(table.column()) == Undone(1, 3, 2, 1)
        assert table.texts == {
            **dict.fromkeys((4, 5, 6), "repo"),
            **dict.fromkeys((2, 8), "write:user"),
            **dict.fromkeys((3, 9)),
        }

    def test_what_is_changed_while_it_is_taken_back(self, table, mapping):
        """Behind and before the place where it is."""
        table.make(*["repo"] * 9)
        apply(table.column(), mapping)
        turn = [
            "UPDATE access_token SET scope = 'read:misc' WHERE id IN (1, 9)",
            "DELETE FROM access_token WHERE id = 8",
        ]
        with meanwhile(table, turn) as progress:
            assert undo(table.column(), progress=progress) == Undone(1, 7, 1, 1)
        assert table.texts == {**dict.fromkeys(range(1, 8), "repo"), 1: "read:misc", 9: "read:misc"}

    def test_an_application_at_work_all_the_time(self, table, mapping):
        """Whatever it does while rows are converted and taken back: at the end stands what it wrote last."""
        table.make(*["repo", "user", "sudo", "all"] * 20)
        expected = table.texts
        stop = threading.Event()

        def work():
            chance = random.Random(7)
            next_id = 1000
            with closing(_connect(table.url)) as connection, closing(connection.cursor()) as cursor:
                while not stop.is_set():
                    key = chance.choice(sorted(expected))
                    text = chance.choice(["repo", "user:email", "nobody:knows,repo", "write:misc", "read:issue"])
                    choice = chance.randrange(10)
                    if choice == 0:
                        next_id += 1
                        changed, statement = {**expected, next_id: text}, "INSERT INTO access_token VALUES ({0}, '{1}')"
                        key = next_id
                    elif choice == 1:
                        changed = {other: old for other, old in expected.items() if other != key}
                        statement = "DELETE FROM access_token WHERE id = {0}"
                    else:
                        changed, statement = (
                            {**expected, key: text},
                            "UPDATE access_token SET scope = '{1}' WHERE id = {0}",
                        )
                    _insist(cursor, statement.format(key, text))
                    expected.clear()
                    expected.update(changed)
                    time.sleep(0.001)

        with ThreadPoolExecutor(1) as pool:
            working = pool.submit(work)
            try:
                first = apply(table.column(), mapping)
                undo(table.column())
                second = apply(table.column(), mapping)
            finally:
                stop.set()
                working.result(SECONDS)
        apply(table.column(), mapping)
        assert table.texts == {key: mapping.convert(text) for key, text in expected.items()}
        while [each for each in runs(table.column()) if each.state != "undone"]:
            undo(table.column())
        assert first.rows > 20
        assert second.rows > 0
        assert table.texts == expected

    @only_on("mariadb")
    def test_a_column_that_is_a_clock_does_not_move(self, table, mapping):
        """The database sets it whenever a row is changed, unless it is told not to: the application did not."""
        table.sql(
            "CREATE TABLE access_token (id INTEGER PRIMARY KEY, scope VARCHAR(99), "
            "updated TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6))",
            "INSERT INTO access_token (id, scope) VALUES (1, 'repo'), (2, 'user')",
        )
        before = table.digest
        apply(table.column(), mapping)
        undo(table.column())
        assert table.digest == before


def _insist(cursor, statement):
    """As an application does: once more, where it lost to somebody else."""
    for _ in range(20):
        try:
            return cursor.execute(statement)
        except Exception as error:
            if error.args[0] not in (1205, 1213):
                raise
    raise AssertionError("it always loses")


class Break(Exception):
    """Somebody pulls the plug."""


def break_off(column, mapping, after, **options):
    """Convert, and stop after so many chunks."""
    left = iter([None] * (after - 1))

    def progress(_):
        try:
            next(left)
        except StopIteration:
            raise Break from None

    with pytest.raises(Break):
        apply(column, mapping, progress=progress, **options)


class TestResuming:
    @pytest.mark.parametrize("after", [1, 2, 8])
    def test_what_was_begun_is_gone_on_with(self, gitea, mapping, after):
        """It is one conversion, and taken back as one."""
        before, digest = gitea.rows, gitea.digest
        break_off(gitea.column(), mapping, after)
        (begun,) = runs(gitea.column())
        assert begun.state == "unfinished"
        assert 0 < begun.rows < 40
        applied = apply(gitea.column(), mapping)
        assert applied == Applied(1, plan_rows(before, mapping) - begun.rows, True)
        assert gitea.rows == converted(mapping, before)
        assert [each.state for each in runs(gitea.column())] == ["done"]
        undo(gitea.column())
        assert gitea.digest == digest

    def test_what_was_begun_can_be_taken_back(self, gitea, mapping):
        """And begun anew."""
        digest = gitea.digest
        break_off(gitea.column(), mapping, 3)
        undone = undo(gitea.column())
        assert undone.rows > 0
        assert gitea.digest == digest
        assert apply(gitea.column(), mapping).run == 2
        undo(gitea.column())
        assert gitea.digest == digest

    def test_what_is_all_done_but_not_said_to_be(self, table, mapping):
        """Broken off after the last row: there is nothing left but to say so."""
        table.make("repo")
        break_off(table.column(), mapping, 1)
        assert [each.state for each in runs(table.column())] == ["unfinished"]
        assert apply(table.column(), mapping) == Applied(1, 0, True)
        assert [each.state for each in runs(table.column())] == ["done"]

    def test_another_mapping_is_another_conversion(self, table, mapping):
        """What is left is converted by that one."""
        strict = Mapping.builtin("gitea-1.19-strict")
        table.make(*["user:email"] * 6)
        break_off(table.column(), mapping, 1)
        assert apply(table.column(), strict) == Applied(2, 3, False)
        assert sorted(table.texts.values()) == [""] * 3 + ["write:user"] * 3
        undo(table.column())
        undo(table.column())
        assert set(table.texts.values()) == {"user:email"}

    def test_another_mapping_of_the_same_name_is_another_mapping(self, table):
        """Two files that do not say their name; or one that was edited."""
        first, second = (
            Mapping.from_mapping({"old": {"scopes": ["x"]}, "map": {"x": scope}}) for scope in ("all", "read:misc")
        )
        table.make(*["x"] * 6)
        break_off(table.column(), first, 1)
        apply(table.column(), second)
        assert list(table.texts.values()) == ["all"] * 3 + ["read:misc"] * 3
        while any(each.state != "undone" for each in runs(table.column())):
            undo(table.column())
        assert set(table.texts.values()) == {"x"}

    @pytest.mark.parametrize("place", [{"where": "scope <> 'sudo'"}, {"key": "uid"}], ids=["where", "key"])
    def test_another_place_is_another_conversion(self, table, mapping, place):
        """Other rows, or told apart by something else."""
        table.sql("CREATE TABLE access_token (id INTEGER PRIMARY KEY, uid INTEGER NOT NULL UNIQUE, scope VARCHAR(99))")
        table.insert([(each, -each, "repo") for each in range(6)])
        break_off(table.column(), mapping, 1)
        assert apply(table.column(**place), mapping) == Applied(2, 3, False)
        undo(table.column(key=place.get("key", "")))
        undo(table.column())
        assert set(table.texts.values()) == {"repo"}

    def test_another_conversion_in_between(self, table):
        """What each row held before the first of them is kept: all taken back, it is as at the start."""
        first = Mapping.from_mapping(
            {"name": "1", "old": {"scopes": ["x", "read:user"]}, "map": {"x": "all", "read:user": "write:user"}}
        )
        second = Mapping.from_mapping({"name": "2", "old": {"scopes": ["all"]}, "map": {"all": "read:user"}})
        table.make(*["x"] * 6)
        break_off(table.column(), first, 1)
        apply(table.column(), second)
        assert list(table.texts.values()) == ["read:user"] * 3 + ["x"] * 3
        apply(table.column(), first)
        assert list(table.texts.values()) == ["write:user"] * 3 + ["all"] * 3
        while any(each.state != "undone" for each in runs(table.column())):
            undo(table.column())
        assert set(table.texts.values()) == {"x"}


def plan_rows(rows, mapping):
    """How many of Gitea's rows change."""
    return sum(row[6] is not None and mapping.convert(row[6]) != row[6] for row in rows)


class TestJournal:
    def test_who_when_and_which_mapping(self, gitea, mapping):
        """And where, by which key, of which rows, in which form."""
        began = datetime.now(UTC) - timedelta(seconds=1)
        apply(gitea.column(where="uid < 10"), mapping, "space")
        (known,) = runs(gitea.column())
        assert (known.table, known.column, known.key, known.where) == ("access_token", "scope", "id", "uid < 10")
        assert (known.mapping, known.form) == ("gitea-1.19", "space")
        assert known.who == f"{getpass.getuser()}@{socket.gethostname()}"
        assert began <= known.started_at <= known.finished_at <= datetime.now(UTC)
        assert (known.state, known.undone_at) == ("done", None)
        undo(gitea.column())
        (known,) = runs(gitea.column())
        assert known.finished_at <= known.undone_at <= datetime.now(UTC)
        assert (known.state, known.rows) == ("undone", 0)

    def test_the_old_text_of_every_changed_row_is_kept(self, gitea, mapping):
        """In tables of ours, theirs has no more columns than it had."""
        before, tables = gitea.rows, gitea.tables
        apply(gitea.column(), mapping)
        assert all(name.startswith("scopeware_migrate_") for name in gitea.tables - tables)
        changes = {number: (old, new) for _, number, old, new in gitea.sql("SELECT * FROM scopeware_migrate_string")}
        kept = {key: changes[number] for key, number in gitea.sql("SELECT * FROM scopeware_migrate_row_1")}
        assert kept == {
            row[0]: (row[6], new) for row in before if row[6] is not None and (new := mapping.convert(row[6])) != row[6]
        }
        assert sorted(changes.values()) == sorted(set(kept.values()))

    def test_somebody_without_a_name(self, table, mapping, monkeypatch):
        """Containers run as a number that nobody wrote into /etc/passwd."""
        for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
            monkeypatch.delenv(name, raising=False)

        def unknown(number):
            raise KeyError(f"getpwuid(): uid not found: {number}")

        monkeypatch.setattr(pwd, "getpwuid", unknown)
        table.make("repo")
        apply(table.column(), mapping)
        (known,) = runs(table.column())
        assert known.who.endswith(f"@{socket.gethostname()}")

    def test_conversions_of_several_tables(self, table, mapping):
        """Each table has its own to take back; all are listed."""
        table.make("repo", "user")
        table.sql("CREATE TABLE other (id INTEGER PRIMARY KEY, scope VARCHAR(99), more VARCHAR(99))")
        table.insert([(1, "sudo", "package")], into="other")
        apply(table.column(), mapping)
        apply(table.column(table="other"), mapping)
        apply(table.column("more", table="other"), mapping)
        listed = [(each.id, each.table, each.column, each.rows) for each in runs(table.column())]
        assert listed == [(1, "access_token", "scope", 2), (2, "other", "scope", 1), (3, "other", "more", 1)]
        with pytest.raises(ConfigurationError, match=r"there is no conversion 2 in access_token\.scope"):
            undo(table.column(), 2)
        assert undo(table.column()) == Undone(1, 2, 0, 0)
        assert undo(table.column(table="other"), 2) == Undone(2, 1, 0, 0)
        assert table.sql("SELECT scope, more FROM other") == [("sudo", "write:package")]

    def test_a_number_that_there_is_not(self, table, mapping):
        """What to ask is said."""
        table.make("repo")
        apply(table.column(), mapping)
        with pytest.raises(ConfigurationError, match=r"there is no conversion 7 .* see `scopeware migrate status`"):
            undo(table.column(), 7)

    def test_the_conversion_that_is_in_the_way_is_named(self, table, mapping):
        """Not one that was taken back already."""
        table.make("repo")
        for old in ("repo", "user", "sudo"):
            table.sql(f"UPDATE access_token SET scope = '{old}'")
            apply(table.column(), mapping)
        undo(table.column())
        with pytest.raises(ConfigurationError, match="conversion 2 came after it"):
            undo(table.column(), 1)

    def test_rows_that_were_told_apart_by_something_else(self, table, mapping):
        """Which is said, and works."""
        table.sql("CREATE TABLE access_token (id INTEGER PRIMARY KEY, h VARCHAR(9) NOT NULL UNIQUE, scope VARCHAR(99))")
        table.insert([(1, "b", "repo"), (2, "a", "user")])
        apply(table.column(key="h"), mapping)
        with pytest.raises(ConfigurationError, match="told apart by h; say --id h"):
            undo(table.column())
        assert undo(table.column(key="h")) == Undone(1, 2, 0, 0)
        assert table.texts == {1: "repo", 2: "user"}

    def test_taking_back_twice(self, table, mapping):
        """There is nothing left; asked for by number, nothing happens."""
        table.make("repo")
        apply(table.column(), mapping)
        undo(table.column())
        with pytest.raises(ConfigurationError, match="nothing to take back"):
            undo(table.column())
        assert undo(table.column(), 1) == Undone(1, 0, 0, 0)
        assert table.texts == {1: "repo"}


class TestTwoAtOnce:
    def test_the_second_is_refused_meanwhile(self, table, mapping):
        """Whatever it wants; afterwards it is not."""
        table.make("repo", "user")
        first, second = table.column(), table.column()
        with first.alone():
            for attempt in (lambda: apply(second, mapping), lambda: undo(second)):
                with pytest.raises(ConfigurationError, match="somebody else is converting access_token now"):
                    attempt()
            assert plan(second, mapping).changed == 2
        assert apply(second, mapping).rows == 2
        assert undo(first).rows == 2

    def test_two_processes_at_once(self, gitea, mapping):
        """One waits or refuses, and nothing is lost."""
        before, digest = gitea.rows, gitea.digest
        reading, writing = os.pipe()

        def attempt():
            os.close(writing)
            column = gitea.column()
            os.read(reading, 1)
            try:
                return apply(column, mapping).rows
            except ConfigurationError as error:
                return str(error)

        with ThreadPoolExecutor(2) as pool:
            several = [pool.submit(in_child, attempt) for _ in range(2)]
            time.sleep(0.2)
            os.close(writing)
            results = [each.result(SECONDS) for each in several]
        os.close(reading)
        number = plan_rows(before, mapping)
        assert number in results
        assert all(each in (0, number) or "somebody else" in str(each) for each in results)
        assert gitea.rows == converted(mapping, before)
        undo(gitea.column())
        assert gitea.digest == digest

    @only_on("postgres", "mariadb")
    def test_two_tables_at_once(self, table, mapping):
        """They are not in each other's way."""
        table.make(*["repo"] * 5)
        table.sql("CREATE TABLE other AS SELECT * FROM access_token", "ALTER TABLE other ADD PRIMARY KEY (id)")
        run._make_tables(table.column())
        both = threading.Barrier(2)

        class Slow(Column):
            def first(self, statement, values=()):
                row = super().first(statement, values)
                if "MAX(id)" in statement:
                    try:
                        both.wait(0.3)
                    except threading.BrokenBarrierError:
                        pass
                return row

        def convert(name):
            with closing(Slow(table.url, Place(name, "scope"))) as column:
                return apply(column, mapping)

        with ThreadPoolExecutor(2) as pool:
            applied = list(pool.map(convert, ["access_token", "other"]))
        assert sorted((each.run, each.rows) for each in applied) == [(1, 5), (2, 5)]
        assert {each.table: each.rows for each in runs(table.column())} == {"access_token": 5, "other": 5}

    @only_on("postgres", "mariadb")
    def test_another_database_on_the_same_server(self, table, mapping):
        """What has the same name there is something else."""
        table.make("repo")
        with new_database(server_url(table.kind)) as url, table.column().alone():
            run_sql(url, "CREATE TABLE access_token (id INTEGER PRIMARY KEY, scope VARCHAR(99))")
            run_sql(url, "INSERT INTO access_token VALUES (1, 'repo')")
            with closing(Column(url, Place("access_token", "scope"))) as there:
                assert apply(there, mapping).rows == 1

    @only_on("sqlite")
    def test_another_name_of_the_same_file(self, table, mapping, tmp_path):
        """One of both at a time, or both do what one does."""
        table.make("repo", "user")
        (tmp_path / "link.db").symlink_to(tmp_path / "gitea.db")
        linked = table.column(url=f"sqlite:///{tmp_path}/link.db")
        with table.column().alone(), pytest.raises(ConfigurationError, match="somebody else"):
            apply(linked, mapping)

    @only_on("sqlite")
    def test_a_lock_that_a_killed_process_left(self, table, mapping, tmp_path):
        """Nobody holds it; and it is not left again."""
        table.make("repo")
        (tmp_path / "gitea.db-scopeware-migrate").touch()
        assert apply(table.column(), mapping).rows == 1
        assert [path.name for path in tmp_path.iterdir()] == ["gitea.db"]

    @only_on("sqlite")
    def test_a_lock_that_is_gone_when_it_is_had(self, table, mapping, tmp_path, monkeypatch):
        """Who held it removed it just then: a third may hold another one of that name."""
        table.make("repo")
        lock = fcntl.flock

        def late(*arguments):
            lock(*arguments)
            (tmp_path / "gitea.db-scopeware-migrate").unlink()

        with monkeypatch.context() as patch:
            patch.setattr(fcntl, "flock", late)
            with pytest.raises(ConfigurationError, match="somebody else"):
                apply(table.column(), mapping)
        assert apply(table.column(), mapping).rows == 1

    def test_the_lock_is_given_back_when_it_fails(self, gitea, mapping, refuse_writes):
        """On the same connection and on others."""
        refuse_writes(gitea)
        column = gitea.column()
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="Sunday"):
                apply(column, mapping)
        with gitea.column().alone():
            pass


class TestProgress:
    def test_it_says_how_many_rows_it_has_gone_over(self, table, mapping):
        """No more than there are, and all of them."""
        table.make(*["repo"] * 7, *["write:misc"] * 3)
        told = []
        apply(table.column(), mapping, progress=told.append)
        assert len(told) > 2
        assert sum(told) == 10
        told.clear()
        undo(table.column(), progress=told.append)
        assert sum(told) == 7

    def test_memory_is_flat(self, table, mapping, monkeypatch):
        """A hundred times the rows on SQLite, ten times on a server, with as many texts."""
        monkeypatch.setattr(run, "CHUNK", 1000)
        words = mapping.old.words
        texts = [f"{words[each % len(words)]},{words[each // len(words)]}" for each in range(500)]
        rows = {"sqlite": 100_000, "postgres": 10_000, "mariadb": 10_000}[table.kind]
        peaks = []
        for number in (1000, rows):
            table.sql("DROP TABLE IF EXISTS access_token")
            table.make(key="INTEGER PRIMARY KEY", scope="VARCHAR(200)")
            table.insert(enumerate(texts))
            table.sql(
                "INSERT INTO access_token SELECT a.id + 500 * n.n, a.scope FROM access_token a, "
                f"{_numbers(table.kind, number // 500 - 1)} n"
            )
            (before,) = table.sql("SELECT COUNT(*) FROM access_token WHERE scope LIKE '%:%'")
            tracemalloc.start()
            try:
                applied = apply(table.column(), mapping)
                undone = undo(table.column())
                peaks.append(tracemalloc.get_traced_memory()[1])
            finally:
                tracemalloc.stop()
            assert applied.rows == undone.rows > number * 0.9
            assert table.sql("SELECT COUNT(*) FROM access_token WHERE scope LIKE '%:%'") == [before]
        assert peaks[1] < peaks[0] * 1.5 + 200_000


def _numbers(kind, most):
    """A table of the numbers from 1."""
    if kind == "postgres":
        return f"(SELECT generate_series(1, {most}) AS n)"
    if kind == "mariadb":
        return f"(SELECT seq AS n FROM seq_1_to_{most})"
    return f"(WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < {most}) SELECT n FROM up)"


@only_on("sqlite")
def test_a_lent_database_in_memory_leaves_no_file(kind, mapping, tmp_path, monkeypatch):
    """There is nobody else."""
    monkeypatch.chdir(tmp_path)
    database = peewee.SqliteDatabase(":memory:")
    with database.connection_context():
        database.execute_sql("CREATE TABLE access_token (id INTEGER PRIMARY KEY, scope TEXT)")
        database.execute_sql("INSERT INTO access_token VALUES (1, 'repo')")
        column = Column(database, Place("access_token", "scope"))
        assert apply(column, mapping).rows == 1
        assert undo(column).rows == 1
    assert list(tmp_path.iterdir()) == []
