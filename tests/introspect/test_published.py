"""Documents that are annotated while they are served: what goes out, which headers, and what passes as it is."""

from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from calls import Reply, call_gate

from scopeware import Policy, Scopeware, TokenStore
from scopeware.errors import ConfigurationError
from scopeware.introspect.openapi import annotate
from scopeware.introspect.published import Published

POLICY = Policy.loads("""
[policy]
prefix = "/api"

[[group]]
path = "/user"
scopes = ["user"]

[[group]]
path = "/openapi.json"
scopes = ["misc"]
""")
VERSIONS = ("2.0", "3.0.3", "3.1.0")
WSGI = Callable[..., Iterable[bytes]]


def document(version: str = "3.1.0", **more: Any) -> dict[str, Any]:
    """A document with an operation that needs something."""
    known = {"swagger" if version == "2.0" else "openapi": version, "info": {"title": "Größe", "version": "1"}}
    operation = {"responses": {"200": {"description": "Fine"}}}
    return known | {"paths": {"/api/user": {"get": copy.deepcopy(operation)}}} | more


def serving(
    body: bytes,
    *headers: tuple[str, str],
    kind: str = "application/json",
    status: str = "200 OK",
    by_write: bool = False,
) -> WSGI:
    """An application that answers this to everything, and keeps to what the request asks for."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if ("ETag", environ.get("HTTP_IF_NONE_MATCH")) in headers:
            start_response("304 Not Modified", [("ETag", environ["HTTP_IF_NONE_MATCH"])])
            return []
        packed = gzip.compress(body) if "gzip" in environ.get("HTTP_ACCEPT_ENCODING", "") else body
        extra = [("Content-Encoding", "gzip")] if packed is not body else []
        lines = [("Content-Type", kind), ("Content-Length", str(len(packed))), *extra, *headers]
        write = start_response(status, lines)
        if environ["REQUEST_METHOD"] == "HEAD":
            return []
        if by_write:
            write(packed)
            return []
        return [packed]

    return app


def asked(app: WSGI, method: str = "GET", path: str = "/openapi.json", **known: Any) -> Reply:
    """What a strict server gets of it."""
    return call_gate(app, method, path, **known)


DOCUMENT = document()
TEXT = json.dumps(DOCUMENT).encode()


# -- a document of one's own


def test_a_document_of_ones_own_is_served_annotated() -> None:
    """Or what a function makes; the application is not asked, and the document stays as it was."""
    before = copy.deepcopy(DOCUMENT)
    for made in (DOCUMENT, lambda: DOCUMENT):
        reply = asked(Published(serving(b"", status="500 Oh"), POLICY, document=made))
        assert (reply.status, reply.json) == (200, annotate(DOCUMENT, POLICY))
        assert reply.header("Content-Type") == "application/json"
        assert int(reply.header("Content-Length") or "") == len(reply.body)
    assert before == DOCUMENT


def test_what_is_no_document_is_said_at_once() -> None:
    """Not when somebody asks for it; a path without a slash is none, either."""
    for wrong in ({}, [], "openapi", {"openapi": "3.1.0"}):
        with pytest.raises(ConfigurationError):
            Published(serving(TEXT), POLICY, document=wrong)
    with pytest.raises(ConfigurationError):
        Published(serving(TEXT), POLICY, "openapi.json")


# -- the application's own


def test_what_goes_out_is_a_valid_document_of_its_version() -> None:
    """By the schema of each."""
    validator = pytest.importorskip("openapi_spec_validator")
    for version in VERSIONS:
        reply = asked(Published(serving(json.dumps(document(version)).encode()), POLICY))
        validator.validate(reply.json)
        assert reply.json["paths"]["/api/user"]["get"]["x-required-scopes"] == [["read:user"]]


def test_head_says_what_get_would() -> None:
    """The same headers, no body."""
    app = Published(serving(TEXT, ("X-Mine", "1")), POLICY)
    get, head = asked(app), asked(app, "HEAD")
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")
    assert head.header("Content-Length") == str(len(get.body))


def test_what_the_old_body_was_known_by_is_gone() -> None:
    """Its length, its tags, its digests; other headers stay, each as often as it was."""
    of_the_body = ["ETag", "Last-Modified", "Content-MD5", "Accept-Ranges", "Digest", "Content-Digest", "Repr-Digest"]
    kept = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Cache-Control", "no-store")]
    app = Published(serving(TEXT, *((name, "x") for name in of_the_body), *kept), POLICY)
    for method in ("GET", "HEAD"):
        lines = asked(app, method).headers
        assert {name for name, _ in lines}.isdisjoint(of_the_body), lines
        assert [line for line in lines if line in kept] == kept


def test_the_whole_document_is_read_whatever_is_asked_for() -> None:
    """A tag of the old body, a part, a packed one: what comes is the new one."""
    app = Published(serving(TEXT, ("ETag", '"1"')), POLICY)
    for header, value in (("if_none_match", '"1"'), ("range", "bytes=0-3"), ("accept_encoding", "gzip")):
        reply = asked(app, **{header: value})
        assert (reply.status, reply.json) == (200, annotate(DOCUMENT, POLICY)), header
        assert reply.header("Content-Encoding") is None


def test_a_document_that_comes_in_pieces_is_read() -> None:
    """However it comes, and it is closed once."""
    closed = []

    class Pieces:
        def __iter__(self) -> Any:
            return iter([TEXT[:7], b"", TEXT[7:]])

        def close(self) -> None:
            closed.append(1)

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "application/json")])
        return Pieces()

    assert asked(Published(app, POLICY)).json == annotate(DOCUMENT, POLICY)
    assert closed == [1]


def test_a_body_that_is_written_is_not_lost() -> None:
    """Old applications write (PEP 3333), also what is no document."""
    assert asked(Published(serving(TEXT, by_write=True), POLICY)).json == annotate(DOCUMENT, POLICY)
    for method, body in (("GET", b"nothing"), ("HEAD", b"")):
        plain = asked(Published(serving(b"nothing", by_write=True, status="404 Not Found"), POLICY), method)
        assert plain.body == body


def test_every_spelling_of_json_is_json() -> None:
    """Media types have no letter case (RFC 9110 8.3.1)."""
    for kind in ("application/json; charset=utf-8", "Application/JSON", "application/vnd.oai.openapi+json"):
        assert asked(Published(serving(TEXT, kind=kind), POLICY)).json == annotate(DOCUMENT, POLICY), kind


def test_what_goes_out_is_what_its_header_says() -> None:
    """Where the application wrote UTF-16, the answer does, or says otherwise."""
    reply = asked(
        Published(serving(json.dumps(DOCUMENT).encode("utf-16"), kind="application/json; charset=utf-16"), POLICY)
    )
    charset = (reply.header("Content-Type") or "").partition("charset=")[2] or "utf-8"
    assert json.loads(reply.body.decode(charset))["openapi"] == "3.1.0"


PASSING = {
    "another status": serving(TEXT, status="404 Not Found"),
    "broken JSON": serving(b"{"),
    "JSON that goes too deep": serving(b"[" * 100_000),
    "packed all the same": serving(gzip.compress(TEXT), ("Content-Encoding", "gzip")),
}
BROKEN = {
    "a scheme called token": document(components={"securitySchemes": {"token": {"type": "http", "scheme": "basic"}}}),
    "a server that is none": document(servers=[{"url": "http://[x/api"}]),
    "half a letter": document(info={"title": "\ud83d", "version": "1"}),
}
PASSING |= {name: serving(json.dumps(broken).encode()) for name, broken in BROKEN.items()}


@pytest.mark.parametrize("app", PASSING.values(), ids=PASSING)
def test_what_cannot_be_annotated_still_goes_out(app: WSGI) -> None:
    """As the application answered it, for GET and for HEAD: nothing that was served breaks."""
    for method in ("GET", "HEAD"):
        told = asked(Published(app, POLICY), method)
        plain = asked(app, method)
        assert (told.status, told.reason) == (plain.status, plain.reason)
        assert told.header("Content-Type") == plain.header("Content-Type")
        assert bool(told.body) == bool(plain.body)


# -- where


@pytest.mark.parametrize(
    ("at", "script", "path"),
    [
        pytest.param("/forge/openapi.json", "/forge", "/openapi.json", id="mounted"),
        pytest.param("/forge/openapi.json", "/forge/openapi.json", "", id="mounted there itself"),
        pytest.param("/größe.json", "", "/gr\xc3\xb6\xc3\x9fe.json", id="not in ASCII"),
    ],
)
def test_the_path_is_the_servers(at: str, script: str, path: str) -> None:
    """Whatever of it is a mount."""
    reply = asked(Published(serving(TEXT), POLICY, at), path=path, environ={"SCRIPT_NAME": script})
    assert reply.json == annotate(DOCUMENT, POLICY)


def test_everything_else_passes_untouched() -> None:
    """Other methods, other paths, the same path elsewhere."""
    app = Published(serving(TEXT, ("ETag", "x")), POLICY)
    for method, script, path in (("POST", "", "/openapi.json"), ("GET", "/forge", "/openapi.json"), ("GET", "", "/")):
        reply = asked(app, method, path, environ={"SCRIPT_NAME": script})
        assert (reply.body, reply.header("ETag")) == (TEXT, "x")


def test_who_may_read_it_is_the_policys_business(store: TokenStore) -> None:
    """Inside of the gate the document is guarded as everything is."""
    gate = Scopeware(Published(serving(TEXT), POLICY, "/api/openapi.json"), POLICY, store)
    secret = store.issue(owner="alice", name="ci", scopes="read:misc").secret
    assert asked(gate, path="/api/openapi.json").status == 401
    assert asked(gate, path="/api/openapi.json", authorization=f"Bearer {secret}").json == annotate(DOCUMENT, POLICY)


def test_what_the_application_raises_gets_through() -> None:
    """To whoever handles it."""

    def failing(environ: Any, start_response: Any) -> Any:
        raise LookupError("nothing here")

    with pytest.raises(LookupError, match="nothing here"):
        asked(Published(failing, POLICY))
