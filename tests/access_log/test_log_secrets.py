"""A secret that somebody uses is in nothing that is written, whatever becomes of the request that carries it."""

from __future__ import annotations

import base64
import json
import logging
import os
import subprocess
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from access_log_helpers import ask, bearer, entries, environ_of, started

from scopeware import Policy, Scopeware, TokenStore, req_scopes
from scopeware.gate import Context
from scopeware.policy import LogOptions
from scopeware.tokens import LogEntry, LogFilter, Peppers, SecretFormat

WINDOW = 10
"""No so many characters of a secret that follow each other may show up anywhere."""
PEPPER = "a pepper that is quite long enough, I should think"


def traces(secret: str) -> set[str]:
    """What shows that a secret was written down, as a whole or in part, as it is or in base64; but for the end of it,
    which people recognise it by."""
    _, _, body = secret.rpartition("_")
    found = {body[start : start + WINDOW] for start in range(len(body) - WINDOW + 1)}
    for before in ("", "a", "ab"):
        encoded = base64.b64encode(f"{before}{body}".encode()).decode()
        found |= {encoded[start : start + WINDOW] for start in range(4, len(encoded) - WINDOW - 4)}
    return found


def shown(secret: str, text: str) -> list[str]:
    """Where in a text a secret shows up."""
    hits = [text.index(trace) for trace in traces(secret) if trace in text]
    return [text[max(0, hit - 60) : hit + 60] for hit in sorted(hits)[:3]]


def test_a_secret_that_was_written_down_would_be_found() -> None:
    """Whole, cut short at either end, and in Basic credentials; what people may see of it is not."""
    secret = SecretFormat("swt").generate()
    for text in (secret, secret[:20], secret[20:], f"x{secret[4:]}x", json.dumps({"a": secret})):
        assert shown(secret, text)
    for pair in (f"{secret}:", f":{secret}", f"alice:{secret}", f"{secret}:x-oauth-basic"):
        assert shown(secret, base64.b64encode(pair.encode()).decode())
    assert not shown(secret, f"swt_*** ...{secret[-4:]} {SecretFormat('swt').generate()}")


def basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


@dataclass
class Place:
    """Where a secret may stand in a request: headers, the query, more of the path, the method."""

    headers: dict[str, str] = field(default_factory=dict)
    query: str = ""
    path: str = ""
    method: str = "GET"
    pair: str | None = None

    def fill(self, secret: str) -> tuple[str, str, str, dict[str, str]]:
        """Method, the end of the path, query and headers, the secret in its place."""

        def put(text: str) -> str:
            return text.replace("{secret}", secret).replace("{body}", secret.rpartition("_")[2])

        headers = {name: put(value) for name, value in self.headers.items()}
        if self.pair is not None:
            headers["authorization"] = basic(put(self.pair))
        return put(self.method), put(self.path), put(self.query), headers


SPELLINGS = {
    "Bearer": "Bearer {secret}",
    "bearer": "bearer {secret}",
    "token": "token {secret}",
    "TOKEN, spaces": "  TOKEN   {secret}  ",
    "no scheme": "{secret}",
    "unknown scheme": "Digest {secret}",
    "colon": "Bearer:{secret}",
    "without the prefix": "Bearer {body}",
    "two": "Bearer {secret}, Bearer {secret}",
    "two schemes": "Bearer {secret}, Basic {secret}",
    "quoted": 'Bearer "{secret}"',
    "something after": "Bearer {secret}x",
    "something before": "Bearer x{secret}",
    "in the clear as Basic": "Basic {secret}",
    "no base64": "Basic {secret}!!!",
    "very long": "Bearer {secret}" + "x" * 9000,
}
PAIRS = {
    "as user": "{secret}:",
    "as user of OAuth": "{secret}:x-oauth-basic",
    "as password": "alice:{secret}",
    "as both": "{secret}:{secret}",
    "beside a password": "{secret}:hunter2",
    "without a colon": "{secret}",
}
TOKEN_PLACES = {
    **{f"Authorization, {name}": Place({"authorization": text}) for name, text in SPELLINGS.items()},
    **{f"Basic, {name}": Place(pair=pair) for name, pair in PAIRS.items()},
    "X-API-Key": Place({"x_api_key": "{secret}"}),
    "X-API-Key, two": Place({"x_api_key": "{secret}, {secret}"}),
    "X-API-Key, with a scheme": Place({"x_api_key": "Bearer {secret}"}),
    "two headers": Place({"x_api_key": "{secret}", "authorization": "Bearer {secret}"}),
    "query": Place(query="a=1&token={secret}"),
    "query, twice": Place(query="token={secret}&token={secret}"),
    "query, encoded": Place(query="tok%65n=%73wt_{body}"),
}
OTHER_PLACES = {
    "another parameter": Place(query="password={secret}"),
    "path": Place(path="/{secret}"),
    "path, in a segment": Place(path="/x{secret}.git"),
    "path, beside a token": Place({"authorization": "Bearer {secret}"}, path="/{secret}"),
    "path, ambiguous": Place(path="/./{secret}"),
    "path, line break": Place(path="/\r\n{secret}"),
    "path, encoded twice": Place(path="/swt%5F{body}"),
    "path, upper case": Place(path="/SWT_{body}"),
    "path, and a long one": Place(path="/" + "x" * 1_960 + "/{secret}"),
    "method": Place(method="{secret}"),
    "Referer": Place({"referer": "https://forge.example/?token={secret}"}),
    "Cookie": Place({"cookie": "session={secret}"}),
    "X-Original-URL": Place({"x_original_url": "/?token={secret}"}),
    "Destination": Place({"destination": "http://elsewhere.example/{secret}"}, method="COPY"),
    "Destination, ambiguous": Place({"destination": "http://forge.example/api/v1/./{secret}"}, method="MOVE"),
    "User-Agent": Place({"user_agent": "{secret}"}),
    "look-alike": Place({"x_scopeware_owner": "{secret}", "remote_user": "{secret}"}),
}
PLACES = TOKEN_PLACES | OTHER_PLACES
PASSED_ON_BY_REPORT_MODE = "Authorization, without the prefix"
"""What is not taken for a token of ours reaches the application, and is its own to show."""

SITUATIONS = (
    "allowed",
    "insufficient",
    "unmatched",
    "public route",
    "outside",
    "cut short",
    "cut at the front",
    "unknown",
    "revoked",
    "expired",
    "rotated",
    "inactive owner",
    "wrong address",
    "out of reach",
    "out of reach, hidden",
    "store down",
    "observer fails",
    "identify fails",
    "application fails",
    "application fails later",
    "style fails",
    "guard refuses",
)


@dataclass
class Site:
    """A store with everything around it that writes: a gate with all sinks, its log, what is printed and logged."""

    folder: Path
    store: TokenStore
    told: list[LogEntry]
    printed: Callable[[], str]
    logged: pytest.LogCaptureFixture
    texts: list[str] = field(default_factory=list)
    gates: list[Scopeware] = field(default_factory=list)

    def gate(self, app: Any, policy: Policy, **options: Any) -> Scopeware:
        log = LogOptions(to=("database", "stdout", f"file:{self.folder}/log.jsonl"))
        usual = {"headers": ["X-API-Key"], "query": ["token"], "access_log": log, "log_sink": self.told.extend}
        self.gates.append(Scopeware(app, policy, self.store, **(usual | options)))
        return self.gates[-1]

    def everything(self) -> Iterator[tuple[str, str]]:
        """All that was written down, by where."""
        for gate in self.gates:
            gate.access_log.flush()
        yield "answers and reprs", "\n".join(self.texts)
        yield "log records", "\n".join(repr(record.__dict__) for record in self.logged.records)
        yield "log text", self.logged.text
        yield "the callable", repr(self.told)
        yield "printed", self.printed()
        for path in sorted(self.folder.iterdir()):
            yield path.name, bytes_of(path).decode("latin-1")


def bytes_of(path: Path) -> bytes:
    """Read by another process: to open and close a database in this one would drop the locks that SQLite holds."""
    return subprocess.run(["cat", str(path)], check=True, capture_output=True).stdout


@pytest.fixture
def site(tmp_path: Path, capfd: Any, caplog: pytest.LogCaptureFixture) -> Iterator[Site]:
    """All sinks on, everything logged."""
    caplog.set_level(logging.DEBUG)
    folder = tmp_path / "written"
    folder.mkdir()
    store = TokenStore.connect(f"sqlite:///{folder}/tokens.db", peppers=Peppers({1: PEPPER}))

    def printed() -> str:
        out, err = capfd.readouterr()
        return f"{out}{err}"

    yield Site(folder, store, [], printed, caplog)
    store.close()


def spoil(site: Site, situation: str) -> str:
    """The secret of a token in some state."""
    scopes = "all"
    more: dict[str, Any] = {}
    if situation == "insufficient":
        scopes = "read:misc"
    elif situation.startswith("out of reach"):
        scopes = "read:repository@alice/widgets"
    elif situation == "wrong address":
        more["networks"] = "198.51.100.0/24"
    issued = site.store.issue(
        owner="carol" if situation == "inactive owner" else "alice", name="t", scopes=scopes, **more
    )
    site.texts += [repr(issued), repr(issued.token), str(issued)]
    secret = issued.secret
    if situation == "cut short":
        return secret[:-1]
    if situation == "cut at the front":
        return f"swt_{secret[5:]}"
    if situation == "unknown":
        return SecretFormat("swt").generate()
    if situation == "revoked":
        site.store.revoke(issued.token.id)
    elif situation == "rotated":
        site.texts.append(repr(site.store.rotate(issued.token.id)))
    elif situation == "inactive owner":
        site.store.disable_owner("carol")
    elif situation == "expired":
        sql(site, "UPDATE scopeware_token SET expires_at = 1")
    elif situation == "store down":
        sql(site, "ALTER TABLE scopeware_token RENAME TO away")
    return secret


def sql(site: Site, statement: str) -> None:
    with site.store._database.session():
        site.store._database.peewee.execute_sql(statement)


def application(situation: str) -> Any:
    """Answers, or fails as loudly as can be."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        # What somebody planted elsewhere is the application's own to show or not.
        mine = {key: value for key, value in environ.items() if key not in OTHERS}
        if situation == "application fails":
            raise RuntimeError(repr(mine))
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"the application"
        if situation == "application fails later":
            raise RuntimeError(repr(mine))

    if situation == "guard refuses":
        return req_scopes("write:admin")(app)
    return app


OTHERS = (
    "HTTP_REFERER",
    "HTTP_COOKIE",
    "HTTP_X_ORIGINAL_URL",
    "HTTP_USER_AGENT",
    "HTTP_DESTINATION",
    "PATH_INFO",
    "REQUEST_URI",
    "QUERY_STRING",
    "REQUEST_METHOD",
)


def broken(*arguments: Any) -> Any:
    raise RuntimeError("not my day")


def not_found(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b"not here"]


def options_for(situation: str, site: Site) -> dict[str, Any]:
    def observe(environ: dict[str, Any], context: Context) -> None:
        site.texts += [repr(context), repr(context.token), repr(context.decision), repr(context.refusal)]
        if situation == "observer fails":
            raise RuntimeError(repr(context))

    options: dict[str, Any] = {"observe": observe}
    if situation == "identify fails":
        options["identify"] = broken
    elif situation == "style fails":
        options["answers"] = broken
    elif situation == "out of reach, hidden":
        options["not_found"] = not_found
    return options


def base_of(situation: str) -> str:
    if situation.startswith("out of reach"):
        return "/api/v1/repos/alice/gadgets"
    return {
        "unmatched": "/api/v1/nothing",
        "insufficient": "/api/v1/admin",
        "style fails": "/api/v1/sessions-only",
        "outside": "/elsewhere",
        "public route": "/api/v1/version",
    }.get(situation, "/api/v1/user")


def drive(gate: Scopeware, site: Site, base: str, place: Place, secret: str) -> int | None:
    """Make a request, and keep what came of it: the answer, the traceback, what stands for it until it is written."""
    method, more, query, headers = place.fill(secret)
    environ = environ_of(method, base + more, QUERY_STRING=query, REQUEST_URI=f"{base}{more}?{query}")
    environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    statuses: list[str] = []
    for accept in ("*/*", "text/html"):
        try:
            body = started(gate, environ | {"HTTP_ACCEPT": accept}, statuses)
            try:
                site.texts += [repr(b"".join(body))]
            finally:
                body.close()
        except RuntimeError as error:
            site.texts += traceback.TracebackException.from_exception(error, capture_locals=False).format()
    site.texts += statuses + [repr(visit) for visit in list(gate.access_log._queue)]
    return int(statuses[-1][:3]) if statuses else None


@pytest.mark.parametrize("mode", ["enforce", "report"])
@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_planted_secret_is_never_written_down(site: Site, policy: Policy, situation: str, mode: str) -> None:
    """In no row, line, log record, answer, traceback or repr; not in the bytes of the database and its WAL."""
    secret = spoil(site, situation)
    gate = site.gate(application(situation), policy, mode=mode, **options_for(situation, site))
    base = base_of(situation)
    for name, place in PLACES.items():
        if not (mode == "report" and name == PASSED_ON_BY_REPORT_MODE and situation.startswith("application fails")):
            drive(gate, site, base, place, secret)
    site.texts += [repr(gate), repr(site.store), repr(site.store._peppers), repr(gate.access_log), repr(policy)]
    if situation == "store down":
        sql(site, "ALTER TABLE away RENAME TO scopeware_token")
    written = dict(site.everything())
    # What is looked through is what there is to look through.
    count = len(site.told)
    assert count > 0
    assert len(written["log.jsonl"].splitlines()) == count
    assert len(gate.access_log.latest(limit=1_000)) == count
    assert written["printed"].count('"decision"') == count
    assert {name: found for name, text in written.items() if (found := shown(secret, text))} == {}
    assert {name: found for name, text in written.items() if (found := shown(PEPPER, text))} == {}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("mode", ["enforce", "report"])
def test_a_planted_secret_is_not_written_down_wherever_it_stands(
    site: Site, policy: Policy, place: str, mode: str
) -> None:
    """Each place for itself, with a token that works and without one."""
    secret = spoil(site, "allowed")
    gate = site.gate(application("allowed"), policy, mode=mode)
    other = site.store.issue(owner="alice", name="other", scopes="all").secret
    for base in ("/api/v1/user", "/api/v1/repos/alice"):
        drive(gate, site, base, PLACES[place], secret)
        if "authorization" not in PLACES[place].fill(secret)[3]:
            with_token = Place(**(vars(PLACES[place]) | {"headers": PLACES[place].headers | bearer(other)}))
            drive(gate, site, base, with_token, secret)
    written = dict(site.everything())
    assert site.told
    assert {name: found for name, text in written.items() if (found := shown(secret, text))} == {}


def test_the_traceback_of_an_application_shows_no_secret_even_with_all_variables(site: Site, policy: Policy) -> None:
    """As debuggers and services that collect errors print them: what is local to each frame of the gate, too."""
    secret = spoil(site, "allowed")
    gate = site.gate(application("application fails"), policy)
    statuses: list[str] = []
    for place in TOKEN_PLACES.values():
        method, more, query, headers = place.fill(secret)
        environ = environ_of(method, f"/api/v1/user{more}", QUERY_STRING=query)
        environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
        try:
            body = gate(environ, lambda status, lines, exc_info=None: statuses.append(status))
            list(body)
        except RuntimeError as error:
            # The first frame is this one, and knows.
            frames = traceback.TracebackException(type(error), error, error.__traceback__.tb_next, capture_locals=True)
            site.texts += frames.format()
    assert any("environ = " in text for text in site.texts)
    assert shown(secret, "\n".join(site.texts)) == []


@pytest.mark.parametrize(
    "name",
    ["Authorization, unknown scheme", "Basic, beside a password", "Basic, without a colon"],
)
def test_what_report_mode_lets_pass_reaches_the_application_without_a_secret(
    site: Site, policy: Policy, name: str
) -> None:
    """Also where a token of ours stands as we do not take it: it would have been refused, and never passed on."""
    seen: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        seen.append(repr(environ))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b""]

    secret = spoil(site, "allowed")
    gate = site.gate(app, policy, mode="report")
    assert drive(gate, site, "/api/v1/user", TOKEN_PLACES[name], secret) == 200
    gate.access_log.flush()
    assert {record.entry.code for record in gate.access_log.latest()} == {"token_invalid"}
    assert shown(secret, "".join(seen)) == []


@pytest.mark.parametrize("field_name", ["path", "resource"])
def test_what_is_left_of_a_secret_in_a_path_is_its_prefix(site: Site, policy: Policy, field_name: str) -> None:
    """Nothing else of the path is lost; words that only resemble one stay as they are."""
    secret = spoil(site, "allowed")
    gate = site.gate(application("allowed"), policy)
    for name in (secret, secret[:9], "swtx_abc", "swt"):
        drive(gate, site, f"/api/v1/repos/alice/{name}", PLACES["Authorization, Bearer"], secret)
    found = [getattr(entry, field_name) for entry in entries(gate)][::2]
    start = "/api/v1/repos/alice/" if field_name == "path" else "alice/"
    assert found == [f"{start}{name}" for name in ("swt_***", "swt_***", "swtx_abc", "swt")]


def test_the_prefix_that_is_looked_for_is_that_of_the_deployment(tmp_path: Path, policy: Policy, app: Any) -> None:
    """Its own, where it has one; another one's is any word."""
    store = TokenStore.connect(f"sqlite:///{tmp_path}/tokens.db", prefix="acme")
    gate = Scopeware(app, policy, store)
    mine, other = SecretFormat("acme").generate(), SecretFormat("else").generate()
    for name in (mine, other):
        assert ask(gate, f"/api/v1/user/{name}") == 401
    assert [entry.path for entry in entries(gate)] == ["/api/v1/user/acme_***", f"/api/v1/user/{other}"]
    store.close()


def test_what_waits_on_disk_has_no_secret_in_it_either(
    site: Site, policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refusals that no sink takes wait in a file that has no name; it is read here while it is open."""
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(spool))
    secret = spoil(site, "allowed")
    dead = [True]

    def sink(given: Sequence[LogEntry]) -> None:
        if dead:
            raise OSError("not my day")

    gate = site.gate(application("allowed"), policy, access_log=LogOptions(to=(), most=100), log_sink=sink)
    for _ in range(40):
        for name in ("path", "Referer", "query, twice", "Basic, as both", "Authorization, two"):
            drive(gate, site, "/api/v1/user", PLACES[name], secret)
    gate.access_log.flush()
    [spilled] = [
        f"/proc/self/fd/{name}"
        for name in os.listdir("/proc/self/fd")
        if (target := link_of(name)).startswith(str(spool)) and target.endswith("(deleted)")
    ]
    text = Path(spilled).read_text()
    assert len(text.splitlines()) > 50
    assert shown(secret, text) == []
    assert oct(os.stat(spilled).st_mode & 0o777) == "0o600"
    dead.clear()
    assert {name: found for name, text in site.everything() if (found := shown(secret, text))} == {}


def link_of(descriptor: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return ""


def test_what_is_read_back_has_no_secret_in_it(site: Site, policy: Policy) -> None:
    """Records and filters, as values and as JSON."""
    secret = spoil(site, "allowed")
    gate = site.gate(application("allowed"), policy)
    for place in TOKEN_PLACES.values():
        drive(gate, site, "/api/v1/user", place, secret)
    gate.access_log.flush()
    records = gate.access_log.latest(LogFilter(owner="alice"))
    assert records
    for text in (repr(records), json.dumps([record.entry.as_dict() for record in records]), repr(site.store.list())):
        assert shown(secret, text) == []
    assert {record.entry.hint for record in records} == {secret[-4:]}
