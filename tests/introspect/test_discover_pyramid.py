"""The routes of Pyramid: whatever Pyramid dispatches by a route is found, and nothing of the application runs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from werkzeug.test import Client

from scopeware.introspect.discover import discover
from scopeware.introspect.endpoint import Discovery
from scopeware.policy.path import canonical, wsgi_path

with warnings.catch_warnings():
    # Pyramid's own business: it imports pkg_resources, which says that it is deprecated.
    warnings.simplefilter("ignore")
    from pyramid.config import Configurator, not_
    from pyramid.response import Response

METHODS = ("GET", "POST", "PUT", "DELETE")


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
        answers = {method: client.open(quote(path), method=method, buffered=True).status_code for method in METHODS}
        reached = [method for method in METHODS if answers[method] == 200]
        assert reached, (path, answers)
        missing += [f"{method} {path}" for method in reached if not covers(found, method, path)]
    return missing


def view(request: Any) -> Any:
    """Answer."""
    return Response("view")


def site(*patterns: str, more: Callable[[Any], None] = lambda config: None, root: Any = None) -> Any:
    """An application with a view for each pattern, and whatever `more` adds."""
    with Configurator(root_factory=root) as config:
        for number, pattern in enumerate(patterns):
            config.add_route(f"route{number}", pattern)
            config.add_view(view, route_name=f"route{number}")
        more(config)
        return config.make_wsgi_app()


@pytest.mark.parametrize(
    ("patterns", "paths"),
    [
        pytest.param(
            ["", "x", "y/{z}", "/größe/{x}", "/{a}-{b}.{c:json|xml}", "/a/{b}{c:[0-9]}", "/d/{year:\\d{4}/[0-9]{2}}"],
            ["/", "/x", "/y/5", "/größe/ü", "/1-2.xml", "/a/bc5", "/d/2024/01"],
            id="plain",
        ),
        pytest.param([r"/x/{id:\d*}", "/y/{rest:.*}"], ["/x/5", "/x/", "/y/a/b", "/y/"], id="a star in a regex"),
        pytest.param(["/users/me", "/x/*rest", "/{a}/*rest"], ["/users/me", "/x/", "/x/y/z", "/a/b/c"], id="a rest"),
        pytest.param(["/a/:x", ":y/b", "/c-:d"], ["/a/5", "/5/b", "/c-5"], id="the old syntax"),
    ],
)
def test_what_pyramid_dispatches_is_found(patterns: list[str], paths: list[str]) -> None:
    """By patterns of every kind and every age."""
    assert uncovered(site(*patterns), paths) == []


def test_views_of_a_route_are_told_with_their_methods() -> None:
    """Each by itself; a view without a method answers to all, a route below a prefix stands there."""

    def more(config: Any) -> None:
        config.add_route("x", "x/{id}")
        config.add_view(view, route_name="x", request_method="GET")
        config.add_view(view, route_name="x", request_method=("PUT", "POST"))
        config.add_route("any", "any/")
        config.add_view(view, route_name="any")

    made = site(more=lambda config: config.include(more, route_prefix="/api/v1"))
    assert uncovered(made, ["/api/v1/x/5", "/api/v1/any/"]) == []
    found = {str(endpoint): endpoint.doc for endpoint in discover(made).endpoints}
    assert found == dict.fromkeys(["GET /api/v1/x/<id>", "POST,PUT /api/v1/x/<id>", "ANY /api/v1/any"], "Answer.")


class Place(dict[str, Any]):
    """What traversal goes through."""


class HTTPLog(Place):
    """One that is called like Pyramid's exceptions."""


class Root(Place):
    def __init__(self, request: Any) -> None:
        super().__init__(a=Place(b=Place()), log=HTTPLog())


@pytest.mark.parametrize("context", [Place, HTTPLog])
def test_views_by_traversal_may_be_anywhere_and_it_is_said(context: type) -> None:
    """Nobody can know where before the application runs."""
    made = site("/r/{id}", root=Root, more=lambda config: config.add_view(view, context=context, request_method="GET"))
    assert uncovered(made, ["/r/5", "/log", *(["/a/b"] if context is Place else [])]) == []
    assert "traversal" in " ".join(discover(made).notes)


def test_traversal_below_a_route_is_found() -> None:
    """Also by views that belong to no route."""

    def more(config: Any) -> None:
        config.add_route("tree", "/tree/*traverse", use_global_views=True)
        config.add_view(view, context=Place, name="edit", request_method="POST")
        config.add_view(view, route_name="tree", request_method="GET")

    assert uncovered(site(root=Root, more=more), ["/tree/", "/tree/a/b", "/tree/a/edit", "/a/b/edit"]) == []


def test_without_traversal_nothing_is_said_of_it() -> None:
    """Views that Pyramid adds, and those for exceptions and for files, are not found by traversal."""

    def more(config: Any) -> None:
        config.add_static_view("files", str(Path(__file__).parent))
        config.add_notfound_view(lambda request: Response("none", 404))
        config.add_exception_view(lambda request: Response("broken", 500))

    made = site("/x", more=more)
    assert uncovered(made, ["/x", "/files/test_discover_pyramid.py"]) == []
    assert discover(made).notes == ()


def test_nothing_of_the_application_is_called() -> None:
    """No view, no root, no predicate, no tween."""
    called: list[str] = []

    def calls(name: str) -> Callable[..., Any]:
        return lambda *_: called.append(name)

    def more(config: Any) -> None:
        config.add_route("x", "/x/*traverse", factory=calls("factory"))
        config.add_view(calls("view"), route_name="x")
        config.add_view(calls("view"), name="global")

    assert len(discover(site(root=calls("root"), more=more)).endpoints) == 2
    assert called == []


def test_what_is_taken_in_the_middle_of_a_word_is_there() -> None:
    """A rest that begins without a slash."""
    found = discover(site("/files*rest"))
    assert [str(endpoint) for endpoint in found.endpoints] == ["ANY /files/...", "ANY /files<rest>/..."]


def test_methods_of_a_route_are_those_of_its_views() -> None:
    """Where these say none themselves; what they say otherwise than by words may be any."""

    def more(config: Any) -> None:
        config.add_route("one", "one", request_method="GET")
        config.add_view(view, route_name="one")
        config.add_route("two", "two", request_method=("PUT", "POST"))
        config.add_view(view, route_name="two", request_method="PUT")
        config.add_route("not", "not")
        config.add_view(view, route_name="not", request_method=not_("GET"))
        config.add_route("none", "none", request_method="DELETE")

    made = site(more=more)
    assert uncovered(made, ["/one", "/two", "/not"]) == []
    assert list(map(str, discover(made).endpoints)) == ["DELETE /none", "ANY /not", "GET /one", "PUT /two"]


def test_the_first_route_that_fits_is_told() -> None:
    """In the order of definition, be it the most specific one or not."""
    made = site("/api/{section}/{page}", "/api/about/version", "/api/*rest")
    found = sorted(discover(made).endpoints, key=lambda each: each.order)
    assert [endpoint.name for endpoint in found] == ["route0", "route1", "route2"]
    assert [endpoint.order for endpoint in found] == [1, 2, 3]


def test_without_a_list_of_views_some_are_lost() -> None:
    """And it is said; routes are known all the same, with any method."""

    def made(**more: Any) -> Any:
        with Configurator(**more) as config:
            config.add_route("x", "/api/x/{id}")
            config.add_view(view, route_name="x", request_method="GET")
            config.add_view(view, name="restart", context=Place, request_method="POST")
            return config.make_wsgi_app()

    blind, seeing = discover(made(introspection=False, root_factory=Root)), discover(made(root_factory=Root))
    assert (blind.lost, list(map(str, blind.endpoints))) == (("/",), ["ANY /api/x/<id>"])
    assert "introspection" in " ".join(blind.notes)
    assert (seeing.lost, list(map(str, seeing.endpoints))) == ((), ["ANY /...", "GET /api/x/<id>"])
