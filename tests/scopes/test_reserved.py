"""Words that are reserved to roles, and scopes that a role gives in every resource."""

import copy
import pickle
import tomllib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scope_reference import pairs_granted, pairs_of, scopes_implied, scopes_of
from strategies import PLACES, drafts_with_reserved_words, grants

from scopeware.scopes import Roles, Vocabulary, VocabularyError

unhurried = settings(deadline=None)
CATEGORIES = ["user", "repo", "repo.hooks", "staff"]
WORDS = {"all_word": "all", "wildcards": {"sudo": ["*"], "read:*": ["read:*"]}, "public_only": "public-only"}
RESERVED = {"sudo": ["admin"], "write:repo.hooks": ["admin", "operator"]}
FORGE = Vocabulary("forge", CATEGORIES, **WORDS, reserved=RESERVED)
FREE = Vocabulary("forge", CATEGORIES, **WORDS)
ROLES = Roles(FORGE, {"operator": "*,-*:staff"})


# -- the vocabulary


def test_a_table_says_what_is_reserved_and_what_is_inherited():
    """One role may stand for a list of one, as may one pattern."""
    data = tomllib.loads("""
        inherited = "read:*"
        [categories]
        user = "Users"
        job = "Jobs"
        [wildcards]
        sudo = ["*"]
        [reserved]
        sudo = "admin"
        "write:job" = ["admin", "user"]
    """)
    vocabulary = Vocabulary.from_mapping(data)
    assert dict(vocabulary.reserved) == {"sudo": ("admin",), "write:job": ("admin", "user")}
    assert vocabulary.inherited_bits == vocabulary.parse("read:user,read:job").bits
    assert vocabulary == Vocabulary(
        "custom",
        list(vocabulary.categories.values()),
        wildcards={"sudo": ["*"]},
        reserved={"sudo": ["admin"], "write:job": ["admin", "user"]},
        inherited=["read:*"],
    )


def test_nothing_is_reserved_or_inherited_unless_it_is_said():
    """A vocabulary is for everyone, and roles are not given by resource."""
    assert FREE.reserved == {}
    assert FREE.inherited_bits == 0
    assert not Vocabulary.builtin("gitea").reserved


@pytest.mark.parametrize(
    ("patterns", "scopes"),
    [
        pytest.param([], "", id="nothing"),
        pytest.param(["read:user"], "read:user", id="a scope"),
        pytest.param(["write:repo"], "write:repo", id="with all it implies"),
        pytest.param(["*:repo"], "write:repo", id="a category with its parts"),
        pytest.param(["*", "-*:staff"], "write:user,write:repo", id="taken away"),
        pytest.param(["read:*"], "read:*", id="a pattern, not the wildcard of that name"),
    ],
)
def test_what_is_inherited_is_told_by_patterns(patterns, scopes):
    """In order, as roles are; what comes out is closed under implication."""
    vocabulary = Vocabulary("forge", CATEGORIES, **WORDS, inherited=patterns)
    assert vocabulary.inherited_bits == vocabulary.parse(scopes).bits


@pytest.mark.parametrize(
    ("options", "where", "problem"),
    [
        pytest.param(
            {"reserved": {"wirte:user": ["admin"]}},
            "reserved.wirte:user",
            "`wirte:user` is no word of this vocabulary",
            id="unknown word",
        ),
        pytest.param(
            {"reserved": {"user": ["admin"]}}, "reserved.user", "`user` is no word of this vocabulary", id="category"
        ),
        pytest.param(
            {"reserved": {"read:user@a/b": ["admin"]}},
            "reserved.read:user@a/b",
            "`read:user@a/b` is no word of this vocabulary",
            id="bound word",
        ),
        pytest.param(
            {"reserved": {"public-only": ["admin"]}},
            "reserved.public-only",
            "`public-only` is no word of this vocabulary",
            id="the restriction",
        ),
        pytest.param(
            {"reserved": {"sudo": []}},
            "reserved.sudo",
            "it is reserved for nobody; name a role, or leave the word out",
            id="nobody",
        ),
        pytest.param(
            {"inherited": ["raed:user"]},
            "inherited",
            "the pattern `raed:user` matches no scope",
            id="unknown pattern",
        ),
        pytest.param(
            {"inherited": ["read:*", "-read:usr"]},
            "inherited",
            "the pattern `-read:usr` matches no scope; did you mean `user`?",
            id="unknown pattern, taken away",
        ),
    ],
)
def test_what_cannot_be_reserved_or_inherited_is_refused_with_its_place(options, where, problem):
    """A typo neither opens a word to everyone nor closes it to everyone; without it the vocabulary is fine."""
    assert Vocabulary("forge", CATEGORIES, **WORDS, reserved={"sudo": ["admin"]}, inherited=["read:*"])
    with pytest.raises(VocabularyError) as caught:
        Vocabulary("forge", CATEGORIES, **WORDS, **options)
    assert caught.value.where == where
    assert caught.value.problem.startswith(problem)


@pytest.mark.parametrize(
    ("change", "where", "form"),
    [
        pytest.param({"reserved": ["sudo"]}, "reserved", "a table of lists of strings", id="a list"),
        pytest.param({"reserved": {"read:user": 7}}, "reserved.read:user", "a list of strings", id="a number"),
        pytest.param({"reserved": {"read:user": [7]}}, "reserved.read:user", "a list of strings", id="of numbers"),
        pytest.param({"inherited": {"read": "user"}}, "inherited", "a list of strings", id="a table"),
        pytest.param({"inherited": [7]}, "inherited", "a list of strings", id="of numbers too"),
        pytest.param({"inherited": True}, "inherited", "a list of strings", id="a flag"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_with_its_key(change, where, form):
    """As everywhere in the table of a vocabulary."""
    assert Vocabulary.from_mapping({"categories": {"user": ""}})
    with pytest.raises(VocabularyError) as caught:
        Vocabulary.from_mapping({"categories": {"user": ""}} | change)
    assert caught.value.where == where
    assert caught.value.problem == f"expected {form}"


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"reserved": {"sudo": ["admin"]}}, id="less reserved"),
        pytest.param({"reserved": {**RESERVED, "sudo": ["user"]}}, id="reserved to others"),
        pytest.param({"reserved": {**RESERVED, "all": ["admin"]}}, id="more reserved"),
        pytest.param({"reserved": RESERVED, "inherited": ["read:user"]}, id="something inherited"),
        pytest.param({}, id="nothing reserved"),
    ],
)
def test_vocabularies_differ_where_they_reserve_or_inherit_otherwise(options):
    """What one grants is not what the other grants, so their sets do not mix; where they agree they do."""
    same = Vocabulary("forge", CATEGORIES, **WORDS, reserved=dict(reversed(RESERVED.items())))
    other = Vocabulary("forge", CATEGORIES, **WORDS, **options)
    assert same == FORGE
    assert hash(same) == hash(FORGE)
    assert other != FORGE
    assert same.parse("all") == FORGE.parse("all")
    assert other.parse("all") != FORGE.parse("all")


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda vocabulary: pickle.loads(pickle.dumps(vocabulary))])
def test_copies_reserve_and_inherit_the_same(again):
    """In another process, too."""
    vocabulary = Vocabulary("forge", CATEGORIES, **WORDS, reserved=RESERVED, inherited=["read:*", "-*:staff"])
    copied = again(vocabulary)
    assert copied == vocabulary
    assert copied.reserved == vocabulary.reserved
    assert copied.inherited_bits == vocabulary.inherited_bits != 0
    assert Roles(copied, {"operator": "*"}).effective(copied.parse("sudo"), "user") == copied.parse("")
    assert copied != FORGE


def test_what_is_reserved_cannot_be_changed_from_outside():
    """Neither through the vocabulary, nor through what it was made of."""
    table = {"sudo": ["admin"]}
    vocabulary = Vocabulary("forge", CATEGORIES, **WORDS, reserved=table)
    table["sudo"].append("user")
    table["all"] = ["admin"]
    assert dict(vocabulary.reserved) == {"sudo": ("admin",)}
    with pytest.raises(TypeError):
        vocabulary.reserved["sudo"] = ("user",)


# -- roles


def test_a_reserved_wildcard_is_powerless_under_other_roles():
    """Whatever it stands for; the same scopes under words that are not reserved stay."""
    assert ROLES.effective(FORGE.parse("sudo"), "admin") == FORGE.parse("all")
    assert not ROLES.effective(FORGE.parse("sudo"), "user")
    assert not ROLES.effective(FORGE.parse("sudo"), "operator")
    assert ROLES.effective(FORGE.parse("sudo,read:user"), "user") == FORGE.parse("read:user")
    assert ROLES.effective(FORGE.parse("write:user"), "user") == FORGE.parse("write:user")


def test_a_reserved_wildcard_leaves_ceilings_as_they_are():
    """It is the word that is reserved, not what it stands for."""
    only_sudo = Roles(Vocabulary("forge", CATEGORIES, **WORDS, reserved={"sudo": ["admin"]}))
    assert {role: str(ceiling) for role, ceiling in only_sudo.items()} == {
        role: str(ceiling) for role, ceiling in Roles(FREE).items()
    }


def test_a_reserved_scope_is_beyond_the_ceilings_of_other_roles():
    """With all that implies it, under whatever word; what it implies and what is beside it stay."""
    for role in ("admin", "operator"):
        assert ROLES[role].covers("write:repo.hooks")
        assert ROLES.effective(FORGE.parse("write:repo"), role).covers("write:repo.hooks")
    user = ROLES["user"]
    assert not user.covers("write:repo.hooks")
    assert not user.covers("write:repo")
    assert user.covers("read:repo")
    assert user.covers("write:user")
    assert ROLES.effective(FORGE.parse("all"), "user") == user
    assert ROLES.effective(FORGE.parse("write:repo"), "user") == FORGE.parse("read:repo")


def test_a_reserved_scope_is_as_if_it_had_not_been_granted():
    """Under other roles it does not even give what it implies, unless that was granted, too."""
    assert not ROLES.effective(FORGE.parse("write:repo.hooks"), "user")
    assert ROLES.effective(FORGE.parse("write:repo.hooks,read:repo.hooks"), "user") == FORGE.parse("read:repo.hooks")
    assert ROLES.effective(FORGE.parse("write:repo.hooks"), "operator") == FORGE.parse("write:repo.hooks")


def test_who_administers_has_no_word_that_is_reserved_to_others():
    """A word belongs to the roles that are named, and to no other."""
    vocabulary = Vocabulary("forge", CATEGORIES, **WORDS, reserved={"write:staff": ["operator"]})
    roles = Roles(vocabulary, {"operator": "*"})
    assert roles["operator"].covers("write:staff")
    assert not roles["admin"].covers("write:staff")
    assert roles["admin"].covers("read:staff")
    assert roles["admin"].covers("write:repo")


def test_reserved_words_are_powerless_at_resources_too():
    """Bound or not; what is bound besides stays bound."""
    granted = FORGE.parse("public-only,sudo@a/*,read:user@a/b,write:repo.hooks@a/b,read:repo")
    effective = ROLES.effective(granted, "user")
    assert effective == FORGE.parse("public-only,read:user@a/b,read:repo")
    assert ROLES.effective(granted, "admin") == granted
    assert str(ROLES.effective(granted, "operator")) == "public-only,read:repo,read:user@a/b,write:repo.hooks@a/b"


def test_a_ceiling_cuts_bound_scopes():
    """At the resource as everywhere; a role does not widen where they hold."""
    granted = FORGE.parse("all@a/*,write:user@b/c")
    assert str(ROLES.effective(granted, "viewer")) == "read:user@a/*,read:repo@a/*,read:staff@a/*,read:user@b/c"
    assert ROLES.effective(granted, "admin") == granted
    assert ROLES.effective(granted, "viewer").bits == 0


@pytest.mark.parametrize("role", ["nobody", "", "Admin", "admin ", "*"])
def test_under_an_unknown_role_nothing_is_worth_anything(role):
    """Neither what is reserved nor what is not, neither bound nor everywhere."""
    for text in ("all", "sudo", "read:user", "read:user@a/b", "public-only,write:repo.hooks"):
        assert not ROLES.effective(FORGE.parse(text), role)
        assert ROLES.effective(FORGE.parse(text), "admin")


def test_the_reserved_words_of_a_grant_are_named():
    """In the order in which they are reserved, wherever they were granted; not those that are only implied."""
    granted = FORGE.parse("write:repo.hooks@a/b,sudo@a/*,sudo,read:user")
    assert ROLES.reserved_in(granted, "user") == ("sudo", "write:repo.hooks")
    assert ROLES.reserved_in(granted, "operator") == ("sudo",)
    assert ROLES.reserved_in(granted, "admin") == ()
    assert ROLES.reserved_in(FORGE.parse("all,write:repo,read:*,public-only"), "user") == ()
    assert Roles(FREE).reserved_in(FREE.parse("sudo"), "user") == ()


def test_the_reserved_words_of_a_grant_are_named_for_an_unknown_role():
    """They are reserved to other roles than that, so it is not granted them either."""
    assert ROLES.reserved_in(FORGE.parse("sudo"), "nobody") == ("sudo",)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        pytest.param("sudo,read:user", "read:user", id="in a wildcard"),
        pytest.param("write:repo.hooks,read:repo.hooks", "read:repo.hooks", id="implied"),
        pytest.param("sudo@a/b,read:user@a/b", "read:user@a/b", id="at a resource"),
    ],
)
def test_what_was_granted_beside_a_reserved_word_survives_storage(text, left):
    """A word that may come to nothing does not stand for others: who loses the role keeps what else was granted."""
    granted = FORGE.parse(text)
    assert ROLES.effective(granted, "user") == FORGE.parse(left)
    stored = FORGE.parse(granted.as_granted)
    assert ROLES.effective(stored, "user") == FORGE.parse(left)


def test_a_word_that_is_reserved_to_a_role_that_there_is_not_is_refused():
    """A typo would take it away from everyone; a role of the deployment's own counts."""
    vocabulary = Vocabulary("forge", CATEGORIES, reserved={"write:user": ["admin", "opertor"]})
    with pytest.raises(VocabularyError) as caught:
        Roles(vocabulary, {"operator": "*"})
    assert caught.value.where == "reserved.write:user"
    assert caught.value.problem.startswith("unknown role `opertor`")
    assert Roles(vocabulary, {"opertor": "*"})["opertor"].covers("write:user")


NAMES = ("viewer", "user", "admin", "own")


@given(drafts_with_reserved_words(NAMES), st.sampled_from(NAMES), st.data())
@unhurried
def test_a_ceiling_loses_what_reaches_a_reserved_scope_and_nothing_else(draft, role, data):
    """Compared with the same roles in a vocabulary that reserves nothing."""
    table = {"own": data.draw(st.sampled_from(["*", *draft.scopes]))}
    vocabulary, free = draft.build(), replace(draft, reserved={}).build()
    withheld = {word for word, holders in draft.reserved.items() if role not in holders}
    before = scopes_of(free, Roles(free, table)[role].bits)
    expected = {scope for scope in before if not scopes_implied(draft, [scope]) & withheld}
    ceiling = Roles(vocabulary, table)[role]
    assert scopes_of(vocabulary, ceiling.bits) == expected
    assert vocabulary.parse(str(ceiling)) == ceiling


@given(drafts_with_reserved_words(NAMES), st.sampled_from([*NAMES, "nobody"]), st.data())
@unhurried
def test_what_is_effective_is_never_more_than_was_granted_or_than_the_ceiling(draft, role, data):
    """It is what was granted without the words that are reserved to others, at every place, as far as the ceiling."""
    vocabulary = draft.build()
    roles = Roles(vocabulary, {"own": "*"})
    granted = data.draw(grants(vocabulary))
    scopes = vocabulary.parse(grant.text for grant in granted)
    effective = roles.effective(scopes, role)
    assert effective <= scopes
    assert effective <= roles.ceiling(role)
    if role == "nobody":
        assert not effective
        return
    kept = [grant for grant in granted if role in draft.reserved.get(grant.word, (role,))]
    within = {(scope, place) for scope in scopes_of(vocabulary, roles[role].bits) for place in PLACES}
    assert pairs_of(effective) == pairs_granted(draft, kept) & within
    assert effective.public_only is scopes.public_only
    words = {grant.word for grant in granted}
    assert set(roles.reserved_in(scopes, role)) == {
        word for word, holders in draft.reserved.items() if word in words and role not in holders
    }
    assert roles.effective(effective, role) <= effective
