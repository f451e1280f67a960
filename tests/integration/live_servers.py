"""Real servers on loopback ports, and plain ways to talk to them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import wsgiref.simple_server
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HOST = "127.0.0.1"
HERE = Path(__file__).parent
SECONDS = 30


@dataclass(frozen=True)
class Live:
    """A server that is running."""

    port: int
    log: Path | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"


@contextmanager
def werkzeug_server(application: Any) -> Iterator[Live]:
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Handler(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

    server = make_server(HOST, 0, application, threaded=True, request_handler=Handler)
    with _in_thread(server.serve_forever, server.shutdown):
        yield Live(server.server_port)
    server.server_close()


@contextmanager
def wsgiref_server(application: Any) -> Iterator[Live]:
    class Handler(wsgiref.simple_server.WSGIRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            pass

    server = wsgiref.simple_server.make_server(HOST, 0, application, handler_class=Handler)
    with _in_thread(server.serve_forever, server.shutdown):
        yield Live(server.server_port)
    server.server_close()


@contextmanager
def waitress_server(application: Any) -> Iterator[Live]:
    waitress = pytest.importorskip("waitress")
    from waitress import wasyncore

    server = waitress.create_server(application, host=HOST, port=0, threads=4)

    def stop() -> None:
        # In the server's own thread: it must not wait for sockets that are closed.
        server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map))

    with _in_thread(server.run, stop):
        yield Live(int(server.effective_port))
    server.task_dispatcher.shutdown()


@contextmanager
def cheroot_server(application: Any) -> Iterator[Live]:
    wsgi = pytest.importorskip("cheroot.wsgi")
    server = wsgi.Server((HOST, 0), application, numthreads=4, shutdown_timeout=1)
    server.prepare()
    with _in_thread(server.serve, server.stop):
        yield Live(server.bind_addr[1])


@contextmanager
def _in_thread(run: Any, stop: Any) -> Iterator[None]:
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join(SECONDS)
        if thread.is_alive():
            raise RuntimeError("the server did not stop")


@contextmanager
def gunicorn_server(application: str, log: Path, *options: str) -> Iterator[Live]:
    """gunicorn in a process of its own.

    :param application: ``module:expression``, as gunicorn takes it.
    """
    pytest.importorskip("gunicorn")
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        descriptor = listener.fileno()
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", *options, "--bind", f"fd://{descriptor}", application],
                pass_fds=(descriptor,),
                env=child_environment(),
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
    # Who connects now waits until a worker is ready, or is refused if none comes.
    try:
        yield Live(port, log)
    finally:
        process.terminate()
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


IN_PROCESS = {
    "werkzeug": werkzeug_server,
    "wsgiref": wsgiref_server,
    "waitress": waitress_server,
    "cheroot": cheroot_server,
}


def child_environment(**more: str) -> dict[str, str]:
    """The environment of a process that is to import what this one does, and to read no one's configuration."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "TWINE_", "GUNICORN_"))}
    path = os.pathsep.join([str(HERE), *[entry for entry in sys.path if entry]])
    return kept | {"PYTHONPATH": path, "PIP_CONFIG_FILE": os.devnull, "NO_PROXY": "*", "no_proxy": "*"} | more


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A client program, run to its end."""
    return subprocess.run(
        command,
        env=child_environment(**environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS * 2,
        check=False,
    )


def talk(port: int, request: bytes) -> bytes:
    """What a server answers to these bytes, until it closes the connection."""
    with socket.create_connection((HOST, port), timeout=SECONDS) as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


def ask(port: int, method: str, target: str, *lines: str, body: bytes = b"") -> tuple[int, bytes]:
    """The final status and the body of the answer to one request, written down as it goes over the wire."""
    head = "\r\n".join([f"{method} {target} HTTP/1.1", f"Host: {HOST}:{port}", "Connection: close", *lines])
    answer = talk(port, head.encode("latin-1") + b"\r\n\r\n" + body)
    head_bytes, _, rest = answer.partition(b"\r\n\r\n")
    while head_bytes.split(b" ", 2)[1] == b"100":
        head_bytes, _, rest = rest.partition(b"\r\n\r\n")
    return int(head_bytes.split(b" ", 2)[1]), rest
