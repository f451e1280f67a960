"""What is written down: every request that carried a token of ours, and every refusal, once each, as it was."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import flask
import pytest
from access_log_helpers import ask, bearer, entries

from scopeware import Scopeware, TokenStore, req_scopes, req_token
from scopeware.gate.decision import STATUS
from scopeware.tokens import LogEntry, TokenInfo

HERE = "192.0.2.7"


@pytest.fixture
def gate(make_gate: Any) -> Scopeware:
    """The gate, with tokens in a header of its own and in the query, too."""
    return make_gate(headers=["X-API-Key"], query=["token"])


@pytest.fixture
def known(store: TokenStore) -> Callable[[str], TokenInfo]:
    """``known(secret)``: the token with this secret."""

    def find(secret: str) -> TokenInfo:
        found = store.find(secret)
        assert found is not None
        return found

    return find


def one_entry(gate: Scopeware) -> LogEntry:
    """The only entry that there is."""
    [entry] = entries(gate)
    return entry


# -- refusals


@dataclass
class Case:
    """A request that is refused.

    :param token: whose token it is that is known: ``None`` where none can be named.
    :param allowed: its nearest neighbour that is not, with a token of alice's.
    """

    path: str
    token: str | None
    scopes: str = ""
    method: str = "GET"
    options: dict[str, Any] = field(default_factory=dict)
    issued: dict[str, Any] = field(default_factory=dict)
    sent: dict[str, str] = field(default_factory=dict)
    environ: dict[str, Any] = field(default_factory=dict)
    allowed: str = "/user"


def broken(*arguments: Any) -> Any:
    raise RuntimeError("not my day")


CASES = {
    "address_not_allowed": Case("/user", "alice", "read:user", issued={"networks": "198.51.100.0/24"}),
    "ambiguous_credentials": Case("/user", None, "read:user", sent={"x_api_key": "{secret}"}),
    "ambiguous_destination": Case(
        "/user", "alice", "all", "COPY", sent={"destination": "http://elsewhere.example/api/v1/user"}
    ),
    "ambiguous_method": Case(
        "/user", None, "all", options={"method_override": "refuse"}, sent={"x_http_method_override": "DELETE"}
    ),
    "ambiguous_path": Case("//user", None, "all"),
    "insufficient_scope": Case("/user", "alice", "read:misc"),
    "internal_error": Case("/user", None, "read:user", options={"observe": broken}),
    "owner_inactive": Case("/user", "carol"),
    "owner_mismatch": Case("/users/bob/mail", "alice", "read:user", allowed="/users/alice/mail"),
    "public_only": Case("/issues", "alice", "public-only,all", allowed="/packages"),
    "resource_out_of_reach": Case(
        "/repos/alice/gadgets", "alice", "read:repository@alice/widgets", allowed="/repos/alice/widgets"
    ),
    "session_required": Case("/sessions-only", "alice", "all", allowed="/tokens-only"),
    "store_unavailable": Case("/user", None, "all"),
    "token_expired": Case("/user", "carol"),
    "token_invalid": Case("/user", None),
    "token_required": Case("/user", None),
    "token_revoked": Case("/user", "carol"),
    "token_rotated": Case("/user", "alice", "read:user"),
    "unmatched": Case("/nothing", "alice", "all"),
}
SPOILED = ("token_invalid", "token_revoked", "token_expired", "owner_inactive")


def test_there_is_a_case_for_every_code() -> None:
    """A code that is added later is to be written down, too."""
    assert set(CASES) == set(STATUS)


@pytest.mark.parametrize("code", CASES)
def test_every_refusal_is_written_down_once(
    make_gate: Any, call: Any, store: TokenStore, issue: Any, spoiled: Any, known: Any, tmp_path: Path, code: str
) -> None:
    """With its code and its status, and with the token wherever there is such a token, whether it works or not."""
    case = CASES[code]
    gate = make_gate(**({"headers": ["X-API-Key"]} | case.options))
    secret = spoiled(code) if code in SPOILED else issue(case.scopes or "all", **case.issued)
    token = None if case.token is None else known(secret)
    if code == "token_rotated":
        store.rotate(known(secret).id)
    sent = {name: value.format(secret=secret) for name, value in case.sent.items()}
    if code != "token_required":
        sent |= bearer(secret)
    if code == "store_unavailable":
        run_sql_on(tmp_path, "ALTER TABLE scopeware_token RENAME TO away")
    reply = call(gate, case.method, f"/api/v1{case.path}", environ={"REMOTE_ADDR": HERE}, **sent)
    if code == "store_unavailable":
        run_sql_on(tmp_path, "ALTER TABLE away RENAME TO scopeware_token")
    assert (reply.status, reply.code, reply.record.calls) == (STATUS[code], code, 0)
    entry = one_entry(gate)
    assert (entry.decision, entry.code, entry.status) == ("denied", code, STATUS[code])
    assert (entry.method, entry.path, entry.address) == (case.method, f"/api/v1{case.path}", HERE)
    whose = (None, None, None) if token is None else (token.id, secret[-4:], case.token)
    assert (entry.token_id, entry.hint, entry.owner) == whose


@pytest.mark.parametrize("code", [code for code, case in CASES.items() if case.allowed and code != "internal_error"])
def test_what_is_allowed_beside_it_is_written_down_as_allowed(
    make_gate: Any, call: Any, issue: Any, known: Any, code: str
) -> None:
    """Once, too, with the application's status, and without a code."""
    case = CASES[code]
    gate = make_gate(headers=["X-API-Key"], **case.options)
    here = {"networks": f"{HERE}/32"} if case.issued else {}
    secret = issue("public-only,all" if code == "public_only" else case.scopes or "all", **here)
    if code in ("insufficient_scope", "unmatched"):
        secret = issue("read:user")
    reply = call(gate, "GET", f"/api/v1{case.allowed}", environ={"REMOTE_ADDR": HERE}, **bearer(secret))
    assert reply.status == 200
    entry = one_entry(gate)
    assert (entry.decision, entry.code, entry.status) == ("allowed", None, 200)
    assert (entry.token_id, entry.hint, entry.owner) == (known(secret).id, secret[-4:], "alice")


def run_sql_on(tmp_path: Path, statement: str) -> None:
    connection = sqlite3.connect(tmp_path / "tokens.db", isolation_level=None, timeout=5)
    connection.execute(statement)
    connection.close()


# -- whoever is let in


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param({"authorization": "Bearer {0}"}, 200, id="Bearer"),
        pytest.param({"authorization": "token {0}"}, 200, id="token"),
        pytest.param({"x_api_key": "{0}"}, 200, id="header"),
        pytest.param({}, 401, id="nowhere"),
    ],
)
def test_a_token_counts_wherever_it_travels(
    gate: Scopeware, call: Any, issue: Any, sent: dict[str, str], status: int
) -> None:
    """An anonymous request is a row only if it was refused."""
    secret = issue("read:user")
    filled = {name: value.format(secret) for name, value in sent.items()}
    assert call(gate, "GET", "/api/v1/user", **filled).status == status
    assert one_entry(gate).decision == ("allowed" if status == 200 else "denied")
    assert call(gate, "GET", "/api/v1/version", **filled).status == 200
    assert len(entries(gate)) == (2 if sent else 1)


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        pytest.param("GET", "/api/v1/version", {}, id="public route"),
        pytest.param("GET", "/api/v1/optional", {}, id="optional token"),
        pytest.param("GET", "/elsewhere", {}, id="outside of the prefix"),
        pytest.param("GET", "/api/v1/user", {"identify": lambda environ: "bob"}, id="session"),
        pytest.param("OPTIONS", "/api/v1/user", {}, id="preflight"),
        pytest.param("OPTIONS", "/api/v1/user", {"mode": "report"}, id="preflight, report mode"),
    ],
)
def test_who_is_let_in_without_a_token_is_not_written_down(
    make_gate: Any, call: Any, issue: Any, method: str, path: str, options: dict[str, Any]
) -> None:
    """The same request with a token is, wherever the gate looks at it."""
    gate = make_gate(**options)
    preflight = {"origin": "https://x.example", "access_control_request_method": "GET"}
    headers = preflight if method == "OPTIONS" else {}
    assert call(gate, method, path, **headers).status == 200
    assert entries(gate) == []
    call(gate, method, path, **headers, **bearer(issue("all")))
    assert len(entries(gate)) == (0 if path == "/elsewhere" else 1)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "get"])
def test_every_method_is_written_down_as_it_came(gate: Scopeware, call: Any, issue: Any, method: str) -> None:
    """Allowed and denied."""
    for scopes, decision in (("write:user", "allowed"), ("write:misc", "denied")):
        call(gate, method, "/api/v1/user", **bearer(issue(scopes)))
        assert (entries(gate)[-1].method, entries(gate)[-1].decision) == (method, decision)
    assert len(entries(gate)) == 2


def test_all_is_said_about_an_allowed_request(gate: Scopeware, call: Any, issue: Any, known: Any) -> None:
    """All fields at once."""
    secret = issue("write:repository")
    call(gate, "GET", "/api/v1/version")
    reply = call(
        gate,
        "POST",
        "/api/v1/repos/alice/widgets/issues",
        environ={"QUERY_STRING": "page=2", "REMOTE_ADDR": HERE},
        **bearer(secret),
    )
    assert reply.status == 200
    entry = one_entry(gate)
    assert entry._replace(at=0, duration=0) == LogEntry(
        at=0,
        token_id=known(secret).id,
        hint=secret[-4:],
        owner="alice",
        address=HERE,
        method="POST",
        path="/api/v1/repos/alice/widgets/issues",
        group="/repos/<owner>/<repo>",
        scopes="write:repository",
        resource="alice/widgets",
        decision="allowed",
        code=None,
        status=200,
        duration=0,
    )


@pytest.mark.parametrize(
    ("path", "scopes"),
    [
        pytest.param("/users/alice/orgs", "read:organization read:user", id="all of several"),
        pytest.param("/either", "read:issue | read:misc read:package", id="alternatives"),
        pytest.param("/fixed", "write:misc", id="a fixed scope"),
        pytest.param("/anyone", "", id="none"),
        pytest.param("/nothing", "", id="no group"),
    ],
)
def test_what_was_needed_is_spelled_out(gate: Scopeware, call: Any, issue: Any, path: str, scopes: str) -> None:
    """Scopes with spaces between them, alternatives with a bar; also for whom nobody could name."""
    call(gate, "GET", f"/api/v1{path}", **bearer(issue("all")))
    call(gate, "GET", f"/api/v1{path}")
    assert [(entry.scopes, entry.group) for entry in entries(gate)] == [
        (scopes, "" if path == "/nothing" else path.replace("alice", "<username>"))
    ] * 2


@pytest.mark.parametrize(
    ("owner", "address"),
    [
        pytest.param("alice", "2001:db8::1", id="IPv6"),
        pytest.param("Ärger 日本", "", id="a UNIX socket"),
        pytest.param("x" * 255, "y" * 300, id="long ones"),
    ],
)
def test_owner_and_address_are_as_they_are(gate: Scopeware, call: Any, issue: Any, owner: str, address: str) -> None:
    """Owners in Unicode; an address that nobody expected is cut."""
    secret = issue("read:user", owner=owner)
    for path in ("/api/v1/user", "/api/v1/admin"):
        call(gate, "GET", path, environ={"REMOTE_ADDR": address}, **bearer(secret))
    assert {(entry.owner, entry.address) for entry in entries(gate)} == {(owner, address[:64])}


@pytest.mark.parametrize(
    ("script_name", "path", "shown"),
    [
        pytest.param("", "/api/v1/user/caf\u00c3\u00a9", "/api/v1/user/café", id="UTF-8"),
        pytest.param("/api", "/v1/user", "/api/v1/user", id="mounted"),
        pytest.param("", "/api/v1/user/\xff", "/api/v1/user/\\xff", id="no UTF-8"),
        pytest.param("", "/api/v1/user/a\r\nb", "/api/v1/user/a\\r\\nb", id="line breaks"),
        pytest.param("", "/api/v1/user/\x1b[31m", "/api/v1/user/\\x1b[31m", id="escape sequence"),
        pytest.param("", "/api/v1/user/\x00", "/api/v1/user/\\x00", id="NUL"),
        pytest.param("", "/api/v1/user/" + "x" * 5000, ("/api/v1/user/" + "x" * 5000)[:2000], id="long"),
    ],
)
def test_a_path_is_shown_as_people_read_it(
    gate: Scopeware, call: Any, issue: Any, script_name: str, path: str, shown: str
) -> None:
    """Never the query; nothing in it that a terminal or a file of lines would take for something else."""
    environ = {"SCRIPT_NAME": script_name, "QUERY_STRING": "q=hunter2", "REQUEST_URI": f"{path}?q=hunter2"}
    call(gate, "GET", path, environ=environ, **bearer(issue("read:user")))
    entry = one_entry(gate)
    assert entry.path == shown
    assert "hunter2" not in repr(entry)


def test_a_path_that_the_application_moves_on_stays_what_it_was(make_gate: Any, call: Any, issue: Any) -> None:
    """The resource, too."""

    def shifting(environ: dict[str, Any], start_response: Any) -> Any:
        environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["REQUEST_METHOD"] = "/elsewhere", "/x", "PUT"
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b""]

    gate = make_gate(app=shifting)
    call(gate, "GET", "/api/v1/repos/alice/widgets", **bearer(issue("read:repository")))
    entry = one_entry(gate)
    assert (entry.method, entry.path, entry.resource) == ("GET", "/api/v1/repos/alice/widgets", "alice/widgets")


def test_it_says_when_it_came_and_how_long_it_took(make_gate: Any, call: Any, issue: Any) -> None:
    """In UTC, to the millisecond; to the end of the answer, and without the time until it is written down."""

    def slow(environ: dict[str, Any], start_response: Any) -> Any:
        time.sleep(0.02)
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"a"
        time.sleep(0.02)

    gate = make_gate(app=slow)
    before = datetime.now(UTC)
    began = time.perf_counter()
    call(gate, "GET", "/api/v1/user", **bearer(issue("read:user")))
    call(gate, "GET", "/api/v1/user")
    took = time.perf_counter() - began
    time.sleep(0.03)
    long_one, short_one = entries(gate)
    assert 0.04 <= long_one.duration / 1e6 <= took
    assert 0 <= short_one.duration / 1e6 <= took - 0.04
    assert before.timestamp() - 0.002 <= long_one.time.timestamp() <= before.timestamp() + took - 0.03
    assert long_one.time.tzinfo is UTC
    assert 40 <= short_one.at - long_one.at <= took * 1000 + 1


# -- hidden


@pytest.mark.parametrize("how", ["list", "generator"])
def test_a_hidden_refusal_is_written_down_with_the_status_that_was_seen(
    make_gate: Any, call: Any, issue: Any, how: str
) -> None:
    """It is a 404 for whoever asked, and a refusal in the log."""

    def not_found(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"not here"] if how == "list" else iter([b"not here"])

    gate = make_gate(not_found=not_found)
    secret = issue("read:repository@alice/widgets")
    assert call(gate, "GET", "/api/v1/repos/alice/gadgets", **bearer(secret)).body == b"not here"
    assert call(gate, "GET", "/api/v1/repos/alice/widgets", **bearer(secret)).status == 200
    found = [(entry.decision, entry.code, entry.status, entry.resource) for entry in entries(gate)]
    assert found == [
        ("denied", "resource_out_of_reach", 404, "alice/gadgets"),
        ("allowed", None, 200, "alice/widgets"),
    ]


def test_a_hidden_refusal_is_written_down_where_the_404_itself_fails(make_gate: Any, call: Any, issue: Any) -> None:
    """It was a refusal all the same, and nobody was let in."""
    gate = make_gate(not_found=broken)
    with pytest.raises(RuntimeError, match="not my day"):
        call(gate, "GET", "/api/v1/repos/alice/gadgets", **bearer(issue("read:repository@alice/widgets")))
    entry = one_entry(gate)
    assert (entry.decision, entry.code, entry.status) == ("denied", "resource_out_of_reach", None)


# -- guards in views


@pytest.fixture
def guarded(make_gate: Any) -> Callable[..., Scopeware]:
    """``guarded(req_token)``: a gate in front of a view with a guard."""

    def make(guard: Any, **options: Any) -> Scopeware:
        @guard
        def view(environ: dict[str, Any], start_response: Any) -> Any:
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"the view"]

        return make_gate(app=view, **options)

    return make


def test_a_guard_that_refuses_is_a_refusal(guarded: Any, call: Any, issue: Any) -> None:
    """Denied, not reported; what it lets pass is allowed, and no row of its own."""
    gate = guarded(req_scopes("read:misc"))
    for scopes, status in (("read:user,read:misc", 200), ("read:user", 403)):
        assert call(gate, "GET", "/api/v1/user", **bearer(issue(scopes))).status == status
    found = [(entry.decision, entry.code, entry.status) for entry in entries(gate)]
    assert found == [("allowed", None, 200), ("denied", "insufficient_scope", 403)]


@pytest.mark.parametrize("path", ["/api/v1/user", pytest.param("/elsewhere")])
def test_a_guard_that_refuses_says_what_it_needed(guarded: Any, call: Any, issue: Any, path: str) -> None:
    """What the policy needed was there."""
    gate = guarded(req_scopes("read:misc"))
    assert call(gate, "GET", path, **bearer(issue("read:user"))).status == 403
    assert "read:misc" in one_entry(gate).scopes


def test_a_guard_that_refuses_is_one_row(guarded: Any, call: Any, issue: Any, known: Any) -> None:
    """With its code, its status and the token."""
    gate = guarded(req_scopes("read:misc"))
    secret = issue("read:user")
    assert call(gate, "GET", "/api/v1/user", **bearer(secret)).status == 403
    entry = one_entry(gate)
    assert (entry.code, entry.status, entry.token_id) == ("insufficient_scope", 403, known(secret).id)


@pytest.mark.parametrize("path", ["/api/v1/version", pytest.param("/elsewhere")])
def test_a_guard_that_refuses_nobody_is_one_row(guarded: Any, call: Any, path: str) -> None:
    """On a public route, and where the policy does not apply."""
    gate = guarded(req_token)
    assert call(gate, "GET", path, environ={"REMOTE_ADDR": HERE}).status == 401
    entry = one_entry(gate)
    assert (entry.decision, entry.code, entry.status) == ("denied", "token_required", 401)
    assert (entry.path, entry.address, entry.token_id) == (path, HERE, None)


@pytest.mark.parametrize("code", ["token_revoked", "token_expired", "owner_inactive", "token_invalid"])
def test_a_guard_outside_of_the_prefix_names_a_token_that_does_not_work(
    guarded: Any, call: Any, spoiled: Any, known: Any, code: str
) -> None:
    """As the gate does."""
    gate = guarded(req_token)
    secret = spoiled(code)
    token = None if code == "token_invalid" else known(secret)
    assert call(gate, "GET", "/elsewhere", **bearer(secret)).status == 401
    entry = one_entry(gate)
    assert (entry.decision, entry.code, entry.status) == ("denied", code, 401)
    assert (entry.token_id, entry.hint, entry.owner) == (
        (None, None, None) if token is None else (token.id, secret[-4:], "carol")
    )


def test_a_guard_outside_of_the_prefix_names_a_token_that_lacks_a_scope(
    guarded: Any, call: Any, issue: Any, known: Any
) -> None:
    """Its owner, too."""
    gate = guarded(req_scopes("read:misc"))
    secret = issue("read:user")
    assert call(gate, "GET", "/elsewhere", **bearer(secret)).status == 403
    entry = one_entry(gate)
    assert (entry.decision, entry.code, entry.owner) == ("denied", "insufficient_scope", "alice")
    assert entry.token_id == known(secret).id


def test_a_token_that_a_guard_lets_pass_outside_of_the_prefix_is_written_down(
    guarded: Any, call: Any, issue: Any, known: Any
) -> None:
    """It was a token of ours, and it was used."""
    gate = guarded(req_token)
    secret = issue("read:user")
    assert call(gate, "GET", "/elsewhere", **bearer(secret)).status == 200
    assert (one_entry(gate).decision, one_entry(gate).token_id) == ("allowed", known(secret).id)


def test_a_guard_elsewhere_makes_no_rows_of_what_the_policy_does_not_cover(
    make_gate: Any, call: Any, issue: Any
) -> None:
    """As long as none is asked; what the policy covers is written down as ever."""
    req_token(lambda environ, start_response: [])
    gate = make_gate()
    for path in ("/elsewhere", "/api/v1/user"):
        assert call(gate, "GET", path, **bearer(issue("read:user"))).status == 200
    assert call(gate, "GET", "/elsewhere").status == 200
    assert one_entry(gate).path == "/api/v1/user"


def test_a_guard_that_refuses_a_session_is_one_row(guarded: Any, call: Any) -> None:
    """With who it was; a session that it lets pass is none."""
    for accept, status, count in (("token", 401, 1), ("any", 200, 0)):
        gate = guarded(req_token(accept=accept), identify=lambda environ: "bob")
        before = len(entries(gate))
        assert call(gate, "GET", "/api/v1/user").status == status
        assert len(entries(gate)) == before + count
    [entry] = entries(gate)
    assert (entry.owner, entry.token_id, entry.code) == ("bob", None, "token_required")


@pytest.mark.parametrize("path", ["/api/v1/user", "/elsewhere"])
def test_a_guard_that_is_asked_often_makes_no_long_row(make_gate: Any, call: Any, issue: Any, path: str) -> None:
    """A view that calls guarded functions in a loop: what they need is said once each, however often they ran."""
    ran = []

    @req_scopes("read:misc")
    def one(environ: dict[str, Any]) -> None:
        ran.append(1)

    @req_scopes("read:issue")
    def other(environ: dict[str, Any]) -> None:
        ran.append(2)

    def view(environ: dict[str, Any], start_response: Any) -> Any:
        for _ in range(4_000):
            one(environ)
            other(environ)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"the view"]

    gate = make_gate(app=view)
    secret = issue("read:user,read:misc,read:issue")
    assert call(gate, "GET", path, **bearer(secret)).status == 200
    assert len(ran) == 8_000
    words = one_entry(gate).scopes.split(" ")
    assert sorted(words) == ["read:issue", "read:misc", *(["read:user"] if path != "/elsewhere" else [])]


def test_a_guard_in_a_framework_is_one_row_as_well(make_gate: Any, call: Any, issue: Any) -> None:
    """Its answer is made by the framework, and closed by the server."""
    site = flask.Flask("site")

    @site.route("/api/v1/user")
    @req_scopes("write:user")
    def view() -> str:
        return "the view"

    gate = make_gate(app=site)
    for scopes, status in (("read:user", 403), ("write:user", 200)):
        assert call(gate, "GET", "/api/v1/user", **bearer(issue(scopes))).status == status
        assert entries(gate)[-1].status == status
    assert [entry.code for entry in entries(gate)] == ["insufficient_scope", None]


# -- report mode


@pytest.mark.parametrize(
    "code", ["token_required", "token_invalid", "token_revoked", "insufficient_scope", "unmatched"]
)
def test_what_report_mode_lets_pass_is_written_down_as_reported(
    make_gate: Any, call: Any, issue: Any, spoiled: Any, known: Any, code: str
) -> None:
    """Once, with the code that it would have had and the status that it got; what is fine is allowed."""
    gate = make_gate(mode="report")
    secret = spoiled(code) if code in SPOILED else issue("read:misc")
    token = known(secret) if code in ("token_revoked", "insufficient_scope", "unmatched") else None
    path = "/api/v1/nothing" if code == "unmatched" else "/api/v1/user"
    assert call(gate, "GET", path, **({} if code == "token_required" else bearer(secret))).status == 200
    assert call(gate, "GET", "/api/v1/user", **bearer(issue("read:user"))).status == 200
    reported, allowed = entries(gate)
    assert (reported.decision, reported.code, reported.status) == ("reported", code, 200)
    assert (reported.token_id, reported.hint) == ((None, None) if token is None else (token.id, secret[-4:]))
    assert (allowed.decision, allowed.code, allowed.status) == ("allowed", None, 200)


@pytest.mark.parametrize("path", ["/api/v1/user", pytest.param("/elsewhere")])
def test_what_a_guard_lets_pass_in_report_mode_is_written_down_as_reported(
    guarded: Any, call: Any, issue: Any, path: str
) -> None:
    """As the warning says, which is logged."""
    gate = guarded(req_scopes("read:misc"), mode="report")
    assert call(gate, "GET", path, **bearer(issue("read:user"))).status == 200
    entry = one_entry(gate)
    assert (entry.decision, entry.code, entry.status) == ("reported", "insufficient_scope", 200)


# -- what nobody expects


@pytest.mark.parametrize("key", ["REQUEST_METHOD", "REMOTE_ADDR"])
@pytest.mark.parametrize("value", [None, 7, b"GET"], ids=["None", "number", "bytes"])
def test_an_environ_with_a_value_of_the_wrong_type_takes_no_other_entry_along(
    make_gate: Any, call: Any, key: str, value: Any
) -> None:
    """Whatever a server put there: it is a refusal, and those around it are written down as well."""
    gate = make_gate()
    call(gate, "GET", "/api/v1/user/before")
    environ = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/api/v1/user/odd", "REMOTE_ADDR": ""}
    # What is wrong here is refused by wsgiref.validate.
    gate(environ | {key: value}, lambda status, lines, exc_info=None: lambda data: None)
    call(gate, "GET", "/api/v1/user/after")
    assert [entry.path.rpartition("/")[2] for entry in entries(gate)] == ["before", "odd", "after"]


def test_an_environ_without_a_method_is_a_row(make_gate: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Without one."""
    gate = make_gate()
    with caplog.at_level(logging.CRITICAL):
        gate({"PATH_INFO": "/api/v1/user"}, lambda status, lines, exc_info=None: lambda data: None)
    entry = one_entry(gate)
    assert (entry.method, entry.path, entry.code) == ("", "/api/v1/user", "internal_error")


def test_a_gate_behind_a_gate_writes_its_own_rows(make_gate: Any, issue: Any) -> None:
    """Each has its policy; neither counts what the other did."""
    inner = make_gate(forward_token=True)
    outer = make_gate(app=inner, forward_token=True)
    secret = issue("read:user")
    assert ask(outer, "/api/v1/user", secret) == 200
    outer.access_log.flush()
    assert [entry.decision for entry in entries(inner)] == ["allowed", "allowed"]
    assert ask(outer, "/api/v1/admin", secret) == 403
    assert [entry.decision for entry in entries(inner)] == ["allowed", "allowed", "denied"]


def test_nothing_is_written_twice(gate: Scopeware, issue: Any) -> None:
    """However often it is flushed, and whoever does."""
    secret = issue("read:user")
    for number in range(5):
        assert ask(gate, f"/api/v1/user/{number}", secret) == 200
        gate.access_log.flush()
    gate.access_log.flush()
    assert [entry.path for entry in entries(gate)] == [f"/api/v1/user/{number}" for number in range(5)]
