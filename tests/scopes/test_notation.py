"""Spellings of scopes: what is read from each notation, what is written in it, and that the two agree."""

import itertools
import json
import random
import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import drafts_with_grants

from scopeware.errors import ConfigurationError
from scopeware.scopes import Category, Roles, SingleScope, UnknownScope, Vocabulary, notation
from scopeware.scopes.notation import Grouped, Reading

unhurried = settings(deadline=None)
OWN = {"read_any": "read_own", "update_any": "update_own"}
ALIASES = {"read": "read_any", "read:any": "read_any", "read:own": "read_own", "UPDATE": "update_any"}
SERVER = Vocabulary(
    "server",
    [
        "docker",
        "vms",
        Category("admin", actions=()),
        "admin.users",
        Category("log", "Messages", ("read_any",)),
    ],
    actions=["read_any", "read_own", "update_any", "update_own"],
    methods={"GET": ["read_any"], "*": ["update_any"]},
    spelling="category:action",
    category_wildcards=True,
    own=OWN,
    aliases=ALIASES,
    wildcards={"role:admin": ["*"], "role:guest": ["*:read_any"]},
    reserved={"role:admin": ["admin"]},
    scopes=[SingleScope("profile", "Who one is"), SingleScope("Sudo", "Everything", ["*"])],
    public_only="public-only",
)
TRACKER = Vocabulary(
    "tracker",
    ["projects", "reports", "reports.monthly"],
    all_word="all",
    wildcards={"read:*": ["read:*"], "*": ["*"]},
    aliases={"get": "read"},
    scopes=[SingleScope("admin:all", "Full access", ["*"])],
    reserved={"admin:all": ["admin"]},
)
BARE = Vocabulary("bare", ["docker", "vms"], actions=["read", "write"], spelling="category:action")
NOTATIONS = ["plain", "compact", "dotted", "json"]


def granted(vocabulary, text):
    """What a text grants where nobody insists that all of it is known; nothing, if it is refused as a whole."""
    try:
        return notation.read(vocabulary, text, strict=False).scopes
    except ConfigurationError:
        return vocabulary.parse("")


def as_json(**data):
    """One group in the json notation, of Docker's reading if nothing else is said."""
    return json.dumps({"groups": [{"categories": ["docker"], "actions": ["read_any"]} | data]})


# -- reading


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("docker:read_any", "docker:read_any", id="plain"),
        pytest.param("docker:read_any, vms:read_own", "docker:read_any,vms:read_own", id="several"),
        pytest.param(" ,,docker:read_any  vms:read_own , ", "docker:read_any,vms:read_own", id="separators"),
        pytest.param("docker+vms:read_any", "docker:read_any,vms:read_any", id="categories-together"),
        pytest.param("docker:read_any+update_own", "docker:read_any,docker:update_own", id="actions-together"),
        pytest.param(
            "docker+vms:read_any+update_own",
            "docker:read_any,docker:update_own,vms:read_any,vms:update_own",
            id="both-together",
        ),
        pytest.param("docker+docker:read_any+read_any", "docker:read_any", id="twice"),
        pytest.param("docker:*", "docker:*", id="all-of-a-category"),
        pytest.param("docker+vms:*", "docker:*,vms:*", id="all-of-two"),
        pytest.param("admin:*", "admin:*", id="all-of-a-heading"),
        pytest.param("docker:*+read_own", "docker:*,docker:read_own", id="all-and-one"),
        pytest.param("DOCKER:read:any", "docker:read_any", id="legacy"),
        pytest.param("DOCKER:read:any+read:own", "docker:read_any,docker:read_own", id="legacy-together"),
        pytest.param("DOCKER:READ_ANY", "docker:read_any", id="upper-case"),
        pytest.param("Docker+VMS:Read:Own", "docker:read_own,vms:read_own", id="any-case"),
        pytest.param("DOCKER:*", "docker:*", id="all-in-upper-case"),
        pytest.param("docker:read", "docker:read_any", id="without-any"),
        pytest.param("docker:read+read_any+READ:ANY", "docker:read_any", id="one-action-in-three-spellings"),
        pytest.param("docker:UPDATE,docker:update", "docker:update_any", id="alias-in-any-case"),
        pytest.param("admin.users:read_any", "admin.users:read_any", id="dotted"),
        pytest.param("role:admin", "role:admin", id="word-for-many"),
        pytest.param("ROLE:Admin", "role:admin", id="word-for-many-in-any-case"),
        pytest.param("profile", "profile", id="single"),
        pytest.param("sudo", "Sudo", id="single-in-any-case"),
        pytest.param("public-only,docker:read_any", "public-only,docker:read_any", id="restricted"),
        pytest.param("docker:read_any@alice/web", "docker:read_any@alice/web", id="bound"),
        pytest.param(
            "docker+VMS:read+read_own@alice/*",
            "docker:read_any@alice/*,docker:read_own@alice/*,vms:read_any@alice/*,vms:read_own@alice/*",
            id="bound-together",
        ),
        pytest.param("role:admin@a/b", "role:admin@a/b", id="bound-word"),
        pytest.param("profile@A/b", "profile@A/b", id="bound-single"),
        pytest.param("docker:read_any@a+b:c@d", "docker:read_any@a+b:c@d", id="resource-full-of-signs"),
        pytest.param("docker:*@A/ü", "docker:*@A/%C3%BC", id="resource-keeps-its-case"),
        pytest.param("", "", id="nothing"),
        pytest.param(" , ", "", id="separators-alone"),
    ],
)
def test_every_notation_is_understood(text, words):
    """As the same grants as in the vocabulary's own words, and nothing of the text is left over."""
    reading = notation.read(SERVER, text)
    assert reading == Reading(SERVER.parse(words))
    assert reading.scopes.granted == SERVER.parse(words).granted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("read:projects,write:reports", "read:projects,write:reports", id="plain"),
        pytest.param("projects:read", "read:projects", id="category-first"),
        pytest.param("projects+reports:read+write", "write:projects,write:reports", id="together"),
        pytest.param("Projects:GET", "read:projects", id="alias"),
        pytest.param("projects:*", "write:projects", id="all-there-are"),
        pytest.param("reports.monthly:read", "read:reports.monthly", id="dotted"),
        pytest.param("read:*", "read:*", id="wildcard"),
        pytest.param("READ:*", "read:*", id="wildcard-in-any-case"),
        pytest.param("*", "*", id="everything"),
        pytest.param("ALL", "all", id="all-word"),
        pytest.param("admin:all", "admin:all", id="single"),
        pytest.param("Admin:All", "admin:all", id="single-in-any-case"),
        pytest.param("projects:read@a/b", "read:projects@a/b", id="bound"),
    ],
)
def test_categories_come_first_also_where_words_begin_with_the_action(text, words):
    """Compact and dotted text is one for all vocabularies; a vocabulary's own words are understood besides."""
    assert notation.read(TRACKER, text) == Reading(TRACKER.parse(words))


@pytest.mark.parametrize(
    ("text", "words", "unknown"),
    [
        pytest.param("docker:fly", "", ["docker:fly"], id="action"),
        pytest.param("moon:read_any", "", ["moon:read_any"], id="category"),
        pytest.param("docker:read_any,nope,vms:fly", "docker:read_any", ["nope", "vms:fly"], id="several-in-order"),
        pytest.param("docker+moon:read_any", "docker:read_any", ["moon:read_any"], id="one-category-of-two"),
        pytest.param("docker:read_any+fly", "docker:read_any", ["docker:fly"], id="one-action-of-two"),
        pytest.param("log+docker:read_own", "docker:read_own", ["log:read_own"], id="where-there-is-no-such-action"),
        pytest.param("admin:read_any", "", ["admin:read_any"], id="heading"),
        pytest.param("log:*@a/b,x@a/b", "log:*@a/b", ["x@a/b"], id="bound"),
        pytest.param("docker+x:read_any@a", "docker:read_any@a", ["x:read_any@a"], id="bound-in-part"),
        pytest.param("docker:read_any@", "", ["docker:read_any@"], id="bound-to-nothing"),
        pytest.param("docker+vms:read_any@a//b", "", ["docker+vms:read_any@a//b"], id="bound-to-what-is-no-resource"),
        pytest.param("docker:*@a*", "", ["docker:*@a*"], id="bound-to-a-pattern-that-is-none"),
        pytest.param("public-only@a/b", "", ["public-only@a/b"], id="bound-restriction"),
        pytest.param("docker", "", ["docker"], id="category-alone"),
        pytest.param("read_any", "", ["read_any"], id="action-alone"),
        pytest.param("docker+vms", "", ["docker+vms"], id="categories-alone"),
        pytest.param("docker:", "", ["docker:"], id="no-action"),
        pytest.param(":read_any", "", [":read_any"], id="no-category"),
        pytest.param("docker+:read_any", "docker:read_any", [":read_any"], id="plus-too-many"),
        pytest.param("*:read_any", "", ["*:read_any"], id="star-for-a-category"),
        pytest.param("*", "", ["*"], id="star"),
        pytest.param("*:*", "", ["*:*"], id="stars"),
        pytest.param("docker:**", "", ["docker:**"], id="too-many-stars"),
        pytest.param("docker:read_any:x", "", ["docker:read_any:x"], id="colon-too-many"),
        pytest.param("-docker:read_any", "", ["-docker:read_any"], id="minus"),
        pytest.param("read_any:docker", "", ["read_any:docker"], id="the-other-way-round"),
        pytest.param("role:ädmin", "", ["role:ädmin"], id="not-ascii"),
        pytest.param("docker:read_any\n", "", ["docker:read_any\n"], id="newline"),
        pytest.param("docker:read_any\0", "", ["docker:read_any\0"], id="nul"),
        pytest.param("docker\ud800:read_any", "", ["docker\ud800:read_any"], id="surrogate"),
        pytest.param("['docker:read_any']", "", ["['docker:read_any']"], id="list"),
        pytest.param("@a/b", "", ["@a/b"], id="resource-alone"),
    ],
)
def test_what_is_not_known_grants_nothing(text, words, unknown):
    """Leniently it is listed, the rest of a word counting; strictly the first word with some of it is the error."""
    reading = notation.read(SERVER, text, strict=False)
    assert reading.scopes.granted == SERVER.parse(words).granted
    assert list(reading.unknown) == unknown
    with pytest.raises(UnknownScope) as caught:
        notation.read(SERVER, text)
    assert caught.value.word in re.split(" *, *", text)
    assert str(caught.value).isprintable()


def test_the_first_word_with_something_unknown_is_named():
    """As it was written, so that people find it; what else is wrong is for the next attempt."""
    with pytest.raises(UnknownScope) as caught:
        notation.read(SERVER, "vms:read_any,docker+vms:read_any+raed_own,moon:fly")
    assert caught.value.word == "docker+vms:read_any+raed_own"
    assert caught.value.vocabulary == "server"
    with pytest.raises(UnknownScope) as caught:
        notation.read(SERVER, "docker:raed_own")
    assert "docker:read_own" in caught.value.suggestions


def test_a_wildcard_of_a_category_is_its_own_word_only_where_there_is_one():
    """Elsewhere the star stands for the actions that there are: nothing is granted that comes later."""
    assert notation.read(SERVER, "docker:*").scopes.as_granted == "docker:*"
    assert notation.read(BARE, "docker:*").scopes.granted == {"": ("docker:read", "docker:write")}
    with pytest.raises(UnknownScope):
        notation.read(BARE, "*:docker")


def test_a_heading_without_a_word_for_all_of_it_has_nothing_to_read():
    """It has no scopes of its own, and its parts are named by their names."""
    vocabulary = Vocabulary("v", [Category("admin", actions=()), "admin.users"], spelling="category:action")
    assert notation.read(vocabulary, "admin:*", strict=False).unknown == ("admin:*",)
    assert notation.read(vocabulary, "admin.users:*").scopes == vocabulary.parse("admin.users:write")


@pytest.mark.parametrize("container", [list, tuple, iter, dict.fromkeys])
def test_words_may_come_one_by_one(container):
    """Each a word of any notation; no text in them is taken apart, so separators in a word belong to it."""
    words = ["docker+vms:read", "role:admin@a/b"]
    assert notation.read(SERVER, container(words)).scopes == notation.read(SERVER, ",".join(words)).scopes
    assert notation.read(SERVER, container(["docker:read_any vms:read_any"]), strict=False) == Reading(
        SERVER.parse(""), ("docker:read_any vms:read_any",)
    )


@pytest.mark.parametrize("word", [5, None, b"docker:read_any", ["docker:read_any"], {}, True])
def test_what_is_no_text_is_an_unknown_word(word):
    """As where a vocabulary reads it by itself: a list from a request may hold anything."""
    assert SERVER.parse_known([word, "profile"]) == (SERVER.parse("profile"), (repr(word),))
    assert notation.read(SERVER, [word, "profile"], strict=False) == Reading(SERVER.parse("profile"), (repr(word),))
    with pytest.raises(UnknownScope):
        notation.read(SERVER, [word])


# -- words that differ in letter case only, and names that mean two things


def test_a_word_as_it_is_written_goes_before_one_in_another_letter_case():
    """A category with a capital letter is not read as the scope that stands alone, and less."""
    vocabulary = Vocabulary(
        "v",
        ["Admin", "docker"],
        actions=["read", "all"],
        methods={"*": ["read"]},
        spelling="category:action",
        scopes=[SingleScope("admin:all", implies=["*"])],
    )
    assert notation.read(vocabulary, "admin:all").scopes == vocabulary.parse("admin:all")
    assert notation.read(vocabulary, "Admin:all").scopes == vocabulary.parse("Admin:all")
    assert not notation.read(vocabulary, "Admin:all").scopes.covers("docker:read")


def test_a_restriction_is_not_read_as_a_scope_in_another_letter_case():
    """Otherwise a token that was to see less would see everything, and more."""
    vocabulary = Vocabulary("v", ["user"], public_only="Limited", scopes=["limited"])
    assert notation.read(vocabulary, "limited").scopes == vocabulary.parse("limited")
    reading = notation.read(vocabulary, "Limited,read:user")
    assert reading.scopes == vocabulary.parse("Limited,read:user")
    assert reading.scopes.public_only


def test_a_restriction_is_understood_in_any_letter_case():
    """Where all other words are, leaving this one out would grant more than was asked for."""
    assert notation.read(SERVER, "public-only,docker:read_any", strict=False).scopes.public_only
    assert notation.read(SERVER, "PUBLIC-ONLY,DOCKER:read_any", strict=False).scopes.public_only


def test_an_alias_in_capitals_does_not_hide_the_action_of_that_name():
    """What is spelled exactly is meant exactly: reading does not become writing where categories stand together."""
    vocabulary = Vocabulary("v", ["docker", "vms"], implies={}, spelling="category:action", aliases={"READ": "write"})
    assert notation.read(vocabulary, "docker:READ").scopes == vocabulary.parse("docker:write")
    assert notation.read(vocabulary, "docker:read").scopes == vocabulary.parse("docker:read")
    assert notation.read(vocabulary, "docker+vms:read").scopes == vocabulary.parse("docker:read,vms:read")


def test_names_that_differ_in_letter_case_only_are_told_apart():
    """Each is itself; what could be either in lower case is what is written in lower case, if anything."""
    vocabulary = Vocabulary("v", ["User", "user", "Misc", "mISC"])
    assert notation.read(vocabulary, "User:read").scopes == vocabulary.parse("read:User")
    assert notation.read(vocabulary, "user:read").scopes == vocabulary.parse("read:user")
    assert notation.read(vocabulary, "misc:read", strict=False).unknown == ("misc:read",)
    assert notation.read(vocabulary, "mISC+Misc:READ").scopes == vocabulary.parse("read:mISC,read:Misc")


def test_letters_that_look_alike_are_not_alike():
    """The Kelvin sign is a `k` in lower case, but in no one's name."""
    assert "\u212a".lower() == "k"
    assert notation.read(SERVER, "docKer:read_any").scopes == SERVER.parse("docker:read_any")
    assert notation.read(SERVER, "doc\u212aer:read_any", strict=False).unknown == ("doc\u212aer:read_any",)


@pytest.mark.parametrize("name", NOTATIONS)
@pytest.mark.parametrize(
    ("vocabulary", "scopes"),
    [
        pytest.param(Vocabulary("v", ["read", "write"], implies={}), "write:read", id="action-and-category"),
        pytest.param(Vocabulary("v", ["read", "write"]), "read:write@a/b", id="action-and-category-bound"),
        pytest.param(
            Vocabulary("v", ["read", "user"], wildcards={"read:*": ["read:*"]}, category_wildcards=True),
            "*:read",
            id="all-of-a-category-and-of-an-action",
        ),
        pytest.param(
            Vocabulary(
                "v",
                ["admin", "user"],
                actions=["read", "all"],
                methods={"*": ["read"]},
                scopes=[SingleScope("admin:all", implies=["*"])],
            ),
            "all:admin",
            id="scope-that-stands-alone",
        ),
    ],
)
def test_no_notation_turns_a_scope_into_another(vocabulary, scopes, name):
    """Even where a category is named like an action, so that the other way round it is another word."""
    expected = vocabulary.parse(scopes)
    text = notation.write(expected, name)
    assert notation.read(vocabulary, text).scopes == expected, text


# -- writing


@pytest.mark.parametrize(
    ("scopes", "plain", "compact", "dotted"),
    [
        pytest.param("", "", "", "", id="nothing"),
        pytest.param("vms:read_own", "vms:read_own", "vms:read_own", "vms:read_own", id="one"),
        pytest.param(
            "vms:read_own,docker:read_own",
            "docker:read_own,vms:read_own",
            "docker+vms:read_own",
            "docker:read_own,vms:read_own",
            id="the-same-together",
        ),
        pytest.param(
            "docker:update_own,docker:read_any,docker:read_own",
            "docker:read_any,docker:update_own",
            "docker:read_any+read_own+update_own",
            "docker:read_any,docker:update_own",
            id="what-is-implied-stays",
        ),
        pytest.param(
            "vms:read_any,docker:read_any,docker:update_own,log:read_any",
            "docker:read_any,docker:update_own,vms:read_any,log:read_any",
            "docker:read_any+update_own,log+vms:read_any",
            "docker:read_any,docker:update_own,vms:read_any,log:read_any",
            id="groups",
        ),
        pytest.param("docker:*,vms:*", "DOCKER,VMS", "docker+vms:*", "DOCKER,VMS", id="all-of-categories"),
        pytest.param("log:*,profile", "log:read_any,profile", "profile,log:*", "log:read_any,profile", id="single"),
        pytest.param(
            "public-only,vms:read_own@b/*,vms:read_own@a/x,docker:read_own@a/x,log:read_any",
            "public-only,log:read_any,docker:read_own@a/x,vms:read_own@a/x,vms:read_own@b/*",
            "public-only,log:read_any,docker+vms:read_own@a/x,vms:read_own@b/*",
            "public-only,log:read_any,docker:read_own@a/x,vms:read_own@a/x,vms:read_own@b/*",
            id="bound",
        ),
        pytest.param(
            "log:read_any,role:guest@a/b,role:admin,profile@a/b",
            None,
            "role:admin,role:guest@a/b,profile@a/b,log:read_any",
            None,
            id="words-first",
        ),
        pytest.param("public-only", "public-only", "public-only", "public-only", id="restriction-alone"),
    ],
)
def test_what_each_notation_looks_like(scopes, plain, compact, dotted):
    """Canonical text, what was granted in groups, and a category and an action each."""
    whole = "docker:read_any,docker:update_any", "vms:read_any,vms:update_any"
    scope_set = SERVER.parse(scopes)
    for name, text in (("plain", plain), ("dotted", dotted), ("compact", compact)):
        if text is not None:
            expected = text.replace("DOCKER", whole[0]).replace("VMS", whole[1])
            assert notation.write(scope_set, name) == expected


def test_words_that_begin_with_the_action_are_turned_round():
    """In all notations but the vocabulary's own; words about no single category stay."""
    scopes = TRACKER.parse("read:projects,read:reports,write:reports,read:*,read:reports.monthly@a")
    assert notation.write(scopes, "plain") == "read:projects,write:reports"
    assert notation.write(scopes, "dotted") == "projects:read,reports:write"
    assert notation.write(scopes, "compact") == "read:*,projects:read,reports:read+write,reports.monthly:read@a"
    everything = TRACKER.parse("admin:all")
    assert notation.write(everything, "plain") == "all"
    assert notation.write(everything, "dotted") == "all"
    assert notation.write(everything, "compact") == "admin:all"


def test_json_is_the_groups_as_data():
    """With the words for many besides, and whether it is restricted; a resource only where there is one."""
    scopes = SERVER.parse("public-only,docker:read_any,vms:read_any,role:guest@a/b,log:*@a/b,profile")
    assert json.loads(notation.write(scopes, "json")) == {
        "public_only": True,
        "words": ["profile", "role:guest@a/b"],
        "groups": [
            {"categories": ["docker", "vms"], "actions": ["read_any"]},
            {"categories": ["log"], "actions": ["*"], "resource": "a/b"},
        ],
    }
    assert json.loads(notation.write(SERVER.parse(""), "json")) == {"public_only": False, "words": [], "groups": []}


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        pytest.param("compcat", "no notation `compcat`; did you mean `compact`?", id="typo"),
        pytest.param("xml", "no notation `xml`; there are: plain, compact, dotted, json", id="none"),
        pytest.param("", "no notation ``; there are: plain, compact, dotted, json", id="empty"),
        pytest.param("JSON", "no notation `JSON`; did you mean `json`?", id="upper-case"),
    ],
)
def test_a_notation_that_there_is_not_is_refused(name, problem):
    """Near names are named, else all."""
    with pytest.raises(ConfigurationError) as caught:
        notation.write(SERVER.parse("profile"), name)
    assert caught.value.problem == problem
    assert caught.value.where == "notation"
    assert notation.write(SERVER.parse("profile"), "plain") == "profile"


# -- what was granted


def test_both_stay_where_both_were_granted():
    """What holds for one's own things is implied by what holds for all, and shown all the same; it can be taken back
    in a form that shows both."""
    both, one = SERVER.parse("docker:read_any,docker:read_own"), SERVER.parse("docker:read_any")
    assert both == one
    assert notation.write(both, "compact") == "docker:read_any+read_own"
    assert notation.write(one, "compact") == "docker:read_any"
    for name in ("plain", "dotted"):
        assert notation.write(both, name) == notation.write(one, name) == "docker:read_any"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("docker:read_any+read_own", id="one-category"),
        pytest.param("docker+vms:read_any+read_own", id="two"),
        pytest.param("docker:read_any", id="one-action"),
        pytest.param("docker:read_own", id="own-alone"),
        pytest.param("docker:*+read_any+read_own", id="beside-all"),
        pytest.param("role:guest,docker:read_own", id="beside-a-word-for-many"),
        pytest.param("Sudo,docker:read_own", id="beside-a-single"),
        pytest.param("docker:read_any+read_own@a/b", id="bound"),
        pytest.param("docker:read_any,docker:read_own@a/b", id="own-bound-only"),
        pytest.param("public-only,docker:read_any+read_own+update_any+update_own", id="restricted"),
    ],
)
def test_what_was_granted_is_printed_after_it_was_stored(text):
    """In a database it is `as_granted`; read from there it looks as before."""
    scopes = notation.read(SERVER, text).scopes
    assert notation.write(scopes, "compact") == text
    stored = SERVER.parse(scopes.as_granted)
    assert stored == scopes
    assert notation.write(stored, "compact") == text
    assert SERVER.parse(stored.as_granted).granted == stored.granted


def test_both_stay_under_a_role():
    """What a token is worth is shown by the same words, as far as the role goes."""
    roles = Roles(SERVER, {"reader": "*:read_any"})
    scopes = notation.read(SERVER, "docker:read_any+read_own+update_any,profile").scopes
    assert notation.write(roles.effective(scopes, "reader"), "compact") == "docker:read_any+read_own"
    assert notation.write(roles.effective(scopes, "user"), "compact") == notation.write(scopes, "compact")


@pytest.mark.parametrize("name", NOTATIONS)
def test_the_order_in_which_words_are_granted_does_not_show(name):
    """The same grants are the same text, in whatever order and however often they were written."""
    words = ["role:guest", "profile", "vms:read_own", "docker:read_own", "docker:read_any", "log:*@b", "vms:*@a/*"]
    texts = set()
    for seed in range(10):
        random.Random(seed).shuffle(words)
        texts.add(notation.write(SERVER.parse([*words, *words[:3]]), name))
    assert len(texts) == 1


def test_groups_are_merged_and_sorted():
    """A category stands once for what it is bound to, among all that have its actions; unbound grants come first."""
    scopes = SERVER.parse(
        "vms:update_own,vms:read_own,docker:read_own,docker:update_own,log:read_any,log:*,"
        "vms:read_own@b,docker:read_own@b,docker:read_own@a/*,role:guest,profile"
    )
    assert notation.groups(scopes) == (
        Grouped(("docker", "vms"), ("read_own", "update_own")),
        Grouped(("log",), ("*", "read_any")),
        Grouped(("docker",), ("read_own",), "a/*"),
        Grouped(("docker", "vms"), ("read_own",), "b"),
    )
    assert len({*notation.groups(scopes), *notation.groups(scopes)}) == 4
    assert notation.groups(SERVER.parse("")) == ()
    assert notation.groups(SERVER.parse("role:guest")) == ()


def test_words_for_many_are_listed_once():
    """Wherever they are bound; the restriction is none of them, nor is a word for all of a category."""
    scopes = SERVER.parse("public-only,profile,role:guest@a/b,role:guest,docker:*,vms:read_any,role:admin@c")
    assert notation.words(scopes) == ("role:guest", "profile", "role:admin")
    assert notation.words(TRACKER.parse("read:*,admin:all,all,read:projects")) == ("all", "read:*", "admin:all")
    assert notation.words(SERVER.parse("docker:*")) == ()


# -- the json notation, as others write it


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("{}", "", id="nothing"),
        pytest.param(' \n{"words": ["role:guest"]}', "role:guest", id="space-before"),
        pytest.param('{"words": ["docker+vms:read"]}', "docker:read_any,vms:read_any", id="compact-word"),
        pytest.param(as_json(actions=["READ", "*"]), "docker:read_any,docker:*", id="any-spelling"),
        pytest.param(as_json(resource="a/b"), "docker:read_any@a/b", id="bound"),
        pytest.param(as_json(resource="a b, c"), "docker:read_any@a%20b%2C%20c", id="bound-with-separators"),
        pytest.param('{"public_only": true, "words": ["profile"]}', "public-only,profile", id="restricted"),
        pytest.param('{"public_only": false, "words": ["profile"]}', "profile", id="not-restricted"),
    ],
)
def test_json_is_read_as_it_is_written(text, words):
    """Whatever may be left out may be left out."""
    assert notation.read(SERVER, text) == Reading(SERVER.parse(words))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{", id="half"),
        pytest.param("{'words': []}", id="single-quotes"),
        pytest.param("{}{}", id="twice"),
        pytest.param('{"words": 5}', id="words-a-number"),
        pytest.param('{"words": null}', id="words-null"),
        pytest.param('{"words": NaN}', id="words-no-number"),
        pytest.param('{"groups": null}', id="groups-null"),
        pytest.param('{"groups": ["docker:read_any"]}', id="group-a-word"),
        pytest.param('{"groups": [[]]}', id="group-a-list"),
        pytest.param('{"groups": [{}]}', id="group-empty"),
        pytest.param('{"groups": [{"categories": ["docker"]}]}', id="no-actions"),
        pytest.param('{"groups": [{"actions": ["read_any"]}]}', id="no-categories"),
        pytest.param(as_json(categories=[5]), id="category-a-number"),
        pytest.param(as_json(actions=None), id="actions-null"),
        pytest.param('{"public_only": "no", "words": ["profile"]}', id="restricted-somehow"),
        pytest.param('{"words": [' + "1" * 5000 + "]}", id="huge-number"),
        pytest.param('{"words": ' + "[" * 100_000, id="deep"),
    ],
)
@pytest.mark.parametrize("strict", [True, False])
def test_json_that_cannot_be_is_refused_as_a_whole(text, strict):
    """A word of it would be guesswork, also for who is lenient."""
    with pytest.raises(ConfigurationError) as caught:
        notation.read(SERVER, text, strict=strict)
    assert str(caught.value) == "scopes: expected what the json notation writes"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(as_json(resource=""), id="resource-empty"),
        pytest.param(as_json(resource=False), id="resource-a-flag"),
        pytest.param(as_json(resource=0), id="resource-a-number"),
        pytest.param(as_json(resource=[]), id="resource-a-list"),
        pytest.param(as_json(resource={}), id="resource-a-table"),
        pytest.param(as_json(ressource="a/b"), id="resource-misspelled"),
        pytest.param('{"words": ["profile"], "public-only": true}', id="restriction-misspelled"),
        pytest.param('{"words": {"role:admin": false}}', id="words-a-table"),
        pytest.param(as_json(categories={"docker": False}), id="categories-a-table"),
        pytest.param(as_json(actions={"read_any": False}), id="actions-a-table"),
        pytest.param(as_json(actions=[]), id="no-action"),
        pytest.param(as_json(categories=[]), id="no-category"),
        pytest.param(as_json(resource="a//b"), id="no-resource"),
        pytest.param('{"words": "profile"}', id="words-a-text"),
        pytest.param('{"words": [null, true, 5, ["profile"], "\\ud800", "profile profile"]}', id="words-of-any-kind"),
        pytest.param('{"groups": {}}', id="groups-a-table"),
    ],
)
def test_json_of_another_shape_grants_nothing(text):
    """What seems to be bound, restricted or denied is not granted without that."""
    assert granted(SERVER, text) == SERVER.parse("")
    assert granted(SERVER, as_json()) == SERVER.parse("docker:read_any")


def test_one_letter_categories_are_not_read_out_of_a_text():
    """A text is no list of its letters."""
    vocabulary = Vocabulary("v", ["a", "b", "ab"])
    assert granted(vocabulary, '{"groups": [{"categories": ["ab"], "actions": ["read"]}]}').covers("read:ab")
    assert not granted(vocabulary, '{"groups": [{"categories": "ab", "actions": ["read"]}]}').covers("read:a")


@pytest.mark.parametrize("vocabulary", [SERVER, BARE], ids=["with-the-word", "without"])
def test_a_restriction_in_json_is_never_lost(vocabulary):
    """Nor where the vocabulary has no word for it: then it is an error, or kept, but not granted without."""
    text = json.dumps({"public_only": True, "groups": [{"categories": ["docker"], "actions": ["read_any", "read"]}]})
    scopes = granted(vocabulary, text)
    assert scopes.public_only or not scopes
    assert not granted(vocabulary, text.replace("true", "false")).public_only


# -- any input


def test_what_is_listed_as_unknown_is_not_longer_than_what_was_read():
    """Not much, at least: a word of a few thousand unknown names is not repeated for each of them."""
    long, many = "x" * 4000, "+".join(map(str, range(4000)))
    for text in (f"{long}:{many}", f"{many}:{long}", f"{many}:read_any@{long}"):
        unknown = notation.read(SERVER, text, strict=False).unknown
        assert sum(map(len, unknown)) < 10 * len(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("docker:read_any," * 20_000, id="words"),
        pytest.param("docker:read_any@a/" + "x" * 200_000, id="resource"),
        pytest.param("x" * 400_000, id="word"),
        pytest.param("+" * 400_000 + ":" + "+" * 400_000, id="pluses"),
        pytest.param(":" * 400_000, id="colons"),
        pytest.param("@" * 400_000, id="ats"),
        pytest.param("docker:" + "read_any+" * 50_000, id="actions"),
        pytest.param("docker+" * 50_000 + "vms:read_any", id="categories"),
        pytest.param("docker:read_any@" + "a/" * 100_000 + "b", id="deep"),
        pytest.param(" ," * 400_000, id="separators"),
        pytest.param('{"words": [' + '"docker:read_any",' * 20_000 + '"vms:*"]}', id="json"),
        pytest.param("{" * 400_000, id="braces"),
    ],
)
def test_long_text_is_read_in_a_moment(text):
    """Whoever asks for a token may send a lot of it."""
    begun = time.perf_counter()
    scopes = granted(SERVER, text)
    assert scopes <= SERVER.parse("docker:read_any,vms:*")
    assert time.perf_counter() - begun < 2


def test_large_vocabularies_are_read_and_written_in_a_moment():
    """A thousand categories, everything in them, all notations."""
    vocabulary = Vocabulary("big", [f"category{number}" for number in range(1000)], category_wildcards=True)
    begun = time.perf_counter()
    scopes = notation.read(vocabulary, f"{'+'.join(vocabulary.categories)}:read+*").scopes
    assert len(scopes) == 1000
    for name in NOTATIONS:
        assert notation.read(vocabulary, notation.write(scopes, name)).scopes == scopes
    assert time.perf_counter() - begun < 3


PIECES = (
    *(
        "docker",
        "vms",
        "DOCKER",
        "admin",
        "admin.users",
        "read_any",
        "read",
        "read:own",
        "fly",
        "profile",
        "role:admin",
    ),
    *(
        "public-only",
        "Sudo",
        "*",
        ":",
        "+",
        "@",
        "/",
        ",",
        " ",
        "-",
        "{",
        "}",
        "[",
        "]",
        '"',
        "words",
        "ä",
        "\0",
        "%2F",
    ),
)
ANY_TEXT = st.text(max_size=20) | st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@given(ANY_TEXT | st.lists(ANY_TEXT))
@example("{")
@example("docker:fly")
@example("docker+vms:read@a")
@unhurried
def test_no_text_does_any_harm(text):
    """Strictly it is read in full or refused; leniently it is the same, or less with a list of what is missing."""
    try:
        lenient = notation.read(SERVER, text, strict=False)
    except ConfigurationError:
        assert text.lstrip().startswith("{")
        return
    if lenient.unknown:
        with pytest.raises(UnknownScope) as caught:
            notation.read(SERVER, text)
        assert str(caught.value).isprintable()
    else:
        assert notation.read(SERVER, text) == lenient
    for name in NOTATIONS:
        assert notation.read(SERVER, notation.write(lenient.scopes, name)).scopes == lenient.scopes


# -- round trips


@st.composite
def words_with_own(draw, vocabulary):
    """Any words of a vocabulary, bound here and there, restricted or not."""
    resources = st.sampled_from(["", "", "@a", "@a/b", "@a/*", "@%C3%BC+:x"])
    known = st.sampled_from([*vocabulary.scopes, *vocabulary.wildcards])
    words = draw(st.lists(st.tuples(known, resources).map("".join), max_size=12))
    return [*words, vocabulary.public_only] if vocabulary.public_only and draw(st.booleans()) else words


FOLDED = st.sampled_from([str, str.upper, str.title])


@given(st.data(), st.sampled_from([SERVER, TRACKER, BARE]))
@unhurried
def test_what_is_written_is_read_as_the_same(data, vocabulary):
    """In every notation, and once more the same text comes of it."""
    scopes = vocabulary.parse(data.draw(words_with_own(vocabulary)))
    for name in NOTATIONS:
        text = notation.write(scopes, name)
        again = notation.read(vocabulary, text)
        assert again == Reading(scopes)
        assert notation.write(again.scopes, name) == text
        if name in ("compact", "json"):
            assert again.scopes.granted == scopes.granted
        else:
            assert notation.write(vocabulary.parse(str(scopes)), name) == text


@given(drafts_with_grants(1))
@unhurried
def test_any_vocabulary_is_written_and_read(drawn):
    """Parts of parts, implications in circles, resources of any name; actions first."""
    _, vocabulary, [words] = drawn
    scopes = vocabulary.parse(grant.text for grant in words)
    for name in NOTATIONS:
        assert notation.read(vocabulary, notation.write(scopes, name)) == Reading(scopes)
    for name in ("compact", "json"):
        assert notation.read(vocabulary, notation.write(scopes, name)).scopes.granted == scopes.granted
    listed = {
        (f"{action}:{category}", grouped.resource or "")
        for grouped in notation.groups(scopes)
        for action in grouped.actions
        for category in grouped.categories
    }
    assert listed == {(word, at) for at, of in scopes.granted.items() for word in of if word in vocabulary.scopes}


@st.composite
def vocabularies_of_few_names(draw):
    """Vocabularies in which everything is called like something else, but for letter case or the order of names."""
    names = st.lists(st.sampled_from(["a", "b", "A", "B"]), min_size=1, max_size=3, unique=True)
    actions, categories = draw(names), draw(names)
    spelling = draw(st.sampled_from(["action:category", "category:action"]))
    pairs = itertools.product(actions, categories)
    taken = {f"{action}:{category}" if spelling[0] == "a" else f"{category}:{action}" for action, category in pairs}
    words = ["a:b", "A:b", "b:A", "B:B", "a", "A", "s", "S"]
    free = draw(st.permutations([word for word in words if word not in taken]))
    many = draw(st.permutations(["*", "b:x", "S:a"]))
    return Vocabulary(
        "few",
        categories,
        actions=actions,
        methods={"*": actions[:1]},
        spelling=spelling,
        category_wildcards=draw(st.booleans()),
        aliases={alias: actions[0] for alias in draw(names) if alias not in actions},
        own={actions[0]: actions[1]} if actions[1:] and draw(st.booleans()) else {},
        scopes=free[: draw(st.integers(0, 2))],
        wildcards={word: ["*"] for word in many[: draw(st.integers(0, 2))]},
        public_only=draw(st.sampled_from([None, free[-1]])),
    )


@given(st.data())
@settings(unhurried, max_examples=200)
def test_names_that_are_alike_are_never_confused(data):
    """However little they differ, what is written is read as the same, in every notation."""
    vocabulary = data.draw(vocabularies_of_few_names())
    scopes = vocabulary.parse(data.draw(words_with_own(vocabulary)))
    for name in NOTATIONS:
        assert notation.read(vocabulary, notation.write(scopes, name)) == Reading(scopes)
    assert vocabulary.parse(scopes.as_granted) == scopes


@given(st.data())
@unhurried
def test_a_group_means_each_of_its_actions_in_each_of_its_categories(data):
    """The reference: every pair by itself, looked up in the vocabulary; in any letter case, by any alias."""
    meant = {name: name for name in [*SERVER.actions, "fly"]} | ALIASES
    categories = data.draw(st.lists(st.sampled_from([*SERVER.categories, "moon"]), min_size=1, unique=True))
    actions = data.draw(st.lists(st.sampled_from([*meant, "*"]), min_size=1, unique=True))
    resource = data.draw(st.sampled_from(["", "@a/b", "@A/*"]))
    text = f"{'+'.join(map(data.draw(FOLDED), categories))}:{'+'.join(map(data.draw(FOLDED), actions))}{resource}"
    pairs = itertools.product(categories, actions)
    words = {f"{category}:{meant.get(action, action)}" for category, action in pairs}
    known = words & {*SERVER.scopes, *SERVER.wildcards}
    reading = notation.read(SERVER, text, strict=False)
    assert {f"{word}{at and '@'}{at}" for at, of in reading.scopes.granted.items() for word in of} == {
        f"{word}{resource}" for word in known
    }
    assert bool(reading.unknown) is (known != words)
