"""Another secret for the same token: what is kept, how long the old one works on, who may do it."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from processes import answer
from token_helpers import accepted

from scopeware.errors import ScopewareError
from scopeware.scopes import Roles, Vocabulary
from scopeware.tokens import (
    NameTaken,
    NoSuchToken,
    Refusal,
    TokenDead,
    TokenManaged,
    TokenRefused,
)

GITEA = Vocabulary.builtin("gitea")
DAY = timedelta(days=1)
DAY_SECONDS = 86_400
START = datetime.fromtimestamp(1_800_000_000, UTC)


def after(seconds):
    """So long after the clock's beginning."""
    return START + timedelta(seconds=seconds)


# -- without grace


def test_a_rotated_token_is_refused_at_once_and_the_new_one_works(any_store):
    """The answer says that it was rotated, not that somebody ended it; other tokens go on."""
    old = any_store.issue(owner="alice", name="ci", scopes="read:user")
    other = any_store.issue(owner="alice", name="other", scopes="read:user")
    assert answer(any_store, old.secret) == "read:user"
    new = any_store.rotate(old.token.id)
    assert new.secret != old.secret
    assert new.token.id != old.token.id
    assert answer(any_store, new.secret) == "read:user"
    assert any_store.authenticate(old.secret) == Refusal("token_rotated", old.token.id, "alice", old.secret[-4:])
    assert answer(any_store, other.secret) == "read:user"


def test_what_a_token_is_good_for_is_kept(store, clock):
    """Name, scopes, networks, expiry, and who may end it; what is new is the secret, the id and the time."""
    old = store.issue(
        owner="alice",
        name="ci",
        scopes="public-only,read:user,write:repository@alice/widgets",
        expires_in=30 * DAY,
        networks="192.0.2.0/24, 2001:db8::/32",
        managed=True,
    )
    clock.now += 60
    new = store.rotate(old.token.id).token
    kept = ("owner", "name", "scopes", "effective", "unknown_scopes", "networks", "managed", "expires_at", "parent_id")
    assert [getattr(new, name) for name in kept] == [getattr(old.token, name) for name in kept]
    assert (new.created_at, old.token.created_at) == (after(60), START)
    assert (new.status, new.rotated_at, new.revoked_at, new.last_used_at, new.successor_id) == ("live", *[None] * 4)
    before = store.show(old.token.id)
    assert (before.status, before.rotated_at, before.successor_id) == ("rotated", after(60), new.id)


@pytest.mark.parametrize("scopes", ["all", "public-only,all", "all@alice/*", "read:issue,read:issue@alice/widgets"])
def test_the_words_that_were_granted_are_kept(scopes, store, home):
    """`all` stays the word, so that it includes a category that is introduced later; nothing else becomes it."""
    old = store.issue(owner="alice", name="ci", scopes=scopes)
    store.rotate(old.token.id)
    first, second = [row["scopes"] for row in home.rows()["token"]]
    assert first == second == old.token.scopes.as_granted


def test_words_that_nobody_knows_go_along_and_grant_nothing(store, home):
    """They may be a later version's; who rotates takes nothing away, and adds nothing."""
    old = store.issue(owner="alice", name="ci", scopes="read:user")
    home.run_sql("UPDATE scopeware_token SET scopes = 'read:user,write:wiki'")
    new = store.rotate(old.token.id)
    assert answer(store, new.secret) == "read:user"
    assert new.token.unknown_scopes == ("write:wiki",)


def test_the_old_name_is_the_new_ones(store):
    """Nobody else can have it, before or after."""
    old = store.issue(owner="alice", name="ci", scopes="read:user")
    new = store.rotate(old.token.id, grace=DAY)
    assert (new.token.name, store.show(old.token.id).name) == ("ci", "ci")
    with pytest.raises(NameTaken):
        store.issue(owner="alice", name="ci", scopes="read:user")
    store.revoke(new.token.id)
    store.issue(owner="alice", name="ci", scopes="read:user")


# -- grace


def test_with_a_grace_both_work_until_it_is_over(any_store, clock):
    """To the second: then the old one is refused as rotated, known or not, and the new one works on."""
    old = any_store.issue(owner="alice", name="ci", scopes="read:user")
    new = any_store.rotate(old.token.id, grace=DAY)
    clock.now = 1_800_000_000 + DAY_SECONDS
    assert [answer(any_store, one.secret) for one in (old, new)] == ["read:user"] * 2
    assert any_store.show(old.token.id).status == "live"
    assert any_store.show(old.token.id).expires_at == after(DAY_SECONDS + 1)
    clock.now += 1
    assert [answer(any_store, one.secret) for one in (old, new)] == ["token_rotated", "read:user"]
    assert any_store.show(old.token.id).status == "rotated"
    assert [token.id for token in any_store.list()] == [new.token.id]


@pytest.mark.parametrize(("grace", "seconds"), [("15m", 900), ("1d", DAY_SECONDS), (timedelta(seconds=1.5), 2)])
def test_a_grace_is_a_length_of_time(grace, seconds, store, clock):
    """As text or as such; rounded up to whole seconds, as an expiry is."""
    clock.now = 1_800_000_000
    old = store.issue(owner="alice", name="ci", scopes="read:user")
    store.rotate(old.token.id, grace=grace)
    assert store.show(old.token.id).expires_at == after(seconds)


@pytest.mark.parametrize("grace", [None, timedelta(0)])
def test_no_grace_is_none(grace, store):
    """Not for ever."""
    old = store.issue(owner="alice", name="ci", scopes="read:user")
    store.rotate(old.token.id, grace=grace)
    assert answer(store, old.secret) == "token_rotated"


def test_a_grace_does_not_lengthen_a_life(store, clock):
    """A token that would have expired before expires then; the new one, too."""
    old = store.issue(owner="alice", name="ci", scopes="read:user", expires_in=timedelta(hours=1))
    new = store.rotate(old.token.id, grace=DAY)
    expiry = old.token.expires_at
    assert (store.show(old.token.id).expires_at, new.token.expires_at) == (expiry, expiry)
    clock.now += 3599
    assert [answer(store, one.secret) for one in (old, new)] == ["read:user"] * 2
    clock.now += 2
    assert [answer(store, one.secret) for one in (old, new)] == ["token_rotated", "token_expired"]


@pytest.mark.parametrize(
    "grace",
    [
        pytest.param(-DAY, id="negative"),
        pytest.param(timedelta.max, id="beyond-the-calendar"),
        pytest.param("soon", id="no-length"),
        pytest.param("0d", id="none-at-all"),
        pytest.param("-1d", id="negative-text"),
    ],
)
def test_a_grace_that_cannot_be_is_refused_and_nothing_changes(grace, store, home):
    """The token works as before."""
    old = store.issue(owner="alice", name="ci", scopes="read:user")
    before = home.rows()
    with pytest.raises(TokenRefused):
        store.rotate(old.token.id, grace=grace)
    assert home.rows() == before
    assert answer(store, old.secret) == "read:user"


def test_a_grace_without_end_is_refused(store, home):
    """A rotation that leaves the old secret good for ever is none."""
    old = store.issue(owner="alice", name="ci", scopes="read:user")
    before = home.rows()
    with pytest.raises(TokenRefused, match="a grace comes to an end") as caught:
        store.rotate(old.token.id, grace="never")
    assert caught.value.field == "grace"
    assert home.rows() == before


@pytest.mark.parametrize("grace", [-DAY, timedelta.max, "soon"])
def test_a_grace_that_cannot_be_is_named(grace, store):
    """The argument at fault is `grace`."""
    old = store.issue(owner="alice", name="ci", scopes="read:user")
    with pytest.raises(TokenRefused) as caught:
        store.rotate(old.token.id, grace=grace)
    assert caught.value.field == "grace"


# -- expiry


def test_the_new_token_may_have_an_expiry_of_its_own(store, clock):
    """Sooner or later than the old one would have expired; the deployment's lifetimes hold: see test_minting.py."""
    old = store.issue(owner="alice", name="ci", scopes="read:user", expires_in=DAY)
    longer = store.rotate(old.token.id, expires_in=10 * DAY)
    assert longer.token.expires_at == after(10 * DAY_SECONDS + 1)
    shorter = store.rotate(longer.token.id, expires_in="1h")
    assert shorter.token.expires_at == after(3601)
    endless = store.rotate(shorter.token.id, expires_in="never")
    assert endless.token.expires_at is None
    assert store.rotate(endless.token.id).token.expires_at is None


@pytest.mark.parametrize("expires_in", [-DAY, timedelta(0), timedelta.max, "soon"])
def test_an_expiry_that_cannot_be_is_refused_and_nothing_changes(expires_in, store, home):
    """The old token works on; the argument at fault is named."""
    old = store.issue(owner="alice", name="ci", scopes="read:user")
    before = home.rows()
    with pytest.raises(TokenRefused) as caught:
        store.rotate(old.token.id, expires_in=expires_in)
    assert caught.value.field == "expires_in"
    assert home.rows() == before
    assert answer(store, old.secret) == "read:user"


# -- once more, and what is dead


def test_a_new_token_can_be_rotated_again(any_store):
    """Each has one successor; only the last one works."""
    first = any_store.issue(owner="alice", name="ci", scopes="read:user")
    second = any_store.rotate(first.token.id)
    third = any_store.rotate(second.token.id)
    assert [answer(any_store, one.secret) for one in (first, second, third)] == [
        "token_rotated",
        "token_rotated",
        "read:user",
    ]
    assert any_store.show(first.token.id).successor_id == second.token.id
    assert any_store.show(second.token.id).successor_id == third.token.id
    assert [token.name for token in any_store.list()] == ["ci"]


@pytest.mark.parametrize("grace", [None, DAY])
def test_a_token_is_rotated_once(grace, store, home):
    """In its grace, too: its successor takes its place, and nobody else."""
    old = store.issue(owner="alice", name="ci", scopes="read:user")
    new = store.rotate(old.token.id, grace=grace)
    before = home.rows()
    with pytest.raises(
        TokenDead, match=f"token {old.token.id} no longer works \\(rotated\\); issue a new one"
    ) as caught:
        store.rotate(old.token.id)
    assert (caught.value.token_id, caught.value.status) == (old.token.id, "rotated")
    assert isinstance(caught.value, ScopewareError)
    assert home.rows() == before
    assert answer(store, new.secret) == "read:user"


def test_what_is_dead_cannot_be_rotated(store, home, clock):
    """Revoked or expired, it stays dead; there is no way to bring it back."""
    revoked = store.issue(owner="alice", name="revoked", scopes="read:user")
    expired = store.issue(owner="alice", name="expired", scopes="read:user", expires_in=DAY)
    live = store.issue(owner="alice", name="live", scopes="read:user")
    store.revoke(revoked.token.id)
    clock.now += 2 * DAY_SECONDS
    before = home.rows()
    for dead, status in ((revoked, "revoked"), (expired, "expired")):
        with pytest.raises(TokenDead) as caught:
            store.rotate(dead.token.id, grace=DAY, expires_in="never")
        assert caught.value.status == status
    assert home.rows() == before
    assert answer(store, store.rotate(live.token.id).secret) == "read:user"


def test_the_token_of_an_inactive_owner_can_be_rotated_and_works_no_better(store):
    """An administrator may want to, before the owner comes back."""
    old = store.issue(owner="alice", name="ci", scopes="read:user")
    store.disable_owner("alice")
    new = store.rotate(old.token.id)
    assert answer(store, new.secret) == "owner_inactive"
    store.enable_owner("alice")
    assert [answer(store, one.secret) for one in (old, new)] == ["token_rotated", "read:user"]


def test_of_threads_that_rotate_one_token_exactly_one_does(store, home):
    """Through one store or two; the others are told that it was rotated."""
    second = home.connect()
    old = store.issue(owner="alice", name="ci", scopes="read:user")

    def rotate(number):
        try:
            return (store, second)[number % 2].rotate(old.token.id, grace=DAY).secret
        except TokenDead:
            return None

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(rotate, range(8)))
    (winner,) = filter(None, outcomes)
    assert [answer(one, winner) for one in (store, second)] == ["read:user"] * 2
    assert len(home.rows()["token"]) == 2


# -- what was made with it


@pytest.mark.parametrize("grace", [None, DAY])
def test_what_was_made_with_a_token_follows_it(grace, store):
    """It works on, belongs to the new one, and ends with that."""
    old = store.issue(owner="alice", name="ci", scopes="write:user")
    child = store.issue(owner="alice", name="child", scopes="read:user", parent=accepted(store, old.secret))
    grandchild = store.issue(owner="alice", name="grand", scopes="read:user", parent=accepted(store, child.secret))
    new = store.rotate(old.token.id, grace=grace)
    assert store.show(child.token.id).parent_id == new.token.id
    assert store.show(grandchild.token.id).parent_id == child.token.id
    assert [answer(store, one.secret) for one in (child, grandchild)] == ["read:user"] * 2
    store.revoke(new.token.id)
    assert [answer(store, one.secret) for one in (child, grandchild)] == ["token_revoked"] * 2


def test_a_child_that_is_rotated_stays_its_parents(store):
    """And ends with it."""
    parent = store.issue(owner="alice", name="ci", scopes="write:user")
    child = store.issue(owner="alice", name="child", scopes="read:user", parent=accepted(store, parent.secret))
    new = store.rotate(child.token.id, grace=DAY)
    assert new.token.parent_id == parent.token.id
    store.revoke(parent.token.id)
    assert [answer(store, one.secret) for one in (child, new)] == ["token_rotated", "token_revoked"]


def test_a_token_in_its_grace_makes_tokens_that_end_with_it(store, clock):
    """They have what is left of its time, and no more."""
    old = store.issue(owner="alice", name="ci", scopes="write:user")
    new = store.rotate(old.token.id, grace=DAY)
    child = store.issue(owner="alice", name="child", scopes="read:user", parent=accepted(store, old.secret))
    assert child.token.expires_at == store.show(old.token.id).expires_at
    with pytest.raises(TokenRefused, match="the expiry is later"):
        store.issue(owner="alice", name="x", scopes="read:user", expires_in="2d", parent=accepted(store, old.secret))
    clock.now += DAY_SECONDS + 1
    assert [answer(store, one.secret) for one in (old, child, new)] == ["token_rotated", "token_expired", "write:user"]


# -- who may


def test_a_token_is_its_owners_to_rotate(store, home):
    """To anybody else it does not exist; an administrator may."""
    old = store.issue(owner="alice", name="ci", scopes="read:user")
    store.add_owner("mallory")
    store.add_owner("root", role="admin")
    before = home.rows()
    for stranger in ("mallory", "nobody", "", "Alice"):
        with pytest.raises(NoSuchToken):
            store.rotate(old.token.id, by=stranger)
    assert home.rows() == before
    new = store.rotate(old.token.id, by="alice")
    assert new.token.owner == "alice"
    newer = store.rotate(new.token.id, by="root")
    assert (newer.token.owner, answer(store, newer.secret)) == ("alice", "read:user")


def test_a_managed_token_is_not_its_owners_to_rotate(store, home):
    """An administrator's it is; one that was disabled is none any more."""
    old = store.issue(owner="bot", name="ci", scopes="read:user", managed=True)
    store.add_owner("root", role="admin")
    before = home.rows()
    with pytest.raises(TokenManaged, match=f"token {old.token.id} is managed") as caught:
        store.rotate(old.token.id, by="bot")
    assert (caught.value.token_id, caught.value.owner) == (old.token.id, "bot")
    assert isinstance(caught.value, ScopewareError)
    with pytest.raises(TokenManaged):
        store.rotate(old.token.id, parent=accepted(store, old.secret))
    assert home.rows() == before
    new = store.rotate(old.token.id, by="root")
    assert new.token.managed
    store.disable_owner("root")
    with pytest.raises(NoSuchToken):
        store.rotate(new.token.id, by="root")


# -- with a token


def test_a_token_rotates_itself(store):
    """It is dead then, and what it got works."""
    old = store.issue(owner="alice", name="ci", scopes="write:user,read:issue", networks="192.0.2.0/24")
    token = accepted(store, old.secret)
    new = store.rotate(old.token.id, parent=token)
    assert answer(store, old.secret) == "token_rotated"
    assert accepted(store, new.secret).networks == token.networks
    with pytest.raises(TokenRefused, match="no longer works"):
        store.rotate(new.token.id, parent=token)
    assert answer(store, new.secret) == "read:issue,write:user"


def test_a_token_that_was_granted_more_than_its_owners_role_allows_rotates_itself(store):
    """It is measured against itself: nothing is gained by it, now or under another role."""
    old = store.issue(owner="alice", name="ci", scopes="all")
    new = store.rotate(old.token.id, parent=accepted(store, old.secret))
    assert answer(store, new.secret) == str(GITEA.parse("all") & Roles(GITEA)["user"])


BIGGER = [
    pytest.param({"scopes": "read:user,write:issue"}, "scopes", id="scopes"),
    pytest.param({"scopes": "write:user"}, "scopes", id="write-for-read"),
    pytest.param({"networks": "192.0.0.0/16"}, "networks", id="networks"),
    pytest.param({"networks": None}, "networks", id="no-networks"),
    pytest.param({"expires_in": 2 * DAY}, "expires_at", id="later"),
    pytest.param({"expires_in": None}, "expires_at", id="never"),
    pytest.param({"scopes": "read:user@alice/widgets"}, None, id="bound"),
    pytest.param({"scopes": "public-only,read:user"}, None, id="public-only"),
    pytest.param({"networks": "192.0.2.7"}, None, id="smaller-networks"),
    pytest.param({"expires_in": timedelta(hours=1)}, None, id="sooner"),
    pytest.param({}, None, id="the-same"),
]


@pytest.mark.parametrize(("difference", "field"), BIGGER)
def test_a_token_rotates_only_what_is_no_more_than_itself(difference, field, store, home, clock):
    """Otherwise whoever has it would have the secret of something better."""
    terms = {"scopes": "read:user", "networks": "192.0.2.0/24", "expires_in": DAY}
    token = accepted(store, store.issue(owner="alice", name="with", **terms).secret)
    other = store.issue(owner="alice", name="other", **(terms | difference))
    before = home.rows()
    if field is None:
        assert store.rotate(other.token.id, parent=token).token.scopes == other.token.scopes
    else:
        with pytest.raises(TokenRefused, match="the token it is done with") as caught:
            store.rotate(other.token.id, parent=token)
        assert caught.value.field == field
        assert home.rows() == before


def test_a_public_only_token_rotates_no_unrestricted_one(store):
    """Only what has the restriction, too."""
    token = accepted(store, store.issue(owner="alice", name="with", scopes="public-only,read:user").secret)
    free = store.issue(owner="alice", name="free", scopes="read:user")
    restricted = store.issue(owner="alice", name="restricted", scopes="public-only,read:user")
    with pytest.raises(TokenRefused):
        store.rotate(free.token.id, parent=token)
    assert accepted(store, store.rotate(restricted.token.id, parent=token).secret).public_only


@pytest.mark.parametrize("expires_in", [2 * DAY, "never"])
def test_a_token_gives_nothing_a_longer_life_than_its_own(expires_in, store, home):
    """Least of all itself: who has stolen it would have it for good. A shorter one it may."""
    old = store.issue(owner="alice", name="ci", scopes="read:user", expires_in=DAY)
    before = home.rows()
    with pytest.raises(TokenRefused, match="the expiry is later") as caught:
        store.rotate(old.token.id, expires_in=expires_in, parent=accepted(store, old.secret))
    assert caught.value.field == "expires_at"
    assert home.rows() == before
    assert store.rotate(old.token.id, expires_in="1h", parent=accepted(store, old.secret))


@pytest.mark.parametrize("expires_in", [2 * DAY, "never"])
def test_a_child_that_is_rotated_does_not_outlive_its_parent(expires_in, store):
    """Whoever rotates it: what a token made ends with it at the latest."""
    parent = store.issue(owner="alice", name="parent", scopes="read:user", expires_in=DAY)
    child = store.issue(owner="alice", name="child", scopes="read:user", parent=accepted(store, parent.secret))
    with pytest.raises(TokenRefused, match="the expiry is later"):
        store.rotate(child.token.id, expires_in=expires_in, by="alice")


def test_no_child_outlives_what_took_the_place_of_its_parent(store):
    """A parent that gets less time takes it from its children as well."""
    parent = store.issue(owner="alice", name="parent", scopes="read:user")
    child = store.issue(owner="alice", name="child", scopes="read:user", parent=accepted(store, parent.secret))
    new = store.rotate(parent.token.id, expires_in="1h")
    assert store.show(child.token.id).parent_id == new.token.id
    assert (store.show(child.token.id).expires_at or datetime.max.replace(tzinfo=UTC)) <= new.token.expires_at


def test_what_is_rotated_with_a_token_ends_with_that(store):
    """Whoever had the token may have the new secret as well; what a token rotates itself into is nobody's child."""
    maker = store.issue(owner="alice", name="maker", scopes="write:user")
    other = store.issue(owner="alice", name="other", scopes="read:user")
    token = accepted(store, maker.secret)
    new = store.rotate(other.token.id, parent=token)
    assert new.token.parent_id == token.id
    again = store.rotate(token.id, parent=token)
    assert again.token.parent_id is None
    assert store.show(new.token.id).parent_id == again.token.id
    store.revoke(again.token.id)
    assert answer(store, new.secret) == "token_revoked"


def test_no_token_is_its_own_ancestor(store):
    """A child that can do all that its parent can may rotate it; still one of the two was there first."""
    parent = store.issue(owner="alice", name="parent", scopes="read:user")
    child = store.issue(owner="alice", name="child", scopes="read:user", parent=accepted(store, parent.secret))
    with suppress(TokenRefused):
        store.rotate(parent.token.id, parent=accepted(store, child.secret))
    made_with = {token.id: token.parent_id for token in store.list(dead=True)}
    for maker in made_with.values():
        ancestors = []
        while maker is not None and maker not in ancestors:
            ancestors.append(maker)
            maker = made_with[maker]  # noqa: PLW2901  # upwards
        assert maker is None


def test_a_token_rotates_nobody_elses(store, home):
    """Not even an administrator's; to other owners' tokens another owner's does not exist."""
    alices = store.issue(owner="alice", name="ci", scopes="read:user")
    bobs = accepted(store, store.issue(owner="bob", name="ci", scopes="write:user").secret)
    store.add_owner("root", role="admin")
    roots = accepted(store, store.issue(owner="root", name="ci", scopes="all").secret)
    before = home.rows()
    with pytest.raises(NoSuchToken):
        store.rotate(alices.token.id, parent=bobs)
    with pytest.raises(TokenRefused, match="for its own owner only"):
        store.rotate(alices.token.id, parent=roots)
    assert home.rows() == before


def test_a_dead_token_rotates_nothing(store, home, clock):
    """Revoked, expired, rotated, or its owner's inactive; while it lived it could."""
    others = [store.issue(owner="alice", name=f"other{number}", scopes="read:user") for number in range(4)]
    makers = [store.issue(owner="alice", name=f"maker{n}", scopes="write:user", expires_in="10d") for n in range(3)]
    tokens = [accepted(store, maker.secret) for maker in makers]
    store.revoke(makers[0].token.id)
    store.rotate(makers[1].token.id)
    before = home.rows()
    for token in tokens[:2]:
        with pytest.raises(TokenRefused, match="no longer works"):
            store.rotate(others[0].token.id, parent=token)
    store.disable_owner("alice")
    with pytest.raises(TokenRefused, match="no longer works"):
        store.rotate(others[0].token.id, parent=tokens[2])
    store.enable_owner("alice")
    assert home.rows() == before
    clock.now += 10 * DAY_SECONDS + 1
    with pytest.raises(TokenRefused, match="no longer works"):
        store.rotate(others[0].token.id, parent=tokens[2])
    assert home.rows() == before
