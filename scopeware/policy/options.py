"""What a policy file says about the gate itself, beyond who may go where."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, final

from ..text import quoted
from .table import require, with_changes

_HEADER = re.compile(r"[A-Za-z0-9-]+")
_PARAMETER = re.compile(r"[A-Za-z0-9_.-]+")
_TOKEN_PREFIX = re.compile(r"[a-z][a-z0-9]{1,15}")
_STYLE = re.compile(r"[a-z][a-z0-9_-]*")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How credentials are taken and answers are given.

    :param token_prefix: what tokens start with, before the ``_``.
    :param realm: the realm of the challenges.
    :param basic: whether tokens are taken from Basic credentials, and Basic challenges are sent.
    :param headers: headers that may carry a token, besides ``Authorization`` (``["X-API-Key"]``).
    :param query: query parameters that may (``["token", "access_token"]``).
    :param foreign: what becomes of a credential in ``Authorization`` that is none of ours: 401, or on to the
        application, counting as none.
    :param forward_token: whether the application gets to see the token.
    :param sessions: whether whoever something else signed in may do all that needs someone signed in, or only what
        their role allows.
    :param scope_headers: whether to send ``X-OAuth-Scopes`` and ``X-Accepted-OAuth-Scopes``.
    :param method_override: whether a request that asks to be taken for one of another method is a 400.
    :param preflight: whether a CORS preflight without credentials passes (a view that ignores the method will answer
        it like a GET), or is checked like any other request.
    :param answers: the style of refusals.
    """

    token_prefix: str = "swt"  # noqa: S105
    realm: str = "scopeware"
    basic: bool = True
    headers: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    foreign: Literal["refuse", "pass"] = "refuse"
    forward_token: bool = False
    sessions: Literal["free", "role"] = "free"
    scope_headers: bool = False
    method_override: Literal["ignore", "refuse"] = "ignore"
    preflight: Literal["pass", "check"] = "pass"
    answers: str = "problem"

    def __post_init__(self) -> None:
        require(
            self.realm.isascii() and self.realm.isprintable() and not set(self.realm) & set('"\\'),
            "realm",
            "printable ASCII without quotes and backslashes",
        )
        require(
            _TOKEN_PREFIX.fullmatch(self.token_prefix) is not None,
            "token_prefix",
            f"2 to 16 lower-case letters and digits, a letter first: {quoted(self.token_prefix)}",
        )
        for key, form, words in (("headers", _HEADER, self.headers), ("query", _PARAMETER, self.query)):
            for word in words:
                require(form.fullmatch(word) is not None, key, f"names of letters, digits and dashes: {quoted(word)}")
                require(word.lower() not in ("authorization", "cookie"), key, f"another place than {quoted(word)}")
        require(self.foreign in ("refuse", "pass"), "foreign", '"refuse" or "pass"')
        require(self.sessions in ("free", "role"), "sessions", '"free" or "role"')
        require(self.method_override in ("ignore", "refuse"), "method_override", '"ignore" or "refuse"')
        require(self.preflight in ("pass", "check"), "preflight", '"pass" or "check"')
        require(_STYLE.fullmatch(self.answers) is not None, "answers", "the name of a style")

    def with_changes(self, changes: Mapping[str, Any]) -> Options:
        """These options, but for `changes`.

        :raises ConfigurationError: an unknown key, or a value that cannot be.
        """
        return with_changes(self, changes)
