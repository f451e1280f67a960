"""The second path of COPY and MOVE."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

from ..policy import AmbiguousPath

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_PORTS = {"http": ":80", "https": ":443"}


def destination_path(environ: WSGIEnvironment) -> str:
    """The path of the ``Destination`` header (RFC 4918 10.3), decoded as servers decode paths.

    :raises AmbiguousPath: it is not one URL or absolute path of this host.
    """
    header = environ["HTTP_DESTINATION"].strip()
    try:
        url = urlsplit(header)
    except ValueError:
        raise AmbiguousPath("it is no URL") from None
    if url.query or url.fragment or "," in url.netloc:
        raise AmbiguousPath("it is no plain path")
    if url.scheme or url.netloc:
        default = _PORTS.get(url.scheme.lower())
        host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
        if default is None or url.netloc.lower().removesuffix(default) != host.lower().removesuffix(default):
            raise AmbiguousPath("it names another host")
    if not url.path.isascii() or not url.path.startswith("/"):
        raise AmbiguousPath("it is no absolute path")
    return unquote_to_bytes(url.path).decode("latin-1")
