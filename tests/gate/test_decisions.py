"""Who may do what: each rule at its edge, with the nearest thing that is refused beside what is allowed."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from scopeware import Scopeware, TokenStore, Vocabulary

EVERY_SCOPE = [f"{action}:{name}" for name in Vocabulary.builtin("gitea").categories for action in ("read", "write")]


def but(*without: str) -> str:
    """Every scope there is but some, and but those that imply them."""
    gone = {*without, *(scope.replace("read:", "write:") for scope in without)}
    kept = [scope for scope in EVERY_SCOPE if scope not in gone]
    return ",".join(kept)


# -- scopes


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        pytest.param("GET", "/user", ["read:user"], id="one category, read"),
        pytest.param("POST", "/user", ["write:user"], id="one category, write"),
        pytest.param("GET", "/user/below/it", ["read:user"], id="below the group"),
        pytest.param("GET", "/user/", ["read:user"], id="a slash at the end"),
        pytest.param("GET", "/users/bob/orgs", ["read:organization", "read:user"], id="two categories"),
        pytest.param("PATCH", "/users/bob/orgs", ["write:organization", "write:user"], id="two categories, write"),
        pytest.param("GET", "/repos/a/b", ["read:repository"], id="a resource"),
        pytest.param("POST", "/repos/a/b", ["write:repository"], id="a resource, write"),
        pytest.param("POST", "/repos/a/b/markdown", ["read:repository"], id="a route with an action of its own"),
        pytest.param("PUT", "/repos/a/b/markdown", ["write:repository"], id="another method of that path"),
        pytest.param("POST", "/repos/a/b/markdown/x", ["write:repository"], id="below that path"),
        pytest.param("GET", "/fixed", ["write:misc"], id="a fixed scope"),
        pytest.param("GET", "/admin", ["read:admin"], id="administration"),
    ],
)
def test_the_required_scopes_suffice_and_all_others_together_do_not(
    gate: Scopeware, call: Any, issue: Any, store: TokenStore, method: str, path: str, needed: list[str]
) -> None:
    """Only the required ones pass; everything else, or all but one of them, does not."""
    store.add_owner("root", role="admin")

    def status(scopes: str) -> int:
        secret = issue(scopes, owner="root")
        return call(gate, method, f"/api/v1{path}", authorization=f"Bearer {secret}").status

    assert status(",".join(needed)) == 200
    for one in needed:
        assert status(but(one)) == 403
        if one.startswith("write:"):
            assert status(but(one) + "," + one.replace("write:", "read:")) == 403


@pytest.mark.parametrize(
    ("scopes", "status"),
    [
        pytest.param("read:issue", 200, id="one alternative"),
        pytest.param("read:package,read:misc", 200, id="the other, whole"),
        pytest.param("read:package", 403, id="the other, in part"),
        pytest.param("read:misc", 403, id="the other part"),
        pytest.param(but("read:issue", "read:misc"), 403, id="everything but one of each"),
    ],
)
def test_one_whole_alternative_suffices(gate: Scopeware, call: Any, issue: Any, scopes: str, status: int) -> None:
    """Parts of several do not add up."""
    assert call(gate, "GET", "/api/v1/either", authorization=f"Bearer {issue(scopes)}").status == status


@pytest.mark.parametrize(
    ("role", "scopes", "status"),
    [
        pytest.param("user", "all", 403, id="a user's `all` is not an administrator's"),
        pytest.param("admin", "all", 200, id="an administrator's is"),
        pytest.param("admin", "read:user", 403, id="nobody's role is a scope"),
    ],
)
def test_a_token_does_what_its_owners_role_allows_now(
    gate: Scopeware, call: Any, issue: Any, store: TokenStore, role: str, scopes: str, status: int
) -> None:
    """Granted ∩ role, on the very next request."""
    store.add_owner("root", role="admin" if role == "user" else "user")
    secret = issue(scopes, owner="root")
    call(gate, "GET", "/api/v1/admin", authorization=f"Bearer {secret}")
    store.set_role("root", role)
    assert call(gate, "GET", "/api/v1/admin", authorization=f"Bearer {secret}").status == status


def test_a_token_whose_scopes_are_worth_nothing_gets_in_nowhere(
    gate: Scopeware, call: Any, issue: Any, store: TokenStore
) -> None:
    """Not even to where no scope is asked for: no scopes means no access."""
    secret = issue("write:admin", owner="alice")
    for path in ("/api/v1/anyone", "/api/v1/version", "/api/v1/tokens-only"):
        reply = call(gate, "GET", path, authorization=f"Bearer {secret}")
        assert (reply.status, reply.code, reply.record.calls) == (403, "insufficient_scope", 0)
    assert call(gate, "GET", "/api/v1/anyone", authorization=f"Bearer {issue('read:misc')}").status == 200


@pytest.mark.parametrize("stored", ["[]", "None", "nothing-known", "public-only", "read", "*", "read:", ",", " "])
def test_scopes_that_make_no_sense_in_the_database_grant_nothing(
    gate: Scopeware, call: Any, issue: Any, tmp_path: Any, stored: str
) -> None:
    """No spelling of nothing means everything."""
    secret = issue("all")
    assert call(gate, "GET", "/api/v1/anyone", authorization=f"Bearer {secret}").status == 200
    connection = sqlite3.connect(tmp_path / "tokens.db")
    connection.execute("UPDATE scopeware_token SET scopes = ?", (stored,))
    connection.commit()
    connection.close()
    for path in ("/api/v1/anyone", "/api/v1/user", "/api/v1/version"):
        assert call(gate, "GET", path, authorization=f"Bearer {secret}").status == 403


# -- who has to be signed in


@pytest.mark.parametrize("path", ["/api/v1/version", "/api/v1/optional"])
def test_public_routes_are_open_to_nobody_in_particular(gate: Scopeware, call: Any, path: str) -> None:
    """Their neighbours are not."""
    assert call(gate, "GET", path).status == 200
    assert call(gate, "GET", f"{path}s").code == "token_required"
    assert call(gate, "GET", "/api/v1/anyone").code == "token_required"


def test_a_token_without_the_scopes_is_refused_where_nobody_is_let_in(gate: Scopeware, call: Any, issue: Any) -> None:
    """A public route may still ask tokens for scopes."""
    assert call(gate, "GET", "/api/v1/optional", authorization=f"Bearer {issue('read:misc')}").status == 200
    assert call(gate, "GET", "/api/v1/optional", authorization=f"Bearer {issue('read:user')}").status == 403


@pytest.mark.parametrize(
    ("path", "unmatched", "token", "code"),
    [
        pytest.param("/api/v1/nothing", "deny", True, "unmatched", id="denied"),
        pytest.param("/api/v1/nothing", "deny", False, "token_required", id="denied to nobody, too"),
        pytest.param("/api/v1", "deny", True, "unmatched", id="the prefix itself"),
        pytest.param("/api/v1/usery", "deny", True, "unmatched", id="not on a segment boundary"),
        pytest.param("/api/v1/User", "deny", True, "unmatched", id="another letter case"),
        pytest.param("/api/v1/user.json", "deny", True, "unmatched", id="with a suffix"),
        pytest.param("/api/v1/nothing", "pass", False, None, id="passed, where the policy says so"),
        pytest.param("/api/v1/user", "pass", False, "token_required", id="but nothing that is matched"),
    ],
)
def test_what_no_group_covers_is_as_the_policy_says(
    make_gate: Any, call: Any, issue: Any, path: str, unmatched: str, token: bool, code: str | None
) -> None:
    """Denied, unless it says otherwise."""
    text = f'[policy]\nprefix = "/api/v1"\nunmatched = "{unmatched}"\n[[group]]\npath = "/user"\nscopes = ["user"]'
    headers = {"authorization": f"Bearer {issue('all')}"} if token else {}
    reply = call(make_gate(policy=text), "GET", path, **headers)
    assert (reply.code, reply.record.calls) == (code, int(code is None))


def test_a_broken_token_is_refused_where_everything_else_passes(make_gate: Any, call: Any) -> None:
    """Also under the prefix where no group is."""
    text = '[policy]\nunmatched = "pass"\n[[group]]\npath = "/user"\nscopes = ["user"]'
    assert call(make_gate(policy=text), "GET", "/x", authorization="Bearer swt_x").code == "token_invalid"
    assert call(make_gate(policy=text), "GET", "/x").status == 200


# -- whose it is


@pytest.mark.parametrize(
    ("owner", "role", "scopes", "code"),
    [
        pytest.param("alice", "user", "read:user", None, id="its owner"),
        pytest.param("bob", "user", "read:user", "owner_mismatch", id="somebody else"),
        pytest.param("bob", "admin", "read:user", None, id="an administrator"),
        pytest.param("Alice", "user", "read:user", "owner_mismatch", id="another letter case"),
        pytest.param("alice", "user", "read:issue", "insufficient_scope", id="its owner without the scope"),
        pytest.param("bob", "admin", "read:issue", "insufficient_scope", id="an administrator without the scope"),
    ],
)
def test_only_its_owner_or_an_administrator(
    gate: Scopeware, call: Any, issue: Any, store: TokenStore, owner: str, role: str, scopes: str, code: str | None
) -> None:
    """With the scopes, both of them."""
    store.add_owner(owner, role=role)
    secret = issue(scopes, owner=owner)
    assert call(gate, "GET", "/api/v1/users/alice/mail", authorization=f"Bearer {secret}").code == code


# -- public-only


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("path", "seen", "code"),
    [
        pytest.param("/repos/alice/widgets", "public", None, id="checked, public"),
        pytest.param("/repos/alice/widgets", "limited", "public_only", id="checked, limited"),
        pytest.param("/repos/alice/widgets", "private", "public_only", id="checked, private"),
        pytest.param("/repos/alice/widgets", None, "public_only", id="checked, unknown"),
        pytest.param("/repos/alice/widgets", "PUBLIC", "public_only", id="checked, another word"),
        pytest.param("/repos/alice/widgets", True, "public_only", id="checked, true"),
        pytest.param("/repos/alice/widgets", "", "public_only", id="checked, empty"),
        pytest.param("/issues", "public", "public_only", id="rejected, whatever it is"),
        pytest.param("/packages", "private", None, id="allowed, whatever it is"),
    ],
)
def test_public_only_tokens_see_what_is_known_to_be_public(
    make_gate: Any, call: Any, issue: Any, method: str, path: str, seen: Any, code: str | None
) -> None:
    """Only `"public"` is public; a token without the restriction is not asked."""
    asked = []
    gate = make_gate(visibility=lambda environ, resource: asked.append(resource) or seen)
    scopes = "write:repository,write:issue,write:package"
    reply = call(gate, method, f"/api/v1{path}", authorization=f"Bearer {issue(f'public-only,{scopes}')}")
    assert (reply.code, reply.record.calls) == (code, int(code is None))
    assert asked == (["alice/widgets"] if "repos" in path else [])
    assert call(gate, method, f"/api/v1{path}", authorization=f"Bearer {issue(scopes)}").status == 200
    assert len(asked) <= 1


def test_where_nobody_tells_what_is_public_nothing_is(gate: Scopeware, call: Any, issue: Any) -> None:
    """Without `visibility` a check cannot succeed."""
    secret = issue("public-only,read:repository")
    assert call(gate, "GET", "/api/v1/repos/a/b", authorization=f"Bearer {secret}").code == "public_only"


@pytest.mark.parametrize("path", ["/user", "/anyone", "/tokens-only", "/version", "/optional", "/nothing"])
def test_public_only_tokens_are_rejected_where_the_policy_says_nothing(
    gate: Scopeware, call: Any, issue: Any, path: str
) -> None:
    """Also where no scope is asked for, and where nobody has to be signed in."""
    assert call(gate, "GET", f"/api/v1{path}", authorization=f"Bearer {issue('public-only,all')}").status == 403
    assert call(gate, "GET", f"/api/v1{path}", authorization=f"Bearer {issue('all')}").status == (
        403 if path == "/nothing" else 200
    )


def test_visibility_sees_the_request_as_it_was_decided_about(make_gate: Any, call: Any, issue: Any) -> None:
    """Its environ already has the context, with the variables of the path."""
    seen = []

    def visibility(environ: dict[str, Any], resource: str | None) -> str:
        seen.append((environ["scopeware"].params, environ["scopeware"].owner, resource))
        return "public"

    secret = issue("public-only,read:repository")
    gate = make_gate(visibility=visibility)
    assert call(gate, "GET", "/api/v1/repos/a/b/below", authorization=f"Bearer {secret}").status == 200
    assert seen == [({"owner": "a", "repo": "b"}, "alice", "a/b")]


# -- methods


@pytest.mark.parametrize(
    ("method", "needed"),
    [
        *[pytest.param(method, "read:user", id=method) for method in ("GET", "HEAD", "OPTIONS")],
        *[
            pytest.param(method, "write:user", id=method or "empty")
            for method in (
                "POST",
                "PUT",
                "PATCH",
                "DELETE",
                "PROPFIND",
                "MKCOL",
                "LOCK",
                "TRACE",
                "JEFF",
                "get",
                "Head",
                "",
            )
        ],
    ],
)
def test_three_methods_read_and_all_others_write(
    gate: Scopeware, call: Any, issue: Any, method: str, needed: str
) -> None:
    """Known or not, whatever their letter case."""
    status = call(gate, method, "/api/v1/user", strict=False, authorization=f"Bearer {issue('read:user')}").status
    assert status == (200 if needed == "read:user" else 403)
    assert call(gate, method, "/api/v1/user", strict=False, authorization=f"Bearer {issue('write:user')}").status == 200


@pytest.mark.parametrize("scopes", ["read:user", "read:misc", "public-only,all", None])
@pytest.mark.parametrize("path", ["/user", "/repos/a/b", "/repos/a/b/markdown", "/version", "/nothing", "/admin"])
def test_head_is_decided_as_get_is(gate: Scopeware, call: Any, issue: Any, path: str, scopes: str | None) -> None:
    """For every rule and every caller."""
    headers = {} if scopes is None else {"authorization": f"Bearer {issue(scopes)}"}
    head, get = (call(gate, method, f"/api/v1{path}", **headers) for method in ("HEAD", "GET"))
    assert (head.status, head.headers) == (get.status, get.headers)


@pytest.mark.parametrize(
    ("method", "scopes", "status"),
    [
        pytest.param("POST", "create:thing", 200, id="POST creates"),
        pytest.param("POST", "update:thing,delete:thing,read:thing", 403, id="and nothing else does"),
        pytest.param("PUT", "update:thing", 200, id="PUT updates"),
        pytest.param("PATCH", "update:thing", 200, id="PATCH updates"),
        pytest.param("PATCH", "create:thing,delete:thing", 403, id="PATCH needs that"),
        pytest.param("DELETE", "delete:thing", 200, id="DELETE deletes"),
        pytest.param("DELETE", "create:thing,update:thing", 403, id="DELETE needs that"),
        pytest.param("JEFF", "create:thing,update:thing,delete:thing", 200, id="anything else needs all three"),
        pytest.param("JEFF", "create:thing,update:thing", 403, id="not two of them"),
        pytest.param("delete", "delete:thing", 403, id="lower case is anything else"),
    ],
)
def test_vocabularies_of_four_actions(
    make_gate: Any, call: Any, issue: Any, method: str, scopes: str, status: int
) -> None:
    """Create, read, update, delete."""
    text = (
        '[vocabulary]\nactions = ["create", "read", "update", "delete"]\ncategories = {thing = ""}\n'
        '[[group]]\npath = "/things"\nscopes = ["thing"]'
    )
    gate = make_gate(policy=text)
    assert call(gate, method, "/things", strict=False, authorization=f"Bearer {issue(scopes)}").status == status


PREFLIGHT = {"origin": "http://app.example", "access_control_request_method": "DELETE"}


@pytest.mark.parametrize("path", ["/user", "/nothing", "/tokens-only"])
@pytest.mark.parametrize(
    ("method", "headers", "passes"),
    [
        pytest.param("OPTIONS", PREFLIGHT, True, id="a preflight"),
        pytest.param("OPTIONS", {}, False, id="OPTIONS without its headers"),
        pytest.param("OPTIONS", {"origin": "http://app.example"}, False, id="without the method"),
        pytest.param("OPTIONS", {"access_control_request_method": "GET"}, False, id="without the origin"),
        pytest.param("GET", PREFLIGHT, False, id="its headers on a GET"),
        pytest.param("options", PREFLIGHT, False, id="in lower case"),
        pytest.param("OPTIONS", {**PREFLIGHT, "authorization": "Bearer swt_x"}, False, id="with a broken token"),
    ],
)
def test_a_cors_preflight_without_credentials_passes(
    gate: Scopeware, call: Any, path: str, method: str, headers: dict[str, str], passes: bool
) -> None:
    """Browsers send none; nothing but a true preflight is let through."""
    reply = call(gate, method, f"/api/v1{path}", strict=False, **headers)
    assert (reply.status == 200, reply.record.calls) == (passes, int(passes))
    if passes:
        assert reply.record.environ["scopeware"].owner is None


@pytest.mark.parametrize("header", ["x_http_method_override", "x_http_method", "x_method_override"])
@pytest.mark.parametrize("path", ["/user", "/version"])
def test_a_method_override_is_refused_where_that_was_asked_for(
    make_gate: Any, call: Any, issue: Any, header: str, path: str
) -> None:
    """By default it changes nothing; with `refuse` it is a 400 whoever sends it."""
    sent = {"authorization": f"Bearer {issue('read:user')}", header: "DELETE"}
    reply = call(make_gate(method_override="refuse"), "GET", f"/api/v1{path}", **sent)
    assert (reply.status, reply.code, reply.record.calls) == (400, "ambiguous_method", 0)
    assert (
        call(make_gate(method_override="refuse"), "GET", f"/api/v1{path}", authorization=sent["authorization"]).status
        == 200
    )
    assert call(make_gate(), "GET", f"/api/v1{path}", **sent).status == 200
    assert call(make_gate(), "POST", "/api/v1/user", **{**sent, header: "GET"}).status == 403


@pytest.mark.parametrize("query", ["_method=DELETE", "a=1&_method=delete", "%5Fmethod=DELETE"])
def test_a_method_override_in_the_query_is_refused_too(make_gate: Any, call: Any, issue: Any, query: str) -> None:
    """Rails, Laravel and their followers take `?_method=DELETE`."""
    headers = {"authorization": f"Bearer {issue('all')}"}
    gate = make_gate(method_override="refuse")
    assert call(gate, "GET", "/api/v1/user", environ={"QUERY_STRING": query}, **headers).code == "ambiguous_method"
