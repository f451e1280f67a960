"""Scopes that are bound to resources: how they are read and written, and where they hold."""

import copy
import pickle
import time
import tracemalloc

import pytest

from scopeware.scopes import Category, ScopeSet, UnknownScope, Vocabulary, VocabularyMismatch
from scopeware.scopes.resource import encode

GITEA = Vocabulary.builtin("gitea")
PLAIN = Vocabulary("plain", ["user", "misc"])
PARTS = Vocabulary("parts", ["repo", "repo.hooks", Category("log", actions=("read",))], all_word="all")
WILD = Vocabulary("wild", ["user", "misc"], all_word="all", wildcards={"read:*": ["read:*"], "*": ["*"]})


def scopes_at(granted: ScopeSet, resource: str) -> str:
    """What holds at a resource, as text."""
    return ",".join(granted.vocabulary.words(granted.at(resource)))


# -- where they hold


def test_a_bound_scope_holds_at_its_resource_and_nowhere_else():
    """Neither at another, nor at what is above or below it, nor at one whose name only begins alike; nor everywhere."""
    granted = GITEA.parse("write:repository@alice/widgets")
    assert scopes_at(granted, "alice/widgets") == "write:repository"
    for elsewhere in ("alice/gadgets", "bob/widgets", "alice", "alice/widgets/wiki", "alice/widgets2", "Alice/widgets"):
        assert granted.at(elsewhere) == 0
    assert granted.bits == 0
    assert not granted.covers("read:repository")


def test_all_below_is_all_that_is_below_on_segment_boundaries():
    """At any depth; not the resource itself, and not one whose name begins alike."""
    granted = GITEA.parse("read:issue@alice/*")
    for below in ("alice/widgets", "alice/widgets/wiki", "alice/a/b/c", "alice/*"):
        assert scopes_at(granted, below) == "read:issue"
    for elsewhere in ("alice", "bob/widgets", "alicia/widgets", "a/alice/widgets", "*", "*/widgets"):
        assert granted.at(elsewhere) == 0


def test_what_holds_everywhere_holds_at_every_resource():
    """Bound scopes come on top, and only there."""
    granted = GITEA.parse("read:user,write:issue@alice/widgets,read:issue@alice/*")
    assert scopes_at(granted, "alice/widgets") == "write:issue,read:user"
    assert scopes_at(granted, "alice/gadgets") == "read:issue,read:user"
    assert scopes_at(granted, "bob/widgets") == "read:user"
    assert granted.bits == GITEA.parse("read:user").bits


def test_a_resource_called_by_a_star_is_not_all_below():
    """A star by name is encoded in a grant; it reaches one resource, and is reached like any other."""
    named, below = GITEA.parse("read:issue@alice/%2A"), GITEA.parse("read:issue@alice/*")
    assert scopes_at(named, "alice/*") == scopes_at(below, "alice/*") == "read:issue"
    assert scopes_at(below, "alice/widgets") == "read:issue"
    assert named.at("alice/widgets") == 0
    assert named < below


@pytest.mark.parametrize("resource", ["größe/ä b", 'a,b/"c"', "100%/%2F", "@types/node", "a\\b", "a:b@c"])
def test_a_resource_of_any_text_is_written_encoded_and_asked_for_as_it_is(resource):
    """What an application calls it, the grant spells; asked for as it is spelled it is another resource."""
    granted = GITEA.parse(f"read:issue@{encode(resource)}")
    assert scopes_at(granted, resource) == "read:issue"
    if encode(resource) != resource:
        assert granted.at(encode(resource)) == 0
    assert GITEA.parse([f"read:issue@{encode(resource)}"]) == granted


def test_over_is_asked_of_what_stands_in_a_grant():
    """Of a resource or of all below one; what is no resource has what holds everywhere, and no more."""
    granted = GITEA.parse("read:user,read:issue@alice/*,write:issue@alice/wid%20gets")
    both = GITEA.parse("read:user,read:issue").bits
    assert granted.over("alice/*") == both
    assert granted.over("alice/gadgets") == granted.over("alice/gadgets/*") == both
    assert granted.over("alice/wid%20gets") == both | GITEA.parse("write:issue").bits
    assert granted.over("alice/wid%20gets") == granted.over("alice/wid gets") == granted.at("alice/wid gets")
    for nothing in ("alice", "bob/*", "", "*", "alice/", "alice//x", "alice/../bob/x", "alice/*/x", "alice/%ff"):
        assert granted.over(nothing) == granted.bits


@pytest.mark.parametrize("text", ["alice/", "alice//x", "alice/..", "alice/../bob/widgets", "alice/./x", "alice/\0"])
def test_what_names_no_resource_is_reached_by_no_bound_scope(text):
    """Who could be talked into taking it for another resource must not be told that the token reaches it."""
    granted = GITEA.parse("read:user,read:issue@alice/*")
    assert granted.at("alice/x") != granted.bits
    assert granted.at(text) == granted.bits


def test_all_below_reaches_as_deep_as_there_is_something():
    """Deeper than any resource that a grant can name."""
    granted = GITEA.parse("read:issue@alice/*,write:issue@alice/a/*")
    deep = "/".join("a" * 100)
    assert scopes_at(granted, f"alice/b/{deep}") == "read:issue"
    assert scopes_at(granted, f"alice/a/{deep}") == "write:issue"
    assert granted.at(f"bob/{deep}") == 0
    assert GITEA.parse_known(f"read:issue@alice/{deep}") == (GITEA.parse(""), (f"read:issue@alice/{deep}",))


def test_anywhere_is_what_holds_at_some_resource_at_least():
    """Of one resource or another, and what holds everywhere."""
    granted = GITEA.parse("read:user,read:issue@alice/*,write:misc@bob/x")
    assert granted.anywhere == GITEA.parse("read:user,read:issue,write:misc").bits
    assert GITEA.parse("read:user").anywhere == GITEA.parse("read:user").bits
    assert GITEA.parse("").anywhere == 0


def test_bound_shows_what_a_resource_adds():
    """Beyond what holds everywhere, and in all of a resource that it is part of; by the resource's spelling."""
    granted = GITEA.parse("read:issue,write:issue@alice/widgets,read:user@alice/*,read:user@alice/widgets")
    assert dict(granted.bound) == {
        "alice/*": GITEA.parse("read:user").bits,
        "alice/widgets": GITEA.parse("write:issue").bits & ~GITEA.parse("read:issue").bits,
    }
    assert not GITEA.parse("read:issue").bound
    assert not GITEA.parse("write:issue,read:issue@alice/widgets").bound


def test_the_bound_scopes_cannot_be_changed():
    """A set may be shared by requests and threads, and so may what it shows."""
    granted = GITEA.parse("read:issue@alice/widgets")
    with pytest.raises(TypeError):
        granted.bound["alice/gadgets"] = 1
    with pytest.raises(TypeError):
        GITEA.parse("").bound["alice/gadgets"] = 1
    with pytest.raises(AttributeError):
        granted.bound = {}
    assert str(granted) == "read:issue@alice/widgets"


def test_parts_go_with_their_whole_at_a_resource_too():
    """What a scope implies it implies where it holds."""
    granted = PARTS.parse("write:repo@alice/widgets")
    assert granted.covers("read:repo.hooks@alice/widgets")
    assert not granted.covers("read:repo.hooks@alice/gadgets")
    assert not PARTS.parse("write:repo.hooks@alice/widgets").covers("read:repo@alice/widgets")


# -- reading and writing


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        pytest.param("write:repository@alice/widgets", "write:repository@alice/widgets", id="one"),
        pytest.param("read:issue@bob/*,read:issue@alice/*", "read:issue@alice/*,read:issue@bob/*", id="by resource"),
        pytest.param("read:user@a/b,write:misc@a/b", "write:misc@a/b,read:user@a/b", id="in vocabulary order there"),
        pytest.param("read:misc@a/b,write:user,public-only", "public-only,write:user,read:misc@a/b", id="bound last"),
        pytest.param("read:issue@a/b,write:issue@a/b", "write:issue@a/b", id="write swallows read"),
        pytest.param("read:issue@a/b read:issue@a/b", "read:issue@a/b", id="twice"),
        pytest.param("read:issue,read:issue@a/b", "read:issue", id="what holds everywhere"),
        pytest.param("write:issue,read:issue@a/b", "write:issue", id="what is implied everywhere"),
        pytest.param("read:issue,write:issue@a/b", "read:issue,write:issue@a/b", id="more at one"),
        pytest.param("read:issue@a/b,read:issue@a/*", "read:issue@a/*", id="what holds above"),
        pytest.param("read:issue@a/b/*,read:issue@a/*", "read:issue@a/*", id="what holds further above"),
        pytest.param("write:issue@a/b,read:issue@a/*", "read:issue@a/*,write:issue@a/b", id="more than above"),
        pytest.param("read:issue@a,read:issue@a/*", "read:issue@a,read:issue@a/*", id="a resource is not below itself"),
        pytest.param("all@a/b", "all@a/b", id="everything at one"),
        pytest.param("all,all@a/b", "all", id="everything everywhere"),
        pytest.param("all@a/*,write:user", "write:user,all@a/*", id="everything below one"),
        pytest.param(
            ",".join(f"write:{name}@a/b" for name in GITEA.categories), "all@a/b", id="everything, word by word"
        ),
        pytest.param(
            ",".join(f"write:{name}{'' if name == 'user' else '@a/b'}" for name in GITEA.categories),
            "write:user,all@a/b",
            id="everything, together with what holds everywhere",
        ),
        pytest.param("read:issue@gr%c3%b6%C3%9Fe/%77", "read:issue@gr%C3%B6%C3%9Fe/w", id="one spelling"),
        pytest.param("read:issue@größe/w,read:issue@gr%C3%B6ße/w", "read:issue@gr%C3%B6%C3%9Fe/w", id="of two"),
        pytest.param("read:issue@a@b", "read:issue@a@b", id="the first at counts"),
    ],
)
def test_text_is_canonical(text, canonical):
    """The restriction first, then what holds everywhere, then by resource; no word too many; read back it is equal."""
    granted = GITEA.parse(text)
    assert str(granted) == canonical
    assert ",".join(granted.texts) == canonical
    assert GITEA.parse(canonical) == granted
    assert str(GITEA.parse(canonical)) == canonical
    assert GITEA.parse(granted.texts) == granted
    assert GITEA.parse_known(text) == (granted, ())


def test_text_repeats_nothing_where_there_is_no_word_for_everything():
    """What holds everywhere is not said once more where something else is added."""
    assert str(PLAIN.parse("write:user,read:misc@a/b")) == "write:user,read:misc@a/b"
    assert str(PLAIN.parse("write:user,write:misc@a/b")) == "write:user,write:misc@a/b"


def test_words_are_counted_and_listed_with_their_resources():
    """First what holds everywhere, then the others by resource; everything in its words, not in one."""
    granted = GITEA.parse("public-only,read:user,all@a/b,write:misc@a/*")
    words = list(granted)
    assert words[:2] == ["read:user", "write:misc@a/*"]
    assert words[2:] == [f"write:{name}@a/b" for name in GITEA.categories if name != "misc"]
    assert len(granted) == len(words) == 10
    assert list(GITEA.parse("read:issue@a/b")) == ["read:issue@a/b"]
    assert repr(GITEA.parse("read:issue@a/b")) == "ScopeSet('read:issue@a/b')"


def test_a_set_is_true_where_it_grants_something_somewhere():
    """A scope that is bound is a scope; the restriction still is none."""
    assert GITEA.parse("read:issue@alice/widgets")
    assert not GITEA.parse("public-only")


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        pytest.param("all@a/b", "all@a/b", id="a literal everything stays one"),
        pytest.param(
            ",".join(f"write:{name}@a/b" for name in GITEA.categories),
            ",".join(f"write:{name}@a/b" for name in GITEA.categories),
            id="each word stays itself",
        ),
        pytest.param("public-only,read:user@b/c,write:user@b/c", "public-only,write:user@b/c", id="canonical there"),
        pytest.param("read:user@%62/c,write:misc", "write:misc,read:user@b/c", id="in one spelling"),
        pytest.param("write:user,read:user@b/c", "write:user,read:user@b/c", id="what adds nothing today"),
    ],
)
def test_what_is_stored_is_what_was_granted(text, stored):
    """So that a category that is introduced tomorrow belongs to nobody who did not ask for everything."""
    granted = GITEA.parse(text)
    assert granted.as_granted == stored
    assert GITEA.parse(stored) == granted
    assert GITEA.parse(stored).as_granted == stored


def test_a_wildcard_may_be_bound():
    """It means there what it means elsewhere, and is stored as it was granted."""
    granted = WILD.parse("read:*@alice/*,*@alice/widgets,write:misc")
    assert str(granted) == "write:misc,read:user@alice/*,all@alice/widgets"
    assert granted.as_granted == "write:misc,read:*@alice/*,*@alice/widgets"
    assert scopes_at(granted, "alice/gadgets") == "read:user,write:misc"
    assert granted.at("alice/widgets") == WILD.everything
    assert granted.at("bob/x") == granted.bits


def test_a_category_introduced_later_belongs_to_a_bound_all_alone():
    """A bound word for everything widens where it is bound; what came to everything once does not."""
    later = Vocabulary("wild", ["user", "misc", "new"], all_word="all", wildcards={"read:*": ["read:*"], "*": ["*"]})
    literal = later.parse(WILD.parse("all@a/b").as_granted)
    spelled = later.parse(WILD.parse("write:user@a/b,write:misc@a/b").as_granted)
    assert literal.covers("write:new@a/b")
    assert not literal.covers("read:new")
    assert not spelled.covers("read:new@a/b")
    assert spelled.covers("write:user@a/b,write:misc@a/b")


# -- what is refused


@pytest.mark.parametrize(
    ("word", "suggestions"),
    [
        pytest.param("read:isue@alice/*", ("read:issue@alice/*",), id="typo"),
        pytest.param("issue@alice/x", ("read:issue@alice/x", "write:issue@alice/x"), id="category alone"),
        pytest.param("issue:read@alice/x", ("read:issue@alice/x",), id="the other way round"),
        pytest.param("ALL@alice/*", ("all@alice/*",), id="wrong case"),
        pytest.param("read:issue@", ("read:issue@owner/name",), id="no resource"),
        pytest.param("read:issue@..", ("read:issue@owner/name",), id="dots"),
        pytest.param("read:issue@alice//x", ("read:issue@owner/name",), id="two slashes"),
        pytest.param("read:issue@alice/", ("read:issue@owner/name",), id="slash behind"),
        pytest.param("read:issue@*", ("read:issue@owner/name",), id="a star alone"),
        pytest.param("read:issue@alice/*/x", ("read:issue@owner/name",), id="a star in the middle"),
        pytest.param("read:issue@alice/%ff", ("read:issue@owner/name",), id="no UTF-8"),
        pytest.param("read:issue@alice/%00", ("read:issue@owner/name",), id="a control character"),
        pytest.param("read:issue@alice/x\n", ("read:issue@owner/name",), id="a newline"),
        pytest.param("all@", ("all@owner/name",), id="everything nowhere"),
        pytest.param("issue:read@..", ("read:issue@owner/name",), id="neither half"),
        pytest.param("@alice/x", (), id="no scope"),
        pytest.param("@", (), id="neither"),
        pytest.param("zzz@alice/x", (), id="nothing near"),
    ],
)
def test_a_bound_word_that_cannot_be_is_refused_with_near_ones(word, suggestions):
    """What is wrong with the scope is mended in the scope, what is wrong with the resource by showing what one is."""
    with pytest.raises(UnknownScope) as caught:
        GITEA.parse([word])
    assert caught.value.word == word
    assert caught.value.suggestions[: len(suggestions)] == suggestions
    assert suggestions or not caught.value.suggestions
    assert str(caught.value).isprintable()
    assert GITEA.parse_known([word, "read:misc@a/b"]) == (GITEA.parse("read:misc@a/b"), (word,))
    for suggestion in caught.value.suggestions:
        assert GITEA.parse_known(suggestion)[1] == ()


@pytest.mark.parametrize(
    "word",
    [
        pytest.param("public-only@alice/x", id="the restriction, bound"),
        pytest.param("publc-only@alice/x", id="the restriction, misspelled and bound"),
        pytest.param("read:isue@a,b", id="a comma in a resource"),
    ],
)
def test_what_is_suggested_can_be_granted(word):
    """A remedy that is refused in its turn is none; the restriction holds everywhere, so it is no remedy when bound."""
    with pytest.raises(UnknownScope) as caught:
        GITEA.parse([word])
    for suggestion in caught.value.suggestions:
        assert GITEA.parse_known(suggestion)[1] == ()


def test_the_restriction_cannot_be_bound():
    """It neither restricts nor grants anything there, and what is granted besides stays unrestricted."""
    granted, unknown = GITEA.parse_known("public-only@alice/x,read:user")
    assert unknown == ("public-only@alice/x",)
    assert not granted.public_only
    assert GITEA.parse("public-only,read:user").public_only


def test_a_message_does_not_grow_with_the_resource():
    """As for every hostile word: it is cut, and the error still carries all of it."""
    word = f"read:isue@{'x' * 10_000}"
    with pytest.raises(UnknownScope) as caught:
        GITEA.parse(word)
    assert caught.value.word == word
    assert len(str(caught.value)) < 400


def test_long_resources_and_many_are_read_quickly():
    """Hundreds of characters, or thousands of resources, are read in a moment."""
    begun = time.perf_counter()
    assert GITEA.parse(f"read:issue@{'x' * 300}").at("x" * 300)
    many = GITEA.parse([f"read:issue@alice/{number}" for number in range(2_000)])
    assert len(many & many) == len(many | many) == 2_000
    assert many <= many | GITEA.parse("read:issue@alice/more")
    assert time.perf_counter() - begun < 2


def test_a_resource_of_many_segments_takes_little_memory():
    """Who may name the scopes of a token must not fill the memory with a short text."""
    word = f"read:issue@{'a/' * 5_000}a"
    tracemalloc.start()
    try:
        _, unknown = GITEA.parse_known(word)
        assert unknown in ((), (word,))
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_reading_text_of_unknown_age_keeps_what_is_known():
    """A bound word of a scope that is gone grants nothing, anywhere; the others stay."""
    granted, unknown = GITEA.parse_known("repo@alice/x,read:issue@alice/x,read:user@.. write:nope@a/b")
    assert granted == GITEA.parse("read:issue@alice/x")
    assert unknown == ("repo@alice/x", "read:user@..", "write:nope@a/b")


# -- covering, order, and what two make together


@pytest.mark.parametrize(
    ("granted", "enough", "short"),
    [
        pytest.param("write:issue", "read:issue@a/b", "read:user@a/b", id="everywhere covers anywhere"),
        pytest.param("write:issue@a/b", "read:issue@a/b", "read:issue@a/c", id="one resource"),
        pytest.param("write:issue@a/b", "write:issue@a/b", "write:issue", id="one resource is not everywhere"),
        pytest.param("read:issue@a/*", "read:issue@a/b", "read:issue@a", id="all below"),
        pytest.param("read:issue@a/*", "read:issue@a/b/*", "read:issue@b/*", id="all below a part"),
        pytest.param("read:issue@a/b", "read:issue@a/b", "read:issue@a/*", id="one is not all below"),
        pytest.param("read:issue@a/b", "read:issue@a/b", "read:issue@a/b/*", id="a resource is not all below it"),
        pytest.param("read:issue@a/b", "read:issue@a/b", "write:issue@a/b", id="read is not write there"),
        pytest.param(
            "read:issue@a/*,read:user",
            "read:issue@a/b,read:user@c/d",
            "read:issue@a/b,read:issue@c/d",
            id="all of several",
        ),
    ],
)
def test_a_set_covers_what_holds_no_further_than_its_own(granted, enough, short):
    """Wherever the need holds, the grant has to; `in` and `<=` say the same."""
    scopes = GITEA.parse(granted)
    assert scopes.covers(enough)
    assert not scopes.covers(short)
    assert scopes.covers(GITEA.parse(enough))
    assert GITEA.parse(enough) <= scopes
    assert not GITEA.parse(short) <= scopes
    assert enough in scopes
    assert short not in scopes


def test_covers_refuses_a_question_about_no_resource():
    """A misspelled resource is an error, neither yes nor no."""
    granted = GITEA.parse("all")
    assert granted.covers("read:issue@alice/x")
    with pytest.raises(UnknownScope, match="unknown scope `read:issue@alice//x`"):
        granted.covers("read:issue@alice//x")


def test_order_is_by_where_a_scope_holds_too():
    """One resource is less than all below, and that is less than everywhere; two resources are not ordered."""
    ordered = [GITEA.parse(text) for text in ("", "read:issue@a/b", "read:issue@a/*", "read:issue", "write:issue")]
    for position, smaller in enumerate(ordered):
        same = GITEA.parse(str(smaller))
        assert smaller <= same
        assert not smaller < same
        for larger in ordered[position + 1 :]:
            assert smaller < larger
            assert smaller <= larger
            assert not larger <= smaller
    one, other = GITEA.parse("read:issue@a/b"), GITEA.parse("read:issue@a/c")
    assert not one <= other
    assert not other <= one


@pytest.mark.parametrize(
    ("left", "right", "intersection"),
    [
        pytest.param("read:issue@a/*", "write:issue@a/b", "read:issue@a/b", id="all below and one"),
        pytest.param("write:issue", "read:issue@a/b", "read:issue@a/b", id="everywhere and one"),
        pytest.param("read:issue@a/b", "read:issue@a/c", "", id="one and another"),
        pytest.param("read:issue@a/*", "read:issue@b/*", "", id="all below one and all below another"),
        pytest.param("read:issue@a/*", "read:issue@a", "", id="all below and the resource itself"),
        pytest.param("read:issue@a/*", "read:issue@a/b/*", "read:issue@a/b/*", id="all below a part"),
        pytest.param("read:issue@a/b", "read:user@a/b", "", id="two scopes at one"),
        pytest.param("all@a/*", "all", "all@a/*", id="everything below one"),
        pytest.param("write:user,all@a/b", "write:user@a/*,write:misc", "write:user@a/*,write:misc@a/b", id="across"),
        pytest.param("public-only,read:issue", "read:issue@a/b", "public-only,read:issue@a/b", id="restricted"),
    ],
)
def test_the_intersection_holds_where_both_do(left, right, intersection):
    """In either order."""
    one, other = GITEA.parse(left), GITEA.parse(right)
    assert str(one & other) == str(other & one) == intersection
    assert one & other == GITEA.parse(intersection)


@pytest.mark.parametrize(
    ("left", "right", "union"),
    [
        pytest.param("read:issue@a/*", "write:issue@a/b", "read:issue@a/*,write:issue@a/b", id="all below and one"),
        pytest.param("write:issue", "read:issue@a/b", "write:issue", id="everywhere and one"),
        pytest.param("read:issue@a/b", "read:issue@a/c", "read:issue@a/b,read:issue@a/c", id="one and another"),
        pytest.param("read:user@a/b", "", "read:user@a/b", id="nothing"),
        pytest.param("public-only,read:user@a/b", "", "public-only,read:user@a/b", id="nothing lifts no restriction"),
        pytest.param("public-only,read:user@a/b", "read:user@a/c", "read:user@a/b,read:user@a/c", id="unrestricted"),
    ],
)
def test_the_union_holds_where_either_does(left, right, union):
    """In either order."""
    one, other = GITEA.parse(left), GITEA.parse(right)
    assert str(one | other) == str(other | one) == union
    assert one | other == GITEA.parse(union)


def test_a_wildcard_that_both_were_granted_stays_one():
    """In what is stored, at a resource as everywhere; what they only came to together does not."""
    everything, here = GITEA.parse("all"), GITEA.parse("all@a/*")
    assert (everything & here).as_granted == "all@a/*"
    assert (everything | here).as_granted == "all,all@a/*"
    assert (here & GITEA.parse("all@a/b")).as_granted == "all@a/b"
    spelled = GITEA.parse(f"write:{name}@a/b" for name in GITEA.categories)
    assert (here & spelled) == GITEA.parse("all@a/b")
    assert (here & spelled).as_granted == spelled.as_granted


def test_sets_of_two_vocabularies_do_not_mix_where_they_are_bound():
    """Bits of one mean nothing in the other, at a resource either; those of an equal vocabulary mean the same."""
    ours, other = PLAIN.parse("read:user@a/b"), WILD.parse("read:user@a/b")
    assert ours & Vocabulary("plain", ["user", "misc"]).parse("read:user@a/*") == ours
    assert ours != other
    for operation in (ours.__and__, ours.__or__, ours.__le__, ours.covers):
        with pytest.raises(VocabularyMismatch):
            operation(other)


@pytest.mark.parametrize(
    "again",
    [
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
        pytest.param(lambda granted: pickle.loads(pickle.dumps(granted)), id="pickle"),
    ],
)
@pytest.mark.parametrize("text", ["all@a/*", "public-only,read:user,write:user@a/b", "write:user,read:user@%C3%BC/b"])
def test_copies_are_equal_and_were_granted_the_same(text, again):
    """A copy allows the same at every resource, and is stored as the same words."""
    granted = GITEA.parse(text)
    copied = again(granted)
    assert copied == granted
    assert hash(copied) == hash(granted)
    assert copied.as_granted == granted.as_granted
    assert dict(copied.bound) == dict(granted.bound)
    assert copied.at("a/b") == granted.at("a/b")
    assert copied != GITEA.parse("read:user@a/b")


def test_equality_is_by_where_scopes_hold():
    """However it was spelled and granted; a resource more or less makes a difference, and so does where."""
    granted = GITEA.parse("read:issue@a/*,write:user")
    same = GITEA.parse("write:user read:issue@a/* read:issue@a/b read:user@c/d read:issue@%61/*")
    assert granted == same
    assert hash(granted) == hash(same)
    assert len({granted, same, GITEA.parse("read:issue@a/b,write:user")}) == 2
    assert GITEA.parse("read:issue@a/b") != GITEA.parse("read:issue@a/c")
    assert GITEA.parse("read:issue@a/b") != GITEA.parse("read:issue")
    assert GITEA.parse("read:issue@a/*") != GITEA.parse("read:issue@a/b")
    assert GITEA.parse("public-only,read:issue@a/b") != GITEA.parse("read:issue@a/b")


# -- the same with less


def test_for_public_only_adds_the_restriction_and_takes_nothing_else_away():
    """Words stay as they were granted; twice is once; the set it is made of stays unrestricted."""
    granted = GITEA.parse("all,read:issue@a/b")
    restricted = granted.for_public_only()
    assert restricted.public_only
    assert not granted.public_only
    assert restricted.as_granted == "public-only,all,read:issue@a/b"
    assert restricted.for_public_only() == restricted
    assert restricted < granted
    assert restricted.at("a/b") == granted.at("a/b")


def test_without_words_is_as_if_they_had_not_been_granted():
    """Anywhere; what another word grants stays, and so does the restriction."""
    granted = WILD.parse("all,read:user@a/b,write:user@a/b,read:*@a/*")
    everything, write = WILD.word_bits("all"), WILD.word_bits("write:user")
    assert granted.without_words(everything) == WILD.parse("write:user@a/b,read:*@a/*")
    assert granted.without_words(everything | write) == WILD.parse("read:*@a/*")
    assert WILD.parse("write:user@a/b").without_words(write) == WILD.parse("")
    assert WILD.parse("read:user").without_words(WILD.word_bits("read:*")) == WILD.parse("read:user")
    assert granted.without_words(0) == granted
    assert not granted.without_words(-1)
    assert GITEA.parse("public-only,all").without_words(GITEA.word_bits("all")) == GITEA.parse("public-only")


def test_granted_words_are_those_that_were_granted_anywhere():
    """Not what they imply or stand for."""
    granted = WILD.parse("read:*,write:misc@a/b,write:misc@a/c")
    assert granted.granted_words == WILD.word_bits("read:*") | WILD.word_bits("write:misc")
    assert WILD.parse("").granted_words == 0


def test_a_word_has_a_bit_of_its_own():
    """A scope and a wildcard each; what is neither is refused by name."""
    bits = [WILD.word_bits(word) for word in (*WILD.scopes, *WILD.wildcards)]
    assert len(set(bits)) == len(bits)
    assert all(bit.bit_count() == 1 for bit in bits)
    for word in ("red:user", "read:user@a/b", ""):
        with pytest.raises(UnknownScope) as caught:
            WILD.word_bits(word)
        assert caught.value.word == word
