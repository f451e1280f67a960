"""``scopeware run``: any WSGI application behind the gate, over a real socket."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sys

import pytest
from command_line import HOST, free_port, says

from scopeware.cli.main import main

POLICY = """
[policy]
prefix = "/api"

[[group]]
path = "/things"
scopes = ["issue"]

[[group]]
path = "/status"
scopes = []
require_token = false
"""

MODULE = '''
"""An application that says who calls."""


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [f"{environ['REQUEST_METHOD']} {environ.get('REMOTE_USER', 'nobody')}".encode()]


def factory():
    return app


def broken():
    raise RuntimeError("no\\nluck")


number = 3


class Site:
    wsgi = staticmethod(app)
'''

GUARDED = """
import flask

from scopeware import Policy, Scopeware, TokenStore


def bare(environ, start_response):
    start_response("200 OK", [])
    return []


store = TokenStore.connect("sqlite:///inner.db")
guarded = Scopeware(bare, Policy.load("policy.toml"), store)
flasky = flask.Flask("flasky")
flasky.wsgi_app = Scopeware(flasky.wsgi_app, Policy.load("policy.toml"), store)
store.close()


def make():
    return flasky
"""
DJANGO = """
from django.http import HttpResponse
from django.urls import path

SECRET_KEY = "x"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = __name__
urlpatterns = [path("api/things", lambda request: HttpResponse("of Django"))]
"""

LINE = re.compile(r"\d\d:\d\d:\d\d  .+")


@pytest.fixture
def site(folder):
    """A module ``site_to_run`` with applications, and a policy for them."""
    (folder / "policy.toml").write_text(POLICY, "utf-8")
    (folder / "site_to_run.py").write_text(MODULE, "utf-8")
    return folder


@pytest.fixture
def tokens(site, issue):
    """A reader's and a writer's secret."""
    return issue("read:issue"), issue("write:issue")


@pytest.fixture
def here(site, monkeypatch):
    """The site, to be imported by this process, which is never to serve it; and forgotten afterwards."""

    def serve(*arguments):
        raise AssertionError("it listens")

    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setattr("scopeware.cli.run.serve_werkzeug", serve)
    before = set(sys.modules)
    yield site
    for name in set(sys.modules) - before:
        if name.endswith("_to_run"):
            del sys.modules[name]


def arguments(application, *more):
    return ("run", application, "--policy", "policy.toml", *more)


@pytest.fixture(params=["werkzeug", "gunicorn"])
def serve(request, server):
    """Starts ``scopeware run`` with either server."""

    def start(application, *more):
        if request.param == "gunicorn":
            pytest.importorskip("gunicorn")
        return server(*arguments(application, "--server", request.param, "--port", str(free_port()), *more))

    return start


class TestServing:
    def test_a_reader_may_get_and_may_not_post(self, serve, tokens):
        """And the application knows who calls; a line a decision, without what stands in the query."""
        reader, writer = tokens
        running = serve("site_to_run:app")
        assert "guarded: " in running.err
        assert f"{running.url}/api/" in running.err
        assert "(2 groups)" in running.err
        assert running.ask("GET", "/api/things?secret=hidden", reader) == (200, "GET alice")
        refused, body = running.ask("POST", "/api/things?access_token=hidden", reader)
        assert refused == 403
        assert json.loads(body)["required_scopes"] == ["write:issue"]
        assert running.ask("POST", "/api/things", writer) == (200, "POST alice")
        assert running.ask("GET", "/api/things")[0] == 401
        assert running.ask("GET", "/api/nothing", writer)[0] == 403
        assert running.ask("GET", "/api/status") == (200, "GET nobody")
        assert running.ask("GET", "/elsewhere") == (200, "GET nobody")
        lines = running.lines(6)
        assert all(LINE.fullmatch(line) for line in lines)
        assert [line[10:] for line in lines] == [
            "alice (token 1)  GET /api/things  allowed  [/things]",
            "alice (token 1)  POST /api/things  denied 403 insufficient_scope: the token lacks write:issue  [/things]",
            "alice (token 2)  POST /api/things  allowed  [/things]",
            "-  GET /api/things  denied 401 token_required: a token is required  [/things]",
            "alice (token 2)  GET /api/nothing  denied 403 unmatched: no rule of the policy covers this path",
            "-  GET /api/status  allowed  [/status]",
        ]
        for text in (running.out, running.err):
            assert "hidden" not in text
            assert reader not in text

    @pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
    def test_a_signal_ends_it_cleanly(self, serve, site, sign):
        """Exit status 0, no traceback, and nobody listens any more."""
        running = serve("site_to_run:app")
        assert running.ask("GET", "/elsewhere")[0] == 200
        assert running.stop(sign) == 0
        assert "Traceback" not in running.err + running.out
        with socket.socket() as probe:
            assert probe.connect_ex((HOST, running.port)) != 0

    def test_a_revoked_token_is_refused_on_the_next_request(self, serve, tokens, cli):
        """By every worker."""
        reader, _ = tokens
        running = serve("site_to_run:app")
        for _ in range(4):
            assert running.ask("GET", "/api/things", reader)[0] == 200
        assert cli("token", "revoke", "1").status == 0
        for _ in range(4):
            assert running.ask("GET", "/api/things", reader)[0] == 401

    def test_json_is_an_object_a_line(self, serve, tokens):
        """With everything but the query."""
        reader, _ = tokens
        running = serve("site_to_run:app", "--json")
        running.ask("GET", "/api/things?secret=hidden", reader)
        running.ask("DELETE", "/api/things", reader)
        running.ask("GET", "/api/nothing")
        allowed, denied, unmatched = [json.loads(line) for line in running.lines(3)]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", allowed.pop("time"))
        assert allowed == {
            "owner": "alice",
            "token": 1,
            "method": "GET",
            "path": "/api/things",
            "group": "/things",
            "decision": "allowed",
            "status": None,
            "code": None,
        }
        assert (denied["decision"], denied["status"], denied["code"]) == ("denied", 403, "insufficient_scope")
        assert (unmatched["owner"], unmatched["token"], unmatched["group"]) == (None, None, None)
        assert (unmatched["status"], unmatched["code"]) == (401, "token_required")
        assert "hidden" not in running.out


class TestReport:
    def test_nothing_is_refused_and_what_would_have_been_is_told(self, server, tokens):
        """On stdout as a decision, on stderr as a warning."""
        reader, _ = tokens
        running = server(*arguments("site_to_run:app", "--port", "0", "--report"))
        assert running.ask("POST", "/api/things", reader) == (200, "POST alice")
        assert running.ask("GET", "/api/things")[0] == 200
        lines = running.lines(2)
        assert "denied 403 insufficient_scope" in lines[0]
        assert "denied 401 token_required" in lines[1]
        assert "would have refused POST `/api/things` with 403 insufficient_scope" in running.err


class TestApplications:
    @pytest.mark.parametrize(
        "name", ["site_to_run:app", "site_to_run", "site_to_run:factory()", "site_to_run:Site.wsgi"]
    )
    def test_an_application_is_found_by_name(self, server, site, name):
        """Named, by default `app`, made by a factory, or deeper in the module."""
        running = server(*arguments(name, "--port", "0"))
        assert running.ask("GET", "/elsewhere") == (200, "GET nobody")
        assert f"{name} on {running.url}" in running.err

    def test_application_is_the_second_default(self, server, site):
        """Where there is no `app`."""
        (site / "second_to_run.py").write_text("from site_to_run import app as application\n", "utf-8")
        assert server(*arguments("second_to_run", "--port", "0")).ask("GET", "/")[0] == 200

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("nowhere", "nowhere: cannot import `nowhere`: No module named 'nowhere'"),
            ("site_to_run.part", "cannot import `site_to_run.part`"),
            ("site_to_run:nope", "`site_to_run` has no application `nope`; write module:attribute"),
            ("site_to_run:nope()", "`site_to_run` has no application `nope`; write module:attribute"),
            ("site_to_run:number", "`site_to_run` has no application `number`"),
            ("site_to_run:number()", "`site_to_run` has no application `number`"),
            ("empty_to_run", "`empty_to_run` has no application `app` or `application`; write module:attribute"),
            ("lacking_to_run", "lacking_to_run: cannot import `lacking_to_run`: No module named 'nowhere_at_all'"),
            ("failing_to_run", "importing `failing_to_run` failed: RuntimeError: boom and more"),
            ("slip_to_run", "importing `slip_to_run` failed: SyntaxError"),
            (":app", ":app: importing `` failed"),
            ("a/b:app", "cannot import `a/b`"),
            ("[bold]", "cannot import `[bold]`"),
        ],
    )
    def test_what_cannot_be_found_is_told_in_one_line(self, cli, here, name, said):
        """Exit status 2, before anything listens."""
        (here / "empty_to_run.py").write_text("x = 1\n")
        (here / "lacking_to_run.py").write_text("import nowhere_at_all\n")
        (here / "failing_to_run.py").write_text("raise RuntimeError('boom\\nand more')\n")
        (here / "slip_to_run.py").write_text("def (\n")
        says(cli(*arguments(name, "--port", "0")), 2, said)

    def test_a_factory_that_fails_is_told_in_one_line(self, command, site):
        """Like a module that does."""
        says(command(*arguments("site_to_run:broken()", "--port", "0")), 2, "RuntimeError", "no luck")

    @pytest.mark.parametrize("name", ["guarded", "flasky", "make()"])
    def test_one_that_is_guarded_already_is_refused(self, cli, here, name):
        """Its requests would be asked twice, by two stores; what is inside of it can be served."""
        (here / "guarded_to_run.py").write_text(GUARDED, "utf-8")
        result = cli(*arguments(f"guarded_to_run:{name}", "--port", "0"))
        says(result, 2, f"guarded_to_run:{name}: it is guarded already", "name what is inside")
        with pytest.raises(AssertionError, match="it listens"):
            main(list(arguments("guarded_to_run:bare", "--port", "0")))

    def test_a_factory_without_parentheses_is_told_what_to_write(self, cli, here):
        """Before anything listens."""
        says(cli(*arguments("site_to_run:factory", "--port", "0")), 2, "write site_to_run:factory()")

    def test_django_with_settings(self, server, site, tokens):
        """A project without a module of its own for WSGI."""
        (site / "settings_to_run.py").write_text(DJANGO, "utf-8")
        name = "django.core.wsgi:get_wsgi_application()"
        running = server(*arguments(name, "--settings", "settings_to_run", "--port", "0"))
        assert running.ask("GET", "/api/things", tokens[0]) == (200, "of Django")
        assert running.ask("GET", "/api/things")[0] == 401

    def test_a_module_that_exits_is_told_in_one_line(self, command, site):
        """It is not the command's own exit."""
        (site / "leaving_to_run.py").write_text("import sys\nsys.exit(3)\n")
        says(command(*arguments("leaving_to_run", "--port", "0")), 2, "leaving_to_run")


class TestConfiguration:
    def test_without_a_policy_it_does_not_start(self, command, site):
        """Nothing is guarded by guesswork."""
        says(command("run", "site_to_run:app"), 2, "--policy: there is no scopes.toml here; name a policy")

    def test_scopes_toml_here_is_the_policy(self, server, site):
        """As for every command."""
        (site / "policy.toml").rename(site / "scopes.toml")
        assert server("run", "site_to_run:app", "--port", "0").ask("GET", "/api/things")[0] == 401

    def test_the_environment_names_policy_and_database(self, server, site):
        """Both, and the options go before."""
        changes = {"SCOPEWARE_POLICY": "policy.toml", "SCOPEWARE_DATABASE": "sqlite:///env.db"}
        assert server("run", "site_to_run:app", "--port", "0", **changes).ask("GET", "/api/things")[0] == 401
        assert (site / "env.db").exists()
        assert not (site / "scopeware.db").exists()

    def test_a_store_out_of_reach_stops_it(self, command, site):
        """Exit status 3, before anything listens."""
        says(command(*arguments("site_to_run:app", "--database", "sqlite:///no/tokens.db")), 3, "out of reach")

    def test_an_answer_style_nobody_knows_stops_it(self, command, site):
        """With those there are."""
        (site / "policy.toml").write_text(f'{POLICY}\n[gate]\nanswers = "nope"\n', "utf-8")
        result = command(*arguments("site_to_run:app", "--port", "0"))
        says(result, 2, "gate.answers: no answer style `nope`; there are: problem")

    def test_the_token_prefix_of_the_policy_is_the_one_that_counts(self, server, site, cli):
        """A token of another prefix is none of ours."""
        (site / "policy.toml").write_text(f'{POLICY}\n[gate]\ntoken_prefix = "abc"\n', "utf-8")
        create = ("token", "create", "--owner", "a", "--scopes", "all", "--quiet", "--name")
        other = cli(*create, "other").out.strip()
        ours = cli(*create, "ours", "--policy", "policy.toml").out.strip()
        running = server(*arguments("site_to_run:app", "--port", "0"))
        assert running.ask("GET", "/api/things", ours)[0] == 200
        assert running.ask("GET", "/api/things", other)[0] == 401


HOOKED = """
[policy]
prefix = "/api"

[vocabulary]
actions = ["read_any", "read_own"]
own = { read_any = "read_own" }
methods = { "*" = ["read_any"] }
categories = { docker = "Containers" }

[hooks]
identify = "hooks_to_run:Site.identify"
accounts = "hooks_to_run:account"
resource_owner = "hooks_to_run:owner_of"
not_found = "hooks_to_run:not_found"

[[group]]
path = "/docker"
scopes = ["docker"]
others = ["admin"]
own = "filter"

[[group]]
path = "/docker/<name>"
scopes = ["docker"]
resource = "<name>"
"""
HOOKS = '''
"""What an application knows; in a module beside it."""

from urllib.parse import parse_qs

from scopeware.tokens import Account

PEOPLE = {"alice": Account(role="user"), "root": Account(role="admin"), "gone": Account(role="admin", active=False)}


class Site:
    @staticmethod
    def identify(environ):
        return parse_qs(environ["QUERY_STRING"]).get("as", [None])[0]


def account(owner):
    return PEOPLE.get(owner)


def owner_of(resource):
    return {"web": "alice"}.get(resource)


def not_found(environ, start_response):
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b"nothing here"]


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['REMOTE_USER']} {environ['scopeware'].possession}".encode()]


def observe(environ, context):
    with open("observed.txt", "a") as file:
        print(context.owner, context.decision.allowed, file=file)


def sink(entries):
    with open("sunk.txt", "a") as file:
        print(len(list(entries)), file=file)


number = 3
'''


class TestHooks:
    """Functions of the application, which the policy names."""

    @pytest.fixture(autouse=True)
    def hooked(self, site):
        """Writes a policy with hooks of `hooks_to_run`, more of them on request; one is there."""
        (site / "hooks_to_run.py").write_text(HOOKS, "utf-8")
        (site / "failing_to_run.py").write_text("raise RuntimeError('boom\\nand more')\n")
        (site / "slip_to_run.py").write_text("def (\n")

        def write(more=""):
            (site / "policy.toml").write_text(HOOKED.replace("[hooks]", f"[hooks]\n{more}"), "utf-8")

        write()
        return write

    @pytest.fixture
    def token_of(self, site, cli):
        """``token_of("alice")``: the secret of a token for what is that owner's own."""
        # Without hooks: nothing of the application is imported here.
        head, _, rest = HOOKED.partition("[hooks]")
        (site / "hookless.toml").write_text(head + rest[rest.index("[[group]]") :], "utf-8")

        def make(owner):
            create = ("token", "create", "--owner", owner, "--name", "ci", "--policy", "hookless.toml")
            return cli(*create, "--scopes", "read_own:docker", "--quiet").out.strip()

        return make

    def test_the_gate_asks_the_application(self, serve, token_of):
        """Who is signed in, in which role, what is whose, and how to say that there is nothing."""
        alice, gone, nobody = token_of("alice"), token_of("gone"), token_of("bob")
        running = serve("hooks_to_run:app")
        assert running.ask("GET", "/api/docker?as=alice") == (200, "alice own")
        assert running.ask("GET", "/api/docker?as=root") == (200, "root any")
        assert running.ask("GET", "/api/docker?as=gone") == (200, "gone own")
        assert running.ask("GET", "/api/docker")[0] == 401
        assert running.ask("GET", "/api/docker/web", alice) == (200, "alice own")
        assert running.ask("GET", "/api/docker/db", alice) == (404, "nothing here")
        assert running.ask("GET", "/api/docker/nothing", alice) == (404, "nothing here")
        assert running.ask("GET", "/api/docker/web", gone)[0] == 401
        assert running.ask("GET", "/api/docker/web", nobody)[0] == 401

    def test_the_application_gets_the_log(self, server, hooked, site):
        """Besides the lines that the command prints."""
        hooked('log_sink = "hooks_to_run:sink"')
        running = server(*arguments("hooks_to_run:app", "--port", "0"))
        assert running.ask("GET", "/api/docker")[0] == 401
        assert running.ask("GET", "/api/docker/web")[0] == 401
        running.lines(2)
        assert running.stop() == 0
        assert sum(map(int, (site / "sunk.txt").read_text("utf-8").split())) == 2

    def test_the_application_observes_decisions(self, server, hooked, site):
        """A hook that is named is called; the lines are printed all the same."""
        hooked('observe = "hooks_to_run:observe"')
        running = server(*arguments("hooks_to_run:app", "--port", "0"))
        assert running.ask("GET", "/api/docker?as=alice")[0] == 200
        assert running.ask("GET", "/api/docker")[0] == 401
        running.lines(2)
        observed = site / "observed.txt"
        assert observed.exists(), "`observe` was not called"
        assert observed.read_text("utf-8").splitlines() == ["alice True", "None False"]

    def test_a_command_that_needs_accounts_asks_them_too(self, command, token_of, hooked):
        """What a token is worth depends on the role that the application knows."""
        token_of("alice")
        token_of("gone")
        for token_id, status in (("1", "live"), ("2", "owner_inactive")):
            shown = command("token", "show", token_id, "--policy", "policy.toml", "--json")
            assert (shown.status, shown.json["status"]) == (0, status)

    @pytest.mark.parametrize(
        ("hook", "said"),
        [
            ('visibility = "nowhere:f"', "hooks.visibility: `nowhere:f` cannot be imported: ModuleNotFoundError"),
            ('visibility = "hooks_to_run:nope"', "hooks.visibility: `hooks_to_run:nope` cannot be imported"),
            ('visibility = "hooks_to_run:Site.nope"', "`hooks_to_run:Site.nope` cannot be imported"),
            ('visibility = "hooks_to_run:number"', "hooks.visibility: `hooks_to_run:number` cannot be called"),
            ('resource_role = "failing_to_run:f"', "cannot be imported: RuntimeError: boom and more"),
            ('resource_role = "slip_to_run:f"', "cannot be imported: SyntaxError"),
            ('log_sink = "nowhere:f"', "hooks.log_sink: `nowhere:f` cannot be imported"),
            ('visibility = "hooks_to_run"', "hooks.visibility: expected module:attribute: `hooks_to_run`"),
            ('visibility = "hooks_to_run:f()"', "hooks.visibility: expected module:attribute: `hooks_to_run:f()`"),
            ('visibility = "../hooks:f"', "hooks.visibility: expected module:attribute: `../hooks:f`"),
            ("visibility = 5", "policy.toml: hooks.visibility: expected a string"),
            ('visible = "hooks_to_run:f"', "policy.toml: hooks.visible: unknown key `visible`"),
        ],
    )
    def test_one_that_cannot_be_is_told_in_one_line(self, cli, here, hooked, hook, said):
        """Exit status 2, before anything listens; what is wrong, and where."""
        hooked(hook)
        says(cli(*arguments("hooks_to_run:app", "--port", "0")), 2, said)

    @pytest.mark.parametrize("status", ["0", "3", "'bye'"])
    @pytest.mark.parametrize("asking", [("run", "hooks_to_run:app", "--port", "0"), ("token", "list")], ids=" ".join)
    def test_one_whose_module_exits_is_told_in_one_line(self, cli, here, hooked, asking, status):
        """It is not the command's own exit: nobody would know why nothing is served."""
        (here / "leaving_to_run.py").write_text(f"import sys\nsys.exit({status})\n")
        hooked()
        policy = (here / "policy.toml").read_text("utf-8").replace("hooks_to_run:account", "leaving_to_run:account")
        (here / "policy.toml").write_text(policy, "utf-8")
        says(cli(*asking, "--policy", "policy.toml"), 2, "hooks.accounts: `leaving_to_run:account`")


class TestPort:
    @pytest.fixture
    def taken(self):
        """A port that somebody listens on."""
        with socket.socket() as busy:
            busy.bind((HOST, 0))
            busy.listen()
            yield str(busy.getsockname()[1])

    def test_a_port_that_is_taken_is_told(self, command, site, taken):
        """With the way out, and exit status 2."""
        result = command(*arguments("site_to_run:app", "--port", taken))
        assert (result.status, result.out) == (2, "")
        assert result.err.endswith(f"scopeware: cannot listen on {HOST}:{taken}; choose another --port\n")
        assert "Traceback" not in result.err

    def test_a_port_that_is_taken_is_told_in_one_line(self, command, site, taken):
        """As every error."""
        says(command(*arguments("site_to_run:app", "--port", taken)), 2, "cannot listen on")

    def test_a_port_that_is_taken_is_told_with_gunicorn_too(self, command, site, taken):
        """The same line and the same status."""
        pytest.importorskip("gunicorn")
        result = command(*arguments("site_to_run:app", "--server", "gunicorn", "--port", taken))
        says(result, 2, f"cannot listen on {HOST}:{taken}; choose another --port")

    def test_gunicorn_prints_the_port_that_it_got(self, server, site):
        """As werkzeug's server does."""
        pytest.importorskip("gunicorn")
        running = server(
            *arguments("site_to_run:app", "--server", "gunicorn", "--port", "0"), wait_for=r"app on http\S+"
        )
        assert running.port != 0

    def test_without_gunicorn_it_says_how_to_get_it(self, cli, here, monkeypatch):
        """It is an extra."""
        monkeypatch.setitem(sys.modules, "gunicorn.app.base", None)
        result = cli(*arguments("site_to_run:app", "--server", "gunicorn"))
        says(result, 2, "--server: gunicorn is not installed; run `pip install gunicorn`")


class TestOutputNobodyReads:
    def test_requests_are_served_when_nobody_reads_the_lines(self, server, site, tokens):
        """``scopeware run … | head -1`` must not take the application down."""
        reader, _ = tokens
        unread, output = os.pipe()
        os.close(unread)
        try:
            running = server(*arguments("site_to_run:app", "--port", "0"), output=output)
        finally:
            os.close(output)
        assert running.ask("GET", "/elsewhere")[0] == 200
        assert running.ask("GET", "/api/things", reader)[0] == 200
