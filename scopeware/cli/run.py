"""``scopeware run``: any WSGI application, guarded."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Literal

import click

from ..errors import ConfigurationError
from ..gate import Context, Scopeware
from ..introspect.data import read
from ..introspect.published import Published
from ..text import counted
from ..tokens.urls import without_password
from .application import (
    end_on_signals,
    print_decision,
    print_decision_json,
    serve_gunicorn,
    serve_werkzeug,
)
from .output import database_option, json_option, load_policy, look_here_too, open_store
from .subject import load as load_application

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment


@click.command()
@click.argument("application", metavar="MODULE:APP")
@click.option("--policy", metavar="FILE", envvar="SCOPEWARE_POLICY", help="What requests need.  [default: scopes.toml]")
@database_option
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
@click.option(
    "--server",
    type=click.Choice(["werkzeug", "gunicorn"]),
    default="werkzeug",
    show_default=True,
    help="werkzeug's is for trying.",
)
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1), help="gunicorn's processes.")
@json_option
@click.option(
    "--openapi",
    metavar="PATH[=FILE]",
    help="Say in the OpenAPI document that is served there what its operations need; or serve that of a file there.",
)
@click.option("--settings", metavar="MODULE", help="Django's settings, where it has no WSGI module.")
@click.option("--report", is_flag=True, help="Refuse nothing, only say what would be refused.")
def run(
    application: str,
    policy: str | None,
    database: str,
    host: str,
    port: int,
    server: str,
    workers: int,
    as_json: bool,
    report: bool,
    openapi: str | None,
    settings: str | None,
) -> None:
    """Serve a WSGI application with the gate in front, and print a line for each decision.

    \b
    scopeware run httpbin:app --policy scopes.toml --database sqlite:///tokens.db
    """
    loaded = load_policy(policy)
    if loaded is None:
        raise ConfigurationError("there is no scopes.toml here; name a policy", where="--policy")
    mode: Literal["enforce", "report"] = "report" if report else "enforce"

    say = print_decision_json if as_json else print_decision
    look_here_too()
    also = loaded.hooks.load("observe")

    def observe(environ: WSGIEnvironment, context: Context) -> None:
        say(environ, context)
        if also is not None:
            also(environ, context)

    def make() -> WSGIApplication:
        served = load_application(application, settings)
        inside = inspect.getattr_static(served, "wsgi_app", None)
        if any(issubclass(type(each), Scopeware) for each in (served, inside)):
            raise ConfigurationError(
                "it is guarded already; serve it as it is, or name what is inside", where=application
            )
        if openapi is not None:
            place, _, file = openapi.partition("=")
            served = Published(served, loaded, place, read(file) if file else None)
        return Scopeware(served, loaded, open_store(database, None), mode=mode, observe=observe)

    def ready(url: str) -> None:
        guarded = f"{url}{loaded.prefix}/"
        count = counted(len(loaded.groups), "group")
        tokens = without_password(database)
        click.echo(f"{application} on {url}; guarded: {guarded} ({count}); tokens: {tokens}", err=True)

    if server == "werkzeug":
        end_on_signals()
    made = make()  # in this process first, so that what is wrong is said before anything listens
    if server == "gunicorn":
        serve_gunicorn(make, host, port, workers, ready)
    else:
        serve_werkzeug(made, host, port, ready)
