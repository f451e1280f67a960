"""What holds for every vocabulary and every scope set, checked against a slow and obvious reference."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scope_reference import scopes_implied, scopes_matching, scopes_meant, scopes_of
from strategies import (
    drafts,
    drafts_with_a_part_introduced,
    scope_sets_together,
    scope_texts,
    scope_words,
    vocabularies,
)

from scopeware.scopes import Roles, UnknownScope

unhurried = settings(deadline=None)


@given(drafts(), st.data())
@unhurried
def test_the_closure_is_what_a_walk_over_the_implications_reaches(draft, data):
    """Bits of scopes, wildcards among them, close to exactly what the reference reaches."""
    vocabulary = draft.build()
    assert vocabulary.scopes == draft.scopes
    words = data.draw(scope_words(vocabulary))
    meant = set().union(*(scopes_meant(draft, word) for word in words))
    bits = vocabulary.parse(words).bits
    assert scopes_of(vocabulary, bits) == scopes_implied(draft, meant)
    assert vocabulary.closure(bits) == bits


@given(drafts(), st.data())
@unhurried
def test_patterns_select_in_order_and_what_is_taken_away_stays_away(draft, data):
    """A reference adds what patterns reach and takes away whatever reaches them; the result is always closed."""
    vocabulary = draft.build()
    words = st.sampled_from(["*", *draft.scopes, *(f"*:{scope.partition(':')[2]}" for scope in draft.scopes)])
    patterns = data.draw(st.lists(words | words.map("-{}".format), max_size=5))
    expected: set[str] = set()
    for pattern in patterns:
        matching = scopes_matching(draft, pattern.removeprefix("-"))
        if pattern.startswith("-"):
            expected = {scope for scope in expected if not scopes_implied(draft, [scope]) & matching}
        else:
            expected |= scopes_implied(draft, matching)
    bits = vocabulary.match(patterns)
    assert scopes_of(vocabulary, bits) == expected
    assert vocabulary.closure(bits) == bits


@given(drafts())
@unhurried
def test_what_a_scope_covers_is_what_it_reaches(draft):
    """For every two scopes, the first covers the second exactly where the reference says so."""
    vocabulary = draft.build()
    for granted in draft.scopes:
        reached = scopes_implied(draft, [granted])
        covering = vocabulary.parse(granted)
        assert {scope for scope in draft.scopes if covering.covers(scope)} == reached


@given(vocabularies(), st.data())
@unhurried
def test_canonical_text_parses_back(vocabulary, data):
    """parse(str(x)) == x, and text that is canonical stays as it is."""
    granted = vocabulary.parse(data.draw(scope_texts(vocabulary)))
    text = str(granted)
    assert vocabulary.parse(text) == granted
    assert str(vocabulary.parse(text)) == text
    assert vocabulary.parse_known(text) == (granted, ())


@given(vocabularies(), st.data())
@unhurried
def test_stored_text_parses_back(vocabulary, data):
    """parse(as_granted) == x, and what is read back is stored the same again."""
    granted = vocabulary.parse(data.draw(scope_texts(vocabulary)))
    again = vocabulary.parse(granted.as_granted)
    assert again == granted
    assert again.as_granted == granted.as_granted


@given(vocabularies(), st.data())
@unhurried
def test_canonical_text_has_no_word_too_many(vocabulary, data):
    """Words come in vocabulary order, and without any one of them the set would be less."""
    granted = vocabulary.parse(data.draw(scope_texts(vocabulary)))
    words = list(granted)
    assert words == [scope for scope in vocabulary.scopes if scope in words]
    assert len(granted) == len(words)
    for left_out in words:
        assert not vocabulary.parse(word for word in words if word != left_out).covers(left_out)


@given(vocabularies(), st.data())
@unhurried
def test_words_grant_the_same_in_any_order_and_any_number(vocabulary, data):
    """Order, repetition and separators say nothing."""
    words = data.draw(scope_words(vocabulary))
    granted = vocabulary.parse(words)
    assert vocabulary.parse(data.draw(st.permutations(words))) == granted
    assert vocabulary.parse(",".join(words * 2)) == granted
    assert vocabulary.parse(" ".join(words)) == granted


@given(vocabularies(), st.text(max_size=30))
@unhurried
def test_no_text_crashes_the_parser(vocabulary, text):
    """Any text is either parsed or refused by name, and what is refused grants nothing."""
    known, unknown = vocabulary.parse_known(text)
    if not unknown:
        assert vocabulary.parse(text) == known
        return
    with pytest.raises(UnknownScope) as caught:
        vocabulary.parse(text)
    assert caught.value.word == unknown[0]
    assert caught.value.word in text
    assert str(caught.value).isprintable()
    assert vocabulary.parse_known(caught.value.word)[0] == vocabulary.parse("")


@given(scope_sets_together(2))
@unhurried
def test_the_intersection_is_below_and_the_union_above(pair):
    """a & b <= a <= a | b, for either operand."""
    a, b = pair
    assert a & b <= a
    assert a & b <= b
    assert a <= a | b
    assert b <= a | b


@given(scope_sets_together(2))
@unhurried
def test_the_intersection_is_of_rights_and_the_union_too(pair):
    """A scope is in a & b where it is in both, and a | b holds nothing but what the two together imply."""
    a, b = pair
    for scope in a.vocabulary.scopes:
        assert (a & b).covers(scope) is (a.covers(scope) and b.covers(scope))
    assert (a | b).bits == a.vocabulary.closure(a.bits | b.bits)


@given(scope_sets_together(2))
@unhurried
def test_both_operators_commute(pair):
    """The order of operands says nothing, in what is stored as well."""
    a, b = pair
    assert a & b == b & a
    assert a | b == b | a
    assert (a & b).as_granted == (b & a).as_granted
    assert (a | b).as_granted == (b | a).as_granted


@given(scope_sets_together(3))
@unhurried
def test_both_operators_associate(triple):
    """Parentheses say nothing."""
    a, b, c = triple
    assert (a & b) & c == a & (b & c)
    assert (a | b) | c == a | (b | c)


@given(scope_sets_together(2))
@unhurried
def test_both_operators_are_idempotent_and_absorb_each_other(pair):
    """What is there already adds nothing; the two form a lattice of what is allowed."""
    a, b = pair
    assert a & a == a
    assert a | a == a
    for absorbed in (a & (a | b), a | (a & b)):
        assert absorbed <= a <= absorbed
        assert absorbed == a or not a


@given(scope_sets_together(2))
@unhurried
def test_less_or_equal_is_to_be_covered_and_no_less_restricted(pair):
    """x <= y where y covers x, unless y alone is restricted; nothing at all is below anything."""
    x, y = pair
    assert (x <= y) is (not x or (y.covers(x) and (x.public_only or not y.public_only)))
    assert (x < y) is (x <= y and x != y)


@given(scope_sets_together(3))
@unhurried
def test_less_or_equal_is_an_order(triple):
    """Reflexive, transitive, and equal where it holds both ways."""
    a, b, c = triple
    assert a <= a.vocabulary.parse(str(a))
    smaller, larger = a & b, b | c
    assert smaller <= b <= larger
    assert smaller <= larger
    assert a.vocabulary.parse("") <= a
    if a and a <= b and b <= a:
        assert a == b


@given(scope_sets_together(2))
@unhurried
def test_a_restriction_only_ever_takes_away(pair):
    """Public-only survives an intersection with anything, and a union unless something unrestricted joins in."""
    a, b = pair
    assert (a & b).public_only is (a.public_only or b.public_only)
    if a and b:
        assert (a | b).public_only is (a.public_only and b.public_only)
    elif a or b:
        assert (a | b).public_only is (a if a else b).public_only
    else:
        assert (a | b).public_only is (a.public_only and b.public_only)


@given(scope_sets_together(2))
@unhurried
def test_equal_sets_hash_alike(pair):
    """Equal rights hash alike however they were come by; equality means each covers the other."""
    a, b = pair
    again = a.vocabulary.parse(str(a))
    assert again == a
    assert hash(again) == hash(a)
    assert hash(a & b) == hash(b & a)
    mutual = a.covers(b) and b.covers(a) and a.public_only == b.public_only
    assert (a == b) is mutual
    assert not mutual or hash(a) == hash(b)


@given(scope_sets_together(2))
@unhurried
def test_covering_is_monotone(pair):
    """More rights never cover less."""
    a, b = pair
    for scope in a.vocabulary.scopes:
        assert not (a.covers(scope) and not (a | b).covers(scope))
        assert not ((a & b).covers(scope) and not a.covers(scope))


@given(drafts_with_a_part_introduced(), st.data())
@unhurried
def test_a_part_introduced_later_changes_nobodys_access_to_what_was_there(pair, data):
    """Tokens granted before keep exactly the old scopes they had, read back from either text."""
    before, after = (draft.build() for draft in pair)
    granted = before.parse(data.draw(scope_texts(before)))
    later = after.parse(granted.as_granted)
    for scope in before.scopes:
        assert later.covers(scope) is granted.covers(scope)
    for scope in before.scopes:
        assert after.parse(str(granted)).covers(scope) is granted.covers(scope)
    assert later.public_only is granted.public_only


@given(drafts_with_a_part_introduced())
@unhurried
def test_a_part_introduced_later_grants_nothing_of_what_was_there(pair):
    """Whoever holds the new part alone, with all its actions, has none of the old scopes outside it."""
    before, after = (draft.build() for draft in pair)
    introduced = [scope for scope in after.scopes if scope not in before.scopes]
    granted = after.parse(introduced)
    assert introduced
    assert not any(granted.covers(scope) for scope in before.scopes)


@given(drafts())
@unhurried
def test_equal_drafts_build_vocabularies_that_mix(draft):
    """A vocabulary built again is equal, hashes alike, and its sets combine with those of the first."""
    one, two = draft.build(), draft.build()
    assert one is not two
    assert one == two
    assert hash(one) == hash(two)
    assert one.parse(one.scopes) & two.parse(two.scopes) == one.parse(one.scopes)


@given(vocabularies(), st.text(max_size=8))
@unhurried
def test_roles_are_ordered_and_an_unknown_one_is_nothing(vocabulary, name):
    """Viewer <= user <= admin in every vocabulary, and an invented role has no rights."""
    roles = Roles(vocabulary)
    assert roles["viewer"] <= roles["user"] <= roles["admin"]
    assert set(roles["admin"].vocabulary.scopes) == scopes_of(vocabulary, roles["admin"].bits)
    assume(name not in roles)
    assert not roles.ceiling(name)
