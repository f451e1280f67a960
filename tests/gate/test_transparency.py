"""Between the server and the application the gate changes nothing it does not have to."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from scopeware import Scopeware
from scopeware.gate import guards


class Untouchable(io.RawIOBase):
    """A request body that nobody may look at."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("read", "readline", "readlines", "readinto", "__iter__"):
            raise AssertionError(f"the body was touched: {name}")
        return super().__getattribute__(name)


class Closing:
    """A response that counts how often it is closed."""

    def __init__(self, *chunks: bytes, fail: bool = False) -> None:
        self._chunks = iter(chunks)
        self._fail = fail
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._fail:
            raise OSError("the disk is gone")
        return next(self._chunks)

    def close(self) -> None:
        self.closed += 1


def ok(start_response: Any) -> Any:
    """Start a plain answer."""
    return start_response("200 OK", [("Content-Type", "text/plain")])


@pytest.fixture(params=[{}, {"scope_headers": True}], ids=["defaults", "scope headers"])
def wrapped(request: Any, make_gate: Any, issue: Any, call: Any) -> Any:
    """``wrapped(app)``: what a caller with a token gets from the application behind the gate."""

    def run(app: Any, method: str = "GET", **sent: Any) -> Any:
        gate = make_gate(app=app, **request.param)
        return call(gate, method, "/api/v1/user", authorization=f"Bearer {issue('write:user')}", **sent)

    return run


@pytest.mark.parametrize(("scopes", "status", "calls"), [("read:user", 200, 1), ("read:misc", 403, 0)])
def test_the_application_is_called_exactly_once_or_not_at_all(
    gate: Scopeware, call: Any, issue: Any, scopes: str, status: int, calls: int
) -> None:
    """Once where allowed; not even partly where not."""
    reply = call(gate, "GET", "/api/v1/user", authorization=f"Bearer {issue(scopes)}")
    assert (reply.status, reply.record.calls) == (status, calls)


def test_what_start_response_returns_goes_through(wrapped: Any) -> None:
    """Some applications use write()."""

    def writing(environ: dict[str, Any], start_response: Any) -> Any:
        write = ok(start_response)
        write(b"written, ")
        return [b"returned"]

    assert wrapped(writing).body == b"written, returned"


def test_an_application_may_be_a_generator(wrapped: Any) -> None:
    """It starts its response when it is first asked for a piece of it."""

    def generating(environ: dict[str, Any], start_response: Any) -> Any:
        ok(start_response)
        yield b"one, "
        yield b"two"

    reply = wrapped(generating)
    assert (reply.status, reply.body) == (200, b"one, two")


@pytest.mark.parametrize("fail", [False, True], ids=["read to the end", "fails half-way"])
def test_what_the_application_returns_is_closed_exactly_once(make_gate: Any, call: Any, issue: Any, fail: bool) -> None:
    """By the server; the gate neither forgets nor repeats it."""
    result = Closing(b"a", fail=fail)

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        ok(start_response)
        return result

    def run() -> Any:
        return call(make_gate(app=app), "GET", "/api/v1/user", authorization=f"Bearer {issue('read:user')}")

    if fail:
        with pytest.raises(OSError, match="the disk is gone"):
            run()
    else:
        assert run().body == b"a"
    assert result.closed == 1


def test_the_applications_own_iterable_is_returned(make_gate: Any, issue: Any) -> None:
    """So that servers can send files their own way (`wsgi.file_wrapper`)."""
    result = [b"x"]

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        ok(start_response)
        return result

    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/api/v1/version"}
    assert make_gate(app=app)(environ, lambda *arguments: print) is result


def test_an_application_may_start_over_after_an_error(wrapped: Any) -> None:
    """`exc_info` reaches the server."""
    seen = []

    def starting_over(environ: dict[str, Any], start_response: Any) -> Any:
        ok(start_response)
        try:
            raise ValueError("late")
        except ValueError:
            seen.append(sys.exc_info()[0])
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")], sys.exc_info())
        return [b"sorry"]

    reply = wrapped(starting_over)
    assert (reply.status, reply.body, seen) == (500, b"sorry", [ValueError])


@pytest.mark.parametrize("kind", [ValueError, KeyError, SystemExit, GeneratorExit, MemoryError])
def test_exceptions_of_the_application_are_its_own(wrapped: Any, kind: type[BaseException]) -> None:
    """They go to the server as they are; the gate makes no answer of them."""
    raised = kind("mine")

    def failing(environ: dict[str, Any], start_response: Any) -> Any:
        raise raised

    with pytest.raises(kind) as caught:
        wrapped(failing)
    assert caught.value is raised


@pytest.mark.parametrize("token", [True, False], ids=["allowed", "refused"])
@pytest.mark.parametrize(
    "extra",
    [
        pytest.param({"CONTENT_LENGTH": "12"}, id="with a length"),
        pytest.param({"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}, id="chunked"),
        pytest.param({"CONTENT_LENGTH": "12", "HTTP_EXPECT": "100-continue"}, id="expecting to be told"),
        pytest.param({"CONTENT_LENGTH": "12", "CONTENT_TYPE": "application/x-www-form-urlencoded"}, id="a form"),
    ],
)
def test_the_body_is_not_touched(make_gate: Any, call: Any, issue: Any, extra: dict[str, Any], token: bool) -> None:
    """Whether it is the application's to read, or nobody's."""
    body = Untouchable()
    gate = make_gate(query=["token"], headers=["X-API-Key"])
    headers = {"authorization": f"Bearer {issue('write:user')}"} if token else {}
    reply = call(gate, "POST", "/api/v1/user", environ={"body": body, **extra}, strict=False, **headers)
    assert reply.status == (200 if token else 401)
    if token:
        assert reply.record.environ["wsgi.input"] is body
        assert {key: reply.record.environ[key] for key in extra} == extra


def test_what_the_application_reads_is_what_was_sent(wrapped: Any) -> None:
    """To the byte."""

    def echoing(environ: dict[str, Any], start_response: Any) -> Any:
        ok(start_response)
        return [environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))]

    assert wrapped(echoing, "POST", environ={"body": b"token=\x00\xff"}).body == b"token=\x00\xff"


def test_an_allowed_request_keeps_every_other_key(gate: Scopeware, call: Any, issue: Any) -> None:
    """Only the token goes, and what the gate says is added."""
    extra = {"HTTP_X_REQUEST_ID": "7", "myserver.socket": object(), "wsgi.file_wrapper": io.BytesIO, "HTTPS": "on"}
    reply = call(gate, "GET", "/api/v1/user", environ=extra, authorization=f"Bearer {issue('read:user')}")
    plain = call(gate.app, "GET", "/api/v1/user", environ=extra)
    assert plain.status == reply.status == 200
    with_gate, without = gate.app.environs
    assert set(with_gate) - set(without) == {"scopeware", "REMOTE_USER"}
    assert set(without) <= set(with_gate)
    assert all(with_gate[key] is value for key, value in extra.items())


# -- outside of the prefix


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("", id="empty"),
        pytest.param("/", id="root"),
        pytest.param("/api", id="above"),
        pytest.param("/api/v10/user", id="a longer segment"),
        pytest.param("/api/v1x", id="not on a segment boundary"),
        pytest.param("/static//a/../b", id="odd, but elsewhere"),
    ],
)
@pytest.mark.parametrize("guarded", [False, True], ids=["no guards", "guards in use"])
def test_outside_of_the_prefix_nothing_is_changed(
    make_gate: Any, monkeypatch: pytest.MonkeyPatch, guarded: bool, path: str
) -> None:
    """The same environ object with the same keys, credentials and look-alikes included; the answer as it is.

    Where a view somewhere is guarded, the gate listens to the status, and says nothing.
    """
    monkeypatch.setattr(guards, "in_use", guarded)
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "HTTP_AUTHORIZATION": "Bearer swt_broken",
        "HTTP_X_SCOPEWARE": "x",
        "REMOTE_USER": "root",
    }
    before = dict(environ)
    seen: list[Any] = []
    started: list[Any] = []
    lines = [("Content-Type", "text/plain")]
    body = [b""]

    def start(*arguments: Any) -> Any:
        started.append(arguments)
        return print

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        seen.extend((environ, dict(environ), start_response, start_response("200 OK", lines)))
        return body

    assert make_gate(app=app, scope_headers=True)(environ, start) is body
    assert seen[0] is environ
    assert seen[1] == before
    assert guarded or seen[2] is start
    assert seen[3] is print
    assert started == [("200 OK", lines)]


def test_inside_of_the_prefix_the_same_credentials_are_refused(gate: Scopeware, call: Any) -> None:
    """One segment makes the difference."""
    reply = call(gate, "GET", "/api/v1/version", authorization="Bearer swt_broken")
    assert (reply.status, reply.record.calls) == (401, 0)
