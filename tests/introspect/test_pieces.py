"""Paths of regular expressions: whatever an expression takes lies in one of the places that it is read as."""

from __future__ import annotations

import re
import warnings
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, Phase, assume, example, given, settings
from hypothesis import strategies as st

from scopeware.introspect.pieces import Place, anchors, of_regex, places, text
from scopeware.policy import AmbiguousPath, Pattern, PatternError
from scopeware.policy.path import canonical, wsgi_path

PATTERNS = (
    r"articles/(?P<year>[0-9]{4})/$",
    r"^articles/(?P<year>\d{4})/(?P<month>\d{1,2})/$",
    r"^(?P<slug>[-\w]+)/(?P<pk>\d+)/?$",
    r"^orders(?:/(?P<pk>[^/.]+))?/$",
    r"^orders/(?P<pk>[^/.]+)\.(?P<format>[a-z0-9]+)/?$",
    r"^orders\.(?P<format>json|xml)$",
    r"^(?P<lang>de|en|pt-br)/shop/(?P<rest>.*)$",
    r"^files/(?P<path>.+)$",
    r"^files/(?P<path>.*)\.txt$",
    r"^files/(?P<path>.*?)/raw$",
    r"^raw/(?:v1|v2)/(?P<id>[a-f0-9]{8}-[a-f0-9]{4})$",
    r"^(?:user|users)/me$",
    r"^(?:a|b|)/x$",
    r"^u(?:ser)?s?/(?P<name>\w+)$",
    r"(?i)^Admin/(?P<name>[a-z]+)$",
    r"^(?i:report)s/$",
    r"^tag/(?P<a>\w+)-(?P<b>\w+)/$",
    r"^tag/(?P<a>\w+)(?P<b>\d*)/$",
    r"^(?P<a>[^/]+)/(?P<b>[^/]*)/(?P<c>[^/]+)$",
    r"^(?P<first>.)(?P<rest>[^/]*)$",
    r"^page(?P<number>[0-9]+)?$",
    r"^page-?(?P<number>-?\d+)$",
    r"^geo/(?P<lat>-?\d+\.\d+),(?P<lon>-?\d+\.\d+)$",
    r"^img/(?P<w>\d+)x(?P<h>\d+)/(?P<file>[\w/.-]+)$",
    r"^(?P<section>(?P<kind>news|blog)/(?P<sub>\w+))/$",
    r"^x/((?:[a-z]+/)*)(?P<leaf>[a-z]+)$",
    r"^x/(?:[a-z]+/)+$",
    r"^x/(?:[^/]*/)*end$",
    r"^x/(?:[\w-]*/?)+$",
    r"^x/(?:\w*)+$",
    r"^x/(?:a|b?)+$",
    r"^x/(?:ab?){2}$",
    r"^x/(?:a?){3}$",
    r"^x/[ab]{2,}$",
    r"^x/[abc]/[._-]y$",
    r"^x/[a/]y$",
    r"^x[/-]y$",
    r"^x/[^a]y$",
    r"^x/[\W\d]y$",
    r"^x/[^\W_]+$",
    r"^x/\S+$",
    r"^x/\s?y$",
    r"^x/\Wy$",
    r"^x/\D\d$",
    r"^x/(?=y)\w+$",
    r"^x/(?!admin)\w+$",
    r"^x/\b\w+\b$",
    r"^x/(?:[a-z]{0,3}){2}y$",
    r"^x/(?:(?P<p>.+)/)?(?P<leaf>[^/]+)$",
    r"^x(?P<p>/.*)?$",
    r"^(?P<a>\w+)/(?P=a)/$",
    r"^(\w)?x(?(1)/y|/z)$",
    r"^(?:(?:(?:a|b)/)?c|d/(?P<e>e+))/f$",
    r"^x/(?P<v>v[0-9]+(?:\.[0-9]+)*)/$",
    r"^x/(?P<w>a|bb|c\.d|\.\.)$",
    r"^x/(?P<w>)y$",
    r"^x/%41/(?P<q>[^?]+)$",
    r"^x/(?P<any>[\s\S]*)$",
    r"^x/(?P<up>\.\./)?y$",
    r"^(?P<größe>[äöüß]+)/$",
    r"^x/(?>a|ab)c$",
    r"^x/a++b$",
    r"(?x)^ y / (?P<n> \d+ ) # a comment",
    r"",
    r"^$",
    r".*",
)
# Words that begin alike, or letters alone, are read as something else.
SIX, EIGHT, TWO = (f"(?:{'|'.join(letter * 2 for letter in letters)})" for letters in ("abcdef", "abcdefgh", "xy"))
MANY = (
    f"{SIX}/{EIGHT}/{TWO}/z",
    rf"{SIX}/{EIGHT}/{TWO}(?:/(?P<id>\d+))?",
    f"{SIX}{EIGHT}{TWO}?/z",
    f"{SIX}-(?:{EIGHT}/)?{TWO}?(?:11|22)?",
    f"(?P<a>{SIX})(?P<b>/{EIGHT})?(?P<c>/{TWO})?(?P<d>/z)?",
    f"{SIX}(?:/{EIGHT})?(?:{TWO}/)?{TWO}",
    "(?:" + "|".join(f"{chr(97 + number % 26)}{chr(97 + number // 26)}" for number in range(60)) + ")/z",
    "/".join(["(?:aa|bb)?"] * 8),
)
letters = st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\\?#\x7f;")


def known(found: list[Place], path: str) -> bool:
    """Whether a canonical path lies in one of these places; one that no rule can have is none."""
    for place in found:
        try:
            if Pattern.parse(place.path, below=place.open).matches(path):
                return True
        except PatternError:
            continue
    return False


def path_of(words: str) -> str:
    """The canonical path of what an expression took; without one, no request gets there."""
    try:
        return canonical(wsgi_path(f"/api/{words}"))
    except (AmbiguousPath, UnicodeEncodeError):
        assume(False)
    return ""


@st.composite
def matches(draw: st.DrawFn) -> tuple[str, str]:
    """An expression and what it takes."""
    pattern = draw(st.sampled_from(PATTERNS))
    taken = draw(st.from_regex(re.compile(pattern), fullmatch=True, alphabet=letters))
    return pattern, taken.removesuffix("\n")


thorough = settings(
    max_examples=350,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
unhurried = settings(thorough, max_examples=200)


@thorough
@example((r"^x/(?P<w>a|\.\.)$", "x/a"), "")
@example((r"^x/(?:[\w-]*/?)+$", "x/"), "")
@given(matches(), st.sampled_from(["", "name"]))
def test_what_an_expression_takes_is_known(match: tuple[str, str], name: str) -> None:
    """As a whole, or as one variable."""
    pattern, taken = match
    found = places([text("/api/"), of_regex(pattern, name)])
    assert known(found, path_of(taken)), (pattern, taken, found)


@thorough
@given(matches(), st.sampled_from(["/more", "/more/of/it", "more", ".json"]))
def test_what_goes_on_after_an_expression_is_known(match: tuple[str, str], more: str) -> None:
    """Where nothing ends it, in the middle of a word, too."""
    pattern, taken = match
    found = places([text("/api/"), of_regex(pattern)], is_open=True)
    assert all(place.open for place in found if not place.path.endswith(":rest>"))
    assert known(found, path_of(taken + more)), (pattern, taken + more, found)


@unhurried
@given(st.sampled_from(MANY).flatmap(lambda each: st.tuples(st.just(each), st.from_regex(each, fullmatch=True))))
def test_more_ways_than_are_spelled_lose_nothing(match: tuple[str, str]) -> None:
    """Six words, eight, and two, and more: what is too much to write down becomes something wider."""
    pattern, taken = match
    for is_open, more in ((False, ""), (True, ""), (True, "/more"), (True, "more")):
        found = places([text("/api/"), of_regex(pattern)], is_open=is_open)
        assert len(found) <= 2 * 48
        assert known(found, path_of(taken + more)), (pattern, taken + more, found)


def test_what_is_too_much_stays_below_what_is_known() -> None:
    """It is not everything that it becomes: what stands before it stays."""
    found = places([of_regex(f"^/api/{SIX}/{EIGHT}/{TWO}/z$")])
    assert {(place.path, place.open, place.rough) for place in found} == {
        (f"/api/{one * 2}/{two * 2}", True, True) for one in "abcdef" for two in "abcdefgh"
    }


@pytest.mark.parametrize(
    ("regex", "both"),
    [
        pytest.param("^a$", (True, True), id="both"),
        pytest.param(r"\Aa\Z", (True, True), id="both, of the text"),
        pytest.param("a", (False, False), id="none"),
        pytest.param("", (False, False), id="nothing"),
        pytest.param("^a|b$", (False, False), id="of one way each"),
        pytest.param("(?:^a|b$)", (False, False), id="of one way each, in a group"),
        pytest.param(r"^a\$", (True, False), id="a dollar that is a letter"),
        pytest.param(r"[$", (False, False), id="broken"),
        pytest.param(r"(?i)^a", (True, False), id="behind a flag"),
    ],
)
def test_anchors_are_those_of_all_of_an_expression(regex: str, both: tuple[bool, bool]) -> None:
    """Not of one of several ways through it."""
    assert anchors(regex) == both


def test_flags_that_an_expression_is_compiled_with_count() -> None:
    """What is said beside it, not in it."""
    assert [place.path for place in places([of_regex("/a", flags=re.IGNORECASE)])] == ["/<x>"]
    assert [place.path for place in places([of_regex("/a  # a", flags=re.VERBOSE)])] == ["/a"]


@given(st.text(st.sampled_from(list(r"ab/.*+?()[]{}|^$\dw-<>P=:!,1290 ")), max_size=25), st.booleans())
@settings(max_examples=400, deadline=None, derandomize=True)
def test_whatever_stands_in_a_pattern_is_read(pattern: str, is_open: bool) -> None:
    """Broken ones, too; each place is one that a rule can have, or is said to be none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of sets in sets, which there may be one day
        found = places([text("/api/"), of_regex(pattern, "x" * is_open)], is_open=is_open)
    assert len(found) < 200
    for place in found:
        assert place.path.startswith("/")
        with suppress(PatternError):
            Pattern.parse(place.path, below=place.open)
