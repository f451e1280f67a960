"""Owners, in a database."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import time
from typing import Any

from peewee import IntegrityError

from ..errors import ConfigurationError
from ..scopes import ADMIN_ROLE, DEFAULT_ROLE, Roles
from ..text import is_storable, quoted
from .database import Database, StoreUnavailable
from .known import KnownTokens
from .models import Owner
from .records import OWNER_KINDS, Account, NoSuchOwner, OwnerExists, OwnerInfo, OwnerKind, TokenRefused, moment

LONGEST_NAME = 255

Accounts = Callable[[str], Account | None]
"""The application's own user table: what it says about an owner, ``None`` where it knows nobody of that name."""


class OwnerRegister:
    """The owners there are.

    Not for itself: :class:`~scopeware.tokens.TokenStore` is one.
    """

    roles: Roles
    _database: Database
    _known: KnownTokens
    _accounts: Accounts | None
    _closed = False

    def add_owner(self, name: str, *, role: str = DEFAULT_ROLE, kind: OwnerKind = "user") -> OwnerInfo:
        """A new, active owner.

        :param kind: ``"user"``, ``"bot"`` or ``"organization"``; for people to see.
        :raises VocabularyError: there is no such role.
        :raises OwnerExists: there is such an owner.
        :raises TokenRefused: a name or a kind that cannot be.
        :raises StoreUnavailable: the database cannot be written.
        """
        name = check_name(name, "owner")
        role = self.roles.check(role)
        if kind not in OWNER_KINDS:
            raise TokenRefused(f"{quoted(str(kind))} is none of {', '.join(OWNER_KINDS)}", "kind")
        with self._transaction():
            try:
                self._insert_owner(name, role, int(time()), kind)
            except IntegrityError:
                raise OwnerExists(name) from None
            return self.owner(name)

    def owner(self, name: str) -> OwnerInfo:
        """The owner of this name.

        :raises NoSuchOwner: there is none.
        :raises StoreUnavailable: the database cannot be asked.
        """
        if not is_storable(name):
            raise NoSuchOwner(name)
        with self._answering():
            rows = builtins.list(Owner.select().where(Owner.name == name).execute(self._database.peewee))
        if not rows:
            raise NoSuchOwner(name)
        return _owner_info(rows[0])

    def owners(self) -> builtins.list[OwnerInfo]:
        """All owners, by name.

        :raises StoreUnavailable: the database cannot be asked.
        """
        with self._answering():
            return [_owner_info(row) for row in Owner.select().order_by(Owner.name).execute(self._database.peewee)]

    def account(self, name: str) -> Account | None:
        """The role and the activity of an owner now: what the application's user table says, where the store was given
        one, and no more than the store's own says of its activity; ``None`` for someone neither knows.

        :raises StoreUnavailable: the database cannot be asked.
        """
        try:
            info = self.owner(name)
        except NoSuchOwner:
            known = None
        else:
            known = Account(info.role, info.active)
        if self._accounts is None:
            return known
        told = self._ask_accounts(name)
        return None if told is None else Account(told.role, told.active and (known is None or known.active))

    @property
    def has_accounts(self) -> bool:
        """Whether the application's own user table is asked."""
        return self._accounts is not None

    def _ask_accounts(self, name: str) -> Account | None:
        told: object = self._accounts(name) if self._accounts is not None else None
        if told is not None and not isinstance(told, Account):
            raise ConfigurationError(f"it returned {told!r}, neither an Account nor None", where="accounts")
        return told

    def is_admin(self, name: str) -> bool:
        """Whether an owner is an active administrator.

        :raises StoreUnavailable: the database cannot be asked.
        """
        known = self.account(name)
        return known is not None and known.active and known.role == ADMIN_ROLE

    def set_role(self, name: str, role: str) -> OwnerInfo:
        """Give an owner another role; all its tokens follow at once.

        :raises VocabularyError: there is no such role.
        :raises NoSuchOwner: there is no such owner.
        :raises StoreUnavailable: the database cannot be written.
        """
        return self._update_owner(name, {"role": self.roles.check(role)})

    def disable_owner(self, name: str) -> OwnerInfo:
        """Make an owner inactive: none of its tokens works until it is enabled again.

        :raises NoSuchOwner: there is no such owner.
        :raises StoreUnavailable: the database cannot be written.
        """
        return self._update_owner(name, {"active": False})

    def enable_owner(self, name: str) -> OwnerInfo:
        """Make an owner active again.

        :raises NoSuchOwner: there is no such owner.
        :raises StoreUnavailable: the database cannot be written.
        """
        return self._update_owner(name, {"active": True})

    def _update_owner(self, name: str, values: Mapping[str, object]) -> OwnerInfo:
        with self._transaction():
            self.owner(name)
            for holder in self._locked(name):
                Owner.update(**values).where(Owner.id == holder.id).execute(self._database.peewee)
            return self.owner(name)

    def _holder(self, name: str, now: int) -> Owner:
        """The row of an owner, added if need be; locked, so that its tokens change one after the other."""
        rows = self._locked(name)
        if not rows:
            try:
                with self._database.peewee.atomic():
                    self._insert_owner(name, DEFAULT_ROLE, now)
            except IntegrityError:
                pass  # someone else was faster
            rows = self._locked(name)
        return rows[0]

    def _locked(self, name: str) -> builtins.list[Owner]:
        """The row of an owner, if there is one. Where others may write at the same time it is locked; always by its
        number, so that nobody waits for each other."""
        query = Owner.select().where(Owner.name == name)
        rows = builtins.list(query.execute(self._database.peewee))
        if not rows or not self._database.peewee.for_update:
            return rows
        query = Owner.select().where(Owner.id == rows[0].id).for_update()
        return builtins.list(query.execute(self._database.peewee))

    def _insert_owner(self, name: str, role: str, now: int, kind: OwnerKind = "user") -> None:
        values = {"name": name, "kind": kind, "role": self.roles.check(role), "active": True, "created_at": now}
        Owner.insert(**values).execute(self._database.peewee)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        if self._closed:
            raise StoreUnavailable("the store was closed", self._database.name)
        with self._database.session():
            yield

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing; and whatever it was, what is known of tokens here is read again."""
        if self._closed:
            raise StoreUnavailable("the store was closed", self._database.name)
        try:
            with self._database.changing():
                yield
        finally:
            self._known.expire()


def _owner_info(row: Owner) -> OwnerInfo:
    kind: Any = row.kind
    return OwnerInfo(row.name, kind, row.role, row.active, moment(row.created_at))


def check_name(name: object, kind: str) -> str:
    """`name`, if it can be that of a token or an owner.

    :raises TokenRefused: it cannot.
    """
    if not isinstance(name, str):
        raise TokenRefused(f"{quoted(repr(name))} is no name; give it as text", kind)
    if not name.strip():
        raise TokenRefused(f"the {kind} is empty; give it a name" if kind == "owner" else "a token needs a name", kind)
    if len(name) > LONGEST_NAME or not name.isprintable() or name != name.strip() or not is_storable(name):
        raise TokenRefused(
            f"{quoted(name)} cannot be: at most {LONGEST_NAME} printable characters, no space around", kind
        )
    return name
