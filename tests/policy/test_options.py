"""The ``[gate]`` table."""

from __future__ import annotations

from typing import Any

import pytest

from scopeware.errors import ConfigurationError
from scopeware.policy import Options, Policy, PolicyError


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        pytest.param("realm", "my api", "my api", id="realm"),
        pytest.param("realm", "", "", id="empty realm"),
        pytest.param("basic", False, False, id="basic"),
        pytest.param("headers", ["X-API-Key"], ("X-API-Key",), id="headers"),
        pytest.param("headers", [], (), id="no headers"),
        pytest.param("query", ["token", "access_token"], ("token", "access_token"), id="query"),
        pytest.param("query", ("a.b-c_1",), ("a.b-c_1",), id="query as a tuple"),
        pytest.param("foreign", "pass", "pass", id="foreign"),
        pytest.param("forward_token", True, True, id="forward_token"),
        pytest.param("scope_headers", True, True, id="scope_headers"),
        pytest.param("method_override", "refuse", "refuse", id="method_override"),
        pytest.param("answers", "gitea", "gitea", id="answers"),
    ],
)
def test_an_option_is_taken_as_written(key: str, value: Any, kept: Any) -> None:
    """Lists become tuples, all else stays, and the other options keep their defaults."""
    options = Options().with_changes({key: value})
    assert getattr(options, key) == kept
    assert options == Options(**{key: kept})


def test_the_defaults_are_the_strict_ones() -> None:
    """Nothing is taken from queries or further headers, foreign credentials are refused, tokens are not handed on."""
    options = Options().with_changes({})
    assert (options.headers, options.query, options.foreign, options.forward_token) == ((), (), "refuse", False)


@pytest.mark.parametrize(
    ("key", "value", "form"),
    [
        pytest.param("realm", 'a"b', "without quotes", id="a quote in the realm"),
        pytest.param("realm", "a\\b", "without quotes", id="a backslash in the realm"),
        pytest.param("realm", "a\nb", "printable ASCII", id="a newline in the realm"),
        pytest.param("realm", "é", "printable ASCII", id="realm beyond ASCII"),
        pytest.param("realm", 7, "a string", id="a number as realm"),
        pytest.param("basic", "yes", "true or false", id="a word for a flag"),
        pytest.param("basic", 1, "true or false", id="a number for a flag"),
        pytest.param("headers", "X-API-Key", "a list of strings", id="a string for a list"),
        pytest.param("headers", [7], "a list of strings", id="a list of numbers"),
        pytest.param("headers", ["X_API_Key"], "letters, digits and dashes", id="an underscore in a header"),
        pytest.param("headers", ["X-API-Key\n"], "letters, digits and dashes", id="a newline after a header"),
        pytest.param("headers", [""], "letters, digits and dashes", id="an empty header"),
        pytest.param("headers", ["Authorization"], "another place", id="the header that is used anyway"),
        pytest.param("headers", ["COOKIE"], "another place", id="cookies"),
        pytest.param("query", ["a b"], "letters, digits", id="a space in a parameter"),
        pytest.param("query", {"token": True}, "a list of strings", id="a table for a list"),
        pytest.param("foreign", "ignore", '"refuse" or "pass"', id="unknown way with foreign credentials"),
        pytest.param("foreign", True, "a string", id="a flag for a word"),
        pytest.param("method_override", "allow", '"ignore" or "refuse"', id="unknown way with overrides"),
        pytest.param("answers", "", "the name of a style", id="no style"),
        pytest.param("answers", "Git ea", "the name of a style", id="no name of a style"),
        pytest.param("scope_headers", [], "true or false", id="a list for a flag"),
    ],
)
def test_a_value_that_cannot_be_is_refused(key: str, value: Any, form: str) -> None:
    """The error names the option and what is expected."""
    with pytest.raises(ConfigurationError) as caught:
        Options().with_changes({key: value})
    assert caught.value.where == key
    assert form in caught.value.problem


def test_an_unknown_option_is_refused_with_what_may_be_meant() -> None:
    """A misspelled key never goes unnoticed."""
    with pytest.raises(
        ConfigurationError, match="unknown key `forward_tokens`; did you mean `forward_token`"
    ) as caught:
        Options().with_changes({"forward_tokens": True})
    assert caught.value.where == "forward_tokens"


def test_changes_leave_the_options_they_are_made_to_alone() -> None:
    """Options are values."""
    before = Options(realm="here")
    after = before.with_changes({"basic": False})
    assert (after.realm, after.basic, before.basic) == ("here", False, True)


def test_a_policy_file_carries_options() -> None:
    """The table is read into the policy; an error in it names the file and the key."""
    text = '[[group]]\npath = "/"\nscopes = []\n'
    assert Policy.loads(f'[gate]\nrealm = "r"\n{text}').options == Options(realm="r")
    assert Policy.loads(text).options == Options()
    with pytest.raises(ConfigurationError) as caught:
        Policy.loads(f"[gate]\nrealm = 7\n{text}", source="scopes.toml")
    assert str(caught.value) == "scopes.toml: gate.realm: expected a string"
    assert not isinstance(caught.value, PolicyError)
