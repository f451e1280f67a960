"""The application, or the document, that a command is about."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import click
from werkzeug.test import Client

from ..errors import ConfigurationError
from ..introspect.data import parse, read
from ..introspect.discover import discover
from ..introspect.endpoint import Discovery
from ..introspect.tables import discover_document, merged
from ..text import quoted
from .application import import_application
from .output import Command

_DOCUMENTS = (".json", ".yaml", ".yml")


def subject_options(command: Command) -> Command:
    """How an application is found and read."""
    for option in (
        click.option(
            "--openapi",
            metavar="FILE|PATH",
            help="Its OpenAPI document, too: a file, or where the application serves it (/openapi.json).",
        ),
        click.option("--settings", metavar="MODULE", help="Django's settings, where it has no WSGI module."),
    ):
        command = option(command)
    return command


def found_in(subject: str, openapi: str | None = None, settings: str | None = None) -> Discovery:
    """The routes of what is named on a command line: ``module:app``, or a document.

    :raises ConfigurationError: it cannot be imported, or read.
    """
    if _is_document(subject):
        if openapi is not None:
            raise ConfigurationError(f"{quoted(subject)} is a document already", where="--openapi")
        return discover_document(read(subject), subject)
    application = load(subject, settings)
    discovery = discover(application)
    if openapi is None:
        return discovery
    return merged(discovery, discover_document(_document(application, openapi), openapi))


def load(subject: str, settings: str | None = None) -> Any:
    """The application that ``module:app`` names; with Django's settings, that project's.

    :raises ConfigurationError: it cannot be imported.
    """
    if "://" in subject:
        raise ConfigurationError("it is an address; download the document, and name its file", where=subject)
    if settings is not None:
        os.environ["DJANGO_SETTINGS_MODULE"] = settings
    return import_application(subject)


def document_of(subject: str | None, openapi: str) -> Any:
    """An OpenAPI document: a file, or what an application serves at a path.

    :raises ConfigurationError: it cannot be had.
    """
    if "://" in openapi:
        raise ConfigurationError("it is an address; download the document, and name its file", where=openapi)
    if subject is None or os.path.exists(openapi):
        return read(openapi)
    return _document(load(subject), openapi)


def _document(application: Any, openapi: str) -> Any:
    if os.path.exists(openapi):
        return read(openapi)
    if not openapi.startswith("/"):
        raise ConfigurationError(f"{quoted(openapi)} is no file, and no path of the application", where="--openapi")
    with _quiet():
        response = Client(application).get(openapi, follow_redirects=True)
        text = response.get_data(as_text=True)
    if response.status_code != 200:
        raise ConfigurationError(f"the application answers {response.status} there", where=f"--openapi {openapi}")
    return parse(text, openapi)


@contextmanager
def _quiet() -> Iterator[None]:
    try:
        with redirect_stdout(sys.stderr):
            yield
    except ConfigurationError:
        raise
    except Exception as error:
        problem = f"the application failed: {type(error).__name__}: {error}"
        raise ConfigurationError(problem, where="--openapi") from error


def _is_document(subject: str) -> bool:
    return subject.lower().endswith(_DOCUMENTS) and ":" not in subject
