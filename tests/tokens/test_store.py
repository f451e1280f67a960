"""Issuing, finding, revoking; owners and their roles: the same on every database."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
from processes import answer, in_child
from token_helpers import accepted

from scopeware.errors import ConfigurationError, ScopewareError
from scopeware.scopes import Roles, UnknownScope, Vocabulary, VocabularyError
from scopeware.tokens import (
    NameTaken,
    NoSuchOwner,
    NoSuchToken,
    OwnerExists,
    Refusal,
    TokenFilter,
    TokenRefused,
    wsgi_text,
)

GITEA = Vocabulary.builtin("gitea")
NINE_WRITES = ",".join(f"write:{category}" for category in GITEA.categories)
DAY = timedelta(days=1)


# -- tokens


def test_a_token_works_from_the_moment_it_is_issued(any_store):
    """The secret is accepted at once, as the owner's, with what was granted."""
    issued = any_store.issue(owner="alice", name="ci", scopes="read:user,read:organization")
    token = accepted(any_store, issued.secret)
    assert (token.id, token.name, token.owner, token.role) == (issued.token.id, "ci", "alice", "user")
    assert token.scopes == GITEA.parse("read:user,read:organization")
    assert (token.bits, token.public_only) == (token.scopes.bits, False)
    assert not token.scopes.covers("write:user")
    assert repr(token) == f"<LiveToken {token.id} 'ci' of 'alice': read:organization,read:user>"
    assert (token.hint, token.networks, token.restricted) == (issued.secret[-4:], None, False)


def test_a_secret_that_nobody_issued_is_refused(any_store):
    """However well formed it is."""
    issued = any_store.issue(owner="alice", name="ci", scopes="read:user")
    other = any_store._format.generate()
    assert any_store.authenticate(other) == Refusal("token_invalid")
    assert any_store.find(other) is None
    assert any_store.find(issued.secret) == issued.token


def test_what_is_shown_of_a_token_is_what_was_asked_for(store, clock):
    """Owner, name, scopes, times and the hint, the same by every way of asking."""
    issued = store.issue(owner="alice", name="ci", scopes="public-only,all", expires_in=DAY)
    shown = issued.token
    assert (shown.owner, shown.name, shown.hint) == ("alice", "ci", issued.secret[-4:])
    assert shown.scopes == GITEA.parse("public-only,all")
    assert shown.unknown_scopes == ()
    assert shown.effective == GITEA.parse("public-only,all") & Roles(GITEA)["user"]
    assert shown.created_at == datetime.fromtimestamp(1_800_000_000, UTC)
    assert shown.expires_at == shown.created_at + DAY + timedelta(seconds=1)
    assert (shown.networks, shown.managed, shown.parent_id, shown.successor_id) == ((), False, None, None)
    assert (shown.last_used_at, shown.rotated_at, shown.revoked_at) == (None, None, None)
    assert (shown.owner_kind, shown.owner_role, shown.owner_active, shown.status) == ("user", "user", True, "live")
    assert store.show(shown.id) == store.find(issued.secret) == store.list()[0] == shown
    managed = store.issue(owner="bot", name="ci", scopes="all", networks="2001:db8::/32 192.0.2.7", managed=True)
    assert [str(network) for network in managed.token.networks] == ["192.0.2.7/32", "2001:db8::/32"]
    assert managed.token.managed is True


def test_public_only_is_kept(any_store):
    """The restriction comes back with the token; a token issued without it has none."""
    restricted = any_store.issue(owner="alice", name="a", scopes="public-only,read:user")
    free = any_store.issue(owner="alice", name="b", scopes="read:user")
    assert accepted(any_store, restricted.secret).public_only
    assert not accepted(any_store, free.secret).public_only


@pytest.mark.parametrize(
    ("scopes", "stored"),
    [
        pytest.param("all", "all", id="all-stays-the-word"),
        pytest.param(NINE_WRITES, NINE_WRITES, id="nine-writes-stay-nine"),
        pytest.param("read:user write:user,public-only", "public-only,write:user", id="canonical"),
        pytest.param(["read:user"], "read:user", id="list"),
        pytest.param(GITEA.parse("all,public-only"), "public-only,all", id="scope-set"),
    ],
)
def test_scopes_are_stored_as_they_were_granted(scopes, stored, store, home):
    """Only who asked for `all` gets a category that is introduced later."""
    store.issue(owner="alice", name="ci", scopes=scopes)
    assert [row["scopes"] for row in home.rows()["token"]] == [stored]


def test_a_tenth_category_widens_only_all(home):
    """A store of a later vocabulary reads the same rows; nine writes stay nine."""
    before = home.connect()
    everything = before.issue(owner="alice", name="all", scopes="all")
    nine = before.issue(owner="alice", name="nine", scopes=NINE_WRITES)
    tenth = Vocabulary("gitea", [*GITEA.categories.values(), "wiki"], all_word="all", public_only="public-only")
    after = home.connect(vocabulary=tenth)
    assert accepted(after, everything.secret).scopes.covers("write:wiki")
    assert not accepted(after, nine.secret).scopes.covers("read:wiki")
    assert accepted(after, nine.secret).scopes.covers("write:user")


@pytest.mark.parametrize("scopes", ["", " ", ",", ", ,", [], (), None, "public-only", ["public-only"], GITEA.parse("")])
def test_a_token_without_scopes_is_refused_and_nothing_written(scopes, store, home):
    """Nothing is not everything, in every spelling; one scope is enough."""
    store.add_owner("alice")
    before = home.rows()
    with pytest.raises(TokenRefused, match="without a scope could do nothing") as caught:
        store.issue(owner="alice", name="ci", scopes=scopes)
    assert caught.value.field == "scopes"
    assert home.rows() == before
    assert store.issue(owner="alice", name="ci", scopes="read:user")


@pytest.mark.parametrize("scopes", ["read:usr", "all,read:usr", ["read:user", None], "*", "sudo", "ALL", "null"])
def test_a_token_with_a_scope_nobody_knows_is_refused_and_nothing_written(scopes, store, home):
    """One unknown word refuses the whole token."""
    before = home.rows()
    with pytest.raises(UnknownScope):
        store.issue(owner="alice", name="ci", scopes=scopes)
    assert home.rows() == before


def test_scopes_of_another_vocabulary_are_refused(store, home):
    """Bits of one mean nothing in another; those of an equal one are fine."""
    other = Vocabulary("other", ["user"])
    before = home.rows()
    with pytest.raises(TokenRefused, match="of vocabulary `other`, the store's is `gitea`"):
        store.issue(owner="alice", name="ci", scopes=other.parse("write:user"))
    assert home.rows() == before
    assert store.issue(owner="alice", name="ci", scopes=GITEA.parse("write:user"))


@pytest.mark.parametrize("kind", ["name", "owner"])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("  ", id="spaces"),
        pytest.param("\t\n", id="other-blanks"),
        pytest.param(" ci", id="space-before"),
        pytest.param("ci ", id="space-after"),
        pytest.param("c\ni", id="newline"),
        pytest.param("c\0i", id="nul"),
        pytest.param("c\x1b[31mi", id="terminal-escape"),
        pytest.param("c\u202ei", id="right-to-left-override"),
        pytest.param("c\u00a0i", id="no-break-space"),
        pytest.param("\ud800", id="surrogate"),
        pytest.param("x" * 256, id="256-characters"),
    ],
)
def test_a_name_that_cannot_be_is_refused_and_nothing_written(kind, text, store, home):
    """Names are for people: printable, not blank, at most 255 characters; the argument at fault is named."""
    arguments = {"owner": "alice", "name": "ci"} | {kind: text}
    before = home.rows()
    with pytest.raises(TokenRefused) as caught:
        store.issue(**arguments, scopes="read:user")
    assert caught.value.field == kind
    assert str(caught.value).isprintable()
    assert home.rows() == before


@pytest.mark.parametrize(
    "text", ["x", "x" * 255, "größe", "名前", "a b", "'; DROP TABLE scopeware_token; --", "%", "%s", "\U0001f511" * 255]
)
def test_any_other_name_is_kept_as_it_is(text, any_store):
    """Of tokens and of owners, whatever the alphabet."""
    issued = any_store.issue(owner=text, name=text, scopes="read:user")
    assert (issued.token.owner, issued.token.name) == (text, text)
    token = accepted(any_store, issued.secret)
    assert (token.owner, token.name) == (text, text)
    assert token.remote_user == wsgi_text(text)
    assert token.remote_user.encode("latin-1").decode() == text


# -- expiry


@pytest.mark.parametrize(
    "expiry",
    [
        pytest.param({"expires_in": timedelta(0)}, id="in-no-time"),
        pytest.param({"expires_in": -DAY}, id="in-negative-time"),
        pytest.param({"expires_in": timedelta.min}, id="in-the-most-negative-time"),
        pytest.param({"expires_at": datetime(2001, 1, 1, tzinfo=UTC)}, id="long-ago"),
        pytest.param({"expires_at": datetime.fromtimestamp(1_800_000_000, UTC)}, id="just-now"),
        pytest.param({"expires_at": datetime(2999, 1, 1)}, id="without-a-time-zone"),
        pytest.param({"expires_at": datetime(2999, 1, 1, tzinfo=UTC), "expires_in": DAY}, id="both"),
        pytest.param(
            {"expires_in": timedelta.max},
            id="beyond-the-calendar",
        ),
    ],
)
def test_an_expiry_that_cannot_be_is_refused_and_nothing_written(expiry, store, home, clock):
    """Past, without a time zone, or given twice; the argument at fault is named."""
    before = home.rows()
    try:
        with pytest.raises(TokenRefused) as caught:
            store.issue(owner="alice", name="ci", scopes="read:user", **expiry)
    finally:
        assert home.rows() == before
    assert caught.value.field in expiry


@pytest.mark.parametrize(
    ("expiry", "seconds"),
    [
        pytest.param({"expires_in": DAY}, 86_401, id="in-a-day"),
        pytest.param({"expires_in": timedelta(milliseconds=1)}, 1, id="in-a-moment"),
        pytest.param(
            {"expires_at": datetime.fromtimestamp(1_800_003_600, timezone(timedelta(hours=9)))}, 3600, id="abroad"
        ),
        pytest.param({"expires_at": datetime.fromtimestamp(1_800_000_009.5, UTC)}, 10, id="fraction-of-a-second"),
    ],
)
def test_a_token_works_until_it_expires_and_no_longer(expiry, seconds, any_store, clock):
    """Known or not, it is refused from that second on, and the other one still works."""
    expiring = any_store.issue(owner="alice", name="ci", scopes="read:user", **expiry)
    lasting = any_store.issue(owner="alice", name="other", scopes="read:user")
    assert expiring.token.expires_at == datetime.fromtimestamp(1_800_000_000 + seconds, UTC)
    clock.now = 1_800_000_000 + seconds - 0.001
    assert answer(any_store, expiring.secret) == "read:user"
    assert any_store.find(expiring.secret).status == "live"
    clock.now = 1_800_000_000 + seconds
    assert any_store.authenticate(expiring.secret) == Refusal(
        "token_expired", expiring.token.id, "alice", expiring.secret[-4:]
    )
    assert any_store.find(expiring.secret).status == "expired"
    assert answer(any_store, lasting.secret) == "read:user"


def test_a_token_without_expiry_works_for_ever(any_store, clock):
    """A century later it still does."""
    issued = any_store.issue(owner="alice", name="ci", scopes="read:user")
    clock.now += 100 * 365 * 86_400
    assert issued.token.expires_at is None
    assert answer(any_store, issued.secret) == "read:user"


def test_a_clock_set_back_does_not_leave_a_token_unchecked(any_store, clock):
    """What was found while the clock was ahead is looked at again; an expired token lives again with the time."""
    issued = any_store.issue(owner="alice", name="ci", scopes="read:user", expires_in=DAY)
    clock.now += 2 * 86_400
    assert answer(any_store, issued.secret) == "token_expired"
    clock.now -= 2 * 86_400
    assert answer(any_store, issued.secret) == "read:user"
    any_store.revoke(issued.token.id)
    assert answer(any_store, issued.secret) == "token_revoked"


# -- names


def test_a_live_name_is_taken_for_its_owner_only(any_store):
    """The same name twice is refused for one owner, and fine for another; names differ by case."""
    any_store.issue(owner="alice", name="ci", scopes="read:user")
    with pytest.raises(NameTaken) as caught:
        any_store.issue(owner="alice", name="ci", scopes="read:misc")
    assert (caught.value.name, caught.value.owner, caught.value.field) == ("ci", "alice", "name")
    assert str(caught.value) == "alice already has a live token named `ci`; choose another name"
    assert isinstance(caught.value, ScopewareError)
    any_store.issue(owner="bob", name="ci", scopes="read:user")
    any_store.issue(owner="alice", name="CI", scopes="read:user")
    assert len(any_store.list(dead=True)) == 3


def test_a_name_is_free_again_after_revocation(any_store):
    """The new token has nothing of the old one, whose secret stays dead."""
    old = any_store.issue(owner="alice", name="ci", scopes="all")
    any_store.revoke(old.token.id)
    new = any_store.issue(owner="alice", name="ci", scopes="read:user")
    assert new.token.id != old.token.id
    assert answer(any_store, old.secret) == "token_revoked"
    assert answer(any_store, new.secret) == "read:user"
    with pytest.raises(NameTaken):
        any_store.issue(owner="alice", name="ci", scopes="read:user")


def test_a_name_is_free_again_after_expiry(any_store, clock):
    """Not before; and the expired token stays expired."""
    old = any_store.issue(owner="alice", name="ci", scopes="all", expires_in=DAY)
    clock.now += 86_400 - 10
    with pytest.raises(NameTaken):
        any_store.issue(owner="alice", name="ci", scopes="read:user")
    clock.now += 20
    new = any_store.issue(owner="alice", name="ci", scopes="read:user")
    assert answer(any_store, old.secret) == "token_expired"
    assert answer(any_store, new.secret) == "read:user"


def test_a_name_is_taken_for_as_long_as_its_token_works(store, clock):
    """In the last second before the expiry as well."""
    old = store.issue(owner="alice", name="ci", scopes="all", expires_in=DAY)
    clock.now = old.token.expires_at.timestamp() - 0.5
    assert answer(store, old.secret) != "token_expired"
    with pytest.raises(NameTaken):
        store.issue(owner="alice", name="ci", scopes="read:user")


def test_a_name_is_taken_while_its_owner_is_inactive(store):
    """The token comes back with its owner, so its name is not given away."""
    store.issue(owner="alice", name="ci", scopes="read:user")
    store.disable_owner("alice")
    with pytest.raises(NameTaken):
        store.issue(owner="alice", name="ci", scopes="read:user")


def compete(store, name):
    """Who has won: the secret, or nothing."""
    try:
        return store.issue(owner="alice", name=name, scopes="read:user").secret
    except NameTaken:
        return None


def test_of_threads_that_issue_one_name_exactly_one_wins(store, home):
    """Through one store or two; the others are told that the name is taken."""
    second = home.connect()
    barrier = threading.Barrier(8)

    def run(number):
        wins = []
        for turn in range(5):
            barrier.wait(10)
            wins.append(compete((store, second)[number % 2], f"ci{turn}"))
        return wins

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(run, range(8)))
    for turn in zip(*outcomes, strict=True):
        assert len([secret for secret in turn if secret]) == 1
    assert len(store.list()) == 5


def test_of_processes_that_issue_one_name_exactly_one_wins(store):
    """Also where the owner is new to all of them; the winner's secret works."""
    with ThreadPoolExecutor(6) as pool:
        secrets = list(pool.map(lambda _: in_child(lambda: compete(store, "ci")), range(6)))
    (winner,) = filter(None, secrets)
    assert answer(store, winner) == "read:user"
    assert [owner.name for owner in store.owners()] == ["alice"]


# -- lists


def test_a_list_has_the_live_tokens_oldest_first(store, clock):
    """Dead ones only on request, of one owner only on request."""
    owners = {"one": "bob", "two": "alice", "three": "alice", "four": "carol"}
    ids = {name: store.issue(owner=owner, name=name, scopes="all").token.id for name, owner in owners.items()}
    store.issue(owner="alice", name="five", scopes="read:user", expires_in=DAY)
    store.revoke(ids["two"])
    store.disable_owner("carol")
    clock.now += 2 * 86_400
    assert [token.name for token in store.list()] == ["one", "three"]
    assert [token.name for token in store.list(owner="alice")] == ["three"]
    assert [(token.name, token.status) for token in store.list(dead=True)] == [
        ("one", "live"),
        ("two", "revoked"),
        ("three", "live"),
        ("four", "owner_inactive"),
        ("five", "expired"),
    ]
    assert [token.name for token in store.list(owner="alice", dead=True)] == ["two", "three", "five"]


def test_a_list_of_an_owner_nobody_knows_is_an_error(store, issued):
    """An empty list would say that there are no tokens; an owner without tokens has an empty one."""
    with pytest.raises(NoSuchOwner, match="there is no owner `alcie`"):
        store.list(owner="alcie")
    store.add_owner("bob")
    assert store.list(owner="bob") == []


def test_a_token_that_does_not_exist_is_an_error(store, issued):
    """To show and to revoke; the one that exists can be shown."""
    missing = issued.token.id + 1
    for ask in (store.show, store.revoke, store.rotate, store.edit):
        with pytest.raises(NoSuchToken, match=f"there is no token {missing}") as caught:
            ask(missing)
        assert caught.value.token_id == missing
        assert isinstance(caught.value, LookupError)
    assert store.show(issued.token.id) == issued.token


@pytest.mark.parametrize("token_id", [0, -1, 2**31, 2**63, 2**70, -(2**70)])
def test_a_token_whose_id_cannot_be_is_not_found(token_id, store, issued):
    """Asked for, it is one that does not exist; no database error."""
    for ask in (store.show, store.revoke, store.rotate, store.edit):
        with pytest.raises(NoSuchToken):
            ask(token_id)
    assert store.show(issued.token.id) == issued.token


# -- revocation


def test_a_revoked_token_is_refused_at_once_and_for_good(any_store):
    """The answer says that it was revoked; other tokens of the owner go on."""
    issued = any_store.issue(owner="alice", name="ci", scopes="read:user")
    other = any_store.issue(owner="alice", name="other", scopes="read:user")
    assert answer(any_store, issued.secret) == "read:user"
    assert any_store.revoke(issued.token.id) is True
    assert any_store.authenticate(issued.secret) == Refusal(
        "token_revoked", issued.token.id, "alice", issued.secret[-4:]
    )
    assert answer(any_store, other.secret) == "read:user"
    any_store.enable_owner("alice")
    assert answer(any_store, issued.secret) == "token_revoked"


def test_a_second_revocation_changes_nothing(store, clock, home):
    """It says so, and the time of the first one stays."""
    issued = store.issue(owner="alice", name="ci", scopes="read:user")
    assert store.revoke(issued.token.id) is True
    before = home.rows()
    clock.now += 60
    assert store.revoke(issued.token.id) is False
    assert home.rows() == before
    assert store.show(issued.token.id).status == "revoked"


def test_of_threads_that_revoke_one_token_exactly_one_is_told_that_it_did(store, issued):
    """Revocation is one step."""
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: store.revoke(issued.token.id), range(8)))
    assert sorted(outcomes) == [False] * 7 + [True]


def test_a_token_is_not_revoked_before_it_was_created(store, clock):
    """Its times are in order, however soon it is revoked."""
    issued = store.issue(owner="alice", name="ci", scopes="read:user")
    store.revoke(issued.token.id)
    shown = store.show(issued.token.id)
    assert shown.revoked_at >= shown.created_at


# -- owners


def test_an_owner_is_added_active_with_the_role_user(store, clock):
    """Or with the role and of the kind that is asked for."""
    alice = store.add_owner("alice")
    root = store.add_owner("root", role="admin", kind="bot")
    assert (alice.name, alice.kind, alice.role, alice.active) == ("alice", "user", "user", True)
    assert alice.created_at == datetime.fromtimestamp(1_800_000_000, UTC)
    assert (root.role, root.kind) == ("admin", "bot")
    assert store.owners() == [alice, root]
    assert store.owner("root") == root


def test_issuing_to_an_owner_nobody_has_met_adds_it(store, issued):
    """As a user, and only once."""
    store.issue(owner="alice", name="other", scopes="read:user")
    (alice,) = store.owners()
    assert (alice.name, alice.role, alice.active) == ("alice", "user", True)


def test_an_owner_that_exists_cannot_be_added(store, home):
    """The one there is stays as it is."""
    store.add_owner("alice", role="viewer")
    before = home.rows()
    with pytest.raises(OwnerExists, match="there already is an owner `alice`") as caught:
        store.add_owner("alice", role="admin")
    assert caught.value.name == "alice"
    assert isinstance(caught.value, ValueError)
    assert home.rows() == before
    store.add_owner("Alice")


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 256])
def test_an_owner_whose_name_cannot_be_is_refused(name, store, home):
    """Nothing is written."""
    before = home.rows()
    with pytest.raises(TokenRefused) as caught:
        store.add_owner(name)
    assert caught.value.field == "owner"
    assert home.rows() == before


@pytest.mark.parametrize("kind", ["robot", "", "User", None])
def test_an_owner_of_a_kind_nobody_knows_is_refused(kind, store, home):
    """Nothing is written; the kinds there are can be had."""
    before = home.rows()
    with pytest.raises(TokenRefused, match="is none of user, bot, organization") as caught:
        store.add_owner("alice", kind=kind)
    assert caught.value.field == "kind"
    assert home.rows() == before
    for known in ("user", "bot", "organization"):
        assert store.add_owner(f"a {known}", kind=known).kind == known


@pytest.mark.parametrize("role", ["root", "", "Admin", "admin "])
def test_a_role_nobody_knows_is_refused(role, store, home):
    """To add an owner and to change one."""
    store.add_owner("alice", role="viewer")
    before = home.rows()
    with pytest.raises(VocabularyError, match="unknown role"):
        store.add_owner("bob", role=role)
    with pytest.raises(VocabularyError, match="unknown role"):
        store.set_role("alice", role)
    assert home.rows() == before
    assert store.set_role("alice", "admin").role == "admin"


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda store, name: store.owner(name), id="owner"),
        pytest.param(lambda store, name: store.disable_owner(name), id="disable"),
        pytest.param(lambda store, name: store.enable_owner(name), id="enable"),
        pytest.param(lambda store, name: store.set_role(name, "admin"), id="role"),
    ],
)
def test_an_owner_nobody_knows_is_an_error(ask, store, issued, home):
    """Nothing is written, nobody added; the owner that exists can be asked about."""
    before = home.rows()
    with pytest.raises(NoSuchOwner, match="there is no owner `alcie`") as caught:
        ask(store, "alcie")
    assert caught.value.name == "alcie"
    assert isinstance(caught.value, LookupError)
    assert home.rows() == before
    assert ask(store, "alice").name == "alice"


@pytest.mark.parametrize("name", ["\ud800", "", "a\0", "x" * 10_000])
def test_an_owner_whose_name_cannot_be_is_not_found(name, store, issued):
    """Asked for, it is one that nobody knows; no database error."""
    with pytest.raises(NoSuchOwner) as caught:
        store.owner(name)
    assert str(caught.value).isprintable()
    with pytest.raises(NoSuchOwner):
        store.list(owner=name)
    with pytest.raises(NoSuchOwner):
        store.disable_owner(name)
    assert store.owner("alice").active


def test_the_tokens_of_an_inactive_owner_do_not_work(any_store):
    """Until the owner is active again; another owner's work all along."""
    alices = any_store.issue(owner="alice", name="ci", scopes="read:user")
    bobs = any_store.issue(owner="bob", name="ci", scopes="read:user")
    assert answer(any_store, alices.secret) == "read:user"
    assert any_store.disable_owner("alice").active is False
    assert any_store.authenticate(alices.secret) == Refusal(
        "owner_inactive", alices.token.id, "alice", alices.secret[-4:]
    )
    assert answer(any_store, bobs.secret) == "read:user"
    assert any_store.enable_owner("alice").active is True
    assert answer(any_store, alices.secret) == "read:user"


# -- roles


def test_a_token_can_do_what_was_granted_and_the_role_allows(any_store):
    """Neither alone is enough, and a change of role is effective at once."""
    issued = any_store.issue(owner="alice", name="ci", scopes="write:issue,write:admin")
    reading = any_store.issue(owner="alice", name="reading", scopes="read:admin")
    assert answer(any_store, issued.secret) == "write:issue"
    assert answer(any_store, reading.secret) == ""
    for role, can, cannot in (
        ("admin", "write:admin,write:issue", "read:user"),
        ("viewer", "read:issue", "write:issue"),
        ("user", "write:issue", "read:admin"),
    ):
        assert any_store.set_role("alice", role).role == role
        token = accepted(any_store, issued.secret)
        assert token.scopes == GITEA.parse(can)
        assert not token.scopes.covers(cannot)
        assert token.role == role
        assert any_store.show(issued.token.id).effective == token.scopes
        assert any_store.show(issued.token.id).scopes == GITEA.parse("write:issue,write:admin")


def test_a_public_only_token_stays_so_under_every_role(store):
    """A ceiling lifts no restriction."""
    issued = store.issue(owner="alice", name="ci", scopes="public-only,all")
    for role in store.roles:
        store.set_role("alice", role)
        assert accepted(store, issued.secret).public_only


def test_a_deployment_may_have_roles_of_its_own(home):
    """Their ceilings hold; the vocabulary comes with them."""
    store = home.connect(roles=Roles(GITEA, {"bot": "read:repository"}))
    store.add_owner("robot", role="bot")
    issued = store.issue(owner="robot", name="ci", scopes="all")
    assert answer(store, issued.secret) == "read:repository"
    assert answer(home.connect(), issued.secret) == ""


def test_roles_and_vocabulary_must_belong_together(home):
    """Roles of another vocabulary are refused at the start; those of an equal one are fine."""
    with pytest.raises(ConfigurationError, match="roles and vocabulary of the store do not belong together"):
        home.connect(vocabulary=GITEA, roles=Roles(Vocabulary("v", ["user"])))
    same = Vocabulary("v", ["user"])
    assert home.connect(vocabulary=Vocabulary("v", ["user"]), roles=Roles(same)).roles.vocabulary == same


def test_a_store_speaks_the_vocabulary_of_its_policy_unless_it_chose_one(any_home):
    """What was known before is read anew; another vocabulary on top is refused, the same one is not."""
    ours = Vocabulary("ours", ["user", "song"])
    store = any_home.connect()
    issued = store.issue(owner="alice", name="ci", scopes="write:user,write:misc")
    assert answer(store, issued.secret) == "write:misc,write:user"
    store.use(ours, Roles(ours, {"user": "*:user"}), "swt")
    assert store.vocabulary == ours
    assert answer(store, issued.secret) == "write:user"
    assert store.show(issued.token.id).unknown_scopes == ("write:misc",)
    same = Vocabulary("ours", ["user", "song"])
    store.use(same, Roles(same, {"user": "*:user"}), "swt")
    with pytest.raises(ConfigurationError, match="the store's roles are not the policy's"):
        store.use(ours, Roles(ours), "swt")
    assert store.roles["user"] == ours.parse("write:user")
    with pytest.raises(ConfigurationError, match="the store speaks vocabulary `ours`, the policy `gitea`"):
        store.use(GITEA, Roles(GITEA), "swt")
    with pytest.raises(ConfigurationError, match="the store speaks vocabulary `gitea`, the policy `ours`"):
        any_home.connect(vocabulary=GITEA).use(ours, Roles(ours), "swt")


def test_a_store_takes_the_prefix_of_its_policy_unless_it_chose_one(any_home):
    """Tokens of the old prefix are not good any more; another prefix on top of a chosen one is refused."""
    store = any_home.connect()
    old = store.issue(owner="alice", name="old", scopes="read:user")
    assert answer(store, old.secret) == "read:user"
    store.use(GITEA, Roles(GITEA), "acme")
    new = store.issue(owner="alice", name="new", scopes="read:user")
    assert new.secret.startswith("acme_")
    assert store.prefix == "acme"
    assert answer(store, new.secret) == "read:user"
    assert answer(store, old.secret) == "token_invalid"
    with pytest.raises(ConfigurationError, match="the store's tokens start with `acme_`, the policy's with `other_`"):
        store.use(GITEA, Roles(GITEA), "other")
    with pytest.raises(ConfigurationError, match="2 to 16 lower-case"):
        any_home.connect().use(GITEA, Roles(GITEA), "Other")


def test_a_store_that_chose_its_prefix_keeps_it_beside_a_policy_that_did_not(home):
    """The default prefix of a policy is no choice."""
    store = home.connect(prefix="acme")
    issued = store.issue(owner="alice", name="ci", scopes="read:user")
    store.use(GITEA, Roles(GITEA), "swt")
    assert store.prefix == "acme"
    assert answer(store, issued.secret) == "read:user"


# -- several stores


CHANGES = [
    pytest.param(lambda store, token: store.revoke(token.id), "token_revoked", id="revoke"),
    pytest.param(lambda store, token: store.revoke_matching(TokenFilter(name="ci")), "token_revoked", id="filter"),
    pytest.param(lambda store, token: store.rotate(token.id), "token_rotated", id="rotate"),
    pytest.param(lambda store, token: store.edit(token.id, scopes="read:issue"), "read:issue", id="edit"),
    pytest.param(lambda store, token: store.disable_owner("alice"), "owner_inactive", id="disable"),
    pytest.param(lambda store, token: store.set_role("alice", "viewer"), "read:issue", id="narrower-role"),
    pytest.param(lambda store, token: store.set_role("alice", "admin"), "write:admin,write:issue", id="wider-role"),
]


@pytest.mark.parametrize(("change", "expected"), CHANGES)
def test_what_one_store_changes_another_one_sees(change, expected, store, home, issued):
    """On the next request, where it asks each time; as does the one that changed it."""
    second = home.connect()
    assert [answer(one, issued.secret) for one in (store, second)] == ["write:issue"] * 2
    change(second, issued.token)
    assert [answer(one, issued.secret) for one in (store, second)] == [expected] * 2


@pytest.mark.parametrize("any_home", ["postgres-remembering", "mariadb-remembering"], indirect=True)
@pytest.mark.parametrize(("change", "expected"), CHANGES)
def test_what_one_store_changes_another_one_sees_within_a_second(change, expected, any_home, clock):
    """Where it remembers: for that long, from when it asked, and no longer, however often it is asked meanwhile."""
    first, second = any_home.connect(), any_home.connect()
    issued = first.issue(owner="alice", name="ci", scopes="write:issue,write:admin")
    assert [answer(one, issued.secret) for one in (first, second)] == ["write:issue"] * 2
    change(second, issued.token)
    assert answer(second, issued.secret) == expected
    for _ in range(3):
        assert answer(first, issued.secret) == "write:issue"
        clock.now += 0.33
    clock.now += 0.02
    assert answer(first, issued.secret) == expected


def test_threads_that_do_everything_at_once_get_what_they_ask_for(store, home):
    """On two stores, with tokens of one owner: nobody is told that the database is out of reach, and what each has made
    and ended is there in the end."""
    stores = [store, home.connect()]
    family = stores[0].issue(owner="family", name="root", scopes="all")
    until = time.monotonic() + 1.5

    def work(number):
        choice = random.Random(number)
        mine = stores[number % 2]
        live, made = {}, 0
        while time.monotonic() < until:
            made += 1
            step = choice.random()
            if step < 0.3 or not live:
                parent = accepted(mine, family.secret) if choice.random() < 0.5 else None
                issued = mine.issue(owner="family", name=f"{number}-{made}", scopes="read:user", parent=parent)
                live[issued.token.id] = issued.secret
            elif step < 0.5:
                mine.revoke(dead := choice.choice([*live]))
                assert answer(mine, live.pop(dead)) == "token_revoked"
            elif step < 0.65:
                old = choice.choice([*live])
                new = mine.rotate(old, grace=DAY if step < 0.6 else None)
                live.pop(old)
                live[new.token.id] = new.secret
            elif step < 0.75:
                mine.edit(choice.choice([*live]), name=f"{number}-{made}")
            elif step < 0.8:
                mine.set_role("family", choice.choice(["user", "admin"]))
            else:
                assert answer(choice.choice(stores), live[choice.choice([*live])]) == "read:user"
        return live

    with ThreadPoolExecutor(6) as pool:
        live = {token_id for one in pool.map(work, range(6)) for token_id in one}
    in_grace = {token.id for token in store.list() if token.rotated_at is not None}
    assert {token.id for token in store.list()} == live | in_grace | {family.token.id}
    assert live.isdisjoint(in_grace)


# -- much of it


def issued_or_refused(store, **terms):
    """A new token, or why there is none."""
    try:
        return store.issue(owner="alice", name="ci", **terms)
    except TokenRefused as error:
        return error


@pytest.mark.parametrize("count", [1, 100, 500])
def test_a_token_can_be_bound_to_many_resources(count, store):
    """All of them are kept; what is too much for any database is refused, and no reason to take it for one that is out
    of reach."""
    resources = [f"organization-{number}/{'repository' * 15}" for number in range(count)]
    scopes = ",".join(f"{action}:repository@{name}" for name in resources for action in ("read", "write"))
    made = issued_or_refused(store, scopes=scopes)
    if isinstance(made, TokenRefused):
        assert (made.field, count) == ("scopes", 500)
    else:
        assert len(accepted(store, made.secret).scopes.bound) == count
        assert len(store.rotate(made.token.id).token.scopes.bound) == count


@pytest.mark.parametrize("count", [1, 100, 5000])
def test_a_token_can_have_many_networks(count, store):
    """The same of networks."""
    networks = [f"2001:db8:{number:x}::/48" for number in range(1, count + 1)]
    made = issued_or_refused(store, scopes="all", networks=networks)
    if isinstance(made, TokenRefused):
        assert (made.field, count) == ("networks", 5000)
    else:
        assert len(accepted(store, made.secret).networks) == count
        assert len(store.rotate(made.token.id).token.networks) == count
