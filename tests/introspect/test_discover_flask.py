"""The routes of Flask applications: whatever Flask dispatches is found, and nothing of the application runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

import flask
import pytest
from flask.views import MethodView, View
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.routing import BaseConverter, IntegerConverter, Rule
from werkzeug.test import Client

from scopeware import req_scopes, req_token
from scopeware.introspect.discover import discover
from scopeware.introspect.endpoint import Declared, Discovery
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


def test_a_rule_without_methods_reaches_a_class_with_any() -> None:
    """It is added to the map by hand; what the class has a method for, only the class knows."""

    class Thing(MethodView):
        def get(self, **_: Any) -> str:
            return "view"

        delete = get

    made = site("/x")
    made.url_map.add(Rule("/thing/<what>", endpoint="thing"))
    made.view_functions["thing"] = Thing.as_view("thing")
    assert uncovered(made, ["/x", "/thing/5"]) == []
    assert "ANY /thing/<what>" in map(str, discover(made).endpoints)


def test_what_a_function_around_the_application_mounts_is_found() -> None:
    """``wsgi_app`` is replaced by one that has a dispatcher in its closure."""

    def timed(inner: Any) -> Callable[..., Any]:
        def call(environ: Any, start_response: Any) -> Any:
            return inner(environ, start_response)

        return call

    made = site("/x")
    made.wsgi_app = timed(DispatcherMiddleware(made.wsgi_app, {"/admin": site("/users/<y>")}))  # type: ignore[method-assign]
    assert uncovered(made, ["/x", "/admin/users/5"]) == []
    assert [str(endpoint) for endpoint in discover(made).endpoints] == ["GET /admin/users/<y>", "GET /x"]


class Guarded(MethodView):
    """Whatever guards its views, it answers to two methods."""

    def get(self) -> str:
        return "view"

    put = get


class GuardedOnceMore(MethodView):
    @req_scopes("orders.items")
    def get(self) -> str:
        return "view"

    def put(self) -> str:
        return "view"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(
            lambda: type("Own", (Guarded,), {"decorators": [req_scopes("orders", "users")]}).as_view("x"),  # type: ignore[attr-defined]
            {"GET": (("orders", "users"),), "PUT": (("orders", "users"),)},
            id="decorators of the class",
        ),
        pytest.param(
            lambda: req_scopes("orders")(Guarded.as_view("x")),
            {"GET": (("orders",),), "PUT": (("orders",),)},
            id="around as_view",
        ),
        pytest.param(
            lambda: req_scopes("orders")(GuardedOnceMore.as_view("x")),
            {"GET": (("orders", "orders.items"),), "PUT": (("orders",),)},
            id="around as_view, and on a method of it",
        ),
        pytest.param(lambda: req_token(Guarded.as_view("x")), {"GET": None, "PUT": None}, id="for a token only"),
    ],
)
def test_guards_of_a_class_are_those_of_each_method(make: Callable[[], Any], said: dict[str, Any]) -> None:
    """However they come to be there; what guards one method besides is its own."""
    made = site()
    made.add_url_rule("/x", view_func=make())
    declared = {endpoint.methods[0]: endpoint.declared for endpoint in discover(made).endpoints}
    assert declared == {method: Declared(lists, True) for method, lists in said.items()}


def test_a_class_that_is_registered_twice_is_one_operation() -> None:
    """Each ``as_view`` makes another function; another class is another operation, and so is another method."""

    class Thing(MethodView):
        def get(self, **_: Any) -> str:
            return "view"

        def put(self, **_: Any) -> str:
            return "view"

    class Other(Thing):
        pass

    made = site()
    for rule, view_class in (("/x", Thing), ("/x/<y>", Thing), ("/other", Other)):
        made.add_url_rule(rule, view_func=view_class.as_view(rule.replace("/", "_")))
    found = {str(endpoint): endpoint.operation for endpoint in discover(made).endpoints}
    assert found["GET /x"] == found["GET /x/<y>"]
    assert found["PUT /x"] == found["PUT /x/<y>"]
    assert len({*found.values(), 0}) == 5


def test_routes_that_look_alike_are_all_there() -> None:
    """Two blueprints for two hosts, and places that rules cannot tell apart."""
    made = flask.Flask("site", static_folder=None, host_matching=True)
    for name in ("shop", "staff"):
        blueprint = flask.Blueprint(name, name)
        blueprint.add_url_rule("/orders", "orders", lambda: "view", host=f"{name}.example")
        blueprint.add_url_rule(f"/files/<path:p>/{name}", "files", lambda **_: "view", host="a.example")
        made.register_blueprint(blueprint)
    found = [(str(endpoint), *endpoint.tags) for endpoint in discover(made).endpoints]
    assert found == [(path, name) for path in ("GET /files/...", "GET /orders") for name in ("shop", "staff")]
