"""A forge with a few repositories behind the gate, for rights that hold for some of them only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

POLICY = """
[policy]
prefix = "/api"
public_only = "allow"

[[group]]
path = "/repos/<owner>/<repo>"
scopes = ["repository"]
resource = "<owner>/<repo>"
public_only = "check"
  [[group.route]]
  path = "/issues"
  scopes = ["issue"]
  [[group.route]]
  path = "/both"
  scopes = ["repository", "issue"]
  [[group.route]]
  path = "/either"
  scopes = []
  any_of = [["issue"], ["repository", "package"]]
  [[group.route]]
  path = "/render"
  methods = ["POST"]
  action = "read"
  [[group.route]]
  path = "/watchers"
  scopes = []

[[group]]
path = "/repos"
scopes = ["repository"]

[[group]]
path = "/search"
scopes = ["repository"]
bound = "filter"
  [[group.route]]
  path = "/issues"
  scopes = ["issue"]
  [[group.route]]
  path = "/mine"
  scopes = ["user", "repository"]
  [[group.route]]
  path = "/query"
  methods = ["POST"]
  action = "read"
  [[group.route]]
  path = "/strict"
  bound = "reject"

[[group]]
path = "/accounts/<name>"
scopes = ["user"]
resource = "<name>"

[[group]]
path = "/user"
scopes = []

[[group]]
path = "/token"
scopes = []
accept = "token"

[[group]]
path = "/settings"
scopes = ["user"]

[[group]]
path = "/version"
require_token = false
scopes = []

[[group]]
path = "/admin"
scopes = ["admin"]
"""


def utf8(path: str) -> str:
    """A path as servers hand it over: UTF-8 bytes as latin-1 (PEP 3333)."""
    return path.encode("utf-8").decode("latin-1")


def exchanged(reply: Any) -> tuple[Any, ...]:
    """Everything of an answer that a client gets to see."""
    return reply.status, reply.reason, reply.headers, reply.body


@dataclass
class Forge:
    """An application with repositories; it trusts that whoever is let in may do what is asked.

    :param repos: the repositories there are, and who may see them.
    """

    repos: dict[str, str] = field(
        default_factory=lambda: {
            "alice/widgets": "public",
            "alice/gadgets": "private",
            "bob/secret": "private",
            "bob/limited": "limited",
        }
    )
    environs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def calls(self) -> int:
        """How often it was called."""
        return len(self.environs)

    @property
    def environ(self) -> dict[str, Any]:
        """What it was called with last."""
        return self.environs[-1]

    def visibility(self, environ: dict[str, Any], resource: str | None) -> str | None:
        """For the gate: who may see a repository; ``None`` for one that is not there."""
        return self.repos.get(resource or "")

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.environs.append(dict(environ))
        segments = environ["PATH_INFO"].encode("latin-1").decode("utf-8").strip("/").split("/")
        if segments[:2] == ["api", "search"]:
            return self._answer(environ, start_response, " ".join(self.visible(environ["scopeware"])))
        if segments[:2] == ["api", "repos"] and len(segments) > 3:
            source = "/".join(segments[2:4])
            if source not in self.repos:
                return self.not_found(environ, start_response)
            for other in parse_qs(environ["QUERY_STRING"]).get("with", []):
                # What the path names is the gate's business; of anything else only the application knows.
                if not self._may_see(environ["scopeware"], other):
                    return self.not_found(environ, start_response)
            return self._answer(environ, start_response, f"this is {source}")
        return self._answer(environ, start_response, "the forge")

    def visible(self, context: Any) -> list[str]:
        """A list, for whom it is for."""
        everything = context.reach is None and not context.public_only
        return [name for name in self.repos if everything or self._may_see(context, name)]

    def _may_see(self, context: Any, name: str) -> bool:
        seen = self.repos.get(name)
        return seen is not None and context.allows(name, public=seen == "public")

    @staticmethod
    def not_found(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Its answer about what is not there."""
        body = b"" if environ["REQUEST_METHOD"] == "HEAD" else b"nothing like that here\n"
        start_response("404 Not Found", [("Content-Type", "text/plain"), ("X-Forge", "1")])
        return [body] if body else []

    @staticmethod
    def _answer(environ: dict[str, Any], start_response: Any, text: str) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("X-Forge", "1")])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [text.encode()]
