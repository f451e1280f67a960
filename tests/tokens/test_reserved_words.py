"""Words that are reserved to roles: nobody else can be granted them, and they are nothing once the role is gone."""

import pytest
from processes import answer
from token_helpers import accepted, may_do_nothing

from scopeware.scopes import Roles, Vocabulary
from scopeware.tokens import Account, TokenRefused

FORGE = Vocabulary(
    "forge",
    ["user", "repo", "staff"],
    all_word="all",
    public_only="public-only",
    wildcards={"sudo": ["*"]},
    admin=["staff"],
    reserved={"sudo": ["admin"], "write:repo": ["admin", "maintainer"]},
)
ROLES = Roles(FORGE, {"maintainer": "*,-*:staff"})


@pytest.fixture
def store(home):
    """A store whose vocabulary has reserved words."""
    return home.connect(vocabulary=FORGE, roles=ROLES)


@pytest.mark.parametrize(
    ("role", "scopes", "words"),
    [
        ("user", "sudo", ["`sudo`"]),
        ("user", "read:user,sudo", ["`sudo`"]),
        ("user", "sudo@alice/widgets", ["`sudo`"]),
        ("user", "public-only,sudo", ["`sudo`"]),
        ("user", "write:repo", ["`write:repo`"]),
        ("user", "write:repo@alice/widgets,read:user", ["`write:repo`"]),
        ("user", "sudo,write:repo", ["`sudo`", "`write:repo`"]),
        ("viewer", "write:repo", ["`write:repo`"]),
        ("maintainer", "sudo", ["`sudo`"]),
        ("maintainer", "sudo,write:repo", ["`sudo`"]),
    ],
)
def test_a_reserved_word_is_refused_to_other_roles(role, scopes, words, store, home):
    """The words and who may have them are named, the scopes are at fault, and nothing is written."""
    store.add_owner("alice", role=role)
    before = home.rows()
    with pytest.raises(TokenRefused, match="for the role admin") as caught:
        store.issue(owner="alice", name="ci", scopes=scopes)
    assert caught.value.field == "scopes"
    for word in ("`sudo`", "`write:repo`"):
        assert (word in str(caught.value)) is (word in words)
    assert home.rows() == before
    assert store.issue(owner="alice", name="ci", scopes="read:user")


def test_an_owner_whom_nobody_has_met_is_a_user(store, home):
    """And is not added for what a user cannot be granted."""
    with pytest.raises(TokenRefused):
        store.issue(owner="alice", name="ci", scopes="sudo")
    assert home.rows()["owner"] == []
    assert store.issue(owner="alice", name="ci", scopes="all").token.owner_role == "user"


@pytest.mark.parametrize(
    ("role", "scopes", "effective"),
    [
        ("admin", "sudo", "all"),
        ("admin", "write:repo", "write:repo"),
        ("admin", "all", "all"),
        ("maintainer", "write:repo", "write:repo"),
        ("maintainer", "all", "write:user,write:repo"),
        ("user", "all", "write:user,read:repo"),
        ("user", "read:repo", "read:repo"),
    ],
)
def test_who_may_have_a_word_has_what_it_stands_for(role, scopes, effective, store):
    """`all` is no way around: what is reserved is no part of it for the others."""
    store.add_owner("alice", role=role)
    issued = store.issue(owner="alice", name="ci", scopes=scopes)
    assert accepted(store, issued.secret).scopes == FORGE.parse(effective)
    assert store.show(issued.token.id).effective == FORGE.parse(effective)


@pytest.mark.parametrize(
    ("scopes", "under"),
    [
        ("sudo", {"admin": "all", "maintainer": "", "user": "", "viewer": ""}),
        ("sudo,read:user", {"admin": "all", "maintainer": "read:user", "user": "read:user"}),
        ("write:repo", {"admin": "write:repo", "maintainer": "write:repo", "user": "", "viewer": ""}),
        ("write:repo,read:repo", {"admin": "write:repo", "user": "read:repo", "viewer": "read:repo"}),
        ("sudo,write:repo", {"admin": "all", "maintainer": "write:repo", "user": ""}),
        ("sudo@alice/widgets", {"admin": "all@alice/widgets", "maintainer": "", "user": ""}),
        ("sudo,all", {"admin": "all", "maintainer": "write:user,write:repo", "user": "write:user,read:repo"}),
    ],
)
def test_a_reserved_word_is_nothing_under_another_role(scopes, under, store):
    """At once, as if it had not been granted; the rest of the token goes on, and with the role the word comes back."""
    store.add_owner("alice", role="admin")
    issued = store.issue(owner="alice", name="ci", scopes=scopes)
    for role in (*under, "admin"):
        store.set_role("alice", role)
        assert accepted(store, issued.secret).scopes == FORGE.parse(under[role])
        assert accepted(store, issued.secret).bits == FORGE.parse(under[role]).bits
        assert may_do_nothing(store, issued.secret) is (under[role] == "")
        assert store.show(issued.token.id).scopes == FORGE.parse(scopes)


def test_rotation_keeps_a_word_that_is_nothing(store, home):
    """It gives nothing to who has lost the role, and takes nothing from who gets it back."""
    store.add_owner("alice", role="admin")
    issued = store.issue(owner="alice", name="ci", scopes="sudo,read:user")
    store.set_role("alice", "user")
    new = store.rotate(issued.token.id)
    assert answer(store, new.secret) == "read:user"
    assert len({row["scopes"] for row in home.rows()["token"]}) == 1
    store.set_role("alice", "admin")
    assert answer(store, new.secret) == "all"


def test_a_change_gives_no_reserved_word(store, home):
    """What a token has of them it keeps only under the role; what is left out stays out."""
    store.add_owner("alice", role="admin")
    issued = store.issue(owner="alice", name="ci", scopes="sudo,read:user")
    store.set_role("alice", "user")
    before = home.rows()
    with pytest.raises(TokenRefused, match="`sudo`: for the role admin only"):
        store.edit(issued.token.id, scopes="sudo")
    assert home.rows() == before
    assert str(store.edit(issued.token.id, scopes="read:user").scopes) == "read:user"
    store.set_role("alice", "admin")
    assert answer(store, issued.secret) == "read:user"


def test_everything_does_not_become_the_reserved_word(store):
    """The other way around neither: each stays as it was granted."""
    store.add_owner("alice", role="admin")
    everything = store.issue(owner="alice", name="everything", scopes="all")
    reserved = store.issue(owner="alice", name="reserved", scopes="sudo")
    store.set_role("alice", "user")
    with pytest.raises(TokenRefused, match="sudo"):
        store.edit(everything.token.id, scopes="sudo")
    assert accepted(store, everything.secret).scopes == FORGE.parse("write:user,read:repo")
    assert may_do_nothing(store, reserved.secret)


@pytest.mark.parametrize(
    ("has", "asked"),
    [
        ("sudo", "sudo"),
        ("sudo", "sudo@alice/widgets"),
        ("all", "sudo"),
        ("all", "all"),
        ("all", "write:staff,read:repo"),
        ("sudo,all", "read:user"),
        ("write:repo,read:repo", "read:repo"),
    ],
)
def test_what_a_token_makes_is_no_more_than_it_under_any_role(has, asked, store):
    """What was granted by a reserved word is handed on by that word, and is nothing when that is."""
    store.add_owner("alice", role="admin")
    parent = store.issue(owner="alice", name="parent", scopes=has)
    child = store.issue(owner="alice", name="child", scopes=asked, parent=accepted(store, parent.secret))
    for role in ("admin", "maintainer", "user", "viewer"):
        store.set_role("alice", role)
        assert accepted(store, child.secret).scopes <= accepted(store, parent.secret).scopes, role
    store.set_role("alice", "admin")
    assert accepted(store, child.secret).scopes == FORGE.parse(asked)


@pytest.mark.parametrize(
    ("has", "asked"),
    [
        ("sudo", "all"),
        ("sudo", "write:user"),
        ("sudo", "write:staff,read:repo"),
        ("sudo", "read:user@alice/widgets"),
        ("sudo,read:user", "all"),
        ("sudo,read:user", "write:user"),
        ("write:repo", "read:repo"),
    ],
)
def test_what_a_reserved_word_stands_for_is_not_handed_on_without_it(has, asked, store, home):
    """It would outlive the role that the word is reserved to, and the token that it came from."""
    store.add_owner("alice", role="admin")
    parent = store.issue(owner="alice", name="parent", scopes=has)
    before = home.rows()
    with pytest.raises(TokenRefused, match="more than the token it is made with; ask for its own words") as caught:
        store.issue(owner="alice", name="child", scopes=asked, parent=accepted(store, parent.secret))
    assert caught.value.field == "scopes"
    assert home.rows() == before


def test_what_a_reserved_word_stands_for_is_not_rotated_with_it(store, home):
    """Nor a token that would be worth more than it under another role."""
    store.add_owner("alice", role="admin")
    parent = store.issue(owner="alice", name="parent", scopes="sudo")
    other = store.issue(owner="alice", name="other", scopes="write:user")
    before = home.rows()
    with pytest.raises(TokenRefused):
        store.rotate(other.token.id, parent=accepted(store, parent.secret))
    assert home.rows() == before
    assert accepted(store, store.rotate(parent.token.id, parent=accepted(store, parent.secret)).secret)


def test_the_role_is_the_accounts_where_there_are_some(home):
    """The store's own is not asked; whoever the application does not know is a user."""
    told = {"alice": Account("admin"), "bob": Account("user")}
    store = home.connect(vocabulary=FORGE, roles=ROLES, accounts=told.get)
    store.add_owner("bob", role="admin")
    issued = store.issue(owner="alice", name="ci", scopes="sudo")
    assert answer(store, issued.secret) == "all"
    for owner in ("bob", "carol"):
        with pytest.raises(TokenRefused, match="for the role admin only, not `user`"):
            store.issue(owner=owner, name="ci", scopes="sudo")
    told["alice"] = Account("user")
    assert may_do_nothing(store, issued.secret)
