"""Tokens made with tokens, changed tokens, and how long tokens live: less, never more."""

import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from processes import answer
from token_helpers import accepted

from scopeware.policy import Lifetimes
from scopeware.scopes import Roles, UnknownScope, Vocabulary
from scopeware.tokens import NameTaken, NoSuchToken, TokenDead, TokenManaged, TokenRefused

GITEA = Vocabulary.builtin("gitea")
NINE_WRITES = ",".join(f"write:{category}" for category in GITEA.categories)
TENTH = Vocabulary("gitea", [*GITEA.categories.values(), "wiki"], all_word="all", public_only="public-only")
DAY = timedelta(days=1)
DAY_SECONDS = 86_400
START = datetime.fromtimestamp(1_800_000_000, UTC)


def after(seconds):
    """So long after the clock's beginning."""
    return START + timedelta(seconds=seconds)


def parent_of(store, **terms):
    """A token of alice's that makes others, as a request sees it."""
    made = store.issue(**({"owner": "alice", "name": "parent", "scopes": "read:user"} | terms))
    return accepted(store, made.secret)


def child_of(store, parent, **terms):
    """A token made with it."""
    return store.issue(**({"owner": "alice", "name": "child", "scopes": "read:user"} | terms), parent=parent)


# -- a token made with a token: scopes

WITHIN = [
    ("write:user", "user", "write:user"),
    ("write:user", "user", "read:user"),
    ("all", "user", "write:user,read:issue"),
    ("all", "admin", "all"),
    ("all", "admin", "write:admin"),
    (NINE_WRITES, "admin", NINE_WRITES),
    ("write:user,write:admin", "viewer", "read:user"),
    ("write:repository", "user", "write:repository@alice/widgets"),
    ("write:repository@alice/*", "user", "write:repository@alice/widgets"),
    ("write:repository@alice/*", "user", "read:repository@alice/*"),
    ("write:repository@alice/widgets", "user", "read:repository@alice/widgets"),
    ("read:repository,write:repository@a/b", "user", "read:repository,write:repository@a/b"),
    ("read:repository,write:repository@a/b", "user", "read:repository@c/d"),
    ("public-only,write:user", "user", "public-only,read:user"),
]
BEYOND = [
    ("read:user", "user", "write:user"),
    ("read:user", "user", "read:user,read:issue"),
    ("read:user", "user", "all"),
    ("all", "user", "all"),
    ("all", "user", "read:admin"),
    ("write:user,write:admin", "user", "write:admin"),
    ("write:user", "viewer", "write:user"),
    ("write:repository@alice/widgets", "user", "write:repository"),
    ("write:repository@alice/widgets", "user", "write:repository@alice/*"),
    ("write:repository@alice/widgets", "user", "write:repository@alice/other"),
    ("write:repository@alice/widgets", "user", "write:repository@alice/widgets/deeper"),
    ("write:repository@alice/*", "user", "write:repository@alicette/widgets"),
    ("write:repository@alice/*", "user", "write:issue@alice/widgets"),
    ("read:repository,write:repository@a/b", "user", "write:repository@a/c"),
    ("read:repository,write:repository@a/b", "user", "write:repository"),
    ("all@a/b", "admin", "read:user"),
]


@pytest.mark.parametrize(("has", "role", "asked"), WITHIN)
def test_a_token_makes_tokens_that_can_do_no_more_than_it_can(has, role, asked, store):
    """Now, under its owner's role."""
    store.add_owner("alice", role=role)
    parent = parent_of(store, scopes=has)
    child = child_of(store, parent, scopes=asked)
    assert accepted(store, child.secret).scopes <= parent.scopes
    assert accepted(store, child.secret).scopes == GITEA.parse(asked)
    assert child.token.parent_id == parent.id


@pytest.mark.parametrize(("has", "role", "asked"), BEYOND)
def test_a_token_makes_no_token_that_could_do_more(has, role, asked, store, home):
    """The scopes are at fault, what the token has is named, and nothing is written; without the token it is no matter
    of that token's."""
    store.add_owner("alice", role=role)
    parent = parent_of(store, scopes=has)
    before = home.rows()
    with pytest.raises(TokenRefused, match="goes beyond the token it is made with, which has ") as caught:
        child_of(store, parent, scopes=asked)
    assert caught.value.field == "scopes"
    assert home.rows() == before
    assert child_of(store, None, scopes=asked).token.parent_id is None


def test_a_token_that_can_do_nothing_makes_nothing(store, home):
    """Whatever it was granted: what its owner's role leaves of it counts, and words nobody knows do not."""
    parent = parent_of(store, scopes="read:admin")
    before = home.rows()
    with pytest.raises(TokenRefused, match="which has nothing"):
        child_of(store, parent, scopes="read:admin")
    store.set_role("alice", "admin")
    home.run_sql("UPDATE scopeware_token SET scopes = 'sudo'")
    with pytest.raises(TokenRefused, match="which has nothing"):
        child_of(store, parent, scopes="read:user")
    home.run_sql("UPDATE scopeware_token SET scopes = 'read:admin'")
    assert home.rows()["token"] == before["token"]
    assert child_of(store, parent, scopes="read:admin")


@pytest.mark.parametrize("asked", ["write:user", "public-only,write:user", "write:user@alice/widgets"])
def test_what_a_public_only_token_makes_is_public_only(asked, any_store):
    """Asked for or not, and for good: it is stored with the token. Another token's is not."""
    parent = parent_of(any_store, scopes="public-only,write:user,write:issue")
    child = child_of(any_store, parent, scopes=asked)
    assert accepted(any_store, child.secret).public_only
    assert any_store.show(child.token.id).scopes.public_only
    any_store.set_role("alice", "admin")
    assert accepted(any_store, child.secret).public_only
    other = child_of(any_store, parent_of(any_store, name="free", scopes="write:user"), name="other", scopes=asked)
    assert accepted(any_store, other.secret).public_only is ("public-only" in asked)


def test_a_category_that_is_introduced_later_is_no_childs_before_it_is_its_parents(home):
    """Nine writes are everything today: `all` made with them must not come to be more than they are."""
    today = home.connect()
    today.add_owner("alice", role="admin")
    parent = parent_of(today, scopes=NINE_WRITES)
    child = child_of(today, parent, scopes="all")
    later = home.connect(vocabulary=TENTH)
    assert not later.show(parent.id).effective.covers("read:wiki")
    assert later.show(child.token.id).effective <= later.show(parent.id).effective


def test_a_category_that_is_introduced_later_is_a_childs_that_was_granted_all_by_all(home):
    """By the word itself, the word itself."""
    today = home.connect()
    today.add_owner("alice", role="admin")
    child = child_of(today, parent_of(today, scopes="all"), scopes="all")
    nine = child_of(today, parent_of(today, name="second", scopes="all"), name="nine", scopes=NINE_WRITES)
    later = home.connect(vocabulary=TENTH)
    assert later.show(child.token.id).effective.covers("write:wiki")
    assert not later.show(nine.token.id).effective.covers("read:wiki")


def test_another_role_widens_no_child_beyond_its_parent(any_store):
    """What is granted is what the parent could do then; with a better role the parent may do more, with a worse one
    both do less."""
    parent = parent_of(any_store, scopes="all")
    child = child_of(any_store, parent, scopes=parent.scopes)
    for role in ("admin", "viewer", "user"):
        any_store.set_role("alice", role)
        inner, outer = any_store.show(child.token.id).effective, any_store.show(parent.id).effective
        assert inner <= outer
        assert inner.covers("write:admin") is False
        assert inner.covers("write:user") is (role != "viewer")


# -- networks


@pytest.mark.parametrize(
    ("has", "asked", "gets"),
    [
        pytest.param("192.0.2.0/24", None, "192.0.2.0/24", id="inherited"),
        pytest.param("192.0.2.0/24", "192.0.2.0/24", "192.0.2.0/24", id="the-same"),
        pytest.param("192.0.2.0/24", "192.0.2.7", "192.0.2.7", id="one-address"),
        pytest.param("192.0.2.0/24, 2001:db8::/32", "2001:db8:7::/48", "2001:db8:7::/48", id="one-of-two"),
        pytest.param("0.0.0.0/0, ::/0", "192.0.2.7", "192.0.2.7", id="out-of-all-there-are"),
        pytest.param(None, "192.0.2.7", "192.0.2.7", id="out-of-anywhere"),
        pytest.param(None, None, None, id="none"),
        pytest.param("192.0.2.0/24", "192.0.0.0/16", ..., id="larger"),
        pytest.param("192.0.2.0/24", "0.0.0.0/0", ..., id="all-there-are"),
        pytest.param("192.0.2.0/24", "192.0.3.0/24", ..., id="another"),
        pytest.param("192.0.2.0/24", "192.0.2.7,192.0.3.7", ..., id="one-inside-and-one-outside"),
        pytest.param("0.0.0.0/0", "::/0", ..., id="of-the-other-version"),
        pytest.param("192.0.2.0/24", "::ffff:192.0.2.7", ..., id="spelled-as-ipv6"),
        pytest.param("192.0.2.0/24", "", ..., id="nothing"),
        pytest.param("192.0.2.0/24", [], ..., id="an-empty-list"),
        pytest.param(None, "", ..., id="nothing-without-need"),
        pytest.param(None, "192.0.2.1/24", ..., id="not-a-network"),
    ],
)
def test_a_token_makes_tokens_for_networks_that_it_works_from(has, asked, gets, store, home):
    """Its own unless others are asked for; parts of these, and nothing else. ``...`` is a refusal."""
    parent = parent_of(store, networks=has)
    before = home.rows()
    if gets is ...:
        with pytest.raises(TokenRefused) as caught:
            child_of(store, parent, networks=asked)
        assert caught.value.field == "networks"
        assert home.rows() == before
    else:
        child = child_of(store, parent, networks=asked)
        assert [row["networks"] for row in home.rows()["token"] if row["id"] == child.token.id] == [gets]
        assert (accepted(store, child.secret).networks is None) is (gets is None)


# -- expiry


@pytest.mark.parametrize(
    ("has", "asked", "seconds"),
    [
        pytest.param("1d", {}, DAY_SECONDS + 1, id="inherited"),
        pytest.param("1d", {"expires_in": "1h"}, 3601, id="sooner"),
        pytest.param("1d", {"expires_in": DAY}, DAY_SECONDS + 1, id="the-same"),
        pytest.param("1d", {"expires_at": after(60)}, 60, id="sooner-at"),
        pytest.param("1d", {"expires_at": after(DAY_SECONDS + 1)}, DAY_SECONDS + 1, id="the-same-at"),
        pytest.param(None, {}, None, id="none"),
        pytest.param(None, {"expires_in": "1h"}, 3601, id="some-out-of-none"),
        pytest.param("1d", {"expires_in": "2d"}, ..., id="later"),
        pytest.param("1d", {"expires_in": timedelta(days=1, seconds=1)}, ..., id="a-second-later"),
        pytest.param("1d", {"expires_in": "never"}, ..., id="never"),
        pytest.param("1d", {"expires_at": after(DAY_SECONDS + 2)}, ..., id="later-at"),
    ],
)
def test_a_token_makes_tokens_that_expire_no_later(has, asked, seconds, store, home, clock):
    """With it, unless sooner is asked for. ``...`` is a refusal."""
    parent = parent_of(store, expires_in=has)
    before = home.rows()
    if seconds is ...:
        with pytest.raises(TokenRefused, match="the expiry is later than that of the token it is made with") as caught:
            child_of(store, parent, **asked)
        assert caught.value.field == "expires_at"
        assert home.rows() == before
    else:
        child = child_of(store, parent, **asked)
        assert child.token.expires_at == (None if seconds is None else after(seconds))


def test_the_default_lifetime_does_not_outlive_the_parent(home, clock):
    """Whichever comes first."""
    store = home.connect(lifetimes=Lifetimes(default_lifetime=10 * DAY))
    short = parent_of(store, name="short", expires_in="1d")
    long = parent_of(store, name="long", expires_in="30d")
    assert child_of(store, short, name="a").token.expires_at == after(DAY_SECONDS + 1)
    assert child_of(store, long, name="b").token.expires_at == after(10 * DAY_SECONDS + 1)


# -- whose, and with what


@pytest.mark.parametrize("role", ["user", "admin"])
def test_a_token_makes_tokens_for_its_own_owner_only(role, store, home):
    """Not even an administrator's, and for nobody who would be new; the owner is at fault."""
    store.add_owner("alice", role=role)
    store.add_owner("bob")
    parent = parent_of(store)
    before = home.rows()
    for owner in ("bob", "Alice", "carol"):
        with pytest.raises(TokenRefused, match="for its own owner only") as caught:
            child_of(store, parent, owner=owner)
        assert caught.value.field == "owner"
    assert home.rows() == before
    assert child_of(store, parent).token.owner == "alice"


def test_a_dead_token_makes_nothing(store, home, clock):
    """Revoked, rotated, expired, deleted, or its owner inactive: the parent is at fault. Alive it makes tokens."""
    kinds = ("revoked", "rotated", "expired", "deleted", "inactive")
    parents = {kind: parent_of(store, name=kind, expires_in="2d" if kind == "expired" else None) for kind in kinds}
    assert child_of(store, parents["revoked"])
    store.revoke(parents["revoked"].id)
    store.rotate(parents["rotated"].id)
    home.run_sql(f"DELETE FROM scopeware_token WHERE id = {parents['deleted'].id}")
    clock.now += 2 * DAY_SECONDS + 1
    before = home.rows()
    for kind in kinds[:-1]:
        with pytest.raises(TokenRefused, match="the token it is made with no longer works") as caught:
            child_of(store, parents[kind], name="another")
        assert caught.value.field == "parent"
    assert home.rows() == before
    store.disable_owner("alice")
    with pytest.raises(TokenRefused, match="no longer works"):
        child_of(store, parents["inactive"], name="another")
    store.enable_owner("alice")
    assert child_of(store, parents["inactive"], name="another")


def test_a_token_is_measured_as_it_stands_and_not_as_a_request_saw_it(store, home):
    """Whatever was taken away from it since it was authenticated it can no longer hand on."""
    parent = parent_of(store, scopes="write:user,write:issue")
    other = home.connect()
    other.edit(parent.id, scopes="write:user", networks="192.0.2.0/24", expires_in="1d")
    with pytest.raises(TokenRefused, match="which has write:user"):
        child_of(store, parent, scopes="read:issue")
    with pytest.raises(TokenRefused, match="the networks go beyond"):
        child_of(store, parent, networks="192.0.0.0/16")
    with pytest.raises(TokenRefused, match="the expiry is later"):
        child_of(store, parent, expires_in="2d")
    other.set_role("alice", "viewer")
    with pytest.raises(TokenRefused, match="which has read:user"):
        child_of(store, parent, scopes="write:user")
    child = child_of(store, parent, scopes="read:user")
    assert (child.token.networks, child.token.expires_at) == (
        other.show(parent.id).networks,
        other.show(parent.id).expires_at,
    )


def test_a_token_made_with_a_token_makes_tokens_as_well(store):
    """Each within the one before."""
    parent = parent_of(store, scopes="all", networks="192.0.2.0/24", expires_in="10d")
    child = accepted(store, child_of(store, parent, scopes="write:user,write:issue").secret)
    grandchild = child_of(store, child, name="grandchild", scopes="write:issue", networks="192.0.2.7")
    assert grandchild.token.parent_id == child.id
    assert grandchild.token.expires_at == store.show(parent.id).expires_at
    with pytest.raises(TokenRefused, match="goes beyond"):
        child_of(store, accepted(store, grandchild.secret), name="more", scopes="read:user")


def test_a_name_is_taken_for_what_a_token_makes_as_for_any_other(store, home):
    """By its parent, too."""
    parent = parent_of(store)
    before = home.rows()
    with pytest.raises(NameTaken):
        child_of(store, parent, name="parent")
    with pytest.raises(UnknownScope):
        child_of(store, parent, scopes="read:usr")
    assert home.rows() == before


# -- less than before


@pytest.mark.parametrize(("has", "role", "asked"), WITHIN)
def test_a_token_can_be_given_fewer_scopes(has, role, asked, store):
    """At once, and as they were granted, whatever its owner's role."""
    store.add_owner("alice", role=role)
    issued = store.issue(owner="alice", name="ci", scopes=has)
    accepted(store, issued.secret)
    edited = store.edit(issued.token.id, scopes=asked)
    assert edited.scopes == GITEA.parse(asked)
    assert edited == store.show(issued.token.id)
    assert accepted(store, issued.secret).granted == GITEA.parse(asked)


@pytest.mark.parametrize(
    ("has", "asked"),
    [(has, asked) for has, role, asked in BEYOND if not GITEA.parse(asked) <= GITEA.parse(has)]
    + [("read:user", "write:user,public-only"), ("read:user@a/b", "read:user")],
)
def test_a_token_cannot_be_given_more_scopes(has, asked, store, home):
    """The scopes are at fault, and it stays as it is."""
    issued = store.issue(owner="alice", name="ci", scopes=has)
    before = home.rows()
    with pytest.raises(TokenRefused, match="what the token has; make another one for that") as caught:
        store.edit(issued.token.id, scopes=asked, name="other")
    assert caught.value.field == "scopes"
    assert home.rows() == before


def test_a_public_only_token_stays_so(store):
    """Asked for or not; one that is not can become so."""
    restricted = store.issue(owner="alice", name="a", scopes="public-only,write:user")
    free = store.issue(owner="alice", name="b", scopes="write:user")
    assert str(store.edit(restricted.token.id, scopes="read:user").scopes) == "public-only,read:user"
    assert str(store.edit(free.token.id, scopes="public-only,write:user").scopes) == "public-only,write:user"
    assert str(store.edit(free.token.id, scopes="write:user").scopes) == "public-only,write:user"


def test_nine_writes_cannot_become_all(home):
    """They are the same today, and not tomorrow."""
    store = home.connect()
    store.add_owner("alice", role="admin")
    issued = store.issue(owner="alice", name="ci", scopes=NINE_WRITES)
    with suppress(TokenRefused):
        store.edit(issued.token.id, scopes="all")
    assert not home.connect(vocabulary=TENTH).show(issued.token.id).effective.covers("read:wiki")


@pytest.mark.parametrize("scopes", ["", [], "public-only", "read:usr", "all,read:usr"])
def test_a_token_is_not_left_without_scopes(scopes, store, home):
    """To end it, revoke it; words that nobody knows are refused as they are when it is made."""
    issued = store.issue(owner="alice", name="ci", scopes="all")
    before = home.rows()
    with pytest.raises((TokenRefused, UnknownScope)):
        store.edit(issued.token.id, scopes=scopes)
    assert home.rows() == before


@pytest.mark.parametrize(
    ("has", "asked", "gets"),
    [
        pytest.param(None, "192.0.2.0/24", "192.0.2.0/24", id="some"),
        pytest.param("192.0.2.0/24", "192.0.2.7", "192.0.2.7", id="smaller"),
        pytest.param("192.0.2.0/24,::1", "::1", "::1", id="one-of-two"),
        pytest.param("192.0.2.0/24", None, "192.0.2.0/24", id="not-asked-for"),
        pytest.param("192.0.2.0/24", "192.0.0.0/16", ..., id="larger"),
        pytest.param("192.0.2.0/24", "192.0.2.7,::1", ..., id="one-more"),
        pytest.param("192.0.2.0/24", "", ..., id="nothing"),
        pytest.param("192.0.2.0/24", [], ..., id="an-empty-list"),
        pytest.param(None, "", ..., id="nothing-for-none"),
    ],
)
def test_networks_can_become_smaller_only(has, asked, gets, store, home):
    """``...`` is a refusal, which leaves them as they are."""
    issued = store.issue(owner="alice", name="ci", scopes="all", networks=has)
    before = home.rows()
    if gets is ...:
        with pytest.raises(TokenRefused) as caught:
            store.edit(issued.token.id, networks=asked, scopes="read:user")
        assert caught.value.field == "networks"
        assert home.rows() == before
    else:
        store.edit(issued.token.id, networks=asked)
        assert [row["networks"] for row in home.rows()["token"]] == [gets]


@pytest.mark.parametrize(
    ("has", "asked", "seconds"),
    [
        pytest.param(None, {"expires_in": "1d"}, DAY_SECONDS + 1, id="some"),
        pytest.param("1d", {"expires_in": "1h"}, 3601, id="sooner"),
        pytest.param("1d", {"expires_at": after(60)}, 60, id="sooner-at"),
        pytest.param("1d", {}, DAY_SECONDS + 1, id="not-asked-for"),
        pytest.param(None, {"expires_in": "never"}, None, id="still-never"),
        pytest.param("1d", {"expires_in": "2d"}, ..., id="later"),
        pytest.param("1d", {"expires_in": "never"}, ..., id="never"),
        pytest.param("1d", {"expires_at": after(DAY_SECONDS + 2)}, ..., id="later-at"),
        pytest.param("1d", {"expires_at": after(-1)}, ..., id="past"),
        pytest.param("1d", {"expires_in": "1h", "expires_at": after(60)}, ..., id="twice"),
    ],
)
def test_an_expiry_can_come_sooner_only(has, asked, seconds, store, home, clock):
    """``...`` is a refusal, which leaves it as it is."""
    issued = store.issue(owner="alice", name="ci", scopes="all", expires_in=has)
    before = home.rows()
    if seconds is ...:
        with pytest.raises(TokenRefused) as caught:
            store.edit(issued.token.id, **asked, scopes="read:user")
        assert caught.value.field in ("expires_at", "expires_in")
        assert home.rows() == before
    else:
        edited = store.edit(issued.token.id, **asked)
        assert edited.expires_at == (None if seconds is None else after(seconds))


def test_a_token_can_have_another_name(store, home):
    """One that is free; the old one is then. It stays the same token."""
    issued = store.issue(owner="alice", name="ci", scopes="all")
    other = store.issue(owner="alice", name="other", scopes="all")
    store.issue(owner="bob", name="third", scopes="all")
    before = home.rows()
    with pytest.raises(NameTaken) as caught:
        store.edit(issued.token.id, name="other", scopes="read:user")
    assert (caught.value.name, caught.value.owner) == ("other", "alice")
    for name in ("", " ", "c\ni", "x" * 256, "ci "):
        with pytest.raises(TokenRefused) as refused:
            store.edit(issued.token.id, name=name)
        assert refused.value.field == "name"
    assert home.rows() == before
    assert store.edit(issued.token.id, name="third").name == "third"
    assert store.edit(issued.token.id, name="third").name == "third"
    assert accepted(store, issued.secret).name == "third"
    assert store.edit(other.token.id, name="ci").name == "ci"
    with pytest.raises(NameTaken):
        store.issue(owner="alice", name="third", scopes="all")


def test_a_name_that_an_expired_token_had_can_be_taken(store, clock):
    """And one that a token in its grace has is its successor's."""
    store.issue(owner="alice", name="old", scopes="all", expires_in=DAY)
    issued = store.issue(owner="alice", name="ci", scopes="all")
    with pytest.raises(NameTaken):
        store.edit(issued.token.id, name="old")
    clock.now += DAY_SECONDS + 1
    assert store.edit(issued.token.id, name="old").name == "old"
    new = store.rotate(issued.token.id, grace=DAY)
    assert store.edit(issued.token.id, name="on its way out").name == "on its way out"
    with pytest.raises(NameTaken):
        store.issue(owner="alice", name="old", scopes="all")
    assert store.issue(owner="alice", name="on its way out", scopes="all").token.id != new.token.id


def test_what_is_not_asked_for_stays(store, home):
    """Nothing asked for, nothing changed."""
    issued = store.issue(owner="alice", name="ci", scopes="all", networks="::1", expires_in=DAY, managed=True)
    before = home.rows()
    assert store.edit(issued.token.id) == issued.token
    assert home.rows() == before


def test_what_is_dead_cannot_be_changed(store, home, clock):
    """Revoked, expired or rotated; a token of an inactive owner can."""
    ids = {}
    for kind in ("revoked", "expired", "rotated", "inactive"):
        owner = "bob" if kind == "inactive" else "alice"
        ids[kind] = store.issue(owner=owner, name=kind, scopes="all", expires_in="1d" if kind == "expired" else None)
    store.revoke(ids["revoked"].token.id)
    store.rotate(ids["rotated"].token.id)
    store.disable_owner("bob")
    clock.now += 2 * DAY_SECONDS
    before = home.rows()
    for kind in ("revoked", "expired", "rotated"):
        with pytest.raises(TokenDead) as caught:
            store.edit(ids[kind].token.id, scopes="read:user", name="other")
        assert caught.value.status == kind
    assert home.rows() == before
    assert str(store.edit(ids["inactive"].token.id, scopes="read:user").scopes) == "read:user"


def test_a_token_is_its_owners_to_change(store, home):
    """To others it does not exist, but for administrators."""
    issued = store.issue(owner="alice", name="ci", scopes="all")
    store.add_owner("mallory")
    store.add_owner("root", role="admin")
    before = home.rows()
    for stranger in ("mallory", "nobody", ""):
        with pytest.raises(NoSuchToken):
            store.edit(issued.token.id, name="mine", by=stranger)
    assert home.rows() == before
    assert store.edit(issued.token.id, scopes="write:user", by="alice")
    assert store.edit(issued.token.id, scopes="read:user", by="root")
    store.set_role("root", "user")
    with pytest.raises(NoSuchToken):
        store.edit(issued.token.id, name="mine", by="root")


def test_a_managed_token_is_not_its_owners_to_change(store, home):
    """Neither by name nor with the token itself; an administrator's it is."""
    issued = store.issue(owner="bot", name="ci", scopes="all", managed=True)
    store.add_owner("root", role="admin")
    before = home.rows()
    with pytest.raises(TokenManaged):
        store.edit(issued.token.id, name="mine", by="bot")
    with pytest.raises(TokenManaged):
        store.edit(issued.token.id, name="mine", parent=accepted(store, issued.secret))
    assert home.rows() == before
    assert store.edit(issued.token.id, name="theirs", by="root").managed


def test_an_administrator_may_change_its_own_managed_token(store):
    """Who could change any other one can change this; demoted, no longer."""
    store.add_owner("root", role="admin")
    issued = store.issue(owner="root", name="ci", scopes="all", managed=True)
    assert store.edit(issued.token.id, name="one", by="root").name == "one"
    store.set_role("root", "user")
    with pytest.raises(TokenManaged):
        store.edit(issued.token.id, name="two", by="root")


def test_what_a_managed_token_makes_is_its_owners(store):
    """Only who asks for it gets another managed one."""
    parent = parent_of(store, managed=True)
    child = child_of(store, parent)
    assert not child.token.managed
    assert store.edit(child.token.id, name="mine", by="alice").name == "mine"
    assert child_of(store, parent, managed=True).token.managed


def test_a_token_changes_only_what_is_no_more_than_itself(store, home):
    """Itself, and others of its owner's that are no more; nobody else's."""
    token = parent_of(store, scopes="write:user", networks="192.0.2.0/24", expires_in="1d")
    terms = {"scopes": "read:user", "networks": "192.0.2.7", "expires_in": "1h"}
    less = store.issue(owner="alice", name="less", **terms)
    for number, difference in enumerate(({"scopes": "read:issue"}, {"networks": "::1"}, {"expires_in": "2d"})):
        more = store.issue(owner="alice", name=f"more{number}", **(terms | difference))
        before = home.rows()
        with pytest.raises(TokenRefused, match="the token it is done with"):
            store.edit(more.token.id, name="x", parent=token)
        assert home.rows() == before
    assert store.edit(less.token.id, name="x", parent=token).name == "x"
    assert str(store.edit(token.id, scopes="read:user", parent=token).scopes) == "read:user"
    with pytest.raises(NoSuchToken):
        store.edit(store.issue(owner="bob", name="ci", **terms).token.id, name="mine", parent=token)
    store.revoke(token.id)
    with pytest.raises(TokenRefused, match="no longer works"):
        store.edit(less.token.id, name="y", parent=token)


def test_a_token_that_was_granted_more_than_its_owners_role_allows_changes_itself(store):
    """It becomes less, and is measured against itself."""
    issued = store.issue(owner="alice", name="ci", scopes="all")
    edited = store.edit(issued.token.id, scopes="read:user", parent=accepted(store, issued.secret))
    assert str(edited.scopes) == "read:user"


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        pytest.param({"scopes": "read:user"}, lambda child, parent: child.effective <= parent.effective, id="scopes"),
        pytest.param(
            {"scopes": "public-only,write:user"},
            lambda child, parent: child.effective <= parent.effective,
            id="public-only",
        ),
        pytest.param({"networks": "192.0.2.7"}, lambda child, parent: child.networks == parent.networks, id="networks"),
        pytest.param({"expires_in": "1h"}, lambda child, parent: child.expires_at == parent.expires_at, id="expiry"),
    ],
)
def test_what_is_taken_from_a_token_is_taken_from_what_it_made(change, kept, store):
    """A token never exceeds the one it was made with: neither does its child then, nor that one's."""
    parent = parent_of(store, scopes="write:user")
    child = accepted(store, child_of(store, parent, scopes="write:user").secret)
    grandchild = accepted(store, child_of(store, child, name="grandchild", scopes="write:user").secret)
    store.edit(parent.id, **change)
    for token in (child, grandchild):
        assert kept(store.show(token.id), store.show(parent.id))


def test_what_was_made_with_it_may_be_a_long_chain(store):
    """Each made with the one before, and more of them than Python calls functions within functions."""
    last = first = parent_of(store, scopes="write:user")
    for number in range(sys.getrecursionlimit() + 10):
        last = accepted(store, child_of(store, last, name=str(number), scopes="write:user").secret)
    store.edit(first.id, scopes="read:user")
    assert str(store.show(last.id).scopes) == "read:user"


# -- how long tokens live


@pytest.mark.parametrize(
    ("lifetimes", "asked", "seconds"),
    [
        pytest.param(Lifetimes(), {}, None, id="nothing-said"),
        pytest.param(Lifetimes(), {"expires_in": "never"}, None, id="never"),
        pytest.param(Lifetimes(default_lifetime=30 * DAY), {}, 30 * DAY_SECONDS + 1, id="the-default"),
        pytest.param(Lifetimes(default_lifetime=30 * DAY), {"expires_in": "never"}, None, id="never-beside-a-default"),
        pytest.param(Lifetimes(default_lifetime=DAY), {"expires_in": "90d"}, 90 * DAY_SECONDS + 1, id="more"),
        pytest.param(Lifetimes(max_lifetime=90 * DAY), {}, 90 * DAY_SECONDS + 1, id="the-longest"),
        pytest.param(Lifetimes(max_lifetime=90 * DAY), {"expires_in": "90d"}, 90 * DAY_SECONDS + 1, id="just-so"),
        pytest.param(Lifetimes(max_lifetime=90 * DAY), {"expires_in": "1h"}, 3601, id="less"),
        pytest.param(Lifetimes(max_lifetime=90 * DAY, default_lifetime=DAY), {}, DAY_SECONDS + 1, id="both"),
        pytest.param(Lifetimes(max_lifetime=90 * DAY), {"expires_in": "91d"}, ..., id="too-long"),
        pytest.param(Lifetimes(max_lifetime=90 * DAY), {"expires_in": timedelta.max}, ..., id="far-too-long"),
        pytest.param(Lifetimes(max_lifetime=90 * DAY), {"expires_at": after(91 * DAY_SECONDS)}, ..., id="too-late"),
        pytest.param(Lifetimes(max_lifetime=90 * DAY), {"expires_in": "never"}, ..., id="never-beside-a-longest"),
    ],
)
def test_tokens_live_as_long_as_the_deployment_allows(lifetimes, asked, seconds, home, clock):
    """What is asked for, the default, or the longest. ``...`` is a refusal that names the argument."""
    store = home.connect(lifetimes=lifetimes)
    if seconds is ...:
        with pytest.raises(TokenRefused) as caught:
            store.issue(owner="alice", name="ci", scopes="all", **asked)
        assert caught.value.field in asked
        assert home.rows()["token"] == []
    else:
        issued = store.issue(owner="alice", name="ci", scopes="all", **asked)
        assert issued.token.expires_at == (None if seconds is None else after(seconds))


def test_who_asks_for_too_much_is_told_how_much_there_is(home):
    """In the words of the policy."""
    store = home.connect(lifetimes=Lifetimes(max_lifetime=90 * DAY))
    with pytest.raises(TokenRefused, match="90d from now at the latest"):
        store.issue(owner="alice", name="ci", scopes="all", expires_in="91d")
    with pytest.raises(TokenRefused, match="a token has to expire, 90d from now at the latest"):
        store.issue(owner="alice", name="ci", scopes="all", expires_in="never")


def test_rotation_and_change_keep_to_the_longest(home, clock):
    """Whatever the old token was allowed; the rest of its life is its successor's."""
    store = home.connect(lifetimes=Lifetimes(max_lifetime=90 * DAY))
    issued = store.issue(owner="alice", name="ci", scopes="all", expires_in="60d")
    clock.now += 10 * DAY_SECONDS
    before = home.rows()
    for asked in ("91d", "never"):
        with pytest.raises(TokenRefused) as caught:
            store.rotate(issued.token.id, expires_in=asked)
        assert caught.value.field == "expires_in"
        with pytest.raises(TokenRefused):
            store.edit(issued.token.id, expires_in=asked)
    assert home.rows() == before
    new = store.rotate(issued.token.id)
    assert new.token.expires_at == issued.token.expires_at
    assert store.rotate(new.token.id, expires_in="90d").token.expires_at == after(100 * DAY_SECONDS + 1)


def test_a_token_that_is_older_than_the_rule_is_rotated_into_one_that_keeps_it(home, clock):
    """With a longest lifetime no new token lives for ever, not even in the place of one that would."""
    issued = home.connect().issue(owner="alice", name="ci", scopes="all")
    new = home.connect(lifetimes=Lifetimes(max_lifetime=90 * DAY)).rotate(issued.token.id)
    assert new.token.expires_at == after(90 * DAY_SECONDS + 1)


def test_a_store_takes_the_lifetimes_of_its_policy_unless_it_chose_some(home, clock):
    """They are the deployment's either way."""
    policys = Lifetimes(default_lifetime=DAY)
    free, chose = home.connect(), home.connect(lifetimes=Lifetimes(default_lifetime=2 * DAY))
    for store in (free, chose):
        store.use(GITEA, Roles(GITEA), "swt", policys)
    assert free.issue(owner="alice", name="a", scopes="all").token.expires_at == after(DAY_SECONDS + 1)
    assert chose.issue(owner="alice", name="b", scopes="all").token.expires_at == after(2 * DAY_SECONDS + 1)


def test_the_name_of_a_token_in_use_is_seen_at_once(any_store):
    """What the gate tells the application is what it is called now."""
    issued = any_store.issue(owner="alice", name="ci", scopes="read:user")
    assert accepted(any_store, issued.secret).name == "ci"
    any_store.edit(issued.token.id, name="other")
    assert accepted(any_store, issued.secret).name == "other"
    assert answer(any_store, issued.secret) == "read:user"
