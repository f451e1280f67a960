"""Which functions of the application the gate asks."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass, fields
from typing import Any, final

from ..errors import ConfigurationError
from ..text import quoted
from .table import require

_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Functions, each as ``module:attribute``: the policy's ``[hooks]`` table. They are imported when a gate is made.

    :param identify: see :class:`~scopeware.Scopeware`, as for the others.
    :param accounts: see :meth:`~scopeware.TokenStore.connect`.
    """

    identify: str = ""
    visibility: str = ""
    resource_role: str = ""
    resource_owner: str = ""
    accounts: str = ""
    not_found: str = ""
    log_sink: str = ""
    observe: str = ""

    def __post_init__(self) -> None:
        for entry in fields(self):
            name = getattr(self, entry.name)
            require(not name or _NAME.fullmatch(name) is not None, entry.name, f"module:attribute: {quoted(name)}")

    def load(self, hook: str) -> Any:
        """The function that is named for a hook; ``None`` where none is.

        :raises ConfigurationError: it cannot be imported, or called.
        """
        name = getattr(self, hook)
        if not name:
            return None
        module, _, attribute = name.partition(":")
        try:
            found: Any = importlib.import_module(module)
            for part in attribute.split("."):
                found = getattr(found, part)
        except (Exception, SystemExit) as error:
            problem = f"{quoted(name)} cannot be imported: {type(error).__name__}: {error}"
            raise ConfigurationError(problem, where=f"hooks.{hook}") from error
        if not callable(found):
            raise ConfigurationError(f"{quoted(name)} cannot be called", where=f"hooks.{hook}")
        return found
