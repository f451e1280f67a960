"""COPY and MOVE write in two places, and need what both of them need."""

from __future__ import annotations

from typing import Any

import pytest

POLICY = """
[policy]
prefix = "/dav"
[[group]]
path = "/files"
scopes = ["repository"]
[[group]]
path = "/secrets"
scopes = ["admin"]
[[group]]
path = "/packages"
scopes = ["package"]
public_only = "allow"
[[group]]
path = "/home/<name>"
scopes = ["repository"]
owner = "<name>"
self_or_admin = true
[[group]]
path = "/open"
require_token = false
scopes = []
"""


@pytest.fixture
def dav(make_gate: Any) -> Any:
    """A gate in front of a store of files."""
    return make_gate(policy=POLICY)


def send(call: Any, gate: Any, method: str, path: str, destination: str | None, secret: str | None, **more: Any) -> Any:
    """What becomes of a COPY or MOVE."""
    headers = {} if secret is None else {"authorization": f"Bearer {secret}"}
    if destination is not None:
        headers["destination"] = destination
    return call(gate, method, path, **headers, **more)


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize(
    ("destination", "code"),
    [
        pytest.param("/dav/files/b", None, id="the same group"),
        pytest.param("/dav/packages/b", None, id="another group that the token may write"),
        pytest.param("http://forge.example/dav/files/b", None, id="this host"),
        pytest.param("https://FORGE.example:443/dav/files/b", None, id="this host, other spelling"),
        pytest.param("/dav/files/%62", None, id="encoded"),
        pytest.param(" /dav/files/b ", None, id="spaces around"),
        pytest.param("/dav/secrets/b", "insufficient_scope", id="a group that it may not"),
        pytest.param("/dav/%73ecrets/b", "insufficient_scope", id="that group, encoded"),
        pytest.param("http://forge.example/dav/secrets/b", "insufficient_scope", id="that group on this host"),
        pytest.param("/dav/home/bob", "owner_mismatch", id="somebody else's"),
        pytest.param("/dav/home/alice/x", None, id="one's own"),
        pytest.param("/dav/nothing", "unmatched", id="no group"),
        pytest.param("http://evil.example/dav/files/b", "ambiguous_destination", id="another host"),
        pytest.param("http://forge.example:8080/dav/files/b", "ambiguous_destination", id="another port"),
        pytest.param("http://forge.example@evil.example/dav/files/b", "ambiguous_destination", id="userinfo"),
        pytest.param("ftp://forge.example/dav/files/b", "ambiguous_destination", id="another scheme"),
        pytest.param("//forge.example/dav/files/b", "ambiguous_destination", id="no scheme"),
        pytest.param("dav/files/b", "ambiguous_destination", id="relative"),
        pytest.param("", "ambiguous_destination", id="empty"),
        pytest.param("/elsewhere", "ambiguous_destination", id="outside of the prefix"),
        pytest.param("/dav/files/../secrets/b", "ambiguous_destination", id="dots"),
        pytest.param("/dav/files/%2e%2e/secrets", "ambiguous_destination", id="encoded dots"),
        pytest.param("/dav/files/%252e%252e/secrets", "ambiguous_destination", id="dots encoded twice"),
        pytest.param("/dav/files%2f..%2fsecrets", "ambiguous_destination", id="encoded slashes"),
        pytest.param("/dav//files/b", "ambiguous_destination", id="an empty segment"),
        pytest.param("/dav/files/b?x", "ambiguous_destination", id="a query"),
        pytest.param("/dav/files/b#x", "ambiguous_destination", id="a fragment"),
        pytest.param("/dav/files/b%00", "ambiguous_destination", id="NUL"),
        pytest.param("/dav/files/%ff", "ambiguous_destination", id="not UTF-8"),
        pytest.param("/dav/files/\xe9", "ambiguous_destination", id="not ASCII"),
        pytest.param("http://[x/dav/files/b", "ambiguous_destination", id="no URL"),
        pytest.param("/DAV/secrets", "ambiguous_destination", id="another letter case"),
    ],
)
def test_the_destination_is_judged_like_the_path(
    dav: Any, call: Any, issue: Any, method: str, destination: str, code: str | None
) -> None:
    """And refused where it has no one reading on this host."""
    secret = issue("write:repository,write:package")
    reply = send(call, dav, method, "/dav/files/a", destination, secret)
    assert (reply.code, reply.record.calls) == (code, int(code is None))


@pytest.mark.parametrize(
    ("path", "destination", "scopes", "status"),
    [
        pytest.param("/dav/files/a", "/dav/packages/b", "write:repository,write:package", 200, id="both"),
        pytest.param("/dav/files/a", "/dav/packages/b", "write:repository,read:package", 403, id="only to read there"),
        pytest.param("/dav/files/a", "/dav/packages/b", "write:repository", 403, id="not the destination"),
        pytest.param("/dav/files/a", "/dav/packages/b", "write:package", 403, id="not the path"),
        pytest.param(
            "/dav/packages/a", "/dav/packages/b", "public-only,write:package", 200, id="public-only, both allow"
        ),
        pytest.param(
            "/dav/packages/a", "/dav/files/b", "public-only,write:package,write:repository", 403, id="public-only, one"
        ),
        pytest.param("/dav/open/a", "/dav/files/b", None, 401, id="nobody, from a public place"),
        pytest.param("/dav/open/a", "/dav/open/b", None, 200, id="nobody, between public places"),
        pytest.param("/dav/open/a", "/dav/files/b", "write:repository", 200, id="from a public place"),
    ],
)
def test_a_copy_needs_what_both_places_need(
    dav: Any, call: Any, issue: Any, path: str, destination: str, scopes: str | None, status: int
) -> None:
    """Neither makes up for the other."""
    secret = None if scopes is None else issue(scopes)
    assert send(call, dav, "COPY", path, destination, secret).status == status


def test_without_a_destination_the_path_decides(dav: Any, call: Any, issue: Any) -> None:
    """What such a request means is the application's to say."""
    assert send(call, dav, "MOVE", "/dav/files/a", None, issue("write:repository")).status == 200
    assert send(call, dav, "MOVE", "/dav/files/a", None, issue("read:repository")).status == 403


@pytest.mark.parametrize("method", ["GET", "PUT", "PROPFIND"])
def test_the_header_means_nothing_to_other_methods(dav: Any, call: Any, issue: Any, method: str) -> None:
    """They do not write there."""
    assert send(call, dav, method, "/dav/files/a", "/dav/secrets", issue("write:repository")).status == 200


@pytest.mark.parametrize(
    ("destination", "status"),
    [
        pytest.param("/dav/files/b", 400, id="into the prefix"),
        pytest.param("http://forge.example/dav/open/b", 400, id="into a public place"),
        pytest.param("/dav/x/../files/b", 400, id="into it, with dots"),
        pytest.param("/elsewhere/b", 200, id="not into it"),
    ],
)
def test_nothing_is_copied_into_the_prefix_from_outside(
    dav: Any, call: Any, issue: Any, destination: str, status: int
) -> None:
    """Nobody can say who is calling out there, so nobody may write in here."""
    reply = send(call, dav, "COPY", "/elsewhere/a", destination, issue("all"))
    assert (reply.status, reply.record.calls) == (status, int(status == 200))


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize("scopes", [None, "read:misc"])
def test_nothing_is_copied_from_what_no_group_covers_either(
    make_gate: Any, call: Any, issue: Any, method: str, scopes: str | None
) -> None:
    """`unmatched = "pass"` is about the path, not about where a COPY writes."""
    gate = make_gate(policy=POLICY.replace('prefix = "/dav"', 'prefix = "/dav"\nunmatched = "pass"'))
    reply = send(call, gate, method, "/dav/nothing", "/dav/secrets/b", None if scopes is None else issue(scopes))
    assert reply.record.calls == 0


@pytest.mark.parametrize("method", ["copy", "Move"])
def test_letter_case_does_not_hide_the_destination(dav: Any, call: Any, issue: Any, method: str) -> None:
    """Applications that fold the method's letter case copy all the same."""
    reply = send(call, dav, method, "/dav/files/a", "/dav/secrets/b", issue("write:repository"), strict=False)
    assert reply.record.calls == 0


def test_report_mode_lets_a_copy_pass_and_says_so(make_gate: Any, call: Any, issue: Any, caplog: Any) -> None:
    """As it does with all else."""
    gate = make_gate(policy=POLICY, mode="report")
    assert send(call, gate, "COPY", "/dav/files/a", "/dav/secrets/b", issue("write:repository")).status == 200
    assert "would have refused COPY" in caplog.text
