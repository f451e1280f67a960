"""What tests of the gate share: a store, a small policy, an application that keeps what it saw, and a strict caller."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from calls import Recorder, Reply, call_gate

from scopeware import Policy, Scopeware, TokenStore

POLICY = """
[policy]
prefix = "/api/v1"

[[group]]
path = "/user"
scopes = ["user"]

[[group]]
path = "/users/<username>/orgs"
scopes = ["user", "organization"]

[[group]]
path = "/users/<username>/mail"
scopes = ["user"]
owner = "<username>"
self_or_admin = true

[[group]]
path = "/repos/<owner>/<repo>"
scopes = ["repository"]
resource = "<owner>/<repo>"
public_only = "check"
  [[group.route]]
  path = "/markdown"
  methods = ["POST"]
  action = "read"

[[group]]
path = "/issues"
scopes = ["issue"]
public_only = "reject"

[[group]]
path = "/packages"
scopes = ["package"]
public_only = "allow"

[[group]]
path = "/admin"
scopes = ["admin"]

[[group]]
path = "/either"
scopes = []
any_of = [["read:issue"], ["read:package", "read:misc"]]

[[group]]
path = "/fixed"
scopes = ["write:misc"]

[[group]]
path = "/anyone"
scopes = []

[[group]]
path = "/tokens-only"
scopes = []
accept = "token"

[[group]]
path = "/sessions-only"
scopes = []
accept = "session"

[[group]]
path = "/version"
require_token = false
scopes = []

[[group]]
path = "/optional"
require_token = false
scopes = ["misc"]
"""


@pytest.fixture
def call() -> Callable[..., Reply]:
    """``call(app, method, path, **headers)``: see :func:`call_gate`."""
    return call_gate


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TokenStore]:
    """An empty token store in a file."""
    made = TokenStore.connect(f"sqlite:///{tmp_path}/tokens.db")
    yield made
    made.close()


@pytest.fixture
def policy() -> Policy:
    """A policy with one group of each kind."""
    return Policy.loads(POLICY)


@pytest.fixture
def app() -> Recorder:
    """The application behind the gate."""
    return Recorder()


@pytest.fixture
def make_gate(app: Recorder, policy: Policy, store: TokenStore) -> Callable[..., Scopeware]:
    """``make_gate(**options)``; ``app=`` and ``policy=`` (text, too) replace the usual ones."""

    def make(**options: Any) -> Scopeware:
        rules = options.pop("policy", policy)
        wrapped = options.pop("app", app)
        return Scopeware(wrapped, Policy.loads(rules) if isinstance(rules, str) else rules, store, **options)

    return make


@pytest.fixture
def gate(make_gate: Callable[..., Scopeware]) -> Scopeware:
    """The gate with its defaults, in front of :func:`app`."""
    return make_gate()


@pytest.fixture
def issue(store: TokenStore) -> Callable[..., str]:
    """``issue("read:user", owner="alice")``: the secret of a new token."""
    count = iter(range(1_000_000))

    def make(scopes: str, *, owner: str = "alice", **options: Any) -> str:
        return store.issue(owner=owner, name=f"token {next(count)}", scopes=scopes, **options).secret

    return make


@pytest.fixture
def spoiled(store: TokenStore, issue: Callable[..., str], tmp_path: Path) -> Callable[[str], str]:
    """``spoiled("token_revoked")``: the secret of a token that is refused with that code."""

    def make(code: str) -> str:
        secret = issue("all", owner="carol")
        found = store.find(secret)
        assert found is not None
        if code == "token_revoked":
            store.revoke(found.id)
        elif code == "owner_inactive":
            store.disable_owner("carol")
        elif code == "token_expired":
            with sqlite3.connect(tmp_path / "tokens.db") as connection:
                connection.execute("UPDATE scopeware_token SET expires_at = 1 WHERE id = ?", (found.id,))
            connection.close()
        else:
            assert code == "token_invalid"
            return secret[:-1]
        return secret

    return make
