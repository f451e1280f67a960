"""Killed without a chance to say goodbye, while rows are converted or taken back: nothing is lost, and it is gone on
with."""

from __future__ import annotations

import os
import random
import signal
import time
import traceback
from contextlib import contextmanager
from itertools import count

import peewee
import pytest

from scopeware.errors import ConfigurationError
from scopeware.migration import run
from scopeware.migration.run import apply, runs, undo

SECONDS = 10
KILLS = 5
WRITES = ("CREATE", "INSERT", "UPDATE", "DELETE", "WITH")


def child(function):
    """The id of a forked process that runs a function."""
    number = os.fork()
    if number:
        return number
    try:
        signal.alarm(2 * SECONDS)
        function()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def was_killed(number):
    """Wait for a child: whether it was killed, or else did all it had to do."""
    _, status = os.waitpid(number, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return True
    assert status == 0, f"the child ended with {status}"
    return False


def die(_=None):
    """As ``kill -9``."""
    os.kill(os.getpid(), signal.SIGKILL)


def dying(point, function):
    """`function`, killed right before (an even `point`) or right after (an odd one) that write of all its writes."""

    def work():
        places = count()
        execute = peewee.Database.execute_sql

        def watched(self, statement, *arguments, **options):
            writes = statement.lstrip().startswith(WRITES)
            if writes and next(places) == point:
                die()
            cursor = execute(self, statement, *arguments, **options)
            if writes and next(places) == point:
                die()
            return cursor

        peewee.Database.execute_sql = watched
        function()

    return work


def patiently(function):
    """What a function returns once the server has noticed that who was killed holds no lock any more."""
    end = time.monotonic() + SECONDS
    while True:
        try:
            return function()
        except ConfigurationError as error:
            if "somebody else" not in str(error) or time.monotonic() > end:
                raise
        time.sleep(0.005)


class Conversion:
    """Gitea's table, what it was, and what it is to become."""

    def __init__(self, table, mapping, number, *texts):
        self.table = table
        self._number, self._texts = number, texts
        self._owner = 0
        self.fill()
        self.mapping = mapping
        self.before = table.rows
        self.digest = table.digest
        self.after = [
            (*row[:6], row[6] if row[6] is None else mapping.convert(row[6]), *row[7:]) for row in self.before
        ]

    @contextmanager
    def column(self):
        """A connection of this process: the one that there is on a server, or a new one: SQLite's survive no fork."""
        if self.table.kind == "sqlite":
            yield self.table.column()
            self.table.close()
            return
        if self._owner != os.getpid():
            self._column, self._owner = self.table.column(), os.getpid()
        yield self._column

    def fill(self):
        """Make it."""
        self.table.make_gitea(self._number, *([self._texts] if self._texts else []))

    def apply(self):
        """Convert it."""
        with self.column() as column:
            return patiently(lambda: apply(column, self.mapping))

    def undo(self):
        """Take it back; fine if that is done already."""
        with self.column() as column:
            try:
                return patiently(lambda: undo(column))
            except ConfigurationError as error:
                if "nothing to take back" not in str(error):
                    raise
                return None

    @property
    def states(self):
        """How far each conversion has come."""
        with self.column() as column:
            return [each.state for each in runs(column)]

    def is_torn(self):
        """Whether a row is neither what it was nor what it is to become."""
        rows = self.table.rows
        return len(rows) != len(self.before) or any(
            row not in (old, new) for row, old, new in zip(rows, self.before, self.after, strict=True)
        )

    def forget(self):
        """Drop all tables of ours."""
        self.table.sql(*(f"DROP TABLE {name}" for name in self.table.tables if name.startswith("scopeware_")))

    def start_over(self):
        """All as it was."""
        self.forget()
        self.table.sql("DROP TABLE access_token")
        self.fill()


@pytest.fixture
def conversion(table, mapping, monkeypatch):
    """A table of four, in transactions of two: each text is written down in a step of its own."""
    monkeypatch.setattr(run, "CHUNK", 2)
    return Conversion(table, mapping, 4, "repo", "user:email", None)


@pytest.fixture
def large(table, mapping, monkeypatch):
    """A table of a thousand, in transactions of ten."""
    monkeypatch.setattr(run, "CHUNK", 10)
    return Conversion(table, mapping, 1000)


def everywhere(conversion, function, check, *, prepare=lambda: None):
    """What `check` finds wrong after `function` was killed at each place where it writes, by the place."""
    wrong = {}
    places = count()
    killed = True
    while killed:
        point = next(places)
        prepare()
        killed = was_killed(child(dying(point, function)))
        try:
            found = "a row is torn" if conversion.is_torn() else check()
        except Exception as error:
            found = repr(error)
        if found or conversion.table.digest != conversion.digest:
            wrong[point] = found or "it is not as at the start"
            conversion.start_over()
        # To drop tables takes its time; those that are made but once are made first.
        if point < 8:
            conversion.forget()
    assert next(places) > 6
    return wrong


class TestAtEveryWrite:
    def test_of_apply_then_resumed_and_undone(self, conversion):
        """One conversion, all of it, and byte for byte as at the start in the end."""

        def check():
            conversion.apply()
            if conversion.table.rows != conversion.after or conversion.states[-1:] != ["done"]:
                return f"it is not converted: {conversion.states}"
            conversion.undo()
            return set(conversion.states) - {"undone"}

        assert everywhere(conversion, conversion.apply, check) == {}

    def test_of_apply_then_undone(self, conversion):
        """Without going on first."""

        def check():
            conversion.undo()
            return set(conversion.states) - {"undone"}

        assert everywhere(conversion, conversion.apply, check) == {}

    def test_of_undo_then_undone(self, conversion):
        """Byte for byte as at the start."""

        def check():
            conversion.undo()
            return set(conversion.states) - {"undone"}

        assert everywhere(conversion, conversion.undo, check, prepare=conversion.apply) == {}

    def test_of_undo_then_applied_again(self, conversion):
        """What was restored is converted again, and all of it is taken back in the end."""

        def check():
            conversion.apply()
            if conversion.table.rows != conversion.after:
                return "it is not converted"
            while set(conversion.states) != {"undone"}:
                conversion.undo()
            return None

        assert everywhere(conversion, conversion.undo, check, prepare=conversion.apply) == {}


class TestAtAnyMoment:
    def test_apply_resume_undo(self, large):
        """By somebody else, several times over, in the middle of whatever it does."""
        began = time.monotonic()
        large.apply()
        seconds = time.monotonic() - began
        large.undo()
        large.forget()
        assert large.table.digest == large.digest
        killed = 0
        for _ in range(KILLS):
            killed += self.kill_amid(large.apply, seconds / KILLS * 2)
            assert not large.is_torn()
        # It may have been too fast for that, but not each time.
        assert killed
        applied = large.apply()
        assert large.table.rows == large.after
        assert set(large.states) == {"done"}
        assert applied.run in (1, None)
        killed = 0
        for _ in range(KILLS):
            killed += self.kill_amid(large.undo, seconds / KILLS * 2)
            assert not large.is_torn()
        assert killed
        large.undo()
        assert large.table.digest == large.digest
        assert set(large.states) == {"undone"}

    @staticmethod
    def kill_amid(function, seconds):
        number = child(function)
        time.sleep(random.uniform(0, seconds))
        os.kill(number, signal.SIGKILL)
        return was_killed(number)

    def test_before_a_transaction_ends(self, large):
        """The middle one, on each database: what it did is not there, what those before did is."""

        def work():
            left = iter(range(30))
            apply(large.table.column(), large.mapping, progress=lambda _: next(left, None) is None and die())

        assert was_killed(child(work))
        rows = large.table.rows
        assert rows != large.before
        assert rows != large.after
        assert not large.is_torn()
        assert large.states == ["unfinished"]
        assert large.apply().resumed
        assert large.table.rows == large.after
        assert large.undo().rows == sum(old != new for old, new in zip(large.before, large.after, strict=True))
        assert large.table.digest == large.digest
