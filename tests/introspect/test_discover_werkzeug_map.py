"""Applications of one's own around a werkzeug ``Map``: it is found wherever it is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.exceptions import HTTPException
from werkzeug.routing import EndpointPrefix, Map, Rule, Subdomain, Submount
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from scopeware.introspect.discover import discover
from scopeware.introspect.endpoint import Discovery
from scopeware.policy.path import canonical

METHODS = ("GET", "POST", "PUT", "DELETE")
RULES = (
    Rule("/", endpoint="index"),
    Rule("/x/<int:id>", endpoint="one", methods=["put", "DELETE"]),
    Submount("/below/<org>", [EndpointPrefix("below.", [Rule("/<path:rest>", endpoint="rest", methods=["GET"])])]),
)
PATHS = ("/", "/x/5", "/below/a/b/c")


def covers(found: Discovery, method: str, path: str) -> bool:
    """Whether some endpoint stands for a request, as the gate reads its path."""
    text = canonical(path).removesuffix("/")
    return any(
        endpoint.pattern._regex.fullmatch(text) and (not endpoint.methods or method in endpoint.methods)
        for endpoint in found.endpoints
    )


def uncovered(application: Any, paths: tuple[str, ...] = PATHS) -> list[str]:
    """The requests that are answered and are in no endpoint; each path has to be answered."""
    found = discover(application)
    client = Client(application)
    missing = []
    for path in paths:
        reached = [method for method in METHODS if client.open(path, method=method).status_code == 200]
        assert reached, path
        missing += [f"{method} {path}" for method in reached if not covers(found, method, path)]
    return missing


def answer(url_map: Map, environ: Any, start_response: Any) -> Any:
    """What a small application does with a map."""
    try:
        endpoint, _ = url_map.bind_to_environ(environ).match()
    except HTTPException as error:
        return error(environ, start_response)
    return Response(str(endpoint))(environ, start_response)


def made_map() -> Map:
    return Map([rule.empty() if isinstance(rule, Rule) else rule for rule in RULES[:2]] + [RULES[2]])


class Kept:
    """In an attribute, with the views as methods."""

    def __init__(self) -> None:
        self.url_map = made_map()

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return answer(self.url_map, environ, start_response)

    def on_index(self) -> None:
        """All of them."""

    @property
    def on_one(self) -> None:
        raise RuntimeError("a property is not to run")


class OfTheClass:
    url_map = made_map()

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return answer(self.url_map, environ, start_response)


class InASlot:
    __slots__ = ("routes",)

    def __init__(self) -> None:
        self.routes = made_map()

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return answer(self.routes, environ, start_response)


def in_a_closure() -> Callable[..., Any]:
    url_map = made_map()

    @Request.application
    def application(request: Request) -> Response:
        endpoint, _ = url_map.bind_to_environ(request.environ).match()
        return Response(str(endpoint))

    return application


URL_MAP = made_map()


def of_the_module(environ: Any, start_response: Any) -> Any:
    """As in werkzeug's own documentation."""
    return answer(URL_MAP, environ, start_response)


@pytest.mark.parametrize(
    "make",
    [Kept, OfTheClass, InASlot, in_a_closure, lambda: of_the_module],
    ids=["kept", "class", "slot", "closure", "module"],
)
def test_a_map_is_found_wherever_it_is_kept(make: Callable[[], Any]) -> None:
    """With whatever rule factories it was made."""
    assert uncovered(make()) == []


def test_rules_are_told_as_they_are() -> None:
    """Without methods they take any; the views are methods named after their endpoints."""
    found = {str(endpoint): endpoint.doc for endpoint in discover(Kept()).endpoints}
    assert found == {"ANY /": "All of them.", "DELETE,PUT /x/<int:id>": "", "GET /below/<org>/<path:rest>": ""}


def test_two_maps_are_both_found() -> None:
    """The second is asked for what the first does not have."""

    class Two:
        def __init__(self) -> None:
            self.ours, self.theirs = made_map(), Map([Rule("/more", endpoint="more")])

        def __call__(self, environ: Any, start_response: Any) -> Any:
            one = self.theirs if environ["PATH_INFO"] == "/more" else self.ours
            return answer(one, environ, start_response)

    assert uncovered(Two(), (*PATHS, "/more")) == []


def test_views_that_are_endpoints_themselves_are_known() -> None:
    """Functions, classes, and whatever else is put there."""

    def view() -> None:
        """Answer."""

    class Site(Kept):
        def __init__(self) -> None:
            rules = [Rule("/f", endpoint=view), Rule("/c", endpoint=Kept), Rule("/t", endpoint=("a", 1))]
            self.url_map = Map([*rules, Subdomain("api", [Rule("/s", endpoint="s")])])

    found = discover(Site())
    assert {endpoint.path: endpoint.name for endpoint in found.endpoints} == {
        "/f": "view",
        "/c": "Kept",
        "/t": "",
        "/s": "s",
    }
    assert "subdomain" in " ".join(found.notes)
