"""Every code block of the README and the docs is true."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest

from scopeware import Group, Policy, Route, Scopeware, TokenStore
from scopeware.migration import Mapping
from scopeware.policy import Hooks, Lifetimes, LogOptions, Options, document
from scopeware.scopes import reading

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if not page.name.startswith("protect-")], ids=lambda page: page.name
)
def test_the_code_blocks_of_a_page_run_one_after_another(page, tmp_path, monkeypatch, capsys):
    """TOML with a file's name in its first line is written there and loads; Python runs, in the order of the page."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "page"}
    ran = 0
    for language, text in BLOCK.findall(page.read_text()):
        if language == "toml":
            name = re.match(r"# (\S+\.toml)\n", text)[1]
            Path(name).write_text(text)
            assert Mapping.load(name) if "mapping" in name else Policy.load(name).groups
            ran += 1
        elif language == "python":
            exec(compile(text, f"{page.name}", "exec"), names)
            ran += 1
    assert ran
    for value in names.values():
        if isinstance(value, TokenStore):
            value.close()


def test_every_option_of_the_gate_is_documented():
    """Each option stands in the table of docs/gate.md, with its default."""
    page = (ROOT / "docs" / "gate.md").read_text()
    for name in Options.__slots__:
        assert f"| `{name}` |" in page


def test_every_lifetime_and_every_option_of_the_log_is_documented():
    """Each key of [tokens] stands in docs/policy.md, each of [access_log] in docs/access-log.md."""
    for table, page in ((Lifetimes, "policy.md"), (LogOptions, "access-log.md")):
        text = (ROOT / "docs" / page).read_text()
        for entry in fields(table):
            assert f"\n{entry.name} = " in text


def test_every_argument_of_the_gate_and_of_the_store_is_documented():
    """Each stands somewhere in the docs, as `name=`, or in what it makes."""
    text = "".join(page.read_text() for page in PAGES)
    for function in (Scopeware.__init__, TokenStore.connect):
        for name, parameter in inspect.signature(function).parameters.items():
            if parameter.kind is parameter.KEYWORD_ONLY:
                assert f"{name}=" in text or f"`{name}`" in text, name


def test_every_key_of_a_policy_is_documented():
    """Those of rules, vocabularies, hooks and the policy itself, in docs/policy.md."""
    page = (ROOT / "docs" / "policy.md").read_text()
    keys = [entry.name for table in (Group, Route, Hooks) for entry in fields(table)]
    for key in (*keys, *reading.KEYS, *document.POLICY_KEYS, *document.TABLES):
        if key not in ("where", "routes", "route"):
            assert re.search(rf"(`|\b){key}\b( =|`|\]|\.)", page), key


def test_every_code_of_a_refusal_is_documented():
    """Each code stands in the table of docs/gate.md."""
    from scopeware.gate.decision import STATUS

    page = (ROOT / "docs" / "gate.md").read_text()
    for code in STATUS:
        assert f"`{code}`" in page


def test_links_between_pages_lead_somewhere():
    """Every relative link of the README and the docs is a file."""
    for page in PAGES:
        for target in re.findall(r"\]\((?!#|https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
