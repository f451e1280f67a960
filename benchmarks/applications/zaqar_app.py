"""Zaqar's WSGI application, as its documentation deploys it: seven layers of middleware around falcon.

Nobody has to sign in. What it stores is in this process, or in the Redis of ``$ZAQAR_REDIS``
(``redis://127.0.0.1:6379?dbid=13``). ``zaqar.transport.wsgi.app`` looks for its configuration in ``/etc/zaqar`` and the
like when it is imported, and nowhere else; so it is helped to find the one in ``$DATA``.
"""

import os
from pathlib import Path

DATA = Path(os.environ["DATA"])
REDIS = os.environ.get("ZAQAR_REDIS", "redis://127.0.0.1:6379")
FILE = DATA / "zaqar.conf"
DATA.mkdir(parents=True, exist_ok=True)
FILE.write_text(
    f"""[DEFAULT]
auth_strategy =
admin_mode = True
unreliable = True

[drivers]
transport = wsgi
message_store = redis
management_store = redis

[drivers:message_store:redis]
uri = {REDIS}

[drivers:management_store:redis]
uri = {REDIS}
"""
)

if "ZAQAR_REDIS" not in os.environ:
    import fakeredis
    import redis

    SERVER = fakeredis.FakeServer(version=7)

    class Redis(fakeredis.FakeRedis):
        """One that answers what zaqar asks for: its version."""

        def __init__(self, **options):
            options.pop("socket_timeout", None)
            super().__init__(server=SERVER, **options)

        def info(self, *arguments, **options):
            return {"redis_version": "7.0.0"}

    redis.Redis = Redis

from oslo_config import cfg  # noqa: E402

find = cfg.find_config_files
cfg.find_config_files = lambda *arguments, **options: (
    [str(FILE)] if options.get("extension", ".conf") == ".conf" else []
)
try:
    from zaqar.transport.wsgi.app import app
finally:
    cfg.find_config_files = find

__all__ = ["app"]
