"""Requests that may be read as others: each reading is decided by its own rule."""

from __future__ import annotations

from typing import Any

import pytest

from scopeware import Group, Policy, Route, Scopeware, TokenStore, req_token
from scopeware.errors import ConfigurationError
from scopeware.gate import guards
from scopeware.scopes import Vocabulary


def bearer(store: TokenStore, scopes: str, owner: str = "alice") -> str:
    return f"Bearer {store.issue(owner=owner, name=scopes, scopes=scopes).secret}"


def test_a_lower_case_method_asks_about_the_resource_of_the_route_it_may_mean(store: Any, app: Any, call: Any) -> None:
    """`get` may be GET to a framework: then alice's diary is what the request is about, and that is private."""
    policy = Policy(
        [
            Group(
                path="/repos/<owner>",
                scopes=["repository"],
                resource="<owner>",
                public_only="check",
                routes=[Route(path="/<repo>", methods=["GET"], resource="<owner>/<repo>")],
            )
        ]
    )
    public = {"alice", "alice/widgets"}
    gate = Scopeware(
        app, policy, store, visibility=lambda environ, resource: "public" if resource in public else "private"
    )
    token = bearer(store, "public-only,write:repository")
    assert call(gate, "get", "/repos/alice/widgets", authorization=token).status == 200
    for method in ("GET", "get"):
        assert call(gate, method, "/repos/alice/diary", authorization=token).code == "public_only"


def test_a_lower_case_method_asks_for_the_owner_of_the_route_it_may_mean(store: Any, app: Any, call: Any) -> None:
    """The variable is one of the route alone; whoever is not that owner is refused, and nothing fails."""
    policy = Policy(
        [
            Group(
                path="/",
                scopes=["user"],
                routes=[Route(path="/<name>", methods=["GET"], owner="<name>", self_or_admin=True)],
            )
        ]
    )
    gate = Scopeware(app, policy, store)
    token = bearer(store, "write:user")
    assert call(gate, "get", "/alice", authorization=token).status == 200
    assert call(gate, "get", "/bob", authorization=token).code == "owner_mismatch"


def test_refusals_of_made_up_methods_name_their_own_group(store: Any, app: Any, call: Any) -> None:
    """What was answered about one path is not given again for another."""
    groups = [
        Group(path=path, scopes=["user"], routes=[Route(path="/", methods=["GET"], scopes=["issue"])])
        for path in ("/a", "/b")
    ]
    gate = Scopeware(app, Policy(groups), store)
    for _ in range(3):
        for path in ("/a", "/b"):
            assert call(gate, "get", path).json["group"] == path


@pytest.mark.parametrize("path", ["/x/api/debug", "/x/api/user"])
def test_what_lies_under_the_prefix_without_its_mount_does_not_pass(store: Any, app: Any, call: Any, path: str) -> None:
    """Covered by a group or not: a mount that the prefix does not name may be made up."""
    gate = Scopeware(app, Policy([Group(path="/user", scopes=["user"])], prefix="/api"), store)
    mounted = {"SCRIPT_NAME": "/x", "PATH_INFO": path.removeprefix("/x")}
    assert call(gate, "DELETE", path, environ=mounted).code == "ambiguous_path"
    assert app.calls == 0
    elsewhere = {"SCRIPT_NAME": "/x", "PATH_INFO": "/elsewhere"}
    assert call(gate, "DELETE", "/", environ=elsewhere).status == 200


def test_the_roles_of_the_policy_hold_for_a_store_that_chose_the_same_vocabulary(
    tmp_path: Any, app: Any, call: Any
) -> None:
    """They are taken over; other roles on top are refused."""
    store = TokenStore.connect(f"sqlite:///{tmp_path}/store.db", vocabulary=Vocabulary.builtin("gitea"))
    token = bearer(store, "write:user")
    groups = [Group(path="/user", scopes=["user"])]
    gate = Scopeware(app, Policy(groups, roles={"user": "read:*,-*:admin"}), store)
    assert call(gate, "GET", "/user", authorization=token).status == 200
    assert call(gate, "DELETE", "/user", authorization=token).code == "insufficient_scope"
    with pytest.raises(ConfigurationError, match="roles"):
        Scopeware(app, Policy(groups), store)
    store.close()


@pytest.mark.parametrize("path", ["//" + "a" * 60_000, "/" * 60_000, "/x" + "/." * 30_000, "/%" + "25" * 30_000])
def test_a_long_path_is_read_like_a_short_one(store: Any, app: Any, call: Any, path: str) -> None:
    """It lies outside of the prefix in every reading, and passes."""
    gate = Scopeware(app, Policy([Group(path="/user", scopes=["user"])], prefix="/api"), store)
    assert call(gate, "GET", path, strict=False).status == 200


def test_a_destination_outside_is_looked_at_for_the_methods_that_have_one(store: Any, app: Any, call: Any) -> None:
    """Elsewhere the header means nothing."""
    gate = Scopeware(app, Policy([Group(path="/user", scopes=["user"])], prefix="/api"), store)
    assert call(gate, "GET", "/static", destination="/api/user").status == 200
    assert call(gate, "move", "/static", destination="/api/user").code == "ambiguous_destination"


# -- preflights


PREFLIGHT = {"origin": "https://app.example", "access_control_request_method": "DELETE"}


def endless(seen: list[str]) -> Any:
    """An application that answers every method alike, and never ends."""

    def app(environ: Any, start_response: Any) -> Any:
        seen.append(environ["REQUEST_METHOD"])
        lines = [("Content-Type", "text/plain"), ("Set-Cookie", "a=b"), ("Access-Control-Allow-Origin", "*")]
        start_response("200 OK", lines)
        while True:
            yield b"secret"

    return app


def test_of_the_answer_to_a_preflight_only_the_cors_headers_go_out(store: Any, call: Any) -> None:
    """Whatever the application says, and however long it goes on."""
    seen: list[str] = []
    gate = Scopeware(endless(seen), Policy([Group(path="/user", scopes=["user"])]), store)
    reply = call(gate, "OPTIONS", "/user", **PREFLIGHT)
    assert (reply.status, reply.body, seen) == (200, b"", ["OPTIONS"])
    assert reply.all("Access-Control-Allow-Origin") == ["*"]
    assert reply.all("Set-Cookie") == []


def test_a_preflight_with_a_method_override_is_none(store: Any, app: Any, call: Any) -> None:
    """No browser sends one; an application that obeys it would delete for nobody."""
    gate = Scopeware(app, Policy([Group(path="/user", scopes=["user"])]), store)
    assert call(gate, "OPTIONS", "/user", x_http_method_override="DELETE", **PREFLIGHT).status == 401
    assert app.calls == 0
    assert call(gate, "OPTIONS", "/user", **PREFLIGHT).status == 200


def test_preflights_can_be_checked_like_any_request(store: Any, app: Any, call: Any) -> None:
    """By choice of the deployment."""
    gate = Scopeware(app, Policy([Group(path="/user", scopes=["user"])]), store, preflight="check")
    assert call(gate, "OPTIONS", "/user", **PREFLIGHT).status == 401


# -- tokens of ours in other clothes


@pytest.mark.parametrize(
    "value",
    ["{}", "ApiKey {}", "Bearer\t{}", 'Bearer "{}"', "Basic {}"],
)
def test_a_token_that_is_not_sent_as_it_should_be_is_refused_and_not_passed_on(
    store: Any, app: Any, call: Any, value: str
) -> None:
    """Even where foreign credentials travel on to the application."""
    policy = Policy([Group(path="/version", scopes=[], require_token=False)])
    gate = Scopeware(app, policy, store, foreign="pass", headers=["X-API-Key"])
    secret = store.issue(owner="alice", name="a", scopes="read:user").secret
    assert call(gate, "GET", "/version", authorization=value.format(secret)).code == "token_invalid"
    assert call(gate, "GET", "/version", x_api_key=f"Bearer {secret}").code == "token_invalid"
    assert app.calls == 0
    assert call(gate, "GET", "/version", authorization=value.format("foreign")).status == 200


# -- guards


def test_a_guard_outside_of_the_prefix_tells_the_view_who_calls_and_hides_the_token(store: Any, call: Any) -> None:
    """As the gate does inside."""
    seen: list[Any] = []

    @req_token
    def view(environ: Any, start_response: Any) -> Any:
        seen.append((environ["REMOTE_USER"], environ["scopeware"].owner, environ.get("HTTP_AUTHORIZATION")))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"seen"]

    gate = Scopeware(view, Policy([Group(path="/user", scopes=["user"])], prefix="/api"), store)
    assert call(gate, "GET", "/me").status == 401
    assert call(gate, "GET", "/me", authorization=bearer(store, "read:user")).status == 200
    assert seen == [("alice", "alice", None)]


def test_what_looks_like_an_environ_among_the_arguments_of_a_view_names_nobody(store: Any, call: Any) -> None:
    """A helper that takes parsed JSON is guarded by the request, not by the JSON."""

    @req_token
    def helper(data: Any) -> Any:
        return data

    forged = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "REMOTE_USER": "root"}
    ran: list[Any] = []

    def app(environ: Any, start_response: Any) -> Any:
        ran.append(helper(forged) is forged)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"done"]

    policy = Policy([Group(path="/user", scopes=["user"])], prefix="/api")
    gate = Scopeware(app, policy, store, identify=lambda environ: environ.get("REMOTE_USER"))
    assert guards.in_use
    call(gate, "GET", "/anywhere")
    assert ran == [False]


@pytest.mark.parametrize(
    "arguments",
    [
        {"policy": "scopes.toml"},
        {"store": "sqlite:///store.db"},
        {"app": None},
        {"visibility": "public"},
        {"identify": 3},
    ],
    ids=str,
)
def test_what_does_not_belong_there_is_told_when_the_gate_is_made(store: Any, app: Any, arguments: Any) -> None:
    """By the name of the argument."""
    fitting = {"app": app, "policy": Policy([Group(path="/user", scopes=["user"])]), "store": store}
    [name] = arguments
    with pytest.raises(ConfigurationError, match=f"^{name}: "):
        Scopeware(**(fitting | arguments))
