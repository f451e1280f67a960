"""One reading of a path, or none; and never one that others take for something guarded."""

from __future__ import annotations

import string

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from policy_reference import lies_under, readings

from scopeware.policy import AmbiguousPath, Group, Policy, Requirement, canonical


def wsgi(path: str) -> str:
    """Text as a WSGI server hands it over."""
    return path.encode("utf-8").decode("latin-1")


# -- canonical()


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        pytest.param("", "/", id="empty"),
        pytest.param("/", "/", id="root"),
        pytest.param("/a/b", "/a/b", id="plain"),
        pytest.param("/a/b/", "/a/b", id="a slash at the end"),
        pytest.param("/A/b", "/A/b", id="letter case stays"),
        pytest.param("/a+b", "/a+b", id="plus is no space"),
        pytest.param("/a b", "/a b", id="a space"),
        pytest.param("/a;x=1/b", "/a;x=1/b", id="parameters stay"),
        pytest.param("/.git/.x", "/.git/.x", id="names with a dot in front"),
        pytest.param("/a/...", "/a/...", id="three dots"),
        pytest.param("/a./b..", "/a./b..", id="dots at the end of names"),
        pytest.param("/a%20b", "/a%20b", id="a percent sign that hides no separator"),
        pytest.param("/100%", "/100%", id="a lone percent sign"),
        pytest.param("/%2", "/%2", id="half an escape"),
        pytest.param("/@a:b,c=d!$&'()*~-_", "/@a:b,c=d!$&'()*~-_", id="all sub-delimiters"),
        pytest.param(wsgi("/é/日本"), "/é/日本", id="UTF-8"),
        pytest.param(wsgi("/e\u0301"), "/e\u0301", id="NFD stays NFD"),
        pytest.param(wsgi("/\u00e9"), "/\u00e9", id="NFC stays NFC"),
        pytest.param(wsgi("/a／b"), "/a／b", id="a fullwidth slash is no slash"),
        pytest.param(wsgi("/a．．/b"), "/a．．/b", id="fullwidth dots are no dots"),
        pytest.param(wsgi("/a\u2028b"), "/a\u2028b", id="a line separator is no control character"),
    ],
)
def test_a_path_with_one_reading_is_given_as_that(raw: str, path: str) -> None:
    """Only a slash at the end goes; nothing is folded, resolved or decoded."""
    assert canonical(raw) == path


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        pytest.param("//", "empty segment", id="two slashes"),
        pytest.param("//a", "empty segment", id="two slashes in front"),
        pytest.param("/a//b", "empty segment", id="two slashes inside"),
        pytest.param("/a//", "empty segment", id="two slashes at the end"),
        pytest.param("/.", "dot segment", id="a dot"),
        pytest.param("/./a", "dot segment", id="a dot in front"),
        pytest.param("/a/.", "dot segment", id="a dot at the end"),
        pytest.param("/a/./", "dot segment", id="a dot and a slash at the end"),
        pytest.param("/..", "dot segment", id="two dots"),
        pytest.param("/a/../b", "dot segment", id="two dots inside"),
        pytest.param("/a/..", "dot segment", id="two dots at the end"),
        pytest.param("/a%2eb", "%2e", id="encoded dot"),
        pytest.param("/a%2Eb", "%2E", id="encoded dot, upper case"),
        pytest.param("/%2e%2e/a", "%2e", id="encoded dots"),
        pytest.param("/a%2fb", "%2f", id="encoded slash"),
        pytest.param("/a%5cb", "%5c", id="encoded backslash"),
        pytest.param("/a%00", "%00", id="encoded NUL"),
        pytest.param("/a%0a", "%0a", id="encoded newline"),
        pytest.param("/a%0d", "%0d", id="encoded carriage return"),
        pytest.param("/a%3bx", "%3b", id="encoded semicolon"),
        pytest.param("/a%252fb", "%25", id="encoded percent sign"),
        pytest.param("/a\\b", "`\\`", id="backslash"),
        pytest.param("/a?b", "`?`", id="question mark"),
        pytest.param("/a#b", "`#`", id="number sign"),
        pytest.param("/a\x00", "control", id="NUL"),
        pytest.param("/a\n", "control", id="newline at the end"),
        pytest.param("/a\tb", "control", id="tab"),
        pytest.param("/a\x7f", "control", id="DEL"),
        pytest.param(wsgi("/a\x85"), "control", id="a C1 control character"),
        pytest.param("/\xff", "UTF-8", id="no UTF-8"),
        pytest.param("/\xc0\xaf", "UTF-8", id="overlong slash"),
        pytest.param("/\xc0\xae\xc0\xae/", "UTF-8", id="overlong dots"),
        pytest.param("/\xed\xa0\x80", "UTF-8", id="a surrogate in UTF-8"),
        pytest.param("/\xe2\x82", "UTF-8", id="cut short"),
        pytest.param("/日本", "UTF-8", id="not from a WSGI server"),
        pytest.param("*", "start with a slash", id="asterisk form"),
        pytest.param("a/b", "start with a slash", id="no slash in front"),
        pytest.param("http://localhost/a", "start with a slash", id="absolute form"),
        pytest.param(" /a", "start with a slash", id="a space in front"),
    ],
)
def test_a_path_with_several_readings_is_ambiguous(raw: str, reason: str) -> None:
    """It is refused, and the error says what makes it so."""
    with pytest.raises(AmbiguousPath) as caught:
        canonical(raw)
    assert reason in caught.value.reason
    assert str(caught.value) == caught.value.reason


@settings(max_examples=250, deadline=None)
@given(st.text(max_size=30) | st.text(alphabet="/.;?#\\%2ef5c0\xff\xc3\xa9 aé\n", max_size=12).map(lambda t: f"/{t}"))
def test_any_text_is_either_canonical_or_ambiguous(raw: str) -> None:
    """Nothing else comes out, and what is canonical has no empty and no dot segment."""
    try:
        path = canonical(raw)
    except AmbiguousPath:
        return
    assert path == "/" or all(segment not in ("", ".", "..") for segment in path[1:].split("/"))
    assert not set(path) & set("\\?#\x00\n\r")


@settings(max_examples=250, deadline=None)
@given(st.text(alphabet=string.ascii_letters + "/.;+%~ 20", max_size=12).map(lambda text: f"/{text}"))
def test_canonical_is_idempotent_on_ascii(raw: str) -> None:
    """The canonical reading of a canonical path is itself."""
    try:
        path = canonical(raw)
    except AmbiguousPath:
        return
    assert canonical(path) == path
    assert path == (raw.rstrip("/") or "/")


# -- the prefix


def guarded(prefix: str = "/api/v1") -> Policy:
    return Policy([Group(path="/", scopes=["admin"]), Group(path="/users", scopes=["user"])], prefix=prefix)


def outcome(policy: Policy, raw: str, method: str = "GET") -> Requirement | str | None:
    try:
        return policy.requirement(method, raw)
    except AmbiguousPath:
        return "ambiguous"


def deciding_group(policy: Policy, raw: str) -> str | None:
    found = outcome(policy, raw)
    return found.group if isinstance(found, Requirement) else found


@pytest.mark.parametrize(
    ("raw", "group"),
    [
        pytest.param("/api/v1", "/", id="the prefix itself"),
        pytest.param("/api/v1/", "/", id="with a slash at the end"),
        pytest.param("/api/v1/x", "/", id="below it"),
        pytest.param("/api/v1/users", "/users", id="a group"),
        pytest.param("/api/v1/users/", "/users", id="a group, a slash at the end"),
        pytest.param("/api/v1/Users", "/", id="letter case matters within"),
        pytest.param("/api/v1/users+", "/", id="plus"),
        pytest.param(wsgi("/api/v1／users"), None, id="a fullwidth slash does not end a segment"),
        pytest.param("/api/v1x", None, id="not on a segment boundary"),
        pytest.param("/api/v1x/users", None, id="not on a segment boundary, and on"),
        pytest.param("/api/v1.json", None, id="a suffix"),
        pytest.param("/api/v", None, id="shorter"),
        pytest.param("/api", None, id="a part of it"),
        pytest.param("/", None, id="the root"),
        pytest.param("", None, id="an empty path"),
        pytest.param("*", None, id="asterisk form"),
        pytest.param("/x/api/v1/users", None, id="the prefix further down"),
        pytest.param("/static//logo.png", None, id="an empty segment elsewhere"),
        pytest.param("/static/./logo.png", None, id="a dot segment elsewhere"),
        pytest.param("/static/a%2fb", None, id="an encoded slash elsewhere"),
        pytest.param("/static/\xff", None, id="no UTF-8 elsewhere"),
        pytest.param("/static/a;x=1", None, id="parameters elsewhere"),
        pytest.param("/wiki/a\\b", None, id="a backslash elsewhere"),
        pytest.param("/wiki/why?", None, id="a question mark elsewhere"),
        pytest.param("http://localhost/static", None, id="absolute form of something else"),
        pytest.param("/api/v10", None, id="a longer number"),
    ],
)
def test_the_prefix_is_a_prefix_of_segments(raw: str, group: str | None) -> None:
    """Under the prefix the rules decide; what lies elsewhere in every reading passes, however odd."""
    assert deciding_group(guarded(), raw) == group


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param("//api/v1/users", id="two slashes in front"),
        pytest.param("/api//v1/users", id="two slashes within the prefix"),
        pytest.param("/api/v1//users", id="two slashes below"),
        pytest.param("/./api/v1/users", id="dot in front"),
        pytest.param("/api/./v1/users", id="dot within the prefix"),
        pytest.param("/api/v1/./users", id="dot below"),
        pytest.param("/static/../api/v1/users", id="up and over"),
        pytest.param("/../api/v1/users", id="up from the root"),
        pytest.param("/api/v1/x/../users", id="up within"),
        pytest.param("/api/v1/../../static", id="up and out"),
        pytest.param("/api/v1/%2e%2e/x", id="encoded dots"),
        pytest.param("/static/%2e%2e/api/v1/users", id="encoded up and over"),
        pytest.param("/static/%252e%252e/api/v1", id="twice encoded up and over"),
        pytest.param("/api%2fv1/users", id="encoded slash within the prefix"),
        pytest.param("/api/v1%2fusers", id="encoded slash after the prefix"),
        pytest.param("%2fapi/v1/users", id="encoded slash in front"),
        pytest.param("/api%5cv1/users", id="encoded backslash"),
        pytest.param("\\api\\v1\\users", id="backslashes"),
        pytest.param("/api\\v1/users", id="a backslash within the prefix"),
        pytest.param("/api/v1/users%00", id="encoded NUL"),
        pytest.param("/api/v1%00/users", id="encoded NUL after the prefix"),
        pytest.param("/api/v1\x00", id="NUL"),
        pytest.param("/api/v1\n", id="newline"),
        pytest.param("/api/v1/users%0a", id="encoded newline"),
        pytest.param("/api/v1?x", id="question mark"),
        pytest.param("/api/v1#x", id="number sign"),
        pytest.param("/API/v1/users", id="upper case"),
        pytest.param("/Api/V1", id="mixed case"),
        pytest.param("/api;x/v1/users", id="parameters within the prefix"),
        pytest.param("/api/v1;x/users", id="parameters after the prefix"),
        pytest.param("/api/v1;x", id="parameters at the end of the prefix"),
        pytest.param("/static/..;/api/v1/users", id="up with parameters"),
        pytest.param("/api%3bx/v1/users", id="encoded parameters"),
        pytest.param("api/v1/users", id="no slash in front"),
        pytest.param("/api/v1/\xff", id="no UTF-8"),
        pytest.param("/api/v1/\xc0\xae\xc0\xae/x", id="overlong dots"),
    ],
)
def test_a_path_that_someone_may_read_as_guarded_is_ambiguous(raw: str) -> None:
    """It does not pass as one outside, and no rule is found for it that may not be the right one."""
    assert any(lies_under(reading, "/api/v1") for reading in readings(raw))
    assert outcome(guarded(), raw) == "ambiguous"


def bypass(raw: str, id: str, why: str) -> object:
    return pytest.param(raw, id=id)


@pytest.mark.parametrize(
    "raw",
    [
        bypass("/ap\xffi/v1/users", "a byte that is dropped", "bottle decodes with errors='ignore'"),
        bypass("/\xc3api/v1/users", "half a character that is dropped", "bottle decodes with errors='ignore'"),
        bypass("/x?/../api/v1/users", "up after a question mark", "readings are cut there only"),
        bypass("/x#/../api/v1/users", "up after a number sign", "readings are cut there only"),
        bypass("/a\\b/../api/v1/users", "up over a backslash", "readings take it for a slash only"),
        bypass(wsgi("/api/v1\x85"), "a C1 control character", "readings are not decoded"),
        bypass("/%61pi/v1/users", "an encoded letter", "only separators make a path ambiguous"),
        bypass("http://localhost/api/v1/users", "absolute form", "it is read as a relative path"),
    ],
)
def test_no_reading_of_a_path_that_passes_is_guarded(raw: str) -> None:
    """What some server, framework or proxy takes for a path under the prefix does not pass as one outside."""
    assert any(lies_under(reading, "/api/v1") for reading in readings(raw))
    assert outcome(guarded(), raw) is not None


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param("//é/v1/users", id="two slashes in front"),
        pytest.param("/é/./v1/users", id="dot"),
        pytest.param("/x/../é/v1/users", id="up and over"),
        pytest.param("/é;x/v1/users", id="parameters"),
    ],
)
def test_a_prefix_beyond_ascii_is_guarded_as_well(raw: str) -> None:
    """Odd spellings of a path under it do not pass."""
    assert outcome(guarded("/é/v1"), wsgi(raw)) is not None


def test_a_prefix_beyond_ascii_is_found() -> None:
    """The plain spelling is decided, in upper case it is ambiguous, and another word passes."""
    assert deciding_group(guarded("/é/v1"), wsgi("/é/v1/users")) == "/users"
    assert deciding_group(guarded("/é/v1"), wsgi("/É/v1/users")) == "ambiguous"
    assert deciding_group(guarded("/é/v1"), wsgi("/e/v1/users")) is None


_HARMLESS = [
    "/",
    "/",
    "/",
    "api",
    "v1",
    "API",
    "x",
    ".",
    "..",
    ";",
    "\n",
    "\x00",
    "%2f",
    "%2e",
    "%25",
    "%5c",
    "+",
    "..;",
]
_ALL = [*_HARMLESS, "?", "#", "\\", "%61", "\xff", "\xc3\xa9", "\xc2\x85", "http:", "v1x"]


def assert_no_reading_is_guarded(raw: str) -> None:
    if outcome(guarded(), raw) is None:
        assert not [reading for reading in readings(raw) if lies_under(reading, "/api/v1")]


@settings(max_examples=250, deadline=None)
@given(st.lists(st.sampled_from(_HARMLESS), max_size=10).map("".join))
def test_slashes_dots_and_parameters_never_lead_past_the_guard(raw: str) -> None:
    """Whatever passes as outside lies outside however it is normalised."""
    assert_no_reading_is_guarded(raw)


@settings(max_examples=250, deadline=None, phases=[Phase.explicit, Phase.generate])
@example("/ap\xffi/v1/users")
@given(st.lists(st.sampled_from(_ALL), max_size=10).map("".join))
def test_nothing_at_all_leads_past_the_guard(raw: str) -> None:
    """Whatever passes as outside lies outside in every reading there is."""
    assert_no_reading_is_guarded(raw)


def test_without_a_prefix_nothing_passes() -> None:
    """Every path is guarded then: it is decided, or ambiguous."""
    policy = guarded("")
    assert deciding_group(policy, "/") == "/"
    assert deciding_group(policy, "") == "/"
    assert deciding_group(policy, "/users/x") == "/users"
    assert deciding_group(policy, "/a//b") == "ambiguous"
    assert deciding_group(policy, "*") == "ambiguous"
    assert deciding_group(policy, "http://localhost/users") == "ambiguous"


@pytest.mark.parametrize(
    ("script_name", "path_info", "group"),
    [
        pytest.param("/api/v1", "/users", "/users", id="mounted at the prefix"),
        pytest.param("/api", "/v1/users", "/users", id="mounted above"),
        pytest.param("", "/api/v1/users", "/users", id="not mounted"),
        pytest.param("/api/v1/users", "", "/users", id="all of it"),
        pytest.param("/elsewhere", "/api/v1/users", None, id="mounted elsewhere"),
        pytest.param("/api", "v1/users", None, id="no slash between"),
        pytest.param("/api/", "/v1/users", "ambiguous", id="two slashes between"),
        pytest.param("/x", "/../api/v1/users", "ambiguous", id="up and over"),
    ],
)
def test_where_the_application_is_mounted_makes_no_difference(
    script_name: str, path_info: str, group: str | None
) -> None:
    """The path is that of the whole URL; how a server divides it does not matter."""
    assert deciding_group(guarded(), script_name + path_info) == group


@pytest.mark.parametrize(
    ("prefix", "inside", "outside"),
    [
        pytest.param("/v", "/v/1", "/v1", id="one letter"),
        pytest.param("/api", "/api/x", "/apix", id="a word"),
        pytest.param("/api/v1/", "/api/v1/x", "/api/v1x", id="with a slash at the end"),
        pytest.param("/a.b", "/a.b/x", "/aXb/x", id="a dot is a dot"),
    ],
)
def test_a_prefix_ends_at_a_slash(prefix: str, inside: str, outside: str) -> None:
    """A longer word that begins alike is outside."""
    assert deciding_group(guarded(prefix), inside) == "/"
    assert deciding_group(guarded(prefix), outside) is None


# -- parameters of segments


def with_parameters() -> Policy:
    return Policy(
        [
            Group(path="/admin", scopes=["admin"]),
            Group(path="/users", scopes=["admin"]),
            Group(path="/users/<name>", scopes=["user"]),
            Group(path="/wiki", scopes=[]),
        ],
        prefix="/api",
    )


@pytest.mark.parametrize(
    ("raw", "group"),
    [
        pytest.param("/api/wiki/a;x", "/wiki", id="in a place where no rule differs"),
        pytest.param("/api/users/bob;x", "/users/<name>", id="in a variable"),
        pytest.param("/api/users/bob;x=1/y;z", "/users/<name>", id="in two places"),
        pytest.param("/api/users;x", "ambiguous", id="after a literal"),
        pytest.param("/api/admin;/x", "ambiguous", id="an empty parameter after a literal"),
        pytest.param("/api/users;x/bob", "ambiguous", id="after a literal, and on"),
        pytest.param("/api/;x/users", "ambiguous", id="a segment of nothing but parameters"),
        pytest.param("/api/users/;x/bob", "ambiguous", id="such a segment within"),
    ],
)
def test_parameters_never_change_which_rule_decides(raw: str, group: str) -> None:
    """Either the rule is the same with them and without, or the path is ambiguous."""
    assert deciding_group(with_parameters(), raw) == group


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param("/api/users/;x", id="an empty segment at the end"),
        pytest.param("/api/users/..;/admin", id="two dots"),
        pytest.param("/api/users/..;x", id="two dots at the end"),
        pytest.param("/api/users/.;x", id="a dot"),
    ],
)
def test_dots_with_parameters_are_dots(raw: str) -> None:
    """Routers that drop parameters resolve what is left: another rule would decide, or none."""
    assert deciding_group(with_parameters(), raw) == "ambiguous"
