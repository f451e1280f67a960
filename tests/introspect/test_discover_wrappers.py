"""What stands around applications: it is looked through, whatever it is, and none of it is called."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flask
import pytest
import webob.dec
from werkzeug.local import LocalProxy
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import Map, Rule
from werkzeug.test import Client

from scopeware import Policy, Scopeware, TokenStore
from scopeware.introspect.discover import discover

ROOT = Path(__file__).resolve().parents[2]


def site(*rules: str) -> flask.Flask:
    """An application with a view for each rule."""
    made = flask.Flask("site", static_folder=None)
    for rule in rules:
        made.add_url_rule(rule, rule.replace(".", "-"), lambda **_: "view")
    return made


def routes(application: Any) -> list[str]:
    return [str(endpoint) for endpoint in discover(application).endpoints]


def reached(application: Any, paths: Iterable[str]) -> list[str]:
    client = Client(application)
    return [path for path in paths if client.get(path).status_code == 200]


SITE = site("/a", "/b/<int:x>")
FOUND = ["GET /a", "GET /b/<int:x>"]


class Around:
    """Calls one of its attributes."""

    def __init__(self, name: str, inner: Any, **more: Any) -> None:
        self._name = name
        vars(self).update({name: inner, **more})

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return getattr(self, self._name)(environ, start_response)


class Slots:
    __slots__ = ("__secret", "inner")

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.inner(environ, start_response)


class OneSlot:
    __slots__ = "inner"  # noqa: PLC0205  # one name alone is allowed

    __init__, __call__ = Slots.__init__, Slots.__call__


class PrivateSlot:
    __slots__ = ("__inner",)

    def __init__(self, inner: Any) -> None:
        self.__inner = inner

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.__inner(environ, start_response)


class SlotOfMany:
    __slots__ = ("stack",)

    def __init__(self, inner: Any) -> None:
        self.stack = [inner]

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.stack[0](environ, start_response)


class OfTheClass:
    application = SITE

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.application(environ, start_response)


class OfTheModule:
    def __call__(self, environ: Any, start_response: Any) -> Any:
        return SITE(environ, start_response)


def closure(inner: Any) -> Callable[..., Any]:
    """A function around something."""

    def application(environ: Any, start_response: Any) -> Any:
        return inner(environ, start_response)

    return application


def closure_of_several(inner: Any) -> Callable[..., Any]:
    several = {"first": inner}

    def application(environ: Any, start_response: Any) -> Any:
        return several["first"](environ, start_response)

    return application


WRAPPED = closure(SITE)


def calls_a_function_beside_it(environ: Any, start_response: Any) -> Any:
    return WRAPPED(environ, start_response)


def call_first(several: list[Any], environ: Any, start_response: Any) -> Any:
    return several[0](environ, start_response)


def around(inner: Any, environ: Any, start_response: Any) -> Any:
    """Answers a path by itself, before the application is asked."""
    if environ["PATH_INFO"] == "/health":
        start_response("200 OK", [])
        return [b"fine"]
    return inner(environ, start_response)


@webob.dec.wsgify.middleware
def of_webob(request: Any, inner: Any) -> Any:
    return inner


def deep(levels: int) -> Any:
    made: Any = SITE
    for number in range(levels):
        made = Around(f"level{number}", made)
    return made


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: Around("anything", closure(ProxyFix(of_webob(SITE)))), id="attributes of any name"),
        pytest.param(lambda: Slots(SITE), id="slots"),
        pytest.param(lambda: OneSlot(PrivateSlot(SlotOfMany(SITE))), id="slots of every kind"),
        pytest.param(OfTheClass, id="an attribute of the class"),
        pytest.param(OfTheModule, id="a name of the module"),
        pytest.param(lambda: calls_a_function_beside_it, id="a function of the module"),
        pytest.param(lambda: closure_of_several(SITE), id="a closure with a table"),
        pytest.param(lambda: functools.partial(call_first, [SITE]), id="a partial with a list"),
        pytest.param(lambda: functools.partial(around, closure(SITE)), id="answers by itself"),
        pytest.param(lambda: Around("app", SITE).__call__, id="a bound method"),
        pytest.param(lambda: deep(28), id="28 deep"),
    ],
)
def test_an_application_is_found_through_what_is_around_it(make: Callable[[], Any]) -> None:
    """What the wrapper answers itself is in no table, and nothing is said of it."""
    application = make()
    assert reached(application, ["/a", "/b/5"]) == ["/a", "/b/5"]
    assert routes(application) == FOUND


def test_an_application_is_found_through_scopeware(tmp_path: Path) -> None:
    """Which may be there already."""
    store = TokenStore.connect(f"sqlite:///{tmp_path / 'tokens.db'}")
    policy = Policy.loads('[[group]]\npath = "/a"\nscopes = []')
    assert routes(Around("app", Scopeware(closure(SITE), policy, store))) == FOUND


class Cascade:
    """Asks one after the other, until one knows the path."""

    def __init__(self, *applications: Any) -> None:
        self.apps = list(applications)

    def __call__(self, environ: Any, start_response: Any) -> Any:
        for each in self.apps:
            answer = Client(each).open(environ)
            if answer.status_code != 404:
                break
        return answer(environ, start_response)


class SignIn:
    """Answers some paths by a map of its own and passes the rest on."""

    def __init__(self, app: Any) -> None:
        self.app, self.url_map = app, Map([Rule("/login", endpoint="login")])

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if self.url_map.bind_to_environ(environ).test():
            start_response("200 OK", [])
            return [b"login"]
        return self.app(environ, start_response)


@pytest.mark.parametrize(
    ("application", "paths"),
    [
        pytest.param(Cascade(site("/a"), site("/b")), "/a /b", id="side by side"),
        pytest.param(Cascade(Around("app", closure(site("/a"))), site("/b")), "/a /b", id="one deeper than the other"),
        pytest.param(Cascade(*(site(f"/x{n}") for n in range(60))), "/x0 /x59", id="sixty"),
        pytest.param(SignIn(site("/a")), "/login /a", id="a map around an application"),
    ],
)
def test_several_applications_are_all_found(application: Any, paths: str) -> None:
    """Not only the one that is nearest."""
    assert reached(application, paths.split()) == paths.split()
    assert {f"GET {path}" for path in paths.split()} <= {route.replace("ANY", "GET") for route in routes(application)}


# -- tables of prefixes


def raw(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"raw"]


def test_what_is_mounted_stands_below_its_prefix() -> None:
    """Dispatchers in dispatchers; what has no table is taken as a whole, and that is said."""
    inner = DispatcherMiddleware(site("/b"), {"/deep/er": Around("app", site("/", "/c/<x>"))})
    application = DispatcherMiddleware(SITE, {"/v1": inner, "/raw": raw, "": site("/d")})
    paths = ["/a", "/d", "/v1/b", "/v1/deep/er/", "/v1/deep/er/c/5", "/raw/x/y"]
    assert reached(application, paths) == ["/d", "/v1/b", "/v1/deep/er/", "/v1/deep/er/c/5", "/raw/x/y"]
    assert set(routes(application)) - {"GET /a", "GET /b/<int:x>"} == {
        "GET /d", "GET /v1/b", "GET /v1/deep/er", "GET /v1/deep/er/c/<x>", "ANY /raw/..."
    }  # fmt: skip
    assert "/raw" in " ".join(discover(application).notes)


def test_what_is_mounted_in_flasks_own_way_is_found() -> None:
    """``app.wsgi_app`` is replaced by something that leads back to the application."""
    application = site("/a")
    mounts = {"/admin": ProxyFix(closure(site("/x")))}
    application.wsgi_app = ProxyFix(DispatcherMiddleware(closure(application.wsgi_app), mounts))  # type: ignore[method-assign]
    assert reached(application, ["/a", "/admin/x"]) == ["/a", "/admin/x"]
    assert routes(application) == ["GET /a", "GET /admin/x"]
    assert discover(application).notes == ()


class URLMap:
    """As Paste has it: the longest prefix first, for a host or for all."""

    def __init__(self, *applications: Any, otherwise: Any = raw) -> None:
        self.applications = list(applications)
        self.not_found_application = otherwise

    def __call__(self, environ: Any, start_response: Any) -> Any:
        for (host, prefix), application in self.applications:
            path = environ["PATH_INFO"]
            if host in (None, environ["HTTP_HOST"]) and (path == prefix or path.startswith(f"{prefix}/")):
                below = {"SCRIPT_NAME": environ["SCRIPT_NAME"] + prefix, "PATH_INFO": path[len(prefix) :]}
                return application({**environ, **below}, start_response)
        return self.not_found_application(environ, start_response)


def test_a_table_of_hosts_and_prefixes_is_read() -> None:
    """An application that is there for two hosts is the same application."""
    inner = site("/x")
    application = URLMap((("a.example", "/in"), inner), (("localhost", "/in"), inner), ((None, ""), SITE))
    assert reached(application, ["/in/x", "/a", "/b/5"]) == ["/in/x", "/a", "/b/5"]
    assert routes(application) == [*FOUND, "GET /in/x"]
    assert discover(application).notes == ()


def test_what_answers_where_no_prefix_fits_is_found() -> None:
    """It may be the largest of all."""
    application = URLMap(((None, "/in"), site("/x")), otherwise=SITE)
    assert reached(application, ["/in/x", "/a"]) == ["/in/x", "/a"]
    assert routes(application) == [*FOUND, "GET /in/x"]


def shifted(environ: Any, prefix: str) -> Any:
    return {**environ, "SCRIPT_NAME": environ["SCRIPT_NAME"] + prefix, "PATH_INFO": environ["PATH_INFO"][len(prefix) :]}


class Sites:
    """A dispatcher of one's own: whatever it calls its table, and what it falls back to."""

    def __init__(self, table: Any, otherwise: Any, *, called: str = "table", fallback: str = "otherwise") -> None:
        self._names = (called, fallback)
        vars(self).update({called: table, fallback: otherwise})

    def __call__(self, environ: Any, start_response: Any) -> Any:
        table, otherwise = (getattr(self, name) for name in self._names)
        for prefix, application in dict(table).items():
            if environ["PATH_INFO"].startswith(f"{prefix}/"):
                return application(shifted(environ, prefix), start_response)
        return otherwise(environ, start_response)


class SlottedSites:
    __slots__ = ("default", "table")

    def __init__(self, table: Any, default: Any) -> None:
        self.table, self.default = table, default

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return Sites(self.table, self.default)(environ, start_response)


def closure_of_prefixes(table: Any, otherwise: Any) -> Callable[..., Any]:
    """A function around a table of prefixes."""

    def application(environ: Any, start_response: Any) -> Any:
        return Sites(table, otherwise)(environ, start_response)

    return application


INNER = site("/x", "/y/<z>")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: Sites({"/in": INNER}, SITE), id="an attribute"),
        pytest.param(lambda: SlottedSites({"/in": INNER}, SITE), id="a slot"),
        pytest.param(lambda: closure_of_prefixes({"/in": INNER}, SITE), id="a closure"),
        pytest.param(lambda: Sites({"/in": INNER}, SITE, called="mounts", fallback="fallback"), id="mounts"),
        pytest.param(lambda: Sites([("/in", INNER)], SITE, called="apps", fallback="app"), id="a list of pairs"),
        pytest.param(lambda: Sites((("/in", INNER),), SITE), id="a tuple of pairs"),
        pytest.param(lambda: closure_of_prefixes([("/in", INNER)], SITE), id="a closure with a list of pairs"),
        pytest.param(
            lambda: functools.partial(Sites.__call__, Sites({"/in": closure(INNER)}, ProxyFix(SITE))), id="a partial"
        ),
        pytest.param(lambda: Around("app", closure(Sites({"/in": INNER}, SITE))), id="behind something else"),
    ],
)
def test_a_table_of_prefixes_of_ones_own_is_read(make: Callable[[], Any]) -> None:
    """Wherever it is kept; what is in it stands below its prefix only, and what else there is where it is."""
    application = make()
    assert reached(application, ["/in/x", "/in/y/5", "/a", "/b/5"]) == ["/in/x", "/in/y/5", "/a", "/b/5"]
    assert reached(application, ["/x", "/y/5"]) == []
    assert routes(application) == [*FOUND, "GET /in/x", "GET /in/y/<z>"]
    assert (discover(application).notes, discover(application).lost) == ((), ())


@pytest.mark.parametrize("names", [("table", "app"), ("mounts", "app"), ("applications", "not_found_application")])
def test_an_application_may_be_mounted_and_behind(names: tuple[str, str]) -> None:
    """It answers at both places."""
    called, fallback = names
    application = Sites({"/in": SITE}, SITE, called=called, fallback=fallback)
    assert reached(application, ["/in/a", "/a"]) == ["/in/a", "/a"]
    assert routes(application) == [*FOUND, "GET /in/a", "GET /in/b/<int:x>"]


def test_tables_of_prefixes_stand_below_each_other() -> None:
    """Each has its own prefix."""
    application = Sites({"/one": Sites({"/two": SITE}, INNER)}, raw)
    assert reached(application, ["/one/two/a", "/one/x"]) == ["/one/two/a", "/one/x"]
    assert routes(application) == [
        "GET /one/two/a",
        "GET /one/two/b/<int:x>",
        "GET /one/x",
        "GET /one/y/<z>",
    ]


def test_a_table_that_is_none_of_prefixes_is_one_of_applications() -> None:
    """Its keys are names, and say nothing of paths."""
    assert routes(Sites({"first": SITE}, raw)) == FOUND


# -- odd objects


class Odd:
    def __call__(self, environ: Any, start_response: Any) -> Any:
        raise AssertionError("it is not to be called")


class Raises(Odd):
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


class Echoes(Odd):
    def __getattr__(self, name: str) -> Any:
        return self


class OddModule(Odd):
    __module__ = None  # type: ignore[assignment]


class OddClass(Odd):
    @property
    def __class__(self) -> Any:
        raise RuntimeError("__class__")


class OddDict(Odd):
    @property
    def __dict__(self) -> Any:
        raise RuntimeError("__dict__")


class Uncomparable(Odd):
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("==")

    def __bool__(self) -> bool:
        raise RuntimeError("bool")

    def __len__(self) -> int:
        raise RuntimeError("len")


def ring() -> Callable[..., Any]:
    def one(environ: Any, start_response: Any) -> Any:
        return two(environ, start_response)

    def two(environ: Any, start_response: Any) -> Any:
        return one(environ, start_response)

    return one


def own_tail() -> Any:
    made = Around("again", None)
    vars(made)["again"] = made
    return made


PROXY: Any = LocalProxy(lambda: Raises().anything)


def uses_a_proxy(environ: Any, start_response: Any) -> Any:
    PROXY.anything()


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param([Raises()], id="attributes raise"),
        pytest.param([Echoes()], id="attributes are itself"),
        pytest.param([OddModule(), OddClass(), OddDict()], id="what every object has raises"),
        pytest.param([uses_a_proxy], id="a proxy for what is not there yet"),
        pytest.param([Uncomparable(), own_tail(), ring()], id="rings, and what cannot be compared"),
        pytest.param([Around("many", None, several=[Raises()] * 100_000)], id="very many"),
    ],
)
def test_odd_objects_beside_an_application_are_passed_by(odd: list[Any]) -> None:
    """Nothing that they raise gets through; alone, they have no routes, and that is said."""
    for each in odd:
        assert routes(Around("app", closure(SITE), odd=each)) == FOUND
        alone = discover(each)
        assert (alone.endpoints, len(alone.notes)) == ((), 1)


def test_a_dispatcher_that_is_mounted_in_itself_is_looked_at_once() -> None:
    """Below each prefix there would be another."""
    application = DispatcherMiddleware(SITE, {})
    application.mounts = {"/again": application}
    assert set(FOUND) <= set(routes(application))


def test_no_property_runs_and_nothing_is_called() -> None:
    """They may connect to something, or start it."""
    ran: list[str] = []

    def loud(name: str) -> Any:
        return property(lambda self: ran.append(name))

    names = ("mounts", "applications", "app", "application", "wsgi_app", "routes", "url_map", "registry", "_router")
    kind = type("Loud", (Around,), {name: loud(name) for name in (*names, "view_functions", "views", "__wrapped__")})
    assert routes(kind("inner", closure(SITE), on_start=lambda: ran.append("callback"))) == FOUND
    assert ran == []


def test_an_application_without_a_table_is_said_to_have_none() -> None:
    """It may find its way by itself, and may be no application at all."""
    for nothing in (raw, None, 5, "x", Raises, sys, SimpleNamespace(), print):
        found = discover(nothing)
        assert (found.kind, found.endpoints) == ("unknown", ())
        assert "no table of routes" in found.notes[0]


def test_importing_loads_no_framework_and_starts_nothing() -> None:
    """What is at work is loaded already."""
    code = """if True:
        import sys, threading
        import scopeware.introspect.discover, scopeware.introspect.tables
        frameworks = {"flask", "django", "bottle", "falcon", "pyramid", "yaml"} & set(sys.modules)
        print(frameworks or "none", threading.active_count())
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "none 1\n"
