"""A part of the API that can be granted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from ..errors import ConfigurationError


class VocabularyError(ConfigurationError):
    """A vocabulary that contradicts itself or cannot be spelled."""


@final
@dataclass(frozen=True, slots=True)
class Category:
    """A part of the API that can be granted.

    :param name: letters, digits, ``_`` and ``-``; a dot makes it a part: ``repository.hooks`` is a part of
        ``repository``, whose scopes cover those of the part, and never the other way round.
    :param description: one line for the people who grant it.
    :param actions: what can be done there, if not all of the vocabulary's actions; none at all for a heading, which has
        parts and no scopes of its own.
    """

    name: str
    description: str = ""
    actions: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.actions is not None:
            object.__setattr__(self, "actions", tuple(self.actions))


@final
@dataclass(frozen=True, slots=True)
class SingleScope:
    """A scope that stands alone, beside those of categories and actions: ``admin:all``, ``sudo``, ``profile``.

    :param name: how it is spelled.
    :param description: one line for the people who grant it.
    :param implies: what it includes, as patterns that :meth:`Vocabulary.match` reads.
    """

    name: str
    description: str = ""
    implies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "implies", tuple(self.implies))
