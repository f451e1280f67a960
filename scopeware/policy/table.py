"""Tables of a policy file whose keys are the fields of a dataclass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any, TypeVar

from ..durations import parse_duration
from ..errors import ConfigurationError
from ..text import did_you_mean, near, quoted

Table = TypeVar("Table")

_FORMS = {
    bool: "true or false",
    str: "a string",
    int: "a whole number",
    float: "a number",
    tuple: "a list of strings",
    timedelta: 'a length of time such as "30d"',
}


def with_changes(table: Table, changes: Mapping[str, Any]) -> Table:
    """`table`, a frozen dataclass, but for `changes`, written as in TOML: lists for tuples, ``"30d"`` for lengths of
    time. The kind of a field is that of its present value, or what its metadata says under ``kind``.

    :raises ConfigurationError: an unknown key, or a value of another kind.
    """
    kinds = {entry.name: entry.metadata.get("kind") or type(getattr(table, entry.name)) for entry in fields(table)}  # type: ignore[arg-type]
    values = {}
    for key, value in changes.items():
        if key not in kinds:
            raise ConfigurationError(f"unknown key {quoted(key)}{did_you_mean(near(key, kinds))}", where=key)
        values[key] = _read(value, kinds[key], key)
    return replace(table, **values)  # type: ignore[type-var]


def require(fine: bool, key: str, form: str) -> None:
    """Nothing, if a value is fine.

    :raises ConfigurationError: it is not; `form` says what was expected.
    """
    if not fine:
        raise ConfigurationError(f"expected {form}", where=key)


def _read(value: Any, kind: type, key: str) -> Any:
    if kind is tuple:
        require(isinstance(value, list | tuple) and all(isinstance(word, str) for word in value), key, _FORMS[kind])
        return tuple(value)
    if kind is timedelta and isinstance(value, str):
        try:
            return parse_duration(value)
        except ConfigurationError as error:
            raise error.at(key) from None
    if kind is float and type(value) is int:
        return float(value)
    require(type(value) is kind, key, _FORMS[kind])
    return value
