"""Peppers and the digests that are stored."""

from __future__ import annotations

from collections import deque
from time import time
from typing import final

from peewee import IntegrityError, fn

from ..errors import ConfigurationError
from .background import Background
from .database import Database
from .models import Pepper, Token
from .pepper import Peppers

_MOST_WAITING = 10_000


@final
class Peppering:
    """Sees to it that the peppers are those that the tokens were made with, and that tokens in use get a digest with
    the current one.
    """

    def __init__(self, database: Database, peppers: Peppers, background: Background) -> None:
        self._database = database
        self._peppers = peppers
        self._background = background
        self._waiting: deque[tuple[int, tuple[bytes, ...], bytes]] = deque(maxlen=_MOST_WAITING)
        background.add(self._write, self._waiting.clear)

    def check(self) -> None:
        """Nothing, if the peppers are those of the database; those that are new are noted there.

        :raises ConfigurationError: one is another than it was, or one is missing that tokens need which still work.
        :raises StoreUnavailable: the database cannot be asked, or a new one not be noted.
        """
        with self._database.session():
            proofs = {row.version: bytes(row.proof) for row in Pepper.select().execute(self._database.peewee)}
            counted = (
                Token.select(Token.pepper, fn.COUNT(Token.id).alias("count"))
                .where(
                    Token.revoked_at.is_null(),
                    Token.expires_at.is_null() | (Token.expires_at > time()),
                    Token.pepper.not_in(self._peppers.versions),
                )
                .group_by(Token.pepper)
            )
            missing = [(row.pepper, row.count) for row in counted.execute(self._database.peewee)]
        for version, count in missing:
            tokens = "a token was" if count == 1 else f"{count} tokens were"
            raise ConfigurationError(
                f"pepper {version} is missing, and {tokens} made with it; set it in SCOPEWARE_PEPPER", where="pepper"
            )
        for version in self._peppers.versions[:-1]:
            proof = self._peppers.proof(version)
            if proofs.get(version, proof) != proof:
                raise ConfigurationError(
                    f"pepper {version} is not the one that this database knows; a new pepper takes a new number",
                    where="pepper",
                )
        for version in self._peppers.versions[:-1]:
            if version not in proofs:
                self._note(version, self._peppers.proof(version))

    def _note(self, version: int, proof: bytes) -> None:
        try:
            with self._database.transaction():
                Pepper.insert(version=version, proof=proof, created_at=int(time())).execute(self._database.peewee)
        except IntegrityError:
            self.check()  # another process was faster

    def note(self, token_id: int, secret: str) -> None:
        """Give a token another digest, soon."""
        self._waiting.append((token_id, self._peppers.digests(secret), self._peppers.digest(secret)))
        self._background.wake()

    def _write(self) -> None:
        changes = {}
        while self._waiting:
            token_id, old, new = self._waiting.popleft()
            changes[token_id] = (old, new)
        if changes:
            with self._database.changing():
                for token_id, (old, new) in changes.items():
                    Token.update(digest=new, pepper=self._peppers.current).where(
                        Token.id == token_id, Token.digest.in_(old)
                    ).execute(self._database.peewee)
