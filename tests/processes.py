"""What stores say, here and in other processes."""

from __future__ import annotations

import os
import pickle
import signal
import traceback
from collections.abc import Callable
from typing import Any

from scopeware.tokens import Refusal, StoreUnavailable, TokenStore


def answer(store: TokenStore, secret: str) -> str:
    """What `store` says to `secret`: its scopes, the code of a refusal, or that it cannot say."""
    try:
        found = store.authenticate(secret)
    except StoreUnavailable:
        return "unavailable"
    return found.code if isinstance(found, Refusal) else str(found.scopes)


def in_child(function: Callable[[], Any], seconds: int = 20) -> Any:
    """What `function` returns in a forked child; a child that fails, or hangs for `seconds`, fails the test."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            os.close(reading)
            signal.alarm(seconds)
            with open(writing, "wb") as pipe:
                pickle.dump(function(), pipe)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writing)
    with open(reading, "rb") as pipe:
        sent = pipe.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, f"the child ended with {status}"
    return pickle.loads(sent)
