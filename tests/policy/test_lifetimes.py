"""The ``[tokens]`` table: how long tokens may live."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scopeware.errors import ConfigurationError
from scopeware.policy import Group, Lifetimes, Policy
from scopeware.scopes import Vocabulary
from scopeware.tokens import TokenRefused, TokenStore
from scopeware.tokens.minting import Terms, mint, read_expiry

GROUP = '[[group]]\npath = "/"\nscopes = []\n'
DAY = timedelta(days=1)


def loaded(table: str) -> Lifetimes:
    return Policy.loads(f"[tokens]\n{table}\n{GROUP}").lifetimes


@pytest.mark.parametrize(
    ("lifetimes", "default", "endless"),
    [
        pytest.param(Lifetimes(), None, True, id="nothing said"),
        pytest.param(Lifetimes(default_lifetime=30 * DAY), 30 * DAY, True, id="a default"),
        pytest.param(Lifetimes(max_lifetime=90 * DAY), 90 * DAY, False, id="a longest"),
        pytest.param(Lifetimes(default_lifetime=30 * DAY, max_lifetime=90 * DAY), 30 * DAY, False, id="both"),
        pytest.param(Lifetimes(default_lifetime=90 * DAY, max_lifetime=90 * DAY), 90 * DAY, False, id="both alike"),
    ],
)
def test_where_there_is_a_longest_no_token_lives_for_ever(
    lifetimes: Lifetimes, default: timedelta | None, endless: bool
) -> None:
    """Who does not say gets the default, or else the longest; without a longest a token may be endless."""
    assert lifetimes.default == default
    assert lifetimes.may_be_endless is endless


@pytest.mark.parametrize(
    ("presets", "longest", "choices"),
    [
        pytest.param(None, None, ("7d", "30d", "60d", "90d", "365d"), id="the usual ones"),
        pytest.param(None, "60d", ("7d", "30d", "60d"), id="up to the longest"),
        pytest.param(None, "59d", ("7d", "30d"), id="none beyond the longest"),
        pytest.param(None, "1d", (), id="all beyond the longest"),
        pytest.param(["90d", "12h", "2w"], None, ("12h", "14d", "90d"), id="shortest first"),
        pytest.param(["1y", "365d", "52w", "24h", "1d"], None, ("1d", "364d", "365d"), id="each length once"),
        pytest.param([], None, (), id="none"),
    ],
)
def test_the_choices_are_the_presets_that_may_be(
    presets: list[str] | None, longest: str | None, choices: tuple[str, ...]
) -> None:
    """In order, spelled in one way, none that would be refused."""
    table = "" if presets is None else f"presets = {presets}\n"
    table += "" if longest is None else f'max_lifetime = "{longest}"\n'
    assert loaded(table).choices == choices


def test_a_policy_file_says_how_long_tokens_live() -> None:
    """Lengths are written as people write them; without the table anything goes."""
    table = 'default_lifetime = "30d"\nmax_lifetime = "1y"\npresets = ["1w", "12h"]'
    assert loaded(table) == Lifetimes(default_lifetime=30 * DAY, max_lifetime=365 * DAY, presets=("1w", "12h"))
    assert Policy.loads(GROUP).lifetimes == Lifetimes()
    groups = [Group(path="/", scopes=[])]
    assert Policy(groups).lifetimes == Lifetimes()
    assert Policy(groups, lifetimes=Lifetimes(max_lifetime=DAY)).lifetimes.default == DAY


@pytest.mark.parametrize(
    ("table", "where", "problem"),
    [
        pytest.param(
            'default_lifetime = "2y"\nmax_lifetime = "1y"', "default_lifetime", "max_lifetime, 365d", id="order"
        ),
        pytest.param('default_lifetime = "30 days"', "default_lifetime", "`30 days` is no length of time", id="words"),
        pytest.param('default_lifetime = "0d"', "default_lifetime", "`0d` is no length of time", id="none at all"),
        pytest.param('default_lifetime = "never"', "default_lifetime", "`never` is no length of time", id="never"),
        pytest.param("default_lifetime = 30", "default_lifetime", 'a length of time such as "30d"', id="a number"),
        pytest.param("max_lifetime = true", "max_lifetime", 'a length of time such as "30d"', id="a flag"),
        pytest.param('max_lifetime = ["1d"]', "max_lifetime", 'a length of time such as "30d"', id="a list"),
        pytest.param("max_lifetime = 2030-01-01", "max_lifetime", 'a length of time such as "30d"', id="a date"),
        pytest.param('max_lifetime = "-1d"', "max_lifetime", "`-1d` is no length of time", id="a negative length"),
        pytest.param('presets = "7d"', "presets", "a list of strings", id="a string for a list"),
        pytest.param("presets = [7]", "presets", "a list of strings", id="a list of numbers"),
        pytest.param('presets = ["7d", "a week"]', "presets", "`a week` is no length of time", id="words in the list"),
        pytest.param('presets = ["0d"]', "presets", "`0d` is no length of time", id="none at all in the list"),
        pytest.param(
            'min_lifetime = "2d"\nmax_lifetime = "1d"',
            "max_lifetime",
            "no less than min_lifetime, 2d",
            id="turned around",
        ),
        pytest.param(
            'min_lifetime = "2d"\ndefault_lifetime = "47h"',
            "default_lifetime",
            "no less than min_lifetime, 2d",
            id="a default below the shortest",
        ),
        pytest.param('min_lifetime = "0d"', "min_lifetime", "`0d` is no length of time", id="a shortest of nothing"),
        pytest.param(
            "min_lifetime = 1", "min_lifetime", 'a length of time such as "30d"', id="a number for the shortest"
        ),
        pytest.param('min_lifetme = "1d"', "min_lifetme", "did you mean `min_lifetime`", id="another unknown key"),
        pytest.param('max_lifetme = "1d"', "max_lifetme", "did you mean `max_lifetime`", id="unknown key"),
    ],
)
def test_a_lifetime_that_cannot_be_is_refused_with_its_key(table: str, where: str, problem: str) -> None:
    """The error names the file, the table and the key, and says what is expected."""
    with pytest.raises(ConfigurationError) as caught:
        Policy.loads(f"[tokens]\n{table}\n{GROUP}", source="scopes.toml")
    assert caught.value.where == f"scopes.toml: tokens.{where}"
    assert problem in caught.value.problem
    assert loaded('default_lifetime = "1y"\nmax_lifetime = "1y"\npresets = ["7d"]')


def test_the_table_is_a_table() -> None:
    """As every other."""
    with pytest.raises(ConfigurationError, match=r"^scopes.toml: tokens: expected a table: \[tokens\]$"):
        Policy.loads(f"tokens = 7\n{GROUP}", source="scopes.toml")


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"max_lifetime": timedelta(0)}, id="no longest"),
        pytest.param({"max_lifetime": -DAY}, id="a negative longest"),
        pytest.param({"default_lifetime": timedelta(0)}, id="no default"),
        pytest.param({"default_lifetime": -DAY, "max_lifetime": DAY}, id="a negative default"),
        pytest.param({"min_lifetime": timedelta(0)}, id="no shortest"),
        pytest.param({"min_lifetime": -DAY}, id="a negative shortest"),
    ],
)
def test_a_length_that_is_over_at_once_is_refused_in_python_too(values: dict[str, Any]) -> None:
    """The error names the one that is wrong; the shortest there is will do."""
    assert Lifetimes(**dict.fromkeys(values, timedelta(microseconds=1)))
    with pytest.raises(ConfigurationError, match="a length of time that is not over at once") as caught:
        Lifetimes(**values)
    assert caught.value.where == next(iter(values))


def test_lifetimes_are_values() -> None:
    """They are compared by what they say, and do not change."""
    assert Lifetimes(max_lifetime=DAY) == Lifetimes(max_lifetime=timedelta(hours=24))
    assert Lifetimes(max_lifetime=DAY) != Lifetimes(max_lifetime=2 * DAY)
    with pytest.raises(AttributeError):
        Lifetimes().max_lifetime = DAY  # type: ignore[misc]


# -- the shortest


@pytest.mark.parametrize(
    ("table", "choices"),
    [
        pytest.param('min_lifetime = "30d"', ("30d", "60d", "90d", "365d"), id="none below the shortest"),
        pytest.param('min_lifetime = "31d"', ("60d", "90d", "365d"), id="nor just below"),
        pytest.param('min_lifetime = "30d"\nmax_lifetime = "60d"', ("30d", "60d"), id="between both"),
        pytest.param('min_lifetime = "30d"\nmax_lifetime = "30d"', ("30d",), id="one length only"),
        pytest.param('min_lifetime = "2y"', (), id="all below"),
    ],
)
def test_the_choices_are_no_shorter_than_the_shortest(table: str, choices: tuple[str, ...]) -> None:
    """What would be refused is not offered."""
    assert loaded(table).choices == choices


def test_a_shortest_lifetime_leaves_the_rest_as_it_was() -> None:
    """It sets no default, and no end: a token that lives for ever lives long enough."""
    shortest = loaded('min_lifetime = "1d"')
    assert shortest == Lifetimes(min_lifetime=DAY)
    assert (shortest.default, shortest.may_be_endless) == (None, True)
    assert loaded('min_lifetime = "1d"\ndefault_lifetime = "24h"').default == DAY
    assert loaded('min_lifetime = "1d"\nmax_lifetime = "2d"').default == 2 * DAY
    assert Lifetimes(min_lifetime=DAY, max_lifetime=DAY).default == DAY


NOW = 1_800_000_000.75


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(NOW + seconds, UTC)


@pytest.mark.parametrize(
    ("asked", "fine"),
    [
        pytest.param({"expires_in": "1d"}, True, id="just so"),
        pytest.param({"expires_in": "24h"}, True, id="in other words"),
        pytest.param({"expires_in": DAY - timedelta(seconds=1)}, True, id="a second less, for slow clients"),
        pytest.param({"expires_in": DAY - timedelta(seconds=2)}, False, id="two seconds less"),
        pytest.param({"expires_in": "23h"}, False, id="an hour less"),
        pytest.param({"expires_in": "1s"}, False, id="nearly at once"),
        pytest.param({"expires_in": "never"}, True, id="never"),
        pytest.param({}, True, id="nothing said"),
        pytest.param({"expires_at": at(86_400)}, True, id="a moment just so"),
        pytest.param({"expires_at": at(86_399.5)}, True, id="a moment a little too near, for slow clients"),
        pytest.param({"expires_at": at(86_390)}, False, id="a moment too near"),
        pytest.param({"expires_at": at(10**6)}, True, id="a moment far away"),
    ],
)
def test_what_is_asked_for_is_no_shorter_than_the_shortest(asked: dict[str, Any], fine: bool) -> None:
    """The refusal says what was asked in which field, and what is allowed."""
    terms = {"expires_in": None, "expires_at": None} | asked
    if fine:
        expiry = read_expiry(NOW, **terms, lifetimes=Lifetimes(min_lifetime=DAY))
        assert expiry is None or expiry >= NOW + 86_399
        return
    assert read_expiry(NOW, **terms, lifetimes=Lifetimes(min_lifetime=timedelta(seconds=1)))
    with pytest.raises(TokenRefused, match="the expiry is too near: 1d from now at the earliest") as caught:
        read_expiry(NOW, **terms, lifetimes=Lifetimes(min_lifetime=DAY))
    assert caught.value.field == next(iter(asked))


def test_what_is_past_is_called_past() -> None:
    """Not too near."""
    with pytest.raises(TokenRefused, match="the expiry is past"):
        read_expiry(NOW, None, at(-1), Lifetimes(min_lifetime=DAY))


def test_where_shortest_and_longest_are_the_same_only_that_length_is_left() -> None:
    """With the tolerance that both of them have."""
    only = Lifetimes(min_lifetime=30 * DAY, max_lifetime=30 * DAY)
    assert read_expiry(NOW, None, None, only) == read_expiry(NOW, "30d", None, only)
    for asked, problem in (("29d", "too near"), ("31d", "too far away"), ("never", "has to expire")):
        with pytest.raises(TokenRefused, match=problem):
            read_expiry(NOW, asked, None, only)


@pytest.mark.parametrize(
    ("asked", "expiry"),
    [
        pytest.param(None, NOW + 3600, id="nothing said"),
        pytest.param("1h", None, id="as long as the parent, but in so many words"),
        pytest.param("1d", None, id="beyond the parent"),
    ],
)
def test_a_token_made_with_one_that_ends_soon_ends_with_it(asked: str | None, expiry: float | None) -> None:
    """What was not asked for is as there, however short; what is asked for has to be long enough, and cannot."""
    scopes = Vocabulary.builtin("gitea").parse("read:user")
    parent = Terms(scopes, (), int(NOW + 3600))
    lifetimes = Lifetimes(min_lifetime=DAY)
    if expiry is None:
        with pytest.raises(TokenRefused) as caught:
            mint(scopes, None, asked, None, now=NOW, lifetimes=lifetimes, outer=parent)
        assert caught.value.field in ("expires_in", "expires_at")
    else:
        made = mint(scopes, None, asked, None, now=NOW, lifetimes=lifetimes, outer=parent)
        assert made.expires_at == int(expiry)


@pytest.fixture
def patient(tmp_path: Any) -> Any:
    """A store whose tokens live a day at least."""
    made = TokenStore.connect(f"sqlite:///{tmp_path}/tokens.db", lifetimes=Lifetimes(min_lifetime=DAY))
    yield made
    made.close()


def left(token: Any) -> timedelta:
    """How long it works on, to the nearest minute."""
    return timedelta(minutes=round((token.expires_at - datetime.now(UTC)).total_seconds() / 60))


def test_a_store_issues_no_token_for_less(patient: TokenStore) -> None:
    """And none is made by trying."""
    with pytest.raises(TokenRefused, match="1d from now at the earliest"):
        patient.issue(owner="alice", name="ci", scopes="read:user", expires_in="1h")
    assert patient.list() == []
    assert left(patient.issue(owner="alice", name="ci", scopes="read:user", expires_in="1d").token) == DAY
    assert patient.issue(owner="alice", name="more", scopes="read:user").token.expires_at is None


def test_a_token_that_takes_the_place_of_another_lives_long_enough_or_as_long_as_that_one(patient: TokenStore) -> None:
    """The time in which the old one works on may be short: no token is made for it."""
    token = patient.issue(owner="alice", name="ci", scopes="read:user", expires_in="2d").token
    with pytest.raises(TokenRefused, match="1d from now at the earliest") as caught:
        patient.rotate(token.id, expires_in="23h")
    assert caught.value.field == "expires_in"
    assert patient.show(token.id).status == "live"
    longer = patient.rotate(token.id, expires_in="25h", grace="1m").token
    assert (left(longer), left(patient.show(token.id))) == (timedelta(hours=25), timedelta(minutes=1))
    ending = patient.edit(longer.id, expires_in="1h")
    assert left(patient.rotate(ending.id).token) == timedelta(hours=1)


def test_a_token_may_be_made_to_end_sooner_than_that(patient: TokenStore) -> None:
    """Less is always possible; and the other limits hold."""
    token = patient.issue(owner="alice", name="ci", scopes="read:user", expires_in="2d").token
    assert left(patient.edit(token.id, expires_in="5m")) == timedelta(minutes=5)
    soon = datetime.now(UTC) + timedelta(minutes=2)
    assert left(patient.edit(token.id, expires_at=soon)) == timedelta(minutes=2)
    with pytest.raises(TokenRefused):
        patient.edit(token.id, expires_in="2d")


def test_a_store_takes_the_shortest_lifetime_from_its_policy(store: TokenStore) -> None:
    """As it takes the others."""
    policy = Policy.loads(f'[tokens]\nmin_lifetime = "1d"\n{GROUP}')
    assert store.issue(owner="alice", name="before", scopes="read:user", expires_in="1h")
    store.use(policy.vocabulary, policy.roles, "swt", policy.lifetimes)
    with pytest.raises(TokenRefused, match="too near"):
        store.issue(owner="alice", name="after", scopes="read:user", expires_in="1h")
