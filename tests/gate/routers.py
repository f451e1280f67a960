"""One route table behind six routers, each handler telling what it is; and the policy that goes with it."""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable
from typing import Any

import bottle
import django
import falcon
import flask
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path as django_path
from django.urls import re_path
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

with warnings.catch_warnings():
    # Pyramid's own business: it imports pkg_resources, which says that it is deprecated.
    warnings.simplefilter("ignore")
    from pyramid.config import Configurator
    from pyramid.response import Response as PyramidResponse

Record = Callable[[str, str], None]
"""Called by a handler with its name and the method it was called for."""

PREFIX = "/api/v1"

# name: (werkzeug's spelling, the methods that need something of their own)
ROUTES: dict[str, tuple[str, tuple[str, ...]]] = {
    "version": ("/version", ()),
    "users": ("/users", ("POST",)),
    "user": ("/users/<name>", ("DELETE",)),
    "keys": ("/users/<name>/keys", ()),
    "search": ("/packages/search", ()),
    "package": ("/packages/<name>", ()),
    "admin": ("/admin", ()),
    "cron": ("/admin/cron", ("POST",)),
    "files": ("/files", ()),
    "file": ("/files/<path:rest>", ("PUT",)),
    "open": ("/open", ("POST",)),
}
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
_HANDLED = ("GET", "POST", "PUT", "PATCH", "DELETE")


def category(name: str, method: str) -> str | None:
    """The category that a handler needs for a method, whatever its letter case; ``None`` where it is public."""
    method = method.upper()
    if method in ROUTES[name][1]:
        return f"{name}_{method.lower()}"
    return None if name in ("version", "open") else name


def policy_text(*, prefix: str = PREFIX, mount: str = "") -> str:
    """The policy of the routes: a category for each handler, and for each method that is told apart."""
    names = [name for name in ROUTES if category(name, "GET")]
    names += [f"{name}_{method.lower()}" for name, (_, methods) in ROUTES.items() for method in methods]
    text = ["[policy]", f'prefix = "{mount}{prefix}"', "[vocabulary]", 'actions = ["read", "write"]', 'all = "all"']
    text += ['implies = { write = ["read"] }', "[vocabulary.categories]", *(f'{name} = ""' for name in names)]
    for name, (path, methods) in ROUTES.items():
        text += ["[[group]]", f'path = "{path if prefix else PREFIX + path}"']
        text.append(f'scopes = ["{name}"]' if category(name, "GET") else "require_token = false\nscopes = []")
        for method in methods:
            text += [
                "[[group.route]]",
                'path = "/"',
                f'methods = ["{method}"]',
                f'scopes = ["{category(name, method)}"]',
            ]
            text.append("require_token = true")
    return "\n".join(text)


def _werkzeug(record: Record) -> Any:
    rules = Map([Rule(PREFIX + path, endpoint=name, methods=_HANDLED) for name, (path, _) in ROUTES.items()])

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        try:
            name, _ = rules.bind_to_environ(environ).match()
        except HTTPException as error:
            return error(environ, start_response)
        record(name, Request(environ).method)
        return Response("done")(environ, start_response)

    return app


def _flask(record: Record) -> Any:
    app = flask.Flask("routed")
    for name, (path, _) in ROUTES.items():

        def view(endpoint: str = name, **variables: str) -> str:
            record(endpoint, flask.request.method)
            return "done"

        app.add_url_rule(PREFIX + path, name, view, methods=_HANDLED)
    return app


def _bottle(record: Record) -> Any:
    app = bottle.Bottle()
    for name, (path, _) in ROUTES.items():

        def view(endpoint: str = name, **variables: str) -> str:
            record(endpoint, bottle.request.method)
            return "done"

        app.route(PREFIX + path.replace("<path:rest>", "<rest:path>"), method="ANY", callback=view)
    return app


def _falcon(record: Record) -> Any:
    class Resource:
        def __init__(self, name: str) -> None:
            self._name = name

        def on_get(self, request: falcon.Request, response: falcon.Response, **variables: str) -> None:
            record(self._name, request.method)

        on_post = on_put = on_patch = on_delete = on_head = on_get

    app = falcon.App()
    for name, (path, _) in ROUTES.items():
        app.add_route(PREFIX + path.replace("<path:rest>", "{rest:path}").replace("<name>", "{name}"), Resource(name))
    return app


def _pyramid(record: Record) -> Any:
    with Configurator() as config:
        for name, (path, _) in ROUTES.items():

            def view(context: Any, request: Any, endpoint: str = name) -> PyramidResponse:
                record(endpoint, request.method)
                return PyramidResponse("done")

            config.add_route(name, PREFIX + path.replace("<path:rest>", "{rest:.+}").replace("<name>", "{name}"))
            config.add_view(view, route_name=name, request_method=_HANDLED)
        return config.make_wsgi_app()


def _django_with(make: Callable[[str], Any]) -> Callable[[Record], Any]:
    def build(record: Record) -> Any:
        patterns = []
        for name, (path, _) in ROUTES.items():

            def view(request: Any, endpoint: str = name, **variables: str) -> HttpResponse:
                record(endpoint, request.method)
                return HttpResponse("done")

            patterns.append(make(PREFIX[1:] + path)(view))
        return django_application(patterns)

    return build


def django_application(patterns: list[Any]) -> Any:
    """A Django application of these URL patterns; there can be several in a process."""
    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"], LOGGING_CONFIG=None, SECRET_KEY="not one")
        django.setup()
    urls = types.ModuleType("urls")
    urls.urlpatterns = patterns  # type: ignore[attr-defined]
    known = override_settings(
        ROOT_URLCONF=urls,
        MIDDLEWARE=[],
        ALLOWED_HOSTS=["*"],
        APPEND_SLASH=False,
        # or else REST framework wants Django's users
        REST_FRAMEWORK={"UNAUTHENTICATED_USER": None},
    )
    with known:
        handler = WSGIHandler()

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        with known:
            return handler(environ, start_response)

    return app


def _django_path(path: str) -> Any:
    return lambda view: django_path(path.replace("<name>", "<str:name>"), view)


def _django_regex(path: str) -> Any:
    pattern = path.replace("<path:rest>", "(?P<rest>.+)").replace("<name>", "(?P<name>[^/]+)")
    return lambda view: re_path(f"^{pattern}/?$", view)


ROUTERS: dict[str, Callable[[Record], Any]] = {
    "werkzeug": _werkzeug,
    "flask": _flask,
    "bottle": _bottle,
    "falcon": _falcon,
    "pyramid": _pyramid,
    "django": _django_with(_django_path),
    "django_re": _django_with(_django_regex),
}
