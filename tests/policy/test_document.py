"""The policy file: what it may say, and where errors are told to be."""

from __future__ import annotations

import json
import string
from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from policy_reference import decision
from policy_strategies import SOME_PATHS, policies

from scopeware.errors import ConfigurationError
from scopeware.policy import DocumentError, Group, Policy, PolicyError, Route
from scopeware.scopes import Vocabulary, VocabularyError

GROUP = '[[group]]\npath = "/a"\nscopes = ["user"]\n'


def error_of(text: str, source: str = "scopes.toml") -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        Policy.loads(text, source=source)
    return caught.value


# -- TOML for what Python says


def toml(value: Any) -> str:
    """A value in TOML; JSON's strings, numbers and flags are TOML's."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, str | bool | int | float):
        # DEL is no string's business in TOML, but JSON lets it stand.
        return json.dumps(value).replace("\x7f", "\\u007f")
    raise TypeError(value)


def _entries(rule: Group | Route) -> Iterator[str]:
    for field in fields(rule):
        value = getattr(rule, field.name)
        if value not in (None, "") and field.name not in ("routes", "where"):
            yield f"{field.name} = {toml(value)}"


def document(groups: list[Group]) -> str:
    lines = []
    for group in groups:
        lines += ["", "[[group]]", *_entries(group)]
        for route in group.routes:
            lines += ["  [[group.route]]", *(f"  {entry}" for entry in _entries(route))]
    return "\n".join(lines)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(policies(), st.lists(st.sampled_from(SOME_PATHS), min_size=1, max_size=20))
def test_a_file_and_python_make_the_same_policy(groups: list[Group], paths: list[str]) -> None:
    """What is written in TOML needs just what the same groups in Python need."""
    written, made = Policy.loads(document(groups)), Policy(groups)
    assert [(group.path, group.scopes) for group in written.groups] == [(group.path, group.scopes) for group in groups]
    for path in paths:
        for method in ("GET", "POST", "PROPFIND"):
            assert decision(written, method, path) == decision(made, method, path)


def test_a_file_says_everything_a_policy_can_be_told() -> None:
    """Each table and key arrives where it belongs."""
    text = """
        [policy]
        prefix = "/api/v1"
        require_token = false
        public_only = "check"
        unmatched = "pass"

        [vocabulary]
        name = "tiny"
        categories = { docs = "Documents", people = "People" }
        all = "all"

        [roles]
        bot = "read:*"

        [gate]
        realm = "tiny"

        [tokens]
        max_lifetime = "30d"

        [access_log]
        to = ["stdout"]

        [[group]]
        path = "/docs/<name>"
        scopes = ["docs"]
        action = "read"
        require_token = true
        accept = "token"
        public_only = "allow"
        resource = "<name>"
        owner = "<name>"
        self_or_admin = true
        description = "documents"
          [[group.route]]
          path = "/pages"
          methods = ["PUT"]
          any_of = [["docs"], ["write:people"]]

        [[group]]
        path = "/people"
        scopes = ["people"]
        bound = "filter"
    """
    policy = Policy.loads(text)
    assert (policy.lifetimes.max_lifetime, policy.access_log.to) == (timedelta(days=30), ("stdout",))
    assert (policy.prefix, policy.vocabulary.name, policy.options.realm) == ("/api/v1", "tiny", "tiny")
    assert policy.roles.ceiling("bot").covers("read:people")
    assert policy.groups[0].where == "25: group[0]"
    requirement = policy.requirement("PUT", "/api/v1/docs/plan/pages")
    assert requirement is not None
    assert requirement.scope_lists() == (("read:docs",), ("write:people",))
    assert (requirement.accept, requirement.public_only, requirement.description) == ("token", "allow", "documents")
    people = policy.requirement("GET", "/api/v1/people")
    assert people is not None
    assert (people.filters, requirement.filters) == (True, False)
    other = policy.requirement("PUT", "/api/v1/elsewhere")
    assert other is not None
    assert (other.scope_free, other.require_token, other.public_only) == (True, False, "check")
    assert policy.requirement("PUT", "/elsewhere") is None


def test_the_vocabulary_is_that_of_gitea_unless_another_is_named() -> None:
    """By name, or in a table of its own."""
    assert Policy.loads(GROUP).vocabulary is Vocabulary.builtin("gitea")
    assert Policy.loads(f'[policy]\nvocabulary = "gitea"\n{GROUP}').vocabulary is Vocabulary.builtin("gitea")
    assert Policy.loads(f'[vocabulary]\ncategories = {{user = ""}}\n{GROUP}').vocabulary.name == "custom"


# -- files


def test_a_policy_is_loaded_from_a_file(tmp_path: Path) -> None:
    """By name or by path; messages call it by that."""
    file = tmp_path / "scopes.toml"
    file.write_text(GROUP.replace("/a", "/é"), "utf-8")
    assert Policy.load(file).groups[0].path == "/é"
    assert Policy.load(str(file)).source == str(file)


def test_an_error_in_a_file_begins_with_file_and_line(tmp_path: Path) -> None:
    """As compilers say it."""
    file = tmp_path / "scopes.toml"
    file.write_text(f'{GROUP}\n[[group]]\npath = "/b"\nscopes = ["uzer"]\n', "utf-8")
    with pytest.raises(PolicyError) as caught:
        Policy.load(file)
    assert str(caught.value).startswith(f"{file}:5: group[1].scopes: `uzer` is neither")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b" \n\t\n", "is empty", id="blank"),
        pytest.param(b'[[group]]\npath = "/\xff"\n', "not UTF-8 text (byte 19)", id="not UTF-8"),
        pytest.param(b"# nothing yet\n", "there is no group", id="a comment only"),
    ],
)
def test_a_file_without_a_policy_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    """The error names the file."""
    file = tmp_path / "scopes.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        Policy.load(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert problem in caught.value.problem


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """It is missing, a directory, or its path leads nowhere."""
    (tmp_path / "file").write_text(GROUP)
    for path, problem in (
        (tmp_path / "missing.toml", "there is no such policy file"),
        (tmp_path, "it is a directory"),
        (tmp_path / "file" / "below", "it cannot be read: Not a directory"),
    ):
        with pytest.raises(DocumentError) as caught:
            Policy.load(path)
        assert caught.value.where == str(path)
        assert problem in caught.value.problem


# -- errors in the text


@pytest.mark.parametrize(
    ("text", "where"),
    [
        pytest.param("[policy\n", "scopes.toml:1:8", id="a bracket"),
        pytest.param(f"{GROUP}x = \n", "scopes.toml:4:5", id="no value"),
        pytest.param('[policy]\nprefix = "/a\n', "scopes.toml:2:13", id="a string without an end"),
        pytest.param(f'{GROUP}path = "/b"\n', "scopes.toml:4:12", id="a key twice"),
        pytest.param('[[group]]\npath = """', "scopes.toml", id="the end too early"),
    ],
)
def test_broken_toml_is_refused_with_its_place(text: str, where: str) -> None:
    """Line and column, where the parser tells."""
    error = error_of(text)
    assert isinstance(error, DocumentError)
    assert error.problem.startswith("broken TOML: ")
    assert "line" not in error.problem
    assert error.where.startswith(where)


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        pytest.param(f"[polciy]\n{GROUP}", "polciy", "did you mean `policy`", id="table"),
        pytest.param(f"[[groups]]\n{GROUP}", "groups", "did you mean `group`", id="list of tables"),
        pytest.param(f'[policy]\nprefx = "/"\n{GROUP}', "policy.prefx", "did you mean `prefix`", id="in [policy]"),
        pytest.param(f"[gate]\nbasik = true\n{GROUP}", "gate.basik", "did you mean `basic`", id="in [gate]"),
        pytest.param(f"[tokens]\nmax = '1d'\n{GROUP}", "tokens.max", "unknown key `max`", id="in [tokens]"),
        pytest.param(f"[access_log]\nkep = '1d'\n{GROUP}", "access_log.kep", "`keep`", id="in [access_log]"),
        pytest.param(f"[vocabulary]\nactoins = []\n{GROUP}", "vocabulary.actoins", "`actions`", id="in [vocabulary]"),
        pytest.param(f"{GROUP}scope = []\n", "1: group[0].scope", "did you mean `scopes`", id="in [[group]]"),
        pytest.param(f"{GROUP}where = ''\n", "1: group[0].where", "unknown key `where`", id="a name of our own"),
        pytest.param(f"{GROUP}routes = []\n", "1: group[0].routes", "did you mean `route`", id="another one"),
        pytest.param(f"{GROUP}methods = ['GET']\n", "1: group[0].methods", "unknown key `methods`", id="of a route"),
        pytest.param(
            f"{GROUP}[[group.route]]\npath = '/'\nmethod = 'GET'\n",
            "4: group[0].route[0].method",
            "did you mean `methods`",
            id="in [[group.route]]",
        ),
        pytest.param(
            f"{GROUP}[[group.route]]\npath = '/'\nroute = []\n",
            "4: group[0].route[0].route",
            "unknown key `route`",
            id="a route in a route",
        ),
    ],
)
def test_an_unknown_key_is_refused_at_every_level(text: str, where: str, problem: str) -> None:
    """It has no effect; what may be meant is named."""
    error = error_of(text)
    assert error.where == ("scopes.toml:" if where[0].isdigit() else "scopes.toml: ") + where
    assert problem in error.problem


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        pytest.param(f"policy = 7\n{GROUP}", "policy", "expected a table", id="policy"),
        pytest.param(f"[[policy]]\n{GROUP}", "policy", "expected a table", id="policy as a list"),
        pytest.param(f"[policy]\nprefix = 7\n{GROUP}", "policy.prefix", "expected a string", id="prefix"),
        pytest.param(f"[policy]\nunmatched = []\n{GROUP}", "policy.unmatched", "expected a string", id="unmatched"),
        pytest.param(f"[policy]\npublic_only = 0\n{GROUP}", "policy.public_only", "expected a string", id="public"),
        pytest.param(f"[policy]\nrequire_token = 1\n{GROUP}", "policy.require_token", "true or false", id="flag"),
        pytest.param(f"[policy]\nvocabulary = 7\n{GROUP}", "policy.vocabulary", "name of a built-in", id="vocabulary"),
        pytest.param(f"vocabulary = 7\n{GROUP}", "vocabulary", "expected a table", id="vocabulary as a number"),
        pytest.param(f"[vocabulary]\n{GROUP}", "vocabulary.categories", "expected a table", id="no categories"),
        pytest.param(f"roles = 7\n{GROUP}", "roles", "expected a table", id="roles"),
        pytest.param(f"[roles]\nbot = 7\n{GROUP}", "roles.bot", "expected patterns", id="a role"),
        pytest.param(f"[roles]\nbot = 'x:y'\n{GROUP}", "roles.bot", "matches no scope", id="a pattern of a role"),
        pytest.param(f"gate = []\n{GROUP}", "gate", "expected a table", id="gate"),
        pytest.param(f"[[tokens]]\n{GROUP}", "tokens", "expected a table", id="tokens as a list"),
        pytest.param(f"access_log = true\n{GROUP}", "access_log", "expected a table", id="access_log"),
        pytest.param("group = 7\n", "group", "groups are written [[group]]", id="group as a number"),
        pytest.param("[group]\npath = '/'\n", "group", "groups are written [[group]]", id="group as a table"),
        pytest.param("group = [7]\n", "group", "groups are written [[group]]", id="a number as group"),
        pytest.param("[[group]]\nscopes = []\n", "1: group[0].path", "it needs a path", id="no path"),
        pytest.param("[[group]]\npath = 7\n", "1: group[0].path", "it needs a path", id="path"),
        pytest.param(f"{GROUP}description = 7\n", "1: group[0].description", "expected a string", id="description"),
        pytest.param(f"{GROUP}route = [7]\n", "group[0].route", "routes are written", id="a number as route"),
        pytest.param(
            f"{GROUP}[[group.route]]\nmethods = []\n", "4: group[0].route[0].path", "it needs a path", id="no path 2"
        ),
        pytest.param(
            f"{GROUP}[[group.route]]\npath = '/'\ndescription = []\n",
            "4: group[0].route[0].description",
            "expected a string",
            id="description of a route",
        ),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(text: str, where: str, problem: str) -> None:
    """The error names the key and what is expected there."""
    error = error_of(text)
    assert error.where.removeprefix("scopes.toml:").strip().removeprefix("1: ") == where.removeprefix("1: ")
    assert problem in error.problem


def test_a_number_for_routes_is_refused_where_groups_are_counted() -> None:
    """Only the error of this package comes out."""
    assert "routes are written" in error_of(f"{GROUP}route = 7\n").problem


def test_a_vocabulary_is_named_once() -> None:
    """Beside a table the name has no effect."""
    error = error_of(f'[policy]\nvocabulary = "gitea"\n[vocabulary]\ncategories = {{user = ""}}\n{GROUP}')
    assert error.where == "scopes.toml: policy.vocabulary"
    assert "no effect beside the [vocabulary] table" in error.problem


def test_an_unknown_vocabulary_is_told_with_its_key() -> None:
    """As every other value that cannot be."""
    error = error_of(f'[policy]\nvocabulary = "gitee"\n{GROUP}')
    assert isinstance(error, VocabularyError)
    assert error.where == "scopes.toml: policy.vocabulary"


def test_rules_that_clash_are_named_with_their_lines() -> None:
    """Both of them, and the error is at one of them."""
    error = error_of(f'{GROUP}\n# the same again\n[[group]]\npath = "/a/"\nscopes = []\n')
    assert isinstance(error, PolicyError)
    assert error.problem == "two rules for one path: `/a` (1: group[0]) and `/a/` (6: group[1])"
    assert error.where == "scopes.toml:6: group[1]"
    error = error_of('[[group]]\npath = "/<x>/b"\nscopes = []\n[[ group ]]\npath = "/a/<y>"\nscopes = ["user"]\n')
    assert "`/<x>/b` (1: group[0])" in error.problem
    assert "`/a/<y>` (4: group[1])" in error.problem


@pytest.mark.parametrize(
    ("text", "where"),
    [
        pytest.param(
            f'[vocabulary]\nname = """\n[[group.route]]\n"""\ncategories = {{user = ""}}\n{GROUP}accept = 7\n',
            "scopes.toml:6: group[0].accept",
            id="a heading of a route in a string before all groups",
        ),
        pytest.param(
            '[policy]\n# [[group]]\n[[group]]\npath = "/a"\nscopes = 7\n',
            "scopes.toml:3: group[0].scopes",
            id="comment",
        ),
        pytest.param(
            '[[group]]\npath = "/a"\ndescription = """\n[[group]]\n"""\nscopes = 7\n',
            "scopes.toml: group[0].scopes",
            id="a heading in a string",
        ),
        pytest.param('group = [{path = "/a", scopes = 7}]\n', "scopes.toml: group[0].scopes", id="a group in one line"),
        pytest.param(
            f'{GROUP}route = [{{path = "/b", scopes = 7}}]\n',
            "scopes.toml:1: group[0].route[0].scopes",
            id="a route in one line",
        ),
        pytest.param(
            '[[group.route]]\npath = "/b"\n[[group]]\npath = "/a"\n', "scopes.toml", id="a route before its group"
        ),
        pytest.param(
            f'{GROUP}\n  [[ group . route ]]\n  path = "/b"\n  scopes = 7\n',
            "scopes.toml:5: group[0].route[0].scopes",
            id="spaces in a heading",
        ),
    ],
)
def test_lines_are_told_only_where_they_are_known(text: str, where: str) -> None:
    """A wrong line would be worse than none; the key is always there."""
    assert error_of(text).where.startswith(where)


# -- whatever is written


_WORDS = st.sampled_from(
    [
        "user",
        "issue",
        "read:user",
        "all",
        "public-only",
        "check",
        "pass",
        "token",
        "session",
        "read",
        "GET",
        "/a",
        "<x>",
        "filter",
        "stdout",
        "30d",
    ]
)
_PATHS = st.sampled_from(["/", "/a", "/<x>", "/<int:n>/b", "/a/<path:p>", "/<any(a,b):k>", "a", "//", "/<"])
_SCALARS = (
    _WORDS
    | _PATHS
    | st.booleans()
    | st.integers(-3, 10**6)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=string.printable + "é", max_size=5)
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["path", "a", "user"]), inner, max_size=2)
    ),
    max_leaves=6,
)


def _table(keys: list[str], values: st.SearchStrategy[Any], **fixed: st.SearchStrategy[Any]) -> Any:
    return st.dictionaries(st.sampled_from(keys), values, max_size=3).flatmap(
        lambda drawn: st.fixed_dictionaries(fixed).map(lambda usual: {**usual, **drawn})
    )


_NEEDS = [field.name for field in fields(Group) if field.name not in ("where", "routes")]
_SCOPES = st.lists(_WORDS, max_size=2)
_ROUTES = _table([*_NEEDS, "methods", "where"], _VALUES, path=_PATHS, scopes=_SCOPES)
_GROUPS = _table([*_NEEDS, "routes"], _VALUES, path=_PATHS, scopes=_SCOPES, route=st.lists(_ROUTES, max_size=2))
_DOCUMENTS = _table(
    ["policy", "vocabulary", "roles", "gate", "tokens", "access_log", "group", "other"],
    _VALUES
    | _table(["vocabulary", "prefix", "require_token", "unmatched", "public_only"], _VALUES)
    | _table(["name", "categories", "actions", "implies", "all", "methods", "wildcards", "admin"], _VALUES)
    | _table(["categories", "reserved", "inherited"], _VALUES)
    | _table(["default_lifetime", "max_lifetime", "presets"], _VALUES)
    | _table(["to", "keep", "allowed", "flush", "most"], _VALUES)
    | _table(["realm", "basic", "headers", "query", "foreign", "answers", "method_override"], _VALUES),
    group=st.lists(_GROUPS, max_size=3),
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(_DOCUMENTS)
@example({"group": [{"path": "/a", "scopes": ["user"]}]})
def test_whatever_is_written_loads_or_is_a_configuration_error(data: dict[str, Any]) -> None:
    """No value of whatever kind in whatever place raises anything else; and what loads can be asked."""
    text = "\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in data.items())
    policy = refusal = None
    try:
        policy = Policy.loads(text, source="scopes.toml")
    except ConfigurationError as error:
        refusal = error
    if policy is None:
        assert refusal is not None
        assert refusal.where.startswith("scopes.toml")
        assert refusal.problem
        return
    for path in ("/", "/a/b", "/7/b"):
        policy.requirement("POST", path)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"x = {'1' * 5000}\n", id="a number of many digits"),
        pytest.param(f"x = {'[' * 5000}\n", id="a list in a list in a list"),
    ],
)
def test_toml_that_the_parser_gives_up_on_is_a_configuration_error(text: str) -> None:
    """As any other broken file."""
    with pytest.raises(ConfigurationError):
        Policy.loads(text)
