"""What tokens and the access log cost among millions of rows, as ratios in one run.

    python benchmarks/tables.py [--millions 1 10] [--postgres URL] [--quick]

- A known token, when one is known and when a million are; the memory that one takes.
- An unknown token against a bare indexed SELECT through the same driver, among so many million tokens, on SQLite and
  PostgreSQL.
- What the access log adds to a request, and what writing a row costs in the background.
- A token's last 200 rows from a log of so many million.

It needs some gigabytes of disk in the directory for temporary files, and a minute for every few million rows.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import sqlite3
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import psycopg
from decision import POSTGRES, application, cycling, environ, measure, postgres_database, report, start_response

from scopeware import Group, Policy, Scopeware, TokenStore
from scopeware.policy import LogOptions
from scopeware.tokens import LogFilter
from scopeware.tokens.secret import SecretFormat, digest

KNOWN_SECRETS = 1000
COLUMNS = "(owner_id, name, live_name, scopes, digest, hint, created_at)"


def fill_sqlite(path: Path, rows: int, digests: list[bytes]) -> None:
    """So many tokens, among them those of `digests`, all over the table."""
    every = rows // len(digests)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = off")
        indexes = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'scopeware_token'"
        ).fetchall()
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        connection.execute("BEGIN")
        connection.execute(
            f"INSERT INTO scopeware_token {COLUMNS} WITH RECURSIVE n(i) AS "
            "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "SELECT 1, 't' || i, 't' || i, 'read:user', randomblob(32), 'xxxx', 0 FROM n",
            (rows,),
        )
        connection.executemany(
            "UPDATE scopeware_token SET digest = ? WHERE id = ?",
            ((key, number * every + 1) for number, key in enumerate(digests)),
        )
        for _, sql in [*indexes, *triggers]:
            connection.execute(sql)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def unknown(title: str, bare: Callable[[bytes], object], store: TokenStore, known: list[str], calls: int) -> None:
    """A token nobody has seen yet, and one that does not exist, against a bare SELECT."""
    keys = itertools.cycle([digest(secret) for secret in known]).__next__
    there = itertools.cycle(known).__next__
    form = SecretFormat()
    absent = itertools.cycle([form.generate() for _ in range(KNOWN_SECRETS)]).__next__
    result = measure(
        {
            "bare SELECT of a token that is there": lambda: bare(keys()),
            "store: a token that was not seen before": lambda: store.authenticate(there()),
            "store: a well-formed token that does not exist": lambda: store.authenticate(absent()),
        },
        calls,
        11,
    )
    report(title, result, "bare SELECT of a token that is there", {"store: a token that was not seen before": 1.5})


def unknown_on_sqlite(folder: Path, millions: int, calls: int) -> None:
    """Among so many million tokens in a file."""
    path = folder / f"tokens{millions}.db"
    store = TokenStore.connect(f"sqlite:///{path}", cache_size=0)
    store.add_owner("alice")
    known = [SecretFormat().generate() for _ in range(KNOWN_SECRETS)]
    started = time.perf_counter()
    fill_sqlite(path, millions * 1_000_000, [digest(secret) for secret in known])
    print(f"\n{millions:,} million tokens in SQLite, made in {time.perf_counter() - started:.0f} s")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        statement = "SELECT * FROM scopeware_token WHERE digest = ?"
        unknown(
            f"Tokens not yet known, among {millions:,} million, SQLite",
            lambda key: connection.execute(statement, (key,)).fetchone(),
            store,
            known,
            calls,
        )
    store.close()
    path.unlink()


def unknown_on_postgres(url: str, calls: int) -> None:
    """Among a million tokens on a server."""
    with postgres_database(url) as own:
        store = TokenStore.connect(own, cache_size=0, max_staleness=0)
        store.add_owner("alice")
        known = [SecretFormat().generate() for _ in range(KNOWN_SECRETS)]
        with psycopg.connect(own, autocommit=True) as connection:
            connection.execute(
                f"INSERT INTO scopeware_token {COLUMNS} SELECT 1, 't' || i, 't' || i, 'read:user', "
                "sha256(i::text::bytea), 'xxxx', 0 FROM generate_series(1, 1000000) AS i"
            )
            with connection.cursor() as cursor:
                cursor.executemany(
                    "UPDATE scopeware_token SET digest = %s WHERE id = %s",
                    [(digest(secret), 1000 * number + 1) for number, secret in enumerate(known)],
                )
            connection.execute("ANALYZE")
            statement = "SELECT * FROM scopeware_token WHERE digest = %s"
            unknown(
                "Tokens not yet known, among 1 million, PostgreSQL",
                lambda key: connection.execute(statement, (key,)).fetchone(),
                store,
                known,
                calls // 10,
            )
        store.close()


def known_tokens(folder: Path, count: int, calls: int) -> None:
    """One token that is known, against many; and the memory one takes."""
    path = folder / "known.db"
    TokenStore.connect(f"sqlite:///{path}").close()
    form = SecretFormat()
    many = [form.generate() for _ in range(count)]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT INTO scopeware_owner (name, role, created_at) VALUES ('alice', 'user', 0)")
        connection.execute("BEGIN")
        connection.executemany(
            f"INSERT INTO scopeware_token {COLUMNS} VALUES (1, ?1, ?1, 'read:user', ?2, 'xxxx', 0)",
            ((f"t{number}", digest(secret)) for number, secret in enumerate(many)),
        )
        connection.execute("COMMIT")
    one = TokenStore.connect(f"sqlite:///{path}")
    store = TokenStore.connect(f"sqlite:///{path}", cache_size=count)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    sample = many[: count // 10]
    for secret in sample:
        store.authenticate(secret)
    memory = (tracemalloc.get_traced_memory()[0] - before) / len(sample)
    tracemalloc.stop()
    for secret in many:
        store.authenticate(secret)
    # The same number of different strings for both, so that the processor's caches know as little of them; what they
    # are looked up among is what differs.
    few = [many[0]] * KNOWN_SECRETS
    spread = many[:: max(1, count // KNOWN_SECRETS)][:KNOWN_SECRETS]
    next_few, next_many = itertools.cycle(few).__next__, itertools.cycle(spread).__next__
    result = measure(
        {
            "one token known": lambda: one.authenticate(next_few()),
            f"{count:,} tokens known": lambda: store.authenticate(next_many()),
        },
        calls,
        21,
    )
    report("A known token, freshness included", result, "one token known", {f"{count:,} tokens known": 1.3})
    print(f"  memory a known token takes: {memory:.0f} bytes")
    one.close()
    store.close()


def log_cost(folder: Path, calls: int) -> None:
    """What the log adds to a request, and to the background."""
    policy = Policy([Group(path="/repos/<owner>/<repo>", scopes=["repository"])])
    store = TokenStore.connect(f"sqlite:///{folder / 'log.db'}")
    # Written when this says so, not meanwhile.
    store.background.interval = 1e6
    secret = store.issue(owner="alice", name="all", scopes="all").secret
    options = LogOptions(most=10_000_000)
    with_log = Scopeware(application, policy, store, access_log=options)
    request = [environ("GET", f"/repos/alice/r{number}/issues", secret) for number in range(100)]
    without = Scopeware(application, policy, store, access_log=LogOptions(to=()))
    without._note = lambda visit: None
    result = measure(
        {
            "allowed, nothing is noted": cycling(without, request),
            "allowed, noted for the log": cycling(with_log, request),
        },
        calls,
        15,
    )
    report("The access log, in the request's way", result, "allowed, nothing is noted", {})
    with_log.access_log.flush()
    rows = 20_000
    following = itertools.cycle(request).__next__
    for _ in range(rows):
        with_log(following().copy(), start_response)
    started = time.process_time()
    with_log.access_log.flush()
    print(
        f"  writing a row down, in the background, SQLite: {(time.process_time() - started) / rows * 1e6:.1f} us of CPU"
    )
    store.close()


def last_rows(folder: Path, millions: int) -> None:
    """A token's last 200 rows from a log of so many million."""
    path = folder / "rows.db"
    store = TokenStore.connect(f"sqlite:///{path}")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = off")
        connection.execute("BEGIN")
        connection.execute(
            "INSERT INTO scopeware_access_log (at, token_id, hint, owner, address, method, path, group_path, scopes, "
            "decision, status, duration) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "SELECT i * 10, abs(random()) % 2000, 'xxxx', 'owner' || (i % 1000), '192.0.2.1', 'GET', "
            "'/repos/alice/widgets/issues/' || i, '/repos/<owner>/<repo>', 'read:repository', 'allowed', 200, 9 FROM n",
            (millions * 1_000_000,),
        )
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    log = store.access_log()
    taken = []
    for token_id in range(1, 22):
        started = time.perf_counter()
        found = log.latest(LogFilter(token_id=token_id), limit=200)
        taken.append((time.perf_counter() - started) * 1000)
        if len(found) != 200:
            raise AssertionError(f"token {token_id} has {len(found)} rows")
    print(
        f"\nA token's last 200 rows from {millions:,} million: "
        f"{sorted(taken)[len(taken) // 2]:.1f} ms (median; longest {max(taken):.1f}), at most 20"
    )
    store.close()
    path.unlink()


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--millions", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--postgres", default=POSTGRES, metavar="URL", help="a server; empty for none")
    parser.add_argument("--quick", action="store_true", help="a tenth of the calls")
    arguments = parser.parse_args()
    calls = 500 if arguments.quick else 5000
    print(f"Python {sys.version.split()[0]}; microseconds: minimum and median of rounds")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        known_tokens(folder, 100_000 if arguments.quick else 1_000_000, calls)
        log_cost(folder, calls)
        for millions in arguments.millions:
            unknown_on_sqlite(folder, millions, calls)
        if arguments.postgres:
            unknown_on_postgres(arguments.postgres, calls)
        last_rows(folder, max(arguments.millions))


if __name__ == "__main__":
    main()
