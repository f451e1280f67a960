"""Roles that are given per resource: a token does somewhere what its owner may do there, now, and was granted."""

from __future__ import annotations

from typing import Any

import pytest
from forge import POLICY, Forge, exchanged

from scopeware import TokenStore, req_scopes, req_token

OUT = "resource_out_of_reach"
LACKS = "insufficient_scope"

WITH_ROLES = """
[vocabulary]
name = "forge"
actions = ["read", "write"]
all = "all"
public_only = "public-only"
admin = ["admin"]
inherited = {inherited}
categories = {{ repository = "", issue = "", package = "", user = "", misc = "", admin = "" }}

[roles]
guest = "read:misc"
reporter = "read:*, write:issue, -*:admin"
nothing = "-read:*"

[[group]]
path = "/settings/<owner>/<repo>"
scopes = ["admin"]
resource = "<owner>/<repo>"

[[group]]
path = "/mail/<owner>/<repo>"
scopes = ["user"]
resource = "<owner>/<repo>"
owner = "<owner>"
self_or_admin = true
"""

Members = dict[tuple[str, str], Any]


@pytest.fixture
def members() -> Members:
    """Who has which role where; alice has none in bob's second repository, and nobody has one in what is not there."""
    return {("alice", "alice/widgets"): "user", ("alice", "alice/gadgets"): "viewer", ("bob", "bob/secret"): "admin"}


@pytest.fixture
def forge() -> Forge:
    """The application."""
    return Forge()


@pytest.fixture
def guarded(make_gate: Any, forge: Forge, members: Members) -> Any:
    """``guarded(**options)``: a gate that asks the members; `inherited` goes into the vocabulary."""

    def make(*, inherited: str = "[]", **options: Any) -> Any:
        options.setdefault("resource_role", lambda owner, resource: members.get((owner, resource)))
        policy = POLICY + WITH_ROLES.format(inherited=inherited)
        return make_gate(app=options.pop("app", forge), policy=policy, **options)

    return make


@pytest.fixture
def ask(call: Any, issue: Any) -> Any:
    """``ask(gate, scopes, method, path)``: what a new token of alice's is answered."""

    def send(gate: Any, scopes: str, method: str, path: str, *, owner: str = "alice", **more: Any) -> Any:
        return call(gate, method, path, authorization=f"Bearer {issue(scopes, owner=owner)}", **more)

    return send


# -- the role decides


@pytest.mark.parametrize(
    ("role", "scopes", "method", "path", "code"),
    [
        pytest.param("viewer", "write:repository", "GET", "", None, id="a viewer reads"),
        pytest.param("viewer", "write:repository", "PUT", "", LACKS, id="a viewer does not write"),
        pytest.param("user", "write:repository", "PUT", "", None, id="a user writes"),
        pytest.param("user", "read:repository", "PUT", "", LACKS, id="as far as the token goes"),
        pytest.param("admin", "read:repository", "PUT", "", LACKS, id="whatever the role"),
        pytest.param("admin", "read:issue", "GET", "", LACKS, id="another scope"),
        pytest.param("reporter", "all", "POST", "/issues", None, id="a role of the policy's own"),
        pytest.param("reporter", "all", "POST", "", LACKS, id="and its edge"),
        pytest.param("guest", "all", "GET", "", LACKS, id="a role with something else"),
        pytest.param("nothing", "all", "GET", "", LACKS, id="a role with nothing"),
        pytest.param("nobody-knows", "all", "GET", "", LACKS, id="a role nobody knows"),
        pytest.param("", "all", "GET", "", LACKS, id="a role without a name"),
        pytest.param("User", "all", "GET", "", LACKS, id="another letter case"),
        pytest.param(None, "all", "GET", "", OUT, id="no role"),
    ],
)
def test_the_role_in_a_resource_is_the_ceiling_there(
    guarded: Any, ask: Any, role: str | None, scopes: str, method: str, path: str, code: str | None
) -> None:
    """Granted ∩ role there; a role that nobody knows is worth nothing."""
    reply = ask(guarded(resource_role=lambda owner, resource: role), scopes, method, f"/api/repos/alice/widgets{path}")
    assert (reply.code, reply.record.calls) == (code, int(code is None))


@pytest.mark.parametrize(
    ("global_role", "role", "method", "path", "code"),
    [
        pytest.param("admin", "viewer", "PUT", "repos/alice/widgets", LACKS, id="an administrator who views there"),
        pytest.param("admin", None, "GET", "repos/alice/widgets", OUT, id="an administrator without a role there"),
        pytest.param("viewer", "user", "PUT", "repos/alice/widgets", None, id="a viewer who writes there"),
        pytest.param("nothing", "user", "PUT", "repos/alice/widgets", None, id="someone with nothing elsewhere"),
        pytest.param("viewer", "user", "PUT", "settings", LACKS, id="where no resource is, the other role counts"),
        pytest.param("user", "viewer", "PUT", "settings", None, id="in both ways"),
        pytest.param("user", "admin", "GET", "settings/alice/widgets", None, id="administration of one resource"),
        pytest.param("user", "admin", "GET", "admin", LACKS, id="is no administration of all"),
        pytest.param("admin", "user", "GET", "settings/alice/widgets", LACKS, id="nor the other way around"),
    ],
)
def test_the_role_without_a_resource_counts_for_the_rest_alone(
    guarded: Any,
    ask: Any,
    store: TokenStore,
    global_role: str,
    role: str | None,
    method: str,
    path: str,
    code: str | None,
) -> None:
    """Neither adds to the other."""
    gate = guarded(resource_role=lambda owner, resource: role)
    store.add_owner("alice", role=global_role)
    reply = ask(gate, "all", method, f"/api/{path}")
    assert (reply.code, reply.record.calls) == (code, int(code is None))


def test_the_administrator_of_a_resource_is_no_administrator(guarded: Any, ask: Any, store: TokenStore) -> None:
    """`self_or_admin` means those of the whole site."""
    gate = guarded(resource_role=lambda owner, resource: "admin")
    assert ask(gate, "all", "GET", "/api/mail/alice/widgets").code is None
    assert ask(gate, "all", "GET", "/api/mail/bob/secret").code == "owner_mismatch"
    store.add_owner("root", role="admin")
    assert ask(gate, "all", "GET", "/api/mail/bob/secret", owner="root").code is None


def test_it_is_asked_for_the_owner_and_the_resource_of_each_request(guarded: Any, call: Any, issue: Any) -> None:
    """Once each time, and not where there is no resource, or no token."""
    asked = []

    def resource_role(owner: str, resource: str) -> str:
        asked.append((owner, resource))
        return "user"

    gate = guarded(resource_role=resource_role, identify=lambda environ: environ.get("HTTP_X_USER"))
    headers = {"authorization": f"Bearer {issue('all')}"}
    for _ in range(2):
        assert call(gate, "GET", "/api/repos/alice/widgets/below", **headers).status == 200
    assert call(gate, "PUT", "/api/repos/alice/caf\xc3\xa9", **headers).status == 404
    assert asked == [("alice", "alice/widgets")] * 2 + [("alice", "alice/caf\u00e9")]
    for path in ("/api/user", "/api/version", "/elsewhere"):
        assert call(gate, "GET", path, **headers).status == 200
    assert call(gate, "GET", "/api/repos/alice/widgets").code == "token_required"
    assert call(gate, "GET", "/api/repos/alice/widgets", x_user="bob").status == 200
    assert len(asked) == 3


def test_a_demotion_in_one_project_holds_at_once_and_there_only(
    guarded: Any, call: Any, issue: Any, members: Members
) -> None:
    """On the very next request, without anything being told to the store."""
    gate = guarded()
    headers = {"authorization": f"Bearer {issue('write:repository')}"}
    members["alice", "alice/gadgets"] = "user"

    def codes() -> list[str | None]:
        return [call(gate, "PUT", f"/api/repos/alice/{name}", **headers).code for name in ("widgets", "gadgets")] + [
            call(gate, "GET", "/api/repos/alice/widgets", **headers).code
        ]

    assert codes() == [None, None, None]
    members["alice", "alice/widgets"] = "viewer"
    assert codes() == [LACKS, None, None]
    del members["alice", "alice/widgets"]
    assert codes() == [OUT, None, OUT]
    members["alice", "alice/widgets"] = "user"
    assert codes() == [None, None, None]


def test_an_inactive_owner_has_no_role_anywhere(guarded: Any, call: Any, issue: Any, store: TokenStore) -> None:
    """Nobody asks for it then."""
    gate = guarded(resource_role=lambda owner, resource: pytest.fail("it was asked"))
    secret = issue("write:repository")
    store.disable_owner("alice")
    reply = call(gate, "GET", "/api/repos/alice/widgets", authorization=f"Bearer {secret}")
    assert reply.code == "owner_inactive"


# -- what goes wrong never lets anyone in


def failing(error: BaseException) -> Any:
    """A callback that raises."""

    def resource_role(owner: str, resource: str) -> str:
        raise error

    return resource_role


@pytest.mark.parametrize(
    "resource_role",
    [
        pytest.param(failing(RuntimeError("not my day")), id="an error"),
        pytest.param(failing(KeyError("alice")), id="a missing key"),
        pytest.param(failing(StopIteration()), id="an iteration that is over"),
        pytest.param(failing(TimeoutError()), id="a service out of reach"),
        pytest.param(lambda owner, resource: True, id="True"),
        pytest.param(lambda owner, resource: False, id="False"),
        pytest.param(lambda owner, resource: 1, id="a number"),
        pytest.param(lambda owner, resource: b"admin", id="bytes"),
        pytest.param(lambda owner, resource: ["admin"], id="a list"),
        pytest.param(lambda owner, resource: {"role": "admin"}, id="a table"),
        pytest.param(lambda owner, resource: object(), id="an object"),
        pytest.param(lambda owner: "admin", id="too few arguments"),
        pytest.param(lambda owner, resource, environ: "admin", id="too many"),
    ],
)
@pytest.mark.parametrize("scopes", ["all", "all@alice/widgets"])
def test_an_answer_that_is_no_role_lets_nobody_in(
    guarded: Any, ask: Any, resource_role: Any, scopes: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is a 500, logged, and says nothing of what went wrong."""
    gate = guarded(resource_role=resource_role, inherited='["*"]')
    reply = ask(gate, scopes, "GET", "/api/repos/alice/widgets")
    assert (reply.status, reply.code, reply.record.calls) == (500, "internal_error", 0)
    assert b"not my day" not in reply.body
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert ask(gate, scopes, "GET", "/api/user").status == 200


@pytest.mark.parametrize("method", ["GET", "COPY"])
def test_an_error_about_the_destination_lets_nobody_in(guarded: Any, ask: Any, method: str) -> None:
    """The path alone was fine."""

    def resource_role(owner: str, resource: str) -> str:
        if resource == "bob/secret":
            raise RuntimeError
        return "user"

    headers = {"destination": "/api/repos/bob/secret/b"}
    reply = ask(guarded(resource_role=resource_role), "all", method, "/api/repos/alice/widgets/a", **headers)
    assert reply.status == (200 if method == "GET" else 500)


# -- a refusal does not tell what there is


@pytest.mark.parametrize("hidden", [False, True], ids=["refused", "hidden"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
@pytest.mark.parametrize("scopes", ["write:repository", "all", "public-only,all"])
def test_without_a_role_it_looks_the_same_whether_it_exists_or_not(
    guarded: Any, call: Any, issue: Any, forge: Forge, hidden: bool, method: str, scopes: str
) -> None:
    """The same bytes and headers; with `not_found` those of the application."""
    gate = guarded(visibility=forge.visibility, **({"not_found": forge.not_found} if hidden else {}))
    headers = {"authorization": f"Bearer {issue(scopes)}"}
    there, limited, missing = (
        call(gate, method, f"/api/repos/bob/{name}", **headers) for name in ("secret", "limited", "missing")
    )
    assert exchanged(there) == exchanged(limited) == exchanged(missing)
    assert (there.status, forge.calls) == (404 if hidden else 403, 0)
    assert hidden or method == "HEAD" or there.code == OUT
    assert call(gate, method, "/api/repos/alice/widgets", **headers).status == 200 or "HEAD" in method


@pytest.mark.parametrize(
    ("scopes", "code"),
    [
        pytest.param("write:repository@alice/widgets", OUT, id="bound to another one"),
        pytest.param("write:issue", LACKS, id="without the scope"),
        pytest.param("write:issue,read:misc@alice/gadgets", LACKS, id="without the scope anywhere"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_what_a_token_lacks_is_told_whether_its_owner_has_a_role_there_or_not(
    guarded: Any, call: Any, issue: Any, forge: Forge, scopes: str, code: str, method: str
) -> None:
    """Else a token for something else would find out where its owner is a member, and so what there is."""
    gate = guarded()
    headers = {"authorization": f"Bearer {issue(scopes)}"}
    member, stranger, missing = (
        call(gate, method, f"/api/repos/{name}", **headers) for name in ("alice/gadgets", "bob/secret", "bob/missing")
    )
    assert exchanged(member) == exchanged(stranger) == exchanged(missing)
    assert (member.code, forge.calls) == (code, 0)


# -- rights that a role without a resource gives everywhere


@pytest.mark.parametrize(
    ("inherited", "global_role", "role", "scopes", "method", "code"),
    [
        pytest.param('["read:*"]', "viewer", None, "all", "GET", None, id="read everywhere"),
        pytest.param('["read:*"]', "viewer", None, "all", "PUT", LACKS, id="read only"),
        pytest.param('["read:*"]', "user", None, "all", "PUT", LACKS, id="though the role may write"),
        pytest.param('["read:*"]', "user", "viewer", "all", "PUT", LACKS, id="in both places"),
        pytest.param('["read:*"]', "viewer", "user", "all", "PUT", None, id="the role there adds to it"),
        pytest.param('["read:*"]', "nothing", None, "all", "GET", OUT, id="a role without anything to inherit"),
        pytest.param('["read:*"]', "guest", None, "all", "GET", LACKS, id="a role with something else to inherit"),
        pytest.param('["read:issue"]', "user", None, "all", "GET", LACKS, id="another scope is inherited"),
        pytest.param('["read:issue"]', "user", None, "read:repository", "GET", OUT, id="which the token lacks"),
        pytest.param('["read:*"]', "user", None, "read:repository@alice/*", "GET", OUT, id="bound elsewhere"),
        pytest.param('["read:*"]', "user", None, "read:repository@bob/*", "GET", None, id="bound there"),
        pytest.param('["*"]', "admin", None, "all", "PUT", None, id="everything is inherited"),
        pytest.param('["*"]', "admin", None, "read:repository", "PUT", LACKS, id="as far as the token goes"),
        pytest.param("[]", "admin", None, "all", "GET", OUT, id="nothing is inherited"),
    ],
)
def test_some_rights_are_inherited_from_the_role_without_a_resource(
    guarded: Any,
    ask: Any,
    store: TokenStore,
    inherited: str,
    global_role: str,
    role: str | None,
    scopes: str,
    method: str,
    code: str | None,
) -> None:
    """Where the vocabulary says so, and as far as the token was granted them."""
    gate = guarded(inherited=inherited, resource_role=lambda owner, resource: role)
    store.add_owner("alice", role=global_role)
    reply = ask(gate, scopes, method, "/api/repos/bob/secret")
    assert (reply.code, reply.record.calls) == (code, int(code is None))


def test_what_is_inherited_shrinks_with_the_role(guarded: Any, call: Any, issue: Any, store: TokenStore) -> None:
    """On the next request."""
    gate = guarded(inherited='["read:*"]', resource_role=lambda owner, resource: None)
    headers = {"authorization": f"Bearer {issue('read:repository')}"}
    assert call(gate, "GET", "/api/repos/bob/secret", **headers).code is None
    store.set_role("alice", "nothing")
    assert call(gate, "GET", "/api/repos/bob/secret", **headers).code == OUT


# -- with other restrictions


@pytest.mark.parametrize(
    ("scopes", "name", "method", "code"),
    [
        pytest.param("write:repository@alice/widgets", "alice/widgets", "PUT", None, id="bound and a user"),
        pytest.param("read:repository@alice/widgets", "alice/widgets", "PUT", LACKS, id="bound to read"),
        pytest.param("write:repository@alice/gadgets", "alice/gadgets", "PUT", LACKS, id="bound, but a viewer"),
        pytest.param("write:repository@alice/gadgets", "alice/gadgets", "GET", None, id="who reads"),
        pytest.param("write:repository@bob/secret", "bob/secret", "GET", OUT, id="bound, but no role"),
        pytest.param("write:repository@bob/*", "bob/missing", "GET", OUT, id="bound to what is not there"),
        pytest.param(
            "write:repository@bob/*",
            "alice/widgets",
            "GET",
            OUT,
            id="a role, but not bound there",
        ),
        pytest.param("read:repository,write:repository@alice/*", "bob/secret", "GET", OUT, id="global, but no role"),
        pytest.param(
            "read:repository,write:repository@alice/widgets", "alice/gadgets", "GET", None, id="global, a viewer"
        ),
    ],
)
def test_a_binding_and_a_role_both_have_to_reach(
    guarded: Any, ask: Any, scopes: str, name: str, method: str, code: str | None
) -> None:
    """Neither makes up for the other."""
    reply = ask(guarded(), scopes, method, f"/api/repos/{name}")
    assert (reply.code, reply.record.calls) == (code, int(code is None))


@pytest.mark.parametrize(
    ("name", "seen", "code"),
    [
        pytest.param("alice/widgets", "public", None, id="a role, public"),
        pytest.param("alice/widgets", "limited", "public_only", id="a role, limited"),
        pytest.param("alice/widgets", "private", "public_only", id="a role, private"),
        pytest.param("bob/secret", "public", OUT, id="no role, public"),
        pytest.param("bob/secret", "private", OUT, id="no role, private"),
    ],
)
def test_a_public_only_token_needs_a_role_too(guarded: Any, ask: Any, name: str, seen: str, code: str | None) -> None:
    """Public is not a role, and a role does not make anything public."""
    gate = guarded(visibility=lambda environ, resource: seen)
    assert ask(gate, "public-only,all", "GET", f"/api/repos/{name}").code == code


@pytest.mark.parametrize(
    ("destination", "code"),
    [
        pytest.param("alice/widgets", None, id="a user there"),
        pytest.param("alice/gadgets", LACKS, id="a viewer there"),
        pytest.param("bob/secret", OUT, id="no role there"),
        pytest.param("bob/missing", OUT, id="nothing there"),
    ],
)
@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_a_destination_needs_the_role_there(
    guarded: Any, ask: Any, method: str, destination: str, code: str | None
) -> None:
    """Not that of the path."""
    headers = {"destination": f"/api/repos/{destination}/b"}
    reply = ask(guarded(), "all", method, "/api/repos/alice/widgets/a", **headers)
    assert (reply.code, reply.record.calls) == (code, int(code is None))


@pytest.mark.parametrize(
    ("scopes", "resource", "asked", "allowed"),
    [
        pytest.param("all", "alice/gadgets", None, True, id="a role there"),
        pytest.param("all", "alice/gadgets", "write:repository", False, id="too low for that"),
        pytest.param("all", "alice/widgets", "write:repository", True, id="high enough"),
        pytest.param("all", "bob/secret", None, False, id="no role there"),
        pytest.param("all", "bob/missing", None, False, id="nothing there"),
        pytest.param("read:repository@alice/widgets", "alice/gadgets", None, False, id="a role, but not bound there"),
    ],
)
def test_a_second_resource_needs_its_own_role(
    guarded: Any, ask: Any, forge: Forge, scopes: str, resource: str, asked: str | None, allowed: bool
) -> None:
    """`context.allows` asks for it."""
    assert ask(guarded(), scopes, "GET", "/api/repos/alice/widgets").status == 200
    assert forge.environ["scopeware"].allows(resource, asked) is allowed


@pytest.mark.parametrize(
    ("scopes", "seen"),
    [
        pytest.param("read:repository", "alice/widgets alice/gadgets", id="global"),
        pytest.param("read:repository@alice/gadgets", "alice/gadgets", id="bound"),
        pytest.param("read:repository@bob/*", "", id="bound where there is no role"),
        pytest.param("public-only,read:repository", "alice/widgets", id="public-only"),
    ],
)
def test_a_list_shows_where_the_owner_has_a_role(guarded: Any, ask: Any, forge: Forge, scopes: str, seen: str) -> None:
    """No pattern says where that is: the context tells the application to ask about each."""
    assert ask(guarded(), scopes, "GET", "/api/search").body.decode() == seen
    assert forge.environ["scopeware"].reach == ("*",)


# -- guards of single views


def viewing(decorate: Any, ran: list[str]) -> Any:
    """A view behind a guard of its own."""

    @decorate
    def view(environ: dict[str, Any], start_response: Any) -> Any:
        ran.append(environ["PATH_INFO"])
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"the view"]

    return view


@pytest.mark.parametrize(
    ("global_role", "name", "code"),
    [
        pytest.param("user", "alice/widgets", None, id="high enough"),
        pytest.param("user", "alice/gadgets", LACKS, id="too low, though not elsewhere"),
        pytest.param("viewer", "alice/widgets", None, id="high enough, though not elsewhere"),
        pytest.param("viewer", "alice/gadgets", LACKS, id="too low everywhere"),
    ],
)
def test_a_guard_asks_for_the_role_there(
    guarded: Any, ask: Any, store: TokenStore, global_role: str, name: str, code: str | None
) -> None:
    """`req_scopes("write:repository")` within a GET, which a viewer may do."""
    ran: list[str] = []
    gate = guarded(app=viewing(req_scopes("write:repository"), ran))
    store.add_owner("alice", role=global_role)
    reply = ask(gate, "write:repository", "GET", f"/api/repos/{name}")
    assert (reply.code, len(ran)) == (code, int(code is None))


@pytest.mark.parametrize(
    ("scopes", "code"),
    [
        pytest.param("write:repository@alice/widgets", None, id="there"),
        pytest.param("write:repository@alice/gadgets", LACKS, id="where the role is too low"),
    ],
)
def test_a_guard_asks_bound_tokens_for_the_role_there_too(
    guarded: Any, ask: Any, scopes: str, code: str | None
) -> None:
    """The one that the owner has in what the token is bound to."""
    ran: list[str] = []
    gate = guarded(app=viewing(req_scopes("write:repository"), ran))
    reply = ask(gate, scopes, "GET", f"/api/repos/{scopes.partition('@')[2]}")
    assert (reply.code, len(ran)) == (code, int(code is None))


@pytest.mark.parametrize("global_role", ["user", "nothing"], ids=["something elsewhere", "nothing elsewhere"])
def test_a_guard_lets_in_whom_the_gate_let_in(guarded: Any, ask: Any, store: TokenStore, global_role: str) -> None:
    """`req_token`: someone has to be signed in, and is."""
    ran: list[str] = []
    gate = guarded(app=viewing(req_token, ran))
    store.add_owner("alice", role=global_role)
    assert ask(gate, "write:repository", "GET", "/api/repos/alice/widgets").code is None
    assert ask(gate, "write:repository", "GET", "/api/repos/bob/secret").code == OUT
    assert ran == ["/api/repos/alice/widgets"]


# -- where no scope is asked for


@pytest.mark.parametrize(
    ("scopes", "name", "code"),
    [
        pytest.param("read:misc", "alice/widgets", None, id="a role"),
        pytest.param("read:misc", "bob/secret", OUT, id="no role"),
        pytest.param("read:misc", "bob/missing", OUT, id="nothing there"),
        pytest.param("write:admin", "alice/widgets", LACKS, id="a token worth nothing there"),
    ],
)
def test_a_role_is_needed_though_no_scope_is_asked_for(
    guarded: Any, ask: Any, scopes: str, name: str, code: str | None
) -> None:
    """Who has no business with a resource has none with its watchers, either."""
    assert ask(guarded(), scopes, "GET", f"/api/repos/{name}/watchers").code == code
