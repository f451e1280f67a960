"""A CI server with the shape of InfraBox's API: projects, builds, jobs and clusters, in SQLite.

It checks no token. Who is calling stands in the environ as ``REMOTE_USER``. What is its own: it signs people in, with a
cookie; it knows their roles; and it shows everybody the projects they collaborate on, and no other. Personal tokens are
in the store of the gate, which it asks for the caller's own.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import sqlite3
import tempfile
import time
from collections.abc import Iterable
from contextlib import closing
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import Conflict, Forbidden, HTTPException, NotFound, Unauthorized, UnprocessableEntity
from werkzeug.routing import IntegerConverter, Map, Rule
from werkzeug.security import check_password_hash, generate_password_hash
from werkzeug.wrappers import Request, Response

from scopeware.tokens import Account, LogEntry, LogFilter, NameTaken, NoSuchOwner, TokenInfo, TokenRefused

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from scopeware import Scopeware

logger = logging.getLogger(__name__)

PASSWORD = "infrabox"  # noqa: S105  # everybody's, as this is an example
COOKIE = "infrabox_session"
_SESSION_SECONDS = 12 * 3600

_SCHEMA = """
CREATE TABLE user (name TEXT PRIMARY KEY, role TEXT NOT NULL, active INTEGER NOT NULL DEFAULT 1,
                   password TEXT NOT NULL DEFAULT '');
CREATE TABLE session (digest TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES user, expires INTEGER NOT NULL);
CREATE TABLE project (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE collaborator (project INTEGER NOT NULL REFERENCES project ON DELETE CASCADE,
                           user TEXT NOT NULL REFERENCES user,
                           role TEXT NOT NULL CHECK (role IN ('Developer', 'Administrator', 'Owner')),
                           PRIMARY KEY (project, user));
CREATE TABLE build (id INTEGER PRIMARY KEY, project INTEGER NOT NULL REFERENCES project ON DELETE CASCADE,
                    number INTEGER NOT NULL, UNIQUE (project, number));
CREATE TABLE job (id INTEGER PRIMARY KEY, build INTEGER NOT NULL REFERENCES build ON DELETE CASCADE,
                  name TEXT NOT NULL, state TEXT NOT NULL);
CREATE TABLE cluster (name TEXT PRIMARY KEY, active INTEGER NOT NULL)
"""
_ROWS: dict[str, list[tuple[object, ...]]] = {
    "user (name, role)": [("adam", "admin"), ("dana", "devops"), ("uma", "user"), ("ugo", "user"), ("vera", "viewer")],
    "project (id, name)": [(1, "website"), (2, "compiler"), (3, "ledger")],
    "collaborator (project, user, role)": [
        (1, "uma", "Owner"),
        *((1, user, "Developer") for user in ("adam", "dana", "vera")),
        (2, "uma", "Developer"),
        *((project, "ugo", "Owner") for project in (2, 3)),
    ],
    "build (id, project, number)": [(1, 1, 1), (2, 1, 2), (3, 2, 1), (4, 3, 1)],
    "job (build, name, state)": [(1, "test", "finished"), (2, "test", "running"), (3, "test", "failure")],
    "cluster (name, active)": [("master", 1), ("spare", 0)],
}
# Whatever is shown of projects is asked for with this.
_PROJECTS_OF = "SELECT id, name, role FROM project JOIN collaborator ON project = id WHERE user = ?"


class Server:
    """The application.

    :param database: a path; it is created with its data if it is not there.
    """

    def __init__(self, database: str | os.PathLike[str]) -> None:
        self._database = os.fspath(database)
        self._set_up()
        self._routes = Map(
            [
                Rule(f"/api/v1{path}", methods=[method], endpoint=endpoint)
                for method, path, endpoint in (
                    ("POST", "/account/login", self._sign_in),
                    ("GET", "/user/global-tokens", self._tokens),
                    ("POST", "/user/global-tokens", self._create_token),
                    ("DELETE", "/user/global-tokens/<row:token>", self._delete_token),
                    ("GET", "/user/global-tokens/<row:token>/access-log", self._token_log),
                    ("GET", "/admin/global-tokens", self._everybodys_tokens),
                    ("GET", "/admin/users", self._users),
                    ("POST", "/admin/users", self._edit_user),
                    ("GET", "/admin/clusters", self._clusters),
                    ("POST", "/admin/clusters", self._switch_cluster),
                    ("GET", "/projects", self._projects),
                    ("POST", "/projects", self._create_project),
                    ("GET", "/projects/<row:project>", self._project),
                    ("GET", "/projects/<row:project>/collaborators", self._collaborators),
                    ("POST", "/projects/<row:project>/trigger", self._trigger),
                    ("GET", "/projects/<row:project>/builds", self._builds),
                    ("GET", "/projects/<row:project>/builds/<row:build>", self._build),
                    ("GET", "/projects/<row:project>/builds/<row:build>/jobs", self._jobs),
                    ("GET", "/projects/<row:project>/builds/<row:build>/<any(restart, abort):how>", self._change),
                )
            ],
            converters={"row": _RowNumber},
            strict_slashes=False,
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            _hold_to_role(environ)
            endpoint, values = self._routes.bind_to_environ(environ).match()
            with closing(self._connect()) as connection, connection:
                response = endpoint(Call(Request(environ), connection), **values)
        except HTTPException as error:
            response = error.get_response(environ)
            response.data = json.dumps({"status": error.code, "message": error.description}) + "\n"
            response.content_type = "application/json"
        except Exception:
            logger.exception("a view failed")
            response = _json({"status": 500, "message": "the server failed"}, 500)
        return response(environ, start_response)

    def identify(self, environ: WSGIEnvironment) -> str | None:
        """Who is signed in, by the cookie: for :class:`scopeware.Scopeware`."""
        with closing(self._connect()) as connection:
            rows = connection.execute(
                "SELECT user.name FROM session JOIN user ON user.name = session.user "
                "WHERE session.digest = ? AND session.expires > ? AND user.active",
                (_digest(Request(environ).cookies.get(COOKIE, "")), int(time.time())),
            ).fetchall()
        return rows[0]["name"] if rows else None

    def account(self, name: str) -> Account | None:
        """The role of a user, and whether the account is active: for :class:`scopeware.TokenStore`."""
        with closing(self._connect()) as connection:
            row = connection.execute("SELECT role, active FROM user WHERE name = ?", (name,)).fetchone()
        return row and Account(row["role"], bool(row["active"]))

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._database)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = 1")
        return connection

    def _set_up(self) -> None:
        """Tables and rows, all or none: what is half there would never be finished."""
        with closing(self._connect()) as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            if connection.execute("PRAGMA user_version").fetchone()[0]:
                return
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            for table, rows in _ROWS.items():
                marks = ",".join("?" * len(rows[0]))
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608
            connection.execute("UPDATE user SET password = ?", (generate_password_hash(PASSWORD),))
            connection.execute("PRAGMA user_version = 1")

    # -- sessions

    def _sign_in(self, call: Call) -> Response:
        body = call.body(name=str, password=str)
        rows = call.rows("SELECT password FROM user WHERE name = ? AND active", body.get("name", ""))
        # Where there is no such user, another's is looked at, so that it takes as long.
        (row,) = rows or call.rows("SELECT password FROM user LIMIT 1")
        if not check_password_hash(row["password"], body.get("password", "")) or not rows:
            raise Unauthorized("wrong name or password")
        secret, now = secrets.token_urlsafe(32), int(time.time())
        call.change("DELETE FROM session WHERE expires <= ?", now)
        call.change("INSERT INTO session VALUES (?, ?, ?)", _digest(secret), body["name"], now + _SESSION_SECONDS)
        response = _json({"name": body["name"]})
        # Strict: no other site can make a browser ask for anything with it.
        options: Any = {"path": "/api/v1", "secure": call.request.is_secure, "httponly": True, "samesite": "Strict"}
        response.set_cookie(COOKIE, secret, max_age=_SESSION_SECONDS, **options)
        return response

    # -- personal tokens

    def _tokens(self, call: Call) -> Response:
        return _json([_token(token) for token in call.own_tokens() if token.revoked_at is None])

    def _create_token(self, call: Call) -> Response:
        body = call.body(description=str, expires_days=int)
        days = body.get("expires_days")
        try:
            issued = call.store.issue(
                owner=call.caller,
                name=body.get("description", ""),
                # Whoever makes it, an administrator too.
                scopes=call.store.roles.ceiling("viewer"),
                expires_in=None if days is None else f"{days}d",
            )
        except NameTaken as error:
            raise Conflict(error.problem) from None
        except TokenRefused as error:
            allowed = call.store.lifetimes
            expiry = f"expires_days: from {allowed.min_lifetime.days} to {allowed.max_lifetime.days}"
            raise UnprocessableEntity(f"description: {error.problem}" if error.field == "name" else expiry) from None
        return _json(_token(issued.token) | {"token": issued.secret}, 201)

    def _delete_token(self, call: Call, token: int) -> Response:
        found = call.own_token(token)
        # Whose it is is asked again where it ends, in the same transaction.
        if not call.store.revoke(found.id, by=call.caller):
            raise NotFound
        return _json({})

    def _token_log(self, call: Call, token: int) -> Response:
        wanted = LogFilter(token_id=call.own_token(token).id, owner=call.caller)
        return _json([_line(record.entry) for record in call.gate.access_log.latest(wanted, limit=200)])

    def _everybodys_tokens(self, call: Call) -> Response:
        return _json([_token(token) | {"owner": token.owner} for token in call.store.list(dead=True)])

    # -- administration

    def _users(self, call: Call) -> Response:
        return call.listing("SELECT name, role, active FROM user ORDER BY name")

    def _edit_user(self, call: Call) -> Response:
        body = call.body(name=str, role=str, active=bool)
        row = call.one("SELECT * FROM user WHERE name = ?", body.get("name", ""))
        role, active = body.get("role", row["role"]), body.get("active", bool(row["active"]))
        if role not in call.store.roles:
            raise UnprocessableEntity(f"role: one of {', '.join(call.store.roles)}")
        call.change("UPDATE user SET role = ?, active = ? WHERE name = ?", role, active, body["name"])
        return _json({"name": body["name"], "role": role, "active": active})

    def _clusters(self, call: Call) -> Response:
        return call.listing("SELECT name, active FROM cluster ORDER BY name")

    def _switch_cluster(self, call: Call) -> Response:
        body = call.body(name=str, active=bool)
        call.change("UPDATE cluster SET active = ? WHERE name = ?", body.get("active", False), body.get("name", ""))
        return self._clusters(call)

    # -- projects

    def _projects(self, call: Call) -> Response:
        return call.listing(f"{_PROJECTS_OF} ORDER BY id", call.caller)

    def _create_project(self, call: Call) -> Response:
        name = call.body(name=str).get("name", "").strip()
        if not name:
            raise UnprocessableEntity("name: a project needs one")
        try:
            call.change("INSERT INTO project (name) VALUES (?)", name)
        except sqlite3.IntegrityError:
            raise Conflict("there is a project of that name") from None
        call.change("INSERT INTO collaborator SELECT id, ?, 'Owner' FROM project WHERE name = ?", call.caller, name)
        return _json(dict(call.one(f"{_PROJECTS_OF} AND name = ?", call.caller, name)), 201)

    def _project(self, call: Call, project: int) -> Response:
        return _json(dict(call.project(project)))

    def _collaborators(self, call: Call, project: int) -> Response:
        call.project(project)
        return call.listing("SELECT user, role FROM collaborator WHERE project = ? ORDER BY user", project)

    # -- builds

    def _trigger(self, call: Call, project: int) -> Response:
        call.project(project)
        numbered = "SELECT ?1, coalesce(max(number), 0) + 1 FROM build WHERE project = ?1"
        call.change(f"INSERT INTO build (project, number) {numbered}", project)
        row = call.one("SELECT * FROM build WHERE project = ? ORDER BY number DESC LIMIT 1", project)
        call.change("INSERT INTO job (build, name, state) VALUES (?, 'Create Jobs', 'queued')", row["id"])
        return _json(dict(row), 201)

    def _builds(self, call: Call, project: int) -> Response:
        call.project(project)
        return call.listing("SELECT * FROM build WHERE project = ? ORDER BY number", project)

    def _build(self, call: Call, project: int, build: int) -> Response:
        return _json(dict(call.build(project, build)))

    def _jobs(self, call: Call, project: int, build: int) -> Response:
        return call.listing("SELECT * FROM job WHERE build = ? ORDER BY id", call.build(project, build)["id"])

    def _change(self, call: Call, project: int, build: int, how: str) -> Response:
        state = {"restart": "queued", "abort": "killed"}[how]
        call.change("UPDATE job SET state = ? WHERE build = ?", state, call.build(project, build)["id"])
        return self._jobs(call, project, build)


class Call:
    """One request: who is calling, and what is theirs."""

    def __init__(self, request: Request, connection: sqlite3.Connection) -> None:
        self.request = request
        self.gate: Scopeware = request.environ["scopeware"].gate
        self.store = self.gate.store
        self.caller: str = request.environ["scopeware"].owner or ""
        self._connection = connection

    def rows(self, statement: str, *values: object) -> list[sqlite3.Row]:
        return self._connection.execute(statement, values).fetchall()

    def one(self, statement: str, *values: object) -> sqlite3.Row:
        rows = self.rows(statement, *values)
        if not rows:
            raise NotFound
        return rows[0]

    def listing(self, statement: str, *values: object) -> Response:
        return _json([dict(row) for row in self.rows(statement, *values)])

    def change(self, statement: str, *values: object) -> None:
        self._connection.execute(statement, values)

    def body(self, **fields: type) -> dict[str, Any]:
        """The JSON object that came, if it has these fields only: one that would be ignored may have been meant."""
        body = self.request.get_json(silent=True)
        if not isinstance(body, dict):
            raise UnprocessableEntity("a JSON object is expected")
        for name, value in body.items():
            if name not in fields:
                raise UnprocessableEntity(f"unknown field {name!r}; there are: {', '.join(fields)}")
            if type(value) is not fields[name] or not str(value).isprintable():
                raise UnprocessableEntity(f"{name}: not of type {fields[name].__name__}")
        return body

    def project(self, number: int) -> sqlite3.Row:
        """A project that the caller collaborates on, with the role there; others are as if they were not there."""
        return self.one(f"{_PROJECTS_OF} AND id = ?", self.caller, number)

    def build(self, project: int, number: int) -> sqlite3.Row:
        self.project(project)
        return self.one("SELECT * FROM build WHERE project = ? AND number = ?", project, number)

    def own_tokens(self) -> list[TokenInfo]:
        """The caller's tokens, newest first: the store is asked for no one else's, not for administrators either."""
        try:
            return self.store.list(owner=self.caller, dead=True)[::-1]
        except NoSuchOwner:
            return []

    def own_token(self, number: int) -> TokenInfo:
        for token in self.own_tokens():
            if token.id == number:
                return token
        raise NotFound


class _RowNumber(IntegerConverter):
    """A number that SQLite can count to."""

    regex = "[0-9]{1,18}"


def _hold_to_role(environ: WSGIEnvironment) -> None:
    """The gate asks tokens for scopes, and sessions for none. Here they are held to the same policy: whoever is signed
    in may do what the tokens of their role could at most."""
    known = environ.get("scopeware")
    if known is not None and known.token is None and known.owner is not None:
        account = known.gate.store.account(known.owner)
        if account is None or not known.requirement.met_by(known.gate.policy.roles.ceiling(account.role).bits):
            raise Forbidden("not in your role")


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def _json(data: object, status: int = 200) -> Response:
    # No answer is for caches: it depends on who asks, and one of them holds a secret.
    return Response(json.dumps(data) + "\n", status, {"Cache-Control": "no-store"}, mimetype="application/json")


def _line(entry: LogEntry) -> dict[str, object]:
    told = {"accessed_at": entry.time.isoformat(), "method": entry.method, "path": entry.path}
    return told | {"status_code": entry.status, "code": entry.code}


def _token(token: TokenInfo) -> dict[str, object]:
    return {
        "id": token.id,
        "description": token.name,
        "scopes": str(token.effective),
        "status": token.status,
        "created_at": token.created_at.isoformat(),
        "expires_at": token.expires_at and token.expires_at.isoformat(),
        "last_used_at": token.last_used_at and token.last_used_at.isoformat(),
    }


@cache
def _server() -> Server:
    path = os.environ.get("INFRABOX_DATABASE") or os.path.join(tempfile.mkdtemp(prefix="infrabox-"), "infrabox.db")
    return Server(path)


def __getattr__(name: str) -> Any:
    """``app`` and the hooks of the policy, when they are asked for: in a file that ``INFRABOX_DATABASE`` names."""
    if name not in ("app", "identify", "account"):
        raise AttributeError(name)
    return _server() if name == "app" else getattr(_server(), name)
