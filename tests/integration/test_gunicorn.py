"""gunicorn with a preloaded application and two workers on one store: each sees at once what the others do."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from live_servers import SECONDS, child_environment


@pytest.fixture
def live(gunicorn, database):
    live = gunicorn(f"live_sites:issuing({database!r})", "--preload", "--workers", "2", "--worker-class", "gthread")
    yield live
    log = live.log.read_text()
    assert not any(word in log for word in ("Traceback", "ERROR", "Error", "locked", "WARNING")), log


def elsewhere(database, statement):
    """Runs one statement on the store, in another process."""
    code = f"from scopeware import TokenStore\nstore = TokenStore.connect('sqlite:///{database}')\n{statement}"
    subprocess.run([sys.executable, "-c", code], env=child_environment(), check=True, timeout=SECONDS)


def ask(live, secret, method="GET", path="/"):
    """Who answered, and what; each time over a new connection, so that either worker may."""
    answer = requests.request(
        method, f"{live.url}{path}", headers={"Authorization": f"Bearer {secret}"}, timeout=SECONDS
    )
    return answer.headers["X-Worker"], answer.status_code, answer.text


def ask_both(live, secret):
    """What each worker answers, asked until both have: worker → statuses."""
    seen = {}
    for _ in range(50):
        with ThreadPoolExecutor(8) as pool:
            for worker, status, _ in pool.map(lambda _: ask(live, secret), range(8)):
                seen.setdefault(worker, []).append(status)
        if len(seen) == 2:
            return seen
    pytest.fail("only one worker ever answered")


def statuses(seen):
    return {status for answers in seen.values() for status in answers}


def test_a_revocation_elsewhere_is_seen_by_every_worker_at_once(live, store, database):
    """Both workers know the token; another process revokes it; no request after that gets through, of either."""
    issued = store.issue(owner="alice", name="soon gone", scopes="read:misc")
    kept = store.issue(owner="alice", name="kept", scopes="read:misc")
    assert statuses(ask_both(live, issued.secret)) == {200}
    elsewhere(database, f"store.revoke({issued.token.id})")
    assert statuses(ask_both(live, issued.secret)) == {401}
    assert statuses(ask_both(live, kept.secret)) == {200}


def test_an_owner_disabled_elsewhere_is_out_at_once(live, store, database):
    """All tokens of the owner, in both workers; and in again when enabled."""
    issued = store.issue(owner="alice", name="hers", scopes="read:misc")
    assert statuses(ask_both(live, issued.secret)) == {200}
    elsewhere(database, "store.disable_owner('alice')")
    assert statuses(ask_both(live, issued.secret)) == {401}
    elsewhere(database, "store.enable_owner('alice')")
    assert statuses(ask_both(live, issued.secret)) == {200}


def test_a_token_issued_in_one_worker_works_in_the_other(live, store):
    """And a revocation by the process that reads this is seen by both."""
    issuer = store.issue(owner="alice", name="issuer", scopes="write:misc").secret
    worker, status, text = ask(live, issuer, "POST", "/first")
    assert status == 200
    number, secret = text.split()
    seen = ask_both(live, secret)
    assert statuses(seen) == {200}
    assert set(seen) - {worker}
    store.revoke(int(number))
    assert statuses(ask_both(live, secret)) == {401}


def test_many_requests_while_tokens_come_and_go(live, store):
    """Threads in both workers read while tokens are issued and revoked: no error, and nothing in the log."""
    steady = store.issue(owner="alice", name="steady", scopes="write:misc").secret
    with ThreadPoolExecutor(8) as pool:
        reads = [pool.submit(ask, live, steady) for _ in range(150)]
        issues = [pool.submit(ask, live, steady, "POST", f"/token{number}") for number in range(30)]
        revoked = []
        for future in issues:
            _, status, text = future.result()
            assert status == 200, text
            number, secret = text.split()
            store.revoke(int(number))
            revoked.append(pool.submit(ask, live, secret))
    assert {future.result()[1] for future in reads} == {200}
    assert {future.result()[1] for future in revoked} == {401}


def test_the_store_of_this_process_sees_what_workers_issue(live, store):
    """Not only the workers share it."""
    issuer = store.issue(owner="alice", name="issuer", scopes="write:misc").secret
    _, _, text = ask(live, issuer, "POST", "/theirs")
    assert isinstance(store.authenticate(text.split()[1]).owner, str)
    assert [token.name for token in store.list(owner="bob")] == ["theirs"]
