"""Which actions an HTTP method stands for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..text import did_you_mean, near, quoted
from .category import VocabularyError

READ_METHODS = ("GET", "HEAD", "OPTIONS")
OTHER = "*"
"""Stands for every method that a table does not name."""


def method_table(
    actions: Sequence[str], methods: Mapping[str, Iterable[str]] | None = None
) -> dict[str, tuple[str, ...]]:
    """Method → the actions it needs, all of them; :data:`OTHER` is always there.

    :param actions: those that the vocabulary has.
    :param methods: the table as written; by default it follows from the actions.
    :raises VocabularyError: an unknown action, no entry for other methods, HEAD unlike GET, or actions that nothing
        follows from.
    """
    if methods is not None:
        table = {method: tuple(needed) for method, needed in methods.items()}
        _check(table, actions)
    elif {"create", "read", "update", "delete"} <= set(actions):
        table = dict.fromkeys(READ_METHODS, ("read",))
        table |= {"POST": ("create",), "PUT": ("update",), "PATCH": ("update",), "DELETE": ("delete",)}
        table[OTHER] = ("create", "update", "delete")
    elif {"read", "write"} <= set(actions):
        table = dict.fromkeys(READ_METHODS, ("read",))
        table[OTHER] = ("write",)
    else:
        raise VocabularyError(
            "the actions are neither read and write nor create, read, update and delete: "
            'say in `methods` which HTTP method needs which, "*" for the others',
            where="methods",
        )
    get = table.get("GET", table[OTHER])
    if table.setdefault("HEAD", get) != get:
        raise VocabularyError("HEAD always decides as GET", where="methods.HEAD")
    return table


def _check(table: Mapping[str, tuple[str, ...]], actions: Sequence[str]) -> None:
    for method, needed in table.items():
        where = f"methods.{method}"
        if method != OTHER and not (method.isascii() and method.isalpha() and method.isupper()):
            raise VocabularyError("a method is upper-case letters", where=where)
        if not needed:
            raise VocabularyError("no action at all: a method needs one", where=where)
        for action in needed:
            if action not in actions:
                raise unknown_action(actions, action, where)
    if OTHER not in table:
        raise VocabularyError('say what every other method needs: "*" = [...]', where="methods")


def unknown_action(actions: Sequence[str], action: str, where: str) -> VocabularyError:
    """The error that says a vocabulary has no such action."""
    return VocabularyError(f"unknown action {quoted(action)}{did_you_mean(near(action, actions))}", where=where)
