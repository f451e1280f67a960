"""For the tests of guarded applications: tokens to try, and an assertion that keeps every route guarded.

In a ``conftest.py``: ``pytest_plugins = ["scopeware.testing"]``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, final

import pytest

from .errors import ConfigurationError
from .gate import Scopeware
from .introspect.coverage import outside
from .introspect.discover import discover
from .introspect.lint import lint
from .policy import Policy
from .tokens import TokenStore

_POLICY = "scopes.toml"


def assert_policy_complete(app: object, policy: Policy | str | os.PathLike[str] = _POLICY) -> None:
    """Fail unless a policy guards every route of an application.

    It fails for a route that no group covers, for one beside the policy's prefix, and for all that ``scopeware lint``
    calls an error; what the policy's ``[lint]`` allows is fine.

    :param app: the WSGI application, or what it is made with; wrappers are looked through. Nothing of it is called.
    :param policy: a policy, or its file.
    :raises AssertionError: a route is not guarded; each is named, and what is wrong with it. Or no route is found.
    :raises ConfigurationError: the policy cannot be used.
    """
    loaded = policy if isinstance(policy, Policy) else Policy.load(policy)
    discovery = discover(app)
    if not discovery.endpoints:
        raise AssertionError(f"no route is found in it, so nothing can be said: {'; '.join(discovery.notes)}")
    found = [
        finding
        for finding in lint(loaded, discovery.endpoints, discovery.lost)
        if finding.severity == "error" or finding.id == "outside-prefix"
    ]
    if found:
        lines = [
            f"  {finding}" for finding in found if finding.id != "outside-prefix" or finding.path in discovery.lost
        ]
        if len(lines) < len(found):
            beside = outside(loaded, discovery.endpoints)
            lines += [f"  outside-prefix: {endpoint}: it lies beside {loaded.prefix}" for endpoint in beside]
        listed = "\n".join(lines)
        raise AssertionError(f"the policy {loaded.source} is not complete:\n{listed}")


@final
class Tokens:
    """Tokens for tests, in a database that is gone after them.

    :param policy: whose scopes they have.
    """

    def __init__(self, store: TokenStore, policy: Policy | None) -> None:
        self.store = store
        self.policy = policy
        if policy is not None:
            store.use(policy.vocabulary, policy.roles, policy.options.token_prefix, policy.lifetimes)
        self._count = 0

    def issue(self, scopes: str, *, owner: str = "tester", role: str = "user", **options: Any) -> str:
        """The secret of a new token.

        :param scopes: as :meth:`TokenStore.issue` takes them, as for `options`.
        :param role: of the owner, who is made with the first token.
        """
        if owner not in {known.name for known in self.store.owners()}:
            self.store.add_owner(owner, role=role)
        self._count += 1
        return self.store.issue(owner=owner, name=f"test {self._count}", scopes=scopes, **options).secret

    def headers(self, scopes: str, **options: Any) -> dict[str, str]:
        """The headers of a request with a new token."""
        return {"Authorization": f"Bearer {self.issue(scopes, **options)}"}

    def guard(self, app: Any, **options: Any) -> Scopeware:
        """An application with a gate in front that knows these tokens."""
        if self.policy is None:
            raise ConfigurationError(f"there is no {_POLICY}; override the fixture `scopeware_policy`", where="guard")
        return Scopeware(app, self.policy, self.store, **options)


@pytest.fixture(scope="session")
def scopeware_policy(pytestconfig: pytest.Config) -> Policy | None:
    """The policy of the project: ``scopes.toml`` beside pytest's configuration. Override it for another."""
    path = pytestconfig.rootpath / _POLICY
    return Policy.load(path) if path.exists() else None


@pytest.fixture
def scopeware_tokens(scopeware_policy: Policy | None, tmp_path: Any) -> Iterator[Tokens]:
    """Tokens for one test: ``client.get("/", headers=scopeware_tokens.headers("read:user"))``."""
    store = TokenStore.connect(f"sqlite:///{tmp_path / 'scopeware-tokens.db'}")
    try:
        yield Tokens(store, scopeware_policy)
    finally:
        store.close()
