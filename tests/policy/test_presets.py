"""The ``[presets]`` of a policy: scopes that are often wanted together."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scopeware.errors import ConfigurationError
from scopeware.policy import Group, Policy
from scopeware.policy.preset import Preset
from scopeware.scopes import Vocabulary
from scopeware.tokens import TokenRefused, TokenStore

HEAD = """
[vocabulary]
name = "shop"
actions = ["read", "write"]
all = "all"
public_only = "public-only"
admin = ["staff"]
reserved = { all = ["admin"], "read:*" = ["admin", "clerk"] }

[vocabulary.wildcards]
"read:*" = ["read:*"]

[vocabulary.categories]
order = ""
stock = ""
staff = ""

[roles]
clerk = "*:order"
nobody = "-*"
"""
GROUP = '[[group]]\npath = "/"\nscopes = []\n'


def loaded(text: str, source: str = "policy") -> Policy:
    return Policy.loads(f"{HEAD}\n{text}\n{GROUP}", source=source)


@pytest.mark.parametrize(
    ("scopes", "kept"),
    [
        pytest.param('["read:order", "write:stock"]', "read:order,write:stock", id="a list"),
        pytest.param('"read:order,write:stock"', "read:order,write:stock", id="text"),
        pytest.param('" read:order  write:stock "', "read:order,write:stock", id="text with spaces"),
        pytest.param('["write:stock", "read:order"]', "read:order,write:stock", id="another order"),
        pytest.param('["read:order", "read:order"]', "read:order", id="a word twice"),
        pytest.param('["read:order", "write:order"]', "write:order", id="a word that another one includes"),
        pytest.param('"public-only,read:order"', "public-only,read:order", id="a restriction"),
        pytest.param('["write:order@alice/*"]', "write:order@alice/*", id="bound to resources"),
        pytest.param('["all"]', "all", id="all of them, as that word"),
        pytest.param('["read:*"]', "read:*", id="a word for many, as that word"),
    ],
)
def test_the_scopes_of_a_preset_are_canonical_text(scopes: str, kept: str) -> None:
    """However they were written; what is granted with it is what the text says."""
    policy = loaded(f"[presets.one]\nscopes = {scopes}")
    assert policy.presets == {"one": Preset("one", kept)}
    granted = policy.vocabulary.parse(policy.presets["one"].scopes)
    assert granted.as_granted == kept


def test_presets_have_names_descriptions_and_an_order() -> None:
    """That of the file; without any there are none, and nobody changes them later."""
    policy = loaded(
        '[presets.watch]\nscopes = "read:order"\ndescription = "Dashboards"\n'
        '[presets."Nightly import é"]\nscopes = "write:stock"\n'
    )
    assert list(policy.presets.values()) == [
        Preset("watch", "read:order", "Dashboards"),
        Preset("Nightly import é", "write:stock"),
    ]
    assert Policy.loads(GROUP).presets == {}
    with pytest.raises(TypeError):
        policy.presets["more"] = Preset("more", "all")  # type: ignore[index]


def test_presets_can_be_given_in_python() -> None:
    """The same tables."""
    groups = [Group(path="/", scopes=[])]
    known = Policy(groups, presets={"ci": {"scopes": ["write:package"], "description": "Builds"}})
    assert known.presets == {"ci": Preset("ci", "write:package", "Builds")}
    assert Policy(groups).presets == Policy(groups, presets={}).presets == {}


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        pytest.param('presets = "all"', "presets", "expected a table: [presets]", id="no table at all"),
        pytest.param("[[presets]]", "presets", "expected a table: [presets]", id="a list of tables"),
        pytest.param('[presets]\nwatch = "read:order"', "presets.watch", "expected a table with", id="text"),
        pytest.param("[presets]\nwatch = []", "presets.watch", "expected a table with", id="a list"),
        pytest.param("[presets.watch]", "presets.watch.scopes", "no scope at all", id="nothing"),
        pytest.param("[presets.watch]\nscopes = []", "presets.watch.scopes", "no scope at all", id="an empty list"),
        pytest.param('[presets.watch]\nscopes = " , "', "presets.watch.scopes", "no scope at all", id="empty text"),
        pytest.param(
            '[presets.watch]\nscopes = ["public-only"]', "presets.watch.scopes", "no scope at all", id="a restriction"
        ),
        pytest.param("[presets.watch]\nscopes = 7", "presets.watch.scopes", "a list of scopes", id="a number"),
        pytest.param("[presets.watch]\nscopes = [7]", "presets.watch.scopes", "a list of scopes", id="of numbers"),
        pytest.param(
            '[presets.watch]\nscopes = [["all"]]', "presets.watch.scopes", "a list of scopes", id="a list in a list"
        ),
        pytest.param(
            "[presets.watch]\nscopes = { all = true }", "presets.watch.scopes", "a list of scopes", id="a table of them"
        ),
        pytest.param(
            '[presets.watch]\nscopes = ["read:orders"]', "presets.watch.scopes", "`read:order`", id="an unknown scope"
        ),
        pytest.param('[presets.watch]\nscopes = ["order"]', "presets.watch.scopes", "`read:order`", id="a category"),
        pytest.param('[presets.watch]\nscopes = "ALL"', "presets.watch.scopes", "`all`", id="another letter case"),
        pytest.param(
            '[presets.watch]\nscopes = ["read:order,write:stock"]',
            "presets.watch.scopes",
            "unknown scope `read:order,write:stock`",
            id="text in a list",
        ),
        pytest.param(
            '[presets.watch]\nscopes = ["read:order@../x"]', "presets.watch.scopes", "`read:order@", id="no resource"
        ),
        pytest.param('[presets.watch]\nscope = "all"', "presets.watch", "did you mean `scopes`", id="an unknown key"),
        pytest.param(
            '[presets.watch]\nscopes = "all"\ndescription = 7',
            "presets.watch.description",
            "expected a string",
            id="a number for a description",
        ),
        pytest.param('[presets.""]\nscopes = "all"', "presets", "`` cannot be a name", id="no name"),
        pytest.param('[presets."a\\nb"]\nscopes = "all"', "presets", "cannot be a name", id="a newline in the name"),
        pytest.param('[presets."\\u001b[2J"]\nscopes = "all"', "presets", "cannot be a name", id="an escape"),
        pytest.param('[presets."a\\u202eb"]\nscopes = "all"', "presets", "cannot be a name", id="backwards"),
    ],
)
def test_a_preset_that_cannot_be_is_refused_with_its_key(text: str, where: str, problem: str) -> None:
    """Where the policy is loaded, not where someone chooses it; the message can be printed."""
    before, after = (text, "") if text.startswith("presets") else ("", text)
    with pytest.raises(ConfigurationError) as caught:
        Policy.loads(f"{before}\n{HEAD}\n{after}\n{GROUP}", source="scopes.toml")
    assert caught.value.where == f"scopes.toml: {where}"
    assert problem in caught.value.problem
    assert caught.value.problem.isprintable()


def test_a_long_name_of_a_key_is_cut_and_looked_for_nowhere() -> None:
    """Nobody waits for a suggestion, and a terminal is not filled with it."""
    with pytest.raises(ConfigurationError) as caught:
        loaded(f'[presets.watch]\n{"s" * 100_000} = "all"')
    assert len(caught.value.problem) < 200


_NAMES = st.sampled_from(("watch", "é", "a b", "", "\n")) | st.text(max_size=4)
_VALUES = st.one_of(
    st.text(max_size=4),
    st.integers(),
    st.booleans(),
    st.lists(st.text(max_size=3) | st.integers(), max_size=2),
    st.just("read:order"),
    st.just(["read:order", "write:stock"]),
)
_TABLES = st.dictionaries(st.sampled_from(("scopes", "description", "scope")), _VALUES, max_size=2)


@given(presets=st.dictionaries(_NAMES, _TABLES | _VALUES, max_size=2))
def test_whatever_is_written_is_taken_or_a_configuration_error(presets: dict[str, Any]) -> None:
    """And what is taken says what it grants."""
    vocabulary = Vocabulary("v", ["order", "stock"])
    policy = refusal = None
    try:
        policy = Policy([Group(path="/", scopes=[])], vocabulary=vocabulary, presets=presets)
    except ConfigurationError as error:
        refusal = error
    if policy is None:
        assert refusal is not None
        assert refusal.where.startswith("presets")
        assert refusal.problem
        return
    for name, preset in policy.presets.items():
        assert preset.name == name
        assert vocabulary.parse(preset.scopes).as_granted == preset.scopes != ""
        assert isinstance(preset.description, str)


# -- for whom


OFFERED = """
[presets.orders]
scopes = ["write:order"]
[presets.mixed]
scopes = ["read:stock", "write:staff"]
[presets.staff]
scopes = ["read:staff"]
[presets.bound]
scopes = ["write:order@alice/*"]
[presets.reading]
scopes = ["read:*"]
[presets.everything]
scopes = ["all"]
"""


@pytest.mark.parametrize(
    ("role", "offered"),
    [
        pytest.param("admin", ["orders", "mixed", "staff", "bound", "reading", "everything"], id="admin"),
        pytest.param("user", ["orders", "mixed", "bound"], id="user"),
        pytest.param("viewer", ["orders", "mixed", "bound"], id="viewer"),
        pytest.param("clerk", ["orders", "bound", "reading"], id="a role of the policy's own"),
        pytest.param("nobody", [], id="a role with nothing"),
        pytest.param("unheard-of", [], id="a role that nobody knows"),
        pytest.param("", [], id="no role"),
        pytest.param("Admin", [], id="another letter case"),
    ],
)
def test_a_role_is_offered_what_it_can_be_granted_and_what_is_worth_something_then(
    role: str, offered: list[str]
) -> None:
    """Words that are reserved to other roles cannot be granted, and what lies above the ceiling does nothing."""
    policy = loaded(OFFERED)
    assert [preset.name for preset in policy.presets_for(role)] == offered


@pytest.mark.parametrize("role", ["admin", "user", "viewer", "clerk"])
def test_whatever_is_offered_is_issued_and_the_rest_that_is_reserved_is_not(role: str, store: TokenStore) -> None:
    """The store has the last word, and agrees."""
    policy = loaded(OFFERED)
    store.use(policy.vocabulary, policy.roles, "swt", policy.lifetimes)
    store.add_owner("alice", role=role)
    offered = policy.presets_for(role)
    for preset in policy.presets.values():
        if policy.roles.reserved_in(policy.vocabulary.parse(preset.scopes), role):
            assert preset not in offered
            with pytest.raises(TokenRefused, match=f"for the role .* only, not `{role}`"):
                store.issue(owner="alice", name=preset.name, scopes=preset.scopes)
        else:
            token = store.issue(owner="alice", name=preset.name, scopes=preset.scopes).token
            assert bool(store.show(token.id).effective) is (preset in offered)
