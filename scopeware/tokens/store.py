"""Tokens and their owners, in a database."""

from __future__ import annotations

import logging
from typing import final

from ..errors import ConfigurationError
from ..policy import Lifetimes, LogOptions
from ..scopes import Roles, ScopeSet, Vocabulary
from . import schema
from .access_log import AccessLog
from .background import Background
from .database import Database, StoreUnavailable
from .known import CACHE_SIZE, KnownTokens
from .known_by_generation import TokensByGeneration
from .known_by_lease import TokensByLease
from .last_use import LastUse
from .owners import Accounts
from .pepper import Peppers
from .peppering import Peppering
from .push import Listener
from .records import (
    LiveToken,
    Refusal,
)
from .register import TokenRegister
from .secret import DEFAULT_PREFIX, SecretFormat
from .sqlite import SqliteDatabase
from .urls import database_at

logger = logging.getLogger("scopeware.tokens")

DEFAULT_STALENESS = 1.0


@final
class TokenStore(TokenRegister):
    """Tokens and their owners, in SQLite, PostgreSQL or MariaDB.

    On SQLite what it answers holds now: a revocation, an expiry, a deactivation takes effect on the next call of
    :meth:`authenticate`, in every process on the file. On the others it held at most `max_staleness` seconds ago.
    Tokens that were seen before are answered from memory for as long as that is so; safe for threads and forks.

    Use :meth:`connect`.
    """

    def __init__(
        self,
        database: Database,
        *,
        vocabulary: Vocabulary | None = None,
        roles: Roles | None = None,
        prefix: str | None = None,
        lifetimes: Lifetimes | None = None,
        peppers: Peppers | None = None,
        accounts: Accounts | None = None,
        max_staleness: float = DEFAULT_STALENESS,
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
            raise ConfigurationError("roles and vocabulary of the store do not belong together")
        self._chosen_lifetimes = lifetimes is not None
        self.lifetimes = lifetimes or Lifetimes()
        self._accounts = accounts
        self._peppers = peppers or Peppers()
        self.background = Background()
        """What is done off the way of requests."""
        self.last_use = LastUse(database, self.background)
        self._peppering = Peppering(database, self._peppers, self.background)
        self._known = self._knowing(cache_size, max_staleness)
        # PERF: the known tokens' own method, for there is one call of it a request.
        self.authenticate = self._known.authenticate if accounts is None else self._authenticate_account
        """What a request that carries a secret may do, or why it may not: see :meth:`KnownTokens.authenticate`."""

    def _knowing(self, size: int, staleness: float) -> KnownTokens:
        arguments = (self._format, self._peppers, self._meaning_of, self._peppering.note, size)
        if isinstance(self._database, SqliteDatabase):
            return TokensByGeneration(self._database, *arguments)
        channel = self._database.channel
        listener = Listener(channel) if channel is not None else None
        return TokensByLease(self._database, *arguments, staleness=staleness, listener=listener)

    @classmethod
    def connect(
        cls,
        url: str,
        *,
        migrate: bool = True,
        vocabulary: Vocabulary | None = None,
        roles: Roles | None = None,
        prefix: str | None = None,
        lifetimes: Lifetimes | None = None,
        peppers: Peppers | None = None,
        accounts: Accounts | None = None,
        max_staleness: float | None = None,
        push: str | None = None,
        cache_size: int = CACHE_SIZE,
    ) -> TokenStore:
        """The store in the database at `url`.

        :param url: as playhouse.db_url writes it: ``sqlite:///tokens.db``, ``postgresql://user@host/name``,
            ``mysql://user@host/name``.
        :param migrate: whether to create or update the tables first. If not, a server that cannot be reached yet is no
            error: what needs a token is refused until it can, and its tables are checked then.
        :param vocabulary: whose words its scopes are; a gate lends its policy's to a store that has not chosen one.
        :param roles: the ceilings of its owners.
        :param prefix: what new tokens start with, and what tokens are recognised by; by default that of the policy
            of the gate.
        :param lifetimes: how long tokens may live; by default as the policy says.
        :param peppers: what digests are made with; by default those of the environment
            (:meth:`~scopeware.tokens.Peppers.from_environment`).
        :param accounts: the application's own user table, asked at each use of a token: role and activity of an owner.
        :param max_staleness: for how many seconds a token that was seen is taken for unchanged; 0 to ask each time. Not
            for SQLite, where changes are seen at once.
        :param push: where other processes tell of changes, and are told: ``"notify"`` (PostgreSQL), or the URL of a
            Redis. Not for SQLite, either.
        :param cache_size: how many tokens to remember.
        :raises StoreUnavailable: the database cannot be opened, or is none.
        :raises ConfigurationError: a URL or prefix that cannot be; tables that are too new, or too old to use as they
            are; a pepper that is wrong, or missing.
        """
        database = database_at(url)
        peppers = Peppers.from_environment() if peppers is None else peppers
        if push is not None:
            database.set_channel(push)
        if isinstance(database, SqliteDatabase) and max_staleness is not None:
            raise ConfigurationError("it has no effect on SQLite: changes are seen at once", where="max_staleness")
        if max_staleness is not None and not 0 <= max_staleness <= 3600:
            raise ConfigurationError("a number of seconds from 0 to 3600", where="max_staleness")
        try:
            if migrate:
                database.set_up()
            store = cls(
                database,
                vocabulary=vocabulary,
                roles=roles,
                prefix=prefix,
                lifetimes=lifetimes,
                peppers=peppers,
                accounts=accounts,
                max_staleness=DEFAULT_STALENESS if max_staleness is None else max_staleness,
                cache_size=cache_size,
            )
            try:
                store._check(migrate)
            except StoreUnavailable as error:
                if migrate or not isinstance(store._known, TokensByLease):
                    raise
                # A server that starts while the database is away serves what needs no token, and the rest in time.
                logger.error("%s", error)
                store._known.first = store._check_late
        except BaseException:
            database.close()
            raise
        return store

    def _check(self, migrate: bool) -> None:
        """Nothing, if the tables and the peppers are as they should be; now, if they may be made so."""
        with self._database.session():
            if migrate:
                schema.upgrade(self._database)
            else:
                schema.check(self._database.peewee)
        self._peppering.check()

    def _check_late(self) -> None:
        try:
            self._check(migrate=False)
        except ConfigurationError as error:
            raise StoreUnavailable(str(error), self._database.name) from error

    @property
    def prefix(self) -> str:
        """What tokens start with, before the ``_``."""
        return self._format.prefix

    def use(
        self,
        vocabulary: Vocabulary,
        roles: Roles,
        prefix: str,
        lifetimes: Lifetimes | None = None,
        accounts: Accounts | None = None,
    ) -> None:
        """Speak this vocabulary, with these roles, this prefix and these lifetimes, and ask these accounts from now on;
        as far as none was chosen on purpose.

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
        if not self._chosen_lifetimes and lifetimes is not None:
            self.lifetimes = lifetimes
        self._chosen_prefix = self._chosen_vocabulary = self._chosen_roles = True
        self.vocabulary = vocabulary
        self.roles = roles
        if self._accounts is None and accounts is not None:
            self._accounts = accounts
            self.authenticate = self._authenticate_account
        self._known.speak(self._format)

    def access_log(self, options: LogOptions | None = None) -> AccessLog:
        """The log of what tokens are used for. What was noted is written before the store is closed.

        :param options: where it goes, and what is kept; to read it, none are needed.
        :raises ConfigurationError: a place that cannot be written.
        """
        return AccessLog(self._database, options or LogOptions(), self.background, self.last_use, self.is_admin)

    def close(self) -> None:
        """Write what waits to be written; close the connections of this thread and those that all share. What is asked
        afterwards is refused."""
        self.background.close()
        self._closed = True
        self._known.close()
        self._database.close()

    # -- rights

    def _meaning_of(self, scopes: str | None, role: str) -> tuple[ScopeSet, ScopeSet]:
        granted, _ = self.vocabulary.parse_known(scopes)
        return granted, self.roles.effective(granted, role)

    def _authenticate_account(self, secret: str) -> LiveToken | Refusal:
        token = self._known.authenticate(secret)
        if isinstance(token, Refusal):
            return token
        account = self._ask_accounts(token.owner)
        if account is None or not account.active:
            return Refusal("owner_inactive", token.id, token.owner, token.hint)
        if account.role == token.role:
            return token
        return token.under(account.role, self.roles.effective(token.granted, account.role))

    def held_by(self, owner: str) -> LiveToken:
        """What an owner may do now, as if by a token with all there is: what the role allows; nothing for someone
        nobody knows, or who is not active.

        :raises StoreUnavailable: the database cannot be asked.
        """
        account = self.account(owner)
        role = account.role if account is not None and account.active else ""
        everything = ScopeSet(self.vocabulary, self.vocabulary.everything)
        return LiveToken(
            token_id=0, name="", owner=owner, role=role, granted=everything, scopes=self.roles.ceiling(role)
        )

    def rights_at(self, token: LiveToken, resource: str, role: str | None) -> int:
        """The scope bits that a token has at a resource where its owner has this role: what was granted, as far as the
        role goes; and what the owner's role without a resource gives in all of them, where the vocabulary says so.

        :param role: ``None`` for none at all.
        """
        here = 0 if role is None else self.roles.effective(token.granted, role).at(resource)
        return here | (token.scopes.at(resource) & self.vocabulary.inherited_bits)
