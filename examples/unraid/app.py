"""A small home server with the shape of Unraid's: containers, virtual machines and shares that belong to people, an
array; an API for keys; and the page where an application asks a person for a key.

It checks no key and no scope. Who is calling stands in ``environ["scopeware"].owner``; whether they may reach only what
they own, in ``.possession``. Who is signed in with a browser, who has which role, and whose a thing is, it tells the
gate: see ``[hooks]`` in the policy.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from markupsafe import Markup
from werkzeug.exceptions import BadRequest, Conflict, Forbidden, HTTPException, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.security import check_password_hash, generate_password_hash
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from scopeware.console.links import AuthorizationRequest, callback_url
from scopeware.errors import ScopewareError
from scopeware.scopes import ScopeSet, Vocabulary, notation
from scopeware.tokens import Account, NoSuchToken, TokenManaged, TokenRefused

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from scopeware.gate import Context

AUTHORIZE = "/Tools/ApiKeyAuthorize"
CREATED = "/api-key-created"
"""Where a browser goes with the answer, if a link does not say."""
COOKIE = "unraid_session"

_SCHEMA = """
CREATE TABLE person (name TEXT PRIMARY KEY, role TEXT NOT NULL, password TEXT NOT NULL);
CREATE TABLE session (digest TEXT PRIMARY KEY, person TEXT NOT NULL REFERENCES person, csrf TEXT NOT NULL, ends REAL);
CREATE TABLE thing (kind TEXT NOT NULL CHECK (kind IN ('docker', 'vms', 'share')), name TEXT NOT NULL,
                    owner TEXT NOT NULL REFERENCES person, state TEXT NOT NULL, PRIMARY KEY (kind, name));
CREATE TABLE array (state TEXT NOT NULL);
INSERT INTO person VALUES ('root', 'admin', ''), ('alice', 'user', ''), ('bob', 'user', ''), ('connie', 'connect', ''),
    ('vera', 'viewer', ''), ('gus', 'guest', '');
INSERT INTO thing VALUES ('docker', 'plex', 'alice', 'RUNNING'), ('docker', 'nextcloud', 'bob', 'RUNNING'),
    ('docker', 'pihole', 'root', 'EXITED'), ('vms', 'windows', 'alice', 'SHUTOFF'), ('vms', 'debian', 'bob', 'RUNNING'),
    ('share', 'photos', 'alice', 'PRIVATE'), ('share', 'media', 'root', 'PUBLIC');
INSERT INTO array VALUES ('STARTED');
"""
_PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"}

# Whatever is filled in here is escaped.
_PAGE = Markup('<!doctype html><html lang="en"><title>{0}</title><h1>{0}</h1>{1}</html>\n')
_SIGN_IN = Markup("""<p role="alert">{}</p><form method="post"><label>Name <input name="name"></label>
<label>Password <input name="password" type="password"></label> <button>Sign in</button></form>""")
_CONSENT = Markup("""<p role="alert">{problem}</p><p>{description}</p><p>It asks for:</p><ul>{asked}</ul>
<p>As you are {person} ({role}), its key could: <code>{worth}</code></p>
<p>The key would be sent to <code>{redirect}</code></p>
<form method="post"><input type="hidden" name="csrf" value="{csrf}">
<label>Name of the key <input name="name" value="{name}"></label>
<button name="decision" value="authorize"{off}>Authorize</button>
<button name="decision" value="cancel">Cancel</button></form>""")
_KEY = Markup("""<li>{name} (…{hint}) <code>{scopes}</code>
<form method="post"><input type="hidden" name="csrf" value="{csrf}">
<button name="key" value="{id}">Revoke</button></form>""")


def form_data(scopes: ScopeSet, name: str, description: str = "") -> dict[str, Any]:
    """Scopes as the form shows them where keys are made: roles, and resources in which the same can be done."""
    everything = "+".join(scopes.vocabulary.own)
    # A form has no place for what is bound to one thing; and there `docker:*` is the four actions that it stands for.
    words = [word.replace("*", everything) for word in _words(scopes) if "@" not in word]
    plain = notation.read(scopes.vocabulary, words).scopes
    return {
        "name": name,
        "description": description,
        "roles": [word.removeprefix("role:").upper() for word in notation.words(plain)],
        "customPermissions": [
            {"resources": _upper(group.categories), "actions": _upper(group.actions)}
            for group in notation.groups(plain)
        ],
    }


def authorization_url(vocabulary: Vocabulary, asked: Mapping[str, Any], origin: str) -> str:
    """The link with which an application asks for a key.

    :param asked: `appName`, and maybe `appDescription`, `roles`, `rawPermissions`, `redirectUrl` and `state`.
    """
    words = [f"role:{role}" for role in asked.get("roles", ())]
    for permission in asked.get("rawPermissions", ()):
        words += [f"{permission['resource']}:{action}" for action in permission["actions"]]
    return AuthorizationRequest(
        name=asked["appName"],
        scopes=notation.write(notation.read(vocabulary, words).scopes, "compact"),
        redirect_uri=asked.get("redirectUrl") or f"{origin}{CREATED}",
        description=asked.get("appDescription") or "",
        state=asked.get("state") or None,
    ).url(f"{origin}{AUTHORIZE}")


def permissions(scopes: ScopeSet) -> list[dict[str, Any]]:
    """All that can be done everywhere: what roles and other scopes include is told, too."""
    actions_of = {
        category: [action for action in scopes.vocabulary.actions if f"{category}:{action}" in scopes]
        for category in scopes.vocabulary.categories
    }
    return [{"resource": name.upper(), "actions": _upper(actions)} for name, actions in actions_of.items() if actions]


class Tower:
    """The application, on a database that is created with its data if it is not there."""

    def __init__(self, database: str | os.PathLike[str]) -> None:
        self._database = os.fspath(database)
        if not os.path.exists(self._database):
            with closing(self._connect()) as connection, connection:
                connection.executescript(_SCHEMA)
                connection.execute("UPDATE person SET password = ?", (generate_password_hash("unraid"),))
        things = "/api/<any(docker, vms, share):kind>"
        self._routes = Map(
            Rule(path, methods=methods.split(), endpoint=endpoint)
            for methods, path, endpoint in (
                ("GET", things, self._things),
                ("POST", things, self._create),
                ("GET", f"{things}/<name>", self._thing),
                ("PUT", f"{things}/<name>", self._update),
                ("DELETE", f"{things}/<name>", self._delete),
                ("GET", "/api/array", self._array),
                ("GET", "/api/me", self._me),
                ("GET", "/api/me/permissions", self._my_permissions),
                ("GET", "/api/permission/preview", self._preview),
                ("POST", "/api/permission/link", self._link),
                ("GET", "/api/api_key", self._keys),
                ("GET POST", "/login", self._sign_in),
                ("GET", AUTHORIZE, self._consent),
                ("POST", AUTHORIZE, self._decide),
                ("GET", CREATED, self._my_keys),
                ("GET POST", "/Tools/ApiKeys", self._my_keys),
            )
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            endpoint, values = self._routes.bind_to_environ(environ).match()
            with closing(self._connect()) as connection, connection:
                response: Response = endpoint(Call(Request(environ), connection), **values)
        except HTTPException as error:
            response = _json({"error": error.description}, error.code or 500)
        return response(environ, start_response)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._database)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = 1")
        return connection

    def _find(self, statement: str, *values: object) -> str | None:
        with closing(self._connect()) as connection:
            found = connection.execute(statement, values).fetchone()
        return found and str(found[0])

    def identify(self, environ: WSGIEnvironment) -> str | None:
        """Who is signed in with a browser."""
        digest = _digest(Request(environ).cookies.get(COOKIE, ""))
        return self._find("SELECT person FROM session WHERE digest = ? AND ends > ?", digest, time.time())

    def account(self, owner: str) -> Account | None:
        """The role of a person."""
        role = self._find("SELECT role FROM person WHERE name = ?", owner)
        return Account(role) if role else None

    def resource_owner(self, resource: str) -> str | None:
        """Whose a thing is: ``docker/plex``."""
        return self._find("SELECT owner FROM thing WHERE kind || '/' || name = ?", resource)

    # -- the API

    def _things(self, call: Call, kind: str) -> Response:
        whose = call.caller if call.only_own else None
        things = "SELECT name, owner, state FROM thing WHERE kind = ? AND owner = coalesce(?, owner) ORDER BY name"
        return _json([dict(row) for row in call.rows(things, kind, whose)])

    def _create(self, call: Call, kind: str) -> Response:
        body = call.body()
        name, state, owner = (str(body.get(key, "")) for key in ("name", "state", "owner"))
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
            raise BadRequest("expected a name")
        if call.only_own and owner not in ("", call.caller):
            raise Forbidden("this key makes things for its owner only")
        try:
            call.rows("INSERT INTO thing VALUES (?, ?, ?, ?)", kind, name, owner or call.caller, state)
        except sqlite3.IntegrityError:
            raise Conflict("that name is taken, or there is no such owner") from None
        return _json(call.thing(kind, name), 201)

    def _thing(self, call: Call, kind: str, name: str) -> Response:
        return _json(call.thing(kind, name))

    def _update(self, call: Call, kind: str, name: str) -> Response:
        state = str(call.body().get("state", ""))
        call.rows("UPDATE thing SET state = ? WHERE kind = ? AND name = ?", state, kind, name)
        return _json(call.thing(kind, name))

    def _delete(self, call: Call, kind: str, name: str) -> Response:
        gone = call.thing(kind, name)
        call.rows("DELETE FROM thing WHERE kind = ? AND name = ?", kind, name)
        return _json(gone)

    def _array(self, call: Call) -> Response:
        return _json(dict(call.rows("SELECT state FROM array")[0]))

    def _me(self, call: Call) -> Response:
        return _json({"name": call.caller, "roles": [call.role.upper()]})

    def _my_permissions(self, call: Call) -> Response:
        return _json({"permissions": permissions(call.known.scopes)})  # type: ignore[arg-type]  # it is a key

    def _preview(self, call: Call) -> Response:
        asked = call.request.args
        reading = notation.read(call.vocabulary, asked.get("scopes", ""), strict=False)
        form = form_data(reading.scopes, asked.get("name", ""), asked.get("description", ""))
        return _json({"form": form, "permissions": permissions(call.worth(reading.scopes)), "unknown": reading.unknown})

    def _link(self, call: Call) -> Response:
        try:
            return _json({"url": authorization_url(call.vocabulary, call.body(), call.origin)})
        except (ScopewareError, LookupError, TypeError, AttributeError) as error:
            raise BadRequest(f"it cannot be made into a link: {error}") from None

    def _keys(self, call: Call) -> Response:
        return _json(call.keys(call.caller if call.only_own else None))

    # -- pages

    def _sign_in(self, call: Call) -> Response:
        form, asked = call.request.form, call.request.args.get("asked")
        known = call.rows("SELECT * FROM person WHERE name = ?", form.get("name"))
        if not known or not check_password_hash(known[0]["password"], form.get("password", "")):
            problem = "Nobody has this name and password." if form else ""
            return _page("Sign in", _SIGN_IN.format(problem), 401 if form else 200)
        secret = secrets.token_urlsafe()
        session = (_digest(secret), known[0]["name"], secrets.token_urlsafe(), time.time() + 3600)
        call.rows("INSERT INTO session VALUES (?, ?, ?, ?)", *session)
        answer = _go(f"{AUTHORIZE}?{quote(asked, safe='=&%+')}" if asked else "/Tools/ApiKeys")
        answer.set_cookie(COOKIE, secret, httponly=True, samesite="Lax", secure=call.request.is_secure)
        return answer

    def _consent(self, call: Call, problem: str = "") -> Response:
        if not call.caller:
            return _go(f"/login?{urlencode({'asked': call.request.query_string.decode('latin-1')})}")
        asked, reading = call.asked()
        items = [Markup("<li><code>{}</code> {}").format(word, call.about(word)) for word in _words(reading.scopes)]
        items += [Markup("<li><del>{}</del> is not known, and left out").format(word) for word in reading.unknown]
        worth = _words(call.worth(reading.scopes))
        body = _CONSENT.format(
            problem=problem,
            description=asked.description,
            asked=Markup().join(items),
            person=call.caller,
            role=call.role,
            worth=" ".join(worth) or "nothing at all",
            redirect=asked.redirect_uri,
            csrf=call.csrf(),
            name=call.request.form.get("name", asked.name),
            off="" if worth else Markup(" disabled"),
        )
        return _page(f"{asked.name} asks for a key", body, 409 if problem else 200)

    def _decide(self, call: Call) -> Response:
        form = call.own_form()
        asked, reading = call.asked()
        if form.get("decision") != "authorize":
            return _go(callback_url(asked.redirect_uri, error="access_denied", state=asked.state))
        try:
            issued = call.store.issue(owner=call.caller, name=form.get("name", ""), scopes=reading.scopes)
        except TokenRefused as error:
            return self._consent(call, str(error))
        if asked.redirect_uri == f"{call.origin}{CREATED}":  # here: shown at once, so that it stands in no address
            return _page("Key created", Markup("<p>It is not shown again: <code>{}</code>").format(issued.secret))
        return _go(callback_url(asked.redirect_uri, key=issued.secret, state=asked.state))

    def _my_keys(self, call: Call) -> Response:
        if call.request.method == "POST":
            try:
                call.store.revoke(call.own_form().get("key", 0, type=int), by=call.caller)
            except (NoSuchToken, TokenManaged):
                raise NotFound("you have no such key to end") from None
        items = [_KEY.format(csrf=call.csrf(), **key) for key in call.keys(call.caller)]
        return _page("Your keys", Markup("<ul>{}</ul>").format(Markup().join(items)))


class Call:
    """One request: who is calling, and what they ask for."""

    def __init__(self, request: Request, connection: sqlite3.Connection) -> None:
        self.request = request
        self._connection = connection
        self.known: Context = request.environ["scopeware"]
        self.caller: str = self.known.owner or ""
        self.only_own: bool = self.known.possession != "any"
        self.store = self.known.gate.store
        self.vocabulary: Vocabulary = self.known.gate.policy.vocabulary
        self.origin = request.root_url.rstrip("/")
        self.role = "".join(row["role"] for row in self.rows("SELECT role FROM person WHERE name = ?", self.caller))

    def rows(self, statement: str, *values: object) -> list[sqlite3.Row]:
        return self._connection.execute(statement, values).fetchall()

    def thing(self, kind: str, name: str) -> dict[str, str]:
        for row in self.rows("SELECT name, owner, state FROM thing WHERE kind = ? AND name = ?", kind, name):
            return dict(row)
        raise NotFound("there is none of that name")

    def body(self) -> dict[str, Any]:
        body = self.request.get_json(silent=True)
        if not isinstance(body, dict):
            raise BadRequest("a JSON object is expected")
        return body

    def worth(self, scopes: ScopeSet) -> ScopeSet:
        """What a key of the caller's with these scopes could do."""
        return self.known.gate.policy.roles.effective(scopes, self.role)

    def about(self, word: str) -> str:
        """What a word of the compact notation is about, for people."""
        names = word.partition(":")[0].split("+")
        return ", ".join(self.vocabulary.categories[name].description for name in names if name != "role")

    def keys(self, owner: str | None) -> list[dict[str, Any]]:
        shown = [(key, " ".join(_words(key.scopes))) for key in self.store.list() if owner in (None, key.owner)]
        return [
            {"id": key.id, "owner": key.owner, "name": key.name, "scopes": scopes, "hint": key.hint}
            for key, scopes in shown
        ]

    def asked(self) -> tuple[AuthorizationRequest, notation.Reading]:
        """What an application asks for, by the address of the page."""
        try:
            asked = AuthorizationRequest.from_query(self.request.query_string.decode("latin-1"))
        except ScopewareError as error:
            raise BadRequest(str(error)) from None
        return asked, notation.read(self.vocabulary, asked.scopes, strict=False)

    def csrf(self) -> str:
        """What forms of this session carry, and nobody else can know."""
        digest = _digest(self.request.cookies.get(COOKIE, ""))
        return str(self.rows("SELECT csrf FROM session WHERE digest = ?", digest)[0]["csrf"])

    def own_form(self) -> Any:
        """The form that was sent, if a page of this server sent it."""
        if not hmac.compare_digest(self.request.form.get("csrf", "").encode(), self.csrf().encode()):
            raise Forbidden("this form did not come from here; open the page again")
        return self.request.form


def _upper(words: Iterable[str]) -> list[str]:
    return [word.upper() for word in words]


def _words(scopes: ScopeSet) -> list[str]:
    return [word for word in notation.write(scopes, "compact").split(",") if word]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _json(data: object, status: int = 200) -> Response:
    return Response(json.dumps(data) + "\n", status, mimetype="application/json")


def _page(title: str, body: str, status: int = 200) -> Response:
    return Response(_PAGE.format(title, body), status, _PRIVATE, mimetype="text/html")


def _go(url: str) -> Response:
    response = redirect(url, 303)
    response.headers.update(_PRIVATE)
    return response


def __getattr__(name: str) -> Any:
    """``app`` and what the gate asks of it: made when it is asked for, in a file that ``UNRAID_DATABASE`` names."""
    if name not in ("app", "identify", "account", "resource_owner"):
        raise AttributeError(name)
    path = os.environ.get("UNRAID_DATABASE") or os.path.join(tempfile.mkdtemp(prefix="unraid-"), "unraid.db")
    tower = Tower(path)
    globals().update(app=tower, identify=tower.identify, account=tower.account, resource_owner=tower.resource_owner)
    return globals()[name]
