"""Resources as text: the one spelling of each, and what is none."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import PLACES, TARGETS, Target, spellings

from scopeware.scopes import canonical_pattern
from scopeware.scopes.resource import encode, including

segments = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), min_size=1, max_size=6)
named = segments.filter(lambda text: text not in (".", "..") and "/" not in text)
resources = st.lists(named, min_size=1, max_size=8).map("/".join)


@pytest.mark.parametrize(
    ("resource", "encoded"),
    [
        pytest.param("alice/widgets", "alice/widgets", id="plain"),
        pytest.param("alice", "alice", id="one segment"),
        pytest.param("@types/node", "@types/node", id="at"),
        pytest.param("a-b_c.d~e/v1.0", "a-b_c.d~e/v1.0", id="unreserved"),
        pytest.param("a:b+c=d!e$f&g'h(i);", "a:b+c=d!e$f&g'h(i);", id="harmless signs"),
        pytest.param("alice/*", "alice/%2A", id="a resource called by a star"),
        pytest.param("a b,c", "a%20b%2Cc", id="separators of words"),
        pytest.param('a"b\\c', "a%22b%5Cc", id="what a scope may not hold"),
        pytest.param("100%", "100%25", id="percent"),
        pytest.param("a%2Fb", "a%252Fb", id="what looks encoded"),
        pytest.param("größe", "gr%C3%B6%C3%9Fe", id="beyond ASCII"),
        pytest.param("a?b#c[d]", "a%3Fb%23c%5Bd%5D", id="what ends a path"),
        pytest.param("\ud800", "%ED%A0%80", id="a lone surrogate"),
        pytest.param("a\nb\0", "a%0Ab%00", id="control characters"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_a_resource_is_encoded_where_it_would_be_read_as_something_else(resource, encoded):
    """Separators, stars, quotes, percent signs and all beyond ASCII; the rest can be read as it is."""
    assert encode(resource) == encoded


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        pytest.param("alice/widgets", "alice/widgets", id="canonical already"),
        pytest.param("alice/*", "alice/*", id="all below one"),
        pytest.param("a/b/c/*", "a/b/c/*", id="all below a part"),
        pytest.param("alice", "alice", id="one segment"),
        pytest.param("@types/node", "@types/node", id="at"),
        pytest.param("%61lice/%77idgets", "alice/widgets", id="encoded without need"),
        pytest.param("gr%c3%b6%c3%9fe", "gr%C3%B6%C3%9Fe", id="lower-case escapes"),
        pytest.param("größe", "gr%C3%B6%C3%9Fe", id="not encoded"),
        pytest.param("alice/%2A", "alice/%2A", id="a resource called by a star"),
        pytest.param("alice/%2a/*", "alice/%2A/*", id="all below one"),
        pytest.param("alice%2Fwidgets", "alice/widgets", id="an encoded slash is a slash"),
        pytest.param("a%20b", "a%20b", id="encoded space"),
        pytest.param("a b,c", "a%20b%2Cc", id="separators, from a list of words"),
        pytest.param("a%252Fb", "a%252Fb", id="what looks encoded once it is decoded"),
        pytest.param("100%", "100%25", id="percent without digits"),
        pytest.param("%zz", "%25zz", id="percent without hexadecimal digits"),
        pytest.param("...", "...", id="three dots"),
        pytest.param(".git", ".git", id="a dot and more"),
        pytest.param("a/..b", "a/..b", id="two dots and more"),
    ],
)
def test_every_resource_has_one_spelling(text, canonical):
    """However it is written, what is kept and compared is the same; and stays as it is when it is read again."""
    assert canonical_pattern(text) == canonical
    assert canonical_pattern(canonical) == canonical


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        pytest.param("", "a", id="nothing"),
        pytest.param("/", "a/a", id="a slash"),
        pytest.param("/a", "a", id="slash in front"),
        pytest.param("a/", "a", id="slash behind"),
        pytest.param("a//b", "a/b", id="two slashes"),
        pytest.param("a%2F/b", "a%2Fb", id="two slashes, one encoded"),
        pytest.param("%2Fa", "a%2Fa", id="encoded slash in front"),
        pytest.param(".", "...", id="a dot"),
        pytest.param("..", "...", id="two dots"),
        pytest.param("a/./b", "a/.b", id="a dot between"),
        pytest.param("a/../b", "a/..b", id="two dots between"),
        pytest.param("a/%2e%2E", "a/%2e%2E%2e", id="encoded dots"),
        pytest.param("a%2F..%2Fb", "a%2F..b%2Fb", id="dots between encoded slashes"),
        pytest.param("../*", "a/*", id="all below two dots"),
        pytest.param("*", "%2A", id="a star alone"),
        pytest.param("/*", "a/*", id="all below nothing"),
        pytest.param("//*", "a/*", id="all below two nothings"),
        pytest.param("*/a", "a/*", id="a star in front"),
        pytest.param("a/*/b", "a/%2A/b", id="a star in the middle"),
        pytest.param("a/*/*", "a/%2A/*", id="two stars"),
        pytest.param("a/b*", "a/b%2A", id="a star after a letter"),
        pytest.param("a/*b", "a/%2Ab", id="a star before a letter"),
        pytest.param("a/**", "a/*", id="a star twice"),
        pytest.param("a%2F*", "a/*", id="a star after an encoded slash"),
        pytest.param("%FF", "%C3%BF", id="no UTF-8"),
        pytest.param("a/%C3", "a/%C3%A9", id="UTF-8 cut off"),
        pytest.param("%C3é", "%C3%A9é", id="UTF-8 cut off before a letter"),
        pytest.param("%C0%AE%C0%AE", "%C3%AE", id="overlong dots"),
        pytest.param("%ED%A0%80", "%EC%A0%80", id="an encoded surrogate"),
        pytest.param("\ud800", "é", id="a surrogate"),
        pytest.param("a\0", "a0", id="NUL"),
        pytest.param("a%00", "a%200", id="encoded NUL"),
        pytest.param("a%0a", "a%20a", id="encoded newline"),
        pytest.param("a\n", "a", id="newline"),
        pytest.param("a%7F", "a%7E", id="encoded DEL"),
        pytest.param("a\u202eb", "ab", id="right-to-left override"),
        pytest.param("a%E2%80%8Bb", "ab", id="encoded zero-width space"),
        pytest.param("/".join("a" * 33), "/".join("a" * 32), id="too many segments"),
        pytest.param("%2F".join("a" * 33), "%2F".join("a" * 32), id="too many segments between encoded slashes"),
        pytest.param("/".join("a" * 33) + "/*", "/".join("a" * 32) + "/*", id="all below too many segments"),
    ],
)
def test_what_is_no_resource_has_no_spelling(text, nearest):
    """Empty and dotted segments, a star anywhere but at the end, bytes that are no text, what nobody can see."""
    assert canonical_pattern(text) is None
    assert canonical_pattern(nearest) is not None


@given(st.text() | st.text(st.sampled_from("a/.*%@25fF ")))
def test_whatever_is_written_has_one_spelling_or_none(text):
    """A spelling reads as itself, and is one word of printable ASCII that says nothing else in a list of scopes."""
    canonical = canonical_pattern(text)
    if canonical is not None:
        assert canonical_pattern(canonical) == canonical
        assert canonical.isascii()
        assert canonical.isprintable()
        assert not set(canonical) & set(' ,"\\')
        assert "*" not in canonical.removesuffix("/*")


@given(resources)
def test_what_is_encoded_is_canonical(resource):
    """Any text whose segments can be seen is a resource, and two of them are never spelled alike."""
    assert canonical_pattern(encode(resource)) == encode(resource)
    assert canonical_pattern(f"{encode(resource)}/*") == f"{encode(resource)}/*"
    assert canonical_pattern(quote(resource, safe="")) == encode(resource)


@given(resources, resources)
def test_different_resources_are_spelled_differently(one, other):
    """And equal ones alike."""
    assert (encode(one) == encode(other)) is (one == other)


@given(st.sampled_from(TARGETS), st.data())
def test_all_spellings_come_to_the_same(target, data):
    """However much of it is encoded, in whatever case."""
    canonical = canonical_pattern(data.draw(spellings(target)))
    assert canonical == encode(target.path) + ("/*" if target.below else "")


@pytest.mark.parametrize(
    ("pattern", "wider"),
    [
        pytest.param("a", ["a"], id="one segment"),
        pytest.param("a/b", ["a/b", "a/*"], id="two segments"),
        pytest.param("a/b/c", ["a/b/c", "a/b/*", "a/*"], id="three segments"),
        pytest.param("a/*", ["a/*"], id="all below one segment"),
        pytest.param("a/b/*", ["a/b/*", "a/*"], id="all below two"),
        pytest.param("a/%2A", ["a/%2A", "a/*"], id="a star by name"),
    ],
)
def test_a_pattern_is_included_in_itself_and_in_all_below_what_is_above(pattern, wider):
    """The narrowest first; what is above is itself not below itself."""
    assert list(including(pattern)) == wider


def test_a_deep_resource_is_included_in_what_is_above_it_as_far_as_grants_reach():
    """Whoever may do something with all below one may do so at any depth, and it costs no more the deeper it is."""
    deepest = "/".join("a" * 32)
    assert len(list(including(deepest))) == 32
    for resource in (f"{deepest}/b", f"{deepest}/b/c", f"{deepest}/*", "/".join("a" * 10_000)):
        wider = list(including(resource))
        assert wider[0] == resource
        assert "a/*" in wider
        assert f"{deepest}/*" in wider
        assert len(wider) <= 33


@pytest.mark.parametrize("inner", TARGETS)
@pytest.mark.parametrize("outer", TARGETS)
def test_patterns_include_each_other_as_far_as_they_reach(inner, outer):
    """One includes the other exactly where it covers all the places that the other covers."""

    def pattern(target: Target) -> str:
        return encode(target.path) + ("/*" if target.below else "")

    def places(target: Target) -> set[str]:
        return {place for place in PLACES if target.covers(place)}

    assert (pattern(outer) in including(pattern(inner))) is (places(inner) <= places(outer))
