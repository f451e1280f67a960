"""What goes wrong inside of the gate never lets anyone in."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from scopeware import ConfigurationError, Policy, Scopeware, StoreUnavailable, TokenStore, Vocabulary
from scopeware.tokens import known_by_generation


def broken(*arguments: Any) -> Any:
    """What a deployment may have handed to the gate."""
    raise RuntimeError("not my day")


@pytest.mark.parametrize(
    ("options", "scopes", "path"),
    [
        pytest.param({"identify": broken}, None, "/user", id="identify"),
        pytest.param({"identify": broken}, None, "/version", id="identify, public route"),
        pytest.param({"visibility": broken}, "public-only,all", "/repos/a/b", id="visibility"),
        pytest.param({"observe": broken}, "all", "/user", id="observe"),
        pytest.param({"observe": broken}, None, "/version", id="observe, public route"),
        pytest.param({"observe": broken}, None, "/user", id="observe, refused anyway"),
    ],
)
def test_an_error_of_the_deployments_own_code_is_a_500(
    make_gate: Any,
    call: Any,
    issue: Any,
    caplog: pytest.LogCaptureFixture,
    options: dict[str, Any],
    scopes: str | None,
    path: str,
) -> None:
    """Logged with its traceback, and the application is not called."""
    headers = {} if scopes is None else {"authorization": f"Bearer {issue(scopes)}"}
    reply = call(make_gate(**options), "GET", f"/api/v1{path}", **headers)
    assert (reply.status, reply.code, reply.record.calls) == (500, "internal_error", 0)
    assert "not my day" not in reply.body.decode()
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert call(make_gate(), "GET", "/api/v1/version").status == 200


@pytest.mark.parametrize(
    ("error", "status"),
    [
        pytest.param(StoreUnavailable("gone", "tokens.db"), 503, id="unavailable"),
        pytest.param(RuntimeError("x"), 500, id="RuntimeError"),
        pytest.param(KeyError("x"), 500, id="KeyError"),
        pytest.param(StopIteration(), 500, id="StopIteration"),
        pytest.param(RecursionError(), 500, id="RecursionError"),
        pytest.param(MemoryError(), 500, id="MemoryError"),
        pytest.param(sqlite3.DatabaseError("malformed"), 500, id="a driver's error"),
        pytest.param(TimeoutError(), 500, id="TimeoutError"),
    ],
)
def test_whatever_the_store_raises_nobody_gets_in(
    call: Any, app: Any, policy: Policy, store: TokenStore, issue: Any, error: Exception, status: int
) -> None:
    """503 where it says that it is out of reach, 500 for what nobody expects; on a public route, too."""
    secret = issue("all")

    def failing(secret: str) -> Any:
        raise error

    store.authenticate = failing  # type: ignore[method-assign]
    gate = Scopeware(app, policy, store)
    for path in ("/api/v1/user", "/api/v1/version"):
        reply = call(gate, "GET", path, authorization=f"Bearer {secret}")
        assert (reply.status, reply.record.calls) == (status, 0)
    assert call(gate, "GET", "/api/v1/version").status == 200


@pytest.mark.parametrize("answer", [None, True, "alice", object()], ids=["None", "True", "text", "object"])
def test_a_store_that_answers_nonsense_lets_nobody_in(
    call: Any, app: Any, policy: Policy, store: TokenStore, issue: Any, answer: Any
) -> None:
    """What is neither a token nor a refusal is an error."""
    secret = issue("all")
    store.authenticate = lambda secret: answer  # type: ignore[method-assign]
    reply = call(Scopeware(app, policy, store), "GET", "/api/v1/version", authorization=f"Bearer {secret}")
    assert (reply.status, reply.record.calls) == (500, 0)


@pytest.mark.parametrize("path", ["/api/v1/user", "/api/v1/version", "/elsewhere"])
def test_an_environ_without_a_method_is_a_500(make_gate: Any, app: Any, path: str) -> None:
    """A server that forgets it gets no guess, wherever the request goes."""
    started: list[str] = []
    make_gate()({"SCRIPT_NAME": "", "PATH_INFO": path}, lambda status, headers, exc_info=None: started.append(status))
    assert (started, app.calls) == (["500 Internal Server Error"], 0)


@pytest.mark.parametrize(
    ("prefix", "status", "calls"),
    [
        pytest.param("", "401 Unauthorized", 0, id="guarded"),
        pytest.param('[policy]\nprefix = "/api"\n', "200 OK", 1, id="not guarded"),
    ],
)
def test_an_environ_without_a_path_is_that_of_the_root(
    make_gate: Any, app: Any, prefix: str, status: str, calls: int
) -> None:
    """Servers may leave out what is empty (PEP 3333)."""
    gate = make_gate(policy=f'{prefix}[[group]]\npath = "/"\nscopes = ["user"]')
    started: list[str] = []
    gate({"REQUEST_METHOD": "GET"}, lambda status, headers, exc_info=None: started.append(status))
    assert (started, app.calls) == ([status], calls)


@pytest.mark.parametrize("key", ["SCRIPT_NAME", "PATH_INFO", "REQUEST_METHOD", "HTTP_AUTHORIZATION"])
@pytest.mark.parametrize("value", [None, 7, b"/api/v1/version"], ids=["None", "number", "bytes"])
def test_values_of_the_wrong_type_let_nobody_in(make_gate: Any, app: Any, key: str, value: Any) -> None:
    """Whatever a server or a middleware put there."""
    environ = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/api/v1/user", key: value}
    started: list[str] = []
    make_gate()(environ, lambda status, headers, exc_info=None: started.append(status))
    assert app.calls == 0
    assert started[0][0] in "45"


@pytest.mark.parametrize("known", [True, False], ids=["a token seen before", "a token not seen yet"])
@pytest.mark.parametrize("how", ["closed", "deleted", "replaced by rubbish"])
def test_a_store_that_is_lost_between_two_requests_is_a_503(
    gate: Scopeware,
    call: Any,
    store: TokenStore,
    issue: Any,
    tmp_path: Path,
    known: bool,
    how: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is remembered is not trusted any longer than can be checked, and public routes stay open."""
    headers = {"authorization": f"Bearer {issue('all')}"}
    if known:
        assert call(gate, "GET", "/api/v1/user", **headers).status == 200
    if how == "closed":
        store.close()
    else:
        for file in tmp_path.glob("tokens.db*"):
            file.unlink()
        if how != "deleted":
            (tmp_path / "tokens.db").write_bytes(b"rubbish" * 1000)
    # It looks once a second whether the file is still in its place.
    now = known_by_generation.time()
    monkeypatch.setattr(known_by_generation, "time", lambda: now + 2)
    reply = call(gate, "GET", "/api/v1/user", **headers)
    assert (reply.status, reply.code) == (503, "store_unavailable")
    assert reply.record.calls == int(known)
    assert call(gate, "GET", "/api/v1/version").status == 200


def test_a_revocation_holds_on_the_very_next_request(gate: Scopeware, call: Any, store: TokenStore, issue: Any) -> None:
    """And so does what befalls its owner."""
    secret, other = issue("all"), issue("all", owner="bob")
    for token, change, code in (
        (secret, lambda: store.revoke(store.find(secret).id), "token_revoked"),
        (other, lambda: store.disable_owner("bob"), "owner_inactive"),
    ):
        assert call(gate, "GET", "/api/v1/user", authorization=f"Bearer {token}").status == 200
        change()
        assert call(gate, "GET", "/api/v1/user", authorization=f"Bearer {token}").code == code


# -- what is refused when the gate is built


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"mode": "off"}, id="a mode"),
        pytest.param({"mode": None}, id="no mode"),
        pytest.param({"answers": "xml"}, id="a style"),
        pytest.param({"foreign": "ignore"}, id="what becomes of foreign credentials"),
        pytest.param({"querry": ["token"]}, id="an option there is not"),
        pytest.param({"query": "token"}, id="text for a list"),
        pytest.param({"basic": 1}, id="a number for true"),
        pytest.param({"realm": 'a"b'}, id="a quote in the realm"),
        pytest.param({"app": "module:app"}, id="an application that cannot be called"),
    ],
)
def test_an_option_that_cannot_be_is_refused_at_once(make_gate: Any, options: dict[str, Any]) -> None:
    """At the start, not at the first request."""
    with pytest.raises(ConfigurationError):
        make_gate(**options)


def test_a_store_of_another_vocabulary_is_refused(tmp_path: Path, app: Any, policy: Policy) -> None:
    """Its scopes would mean something else."""
    other = Vocabulary.from_mapping({"name": "other", "actions": ["read", "write"], "categories": {"x": ""}})
    store = TokenStore.connect(f"sqlite:///{tmp_path}/other.db", vocabulary=other)
    with pytest.raises(ConfigurationError, match="other"):
        Scopeware(app, policy, store)
    store.close()
