"""What tests of the gate share: a store, a small policy, an application that keeps what it saw, and a strict caller."""

from __future__ import annotations

import io
import json
import sqlite3
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from wsgiref.validate import WSGIWarning, validator

import pytest

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

StartResponse = Callable[..., Callable[[bytes], object]]


@dataclass
class Recorder:
    """A WSGI application that answers 200 and keeps a copy of every environ it was called with."""

    environs: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        self.environs.append(dict(environ))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"the application"]

    @property
    def calls(self) -> int:
        """How often it was called."""
        return len(self.environs)

    @property
    def environ(self) -> dict[str, Any]:
        """What it was called with last."""
        return self.environs[-1]


@dataclass(frozen=True)
class Reply:
    """An answer, read to its end and closed; `record` is the wrapped application, where that is a recorder."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes
    record: Any

    def all(self, name: str) -> list[str]:
        """The values of all header lines of that name, in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        """The value of the one line of that name; ``None`` without one."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} is there {len(values)} times"
        return values[0] if values else None

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        """The reason code of a refusal in the default style; ``None`` for what the application answered."""
        return self.json["code"] if self.header("Content-Type") == "application/problem+json" else None


def _environ(method: str, path: str, extra: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    body = extra.pop("body", b"")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "forge.example",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "forge.example",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body) if isinstance(body, bytes) else body,
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if isinstance(body, bytes) and body:
        environ["CONTENT_LENGTH"] = str(len(body))
    environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    return environ | extra


def call_gate(
    app: Any, method: str, path: str, *, environ: dict[str, Any] | None = None, strict: bool = True, **headers: str
) -> Reply:
    """Call a WSGI application and read its whole answer.

    :param environ: keys to set besides the usual ones; ``body`` is what stands in ``wsgi.input``.
    :param strict: whether to let `wsgiref.validate` watch; it refuses environs that servers should not make but do.
    :param headers: request headers; ``x_api_key="..."`` is ``X-API-Key``.
    """
    started: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(status: str, lines: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        started.append((status, lines))
        return written.append

    made = _environ(method, path, dict(environ or {}), headers)
    with warnings.catch_warnings():
        # It warns of methods it does not know.
        warnings.simplefilter("ignore", WSGIWarning)
        result = (validator(app) if strict else app)(made, start_response)
        try:
            body = b"".join(result)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()
    status, lines = started[-1]
    number, _, reason = status.partition(" ")
    return Reply(int(number), reason, lines, b"".join(written) + body, getattr(app, "app", None))


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
                connection.execute("UPDATE token SET expires_at = 1 WHERE id = ?", (found.id,))
            connection.close()
        else:
            assert code == "token_invalid"
            return secret[:-1]
        return secret

    return make
