"""A tour of what happens to tokens, over HTTP: roles, binding, public-only, rotation, revocation.

    python examples/gitea/tour.py [--database URL]

It serves the forge behind the gate on a free port, asks what a client would ask, and says what came back. It ends with
status 1 if anything came back otherwise than it should. The database may be SQLite (by default a temporary one),
PostgreSQL or MariaDB; what it makes there has names of its own.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from scopeware import Policy, Scopeware, TokenStore

sys.path.insert(0, str(Path(__file__).resolve().parent))
from app import POLICY, Forge

MAX_STALENESS = 0.0
"""Ask each time, so that every step shows on the very next request on networked databases, too."""


class Quiet(WSGIRequestHandler):
    """Says nothing about requests."""

    def log(self, *_: object) -> None:
        """The tour itself says what happens."""


class Tour:
    """Asks, and compares.

    :param url: where the forge is.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self.surprises = 0

    def ask(self, what: str, secret: str, method: str, path: str, *, status: int, code: str | None = None) -> Any:
        """The JSON that came back; what is printed says whether it came as expected."""
        request = urllib.request.Request(  # noqa: S310  # a URL of our own
            f"{self._url}/api/v1{path}",
            method=method,
            data=b"{}" if method in ("POST", "PATCH") else None,
            headers={"Authorization": f"Bearer {secret}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request) as answer:  # noqa: S310
                came, body = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            came, body = error.code, error.read()
        data = json.loads(body) if body else None
        said = data.get("code") if isinstance(data, dict) else None
        fine = came == status and (code is None or said == code)
        self.surprises += not fine
        outcome = f"{came} {said or ''}".strip()
        print(f"  {'ok ' if fine else 'NO '} {what}: {method} {path} -> {outcome}")
        if not fine:
            print(f"      expected {status} {code or ''}")
        return data


def main() -> int:
    """Run it; 0 if everything came as expected."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", metavar="URL")
    with tempfile.TemporaryDirectory() as folder:
        database = parser.parse_args().database or f"sqlite:///{folder}/tokens.db"
        networked = not database.startswith("sqlite:")
        store = TokenStore.connect(database, **({"max_staleness": MAX_STALENESS} if networked else {}))
        forge = Forge(Path(folder) / "forge.db")
        gate = Scopeware(forge, Policy.load(POLICY), store, visibility=forge.visibility)
        server = make_server("127.0.0.1", 0, gate, threaded=True, request_handler=Quiet)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            return visit(store, Tour(f"http://127.0.0.1:{server.server_port}"))
        finally:
            server.shutdown()
            server.server_close()
            store.close()


def visit(store: TokenStore, tour: Tour) -> int:
    """All stations, with alice's tokens."""
    trip = secrets.token_hex(3)

    def issue(name: str, scopes: str, expires_in: str = "1h", **more: Any) -> Any:
        return store.issue(owner="alice", name=f"{name} {trip}", scopes=scopes, expires_in=expires_in, **more)

    if "alice" not in {owner.name for owner in store.owners()}:
        store.add_owner("alice")
    store.set_role("alice", "user")

    print("A role is a ceiling, now")
    writer = issue("writer", "write:repository")
    tour.ask("a user may write", writer.secret, "PATCH", "/repos/alice/widgets", status=200)
    store.set_role("alice", "viewer")
    tour.ask("demoted, no more", writer.secret, "PATCH", "/repos/alice/widgets", status=403, code="insufficient_scope")
    tour.ask("but may read", writer.secret, "GET", "/repos/alice/widgets", status=200)
    shown = store.show(writer.token.id)
    print(f"      requested {shown.scopes}, effective {shown.effective}")
    store.set_role("alice", "user")

    print("Bound to a repository")
    bound = issue("bound", "read:user,write:repository@alice/widgets")
    tour.ask("within reach", bound.secret, "PATCH", "/repos/alice/widgets", status=200)
    tour.ask("out of reach", bound.secret, "GET", "/repos/alice/diary", status=403, code="resource_out_of_reach")
    tour.ask(
        "no such thing, same answer", bound.secret, "GET", "/repos/alice/x", status=403, code="resource_out_of_reach"
    )
    tour.ask("about no repository", bound.secret, "GET", "/user", status=200)
    listed = tour.ask("a list shows what is within reach", bound.secret, "GET", "/user/repos", status=200)
    names = [repository["full_name"] for repository in listed]
    print(f"      {names}")
    tour.surprises += names != ["alice/widgets"]

    print("Public only")
    public = issue("public", "public-only,read:repository")
    tour.ask("a public repository", public.secret, "GET", "/repos/alice/widgets", status=200)
    tour.ask("a private one", public.secret, "GET", "/repos/alice/diary", status=403, code="public_only")

    print("Made with a token: never more than that")
    parent = store.authenticate(writer.secret)
    child = issue("child", "read:repository", "30m", parent=parent)
    tour.ask("the child reads", child.secret, "GET", "/repos/alice/widgets", status=200)
    try:
        issue("greedy", "all", "30m", parent=parent)
        tour.surprises += 1
    except ValueError as error:
        print(f"  ok  refused: {error}")

    print("Rotated")
    rotated = store.rotate(writer.token.id, grace=timedelta(minutes=5))
    tour.ask("the new secret", rotated.secret, "GET", "/repos/alice/widgets", status=200)
    tour.ask("the old one, in its grace", writer.secret, "GET", "/repos/alice/widgets", status=200)
    again = store.rotate(rotated.token.id)
    tour.ask("rotated without grace", rotated.secret, "GET", "/repos/alice/widgets", status=401, code="token_rotated")

    print("Revoked")
    store.revoke(again.token.id)
    tour.ask("the token", again.secret, "GET", "/repos/alice/widgets", status=401, code="token_revoked")
    tour.ask("the old one in its grace", writer.secret, "GET", "/repos/alice/widgets", status=401)
    tour.ask("what was made with it", child.secret, "GET", "/repos/alice/widgets", status=401, code="token_revoked")

    log = store.access_log()
    store.background.work()
    latest = log.latest(limit=3)
    print("The last lines of the access log")
    for record in reversed(latest):
        entry = record.entry
        outcome = f"{entry.status} {entry.code or entry.decision}"
        print(f"      {entry.owner} ...{entry.hint} {entry.method} {entry.path} {outcome}")
    tour.surprises += len(latest) != 3
    print("Everything came as expected." if not tour.surprises else f"{tour.surprises} surprises.")
    return 1 if tour.surprises else 0


if __name__ == "__main__":
    sys.exit(main())
