"""The application's own user table: role and activity of owners are what it says, at each use of a token."""

import pytest
from processes import answer
from token_helpers import accepted

from scopeware.errors import ConfigurationError
from scopeware.scopes import Roles, Vocabulary
from scopeware.tokens import (
    Account,
    NoSuchOwner,
    NoSuchToken,
    Refusal,
    StoreUnavailable,
    TokenFilter,
    TokenRefused,
    sqlite,
)

GITEA = Vocabulary.builtin("gitea")
USERS = GITEA.parse("all") & Roles(GITEA)["user"]


class Users(dict):
    """A user table that counts who asks, and can be out of order."""

    broken = None

    def __init__(self, **accounts):
        super().__init__(accounts)
        self.asked = []

    def __call__(self, name):
        self.asked.append(name)
        if self.broken is not None:
            raise self.broken
        return self.get(name)


@pytest.fixture
def users():
    """Two users and an administrator."""
    return Users(alice=Account("user"), bob=Account("user"), root=Account("admin"))


@pytest.fixture
def store(home, users):
    """A store that asks them, on each database."""
    return home.connect(accounts=users)


@pytest.fixture
def any_store(any_home, users):
    """A store of each kind that asks them."""
    return any_home.connect(accounts=users)


# -- at each use


def test_the_role_is_the_accounts_at_each_request(any_store, users):
    """A demotion holds on the next one, a promotion too, though nothing was written to the store."""
    issued = any_store.issue(owner="alice", name="ci", scopes="write:issue,write:admin")
    for role, can in [
        ("user", "write:issue"),
        ("admin", "write:admin,write:issue"),
        ("viewer", "read:issue"),
        ("user", "write:issue"),
    ]:
        users["alice"] = Account(role)
        token = accepted(any_store, issued.secret)
        assert (token.role, str(token.scopes), token.bits) == (role, can, GITEA.parse(can).bits)
        assert token.granted == GITEA.parse("write:issue,write:admin")
        assert accepted(any_store, issued.secret).scopes == token.scopes


def test_what_a_token_is_restricted_to_stays_under_every_role(any_store, users):
    """A role changes its ceiling and nothing else."""
    issued = any_store.issue(
        owner="alice", name="ci", scopes="public-only,all", networks="192.0.2.0/24", expires_in="1d"
    )
    before = accepted(any_store, issued.secret)
    users["alice"] = Account("admin")
    token = accepted(any_store, issued.secret)
    assert token.scopes == GITEA.parse("public-only,all")
    for name in ("id", "name", "owner", "remote_user", "hint", "networks", "expires_at", "public_only", "restricted"):
        assert getattr(token, name) == getattr(before, name)
    assert before.role == "user"


def test_an_account_that_is_inactive_is_refused_at_each_request(any_store, users):
    """Until it is active again; another one's tokens go on."""
    issued = any_store.issue(owner="alice", name="ci", scopes="read:user")
    bobs = any_store.issue(owner="bob", name="ci", scopes="read:user")
    assert answer(any_store, issued.secret) == "read:user"
    users["alice"] = Account("user", active=False)
    refusal = Refusal("owner_inactive", issued.token.id, "alice", issued.secret[-4:])
    assert any_store.authenticate(issued.secret) == refusal
    assert answer(any_store, bobs.secret) == "read:user"
    users["alice"] = Account("admin", active=False)
    assert any_store.authenticate(issued.secret) == refusal
    users["alice"] = Account("user")
    assert answer(any_store, issued.secret) == "read:user"


def test_an_account_that_nobody_knows_is_refused(any_store, users):
    """Whoever was deleted over there, or never was there; spelled otherwise it is another one."""
    issued = any_store.issue(owner="alice", name="ci", scopes="read:user")
    assert answer(any_store, issued.secret) == "read:user"
    del users["alice"]
    users["Alice"] = Account("admin")
    assert any_store.authenticate(issued.secret) == Refusal(
        "owner_inactive", issued.token.id, "alice", issued.secret[-4:]
    )
    users["alice"] = Account("user")
    assert answer(any_store, issued.secret) == "read:user"


@pytest.mark.parametrize("role", ["root", "", "Admin", "user "])
def test_a_role_that_nobody_knows_allows_nothing(role, any_store, users):
    """The token is recognised, and good for nothing."""
    issued = any_store.issue(owner="alice", name="ci", scopes="all")
    users["alice"] = Account(role)
    assert not accepted(any_store, issued.secret).scopes
    assert not any_store.show(issued.token.id).effective
    users["alice"] = Account("user")
    assert accepted(any_store, issued.secret).scopes == USERS


@pytest.mark.parametrize(
    "broken",
    [
        RuntimeError("out of order"),
        KeyError("alice"),
        LookupError("no such user"),
        ConnectionRefusedError("the user table is down"),
        TimeoutError("too slow"),
        sqlite.sqlite3.OperationalError("no such table: user"),
        StoreUnavailable("gone", "users"),
    ],
    ids=repr,
)
def test_an_error_of_the_user_table_never_lets_anybody_in(broken, any_store, users):
    """It is the application's to see; the token works again when the table does."""
    issued = any_store.issue(owner="alice", name="ci", scopes="read:user")
    assert answer(any_store, issued.secret) == "read:user"
    users.broken = broken
    for _ in range(2):
        with pytest.raises(type(broken)):
            any_store.authenticate(issued.secret)
    users.broken = None
    assert answer(any_store, issued.secret) == "read:user"


@pytest.mark.parametrize("told", [True, "admin", ("admin", True), {"role": "admin"}, object(), Account])
def test_what_is_no_account_never_lets_anybody_in(told, any_store, users):
    """A slip in the application is said to be one."""
    issued = any_store.issue(owner="alice", name="ci", scopes="read:user")
    users["alice"] = told
    with pytest.raises(ConfigurationError, match="neither an Account nor None") as caught:
        any_store.authenticate(issued.secret)
    assert caught.value.where == "accounts"
    users["alice"] = Account("user")
    assert answer(any_store, issued.secret) == "read:user"


def test_only_for_tokens_that_work_is_anybody_asked(store, users, clock):
    """Who sends noise or dead tokens costs the application nothing; for one that works it is asked once."""
    tokens = {
        name: store.issue(owner="alice", name=name, scopes="read:user", expires_in="1d" if name == "expired" else None)
        for name in ("live", "revoked", "expired")
    }
    store.revoke(tokens["revoked"].token.id)
    clock.now += 2 * 86_400
    users.asked.clear()
    for secret in ("", "x", store._format.generate(), tokens["revoked"].secret, tokens["expired"].secret):
        assert answer(store, secret).startswith("token_")
    assert users.asked == []
    assert answer(store, tokens["live"].secret) == "read:user"
    assert users.asked == ["alice"]


def test_an_owner_that_the_store_has_disabled_stays_so(any_store, users):
    """Each of the two can refuse, whatever the other says."""
    issued = any_store.issue(owner="alice", name="ci", scopes="read:user")
    any_store.disable_owner("alice")
    users["alice"] = Account("admin")
    assert answer(any_store, issued.secret) == "owner_inactive"
    any_store.enable_owner("alice")
    users["alice"] = Account("user", active=False)
    assert answer(any_store, issued.secret) == "owner_inactive"
    users["alice"] = Account("user")
    assert answer(any_store, issued.secret) == "read:user"


def test_the_role_in_the_store_counts_for_nothing(any_store, users):
    """Neither more nor less than the account's."""
    issued = any_store.issue(owner="alice", name="ci", scopes="write:issue,write:admin")
    for role in ("admin", "viewer", "user"):
        any_store.set_role("alice", role)
        assert answer(any_store, issued.secret) == "write:issue"


def test_a_store_without_accounts_asks_its_own(home, users):
    """Beside one that has them, on the same database."""
    with_accounts, without = home.connect(accounts=users), home.connect()
    issued = with_accounts.issue(owner="root", name="ci", scopes="write:admin")
    assert answer(with_accounts, issued.secret) == "write:admin"
    assert answer(without, issued.secret) == ""
    assert users.asked


# -- what is shown


def test_what_is_shown_of_a_token_is_as_the_account_is(store, users):
    """Role, activity and effective scopes of its owner, now; a list has what works."""
    issued = store.issue(owner="alice", name="ci", scopes="write:issue,write:admin")
    gone = store.issue(owner="bob", name="ci", scopes="all")
    users["alice"] = Account("admin")
    del users["bob"]
    shown = store.show(issued.token.id)
    assert (shown.owner_role, shown.owner_active, shown.status) == ("admin", True, "live")
    assert shown.effective == GITEA.parse("write:issue,write:admin")
    shown = store.show(gone.token.id)
    assert (shown.owner_active, shown.status) == (False, "owner_inactive")
    assert not shown.effective
    assert [token.owner for token in store.list()] == ["alice"]
    assert [token.owner for token in store.list(dead=True)] == ["alice", "bob"]
    assert store.revoke_matching(TokenFilter(name="ci")) == [issued.token.id, gone.token.id]


@pytest.mark.parametrize(
    ("told", "disabled", "expected"),
    [
        (Account("admin"), False, Account("admin")),
        (Account("viewer"), False, Account("viewer")),
        (Account("admin", active=False), False, Account("admin", active=False)),
        (Account("admin"), True, Account("admin", active=False)),
        (None, False, None),
        (None, True, None),
    ],
)
def test_an_account_is_active_if_both_say_so(told, disabled, expected, store, users):
    """Its role is what the application says; whoever that does not know is nobody."""
    store.add_owner("alice", role="user")
    if disabled:
        store.disable_owner("alice")
    users["alice"] = told
    assert store.account("alice") == expected
    assert store.is_admin("alice") is (expected == Account("admin"))


def test_an_account_without_a_token_is_one_all_the_same(store, home, users):
    """The store has never met it; without accounts it would be nobody."""
    assert store.account("root") == Account("admin")
    assert store.is_admin("root")
    assert store.account("nobody") is None
    with pytest.raises(NoSuchOwner):
        store.owner("root")
    without = home.connect()
    assert without.account("root") is None
    assert not without.is_admin("root")
    assert without.add_owner("root", role="admin").name == "root"
    assert without.account("root") == Account("admin")


# -- what may be done


def test_an_administrator_is_who_the_application_says(store, users):
    """Who is one in the store alone is none."""
    issued = store.issue(owner="alice", name="ci", scopes="read:user")
    store.add_owner("mallory", role="admin")
    users["mallory"] = Account("user")
    for by in ("mallory", "bob", "nobody"):
        with pytest.raises(NoSuchToken):
            store.revoke(issued.token.id, by=by)
    users["root"] = Account("admin", active=False)
    with pytest.raises(NoSuchToken):
        store.revoke(issued.token.id, by="root")
    users["root"] = Account("admin")
    assert store.edit(issued.token.id, name="other", by="root").name == "other"
    assert store.revoke(issued.token.id, by="root") is True


def test_a_token_makes_tokens_as_far_as_the_account_goes(store, users):
    """Under the role of now, not the one it was seen with."""
    users["alice"] = Account("admin")
    issued = store.issue(owner="alice", name="ci", scopes="all")
    parent = accepted(store, issued.secret)
    assert store.issue(owner="alice", name="child", scopes="write:admin", parent=parent)
    users["alice"] = Account("user")
    with pytest.raises(TokenRefused, match="goes beyond"):
        store.issue(owner="alice", name="another", scopes="write:admin", parent=parent)
    assert store.issue(owner="alice", name="another", scopes="write:issue", parent=parent)
    for told in (Account("user", active=False), None):
        users["alice"] = told
        with pytest.raises(TokenRefused, match="no longer works"):
            store.issue(owner="alice", name="third", scopes="read:issue", parent=parent)


def test_what_is_issued_to_who_is_not_there_works_when_they_are(store, users):
    """A token may be made before its owner; until then it is refused."""
    issued = store.issue(owner="carol", name="ci", scopes="write:issue")
    assert answer(store, issued.secret) == "owner_inactive"
    users["carol"] = Account("viewer")
    assert answer(store, issued.secret) == "read:issue"


@pytest.mark.parametrize("broken", [RuntimeError("out of order"), ConnectionRefusedError("the user table is down")])
def test_an_error_of_the_user_table_changes_nothing(broken, store, users, home):
    """Whatever was asked for: nothing is half done, and all of it can be done when the table is back."""
    users["alice"] = Account("admin")
    issued = store.issue(owner="alice", name="ci", scopes="all")
    parent = accepted(store, issued.secret)
    asks = [
        lambda: store.issue(owner="alice", name="child", scopes="read:user", parent=parent),
        lambda: store.issue(owner="new", name="ci", scopes="read:user"),
        lambda: store.edit(issued.token.id, name="other", by="root"),
        lambda: store.rotate(issued.token.id, by="root"),
        lambda: store.revoke(issued.token.id, by="root"),
        lambda: store.revoke_matching(TokenFilter(name="ci")),
    ]
    before = home.rows()
    users.broken = broken
    for ask in asks:
        with pytest.raises((type(broken), StoreUnavailable)):
            ask()
        assert home.rows() == before
    users.broken = None
    assert asks[0]()
    assert asks[1]()
