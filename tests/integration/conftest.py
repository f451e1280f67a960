"""A store, tokens, and servers that are stopped again."""

from __future__ import annotations

import itertools
from contextlib import ExitStack

import live_servers
import live_sites
import pytest


@pytest.fixture
def database(tmp_path):
    """Where the store's database is, for other processes to open it too."""
    return str(tmp_path / "tokens.db")


@pytest.fixture
def store(database):
    store = live_sites.connect(database)
    yield store
    store.close()


@pytest.fixture
def token(store):
    """Issues tokens: ``token("read:echo")`` is a secret."""
    numbers = itertools.count()

    def issue(scopes, owner="alice"):
        return store.issue(owner=owner, name=f"token {next(numbers)}", scopes=scopes).secret

    return issue


@pytest.fixture
def serve():
    """Starts servers in this process: ``serve(application, "waitress")``."""
    with ExitStack() as stack:
        yield lambda application, server="werkzeug": stack.enter_context(live_servers.IN_PROCESS[server](application))


@pytest.fixture
def gunicorn(tmp_path):
    """Starts gunicorn: ``gunicorn("live_sites:httpbin('tokens.db')")``."""
    with ExitStack() as stack:
        yield lambda application, *options: stack.enter_context(
            live_servers.gunicorn_server(application, tmp_path / "gunicorn.log", *options)
        )
