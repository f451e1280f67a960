"""What old scopes become: words of every kind in every format, mappings of one's own, and what is wrong with some."""

import itertools
import json
import time
import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scopeware.errors import ConfigurationError
from scopeware.migration import Mapping, MappingError
from scopeware.migration.formats import FORMATS, join, split
from scopeware.migration.mapping import Access, access_of, passes
from scopeware.migration.old_scopes import OldScopes
from scopeware.scopes import Category, Vocabulary

unhurried = settings(deadline=None)
FACTS = Path(__file__).parent.parent / "data" / "gitea-1.19-scopes.json"
TABLE = json.loads(FACTS.read_text("utf-8")) | {"admin:user_hook": "write:user"}
GITEA = Vocabulary.builtin("gitea")
UPSTREAM = Mapping.builtin("gitea-1.19")
NAMES = Mapping.builtin_names()
NEW_WORDS = (*GITEA.scopes, "all", "public-only", "read:user@alice/widgets", "write:issue@alice/*")
LONG = "x" * 10_000
ODD_WORDS = (
    *("NULL", "null", "None", "nil", "[]", "{}", '""', "'", "0", "-", ".", "*", "%", "@", "\\", ":"),
    *("Repo", "REPO", "repo:", ":repo", "repo;user", "write:repository@", "repo@alice/widgets", "read:nothing"),
    *("ü", "ﬃ", "re\u0301po", "\u200brepo", "\U0001f511", LONG),
)
"""No scopes of anyone's, and without anything that stands between words."""


def unknown_words():
    """Words that nobody knows, without what stands between words."""
    signs = st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters=",")
    return st.sampled_from(ODD_WORDS) | st.text(signs, min_size=1, max_size=12)


@st.composite
def named_words(draw):
    """The name of a mapping that ships, and words: its old ones, new ones, and such as nobody knows."""
    name = draw(st.sampled_from(NAMES))
    old = st.sampled_from(Mapping.builtin(name).old.words)
    return name, draw(st.lists(old | old | st.sampled_from(NEW_WORDS) | unknown_words(), max_size=8))


def reading(mapping, text, form):
    """What an application grants that reads a converted text by the vocabulary."""
    return mapping.target.parse_known(json.loads(text) if form == "json" else text)[0]


def own(**changes):
    """A small mapping, changed here and there; ``None`` leaves a key out."""
    data = {
        "name": "own",
        "target": "gitea",
        "old": {"scopes": ["repo", "public", "user"], "implies": {"repo": ["public"]}},
        "map": {"repo": "write:repository", "public": "public-only,write:repository", "user": ["write:user"]},
    }
    return {key: value for key, value in (data | changes).items() if value is not None}


# -- formats


@pytest.mark.parametrize(
    ("text", "form", "words"),
    [
        pytest.param("repo,user", "comma", ["repo", "user"], id="comma"),
        pytest.param(" repo , user ", "comma", ["repo", "user"], id="comma-and-spaces"),
        pytest.param("\trepo,\r\nuser\n", "comma", ["repo", "user"], id="comma-and-line-ends"),
        pytest.param(",,repo, ,,user,", "comma", ["repo", "user"], id="comma-and-empty-items"),
        pytest.param("repo,repo", "comma", ["repo", "repo"], id="comma-twice"),
        pytest.param("", "comma", [], id="comma-empty"),
        pytest.param(" , ,", "comma", [], id="comma-nothing"),
        pytest.param("repo user", "space", ["repo", "user"], id="space"),
        pytest.param("  repo \t user\n", "space", ["repo", "user"], id="space-and-spaces"),
        pytest.param("", "space", [], id="space-empty"),
        pytest.param("   ", "space", [], id="space-nothing"),
        pytest.param('["repo", "user"]', "json", ["repo", "user"], id="json"),
        pytest.param(' [ "repo" ,"user"]\n', "json", ["repo", "user"], id="json-and-spaces"),
        pytest.param('[" repo ", "", " ", "user"]', "json", ["repo", "user"], id="json-and-empty-items"),
        pytest.param('["\\u00fc", "ü"]', "json", ["ü", "ü"], id="json-escapes"),
        pytest.param("[]", "json", [], id="json-nothing"),
        pytest.param("", "json", [], id="json-empty"),
        pytest.param(" \n", "json", [], id="json-spaces"),
    ],
)
def test_stray_spaces_and_empty_items_are_no_words(text, form, words):
    """In no format; and what is written again is read as the same."""
    assert split(text, form) == words
    assert split(join(words, form), form) == words


@pytest.mark.parametrize(
    "text",
    [
        *("null", "NULL", "None", "true", "0", "NaN", '"repo"', '""', "{}", '{"repo": true}', "repo,user"),
        *("[", '["repo"', "]", "[null]", "[1]", '["repo", null]', '[["repo"]]', '["repo"] ["user"]', "\ufeff[]"),
        *("[" * 100_000, "[" + "1" * 5_000 + "]", '{"a":' * 100_000, LONG),
    ],
    ids=lambda text: text[:20],
)
def test_json_that_is_no_list_of_texts_is_refused(text):
    """With a message that shows where it begins, however long it is; it is left to the caller what becomes of it."""
    with pytest.raises(ConfigurationError, match="expected a JSON list of texts") as caught:
        split(text, "json")
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()


def test_converting_json_that_is_no_list_of_texts_is_a_mapping_error():
    """As is promised; nothing is made up in its place."""
    with pytest.raises(MappingError, match="expected a JSON list of texts"):
        UPSTREAM.convert("null", "json")


def test_json_is_written_for_people():
    """Letters are not escaped; what JSON escapes is."""
    assert join(["ü", 'say "x"', "\0"], "json") == '["ü", "say \\"x\\"", "\\u0000"]'
    assert join([], "json") == "[]"


def test_json_that_names_half_a_letter_can_be_stored_again():
    """JSON can name what no database takes as text; the word stays, in a spelling that can be written."""
    converted = UPSTREAM.convert('["\\ud800", "repo"]', "json")
    assert json.loads(converted) == ["\ud800", "write:repository"]
    assert json.loads(converted.encode("utf-8")) == ["\ud800", "write:repository"]


# -- converting


@unhurried
@given(named_words(), st.sampled_from(FORMATS), st.randoms(use_true_random=False))
@example(("gitea-1.19", [LONG, "repo"]), "json", None)
def test_what_comes_out_is_canonical_and_stays(drawn, form, chance):
    """Unknown words in front, as they came, each once; then the canonical text of what is granted, whatever the order
    of the others. To convert it again changes nothing."""
    name, words = drawn
    mapping = Mapping.builtin(name)
    converted = mapping.convert(join(words, form), form)
    assert mapping.convert(converted, form) == converted

    found = split(converted, form)
    assert converted == join(found, form)
    conversion = mapping.conversion(words)
    unknown = [
        word for word in dict.fromkeys(words) if word not in mapping.old and mapping.target.parse_known([word])[1]
    ]
    assert found[: len(unknown)] == unknown == list(conversion.unknown)
    known = found[len(unknown) :]
    assert ",".join(known) == mapping.target.parse(known).as_granted
    assert mapping.target.parse(known) == conversion.scopes == reading(mapping, converted, form)

    if chance is not None:
        others = [word for word in words if word not in unknown]
        chance.shuffle(others)
        assert mapping.convert(join([*others, *unknown], form), form) == converted


@unhurried
@given(named_words())
def test_a_conversion_says_where_its_words_went(drawn):
    """Each is an old one, or a new one already, or unknown; and the old ones are known with all that they imply."""
    name, words = drawn
    mapping = Mapping.builtin(name)
    conversion = mapping.conversion(iter(words))
    old = {word for word in words if word in mapping.old}
    assert {*old, *conversion.kept, *conversion.unknown} == {*words}
    assert not {*conversion.kept} & {*conversion.unknown}
    assert conversion.old == sum({1 << mapping.old.index(each) for word in old for each in implied(mapping.old, word)})


def implied(old, word):
    """What a word implies, itself included, as the old scopes say."""
    return old.spell(old.bits(word))


@unhurried
@given(
    st.lists(st.sampled_from(UPSTREAM.old.words) | st.sampled_from(NEW_WORDS), max_size=6),
    st.lists(unknown_words(), max_size=3),
)
def test_without_adjustment_each_word_brings_its_own_meaning(words, unknown):
    """No more and no less than the words of the table, and of the text, side by side."""
    meant = ",".join(TABLE.get(word, word) for word in words)
    assert UPSTREAM.conversion([*unknown, *words]).scopes == GITEA.parse(meant)


@unhurried
@given(
    st.sampled_from(NAMES),
    st.sampled_from(FORMATS),
    st.lists(
        st.sampled_from(["repo", "write:admin", "read:user", "x", ",", " ", "\t", "\n", "\x1f", "\u3000"]), max_size=7
    ),
)
@example("gitea-1.19", "json", ["repo", ",", "user"])
@example("gitea-1.19", "space", ["write:admin", ",", "read:user"])
@example("gitea-1.19", "comma", ["write:admin", " ", "read:user"])
@example("gitea-1.19", "comma", ["x", " ", "write:admin"])
def test_words_with_separators_in_them_grant_what_the_conversion_says(name, form, parts):
    """A text with such is refused, or what is called unknown stands in front as it was, and the text that is stored
    grants just what the conversion says: no word that comes apart later is worth more than was told."""
    mapping = Mapping.builtin(name)
    text = json.dumps(["".join(parts)]) if form == "json" else "".join(parts)
    try:
        words = split(text, form)
    except ConfigurationError:
        return
    conversion = mapping.conversion(words)
    converted = mapping.convert(text, form)
    assert split(converted, form)[: len(conversion.unknown)] == list(conversion.unknown)
    assert reading(mapping, converted, form) == conversion.scopes
    assert mapping.convert(converted, form) == converted


@pytest.mark.parametrize("word", ["repo,user", "user,", ",user", "write:admin,all", "repo, user"])
def test_a_json_word_with_a_comma_is_one_word(word):
    """It is no scope, so it grants nothing, and stays as it is."""
    for name in NAMES:
        text = json.dumps([word, "read:user@alice/widgets"])
        assert json.loads(Mapping.builtin(name).convert(text, "json")) == [word, "read:user@alice/widgets"]
        assert Mapping.builtin(name).conversion([word]).scopes == GITEA.parse("")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("word", ["NULL", "null", "None", "nil", "0", "false", "{}", "undefined", "Repo", "ALL", LONG])
def test_words_that_look_like_nothing_stay_and_grant_nothing(word, form):
    """They are words like any others that nobody knows."""
    text = join([word], form)
    assert UPSTREAM.convert(text, form) == text
    assert not UPSTREAM.conversion([word]).scopes


@pytest.mark.parametrize(("form", "nothing"), [("comma", ""), ("space", ""), ("json", "[]")])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_becomes_nothing(name, form, nothing):
    """A token without a word gets none, not even to keep what it could reach: such a token could do nothing."""
    assert Mapping.builtin(name).convert("", form) == nothing
    assert Mapping.builtin(name).convert("  ", form) == nothing
    assert Mapping.builtin(name).convert(nothing, form) == nothing


def test_unknown_words_alone_get_nothing():
    """Nothing is added to keep access that only unknown words gave."""
    for name in NAMES:
        assert Mapping.builtin(name).convert("zzz,NULL,aaa") == "zzz,NULL,aaa"


def test_unknown_words_stand_in_front_in_their_order():
    """Verbatim, each once; what is known comes after them."""
    assert UPSTREAM.convert("user,zzz,repo,AAA,zzz,, mmm ") == "zzz,AAA,mmm,write:repository,write:user"


def test_the_restriction_alone_stays():
    """It grants nothing, and takes nothing away from the next text."""
    assert UPSTREAM.convert("public-only") == "public-only"
    assert UPSTREAM.convert("zzz,public-only") == "zzz,public-only"


def test_a_conversion_is_made_once():
    """For words in one order, however often each stands there."""
    words = ["repo", "user", "repo"]
    assert UPSTREAM.conversion(words) is UPSTREAM.conversion(iter(words[:2]))


def test_more_texts_than_are_remembered_are_converted_all_the_same(monkeypatch):
    """What is not remembered is worked out again, to the same end."""
    mapping = Mapping.from_mapping(own())
    monkeypatch.setattr(mapping, "_known", dict.fromkeys(range(100_000)))
    assert mapping.conversion(["repo"]) is not mapping.conversion(["repo"])
    assert mapping.conversion(["repo"]) == mapping.conversion(["repo"])


@pytest.mark.parametrize("form", FORMATS)
def test_many_unknown_words_cost_their_number(form):
    """20,000 different ones take no longer than a moment."""
    text = join([f"{form}{number}" for number in range(20_000)], form)
    start = time.perf_counter()
    assert UPSTREAM.convert(text, form) == text
    assert time.perf_counter() - start < 1.5


def test_long_words_cost_their_length():
    """A word of ten million letters is looked up like any other."""
    start = time.perf_counter()
    assert UPSTREAM.convert(f"{'repo' * 2_500_000},repo") == f"{'repo' * 2_500_000},write:repository"
    assert time.perf_counter() - start < 2


# -- mappings of one's own


def test_a_mapping_of_ones_own():
    """Meanings as text, as lists, or nothing at all; a vocabulary of one's own, too."""
    mapping = Mapping.from_mapping(
        {
            "name": "ours",
            "target": {"name": "house", "categories": {"rooms": "", "doors": ""}},
            "old": {"scopes": ["visit", "open", "haunt"], "implies": {"open": ["visit"]}},
            "map": {"visit": "read:rooms, read:doors", "open": ["write:doors"], "haunt": []},
        }
    )
    assert mapping.convert("open") == "write:doors"
    assert mapping.convert("visit") == "read:rooms,read:doors"
    assert mapping.convert("visit,open,haunt") == "read:rooms,write:doors"
    assert mapping.convert("haunt") == ""
    assert repr(mapping) == "<Mapping ours: 3 old scopes to house>"
    assert mapping.conversion(["open"]).old == 0b11


def test_what_nobody_named_is_called_custom_and_aims_at_gitea():
    """Name and target may be left out."""
    mapping = Mapping.from_mapping(own(name=None, target=None))
    assert (mapping.name, mapping.target, mapping.adjust) == ("custom", GITEA, "none")
    assert mapping.convert("user") == "write:user"


def test_old_scopes_may_imply_each_other():
    """Round and round: each then implies all of them."""
    old = OldScopes(["a", "b", "c", "d"], {"a": ["b"], "b": ["c"], "c": ["a"], "d": ["d"]})
    assert old.bits("a") == old.bits("b") == old.bits("c") == 0b111
    assert old.bits("d") == 0b1000
    assert old.spell(0b1010) == ("b", "d")
    assert "a" in old
    assert "e" not in old


ROUND = {
    "two": {"read:user": "write:user", "write:user": "read:user"},
    "three": {"read:user": "read:issue", "read:issue": "read:misc", "read:misc": "read:user"},
    "with-a-tail": {"x": "read:user", "read:user": "write:issue", "write:issue": "read:user"},
}


@pytest.mark.parametrize("meanings", ROUND.values(), ids=ROUND.keys())
def test_a_mapping_that_goes_round_in_circles_is_refused_or_comes_to_rest(meanings):
    """What it converts once, it does not convert back the next time."""
    try:
        mapping = Mapping.from_mapping({"old": {"scopes": list(meanings)}, "map": meanings})
    except MappingError:
        return
    for word in meanings:
        assert mapping.convert(mapping.convert(word)) == mapping.convert(word)


def test_a_mapping_whose_words_are_old_ones_again_goes_to_the_end():
    """A chain of ten is followed at once, and not by one more link each time."""
    chain = [f"read:{category}" for category in GITEA.categories]
    meanings = dict(itertools.pairwise(["begin", *chain])) | {chain[-1]: chain[-1]}
    mapping = Mapping.from_mapping({"old": {"scopes": [*meanings]}, "map": meanings})
    assert mapping.convert("begin") == chain[-1]
    assert all(mapping.convert(word) == chain[-1] for word in chain)


def test_what_is_bound_to_a_resource_stays_where_access_is_kept():
    """What is added does not push out what was granted for some resources only."""
    mapping = Mapping.from_mapping(
        own(
            old={"scopes": ["ci"]},
            map={"ci": "write:repository@acme/*,read:misc"},
            adjust="keep-access",
            route=[{"old": ["ci"], "new": ["read:misc"]}, {"old": ["ci"], "new": ["read:package"]}],
        )
    )
    assert mapping.convert("ci") == "read:misc,read:package,write:repository@acme/*"


SMALL_ROUTES = [
    {"old": ["public"], "new": ["read:repository"]},
    {"old": ["repo"], "new": ["write:repository"]},
    {"old": ["repo"], "new": ["read:issue"]},
    {"old": ["user"], "new": ["read:user"]},
    {"old": [], "new": ["read:misc"]},
    {"old": ["repo", "user"], "new": ["write:user"]},
]


@pytest.mark.parametrize(
    ("text", "kept", "strict"),
    [
        pytest.param("user", "read:misc,write:user", "read:user", id="write-takes-more"),
        pytest.param(
            "repo,user", "read:misc,read:issue,write:repository,write:user", "write:repository,write:user", id="both"
        ),
        pytest.param("public", "read:misc,write:repository", "public-only,read:repository", id="the-restriction"),
        pytest.param("x,user", "x,read:misc,write:user", "x,read:user", id="unknown"),
        pytest.param("read:issue,user", "read:misc,read:issue,write:user", "read:issue,read:user", id="with-a-new-one"),
        pytest.param("write:user,user", "read:misc,write:user", "write:user", id="what-it-had-is-no-gain"),
    ],
)
def test_adjustments_go_by_the_routes(text, kept, strict):
    """What would be lost is added, what would be gained is left out, and what a text held already is neither. Where a
    restriction to public things would take access away, it goes; elsewhere it stays."""
    data = own(about=["repository", "issue"], route=SMALL_ROUTES)
    assert Mapping.from_mapping(data | {"adjust": "keep-access"}).convert(text) == kept
    assert Mapping.from_mapping(data | {"adjust": "strict"}).convert(text) == strict


def test_the_restriction_stays_where_it_takes_nothing_away():
    """A token whose old scopes did for public things alone keeps both the access and the restriction."""
    mapping = Mapping.from_mapping(
        own(
            public={"public": "repo"},
            about=["repository"],
            route=[{"old": ["repo"], "new": ["write:repository"]}, {"old": ["repo"], "new": ["read:issue"]}],
            adjust="keep-access",
        )
    )
    assert mapping.convert("public") == "public-only,read:issue,write:repository"
    assert mapping.convert("public,repo") == "read:issue,write:repository"


def test_who_passed_with_a_scope_for_public_things():
    """It stands for the other one where that is asked for, and the thing is public; for nothing that the other one
    would bring along."""
    mapping = Mapping.from_mapping(
        own(
            old={"scopes": ["repo", "public", "hooks"], "implies": {"repo": ["public", "hooks"]}},
            map={"repo": "write:repository", "public": "public-only", "hooks": "write:repository"},
            public={"public": "repo"},
        )
    )
    repo, hooks, both = (Access(bits, 0, True) for bits in (0b001, 0b100, 0b101))
    public, whole = mapping.old.bits("public"), mapping.old.bits("repo")
    assert mapping.passed(repo, public, public=True)
    assert not mapping.passed(repo, public, public=False)
    assert not mapping.passed(hooks, public, public=True)
    assert not mapping.passed(both, public, public=True)
    assert all(mapping.passed(each, whole, public=False) for each in (repo, hooks, both))
    assert mapping.passed(Access(0, 0, True), 0, public=False)


def test_who_passes_now():
    """All of the scopes, and some at all; public-only tokens not where the thing may be public and is not."""
    need = GITEA.need("repository", ["read"])
    about, plain = Access(0, need, True), Access(0, need, False)
    free = Access(0, 0, False)
    for text, expected in [
        ("write:repository", (True, True, True, True)),
        ("public-only,read:repository", (True, False, True, True)),
        ("read:issue", (False, False, False, True)),
        ("read:repository@alice/widgets", (False, False, False, True)),
        ("public-only", (False, False, False, False)),
        ("", (False, False, False, False)),
    ]:
        scopes = GITEA.parse(text)
        found = (passes(about, scopes, public=True), passes(about, scopes, public=False))
        assert (*found, passes(plain, scopes, public=False), passes(free, scopes, public=False)) == expected, text


def test_what_a_route_is_about():
    """Something that may be public, if the category says so, or if it asked for a scope that has a public like."""
    old = OldScopes(["repo", "user"])
    read = {category: GITEA.need(category, ["read"]) for category in ("repository", "user")}
    made = [
        access_of(before, read[now], old, GITEA, ["repository"], {"user": "repo"})
        for before, now in [
            (["repo"], "user"),
            (["user"], "user"),
            ([], "repository"),
            (["repo", "user"], "repository"),
        ]
    ]
    assert [(each.old, each.about) for each in made] == [(1, True), (2, False), (0, True), (3, True)]


def test_what_a_route_is_about_where_categories_have_actions_of_their_own():
    """A category that cannot be written is no exception."""
    target = Vocabulary("small", [Category("log", "", ("read",)), "user"])
    old = OldScopes(["log"])
    assert access_of(["log"], target.need("log", ["read"]), old, target, ["log", "user"], {}).about
    assert not access_of(["log"], 0, old, target, ["log", "user"], {}).about


# -- what is wrong with a mapping

MISTAKES = {
    "unknown-key": ({"routes": []}, "routes", "unknown key `routes`; did you mean `route`"),
    "unknown-adjustment": ({"adjust": "widen"}, "adjust", 'expected "keep-access" or "strict"'),
    "adjustment-of-another-kind": ({"adjust": ["strict"]}, "adjust", 'expected "keep-access" or "strict"'),
    "nothing-to-adjust-by": ({"adjust": "strict"}, "adjust", "there are no routes to adjust it by"),
    "unknown-target": ({"target": "gittea"}, "target", "no built-in vocabulary `gittea`; there are: gitea"),
    "target-of-another-kind": ({"target": 7}, "target", "expected"),
    "target-that-is-a-list": ({"target": ["gitea"]}, "target", ""),
    "target-without-categories": ({"target": {}}, "target", "expected a table"),
    "target-with-a-mistake": ({"target": {"categories": {"a b": ""}}}, "target", "`a b` cannot be part of a scope"),
    "no-old-scopes": ({"old": None}, "old", "expected a table [old] with a list `scopes`"),
    "old-scopes-of-another-kind": ({"old": ["repo"]}, "old", "expected a table [old]"),
    "old-scopes-as-text": ({"old": {"scopes": "repo"}}, "old", "a list `scopes`"),
    "old-scope-that-is-no-text": ({"old": {"scopes": [7]}}, "old", "expected lists of scopes"),
    "old-scope-twice": ({"old": {"scopes": ["repo", "user", "repo"]}}, "old.scopes", "`repo` is there twice"),
    "implies-the-unknown": (
        {"old": {"scopes": ["repo"], "implies": {"repo": ["rep"]}}},
        "old.implies.repo",
        "`rep` is no old scope",
    ),
    "unknown-implies": (
        {"old": {"scopes": ["repo"], "implies": {"rep": ["repo"]}}},
        "old.implies.rep",
        "`rep` is no old scope",
    ),
    "implies-as-text": ({"old": {"scopes": ["a", "b"], "implies": {"a": "b"}}}, "old", "expected lists of scopes"),
    "implies-as-a-list": ({"old": {"scopes": ["a"], "implies": ["a"]}}, "old", "expected lists of scopes"),
    "implies-a-number": ({"old": {"scopes": ["a"], "implies": {"a": [7]}}}, "old", "expected lists of scopes"),
    "unknown-key-of-the-old": (
        {"old": {"scopes": ["repo", "public", "user"], "implys": {}}},
        "old",
        "unknown key `implys`",
    ),
    "no-map": ({"map": None}, "map", 'expected a table: [map] with old = "new"'),
    "map-of-another-kind": ({"map": [["repo", "all"]]}, "map", "expected a table"),
    "meaning-that-is-no-text": ({"map": {"repo": 7}}, "map.repo", "expected new scopes, as text or as a list"),
    "meaning-with-a-number": ({"map": {"repo": ["all", 7]}}, "map.repo", "expected new scopes"),
    "meaning-that-is-a-table": ({"map": {"repo": {"all": 1}}}, "map.repo", "expected new scopes"),
    "unknown-new-scope": ({"map": {"repo": "write:repo"}}, "map.repo", "unknown scope `write:repo`"),
    "old-scope-as-a-meaning": ({"map": {"repo": "repo"}}, "map.repo", "unknown scope `repo` in vocabulary `gitea`"),
    "unknown-old-scope": (
        {"map": {"repo": [], "public": [], "user": [], "users": []}},
        "map.users",
        "`users` is no old scope; did you mean `user`?",
    ),
    "missing-entry": (
        {"map": {"repo": [], "user": []}},
        "map",
        "it does not say what `public` becomes; write [] for nothing",
    ),
    "public-of-another-kind": ({"public": ["repo"]}, "public", "expected a table"),
    "public-that-is-unknown": ({"public": {"publik": "repo"}}, "public.publik", "`publik` is no old scope"),
    "public-for-the-unknown": ({"public": {"public": "rep"}}, "public.public", "`rep` is no old scope"),
    "public-for-a-list": ({"public": {"public": ["repo"]}}, "public", ""),
    "public-for-a-number": ({"public": {"public": 7}}, "public", ""),
    "about-of-another-kind": ({"about": "repository"}, "about", "list"),
    "about-the-unknown": ({"about": ["repositories"]}, "about", "repositories"),
    "about-the-unknown-with-routes": ({"about": ["repositories"], "route": SMALL_ROUTES}, "about", "repositories"),
    "about-a-list": ({"about": [["repository"]], "route": SMALL_ROUTES}, "about", ""),
    "routes-of-another-kind": ({"route": {"old": [], "new": []}}, "route", "[[route]]"),
    "route-that-is-no-table": ({"route": [SMALL_ROUTES[0], "GET /"]}, "route[1]", "expected `old` and `new`"),
    "route-without-new": ({"route": [{"old": []}]}, "route[0]", "expected `old` and `new`"),
    "route-with-more": ({"route": [{"old": [], "new": [], "path": "/"}]}, "route[0]", "expected `old` and `new`"),
    "route-with-an-unknown-new": ({"route": [{"old": [], "new": ["read:it"]}]}, "route[0]", "`read:it` is no scope"),
    "route-with-an-unknown-old": ({"route": [{"old": ["rep"], "new": []}]}, "route[0]", "`rep` is no scope"),
    "route-with-new-of-another-kind": ({"route": [{"old": [], "new": 7}]}, "route[0]", ""),
    "route-with-old-of-another-kind": ({"route": [{"old": 7, "new": []}]}, "route[0]", ""),
    "route-with-old-as-text": ({"route": [{"old": "repo", "new": []}]}, "route[0]", ""),
    "route-with-lists-in-old": ({"route": [{"old": [["repo"]], "new": []}]}, "route[0]", ""),
    "route-that-asks-for-a-restriction": ({"route": [{"old": [], "new": ["public-only"]}]}, "route[0]", ""),
    "route-that-asks-for-one-resource": ({"route": [{"old": [], "new": ["read:user@a/b"]}]}, "route[0]", ""),
    "base-and-more": ({"base": "gitea-1.19"}, "target", "it has no effect beside `base`"),
}


@pytest.mark.parametrize(("changes", "where", "problem"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes_are_named_with_their_place(changes, where, problem, tmp_path):
    """What is wrong, and in which key; in a file the file is named in front."""
    data = own(**changes)
    with pytest.raises(ConfigurationError) as caught:
        Mapping.from_mapping(data)
    assert caught.value.where == where or caught.value.where.startswith((f"{where}.", f"{where}["))
    assert problem in caught.value.problem

    path = tmp_path / "own.toml"
    path.write_text(as_toml(data), "utf-8")
    with pytest.raises(MappingError) as in_file:
        Mapping.load(path)
    assert in_file.value.where.startswith(str(path))
    assert caught.value.where in in_file.value.where
    assert in_file.value.problem == caught.value.problem


def as_toml(data):
    """A table, as a file: JSON values are TOML values, but for tables."""

    def value(it):
        if isinstance(it, dict):
            return "{" + ", ".join(f"{json.dumps(key)} = {value(each)}" for key, each in it.items()) + "}"
        if isinstance(it, list):
            return "[" + ", ".join(map(value, it)) + "]"
        return json.dumps(it)

    return "".join(f"{key} = {value(it)}\n" for key, it in data.items())


@pytest.mark.parametrize("name", [name for name in MISTAKES if name.startswith(("old", "implies", "no-old"))])
def test_mistakes_among_the_old_scopes_are_mapping_errors_too(name):
    """Whoever catches those of a mapping catches all of them."""
    with pytest.raises(MappingError):
        Mapping.from_mapping(own(**MISTAKES[name][0]))


def test_a_target_with_a_mistake_says_where_in_it():
    """Not just that it is somewhere in the target."""
    with pytest.raises(MappingError) as caught:
        Mapping.from_mapping(own(target={"categories": {"log": {"actions": ["shred"]}}}))
    assert caught.value.where == "target.categories.log.actions"


def test_a_scope_that_stands_in_the_map_twice_is_refused(tmp_path):
    """TOML says so, and the file and the line are named."""
    path = tmp_path / "twice.toml"
    path.write_text('[old]\nscopes = ["repo"]\n[map]\nrepo = "all"\nrepo = []\n', "utf-8")
    with pytest.raises(MappingError, match=r"broken TOML.*line 5") as caught:
        Mapping.load(path)
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"map = \n", "broken TOML", id="no-value"),
        pytest.param(b'name = "a', "broken TOML", id="no-end"),
        pytest.param(b"x = " + b"[" * 100_000 + b"]" * 100_000, "broken TOML", id="depth"),
        pytest.param(b'name = "\xff"\n', "it is not UTF-8 text", id="latin-1"),
        pytest.param(b"", "expected a table [old]", id="empty"),
        pytest.param(b"# nothing\n", "expected a table [old]", id="comments"),
    ],
)
def test_files_that_are_no_mapping(content, problem, tmp_path):
    """Each is refused with its name, and with what is wrong."""
    path = tmp_path / "own.toml"
    path.write_bytes(content)
    with pytest.raises(MappingError) as caught:
        Mapping.load(str(path))
    assert caught.value.where.startswith(str(path))
    assert problem in caught.value.problem


def test_files_that_cannot_be_read(tmp_path):
    """One that is not there, a folder, a name that no file has."""
    for path, problem in [(tmp_path / "none.toml", "No such file"), (tmp_path, "Is a directory")]:
        with pytest.raises(MappingError, match=problem) as caught:
            Mapping.load(path)
        assert caught.value.where == str(path)
    with pytest.raises(MappingError):
        Mapping.load("a\0b")


def test_a_file_does_what_its_table_does(tmp_path):
    """By its path, as text or not, and by name."""
    path = tmp_path / "own.toml"
    path.write_text(as_toml(own()), "utf-8")
    assert tomllib.loads(path.read_text("utf-8")) == own()
    for made in (Mapping.load(path), Mapping.load(str(path)), Mapping.named(str(path))):
        assert made.convert("repo,public,user") == "public-only,write:repository,write:user"
        assert made.name == "own"


@pytest.mark.parametrize("name", ["gitea", "gitea-1.20", "", "../gitea-1.19", "gitea-1.19.toml", "a\0b", "x" * 10_000])
def test_names_that_nothing_has(name):
    """What there is stands in the message."""
    with pytest.raises(MappingError, match=r"is neither a mapping nor a file; there are: gitea-1\.19, ") as caught:
        Mapping.named(name)
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


def test_names_that_ship():
    """The same object every time; a near miss is told, and a far one what there is."""
    assert NAMES == ("gitea-1.19", "gitea-1.19-keep-access", "gitea-1.19-strict", "github-classic")
    for name in NAMES:
        assert Mapping.builtin(name) is Mapping.builtin(name) is Mapping.named(name)
        assert Mapping.builtin(name).name == name
    with pytest.raises(MappingError, match=r"no built-in mapping `gitea-1\.91`; did you mean `gitea-1\.19`"):
        Mapping.builtin("gitea-1.91")
    with pytest.raises(MappingError, match=r"no built-in mapping `zzz`; there are: gitea-1\.19, "):
        Mapping.builtin("zzz")


# -- variants


def test_a_variant_of_one_that_ships():
    """It does what the variant that ships does, under its own name, or under that of its base."""
    for adjust in ("keep-access", "strict"):
        made = Mapping.from_mapping({"base": "gitea-1.19", "adjust": adjust, "name": "mine"})
        shipped = Mapping.builtin(f"gitea-1.19-{adjust}")
        assert (made.name, made.adjust) == ("mine", adjust)
        for word in made.old.words:
            assert made.convert(word) == shipped.convert(word)
        assert Mapping.from_mapping({"base": "gitea-1.19", "adjust": adjust}).name == "gitea-1.19"
    plain = Mapping.from_mapping({"base": "gitea-1.19"})
    assert all(plain.convert(word) == UPSTREAM.convert(word) for word in plain.old.words)


def test_a_variant_of_a_file(tmp_path):
    """The base may be a file, with routes of its own."""
    base, variant = tmp_path / "base.toml", tmp_path / "variant.toml"
    base.write_text(as_toml(own(about=["repository", "issue"], route=SMALL_ROUTES)), "utf-8")
    variant.write_text(as_toml({"base": str(base), "adjust": "strict"}), "utf-8")
    assert Mapping.load(base).convert("user") == "write:user"
    assert Mapping.load(variant).convert("user") == "read:user"


def test_a_variant_that_says_nothing_of_it_is_adjusted_as_its_base():
    """Another name for what never widens still never widens."""
    renamed = Mapping.from_mapping({"base": "gitea-1.19-strict", "name": "ours"})
    assert renamed.adjust == "strict"
    assert renamed.convert("user:email") == ""


@pytest.mark.parametrize("key", ["about", "map", "old", "public", "route", "target"])
def test_a_variant_has_nothing_else_beside_its_base(key):
    """It would have no effect."""
    with pytest.raises(MappingError, match="it has no effect beside `base`") as caught:
        Mapping.from_mapping({"base": "gitea-1.19", key: own(about=[], public={}, route=[])[key]})
    assert caught.value.where == key


@pytest.mark.parametrize("base", ["gitea-1.20", 7, ["gitea-1.19"], "", {}], ids=str)
def test_a_variant_of_nothing(base):
    """The base has to be there."""
    with pytest.raises(MappingError, match="is neither a mapping nor a file"):
        Mapping.from_mapping({"base": base})


def test_a_variant_of_one_without_routes_cannot_be_adjusted():
    """Nothing is known of what tokens reach."""
    with pytest.raises(MappingError, match="there are no routes to adjust it by") as caught:
        Mapping.from_mapping({"base": "github-classic", "adjust": "strict"})
    assert caught.value.where == "adjust"


def test_variants_of_each_other_are_refused(tmp_path):
    """Of itself, or round a corner; and both files are not read for ever."""
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text(as_toml({"base": str(two)}), "utf-8")
    two.write_text(as_toml({"base": str(one)}), "utf-8")
    for path in (one, two):
        with pytest.raises(MappingError):
            Mapping.load(path)
    one.write_text(as_toml({"base": str(one)}), "utf-8")
    with pytest.raises(MappingError):
        Mapping.named(str(one))


def test_a_mistake_in_the_base_names_the_base(tmp_path):
    """And the file that named it."""
    base, variant = tmp_path / "base.toml", tmp_path / "variant.toml"
    base.write_text(as_toml(own(map={"repo": "nope"})), "utf-8")
    variant.write_text(as_toml({"base": str(base)}), "utf-8")
    with pytest.raises(MappingError, match="unknown scope `nope`") as caught:
        Mapping.load(variant)
    assert "base.toml" in caught.value.where
    assert "variant.toml" in caught.value.where
    assert "map.repo" in caught.value.where


# -- made in Python


def test_a_mapping_made_in_python():
    """Meanings in any form that the vocabulary reads."""
    old = OldScopes(["repo", "user"])
    mapping = Mapping("ours", old, GITEA, {"repo": "write:repository write:issue", "user": ("read:user",)})
    assert mapping.convert("repo,user") == "write:issue,write:repository,read:user"


@pytest.mark.parametrize(
    ("table", "options", "where", "problem"),
    [
        pytest.param({"rep": []}, {}, "map.rep", "`rep` is no old scope; did you mean `repo`?", id="unknown-old"),
        pytest.param({"repo": ["x"]}, {}, "map.repo", "unknown scope `x`", id="unknown-new"),
        pytest.param({"repo": []}, {}, "map", "it does not say what `user` becomes", id="missing"),
        pytest.param(None, {"public": {"repo": "x"}}, "public.repo", "`x` is no old scope", id="public-for-unknown"),
        pytest.param(None, {"public": {"x": "repo"}}, "public.x", "`x` is no old scope", id="unknown-public"),
        pytest.param(None, {"adjust": "strict"}, "adjust", "there are no routes to adjust it by", id="no-routes"),
    ],
)
def test_mistakes_made_in_python(table, options, where, problem):
    """The same errors as from a file."""
    with pytest.raises(MappingError) as caught:
        Mapping("ours", OldScopes(["repo", "user"]), GITEA, table or {"repo": [], "user": []}, **options)
    assert caught.value.where == where
    assert problem in caught.value.problem
