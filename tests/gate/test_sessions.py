"""Users whom something else has signed in."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from scopeware import TokenStore


def by_cookie(environ: dict[str, Any]) -> str | None:
    """Who the session cookie belongs to."""
    cookie = environ.get("HTTP_COOKIE", "")
    return cookie.removeprefix("session=") if cookie.startswith("session=") else None


@pytest.fixture
def signed_in(make_gate: Any) -> Any:
    """A gate that recognises sessions."""
    return make_gate(identify=by_cookie)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        pytest.param("GET", "/user", None, id="reading"),
        pytest.param("DELETE", "/user", None, id="writing"),
        pytest.param("GET", "/admin", None, id="what the application decides itself"),
        pytest.param("GET", "/anyone", None, id="anyone"),
        pytest.param("GET", "/version", None, id="public"),
        pytest.param("GET", "/sessions-only", None, id="only sessions"),
        pytest.param("GET", "/tokens-only", "token_required", id="only tokens"),
        pytest.param("GET", "/nothing", "unmatched", id="no group"),
        pytest.param("GET", "/repos/a/b", None, id="public-only is for tokens"),
    ],
)
def test_a_session_is_asked_for_no_scope(signed_in: Any, call: Any, method: str, path: str, code: str | None) -> None:
    """It satisfies what requires a token, unless a token it must be; without it, nothing of that passes."""
    reply = call(signed_in, method, f"/api/v1{path}", cookie="session=alice")
    assert (reply.code, reply.record.calls) == (code, int(code is None))
    if code is None:
        context = reply.record.environ["scopeware"]
        assert (reply.record.environ["REMOTE_USER"], context.owner, context.token) == ("alice", "alice", None)
    without = call(signed_in, method, f"/api/v1{path}", cookie="other=alice")
    assert without.code == (None if path == "/version" else "token_required")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        pytest.param("/tokens-only", None, id="only tokens"),
        pytest.param("/sessions-only", "session_required", id="only sessions"),
        pytest.param("/anyone", None, id="anyone"),
    ],
)
def test_accept_tells_tokens_from_sessions(signed_in: Any, call: Any, issue: Any, path: str, code: str | None) -> None:
    """A token is no session, not even one with all scopes; with both, the token counts."""
    authorization = f"Bearer {issue('all', owner='bob')}"
    for headers in ({}, {"cookie": "session=alice"}):
        reply = call(signed_in, "GET", f"/api/v1{path}", authorization=authorization, **headers)
        assert reply.code == code
        if code is None:
            assert reply.record.environ["REMOTE_USER"] == "bob"


@pytest.mark.parametrize("path", ["/user", "/version"])
@pytest.mark.parametrize("foreign", ["refuse", "pass"])
def test_a_bad_token_beats_a_good_session(make_gate: Any, call: Any, spoiled: Any, path: str, foreign: str) -> None:
    """Who shows a token acts with it; falling back would act with more than was meant."""
    gate = make_gate(identify=by_cookie, foreign=foreign)
    reply = call(
        gate, "GET", f"/api/v1{path}", cookie="session=alice", authorization=f"Bearer {spoiled('token_revoked')}"
    )
    assert (reply.code, reply.record.calls) == ("token_revoked", 0)
    assert call(gate, "GET", f"/api/v1{path}", cookie="session=alice").status == 200


def test_a_weak_token_is_not_topped_up_by_a_session(signed_in: Any, call: Any, issue: Any) -> None:
    """Scopes keep their meaning in a browser that happens to be signed in."""
    secret = issue("read:misc")
    assert (
        call(signed_in, "GET", "/api/v1/user", cookie="session=alice", authorization=f"Bearer {secret}").status == 403
    )


@pytest.mark.parametrize(("foreign", "status"), [("pass", 200), ("refuse", 401)])
def test_a_foreign_credential_leaves_a_session_its_turn_where_it_passes(
    make_gate: Any, call: Any, foreign: str, status: int
) -> None:
    """It counts as no credential there, and as a bad one elsewhere."""
    gate = make_gate(identify=by_cookie, foreign=foreign)
    sent = {"cookie": "session=alice", "authorization": "Basic " + base64.b64encode(b"a:b").decode()}
    assert call(gate, "GET", "/api/v1/user", **sent).status == status


@pytest.mark.parametrize(
    ("owner", "status"),
    [
        pytest.param("alice", 200, id="its owner"),
        pytest.param("bob", 403, id="somebody else"),
        pytest.param("root", 200, id="an administrator"),
        pytest.param("former", 403, id="an administrator who is not active"),
        pytest.param("unheard-of", 403, id="somebody the store does not know"),
    ],
)
def test_whose_it_is_holds_for_sessions_too(
    signed_in: Any, call: Any, store: TokenStore, owner: str, status: int
) -> None:
    """The role is the store's to tell."""
    store.add_owner("root", role="admin")
    store.add_owner("former", role="admin")
    store.disable_owner("former")
    assert call(signed_in, "GET", "/api/v1/users/alice/mail", cookie=f"session={owner}").status == status


def test_a_session_is_not_asked_for_before_a_token_is_missing(make_gate: Any, call: Any, issue: Any) -> None:
    """Looking sessions up may be expensive."""
    asked: list[str] = []
    gate = make_gate(identify=lambda environ: asked.append(environ["PATH_INFO"]))
    assert call(gate, "GET", "/api/v1/user", authorization=f"Bearer {issue('read:user')}").status == 200
    assert asked == []
    assert call(gate, "GET", "/api/v1/user").status == 401
    assert call(gate, "GET", "/elsewhere").status == 200
    assert asked == ["/api/v1/user"]


@pytest.mark.parametrize(
    "said", ["", False, 0, 7, ["alice"], object()], ids=["empty", "False", "0", "7", "list", "object"]
)
def test_what_is_no_name_signs_nobody_in(
    make_gate: Any, call: Any, said: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Only a name, or ``None``; anything else is an error of the deployment's, and no pass."""
    reply = call(make_gate(identify=lambda environ: said), "GET", "/api/v1/user")
    assert (reply.status, reply.code, reply.record.calls) == (500, "internal_error", 0)
    assert "the gate failed" in caplog.text


def test_identify_may_trust_what_the_server_says(make_gate: Any, call: Any) -> None:
    """REMOTE_USER from the server, which no client can set; and not from a header of that name."""
    gate = make_gate(identify=lambda environ: environ.get("REMOTE_USER"))
    assert call(gate, "GET", "/api/v1/user", environ={"REMOTE_USER": "alice"}).record.environ["REMOTE_USER"] == "alice"
    assert call(gate, "GET", "/api/v1/user", remote_user="alice").status == 401


def test_bytes_are_no_name(make_gate: Any, call: Any) -> None:
    """`REMOTE_USER` has to be text, and `owner` would equal nobody's name."""
    reply = call(make_gate(identify=lambda environ: b"alice"), "GET", "/api/v1/user", strict=False)
    assert (reply.status, reply.record.calls) == (500, 0)
