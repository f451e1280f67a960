"""Routes from documents: OpenAPI of any version, and rows; what is found, what is said of it, what is refused."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import flask
import pytest
from werkzeug.routing import Map, Rule

from scopeware import Policy, req_scopes, req_token
from scopeware.cli.routes import as_data
from scopeware.errors import ConfigurationError
from scopeware.introspect.data import parse, read
from scopeware.introspect.discover import discover
from scopeware.introspect.draft import draft
from scopeware.introspect.endpoint import Declared, Discovery, Finder
from scopeware.introspect.tables import discover_document, merged
from scopeware.policy import sample
from scopeware.policy.path import canonical

DATA = Path(__file__).resolve().parents[1] / "data"
UUID = "00000000-0000-4000-8000-00000000000A"
FINE = {"responses": {"200": {"description": "Fine"}}}


def covers(found: Discovery, method: str, path: str) -> bool:
    """Whether some endpoint stands for a request, as the gate reads its path."""
    text = canonical(path).removesuffix("/")
    return any(
        endpoint.pattern._regex.fullmatch(text) and (not endpoint.methods or method in endpoint.methods)
        for endpoint in found.endpoints
    )


def document(paths: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A small one, of version 3.1 unless something else is said."""
    head = {} if "swagger" in more else {"openapi": "3.1.0"}
    return {**head, "info": {"title": "Things", "version": "1"}, "paths": paths} | more


def found(paths: dict[str, Any], **more: Any) -> list[str]:
    return [str(endpoint) for endpoint in discover_document(document(paths, **more), "api.json").endpoints]


# -- rows


@pytest.mark.parametrize(("name", "count"), [("gitea-routes", 491), ("timetracker-routes", 280)])
def test_every_row_of_a_table_is_found(name: str, count: int) -> None:
    """With its method, its path, and what it says of who may call it."""
    rows = read(DATA / f"{name}.json")
    told = discover_document(rows, name)
    assert (told.kind, len(rows), len(told.endpoints)) == ("table", count, count)
    paths = [row["path"].replace("?/", "/api/v1/") for row in rows]
    methods = ["GET" if row["method"] == "ANY" else row["method"] for row in rows]
    assert [path for method, path in zip(methods, paths, strict=True) if not covers(told, method, sample(path))] == []
    wanted = sum(row["req_token"] for row in rows)
    assert sum(bool(endpoint.declared and endpoint.declared.require_token) for endpoint in told.endpoints) == wanted


@pytest.mark.parametrize(
    ("path", "paths"),
    [
        pytest.param("/x/{a}/{kind:b|c}/*/<int:d>/*", ["/x/1/b/2/3/4", "/x/1/c/2/3/4/5"], id="and stars"),
        pytest.param("/x/{id:int}/{rest:path}", ["/x/5/a", "/x/5/a/b"], id="with converters"),
        pytest.param("/x/{rest:.*}", ["/x/a", "/x/a/b"], id="with regular expressions"),
    ],
)
def test_paths_of_rows_may_have_variables(path: str, paths: list[str]) -> None:
    """As several frameworks write them."""
    told = discover_document({"routes": [{"method": "put", "path": path}]}, "rows")
    assert [each for each in paths if not covers(told, "PUT", each)] == []


def test_routes_that_are_lost_are_lost_in_their_table_too() -> None:
    """Which `scopeware routes --json` writes, and `init` and `lint` read."""
    made = Finder()
    made.add(("GET",), "/api/x/<y>", doc="Read it.", tags=("Xs",), declared=Declared((("x",),), True))
    made.add((), "/api/z", open=True, rough=True, operation=7)
    made.add(("DELETE",), "/api/<__y>")
    made.lose("/", "more of it is not known")
    told = made.discovery()
    read_again = discover_document(json.loads(json.dumps(as_data(told))), "routes.json")
    assert read_again.lost == told.lost == ("/api", "/")
    assert read_again.endpoints == told.endpoints
    assert [endpoint.operation for endpoint in read_again.endpoints] == [0, 7]
    assert all(any(f"below {path} " in note for note in read_again.notes) for path in told.lost)


def test_a_prefix_does_not_leave_out_what_is_lost() -> None:
    """What lies there may be anything: it is to be refused, not passed through."""
    rows = [{"method": "GET", "path": f"/api/{word}"} for word in ("orders", "items")]
    places = {"none": [], "inside": ["/api/v1"], "there": ["/api"], "beside": ["/x"], "/": ["/"]}
    prefixes = {
        place: Policy.loads(draft(discover_document({"routes": rows, "lost": lost}, "rows"), "rows").text).prefix
        for place, lost in places.items()
    }
    assert prefixes == {"none": "/api", "inside": "/api", "there": "/api", "beside": "", "/": ""}


RULE = '[[group]]\npath = "/"\nscopes = []\nrequire_token = false\n'
ENDS = ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029", "\0", '"', "'''\n", '"""\n']


@pytest.mark.parametrize("end", ENDS, ids=ascii)
def test_what_a_table_says_of_itself_makes_no_rules(end: str) -> None:
    """Neither its kind, its notes, its name, nor what it says of a route, be there routes or none."""
    wrong = f"flask{end}{RULE}#"
    row = {"method": "GET", "path": "/x/y", "name": wrong, "doc": wrong, "tags": [wrong]}
    tables: list[Any] = [
        {"kind": wrong, "notes": [wrong], "routes": []},
        {"kind": wrong, "notes": [wrong], "routes": [row, {**row, "path": "/z"}, {**row, "method": "POST"}]},
        document({"/x": {"get": {"summary": wrong, "operationId": wrong, "tags": [wrong], **FINE}}}),
    ]
    for table in tables:
        for name in ("app", wrong):
            policy = Policy.loads(draft(discover_document(table, "table.json"), name).text)
            assert [each for each in policy.requirements() if not each.require_token or each.scope_free] == []


# -- what rules cannot spell


@pytest.mark.parametrize(
    ("path", "front"),
    [
        pytest.param("/admin;export", "/", id="the first segment"),
        pytest.param("/api/v1/<__x>/y", "/api/v1", id="a variable in the middle"),
        pytest.param("/api/<org>/a;b", "/api", id="behind a variable"),
        pytest.param("/api/x-<y>/a;b", "/api", id="behind a variable beside other text"),
        pytest.param("/größe/a b/x;y", "/größe/a b", id="behind letters of every kind"),
        pytest.param("/<x>;y", "/", id="nothing that is known"),
    ],
)
def test_what_rules_cannot_spell_is_lost_below_what_is_known(path: str, front: str) -> None:
    """And it is said; the rest of the routes is there."""
    made = Finder()
    made.add(("GET",), "/fine")
    made.add(("GET",), path)
    told = made.discovery()
    assert (told.lost, [endpoint.path for endpoint in told.endpoints]) == ((front,), ["/fine"])
    assert [note.partition(": ")[0] for note in told.notes] == [path]


def test_routes_that_look_alike_but_for_what_is_said_of_them_are_kept() -> None:
    """Only what is the same in all of it is there once; a slash at the end makes no difference."""
    made = Finder()
    for declared in (None, Declared((), False), Declared((("staff",),), True), None):
        made.add(("GET",), "/x", declared=declared)
        made.add(("GET",), "/x/", declared=declared)
    made.add(("GET",), "/x", open=True)
    assert [(each.declared, each.open) for each in made.discovery().endpoints] == [
        (None, False),
        (Declared((), False), False),
        (Declared((("staff",),), True), False),
        (None, True),
    ]


def test_a_slash_at_the_end_does_not_hide_what_a_document_asks_for() -> None:
    """The draft asks for all that either does."""
    paths = {
        "/api/reports": {"get": {"security": []}},
        "/api/reports/": {"get": {"security": [{"token": []}], "x-required-scopes": [["staff"]]}},
        "/api/orders": {"get": {"security": [{"token": ["orders"]}]}},
    }
    told = discover_document(document(paths), "api.json")
    assert len(told.endpoints) == 3
    needed = Policy.loads(draft(told, "api.json").text).requirement("GET", "/api/reports")
    assert needed is not None
    assert (needed.require_token, needed.scope_lists()) == (True, (("read:staff",),))


# -- OpenAPI


@pytest.mark.parametrize(
    "cases",
    [
        pytest.param(
            [
                ({"swagger": "2.0", "basePath": "/api/v1/"}, "/api/v1/x"),
                ({"swagger": "2.0", "basePath": "/"}, "/x"),
                ({"servers": [{"url": "//{h}.example:80/{v}/", "variables": {"v": {"default": "v2"}}}]}, "/v2/x"),
                ({"servers": []}, "/x"),
            ],
            id="with a slash in front, or none",
        ),
        pytest.param(
            [({"swagger": "2.0", "basePath": "api"}, "/api/x"), ({"servers": [{"url": "v1"}]}, "/v1/x")],
            id="without a slash in front",
        ),
        pytest.param([({"servers": [{"url": None}]}, "/x")], id="nothing"),
    ],
)
def test_paths_stand_below_the_server(cases: list[tuple[dict[str, Any], str]]) -> None:
    """As the application sees them, with the defaults of its variables."""
    assert [found({"/x": {"get": FINE}}, **more) for more, _ in cases] == [[f"GET {path}"] for _, path in cases]


def test_paths_stand_below_each_server() -> None:
    """With all that its variables may be: a policy that guards only one of them leaves the others open."""
    version = {"url": "https://x.example/{v}", "variables": {"v": {"default": "v1", "enum": ["v1", "v2"]}}}
    assert found({"/x": {"get": FINE}}, servers=[{"url": "/a"}, {"url": "/b/"}]) == ["GET /a/x", "GET /b/x"]
    assert found({"/x": {"get": FINE}}, servers=[version]) == ["GET /v1/x", "GET /v2/x"]


def test_servers_of_a_path_or_an_operation_replace_those_of_the_document() -> None:
    """OpenAPI 3.1 4.8.9 and 4.8.10."""
    paths = {
        "/x": {"servers": [{"url": "/two"}], "get": FINE},
        "/y": {"get": {**FINE, "servers": [{"url": "/three"}]}, "put": FINE},
    }
    assert found(paths, servers=[{"url": "/one"}]) == ["PUT /one/y", "GET /three/y", "GET /two/x"]


@pytest.mark.parametrize(
    "cases",
    [
        pytest.param(
            [
                ({"enum": ["a", "b-c", 1]}, ["a", "b-c", "1"]),
                ({"enum": ["two words", "../x", ""]}, ["two words"]),
                ({"type": "string", "format": "uuid"}, [UUID, UUID.lower()]),
                ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, ["5", "a"]),
            ],
            id="texts",
        ),
        pytest.param([({"type": "integer"}, ["5"]), ({"type": "number"}, ["5.5"])], id="numbers"),
        pytest.param([({"type": ["integer", "string"]}, ["5", "a"])], id="of two types"),
        pytest.param(
            [
                ({"enum": ["inf", "None", "True"]}, ["inf", "None", "True"]),
                ({"enum": [True, False]}, ["true", "false"]),
            ],
            id="words that werkzeug and Python spell otherwise",
        ),
    ],
)
def test_whatever_fits_a_parameter_is_covered(cases: list[tuple[dict[str, Any], list[str]]]) -> None:
    """Given with the path, with the operation, or by a reference."""
    for schema, texts in cases:
        parameter = {"name": "the-id", "in": "path", "required": True, "schema": schema}
        for parameters in ([parameter], [{"$ref": "#/components/parameters/Id"}]):
            for item in ({"get": {"parameters": parameters}}, {"parameters": parameters, "get": FINE}):
                more = {"components": {"parameters": {"Id": parameter}}}
                told = discover_document(document({"/x/{the-id}/{other}": item}, **more), "api.json")
                assert [text for text in texts if not covers(told, "GET", f"/x/{text}/y")] == []


def test_parameters_of_the_operation_replace_those_of_the_path() -> None:
    """And names become such that rules may have, each once."""
    uuid, text = ({"name": "the-id", "in": "path", "schema": schema} for schema in ({"format": "uuid"}, {}))
    item = {"parameters": [uuid], "get": {"parameters": [text]}, "put": FINE}
    assert set(found({"/x/{the-id}/{the_id}/{1}.{e}:go": item})) == {
        "GET /x/<the_id>/<the_id2>/<x1>.<e>:go",
        "PUT /x/<uuid:the_id>/<the_id2>/<x1>.<e>:go",
    }


def test_references_within_the_document_are_followed() -> None:
    """Also where something stands beside them, and where braces are encoded as in a URL (RFC 6901 6)."""
    paths = {
        "/a": {"$ref": "#/components/pathItems/A", "post": FINE},
        "/b/{id}": {"$ref": "#/paths/~1c~1%7Bid%7D"},
        "/c/{id}": {"get": FINE},
        "/d": {"$ref": "#/paths/~1e"},
        "/e": {"$ref": "#/paths/~1d"},
    }
    more = {"components": {"pathItems": {"A": {"get": FINE}}}}
    assert set(found(paths, **more)) == {"GET /a", "POST /a", "GET /b/<id>", "GET /c/<id>"}


def test_other_documents_are_not_fetched_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands beside the reference is known, though."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("no connection is to be made")

    monkeypatch.setattr(socket, "socket", refuse)
    away = {"$ref": "https://server.example/other.json#/paths/x"}
    schema = {"name": "id", "in": "path", "schema": away}
    item = {"parameters": [away, schema], "get": {"responses": {"200": away}}}
    told = discover_document(document({"/x/{id}": item, "/y": away, "/z": {**away, "get": FINE}}), "api.json")
    assert "another document" in " ".join(told.notes)
    assert [str(endpoint) for endpoint in told.endpoints] == ["GET /x/<id>", "GET /z"]


def test_operations_say_what_is_declared_of_them() -> None:
    """Name, tags, the first line of what is written, and their security or that of the document."""
    paths = {
        "/a": {"get": {"operationId": "getA", "tags": ["As"], "description": "\n\n Read it.\nAll."}},
        "/b": {"get": {"security": []}},
        "/c": {"get": {"security": [{}, {"token": ["r", "s"]}]}},
        "/d": {"get": {"security": [{"key": []}], "x-required-scopes": [["q"], ["r", "s"]]}},
    }
    told = discover_document(document(paths, security=[{"token": ["w"]}, {"other": ["v"]}]), "api.json").endpoints
    declared = [each.declared and (each.declared.alternatives, each.declared.require_token) for each in told]
    assert declared == [
        ((("w",), ("v",)), True),
        ((), False),
        ((("r", "s"),), False),
        ((("q",), ("r", "s")), True),
    ]
    assert (told[0].name, told[0].tags, told[0].doc) == ("getA", ("As",), "Read it.")


# -- files


def test_yaml_and_json_are_read_alike(tmp_path: Path) -> None:
    """Whatever the file is called."""
    yaml = pytest.importorskip("yaml")
    data = document({"/x/{id}": {"get": {"responses": {200: {"description": "Größe"}}}}})
    (tmp_path / "api.yaml").write_text(yaml.safe_dump(data, allow_unicode=True), "utf-8")
    (tmp_path / "api.yml").write_text(json.dumps(data), "utf-8")
    (tmp_path / "api.json").write_text(json.dumps(data), "utf-8")
    told = [discover_document(read(path), path.name) for path in sorted(tmp_path.iterdir())]
    assert {each.endpoints for each in told} == {told[0].endpoints}


def test_words_of_yaml_are_those_of_its_version_1_2() -> None:
    """As OpenAPI asks: a country is no falsehood, a time no number, and what was said with commas stays."""
    pytest.importorskip("yaml")
    text = "a: [NO, on, 12:30, 2024-01-01, 010, 0x1F, true, ~, 1.5, 1e3, '7', .5, -3]"
    said = parse(text, "api.yaml")["a"]
    assert said == ["NO", "on", "12:30", "2024-01-01", 10, 31, True, None, 1.5, 1000.0, "7", 0.5, -3]


BROKEN_TEXTS = (
    *("{", '{"a": 1', "a: b: c", "\t", "\0", "--- a\n--- b", "- " * 3000, "[" * 100_000, "? [a]\n: b"),
    *("a: !!python/object:os.system x", "a: !!bool maybe", "a: !!int ''", "a: !!timestamp x"),
)


def test_broken_text_is_refused() -> None:
    """With the name of the file, in one line, whatever is wrong."""
    pytest.importorskip("yaml")
    told = []
    for text in BROKEN_TEXTS:
        try:
            parse(text, "api.yaml")
        except Exception as error:
            told.append((text[:30], type(error), str(error)))
    assert len(told) == len(BROKEN_TEXTS)
    assert [each for each in told if each[1] is not ConfigurationError] == []
    assert {message[:17] for _, _, message in told} == {"api.yaml: broken "}
    assert not any("\n" in message for _, _, message in told)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    """None there, a folder, no text."""
    (tmp_path / "api.json").write_bytes(b"\xff\xfe{}")
    for path in (tmp_path / "none.json", tmp_path, tmp_path / "api.json"):
        with pytest.raises(ConfigurationError, match="it cannot be read"):
            read(path)


ROW = {"method": "GET", "path": "/x"}
BROKEN: list[Any] = [
    *(None, 5, "x", [], {}, [5], [[]], {"routes": []}, {"routes": {"a": ROW}}, {"openapi": "3.0.0"}),
    *({"openapi": version, "paths": paths} for version in ("3.1.0", "4.0.0", None) for paths in ({}, [], {"/x": None})),
    *([{**ROW, **wrong}] for wrong in ({"method": 5}, {"method": ""}, {"path": None}, {"path": "x"}, {"any_of": [5]})),
    {"openapi": "3.1.0", "servers": [{"url": "http://[x"}], "paths": {"/x": {"get": FINE}}},
]


def test_what_is_no_table_of_routes_is_refused() -> None:
    """Of the wrong type, empty, of a version that nobody knows."""
    passed = []
    for data in BROKEN:
        try:
            passed.append((data, discover_document(data, "api.json")))
        except ConfigurationError:
            pass
        except Exception as error:
            passed.append((data, error))
    assert passed == []


def test_odd_places_of_a_document_do_no_harm() -> None:
    """What is not as it should be is as if it were not there."""
    operation = {"parameters": [None, 5, {"name": 5, "in": "path"}], "tags": "x", "security": {}, "operationId": 5}
    paths = {"/x/{id}": {"get": operation, "put": None, "on": 5, "parameters": "x"}, "y": {"get": FINE}, "/z": []}
    for more in ({"servers": [None]}, {"servers": {"a": 1}}, {"security": "x"}, {"tags": None}):
        assert found(paths, **more) == ["GET /x/<id>"]


def test_why_a_document_has_no_route_is_said() -> None:
    """Not only that it has none."""
    with pytest.raises(ConfigurationError, match="another document"):
        found({"/x": {"$ref": "other.yaml#/x"}})


# -- an application and its document


def application(count: int) -> Discovery:
    made = flask.Flask("site", static_folder=None)
    for number in range(count):
        made.add_url_rule(f"/r{number}/<int:x>", f"r{number}", lambda x: "", methods=["GET"])
    return discover(made)


def test_a_document_of_a_seventh_of_the_routes_adds_what_it_says() -> None:
    """All routes of the application stay; those that the document alone has are added."""
    paths = {f"/r{number}/{{id}}": {"get": {"tags": [f"tag{number}"], "security": [{"t": ["s"]}]}} for number in (0, 7)}
    told = merged(application(14), discover_document(document(paths | {"/more": {"put": FINE}}), "api.json"))
    assert [str(endpoint) for endpoint in told.endpoints if endpoint.path != "/more"] == [
        str(endpoint) for endpoint in application(14).endpoints
    ]
    assert {endpoint.path: endpoint.tags for endpoint in told.endpoints if endpoint.declared or endpoint.tags} == {
        "/r0/<int:x>": ("tag0",),
        "/r7/<int:x>": ("tag7",),
    }
    assert "PUT /more" in map(str, told.endpoints)
    assert told.kind == "flask+openapi"


ITEM = {"get": {"security": []}, "post": {"security": [{"token": ["write"]}]}}


@pytest.mark.parametrize("methods", [["GET", "POST"], None], ids=["two methods", "any method"])
def test_what_is_said_of_one_method_is_not_said_of_another(methods: list[str] | None) -> None:
    """A route that anyone may read is not one that anyone may write to."""

    class Site:
        def __init__(self) -> None:
            self.url_map = Map([Rule("/x", endpoint="x", methods=methods)])

        def __call__(self, environ: Any, start_response: Any) -> Any:
            raise AssertionError("it is not to be called")

    told = merged(discover(Site()), discover_document(document({"/x": ITEM}), "api.json"))
    said = {
        method: [each.declared for each in told.endpoints if each.declared and method in (each.methods or (method,))]
        for method in ("GET", "POST")
    }
    assert [each.require_token for each in said["GET"]] == [False]
    assert [(each.alternatives, each.require_token) for each in said["POST"]] == [((("write",),), True)]


PUBLIC: dict[str, Any] = {"get": {"security": []}}


def said_of(rules: list[str], paths: dict[str, Any]) -> dict[str, Any]:
    """What a document says of the routes of an application, and what it has besides."""
    made = flask.Flask("site", static_folder=None)
    for rule in rules:
        made.add_url_rule(rule, rule.replace(".", "-"), lambda **_: "", methods=["GET"])
    told = merged(discover(made), discover_document(document(paths), "api.json"))
    return {each.path: each.declared and each.declared.require_token for each in told.endpoints}


@pytest.mark.parametrize(
    ("rules", "path", "said"),
    [
        pytest.param(
            ["/files/<name>", "/files/<int:id>"],
            "/files/{name}",
            {"/files/<name>": False, "/files/<int:id>": None},
            id="a number beside a name",
        ),
        pytest.param(["/files/<int:id>"], "/files/{name}", {"/files/<int:id>": False}, id="a number alone"),
        pytest.param(
            ["/files/<uuid:id>", "/files/<int:id>"],
            "/files/{name}",
            {"/files/<uuid:id>": None, "/files/<int:id>": None},
            id="neither of two",
        ),
        pytest.param(
            ["/files/<path:name>"],
            "/files/{name}",
            {"/files/<path:name>": None, "/files/<name>": False},
            id="slashes, which a variable has not",
        ),
        pytest.param(
            ["/pages/<any(home, about):page>", "/pages/<path:draft>"],
            "/pages/{page}",
            {"/pages/<any(home, about):page>": False, "/pages/<path:draft>": None},
            id="words, and slashes",
        ),
    ],
)
def test_what_is_said_of_a_variable_is_not_said_of_another(rules: list[str], path: str, said: dict[str, Any]) -> None:
    """Which are told apart by their converters; a document seldom says what they take."""
    assert said_of(rules, {path: PUBLIC}) == said


def test_numbers_of_a_document_are_those_of_the_application() -> None:
    """Of two routes that only their converters tell apart, each has its own."""
    parameter = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
    number = {"get": {"parameters": [parameter], "security": [{"token": []}]}}
    rules = ["/files/<name>", "/files/<int:number>"]
    assert said_of(rules, {"/files/{name}": PUBLIC, "/files/{id}": number}) == {
        "/files/<name>": False,
        "/files/<int:number>": True,
    }


def scopes_only(*words: str) -> dict[str, Any]:
    return {"get": {"x-required-scopes": [list(words)]}}


ORDERS = Declared((("orders",),), True)


@pytest.mark.parametrize(
    ("guard", "item", "both"),
    [
        pytest.param(req_token, scopes_only("orders"), ORDERS, id="a token, and scopes"),
        pytest.param(req_token, PUBLIC, Declared((), True), id="a token, and nobody"),
        pytest.param(req_scopes("orders"), PUBLIC, ORDERS, id="scopes, and nobody"),
        pytest.param(req_scopes("orders"), scopes_only("items"), ORDERS, id="scopes, and others"),
        pytest.param(
            req_scopes("orders", optional=True),
            {"get": {"security": [{"token": ["items"]}]}},
            ORDERS,
            id="scopes of who is signed in, and a token",
        ),
        pytest.param(lambda view: view, scopes_only("orders"), Declared((("orders",),)), id="nothing, and scopes"),
        pytest.param(req_scopes("orders"), {"get": FINE}, ORDERS, id="scopes, and nothing"),
    ],
)
def test_what_code_and_document_say_is_put_together(guard: Any, item: Any, both: Declared) -> None:
    """Field by field: what the code says stays, what it does not say the document may; a token once asked for is."""
    made = flask.Flask("site", static_folder=None)
    made.add_url_rule("/x", "x", guard(lambda: ""), methods=["GET"])
    told = merged(discover(made), discover_document(document({"/x": item}), "api.json"))
    assert [endpoint.declared for endpoint in told.endpoints] == [both]


def test_what_is_lost_of_either_is_lost() -> None:
    """Of the application, and of the document."""
    one, other = Finder(), Finder()
    for made, path in ((one, "/one"), (other, "/other")):
        made.add(("GET",), f"{path}/x")
        made.lose(path, f"more of {path}")
    told = merged(one.discovery(), other.discovery())
    assert (told.lost, told.notes) == (("/one", "/other"), ("more of /one", "more of /other"))
