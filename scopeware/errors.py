"""What every error of scopeware has in common."""

from __future__ import annotations


class ScopewareError(Exception):
    """Base of every error scopeware raises on purpose."""


class ConfigurationError(ScopewareError, ValueError):
    """Something a person wrote down cannot be used: a policy, a vocabulary, an option, a database URL.

    :param problem: what is wrong, the offending input in backticks, with the remedy.
    :param where: the place, as precisely as it is known (``scopes.toml:12: group[1].scopes``).
    """

    def __init__(self, problem: str, *, where: str = "") -> None:
        super().__init__(f"{where}: {problem}" if where else problem)
        self.problem = problem
        self.where = where

    def at(self, place: str, joint: str = ".") -> ConfigurationError:
        """The same error, seen from one level further out: `place` is put before `where`."""
        return type(self)(self.problem, where=f"{place}{joint}{self.where}" if self.where else place)
