"""What holds for every scope set that is bound to resources, checked against sets of pairs of scope and place."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scope_reference import pairs_granted, pairs_of, scopes_implied, scopes_meant, scopes_of
from strategies import EVERYWHERE, PLACES, TARGETS, drafts_with_grants, spellings, vocabularies

from scopeware.scopes import UnknownScope, Vocabulary, canonical_pattern
from scopeware.scopes.resource import encode

unhurried = settings(deadline=None)
OTHERS = {target: f"{target.path}/other" for target in TARGETS if target.below} | {EVERYWHERE: "elsewhere"}
"""Targets that reach further than one resource, with a place there that no grant names."""


def read(vocabulary, granted):
    """The scope set that words as they were granted come to."""
    return vocabulary.parse(grant.text for grant in granted)


def restricted(draft, granted):
    """Whether one of these words is the restriction."""
    return any(grant.word == draft.public_only for grant in granted)


@given(drafts_with_grants(1))
@unhurried
def test_a_scope_holds_where_the_reference_says(drawn):
    """At every place, everywhere, and anywhere."""
    draft, vocabulary, [granted] = drawn
    scopes = read(vocabulary, granted)
    expected = pairs_granted(draft, granted)
    assert pairs_of(scopes) == expected
    assert scopes_of(vocabulary, scopes.bits) == {scope for scope, place in expected if place == "elsewhere"}
    assert scopes_of(vocabulary, scopes.anywhere) == {scope for scope, _ in expected}
    assert scopes.public_only is restricted(draft, granted)
    assert bool(scopes) is bool(expected)


@given(drafts_with_grants(1), st.data())
@unhurried
def test_what_holds_over_a_pattern_holds_at_all_it_covers(drawn, data):
    """At the resource; for all below one, at a place below it that no grant names; in any spelling."""
    _, vocabulary, [granted] = drawn
    scopes = read(vocabulary, granted)
    target = data.draw(st.sampled_from(TARGETS))
    text = data.draw(spellings(target))
    assert scopes.over(text) == scopes.at(OTHERS.get(target, target.path))
    for place in PLACES:
        assert not target.covers(place) or not scopes.over(text) & ~scopes.at(place)


@given(drafts_with_grants(1), st.text(st.sampled_from("abx/.*%2é\0"), max_size=8) | st.text(max_size=12))
@unhurried
def test_any_text_is_asked_for_as_it_is_or_as_it_is_written_in_a_grant(drawn, text):
    """Both say the same, and nothing beyond what holds everywhere for text that is no resource."""
    _, vocabulary, [granted] = drawn
    scopes = read(vocabulary, granted)
    assert scopes.at(text) == scopes.over(encode(text))
    if canonical_pattern(encode(text)) is None:
        assert scopes.at(text) == scopes.bits


@given(drafts_with_grants(1), st.data())
@unhurried
def test_a_set_covers_a_bound_scope_where_all_its_pairs_are(drawn, data):
    """Every scope of the vocabulary, at every target."""
    draft, vocabulary, [granted] = drawn
    scopes = read(vocabulary, granted)
    expected = pairs_granted(draft, granted)
    word = data.draw(st.sampled_from([*vocabulary.scopes, *vocabulary.wildcards]))
    target = data.draw(st.sampled_from(TARGETS))
    places = [place for place in PLACES if target.covers(place)]
    needed = {(scope, place) for scope in scopes_implied(draft, scopes_meant(draft, word)) for place in places}
    assert scopes.covers(f"{word}@{data.draw(spellings(target))}") is (needed <= expected)


@given(drafts_with_grants(1))
@unhurried
def test_text_parses_back(drawn):
    """What is printed and what is stored are read as what they were, and are printed and stored the same again."""
    _, vocabulary, [granted] = drawn
    scopes = read(vocabulary, granted)
    for text in (str(scopes), scopes.as_granted):
        assert vocabulary.parse_known(text) == (scopes, ())
    assert str(vocabulary.parse(str(scopes))) == str(scopes)
    assert vocabulary.parse(scopes.as_granted).as_granted == scopes.as_granted
    assert vocabulary.parse(scopes.texts) == scopes


@given(drafts_with_grants(1), st.data())
@unhurried
def test_words_grant_the_same_in_any_order_and_any_number(drawn, data):
    """Order, repetition and separators say nothing."""
    _, vocabulary, [granted] = drawn
    scopes = read(vocabulary, granted)
    assert read(vocabulary, data.draw(st.permutations(granted))) == scopes
    assert read(vocabulary, granted * 2).as_granted == scopes.as_granted
    words = [grant.text for grant in granted if not set(grant.text) & set(" ,")]
    assert vocabulary.parse(", ".join(words)) == vocabulary.parse(words)


@given(drafts_with_grants(2))
@unhurried
def test_equal_sets_are_printed_alike_and_only_equal_sets(drawn):
    """They allow the same at every place, hash alike, and have one text; whatever was granted for it."""
    draft, vocabulary, [left, right] = drawn
    one, other = read(vocabulary, left), read(vocabulary, right)
    same = pairs_granted(draft, left) == pairs_granted(draft, right)
    same = same and restricted(draft, left) == restricted(draft, right)
    assert (one == other) is same
    assert (str(one) == str(other)) is same
    assert not same or hash(one) == hash(other)
    # Drawn sets are seldom equal; these always are.
    again = vocabulary.parse(str(one))
    assert (again, hash(again), dict(again.bound)) == (one, hash(one), dict(one.bound))


@given(drafts_with_grants(1))
@unhurried
def test_canonical_words_come_in_order_and_none_is_too_many(drawn):
    """First those that hold everywhere, then by resource, each time in vocabulary order; each of them counts."""
    _, vocabulary, [granted] = drawn
    scopes = read(vocabulary, granted)
    words = list(scopes)
    assert len(scopes) == len(words)
    parts = [word.partition("@") for word in words]
    places = [resource for _, _, resource in parts]
    assert [resource for resource in places if resource] == sorted(resource for resource in places if resource)
    assert places == sorted(places, key=bool)
    for place in places:
        there = [scope for scope, _, resource in parts if resource == place]
        assert there == [scope for scope in vocabulary.scopes if scope in there]
    assert all(canonical_pattern(resource) == resource for resource in places if resource)
    for left_out in words:
        assert not vocabulary.parse(word for word in words if word != left_out).covers(left_out)
    assert vocabulary.parse(words).bits == scopes.bits


@given(drafts_with_grants(1))
@unhurried
def test_bound_is_what_a_resource_adds(drawn):
    """Every entry adds something to what holds above it, and with what holds everywhere they are all there is."""
    _, vocabulary, [granted] = drawn
    scopes = read(vocabulary, granted)
    assert list(scopes.bound) == sorted(scopes.bound)
    for pattern, bits in scopes.bound.items():
        assert bits
        assert scopes.over(pattern) & bits == bits
        others = vocabulary.parse(word for word in scopes if word.partition("@")[2] != pattern)
        assert not others.over(pattern) & bits


@given(drafts_with_grants(2))
@unhurried
def test_the_intersection_is_of_pairs_and_the_union_too(drawn):
    """Restrictions aside, `&` and `|` are those of sets."""
    draft, vocabulary, [left, right] = drawn
    one, other = read(vocabulary, left), read(vocabulary, right)
    assert pairs_of(one & other) == pairs_granted(draft, left) & pairs_granted(draft, right)
    assert pairs_of(one | other) == pairs_granted(draft, left) | pairs_granted(draft, right)
    assert (one & other).public_only is (one.public_only or other.public_only)


@given(drafts_with_grants(2))
@unhurried
def test_less_or_equal_is_inclusion(drawn):
    """Of the pairs; and who is restricted can do less than who is not."""
    draft, vocabulary, [left, right] = drawn
    one, other = read(vocabulary, left), read(vocabulary, right)
    fewer, more = pairs_granted(draft, left), pairs_granted(draft, right)
    included = fewer <= more and (not fewer or restricted(draft, left) or not restricted(draft, right))
    assert (one <= other) is included
    assert (one < other) is (included and one != other)
    assert one.covers(other) is (more <= fewer)


@given(drafts_with_grants(2))
@unhurried
def test_the_operators_make_a_lattice(drawn):
    """Below and above both, in either order, in what is stored as well; what is there already adds nothing."""
    _, vocabulary, [left, right] = drawn
    one, other = read(vocabulary, left), read(vocabulary, right)
    both, either = one & other, one | other
    assert both <= one <= either
    assert both <= other <= either
    assert (both, either) == (other & one, other | one)
    assert (both.as_granted, either.as_granted) == ((other & one).as_granted, (other | one).as_granted)
    assert one & one == one | one == one
    for absorbed in (one & either, one | both):
        assert absorbed <= one <= absorbed
    for made in (both, either):
        assert vocabulary.parse(str(made)) == vocabulary.parse(made.as_granted) == made


@given(drafts_with_grants(3))
@unhurried
def test_both_operators_associate_and_keep_the_order(drawn):
    """Parentheses say nothing, and what is less stays less beside anything."""
    _, vocabulary, granted = drawn
    a, b, c = (read(vocabulary, each) for each in granted)
    assert (a & b) & c == a & (b & c)
    assert (a | b) | c == a | (b | c)
    assert pairs_of(a & (b | c)) == pairs_of((a & b) | (a & c))
    assert a & b & c <= b & c <= (a | b) & c <= c


@given(drafts_with_grants(1), st.data())
@unhurried
def test_words_are_taken_away_as_if_they_had_not_been_granted(drawn, data):
    """Wherever they were, and nothing else with them; the restriction stays."""
    draft, vocabulary, [granted] = drawn
    taken = data.draw(st.sets(st.sampled_from([*vocabulary.scopes, *vocabulary.wildcards])))
    bits = sum(vocabulary.word_bits(word) for word in taken)
    scopes = read(vocabulary, granted)
    left = scopes.without_words(bits)
    assert pairs_of(left) == pairs_granted(draft, [grant for grant in granted if grant.word not in taken])
    assert left.public_only is scopes.public_only
    assert left <= scopes
    words = {grant.word for grant in granted} - {draft.public_only}
    assert scopes.granted_words == sum(vocabulary.word_bits(word) for word in words)
    assert left.granted_words == scopes.granted_words & ~bits


@given(drafts_with_grants(1))
@unhurried
def test_copies_and_restricted_copies_allow_the_same(drawn):
    """A set that was pickled is the same; one for what is public only is stored as the same words, and one more."""
    draft, vocabulary, [granted] = drawn
    scopes = read(vocabulary, granted)
    copied = pickle.loads(pickle.dumps(scopes))
    assert copied == scopes
    assert copied.as_granted == scopes.as_granted
    narrower = scopes.for_public_only()
    assert narrower <= scopes
    assert pairs_of(narrower) == pairs_of(scopes)
    if draft.public_only is not None:
        assert vocabulary.parse(narrower.as_granted) == narrower


@given(vocabularies(), st.text(st.sampled_from("a/.*%2FfeE@é\0,  ") | st.characters(), max_size=12), st.data())
@unhurried
def test_no_resource_crashes_the_parser(vocabulary, resource, data):
    """Any text after the at is a resource, and then it is canonical, or the word is refused and grants nothing."""
    word = f"{data.draw(st.sampled_from(vocabulary.scopes))}@{resource}"
    scopes, unknown = vocabulary.parse_known([word])
    if unknown:
        assert unknown == (word,)
        assert not scopes
        with pytest.raises(UnknownScope) as caught:
            vocabulary.parse([word])
        assert caught.value.word == word
        assert str(caught.value).isprintable()
        return
    assert list(scopes.bound) == [canonical_pattern(resource)]
    assert not scopes.bits
    assert vocabulary.parse(str(scopes)) == scopes


resources = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), min_size=1, max_size=12)


@given(resources, resources)
@unhurried
def test_a_grant_reaches_the_resource_it_names_and_no_other(resource, other):
    """Whatever the two are called."""
    vocabulary = Vocabulary.builtin("gitea")
    scopes, unknown = vocabulary.parse_known([f"read:user@{encode(resource)}"])
    if not unknown:
        assert scopes.at(resource) == vocabulary.parse("read:user").bits
        assert (scopes.at(other) != 0) is (other == resource)
