"""What has to be done where an application is installed: one task as JSON comes in, one answer goes out.

``plain``: what the application answers without any gate. ``expected``: what the drafted policy says about its routes.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import sys
from typing import Any

from werkzeug.test import Client

from scopeware import Policy
from scopeware.introspect.coverage import methods_of, requirement_at
from scopeware.introspect.discover import discover
from scopeware.policy import sample


def plain(task: dict[str, Any]) -> dict[str, Any]:
    """The statuses of some requests, made one after the other by one client without cookies."""
    client = Client(application(task), use_cookies=False)
    statuses = []
    for method, path, headers, body in task["asks"]:
        with client.open(path, method=method, headers=headers, data=body) as answer:
            statuses.append(answer.status_code)
    return {"version": importlib.metadata.version(task["package"]), "statuses": statuses}


def expected(task: dict[str, Any]) -> dict[str, Any]:
    """Method, path, whether a token is needed, and which of the tokens lacks the scope: for the requests that are
    named, and for every route with each of its methods."""
    policy = Policy.load(task["policy"])
    vocabulary = policy.vocabulary
    held = {name: vocabulary.closure(vocabulary.parse(scopes).bits) for name, scopes in task["tokens"].items()}

    def row(method: str, path: str) -> dict[str, Any]:
        needs = requirement_at(policy, method, path.partition("?")[0])
        guarded = needs is not None and needs.require_token
        lacking = [] if needs is None else [name for name, bits in held.items() if not needs.met_by(bits)]
        covered = needs is not None and bool(needs.group)
        return {"method": method, "path": path, "guarded": guarded, "covered": covered, "lacking": lacking}

    found = discover(application(task)).endpoints
    routes = [row(method, sample(endpoint.path)) for endpoint in found for method in methods_of(endpoint)]
    return {"asks": [row(method, path) for method, path in task["asks"]], "routes": routes}


def application(task: dict[str, Any]) -> Any:
    """The application, by the name of its module."""
    return importlib.import_module(task["module"]).app


def main() -> None:
    # What applications print goes elsewhere.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    task = json.load(sys.stdin)
    answer = {"plain": plain, "expected": expected}[task["do"]](task)
    json.dump(answer, out)
    out.close()


if __name__ == "__main__":
    main()
