"""Functions of the application that the policy names: found when a gate is made, asked as if they had been given."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scopeware import Policy, Scopeware, TokenStore
from scopeware.errors import ConfigurationError
from scopeware.gate import Denied
from scopeware.tokens import Account

OUT = "resource_out_of_reach"

POLICY = """
[policy]
public_only = "check"

[vocabulary]
name = "server"
actions = ["read", "write", "read_own"]
own = { read = "read_own" }
public_only = "public-only"
categories = { docker = "", misc = "" }

[[group]]
path = "/docker/<name>"
scopes = ["docker"]
resource = "<name>"

[[group]]
path = "/times/<name>"
scopes = ["docker"]
resource = "<name>"
others = ["admin"]

[hooks]
"""

APPLICATION = """
from scopeware.tokens import Account

asked = []
ACCOUNTS = {"alice": Account("admin"), "bob": Account("viewer"), "eve": Account("user", active=False)}


def identify(environ):
    return environ.get("HTTP_X_USER")


def visibility(environ, resource):
    return {"web": "public"}.get(resource)


def resource_role(owner, resource):
    return {("alice", "web"): "user", ("alice", "db"): "viewer"}.get((owner, resource))


def resource_owner(resource):
    return {"web": "alice", "mail": "bob"}.get(resource)


def accounts(name):
    return ACCOUNTS.get(name)


def not_found(environ, start_response):
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b"nothing here"]


def log_sink(entries):
    asked.append(entries)


def observe(environ, context):
    asked.append((environ["REQUEST_METHOD"], context.decision))
"""


@pytest.fixture
def store() -> Iterator[TokenStore]:
    """An empty token store; in memory, for none of this is about files."""
    made = TokenStore.connect("sqlite:///:memory:")
    yield made
    made.close()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """``module(source)``: the name of a new module that can be imported; by default that of the application."""
    monkeypatch.syspath_prepend(tmp_path)
    count = iter(range(100))

    def make(source: str = APPLICATION) -> str:
        name = f"site_{next(count)}"
        (tmp_path / f"{name}.py").write_text(source, "utf-8")
        importlib.invalidate_caches()
        return name

    yield make
    for name in [name for name in sys.modules if name.startswith("site_")]:
        del sys.modules[name]


@pytest.fixture
def named(make_gate: Any, module: Any) -> Any:
    """``named("identify", "visibility")``: a gate whose policy names these functions of the application."""

    def make(*hooks: str, source: str = APPLICATION, **options: Any) -> Any:
        name = module(source)
        lines = "\n".join(f'{hook} = "{name}:{hook}"' for hook in hooks)
        return make_gate(policy=POLICY + lines, **options)

    return make


@pytest.fixture
def ask(call: Any, issue: Any) -> Any:
    """``ask(gate, scopes, path)``: what a new token of alice's is answered."""

    def send(gate: Any, scopes: str, path: str, *, method: str = "GET", owner: str = "alice", **more: Any) -> Any:
        return call(gate, method, path, authorization=f"Bearer {issue(scopes, owner=owner)}", **more)

    return send


# -- each of them does what it does as a keyword


def test_identify_names_who_is_signed_in(named: Any, call: Any) -> None:
    """Without it nobody is."""
    reply = call(named("identify"), "GET", "/docker/web", x_user="bob")
    assert (reply.status, reply.record.environ["REMOTE_USER"]) == (200, "bob")
    assert call(named(), "GET", "/docker/web", x_user="bob").code == "token_required"


def test_visibility_says_what_is_public(named: Any, ask: Any) -> None:
    """Without it nothing is."""
    gate = named("visibility")
    assert ask(gate, "public-only,read:docker", "/docker/web").status == 200
    assert ask(gate, "public-only,read:docker", "/docker/mail").code == "public_only"
    assert ask(named(), "public-only,read:docker", "/docker/web").code == "public_only"


def test_resource_role_gives_roles_per_resource(named: Any, ask: Any) -> None:
    """Without it the one role counts everywhere."""
    gate = named("resource_role")
    assert gate.by_resource
    assert ask(gate, "write:docker", "/docker/web", method="PUT").status == 200
    assert ask(gate, "write:docker", "/docker/db", method="PUT").code == "insufficient_scope"
    assert ask(gate, "write:docker", "/docker/mail").code == OUT
    gate = named()
    assert not gate.by_resource
    assert ask(gate, "write:docker", "/docker/mail", method="PUT").status == 200


def test_resource_owner_says_whose_it_is(named: Any, ask: Any) -> None:
    """Without it nothing is anybody's."""
    gate = named("resource_owner")
    assert ask(gate, "read_own:docker", "/docker/web").status == 200
    assert ask(gate, "read_own:docker", "/docker/mail").code == OUT
    assert ask(gate, "read:docker", "/times/mail").code == OUT
    assert ask(named(), "read_own:docker", "/docker/web").code == OUT


def test_accounts_tell_role_and_activity(named: Any, ask: Any, store: TokenStore) -> None:
    """To the store itself: at each use of a token, for sessions, and where tokens are made."""
    gate = named("accounts", "resource_owner")
    assert store.has_accounts
    assert ask(gate, "write:docker", "/docker/web", method="PUT").status == 200
    assert ask(gate, "read:docker", "/times/mail").record.environ["scopeware"].possession == "any"
    assert ask(gate, "write:docker", "/docker/web", method="PUT", owner="bob").code == "insufficient_scope"
    assert ask(gate, "read:docker", "/docker/web", owner="eve").code == "owner_inactive"
    assert ask(gate, "read:docker", "/docker/web", owner="unheard-of").code == "owner_inactive"
    assert store.account("alice") == Account("admin")
    assert store.account("unheard-of") is None


def test_accounts_tell_the_role_of_sessions(named: Any, call: Any) -> None:
    """Where a rule asks for it."""
    gate = named("accounts", "identify", "resource_owner")
    answers = {user: call(gate, "GET", "/times/web", x_user=user).code for user in ("alice", "bob", "eve")}
    assert answers == {"alice": None, "bob": OUT, "eve": OUT}


def test_not_found_answers_where_something_is_out_of_reach(named: Any, ask: Any) -> None:
    """By the token's resources, and by whose it is; not what lacks a scope."""
    gate = named("not_found", "resource_owner")
    for scopes in ("read:docker@web", "read_own:docker"):
        reply = ask(gate, scopes, "/docker/mail")
        assert (reply.status, reply.body, reply.record.calls) == (404, b"nothing here", 0)
    assert ask(gate, "read:misc", "/docker/mail").code == "insufficient_scope"
    assert ask(named("resource_owner"), "read_own:docker", "/docker/mail").code == OUT


def test_observe_and_the_sink_are_told(named: Any, ask: Any, store: TokenStore) -> None:
    """Of what passes and of what does not."""
    gate = named("observe", "log_sink")
    asked = sys.modules[gate.policy.hooks.observe.partition(":")[0]].asked
    ask(gate, "read:docker", "/docker/web")
    ask(gate, "read:misc", "/docker/web")
    observed = [decision for method, decision in asked if method == "GET"]
    assert [isinstance(decision, Denied) for decision in observed] == [False, True]
    asked.clear()
    gate.access_log.flush()
    assert [(entry.code, entry.path) for entries in asked for entry in entries] == [
        (None, "/docker/web"),
        ("insufficient_scope", "/docker/web"),
    ]


def test_without_hooks_nobody_is_asked(named: Any, ask: Any, call: Any) -> None:
    """And the gate works."""
    gate = named()
    assert ask(gate, "read:docker", "/docker/mail").status == 200
    assert call(gate, "GET", "/docker/mail", x_user="alice").status == 401


# -- keywords come first


def gone(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Another answer than the application's own."""
    start_response("410 Gone", [("Content-Type", "text/plain")])
    return [b"gone"]


REPLACED = [
    pytest.param("identify", lambda environ: "keyword", id="identify"),
    pytest.param("visibility", lambda environ, resource: "public", id="visibility"),
    pytest.param("resource_role", lambda owner, resource: "user", id="resource_role"),
    pytest.param("resource_owner", lambda resource: "alice", id="resource_owner"),
    pytest.param("not_found", gone, id="not_found"),
    pytest.param("log_sink", lambda entries: None, id="log_sink"),
    pytest.param("observe", lambda environ, context: None, id="observe"),
]


@pytest.mark.parametrize(("hook", "keyword"), REPLACED)
def test_what_is_given_to_the_gate_takes_the_place_of_what_the_policy_names(
    named: Any, call: Any, issue: Any, hook: str, keyword: Any
) -> None:
    """The other one is not even imported, so it need not be there."""
    broken = 'raise AssertionError("it was imported")'
    gate = named(hook, source=broken, **{hook: keyword})
    replies = [
        call(gate, "GET", path, authorization=f"Bearer {issue(scopes)}")
        for path, scopes in (
            ("/docker/mail", "public-only,read:docker"),
            ("/docker/mail", "read_own:docker"),
            ("/docker/mail", "read:docker@web"),
        )
    ]
    bare = ["public_only", OUT, OUT]
    expected = {
        "visibility": [None, OUT, OUT],
        "resource_owner": ["public_only", None, OUT],
        "not_found": ["public_only", None, None],
    }
    assert [reply.code for reply in replies] == expected.get(hook, bare)
    assert [reply.status for reply in replies[1:]] == [410, 410] or hook != "not_found"
    assert (call(gate, "GET", "/docker/mail").status == 200) is (hook == "identify")


class Empty(dict):  # type: ignore[type-arg]
    """Something that can be called, and has nothing in it as yet."""

    def __call__(self, *arguments: Any) -> Any:
        return self.get(str(arguments[-1]))


@pytest.mark.parametrize("hook", ["identify", "visibility", "resource_role", "resource_owner"])
def test_what_is_given_counts_though_it_is_empty_as_yet(
    named: Any, ask: Any, call: Any, store: TokenStore, hook: str
) -> None:
    """A table of members without members lets nobody in; it is no missing table."""
    gate = named(hook, **{hook: Empty()})
    assert ask(gate, "public-only,read:docker", "/docker/web").status == 403
    assert ask(gate, "read_own:docker", "/docker/web").code == OUT
    assert call(gate, "GET", "/docker/web", x_user="alice").status == 401
    assert gate.by_resource is (hook == "resource_role")
    assert (ask(gate, "read:docker", "/docker/web").status == 403) is (hook == "resource_role")


def test_an_empty_table_of_roles_is_asked_though_the_policy_names_none(make_gate: Any, ask: Any) -> None:
    """Else everybody would have every resource until the first member is added."""
    members = Empty()
    gate = make_gate(policy=POLICY, resource_role=members)
    assert ask(gate, "read:docker", "/docker/web").code == OUT
    members["web"] = "user"
    assert ask(gate, "read:docker", "/docker/web").status == 200


def test_accounts_of_a_store_come_before_those_of_the_policy(tmp_path: Path, named: Any, module: Any) -> None:
    """They were chosen on purpose; the others are not even imported."""
    own = TokenStore.connect(f"sqlite:///{tmp_path}/own.db", accounts={"alice": Account("viewer")}.get)
    named("accounts")
    name = module('raise AssertionError("it was imported")')
    Scopeware(lambda environ, start_response: [], Policy.loads(f'{POLICY}accounts = "{name}:f"'), own)
    assert own.account("alice") == Account("viewer")
    assert own.account("bob") is None
    own.close()


def test_a_second_gate_on_a_store_keeps_its_accounts(named: Any, store: TokenStore) -> None:
    """One store has one user table."""
    named("accounts")
    named("accounts", source="def accounts(name):\n    raise AssertionError(name)")
    assert store.account("alice") == Account("admin")


# -- what cannot be


HOOKS = ["identify", "visibility", "resource_role", "resource_owner", "accounts", "not_found", "log_sink", "observe"]


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize(
    ("source", "problem"),
    [
        pytest.param("", "cannot be imported: AttributeError", id="nothing of that name"),
        pytest.param("raise RuntimeError('not my day')", "RuntimeError: not my day", id="an error"),
        pytest.param("{hook} = 7", "cannot be called", id="nothing to call"),
    ],
)
def test_a_hook_that_cannot_be_found_stops_the_start(named: Any, hook: str, source: str, problem: str) -> None:
    """With the table and the key; no request is ever answered without it."""
    with pytest.raises(ConfigurationError) as caught:
        named(hook, source=source.format(hook=hook))
    assert caught.value.where.endswith(f"hooks.{hook}")
    assert problem in caught.value.problem


@pytest.mark.parametrize("hook", [hook for hook in HOOKS if hook != "accounts"])
def test_a_keyword_that_cannot_be_called_stops_the_start(make_gate: Any, hook: str) -> None:
    """With its name."""
    for wrong in (7, "app:identify", [], object()):
        with pytest.raises(ConfigurationError) as caught:
            make_gate(policy=POLICY, **{hook: wrong})
        assert caught.value.where == hook


FAILING = [
    pytest.param("raise RuntimeError('not my day')", id="an error"),
    pytest.param("raise StopIteration", id="an iteration that is over"),
    pytest.param("return 7", id="a number"),
    pytest.param("return True", id="True"),
    pytest.param("return b'alice'", id="bytes"),
    pytest.param("return ['admin']", id="a list"),
    pytest.param("return {'role': 'admin'}", id="a table"),
    pytest.param("return object()", id="an object"),
]


@pytest.mark.parametrize("body", FAILING)
@pytest.mark.parametrize("hook", ["identify", "resource_role", "resource_owner", "accounts"])
def test_nonsense_is_a_500_and_lets_nobody_in(
    named: Any, call: Any, issue: Any, store: TokenStore, hook: str, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Logged, and nothing of what went wrong is said."""
    secret = issue_before(store, "read_own:docker")
    gate = named(hook, source=f"def {hook}(*arguments):\n    {body}\n")
    headers = {} if hook == "identify" else {"authorization": f"Bearer {secret}"}
    reply = call(gate, "GET", "/docker/web", **headers)
    assert (reply.status, reply.code, reply.record.calls) == (500, "internal_error", 0)
    assert b"not my day" not in reply.body
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def issue_before(store: TokenStore, scopes: str) -> str:
    """A token of a store that speaks the policy's vocabulary already."""
    policy = Policy.loads(POLICY)
    store.use(policy.vocabulary, policy.roles, "swt")
    return store.issue(owner="alice", name="before", scopes=scopes).secret


@pytest.mark.parametrize("body", FAILING)
def test_nonsense_is_nothing_public(named: Any, ask: Any, body: str) -> None:
    """Only one word is."""
    gate = named("visibility", source=f"def visibility(environ, resource):\n    {body}\n")
    reply = ask(gate, "public-only,read:docker", "/docker/web")
    assert (reply.status, reply.record.calls) == (500 if "raise" in body else 403, 0)
    assert ask(gate, "read:docker", "/docker/web").status == 200


@pytest.mark.parametrize("role", ["''", "None", "'unheard-of'", "7", "['admin']", "True", "'Admin'", "b'admin'"])
def test_an_account_of_a_role_that_is_none_is_worth_nothing(
    named: Any, call: Any, store: TokenStore, role: str
) -> None:
    """A refusal or a 500; whichever it is, nobody gets in."""
    secret = issue_before(store, "write:docker")
    source = f"from scopeware.tokens import Account\ndef accounts(name):\n    return Account({role})\n"
    reply = call(named("accounts", source=source), "GET", "/docker/web", authorization=f"Bearer {secret}")
    assert (reply.status in (403, 500), reply.record.calls) == (True, 0)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("return None", id="None"),
        pytest.param("return 7", id="a number"),
        pytest.param("raise RuntimeError('not my day')", id="an error"),
        pytest.param("return [7]", id="no bytes"),
    ],
)
def test_a_not_found_that_is_no_application_lets_nobody_in(named: Any, ask: Any, app: Any, body: str) -> None:
    """The server gets to see the error, as of any application."""
    gate = named("not_found", "resource_owner", source=f"{APPLICATION}\ndef not_found(*arguments):\n    {body}\n")
    with pytest.raises((TypeError, RuntimeError)):
        ask(gate, "read_own:docker", "/docker/mail", strict=False)
    assert app.calls == 0
    assert ask(gate, "read_own:docker", "/docker/web").status == 200


def test_observing_that_fails_lets_nobody_in(named: Any, ask: Any) -> None:
    """What is to be seen of each decision is not decided in the dark."""
    reply = ask(named("observe", source="def observe(*arguments):\n    raise KeyError\n"), "read:docker", "/docker/web")
    assert (reply.status, reply.record.calls) == (500, 0)
