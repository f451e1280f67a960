"""What it costs to turn a million stored scope strings into new ones, against converting row by row through an ORM.

    python benchmarks/migrate.py [--rows 1000000] [--quick] [--databases sqlite,postgres,mariadb]

The databases are those of the tests (SCOPEWARE_TEST_POSTGRES, SCOPEWARE_TEST_MARIADB); one that does not answer is left
out, and said to be. Row by row is timed on a part of the rows, in the same run, and scaled: each row committed by
itself, as a plain loop does it, and all in one transaction.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import peewee
from playhouse.db_url import connect

from scopeware.migration import Mapping
from scopeware.migration.access import access_change, side_at
from scopeware.migration.column import Column, Place
from scopeware.migration.run import apply, undo

ROUTES = Path(__file__).resolve().parent.parent / "tests" / "data" / "gitea-1.19-routes.json"
TABLE = "bench_access_token"
MAPPING = "gitea-1.19"
DISTINCT = 500


def texts() -> list[str]:
    """500 distinct lists of old scopes."""
    words = Mapping.builtin(MAPPING).old.words
    dice = random.Random(1)
    found: dict[str, None] = {}
    while len(found) < DISTINCT:
        found[",".join(dice.sample(words, dice.randint(1, 6)))] = None
    return list(found)


@contextmanager
def databases(wanted: list[str]) -> Iterator[list[tuple[str, str]]]:
    """Kind and URL of those that answer."""
    urls = {
        "postgres": os.environ.get("SCOPEWARE_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres"),
        "mariadb": os.environ.get("SCOPEWARE_TEST_MARIADB", "mysql://root@127.0.0.1:3306/test"),
    }
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for kind in wanted:
            url = f"sqlite:///{folder}/tokens.db" if kind == "sqlite" else urls[kind]
            try:
                connection(url).close()
                found.append((kind, url))
            except Exception as error:
                print(f"{kind}: left out, it does not answer ({' '.join(str(error).split())[:80]})")
        yield found


def connection(url: str) -> Any:
    """peewee's database at a URL."""
    options = {"prefer_psycopg3": True} if url.startswith("postgres") else {}
    database = connect(url, **options)
    database.connect()
    return database


def fill(url: str, rows: int) -> None:
    """A table like Gitea's, with so many rows."""
    database = connection(url)
    known = texts()
    clean(database)
    database.execute_sql(f"CREATE TABLE {TABLE} (id INTEGER PRIMARY KEY, uid INTEGER, name VARCHAR(64), scope TEXT)")
    mark = database.param
    with database.atomic():
        for start in range(0, rows, 5000):
            numbers = range(start, min(start + 5000, rows))
            values = [value for n in numbers for value in (n, n % 997, f"token {n}", known[n % DISTINCT])]
            places = ",".join([f"({mark},{mark},{mark},{mark})"] * len(numbers))
            database.execute_sql(f"INSERT INTO {TABLE} VALUES {places}", values)
    database.close()


def clean(database: Any) -> None:
    """Nothing of an earlier run."""
    for name in database.get_tables():
        if name == TABLE or name.startswith("scopeware_migrate"):
            database.execute_sql(f"DROP TABLE {name}")


def by_orm(url: str, rows: int, *, one_transaction: bool) -> float:
    """Seconds for so many rows, one after the other."""
    database = connection(url)

    class Token(peewee.Model):
        uid = peewee.IntegerField()
        name = peewee.CharField()
        scope = peewee.TextField()

        class Meta:
            table_name = TABLE

    Token.bind(database)
    mapping = Mapping.builtin(MAPPING)
    begun = time.perf_counter()
    with database.atomic() if one_transaction else nullcontext():
        for token in list(Token.select().order_by(Token.id).limit(rows)):
            token.scope = mapping.convert(token.scope)
            token.save()
    taken = time.perf_counter() - begun
    database.close()
    return taken


def convert(url: str) -> dict[str, float]:
    """Seconds for `apply`, for another one, and for `undo`."""
    column = Column(url, Place(TABLE, "scope"))
    mapping = Mapping.builtin(MAPPING)
    times = {}
    for name, work in (
        ("apply", lambda: apply(column, mapping)),
        ("again", lambda: apply(column, mapping)),
        ("undo", lambda: undo(column)),
    ):
        begun = time.perf_counter()
        work()
        times[name] = time.perf_counter() - begun
    column.close()
    return times


def memory_of(url: str) -> float:
    """The most memory that a process of its own takes to convert, in MB."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); import migrate; migrate.convert(sys.argv[1]); "
        "print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])"
    )
    folder = str(Path(__file__).resolve().parent)
    done = subprocess.run([sys.executable, "-c", code, url, folder], capture_output=True, text=True, check=True)
    return float(done.stdout) / 1024


def plan_seconds() -> float:
    """Seconds to say what 500 texts gain and lose over 366 routes."""
    mapping = Mapping.from_mapping({"name": "fresh", "base": MAPPING})
    access = access_change(side_at(ROUTES, mapping, old=True), side_at(ROUTES, mapping, old=False))
    known = texts()
    begun = time.perf_counter()
    for text in known:
        access.of(text, mapping.conversion(text.split(",")))
    return time.perf_counter() - begun


def main() -> None:
    """Print a line for each database, and the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="50,000 rows")
    parser.add_argument("--databases", default="sqlite,postgres,mariadb")
    arguments = parser.parse_args()
    rows = 50_000 if arguments.quick else arguments.rows
    figures: dict[str, Any] = {"rows": rows, "distinct": DISTINCT, "plan_seconds": round(plan_seconds(), 2)}
    print(f"plan: {DISTINCT} texts over 366 routes in {figures['plan_seconds']} s (limit 3)")
    with databases(arguments.databases.split(",")) as found:
        for kind, url in found:
            fill(url, 10_000)
            small = memory_of(url)
            fill(url, rows)
            times = convert(url)
            plain = by_orm(url, 5_000, one_transaction=False) * rows / 5_000
            fill(url, rows)
            sample = min(rows, 20_000)
            orm = by_orm(url, sample, one_transaction=True) * rows / sample
            fill(url, rows)
            large = memory_of(url)
            clean(connection(url))
            figures[kind] = {name: round(value, 2) for name, value in times.items()} | {
                "row_by_row": round(plain, 1),
                "ratio": round(plain / times["apply"], 1),
                "row_by_row_in_one_transaction": round(orm, 1),
                "ratio_to_that": round(orm / times["apply"], 1),
                "memory_small_mb": round(small, 1),
                "memory_mb": round(large, 1),
            }
            print(
                f"{kind}: {rows:,} rows in {times['apply']:.1f} s, again {times['again']:.1f} s, undo "
                f"{times['undo']:.1f} s; row by row {plain:.0f} s, {plain / times['apply']:.0f} times as long, and in "
                f"one transaction {orm:.0f} s, {orm / times['apply']:.0f} times; "
                f"memory {small:.0f} MB with 10,000 rows, {large:.0f} MB with {rows:,}"
            )
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
