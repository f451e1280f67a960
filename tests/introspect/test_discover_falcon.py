"""The routes of Falcon: whatever Falcon dispatches is found, and nothing of the application runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import falcon
import pytest
from falcon.routing import BaseConverter, CompiledRouter
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from scopeware.introspect.discover import discover
from scopeware.introspect.endpoint import Discovery
from scopeware.policy.path import canonical, wsgi_path

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
UUID = "00000000-0000-4000-8000-00000000000a"


def covers(found: Discovery, method: str, path: str) -> bool:
    """Whether some endpoint stands for a request, as the gate reads its path."""
    text = canonical(wsgi_path(path)).removesuffix("/")
    return any(
        endpoint.pattern._regex.fullmatch(text) and (not endpoint.methods or method in endpoint.methods)
        for endpoint in found.endpoints
    )


def uncovered(application: Any, paths: Iterable[str]) -> list[str]:
    """The requests that reach a responder and are in no endpoint; each path has to reach one."""
    found = discover(application)
    client = Client(application)
    missing = []
    for path in paths:
        answers = {method: client.open(quote(path), method=method, buffered=True).status_code for method in METHODS}
        reached = [method for method in METHODS if answers[method] == 200]
        assert reached, (path, answers)
        missing += [f"{method} {path}" for method in reached if not covers(found, method, path)]
    return missing


class Thing:
    """A thing."""

    def on_get(self, req: Any, resp: Any, **_: Any) -> None:
        """Read it."""

    def on_put(self, req: Any, resp: Any, **_: Any) -> None:
        pass

    def on_delete_part(self, req: Any, resp: Any, **_: Any) -> None:
        pass


class Rest(BaseConverter):
    CONSUME_MULTIPLE_SEGMENTS = True

    def convert(self, value: Any) -> str:
        return "/".join(value)


def site(*templates: str) -> Any:
    """An application with a resource for each template."""
    made = falcon.App()
    made.router_options.converters["rest"] = Rest
    for template in templates:
        made.add_route(template, Thing())
    return made


@pytest.mark.parametrize(
    ("templates", "paths"),
    [
        pytest.param(
            ["/", "/größe/{x}", "/{a}-{b}/x", "/c/{d}.{e}", "/g/x-{h:int}.json"],
            ["/", "/größe/ü", "/a-b/x", "/c/d.e", "/g/x-5.json"],
            id="plain",
        ),
        pytest.param(
            ["/i/{x:int}", "/f/{x:float}", "/u/{x:uuid}", '/d/{x:dt("%Y-%m-%d")}', "/n/{x:int(2, min=10)}"],
            ["/i/5", "/f/5.5", f"/u/{UUID}", "/d/2024-01-01", "/n/12"],
            id="converters",
        ),
        pytest.param(
            ["/i/{x:int}/y", "/f/{x:float}", "/u/{x:uuid}/y"],
            ["/i/-5/y", "/i/+7/y", "/f/7", "/f/-1e3", f"/u/{UUID.replace('-', '')}/y", f"/u/urn:uuid:{UUID}/y"],
            id="what converters take that rules do not",
        ),
        pytest.param(["/x/{p:path}", "/y/{p:rest}"], ["/x/a/b", "/y/a", "/y/a/b"], id="many segments"),
        pytest.param(["/x/{p:path}", "/y/{z}"], ["/x/", "/y/"], id="nothing at all"),
        pytest.param(
            ["/users/me", "/users/{x}", "/users/{x}/y", "/{p:path}"],
            ["/users/me", "/users/5", "/users/a/y", "/users/a/z", "/a"],
            id="a catch-all below specific ones",
        ),
    ],
)
def test_what_falcon_dispatches_is_found(templates: list[str], paths: list[str]) -> None:
    """By templates of every kind."""
    assert uncovered(site(*templates), paths) == []


def test_responders_are_told_as_they_are() -> None:
    """Those of a suffix apart, and none that Falcon adds by itself."""
    made = site("/x/{id}")
    made.add_route("/x/{id}/part", Thing(), suffix="part")
    assert uncovered(made, ["/x/5", "/x/5/part"]) == []
    found = {str(endpoint): endpoint.doc for endpoint in discover(made).endpoints}
    assert found == {
        "GET /x": "Read it.",  # for an empty id
        "PUT /x": "A thing.",
        "GET /x/<id>": "Read it.",
        "PUT /x/<id>": "A thing.",
        "DELETE /x/<id>/part": "A thing.",
    }


@pytest.mark.parametrize(
    ("prefixes", "paths"),
    [
        pytest.param(["/proxy", re.compile(r"/v[12]/x|/y")], ["/proxy", "/proxy/x/y", "/v1/x", "/y/z"], id="plain"),
        pytest.param([r"/a/(?P<rest>.*)"], ["/a/b/c", "/a/"], id="a group of nothing at all"),
        pytest.param([re.compile("/api/ledger", re.IGNORECASE)], ["/api/LEDGER/x", "/API/ledger"], id="letter case"),
        pytest.param([re.compile(r"/a  # words\n /b", re.VERBOSE)], ["/a/b/c"], id="spaces that are none"),
        pytest.param(["/proxy"], ["/proxy-2", "/proxy.json", "/proxy-2/x"], id="a word that goes on"),
    ],
)
def test_what_a_sink_takes_is_found(prefixes: list[Any], paths: list[str]) -> None:
    """With any method; it takes whatever starts with something that its pattern matches."""
    made = site("/users/{x}")
    for prefix in prefixes:
        made.add_sink(lambda req, resp, **_: None, prefix)
    assert uncovered(made, ["/users/5", *paths]) == []


def test_static_files_are_found() -> None:
    """Falcon hands them out with whatever method."""
    made = falcon.App()
    made.add_static_route("/files", Path(__file__).parent, fallback_filename=Path(__file__).name)
    assert uncovered(made, ["/files/test_discover_falcon.py", "/files/a/b", "/files"]) == []


def test_a_router_of_ones_own_is_looked_at_or_it_is_said() -> None:
    """What is derived from Falcon's keeps its tree."""

    class Derived(CompiledRouter):
        pass

    class Own:
        def add_route(self, *_: Any, **__: Any) -> None:
            pass

        def find(self, uri: str, req: Any = None) -> None:
            return None

    derived = falcon.App(router=Derived())
    derived.add_route("/x/{y}", Thing())
    assert uncovered(derived, ["/x/5"]) == []
    own = falcon.App(router=Own())
    own.add_route("/x", Thing())
    own.add_sink(lambda req, resp, **_: None, "/sink")
    assert uncovered(own, ["/sink"]) == []
    assert "router" in " ".join(discover(own).notes)
    assert (discover(derived).lost, discover(own).lost) == ((), ("/",))
    assert discover(DispatcherMiddleware(own, {"/in": own})).lost == ("/in", "/")


def test_nothing_of_the_application_is_called() -> None:
    """No responder, no hook, no middleware, no converter."""
    called: list[str] = []

    def calls(name: str) -> Callable[..., Any]:
        return lambda *_, **__: called.append(name)

    class Loud:
        on_get = falcon.before(calls("hook"))(calls("responder"))

    class Middleware:
        process_request = calls("request")
        process_response = calls("response")
        process_resource = calls("resource")

    class Converter(BaseConverter):
        convert = calls("converter")

    made = falcon.App(middleware=[Middleware()])
    made.router_options.converters["loud"] = Converter
    made.add_route("/x/{y:loud}", Loud())
    made.add_sink(calls("sink"), "/sink")
    assert {endpoint.path for endpoint in discover(made).endpoints} == {"/x", "/x/<y>", "/sink", "/sink<rest>"}
    assert called == []


def test_converters_are_plain_variables() -> None:
    """Never empty at the end, as what has none may be; no wider than one segment."""
    made = site("/i/{x:int}", "/u/{x:uuid}", "/f/{x:float}/y", '/d/{x:dt("%Y")}', "/n/{x}")
    found = [endpoint for endpoint in discover(made).endpoints if endpoint.methods == ("GET",)]
    assert {endpoint.path: endpoint.rough for endpoint in found} == {
        "/i/<x>": True,
        "/u/<x>": True,
        "/f/<x>/y": True,
        "/d/<x>": True,
        "/n": False,
        "/n/<x>": False,
    }
    client = Client(made)
    assert {path: client.get(path).status_code for path in ("/i/", "/u/", "/d/", "/n/")} == {
        "/i/": 404,
        "/u/": 404,
        "/d/": 404,
        "/n/": 200,
    }
