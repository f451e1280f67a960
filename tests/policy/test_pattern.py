"""Paths in werkzeug's rule syntax: what they match, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from policy_reference import Reach, covers, lies_within
from policy_strategies import SEGMENTS, path_of
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from scopeware.errors import ConfigurationError
from scopeware.policy import Group, Pattern, PatternError, Policy, Requirement, Route
from scopeware.policy.pattern import Template
from scopeware.policy.segment import Kind


def found(pattern: str, path: str) -> bool:
    """Whether a group at `pattern` covers `path`."""
    requirement = Policy([Group(path=pattern, scopes=["user"])]).requirement("GET", path)
    assert requirement is not None
    return not requirement.unmatched


@pytest.mark.parametrize(
    ("source", "kinds", "names"),
    [
        pytest.param("/", [], (), id="root"),
        pytest.param("/a", [Kind.LITERAL], (), id="literal"),
        pytest.param("/a/", [Kind.LITERAL], (), id="slash at the end"),
        pytest.param("/<x>", [Kind.VARIABLE], ("x",), id="variable"),
        pytest.param("/<string:x>", [Kind.VARIABLE], ("x",), id="string"),
        pytest.param("/<default:x>", [Kind.VARIABLE], ("x",), id="default"),
        pytest.param("/<string(minlength=1):x>", [Kind.VARIABLE], ("x",), id="string with no bound of its own"),
        pytest.param("/<string(length=2):x>", [Kind.TYPED], ("x",), id="string of a length"),
        pytest.param("/<int:x>", [Kind.TYPED], ("x",), id="int"),
        pytest.param("/<float:x>", [Kind.TYPED], ("x",), id="float"),
        pytest.param("/<uuid:x>", [Kind.TYPED], ("x",), id="uuid"),
        pytest.param("/<any(a,b):x>", [Kind.CHOICE], ("x",), id="any"),
        pytest.param('/<any("a b",c):x>', [Kind.CHOICE], ("x",), id="any with quotes"),
        pytest.param("/<path:x>", [Kind.MANY], ("x",), id="path"),
        pytest.param("/v<x>", [Kind.COMPOSITE], ("x",), id="literal in front"),
        pytest.param("/<x>.<y>", [Kind.COMPOSITE], ("x", "y"), id="two in a segment"),
        pytest.param("/a/<x>/<int:y>", [Kind.LITERAL, Kind.VARIABLE, Kind.TYPED], ("x", "y"), id="several"),
    ],
)
def test_a_path_is_made_of_kinds_of_segments(source: str, kinds: list[Kind], names: tuple[str, ...]) -> None:
    """Each segment is of the most specific kind that it can be told to be, and variables are listed in order."""
    pattern = Pattern.parse(source)
    assert [segment.kind for segment in pattern.segments] == kinds
    assert pattern.names == names
    assert str(pattern) == source


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        pytest.param("", "starts with a slash", id="empty"),
        pytest.param("a/b", "starts with a slash", id="no slash"),
        pytest.param("<path:x>", "starts with a slash", id="a variable without a slash"),
        pytest.param("/a//b", "in no canonical path", id="empty segment"),
        pytest.param("/a//", "in no canonical path", id="two slashes at the end"),
        pytest.param("//a", "in no canonical path", id="two slashes in front"),
        pytest.param("/./a", "in no canonical path", id="dot"),
        pytest.param("/a/..", "in no canonical path", id="two dots"),
        pytest.param("/a?b", "`?` cannot be in a path", id="question mark"),
        pytest.param("/a#b", "`#` cannot be in a path", id="number sign"),
        pytest.param("/a\\b", "cannot be in a path", id="backslash"),
        pytest.param("/a;b", "`;` cannot be in a path", id="semicolon"),
        pytest.param("/a%2Fb", "`%2F` cannot be in a path", id="encoded slash"),
        pytest.param("/a\nb", "cannot be in a path", id="newline"),
        pytest.param("/<>", "cannot be in a path", id="no name"),
        pytest.param("/<x", "cannot be in a path", id="not closed"),
        pytest.param("/x>", "cannot be in a path", id="not opened"),
        pytest.param("/<1x>", "cannot be in a path", id="a name that begins with a digit"),
        pytest.param("/<user-id>", "cannot be in a path", id="a name with a dash"),
        pytest.param("/<x>/<x>", "`x` is there twice", id="a name twice"),
        pytest.param("/<__x>", "two underscores", id="a reserved name"),
        pytest.param("/<integer:x>", "unknown converter `integer`", id="unknown converter"),
        pytest.param("/<itn:x>", "did you mean `int`", id="misspelled converter"),
        pytest.param("/<int(foo=1):x>", "does not work", id="unknown argument"),
        pytest.param("/<any(a,1):x>", "does not work", id="a choice that is a number"),
        pytest.param('/<any("a/b",c):x>', "cannot hold a slash", id="a choice with a slash"),
        pytest.param("/v<path:x>", "a segment of its own", id="many segments within one"),
        pytest.param("/<path:x>.<y>", "a segment of its own", id="many segments beside another"),
    ],
)
def test_what_no_request_can_have_is_refused(source: str, problem: str) -> None:
    """The message says what is wrong with which path."""
    with pytest.raises(PatternError) as caught:
        Pattern.parse(source)
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("//", id="two slashes and nothing else"),
        pytest.param("/<any():x>", id="no choice"),
        pytest.param("/a\x85", id="a C1 control character"),
        pytest.param("/a%0ab", id="an encoded newline"),
        pytest.param("/<x>.<x>", id="a name twice in a segment"),
        pytest.param("/<int(min=a):x>", id="a bound that is no number"),
        pytest.param("/<int(fixed_digits=a):x>", id="a number of digits that is none"),
        pytest.param("/<string(minlength=5,maxlength=2):x>", id="bounds the wrong way round"),
        pytest.param("/<string(length=99999999999):x>", id="a length beyond all bounds"),
    ],
)
def test_what_can_never_match_is_refused_as_well(source: str) -> None:
    """Nothing that no canonical path can be loads; nor does what cannot be compiled raise anything else."""
    with pytest.raises(PatternError):
        Pattern.parse(source)


_TEXT = st.text(alphabet="abx_1/<>().,:;=-%25?'\"\\é \x00", max_size=15)
_PIECES = st.lists(
    st.sampled_from(
        ["/", "a", "<x>", "<y>", "<int:", "<any(", "a,b", "):", "n>", "<path:", "<string(length=", "2", "."]
    ),
    max_size=8,
).map("".join)


@settings(max_examples=400, deadline=None, phases=[Phase.explicit, Phase.generate])
@example("/<x><x>")
@example("/<int(1,2,3,4,5):x>")
@example("/<string(length=x):x>")
@given((_TEXT | _PIECES).map(lambda text: f"/{text}"))
def test_any_text_is_a_pattern_or_refused(source: str) -> None:
    """Only the error of this package comes out, and what is a pattern can be looked up in a policy."""
    try:
        pattern = Pattern.parse(source)
    except PatternError:
        return
    assert pattern.source == source
    assert pattern.includes(pattern)
    assert Policy([Group(path=source, scopes=["user"])]).requirement("GET", "/a/b/2") is not None


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        pytest.param("/v2.1", "/v2.1", "/v2x1", id="a dot is a dot"),
        pytest.param("/a+(b)", "/a+(b)", "/aab", id="signs of regular expressions are themselves"),
        pytest.param("/a.<x>", "/a.b", "/axb", id="also beside a variable"),
        pytest.param("/<int:n>", "/017", "/-17", id="int takes digits only"),
        pytest.param("/<int(signed=True):n>", "/-17", "/+17", id="or a minus sign"),
        pytest.param("/<int(min=5,max=7):n>", "/7", "/8", id="int within bounds"),
        pytest.param("/<int(min=5):n>", "/5", "/4", id="int from"),
        pytest.param("/<int(fixed_digits=3):n>", "/007", "/07", id="int of so many digits"),
        pytest.param("/<float:n>", "/1.5", "/1", id="float has a point"),
        pytest.param("/<string(length=2):n>", "/de", "/deu", id="so many characters"),
        pytest.param("/<string(minlength=2,maxlength=3):n>", "/deu", "/d", id="from so many to so many"),
        pytest.param("/<any(a,b):n>", "/b", "/ab", id="one of"),
        pytest.param("/<any(a,b):n>/x", "/a/x", "/c/x", id="one of, and on"),
        pytest.param("/<n>", "/a", "/", id="at least something"),
        pytest.param("/a/<path:n>", "/a/b/c", "/a", id="at least one segment"),
        pytest.param("/<a>-<b>", "/1-2-3", "/1-", id="both have something"),
        pytest.param(
            "/<uuid:n>",
            "/12345678-1234-5678-1234-567812345678",
            "/12345678-1234-5678-1234-56781234567",
            id="uuid",
        ),
    ],
)
def test_a_segment_takes_what_its_converter_takes(pattern: str, inside: str, outside: str) -> None:
    """Each converter matches what werkzeug's does, and not what is next to it."""
    assert found(pattern, inside)
    assert not found(pattern, outside)


@pytest.mark.parametrize(
    "rule",
    [
        "/<int:n>",
        "/<int(signed=True):n>",
        "/<int(min=5,max=70):n>",
        "/<int(fixed_digits=2):n>",
        "/<float:n>",
        "/<float(max=2.0):n>",
        "/<string(length=2):n>",
        "/<any(a,b):n>",
        "/<n>.<any(a,b):k>",
        "/v<int:n>",
        "/<int:n>.<int:m>",
        "/<path:n>",
        "/<path:n>/a",
        "/<uuid:n>",
    ],
)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(alphabet="ab/.-v0157", min_size=1, max_size=5) | st.sampled_from(["٧", "7٧", "５", "²", "1.٥"]))
def test_a_rule_matches_what_werkzeug_matches(rule: str, text: str) -> None:
    """As a route it takes just the paths that an application's rule of the same text takes."""
    path = f"/{text}".rstrip("/")
    if "//" in path or "/." in path or not path:
        return
    policy = Policy([Group(path="/", scopes=["user"], routes=[Route(path=rule, scopes=["issue"])])])
    requirement = policy.requirement("GET", path.encode().decode("latin-1"))
    assert isinstance(requirement, Requirement)
    adapter = Map([Rule(rule, endpoint="here")], strict_slashes=False).bind("localhost")
    try:
        dispatched = adapter.match(path)[0] == "here"
    except HTTPException:
        dispatched = False
    assert (requirement.route != "") == dispatched


def test_bounds_hold_within_a_segment_too() -> None:
    """`<int(max=5):n>.diff` does not take 9.diff, as werkzeug's does not: the next rule decides."""
    assert found("/<int(max=5):n>.diff", "/5.diff")
    assert not found("/<int(max=5):n>.diff", "/9.diff")


# -- two patterns


@settings(max_examples=250, deadline=None)
@given(*[st.lists(st.sampled_from(SEGMENTS), max_size=3)] * 2, *[st.booleans()] * 2)
def test_inclusion_is_never_claimed_wrongly(
    one: list[str], other: list[str], one_below: bool, other_below: bool
) -> None:
    """Where a pattern is said to include another, it does; and, without many segments, it is sorted after it."""
    wide, narrow = Reach(path_of(one, 0), one_below), Reach(path_of(other, 0), other_below)
    including, included = (Pattern.parse(reach.path, below=reach.below) for reach in (wide, narrow))
    if including.includes(included):
        assert lies_within(narrow, wide)
        if not (included.has_many or including.has_many):
            assert included.specificity <= including.specificity


@settings(max_examples=250, deadline=None)
@given(
    *[st.lists(st.sampled_from(SEGMENTS), max_size=3)] * 2,
    st.lists(st.sampled_from(["a", "b", "7", "z", "7.diff"]), max_size=4),
    *[st.booleans()] * 2,
)
def test_an_overlap_is_never_missed(
    one: list[str], other: list[str], texts: list[str], one_below: bool, other_below: bool
) -> None:
    """Two patterns that have a path in common are said to overlap, whichever is asked."""
    mine, theirs = Reach(path_of(one, 0), one_below), Reach(path_of(other, 0), other_below)
    path = "/" + "/".join(texts)
    if covers(mine.path, path, below=mine.below) and covers(theirs.path, path, below=theirs.below):
        patterns = [Pattern.parse(reach.path, below=reach.below) for reach in (mine, theirs)]
        assert patterns[0].overlaps(patterns[1])
        assert patterns[1].overlaps(patterns[0])


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        pytest.param("/a", "/b", False, id="two literals"),
        pytest.param("/a", "/<x>", True, id="a literal and a variable"),
        pytest.param("/a", "/<int:x>", False, id="a word and a number"),
        pytest.param("/7", "/<int:x>", True, id="a number and a number"),
        pytest.param("/<any(a,b):x>", "/<any(b,c):x>", True, id="choices with one in common"),
        pytest.param("/<any(a,b):x>", "/<any(c,d):x>", False, id="choices with none"),
        pytest.param("/<any(a,b):x>", "/<int:x>", False, id="choices and a number"),
        pytest.param("/<path:x>/a", "/b/<path:y>", True, id="many and many"),
        pytest.param("/<path:x>/a", "/b", False, id="many and too few"),
        pytest.param("/a", "/a/b", False, id="longer"),
        pytest.param("/a-<x>", "/b-<x>", False, id="two beginnings"),
        pytest.param("/a<x>", "/ab<x>", True, id="one beginning that the other goes on from"),
        pytest.param("/<x>.json", "/<x>.xml", False, id="two ends"),
        pytest.param("/<x>.gz", "/<x>.tar.gz", True, id="one end that the other ends in"),
        pytest.param("/a.<x>", "/<x>.b", True, id="a beginning and an end"),
        pytest.param("/users.<any(json,api):f>", "/orders.<any(json,api):f>", False, id="two words with a suffix"),
    ],
)
def test_two_patterns_overlap_where_a_path_is_of_both(one: str, other: str, overlap: bool) -> None:
    """Told from the kinds of their segments, in both directions."""
    assert Pattern.parse(one).overlaps(Pattern.parse(other)) is overlap
    assert Pattern.parse(other).overlaps(Pattern.parse(one)) is overlap


def test_segments_are_equal_whatever_their_variables_are_called() -> None:
    """Names make no difference, converters and their arguments do."""
    assert Pattern.parse("/<x>/<int:y>").segments == Pattern.parse("/<a>/<int:b>").segments
    assert Pattern.parse("/<any(a,b):x>").segments == Pattern.parse("/<any(b,a):y>").segments
    assert Pattern.parse("/<int:x>").segments != Pattern.parse("/<int(max=7):x>").segments
    assert Pattern.parse("/<x>").segments != Pattern.parse("/<int:x>").segments


def test_a_pattern_below_another_has_the_variables_of_both() -> None:
    """The names stay in order; the root below changes nothing."""
    above = Pattern.parse("/repos/<owner>/")
    assert (above / Pattern.parse("/<repo>")).names == ("owner", "repo")
    assert str(above / Pattern.parse("/<repo>")) == "/repos/<owner>/<repo>"
    assert str(above / Pattern.parse("/")) == "/repos/<owner>"
    assert str(Pattern.parse("/") / Pattern.parse("/")) == "/"
    with pytest.raises(PatternError, match="`owner` is there twice"):
        above / Pattern.parse("/<owner>")


# -- variables and templates


@pytest.mark.parametrize(
    ("pattern", "path", "params"),
    [
        pytest.param("/<owner>/<repo>", "/alice/widgets", {"owner": "alice", "repo": "widgets"}, id="two"),
        pytest.param("/<owner>", "/alice/widgets", {}, id="something below that is no part of it"),
        pytest.param("/<a>.<any(diff,patch):b>", "/1.2.diff", {"a": "1.2", "b": "diff"}, id="within a segment"),
        pytest.param("/<int:n>", "/007", {"n": "007"}, id="as text"),
        pytest.param("/a", "/a", {}, id="none"),
        pytest.param("/<x>", "/", {}, id="another path"),
        pytest.param("/<x>", "/é", {"x": "é"}, id="beyond ASCII"),
        pytest.param("/<path:x>/<y>", "/a/b", {"x": "a", "y": "b"}, id="many segments, one of them"),
    ],
)
def test_params_are_the_texts_of_the_variables(pattern: str, path: str, params: dict[str, str]) -> None:
    """Name → text, of a path that the pattern matches or that goes on below it."""
    assert Pattern.parse(pattern).params(path) == params


def test_a_template_is_filled_with_variables() -> None:
    """Text between them stays."""
    template = Template("<owner>/<repo>", Pattern.parse("/repos/<owner>/<repo>"))
    assert template.names == ("owner", "repo")
    assert template.fill({"owner": "alice", "repo": "widgets", "more": ""}) == "alice/widgets"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        pytest.param("<user>", "`<user>` is no variable of `/<username>`; did you mean `username`?", id="unknown"),
        pytest.param("user", "names no variable", id="no variable"),
        pytest.param("", "names no variable", id="empty"),
        pytest.param("<username", "names no variable", id="not closed"),
        pytest.param("<username>/<", "names no variable", id="half a second one"),
        pytest.param("<int:username>", "names no variable", id="with a converter"),
    ],
)
def test_a_template_of_no_variable_is_refused(source: str, problem: str) -> None:
    """It names at least one, and only those of the path."""
    with pytest.raises(ConfigurationError) as caught:
        Template(source, Pattern.parse("/<username>"))
    assert problem in caught.value.problem
