"""What each old scope becomes."""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
import os
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as Table
from dataclasses import dataclass
from typing import Any, Literal, final

from ..errors import ConfigurationError
from ..scopes import ScopeSet, Vocabulary
from ..text import did_you_mean, near, quoted
from .formats import Format, join, split
from .old_scopes import OldScopes

Adjust = Literal["none", "keep-access", "strict"]
NOBODY = -1
"""What a route needs that nobody passes."""
_KEYS = ("about", "adjust", "base", "map", "name", "old", "public", "route", "target")


class MappingError(ConfigurationError):
    """A mapping that cannot be used."""


@final
@dataclass(frozen=True, slots=True)
class Access:
    """What a route needed, and needs; many routes share one.

    :param old: bits of the old scopes that it needed, all of them; none for any token.
    :param new: bits of the new vocabulary that it needs, all of them; none for any token, :data:`NOBODY` for no one.
    :param about: whether it is about something that may be public, or not.
    """

    old: int
    new: int
    about: bool


@final
@dataclass(frozen=True, slots=True)
class Conversion:
    """What words become.

    :param words: what to store.
    :param scopes: what that grants.
    :param old: the bits of the old scopes that it named, with all they imply.
    :param kept: words that were new ones already.
    :param unknown: words that are neither; they stand in front, verbatim, and grant nothing.
    """

    words: tuple[str, ...]
    scopes: ScopeSet
    old: int
    kept: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


@final
class Mapping:
    """Old scopes → new ones. To convert twice is to convert once.

    :param name: what messages call it.
    :param old: the old scopes and what they imply.
    :param target: the vocabulary of the new ones.
    :param table: each old scope → new ones; none for what has no like in the new system.
    :param adjust: ``"keep-access"`` adds what a token would lose, ``"strict"`` leaves out what it would gain; both by
        `access`.
    :param access: what routes needed and need.
    :param public: old scope → another one that it stands for, where what a route is about is public.
    :param about: categories whose routes are about something that may be public.
    :raises MappingError: a word that is no scope, an old scope without an entry, nothing to adjust by.
    """

    def __init__(
        self,
        name: str,
        old: OldScopes,
        target: Vocabulary,
        table: Table[str, Iterable[str]],
        *,
        adjust: Adjust = "none",
        access: Sequence[Access] = (),
        public: Table[str, str] | None = None,
        about: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.old = old
        self.target = target
        self.adjust: Adjust = adjust
        self.access = tuple(access)
        self.public = dict(public or {})
        self.about = tuple(about)
        self._table: dict[str, ScopeSet] = {}
        for word, meaning in table.items():
            if word not in old:
                hint = did_you_mean(near(word, old.words))
                raise MappingError(f"{quoted(word)} is no old scope{hint}", where=f"map.{word}")
            parsed, unknown = target.parse_known(meaning)
            if unknown:
                raise MappingError(str(target.unknown(unknown[0])), where=f"map.{word}")
            self._table[word] = parsed
        missing = [word for word in old.words if word not in self._table]
        if missing:
            raise MappingError(f"it does not say what {quoted(missing[0])} becomes; write [] for nothing", where="map")
        _check_public(self.public, old)
        if adjust != "none" and not self.access:
            raise MappingError("there are no routes to adjust it by", where="adjust")
        self._known: dict[tuple[str, ...], Conversion] = {}
        for word in old.words:
            self.conversion([word])

    # -- where mappings come from

    @classmethod
    def builtin(cls, name: str) -> Mapping:
        """The mapping that ships under `name`; the same object every time.

        :raises MappingError: none has that name.
        """
        return _load_builtin(name)

    @staticmethod
    def builtin_names() -> tuple[str, ...]:
        """The mappings that ship."""
        folder = importlib.resources.files(__package__) / "builtin"
        return tuple(
            sorted(each.name.removesuffix(".toml") for each in folder.iterdir() if each.name.endswith(".toml"))
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, _inside: tuple[str, ...] = ()) -> Mapping:
        """The mapping in a TOML file; its ``base`` may be another file, beside it.

        :raises MappingError: the file cannot be read, or is none.
        """
        place = os.path.realpath(os.fspath(path).replace("\0", "?"))
        if place in _inside:
            raise MappingError("it is its own base", where=os.fspath(path))
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except OSError as error:
            raise MappingError(f"it cannot be read: {error.strerror}", where=os.fspath(path)) from None
        except UnicodeDecodeError:
            raise MappingError("it is not UTF-8 text", where=os.fspath(path)) from None
        except ValueError as error:
            raise MappingError(f"it cannot be read: {error}", where=os.fspath(path)) from None
        try:
            return cls.from_mapping(tomllib.loads(text), _inside=(*_inside, place))
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise MappingError(f"broken TOML: {error}", where=os.fspath(path)) from None
        except ConfigurationError as error:
            raise MappingError(error.problem, where=error.where).at(os.fspath(path), ": ") from None

    @classmethod
    def named(cls, name: str) -> Mapping:
        """A built-in mapping, or the one in a file.

        :raises MappingError: it is neither.
        """
        known = cls.builtin_names()
        if name in known:
            return cls.builtin(name)
        if os.path.exists(name):
            return cls.load(name)
        raise MappingError(f"{quoted(name)} is neither a mapping nor a file; there are: {', '.join(known)}")

    @classmethod
    def from_mapping(cls, data: Table[str, Any], *, _inside: tuple[str, ...] = ()) -> Mapping:
        """A mapping from the tables of a TOML file: ``name``, ``target`` (a built-in vocabulary, or a table), ``[old]``
        with ``scopes`` and ``[old.implies]``, ``[map]``; or ``base``, another mapping, and ``adjust``.

        :raises MappingError: a key or value that cannot be.
        """
        for key in data:
            if key not in _KEYS:
                raise MappingError(f"unknown key {quoted(key)}{did_you_mean(near(key, _KEYS))}", where=key)
        adjust = data.get("adjust", "none")
        if adjust not in ("none", "keep-access", "strict"):
            raise MappingError('expected "keep-access" or "strict"', where="adjust")
        if "base" in data:
            return cls._variant(data, _inside)
        target = _target(data.get("target", "gitea"))
        try:
            old = OldScopes.from_mapping(data.get("old"))
        except ConfigurationError as error:
            raise MappingError(error.problem, where=error.where) from None
        table = data.get("map")
        if not isinstance(table, dict):
            raise MappingError('expected a table: [map] with old = "new"', where="map")
        meanings = {}
        for word, meaning in table.items():
            words = split(meaning, "comma") if isinstance(meaning, str) else meaning
            if not isinstance(words, list) or not all(isinstance(each, str) for each in words):
                raise MappingError("expected new scopes, as text or as a list", where=f"map.{word}")
            meanings[word] = words
        public = data.get("public", {})
        about = data.get("about", [])
        if not isinstance(public, dict) or not all(isinstance(each, str) for each in public.values()):
            raise MappingError("expected a table: an old scope = another", where="public")
        _check_public(public, old)
        if not isinstance(about, list) or not all(isinstance(each, str) for each in about):
            raise MappingError("expected a list of categories", where="about")
        for each in about:
            if each not in target.categories:
                raise MappingError(
                    f"{quoted(each)} is no category{did_you_mean(near(each, target.categories))}", where="about"
                )
        access = list(_read_access(data.get("route", []), old, target, about, public))
        return cls(
            str(data.get("name", "custom")),
            old,
            target,
            meanings,
            adjust=adjust,
            access=access,
            public=public,
            about=about,
        )

    @classmethod
    def _variant(cls, data: Table[str, Any], inside: tuple[str, ...]) -> Mapping:
        for key in data:
            if key not in ("adjust", "base", "name"):
                raise MappingError("it has no effect beside `base`", where=key)
        name = str(data["base"])
        beside = os.path.join(os.path.dirname(inside[-1]), name) if inside else name
        if name not in cls.builtin_names() and os.path.exists(beside):
            base = cls.load(beside, _inside=inside)
        else:
            base = cls.named(name)
        return cls(
            str(data.get("name", base.name)),
            base.old,
            base.target,
            {word: split(scopes.as_granted, "comma") for word, scopes in base._table.items()},
            adjust=data.get("adjust", base.adjust),
            access=base.access,
            public=base.public,
            about=base.about,
        )

    @property
    def digest(self) -> str:
        """What tells it from another mapping of the same name."""
        table = sorted((word, scopes.as_granted) for word, scopes in self._table.items())
        parts = (table, self.old.words, self.adjust, self.access, sorted(self.public.items()), self.target.scopes)
        return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()

    # -- converting

    def convert(self, text: str, form: Format = "comma") -> str:
        """What a stored text becomes: canonical, and the same again when it is converted once more.

        Words that are neither old nor new scopes stand in front, verbatim, in their order; they grant nothing.

        :param form: how scopes are stored: ``"comma"``, ``"space"`` or ``"json"``.
        :raises MappingError: JSON that is no list of texts.
        """
        try:
            return join(self.conversion(split(text, form)).words, form)
        except ConfigurationError as error:
            raise MappingError(error.problem, where=error.where) from None

    def conversion(self, words: Iterable[str]) -> Conversion:
        """What words become, and why."""
        key = tuple(dict.fromkeys(words))
        known = self._known.get(key)
        if known is None:
            known = self._converted(key)
            if len(self._known) < 100_000:
                self._known[key] = known
        return known

    def _converted(self, words: tuple[str, ...]) -> Conversion:
        first = step = self._step(words)
        # What comes out may contain words that are old scopes, too, and would become less, or more, the next time.
        for _ in range(2 * len(self.target.scopes) + 2):
            following = self._step(step.words)
            if following.words == step.words:
                break
            step = following
        else:
            raise MappingError(f"{quoted(','.join(words))} becomes something else each time", where="map")
        return Conversion(step.words, step.scopes, first.old, first.kept, first.unknown)

    def _step(self, words: tuple[str, ...]) -> Conversion:
        old = 0
        unknown: list[str] = []
        kept: list[str] = []
        granted = ScopeSet(self.target, 0)
        for word in words:
            if word in self._table:
                old |= self.old.bits(word)
                granted = _joined(granted, self._table[word])
            elif not self.target.parse_known([word])[1]:
                kept.append(word)
            else:
                unknown.append(word)
        already, _ = self.target.parse_known(kept)
        if old and self.adjust == "keep-access":
            granted = self._with_lost(granted, already, old)
        elif old and self.adjust == "strict":
            granted = self._without_gained(granted, already, old)
        scopes = _joined(granted, already)
        return Conversion((*unknown, *split(scopes.as_granted, "comma")), scopes, old, tuple(kept), tuple(unknown))

    def _with_lost(self, granted: ScopeSet, already: ScopeSet, old: int) -> ScopeSet:
        whole = _joined(granted, already)
        bits = granted.bits
        public_only = granted.public_only
        for access in self.access:
            for public in (False, True):
                if self.passed(access, old, public=public) and not passes(access, whole, public=public):
                    bits |= access.new
                    # The restriction is on the whole token: what was in reach before stays so only without it.
                    public_only = public_only and (public or not access.about)
        more = ScopeSet(self.target, self.target.without_implied(bits & ~granted.bits))
        kept = granted if public_only else granted.without_restriction()
        return _joined(kept, more) if more else kept

    def _without_gained(self, granted: ScopeSet, already: ScopeSet, old: int) -> ScopeSet:
        restricted = granted.public_only or already.public_only
        bits = 0
        for position in range(len(self.target.scopes)):
            if not granted.bits >> position & 1:
                continue
            more = self.target.closure(bits | 1 << position)
            candidate = ScopeSet(self.target, more | already.bits, restricted)
            if not any(
                passes(access, candidate, public=public)
                and not passes(access, already, public=public)
                and not self.passed(access, old, public=public)
                for access in self.access
                for public in (False, True)
            ):
                bits = more
        return ScopeSet(self.target, self.target.without_implied(bits), granted.public_only and bits != 0)

    def passed(self, access: Access, old: int, *, public: bool) -> bool:
        """Whether a token with these old scopes passed a route.

        :param public: whether what the route is about is public.
        """
        lacking = access.old & ~old
        if public and lacking:
            for word, other in self.public.items():
                if old >> self.old.index(word) & 1:
                    lacking &= ~(1 << self.old.index(other))
        return not lacking

    def __repr__(self) -> str:
        return f"<Mapping {self.name}: {len(self._table)} old scopes to {self.target.name}>"


def passes(access: Access, scopes: ScopeSet, *, public: bool) -> bool:
    """Whether a token with these new scopes passes a route; one without any passes none."""
    if scopes.public_only and access.about and not public:
        return False
    return bool(scopes) and not access.new & ~scopes.bits


def _joined(one: ScopeSet, other: ScopeSet) -> ScopeSet:
    """The words of both, and the restriction if either has it: as if they stood in one text."""
    both = one | other
    return both.for_public_only() if one.public_only or other.public_only else both


def _check_public(public: Table[str, str], old: OldScopes) -> None:
    for word, other in public.items():
        for each in (word, other):
            if each not in old:
                raise MappingError(f"{quoted(each)} is no old scope", where=f"public.{word}")


def _target(target: Any) -> Vocabulary:
    if not isinstance(target, str | dict):
        raise MappingError("expected the name of a vocabulary, or a table", where="target")
    try:
        return Vocabulary.builtin(target) if isinstance(target, str) else Vocabulary.from_mapping(target)
    except ConfigurationError as error:
        raise MappingError(error.problem, where=error.where).at("target") from None


def _read_access(
    rows: Any, old: OldScopes, target: Vocabulary, about: list[str], public: Table[str, str]
) -> Iterator[Access]:
    if not isinstance(rows, list):
        raise MappingError("routes are written [[route]], with `old` and `new`", where="route")
    for number, row in enumerate(rows):
        where = f"route[{number}]"
        if not isinstance(row, dict) or set(row) != {"old", "new"}:
            raise MappingError("expected `old` and `new`", where=where)
        for words in row.values():
            if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
                raise MappingError("expected lists of scopes", where=where)
        needed, unknown = target.parse_known(row["new"])
        if needed.public_only or needed.bound:
            raise MappingError("a route needs scopes, not restrictions of them", where=where)
        lacking = [word for word in row["old"] if word not in old]
        if unknown or lacking:
            raise MappingError(f"{quoted([*unknown, *lacking][0])} is no scope", where=where)
        yield access_of(row["old"], needed.bits, old, target, about, public)


def access_of(
    needed_before: Iterable[str],
    needed_now: int,
    old: OldScopes,
    target: Vocabulary,
    about: Iterable[str],
    public: Table[str, str],
) -> Access:
    """What a route needed and needs.

    :param about: categories whose routes are about something that is public, or not.
    """
    before = 0
    for word in needed_before:
        before |= 1 << old.index(word)
    is_about = any(before >> old.index(word) & 1 for word in public.values())
    for category in about:
        is_about = is_about or bool(
            needed_now & (target.need(category, target.categories[category].actions or target.actions) or 0)
        )
    return Access(before, needed_now, is_about)


@functools.cache
def _load_builtin(name: str) -> Mapping:
    if name not in Mapping.builtin_names():
        hint = did_you_mean(near(name, Mapping.builtin_names()))
        raise MappingError(
            f"no built-in mapping {quoted(name)}{hint or '; there are: ' + ', '.join(Mapping.builtin_names())}"
        )
    text = importlib.resources.files(__package__).joinpath("builtin", f"{name}.toml").read_text("utf-8")
    return Mapping.from_mapping(tomllib.loads(text))
