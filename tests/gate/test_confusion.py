"""The gate and what is behind it read a request alike, or the gate refuses it.

Six real routers stand behind the gate with one route table; their handlers tell which of them ran, and for which
method. Whatever is sent, a handler only ever runs where the gate has asked for what that handler needs.
"""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bottle
import flask
import pytest
from django.http import HttpResponse
from django.urls import path as django_path
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from routers import METHODS, PREFIX, ROUTERS, ROUTES, category, django_application, policy_text
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from scopeware import Policy, Scopeware, TokenStore


def wsgi(path: str) -> str:
    """Text as a WSGI server hands it over."""
    return path.encode("utf-8").decode("latin-1")


KNOWN = [path.replace("<name>", "bob").replace("<path:rest>", "a/b") for path, _ in ROUTES.values()]
ODDITIES = [
    *("/", "//", "///", "/./", "/../", "/.", "/..", "/...", "\\", "%5c", "%2f", "%2F", "%2e", "%2e%2e/", "%252f"),
    *("\x00", "%00", "\n", "%0a", "\r", "\t", "\x7f", "\x85", " ", "+", "%20", "#", "?", "*", "%", "%61", "|"),
    *(";", ";x", ";x=1/", "/;", "/;x", "/;x/", "/..;/", ".json", ".", "~", "$", "^", "(", "{", "<"),
    *("\xff", "\xc0\xaf", "\xc2", "\xed\xa0\x80", "\xa0", "\xe9"),
    *map(wsgi, ("／", "．．", "e\u0301", "\u2028", "\u200b", "\ufeff", "ſ", "İ", "＼")),
]
INVALID_UTF8 = ("\xff", "\xc0\xaf", "\xc2", "\xed\xa0\x80", "\xa0", "\xe9")


def corpus() -> list[str]:
    """Every route with every oddity between, before and after its segments, and in the middle of one."""
    paths = ["", "*", "/", "http://forge.example/api/v1/admin", "//forge.example/api/v1/admin"]
    for known in KNOWN:
        full = PREFIX + known
        paths += [full, full.upper(), full.title(), full.swapcase(), full[1:], f"http://forge.example{full}"]
        paths += [f"/x/..{full}", f"{PREFIX}/users/..{known}", f"{full}/../admin", f"{full}/..;/admin", f"/x{full}"]
        places = {position for position, letter in enumerate(full) if letter == "/"}
        places |= {position + 1 for position in places} | {2, 6, len(full) - 1, len(full)}
        paths += [full[:place] + odd + full[place:] for place in sorted(places) for odd in ODDITIES]
    return list(dict.fromkeys(paths))


CORPUS = corpus()
OTHER_CONVERTER = pytest.mark.xfail(
    strict=True, reason="converters of one name take different texts: `<int:>` and `<uuid:>`"
)


class Behind:
    """A router behind the gate, and which handlers ran."""

    def __init__(self, name: str, store: TokenStore, policy: Policy, **options: Any) -> None:
        self.ran: list[tuple[str, str]] = []
        self.asked: list[tuple[tuple[str, ...], ...] | None] = []
        self._router = ROUTERS[name](lambda handler, method: self.ran.append((handler, method)))
        self.gate = Scopeware(self._watch, policy, store, **options)
        self.app: Any = self.gate

    def _watch(self, environ: dict[str, Any], start_response: Any) -> Any:
        context = environ.get("scopeware")
        self.asked.append(context.requirement.scope_lists() if context is not None else None)
        return self._router(environ, start_response)

    def send(self, method: str, path: str, *, script_name: str = "", **extra: str) -> int | None:
        """The status; ``None`` where the router itself failed."""
        self.ran.clear()
        self.asked.clear()
        started: list[str] = []
        environ = {"REQUEST_METHOD": method, "SCRIPT_NAME": script_name, "PATH_INFO": path, "QUERY_STRING": ""}
        environ |= {"SERVER_NAME": "forge.example", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1"}
        environ |= {"wsgi.url_scheme": "http", "wsgi.input": _NOTHING, "wsgi.errors": sys.stderr, **extra}
        try:
            result = self.app(
                environ, lambda status, headers, exc_info=None: started.append(status) or (lambda data: None)
            )
            b"".join(result)
            getattr(result, "close", lambda: None)()
        except UnicodeError:
            # How Pyramid refuses what is not UTF-8.
            return None
        return int(started[-1][:3])

    def bypassed(self) -> bool:
        """Whether a handler ran that needs what the gate did not ask for."""
        if not self.ran:
            return False
        [(handler, method)] = self.ran
        [asked] = self.asked
        needed = category(handler, method)
        if needed is None:
            return False
        if asked is None:
            return True
        # To read is what a method needs that reads; whoever was asked to be able to write is able to read.
        enough = {f"write:{needed}"}
        if method.upper() in ("GET", "HEAD", "OPTIONS"):
            enough.add(f"read:{needed}")
        return not asked or not all(enough & set(scopes) for scopes in asked)


class _Nothing:
    """A request body without anything in it."""

    def read(self, size: int = -1) -> bytes:
        return b""

    readline = read


_NOTHING = _Nothing()


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Policy, TokenStore, str]]:
    """The policy of the routes, and a token that may do everything: so that only the gate's question counts."""
    policy = Policy.loads(policy_text())
    path = tmp_path_factory.mktemp("confusion")
    store = TokenStore.connect(f"sqlite:///{path}/tokens.db", vocabulary=policy.vocabulary)
    yield policy, store, store.issue(owner="root", name="all", scopes="all").secret
    store.close()


@pytest.fixture(params=ROUTERS)
def behind(request: Any, everything: Any) -> Behind:
    """Each router behind the gate."""
    policy, store, _ = everything
    return Behind(request.param, store, policy)


def bypasses(behind: Behind, secret: str, requests: Any) -> list[tuple[str, str, str]]:
    """The requests that reached a handler they should not have, with a token for everything or with none."""
    found = []
    for method, script_name, path in requests:
        behind.send(method, path, script_name=script_name, HTTP_AUTHORIZATION=f"Bearer {secret}")
        if behind.bypassed():
            found.append((method, script_name, path))
        behind.send(method, path, script_name=script_name)
        if any(category(handler, done) is not None for handler, done in behind.ran):
            found.append((method, script_name, path))
    return found


# -- paths


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_plain_requests_reach_their_handlers(behind: Behind, everything: Any, method: str) -> None:
    """Or else the tests below would prove nothing."""
    reached = set()
    for known in KNOWN:
        behind.send(method, PREFIX + known, HTTP_AUTHORIZATION=f"Bearer {everything[2]}")
        assert not behind.bypassed()
        reached |= {handler for handler, _ in behind.ran}
    assert reached == set(ROUTES)


def skipping(paths: list[str], *parts: str) -> list[str]:
    """Those without any of these parts."""
    return [path for path in paths if not any(part in path for part in parts)]


def test_no_odd_path_reaches_a_handler_that_needs_something_else(behind: Behind, everything: Any, request: Any) -> None:
    """The whole corpus; what is known to slip through has tests of its own below."""
    name = request.node.callspec.params["behind"]
    paths = CORPUS
    if name == "falcon":
        paths = [path for path in paths if path not in EMPTY_VARIABLE]
    methods = itertools.cycle(("GET", "POST", "GET", "PUT", "DELETE"))
    assert bypasses(behind, everything[2], [(next(methods), "", path) for path in paths]) == []


EMPTY_VARIABLE = [f"{PREFIX}/users/", f"{PREFIX}/files/", f"{PREFIX}/packages/"]


@pytest.mark.parametrize("behind", ["bottle"], indirect=True)
@pytest.mark.parametrize("byte", [pytest.param(text, id=repr(text)) for text in INVALID_UTF8])
@pytest.mark.parametrize("place", [1, 4, 5, 7])
def test_bytes_that_a_router_drops_do_not_hide_the_prefix(
    behind: Behind, everything: Any, byte: str, place: int
) -> None:
    """`/api%ff/v1/admin` is `/api/v1/admin` to Bottle."""
    path = f"{PREFIX}/admin"
    assert bypasses(behind, everything[2], [("GET", "", path[:place] + byte + path[place:])]) == []


@pytest.mark.parametrize("byte", [pytest.param(text, id=repr(text)) for text in INVALID_UTF8])
def test_bytes_that_are_not_utf8_are_refused_below_the_prefix(behind: Behind, byte: str) -> None:
    """Routers replace them, drop them, or fail: there is no one reading."""
    assert behind.send("GET", f"{PREFIX}/open{byte}") == 400
    assert behind.send("GET", f"{PREFIX}/open") == 200


@pytest.mark.parametrize("behind", ["falcon"], indirect=True)
@pytest.mark.xfail(strict=True, reason="to Falcon the empty text after a slash at the end is a value for a variable")
@pytest.mark.parametrize("path", EMPTY_VARIABLE[:2])
def test_an_empty_last_segment_is_no_variable_to_the_one_and_nothing_to_the_other(
    behind: Behind, everything: Any, path: str
) -> None:
    """`/users/` runs the handler of `/users/{name}` in Falcon, with an empty name."""
    assert bypasses(behind, everything[2], [("DELETE", "", path), ("PUT", "", path)]) == []


_letters = st.sampled_from([*"/.;%?#\\ab2fFeE5c0", "users", "admin", "open", "files", "cron", "..", "//", *ODDITIES])


@settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    start=st.sampled_from(["", PREFIX, "/api", f"{PREFIX}/users", f"{PREFIX}/admin", f"{PREFIX}/open"]),
    rest=st.lists(_letters, max_size=6).map("".join),
    split=st.integers(0, 12),
    method=st.sampled_from(METHODS),
)
@pytest.mark.parametrize("name", [name for name in ROUTERS if name not in ("bottle", "falcon")])
def test_no_path_made_at_random_does_either(
    everything: Any, name: str, start: str, rest: str, split: int, method: str
) -> None:
    """Split anywhere between SCRIPT_NAME and PATH_INFO where a slash begins the latter."""
    policy, store, secret = everything
    behind = _behind(name, store, policy)
    path = start + rest
    script_name = path[:split] if path[split : split + 1] == "/" else ""
    assert bypasses(behind, secret, [(method, script_name, path.removeprefix(script_name))]) == []


_made: dict[tuple[str, int], Behind] = {}


def _behind(name: str, store: TokenStore, policy: Policy) -> Behind:
    key = (name, id(store))
    if key not in _made:
        _made[key] = Behind(name, store, policy)
    return _made[key]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/api/v1/users/..;/admin", id="a dot segment with parameters"),
        pytest.param("/api/v1/users/.;x/bob", id="a dot with parameters"),
        pytest.param("/api/v1/users/;x", id="nothing but parameters"),
    ],
)
def test_parameters_do_not_hide_what_would_be_refused_without_them(everything: Any, path: str) -> None:
    """An application that drops `;parameters` and resolves dots, or `urlparse().path`, reads another path."""
    behind = Behind("werkzeug", everything[1], everything[0])
    assert behind.send("GET", path, HTTP_AUTHORIZATION=f"Bearer {everything[2]}") == 400


# -- converters: werkzeug's are the policy's

TYPED = """
[vocabulary]
actions = ["read", "write"]
categories = {number = "", name = "", id = ""}
[[group]]
path = "/numbers/<int:number>"
scopes = ["number"]
[[group]]
path = "/numbers/<name>"
scopes = ["name"]
[[group]]
path = "/ids/<uuid:id>"
scopes = ["id"]
[[group]]
path = "/ids/<name>"
scopes = ["name"]
"""


def typed_flask(ran: list[str]) -> Any:
    """Flask with the converters of the policy."""
    app = flask.Flask("typed")
    for handler, path in (("number", "/numbers/<int:x>"), ("id", "/ids/<uuid:x>")):
        app.add_url_rule(path, handler, lambda x, handler=handler: ran.append(handler) or "done")
    for path in ("/numbers/<x>", "/ids/<x>"):
        app.add_url_rule(path, path, lambda x: ran.append("name") or "done")
    return app


def typed_django(ran: list[str]) -> Any:
    """Django with its converters of those names."""

    def tell(handler: str) -> Any:
        return lambda request, x: ran.append(handler) or HttpResponse("done")

    paths = {"numbers/<int:x>": "number", "numbers/<str:x>": "name", "ids/<uuid:x>": "id", "ids/<str:x>": "name"}
    return django_application([django_path(path, tell(handler)) for path, handler in paths.items()])


def typed_bottle(ran: list[str]) -> Any:
    """Bottle, which knows no UUIDs."""
    app = bottle.Bottle()
    app.route("/numbers/<x:int>", callback=lambda x: ran.append("number") or "done")
    app.route("/numbers/<x>", callback=lambda x: ran.append("name") or "done")
    return app


@pytest.mark.parametrize(
    ("make", "path"),
    [
        pytest.param(typed_flask, "/numbers/7", id="Flask, a number"),
        pytest.param(typed_flask, "/numbers/x", id="Flask, a name"),
        pytest.param(typed_flask, wsgi("/numbers/\u0663"), id="Flask, an Arabic digit"),
        pytest.param(typed_flask, "/numbers/-7", id="Flask, a negative number"),
        pytest.param(typed_flask, "/numbers/0x7", id="Flask, a hexadecimal number"),
        pytest.param(typed_flask, "/ids/6ba7b810-9dad-11d1-80b4-00c04fd430c8", id="Flask, a UUID"),
        pytest.param(typed_flask, "/ids/6BA7B810-9DAD-11D1-80B4-00C04FD430C8", id="Flask, a UUID in capitals"),
        pytest.param(typed_django, "/numbers/7", id="Django, a number"),
        pytest.param(typed_django, "/numbers/x", id="Django, a name"),
        pytest.param(typed_django, "/numbers/-7", id="Django, a negative number"),
        pytest.param(typed_django, wsgi("/numbers/\u0663"), id="Django, an Arabic digit", marks=OTHER_CONVERTER),
        pytest.param(typed_django, "/ids/6ba7b810-9dad-11d1-80b4-00c04fd430c8", id="Django, a UUID"),
        pytest.param(
            typed_django,
            "/ids/6BA7B810-9DAD-11D1-80B4-00C04FD430C8",
            id="Django, a UUID in capitals",
            marks=OTHER_CONVERTER,
        ),
        pytest.param(typed_bottle, "/numbers/7", id="Bottle, a number"),
        pytest.param(typed_bottle, "/numbers/x", id="Bottle, a name"),
        pytest.param(typed_bottle, wsgi("/numbers/\u0663"), id="Bottle, an Arabic digit"),
        pytest.param(typed_bottle, "/numbers/-7", id="Bottle, a negative number", marks=OTHER_CONVERTER),
    ],
)
def test_what_a_converter_takes_is_what_the_gate_thinks_it_takes(tmp_path: Path, make: Any, path: str) -> None:
    """A handler for numbers beside one for names: the gate asks for what the one needs that runs, or refuses."""
    policy = Policy.loads(TYPED)
    store = TokenStore.connect(f"sqlite:///{tmp_path}/tokens.db", vocabulary=policy.vocabulary)
    ran: list[str] = []
    app = make(ran)
    reached = set()
    for name in ("number", "name", "id"):
        secret = store.issue(owner="alice", name=name, scopes=f"read:{name}").secret
        behind = Behind("werkzeug", store, policy)
        behind._router = app
        behind.send("GET", path, HTTP_AUTHORIZATION=f"Bearer {secret}")
        reached |= {(name, handler) for handler in ran}
        ran.clear()
    store.close()
    assert all(scope == handler for scope, handler in reached), reached


# -- SCRIPT_NAME


@pytest.mark.parametrize("split", [0, 4, 7])
def test_where_the_application_is_mounted_makes_no_difference(everything: Any, split: int) -> None:
    """The policy's paths begin at the root of the site: SCRIPT_NAME and PATH_INFO together are decided about."""
    policy, store, _secret = everything
    behind = Behind("werkzeug", store, policy)
    full = f"{PREFIX}/admin"
    assert behind.send("GET", full[split:], script_name=full[:split]) == 401
    assert behind.send("GET", f"{PREFIX}/version"[split:], script_name=full[:split]) in (200, 404)


def mounted_inside(everything: Any) -> Behind:
    """A gate, behind it a dispatcher, behind that a router, and an application of its own at `/admin`."""
    policy, store, _ = everything
    behind = Behind("werkzeug", store, policy)

    def admin(environ: dict[str, Any], start_response: Any) -> Any:
        below = environ["PATH_INFO"].split("/")[1:2]
        behind.ran.append(("cron" if below == ["cron"] else "admin", environ["REQUEST_METHOD"]))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"done"]

    behind._router = DispatcherMiddleware(behind._router, {f"{PREFIX}/admin": admin})
    return behind


def test_a_mount_inside_of_the_gate_is_read_as_the_gate_read_it(everything: Any) -> None:
    """A dispatcher takes segments from the one to the other, and decides about the same path."""
    behind = mounted_inside(everything)
    paths = [path for path in CORPUS if path[:1] in ("/", "")]
    assert bypasses(behind, everything[2], [("GET", "", path) for path in paths]) == []
    assert behind.send("GET", f"{PREFIX}/admin/x", HTTP_AUTHORIZATION=f"Bearer {everything[2]}") == 200


@pytest.mark.parametrize("start", ["x", " ", "*", "http:"])
def test_what_stands_before_the_first_slash_does_not_hide_the_prefix(everything: Any, start: str) -> None:
    """`GET x/api/v1/users`: waitress passes it on like that, and `x` becomes SCRIPT_NAME behind the gate."""
    assert bypasses(mounted_inside(everything), everything[2], [("GET", "", f"{start}{PREFIX}/users")]) == []


@pytest.mark.parametrize("name", ["werkzeug", "flask", "falcon"])
def test_a_path_info_without_a_slash_in_front_is_not_glued_to_the_mount(everything: Any, name: str) -> None:
    """gunicorn under SCRIPT_NAME=/forge makes `api/v1/admin` of `/forgeapi/v1/admin`, and routers add a slash."""
    policy = Policy.loads(policy_text(mount="/forge"))
    behind = Behind(name, everything[1], policy)
    assert bypasses(behind, everything[2], [("GET", "/forge", f"{PREFIX}/admin"[1:])]) == []


@pytest.mark.parametrize("name", ROUTERS)
def test_a_path_below_a_mount_is_guarded(everything: Any, name: str) -> None:
    """The nearest thing that is right, for the tests around."""
    behind = Behind(name, everything[1], Policy.loads(policy_text(mount="/forge")))
    assert behind.send("GET", f"{PREFIX}/admin", script_name="/forge") == 401
    assert (
        behind.send("GET", f"{PREFIX}/admin", script_name="/forge", HTTP_AUTHORIZATION=f"Bearer {everything[2]}") == 200
    )
    assert behind.ran == [("admin", "GET")]


@pytest.mark.parametrize("prefix", [pytest.param(PREFIX, id="with a prefix"), pytest.param("", id="without one")])
@pytest.mark.parametrize("name", ROUTERS)
def test_a_mount_that_a_client_made_up_does_not_open_the_gate(
    everything: Any, name: str, prefix: str, request: Any
) -> None:
    """`X-Forwarded-Prefix` through ProxyFix, or `SCRIPT_NAME` as a header through gunicorn, shift what is decided
    about, and not what is dispatched."""
    behind = Behind(name, everything[1], Policy.loads(policy_text(prefix=prefix)))
    behind.app = ProxyFix(behind.gate, x_prefix=1)
    behind.send("GET", f"{PREFIX}/admin", HTTP_X_FORWARDED_PREFIX="/x")
    assert behind.ran == []


# -- methods

SPELLINGS = ["get", "Get", "post", "pOST", "put", "delete", "DELete", "patch", "head", "options", "po\u017ft"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PROPFIND", "JEFF", ""])
def test_every_method_is_decided_about_as_it_is_dispatched(behind: Behind, everything: Any, method: str) -> None:
    """Known or not."""
    requests = [(method, "", PREFIX + known) for known in KNOWN]
    assert bypasses(behind, everything[2], requests) == []


@pytest.mark.parametrize("method", SPELLINGS)
@pytest.mark.parametrize("known", ["/users/bob", "/admin", "/files/a/b", "/open", "/users"])
def test_letter_case_of_a_method_does_not_change_who_may(
    behind: Behind, everything: Any, method: str, known: str, request: Any
) -> None:
    """werkzeug, Flask, Bottle and Django fold it: `delete` deletes, so it needs what DELETE needs."""
    assert bypasses(behind, everything[2], [(method, "", PREFIX + known)]) == []


# -- headers that some server, proxy or framework takes for something else

MISLEADING = {
    "HTTP_HOST": "forge.example/api/v1/open?",
    "HTTP_X_ORIGINAL_URL": "/api/v1/open",
    "HTTP_X_REWRITE_URL": "/api/v1/open",
    "HTTP_X_FORWARDED_URI": "/api/v1/open",
    "HTTP_X_FORWARDED_PREFIX": "/x",
    "HTTP_X_FORWARDED_PATH": "/api/v1/open",
    "HTTP_X_FORWARDED_HOST": "localhost",
    "HTTP_X_FORWARDED_FOR": "127.0.0.1",
    "HTTP_X_FORWARDED_METHOD": "OPTIONS",
    "HTTP_X_SCRIPT_NAME": "/x",
    "HTTP_SCRIPT_NAME": "/x",
    "HTTP_PATH_INFO": "/api/v1/open",
    "HTTP_X_HTTP_METHOD_OVERRIDE": "GET",
    "HTTP_X_HTTP_METHOD": "GET",
    "HTTP_X_METHOD_OVERRIDE": "GET",
    "HTTP_X_MIDDLEWARE_SUBREQUEST": "1",
    "HTTP_X_AUTH_USER": "root",
    "HTTP_X_FORWARDED_USER": "root",
    "HTTP_X_SCOPEWARE_MODE": "report",
    "HTTP_X_REAL_IP": "127.0.0.1",
    "REQUEST_URI": "/api/v1/open",
    "RAW_URI": "/api/v1/open",
    "SCRIPT_URL": "/api/v1/open",
    "PATH_TRANSLATED": "/api/v1/open",
    "QUERY_STRING": "_method=GET",
    "HTTP_ORIGIN": "http://evil.example",
    "HTTP_COOKIE": "scopeware=root",
}


@pytest.mark.parametrize("key", MISLEADING)
@pytest.mark.parametrize("name", ROUTERS)
def test_no_header_changes_a_decision(everything: Any, name: str, key: str) -> None:
    """Neither to a yes nor to a no; the path and the method are those of the request line."""
    behind = _behind(name, everything[1], everything[0])
    extra = {key: MISLEADING[key]}
    token = {"HTTP_AUTHORIZATION": f"Bearer {everything[2]}"}
    for method in ("GET", "POST", "DELETE"):
        assert behind.send(method, f"{PREFIX}/users/bob", **extra) == 401
        assert behind.ran == []
        behind.send(method, f"{PREFIX}/users/bob", **extra, **token)
        assert behind.asked == [((f"{'read' if method == 'GET' else 'write'}:{category('user', method)}",),)]
    assert behind.send("GET", f"{PREFIX}/open", **extra) in (200, 400)  # a Host that is none is Django's to refuse
    assert behind.asked == [()]


# -- real servers, raw requests

SERVED = """
import sys
sys.path[:0] = {path!r}
from routers import ROUTERS, policy_text
from scopeware import Policy, Scopeware, TokenStore
ran = []
router = ROUTERS[{router!r}](lambda handler, method: ran.append((handler, method)))
def telling(environ, start_response):
    ran.clear()
    context = environ.get("scopeware")
    body = b"".join(router(environ, lambda *arguments: None))
    asked = None if context is None else context.requirement.scope_lists()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [repr((asked, list(ran))).encode()]
policy = Policy.loads(policy_text(mount={mount!r}))
application = Scopeware(telling, policy, TokenStore.connect({database!r}, vocabulary=policy.vocabulary))
"""
SERVERS = {
    "wsgiref": "import wsgiref.simple_server as w; w.make_server('127.0.0.1', {port}, application).serve_forever()",
    "werkzeug": "from werkzeug.serving import run_simple; run_simple('127.0.0.1', {port}, application)",
    "waitress": "import waitress; waitress.serve(application, host='127.0.0.1', port={port}, threads=1)",
    "cheroot": "from cheroot.wsgi import Server; Server(('127.0.0.1', {port}), application).start()",
    "gunicorn": "",
}


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def serving(server: str, folder: Path, database: str, *, router: str = "flask", mount: str = "") -> Iterator[Any]:
    """``send(raw)`` → the first line of the answer, and what came after its headers; of a server of its own process."""
    if server == "cheroot":
        pytest.importorskip("cheroot")
    port = free_port()
    path = [str(Path(__file__).parent), *[entry for entry in sys.path if entry]]
    code = SERVED.format(path=path, router=router, mount=mount, database=database)
    (folder / "served.py").write_text(code + SERVERS[server].format(port=port))
    command = [sys.executable, "-W", "ignore", "served.py"]
    if server == "gunicorn":
        command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "served:application"]
    environ = {**os.environ, **({"SCRIPT_NAME": mount} if mount else {})}
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=log, stderr=log)

        def send(raw: bytes) -> tuple[str, str]:
            with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
                connection.sendall(raw)
                data = b""
                while chunk := connection.recv(65536):
                    data += chunk
            head, _, body = data.decode("latin-1").partition("\r\n\r\n")
            return head.partition("\r\n")[0], body

        try:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.05)
            yield send
        finally:
            process.terminate()
            process.wait(60)


def raw_request(method: str, target: str, secret: str | None = None, *lines: str) -> bytes:
    """A request as it goes over the wire."""
    headers = ["Host: forge.example", "Connection: close", *lines]
    if secret is not None:
        headers.append(f"Authorization: Bearer {secret}")
    return "\r\n".join([f"{method} {target} HTTP/1.1", *headers, "", ""]).encode("latin-1")


TARGETS = [
    *(
        "/api/v1/admin",
        "//api/v1/admin",
        "/api//v1/admin",
        "/api/v1/./admin",
        "/api/v1/open/../admin",
        "/%61pi/v1/admin",
    ),
    *(
        "/api/v1/%61dmin",
        "/api/v1%2fadmin",
        "/api%2Fv1%2Fadmin",
        "/api/v1/admin%2f",
        "/api/v1/admin%00",
        "/api/v1/admin%0a",
    ),
    *("/api/v1/open%2f..%2fadmin", "/api/v1/open/%2e%2e/admin", "/api/v1/open/..%2fadmin", "/api/v1/open%5c..%5cadmin"),
    *("/api/v1/admin;x", "/api/v1;x/admin", "/api/v1/open;/../admin", "/api/v1/admin%3fx", "/api/v1/admin%23x"),
    *("http://forge.example/api/v1/admin", "http://evil.example/api/v1/admin", "//forge.example/api/v1/admin"),
    *("http://x/api/v1/open?/../admin", "/api/v1/open?/../admin", "/api/v1/admin?/../open", "/api/v1/admin#/open"),
    *("/API/v1/admin", "/api/v1/ADMIN", "/api/v1/admin/", "/api/v1/admin//", "/api/v1/admin%20", "/api/v1/admin+"),
    *("/x/../api/v1/admin", "/../api/v1/admin", "/api/v1/%c0%ae%c0%ae/admin", "/api/v1/\xe9", "/api%ff/v1/admin", "*"),
    *("api/v1/admin", "@evil/api/v1/admin", "?/api/v1/admin", "/api/v1/%2561dmin", "/api/v1/open%252f..%252fadmin"),
]
RAW_METHODS = ["GET", "POST"]


def ran_without_being_asked(body: str) -> bool:
    """Whether the answer of :data:`SERVED` tells of a handler that needs what was not asked for."""
    if not body.startswith("("):
        return False
    asked, ran = eval(body, {"__builtins__": {}})
    for handler, method in ran:
        needed = category(handler, method)
        if needed is not None and asked not in (((f"read:{needed}",),), ((f"write:{needed}",),)):
            return True
    return False


@pytest.mark.parametrize("server", SERVERS)
def test_no_raw_request_to_a_real_server_gets_around_the_gate(server: str, everything: Any, tmp_path: Path) -> None:
    """What servers make of odd targets is theirs; a handler only runs where its scopes were asked for."""
    _, store, secret = everything
    with serving(server, tmp_path, f"sqlite:///{store._database.path}") as send:
        status, body = send(raw_request("GET", "/api/v1/admin", secret))
        assert ("200" in status, "admin" in body) == (True, True)
        assert "401" in send(raw_request("GET", "/api/v1/admin"))[0]
        for target in TARGETS:
            for method in RAW_METHODS:
                for token in (secret, None):
                    status, body = send(raw_request(method, target, token))
                    assert not ran_without_being_asked(body), (method, target, body)
                    assert token or "admin" not in body.partition("[(")[2], (method, target, body)


@pytest.mark.parametrize("server", ["wsgiref", "werkzeug", "waitress", "gunicorn"])
def test_an_authorization_header_that_is_sent_twice_is_400(server: str, everything: Any, tmp_path: Path) -> None:
    """All these servers join the two with a comma."""
    _, store, secret = everything
    with serving(server, tmp_path, f"sqlite:///{store._database.path}") as send:
        twice = raw_request("GET", "/api/v1/admin", secret, "Authorization: Bearer x")
        assert "400" in send(twice)[0]
        assert "200" in send(raw_request("GET", "/api/v1/admin", secret))[0]


def test_a_mount_of_gunicorn_is_not_left_by_leaving_out_a_slash(everything: Any, tmp_path: Path) -> None:
    """`/forgeapi/v1/admin` is SCRIPT_NAME=/forge and PATH_INFO=api/v1/admin."""
    _, store, _ = everything
    with serving("gunicorn", tmp_path, f"sqlite:///{store._database.path}", mount="/forge") as send:
        assert "401" in send(raw_request("GET", "/forge/api/v1/admin"))[0]
        assert "('admin', 'GET')" not in send(raw_request("GET", "/forgeapi/v1/admin"))[1]


def test_a_script_name_header_to_gunicorn_does_not_open_the_gate(everything: Any, tmp_path: Path) -> None:
    """By default it trusts 127.0.0.1, and so whatever a proxy there passes on."""
    _, store, secret = everything
    with serving("gunicorn", tmp_path, f"sqlite:///{store._database.path}") as send:
        assert "('admin', 'GET')" in send(raw_request("GET", "/api/v1/admin", secret))[1]
        assert "('admin', 'GET')" not in send(raw_request("GET", "/x/api/v1/admin", None, "SCRIPT_NAME: /x"))[1]
