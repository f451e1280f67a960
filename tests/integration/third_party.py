"""Imports of what complains while it is imported (about `cgi` and its like), kept away from our own warnings."""

import importlib
import sys
import warnings
from wsgiref.validate import validator

import pytest


def quietly(name, reason=None):
    """The module of that name; without it the importing module is skipped."""
    finders = list(sys.meta_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != name.partition(".")[0]:
                raise
            pytest.skip(reason or f"{name} is not installed", allow_module_level=True)
    # Old copies of Bottle add a finder that Python complains about whenever anything is not found from then on.
    sys.meta_path[:] = [finder for finder in sys.meta_path if finder in finders or hasattr(finder, "find_spec")]
    return module


TestApp = quietly("webtest").TestApp


def validated(application, **options):
    """A client in this process, with the standard library's judgement on what passes between it and the application."""
    return TestApp(validator(application), lint=False, **options)
