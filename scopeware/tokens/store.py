"""Tokens and their owners, in a database."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from math import ceil
from time import time
from typing import Any, final

from peewee import IntegrityError

from ..errors import ConfigurationError
from ..scopes import DEFAULT_ROLE, Roles, ScopeSet, Vocabulary
from ..text import quoted
from . import schema
from .database import Database, StoreUnavailable, path_of
from .known import CACHE_SIZE, KnownTokens
from .models import Owner, Token
from .records import (
    Issued,
    NameTaken,
    NoSuchOwner,
    NoSuchToken,
    OwnerExists,
    OwnerInfo,
    TokenInfo,
    TokenRefused,
    moment,
)
from .secret import DEFAULT_PREFIX, HINT_LENGTH, SecretFormat, digest

_LONGEST_NAME = 255


@final
class TokenStore:
    """Tokens and their owners in an SQLite database.

    What it answers holds now: a revocation, an expiry, a deactivation takes effect on the next call of
    :meth:`authenticate`, in every process on the file. Tokens that were seen before are answered from memory, after a
    look at whether anything was committed to the file since; safe for threads and forks.

    Use :meth:`connect`.
    """

    def __init__(
        self,
        database: Database,
        *,
        vocabulary: Vocabulary | None = None,
        roles: Roles | None = None,
        prefix: str | None = None,
        cache_size: int = CACHE_SIZE,
    ) -> None:
        self._database = database
        self._format = SecretFormat(prefix or DEFAULT_PREFIX)
        self._chosen_prefix = prefix is not None
        self._chosen_vocabulary = vocabulary is not None or roles is not None
        self.vocabulary = vocabulary or (roles.vocabulary if roles else Vocabulary.builtin("gitea"))
        self.roles = roles or Roles(self.vocabulary)
        self._chosen_roles = roles is not None
        if self.roles.vocabulary != self.vocabulary:
            raise ConfigurationError("the roles are of another vocabulary than the store's")
        self._closed = False
        self._known = KnownTokens(database, self._format, self._effective, cache_size)
        # PERF: the known tokens' own method, for there is one call of it a request.
        self.authenticate = self._known.authenticate
        """What a request that carries a secret may do, or why it may not: see :meth:`KnownTokens.authenticate`."""

    @classmethod
    def connect(
        cls,
        url: str,
        *,
        migrate: bool = True,
        vocabulary: Vocabulary | None = None,
        roles: Roles | None = None,
        prefix: str | None = None,
        cache_size: int = CACHE_SIZE,
    ) -> TokenStore:
        """The store in the database at `url`.

        :param url: as playhouse.db_url writes it: ``sqlite:///tokens.db``.
        :param migrate: whether to create or update the tables first.
        :param vocabulary: whose words its scopes are; a gate lends its policy's to a store that has not chosen one.
        :param roles: the ceilings of its owners.
        :param prefix: what new tokens start with, and what tokens are recognised by; by default that of the policy
            of the gate.
        :param cache_size: how many tokens to remember.
        :raises StoreUnavailable: the database cannot be opened, or is none.
        :raises ConfigurationError: a URL or prefix that cannot be; tables that are too new, or too old to use as they
            are.
        """
        database = Database(path_of(url))
        try:
            if migrate:
                database.create()
                database.set_up()
            store = cls(database, vocabulary=vocabulary, roles=roles, prefix=prefix, cache_size=cache_size)
            with database.session():
                if migrate:
                    schema.upgrade(database.peewee)
                else:
                    schema.check(database.peewee)
        except BaseException:
            database.close()
            raise
        return store

    @property
    def prefix(self) -> str:
        """What tokens start with, before the ``_``."""
        return self._format.prefix

    def use(self, vocabulary: Vocabulary, roles: Roles, prefix: str) -> None:
        """Speak this vocabulary, with these roles and this prefix, from now on; as far as none was chosen on purpose.

        :raises ConfigurationError: another vocabulary or prefix was, or the prefix cannot be.
        """
        if self._chosen_vocabulary and self.vocabulary != vocabulary:
            raise ConfigurationError(
                f"the store speaks vocabulary `{self.vocabulary.name}`, the policy `{vocabulary.name}`; "
                "give both the same, or the store none"
            )
        if self._chosen_prefix and prefix not in (DEFAULT_PREFIX, self.prefix):
            raise ConfigurationError(
                f"the store's tokens start with `{self.prefix}_`, the policy's with `{prefix}_`; "
                "give both the same, or the store none"
            )
        if self._chosen_roles and dict(self.roles) != dict(roles):
            raise ConfigurationError("the store's roles are not the policy's; give both the same, or the store none")
        if not self._chosen_prefix:
            self._format = SecretFormat(prefix)
        self._chosen_prefix = self._chosen_vocabulary = self._chosen_roles = True
        self.vocabulary = vocabulary
        self.roles = roles
        self._known.speak(self._format)

    def close(self) -> None:
        """Close the connections of this thread and those that all share. What is asked afterwards is refused."""
        self._closed = True
        self._known.close()
        self._database.close()

    def _effective(self, scopes: str | None, role: str) -> ScopeSet:
        granted, _ = self.vocabulary.parse_known(scopes)
        return granted & self.roles.ceiling(role)

    # -- tokens

    def issue(
        self,
        *,
        owner: str,
        name: str,
        scopes: str | ScopeSet,
        expires_in: timedelta | None = None,
        expires_at: datetime | None = None,
    ) -> Issued:
        """A new token.

        :param owner: who holds it; an owner nobody has met yet is added, active, with role ``user``.
        :param name: what the owner calls it; unique among the owner's live tokens.
        :param scopes: what it may do, as text of the store's vocabulary or as a scope set.
        :param expires_in: how long it works.
        :param expires_at: until when, with a time zone; by default for ever.
        :raises UnknownScope: a word is no scope.
        :raises TokenRefused: no scope at all, no name or owner, a name that is taken, an expiry that is past.
        :raises StoreUnavailable: the database cannot be written; no token was made.
        """
        owner = _check_name(owner, "owner")
        name = _check_name(name, "name")
        granted = scopes if isinstance(scopes, ScopeSet) else self.vocabulary.parse(scopes)
        if granted.vocabulary != self.vocabulary:
            raise TokenRefused(
                f"the scopes are of vocabulary `{granted.vocabulary.name}`, the store's is `{self.vocabulary.name}`",
                "scopes",
            )
        if not granted:
            raise TokenRefused("a token without a scope could do nothing; name at least one", "scopes")
        now = time()
        expiry = _expiry(now, expires_in, expires_at)
        secret = self._format.generate()
        with self._transaction():
            holder = self._owner_id(owner, int(now))
            # A name is free again when its token has expired.
            Token.update(live_name=None).where(
                Token.owner == holder, Token.live_name == name, Token.expires_at <= now
            ).execute(self._database.peewee)
            try:
                token_id = Token.insert(
                    owner=holder,
                    name=name,
                    live_name=name,
                    scopes=granted.as_granted,
                    digest=digest(secret),
                    hint=secret[-HINT_LENGTH:],
                    created_at=int(now),
                    expires_at=expiry,
                ).execute(self._database.peewee)
            except IntegrityError:
                raise NameTaken(name, owner) from None
            return Issued(secret, self.show(token_id))

    def find(self, secret: str) -> TokenInfo | None:
        """The token with this secret, whatever its state; ``None`` if there is none.

        :raises StoreUnavailable: the database cannot be asked.
        """
        if not self._format.is_well_formed(secret):
            return None
        return next(self._select(Token.digest == digest(secret)), None)

    def show(self, token_id: int) -> TokenInfo:
        """The token with this id, whatever its state.

        :raises NoSuchToken: there is none.
        :raises StoreUnavailable: the database cannot be asked.
        """
        found = next(self._select(Token.id == token_id), None)
        if found is None:
            raise NoSuchToken(token_id)
        return found

    def list(self, *, owner: str | None = None, dead: bool = False) -> builtins.list[TokenInfo]:
        """Tokens, oldest first.

        :param owner: only this owner's.
        :param dead: revoked and expired ones, and those of inactive owners, too.
        :raises NoSuchOwner: there is no such owner.
        :raises StoreUnavailable: the database cannot be asked.
        """
        conditions = []
        if owner is not None:
            self.owner(owner)
            conditions.append(Owner.name == owner)
        return [token for token in self._select(*conditions) if dead or token.status == "live"]

    def revoke(self, token_id: int) -> bool:
        """End a token, for good and at once. Whether it was not revoked before.

        :raises NoSuchToken: there is no token with this id.
        :raises StoreUnavailable: the database cannot be written; the token still works.
        """
        with self._transaction():
            changed: int = (
                Token.update(revoked_at=int(time()), live_name=None)
                .where(Token.id == token_id, Token.revoked_at.is_null())
                .execute(self._database.peewee)
            )
            if not changed:
                self.show(token_id)
            return changed > 0

    def _select(self, *conditions: Any) -> Iterator[TokenInfo]:
        query = Token.select(Token, Owner).join(Owner).order_by(Token.id)
        if conditions:
            query = query.where(*conditions)
        with self._answering():
            rows = builtins.list(query.execute(self._database.peewee))
        for row in rows:
            scopes, unknown = self.vocabulary.parse_known(row.scopes)
            yield TokenInfo(
                id=row.id,
                owner=row.owner.name,
                name=row.name,
                scopes=scopes,
                unknown_scopes=unknown,
                effective=scopes & self.roles.ceiling(row.owner.role),
                hint=row.hint,
                created_at=moment(row.created_at),
                expires_at=None if row.expires_at is None else moment(row.expires_at),
                revoked_at=None if row.revoked_at is None else moment(row.revoked_at),
                owner_role=row.owner.role,
                owner_active=row.owner.active,
            )

    # -- owners

    def add_owner(self, name: str, *, role: str = DEFAULT_ROLE) -> OwnerInfo:
        """A new, active owner.

        :raises VocabularyError: there is no such role.
        :raises OwnerExists: there is such an owner.
        :raises TokenRefused: a name that cannot be.
        :raises StoreUnavailable: the database cannot be written.
        """
        name = _check_name(name, "owner")
        role = self.roles.check(role)
        with self._transaction():
            try:
                self._insert_owner(name, role, int(time()))
            except IntegrityError:
                raise OwnerExists(name) from None
            return self.owner(name)

    def owner(self, name: str) -> OwnerInfo:
        """The owner of this name.

        :raises NoSuchOwner: there is none.
        :raises StoreUnavailable: the database cannot be asked.
        """
        if not _is_text(name):
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
            Owner.update(**values).where(Owner.name == name).execute(self._database.peewee)
            return self.owner(name)

    def _owner_id(self, name: str, now: int) -> int:
        rows = builtins.list(Owner.select(Owner.id).where(Owner.name == name).execute(self._database.peewee))
        return rows[0].id if rows else self._insert_owner(name, DEFAULT_ROLE, now)

    def _insert_owner(self, name: str, role: str, now: int) -> int:
        values = {"name": name, "role": self.roles.check(role), "active": True, "created_at": now}
        owner_id: int = Owner.insert(**values).execute(self._database.peewee)
        return owner_id

    @contextmanager
    def _answering(self) -> Iterator[None]:
        if self._closed:
            raise StoreUnavailable("the store was closed", self._database.path)
        with self._database.session():
            yield

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing. It takes the write lock at once: a transaction that read first could not wait for it."""
        with self._database.writing, self._answering(), self._database.peewee.atomic("IMMEDIATE"):
            yield


def _owner_info(row: Owner) -> OwnerInfo:
    return OwnerInfo(row.name, row.role, row.active, moment(row.created_at))


def _is_text(name: str) -> bool:
    """Whether a name can be written as UTF-8 at all."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _check_name(name: str, kind: str) -> str:
    if not name.strip():
        raise TokenRefused(f"the {kind} is empty; give it a name" if kind == "owner" else "a token needs a name", kind)
    if len(name) > _LONGEST_NAME or not name.isprintable() or name != name.strip() or not _is_text(name):
        raise TokenRefused(
            f"{quoted(name)} cannot be: at most {_LONGEST_NAME} printable characters, no space around", kind
        )
    return name


def _expiry(now: float, expires_in: timedelta | None, expires_at: datetime | None) -> int | None:
    if expires_in is not None and expires_at is not None:
        raise TokenRefused("give `expires_in` or `expires_at`, not both", "expires_at")
    if expires_in is not None:
        when: float = now + expires_in.total_seconds()
    elif expires_at is not None:
        if expires_at.tzinfo is None:
            raise TokenRefused("the expiry has no time zone; use datetime.now(UTC) + ...", "expires_at")
        when = expires_at.timestamp()
    else:
        return None
    which = "expires_in" if expires_in is not None else "expires_at"
    if when <= now:
        asked = expires_in if expires_at is None else expires_at.isoformat()
        raise TokenRefused(f"the expiry is past: {asked}; name a time to come", which)
    try:
        datetime.fromtimestamp(ceil(when), UTC)
    except (OverflowError, ValueError):
        raise TokenRefused("the expiry is beyond all calendars; leave it out for a token without one", which) from None
    return ceil(when)
