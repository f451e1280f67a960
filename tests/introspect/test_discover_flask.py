"""The routes of Flask applications: whatever Flask dispatches is found, and nothing of the application runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

import flask
import pytest
from flask.views import MethodView, View
from werkzeug.routing import BaseConverter, IntegerConverter
from werkzeug.test import Client

from scopeware.introspect.discover import discover
from scopeware.introspect.endpoint import Discovery
from scopeware.policy.path import canonical, wsgi_path

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND")
UUID = "/uuid/00000000-0000-4000-8000-00000000000A"


def covers(found: Discovery, method: str, path: str) -> bool:
    """Whether some endpoint stands for a request, as the gate reads its path."""
    text = canonical(wsgi_path(path)).removesuffix("/")
    return any(
        endpoint.pattern._regex.fullmatch(text) and (not endpoint.methods or method in endpoint.methods)
        for endpoint in found.endpoints
    )


def uncovered(application: Any, paths: Iterable[str], methods: tuple[str, ...] = METHODS, **more: Any) -> list[str]:
    """The requests that reach a view and are in no endpoint; each path has to reach one."""
    found = discover(application)
    client = Client(application)
    missing = []
    for path in paths:
        answers = {
            method: client.open(quote(path), method=method, buffered=True, **more).status_code for method in methods
        }
        reached = [method for method in methods if answers[method] == 200]
        assert reached, (path, answers)
        missing += [f"{method} {path}" for method in reached if not covers(found, method, path)]
    return missing


def site(*rules: str, **converters: type[BaseConverter]) -> flask.Flask:
    """An application with a view for each rule."""
    made = flask.Flask("site", static_folder=None)
    made.url_map.converters.update(converters)
    for number, rule in enumerate(rules):
        made.add_url_rule(rule, f"view{number}", lambda **_: "view")
    return made


@pytest.mark.parametrize(
    ("rules", "paths"),
    [
        pytest.param(
            ["/", "/größe/<x>", "/int/<int:x>", "/float/<float:x>", "/uuid/<uuid:x>", "/any/<any(a, b):x>"],
            ["/", "/größe/ü", "/int/5", "/float/5.5", UUID, "/any/b"],
            id="plain",
        ),
        pytest.param(
            ["/i/<int(signed=True):x>", "/f/<float(signed=True):x>", "/<string(length=2):x>", "/<a>-<b>.<int:c>/x"],
            ["/i/-5", "/f/-5.5", "/ab", "/a-b.5/x"],
            id="converters with arguments, and several in one segment",
        ),
        pytest.param(
            ["/<path:p>", "/<path:p>/edit", "/users/me", "/users/<int:x>"],
            ["/a", "/a/b/edit", "/users/me", "/users/5", "/users/me/x"],
            id="a catch-all below specific ones",
        ),
        pytest.param(["/<path:p>.html", "/at<path:p>"], ["/a/b.html", "/ata/b"], id="a path beside other text"),
        pytest.param(['/x/<any("a/b", c):x>', "/y/<__x>"], ["/x/c", "/y/a"], id="what scopeware cannot spell"),
    ],
)
def test_what_flask_dispatches_is_found(rules: list[str], paths: list[str]) -> None:
    """By rules of every kind."""
    assert uncovered(site(*rules), paths) == []


class Signed(IntegerConverter):
    regex = r"-?\d+"


class Deep(BaseConverter):
    regex = r"[^/].*?"
    part_isolating = False


class Anything(BaseConverter):
    regex = r".*"
    part_isolating = False


class Regex(BaseConverter):
    part_isolating = False

    def __init__(self, url_map: Any, regex: str) -> None:
        super().__init__(url_map)
        self.regex = regex


@pytest.mark.parametrize(
    ("rule", "converters", "paths"),
    [
        pytest.param("/<own:x>", {"own": Deep}, ["/a", "/a/b"], id="many segments"),
        pytest.param("/x/<own:x>", {"own": Anything}, ["/x/a/b", "/x/"], id="nothing at all"),
        pytest.param('/<own("[a-z]+/[0-9]+"):x>', {"own": Regex}, ["/ab/12"], id="by its arguments"),
        pytest.param("/<int:x>", {"int": Signed}, ["/5", "/-5"], id="instead of int"),
        pytest.param("/<x>", {"default": Deep}, ["/a", "/a/b"], id="instead of the default"),
    ],
)
def test_converters_of_ones_own_are_looked_at(rule: str, converters: dict[str, Any], paths: list[str]) -> None:
    """What their regular expression takes is covered, whatever the converter is called."""
    assert uncovered(site(rule, **converters), paths) == []


def test_methods_are_found_however_they_are_written() -> None:
    """In lower case, of a class, of two rules for one path."""

    class Thing(MethodView):
        methods = ("get", "PATCH", "propfind")

        def get(self) -> str:
            """Read it."""
            return "view"

        patch = propfind = get

    class Old(View):
        methods = ("DELETE",)

        def dispatch_request(self) -> str:
            return "view"

    made = site("/x")
    made.add_url_rule("/x", "post", lambda: "view", methods=["post", "Put"])
    made.add_url_rule("/thing", view_func=Thing.as_view("thing"))
    made.add_url_rule("/old", view_func=Old.as_view("old"))
    assert uncovered(made, ["/x", "/thing", "/old"]) == []
    found = {str(endpoint): endpoint for endpoint in discover(made).endpoints}
    assert set(found) == {"GET /x", "POST,PUT /x", "GET /thing", "PATCH /thing", "PROPFIND /thing", "DELETE /old"}
    assert found["GET /thing"].doc == "Read it."


def test_a_slash_at_the_end_makes_no_difference() -> None:
    """Be the rules strict about it or not."""
    made = site("/strict/")
    made.add_url_rule("/loose/", "loose", lambda: "view", strict_slashes=False)
    made.add_url_rule("/none", "none", lambda: "view", strict_slashes=False)
    assert uncovered(made, ["/strict/", "/loose", "/loose/", "/none", "/none/"]) == []


def test_static_files_are_found() -> None:
    """Flask adds a route for them by itself."""
    made = flask.Flask("site", static_folder=__file__.rpartition("/")[0], static_url_path="/files")
    assert uncovered(made, ["/files/test_discover_flask.py"]) == []


def test_nested_blueprints_stand_below_each_other() -> None:
    """With variables in their prefixes; each route is filed under its own."""
    inner = flask.Blueprint("inner", "inner", url_prefix="/in/<int:x>")
    inner.add_url_rule("/", "list", lambda **_: "view")
    inner.add_url_rule("/<y>", "one", lambda **_: "view", methods=["DELETE"])
    outer = flask.Blueprint("outer", "outer", url_prefix="/out/<org>")
    outer.register_blueprint(inner)
    made = flask.Flask("site", static_folder=None)
    made.register_blueprint(outer)
    made.register_blueprint(outer, url_prefix="/again/<org>", name="again")
    assert uncovered(made, ["/out/a/in/5/", "/out/a/in/5/z", "/again/a/in/5/z"]) == []
    assert {endpoint.tags for endpoint in discover(made).endpoints} == {("outer.inner",), ("again.inner",)}


def test_routes_of_one_host_are_found_and_it_is_said() -> None:
    """The policy tells paths apart, not hosts."""
    hosts = flask.Flask("site", static_folder=None, host_matching=True)
    hosts.add_url_rule("/x/<y>", "x", lambda y: "view", host="a.example")
    domains = flask.Flask("site", static_folder=None, subdomain_matching=True)
    domains.config["SERVER_NAME"] = "example"
    domains.add_url_rule("/x/<y>", "x", lambda y: "view", subdomain="a")
    for made in (hosts, domains):
        assert uncovered(made, ["/x/5"], base_url="http://a.example") == []
        assert "host" in " ".join(discover(made).notes)


def test_nothing_of_the_application_is_called() -> None:
    """No view, no hook, no converter, no factory of a class."""
    called: list[str] = []

    def calls(name: str) -> Callable[..., Any]:
        return lambda *_, **__: called.append(name)

    class Thing(MethodView):
        init_every_request = True
        get = calls("method")

        def __init__(self) -> None:
            called.append("class")

    made = site("/x")
    made.add_url_rule("/thing", view_func=Thing.as_view("thing"))
    made.view_functions["view0"] = calls("view")
    made.before_request(calls("before"))
    made.url_value_preprocessor(calls("preprocessor"))
    made.teardown_appcontext(calls("teardown"))
    assert len(discover(made).endpoints) == 2
    assert called == []
