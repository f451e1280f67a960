"""Owners, their tokens, the log of what these were used for; on SQLite, a number that changes with the first two."""

from peewee import (
    SQL,
    AutoField,
    BigAutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    CharField,
    Check,
    ForeignKeyField,
    IntegerField,
    MySQLDatabase,
    SmallIntegerField,
    SqliteDatabase,
    TextField,
)
from playhouse.sqlite_ext import AutoIncrementField

_COUNTED = {
    "scopeware_owner": "id, name, role, active",
    "scopeware_token": "id, owner_id, name, live_name, scopes, networks, digest, expires_at, rotated_at, revoked_at",
}
# Letter case and spaces matter, as on the others.
_COLLATION = "DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin"


def up(migrator, db):
    on_mariadb = isinstance(db, MySQLDatabase)
    # No number is given twice: the log goes on naming tokens that are gone.
    number = AutoIncrementField if isinstance(db, SqliteDatabase) else AutoField
    long_number = AutoIncrementField if isinstance(db, SqliteDatabase) else BigAutoField

    class DigestField(BlobField):
        def ddl_datatype(self, ctx):
            return SQL("BINARY(32)") if on_mariadb else super().ddl_datatype(ctx)

    class Table(db.Model):
        class Meta:
            legacy_table_names = False
            table_settings = [_COLLATION] if on_mariadb else []

    class Owner(Table):
        id = number()
        name = CharField(max_length=255, unique=True, constraints=[Check("name <> ''")])
        kind = CharField(
            max_length=16,
            constraints=[SQL("DEFAULT 'user'"), Check("kind IN ('user', 'bot', 'organization')")],
        )
        role = CharField(max_length=64)
        active = BooleanField(constraints=[SQL("DEFAULT TRUE")])
        created_at = BigIntegerField()

        class Meta:
            table_name = "scopeware_owner"

    class Token(Table):
        id = number()
        owner = ForeignKeyField(Owner, index=False, on_delete="CASCADE")
        parent = ForeignKeyField("self", null=True, on_delete="SET NULL")
        successor = ForeignKeyField("self", null=True, on_delete="SET NULL")
        name = CharField(max_length=255, constraints=[Check("name <> ''")])
        live_name = CharField(max_length=255, null=True)
        scopes = TextField(constraints=[Check("scopes <> ''")])
        networks = TextField(null=True, constraints=[Check("networks <> ''")])
        managed = BooleanField(constraints=[SQL("DEFAULT FALSE")])
        digest = DigestField(unique=True, constraints=[Check("length(digest) = 32")])
        pepper = IntegerField(constraints=[SQL("DEFAULT 0"), Check("pepper >= 0")])
        hint = CharField(max_length=8)
        created_at = BigIntegerField()
        expires_at = BigIntegerField(null=True)
        last_used_at = BigIntegerField(null=True)
        rotated_at = BigIntegerField(null=True)
        revoked_at = BigIntegerField(null=True)

        class Meta:
            table_name = "scopeware_token"
            indexes = ((("owner", "live_name"), True),)

    class Pepper(Table):
        version = IntegerField(primary_key=True, constraints=[Check("version > 0")])
        proof = DigestField(constraints=[Check("length(proof) = 32")])
        created_at = BigIntegerField()

        class Meta:
            table_name = "scopeware_pepper"

    class LogRow(Table):
        id = long_number()
        at = BigIntegerField(index=True)
        token_id = IntegerField(null=True)
        hint = CharField(max_length=8, null=True)
        owner = CharField(max_length=255, null=True)
        address = CharField(max_length=64)
        method = CharField(max_length=32)
        path = TextField()
        group = TextField(column_name="group_path")
        scopes = TextField()
        resource = TextField(null=True)
        decision = CharField(max_length=8, constraints=[Check("decision IN ('allowed', 'denied', 'reported')")])
        code = CharField(max_length=32, null=True)
        status = SmallIntegerField(null=True)
        duration = IntegerField()

        class Meta:
            table_name = "scopeware_access_log"
            indexes = ((("token_id", "id"), False), (("owner", "id"), False))

    models = [Owner, Token, Pepper, LogRow]
    if on_mariadb:
        _drop_leftovers(db, models)
    db.create_tables(models)
    if isinstance(db, SqliteDatabase):
        _count_changes(db)


def down(migrator, db):
    for table in ("generation", "access_log", "pepper", "token", "owner"):
        db.execute_sql(f"DROP TABLE IF EXISTS scopeware_{table}")


def _drop_leftovers(db, models):
    """What an attempt that was killed has left behind: without transactions for tables, MariaDB keeps it."""
    for model in reversed(models):
        if model.table_exists():
            if model.select().exists():
                name = model._meta.table_name
                raise RuntimeError(f"there is a table {name} with rows in it that no migration made; move it away")
            db.drop_tables([model])


def _count_changes(db):
    """A number in one row, at random, so that no two states of the tables have the same: not after a backup was
    restored, nor in another database that takes this one's place."""
    db.execute_sql("CREATE TABLE scopeware_generation (id INTEGER NOT NULL PRIMARY KEY, counter INTEGER NOT NULL)")
    db.execute_sql("INSERT INTO scopeware_generation (id, counter) VALUES (1, random())")
    for table, columns in _COUNTED.items():
        for event in ("INSERT", f"UPDATE OF {columns}", "DELETE"):
            db.execute_sql(
                f"CREATE TRIGGER {table}_{event.split()[0].lower()}_counted AFTER {event} ON {table} "
                "BEGIN UPDATE scopeware_generation SET counter = random() WHERE id = 1; END"
            )
