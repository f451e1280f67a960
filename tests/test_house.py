"""The rules of the house: what may import what, what is loaded when, and what every module has."""

from __future__ import annotations

import ast
import configparser
import dataclasses
import importlib.util
import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import scopeware

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "scopeware"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Ground floor first. What is at the top of the package: errors, text and durations below everything, the rest above.
FLOORS = (
    "errors",
    "text",
    "durations",
    "scopes",
    "policy",
    "tokens",
    "gate",
    "migration",
    "introspect",
    "console",
    "testing",
    "cli",
    "roof",
)

FRAMEWORKS = ("flask", "django", "bottle", "falcon", "pyramid")
# peewee looks for drivers of PostgreSQL and MariaDB by itself.
EXTRAS = ("click", "rich", "jinja2", "gunicorn", "webob", "redis", *FRAMEWORKS)

# Where the systems may be named that the examples are modelled on, and which: vocabularies that ship, styles of
# answers, texts of help. Anywhere else one of them would have got a say in how the house is built.
SYSTEMS = ("timetracker", "unraid", "capella", "infrabox", "gitea")
NAMED = {
    "scopes/vocabulary.py": {"gitea"},
    "policy/document.py": {"gitea"},
    "policy/policy.py": {"gitea"},
    "tokens/store.py": {"gitea"},
    "gate/answers.py": {"gitea", "timetracker"},
    "gate/middleware.py": {"gitea", "timetracker"},
    "cli/output.py": {"gitea"},
    "cli/scopes.py": {"gitea"},
    "cli/demo.py": {"gitea"},
    "cli/migrate.py": {"gitea"},
    "migration/mapping.py": {"gitea"},
    "introspect/draft.py": {"gitea"},
}


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def floor_of(place: tuple[str, ...]) -> int:
    """The floor of a module, by its place below the package; every folder has to have one."""
    return FLOORS.index("roof" if place[0] in ("__init__", "__main__") else place[0])


def floor_of_import(target: tuple[str, ...]) -> int:
    """The floor of what is imported: a name that is no floor is one that the front page passes on."""
    return FLOORS.index(target[0] if target and target[0] in FLOORS else "roof")


def imports_of(tree: ast.Module, place: tuple[str, ...]) -> list[tuple[int, tuple[str, ...]]]:
    """Line and place below the package of everything of scopeware's own that a module imports.

    :param place: that of the module's package: ``("gate",)``.
    """
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            found += [(node.lineno, tuple(name[1:])) for name in names if name[0] == "scopeware"]
        elif isinstance(node, ast.ImportFrom):
            words = (node.module or "").split(".") if node.module else []
            if node.level:
                words = [*place[: len(place) - node.level + 1], *words]
            elif words and words[0] == "scopeware":
                words = words[1:]
            else:
                continue
            found += [(node.lineno, (*words, alias.name)) for alias in node.names]
    return found


def climbs(tree: ast.Module, path: Path) -> list[str]:
    """What a module imports from above its floor."""
    place = path.relative_to(PACKAGE).with_suffix("").parts
    own = floor_of(place)
    return [
        f"{name_of(path)}:{line}: {'.'.join(target)}"
        for line, target in imports_of(tree, place[:-1])
        if floor_of_import(target) > own
    ]


class TestFloors:
    @pytest.mark.parametrize("path", MODULES, ids=name_of)
    def test_a_floor_imports_nothing_from_above(self, path):
        """scopes < policy < tokens < gate < cli, deferred imports and those for types included."""
        assert climbs(tree_of(path), path) == []

    @pytest.mark.parametrize(
        ("place", "source"),
        [
            ("policy/policy.py", "from ..gate import Scopeware"),
            ("policy/policy.py", "def f():\n    from .. import tokens"),
            ("scopes/roles.py", "import scopeware.policy.path"),
            ("gate/answers.py", "from scopeware.cli.output import text"),
            ("errors.py", "from .scopes import Roles"),
            ("text.py", "from .durations import parse_duration"),
            ("durations.py", "from .policy import Lifetimes"),
            ("scopes/roles.py", "from scopeware import Policy"),
        ],
    )
    def test_climbing_would_be_seen(self, place, source):
        """However the import is written."""
        assert len(climbs(ast.parse(source), PACKAGE / place)) == 1

    @pytest.mark.parametrize(
        ("place", "source"),
        [
            ("policy/policy.py", "from ..text import near"),
            ("policy/policy.py", "from . import document"),
            ("policy/lifetimes.py", "from ..durations import parse_duration"),
            ("durations.py", "from .errors import ConfigurationError\nfrom .text import quoted"),
            ("gate/middleware.py", "from ..errors import ConfigurationError\nimport scopeware.tokens"),
            ("cli/main.py", "from ..tokens import TokenStore\nfrom .db import db"),
        ],
    )
    def test_going_down_is_fine(self, place, source):
        """And so is staying."""
        assert climbs(ast.parse(source), PACKAGE / place) == []


class TestImporting:
    @staticmethod
    def loaded_by(statement):
        """The modules that a fresh interpreter has after `statement`."""
        code = f"import sys\n{statement}\nprint(*sys.modules, sep='\\n')"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
        return set(done.stdout.split())

    def test_importing_the_package_loads_no_extra(self):
        """Nor what is slow to load and seldom needed."""
        loaded = self.loaded_by("import scopeware")
        assert {"scopeware", "scopeware.gate.middleware"} <= loaded
        assert loaded.isdisjoint({*EXTRAS, "scopeware.cli", "playhouse.migrations", "playhouse.db_url"})
        assert loaded.isdisjoint({"scopeware.tokens.networked", "playhouse.pool"})

    def test_what_is_looked_for_would_be_seen(self):
        """The command line loads click and rich."""
        assert {"click", "rich"} <= self.loaded_by("import scopeware.cli")

    def test_the_command_line_loads_no_framework(self):
        """Nor a server."""
        assert self.loaded_by("import scopeware.cli").isdisjoint({*FRAMEWORKS, "gunicorn", "jinja2", "webob"})


class TestEveryModule:
    @pytest.mark.parametrize("path", MODULES, ids=name_of)
    def test_it_says_what_it_is(self, path):
        """In a docstring."""
        assert ast.get_docstring(tree_of(path))

    @pytest.mark.parametrize("path", MODULES, ids=name_of)
    def test_it_has_no_assert(self, path):
        """``python -O`` would drop it."""
        assert [node.lineno for node in ast.walk(tree_of(path)) if isinstance(node, ast.Assert)] == []

    @pytest.mark.parametrize("path", MODULES, ids=name_of)
    def test_it_names_no_issue(self, path):
        """Why something is so is written there, not elsewhere."""
        found = re.findall(
            r"(?i)(?<![\w&/])#\d+\b|\bGH-\d+|\bissue \d+|github\.com/\S+/(?:issues|pull)/\d+", text(path)
        )
        assert found == []

    @pytest.mark.parametrize("path", MODULES, ids=name_of)
    def test_it_names_an_example_system_only_where_that_is_its_business(self, path):
        """See ``NAMED``."""
        named = {system for system in SYSTEMS if system in text(path).lower()}
        assert named <= NAMED.get(name_of(path), set())

    def test_the_list_of_exceptions_is_of_modules_that_are_there(self):
        """So that it is shortened with the house."""
        assert set(NAMED) <= {name_of(path) for path in MODULES}


def text(path: Path) -> str:
    return path.read_text("utf-8")


EXPORTED = sorted(
    name for name in vars(scopeware) if not name.startswith("_") and not inspect.ismodule(vars(scopeware)[name])
)


class TestThePackage:
    @pytest.mark.parametrize("name", EXPORTED)
    def test_every_public_name_has_a_docstring_of_its_own(self, name):
        """Inherited ones, and those that dataclasses make, say nothing."""
        found = getattr(scopeware, name)
        own = vars(found).get("__doc__") if inspect.isclass(found) else found.__doc__
        assert own
        assert not (dataclasses.is_dataclass(found) and own.startswith(f"{name}("))

    @pytest.mark.parametrize("name", EXPORTED)
    def test_every_public_method_has_a_docstring(self, name):
        """Where it is written, or where it comes from."""
        found = getattr(scopeware, name)
        methods = inspect.getmembers(found, inspect.isroutine) if inspect.isclass(found) else []
        own = [(word, method) for word, method in methods if not word.startswith("_") and word in vars(found)]
        assert [word for word, method in own if not inspect.getdoc(method)] == []

    def test_the_front_page_exports_what_is_promised(self):
        """What every README starts with."""
        assert {"Policy", "Scopeware", "TokenStore", "req_token", "Vocabulary", "ScopewareError"} <= set(EXPORTED)

    def test_the_front_page_only_passes_on(self):
        """Docstring and imports, each name spelled out for type checkers."""
        docstring, *imports = tree_of(PACKAGE / "__init__.py").body
        assert isinstance(docstring, ast.Expr)
        for node in imports:
            assert isinstance(node, ast.ImportFrom)
            assert all(alias.asname == alias.name for alias in node.names)

    def test_it_says_that_it_is_typed(self):
        """The marker is there, and is shipped."""
        assert (PACKAGE / "py.typed").is_file()
        assert "py.typed" in metadata()["options.package_data"]["scopeware"]

    def test_every_folder_is_shipped(self):
        """A package that setup.cfg forgets is missing in the wheel only."""
        listed = set(metadata()["options"]["packages"].split())
        folders = [path.parent.relative_to(ROOT).parts for path in PACKAGE.rglob("__init__.py")]
        assert {".".join(folder) for folder in folders} <= listed

    def test_every_extra_that_a_message_names_is_there(self):
        """`pip install scopeware[...]` is what someone is told who lacks something."""
        named = {extra for path in MODULES for extra in re.findall(r"scopeware\[(\w+)\]", text(path))}
        assert named
        assert named <= set(metadata()["options.extras_require"])

    def test_the_newest_heading_of_the_changelog_is_the_version(self):
        """What is installed is what was told."""
        heading = re.search(r"^## \[?v?(\d[^\s\]]*)", text(ROOT / "CHANGELOG.md"), re.MULTILINE)
        assert heading is not None
        assert heading[1] == metadata()["metadata"]["version"]


APPLICATIONS = ("httpbin", "pypiserver", "wsgidav", "wagtail", "rest_framework")
FRAMEWORKS = ("bottle", "django", "falcon", "flask", "pyramid")
CLIENTS_AND_SERVERS = (
    "cheroot",
    "openapi_spec_validator",
    "yaml",
    "gunicorn",
    "pip",
    "psycopg",
    "pymysql",
    "redis",
    "twine",
    "waitress",
    "webdav3",
)


@pytest.mark.skipif(os.environ.get("SCOPEWARE_REQUIRE_SERVICES") != "1", reason="a newcomer may lack some of these")
class TestNothingIsSkippedForLackOfIt:
    @pytest.mark.parametrize("name", [*APPLICATIONS, *FRAMEWORKS, *CLIENTS_AND_SERVERS])
    def test_a_package_that_tests_would_be_skipped_without_is_there(self, name):
        """A skip must not hide that something was not tried at all."""
        assert importlib.util.find_spec(name) is not None

    @pytest.mark.parametrize("name", ["curl", "git"])
    def test_a_program_that_tests_would_be_skipped_without_is_there(self, name):
        """The same for commands."""
        assert shutil.which(name) is not None


def metadata() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", "utf-8")
    return parser
