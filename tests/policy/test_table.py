"""Tables of a policy file whose keys are the fields of a dataclass."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest

from scopeware.errors import ConfigurationError
from scopeware.policy.table import require, with_changes


@dataclass(frozen=True)
class Everything:
    """A field of every kind, and one whose present value does not tell its kind."""

    flag: bool = False
    word: str = "a"
    number: int = 1
    part: float = 0.5
    words: tuple[str, ...] = ("a",)
    length: timedelta = timedelta(days=1)
    end: timedelta | None = field(default=None, metadata={"kind": timedelta})

    def __post_init__(self) -> None:
        require(self.number != 13, "number", "another number than 13")


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        pytest.param("flag", True, True, id="flag"),
        pytest.param("word", "b", "b", id="word"),
        pytest.param("word", "", "", id="an empty word"),
        pytest.param("number", 7, 7, id="number"),
        pytest.param("number", -7, -7, id="a negative number"),
        pytest.param("part", 0.25, 0.25, id="part"),
        pytest.param("part", 2, 2.0, id="a whole number for a part"),
        pytest.param("words", ["b", "c"], ("b", "c"), id="list"),
        pytest.param("words", ("b",), ("b",), id="tuple"),
        pytest.param("words", [], (), id="an empty list"),
        pytest.param("length", "12h", timedelta(hours=12), id="length"),
        pytest.param("length", timedelta(hours=3), timedelta(hours=3), id="a length of Python's"),
        pytest.param("end", "2w", timedelta(days=14), id="a length where there is none"),
    ],
)
def test_a_change_is_taken_as_toml_writes_it(key: str, value: Any, kept: Any) -> None:
    """The kind stays what it was, all else stays as it is, and what is changed is another value."""
    before = Everything()
    after = with_changes(before, {key: value})
    assert getattr(after, key) == kept
    assert type(getattr(after, key)) is type(kept)
    assert after == Everything(**{key: kept})
    assert before == Everything()


def test_many_changes_are_made_at_once_and_none_is_none() -> None:
    """Those that are not named keep what they had."""
    before = Everything(word="b", end=timedelta(days=2))
    assert with_changes(before, {}) == before
    assert with_changes(before, {"flag": True, "number": 2}) == Everything(
        flag=True, number=2, word="b", end=timedelta(days=2)
    )


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        *(
            pytest.param(key, value, f"expected {form}", id=f"{key}: {value!r}")
            for key, form, values in (
                ("flag", "true or false", (0, 1, "true", None, [], 1.0)),
                ("word", "a string", (0, True, None, ["a"], b"a", {"a": "b"})),
                ("number", "a whole number", (True, "1", 1.0, None, [1], float("nan"))),
                ("part", "a number", (True, "0.5", None, [0.5])),
                ("words", "a list of strings", ("a", 1, None, [1], ["a", None], [["a"]], {"a": 1}, {"a"})),
                ("length", 'a length of time such as "30d"', (30, 1.5, True, None, ["1d"], date(2030, 1, 1))),
                ("end", 'a length of time such as "30d"', (30, None, {})),
            )
            for value in values
        ),
        pytest.param("length", "soon", "`soon` is no length of time; write 12h, 30d, 2w or 1y", id="no length"),
        pytest.param("end", "0d", "`0d` is no length of time; write 12h, 30d, 2w or 1y", id="no length at all"),
        pytest.param("lenght", "1d", "unknown key `lenght`; did you mean `length`?", id="a misspelled key"),
        pytest.param("zzz", 1, "unknown key `zzz`", id="an unknown key"),
        pytest.param("__class__", 1, "unknown key `__class__`", id="an attribute that is no field"),
        pytest.param("a\nb", 1, r"unknown key `a\nb`", id="an unprintable key"),
        pytest.param("number", 13, "expected another number than 13", id="what the dataclass refuses"),
    ],
)
def test_a_change_that_cannot_be_is_refused_with_its_key(key: str, value: Any, problem: str) -> None:
    """It says what is expected, and nothing is changed; not even by what stands beside it."""
    before = Everything()
    with pytest.raises(ConfigurationError) as caught:
        with_changes(before, {"word": "b", key: value})
    assert caught.value.where == key
    assert caught.value.problem == problem
    assert before == Everything()


def test_require_says_what_was_expected_only_where_something_is_wrong() -> None:
    """And where."""
    require(True, "key", "anything")
    with pytest.raises(ConfigurationError, match=r"^key: expected something else$"):
        require(False, "key", "something else")
