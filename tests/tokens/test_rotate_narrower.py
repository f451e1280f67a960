"""A token in the place of another that is good for less: never for more, for whoever it was made with, or by."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from processes import answer
from token_helpers import accepted, may_do_nothing

from scopeware import TokenStore, UnknownScope, Vocabulary
from scopeware.policy import Policy
from scopeware.tokens import NoSuchToken, TokenDead, TokenManaged, TokenRefused

DAY = timedelta(days=1)
WORDS = ("all", "read:user", "write:user", "read:issue", "write:issue", "write:admin")
PLACES = ("", "", "@alice/*", "@alice/a", "@alice/b", "@bob/a")
granted = st.lists(st.builds("{}{}".format, st.sampled_from(WORDS), st.sampled_from(PLACES)), min_size=1, max_size=4)
texts = st.builds(lambda words, front: ",".join([*front, *words]), granted, st.sampled_from([(), (), ("public-only",)]))
RESERVED = """
[vocabulary]
name = "reserved"
actions = ["read", "write"]
all = "all"
categories = { a = "A", b = "B" }
reserved = { all = ["admin"] }

[[group]]
path = "/a"
scopes = ["a"]
"""


@pytest.fixture
def home(home_of):
    """A file; what is said here is said nowhere else by other databases."""
    return home_of("sqlite")


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(texts, texts, st.sampled_from(["user", "viewer", "admin"]), st.sampled_from([None, "1h"]))
def test_a_new_token_is_exactly_what_is_asked_for_or_there_is_none(store, had, wanted, role, grace):
    """It is refused where it would be more; the old one is then as it was."""
    if role not in {owner.name for owner in store.owners()}:
        store.add_owner(role, role=role)
    old = store.issue(owner=role, name=f"token {next(_numbers)}", scopes=had)
    asked = store.vocabulary.parse(wanted)
    asked = asked.for_public_only() if old.token.scopes.public_only else asked
    if asked <= old.token.scopes:
        new = store.rotate(old.token.id, scopes=wanted, grace=grace)
        assert new.token.scopes == asked
        assert new.token.effective <= old.token.effective
        assert store.vocabulary.parse(new.token.scopes.as_granted) == asked
        assert store.show(old.token.id).scopes == old.token.scopes
        assert (store.show(old.token.id).status == "live") is (grace is not None)
    else:
        with pytest.raises(TokenRefused) as refused:
            store.rotate(old.token.id, scopes=wanted, grace=grace)
        assert refused.value.field == "scopes"
        assert store.show(old.token.id) == old.token
        assert accepted(store, old.secret).scopes == old.token.effective


_numbers = count()


@pytest.mark.parametrize(
    ("had", "wanted", "left"),
    [
        ("write:issue@alice/*", "write:issue@alice/a,read:issue@alice/b", "write:issue@alice/a,read:issue@alice/b"),
        ("public-only,all", "read:user@a", "public-only,read:user@a"),
    ],
)
def test_less_of_what_there_is(store, had, wanted, left):
    """As text, as words, as a set; everything else is as it was, and the name is the new one's."""
    for number, form in enumerate((wanted, wanted.split(","), store.vocabulary.parse(wanted))):
        more = {"networks": "192.0.2.0/24", "expires_in": "30d", "managed": True}
        old = store.issue(owner="alice", name=f"ci {number}", scopes=had, **more)
        new = store.rotate(old.token.id, scopes=form).token
        assert new.scopes == store.vocabulary.parse(left)
        for name in ("owner", "name", "networks", "expires_at", "managed", "parent_id"):
            assert getattr(new, name) == getattr(old.token, name)


def test_what_cannot_be_asked_for_changes_nothing(store, home):
    """No scope, no word, too many resources."""
    old = store.issue(owner="alice", name="ci", scopes="write:issue")
    before = home.rows()
    empty, foreign = Vocabulary.builtin("gitea").parse(""), Vocabulary("other", ["issue"]).parse("read:issue")
    many = ",".join(f"read:issue@alice/{number}" for number in range(501))
    for wanted in ("", " , ", "public-only", [], empty, foreign, many, "write:issue,read:user"):
        with pytest.raises(TokenRefused):
            store.rotate(old.token.id, scopes=wanted, grace="1d")
    for wanted in ("read:isue", "read:issue,write:wiki", "read:issue@"):
        with pytest.raises(UnknownScope):
            store.rotate(old.token.id, scopes=wanted, grace="1d")
    assert home.rows() == before
    assert answer(store, old.secret) == "write:issue"


def test_a_word_for_many_stays_one_only_where_both_say_it(store, home):
    """`all` may come to mean more; who had nine words does not get it."""
    every = ",".join(f"write:{category}" for category in store.vocabulary.categories)
    for name, had, wanted in (("one", "all", "all"), ("two", "all", every), ("three", every, "all")):
        store.rotate(store.issue(owner="alice", name=name, scopes=had).token.id, scopes=wanted)
    stored = [row["scopes"] for row in home.rows()["token"]][1::2]
    assert stored[0] == "all"
    assert "all" not in stored[1].split(",") + stored[2].split(",")


def test_words_that_nobody_knows_do_not_come_along(store, home):
    """What is asked for is all that there is."""
    old = store.issue(owner="alice", name="ci", scopes="write:user")
    home.run_sql("UPDATE scopeware_token SET scopes = 'write:user,write:wiki'")
    with pytest.raises(TokenRefused):
        store.rotate(old.token.id, scopes="read:user,read:issue")
    new = store.rotate(old.token.id, scopes="read:user")
    assert (new.token.scopes, new.token.unknown_scopes) == (store.vocabulary.parse("read:user"), ())


@pytest.mark.parametrize("grace", [None, DAY])
def test_what_was_made_with_it_is_held_down(store, grace):
    """Children, and theirs; one that has nothing left ends. In its grace the old one can do what it could."""
    old = store.issue(owner="alice", name="ci", scopes="write:user,write:issue")
    both = store.issue(owner="alice", name="both", scopes="write:user,read:issue", parent=accepted(store, old.secret))
    grand = store.issue(owner="alice", name="grand", scopes="write:user", parent=accepted(store, both.secret))
    gone = store.issue(owner="alice", name="gone", scopes="write:issue", parent=accepted(store, old.secret))
    new = store.rotate(old.token.id, scopes="read:user", grace=grace)
    assert [answer(store, one.secret) for one in (new, both, grand, gone)] == [*["read:user"] * 3, "token_revoked"]
    assert store.show(both.token.id).parent_id == new.token.id
    assert answer(store, old.secret) == ("token_rotated" if grace is None else "write:issue,write:user")
    store.revoke(new.token.id)
    assert all(may_do_nothing(store, one.secret) for one in (old, both, grand))


def test_with_another_token_it_is_within_both(store):
    """Never more than that one, and its child from then on; it does not change what it was made with."""
    parent = store.issue(owner="alice", name="parent", scopes="write:issue,read:user")
    old = store.issue(owner="alice", name="old", scopes="write:issue")
    maker = accepted(store, parent.secret)
    new = store.rotate(old.token.id, scopes="read:issue", parent=maker)
    assert (str(new.token.scopes), new.token.parent_id) == ("read:issue", parent.token.id)
    with pytest.raises(TokenRefused):
        store.rotate(parent.token.id, scopes="read:user", parent=accepted(store, new.secret))
    wide = store.issue(owner="alice", name="wide", scopes="write:repository,read:user")
    with pytest.raises(TokenRefused):
        store.rotate(wide.token.id, scopes="write:repository", parent=maker)


def test_a_token_that_narrows_itself_is_not_good_for_more_than_it_was(connect):
    """A word that is reserved to another role is worth nothing, and becomes nothing else."""
    policy = Policy.loads(RESERVED)
    store: TokenStore = connect(vocabulary=policy.vocabulary, roles=policy.roles)
    store.add_owner("alice", role="admin")
    old = store.issue(owner="alice", name="ci", scopes="all")
    store.set_role("alice", "user")
    worthless = accepted(store, old.secret)
    assert not worthless.scopes
    with pytest.raises(TokenRefused):
        store.rotate(old.token.id, scopes="write:a", parent=worthless)


def test_a_token_narrows_itself(store):
    """With itself, as with any other."""
    old = store.issue(owner="alice", name="ci", scopes="public-only,write:issue@alice/*", networks="192.0.2.0/24")
    new = store.rotate(old.token.id, scopes="read:issue@alice/a", parent=accepted(store, old.secret))
    assert str(new.token.scopes) == "public-only,read:issue@alice/a"
    assert new.token.networks == old.token.networks
    with pytest.raises(TokenRefused):
        store.rotate(new.token.id, scopes="read:issue@alice/b", parent=accepted(store, new.secret))


def test_whose_it_is_to_narrow(store):
    """Its owner's, if it is not managed; nobody's, once it is over."""
    mine = store.issue(owner="alice", name="mine", scopes="write:user")
    managed = store.issue(owner="alice", name="managed", scopes="write:user", managed=True)
    with pytest.raises(NoSuchToken):
        store.rotate(mine.token.id, scopes="read:user", by="bob")
    with pytest.raises(TokenManaged):
        store.rotate(managed.token.id, scopes="read:user", by="alice")
    assert str(store.rotate(mine.token.id, scopes="read:user", by="alice").token.scopes) == "read:user"
    with pytest.raises(TokenDead):
        store.rotate(mine.token.id, scopes="read:user")
