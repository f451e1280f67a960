"""Old scopes become new ones: a template for a migration of your own, for ``playhouse.migrations``.

Copy it among your migrations under the next number, and name your table, your column and the mapping. Schema and data
change in one step then. What it changes is written down in tables called ``scopeware_migrate_*``, from which ``down``
takes it back; so does ``scopeware migrate undo``.
"""

from scopeware.migration import Mapping
from scopeware.migration.column import Column, Place
from scopeware.migration.run import apply, undo

PLACE = Place(table="access_token", column="scope")
MAPPING = "gitea-1.19"


def up(migrator, db):
    apply(Column(db, PLACE), Mapping.named(MAPPING))


def down(migrator, db):
    undo(Column(db, PLACE))
