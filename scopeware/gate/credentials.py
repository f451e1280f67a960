"""The token a request carries, wherever it carries it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import TYPE_CHECKING, final
from urllib.parse import unquote_plus

from ..errors import ScopewareError
from ..policy import Options

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_LONGEST = 8192
"""No credential is longer, in characters; what is longer is looked at no further."""
_SCHEMES = ("bearer", "token", "basic")
_OAUTH_BASIC = ("", "x-oauth-basic")
_TARGETS = ("REQUEST_URI", "RAW_URI")

Strip = Callable[["WSGIEnvironment"], None]
"""Takes a token out of what the application will see."""


class AmbiguousCredentials(ScopewareError, ValueError):
    """A request that carries two tokens, or two values where one belongs: nobody can say who is calling."""


class ForeignCredential(ScopewareError, ValueError):
    """A credential that is none of this store's tokens, in a place where they go."""


@final
class CredentialReader:
    """Finds the one token a request carries.

    :param options: where tokens may be.
    :param start: what tokens start with, the ``_`` included.
    """

    __slots__ = (
        "_basic",
        "_bearer",
        "_foreign_passes",
        "_headers",
        "_only_authorization",
        "_query",
        "_start",
        "places",
    )

    def __init__(self, options: Options, start: str) -> None:
        self._start = start
        self._bearer = f"Bearer {start}"
        self._basic = options.basic
        self._headers = tuple(f"HTTP_{name.upper().replace('-', '_')}" for name in options.headers)
        self._query = frozenset(options.query)
        self._foreign_passes = options.foreign == "pass"
        self._only_authorization = not self._headers and not self._query
        self.places = ("Authorization", "Cookie", *options.headers)
        """The headers that answers vary with."""

    def find(self, environ: WSGIEnvironment) -> tuple[str, Strip] | None:
        """The token, and how to take it out; ``None`` where there is none.

        :raises AmbiguousCredentials: there are several.
        :raises ForeignCredential: there is none, but something else in its place.
        """
        header = environ.get("HTTP_AUTHORIZATION")
        if self._only_authorization:
            if not header:
                return None
            # PERF: how nearly all tokens travel
            if header.startswith(self._bearer) and "," not in header:
                return header[7:].rstrip(), _strip_authorization
        return self._search(environ, header)

    def strip_all(self, environ: WSGIEnvironment) -> None:
        """Take everything out that may be a token of ours, for a request whose token was not looked up."""
        for name in ("HTTP_AUTHORIZATION", *self._headers):
            value = environ.get(name, "")
            if self._start in value or (name == "HTTP_AUTHORIZATION" and self._holds_ours(value)):
                del environ[name]
        if self._query and any(
            value.startswith(self._start) for value in self._from_query(environ.get("QUERY_STRING", ""))
        ):
            self._strip_query(environ)

    def _holds_ours(self, header: str) -> bool:
        try:
            return bool(self._from_authorization(header))
        except AmbiguousCredentials:
            return True

    def _search(self, environ: WSGIEnvironment, header: str | None) -> tuple[str, Strip] | None:
        found: list[tuple[str, Strip]] = []
        foreign = False
        hidden = False  # something of ours, but not as we take it
        if header:
            ours = self._from_authorization(header)
            foreign = not ours
            hidden = foreign and self._start in header
            found += [(secret, _strip_authorization) for secret in ours]
        for name in self._headers:
            if value := environ.get(name):
                if "," in value and self._start in value:
                    raise AmbiguousCredentials("the request carries more than one value of a header")
                if value.strip().startswith(self._start):
                    found.append((value.strip(), _Popped(name)))
                else:
                    foreign = True
                    hidden = hidden or self._start in value
        if self._query and (query := environ.get("QUERY_STRING")):
            values = self._from_query(query)
            ours = [value for value in values if value.startswith(self._start)]
            foreign = foreign or len(ours) < len(values)
            hidden = hidden or (not ours and self._start in query)
            found += [(secret, self._strip_query) for secret in ours]
        if len(found) > 1:
            raise AmbiguousCredentials("the request carries more than one token")
        if found:
            return found[0]
        if hidden or (foreign and not self._foreign_passes):
            raise ForeignCredential("the credential is no token of this service")
        return None

    def _from_authorization(self, header: str) -> list[str]:
        if len(header) > _LONGEST:
            return []
        scheme, _, value = header.strip().partition(" ")
        scheme, value = scheme.lower(), value.strip()
        if "," in value and (scheme in _SCHEMES or self._start in value):
            raise AmbiguousCredentials("the request carries more than one Authorization value")
        if scheme == "basic" and self._basic:
            return self._from_basic(value)
        if scheme in ("bearer", "token") and value.startswith(self._start):
            return [value]
        return []

    def _from_basic(self, value: str) -> list[str]:
        try:
            text = base64.b64decode(value, validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            return []
        user, colon, password = text.partition(":")
        if not colon:
            return [f"{text}:"] if self._start in text else []
        found = [part for part in (user, password) if part.startswith(self._start)]
        if (found == [user] and password not in _OAUTH_BASIC) or (not found and self._start in text):
            # Ours, but not as we take it: refused as no token, never passed on.
            return [f"{text}:"]
        return found

    def _from_query(self, query: str) -> list[str]:
        values = []
        for item in query.split("&"):
            name, _, value = item.partition("=")
            if unquote_plus(name) in self._query and value:
                values.append(unquote_plus(value))
        return values

    def _strip_query(self, environ: WSGIEnvironment) -> None:
        query = environ["QUERY_STRING"]
        kept = "&".join(item for item in query.split("&") if unquote_plus(item.partition("=")[0]) not in self._query)
        environ["QUERY_STRING"] = kept
        for key in _TARGETS:
            target = environ.get(key)
            if target and "?" in target:
                environ[key] = target.partition("?")[0] + (f"?{kept}" if kept else "")


class _Popped:
    """Takes one header out."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, environ: WSGIEnvironment) -> None:
        environ.pop(self._name, None)


_strip_authorization: Strip = _Popped("HTTP_AUTHORIZATION")
