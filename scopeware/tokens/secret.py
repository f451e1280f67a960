"""The text a token consists of, and what is kept of it."""

from __future__ import annotations

import re
import secrets
import string
import zlib
from hashlib import sha256
from typing import final

from ..errors import ConfigurationError
from ..text import quoted

DEFAULT_PREFIX = "swt"
HINT_LENGTH = 4

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_BODY_LENGTH = 30
_PREFIX = re.compile(r"[a-z][a-z0-9]{1,15}")
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_PAIR = len(_PAIRS)


def digest(secret: str) -> bytes:
    """What is stored of a secret: its SHA-256. The secret has over 160 random bits, so a slow hash adds nothing."""
    try:
        # PERF: half the time of naming the codec
        return sha256(secret.encode()).digest()
    except UnicodeEncodeError:
        return sha256(secret.encode("utf-8", "surrogatepass")).digest()


def checksum(text: str) -> str:
    """The CRC-32 of `text` in six base62 characters (digits, upper case, lower case), padded with zeros on the left."""
    crc = zlib.crc32(text.encode("ascii"))
    # PERF: two characters a look-up
    return _PAIRS[crc // (_PAIR * _PAIR)] + _PAIRS[crc // _PAIR % _PAIR] + _PAIRS[crc % _PAIR]


@final
class SecretFormat:
    """How a deployment's tokens look: ``<prefix>_``, 30 random base62 characters (178 bits), and the
    :func:`checksum` of all that in 6 more, so that secret scanners tell them from noise without asking anyone.

    :param prefix: 2 to 16 lower-case letters and digits.
    :raises ConfigurationError: a prefix that secret scanners and headers could trip over.
    """

    __slots__ = ("_matches", "prefix", "start")

    def __init__(self, prefix: str = DEFAULT_PREFIX) -> None:
        if not _PREFIX.fullmatch(prefix):
            raise ConfigurationError(
                f"a token prefix is 2 to 16 lower-case letters and digits, a letter first: {quoted(prefix)}"
            )
        self.prefix = prefix
        self.start = f"{prefix}_"
        self._matches = re.compile(f"{self.start}[0-9A-Za-z]{{{_BODY_LENGTH + 6}}}").fullmatch

    def generate(self) -> str:
        """A new secret."""
        body = self.start + "".join(secrets.choice(_ALPHABET) for _ in range(_BODY_LENGTH))
        return body + checksum(body)

    def is_well_formed(self, text: str) -> bool:
        """Whether `text` may be a token of this format: its shape and its checksum are right. Says nothing about
        whether there is such a token; it spares a look-up for those that cannot be."""
        return self._matches(text) is not None and text[-6:] == checksum(text[:-6])
