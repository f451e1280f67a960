"""However an application answers, there is one row about it, and the answer goes through as it is."""

from __future__ import annotations

import gc
import io
import weakref
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.handlers import SimpleHandler
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest
from access_log_helpers import ask, entries, environ_of, started

from scopeware import Scopeware

TEXT = [("Content-Type", "text/plain")]
BODY = b"one, two"


class Pieces:
    """An iterator with a `close` that counts, and may fail; so may its third piece."""

    def __init__(self, *pieces: bytes, fail: str = "") -> None:
        self._pieces = iter(pieces)
        self._fail = fail
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._pieces)
        except StopIteration:
            if self._fail == "iterating":
                raise OSError("the disk is gone") from None
            raise

    def close(self) -> None:
        self.closed += 1
        if self._fail == "closing":
            raise OSError("the disk is gone")


class Iterable:
    """Has an `__iter__` and nothing else."""

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"one, ", b"two"])


class OwnList(list):
    """A list with a `close` of its own, as some frameworks return."""

    closed = 0

    def close(self) -> None:
        self.closed += 1


def a_list(environ: Any, start_response: Any) -> Any:
    start_response("201 Created", TEXT)
    return [b"one, ", b"two"]


def a_tuple(environ: Any, start_response: Any) -> Any:
    start_response("201 Created", TEXT)
    return (b"one, ", b"two")


def a_generator(environ: Any, start_response: Any) -> Any:
    start_response("201 Created", TEXT)
    yield b"one, "
    yield b"two"


def an_iterator(environ: Any, start_response: Any) -> Any:
    start_response("201 Created", TEXT)
    return Pieces(b"one, ", b"two")


def an_iterable(environ: Any, start_response: Any) -> Any:
    start_response("201 Created", TEXT)
    return Iterable()


def a_list_with_close(environ: Any, start_response: Any) -> Any:
    start_response("201 Created", TEXT)
    return OwnList([b"one, ", b"two"])


def a_file(environ: Any, start_response: Any) -> Any:
    start_response("201 Created", TEXT)
    return environ["wsgi.file_wrapper"](io.BytesIO(BODY), 5)


def all_written(environ: Any, start_response: Any) -> Any:
    write = start_response("201 Created", TEXT)
    write(b"one, ")
    write(b"two")
    return []


def half_written(environ: Any, start_response: Any) -> Any:
    start_response("201 Created", TEXT)(b"one, ")
    yield b"two"


def late(environ: Any, start_response: Any) -> Any:
    def pieces() -> Iterator[bytes]:
        start_response("201 Created", TEXT)
        yield BODY

    return pieces()


def corrected(environ: Any, start_response: Any) -> Any:
    """Starts anew after an error, before anything went out (PEP 3333, exc_info)."""
    start_response("200 OK", TEXT)
    try:
        raise RuntimeError("not like that")
    except RuntimeError as error:
        start_response("201 Created", TEXT, (type(error), error, error.__traceback__))
    return [BODY]


SHAPES = (
    a_list,
    a_tuple,
    a_generator,
    an_iterator,
    an_iterable,
    a_list_with_close,
    a_file,
    all_written,
    half_written,
    late,
    corrected,
)


def served(app: Any, environ: dict[str, Any]) -> bytes:
    """What a server, that of the standard library, sends for a request."""
    out = io.BytesIO()
    handler = SimpleHandler(io.BytesIO(), out, io.StringIO(), environ)
    handler.wsgi_file_wrapper = environ.get("wsgi.file_wrapper", FileWrapper)
    handler.run(app)
    return out.getvalue()


@pytest.mark.parametrize("options", [{}, {"scope_headers": True}], ids=["defaults", "scope headers"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_an_answer_of_any_shape_goes_through_and_is_one_row(
    make_gate: Any, issue: Any, shape: Any, method: str, options: dict[str, Any]
) -> None:
    """With the status that the application gave it."""
    gate = make_gate(app=shape, **options)
    environ = environ_of(method, "/api/v1/user", issue("write:user"), SERVER_PROTOCOL="HTTP/1.1")
    head, _, body = served(validator(gate), environ).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 201 Created\r\n")
    assert body == BODY
    [entry] = entries(gate)
    assert (entry.decision, entry.status) == ("allowed", 201)


@pytest.mark.parametrize("shape", [a_list, a_generator, an_iterator], ids=lambda shape: shape.__name__)
def test_a_head_request_is_one_row(make_gate: Any, issue: Any, shape: Any) -> None:
    """With or without a body that nobody may send."""

    gate = make_gate(app=lambda environ, start_response: _empty(shape, environ, start_response))
    secret = issue("read:user")
    assert ask(gate, "/api/v1/user", secret, "HEAD") == 201
    assert ask(gate, "/api/v1/user", issue("read:misc"), "HEAD") == 403
    found = [(entry.method, entry.decision, entry.status) for entry in entries(gate)]
    assert found == [("HEAD", "allowed", 201), ("HEAD", "denied", 403)]


def _empty(shape: Any, environ: Any, start_response: Any) -> Any:
    start_response("201 Created", TEXT)
    return {a_list: list, a_generator: lambda: iter(()), an_iterator: Pieces}[shape]()


# -- the very same object


class ServersOwn:
    """A file wrapper as gunicorn and waitress have it: a type of their own."""

    def __init__(self, file: Any, size: int = 8192) -> None:
        self.file = file
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return iter([self.file.read()])

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("shape", ["a list", "an empty list", "a file wrapper"])
def test_what_servers_treat_specially_they_get_as_it_is(make_gate: Any, issue: Any, shape: str) -> None:
    """A list has a length, which becomes a header; a file wrapper is sent by the system. Both are rows."""
    made: list[Any] = []

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", TEXT)
        body = environ["wsgi.file_wrapper"](io.BytesIO(BODY)) if shape == "a file wrapper" else [BODY]
        made.append([] if shape == "an empty list" else body)
        return made[-1]

    gate = make_gate(app=app)
    environ = environ_of("GET", "/api/v1/user", issue("read:user"), **{"wsgi.file_wrapper": ServersOwn})
    body = started(gate, environ)
    assert body.original_iterator is made[0]
    assert len(entries(gate)) == 1
    body.close()
    assert [entry.status for entry in entries(gate)] == [200]
    assert getattr(made[0], "closed", 1) == 1


@pytest.mark.parametrize(
    "wrapper", [None, lambda file, size=0: iter([file.read()])], ids=["no file wrapper", "a function"]
)
def test_a_server_without_a_type_for_files_is_fine(make_gate: Any, issue: Any, wrapper: Any) -> None:
    """What such a function returns is nothing special."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", TEXT)
        return environ.get("wsgi.file_wrapper", FileWrapper)(io.BytesIO(BODY))

    gate = make_gate(app=app)
    more = {} if wrapper is None else {"wsgi.file_wrapper": wrapper}
    body = started(gate, environ_of("GET", "/api/v1/user", issue("read:user"), **more))
    assert b"".join(body) == BODY
    assert entries(gate) == []
    body.close()
    assert [entry.status for entry in entries(gate)] == [200]


# -- the end of an answer


@pytest.mark.parametrize("taken", [0, 1, 2, 3], ids=["nothing", "some", "all", "the end"])
def test_a_row_is_written_when_the_answer_is_closed(make_gate: Any, issue: Any, taken: int) -> None:
    """Also for a client that goes away: the server closes what it has not read. It is closed once, by then."""
    pieces = Pieces(b"one, ", b"two")

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", TEXT)
        return pieces

    gate = make_gate(app=app)
    body = started(gate, environ_of("GET", "/api/v1/user", issue("read:user")))
    read = iter(body)
    for _ in range(taken):
        next(read, None)
    assert (entries(gate), pieces.closed) == ([], 0)
    body.close()
    assert [entry.status for entry in entries(gate)] == [200]
    assert pieces.closed == 1


def test_an_answer_that_never_started_has_no_status(make_gate: Any, issue: Any) -> None:
    """The client was gone before the first piece was asked for; a moment later there is one."""
    gate = make_gate(app=late)
    secret = issue("read:user")
    for taken in (0, 1):
        body = started(gate, environ_of("GET", "/api/v1/user", secret))
        for _ in range(taken):
            next(iter(body))
        body.close()
    assert [(entry.decision, entry.status) for entry in entries(gate)] == [("allowed", None), ("allowed", 201)]


@pytest.mark.parametrize(
    ("when", "status"),
    [
        pytest.param("at once", None, id="before it starts the answer"),
        pytest.param("started", 200, id="after it has started the answer"),
        pytest.param("generating", 200, id="between two pieces"),
        pytest.param("generating at once", None, id="before the first piece"),
        pytest.param("iterating", 200, id="an iterator"),
        pytest.param("closing", 200, id="while it is closed"),
    ],
)
def test_an_application_that_fails_is_a_row(make_gate: Any, issue: Any, when: str, status: int | None) -> None:
    """Allowed, with the status that it came to; its error goes through, and what it returned is closed once."""
    pieces = Pieces(b"one, ", fail=when)

    def generating(environ: Any, start_response: Any) -> Any:
        if when == "generating at once":
            raise OSError("the disk is gone")
        start_response("200 OK", TEXT)
        yield b"one, "
        raise OSError("the disk is gone")

    def app(environ: Any, start_response: Any) -> Any:
        if when == "at once":
            raise OSError("the disk is gone")
        start_response("200 OK", TEXT)
        if when == "started":
            raise OSError("the disk is gone")
        return pieces

    gate = make_gate(app=generating if when.startswith("generating") else app)
    with pytest.raises(OSError, match="the disk is gone"):
        ask(gate, "/api/v1/user", issue("read:user"))
    [entry] = entries(gate)
    assert (entry.decision, entry.code, entry.status) == ("allowed", None, status)
    assert pieces.closed == (1 if when in ("iterating", "closing") else 0)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_application_that_ends_the_process_is_a_row(make_gate: Any, issue: Any, error: type[BaseException]) -> None:
    """These are no errors, and go through as well."""

    def app(environ: Any, start_response: Any) -> Any:
        raise error

    gate = make_gate(app=app)
    with pytest.raises(error):
        ask(gate, "/api/v1/user", issue("read:user"))
    assert [entry.decision for entry in entries(gate)] == ["allowed"]


def test_a_status_that_comes_too_late_is_not_the_one_that_was_sent(make_gate: Any, issue: Any) -> None:
    """The headers are on their way: the server refuses to start anew, and the client has seen a 200."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", TEXT)
        yield b"one, "
        try:
            raise RuntimeError("too late")
        except RuntimeError as error:
            start_response("500 Oops", TEXT, (type(error), error, error.__traceback__))

    gate = make_gate(app=app)
    assert served(validator(gate), environ_of("GET", "/api/v1/user", issue("read:user"))).startswith(b"HTTP/1.0 200 OK")
    assert [entry.status for entry in entries(gate)] == [200]


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "599 Oops", "200"])
def test_any_status_is_written_down(make_gate: Any, issue: Any, status: str) -> None:
    """As a number."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response(status, [])
        return []

    gate = make_gate(app=app)
    body = gate(environ_of("GET", "/api/v1/user", issue("read:user")), lambda *arguments: lambda data: None)
    assert body == []
    assert [entry.status for entry in entries(gate)] == [int(status[:3])]


@pytest.mark.parametrize(
    "status",
    [
        "",
        "OK",
        "²00 OK",
        b"200 OK",
        200,
        None,
    ],
)
def test_a_status_that_is_none_takes_no_other_entry_along(make_gate: Any, issue: Any, status: Any) -> None:
    """Servers complain about it, or do not; the log says what it can."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response(status if environ["PATH_INFO"].endswith("odd") else "200 OK", [])
        return []

    gate = make_gate(app=app)
    secret = issue("read:user")
    for name in ("before", "odd", "after"):
        gate(environ_of("GET", f"/api/v1/user/{name}", secret), lambda *arguments: lambda data: None)
    assert [entry.path.rpartition("/")[2] for entry in entries(gate)] == ["before", "odd", "after"]
    assert {entry.status for entry in entries(gate)} <= {200, None}


# -- what stays in memory


@pytest.mark.parametrize("shape", [a_list, a_generator], ids=lambda shape: shape.__name__)
def test_a_row_that_waits_keeps_nothing_of_the_server(make_gate: Any, issue: Any, shape: Any) -> None:
    """Its handlers hold sockets, headers with the token and bodies; thousands of rows may wait."""

    class Handler:
        def start_response(self, status: str, lines: Any, exc_info: Any = None) -> Callable[[bytes], object]:
            return lambda data: None

    gate = make_gate(app=shape)
    handler = Handler()
    body = gate(environ_of("GET", "/api/v1/user", issue("read:user")), handler.start_response)
    assert b"".join(body) == BODY
    if hasattr(body, "close"):
        body.close()
    kept = weakref.ref(handler)
    del handler, body
    gc.collect()
    assert kept() is None
    assert [entry.status for entry in entries(gate)] == [201]


def test_a_row_that_waits_keeps_nothing_of_the_environ(make_gate: Any, issue: Any) -> None:
    """Neither the body of the request nor what the application put there."""

    class Session:
        pass

    kept: list[Any] = []

    def app(environ: Any, start_response: Any) -> Any:
        environ["session"] = session = Session()
        kept.append(weakref.ref(session))
        return a_generator(environ, start_response)

    gate: Scopeware = make_gate(app=app)
    assert ask(gate, "/api/v1/user", issue("read:user")) == 201
    gc.collect()
    assert kept[0]() is None
    assert len(entries(gate)) == 1
