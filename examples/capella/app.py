"""A small collaboration manager with the shape of Capella's: users, their sessions, projects with members, in SQLite.

It checks no token and no permission: the policy does. Who is calling, it learns from ``environ["scopeware"]``. The gate
asks it who has signed in (`identify`), what role a user has (`account`), and what role in a project (`resource_role`).
"""

from __future__ import annotations

import functools
import hashlib
import json
import operator
import os
import re
import secrets
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import Conflict, Forbidden, HTTPException, NotFound, Unauthorized, UnprocessableEntity
from werkzeug.routing import Map, Rule
from werkzeug.security import check_password_hash, generate_password_hash
from werkzeug.wrappers import Request, Response

from scopeware import ScopeSet, req_scopes, req_token
from scopeware.introspect.openapi import annotate
from scopeware.tokens import Account, NoSuchOwner, NoSuchToken, TokenFilter

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

POLICY = Path(__file__).with_name("policy.toml")
COOKIE = "capella_session"
SIGNED_IN_SECONDS = 12 * 3600
_NOT_STORED = {"Cache-Control": "no-store"}
PASSWORD = "coffee"  # noqa: S105
"""Of every user that the example starts with."""

_SCHEMA = """
CREATE TABLE user (name TEXT PRIMARY KEY, role TEXT NOT NULL CHECK (role IN ('admin', 'user')),
                   active INTEGER NOT NULL DEFAULT 1, password TEXT NOT NULL);
CREATE TABLE login (digest TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES user, expires_at INTEGER NOT NULL);
CREATE TABLE project (slug TEXT PRIMARY KEY, name TEXT NOT NULL,
                      description TEXT NOT NULL DEFAULT '', volume TEXT NOT NULL DEFAULT '',
                      visibility TEXT NOT NULL DEFAULT 'private' CHECK (visibility IN ('private', 'internal')));
CREATE TABLE member (project TEXT NOT NULL REFERENCES project ON DELETE CASCADE, user TEXT NOT NULL REFERENCES user,
                     role TEXT NOT NULL CHECK (role IN ('read-only', 'read-write', 'manager')),
                     PRIMARY KEY (project, user));
CREATE TABLE session (id INTEGER PRIMARY KEY, user TEXT NOT NULL REFERENCES user, tool TEXT NOT NULL);
CREATE TABLE configuration (name TEXT PRIMARY KEY, value TEXT NOT NULL);

INSERT INTO user (name, role, password) VALUES ('root', 'admin', ''), ('alice', 'user', ''), ('bob', 'user', ''),
                                               ('carol', 'user', ''), ('dave', 'user', '');
INSERT INTO project (slug, name, visibility) VALUES ('coffee-machine', 'Coffee Machine', 'private'),
                                                    ('rocket', 'Rocket', 'private'), ('library', 'Library', 'internal');
INSERT INTO member VALUES ('coffee-machine', 'alice', 'manager'), ('coffee-machine', 'bob', 'read-write'),
                          ('coffee-machine', 'carol', 'read-only'), ('rocket', 'dave', 'manager');
INSERT INTO configuration VALUES ('global', '{}');
"""


class Manager:
    """The application.

    :param database: a path; it is created with its data if it is not there.
    """

    def __init__(self, database: str | os.PathLike[str]) -> None:
        self._database = os.fspath(database)
        if not os.path.exists(self._database):
            with closing(self._connect()) as connection, connection:
                connection.executescript(_SCHEMA)
                connection.execute("UPDATE user SET password = ?", (generate_password_hash(PASSWORD),))
        project = "/api/v1/projects/<project_slug>"
        self._paths: dict[str, dict[str, Callable[..., Response]]] = {
            "/api/openapi.json": {"GET": self._api_document},
            "/api/v1/authentication/session": {"POST": self._sign_in, "DELETE": self._sign_out},
            "/api/v1/permissions": {"GET": self._permissions},
            "/api/v1/users/current": {"GET": self._me},
            "/api/v1/users/current/tokens": {"GET": self._tokens, "POST": self._create_token},
            "/api/v1/users/current/tokens/<int:token_id>": {"DELETE": self._end_token},
            "/api/v1/users": {"GET": self._users},
            "/api/v1/users/<username>": {"PATCH": self._edit_user},
            "/api/v1/configurations/global": {"GET": self._configuration, "PUT": self._configure},
            "/api/v1/sessions": {"GET": self._sessions, "POST": self._start_session},
            "/api/v1/projects": {"GET": self._projects, "POST": self._create_project},
            project: {"GET": self._project, "PATCH": self._edit_project, "DELETE": self._delete_project},
            f"{project}/users": {"GET": self._members, "POST": self._add_member},
            f"{project}/users/<username>": {"PATCH": self._change_member, "DELETE": self._remove_member},
            f"{project}/volume": {"GET": self._volume, "PUT": self._fill_volume},
            # The three of the document once more, outside of what the policy guards.
            "/decorated/configuration": {"GET": self._decorated_configuration},
            "/decorated/projects/<project_slug>": {"PATCH": self._decorated_project},
            "/decorated/me": {"GET": self._decorated_me},
        }
        self._routes = Map(
            [
                Rule(path, methods=[method], endpoint=view)
                for path, views in self._paths.items()
                for method, view in views.items()
            ],
            strict_slashes=False,
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        try:
            view, values = self._routes.bind_to_environ(environ).match()
            with closing(self._connect()) as connection, connection:
                response: Response = view(Call(request, connection), **values)
        except HTTPException as error:
            response = _json({"detail": error.description}, error.code or 500)
        return response(environ, start_response)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._database)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = 1")
        return connection

    def _one(self, statement: str, *values: object) -> Any:
        with closing(self._connect()) as connection:
            return connection.execute(statement, values).fetchone()

    # -- what the gate asks

    def identify(self, environ: WSGIEnvironment) -> str | None:
        """Who has signed in, by the cookie."""
        secret = Request(environ).cookies.get(COOKIE, "")
        statement = "SELECT user FROM login JOIN user ON name = user WHERE digest = ? AND expires_at > ? AND active"
        row = self._one(statement, _digest(secret), time.time())
        return row["user"] if row else None

    def account(self, owner: str) -> Account | None:
        """The role of a user of the site."""
        row = self._one("SELECT role, active FROM user WHERE name = ?", owner)
        return Account(row["role"], bool(row["active"])) if row else None

    def resource_role(self, owner: str, resource: str) -> str | None:
        """The role of a user in a project: of a member, or of anybody where it is internal."""
        row = self._one("SELECT role FROM member WHERE user = ? AND project = ?", owner, resource)
        internal = self._one("SELECT 1 FROM project WHERE slug = ? AND visibility = 'internal'", resource)
        return row["role"] if row else "read-only" if internal else None

    # -- signing in, and what one may do

    def _sign_in(self, call: Call) -> Response:
        """Sign in with a password."""
        name, password = call.text("name"), call.text("password")
        row = self._one("SELECT password FROM user WHERE name = ? AND active", name)
        if row is None or not check_password_hash(row["password"], password):
            raise Unauthorized("wrong name or password")
        secret = secrets.token_urlsafe(32)
        call.change("INSERT INTO login VALUES (?, ?, ?)", _digest(secret), name, int(time.time()) + SIGNED_IN_SECONDS)
        response = _json({"name": name}, headers=_NOT_STORED)
        secure = call.request.is_secure
        # Strict, so that no other site can make someone's browser create a token.
        response.set_cookie(COOKIE, secret, SIGNED_IN_SECONDS, secure=secure, httponly=True, samesite="Strict")
        return response

    def _sign_out(self, call: Call) -> Response:
        """Sign out."""
        call.change("DELETE FROM login WHERE digest = ?", _digest(call.request.cookies.get(COOKIE, "")))
        response = _json({})
        response.delete_cookie(COOKIE)
        return response

    def _me(self, call: Call) -> Response:
        """See who one is."""
        return _json(call.one("SELECT name, role FROM user WHERE name = ?", call.caller))

    def _permissions(self, call: Call) -> Response:
        """See all permissions that one's roles have, to choose from for a token."""
        ceiling = functools.reduce(operator.or_, self._rights(call).values())
        return _json(call.known.gate.policy.vocabulary.overview(ceiling))

    def _rights(self, call: Call) -> dict[str, ScopeSet]:
        """What the roles of the caller allow now: of the site (under an empty name), and in each project."""
        ceiling = call.known.gate.policy.roles.ceiling
        everywhere = ceiling(call.one("SELECT role FROM user WHERE name = ?", call.caller)["role"])
        inherited = everywhere & ceiling("manager")  # who has it manages every project
        slugs = [row["slug"] for row in call.rows("SELECT slug FROM project ORDER BY slug")]
        here = {slug: ceiling(self.resource_role(call.caller, slug) or "") | inherited for slug in slugs}
        return {"": everywhere, **here}

    # -- tokens

    def _tokens(self, call: Call) -> Response:
        """See one's tokens: what was requested for them, and what they may actually do now."""
        try:
            tokens = call.known.gate.store.list(owner=call.caller)
        except NoSuchOwner:  # the first token makes one
            tokens = []
        return _json([self._token(call, token) for token in tokens])

    def _create_token(self, call: Call) -> Response:
        """Create a token, with permissions that one's roles have now; its secret is shown this once."""
        lifetime = call.text("expires_in") if "expires_in" in call.body() else None
        try:
            scopes = call.known.gate.policy.vocabulary.parse(call.text("scopes"))
            actual = self._actual(call, scopes)
            beyond = [word for word in scopes if word not in actual]
            if beyond:
                raise Forbidden(f"your roles do not have {', '.join(beyond)}; those of a project end in @ and its slug")
            name = call.text("name")
            issued = call.known.gate.store.issue(owner=call.caller, name=name, scopes=scopes, expires_in=lifetime)
        except ValueError as error:
            raise UnprocessableEntity(str(error)) from None
        return _json(self._token(call, issued.token) | {"secret": issued.secret}, 201, _NOT_STORED)

    def _end_token(self, call: Call, token_id: int) -> Response:
        """End one of one's tokens."""
        try:
            call.known.gate.store.revoke(token_id, by=call.caller)
        except NoSuchToken:
            raise NotFound("you have no such token") from None
        return _json({})

    def _token(self, call: Call, token: Any) -> dict[str, Any]:
        return {
            "id": token.id,
            "name": token.name,
            "expires_at": token.expires_at and token.expires_at.isoformat(),
            "requested_scopes": list(token.scopes),
            "actual_scopes": self._actual(call, token.scopes),
        }

    def _actual(self, call: Call, requested: ScopeSet) -> list[str]:
        """What is left of permissions under the roles that the caller has now."""
        rights = self._rights(call)
        actual = []
        for word in requested:
            scope, _, slug = word.partition("@")
            if not slug and scope in rights[""]:
                actual.append(word)
            else:
                projects = [slug] if slug else list(rights)
                actual += [f"{scope}@{each}" for each in projects if scope in rights.get(each, ())]
        return actual

    # -- users, the configuration, sessions

    def _users(self, call: Call) -> Response:
        """See all users."""
        return _json(call.rows("SELECT name, role FROM user ORDER BY name"))

    def _edit_user(self, call: Call, username: str) -> Response:
        """Change the role of a user."""
        call.change("UPDATE user SET role = ? WHERE name = ?", call.text("role"), username)
        return _json(call.one("SELECT name, role FROM user WHERE name = ?", username))

    def _configuration(self, call: Call) -> Response:
        """See the configuration."""
        return _json(json.loads(call.one("SELECT value FROM configuration WHERE name = 'global'")["value"]))

    def _configure(self, call: Call) -> Response:
        """Replace the configuration."""
        call.change("UPDATE configuration SET value = ? WHERE name = 'global'", json.dumps(call.body()))
        return self._configuration(call)

    def _sessions(self, call: Call) -> Response:
        """See one's sessions."""
        return _json(call.rows("SELECT id, tool FROM session WHERE user = ? ORDER BY id", call.caller))

    def _start_session(self, call: Call) -> Response:
        """Start a session with a tool."""
        call.change("INSERT INTO session (user, tool) VALUES (?, ?)", call.caller, call.text("tool"))
        return _json(call.one("SELECT id, tool FROM session WHERE id = last_insert_rowid()"), 201)

    # -- projects

    def _projects(self, call: Call) -> Response:
        """See the projects that one may see."""
        rows = call.rows("SELECT slug, name, description, visibility FROM project ORDER BY slug")
        return _json([row for row in rows if call.known.allows(row["slug"], "project.root:get")])

    def _create_project(self, call: Call) -> Response:
        """Create a project, and become its manager."""
        slug = re.sub("[^a-z0-9]+", "-", call.text("name").lower()).strip("-")
        if not slug:
            raise UnprocessableEntity("name: a letter or a digit is needed")
        call.change("INSERT INTO project (slug, name) VALUES (?, ?)", slug, call.text("name"))
        call.change("INSERT INTO member VALUES (?, ?, 'manager')", slug, call.caller)
        return _json(call.project(slug), 201)

    def _project(self, call: Call, project_slug: str) -> Response:
        """See a project."""
        return _json(call.project(project_slug))

    def _edit_project(self, call: Call, project_slug: str) -> Response:
        """Describe a project."""
        call.change("UPDATE project SET description = ? WHERE slug = ?", call.text("description"), project_slug)
        return _json(call.one("SELECT slug, description FROM project WHERE slug = ?", project_slug))

    def _delete_project(self, call: Call, project_slug: str) -> Response:
        """Delete a project, and end the tokens that are bound to it."""
        call.project(project_slug)
        # Else they would work in another project that gets the same slug later.
        call.known.gate.store.revoke_matching(TokenFilter(resource=project_slug))
        call.change("DELETE FROM project WHERE slug = ?", project_slug)
        return _json({})

    def _members(self, call: Call, project_slug: str) -> Response:
        """See the members of a project."""
        call.project(project_slug)
        return _json(call.rows("SELECT user, role FROM member WHERE project = ? ORDER BY user", project_slug))

    def _add_member(self, call: Call, project_slug: str) -> Response:
        """Add a member."""
        call.change("INSERT INTO member VALUES (?, ?, ?)", project_slug, call.text("user"), call.text("role"))
        return _json({"user": call.text("user"), "role": call.text("role")}, 201)

    def _change_member(self, call: Call, project_slug: str, username: str) -> Response:
        """Change the role of a member."""
        member = (project_slug, username)
        call.change("UPDATE member SET role = ? WHERE project = ? AND user = ?", call.text("role"), *member)
        return _json(call.one("SELECT user, role FROM member WHERE project = ? AND user = ?", *member))

    def _remove_member(self, call: Call, project_slug: str, username: str) -> Response:
        """Remove a member."""
        call.change("DELETE FROM member WHERE project = ? AND user = ?", project_slug, username)
        return _json({})

    def _volume(self, call: Call, project_slug: str) -> Response:
        """See what is in the shared workspace."""
        return _json(call.one("SELECT volume FROM project WHERE slug = ?", project_slug))

    def _fill_volume(self, call: Call, project_slug: str) -> Response:
        """Write to the shared workspace."""
        call.change("UPDATE project SET volume = ? WHERE slug = ?", call.text("volume"), project_slug)
        return self._volume(call, project_slug)

    # -- the same protected by a decorator

    @req_scopes("admin.configuration:get")
    def _decorated_configuration(self, call: Call) -> Response:
        """See the configuration: a permission of the global scope."""
        return self._configuration(call)

    @req_scopes("project.root:update", resource="<project_slug>")
    def _decorated_project(self, call: Call, project_slug: str) -> Response:
        """Describe a project: a permission of the project."""
        return self._edit_project(call, project_slug)

    @req_token
    def _decorated_me(self, call: Call) -> Response:
        """See who one is: signed in, and no permission."""
        return self._me(call)

    # -- the API document

    def _api_document(self, call: Call) -> Response:
        """See this document."""
        paths: dict[str, dict[str, Any]] = {}
        known: dict[tuple[str, str], Callable[..., Response]] = {}
        for rule, views in self._paths.items():
            path = re.sub(r"<(?:int:)?(\w+)>", r"{\1}", rule)
            names = re.findall(r"{(\w+)}", path)
            needed = {"in": "path", "required": True, "schema": {"type": "string"}}
            paths[path] = {"parameters": [{"name": name, **needed} for name in names]}
            for method, view in views.items():
                known[method, path] = view
                answers = {"default": {"description": "The answer"}}
                paths[path][method.lower()] = {"summary": view.__doc__, "responses": answers}
        document = {"openapi": "3.1.0", "info": {"title": "Collaboration manager", "version": "1"}, "paths": paths}
        return _json(annotate(document, call.known.gate.policy, views=known))


class Call:
    """One request, and what views ask of it."""

    def __init__(self, request: Request, connection: sqlite3.Connection) -> None:
        self.request = request
        self._connection = connection

    @property
    def known(self) -> Any:
        """What the gate in front knows: who is calling, the policy, the tokens."""
        return self.request.environ["scopeware"]

    @property
    def caller(self) -> str:
        return str(self.known.owner)

    def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        return [dict(row) for row in self._connection.execute(statement, values)]

    def one(self, statement: str, *values: object) -> dict[str, Any]:
        rows = self.rows(statement, *values)
        if not rows:
            raise NotFound("there is no such thing")
        return rows[0]

    def change(self, statement: str, *values: object) -> None:
        try:
            self._connection.execute(statement, values)
        except sqlite3.IntegrityError as error:
            raise Conflict(f"that cannot be: {error}") from None

    def project(self, slug: str) -> dict[str, Any]:
        return self.one("SELECT slug, name, description, visibility FROM project WHERE slug = ?", slug)

    def body(self) -> dict[str, Any]:
        body = self.request.get_json(silent=True)
        if not isinstance(body, dict):
            raise UnprocessableEntity("a JSON object is expected")
        return body

    def text(self, key: str) -> str:
        """A text in the body."""
        value = self.body().get(key)
        if not isinstance(value, str) or not value:
            raise UnprocessableEntity(f"{key}: a text is expected")
        return value


def _json(data: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(data) + "\n", status, headers, mimetype="application/json")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def __getattr__(name: str) -> Any:
    """``app``, for ``scopeware run``: made when it is asked for, in a file that ``CAPELLA_DATABASE`` names."""
    if name != "app":
        raise AttributeError(name)
    path = os.environ.get("CAPELLA_DATABASE") or os.path.join(tempfile.mkdtemp(prefix="capella-"), "capella.db")
    globals()["app"] = Manager(path)
    return globals()["app"]
