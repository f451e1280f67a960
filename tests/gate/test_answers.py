"""What the gate answers instead of the application, to the byte where that matters."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest

from scopeware import Scopeware, TokenStore
from scopeware.errors import ConfigurationError
from scopeware.gate import Answer

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PARAMETER = re.compile(rf'({_TOKEN})[ \t]*=[ \t]*(?:({_TOKEN})|"((?:[\t !#-\[\]-~]|\\[\t -~])*)")')


def challenge(line: str) -> tuple[str, dict[str, str]]:
    """The one challenge of a ``WWW-Authenticate`` line, by the grammar of RFC 9110 11.6.1; anything else fails."""
    scheme, space, rest = line.partition(" ")
    assert re.fullmatch(_TOKEN, scheme), f"{scheme!r} is no scheme"
    assert space, "a scheme alone says no realm"
    parameters: dict[str, str] = {}
    position = 0
    while True:
        found = _PARAMETER.match(rest, position)
        assert found, f"no parameter at {position} of {rest!r}"
        name, bare, quoted = found.groups()
        assert name.lower() not in parameters, f"{name} twice"
        parameters[name.lower()] = bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        position = found.end()
        if position == len(rest):
            return scheme, parameters
        comma = re.compile(r"[ \t]*,[ \t]*").match(rest, position)
        assert comma, f"no comma at {position} of {rest!r}"
        position = comma.end()


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("Bearer", id="no parameter"),
        pytest.param('Bearer realm="a" error="b"', id="no comma"),
        pytest.param('Bearer realm="a", realm="b"', id="a parameter twice"),
        pytest.param('Bearer realm="a"b"', id="a quote inside"),
        pytest.param('Bearer realm="ä"', id="not ASCII"),
        pytest.param('Bearer realm="a",', id="a comma at the end"),
    ],
)
def test_the_parser_of_these_tests_is_strict(line: str) -> None:
    """What is no challenge makes it fail, so that it can vouch for those that are."""
    with pytest.raises(AssertionError):
        challenge(line)


# -- the table, row by row


def test_without_credentials_the_answer_is_401_and_names_no_error(gate: Scopeware, call: Any) -> None:
    """A Bearer line without an error attribute, and a Basic one for clients such as git (RFC 6750 3.1)."""
    reply = call(gate, "GET", "/api/v1/user")
    assert (reply.status, reply.reason, reply.code) == (401, "Unauthorized", "token_required")
    assert reply.all("WWW-Authenticate") == ['Bearer realm="scopeware"', 'Basic realm="scopeware", charset="UTF-8"']
    assert reply.record.calls == 0


@pytest.mark.parametrize(
    "path", [pytest.param("/api/v1/user", id="guarded"), pytest.param("/api/v1/version", id="public")]
)
@pytest.mark.parametrize("code", ["token_invalid", "token_revoked", "token_expired", "owner_inactive"])
def test_a_token_that_does_not_work_is_401_everywhere(
    gate: Scopeware, call: Any, spoiled: Any, code: str, path: str
) -> None:
    """On a public route, too; and the error is `invalid_token`, whatever the reason."""
    reply = call(gate, "GET", path, authorization=f"Bearer {spoiled(code)}")
    assert (reply.status, reply.code, reply.record.calls) == (401, code, 0)
    bearer, basic = map(challenge, reply.all("WWW-Authenticate"))
    assert bearer == (
        "Bearer",
        {"realm": "scopeware", "error": "invalid_token", "error_description": reply.json["detail"]},
    )
    assert basic == ("Basic", {"realm": "scopeware", "charset": "UTF-8"})


def test_a_token_without_the_scopes_is_403_and_told_which(gate: Scopeware, call: Any, issue: Any) -> None:
    """The scopes in the challenge are sorted, spaces between; there is no Basic line, for nobody is to retry."""
    reply = call(gate, "GET", "/api/v1/users/bob/orgs", authorization=f"Bearer {issue('read:user')}")
    assert (reply.status, reply.reason, reply.code, reply.record.calls) == (403, "Forbidden", "insufficient_scope", 0)
    assert [challenge(line) for line in reply.all("WWW-Authenticate")] == [
        (
            "Bearer",
            {
                "realm": "scopeware",
                "error": "insufficient_scope",
                "error_description": "the token lacks read:organization",
                "scope": "read:organization read:user",
            },
        )
    ]
    ok = call(gate, "GET", "/api/v1/users/bob/orgs", authorization=f"Bearer {issue('read:user,read:organization')}")
    assert (ok.status, ok.record.calls) == (200, 1)


@pytest.mark.parametrize("path", ["/api/v1/repos/alice/secret", "/api/v1/issues"])
def test_a_public_only_token_where_nothing_is_known_to_be_public_is_403(
    gate: Scopeware, call: Any, issue: Any, path: str
) -> None:
    """With `insufficient_scope` in the challenge, as other things it may not do."""
    reply = call(gate, "GET", path, authorization=f"Bearer {issue('public-only,read:repository,read:issue')}")
    assert (reply.status, reply.code, reply.record.calls) == (403, "public_only", 0)
    [(scheme, parameters)] = map(challenge, reply.all("WWW-Authenticate"))
    assert scheme == "Bearer"
    assert parameters["error"] == "insufficient_scope"
    assert parameters["scope"] in ("read:repository", "read:issue")


@pytest.mark.parametrize("answers", ["problem", "gitea", "timetracker"])
def test_private_and_unknown_resources_get_the_same_bytes(make_gate: Any, call: Any, issue: Any, answers: str) -> None:
    """A refusal does not tell whether a resource exists; only a public one is let through."""
    known = {"alice/private": "private", "alice/limited": "limited", "alice/public": "public"}
    gate = make_gate(visibility=lambda environ, resource: known.get(resource), answers=answers)
    secret = issue("public-only,read:repository")

    def get(name: str) -> Any:
        return call(gate, "GET", f"/api/v1/repos/alice/{name}", authorization=f"token {secret}")

    private, limited, unknown = get("private"), get("limited"), get("unknown")
    assert private.status == 403
    assert (private.reason, private.headers, private.body) == (limited.reason, limited.headers, limited.body)
    assert (private.reason, private.headers, private.body) == (unknown.reason, unknown.headers, unknown.body)
    assert get("public").status == 200


@pytest.mark.parametrize(
    ("path", "credentials", "code"),
    [
        pytest.param("/api/v1/user", "Bearer {0}, Bearer {0}", "ambiguous_credentials", id="two credentials"),
        pytest.param("/api/v1//user", "Bearer {0}", "ambiguous_path", id="two readings of the path"),
    ],
)
def test_what_has_no_one_reading_is_400(
    gate: Scopeware, call: Any, issue: Any, path: str, credentials: str, code: str
) -> None:
    """With `invalid_request` in the challenge (RFC 6750 3.1)."""
    reply = call(gate, "GET", path, authorization=credentials.format(issue("all")))
    assert (reply.status, reply.reason, reply.code, reply.record.calls) == (400, "Bad Request", code, 0)
    [(scheme, parameters)] = map(challenge, reply.all("WWW-Authenticate"))
    assert (scheme, parameters["error"]) == ("Bearer", "invalid_request")
    assert call(gate, "GET", "/api/v1/user", authorization=f"Bearer {issue('all')}").status == 200


def test_a_store_out_of_reach_is_503_with_a_time_to_retry(
    gate: Scopeware, call: Any, store: TokenStore, issue: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """And without a challenge: other credentials would not help."""
    secret = issue("all")
    store.close()
    reply = call(gate, "GET", "/api/v1/user", authorization=f"Bearer {secret}")
    assert (reply.status, reply.reason) == (503, "Service Unavailable")
    assert (reply.code, reply.record.calls) == ("store_unavailable", 0)
    assert int(reply.header("Retry-After")) > 0
    assert reply.all("WWW-Authenticate") == []
    assert [record.levelname for record in caplog.records] == ["ERROR"]


# -- headers that every refusal has


@pytest.mark.parametrize(
    ("method", "path", "authorization", "status"),
    [
        pytest.param("GET", "/api/v1/user", None, 401, id="401"),
        pytest.param("POST", "/api/v1/user", "token", 403, id="403"),
        pytest.param("GET", "/api/v1/./user", None, 400, id="400"),
        pytest.param("GET", "/api/v1/nothing", "token", 403, id="unmatched"),
    ],
)
def test_no_refusal_is_stored_by_a_cache(
    gate: Scopeware, call: Any, issue: Any, method: str, path: str, authorization: str | None, status: int
) -> None:
    """`no-store`, and `Vary` by where credentials travel; only a 503 says when to retry."""
    headers = {"authorization": f"token {issue('read:user')}"} if authorization else {}
    reply = call(gate, method, path, **headers)
    assert reply.status == status
    assert reply.header("Cache-Control") == "no-store"
    assert reply.header("Vary") == "Authorization, Cookie"
    assert reply.header("X-Content-Type-Options") == "nosniff"
    assert reply.header("Content-Length") == str(len(reply.body))
    assert reply.header("Retry-After") is None


def test_vary_names_the_headers_that_may_carry_a_token(make_gate: Any, call: Any) -> None:
    """Else a cache would answer one caller with what another one got."""
    reply = call(make_gate(headers=["X-API-Key", "X-Forge"]), "GET", "/api/v1/user")
    assert reply.header("Vary") == "Authorization, Cookie, X-API-Key, X-Forge"


@pytest.mark.parametrize(
    ("options", "headers", "schemes"),
    [
        pytest.param({}, {}, ["Bearer", "Basic"], id="Basic on"),
        pytest.param({"basic": False}, {}, ["Bearer"], id="Basic off"),
        pytest.param({}, {"x_requested_with": "XMLHttpRequest"}, ["Bearer"], id="a script in a browser"),
        pytest.param({}, {"x_requested_with": "something"}, ["Bearer", "Basic"], id="another client"),
    ],
)
def test_basic_is_offered_where_it_is_taken_and_no_browser_would_ask_its_user(
    make_gate: Any, call: Any, options: dict[str, Any], headers: dict[str, str], schemes: list[str]
) -> None:
    """A Basic challenge to a script makes the browser open its own dialog."""
    reply = call(make_gate(**options), "GET", "/api/v1/user", **headers)
    assert [challenge(line)[0] for line in reply.all("WWW-Authenticate")] == schemes


def test_the_realm_is_the_deployments(make_gate: Any, call: Any) -> None:
    """In every line."""
    reply = call(make_gate(realm="the forge"), "GET", "/api/v1/user")
    assert [challenge(line)[1]["realm"] for line in reply.all("WWW-Authenticate")] == ["the forge", "the forge"]


def test_where_only_a_session_helps_no_challenge_is_sent(gate: Scopeware, call: Any, issue: Any) -> None:
    """No scope and no other token would do, so none is asked for."""
    reply = call(gate, "GET", "/api/v1/sessions-only", authorization=f"Bearer {issue('all')}")
    assert (reply.status, reply.code, reply.all("WWW-Authenticate")) == (403, "session_required", [])


def test_a_head_refusal_has_the_headers_of_a_get_and_no_body(gate: Scopeware, call: Any) -> None:
    """The length is that of the body a GET would have got."""
    head, get = call(gate, "HEAD", "/api/v1/user"), call(gate, "GET", "/api/v1/user")
    assert head.body == b""
    assert (head.status, head.headers) == (get.status, get.headers)
    assert get.body != b""


# -- bodies


def test_a_problem_says_all_there_is_to_know(gate: Scopeware, call: Any, issue: Any) -> None:
    """RFC 9457 members, what is needed, what the token has, the group, and how to get further."""
    reply = call(gate, "PUT", "/api/v1/users/bob/orgs", authorization=f"Bearer {issue('write:user,read:misc')}")
    assert reply.header("Content-Type") == "application/problem+json"
    assert reply.json == {
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
        "code": "insufficient_scope",
        "detail": "the token lacks write:organization",
        "help": "use a token that has the required scopes",
        "required_scopes": ["write:organization", "write:user"],
        "available_scopes": ["read:misc", "write:user"],
        "group": "/users/<username>/orgs",
    }


def test_a_problem_describes_its_group(make_gate: Any, call: Any, issue: Any) -> None:
    """As the policy does, where it does."""
    text = (
        '[[group]]\npath = "/a"\nscopes = ["user"]\ndescription = "People"\n[[group]]\npath = "/b"\nscopes = ["user"]'
    )
    gate = make_gate(policy=text)
    secret = issue("read:misc")
    assert call(gate, "GET", "/a", authorization=f"token {secret}").json["description"] == "People"
    assert "description" not in call(gate, "GET", "/b", authorization=f"token {secret}").json


def test_a_problem_lists_every_alternative(gate: Scopeware, call: Any, issue: Any) -> None:
    """Where one of several lists of scopes would do."""
    reply = call(gate, "GET", "/api/v1/either", authorization=f"Bearer {issue('read:user')}")
    assert reply.json["required_scopes"] == ["read:issue"]
    assert reply.json["alternatives"] == [["read:issue"], ["read:misc", "read:package"]]


def test_without_a_token_nothing_is_said_of_scopes(gate: Scopeware, call: Any) -> None:
    """Who has shown no token is not told what one would need."""
    assert set(call(gate, "GET", "/api/v1/user").json) == {"type", "title", "status", "code", "detail", "help", "group"}


def test_the_gitea_style_is_that_of_its_api(make_gate: Any, call: Any, issue: Any) -> None:
    """A message with both lists of scopes, and a link to the documentation."""
    reply = call(make_gate(answers="gitea"), "GET", "/api/v1/admin", authorization=f"token {issue('read:user')}")
    assert reply.header("Content-Type") == "application/json;charset=utf-8"
    assert reply.json == {
        "message": "token does not have the required scope(s), required=[read:admin], token scope=read:user",
        "url": "http://forge.example/api/swagger",
    }


def test_the_timetracker_style_is_that_of_its_api(make_gate: Any, call: Any, issue: Any) -> None:
    """With scopes where scopes are the matter, without where they are not."""
    gate = make_gate(answers="timetracker")
    reply = call(gate, "GET", "/api/v1/admin", authorization=f"token {issue('read:user')}")
    assert reply.header("Content-Type") == "application/json"
    assert reply.json == {
        "error": "Insufficient permissions",
        "message": "This endpoint requires the 'read:admin' scope",
        "required_scope": "read:admin",
        "available_scopes": ["read:user"],
    }
    assert call(gate, "GET", "/api/v1/admin").json == {"error": "Unauthorized", "message": "a token is required"}


@pytest.mark.parametrize(
    ("path", "scopes", "required", "message"),
    [
        pytest.param(
            "/api/v1/users/bob/orgs",
            "read:user",
            "read:organization read:user",
            "This endpoint requires the 'read:organization read:user' scope",
            id="all of several",
        ),
        pytest.param(
            "/api/v1/either",
            "read:package",
            "read:issue or read:misc read:package",
            "This endpoint requires the 'read:issue' or 'read:misc read:package' scope",
            id="one of several lists",
        ),
    ],
)
def test_the_timetracker_style_names_every_scope_that_would_do(
    make_gate: Any, call: Any, issue: Any, path: str, scopes: str, required: str, message: str
) -> None:
    """Those that are needed together with a space between, alternatives with `or`."""
    reply = call(make_gate(answers="timetracker"), "GET", path, authorization=f"token {issue(scopes)}")
    assert reply.json == {
        "error": "Insufficient permissions",
        "message": message,
        "required_scope": required,
        "available_scopes": [scopes],
    }
    assert call(make_gate(answers="timetracker"), "GET", path, authorization=f"token {issue('all')}").status == 200


def test_the_timetracker_style_says_what_is_the_matter_where_scopes_are_not(
    make_gate: Any, call: Any, issue: Any
) -> None:
    """A token that has the scopes is not told that it needs them."""
    gate = make_gate(answers="timetracker")
    public_only = call(gate, "GET", "/api/v1/issues", authorization=f"token {issue('public-only,read:issue')}")
    assert public_only.json == {
        "error": "Forbidden",
        "message": "the token is for public resources only",
        "required_scope": "read:issue",
        "available_scopes": ["public-only", "read:issue"],
    }
    bound = issue("read:repository@alice/widgets")
    elsewhere = call(gate, "GET", "/api/v1/repos/alice/gadgets", authorization=f"token {bound}")
    assert (elsewhere.json["error"], elsewhere.json["message"]) == (
        "Forbidden",
        "the token does not reach this resource",
    )
    mail = call(gate, "GET", "/api/v1/users/bob/mail", authorization=f"token {issue('read:user')}")
    assert mail.json == {"error": "Forbidden", "message": "only its owner, or an administrator, may do this"}
    nowhere = call(gate, "GET", "/api/v1/nowhere", authorization=f"token {issue('all')}")
    assert nowhere.json == {"error": "Forbidden", "message": "no rule of the policy covers this path"}


def test_the_timetracker_style_names_no_scope_where_none_would_do(make_gate: Any, call: Any, store: TokenStore) -> None:
    """A method that the vocabulary has no action for in that category."""
    gate = make_gate(
        policy="""
        [vocabulary]
        actions = ["read", "write"]
        categories = { log = { description = "What was done", actions = ["read"] } }
        [[group]]
        path = "/log"
        scopes = ["log"]
        """,
        answers="timetracker",
    )
    secret = store.issue(owner="alice", name="ci", scopes="read:log").secret
    assert call(gate, "GET", "/log", authorization=f"token {secret}").status == 200
    refused = call(gate, "POST", "/log", authorization=f"token {secret}")
    assert refused.json == {"error": "Forbidden", "message": "no scope allows this method here"}


def test_the_timetracker_style_shows_each_token_its_own_scopes(make_gate: Any, call: Any, issue: Any) -> None:
    """Refusals are kept and used again, but not for another token."""
    gate = make_gate(answers="timetracker")
    for scopes in ("read:user", "read:misc", "read:user"):
        reply = call(gate, "GET", "/api/v1/admin", authorization=f"token {issue(scopes)}")
        assert reply.json["available_scopes"] == [scopes]


def test_the_style_of_the_policy_is_the_default(make_gate: Any, call: Any) -> None:
    """And the gate's own argument goes before it."""
    text = '[gate]\nanswers = "gitea"\n[[group]]\npath = "/a"\nscopes = ["user"]'
    assert set(call(make_gate(policy=text), "GET", "/a").json) == {"message", "url"}
    assert "code" in call(make_gate(policy=text, answers="problem"), "GET", "/a").json


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("timetraker", "no answer style `timetraker`; did you mean `timetracker`?", id="almost"),
        pytest.param("xml", "no answer style `xml`; there are: problem, gitea, timetracker", id="another one"),
    ],
)
def test_a_style_that_nobody_knows_is_an_error_at_the_start(make_gate: Any, name: str, said: str) -> None:
    """With those there are."""
    with pytest.raises(ConfigurationError, match=re.escape(f"gate.answers: {said}")):
        make_gate(answers=name)


def test_a_callable_puts_refusals_into_its_own_words(make_gate: Any, call: Any, issue: Any) -> None:
    """It gets the refusal as a value; the headers stay the gate's."""
    seen: list[Answer] = []

    def style(answer: Answer, environ: dict[str, Any]) -> tuple[str, bytes]:
        seen.append(answer)
        return "text/plain", f"{answer.code} {environ['PATH_INFO']}".encode()

    reply = call(make_gate(answers=style), "GET", "/api/v1/admin", authorization=f"token {issue('read:user')}")
    assert (reply.status, reply.body) == (403, b"insufficient_scope /api/v1/admin")
    assert reply.header("Content-Type") == "text/plain"
    assert challenge(reply.header("WWW-Authenticate"))[1]["scope"] == "read:admin"
    assert (seen[0].required_scopes, seen[0].available_scopes) == (("read:admin",), ("read:user",))


def test_a_callable_that_raises_does_not_let_anyone_in(
    make_gate: Any, call: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The refusal is given in the default style, and the error logged."""

    def style(answer: Answer, environ: dict[str, Any]) -> tuple[str, bytes]:
        raise KeyError("broken")

    reply = call(make_gate(answers=style), "GET", "/api/v1/user")
    assert (reply.status, reply.code, reply.record.calls) == (401, "token_required", 0)
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        "the answer style failed"
    ]


# -- a page for people


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        pytest.param("text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8", id="a browser"),
        pytest.param("text/html;q=0.5,application/json", "application/problem+json", id="JSON preferred"),
        pytest.param("*/*", "application/problem+json", id="anything"),
        pytest.param("application/problem+json", "application/problem+json", id="problems"),
        pytest.param("text/html;q=0", "application/problem+json", id="anything but HTML"),
        pytest.param("text/html;q=nonsense;;,,=", "application/problem+json", id="garbage"),
    ],
)
def test_a_page_is_sent_to_clients_that_prefer_one(gate: Scopeware, call: Any, accept: str, kind: str) -> None:
    """To all others JSON; no `Accept` header gets anyone in."""
    reply = call(gate, "GET", "/api/v1/user", accept=accept)
    assert (reply.status, reply.header("Content-Type"), reply.record.calls) == (401, kind, 0)


def test_a_page_names_the_scopes(gate: Scopeware, call: Any, issue: Any) -> None:
    """Those that are needed and those that the token has."""
    token = issue("read:user")
    reply = call(gate, "GET", "/api/v1/admin", authorization=f"Bearer {token}", accept="text/html")
    page = reply.body.decode()
    assert page.startswith("<!doctype html>")
    assert "<code>read:admin</code>" in page
    assert "<code>read:user</code>" in page


SCRIPT = "<script>alert(1)</script>"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        pytest.param(f"/api/v1/{SCRIPT}", {}, id="the path"),
        pytest.param(f"/api/v1/../{SCRIPT}", {}, id="a path without one reading"),
        pytest.param("/api/v1/user", {"authorization": f"Bearer {SCRIPT}"}, id="a credential"),
        pytest.param("/api/v1/user", {"authorization": f"{SCRIPT} x"}, id="a scheme"),
        pytest.param("/api/v1/user", {"host": SCRIPT}, id="the host"),
        pytest.param("/api/v1/user", {"origin": SCRIPT, "referer": SCRIPT, "user_agent": SCRIPT}, id="other headers"),
    ],
)
@pytest.mark.parametrize("answers", ["problem", "gitea", "timetracker"])
def test_nothing_a_client_sends_is_reflected_as_markup(
    make_gate: Any, call: Any, path: str, headers: dict[str, str], answers: str
) -> None:
    """Whatever the style: HTML is escaped, and what is not HTML says so and is not to be sniffed."""
    reply = call(make_gate(answers=answers), "GET", path, accept="text/html", **headers)
    assert reply.status in (400, 401, 403)
    if reply.header("Content-Type").startswith("text/html"):
        assert SCRIPT.encode() not in reply.body
    else:
        assert reply.header("X-Content-Type-Options") == "nosniff"
        json.loads(reply.body)
    assert all(SCRIPT not in value for _, value in reply.headers)


# -- scope headers


def test_scope_headers_are_sent_on_request_with_what_is_allowed_and_what_is_not(
    make_gate: Any, call: Any, issue: Any
) -> None:
    """As GitHub sends them: comma separated, what the token has and what is asked for here."""
    gate = make_gate(scope_headers=True)
    secret = issue("read:user,read:misc")
    for path, status, needed in (("/api/v1/user", 200, "read:user"), ("/api/v1/admin", 403, "read:admin")):
        reply = call(gate, "GET", path, authorization=f"Bearer {secret}")
        assert reply.status == status
        assert reply.header("X-OAuth-Scopes") == "read:misc, read:user"
        assert reply.header("X-Accepted-OAuth-Scopes") == needed


@pytest.mark.parametrize(
    ("options", "with_token"),
    [pytest.param({}, True, id="off"), pytest.param({"scope_headers": True}, False, id="nobody has a token")],
)
def test_scope_headers_are_not_sent_otherwise(
    make_gate: Any, call: Any, issue: Any, options: dict[str, Any], with_token: bool
) -> None:
    """Neither unasked, nor to those without a token."""
    headers = {"authorization": f"Bearer {issue('read:user')}"} if with_token else {}
    reply = call(make_gate(**options), "GET", "/api/v1/version", **headers)
    assert reply.status == 200
    assert reply.all("X-OAuth-Scopes") == reply.all("X-Accepted-OAuth-Scopes") == []
