"""What the linter may find: each kind has a name that does not change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

Severity = Literal["error", "warning"]

KINDS: dict[str, tuple[Severity, str]] = {
    "route-without-group": ("error", "no group covers the route; every request for it is refused"),
    "outside-prefix": ("warning", "routes lie outside of the policy's prefix, and nobody is asked for anything there"),
    "group-without-route": ("warning", "no route of the application lies in the group; its rule is dead"),
    "rule-without-route": ("warning", "no route of the application is what this rule of a group is for; it is dead"),
    "write-without-token": ("error", "a route that writes, and asks for scopes, lets anonymous requests pass"),
    "public-write": ("error", "anyone may write there, without a token or a scope"),
    "read-by-writing-method": ("warning", "the route seems to read only, and takes the scopes for writing"),
    "write-by-reading-method": ("error", "the route seems to change something, and takes the scopes for reading"),
    "wide-wildcard": ("warning", "a variable in front takes in routes that have nothing to do with each other"),
    "two-spellings": ("error", "one view answers on two paths that need different things"),
    "alternate-representation": ("error", "another representation of a guarded resource needs less than it does"),
    "batch": ("warning", "requests stand in the body there, and are not seen: whoever may batch may do all of it"),
    "mints-with-token": ("error", "whoever holds a token can make tokens with it there"),
    "public-only-unchecked": ("warning", "public-only tokens reach what is not public there"),
    "unused-category": ("warning", "no rule asks for the category; its scopes grant nothing"),
    "unused-grant": ("warning", "a role is given scopes that no rule asks for"),
    "differs-from-code": ("error", "the route's own code asks for something else than the policy"),
    "unused-allowance": ("warning", "what is allowed in [lint] is not found any more"),
}
"""Kind → how bad it is, and what it means."""


@final
@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something to look at.

    :param id: one of :data:`KINDS`.
    :param path: of the route or the group; empty where it is about neither.
    :param method: of the route; empty for all, or for a group.
    :param message: what is wrong, and what to do.
    :param line: in the policy file, where it is known; else 0.
    """

    id: str
    path: str
    method: str
    message: str
    line: int = 0

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return KINDS[self.id][0]

    def __str__(self) -> str:
        about = " ".join(word for word in (self.method, self.path) if word)
        return f"{self.id}: {about}: {self.message}" if about else f"{self.id}: {self.message}"
