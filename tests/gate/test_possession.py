"""One's own things: callers who reach what is theirs and nothing else, by their token or by their role."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import pytest
from forge import exchanged

from scopeware import Policy, TokenStore
from scopeware.gate.decision import ALLOWED, ALLOWED_OWN, HIDDEN, NOT_OWNED, PREFLIGHT, TOKEN_REQUIRED, both
from scopeware.tokens import Account

OUT = "resource_out_of_reach"
LACKS = "insufficient_scope"

POLICY = """
[policy]
public_only = "allow"

[vocabulary]
name = "server"
spelling = "category:action"
actions = ["read_any", "read_own", "write_any", "write_own"]
implies = { write_any = ["read_any"], write_own = ["read_own"] }
own = { read_any = "read_own", write_any = "write_own" }
methods = { GET = ["read_any"], OPTIONS = ["read_any"], "*" = ["write_any"] }
public_only = "public-only"
all = "all"
[vocabulary.categories]
docker = ""
vms = ""
system = { actions = ["read_any", "write_any"] }

[roles]
tenant = "*:write_own"
lodger = "*:read_own"

[[group]]
path = "/docker/<name>"
scopes = ["docker"]
resource = "docker/<name>"
public_only = "check"
  [[group.route]]
  path = "/watchers"
  scopes = []
  [[group.route]]
  path = "/both"
  scopes = ["docker", "system"]
  [[group.route]]
  path = "/logs"
  methods = ["GET"]
  own = "filter"
  [[group.route]]
  path = "/secrets"
  own = "reject"

[[group]]
path = "/docker"
scopes = ["docker"]
own = "filter"

[[group]]
path = "/shown"
scopes = ["docker"]
own = "filter"
bound = "filter"

[[group]]
path = "/closed"
scopes = ["docker"]

[[group]]
path = "/times/<name>"
scopes = ["system"]
resource = "docker/<name>"
others = ["admin", "user"]

[[group]]
path = "/times"
scopes = ["system"]
others = ["admin", "user"]
own = "filter"

[[group]]
path = "/totals"
scopes = ["system"]
others = ["admin"]

[[group]]
path = "/profile/<name>"
scopes = []
resource = "docker/<name>"
others = []

[[group]]
path = "/board/<name>"
scopes = []
require_token = false
resource = "docker/<name>"
others = ["admin"]
  [[group.route]]
  path = "/shown"
  own = "filter"

[[group]]
path = "/free"
scopes = []
"""

Owners = dict[str, Any]
loaded = functools.cache(Policy.loads)


@pytest.fixture
def store() -> Iterator[TokenStore]:
    """An empty token store; in memory, for none of this is about files."""
    made = TokenStore.connect("sqlite:///:memory:")
    yield made
    made.close()


@pytest.fixture
def owners() -> Owners:
    """Who owns what; there is nothing else."""
    return {"docker/web": "alice", "docker/db": "alice", "docker/mail": "bob", "docker/stray": None}


def by_header(environ: dict[str, Any]) -> str | None:
    """Who the session is."""
    user: str | None = environ.get("HTTP_X_USER")
    return user


@pytest.fixture
def guarded(make_gate: Any, owners: Owners) -> Any:
    """``guarded(**options)``: a gate that asks the owners."""

    def make(**options: Any) -> Any:
        options.setdefault("resource_owner", owners.get)
        options.setdefault("identify", by_header)
        return make_gate(policy=loaded(options.pop("policy", POLICY)), **options)

    return make


@pytest.fixture
def ask(call: Any, issue: Any) -> Any:
    """``ask(gate, scopes, method, path)``: what a new token of alice's is answered."""

    def send(gate: Any, scopes: str, method: str, path: str, *, owner: str = "alice", **more: Any) -> Any:
        return call(gate, method, path, authorization=f"Bearer {issue(scopes, owner=owner)}", **more)

    return send


def told(reply: Any) -> str | None:
    """The code of a refusal; else what the application was told of whose things are in reach."""
    if reply.status == 200:
        possession: str = reply.record.environ["scopeware"].possession
        return possession
    assert reply.body != b"the application"
    code: str | None = reply.code
    return code


# -- by the token


@pytest.mark.parametrize(
    ("scopes", "method", "name", "answer"),
    [
        pytest.param("docker:read_own", "GET", "web", "own", id="reading one's own"),
        pytest.param("docker:read_own", "GET", "mail", OUT, id="reading another's"),
        pytest.param("docker:read_own", "GET", "stray", OUT, id="reading nobody's"),
        pytest.param("docker:read_own", "GET", "missing", OUT, id="reading nothing"),
        pytest.param("docker:read_any", "GET", "web", "any", id="reading all, one's own"),
        pytest.param("docker:read_any", "GET", "mail", "any", id="reading all, another's"),
        pytest.param("docker:read_any", "GET", "missing", "any", id="reading all, nothing"),
        pytest.param("docker:read_own", "HEAD", "web", "own", id="HEAD, one's own"),
        pytest.param("docker:read_own", "OPTIONS", "mail", OUT, id="OPTIONS, another's"),
        pytest.param("docker:read_own", "PUT", "web", LACKS, id="writing with what reads"),
        pytest.param("docker:read_own", "PUT", "mail", LACKS, id="writing another's with what reads"),
        pytest.param("docker:write_own", "PUT", "web", "own", id="writing one's own"),
        pytest.param("docker:write_own", "GET", "web", "own", id="writing is reading"),
        pytest.param("docker:write_own", "DELETE", "mail", OUT, id="deleting another's"),
        pytest.param("docker:read_any,docker:write_own", "GET", "mail", "any", id="reading all, writing one's own"),
        pytest.param("docker:read_any,docker:write_own", "PUT", "web", "own", id="writing one's own, reading all"),
        pytest.param("docker:read_any,docker:write_own", "PUT", "mail", OUT, id="writing another's, reading all"),
        pytest.param("docker:write_any", "PUT", "mail", "any", id="writing all"),
        pytest.param("vms:write_own", "GET", "web", LACKS, id="of another category"),
        pytest.param("docker:read_own", "GET", "web/below", "own", id="below one's own"),
        pytest.param("docker:read_own", "GET", "mail/below", OUT, id="below another's"),
        pytest.param("docker:read_own", "GET", "mail/watchers", "any", id="where no scope is asked for"),
        pytest.param("docker:read_own,system:read_any", "GET", "web/both", "own", id="own of one, all of the other"),
        pytest.param("docker:read_own,system:read_any", "GET", "mail/both", OUT, id="the same of another's"),
        pytest.param("docker:read_own", "GET", "web/both", LACKS, id="own of one, nothing of the other"),
        pytest.param("docker:read_any,system:read_any", "GET", "mail/both", "any", id="all of both"),
        pytest.param("docker:read_own", "GET", "mail/logs", "own", id="what the application filters"),
        pytest.param("docker:read_own", "GET", "web/secrets", LACKS, id="one's own where that does not count"),
        pytest.param("docker:read_any", "GET", "web/secrets", "any", id="all where only that counts"),
    ],
)
def test_who_may_reach_only_what_is_theirs_reaches_that(
    guarded: Any, ask: Any, scopes: str, method: str, name: str, answer: str
) -> None:
    """And the application is told in which way they reached it."""
    assert told(ask(guarded(), scopes, method, f"/docker/{name}")) == answer


@pytest.mark.parametrize(
    ("owner", "answer"),
    [
        pytest.param("alice", "own", id="the same"),
        pytest.param("Alice", OUT, id="another letter case"),
        pytest.param("alice ", OUT, id="a space"),
        pytest.param("alic", OUT, id="a part"),
        pytest.param("alice/*", OUT, id="a pattern"),
        pytest.param("*", OUT, id="a star"),
        pytest.param("ａlice", OUT, id="a wide letter"),
        pytest.param("", OUT, id="nothing"),
        pytest.param(None, OUT, id="nobody"),
    ],
)
def test_an_owner_is_who_has_exactly_that_name(guarded: Any, ask: Any, owner: str | None, answer: str) -> None:
    """Names are compared, and nothing is made of them."""
    gate = guarded(resource_owner=lambda resource: owner)
    assert told(ask(gate, "docker:write_own", "PUT", "/docker/web")) == answer


@pytest.mark.parametrize("owner", ["zoë", "名前", "a" * 255, "a b"])
def test_names_may_be_of_any_letters(guarded: Any, ask: Any, owners: Owners, owner: str) -> None:
    """Those of owners and those of resources."""
    owners["docker/café"] = owner
    path = "/docker/café".encode().decode("latin-1")
    assert told(ask(guarded(), "docker:read_own", "GET", path, owner=owner)) == "own"
    assert told(ask(guarded(), "docker:read_own", "GET", path, owner="alice")) == OUT


def test_without_anyone_to_ask_nothing_is_anybodys(guarded: Any, ask: Any) -> None:
    """What needs no answer passes."""
    gate = guarded(resource_owner=None)
    assert told(ask(gate, "docker:read_own", "GET", "/docker/web")) == OUT
    assert told(ask(gate, "docker:read_any", "GET", "/docker/web")) == "any"
    assert told(ask(gate, "docker:read_own", "GET", "/docker")) == "own"


@pytest.mark.parametrize(
    ("scopes", "method", "path", "answer"),
    [
        pytest.param("docker:read_own", "GET", "/docker", "own", id="a list"),
        pytest.param("docker:read_any", "GET", "/docker", "any", id="a list of all"),
        pytest.param("docker:write_own", "POST", "/docker", "own", id="making something"),
        pytest.param("docker:write_any", "POST", "/docker", "any", id="making something for anyone"),
        pytest.param("docker:read_own", "POST", "/docker", LACKS, id="making something with what reads"),
        pytest.param("docker:read_any,docker:write_own", "POST", "/docker", "own", id="reading all, making one's own"),
        pytest.param("docker:read_any,docker:write_own", "GET", "/docker", "any", id="reading all, writing one's own"),
        pytest.param("docker:read_own", "GET", "/closed", LACKS, id="where nobody said what becomes of them"),
        pytest.param("docker:read_any", "GET", "/closed", "any", id="there, all of them"),
        pytest.param("system:read_any", "GET", "/docker", LACKS, id="another category"),
    ],
)
def test_where_no_resource_is_named_the_application_sees_to_it_or_they_are_refused(
    guarded: Any, ask: Any, scopes: str, method: str, path: str, answer: str
) -> None:
    """It is told in `possession`, and nobody is asked."""
    gate = guarded(resource_owner=lambda resource: pytest.fail("it was asked"))
    assert told(ask(gate, scopes, method, path)) == answer


@pytest.mark.parametrize(
    ("role", "scopes", "method", "name", "answer"),
    [
        pytest.param("tenant", "docker:write_any", "PUT", "web", "own", id="all, as far as the role goes"),
        pytest.param("tenant", "docker:write_any", "PUT", "mail", OUT, id="not beyond"),
        pytest.param("lodger", "docker:write_any", "PUT", "web", LACKS, id="a role that reads"),
        pytest.param("lodger", "docker:write_any", "GET", "web", "own", id="and what it reads"),
        pytest.param("lodger", "all", "GET", "mail", OUT, id="everything, as far as the role goes"),
        pytest.param("user", "docker:write_any", "PUT", "mail", "any", id="a role that reaches all"),
        pytest.param("user", "docker:write_own", "PUT", "mail", OUT, id="as far as the token goes"),
    ],
)
def test_a_role_may_be_for_ones_own_things_alone(
    guarded: Any, ask: Any, store: TokenStore, role: str, scopes: str, method: str, name: str, answer: str
) -> None:
    """Granted ∩ role, as always."""
    gate = guarded()
    store.add_owner("alice", role=role)
    assert told(ask(gate, scopes, method, f"/docker/{name}")) == answer


def test_a_change_of_hands_holds_at_once(guarded: Any, call: Any, issue: Any, owners: Owners) -> None:
    """On the very next request: nothing is remembered."""
    gate = guarded()
    headers = {"authorization": f"Bearer {issue('docker:read_own')}"}
    assert call(gate, "GET", "/docker/web", **headers).status == 200
    owners["docker/web"] = "bob"
    assert call(gate, "GET", "/docker/web", **headers).code == OUT
    owners["docker/web"] = "alice"
    assert call(gate, "GET", "/docker/web", **headers).status == 200
    del owners["docker/web"]
    assert call(gate, "GET", "/docker/web", **headers).code == OUT


# -- by the role


@pytest.mark.parametrize(
    ("role", "path", "answer"),
    [
        pytest.param("admin", "/times/mail", "any", id="an administrator, another's"),
        pytest.param("user", "/times/mail", "any", id="a user, another's"),
        pytest.param("viewer", "/times/mail", OUT, id="a viewer, another's"),
        pytest.param("viewer", "/times/web", "own", id="a viewer, one's own"),
        pytest.param("viewer", "/times/missing", OUT, id="a viewer, nothing"),
        pytest.param("viewer", "/times", "own", id="a viewer's list"),
        pytest.param("user", "/times", "any", id="a user's list"),
        pytest.param("viewer", "/totals", OUT, id="a viewer where it is refused"),
        pytest.param("user", "/totals", OUT, id="a user where it is refused"),
        pytest.param("admin", "/totals", "any", id="an administrator there"),
        pytest.param("admin", "/profile/mail", OUT, id="another's, where nobody reaches that"),
        pytest.param("admin", "/profile/web", "own", id="one's own, where nobody reaches others'"),
        pytest.param("viewer", "/profile/web", "own", id="a viewer's own there"),
    ],
)
@pytest.mark.parametrize("kind", ["token", "session"])
def test_the_role_says_who_reaches_what_others_own(
    guarded: Any, ask: Any, call: Any, store: TokenStore, kind: str, role: str, path: str, answer: str
) -> None:
    """Of tokens and of sessions alike, though nothing in the scopes says so."""
    gate = guarded()
    store.add_owner("alice", role=role)
    reply = ask(gate, "system:read_any", "GET", path) if kind == "token" else call(gate, "GET", path, x_user="alice")
    assert told(reply) == answer


@pytest.mark.parametrize(
    ("scopes", "path", "answer"),
    [
        pytest.param("docker:read_any", "/times/web", LACKS, id="one's own"),
        pytest.param("docker:read_any", "/times", LACKS, id="a list"),
        pytest.param("docker:write_any", "/totals", LACKS, id="where it is refused"),
        pytest.param("system:read_any", "/times/web", "own", id="with the scope"),
    ],
)
def test_what_the_token_lacks_is_told_before_whose_it_is(
    guarded: Any, ask: Any, store: TokenStore, scopes: str, path: str, answer: str
) -> None:
    """The owner of anything makes up for no scope."""
    gate = guarded()
    store.add_owner("alice", role="viewer")
    assert told(ask(gate, scopes, "GET", path)) == answer


@pytest.mark.parametrize("path", ["/times/web", "/times", "/profile/web", "/totals"])
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer swt_nothing"}], ids=["nobody", "a bad token"])
def test_nobody_owns_anything(guarded: Any, call: Any, path: str, headers: dict[str, str]) -> None:
    """Someone has to be signed in first."""
    assert call(guarded(), "GET", path, **headers).status == 401


@pytest.mark.parametrize("name", ["web", "stray", "missing"])
def test_where_nobody_has_to_be_signed_in_nobody_reaches_what_anyone_owns(guarded: Any, call: Any, name: str) -> None:
    """Not even what has no owner: no name is none of theirs."""
    reply = call(guarded(), "GET", f"/board/{name}")
    assert (reply.status in (401, 403), reply.record.calls) == (True, 0)
    assert told(call(guarded(), "GET", f"/board/{name}/shown")) == "own"
    owns = name == "web"
    assert (call(guarded(), "GET", f"/board/{name}", x_user="alice").status == 200) is owns


@pytest.mark.parametrize(
    ("user", "answer"),
    [
        pytest.param("root", "any", id="an administrator"),
        pytest.param("former", OUT, id="an administrator who is not active"),
        pytest.param("unheard-of", OUT, id="someone the store does not know"),
        pytest.param("bob", "own", id="the owner, whom the store does not know either"),
    ],
)
def test_a_session_has_the_role_that_the_store_tells(
    guarded: Any, call: Any, store: TokenStore, user: str, answer: str
) -> None:
    """Who is not active, or not known, has none."""
    gate = guarded()
    for name in ("root", "former"):
        store.add_owner(name, role="admin")
    store.disable_owner("former")
    assert told(call(gate, "GET", "/times/mail", x_user=user)) == answer


@pytest.mark.parametrize("kind", ["token", "session"])
def test_where_the_application_has_accounts_they_tell_the_role(
    guarded: Any, store: TokenStore, call: Any, issue: Any, kind: str
) -> None:
    """At each request; the store's own role does not count."""
    accounts = {"alice": Account("viewer")}
    store.add_owner("alice", role="admin")
    store.use(guarded().policy.vocabulary, store.roles, "swt", accounts=accounts.get)
    gate = guarded()
    headers = {"x_user": "alice"} if kind == "session" else {"authorization": f"Bearer {issue('system:read_any')}"}
    assert told(call(gate, "GET", "/times/mail", **headers)) == OUT
    accounts["alice"] = Account("admin")
    assert told(call(gate, "GET", "/times/mail", **headers)) == "any"
    accounts["alice"] = Account("admin", active=False)
    assert call(gate, "GET", "/times/mail", **headers).status in (401, 403)


def test_whose_it_is_is_asked_after_self_or_admin(guarded: Any, ask: Any, call: Any, store: TokenStore) -> None:
    """Both have to hold."""
    rule = '[[group]]\npath = "/home/<name>"\nscopes = ["docker"]\nresource = "docker/<name>"\n'
    policy = f'{POLICY}{rule}owner = "<name>"\nself_or_admin = true\nothers = ["user"]\n'
    owners = {"docker/alice": "bob", "docker/bob": "alice", "docker/carol": "carol"}
    gate = guarded(policy=policy, resource_owner=owners.get)
    store.add_owner("alice", role="user")
    store.add_owner("carol", role="viewer")
    store.add_owner("root", role="admin")
    for owner, name, answer in [
        ("alice", "alice", "any"),
        ("alice", "bob", "owner_mismatch"),
        ("carol", "carol", "own"),
        ("carol", "alice", "owner_mismatch"),
        ("root", "alice", OUT),
    ]:
        assert told(ask(gate, "docker:read_any", "GET", f"/home/{name}", owner=owner)) == answer
        assert told(call(gate, "GET", f"/home/{name}", x_user=owner)) == answer


# -- sessions


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        pytest.param("GET", "/docker/mail", "any", id="another's"),
        pytest.param("PUT", "/docker/mail", "any", id="writing another's"),
        pytest.param("GET", "/docker", "any", id="a list"),
        pytest.param("GET", "/times/mail", OUT, id="where the role decides"),
        pytest.param("GET", "/times", "own", id="a list where the role decides"),
    ],
)
def test_a_session_has_no_scopes_and_so_none_for_its_own_things_only(
    guarded: Any, call: Any, store: TokenStore, method: str, path: str, answer: str
) -> None:
    """It is asked for none, and the application decides itself; but a rule about roles is about sessions, too."""
    gate = guarded()
    store.add_owner("alice", role="lodger")
    assert told(call(gate, method, path, x_user="alice")) == answer


@pytest.mark.parametrize(
    ("role", "method", "path", "answer"),
    [
        pytest.param("lodger", "GET", "/docker/web", "own", id="reading one's own"),
        pytest.param("lodger", "GET", "/docker/mail", OUT, id="reading another's"),
        pytest.param("lodger", "PUT", "/docker/web", LACKS, id="writing one's own"),
        pytest.param("lodger", "GET", "/docker", "own", id="a list"),
        pytest.param("lodger", "GET", "/closed", LACKS, id="where one's own does not count"),
        pytest.param("tenant", "PUT", "/docker/web", "own", id="a tenant writing"),
        pytest.param("tenant", "PUT", "/docker/mail", OUT, id="a tenant writing another's"),
        pytest.param("user", "PUT", "/docker/mail", "any", id="a user writing another's"),
        pytest.param("viewer", "GET", "/docker/mail", "any", id="a viewer"),
        pytest.param("viewer", "PUT", "/docker/mail", LACKS, id="a viewer writing"),
        pytest.param("viewer", "GET", "/times/mail", OUT, id="where the role decides besides"),
        pytest.param(None, "GET", "/docker/web", LACKS, id="someone the store does not know"),
        pytest.param(None, "GET", "/free", LACKS, id="that one, where no scope is asked for"),
        pytest.param("lodger", "GET", "/free", "any", id="someone, where no scope is asked for"),
    ],
)
def test_a_session_may_be_held_to_its_role(
    guarded: Any, call: Any, store: TokenStore, role: str | None, method: str, path: str, answer: str
) -> None:
    """With `sessions = "role"` it does what a token with everything would."""
    gate = guarded(sessions="role")
    if role is not None:
        store.add_owner("alice", role=role)
    assert told(call(gate, method, path, x_user="alice")) == answer


# -- who is asked, and when


def test_the_owner_is_asked_for_by_the_name_that_the_rule_gives(guarded: Any, call: Any, issue: Any) -> None:
    """Decoded, once a request, and only where it matters."""
    asked: list[str] = []

    def resource_owner(resource: str) -> str:
        asked.append(resource)
        return "alice"

    gate = guarded(resource_owner=resource_owner)
    headers = {"authorization": f"Bearer {issue('docker:write_own,system:read_any')}"}
    for path in ("/docker/web", "/docker/web/", "/docker/web/below/x", "/docker/caf\xc3\xa9", "/docker/a b"):
        assert call(gate, "GET", path, **headers).status == 200
    assert asked == ["docker/web"] * 3 + ["docker/café", "docker/a b"]
    asked.clear()
    for path in ("/docker", "/times/web", "/docker/web/watchers", "/free", "/elsewhere"):
        call(gate, "GET", path, **headers)
    call(gate, "GET", "/docker/web")
    call(gate, "GET", "/docker/web", authorization=f"Bearer {issue('docker:read_any')}")
    call(gate, "GET", "/docker/web", authorization=f"Bearer {issue('vms:read_own')}")
    call(gate, "GET", "/docker/web", x_user="alice")
    assert asked == []


def failing(error: BaseException) -> Any:
    """A hook that raises."""

    def hook(resource: str) -> str:
        raise error

    return hook


NONSENSE = [
    pytest.param(failing(RuntimeError("not my day")), id="an error"),
    pytest.param(failing(KeyError("docker/web")), id="a missing key"),
    pytest.param(failing(StopIteration()), id="an iteration that is over"),
    pytest.param(lambda resource: True, id="True"),
    pytest.param(lambda resource: False, id="False"),
    pytest.param(lambda resource: 7, id="a number"),
    pytest.param(lambda resource: b"alice", id="bytes"),
    pytest.param(lambda resource: ["alice"], id="a list"),
    pytest.param(lambda resource: {"owner": "alice"}, id="a table"),
    pytest.param(lambda resource: Account("alice"), id="an account"),
    pytest.param(lambda: "alice", id="too few arguments"),
    pytest.param(lambda resource, environ: "alice", id="too many"),
]


@pytest.mark.parametrize("resource_owner", NONSENSE)
@pytest.mark.parametrize("kind", ["token", "role", "session"])
def test_an_answer_that_is_no_owner_lets_nobody_in(
    guarded: Any,
    ask: Any,
    call: Any,
    store: TokenStore,
    resource_owner: Any,
    kind: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is a 500, logged, and says nothing of what went wrong."""
    gate = guarded(resource_owner=resource_owner)
    store.add_owner("alice", role="viewer")
    if kind == "token":
        reply = ask(gate, "docker:read_own", "GET", "/docker/web")
    elif kind == "role":
        reply = ask(gate, "system:read_any", "GET", "/times/web")
    else:
        reply = call(gate, "GET", "/times/web", x_user="alice")
    assert (reply.status, reply.code, reply.record.calls) == (500, "internal_error", 0)
    assert b"not my day" not in reply.body
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert ask(gate, "docker:read_any", "GET", "/docker/web").status == 200


# -- a refusal does not tell what there is


@pytest.mark.parametrize("hidden", [False, True], ids=["refused", "hidden"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
@pytest.mark.parametrize("scopes", ["docker:write_own", "public-only,docker:write_own", "docker:write_own@docker/*"])
def test_it_looks_the_same_whether_it_exists_or_not(
    guarded: Any, call: Any, issue: Any, hidden: bool, method: str, scopes: str
) -> None:
    """The same bytes and headers; with `not_found` those of the application."""
    gate = guarded(visibility=lambda environ, resource: "public", **({"not_found": not_found} if hidden else {}))
    headers = {"authorization": f"Bearer {issue(scopes)}"}
    there, stray, missing = (call(gate, method, f"/docker/{name}", **headers) for name in ("mail", "stray", "missing"))
    assert exchanged(there) == exchanged(stray) == exchanged(missing)
    assert (there.status, there.record.calls) == (404 if hidden else 403, 0)
    assert hidden or method == "HEAD" or there.code == OUT
    assert call(gate, method, "/docker/web", **headers).status == 200


@pytest.mark.parametrize("hidden", [False, True], ids=["refused", "hidden"])
@pytest.mark.parametrize("kind", ["token", "session"])
def test_it_looks_the_same_where_the_role_decides(
    guarded: Any, call: Any, issue: Any, store: TokenStore, hidden: bool, kind: str
) -> None:
    """For sessions as well."""
    gate = guarded(**({"not_found": not_found} if hidden else {}))
    store.add_owner("alice", role="viewer")
    headers = {"x_user": "alice"} if kind == "session" else {"authorization": f"Bearer {issue('system:read_any')}"}
    there, missing = (call(gate, "GET", f"/times/{name}", **headers) for name in ("mail", "missing"))
    assert exchanged(there) == exchanged(missing)
    assert (there.status, there.record.calls) == (404 if hidden else 403, 0)


def not_found(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """The application's own answer about what is not there."""
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"nothing like that here\n"]


def test_what_is_not_about_one_thing_is_hidden_as_well(guarded: Any, ask: Any, store: TokenStore) -> None:
    """Whose list would it be? But what a token lacks is said."""
    gate = guarded(not_found=not_found)
    store.add_owner("alice", role="viewer")
    assert ask(gate, "system:read_any", "GET", "/totals").body == b"nothing like that here\n"
    assert ask(gate, "docker:read_any", "GET", "/totals").code == LACKS
    assert ask(gate, "docker:read_own", "GET", "/closed").code == LACKS


@pytest.mark.parametrize(
    ("scopes", "path"), [("docker:read_own", "/docker"), ("system:read_any", "/times")], ids=["by the token", "by role"]
)
def test_with_roles_per_resource_it_looks_the_same_too(
    guarded: Any, call: Any, issue: Any, store: TokenStore, scopes: str, path: str
) -> None:
    """Whether alice has a role in what is bob's, or there is nothing to have one in: else a token for her own things
    would find out where she is a member."""
    members = {("alice", "docker/mail"): "viewer", ("alice", "docker/web"): "viewer"}
    gate = guarded(resource_role=lambda owner, resource: members.get((owner, resource)))
    store.add_owner("alice", role="viewer")
    headers = {"authorization": f"Bearer {issue(scopes)}"}
    member, stranger, missing = (
        call(gate, "GET", f"{path}/{name}", **headers) for name in ("mail", "stray", "missing")
    )
    assert (member.code, member.record.calls) == (OUT, 0)
    assert exchanged(stranger) == exchanged(missing)
    assert exchanged(member) == exchanged(missing)
    assert call(gate, "GET", f"{path}/web", **headers).status == 200


def test_a_refusal_says_what_would_do(guarded: Any, ask: Any) -> None:
    """The scope for all of them, and that what the caller's own is would be in reach."""
    reply = ask(guarded(), "docker:read_own", "GET", "/docker/mail")
    assert reply.json["required_scopes"] == ["docker:read_any"]
    assert reply.json["available_scopes"] == ["docker:read_own"]
    assert "the caller's own" in reply.json["detail"]
    assert 'error="insufficient_scope"' in reply.all("WWW-Authenticate")[0]


# -- with other restrictions


@pytest.mark.parametrize(
    ("scopes", "method", "path", "answer"),
    [
        pytest.param("docker:read_own@docker/web", "GET", "/docker/web", "own", id="bound to one's own"),
        pytest.param("docker:read_own@docker/web", "GET", "/docker/db", OUT, id="bound to another one of one's own"),
        pytest.param("docker:read_own@docker/mail", "GET", "/docker/mail", OUT, id="bound to another's"),
        pytest.param("docker:read_any@docker/mail", "GET", "/docker/mail", "any", id="all, of another's"),
        pytest.param("docker:read_own@docker/*", "GET", "/docker/web", "own", id="bound to all below"),
        pytest.param("docker:read_own@docker/*", "GET", "/docker/mail", OUT, id="bound to all below, another's"),
        pytest.param(
            "docker:read_own,docker:read_any@docker/mail", "GET", "/docker/mail", "any", id="one's own and one besides"
        ),
        pytest.param(
            "docker:read_own,docker:read_any@docker/mail", "GET", "/docker/web", "own", id="that one, one's own"
        ),
        pytest.param("docker:write_own@docker/web", "GET", "/docker", OUT, id="bound, and this is a list"),
        pytest.param("docker:write_own@docker/web", "POST", "/shown", OUT, id="bound, making something"),
        pytest.param("docker:read_own@docker/web", "GET", "/shown", "own", id="bound, a list that is filtered"),
        pytest.param("docker:read_any@docker/web", "GET", "/shown", "any", id="all of one, a list that is filtered"),
        pytest.param(
            "docker:read_any@docker/mail,docker:read_own@docker/web", "GET", "/shown", "own", id="both, in that list"
        ),
        pytest.param(
            "docker:read_own,docker:read_any@docker/mail", "GET", "/shown", "own", id="one's own, and one besides"
        ),
        pytest.param("vms:read_any@docker/web", "GET", "/shown", LACKS, id="bound, and another category"),
    ],
)
def test_a_bound_token_reaches_ones_own_things_where_it_is_bound(
    guarded: Any, ask: Any, scopes: str, method: str, path: str, answer: str
) -> None:
    """Both have to hold; where a list is filtered, the least of what it may do somewhere."""
    assert told(ask(guarded(), scopes, method, path)) == answer


@pytest.mark.parametrize(
    ("seen", "name", "answer"),
    [
        pytest.param("public", "web", "own", id="public and one's own"),
        pytest.param("private", "web", "public_only", id="private, though one's own"),
        pytest.param("public", "mail", OUT, id="public, but another's"),
        pytest.param("private", "mail", "public_only", id="neither"),
        pytest.param(None, "missing", "public_only", id="nothing"),
    ],
)
def test_a_public_only_token_needs_it_public_and_its_own(
    guarded: Any, ask: Any, seen: str | None, name: str, answer: str
) -> None:
    """Neither makes up for the other."""
    gate = guarded(visibility=lambda environ, resource: seen)
    assert told(ask(gate, "public-only,docker:read_own", "GET", f"/docker/{name}")) == answer


@pytest.mark.parametrize(
    ("role", "scopes", "name", "answer"),
    [
        pytest.param("tenant", "docker:write_any", "web", "own", id="a tenant there, one's own"),
        pytest.param("tenant", "docker:write_any", "mail", OUT, id="a tenant there, another's"),
        pytest.param("user", "docker:write_any", "mail", "any", id="a user there, another's"),
        pytest.param("user", "docker:write_own", "mail", OUT, id="a user there, a token for one's own"),
        pytest.param("user", "docker:write_own", "web", "own", id="one's own, with such a token"),
        pytest.param("lodger", "docker:write_any", "web", LACKS, id="a lodger there"),
        pytest.param(None, "docker:write_any", "web", OUT, id="no role in one's own"),
        pytest.param("unheard-of", "docker:write_own", "web", LACKS, id="a role nobody knows in one's own"),
    ],
)
def test_a_role_in_a_resource_may_be_for_ones_own_things_alone(
    guarded: Any, ask: Any, role: str | None, scopes: str, name: str, answer: str
) -> None:
    """Who owns it needs the role there all the same."""
    gate = guarded(resource_role=lambda owner, resource: role)
    assert told(ask(gate, scopes, "PUT", f"/docker/{name}")) == answer


@pytest.mark.parametrize("name", ["web", "mail"])
def test_the_network_counts_before_whose_it_is(guarded: Any, call: Any, issue: Any, name: str) -> None:
    """From elsewhere nothing is one's own."""
    gate = guarded()
    secret = issue("docker:read_own", networks="192.0.2.0/24")
    replies = [
        call(gate, "GET", f"/docker/{name}", authorization=f"Bearer {secret}", environ={"REMOTE_ADDR": address})
        for address in ("203.0.113.9", "192.0.2.7")
    ]
    assert [reply.code for reply in replies] == ["address_not_allowed", None if name == "web" else OUT]


# -- COPY and MOVE


@pytest.mark.parametrize(
    ("scopes", "source", "destination", "answer"),
    [
        pytest.param("docker:write_own", "/docker/web", "/docker/db", "own", id="one's own to one's own"),
        pytest.param("docker:write_own", "/docker/web", "/docker/mail", OUT, id="one's own to another's"),
        pytest.param("docker:write_own", "/docker/mail", "/docker/web", OUT, id="another's to one's own"),
        pytest.param("docker:write_own", "/docker/web", "/docker/missing", OUT, id="one's own to nothing"),
        pytest.param("docker:write_any", "/docker/web", "/docker/mail", "any", id="all to all"),
        pytest.param("docker:write_own", "/free", "/docker/web", "own", id="from anywhere to one's own"),
        pytest.param("docker:write_own", "/free", "/docker/mail", OUT, id="from anywhere to another's"),
        pytest.param("docker:write_own", "/docker/web", "/free", "own", id="one's own to anywhere"),
        pytest.param("docker:write_own", "/docker/web", "/docker", "own", id="one's own to what is filtered"),
        pytest.param("docker:write_own", "/docker/web", "/docker/%6dail", OUT, id="another's, encoded"),
        pytest.param(
            "docker:write_own,docker:write_any@docker/mail", "/docker/mail", "/docker/web", "own", id="all to one's own"
        ),
        pytest.param(
            "docker:write_own,docker:write_any@docker/mail", "/docker/web", "/docker/mail", "own", id="the other way"
        ),
        pytest.param("system:write_any", "/free", "/times/mail", OUT, id="where the role decides there"),
        pytest.param("system:write_any", "/times/web", "/times/mail", OUT, id="where the role decides in both"),
        pytest.param("system:write_any", "/times/web", "/times", "own", id="to a list of one's own"),
    ],
)
@pytest.mark.parametrize("method", ["COPY", "MOVE", "copy"])
def test_a_destination_has_to_be_ones_own_as_well(
    guarded: Any, ask: Any, store: TokenStore, method: str, scopes: str, source: str, destination: str, answer: str
) -> None:
    """What holds for one of the two only holds for the request."""
    store.add_owner("alice", role="user")
    gate = guarded(policy=POLICY.replace('others = ["admin", "user"]', 'others = ["admin"]'))
    reply = ask(gate, scopes, method, source, destination=destination, strict=method.isupper())
    assert told(reply) == answer


@pytest.mark.parametrize(
    ("user", "source", "destination", "answer"),
    [
        pytest.param("root", "/times/web", "/times/mail", "any", id="an administrator, where the role decides in both"),
        pytest.param("root", "/free", "/times/mail", "any", id="an administrator, where it decides there only"),
        pytest.param("root", "/times/mail", "/free", "any", id="an administrator, where it decides here only"),
        pytest.param("vera", "/free", "/times/mail", OUT, id="a viewer, where it decides there only"),
        pytest.param("vera", "/times/mail", "/free", OUT, id="a viewer, where it decides here only"),
    ],
)
def test_the_role_of_a_session_counts_at_the_destination(
    guarded: Any, call: Any, store: TokenStore, user: str, source: str, destination: str, answer: str
) -> None:
    """Whether the path asks for it, or the destination alone."""
    gate = guarded()
    store.add_owner("root", role="admin")
    store.add_owner("vera", role="viewer")
    assert told(call(gate, "COPY", source, destination=destination, x_user=user)) == answer


def test_an_error_about_the_destination_lets_nobody_in(guarded: Any, ask: Any) -> None:
    """The path alone was fine."""
    gate = guarded(resource_owner=lambda resource: "alice" if resource == "docker/web" else 7)
    for method, status in (("PUT", 200), ("COPY", 500)):
        reply = ask(gate, "docker:write_own", method, "/docker/web", destination="/docker/mail")
        assert reply.status == status


def test_a_destination_out_of_reach_is_hidden(guarded: Any, ask: Any) -> None:
    """As the path would be."""
    reply = ask(
        guarded(not_found=not_found), "docker:write_own", "COPY", "/docker/web", destination="/docker/mail", strict=True
    )
    assert (reply.status, reply.body, reply.record.calls) == (404, b"nothing like that here\n", 0)


# -- methods in another letter case


@pytest.mark.parametrize(
    ("scopes", "method", "name", "answer"),
    [
        pytest.param("docker:write_own", "get", "web", "own", id="either of one's own"),
        pytest.param("docker:write_own", "get", "mail", OUT, id="either of another's"),
        pytest.param("docker:read_own", "get", "web", LACKS, id="one of both only"),
        pytest.param("docker:read_any,docker:write_own", "get", "web", "own", id="all and one's own is one's own"),
        pytest.param("docker:read_any,docker:write_own", "get", "mail", OUT, id="all and one's own, another's"),
        pytest.param("docker:write_any", "Get", "mail", "any", id="all of both"),
        pytest.param("docker:write_own", "put", "web", "own", id="what both readings need alike"),
        pytest.param("docker:write_own", "delete", "mail", OUT, id="the same, another's"),
    ],
)
def test_a_method_in_another_letter_case_reaches_what_both_readings_do(
    guarded: Any, ask: Any, scopes: str, method: str, name: str, answer: str
) -> None:
    """Frameworks disagree on it."""
    assert told(ask(guarded(), scopes, method, f"/docker/{name}", strict=False)) == answer


@pytest.mark.parametrize("role", ["viewer", "admin"])
@pytest.mark.parametrize("kind", ["token", "session"])
def test_a_role_that_one_reading_asks_for_is_asked_for(
    guarded: Any, ask: Any, call: Any, store: TokenStore, role: str, kind: str
) -> None:
    """Whichever of the two it is."""
    rule = '[[group]]\npath = "/half/<name>"\nscopes = []\nresource = "docker/<name>"\n'
    route = '[[group.route]]\npath = "/"\nmethods = ["GET"]\nothers = ["admin"]\n'
    gate = guarded(policy=f"{POLICY}{rule}{route}")
    store.add_owner("alice", role=role)
    for method, free in (("get", False), ("GET", False), ("PUT", True)):
        if kind == "token":
            reply = ask(gate, "docker:read_own", method, "/half/mail", strict=False)
        else:
            reply = call(gate, method, "/half/mail", x_user="alice", strict=False)
        assert reply.status == (200 if free or role == "admin" else 403)


# -- what is allowed elsewhere, for an application that asks


def context_after(reply: Any) -> Any:
    """What the application was told of an allowed request."""
    assert reply.status == 200, reply.body
    return reply.record.environ["scopeware"]


@pytest.mark.parametrize(
    ("scopes", "path", "resource", "asked", "allowed"),
    [
        pytest.param("docker:read_own", "/docker/web", "docker/db", None, True, id="another of one's own"),
        pytest.param("docker:read_own", "/docker/web", "docker/mail", None, False, id="another's"),
        pytest.param("docker:read_own", "/docker/web", "docker/stray", None, False, id="nobody's"),
        pytest.param("docker:read_own", "/docker/web", "docker/missing", None, False, id="nothing"),
        pytest.param("docker:read_own", "/docker", "docker/web", None, True, id="one's own in a list"),
        pytest.param("docker:read_own", "/docker", "docker/mail", None, False, id="another's in a list"),
        pytest.param("docker:read_any", "/docker/web", "docker/mail", None, True, id="another's, reading all"),
        pytest.param("docker:read_own", "/docker/web", "docker/web", "docker:read_any", True, id="all, of one's own"),
        pytest.param("docker:read_own", "/docker/web", "docker/mail", "docker:read_any", False, id="all, another's"),
        pytest.param("docker:read_own", "/docker/web", "docker/web", "docker:read_own", True, id="one's own"),
        pytest.param("docker:read_own", "/docker/web", "docker/web", "docker:write_any", False, id="writing"),
        pytest.param("docker:read_own", "/docker/web", "docker/web", "system:read_any", False, id="another category"),
        pytest.param("docker:read_own", "/docker/web", "docker/web", "", False, id="no scope in particular"),
        pytest.param("docker:read_any", "/docker/web", "docker/mail", "docker:read_any", True, id="all, of anything"),
        pytest.param(
            "docker:read_own,system:read_any",
            "/docker/web",
            "docker/web",
            "docker:read_any,system:read_any",
            True,
            id="two",
        ),
        pytest.param(
            "docker:read_own,system:read_any",
            "/docker/web",
            "docker/mail",
            "docker:read_any,system:read_any",
            False,
            id="two of another's",
        ),
        pytest.param("docker:read_own@docker/web", "/docker/web", "docker/db", None, False, id="bound elsewhere"),
        pytest.param("docker:read_own", "/docker/mail/watchers", "docker/db", None, True, id="where none is asked for"),
        pytest.param(
            "docker:read_own", "/docker/web/logs", "docker/mail", None, False, id="what the application filters"
        ),
    ],
)
def test_the_application_may_ask_about_another_resource(
    guarded: Any, ask: Any, scopes: str, path: str, resource: str, asked: str | None, allowed: bool
) -> None:
    """It is told what a request about that one would be, or what scopes are good for there."""
    assert context_after(ask(guarded(), scopes, "GET", path)).allows(resource, asked) is allowed


@pytest.mark.parametrize(
    ("role", "path", "resource", "allowed"),
    [
        pytest.param("viewer", "/times", "docker/web", True, id="one's own"),
        pytest.param("viewer", "/times", "docker/mail", False, id="another's"),
        pytest.param("viewer", "/times/web", "docker/mail", False, id="another's, from one's own"),
        pytest.param("user", "/times", "docker/mail", True, id="a role that reaches others'"),
        pytest.param("admin", "/profile/web", "docker/db", True, id="one's own where nobody reaches others'"),
        pytest.param("admin", "/profile/web", "docker/mail", False, id="another's there"),
    ],
)
@pytest.mark.parametrize("kind", ["token", "session", "session held to its role"])
@pytest.mark.parametrize("asked", [None, "system:read_any"], ids=["what the request needs", "a scope"])
def test_the_role_counts_there_too(
    guarded: Any,
    ask: Any,
    call: Any,
    store: TokenStore,
    kind: str,
    role: str,
    path: str,
    resource: str,
    asked: str | None,
    allowed: bool,
) -> None:
    """Whoever asks, and whether for what the request needs or for a scope: who is told to keep to what is theirs is not
    told besides that another's is theirs to read."""
    gate = guarded(sessions="role" if kind.endswith("role") else "free")
    store.add_owner("alice", role=role)
    reply = ask(gate, "system:read_any", "GET", path) if kind == "token" else call(gate, "GET", path, x_user="alice")
    assert context_after(reply).allows(resource, asked) is allowed


@pytest.mark.parametrize(
    ("role", "resource", "asked", "allowed"),
    [
        pytest.param("lodger", "docker/db", None, True, id="one's own"),
        pytest.param("lodger", "docker/mail", None, False, id="another's"),
        pytest.param("lodger", "docker/db", "docker:read_any", True, id="all, of one's own"),
        pytest.param("lodger", "docker/db", "docker:write_any", False, id="writing one's own"),
        pytest.param("viewer", "docker/mail", None, True, id="a viewer"),
        pytest.param("viewer", "docker/mail", "docker:write_any", False, id="a viewer who would write"),
    ],
)
def test_a_session_that_is_held_to_its_role_is_held_to_it_there(
    guarded: Any, call: Any, store: TokenStore, role: str, resource: str, asked: str | None, allowed: bool
) -> None:
    """As a token with everything would be."""
    gate = guarded(sessions="role")
    store.add_owner("alice", role=role)
    context = context_after(call(gate, "GET", "/docker/web", x_user="alice"))
    assert context.allows(resource, asked) is allowed


def test_a_session_that_is_not_reaches_everything_the_application_lets_it(guarded: Any, call: Any) -> None:
    """And nobody reaches nothing."""
    gate = guarded()
    context = context_after(call(gate, "GET", "/docker/web", x_user="alice"))
    assert (context.possession, context.allows("docker/mail"), context.reach) == ("any", True, None)
    context = context_after(call(gate, "GET", "/board/web/shown"))
    assert (context.possession, context.owner, context.allows("docker/stray")) == ("own", None, False)


def test_roles_per_resource_count_for_ones_own_things_there(guarded: Any, ask: Any) -> None:
    """The one in the resource that is asked about."""
    members = {"docker/web": "user", "docker/mail": "user", "docker/db": "tenant"}
    gate = guarded(resource_role=lambda owner, resource: members.get(resource))
    context = context_after(ask(gate, "docker:write_any", "PUT", "/docker/web"))
    assert [context.allows(f"docker/{name}") for name in ("mail", "db", "missing")] == [True, True, False]
    members["docker/mail"] = "tenant"
    assert not context.allows("docker/mail")
    members["docker/db"] = "lodger"
    assert not context.allows("docker/db")
    assert context.allows("docker/db", "docker:read_any")


@pytest.mark.parametrize(
    ("name", "public", "allowed"),
    [
        pytest.param("db", True, True, id="public and one's own"),
        pytest.param("db", False, False, id="one's own"),
        pytest.param("mail", True, False, id="public"),
        pytest.param("mail", False, False, id="neither"),
    ],
)
def test_a_public_only_token_is_told_of_what_is_public_and_its_own(
    guarded: Any, ask: Any, name: str, public: bool, allowed: bool
) -> None:
    """Neither makes up for the other there, either."""
    gate = guarded(visibility=lambda environ, resource: "public")
    context = context_after(ask(gate, "public-only,docker:read_own", "GET", "/docker/web"))
    assert context.allows(f"docker/{name}", public=public) is allowed
    assert context.allows(f"docker/{name}", "docker:read_any", public=public) is allowed


@pytest.mark.parametrize("asked", ["docker:read_own@docker/web", "public-only,docker:read_own", "docker:fly"])
def test_what_is_asked_about_is_a_scope_and_nothing_else(guarded: Any, ask: Any, asked: str) -> None:
    """Else it would be of two resources, or none; it is an error of the application."""
    context = context_after(ask(guarded(), "docker:read_own", "GET", "/docker/web"))
    with pytest.raises(ValueError):
        context.allows("docker/web", asked)
    assert context.allows("docker/web", "docker:read_own")


def test_where_roles_are_given_per_resource_each_has_to_be_asked_about(guarded: Any, call: Any) -> None:
    """Also for a session that is held to its role; not for one that is free."""
    for sessions, reach, allowed in (("role", ("*",), False), ("free", None, True)):
        gate = guarded(sessions=sessions, resource_role=role_in_web)
        context = context_after(call(gate, "GET", "/docker/web", x_user="alice"))
        assert (context.reach, context.allows("docker/mail")) == (reach, allowed)


def role_in_web(owner: str, resource: str) -> str | None:
    """Alice has a role in one of them."""
    return "user" if (owner, resource) == ("alice", "docker/web") else None


def test_a_method_in_another_letter_case_is_asked_about_in_both_readings(guarded: Any, ask: Any) -> None:
    """Reading all, and writing one's own."""
    gate = guarded()
    context = context_after(ask(gate, "docker:read_any,docker:write_own", "get", "/docker/web", strict=False))
    assert (context.allows("docker/db"), context.allows("docker/mail")) == (True, False)
    context = context_after(ask(gate, "docker:write_any", "get", "/docker/web", strict=False))
    assert context.allows("docker/mail")


def test_nonsense_there_is_an_error_of_the_application(guarded: Any, ask: Any, owners: Owners) -> None:
    """It asked, so it is told; True it is not."""
    context = context_after(ask(guarded(), "docker:read_own", "GET", "/docker/web"))
    owners["docker/mail"] = ["alice"]
    with pytest.raises(TypeError, match="resource_owner"):
        context.allows("docker/mail")


def test_what_one_owns_is_in_reach(guarded: Any, ask: Any, call: Any, store: TokenStore) -> None:
    """A list of one's own is not empty: `reach` names nothing in particular, so each has to be asked about."""
    gate = guarded()
    for path in ("/docker", "/shown"):
        context = context_after(ask(gate, "docker:read_own", "GET", path))
        assert context.reach in (None, ("*",))
        context = context_after(ask(gate, "docker:read_any", "GET", path))
        assert context.reach is None
    context = context_after(ask(gate, "docker:read_own,docker:read_any@docker/mail", "GET", "/shown"))
    assert context.reach in (None, ("*",))
    assert [context.allows(f"docker/{name}") for name in ("web", "mail", "stray")] == [True, True, False]
    context = context_after(ask(gate, "docker:read_any@docker/mail", "GET", "/shown"))
    assert context.reach == ("docker/mail",)


# -- in report mode


@pytest.mark.parametrize(
    ("scopes", "path", "possession", "reported"),
    [
        pytest.param("docker:read_own", "/docker/web", "own", False, id="one's own"),
        pytest.param("docker:read_own", "/docker/mail", "own", True, id="another's"),
        pytest.param("docker:read_own", "/docker", "own", False, id="a list"),
        pytest.param("docker:read_own", "/closed", "own", True, id="a list where that is refused"),
        pytest.param("vms:read_any", "/docker", "own", True, id="without the scope"),
        pytest.param("docker:read_any", "/docker/mail", "any", False, id="all"),
    ],
)
def test_in_report_mode_the_application_is_told_to_keep_to_what_is_the_callers(
    guarded: Any,
    ask: Any,
    scopes: str,
    path: str,
    possession: str,
    reported: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing is refused, and nobody is told that what was denied may be shown."""
    reply = ask(guarded(mode="report"), scopes, "GET", path)
    assert context_after(reply).possession == possession
    assert ("would have refused" in caplog.text) is reported


@pytest.mark.parametrize("path", ["/docker/mail", "/times/mail", "/docker", "/free"])
def test_in_report_mode_nobody_owns_anything_either(guarded: Any, call: Any, path: str) -> None:
    """An anonymous request that would have been refused."""
    context = context_after(call(guarded(mode="report"), "GET", path))
    assert (context.possession, context.allows("docker/stray")) == ("own", False)


# -- decisions as such


@pytest.mark.parametrize(
    ("one", "other", "answer"),
    [
        pytest.param(ALLOWED, ALLOWED, ALLOWED, id="both"),
        pytest.param(ALLOWED, ALLOWED_OWN, ALLOWED_OWN, id="the second for one's own"),
        pytest.param(ALLOWED_OWN, ALLOWED, ALLOWED_OWN, id="the first for one's own"),
        pytest.param(ALLOWED_OWN, ALLOWED_OWN, ALLOWED_OWN, id="both for one's own"),
        pytest.param(NOT_OWNED, ALLOWED, NOT_OWNED, id="the first denied"),
        pytest.param(ALLOWED, NOT_OWNED, NOT_OWNED, id="the second denied"),
        pytest.param(ALLOWED_OWN, NOT_OWNED, NOT_OWNED, id="the second denied, the first for one's own"),
        pytest.param(NOT_OWNED, ALLOWED_OWN, NOT_OWNED, id="the first denied, the second for one's own"),
        pytest.param(TOKEN_REQUIRED, NOT_OWNED, TOKEN_REQUIRED, id="both denied"),
    ],
)
def test_of_two_decisions_the_one_that_allows_less_counts(one: Any, other: Any, answer: Any) -> None:
    """Of two denials the first."""
    assert both(one, other) is answer


def test_what_is_not_owned_is_out_of_reach_and_may_be_hidden() -> None:
    """As what a token does not reach."""
    assert (NOT_OWNED.code, NOT_OWNED.status, NOT_OWNED in HIDDEN) == (OUT, 403, True)
    assert (ALLOWED_OWN.allowed, ALLOWED_OWN.own, ALLOWED.own, PREFLIGHT.own) == (True, True, False, False)
    assert TOKEN_REQUIRED not in HIDDEN
