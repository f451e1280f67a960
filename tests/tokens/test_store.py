"""Issuing, finding, revoking; owners and their roles; what corrupt rows are good for."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
from token_helpers import accepted, answer, in_child, may_do_nothing, raw, rows, run_sql

from scopeware.errors import ConfigurationError, ScopewareError
from scopeware.scopes import Roles, UnknownScope, Vocabulary, VocabularyError
from scopeware.tokens import (
    LiveToken,
    NameTaken,
    NoSuchOwner,
    NoSuchToken,
    OwnerExists,
    Refusal,
    StoreUnavailable,
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
    assert repr(token) == "<LiveToken 1 'ci' of 'alice': read:organization,read:user>"


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
    assert (shown.id, shown.owner, shown.name) == (1, "alice", "ci")
    assert shown.scopes == GITEA.parse("public-only,all")
    assert shown.unknown_scopes == ()
    assert shown.effective == GITEA.parse("public-only,all") & Roles(GITEA)["user"]
    assert shown.created_at == datetime.fromtimestamp(1_800_000_000, UTC)
    assert shown.expires_at == shown.created_at + DAY + timedelta(seconds=1)
    assert shown.revoked_at is None
    assert (shown.owner_role, shown.owner_active, shown.status) == ("user", True, "live")
    assert store.show(1) == store.find(issued.secret) == store.list()[0] == shown


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
def test_scopes_are_stored_as_they_were_granted(scopes, stored, store, path):
    """Only who asked for `all` gets a category that is introduced later."""
    store.issue(owner="alice", name="ci", scopes=scopes)
    assert rows(path)["token"][0][4] == stored


def test_a_tenth_category_widens_only_all(connect, path):
    """A store of a later vocabulary reads the same rows; nine writes stay nine."""
    before = connect()
    everything = before.issue(owner="alice", name="all", scopes="all")
    nine = before.issue(owner="alice", name="nine", scopes=NINE_WRITES)
    tenth = Vocabulary("gitea", [*GITEA.categories.values(), "wiki"], all_word="all", public_only="public-only")
    after = connect(vocabulary=tenth)
    assert accepted(after, everything.secret).scopes.covers("write:wiki")
    assert not accepted(after, nine.secret).scopes.covers("read:wiki")
    assert accepted(after, nine.secret).scopes.covers("write:user")


@pytest.mark.parametrize("scopes", ["", " ", ",", ", ,", [], (), None, "public-only", ["public-only"], GITEA.parse("")])
def test_a_token_without_scopes_is_refused_and_nothing_written(scopes, store, path):
    """Nothing is not everything, in every spelling; one scope is enough."""
    store.add_owner("alice")
    before = rows(path)
    with pytest.raises(TokenRefused, match="without a scope could do nothing") as caught:
        store.issue(owner="alice", name="ci", scopes=scopes)
    assert caught.value.field == "scopes"
    assert rows(path) == before
    assert store.issue(owner="alice", name="ci", scopes="read:user")


@pytest.mark.parametrize("scopes", ["read:usr", "all,read:usr", ["read:user", None], "*", "sudo", "ALL", "null"])
def test_a_token_with_a_scope_nobody_knows_is_refused_and_nothing_written(scopes, store, path):
    """One unknown word refuses the whole token."""
    before = rows(path)
    with pytest.raises(UnknownScope):
        store.issue(owner="alice", name="ci", scopes=scopes)
    assert rows(path) == before


def test_scopes_of_another_vocabulary_are_refused(store, path):
    """Bits of one mean nothing in another; those of an equal one are fine."""
    other = Vocabulary("other", ["user"])
    before = rows(path)
    with pytest.raises(TokenRefused, match="of vocabulary `other`, the store's is `gitea`"):
        store.issue(owner="alice", name="ci", scopes=other.parse("write:user"))
    assert rows(path) == before
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
def test_a_name_that_cannot_be_is_refused_and_nothing_written(kind, text, store, path):
    """Names are for people: printable, not blank, at most 255 characters; the argument at fault is named."""
    arguments = {"owner": "alice", "name": "ci"} | {kind: text}
    before = rows(path)
    with pytest.raises(TokenRefused) as caught:
        store.issue(**arguments, scopes="read:user")
    assert caught.value.field == kind
    assert str(caught.value).isprintable()
    assert rows(path) == before


@pytest.mark.parametrize("text", ["x", "x" * 255, "größe", "名前", "a b", "'; DROP TABLE token; --", "%", "\U0001f511"])
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
def test_an_expiry_that_cannot_be_is_refused_and_nothing_written(expiry, store, path, clock):
    """Past, without a time zone, or given twice; the argument at fault is named."""
    before = rows(path)
    try:
        with pytest.raises(TokenRefused) as caught:
            store.issue(owner="alice", name="ci", scopes="read:user", **expiry)
    finally:
        assert rows(path) == before
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
    assert any_store.authenticate(expiring.secret) == Refusal("token_expired", expiring.token.id, "alice")
    assert any_store.find(expiring.secret).status == "expired"
    assert answer(any_store, lasting.secret) == "read:user"


def test_a_token_without_expiry_works_for_ever(any_store, clock):
    """A century later it still does."""
    issued = any_store.issue(owner="alice", name="ci", scopes="read:user")
    clock.now += 100 * 365 * 86_400
    assert issued.token.expires_at is None
    assert answer(any_store, issued.secret) == "read:user"


def test_a_clock_set_back_does_not_leave_a_token_unchecked(any_store, clock, path):
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


def test_of_threads_that_issue_one_name_exactly_one_wins(store, connect):
    """Through one store or two; the others are told that the name is taken."""
    second = connect()
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


def test_of_processes_that_issue_one_name_exactly_one_wins(store, path):
    """Also where the owner is new to all of them; the winner's secret works."""
    with ThreadPoolExecutor(6) as pool:
        secrets = list(pool.map(lambda _: in_child(lambda: compete(store, "ci")), range(6)))
    (winner,) = filter(None, secrets)
    assert answer(store, winner) == "read:user"
    assert [owner.name for owner in store.owners()] == ["alice"]


# -- lists


def test_a_list_has_the_live_tokens_oldest_first(store, clock):
    """Dead ones only on request, of one owner only on request."""
    for owner, name in (("bob", "one"), ("alice", "two"), ("alice", "three"), ("carol", "four")):
        store.issue(owner=owner, name=name, scopes="read:user")
    store.issue(owner="alice", name="five", scopes="read:user", expires_in=DAY)
    store.revoke(2)
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
    for ask in (store.show, store.revoke):
        with pytest.raises(NoSuchToken, match="there is no token 99") as caught:
            ask(99)
        assert caught.value.token_id == 99
        assert isinstance(caught.value, LookupError)
    assert store.show(issued.token.id) == issued.token


# -- revocation


def test_a_revoked_token_is_refused_at_once_and_for_good(any_store):
    """The answer says that it was revoked; other tokens of the owner go on."""
    issued = any_store.issue(owner="alice", name="ci", scopes="read:user")
    other = any_store.issue(owner="alice", name="other", scopes="read:user")
    assert answer(any_store, issued.secret) == "read:user"
    assert any_store.revoke(issued.token.id) is True
    assert any_store.authenticate(issued.secret) == Refusal("token_revoked", issued.token.id, "alice")
    assert answer(any_store, other.secret) == "read:user"
    any_store.enable_owner("alice")
    assert answer(any_store, issued.secret) == "token_revoked"


def test_a_second_revocation_changes_nothing(store, clock, path):
    """It says so, and the time of the first one stays."""
    issued = store.issue(owner="alice", name="ci", scopes="read:user")
    assert store.revoke(issued.token.id) is True
    before = rows(path)
    clock.now += 60
    assert store.revoke(issued.token.id) is False
    assert rows(path) == before
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
    """Or with the role that is asked for."""
    alice = store.add_owner("alice")
    root = store.add_owner("root", role="admin")
    assert (alice.name, alice.role, alice.active) == ("alice", "user", True)
    assert alice.created_at == datetime.fromtimestamp(1_800_000_000, UTC)
    assert root.role == "admin"
    assert store.owners() == [alice, root]
    assert store.owner("root") == root


def test_issuing_to_an_owner_nobody_has_met_adds_it(store, issued):
    """As a user, and only once."""
    store.issue(owner="alice", name="other", scopes="read:user")
    (alice,) = store.owners()
    assert (alice.name, alice.role, alice.active) == ("alice", "user", True)


def test_an_owner_that_exists_cannot_be_added(store, path):
    """The one there is stays as it is."""
    store.add_owner("alice", role="viewer")
    before = rows(path)
    with pytest.raises(OwnerExists, match="there already is an owner `alice`") as caught:
        store.add_owner("alice", role="admin")
    assert caught.value.name == "alice"
    assert isinstance(caught.value, ValueError)
    assert rows(path) == before
    store.add_owner("Alice")


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 256])
def test_an_owner_whose_name_cannot_be_is_refused(name, store, path):
    """Nothing is written."""
    before = rows(path)
    with pytest.raises(TokenRefused) as caught:
        store.add_owner(name)
    assert caught.value.field == "owner"
    assert rows(path) == before


@pytest.mark.parametrize("role", ["root", "", "Admin", "admin "])
def test_a_role_nobody_knows_is_refused(role, store, path):
    """To add an owner and to change one."""
    store.add_owner("alice", role="viewer")
    before = rows(path)
    with pytest.raises(VocabularyError, match="unknown role"):
        store.add_owner("bob", role=role)
    with pytest.raises(VocabularyError, match="unknown role"):
        store.set_role("alice", role)
    assert rows(path) == before
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
def test_an_owner_nobody_knows_is_an_error(ask, store, issued, path):
    """Nothing is written, nobody added; the owner that exists can be asked about."""
    before = rows(path)
    with pytest.raises(NoSuchOwner, match="there is no owner `alcie`") as caught:
        ask(store, "alcie")
    assert caught.value.name == "alcie"
    assert isinstance(caught.value, LookupError)
    assert rows(path) == before
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
    assert any_store.authenticate(alices.secret) == Refusal("owner_inactive", alices.token.id, "alice")
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


def test_a_deployment_may_have_roles_of_its_own(connect):
    """Their ceilings hold; the vocabulary comes with them."""
    store = connect(roles=Roles(GITEA, {"bot": "read:repository"}))
    store.add_owner("robot", role="bot")
    issued = store.issue(owner="robot", name="ci", scopes="all")
    assert answer(store, issued.secret) == "read:repository"
    assert answer(connect(), issued.secret) == ""


def test_roles_and_vocabulary_must_belong_together(connect):
    """Roles of another vocabulary are refused at the start; those of an equal one are fine."""
    with pytest.raises(ConfigurationError, match="the roles are of another vocabulary"):
        connect(vocabulary=GITEA, roles=Roles(Vocabulary("v", ["user"])))
    same = Vocabulary("v", ["user"])
    assert connect(vocabulary=Vocabulary("v", ["user"]), roles=Roles(same)).roles.vocabulary == same


def test_a_store_speaks_the_vocabulary_of_its_policy_unless_it_chose_one(connect):
    """What was known before is read anew; another vocabulary on top is refused, the same one is not."""
    ours = Vocabulary("ours", ["user", "song"])
    store = connect()
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
        connect(vocabulary=GITEA).use(ours, Roles(ours), "swt")


def test_a_store_takes_the_prefix_of_its_policy_unless_it_chose_one(connect):
    """Tokens of the old prefix are not good any more; another prefix on top of a chosen one is refused."""
    store = connect()
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
        connect().use(GITEA, Roles(GITEA), "Other")


def test_a_store_that_chose_its_prefix_keeps_it_beside_a_policy_that_did_not(connect):
    """The default prefix of a policy is no choice."""
    store = connect(prefix="acme")
    issued = store.issue(owner="alice", name="ci", scopes="read:user")
    store.use(GITEA, Roles(GITEA), "swt")
    assert store.prefix == "acme"
    assert answer(store, issued.secret) == "read:user"


# -- corrupt rows


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
    corrupt("UPDATE token SET scopes = ?", scopes)
    assert may_do_nothing(store, issued.secret) is (left != "read:user")
    assert answer(store, issued.secret) == left
    if not isinstance(scopes, bytes):
        assert str(store.show(issued.token.id).effective) == left


@pytest.mark.parametrize("role", ["root", "", "Admin", None, b"admin", 1, "admin\0"])
def test_an_owner_with_a_role_nobody_knows_can_do_nothing(role, corrupt, store, issued):
    """Whatever its tokens were granted."""
    corrupt("UPDATE owner SET role = ?", role)
    assert may_do_nothing(store, issued.secret)
    if not isinstance(role, bytes):
        assert not store.show(issued.token.id).effective
    store.set_role("alice", "admin")
    assert answer(store, issued.secret) == "write:admin,write:issue"


@pytest.mark.parametrize("active", [0, None, 2, -1, "", "yes", "true", b"1"])
def test_an_owner_that_is_not_clearly_active_is_not(active, corrupt, store, issued):
    """One is active, everything else is not."""
    corrupt("UPDATE owner SET active = ?", active)
    assert answer(store, issued.secret) == "owner_inactive"
    run_sql(store._database.path, "UPDATE owner SET active = 1")
    assert answer(store, issued.secret) == "write:issue"


@pytest.mark.parametrize("revoked_at", [0, -1, "", "never", b"", 9_999_999_999])
def test_a_token_with_any_time_of_revocation_is_revoked(revoked_at, corrupt, store, issued):
    """Even one that is no time, or in the future."""
    corrupt("UPDATE token SET revoked_at = ?", revoked_at)
    assert answer(store, issued.secret) == "token_revoked"


@pytest.mark.parametrize("expires_at", [0, -1, 1.5, float("-inf")])
def test_a_token_with_a_strange_expiry_in_the_past_is_expired(expires_at, corrupt, store, issued):
    """Zero is a time, and not for ever."""
    corrupt("UPDATE token SET expires_at = ?", expires_at)
    assert answer(store, issued.secret) == "token_expired"


@pytest.mark.parametrize("expires_at", ["", "never", b"", b"\xff"])
def test_a_token_whose_expiry_is_no_time_is_not_accepted(expires_at, corrupt, store, issued):
    """The store refuses it or says that it cannot tell."""
    corrupt("UPDATE token SET expires_at = ?", expires_at)
    assert answer(store, issued.secret) in ("token_expired", "token_invalid", "unavailable")


@pytest.mark.parametrize("statement", ["DELETE FROM owner", "UPDATE token SET owner_id = 99"])
def test_a_token_without_an_owner_is_no_token(statement, corrupt, store, issued):
    """Nobody's rights are no rights."""
    corrupt(statement)
    assert answer(store, issued.secret) == "token_invalid"
    assert store.find(issued.secret) is None
    assert not isinstance(store.authenticate(issued.secret), LiveToken)


def test_a_counter_that_is_gone_leaves_nothing_accepted(store, issued, path):
    """Without it nobody can tell what is still true; with it all is well again."""
    assert answer(store, issued.secret) == "write:issue"
    run_sql(path, "DELETE FROM generation")
    with pytest.raises(StoreUnavailable, match="its table `generation` is empty"):
        store.authenticate(issued.secret)
    assert answer(store, issued.secret) == "unavailable"
    run_sql(path, "INSERT INTO generation (id, counter) VALUES (1, 7)")
    assert answer(store, issued.secret) == "write:issue"
