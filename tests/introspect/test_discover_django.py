"""The URL patterns of Django: whatever Django dispatches is found, and no view runs.

Django can be set up once in a process: the projects below are looked at in one of their own, which runs this file.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND")

# name → the URL patterns, and paths that each reach a view
REGEXES = {
    "anchored": (
        r"re_path(r'^x/(?P<a>\d+)-(?P<b>[0-9]+)\.(?P<f>json|xml)$', view), re_path(r'^(\w+)/(\w+)/(?:a|b)/$', view),"
        r"re_path(r'^y/(?P<a>[\w.@+-]+)/\{y\}\.z/?$', view), re_path('^größe/$', view), re_path(r'^open/', view)",
        "/x/1-2.json /v/w/b/ /y/a@c/{y}.z /größe/ /open/ /open/x/y",
    ),
    "looking around": (
        r"re_path(r'^x(?=/y)(?!z)(?#words)/y/$', view), re_path(r'^(?!admin)(\w+)/$', view)",
        "/x/y/ /users/",
    ),
    "repeated": (r"re_path(r'^\d{4}/(?P<a>a|b)+/x{2}/$', view)", "/1234/ab/xx/"),
    "letter case": (r"re_path(r'(?i)^issues/$', view)", "/issues/ /ISSUES/"),
    "letter case of a part": (r"re_path(r'^(?i:issues)/$', view)", "/issues/ /ISSUES/"),
    "optional at the end": (
        r"re_path(r'^articles(?:/(?P<page>[0-9]+))?/$', view), re_path(r'^users(\.json)?$', view)",
        "/articles/ /articles/5/ /users /users.json",
    ),
    "optional in the middle": (r"re_path(r'^x/((?P<a>\d+)/)?y/$', view)", "/x/y/ /x/1/y/"),
    "optional letter": (r"re_path(r'^a/feeds?/$', view), re_path(r'^b/[cd]?$', view)", "/a/feed/ /a/feeds/ /b/ /b/c"),
    "repeated segments": (r"re_path(r'^files/(?:[^/]+/)*(?P<name>[^/]+)$', view)", "/files/a /files/a/b/c"),
    "alternatives": (
        r"re_path(r'^articles(/comments|/likes)/$', view), re_path(r'^a/foo$|^b/bar$', view)",
        "/articles/likes/ /a/foo /b/bar",
    ),
    "everything": (r"re_path(r'^.*$', view)", "/ /a/b"),
    "everything by a name": (r"re_path(r'^s/(?P<path>.*)$', view)", "/s/ /s/a/b"),
    "slashes that are not written": (
        r"re_path(r'^f/[\w/.-]+$', view), re_path(r'^g/(?P<x>[0-9/]{7})/$', view),"
        r"re_path(r'^h/(?P<x>\d{4}.\d\d)/$', view)",
        "/f/a/b.c /g/2024/01/ /h/2024-01/ /h/2024/01/",
    ),
    "what is seldom written": (
        r"re_path(r'\Ausers/\Z', view), re_path(r'^posts\b', view), re_path(r'^(?P<a>\w+)/(?P=a)/$', view)",
        "/users/ /posts /posts/1 /b/b/",
    ),
    "without a beginning": (r"re_path(r'foo/$', view), re_path(r'bar/', view)", "/foo/ /bar/ /x/bar/y"),
    "open, in the middle of a word": (
        r"re_path(r'^api/payroll', view), re_path(r'^shop/(?:cart|order)s', view), re_path(r'^x/(?P<id>\d+)', view)",
        "/api/payroll /api/payrolls/ /api/payroll.json /api/payroll/x/y /shop/carts /shop/ordersx/y /x/5 /x/5b/c",
    ),
    "one end of two": (r"re_path(r'^a/foo/|b/bar/\Z', view)", "/a/foo/ /a/foo/x /b/bar/ /x/b/bar/"),
    "letter case in front": (r"re_path(r'^(?i:api/board/$)', view)", "/api/board/ /API/BOARD/"),
}
INCLUDES = {
    "with variables": (
        r"path('a/<int:x>/', include([path('', view), path('b/<uuid:y>', include([path('/c', view)]))])),"
        r"re_path(r'^(?P<org>\w+)/(\d+)/', include([path('<slug:x>/', view), re_path(r'^(?P<org>\w+)/(\d)$', view)]))",
        "/a/5/ /a/5/b/00000000-0000-4000-8000-00000000000a/c /z/1/b-c/ /z/1/b/5",
    ),
    "the same names": (
        "path('a/<pk>/', include([path('b/<pk>/', include([path('c/<pk2>/', view)]))]))",
        "/a/1/b/2/c/3/",
    ),
    "an optional prefix": (r"re_path(r'^(?:v1/)?', include([path('u/', view)]))", "/u/ /v1/u/"),
    "a prefix without a beginning": (r"re_path(r'api/', include([path('u/', view)]))", "/api/u/ /x/api/u/"),
    "one prefix of two": (
        r"re_path(r'^api/v1/|api/v2/', include([path('users/', view), path('x/<int:y>', view)]))",
        "/api/v1/users/ /api/v2/users/ /aapi/v2/users/ /x/y/api/v2/users/ /api/v1/x/5 /x/api/v2/x/5",
    ),
    "languages": ("*i18n_patterns(path('u/', view))", "/en/u/ /de/u/"),
    "the default language without a prefix": (
        "*i18n_patterns(path('u/', view), prefix_default_language=False)",
        "/u/ /de/u/",
    ),
    "translated paths": (
        "*i18n_patterns(path(in_german('users/', 'nutzer/'), view), re_path(in_german('^c/$', '^d/$'), view))",
        "/en/users/ /de/nutzer/ /en/c/ /de/d/",
    ),
}
CONVERTERS = {
    "of one segment and of many": (
        "path('<int:a>/<slug:b>/<str:c>/<path:d>', view), path('a/<signed:x>/', view), path('b/<words:x>/', view)",
        "/1/a-b/x y/z/z /a/-1/ /b/a/b/",
    ),
    "a path beside other text": ("path('n-<path:p>', view), path('<path:p>.html', view)", "/n-a/b /a/b.html"),
}
VIEWS = {
    "required methods": (
        "path('a', csrf_exempt(require_http_methods(['GET', 'PUT'])(view))), path('b', require_POST(view)),"
        "path('c', require_safe(view)), path('d', roles(['staff'])(require_http_methods(['PATCH'])(view))),"
        "path('e', Classic.as_view()), path('f', login(Classic.as_view()))",
        "/a /b /c /d /e /f",
    ),
    "words that are no methods": ("path('a', roles(['ADMIN', 'STAFF'])(view))", "/a"),
    "a class with methods of its own": ("path('a', Dav.as_view())", "/a"),
    "a class that dispatches by itself": ("path('a', Dispatching.as_view())", "/a"),
}
DRF = {
    "a router": ("path('api/', include(router().urls))", "/ /users/ /users.json /users/1/ /users/1.json /users/1/star/ "
                 "/users/1/part/5/ /users/recent/ /users/recent.json"),
    "a router without slashes": ("path('api/', include(router(trailing_slash=False).urls))",
                                 "/users /users/1 /users/1/star"),
    "a router without regexes": ("path('api/', include(router(use_regex_path=False).urls))",
                                 "/ /users/ /users.json /users/1/ /users/1.json /users/1/star/"),
    "suffixes for formats": ("*format_suffix_patterns([path('api/s/', function), path('api/s/<int:pk>', function)])",
                             "/s/ /s.json /s/1 /s/1.json"),
}  # fmt: skip
DRF = {name: (routes, " ".join(f"/api{path}" for path in paths.split(" "))) for name, (routes, paths) in DRF.items()}
ORDERS = {
    "first come, first served": (
        "path('<slug:tenant>/settings/', view), path('a/', include([path('<int:x>/', view), path('me/', view)])),"
        "path('static/<path:file>', view), path('<slug:tenant>/', view), re_path('^open', view)",
        "/acme/settings/ /static/settings/ /a/5/ /a/me/ /static/x /acme/ /open/x",
    ),
}
CLASSES = {
    "classes": (
        "path('a', Classic.as_view()), path('b', Classic.as_view()), path('c', Classic.as_view(kind='c')),"
        "path('d', guarded('orders')(Classic.as_view()))",
        "/a /b /c",
    ),
}
FORCED = {"a forced prefix": ("path('u/', view)", "/u/")}


def split(paths: str) -> list[str]:
    """A path starts where a slash follows a space."""
    return [f"/{path}" for path in f" {paths}".split(" /")[1:]]


def run(kind: str) -> dict[str, Any]:
    """What a process of its own finds in these projects."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, __file__, kind], capture_output=True, text=True, encoding="utf-8", env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    """What was found in the projects that need Django only."""
    return run("plain")


@pytest.fixture(scope="module")
def rest() -> dict[str, Any]:
    """What was found in those with Django REST framework."""
    if importlib.util.find_spec("rest_framework") is None:  # `test_house` sees to it that it is there
        pytest.skip("Django REST framework is not there")
    return run("drf")


def check(told: dict[str, Any], paths: str) -> None:
    assert sorted({path for _, path in told["reached"]}) == sorted(split(paths))
    assert told["uncovered"] == []


@pytest.mark.parametrize("name", REGEXES)
def test_what_a_regular_expression_dispatches_is_found(plain: dict[str, Any], name: str) -> None:
    """Django searches with it, unless it ends with a dollar."""
    check(plain[name], REGEXES[name][1])


@pytest.mark.parametrize("name", INCLUDES)
def test_what_is_included_is_found(plain: dict[str, Any], name: str) -> None:
    """Below whatever stands before it, in every language."""
    check(plain[name], INCLUDES[name][1])


@pytest.mark.parametrize("name", CONVERTERS)
def test_what_converters_take_is_found(plain: dict[str, Any], name: str) -> None:
    """Django's and others."""
    check(plain[name], CONVERTERS[name][1])


@pytest.mark.parametrize("name", VIEWS)
def test_the_methods_of_views_are_found(plain: dict[str, Any], name: str) -> None:
    """Of functions, where something around them tells, and of classes."""
    check(plain[name], VIEWS[name][1])


@pytest.mark.parametrize("name", DRF)
def test_what_django_rest_framework_dispatches_is_found(rest: dict[str, Any], name: str) -> None:
    """Viewsets, actions, functions, and endings like ``.json``."""
    check(rest[name], DRF[name][1])


def test_viewsets_tell_their_methods(rest: dict[str, Any]) -> None:
    """Each action is a route of its own."""
    listed = rest["a router without slashes"]["endpoints"]
    assert {"GET /api/users", "POST /api/users", "DELETE /api/users/<pk>"} <= set(listed)
    assert {each for each in listed if each.endswith("/star")} == {
        f"{method} /api/users/<pk>/star" for method in ("POST", "DELETE", "PATCH")
    }


def test_the_first_pattern_that_fits_is_told(plain: dict[str, Any]) -> None:
    """Their order is that of definition, whatever is most specific; what is included has its place there."""
    told = plain["first come, first served"]
    check(told, ORDERS["first come, first served"][1])
    assert [path for _, path in sorted(told["orders"])] == [
        "ANY /<tenant>/settings",
        "ANY /a/<int:x>",
        "ANY /a/me",
        "ANY /static/<path:file>",
        "ANY /<tenant>",
        "ANY /open/...",
        "ANY /open<rest>/...",
    ]
    assert len({number for number, path in told["orders"] if "open" not in path}) == 5
    assert len({number for number, path in told["orders"] if "open" in path}) == 1


def test_a_pattern_without_an_end_may_end_in_the_middle_of_a_word(plain: dict[str, Any]) -> None:
    """What goes on is a variable beside the word, no wider."""
    listed = plain["open, in the middle of a word"]["endpoints"]
    assert [each for each in listed if "payroll" in each] == ["ANY /api/payroll/...", "ANY /api/payroll<rest>/..."]


def test_classes_are_told_by_what_their_patterns_give_them(plain: dict[str, Any]) -> None:
    """One that two patterns have is one operation; one that is told something else is another. Guards are seen."""
    told = plain["classes"]
    operations = dict(told["operations"])
    assert operations["GET /a"] == operations["GET /b"] != operations["PUT /a"]
    assert operations["GET /c"] not in {operations["GET /a"], 0}
    assert dict(told["declared"])["GET /d"] == [[["orders"]], True]
    assert dict(told["declared"])["GET /a"] is None


def test_a_forced_prefix_is_none_that_requests_have(plain: dict[str, Any]) -> None:
    """``FORCE_SCRIPT_NAME`` stands before the links that Django makes; what it dispatches by has none."""
    check(plain["a forced prefix"], "/u/")


def test_no_view_is_called(plain: dict[str, Any]) -> None:
    """Not while routes are looked for."""
    assert plain["required methods"]["reached"]
    assert {name for name, told in plain.items() if told["called"]} == set()


# -- the process of its own


def namespace(kind: str) -> dict[str, Any]:
    """What the projects are written with."""
    from functools import wraps

    from django import urls
    from django.conf.urls import i18n
    from django.http import HttpResponse
    from django.utils.functional import lazy
    from django.utils.translation import get_language
    from django.views import View
    from django.views.decorators import csrf, http

    from scopeware import req_scopes

    called: list[str] = []

    def view(request: Any, *_: Any, **__: Any) -> Any:
        called.append(request.path)
        return HttpResponse("view")

    def roles(allowed: list[str]) -> Any:
        def around(function: Any) -> Any:
            @wraps(function)
            def inner(request: Any, *args: Any, **more: Any) -> Any:
                request.allowed = allowed
                return function(request, *args, **more)

            return inner

        return around

    class Classic(View):
        kind = ""

        def get(self, request: Any) -> Any:
            return view(request)

        def put(self, request: Any) -> Any:
            return view(request)

        patch = get

    class Dav(Classic):
        http_method_names = ["get", "propfind"]
        propfind = Classic.get

    class Dispatching(View):
        def dispatch(self, request: Any) -> Any:
            return view(request)

    for name, regex in (("signed", r"-?\d+"), ("words", r"[a-z]+(?:/[a-z]+)*")):
        converter = {"regex": regex, "to_python": lambda _, value: value, "to_url": lambda _, value: value}
        urls.register_converter(type(name, (), converter), name)

    def in_german(english: str, german: str) -> Any:
        return lazy(lambda: german if get_language() == "de" else english, str)()

    more = {"login": roles(["USER"]), "guarded": req_scopes}
    known = {**vars(urls), **vars(i18n), **vars(csrf), **vars(http), **locals(), **more}
    return {**known, **rest_framework(view)} if kind == "drf" else known


def rest_framework(view: Any) -> dict[str, Any]:
    """What the projects with Django REST framework are written with, besides."""
    from rest_framework.decorators import action, api_view
    from rest_framework.response import Response
    from rest_framework.routers import DefaultRouter
    from rest_framework.urlpatterns import format_suffix_patterns
    from rest_framework.viewsets import ViewSet

    def answer(_: Any, request: Any, **__: Any) -> Any:
        view(request)
        return Response("view")

    class Users(ViewSet):
        list = create = retrieve = update = destroy = answer

        @action(detail=True, methods=["post", "delete"])
        def star(self, request: Any, **_: Any) -> Any:
            return answer(self, request)

        @star.mapping.patch
        def star_again(self, request: Any, **_: Any) -> Any:
            return answer(self, request)

        @action(detail=True, methods=["put"], url_path=r"part/(?P<part>\d+)")
        def part(self, request: Any, **_: Any) -> Any:
            return answer(self, request)

        @action(detail=False)
        def recent(self, request: Any, **_: Any) -> Any:
            return answer(self, request)

    def router(**options: Any) -> Any:
        made = DefaultRouter(**options)
        made.register("users", Users, basename="user")
        return made

    function = api_view(["GET", "PUT"])(lambda request, **more: answer(None, request, **more))
    return {"router": router, "function": function, "format_suffix_patterns": format_suffix_patterns}


def look(routes: str, paths: list[str], known: dict[str, Any], number: int) -> dict[str, Any]:
    """What is found in one project, and what its requests reach."""
    import types
    from urllib.parse import quote

    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler
    from django.urls import clear_url_caches, set_urlconf
    from django.utils import translation
    from werkzeug.test import Client

    from scopeware.introspect.discover import discover
    from scopeware.policy.path import canonical, wsgi_path

    module = types.ModuleType(f"urls{number}")
    sys.modules[module.__name__] = module
    vars(module)["urlpatterns"] = eval(f"[{routes}]", known)
    settings.ROOT_URLCONF = module.__name__
    clear_url_caches()
    set_urlconf(None)
    translation.deactivate()
    application = WSGIHandler()
    found = discover(application)
    called = list(known["called"])
    client = Client(application)
    requests = [(method, path) for path in paths for method in METHODS]
    reached = [each for each in requests if client.open(quote(each[1]), method=each[0]).status_code == 200]
    known["called"].clear()

    def covers(method: str, path: str) -> bool:
        text = canonical(wsgi_path(path)).removesuffix("/")
        return any(
            endpoint.pattern._regex.fullmatch(text) and (not endpoint.methods or method in endpoint.methods)
            for endpoint in found.endpoints
        )

    return {
        "endpoints": list(map(str, found.endpoints)),
        "notes": found.notes,
        "orders": [(endpoint.order, str(endpoint)) for endpoint in found.endpoints],
        "operations": [(str(endpoint), endpoint.operation) for endpoint in found.endpoints],
        "declared": [
            (str(each), each.declared and (each.declared.alternatives, each.declared.require_token))
            for each in found.endpoints
        ],
        "reached": reached,
        "uncovered": [" ".join(each) for each in reached if not covers(*each)],
        "called": called,
    }


def main(kind: str) -> None:
    """Look at all projects of a kind and print what was found."""
    import logging

    import django
    from django.conf import settings

    logging.disable()
    middleware = ["django.middleware.locale.LocaleMiddleware"]
    rest = {"DEFAULT_AUTHENTICATION_CLASSES": [], "UNAUTHENTICATED_USER": None}
    settings.configure(
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="secret",
        USE_I18N=True,
        LANGUAGES=[("en", "English"), ("de", "German")],
        LANGUAGE_CODE="en",
        MIDDLEWARE=middleware,
        ROOT_URLCONF="urls0",
        INSTALLED_APPS=["rest_framework"] if kind == "drf" else [],
        REST_FRAMEWORK=rest,
    )
    django.setup()
    known = namespace(kind)
    cases = DRF if kind == "drf" else {**REGEXES, **INCLUDES, **CONVERTERS, **VIEWS, **ORDERS, **CLASSES}
    told = {
        name: look(routes, split(paths), known, number) for number, (name, (routes, paths)) in enumerate(cases.items())
    }
    if kind == "plain":
        settings.FORCE_SCRIPT_NAME = "/forced"
        told |= {name: look(routes, split(paths), known, 999) for name, (routes, paths) in FORCED.items()}
    sys.stdout.buffer.write(json.dumps(told).encode())


if __name__ == "__main__":
    main(sys.argv[1])
