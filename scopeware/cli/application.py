"""Import a WSGI application, put the gate in front, serve it."""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import signal
import socket
import sys
import threading
import time
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from werkzeug.serving import make_server
from werkzeug.wsgi import get_input_stream

from ..errors import ConfigurationError
from ..gate import Context, Denied
from ..text import printable, quoted
from .output import look_here_too

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_NAMES = ("app", "application")


def import_application(name: str) -> WSGIApplication:
    """The application that ``module:attribute`` names: ``app`` or ``application`` by default; ``module:factory()`` is
    called. Modules are found in the current directory, too.

    :raises ConfigurationError: there is none.
    """
    with _alone(name):
        return _imported(name)


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """What a module prints when it is imported goes to stderr, and it sees no arguments but its name."""
    arguments = sys.argv
    sys.argv = [name]
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        sys.argv = arguments


def _imported(name: str) -> WSGIApplication:
    module_name, _, attribute = name.partition(":")
    look_here_too()
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ConfigurationError(f"cannot import {quoted(module_name)}: {error}", where=name) from error
    except (Exception, SystemExit) as error:
        problem = f"importing {quoted(module_name)} failed: {type(error).__name__}: {error}"
        raise ConfigurationError(problem, where=name) from error
    called = attribute.endswith("()")
    names = (attribute.removesuffix("()"),) if attribute else _NAMES
    found: Any = None
    for candidate in names:
        found = module
        for part in candidate.split("."):
            found = getattr(found, part, None)
        if found is not None:
            break
    if called and callable(found):
        try:
            found = found()
        except (Exception, SystemExit) as error:
            raise ConfigurationError(f"it failed: {type(error).__name__}: {error}", where=name) from error
    if not callable(found):
        raise ConfigurationError(
            f"{quoted(module_name)} has no application {' or '.join(quoted(word) for word in names)}; "
            "write module:attribute",
            where=name,
        )
    if _is_factory(found):
        said = f"{quoted(candidate)} takes no request; if it makes an application, write {module_name}:{candidate}()"
        raise ConfigurationError(said, where=name)
    application: WSGIApplication = found
    return application


def _is_factory(found: Any) -> bool:
    """Whether something cannot be called as an application is: with an environ and a ``start_response``."""
    # By the real class: objects may do anything when they are asked.
    if not issubclass(type(found), (types.FunctionType, types.MethodType, type(functools.cache(print)))):
        return False
    parameters = inspect.signature(found).parameters.values()
    takes_any = any(each.kind is each.VAR_POSITIONAL for each in parameters)
    by_position = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    needed = [each for each in parameters if each.default is each.empty and each.kind is not each.VAR_KEYWORD]
    return not takes_any and (len(by_position) < 2 or not needed)


def print_decision(environ: WSGIEnvironment, context: Context) -> None:
    """One line a decision: when, who, what, and how it went."""
    who = context.owner or "-"
    if context.token is not None:
        who = f"{who} ({context.token.name})"
    decision = context.decision
    if isinstance(decision, Denied):
        word = "denied" if context.gate.mode == "enforce" else "would be denied"
        outcome = click.style(f"{word} {decision.status} {decision.code}", fg="red") + f": {decision.detail}"
    else:
        outcome = click.style("allowed", fg="green")
    group = f"  [{context.group}]" if context.group else ""
    method = printable(environ.get("REQUEST_METHOD", ""))
    _print_line(f"{time.strftime('%H:%M:%S')}  {printable(who)}  {method} {_path(environ)}  {outcome}{group}")


def print_decision_json(environ: WSGIEnvironment, context: Context) -> None:
    """The same for machines: a JSON object a line."""
    decision = context.decision
    facts = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "owner": context.owner,
        "token": context.token.id if context.token else None,
        "method": environ.get("REQUEST_METHOD"),
        "path": _path(environ),
        "group": context.group or None,
        "decision": "allowed" if decision.allowed else "denied" if context.gate.mode == "enforce" else "reported",
        "status": decision.status if isinstance(decision, Denied) else None,
        "code": decision.code if isinstance(decision, Denied) else None,
    }
    _print_line(json.dumps(facts))


def _print_line(line: str) -> None:
    """Nobody has to listen for the server to go on."""
    try:
        click.echo(line)
    except (OSError, ValueError):
        pass


def _path(environ: WSGIEnvironment) -> str:
    """The path, fit for a terminal. Never the query: there may be a secret in it."""
    return quoted(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).strip("`")


ended = threading.Event()
"""Whether such a signal has come. What it raises may be lost where it strikes."""


def end_on_signals(status: int = 0) -> None:
    """Let the usual signals end the program in order, so that what is temporary is removed.

    :param status: how it ends; not with 0 where something is left undone.
    """

    def end(*_: object) -> None:
        ended.set()
        sys.exit(status)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)


def check_address(host: str, port: int) -> None:
    """Nothing, if something can listen there.

    :raises ConfigurationError: the host is unknown, or the port taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"there is no host {quoted(host)}; choose another --host") from error
    with socket.socket(family, kind, protocol) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(address)
        except OSError as error:
            raise ConfigurationError(f"cannot listen on {host}:{port}; choose another --port") from error


def serve_werkzeug(application: WSGIApplication, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve for trying, until interrupted.

    :param ready: called with the server's URL once it listens.
    :raises ConfigurationError: the port cannot be had.
    """
    from werkzeug.serving import WSGIRequestHandler  # noqa: PLC0415

    class Quiet(WSGIRequestHandler):
        def log_request(self, *arguments: object) -> None:
            """The gate prints a line of its own."""

    check_address(host, port)

    def ending(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # The body ends where it says, as it does on other servers (PEP 3333).
        environ["wsgi.input"] = get_input_stream(environ)
        return application(environ, start_response)

    server = make_server(host, port, ending, threaded=True, request_handler=Quiet)
    shown = f"[{host}]" if ":" in host else host
    ready(f"http://{shown}:{server.server_port}")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


def serve_gunicorn(
    make: Callable[[], WSGIApplication], host: str, port: int, workers: int, ready: Callable[[str], None]
) -> None:
    """Serve with gunicorn, until interrupted.

    :param make: makes the application, once a worker.
    :raises ConfigurationError: it is not installed.
    """
    try:
        from gunicorn.app.base import BaseApplication  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError("gunicorn is not installed; run `pip install gunicorn`", where="--server") from None

    check_address(host, port)
    shown = f"[{host}]" if ":" in host else host

    def tell(arbiter: Any) -> None:
        ready(f"http://{shown}:{arbiter.LISTENERS[0].getsockname()[1]}")

    class Served(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            self.cfg.set("bind", f"{shown}:{port}")
            self.cfg.set("workers", workers)
            self.cfg.set("when_ready", tell)

        def load(self) -> WSGIApplication:
            return make()

    Served().run()
