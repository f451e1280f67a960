"""What a decision costs, as ratios in one run.

    python benchmarks/decision.py [--quick] [--postgres URL]

The yardstick is a guard written by hand for the purpose: falcon's compiled router over the same routes, the SHA-256 of
the token, one dict, the scopes of the route as bits, REMOTE_USER for the application. It has no policy file, no answers
worth the name, no store that anyone else can write to. Both guard the same 491 routes and the same application in the
same process; rounds alternate, and the minimum and the median of the rounds are printed. The access log is on: what a
request waits for is measured here, what the thread in the background does by benchmarks/tables.py.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import secrets
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
from falcon.routing import CompiledRouter

from scopeware import Group, Policy, Scopeware, TokenStore
from scopeware.policy import LogOptions
from scopeware.tokens.secret import SecretFormat, digest

POSTGRES = os.environ.get("SCOPEWARE_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
ROOT = Path(__file__).resolve().parent.parent
ROUTES = json.loads((ROOT / "tests" / "data" / "gitea-routes.json").read_text())
POLICY = ROOT / "examples" / "gitea" / "policy.toml"
# Signing in with a password is what these three take; no token is.
ROUTES = [route for route in ROUTES if not route["basic_auth_only"]]

Run = Callable[[], object]


def measure(
    runs: dict[str, Run], calls: int, rounds: int, between: Callable[[], object] = lambda: None
) -> dict[str, tuple[float, float]]:
    """Name → (minimum, median) in microseconds a call; the runs take turns.

    :param between: what is done after each round, while nobody looks at the clock.
    """
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            for _ in range(calls):
                run()
            times[name].append((time.perf_counter() - start) / calls * 1e6)
            between()
    return {name: (min(taken), statistics.median(taken)) for name, taken in times.items()}


def report(title: str, result: dict[str, tuple[float, float]], against: str, limits: dict[str, float]) -> None:
    """Print each run, its ratio to `against`, and the ratio aimed at."""
    print(f"\n{title}")
    base_min, base_median = result[against]
    for name, (low, middle) in result.items():
        ratio = f"{low / base_min:5.2f} {middle / base_median:5.2f}"
        limit = f"  at most {limits[name]:g}" if name in limits else ""
        print(f"  {name:<58} {low:8.2f} {middle:8.2f} us   ratio {ratio}{limit}")


def concrete(path: str) -> str:
    """A path that a route matches."""
    path = re.sub(r"\{\w+:(\w+)[^}]*\}", r"\1", path)
    return re.sub(r"\{(\w+)\}", r"x\1", path).replace("*", "a/b").rstrip("/")


def environ(method: str, path: str, secret: str) -> dict[str, Any]:
    """What a server hands over."""
    return {
        "REQUEST_METHOD": "GET" if method == "ANY" else method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "50000",
        "HTTP_HOST": "127.0.0.1:8000",
        "HTTP_ACCEPT": "*/*",
        "HTTP_USER_AGENT": "curl/8.5.0",
        "HTTP_AUTHORIZATION": f"Bearer {secret}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": None,
        "wsgi.errors": None,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Does nothing."""
    return [b""]


def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
    """Listens to nobody."""


class Needs:
    """What a route of the yardstick needs, as bits."""

    def __init__(self, read: int, write: int) -> None:
        self.read = read
        self.write = write

    def on_get(self, request: Any, response: Any) -> None:
        """The router wants one."""


def yardstick(tokens: dict[bytes, tuple[str, int]], policy: Policy) -> Callable[..., list[bytes]]:
    """The guard written by hand."""
    router = CompiledRouter()
    known: set[str] = set()
    for route in ROUTES:
        template = re.sub(r"\{(\w+):[^}]*\}", r"{\1}", route["path"]).rstrip("/")
        template = re.sub(r"/\*$", "/{rest:path}", template).replace("{base}/{rest:path}", "{index}/{rest:path}")
        if template in known:
            continue
        known.add(template)
        need = policy.vocabulary.need
        read = sum(need(category, ["read"]) or 0 for category in route["categories"])
        write = sum(need(category, ["write"]) or 0 for category in route["categories"])
        router.add_route(template, Needs(read, write))
    find = router.find
    read_methods = frozenset(("GET", "HEAD", "OPTIONS"))

    def guard(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        found = find(environ["PATH_INFO"])
        if found is None:
            start_response("404 Not Found", [])
            return []
        header = environ.get("HTTP_AUTHORIZATION")
        if header is None or not header.startswith("Bearer "):
            start_response("401 Unauthorized", [])
            return []
        token = tokens.get(sha256(header[7:].encode()).digest())
        if token is None:
            start_response("401 Unauthorized", [])
            return []
        needs = found[0]
        need = needs.read if environ["REQUEST_METHOD"] in read_methods else needs.write
        if token[1] & need != need:
            start_response("403 Forbidden", [])
            return []
        environ["REMOTE_USER"] = token[0]
        return application(environ, start_response)

    return guard


def requests_for(secret: str) -> list[dict[str, Any]]:
    """A request for every route."""
    return [environ(route["method"], concrete(route["path"]), secret) for route in ROUTES]


def cycling(app: Callable[..., Any], environs: list[dict[str, Any]]) -> Run:
    """Call `app` with a copy of the next environ."""
    following = itertools.cycle(environs).__next__
    return lambda: app(following().copy(), start_response)


@contextmanager
def postgres_database(url: str) -> Iterator[str]:
    """The URL of a database of our own, dropped at the end."""
    name = f"scopeware_bench_{secrets.token_hex(4)}"
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        try:
            yield f"{url.rpartition('/')[0]}/{name}"
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def guarded(url: str, policy: Policy) -> Scopeware:
    """The application behind the gate; what is logged is written when asked for, not meanwhile."""
    store = TokenStore.connect(url)
    store.background.interval = 1e6
    store.add_owner("root", role="admin")
    return Scopeware(
        application, policy, store, visibility=lambda environ, resource: "public", access_log=LogOptions(most=10**7)
    )


def decisions(folder: Path, postgres: str, calls: int, rounds: int) -> None:
    """Allowed and refused requests against the yardstick."""
    with postgres_database(postgres) if postgres else nullcontext() as networked:
        _decisions(folder, networked, calls, rounds)


def _decisions(folder: Path, networked: str | None, calls: int, rounds: int) -> None:
    policy = Policy.load(POLICY)
    gate = guarded(f"sqlite:///{folder / 'tokens.db'}", policy)
    store = gate.store
    leased = guarded(networked, policy) if networked else None
    full = store.issue(owner="root", name="all", scopes="all").secret
    # Issued for a category that only one route needs: refused everywhere else.
    poor = store.issue(owner="root", name="poor", scopes="read:activitypub").secret
    guard = yardstick({digest(full): ("root", policy.vocabulary.everything)}, policy)
    asking = [request for request in requests_for(poor) if needs_scopes(policy, request)]
    runs = {
        "the environ's copy and the application alone": cycling(application, requests_for(full)),
        "yardstick: written by hand, tokens in a dict": cycling(guard, requests_for(full)),
        "gate: allowed, revocations effective on the next request": cycling(gate, requests_for(full)),
        "gate: refused, 403": cycling(gate, asking),
        "gate: refused, 401 without a token": cycling(gate, [without_token(request) for request in asking]),
    }
    within = "gate: allowed, revocations effective within a second"
    if leased is not None:
        other = leased.store.issue(owner="root", name="all", scopes="all").secret
        runs[within] = cycling(leased, requests_for(other))

    def write_the_log() -> None:
        for each in (gate, leased):
            if each is not None:
                each.access_log.flush()

    result = measure(runs, calls, rounds, write_the_log)
    own = {name: (low, middle) for name, (low, middle) in result.items()}
    bare = own.pop("the environ's copy and the application alone")
    added = {name: (low - bare[0], middle - bare[1]) for name, (low, middle) in own.items()}
    yard = "yardstick: written by hand, tokens in a dict"
    allowed = "gate: allowed, revocations effective on the next request"
    report("What is added to a request (minimum, median)", added, yard, {allowed: 2, within: 1.5})
    refused = {name: figures for name, figures in added.items() if name not in (yard, within)}
    report("Refused against allowed", refused, allowed, dict.fromkeys(list(refused)[1:], 3.0))
    if leased is not None:
        leased.store.close()
    store.close()


def needs_scopes(policy: Policy, request: dict[str, Any]) -> bool:
    """Whether a token and scopes are needed that are not ActivityPub's."""
    needed = policy.requirement(request["REQUEST_METHOD"], request["PATH_INFO"])
    return needed is not None and needed.require_token and bool(needed.alternatives)


def without_token(request: dict[str, Any]) -> dict[str, Any]:
    """The same request from nobody."""
    return {name: value for name, value in request.items() if name != "HTTP_AUTHORIZATION"}


def groups(folder: Path, calls: int, rounds: int) -> None:
    """The same request among 10 and among 10,000 groups; the cost of loading them."""
    runs: dict[str, Run] = {}
    stores: list[TokenStore] = []
    for count in (10, 10_000):
        start = time.perf_counter()
        policy = Policy([Group(path=f"/part{number}/<owner>/<repo>", scopes=["repository"]) for number in range(count)])
        loaded = time.perf_counter() - start
        store = TokenStore.connect(f"sqlite:///{folder / f'groups{count}.db'}")
        secret = store.issue(owner="alice", name="all", scopes="all").secret
        store.background.interval = 1e6
        gate = Scopeware(application, policy, store, access_log=LogOptions(most=10**7))
        stores.append(store)
        paths = [f"/part{number * count // 10}/alice/widgets/issues/3" for number in range(10)]
        runs[f"{count} groups (loaded in {loaded:.2f} s)"] = cycling(
            gate, [environ("GET", path, secret) for path in paths]
        )
    result = measure(runs, calls, rounds, lambda: [store.background.work() for store in stores])
    few, many = result
    report("A decision among few and many groups", result, few, {many: 1.2})


def unknown_tokens(folder: Path, calls: int, rounds: int) -> None:
    """A token nobody has seen yet against a bare SELECT through the same driver, among 100,000 tokens."""
    database = folder / "many.db"
    store = TokenStore.connect(f"sqlite:///{database}", cache_size=0)
    store.add_owner("alice")
    form = SecretFormat()
    secrets = [form.generate() for _ in range(1000)]
    digests = [digest(secret) for secret in secrets] + [sha256(b"%d" % number).digest() for number in range(99_000)]
    with sqlite3.connect(database) as connection:
        connection.executemany(
            "INSERT INTO scopeware_token (owner_id, name, live_name, scopes, digest, hint, created_at) "
            "VALUES (1, ?1, ?1, 'read:user', ?2, 'xxxx', 0)",
            ((f"token {number}", key) for number, key in enumerate(digests)),
        )
    connection.close()
    bare = sqlite3.connect(database, isolation_level=None)
    statement = "SELECT * FROM scopeware_token WHERE digest = ?"
    known = itertools.cycle(secrets).__next__
    absent = itertools.cycle([form.generate() for _ in range(1000)]).__next__
    keys = itertools.cycle(digests[:1000]).__next__
    absent_keys = itertools.cycle([sha256(b"absent %d" % number).digest() for number in range(1000)]).__next__
    there = {
        "bare SELECT of a token that is there": lambda: bare.execute(statement, (keys(),)).fetchone(),
        "store: a token that was not seen before": lambda: store.authenticate(known()),
    }
    not_there = {
        "bare SELECT of one that is not": lambda: bare.execute(statement, (absent_keys(),)).fetchone(),
        "store: a well-formed token that does not exist": lambda: store.authenticate(absent()),
        "store: a token with a wrong checksum": lambda: store.authenticate(form.start + "0" * 36),
    }
    for runs in (there, not_there):
        result = measure(runs, calls, rounds)
        first, second = list(result)[:2]
        report("Tokens not yet known, among 100,000", result, first, {second: 1.5})
    bare.close()
    store.close()


def import_time(rounds: int) -> None:
    """`import scopeware` against importing what it stands on."""
    base = "import werkzeug.routing, peewee"
    taken: dict[str, list[float]] = {"": [], "; import scopeware": []}
    for _ in range(rounds):
        for more, times in taken.items():
            code = f"import time; start = time.perf_counter(); {base}{more}; print(time.perf_counter() - start)"
            printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
            times.append(float(printed) * 1000)
    alone, together = (min(times) for times in taken.values())
    middle = statistics.median(taken["; import scopeware"]) - statistics.median(taken[""])
    print(
        f"\n`{base}` takes {alone:.0f} ms; scopeware adds {together - alone:.0f} ms (median {middle:.0f}), at most 60"
    )


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the calls")
    parser.add_argument("--postgres", default=POSTGRES, metavar="URL", help="a server; empty for none")
    arguments = parser.parse_args()
    calls = 500 if arguments.quick else 5000
    print(f"Python {sys.version.split()[0]}; {len(ROUTES)} routes; microseconds: minimum and median of rounds")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        decisions(folder, arguments.postgres, calls, 21)
        groups(folder, calls, 15)
        unknown_tokens(folder, calls, 15)
    import_time(9)


if __name__ == "__main__":
    main()
