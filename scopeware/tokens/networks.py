"""Where a token may be used from."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from ..errors import ConfigurationError
from ..text import quoted

Network = IPv4Network | IPv6Network


def parse_networks(text: str | Iterable[str]) -> tuple[Network, ...]:
    """The networks that addresses and CIDR blocks name, each once, in order.

    :param text: separated by commas or spaces, or an iterable.
    :raises ConfigurationError: one is no network, or has bits set beyond its prefix.
    """
    words = text.replace(",", " ").split() if isinstance(text, str) else text
    found: dict[Network, None] = {}
    for word in words:
        try:
            found[ip_network(word)] = None
        except ValueError as error:
            problem = f"{quoted(word)} is no network ({error}); write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32"
            raise ConfigurationError(problem, where="networks") from None
    return tuple(sorted(found, key=lambda network: (network.version, network)))


def spell_networks(networks: Iterable[Network]) -> str:
    """The text to store: single addresses without their ``/32`` or ``/128``."""
    return ",".join(str(network.network_address if network.num_addresses == 1 else network) for network in networks)


def lies_in(address: object, networks: Iterable[Network]) -> bool:
    """Whether an address is in one of the networks; what is no address is in none.

    :param address: as the server gave it, an IPv4 address maybe as IPv6 (``::ffff:192.0.2.7``), maybe with a zone.
    """
    if not isinstance(address, str):
        return False
    plain, percent, zone = address.partition("%")
    if percent and not (zone and ":" in plain):
        return False
    try:
        known = ip_address(plain)
    except ValueError:
        return False
    if isinstance(known, IPv6Address) and known.ipv4_mapped is not None:
        known = known.ipv4_mapped
    return any(known in network for network in networks)


def common(some: Iterable[Network], others: Iterable[Network]) -> tuple[Network, ...]:
    """What lies in a network of both: of two that overlap one is part of the other."""
    known = tuple(others)
    found = {
        one if one.prefixlen >= other.prefixlen else other
        for one in some
        for other in known
        if one.version == other.version and one.overlaps(other)
    }
    return tuple(sorted(found, key=lambda network: (network.version, network)))


def within(inner: Iterable[Network], outer: Iterable[Network]) -> bool:
    """Whether each of the inner networks is part of one of the outer ones."""
    known: tuple[Any, ...] = tuple(outer)
    parts: tuple[Any, ...] = tuple(inner)
    return all(any(part.version == other.version and part.subnet_of(other) for other in known) for part in parts)
