"""Scope sets: what they cover, how they combine, that they do not change."""

import copy
import pickle

import pytest

from scopeware.errors import ScopewareError
from scopeware.scopes import ScopeSet, UnknownScope, Vocabulary, VocabularyMismatch

GITEA = Vocabulary.builtin("gitea")


def test_write_covers_read_and_read_does_not_cover_write():
    """Write grants read in its category, read never writes, and neither reaches another category."""
    assert GITEA.parse("write:misc").covers("read:misc")
    assert GITEA.parse("write:misc").covers("write:misc")
    assert not GITEA.parse("read:misc").covers("write:misc")
    assert not GITEA.parse("write:misc").covers("read:user")


def test_covers_wants_all_of_several_scopes():
    """One scope that is missing is enough to refuse."""
    granted = GITEA.parse("write:user,read:organization")
    assert granted.covers("read:user,read:organization")
    assert not granted.covers("read:user,write:organization")
    assert granted.covers(GITEA.parse("read:user"))
    assert not granted.covers(GITEA.parse("all"))


@pytest.mark.parametrize("nothing", ["", " , ", "public-only"])
def test_covers_refuses_a_question_about_nothing(nothing):
    """Text without a scope is a slip of the caller, and no pass, even for everything."""
    with pytest.raises(ValueError, match="no scope at all"):
        GITEA.parse("all").covers(nothing)


def test_covers_refuses_a_question_about_an_unknown_scope():
    """A misspelled requirement is an error, neither yes nor no."""
    with pytest.raises(UnknownScope) as caught:
        GITEA.parse("all").covers("read:usr")
    assert caught.value.suggestions[0] == "read:user"


def test_covers_leaves_the_restriction_out():
    """Public-only is a restriction that the gate applies, and no scope."""
    assert GITEA.parse("public-only,read:user").covers("read:user")
    assert GITEA.parse("read:user").covers("public-only,read:user")
    assert not GITEA.parse("public-only,read:user").covers("write:user")


def test_a_scope_is_in_the_set_that_covers_it():
    """`in` asks the same as `covers`, of text only."""
    granted = GITEA.parse("write:user")
    assert "read:user" in granted
    assert "read:misc" not in granted
    assert 1 not in granted
    assert None not in granted


def test_a_set_is_true_when_it_grants_something():
    """The restriction alone grants nothing."""
    assert GITEA.parse("read:user")
    assert not GITEA.parse("")
    assert not GITEA.parse("public-only")


def test_length_and_iteration_count_what_no_other_scope_implies():
    """Scopes come in vocabulary order, write without the read in it, the restriction not at all."""
    granted = GITEA.parse("public-only,read:user,write:misc,read:misc")
    assert list(granted) == ["write:misc", "read:user"]
    assert len(granted) == 2
    assert len(GITEA.parse("all")) == 9
    assert len(GITEA.parse("public-only")) == 0
    assert list(GITEA.parse("")) == []


def test_the_intersection_keeps_what_both_have():
    """Rights meet, write with read is read, disjoint sets meet in nothing."""
    assert str(GITEA.parse("write:user,read:misc") & GITEA.parse("read:user,write:misc")) == "read:misc,read:user"
    assert str(GITEA.parse("all") & GITEA.parse("write:user")) == "write:user"
    assert not GITEA.parse("write:user") & GITEA.parse("write:misc")


def test_the_union_has_what_either_has():
    """Rights join, and nothing beyond them appears."""
    both = GITEA.parse("read:user") | GITEA.parse("write:misc")
    assert str(both) == "write:misc,read:user"
    assert not both.covers("write:user")


@pytest.mark.parametrize(
    ("left", "right", "intersection", "union"),
    [
        pytest.param("read:user", "read:user", False, False, id="neither"),
        pytest.param("public-only,read:user", "read:user", True, False, id="left"),
        pytest.param("read:user", "public-only,read:user", True, False, id="right"),
        pytest.param("public-only,read:user", "public-only,read:user", True, True, id="both"),
    ],
)
def test_a_restriction_of_either_binds_the_intersection_and_only_of_both_the_union(left, right, intersection, union):
    """Restrictions only ever take away: one is enough under `&`, `|` allows what either allowed."""
    assert (GITEA.parse(left) & GITEA.parse(right)).public_only is intersection
    assert (GITEA.parse(left) | GITEA.parse(right)).public_only is union


def test_order_is_by_what_is_allowed():
    """Fewer scopes are less, and so are the same ones with a restriction; unrelated sets are not ordered."""
    read, write = GITEA.parse("read:user"), GITEA.parse("write:user")
    restricted = GITEA.parse("public-only,write:user")
    assert read <= write
    assert read < write
    assert write > read
    assert write >= read
    assert not write <= read
    assert restricted < write
    assert not write <= restricted
    assert not read <= restricted
    assert write <= GITEA.parse("write:user")
    assert not write < GITEA.parse("write:user")
    assert not read <= GITEA.parse("write:misc")


def test_equality_is_by_rights_restriction_and_vocabulary():
    """However it was spelled, the same rights are equal; anything that allows otherwise is not."""
    assert GITEA.parse("write:user,read:user") == GITEA.parse("write:user")
    assert hash(GITEA.parse("write:user,read:user")) == hash(GITEA.parse("write:user"))
    assert GITEA.parse("write:user") != GITEA.parse("read:user")
    assert GITEA.parse("public-only,write:user") != GITEA.parse("write:user")
    assert GITEA.parse("write:user") != "write:user"
    assert Vocabulary("one", ["user"]).parse("read:user") != Vocabulary("two", ["user"]).parse("read:user")


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(lambda a, b: a & b, id="and"),
        pytest.param(lambda a, b: a | b, id="or"),
        pytest.param(lambda a, b: a <= b, id="le"),
        pytest.param(lambda a, b: a < b, id="lt"),
        pytest.param(lambda a, b: a.covers(b), id="covers"),
    ],
)
def test_sets_of_two_vocabularies_do_not_mix(operation):
    """Bits of one vocabulary mean nothing in another; those of an equal one built separately mean the same."""
    ours = Vocabulary("one", ["user", "misc"])
    same = Vocabulary("one", ["user", "misc"])
    other = Vocabulary("two", ["misc", "user"])
    granted, more = ours.parse("write:user"), "write:user,read:misc"
    assert operation(granted, same.parse(more)) == operation(granted, ours.parse(more))
    with pytest.raises(VocabularyMismatch) as caught:
        operation(granted, other.parse(more))
    assert (caught.value.left, caught.value.right) == ("one", "two")
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, ScopewareError)
    assert str(caught.value) == "scope sets of two vocabularies do not mix: `one` and `two`"


def test_equal_vocabularies_built_separately_give_equal_sets():
    """A policy that is loaded again does not invalidate what was parsed before."""
    ours = Vocabulary("one", ["user"]).parse("read:user")
    same = Vocabulary("one", ["user"]).parse("read:user")
    assert ours == same
    assert hash(ours) == hash(same)
    assert len({ours, same}) == 1


@pytest.mark.parametrize("name", ["bits", "public_only", "vocabulary", "_granted", "something_new"])
def test_a_scope_set_never_changes(name):
    """No attribute can be set or deleted, so a set may be shared by requests and threads."""
    granted = GITEA.parse("read:user")
    with pytest.raises(AttributeError, match=f"immutable: cannot set `{name}`"):
        setattr(granted, name, 1)
    with pytest.raises(AttributeError, match=f"immutable: cannot delete `{name}`"):
        delattr(granted, name)
    assert str(granted) == "read:user"


def test_operators_leave_their_operands_alone():
    """`&=` and `|=` bind a new set and change none."""
    granted = same = GITEA.parse("write:user")
    granted |= GITEA.parse("read:misc")
    granted &= GITEA.parse("read:misc")
    assert str(granted) == "read:misc"
    assert str(same) == "write:user"


@pytest.mark.parametrize(
    "again",
    [
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
        pytest.param(lambda granted: pickle.loads(pickle.dumps(granted)), id="pickle"),
    ],
)
@pytest.mark.parametrize("text", ["", "public-only", "read:user", "public-only,all", "write:user,read:misc"])
def test_copies_are_equal_and_were_granted_the_same(text, again):
    """A copy allows the same, is stored as the same words, and mixes with the original."""
    granted = GITEA.parse(text)
    copied = again(granted)
    assert copied == granted
    assert hash(copied) == hash(granted)
    assert copied.as_granted == granted.as_granted
    assert copied & granted == granted
    assert copied.vocabulary == GITEA
    assert copied != GITEA.parse("read:issue")


def test_errors_survive_the_way_to_another_process():
    """What a worker raises arrives with all that it carries."""
    unknown = pickle.loads(pickle.dumps(GITEA.unknown("read:usr")))
    assert (unknown.word, unknown.vocabulary) == ("read:usr", "gitea")
    assert unknown.suggestions == GITEA.unknown("read:usr").suggestions
    assert str(unknown) == str(GITEA.unknown("read:usr"))
    mismatch = pickle.loads(pickle.dumps(VocabularyMismatch("one", "two")))
    assert (mismatch.left, mismatch.right) == ("one", "two")
    assert str(mismatch) == str(VocabularyMismatch("one", "two"))


@pytest.mark.parametrize("nothing", ["", "public-only"])
@pytest.mark.parametrize("other", ["", "public-only", "read:user", "public-only,read:user"])
def test_what_grants_nothing_is_less_or_equal_to_anything(nothing, other):
    """A token that can do nothing can do nothing that another cannot, restricted or not."""
    assert GITEA.parse(nothing) <= GITEA.parse(other)
    assert (GITEA.parse(other) <= GITEA.parse(nothing)) is not bool(GITEA.parse(other))


@pytest.mark.parametrize(
    ("left", "right", "union"),
    [
        pytest.param("public-only", "read:user", "read:user", id="restriction-of-nothing-left"),
        pytest.param("read:user", "public-only", "read:user", id="restriction-of-nothing-right"),
        pytest.param("", "public-only,read:user", "public-only,read:user", id="nothing-lifts-no-restriction"),
        pytest.param("public-only,read:user", "", "public-only,read:user", id="nothing-lifts-none-right"),
        pytest.param("public-only", "public-only", "public-only", id="two-restrictions-of-nothing"),
        pytest.param("public-only", "", "", id="nothing-and-a-restriction"),
    ],
)
def test_the_union_takes_no_notice_of_an_operand_that_grants_nothing(left, right, union):
    """A set without a scope neither restricts the other nor lifts its restriction."""
    assert GITEA.parse(left) | GITEA.parse(right) == GITEA.parse(union)


@pytest.mark.parametrize("other", ["read:user", None, 1, {"read:user"}])
@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(lambda a, b: a & b, id="and"),
        pytest.param(lambda a, b: a | b, id="or"),
        pytest.param(lambda a, b: b | a, id="or-from-the-right"),
        pytest.param(lambda a, b: a <= b, id="le"),
        pytest.param(lambda a, b: a < b, id="lt"),
        pytest.param(lambda a, b: a >= b, id="ge"),
    ],
)
def test_a_scope_set_combines_with_scope_sets_alone(operation, other):
    """Text is parsed first: an operator that guessed would guess wrong some day."""
    granted = GITEA.parse("write:user")
    assert operation(granted, GITEA.parse("write:user")) is not None
    with pytest.raises(TypeError):
        operation(granted, other)


@pytest.mark.parametrize("need", [None, 1, ["read:user"], b"read:user"])
def test_covers_is_asked_of_text_or_a_set(need):
    """Anything else is a slip of the caller, and no pass."""
    with pytest.raises(TypeError, match="expected a scope set or text"):
        GITEA.parse("all").covers(need)
    assert GITEA.parse("all").covers("read:user")


def test_repr_shows_the_canonical_text():
    """A set can be read in a debugger, an empty one and a restricted one as well."""
    assert repr(GITEA.parse("read:user,public-only")) == "ScopeSet('public-only,read:user')"
    assert repr(GITEA.parse("")) == "ScopeSet('')"


def test_a_set_made_from_bits_is_closed_under_implication():
    """Whoever makes a set from bits gets what these bits imply, and no more."""
    index = GITEA.scopes.index("write:misc")
    made = ScopeSet(GITEA, 1 << index)
    assert made == GITEA.parse("write:misc")
    assert made != GITEA.parse("read:misc")
