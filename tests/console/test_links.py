"""Links that ask for a token, and links that bring it: whom a user may be sent to, and what is said there."""

from __future__ import annotations

import ipaddress
import re
import time
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from scopeware.console.links import (
    AuthorizationRequest,
    InvalidRedirect,
    InvalidRequest,
    callback_url,
    check_redirect,
)
from scopeware.errors import ConfigurationError, ScopewareError

APP = "https://app.example/done"
ASKED: dict[str, Any] = {"name": "Watcher", "scopes": "read:user", "redirect_uri": APP}


def query(uri: str) -> list[tuple[str, str]]:
    """What the query of a URI says, in order."""
    return parse_qsl(urlsplit(uri).query, keep_blank_values=True)


# -- who may be sent where


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("https://app.example", id="a host alone"),
        pytest.param("http://app.example/", id="without TLS"),
        pytest.param("HTTPS://App.Example/Done", id="capital letters"),
        pytest.param("https://app.example:8443/done", id="a port"),
        pytest.param("https://app.example:65535/", id="the last port"),
        pytest.param("https://app.example:/", id="a colon without a port"),
        pytest.param("http://localhost:5000/", id="this machine"),
        pytest.param("http://127.0.0.1:5000/", id="an address"),
        pytest.param("http://[::1]:5000/", id="an IPv6 address"),
        pytest.param("http://[::ffff:192.0.2.1]/", id="an IPv4 address in an IPv6 one"),
        pytest.param("https://xn--bcher-kva.example/", id="a host as DNS spells it"),
        pytest.param("https://some_host.example/", id="an underscore"),
        pytest.param("https://app.example./", id="a dot at the end"),
        pytest.param("https://app.example?next=@evil.example//x", id="an at sign in the query"),
        pytest.param("https://app.example/@evil.example", id="an at sign in the path"),
        pytest.param("https://app.example//evil.example", id="two slashes in the path"),
        pytest.param("https://app.example/%0d%0aLocation:%20x", id="a line break, encoded"),
        pytest.param("https://app.example/javascript:alert(1)", id="a scheme in the path"),
        pytest.param(f"https://app.example/{'x' * 1980}", id="two thousand characters"),
    ],
)
def test_a_user_may_be_sent_to_an_absolute_uri_of_http(uri: str) -> None:
    """Wherever it is, unless the deployment says which there are."""
    check_redirect(uri)
    assert AuthorizationRequest(**ASKED | {"redirect_uri": uri}).redirect_uri == uri


NO_HTTP = "it is not an absolute one of http or https"
NO_HOST = "it has no host"
CHARACTERS = "it has characters that have to be percent-encoded"
USER = "it has a user in front of its host"
NO_URI = "it is no URI"
FRAGMENT = "it has a fragment"


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        pytest.param("", NO_HTTP, id="nothing"),
        pytest.param("/done", NO_HTTP, id="a path"),
        pytest.param("done", NO_HTTP, id="a word"),
        pytest.param("//evil.example/", NO_HTTP, id="no scheme"),
        pytest.param("///evil.example/", NO_HTTP, id="no scheme, three slashes"),
        pytest.param("://evil.example/", NO_HTTP, id="an empty scheme"),
        pytest.param("javascript:alert(1)", NO_HTTP, id="javascript"),
        pytest.param("JaVaScRiPt://app.example/%0aalert(1)", NO_HTTP, id="javascript with a host"),
        pytest.param("data:text/html,x", NO_HTTP, id="data"),
        pytest.param("vbscript:x", NO_HTTP, id="vbscript"),
        pytest.param("file:///etc/passwd", NO_HTTP, id="a file"),
        pytest.param("ftp://app.example/", NO_HTTP, id="another protocol"),
        pytest.param("blob:https://app.example/x", NO_HTTP, id="a URI in a URI"),
        pytest.param("httpss://app.example/", NO_HTTP, id="almost https"),
        pytest.param("https", NO_HTTP, id="a scheme alone"),
        pytest.param("https:", NO_HOST, id="a scheme and a colon"),
        pytest.param("https://", NO_HOST, id="no host"),
        pytest.param("https:evil.example", NO_HOST, id="no slash"),
        pytest.param("https:/evil.example", NO_HOST, id="one slash"),
        pytest.param("https:///evil.example", NO_HOST, id="three slashes"),
        pytest.param("https://:443/", NO_HOST, id="a port alone"),
        pytest.param("https://?x", NO_HOST, id="a query alone"),
        pytest.param("https://app.example@evil.example/", USER, id="a user"),
        pytest.param("https://app.example:x@evil.example/", USER, id="a user and a password"),
        pytest.param("https://@evil.example/", USER, id="an empty user"),
        pytest.param("https://app.example#", FRAGMENT, id="an empty fragment"),
        pytest.param("https://app.example/#x", FRAGMENT, id="a fragment"),
        pytest.param("https://evil.example#@app.example/", FRAGMENT, id="a fragment that looks like a host"),
        pytest.param("https://app.example:65536/", NO_URI, id="a port too high"),
        pytest.param("https://app.example:x/", NO_URI, id="a port that is no number"),
        pytest.param("https://app.example:-1/", NO_URI, id="a negative port"),
        pytest.param("https://app.example:+1/", NO_URI, id="a port with a sign"),
        pytest.param("https://[::1/", NO_URI, id="half a bracket"),
        pytest.param("https://]/", NO_URI, id="the other half"),
        pytest.param("https://[app.example]/", NO_URI, id="a name in brackets"),
        pytest.param("https://evil.example\\@app.example/", CHARACTERS, id="a backslash"),
        pytest.param("https:\\\\evil.example/", CHARACTERS, id="two backslashes"),
        pytest.param("ht\ntps://app.example/", CHARACTERS, id="a line break in the scheme"),
        pytest.param("https://app.ex\tample/", CHARACTERS, id="a tab in the host"),
        pytest.param("https://app.example/\r\nSet-Cookie: x=1", CHARACTERS, id="a header"),
        pytest.param(" https://app.example/", CHARACTERS, id="a space in front"),
        pytest.param("https://app.example/ ", CHARACTERS, id="a space behind"),
        pytest.param("https://app.example/\n", CHARACTERS, id="a line break behind"),
        pytest.param("\x01https://app.example/", CHARACTERS, id="a control character in front"),
        pytest.param("https://app.example/\x7f", CHARACTERS, id="a control character behind"),
        pytest.param("https://app.example/\0", CHARACTERS, id="a NUL"),
        pytest.param("https://bücher.example/", CHARACTERS, id="a host of other letters"),
        pytest.param("https://аpp.example/", CHARACTERS, id="a Cyrillic letter"),
        pytest.param("https://evil.example／app.example/", CHARACTERS, id="a wide slash"),
        pytest.param("https://evil。example/", CHARACTERS, id="an ideographic full stop"),
        pytest.param("https://evil.example\u2100app.example/", CHARACTERS, id="a letter that becomes a slash"),
        pytest.param("https://app.example/\u202e", CHARACTERS, id="text from right to left"),
        pytest.param("https://app.example/é", CHARACTERS, id="a path of other letters"),
        pytest.param("https://app.example/\udcff", CHARACTERS, id="a surrogate"),
        pytest.param('https://app.example/"onclick=', CHARACTERS, id="a quote"),
        pytest.param("https://app.example/<script>", CHARACTERS, id="a tag"),
        pytest.param("https://app.example/{x}", CHARACTERS, id="braces"),
        pytest.param("https://app.example|evil.example/", CHARACTERS, id="a bar"),
        pytest.param("https://app.example^evil.example/", CHARACTERS, id="a caret"),
        pytest.param(f"https://app.example/{'x' * 1981}", "it is too long", id="one character too many"),
    ],
)
def test_nobody_is_sent_anywhere_else(uri: str, problem: str) -> None:
    """Neither is such a request made, nor read, nor answered: not even with an error."""
    for attempt in (
        lambda: check_redirect(uri),
        lambda: AuthorizationRequest(**ASKED | {"redirect_uri": uri}),
        lambda: AuthorizationRequest.from_query(ASKED | {"redirect_uri": uri}),
        lambda: callback_url(uri, key="swt_secret"),
        lambda: callback_url(uri, error="access_denied"),
    ):
        with pytest.raises(InvalidRedirect) as caught:
            attempt()
        assert (caught.value.uri, caught.value.problem) == (uri, problem)


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("https://evil.example[::1]/", id="text before an address"),
        pytest.param("https://[::1]evil.example/", id="text after an address"),
        pytest.param("https://[::1].evil.example/", id="a domain after an address"),
        pytest.param("https://[v1.x]/", id="an address of the future"),
        pytest.param("https://[::1%25eth0]/", id="an address with a zone"),
        pytest.param("https://%65vil.example/", id="an encoded letter"),
        pytest.param("https://evil.example%2fapp.example/", id="an encoded slash"),
        pytest.param("https://evil.example%00.app.example/", id="an encoded NUL"),
    ],
)
def test_a_host_that_browsers_read_in_another_way_is_refused(uri: str) -> None:
    """They decode it, or refuse it; Python's `urlsplit` takes `evil.example[::1]` for `::1` (CVE-2025-0938)."""
    with pytest.raises(InvalidRedirect):
        check_redirect(uri)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1"])
def test_a_number_that_browsers_read_as_an_address_is_refused(host: str) -> None:
    """They go to 127.0.0.1, and whoever reads the page does not see it."""
    with pytest.raises(InvalidRedirect):
        check_redirect(f"http://{host}/")


def test_what_is_said_of_a_redirect_is_one_short_line() -> None:
    """Whatever stood in it, and however much."""
    for uri in ("\x1b[31m\r\n", "x" * 10_000_000, "https://\udcff", "é" * 3_000):
        with pytest.raises(InvalidRedirect) as caught:
            check_redirect(uri)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 200
        assert isinstance(caught.value, ScopewareError)


# -- only some origins


@pytest.mark.parametrize(
    ("uri", "allowed"),
    [
        pytest.param("https://app.example", True, id="itself"),
        pytest.param("https://app.example/any/path?x=1", True, id="below it"),
        pytest.param("HTTPS://APP.example/", True, id="in capital letters"),
        pytest.param("http://[::1]:5000/x", True, id="an IPv6 address"),
        pytest.param("http://app.example/", False, id="without TLS"),
        pytest.param("https://app.example:8443/", False, id="another port"),
        pytest.param("http://[::1]/x", False, id="the address without the port"),
        pytest.param("https://app.example.evil.example/", False, id="a longer host"),
        pytest.param("https://evil-app.example/", False, id="a host that ends so"),
        pytest.param("https://www.app.example/", False, id="a host below it"),
        pytest.param("https://app.exampl/", False, id="a shorter host"),
        pytest.param("https://app.example./", False, id="a dot at the end"),
        pytest.param("https://evil.example/https://app.example", False, id="in the path"),
        pytest.param("https://evil.example?https://app.example", False, id="in the query"),
    ],
)
def test_where_the_deployment_knows_the_origins_only_those_will_do(uri: str, allowed: bool) -> None:
    """Scheme, host and port are compared as a whole."""
    origins = frozenset({"https://app.example", "http://[::1]:5000"})
    if allowed:
        check_redirect(uri, origins)
        return
    with pytest.raises(InvalidRedirect, match="it is none of those that the deployment allows"):
        check_redirect(uri, origins)


def test_where_no_origin_is_allowed_none_is() -> None:
    """An empty list is not the same as none given."""
    with pytest.raises(InvalidRedirect, match="none of those"):
        check_redirect(APP, [])
    check_redirect(APP, None)


@pytest.mark.parametrize("uri", ["https://app.exam/", "https://a/", "https://app.example/"])
def test_one_text_is_not_a_list_of_origins(uri: str) -> None:
    """It would allow whatever it begins with: a mistake to be told, or one origin, and not a hole."""
    try:
        check_redirect(uri, "https://app.example")
    except InvalidRedirect:
        assert uri != "https://app.example/"
    except (TypeError, ConfigurationError):
        pass
    else:
        assert uri == "https://app.example/"


# -- against a slow and obvious reference

HOST = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=-]+")
PLAIN = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]*")


def is_plainly_http(uri: str) -> bool:
    """Whether every reader of a URI sees the same host in it: RFC 3986 without encoded hosts, users and fragments."""
    scheme, _, rest = uri.partition("://")
    if scheme.lower() not in ("http", "https") or len(uri) > 2_000 or not PLAIN.fullmatch(rest):
        return False
    authority = re.split("[/?]", rest)[0]
    host, colon, port = authority.rpartition(":") if re.search(r":[0-9]*\Z", authority) else (authority, "", "")
    if authority.startswith("["):
        host, _, port = authority.partition("]")
        colon, port = port[:1], port[1:]
        if colon not in ("", ":"):
            return False
        try:
            ipaddress.IPv6Address(host[1:])
        except ValueError:
            return False
    elif not HOST.fullmatch(host):
        return False
    return not colon or port == "" or (port.isdigit() and int(port) <= 65_535)


PIECES = (
    *(
        "https://",
        "http://",
        "https:",
        "javascript:",
        "//",
        "/",
        "\\",
        "@",
        ":",
        "?",
        "#",
        "&",
        "=",
        ";",
        "%",
        ".",
        "-",
    ),
    *("app.example", "evil.example", "[::1]", "[", "]", "::1", "%2f", "%65", "%00", "%40", ":80", ":65536", ":0", "1"),
    *("\t", "\n", "\r", " ", "\x00", "é", "／", "\u202e", "api_key", "state", "error", "a", "x=1", "+", "%ff", "'"),
)
URIS = st.builds(
    "{}{}".format, st.sampled_from(["https://", "http://", ""]), st.lists(st.sampled_from(PIECES)).map("".join)
)
GOOD_URIS = st.builds(
    "{}://{}{}{}{}".format,
    st.sampled_from(["http", "https", "HTTPS"]),
    st.sampled_from(["app.example", "localhost", "192.0.2.1", "[::1]", "[2001:db8::1]", "App.Example"]),
    st.sampled_from(["", ":", ":80", ":8443"]),
    st.sampled_from(["", "/", "/done", "//evil.example", "/a;b", "/%2f", "/@x"]),
    st.lists(st.sampled_from(["a=1", "b=", "api_key=old", "state=old", "error=old", "a=%26b", "", "a%5Bb=1"])).map(
        lambda pairs: f"?{'&'.join(pairs)}" if pairs else ""
    ),
)


@given(uri=URIS)
@settings(deadline=None)
def test_what_is_accepted_is_read_alike_by_everyone(uri: str) -> None:
    """No mixture of what URIs consist of gets past, and nothing but an `InvalidRedirect` is raised."""
    try:
        check_redirect(uri)
    except InvalidRedirect:
        return
    assert is_plainly_http(uri)


@given(uri=GOOD_URIS)
@settings(deadline=None)
def test_what_everyone_reads_alike_is_accepted(uri: str) -> None:
    """No usual URI is refused."""
    assert is_plainly_http(uri)
    check_redirect(uri)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@given(uri=URIS | GOOD_URIS, key=TEXT | st.none(), state=TEXT | st.none())
@settings(deadline=None)
def test_a_callback_stays_at_its_origin_and_says_each_thing_once(uri: str, key: str | None, state: str | None) -> None:
    """Whatever the application's URI says, and whatever is put there."""
    try:
        made = callback_url(uri, key=key, state=state)
    except InvalidRedirect:
        return
    before, after = urlsplit(uri), urlsplit(made)
    assert (after.scheme, after.netloc, after.path) == (before.scheme, before.netloc, before.path or "/")
    assert "#" not in made
    assert made.isascii()
    assert made.isprintable()
    assert " " not in made
    said = [(name, value) for name, value in query(made) if name in ("api_key", "error", "state")]
    assert said == [(name, value) for name, value in (("api_key", key), ("state", state)) if value is not None]
    if len(made) <= 2_000:
        check_redirect(made)


# -- what is said there


@pytest.mark.parametrize(
    ("uri", "said", "made"),
    [
        pytest.param(APP, {"key": "swt_k"}, f"{APP}?api_key=swt_k", id="the key"),
        pytest.param(APP, {"key": "k", "state": "s"}, f"{APP}?api_key=k&state=s", id="the key and the state"),
        pytest.param(APP, {"error": "access_denied"}, f"{APP}?error=access_denied", id="an error"),
        pytest.param(APP, {"error": "e", "state": "s"}, f"{APP}?error=e&state=s", id="an error and the state"),
        pytest.param(APP, {"state": ""}, f"{APP}?state=", id="an empty state"),
        pytest.param(APP, {"state": "a&api_key=b#c\r\n"}, f"{APP}?state=a%26api_key%3Db%23c%0D%0A", id="encoded"),
        pytest.param(APP, {"state": "é"}, f"{APP}?state=%C3%A9", id="as UTF-8"),
        pytest.param(APP, {}, APP, id="nothing"),
        pytest.param("https://a.example", {"error": "e"}, "https://a.example/?error=e", id="a host alone"),
        pytest.param("https://a.example?x=1", {"error": "e"}, "https://a.example/?x=1&error=e", id="a query"),
        pytest.param("https://a.example/?", {"error": "e"}, "https://a.example/?error=e", id="an empty query"),
        pytest.param("https://a.example//b", {"error": "e"}, "https://a.example//b?error=e", id="two slashes"),
        pytest.param("http://[::1]:80/", {"error": "e"}, "http://[::1]:80/?error=e", id="an IPv6 address"),
    ],
)
def test_a_callback_is_the_redirect_uri_and_what_is_said(uri: str, said: dict[str, str], made: str) -> None:
    """The key or an error, and the state as it came."""
    assert callback_url(uri, **said) == made


@pytest.mark.parametrize(
    "old",
    [
        pytest.param("api_key=old", id="the key"),
        pytest.param("api_key=", id="an empty key"),
        pytest.param("api_key", id="the name alone"),
        pytest.param("api_key=1&api_key=2", id="twice"),
        pytest.param("api%5Fkey=old", id="encoded"),
        pytest.param("%61%70%69%5f%6b%65%79=old", id="all of it encoded"),
        pytest.param("error=old", id="an error"),
        pytest.param("state=old", id="a state"),
    ],
)
def test_what_the_redirect_uri_says_under_our_names_is_replaced(old: str) -> None:
    """Else whoever made the link could hand the application a token, a state or an error of their own."""
    uri = f"{APP}?a=1&{old}&b=2"
    assert query(callback_url(uri, key="new", state="mine")) == [
        ("a", "1"),
        ("b", "2"),
        ("api_key", "new"),
        ("state", "mine"),
    ]
    assert query(callback_url(uri, error="access_denied")) == [("a", "1"), ("b", "2"), ("error", "access_denied")]


def test_names_that_only_look_like_ours_stay() -> None:
    """They are the application's."""
    there = "API_KEY=1&api_key2=2&xstate=3&error_description=4"
    assert callback_url(f"{APP}?{there}", key="k") == f"{APP}?{there}&api_key=k"


@pytest.mark.parametrize(
    "there", ["x=1", "x=1&x=2", "x=", "flag", "x=%ff", "x=a%20b", "x=a+b", "x=a/b", "x=%c3%a9", "x;y"]
)
def test_the_rest_of_the_query_is_kept_as_it_was(there: str) -> None:
    """To the byte (RFC 6749 3.1.2: the query component is retained)."""
    assert callback_url(f"{APP}?{there}", key="k") == f"{APP}?{there}&api_key=k"


def test_the_token_can_have_another_name() -> None:
    """Then that one is replaced, and the usual one is the application's."""
    made = callback_url(f"{APP}?api_key=theirs&token=old", key="k", key_parameter="token")
    assert query(made) == [("api_key", "theirs"), ("token", "k")]
    assert query(callback_url(f"{APP}?token=old", error="e", key_parameter="token")) == [("error", "e")]


@pytest.mark.parametrize("name", ["state", "error", ""])
@pytest.mark.parametrize("state", [None, "s"])
def test_the_token_cannot_have_the_name_of_something_else(name: str, state: str | None) -> None:
    """It would get lost, and the user would have a token that nobody holds."""
    with pytest.raises(ValueError):
        callback_url(APP, key="swt_secret", state=state, key_parameter=name)


# -- requests


@given(
    name=TEXT.filter(str.strip),
    scopes=TEXT,
    description=TEXT,
    state=TEXT | st.none(),
    redirect_uri=GOOD_URIS,
)
@settings(deadline=None)
def test_a_request_is_read_as_it_was_written(**asked: Any) -> None:
    """From its link, and from its parameters."""
    request = AuthorizationRequest(**asked)
    link = request.url("https://server.example/authorize")
    page, _, text = link.partition("?")
    assert page == "https://server.example/authorize"
    assert link.isascii()
    assert link.isprintable()
    assert AuthorizationRequest.from_query(text) == request
    assert AuthorizationRequest.from_query(dict(query(link))) == request


def test_a_link_says_what_is_asked() -> None:
    """What was not said is not in it; an empty state was."""
    link = AuthorizationRequest(**ASKED).url("/authorize")
    assert link == f"/authorize?name=Watcher&redirect_uri={quote(APP, safe='')}&scopes=read%3Auser"
    full = AuthorizationRequest(**ASKED, description="To watch", state="").url("/authorize")
    assert full == f"{link}&description=To+watch&state="


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("", "`name` is missing", id="nothing"),
        pytest.param(f"scopes=a&redirect_uri={APP}", "`name` is missing", id="no name"),
        pytest.param("name=a&scopes=a", "`redirect_uri` is missing", id="no redirect"),
        pytest.param(f"name=a&redirect_uri={APP}", "`scopes` is missing", id="no scopes"),
        pytest.param(f"NAME=a&scopes=a&redirect_uri={APP}", "`name` is missing", id="letter case matters"),
        pytest.param(f"?name=a&scopes=a&redirect_uri={APP}", "`name` is missing", id="with the question mark"),
        pytest.param(f"name=a;scopes=a;redirect_uri={APP}", "`redirect_uri` is missing", id="semicolons"),
        pytest.param(f"name=+%20&scopes=a&redirect_uri={APP}", "does not say what it is called", id="a blank name"),
        pytest.param(f"name=&scopes=a&redirect_uri={APP}", "does not say what it is called", id="an empty name"),
        pytest.param(f"name=a&name=a&scopes=a&redirect_uri={APP}", "`name` is there twice", id="a name twice"),
        pytest.param(
            f"name=a&scopes=a&redirect_uri={APP}&redirect_uri=https://evil.example",
            "`redirect_uri` is there twice",
            id="two redirects",
        ),
        pytest.param(
            f"name=a&scopes=a&redirect_uri={APP}&redirect%5furi=https://evil.example",
            "`redirect_uri` is there twice",
            id="two redirects, one encoded",
        ),
        pytest.param(f"name=a&scopes=a&scopes=all&redirect_uri={APP}", "`scopes` is there twice", id="scopes twice"),
        pytest.param(f"name=a&scopes=a&redirect_uri={APP}&state&state=x", "`state` is there twice", id="states"),
    ],
)
def test_a_request_that_lacks_something_or_says_it_twice_is_refused(text: str, problem: str) -> None:
    """Two readers could take another one of the two."""
    with pytest.raises(InvalidRequest, match=problem):
        AuthorizationRequest.from_query(text)


def test_what_nobody_asked_for_is_left_out() -> None:
    """Also twice: it is not ours."""
    text = f"name=Watcher&x=1&scopes=read:user&x=2&url=1&redirect_uri={quote_plus(APP)}&__init__=1&="
    assert AuthorizationRequest.from_query(text) == AuthorizationRequest(**ASKED)
    assert AuthorizationRequest.from_query(ASKED | {"api_key": "swt_x"}) == AuthorizationRequest(**ASKED)


def test_a_state_is_told_from_none() -> None:
    """An empty one comes back, too."""
    text = f"name=Watcher&scopes=read:user&redirect_uri={APP}"
    assert AuthorizationRequest.from_query(text).state is None
    assert AuthorizationRequest.from_query(f"{text}&state=").state == ""
    assert AuthorizationRequest.from_query(f"{text}&state").state == ""


def test_no_scope_is_a_request_that_asks_for_nothing() -> None:
    """It can be written down; whoever makes the token refuses it."""
    assert AuthorizationRequest.from_query(f"name=a&scopes=&redirect_uri={APP}").scopes == ""


@pytest.mark.parametrize("twice", ["name", "redirect_uri", "scopes", "state"])
def test_twice_is_twice_in_the_parameters_of_werkzeug_too(twice: str) -> None:
    """`request.args` is a mapping that shows the first one only."""
    arguments = MultiDict(ASKED | {"state": "s"})
    assert AuthorizationRequest.from_query(arguments).state == "s"
    arguments.add(twice, "https://evil.example")
    with pytest.raises(InvalidRequest, match=f"`{twice}` is there twice"):
        AuthorizationRequest.from_query(arguments)


@pytest.mark.parametrize("key", ["name", "scopes", "redirect_uri", "description", "state"])
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(5, id="a number"),
        pytest.param(["Watcher"], id="a list"),
        pytest.param({}, id="a table"),
        pytest.param(b"Watcher", id="bytes"),
    ],
)
def test_what_is_no_text_is_no_request(key: str, value: Any) -> None:
    """Such as what came as JSON, or from a parser that makes lists."""
    with pytest.raises((InvalidRequest, InvalidRedirect)):
        AuthorizationRequest.from_query(ASKED | {key: value})


@pytest.mark.parametrize("key", ["name", "scopes", "redirect_uri"])
def test_nothing_at_all_is_no_request(key: str) -> None:
    """Where something has to be said; the state may be missing in this way, too."""
    with pytest.raises((InvalidRequest, InvalidRedirect)):
        AuthorizationRequest.from_query(ASKED | {key: None})
    assert AuthorizationRequest.from_query(ASKED | {"state": None}).state is None


@pytest.mark.parametrize("key", ["name", "scopes", "description", "state"])
def test_what_cannot_be_written_as_utf8_is_refused(key: str) -> None:
    """Such text comes from JSON; a page could not be made of it, nor a link."""
    with pytest.raises(ScopewareError):
        AuthorizationRequest.from_query(ASKED | {key: "a\udcff"}).url("/authorize")


def test_a_callback_with_what_cannot_be_written_as_utf8_is_refused() -> None:
    """By an error of ours."""
    with pytest.raises(ScopewareError):
        callback_url(APP, error="access_denied", state="\udcff")


@given(text=st.text() | st.lists(st.sampled_from([*PIECES, "name=", "&scopes=", "&redirect_uri="])).map("".join))
@settings(deadline=None)
def test_whatever_stands_in_a_query_is_a_request_or_an_error_of_ours(text: str) -> None:
    """Nothing else comes out."""
    try:
        asked = AuthorizationRequest.from_query(text)
    except (InvalidRequest, InvalidRedirect):
        return
    check_redirect(asked.redirect_uri)


def test_a_long_query_costs_no_more_than_its_length() -> None:
    """A megabyte is read in no time, whether it is one parameter or very many."""
    start = time.perf_counter()
    for text in (f"name={'a' * 1_000_000}", "&".join(f"a{number}=1" for number in range(100_000)), "&" * 1_000_000):
        with pytest.raises(InvalidRequest):
            AuthorizationRequest.from_query(text)
    assert time.perf_counter() - start < 3
