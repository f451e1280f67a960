"""``scopeware routes``: what an application has is listed, for people and for the other commands; nothing is called."""

from __future__ import annotations

import importlib
import itertools
import json
import sys

import pytest
from command_line import says

from scopeware import Policy

_numbers = itertools.count()
FLASK = """
from flask import Flask
from scopeware import req_scopes, req_token

app = Flask("shop", static_folder=None)


@app.before_request
def called():
    raise RuntimeError("called")


def view(**variables):
    raise RuntimeError("called")


def other(**variables):
    raise RuntimeError("called")


app.add_url_rule("/api/orders", "orders", view, methods=["GET", "POST"])
"""
LINTED = """
[policy]
prefix = "/api"
[vocabulary]
name = "shop"
categories = { order = "Orders" }
[[group]]
path = "/orders"
scopes = ["order"]
[[group]]
path = "/legacy/deep"
scopes = []
[[group]]
path = "/cart"
scopes = []
"""
DJANGO = """
from django.http import HttpResponse
from django.urls import path

SECRET_KEY = "x"
ROOT_URLCONF = __name__


def order(request, number):
    raise RuntimeError("called")


urlpatterns = [path("api/orders/<int:number>/", order)]
"""
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Shop", "version": "1"},
    "paths": {
        "/api/orders": {
            "get": {"summary": "All orders", "security": []},
            "post": {"summary": "A new one", "security": [{"token": []}], "x-required-scopes": [["write:order"]]},
        },
        "/api/stock": {"get": {"summary": "What is left"}},
    },
}


@pytest.fixture
def module(folder, monkeypatch):
    """Writes a module that was never imported before: its name."""
    monkeypatch.setattr(sys, "path", [*sys.path])

    def write(text):
        name = f"routes_site_{next(_numbers)}"
        (folder / f"{name}.py").write_text(text, "utf-8")
        importlib.invalidate_caches()
        return name

    return write


def listed(result):
    """Method and path of each route in the JSON."""
    return [(row["method"], row["path"]) for row in result.json["routes"]]


class TestWhatIsPrinted:
    def test_a_table(self, cli, module):
        """A line a route; how many they are on stderr."""
        result = cli("routes", module(FLASK + 'app.add_url_rule("/api/orders/<int:x>", "one", view)\n') + ":app")
        assert (result.status, result.err) == (0, "2 routes (flask)\n")
        lines = [line.split() for line in result.out.splitlines()]
        assert lines[1:] == [["GET,POST", "/api/orders", "orders"], ["GET", "/api/orders/<int:x>", "one"]]

    def test_no_route(self, cli, module):
        """That is a status of its own, and said; also where the reader is a machine."""
        name = module("def app(environ, start_response):\n    raise RuntimeError('called')\n")
        result = cli("routes", name)
        assert (result.status, result.out) == (1, "")
        assert "0 routes" in result.err
        assert cli("routes", name, "--json").json["routes"] == []

    @pytest.mark.parametrize("command", ["init", "lint", "routes"])
    def test_nothing_of_the_application_is_called(self, cli, folder, module, command):
        """One that fails whenever it is called is looked at all the same."""
        called = "def __call__(self, environ, start_response):\n        raise RuntimeError('called')\n"
        text = f"{FLASK}\nclass Failing:\n    app = None\n    {called}\nsite = Failing()\nsite.app = app\n"
        (folder / "scopes.toml").write_text(LINTED, "utf-8")
        name = f"{module(text)}:site"
        arguments = {"init": (name, "--policy", "-"), "lint": ("--app", name), "routes": (name,)}[command]
        result = cli(command, *arguments)
        assert result.status == (1 if command == "lint" else 0)
        assert "called" not in result.err
        assert "/api/orders" in result.out or "/orders" in result.out or "/api/cart" in result.out

    def test_text_of_a_document_is_printed_without_control_characters(self, cli, folder):
        """In the table and in notes; it is escaped, not lost."""
        operation = {"summary": "All\u0007 \u009bof\u202e it", "operationId": "list\u0007"}
        paths = {"/api/a\u0007b": {"get": operation}, "/api/\u202ec": {"get": operation}}
        (folder / "openapi.json").write_text(json.dumps(DOCUMENT | {"paths": paths}), "utf-8")
        result = cli("routes", "openapi.json")
        assert result.status == 0
        assert [line for line in (result.out + result.err).splitlines() if not line.isprintable()] == []
        assert r"All\x07" in result.out
        assert r"/api/\u202ec" in result.out
        assert r"/api/a\x07b" in result.err
        empty = {"kind": "made\u0007 up", "routes": [], "notes": ["who \u009b2J knows"]}
        (folder / "empty.json").write_text(json.dumps(empty), "utf-8")
        result = cli("routes", "empty.json")
        assert all(line.isprintable() for line in result.err.splitlines())

    @pytest.mark.parametrize("command", ["init", "routes"])
    @pytest.mark.parametrize("address", ["https://shop.example/openapi.json", "http://127.0.0.1:1/schema"])
    def test_of_an_address_it_says_to_download_it(self, cli, folder, command, address):
        """Nothing is fetched, nothing is imported, and nothing is written."""
        says(cli(command, address), 2, address, "download")
        assert list(folder.iterdir()) == []


class TestReadAgain:
    @pytest.mark.parametrize(
        "text",
        [
            pytest.param('app.add_url_rule("/api/cart/<path:p>", "cart", other)', id="rules"),
            pytest.param(
                "from werkzeug.middleware.dispatcher import DispatcherMiddleware\n"
                "app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {'/api/legacy': lambda environ, answer: []})",
                id="a mount that answers for all below it",
            ),
            pytest.param(
                'app.add_url_rule("/api/cart", "a", req_token(other))\n'
                'app.add_url_rule("/api/basket", "b", req_scopes("read:order", optional=True)(other))',
                id="decorators",
            ),
            pytest.param('app.add_url_rule("/api/cart", "a", view)', id="a view on two paths"),
            pytest.param(
                'def save_order(**known):\n    """Saves it."""\n'
                'app.add_url_rule("/api/orders/save", "save_order", save_order, methods=["GET", "POST"])',
                id="a view of two methods",
            ),
            pytest.param("def app(environ, start_response):\n    return []", id="no route"),
        ],
    )
    def test_init_and_lint_find_the_same(self, cli, folder, module, text):
        """In what `--json` printed, as in the application itself."""
        name = module(FLASK + text) + ":app"
        (folder / "routes.json").write_text(cli("routes", name, "--json").out, "utf-8")
        (folder / "scopes.toml").write_text(LINTED, "utf-8")
        drafts = [Policy.loads(cli("init", each, "--policy", "-").out) for each in (name, "routes.json")]
        assert drafts[0].groups == drafts[1].groups
        findings = [cli("lint", "--app", each, "--json").json["findings"] for each in (name, "routes.json")]
        assert findings[0] == findings[1]


class TestImporting:
    @pytest.mark.parametrize(
        ("text", "attribute", "said"),
        [
            pytest.param("import nowhere_to_be_found", "", "nowhere_to_be_found", id="what it imports is missing"),
            pytest.param("import sys\nsys.exit('no\\nsettings')", ":app", "SystemExit: no settings", id="it exits"),
            pytest.param("raise ValueError", ":app", "ValueError", id="it fails"),
            pytest.param("def make():\n    raise SystemExit", ":make()", "SystemExit", id="its factory exits"),
            pytest.param("app = 3", "", "module:attribute", id="no application"),
        ],
    )
    def test_what_cannot_be_imported(self, cli, module, text, attribute, said):
        """The module and the problem are named, in a line."""
        name = module(text)
        says(cli("routes", name + attribute), 2, name, said)

    def test_a_factory(self, cli, module):
        """With parentheses it is called, once, and what it makes is looked at."""
        name = module(f"{FLASK}made = []\ndef make():\n    made.append(1)\n    assert made == [1]\n    return app\n")
        assert listed(cli("routes", f"{name}:make()", "--json")) == [("GET", "/api/orders"), ("POST", "/api/orders")]

    @pytest.mark.parametrize("command", ["init", "routes"])
    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("def made():\n    return app", id="without arguments"),
            pytest.param("def made(config=None):\n    return app", id="an optional one"),
            pytest.param("def made(config=None, debug=False):\n    return app", id="two optional ones"),
            pytest.param("def made(*, config=None):\n    return app", id="one by name"),
            pytest.param("def made(**config):\n    return app", id="any by name"),
            pytest.param("made = lambda: app", id="a lambda"),
        ],
    )
    def test_a_factory_without_parentheses_is_told_what_to_write(self, cli, module, command, text):
        """It is not called; what is to be written then works."""
        name = module(f"{FLASK}{text}\n")
        more = ("--policy", "-") if command == "init" else ()
        says(cli(command, f"{name}:made", *more), 2, f"{name}:made", "makes an application", f"write {name}:made()")
        assert cli(command, f"{name}:made()", *more).status == 0

    def test_objects_are_not_asked_whether_they_are_factories(self, cli, module):
        """Some answer any question with an error, such as a proxy outside of a request."""
        odd = "class Odd:\n    def __getattr__(self, name):\n        raise RuntimeError(name)\n"
        name = module(f"{odd}    def __call__(self, environ, start_response):\n        return []\napp = Odd()\n")
        result = cli("routes", name)
        assert (result.status, "RuntimeError" in result.err) == (1, False)

    def test_a_factory_by_default_is_told_that_it_is_one(self, cli, module):
        """Where it is called as applications are."""
        name = module("def app():\n    raise RuntimeError('called')\n")
        says(cli("routes", name), 2, name, "`app` takes no request", ":app()")

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(
                "def site(environ, start_response):\n    return app(environ, start_response)", id="a function"
            ),
            pytest.param(
                "def site(environ, start_response=None):\n    return app(environ, start_response)", id="half optional"
            ),
            pytest.param(
                "def site(environ, start_response, *, debug=False):\n    return app(environ, start_response)",
                id="an option of its own",
            ),
            pytest.param("def site(*arguments):\n    return app(*arguments)", id="any arguments"),
            pytest.param("site = lambda environ, answer: app(environ, answer)", id="a lambda"),
            pytest.param(
                "import functools\n\n@functools.wraps(app)\ndef site(*arguments, **more):\n    return app(*arguments)",
                id="wrapped",
            ),
            pytest.param(
                "class Site:\n    def __init__(self):\n        self.app = app\n"
                "    def __call__(self, environ, start_response):\n        return self.app(environ, start_response)\n"
                "site = Site()",
                id="an instance of a class",
            ),
            pytest.param(
                "class Site:\n    app = app\n    def answer(self, environ, start_response):\n"
                "        return self.app(environ, start_response)\nsite = Site().answer",
                id="a method",
            ),
        ],
    )
    def test_an_application_is_no_factory(self, cli, module, text):
        """It is taken as it is, and not called."""
        result = cli("routes", f"{module(f'{FLASK}{text}')}:site", "--json")
        assert result.status == 0, result.err
        assert listed(result) == [("GET", "/api/orders"), ("POST", "/api/orders")]

    @pytest.mark.parametrize("arguments", [("routes", "--json"), ("init", "--policy", "-")])
    def test_a_module_that_prints(self, command, module, arguments):
        """What it prints is not among what the command prints."""
        text = f"{FLASK}import os\nprint('loading')\ndef make():\n    print('making')\n    return app\n"
        result = command(*arguments, f"{module(text)}:make()")
        assert result.status == 0
        assert "loading" not in result.out
        assert "making" not in result.out

    def test_a_module_that_reads_the_command_line(self, command, module):
        """It sees nothing of what scopeware was told."""
        text = f"{FLASK}import argparse\nargparse.ArgumentParser().parse_args()\n"
        result = command("routes", f"{module(text)}:app", "--json")
        assert result.status == 0, result.err
        assert listed(result) == [("GET", "/api/orders"), ("POST", "/api/orders")]

    def test_django_with_settings(self, command, module):
        """The project's routes, where it has no module of its own for WSGI."""
        name = module(DJANGO)
        result = command("routes", "django.core.wsgi:get_wsgi_application()", "--settings", name, "--json")
        assert result.status == 0, result.err
        assert {row["path"] for row in result.json["routes"]} == {"/api/orders/<int:number>"}


class TestADocumentBeside:
    def test_a_file(self, cli, folder, module):
        """What it says of each method is added to that method alone, and so are routes that only it has."""
        (folder / "shop.openapi").write_text(json.dumps(DOCUMENT), "utf-8")
        result = cli("routes", f"{module(FLASK)}:app", "--openapi", "shop.openapi", "--json")
        assert result.status == 0
        rows = result.json["routes"]
        assert [(row["doc"], row.get("req_token"), row.get("any_of")) for row in rows] == [
            ("All orders", False, []),
            ("A new one", True, [["write:order"]]),
            ("What is left", None, None),
        ]

    @pytest.mark.parametrize(
        ("body", "status", "said"),
        [
            pytest.param(json.dumps(DOCUMENT), "200 OK", None, id="a document"),
            pytest.param("{", "200 OK", "JSON", id="half a document"),
            pytest.param("", "404 NOT FOUND", "404", id="nothing"),
            pytest.param("", "no status", "failed", id="an application that fails"),
        ],
    )
    def test_a_path_that_the_application_serves(self, cli, module, body, status, said):
        """It is asked for that path, and nothing else; what goes wrong is said in a line."""
        name = module(
            f"def app(environ, start_response):\n    assert environ['PATH_INFO'] == '/openapi.json'\n"
            f"    status = {status!r}\n    if status == 'no status':\n        raise RuntimeError('no\\nluck')\n"
            f"    start_response(status, [('Content-Type', 'application/json')])\n    return [{body.encode()!r}]\n"
        )
        result = cli("routes", name, "--openapi", "/openapi.json", "--json")
        if said is not None:
            says(result, 2, said)
        else:
            assert result.status == 0
            assert listed(result) == [("GET", "/api/orders"), ("POST", "/api/orders"), ("GET", "/api/stock")]

    @pytest.mark.parametrize(
        "arguments",
        [("routes", "{}", "--openapi", "/schema", "--json"), ("openapi", "annotate", "/schema", "--app", "{}")],
        ids=["routes", "annotate"],
    )
    def test_a_view_that_prints(self, command, folder, module, arguments):
        """What it prints while it serves the document is not among what the command prints: that is JSON."""
        (folder / "scopes.toml").write_text(LINTED, "utf-8")
        name = module(
            "import sys\ndef app(environ, start_response):\n    print('serving')\n    sys.stdout.write('more')\n"
            f"    start_response('200 OK', [])\n    return [{json.dumps(DOCUMENT).encode()!r}]\n"
        )
        result = command(*(each.format(name) for each in arguments))
        assert result.status == 0, result.err
        assert isinstance(result.json, dict)
        assert "serving" in result.err
        assert "more" in result.err
