"""Real applications behind the gate, as a deployment would write them down; also for servers in other processes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from scopeware import Policy, Scopeware, TokenStore

POLICIES = Path(__file__).parent / "policies"


def guard(application: Any, policy: str, store: TokenStore, **options: Any) -> Scopeware:
    return Scopeware(application, Policy.load(POLICIES / f"{policy}.toml"), store, **options)


def connect(database: str) -> TokenStore:
    return TokenStore.connect(f"sqlite:///{database}")


def bodies(environ: Any, start_response: Any) -> list[bytes]:
    """Sends bodies back, those without a length, too."""
    stream, length = environ["wsgi.input"], environ.get("CONTENT_LENGTH")
    if length:
        body = stream.read(int(length))
    else:
        body = b"".join(iter(lambda: stream.read(4096), b"")) if "HTTP_TRANSFER_ENCODING" in environ else b""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def writing(environ: Any, start_response: Any) -> list[bytes]:
    """Answers as applications did before there were iterables."""
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"first, ")
    write(b"second, ")
    return [b"last"]


def late(environ: Any, start_response: Any) -> Any:
    """Starts its answer only when it is asked for the first piece of it, with the path in pieces already."""
    environ["SCRIPT_NAME"] += environ["PATH_INFO"]
    environ["PATH_INFO"] = ""
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield environ["scopeware"].path.encode()


def several(database: str) -> Scopeware:
    """httpbin, with some applications of other habits mounted in it."""
    from httpbin import app
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    mounted = DispatcherMiddleware(app, {"/bodies": bodies, "/writing": writing, "/late": late})
    return guard(mounted, "httpbin", connect(database), scope_headers=True, query=["access_token"])


def pypiserver_app(folder: str) -> Any:
    """An index of the packages in a folder. Whoever the gate lets through may do everything."""
    import pypiserver

    return pypiserver.app(roots=[Path(folder)], authenticate=[], password_file=".", disable_fallback=True)


def wsgidav_app(folder: str, mount_path: str | None = None, **shares: str) -> Any:
    """The files in a folder, for the users whom the gate names; nobody has a password here."""
    from wsgidav.wsgidav_app import WsgiDAVApp

    return WsgiDAVApp(
        {
            "mount_path": mount_path,
            "provider_mapping": {f"/{share}": path for share, path in shares.items()} or {"/": folder},
            "http_authenticator": {
                "accept_digest": False,
                "default_to_digest": False,
                "trusted_auth_header": "REMOTE_USER",
            },
            "simple_dc": {"user_mapping": {"*": {"nobody": {"password": os.urandom(16).hex()}}}},
            "property_manager": True,
            "lock_storage": True,
            "verbose": 1,
        }
    )


def wsgidav(database: str, folder: str) -> Scopeware:
    return guard(wsgidav_app(folder), "wsgidav", connect(database))


class NamesItsWorker:
    """Says in a header which process answered, the gate's refusals included."""

    def __init__(self, application: Any) -> None:
        self._application = application

    def __call__(self, environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            return start_response(status, [*headers, ("X-Worker", str(os.getpid()))], exc_info)

        return self._application(environ, start)


def issuing(database: str) -> NamesItsWorker:
    """An application in which a request issues a token, in the worker that happens to serve it."""
    policy = Policy.loads(
        """
        [[group]]
        path = "/"
        scopes = ["misc"]
        """
    )
    store = connect(database)

    def application(environ: Any, start_response: Any) -> list[bytes]:
        if environ["REQUEST_METHOD"] == "POST":
            issued = store.issue(owner="bob", name=environ["PATH_INFO"].strip("/"), scopes="read:misc")
            body = f"{issued.token.id} {issued.secret}"
        else:
            body = environ["REMOTE_USER"]
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [body.encode()]

    return NamesItsWorker(Scopeware(application, policy, store))


def wagtail(database: str, folder: str) -> Scopeware:
    import wagtail_site

    return guard(
        wagtail_site.application(Path(folder)),
        "wagtail",
        connect(database),
        identify=wagtail_site.signed_in,
        visibility=wagtail_site.visibility,
    )


def wagtail_validated(database: str, folder: str) -> Any:
    """With the standard library's judgement on what passes between server and gate."""
    from wsgiref.validate import validator

    return validator(wagtail(database, folder))
