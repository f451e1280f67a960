"""Peppers: how they are written, what is stored with them, and how one takes the place of another."""

import hashlib
import hmac
import multiprocessing
import os
from datetime import timedelta

import pytest
from processes import answer

from scopeware.errors import ConfigurationError
from scopeware.tokens import Peppers, TokenStore

FORK = multiprocessing.get_context("fork")
FIRST = "the first pepper of this deployment: long enough"
SECOND = "the second pepper of this deployment: long enough"
THIRD = "größer und schärfer: der dritte Pfeffer dieser Anlage"
NONE = Peppers()
ONE = Peppers({1: FIRST})
BOTH = Peppers({2: SECOND, 1: FIRST})
TWO = Peppers({2: SECOND})
DAY = timedelta(days=1)


def plain(secret):
    """What is stored without a pepper."""
    return hashlib.sha256(secret.encode()).digest()


def peppered(secret, pepper):
    """What is stored with one, by the book."""
    return hmac.new(pepper.encode(), plain(secret), hashlib.sha256).digest()


# -- how they are written


@pytest.mark.parametrize(
    ("text", "versions"),
    [
        pytest.param(f"1:{FIRST}", (1, 0), id="one"),
        pytest.param(f"1:{FIRST},2:{SECOND}", (1, 2, 0), id="commas"),
        pytest.param(f"2:{SECOND},1:{FIRST}", (2, 1, 0), id="in-the-order-given"),
        pytest.param(f"1:{FIRST}\n2:{SECOND}\n", (1, 2, 0), id="lines"),
        pytest.param(f"\r\n 1:{FIRST}\r\n\r\n 2:{SECOND}\r\n", (1, 2, 0), id="lines-of-another-system"),
        pytest.param(f"# of this deployment\n1:{FIRST}\n# 2:{SECOND}\n", (1, 0), id="comments"),
        pytest.param(f",,1:{FIRST},", (1, 0), id="stray-commas"),
        pytest.param(f"007:{FIRST}", (7, 0), id="leading-zeros"),
        pytest.param(f"2147483647:{FIRST}", (2**31 - 1, 0), id="large-number"),
        pytest.param(f"1:{THIRD}", (1, 0), id="not-ascii"),
        pytest.param("1:" + "x" * 32, (1, 0), id="just-long-enough"),
        pytest.param(f"1:{FIRST}:and:colons", (1, 0), id="colons-in-it"),
    ],
)
def test_peppers_are_numbered_secrets(text, versions):
    """A line each, or with commas between; new digests are made with the first one, and none is always known."""
    peppers = Peppers.parse(text)
    assert peppers.versions == versions
    assert peppers.current == versions[0]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param(" \n , \n", id="blanks"),
        pytest.param("# a comment", id="a-comment"),
        pytest.param(FIRST, id="no-number"),
        pytest.param(f":{FIRST}", id="an-empty-number"),
        pytest.param(f"one:{FIRST}", id="a-word"),
        pytest.param(f"-1:{FIRST}", id="negative"),
        pytest.param(f"+1:{FIRST}", id="with-a-plus"),
        pytest.param(f"1.0:{FIRST}", id="a-fraction"),
        pytest.param(f"²:{FIRST}", id="a-superscript"),
        pytest.param(f"٣:{FIRST}", id="an-arabic-digit"),
        pytest.param(f"1 :{FIRST}", id="a-space-before-the-colon"),
        pytest.param(f"0:{FIRST}", id="zero"),
        pytest.param(f"1={FIRST}", id="no-colon"),
        pytest.param("1:", id="no-secret"),
        pytest.param("1:" + "x" * 31, id="too-short"),
        pytest.param("1:" + "x" * 31 + " ", id="too-short-but-for-a-space"),
        pytest.param(f"1: {FIRST}", id="a-space-after-the-colon"),
        pytest.param(f"1:{FIRST},1:{SECOND}", id="a-number-twice"),
        pytest.param(f"1:{FIRST},01:{SECOND}", id="a-number-twice-spelled-otherwise"),
        pytest.param(f"1:{FIRST},2", id="a-second-without-secret"),
        pytest.param(f"1:{FIRST} 2:{SECOND},,x", id="a-word-after-them"),
    ],
)
def test_what_cannot_be_peppers_is_refused_without_a_word_of_it(text):
    """The message says where, and nothing that may be secret."""
    with pytest.raises(ConfigurationError) as caught:
        Peppers.parse(text, "SCOPEWARE_PEPPER")
    assert caught.value.where in ("SCOPEWARE_PEPPER", "pepper")
    for secret in (FIRST, SECOND, "x" * 20):
        assert secret not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize("digits", ["2147483648", "20240101120000", "9" * 5000])
def test_a_number_that_is_too_large_is_refused(digits):
    """At the start, as any other mistake, not when it is first written down."""
    with pytest.raises(ConfigurationError):
        Peppers.parse(f"{digits}:{FIRST}")


def test_a_comment_may_have_commas():
    """It ends with its line."""
    assert Peppers.parse(f"# the new one, since May\n1:{FIRST}").versions == (1, 0)


def test_no_pepper_is_in_a_text_about_them():
    """`repr` may be logged."""
    assert repr(BOTH) == "<Peppers 2, 1>"
    assert repr(NONE) == "<Peppers none>"
    assert f"{BOTH}" == repr(BOTH)


# -- where they come from


@pytest.fixture
def environment(monkeypatch):
    """``environment(PEPPER=..., PEPPER_FILE=...)``: the peppers that there are then."""

    def environment(**variables):
        for name in ("PEPPER", "PEPPER_FILE"):
            monkeypatch.delenv(f"SCOPEWARE_{name}", raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(f"SCOPEWARE_{name}", str(value))
        return Peppers.from_environment()

    return environment


def test_peppers_come_from_the_environment(environment, tmp_path):
    """From a variable, or from the file that another one names; where there is neither, there are none."""
    (tmp_path / "pepper").write_text(f"# mounted here\n2:{THIRD}\n1:{FIRST}\n", "utf-8")
    assert environment().versions == (0,)
    assert environment(PEPPER=f"1:{FIRST}").versions == (1, 0)
    assert environment(PEPPER_FILE=tmp_path / "pepper").versions == (2, 1, 0)
    assert environment(PEPPER_FILE=tmp_path / "pepper").digest("x") == peppered("x", THIRD)


def test_what_is_there_and_cannot_be_peppers_is_refused(environment, tmp_path):
    """Never taken for none: tokens would be stored without. The variable is named."""
    (tmp_path / "latin").write_bytes(f"1:{THIRD}".encode("latin-1"))
    (tmp_path / "empty").touch()
    for variables, where, problem in [
        ({"PEPPER": ""}, "SCOPEWARE_PEPPER", "there is no pepper"),
        ({"PEPPER": f"1:{FIRST}", "PEPPER_FILE": tmp_path / "empty"}, "pepper", "not both"),
        ({"PEPPER": "", "PEPPER_FILE": ""}, "pepper", "not both"),
        ({"PEPPER_FILE": ""}, "SCOPEWARE_PEPPER_FILE", "cannot be read: No such file"),
        ({"PEPPER_FILE": tmp_path / "missing"}, "SCOPEWARE_PEPPER_FILE", "cannot be read: No such file"),
        ({"PEPPER_FILE": tmp_path}, "SCOPEWARE_PEPPER_FILE", "cannot be read: Is a directory"),
        ({"PEPPER_FILE": tmp_path / "latin"}, "SCOPEWARE_PEPPER_FILE", "it is not UTF-8 text"),
        ({"PEPPER_FILE": tmp_path / "empty"}, "SCOPEWARE_PEPPER_FILE", "there is no pepper"),
    ]:
        with pytest.raises(ConfigurationError, match=problem) as caught:
            environment(**variables)
        assert caught.value.where == where


def test_a_variable_that_is_no_text_is_refused(environment):
    """As a file is."""
    with pytest.raises(ConfigurationError):
        environment(PEPPER=os.fsdecode(f"1:{THIRD}".encode("latin-1")))


def test_a_store_takes_its_peppers_from_the_environment_unless_it_is_given_some(home, environment):
    """Given none on purpose, it has none."""
    environment(PEPPER=f"1:{FIRST}")
    by_environment = home.connect().issue(owner="alice", name="a", scopes="all")
    given = home.connect(peppers=BOTH).issue(owner="alice", name="b", scopes="all")
    assert [row["pepper"] for row in home.rows()["token"]] == [1, 2]
    with pytest.raises(ConfigurationError, match="is missing"):
        home.connect(peppers=NONE)
    assert answer(home.connect(peppers=BOTH), by_environment.secret) != "token_invalid"
    assert answer(home.connect(peppers=BOTH), given.secret) != "token_invalid"


# -- what is stored


@pytest.mark.parametrize(("peppers", "pepper"), [(ONE, FIRST), (BOTH, SECOND), (Peppers({7: THIRD}), THIRD)])
def test_what_is_stored_is_made_with_the_pepper(peppers, pepper, home):
    """Neither the secret nor its plain digest is in the tables; nor is the pepper."""
    store = home.connect(peppers=peppers)
    issued = store.issue(owner="alice", name="ci", scopes="read:user")
    ((row,),) = [home.rows()["token"]]
    assert bytes(row["digest"]) == peppered(issued.secret, pepper)
    assert row["pepper"] == peppers.current
    stored = repr(home.rows())
    for secret in (issued.secret, repr(plain(issued.secret)), plain(issued.secret).hex(), pepper):
        assert secret not in stored
    assert answer(store, issued.secret) == "read:user"
    assert store.find(issued.secret).id == issued.token.id


def test_without_a_pepper_it_is_the_digest_alone(home):
    """As it always was."""
    issued = home.connect(peppers=NONE).issue(owner="alice", name="ci", scopes="read:user")
    assert [(bytes(row["digest"]), row["pepper"]) for row in home.rows()["token"]] == [(plain(issued.secret), 0)]
    assert home.rows()["pepper"] == []


def test_a_rotated_token_is_stored_with_the_pepper_of_now(home):
    """Whatever the old one was stored with."""
    old = home.connect(peppers=ONE).issue(owner="alice", name="ci", scopes="read:user")
    new = home.connect(peppers=BOTH).rotate(old.token.id)
    assert [row["pepper"] for row in home.rows()["token"]] == [1, 2]
    assert answer(home.connect(peppers=BOTH), new.secret) == "read:user"


def test_a_digest_in_the_tables_is_no_secret(home):
    """Who has read it cannot use it; nor what it was made of."""
    store = home.connect(peppers=ONE)
    issued = store.issue(owner="alice", name="ci", scopes="read:user")
    for known in (peppered(issued.secret, FIRST).hex(), plain(issued.secret).hex()):
        assert answer(store, known) == "token_invalid"
        assert store.find(known) is None
    assert answer(store, issued.secret) == "read:user"


# -- at the start


def test_what_shows_that_somebody_has_a_pepper_is_noted_once(home):
    """And does not give it away; without peppers there is nothing to note."""
    home.connect(peppers=NONE)
    assert home.rows()["pepper"] == []
    home.connect(peppers=ONE)
    ((first,),) = [home.rows()["pepper"]]
    home.connect(peppers=BOTH)
    home.connect(peppers=BOTH)
    assert home.rows()["pepper"][0] == first
    assert [row["version"] for row in home.rows()["pepper"]] == [1, 2]
    for row in home.rows()["pepper"]:
        assert len(bytes(row["proof"])) == 32
        assert bytes(row["proof"]) not in (hashlib.sha256(FIRST.encode()).digest(), FIRST.encode())


def test_a_pepper_that_is_another_than_it_was_is_refused(home):
    """Tokens made with the first one would be refused one by one otherwise. Nothing is written; the right one opens."""
    issued = home.connect(peppers=ONE).issue(owner="alice", name="ci", scopes="read:user")
    before = home.rows()
    for wrong in (Peppers({1: SECOND}), Peppers({2: SECOND, 1: FIRST + "!"}), Peppers({1: FIRST.upper(), 2: SECOND})):
        with pytest.raises(ConfigurationError, match="pepper 1 is not the one that this database knows") as caught:
            home.connect(peppers=wrong)
        assert caught.value.where == "pepper"
        assert "takes a new number" in str(caught.value)
        assert FIRST not in str(caught.value)
    assert {name: rows for name, rows in home.rows().items() if name != "pepper"} == {
        name: rows for name, rows in before.items() if name != "pepper"
    }
    assert answer(home.connect(peppers=ONE), issued.secret) == "read:user"


def test_a_store_that_is_refused_has_noted_nothing(home):
    """A pepper that nobody uses would have taken a number."""
    home.connect(peppers=ONE)
    before = home.rows()
    with pytest.raises(ConfigurationError, match="pepper 1 is not the one"):
        home.connect(peppers=Peppers({2: SECOND, 1: THIRD}))
    assert home.rows() == before


@pytest.mark.parametrize("migrate", [True, False])
def test_a_pepper_that_is_missing_is_refused(migrate, home):
    """As long as a token needs it; how many do is said."""
    store = home.connect(peppers=ONE)
    tokens = [store.issue(owner="alice", name=name, scopes="read:user") for name in "ab"]
    before = home.rows()
    for without in (NONE, TWO):
        with pytest.raises(ConfigurationError, match="pepper 1 is missing, and 2 tokens were made with it") as caught:
            home.connect(peppers=without, migrate=migrate)
        assert caught.value.where == "pepper"
    assert home.rows() == before
    store.revoke(tokens[0].token.id)
    with pytest.raises(ConfigurationError, match="pepper 1 is missing, and a token was made with it"):
        home.connect(peppers=NONE, migrate=migrate)
    store.revoke(tokens[1].token.id)
    assert answer(home.connect(peppers=NONE, migrate=migrate), tokens[1].secret) == "token_invalid"


def test_what_no_longer_works_needs_no_pepper(home, clock):
    """Expired tokens cannot be used, so they never get another digest: the pepper could not ever be taken out."""
    home.connect(peppers=ONE).issue(owner="alice", name="ci", scopes="read:user", expires_in=DAY)
    with pytest.raises(ConfigurationError, match="pepper 1 is missing"):
        home.connect(peppers=TWO)
    clock.now += 2 * 86_400
    home.connect(peppers=TWO)


def open_at_once(url, barrier, channel):
    """Open a store with a new pepper when everybody is ready, and say how that went."""
    barrier.wait(10)
    try:
        TokenStore.connect(url, peppers=BOTH).close()
        channel.put("fine")
    except Exception as error:
        channel.put(repr(error))


def test_processes_that_bring_a_new_pepper_at_once_agree(home):
    """One notes it, the others find it noted."""
    home.connect(peppers=NONE)
    barrier, channel = FORK.Barrier(4), FORK.Queue()
    processes = [FORK.Process(target=open_at_once, args=(home.url, barrier, channel)) for _ in range(4)]
    for process in processes:
        process.start()
    assert [channel.get(timeout=20) for _ in processes] == ["fine"] * 4
    for process in processes:
        process.join(20)
    assert [row["version"] for row in home.rows()["pepper"]] == [1, 2]


# -- one in the place of another


@pytest.mark.parametrize(
    ("before", "after", "pepper"),
    [
        pytest.param(NONE, ONE, FIRST, id="the-first"),
        pytest.param(ONE, BOTH, SECOND, id="the-next"),
        pytest.param(NONE, BOTH, SECOND, id="the-first-two"),
        pytest.param(TWO, Peppers({1: FIRST, 2: SECOND}), FIRST, id="one-of-a-lower-number"),
    ],
)
def test_a_token_that_is_used_gets_a_digest_with_the_pepper_of_now(before, after, pepper, home):
    """It is accepted all the while, by whoever knows both; nothing else of it changes."""
    issued = home.connect(peppers=before).issue(owner="alice", name="ci", scopes="read:user")
    unused = home.connect(peppers=before).issue(owner="alice", name="unused", scopes="read:user")
    old, other = home.rows()["token"]
    store, second = home.connect(peppers=after), home.connect(peppers=after)
    assert answer(second, issued.secret) == answer(store, issued.secret) == "read:user"
    store.background.work()
    new, still = home.rows()["token"]
    assert bytes(new["digest"]) == peppered(issued.secret, pepper)
    assert new == old | {"digest": new["digest"], "pepper": after.current}
    assert still == other
    for asked in (store, second, home.connect(peppers=after)):
        assert answer(asked, issued.secret) == answer(asked, unused.secret) == "read:user"
        assert asked.find(issued.secret).id == issued.token.id


def test_a_pepper_can_go_once_no_token_needs_it(home):
    """Those that are used have another one then, and those that are not are ended."""
    first = home.connect(peppers=ONE)
    used, unused = (first.issue(owner="alice", name=name, scopes="read:user") for name in ("used", "unused"))
    both = home.connect(peppers=BOTH)
    assert answer(both, used.secret) == "read:user"
    both.background.work()
    with pytest.raises(ConfigurationError, match="pepper 1 is missing, and a token was made with it"):
        home.connect(peppers=TWO)
    both.revoke(unused.token.id)
    second = home.connect(peppers=TWO)
    assert answer(second, used.secret) == "read:user"
    assert answer(second, unused.secret) == "token_invalid"


def test_processes_that_know_the_new_pepper_before_it_is_used_refuse_nothing(home):
    """First all know it, then it is put in front: whoever meets whichever token accepts it."""
    only_old, knowing = home.connect(peppers=ONE), home.connect(peppers=Peppers({1: FIRST, 2: SECOND}))
    issued = only_old.issue(owner="alice", name="ci", scopes="read:user")
    assert [answer(one, issued.secret) for one in (only_old, knowing)] == ["read:user"] * 2
    knowing.background.work()
    assert [row["pepper"] for row in home.rows()["token"]] == [1]
    using = home.connect(peppers=BOTH)
    assert answer(using, issued.secret) == "read:user"
    using.background.work()
    assert [row["pepper"] for row in home.rows()["token"]] == [2]
    assert [answer(one, issued.secret) for one in (knowing, using)] == ["read:user"] * 2


def test_what_is_refused_gets_no_new_digest(home, clock):
    """Revoked, rotated, expired, or its owner inactive: a row that nothing may be done with is left alone."""
    store = home.connect(peppers=NONE)
    names = ("revoked", "rotated", "expired")
    tokens = {name: store.issue(owner="alice", name=name, scopes="all", expires_in=DAY) for name in names}
    tokens["inactive"] = store.issue(owner="bob", name="ci", scopes="all")
    store.revoke(tokens["revoked"].token.id)
    store.rotate(tokens["rotated"].token.id)
    store.disable_owner("bob")
    clock.now += 2 * 86_400
    before = home.rows()["token"]
    after = home.connect(peppers=ONE)
    said = [answer(after, issued.secret) for issued in tokens.values()]
    assert said == ["token_revoked", "token_rotated", "token_expired", "owner_inactive"]
    after.background.work()
    assert home.rows()["token"] == before
    after.enable_owner("bob")
    assert answer(after, tokens["inactive"].secret) != "owner_inactive"
    after.background.work()
    assert [row["pepper"] for row in home.rows()["token"] if row["name"] == "ci"] == [1]


@pytest.mark.parametrize("change", ["revoke", "rotate", "delete"])
def test_a_new_digest_brings_nothing_back(change, home):
    """What has been ended or replaced since the token was used stays so."""
    issued = home.connect(peppers=NONE).issue(owner="alice", name="ci", scopes="read:user")
    store = home.connect(peppers=ONE)
    assert answer(store, issued.secret) == "read:user"
    if change == "delete":
        home.run_sql("DELETE FROM scopeware_token")
    else:
        getattr(store, change)(issued.token.id)
    store.background.work()
    expected = {"revoke": "token_revoked", "rotate": "token_rotated", "delete": "token_invalid"}[change]
    assert answer(store, issued.secret) == expected
    assert len(home.rows()["token"]) == {"revoke": 1, "rotate": 2, "delete": 0}[change]


def test_a_new_digest_is_written_before_a_store_is_closed(home):
    """In the background a moment later, at the end at the latest."""
    issued = home.connect(peppers=NONE).issue(owner="alice", name="ci", scopes="read:user")
    store = home.connect(peppers=ONE)
    assert answer(store, issued.secret) == "read:user"
    store.close()
    assert [row["pepper"] for row in home.rows()["token"]] == [1]
