"""Plans as data, as a page for one's users, and as a script of SQL."""

from __future__ import annotations

import builtins
import json
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest

from scopeware.errors import ConfigurationError
from scopeware.migration import Mapping
from scopeware.migration.access import access_change, side_at
from scopeware.migration.plan import plan
from scopeware.migration.report import as_data, as_page, as_sql

HOSTILE = (
    "<script>document.title = 'taken'</script>",
    "<img src=x onerror=\"document.title = 'taken'\">",
    "</code></td></tr></table><h1>taken</h1>",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "&lt;b&gt;",
    "'\"><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "<!--",
    "]]>",
)

ROUTES = [
    {"method": "GET", "path": "/user/emails", "old_scopes": ["user:email"], "new_categories": ["user"]},
    {"method": "POST", "path": "/user/keys", "old_scopes": ["user"], "new_categories": ["user"]},
    {"method": "GET", "path": "/repos/{owner}/<script>", "old_scopes": ["repo"], "new_categories": ["repository"]},
    {"method": "GET", "path": "/repos/{owner}/issues", "old_scopes": ["repo"], "new_categories": ["issue"]},
]


class Page(HTMLParser):
    """What is in a page."""

    VOID = ("meta", "br", "img", "input", "link", "hr")

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.attributes = []
        self.rows = []
        self.open = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag == "td":
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "td" in self.open:
            self.rows[-1][-1] += data

    @property
    def lines(self):
        """The cells of each line of the table, by the first one."""
        plain = [[" ".join(cell.split()) for cell in row] for row in self.rows if row]
        return {row[0]: row[1:] for row in plain}


def only_on(*kinds):
    """A test of these databases."""
    return pytest.mark.parametrize("kind", kinds, indirect=True)


@pytest.fixture
def access(tmp_path, mapping):
    """``access(routes)``: what a conversion changes on these routes."""

    def compare(routes):
        path = tmp_path / "routes.json"
        path.write_text(json.dumps(routes), "utf-8")
        return access_change(side_at(path, mapping, old=True), side_at(path, mapping, old=False))

    return compare


@only_on("sqlite")
class TestData:
    def test_all_of_a_plan(self, table, mapping, access):
        """Each text with what it becomes, how many have it, what it gains and loses."""
        table.make("repo", "repo", "user:email", None, "wirte:package,sudo", "write:misc")
        data = as_data(plan(table.column(), mapping, "comma", access(ROUTES)))
        data = json.loads(json.dumps(data))
        lines = {line.pop("old"): line for line in data.pop("strings")}
        assert data == {
            "database": table.url,
            "table": "access_token",
            "column": "scope",
            "mapping": "gitea-1.19",
            "format": "comma",
            "rows": 5,
            "distinct": 4,
            "changed": 4,
            "left_as_they_are": {"NULL": 1},
            "too_long": [],
            "routes": 4,
            "routes_left_out": 0,
            "widened": 1,
            "narrowed": 2,
            "unknown": [
                {
                    "word": "wirte:package",
                    "rows": 1,
                    "suggestion": "did you mean `write:package` or `read:package` or `delete:package`?",
                }
            ],
        }
        assert lines["repo"] == {
            "new": "write:repository",
            "rows": 2,
            "unknown": [],
            "gained": [],
            "lost": [{"method": "GET", "path": "/repos/{owner}/issues"}],
        }
        assert lines["user:email"]["gained"] == [{"method": "POST", "path": "/user/keys"}]
        assert (lines["write:misc"]["new"], lines["write:misc"]["rows"]) == ("write:misc", 1)

    def test_without_routes_there_is_no_change_of_access(self, table, mapping):
        """It is not none: nobody knows."""
        table.make("repo")
        data = as_data(plan(table.column(), mapping))
        assert [data[key] for key in ("routes", "widened", "narrowed")] == [None, None, None]
        assert set(data["strings"][0]) == {"old", "new", "rows", "unknown"}

    def test_where_only_what_is_public_is_gained_or_lost(self, table, mapping, access):
        """It says so."""
        table.make("public_repo")
        data = as_data(plan(table.column(), mapping, "comma", access(ROUTES)))
        (line,) = data["strings"]
        assert {each.get("where") for each in [*line["gained"], *line["lost"]]} <= {None, "public", "not public"}
        assert {"method": "GET", "path": "/repos/{owner}/issues", "where": "public"} in line["lost"]


@only_on("sqlite")
class TestPage:
    def test_what_it_says(self, table, mapping, access):
        """To those whose tokens they are: what they had, have, gain and lose."""
        table.make(
            *["repo"] * 3,
            "user:email",
            "write:misc",
            "",
            "nobody:knows",
            "[",
            "sudo",
            "public_repo",
            "read:user",
            "read:misc",
        )
        text = as_page(plan(table.column(), mapping, "comma", access(ROUTES)))
        page = Page(text)
        assert page.open == []
        lines = page.lines
        assert lines["repo"] == ["write:repository", "3", "less: 1 GET /repos/{owner}/issues"]
        assert lines["user:email"] == ["write:user", "1", "more: 1 POST /user/keys"]
        assert lines["write:misc"][0] == "the same"
        assert lines["no scope"][:2] == ["the same", "1"]
        assert lines["nobody:knows"][0] == "the samenobody:knows is not known, and grants nothing"
        assert lines["read:user"] == ["the same", "1", "more: 1 GET /user/emails"]
        assert lines["read:misc"] == ["the same", "1", "what it did"]
        assert "Mapping <code>gitea-1.19</code>: 12 tokens with 10 different" in text
        assert "(where it is public)" in lines["public_repo"][-1]

    def test_what_becomes_nothing_and_what_cannot_be_read(self, table):
        """It is not an empty cell."""
        table.make('["user:email"]', "no list", "[]")
        lines = Page(as_page(plan(table.column(), Mapping.builtin("gitea-1.19-strict"), "json"))).lines
        assert lines["no list"] == ["cannot be read, and is left as it is", "1", "not compared"]
        assert lines['["user:email"]'][1:] == ["1", "not compared"]
        assert lines['["user:email"]'][0] in ("[]", "nothing")

    def test_a_text_that_becomes_empty(self, table):
        """Such a token reaches nothing any more."""
        table.make("user:email")
        assert Page(as_page(plan(table.column(), Mapping.builtin("gitea-1.19-strict")))).lines == {
            "user:email": ["nothing", "1", "not compared"]
        }

    def test_an_empty_table(self, table, mapping):
        """It is a page all the same."""
        table.make()
        page = Page(as_page(plan(table.column(), mapping)))
        assert page.lines == {}
        assert page.tags[0] == "html"

    def test_many_routes(self, table, mapping, access):
        """Not all of them, and how many more there are."""
        routes = [
            {"method": "GET", "path": f"/{each}", "old_scopes": ["repo"], "new_categories": ["misc"]}
            for each in range(450)
        ]
        table.make("repo")
        (cells,) = Page(as_page(plan(table.column(), mapping, "comma", access(routes)))).lines.values()
        assert cells[-1].startswith("less: 450 GET /0")
        assert cells[-1].endswith("and 50 others")

    @pytest.mark.parametrize("text", HOSTILE)
    def test_hostile_texts_are_texts(self, table, mapping, text):
        """Whatever stands in a token, in its unknown words, in the name of a mapping, is shown and does nothing."""
        table.make(f"{text.replace(',', ' ')},repo")
        mapping = Mapping(
            text, mapping.old, mapping.target, {word: () if word != "repo" else ("all",) for word in mapping.old.words}
        )
        plain = Page(as_page(plan(table.column(where="id > 1"), Mapping.builtin("gitea-1.19"))))
        html = as_page(plan(table.column(), mapping))
        page = Page(html)
        assert set(page.tags) <= {*plain.tags, "tbody", "tr", "td", "code", "span", "br"}
        assert set(page.attributes) <= {*plain.attributes, "class"}
        assert page.open == []
        assert [" ".join(f"{text},repo".split())] == list(page.lines)
        assert html.count("<code>") == html.count("</code>")

    def test_hostile_paths_are_texts(self, table, mapping, access):
        """Of routes, too."""
        table.make("user:email")
        routes = [
            {"method": "GET", "path": f"/{text}", "old_scopes": ["repo"], "new_categories": ["user"]}
            for text in HOSTILE
        ]
        page = Page(as_page(plan(table.column(), mapping, "comma", access(routes))))
        assert {"script", "img", "svg", "h1"} & set(page.tags) == {"h1"}
        assert page.tags.count("h1") == 1
        assert all(text in page.lines["user:email"][-1] for text in HOSTILE)

    def test_it_needs_nothing_from_elsewhere(self, table, mapping):
        """It is sent by mail, and read without a network."""
        table.make("repo")
        text = as_page(plan(table.column(), mapping))
        assert not re.search(r"(src|href|@import|url\()", text)

    def test_in_a_browser(self, table, mapping, access, tmp_path):
        """It shows what is there, and runs nothing of it."""
        browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if browser is None:
            pytest.skip("no browser: what it would see is read by the parser in the other tests")
        table.make(*(f"{text.replace(',', ' ')},repo" for text in HOSTILE))
        path = tmp_path / "page.html"
        path.write_text(as_page(plan(table.column(), mapping, "comma", access(ROUTES))), "utf-8")
        done = subprocess.run(
            [
                *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
                *(f"--user-data-dir={tmp_path}/profile", "--dump-dom", path.as_uri()),
            ],
            capture_output=True,
            timeout=30,
            check=True,
        )
        seen = done.stdout.decode("utf-8")
        page = Page(seen)
        assert "<title>What changes for tokens</title>" in seen
        assert {"script", "img", "svg"}.isdisjoint(page.tags)
        assert page.tags.count("h1") == 1
        assert sorted(page.lines) == sorted(" ".join(f"{text},repo".split()).replace("\n", " ") for text in HOSTILE)

    def test_jinja2_is_an_extra(self, table, mapping, monkeypatch):
        """What to install is said."""
        table.make("repo")
        made = plan(table.column(), mapping)
        original = builtins.__import__

        def without(name, *arguments, **options):
            if name == "jinja2":
                raise ImportError(name)
            return original(name, *arguments, **options)

        monkeypatch.setattr(builtins, "__import__", without)
        with pytest.raises(ConfigurationError, match=r"jinja2 is missing; run `pip install scopeware\[console\]`"):
            as_page(made)


def run_script(table, script):
    """Run a script as the database's own client does."""
    if table.kind == "sqlite":
        with closing(sqlite3.connect(table.url.removeprefix("sqlite:///"))) as connection:
            connection.executescript(script)
    elif table.kind == "postgres":
        import psycopg

        with closing(psycopg.connect(table.url, autocommit=True)) as connection:
            connection.execute(script)
    else:
        import pymysql
        from pymysql.constants import CLIENT

        parts = urlsplit(table.url)
        connection = pymysql.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=parts.username,
            password=parts.password or "",
            database=parts.path[1:],
            client_flag=CLIENT.MULTI_STATEMENTS,
            autocommit=True,
            ssl_disabled=True,
        )
        with closing(connection), connection.cursor() as cursor:
            cursor.execute(script)
            while cursor.nextset():
                pass


def taking_back(script):
    """What a script says in its last comment."""
    return script.partition("-- to take it back:\n")[2].replace("-- ", "")


class TestScript:
    def test_it_does_what_apply_does(self, table, mapping):
        """And what it says of taking it back does."""
        table.make_gitea(50)
        before, digest = table.rows, table.digest
        script = as_sql(plan(table.column(), mapping), table.column())
        table.close()
        run_script(table, script)
        assert [row[6] for row in table.rows] == [
            row[6] if row[6] is None else mapping.convert(row[6]) for row in before
        ]
        run_script(table, taking_back(script))
        assert table.digest == digest

    def test_any_text_is_a_text(self, table, mapping):
        """Quotes, backslashes, the ends of statements."""
        words = (
            "it's",
            "\\",
            "\\'OR/**/1=1--",
            "';DROP/**/TABLE/**/access_token;--",
            "%s",
            '"',
            "`",
            ";",
            "--",
            "$$",
            "😀",
        )
        table.make(*(f"{word},repo" for word in words), "user")
        script = as_sql(plan(table.column(), mapping), table.column())
        table.close()
        run_script(table, script)
        assert list(table.texts.values()) == [*(f"{word},write:repository" for word in words), "write:user"]

    def test_nothing_to_convert(self, table, mapping):
        """A script of nothing."""
        table.make("write:misc", None)
        script = as_sql(plan(table.column(), mapping), table.column())
        assert [line for line in script.splitlines() if not line.startswith("--")] == []
        run_script(table, script + "SELECT 1")

    @pytest.mark.parametrize("where", ["id = 1", "id IN (1) AND scope LIKE 're%'"])
    def test_only_rows_that_were_meant(self, table, mapping, where):
        """The others may hold the same texts."""
        table.make("repo", "repo", "user")
        column = table.column(where=where)
        script = as_sql(plan(column, mapping), column)
        table.close()
        run_script(table, script)
        assert table.texts == {1: "write:repository", 2: "repo", 3: "user"}

    def test_what_looks_alike_is_not_the_same(self, table, mapping):
        """An unknown word grants nothing, whatever the collation of the column says."""
        scope = {
            "sqlite": "TEXT COLLATE NOCASE",
            "postgres": "TEXT",
            "mariadb": "VARCHAR(99) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
        }[table.kind]
        table.make("repo", "Repo", "répo", "repo,x", "Repo,x", scope=scope)
        before = table.texts
        script = as_sql(plan(table.column(), mapping), table.column())
        table.close()
        run_script(table, script)
        assert table.texts == {
            1: "write:repository",
            2: "Repo",
            3: "répo",
            4: "x,write:repository",
            5: mapping.convert("Repo,x"),
        }
        run_script(table, taking_back(script))
        assert table.texts == before

    @pytest.mark.parametrize("name", ["two words", "order", 'say "it"', "100%"])
    def test_odd_names(self, table, mapping, name):
        """Of a table and its columns."""
        quote = "`" if table.kind == "mariadb" else '"'
        table.name = quote + name.replace(quote, quote * 2) + quote
        if "%" in name and table.kind != "sqlite":
            pytest.skip("see test_columns.py")
        table.sql(f"CREATE TABLE {table.name} (id INTEGER PRIMARY KEY, {quote}the scope{quote} VARCHAR(99))")
        table.insert([(1, "repo")])
        column = table.column("the scope", table=name)
        script = as_sql(plan(column, mapping), column)
        table.close()
        run_script(table, script)
        assert table.rows == [(1, "write:repository")]
        run_script(table, taking_back(script))
        assert table.rows == [(1, "repo")]

    @only_on("sqlite")
    def test_a_name_does_not_leave_its_comment(self, table, mapping):
        """That of a mapping is anybody's."""
        mapping = Mapping(
            "mine\nDROP TABLE access_token;",
            mapping.old,
            mapping.target,
            {word: ("all",) if word in ("repo", "all") else () for word in mapping.old.words},
        )
        table.make("repo")
        script = as_sql(plan(table.column(), mapping), table.column())
        table.close()
        run_script(table, script)
        assert table.texts == {1: "all"}
