"""Whatever is made with tokens, put in their place and changed, in whatever order: no child exceeds its parent."""

from contextlib import suppress
from datetime import timedelta
from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule, run_state_machine_as_test

from scopeware.tokens import LiveToken, TokenDead, TokenRefused

SCOPES = (
    "all",
    "write:user",
    "read:user",
    "read:user,write:issue",
    "public-only,write:user",
    "write:repository@alice/*,read:user",
    "write:repository@alice/widgets",
    "write:admin,read:repository",
)
NETWORKS = (None, "192.0.2.0/24", "192.0.2.7", "192.0.2.0/24,2001:db8::/32", "2001:db8:7::/48")
LENGTHS = (None, timedelta(seconds=50), timedelta(seconds=100), timedelta(days=1), "never")
GRACES = (None, None, timedelta(seconds=50), timedelta(days=1))
ROLES = ("viewer", "user", "admin")

scopes = st.sampled_from(SCOPES)
networks = st.sampled_from(NETWORKS)
lengths = st.sampled_from(LENGTHS)


class Families(RuleBasedStateMachine):
    """A store where tokens make tokens; it refuses whatever it wants to, and what it does not refuse is checked."""

    tokens = Bundle("tokens")

    def __init__(self, home, clock):
        super().__init__()
        self.home = home
        self.clock = clock
        self.store = home.connect()
        self.numbers = count()

    def teardown(self):
        """Leave nobody in the database."""
        self.home.close()
        self.home.empty()

    def used(self, secret):
        """The token as a request sees it; nothing for one that is refused."""
        found = self.store.authenticate(secret)
        return found if isinstance(found, LiveToken) else None

    @rule(target=tokens, scopes=scopes, networks=networks, expires_in=lengths)
    def issue(self, scopes, networks, expires_in):
        """One that nobody made it with."""
        name = str(next(self.numbers))
        return self.store.issue(
            owner="alice", name=name, scopes=scopes, networks=networks, expires_in=expires_in
        ).secret

    @rule(target=tokens, parent=tokens, scopes=st.none() | scopes, networks=networks, expires_in=lengths)
    def issue_with(self, parent, scopes, networks, expires_in):
        """One made with another; with the same scopes, or others."""
        made_with = self.used(parent)
        if made_with is None:
            return multiple()
        with suppress(TokenRefused):
            return self.store.issue(
                owner="alice",
                name=str(next(self.numbers)),
                scopes=made_with.scopes if scopes is None else scopes,
                networks=networks,
                expires_in=expires_in,
                parent=made_with,
            ).secret
        return multiple()

    @rule(
        target=tokens,
        secret=tokens,
        made_with=st.none() | tokens,
        grace=st.sampled_from(GRACES),
        expires_in=lengths,
    )
    def rotate(self, secret, made_with, grace, expires_in):
        """One put in the place of another; by hand, or with a token."""
        parent = None if made_with is None else self.used(made_with)
        found = self.store.find(secret)
        with suppress(TokenRefused, TokenDead):
            return self.store.rotate(found.id, grace=grace, expires_in=expires_in, parent=parent).secret
        return multiple()

    @rule(secret=tokens, made_with=st.none() | tokens, scopes=st.none() | scopes, networks=networks, expires_in=lengths)
    def edit(self, secret, made_with, scopes, networks, expires_in):
        """One that becomes less."""
        parent = None if made_with is None else self.used(made_with)
        found = self.store.find(secret)
        with suppress(TokenRefused, TokenDead):
            self.store.edit(found.id, scopes=scopes, networks=networks, expires_in=expires_in, parent=parent)

    @rule(secret=tokens)
    def revoke(self, secret):
        """One that ends."""
        self.store.revoke(self.store.find(secret).id)

    @rule(role=st.sampled_from(ROLES))
    def set_role(self, role):
        """Another ceiling for all of them."""
        with suppress(LookupError):
            self.store.set_role("alice", role)

    @rule(seconds=st.integers(1, 60))
    def wait(self, seconds):
        """Time passes."""
        self.clock.now += seconds

    @invariant()
    def no_child_exceeds_its_parent(self):
        """In scopes, networks or expiry; and none works whose parent does not."""
        infos = {info.id: info for info in self.store.list(dead=True)}
        for child in infos.values():
            if child.status != "live" or child.parent_id is None:
                continue
            parent = infos[child.parent_id]
            assert parent.status == "live"
            assert child.effective <= parent.effective
            assert child.scopes <= parent.scopes
            if parent.networks:
                assert child.networks
                assert all(
                    any(one.version == other.version and one.subnet_of(other) for other in parent.networks)
                    for one in child.networks
                )
            if parent.expires_at is not None:
                assert child.expires_at is not None
                assert child.expires_at <= parent.expires_at


def test_no_child_ever_exceeds_its_parent(home, clock):
    """On each database; where there is a network, fewer times."""
    examples = 40 if home.kind == "sqlite" else 10
    run_state_machine_as_test(
        lambda: Families(home, clock),
        settings=settings(max_examples=examples, stateful_step_count=25, deadline=None),
    )
