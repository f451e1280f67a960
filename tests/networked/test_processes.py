"""Several processes behind one database: none accepts a token later than it may. `benchmarks/revocation.py` is the same
at length, with figures."""

from __future__ import annotations

import multiprocessing
import time
from statistics import median

import pytest
from networked_helpers import LIVE
from processes import answer

from scopeware.tokens import TokenStore

FORK = multiprocessing.get_context("fork")
PROCESSES = 4
TOKENS = 50
BOUND = 1.0
"""What `max_staleness` is by default."""


def ask(url, push, secrets, asking, results):
    """Ask for all tokens again and again until each is refused; report for each when the last question that was
    accepted began, and when the first that was refused was answered."""
    store = TokenStore.connect(url, push=push)
    accepted = dict.fromkeys(secrets, 0.0)
    refused: dict[str, float] = {}
    other = set()
    end = time.monotonic() + 60
    while len(refused) < len(secrets) and time.monotonic() < end:
        for secret in secrets:
            begun = time.monotonic()
            said = answer(store, secret)
            if said == LIVE:
                accepted[secret] = begun
            elif said == "token_revoked":
                refused.setdefault(secret, time.monotonic())
            else:
                other.add(said)
        if asking is not None:
            asking.release()
            asking = None
        time.sleep(0.002)
    results.put((accepted, refused, other))
    store.close()


@pytest.mark.parametrize(
    ("database", "channel"),
    [("postgres", None), ("postgres", "notify"), ("postgres", "redis"), ("mariadb", None)],
    ids=lambda value: value or "without",
)
def test_no_process_accepts_a_token_later_than_the_bound_after_its_revocation(database, channel, request, connect):
    """Four processes ask for all tokens while a fifth revokes one after the other.

    No time is added for slow machines. What is compared is when a question began that was accepted, and when the
    revocation was reported, which is after it was committed; both by the one monotonic clock of the machine. A process
    that is stopped for a while in between only begins later.
    """
    url = request.getfixturevalue(f"{database}_url")
    push = request.getfixturevalue("redis_url") if channel == "redis" else channel
    store = connect(url, push=push)
    made = [store.issue(owner="alice", name=f"ci{number}", scopes="write:issue") for number in range(TOKENS)]
    secrets = [issued.secret for issued in made]
    asking, results = FORK.Semaphore(0), FORK.Queue()
    arguments = (url, push, secrets, asking, results)
    processes = [FORK.Process(target=ask, args=arguments, daemon=True) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    for _ in processes:
        assert asking.acquire(timeout=30)
    reported = {}
    for issued in made:
        time.sleep(0.02)
        assert store.revoke(issued.token.id)
        reported[issued.secret] = time.monotonic()
    found = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    for accepted, refused, other in found:
        assert other == set()
        assert set(refused) == set(secrets)
        assert min(accepted.values()) > 0
        assert max(accepted[secret] - reported[secret] for secret in secrets) < BOUND
    seconds = [refused[secret] - reported[secret] for _, refused, _ in found for secret in secrets]
    # Without messages, a token is found out about at any moment of the second; with them, at once.
    assert (median(seconds) < 0.25) == (channel is not None)
