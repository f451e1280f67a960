"""Vocabularies of any shape: implications, parts, wildcards, methods, what a request needs."""

import copy
import pickle
import time

import pytest

from scopeware.errors import ConfigurationError
from scopeware.scopes import Category, Vocabulary, VocabularyError

CRUD = ("create", "read", "update", "delete")
READS = ("GET", "HEAD", "OPTIONS")


@pytest.mark.parametrize("count", [1, 200, 1000])
def test_any_number_of_categories_works(count):
    """Parsing, covering and printing stay exact, however many categories there are."""
    vocabulary = Vocabulary("big", [f"category{number}" for number in range(count)], wildcards={"all": ["*"]})
    last = f"category{count - 1}"
    assert len(vocabulary.scopes) == 2 * count
    granted = vocabulary.parse(f"write:{last}")
    assert granted.covers(f"read:{last}")
    assert str(granted) == f"write:{last}"
    assert vocabulary.parse(f"write:category{number}" for number in range(count)) == vocabulary.parse("all")
    all_but_one = vocabulary.parse([f"write:category{number}" for number in range(count - 1)] + [f"read:{last}"])
    assert not all_but_one.covers(f"write:{last}")
    assert len(all_but_one) == count
    assert vocabulary.need(last, ("write",)) == 1 << (2 * count - 1)


def test_a_thousand_categories_are_built_and_searched_in_a_moment():
    """Neither the start nor a near match for a typo is quadratic in the categories."""
    begun = time.perf_counter()
    vocabulary = Vocabulary("big", [f"category{number}" for number in range(1000)])
    assert "read:category77" in vocabulary.unknown("read:categorie77").suggestions
    assert time.perf_counter() - begun < 2


def test_categories_may_have_actions_of_their_own():
    """One is only created, another got and deleted; nothing else can be spelled there."""
    vocabulary = Vocabulary(
        "own",
        [Category("report", actions=("create",)), Category("job", actions=("delete", "get")), "user"],
        actions=("get", "create", "delete"),
        methods={"GET": ["get"], "POST": ["create"], "*": ["delete"]},
    )
    assert vocabulary.scopes == (
        "create:report",
        "get:job",
        "delete:job",
        "get:user",
        "create:user",
        "delete:user",
    )
    assert vocabulary.parse("create:report").covers("create:report")
    assert vocabulary.parse_known("get:report")[1] == ("get:report",)


def test_need_is_none_where_the_category_lacks_the_action():
    """What nobody can be granted nobody can have, which is not the same as needing nothing."""
    vocabulary = Vocabulary("own", ["user", Category("log", actions=("read",))])
    assert vocabulary.need("log", ("read",)) == vocabulary.parse("read:log").bits
    assert vocabulary.need("log", ("write",)) is None
    assert vocabulary.need("log", ("read", "write")) is None
    assert vocabulary.need("user", ("frobnicate",)) is None
    assert vocabulary.need("user", ("read", "write")) == vocabulary.parse("write:user").bits
    assert vocabulary.need("user", ()) == 0


def test_need_refuses_a_category_nobody_knows():
    """A typo in a policy is an error, and near categories are named."""
    with pytest.raises(VocabularyError, match="unknown category `usr`; did you mean `user`") as caught:
        Vocabulary("v", ["user"]).need("usr", ("read",))
    assert isinstance(caught.value, ConfigurationError)
    assert isinstance(caught.value, ValueError)


# -- implications and parts


def test_write_implies_read_where_these_are_the_actions():
    """The default implication holds for read and write in either order, and for no other actions."""
    assert Vocabulary("v", ["user"]).parse("write:user").covers("read:user")
    assert Vocabulary("v", ["user"], actions=("write", "read")).parse("write:user").covers("read:user")
    crud = Vocabulary("v", ["user"], actions=CRUD)
    assert not any(crud.parse(f"{action}:user").covers("read:user") for action in ("create", "update", "delete"))


def test_write_implies_read_beside_other_actions_too():
    """A third action changes nothing about the two, and neither implies nor is implied."""
    vocabulary = Vocabulary("v", ["user"], actions=("read", "write", "run"))
    assert vocabulary.parse("write:user").covers("read:user")
    assert not vocabulary.parse("run:user").covers("read:user")
    assert not vocabulary.parse("write:user").covers("run:user")
    assert not vocabulary.parse("read:user").covers("write:user")


def test_implications_can_be_turned_off():
    """An empty table means that write does not read."""
    apart = Vocabulary("v", ["user"], implies={})
    assert not apart.parse("write:user").covers("read:user")
    assert str(apart.parse("write:user,read:user")) == "read:user,write:user"


def test_implications_are_transitive_and_one_way():
    """Own implies write implies read; nothing leads back."""
    vocabulary = Vocabulary(
        "v", ["user"], actions=("read", "write", "own"), implies={"own": ["write"], "write": ["read"]}
    )
    assert vocabulary.parse("own:user").covers("read:user")
    assert not vocabulary.parse("write:user").covers("own:user")
    assert str(vocabulary.parse("read:user,own:user")) == "own:user"


def test_an_implication_passes_over_an_action_the_category_lacks():
    """Own still reads where there is no write between them."""
    vocabulary = Vocabulary(
        "v",
        [Category("log", actions=("read", "own"))],
        actions=("read", "write", "own"),
        implies={"own": ["write"], "write": ["read"]},
    )
    assert vocabulary.parse("own:log").covers("read:log")
    assert not vocabulary.parse("read:log").covers("own:log")


def test_actions_that_imply_each_other_print_as_the_first():
    """Two names of one right are equal, and have one canonical text."""
    vocabulary = Vocabulary(
        "v", ["user"], actions=("get", "read"), implies={"get": ["read"], "read": ["get"]}, methods={"*": ["read"]}
    )
    assert vocabulary.parse("get:user") == vocabulary.parse("read:user")
    assert str(vocabulary.parse("read:user")) == "get:user"
    assert vocabulary.parse("read:user").as_granted == "read:user"


def test_a_whole_covers_its_parts_and_a_part_never_its_whole():
    """Down the dots at the same action, never up, and never sideways."""
    vocabulary = Vocabulary("v", ["repository.hooks.secret", "repository", "repository.hooks", "repository.keys"])
    whole, part = vocabulary.parse("write:repository"), vocabulary.parse("write:repository.hooks")
    assert whole.covers("write:repository.hooks")
    assert whole.covers("read:repository.hooks.secret")
    assert part.covers("write:repository.hooks.secret")
    assert not part.covers("read:repository")
    assert not part.covers("read:repository.keys")
    assert not vocabulary.parse("read:repository").covers("write:repository.hooks")


def test_a_part_is_told_by_the_dot_and_not_by_the_letters():
    """`repository2` and `repository-hooks` are no parts of `repository`."""
    vocabulary = Vocabulary("v", ["repository", "repository2", "repository-hooks", "repository.hooks"])
    granted = vocabulary.parse("write:repository")
    assert granted.covers("read:repository.hooks")
    assert not granted.covers("read:repository2")
    assert not granted.covers("read:repository-hooks")


def test_a_whole_reaches_parts_through_categories_that_lack_the_action():
    """What stands between whole and part does not interrupt the implication."""
    vocabulary = Vocabulary("v", ["a", Category("a.b", actions=("read",)), "a.b.c"])
    assert vocabulary.parse("write:a").covers("write:a.b.c")
    assert not vocabulary.parse("read:a.b").covers("write:a.b.c")


# -- wildcards and patterns


def test_wildcards_are_understood_and_stored_as_granted():
    """`read:*` is all reads; canonical text lists them, the stored text keeps the word."""
    vocabulary = Vocabulary("v", ["user", "misc"], wildcards={"read:*": ["read:*"], "*": ["*"]})
    reads = vocabulary.parse("read:*")
    assert vocabulary.wildcards == ("read:*", "*")
    assert reads == vocabulary.parse("read:user,read:misc")
    assert not reads.covers("write:user")
    assert str(reads) == "read:user,read:misc"
    assert reads.as_granted == "read:*"
    assert vocabulary.parse("write:user,read:*").as_granted == "read:*,write:user"
    assert str(vocabulary.parse("*")) == "write:user,write:misc"
    assert vocabulary.parse("*").covers("write:misc")


def test_a_wildcard_that_another_swallows_is_not_stored():
    """The word for everything is enough."""
    vocabulary = Vocabulary("v", ["user"], all_word="all", wildcards={"read:*": ["read:*"]})
    assert vocabulary.parse("read:*,all").as_granted == "all"
    assert vocabulary.parse("read:*,write:user").as_granted == "read:*,write:user"


@pytest.mark.parametrize(
    ("patterns", "selected"),
    [
        pytest.param([], "", id="none"),
        pytest.param(["read:user"], "read:user", id="a-scope"),
        pytest.param(["write:user"], "write:user", id="what-it-implies-as-well"),
        pytest.param(["read:*"], "read:user,read:admin", id="an-action-everywhere"),
        pytest.param(["*:user"], "write:user", id="all-of-a-category"),
        pytest.param(["*:admin.users"], "write:admin.users", id="all-of-a-part"),
        pytest.param(["*:admin"], "write:admin", id="a-part-goes-with-its-whole"),
        pytest.param(["*"], "write:user,write:admin", id="everything"),
        pytest.param(["*:*"], "write:user,write:admin", id="everything-in-two-words"),
        pytest.param(["read:*", "write:user"], "write:user,read:admin", id="two"),
        pytest.param(["*", "-*:admin"], "write:user", id="but-for-a-category"),
        pytest.param(["*", "-*:admin", "read:admin"], "write:user,read:admin", id="in-the-order-written"),
        pytest.param(["*", "-*"], "", id="all-taken-away-again"),
        pytest.param(["-*:admin", "*"], "write:user,write:admin", id="nothing-to-take-away-yet"),
    ],
)
def test_patterns_select_scopes(patterns, selected):
    """`*` matches any action or category, `-` takes away, in the order written."""
    vocabulary = Vocabulary("v", ["user", "admin", "admin.users"])
    assert vocabulary.match(patterns) == vocabulary.parse(selected).bits


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        pytest.param("read:usr", "; did you mean `user`?", id="typo"),
        pytest.param("-read:usr", "; did you mean `user`?", id="typo-to-take-away"),
        pytest.param("frob:user", "; did you mean `user`?", id="unknown-action"),
        pytest.param("user", "", id="category-alone"),
        pytest.param("read", "", id="action-alone"),
        pytest.param("", "", id="empty"),
        pytest.param("-", "", id="minus-alone"),
        pytest.param("READ:*", "", id="wrong-case"),
    ],
)
def test_a_pattern_that_selects_nothing_is_refused(pattern, hint):
    """A pattern without effect is a slip; it is named in full, with the nearest category."""
    with pytest.raises(VocabularyError) as caught:
        Vocabulary("v", ["user", "misc"]).match(["*", pattern])
    assert caught.value.problem == f"the pattern `{pattern}` matches no scope{hint}"


def test_an_action_that_only_a_part_has_is_reached_by_the_name_of_its_whole():
    """A part goes where its whole goes, in patterns as well."""
    vocabulary = Vocabulary("v", [Category("a", actions=("read",)), "a.b", "c"])
    assert vocabulary.match(["write:a"]) == vocabulary.parse("write:a.b").bits
    assert vocabulary.match(["*:a"]) == vocabulary.parse("read:a,write:a.b").bits


def test_a_wildcard_with_something_taken_away_survives_its_own_text():
    """Whatever `-` leaves is closed under implication, so its canonical text parses back to it."""
    vocabulary = Vocabulary("v", ["user", "misc"], wildcards={"most": ["*", "-read:user"]})
    granted = vocabulary.parse("most")
    assert not granted.covers("read:user")
    assert granted.covers("write:misc")
    assert vocabulary.parse(str(granted)) == granted


# -- methods


@pytest.mark.parametrize(
    ("method", "actions"),
    [
        *((method, ("read",)) for method in READS),
        *((method, ("write",)) for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE", "COPY", "FROB", "", "get")),
    ],
)
def test_in_read_write_vocabularies_all_but_three_methods_write(method, actions):
    """GET, HEAD and OPTIONS read; every other method writes, known or not, in any spelling."""
    assert Vocabulary("v", ["user"]).actions_for(method) == actions


@pytest.mark.parametrize(
    ("method", "actions"),
    [
        *((method, ("read",)) for method in READS),
        ("POST", ("create",)),
        ("PUT", ("update",)),
        ("PATCH", ("update",)),
        ("DELETE", ("delete",)),
        *((method, ("create", "update", "delete")) for method in ("TRACE", "MOVE", "FROB", "", "post")),
    ],
)
def test_in_crud_vocabularies_each_method_has_its_action(method, actions):
    """POST creates, PUT and PATCH update, DELETE deletes; any other method needs all three."""
    assert Vocabulary("v", ["user"], actions=CRUD).actions_for(method) == actions


def test_a_table_of_methods_replaces_the_default():
    """What the table names it decides, `*` decides the rest, and nothing of the default is left."""
    vocabulary = Vocabulary(
        "v",
        ["song"],
        actions=("play", "record"),
        methods={"GET": ["play"], "POST": ["play", "record"], "*": ["record"]},
    )
    assert vocabulary.actions_for("GET") == ("play",)
    assert vocabulary.actions_for("POST") == ("play", "record")
    assert vocabulary.actions_for("OPTIONS") == ("record",)
    assert vocabulary.actions_for("FROB") == ("record",)


@pytest.mark.parametrize(
    "methods",
    [
        pytest.param(None, id="default"),
        pytest.param({"GET": ["read"], "*": ["write"]}, id="get-alone"),
        pytest.param({"GET": ["read"], "HEAD": ["read"], "*": ["write"]}, id="both"),
        pytest.param({"*": ["write"]}, id="neither"),
        pytest.param({"HEAD": ["write"], "*": ["write"]}, id="head-as-the-fallback-that-get-has"),
    ],
)
def test_head_decides_as_get(methods):
    """HEAD can tell what GET tells, so it needs the same."""
    vocabulary = Vocabulary("v", ["user"], methods=methods)
    assert vocabulary.actions_for("HEAD") == vocabulary.actions_for("GET")


@pytest.mark.parametrize(
    "methods", [{"GET": ["read"], "HEAD": ["write"], "*": ["write"]}, {"HEAD": ["read"], "*": ["write"]}]
)
def test_head_cannot_be_told_apart_from_get(methods):
    """A table that says otherwise is refused."""
    with pytest.raises(VocabularyError) as caught:
        Vocabulary("v", ["user"], methods=methods)
    assert caught.value.where == "methods.HEAD"
    assert caught.value.problem == "HEAD always decides as GET"


def test_the_methods_that_are_told_apart_can_be_listed():
    """All that differ from the rest, however they came about; the rest has no name."""
    assert Vocabulary("v", ["user"]).methods == READS
    assert Vocabulary("v", ["user"], actions=CRUD).methods == (*READS, "POST", "PUT", "PATCH", "DELETE")
    own = Vocabulary("v", ["user"], methods={"FROB": ["read"], "*": ["write"]})
    assert "FROB" in own.methods
    assert "*" not in own.methods
    assert "POST" not in own.methods


@pytest.mark.parametrize("method", ["get", "Get", "", "GET POST", "GET,POST", "GET\n", "**", "M-SEARCH", "GÉT", "G3T"])
def test_a_method_that_no_request_matches_is_refused(method):
    """A key in the wrong case would have no effect; any upper-case word is a method."""
    methods = {method: ["read"], "*": ["write"]}
    with pytest.raises(VocabularyError) as caught:
        Vocabulary("v", ["user"], methods=methods)
    assert caught.value.where == f"methods.{method}"
    assert caught.value.problem == "a method is upper-case letters"
    assert Vocabulary("v", ["user"], methods={"FROB": ["read"], "*": ["write"]}).actions_for("FROB") == ("read",)


@pytest.mark.parametrize("actions", [("play",), ("read",), ("write",), ("create", "read", "update"), ("READ", "WRITE")])
def test_actions_without_a_default_table_need_one(actions):
    """Which method needs which action is never guessed; with a table the same actions are fine."""
    with pytest.raises(VocabularyError, match="say in `methods` which HTTP method needs which") as caught:
        Vocabulary("v", ["user"], actions=actions)
    assert caught.value.where == "methods"
    assert Vocabulary("v", ["user"], actions=actions, methods={"*": actions}).actions_for("GET") == actions


# -- identity


def test_equal_definitions_are_equal_vocabularies():
    """Names alone and categories with nothing but a name are the same definition."""
    assert Vocabulary("v", ["user"]) == Vocabulary("v", [Category("user")])
    assert hash(Vocabulary("v", ["user"])) == hash(Vocabulary("v", [Category("user")]))
    assert Vocabulary("v", ["user"]) != "v"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(Vocabulary("w", ["user", "misc"]), id="name"),
        pytest.param(Vocabulary("v", ["misc", "user"]), id="order"),
        pytest.param(Vocabulary("v", ["user"]), id="categories"),
        pytest.param(Vocabulary("v", ["user", "misc"], implies={}), id="implications"),
        pytest.param(Vocabulary("v", ["user", "misc"], all_word="all"), id="word-for-everything"),
        pytest.param(Vocabulary("v", ["user", "misc"], public_only="public"), id="restriction"),
        pytest.param(Vocabulary("v", ["user", "misc"], wildcards={"*": ["*"]}), id="wildcards"),
        pytest.param(Vocabulary("v", ["user", "misc"], methods={"*": ["write"]}), id="methods"),
        pytest.param(Vocabulary("v", ["user", "misc"], admin=["misc"]), id="administrators"),
    ],
)
def test_any_difference_makes_another_vocabulary(other):
    """Sets mix only where every bit and every decision mean the same."""
    assert Vocabulary("v", ["user", "misc"]) != other


def test_descriptions_do_not_make_another_vocabulary():
    """What people are told has no part in a decision: a reworded description leaves stored sets comparable."""
    plain, described = Vocabulary("v", ["user"]), Vocabulary("v", [Category("user", "Users")])
    assert plain == described
    assert hash(plain) == hash(described)
    assert plain.parse("write:user") & described.parse("read:user") == described.parse("read:user")
    assert described.categories["user"].description == "Users"


@pytest.mark.parametrize(
    "again",
    [
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
        pytest.param(lambda vocabulary: pickle.loads(pickle.dumps(vocabulary)), id="pickle"),
    ],
)
@pytest.mark.parametrize(
    "vocabulary",
    [
        pytest.param(Vocabulary.builtin("gitea"), id="gitea"),
        pytest.param(Vocabulary("v", ["user"]), id="plain"),
        pytest.param(Vocabulary("v", ["user"], implies={}), id="without-implications"),
        pytest.param(
            Vocabulary(
                "v",
                [Category("user", "Users", ("read",)), "admin", "admin.keys"],
                actions=("read", "write", "run"),
                implies={"write": ["read"], "run": ["write"]},
                all_word="all",
                public_only="public",
                wildcards={"read:*": ["read:*", "-*:admin"]},
                methods={"GET": ["read"], "*": ["run"]},
                admin=["admin"],
            ),
            id="with-everything",
        ),
    ],
)
def test_a_copy_of_a_vocabulary_is_equal_and_decides_the_same(vocabulary, again):
    """Workers may be handed a vocabulary; theirs mixes with ours, descriptions included."""
    copied = again(vocabulary)
    assert copied == vocabulary
    assert hash(copied) == hash(vocabulary)
    assert copied != Vocabulary("v", ["misc"])
    assert copied.categories == vocabulary.categories
    for word in (*vocabulary.scopes, *vocabulary.wildcards):
        assert copied.parse(word) == vocabulary.parse(word)
    for method in ("GET", "POST", "FROB"):
        assert copied.actions_for(method) == vocabulary.actions_for(method)


@pytest.mark.parametrize("name", ["name", "actions", "categories", "admin", "public_only", "everything", "_closures"])
def test_a_vocabulary_never_changes(name):
    """No attribute can be set, so one may be shared by policies, stores and threads."""
    vocabulary = Vocabulary("v", ["user", "admin"], admin=["admin"])
    with pytest.raises(AttributeError, match=f"immutable: cannot set `{name}`"):
        setattr(vocabulary, name, ())
    assert vocabulary == Vocabulary("v", ["user", "admin"], admin=["admin"])


@pytest.mark.parametrize("name", ["admin", "_definition"])
def test_no_part_of_a_vocabulary_can_be_deleted(name):
    """Without its definition it would take new attributes again."""
    vocabulary = Vocabulary("v", ["user"])
    with pytest.raises(AttributeError, match="immutable"):
        delattr(vocabulary, name)


def test_what_a_vocabulary_was_made_from_may_change_afterwards():
    """Lists and tables are read once; nobody changes a vocabulary from behind."""
    arguments = {
        "actions": ["read", "write"],
        "implies": {"write": ["read"]},
        "wildcards": {"reads": ["read:*"]},
        "methods": {"GET": ["read"], "*": ["write"]},
        "admin": ["admin"],
    }
    categories = [Category("user", actions=["read"]), "admin"]
    vocabulary = Vocabulary("v", categories, **arguments)
    before = copy.deepcopy(vocabulary)
    categories.clear()
    for argument in arguments.values():
        argument.clear()
    assert vocabulary == before
    assert copy.deepcopy(vocabulary) == before
    assert Category("user", actions=["read"]).actions == ("read",)


def test_a_word_for_everything_is_not_the_same_as_a_wildcard_for_everything():
    """Both are understood alike, but only the former is printed, so the two vocabularies differ."""
    printed = Vocabulary("v", ["user"], all_word="all")
    understood = Vocabulary("v", ["user"], wildcards={"all": ["*"]})
    assert printed != understood
    assert str(printed.parse("write:user")) == "all"
    assert str(understood.parse("all")) == "write:user"


def test_the_categories_cannot_be_changed_from_outside():
    """Everybody shares one vocabulary."""
    with pytest.raises(TypeError):
        Vocabulary("v", ["user"]).categories["admin"] = Category("admin")
