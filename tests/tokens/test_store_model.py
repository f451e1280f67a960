"""Whatever is done to tokens and owners in whatever order, two stores on one file answer as a plain dict would."""

import shutil
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule
from token_helpers import answer, run_sql, url_of

from scopeware.scopes import ScopeSet, Vocabulary
from scopeware.tokens import NameTaken, NoSuchOwner, NoSuchToken, OwnerExists, TokenStore

GITEA = Vocabulary.builtin("gitea")
OWNERS = ("alice", "bob")
NAMES = ("ci", "laptop")
ROLES = ("viewer", "user", "admin")
SCOPES = ("all", "public-only,write:user", "read:user,write:issue", "write:admin,read:misc", "read:admin")


@dataclass
class Person:
    """An owner, as the model sees it."""

    role: str = "user"
    active: bool = True


@dataclass
class Card:
    """A token, as the model sees it."""

    id: int
    owner: str
    name: str
    scopes: str
    expires: float | None
    revoked: bool = False


class Stores(RuleBasedStateMachine):
    """Two stores, one file, and a model of plain dicts."""

    tokens = Bundle("tokens")

    def __init__(self):
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.path = self.directory / "tokens.db"
        self.now = 1_800_000_000.0
        self.patches = [patch(f"scopeware.tokens.{module}.time", lambda: self.now) for module in ("known", "store")] + [
            patch.dict("scopeware.tokens.database._PRAGMAS", {"synchronous": "off"})
        ]
        for one in self.patches:
            one.start()
        self.stores = [TokenStore.connect(url_of(self.path)), TokenStore.connect(url_of(self.path), cache_size=2)]
        self.people: dict[str, Person] = {}
        self.cards: dict[str, Card] = {}
        self.gone: list[str] = []

    def teardown(self):
        """Close and remove everything."""
        for store in self.stores:
            store.close()
        for one in self.patches:
            one.stop()
        shutil.rmtree(self.directory)

    def expired(self, card):
        """Whether its time is over."""
        return card.expires is not None and card.expires <= self.now

    def ceiling(self, role):
        """What a role allows, spelled out."""
        common = [category for category in GITEA.categories if category != "admin"]
        allowed = {
            "viewer": [f"read:{category}" for category in common],
            "user": [f"write:{category}" for category in common],
            "admin": ["all"],
        }
        return GITEA.parse(allowed[role])

    def expected(self, secret):
        """What the model answers."""
        card = self.cards.get(secret)
        if card is None:
            return "token_invalid"
        if card.revoked:
            return "token_revoked"
        if self.expired(card):
            return "token_expired"
        person = self.people[card.owner]
        if not person.active:
            return "owner_inactive"
        granted: ScopeSet = GITEA.parse(card.scopes) & self.ceiling(person.role)
        return str(granted)

    @rule(
        target=tokens,
        which=st.booleans(),
        owner=st.sampled_from(OWNERS),
        name=st.sampled_from(NAMES),
        scopes=st.sampled_from(SCOPES),
        seconds=st.none() | st.integers(1, 100),
    )
    def issue(self, which, owner, name, scopes, seconds):
        """A name can be had unless a live token has it."""
        taken = any(
            (card.owner, card.name) == (owner, name) and not card.revoked and not self.expired(card)
            for card in self.cards.values()
        )
        expires_in = None if seconds is None else timedelta(seconds=seconds)
        store = self.stores[which]
        if taken:
            with pytest.raises(NameTaken):
                store.issue(owner=owner, name=name, scopes=scopes, expires_in=expires_in)
            return multiple()
        issued = store.issue(owner=owner, name=name, scopes=scopes, expires_in=expires_in)
        assert issued.secret not in self.cards
        expires = None if seconds is None else self.now + seconds
        self.cards[issued.secret] = Card(issued.token.id, owner, name, scopes, expires)
        self.people.setdefault(owner, Person())
        return issued.secret

    @rule(which=st.booleans(), secret=tokens)
    def revoke(self, which, secret):
        """The first revocation counts."""
        card = self.cards[secret]
        assert self.stores[which].revoke(card.id) is not card.revoked
        card.revoked = True

    @rule(which=st.booleans(), number=st.integers(1_000, 2_000))
    def revoke_nothing(self, which, number):
        """What does not exist cannot be revoked."""
        with pytest.raises(NoSuchToken):
            self.stores[which].revoke(number)

    @rule(seconds=st.integers(1, 60))
    def wait(self, seconds):
        """Time passes."""
        self.now += seconds

    @rule(secret=tokens)
    def expire_by_hand(self, secret):
        """Somebody with the sqlite3 shell sets the expiry."""
        card = self.cards[secret]
        run_sql(self.path, f"UPDATE token SET expires_at = {int(self.now)} WHERE id = {card.id}")
        card.expires = self.now

    @rule(secret=tokens, scopes=st.sampled_from(SCOPES))
    def change_scopes_by_hand(self, secret, scopes):
        """Or the scopes."""
        card = self.cards[secret]
        run_sql(self.path, f"UPDATE token SET scopes = '{scopes}' WHERE id = {card.id}")
        card.scopes = scopes

    @rule(secret=consumes(tokens))
    def delete_by_hand(self, secret):
        """Or deletes a token, which then never was; its name is free."""
        card = self.cards.pop(secret)
        self.gone.append(secret)
        run_sql(self.path, f"DELETE FROM token WHERE id = {card.id}")
        with pytest.raises(NoSuchToken):
            self.stores[0].revoke(card.id)

    @rule()
    def commit_something_else(self):
        """Or writes to a table of its own."""
        run_sql(self.path, "CREATE TABLE IF NOT EXISTS note (text)", "INSERT INTO note VALUES ('x')")

    @rule(which=st.booleans(), owner=st.sampled_from(OWNERS), role=st.sampled_from(ROLES))
    def add_owner(self, which, owner, role):
        """An owner can be added once."""
        store = self.stores[which]
        if owner in self.people:
            with pytest.raises(OwnerExists):
                store.add_owner(owner, role=role)
        else:
            store.add_owner(owner, role=role)
            self.people[owner] = Person(role)

    @rule(which=st.booleans(), owner=st.sampled_from(OWNERS), role=st.sampled_from(ROLES))
    def set_role(self, which, owner, role):
        """A role holds from now on."""
        self.change(owner, lambda: self.stores[which].set_role(owner, role), "role", role)

    @rule(which=st.booleans(), owner=st.sampled_from(OWNERS), active=st.booleans())
    def switch(self, which, owner, active):
        """An owner is enabled or disabled."""
        store = self.stores[which]
        act = store.enable_owner if active else store.disable_owner
        self.change(owner, lambda: act(owner), "active", active)

    def change(self, owner, act, attribute, value):
        """Do so in both worlds."""
        if owner in self.people:
            assert getattr(act(), attribute) == value
            setattr(self.people[owner], attribute, value)
        else:
            with pytest.raises(NoSuchOwner):
                act()

    @rule()
    def reopen(self):
        """Both stores are closed, and one of them opened first."""
        for store in self.stores:
            store.close()
        self.stores = [TokenStore.connect(url_of(self.path)), TokenStore.connect(url_of(self.path), cache_size=2)]

    @invariant()
    def both_stores_answer_as_the_model_does(self):
        """For every secret there ever was; and the list has what works."""
        for secret in (*self.cards, *self.gone):
            said = [answer(store, secret) for store in self.stores]
            assert said == [self.expected(secret)] * 2
        known = sorted(card.id for card in self.cards.values())
        assert [token.id for token in self.stores[0].list(dead=True)] == known


Stores.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestStores = Stores.TestCase
