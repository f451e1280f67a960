"""Three hosts on one PostgreSQL and one Redis, and what each does while links between them are cut.

What is measured is printed: ``pytest -rP``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest
from three_hosts import CUTS, REDIS, Answer, Done, Switch, ThreeHosts, redis_client, wait_for

STALENESS = 1.0
"""The default of `max_staleness`."""
PUSHED = 0.5
"""Within how many seconds a change has arrived everywhere with the help of Redis; it takes a tenth of that."""
HANG = 12.0
"""How long a worker may wait for the database before it answers: 5 s for an answer, 3 s to connect, and some more on a
machine that has other things to do. gunicorn kills one after 30 s."""
BACK = 8.0
"""How long a host may take to serve again; a connection that is being made tries again after 1 and 3 s."""
STRANGERS = {"refused": STALENESS, "silent": STALENESS / 3}
"""When those come who ask with a token that the host does not know: after what it knows has had its time; or before,
so that it is them whom the connection that has gone silent keeps waiting."""
LONG = 4.0
"""For how long to look at a host after its first refusal: a request that tried to connect would wait for 3 s."""
MOMENT = 2.0
"""What takes no time takes less than this, even on a machine that has other things to do."""


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    with ExitStack() as stack:
        yield ThreeHosts(tmp_path_factory.mktemp("three_hosts"), stack)


@contextmanager
def undisturbed(three):
    """The workers are the same afterwards: none was killed, and none ended."""

    def workers():
        return {answer.worker for host in three.hosts for answer in host.ask_all(None, "/public")}

    before = workers()
    yield
    assert workers() == before
    for host in three.hosts:
        assert "WORKER TIMEOUT" not in host.says()


@pytest.fixture
def hosts(three):
    with undisturbed(three):
        yield three.hosts


def statuses(answers):
    return {answer.status for answer in answers}


def last_asked(answers, status):
    """When the last one asked who was answered so."""
    return max(answer.asked for answer in answers if answer.status == status)


def longest(answers):
    """How long someone had to wait."""
    return max(answer.answered - answer.asked for answer in answers)


# While all is well


def test_a_token_issued_on_one_host_works_on_all(three, hosts):
    """On each worker of each, wherever it was issued; and for no more than it was issued for."""
    with three.store(hosts[0]) as call:
        issuer = call("issue", owner="alice", name="issuer", scopes="write:misc").secret
        narrow = call("issue", owner="alice", name="narrow", scopes="read:user").secret
    for host in hosts:
        issued = three.clients.run(host.ask, issuer, f"/of-{host.name}", "POST")
        assert issued.status == 200, issued
        secret = issued.body.split()[1]
        for other in hosts:
            answers = other.ask_all(secret)
            assert statuses(answers) == {200}
            assert {answer.body for answer in answers} == {"alice"}
            assert statuses(other.ask_all(narrow)) == {403}
            assert statuses(other.ask_all(None)) == {401}
            assert three.clients.run(other.ask, secret, "/more", "POST").status == 403


@pytest.mark.parametrize("way", ["command", "store"])
def test_a_revocation_on_one_host_is_seen_by_all_at_once(three, hosts, way):
    """Long before `max_staleness`, whoever revokes; and no other token is concerned."""
    with three.store(hosts[0]) as call:
        gone = call("issue", owner="alice", name=f"gone by {way}", scopes="read:misc")
        kept = call("issue", owner="alice", name=f"kept by {way}", scopes="read:misc")
        for host in hosts:
            host.ask_all(gone.secret)
        three.listen_anew()
        with (
            three.watch(*hosts, secret=gone.secret) as watch,
            three.watch(*hosts, secret=kept.secret, askers=1) as others,
        ):
            watch.wait_until_all(hosts, 200, 0.0)
            began = time.monotonic()
            if way == "command":
                done = three.scopeware(hosts[1], "token", "revoke", str(gone.token.id))
                assert done.code == 0, done
            else:
                call("revoke", gone.token.id)
            revoked = time.monotonic()
            watch.wait_until_all(hosts, 401, revoked)
    last = last_asked(watch.answers, 200)
    print(f"by {way}, in {revoked - began:.3f} s: last allowed {1000 * (last - revoked):+.0f} ms after that")
    assert last < revoked + PUSHED
    assert statuses(watch.answers) == {200, 401}
    assert statuses(others.answers) == {200}


# Without Redis


@pytest.mark.parametrize("how", CUTS)
def test_a_host_without_redis_sees_revocations_in_time(three, hosts, how):
    """Within `max_staleness`; the others, at once. Afterwards it is told again."""
    apart, *rest = hosts
    with three.store(rest[0]) as call:
        gone = call("issue", owner="alice", name=f"revoked elsewhere, {how}", scopes="read:misc")
        for host in hosts:
            host.ask_all(gone.secret)
        three.listen_anew()
        with apart.machine.cut(three.redis, how), three.watch(*hosts, secret=gone.secret) as watch:
            watch.wait_until_all(hosts, 200, time.monotonic())
            call("revoke", gone.token.id)
            revoked = time.monotonic()
            watch.wait_until_all(hosts, 401, revoked)
    here, there = last_asked(watch.of(apart), 200), last_asked(watch.of(*rest), 200)
    # What it takes for true it had asked for before the token was revoked: there is nothing to add.
    assert here < revoked + STALENESS
    assert there < revoked + PUSHED
    assert statuses(watch.answers) == {200, 401}
    again = three.listen_anew()
    print(
        f"last allowed {1000 * (here - revoked):+.0f} ms after the revocation, "
        f"on the other hosts {1000 * (there - revoked):+.0f} ms; all are told of changes again after {again:.1f} s"
    )


@pytest.mark.parametrize("how", CUTS)
def test_a_revocation_from_a_host_without_redis_holds_in_time(three, hosts, how):
    """Everywhere within `max_staleness`; whoever revokes waits a moment and is told why."""
    apart = hosts[0]
    with three.store(apart) as call:
        gone = call("issue", owner="alice", name=f"revoked without redis, {how}", scopes="read:misc")
        with apart.machine.cut(three.redis, how), three.watch(*hosts, secret=gone.secret) as watch:
            watch.wait_until_all(hosts, 200, 0.0)
            done = three.scopeware(apart, "token", "revoke", str(gone.token.id))
            revoked = time.monotonic()
            watch.wait_until_all(hosts, 401, revoked)
    print(f"revoked in {done.seconds:.1f} s: {done.output}")
    assert done.code == 0
    assert "could not be announced" in done.output
    assert done.seconds < HANG
    assert last_asked(watch.answers, 200) < revoked + STALENESS
    assert statuses(watch.answers) == {200, 401}


# Without Redis and without PostgreSQL


@dataclass
class Outage:
    """What was seen while one host had neither.

    :ivar cut: since when nothing passed.
    :ivar refused: when the first one was told that tokens cannot be checked.
    :ivar ending: when it was about to end, at the latest.
    :ivar ended: since when all passes again.
    :ivar served: when each of its workers had served a token again.
    :ivar known: what those were answered who asked the host with a token that it knew.
    :ivar unknown: with one that it had not seen.
    :ivar public: without any, where none is needed.
    :ivar elsewhere: with a token, on the other hosts.
    :ivar command: what became of a revocation from there.
    :ivar untouched: what the others said of the token that was to be revoked there.
    :ivar revoked: what the host said, once it served again, of a token that was revoked elsewhere meanwhile.
    """

    cut: float
    refused: float
    ending: float
    ended: float
    served: float
    known: list[Answer]
    unknown: list[Answer]
    public: list[Answer]
    elsewhere: list[Answer]
    command: Done
    untouched: set[int]
    revoked: set[int]

    def during(self, answers: list[Answer], since: float) -> list[Answer]:
        """Those that were asked for since then, and answered before it ended."""
        return [answer for answer in answers if answer.asked >= since and answer.answered <= self.ending]


def suffer(three: ThreeHosts, how: str) -> Outage:
    """Take both from a host for a while."""
    apart, *rest = three.hosts
    with undisturbed(three), three.store(rest[0]) as call, ExitStack() as stack:

        def issue(name: str):
            return call("issue", owner="alice", name=f"{name}, {how}", scopes="read:misc")

        kept, gone, unknown, unreached, signal = map(issue, ("kept", "gone", "unknown", "unreached", "signal"))
        for host in three.hosts:
            host.ask_all(kept.secret)
            host.ask_all(gone.secret)
        three.listen_anew()
        elsewhere = stack.enter_context(three.watch(*rest, secret=kept.secret, askers=1))
        public = stack.enter_context(three.watch(apart, path="/public", askers=1))
        known = stack.enter_context(three.watch(apart, secret=kept.secret))
        # All workers ask anew, so that what they know is as new as it can be.
        call("revoke", signal.token.id)
        known.wait_until_all([apart], 200, time.monotonic())
        with apart.machine.cut(three.redis, how), apart.machine.cut(three.postgres, how):
            cut = time.monotonic()
            revoking = apart.machine.threads.submit(three.scopeware, apart, "token", "revoke", str(unreached.token.id))
            time.sleep(cut + STRANGERS[how] - time.monotonic())
            others = stack.enter_context(three.watch(apart, secret=unknown.secret))
            wait_for(lambda: 503 in statuses(list(known.answers)), "the first refusal")
            refused = time.monotonic()
            call("revoke", gone.token.id)
            for watch in (known, others):
                watch.wait_until_all([apart], 503, cut + STALENESS, times=1)
            command = revoking.result()
            time.sleep(max(0.0, refused + LONG - time.monotonic()))
            ending = time.monotonic()
        ended = time.monotonic()
        known.wait_until_all([apart], 200, ended, times=1)
        served = time.monotonic()
        outage = Outage(
            cut=cut,
            refused=refused,
            ending=ending,
            ended=ended,
            served=served,
            known=known.answers,
            unknown=others.answers,
            public=public.answers,
            elsewhere=elsewhere.answers,
            command=command,
            untouched=statuses(rest[0].ask_all(unreached.secret)),
            revoked=statuses(apart.ask_all(gone.secret)),
        )
        others.wait_until_all([apart], 200, ended, times=1)
        elsewhere.wait_until_all(rest, 200, ended, times=1)
    return outage


@pytest.fixture(scope="module")
def refused_outage(three):
    return suffer(three, "refused")


@pytest.fixture(scope="module")
def silent_outage(three):
    return suffer(three, "silent")


@pytest.fixture(params=CUTS)
def outage(request):
    return request.getfixturevalue(f"{request.param}_outage")


class TestOutage:
    """A host that reaches neither PostgreSQL nor Redis."""

    def test_what_it_knows_is_allowed_for_max_staleness_and_no_longer(self, outage):
        """Counted from when it was cut off; there is nothing to add, for what it knows it had asked for before."""
        allowed = [answer for answer in outage.during(outage.known, outage.cut) if answer.status == 200]
        last = last_asked(allowed, 200) - outage.cut
        print(f"allowed {len(allowed)} times, the last time {1000 * last:+.0f} ms after the cut")
        assert last < STALENESS

    def test_then_every_token_is_refused(self, outage):
        """By both workers, with 503 and a time to come again."""
        refused = outage.during(outage.known, outage.cut + STALENESS) + outage.during(outage.unknown, outage.cut)
        assert statuses(refused) == {503}
        assert {answer.worker for answer in refused} == {answer.worker for answer in outage.known}
        assert {answer.retry for answer in refused} == {"5"}
        assert {json.loads(answer.body)["code"] for answer in refused} == {"store_unavailable"}

    def test_no_worker_hangs_for_long(self, outage):
        """Whatever it waits for, it answers before gunicorn loses patience."""
        hangs = {}
        for answer in sorted(outage.known + outage.unknown, key=lambda answer: answer.asked):
            if answer.worked > 0.2:
                hangs.setdefault(answer.worker, []).append(answer.worked)
        print(
            f"refused after {outage.refused - outage.cut:.1f} s, back after {outage.ended - outage.cut:.1f} s: {hangs}"
        )
        assert max(answer.worked for answer in outage.known + outage.unknown) < HANG

    def test_what_needs_no_token_goes_on(self, outage):
        """Always allowed, if perhaps late: see the next."""
        print(f"waited for up to {longest(outage.public):.1f} s")
        assert statuses(outage.public) == {200}
        assert longest(outage.public) < 2 * HANG

    def test_what_needs_no_token_does_not_wait(self, outage):
        """Once the host knows that the database is away, no worker hangs any more."""
        waits = [
            min(answer.answered, outage.ending) - answer.asked
            for answer in outage.public
            if outage.refused <= answer.asked < outage.ending
        ]
        print(f"waited for up to {max(waits):.1f} s")
        assert max(waits) < MOMENT

    def test_the_others_do_not_notice(self, outage):
        """They serve on, without delay."""
        print(f"waited for up to {longest(outage.elsewhere):.2f} s")
        assert statuses(outage.elsewhere) == {200}
        assert longest(outage.elsewhere) < MOMENT

    def test_it_comes_back_by_itself(self, outage):
        """Within seconds; and it knows of what happened meanwhile."""
        print(f"served again after {outage.served - outage.ended:.1f} s")
        assert outage.served - outage.ended < BACK
        assert outage.revoked == {401}
        assert 200 in statuses(outage.unknown)

    def test_a_revocation_from_there_fails_and_says_so(self, outage):
        """In the end; nothing has changed then."""
        print(f"after {outage.command.seconds:.1f} s: {outage.command.output}")
        assert outage.command.code == 3
        assert "is out of reach" in outage.command.output
        assert outage.command.seconds < HANG + MOMENT
        assert outage.untouched == {200}


# The network itself


@pytest.mark.parametrize("how", CUTS)
def test_a_link_that_is_cut_is_cut_and_the_others_are_not(three, hosts, how):
    """New connections and those that there were, in both directions; or nothing above would say anything."""
    import redis

    apart, other = hosts[:2]

    def ping():
        with redis_client(REDIS, seconds=0.3) as client:
            return client.ping()

    def listen():
        listening = redis_client(REDIS).pubsub(ignore_subscribe_messages=True)
        listening.subscribe("link")
        return listening

    def hear(seconds):
        return listening.get_message(timeout=seconds)

    listening = apart.machine.run(listen)
    try:
        assert apart.machine.run(hear, 0.1) is None
        three.ask_redis("publish", "link", "one")
        assert wait_for(lambda: apart.machine.run(hear, 0.1), "the first message") < MOMENT
        with apart.machine.cut(three.redis, how):
            with pytest.raises(redis.ConnectionError if how == "refused" else redis.TimeoutError):
                apart.machine.run(ping)
            assert other.machine.run(ping)
            three.ask_redis("publish", "link", "two")
            assert apart.machine.run(hear, 0.3) is None
        assert apart.machine.run(ping)
        wait_for(lambda: apart.machine.run(hear, 0.1), "the message that was held up")
    finally:
        listening.close()


def test_nothing_is_left_of_a_network():
    """Nor of what still runs on it, though something went wrong."""
    seen = []

    def names():
        return sorted(name for name in os.listdir("/run/netns") if name.startswith(seen[0]))

    def pids(namespace):
        command = ["ip", "netns", "pids", namespace]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()

    def go_wrong():
        with Switch() as switch:
            machine = switch.machine("one", "192.0.2.1")
            seen.extend([switch.name, subprocess.Popen(machine.command("sleep", "60"))])
            # It is there before it has moved in.
            wait_for(lambda: pids(machine.namespace) == [str(seen[1].pid)], "moving in")
            assert names() == [f"{switch.name}-one", f"{switch.name}-switch"]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        go_wrong()
    assert names() == []
    assert seen[1].wait(MOMENT) == -signal.SIGKILL
