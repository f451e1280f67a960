"""How long a revoked token goes on working, in four processes that ask for it without pause.

    python benchmarks/revocation.py [--quick]

A fifth process revokes one token after the other. For each token and process two moments are taken, by the one
monotonic clock of the machine, and counted from when the revocation was reported, which is after it was committed:

- when the first answer was there that refused it: minimum, median, 99th percentile, maximum. A process sleeps for a
  millisecond between two rounds, and has a core for itself only where there are enough of them; this is in the figures.
- when the last question began that was still accepted. None may begin after the bound: none at all on SQLite, a second
  (`max_staleness`) on the others. If one does, the exit status is 1.

The servers are those of the tests: SCOPEWARE_TEST_POSTGRES, SCOPEWARE_TEST_MARIADB and SCOPEWARE_TEST_REDIS say where
they are, and databases are made there and dropped again. What is not there is not measured.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from services import new_database, reachable, server_url

from scopeware import TokenStore
from scopeware.tokens import LiveToken

FORK = multiprocessing.get_context("fork")
PROCESSES = 4
INTERVAL = 0.01
"""Seconds between two revocations, at least: none is made before all processes know the token."""
STALENESS = 1.0
PUSHED_MILLISECONDS = 100
"""What 99 of 100 processes are to need at most where they are told."""
PATIENCE = 60


@dataclass(frozen=True)
class Setting:
    """A database, and how its changes are announced."""

    name: str
    kind: str
    channel: str | None = None

    @property
    def bound(self) -> float:
        """For how many seconds a question may still be accepted."""
        return 0.0 if self.kind == "sqlite" else STALENESS

    @property
    def told(self) -> bool:
        """Whether every process reads again what it knows after each change."""
        return self.kind == "sqlite" or self.channel is not None

    @property
    def missing(self) -> list[str]:
        """The servers it needs that are not there."""
        return [
            kind
            for kind in (self.kind, self.channel)
            if kind in ("postgres", "mariadb", "redis") and not reachable(kind)
        ]

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a database with nothing in it."""
        if self.kind == "sqlite":
            with tempfile.TemporaryDirectory() as folder:
                yield f"sqlite:///{folder}/tokens.db"
        else:
            with new_database(server_url(self.kind)) as url:
                yield url

    @property
    def options(self) -> dict[str, Any]:
        """Those of the store."""
        if self.kind == "sqlite":
            return {}
        return {
            "max_staleness": STALENESS,
            "push": server_url("redis") if self.channel == "redis" else self.channel,
        }


SETTINGS = (
    Setting("SQLite", "sqlite"),
    Setting("PostgreSQL", "postgres"),
    Setting("PostgreSQL, notify", "postgres", "notify"),
    Setting("PostgreSQL, Redis", "postgres", "redis"),
    Setting("MariaDB", "mariadb"),
)


def ask(setting: Setting, url: str, secrets: list[str], turn: Any, known: Any, me: int, results: Any) -> None:
    """Ask for the tokens that are about to be revoked until they are refused.

    :param turn: which one is revoked now.
    :param known: how many of them each process has asked for, by its number.
    """
    store = TokenStore.connect(url, **setting.options)
    # Where a process is told, it reads all of them again after each revocation: the more there are, the more of the
    # time that is measured would be spent with that. Where it is not, they have to be known for longer than the bound,
    # so that the revocation comes at any moment of it.
    ahead = 4 if setting.told else int(1.5 * STALENESS / INTERVAL)
    accepted = [0.0] * len(secrets)
    refused = [0.0] * len(secrets)
    waiting: list[int] = []
    last = time.monotonic()
    while (waiting or known[me] < len(secrets)) and time.monotonic() < last + PATIENCE:
        more = min(len(secrets), turn.value + 1 + ahead)
        waiting += range(known[me], more)
        left = []
        for number in waiting:
            begun = time.monotonic()
            if isinstance(store.authenticate(secrets[number]), LiveToken):
                accepted[number] = begun
                left.append(number)
            else:
                refused[number] = last = time.monotonic()
        waiting = left
        known[me] = more
        time.sleep(0.001)
    results.put((accepted, refused))
    store.close()


def measure(setting: Setting, count: int) -> tuple[list[float], list[float]]:
    """How many seconds after its revocation a token was first refused, and how many after it last accepted; for each
    process and token."""
    with setting.database() as url:
        store = TokenStore.connect(url, **setting.options)
        made = [store.issue(owner="alice", name=f"ci{number}", scopes="write:issue") for number in range(count)]
        secrets = [issued.secret for issued in made]
        turn, known, results = FORK.RawValue("i", 0), FORK.RawArray("i", PROCESSES), FORK.Queue()
        processes = [
            FORK.Process(target=ask, args=(setting, url, secrets, turn, known, me, results), daemon=True)
            for me in range(PROCESSES)
        ]
        for process in processes:
            process.start()
        until_known(known, 0)
        # For their listeners to connect, and for tokens to have been known for a while.
        time.sleep(1.5 * STALENESS)
        reported = []
        due = time.monotonic()
        for number, issued in enumerate(made):
            turn.value = number
            time.sleep(max(0.0, due - time.monotonic()))
            due = time.monotonic() + INTERVAL
            until_known(known, number)
            store.revoke(issued.token.id)
            reported.append(time.monotonic())
        found = [results.get(timeout=PATIENCE) for _ in processes]
        for process in processes:
            process.join(PATIENCE)
        store.close()
    until, after = [], []
    for accepted, refused in found:
        if not all(accepted) or not all(refused):
            raise SystemExit(f"{setting.name}: a process has given up")
        until += [first - at for first, at in zip(refused, reported, strict=True)]
        after += [last - at for last, at in zip(accepted, reported, strict=True)]
    return until, after


def until_known(known: Any, number: int) -> None:
    """Wait until all processes have asked for a token."""
    end = time.monotonic() + PATIENCE
    while min(known) <= number:
        if time.monotonic() > end:
            raise SystemExit("a process has given up")
        time.sleep(0.0005)


def report(setting: Setting, until: list[float], after: list[float]) -> int:
    """Print a line, and what was aimed at; how many questions were accepted that must not have been."""
    milliseconds = [max(0.0, seconds * 1000) for seconds in until]
    late = sum(seconds > setting.bound for seconds in after)
    p99 = quantiles(milliseconds, n=100)[98]
    figures = (min(milliseconds), median(milliseconds), p99, max(milliseconds))
    print(f"  {setting.name:<20}" + "".join(f"{figure:9.1f}" for figure in figures) + f"{late:8} of {len(after)}")
    return late


def targets(results: dict[str, tuple[Setting, list[float], list[float]]]) -> None:
    """Print what was aimed at, and how much of it was used."""
    print("\nTargets, and the part of them that was needed")
    for name, (setting, until, after) in results.items():
        late = sum(seconds > setting.bound for seconds in after)
        if setting.kind == "sqlite":
            print(f"  {name:<20} refused on the next request: {len(after) - late} of {len(after)}")
            continue
        last, limit = max(0.0, *after) * 1000, setting.bound * 1000
        print(f"  {name:<20} accepted for at most {limit:.0f} ms: {last:7.1f} ms, {last / limit:.2f}")
        if setting.channel is not None:
            p99 = quantiles(until, n=100)[98] * 1000
            ratio = p99 / PUSHED_MILLISECONDS
            print(f"  {'':<20} p99 with messages {PUSHED_MILLISECONDS} ms: {p99:10.1f} ms, {ratio:.2f}")


def main() -> int:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the revocations")
    count = 100 if parser.parse_args().quick else 1000
    begun = time.monotonic()
    print(f"Python {sys.version.split()[0]}; {count} revocations, {PROCESSES} processes")
    print("  Milliseconds until a process refuses it; how many questions were accepted after the bound")
    print(f"  {'':<20}{'min':>9}{'median':>9}{'p99':>9}{'max':>9}{'late':>8}")
    results = {}
    late = 0
    for setting in SETTINGS:
        if setting.missing:
            print(f"  {setting.name:<20} not measured: no {', no '.join(setting.missing)}")
            continue
        until, after = measure(setting, count)
        late += report(setting, until, after)
        results[setting.name] = (setting, until, after)
    targets(results)
    print(f"\n{time.monotonic() - begun:.0f} s in all")
    return 1 if late else 0


if __name__ == "__main__":
    raise SystemExit(main())
