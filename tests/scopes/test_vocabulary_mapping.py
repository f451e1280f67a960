"""Vocabularies from the table of a policy file, and every way they are refused."""

import tomllib

import pytest

from scopeware import Policy
from scopeware.errors import ConfigurationError
from scopeware.scopes import Category, SingleScope, Vocabulary, VocabularyError

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


def test_a_table_says_how_words_are_spelled_and_what_stands_alone():
    """The keys for other spellings, for headings, for one's own things and for scopes that stand alone, too."""
    data = tomllib.loads("""
        name = "server"
        actions = ["read_any", "read_own"]
        spelling = "category:action"
        category_wildcards = true
        own = { read_any = "read_own" }
        aliases = { read = "read_any", "read:any" = "read_any" }
        methods = { "*" = "read_any" }
        [categories]
        docker = "Containers"
        admin = { actions = [] }
        "admin.users" = { description = "People", actions = ["read_any"] }
        [scopes]
        profile = "Who one is"
        bare = {}
        "admin:all" = { description = "Full access", implies = ["*"] }
        people = { implies = "admin:*" }
    """)
    vocabulary = Vocabulary.from_mapping(data)
    assert vocabulary == Vocabulary(
        "server",
        [
            Category("docker", "Containers"),
            Category("admin", actions=()),
            Category("admin.users", "People", ["read_any"]),
        ],
        actions=("read_any", "read_own"),
        spelling="category:action",
        category_wildcards=True,
        own={"read_any": "read_own"},
        aliases={"read": "read_any", "read:any": "read_any"},
        methods={"*": ["read_any"]},
        scopes=[
            SingleScope("profile", "Who one is"),
            "bare",
            SingleScope("admin:all", "Full access", ["*"]),
            SingleScope("people", implies=["admin:*"]),
        ],
    )
    assert vocabulary.describe("profile") == "Who one is"
    assert vocabulary.describe("admin:all") == "Full access"
    assert vocabulary.parse("people").covers("admin.users:read_any")
    assert not vocabulary.parse("people").covers("docker:read_own")


def test_what_is_left_out_of_a_table_is_as_if_it_were_empty():
    """A default written down changes nothing."""
    defaults = {"spelling": "action:category", "category_wildcards": False, "own": {}, "aliases": {}, "scopes": {}}
    assert Vocabulary.from_mapping(MINIMAL | defaults) == Vocabulary.from_mapping(MINIMAL)


def test_categories_are_enough():
    """Everything else has a default."""
    vocabulary = Vocabulary.from_mapping(MINIMAL)
    assert vocabulary == Vocabulary("custom", [Category("user", "Users")])
    assert vocabulary.parse("write:user").covers("read:user")
    assert not vocabulary.parse("read:user").covers("write:user")


NO_STRINGS = "expected a list of strings"
NO_TABLE = "expected a table of lists of strings"
NO_WORD = "expected a string"
NO_ACTIONS = "expected a table: action = action"
LESS_THAN_OWN = "it would hold for less than for one's own things"
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
        # spelling
        *(
            pytest.param(
                {"spelling": word},
                "spelling",
                'expected "action:category" or "category:action"',
                id=f"spelling-{label}",
            )
            for word, label in (
                ("category", "one-word"),
                ("", "empty"),
                ("Category:Action", "upper-case"),
                ("read:user", "a-scope"),
            )
        ),
        pytest.param({"spelling": ["action:category"]}, "spelling", NO_WORD, id="spelling-a-list"),
        pytest.param({"spelling": True}, "spelling", NO_WORD, id="spelling-a-boolean"),
        # a word for each category
        *(
            pytest.param(
                {"category_wildcards": value}, "category_wildcards", "expected true or false", id=f"for-{label}"
            )
            for value, label in (("yes", "each-a-word"), (1, "each-a-number"), (["user"], "some"), ({}, "each-a-table"))
        ),
        pytest.param(
            {"category_wildcards": True, "wildcards": {"*:user": ["*"]}},
            "wildcards.*:user",
            "the word `*:user` means two things",
            id="for-each-and-a-wildcard",
        ),
        pytest.param(
            {"category_wildcards": True, "scopes": {"*:user": ""}},
            "wildcards.*:user",
            "the word `*:user` means two things",
            id="for-each-and-a-single",
        ),
        pytest.param(
            {"category_wildcards": True, "public_only": "*:user"},
            "public_only",
            "the word `*:user` means two things",
            id="for-each-and-the-restriction",
        ),
        # one's own things
        pytest.param({"own": ["read"]}, "own", NO_ACTIONS, id="own-a-list"),
        pytest.param({"own": True}, "own", NO_ACTIONS, id="own-a-boolean"),
        pytest.param({"own": {"write": ["read"]}}, "own.write", "expected an action", id="own-of-a-list"),
        pytest.param({"own": {"write": {}}}, "own.write", "expected an action", id="own-of-a-table"),
        pytest.param(
            {"own": {"wirte": "read"}},
            "own.wirte",
            "unknown action `wirte`; did you mean `write`?",
            id="own-of-unknown",
        ),
        pytest.param(
            {"own": {"write": "raed"}}, "own.write", "unknown action `raed`; did you mean `read`?", id="own-unknown"
        ),
        pytest.param({"own": {"write": ""}}, "own.write", "unknown action ``", id="own-empty"),
        pytest.param({"own": {"read": "read"}}, "own.read", LESS_THAN_OWN, id="own-of-itself"),
        pytest.param({"own": {"write": "read", "read": "write"}}, "own.write", LESS_THAN_OWN, id="own-in-a-circle"),
        pytest.param(
            {"actions": ["a", "b", "c"], "own": {"a": "b", "b": "c"}, "methods": {"*": ["a"]}},
            "own.a",
            LESS_THAN_OWN,
            id="own-of-own",
        ),
        # other spellings of actions
        pytest.param({"aliases": ["read"]}, "aliases", NO_ACTIONS, id="aliases-a-list"),
        pytest.param({"aliases": "read"}, "aliases", NO_ACTIONS, id="aliases-a-string"),
        pytest.param({"aliases": {"get": ["read"]}}, "aliases.get", "expected an action", id="alias-of-a-list"),
        pytest.param({"aliases": {"read:any": None}}, "aliases.read:any", "expected an action", id="alias-of-nothing"),
        pytest.param(
            {"aliases": {"get": "raed"}},
            "aliases.get",
            "unknown action `raed`; did you mean `read`?",
            id="alias-of-unknown",
        ),
        pytest.param({"aliases": {"a": "b", "b": "read"}}, "aliases.a", "unknown action `b`", id="alias-of-an-alias"),
        *(
            pytest.param(
                {"aliases": {word: "read"}},
                "aliases",
                f"`{shown}` cannot be another spelling of an action",
                id=f"alias-{label}",
            )
            for word, shown, label in (
                ("write", "write", "that-is-an-action"),
                ("read", "read", "that-is-the-action"),
                ("", "", "empty"),
                ("*", "*", "star"),
                ("a+b", "a+b", "with-plus"),
                ("a@b", "a@b", "with-at"),
                ("a,b", "a,b", "with-comma"),
                ("a b", "a b", "with-space"),
                ("a:", "a:", "colon-last"),
                (":a", ":a", "colon-first"),
                ("a::b", "a::b", "two-colons"),
                ("a\n", r"a\n", "with-newline"),
                ("größe", "größe", "not-ascii"),
            )
        ),
        # scopes that stand alone
        pytest.param({"scopes": ["sudo"]}, "scopes", "expected a table: scope = description", id="scopes-a-list"),
        pytest.param({"scopes": "sudo"}, "scopes", "expected a table: scope = description", id="scopes-a-string"),
        *(
            pytest.param(
                {"scopes": {"sudo": entry}},
                "scopes.sudo",
                "expected a description, or a table with `description` and `implies`",
                id=f"single-{label}",
            )
            for entry, label in ((5, "a-number"), (None, "nothing"), (["*"], "a-list"), (True, "a-boolean"))
        ),
        pytest.param(
            {"scopes": {"sudo": {"implise": ["*"]}}},
            "scopes.sudo",
            "unknown key `implise`; did you mean `implies`?",
            id="single-unknown-key",
        ),
        pytest.param(
            {"scopes": {"sudo": {"actions": ["read"]}}},
            "scopes.sudo",
            "unknown key `actions`",
            id="single-with-actions",
        ),
        pytest.param(
            {"scopes": {"sudo": {"description": 5}}}, "scopes.sudo", NO_WORD, id="single-description-no-string"
        ),
        pytest.param({"scopes": {"sudo": {"implies": 5}}}, "scopes.sudo.implies", NO_STRINGS, id="single-of-a-number"),
        pytest.param({"scopes": {"sudo": {"implies": [5]}}}, "scopes.sudo.implies", NO_STRINGS, id="single-of-numbers"),
        pytest.param(
            {"scopes": {"sudo": {"implies": {"*": True}}}}, "scopes.sudo.implies", NO_STRINGS, id="single-of-a-table"
        ),
        pytest.param(
            {"scopes": {"sudo": {"implies": ["read:user", "read:usr"]}}},
            "scopes.sudo.implies",
            "the pattern `read:usr` matches no scope; did you mean `user`?",
            id="single-of-an-unknown-pattern",
        ),
        pytest.param(
            {"scopes": {"sudo": {"implies": ["sodu"]}}},
            "scopes.sudo.implies",
            "the pattern `sodu` matches no scope",
            id="single-of-an-unknown-single",
        ),
        pytest.param(
            {"scopes": {"sudo": {"implies": [""]}}},
            "scopes.sudo.implies",
            "the pattern `` matches no scope",
            id="single-of-an-empty-pattern",
        ),
        pytest.param(
            {"wildcards": {"some": ["*"]}, "scopes": {"sudo": {"implies": ["some"]}}},
            "scopes.sudo.implies",
            "the pattern `some` matches no scope",
            id="single-of-a-wildcard",
        ),
        pytest.param(
            {"scopes": {"sudo": {"implies": ["*", "-write:user"]}}},
            "scopes.sudo.implies",
            "a scope only adds; leave the dash out",
            id="single-that-takes-away",
        ),
        pytest.param(
            {"scopes": {"read:user": "again"}},
            "scopes.read:user",
            "the word `read:user` means two things",
            id="single-is-a-scope",
        ),
        pytest.param({"scopes": {"x": ""}, "all": "x"}, "all", "the word `x` means two things", id="all-is-a-single"),
        pytest.param(
            {"scopes": {"x": ""}, "wildcards": {"x": ["*"]}},
            "wildcards.x",
            "the word `x` means two things",
            id="wildcard-is-a-single",
        ),
        pytest.param(
            {"scopes": {"x": ""}, "public_only": "x"},
            "public_only",
            "the word `x` means two things",
            id="restriction-is-a-single",
        ),
        *(
            pytest.param(
                {"scopes": {word: "What it is for"}},
                f"scopes.{word}",
                f"`{shown}` cannot be a scope word",
                id=f"single-named-{label}",
            )
            for word, shown, label in (
                ("", "", "nothing"),
                ("a b", "a b", "with-space"),
                ("a,b", "a,b", "with-comma"),
                ("a@b", "a@b", "with-at"),
                ('a"b', 'a"b', "with-quote"),
                ("a\n", r"a\n", "with-newline"),
                ("größe", "größe", "not-ascii"),
            )
        ),
        # headings
        pytest.param(
            {"categories": {"user": {"actions": []}, "users.keys": "", "users": ""}},
            "categories.user.actions",
            "no action at all; only a category with parts can do without",
            id="heading-without-parts",
        ),
        pytest.param(
            {"categories": {"user": {"actions": []}, "user.keys": {"actions": []}}},
            "categories.user.keys.actions",
            "no action at all; only a category with parts can do without",
            id="heading-of-a-heading-without-parts",
        ),
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


def test_a_scope_cannot_be_listed_twice():
    """TOML has no table key twice, but a list of scopes may; one of each is fine."""
    with pytest.raises(VocabularyError) as caught:
        Vocabulary("v", ["user"], scopes=["sudo", SingleScope("sudo", "again")])
    assert caught.value.problem == "the word `sudo` means two things"
    assert caught.value.where == "scopes.sudo"
    assert Vocabulary("v", ["user"], scopes=["sudo", "again"])


@pytest.mark.parametrize(
    ("line", "place"),
    [
        pytest.param('spelling = "either"', "vocabulary.spelling", id="spelling"),
        pytest.param('own = { write = "raed" }', "vocabulary.own.write", id="own"),
        pytest.param('aliases = { get = "raed" }', "vocabulary.aliases.get", id="alias"),
        pytest.param('scopes = { sudo = { implies = ["-*"] } }', "vocabulary.scopes.sudo.implies", id="single"),
        pytest.param('scopes = { "a b" = "" }', "vocabulary.scopes.a b", id="single-by-name"),
        pytest.param(
            'scopes = { sudo = "" }\nreserved = { sodu = "admin" }', "vocabulary.reserved.sodu", id="reserved"
        ),
        pytest.param("categories.user = { actions = [] }", "vocabulary.categories.user.actions", id="heading"),
    ],
)
def test_a_policy_file_says_where_its_vocabulary_is_wrong(line, place):
    """By the file and the key, in full; without the line it is loaded."""
    text = '[[group]]\npath = "/a"\nscopes = ["misc"]\n[vocabulary]\ncategories.misc = ""\n'
    assert Policy.loads(text).vocabulary.categories["misc"]
    with pytest.raises(ConfigurationError) as caught:
        Policy.loads(text + line, source="scopes.toml")
    source, _, where = caught.value.where.partition(": ")
    assert source.startswith("scopes.toml")
    assert where == place


@pytest.mark.parametrize("name", ["gitee", "", "../gitea", "gitea.toml", "Gitea"])
def test_a_built_in_that_does_not_exist_is_refused(name):
    """The message lists what there is; `gitea` itself loads."""
    with pytest.raises(VocabularyError) as caught:
        Vocabulary.builtin(name)
    assert caught.value.problem.startswith(f"no built-in vocabulary `{name}`; there are: ")
    assert "gitea" in caught.value.problem.partition("there are: ")[2].split(", ")
    assert Vocabulary.builtin("gitea").name == "gitea"
