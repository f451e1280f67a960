"""Near matches and quoted words in messages."""

import time

import pytest

from scopeware.text import did_you_mean, near, quoted

KNOWN = ("read:user", "write:user", "read:issue", "read:misc", "write:misc")


def test_near_names_the_closest_word_first():
    """The best match leads, whatever the order of the known words."""
    assert near("write:usr", KNOWN)[0] == "write:user"
    assert near("read:usr", KNOWN)[0] == "read:user"


def test_near_ignores_case_and_answers_in_the_known_spelling():
    """A word in the wrong case finds the right one, spelled as it must be written."""
    assert near("READ:USER", KNOWN)[0] == "read:user"
    assert near("read:user", ["Read:User"]) == ("Read:User",)


def test_near_names_nothing_that_is_far_off():
    """No suggestion is better than a misleading one."""
    assert near("zzzzzz", KNOWN) == ()
    assert near("", KNOWN) == ()


def test_near_names_at_most_as_many_as_asked_for():
    """Three by default, fewer on request."""
    assert len(near("read:user", KNOWN)) == 3
    assert near("read:user", KNOWN, most=1) == ("read:user",)


def test_near_compares_words_of_eighty_characters_and_none_that_is_longer():
    """Eighty characters are compared; one more is not, near as it may be."""
    assert near("a" * 80, ["a" * 79]) == ("a" * 79,)
    assert near("a" * 81, ["a" * 79]) == ()


def test_near_does_not_compare_long_words_at_length():
    """A hostile word near to hundreds of long known ones costs no quadratic comparison."""
    known = [f"{'ab' * 5_000}{number}" for number in range(200)]
    begun = time.perf_counter()
    assert near("ba" * 5_000, known) == ()
    assert time.perf_counter() - begun < 0.5


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        pytest.param("read:user", "`read:user`", id="plain"),
        pytest.param("", "``", id="empty"),
        pytest.param("größe", "`größe`", id="printable-beyond-ascii"),
        pytest.param("a\nb", r"`a\nb`", id="newline"),
        pytest.param("a\tb", r"`a\tb`", id="tab"),
        pytest.param("a\0b", r"`a\x00b`", id="nul"),
        pytest.param("\x1b[31m", r"`\x1b[31m`", id="terminal-escape"),
        pytest.param("a\u202eb", r"`a\u202eb`", id="right-to-left-override"),
        pytest.param("\ud800", r"`\ud800`", id="lone-surrogate"),
        pytest.param("x" * 80, f"`{'x' * 80}`", id="just-short-enough"),
        pytest.param("x" * 81, f"`{'x' * 77}...`", id="too-long"),
        pytest.param("\0" * 1_000, "`" + r"\x00" * 19 + r"\...`", id="too-long-once-escaped"),
    ],
)
def test_quoted_words_are_fit_to_be_printed(word, shown):
    """What is not printable is escaped, what is long is cut, all else is verbatim."""
    assert quoted(word) == shown


def test_did_you_mean_joins_its_suggestions_and_says_nothing_about_none():
    """A remedy is offered only where there is one."""
    assert did_you_mean([]) == ""
    assert did_you_mean(["a"]) == "; did you mean `a`?"
    assert did_you_mean(iter(["a", "b", "c"])) == "; did you mean `a` or `b` or `c`?"
