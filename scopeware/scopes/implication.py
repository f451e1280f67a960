"""What implies what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .methods import unknown_action


def close_actions(
    actions: Sequence[str], implies: Mapping[str, Iterable[str]], own: Mapping[str, str]
) -> dict[str, set[str]]:
    """Action → all that it includes, itself among them.

    :param implies: what includes what at once.
    :param own: action → the same for one's own things only, which it includes, too.
    :raises VocabularyError: one of them is no action.
    """
    direct: dict[str, set[str]] = {action: set() for action in actions}
    for action, implied in implies.items():
        for word in (action, *implied):
            if word not in direct:
                raise unknown_action(actions, word, f"implies.{action}")
        direct[action] |= set(implied)
    for action, less in own.items():
        direct[action].add(less)
    closed = {}
    for action in actions:
        reached = {action}
        todo = [action]
        while todo:
            new = direct[todo.pop()] - reached
            reached |= new
            todo += new
        closed[action] = reached
    return closed


def close_circles(closures: list[int], first: int) -> None:
    """Let the bits of each scope include those of all that they include, round and round.

    :param closures: for each scope, by its position, the bits it includes; its own among them.
    :param first: the position of the first that may not be closed yet.
    """
    changed = True
    while changed:
        changed = False
        for position in range(first, len(closures)):
            closure = wider = closures[position]
            for other, included in enumerate(closures):
                if closure >> other & 1:
                    wider |= included
            if wider != closure:
                closures[position] = wider
                changed = True


def invert(closures: Sequence[int]) -> list[int]:
    """For each scope, those that imply it; of two that imply each other the first stands for both."""
    implied_by = [0] * len(closures)
    for position, closure in enumerate(closures):
        rest = closure & ~(1 << position)
        while rest:
            lowest = rest & -rest
            rest ^= lowest
            other = lowest.bit_length() - 1
            if not closures[other] >> position & 1 or position < other:
                implied_by[other] |= 1 << position
    return implied_by
