"""A route of an application, as the application itself has it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from ..errors import ConfigurationError
from ..policy import Pattern, PatternError
from ..policy.segment import Kind
from .pieces import Way, places

READS = frozenset(("GET", "HEAD", "OPTIONS"))


@final
@dataclass(frozen=True, slots=True)
class Declared:
    """What an application says itself of who may call a route: in decorators, in its document, in a table.

    :param alternatives: scopes or categories: all of any one list; none for no scope; ``None`` where it does not say.
    :param require_token: whether someone has to be signed in; ``None`` where it does not say.
    :param by_session: no token will do: a password, or a session.
    """

    alternatives: tuple[tuple[str, ...], ...] | None = None
    require_token: bool | None = None
    by_session: bool = False


@final
@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route of an application.

    :param methods: in upper case, without the HEAD and OPTIONS that frameworks add; none for any method.
    :param path: in werkzeug's rule syntax, from the root of the server.
    :param name: of the view, as the framework knows it.
    :param doc: the first line of what is written about it.
    :param tags: what it is filed under: blueprints, tags of a document.
    :param open: the view answers for whatever lies below, too.
    :param rough: the path stands for at least what the framework takes, and maybe for more.
    :param declared: what the application says of who may call it.
    :param operation: the same number for routes that are answered by the same thing; 0 where that is not known.
    :param order: where the first route that fits answers: its number, from 1. Else 0: the most specific one does.
    """

    methods: tuple[str, ...]
    path: str
    name: str = ""
    doc: str = ""
    tags: tuple[str, ...] = ()
    open: bool = False
    rough: bool = False
    declared: Declared | None = None
    operation: int = field(default=0, compare=False, repr=False)
    order: int = field(default=0, compare=False, repr=False)
    pattern: Pattern = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", Pattern.parse(self.path, below=self.open))

    @property
    def writes(self) -> tuple[str, ...]:
        """Those of its methods that are not for reading."""
        return tuple(method for method in self.methods if method not in READS)

    def __str__(self) -> str:
        below = f"{self.path.rstrip('/')}/..." if self.open else self.path
        return f"{','.join(self.methods) or 'ANY'} {below}"


@final
@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found in an application.

    :param kind: what it is made with: ``flask``, ``django`` ...; several with a plus between.
    :param endpoints: its routes, by path.
    :param notes: what could not be known, a sentence each.
    :param lost: paths below which there are routes that are not among the endpoints.
    """

    kind: str
    endpoints: tuple[Endpoint, ...]
    notes: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


class Finder:
    """Collects the routes of an application while it is looked through."""

    def __init__(self) -> None:
        self.kinds: dict[str, None] = {}
        self.notes: dict[str, None] = {}
        self._found: dict[tuple[object, ...], Endpoint] = {}
        self._lost: dict[str, None] = {}

    def add(self, methods: Sequence[str], path: str, **known: Any) -> None:
        """Note a route. One whose path no request can have is noted as such, and left out."""
        wanted = tuple(sorted({method.upper() for method in methods}))
        if len(wanted) > 1:
            wanted = tuple(method for method in wanted if method not in ("HEAD", "OPTIONS")) or wanted
        path = path.rstrip("/") or "/"
        try:
            endpoint = Endpoint(wanted, path, **known)
        except PatternError as error:
            self.lose(path, f"{path}: {error.problem}; it is left out")
            return
        # Frameworks take the first of two that are alike; what only looks alike here may be for another host.
        key = (path, wanted, endpoint.open, endpoint.name, endpoint.tags, endpoint.declared)
        self._found.setdefault(key, endpoint)

    def add_in_order(self, methods: Sequence[str], parts: Iterable[list[Way]], **known: Any) -> None:
        """:meth:`add_places`, where the first route that fits answers."""
        self.add_places(methods, parts, order=len(self._found) + 1, **known)

    def lose(self, path: str, note: str) -> None:
        """Note that there are routes below a path, or the part of it that rules can spell, that cannot be known."""
        self.notes[note] = None
        self._lost[_known_front(path)] = None

    def add_places(
        self, methods: Sequence[str], parts: Iterable[list[Way]], *, is_open: bool = False, **known: Any
    ) -> None:
        """Note a route whose path is put together from parts.

        :param is_open: whether anything may follow.
        """
        rough = known.pop("rough", False)
        for place in places(parts, is_open=is_open):
            self.add(methods, place.path, open=place.open, rough=rough or place.rough, **known)

    def discovery(self) -> Discovery:
        """What was found."""
        endpoints = sorted(self._found.values(), key=lambda each: (each.path, each.methods))
        return Discovery("+".join(self.kinds) or "unknown", tuple(endpoints), tuple(self.notes), tuple(self._lost))


def _known_front(path: str) -> str:
    """The literal segments that a path begins with, as far as rules can spell them."""
    front = ""
    for segment in path.split("/")[1:]:
        try:
            longer = Pattern.parse(f"{front}/{segment}")
        except PatternError:
            break
        if not longer.segments or longer.segments[-1].kind is not Kind.LITERAL:
            break
        front = longer.source
    return front or "/"


class NoRoutes(ConfigurationError):
    """Nothing is known of an application's routes."""
