"""The same gate behind five servers, each of which reads a request in its own way."""

import io
import json
import re
import shutil
from contextlib import ExitStack
from types import SimpleNamespace

import live_sites
import pytest
from live_servers import IN_PROCESS, ask, gunicorn_server, run
from third_party import TestApp, quietly, validated
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import EnvironBuilder

from scopeware import Policy, Scopeware

flask = pytest.importorskip("flask")
quietly("httpbin")

STRICT = ("gunicorn", "waitress", "cheroot")
"""Servers that take methods in upper case only."""


@pytest.fixture(scope="module", params=[*IN_PROCESS, "gunicorn"])
def site(request, tmp_path_factory):
    """httpbin and its mounted company on a server: its name, its port, and headers with tokens."""
    folder = tmp_path_factory.mktemp(request.param)
    database = str(folder / "tokens.db")
    with ExitStack() as stack:
        gate = live_sites.several(database)
        stack.callback(gate.store.close)
        secrets = {
            scopes: gate.store.issue(owner="alice", name=scopes, scopes=scopes).secret
            for scopes in ("read:echo", "write:echo", "read:cookies", "write:cookies")
        }
        if request.param == "gunicorn":
            live = gunicorn_server(f"live_sites:several({database!r})", folder / "gunicorn.log", "--threads", "4")
        else:
            live = IN_PROCESS[request.param](gate)
        port = stack.enter_context(live).port

        def send(method, target, scopes=None, *lines, body=b""):
            credentials = [f"Authorization: Bearer {secrets[scopes]}"] if scopes else []
            return ask(port, method, target, *credentials, *lines, body=body)

        yield SimpleNamespace(name=request.param, port=port, send=send, secrets=secrets)


@pytest.mark.parametrize(
    "target",
    [
        "/cookies/set?a=b",
        "//cookies/set?a=b",
        "///cookies/set?a=b",
        "/cookies//set?a=b",
        "/./cookies/set?a=b",
        "/cookies/./set?a=b",
        "/x/../cookies/set?a=b",
        "/robots.txt/../cookies/set?a=b",
        "/%2e/cookies/set?a=b",
        "/x/%2e%2e/cookies/set?a=b",
        "/cookies%2Fset?a=b",
        "/cookies%2fset%2fa%2fb",
        "/cookies%5cset?a=b",
        "/cookies/set%0a?a=b",
        "/cookies/set%00?a=b",
        "/cookies/set;x?a=b",
        "/cookies;x/set?a=b",
        "/%63ookies/set?a=b",
        "/cookies/set/?a=b",
        "cookies/set?a=b",
        "http://127.0.0.1/cookies/set?a=b",
        "http://evil.example/cookies/set?a=b",
        "/cookies/set?a=b#/robots.txt",
        "/cookies/set%3Fa=b",
        "/cookies/set%23",
    ],
)
def test_no_spelling_of_a_path_needs_less(site, target):
    """What writes is never done for a reader or for nobody, whatever the server makes of its path."""
    status, body = site.send("GET", target, "read:cookies")
    assert status in (400, 403, 404), body
    assert b"Set-Cookie" not in body
    status, body = site.send("GET", target)
    assert status in (400, 401), body
    status, body = site.send("GET", target, "read:echo")
    assert status in (400, 403, 404), body


def test_the_plain_spelling_works(site):
    """The nearest request that is allowed, so that the refusals above are about what they seem to be."""
    assert site.send("GET", "/cookies/set?a=b", "write:cookies")[0] == 302
    assert site.send("GET", "/cookies", "read:cookies")[0] == 200
    assert site.send("GET", "/robots.txt")[0] == 200


def test_an_encoded_slash_is_a_slash_or_nothing(site):
    """Most servers decode it before anyone can tell; cheroot does not, and then there is no one reading."""
    status, body = site.send("GET", "/anything/a%2Fb", "read:echo")
    if site.name == "cheroot":
        assert (status, json.loads(body)["code"]) == (400, "ambiguous_path")
    else:
        assert status == 200
    assert site.send("GET", "/anything%2F..%2Fcookies", "read:echo")[0] == 400
    assert site.send("GET", "/cookies%2Fset?a=b", "write:cookies")[0] == (400 if site.name == "cheroot" else 302)


@pytest.mark.parametrize("line", ["X-Original-URL: /robots.txt", "X-Rewrite-URL: /robots.txt", "Host: x/robots.txt?"])
def test_no_header_moves_a_request_elsewhere(site, line):
    """The path is the one that the server was asked for."""
    answer = site.send("GET", "/cookies/set?a=b", None, line)
    assert answer[0] in (400, 401)
    answer = site.send("GET", "/cookies/set?a=b", "read:cookies", line)
    assert answer[0] in (400, 403)


@pytest.mark.parametrize("line", ["X-HTTP-Method-Override: GET", "X-HTTP-Method: GET", "X-Method-Override: GET"])
def test_no_header_makes_a_write_a_read(site, line):
    """The method is the one that the server was asked for."""
    assert site.send("DELETE", "/anything", "read:echo", line)[0] == 403
    assert site.send("DELETE", "/anything", "write:echo", line)[0] == 200


def test_methods_in_lower_case_are_writes_or_refused(site):
    """Flask takes `delete` for DELETE and does it; some servers let it through, and the gate takes it for a write."""
    for method in ("delete", "get", "Delete", "post"):
        refused, _ = site.send(method, "/anything", "read:echo", "Content-Length: 0")
        passed, _ = site.send(method, "/anything", "write:echo", "Content-Length: 0")
        assert (refused, passed) == ((400, 400) if site.name in STRICT else (403, 200))


def test_unknown_methods_are_writes(site):
    """PROPFIND, REPORT and what nobody has heard of."""
    for method in ("PROPFIND", "REPORT", "MKCOL", "PUSH", "JEFF"):
        assert site.send(method, "/anything", "read:echo", "Content-Length: 0")[0] == 403
        assert site.send(method, "/anything", "write:echo", "Content-Length: 0")[0] in (405, 501)


def test_a_body_without_a_length_passes_untouched(site):
    """Chunked, as the server hands it over; a reader's is refused all the same."""
    if site.name == "wsgiref":
        pytest.skip("wsgiref's server knows no chunks")
    chunks = b"6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n"
    lines = ("Transfer-Encoding: chunked", "Content-Type: application/octet-stream")
    assert site.send("POST", "/bodies", "write:echo", *lines, body=chunks) == (200, b"hello world")
    assert site.send("POST", "/bodies", "read:echo", *lines, body=chunks)[0] == 403


def test_who_expects_to_continue_may(site):
    """`Expect: 100-continue`: the body comes through."""
    lines = ("Expect: 100-continue", "Content-Length: 5", "Content-Type: text/plain")
    assert site.send("POST", "/bodies", "write:echo", *lines, body=b"hello") == (200, b"hello")


def test_a_refusal_does_not_wait_for_the_body(site):
    """Who is refused need not send what was announced."""
    if site.name == "waitress":
        pytest.skip("waitress reads the body before it calls anyone")
    lines = ("Expect: 100-continue", "Content-Length: 1000000", "Content-Type: text/plain")
    assert site.send("POST", "/bodies", None, *lines)[0] == 401
    assert site.send("POST", "/bodies", "read:echo", *lines)[0] == 403


def test_write_and_late_answers_come_through(site):
    """What start_response returns is the server's own; an answer may start while it is read."""
    status, body = site.send("GET", "/writing", "read:echo")
    assert (status, re.findall(rb"first, |second, |last", body)) == (200, [b"first, ", b"second, ", b"last"])
    status, body = site.send("GET", "/late/in/the/day", "read:echo")
    assert (status, b"/late/in/the/day" in body) == (200, True)
    assert site.send("GET", "/late", None)[0] == 401


def test_a_token_in_the_query_stays_at_the_gate(site):
    """Some clients send `?access_token=`; neither the query nor the raw target shows it to the application."""
    secret = site.secrets["read:echo"]
    status, body = site.send("GET", f"/anything?a=1&access_token={secret}&b=2")
    assert status == 200
    assert json.loads(body)["args"] == {"a": "1", "b": "2"}
    assert secret.encode() not in body
    assert site.send("POST", f"/anything?access_token={secret}", None, "Content-Length: 0")[0] == 403
    assert site.send("GET", f"/anything?access_token={secret}", "read:echo")[0] == 400


def test_git_waits_to_be_asked(site):
    """git sends its first request without credentials and asks its helper when it is told to. (No repository there.)"""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    helper = "!f() { echo username=__token__; echo password=%s; }; f"
    environment = {
        "GIT_CONFIG_NOSYSTEM": "1",
        "HOME": "/nonexistent",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CURL_VERBOSE": "1",
    }
    statuses = []
    for scopes in ("read:echo", "read:cookies"):
        options = ("-c", "credential.helper=", "-c", f"credential.helper={helper % site.secrets[scopes]}")
        done = run("git", *options, "ls-remote", f"http://127.0.0.1:{site.port}/anything/repository", **environment)
        # curl, inside of git, may ask once more before it sends what it was told.
        statuses.append(list(dict.fromkeys(re.findall(r"Recv header: HTTP/1\.\d (\d+)", done.stdout))))
    assert statuses == [["401", "200"], ["401", "403"]]


# -- the same, closer, in this process


def test_a_refusal_reads_no_body(store, token):
    """Nothing of it, whichever refusal; what is allowed finds it whole."""
    gate = live_sites.guard(live_sites.bodies, "httpbin", store)

    class Untouched(io.BytesIO):
        def read(self, *_):
            raise AssertionError("the body was read")

        readline = readlines = __next__ = read

    def send(secret, stream):
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        environ = EnvironBuilder("/x", method="POST", headers=headers).get_environ()
        environ |= {"wsgi.input": stream, "CONTENT_LENGTH": "5"}
        statuses = []
        body = b"".join(gate(environ, lambda status, *_: statuses.append(status)))
        assert environ["wsgi.input"] is stream
        return statuses[0][:3], body

    for secret in (None, "swt_nonsense", token("read:echo")):
        assert send(secret, Untouched())[0] in ("401", "403")
    assert send(token("write:echo"), io.BytesIO(b"hello")) == ("200", b"hello")


def test_what_the_application_does_to_the_path_changes_nothing(store, token):
    """Dispatchers shift segments from PATH_INFO to SCRIPT_NAME in place; what the gate learned stays as it was."""
    policy = Policy.loads(
        """
        [[group]]
        path = "/repos/<owner>/<repo>"
        scopes = ["repository"]
        resource = "<owner>/<repo>"
        """
    )

    def application(environ, start_response):
        environ["PATH_INFO"] = "/repos/mallory/other"
        environ["SCRIPT_NAME"] = ""
        context = environ["scopeware"]
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"{context.resource} {context.params['owner']} {context.group}".encode()]

    gate = Scopeware(DispatcherMiddleware(None, {"/repos/alice": application}), policy, store)
    client = validated(gate)
    client.authorization = ("Bearer", token("read:repository"))
    assert client.get("/repos/alice/widgets").text == "alice/widgets alice /repos/<owner>/<repo>"


@pytest.mark.parametrize(
    "method",
    [
        "COPY",
        "copy",
    ],
)
def test_a_destination_counts_in_any_letter_case(store, token, method):
    """Flask takes `copy` for COPY, and werkzeug's server lets it through: it needs its destination's scopes, too."""
    copied = []
    application = flask.Flask("files")

    @application.route("/organizations/<name>", methods=["COPY"])
    def copy(name):
        copied.append(flask.request.headers["Destination"])
        return "copied"

    policy = Policy.loads(
        """
        [[group]]
        path = "/organizations"
        scopes = ["organization"]
        [[group]]
        path = "/users"
        scopes = ["user"]
        """
    )
    client = TestApp(Scopeware(application, policy, store), lint=False)
    client.authorization = ("Bearer", token("write:organization"))
    headers = {"Destination": "/users/bob"}
    client.request("/organizations/acme", method=method, headers=headers, expect_errors=True)
    assert copied == []
    headers = {"Destination": "/organizations/bob"}
    client.request("/organizations/acme", method=method, headers=headers)
    assert copied == ["/organizations/bob"]
