"""Tokens that work from some networks only: from where the server says that a request comes, and nothing else."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from forge import exchanged
from transports import EVERYWHERE

from scopeware import Scopeware, TokenStore, req_scopes, req_token

NOT_FROM_THERE = "address_not_allowed"


@pytest.fixture
def come(gate: Scopeware, call: Any, issue: Any) -> Any:
    """``come(networks, address)``: what a new token for these networks is answered there."""

    def send(networks: str | None, address: str, path: str = "/api/v1/user", **headers: Any) -> Any:
        secret = issue("read:user,read:misc", networks=networks)
        environ = {"REMOTE_ADDR": address, **headers.pop("environ", {})}
        return call(gate, "GET", path, environ=environ, authorization=f"Bearer {secret}", **headers)

    return send


@pytest.mark.parametrize(
    ("networks", "address", "allowed"),
    [
        pytest.param("192.0.2.7", "192.0.2.7", True, id="an address"),
        pytest.param("192.0.2.7", "192.0.2.8", False, id="the next one"),
        pytest.param("192.0.2.0/24", "192.0.2.0", True, id="the first of a block"),
        pytest.param("192.0.2.0/24", "192.0.2.255", True, id="the last"),
        pytest.param("192.0.2.0/24", "192.0.3.0", False, id="behind it"),
        pytest.param("192.0.2.0/24", "192.0.1.255", False, id="before it"),
        pytest.param("192.0.2.0/31", "192.0.2.2", False, id="a small block"),
        pytest.param("192.0.2.7,198.51.100.0/24", "198.51.100.3", True, id="one of two"),
        pytest.param("192.0.2.7,198.51.100.0/24", "192.0.2.8", False, id="neither"),
        pytest.param("0.0.0.0/0", "203.0.113.9", True, id="all of IPv4"),
        pytest.param("0.0.0.0/0", "2001:db8::1", False, id="is not IPv6"),
        pytest.param("::/0", "2001:db8::1", True, id="all of IPv6"),
        pytest.param("::/0", "203.0.113.9", False, id="is not IPv4"),
        pytest.param("::/0", "::ffff:203.0.113.9", False, id="nor IPv4 in other clothes"),
        pytest.param("2001:db8::7", "2001:db8::7", True, id="an IPv6 address"),
        pytest.param("2001:db8::7", "2001:DB8:0:0:0:0:0:7", True, id="spelt otherwise"),
        pytest.param("2001:db8::7", "2001:db8::8", False, id="the next IPv6 address"),
        pytest.param("2001:db8::/32", "2001:db8:ffff::1", True, id="an IPv6 block"),
        pytest.param("2001:db8::/32", "2001:db9::1", False, id="behind the IPv6 block"),
        pytest.param("192.0.2.0/24", "::ffff:192.0.2.7", True, id="IPv4 as IPv6"),
        pytest.param("192.0.2.0/24", "::FFFF:c000:207", True, id="IPv4 as IPv6 in hexadecimal"),
        pytest.param("192.0.2.0/24", "::ffff:192.0.3.7", False, id="another IPv4 as IPv6"),
        pytest.param("192.0.2.0/24", "::192.0.2.7", False, id="the obsolete kind"),
        pytest.param("192.0.2.0/24", "64:ff9b::192.0.2.7", False, id="behind a translator"),
        pytest.param("192.0.2.0/24", "2002:c000:207::", False, id="6to4"),
        pytest.param("fe80::/10", "fe80::1%eth0", True, id="with a zone"),
        pytest.param("fe80::/10", "fe80::1%25eth0", True, id="with a zone, encoded"),
        pytest.param("fe80::/10", "fec0::1%eth0", False, id="another with a zone"),
        pytest.param("127.0.0.1", "::1", False, id="two loopbacks are two"),
    ],
)
def test_a_token_works_from_its_networks(come: Any, networks: str, address: str, allowed: bool) -> None:
    """On the bit; nowhere else."""
    reply = come(networks, address)
    assert (reply.code, reply.record.calls) == (None if allowed else NOT_FROM_THERE, int(allowed))


@pytest.mark.parametrize(
    "address",
    [
        "",
        " ",
        " 192.0.2.7",
        "192.0.2.7 ",
        "192.0.2.7\n",
        "192.0.2.7:1234",
        "192.0.2.7,203.0.113.9",
        "192.0.2.7/32",
        "192.0.2.0/24",
        "192.0.2",
        "192.0.2.007",
        "0300.0.2.7",
        "0xc0.0.2.7",
        "3221225991",
        "\u0661\u0669\u0662.0.2.7".encode().decode("latin-1"),
        "[2001:db8::7]",
        "2001:db8::7/128",
        "%eth0",
        "unix:",
        "unix:/run/gate.sock",
        "localhost",
        "unknown",
        "None",
        "*",
    ],
)
def test_what_is_no_address_is_in_no_network(come: Any, address: str) -> None:
    """Behind a socket in the file system the server gives an empty one."""
    for networks in ("0.0.0.0/0,::/0", "192.0.2.0/24,2001:db8::/32"):
        reply = come(networks, address)
        assert (reply.status, reply.code, reply.record.calls) == (403, NOT_FROM_THERE, 0)
    assert come(None, address).code is None


@pytest.mark.parametrize("address", ["192.0.2.7%eth0", "192.0.2.7%", "fe80::1%"])
def test_an_address_with_a_zone_that_it_cannot_have_is_none(come: Any, address: str) -> None:
    """Only IPv6 has zones, and none of them is empty."""
    assert come("0.0.0.0/0,::/0", address).code == NOT_FROM_THERE


def test_a_server_that_says_nothing_gets_no_guess(gate: Scopeware, call: Any, issue: Any) -> None:
    """Without REMOTE_ADDR the token does not work; one without networks does."""
    secret = issue("read:user", networks="0.0.0.0/0,::/0")
    reply = call(gate, "GET", "/api/v1/user", authorization=f"Bearer {secret}")
    assert (reply.code, reply.record.calls) == (NOT_FROM_THERE, 0)
    assert call(gate, "GET", "/api/v1/user", authorization=f"Bearer {issue('read:user')}").code is None


@pytest.mark.parametrize("address", [None, 7, b"192.0.2.7"], ids=["None", "number", "bytes"])
def test_an_address_of_the_wrong_type_lets_nobody_in(gate: Scopeware, call: Any, issue: Any, address: Any) -> None:
    """A server that gives anything but text is broken, and that is no reason to let someone in."""
    secret = issue("read:user", networks="0.0.0.0/0")
    environ = {"REMOTE_ADDR": address}
    reply = call(gate, "GET", "/api/v1/user", environ=environ, strict=False, authorization=f"Bearer {secret}")
    assert (reply.status in (403, 500), reply.record.calls) == (True, 0)


FORWARDED = {
    "x_forwarded_for": "192.0.2.7",
    "x_real_ip": "192.0.2.7",
    "forwarded": "for=192.0.2.7",
    "client_ip": "192.0.2.7",
    "true_client_ip": "192.0.2.7",
    "cf_connecting_ip": "192.0.2.7",
    "x_client_ip": "192.0.2.7",
    "x_cluster_client_ip": "192.0.2.7",
    "x_originating_ip": "192.0.2.7",
    "x_remote_addr": "192.0.2.7",
    "remote_addr": "192.0.2.7",
    "via": "1.1 192.0.2.7",
    "host": "192.0.2.7",
}


@pytest.mark.parametrize("path", ["/api/v1/user", "/api/v1/version"])
@pytest.mark.parametrize("header", [*FORWARDED, "all of them"])
def test_no_header_moves_a_token_anywhere(come: Any, path: str, header: str) -> None:
    """Neither into its networks nor out of them: whoever trusts a proxy puts that before the gate."""
    headers = FORWARDED if header == "all of them" else {header: FORWARDED[header]}
    assert come("192.0.2.0/24", "203.0.113.9", path, **headers).code == NOT_FROM_THERE
    outside = {name: value.replace("192.0.2.7", "203.0.113.9") for name, value in headers.items()}
    assert come("192.0.2.0/24", "192.0.2.7", path, **outside).code is None


@pytest.mark.parametrize(
    "environ",
    [
        {"REMOTE_HOST": "192.0.2.7"},
        {"SERVER_ADDR": "192.0.2.7", "SERVER_NAME": "192.0.2.7"},
        {"QUERY_STRING": "remote_addr=192.0.2.7"},
        {"REMOTE_USER": "192.0.2.7"},
    ],
    ids=["REMOTE_HOST", "the server's own", "the query", "REMOTE_USER"],
)
def test_nor_does_anything_else_in_the_environ(come: Any, environ: dict[str, str]) -> None:
    """Only REMOTE_ADDR counts."""
    assert come("192.0.2.0/24", "203.0.113.9", environ=environ).code == NOT_FROM_THERE
    assert come("192.0.2.0/24", "192.0.2.9", environ=environ).code is None


@pytest.mark.parametrize(
    ("path", "code"),
    [
        pytest.param("/api/v1/user", None, id="a scope"),
        pytest.param("/api/v1/anyone", None, id="no scope"),
        pytest.param("/api/v1/tokens-only", None, id="tokens only"),
        pytest.param("/api/v1/version", None, id="public"),
        pytest.param("/api/v1/optional", None, id="public, with a scope"),
        pytest.param("/api/v1/issues", "insufficient_scope", id="a scope that it lacks"),
        pytest.param("/api/v1/sessions-only", "session_required", id="no tokens"),
        pytest.param("/api/v1/nothing", "unmatched", id="no group"),
        pytest.param("/api/v1/users/bob/mail", "owner_mismatch", id="somebody else's"),
    ],
)
def test_from_elsewhere_it_is_refused_everywhere_first_of_all(come: Any, path: str, code: str | None) -> None:
    """Also where nobody has to be signed in; whoever found the token learns nothing else about it."""
    reply = come("192.0.2.0/24", "203.0.113.9", path)
    assert (reply.status, reply.code, reply.record.calls) == (403, NOT_FROM_THERE, 0)
    assert come("192.0.2.0/24", "192.0.2.7", path).code == code


def test_the_refusal_does_not_tell_from_where_it_would_work(come: Any) -> None:
    """Nor the address it came from, which a proxy's may be."""
    reply = come("192.0.2.0/24", "203.0.113.9", "/api/v1/issues")
    text = repr((reply.headers, reply.body))
    assert "192.0.2" not in text
    assert "203.0.113" not in text
    assert "required_scopes" not in reply.json


def test_the_address_is_looked_at_each_time(gate: Scopeware, call: Any, issue: Any) -> None:
    """One token, two places, in any order: what was decided for the one is not remembered for the other."""
    headers = {"authorization": f"Bearer {issue('read:user', networks='192.0.2.7')}"}
    inside, outside = {"REMOTE_ADDR": "192.0.2.7"}, {"REMOTE_ADDR": "203.0.113.9"}
    codes = [
        call(gate, "GET", "/api/v1/user", environ=where, **headers).code for where in (outside, inside, outside, inside)
    ]
    assert codes == [NOT_FROM_THERE, None, NOT_FROM_THERE, None]


def test_networks_hold_with_bound_and_public_only_scopes(make_gate: Any, call: Any, issue: Any) -> None:
    """Each restriction takes something away; the address is the first thing asked."""
    gate = make_gate(visibility=lambda environ, resource: "public" if resource == "alice/widgets" else "private")
    secret = issue("public-only,read:repository@alice/*", networks="192.0.2.0/24")
    for name, code in (("alice/widgets", None), ("alice/gadgets", "public_only"), ("bob/x", "resource_out_of_reach")):
        for address, expected in (("192.0.2.7", code), ("203.0.113.9", NOT_FROM_THERE)):
            environ = {"REMOTE_ADDR": address}
            reply = call(gate, "GET", f"/api/v1/repos/{name}", environ=environ, authorization=f"Bearer {secret}")
            assert reply.code == expected


def test_where_resources_hide_the_address_does_not_give_them_away(make_gate: Any, call: Any, issue: Any) -> None:
    """From elsewhere the answer is one and the same, `not_found` or not."""

    def not_found(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"gone"]

    gate = make_gate(not_found=not_found)
    secret = issue("read:repository@alice/widgets", networks="192.0.2.7")
    replies = [
        exchanged(call(gate, "GET", f"/api/v1/repos/{name}", authorization=f"Bearer {secret}"))
        for name in ("alice/widgets", "alice/gadgets", "bob/x")
    ]
    assert replies[0][0] == 403
    assert replies[0] == replies[1] == replies[2]


def test_a_copy_is_judged_from_where_it_came(make_gate: Any, call: Any, issue: Any) -> None:
    """A destination, too."""
    secret = issue("write:repository", networks="192.0.2.7")

    def copy(address: str) -> Any:
        headers = {"authorization": f"Bearer {secret}", "destination": "/api/v1/repos/a/c"}
        return call(make_gate(), "COPY", "/api/v1/repos/a/b", environ={"REMOTE_ADDR": address}, **headers)

    assert copy("192.0.2.7").code is None
    assert copy("203.0.113.9").code == NOT_FROM_THERE


@pytest.mark.parametrize("path", ["/api/v1/version", "/elsewhere"])
@pytest.mark.parametrize("decorate", [req_token, req_scopes("read:user")], ids=["req_token", "req_scopes"])
def test_a_guard_looks_at_the_address_too(make_gate: Any, call: Any, issue: Any, path: str, decorate: Any) -> None:
    """Outside of the prefix it is the only one to do so."""
    ran: list[str] = []

    @decorate
    def view(environ: dict[str, Any], start_response: Any) -> Any:
        ran.append(path)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"the view"]

    gate = make_gate(app=view)
    secret = issue("read:user", networks="192.0.2.0/24")
    for address, code in (("203.0.113.9", NOT_FROM_THERE), ("", NOT_FROM_THERE), ("192.0.2.7", None)):
        headers = {"authorization": f"Bearer {secret}", "x_forwarded_for": "192.0.2.7"}
        assert call(gate, "GET", path, environ={"REMOTE_ADDR": address}, **headers).code == code
    assert ran == [path]


@pytest.mark.parametrize("sent", ["x_api_key", "query"])
def test_another_place_for_the_token_is_no_other_place(make_gate: Any, call: Any, issue: Any, sent: str) -> None:
    """However it travels."""
    secret = issue("read:user", networks="192.0.2.7")
    environ = {"REMOTE_ADDR": "203.0.113.9"} | ({"QUERY_STRING": f"token={secret}"} if sent == "query" else {})
    headers = {} if sent == "query" else {sent: secret}
    gate = make_gate(**EVERYWHERE)
    assert call(gate, "GET", "/api/v1/user", environ=environ, **headers).code == NOT_FROM_THERE
    assert call(gate, "GET", "/api/v1/user", environ=environ | {"REMOTE_ADDR": "192.0.2.7"}, **headers).code is None


@pytest.mark.parametrize("stored", ["", " ", ",", "nonsense", "192.0.2.7/", "192.0.2.0/24;203.0.113.9", b"\xff", 7])
def test_networks_that_make_no_sense_in_the_database_are_none(
    gate: Scopeware, call: Any, issue: Any, tmp_path: Path, stored: Any
) -> None:
    """A restriction that cannot be read holds for every address; only NULL is none."""
    secret = issue("read:user")
    for value, address, code in (
        (stored, "192.0.2.7", NOT_FROM_THERE),
        (stored, "203.0.113.9", NOT_FROM_THERE),
        (stored, "", NOT_FROM_THERE),
        (None, "192.0.2.7", None),
    ):
        connection = sqlite3.connect(tmp_path / "tokens.db")
        connection.execute("PRAGMA ignore_check_constraints = 1")
        connection.execute("UPDATE scopeware_token SET networks = ?", (value,))
        connection.commit()
        connection.close()
        environ = {"REMOTE_ADDR": address}
        assert call(gate, "GET", "/api/v1/user", environ=environ, authorization=f"Bearer {secret}").code == code


def test_smaller_networks_hold_on_the_next_request(gate: Scopeware, call: Any, issue: Any, store: TokenStore) -> None:
    """A token that was used from everywhere works from there no more."""
    secret = issue("read:user")
    found = store.find(secret)
    assert found is not None
    for networks, code in ((None, None), ("203.0.113.0/24", None), ("203.0.113.0/25", NOT_FROM_THERE)):
        if networks is not None:
            store.edit(found.id, networks=networks)
        environ = {"REMOTE_ADDR": "203.0.113.200"}
        assert call(gate, "GET", "/api/v1/user", environ=environ, authorization=f"Bearer {secret}").code == code


def test_sessions_and_anonymous_requests_come_from_anywhere(make_gate: Any, call: Any) -> None:
    """Networks are a token's."""
    gate = make_gate(identify=lambda environ: environ.get("HTTP_X_USER"))
    assert call(gate, "GET", "/api/v1/user", environ={"REMOTE_ADDR": "203.0.113.9"}, x_user="bob").code is None
    assert call(gate, "GET", "/api/v1/version", environ={"REMOTE_ADDR": ""}).code is None


def test_outside_of_the_prefix_nobody_asks(come: Any) -> None:
    """What is not guarded is not guarded against addresses, either."""
    assert come("192.0.2.7", "203.0.113.9", "/elsewhere").code is None


def test_in_report_mode_it_passes_and_is_said(make_gate: Any, call: Any, issue: Any, caplog: Any) -> None:
    """As with all else."""
    secret = issue("read:user", networks="192.0.2.7")
    environ = {"REMOTE_ADDR": "203.0.113.9"}
    gate = make_gate(mode="report")
    assert call(gate, "GET", "/api/v1/user", environ=environ, authorization=f"Bearer {secret}").status == 200
    assert NOT_FROM_THERE in caplog.text
