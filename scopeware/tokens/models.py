"""The tables. They know no database: every query is told which one to run on."""

from __future__ import annotations

from peewee import AutoField, BigIntegerField, BlobField, BooleanField, CharField, ForeignKeyField, Model, TextField


class Owner(Model):
    """Who holds tokens: a user, a bot, an organization."""

    id = AutoField()
    name = CharField(max_length=255, unique=True)
    role = CharField(max_length=64)
    active = BooleanField()
    created_at = BigIntegerField()

    class Meta:
        table_name = "owner"
        legacy_table_names = False


class Token(Model):
    """A token. Times are seconds since 1970, UTC."""

    id = AutoField()
    owner = ForeignKeyField(Owner, backref="tokens", on_delete="CASCADE")
    name = CharField(max_length=255)
    # The name while it is taken. NULL frees it, as NULLs are never equal in a unique index on any database.
    live_name = CharField(max_length=255, null=True)
    scopes = TextField()
    digest = BlobField(unique=True)
    hint = CharField(max_length=8)
    created_at = BigIntegerField()
    expires_at = BigIntegerField(null=True)
    revoked_at = BigIntegerField(null=True)

    class Meta:
        table_name = "token"
        legacy_table_names = False
        indexes = ((("owner", "live_name"), True),)
