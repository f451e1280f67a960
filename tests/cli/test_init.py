"""``scopeware init``: a policy is drafted, or added to, and nothing that a person wrote is lost."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

import pytest
from command_line import says

from scopeware import Policy

DATA = Path(__file__).resolve().parents[1] / "data"
GITEA = str(DATA / "gitea-routes.json")
ROUTES = ("GET /api/orders", "POST /api/orders", "GET /api/orders/{id}", "GET /api/users")
MORE = (*ROUTES, "GET /api/bills", "DELETE /api/bills/{id}")
HAND_MADE = """\
# Who may do what.   größe

[policy]
prefix = '/api'\t# below

[vocabulary]
name="shop"
[vocabulary.categories]   # parts of the shop
order = "Orders"    # two  spaces

  [[group]]
path="/orders"; scopes = []
"""


@pytest.fixture
def routes(folder):
    """Writes a table of routes: ``routes("GET /api/x")``."""

    def write(*rows, name="routes.json", **known):
        table = [{"method": row.split(" ")[0], "path": row.split(" ")[1]} | known for row in rows]
        (folder / name).write_text(json.dumps(table), "utf-8")
        return name

    return write


@pytest.fixture
def written(folder):
    """The bytes of a file that a person wrote: comments, odd spaces, and a category of its own."""

    def write(text=HAND_MADE, name="scopes.toml"):
        made = text.replace("; scopes = []", '\nscopes   =   ["order"]   # both\n').encode()
        (folder / name).write_bytes(made)
        return made

    return write


def names(folder):
    """The files in a folder."""
    return sorted(path.name for path in folder.iterdir())


class TestANewPolicy:
    def test_a_policy_is_written(self, cli, folder, routes):
        """It loads, and what was done and what comes next is said."""
        result = cli("init", routes(*ROUTES))
        assert (result.status, result.out) == (0, "scopes.toml: 4 routes (table) in 2 groups; 0 places to check\n")
        assert "scopeware lint scopes.toml --app routes.json" in result.err
        assert [group.path for group in Policy.load("scopes.toml").groups] == ["/orders", "/users"]
        assert names(folder) == ["routes.json", "scopes.toml"]
        umask = os.umask(0o022)
        os.umask(umask)
        assert os.stat("scopes.toml").st_mode & 0o777 == 0o666 & ~umask

    def test_run_again_there_is_nothing_new(self, cli, folder):
        """The file stays as it is, with and without `--update`."""
        cli("init", GITEA)
        before = (folder / "scopes.toml").stat()
        for more in ((), ("--update",)):
            result = cli("init", GITEA, *more)
            assert (result.status, result.err) == (0, "")
            assert result.out == "scopes.toml covers all 491 routes under its prefix\n"
        after = (folder / "scopes.toml").stat()
        assert (after.st_ino, after.st_mtime_ns, after.st_mode) == (before.st_ino, before.st_mtime_ns, before.st_mode)

    def test_to_the_terminal(self, cli, folder, routes):
        """Nothing else is printed, and no file is written or looked at."""
        (folder / "scopes.toml").write_text("broken", "utf-8")
        result = cli("init", routes(*ROUTES), "--policy", "-")
        assert (result.status, result.err) == (0, "")
        assert len(Policy.loads(result.out).groups) == 2
        assert (folder / "scopes.toml").read_text("utf-8") == "broken"

    def test_to_the_terminal_as_json(self, cli, routes):
        """What is asked for as JSON is JSON, or refused."""
        result = cli("init", routes(*ROUTES), "--policy", "-", "--json")
        assert result.status == 2 or "[[group]]" in json.dumps(result.json)

    def test_as_json(self, cli, routes):
        """The numbers, for machines."""
        result = cli("init", routes(*ROUTES), "--json", "--policy", "a.toml")
        assert (result.status, result.err) == (0, "")
        assert result.json == {"policy": "a.toml", "routes": 4, "groups": 2, "to_check": 0, "notes": []}

    @pytest.mark.parametrize("name", ["my routes.json", "it's $HOME;`ls`.json", '"a" & b.json'])
    def test_what_comes_next_survives_a_shell(self, cli, folder, routes, name):
        """Whatever the files are called, what is printed can be run as it stands."""
        result = cli("init", routes(*ROUTES, name=name), "--policy", f"policy of {name}.toml")
        assert result.status == 0
        [line] = [line for line in result.err.splitlines() if line.startswith("next: ")]
        words = shlex.split(line[line.index("scopeware lint") :])
        assert words == ["scopeware", "lint", f"policy of {name}.toml", "--app", name]
        assert cli(*words[1:]).err.endswith("(4 routes)\n")

    def test_text_of_a_document_is_printed_without_control_characters(self, cli, folder):
        """In notes, and in the list of what is new; it is escaped, not lost."""
        operation = {"get": {"summary": "All\u0007 \u009bof\u202e it"}}
        paths = {"/api/a\u0007b": operation, "/api/\u009b2Jc": operation, "/api/\u202ed": operation}
        document = {"openapi": "3.1.0", "info": {}, "paths": paths}
        (folder / "openapi.json").write_text(json.dumps(document), "utf-8")
        first = cli("init", "openapi.json")
        (folder / "scopes.toml").write_text('[policy]\nprefix = "/api"\n[[group]]\npath = "/x"\nscopes = []\n', "utf-8")
        again = cli("init", "openapi.json")
        assert (first.status, again.status) == (0, 1)
        for line in (first.out + first.err + again.out + again.err).splitlines():
            assert line.isprintable(), line
        assert r"\x07" in first.err
        assert r"/api/\u202ed" in again.out

    @pytest.mark.parametrize("place", ["missing/scopes.toml", "routes.json/scopes.toml", "/proc/scopes.toml"])
    def test_where_nothing_can_be_written(self, cli, folder, routes, place):
        """That is said, and nothing is left behind."""
        says(cli("init", routes(*ROUTES), "--policy", place), 2, place)
        assert names(folder) == ["routes.json"]


class TestAnOldPolicy:
    def test_new_routes_are_named(self, cli, folder, routes):
        """One a line, and nothing is written."""
        cli("init", routes(*ROUTES))
        before = (folder / "scopes.toml").read_bytes()
        result = cli("init", routes(*MORE))
        assert result.status == 1
        assert result.out.splitlines()[1:] == ["  GET /api/bills", "  DELETE /api/bills/<id>"]
        assert "--update" in result.err
        assert (folder / "scopes.toml").read_bytes() == before

    def test_new_routes_are_named_as_json(self, cli, folder, routes):
        """And what is outside of the prefix, with the same status."""
        cli("init", routes(*ROUTES))
        before = (folder / "scopes.toml").read_bytes()
        result = cli("init", routes(*MORE, "GET /metrics"), "--json")
        assert result.status == 1
        told = {"policy": "scopes.toml", "routes": 7, "added": 0, "outside": ["GET /metrics"]}
        assert result.json == told | {"new": ["GET /api/bills", "DELETE /api/bills/<id>"]}
        assert (folder / "scopes.toml").read_bytes() == before

    def test_new_routes_are_added(self, cli, folder, routes):
        """The old lines stay, a new category aside; the new policy covers all, and says so."""
        cli("init", routes(*ROUTES))
        before = (folder / "scopes.toml").read_text("utf-8")
        assert cli("init", routes(*MORE), "--update").status == 0
        after = (folder / "scopes.toml").read_text("utf-8")
        head, _, tail = before.partition("[vocabulary.categories]\n")
        inserted = after.removeprefix(f"{head}[vocabulary.categories]\n").split(tail)
        assert re.fullmatch(r'bills = ".*"\n', inserted[0])
        assert len(inserted) == 2
        assert 'path = "/bills"\n' in inserted[1]
        assert cli("init", routes(*MORE)).status == 0
        needed = Policy.load("scopes.toml").requirement("DELETE", "/api/bills/7")
        assert needed.scope_lists() == (("write:bills",),)

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda text: text.replace("\n", "\r\n"), id="lines of Windows"),
            pytest.param(lambda text: text.rstrip("\n"), id="no newline at the end"),
            pytest.param(lambda text: text + "[lint]\nallow = [\n # none\n]\n\n\n", id="another table at the end"),
        ],
    )
    def test_what_a_person_wrote_is_kept(self, cli, folder, routes, written, change):
        """Each byte of it, in front and behind the one category that is new."""
        before = written(change(HAND_MADE))
        assert cli("init", routes(*MORE[:3], *MORE[4:]), "--update").status == 0
        after = (folder / "scopes.toml").read_bytes()
        at = before.index(b"\n", before.index(b"[vocabulary.categories]")) + 1
        assert after.startswith(before[:at])
        assert before[at:] in after
        assert {group.path for group in Policy.load("scopes.toml").groups} == {"/orders", "/bills"}

    def test_mode_and_symbolic_link_are_kept(self, cli, folder, routes, written):
        """What the link leads to is written, in its own folder."""
        (folder / "real").mkdir()
        written(name="real/policy.toml")
        (folder / "real" / "policy.toml").chmod(0o640)
        (folder / "scopes.toml").symlink_to("real/policy.toml")
        assert cli("init", routes(*MORE), "--update").status == 0
        assert os.readlink("scopes.toml") == "real/policy.toml"
        assert (folder / "real" / "policy.toml").stat().st_mode & 0o777 == 0o640
        assert b"/bills" in (folder / "real" / "policy.toml").read_bytes()
        assert names(folder / "real") == ["policy.toml"]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            pytest.param("[policy", "TOML", id="broken"),
            pytest.param("", "empty", id="empty"),
            pytest.param(
                'group = [{ path = "/users", scopes = ["user"] }]\n[policy]\nprefix = "/api"\n', "group", id="inline"
            ),
            pytest.param(
                '[policy]\nprefix = "/api"\n[vocabulary]\ncategories = { order = "" }\n'
                '[[group]]\npath = "/<x>/<int:id>"\nscopes = []\n',
                "bills",
                id="no place for a category",
            ),
            pytest.param(
                '[policy]\nprefix = "/api"\n[[group]]\npath = "/<x>/export"\nscopes = ["user"]\n',
                "cannot be added",
                id="a contradiction",
            ),
        ],
    )
    def test_a_policy_that_cannot_be_added_to(self, cli, folder, routes, text, said):
        """What is wrong is said with the file's name, and nothing is written."""
        (folder / "scopes.toml").write_text(text, "utf-8")
        says(cli("init", routes(*MORE), "--update"), 2, "scopes.toml", said)
        assert (folder / "scopes.toml").read_text("utf-8") == text
        assert names(folder) == ["routes.json", "scopes.toml"]
