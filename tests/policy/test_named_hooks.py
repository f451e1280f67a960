"""The ``[hooks]`` table: which functions of the application the gate asks, by name."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scopeware.errors import ConfigurationError
from scopeware.policy import Policy
from scopeware.policy.hooks import Hooks

GROUP = '[[group]]\npath = "/"\nscopes = []\n'
HOOKS = tuple(entry.name for entry in fields(Hooks))


def loaded(table: str) -> Hooks:
    return Policy.loads(f"[hooks]\n{table}\n{GROUP}").hooks


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """``module(source)``: the name of a new module that can be imported."""
    monkeypatch.syspath_prepend(tmp_path)
    count = iter(range(100))

    def make(source: str) -> str:
        name = f"hooks_{next(count)}"
        (tmp_path / f"{name}.py").write_text(source, "utf-8")
        importlib.invalidate_caches()
        return name

    yield make
    for name in [name for name in sys.modules if name.startswith("hooks_")]:
        del sys.modules[name]


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_can_be_named(hook: str) -> None:
    """In the policy; the others are not there."""
    hooks = loaded(f'{hook} = "site.app:function"')
    assert hooks == Hooks(**{hook: "site.app:function"})
    assert [name for name in HOOKS if getattr(hooks, name)] == [hook]
    assert Policy.loads(GROUP).hooks == Hooks() != hooks


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("app:identify", id="a function"),
        pytest.param("site.users.app:identify", id="in a package"),
        pytest.param("_app:_identify", id="underscores"),
        pytest.param("app2:Users.by_cookie", id="a method of a class"),
        pytest.param("app:users.by_cookie.now", id="of an object in an object"),
    ],
)
def test_a_hook_is_a_module_and_what_is_in_it(name: str) -> None:
    """As Python names them."""
    assert loaded(f'identify = "{name}"').identify == name


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("app", id="a module alone"),
        pytest.param(":identify", id="no module"),
        pytest.param("app:", id="nothing in it"),
        pytest.param("app.identify", id="a dot for the colon"),
        pytest.param("app:identify()", id="a call"),
        pytest.param("app:identify:again", id="two colons"),
        pytest.param(".app:identify", id="a relative module"),
        pytest.param("app..users:identify", id="an empty part"),
        pytest.param("app:users..identify", id="an empty part of the name"),
        pytest.param("app.:identify", id="a dot at the end of the module"),
        pytest.param("app: identify", id="a space"),
        pytest.param(" app:identify", id="a space in front"),
        pytest.param("app:identify\n", id="a newline at the end"),
        pytest.param("/srv/app.py:identify", id="a file"),
        pytest.param("2app:identify", id="a digit in front"),
        pytest.param("app:2identify", id="a digit in front of the name"),
        pytest.param("app:identify-now", id="a dash"),
        pytest.param("app:identifié", id="beyond ASCII"),
        pytest.param("app:identify٣", id="another digit"),
        pytest.param("a" * 100_000, id="very long"),
        pytest.param("a." * 50_000 + ":b", id="very many parts"),
        pytest.param("\ud800:a", id="half a character"),
    ],
)
def test_a_name_that_python_would_not_know_is_refused(name: str) -> None:
    """Where the policy is loaded, not where it is used; the error names the key and is short."""
    with pytest.raises(ConfigurationError) as caught:
        Hooks(identify=name)
    assert caught.value.where == "identify"
    assert "module:attribute" in caught.value.problem
    assert len(caught.value.problem) < 200
    assert caught.value.problem.isprintable()


@pytest.mark.parametrize("hook", HOOKS)
def test_an_error_names_the_file_the_table_and_the_key(hook: str) -> None:
    """As of every other table."""
    with pytest.raises(ConfigurationError) as caught:
        Policy.loads(f'[hooks]\n{hook} = "nothing"\n{GROUP}', source="scopes.toml")
    assert caught.value.where == f"scopes.toml: hooks.{hook}"


@pytest.mark.parametrize(
    ("table", "where", "problem"),
    [
        pytest.param("identify = 7", "hooks.identify", "expected a string", id="a number"),
        pytest.param("identify = true", "hooks.identify", "expected a string", id="a flag"),
        pytest.param('identify = ["app:identify"]', "hooks.identify", "expected a string", id="a list"),
        pytest.param('identify = { a = "app:identify" }', "hooks.identify", "expected a string", id="a table"),
        pytest.param('identfy = "app:identify"', "hooks.identfy", "did you mean `identify`", id="unknown key"),
        pytest.param('resource = "app:owner"', "hooks.resource", "resource_owner", id="half a key"),
    ],
)
def test_what_is_no_name_is_refused(table: str, where: str, problem: str) -> None:
    """And so is a hook that nobody asks."""
    with pytest.raises(ConfigurationError) as caught:
        Policy.loads(f"[hooks]\n{table}\n{GROUP}", source="scopes.toml")
    assert caught.value.where == f"scopes.toml: {where}"
    assert problem in caught.value.problem


def test_the_table_is_a_table() -> None:
    """As every other."""
    with pytest.raises(ConfigurationError, match=r"^scopes.toml: hooks: expected a table: \[hooks\]$"):
        Policy.loads(f'hooks = "app:identify"\n{GROUP}', source="scopes.toml")


@given(
    table=st.dictionaries(
        st.sampled_from((*HOOKS, "identfy")), st.text(max_size=12) | st.integers() | st.lists(st.text()), max_size=3
    )
)
def test_whatever_is_written_is_taken_or_a_configuration_error(table: dict[str, Any]) -> None:
    """And what is taken is a module and a name in it, or nothing."""
    text = "\n".join(f"{key} = {json.dumps(value)}" for key, value in table.items())
    with suppress(ConfigurationError):
        hooks = loaded(text)
        for hook in HOOKS:
            assert not getattr(hooks, hook) or getattr(hooks, hook).count(":") == 1


# -- where they are imported


def test_nothing_is_imported_before_it_is_asked_for(module: Any) -> None:
    """Whoever looks a policy over need not have the application."""
    name = module("raise AssertionError('it was imported')")
    hooks = loaded(f'identify = "{name}:f"\nvisibility = "no_such_module:f"')
    assert hooks.load("resource_owner") is None
    assert name not in sys.modules


@pytest.mark.parametrize(
    ("source", "attribute", "answer"),
    [
        pytest.param("def f(): return 'called'", "f", "called", id="a function"),
        pytest.param(
            "class Users:\n    @staticmethod\n    def f(): return 'called'", "Users.f", "called", id="of a class"
        ),
        pytest.param(
            "class Users:\n    def f(self): return 'called'\nusers = Users()", "users.f", "called", id="of an object"
        ),
        pytest.param(
            "class Users:\n    def __call__(self): return 'called'\nusers = Users()", "users", "called", id="an object"
        ),
        pytest.param(
            "class Empty(dict):\n    def __call__(self): return 'called'\nf = Empty()", "f", "called", id="empty as yet"
        ),
        pytest.param("f = lambda: 'called'", "f", "called", id="a lambda"),
        pytest.param(
            "def __getattr__(name):\n    return lambda: name", "made_up", "made_up", id="of a module that makes them"
        ),
    ],
)
def test_a_hook_is_anything_that_can_be_called(module: Any, source: str, attribute: str, answer: str) -> None:
    """The same one each time."""
    hooks = Hooks(observe=f"{module(source)}:{attribute}")
    assert hooks.load("observe")() == answer
    assert hooks.load("identify") is None


@pytest.mark.parametrize(
    ("source", "attribute", "problem"),
    [
        pytest.param("", "f", "AttributeError", id="nothing of that name"),
        pytest.param("f = None", "f", "cannot be called", id="None"),
        pytest.param("f = 'alice'", "f", "cannot be called", id="text"),
        pytest.param("f = 7", "f.g", "AttributeError", id="nothing in it"),
        pytest.param("import no_such_module", "f", "ModuleNotFoundError", id="something that it imports"),
        pytest.param("raise RuntimeError('not my day')", "f", "RuntimeError: not my day", id="an error"),
        pytest.param("def f(:", "f", "SyntaxError", id="no Python"),
        pytest.param("raise KeyError", "f", "KeyError", id="an error that says nothing"),
        pytest.param("import sys\nsys.exit(3)", "f", "SystemExit", id="a script that ends"),
        pytest.param(
            "def __getattr__(name):\n    raise ZeroDivisionError('so')", "f", "ZeroDivisionError", id="while looking"
        ),
    ],
)
def test_what_cannot_be_imported_or_called_is_a_configuration_error(
    module: Any, source: str, attribute: str, problem: str
) -> None:
    """It says which hook, which name and why, and keeps the cause."""
    name = f"{module(source)}:{attribute}"
    with pytest.raises(ConfigurationError) as caught:
        Hooks(visibility=name).load("visibility")
    assert caught.value.where == "hooks.visibility"
    assert f"`{name}`" in caught.value.problem
    assert problem in caught.value.problem
    assert (caught.value.__cause__ is None) is (problem == "cannot be called")


@pytest.mark.parametrize("name", ["no_such_module:f", "os.no_such_part:f", "os.path.no_such_part:f"])
def test_a_module_that_is_not_there_is_a_configuration_error(name: str) -> None:
    """Nearest to one that is."""
    with pytest.raises(ConfigurationError, match="ModuleNotFoundError"):
        Hooks(identify=name).load("identify")
    assert Hooks(identify="os.path:join").load("identify")("a", "b") == "a/b"


def test_hooks_are_values() -> None:
    """They are compared by what they say, and do not change."""
    assert Hooks(identify="a:b") == Hooks(identify="a:b") != Hooks(identify="a:c")
    with pytest.raises(FrozenInstanceError):
        Hooks().identify = "a:b"  # type: ignore[misc]
