"""From text to scope sets, and what is refused on the way."""

import time

import pytest

from scopeware.errors import ScopewareError
from scopeware.scopes import Category, UnknownScope, Vocabulary

GITEA = Vocabulary.builtin("gitea")


@pytest.mark.parametrize(
    "scopes",
    [
        pytest.param("read:user,write:misc", id="comma"),
        pytest.param("read:user write:misc", id="space"),
        pytest.param("read:user, write:misc", id="both"),
        pytest.param(" ,,read:user ,  write:misc, ", id="too-many-of-both"),
        pytest.param("write:misc read:user read:user", id="repeated-and-disordered"),
        pytest.param(["read:user", "write:misc"], id="list"),
        pytest.param({"write:misc", "read:user"}, id="set"),
        pytest.param(("read:user", "write:misc", "read:misc"), id="tuple"),
    ],
)
def test_separators_and_containers_make_no_difference(scopes):
    """Commas, spaces, both, or an iterable of words spell the same scope set."""
    assert str(GITEA.parse(scopes)) == "write:misc,read:user"
    if not isinstance(scopes, str):
        assert GITEA.parse(iter(scopes)) == GITEA.parse(scopes)


@pytest.mark.parametrize("scopes", ["", " ", ", ,", [], ()])
def test_text_without_words_grants_nothing(scopes):
    """No scopes are no access, while one word already is some."""
    empty = GITEA.parse(scopes)
    assert not empty
    assert not any(empty.covers(scope) for scope in GITEA.scopes)
    assert GITEA.parse("read:user").covers("read:user")


@pytest.mark.parametrize(
    ("word", "near_one"),
    [
        pytest.param("read:usr", "read:user", id="typo"),
        pytest.param("write:repositories", "write:repository", id="plural"),
        pytest.param("public_only", "public-only", id="restriction-misspelled"),
        pytest.param("Read:User", "read:user", id="wrong-case"),
        pytest.param("READ:user", "read:user", id="action-in-wrong-case"),
        pytest.param("ALL", "all", id="all-in-wrong-case"),
        pytest.param("Public-Only", "public-only", id="restriction-in-wrong-case"),
        pytest.param("read:user\n", "read:user", id="newline-after"),
        pytest.param("\tread:user", "read:user", id="tab-before"),
        pytest.param("read:user\0", "read:user", id="nul-after"),
        pytest.param("read:\0user", "read:user", id="nul-inside"),
        pytest.param("read:user\twrite:user", "write:user", id="tab-is-no-separator"),
        pytest.param("read:user\u00a0", "read:user", id="no-break-space"),
        pytest.param("write", "write:activitypub", id="action-alone"),
        pytest.param("read:", "read:activitypub", id="no-category"),
        pytest.param(":user", "read:user", id="no-action"),
        pytest.param("user", "read:user", id="category-alone"),
        pytest.param("read:user:", "read:user", id="colon-too-many"),
        pytest.param("-read:user", "read:user", id="minus-in-front"),
    ],
)
def test_a_word_nobody_knows_is_refused_by_name_with_near_ones(word, near_one):
    """One unknown word refuses the text; the error carries it verbatim and names near words that do parse."""
    with pytest.raises(UnknownScope) as caught:
        GITEA.parse(f"write:misc,{word}")
    error = caught.value
    assert isinstance(error, ValueError)
    assert isinstance(error, ScopewareError)
    assert error.word == word
    assert error.vocabulary == "gitea"
    assert near_one in error.suggestions
    assert f"`{near_one}`" in str(error)
    assert all(GITEA.parse_known(suggestion)[1] == () for suggestion in error.suggestions)
    assert str(error).isprintable()
    assert GITEA.parse(f"write:misc,{near_one}")


@pytest.mark.parametrize("word", ["*", "read:*", "*:user", "admin:all", "nope:nowhere", "null", "[]", "'all'"])
def test_words_of_other_notations_grant_nothing(word):
    """A wildcard this vocabulary does not declare is refused, never read as everything."""
    with pytest.raises(UnknownScope):
        GITEA.parse(word)
    assert not GITEA.parse_known(word)[0]


def test_the_message_says_what_is_unknown_and_where():
    """Word, vocabulary and remedy stand in one line."""
    with pytest.raises(UnknownScope) as caught:
        GITEA.parse("write:user user")
    assert str(caught.value) == (
        "unknown scope `user` in vocabulary `gitea`; did you mean `read:user` or `write:user`?"
    )
    assert caught.value.suggestions == ("read:user", "write:user")


def test_the_first_of_several_unknown_words_is_named():
    """People fix one word at a time, in the order they wrote them."""
    with pytest.raises(UnknownScope) as caught:
        GITEA.parse("read:user,second:thing,third:thing")
    assert caught.value.word == "second:thing"


def test_a_scope_the_other_way_round_suggests_the_right_way():
    """`user:read` is how other systems write it; what is turned round and still unknown gets no such hint."""
    assert GITEA.unknown("user:read").suggestions == ("read:user",)
    assert GITEA.unknown("issue:write").suggestions == ("write:issue",)
    assert "read:zzz" not in GITEA.unknown("zzz:read").suggestions


def test_a_category_alone_suggests_only_the_actions_it_has():
    """What is suggested can be granted."""
    vocabulary = Vocabulary("v", ["user", Category("log", actions=("read",))])
    assert vocabulary.unknown("log").suggestions == ("read:log",)
    assert vocabulary.unknown("user").suggestions == ("read:user", "write:user")


@pytest.mark.parametrize("word", ["use", "users", f"{'x' * 30}:usr"])
def test_a_category_that_is_nearly_one_suggests_what_it_has(word):
    """Where no whole word is near, half of it may be; where neither is, nothing is suggested."""
    assert GITEA.unknown(word).suggestions == ("read:user", "write:user")
    assert GITEA.unknown(word.replace("us", "zz")).suggestions == ()


@pytest.mark.parametrize("word", ["write", "write:"])
def test_an_action_alone_suggests_the_first_three_scopes_it_has(word):
    """Half a scope is completed by way of example, not by the whole list."""
    assert GITEA.unknown(word).suggestions == ("write:activitypub", "write:admin", "write:misc")


def test_no_restriction_is_suggested_where_the_vocabulary_has_none():
    """`public-only` is a word of Gitea's, not of every vocabulary's."""
    assert Vocabulary("v", ["user"]).unknown("public_only").suggestions == ()
    assert Vocabulary("v", ["user"], public_only="public-only").unknown("public_only").suggestions == ("public-only",)


@pytest.mark.parametrize(
    "word",
    [
        pytest.param("x" * 10_000, id="letters"),
        pytest.param("read:" + "user" * 2_500, id="like-a-scope"),
        pytest.param("\0" * 10_000, id="escapes"),
        pytest.param(":" * 10_000, id="colons"),
    ],
)
def test_a_word_of_ten_thousand_characters_is_refused_quickly_and_briefly(word):
    """Neither the time nor the message grows with a hostile word; the error still carries all of it."""
    begun = time.perf_counter()
    with pytest.raises(UnknownScope) as caught:
        GITEA.parse(word)
    assert time.perf_counter() - begun < 0.5
    assert len(str(caught.value)) < 200
    assert caught.value.word == word


@pytest.mark.parametrize("scopes", [None, "", [], "nope", "user,write,read:", ["", "\0"], "Read:User\nall"])
def test_reading_text_of_unknown_age_grants_nothing_for_what_is_not_known(scopes):
    """None, nothing and unknown words are no access, and no error."""
    granted, _ = GITEA.parse_known(scopes)
    assert not granted
    assert not granted.public_only
    assert granted == GITEA.parse("")


def test_reading_text_of_unknown_age_keeps_what_is_known_and_reports_the_rest():
    """Known words grant what they say, unknown ones are handed back in order."""
    granted, unknown = GITEA.parse_known("repo,public-only,write:user,user:follow,repo")
    assert str(granted) == "public-only,write:user"
    assert unknown == ("repo", "user:follow", "repo")
    assert GITEA.parse_known("public-only,write:user") == (granted, ())


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        pytest.param(None, "None", id="none"),
        pytest.param(1, "1", id="number"),
        pytest.param(b"read:user", "b'read:user'", id="bytes"),
        pytest.param(["read:user"], "['read:user']", id="list"),
        pytest.param({}, "{}", id="unhashable"),
        pytest.param(True, "True", id="boolean"),
    ],
)
def test_a_word_that_is_no_text_is_unknown(word, shown):
    """JSON may hold anything: what is no string grants nothing, and is named as it is written."""
    with pytest.raises(UnknownScope) as caught:
        GITEA.parse(["read:misc", word])
    assert caught.value.word == shown
    granted, unknown = GITEA.parse_known(["read:misc", word])
    assert granted == GITEA.parse("read:misc")
    assert unknown == (shown,)


def test_none_is_no_restriction_where_the_vocabulary_has_none():
    """A vocabulary without such a word is not restricted by the absence of one."""
    granted, unknown = Vocabulary("v", ["user"]).parse_known([None, "read:user"])
    assert not granted.public_only
    assert granted.covers("read:user")
    assert unknown == ("None",)


def test_an_unknown_word_never_lifts_the_restriction():
    """A token stays public-only whatever else its text says."""
    granted, _ = GITEA.parse_known("nope public-only all nope")
    assert granted.public_only
    assert granted != GITEA.parse("all")
