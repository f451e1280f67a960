"""Routes from a document: OpenAPI 2.0, 3.0, 3.1, or JSON rows."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

from ..errors import ConfigurationError
from ..text import quoted
from .endpoint import Declared, Discovery, Endpoint, Finder, NoRoutes
from .paths import choice, from_braces, joined, variable

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
EXTENSION = "x-required-scopes"
_SIMPLE = re.compile(r"[\w.@+-]+")
_VARIABLE = re.compile(r"<[^<>]*>")
_MOST_SERVERS = 100
_SERVER_VARIABLE = re.compile(r"\{([^{}]+)\}")


def discover_document(data: Any, name: str) -> Discovery:
    """The routes that a document describes: OpenAPI, or rows with ``method`` and ``path``.

    :raises ConfigurationError: it is neither, or has no route at all.
    """
    found = Finder()
    for path in _list(data.get("lost")) if isinstance(data, dict) else ():
        if isinstance(path, str):
            found.lose(path, f"there are routes below {path} that are not known")
    if is_openapi(data):
        found.kinds["openapi"] = None
        _add_operations(found, data)
    else:
        found.kinds["table"] = None
        rows = data.get("routes") if isinstance(data, dict) else data
        if isinstance(data, dict) and rows == [] and isinstance(data.get("notes"), list):
            # What `scopeware routes` says of an application that keeps none.
            notes = (*map(str, data["notes"]), *found.notes)
            return Discovery(str(data.get("kind")), (), notes, found.discovery().lost)
        if not isinstance(rows, list) or not rows:
            raise ConfigurationError(
                "expected an OpenAPI document, or a list of routes with `method` and `path`", where=name
            )
        _add_rows(found, rows, name)
    discovery = found.discovery()
    if not discovery.endpoints:
        raise NoRoutes("; ".join(["it describes no route", *discovery.notes]), where=name)
    return discovery


def is_openapi(data: object) -> bool:
    """Whether some data is an OpenAPI document of a version that is known."""
    if not isinstance(data, Mapping):
        return False
    version = str(data.get("openapi") or data.get("swagger") or "")
    return version.startswith(("2.", "3.")) and isinstance(data.get("paths"), Mapping)


def base(document: Mapping[str, Any]) -> str:
    """What stands before a document's paths: of its first server, or ``basePath``.

    :raises ConfigurationError: the server's URL is none.
    """
    if "swagger" in document:
        return from_root(str(document.get("basePath") or ""))
    return next(iter(_servers(document.get("servers"))), "")


def _servers(servers: Any) -> list[str]:
    """The paths of servers, with all that their variables may be."""
    found: dict[str, None] = {}
    for server in _list(servers):
        if not isinstance(server, dict):
            continue
        variables = server.get("variables")
        urls = [str(server.get("url") or "")]
        for name in _SERVER_VARIABLE.findall(urls[0]):
            table = variables.get(name) if isinstance(variables, dict) else None
            values = dict.fromkeys(
                [table.get("default", "x"), *_list(table.get("enum"))] if isinstance(table, dict) else ["x"]
            )
            urls = [each.replace(f"{{{name}}}", str(value)) for each in urls for value in values][:_MOST_SERVERS]
        try:
            paths = [urlsplit(url).path for url in urls]
        except ValueError:
            raise ConfigurationError("a server's URL is none", where="openapi.servers") from None
        found |= dict.fromkeys(map(from_root, paths))
    return list(found)[:_MOST_SERVERS]


def front_of(document: Mapping[str, Any], path: str, operation: Mapping[str, Any], default: str) -> str:
    """What stands before an operation's path: of its own servers, of its path's, or of all."""
    item = item_of(document, document["paths"][path])
    return next(iter(_own_fronts(item, operation)), default)


def _own_fronts(item: Any, operation: Mapping[str, Any]) -> list[str]:
    """What stands before an operation's path, by its own servers, or those of its path."""
    for servers in (operation.get("servers"), item.get("servers") if isinstance(item, dict) else None):
        if found := _servers(servers):
            return found
    return []


def from_root(path: str) -> str:
    """A path with a slash in front and none at its end; empty for the root."""
    path = path.strip("/")
    return f"/{path}" if path else ""


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any], str]]:
    """Method, path as in the document, the operation itself, and the path in werkzeug's rule syntax."""
    for path, written in document["paths"].items():
        item = item_of(document, written)
        if not isinstance(item, dict) or not str(path).startswith("/"):
            continue
        for method in METHODS:
            operation = item.get(method)
            if isinstance(operation, dict):
                shared = [*_list(item.get("parameters")), *_list(operation.get("parameters"))]
                yield (
                    method.upper(),
                    str(path),
                    operation,
                    _rule(str(path), [resolved(document, each) for each in shared]),
                )


def item_of(document: Mapping[str, Any], written: Any) -> Any:
    """A path item, with what stands beside its reference (OpenAPI 3.1 4.8.9)."""
    if not isinstance(written, dict) or "$ref" not in written:
        return written
    there = resolved(document, written)
    beside = {key: value for key, value in written.items() if key != "$ref"}
    return {**(there if isinstance(there, dict) else {}), **beside} if beside or isinstance(there, dict) else None


def resolved(document: Mapping[str, Any], node: Any) -> Any:
    """What a ``$ref`` within the document stands for; others are not followed."""
    for _ in range(20):
        reference = node.get("$ref") if isinstance(node, dict) else None
        if not isinstance(reference, str):
            return node
        if not reference.startswith("#/"):
            return None
        node = document
        for part in unquote(reference[2:]).split("/"):
            node = node.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(node, Mapping) else None
    return None


def _rule(path: str, parameters: list[Any]) -> str:
    tables = [each for each in parameters if isinstance(each, dict) and each.get("in") == "path"]
    known = {each["name"]: each for each in tables if isinstance(each.get("name"), str)}

    def made(name: str, _: str | None) -> str:
        parameter = known.get(name, {})
        schema = parameter.get("schema", parameter)
        if not isinstance(schema, dict):
            schema = {}
        words = [json.dumps(word) if isinstance(word, bool) else str(word) for word in _list(schema.get("enum"))]
        if words and all(_SIMPLE.fullmatch(word) and word not in (".", "..") for word in words):
            return choice(name, words)
        if schema.get("format") == "uuid":
            return variable(name, "uuid")
        kinds = {*map(str, _list(schema.get("type")) or [schema.get("type")])} - {"null"}
        kind = {"integer": "int", "number": "float"}.get(next(iter(kinds)), "") if len(kinds) == 1 else ""
        return variable(name, kind)

    return from_braces(path, made)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _add_operations(found: Finder, document: Mapping[str, Any]) -> None:
    before = [base(document)] if "swagger" in document else _servers(document.get("servers")) or [""]
    elsewhere = [path for path, item in document["paths"].items() if resolved(document, item) is None]
    if elsewhere:
        found.notes[f"{quoted(str(elsewhere[0]))} is described in another document, which is not read"] = None
    for method, path, operation, rule in operations(document):
        fronts = _own_fronts(item_of(document, document["paths"][path]), operation) or before
        tags = tuple(str(tag) for tag in _list(operation.get("tags")))
        text = str(operation.get("summary") or operation.get("description") or "")
        for front in fronts:
            found.add(
                (method,),
                joined(front, rule),
                name=str(operation.get("operationId") or ""),
                doc=next((line.strip() for line in text.splitlines() if line.strip()), ""),
                tags=tags,
                declared=declared(document, operation),
            )


def declared(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Declared | None:
    """What a document says of who may call an operation."""
    security = operation.get("security", document.get("security"))
    lists = operation.get(EXTENSION)
    if not isinstance(security, list):
        security = None
    if security is None and not isinstance(lists, list):
        return None
    require_token = None if security is None else bool(security) and {} not in security
    schemes = {str(name) for entry in security or [] if isinstance(entry, dict) for name in entry}
    by_session = bool(schemes) and schemes <= _cookies(document)
    if isinstance(lists, list):
        wanted = [tuple(map(str, words)) for words in lists if isinstance(words, list)]
    else:
        entries = [entry for entry in security or [] if isinstance(entry, dict)]
        wanted = [tuple(str(word) for words in entry.values() for word in _list(words)) for entry in entries]
    wanted = [words for words in wanted if words]
    # Who is not asked to sign in needs no scope, either; what scopes others need, a document may not say.
    nothing: tuple[tuple[str, ...], ...] | None = () if require_token is False else None
    return Declared(tuple(dict.fromkeys(wanted)) or nothing, require_token, by_session)


def _cookies(document: Mapping[str, Any]) -> set[str]:
    """The security schemes by which people are signed in."""
    components = document.get("components")
    table = components.get("securitySchemes") if isinstance(components, dict) else document.get("securityDefinitions")
    found = set()
    for name, scheme in table.items() if isinstance(table, dict) else ():
        scheme = resolved(document, scheme)  # noqa: PLW2901
        if isinstance(scheme, dict) and (scheme.get("in") == "cookie" or scheme.get("name") == "Cookie"):
            found.add(str(name))
    return found


def _add_rows(found: Finder, rows: list[Any], name: str) -> None:
    known = [row["path"] for row in rows if isinstance(row, dict) and str(row.get("path", "")).startswith("/")]
    before = _common(known)
    for number, row in enumerate(rows):
        where = f"{name}[{number}]"
        if not isinstance(row, dict) or not isinstance(row.get("method"), str) or not isinstance(row.get("path"), str):
            raise ConfigurationError("expected a route with `method` and `path`", where=where)
        if not row["method"].strip():
            raise ConfigurationError("a method is a word, or ANY", where=where)
        path = row["path"]
        if path.startswith("?/"):
            found.notes[f"nobody knows the prefix of paths written `?/...`; it is taken to be {before or '/'}"] = None
            path = joined(before, path[1:])
        any_method = row["method"].upper() in ("ANY", "*")
        found.add(
            () if any_method else list(map(str, _list(row.get("methods")))) or [row["method"]],
            from_braces(path),
            name=str(row.get("name") or ""),
            doc=str(row.get("doc") or ""),
            tags=tuple(map(str, _list(row.get("tags")))),
            open=row.get("open") is True,
            rough=row.get("rough") is True,
            operation=row["operation"] if isinstance(row.get("operation"), int) else 0,
            order=row["order"] if isinstance(row.get("order"), int) and row["order"] > 0 else 0,
            declared=_row_declared(row, where),
        )


def _row_declared(row: Mapping[str, Any], where: str) -> Declared | None:
    needed = row.get("req_token", row.get("require_token"))
    alternatives: tuple[tuple[str, ...], ...] | None = None
    if isinstance(row.get("any_of"), list):
        lists = [[words] if isinstance(words, str) else words for words in row["any_of"]]
        if not all(isinstance(words, list) for words in lists):
            raise ConfigurationError("expected lists of scopes", where=f"{where}.any_of")
        alternatives = tuple(tuple(map(str, words)) for words in lists if words)
    else:
        words = row.get("categories", row.get("scopes"))
        if isinstance(words, list):
            alternatives = (tuple(map(str, words)),) if words else ()
    by_session = row.get("basic_auth_only") is True or row.get("accept") == "session"
    if alternatives is None and not isinstance(needed, bool) and not by_session:
        return None
    return Declared(alternatives, needed if isinstance(needed, bool) else None, by_session)


def _common(paths: list[str]) -> str:
    """The segments that all paths have in front."""
    split = [path.split("/") for path in paths]
    front: list[str] = []
    for segments in zip(*split, strict=False):
        if len(set(segments)) > 1 or set("<{*") & set(segments[0]):
            break
        front.append(segments[0])
    return "/".join(front)


def merged(one: Discovery, other: Discovery) -> Discovery:
    """The routes of an application, with what a document says about them, and those that only the document has."""
    shapes = Counter(key for endpoint in one.endpoints for key in _keys(endpoint))
    exactly = {key: endpoint for endpoint in other.endpoints for key in _keys(endpoint, exact=True)}
    roughly = {key: endpoint for endpoint in other.endpoints for key in _keys(endpoint) if shapes[key] == 1}
    told: set[tuple[str, str]] = set()
    endpoints: list[Endpoint] = []
    for endpoint in one.endpoints:
        told.update(_keys(endpoint))
        # What is told apart by converters only is one or the other, of which a document may know one.
        pairs = list(zip(_keys(endpoint, exact=True), _keys(endpoint), strict=True))
        known = {shape: exactly.get(key) or roughly.get(shape) for key, shape in pairs}
        keys = [shape for shape, found in known.items() if found is not None]
        if not keys:
            endpoints.append(endpoint)
            continue
        # A document says something else of each method.
        for method, key in zip(endpoint.methods or ("ANY",), _keys(endpoint), strict=True):
            single = replace(endpoint, methods=(method,) if endpoint.methods else ())
            found = known.get(key)
            if found is not None:
                single = replace(
                    single,
                    tags=found.tags or single.tags,
                    doc=single.doc or found.doc,
                    declared=_both(single.declared, found.declared),
                )
            endpoints.append(single)
    endpoints += [endpoint for endpoint in other.endpoints if not any(key in told for key in _keys(endpoint))]
    kinds = "+".join(dict.fromkeys([one.kind, other.kind]))
    return Discovery(
        kinds,
        tuple(sorted(endpoints, key=lambda each: (each.path, each.methods))),
        (*one.notes, *other.notes),
        (*one.lost, *other.lost),
    )


def _keys(endpoint: Endpoint, *, exact: bool = False) -> list[tuple[str, str]]:
    """Its methods, each with its path, whatever variables are called; and, but for `exact`, what they take."""

    def shown(match: re.Match[str]) -> str:
        converter = match[0][1:-1].rpartition(":")[0]
        return f"<{converter}>" if exact or converter.startswith("path") else "<>"

    shape = _VARIABLE.sub(shown, endpoint.path)
    return [(method, shape) for method in endpoint.methods or ("ANY",)]


def _both(code: Declared | None, told: Declared | None) -> Declared | None:
    """What code and document say; where both say something, all of it."""
    if code is None or told is None:
        return code or told
    return Declared(
        told.alternatives if code.alternatives is None else code.alternatives,
        told.require_token if code.require_token is None else code.require_token or told.require_token,
        code.by_session or told.by_session,
    )
