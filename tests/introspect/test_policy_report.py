"""What report mode tells about a policy: what would be refused and why, what nobody uses, and what is missing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scopeware import Policy, Scopeware, TokenStore
from scopeware.introspect.report import PolicyAdvice, advise_policy
from scopeware.tokens import LogEntry

SHOP = """
[policy]
prefix = "/api"

[[group]]
path = "/user"
scopes = ["user"]

[[group]]
path = "/repos/<owner>/<repo>"
scopes = ["repository"]
resource = "<owner>/<repo>"

[[group]]
path = "/signed-in"
scopes = []
accept = "session"

[[group]]
path = "/open"
scopes = []
require_token = false
"""


def entry(asked: str, *, code: str | None = "unmatched", decision: str = "reported", **known: Any) -> LogEntry:
    """A row of the log, as report mode writes it."""
    method, _, path = asked.partition(" ")
    usual = {
        "at": 0,
        "token_id": 1,
        "hint": "abcd",
        "owner": "alice",
        "address": "192.0.2.7",
        "group": "",
        "scopes": "",
        "resource": None,
        "status": 200,
        "duration": 7,
    }
    return LogEntry(**(usual | {"method": method, "path": path, "decision": decision, "code": code} | known))


def advised(*asked: str, text: str = SHOP) -> PolicyAdvice:
    """What is said of requests that no group covers."""
    return advise_policy(Policy.loads(text), [entry(each) for each in asked], text)


def needed(text: str, asked: str) -> Any:
    """What a policy asks of a request."""
    method, _, path = asked.partition(" ")
    return Policy.loads(text).requirement(method, path.encode("utf-8").decode("latin-1"))


# -- what a gate in report mode writes down

CODES = {
    "token_required": ("GET /user", None),
    "token_invalid": ("GET /user", "token_invalid"),
    "token_revoked": ("GET /user", "token_revoked"),
    "token_expired": ("GET /user", "token_expired"),
    "owner_inactive": ("GET /user", "owner_inactive"),
    "insufficient_scope": ("GET /user", "read:misc"),
    "public_only": ("GET /issues", "public-only,all"),
    "resource_out_of_reach": ("GET /repos/alice/b", "read:repository@alice/a"),
    "owner_mismatch": ("GET /users/bob/mail", "all"),
    "session_required": ("GET /sessions-only", "all"),
    "unmatched": ("GET /nothing", "all"),
    "ambiguous_path": ("GET //user", "all"),
    "ambiguous_destination": ("MOVE /repos/alice/a", "all"),
}


def test_each_reason_is_counted_and_something_can_be_done(
    make_gate: Any, call: Any, issue: Any, spoiled: Any, store: TokenStore, policy: Policy
) -> None:
    """As often as it happened, whatever the reason, with the group and an example; what is allowed is no reason."""
    gate = make_gate(mode="report")
    for often, (code, (asked, kind)) in enumerate(CODES.items(), 1):
        method, path = asked.split(" ")
        spoilt = kind is not None and ":" not in kind and kind.startswith(("token_", "owner_"))
        secret = None if kind is None else spoiled(kind) if spoilt else issue(kind, owner="alice")
        headers = {} if secret is None else {"authorization": f"Bearer {secret}"}
        if method == "MOVE":
            headers["destination"] = "http://elsewhere.example/api/v1/repos/a/b"
        for _ in range(often):
            assert call(gate, method, f"/api/v1{path}", **headers).status == 200, code
        if code == "owner_inactive":
            store.enable_owner("carol")
    call(gate, "GET", "/api/v1/anyone", authorization=f"Bearer {issue('read:misc')}")
    gate.access_log.flush()
    advice = advise_policy(policy, (record.entry for record in store.access_log().all()))
    assert {each.code: each.count for each in advice.refused} == {code: at for at, code in enumerate(CODES, 1)}
    assert advice.requests == sum(range(len(CODES) + 1)) + 1
    assert [each.count for each in advice.refused] == sorted((each.count for each in advice.refused), reverse=True)
    assert all(each.remedy and next(iter(each.paths)) for each in advice.refused)


def test_addresses_methods_and_credentials_too(make_gate: Any, call: Any, issue: Any, store: TokenStore) -> None:
    """The rest of what can be wrong with a request."""
    gate = make_gate(mode="report", headers=["X-API-Key"], method_override="refuse")
    bearer = f"Bearer {issue('all', networks='192.0.2.0/24')}"
    call(gate, "GET", "/api/v1/user", environ={"REMOTE_ADDR": "198.51.100.1"}, authorization=bearer)
    call(gate, "GET", "/api/v1/user", authorization=f"Bearer {issue('all')}", x_api_key=issue("all"))
    call(gate, "POST", "/api/v1/user", authorization=bearer, x_http_method_override="GET")
    gate.access_log.flush()
    advice = advise_policy(gate.policy, (record.entry for record in store.access_log().all()))
    found = {each.code: each.count for each in advice.refused}
    assert found == dict.fromkeys(["address_not_allowed", "ambiguous_credentials", "ambiguous_method"], 1)


def test_what_is_needed_tells_requests_apart_only_where_that_was_the_problem() -> None:
    """Reading and writing in one group are two things to grant."""
    lacking = {"code": "insufficient_scope", "group": "/user"}
    entries = [entry("GET /api/user", scopes="read:user", **lacking)] * 2
    entries += [entry("PUT /api/user", scopes="write:user", **lacking)]
    entries += [entry("GET /api/user", code="token_expired", group="/user", scopes=f"{each}:user") for each in "ab"]
    found = advise_policy(Policy.loads(SHOP), entries).refused
    assert Counter({(each.code, each.scopes): each.count for each in found}) == {
        ("insufficient_scope", "read:user"): 2,
        ("insufficient_scope", "write:user"): 1,
        ("token_expired", ""): 2,
    }


def test_that_everyone_may_is_only_offered_for_reading() -> None:
    """Nobody is told to let strangers write."""
    for method, offers in (("GET", True), ("HEAD", True), ("POST", False), ("get", False)):
        asked = entry(f"{method} /api/user", code="token_required", group="/user")
        [found] = advise_policy(Policy.loads(SHOP), [asked]).refused
        assert ("require_token = false" in found.remedy) is offers, method


# -- what nobody uses


def test_groups_that_no_request_fell_in_are_named() -> None:
    """A refused request fell in one, too."""
    advice = advise_policy(Policy.loads(SHOP), [entry("GET /api/user", code="token_required", group="/user")])
    assert advice.never_hit[0] == "/repos/<owner>/<repo>"
    assert "/user" not in advice.never_hit
    assert "/open" not in advice.never_hit


def test_groups_that_ask_nobody_for_a_token_are_not_called_unused() -> None:
    """Who comes without one is not in the log, so nobody knows."""
    text = SHOP.replace("[policy]", "[policy]\nrequire_token = false")
    assert advise_policy(Policy.loads(text), []).never_hit == ()


def test_a_group_for_sessions_alone_is_not_called_unused() -> None:
    """The log has no sessions that were let in."""
    assert "/signed-in" not in advise_policy(Policy.loads(SHOP), []).never_hit


# -- what is missing

SEGMENTS = [
    "things",
    "7",
    "12",
    "parts",
    "größe",
    "user",
    "repos",
    "a.b",
    "x y",
    "0f8fad5b-d9cb-469f-a165-70867728950e",
]
missing = st.builds(
    "{} /api/{}".format,
    st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "PROPFIND", "get"]),
    st.lists(st.sampled_from(SEGMENTS), max_size=4).map("/".join),
)


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(missing, min_size=1, max_size=8))
def test_a_draft_covers_whatever_no_group_did(asked: list[str]) -> None:
    """It loads when it is appended, covers each such request, and changes nothing for the others."""
    lost = [each for each in asked if needed(SHOP, each).unmatched]
    made = SHOP + advised(*lost).draft
    for each in asked:
        before, after = needed(SHOP, each), needed(made, each)
        assert after.group, f"{each} is not covered by {made.removeprefix(SHOP)}"
        assert after.require_token
        assert each in lost or (before.group, before.scope_lists()) == (after.group, after.scope_lists())


def test_numbers_are_variables_in_a_draft() -> None:
    """A thing a request is one group."""
    advice = advised(*(f"GET /api/things/{number}/parts" for number in range(40)))
    assert advice.draft.count("[[group]]") == 1
    assert needed(SHOP + advice.draft, "GET /api/things/99/parts").group


HARMLESS = (
    "GET /api/version",
    "GET /api/health",
    "GET /api/internal/ledger/version",
    "POST /api/login",
    "POST /api/internal/sign-in",
    "POST /api/sessions/refresh",
    "POST /api/oauth/callback",
    "GET /static/a/b",
)
"""What a draft from an application's own routes might make public, or looks like it."""


@pytest.mark.parametrize("asked", [*((each,) for each in HARMLESS), HARMLESS], ids=[*HARMLESS, "all at once"])
def test_nothing_public_is_drafted_from_a_log(asked: tuple[str, ...]) -> None:
    """Anyone can ask for anything: what it looks like opens nothing."""
    text = SHOP.replace('prefix = "/api"', "")
    made = text + advised(*asked, text=text).draft
    for each in asked:
        requirement = needed(made, each)
        assert requirement.group, each
        assert requirement.require_token, each
        assert not requirement.scope_free, each


OWN = """
[policy]
prefix = "/api"
[vocabulary]
name = "shop"
actions = ["read", "write"]
[vocabulary.categories]
order = "Orders"
[[group]]
path = "/orders"
below = false
scopes = ["order"]
"""
"""A policy with a vocabulary of its own, in which `/orders/...` is missing."""
INLINE = OWN.replace("[vocabulary.categories]\norder", "categories.order")
"""The same, where nobody can say where more categories go."""


def test_new_categories_are_named_in_the_draft() -> None:
    """They go where the others are, which is not the end of the file; with them it loads, and covers what was asked."""
    draft = advised("GET /api/carts/7", "POST /api/stock.x", "GET /api/orders/7", text=OWN).draft
    said = [line.removeprefix("#   ") for line in draft.splitlines() if line.startswith("#   ")]
    assert "# first, below [vocabulary.categories]:" in draft
    assert said == ['carts = ""', 'stock-x = ""']
    made = OWN.replace("[vocabulary.categories]\n", "\n".join(["[vocabulary.categories]", *said, ""])) + draft
    assert needed(made, "GET /api/carts/7").scope_lists() == (("read:carts",),)
    assert needed(made, "POST /api/stock.x").scope_lists() == (("write:stock-x",),)
    assert needed(made, "GET /api/orders/7").scope_lists() == (("read:order",),)


def test_nothing_is_said_of_categories_that_are_there() -> None:
    """Then the draft can be appended as it is."""
    draft = advised("GET /api/orders/7", text=OWN).draft
    assert "[vocabulary.categories]" not in draft
    assert needed(OWN + draft, "GET /api/orders/7").scope_lists() == (("read:order",),)


def test_what_contradicts_the_policy_is_left_out_and_said() -> None:
    """The others are drafted all the same; and where there are none, there are comments only."""
    draft = advised("GET /api/carts/7", "GET /api/orders/7", text=INLINE).draft
    [said] = [line for line in draft.splitlines() if line.startswith("# left out: ")]
    assert said.startswith("# left out: GET /api/carts/<int:id>: ")
    assert "`carts`" in said
    assert needed(INLINE + draft, "GET /api/orders/7").scope_lists() == (("read:order",),)
    assert needed(INLINE + draft, "GET /api/carts/7").unmatched
    alone = advised("GET /api/carts/7", text=INLINE).draft
    assert alone.splitlines() == [said]
    assert "left out" not in advised("GET /api/orders/7", text=INLINE).draft


def test_nothing_is_drafted_where_nothing_is_missing() -> None:
    """Nor without the policy's text."""
    refused = [entry("GET /api/user", code="insufficient_scope", group="/user")]
    assert advise_policy(Policy.loads(SHOP), refused, SHOP).draft == ""
    assert advise_policy(Policy.loads(SHOP), [entry("GET /api/things")]).draft == ""


def test_a_request_is_not_a_rule() -> None:
    """Who asks for `/api/<path:x>` does not get everything that nobody thought of into the draft."""
    for path in ("<path:x>", "<x>", "<any(a, b):c>", "<path:x>/<int:y>"):
        made = SHOP + advised("GET /api/things", f"GET /api/{path}").draft
        for asked in ("DELETE /api/whatever", "DELETE /api/whatever/comes/next", "GET /api/a"):
            assert needed(made, asked).unmatched, path


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("<x>/{y}", id="a variable beside another rule"),
        pytest.param('"]\\n[[group]]\\npath = "/', id="TOML"),
    ],
)
def test_one_odd_request_does_not_spoil_the_draft(path: str) -> None:
    """The others are drafted all the same."""
    made = SHOP + advised("GET /api/things", f"GET /api/{path}").draft
    assert needed(made, "GET /api/things").group


def test_whoever_reports_is_not_told_a_secret(make_gate: Any, call: Callable[..., Any], store: TokenStore) -> None:
    """Not where somebody put one into a path, nor where they sent one that does not work."""
    gate: Scopeware = make_gate(mode="report")
    secret = store.issue(owner="alice", name="ci", scopes="all").secret
    call(gate, "GET", f"/api/v1/nothing/{secret}", environ={"QUERY_STRING": f"token={secret}"})
    call(gate, "GET", "/api/v1/user", authorization=f"Bearer {secret[:-1]}")
    gate.access_log.flush()
    advice = advise_policy(gate.policy, (record.entry for record in store.access_log().all()), 'x = "y"')
    assert not re.search(re.escape(secret[4:20]), repr(advice))
