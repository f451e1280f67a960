"""Tokens, in a database."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from time import time
from typing import Any

from peewee import IntegrityError

from ..errors import ConfigurationError
from ..policy import Lifetimes
from ..scopes import DEFAULT_ROLE, ScopeSet, Vocabulary
from .minting import Length, Terms, check_reserved, held_down, mint, read_expiry, read_networks
from .models import Owner, Token
from .networks import parse_networks, spell_networks
from .owners import OwnerRegister, check_name
from .pepper import Peppers
from .records import (
    Issued,
    LiveToken,
    NameTaken,
    NoSuchOwner,
    NoSuchToken,
    TokenDead,
    TokenInfo,
    TokenManaged,
    TokenRefused,
    moment,
)
from .secret import HINT_LENGTH, SecretFormat
from .token_filter import TokenFilter

_BATCH = 500
_HIGHEST_ID = 2**31 - 1
_MOST_RESOURCES = 500
_LONGEST_TEXT = 60_000


class TokenRegister(OwnerRegister):
    """The tokens there are: made, looked at, changed, ended.

    Not for itself: :class:`~scopeware.tokens.TokenStore` is one.
    """

    vocabulary: Vocabulary
    lifetimes: Lifetimes
    _format: SecretFormat
    _peppers: Peppers

    # -- making tokens

    def issue(
        self,
        *,
        owner: str,
        name: str,
        scopes: str | ScopeSet,
        expires_in: Length = None,
        expires_at: datetime | None = None,
        networks: str | Iterable[str] | None = None,
        managed: bool = False,
        parent: LiveToken | None = None,
    ) -> Issued:
        """A new token.

        :param owner: who holds it; an owner nobody has met yet is added, active, with role ``user``.
        :param name: what the owner calls it; unique among the owner's live tokens.
        :param scopes: what it may do, as text of the store's vocabulary or as a scope set.
        :param expires_in: how long it works: a timedelta, ``"30d"``, ``"never"``; by default what the lifetimes say.
        :param expires_at: until when, with a time zone.
        :param networks: the only addresses it works from (``"192.0.2.0/24, 2001:db8::/32"``).
        :param managed: whether its owner may not end or change it.
        :param parent: the token it is made with: it never exceeds that one, has its restrictions, and ends with it.
        :raises UnknownScope: a word is no scope.
        :raises TokenRefused: no scope at all, no name or owner, a name that is taken, an expiry that is past or too far
            away, words reserved to other roles, more than the parent has.
        :raises StoreUnavailable: the database cannot be written; no token was made.
        """
        owner = check_name(owner, "owner")
        name = check_name(name, "name")
        granted = self._read_scopes(scopes)
        now = time()
        with self._transaction():
            outer = self._terms_of_parent(parent, owner)
            terms = mint(granted, networks, expires_in, expires_at, now=now, lifetimes=self.lifetimes, outer=outer)
            if parent is not None:
                self._check_under_all_roles(terms.scopes, parent)
            holder = self._holder(owner, int(now))
            check_reserved(terms.scopes, self.roles, self._role_of(holder))
            return self._insert(holder, name, terms, now, managed=managed, parent=parent and parent.id)

    def rotate(
        self,
        token_id: int,
        *,
        grace: timedelta | str | None = None,
        expires_in: Length = None,
        scopes: str | ScopeSet | None = None,
        parent: LiveToken | None = None,
        by: str | None = None,
    ) -> Issued:
        """A token in the place of another: the same name, scopes and restrictions, a new secret, a new id.

        :param grace: how long the old one works on; by default not at all.
        :param scopes: fewer scopes for the new one; by default the same.
        :param expires_in: how long the new one works; by default until the old one would have expired.
        :param parent: the token it is done with; as for :meth:`issue`.
        :param by: the owner who does it; by default whoever runs this.
        :raises NoSuchToken: there is no token with this id, or it is someone else's.
        :raises TokenDead: the old one no longer works.
        :raises TokenManaged: its owner may not.
        :raises TokenRefused: a grace or an expiry that cannot be; the token is more than the parent is.
        :raises StoreUnavailable: the database cannot be written; nothing has changed.
        """
        now = time()
        if grace == "never":
            raise TokenRefused("a grace comes to an end; name a length of time", "grace")
        left = (
            int(now) if grace is None or grace == timedelta(0) else read_expiry(now, grace, None, Lifetimes(), "grace")
        )
        with self._transaction():
            row = self._to_change(token_id, by, parent)
            if row.rotated_at is not None:
                raise TokenDead(token_id, "rotated")
            terms = self._terms_of(row)
            # As it stands: words that nobody knows today go along, and grant nothing.
            stored, made_with = row.scopes, row.parent_id
            if scopes is not None:
                had = terms.scopes
                terms = self._narrowed_to(terms, scopes, row, parent)
                stored = (terms.scopes & had).as_granted
            if expires_in is not None or not self.lifetimes.may_be_endless:
                longest = read_expiry(
                    now, self.lifetimes.max_lifetime if expires_in is None else expires_in, None, self.lifetimes
                )
                expiry = longest if expires_in is not None else _sooner(terms.expires_at, longest)
                terms = replace(terms, expires_at=expiry)
                self._check_within_maker(terms, row)
            if parent is not None:
                terms = self._within_parent(terms, parent, row)
                if parent.id != row.id:
                    stored, made_with = terms.scopes.as_granted, parent.id
            ended = {"revoked_at": int(now)} if left == int(now) else {"expires_at": _sooner(row.expires_at, left)}
            self._update(Token.id == row.id, rotated_at=int(now), live_name=None, **ended)
            issued = self._insert(row.owner, row.name, terms, now, managed=row.managed, parent=made_with, scopes=stored)
            self._update(Token.id == row.id, successor=issued.token.id)
            self._update(Token.parent == row.id, parent=issued.token.id)
            self._hold_down(issued.token.id, terms)
            return issued

    def edit(
        self,
        token_id: int,
        *,
        name: str | None = None,
        scopes: str | ScopeSet | None = None,
        expires_in: Length = None,
        expires_at: datetime | None = None,
        networks: str | Iterable[str] | None = None,
        parent: LiveToken | None = None,
        by: str | None = None,
    ) -> TokenInfo:
        """Give a token another name, or less: fewer scopes, an earlier end, smaller networks. For more, make another.

        :param parent: the token it is done with; as for :meth:`issue`.
        :param by: the owner who does it; by default whoever runs this.
        :raises NoSuchToken: there is no token with this id, or it is someone else's.
        :raises TokenDead: it no longer works.
        :raises TokenManaged: its owner may not.
        :raises UnknownScope: a word is no scope.
        :raises TokenRefused: it would be more than it is, or than the parent is; a name that is taken.
        :raises StoreUnavailable: the database cannot be written; nothing has changed.
        """
        now = time()
        with self._transaction():
            row = self._to_change(token_id, by, parent)
            terms = self._terms_of(row)
            values: dict[str, object] = {}
            if name is not None:
                values["name"] = check_name(name, "name")
                if row.live_name is not None:
                    self._free_name(row.owner, name, now)
                    values["live_name"] = name
            if scopes is not None:
                had = terms.scopes
                terms = self._narrowed_to(terms, scopes, row, parent)
                # A word for many scopes stays one only where it was one: it may come to mean more.
                values["scopes"] = (terms.scopes & had).as_granted
            if networks is not None:
                terms = _narrowed(terms, replace(terms, networks=read_networks(networks)))
                values["networks"] = spell_networks(terms.networks)
            if expires_in is not None or expires_at is not None:
                # Sooner is less: the shortest lifetime is for new tokens.
                expiry = read_expiry(now, expires_in, expires_at, replace(self.lifetimes, min_lifetime=None))
                terms = _narrowed(terms, replace(terms, expires_at=expiry))
                values["expires_at"] = expiry
            try:
                if values:
                    self._update(Token.id == row.id, **values)
            except IntegrityError:
                raise NameTaken(str(name), row.owner.name) from None
            self._hold_down(token_id, terms)
            return self.show(token_id)

    def _narrowed_to(self, terms: Terms, scopes: str | ScopeSet, row: Any, parent: LiveToken | None) -> Terms:
        """The same with fewer scopes."""
        narrower = self._read_scopes(scopes)
        if terms.scopes.public_only:
            narrower = narrower.for_public_only()
        check_reserved(narrower, self.roles, self._role_of(row.owner))
        if parent is not None and not narrower <= parent.scopes:
            # What is worth nothing in its hands, words reserved to another role, becomes nothing else.
            raise TokenRefused("the token it is done with does not have these scopes now", "scopes")
        return _narrowed(terms, replace(terms, scopes=narrower))

    def _hold_down(self, token_id: int, terms: Terms) -> None:
        """What was made with a token that has become less becomes less with it; where nothing is left, it ends."""
        todo = [(token_id, terms)]
        while todo:
            maker, outer = todo.pop()
            made_with = Token.select().where(Token.parent == maker, Token.revoked_at.is_null())
            for row in builtins.list(made_with.execute(self._database.peewee)):
                try:
                    had = self._terms_of(row)
                    left = held_down(had, outer)
                except TokenRefused:
                    had, left = outer, None  # what cannot be read cannot be measured
                if left is None:
                    self._revoke([row.id])
                elif left != had:
                    self._update(
                        Token.id == row.id,
                        scopes=left.scopes.as_granted,
                        networks=spell_networks(left.networks) or None,
                        expires_at=left.expires_at,
                    )
                    todo.append((row.id, left))

    def _read_scopes(self, scopes: str | ScopeSet) -> ScopeSet:
        granted = scopes if isinstance(scopes, ScopeSet) else self.vocabulary.parse(scopes)
        if granted.vocabulary != self.vocabulary:
            raise TokenRefused(
                f"the scopes are of vocabulary `{granted.vocabulary.name}`, the store's is `{self.vocabulary.name}`",
                "scopes",
            )
        if not granted:
            raise TokenRefused("a token without a scope could do nothing; name at least one", "scopes")
        if len(granted.bound) > _MOST_RESOURCES:
            raise TokenRefused(f"a token is bound to {_MOST_RESOURCES} resources at most; use owner/*", "scopes")
        return granted

    def _insert(
        self,
        holder: Owner,
        name: str,
        terms: Terms,
        now: float,
        *,
        managed: bool,
        parent: int | None,
        scopes: str | None = None,
    ) -> Issued:
        for field, text in (("scopes", terms.scopes.as_granted), ("networks", spell_networks(terms.networks))):
            if len(text) > _LONGEST_TEXT:
                raise TokenRefused(f"the {field} take more than {_LONGEST_TEXT} characters; make several tokens", field)
        secret = self._format.generate()
        self._free_name(holder, name, now)
        try:
            token_id = Token.insert(
                owner=holder,
                parent=parent,
                name=name,
                live_name=name,
                scopes=terms.scopes.as_granted if scopes is None else scopes,
                networks=spell_networks(terms.networks) or None,
                managed=managed,
                digest=self._peppers.digest(secret),
                pepper=self._peppers.current,
                hint=secret[-HINT_LENGTH:],
                created_at=int(now),
                expires_at=terms.expires_at,
            ).execute(self._database.peewee)
        except IntegrityError:
            raise NameTaken(name, holder.name) from None
        return Issued(secret, self.show(token_id))

    def _free_name(self, holder: Owner, name: str, now: float) -> None:
        """A name is free again when its token has expired."""
        self._update((Token.owner == holder) & (Token.live_name == name) & (Token.expires_at <= now), live_name=None)

    def _update(self, condition: Any, **values: object) -> int:
        changed: int = Token.update(**values).where(condition).execute(self._database.peewee)
        return changed

    def _role_of(self, holder: Owner) -> str:
        if self._accounts is None:
            return str(holder.role)
        told = self._ask_accounts(holder.name)
        # Someone the application does not know can be granted what anybody can.
        return DEFAULT_ROLE if told is None else told.role

    def _terms_of_parent(self, parent: LiveToken | None, owner: str) -> Terms | None:
        """What the token that another one is made with is good for: as it stands now, under its owner's role now."""
        if parent is None:
            return None
        if parent.owner != owner:
            raise TokenRefused("a token makes tokens for its own owner only", "owner")
        row = self._row(parent.id)
        if row is None or self._info(row).status != "live":
            raise TokenRefused("the token it is made with no longer works", "parent")
        terms = self._terms_of(row)
        return Terms(self._info(row).effective, terms.networks, terms.expires_at)

    def _within_parent(self, terms: Terms, parent: LiveToken | None, row: Any) -> Terms:
        """These terms of a token that is changed with another one, as far as that goes; with itself, as they are.

        :raises TokenRefused: they are more than that one has.
        """
        outer = self._terms_of_parent(parent, row.owner.name)
        if outer is None or parent is None:
            return terms
        if parent.id == row.id:
            replace(outer, expires_at=terms.expires_at).check_within(outer, "the token itself")
            return terms
        if row.id in self._makers(parent.id):
            raise TokenRefused("a token does not change what it was made with", "parent")
        terms.check_within(outer, "the token it is done with")
        self._check_under_all_roles(terms.scopes, parent)
        return replace(terms, scopes=terms.scopes & outer.scopes)

    def _makers(self, token_id: int) -> set[int]:
        """The tokens that a token was made with, and those were made with, and so on."""
        found: set[int] = set()
        row = self._row(token_id)
        while row is not None and row.parent_id is not None and row.parent_id not in found:
            found.add(row.parent_id)
            row = self._row(row.parent_id)
        return found

    def _check_under_all_roles(self, scopes: ScopeSet, parent: LiveToken) -> None:
        """Nothing, if no other role of the owner makes this more than the parent: as where that one's scopes come from
        a word that is reserved."""
        granted = self._terms_of(self._row(parent.id)).scopes
        for role in self.roles:
            if not self.roles.effective(scopes, role) <= self.roles.effective(granted, role):
                raise TokenRefused(
                    f"under the role `{role}` this would be more than the token it is made with; ask for its own words",
                    "scopes",
                )

    def _check_within_maker(self, terms: Terms, row: Any) -> None:
        """Nothing, if terms do not go beyond those of the token that a token was made with."""
        maker = None if row.parent_id is None else self._row(row.parent_id)
        if maker is not None:
            terms.check_within(self._terms_of(maker), "the token it was made with")

    def _row(self, token_id: int) -> Any:
        """The row of a token. Where others may write at the same time, its owner is locked until the end of the
        transaction, and so are all its tokens: they change one after the other."""
        if not 0 < token_id <= _HIGHEST_ID:
            return None
        query = Token.select(Token, Owner).join(Owner).where(Token.id == token_id)
        if self._database.peewee.for_update:
            holder = Token.select(Token.owner).where(Token.id == token_id)
            for (owner_id,) in holder.tuples().execute(self._database.peewee):
                builtins.list(Owner.select().where(Owner.id == owner_id).for_update().execute(self._database.peewee))
            query = query.for_update()
        return next(iter(query.execute(self._database.peewee)), None)

    def _to_change(self, token_id: int, by: str | None, parent: LiveToken | None) -> Any:
        """The row of a token that works, and that whoever is asking may change."""
        row = self._row(token_id)
        if row is None:
            raise NoSuchToken(token_id)
        self._check_hands(row, by if parent is None else parent.owner)
        self._within_parent(self._terms_of(row), parent, row)
        status = self._info(row).status
        if status not in ("live", "owner_inactive"):
            raise TokenDead(token_id, status)
        return row

    def _check_hands(self, row: Any, by: str | None) -> None:
        if by is None or self.is_admin(by):
            return
        if row.owner.name != by:
            raise NoSuchToken(row.id)
        if row.managed:
            raise TokenManaged(row.id, by)

    def _terms_of(self, row: Any) -> Terms:
        scopes, _ = self.vocabulary.parse_known(row.scopes)
        networks = () if row.networks is None else read_networks(row.networks)
        return Terms(scopes, networks, row.expires_at)

    # -- looking at them

    def find(self, secret: str) -> TokenInfo | None:
        """The token with this secret, whatever its state; ``None`` if there is none.

        :raises StoreUnavailable: the database cannot be asked.
        """
        if not self._format.is_well_formed(secret):
            return None
        return next(self._select(Token.digest.in_(self._peppers.digests(secret))), None)

    def show(self, token_id: int) -> TokenInfo:
        """The token with this id, whatever its state.

        :raises NoSuchToken: there is none.
        :raises StoreUnavailable: the database cannot be asked.
        """
        found = next(self._select(Token.id == token_id), None) if 0 < token_id <= _HIGHEST_ID else None
        if found is None:
            raise NoSuchToken(token_id)
        return found

    def list(self, *, owner: str | None = None, dead: bool = False, **wanted: Any) -> builtins.list[TokenInfo]:
        """Tokens, oldest first.

        :param owner: only this owner's.
        :param dead: revoked and expired ones, and those of inactive owners, too.
        :param wanted: more of what a :class:`~scopeware.tokens.TokenFilter` knows.
        :raises NoSuchOwner: there is no such owner.
        :raises UnknownScope, ConfigurationError: a scope or a resource that cannot be.
        :raises StoreUnavailable: the database cannot be asked.
        """
        try:
            return self.matching(TokenFilter(owner=owner, dead=dead, **wanted))
        except NoSuchOwner as error:
            # Someone whom the application knows, without a token so far.
            if self.account(error.name) is None:
                raise
            return []

    def matching(self, wanted: TokenFilter) -> builtins.list[TokenInfo]:
        """The tokens that a filter means, oldest first.

        :raises NoSuchOwner: there is no such owner.
        :raises UnknownScope: its scope is none.
        :raises StoreUnavailable: the database cannot be asked.
        """
        return self._matching(wanted, asleep=False)

    def _matching(self, wanted: TokenFilter, *, asleep: bool) -> builtins.list[TokenInfo]:
        if wanted.owner is not None:
            self.owner(wanted.owner)
        if wanted.scope is not None and not self.vocabulary.parse(wanted.scope):
            raise ConfigurationError("name one scope", where="scope")
        return [token for token in self._select(*wanted.conditions()) if wanted.meets(token, asleep=asleep)]

    def _select(self, *conditions: Any) -> Iterator[TokenInfo]:
        query = Token.select(Token, Owner).join(Owner).order_by(Token.id)
        if conditions:
            query = query.where(*conditions)
        with self._answering():
            rows = builtins.list(query.execute(self._database.peewee))
        for row in rows:
            yield self._info(row)

    def _info(self, row: Any) -> TokenInfo:
        scopes, unknown = self.vocabulary.parse_known(row.scopes)
        account = self._ask_accounts(row.owner.name) if self._accounts is not None else None
        role = row.owner.role if self._accounts is None else account.role if account is not None else ""
        try:
            networks = parse_networks(row.networks or "")
        except ConfigurationError:
            networks = ()
        return TokenInfo(
            id=row.id,
            owner=row.owner.name,
            name=row.name,
            scopes=scopes,
            unknown_scopes=unknown,
            effective=self.roles.effective(scopes, role),
            networks=networks,
            managed=bool(row.managed),
            hint=row.hint,
            created_at=moment(row.created_at),
            expires_at=_moment(row.expires_at),
            last_used_at=_moment(row.last_used_at),
            rotated_at=_moment(row.rotated_at),
            revoked_at=_moment(row.revoked_at),
            owner_kind=row.owner.kind,
            owner_role=role,
            owner_active=row.owner.active and (self._accounts is None or (account is not None and account.active)),
            parent_id=row.parent_id,
            successor_id=row.successor_id,
        )

    # -- ending them

    def revoke(self, token_id: int, *, by: str | None = None) -> bool:
        """End a token, for good and at once; those made with it, too, and the one it took the place of. Whether it was
        not revoked before.

        :param by: the owner who does it; by default whoever runs this.
        :raises NoSuchToken: there is no token with this id, or it is someone else's.
        :raises TokenManaged: its owner may not.
        :raises StoreUnavailable: the database cannot be written; the token still works.
        """
        with self._transaction():
            row = self._row(token_id)
            if row is None:
                raise NoSuchToken(token_id)
            self._check_hands(row, by)
            return token_id in self._revoke([token_id])

    def revoke_matching(self, wanted: TokenFilter) -> builtins.list[int]:
        """End all tokens that a filter means, those of inactive owners included, and those made with them; the ids of
        those that were not revoked before.

        :raises ConfigurationError: the filter leaves nobody out; nothing was done.
        :raises NoSuchOwner: there is no such owner.
        :raises UnknownScope: its scope is none.
        :raises StoreUnavailable: the database cannot be written; all of them still work.
        """
        if wanted.is_everything:
            raise ConfigurationError("say which tokens: this filter means all there are", where="filter")
        with self._transaction():
            ended: builtins.list[int] = []
            while True:
                # Again, until there is nothing left: meanwhile one of them may have been rotated.
                found = [token.id for token in self._matching(wanted, asleep=True) if token.revoked_at is None]
                more = self._revoke(found)
                if not more:
                    return ended
                ended += more

    def _revoke(self, token_ids: builtins.list[int]) -> builtins.list[int]:
        ended: builtins.list[int] = []
        todo = token_ids
        seen = set(todo)
        while todo:
            batch, todo = todo[:_BATCH], todo[_BATCH:]
            fresh = Token.id.in_(batch) & Token.revoked_at.is_null()
            live = Token.select(Token.id).where(fresh)
            if self._database.peewee.for_update:
                live = live.for_update()
            ended += [row.id for row in live.execute(self._database.peewee)]
            self._update(fresh, revoked_at=int(time()), live_name=None)
            # Through those that ended before, too: what was rotated twice may still be in its first grace.
            query = Token.select(Token.id).where(Token.parent.in_(batch) | Token.successor.in_(batch))
            found = [row.id for row in query.execute(self._database.peewee) if row.id not in seen]
            seen.update(found)
            todo = todo + found
        return ended

    def purge(self, dead_for: timedelta) -> int:
        """Remove the rows of tokens that have not worked for this long, in small batches; how many there were. What the
        access log says about them stays.

        :raises ConfigurationError: no length of time at all.
        :raises StoreUnavailable: the database cannot be written any more; some may be gone.
        """
        if dead_for <= timedelta(0):
            raise ConfigurationError("say for how long they have been dead", where="dead_for")
        until = int(time() - dead_for.total_seconds())
        dead = (Token.revoked_at <= until) | (Token.expires_at <= until)
        removed = 0
        while True:
            with self._transaction():
                query = Token.select(Token.id).where(dead).limit(_BATCH)
                batch = [row.id for row in query.execute(self._database.peewee)]
                if not batch:
                    return removed
                removed += Token.delete().where(Token.id.in_(batch)).execute(self._database.peewee)


def _narrowed(terms: Terms, wanted: Terms) -> Terms:
    wanted.check_within(terms, "what the token has; make another one for that")
    return wanted


def _sooner(one: int | None, other: int | None) -> int | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else moment(seconds)
