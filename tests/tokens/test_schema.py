"""Migrations: up, down, twice, by two at once; and that they make what the models say."""

import multiprocessing
import shutil
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from peewee import IntegrityError, SqliteDatabase
from playhouse.migrations import Runner
from token_helpers import accepted, raw, rows, run_sql, url_of

from scopeware.errors import ConfigurationError
from scopeware.tokens import SchemaError, StoreUnavailable, TokenStore, schema
from scopeware.tokens.database import MEMORY, Database
from scopeware.tokens.models import Owner, Token

FORK = multiprocessing.get_context("fork")
FIRST = "0001_tokens"


@pytest.fixture
def peewee(path):
    """A connection to the database file, which does not exist before."""
    database = SqliteDatabase(path, pragmas={"foreign_keys": 1})
    with database.connection_context():
        yield database


def tables(database):
    """The tables there are."""
    return set(database.get_tables()) - {"sqlite_sequence"}


def test_an_empty_database_gets_all_tables(peewee):
    """And says which migrations made them."""
    assert schema.upgrade(peewee) == [FIRST]
    assert tables(peewee) == {"owner", "token", "generation", "scopeware_migration"}
    assert peewee.execute_sql("SELECT id, counter FROM generation").fetchall() == [(1, 0)]


def test_a_second_upgrade_does_nothing(peewee):
    """Not a byte of the data changes."""
    schema.upgrade(peewee)
    peewee.execute_sql("INSERT INTO owner (name, role, active, created_at) VALUES ('alice', 'user', 1, 0)")
    before = list(peewee.connection().iterdump())
    assert schema.upgrade(peewee) == []
    assert list(peewee.connection().iterdump()) == before


def test_opening_a_store_again_keeps_its_tokens(connect):
    """Migrated or not."""
    issued = connect().issue(owner="alice", name="ci", scopes="read:user")
    assert accepted(connect(), issued.secret)
    assert accepted(connect(migrate=False), issued.secret)


def test_the_status_says_what_was_applied_and_when(peewee):
    """Before, nothing; afterwards the time; of what a newer version did, that it is not known."""
    assert schema.status(peewee) == [schema.Step(FIRST, None, known=True)]
    schema.upgrade(peewee)
    (step,) = schema.status(peewee)
    assert (step.name, step.known) == (FIRST, True)
    assert abs((datetime.now(UTC) - step.applied).total_seconds()) < 60
    peewee.execute_sql("INSERT INTO scopeware_migration (name, applied) VALUES ('0999_future', '2030-01-01 00:00:00')")
    assert [(step.name, step.known) for step in schema.status(peewee)] == [(FIRST, True), ("0999_future", False)]


def test_a_migration_goes_down_and_up_again(peewee):
    """Down leaves nothing but the history, up makes the same tables again."""
    schema.upgrade(peewee)
    first = list(peewee.connection().iterdump())
    assert schema._runner(peewee).down() == [FIRST]
    assert tables(peewee) == {"scopeware_migration"}
    assert schema.status(peewee) == [schema.Step(FIRST, None, known=True)]
    with pytest.raises(SchemaError):
        schema.check(peewee)
    assert schema.upgrade(peewee) == [FIRST]
    again = list(peewee.connection().iterdump())
    assert [line for line in again if "scopeware_migration" not in line] == [
        line for line in first if "scopeware_migration" not in line
    ]


def test_a_migration_that_fails_leaves_nothing(peewee, tmp_path, monkeypatch):
    """Each is whole or not at all."""
    directory = tmp_path / "migrations"
    shutil.copytree(schema.directory(), directory, ignore=shutil.ignore_patterns("__pycache__"))
    (directory / "0002_broken.py").write_text(
        "def up(migrator, db):\n    db.execute_sql('CREATE TABLE half (x)')\n    raise RuntimeError('broken')\n"
    )
    monkeypatch.setattr(schema, "directory", lambda: directory)
    with pytest.raises(RuntimeError, match="broken"):
        schema.upgrade(peewee)
    assert "half" not in tables(peewee)
    (directory / "0002_broken.py").write_text("def up(migrator, db):\n    db.execute_sql('CREATE TABLE half (x)')\n")
    assert schema.upgrade(peewee)[-1] == "0002_broken"
    assert "half" in tables(peewee)


# -- older and newer databases


@pytest.mark.parametrize("migrate", [True, False])
def test_a_database_of_a_newer_version_is_refused_and_left_alone(migrate, connect, path):
    """The migration that is not known here is named; without it the store opens."""
    connect().add_owner("alice")
    run_sql(path, "INSERT INTO scopeware_migration (name, applied) VALUES ('0999_future', '2030-01-01 00:00:00')")
    before = rows(path)
    with pytest.raises(SchemaError, match=r"newer version \(it has 0999_future\); upgrade scopeware") as caught:
        TokenStore.connect(url_of(path), migrate=migrate)
    assert isinstance(caught.value, ConfigurationError)
    assert rows(path) == before
    run_sql(path, "DELETE FROM scopeware_migration WHERE name = '0999_future'")
    assert connect(migrate=migrate).owner("alice")


def test_a_file_that_does_not_exist_is_refused_unless_it_may_be_made(path):
    """Without migration there is nothing to use."""
    with pytest.raises((SchemaError, StoreUnavailable)):
        TokenStore.connect(url_of(path), migrate=False)
    TokenStore.connect(url_of(path)).close()
    TokenStore.connect(url_of(path), migrate=False).close()


def test_a_file_that_does_not_exist_is_not_made_by_looking_for_it(path):
    """A mistyped name leaves nothing behind."""
    with pytest.raises((SchemaError, StoreUnavailable)):
        TokenStore.connect(url_of(path), migrate=False)
    assert list(path.parent.iterdir()) == []


def test_whether_there_is_a_file_can_be_asked(path):
    """Before anything is opened; a database in memory is always there."""
    with pytest.raises(StoreUnavailable, match="there is no such file; `scopeware db upgrade` makes one"):
        Database(str(path)).check_exists()
    assert list(path.parent.iterdir()) == []
    TokenStore.connect(url_of(path)).close()
    Database(str(path)).check_exists()
    Database(MEMORY).check_exists()


@pytest.mark.parametrize("statement", ["CREATE TABLE something (x)", "VACUUM"])
def test_a_database_without_the_tables_is_refused_unless_they_may_be_made(statement, path):
    """The pending migration is named, and the remedy; nothing is made."""
    run_sql(path, statement)
    with pytest.raises(SchemaError, match="lacks the migration 0001_tokens; run `scopeware db upgrade`"):
        TokenStore.connect(url_of(path), migrate=False)
    with sqlite3.connect(path) as connection:
        made = connection.execute("SELECT name FROM sqlite_master WHERE name <> 'something'").fetchall()
    connection.close()
    assert made == []
    TokenStore.connect(url_of(path)).close()


def test_a_database_in_memory_needs_its_tables_made(connect):
    """There is nothing to find in it."""
    with pytest.raises(SchemaError):
        TokenStore.connect("sqlite:///:memory:", migrate=False)
    assert connect("sqlite:///:memory:").owners() == []


def migrate_at_once(path, barrier, channel):
    """Open the store when everybody is ready, and say how that went."""
    barrier.wait(10)
    try:
        TokenStore.connect(url_of(path)).close()
        channel.put("fine")
    except Exception as error:
        channel.put(repr(error))


NO_WAITING = "switching to write-ahead logging does not wait for a lock"


def test_a_new_file_that_another_process_is_writing_is_waited_for(path):
    """Of two that start at once, the second one waits for the first one's transaction."""
    with raw(path) as connection, ThreadPoolExecutor(1) as pool:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE first (x)")
        opening = pool.submit(TokenStore.connect, url_of(path))
        time.sleep(0.3)
        connection.execute("COMMIT")
        opening.result().close()


def test_processes_that_migrate_at_once_do_not_disturb_each_other(tmp_path):
    """One does it, the others find it done; no one fails."""
    for turn in range(5):
        barrier, channel = FORK.Barrier(6), FORK.Queue()
        path = tmp_path / f"{turn}.db"
        processes = [FORK.Process(target=migrate_at_once, args=(path, barrier, channel)) for _ in range(6)]
        for process in processes:
            process.start()
        assert [channel.get(timeout=20) for _ in processes] == ["fine"] * 6
        for process in processes:
            process.join(20)
        with TokenStore.connect(url_of(path))._database.session():
            pass
        assert len(rows(path)["generation"]) == 1


# -- what the migrations make is what the models say


def shape(database, table):
    """Columns and indexes of a table, for comparison."""
    columns = {
        column.name: (column.data_type.upper(), column.null, column.primary_key)
        for column in database.get_columns(table)
    }
    indexes = {(tuple(index.columns), index.unique) for index in database.get_indexes(table)}
    keys = {(key.column, key.dest_table, key.dest_column) for key in database.get_foreign_keys(table)}
    actions = {row[6] for row in database.execute_sql(f"PRAGMA foreign_key_list({table})").fetchall()}
    return columns, indexes, keys, actions


@pytest.mark.parametrize("model", [Owner, Token])
def test_a_migrated_database_has_the_columns_of_the_models(model, peewee):
    """Types, nullability, indexes and references: the models and the migrations have not drifted apart."""
    schema.upgrade(peewee)
    table = model._meta.table_name
    modelled = SqliteDatabase(":memory:")
    with modelled.bind_ctx([Owner, Token]), modelled.connection_context():
        modelled.create_tables([Owner, Token])
        expected = shape(modelled, table)
    assert expected[0]
    assert shape(peewee, table) == expected


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("INSERT INTO owner (name, role, active, created_at) VALUES ('', 'user', 1, 0)", id="no-name"),
        pytest.param("INSERT INTO owner (name, role, active, created_at) VALUES ('alice', 'user', 1, 0)", id="twice"),
        pytest.param("UPDATE owner SET role = NULL", id="no-role"),
        pytest.param("UPDATE token SET scopes = NULL", id="scopes-null"),
        pytest.param("UPDATE token SET scopes = ''", id="scopes-empty"),
        pytest.param("UPDATE token SET name = ''", id="no-token-name"),
        pytest.param("UPDATE token SET digest = x'00'", id="short-digest"),
        pytest.param("UPDATE token SET digest = zeroblob(32)", id="one-digest-twice"),
        pytest.param("UPDATE token SET live_name = 'ci'", id="one-live-name-twice"),
        pytest.param("UPDATE token SET owner_id = 99", id="nobodys-token"),
    ],
)
def test_the_database_itself_refuses_what_must_not_be(statement, peewee):
    """Whatever writes to it: constraints hold the invariants; a change that keeps them is made."""
    schema.upgrade(peewee)
    peewee.execute_sql("INSERT INTO owner (name, role, active, created_at) VALUES ('alice', 'user', 1, 0)")
    for number in (1, 2):
        peewee.execute_sql(
            "INSERT INTO token (owner_id, name, live_name, scopes, digest, hint, created_at) "
            "VALUES (1, 'x', ?, 'all', randomblob(32), 'abcd', 0)",
            (str(number),),
        )
    with pytest.raises(IntegrityError):
        peewee.execute_sql(statement)
    peewee.execute_sql("UPDATE token SET scopes = 'read:user', live_name = NULL")


@pytest.mark.parametrize(
    ("statement", "counted"),
    [
        pytest.param("INSERT INTO owner (name, role, active, created_at) VALUES ('bob', 'user', 1, 0)", 1, id="insert"),
        pytest.param("UPDATE owner SET role = 'admin'", 1, id="role"),
        pytest.param("UPDATE owner SET active = 0", 1, id="active"),
        pytest.param("UPDATE owner SET name = 'bob'", 1, id="name"),
        pytest.param("UPDATE owner SET created_at = 5", 0, id="created-at"),
        pytest.param("UPDATE token SET scopes = 'all'", 1, id="scopes"),
        pytest.param("UPDATE token SET expires_at = 5", 1, id="expires-at"),
        pytest.param("UPDATE token SET revoked_at = 5", 1, id="revoked-at"),
        pytest.param("UPDATE token SET digest = zeroblob(32)", 1, id="digest"),
        pytest.param("UPDATE token SET name = 'x'", 1, id="token-name"),
        pytest.param("UPDATE token SET hint = 'x'", 0, id="hint"),
        pytest.param("UPDATE token SET scopes = 'all' WHERE id = 99", 0, id="no-row"),
        pytest.param("DELETE FROM token", 1, id="delete"),
        pytest.param("DELETE FROM owner", 2, id="delete-with-cascade"),
        pytest.param("SELECT * FROM token", 0, id="select"),
    ],
)
def test_changes_that_matter_are_counted(statement, counted, peewee):
    """By the database itself, so that nobody can forget to; what no decision depends on is not."""
    schema.upgrade(peewee)
    peewee.execute_sql("INSERT INTO owner (name, role, active, created_at) VALUES ('alice', 'user', 1, 0)")
    peewee.execute_sql(
        "INSERT INTO token (owner_id, name, live_name, scopes, digest, hint, created_at) "
        "VALUES (1, 'ci', 'ci', 'read:user', randomblob(32), 'abcd', 0)"
    )
    before = peewee.execute_sql("SELECT counter FROM generation").fetchone()[0]
    peewee.execute_sql(statement)
    assert (peewee.execute_sql("SELECT counter FROM generation").fetchone()[0] != before) is (counted > 0)


# -- where migrations are


def test_migrations_are_found_in_the_source_tree():
    """Beside the package, each with a way up and down."""
    found = schema.directory()
    assert found == Path(schema.__file__).parents[2] / "migrations"
    names = sorted(file.stem for file in found.glob("[0-9]*.py"))
    assert names[0] == FIRST
    numbers = [name.partition("_")[0] for name in names]
    assert numbers == [f"{number:04}" for number in range(1, len(names) + 1)]
    for migration in Runner(SqliteDatabase(":memory:"), str(found)).migrations():
        module = migration.load()
        assert callable(module.up)
        assert callable(module.down)


def test_an_installed_package_brings_its_migrations(tmp_path, monkeypatch):
    """Inside the package they come first."""
    package = tmp_path / "scopeware"
    (package / "tokens").mkdir(parents=True)
    monkeypatch.setattr(schema, "__file__", str(package / "tokens" / "schema.py"))
    assert schema.directory() == tmp_path / "migrations"
    (package / "_migrations").mkdir()
    assert schema.directory() == package / "_migrations"
