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
    document: Mapping[str, Any],
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
    made = copy.deepcopy(dict(document))
    version = str(made.get("openapi") or made.get("swagger") or "")
    paths = made.get("paths")
    if not version.startswith(("2.", "3.")) or not isinstance(paths, dict):
        raise ConfigurationError(
            "expected an OpenAPI document with `openapi` or `swagger`, and `paths`", where="openapi"
        )
    before = _base(made) if base is None else base.rstrip("/")
    for path, item in paths.items():
        if not isinstance(item, dict):
            continue
        for method in _METHODS:
            operation = item.get(method)
            if isinstance(operation, dict):
                shared = [*item.get("parameters", ()), *operation.get("parameters", ())]
                requirement = _requirement(policy, method.upper(), before + _fill(str(path), shared))
                view = (views or {}).get((method.upper(), path))
                guards = getattr(view, "__scopeware__", ())
                _annotate(operation, requirement, guards, version)
    _declare(made, policy, version, dict(session or _SESSION_SCHEME))
    return made


def _base(document: Mapping[str, Any]) -> str:
    if "swagger" in document:
        return str(document.get("basePath", "")).rstrip("/")
    servers = document.get("servers") or [{}]
    first = servers[0] if isinstance(servers, list) and isinstance(servers[0], dict) else {}
    return urlsplit(str(first.get("url", ""))).path.rstrip("/")


def _fill(path: str, parameters: list[Any]) -> str:
    """A path that the templated one stands for."""
    known = {each["name"]: each for each in parameters if isinstance(each, dict) and "name" in each}

    def value(match: re.Match[str]) -> str:
        parameter = known.get(match[1], {})
        schema = parameter.get("schema", parameter)
        if not isinstance(schema, dict):
            schema = {}
        if schema.get("enum"):
            return str(schema["enum"][0])
        if schema.get("format") == "uuid":
            return _UUID
        return "1" if schema.get("type") in ("integer", "number") else f"x-{re.sub(r'[^0-9A-Za-z]', '-', match[1])}"

    return _PARAMETER.sub(value, path)


def _requirement(policy: Policy, method: str, path: str) -> Requirement | None:
    try:
        return policy.requirement(method, path.encode("utf-8").decode("latin-1"))
    except AmbiguousPath:
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
    if not required and not scopes:
        return
    needs = " or ".join(" and ".join(f"`{word}`" for word in words) for words in scopes)
    answers = operation.setdefault("responses", {})
    asked = "Sign in, in a browser." if by_session else "A token is needed." if required else "The token does not work."
    answers.setdefault("401", {"description": asked})
    if needs:
        forbidden = answers.get("403")
        if not isinstance(forbidden, dict) or _OURS.fullmatch(str(forbidden.get("description", ""))):
            answers["403"] = {"description": f"The token needs {needs}."}
    elif not by_session:
        answers.setdefault("403", {"description": "The token may not be used here."})


_OURS = re.compile(r"The token needs .*\.", re.DOTALL)


def _declare(document: dict[str, Any], policy: Policy, version: str, session: dict[str, Any]) -> None:
    """The security schemes that the operations name."""
    vocabulary = policy.vocabulary
    scheme: dict[str, Any] = {
        "type": "http",
        "scheme": "bearer",
        "description": "A personal access token.",
        "x-scopes": {scope: vocabulary.describe(scope) for scope in vocabulary.scopes},
    }
    if version.startswith("2."):
        scheme |= {"type": "apiKey", "in": "header", "name": "Authorization"}
        del scheme["scheme"]
        if session.get("in") == "cookie":  # which 2.0 does not know
            session |= {"in": "header", "name": "Cookie"}
        schemes = document.setdefault("securityDefinitions", {})
    else:
        schemes = document.setdefault("components", {}).setdefault("securitySchemes", {})
    schemes[SCHEME] = scheme
    if any({SESSION: []} in operation.get("security", ()) for operation in _operations(document)):
        schemes[SESSION] = session


def _operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    items = [item for item in document["paths"].values() if isinstance(item, dict)]
    return [item[method] for item in items for method in _METHODS if isinstance(item.get(method), dict)]
