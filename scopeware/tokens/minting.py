"""What a token may be made as."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import final

from ..durations import parse_duration, spell_duration
from ..errors import ConfigurationError
from ..policy import Lifetimes
from ..scopes import Roles, ScopeSet
from ..text import quoted
from .networks import Network, common, parse_networks, spell_networks, within
from .records import TokenRefused, moment

Length = timedelta | str | None
"""A length of time: as such, or as text such as ``"30d"``; ``"never"`` for one that does not end."""
_LAST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


@final
@dataclass(frozen=True, slots=True)
class Terms:
    """What a token is good for.

    :param networks: where from; anywhere, if there are none.
    :param expires_at: until when, in seconds since 1970; ``None`` for ever.
    """

    scopes: ScopeSet
    networks: tuple[Network, ...] = ()
    expires_at: int | None = None

    def check_within(self, outer: Terms, whose: str) -> None:
        """Nothing, if a token with these terms can do nothing, anywhere, ever, that one with `outer` cannot.

        :param whose: how messages call the other token.
        :raises TokenRefused: it can.
        """
        if not self.scopes <= outer.scopes:
            raise TokenRefused(f"{self.scopes} goes beyond {whose}, which has {outer.scopes or 'nothing'}", "scopes")
        if outer.networks and not (self.networks and within(self.networks, outer.networks)):
            known = spell_networks(outer.networks)
            raise TokenRefused(f"the networks go beyond those of {whose}: {known}", "networks")
        if outer.expires_at is not None and (self.expires_at is None or self.expires_at > outer.expires_at):
            until = moment(outer.expires_at).isoformat()
            raise TokenRefused(f"the expiry is later than that of {whose}, {until}", "expires_at")


def mint(
    scopes: ScopeSet,
    networks: str | Iterable[str] | None,
    expires_in: Length,
    expires_at: datetime | None,
    *,
    now: float,
    lifetimes: Lifetimes,
    outer: Terms | None,
) -> Terms:
    """The terms of a new token: as asked for, as far as the deployment allows; made with a token, what was not asked
    for is as there.

    :param now: in seconds since 1970.
    :param outer: what the token is good for that it is made with, if it is.
    :raises TokenRefused: something cannot be, or goes beyond that.
    """
    if not scopes:
        raise TokenRefused("a token without a scope could do nothing; name at least one", "scopes")
    if outer is not None and outer.scopes.public_only:
        scopes = scopes.for_public_only()
    known = read_networks(networks)
    if not known and outer is not None:
        known = outer.networks
    expiry = read_expiry(now, expires_in, expires_at, lifetimes)
    if outer is not None and outer.expires_at is not None and expires_in is None and expires_at is None:
        expiry = outer.expires_at if expiry is None else min(expiry, outer.expires_at)
    terms = Terms(scopes, known, expiry)
    if outer is not None:
        terms.check_within(outer, "the token it is made with")
        # A word for many scopes is kept as such only where both have it: it may come to mean more.
        terms = replace(terms, scopes=scopes & outer.scopes)
    return terms


def held_down(inner: Terms, outer: Terms) -> Terms | None:
    """What is left of terms that may not go beyond others; ``None`` if nothing is."""
    scopes = inner.scopes & outer.scopes
    networks = inner.networks
    if outer.networks:
        networks = common(inner.networks, outer.networks) if inner.networks else outer.networks
        if not networks:
            return None
    ends = [end for end in (inner.expires_at, outer.expires_at) if end is not None]
    return Terms(scopes, networks, min(ends, default=None)) if scopes else None


def check_reserved(scopes: ScopeSet, roles: Roles, role: str) -> None:
    """Nothing, if no word is reserved to other roles.

    :raises TokenRefused: one is.
    """
    reserved = roles.reserved_in(scopes, role)
    if reserved:
        holders = ", ".join(sorted({holder for word in reserved for holder in scopes.vocabulary.reserved[word]}))
        raise TokenRefused(
            f"{' and '.join(map(quoted, reserved))}: for the role {holders} only, not `{role}`", "scopes"
        )


def read_networks(networks: str | Iterable[str] | None) -> tuple[Network, ...]:
    """The networks asked for; none at all means anywhere.

    :raises TokenRefused: one is no network; or an empty text, which could mean anything.
    """
    if networks is None:
        return ()
    try:
        known = parse_networks(networks)
    except ConfigurationError as error:
        raise TokenRefused(error.problem, "networks") from None
    if not known:
        raise TokenRefused("no network at all; leave it out for a token that works from anywhere", "networks")
    return known


def read_expiry(
    now: float, expires_in: Length, expires_at: datetime | None, lifetimes: Lifetimes, which: str = "expires_in"
) -> int | None:
    """When a new token expires, in seconds since 1970; ``None`` for never.

    :param now: in seconds since 1970.
    :param which: what `expires_in` is called where it came from.
    :raises TokenRefused: a time that is past, or further away than is allowed.
    """
    if expires_in is not None and expires_at is not None:
        raise TokenRefused("give `expires_in` or `expires_at`, not both", "expires_at")
    which = which if expires_at is None else "expires_at"
    longest = lifetimes.max_lifetime
    if expires_in is None and expires_at is None:
        expires_in = lifetimes.default or "never"
    if isinstance(expires_in, str) and expires_in == "never":
        if not lifetimes.may_be_endless:
            raise TokenRefused(f"a token has to expire, {_limit(longest)}", which)
        return None
    when = now + _length(expires_in, which).total_seconds() if expires_at is None else _timestamp(expires_at)
    if when <= now:
        asked = expires_in if expires_at is None else expires_at.isoformat()
        raise TokenRefused(f"the expiry is past: {asked}; name a time to come", which)
    if when > _LAST:
        raise TokenRefused("the expiry is beyond all calendars; leave it out for a token without one", which)
    if longest is not None and when > now + longest.total_seconds() + 1:
        raise TokenRefused(f"the expiry is too far away: {_limit(longest)}", which)
    shortest = lifetimes.min_lifetime
    if shortest is not None and when < now + shortest.total_seconds() - 1:
        raise TokenRefused(f"the expiry is too near: {spell_duration(shortest)} from now at the earliest", which)
    return ceil(when)


def _length(asked: Length, which: str) -> timedelta:
    if isinstance(asked, str):
        try:
            return parse_duration(asked)
        except ConfigurationError as error:
            raise TokenRefused(error.problem, which) from None
    return asked or timedelta(0)


def _timestamp(moment: datetime) -> float:
    if moment.tzinfo is None:
        raise TokenRefused("the expiry has no time zone; use datetime.now(UTC) + ...", "expires_at")
    return moment.timestamp()


def _limit(longest: timedelta | None) -> str:
    return "" if longest is None else f"{spell_duration(longest)} from now at the latest"
