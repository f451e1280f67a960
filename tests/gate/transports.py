"""The ways a token may travel."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

EVERYWHERE = {"headers": ["X-API-Key", "X-Forge-Token"], "query": ["token", "access_token"]}
"""Options that take tokens from every place there is."""


def basic(user: str, password: str) -> str:
    """The value of an ``Authorization`` header of scheme Basic."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


TRANSPORTS: dict[str, Callable[[str], dict[str, Any]]] = {
    "Bearer": lambda secret: {"authorization": f"Bearer {secret}"},
    "bearer": lambda secret: {"authorization": f"bearer {secret}"},
    "BEARER": lambda secret: {"authorization": f"BEARER {secret}"},
    "two spaces": lambda secret: {"authorization": f"Bearer  {secret}"},
    "token": lambda secret: {"authorization": f"token {secret}"},
    "Token": lambda secret: {"authorization": f"Token {secret}"},
    "Basic user": lambda secret: {"authorization": basic(secret, "")},
    "Basic user, x-oauth-basic": lambda secret: {"authorization": basic(secret, "x-oauth-basic")},
    "Basic password": lambda secret: {"authorization": basic("alice", secret)},
    "Basic password, no user": lambda secret: {"authorization": basic("", secret)},
    "basic in lower case": lambda secret: {"authorization": basic("x", secret).replace("Basic", "basic")},
    "X-API-Key": lambda secret: {"x_api_key": secret},
    "own header": lambda secret: {"x_forge_token": secret},
    "?token=": lambda secret: {"environ": {"QUERY_STRING": f"page=2&token={secret}"}},
    "?access_token=": lambda secret: {"environ": {"QUERY_STRING": f"access_token={secret}&page=2"}},
    "?tok%65n=": lambda secret: {"environ": {"QUERY_STRING": f"tok%65n={secret}"}},
}
