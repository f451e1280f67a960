"""Owners, their tokens, and a number that changes with both."""

from peewee import (
    SQL,
    BigIntegerField,
    BlobField,
    BooleanField,
    CharField,
    Check,
    ForeignKeyField,
    IntegerField,
    TextField,
)

_COUNTED = {
    "owner": "id, name, role, active",
    "token": "id, owner_id, name, live_name, scopes, digest, expires_at, revoked_at",
}


def up(migrator, db):
    class Owner(db.Model):
        name = CharField(max_length=255, unique=True, constraints=[Check("name <> ''")])
        role = CharField(max_length=64)
        active = BooleanField(constraints=[SQL("DEFAULT 1")])
        created_at = BigIntegerField()

        class Meta:
            table_name = "owner"
            legacy_table_names = False

    class Token(db.Model):
        owner = ForeignKeyField(Owner, on_delete="CASCADE")
        name = CharField(max_length=255, constraints=[Check("name <> ''")])
        live_name = CharField(max_length=255, null=True)
        scopes = TextField(constraints=[Check("scopes <> ''")])
        digest = BlobField(unique=True, constraints=[Check("length(digest) = 32")])
        hint = CharField(max_length=8)
        created_at = BigIntegerField()
        expires_at = BigIntegerField(null=True)
        revoked_at = BigIntegerField(null=True)

        class Meta:
            table_name = "token"
            legacy_table_names = False
            indexes = ((("owner", "live_name"), True),)

    class Generation(db.Model):
        counter = IntegerField()

        class Meta:
            table_name = "generation"
            legacy_table_names = False

    db.create_tables([Owner, Token, Generation])
    Generation.insert(id=1, counter=0).execute()
    # At random, so that no two states of the tables have the same number: not after a backup was restored, nor in
    # another database that takes this one's place.
    for table, columns in _COUNTED.items():
        for event in ("INSERT", f"UPDATE OF {columns}", "DELETE"):
            name = f"{table}_{event.split()[0].lower()}_counted"
            db.execute_sql(
                f"CREATE TRIGGER {name} AFTER {event} ON {table} "
                "BEGIN UPDATE generation SET counter = random() WHERE id = 1; END"
            )


def down(migrator, db):
    for table in ("generation", "token", "owner"):
        db.execute_sql(f"DROP TABLE {table}")
