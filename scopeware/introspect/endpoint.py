"""A route of an application, as the application itself has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from ..errors import ConfigurationError
from ..policy import Pattern, PatternError
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
    :param view: the function or class that answers, where there is one.
    :param operation: the same number for routes that are answered by the same thing; 0 where that is not known.
    """

    methods: tuple[str, ...]
    path: str
    name: str = ""
    doc: str = ""
    tags: tuple[str, ...] = ()
    open: bool = False
    rough: bool = False
    declared: Declared | None = None
    view: Callable[..., Any] | None = field(default=None, compare=False, repr=False)
    operation: int = field(default=0, compare=False, repr=False)
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


_CUT = "whatever begins like {} is taken, in the middle of a word, too; what goes on so is left out, and refused"


@final
@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found in an application.

    :param kind: what it is made with: ``flask``, ``django`` ...; several with a plus between.
    :param endpoints: its routes, by path.
    :param notes: what could not be known, a sentence each.
    """

    kind: str
    endpoints: tuple[Endpoint, ...]
    notes: tuple[str, ...] = ()


class Finder:
    """Collects the routes of an application while it is looked through.

    :param kind: as of :class:`Discovery`.
    """

    def __init__(self) -> None:
        self.kinds: dict[str, None] = {}
        self.notes: dict[str, None] = {}
        self._found: dict[tuple[str, tuple[str, ...], bool], Endpoint] = {}

    def add(self, methods: Sequence[str], path: str, **known: Any) -> None:
        """Note a route. One whose path no request can have is noted as such, and left out."""
        wanted = tuple(sorted({method.upper() for method in methods}))
        if len(wanted) > 1:
            wanted = tuple(method for method in wanted if method not in ("HEAD", "OPTIONS")) or wanted
        path = path.rstrip("/") or "/"
        try:
            endpoint = Endpoint(wanted, path, **known)
        except PatternError as error:
            self.notes[f"{path}: {error.problem}; it is left out, and what is not in the policy is refused"] = None
            return
        # Frameworks take the first of two that are alike.
        self._found.setdefault((path, wanted, endpoint.open), endpoint)

    def add_places(
        self, methods: Sequence[str], parts: Iterable[list[Way]], *, is_open: bool = False, **known: Any
    ) -> None:
        """Note a route whose path is put together from parts.

        :param is_open: whether anything may follow.
        """
        rough = known.pop("rough", False)
        for place in places(parts, is_open=is_open):
            if place.cut:
                self.notes[_CUT.format(place.path)] = None
            self.add(methods, place.path, open=place.open, rough=rough or place.rough, **known)

    def discovery(self) -> Discovery:
        """What was found."""
        endpoints = sorted(self._found.values(), key=lambda each: (each.path, each.methods))
        return Discovery("+".join(self.kinds) or "unknown", tuple(endpoints), tuple(self.notes))


class NoRoutes(ConfigurationError):
    """Nothing is known of an application's routes."""
