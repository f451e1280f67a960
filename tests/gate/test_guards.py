"""`req_token` and `req_scopes` on views of every framework, behind a gate and without one."""

from __future__ import annotations

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
from django.utils.decorators import method_decorator
from django.views import View
from routers import Configurator, PyramidResponse, django_application

from scopeware import GuardError, Policy, Scopeware, TokenStore, UnknownScope, req_scopes, req_token
from scopeware.gate import guards

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
    """How often each view ran."""

    ran: list[str] = field(default_factory=list)


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
