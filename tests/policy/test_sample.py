"""Paths that stand for others: of one pattern, of what is below it, and of two at once."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from policy_strategies import SEGMENTS, TEXTS, path_of

from scopeware.policy import Pattern, deep_sample, meeting, sample

# -- of one


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("/", "/", id="root"),
        pytest.param("/a/b", "/a/b", id="literals"),
        pytest.param("/<x>", "/x-7", id="variable"),
        pytest.param("/<path:x>", "/x-7", id="many segments"),
        pytest.param("/<int:y>", "/7", id="int"),
        pytest.param("/<int(4):y>", "/0007", id="int of so many digits"),
        pytest.param("/<int(fixed_digits=4):y>", "/0007", id="so many digits by name"),
        pytest.param("/<int(4, min=12):y>", "/0012", id="so many digits, from"),
        pytest.param("/<int(0, 3, 5):y>", "/3", id="int, all by their places"),
        pytest.param("/<int(min=12):y>", "/12", id="int from"),
        pytest.param("/<int(max=5):y>", "/5", id="int up to"),
        pytest.param("/<int(max=12):y>", "/7", id="int up to more than that"),
        pytest.param("/<int(min=0):y>", "/0", id="int from nothing"),
        pytest.param("/<int(max=0):y>", "/0", id="int up to nothing"),
        pytest.param("/<int(signed=True):y>", "/7", id="int with a sign"),
        pytest.param("/<float:y>", "/7.5", id="float"),
        pytest.param("/<float(min=8.5):y>", "/8.5", id="float from"),
        pytest.param("/<float(1.5, 2.0):y>", "/1.5", id="float, by their places"),
        pytest.param("/<float(max=2):y>", "/2.0", id="float up to"),
        pytest.param("/<string(2):x>", "/xx", id="string of at least"),
        pytest.param("/<string(minlength=2, maxlength=3):x>", "/xx", id="string from, up to"),
        pytest.param("/<string(length=3):x>", "/xxx", id="string of so many"),
        pytest.param("/<string(maxlength=2):x>", "/x", id="string up to"),
        pytest.param("/<any(a, b):x>", "/a", id="any"),
        pytest.param('/<any("a b", c):x>', "/a b", id="any with quotes"),
        pytest.param("/<uuid:x>", "/00000000-0000-4000-8000-000000000000", id="uuid"),
        pytest.param("/<p>.<any(diff,patch):s>", "/x-7.diff", id="several in a segment"),
        pytest.param("/v<int(2):n>", "/v07", id="beside a literal"),
    ],
)
def test_a_sample_is_a_path_of_its_pattern(path: str, expected: str) -> None:
    """Whatever its converters ask for, and however their arguments are written."""
    assert sample(path) == expected
    assert Pattern.parse(path).matches(expected)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("/{x}", "/x-7", id="braces"),
        pytest.param("/{kind:b|a}/c", "/b/c", id="one of some words"),
        pytest.param("/*/a", "/x/a", id="a star"),
        pytest.param("/a*b", "/a*b", id="a star within a word"),
    ],
)
def test_a_sample_of_how_tables_write_paths(path: str, expected: str) -> None:
    """Braces and stars are variables, too."""
    assert sample(path) == expected


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 999), st.integers(0, 999), st.sampled_from(["", "fixed_digits=3, ", "3, "]), st.booleans())
def test_a_number_within_any_bounds_has_a_sample(one: int, other: int, digits: str, above: bool) -> None:
    """From, up to, and with so many digits."""
    bounds = f"min={min(one, other)}" if above else f"min={min(one, other)}, max={max(one, other)}"
    for path in (f"/<int({digits}{bounds}):n>", f"/<int({digits}max={one}):n>"):
        assert Pattern.parse(path).matches(sample(path)), path


# -- of what is below


@pytest.mark.parametrize(
    ("path", "below", "expected"),
    [
        pytest.param("/a", False, None, id="a literal"),
        pytest.param("/<x>/b", False, None, id="a variable"),
        pytest.param("/", True, "/x-7", id="the root and all below"),
        pytest.param("/a", True, "/a/x-7", id="a literal and what is below"),
        pytest.param("/<int(2):x>", True, "/07/x-7", id="a number and what is below"),
        pytest.param("/a/<path:p>", False, "/a/x-7/x-7", id="many segments"),
        pytest.param("/<path:p>/b", False, "/x-7/x-7/b", id="many segments in front"),
        pytest.param("/a/<path:p>", True, "/a/x-7/x-7", id="many segments and what is below"),
    ],
)
def test_a_deep_sample_goes_on(path: str, below: bool, expected: str | None) -> None:
    """It has more segments than a sample has, where any path does."""
    pattern = Pattern.parse(path, below=below)
    assert deep_sample(pattern) == expected
    if expected is not None:
        assert pattern.matches(expected)
        assert expected.count("/") > sample(path).rstrip("/").count("/")


# -- of two

drawn = st.tuples(st.lists(st.sampled_from(SEGMENTS), max_size=3), st.booleans())
Drawn = tuple[list[str], bool]


def parsed(one: Drawn, other: Drawn) -> tuple[Pattern, Pattern]:
    """The patterns that were drawn, with no variable that both have."""
    return Pattern.parse(path_of(one[0], 0), below=one[1]), Pattern.parse(path_of(other[0], 10), below=other[1])


@settings(max_examples=400, deadline=None)
@example(one=(["<path:rest{}>", "a"], False), other=(["b", "<path:rest{}>"], False))
@given(drawn, drawn)
def test_where_two_patterns_meet_both_match(one: Drawn, other: Drawn) -> None:
    """What is asked for is a path of either; and of the pattern that it comes from, but for many that meet many."""
    patterns = parsed(one, other)
    for first, second in (patterns, patterns[::-1]):
        found = meeting(first, second)
        if found is not None:
            path, asked = found
            assert first.matches(asked)
            assert second.matches(asked)
            assert first.overlaps(second)
            if not (first.has_many and second.has_many):
                assert Pattern.parse(path).matches(asked)


@settings(max_examples=400, deadline=None)
@given(drawn, drawn, st.lists(st.sampled_from(TEXTS), max_size=4))
def test_patterns_that_share_a_path_meet(one: Drawn, other: Drawn, texts: list[str]) -> None:
    """Variables for many segments aside."""
    patterns = parsed(one, other)
    path = "/" + "/".join(texts)
    if any(pattern.has_many for pattern in patterns) or not all(pattern.matches(path) for pattern in patterns):
        return
    assert meeting(*patterns) is not None
    assert meeting(*patterns[::-1]) is not None


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param("/", "/", ("/", "/"), id="root"),
        pytest.param("/a", "/b", None, id="two literals"),
        pytest.param("/a/b", "/a", None, id="one that goes on"),
        pytest.param("/a", "/<int:n>", None, id="a word and a number"),
        pytest.param("/<x>/b", "/a/<y>", ("/a/b", "/a/b"), id="paths that cross"),
        pytest.param("/<x>", "/<int:n>", ("/<int:n>", "/7"), id="a variable and a number"),
        pytest.param("/<x>", "/<any(a,b):k>", ("/<any(a,b):k>", "/a"), id="a variable and a choice"),
        pytest.param("/<any(a,b):k>", "/b", ("/b", "/b"), id="a choice and one of its words"),
        pytest.param("/<int:n>", "/<int(min=12):m>", ("/<int(min=12):m>", "/12"), id="a number and one from"),
        pytest.param("/<path:p>", "/<a>/<b>", ("/<a>/<b>", "/x-7/x-7"), id="many and two"),
        pytest.param("/a/<path:p>", "/<path:q>/b", ("/a/b", "/a/b"), id="many and many"),
        pytest.param("/<x>", "/<p>.<any(diff,patch):s>", ("/<p>.<any(diff,patch):s>", "/x-7.diff"), id="a suffix"),
    ],
)
def test_where_two_patterns_meet(one: str, other: str, expected: tuple[str, str] | None) -> None:
    """At what the narrower segment of each place says, whichever is asked."""
    assert meeting(Pattern.parse(one), Pattern.parse(other)) == expected
    assert meeting(Pattern.parse(other), Pattern.parse(one)) == expected


def test_what_lies_below_meets_what_goes_on() -> None:
    """A group with all that is below it has a longer path in common; one without has not."""
    longer = Pattern.parse("/<x>/b/<int:n>")
    assert meeting(Pattern.parse("/a", below=True), longer) == ("/a/b/<int:n>", "/a/b/7")
    assert meeting(longer, Pattern.parse("/a", below=True)) == ("/a/b/<int:n>", "/a/b/7")
    assert meeting(Pattern.parse("/a"), longer) is None
