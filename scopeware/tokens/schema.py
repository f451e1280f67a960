"""The numbered migrations and how far a database has come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import peewee

if TYPE_CHECKING:
    from playhouse.migrations import Runner

from ..errors import ConfigurationError
from .database import Database

_TABLE = "scopeware_migration"


class SchemaError(ConfigurationError):
    """The tables of a database are not those this version works with."""


@dataclass(frozen=True, slots=True)
class Step:
    """One migration; `applied` is when, or ``None``. One without a file was applied by a newer version."""

    name: str
    applied: datetime | None
    known: bool


def directory() -> Path:
    """Where the migrations are: inside the installed package, or at the top of the source tree."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def status(database: peewee.Database) -> list[Step]:
    """Every migration, in order.

    :param database: with an open connection.
    """
    rows = _runner(database).status()
    return [Step(row.name, row.applied and row.applied.replace(tzinfo=UTC), row.path is not None) for row in rows]


def upgrade(database: Database) -> list[str]:
    """Apply what is pending, each migration whole or not at all; the names of those applied.

    :param database: inside of a session.
    :raises SchemaError: a newer version was here.
    """
    with database.migrating():
        check_not_newer(status(database.peewee))
        runner = _runner(database.peewee)
        try:
            applied: list[str] = runner.up()
        except RuntimeError as error:
            raise SchemaError(str(error)) from error
        # playhouse keeps local times without saying so.
        now = datetime.now(UTC).replace(tzinfo=None)
        runner.History.update(applied=now).where(runner.History.name.in_(applied)).execute()
        return applied


def check(database: peewee.Database) -> None:
    """Nothing, if the tables are those of this version.

    :raises SchemaError: they are older, or newer.
    """
    steps = status(database)
    check_not_newer(steps)
    pending = [step.name for step in steps if step.applied is None]
    if pending:
        raise SchemaError(f"the database lacks the migration {pending[0]}; run `scopeware db upgrade`")


def check_not_newer(steps: list[Step]) -> None:
    """Nothing, if all applied migrations are known here.

    :raises SchemaError: one is not.
    """
    unknown = [step.name for step in steps if not step.known]
    if unknown:
        raise SchemaError(
            f"the database was migrated by a newer version (it has {unknown[0]}); upgrade scopeware to use it"
        )


def _runner(database: peewee.Database) -> Runner:
    from playhouse.migrations import Runner  # noqa: PLC0415  # a tenth of the time that importing scopeware takes

    return Runner(database, str(directory()), table_name=_TABLE)
