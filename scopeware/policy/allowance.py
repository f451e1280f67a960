"""Findings of the linter that someone has looked at, and has a reason to leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from ..errors import ConfigurationError
from ..text import did_you_mean, near, quoted

_KEYS = ("id", "path", "method", "reason")


@final
@dataclass(frozen=True, slots=True)
class Allowance:
    """A finding that is allowed: an entry of ``allow`` in the policy's ``[lint]`` table.

    :param id: of the finding.
    :param reason: why it is fine.
    :param path: of the route or group; empty for all.
    :param method: of the route; empty for all.
    """

    id: str
    reason: str
    path: str = ""
    method: str = ""


def read_allowances(data: Any) -> tuple[Allowance, ...]:
    """The allowances of a policy's ``[lint]`` table.

    :raises ConfigurationError: a key that is not known, one without a reason.
    """
    if not isinstance(data, Mapping):
        raise ConfigurationError("expected a table: [lint]", where="lint")
    for key in data:
        if key != "allow":
            raise ConfigurationError(
                f"unknown key {quoted(str(key))}{did_you_mean(near(str(key), ['allow']))}", where=f"lint.{key}"
            )
    entries = data.get("allow", [])
    if not isinstance(entries, list | tuple):
        raise ConfigurationError("expected a list of tables", where="lint.allow")
    return tuple(_read(entry, f"lint.allow[{number}]") for number, entry in enumerate(entries))


def _read(entry: Any, where: str) -> Allowance:
    if not isinstance(entry, Mapping):
        raise ConfigurationError('expected { id = "...", path = "...", reason = "..." }', where=where)
    for key, value in entry.items():
        if key not in _KEYS:
            raise ConfigurationError(
                f"unknown key {quoted(str(key))}{did_you_mean(near(str(key), _KEYS))}", where=where
            )
        if not isinstance(value, str):
            raise ConfigurationError("expected a string", where=f"{where}.{key}")
    for key in ("id", "reason"):
        if not str(entry.get(key, "")).strip():
            raise ConfigurationError(f"it has no `{key}`", where=where)
    return Allowance(**entry)
