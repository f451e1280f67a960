"""The tables. They know no database: every query is told which one to run on."""

from __future__ import annotations

from peewee import (
    AutoField,
    BigAutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    CharField,
    ForeignKeyField,
    IntegerField,
    Model,
    SmallIntegerField,
    TextField,
)


class Owner(Model):
    """Who holds tokens: a user, a bot, an organization."""

    id = AutoField()
    name = CharField(max_length=255, unique=True)
    kind = CharField(max_length=16)
    role = CharField(max_length=64)
    active = BooleanField()
    created_at = BigIntegerField()

    class Meta:
        table_name = "scopeware_owner"
        legacy_table_names = False


class Token(Model):
    """A token. Times are seconds since 1970, UTC."""

    id = AutoField()
    owner = ForeignKeyField(Owner, index=False, on_delete="CASCADE")
    # The token it was made with.
    parent = ForeignKeyField("self", null=True, on_delete="SET NULL")
    # The token that took its place.
    successor = ForeignKeyField("self", null=True, on_delete="SET NULL")
    name = CharField(max_length=255)
    # The name while it is taken. NULL frees it, as NULLs are never equal in a unique index on any database.
    live_name = CharField(max_length=255, null=True)
    scopes = TextField()
    networks = TextField(null=True)
    managed = BooleanField()
    digest = BlobField(unique=True)
    # Which pepper the digest is made with; 0 is none.
    pepper = IntegerField()
    hint = CharField(max_length=8)
    created_at = BigIntegerField()
    expires_at = BigIntegerField(null=True)
    last_used_at = BigIntegerField(null=True)
    rotated_at = BigIntegerField(null=True)
    revoked_at = BigIntegerField(null=True)

    class Meta:
        table_name = "scopeware_token"
        legacy_table_names = False
        indexes = ((("owner", "live_name"), True),)


class Pepper(Model):
    """A pepper that tokens were made with: never itself, but something to know it by."""

    version = IntegerField(primary_key=True)
    proof = BlobField()
    created_at = BigIntegerField()

    class Meta:
        table_name = "scopeware_pepper"
        legacy_table_names = False


class LogRow(Model):
    """A request. It outlives the token: nothing here refers to another table. `at` is in milliseconds since 1970."""

    id = BigAutoField()
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
    decision = CharField(max_length=8)
    code = CharField(max_length=32, null=True)
    status = SmallIntegerField(null=True)
    duration = IntegerField()

    class Meta:
        table_name = "scopeware_access_log"
        legacy_table_names = False
        indexes = ((("token_id", "id"), False), (("owner", "id"), False))
