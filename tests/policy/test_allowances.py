"""What a policy says of the linter's findings: which of them are fine, and why."""

from __future__ import annotations

import pytest

from scopeware import Group, Policy
from scopeware.errors import ConfigurationError
from scopeware.introspect.endpoint import Endpoint
from scopeware.introspect.lint import lint
from scopeware.policy.allowance import Allowance

RULES = """
[[group]]
path = "/<any(login, logout):page>"
scopes = []
require_token = false
[vocabulary]
categories = { user = "Users" }
[[group]]
path = "/users"
scopes = ["user"]
"""
ROUTES = [Endpoint(("DELETE", "POST"), "/login"), Endpoint(("POST",), "/logout"), Endpoint(("GET",), "/users")]
FOUND = {"DELETE /login", "POST /login", "POST /logout"}


def policy(*entries: str) -> Policy:
    """The rules above, with these allowances: ``policy('path = "/login"')``."""
    usual = 'id = "public-write", reason = "people sign in"'
    listed = ", ".join(f"{{ {usual}, {entry} }}" if entry else f"{{ {usual} }}" for entry in entries)
    return Policy.loads(f"lint.allow = [{listed}]\n{RULES}", source="scopes.toml")


def left(allowed: Policy) -> tuple[set[str], list[tuple[str, str]]]:
    """The writes that are found all the same, and path and method of allowances without use."""
    findings = lint(allowed, ROUTES)
    writes = {f"{each.method} {each.path}" for each in findings if each.id == "public-write"}
    return writes, [(each.path, each.method) for each in findings if each.id == "unused-allowance"]


@pytest.mark.parametrize(
    ("entries", "writes", "unused"),
    [
        ([""], set(), []),
        (['path = "/login", method = "POST"'], {"DELETE /login", "POST /logout"}, []),
        (['path = "/login", method = "PUT"'], FOUND, [("/login", "PUT")]),
        (['path = "/log"', 'path = "/login/"', ""], set(), [("/log", ""), ("/login/", "")]),
        (['path = "/logout"', 'path = "/logout", method = "POST"'], {"DELETE /login", "POST /login"}, []),
    ],
)
def test_what_is_allowed_is_left_out(entries: list[str], writes: set[str], unused: list[tuple[str, str]]) -> None:
    """What an entry says has to fit exactly; what it does not say fits all; one that fits nothing is found itself."""
    assert left(policy(*entries)) == (writes, unused)


def test_without_the_application_nothing_is_called_unused() -> None:
    """Nobody knows then; and what is wrong with the policy alone can be allowed all the same."""
    text = RULES.replace('user = "Users"', 'user = "Users", cart = "Carts"')
    assert [each.id for each in lint(Policy.loads(text))] == ["unused-category"]
    allowed = '[lint]\nallow = [{ id = "unused-category", reason = "soon" }, { id = "public-write", reason = "x" }]\n'
    assert lint(Policy.loads(text + allowed)) == []


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('allow = [{ id = "public-write" }]', ["lint.allow[0]", "`reason`"]),
        ('allow = [{ id = "public-write", reason = " \\t" }]', ["lint.allow[0]", "`reason`"]),
        ('allow = [{ id = "a", reason = "x", pth = "/" }]', ["lint.allow[0]", "`pth`", "did you mean `path`"]),
        ('allow = [{ id = "a", reason = "x" }, "b"]', ["lint.allow[1]", 'reason = "..."']),
        ('alow = [{ id = "a", reason = "x" }]', ["lint.alow", "did you mean `allow`"]),
    ],
)
def test_what_cannot_be_read_is_refused(table: str, said: list[str]) -> None:
    """When the policy is loaded, and the place is named."""
    with pytest.raises(ConfigurationError) as error:
        Policy.loads(f"{RULES}[lint]\n{table}\n", source="scopes.toml")
    assert str(error.value).startswith("scopes.toml: lint.")
    assert [word for word in said if word not in str(error.value)] == []


def test_an_unknown_id_is_refused_by_the_linter() -> None:
    """With the one that may have been meant."""
    allowed = Policy.loads(f'{RULES}[lint]\nallow = [{{ id = "public-writes", reason = "x" }}]\n', source="scopes.toml")
    with pytest.raises(ConfigurationError, match=r"^scopes.toml: lint.allow\[0\].id: .*did you mean `public-write`"):
        lint(allowed, ROUTES)


def test_allowances_can_be_given_in_python() -> None:
    """As the table is written."""
    groups = [Group(path="/", scopes=[], require_token=False)]
    made = Policy(groups, lint={"allow": [{"id": "public-write", "reason": "nothing is kept", "path": "/login"}]})
    assert made.allowances == (Allowance("public-write", "nothing is kept", "/login"),)
    assert left(made) == ({"POST /logout"}, [])
