"""Lengths of time as people write them."""

from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scopeware.durations import parse_duration, spell_duration
from scopeware.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "length"),
    [
        pytest.param("1s", timedelta(seconds=1), id="the shortest"),
        pytest.param("90s", timedelta(seconds=90), id="seconds"),
        pytest.param("15m", timedelta(minutes=15), id="minutes, not months"),
        pytest.param("12h", timedelta(hours=12), id="hours"),
        pytest.param("30d", timedelta(days=30), id="days"),
        pytest.param("2w", timedelta(days=14), id="weeks"),
        pytest.param("1y", timedelta(days=365), id="years of 365 days"),
        pytest.param("007d", timedelta(days=7), id="zeros in front"),
        pytest.param("999999s", timedelta(seconds=999_999), id="six digits"),
        pytest.param("999999y", timedelta(days=365 * 999_999), id="the longest"),
    ],
)
def test_a_number_and_a_unit_say_a_length_of_time(text, length):
    """Seconds, minutes, hours, days, weeks and years."""
    assert parse_duration(text) == length


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("d", id="no number"),
        pytest.param("30", id="no unit"),
        pytest.param("0d", id="no time at all"),
        pytest.param("000000s", id="no time at all, in full"),
        pytest.param("-1d", id="a negative number"),
        pytest.param("+1d", id="a sign"),
        pytest.param("1.5d", id="a part of a unit"),
        pytest.param("1e3s", id="an exponent"),
        pytest.param("1_000s", id="an underscore"),
        pytest.param("30D", id="wrong case"),
        pytest.param("30x", id="unknown unit"),
        pytest.param("30days", id="a word for a unit"),
        pytest.param("30 d", id="a space between"),
        pytest.param(" 30d", id="a space before"),
        pytest.param("30d\n", id="a newline after"),
        pytest.param("1d12h", id="two units"),
        pytest.param("P30D", id="ISO 8601"),
        pytest.param("never", id="never"),
        pytest.param("1000000s", id="seven digits"),
        pytest.param("9" * 5_000 + "y", id="thousands of digits"),
        pytest.param("²d", id="a superscript"),
        pytest.param("٣٠d", id="digits of another script"),
        pytest.param("3０d", id="a full-width digit"),
    ],
)
def test_any_other_text_says_none(text):
    """The error quotes it, as briefly as it has to be, and shows what can be written."""
    with pytest.raises(ConfigurationError) as caught:
        parse_duration(text)
    assert caught.value.problem.endswith("is no length of time; write 12h, 30d, 2w or 1y")
    assert caught.value.problem.startswith(f"`{text[:70]}".partition("\n")[0])
    assert len(caught.value.problem) < 150
    assert caught.value.where == ""


@pytest.mark.parametrize(
    ("length", "text"),
    [
        pytest.param(timedelta(days=30), "30d", id="days"),
        pytest.param(timedelta(days=7), "7d", id="days rather than weeks"),
        pytest.param(timedelta(days=365), "365d", id="days rather than years"),
        pytest.param(timedelta(hours=24), "1d", id="a day"),
        pytest.param(timedelta(hours=36), "36h", id="hours"),
        pytest.param(timedelta(minutes=60), "1h", id="an hour"),
        pytest.param(timedelta(minutes=90), "90m", id="minutes"),
        pytest.param(timedelta(seconds=90), "90s", id="seconds"),
        pytest.param(timedelta(days=1, seconds=1), "86401s", id="a second too many"),
    ],
)
def test_a_length_is_spelled_in_the_largest_unit_that_comes_out_even(length, text):
    """Days at most."""
    assert spell_duration(length) == text
    assert parse_duration(text) == length


@given(st.integers(1, 999_999), st.sampled_from("smhd"))
@example(999_999, "m")
def test_what_is_spelled_says_the_same_length(number, unit):
    """Whatever was written comes back in one spelling, which stays as it is."""
    length = parse_duration(f"{number}{unit}")
    text = spell_duration(length)
    assert parse_duration(text) == length
    assert spell_duration(parse_duration(text)) == text


@pytest.mark.parametrize("text", ["999999w", "3000y"])
def test_weeks_and_years_are_spelled_so_that_they_can_be_read(text):
    """A choice that is offered can be chosen."""
    assert parse_duration(spell_duration(parse_duration(text))) == parse_duration(text)
