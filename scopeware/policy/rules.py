"""What a person writes down: route groups, and routes inside them that differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, final

Accept = Literal["any", "token", "session"]
"""Who may call: anyone signed in, a token only, a session (``identify``) only."""
PublicOnly = Literal["check", "reject", "allow"]
"""What becomes of a public-only token: ask ``visibility``, refuse it, let it be."""
Bound = Literal["reject", "filter"]
"""What becomes of a token whose scopes are bound to resources where the policy names no resource: refuse it, or let it
read, the application showing it only what it reaches."""
Own = Literal["check", "reject", "filter"]
"""What becomes of callers who may reach only what they own: ask ``resource_owner``, refuse them, or let them pass, the
application keeping them to what is theirs."""
Unmatched = Literal["deny", "pass"]

ACCEPT: tuple[Accept, ...] = ("any", "token", "session")
PUBLIC_ONLY: tuple[PublicOnly, ...] = ("check", "reject", "allow")
BOUND: tuple[Bound, ...] = ("reject", "filter")
OWN: tuple[Own, ...] = ("check", "reject", "filter")
UNMATCHED: tuple[Unmatched, ...] = ("deny", "pass")


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a group or a route asks for. What is ``None`` comes from the group, or from the policy.

    :param scopes: all of these: categories, at the level the method implies, or scopes, as they are.
        An empty list, which has to be written, asks for no scope.
    :param any_of: and all of one of these lists.
    :param action: the level, whatever the method.
    :param require_token: whether someone has to be signed in; if not, anonymous requests pass,
        and tokens that are presented are checked all the same.
    :param accept: who counts as signed in.
    :param public_only: what becomes of public-only tokens.
    :param resource: what the request is about, as a template of the path's variables: ``<owner>/<repo>``.
    :param bound: what becomes of tokens that are bound to resources, on lists of such.
    :param own: what becomes of callers who may reach only what they own.
    :param others: the roles whose owners reach what others own; everybody else only what they own themselves.
    :param owner: whose it is, as such a template; for `self_or_admin`.
    :param self_or_admin: whether only that owner, or an administrator, may.
    :param description: one line for people.
    """

    scopes: Sequence[str] | None = None
    any_of: Sequence[Sequence[str]] | None = None
    action: str | None = None
    require_token: bool | None = None
    accept: Accept | None = None
    public_only: PublicOnly | None = None
    resource: str | None = None
    bound: Bound | None = None
    own: Own | None = None
    others: Sequence[str] | None = None
    owner: str | None = None
    self_or_admin: bool | None = None
    description: str = ""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Route(Needs):
    """One path of a group, exactly, that needs something else.

    :param path: below the group's path, in werkzeug's rule syntax; ``/`` is the group's path itself.
    :param methods: which methods; all if none are named. GET includes HEAD.
    """

    path: str
    methods: Sequence[str] | None = None
    where: str = field(default="", compare=False)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Group(Needs):
    """A path and everything below it.

    :param path: in werkzeug's rule syntax.
    :param below: whether it does cover what is below it.
    :param routes: the paths in it that need something else.
    """

    path: str
    below: bool = True
    routes: Iterable[Route] = ()
    where: str = field(default="", compare=False)
