"""Public-only tokens: what a rule says of them, and what the deployment says is public."""

from __future__ import annotations

from typing import Any

import pytest
from forge import exchanged

from scopeware import req_scopes, req_token

PUBLIC_ONLY = "public_only"
RULES = """
[[group]]
path = "/check/<owner>/<repo>"
scopes = ["repository"]
resource = "<owner>/<repo>"
public_only = "check"
  [[group.route]]
  path = "/secrets"
  public_only = "reject"
  [[group.route]]
  path = "/badge"
  public_only = "allow"

[[group]]
path = "/mine"
scopes = ["user"]
public_only = "check"

[[group]]
path = "/reject"
scopes = ["repository"]
public_only = "reject"

[[group]]
path = "/allow"
scopes = ["repository"]
public_only = "allow"

[[group]]
path = "/silent"
scopes = ["repository"]

[[group]]
path = "/open"
scopes = []
require_token = false
public_only = "check"
"""


@pytest.fixture
def seen() -> dict[str | None, Any]:
    """What the deployment says of each resource."""
    return {
        "alice/public": "public",
        "alice/limited": "limited",
        "alice/private": "private",
        "alice/internal": "internal",
    }


@pytest.fixture
def asked() -> list[str | None]:
    """What it was asked about."""
    return []


@pytest.fixture
def ask(make_gate: Any, call: Any, issue: Any, seen: dict[str | None, Any], asked: list[str | None]) -> Any:
    """``ask(scopes, method, path)``: what a new token is answered; `text` is put in front of the rules."""

    def visibility(environ: dict[str, Any], resource: str | None) -> Any:
        asked.append(resource)
        return seen.get(resource)

    def send(scopes: str, method: str, path: str, *, text: str = "", **headers: Any) -> Any:
        gate = make_gate(policy=text + RULES, visibility=visibility, **headers.pop("options", {}))
        return call(gate, method, path, authorization=f"Bearer {issue(scopes)}", **headers)

    return send


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PROPFIND"])
@pytest.mark.parametrize(
    ("path", "code", "looks"),
    [
        pytest.param("/check/alice/public", None, True, id="checked, public"),
        pytest.param("/check/alice/public/below", None, True, id="checked, below"),
        pytest.param("/check/alice/limited", PUBLIC_ONLY, True, id="checked, limited"),
        pytest.param("/check/alice/private", PUBLIC_ONLY, True, id="checked, private"),
        pytest.param("/check/alice/internal", PUBLIC_ONLY, True, id="checked, a word of its own"),
        pytest.param("/check/alice/missing", PUBLIC_ONLY, True, id="checked, not there"),
        pytest.param("/check/alice/public/secrets", PUBLIC_ONLY, False, id="rejected by a route"),
        pytest.param("/check/alice/private/badge", None, False, id="allowed by a route"),
        pytest.param("/mine", PUBLIC_ONLY, True, id="checked, about no resource"),
        pytest.param("/reject", PUBLIC_ONLY, False, id="rejected"),
        pytest.param("/silent", PUBLIC_ONLY, False, id="nothing said"),
        pytest.param("/allow", None, False, id="allowed"),
        pytest.param("/open", PUBLIC_ONLY, True, id="a public route, checked"),
    ],
)
def test_each_rule_says_what_becomes_of_them(
    ask: Any, asked: list[str | None], method: str, path: str, code: str | None, looks: bool
) -> None:
    """`check` asks, once; `reject` and `allow` do not. Other tokens are never asked about."""
    reply = ask("public-only,write:repository,write:user", method, path)
    assert (reply.status, reply.record.calls) == (200 if code is None else 403, int(code is None))
    assert method == "HEAD" or reply.code == code
    assert len(asked) == int(looks)
    assert ask("write:repository,write:user", method, path).status == 200
    assert len(asked) == int(looks)


@pytest.mark.parametrize(
    "word",
    [
        "limited",
        "private",
        "PUBLIC",
        "Public",
        " public",
        "public ",
        "public,private",
        "publicly",
        "",
        b"public",
        True,
        1,
        ["public"],
        {"public": True},
    ],
    ids=repr,
)
@pytest.mark.parametrize("path", ["/check/alice/odd", "/mine", "/open"])
def test_only_one_word_is_public(ask: Any, seen: dict[str | None, Any], path: str, word: Any) -> None:
    """There are more than two sorts of visibility; all others are not public."""
    seen["alice/odd"] = seen[None] = word
    assert ask("public-only,read:repository,read:user", "GET", path).code == PUBLIC_ONLY
    seen["alice/odd"] = seen[None] = "public"
    assert ask("public-only,read:repository,read:user", "GET", path).code is None


@pytest.mark.parametrize(
    ("default", "code"),
    [('public_only = "allow"', None), ('public_only = "reject"', PUBLIC_ONLY), ('public_only = "check"', PUBLIC_ONLY)],
    ids=["allow", "reject", "check"],
)
def test_the_policy_says_what_rules_do_not(ask: Any, default: str, code: str | None) -> None:
    """What a rule says itself stands."""
    text = f"[policy]\n{default}\n"
    assert ask("public-only,read:repository", "GET", "/silent", text=text).code == code
    assert ask("public-only,read:repository", "GET", "/reject", text=text).code == PUBLIC_ONLY
    assert ask("public-only,read:repository", "GET", "/allow", text=text).code is None


@pytest.mark.parametrize("name", ["public", "private", "missing"])
def test_public_is_no_scope(ask: Any, asked: list[str | None], name: str) -> None:
    """A public resource needs the scope, too; nobody is asked before that is clear."""
    assert ask("public-only,read:issue", "GET", f"/check/alice/{name}").code == "insufficient_scope"
    assert asked == []


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize(
    ("path", "destination", "code"),
    [
        pytest.param("/check/alice/public", "/check/alice/public/b", None, id="both public"),
        pytest.param("/check/alice/public", "/check/alice/private/b", PUBLIC_ONLY, id="into a private one"),
        pytest.param("/check/alice/private", "/check/alice/public/b", PUBLIC_ONLY, id="out of a private one"),
        pytest.param("/check/alice/public", "/check/alice/limited/b", PUBLIC_ONLY, id="into a limited one"),
        pytest.param("/check/alice/public", "/check/alice/missing/b", PUBLIC_ONLY, id="into nowhere"),
        pytest.param("/check/alice/public", "/reject", PUBLIC_ONLY, id="into what rejects them"),
        pytest.param("/check/alice/public", "/allow", None, id="into what allows them"),
        pytest.param("/allow", "/check/alice/private/b", PUBLIC_ONLY, id="out of what allows them"),
    ],
)
def test_what_is_copied_is_public_in_both_places(
    ask: Any, method: str, path: str, destination: str, code: str | None
) -> None:
    """Each is asked about by its own rule."""
    reply = ask("public-only,write:repository", method, path, destination=destination)
    assert (reply.code, reply.record.calls) == (code, int(code is None))


@pytest.mark.parametrize("answers", ["problem", "gitea", "timetracker"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_whatever_is_not_public_looks_the_same(ask: Any, answers: str, method: str, accept: str) -> None:
    """Private, limited, or not there at all."""
    options = {"options": {"answers": answers, "scope_headers": True}, "accept": accept}
    replies = [
        exchanged(ask("public-only,write:repository", method, f"/check/alice/{name}", **options))
        for name in ("private", "limited", "internal", "missing")
    ]
    assert replies[0][0] == 403
    assert all(reply == replies[0] for reply in replies)


@pytest.mark.parametrize("path", ["/check/alice/public", "/check/alice/private", "/check/alice/private/badge"])
@pytest.mark.parametrize("decorate", [req_token, req_scopes("read:repository")], ids=["req_token", "req_scopes"])
def test_a_guard_goes_by_what_the_gate_said_of_public_only(ask: Any, path: str, decorate: Any) -> None:
    """It lets in whom the rule let in, and is never reached where it did not."""
    ran: list[str] = []

    @decorate
    def view(environ: dict[str, Any], start_response: Any) -> Any:
        ran.append(path)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"the view"]

    reply = ask("public-only,read:repository", "GET", path, options={"app": view})
    assert (reply.code, ran) == ((PUBLIC_ONLY, []) if path.endswith("private") else (None, [path]))


def test_the_application_is_told(ask: Any) -> None:
    """A list is its own to filter."""
    for scopes, told in (("public-only,read:repository", True), ("read:repository", False)):
        context = ask(scopes, "GET", "/allow").record.environ["scopeware"]
        assert (context.public_only, context.reach) == (told, None)
