"""What the application gets to see: who calls, never the secret, nothing that pretends to come from the gate."""

from __future__ import annotations

import base64
import logging
import traceback
from typing import Any

import pytest

from scopeware import Scopeware, TokenStore
from scopeware.gate import Allowed, Context

EVERYWHERE = {"headers": ["X-API-Key"], "query": ["token"]}


def keys_with(secret: str, environ: dict[str, Any]) -> list[str]:
    """The keys of an environ whose values show a secret, plain or in base64."""
    encoded = [base64.b64encode(f"{a}{secret}{b}".encode()).decode() for a, b in (("", ":"), ("alice:", ""))]
    return [key for key, value in environ.items() if any(text in repr(value) for text in (secret, *encoded))]


# -- the token is taken out


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param({"authorization": "Bearer {0}"}, id="Bearer"),
        pytest.param({"authorization": "token {0}"}, id="token"),
        pytest.param({"x_api_key": "{0}"}, id="header"),
        pytest.param({"environ": {"QUERY_STRING": "token={0}"}}, id="query"),
    ],
)
def test_the_application_does_not_see_the_token_unless_it_is_to(
    make_gate: Any, call: Any, issue: Any, sent: dict[str, Any]
) -> None:
    """`forward_token` leaves everything where it was."""
    secret = issue("read:user")

    def filled(value: Any) -> Any:
        return (
            {key: text.format(secret) for key, text in value.items()}
            if isinstance(value, dict)
            else value.format(secret)
        )

    sent = {key: filled(value) for key, value in sent.items()}
    for forward in (False, True):
        reply = call(make_gate(forward_token=forward, **EVERYWHERE), "GET", "/api/v1/user", **sent)
        assert reply.status == 200
        assert bool(keys_with(secret, reply.record.environ)) is forward


def test_basic_credentials_are_taken_out_whole(gate: Scopeware, call: Any, issue: Any) -> None:
    """The application would not know what to do with the rest."""
    value = "Basic " + base64.b64encode(f"alice:{issue('read:user')}".encode()).decode()
    reply = call(gate, "GET", "/api/v1/user", authorization=value)
    assert (reply.status, "HTTP_AUTHORIZATION" in reply.record.environ) == (200, False)


@pytest.mark.parametrize(
    ("query", "left"),
    [
        pytest.param("token={0}", "", id="alone"),
        pytest.param("a=1&token={0}&b=%26", "a=1&b=%26", id="between others"),
        pytest.param("tok%65n={0}&a=1", "a=1", id="encoded name"),
        pytest.param("a=1&token={0}&token=", "a=1", id="and an empty one"),
        pytest.param("atoken=1&token={0}", "atoken=1", id="beside a longer name"),
    ],
)
@pytest.mark.parametrize("target", ["REQUEST_URI", "RAW_URI"])
def test_a_token_in_the_query_leaves_the_raw_target_too(
    make_gate: Any, call: Any, issue: Any, query: str, left: str, target: str
) -> None:
    """Servers keep what the client wrote, and applications log it."""
    query = query.format(issue("read:user"))
    environ = {"QUERY_STRING": query, target: f"/api/v1/user?{query}"}
    reply = call(make_gate(**EVERYWHERE), "GET", "/api/v1/user", environ=environ)
    assert reply.status == 200
    assert reply.record.environ["QUERY_STRING"] == left
    assert reply.record.environ[target] == "/api/v1/user" + (f"?{left}" if left else "")


def test_without_a_token_in_the_query_it_is_not_touched(make_gate: Any, call: Any, issue: Any) -> None:
    """Not even its order, its empty values or what is odd about it."""
    environ = {"QUERY_STRING": "b=&a=%20&&=x;y", "REQUEST_URI": "/api/v1/user?b=&a=%20&&=x;y"}
    reply = call(make_gate(**EVERYWHERE), "GET", "/api/v1/user", environ=environ, x_api_key=issue("read:user"))
    assert {key: reply.record.environ[key] for key in environ} == environ


# -- a planted secret


@pytest.mark.parametrize("place", ["Bearer", "Basic", "header", "query"])
@pytest.mark.parametrize(
    "situation",
    ["allowed", "insufficient", "revoked", "cut short", "ambiguous path", "twice", "store closed", "broken"],
)
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_a_planted_secret_shows_up_nowhere(
    make_gate: Any,
    call: Any,
    store: TokenStore,
    issue: Any,
    caplog: pytest.LogCaptureFixture,
    place: str,
    situation: str,
    accept: str,
) -> None:
    """In no log, answer, repr, traceback, or value of the environ, whatever becomes of the request."""
    caplog.set_level(logging.DEBUG)
    contexts: list[Context] = []

    def observe(environ: dict[str, Any], context: Context) -> None:
        contexts.append(context)
        if situation == "broken":
            raise RuntimeError("the observer broke")

    gate = make_gate(observe=observe, **EVERYWHERE)
    secret = issue("read:user")
    if situation == "revoked":
        store.revoke(store.find(secret).id)
    elif situation == "cut short":
        secret = secret[:-1]
    elif situation == "store closed":
        store.close()
    pair = base64.b64encode(f"alice:{secret}".encode()).decode()
    sent: dict[str, Any] = {
        "Bearer": {"authorization": f"Bearer {secret}"},
        "Basic": {"authorization": f"Basic {pair}"},
        "header": {"x_api_key": secret},
        "query": {"environ": {"QUERY_STRING": f"token={secret}", "REQUEST_URI": f"/api/v1/user?token={secret}"}},
    }[place]
    if situation == "twice":
        sent = {"authorization": f"Bearer {secret}, Bearer {secret}"}
    path = {"insufficient": "/api/v1/admin", "ambiguous path": "/api/v1/./user"}.get(situation, "/api/v1/user")
    reply = call(gate, "GET", path, accept=accept, **sent)
    expected = {
        "allowed": 200,
        "insufficient": 403,
        "ambiguous path": 400,
        "twice": 400,
        "store closed": 503,
        "broken": 500,
    }
    assert reply.status == expected.get(situation, 401)
    texts = [caplog.text, *(repr(record.__dict__) for record in caplog.records), repr(reply.headers), repr(reply.body)]
    texts += [repr(context) + repr(context.token) + repr(context.decision) for context in contexts]
    if situation == "allowed":
        assert keys_with(secret, reply.record.environ) == []
    for text in texts:
        assert secret not in text
        assert pair not in text


def test_a_traceback_from_the_application_does_not_show_the_secret(make_gate: Any, call: Any, issue: Any) -> None:
    """Not even one that a debugger prints with everything the frames' arguments say of themselves."""
    secret = issue("read:user")

    def broken(environ: dict[str, Any], start_response: Any) -> Any:
        raise RuntimeError(repr(environ))

    with pytest.raises(RuntimeError) as caught:
        call(make_gate(app=broken), "GET", "/api/v1/user", strict=False, authorization=f"Bearer {secret}")
    assert secret not in "".join(traceback.format_exception(caught.value))
    assert "REQUEST_METHOD" in str(caught.value)


# -- what came in and pretends

PRETENDERS = {
    "HTTP_X_SCOPEWARE_OWNER": "root",
    "HTTP_X_SCOPEWARE": "off",
    "HTTP_SCOPEWARE": "root",
    "HTTP_SCOPEWARE_SCOPES": "all",
    "HTTP_REMOTE_USER": "root",
    "HTTP_X_REMOTE_USER": "root",
}


@pytest.mark.parametrize("path", ["/api/v1/user", "/api/v1/version"])
@pytest.mark.parametrize("key", [*PRETENDERS, "REMOTE_USER", "scopeware"])
def test_look_alikes_that_came_in_are_gone(gate: Scopeware, call: Any, issue: Any, key: str, path: str) -> None:
    """With a token and without; what the gate says itself stands in their place."""
    for headers in ({"authorization": f"Bearer {issue('read:user')}"}, {}):
        reply = call(gate, "GET", path, environ={key: PRETENDERS.get(key, "root")}, **headers)
        if not headers and path == "/api/v1/user":
            assert reply.status == 401
            continue
        environ = reply.record.environ
        assert isinstance(environ["scopeware"], Context)
        assert environ.get("REMOTE_USER") == ("alice" if headers else None)
        assert not set(PRETENDERS) & set(environ)


def test_headers_that_only_resemble_stay(gate: Scopeware, call: Any) -> None:
    """Nothing but look-alikes is taken out."""
    reply = call(gate, "GET", "/api/v1/version", x_remote_user_agent="a", scope_ware="b")
    assert (reply.record.environ["HTTP_X_REMOTE_USER_AGENT"], reply.record.environ["HTTP_SCOPE_WARE"]) == ("a", "b")


@pytest.mark.parametrize(
    ("owner", "shown"),
    [
        pytest.param("alice", "alice", id="ASCII"),
        pytest.param("Ärger", "Ärger".encode().decode("latin-1"), id="Latin"),
        pytest.param("日本", "日本".encode().decode("latin-1"), id="beyond Latin"),
    ],
)
def test_remote_user_is_the_owner_as_wsgi_spells_it(
    make_gate: Any, call: Any, issue: Any, owner: str, shown: str
) -> None:
    """UTF-8 bytes as latin-1 (PEP 3333), for tokens and for sessions; the context has the name itself."""
    reply = call(make_gate(), "GET", "/api/v1/user", authorization=f"Bearer {issue('read:user', owner=owner)}")
    assert (reply.record.environ["REMOTE_USER"], reply.record.environ["scopeware"].owner) == (shown, owner)
    reply = call(make_gate(identify=lambda environ: owner), "GET", "/api/v1/user")
    assert (reply.record.environ["REMOTE_USER"], reply.record.environ["scopeware"].owner) == (shown, owner)


# -- the context


def test_the_context_says_all_that_was_learned(gate: Scopeware, call: Any, issue: Any, store: TokenStore) -> None:
    """Token, owner, scopes, the group and the route that decided, their variables, the resource, the decision."""
    secret = issue("read:repository,read:misc")
    reply = call(gate, "POST", "/api/v1/repos/alice/widgets/markdown", authorization=f"Bearer {secret}")
    context = reply.record.environ["scopeware"]
    assert reply.status == 200
    assert (context.token.id, context.token.owner, context.owner) == (store.find(secret).id, "alice", "alice")
    assert set(context.scopes) == {"read:repository", "read:misc"}
    assert context.public_only is False
    assert context.group == "/repos/<owner>/<repo>"
    assert context.route == "/repos/<owner>/<repo>/markdown"
    assert context.params == {"owner": "alice", "repo": "widgets"}
    assert context.resource == "alice/widgets"
    assert context.path == "/api/v1/repos/alice/widgets/markdown"
    assert context.decision == Allowed()


def test_the_context_of_nobody_is_empty(gate: Scopeware, call: Any) -> None:
    """But says which group let the request through."""
    context = call(gate, "GET", "/api/v1/version").record.environ["scopeware"]
    assert (context.token, context.owner, context.scopes, context.public_only) == (None, None, None, False)
    assert (context.group, context.route, context.params, context.resource) == ("/version", "", {}, None)
    assert repr(context).startswith("<Context of nobody in /version: ")


def test_the_context_tells_that_a_caller_is_to_see_public_things_only(make_gate: Any, call: Any, issue: Any) -> None:
    """So that lists can be filtered."""
    secret = issue("public-only,read:package")
    reply = call(make_gate(), "GET", "/api/v1/packages", authorization=f"Bearer {secret}")
    assert (reply.status, reply.record.environ["scopeware"].public_only) == (200, True)


def test_the_context_is_that_of_the_request_even_if_the_application_moves_on(
    make_gate: Any, call: Any, issue: Any
) -> None:
    """Some applications shift PATH_INFO while they dispatch; what was decided about stays what it was."""
    seen = []

    def shifting(environ: dict[str, Any], start_response: Any) -> Any:
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = "/elsewhere", "/x"
        seen.append(environ["scopeware"].resource)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b""]

    secret = issue("read:repository")
    call(make_gate(app=shifting), "GET", "/api/v1/repos/alice/widgets", authorization=f"Bearer {secret}")
    assert seen == ["alice/widgets"]
