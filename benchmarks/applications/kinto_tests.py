"""Kinto's own tests, once as they are and once through the gate, with policies that nobody edits.

    python benchmarks/applications/kinto_tests.py [--work DIR] [--venv DIR --suite DIR] [--redis redis://127.0.0.1/15]

Run are the tests that speak to an application (those of ``kinto.core.testing.BaseWebTest``), with the release of Kinto
that is named below and the tests of its source. The policy for Kinto itself is what ``scopeware init`` writes for one
with all plugins; the tests of its core run another application, and whatever application the policy does not cover gets
one drafted from its own routes, as ``init`` does it. The gate takes its tokens from ``X-API-Key``, for Kinto reads
``Authorization`` itself; a thin wrapper outside gives every request a token with all scopes.

PostgreSQL is used where it answers as the tests want it (postgres:postgres@localhost): their database ``testdb`` is
made, and dropped afterwards. One test empties a Redis database; it is run on the one that is named, if that is empty.

Prints passed, failed and skipped of both, what was refused, and the tests that differ; exits 1 if any do that are not
in KNOWN below, with the reason. As a pytest plugin, this file is what puts the gate there.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RELEASE = "kinto==26.5.0"
PINS = (
    RELEASE,
    "pyramid==2.1",
    "WebOb==1.8.11",
    "WebTest==3.0.7",
    "pytest==9.2.0",
    "pytest-xdist==3.8.0",
    "pytest-cov==7.1.0",
    "bravado==12.0.1",
    "flex==6.14.1",
    "playwright==1.65.2",
    "redis==8.1.0",
    "SQLAlchemy==2.1.9",
    "psycopg2-binary==2.9.13",
    "zope.sqlalchemy==4.1",
    "newrelic==14.1.0",
    "sentry-sdk==2.75.0",
    "statsd==4.0.1",
    "prometheus-client==0.26.0",
)
POSTGRES = "postgresql://postgres:postgres@localhost/postgres"
DATABASE = "testdb"
COMMAND, INSTALL, SUITE = 120, 1800, 1800
CONTROL = "a path with a control character is a 400 of the gate"
KNOWN = {
    "tests.core.test_views_errors.ErrorViewTest::test_400_with_invalid_url_path": (
        "a path that is no UTF-8 is a 400 of both, and the gate's body is not Kinto's"
    ),
    "tests.core.test_views_errors.RedirectViewTest::test_do_not_redirect_to_version_if_disabled_in_settings": (
        "a path that no route has is a 403 of the gate, a 404 of Kinto"
    ),
    "tests.core.test_views_errors.RedirectViewTest::test_redirection_does_not_allow_control_characters": CONTROL,
    "tests.core.test_views_errors.RedirectViewTest::test_redirection_does_not_allow_crlf": CONTROL,
    "tests.test_views_objects_permissions.CollectionPermissionsTest::test_passing_unicode_on_parent_id_is_supported": (
        f"{CONTROL}, here U+0093 and U+0096, which Kinto takes for part of a name"
    ),
}
"""What a gate must do, and Kinto's tests do not want: test → why."""


# -- inside of pytest


def pytest_configure(config: Any) -> None:
    """Put the gate where the tests make their application, and Redis where nobody minds."""
    import kinto.core.cache.redis as cache  # noqa: PLC0415

    parse = cache.urlparse
    cache.urlparse = lambda url: parse(url or os.environ["KINTO_REDIS"])
    if "KINTO_GATE" in os.environ:
        config.pluginmanager.register(Gates(Path(os.environ["KINTO_GATE"])))


def pytest_collection_modifyitems(config: Any, items: list[Any]) -> None:
    """Keep those that speak to an application."""
    from kinto.core.testing import BaseWebTest  # noqa: PLC0415

    kept = [each for each in items if getattr(each, "cls", None) is not None and issubclass(each.cls, BaseWebTest)]
    if not os.environ.get("KINTO_REDIS"):
        kept = [each for each in kept if "Redis" not in each.cls.__name__]
    left = set(items) - set(kept)
    config.hook.pytest_deselected(items=list(left))
    items[:] = kept


class Gates:
    """A gate around each application that the tests make.

    :param folder: where the policy is, and where is written what went through.
    """

    def __init__(self, folder: Path) -> None:
        import webtest  # noqa: PLC0415
        from kinto.core import testing  # noqa: PLC0415

        from scopeware import Policy  # noqa: PLC0415

        self._folder = folder
        self._policies: dict[Any, Any] = {}
        self._stores: dict[int, tuple[Any, str]] = {}
        self._written = Policy.load(str(folder / "scopes.toml"))
        self.applications: Counter[str] = Counter()
        self.decisions: Counter[str] = Counter()

        class Tested(webtest.TestApp):  # type: ignore[misc]
            def __init__(tested, app: Any, *arguments: Any, **options: Any) -> None:  # noqa: N805
                super().__init__(self.around(app), *arguments, **options)

        testing.webtest.TestApp = Tested

    def around(self, app: Any) -> Any:
        """An application behind a gate."""
        from scopeware import Scopeware  # noqa: PLC0415

        policy, where = self._policy(app)
        self.applications[where] += 1
        store, secret = self._store(policy)
        gate = Scopeware(app, policy, store, headers=("X-API-Key",), foreign="pass", observe=self._note)

        def outer(environ: dict[str, Any], start_response: Any) -> Any:
            environ.setdefault("HTTP_X_API_KEY", secret)
            return gate(environ, start_response)

        return Through(outer, app)

    def _policy(self, app: Any) -> tuple[Any, str]:
        from scopeware import Policy  # noqa: PLC0415
        from scopeware.introspect.coverage import uncovered  # noqa: PLC0415
        from scopeware.introspect.discover import discover  # noqa: PLC0415
        from scopeware.introspect.draft import draft  # noqa: PLC0415

        found = discover(app)
        kintos = any(endpoint.path.startswith("/v1/buckets") for endpoint in found.endpoints)
        if kintos and not uncovered(self._written, found.endpoints):
            return self._written, "the policy that init wrote"
        if found.endpoints not in self._policies:
            self._policies[found.endpoints] = Policy.loads(draft(found, "kinto").text)
        return self._policies[found.endpoints], "one drafted for it alone"

    def _store(self, policy: Any) -> tuple[Any, str]:
        """A store of its own for each policy, and a token with all scopes there are."""
        from scopeware import TokenStore  # noqa: PLC0415

        if id(policy) not in self._stores:
            store = TokenStore.connect(f"sqlite:///{self._folder}/tokens{len(self._stores)}.db")
            store.use(policy.vocabulary, policy.roles, policy.options.token_prefix)
            secret = store.issue(owner="tester", name="all", scopes=",".join(policy.vocabulary.scopes)).secret
            self._stores[id(policy)] = store, secret
        return self._stores[id(policy)]

    def _note(self, environ: dict[str, Any], context: Any) -> None:
        decision = context.decision
        told = "allowed" if decision.allowed else f"{decision.status} {decision.code}"
        if not decision.allowed:
            told += f" {environ.get('REQUEST_METHOD')} {environ.get('PATH_INFO')!a}"
        self.decisions[told] += 1

    def pytest_sessionfinish(self) -> None:
        told = {"applications": self.applications, "decisions": self.decisions}
        (self._folder / "gate.json").write_text(json.dumps(told))
        for store, _ in self._stores.values():
            store.close()


class Through:
    """Calls `outer`; everything else is the inner application's, for the tests reach through to its registry."""

    def __init__(self, outer: Any, inner: Any) -> None:
        self.__dict__.update(_outer=outer, _inner=inner)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        return self._outer(environ, start_response)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._inner, name, value)


# -- outside


def installed(work: Path) -> tuple[Path, Path]:
    """A virtual environment with Kinto, and the tests of its source."""
    venv, suite = work / "kinto-tests" / "venv", work / "kinto-tests" / "suite"
    wanted = "\n".join((*PINS, str(ROOT)))
    done = venv / "pins"
    pip = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    if not done.exists() or done.read_text() != wanted:
        shutil.rmtree(venv, ignore_errors=True)
        shutil.rmtree(suite, ignore_errors=True)
        run([sys.executable, "-m", "venv", str(venv)], INSTALL)
        run([*pip, "install", *PINS], INSTALL)
        run([*pip, "install", "--editable", str(ROOT)], INSTALL)
        done.write_text(wanted)
    if not suite.exists():
        with tempfile.TemporaryDirectory() as folder:
            run([*pip, "download", "--no-deps", "--no-binary", "kinto", "--dest", folder, RELEASE], INSTALL)
            archive = next(Path(folder).glob("kinto-*.tar.gz"))
            with tarfile.open(archive) as packed:
                packed.extractall(folder, filter="data")
            source = next(path for path in Path(folder).iterdir() if path.is_dir())
            suite.mkdir(parents=True)
            shutil.copytree(source / "tests", suite / "tests")
            shutil.copy(source / "pyproject.toml", suite)
    return venv, suite


def run(command: list[str], seconds: int, **options: Any) -> str:
    """What a command prints; it has to end well, and in time."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, **options)
    if done.returncode:
        sys.exit(f"{' '.join(command[:4])}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


@contextmanager
def database(venv: Path) -> Iterator[bool]:
    """The database that the tests want; whether there is one. One that is there already is not ours to use."""
    code = (
        "import psycopg2, sys\n"
        "try:\n    connection = psycopg2.connect(sys.argv[1], connect_timeout=5)\n"
        "except psycopg2.OperationalError:\n    sys.exit(3)\n"
        "connection.autocommit = True\n"
        "try:\n    connection.cursor().execute(sys.argv[2])\n"
        "except psycopg2.errors.DuplicateDatabase:\n    sys.exit(4)\n"
    )

    def ask(statement: str) -> int:
        command = [str(venv / "bin" / "python"), "-c", code, POSTGRES, statement]
        return subprocess.run(command, timeout=COMMAND, check=False).returncode

    made = ask(f"CREATE DATABASE {DATABASE} ENCODING 'UTF8' TEMPLATE template0")
    if made == 4:
        sys.exit(f"there is a database `{DATABASE}` already, and the tests would empty it")
    try:
        yield made == 0
    finally:
        if made == 0 and ask(f"DROP DATABASE {DATABASE}"):
            print(f"the database `{DATABASE}` could not be dropped", file=sys.stderr)


def check_redis(venv: Path, url: str) -> None:
    """Nothing, if it answers and is empty."""
    code = "import redis, sys; print(redis.Redis.from_url(sys.argv[1]).dbsize())"
    if (size := run([str(venv / "bin" / "python"), "-c", code, url], COMMAND).strip()) != "0":
        sys.exit(f"there are {size} keys in {url}, and the tests would delete them")


def outcomes(venv: Path, suite: Path, folder: Path, environment: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Test → how it went, and what it said."""
    report = folder / "report.xml"
    command = [str(venv / "bin" / "python"), "-m", "pytest", "-p", "kinto_tests", "-p", "no:cacheprovider"]
    # One after the other: parallel, some fail by themselves.
    command += ["-n", "0", "-q", "--no-header", "--tb=short", f"--junitxml={report}", "tests"]
    with (folder / "pytest.log").open("w") as log:
        try:
            subprocess.run(
                command, cwd=suite, env=environment, stdout=log, stderr=subprocess.STDOUT, timeout=SUITE, check=False
            )
        except subprocess.TimeoutExpired:
            sys.exit(f"the tests did not end within {SUITE} s; see {folder}/pytest.log")
    if not report.exists():
        sys.exit(f"the tests did not run:\n{(folder / 'pytest.log').read_text()[-2000:]}")
    found: dict[str, tuple[str, str]] = {}
    for case in ET.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        for kind in ("failure", "error", "skipped"):
            if (said := case.find(kind)) is not None:
                told = {"failure": "failed", "error": "failed", "skipped": "skipped"}[kind]
                found[name] = told, (said.get("message") or "").strip()
                break
        else:
            found.setdefault(name, ("passed", ""))
    return found


def tried(venv: Path, suite: Path, folder: Path, redis: str | None) -> int:
    """Both runs, compared."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("SCOPEWARE_", "KINTO_"))}
    environment |= {
        "PYTHONPATH": f"{HERE}{os.pathsep}{ROOT}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "KINTO_REDIS": redis or "",
    }
    gate = folder / "gate"
    gate.mkdir()
    policy = ["--policy", str(gate / "scopes.toml")]
    subject = "kinto_app:with_all_plugins()"
    print(
        run([str(venv / "bin" / "scopeware"), "init", subject, *policy], COMMAND, env=environment, cwd=folder).strip()
    )
    plain = outcomes(venv, suite, folder, environment)
    guarded = outcomes(venv, suite, gate, environment | {"KINTO_GATE": str(gate)})
    told = json.loads((gate / "gate.json").read_text())
    print("| kinto's tests | passed | failed | skipped |\n|---|---|---|---|")
    for name, each in (("without a gate", plain), ("through the gate", guarded)):
        counts = Counter(how for how, _ in each.values())
        print(f"| {name} | {counts['passed']} | {counts['failed']} | {counts['skipped']} |")
    requests = sum(told["decisions"].values())
    allowed = told["decisions"].get("allowed", 0)
    policies = ", ".join(f"{count} by {name}" for name, count in told["applications"].items())
    print(f"\n{requests} requests through the gate, {allowed} allowed; applications guarded: {policies}")
    for decision, count in sorted(told["decisions"].items()):
        if decision != "allowed":
            print(f"REFUSED {count} times: {decision}")
    if not redis:
        print("left out, for no --redis is named: the test that empties a Redis database")
    different = [
        name for name in sorted({*plain, *guarded}) if plain.get(name, ("",))[0] != guarded.get(name, ("",))[0]
    ]
    for name in different:
        before, after = plain.get(name, ("missing", "")), guarded.get(name, ("missing", ""))
        why = f"known: {KNOWN[name]}" if name in KNOWN else " ".join(after[1].split())[:300]
        print(f"DIFFERENT {name}: {before[0]} without, {after[0]} through the gate; {why}")
    new = [name for name in different if name not in KNOWN]
    print(f"{len(different)} of {len(plain)} tests differ, {len(new)} of them for no known reason")
    return 1 if new or not plain else 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Kinto's own tests, without a gate and through one.")
    parser.add_argument("--work", metavar="DIR", help="for the environment and files; by default a temporary folder")
    parser.add_argument("--venv", metavar="DIR", help="an environment that is there already; with --suite")
    parser.add_argument("--suite", metavar="DIR", help="tests/ and pyproject.toml of Kinto's source")
    parser.add_argument("--redis", metavar="URL", help="a Redis database that may be emptied")
    options = parser.parse_args()
    if bool(options.venv) != bool(options.suite):
        parser.error("--venv and --suite go together")
    with tempfile.TemporaryDirectory(prefix="scopeware-kinto-") as temporary:
        work = Path(options.work or temporary).resolve()
        work.mkdir(parents=True, exist_ok=True)
        if options.venv:
            venv, suite = Path(options.venv).absolute(), Path(options.suite).resolve()
        else:
            venv, suite = installed(work)
        if options.redis:
            check_redis(venv, options.redis)
        folder = work / "kinto-tests" / "trial"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with database(venv) as there:
            if not there:
                print("PostgreSQL does not answer; the tests that want it fail in both runs", file=sys.stderr)
            return tried(venv, suite, folder, options.redis)


if __name__ == "__main__":
    sys.exit(main())
