"""Links by which an application asks for a token, and those by which it gets it.

An application sends its user to a page of the deployment with an :class:`AuthorizationRequest`. There the user, signed
in, sees what is asked, and agrees or not; then :func:`callback_url` leads back. A token in a URL is seen by whoever
sees the URL: use it for applications that the user runs.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, final
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit, urlunsplit

from ..errors import ConfigurationError, ScopewareError
from ..text import is_storable, printable, quoted

_LONGEST = 2_000
_HOST = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=-]+")
_PORT = re.compile(r"(:[0-9]*)?")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")


class InvalidRedirect(ScopewareError, ValueError):
    """A redirect URI that nobody should be sent to.

    :param uri: as it was given.
    """

    def __init__(self, uri: str, problem: str) -> None:
        super().__init__(f"invalid redirect URI {quoted(uri[:_LONGEST])}: {problem}")
        self.uri = uri
        self.problem = problem


class InvalidRequest(ScopewareError, ValueError):
    """A request for a token that lacks something, or says something twice."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """What an application asks its user for.

    :param name: what the application is called, and the token will be.
    :param scopes: in the deployment's notation, separated by commas.
    :param redirect_uri: where the user is sent afterwards.
    :param description: what it is for.
    :param state: what the application wants to be told then, so that it knows its own request (RFC 6749 10.12).
    :raises InvalidRequest: there is no name.
    :raises InvalidRedirect: nobody should be sent there.
    """

    name: str
    scopes: str
    redirect_uri: str
    description: str = ""
    state: str | None = None

    def __post_init__(self) -> None:
        for key in ("name", "scopes", "description", "state"):
            _check_text(getattr(self, key), key, optional=key == "state")
        if not self.name.strip():
            raise InvalidRequest("the application does not say what it is called (`name`)")
        check_redirect(self.redirect_uri)

    def url(self, page: str) -> str:
        """The link that the user follows.

        :param page: the address of the page where people agree, without a query.
        """
        asked = {"name": self.name, "redirect_uri": self.redirect_uri, "scopes": self.scopes}
        if self.description:
            asked["description"] = self.description
        if self.state is not None:
            asked["state"] = self.state
        return f"{page}?{urlencode(asked)}"

    @classmethod
    def from_query(cls, query: str | Mapping[str, str]) -> AuthorizationRequest:
        """The request of a link: what stands behind its ``?``, or the same as a mapping.

        :raises InvalidRequest: something is lacking, or there twice.
        :raises InvalidRedirect: nobody should be sent there.
        """
        pairs = parse_qsl(query, keep_blank_values=True) if isinstance(query, str) else _pairs(query)
        asked: dict[str, str] = {}
        for key, value in pairs:
            if key in asked and key in cls.__slots__:
                raise InvalidRequest(f"`{key}` is there twice")
            asked[key] = value
        for key in ("name", "redirect_uri", "scopes"):
            if key not in asked:
                raise InvalidRequest(f"`{key}` is missing")
        return cls(**{key: value for key, value in asked.items() if key in cls.__slots__})


def callback_url(
    redirect_uri: str,
    *,
    key: str | None = None,
    error: str | None = None,
    state: str | None = None,
    key_parameter: str = "api_key",
) -> str:
    """Where the user is sent afterwards: the redirect URI with the token, or what went wrong, and the state.

    What the application's URI says under these names is replaced.

    :param key: the token's secret.
    :param error: a code, such as ``access_denied``.
    :param key_parameter: what the token is called there.
    :raises InvalidRedirect: nobody should be sent there.
    """
    check_redirect(redirect_uri)
    if key_parameter in ("", "error", "state"):
        raise ConfigurationError(f"{quoted(key_parameter)} cannot be what the token is called", where="key_parameter")
    ours = {key_parameter: key, "error": error, "state": state}
    for name, value in ours.items():
        _check_text(value, name, optional=True)
    parts = urlsplit(redirect_uri)
    # The rest stays as it was, letter by letter (RFC 6749 3.1.2).
    kept = [pair for pair in parts.query.split("&") if pair and unquote_plus(pair.partition("=")[0]) not in ours]
    kept += (urlencode({name: value}) for name, value in ours.items() if value is not None)
    return urlunsplit((parts.scheme, parts.netloc, parts.path or "/", "&".join(kept), ""))


def _check_text(value: object, name: str, *, optional: bool) -> None:
    if not (isinstance(value, str) and is_storable(value)) and not (optional and value is None):
        raise InvalidRequest(f"`{name}` is no text")


def _pairs(query: Mapping[str, str]) -> list[tuple[str, str]]:
    """All of a mapping, also of one of werkzeug's, which shows the first of several."""
    every: Any = query.items
    return list(every(multi=True) if hasattr(query, "getlist") else every())


def check_redirect(uri: str, allowed: Collection[str] | None = None) -> None:
    """Nothing, if a user may be sent to a URI: an absolute one of ``https``, or ``http``, with a host and no fragment
    (RFC 6749 3.1.2), nobody's name and password, and nothing that browsers read differently.

    :param allowed: the only origins that will do (``https://app.example``), where the deployment knows them.
    :raises InvalidRedirect: it may not.
    """
    if not isinstance(uri, str):
        raise InvalidRedirect(repr(uri), "it is no text")
    if isinstance(allowed, str):
        raise TypeError("`allowed` is one text; give a list of origins")
    if len(uri) > _LONGEST:
        raise InvalidRedirect(uri, "it is too long")
    if not uri.isascii() or printable(uri) != uri or set(uri) & set(' \\"<>^`{|}'):
        raise InvalidRedirect(uri, "it has characters that have to be percent-encoded")
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InvalidRedirect(uri, "it is no URI") from None
    if parts.scheme not in ("http", "https"):
        raise InvalidRedirect(uri, "it is not an absolute one of http or https")
    if not host:
        raise InvalidRedirect(uri, "it has no host")
    if "@" in parts.netloc:
        raise InvalidRedirect(uri, "it has a user in front of its host")
    if not _is_host(parts.netloc):
        raise InvalidRedirect(uri, "its host is none that all read alike")
    if "#" in uri:
        raise InvalidRedirect(uri, "it has a fragment")
    shown = f"[{host}]" if ":" in host else host
    origin = f"{parts.scheme}://{shown}" + (f":{port}" if port is not None else "")
    if allowed is not None and origin not in allowed:
        raise InvalidRedirect(uri, "it is none of those that the deployment allows")


def _is_host(netloc: str) -> bool:
    """Whether all take it for one and the same host: a name, or an address in its plain form."""
    if netloc.startswith("["):
        address, _, rest = netloc[1:].partition("]")
        try:
            ipaddress.IPv6Address(address)
        except ValueError:
            return False
        return "%" not in address and _PORT.fullmatch(rest) is not None
    host, colon, port = netloc.partition(":")
    if not _HOST.fullmatch(host) or not _PORT.fullmatch(colon + port):
        return False
    # Browsers take a number at the end, in any form, for an address.
    if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            return False
    return True
