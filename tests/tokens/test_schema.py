"""Migrations: up, down, twice, by two at once; and that they make what the models say, on every database."""

import multiprocessing
import shutil
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import peewee
import psycopg
import pymysql
import pytest
import services
from peewee import AutoField, BigAutoField, ForeignKeyField
from playhouse.migrations import Runner
from token_helpers import MODELS, Home, accepted, raw, rows, run_sql, url_of

from scopeware.errors import ConfigurationError
from scopeware.tokens import SchemaError, StoreUnavailable, TokenStore, schema
from scopeware.tokens.sqlite import MEMORY, SqliteDatabase
from scopeware.tokens.urls import database_at

FORK = multiprocessing.get_context("fork")
FIRST = "0001_tables"
TABLES = {model._meta.table_name for model in MODELS}
ALICE = "INSERT INTO scopeware_owner (name, role, created_at) VALUES ('alice', 'user', 0)"


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def url(request, path):
    """A database of each kind with nothing in it; SQLite's file does not exist before."""
    return url_of(path) if request.param == "sqlite" else request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def kind(url):
    """Of which kind the database is."""
    return services.kind_of(url)


@pytest.fixture
def database(url):
    """The database, ready for tables, with a connection."""
    found = database_at(url)
    found.set_up()
    with found.session():
        yield found
    found.close()


def tables(database):
    """The tables there are."""
    return set(database.peewee.get_tables()) - {"sqlite_sequence", "scopeware_migration"}


def all_tables(kind):
    """Those there should be."""
    return TABLES | ({"scopeware_generation"} if kind == "sqlite" else set())


def content(database):
    """All rows of all tables."""
    select = database.peewee.execute_sql
    return {name: sorted(map(repr, select(f"SELECT * FROM {name}").fetchall())) for name in tables(database)}


def test_an_empty_database_gets_all_tables(database, kind):
    """And says which migrations made them; on SQLite the counter of changes is in its place."""
    assert schema.upgrade(database) == [FIRST]
    assert tables(database) == all_tables(kind)
    counters = content(database).pop("scopeware_generation", None)
    assert (counters is not None) is (kind == "sqlite")
    assert counters is None or len(counters) == 1


def test_a_second_upgrade_does_nothing(database):
    """Nothing is added, and nothing is lost."""
    schema.upgrade(database)
    database.peewee.execute_sql(ALICE)
    before = content(database), shapes(database)
    assert schema.upgrade(database) == []
    assert (content(database), shapes(database)) == before


def test_opening_a_store_again_keeps_its_tokens(home):
    """Migrated or not."""
    issued = home.connect().issue(owner="alice", name="ci", scopes="read:user")
    assert accepted(home.connect(), issued.secret)
    assert accepted(home.connect(migrate=False), issued.secret)


def test_the_status_says_what_was_applied_and_when(database):
    """Before, nothing; afterwards the time; of what a newer version did, that it is not known."""
    assert schema.status(database.peewee) == [schema.Step(FIRST, None, known=True)]
    schema.upgrade(database)
    (step,) = schema.status(database.peewee)
    assert (step.name, step.known) == (FIRST, True)
    assert abs((datetime.now(UTC) - step.applied).total_seconds()) < 60
    database.peewee.execute_sql(
        "INSERT INTO scopeware_migration (name, applied) VALUES ('0999_future', '2030-01-01 00:00:00')"
    )
    known = [(step.name, step.known) for step in schema.status(database.peewee)]
    assert known == [(FIRST, True), ("0999_future", False)]


def test_a_migration_goes_down_and_up_again(database, kind):
    """Down leaves nothing but the history, up makes the same tables again; rows and all."""
    schema.upgrade(database)
    database.peewee.execute_sql(ALICE)
    first = shapes(database)
    assert schema._runner(database.peewee).down() == [FIRST]
    assert tables(database) == set()
    assert schema.status(database.peewee) == [schema.Step(FIRST, None, known=True)]
    with pytest.raises(SchemaError):
        schema.check(database.peewee)
    assert schema.upgrade(database) == [FIRST]
    assert tables(database) == all_tables(kind)
    assert shapes(database) == first
    schema.check(database.peewee)
    database.peewee.execute_sql(ALICE)


def test_sqlite_has_the_same_triggers_after_going_down_and_up(path):
    """They are no part of what can be compared between databases."""
    with closing(SqliteDatabase(str(path))) as database:
        database.set_up()
        with database.session():
            schema.upgrade(database)
            first = list(database.peewee.connection().iterdump())
            schema._runner(database.peewee).down()
            schema.upgrade(database)
            again = list(database.peewee.connection().iterdump())
    assert sum("CREATE TRIGGER" in line for line in first) == 6
    differing = ("scopeware_migration", "INSERT INTO")
    assert [line for line in again if not any(word in line for word in differing)] == [
        line for line in first if not any(word in line for word in differing)
    ]


@pytest.fixture
def broken_second(tmp_path, monkeypatch):
    """A second migration that makes a table and fails; called, it no longer fails."""
    directory = tmp_path / "migrations"
    shutil.copytree(schema.directory(), directory, ignore=shutil.ignore_patterns("__pycache__"))
    second = directory / "0002_broken.py"
    made = "def up(migrator, db):\n    db.execute_sql('CREATE TABLE IF NOT EXISTS half (x INTEGER)')\n"
    second.write_text(f"{made}    raise RuntimeError('broken')\n")
    monkeypatch.setattr(schema, "directory", lambda: directory)
    return lambda: second.write_text(made)


def test_a_migration_that_fails_is_not_taken_for_one_that_was_applied(database, kind, broken_second):
    """Where tables are made in transactions, nothing of it is left; once it no longer fails, it is made up for."""
    with pytest.raises(SchemaError, match="broken"):
        schema.upgrade(database)
    assert ("half" in tables(database)) is (kind == "mariadb")
    pending = [step.name for step in schema.status(database.peewee) if step.applied is None]
    assert pending == (["0002_broken"] if kind == "mariadb" else [FIRST, "0002_broken"])
    with pytest.raises(SchemaError):
        schema.check(database.peewee)
    broken_second()
    assert schema.upgrade(database)[-1] == "0002_broken"
    assert "half" in tables(database)


class Killed(BaseException):
    """What a process feels of SIGKILL, from the inside."""


def test_an_attempt_that_was_killed_anywhere_is_completed_by_the_next_one(database, kind, url, monkeypatch):
    """Whatever it left: after each of its statements once more, on one database; the outcome is as if never killed."""
    execute = database.peewee.execute_sql
    budget = 0

    def execute_some(sql, *arguments, **options):
        nonlocal budget
        if sql.startswith(("CREATE", "DROP", "INSERT")):
            if not budget:
                raise Killed
            budget -= 1
        return execute(sql, *arguments, **options)

    left = set()
    attempts = 0
    with monkeypatch.context() as patch:
        patch.setattr(database.peewee, "execute_sql", execute_some)
        while True:
            attempts += 1
            budget = attempts
            try:
                applied = schema.upgrade(database)
                break
            except Killed:
                left.add(frozenset(tables(database)))
                with pytest.raises(SchemaError, match="lacks the migration 0001_tables"):
                    schema.check(database.peewee)
    assert applied == [FIRST]
    assert attempts > 10
    assert len(left) == (5 if kind == "mariadb" else 1)
    assert tables(database) == all_tables(kind)
    made = shapes(database)
    schema._runner(database.peewee).down()
    schema.upgrade(database)
    assert shapes(database) == made


def half_made(url, *statements):
    """A database where an attempt to migrate was killed; then `statements` were run."""
    TokenStore.connect(url).close()
    services.run_sql(url, "DROP TABLE scopeware_access_log, scopeware_pepper", "DELETE FROM scopeware_migration")
    if statements:
        services.run_sql(url, *statements)


def test_tables_with_rows_that_no_migration_made_are_refused_and_left_alone(mariadb_url):
    """Whoever put them there wants to keep them; without rows, they are in nobody's way."""
    half_made(mariadb_url, ALICE)
    with pytest.raises(ConfigurationError, match="there is a table scopeware_owner with rows in it"):
        TokenStore.connect(mariadb_url)
    assert services.run_sql(mariadb_url, "SELECT name FROM scopeware_owner") == [("alice",)]
    services.run_sql(mariadb_url, "DELETE FROM scopeware_owner")
    TokenStore.connect(mariadb_url).close()


# -- older and newer databases


@pytest.mark.parametrize("migrate", [True, False])
def test_a_database_of_a_newer_version_is_refused_and_left_alone(migrate, url):
    """The migration that is not known here is named; without it the store opens."""
    home = Home(url)
    home.connect().add_owner("alice")
    home.run_sql("INSERT INTO scopeware_migration (name, applied) VALUES ('0999_future', '2030-01-01 00:00:00')")
    before = home.rows()
    with pytest.raises(SchemaError, match=r"newer version \(it has 0999_future\); upgrade scopeware") as caught:
        TokenStore.connect(url, migrate=migrate)
    assert isinstance(caught.value, ConfigurationError)
    assert home.rows() == before
    home.run_sql("DELETE FROM scopeware_migration WHERE name = '0999_future'")
    assert home.connect(migrate=migrate).owner("alice")
    home.close()


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
        SqliteDatabase(str(path)).check_exists()
    assert list(path.parent.iterdir()) == []
    TokenStore.connect(url_of(path)).close()
    SqliteDatabase(str(path)).check_exists()
    SqliteDatabase(MEMORY).check_exists()


@pytest.mark.parametrize("server", ["postgres", "mariadb"])
def test_a_database_that_is_on_no_server_is_not_made(server, request):
    """Its administrators make it; the server that has one says so."""
    there = request.getfixturevalue(f"{server}_url")
    missing = f"{there}_missing"
    for ask in (database_at(missing).check_exists, database_at(missing).set_up, lambda: TokenStore.connect(missing)):
        with pytest.raises(StoreUnavailable, match="_missing"):
            ask()
    with closing(database_at(there)) as database:
        database.check_exists()


@pytest.mark.parametrize("statement", ["CREATE TABLE something (x INTEGER)", "SELECT 1"])
def test_a_database_without_the_tables_is_refused_unless_they_may_be_made(statement, database, kind, url):
    """The pending migration is named, and the remedy; nothing is made."""
    database.peewee.execute_sql(statement)
    before = set(database.peewee.get_tables())
    with pytest.raises(SchemaError, match="lacks the migration 0001_tables; run `scopeware db upgrade`"):
        TokenStore.connect(url, migrate=False)
    assert set(database.peewee.get_tables()) == before
    TokenStore.connect(url).close()
    assert set(database.peewee.get_tables()) - {"sqlite_sequence"} == before | all_tables(kind) | {
        "scopeware_migration"
    }


def test_a_database_in_memory_needs_its_tables_made(connect):
    """There is nothing to find in it."""
    with pytest.raises(SchemaError):
        TokenStore.connect("sqlite:///:memory:", migrate=False)
    assert connect("sqlite:///:memory:").owners() == []


def migrate_at_once(url, barrier, channel):
    """Open the store when everybody is ready, and say how that went."""
    barrier.wait(10)
    try:
        TokenStore.connect(url).close()
        channel.put("fine")
    except Exception as error:
        channel.put(repr(error))


def test_a_new_file_that_another_process_is_writing_is_waited_for(path):
    """Of two that start at once, the second one waits for the first one's transaction."""
    with raw(path) as connection, ThreadPoolExecutor(1) as pool:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE first (x)")
        opening = pool.submit(TokenStore.connect, url_of(path))
        time.sleep(0.3)
        connection.execute("COMMIT")
        opening.result().close()


def several_migrate(url):
    """Processes that all migrate at once: what each says."""
    barrier, channel = FORK.Barrier(6), FORK.Queue()
    processes = [FORK.Process(target=migrate_at_once, args=(url, barrier, channel)) for _ in range(6)]
    for process in processes:
        process.start()
    said = [channel.get(timeout=20) for _ in processes]
    for process in processes:
        process.join(20)
    return said


@pytest.mark.parametrize("turn", range(3))
def test_processes_that_migrate_at_once_do_not_disturb_each_other(turn, url, kind):
    """One does it, the others find it done; no one fails."""
    assert several_migrate(url) == ["fine"] * 6
    assert len(services.run_sql(url, "SELECT name FROM scopeware_migration")) == 1
    with closing(TokenStore.connect(url, migrate=False)) as store:
        assert accepted(store, store.issue(owner="alice", name="ci", scopes="read:user").secret)
    assert kind != "sqlite" or len(rows(Path(url.removeprefix("sqlite:///")))["generation"]) == 1


def test_processes_that_find_a_half_made_migration_complete_it_once(mariadb_url):
    """The tables that one of them makes the others do not take for what was left behind."""
    half_made(mariadb_url)
    assert several_migrate(mariadb_url) == ["fine"] * 6
    assert len(services.run_sql(mariadb_url, "SELECT name FROM scopeware_migration")) == 1


# -- what the migrations make is what the models say

TYPES = {
    "sqlite": {
        "AutoField": "INTEGER",
        "BigAutoField": "INTEGER",
        "ForeignKeyField": "INTEGER",
        "IntegerField": "INTEGER",
        "SmallIntegerField": "INTEGER",
        "BigIntegerField": "INTEGER",
        "BooleanField": "INTEGER",
        "CharField": "VARCHAR",
        "TextField": "TEXT",
        "BlobField": "BLOB",
    },
    "postgres": {
        "AutoField": "integer",
        "BigAutoField": "bigint",
        "ForeignKeyField": "integer",
        "IntegerField": "integer",
        "SmallIntegerField": "smallint",
        "BigIntegerField": "bigint",
        "BooleanField": "boolean",
        "CharField": "character varying",
        "TextField": "text",
        "BlobField": "bytea",
    },
    "mariadb": {
        "AutoField": "int",
        "BigAutoField": "bigint",
        "ForeignKeyField": "int",
        "IntegerField": "int",
        "SmallIntegerField": "smallint",
        "BigIntegerField": "bigint",
        "BooleanField": "tinyint",
        "CharField": "varchar",
        "TextField": "text",
        "BlobField": "binary",
    },
}
"""What a field is in each database."""

KEYS = {
    "postgres": "SELECT k.column_name, u.table_name, r.delete_rule FROM information_schema.referential_constraints r "
    "JOIN information_schema.key_column_usage k USING (constraint_name) "
    "JOIN information_schema.constraint_column_usage u USING (constraint_name) WHERE k.table_name = '{table}'",
    "mariadb": "SELECT k.column_name, r.referenced_table_name, r.delete_rule "
    "FROM information_schema.referential_constraints r JOIN information_schema.key_column_usage k "
    "ON k.constraint_name = r.constraint_name AND k.table_schema = r.constraint_schema "
    "WHERE r.constraint_schema = database() AND r.table_name = '{table}'",
}
"""The columns of a table that refer to another one, to which, and what happen when that row is deleted."""


def shape(database, table):
    """Columns, indexes and references of a table as they are."""
    db = database.peewee
    if isinstance(db, peewee.SqliteDatabase):
        columns = {}
        for _, name, declared, not_null, _, key in db.execute_sql(f"PRAGMA table_info({table})").fetchall():
            kind, _, length = declared.partition("(")
            columns[name] = (kind, int(length.rstrip(")")) if length else None, not (not_null or key))
        found = db.execute_sql(f"PRAGMA foreign_key_list({table})").fetchall()
        keys = {(column, other, action) for _, _, other, column, _, _, action, _ in found}
    else:
        columns = {}
        for name, kind, length, null in db.execute_sql(
            "SELECT column_name, data_type, character_maximum_length, is_nullable FROM information_schema.columns "
            "WHERE table_name = %s AND table_schema = "
            + ("database()" if isinstance(db, peewee.MySQLDatabase) else "current_schema()"),
            (table,),
        ).fetchall():
            columns[name] = (kind, length if "char" in kind else None, null == "YES")
        which = "mariadb" if isinstance(db, peewee.MySQLDatabase) else "postgres"
        keys = set(db.execute_sql(KEYS[which].format(table=table)).fetchall())
    indexes = {(tuple(index.columns), bool(index.unique)) for index in db.get_indexes(table)}
    return columns, indexes, keys


def shapes(database):
    """That of each table."""
    return {table: shape(database, table) for table in tables(database)}


def modelled(model, kind):
    """Columns, indexes and references of a table as its model has them."""
    meta = model._meta
    columns = {}
    for field in meta.sorted_fields:
        length = field.max_length if isinstance(field, peewee.CharField) else None
        columns[field.column_name] = (TYPES[kind][type(field).__name__], length, field.null)
    single = [field for field in meta.sorted_fields if field.unique or field.index]
    indexes = {((field.column_name,), bool(field.unique)) for field in single}
    for names, unique in meta.indexes:
        indexes.add((tuple(meta.fields[name].column_name for name in names), unique))
    keys = {
        (field.column_name, field.rel_model._meta.table_name, field.on_delete)
        for field in meta.sorted_fields
        if isinstance(field, ForeignKeyField)
    }
    return columns, indexes, keys


def test_a_migrated_database_has_what_the_models_say(database, kind):
    """Columns with type, length and nullability, indexes, references and what follows from a deletion: the models and
    the migrations have not drifted apart."""
    schema.upgrade(database)
    for model in MODELS:
        columns, indexes, keys = shape(database, model._meta.table_name)
        expected_columns, expected_indexes, expected_keys = modelled(model, kind)
        assert columns == expected_columns
        assert keys == expected_keys
        key = (model._meta.primary_key.column_name,)
        # Where the primary key has an index of its own, it is listed, too.
        assert indexes - {(key, True)} == expected_indexes - {(key, True)}


def test_every_field_is_one_whose_type_is_compared():
    """A kind of field that nobody thought of would be a KeyError; that a number is made up is said by each model."""
    assert {type(model._meta.primary_key) for model in MODELS} == {AutoField, BigAutoField, peewee.IntegerField}
    used = {type(field).__name__ for model in MODELS for field in model._meta.sorted_fields}
    assert used == set(TYPES["postgres"]) == set(TYPES["sqlite"]) == set(TYPES["mariadb"])


# -- what no writer gets past

TOKEN = "owner_id, name, live_name, scopes, digest, hint, created_at"
ENTRY = "at, address, method, path, group_path, scopes, decision, duration"
BLOBS = {"sqlite": "X'{}'", "postgres": "'\\x{}'", "mariadb": "X'{}'"}
CHECK_FAILED = 4025
"""What MariaDB says of a CHECK, which to its driver is an OperationalError."""


@pytest.fixture
def filled(home):
    """A database with an owner, two tokens, a pepper and an entry of the log."""

    def blob(byte, length=32):
        return BLOBS[home.kind].format(byte * length)

    home.blob = blob
    home.connect().close()
    home.run_sql(ALICE)
    ((home.alice,),) = home.run_sql("SELECT id FROM scopeware_owner")
    for number in ("01", "02"):
        home.run_sql(
            f"INSERT INTO scopeware_token ({TOKEN}) "
            f"VALUES ({home.alice}, 'x', '{number}', 'all', {blob(number)}, 'abcd', 0)"
        )
    home.run_sql(
        f"INSERT INTO scopeware_pepper (version, proof, created_at) VALUES (1, {blob('01')}, 0)",
        f"INSERT INTO scopeware_access_log ({ENTRY}) VALUES (0, '::1', 'GET', '/', '', '', 'allowed', 1)",
    )
    return home


def broken_constraint(home, statement):
    """The driver's own words for a constraint that a statement breaks; ``None`` where it breaks none."""
    try:
        with closing(services._connect(home.url)) as connection, closing(connection.cursor()) as cursor:
            if home.kind == "sqlite":
                cursor.execute("PRAGMA foreign_keys = 1")
            cursor.execute(statement)
    except (sqlite3.IntegrityError, psycopg.IntegrityError, pymysql.err.IntegrityError) as error:
        return str(error)
    except pymysql.err.OperationalError as error:
        if error.args[0] != CHECK_FAILED:
            raise
        return str(error)
    return None


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("INSERT INTO scopeware_owner (name, role, created_at) VALUES ('', 'user', 0)", id="no-name"),
        pytest.param("INSERT INTO scopeware_owner (name, role, created_at) VALUES ('alice', 'user', 0)", id="twice"),
        pytest.param("INSERT INTO scopeware_owner (name, role, created_at) VALUES (NULL, 'user', 0)", id="name-null"),
        pytest.param("UPDATE scopeware_owner SET role = NULL", id="no-role"),
        pytest.param("UPDATE scopeware_owner SET kind = 'robot'", id="kind-nobody-knows"),
        pytest.param("UPDATE scopeware_owner SET kind = ''", id="no-kind"),
        pytest.param("UPDATE scopeware_owner SET kind = NULL", id="kind-null"),
        pytest.param("UPDATE scopeware_owner SET active = NULL", id="neither-active-nor-not"),
        pytest.param("UPDATE scopeware_owner SET created_at = NULL", id="owner-of-no-time"),
        pytest.param("UPDATE scopeware_token SET scopes = NULL", id="scopes-null"),
        pytest.param("UPDATE scopeware_token SET scopes = ''", id="scopes-empty"),
        pytest.param("UPDATE scopeware_token SET networks = ''", id="networks-empty"),
        pytest.param("UPDATE scopeware_token SET managed = NULL", id="neither-managed-nor-not"),
        pytest.param("UPDATE scopeware_token SET name = ''", id="no-token-name"),
        pytest.param("UPDATE scopeware_token SET name = NULL", id="token-name-null"),
        pytest.param("UPDATE scopeware_token SET digest = NULL", id="no-digest"),
        pytest.param("UPDATE scopeware_token SET digest = {zeros}", id="one-digest-twice"),
        pytest.param("UPDATE scopeware_token SET pepper = -1", id="negative-pepper"),
        pytest.param("UPDATE scopeware_token SET pepper = NULL", id="pepper-null"),
        pytest.param("UPDATE scopeware_token SET hint = NULL", id="no-hint"),
        pytest.param("UPDATE scopeware_token SET created_at = NULL", id="token-of-no-time"),
        pytest.param("UPDATE scopeware_token SET live_name = 'ci'", id="one-live-name-twice"),
        pytest.param("UPDATE scopeware_token SET owner_id = 0", id="nobodys-token"),
        pytest.param("UPDATE scopeware_token SET owner_id = NULL", id="token-without-owner"),
        pytest.param("UPDATE scopeware_token SET parent_id = 0", id="a-parent-that-is-not"),
        pytest.param("UPDATE scopeware_token SET successor_id = 0", id="a-successor-that-is-not"),
        pytest.param(
            "INSERT INTO scopeware_pepper (version, proof, created_at) VALUES (1, {zeros}, 0)", id="pepper-twice"
        ),
        pytest.param(
            "INSERT INTO scopeware_pepper (version, proof, created_at) VALUES (0, {zeros}, 0)", id="pepper-of-no-number"
        ),
        pytest.param("UPDATE scopeware_pepper SET proof = NULL", id="pepper-without-proof"),
        pytest.param("UPDATE scopeware_access_log SET decision = 'maybe'", id="neither-allowed-nor-denied"),
        pytest.param("UPDATE scopeware_access_log SET decision = NULL", id="no-decision"),
        pytest.param("UPDATE scopeware_access_log SET path = NULL", id="no-path"),
    ],
)
def test_the_database_itself_refuses_what_must_not_be(statement, filled):
    """Whatever writes to it: constraints hold the invariants."""
    before = filled.rows()
    assert broken_constraint(filled, statement.format(zeros=filled.blob("00"))) is not None
    assert filled.rows() == before


@pytest.mark.parametrize("length", [0, 1, 31, 33, 64])
@pytest.mark.parametrize("column", ["scopeware_token SET digest", "scopeware_pepper SET proof"])
def test_a_digest_of_another_length_is_refused(column, length, filled):
    """It cannot be one. MariaDB's column has a fixed length: what is longer does not fit, what is shorter is filled up
    with zeros, and so is no digest of anything, either."""
    where = "hint = 'abcd' AND live_name = '01'" if "token" in column else "version = 1"
    statement = f"UPDATE {column} = {filled.blob('ab', length)} WHERE {where}"
    before = filled.rows()
    if filled.kind == "mariadb" and length < 32:
        assert broken_constraint(filled, statement) is None
        table, _, name = column.removeprefix("scopeware_").partition(" SET ")
        assert bytes.fromhex("ab" * length) + bytes(32 - length) in [row[name] for row in filled.rows()[table]]
    elif filled.kind == "mariadb":
        with pytest.raises(pymysql.err.DataError, match="too long"):
            broken_constraint(filled, statement)
        assert filled.rows() == before
    else:
        assert broken_constraint(filled, statement) is not None
        assert filled.rows() == before


def test_the_database_takes_what_may_be(filled):
    """A change that keeps the constraints is made; names may be given twice where they are free."""
    changes = [
        "UPDATE scopeware_owner SET kind = 'organization', role = 'a role of the deployment', active = FALSE",
        "UPDATE scopeware_token SET scopes = 'read:user', networks = '::1', live_name = NULL, managed = TRUE",
        "UPDATE scopeware_token SET pepper = 7, hint = ''",
        "UPDATE scopeware_token SET expires_at = 253402214400, last_used_at = 1, rotated_at = 1, revoked_at = 1",
        f"UPDATE scopeware_token SET digest = {filled.blob('00')} WHERE name = 'x' AND digest = {filled.blob('01')}",
        "UPDATE scopeware_access_log SET decision = 'reported', token_id = 99, owner = 'nobody'",
    ]
    for change in changes:
        before = filled.rows()
        assert broken_constraint(filled, change) is None
        assert filled.rows() != before


def test_with_an_owner_go_its_tokens_and_not_what_they_did(home):
    """The access log is history: it keeps the entries of the owner and its tokens. Others' tokens stay."""
    store = home.connect()
    alices = store.issue(owner="alice", name="ci", scopes="all")
    child = store.issue(owner="alice", name="child", scopes="read:user", parent=accepted(store, alices.secret))
    store.rotate(alices.token.id, grace="1d")
    bobs = store.issue(owner="bob", name="ci", scopes="all")
    home.run_sql(
        f"INSERT INTO scopeware_access_log ({ENTRY}, owner, token_id, hint) "
        f"VALUES (0, '::1', 'GET', '/', '', '', 'allowed', 1, 'alice', {child.token.id}, 'abcd')",
    )
    logged = home.rows()["access_log"]
    home.run_sql("DELETE FROM scopeware_owner WHERE name = 'alice'")
    found = home.rows()
    assert [row["name"] for row in found["owner"]] == ["bob"]
    assert [row["id"] for row in found["token"]] == [bobs.token.id]
    assert found["access_log"] == logged
    assert [(row["owner"], row["token_id"]) for row in logged] == [("alice", child.token.id)]


def test_a_token_whose_parent_or_successor_is_deleted_stays(home):
    """It no longer knows of it, that is all."""
    store = home.connect()
    parent = store.issue(owner="alice", name="ci", scopes="all")
    child = store.issue(owner="alice", name="child", scopes="read:user", parent=accepted(store, parent.secret))
    old = store.issue(owner="alice", name="old", scopes="all")
    new = store.rotate(old.token.id, grace="1d")
    assert store.show(child.token.id).parent_id == parent.token.id
    assert store.show(old.token.id).successor_id == new.token.id
    home.run_sql(f"DELETE FROM scopeware_token WHERE id IN ({parent.token.id}, {new.token.id})")
    assert store.show(child.token.id).parent_id is None
    assert store.show(old.token.id).successor_id is None
    assert accepted(store, child.secret).name == "child"
    assert accepted(store, old.secret).name == "old"


ALIKE = [
    ("alice", "Alice"),
    ("straße", "strasse"),
    ("résumé", "resume"),
    ("ａ", "a"),
    ("é", "e\u0301"),
    ("\U0001f511", "\U0001f512"),
    ("ﬁ", "fi"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_names_that_look_alike_are_two(one, other, home):
    """Letter case, accents and width matter, whatever the database's own collation: nobody has another one's rights."""
    store = home.connect()
    store.add_owner(one, role="admin")
    mine = store.issue(owner=other, name=one, scopes="all")
    store.issue(owner=other, name=other, scopes="all")
    assert {(owner.name, owner.role) for owner in store.owners()} == {(one, "admin"), (other, "user")}
    assert accepted(store, mine.secret).owner == other
    assert store.list(owner=one) == []
    assert [token.name for token in store.list(owner=other, name=one)] == [one]
    assert store.disable_owner(other).name == other
    assert store.owner(one).active


@pytest.mark.parametrize(
    ("statement", "counted"),
    [
        pytest.param(ALICE.replace("alice", "bob"), True, id="insert"),
        pytest.param("UPDATE scopeware_owner SET role = 'admin'", True, id="role"),
        pytest.param("UPDATE scopeware_owner SET active = 0", True, id="active"),
        pytest.param("UPDATE scopeware_owner SET name = 'bob'", True, id="name"),
        pytest.param("UPDATE scopeware_owner SET created_at = 5", False, id="created-at"),
        pytest.param("UPDATE scopeware_owner SET kind = 'bot'", False, id="kind"),
        pytest.param("UPDATE scopeware_token SET scopes = 'all'", True, id="scopes"),
        pytest.param("UPDATE scopeware_token SET networks = '::1'", True, id="networks"),
        pytest.param("UPDATE scopeware_token SET expires_at = 5", True, id="expires-at"),
        pytest.param("UPDATE scopeware_token SET rotated_at = 5", True, id="rotated-at"),
        pytest.param("UPDATE scopeware_token SET revoked_at = 5", True, id="revoked-at"),
        pytest.param("UPDATE scopeware_token SET digest = zeroblob(32)", True, id="digest"),
        pytest.param("UPDATE scopeware_token SET name = 'x'", True, id="token-name"),
        pytest.param("UPDATE scopeware_token SET hint = 'x'", False, id="hint"),
        pytest.param("UPDATE scopeware_token SET last_used_at = 5", False, id="last-used-at"),
        pytest.param("UPDATE scopeware_token SET managed = 1", False, id="managed"),
        pytest.param("UPDATE scopeware_token SET parent_id = 1, successor_id = 1", False, id="relatives"),
        pytest.param("UPDATE scopeware_token SET scopes = 'all' WHERE id = 99", False, id="no-row"),
        pytest.param(
            f"INSERT INTO scopeware_access_log ({ENTRY}) VALUES (0, '::1', 'GET', '/', '', '', 'allowed', 1)",
            False,
            id="log",
        ),
        pytest.param("DELETE FROM scopeware_token", True, id="delete"),
        pytest.param("DELETE FROM scopeware_owner", True, id="delete-with-cascade"),
        pytest.param("SELECT * FROM scopeware_token", False, id="select"),
    ],
)
def test_changes_that_matter_are_counted(statement, counted, path, connect):
    """By SQLite itself, so that nobody can forget to; what no decision depends on is not."""
    connect().issue(owner="alice", name="ci", scopes="read:user")
    before = rows(path)["generation"]
    run_sql(path, statement)
    assert (rows(path)["generation"] != before) is counted


# -- where migrations are


def test_migrations_are_found_in_the_source_tree():
    """Beside the package, each with a way up and down."""
    found = schema.directory()
    assert found == Path(schema.__file__).parents[2] / "migrations"
    names = sorted(file.stem for file in found.glob("[0-9]*.py"))
    assert names[0] == FIRST
    numbers = [name.partition("_")[0] for name in names]
    assert numbers == [f"{number:04}" for number in range(1, len(names) + 1)]
    for migration in Runner(peewee.SqliteDatabase(":memory:"), str(found)).migrations():
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
