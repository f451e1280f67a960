"""Kinto in memory; any user and password is an account of its own."""

import warnings

from kinto import main

warnings.filterwarnings("ignore", message="HTTPS is not enabled")

SETTINGS = {
    "storage_backend": "kinto.core.storage.memory",
    "cache_backend": "kinto.core.cache.memory",
    "permission_backend": "kinto.core.permission.memory",
    "multiauth.policies": "basicauth",
    "bucket_create_principals": "system.Authenticated",
    "userid_hmac_secret": "not a secret",
    "includes": "kinto.plugins.default_bucket kinto.plugins.flush",
    "flush_endpoint_enabled": "true",
}


def with_all_plugins():
    """The same with every plugin that has routes and needs no server of its own: what kinto's own tests turn on."""
    plugins = ("accounts", "admin", "default_bucket", "flush", "history", "prometheus")
    settings = {
        **SETTINGS,
        "includes": " ".join(f"kinto.plugins.{plugin}" for plugin in plugins),
        "multiauth.policies": "account basicauth",
        "multiauth.policy.account.use": "kinto.plugins.accounts.authentication.AccountsAuthenticationPolicy",
    }
    return main({}, **settings)


app = main({}, **SETTINGS)
