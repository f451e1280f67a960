"""When tokens were last used, roughly."""

from __future__ import annotations

from typing import final

from .background import Background
from .database import Database
from .models import Token

WINDOW_SECONDS = 60
_MOST_KNOWN = 100_000


@final
class LastUse:
    """Writes down that a token was used: one narrow UPDATE a token and window at most, in all processes together; off
    the way of requests, which never fail for it.

    :param window: in seconds.
    """

    def __init__(self, database: Database, background: Background, window: int = WINDOW_SECONDS) -> None:
        self.window = window
        self._database = database
        self._written: dict[int, int] = {}
        self._waiting: dict[int, int] = {}
        self._background = background
        background.add(self._write, self._waiting.clear)

    def note(self, token_id: int, at: int) -> None:
        """A token was used.

        :param at: in seconds since 1970.
        """
        written = self._written.get(token_id)
        if written is None or not written <= at < written + self.window:
            self._waiting[token_id] = at
            self._background.wake()

    def _write(self) -> None:
        waiting = [(token_id, self._waiting.pop(token_id)) for token_id in list(self._waiting)]
        if not waiting:
            return
        if len(self._written) > _MOST_KNOWN:
            self._written.clear()
        try:
            self._update(waiting)
        except BaseException:
            for token_id, at in waiting:
                self._waiting.setdefault(token_id, at)
            raise
        self._written.update(waiting)

    def _update(self, waiting: list[tuple[int, int]]) -> None:
        with self._database.transaction():
            for token_id, at in waiting:
                long_ago = Token.last_used_at.is_null() | (Token.last_used_at <= at - self.window)
                Token.update(last_used_at=at).where(Token.id == token_id, long_ago).execute(self._database.peewee)
