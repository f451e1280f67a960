"""Database URLs."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit, urlunsplit

from ..errors import ConfigurationError
from ..text import quoted
from .database import Database
from .sqlite import SqliteDatabase, path_of

_NETWORKED = ("postgresql", "postgres", "mysql", "mariadb")


def database_at(url: str) -> Database:
    """The database that a URL names: ``sqlite:///tokens.db``, ``postgresql://user@host/name``,
    ``mysql://user@host/name`` (or ``mariadb://``). What follows a ``?`` goes to the driver; ``max_connections`` to the
    pool.

    :raises ConfigurationError: it names none, or the driver is missing.
    """
    # The URL itself is not shown: there may be a password in it.
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # it looks at the port only when asked
    except ValueError:
        raise ConfigurationError("this is no URL; percent-encode what is special in it", where="database") from None
    if parts.scheme not in _NETWORKED:
        return SqliteDatabase(path_of(url))
    from playhouse import db_url  # noqa: PLC0415  # it imports every database playhouse knows

    from .networked import MariaDatabase, PostgresDatabase  # noqa: PLC0415  # and so does this

    postgres = parts.scheme in ("postgresql", "postgres")
    try:
        known = parts._replace(scheme="postgresql" if postgres else "mysql")
        parameters = db_url.parse(urlunsplit(known), unquote_password=True, unquote_user=True)
    except ValueError:
        raise ConfigurationError("this is no URL; percent-encode what is special in it", where="database") from None
    if "passwd" in parameters:
        parameters["password"] = parameters.pop("passwd")
    name = parameters.get("database")
    if not isinstance(name, str) or not name or "/" in name or parts.fragment:
        form = f"{parts.scheme}://user@host/name"
        raise ConfigurationError(f"it names no database; write {form}", where="database")
    most = parameters.get("max_connections", 1)
    if type(most) is not int or most < 1:
        raise ConfigurationError(f"`max_connections` is a number from 1: {quoted(str(most))}", where="database")
    return (PostgresDatabase if postgres else MariaDatabase)(_address(parts, name), parameters)


def without_password(url: str) -> str:
    """A database URL fit to be shown."""
    try:
        parts = urlsplit(url)
        return _address(parts, parts.path.strip("/")) if parts.scheme in _NETWORKED else url
    except ValueError:
        return "the database"


def _address(parts: SplitResult, name: str) -> str:
    """What messages call a networked database."""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or 'localhost'}{port}/{name}"
