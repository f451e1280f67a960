"""What names and docstrings give away of what a route does. Guesses, for people to check."""

from __future__ import annotations

import re
from dataclasses import replace

from ..policy.segment import Kind
from .endpoint import Endpoint

GENERIC = re.compile(
    r"_?apis?_?|rest|ajax|ajax-api|rpc|services?|v?\d+(?:[._]\d+)*(?:alpha|beta)?\d*",
    re.IGNORECASE,
)
"""Segments that tell nothing about what lies there."""

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_CHANGING = frozenset(
    [
        "add",
        "approve",
        "archive",
        "assign",
        "ban",
        "cancel",
        "clear",
        "create",
        "deactivate",
        "delete",
        "destroy",
        "disable",
        "edit",
        "enable",
        "grant",
        "insert",
        "install",
        "logout",
        "merge",
        "move",
        "patch",
        "pay",
        "post",
        "publish",
        "purge",
        "put",
        "reject",
        "remove",
        "rename",
        "replace",
        "reset",
        "restore",
        "revoke",
        "rotate",
        "save",
        "set",
        "start",
        "stop",
        "submit",
        "toggle",
        "transfer",
        "update",
        "upload",
        "upsert",
        "write",
    ]
)
_AFTER_NOUNS = frozenset(("about", "between", "by", "codes", "for", "from", "in", "of", "on", "since", "to"))
_READING = frozenset(
    [
        "count",
        "describe",
        "diff",
        "download",
        "export",
        "fetch",
        "find",
        "get",
        "list",
        "lookup",
        "preview",
        "query",
        "read",
        "search",
        "validate",
    ]
)
_READING_PATHS = frozenset(("search", "_search", "query", "_query", "preview", "count", "lookup", "validate"))
_MINTING = re.compile(
    r"(?:^|[/_-])(?:tokens|(?:access|api|auth|personal|personal_access|app|refresh)[-_]?tokens?|api[-_]?keys?"
    r"|token[-_]auth|(?<=/)token)(?:/(?:new|create|issue)|/<[^<>/]+>/(?:rotate|regenerate|renew|refresh))?$",
    re.IGNORECASE,
)
_BATCH = re.compile(r"/\$?(?:batch|graphql|rpc2?|json-?rpc|xml-?rpc)$", re.IGNORECASE)
_LOGIN = re.compile(r"/(?:log[-_]?in|sign[-_]?in|authenticate)$", re.IGNORECASE)
_BACK_AGAIN = re.compile(
    # What is refreshed elsewhere is no session.
    r"/(?:o?auth2?|oidc|saml|security|sessions?|sso|log-?in)(?:/[^/<]+)?/(?:callback|refresh)$",
    re.IGNORECASE,
)
_SAFE_TO_SEE = re.compile(
    r"/(?:health|healthz|healthcheck|livez|readyz|ping|version|favicon\.ico|robots\.txt)$", re.IGNORECASE
)
_FILES = re.compile(r"^/(?:static|assets)(?:/|$)", re.IGNORECASE)
_INNER = re.compile(r"/(?:admin|internal|manage|management|private|staff|root)(?:/|$)", re.IGNORECASE)
_SUFFIX_VARIABLE = re.compile(r"(.+[^/])\.<(?:any\(([^<>]*)\):|\w+:)?(\w+)>")
SUFFIXES = frozenset(("atom", "csv", "diff", "html", "ics", "json", "patch", "pdf", "rss", "txt", "xml", "yaml", "zip"))


def seems_to_change(endpoint: Endpoint) -> str:
    """What makes one believe that a GET route changes something; empty if nothing does."""
    if endpoint.methods not in (("GET",), ()):
        return ""
    return _verb(endpoint, _CHANGING)


def seems_to_read(endpoint: Endpoint) -> str:
    """What makes one believe that a POST route only reads; empty if nothing does."""
    if endpoint.methods != ("POST",):
        return ""
    if _first_word(endpoint.doc) & _CHANGING:
        return ""
    last = _last(endpoint)
    return f"its path ends in `{last}`" if last in _READING_PATHS else _verb(endpoint, _READING)


def seems_to_mint(endpoint: Endpoint) -> bool:
    """Whether a route makes tokens, by its path."""
    literal = endpoint.path.rpartition("/<")[0] if endpoint.path.endswith(">") else endpoint.path
    makes = not endpoint.methods or "POST" in endpoint.methods or "PUT" in endpoint.methods
    return makes and _MINTING.search(literal.rstrip("/")) is not None


def seems_to_batch(endpoint: Endpoint) -> bool:
    """Whether what is asked for there stands in the body, where no gate looks, by its path."""
    return _BATCH.search(endpoint.path) is not None and (not endpoint.methods or bool(endpoint.writes))


def seems_to_sign_in(endpoint: Endpoint) -> bool:
    """Whether people sign in there, by its path and its methods: with nothing in it that names a thing."""
    if not endpoint.methods or not set(endpoint.writes) <= {"POST"} or endpoint.pattern.names or endpoint.pattern.below:
        return False
    if _LOGIN.search(endpoint.path):
        return True
    return _for_all(endpoint) and _BACK_AGAIN.search(endpoint.path) is not None


def as_sign_in(endpoint: Endpoint) -> Endpoint:
    """A route that answers to every method with those that signing in takes, if people seem to sign in there."""
    signing_in = replace(endpoint, methods=("GET", "POST"))
    return signing_in if not endpoint.methods and seems_to_sign_in(signing_in) else endpoint


def seems_public(endpoint: Endpoint) -> bool:
    """Whether what it shows is for everyone, by its path: files, or what the whole application says of itself."""
    if not endpoint.methods or endpoint.writes:
        return False
    if _FILES.search(endpoint.path):
        segments = endpoint.pattern.segments
        front = segments if endpoint.pattern.below else segments[:-1]
        plain = all(segment.kind is Kind.LITERAL for segment in front)
        return plain and (endpoint.pattern.below or segments[-1].kind is Kind.MANY)
    fronts = endpoint.path.split("/")[1:-1]
    return _for_all(endpoint) and all(map(GENERIC.fullmatch, fronts)) and _SAFE_TO_SEE.search(endpoint.path) is not None


def _for_all(endpoint: Endpoint) -> bool:
    """Whether it is about nothing in particular."""
    plain = not endpoint.pattern.names and not endpoint.pattern.below
    return plain and _INNER.search(endpoint.path) is None


def suffix_of(path: str) -> tuple[str, str]:
    """A path without what looks like the suffix of a representation, and that suffix; or the path, and nothing."""
    if variable := _SUFFIX_VARIABLE.fullmatch(path):
        words = {word.strip(" \"'").lower() for word in (variable[2] or "").split(",")}
        if variable[3] in ("ext", "extension", "fmt", "format", "suffix") or words & SUFFIXES:
            return variable[1], variable[3]
    stem, dot, suffix = path.rpartition(".")
    if dot and suffix.lower() in SUFFIXES and stem and not stem.endswith("/"):
        return stem, suffix
    return path, ""


def _verb(endpoint: Endpoint, verbs: frozenset[str]) -> str:
    words = _WORDS.findall(endpoint.name.rpartition(".")[2])
    # on_post_search, get_search: what the method is called says nothing.
    while words and words[0].lower() in {"on", "do", "handle", "api", *(method.lower() for method in endpoint.methods)}:
        words = words[1:]
    if (
        words
        and words[0].lower() in verbs
        and not (verbs is _CHANGING and words[-1].lower() in ("form", "page", "dialog"))
    ):
        return f"it is called `{endpoint.name}`"
    return f"its description says “{endpoint.doc[:60]}”" if _first_word(endpoint.doc) & verbs else ""


def _first_word(doc: str) -> set[str]:
    """What a description begins with, if that may be a verb, without its ending."""
    words = [word.strip(".,:;").lower() for word in doc.split()[:3]]
    if len(words) > 1 and words[0].endswith("ly"):
        words = words[1:]
    if not words or (len(words) > 1 and words[1] in _AFTER_NOUNS):
        return set()
    first = words[0]
    stems = {first, *(first.removesuffix(ending) for ending in ("s", "es", "d", "ed", "ing"))}
    return stems | {f"{stem}e" for stem in stems} | {stem[:-1] for stem in stems if stem[-2:-1] == stem[-1:]}


def _last(endpoint: Endpoint) -> str:
    return endpoint.path.rsplit("/", 1)[-1].lower()
