"""Secrets of the deployment that digests of tokens are made with: who has only the database cannot try tokens."""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from typing import final

from ..errors import ConfigurationError
from ..text import is_storable
from .secret import digest

_SHORTEST = 32
_HIGHEST = 2**31 - 1
_PROOF = b"scopeware: the pepper of this version"
_VARIABLE = "SCOPEWARE_PEPPER"
_FILE_VARIABLE = "SCOPEWARE_PEPPER_FILE"


@final
class Peppers:
    """Version → pepper. New digests are made with the first one, HMAC-SHA-256 (RFC 2104); those of the others, and of
    none, are known and made anew when their tokens are used.

    :param secrets: numbers from 1 → at least 32 characters each.
    :raises ConfigurationError: a number or a text that cannot be.
    """

    __slots__ = ("_keys", "current")

    def __init__(self, secrets: Mapping[int, str] | None = None) -> None:
        for version, text in (secrets or {}).items():
            if version < 1:
                raise ConfigurationError(f"the versions of peppers are numbers from 1, not {version}", where="pepper")
            if version > _HIGHEST:
                raise ConfigurationError(f"the versions of peppers go up to {_HIGHEST}", where="pepper")
            if not is_storable(text):
                raise ConfigurationError(f"pepper {version} is not UTF-8 text", where="pepper")
            if len(text) < _SHORTEST or text != text.strip():
                problem = f"pepper {version} is shorter than {_SHORTEST} characters, or has spaces around it"
                raise ConfigurationError(problem, where="pepper")
        self._keys = {version: text.encode("utf-8") for version, text in (secrets or {}).items()}
        self.current = next(iter(self._keys), 0)
        """The version that new digests are made with; 0 is none."""

    @classmethod
    def parse(cls, text: str, where: str = "pepper") -> Peppers:
        """The peppers that lines (or words between commas) of the form ``VERSION:SECRET`` give.

        :raises ConfigurationError: a line of another form; nothing of it is shown.
        """
        secrets: dict[int, str] = {}
        lines = [line for line in text.splitlines() if not line.strip().startswith("#")]
        for number, word in enumerate((word.strip() for line in lines for word in line.split(",")), 1):
            if not word:
                continue
            version, colon, secret = word.partition(":")
            if not colon or not (version.isascii() and version.isdigit()) or int(version[:12]) in secrets:
                raise ConfigurationError(
                    f"line {number} is not VERSION:SECRET, with a number of its own in front", where=where
                )
            secrets[int(version[:12])] = secret
        if not secrets:
            raise ConfigurationError("there is no pepper; write VERSION:SECRET", where=where)
        return cls(secrets)

    @classmethod
    def from_environment(cls) -> Peppers:
        """The peppers in ``SCOPEWARE_PEPPER``, or in the file that ``SCOPEWARE_PEPPER_FILE`` names; none, if neither is
        set.

        :raises ConfigurationError: both are, the file cannot be read, or what is there cannot be peppers.
        """
        text, path = os.environ.get(_VARIABLE), os.environ.get(_FILE_VARIABLE)
        if text is not None and path is not None:
            raise ConfigurationError(f"set {_VARIABLE} or {_FILE_VARIABLE}, not both", where="pepper")
        if text is not None:
            return cls.parse(text, _VARIABLE)
        if path is None:
            return cls()
        try:
            with open(path, encoding="utf-8") as file:
                return cls.parse(file.read(), _FILE_VARIABLE)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ConfigurationError(f"the file cannot be read: {reason}", where=_FILE_VARIABLE) from None

    @property
    def versions(self) -> tuple[int, ...]:
        """Those that are known, the current one first; 0 is none, and always known."""
        return (*self._keys, 0)

    def digest(self, secret: str, version: int | None = None) -> bytes:
        """What is stored of a secret under a version, the current one by default."""
        plain = digest(secret)
        key = self._keys.get(self.current if version is None else version)
        return plain if key is None else hmac.digest(key, plain, "sha256")

    def digests(self, secret: str) -> tuple[bytes, ...]:
        """What may be stored of a secret, under every version."""
        return tuple(self.digest(secret, version) for version in self.versions)

    def proof(self, version: int) -> bytes:
        """What shows that somebody has the pepper of a version, and does not give it away."""
        return hmac.digest(self._keys[version], _PROOF, "sha256")

    def __repr__(self) -> str:
        return f"<Peppers {', '.join(map(str, self._keys)) or 'none'}>"
