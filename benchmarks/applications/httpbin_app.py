"""httpbin, as its README deploys it: ``gunicorn httpbin:app``."""

from httpbin import app

__all__ = ["app"]
