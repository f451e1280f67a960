"""OpenAPI documents that say which permissions each operation needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast, final

from ..errors import ConfigurationError
from ..policy import AmbiguousPath, Policy, Requirement, sample
from . import tables
from .coverage import requirement_at
from .endpoint import Declared

SCHEME = "token"
"""What the security scheme is called."""
SESSION = "session"
"""The same for people who are signed in."""
_SESSION_SCHEME = {"type": "apiKey", "in": "cookie", "name": "session", "description": "Signed in, in a browser."}

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
    try:
        made = _apart(document) if isinstance(document, Mapping) else {}
    except RecursionError:
        raise ConfigurationError("it contains itself", where="openapi") from None
    version = str(made.get("openapi") or made.get("swagger") or "")
    if not tables.is_openapi(made):
        raise ConfigurationError(
            "expected an OpenAPI document with `openapi` or `swagger`, and `paths`", where="openapi"
        )
    for path, written in made["paths"].items():
        if isinstance(written, dict) and "$ref" in written:
            # Paths may share an item, and need different things.
            made["paths"][path] = _apart(tables.item_of(made, written) or written)
    for method, path, operation, rule in tables.operations(made):
        requirement = requirement_at(policy, method, _front(made, path, operation, base) + sample(rule))
        guards = getattr((views or {}).get((method, path)), "__scopeware__", ())
        _annotate(operation, requirement, guards, version)
    _declare(made, policy, version, session)
    return made


def _apart(node: Any) -> Any:
    """A copy in which nothing is shared: what an anchor of YAML stands for in two places is there twice."""
    if isinstance(node, Mapping):
        return {key: _apart(value) for key, value in node.items()}
    return [_apart(value) for value in node] if isinstance(node, list) else node


def _front(document: Mapping[str, Any], path: str, operation: Mapping[str, Any], base: str | None) -> str:
    if base is not None:
        return tables.from_root(base)
    return tables.front_of(document, path, operation, tables.base(document))


@final
@dataclass(frozen=True, slots=True)
class Difference:
    """Where a document and a policy do not say the same.

    :param method: of the operation; empty for a rule of the policy.
    :param path: of the operation, or of the rule.
    :param problem: what each of them says.
    """

    method: str
    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}: {self.problem}".lstrip()


def compare(document: object, policy: Policy, *, base: str | None = None) -> list[Difference]:
    """Where an OpenAPI document and a policy do not say the same, both ways: operations whose ``security`` is another,
    that no group covers, or that lie outside of the prefix; rules of the policy that no operation is for.

    :param base: as for :func:`annotate`.
    :raises ConfigurationError: it is no OpenAPI document.
    """
    told = annotate(document, policy, base=base)
    written = cast("Mapping[str, Any]", document)
    wanted = {(method, path): operation for method, path, operation, _ in tables.operations(told)}
    found = []
    deciding: set[tuple[str, str]] = set()
    for method, path, operation, rule in tables.operations(written):
        asked = _front(written, path, operation, base) + sample(rule)
        try:
            requirement = policy.requirement(method, asked.encode("utf-8").decode("latin-1"))
        except (AmbiguousPath, UnicodeEncodeError):
            found.append(Difference(method, path, "no request has this path, or it has no one reading"))
            continue
        if requirement is None:
            found.append(Difference(method, path, "it lies outside of the policy's prefix"))
        elif not requirement.group:
            found.append(Difference(method, path, "no group of the policy covers it"))
        else:
            deciding |= {(requirement.group, ""), (requirement.group, requirement.route)}
            says, needs = _said(written, operation), _said(told, wanted[method, path])
            if says != needs:
                found.append(Difference(method, path, f"the document says {says}, the policy {needs}"))
    for group in policy.groups:
        front = "" if group.path == "/" else group.path
        paths = ["", *(f"{front}{'' if route.path == '/' else route.path}" or "/" for route in group.routes)]
        for path in dict.fromkeys(paths):
            if (group.path, path) not in deciding:
                said = "the policy has a rule for it, the document no operation"
                found.append(Difference("", f"{policy.prefix}{path or front}" or "/", said))
                if not path:
                    break
    return found


def _said(document: Mapping[str, Any], operation: Mapping[str, Any]) -> str:
    """What a document says of an operation, in words."""
    declared = tables.declared(document, operation)
    if declared is None:
        return "nothing"
    scopes = _spelled(declared)
    bare = tables.declared(document, {key: value for key, value in operation.items() if key != tables.EXTENSION})
    if bare is not None and bare.alternatives and _spelled(bare) != scopes:
        scopes = f"{scopes}, but {_spelled(bare)} in `security`"
    if declared.by_session:
        return f"{scopes}, signed in"
    return scopes if declared.require_token is not False else f"{scopes}, and no token"


def _spelled(declared: Declared) -> str:
    return " or ".join(sorted("+".join(sorted(words)) for words in declared.alternatives or ())) or "no scope"


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
    operation.pop(tables.EXTENSION, None)
    if scopes:
        operation[tables.EXTENSION] = scopes
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
    named = any(
        {SESSION: []} in (operation.get("security") or []) for _, _, operation, _ in tables.operations(document)
    )
    if named and (session is not None or SESSION not in schemes):
        schemes[SESSION] = signed_in


def _table(holder: dict[str, Any], key: str) -> dict[str, Any]:
    if holder.get(key) is None:
        holder[key] = {}
    table = holder[key]
    if not isinstance(table, dict):
        raise ConfigurationError("expected a table", where=f"openapi.{key}")
    return table
