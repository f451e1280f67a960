"""What the store asks of a database, whichever it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, ClassVar

from ..errors import ScopewareError
from .push import Channel


class StoreUnavailable(ScopewareError):
    """The database cannot be asked, or cannot be written, right now. Nothing was decided and nothing half-written.

    :param problem: what the database said.
    :param database: which one.
    """

    def __init__(self, problem: str, database: str) -> None:
        super().__init__(f"the token store {database} is out of reach: {problem}")
        self.problem = problem
        self.database = database


class Database(ABC):
    """A database that many threads and processes use; connections are its own affair."""

    name: str
    """What messages call it: a path, or a URL without the password."""
    peewee: Any
    """peewee's database, for queries inside of :meth:`session`."""
    errors: tuple[type[Exception], ...]
    """What using it may raise."""
    parameter: ClassVar[str]
    """What stands for a value in the driver's statements."""
    channel: Channel | None = None
    """Where changes are announced, and listened for; ``None`` where nobody needs to."""
    writing: AbstractContextManager[Any] = nullcontext()
    """Held by whoever writes, where only one thread of a process can."""
    _begin: tuple[str, ...] = ()

    @abstractmethod
    def set_up(self) -> None:
        """Make the database ready for tables.

        :raises StoreUnavailable: it cannot be.
        """

    @abstractmethod
    def check_exists(self) -> None:
        """Nothing, if it is there.

        :raises StoreUnavailable: it is not.
        """

    @abstractmethod
    def select(self, statement: str, values: tuple[object, ...] = ()) -> tuple[Any, ...] | None:
        """The first row of a SELECT, through the driver itself, as of now; ``None`` if there is none.

        :raises StoreUnavailable: it cannot be asked; so may any of :attr:`errors`.
        """

    @abstractmethod
    def session(self) -> AbstractContextManager[None]:
        """Opens peewee's connection of this thread for a while, and turns what the driver raises into
        :class:`StoreUnavailable`; all but violated constraints."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, for whoever writes; a session, too."""
        with self.writing, self.session(), self.peewee.atomic(*self._begin):
            yield

    @contextmanager
    def changing(self) -> Iterator[None]:
        """A transaction that changes what tokens may do: who listens is told."""
        with self.transaction():
            yield

    @abstractmethod
    def set_channel(self, push: str) -> None:
        """Announce changes, and listen for them, over what `push` names: see :func:`~scopeware.tokens.push.channel_at`.

        :raises ConfigurationError: it names nothing that is there, or nothing that this database needs.
        """

    @abstractmethod
    def migrating(self) -> AbstractContextManager[None]:
        """Lets one process at a time migrate, inside of a session: the next one finds nothing left to do."""

    @abstractmethod
    def close(self) -> None:
        """Close what can be closed now; what other threads use, they close."""

    def unavailable(self, error: Exception) -> StoreUnavailable:
        """The error that says so, with the first thing that went wrong."""
        if isinstance(error, StoreUnavailable):
            return error
        first: BaseException = error
        while isinstance(first.__context__, self.errors):
            first = first.__context__
        problem = " ".join(str(first).split()) or type(first).__name__
        return StoreUnavailable(problem, self.name)
