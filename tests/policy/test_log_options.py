"""The ``[access_log]`` table: what is kept of requests, and for how long."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from scopeware.errors import ConfigurationError
from scopeware.policy import Group, LogOptions, Policy

GROUP = '[[group]]\npath = "/"\nscopes = []\n'


def loaded(table: str) -> LogOptions:
    return Policy.loads(f"[access_log]\n{table}\n{GROUP}").access_log


@pytest.mark.parametrize(
    ("table", "values"),
    [
        pytest.param("", {}, id="nothing said"),
        pytest.param('to = ["stdout"]', {"to": ("stdout",)}, id="another place"),
        pytest.param("to = []", {"to": ()}, id="nowhere"),
        pytest.param(
            'to = ["database", "stdout", "file:/var/log/a.jsonl"]',
            {"to": ("database", "stdout", "file:/var/log/a.jsonl")},
            id="all places",
        ),
        pytest.param('to = ["file:a.jsonl", "file:b.jsonl"]', {"to": ("file:a.jsonl", "file:b.jsonl")}, id="two files"),
        pytest.param('keep = "90d"', {"keep": timedelta(days=90)}, id="keep"),
        pytest.param("allowed = 0.25", {"allowed": 0.25}, id="a part"),
        pytest.param("allowed = 0", {"allowed": 0.0}, id="none, as a whole number"),
        pytest.param("allowed = 1", {"allowed": 1.0}, id="all, as a whole number"),
        pytest.param('flush = "10s"', {"flush": timedelta(seconds=10)}, id="flush"),
        pytest.param("most = 100", {"most": 100}, id="most"),
    ],
)
def test_an_option_is_taken_as_written(table: str, values: dict[str, Any]) -> None:
    """Lists become tuples, texts lengths of time, whole numbers parts; the other options keep their defaults."""
    options = loaded(table)
    assert options == LogOptions(**values)
    assert isinstance(options.allowed, float)
    assert (options == LogOptions()) is not bool(values and values != {"allowed": 1.0})


def test_everything_is_kept_in_the_database_unless_it_is_said_otherwise() -> None:
    """All requests, for ever, written every second."""
    options = Policy([Group(path="/", scopes=[])]).access_log
    assert options == Policy.loads(GROUP).access_log == LogOptions()
    assert (options.to, options.keep, options.allowed) == (("database",), None, 1.0)
    assert options.flush == timedelta(seconds=1)


@pytest.mark.parametrize(
    ("table", "where", "form"),
    [
        pytest.param('to = "database"', "to", "a list of strings", id="a string for a list"),
        pytest.param("to = [7]", "to", "a list of strings", id="a list of numbers"),
        pytest.param('to = ["syslog"]', "to", '"stdout" or "file:/path", not `syslog`', id="unknown place"),
        pytest.param('to = ["database", ""]', "to", "not ``", id="an empty place"),
        pytest.param('to = ["file:"]', "to", "not `file:`", id="a file without a name"),
        pytest.param('to = ["File:/a"]', "to", "not `File:/a`", id="wrong case"),
        pytest.param('to = ["/var/log/a"]', "to", "not `/var/log/a`", id="a path without a kind"),
        pytest.param("keep = 90", "keep", "a length of time", id="a number of days"),
        pytest.param('keep = "0d"', "keep", "is no length of time", id="keep nothing"),
        pytest.param('keep = "for ever"', "keep", "`for ever` is no length of time", id="words"),
        pytest.param("allowed = -0.1", "allowed", "a part from 0 to 1", id="less than nothing"),
        pytest.param("allowed = 1.1", "allowed", "a part from 0 to 1", id="more than everything"),
        pytest.param("allowed = 100", "allowed", "a part from 0 to 1", id="in percent"),
        pytest.param("allowed = nan", "allowed", "a part from 0 to 1", id="no number"),
        pytest.param("allowed = inf", "allowed", "a part from 0 to 1", id="infinity"),
        pytest.param("allowed = true", "allowed", "a number", id="a flag for a part"),
        pytest.param('allowed = "0.5"', "allowed", "a number", id="text for a part"),
        pytest.param("flush = 1", "flush", "a length of time", id="a number of seconds"),
        pytest.param('flush = "0s"', "flush", "is no length of time", id="at once"),
        pytest.param("most = 99", "most", "room for 100 rows at least", id="too little room"),
        pytest.param("most = -1", "most", "room for 100 rows at least", id="less than no room"),
        pytest.param("most = 1000.0", "most", "a whole number", id="a part of a row"),
        pytest.param("most = true", "most", "a whole number", id="a flag for a number"),
        pytest.param("too = []", "too", "did you mean `to`", id="unknown key"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_key(table: str, where: str, form: str) -> None:
    """The error names the file, the table and the key, and says what is expected."""
    with pytest.raises(ConfigurationError) as caught:
        Policy.loads(f"[access_log]\n{table}\n{GROUP}", source="scopes.toml")
    assert caught.value.where == f"scopes.toml: access_log.{where}"
    assert form in caught.value.problem


@pytest.mark.parametrize("places", ['["database", "database"]', '["stdout", "stdout"]', '["file:/a", "file:/a"]'])
def test_the_same_place_twice_is_refused(places: str) -> None:
    """As the same word is everywhere else in a policy."""
    assert loaded('to = ["database", "stdout", "file:/a", "file:/b"]')
    with pytest.raises(ConfigurationError) as caught:
        loaded(f"to = {places}")
    assert caught.value.where.endswith("access_log.to")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param("to", ("nowhere",), id="to"),
        pytest.param("keep", timedelta(0), id="keep"),
        pytest.param("keep", timedelta(seconds=-1), id="a negative keep"),
        pytest.param("allowed", 2.0, id="allowed"),
        pytest.param("flush", timedelta(0), id="flush"),
        pytest.param("flush", timedelta(seconds=-1), id="a negative flush"),
        pytest.param("most", 1, id="most"),
    ],
)
def test_python_is_told_the_key_as_well(key: str, value: Any) -> None:
    """There it has no file and no table."""
    with pytest.raises(ConfigurationError) as caught:
        LogOptions(**{key: value})
    assert caught.value.where == key
