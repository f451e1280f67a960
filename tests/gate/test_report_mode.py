"""In report mode nothing is refused, and everything that would have been is said."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from scopeware.gate import Denied


@pytest.fixture
def reporting(make_gate: Any) -> Any:
    """A gate that only reports."""
    return make_gate(mode="report", headers=["X-API-Key"])


@pytest.mark.parametrize(
    ("method", "path", "kind", "status", "code"),
    [
        pytest.param("GET", "/user", None, 401, "token_required", id="no token"),
        pytest.param("GET", "/user", "read:misc", 403, "insufficient_scope", id="not enough"),
        pytest.param("GET", "/user", "token_revoked", 401, "token_revoked", id="revoked"),
        pytest.param("GET", "/version", "token_invalid", 401, "token_invalid", id="invalid, public route"),
        pytest.param("GET", "/nothing", "all", 403, "unmatched", id="no group"),
        pytest.param("GET", "/issues", "public-only,all", 403, "public_only", id="public-only"),
        pytest.param("GET", "//user", "all", 400, "ambiguous_path", id="two readings"),
        pytest.param("GET", "/sessions-only", "all", 403, "session_required", id="only sessions"),
    ],
)
def test_what_would_have_been_refused_passes_and_is_logged(
    reporting: Any,
    make_gate: Any,
    call: Any,
    issue: Any,
    spoiled: Any,
    caplog: pytest.LogCaptureFixture,
    method: str,
    path: str,
    kind: str | None,
    status: int,
    code: str,
) -> None:
    """Once, as a warning, with the status and the code; the decision stands in the environ."""
    secret = None if kind is None else spoiled(kind) if kind.startswith("token_") else issue(kind)
    headers = {} if secret is None else {"authorization": f"Bearer {secret}"}
    reply = call(reporting, method, f"/api/v1{path}", **headers)
    assert (reply.status, reply.body, reply.record.calls) == (200, b"the application", 1)
    decision = reply.record.environ["scopeware"].decision
    assert isinstance(decision, Denied)
    assert (decision.status, decision.code) == (status, code)
    [record] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert record.getMessage().startswith(f"would have refused {method} `/api/v1{path}` with {status} {code}: ")
    enforced = call(make_gate(headers=["X-API-Key"]), method, f"/api/v1{path}", **headers)
    assert (enforced.status, enforced.code) == (status, code)


def test_what_is_allowed_is_not_logged(reporting: Any, call: Any, issue: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Else nobody would find the rest."""
    reply = call(reporting, "GET", "/api/v1/user", authorization=f"Bearer {issue('read:user')}")
    assert (reply.status, caplog.records) == (200, [])


@pytest.mark.parametrize(
    ("kind", "owner"),
    [
        pytest.param("read:user", "alice", id="enough"),
        pytest.param("read:misc", "alice", id="not enough, but a token that works"),
        pytest.param("token_revoked", None, id="revoked"),
        pytest.param("token_expired", None, id="expired"),
        pytest.param("owner_inactive", None, id="inactive owner"),
        pytest.param("token_invalid", None, id="invalid"),
    ],
)
def test_only_a_token_that_works_says_who_is_calling(
    reporting: Any, call: Any, issue: Any, spoiled: Any, kind: str, owner: str | None
) -> None:
    """Nobody becomes somebody by a token that would be refused; nor by what came in as REMOTE_USER."""
    secret = (
        spoiled(kind) if kind in ("token_revoked", "token_expired", "owner_inactive", "token_invalid") else issue(kind)
    )
    environ = {"REMOTE_USER": "root", "HTTP_X_SCOPEWARE_OWNER": "root"}
    reply = call(reporting, "GET", "/api/v1/user", authorization=f"Bearer {secret}", environ=environ)
    assert reply.record.environ.get("REMOTE_USER") == owner
    assert reply.record.environ["scopeware"].owner == owner
    assert "HTTP_X_SCOPEWARE_OWNER" not in reply.record.environ


def test_two_tokens_are_nobodys(reporting: Any, call: Any, issue: Any) -> None:
    """Although each of them works."""
    reply = call(reporting, "GET", "/api/v1/user", authorization=f"Bearer {issue('all')}", x_api_key=issue("all"))
    assert (reply.status, reply.record.environ["scopeware"].owner) == (200, None)
    assert "REMOTE_USER" not in reply.record.environ


def test_a_line_in_the_log_stays_one_line(reporting: Any, call: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the path holds."""
    call(reporting, "GET", "/api/v1/user\nERROR all is lost")
    [record] = caplog.records
    assert "\n" not in record.getMessage()


def test_a_line_in_the_log_does_not_say_the_query(make_gate: Any, call: Any, issue: Any, caplog: Any) -> None:
    """A token may be in it."""
    secret = issue("read:misc")
    gate = make_gate(mode="report", query=["token"])
    assert call(gate, "GET", "/api/v1/user", environ={"QUERY_STRING": f"token={secret}"}).status == 200
    assert "would have refused" in caplog.text
    assert secret not in caplog.text


def test_an_error_inside_of_the_gate_passes_too(make_gate: Any, call: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It only reports; but the error is no secret."""

    def broken(environ: dict[str, Any]) -> str:
        raise RuntimeError("not my day")

    reply = call(make_gate(mode="report", identify=broken), "GET", "/api/v1/user")
    assert (reply.status, reply.record.environ["scopeware"].decision.code) == (200, "internal_error")
    assert "not my day" in caplog.text


@pytest.mark.parametrize("scopes", ["read:user", "read:misc"])
def test_a_token_that_works_is_taken_out_all_the_same(reporting: Any, call: Any, issue: Any, scopes: str) -> None:
    """Whether it would have sufficed or not."""
    reply = call(reporting, "GET", "/api/v1/user", authorization=f"Bearer {issue(scopes)}")
    assert "HTTP_AUTHORIZATION" not in reply.record.environ


@pytest.mark.parametrize("situation", ["ambiguous path", "method override", "two tokens", "revoked"])
def test_a_secret_does_not_reach_the_application_because_something_else_was_wrong(
    make_gate: Any, call: Any, issue: Any, spoiled: Any, situation: str
) -> None:
    """Unless it is to be forwarded, the application never sees one of ours."""
    gate = make_gate(mode="report", method_override="refuse", headers=["X-API-Key"])
    secret = spoiled("token_revoked") if situation == "revoked" else issue("all")
    headers = {"authorization": f"Bearer {secret}"}
    if situation == "method override":
        headers["x_http_method_override"] = "GET"
    if situation == "two tokens":
        headers["x_api_key"] = secret
    reply = call(gate, "GET", "/api/v1//user" if situation == "ambiguous path" else "/api/v1/user", **headers)
    assert reply.status == 200
    assert secret not in repr(reply.record.environ)
