"""What corrupt rows are good for, and rows that were written by hand: never for more than is certain."""

import pytest
from processes import answer
from token_helpers import accepted, may_do_nothing, raw, run_sql

from scopeware.tokens import LiveToken, StoreUnavailable, TokenRefused

# -- what every database takes


@pytest.fixture
def written(home):
    """Changes the one token or its owner by hand; before that, it is accepted. What it is then, once it is noticed."""
    store = home.connect()
    issued = store.issue(owner="alice", name="ci", scopes="write:issue,write:admin")

    def written(statement):
        assert answer(store, issued.secret) == "write:issue"
        home.run_sql(statement)
        return store, issued

    return written


@pytest.mark.parametrize(
    ("scopes", "left"),
    [
        pytest.param(" , ", "", id="separators"),
        pytest.param("[]", "", id="empty-json"),
        pytest.param("null", "", id="null-json"),
        pytest.param("*", "", id="star"),
        pytest.param("repo,user:follow", "", id="unknown-words"),
        pytest.param("ALL", "", id="wrong-case"),
        pytest.param("all\n", "", id="newline"),
        pytest.param("write:issue@", "", id="bound-to-nothing"),
        pytest.param("write:issue@*", "", id="bound-to-a-star"),
        pytest.param("write:issue@../x", "", id="bound-to-a-way-up"),
        pytest.param("all@a/b", "write:repository@a/b", id="bound"),
        pytest.param("public-only", "public-only", id="restriction-alone"),
        pytest.param("repo,read:user", "read:user", id="one-known-word"),
        pytest.param("read:user", "read:user", id="a-scope"),
    ],
)
def test_scopes_that_nobody_knows_grant_nothing(scopes, left, written):
    """However they got there; a word that is known grants itself, and where it is bound nothing elsewhere."""
    store, issued = written(f"UPDATE scopeware_token SET scopes = '{scopes}'")
    token = accepted(store, issued.secret)
    if "@a/b" in scopes:
        assert token.bits == 0
        assert token.scopes.covers(left)
        assert not token.scopes.covers("read:admin@a/b")
    else:
        assert str(token.scopes) == left
    assert store.show(issued.token.id).effective == token.scopes
    assert may_do_nothing(store, issued.secret) is (left in ("", "public-only"))


@pytest.mark.parametrize("role", ["root", "", "Admin", "admin ", "ADMIN"])
def test_an_owner_whose_role_was_made_up_can_do_nothing(role, written):
    """Letter case and spaces matter; a role that is known allows what it allows."""
    store, issued = written(f"UPDATE scopeware_owner SET role = '{role}'")
    assert may_do_nothing(store, issued.secret)
    assert not store.show(issued.token.id).effective
    assert not store.is_admin("alice")
    store.set_role("alice", "admin")
    assert answer(store, issued.secret) == "write:admin,write:issue"


UNREADABLE = [",", " ", "anywhere", "*", "192.0.2.0/24,oops", "192.0.2.1/24", "0.0.0.0/0;::/0"]


@pytest.mark.parametrize("networks", UNREADABLE)
def test_a_token_whose_networks_cannot_be_read_works_from_nowhere(networks, written):
    """Nobody knows what was meant."""
    store, issued = written(f"UPDATE scopeware_token SET networks = '{networks}'")
    token = accepted(store, issued.secret)
    assert token.networks == ()
    assert token.restricted
    assert store.show(issued.token.id).networks == ()


@pytest.mark.parametrize("networks", UNREADABLE)
def test_a_token_whose_networks_cannot_be_read_makes_no_others(networks, written):
    """Those would have to work from nowhere, too: neither with it, nor in its place."""
    store, issued = written(f"UPDATE scopeware_token SET networks = '{networks}'")
    token = accepted(store, issued.secret)
    with pytest.raises(TokenRefused):
        store.issue(owner="alice", name="child", scopes="read:issue", parent=token)
    with pytest.raises(TokenRefused):
        store.rotate(issued.token.id)
    assert [info.name for info in store.list()] == ["ci"]


def test_networks_that_can_be_read_are_those(written):
    """Written by hand or not; they can be narrowed, and not be widened."""
    store, issued = written("UPDATE scopeware_token SET networks = ' 192.0.2.0/24 , 2001:db8::1'")
    assert [str(network) for network in accepted(store, issued.secret).networks] == ["192.0.2.0/24", "2001:db8::1/128"]
    with pytest.raises(TokenRefused, match="the networks go beyond"):
        store.edit(issued.token.id, networks="192.0.0.0/16")
    assert [str(network) for network in store.edit(issued.token.id, networks="192.0.2.7").networks] == ["192.0.2.7/32"]


@pytest.mark.parametrize("revoked_at", [0, -1, 9_999_999_999])
def test_a_token_with_a_strange_time_of_revocation_is_revoked(revoked_at, written):
    """Even one at the beginning of all times, or in the future."""
    store, issued = written(f"UPDATE scopeware_token SET revoked_at = {revoked_at}")
    assert answer(store, issued.secret) == "token_revoked"
    assert store.show(issued.token.id).status == "revoked"


@pytest.mark.parametrize("expires_at", [0, -1, -(2**63)])
def test_a_token_that_expired_before_there_were_tokens_is_expired(expires_at, written):
    """Zero is a time, and not for ever; what no calendar knows can be shown, too."""
    store, issued = written(f"UPDATE scopeware_token SET expires_at = {expires_at}")
    assert answer(store, issued.secret) == "token_expired"
    assert store.show(issued.token.id).status == "expired"
    assert store.list() == []


def test_a_token_that_expires_after_all_calendars_is_shown_as_what_it_is(written):
    """It works, so it is live, and on the list of those that work."""
    store, issued = written(f"UPDATE scopeware_token SET expires_at = {2**62}")
    assert answer(store, issued.secret) == "write:issue"
    assert store.show(issued.token.id).status == "live"
    assert [info.id for info in store.list()] == [issued.token.id]


@pytest.mark.parametrize("asked", [{"scopes": "read:issue"}, {"name": "other"}, {"networks": "::1"}])
def test_a_child_whose_networks_cannot_be_read_keeps_its_parent_from_nothing(asked, written, home):
    """Whoever takes something from a token has it taken, and the child still works from nowhere."""
    store, issued = written("UPDATE scopeware_token SET hint = 'abcd'")
    child = store.issue(owner="alice", name="child", scopes="read:issue", parent=accepted(store, issued.secret))
    home.run_sql(f"UPDATE scopeware_token SET networks = 'oops' WHERE id = {child.token.id}")
    store.edit(issued.token.id, **asked)
    store.rotate(issued.token.id)
    found = store.authenticate(child.secret)
    assert not isinstance(found, LiveToken) or found.networks == ()


def test_a_token_that_expires_after_all_calendars_makes_none_that_live_longer(written):
    """That is refused, and what ends sooner is not."""
    store, issued = written(f"UPDATE scopeware_token SET expires_at = {2**62}")
    token = accepted(store, issued.secret)
    with pytest.raises(TokenRefused, match="the expiry is later"):
        store.issue(owner="alice", name="child", scopes="read:issue", expires_in="never", parent=token)
    assert store.issue(owner="alice", name="child", scopes="read:issue", expires_in="1d", parent=token)


# -- what SQLite takes past all constraints


@pytest.fixture
def store(connect):
    """A store in a file, with nobody in it."""
    return connect()


@pytest.fixture
def corrupt(path, store, issued):
    """Changes the one token and its owner past all constraints; before that, it is accepted."""

    def corrupt(statement, *parameters):
        assert answer(store, issued.secret) == "write:issue"
        with raw(path) as connection:
            connection.execute("PRAGMA ignore_check_constraints = 1")
            connection.execute("PRAGMA writable_schema = 1")
            connection.execute("UPDATE sqlite_master SET sql = replace(sql, 'NOT NULL', '')")
            version = connection.execute("PRAGMA schema_version").fetchone()[0]
            connection.execute(f"PRAGMA schema_version = {version + 1}")
        with raw(path) as connection:
            connection.execute("PRAGMA ignore_check_constraints = 1")
            assert connection.execute(statement, parameters).rowcount == 1

    return corrupt


@pytest.mark.parametrize(
    ("scopes", "left"),
    [
        pytest.param(None, "", id="null"),
        pytest.param("", "", id="empty"),
        pytest.param(" , ", "", id="separators"),
        pytest.param("[]", "", id="empty-json"),
        pytest.param("null", "", id="null-json"),
        pytest.param("*", "", id="star"),
        pytest.param("repo,user:follow", "", id="unknown-words"),
        pytest.param("ALL", "", id="wrong-case"),
        pytest.param("all\n", "", id="newline"),
        pytest.param("all\0", "", id="nul"),
        pytest.param(b"all", "", id="blob"),
        pytest.param(1, "", id="number"),
        pytest.param("public-only", "public-only", id="restriction-alone"),
        pytest.param("repo,read:user", "read:user", id="one-known-word"),
        pytest.param("read:user", "read:user", id="a-scope"),
    ],
)
def test_corrupt_scopes_grant_nothing(scopes, left, corrupt, store, issued):
    """NULL, nothing and unknown words are no access; a word that is known grants itself."""
    corrupt("UPDATE scopeware_token SET scopes = ?", scopes)
    assert may_do_nothing(store, issued.secret) is (left != "read:user")
    assert answer(store, issued.secret) == left
    if not isinstance(scopes, bytes):
        assert str(store.show(issued.token.id).effective) == left


@pytest.mark.parametrize("role", ["root", "", "Admin", None, b"admin", 1, "admin\0"])
def test_an_owner_with_a_role_nobody_knows_can_do_nothing(role, corrupt, store, issued):
    """Whatever its tokens were granted."""
    corrupt("UPDATE scopeware_owner SET role = ?", role)
    assert may_do_nothing(store, issued.secret)
    if not isinstance(role, bytes):
        assert not store.show(issued.token.id).effective
    store.set_role("alice", "admin")
    assert answer(store, issued.secret) == "write:admin,write:issue"


@pytest.mark.parametrize("active", [0, None, 2, -1, "", "yes", "true", b"1"])
def test_an_owner_that_is_not_clearly_active_is_not(active, corrupt, store, issued):
    """One is active, everything else is not."""
    corrupt("UPDATE scopeware_owner SET active = ?", active)
    assert answer(store, issued.secret) == "owner_inactive"
    run_sql(store._database.path, "UPDATE scopeware_owner SET active = 1")
    assert answer(store, issued.secret) == "write:issue"


@pytest.mark.parametrize("revoked_at", [0, -1, "", "never", b"", 9_999_999_999])
def test_a_token_with_any_time_of_revocation_is_revoked(revoked_at, corrupt, store, issued):
    """Even one that is no time, or in the future."""
    corrupt("UPDATE scopeware_token SET revoked_at = ?", revoked_at)
    assert answer(store, issued.secret) == "token_revoked"


@pytest.mark.parametrize("expires_at", [0, -1, 1.5, float("-inf")])
def test_a_token_with_a_strange_expiry_in_the_past_is_expired(expires_at, corrupt, store, issued):
    """Zero is a time, and not for ever."""
    corrupt("UPDATE scopeware_token SET expires_at = ?", expires_at)
    assert answer(store, issued.secret) == "token_expired"


@pytest.mark.parametrize("expires_at", ["", "never", b"", b"\xff"])
def test_a_token_whose_expiry_is_no_time_is_not_accepted(expires_at, corrupt, store, issued):
    """The store refuses it or says that it cannot tell."""
    corrupt("UPDATE scopeware_token SET expires_at = ?", expires_at)
    assert answer(store, issued.secret) in ("token_expired", "token_invalid", "unavailable")


@pytest.mark.parametrize("statement", ["DELETE FROM scopeware_owner", "UPDATE scopeware_token SET owner_id = 99"])
def test_a_token_without_an_owner_is_no_token(statement, corrupt, store, issued):
    """Nobody's rights are no rights."""
    corrupt(statement)
    assert answer(store, issued.secret) == "token_invalid"
    assert store.find(issued.secret) is None
    assert not isinstance(store.authenticate(issued.secret), LiveToken)


def test_a_counter_that_is_gone_leaves_nothing_accepted(store, issued, path):
    """Without it nobody can tell what is still true; with it all is well again."""
    assert answer(store, issued.secret) == "write:issue"
    run_sql(path, "DELETE FROM scopeware_generation")
    with pytest.raises(StoreUnavailable, match="its table `scopeware_generation` is empty"):
        store.authenticate(issued.secret)
    assert answer(store, issued.secret) == "unavailable"
    run_sql(path, "INSERT INTO scopeware_generation (id, counter) VALUES (1, 7)")
    assert answer(store, issued.secret) == "write:issue"
