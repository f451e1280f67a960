"""Vocabularies from the table of a policy file, and every way they are refused."""

import tomllib

import pytest

from scopeware.scopes import Category, Vocabulary, VocabularyError

MINIMAL = {"categories": {"user": "Users"}}


def test_a_table_says_what_the_arguments_say():
    """Every key has its keyword argument, and the result is the same vocabulary."""
    data = tomllib.loads("""
        name = "ours"
        actions = ["read", "write", "run"]
        implies = { write = ["read"], run = "read" }
        all = "everything"
        public_only = "public"
        admin = ["job"]
        [wildcards]
        "read:*" = ["read:*"]
        "users" = "*:user"
        [methods]
        GET = "read"
        "*" = ["write", "run"]
        [categories]
        user = "Users"
        "user.keys" = "Their keys"
        job = { description = "Jobs", actions = ["run", "read"] }
        log = { actions = "read" }
        bare = {}
    """)
    assert Vocabulary.from_mapping(data) == Vocabulary(
        "ours",
        [
            Category("user", "Users"),
            Category("user.keys", "Their keys"),
            Category("job", "Jobs", ("run", "read")),
            Category("log", actions=("read",)),
            "bare",
        ],
        actions=("read", "write", "run"),
        implies={"write": ["read"], "run": ["read"]},
        all_word="everything",
        public_only="public",
        admin=("job",),
        wildcards={"read:*": ["read:*"], "users": ["*:user"]},
        methods={"GET": ["read"], "*": ["write", "run"]},
    )


def test_categories_are_enough():
    """Everything else has a default."""
    vocabulary = Vocabulary.from_mapping(MINIMAL)
    assert vocabulary == Vocabulary("custom", [Category("user", "Users")])
    assert vocabulary.parse("write:user").covers("read:user")
    assert not vocabulary.parse("read:user").covers("write:user")


NO_STRINGS = "expected a list of strings"
NO_TABLE = "expected a table of lists of strings"
NO_WORD = "expected a string"
BAD_NAME = "cannot be part of a scope: use letters, digits, `_`, `-`, and dots between"


@pytest.mark.parametrize(
    ("change", "where", "problem"),
    [
        # keys and kinds
        pytest.param({"action": []}, "action", "unknown key `action`; did you mean `actions`?", id="unknown-key"),
        pytest.param({"zzz": 1}, "zzz", "unknown key `zzz`", id="unknown-key-near-none"),
        pytest.param({"a\nb": 1}, "a\nb", r"unknown key `a\nb`", id="unprintable-key"),
        pytest.param({"name": 5}, "name", NO_WORD, id="name-no-string"),
        pytest.param({"actions": 5}, "actions", NO_STRINGS, id="actions-a-number"),
        pytest.param({"actions": ["read", 5]}, "actions", NO_STRINGS, id="actions-with-a-number"),
        pytest.param({"actions": {"read": "write"}}, "actions", NO_STRINGS, id="actions-a-table"),
        pytest.param({"implies": ["write"]}, "implies", NO_TABLE, id="implies-a-list"),
        pytest.param({"implies": {"write": 5}}, "implies.write", NO_STRINGS, id="implies-a-number"),
        pytest.param({"wildcards": "*"}, "wildcards", NO_TABLE, id="wildcards-a-string"),
        pytest.param({"wildcards": {"*": True}}, "wildcards.*", NO_STRINGS, id="wildcards-a-boolean"),
        pytest.param({"methods": ["GET"]}, "methods", NO_TABLE, id="methods-a-list"),
        pytest.param({"methods": {"GET": [None]}}, "methods.GET", NO_STRINGS, id="methods-with-none"),
        pytest.param({"all": True}, "all", NO_WORD, id="all-a-boolean"),
        pytest.param({"public_only": True}, "public_only", NO_WORD, id="public-only-a-boolean"),
        pytest.param({"admin": True}, "admin", NO_STRINGS, id="admin-a-boolean"),
        # categories
        pytest.param({"categories": None}, "categories", "expected a table: name = description", id="categories-none"),
        pytest.param(
            {"categories": ["user"]}, "categories", "expected a table: name = description", id="categories-list"
        ),
        pytest.param({"categories": {}}, "categories", "a vocabulary needs at least one category", id="no-category"),
        pytest.param(
            {"categories": {"user": 5}},
            "categories.user",
            "expected a description, or a table with `description` and `actions`",
            id="category-a-number",
        ),
        pytest.param(
            {"categories": {"user": {"title": "Users"}}},
            "categories.user",
            'unknown key `title`; a name with a dot is written in quotes: "user.title"',
            id="category-unknown-key",
        ),
        pytest.param(
            {"categories": {"user": {"description": 5}}}, "categories.user", NO_WORD, id="description-no-string"
        ),
        pytest.param(
            {"categories": {"user": {"actions": 5}}}, "categories.user.actions", NO_STRINGS, id="own-actions-a-number"
        ),
        pytest.param(
            {"categories": {"user": {"actions": []}}},
            "categories.user.actions",
            "no action at all; only a category with parts can do without",
            id="no-own-action",
        ),
        pytest.param(
            {"categories": {"user": {"actions": ["read", "read"]}}},
            "categories.user.actions",
            "an action is there twice",
            id="own-action-twice",
        ),
        pytest.param(
            {"categories": {"user": {"actions": ["wriite"]}}},
            "categories.user.actions",
            "unknown action `wriite`; did you mean `write`?",
            id="own-action-unknown",
        ),
        pytest.param(
            {"categories": {"user.keys": ""}},
            "categories",
            "`user.keys` is a part of `user`, which is no category; add it",
            id="part-without-whole",
        ),
        pytest.param(
            {"categories": {"a": "", "a.b.c": ""}},
            "categories",
            "`a.b.c` is a part of `a.b`, which is no category; add it",
            id="part-of-a-part-without-whole",
        ),
        *(
            pytest.param(
                {"categories": {name: ""}}, "categories", f"`{shown}` {BAD_NAME}", id=f"category-named-{label}"
            )
            for name, shown, label in (
                ("", "", "nothing"),
                ("a b", "a b", "with-space"),
                ("a,b", "a,b", "with-comma"),
                ("a:b", "a:b", "with-colon"),
                ("*", "*", "star"),
                ("a@b", "a@b", "with-at"),
                ("a\n", r"a\n", "with-newline"),
                (".a", ".a", "dot-first"),
                ("a.", "a.", "dot-last"),
                ("a..b", "a..b", "two-dots"),
                ("größe", "größe", "not-ascii"),
            )
        ),
        # actions
        pytest.param({"actions": []}, "actions", "a vocabulary needs at least one action", id="no-action"),
        pytest.param({"actions": ["read", "write", "read"]}, "actions", "`read` is there twice", id="action-twice"),
        pytest.param({"actions": ["read", "write:x"]}, "actions", f"`write:x` {BAD_NAME}", id="action-unspellable"),
        pytest.param(
            {"implies": {"wirte": ["read"]}},
            "implies.wirte",
            "unknown action `wirte`; did you mean `write`?",
            id="implies-of-unknown",
        ),
        pytest.param(
            {"implies": {"write": ["raed"]}},
            "implies.write",
            "unknown action `raed`; did you mean `read`?",
            id="implies-unknown",
        ),
        # administrators
        pytest.param({"admin": ["usr"]}, "admin", "unknown category `usr`; did you mean `user`?", id="admin-unknown"),
        # words
        pytest.param({"all": "read:user"}, "all", "the word `read:user` means two things", id="all-is-a-scope"),
        pytest.param(
            {"all": "x", "wildcards": {"x": ["*"]}},
            "wildcards.x",
            "the word `x` means two things",
            id="all-is-a-wildcard",
        ),
        pytest.param(
            {"wildcards": {"write:user": ["*"]}},
            "wildcards.write:user",
            "the word `write:user` means two things",
            id="wildcard-is-a-scope",
        ),
        pytest.param(
            {"public_only": "read:user"},
            "public_only",
            "the word `read:user` means two things",
            id="restriction-is-a-scope",
        ),
        pytest.param(
            {"public_only": "x", "all": "x"}, "public_only", "the word `x` means two things", id="restriction-is-all"
        ),
        pytest.param(
            {"public_only": "x", "wildcards": {"x": ["*"]}},
            "public_only",
            "the word `x` means two things",
            id="restriction-is-a-wildcard",
        ),
        *(
            pytest.param(
                {"wildcards": {word: ["*"]}},
                f"wildcards.{word}",
                f"`{shown}` cannot be a scope word",
                id=f"word-{label}",
            )
            for word, shown, label in (
                ("", "", "empty"),
                ("a b", "a b", "with-space"),
                ("a,b", "a,b", "with-comma"),
                ("a@b", "a@b", "with-at"),
                ('a"b', 'a"b', "with-quote"),
                ("a\\b", "a\\b", "with-backslash"),
                ("a\n", r"a\n", "with-newline"),
                ("größe", "größe", "not-ascii"),
            )
        ),
        *(
            pytest.param({"public_only": word}, "public_only", f"`{shown}` cannot be a scope word", id=f"only-{label}")
            for word, shown, label in (
                ("", "", "empty"),
                ("public only", "public only", "with-space"),
                ("public,only", "public,only", "with-comma"),
                ("public@only", "public@only", "with-at"),
                ("public\n", r"public\n", "with-newline"),
            )
        ),
        pytest.param(
            {"wildcards": {"w": ["read:usr"]}},
            "wildcards.w",
            "the pattern `read:usr` matches no scope; did you mean `user`?",
            id="wildcard-pattern-without-match",
        ),
        pytest.param({"wildcards": {"w": []}}, "wildcards.w", "it stands for nothing", id="wildcard-without-pattern"),
        pytest.param(
            {"wildcards": {"w": ["read:user", "-*"]}},
            "wildcards.w",
            "it stands for nothing",
            id="wildcard-of-which-nothing-is-left",
        ),
        pytest.param({"all": ""}, "all", "`` cannot be a scope word", id="all-empty"),
        # methods
        pytest.param(
            {"methods": {"GET": ["read"]}},
            "methods",
            'say what every other method needs: "*" = [...]',
            id="methods-without-the-others",
        ),
        pytest.param(
            {"methods": {"GET": [], "*": ["write"]}},
            "methods.GET",
            "no action at all: a method needs one",
            id="method-without-action",
        ),
        pytest.param(
            {"methods": {"get": ["read"], "*": ["write"]}},
            "methods.get",
            "a method is upper-case letters",
            id="method-in-lower-case",
        ),
        pytest.param(
            {"methods": {"GET": ["raed"], "*": ["write"]}},
            "methods.GET",
            "unknown action `raed`; did you mean `read`?",
            id="method-with-unknown-action",
        ),
        pytest.param(
            {"methods": {"GET": ["read"], "HEAD": ["write"], "*": ["write"]}},
            "methods.HEAD",
            "HEAD always decides as GET",
            id="head-unlike-get",
        ),
        pytest.param(
            {"actions": ["play"]},
            "methods",
            "the actions are neither read and write nor create, read, update and delete: "
            'say in `methods` which HTTP method needs which, "*" for the others',
            id="no-methods-for-own-actions",
        ),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_its_place(change, where, problem):
    """What is wrong stands in the message, and the place in `where`; without the change the table is fine."""
    assert Vocabulary.from_mapping(MINIMAL)
    with pytest.raises(VocabularyError) as caught:
        Vocabulary.from_mapping(MINIMAL | change)
    assert caught.value.problem == problem
    assert caught.value.where == where
    assert str(caught.value) == f"{where}: {problem}"


def test_a_dotted_name_without_quotes_is_told_what_to_do():
    """TOML reads `user.keys` as a table in a table; the remedy says how to write what was meant."""
    with pytest.raises(VocabularyError) as caught:
        Vocabulary.from_mapping(tomllib.loads('[categories]\nuser.keys = "Their keys"'))
    assert caught.value.where == "categories.user"
    assert caught.value.problem == 'unknown key `keys`; a name with a dot is written in quotes: "user.keys"'
    quoted = tomllib.loads('[categories]\nuser = ""\n"user.keys" = "Their keys"')
    assert Vocabulary.from_mapping(quoted).parse("write:user").covers("write:user.keys")


def test_a_category_cannot_be_listed_twice():
    """TOML has no table key twice, but a list of categories may."""
    with pytest.raises(VocabularyError) as caught:
        Vocabulary("v", ["user", "misc", Category("user", "again")])
    assert caught.value.problem == "`user` is there twice"
    assert caught.value.where == "categories"


def test_the_place_grows_from_within():
    """A policy puts its own place before that of its vocabulary."""
    with pytest.raises(VocabularyError) as caught:
        Vocabulary.from_mapping(MINIMAL | {"admin": ["usr"]})
    outer = caught.value.at("scopes.toml: vocabulary")
    assert isinstance(outer, VocabularyError)
    assert outer.where == "scopes.toml: vocabulary.admin"
    assert outer.problem == caught.value.problem


@pytest.mark.parametrize("name", ["gitee", "", "../gitea", "gitea.toml", "Gitea"])
def test_a_built_in_that_does_not_exist_is_refused(name):
    """The message lists what there is; `gitea` itself loads."""
    with pytest.raises(VocabularyError) as caught:
        Vocabulary.builtin(name)
    assert caught.value.problem.startswith(f"no built-in vocabulary `{name}`; there are: ")
    assert "gitea" in caught.value.problem.partition("there are: ")[2].split(", ")
    assert Vocabulary.builtin("gitea").name == "gitea"
