"""A small forge with the shape of Gitea's API: users, organizations, repositories, issues, in SQLite.

It checks no token. Who is calling stands in the environ as ``REMOTE_USER``; whether only public things are to be shown,
in ``environ["scopeware"].public_only``; which repositories a token reaches, in ``.reach``. What someone may see or
change of a repository it decides itself.
"""

from __future__ import annotations

import html
import json
import os
import sqlite3
import tempfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import Forbidden, HTTPException, NotFound, UnprocessableEntity
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

POLICY = Path(__file__).with_name("policy.toml")

_SCHEMA = """
CREATE TABLE user (name TEXT PRIMARY KEY, full_name TEXT NOT NULL, is_admin INTEGER NOT NULL, is_org INTEGER NOT NULL,
                   visibility TEXT NOT NULL CHECK (visibility IN ('public', 'limited', 'private')));
CREATE TABLE member (org TEXT NOT NULL REFERENCES user, user TEXT NOT NULL REFERENCES user,
                     access TEXT NOT NULL CHECK (access IN ('read', 'write', 'admin', 'owner')),
                     creates INTEGER NOT NULL, PRIMARY KEY (org, user));
CREATE TABLE repository (id INTEGER PRIMARY KEY, owner TEXT NOT NULL REFERENCES user, name TEXT NOT NULL,
                         description TEXT NOT NULL, private INTEGER NOT NULL, UNIQUE (owner, name));
CREATE TABLE issue (id INTEGER PRIMARY KEY, repository INTEGER NOT NULL REFERENCES repository ON DELETE CASCADE,
                    number INTEGER NOT NULL, title TEXT NOT NULL, state TEXT NOT NULL, author TEXT NOT NULL,
                    UNIQUE (repository, number));
"""
_USERS = [
    ("root", "Root", 1, 0, "public"),
    ("alice", "Alice", 0, 0, "public"),
    ("bob", "Bob", 0, 0, "public"),
    ("carol", "Carol", 0, 0, "limited"),
    ("acme", "Acme Corporation", 0, 1, "public"),
    ("skunkworks", "Skunk Works", 0, 1, "private"),
]
_MEMBERS = [
    ("acme", "alice", "owner", 1),
    ("acme", "bob", "write", 0),
    ("acme", "carol", "read", 0),
    ("skunkworks", "alice", "admin", 0),
]
_REPOSITORIES = [
    (1, "alice", "widgets", "Widgets of all kinds", 0),
    (2, "alice", "diary", "Nobody's business", 1),
    (3, "acme", "anvil", "The original", 0),
    (4, "acme", "rocket", "Under wraps", 1),
]
_ISSUES = [
    (1, 1, 1, "The widgets squeak", "open", "bob"),
    (2, 1, 2, "Please add a blue one", "open", "carol"),
    (3, 3, 1, "It is too heavy", "closed", "alice"),
    (4, 4, 1, "It goes sideways", "open", "bob"),
]
_LEVELS = ("read", "write", "admin", "owner")


class Forge:
    """The application.

    :param database: a path; it is created with its data if it is not there.
    """

    def __init__(self, database: str | os.PathLike[str]) -> None:
        self._database = os.fspath(database)
        if not os.path.exists(self._database):
            with closing(self._connect()) as connection, connection:
                connection.executescript(_SCHEMA)
                for table, rows in (
                    ("user", _USERS),
                    ("member", _MEMBERS),
                    ("repository", _REPOSITORIES),
                    ("issue", _ISSUES),
                ):
                    marks = ",".join("?" * len(rows[0]))
                    connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608
        self._routes = Map(
            [
                Rule(f"/api/v1{path}", methods=[method], endpoint=endpoint)
                for method, path, endpoint in (
                    ("GET", "/version", self._version),
                    ("POST", "/markdown", self._markdown),
                    ("GET", "/token", self._token),
                    ("DELETE", "/token", self._end_token),
                    ("GET", "/user", self._me),
                    ("GET", "/user/repos", self._my_repositories),
                    ("POST", "/user/repos", self._create_repository),
                    ("GET", "/user/orgs", self._my_organizations),
                    ("GET", "/notifications", self._notifications),
                    ("GET", "/users/search", self._search_users),
                    ("GET", "/users/<name>", self._user),
                    ("GET", "/users/<name>/repos", self._repositories_of),
                    ("GET", "/users/<name>/orgs", self._organizations_of),
                    ("GET", "/users/<name>/orgs/<org>/permissions", self._permissions),
                    ("GET", "/orgs", self._organizations),
                    ("GET", "/orgs/<org>", self._organization),
                    ("GET", "/repos/search", self._search_repositories),
                    ("GET", "/repos/<owner>/<repo>", self._repository),
                    ("PATCH", "/repos/<owner>/<repo>", self._edit_repository),
                    ("DELETE", "/repos/<owner>/<repo>", self._delete_repository),
                    ("GET", "/repos/<owner>/<repo>/issues", self._issues),
                    ("POST", "/repos/<owner>/<repo>/issues", self._create_issue),
                    ("GET", "/repos/<owner>/<repo>/issues/<int:number>", self._issue),
                    ("PATCH", "/repos/<owner>/<repo>/issues/<int:number>", self._edit_issue),
                    ("DELETE", "/repos/<owner>/<repo>/issues/<int:number>", self._delete_issue),
                    ("GET", "/admin/users", self._admin_users),
                )
            ],
            strict_slashes=False,
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        try:
            endpoint, values = self._routes.bind_to_environ(environ).match()
            with closing(self._connect()) as connection, connection:
                response = endpoint(Call(request, connection), **values)
        except HTTPException as error:
            response = _json({"message": error.description}, error.code or 500)
        return response(environ, start_response)

    def visibility(self, environ: WSGIEnvironment, resource: str | None) -> str | None:
        """What a public-only token may be told of: for :class:`scopeware.Scopeware`."""
        with closing(self._connect()) as connection:
            name, _, repo = (resource or environ["scopeware"].owner).partition("/")
            owner = connection.execute("SELECT visibility FROM user WHERE name = ?", (name,)).fetchone()
            if owner is None or not repo:
                return owner and owner["visibility"]
            row = connection.execute(
                "SELECT private FROM repository WHERE owner = ? AND name = ?", (name, repo)
            ).fetchone()
            return None if row is None else "private" if row["private"] else owner["visibility"]

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._database)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = 1")
        return connection

    # -- the site

    def _version(self, call: Call) -> Response:
        return _json({"version": "1.25.0+example"})

    def _markdown(self, call: Call) -> Response:
        return Response(f"<p>{html.escape(str(call.body().get('Text', '')))}</p>\n", mimetype="text/html")

    def _token(self, call: Call) -> Response:
        token = call.request.environ["scopeware"].token
        if token is None:
            raise NotFound("no token was used")
        return _json({"id": token.id, "name": token.name, "scopes": str(token.scopes).split(",")})

    def _end_token(self, call: Call) -> Response:
        context = call.request.environ["scopeware"]
        if context.token is None:
            raise NotFound("no token was used")
        context.gate.store.revoke(context.token.id)
        return _nothing()

    def _notifications(self, call: Call) -> Response:
        return _json([])

    def _admin_users(self, call: Call) -> Response:
        if not call.is_admin:
            raise Forbidden("Only site administrators may do this")
        return _json([_user(row) for row in call.rows("SELECT * FROM user WHERE NOT is_org ORDER BY name")])

    # -- users and organizations

    def _me(self, call: Call) -> Response:
        return _json(_user(call.user(call.caller)))

    def _user(self, call: Call, name: str) -> Response:
        user = call.user(name)
        if not call.sees(user):
            raise NotFound(f"user redirect does not exist [name: {name}]")
        return _json(_user(user))

    def _search_users(self, call: Call) -> Response:
        wanted = f"%{call.request.args.get('q', '')}%"
        rows = call.rows("SELECT * FROM user WHERE NOT is_org AND name LIKE ? ORDER BY name", wanted)
        return _json({"ok": True, "data": [_user(row) for row in rows if call.sees(row)]})

    def _organizations(self, call: Call) -> Response:
        rows = call.rows("SELECT * FROM user WHERE is_org ORDER BY name")
        return _json([_user(row) for row in rows if call.sees(row)])

    def _organization(self, call: Call, org: str) -> Response:
        row = call.organization(org)
        if not call.sees(row):
            raise NotFound("GetOrgByName")
        return _json(_user(row))

    def _organizations_of(self, call: Call, name: str) -> Response:
        call.user(name)
        rows = call.rows(
            "SELECT user.* FROM user JOIN member ON member.org = user.name WHERE member.user = ? ORDER BY name", name
        )
        return _json([_user(row) for row in rows if call.sees(row)])

    def _my_organizations(self, call: Call) -> Response:
        return self._organizations_of(call, call.caller)

    def _permissions(self, call: Call, name: str, org: str) -> Response:
        user = call.user(name)
        call.organization(org)
        access, creates = call.membership(org, name)
        if user["is_admin"]:
            access = max(access, _LEVELS.index("admin"))
        return _json(
            {
                "is_owner": access >= _LEVELS.index("owner"),
                "is_admin": access >= _LEVELS.index("admin"),
                "can_write": access >= _LEVELS.index("write"),
                "can_read": access >= _LEVELS.index("read"),
                "can_create_repository": bool(creates or user["is_admin"]),
            }
        )

    # -- repositories

    def _search_repositories(self, call: Call) -> Response:
        rows = call.rows("SELECT * FROM repository ORDER BY owner, name")
        return _json({"ok": True, "data": [_repository(row) for row in rows if call.may("read", row)]})

    def _repositories_of(self, call: Call, name: str) -> Response:
        call.user(name)
        rows = call.rows("SELECT * FROM repository WHERE owner = ? ORDER BY name", name)
        return _json([_repository(row) for row in rows if call.may("read", row) and call.reaches(row)])

    def _my_repositories(self, call: Call) -> Response:
        return self._repositories_of(call, call.caller)

    def _create_repository(self, call: Call) -> Response:
        body = call.body()
        if not body.get("name"):
            raise UnprocessableEntity("[Name]: Required")
        values = (call.caller, body["name"], body.get("description", ""), bool(body.get("private")))
        try:
            call.change("INSERT INTO repository (owner, name, description, private) VALUES (?, ?, ?, ?)", *values)
        except sqlite3.IntegrityError:
            raise UnprocessableEntity("The repository with the same name already exists.") from None
        return _json(_repository(call.repository(call.caller, body["name"])), 201)

    def _repository(self, call: Call, owner: str, repo: str) -> Response:
        return _json(_repository(call.repository(owner, repo)))

    def _edit_repository(self, call: Call, owner: str, repo: str) -> Response:
        row = call.repository(owner, repo, "admin")
        description = call.body().get("description", row["description"])
        call.change("UPDATE repository SET description = ? WHERE id = ?", description, row["id"])
        return _json(_repository(call.repository(owner, repo)))

    def _delete_repository(self, call: Call, owner: str, repo: str) -> Response:
        call.change("DELETE FROM repository WHERE id = ?", call.repository(owner, repo, "owner")["id"])
        return _nothing()

    # -- issues

    def _issues(self, call: Call, owner: str, repo: str) -> Response:
        repository = call.repository(owner, repo)
        rows = call.rows("SELECT * FROM issue WHERE repository = ? ORDER BY number", repository["id"])
        return _json([_issue(row) for row in rows])

    def _create_issue(self, call: Call, owner: str, repo: str) -> Response:
        repository = call.repository(owner, repo)
        title = call.body().get("title")
        if not title:
            raise UnprocessableEntity("[Title]: Required")
        call.change(
            "INSERT INTO issue (repository, number, title, state, author) "
            "SELECT ?1, coalesce(max(number), 0) + 1, ?2, 'open', ?3 FROM issue WHERE repository = ?1",
            repository["id"],
            title,
            call.caller,
        )
        rows = call.rows("SELECT * FROM issue WHERE repository = ? ORDER BY number DESC LIMIT 1", repository["id"])
        return _json(_issue(rows[0]), 201)

    def _issue(self, call: Call, owner: str, repo: str, number: int) -> Response:
        return _json(_issue(call.issue(owner, repo, number)))

    def _edit_issue(self, call: Call, owner: str, repo: str, number: int) -> Response:
        row = call.issue(owner, repo, number, "write")
        body = call.body()
        values = (body.get("title", row["title"]), body.get("state", row["state"]), row["id"])
        call.change("UPDATE issue SET title = ?, state = ? WHERE id = ?", *values)
        return _json(_issue(call.issue(owner, repo, number)))

    def _delete_issue(self, call: Call, owner: str, repo: str, number: int) -> Response:
        call.change("DELETE FROM issue WHERE id = ?", call.issue(owner, repo, number, "admin")["id"])
        return _nothing()


class Call:
    """One request: who is calling, and what they may see."""

    def __init__(self, request: Request, connection: sqlite3.Connection) -> None:
        self.request = request
        self._connection = connection
        self.caller: str = request.environ.get("REMOTE_USER", "")
        self._public_only = request.environ["scopeware"].public_only
        known = self.rows("SELECT is_admin FROM user WHERE name = ?", self.caller)
        self.is_admin = bool(known and known[0]["is_admin"])

    def rows(self, statement: str, *values: object) -> list[sqlite3.Row]:
        return self._connection.execute(statement, values).fetchall()

    def change(self, statement: str, *values: object) -> None:
        self._connection.execute(statement, values)

    def body(self) -> dict[str, Any]:
        body = self.request.get_json(silent=True)
        if not isinstance(body, dict):
            raise UnprocessableEntity("a JSON object is expected")
        return body

    def user(self, name: str) -> sqlite3.Row:
        rows = self.rows("SELECT * FROM user WHERE name = ? AND NOT is_org", name)
        if not rows:
            raise NotFound(f"user redirect does not exist [name: {name}]")
        return rows[0]

    def organization(self, name: str) -> sqlite3.Row:
        rows = self.rows("SELECT * FROM user WHERE name = ? AND is_org", name)
        if not rows:
            raise NotFound("GetUserByName")
        return rows[0]

    def membership(self, org: str, user: str) -> tuple[int, bool]:
        """The level of access (-1: none), and whether it goes with creating repositories."""
        rows = self.rows("SELECT access, creates FROM member WHERE org = ? AND user = ?", org, user)
        return (_LEVELS.index(rows[0]["access"]), bool(rows[0]["creates"])) if rows else (-1, False)

    def sees(self, user: sqlite3.Row) -> bool:
        if user["visibility"] == "public":
            return True
        if self._public_only or not self.caller:
            return False
        known = self.is_admin or user["name"] == self.caller or self.membership(user["name"], self.caller)[0] >= 0
        return known or user["visibility"] == "limited"

    def reaches(self, repository: sqlite3.Row) -> bool:
        """Whether the token, if it is bound to some repositories, is bound to this one."""
        known = self.request.environ["scopeware"]
        name = f"{repository['owner']}/{repository['name']}"
        return known.reach is None or known.allows(name, public=not repository["private"])

    def may(self, action: str, repository: sqlite3.Row) -> bool:
        if action == "read" and not repository["private"]:
            return True
        if self._public_only and repository["private"]:
            return False
        if self.is_admin or repository["owner"] == self.caller:
            return True
        return self.membership(repository["owner"], self.caller)[0] >= _LEVELS.index(action)

    def repository(self, owner: str, name: str, action: str = "read") -> sqlite3.Row:
        rows = self.rows("SELECT * FROM repository WHERE owner = ? AND name = ?", owner, name)
        if not rows or not self.may("read", rows[0]):
            raise NotFound("The target couldn't be found.")
        if not self.may(action, rows[0]):
            raise Forbidden(f"user should have {action} access to this repository")
        return rows[0]

    def issue(self, owner: str, repo: str, number: int, action: str = "read") -> sqlite3.Row:
        repository = self.repository(owner, repo)
        rows = self.rows("SELECT * FROM issue WHERE repository = ? AND number = ?", repository["id"], number)
        if not rows:
            raise NotFound("The target couldn't be found.")
        if rows[0]["author"] != self.caller and not self.may(action, repository):
            raise Forbidden("user should have permission to edit the issue")
        return rows[0]


def _json(data: object, status: int = 200) -> Response:
    return Response(json.dumps(data) + "\n", status, mimetype="application/json")


def _nothing() -> Response:
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


def _user(row: sqlite3.Row) -> dict[str, object]:
    return {"login": row["name"], "full_name": row["full_name"], "visibility": row["visibility"]}


def _repository(row: sqlite3.Row) -> dict[str, object]:
    full_name = f"{row['owner']}/{row['name']}"
    return {"id": row["id"], "full_name": full_name, "description": row["description"], "private": bool(row["private"])}


def _issue(row: sqlite3.Row) -> dict[str, object]:
    return {"number": row["number"], "title": row["title"], "state": row["state"], "user": row["author"]}


def __getattr__(name: str) -> Any:
    """``app``, for ``scopeware run``: made when it is asked for, in a file that ``FORGE_DATABASE`` names."""
    if name != "app":
        raise AttributeError(name)
    path = os.environ.get("FORGE_DATABASE") or os.path.join(tempfile.mkdtemp(prefix="forge-"), "forge.db")
    globals()["app"] = Forge(path)
    return globals()["app"]
