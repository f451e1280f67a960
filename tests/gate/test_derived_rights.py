"""What a token may do follows from the token alone: not from the way it came, nor from what is made with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from forge import POLICY, Forge, exchanged
from transports import EVERYWHERE, TRANSPORTS

from scopeware import Policy, Scopeware, TokenStore
from scopeware.tokens import TokenRefused

INSIDE, OUTSIDE = "192.0.2.7", "203.0.113.9"
OUT, LACKS, PUBLIC, ADDRESS = "resource_out_of_reach", "insufficient_scope", "public_only", "address_not_allowed"

REQUESTS = (
    ("GET", "/api/repos/alice/widgets", INSIDE),
    ("PUT", "/api/repos/alice/widgets", INSIDE),
    ("GET", "/api/repos/alice/gadgets", INSIDE),
    ("GET", "/api/repos/bob/secret", INSIDE),
    ("GET", "/api/search", INSIDE),
    ("GET", "/api/repos", INSIDE),
    ("GET", "/api/user", INSIDE),
    ("GET", "/api/version", INSIDE),
    ("GET", "/api/user", OUTSIDE),
    ("GET", "/api/version", OUTSIDE),
)

# What is made: the scopes, the rest, what becomes of it then; and what is answered to each request.
KINDS: dict[str, tuple[str, dict[str, Any], str | None, list[str | None]]] = {
    "everything": ("all", {}, None, [None] * 10),
    "bound to one": (
        "read:repository@alice/widgets",
        {},
        None,
        [None, LACKS, OUT, OUT, None, OUT, None, None, None, None],
    ),
    "bound to an owner's": (
        "write:repository@alice/*",
        {},
        None,
        [None, None, None, OUT, None, OUT, None, None, None, None],
    ),
    "networks": ("all", {"networks": "192.0.2.0/24"}, None, [None] * 8 + [ADDRESS] * 2),
    "public-only": (
        "public-only,read:repository",
        {},
        None,
        [None, LACKS, PUBLIC, PUBLIC, None, None, None, None, None, None],
    ),
    "all of these": (
        "public-only,write:repository@alice/*",
        {"networks": "192.0.2.0/24"},
        None,
        [None, None, PUBLIC, OUT, None, OUT, None, None, ADDRESS, ADDRESS],
    ),
    "rotated": ("all", {}, "rotated", ["token_rotated"] * 10),
    "rotated, with a grace": ("read:repository", {}, "rotated softly", [None, LACKS, *[None] * 8]),
    "revoked": ("all", {}, "revoked", ["token_revoked"] * 10),
    "of a viewer": ("all", {}, "demoted", [None, LACKS, *[None] * 8]),
}


@pytest.fixture
def forge() -> Forge:
    """The application."""
    return Forge()


@pytest.fixture
def gate(forge: Forge, store: TokenStore) -> Scopeware:
    """A gate that takes tokens from every place there is."""
    return Scopeware(forge, Policy.loads(POLICY), store, visibility=forge.visibility, **EVERYWHERE)


def send(call: Any, gate: Any, secret: str, transport: str, request: tuple[str, str, str]) -> Any:
    """What a token is answered that travels in this way."""
    method, path, address = request
    sent = TRANSPORTS[transport](secret)
    environ = {"REMOTE_ADDR": address, **sent.pop("environ", {})}
    return call(gate, method, path, environ=environ, **sent)


def made(store: TokenStore, kind: str) -> str:
    """The secret of a token of that kind."""
    scopes, options, fate, _ = KINDS[kind]
    issued = store.issue(owner="alice", name="one", scopes=scopes, **options)
    if fate == "rotated":
        store.rotate(issued.token.id)
    elif fate == "rotated softly":
        store.rotate(issued.token.id, grace="1h")
    elif fate == "revoked":
        store.revoke(issued.token.id)
    elif fate == "demoted":
        store.set_role("alice", "viewer")
    return issued.secret


# -- whatever way it comes


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_way_leads_to_the_same_decision(
    gate: Scopeware, call: Any, store: TokenStore, forge: Forge, kind: str, transport: str
) -> None:
    """On every sort of route, with every restriction; none is lost on the way."""
    secret = made(store, kind)
    expected = KINDS[kind][3]
    replies = [send(call, gate, secret, transport, request) for request in REQUESTS]
    assert [reply.code for reply in replies] == expected
    assert forge.calls == expected.count(None)


@pytest.mark.parametrize("kind", KINDS)
def test_every_way_leads_to_the_same_answer(gate: Scopeware, call: Any, store: TokenStore, kind: str) -> None:
    """Byte for byte, and what the application gets to know is the same."""
    secret = made(store, kind)

    def answers(transport: str) -> list[Any]:
        seen = []
        for request in REQUESTS:
            reply = send(call, gate, secret, transport, request)
            context = None if reply.code else reply.record.environ["scopeware"]
            token = context and (
                context.token.id,
                str(context.scopes),
                context.reach,
                context.public_only,
                context.owner,
            )
            seen.append((exchanged(reply), token))
        return seen

    bearer = answers("Bearer")
    for transport in TRANSPORTS:
        assert answers(transport) == bearer


def test_a_password_login_is_none(gate: Scopeware, call: Any, store: TokenStore) -> None:
    """A token as the password of its owner is that token still, and not its owner."""
    secret = made(store, "bound to one")
    reply = send(call, gate, secret, "Basic password", ("PUT", "/api/settings", INSIDE))
    assert (reply.code, reply.record.calls) == (LACKS, 0)


# -- whatever is made with it


PARENTS = {
    "read": ("read:repository", {}),
    "bound": ("write:repository@alice/widgets", {}),
    "global and bound": ("read:issue,write:repository@alice/*", {}),
    "networks": ("write:repository", {"networks": "192.0.2.0/24"}),
    "public-only": ("public-only,write:repository", {}),
    "expiring": ("write:repository", {"expires_in": "1h"}),
    "everything at once": (
        "public-only,write:repository@alice/*",
        {"networks": "192.0.2.0/24", "expires_in": "1h"},
    ),
}
WISHES = (
    "all",
    "read:repository",
    "write:repository",
    "public-only,read:repository",
    "read:repository@alice/widgets",
    "write:repository@alice/widgets",
    "write:repository@alice/gadgets",
    "write:repository@alice/*",
    "write:repository@bob/secret",
    "read:issue",
    "write:user",
)


class Minting:
    """An application with a route where tokens are made with tokens, as the forge's own; it trusts the store."""

    def __init__(self, store: TokenStore, forge: Forge) -> None:
        self._store = store
        self._forge = forge
        self.made: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] != "POST":
            return self._forge(environ, start_response)
        token = environ["scopeware"].token
        wish = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode()
        try:
            issued = self._store.issue(owner=token.owner, name=f"child {wish}", scopes=wish, parent=token)
        except TokenRefused as error:
            start_response("403 Forbidden", [("Content-Type", "text/plain")])
            return [str(error).encode()]
        self.made.append(issued.secret)
        start_response("201 Created", [("Content-Type", "text/plain")])
        return [issued.secret.encode()]


@pytest.mark.parametrize("transport", ["Bearer", "token", "Basic user", "Basic password", "X-API-Key", "?token="])
@pytest.mark.parametrize("kind", PARENTS)
def test_a_token_made_with_a_token_does_nothing_that_one_could_not(
    call: Any, store: TokenStore, forge: Forge, kind: str, transport: str
) -> None:
    """Whatever it was asked to be, and whichever way the parent came: each request is refused that the parent's is."""
    app = Minting(store, forge)
    gate = Scopeware(app, Policy.loads(POLICY), store, visibility=forge.visibility, **EVERYWHERE)
    scopes, options = PARENTS[kind]
    parent = store.issue(owner="alice", name="parent", scopes=scopes, **options)
    parents = [send(call, gate, parent.secret, "Bearer", request).code for request in REQUESTS]
    statuses = []
    for wish in WISHES:
        sent = TRANSPORTS[transport](parent.secret)
        environ = {"REMOTE_ADDR": INSIDE, "body": wish.encode(), **sent.pop("environ", {})}
        statuses.append(call(gate, "POST", "/api/user", environ=environ, **sent).status)
    assert set(statuses) == {201, 403}
    assert len(app.made) == statuses.count(201)
    for secret in app.made:
        children = [send(call, gate, secret, "Bearer", request).code for request in REQUESTS]
        assert [one for one, other in zip(children, parents, strict=True) if one is None and other is not None] == []
        child = store.find(secret)
        assert child is not None
        assert child.scopes <= parent.token.scopes
        assert child.networks == parent.token.networks
        assert child.expires_at == parent.token.expires_at


@pytest.mark.parametrize("end", ["revoked", "rotated", "demoted", "disabled"])
def test_what_ends_a_token_ends_what_was_made_with_it(
    gate: Scopeware, call: Any, store: TokenStore, forge: Forge, end: str
) -> None:
    """All but a rotation, which hands it over to the new one."""
    parent = store.issue(owner="alice", name="parent", scopes="write:repository")
    request = ("PUT", "/api/repos/alice/widgets", INSIDE)
    assert send(call, gate, parent.secret, "Bearer", request).status == 200
    child = store.issue(
        owner="alice", name="child", scopes="write:repository", parent=forge.environ["scopeware"].token
    ).secret
    assert send(call, gate, child, "Bearer", request).code is None
    if end == "revoked":
        store.revoke(parent.token.id)
    elif end == "rotated":
        store.rotate(parent.token.id)
    elif end == "demoted":
        store.set_role("alice", "viewer")
    else:
        store.disable_owner("alice")
    expected = {"revoked": "token_revoked", "rotated": None, "demoted": LACKS, "disabled": "owner_inactive"}
    assert send(call, gate, child, "Bearer", request).code == expected[end]


@pytest.mark.parametrize("kind", ["bound to one", "networks", "public-only", "all of these"])
def test_a_rotation_changes_the_secret_and_nothing_else(
    gate: Scopeware, call: Any, store: TokenStore, kind: str
) -> None:
    """The one that takes the place has the same restrictions."""
    scopes, options, _, expected = KINDS[kind]
    issued = store.issue(owner="alice", name="one", scopes=scopes, **options)
    rotated = store.rotate(issued.token.id)
    assert [send(call, gate, rotated.secret, "Bearer", request).code for request in REQUESTS] == expected
    again = [send(call, gate, issued.secret, "Bearer", request).code for request in REQUESTS]
    assert again == ["token_rotated"] * len(REQUESTS)


def test_a_grace_ends(gate: Scopeware, call: Any, store: TokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old one works as long as was said, and is told apart from one that expired."""
    from scopeware.tokens import known, known_by_generation

    issued = store.issue(owner="alice", name="one", scopes="read:repository")
    store.rotate(issued.token.id, grace=timedelta(minutes=5))
    request = ("GET", "/api/repos/alice/widgets", INSIDE)
    now = datetime.now(UTC).timestamp()
    for later, code in ((0, None), (290, None), (310, "token_rotated")):
        for module in (known, known_by_generation):
            monkeypatch.setattr(module, "time", lambda at=now + later: at)
        assert send(call, gate, issued.secret, "Bearer", request).code == code


@pytest.mark.parametrize(
    "wish",
    [
        pytest.param({"scopes": "write:repository"}, id="more than it has"),
        pytest.param({"scopes": "read:repository"}, id="the same everywhere"),
        pytest.param({"scopes": "read:repository@alice/*"}, id="a wider binding"),
        pytest.param({"scopes": "read:repository@bob/secret"}, id="another binding"),
        pytest.param({"networks": "0.0.0.0/0"}, id="wider networks"),
        pytest.param({"networks": "192.0.2.0/23"}, id="somewhat wider networks"),
        pytest.param({"expires_in": "2h"}, id="a later end"),
        pytest.param({"expires_in": "never"}, id="no end"),
    ],
)
def test_nothing_about_a_token_is_widened_with_itself(
    gate: Scopeware, call: Any, store: TokenStore, forge: Forge, wish: dict[str, str]
) -> None:
    """Neither by an edit nor by making another one."""
    issued = store.issue(
        owner="alice",
        name="one",
        scopes="public-only,read:repository@alice/widgets",
        networks="192.0.2.0/24",
        expires_in="1h",
    )
    request = ("GET", "/api/repos/alice/widgets", INSIDE)
    assert send(call, gate, issued.secret, "Bearer", request).status == 200
    token = forge.environ["scopeware"].token
    with pytest.raises(TokenRefused):
        store.edit(issued.token.id, parent=token, **wish)
    with pytest.raises(TokenRefused):
        store.issue(
            **{"owner": "alice", "name": "two", "scopes": "read:repository@alice/widgets", **wish}, parent=token
        )
    assert [each.name for each in store.list(owner="alice")] == ["one"]
    assert store.show(issued.token.id).scopes == issued.token.scopes
