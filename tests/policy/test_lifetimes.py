"""The ``[tokens]`` table: how long tokens may live."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from scopeware.errors import ConfigurationError
from scopeware.policy import Group, Lifetimes, Policy

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
