"""`req_token` and `req_scopes` on views of every framework, behind a gate and without one."""

from __future__ import annotations

import functools
import importlib.util
import sys
import types
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import bottle
import falcon
import flask
import flask.views
import pytest
from django.http import HttpResponse
from django.urls import path as django_path
from django.urls import re_path
from django.utils.decorators import method_decorator
from django.views import View
from routers import Configurator, PyramidResponse, django_application
from werkzeug.routing import Map, Rule

from scopeware import GuardError, Policy, Scopeware, TokenStore, UnknownScope, req_scopes, req_token
from scopeware.gate import guards
from scopeware.gate.guards import Guarded
from scopeware.tokens import Account

POLICY = """
[policy]
prefix = "/api"
[[group]]
path = "/view"
scopes = []
require_token = false
"""
Decorate = Callable[[Any], Any]


@dataclass
class Views:
    """How often each view ran, and what some of them were told."""

    ran: list[str] = field(default_factory=list)
    contexts: list[Any] = field(default_factory=list)


def vendored_bottle() -> types.ModuleType:
    """A copy of Bottle under another name, as some projects bring one."""
    if "own_bottle" not in sys.modules:
        spec = importlib.util.spec_from_file_location("own_bottle", bottle.__file__)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["own_bottle"] = module
        spec.loader.exec_module(module)
    return sys.modules["own_bottle"]


def plain(decorate: Decorate, views: Views) -> Any:
    """A WSGI callable."""

    @decorate
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        views.ran.append("view")
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"the view"]

    return app


def plain_generator(decorate: Decorate, views: Views) -> Any:
    """A WSGI callable that is a generator."""

    @decorate
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        views.ran.append("view")
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"the view"

    return app


def flask_function(decorate: Decorate, views: Views) -> Any:
    """A view function of Flask."""
    app = flask.Flask("guarded")

    @app.route("/<where>/view")
    @decorate
    def view(where: str) -> str:
        views.ran.append("view")
        return "the view"

    return app


def flask_class(decorate: Decorate, views: Views) -> Any:
    """A method view of Flask."""
    app = flask.Flask("guarded")

    class Here(flask.views.MethodView):
        @decorate
        def get(self, where: str) -> str:
            views.ran.append("view")
            return "the view"

    app.add_url_rule("/<where>/view", view_func=Here.as_view("here"))
    return app


def bottle_function(decorate: Decorate, views: Views, module: Any = bottle) -> Any:
    """A callback of Bottle."""
    app = module.Bottle()

    @app.route("/<where>/view")
    @decorate
    def view(where: str) -> str:
        views.ran.append("view")
        return "the view"

    return app


def bottle_vendored(decorate: Decorate, views: Views) -> Any:
    """A callback of a vendored copy of Bottle."""
    return bottle_function(decorate, views, vendored_bottle())


def falcon_responder(decorate: Decorate, views: Views) -> Any:
    """A responder of Falcon."""

    class Here:
        @decorate
        def on_get(self, request: falcon.Request, response: falcon.Response, where: str) -> None:
            views.ran.append("view")
            response.text = "the view"

    app = falcon.App()
    app.add_route("/{where}/view", Here())
    return app


def django_function(decorate: Decorate, views: Views) -> Any:
    """A view function of Django."""

    @decorate
    def view(request: Any, where: str) -> HttpResponse:
        views.ran.append("view")
        return HttpResponse("the view")

    return django_application([django_path("<where>/view", view)])


def django_async(decorate: Decorate, views: Views) -> Any:
    """An async view of Django."""

    @decorate
    async def view(request: Any, where: str) -> HttpResponse:
        views.ran.append("view")
        return HttpResponse("the view")

    return django_application([django_path("<where>/view", view)])


def django_class(decorate: Decorate, views: Views) -> Any:
    """A class-based view of Django, its method guarded."""

    class Here(View):
        @decorate
        def get(self, request: Any, where: str) -> HttpResponse:
            views.ran.append("view")
            return HttpResponse("the view")

    return django_application([django_path("<where>/view", Here.as_view())])


def django_dispatch(decorate: Decorate, views: Views) -> Any:
    """A class-based view of Django, guarded as a whole."""

    @method_decorator(decorate, name="dispatch")
    class Here(View):
        def get(self, request: Any, where: str) -> HttpResponse:
            views.ran.append("view")
            return HttpResponse("the view")

    return django_application([django_path("<where>/view", Here.as_view())])


def rest_framework(decorate: Decorate, views: Views) -> Any:
    """A view of Django REST framework."""
    pytest.importorskip("rest_framework")
    django_application([])
    from rest_framework.renderers import JSONRenderer
    from rest_framework.response import Response
    from rest_framework.views import APIView

    class Here(APIView):
        authentication_classes = ()
        permission_classes = ()
        renderer_classes = (JSONRenderer,)

        @decorate
        def get(self, request: Any, where: str) -> Any:
            views.ran.append("view")
            return Response("the view")

    return django_application([django_path("<where>/view", Here.as_view())])


def _pyramid(view: Any, **options: Any) -> Any:
    with Configurator() as config:
        config.add_route("view", "/{where}/view")
        config.add_view(view, route_name="view", **options)
        return config.make_wsgi_app()


def pyramid_function(decorate: Decorate, views: Views) -> Any:
    """A view function of Pyramid with context and request."""

    @decorate
    def view(context: Any, request: Any) -> PyramidResponse:
        views.ran.append("view")
        return PyramidResponse("the view")

    return _pyramid(view)


def pyramid_request_only(decorate: Decorate, views: Views) -> Any:
    """A view function of Pyramid with a request alone."""

    @decorate
    def view(request: Any) -> PyramidResponse:
        views.ran.append("view")
        return PyramidResponse("the view")

    return _pyramid(view)


def pyramid_method(decorate: Decorate, views: Views) -> Any:
    """A method of a view class of Pyramid."""

    class Here:
        def __init__(self, request: Any) -> None:
            self.request = request

        @decorate
        def show(self) -> PyramidResponse:
            views.ran.append("view")
            return PyramidResponse("the view")

    return _pyramid(Here, attr="show")


def pyramid_class(decorate: Decorate, views: Views) -> Any:
    """A view class of Pyramid that is called."""

    class Here:
        def __init__(self, request: Any) -> None:
            self.request = request

        @decorate
        def __call__(self) -> PyramidResponse:
            views.ran.append("view")
            return PyramidResponse("the view")

    return _pyramid(Here)


FRAMEWORKS: dict[str, Callable[[Decorate, Views], Any]] = {
    make.__name__: make
    for make in (
        plain,
        plain_generator,
        flask_function,
        flask_class,
        bottle_function,
        bottle_vendored,
        falcon_responder,
        django_function,
        django_async,
        django_class,
        django_dispatch,
        rest_framework,
        pyramid_function,
    )
}


@pytest.fixture
def views() -> Views:
    """Which views ran."""
    return Views()


@pytest.fixture(params=FRAMEWORKS)
def make_app(request: Any, views: Views) -> Callable[[Decorate], Any]:
    """``make_app(decorate)``: an application of each framework with one guarded view at ``/<where>/view``."""
    return lambda decorate: FRAMEWORKS[request.param](decorate, views)


@pytest.fixture
def guarded(make_app: Any, store: TokenStore) -> Callable[..., Scopeware]:
    """``guarded(decorate, **options)``: the gate in front of it."""

    def make(decorate: Decorate, **options: Any) -> Scopeware:
        return Scopeware(make_app(decorate), Policy.loads(POLICY), store, **options)

    return make


PLACES = [pytest.param("/api/view", id="inside of the prefix"), pytest.param("/other/view", id="outside")]


def first_challenge(reply: Any) -> str:
    """The one that all frameworks can carry: Django keeps one line of each header, Falcon makes one of them all."""
    lines: list[str] = reply.all("WWW-Authenticate")
    assert lines, "no challenge"
    return lines[0].removesuffix(', Basic realm="scopeware", charset="UTF-8"')


@pytest.mark.parametrize("path", PLACES)
def test_req_token_runs_a_view_only_for_someone(
    guarded: Any, views: Views, call: Any, issue: Any, spoiled: Any, path: str
) -> None:
    """Without a token the answer is the gate's own 401 and the view has not run; with one it runs once."""
    gate = guarded(req_token)
    reply = call(gate, "GET", path)
    assert (reply.status, reply.code, views.ran) == (401, "token_required", [])
    assert first_challenge(reply) == 'Bearer realm="scopeware"'
    assert reply.header("Cache-Control") == "no-store"
    reply = call(gate, "GET", path, authorization=f"Bearer {spoiled('token_revoked')}")
    assert (reply.status, reply.code, views.ran) == (401, "token_revoked", [])
    reply = call(gate, "GET", path, authorization=f"Bearer {issue('read:misc')}")
    assert (reply.status, views.ran) == (200, ["view"])
    assert b"the view" in reply.body


@pytest.mark.parametrize("path", PLACES)
def test_req_scopes_runs_a_view_only_with_all_of_them(
    guarded: Any, views: Views, call: Any, issue: Any, path: str
) -> None:
    """The 403 names them; nobody's 401 does not."""
    gate = guarded(req_scopes("read:user", "write:issue"))
    assert call(gate, "GET", path).code == "token_required"
    for scopes in ("read:user", "write:issue", "read:user,read:issue"):
        reply = call(gate, "GET", path, authorization=f"Bearer {issue(scopes)}")
        assert (reply.status, reply.code, views.ran) == (403, "insufficient_scope", [])
        assert 'scope="read:user write:issue"' in first_challenge(reply)
        assert reply.json["required_scopes"] == ["read:user", "write:issue"]
    assert call(gate, "GET", path, authorization=f"Bearer {issue('write:user,write:issue')}").status == 200
    assert views.ran == ["view"]


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize(
    ("accept", "session", "token"),
    [
        pytest.param("any", 200, 200, id="any"),
        pytest.param("token", 401, 200, id="token"),
        pytest.param("session", 200, 403, id="session"),
    ],
)
def test_accept_says_who_counts(
    guarded: Any, views: Views, call: Any, issue: Any, path: str, accept: Any, session: int, token: int
) -> None:
    """Tokens, sessions, or both."""
    gate = guarded(req_token(accept=accept), identify=lambda environ: environ.get("HTTP_X_SESSION"))
    assert call(gate, "GET", path, x_session="alice").status == session
    assert call(gate, "GET", path, authorization=f"Bearer {issue('all')}").status == token
    assert call(gate, "GET", path).status == 401
    assert len(views.ran) == (session == 200) + (token == 200)


@pytest.mark.parametrize("path", PLACES)
def test_optional_lets_nobody_in_particular_in_and_asks_tokens_all_the_same(
    guarded: Any, views: Views, call: Any, issue: Any, path: str
) -> None:
    """Anonymous, or with the scopes; not with a token that lacks them, and not with a broken one."""
    gate = guarded(req_scopes("read:user", optional=True))
    assert call(gate, "GET", path).status == 200
    assert call(gate, "GET", path, authorization=f"Bearer {issue('read:user')}").status == 200
    assert call(gate, "GET", path, authorization=f"Bearer {issue('read:misc')}").status == 403
    assert call(gate, "GET", path, authorization="Bearer swt_x").status == 401
    assert len(views.ran) == 2


def test_in_report_mode_every_view_runs(guarded: Any, views: Views, call: Any, caplog: Any) -> None:
    """And what a guard would have refused is logged."""
    gate = guarded(req_scopes("read:user"), mode="report")
    assert call(gate, "GET", "/api/view").status == 200
    assert views.ran == ["view"]
    assert "would have refused GET `/api/view` with 401 token_required" in caplog.text


def test_a_head_refusal_of_a_guard_has_no_body(guarded: Any, views: Views, call: Any, issue: Any) -> None:
    """Where the framework gives HEAD to the view."""
    gate = guarded(req_scopes("read:user"))
    reply = call(gate, "HEAD", "/api/view", strict=False)
    assert (reply.body, views.ran) == (b"", [])
    assert reply.status in (401, 405)  # Falcon and Pyramid's `attr` know no HEAD of their own


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize("wrong", ["two tokens", "store closed"])
def test_what_cannot_be_decided_runs_no_view(
    guarded: Any, views: Views, call: Any, issue: Any, store: TokenStore, path: str, wrong: str
) -> None:
    """400 for two tokens, 503 for a store out of reach."""
    gate = guarded(req_token)
    secret = issue("all")
    if wrong == "store closed":
        store.close()
    credentials = f"Bearer {secret}" + (f", Bearer {secret}" if wrong == "two tokens" else "")
    reply = call(gate, "GET", path, authorization=credentials)
    assert (reply.status, views.ran) == (503 if wrong == "store closed" else 400, [])


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize("make", [pyramid_request_only, pyramid_method, pyramid_class])
def test_views_of_pyramid_come_in_other_shapes_too(
    store: TokenStore, views: Views, call: Any, issue: Any, make: Any, path: str
) -> None:
    """Functions of a request alone, methods of a class, and classes that are called."""
    gate = Scopeware(make(req_token, views), Policy.loads(POLICY), store)
    reply = call(gate, "GET", path)
    assert (reply.status, reply.code, views.ran) == (401, "token_required", [])
    assert call(gate, "GET", path, authorization=f"Bearer {issue('all')}").status == 200
    assert views.ran == ["view"]


def test_a_public_only_token_does_not_satisfy_a_guard_outside_of_the_prefix(
    store: TokenStore, views: Views, call: Any, issue: Any
) -> None:
    """Nothing there is known to be public."""
    gate = Scopeware(plain(req_scopes("read:repository"), views), Policy.loads(POLICY), store)
    assert call(gate, "GET", "/other/view", authorization=f"Bearer {issue('read:repository')}").status == 200
    reply = call(gate, "GET", "/other/view", authorization=f"Bearer {issue('public-only,read:repository')}")
    assert (reply.status, len(views.ran)) == (403, 1)


# -- without a gate


def test_without_a_gate_no_guarded_view_runs(
    make_app: Any, views: Views, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a mistake of whoever put the application together, and said so; nobody is let in."""
    monkeypatch.setattr(guards, "_gates", weakref.WeakSet())
    app = make_app(req_token)
    try:
        status = call(app, "GET", "/api/view", environ={"wsgi.errors": sys.stderr}, strict=False).status
    except GuardError as error:
        assert "Scopeware" in str(error)  # noqa: PT017
    else:
        assert status == 500
    assert views.ran == []


def test_a_context_that_a_client_made_up_is_none(views: Views, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a true one counts, and none comes in by a header."""
    monkeypatch.setattr(guards, "_gates", weakref.WeakSet())
    with pytest.raises(GuardError):
        call(plain(req_token, views), "GET", "/api/view", environ={"scopeware": "root"}, x_scopeware_owner="root")
    assert views.ran == []


def test_outside_of_a_request_a_guarded_view_does_not_run(views: Views) -> None:
    """As when it is called like any function."""

    @req_token
    def view(name: str) -> None:
        views.ran.append(name)

    with pytest.raises(GuardError, match="outside of a request"):
        view("alice")
    assert views.ran == []


# -- what a guard is


def test_a_guarded_view_keeps_its_name(views: Views) -> None:
    """Frameworks go by it."""

    @req_token
    def first() -> None:
        """What it does."""

    @req_scopes("read:user")
    def second() -> None:
        """What it does, too."""

    assert (first.__name__, first.__doc__) == ("first", "What it does.")
    assert (second.__name__, second.__doc__) == ("second", "What it does, too.")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(req_scopes, id="no scope"),
        pytest.param(lambda: req_scopes("read:user", "read:user"), id="one twice"),
        pytest.param(lambda: req_scopes("read:user", accept="anyone"), id="accept of req_scopes"),
        pytest.param(lambda: req_token(accept="anyone"), id="accept of req_token"),
        pytest.param(lambda: req_scopes("read:user", resource="docker"), id="a resource without a variable"),
        pytest.param(lambda: req_scopes("read:user", resource="<>"), id="a variable without a name"),
        pytest.param(lambda: req_scopes("read:user", resource="<int:id>"), id="a converter"),
        pytest.param(lambda: req_scopes("read:user", resource="<a>/<int:id>"), id="a variable and a converter"),
        pytest.param(lambda: req_scopes("read:user", resource="<owner>/<repo"), id="a bracket that stays open"),
        pytest.param(lambda: req_scopes("read:user", resource="<owner>/repo>"), id="a bracket that was never open"),
    ],
)
def test_a_guard_that_cannot_be_is_refused_when_it_is_made(make: Callable[[], Any]) -> None:
    """Not when the first request comes."""
    with pytest.raises(ValueError):
        make()


def test_a_scope_that_the_vocabulary_lacks_runs_no_view(views: Views, store: TokenStore, call: Any, issue: Any) -> None:
    """Not even for a token with all scopes."""
    gate = Scopeware(plain(req_scopes("read:nothing"), views), Policy.loads(POLICY), store)
    with pytest.raises(UnknownScope):
        call(gate, "GET", "/api/view", strict=False, authorization=f"Bearer {issue('all')}")
    assert views.ran == []


@pytest.mark.parametrize("scope", ["read:user@alice", "read:repository@alice/*", "public-only"])
def test_a_guard_asks_for_no_resource_and_no_restriction(
    views: Views, store: TokenStore, call: Any, issue: Any, scope: str
) -> None:
    """What a request is about is the policy's to say; the view does not run for anyone."""
    gate = Scopeware(plain(req_scopes("read:misc", scope), views), Policy.loads(POLICY), store)
    for headers in ({}, {"authorization": f"Bearer {issue('all')}"}):
        with pytest.raises(GuardError, match="bound"):
            call(gate, "GET", "/api/view", strict=False, **headers)
    assert views.ran == []


def test_two_gates_in_one_process_keep_their_own_tokens(
    store: TokenStore, tmp_path: Any, views: Views, call: Any, issue: Any
) -> None:
    """A guard asks the gate that the request came through."""
    other = TokenStore.connect(f"sqlite:///{tmp_path}/other.db")
    policy = Policy.loads(POLICY)
    app = flask_function(req_token, views)
    ours, theirs = Scopeware(app, policy, store), Scopeware(app, policy, other)
    secret = issue("all")
    for path in ("/api/view", "/other/view"):
        assert call(ours, "GET", path, authorization=f"Bearer {secret}").status == 200
        assert call(theirs, "GET", path, authorization=f"Bearer {secret}").status == 401
    assert len(views.ran) == 2
    other.close()


def test_scopes_of_an_outer_gate_mean_nothing_to_an_inner_one(tmp_path: Any, views: Views, call: Any) -> None:
    """A gate within a gate, of other vocabularies: bits of the one are no bits of the other."""
    made = []
    for name, category in (("inner", "vault"), ("outer", "lobby")):
        vocabulary = f'[vocabulary]\nname = "{name}"\nactions = ["read", "write"]\ncategories = {{{category} = ""}}\n'
        prefix = f'[policy]\nprefix = "/{name}"\n'
        policy = Policy.loads(f'{prefix}{vocabulary}[[group]]\npath = "/"\nscopes = ["{category}"]')
        made.append((policy, TokenStore.connect(f"sqlite:///{tmp_path}/{name}.db")))
    (inner_policy, inner_store), (outer_policy, outer_store) = made
    inner = Scopeware(plain(req_scopes("write:vault"), views), inner_policy, inner_store)
    outer = Scopeware(inner, outer_policy, outer_store)
    secret = outer_store.issue(owner="alice", name="a", scopes="write:lobby").secret
    try:
        with pytest.raises(UnknownScope, match="write:vault"):
            call(outer, "GET", "/outer/view", authorization=f"Bearer {secret}")
    finally:
        inner_store.close()
        outer_store.close()
    assert views.ran == []


# -- what a view is about


SERVER = """
[vocabulary]
name = "server"
spelling = "category:action"
actions = ["read_any", "read_own", "write_any", "write_own"]
implies = { write_any = ["read_any"], write_own = ["read_own"] }
own = { read_any = "read_own", write_any = "write_own" }
methods = { "*" = ["read_any"] }
public_only = "public-only"
categories = { docker = "", vms = "" }

[roles]
tenant = "*:write_own"

[policy]
"""
INSIDE = f"""{SERVER}
[[group]]
path = "/<where>/view"
scopes = []
public_only = "allow"
"""
OUTSIDE = f"""{SERVER}
prefix = "/api"
[[group]]
path = "/"
scopes = []
"""
OWNERS = {"docker/web": "alice", "docker/db": "alice", "docker/mail": "bob", "docker/a/b": "alice"}
OUT = "resource_out_of_reach"
loaded = functools.cache(Policy.loads)


def routed(decorate: Decorate, views: Views, rule: str = "/<where>/view", **variables: Any) -> Any:
    """A WSGI callable that gets the variables of its route as keywords."""

    @decorate
    def view(environ: dict[str, Any], start_response: Any, **found: Any) -> Any:
        views.ran.append("view")
        views.contexts.append(environ["scopeware"])
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"the view"]

    routes = Map([Rule(rule, endpoint="view", defaults=variables or None)])

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        _, found = routes.bind_to_environ(environ).match()
        return view(environ, start_response, **found)

    return app


ROUTED: dict[str, Callable[[Decorate, Views], Any]] = {
    make.__name__: make
    for make in (
        routed,
        flask_function,
        flask_class,
        bottle_function,
        bottle_vendored,
        falcon_responder,
        django_function,
        django_async,
        django_class,
        django_dispatch,
        rest_framework,
        pyramid_function,
        pyramid_request_only,
        pyramid_method,
        pyramid_class,
    )
}


@pytest.fixture(params=ROUTED)
def about(request: Any, store: TokenStore, views: Views) -> Callable[..., Scopeware]:
    """``about(decorate, policy, **options)``: the gate in front of an application of each framework, whose view gets
    `where` from its route."""

    def make(decorate: Decorate, policy: str = OUTSIDE, **options: Any) -> Scopeware:
        options.setdefault("resource_owner", OWNERS.get)
        return Scopeware(ROUTED[request.param](decorate, views), loaded(policy), store, **options)

    return make


@pytest.fixture
def plainly(store: TokenStore, views: Views) -> Callable[..., Scopeware]:
    """The same with a WSGI callable alone, for what is alike in all frameworks; `rule` and `variables` are its
    route's."""

    def make(decorate: Decorate, policy: str = OUTSIDE, rule: str = "/<where>/view", **options: Any) -> Scopeware:
        options.setdefault("resource_owner", OWNERS.get)
        app = routed(decorate, views, rule, **options.pop("variables", {}))
        return Scopeware(app, loaded(policy), store, **options)

    return make


POLICIES = [pytest.param(OUTSIDE, id="outside of the prefix"), pytest.param(INSIDE, id="inside")]
CASES = {
    "docker:read_own": {"web": None, "mail": OUT, "missing": OUT},
    "docker:read_any": {"web": None, "mail": None, "missing": None},
    "docker:read_any@docker/web": {"web": None, "mail": OUT, "missing": OUT},
    "docker:read_own@docker/mail": {"web": OUT, "mail": OUT},
    "vms:read_any": {"web": "insufficient_scope", "missing": "insufficient_scope"},
}


@pytest.mark.parametrize("policy", POLICIES)
def test_a_guard_may_say_what_its_view_is_about(about: Any, views: Views, call: Any, issue: Any, policy: str) -> None:
    """By the variables of the route, in whichever way the framework hands them over; what one may do there counts."""
    gate = about(req_scopes("docker:read_any", resource="docker/<where>"), policy)
    ran = 0
    for scopes, codes in CASES.items():
        headers = {"authorization": f"Bearer {issue(scopes)}"}
        for name, code in codes.items():
            reply = call(gate, "GET", f"/{name}/view", **headers)
            assert (reply.status, reply.code) == (200 if code is None else 403, code), (scopes, name)
            ran += code is None
    assert call(gate, "GET", "/web/view").code == "token_required"
    assert len(views.ran) == ran


def test_a_variable_that_the_route_lacks_runs_no_view(about: Any, views: Views, call: Any, issue: Any) -> None:
    """It is a mistake of whoever wrote the guard, and nobody passes by it."""
    gate = about(req_scopes("docker:read_any", resource="docker/<name>"))
    headers = {"authorization": f"Bearer {issue('docker:write_any')}"}
    try:
        status = call(gate, "GET", "/web/view", environ={"wsgi.errors": sys.stderr}, strict=False, **headers).status
    except GuardError as error:
        assert "`name`" in str(error)  # noqa: PT017
        assert "`docker/<name>`" in str(error)  # noqa: PT017
    else:
        assert status == 500
    assert views.ran == []


def test_refusals_of_a_guard_look_the_same_whether_it_exists_or_not(about: Any, call: Any, issue: Any) -> None:
    """To the byte."""
    gate = about(req_scopes("docker:read_any", resource="docker/<where>"))
    headers = {"authorization": f"Bearer {issue('docker:read_own')}"}
    there, missing = (call(gate, "GET", f"/{name}/view", **headers) for name in ("mail", "missing"))
    assert (there.status, there.headers, there.body) == (missing.status, missing.headers, missing.body)


def test_refusals_of_a_guard_may_be_hidden(about: Any, views: Views, call: Any, issue: Any) -> None:
    """Behind the application's own 404."""

    def not_found(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"nothing here"]

    gate = about(req_scopes("docker:read_any", resource="docker/<where>"), not_found=not_found)
    for scopes in ("docker:read_own", "docker:read_any@docker/web"):
        reply = call(gate, "GET", "/mail/view", authorization=f"Bearer {issue(scopes)}")
        assert (reply.status, reply.body, views.ran) == (404, b"nothing here", [])
    assert call(gate, "GET", "/mail/view", authorization=f"Bearer {issue('vms:read_any')}").status == 403


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("scopes", "name", "possession"),
    [
        pytest.param("docker:read_own", "web", "own", id="one's own"),
        pytest.param("docker:read_any", "web", "any", id="all"),
        pytest.param("docker:read_any", "mail", "any", id="another's"),
    ],
)
def test_the_view_is_told_whose_things_are_in_reach(
    plainly: Any, views: Views, call: Any, issue: Any, policy: str, scopes: str, name: str, possession: str
) -> None:
    """As by the gate itself, inside of the prefix and outside."""
    gate = plainly(req_scopes("docker:read_any", resource="docker/<where>"), policy)
    assert call(gate, "GET", f"/{name}/view", authorization=f"Bearer {issue(scopes)}").status == 200
    assert [context.possession for context in views.contexts] == [possession]


@pytest.mark.parametrize("policy", POLICIES)
def test_guards_of_one_view_allow_what_all_of_them_do(
    plainly: Any, views: Views, call: Any, issue: Any, policy: str
) -> None:
    """In whichever order: one's own for the one is one's own for both."""
    first = req_scopes("docker:read_any", resource="docker/<where>")
    second = req_scopes("vms:read_any", resource="docker/<where>")
    token = issue_for(plainly(req_token, policy), issue, "docker:read_own,vms:read_any")
    other = issue("docker:read_own,vms:read_own")
    for decorate in (lambda view: first(second(view)), lambda view: second(first(view))):
        gate = plainly(decorate, policy)
        for secret in (token, other):
            assert call(gate, "GET", "/web/view", authorization=f"Bearer {secret}").status == 200
            assert call(gate, "GET", "/mail/view", authorization=f"Bearer {secret}").code == OUT
    assert {context.possession for context in views.contexts} == {"own"}


def issue_for(gate: Scopeware, issue: Any, scopes: str) -> str:
    """A token of the gate's vocabulary, which its store speaks from now on."""
    assert gate.policy.vocabulary.parse(scopes)
    secret: str = issue(scopes)
    return secret


def test_what_a_guard_found_out_counts_where_the_view_asks_further(
    plainly: Any, views: Views, call: Any, issue: Any
) -> None:
    """The rule of the path asks for nothing, so what is in reach is what the guard left: one's own."""
    gate = plainly(req_scopes("docker:read_any", resource="docker/<where>"), INSIDE)
    assert call(gate, "GET", "/web/view", authorization=f"Bearer {issue('docker:read_own')}").status == 200
    [context] = views.contexts
    assert context.possession == "own"
    assert context.allows("docker/db", "docker:read_any")
    assert not context.allows("docker/mail", "docker:read_any")
    assert context.allows("docker/db")
    assert not context.allows("docker/mail")


BELOW = f"""{SERVER}
[[group]]
path = "/<where>/view"
scopes = ["docker"]
resource = "docker/<where>"
[[group]]
path = "/list/view"
scopes = ["docker"]
own = "filter"
[[group]]
path = "/role/view"
scopes = []
others = ["admin"]
own = "filter"
"""


@pytest.mark.parametrize(
    ("decorate", "scopes", "name", "code", "possession"),
    [
        pytest.param(req_token, "docker:read_own", "web", None, "own", id="someone, one's own"),
        pytest.param(req_token, "docker:read_own", "mail", OUT, None, id="someone, another's"),
        pytest.param(req_scopes("docker:read_any"), "docker:read_own", "web", None, "own", id="all, one's own"),
        pytest.param(req_scopes("docker:read_any"), "docker:read_any", "mail", None, "any", id="all, another's"),
        pytest.param(req_scopes("docker:read_own"), "docker:read_own", "web", None, "own", id="one's own, as such"),
        pytest.param(
            req_scopes("docker:write_any"), "docker:write_own", "web", None, "own", id="more than the rule asks for"
        ),
        pytest.param(
            req_scopes("docker:write_any"),
            "docker:read_any",
            "web",
            "insufficient_scope",
            None,
            id="more than there is",
        ),
        pytest.param(
            req_scopes("docker:write_any"), "docker:read_any,docker:write_own", "mail", OUT, None, id="all to read only"
        ),
        pytest.param(
            req_scopes("docker:write_any"),
            "docker:read_any,docker:write_own",
            "web",
            None,
            "own",
            id="one's own to write",
        ),
        pytest.param(
            req_scopes("vms:read_any"), "docker:read_own,vms:read_own", "web", None, "own", id="another category, too"
        ),
        pytest.param(
            req_scopes("docker:read_any"),
            "docker:read_own",
            "list",
            "insufficient_scope",
            None,
            id="all, where none is named",
        ),
        pytest.param(req_scopes("docker:read_own"), "docker:read_own", "list", None, "own", id="one's own in a list"),
        pytest.param(req_scopes("docker:read_any"), "docker:read_any", "list", None, "any", id="all in a list"),
        pytest.param(req_token, "docker:read_any", "role", None, "own", id="where the role decides"),
        pytest.param(
            req_scopes("docker:read_any"), "docker:read_any", "role", None, "own", id="all, where the role decides"
        ),
        pytest.param(
            req_scopes("docker:read_any", resource="docker/<where>"),
            "docker:read_own",
            "web",
            None,
            "own",
            id="what both are about",
        ),
        pytest.param(
            req_scopes("docker:read_any", resource="<where>"),
            "docker:read_own",
            "web",
            OUT,
            None,
            id="about something else",
        ),
    ],
)
def test_a_guard_asks_about_what_the_rule_is_about(
    plainly: Any,
    views: Views,
    call: Any,
    issue: Any,
    decorate: Any,
    scopes: str,
    name: str,
    code: str | None,
    possession: str | None,
) -> None:
    """Where it does not say itself. It only ever takes away from what the rule allows."""
    gate = plainly(decorate, BELOW)
    assert call(gate, "GET", f"/{name}/view", authorization=f"Bearer {issue(scopes)}").code == code
    assert [context.possession for context in views.contexts] == ([] if possession is None else [possession])


@pytest.mark.parametrize(
    ("rule", "path", "resource", "variables", "asked"),
    [
        pytest.param("/<owner>/<repo>", "/a/b", "<owner>/<repo>", {}, "a/b", id="two variables"),
        pytest.param("/<owner>/<repo>", "/a/b", "<repo>/<owner>/<repo>", {}, "b/a/b", id="one of them twice"),
        pytest.param("/<path:where>", "/a/b", "docker/<where>", {}, "docker/a/b", id="many segments"),
        pytest.param("/<path:owner>/x/<repo>", "/a/b/x/c", "<owner>/<repo>", {}, "", id="many segments, and one"),
        pytest.param("/<int:number>", "/007", "docker/<number>", {}, "docker/7", id="a number"),
        pytest.param("/<where>", "/caf\xc3\xa9", "docker/<where>", {}, "docker/café", id="letters of all kinds"),
        pytest.param("/<where>", "/a b", "docker/<where>", {}, "docker/a b", id="a space"),
        pytest.param("/x", "/x", "docker/<where>", {"where": "web"}, "docker/web", id="a default of the route"),
        pytest.param("/<where>", "/<where>", "docker/<where>", {}, "docker/<where>", id="what looks like a variable"),
        pytest.param("/<where>", "/\\1", "docker/<where>", {}, "docker/\\1", id="what looks like a reference"),
    ],
)
def test_the_template_is_filled_with_what_the_view_gets(
    plainly: Any,
    views: Views,
    call: Any,
    issue: Any,
    rule: str,
    path: str,
    resource: str,
    variables: dict[str, Any],
    asked: str,
) -> None:
    """Once; and what could be read in two ways names nothing."""
    seen: list[str] = []
    gate = plainly(
        req_scopes("docker:read_any", resource=resource),
        f'{SERVER}prefix = "/api"\n[[group]]\npath = "/"\nscopes = []\n',
        rule,
        variables=variables,
        resource_owner=seen.append,
    )
    reply = call(gate, "GET", path, authorization=f"Bearer {issue('docker:read_own')}")
    assert (reply.code, seen, views.ran) == (OUT, [asked], [])


def test_what_could_be_read_in_two_ways_is_in_no_bound_tokens_reach(
    plainly: Any, views: Views, call: Any, issue: Any
) -> None:
    """`a/b` and `c`, or `a` and `b/c`: only who reaches everything reaches that."""
    decorate = req_scopes("docker:read_any", resource="<owner>/<repo>")
    gate = plainly(decorate, OUTSIDE, "/<path:owner>/x/<repo>")
    for scopes, code in (
        ("docker:read_any@a/b/c", OUT),
        ("docker:read_any@a/*", OUT),
        ("docker:read_own", OUT),
        ("docker:read_any", None),
    ):
        assert call(gate, "GET", "/a/b/x/c", authorization=f"Bearer {issue(scopes)}").code == code
    assert call(gate, "GET", "/a/x/c", authorization=f"Bearer {issue('docker:read_any@a/*')}").code is None


def test_segments_that_pyramid_gives_as_such_are_what_they_are_in_the_path(
    store: TokenStore, views: Views, call: Any, issue: Any
) -> None:
    """`*where` is a tuple there."""

    @req_scopes("docker:read_any", resource="docker/<where>")
    def view(request: Any) -> PyramidResponse:
        views.ran.append("view")
        return PyramidResponse("the view")

    with Configurator() as config:
        config.add_route("view", "/files/*where")
        config.add_view(view, route_name="view")
        app = config.make_wsgi_app()
    gate = Scopeware(app, loaded(OUTSIDE), store, resource_owner=OWNERS.get)
    headers = {"authorization": f"Bearer {issue('docker:read_own')}"}
    assert call(gate, "GET", "/files/a/b", **headers).status == 200
    assert call(gate, "GET", "/files/mail", **headers).code == OUT
    assert views.ran == ["view"]


def test_variables_without_names_are_none(store: TokenStore, views: Views, call: Any, issue: Any) -> None:
    """Nobody knows which is which: the view does not run."""

    @req_scopes("docker:read_any", resource="docker/<where>")
    def view(request: Any, where: str) -> HttpResponse:
        views.ran.append("view")
        return HttpResponse("the view")

    app = django_application([re_path(r"^([a-z]+)/view$", view)])
    gate = Scopeware(app, loaded(OUTSIDE), store)
    reply = call(
        gate,
        "GET",
        "/web/view",
        environ={"wsgi.errors": sys.stderr},
        authorization=f"Bearer {issue('docker:read_any')}",
    )
    assert (reply.status, views.ran) == (500, [])


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("sessions", ["free", "role"])
def test_sessions_are_held_to_what_they_are_held_to(
    plainly: Any, call: Any, store: TokenStore, policy: str, sessions: str
) -> None:
    """To nothing, or to their role: there what is one's own counts for them as well."""
    gate = plainly(
        req_scopes("docker:write_any", resource="docker/<where>"),
        policy,
        identify=lambda environ: environ.get("HTTP_X_USER"),
        sessions=sessions,
    )
    for name, role in (("alice", "tenant"), ("root", "admin"), ("vera", "viewer")):
        store.add_owner(name, role=role)
    free = sessions == "free"
    for user, name, code in [
        ("alice", "web", None),
        ("alice", "mail", None if free else OUT),
        ("root", "mail", None),
        ("vera", "web", None if free else "insufficient_scope"),
        ("unheard-of", "web", None if free else "insufficient_scope"),
    ]:
        assert call(gate, "GET", f"/{name}/view", x_user=user).code == code, (user, name)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("sessions", ["free", "role"])
def test_a_store_that_is_away_is_a_503_for_sessions_too(
    plainly: Any, views: Views, call: Any, store: TokenStore, sessions: str, policy: str
) -> None:
    """Where their role has to be asked for; elsewhere they do not need it."""
    gate = plainly(req_token, policy, identify=lambda environ: "alice", sessions=sessions)
    store.add_owner("alice")
    assert call(gate, "GET", "/web/view").status == 200
    store.close()
    assert call(gate, "GET", "/web/view").status == (200 if sessions == "free" else 503)
    assert len(views.ran) == (2 if sessions == "free" else 1)


@pytest.mark.parametrize("optional", [False, True])
def test_an_optional_guard_may_be_about_something(
    plainly: Any, views: Views, call: Any, issue: Any, optional: bool
) -> None:
    """Nobody passes, or not; a token has to reach it."""
    gate = plainly(req_scopes("docker:read_any", resource="docker/<where>", optional=optional))
    for name in ("web", "mail"):
        assert call(gate, "GET", f"/{name}/view").status == (200 if optional else 401)
    headers = {"authorization": f"Bearer {issue('docker:read_own')}"}
    assert call(gate, "GET", "/mail/view", **headers).code == OUT
    assert call(gate, "GET", "/web/view", **headers).code is None
    assert len(views.ran) == (3 if optional else 1)


def test_a_guard_about_something_asks_for_the_role_there(plainly: Any, call: Any, issue: Any) -> None:
    """Where roles are given per resource."""
    roles = {"docker/web": "tenant", "docker/mail": "user"}
    gate = plainly(
        req_scopes("docker:write_any", resource="docker/<where>"),
        resource_role=lambda owner, resource: roles.get(resource),
    )
    secret = issue("docker:write_any")
    codes = {
        name: call(gate, "GET", f"/{name}/view", authorization=f"Bearer {secret}").code
        for name in ("web", "mail", "missing")
    }
    assert codes == {"web": None, "mail": None, "missing": OUT}
    roles["docker/mail"] = "tenant"
    assert call(gate, "GET", "/mail/view", authorization=f"Bearer {secret}").code == OUT


@pytest.mark.parametrize("owner", [7, b"alice", True, ["alice"], Account("alice")], ids=repr)
def test_nonsense_about_an_owner_runs_no_view(plainly: Any, views: Views, call: Any, issue: Any, owner: Any) -> None:
    """The server gets to see the error."""
    gate = plainly(req_scopes("docker:read_any", resource="docker/<where>"), resource_owner=lambda resource: owner)
    with pytest.raises(TypeError, match="resource_owner"):
        call(gate, "GET", "/web/view", strict=False, authorization=f"Bearer {issue('docker:read_own')}")
    assert views.ran == []


ABOUT_ONE = f"""{SERVER}
[[group]]
path = "/<where>/view/<to>"
scopes = ["docker"]
resource = "docker/<where>"
public_only = "check"
"""


def test_a_public_only_token_does_not_reach_what_is_private_by_a_guard_of_its_own(
    plainly: Any, views: Views, call: Any, issue: Any
) -> None:
    """The policy has said that what its rule is about is public; what the guard is about is something else."""
    gate = plainly(
        req_scopes("docker:read_any", resource="docker/<to>"),
        ABOUT_ONE,
        "/<where>/view/<to>",
        visibility=lambda environ, resource: "public" if resource == "docker/web" else "private",
    )
    headers = {"authorization": f"Bearer {issue('public-only,docker:read_any')}"}
    assert call(gate, "GET", "/mail/view/web", **headers).code == "public_only"
    assert call(gate, "GET", "/web/view/web", **headers).code is None
    assert call(gate, "GET", "/web/view/mail", **headers).code == "public_only"
    assert len(views.ran) == 1


def test_in_report_mode_a_view_about_anothers_runs_and_is_told_to_show_ones_own(
    plainly: Any, views: Views, call: Any, issue: Any, caplog: Any
) -> None:
    """And it is logged."""
    gate = plainly(req_scopes("docker:read_any", resource="docker/<where>"), INSIDE, mode="report")
    assert call(gate, "GET", "/mail/view", authorization=f"Bearer {issue('docker:read_own')}").status == 200
    assert "would have refused GET `/mail/view` with 403 resource_out_of_reach" in caplog.text
    assert [context.possession for context in views.contexts] == ["own"]


# -- what a guarded view says of itself


def test_a_guarded_view_says_what_it_asks_for() -> None:
    """Outermost last, for whoever writes documents about it; an unguarded one says nothing."""

    def view() -> None:
        """What it does."""

    once = req_token(view)
    twice = req_scopes("read:user", optional=True)(req_scopes("write:issue", "read:misc", resource="<a>/<b>")(once))
    assert once.__scopeware__ == (Guarded(),)
    assert twice.__scopeware__ == (
        Guarded(),
        Guarded(("write:issue", "read:misc"), resource="<a>/<b>"),
        Guarded(("read:user",), optional=True),
    )
    assert req_token(accept="session")(view).__scopeware__ == (Guarded(accept="session"),)
    assert not hasattr(view, "__scopeware__")


def test_what_cannot_tell_its_signature_can_be_guarded() -> None:
    """Such as what is written in C."""
    guarded = req_scopes("read:user")(dict)
    assert guarded.__scopeware__ == (Guarded(("read:user",)),)
    with pytest.raises(GuardError, match="outside of a request"):
        guarded()
