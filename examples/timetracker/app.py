"""A small time tracker with the shape of TimeTracker's API: clients, projects, tasks, time entries, in SQLite.

It checks no scope. ``environ["scopeware"]`` says who is calling (``owner``), and whether what others own may be shown
or changed (``possession``). People sign in with a password, and make and end their tokens under ``/admin/api-tokens``.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import secrets
import sqlite3
import tempfile
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from werkzeug.exceptions import Conflict, Forbidden, HTTPException, NotFound, ServiceUnavailable, UnprocessableEntity
from werkzeug.routing import Map, Rule, Submount
from werkzeug.security import check_password_hash, generate_password_hash
from werkzeug.wrappers import Request, Response

from scopeware import ScopewareError, req_token
from scopeware.tokens import Account, NoSuchOwner, NoSuchToken, StoreUnavailable, TokenInfo

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_COOKIE = "timetracker_session"
_SCHEMA = """
CREATE TABLE user (name TEXT PRIMARY KEY, password TEXT NOT NULL, role TEXT NOT NULL CHECK (role IN ('user', 'admin')),
                   active INTEGER NOT NULL DEFAULT 1);
CREATE TABLE session (digest TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES user, expires_at TEXT NOT NULL);
CREATE TABLE client (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL DEFAULT '');
CREATE TABLE project (id INTEGER PRIMARY KEY, name TEXT NOT NULL, client_id INTEGER REFERENCES client,
                      status TEXT NOT NULL DEFAULT 'active');
CREATE TABLE task (id INTEGER PRIMARY KEY, name TEXT NOT NULL, project_id INTEGER NOT NULL REFERENCES project,
                   status TEXT NOT NULL DEFAULT 'todo');
CREATE TABLE time_entry (id INTEGER PRIMARY KEY, user TEXT NOT NULL REFERENCES user,
                         project_id INTEGER NOT NULL REFERENCES project, notes TEXT NOT NULL DEFAULT '',
                         start_time TEXT NOT NULL CHECK (start_time LIKE '____-__-__T%'),
                         end_time TEXT CHECK (end_time LIKE '____-__-__T%'), invoiced INTEGER NOT NULL DEFAULT 0,
                         hours REAL AS (round((julianday(end_time) - julianday(start_time)) * 24, 2)));
"""
_DATA = """
INSERT INTO client VALUES (1, 'Acme', 'office@acme.example'), (2, 'Initech', 'bills@initech.example');
INSERT INTO project VALUES (1, 'Website', 1, 'active'), (2, 'Migration', 2, 'active');
INSERT INTO task VALUES (1, 'Front page', 1, 'todo'), (2, 'Dry run', 2, 'in_progress');
INSERT INTO time_entry (user, project_id, start_time, end_time, notes) VALUES
    ('alice', 1, '2024-01-02T09:00:00+00:00', '2024-01-02T11:00:00+00:00', 'layout'),
    ('alice', 2, '2024-02-05T09:00:00+00:00', '2024-02-05T10:00:00+00:00', 'call'),
    ('bob', 1, '2024-01-03T13:00:00+00:00', '2024-01-03T16:00:00+00:00', 'texts');
"""
_PEOPLE = {"alice": "user", "bob": "user", "root": "admin"}  # for trying: the password is the name


class Table(NamedTuple):
    """A table that is served as it is.

    :param columns: what clients may set.
    :param filters: a word of the query → the condition that it stands for.
    :param remove: what DELETE does.
    :param owned: whether its rows are somebody's.
    """

    name: str
    columns: tuple[str, ...]
    filters: dict[str, str]
    remove: str
    owned: bool = False


_BY_STATUS = {"status": "status = ?"}
_BY_PROJECT = {"project_id": "project_id = ?"}
_BY_DATE = {"start_date": "date(start_time) >= date(?)", "end_date": "date(start_time) <= date(?)"}
_ENTRY_COLUMNS = ("project_id", "start_time", "end_time", "notes")
_CLIENTS = Table("client", ("name", "email"), {}, "DELETE FROM client")
_PROJECTS = Table("project", ("name", "client_id", "status"), _BY_STATUS, "UPDATE project SET status = 'archived'")
_TASKS = Table("task", ("name", "project_id", "status"), _BY_PROJECT | _BY_STATUS, "DELETE FROM task")
_ENTRIES = Table("time_entry", _ENTRY_COLUMNS, _BY_PROJECT | _BY_DATE, "DELETE FROM time_entry", owned=True)
_TABLES = {"clients": _CLIENTS, "projects": _PROJECTS, "tasks": _TASKS, "time-entries": _ENTRIES}


class TimeTracker:
    """The application.

    :param database: a path; it is created with its data if it is not there.
    """

    def __init__(self, database: str | os.PathLike[str]) -> None:
        self._database = os.fspath(database)
        if not os.path.exists(self._database):
            with closing(self._connect()) as connection, connection:
                connection.executescript(_SCHEMA)
                people = [(name, generate_password_hash(name), role) for name, role in _PEOPLE.items()]
                connection.executemany("INSERT INTO user (name, password, role) VALUES (?, ?, ?)", people)
                connection.executescript(_DATA)
        api: list[tuple[str, str, Callable[..., Response]]] = [
            ("GET", "/info", lambda call: _json({"name": "TimeTracker", "api": "v1"})),
            ("GET", "/health", lambda call: _json({"status": "healthy"})),
            ("POST", "/auth/login", self._sign_in),
            ("POST", "/clients/<int:number>/invoice-unbilled", self._invoice_unbilled),
            ("GET", "/timer/status", self._timer),
            ("POST", "/timer/start", self._start),
            ("POST", "/timer/stop", self._stop),
            ("GET", "/reports/summary", self._summary),
            ("GET", "/users", self._users),
            ("GET", "/users/me", self._me),
        ]
        for name, table in _TABLES.items():
            api += [
                ("GET", f"/{name}", functools.partial(self._list, table=table)),
                ("POST", f"/{name}", functools.partial(self._create, table=table)),
                ("GET", f"/{name}/<int:number>", functools.partial(self._show, table=table)),
                ("PUT", f"/{name}/<int:number>", functools.partial(self._change, table=table)),
                ("PATCH", f"/{name}/<int:number>", functools.partial(self._change, table=table)),
                ("DELETE", f"/{name}/<int:number>", functools.partial(self._remove, table=table)),
            ]
        self._api = _map("/api/v1", api)
        self._pages = _map(
            "/admin/api-tokens",
            [
                ("GET", "/", self._tokens),
                ("POST", "/", self._issue),
                ("PATCH", "/<int:token>", self._narrow),
                ("DELETE", "/<int:token>", self._revoke),
                ("POST", "/<int:token>/rotate", self._rotate),
            ],
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if _is_page(environ):
            return self._answer_people(environ, start_response)
        return self._answer(self._api, environ, start_response)

    @req_token(accept="session")
    def _answer_people(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The pages lie outside of what the policy guards. No token makes, shows or ends tokens."""
        return self._answer(self._pages, environ, start_response)

    def _answer(self, routes: Map, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            view, values = routes.bind_to_environ(environ).match()
            with closing(self._connect()) as connection, connection:
                response = view(Call(Request(environ), connection), **values)
        except HTTPException as error:
            response = _json({"error": error.name, "message": error.description}, error.code or 500)
        except (sqlite3.IntegrityError, OverflowError, UnicodeEncodeError) as error:
            response = _json({"error": "Unprocessable Entity", "message": str(error)}, 422)
        return response(environ, start_response)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._database)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = 1")
        return connection

    # -- people

    def account(self, owner: str) -> Account | None:
        """Role and activity of an owner of tokens, as they are now."""
        with closing(self._connect()) as connection:
            row = connection.execute("SELECT role, active FROM user WHERE name = ?", (owner,)).fetchone()
        return None if row is None else Account(role=row["role"], active=bool(row["active"]))

    def identify(self, environ: WSGIEnvironment) -> str | None:
        """Who is signed in, on the pages. The API takes tokens only: nobody asks a session for scopes."""
        cookie = Request(environ).cookies.get(_COOKIE)
        if not cookie or not _is_page(environ):
            return None
        with closing(self._connect()) as connection:
            row = connection.execute(
                "SELECT name FROM session JOIN user ON name = user WHERE digest = ? AND expires_at > ? AND active",
                (_digest(cookie), _now()),
            ).fetchone()
        return None if row is None else str(row["name"])

    def _sign_in(self, call: Call) -> Response:
        body = call.body("username", "password", kinds=str)
        name, password = body.get("username", ""), body.get("password", "")
        rows = call.rows("SELECT password FROM user WHERE name = ? AND active", name)
        if not rows or not check_password_hash(rows[0]["password"], password):
            raise Forbidden("No such user, or another password")
        cookie = secrets.token_urlsafe(32)
        call.change("INSERT INTO session VALUES (?, ?, ?)", _digest(cookie), name, _now(timedelta(hours=12)))
        response = _json({"user": name})
        secure = call.request.is_secure  # and strict: no other site makes a browser send it
        response.set_cookie(_COOKIE, cookie, path="/admin", secure=secure, httponly=True, samesite="Strict")
        return response

    def _users(self, call: Call) -> Response:
        return _json({"users": [dict(row) for row in call.rows("SELECT name, role, active FROM user ORDER BY name")]})

    def _me(self, call: Call) -> Response:
        return _json({"user": dict(call.rows("SELECT name, role FROM user WHERE name = ?", call.caller)[0])})

    # -- tables that are served as they are, and time

    def _list(self, call: Call, table: Table) -> Response:
        return _json({table.name: call.asked_for(table)})

    def _show(self, call: Call, table: Table, number: int) -> Response:
        return _json(call.row(table, number))

    def _create(self, call: Call, table: Table) -> Response:
        values = call.body(*table.columns)
        if table.owned:
            values = {"start_time": _now(), **values, "user": call.caller}
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        number = call.change(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", *values.values())  # noqa: S608
        return _json(call.row(table, number), 201)

    def _change(self, call: Call, table: Table, number: int) -> Response:
        call.row(table, number)
        values = call.body(*table.columns)
        names = ", ".join(f"{name} = ?" for name in values)
        call.change(f"UPDATE {table.name} SET {names} WHERE id = ?", *values.values(), number)  # noqa: S608
        return _json(call.row(table, number))

    def _remove(self, call: Call, table: Table, number: int) -> Response:
        call.row(table, number)
        call.change(f"{table.remove} WHERE id = ?", number)
        return _json({"message": f"{table.name} {number} removed"})

    def _timer(self, call: Call) -> Response:
        return _json({"active": call.timer() is not None, "timer": call.timer()})

    def _start(self, call: Call) -> Response:
        if call.timer():
            raise Conflict("A timer is running")
        return self._create(call, _ENTRIES)

    def _stop(self, call: Call) -> Response:
        timer = call.timer()
        if timer is None:
            raise Conflict("No timer is running")
        call.change("UPDATE time_entry SET end_time = ? WHERE id = ?", _now(), timer["id"])
        return _json(call.row(_ENTRIES, timer["id"]))

    def _summary(self, call: Call) -> Response:
        rows = call.asked_for(_ENTRIES)
        return _json({"entries": len(rows), "hours": sum(row["hours"] or 0 for row in rows)})

    @req_token
    def _invoice_unbilled(self, call: Call, number: int) -> Response:
        """The caller's own hours. The policy lets everybody pass, as TimeTracker's table does; the guard does not."""
        call.row(_CLIENTS, number)
        unbilled = "user = ? AND hours AND NOT invoiced AND project_id IN (SELECT id FROM project WHERE client_id = ?)"
        rows = call.select(_ENTRIES, [unbilled], call.caller, number)
        for row in rows:
            call.change("UPDATE time_entry SET invoiced = 1 WHERE id = ?", row["id"])
        return _json({"client_id": number, "entries": len(rows), "hours": sum(row["hours"] for row in rows)}, 201)

    # -- tokens: made, reviewed, narrowed, rotated and ended by people

    def _tokens(self, call: Call) -> Response:
        policy, role = call.known.gate.policy, call.role
        try:
            tokens = call.store.list(owner=None if role == "admin" else call.caller, dead=True)
        except NoSuchOwner:  # of any token so far
            tokens = []
        scopes = policy.vocabulary.overview(policy.roles.ceiling(role))
        return _json({"tokens": [_token(token) for token in tokens], "presets": call.presets(), "scopes": scopes})

    def _issue(self, call: Call) -> Response:
        body = call.body("name", "preset", "scopes", "expires_in", "networks", kinds=str)
        if "preset" in body:
            offered, preset = call.presets(), body.pop("preset")
            if preset not in offered or "scopes" in body:
                raise UnprocessableEntity(f"Name scopes, or one of: {', '.join(offered)}")
            body["scopes"] = offered[preset]
        return _secret(call.told(call.store.issue, owner=call.caller, **{"name": "", "scopes": ""} | body))

    def _narrow(self, call: Call, token: int) -> Response:
        body = call.body("name", "scopes", "expires_in", "networks", kinds=str)
        return _json(_token(call.told(call.store.edit, token, by=call.caller, **body)))

    def _rotate(self, call: Call, token: int) -> Response:
        return _secret(call.told(call.store.rotate, token, by=call.caller))

    def _revoke(self, call: Call, token: int) -> Response:
        return _json({"revoked": call.told(call.store.revoke, token, by=call.caller)})


class Call:
    """One request: who is calling, and what of the database they reach."""

    def __init__(self, request: Request, connection: sqlite3.Connection) -> None:
        self.request = request
        self._connection = connection
        self.known = request.environ["scopeware"]
        self.caller: str = self.known.owner or ""
        self.store = self.known.gate.store

    @property
    def role(self) -> str:
        return str(self.rows("SELECT role FROM user WHERE name = ?", self.caller)[0]["role"])

    def presets(self) -> dict[str, str]:
        """What to offer to the caller, name → scopes."""
        return {preset.name: preset.scopes for preset in self.known.gate.policy.presets_for(self.role)}

    def told(self, ask: Callable[..., Any], *arguments: object, **keywords: object) -> Any:
        """What the store answers; what it refuses is told to the caller."""
        try:
            return ask(*arguments, **keywords)
        except NoSuchToken:
            raise NotFound("There is no such token") from None
        except StoreUnavailable:
            raise ServiceUnavailable("Nothing was done; try again") from None
        except ScopewareError as error:
            raise UnprocessableEntity(str(error)) from None

    def body(self, *names: str, kinds: Any = str | int | float | None) -> dict[str, Any]:
        """What the body says about these names."""
        body = self.request.get_json(silent=True)
        known = {name: body[name] for name in names if name in body} if isinstance(body, dict) else {}
        if not known or not all(isinstance(value, kinds) for value in known.values()):
            raise UnprocessableEntity(f"A JSON object is expected, with some of: {', '.join(names)}")
        return known

    def rows(self, statement: str, *values: object) -> list[sqlite3.Row]:
        return self._connection.execute(statement, values).fetchall()

    def change(self, statement: str, *values: object) -> int:
        """The id of what was inserted, if something was."""
        return self._connection.execute(statement, values).lastrowid or 0

    def select(self, table: Table, conditions: list[str], *values: object) -> list[dict[str, Any]]:
        """The rows that the caller reaches: of what is somebody's only their own, unless they may more."""
        if table.owned and self.known.possession != "any":
            conditions, values = [*conditions, "user = ?"], (*values, self.caller)
        where = " AND ".join(["1", *conditions])
        rows = self.rows(f"SELECT * FROM {table.name} WHERE {where} ORDER BY id", *values)  # noqa: S608
        return [dict(row) for row in rows]

    def asked_for(self, table: Table) -> list[dict[str, Any]]:
        """Those of them that the query asks for."""
        asked = {word: self.request.args[word] for word in table.filters if word in self.request.args}
        return self.select(table, [table.filters[word] for word in asked], *asked.values())

    def row(self, table: Table, number: int) -> dict[str, Any]:
        """A row that the caller reaches. Of others nobody is told whether they are there."""
        rows = self.select(table, ["id = ?"], number)
        if not rows:
            raise NotFound("Resource not found")
        return rows[0]

    def timer(self) -> dict[str, Any] | None:
        """The caller's own timer, if it runs."""
        return next(iter(self.select(_ENTRIES, ["end_time IS NULL", "user = ?"], self.caller)), None)


def _map(prefix: str, routes: Iterable[tuple[str, str, Callable[..., Response]]]) -> Map:
    rules = [Rule(path, methods=[method], endpoint=view) for method, path, view in routes]
    return Map([Submount(prefix, rules)], strict_slashes=False, merge_slashes=False)


def _is_page(environ: WSGIEnvironment) -> bool:
    return environ.get("PATH_INFO", "").startswith("/admin/")


def _json(data: object, status: int = 200) -> Response:
    text = json.dumps(data, default=datetime.isoformat)
    return Response(f"{text}\n", status, {"Cache-Control": "no-store"}, mimetype="application/json")


def _secret(issued: Any) -> Response:
    """The only answer that holds a secret."""
    return _json({"token": issued.secret, **_token(issued.token)}, 201)


def _token(token: TokenInfo) -> dict[str, object]:
    shown = ("id", "owner", "name", "hint", "status", "created_at", "expires_at", "last_used_at")
    return {
        **{name: getattr(token, name) for name in shown},
        "scopes": list(token.scopes.texts),
        "effective_scopes": list(token.effective.texts),
        "networks": [str(network) for network in token.networks],
    }


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()


def _now(later: timedelta = timedelta(0)) -> str:
    return (datetime.now(UTC) + later).isoformat(timespec="seconds")


def __getattr__(name: str) -> Any:
    """``app``, for ``scopeware run``: made when it is asked for, in a file that ``TIMETRACKER_DATABASE`` names."""
    if name != "app":
        raise AttributeError(name)
    path = os.environ.get("TIMETRACKER_DATABASE") or os.path.join(tempfile.mkdtemp(prefix="timetracker-"), "time.db")
    globals()["app"] = TimeTracker(path)
    return globals()["app"]
