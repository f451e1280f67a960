"""Eight real applications behind the gate, each with a policy that ``scopeware init`` drafts and nobody edits.

    python benchmarks/applications/run.py [--work DIR] [--venvs DIR] [--only httpbin,kinto]

Each application gets a virtual environment with the releases named below and this checkout. Then: ``scopeware routes``,
``init``, ``init`` once more (it must find nothing that is not covered), ``lint``, and ``run``: real HTTP, tokens in an
SQLite file. Asked is each route by each of its methods, without a token and with one that lacks the category; and some
requests by hand, which have to be answered as the application answers them without any gate.

Environments are kept in --work, and used again; --venvs names a folder that has them already (DIR/httpbin/venv, ...).
Prints a table, and a line for each expectation that failed; exits 1 if there is any. Needs no server of any kind.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
COMMAND, INSTALL, ANSWER, START = 120, 1800, 30, 60
"""Seconds until a step has failed."""
READY = re.compile(r" on http://([^:/]+):(\d+); guarded")


@dataclass(frozen=True)
class Ask:
    """A request that is made by hand.

    :param status: what the application answers without any gate.
    :param public: the draft lets everybody do it.
    """

    method: str
    path: str
    status: int
    public: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None


@dataclass(frozen=True)
class Application:
    """An application to try.

    :param package: whose version is shown.
    :param pins: what is installed.
    :param nowhere: a path that is no route.
    :param caught: a group of the draft covers it nevertheless, for a route of the application catches all there.
    :param headers: what the application wants in every request.
    """

    name: str
    package: str
    pins: tuple[str, ...]
    asks: tuple[Ask, ...]
    nowhere: Ask
    caught: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    server: str = "werkzeug"

    @property
    def module(self) -> str:
        return f"{self.name}_app"


def get(*paths: str, status: int = 200, public: bool = False) -> tuple[Ask, ...]:
    """Requests that are alike."""
    return tuple(Ask("GET", path, status, public) for path in paths)


def send(method: str, path: str, status: int, body: str | None = None, **headers: str) -> Ask:
    """A request with something in it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    kind = {"Content-Type": "application/json"} if body is not None and body.startswith("{") else {}
    return Ask(method, path, status, headers=kind | named, body=body)


APPLICATIONS = (
    Application(
        "httpbin",
        "httpbin",
        ("httpbin==0.10.4", "Flask==3.1.3", "Werkzeug==3.1.9", "flasgger==0.9.7.1"),
        (
            *get("/", "/get", "/headers", "/json", "/cookies", "/image/png", "/links/3/0", "/cache", "/cache/60"),
            *get("/anything/x", "/base64/SGVsbG8=", "/spec.json"),
            *get("/status/418", status=418),
            *get("/cookies/set?a=1", "/redirect-to?url=/get", status=302),
            *get("/basic-auth/u/p", status=401),
            *get("/robots.txt", "/static/favicon.ico", public=True),
            send("POST", "/post", 200, '{"a": 1}'),
            send("DELETE", "/anything/x", 200),
        ),
        Ask("GET", "/no/such", 404),
    ),
    Application(
        "mlflow",
        "mlflow",
        ("mlflow==3.17.2", "Flask==3.1.3", "Werkzeug==3.1.9"),
        (
            *get("/", "/api/2.0/mlflow/experiments/get?experiment_id=0", "/api/3.0/mlflow/server-info"),
            *get("/api/2.0/mlflow/experiments/search?max_results=5"),
            *get("/ajax-api/2.0/mlflow/experiments/search?max_results=5"),
            *get("/ajax-api/2.0/mlflow/registered-models/search", "/api/2.0/mlflow/webhooks"),
            *get("/api/2.0/mlflow/runs/get?run_id=x", status=404),
            *get("/health", "/version", public=True),
            send("POST", "/api/2.0/mlflow/registered-models/create", 200, '{"name": "tried"}'),
            *get("/api/2.0/mlflow/registered-models/get?name=tried"),
            send("DELETE", "/api/2.0/mlflow/registered-models/delete", 200, '{"name": "tried"}'),
        ),
        Ask("GET", "/no/such", 404),
    ),
    Application(
        "pypiserver",
        "pypiserver",
        ("pypiserver==2.4.2",),
        (
            *get("/", "/simple/", "/simple/demo/", "/packages/", "/packages/demo-1.0.tar.gz", "/demo/json"),
            *get("/demo", "/demo/", status=303),
            *get("/simple", "/simple/demo", status=301),
            *get("/health", public=True),
            *get("/favicon.ico", status=404, public=True),
        ),
        Ask("GET", "/a/b/c", 404),
        caught=True,
    ),
    Application(
        "wagtail",
        "wagtail",
        ("wagtail==8.0.1", "Django==5.2.19", "djangorestframework==3.18.3", "Werkzeug==3.1.9"),
        (
            *get("/", "/news/", "/api/v2/pages/", "/api/v2/pages/3/", "/api/v2/images/", "/api/v2/documents/"),
            *get("/api/v2/pages/4/", status=404),  # private
            *get("/admin/", "/admin/pages/", "/django-admin/", status=302),
            *get("/documents/1/x", status=404),
            *get("/admin/login/", "/_util/login/", "/django-admin/login/", public=True),
        ),
        Ask("GET", "/no.such", 404),
        caught=True,
    ),
    Application(
        "zaqar",
        "zaqar",
        ("zaqar==23.0.1", "falcon==4.4.0", "WebOb==1.8.11", "fakeredis[lua]==2.40.0", "redis==8.1.0"),
        (
            *get("/", status=300),
            *get("/v2/", "/v2/queues"),
            send("PUT", "/v2/queues/tried", 201, "{}"),
            send("POST", "/v2/queues/tried/messages", 201, '{"messages": [{"body": "hello", "ttl": 300}]}'),
            *get("/v2/queues/tried", "/v2/queues/tried/messages?echo=true"),
            send("DELETE", "/v2/queues/tried", 204),
            *get("/v2/ping", status=204, public=True),
        ),
        Ask("GET", "/no/such", 404),
        headers={"Client-Id": "3381af92-2b9e-11e3-b191-71861300734c", "X-Project-Id": "tried"},
    ),
    Application(
        "kinto",
        "kinto",
        ("kinto==26.5.0", "pyramid==2.1", "WebOb==1.8.11"),
        (
            *get("/v1/", "/v1/__heartbeat__", "/v1/__lbheartbeat__", "/v1/__api__", "/v1/contribute.json"),
            *get("/", "/v1", "/nothing", status=307),
            *get("/v1/buckets", "/v1/buckets/default", "/v1/buckets/a/collections/b/records", status=401),
            send("PUT", "/v1/buckets/a", 401, "{}"),
            send("POST", "/v1/batch", 200, '{"requests": [{"path": "/"}]}'),
        ),
        Ask("GET", "/v1/nothing", 404),
        caught=True,
    ),
    Application(
        "fab",
        "flask-appbuilder",
        # 5.3.0 does not start with later ones: dpgaspar/Flask-AppBuilder#2361.
        ("Flask-AppBuilder==5.3.0", "marshmallow==3.26.2", "marshmallow-sqlalchemy==1.4.2", "SQLAlchemy==2.1.9"),
        (
            *get("/"),
            *get("/logout/", "/users/list/", "/roles/list/", "/swagger/v1", "/lang/en", status=302),
            *get("/api/v1/_openapi", "/api/v1/contact/", "/api/v1/contact/1", status=401),
            *get("/login/", "/static/appbuilder/css/bootstrap.min.css", public=True),
            *get("/static/nothing.css", status=404, public=True),
        ),
        Ask("GET", "/no/such", 404),
    ),
    Application(
        "wsgidav",
        "wsgidav",
        ("WsgiDAV==4.4.0", "Werkzeug==3.1.9", "gunicorn==27.0.1"),
        (
            *get("/", "/hello.txt", "/docs/", "/docs/inner.txt"),
            *get("/docs", status=301),
            send("OPTIONS", "/", 200),
            send("PROPFIND", "/", 207, Depth="1"),
            send("PROPFIND", "/docs/inner.txt", 207, Depth="0"),
            send("PUT", "/docs/new.txt", 201, "new"),
            *get("/docs/new.txt"),
            send("MKCOL", "/made", 201),
            send("DELETE", "/made", 204),
            send("DELETE", "/docs/new.txt", 204),
        ),
        Ask("GET", "/no/such", 404),
        caught=True,
        server="gunicorn",  # it reads past the end of what is sent, which werkzeug's waits for: with and without a gate
    ),
)


class Failed(Exception):
    """A step that went wrong; the application is given up."""


@dataclass
class Result:
    """What came of an application."""

    framework: str = "-"
    version: str = "-"
    routes: int = 0
    groups: int = 0
    to_check: int = 0
    errors: int = 0
    warnings: int = 0
    requests: int = 0
    failures: list[str] = field(default_factory=list)

    def expect(self, true: object, what: str) -> None:
        """Note a failure, unless it is true."""
        if not true:
            self.failures.append(what)


class Trial:
    """An application, its environment and a fresh folder for all it writes."""

    def __init__(self, application: Application, binaries: Path, folder: Path, result: Result) -> None:
        self.application = application
        self.result = result
        self._binaries = binaries
        self._folder = folder
        self._policy = folder / "scopes.toml"
        self._database = f"sqlite:///{folder}/tokens.db"
        self._subject = f"{application.module}:app"
        self._environment = {name: text for name, text in os.environ.items() if not name.startswith("SCOPEWARE_")} | {
            "DATA": str(folder / "data"),
            "PYTHONPATH": f"{HERE}{os.pathsep}{ROOT}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONWARNINGS": "ignore",
        }

    def run(self) -> None:
        """All of it."""
        application, result = self.application, self.result
        asks = [*application.asks, application.nowhere]
        plain = self._inside({"do": "plain", "package": application.package, "asks": [self._request(a) for a in asks]})
        result.version = plain["version"]
        for ask, status in zip(asks, plain["statuses"], strict=True):
            result.expect(status == ask.status, f"{ask.method} {ask.path} without a gate: {status}, not {ask.status}")
        self._draft()
        tokens = self._tokens()
        named = [[ask.method, ask.path] for ask in asks]
        scopes = {name: scopes for name, (scopes, _) in tokens.items()}
        known = self._inside({"do": "expected", "policy": str(self._policy), "tokens": scopes, "asks": named})
        secrets = {name: secret for name, (_, secret) in tokens.items()}
        with self._served() as server:
            refused = self._refused(server, secrets, known)
            result.expect(refused, "no request was refused with 403 for want of a scope")
            for ask, status in zip(asks, plain["statuses"], strict=True):
                self._answered(server, secrets["all"], ask, status)

    def _draft(self) -> None:
        """``routes``, ``init`` twice, ``lint``."""
        result, policy = self.result, str(self._policy)
        listed = self._scopeware("routes", self._subject, fine=(0, 1))
        found = re.search(r"^(\d+) routes? \((.+)\)$", listed.stderr, re.MULTILINE)
        if found is None:
            raise Failed(f"routes: {_last_line(listed.stderr)}")
        result.routes, result.framework = int(found[1]), found[2]
        made = self._parsed(self._scopeware("init", self._subject, "--policy", policy, "--json"))
        result.groups, result.to_check = made["groups"], made["to_check"]
        result.expect(made["routes"] == result.routes, f"init saw {made['routes']} routes, routes {result.routes}")
        again = self._scopeware("init", self._subject, "--policy", policy, "--json", fine=(0, 1))
        told = self._parsed(again)
        result.expect(again.returncode == 0 and not told["new"], f"init again: not covered: {told['new']}")
        result.expect(not told["outside"], f"init again: outside of the prefix: {told['outside']}")
        looked = self._scopeware("lint", policy, "--app", self._subject, "--json", fine=(0, 1))
        findings = self._parsed(looked)["findings"]
        result.errors = sum(each["severity"] == "error" for each in findings)
        result.warnings = len(findings) - result.errors
        result.expect(looked.returncode == bool(findings), f"lint exits {looked.returncode}: {len(findings)} findings")

    def _tokens(self) -> dict[str, tuple[list[str], str]]:
        """Tokens by name, their scopes and secrets: for all, for one category each, for reading alone."""
        listed = json.loads(self._scopeware("scopes", "list", "--policy", str(self._policy), "--json").stdout)
        scopes = [each["scope"] for each in listed]
        writing = [scope for scope in scopes if scope.startswith("write:")]
        wanted = {"all": scopes, "one": writing[:1], "other": writing[1:2], "reading": scopes[:1]}
        made = {}
        for name, words in wanted.items():
            if words:
                given = ("--owner", "tester", "--name", name, "--scopes", ",".join(words), "--quiet")
                where = ("--policy", str(self._policy), "--database", self._database)
                made[name] = (words, self._scopeware("token", "create", *given, *where).stdout.strip())
        return made

    def _refused(self, server: tuple[str, int], secrets: dict[str, str], known: dict[str, Any]) -> int:
        """Ask for everything that is guarded, without a token and with one that lacks the scope; how many of these."""
        application, result = self.application, self.result
        count = 0
        for number, row in enumerate([*known["asks"], *known["routes"]]):
            method, path = row["method"], row["path"]
            ask = (*application.asks, application.nowhere)[number] if number < len(known["asks"]) else None
            if ask is not None and ask is not application.nowhere:
                result.expect(row["guarded"] != ask.public, f"{method} {path}: the draft makes it public, or does not")
                result.expect(row["covered"], f"{method} {path}: no group of the draft covers it")
            if ask is application.nowhere:
                result.expect(row["covered"] == application.caught, f"{path}: covered, or not: {row['covered']}")
                if not row["covered"]:
                    self._expect(server, row, secrets["all"], 403, "unmatched")
            if not row["guarded"]:
                continue
            self._expect(server, row, None, 401, "token_required")
            lacking = [name for name in row["lacking"] if name != "all"]
            if lacking and row["covered"]:
                self._expect(server, row, secrets[lacking[0]], 403, "insufficient_scope")
                count += 1
            if row["covered"]:
                result.expect("all" not in row["lacking"], f"{method} {path}: all scopes do not suffice")
        return count

    def _answered(self, server: tuple[str, int], secret: str, ask: Ask, status: int) -> None:
        """What the application answers has to come through, with a token; without, where it is public."""
        if ask is self.application.nowhere and not self.application.caught:
            return
        for token in (None, secret) if ask.public else (secret,):
            got, code = self._ask(server, ask.method, ask.path, token, ask)
            who = "all scopes" if token else "no token"
            said = f"{got} {code}" if code else str(got)
            self.result.expect(
                got == status and not code, f"{ask.method} {ask.path} with {who}: {said}; without a gate {status}"
            )

    def _expect(self, server: tuple[str, int], row: dict[str, Any], secret: str | None, status: int, code: str) -> None:
        got = self._ask(server, row["method"], row["path"], secret)
        told = got[0] == status and (got[1] == code or row["method"] == "HEAD")
        who = "a token" if secret else "no token"
        self.result.expect(
            told,
            f"{row['method']} {row['path']} with {who}: {got[0]} {got[1] or 'of the application'}, not {status} {code}",
        )

    def _ask(
        self, server: tuple[str, int], method: str, path: str, secret: str | None, ask: Ask | None = None
    ) -> tuple[int, str]:
        """The status, and the gate's code where the answer is the gate's."""
        self.result.requests += 1
        headers = self.application.headers | (ask.headers if ask is not None else {})
        if secret is not None:
            headers = headers | {"Authorization": f"Bearer {secret}"}
        body = ask.body if ask is not None else None
        place = urllib.parse.quote(path, safe="/%?=&:@!$'()*+,;~")
        connection = http.client.HTTPConnection(*server, timeout=ANSWER)
        try:
            connection.request(method, place, body, headers)
            answer = connection.getresponse()
            told = answer.read()
        except (OSError, http.client.HTTPException) as error:
            return 0, f"{type(error).__name__}: {error}"
        finally:
            connection.close()
        if answer.headers.get_content_type() != "application/problem+json" or not told:
            return answer.status, ""
        return answer.status, json.loads(told).get("code", "")

    def _request(self, ask: Ask) -> list[object]:
        return [ask.method, ask.path, self.application.headers | ask.headers, ask.body]

    # -- processes

    @contextmanager
    def _served(self) -> Iterator[tuple[str, int]]:
        """``scopeware run``; host and port."""
        arguments = ["run", self._subject, "--policy", str(self._policy), "--database", self._database, "--port", "0"]
        arguments += ["--server", self.application.server, "--workers", "1"]
        log = self._folder / "run.log"
        with log.open("w") as file:
            process = subprocess.Popen(
                [self._binaries / "scopeware", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=self._environment,
                cwd=self._folder,
            )
            try:
                deadline = time.monotonic() + START
                while (said := READY.search(log.read_text())) is None:
                    if process.poll() is not None or time.monotonic() > deadline:
                        raise Failed(f"run: {_last_line(log.read_text()) or 'it says nothing'}")
                    time.sleep(0.1)
                yield said[1], int(said[2])
                self.result.expect(process.poll() is None, f"run: it ended by itself: {_last_line(log.read_text())}")
            finally:
                process.terminate()
                try:
                    process.wait(ANSWER)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    self.result.failures.append("run: it did not end when asked to")

    def _parsed(self, done: subprocess.CompletedProcess[str]) -> Any:
        """What a command printed, which should be JSON and nothing else."""
        before, sign, told = done.stdout.partition("{\n")
        lines = before.count("\n")
        self.result.expect(not before, f"{done.args[1]} --json: {lines} lines of the application stand before the JSON")
        return json.loads(sign + told)

    def _scopeware(self, *arguments: str, fine: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
        return self._process(self._binaries / "scopeware", *arguments, fine=fine)

    def _inside(self, task: dict[str, Any]) -> Any:
        told = json.dumps(task | {"module": self.application.module})
        return json.loads(self._process(self._binaries / "python", HERE / "inside.py", stdin=told).stdout)

    def _process(
        self, *command: str | Path, fine: tuple[int, ...] = (0,), stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(word) for word in command],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND,
            env=self._environment,
            cwd=self._folder,
            check=False,
        )
        if done.returncode not in fine:
            raise Failed(f"{Path(command[0]).name} {command[1]}: exit {done.returncode}: {_last_line(done.stderr)}")
        return done


def environment(application: Application, work: Path, venvs: Path | None) -> Path:
    """Where the programs of an application's virtual environment are; it is made where it is not there."""
    if venvs is not None:
        binaries = venvs / application.name / "venv" / "bin"
        if not (binaries / "scopeware").exists():
            raise Failed(f"there is no {binaries}/scopeware")
        return binaries
    venv = work / application.name / "venv"
    done = venv / "pins"
    wanted = "\n".join((*application.pins, str(ROOT)))
    if not done.exists() or done.read_text() != wanted:
        shutil.rmtree(venv, ignore_errors=True)
        pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for command in (
            [sys.executable, "-m", "venv", str(venv)],
            [*pip, *application.pins],
            [*pip, "--editable", str(ROOT)],
        ):
            step = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL, check=False)
            if step.returncode:
                raise Failed(f"{' '.join(command[1:4])}: {_last_line(step.stderr)}")
        done.write_text(wanted)
    return venv / "bin"


def tried(application: Application, work: Path, venvs: Path | None) -> Result:
    """All there is to know of an application. Whatever goes wrong is a failure of it alone."""
    result = Result()
    folder = work / application.name / "trial"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        Trial(application, environment(application, work, venvs), folder, result).run()
    except subprocess.TimeoutExpired as error:
        result.failures.append(f"no end after {error.timeout:.0f} s: {Path(error.cmd[0]).name} {error.cmd[1]}")
    except Failed as error:
        result.failures.append(str(error))
    except Exception as error:
        result.failures.append(f"{type(error).__name__}: {error}")
    return result


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


@contextmanager
def work_folder(named: str | None) -> Iterator[Path]:
    """The folder that is named, or a temporary one."""
    if named is not None:
        path = Path(named).resolve()
        path.mkdir(parents=True, exist_ok=True)
        yield path
    else:
        with tempfile.TemporaryDirectory(prefix="scopeware-applications-") as folder:
            yield Path(folder)


def main() -> int:
    parser = argparse.ArgumentParser(description="Eight applications behind a drafted policy.")
    parser.add_argument("--work", metavar="DIR", help="for environments and files; by default a temporary folder")
    parser.add_argument("--venvs", metavar="DIR", help="where there are environments already: DIR/<name>/venv")
    parser.add_argument("--only", metavar="NAMES", default="", help="of these applications, with commas between")
    options = parser.parse_args()
    only = {name for name in options.only.split(",") if name}
    if unknown := only - {application.name for application in APPLICATIONS}:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    chosen = [application for application in APPLICATIONS if not only or application.name in only]
    venvs = Path(options.venvs).resolve() if options.venvs else None
    results = {}
    with work_folder(options.work) as work:
        for application in chosen:
            started = time.monotonic()
            results[application.name] = result = tried(application, work, venvs)
            seconds = time.monotonic() - started
            print(f"{application.name}: {result.requests} requests, {seconds:.0f} s", file=sys.stderr, flush=True)
    print("| application | framework | version | routes | groups drafted | places to check | lint errors | warnings |")
    print("|---|---|---|---|---|---|---|---|")
    for name, each in results.items():
        figures = (each.routes, each.groups, each.to_check, each.errors, each.warnings)
        print(f"| {name} | {each.framework} | {each.version} | {' | '.join(map(str, figures))} |")
    failures = [f"{name}: {failure}" for name, each in results.items() for failure in each.failures]
    print(
        f"\n{sum(each.requests for each in results.values())} requests over HTTP, {len(failures)} expectations failed"
    )
    for failure in failures:
        print(f"FAILED {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
