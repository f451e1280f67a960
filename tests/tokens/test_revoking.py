"""Ending tokens: with what was made with them, one by one or many at once; and removing what is long dead."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import pytest
import services
from processes import answer
from token_helpers import accepted

from scopeware.errors import ConfigurationError
from scopeware.scopes import UnknownScope
from scopeware.tokens import (
    NoSuchOwner,
    NoSuchToken,
    Refusal,
    TokenFilter,
    TokenManaged,
)

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
DAY_SECONDS = 86_400


def child_of(store, parent, name, **terms):
    """A token that another one made."""
    made_with = accepted(store, parent.secret)
    return store.issue(owner=made_with.owner, name=name, **({"scopes": "read:user"} | terms), parent=made_with)


def family(store):
    """A token, its child and its grandchild, another; and one that is no relative."""
    first = store.issue(owner="alice", name="first", scopes="read:user")
    child = child_of(store, first, "child")
    return {
        "first": first,
        "child": child,
        "grandchild": child_of(store, child, "grandchild"),
        "other": child_of(store, first, "other"),
        "stranger": store.issue(owner="alice", name="stranger", scopes="read:user"),
    }


def answers(store, tokens):
    """What each of them gets."""
    return {name: answer(store, issued.secret) for name, issued in tokens.items()}


# -- one, and what came of it


@pytest.mark.parametrize(
    ("ended", "dead"),
    [
        ("first", "first child grandchild other"),
        ("child", "child grandchild"),
        ("grandchild", "grandchild"),
        ("other", "other"),
        ("stranger", "stranger"),
    ],
)
def test_what_was_made_with_a_token_ends_with_it(ended, dead, any_store):
    """All of it and at once, and nothing else."""
    tokens = family(any_store)
    assert set(answers(any_store, tokens).values()) == {"read:user"}
    assert any_store.revoke(tokens[ended].token.id) is True
    dead = set(dead.split())
    said = answers(any_store, tokens)
    assert {name for name, code in said.items() if code == "token_revoked"} == dead
    assert {name for name, code in said.items() if code == "read:user"} == set(tokens) - dead
    assert {token.name for token in any_store.list()} == set(tokens) - dead


def test_the_names_of_all_that_ended_are_free(store):
    """Those of what goes on are not."""
    tokens = family(store)
    store.revoke(tokens["child"].token.id)
    for name in ("child", "grandchild"):
        assert store.issue(owner="alice", name=name, scopes="all")
    assert [token.name for token in store.list()] == ["first", "other", "stranger", "child", "grandchild"]


def test_all_that_ends_ends_at_one_time_and_stays_so(store, clock):
    """What had ended before keeps its own time."""
    tokens = family(store)
    store.revoke(tokens["grandchild"].token.id)
    clock.now += 60
    store.revoke(tokens["first"].token.id)
    ended = {name: store.show(issued.token.id).revoked_at for name, issued in tokens.items()}
    assert ended["first"] == ended["child"] == ended["other"]
    assert ended["first"] - ended["grandchild"] == timedelta(minutes=1)
    clock.now += 60
    assert store.revoke(tokens["first"].token.id) is False
    assert store.show(tokens["first"].token.id).revoked_at == ended["first"]


def test_a_hundred_generations_end_with_the_first(store):
    """However deep; and a thousand children."""
    first = last = store.issue(owner="alice", name="0", scopes="read:user")
    for number in range(1, 30):
        last = child_of(store, last, str(number))
    assert store.revoke(first.token.id)
    assert answer(store, last.secret) == "token_revoked"
    assert store.list() == []


def test_more_children_than_are_looked_at_at_once_end_with_their_parent(store, home):
    """All of them; the children of another token do not."""
    first, other = (store.issue(owner="alice", name=name, scopes="read:user") for name in ("first", "other"))
    child = child_of(store, first, "child")
    columns = "owner_id, parent_id, name, scopes, digest, hint, created_at"
    blob = "'\\x{:064x}'" if home.kind == "postgres" else "X'{:064x}'"
    values = ", ".join(
        f"((SELECT id FROM scopeware_owner), {parent.token.id}, '{number}', 'all', {blob.format(number)}, 'abcd', 0)"
        for number, parent in enumerate([first] * 1_200 + [other] * 5)
    )
    home.run_sql(f"INSERT INTO scopeware_token ({columns}) VALUES {values}")
    assert len(store.list()) == 1_208
    store.revoke(first.token.id)
    assert {token.parent_id for token in store.list()} == {None, other.token.id}
    assert len(store.list()) == 6
    assert answer(store, child.secret) == "token_revoked"


def test_a_circle_of_parents_is_no_endless_loop(store, home):
    """Nobody can make one but by hand."""
    tokens = family(store)
    home.run_sql(
        f"UPDATE scopeware_token SET parent_id = {tokens['grandchild'].token.id} WHERE id = {tokens['first'].token.id}"
    )
    assert store.revoke(tokens["child"].token.id)
    assert [token.name for token in store.list()] == ["stranger"]


@pytest.mark.parametrize("turns", [1, 2, 5])
def test_what_a_token_took_the_place_of_ends_with_it(turns, any_store):
    """In its grace, however often it was rotated; another rotated token's grace goes on."""
    chain = [any_store.issue(owner="alice", name="ci", scopes="read:user")]
    for _ in range(turns):
        chain.append(any_store.rotate(chain[-1].token.id, grace=DAY))
    other = any_store.issue(owner="alice", name="other", scopes="read:user")
    newer = any_store.rotate(other.token.id, grace=DAY)
    assert [answer(any_store, one.secret) for one in chain] == ["read:user"] * (turns + 1)
    any_store.revoke(chain[-1].token.id)
    assert [answer(any_store, one.secret) for one in chain] == ["token_rotated"] * turns + ["token_revoked"]
    assert [answer(any_store, one.secret) for one in (other, newer)] == ["read:user"] * 2


def test_a_chain_is_followed_through_what_has_ended(store):
    """Rotated with a grace, then without one: the last one's end is the first one's, too; so it is with what those
    made."""
    first = store.issue(owner="alice", name="ci", scopes="read:user")
    second = store.rotate(first.token.id, grace=DAY)
    by_first = child_of(store, first, "by first")
    third = store.rotate(second.token.id)
    assert [answer(store, one.secret) for one in (first, second, third)] == ["read:user", "token_rotated", "read:user"]
    store.revoke(third.token.id)
    assert answer(store, first.secret) == "token_rotated"
    assert answer(store, by_first.secret) == "token_revoked"


def test_a_token_in_its_grace_ends_alone(store):
    """Its successor goes on, and what belongs to that."""
    first = store.issue(owner="alice", name="ci", scopes="read:user")
    child = child_of(store, first, "child")
    second = store.rotate(first.token.id, grace=DAY)
    late = child_of(store, first, "late")
    assert store.revoke(first.token.id) is True
    assert answer(store, first.secret) == "token_rotated"
    assert answer(store, late.secret) == "token_revoked"
    assert [answer(store, one.secret) for one in (second, child)] == ["read:user"] * 2


def test_what_ended_before_can_be_ended_again(store):
    """It is no error, it is no news; what it made that still lives ends now."""
    tokens = family(store)
    store.revoke(tokens["first"].token.id)
    assert store.revoke(tokens["child"].token.id) is False
    expired = store.issue(owner="alice", name="expired", scopes="read:user", expires_in=timedelta(seconds=0.001))
    assert store.revoke(expired.token.id) is True
    assert store.show(expired.token.id).status in ("revoked", "expired")


# -- who may


def test_a_token_is_its_owners_to_end(store, home):
    """To others it does not exist, but for administrators."""
    tokens = family(store)
    store.add_owner("mallory")
    store.add_owner("root", role="admin")
    before = home.rows()
    for stranger in ("mallory", "nobody", "", "Alice"):
        with pytest.raises(NoSuchToken):
            store.revoke(tokens["first"].token.id, by=stranger)
    assert home.rows() == before
    assert store.revoke(tokens["child"].token.id, by="alice") is True
    assert store.revoke(tokens["first"].token.id, by="root") is True


def test_a_managed_token_is_not_its_owners_to_end(store, home):
    """An administrator's it is, one who is active."""
    issued = store.issue(owner="bot", name="ci", scopes="read:user", managed=True)
    store.add_owner("root", role="admin")
    before = home.rows()
    with pytest.raises(TokenManaged, match="an administrator can end or change it, bot cannot"):
        store.revoke(issued.token.id, by="bot")
    assert home.rows() == before
    assert answer(store, issued.secret) == "read:user"
    assert store.revoke(issued.token.id, by="root") is True
    assert answer(store, issued.secret) == "token_revoked"


# -- many at once


@pytest.fixture
def crowd(store, clock):
    """Tokens of all kinds: a day ago and now."""
    clock.now -= DAY_SECONDS
    made = {
        "old": store.issue(owner="alice", name="old", scopes="write:user"),
        "used": store.issue(owner="alice", name="used", scopes="read:user,read:issue"),
        "bound": store.issue(owner="bob", name="bound", scopes="write:repository@alice/widgets,read:user"),
    }
    clock.now += DAY_SECONDS
    made |= {
        "new": store.issue(owner="alice", name="new", scopes="all"),
        "below": store.issue(owner="bob", name="below", scopes="read:issue@alice/*"),
        "short": store.issue(owner="carol", name="short", scopes="read:misc", expires_in="2h"),
        "long": store.issue(owner="carol", name="long", scopes="public-only,read:misc", expires_in="30d"),
    }
    store.last_use.note(made["used"].token.id, int(clock.now) - 60)
    store.background.work()
    return made


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ({"owner": "alice"}, "old used new"),
        ({"owner": "bob"}, "bound below"),
        ({"name": "old"}, "old"),
        ({"name": "Old"}, ""),
        ({"name": ""}, ""),
        ({"name": "ol%"}, ""),
        ({"owner": "alice", "name": "old"}, "old"),
        ({"owner": "bob", "name": "old"}, ""),
        ({"scope": "read:user"}, "old used new bound"),
        ({"scope": "write:user"}, "old new"),
        ({"scope": "write:user,read:issue"}, "new"),
        ({"scope": "all"}, "new"),
        ({"scope": "write:repository"}, "new bound"),
        ({"scope": "write:repository@alice/widgets"}, "new bound"),
        ({"scope": "read:issue@alice/widgets"}, "used new below"),
        ({"scope": "write:repository@alice/other"}, "new"),
        ({"resource": "alice/widgets"}, "bound"),
        ({"resource": "alice/*"}, "bound below"),
        ({"resource": "alice/other"}, ""),
        ({"resource": "alic/*"}, ""),
        ({"unused_for": HOUR}, "old bound"),
        ({"unused_for": timedelta(seconds=30)}, "old bound used"),
        ({"unused_for": 2 * DAY}, ""),
        ({"expiring_in": 3 * HOUR}, "short"),
        ({"expiring_in": 31 * DAY}, "short long"),
        ({"expiring_in": HOUR}, ""),
        ({"owner": "carol", "expiring_in": 31 * DAY, "scope": "read:misc"}, "short long"),
        ({"owner": "bob", "unused_for": HOUR, "resource": "alice/widgets"}, "bound"),
    ],
    ids=str,
)
def test_all_that_a_filter_means_end_and_nothing_else(wanted, meant, store, crowd):
    """The same that a list shows; their ids are returned, and all others go on."""
    meant = set(meant.split())
    ids = {crowd[name].token.id for name in meant}
    working = {name: accepted(store, issued.secret).id for name, issued in crowd.items()}
    assert {token.id for token in store.list(**wanted)} == ids
    assert set(store.revoke_matching(TokenFilter(**wanted))) == ids
    assert {name for name in working if isinstance(store.authenticate(crowd[name].secret), Refusal)} == meant
    assert store.revoke_matching(TokenFilter(**wanted)) == []


@pytest.mark.parametrize("dead", [True, False])
def test_a_filter_that_leaves_nobody_out_is_refused(dead, store, crowd, home):
    """Nothing is everything only by mistake; one that says something is not."""
    before = home.rows()
    with pytest.raises(ConfigurationError, match="this filter means all there are") as caught:
        store.revoke_matching(TokenFilter(dead=dead))
    assert caught.value.where == "filter"
    assert home.rows() == before
    assert store.revoke_matching(TokenFilter(name="old", dead=dead)) == [crowd["old"].token.id]


@pytest.mark.parametrize("length", [timedelta(0), -DAY])
@pytest.mark.parametrize("which", ["unused_for", "expiring_in"])
def test_a_filter_with_a_length_of_time_that_is_none_is_refused(which, length, store, crowd, home):
    """It would mean everybody, or nobody; a slip of the sign ends no tokens."""
    before = home.rows()
    with pytest.raises(ConfigurationError):
        store.revoke_matching(TokenFilter(**{which: length}))
    assert home.rows() == before


def test_a_filter_for_what_is_not_there_is_an_error(store, crowd, home):
    """An owner or a scope that nobody knows is a slip: who believes that nothing was left is told."""
    before = home.rows()
    with pytest.raises(NoSuchOwner):
        store.revoke_matching(TokenFilter(owner="alcie"))
    with pytest.raises(UnknownScope):
        store.revoke_matching(TokenFilter(scope="write:usr"))
    for scope in ("", "public-only"):
        with pytest.raises(ConfigurationError, match="name one scope"):
            store.revoke_matching(TokenFilter(scope=scope))
    for resource in ("", "*", "a//b", "../b", "alice/*/x"):
        with pytest.raises(ConfigurationError, match="is no resource"):
            TokenFilter(resource=resource)
    assert home.rows() == before


@pytest.mark.parametrize("scope", ["write:usr", "", "public-only"])
def test_a_scope_that_nobody_knows_is_an_error_where_there_are_no_tokens(scope, store):
    """A slip is one whatever there is."""
    with pytest.raises((UnknownScope, ConfigurationError)):
        store.list(scope=scope)


def test_what_is_made_with_a_token_that_is_meant_ends_too(store, home):
    """Though the filter does not mean it; and it is among those that are reported."""
    tokens = family(store)
    ended = store.revoke_matching(TokenFilter(name="child"))
    assert set(ended) == {tokens["child"].token.id, tokens["grandchild"].token.id}
    assert len(ended) == 2
    assert sorted(store.revoke_matching(TokenFilter(owner="alice"))) == sorted(
        tokens[name].token.id for name in ("first", "other", "stranger")
    )


def test_the_dead_are_meant_where_they_are_asked_for(store, crowd, clock):
    """Expired tokens end for good then; without being asked for they stay as they are."""
    clock.now += 3 * 3600
    assert store.revoke_matching(TokenFilter(owner="carol", dead=False)) == [crowd["long"].token.id]
    assert answer(store, crowd["short"].secret) == "token_expired"
    assert store.revoke_matching(TokenFilter(owner="carol", dead=True)) == [crowd["short"].token.id]
    assert answer(store, crowd["short"].secret) == "token_revoked"


def test_the_tokens_of_an_inactive_owner_are_meant(store, crowd):
    """They would come back with it; a list has only what works."""
    store.disable_owner("bob")
    assert store.list(owner="bob") == []
    assert set(store.revoke_matching(TokenFilter(owner="bob"))) == {
        crowd["bound"].token.id,
        crowd["below"].token.id,
    }
    store.enable_owner("bob")
    assert answer(store, crowd["bound"].secret) == "token_revoked"


def test_threads_that_end_overlapping_tokens_end_all_of_them(store, home):
    """Nobody is told that the database is out of reach, and nothing is left."""
    second = home.connect()
    tokens = [
        store.issue(owner=("alice", "bob")[number % 2], name=str(number), scopes="read:user") for number in range(40)
    ]
    filters = [TokenFilter(owner="alice"), TokenFilter(owner="bob"), TokenFilter(scope="read:user")] * 2

    def end(number):
        return (store, second)[number % 2].revoke_matching(filters[number])

    with ThreadPoolExecutor(6) as pool:
        ended = {token_id for ids in pool.map(end, range(6)) for token_id in ids}
    assert ended == {issued.token.id for issued in tokens}
    assert store.list() == []


WAITING = {
    "postgres": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    "mariadb": "SELECT count(*) FROM information_schema.innodb_trx JOIN information_schema.processlist "
    "ON trx_mysql_thread_id = processlist.id WHERE trx_state = 'LOCK WAIT' AND db = database()",
}
"""How many wait for what somebody else has locked."""


@pytest.mark.parametrize("home", ["postgres", "mariadb"], indirect=True)
def test_a_token_that_another_one_is_just_ending_is_not_reported(store, home, issued):
    """Who comes second waits, and then finds nothing to do."""
    with closing(services._connect(home.url)) as connection, ThreadPoolExecutor(1) as pool:
        cursor = connection.cursor()
        cursor.execute("BEGIN")
        cursor.execute("UPDATE scopeware_token SET revoked_at = 1")
        second = pool.submit(store.revoke_matching, TokenFilter(owner="alice"))
        until = time.monotonic() + 5
        while home.run_sql(WAITING[home.kind]) == [(0,)] and time.monotonic() < until:
            # MariaDB looks again only after it was not asked for a tenth of a second.
            time.sleep(0.15)
        assert not second.done()
        cursor.execute("COMMIT")
        assert second.result() == []
    assert store.show(issued.token.id).revoked_at.year == 1970


# -- removing


def test_what_has_been_dead_for_long_enough_is_removed(store, clock, home):
    """Revoked, rotated or expired so long ago; what died later stays, and so does what lives."""
    live = store.issue(owner="alice", name="live", scopes="read:user")
    lasting = store.issue(owner="alice", name="lasting", scopes="read:user", expires_in="30d")
    revoked = store.issue(owner="alice", name="revoked", scopes="read:user")
    expired = store.issue(owner="alice", name="expired", scopes="read:user", expires_in="1h")
    rotated = store.issue(owner="alice", name="rotated", scopes="read:user")
    late = store.issue(owner="alice", name="late", scopes="read:user")
    store.revoke(revoked.token.id)
    new = store.rotate(rotated.token.id)
    clock.now += DAY_SECONDS
    store.revoke(late.token.id)
    clock.now += 3599
    assert store.purge(DAY + HOUR) == 0
    clock.now += 2
    assert store.purge(DAY + HOUR) == 2
    assert {token.name for token in store.list(dead=True)} == {"live", "lasting", "rotated", "late", "expired"}
    clock.now += 3601
    assert store.purge(DAY + HOUR) == 1
    left = {token.id for token in store.list(dead=True)}
    assert left == {live.token.id, lasting.token.id, new.token.id, late.token.id}
    assert [answer(store, one.secret) for one in (revoked, expired, rotated)] == ["token_invalid"] * 3
    assert [answer(store, one.secret) for one in (live, lasting, new)] == ["read:user"] * 3
    assert answer(store, late.secret) == "token_revoked"
    assert [owner.name for owner in store.owners()] == ["alice"]


def test_an_inactive_owner_is_no_reason_to_remove_its_tokens(store, clock):
    """It may come back."""
    issued = store.issue(owner="alice", name="ci", scopes="read:user")
    store.disable_owner("alice")
    clock.now += 1000 * DAY_SECONDS
    assert store.purge(DAY) == 0
    store.enable_owner("alice")
    assert answer(store, issued.secret) == "read:user"


@pytest.mark.parametrize("dead_for", [timedelta(0), -DAY])
def test_what_is_to_be_removed_has_to_be_said(dead_for, store, home):
    """No length of time at all is a slip."""
    store.revoke(store.issue(owner="alice", name="ci", scopes="read:user").token.id)
    before = home.rows()
    with pytest.raises(ConfigurationError, match="say for how long they have been dead") as caught:
        store.purge(dead_for)
    assert caught.value.where == "dead_for"
    assert home.rows() == before
    assert store.purge(timedelta.max) == 0


def test_more_than_is_removed_at_once_is_removed(store, home, clock, monkeypatch):
    """In small batches, until nothing is left to do; the log stays."""
    for number in range(7):
        store.issue(owner="alice", name=str(number), scopes="read:user", expires_in=f"{number + 1}h")
    home.run_sql(
        "INSERT INTO scopeware_access_log (at, address, method, path, group_path, scopes, decision, duration, owner) "
        "VALUES (0, '::1', 'GET', '/', '', '', 'allowed', 1, 'alice')"
    )
    logged = home.rows()["access_log"]
    monkeypatch.setattr("scopeware.tokens.register._BATCH", 2)
    clock.now += 6 * 3600 + DAY_SECONDS + 1
    assert store.purge(DAY) == 6
    assert [token.name for token in store.list(dead=True)] == ["6"]
    assert home.rows()["access_log"] == logged
