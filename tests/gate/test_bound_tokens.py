"""Tokens whose scopes hold for some resources only: there, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
from calls import Recorder
from forge import POLICY, Forge, exchanged, utf8

from scopeware import ConfigurationError, Policy, Scopeware, TokenStore, req_scopes, req_token
from scopeware.scopes.resource import encode

OUT = "resource_out_of_reach"
LACKS = "insufficient_scope"


@pytest.fixture
def forge() -> Forge:
    """The application."""
    return Forge()


@pytest.fixture
def bound(make_gate: Any, forge: Forge) -> Any:
    """``bound(**options)``: a gate in front of it."""

    def make(**options: Any) -> Any:
        return make_gate(app=options.pop("app", forge), policy=options.pop("policy", POLICY), **options)

    return make


@pytest.fixture
def ask(bound: Any, call: Any, issue: Any) -> Any:
    """``ask(scopes, method, path)``: what a new token with these scopes is answered."""
    gate = bound()

    def send(scopes: str, method: str, path: str, **more: Any) -> Any:
        return call(gate, method, utf8(path), authorization=f"Bearer {issue(scopes)}", **more)

    return send


# -- where a scope holds


@pytest.mark.parametrize(
    ("scopes", "method", "path", "code"),
    [
        pytest.param("write:repository@alice/widgets", "GET", "alice/widgets", None, id="there, read"),
        pytest.param("write:repository@alice/widgets", "DELETE", "alice/widgets", None, id="there, write"),
        pytest.param("write:repository@alice/widgets", "PUT", "alice/widgets/files/a", None, id="below it"),
        pytest.param("write:repository@alice/widgets", "GET", "alice/gadgets", OUT, id="another one"),
        pytest.param("write:repository@alice/widgets", "DELETE", "alice/gadgets", OUT, id="another one, write"),
        pytest.param("write:repository@alice/widgets", "GET", "bob/widgets", OUT, id="of the same name"),
        pytest.param("write:repository@alice/widgets", "GET", "alice/widgetsx", OUT, id="a longer name"),
        pytest.param("write:repository@alice/widgets", "GET", "alice/widget", OUT, id="a shorter name"),
        pytest.param("write:repository@alice/widgets", "GET", "alice/widgets/issues", LACKS, id="another category"),
        pytest.param("read:repository@alice/widgets", "GET", "alice/widgets", None, id="read there"),
        pytest.param("read:repository@alice/widgets", "POST", "alice/widgets", LACKS, id="read does not write there"),
        pytest.param("read:repository@alice/widgets", "POST", "alice/widgets/render", None, id="a POST that reads"),
        pytest.param("read:repository@alice/widgets", "POST", "bob/secret/render", OUT, id="such a POST elsewhere"),
        pytest.param("read:repository@alice/widgets", "POST", "bob/secret", LACKS, id="nor anywhere else"),
        pytest.param("read:issue@alice/*", "GET", "alice/widgets/issues", None, id="all of an owner's"),
        pytest.param("read:issue@alice/*", "GET", "alice/gadgets/issues", None, id="another of that owner's"),
        pytest.param("read:issue@alice/*", "GET", "bob/secret/issues", OUT, id="another owner's"),
        pytest.param("read:issue@alice/*", "GET", "alicex/widgets/issues", OUT, id="an owner with a longer name"),
        pytest.param("read:issue@alice/*", "GET", "alice/widgets", LACKS, id="all of an owner's, another category"),
        pytest.param("all@alice/widgets", "DELETE", "alice/widgets", None, id="everything there"),
        pytest.param("all@alice/widgets", "DELETE", "alice/gadgets", OUT, id="everything is not everywhere"),
    ],
)
def test_a_bound_scope_holds_where_it_is_bound(ask: Any, scopes: str, method: str, path: str, code: str | None) -> None:
    """On segment boundaries; read and write are what they are elsewhere."""
    reply = ask(scopes, method, f"/api/repos/{path}")
    assert (reply.code, reply.record.calls) == (code, int(code is None))


@pytest.mark.parametrize(
    ("scopes", "method", "path", "code"),
    [
        pytest.param("read:repository,write:repository@alice/widgets", "GET", "bob/secret", None, id="global"),
        pytest.param("read:repository,write:repository@alice/widgets", "POST", "alice/widgets", None, id="bound"),
        pytest.param("read:repository,write:repository@alice/widgets", "POST", "bob/secret", OUT, id="not more"),
        pytest.param("read:issue,read:repository@alice/widgets", "GET", "alice/widgets/both", None, id="both together"),
        pytest.param("read:issue,read:repository@alice/widgets", "GET", "alice/gadgets/both", OUT, id="not elsewhere"),
        pytest.param(
            "read:repository@alice/widgets,read:issue@alice/*", "GET", "alice/widgets/both", None, id="bound twice"
        ),
        pytest.param(
            "read:repository@alice/widgets,read:issue@alice/*", "GET", "alice/gadgets/both", OUT, id="bound once there"
        ),
        pytest.param(
            "read:repository@alice/widgets,read:issue@bob/secret", "GET", "alice/widgets/both", LACKS, id="nowhere both"
        ),
        pytest.param("read:issue@alice/*", "GET", "alice/widgets/either", None, id="one alternative"),
        pytest.param("read:package,read:repository@alice/*", "GET", "alice/widgets/either", None, id="the other"),
        pytest.param("read:repository@alice/*", "GET", "alice/widgets/either", LACKS, id="a part of the other"),
        pytest.param(
            "read:package@bob/*,read:repository@alice/*", "GET", "alice/widgets/either", LACKS, id="parts of two places"
        ),
    ],
)
def test_global_and_bound_scopes_add_up_in_each_place(
    ask: Any, scopes: str, method: str, path: str, code: str | None
) -> None:
    """What holds in two places does not add up to one that holds in either."""
    reply = ask(scopes, method, f"/api/repos/{path}")
    assert (reply.code, reply.record.calls) == (code, int(code is None))


@pytest.mark.parametrize(
    ("path", "code"),
    [
        pytest.param("/api/user", None, id="oneself"),
        pytest.param("/api/token", None, id="the token itself"),
        pytest.param("/api/version", None, id="what is public"),
        pytest.param("/api/settings", LACKS, id="what needs a scope"),
        pytest.param("/api/accounts/alice", LACKS, id="another resource"),
        pytest.param("/api/admin", LACKS, id="administration"),
        pytest.param("/api/nothing", "unmatched", id="what no group covers"),
    ],
)
@pytest.mark.parametrize("scopes", ["write:repository@alice/widgets", "read:issue@alice/*,read:repository@bob/secret"])
def test_a_bound_token_works_where_no_scope_is_asked_for(ask: Any, scopes: str, path: str, code: str | None) -> None:
    """It is a token like any other there; and has nothing where something is."""
    reply = ask(scopes, "GET", path)
    assert (reply.code, reply.record.calls) == (code, int(code is None))


@pytest.mark.parametrize(
    ("role", "scopes", "method", "path", "code"),
    [
        pytest.param("viewer", "write:repository@alice/widgets", "GET", "repos/alice/widgets", None, id="viewer reads"),
        pytest.param("viewer", "write:repository@alice/widgets", "PUT", "repos/alice/widgets", LACKS, id="and no more"),
        pytest.param("viewer", "write:repository@alice/widgets", "GET", "repos/bob/secret", OUT, id="and there only"),
        pytest.param("user", "write:admin@alice/widgets", "GET", "user", LACKS, id="a scope worth nothing"),
        pytest.param("user", "write:admin@alice/widgets", "GET", "version", LACKS, id="worth nothing, public route"),
        pytest.param("admin", "write:admin@alice/widgets", "GET", "user", None, id="worth something to some"),
        pytest.param("admin", "write:admin@alice/widgets", "GET", "admin", OUT, id="but not everywhere"),
        pytest.param("admin", "write:admin@alice/widgets,all@x/y", "GET", "admin", OUT, id="nor added up"),
    ],
)
def test_the_owners_role_is_the_ceiling_of_bound_scopes_too(
    ask: Any, store: TokenStore, role: str, scopes: str, method: str, path: str, code: str | None
) -> None:
    """Granted ∩ role, in each place."""
    store.add_owner("alice", role=role)
    reply = ask(scopes, method, f"/api/{path}")
    assert (reply.code, reply.record.calls) == (code, int(code is None))


def test_less_is_less_on_the_next_request(bound: Any, call: Any, issue: Any, store: TokenStore, forge: Forge) -> None:
    """A token that is bound after it was used reaches no more than that."""
    gate = bound()
    secret = issue("write:repository")
    found = store.find(secret)
    assert found is not None
    for scopes, code in (("write:repository@alice/*", OUT), ("read:repository@alice/widgets", OUT)):
        store.edit(found.id, scopes=scopes)
        assert call(gate, "GET", "/api/repos/bob/secret", authorization=f"Bearer {secret}").code == code
        assert call(gate, "GET", "/api/repos/alice/widgets", authorization=f"Bearer {secret}").code is None
    assert call(gate, "PUT", "/api/repos/alice/widgets", authorization=f"Bearer {secret}").code == LACKS
    assert forge.calls == 2


# -- a refusal does not tell what there is


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PROPFIND"])
@pytest.mark.parametrize(
    ("options", "headers"),
    [
        pytest.param({}, {}, id="problem"),
        pytest.param({}, {"accept": "text/html"}, id="a page"),
        pytest.param({"answers": "gitea"}, {}, id="gitea"),
        pytest.param({"answers": "timetracker"}, {}, id="timetracker"),
        pytest.param({"scope_headers": True}, {}, id="scope headers"),
    ],
)
def test_out_of_reach_looks_the_same_whether_it_exists_or_not(
    bound: Any, call: Any, issue: Any, forge: Forge, method: str, options: dict[str, Any], headers: dict[str, str]
) -> None:
    """The same bytes and headers, and nobody is asked; a token that reaches both sees the difference."""
    gate = bound(visibility=forge.visibility, **options)

    def get(secret: str, name: str) -> Any:
        return call(gate, method, f"/api/repos/{name}", authorization=f"token {secret}", **headers)

    bound_elsewhere = issue("write:repository@alice/widgets")
    there, missing, nobodys = (get(bound_elsewhere, name) for name in ("bob/secret", "bob/missing", "nobody/x"))
    assert (there.status, forge.calls) == (403, 0)
    assert exchanged(there) == exchanged(missing) == exchanged(nobodys)
    assert b"bob" not in there.body
    reaching = issue("write:repository")
    assert [get(reaching, name).status for name in ("bob/secret", "bob/missing")] == [200, 404]


def test_a_public_only_bound_token_is_out_of_reach_before_anyone_asks_what_is_public(
    bound: Any, call: Any, issue: Any, forge: Forge
) -> None:
    """What lies beyond is refused for that, be it public, private or nowhere."""
    asked: list[str | None] = []

    def visibility(environ: dict[str, Any], resource: str | None) -> str | None:
        asked.append(resource)
        return forge.visibility(environ, resource)

    gate = bound(visibility=visibility)
    headers = {"authorization": f"Bearer {issue('public-only,write:repository@bob/*')}"}
    replies = [call(gate, "GET", f"/api/repos/alice/{name}", **headers) for name in ("widgets", "gadgets", "missing")]
    assert [reply.code for reply in replies] == [OUT] * 3
    assert len({repr(exchanged(reply)) for reply in replies}) == 1
    assert asked == []
    assert call(gate, "GET", "/api/repos/bob/secret", **headers).code == "public_only"
    forge.repos["bob/secret"] = "public"
    assert call(gate, "GET", "/api/repos/bob/secret", **headers).code is None
    assert asked == ["bob/secret"] * 2


def test_the_refusal_says_what_the_token_has_and_what_is_needed(ask: Any) -> None:
    """With `insufficient_scope` in the challenge, as the other 403s."""
    reply = ask("write:repository@alice/widgets,read:issue", "GET", "/api/repos/bob/secret")
    assert reply.status == 403
    assert reply.json["required_scopes"] == ["read:repository"]
    assert reply.json["available_scopes"] == ["read:issue", "write:repository@alice/widgets"]
    challenge = reply.header("WWW-Authenticate")
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="read:repository"' in challenge


def test_no_refusal_is_given_to_another_token_again(bound: Any, call: Any, issue: Any) -> None:
    """Answers that are alike but for the token's own resources are made anew."""
    gate = bound()
    for _ in range(2):
        for name in ("alice/widgets", "alice/gadgets"):
            secret = issue(f"read:repository@{name}")
            reply = call(gate, "GET", "/api/repos/bob/secret", authorization=f"Bearer {secret}")
            assert reply.json["available_scopes"] == [f"read:repository@{name}"]
    reply = call(gate, "GET", "/api/repos/bob/secret", authorization=f"Bearer {issue('read:misc')}")
    assert reply.json["available_scopes"] == ["read:misc"]


# -- the application's own 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="defaults"),
        pytest.param({"answers": "gitea"}, id="another style"),
        pytest.param(
            {"scope_headers": True},
            id="scope headers",
        ),
    ],
)
def test_out_of_reach_can_look_like_what_is_not_there(
    bound: Any, call: Any, issue: Any, forge: Forge, method: str, options: dict[str, Any]
) -> None:
    """`not_found` answers, and nobody can tell it from the answer about something that the token would reach."""
    gate = bound(not_found=forge.not_found, **options)
    headers = {"authorization": f"Bearer {issue('write:repository@alice/*')}"}
    missing_within = call(gate, method, "/api/repos/alice/missing", **headers)
    assert (missing_within.status, forge.calls) == (404, 1)
    for name in ("bob/secret", "bob/missing"):
        assert exchanged(call(gate, method, f"/api/repos/{name}", **headers)) == exchanged(missing_within)
    assert forge.calls == 1
    assert call(gate, method, "/api/repos/alice/widgets", **headers).status == 200


@pytest.mark.parametrize(
    ("scopes", "method", "path", "code"),
    [
        pytest.param("read:issue@alice/*", "GET", "/api/repos/alice/widgets", LACKS, id="a scope that it lacks"),
        pytest.param("read:repository@alice/*", "PUT", "/api/repos/alice/widgets", LACKS, id="a level that it lacks"),
        pytest.param("public-only,read:repository", "GET", "/api/repos/bob/secret", "public_only", id="public-only"),
        pytest.param("read:repository@alice/*", "GET", "/api/repos", OUT, id="a list"),
        pytest.param("read:repository", "GET", "/api/nothing", "unmatched", id="what no group covers"),
    ],
)
def test_other_refusals_are_the_gates_own(
    bound: Any, call: Any, issue: Any, forge: Forge, scopes: str, method: str, path: str, code: str
) -> None:
    """`not_found` is for resources alone; what a token lacks is no secret."""
    gate = bound(not_found=forge.not_found)
    reply = call(gate, method, path, authorization=f"Bearer {issue(scopes)}")
    assert (reply.status, reply.code) == (403, code)


def test_not_found_gets_the_environ_as_the_application_would(bound: Any, call: Any, issue: Any, forge: Forge) -> None:
    """Without the token, and with whom it belongs to; so a deployment can hand over its own error page."""
    seen: list[dict[str, Any]] = []

    def not_found(environ: dict[str, Any], start_response: Any) -> Any:
        seen.append(environ)
        return forge.not_found(environ, start_response)

    gate = bound(not_found=not_found)
    secret = issue("read:repository@alice/*")
    assert call(gate, "GET", "/api/repos/bob/secret", authorization=f"Bearer {secret}").status == 404
    [environ] = seen
    assert environ["REMOTE_USER"] == environ["scopeware"].owner == "alice"
    assert environ["scopeware"].decision.code == OUT
    assert not any(secret in str(value) for value in environ.values())
    assert forge.calls == 0


def test_in_report_mode_nothing_is_hidden(bound: Any, call: Any, issue: Any, forge: Forge) -> None:
    """What would have been a 404 passes, as all else does."""
    gate = bound(not_found=forge.not_found, mode="report")
    reply = call(gate, "GET", "/api/repos/bob/secret", authorization=f"Bearer {issue('read:repository@alice/*')}")
    assert (reply.body, forge.environ["scopeware"].decision.code) == (b"this is bob/secret", OUT)


@pytest.mark.parametrize("option", ["not_found", "resource_role"])
def test_what_cannot_be_called_is_refused_at_once(bound: Any, option: str) -> None:
    """When the gate is built, not at the first request that needs it."""
    with pytest.raises(ConfigurationError, match=option):
        bound(**{option: "module:app"})


# -- lists


@pytest.mark.parametrize(
    ("scopes", "method", "path", "seen"),
    [
        pytest.param("read:repository", "GET", "/api/search", None, id="a global token sees all"),
        pytest.param("read:repository@alice/widgets", "GET", "/api/search", "alice/widgets", id="one of them"),
        pytest.param("read:repository@alice/*", "GET", "/api/search", "alice/widgets alice/gadgets", id="an owner's"),
        pytest.param("read:repository@nobody/x", "GET", "/api/search", "", id="one that is not there"),
        pytest.param("public-only,read:repository", "GET", "/api/search", "alice/widgets", id="what is public"),
        pytest.param("public-only,read:repository@bob/*", "GET", "/api/search", "", id="what is public of an owner's"),
        pytest.param("write:repository@alice/widgets", "HEAD", "/api/search", "", id="HEAD"),
        pytest.param("read:repository@alice/widgets", "POST", "/api/search/query", "alice/widgets", id="a POST reads"),
        pytest.param(
            "read:repository@alice/*,read:issue@alice/gadgets",
            "GET",
            "/api/search/issues",
            "alice/gadgets",
            id="what counts",
        ),
        pytest.param(
            "read:user,read:repository@alice/widgets",
            "GET",
            "/api/search/mine",
            "alice/widgets",
            id="with a global one",
        ),
    ],
)
def test_a_list_that_the_application_filters_shows_what_the_token_reaches(
    ask: Any, scopes: str, method: str, path: str, seen: str | None
) -> None:
    """`bound = "filter"`: it is called, and finds out from the context what to leave out."""
    reply = ask(scopes, method, path)
    assert (reply.status, reply.record.calls) == (200, 1)
    everything = " ".join(reply.record.repos)
    assert reply.body.decode() == (everything if seen is None else seen)


@pytest.mark.parametrize(
    ("scopes", "method", "path", "code"),
    [
        pytest.param("write:repository@alice/widgets", "GET", "/api/repos", OUT, id="nobody said so"),
        pytest.param("write:repository@alice/*", "GET", "/api/repos/alice", OUT, id="nobody said so, below"),
        pytest.param("write:repository@alice/widgets", "GET", "/api/search/strict", OUT, id="its neighbour is"),
        pytest.param("write:repository@alice/widgets", "POST", "/api/search", OUT, id="it writes"),
        pytest.param("write:repository@alice/widgets", "PROPFIND", "/api/search", OUT, id="it may write"),
        pytest.param("read:repository@alice/widgets", "DELETE", "/api/search", LACKS, id="it cannot write anywhere"),
        pytest.param("read:issue@alice/widgets", "GET", "/api/search", LACKS, id="another category"),
        pytest.param("read:repository@alice/widgets", "GET", "/api/search/mine", LACKS, id="lacks the global one"),
        pytest.param("read:repository,write:issue@alice/x", "POST", "/api/search", LACKS, id="global, too little"),
    ],
)
def test_a_list_that_nobody_filters_is_out_of_reach(ask: Any, scopes: str, method: str, path: str, code: str) -> None:
    """What is about many resources is about others than the token's, too; and a filter is for reading only."""
    reply = ask(scopes, method, path)
    assert (reply.code, reply.record.calls) == (code, 0)


@pytest.mark.parametrize("method", ["get", "Get"])
def test_letter_case_of_the_method_opens_no_list(ask: Any, method: str) -> None:
    """It may be a GET to the application, or a write."""
    assert ask("write:repository@alice/widgets", method, "/api/search", strict=False).code == OUT
    assert ask("write:repository", method, "/api/search", strict=False).code is None


@pytest.mark.parametrize(
    ("scopes", "path", "reach"),
    [
        pytest.param("read:repository", "/api/search", None, id="global"),
        pytest.param("read:repository,read:repository@alice/widgets", "/api/search", None, id="global, and bound"),
        pytest.param("read:repository@alice/widgets", "/api/search", ("alice/widgets",), id="one"),
        pytest.param("read:repository@alice/*,write:repository@bob/x", "/api/search", ("alice/*", "bob/x"), id="two"),
        pytest.param(
            "read:repository@alice/*,read:issue@bob/x", "/api/search/issues", ("bob/x",), id="for what is asked here"
        ),
        pytest.param("read:repository@alice/*,read:issue@bob/x", "/api/search", ("alice/*",), id="no more than that"),
        pytest.param("read:repository@alice/*", "/api/repos/alice/widgets", ("alice/*",), id="also for one resource"),
        pytest.param("read:repository@alice/a%2cb", "/api/search", ("alice/a%2Cb",), id="spelt as in a grant"),
    ],
)
def test_the_context_says_what_is_in_reach(ask: Any, scopes: str, path: str, reach: tuple[str, ...] | None) -> None:
    """`None` for everything."""
    assert ask(scopes, "GET", path).record.environ["scopeware"].reach == reach


@pytest.mark.parametrize(
    ("scopes", "reach"), [("read:repository@alice/*", ("*",)), ("read:repository", None)], ids=["bound", "global"]
)
def test_where_no_rule_says_for_what_each_resource_has_to_be_asked_for(
    bound: Any, call: Any, issue: Any, scopes: str, reach: tuple[str, ...] | None
) -> None:
    """In a guarded view that the policy knows nothing of; it is never told that a bound token sees everything."""
    inner = Recorder()
    reply = call(bound(app=req_token(inner)), "GET", "/elsewhere", authorization=f"Bearer {issue(scopes)}")
    assert (reply.code, inner.calls) == (None, 1)
    context = inner.environ["scopeware"]
    assert context.reach == reach
    assert context.allows("alice/widgets", "read:repository")
    assert context.allows("bob/secret", "read:repository") is (reach is None)


def test_nobody_and_sessions_are_bound_to_nothing(bound: Any, call: Any, forge: Forge) -> None:
    """Who has no token has no restriction of one."""
    gate = bound(identify=lambda environ: environ.get("HTTP_X_USER"))
    assert call(gate, "GET", "/api/version").status == 200
    assert forge.environ["scopeware"].reach is None
    assert call(gate, "GET", "/api/search", x_user="alice").body.decode() == " ".join(forge.repos)


# -- a second resource


@pytest.mark.parametrize(
    ("scopes", "method", "other", "status"),
    [
        pytest.param("read:repository", "GET", "bob/secret", 200, id="global"),
        pytest.param("read:repository@alice/*", "GET", "alice/gadgets", 200, id="in reach"),
        pytest.param("read:repository@alice/*", "GET", "bob/secret", 404, id="out of reach"),
        pytest.param("read:repository@alice/*", "GET", "bob/missing", 404, id="not there"),
        pytest.param("write:repository@alice/widgets,read:repository", "PUT", "alice/widgets", 200, id="written there"),
        pytest.param("write:repository@alice/widgets,read:repository", "PUT", "bob/secret", 404, id="only read there"),
    ],
)
def test_the_application_can_ask_about_a_second_resource(
    ask: Any, scopes: str, method: str, other: str, status: int
) -> None:
    """One it comes upon behind the first: what the request needs is needed there, too."""
    reply = ask(scopes, method, "/api/repos/alice/widgets", environ={"QUERY_STRING": f"with={other}"})
    assert (reply.status, reply.record.calls) == (status, 1)


@pytest.mark.parametrize(
    ("resource", "scopes", "allowed"),
    [
        pytest.param("alice/widgets", "read:repository", True, id="a scope that it has there"),
        pytest.param("alice/widgets", "write:repository", True, id="another"),
        pytest.param("alice/widgets", "read:repository,read:misc", True, id="with a global one"),
        pytest.param("alice/widgets", "read:repository read:issue", False, id="one of two"),
        pytest.param("alice/widgets", "read:issue", False, id="one that it lacks"),
        pytest.param("bob/secret", "read:misc", True, id="a global one, elsewhere"),
        pytest.param("bob/secret", "read:repository", False, id="out of reach"),
        pytest.param("alice/Widgets", "read:repository", False, id="another letter case"),
        pytest.param("alice", "read:repository", False, id="a part of the name"),
        pytest.param("", "read:repository", False, id="no resource"),
        pytest.param("alice/*", "read:repository", False, id="a pattern is no resource"),
        pytest.param("*", "read:repository", False, id="nor is a star"),
        pytest.param("alice/widgets", "", False, id="no scope"),
    ],
)
def test_it_can_ask_for_other_scopes_there(ask: Any, resource: str, scopes: str, allowed: bool) -> None:
    """All of them; asking for nothing is no way in."""
    reply = ask("read:misc,write:repository@alice/widgets", "GET", "/api/repos/alice/widgets")
    assert reply.record.environ["scopeware"].allows(resource, scopes) is allowed


def test_asking_for_a_word_that_is_no_scope_is_an_error(ask: Any) -> None:
    """A slip in the application does not pass, whoever calls."""
    context = ask("all", "GET", "/api/repos/alice/widgets").record.environ["scopeware"]
    with pytest.raises(ValueError, match="read:repos"):
        context.allows("alice/widgets", "read:repos")


@pytest.mark.parametrize("scopes", ["read:repository@alice/widgets", "public-only,read:repository", "public-only"])
def test_what_is_asked_for_is_bound_to_nothing_else(ask: Any, scopes: str) -> None:
    """Two resources in one question are a slip, and a restriction is nothing to ask for."""
    context = ask("all", "GET", "/api/repos/alice/widgets").record.environ["scopeware"]
    with pytest.raises(ValueError, match="name the resource once"):
        context.allows("alice/widgets", scopes)
    assert context.allows("alice/widgets", "read:repository") is True


def test_a_method_that_may_be_another_needs_what_both_need_there_too(make_gate: Any, call: Any, issue: Any) -> None:
    """`get` is a write to the policy, and may be GET to the application."""
    policy = (
        '[[group]]\npath = "/repos/<owner>/<repo>"\nscopes = ["repository"]\nresource = "<owner>/<repo>"\n'
        'route = [{ path = "/", methods = ["GET"], scopes = ["issue"] }]'
    )
    reply = call(
        make_gate(policy=policy),
        "get",
        "/repos/alice/widgets",
        strict=False,
        authorization=f"Bearer {issue('write:repository,read:issue@alice/widgets')}",
    )
    context = reply.record.environ["scopeware"]
    assert context.allows("alice/widgets") is True
    assert context.allows("bob/secret") is False


@pytest.mark.parametrize(
    ("scopes", "path", "other", "status"),
    [
        pytest.param("public-only,read:repository", "alice/widgets", "alice/widgets", 200, id="public"),
        pytest.param("public-only,read:repository", "alice/widgets", "bob/secret", 404, id="private"),
        pytest.param("public-only,read:repository", "alice/widgets", "bob/limited", 404, id="limited"),
        pytest.param("public-only,read:repository", "alice/widgets", "bob/missing", 404, id="not there"),
        pytest.param("public-only,read:repository@alice/*", "alice/widgets", "alice/gadgets", 404, id="in reach"),
        pytest.param("public-only,read:repository@alice/*", "alice/widgets", "bob/shown", 404, id="out of reach"),
        pytest.param("read:repository", "alice/widgets", "bob/secret", 200, id="not for public-only tokens"),
    ],
)
def test_a_public_only_token_reaches_no_second_resource_that_is_not_public(
    bound: Any, call: Any, issue: Any, forge: Forge, scopes: str, path: str, other: str, status: int
) -> None:
    """What holds for the resource of the path holds for the next one; the application knows what is public."""
    forge.repos["bob/shown"] = "public"
    gate = bound(visibility=forge.visibility)
    headers = {"authorization": f"Bearer {issue(scopes)}"}
    reply = call(gate, "GET", f"/api/repos/{path}", environ={"QUERY_STRING": f"with={other}"}, **headers)
    assert (reply.status, forge.calls) == (status, 1)


@pytest.mark.parametrize("path", ["/api/repos/alice/widgets", "/api/search", "/api/user"])
def test_what_nobody_calls_public_is_not(bound: Any, call: Any, issue: Any, forge: Forge, path: str) -> None:
    """Unless the application says so, a public-only token reaches nothing else, wherever it was let in."""
    gate = bound(visibility=forge.visibility)
    assert call(gate, "GET", path, authorization=f"Bearer {issue('public-only,read:repository')}").status == 200
    context = forge.environ["scopeware"]
    for scopes in (None, "read:repository"):
        assert context.allows("alice/widgets", scopes) is False
        assert context.allows("alice/widgets", scopes, public=False) is False
        assert context.allows("alice/widgets", scopes, public=True) is True
    assert context.allows("alice/widgets", "write:repository", public=True) is False


@pytest.mark.parametrize("word", ["private", "limited", "public", 1])
def test_a_word_for_what_is_public_is_no_answer(ask: Any, word: Any) -> None:
    """An application may hand over what its own table says: `"limited"` is true, and not public."""
    context = ask("public-only,read:repository", "GET", "/api/search").record.environ["scopeware"]
    assert context.allows("alice/widgets", public=word) is False


@pytest.mark.parametrize("scopes", [None, "read:repository"])
def test_nobody_may_do_anything_with_a_second_resource(bound: Any, call: Any, forge: Forge, scopes: str | None) -> None:
    """A public route lets everyone in, and the application alone knows what for; sessions have no scopes."""
    gate = bound(identify=lambda environ: environ.get("HTTP_X_USER"))
    call(gate, "GET", "/api/version")
    assert forge.environ["scopeware"].allows("alice/widgets", scopes) is False
    call(gate, "GET", "/api/version", x_user="alice")
    assert forge.environ["scopeware"].allows("alice/widgets", scopes) is True


# -- COPY and MOVE


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize(
    ("scopes", "path", "destination", "code"),
    [
        pytest.param("write:repository@alice/*", "alice/widgets/a", "alice/gadgets/b", None, id="both in reach"),
        pytest.param("write:repository@alice/*", "alice/widgets/a", "bob/secret/b", OUT, id="into another's"),
        pytest.param("write:repository@alice/*", "alice/widgets/a", "bob/missing/b", OUT, id="into what is not there"),
        pytest.param("write:repository@alice/*", "bob/secret/a", "alice/widgets/b", OUT, id="out of another's"),
        pytest.param("write:repository@alice/*", "alice/widgets/a", "bob/%73ecret/b", OUT, id="encoded"),
        pytest.param(
            "write:repository@alice/widgets", "alice/widgets/a", "alice/widgets/b", None, id="within the only one"
        ),
        pytest.param("write:repository@alice/widgets", "alice/widgets/a", "alice/gadgets", OUT, id="into the next one"),
        pytest.param(
            "write:repository@alice/widgets,read:repository", "alice/widgets/a", "bob/secret/b", OUT, id="read there"
        ),
        pytest.param(
            "write:repository@alice/*", "alice/widgets/a", "alice/../bob/secret", "ambiguous_destination", id="dots"
        ),
    ],
)
def test_what_is_copied_stays_in_reach(
    ask: Any, method: str, scopes: str, path: str, destination: str, code: str | None
) -> None:
    """A destination is judged like a path."""
    reply = ask(scopes, method, f"/api/repos/{path}", destination=f"/api/repos/{destination}")
    assert (reply.code, reply.record.calls) == (code, int(code is None))


@pytest.mark.parametrize("hidden", [False, True], ids=["refused", "hidden"])
def test_a_destination_out_of_reach_looks_the_same_whether_it_exists_or_not(
    bound: Any, call: Any, issue: Any, forge: Forge, hidden: bool
) -> None:
    """As a path does; with `not_found` it is the application's 404."""
    gate = bound(not_found=forge.not_found) if hidden else bound()
    headers = {"authorization": f"Bearer {issue('write:repository@alice/*')}"}
    there, missing = (
        call(gate, "COPY", "/api/repos/alice/widgets/a", destination=f"/api/repos/bob/{name}/b", **headers)
        for name in ("secret", "missing")
    )
    assert exchanged(there) == exchanged(missing)
    assert (there.status, forge.calls) == (404 if hidden else 403, 0)


# -- spellings


@pytest.mark.parametrize(
    ("script_name", "path"),
    [
        pytest.param("", "/api/repos/ALICE/widgets", id="letter case of the owner"),
        pytest.param("", "/api/repos/alice/Widgets", id="letter case of the name"),
        pytest.param("", "/api/REPOS/alice/widgets", id="letter case of the route"),
        pytest.param("", "/API/repos/alice/widgets", id="letter case of the prefix"),
        pytest.param("", "/api/repos/%61lice/widgets", id="encoded once more"),
        pytest.param("", "/api/repos/alice%2Fwidgets/x", id="an encoded slash"),
        pytest.param("", "/api/repos/alice/widgets;x", id="a parameter"),
        pytest.param("", "/api/repos/alice;/widgets", id="a parameter of the owner"),
        pytest.param("", "/api/repos/alice/widgets.git", id="a suffix"),
        pytest.param("", "/api/repos/alice/widgets ", id="a space at the end"),
        pytest.param("", "/api/repos/alice/ widgets", id="a space in front"),
        pytest.param("", "/api/repos/alice/widgets+", id="a plus"),
        pytest.param("", "/api/repos/alice/widgets\n", id="a line break"),
        pytest.param("", "/api/repos/alice/widgets\x00", id="NUL"),
        pytest.param("", "/api/repos//alice/widgets", id="an empty segment"),
        pytest.param("", "/api/repos/alice//widgets", id="an empty segment between"),
        pytest.param("", "/api/repos/alice/widgets/../../bob/secret", id="dots"),
        pytest.param("", "/api/repos/alice/widgets/..;/..;/bob/secret", id="dots with parameters"),
        pytest.param("", "/api/repos/alice/./widgets", id="a dot"),
        pytest.param("", "/api/repos/alice\\widgets/x", id="a backslash"),
        pytest.param("", "/api/repos/alice/widgets?x", id="a question mark"),
        pytest.param("", "/api/repos/alice/widgets#x", id="a hash"),
        pytest.param("", "/api/repos/alice/widgets\uff0fx", id="a full-width slash"),
        pytest.param("", "/api/repos/\uff41lice/widgets", id="a full-width letter"),
        pytest.param("", "/api/repos/a\u0301lice/widgets", id="a combining accent"),
        pytest.param("/api", "/repos/ALICE/widgets", id="mounted"),
        pytest.param("/api/repos/alice/widgets", "/../../bob/secret", id="mounted, dots"),
        pytest.param("/api/repos/alice", "/../bob/secret", id="mounted, dots, another"),
    ],
)
@pytest.mark.parametrize("scopes", ["write:repository@alice/widgets", "write:repository@alice/*"])
def test_odd_spellings_do_not_widen_the_reach(ask: Any, scopes: str, script_name: str, path: str) -> None:
    """What passes is about what the token is bound to, in so many words; nobody guesses what else was meant."""
    odd = {"SCRIPT_NAME": utf8(script_name), "PATH_INFO": utf8(path)}
    reply = ask(scopes, "GET", "/", environ=odd, strict=False)
    if reply.record.calls:
        assert scopes.endswith("@alice/*")
        assert path.startswith("/api/repos/alice/")
        assert reply.record.environ["scopeware"].resource == path.removeprefix("/api/repos/")
    else:
        assert reply.status in (400, 403)


@pytest.mark.parametrize(
    ("scopes", "mount"),
    [
        pytest.param("write:repository@alice/widgets", "/api/repos/alice/widgets", id="the resource"),
        pytest.param("write:repository@alice/widgets", "/api/repos/alice/widgets/x", id="something below it"),
        pytest.param("write:repository@alice/*", "/api/repos/alice", id="its owner"),
    ],
)
def test_a_mount_that_a_client_made_up_does_not_widen_the_reach(ask: Any, scopes: str, mount: str) -> None:
    """Some servers take SCRIPT_NAME from a header; the application may go by PATH_INFO alone."""
    made_up = {"SCRIPT_NAME": mount, "PATH_INFO": "/api/repos/bob/secret"}
    reply = ask(scopes, "GET", "/", environ=made_up)
    assert (reply.status in (400, 403), reply.record.calls) == (True, 0)


@pytest.mark.parametrize(
    "method",
    [
        "GET",
        pytest.param(
            "get",
        ),
    ],
)
def test_nor_does_it_in_any_way_the_method_may_be_read(make_gate: Any, call: Any, issue: Any, method: str) -> None:
    """`get` is judged by two rules, of which only one names a resource."""
    policy = (
        '[policy]\nprefix = "/api"\n[[group]]\npath = "/files"\nscopes = ["issue"]\n'
        'route = [{ path = "/<path:rest>", methods = ["GET"], scopes = ["repository"], resource = "<rest>" }]'
    )
    gate = make_gate(policy=policy)
    headers = {"authorization": f"Bearer {issue('write:issue,read:repository@alice/*')}"}
    assert call(gate, method, "/api/files/alice/a", **headers).code is None
    assert call(gate, method, "/api/files/bob/a", **headers).code == OUT
    made_up = {"SCRIPT_NAME": "/api/files/alice", "PATH_INFO": "/api/files/bob/a"}
    assert call(gate, method, "/", environ=made_up, **headers).status in (400, 403)


@pytest.mark.parametrize("path", ["/api/repos/alice/widgets", "/api/repos/alice/widgets/"])
@pytest.mark.parametrize("mount", ["", "/api", "/api/repos"])
def test_a_slash_at_the_end_and_a_mount_make_no_difference(ask: Any, path: str, mount: str) -> None:
    """The path is what server and mount say together."""
    there = {"SCRIPT_NAME": mount, "PATH_INFO": path.removeprefix(mount)}
    assert ask("read:repository@alice/widgets", "GET", "/", environ=there).code is None
    elsewhere = {"SCRIPT_NAME": mount, "PATH_INFO": path.replace("widgets", "gadgets").removeprefix(mount)}
    assert ask("read:repository@alice/widgets", "GET", "/", environ=elsewhere).code == OUT


def test_a_mount_that_a_client_made_up_does_not_make_it_somebody(make_gate: Any, call: Any, issue: Any) -> None:
    """What holds for resources holds for owners: `/users/alice` in front of the path does not make bob's mail hers."""
    policy = (
        '[policy]\nprefix = "/api"\n[[group]]\npath = "/users/<name>"\nscopes = ["user"]\n'
        'owner = "<name>"\nself_or_admin = true'
    )
    gate = make_gate(policy=policy)
    headers = {"authorization": f"Bearer {issue('read:user')}"}
    assert call(gate, "GET", "/api/users/alice/mail", **headers).code is None
    assert call(gate, "GET", "/api/users/bob/mail", **headers).code == "owner_mismatch"
    made_up = {"SCRIPT_NAME": "/api/users/alice", "PATH_INFO": "/api/users/bob/mail"}
    assert call(gate, "GET", "/", environ=made_up, **headers).status in (400, 403)


@pytest.mark.parametrize(
    ("resource", "allowed"),
    [
        pytest.param("alice/widgets", True, id="one of them"),
        pytest.param("alice/a/b", True, id="below one of them"),
        pytest.param("alice", False, id="the owner itself"),
        pytest.param("bob/secret", False, id="another's"),
        pytest.param("Alice/widgets", False, id="another letter case"),
        pytest.param("alice%2Fwidgets", False, id="an encoded slash"),
        pytest.param("/alice/widgets", False, id="a slash in front"),
        *[
            pytest.param(
                odd,
                False,
                id=name,
            )
            for name, odd in (
                ("dots", "alice/../bob/secret"),
                ("a dot", "alice/./x"),
                ("nothing behind the slash", "alice/"),
                ("nothing between", "alice//x"),
            )
        ],
    ],
)
def test_odd_spellings_of_a_second_resource_do_not_widen_the_reach(ask: Any, resource: str, allowed: bool) -> None:
    """An application may get the name from a client, and read it in its own way."""
    context = ask("read:repository@alice/*", "GET", "/api/repos/alice/widgets").record.environ["scopeware"]
    assert context.allows(resource) is allowed


# -- names


NAMES = {
    "a comma": "a,b",
    "a space": "a b",
    "two words": "read:user all",
    "a star": "*",
    "a star within": "a*b",
    "an at sign": "a@b",
    "a colon": "a:b",
    "a plus": "a+b",
    "a percent sign": "100%",
    "what looks encoded": "a%41b",
    "a quote": "a'b\"c",
    "an ampersand": "a&b=c",
    "an accent": "caf\u00e9",
    "Chinese": "\u5c0f\u90e8\u4ef6",
    "beyond the BMP": "\U0001f980",
    "angle brackets": "<b>",
    "a dot in front": ".github",
    "three dots": "...",
    "a hyphen": "-rf",
    "the restriction": "public-only",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_any_name_can_be_bound_to(ask: Any, name: str) -> None:
    """What would end the scope, or mean something else there, is percent-encoded in the grant."""
    scopes = f"write:repository@{encode(f'alice/{name}')}"
    reply = ask(scopes, "PUT", f"/api/repos/alice/{name}/x")
    assert reply.status == 404  # the application's
    assert reply.record.environ["scopeware"].resource == f"alice/{name}"
    assert reply.record.environ["scopeware"].reach == (encode(f"alice/{name}"),)
    for other in ("widgets", f"{name}x", f"x{name}", "a", "b"):
        assert ask(scopes, "PUT", f"/api/repos/alice/{other}/x").code == OUT
    assert ask(scopes, "GET", "/api/settings").code == LACKS


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_any_owner_can_be_bound_to_as_a_whole(ask: Any, name: str) -> None:
    """All below it, and nobody else's."""
    scopes = f"write:repository@{encode(name)}/*"
    assert ask(scopes, "PUT", f"/api/repos/{name}/x").status == 404
    for other in ("alice", f"{name}x", f"x{name}"):
        assert ask(scopes, "PUT", f"/api/repos/{other}/x").code == OUT


@pytest.mark.parametrize(
    ("grant", "name", "code"),
    [
        pytest.param("alice/w%69dgets", "alice/widgets", None, id="encoded without need"),
        pytest.param("alice/a%2cb", "alice/a,b", None, id="lower-case digits"),
        pytest.param("alice/a%2Cb", "alice/a%2Cb", OUT, id="a name that looks encoded is another"),
        pytest.param("alice/a%252Cb", "alice/a%2Cb", None, id="encoded twice, it is that one"),
        pytest.param("alice/a%252Cb", "alice/a,b", OUT, id="and that one only"),
        pytest.param("alice/%2A", "alice/*", None, id="an encoded star is a name"),
        pytest.param("alice/%2A", "alice/widgets", OUT, id="and no pattern"),
        pytest.param("alice/*", "alice/*", None, id="a star is a pattern"),
        pytest.param("alice%2fwidgets", "alice/widgets", None, id="an encoded slash is a slash"),
        pytest.param("alice/caf%C3%A9", "alice/caf\u00e9", None, id="UTF-8"),
        pytest.param("alice/caf\u00e9", "alice/caf\u00e9", None, id="as it is"),
        pytest.param("alice/caf\u00e9", "alice/cafe\u0301", OUT, id="composed is not decomposed"),
        pytest.param("alice/STRASSE", "alice/stra\u00dfe", OUT, id="no folding of letter case"),
    ],
)
def test_a_grant_may_be_percent_encoded(ask: Any, grant: str, name: str, code: str | None) -> None:
    """It is decoded once, and compared letter by letter."""
    reply = ask(f"read:repository@{grant}", "GET", f"/api/repos/{name}")
    assert (reply.code, reply.record.calls) == (code, int(code is None))


@pytest.mark.parametrize("other", ["read", "all", "user", "write:user", "read:repository@"])
def test_what_comes_after_a_comma_in_a_name_is_no_scope(ask: Any, issue: Any, other: str) -> None:
    """A resource in a grant cannot smuggle another one in: unless it is encoded, the comma ends it."""
    scopes = f"read:repository@{encode(f'alice/x,{other}')}"
    assert ask(scopes, "GET", f"/api/repos/alice/x,{other}").status == 404
    for path in ("/api/settings", "/api/admin", "/api/repos/bob/secret", "/api/repos/alice/x"):
        assert ask(scopes, "GET", path).status == 403


# -- guards of single views


def guarded(decorate: Any, ran: list[str]) -> Any:
    """A view behind a guard of its own."""

    @decorate
    def view(environ: dict[str, Any], start_response: Any) -> Any:
        ran.append(environ["PATH_INFO"])
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"the view"]

    return view


@pytest.mark.parametrize(
    ("scopes", "path", "code"),
    [
        pytest.param("write:repository@alice/widgets", "/api/repos/alice/widgets", None, id="it has it there"),
        pytest.param("read:repository@alice/widgets", "/api/repos/alice/widgets", LACKS, id="it has it nowhere"),
        pytest.param(
            "read:repository,write:repository@alice/widgets", "/api/repos/bob/secret", OUT, id="it has it elsewhere"
        ),
        pytest.param("write:repository", "/api/repos/bob/secret", None, id="it has it everywhere"),
        pytest.param("write:repository@alice/widgets", "/api/user", OUT, id="where there is no resource"),
        pytest.param("write:repository@alice/widgets", "/api/search", OUT, id="in a list"),
        pytest.param("write:repository@alice/widgets", "/elsewhere", OUT, id="outside of the prefix"),
        pytest.param("write:repository", "/elsewhere", None, id="outside of the prefix, everywhere"),
        pytest.param("read:repository@alice/*", "/elsewhere", LACKS, id="outside of the prefix, nowhere"),
    ],
)
def test_a_guard_asks_for_its_scopes_where_the_request_is_about(
    bound: Any, call: Any, issue: Any, scopes: str, path: str, code: str | None
) -> None:
    """`req_scopes("write:repository")` within a GET; without a resource only what holds everywhere will do."""
    ran: list[str] = []
    gate = bound(app=guarded(req_scopes("write:repository"), ran))
    reply = call(gate, "GET", path, authorization=f"Bearer {issue(scopes)}")
    assert (reply.code, len(ran)) == (code, int(code is None))


@pytest.mark.parametrize("path", ["/api/repos/alice/widgets", "/api/user", "/api/search", "/elsewhere"])
def test_a_bound_token_is_a_token(bound: Any, call: Any, issue: Any, path: str) -> None:
    """`req_token` asks for no more; someone has to be signed in."""
    ran: list[str] = []
    gate = bound(app=guarded(req_token, ran))
    headers = {"authorization": f"Bearer {issue('write:repository@alice/widgets')}"}
    assert call(gate, "GET", path, **headers).code is None
    assert call(gate, "GET", path).code == "token_required"
    assert ran == [path]


def test_a_token_that_is_worth_nothing_anywhere_is_none_to_a_guard(bound: Any, call: Any, issue: Any) -> None:
    """A bound one neither."""
    ran: list[str] = []
    gate = bound(app=guarded(req_token, ran))
    reply = call(gate, "GET", "/elsewhere", authorization=f"Bearer {issue('write:admin@alice/widgets')}")
    assert (reply.code, ran) == (LACKS, [])


# -- resources of other shapes


@pytest.mark.parametrize(
    ("scopes", "path", "code"),
    [
        pytest.param("read:user@alice", "/api/accounts/alice", None, id="one segment"),
        pytest.param("read:user@alice", "/api/accounts/alice/keys", None, id="below it"),
        pytest.param("read:user@alice", "/api/accounts/bob", OUT, id="another"),
        pytest.param("read:user@alice/*", "/api/accounts/alice", OUT, id="all below is not itself"),
        pytest.param("read:user@alice/*", "/api/accounts/alice/keys", OUT, id="as the rule names it"),
    ],
)
def test_a_resource_is_what_the_rule_names(ask: Any, scopes: str, path: str, code: str | None) -> None:
    """However much of the path comes after it."""
    assert ask(scopes, "GET", path).code == code


@pytest.mark.parametrize(
    ("scopes", "path", "code"),
    [
        pytest.param("read:repository@a/b/c", "/files/a/b/c", None, id="itself"),
        pytest.param("read:repository@a/b/*", "/files/a/b/c", None, id="below a folder"),
        pytest.param("read:repository@a/*", "/files/a/b/c", None, id="below a folder above"),
        pytest.param("read:repository@a/b/*", "/files/a/bc", OUT, id="not the folder"),
        pytest.param("read:repository@a/b/*", "/files/a/b", OUT, id="the folder itself"),
        pytest.param("read:repository@a/b", "/files/a/b/c", OUT, id="a file is no folder"),
        pytest.param("read:repository@b/*", "/files/a/b/c", OUT, id="not in the middle"),
    ],
)
def test_a_resource_may_have_many_segments(
    make_gate: Any, call: Any, issue: Any, scopes: str, path: str, code: Any
) -> None:
    """`/*` is for all below, at any depth."""
    policy = Policy.loads(
        '[[group]]\npath = "/files"\nscopes = ["repository"]\nroute = [{ path = "/<path:rest>", resource = "<rest>" }]'
    )
    reply = call(make_gate(policy=policy), "GET", path, authorization=f"Bearer {issue(scopes)}")
    assert (reply.code, reply.record.calls) == (code, int(code is None))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        pytest.param("alice/widgets", None, id="in reach"),
        pytest.param(
            "bob/secret",
            OUT,
            id="out of reach",
        ),
    ],
)
def test_a_resource_is_out_of_reach_though_no_scope_is_asked_for(ask: Any, name: str, code: str | None) -> None:
    """A binding is a restriction: a token that is worth nothing at a resource gets nothing there."""
    assert ask("read:repository@alice/*", "GET", f"/api/repos/{name}/watchers").code == code


def test_two_gates_decide_by_their_own_policies(app: Any, store: TokenStore, call: Any, issue: Any) -> None:
    """A token that is bound in one application's names is bound in the other's, too."""
    gates = [
        Scopeware(
            app, Policy.loads(f'[[group]]\npath = "/{path}"\nscopes = ["repository"]\nresource = "<{name}>"'), store
        )
        for path, name in (("a/<x>", "x"), ("b/<y>/z", "y"))
    ]
    headers = {"authorization": f"Bearer {issue('read:repository@one')}"}
    for gate, path in zip(gates, ("/a/{}", "/b/{}/z"), strict=True):
        assert call(gate, "GET", path.format("one"), **headers).code is None
        assert call(gate, "GET", path.format("two"), **headers).code == OUT
