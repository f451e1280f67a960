"""The routes of Bottle, of any copy: whatever Bottle dispatches is found, and nothing of the application runs."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import bottle
import pytest
from werkzeug.test import Client

from scopeware.introspect.discover import discover
from scopeware.introspect.endpoint import Discovery
from scopeware.policy.path import canonical, wsgi_path

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND")


def covers(found: Discovery, method: str, path: str) -> bool:
    """Whether some endpoint stands for a request, as the gate reads its path."""
    text = canonical(wsgi_path(path)).removesuffix("/")
    return any(
        endpoint.pattern._regex.fullmatch(text) and (not endpoint.methods or method in endpoint.methods)
        for endpoint in found.endpoints
    )


def uncovered(application: Any, paths: Iterable[str]) -> list[str]:
    """The requests that reach a view and are in no endpoint; each path has to reach one."""
    found = discover(application)
    client = Client(application)
    missing = []
    for path in paths:
        reached = [method for method in METHODS if client.open(quote(path), method=method).status_code == 200]
        assert reached, path
        missing += [f"{method} {path}" for method in reached if not covers(found, method, path)]
    return missing


def view(*_: object, **__: object) -> str:
    """Answer."""
    return "view"


def site(*rules: str) -> Any:
    """An application with a view for each rule."""
    made = bottle.Bottle()
    made.router.add_filter("numbers", lambda _: (r"[0-9,]+", None, None))
    for rule in rules:
        made.route(rule, callback=view)
    return made


@pytest.mark.parametrize(
    ("rules", "paths"),
    [
        pytest.param(
            [
                "/",
                "/größe/<x>",
                "/<a>-<b>.<c:re:json|xml>",
                r"/<x:re:\d{4}\>?>",
                "/a/<x:re:(?:b|c)>/z",
                "/d/<:re:[a-z]+>",
            ],
            ["/", "/größe/ü", "/1-2.xml", "/1234", "/a/b/z", "/d/e"],
            id="plain",
        ),
        pytest.param(
            ["/<path:path>", "/<p:path>/edit", "/users/me", "/users/<x:int>"],
            ["/a", "/a/b/edit", "/users/me", "/users/5", "/users/me/x"],
            id="a catch-all below specific ones",
        ),
        pytest.param(["/<x:int>", "/f/<x:float>"], ["/5", "/-5", "/f/5.5", "/f/-5.5"], id="numbers"),
        pytest.param(["/x/<x:re:.*>", "/y/<x:re:[a-z]*>"], ["/x/a/b", "/x/", "/y/b", "/y/"], id="nothing at all"),
        pytest.param(["/<x:re:[0-9]{2}[/-][0-9]{2}>"], ["/12-12", "/12/12"], id="a slash in a class"),
        pytest.param(["/<p:path>.txt", "/at<p:path>"], ["/a/b.txt", "/ata/b"], id="a path beside other text"),
        pytest.param(["/<x:numbers>", "/n-<x:numbers>"], ["/1,2", "/n-1,2"], id="filters of ones own"),
        pytest.param(
            ["/a/:x", "/b/:x#[0-9]+#/y", "/c/:#[0-9]+#", "/d/e:f", r"/g\:h"],
            ["/a/5", "/b/5/y", "/c/5", "/d/e5", "/g:h"],
            id="the old syntax",
        ),
        pytest.param(["/12:30"], ["/12:30", "/12x30"], id="a colon alone, which stands for anything"),
    ],
)
@pytest.mark.filterwarnings("ignore:Warning. Use of deprecated feature:DeprecationWarning")
def test_what_bottle_dispatches_is_found(rules: list[str], paths: list[str]) -> None:
    """By rules of every kind and every age."""
    assert uncovered(site(*rules), paths) == []


def test_rules_are_told_as_they_are() -> None:
    """No wider than they need to be, with the methods in upper case and what is written about the view."""
    made = site("/a/<x>/<x2>", "/b/<x:re:[0-9]+>")
    made.route(["/c", "/d/<p:path>"], method=["get", "post", "propfind"], callback=view)
    made.route("/e", method="any", callback=view)
    assert uncovered(made, ["/a/1/2", "/b/5", "/c", "/d/e/f", "/e"]) == []
    assert {str(endpoint) for endpoint in discover(made).endpoints} == {
        "GET /a/<x>/<x2>",
        "GET /b/<int:x>",
        *(f"{method} {path}" for method in ("GET", "POST", "PROPFIND") for path in ("/c", "/d/<path:p>")),
        "ANY /e",
    }
    assert {endpoint.doc for endpoint in discover(made).endpoints} == {"Answer."}


def raw(environ: Any, start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", [])
    return [b"view"]


def test_what_is_mounted_is_found() -> None:
    """Bottles, with what is mounted in them, and applications that nothing is known of, which is said."""
    child, grandchild, parent = site("/", "/c/<x>"), site("/g"), site("/p")
    child.mount("/deeper/", grandchild)
    parent.mount("/child/", child)
    parent.mount("/raw", raw)
    assert uncovered(parent, ["/p", "/child/", "/child/c/5", "/child/deeper/g", "/raw", "/raw/x/y"]) == []
    assert "/raw" in " ".join(discover(parent).notes)


def test_what_is_mounted_twice_is_found_twice() -> None:
    """It answers below both prefixes."""
    parent = site("/p")
    parent.mount("/one/", raw)
    parent.mount("/two/", raw)
    assert uncovered(parent, ["/p", "/one/x", "/two/x"]) == []


def test_another_framework_that_is_mounted_is_found() -> None:
    """Below its prefix, through what is wrapped around it."""
    inner = site("/x/<y>")
    parent = bottle.Bottle()

    def around(environ: Any, start_response: Any) -> Any:
        return inner({**environ, "seen": "1"}, start_response)

    parent.mount("/inner", around)
    assert uncovered(parent, ["/inner/x/5"]) == []
    assert [str(endpoint) for endpoint in discover(parent).endpoints] == ["GET /inner/x/<y>"]


def test_a_copy_that_a_project_brings_along_is_known() -> None:
    """Under whatever name it was imported."""
    assert bottle.__file__
    spec = importlib.util.spec_from_file_location("project_vendor_bottle_copy", Path(bottle.__file__))
    assert spec
    assert spec.loader
    copy = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = copy
    try:
        spec.loader.exec_module(copy)
        made = type("Site", (copy.Bottle,), {})()
        made.route("/x/<y:int>", method="DELETE", callback=view)
        assert not isinstance(made, bottle.Bottle)
        assert uncovered(made, ["/x/5"]) == []
    finally:
        del sys.modules[spec.name]


def test_nothing_of_the_application_is_called() -> None:
    """No view, no hook, no plugin, no filter."""
    called: list[str] = []

    def calls(name: str) -> Callable[..., Any]:
        return lambda *_: called.append(name)

    made = bottle.Bottle()
    made.router.add_filter("own", lambda _: (".+", calls("in"), calls("out")))
    made.route("/x/<y:own>", callback=calls("view"))
    made.add_hook("before_request", calls("hook"))
    made.install(calls("plugin"))
    discover(made)
    assert called == []


def test_numbers_are_plain_variables() -> None:
    """Bottle's may be negative, those of rules may not."""
    found = {str(endpoint): endpoint.rough for endpoint in discover(site("/<x:int>/y", "/z/<x:float>")).endpoints}
    assert found == {"GET /<x>/y": True, "GET /z/<x>": True}


def in_order(application: Any) -> list[str]:
    found = [endpoint for endpoint in discover(application).endpoints if endpoint.order]
    return [str(endpoint) for endpoint in sorted(found, key=lambda each: each.order)]


def test_the_first_route_that_fits_is_told() -> None:
    """Those for any method come last, and what has no variables comes before what has some."""
    made = bottle.Bottle()
    rules = [("/<a>/x", "ANY"), ("/any", "ANY"), ("/<a>/<b>", "GET"), ("/y/<b>", "GET"), ("/y/z", "GET")]
    for rule, method in rules:
        made.route(rule, method=method, callback=lambda rule=rule, **_: rule)
    told = ["GET /y/z", "GET /<a>/<b>", "GET /y/<b>", "ANY /any", "ANY /<a>/x"]
    assert in_order(made) == told
    asked = {path: Client(made).get(path).text for path in ("/y/z", "/y/x", "/any")}
    assert asked == {"/y/z": "/y/z", "/y/x": "/<a>/<b>", "/any": "/any"}
