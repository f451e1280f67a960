"""The built-in vocabulary of Gitea, and its canonical text."""

import itertools
import random

import pytest

from scopeware.scopes import Category, Vocabulary

GITEA = Vocabulary.builtin("gitea")
CATEGORIES = [
    "activitypub",
    "admin",
    "misc",
    "notification",
    "organization",
    "package",
    "issue",
    "repository",
    "user",
]
NINE_WRITES = ",".join(f"write:{category}" for category in CATEGORIES)


def gitea_with_a_tenth_category() -> Vocabulary:
    """Gitea's vocabulary a release later."""
    return Vocabulary(
        "gitea",
        [*GITEA.categories.values(), Category("wiki")],
        actions=GITEA.actions,
        all_word=GITEA.all_word,
        public_only=GITEA.public_only,
        admin=GITEA.admin,
    )


def test_the_categories_are_in_giteas_order():
    """Canonical text depends on the order, so the order is part of the contract."""
    assert list(GITEA.categories) == CATEGORIES
    assert GITEA.name == "gitea"
    assert GITEA.admin == ("admin",)


def test_there_are_eighteen_scopes_in_order():
    """Nine categories times read and write, and the word for everything."""
    assert GITEA.scopes == tuple(f"{action}:{category}" for category in CATEGORIES for action in ("read", "write"))
    assert GITEA.wildcards == ("all",)
    assert repr(GITEA) == "<Vocabulary gitea: 9 categories, 18 scopes>"


def test_every_category_is_described():
    """The console and the documents show these lines."""
    assert all(category.description for category in GITEA.categories.values())


@pytest.mark.parametrize("category", CATEGORIES)
def test_in_every_category_write_reads_and_read_does_not_write(category):
    """Write swallows read, in its own category only."""
    write, read = GITEA.parse(f"write:{category}"), GITEA.parse(f"read:{category}")
    assert read < write
    assert not read.covers(f"write:{category}")
    elsewhere = CATEGORIES[CATEGORIES.index(category) - 1]
    assert not write.covers(f"read:{elsewhere}")


def test_all_is_everything_and_nothing_less_is():
    """The nine writes are `all`; eight writes and a read are not."""
    everything = GITEA.parse("all")
    assert all(everything.covers(scope) for scope in GITEA.scopes)
    assert GITEA.parse(NINE_WRITES) == everything
    assert GITEA.parse(NINE_WRITES.replace("write:user", "read:user")) < everything


def test_public_only_is_a_restriction_and_no_scope():
    """It restricts what is granted beside it, grants nothing itself, and is not part of `all`."""
    assert GITEA.parse("public-only,all").public_only
    assert not GITEA.parse("all").public_only
    assert not GITEA.parse("public-only")
    assert "public-only" not in GITEA.scopes


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("public-only", "public-only", id="the-restriction-alone"),
        pytest.param("read:user", "read:user", id="one"),
        pytest.param("read:user,read:activitypub", "read:activitypub,read:user", id="vocabulary-order"),
        pytest.param("read:repository,read:package,read:issue", "read:package,read:issue,read:repository", id="no-abc"),
        pytest.param("write:user,public-only", "public-only,write:user", id="restriction-first"),
        pytest.param("read:misc,write:misc", "write:misc", id="write-swallows-read"),
        pytest.param("read:user,write:misc", "write:misc,read:user", id="and-only-its-own"),
        pytest.param("all", "all", id="all"),
        pytest.param("all,read:user,write:misc", "all", id="all-swallows-the-rest"),
        pytest.param("all,public-only", "public-only,all", id="all-but-restricted"),
        pytest.param(NINE_WRITES, "all", id="nine-writes"),
        pytest.param(NINE_WRITES.replace("write:user", "read:user"), None, id="eight-writes-and-a-read"),
        pytest.param(NINE_WRITES.replace("write:", "read:"), None, id="nine-reads"),
    ],
)
def test_canonical_text_is_giteas(text, canonical):
    """The restriction first, categories in vocabulary order, no scope that another implies, all writes as `all`."""
    assert str(GITEA.parse(text)) == (text if canonical is None else canonical)


def test_the_order_in_which_words_are_written_makes_no_difference():
    """Any permutation prints the same and is equal."""
    words = ["public-only", *GITEA.scopes[:9]]
    expected = GITEA.parse(words)
    shuffled = random.Random(7)
    for _ in range(20):
        shuffled.shuffle(words)
        assert GITEA.parse(words) == expected
        assert str(GITEA.parse(words)) == str(expected)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        pytest.param(NINE_WRITES, NINE_WRITES, id="nine-writes-are-listed"),
        pytest.param("all", "all", id="literal-all-stays"),
        pytest.param("read:user,all,write:misc", "all", id="literal-all-swallows"),
        pytest.param("all,public-only", "public-only,all", id="restriction-first"),
        pytest.param("write:user,read:user,read:misc", "read:misc,write:user", id="canonical-otherwise"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_what_was_granted_is_stored_as_it_was_granted(text, stored):
    """`all` is kept only where somebody wrote `all`; all else is stored in canonical order."""
    assert GITEA.parse(text).as_granted == stored


def test_a_tenth_category_widens_only_a_literal_all():
    """Who asked for everything gets what comes later; who listed the nine keeps the nine."""
    newer = gitea_with_a_tenth_category()
    literal = newer.parse(GITEA.parse("all").as_granted)
    listed = newer.parse(GITEA.parse(NINE_WRITES).as_granted)
    assert literal.covers("write:wiki")
    assert not listed.covers("read:wiki")
    assert str(literal) == "all"
    assert str(listed) == NINE_WRITES
    assert all(listed.covers(scope) for scope in GITEA.scopes)


def test_literal_all_survives_only_where_both_sides_granted_it():
    """What a ceiling cut down to the nine of today does not become everything of tomorrow."""
    literal, listed = GITEA.parse("all"), GITEA.parse(NINE_WRITES)
    assert (literal & literal).as_granted == "all"
    assert (literal & listed).as_granted == NINE_WRITES
    assert (literal | listed).as_granted == "all"
    assert (listed | listed).as_granted == NINE_WRITES


def test_the_built_in_is_the_same_object_every_time():
    """Loading it again costs nothing."""
    assert Vocabulary.builtin("gitea") is GITEA


def test_more_sets_than_it_remembers_are_spelled_right():
    """Spellings are remembered up to a limit; beyond it every set is still spelled as itself."""
    for chosen in itertools.product(("", "read", "write"), repeat=9):
        words = [f"{action}:{category}" for action, category in zip(chosen, CATEGORIES, strict=True) if action]
        assert list(GITEA.parse(words)) == words
