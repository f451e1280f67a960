"""Whatever is done to tokens and owners in whatever order, two stores on one database answer as a plain dict would."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from processes import answer

from scopeware.scopes import ScopeSet, Vocabulary
from scopeware.tokens import NameTaken, NoSuchOwner, NoSuchToken, OwnerExists, TokenDead, TokenRefused

GITEA = Vocabulary.builtin("gitea")
OWNERS = ("alice", "bob")
NAMES = ("ci", "laptop")
ROLES = ("viewer", "user", "admin")
REFUSALS = ("token_invalid", "token_revoked", "token_rotated", "token_expired", "owner_inactive")
SCOPES = ("all", "public-only,write:user", "read:user,write:issue", "write:admin,read:misc", "read:admin")
LOG_COLUMNS = "at, address, method, path, group_path, scopes, decision, duration"
LOG_VALUES = "0, '192.0.2.7', 'GET', '/', '', '', 'allowed', 1"


@dataclass
class Person:
    """An owner, as the model sees it."""

    role: str = "user"
    active: bool = True


@dataclass
class Card:
    """A token, as the model sees it.

    :param parent: the secret of the token it was made with.
    :param successor: the secret of the token that took its place.
    """

    id: int
    owner: str
    name: str
    scopes: str
    expires: float | None
    parent: str | None = None
    successor: str | None = None
    rotated: bool = False
    revoked: bool = False


class Stores(RuleBasedStateMachine):
    """Two stores, one database, and a model of plain dicts."""

    tokens = Bundle("tokens")

    def __init__(self, home, clock):
        super().__init__()
        self.home = home
        self.clock = clock
        clock.now = 1_800_000_000
        self.reopen()
        self.people: dict[str, Person] = {}
        self.cards: dict[str, Card] = {}
        self.gone: list[str] = []

    @property
    def now(self):
        """What the clock says."""
        return self.clock.now

    def teardown(self):
        """Close the stores, and leave nobody in the database."""
        self.home.close()
        self.home.empty()

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
            return "token_rotated" if card.rotated else "token_revoked"
        if self.expired(card):
            return "token_rotated" if card.rotated else "token_expired"
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
        taken = self.holder_of(owner, name) is not None
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

    def holder_of(self, owner, name):
        """The token that has a name: it works, maybe once its owner is active again, and was not rotated."""
        for card in self.cards.values():
            named = (card.owner, card.name) == (owner, name) and not card.rotated
            if named and not card.revoked and not self.expired(card):
                return card
        return None

    @rule(
        target=tokens,
        which=st.booleans(),
        parent=tokens,
        name=st.sampled_from(NAMES),
        seconds=st.none() | st.integers(1, 100),
    )
    def issue_with(self, which, parent, name, seconds):
        """A token makes one that can do the same, if it can do anything and the name can be had."""
        store = self.stores[which]
        token = store.authenticate(parent)
        owner = self.cards[parent].owner
        if self.expected(parent) in ("", *REFUSALS) or self.holder_of(owner, name):
            return multiple()
        expires_in = None if seconds is None else timedelta(seconds=seconds)
        ends = self.cards[parent].expires
        if expires_in is not None and ends is not None and ends < self.now + seconds:
            return multiple()
        issued = store.issue(owner=owner, name=name, scopes=token.scopes, expires_in=expires_in, parent=token)
        expires = ends if seconds is None else self.now + seconds
        self.cards[issued.secret] = Card(issued.token.id, owner, name, str(token.scopes), expires, parent)
        return issued.secret

    @rule(target=tokens, which=st.booleans(), secret=tokens, grace=st.none() | st.integers(1, 100))
    def rotate(self, which, secret, grace):
        """Another secret for the same; the old one goes on until the end of its grace."""
        card = self.cards[secret]
        store = self.stores[which]
        for_how_long = None if grace is None else timedelta(seconds=grace)
        if card.rotated or card.revoked or self.expired(card):
            with pytest.raises(TokenDead):
                store.rotate(card.id, grace=for_how_long)
            return multiple()
        issued = store.rotate(card.id, grace=for_how_long)
        self.cards[issued.secret] = Card(issued.token.id, card.owner, card.name, card.scopes, card.expires, card.parent)
        card.rotated, card.successor = True, issued.secret
        if grace is None:
            card.revoked = True
        else:
            card.expires = min(self.now + grace, card.expires or self.now + grace)
        for other in self.cards.values():
            if other.parent == secret:
                other.parent = issued.secret
        self.hold_down(issued.secret)
        return issued.secret

    @rule(which=st.booleans(), secret=tokens)
    def revoke(self, which, secret):
        """The first revocation counts; what was made with the token ends with it, and what it took the place of."""
        card = self.cards[secret]
        assert self.stores[which].revoke(card.id) is not card.revoked
        self.end(secret)

    def end(self, secret):
        """With all that came of it."""
        todo, seen = [secret], {secret}
        while todo:
            ended = todo.pop()
            self.cards[ended].revoked = True
            related = {key for key, other in self.cards.items() if ended in (other.parent, other.successor)}
            todo += related - seen
            seen |= related

    def hold_down(self, secret):
        """What was made with a token that was touched becomes no more than that is; where nothing is left, it ends."""
        parent = self.cards[secret]
        for key, card in self.cards.items():
            if card.parent != secret or card.revoked:
                continue
            had = GITEA.parse(card.scopes)
            left = had & GITEA.parse(parent.scopes)
            expires = min((end for end in (card.expires, parent.expires) if end is not None), default=None)
            if not left:
                self.end(key)
            elif (left, expires) != (had, card.expires):
                card.scopes, card.expires = str(left), expires
                self.hold_down(key)

    @rule(which=st.booleans(), secret=tokens, scopes=st.sampled_from(SCOPES), name=st.none() | st.sampled_from(NAMES))
    def edit(self, which, secret, scopes, name):
        """What still works can have less, and another name that is free."""
        card = self.cards[secret]
        store = self.stores[which]
        if card.revoked or self.expired(card):
            with pytest.raises(TokenDead):
                store.edit(card.id, scopes=scopes, name=name)
            return
        if not GITEA.parse(card.scopes).covers(scopes):
            with pytest.raises(TokenRefused):
                store.edit(card.id, scopes=scopes)
            return
        if name is not None and not card.rotated and self.holder_of(card.owner, name) not in (None, card):
            with pytest.raises(NameTaken):
                store.edit(card.id, scopes=scopes, name=name)
            return
        store.edit(card.id, scopes=scopes, name=name)
        restricted = GITEA.parse(card.scopes).public_only
        narrower = GITEA.parse(scopes)
        card.scopes = str(narrower.for_public_only() if restricted else narrower)
        card.name = name or card.name
        self.hold_down(secret)

    @rule(which=st.booleans(), number=st.integers(1_000_000_000, 1_000_001_000))
    def revoke_nothing(self, which, number):
        """What does not exist cannot be revoked."""
        with pytest.raises(NoSuchToken):
            self.stores[which].revoke(number)

    @rule(seconds=st.integers(1, 60))
    def wait(self, seconds):
        """Time passes."""
        self.clock.now += seconds

    @rule(secret=tokens)
    def expire_by_hand(self, secret):
        """Somebody with SQL sets the expiry."""
        card = self.cards[secret]
        self.home.run_sql(f"UPDATE scopeware_token SET expires_at = {int(self.now)} WHERE id = {card.id}")
        card.expires = self.now

    @rule(secret=tokens, scopes=st.sampled_from(SCOPES))
    def change_scopes_by_hand(self, secret, scopes):
        """Or the scopes."""
        card = self.cards[secret]
        self.home.run_sql(f"UPDATE scopeware_token SET scopes = '{scopes}' WHERE id = {card.id}")
        card.scopes = scopes

    @rule(secret=consumes(tokens))
    def delete_by_hand(self, secret):
        """Or deletes a token, which then never was; its name is free."""
        card = self.cards.pop(secret)
        self.gone.append(secret)
        for other in self.cards.values():
            other.parent = None if other.parent == secret else other.parent
            other.successor = None if other.successor == secret else other.successor
        self.home.run_sql(f"DELETE FROM scopeware_token WHERE id = {card.id}")
        with pytest.raises(NoSuchToken):
            self.stores[0].revoke(card.id)

    @rule()
    def commit_something_else(self):
        """Or writes to a table that no token depends on."""
        self.home.run_sql("INSERT INTO scopeware_access_log (" + LOG_COLUMNS + ") VALUES (" + LOG_VALUES + ")")

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
        """Both stores are closed, and opened again."""
        self.home.close()
        self.stores = [self.home.connect(), self.home.connect(cache_size=2)]

    @invariant()
    def both_stores_answer_as_the_model_does(self):
        """For every secret there ever was; and the lists have what is there, and what works."""
        for secret in (*self.cards, *self.gone):
            said = [answer(store, secret) for store in self.stores]
            assert said == [self.expected(secret)] * 2
        known = sorted(card.id for card in self.cards.values())
        assert [token.id for token in self.stores[0].list(dead=True)] == known
        live = sorted(card.id for secret, card in self.cards.items() if self.expected(secret) not in REFUSALS)
        assert [token.id for token in self.stores[1].list()] == live


def test_stores_answer_as_a_plain_dict_would(home, clock):
    """On each database; where there is a network, fewer times."""
    examples = 25 if home.kind == "sqlite" else 8
    run_state_machine_as_test(
        lambda: Stores(home, clock), settings=settings(max_examples=examples, stateful_step_count=30, deadline=None)
    )
