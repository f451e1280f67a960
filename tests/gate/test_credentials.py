"""Where a token may travel, and that the way it came makes no difference to the decision."""

from __future__ import annotations

import base64
import itertools
from typing import Any

import pytest
from transports import EVERYWHERE, TRANSPORTS, basic

from scopeware import ConfigurationError, Policy, Scopeware, TokenStore
from scopeware.tokens.secret import SecretFormat

PLACES = ("Bearer", "Basic password", "X-API-Key", "own header", "?token=", "?access_token=")
"""One transport for each place."""


def merged(*parts: dict[str, Any]) -> dict[str, Any]:
    """What to send with several transports at once."""
    both = {key: value for part in parts for key, value in part.items()}
    authorizations = [part["authorization"] for part in parts if "authorization" in part]
    if authorizations:
        both["authorization"] = ", ".join(authorizations)
    queries = [part["environ"]["QUERY_STRING"] for part in parts if "environ" in part]
    if queries:
        both["environ"] = {"QUERY_STRING": "&".join(queries)}
    return both


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        pytest.param("valid", 200, None, id="valid"),
        pytest.param("insufficient", 403, "insufficient_scope", id="insufficient"),
        pytest.param("token_revoked", 401, "token_revoked", id="revoked"),
        pytest.param("token_expired", 401, "token_expired", id="expired"),
        pytest.param("owner_inactive", 401, "owner_inactive", id="inactive owner"),
        pytest.param("token_invalid", 401, "token_invalid", id="cut by one character"),
        pytest.param("malformed", 401, "token_invalid", id="malformed"),
        pytest.param("never issued", 401, "token_invalid", id="another store's"),
        pytest.param("foreign", 401, "token_invalid", id="foreign"),
    ],
)
def test_the_decision_is_the_same_by_every_transport(
    make_gate: Any, call: Any, issue: Any, spoiled: Any, transport: str, kind: str, status: int, code: str | None
) -> None:
    """Whatever sort of token, and however it is sent."""
    made = {
        "valid": lambda: issue("read:user"),
        "insufficient": lambda: issue("write:issue"),
        "malformed": lambda: "swt_nothing",
        "never issued": SecretFormat("swt").generate,
        "foreign": lambda: "ghp_0123456789abcdef",
    }
    secret = made[kind]() if kind in made else spoiled(kind)
    reply = call(make_gate(**EVERYWHERE), "GET", "/api/v1/user", **TRANSPORTS[transport](secret))
    assert (reply.status, reply.code, reply.record.calls) == (status, code, int(status == 200))
    if status == 200:
        assert reply.record.environ["REMOTE_USER"] == "alice"


@pytest.mark.parametrize("transport", ["X-API-Key", "own header", "?token=", "?access_token="])
def test_other_places_are_looked_at_only_where_asked_for(
    gate: Scopeware, call: Any, issue: Any, transport: str
) -> None:
    """A token there counts as none, and the application gets to see what it always saw."""
    sent = TRANSPORTS[transport](issue("all"))
    assert call(gate, "GET", "/api/v1/user", **sent).code == "token_required"
    assert call(gate, "GET", "/api/v1/version", **sent).status == 200


@pytest.mark.parametrize("transport", ["Basic user", "Basic password"])
def test_basic_can_be_switched_off(make_gate: Any, call: Any, issue: Any, transport: str) -> None:
    """A token in it is then a foreign credential."""
    sent = TRANSPORTS[transport](issue("all"))
    assert call(make_gate(basic=False), "GET", "/api/v1/user", **sent).code == "token_invalid"
    assert call(make_gate(), "GET", "/api/v1/user", **sent).status == 200


@pytest.mark.parametrize(
    ("first", "second"),
    [pytest.param(a, b, id=f"{a} and {b}") for a, b in itertools.combinations_with_replacement(PLACES, 2) if a != b]
    + [pytest.param(place, place, id=f"{place} twice") for place in ("Bearer", "Basic password", "?token=")],
)
def test_two_tokens_are_400_in_any_two_places(make_gate: Any, call: Any, issue: Any, first: str, second: str) -> None:
    """Whether they are two or the same one twice: nobody is to guess which of them counts (RFC 6750 2)."""
    gate = make_gate(**EVERYWHERE)
    one, other = issue("all"), issue("read:user", owner="bob")
    for a, b in ((one, other), (other, one), (one, one)):
        reply = call(gate, "GET", "/api/v1/user", **merged(TRANSPORTS[first](a), TRANSPORTS[second](b)))
        assert (reply.status, reply.code, reply.record.calls) == (400, "ambiguous_credentials", 0)
    for place in {first, second}:
        assert call(gate, "GET", "/api/v1/user", **TRANSPORTS[place](one)).status == 200


@pytest.mark.parametrize("joint", [pytest.param(",", id="comma"), pytest.param(", ", id="comma and space")])
def test_a_header_that_came_twice_is_400(make_gate: Any, call: Any, issue: Any, joint: str) -> None:
    """Servers join what came twice with a comma."""
    both = issue("all") + joint + issue("all")
    assert call(make_gate(**EVERYWHERE), "GET", "/api/v1/user", x_api_key=both).code == "ambiguous_credentials"


@pytest.mark.parametrize("joint", [pytest.param(",", id="comma"), pytest.param(", ", id="comma and space")])
@pytest.mark.parametrize("options", [pytest.param({}, id="defaults"), pytest.param(EVERYWHERE, id="all places")])
@pytest.mark.parametrize("order", [1, -1])
def test_two_authorization_values_are_400_even_if_one_is_foreign(
    make_gate: Any, call: Any, issue: Any, joint: str, options: dict[str, Any], order: int
) -> None:
    """Servers join two header lines with a comma; "any valid one wins" is a way around who loses."""
    values = ["Bearer eyJhbGciOi", f"Bearer {issue('all')}"][::order]
    reply = call(make_gate(**options), "GET", "/api/v1/user", authorization=joint.join(values))
    assert (reply.status, reply.code, reply.record.calls) == (400, "ambiguous_credentials", 0)


@pytest.mark.parametrize("both", [pytest.param(True, id="two tokens in one pair"), pytest.param(False, id="one")])
def test_a_token_as_user_and_another_as_password_are_two(gate: Scopeware, call: Any, issue: Any, both: bool) -> None:
    """Basic has room for two."""
    secret = issue("all")
    reply = call(gate, "GET", "/api/v1/user", authorization=basic(secret, secret if both else ""))
    assert reply.code == ("ambiguous_credentials" if both else None)


def test_a_token_as_user_with_some_other_password_is_none(make_gate: Any, call: Any, issue: Any) -> None:
    """It is refused as it came, and never passed on as somebody else's credential."""
    for foreign in ("refuse", "pass"):
        reply = call(make_gate(foreign=foreign), "GET", "/api/v1/version", authorization=basic(issue("all"), "hunter2"))
        assert (reply.code, reply.record.calls) == ("token_invalid", 0)


# -- foreign credentials

FOREIGN = {
    "Bearer": {"authorization": "Bearer eyJhbGciOiJub25lIn0.e30."},
    "Basic": {"authorization": basic("alice", "hunter2")},
    "Digest": {"authorization": 'Digest username="alice", realm="x"'},
    "no scheme": {"authorization": "hunter2"},
    "X-API-Key": {"x_api_key": "hunter2"},
    "query": {"environ": {"QUERY_STRING": "token=hunter2"}},
}


@pytest.mark.parametrize("sent", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("path", ["/api/v1/user", "/api/v1/version"])
def test_a_foreign_credential_is_refused_everywhere(make_gate: Any, call: Any, sent: dict[str, Any], path: str) -> None:
    """On a public route, too: someone meant to sign in, and did not."""
    gate = make_gate(**EVERYWHERE)
    reply = call(gate, "GET", path, **sent)
    assert (reply.status, reply.code, reply.record.calls) == (401, "token_invalid", 0)
    assert call(gate, "GET", "/api/v1/version").status == 200


@pytest.mark.parametrize("sent", FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_credential_may_travel_on_and_counts_as_none(make_gate: Any, call: Any, sent: dict[str, Any]) -> None:
    """Untouched to where none is required; nowhere else."""
    gate = make_gate(foreign="pass", **EVERYWHERE)
    reply = call(gate, "GET", "/api/v1/version", **sent)
    assert reply.status == 200
    environ = reply.record.environ
    assert environ.get("HTTP_AUTHORIZATION") == sent.get("authorization")
    assert environ.get("HTTP_X_API_KEY") == sent.get("x_api_key")
    assert environ["QUERY_STRING"] == sent.get("environ", {}).get("QUERY_STRING", "")
    assert environ["scopeware"].owner is None
    assert call(gate, "GET", "/api/v1/user", **sent).code == "token_required"


def test_one_of_ours_beside_a_foreign_one_is_fine(make_gate: Any, call: Any, issue: Any) -> None:
    """So that the application's own credential can travel, too; only ours is taken out."""
    gate = make_gate(**EVERYWHERE)
    own, secret = FOREIGN["Basic"]["authorization"], issue("read:user")
    reply = call(gate, "GET", "/api/v1/user", authorization=own, x_api_key=secret)
    assert reply.status == 200
    assert reply.record.environ["HTTP_AUTHORIZATION"] == own
    assert "HTTP_X_API_KEY" not in reply.record.environ
    assert call(gate, "GET", "/api/v1/admin", authorization=own, x_api_key=secret).status == 403


def test_a_bad_token_beside_a_foreign_one_is_not(make_gate: Any, call: Any, spoiled: Any) -> None:
    """A revoked token is refused whatever else there is."""
    sent = {"authorization": FOREIGN["Basic"]["authorization"], "x_api_key": spoiled("token_revoked")}
    reply = call(make_gate(foreign="pass", **EVERYWHERE), "GET", "/api/v1/version", **sent)
    assert (reply.code, reply.record.calls) == ("token_revoked", 0)


# -- credentials that are no such thing


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("Basic", id="a scheme alone"),
        pytest.param("Basic ", id="a scheme and a space"),
        pytest.param("Bearer ", id="Bearer and a space"),
        pytest.param("Basic !!!!", id="not base64"),
        pytest.param("Basic YWxpY2U", id="base64 cut short"),
        pytest.param("Basic " + base64.b64encode(b"no colon").decode(), id="no colon"),
        pytest.param("Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(), id="not UTF-8"),
        pytest.param("Bearer swt_\x00", id="NUL"),
        pytest.param("Bearer swt_a\nX-Evil: 1", id="newline"),
        pytest.param("Bearer swt_\xe9\xff", id="not ASCII"),
        pytest.param("Bearer swt_\ud800", id="a surrogate"),
        pytest.param("Bearer swt_" + "A" * 2**20, id="a megabyte"),
        pytest.param("Basic " + base64.b64encode(b"swt_" * 2**18 + b":").decode(), id="a megabyte in Basic"),
        pytest.param("x" * 2**20, id="a megabyte of no scheme"),
        pytest.param(" " * 9000, id="only spaces"),
    ],
)
@pytest.mark.parametrize("options", [pytest.param({}, id="defaults"), pytest.param(EVERYWHERE, id="all places")])
@pytest.mark.parametrize("path", ["/api/v1/user", "/api/v1/version"])
def test_what_is_no_credential_at_all_is_401_and_nothing_worse(
    make_gate: Any, call: Any, value: str, options: dict[str, Any], path: str
) -> None:
    """On guarded and on public routes; in every place."""
    gate = make_gate(**options)
    reply = call(gate, "GET", path, authorization=value)
    assert (reply.status, reply.code, reply.record.calls) == (401, "token_invalid", 0)
    if options:
        assert call(gate, "GET", path, x_api_key=value or "-").status == 401


def test_an_empty_header_is_no_credential(make_gate: Any, call: Any) -> None:
    """Proxies send such headers when they have nothing to say."""
    reply = call(make_gate(**EVERYWHERE), "GET", "/api/v1/version", authorization="", x_api_key="")
    assert reply.status == 200
    assert call(make_gate(**EVERYWHERE), "GET", "/api/v1/user", authorization="").code == "token_required"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("{0} ", id="a space at the end"),
        pytest.param("{0}\n", id="a newline at the end"),
        pytest.param("{0}x", id="one character more"),
        pytest.param('"{0}"', id="in quotes"),
        pytest.param("{1}", id="other letter case"),
    ],
)
def test_only_the_secret_itself_is_the_secret(make_gate: Any, call: Any, issue: Any, value: str) -> None:
    """White space around it, which servers drop, may go either way; nothing else passes."""
    secret = issue("all")
    gate = make_gate()
    sent = value.format(secret, secret.swapcase())
    statuses = {
        call(gate, "GET", "/api/v1/user", authorization=f"{scheme} {sent}").status for scheme in ("token", "Token")
    }
    assert len(statuses) == 1
    if sent.strip() != secret:
        assert statuses == {401}


def test_white_space_after_a_token_makes_no_difference_between_transports(
    make_gate: Any, call: Any, issue: Any
) -> None:
    """`Bearer` and `bearer` are one scheme."""
    secret = issue("all")
    replies = [
        call(make_gate(), "GET", "/api/v1/user", authorization=f"{scheme} {secret} ") for scheme in ("Bearer", "bearer")
    ]
    assert replies[0].status == replies[1].status


@pytest.mark.parametrize("word", ["authorization", "Authorization", "Cookie"])
def test_the_standard_places_cannot_be_named_again(make_gate: Any, word: str) -> None:
    """A token there would count as two."""
    with pytest.raises(ConfigurationError, match="headers"):
        make_gate(headers=[word])


# -- tokens of other deployments


def test_a_deployment_may_have_a_prefix_of_its_own(tmp_path: Any, policy: Policy, app: Any, call: Any) -> None:
    """Then tokens of that prefix are its tokens, and `swt_` is foreign."""
    store = TokenStore.connect(f"sqlite:///{tmp_path}/other.db", prefix="forge")
    secret = store.issue(owner="alice", name="ci", scopes="read:user").secret
    gate = Scopeware(app, policy, store, foreign="pass")
    assert secret.startswith("forge_")
    assert call(gate, "GET", "/api/v1/user", authorization=f"Bearer {secret}").status == 200
    assert call(gate, "GET", "/api/v1/version", authorization="Bearer swt_x").status == 200
    assert call(gate, "GET", "/api/v1/version", authorization="Bearer forge_x").status == 401
    store.close()
