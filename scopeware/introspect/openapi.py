"""OpenAPI documents that say which permissions each operation needs."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ..errors import ConfigurationError
from ..policy import AmbiguousPath, Policy, Requirement

SCHEME = "token"
"""What the security scheme is called."""
SESSION = "session"
"""The same for people who are signed in."""
_SESSION_SCHEME = {"type": "apiKey", "in": "cookie", "name": "session", "description": "Signed in, in a browser."}
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_PARAMETER = re.compile(r"\{([^{}]+)\}")
_UUID = "00000000-0000-4000-8000-000000000000"
_EXTENSION = "x-required-scopes"

Views = Mapping[tuple[str, str], Callable[..., Any]]


def annotate(
    document: object,
    policy: Policy,
    *,
    base: str | None = None,
    views: Views | None = None,
    session: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A copy of an OpenAPI document (2.0, 3.0, 3.1) that says what each operation needs.

    Each operation that the policy covers gets ``security`` (a list means any of them, OpenAPI 3.1 4.8.30),
    ``x-required-scopes`` (lists of scopes: all of any one list), and the answers 401 and 403, which name them. To do it
    again changes nothing. Operations outside of the policy's prefix are left as they are.

    :param base: what stands before the document's paths; by default what its first server says, or ``basePath``.
    :param views: (method, path as in the document) → the view, whose own guards (``req_token``, ``req_scopes``) are
        told, too.
    :param session: the security scheme by which people are signed in, for operations that take no tokens; by default a
        cookie called ``session``.
    :raises ConfigurationError: it is no OpenAPI document.
    """
    made = copy.deepcopy(dict(document)) if isinstance(document, Mapping) else {}
    version = str(made.get("openapi") or made.get("swagger") or "")
    paths = made.get("paths")
    if not version.startswith(("2.", "3.")) or not isinstance(paths, dict):
        raise ConfigurationError(
            "expected an OpenAPI document with `openapi` or `swagger`, and `paths`", where="openapi"
        )
    before = _base(made) if base is None else base.rstrip("/")
    for path, item in paths.items():
        if not isinstance(item, dict) or not str(path).startswith("/"):
            continue
        for method in _METHODS:
            operation = item.get(method)
            if isinstance(operation, dict):
                shared = [*_list(item.get("parameters")), *_list(operation.get("parameters"))]
                requirement = _requirement(policy, method.upper(), before + _fill(str(path), shared))
                view = (views or {}).get((method.upper(), path))
                guards = getattr(view, "__scopeware__", ())
                _annotate(operation, requirement, guards, version)
    _declare(made, policy, version, session)
    return made


def _base(document: Mapping[str, Any]) -> str:
    if "swagger" in document:
        return str(document.get("basePath", "")).rstrip("/")
    servers = document.get("servers") or [{}]
    first = servers[0] if isinstance(servers, list) and isinstance(servers[0], dict) else {}
    variables: Any = first.get("variables")
    if not isinstance(variables, dict):
        variables = {}

    def default(match: re.Match[str]) -> str:
        variable = variables.get(match[1])
        return str(variable.get("default", "x")) if isinstance(variable, dict) else "x"

    try:
        return urlsplit(_PARAMETER.sub(default, str(first.get("url", "")))).path.rstrip("/")
    except ValueError:
        raise ConfigurationError("the first server's URL is none", where="openapi.servers") from None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _fill(path: str, parameters: list[Any]) -> str:
    """A path that the templated one stands for."""
    tables = [each for each in parameters if isinstance(each, dict) and each.get("in") == "path"]
    known = {each["name"]: each for each in tables if isinstance(each.get("name"), str)}

    def value(match: re.Match[str]) -> str:
        parameter = known.get(match[1], {})
        schema = parameter.get("schema", parameter)
        if not isinstance(schema, dict):
            schema = {}
        if _list(schema.get("enum")):
            return str(schema["enum"][0])
        if schema.get("format") == "uuid":
            return _UUID
        kinds = _list(schema.get("type")) or [schema.get("type")]
        if "number" in kinds:
            return "1.5"
        return "1" if "integer" in kinds else f"x-{re.sub(r'[^0-9A-Za-z]', '-', match[1])}"

    return _PARAMETER.sub(value, path)


def _requirement(policy: Policy, method: str, path: str) -> Requirement | None:
    try:
        return policy.requirement(method, path.encode("utf-8").decode("latin-1"))
    except (AmbiguousPath, UnicodeEncodeError):
        return None


def _annotate(operation: dict[str, Any], requirement: Requirement | None, guards: Any, version: str) -> None:
    """Say in an operation what it needs, by the policy and by its own guards: both have to be met."""
    lists: list[tuple[str, ...]] = [()]
    required = False
    by_session = False
    if requirement is not None:
        if not requirement.scope_free:
            lists = list(requirement.scope_lists())
        required = requirement.require_token
        by_session = requirement.accept == "session"
    for guard in guards:
        lists = [tuple(sorted({*words, *guard.scopes})) for words in lists]
        required |= not guard.optional
        by_session |= guard.accept == "session"
    if requirement is None and not guards:
        return
    scopes = [list(words) for words in lists if words]
    security: list[dict[str, list[str]]] = [] if required else [{}]
    if by_session:
        security.append({SESSION: []})
    elif required or scopes:
        # Only 3.1 lets schemes that are not OAuth 2 name what they need.
        security += [{SCHEME: words if version.startswith("3.1") else []} for words in (scopes or [[]])]
    unique = [entry for position, entry in enumerate(security) if entry not in security[:position]]
    operation["security"] = [] if unique == [{}] else unique
    operation.pop(_EXTENSION, None)
    if scopes:
        operation[_EXTENSION] = scopes
    if operation.get("responses") is None and (required or scopes):
        operation["responses"] = {}
    answers = operation.get("responses")
    if isinstance(answers, dict):
        _tell_refusals(answers, scopes, required=required, by_session=by_session)


def _tell_refusals(answers: dict[Any, Any], scopes: list[list[str]], *, required: bool, by_session: bool) -> None:
    """Say when an operation answers 401 and 403, unless the document does."""
    for code in ("401", "403"):
        there = answers.get(code)
        if isinstance(there, dict) and {*there} == {"description"} and _OURS.fullmatch(str(there["description"])):
            del answers[code]
    if not required and not scopes:
        return
    # YAML reads what looks like a number as one.
    told = {str(code) for code in answers}
    if "401" not in told:
        asked = _SIGN_IN if by_session else _TOKEN_NEEDED if required else _TOKEN_BAD
        answers["401"] = {"description": asked}
    if "403" not in told and not by_session:
        needs = " or ".join(" and ".join(f"`{word}`" for word in words) for words in scopes)
        answers["403"] = {"description": f"The token needs {needs}." if needs else _TOKEN_REFUSED}


_SIGN_IN = "Sign in, in a browser."
_TOKEN_NEEDED = "A token is needed."  # noqa: S105
_TOKEN_BAD = "The token does not work."  # noqa: S105
_TOKEN_REFUSED = "The token may not be used here."  # noqa: S105
_OURS = re.compile(
    "|".join([r"The token needs `.*`\.", *map(re.escape, (_SIGN_IN, _TOKEN_NEEDED, _TOKEN_BAD, _TOKEN_REFUSED))]),
    re.DOTALL,
)


def _declare(document: dict[str, Any], policy: Policy, version: str, session: Mapping[str, Any] | None) -> None:
    """The security schemes that the operations name."""
    vocabulary = policy.vocabulary
    scheme: dict[str, Any] = {
        "type": "http",
        "scheme": "bearer",
        "description": "A personal access token.",
        "x-scopes": {scope: vocabulary.describe(scope) for scope in vocabulary.scopes},
    }
    signed_in = dict(session or _SESSION_SCHEME)
    holder, key = document, "securityDefinitions"
    if version.startswith("2."):
        scheme |= {"type": "apiKey", "in": "header", "name": "Authorization"}
        del scheme["scheme"]
        if signed_in.get("in") == "cookie":  # which 2.0 does not know
            signed_in |= {"in": "header", "name": "Cookie"}
    else:
        holder, key = _table(document, "components"), "securitySchemes"
    schemes = _table(holder, key)
    theirs = schemes.get(SCHEME, scheme)
    if not isinstance(theirs, dict) or "x-scopes" not in theirs:
        raise ConfigurationError(
            f"the document has another scheme called `{SCHEME}`; rename it", where=f"openapi.{key}"
        )
    schemes[SCHEME] = scheme
    named = any({SESSION: []} in _list(operation.get("security")) for operation in _operations(document))
    if named and (session is not None or SESSION not in schemes):
        schemes[SESSION] = signed_in


def _table(holder: dict[str, Any], key: str) -> dict[str, Any]:
    if holder.get(key) is None:
        holder[key] = {}
    table = holder[key]
    if not isinstance(table, dict):
        raise ConfigurationError("expected a table", where=f"openapi.{key}")
    return table


def _operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    items = [item for item in document["paths"].values() if isinstance(item, dict)]
    return [item[method] for item in items for method in _METHODS if isinstance(item.get(method), dict)]
