"""Words that begin with the category, words for all of one, headings, scopes that stand alone, one's own things."""

import copy
import pickle
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scope_reference import scopes_implied, scopes_matching, scopes_of
from strategies import drafts

from scopeware import Policy, TokenStore
from scopeware.scopes import Category, Roles, SingleScope, UnknownScope, Vocabulary, VocabularyError
from scopeware.tokens import TokenRefused

unhurried = settings(deadline=None)
FIRST = {"spelling": "category:action"}
OWN = {"read_any": "read_own", "update_any": "update_own"}
SERVER = Vocabulary(
    "server",
    [
        Category("docker", "Containers"),
        "docker.logs",
        Category("vms", "Machines", ("read_any", "update_any", "update_own")),
        Category("admin", "Administration", ()),
        Category("admin.users", "People", ("read_any", "update_any")),
        Category("admin.system", actions=("update_any",)),
    ],
    actions=["read_any", "read_own", "update_any", "update_own"],
    implies={"update_any": ["read_any"], "update_own": ["read_own"]},
    methods={"GET": ["read_any"], "*": ["update_any"]},
    own=OWN,
    admin=["admin"],
    category_wildcards=True,
    **FIRST,
)
SHOP = Vocabulary(
    "shop",
    [Category("order", "Orders"), "order.refund", "stock", Category("staff", "Who works here")],
    all_word="all",
    wildcards={"*": ["*"], "role:clerk": ["*:order", "loyalty"]},
    admin=["staff"],
    scopes=[
        SingleScope("admin:all", "Full access", ["*"]),
        SingleScope("loyalty", "Bonus points"),
        SingleScope("reports", implies=["read:*", "loyalty"]),
        SingleScope("personnel", "Hires people", ["*:staff"]),
    ],
    reserved={"admin:all": ["admin"]},
)


def turned(word):
    """A word or a pattern with the category first, if it had the action first."""
    first, colon, second = word.partition(":")
    return f"{second}:{first}" if colon else word


# -- the category first


def test_words_may_begin_with_the_category():
    """Everywhere: what is parsed, printed, listed, matched, and what stands for all of a category."""
    vocabulary = Vocabulary(
        "v", ["user", "repo", "repo.hooks"], wildcards={"some": ["repo:*"]}, category_wildcards=True, **FIRST
    )
    assert vocabulary.scopes[:3] == ("user:read", "user:write", "repo:read")
    assert vocabulary.parts[:3] == (("read", "user"), ("write", "user"), ("read", "repo"))
    assert vocabulary.spell_scope("read", "user") == "user:read"
    assert str(vocabulary.parse("repo:write,user:read")) == "user:read,repo:write"
    assert vocabulary.parse("repo:write").covers("repo.hooks:read")
    assert not vocabulary.parse("repo.hooks:write").covers("repo:read")
    assert vocabulary.parse("some") == vocabulary.parse("repo:*") == vocabulary.parse("repo:write")
    assert vocabulary.need("repo", ("read",)) == vocabulary.word_bits("repo:read")
    assert vocabulary.match(["*:read"]) == vocabulary.parse("user:read,repo:read").bits
    assert vocabulary.match(["*", "-repo.hooks:write"]) == vocabulary.parse("user:write,repo:read").bits
    assert [str(scopes) for scopes in Roles(vocabulary, {"r": "*:read,-user:*"}).values()][3] == "repo:read"


@pytest.mark.parametrize("spelling", ["action:category", "category:action"])
def test_the_other_way_round_is_unknown(spelling):
    """One word has one meaning; the message says how it is spelled."""
    vocabulary = Vocabulary("v", ["user", "repo"], spelling=spelling)
    right = vocabulary.spell_scope("write", "repo")
    assert vocabulary.parse(right)
    with pytest.raises(UnknownScope) as caught:
        vocabulary.parse(turned(right))
    assert caught.value.suggestions == (right,)
    with pytest.raises(VocabularyError):
        vocabulary.match([turned(right)])


@given(drafts())
@unhurried
def test_the_spelling_changes_nothing_but_the_words(draft):
    """Bit by bit the same vocabulary: implications, wildcards, patterns, canonical text."""
    one = draft.build()
    other = Vocabulary(
        "drafted",
        draft.categories,
        actions=draft.actions,
        implies=draft.implies,
        wildcards={word: [turned(pattern) for pattern in patterns] for word, patterns in draft.wildcards.items()},
        all_word=draft.all_word,
        public_only=draft.public_only,
        methods={"*": draft.actions[:1]},
        **FIRST,
    )
    assert other.scopes == tuple(map(turned, one.scopes))
    assert other.parts == one.parts
    for scope in one.scopes:
        assert other.parse(turned(scope)).bits == one.parse(scope).bits
        assert list(other.parse(turned(scope))) == [turned(word) for word in one.parse(scope)]
    for word, patterns in draft.wildcards.items():
        assert other.parse(word).bits == one.parse(word).bits
        assert other.match(map(turned, patterns)) == one.match(patterns)


@pytest.mark.parametrize(
    ("word", "suggestions"),
    [
        pytest.param("docker:raed_any", ("docker:read_any",), id="action"),
        pytest.param("dokcer:read_any", ("docker:read_any",), id="category"),
        pytest.param("DOCKER:READ_ANY", ("docker:read_any",), id="case"),
        pytest.param("read_any:docker", ("docker:read_any",), id="the-other-way-round"),
        pytest.param("read_any:docker@a/b", ("docker:read_any@a/b",), id="the-other-way-round-and-bound"),
        pytest.param("docker:update_own@a//b", ("docker:update_own@owner/name",), id="bound-to-what-is-none"),
        pytest.param(
            "vms", ("vms:read_any", "vms:update_any", "vms:update_own"), id="category-alone-with-the-actions-it-has"
        ),
        pytest.param("read_own", ("docker:read_own", "docker.logs:read_own"), id="action-alone"),
        pytest.param("moon:read", (), id="nothing-near"),
        pytest.param("*:docker", ("docker:*",), id="star-the-other-way-round"),
    ],
)
def test_near_words_are_spelled_as_the_vocabulary_spells(word, suggestions):
    """The best ones at least, and whatever is suggested can be granted."""
    with pytest.raises(UnknownScope) as caught:
        SERVER.parse(word)
    assert caught.value.suggestions[: len(suggestions)] == suggestions
    assert bool(caught.value.suggestions) is bool(suggestions)
    assert SERVER.parse_known(caught.value.suggestions)[1] == ()


def test_a_scope_that_stands_alone_is_suggested_too():
    """As any other word."""
    assert SHOP.unknown("admin:al").suggestions[0] == "admin:all"
    assert SHOP.unknown("all:admin").suggestions[0] == "admin:all"
    assert SHOP.unknown("loyality").suggestions[0] == "loyalty"
    assert SHOP.unknown("loyality@a/b").suggestions[0] == "loyalty@a/b"


# -- one word for a category


def test_a_word_for_all_of_a_category_covers_its_parts():
    """All its actions, and what they imply; nothing beside it. It is printed only as granted."""
    docker = SERVER.parse("docker:*")
    assert docker == SERVER.parse("docker:update_any,docker:update_own,docker:read_any,docker:read_own")
    assert docker.covers("docker.logs:update_any")
    assert not docker.covers("vms:read_any")
    assert not SERVER.parse("docker.logs:*").covers("docker:read_own")
    assert str(docker) == "docker:update_any"
    assert docker.as_granted == "docker:*"
    assert SERVER.parse(str(docker)).as_granted == str(docker)


def test_there_are_words_for_categories_only_where_it_is_said():
    """In either spelling; without it the star is unknown."""
    without = Vocabulary("v", ["user"], **FIRST)
    assert without.parse_known("user:*")[1] == ("user:*",)
    action_first = Vocabulary("v", ["user", "misc"], category_wildcards=True)
    assert action_first.wildcards == ("*:user", "*:misc")
    assert action_first.parse("*:user") == action_first.parse("write:user")
    assert action_first.parse_known("user:*")[1] == ("user:*",)
    assert without != Vocabulary("v", ["user"], category_wildcards=True, **FIRST)


def test_a_word_for_a_category_grows_with_it():
    """An action that comes later is in it, and in no scope that was granted before."""
    before = Vocabulary("v", ["user"], category_wildcards=True, **FIRST)
    after = Vocabulary("v", ["user"], actions=["read", "write", "run"], category_wildcards=True, **FIRST)
    assert after.parse(before.parse("user:*").as_granted).covers("user:run")
    assert not after.parse(before.parse("user:write,user:read").as_granted).covers("user:run")


def test_a_word_for_a_category_can_be_reserved():
    """And is worth nothing under another role, unlike the scopes it stands for."""
    vocabulary = Vocabulary("v", ["user"], category_wildcards=True, reserved={"user:*": ["admin"]}, **FIRST)
    roles = Roles(vocabulary)
    assert roles.effective(vocabulary.parse("user:*"), "admin")
    assert not roles.effective(vocabulary.parse("user:*"), "user")
    assert roles.effective(vocabulary.parse("user:read"), "user")
    assert roles.reserved_in(vocabulary.parse("user:*"), "user") == ("user:*",)


# -- headings


def test_a_heading_has_parts_and_no_scopes():
    """It cannot be granted by itself, and nobody can have what a rule would need of it."""
    assert not any(category == "admin" for _, category in SERVER.parts)
    assert SERVER.parse_known("admin:read_any")[1] == ("admin:read_any",)
    assert SERVER.need("admin", ("read_any",)) is None
    assert SERVER.need("admin.users", ("read_any",)) == SERVER.word_bits("admin.users:read_any")
    assert SERVER.categories["admin"].actions == ()


def test_a_heading_stands_for_its_parts_in_patterns():
    """Where it is a word for all of a category, an administrator's category, or part of a role."""
    parts = SERVER.parse("admin.users:update_any,admin.system:update_any")
    assert SERVER.parse("admin:*") == parts
    assert SERVER.match(["admin:*"]) == parts.bits
    assert SERVER.match(["admin:read_any"]) == SERVER.parse("admin.users:read_any").bits
    assert SERVER.admin_bits == parts.bits
    assert not Roles(SERVER)["user"].bits & parts.bits
    assert Roles(SERVER)["admin"].covers(parts)


def test_headings_may_be_parts_of_headings():
    """If there is something at the end of it."""
    vocabulary = Vocabulary("v", [Category("a", actions=()), Category("a.b", actions=()), "a.b.c"])
    assert vocabulary.scopes == ("read:a.b.c", "write:a.b.c")
    assert vocabulary.match(["read:a"]) == vocabulary.parse("read:a.b.c").bits
    with pytest.raises(VocabularyError) as caught:
        Vocabulary("v", [Category("a", actions=()), Category("a.b", actions=()), "ab.c", "ab"])
    assert caught.value.where == "categories.a.b.actions"
    assert caught.value.problem == "no action at all; only a category with parts can do without"


# -- patterns for parts alone


@pytest.mark.parametrize(
    ("patterns", "scopes"),
    [
        pytest.param(["*:order.*"], "write:order.refund", id="parts"),
        pytest.param(["read:order.*"], "read:order.refund", id="one-action-of-parts"),
        pytest.param(["*:order"], "write:order", id="with-the-whole"),
        pytest.param(["write:order", "-write:order.*"], "read:order", id="taken-away-with-all-that-implies-them"),
        pytest.param(["*:order", "-*:order.*"], "", id="all-taken-away"),
        pytest.param(["*", "-*:order", "-admin:all", "-reports"], "write:stock,write:staff,personnel,loyalty", id="no"),
    ],
)
def test_a_pattern_may_select_parts_alone(patterns, scopes):
    """Not the whole that has them, which is more."""
    assert SHOP.match(patterns) == SHOP.parse(scopes).bits


@pytest.mark.parametrize(
    "pattern", ["*:stock.*", "*:order.refund.*", "*:ord.*", "*:.*", "read:.*", "*:*.*", "order.*", "x:order.*", "*:"]
)
def test_a_pattern_for_parts_that_there_are_not_is_refused(pattern):
    """Neither nothing nor everything is selected by a slip."""
    with pytest.raises(VocabularyError) as caught:
        SHOP.match(["read:order", pattern])
    assert caught.value.problem.startswith(f"the pattern `{pattern}` matches no scope")
    with pytest.raises(VocabularyError):
        SHOP.match(["*", f"-{pattern}"])


@given(drafts(), st.data())
@unhurried
def test_a_pattern_for_parts_selects_what_the_names_say(draft, data):
    """The reference: every scope whose category begins with the name and a dot, and all it implies."""
    vocabulary = draft.build()
    action = data.draw(st.sampled_from(["*", *draft.actions]))
    whole = data.draw(st.sampled_from(draft.categories)).name
    selected = {
        scope
        for scope in draft.scopes
        if action in ("*", scope.partition(":")[0]) and scope.partition(":")[2].startswith(f"{whole}.")
    }
    if selected:
        bits = vocabulary.match([f"{action}:{whole}.*"])
        assert scopes_of(vocabulary, bits) == scopes_implied(draft, selected)
    else:
        with pytest.raises(VocabularyError):
            vocabulary.match([f"{action}:{whole}.*"])


# -- scopes that stand alone


def test_a_scope_that_stands_alone_is_a_scope():
    """After those of categories; it can be granted, bound and asked for, and is implied by nothing else."""
    assert SHOP.scopes[-4:] == ("admin:all", "loyalty", "reports", "personnel")
    assert list(SHOP.singles) == ["admin:all", "loyalty", "reports", "personnel"]
    assert SHOP.singles["loyalty"] == SingleScope("loyalty", "Bonus points", ())
    assert len(SHOP.parts) == len(SHOP.scopes) - 4
    assert str(SHOP.parse("loyalty,read:stock")) == "read:stock,loyalty"
    assert SHOP.parse("loyalty").covers("loyalty")
    assert not SHOP.parse("write:order,write:stock,write:staff").covers("loyalty")
    bound = SHOP.parse("loyalty@berlin")
    assert bound.covers("loyalty@berlin")
    assert not bound.covers("loyalty")
    assert str(bound) == "loyalty@berlin"


def test_a_scope_that_stands_alone_may_include_others():
    """By patterns, other scopes that stand alone among them, and all they imply; only in that direction."""
    reports = SHOP.parse("reports")
    assert reports.covers("read:order.refund")
    assert reports.covers("loyalty")
    assert not reports.covers("write:stock")
    assert not reports.covers("personnel")
    assert not SHOP.parse("read:order,read:stock,read:staff,loyalty").covers("reports")
    assert str(SHOP.parse("reports,read:stock,write:stock")) == "write:stock,reports"
    assert SHOP.parse("personnel").covers("write:staff")
    assert not SHOP.parse("write:staff").covers("personnel")


def test_what_includes_everything_is_everything():
    """Scopes that stand alone as well, with those listed after it; all the same it is stored by its own name."""
    everything = SHOP.parse("admin:all")
    assert everything == SHOP.parse("all") == SHOP.parse("*")
    assert str(everything) == "all"
    assert everything.as_granted == "admin:all"
    without_word = Vocabulary("v", ["user"], scopes=[SingleScope("root", implies=["*"]), "other"])
    assert str(without_word.parse("root")) == "root"
    assert without_word.parse("root").covers("other")


def test_everything_needs_what_stands_alone_too():
    """All categories are not all."""
    assert str(SHOP.parse("write:order,write:stock,write:staff")) == "write:order,write:stock,write:staff"
    assert SHOP.parse(SHOP.scopes) == SHOP.parse("all")


def test_patterns_of_categories_do_not_select_what_stands_alone():
    """A star for the action or the category is about categories; everything is everything."""
    singles = SHOP.parse("admin:all,loyalty,reports,personnel").bits & ~SHOP.parse(SHOP.scopes[:-4]).bits
    assert SHOP.match(["*"]) == SHOP.match(["*:*"]) == SHOP.everything
    assert not SHOP.match(["read:*", "write:*", "*:staff", "*:order"]) & singles
    assert SHOP.match(["loyalty"]) == SHOP.parse("loyalty").bits
    assert SHOP.match(["*", "-loyalty"]) == SHOP.parse([*SHOP.scopes[:-4], "personnel"]).bits
    with pytest.raises(VocabularyError):
        SHOP.match(["admin:*"])


def test_what_includes_an_administrators_scope_is_an_administrators_scope():
    """Otherwise it would be a way around the ceiling of everybody else."""
    roles = Roles(SHOP)
    assert not roles["user"].covers("personnel")
    assert not roles["user"].covers("reports")
    assert not roles["user"].covers("admin:all")
    assert roles["user"] == SHOP.parse("write:order,write:stock,loyalty")
    assert roles["viewer"] == SHOP.parse("read:order,read:stock")
    assert roles["admin"] == SHOP.parse("all")
    assert roles.effective(SHOP.parse("personnel,loyalty"), "user") == SHOP.parse("loyalty")


def test_a_ceiling_may_name_what_stands_alone():
    """Or take it away, with all that includes it."""
    roles = Roles(SHOP, {"clerk": "*:order loyalty", "rest": "* -loyalty"})
    assert roles["clerk"] == SHOP.parse("role:clerk")
    assert not roles["rest"].covers("loyalty")
    assert not roles["rest"].covers("reports")
    assert not roles["rest"].covers("admin:all")
    assert roles["rest"].covers("personnel")


def test_a_reserved_scope_that_stands_alone_is_beyond_other_ceilings():
    """And worth nothing under other roles, neither it nor what it includes; what was granted besides stays."""
    roles = Roles(SHOP, {"chief": "*"})
    assert not roles["chief"].covers("admin:all")
    assert roles["chief"].covers("personnel")
    granted = SHOP.parse("admin:all,read:stock")
    assert roles.reserved_in(granted, "chief") == ("admin:all",)
    assert roles.effective(granted, "admin") == SHOP.parse("all")
    assert roles.effective(granted, "chief") == SHOP.parse("read:stock")
    assert roles.effective(SHOP.parse(granted.as_granted), "chief") == SHOP.parse("read:stock")
    assert not roles.effective(SHOP.parse("admin:all@a/*"), "user")
    assert not roles.effective(SHOP.parse("*"), "user").covers("admin:all")


@pytest.fixture
def store(tmp_path):
    """A shop's tokens."""
    store = TokenStore.connect(f"sqlite:///{tmp_path}/tokens.db", vocabulary=SHOP, roles=Roles(SHOP))
    yield store
    store.close()


@pytest.mark.parametrize("scopes", ["admin:all", "read:stock,admin:all", "admin:all@berlin", ["admin:all"]])
def test_a_reserved_scope_that_stands_alone_is_refused_to_others(scopes, store):
    """By name, with the role that may have it; who has the role gets it."""
    store.add_owner("ada", role="admin")
    with pytest.raises(TokenRefused, match="`admin:all`: for the role admin only, not `user`"):
        store.issue(owner="bob", name="all", scopes=scopes)
    assert store.issue(owner="ada", name="all", scopes=scopes).token.scopes == SHOP.parse(scopes)


def test_a_reserved_scope_that_stands_alone_is_powerless_after_demotion(store):
    """At once, and back with the role; what stands beside it in the token goes on."""
    store.add_owner("ada", role="admin")
    token = store.issue(owner="ada", name="all", scopes="admin:all,read:stock").token
    assert store.show(token.id).effective == SHOP.parse("all")
    store.set_role("ada", "user")
    assert store.show(token.id).effective == SHOP.parse("read:stock")
    store.set_role("ada", "admin")
    assert store.show(token.id).effective == SHOP.parse("all")


def test_scopes_that_include_each_other_are_one_right():
    """Round and round, in whatever order they are listed; the first is printed, what was granted is stored."""
    vocabulary = Vocabulary(
        "v",
        ["user", "repo"],
        scopes=[
            SingleScope("a", implies=["b"]),
            SingleScope("b", implies=["c"]),
            SingleScope("c", implies=["a", "read:repo"]),
            SingleScope("d", implies=["b", "write:user"]),
        ],
    )
    assert vocabulary.parse("a") == vocabulary.parse("b") == vocabulary.parse("c")
    assert str(vocabulary.parse("c")) == "a"
    assert vocabulary.parse("c").as_granted == "c"
    assert vocabulary.parse("b").covers("read:repo")
    assert not vocabulary.parse("b").covers("d")
    assert str(vocabulary.parse("d,c")) == "d"
    assert vocabulary.reaching(vocabulary.word_bits("a")) == vocabulary.closure(vocabulary.word_bits("d")) & ~(
        vocabulary.parse("write:user,read:repo").bits
    )


NAMES = ("profile", "sudo", "x:y:z", "admin:all", "s.1", "0")


@st.composite
def drafts_with_singles(draw):
    """A draft, and scopes that stand alone, including each other and the rest by any patterns."""
    draft = draw(drafts())
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    patterns = st.sampled_from(["*", *names, *draft.scopes, *(f"*:{entry.name}" for entry in draft.categories)])
    singles = [SingleScope(name, implies=draw(st.lists(patterns, max_size=3))) for name in names]
    built = Vocabulary(
        "drafted",
        draft.categories,
        actions=draft.actions,
        implies=draft.implies,
        methods={"*": draft.actions[:1]},
        scopes=singles,
    )
    return draft, singles, built


def included(draft, singles, word):
    """The reference: every scope that a walk from a word can reach, by names of scopes alone."""
    reached, todo = set(), [word]
    patterns = {single.name: single.implies for single in singles}
    while todo:
        here = todo.pop()
        if here in reached:
            continue
        reached.add(here)
        if here not in patterns:
            todo += scopes_implied(draft, [here])
        for pattern in patterns.get(here, ()):
            if pattern in patterns:
                todo.append(pattern)
            else:
                todo += [*scopes_matching(draft, pattern), *(patterns if pattern == "*" else ())]
    return reached


@given(drafts_with_singles())
@unhurried
def test_what_a_scope_includes_is_what_the_reference_says(drawn):
    """Every scope, whether it stands alone or not; and back by the scopes that reach it."""
    draft, singles, vocabulary = drawn
    expected = {word: included(draft, singles, word) for word in vocabulary.scopes}
    for word in vocabulary.scopes:
        scopes = vocabulary.parse(word)
        assert scopes_of(vocabulary, scopes.bits) == expected[word]
        assert vocabulary.parse(str(scopes)) == scopes
        reaching = scopes_of(vocabulary, vocabulary.reaching(vocabulary.word_bits(word)))
        assert reaching == {other for other in vocabulary.scopes if word in expected[other]}


@given(drafts_with_singles(), st.data())
@unhurried
def test_without_what_is_implied_the_least_is_left(drawn, data):
    """It comes to the same, and to less without any one of its scopes; closed or not, with circles or without."""
    _, _, vocabulary = drawn
    bits = data.draw(st.integers(0, vocabulary.everything))
    least = vocabulary.without_implied(bits)
    assert not least & ~bits
    assert vocabulary.closure(least) == vocabulary.closure(bits)
    for position in range(least.bit_length()):
        if least >> position & 1:
            assert vocabulary.closure(least & ~(1 << position)) != vocabulary.closure(bits)
    closed = vocabulary.closure(bits)
    assert vocabulary.closure(closed) == closed
    assert vocabulary.words(closed) == vocabulary.each(vocabulary.without_implied(closed))


@pytest.mark.parametrize("step", [1, -1])
def test_a_long_chain_of_scopes_is_closed_in_a_moment(step):
    """Each includes the next, or the one before; the whole chain is what the one at its end includes."""
    count = 300
    singles = [
        SingleScope(f"s{number}", implies=[f"s{number + step}"] if 0 <= number + step < count else ["write:user"])
        for number in range(count)
    ]
    begun = time.perf_counter()
    vocabulary = Vocabulary("v", ["user"], scopes=singles)
    assert time.perf_counter() - begun < 2
    top = vocabulary.parse(singles[0 if step == 1 else -1].name)
    assert top.bits == vocabulary.everything
    assert len(top) == 1


def test_a_rule_may_ask_for_what_stands_alone():
    """In full, whatever the method; what includes it does, and nothing else."""
    policy = Policy.loads("""
        [vocabulary]
        [vocabulary.categories]
        stock = "Stock"
        [vocabulary.scopes]
        audit = "Look into everything"
        "admin:all" = { description = "Full access", implies = ["*"] }
        [[group]]
        path = "/audit"
        scopes = ["audit"]
    """)
    vocabulary = policy.vocabulary
    for method in ("GET", "POST"):
        requirement = policy.requirement(method, "/audit")
        assert requirement.met_by(vocabulary.parse("audit").bits)
        assert requirement.met_by(vocabulary.parse("admin:all").bits)
        assert not requirement.met_by(vocabulary.parse("write:stock").bits)


# -- scopes that stand alone and are spelled like an action in a category

LOOKALIKE = Vocabulary(
    "v",
    [Category("docker", actions=("write",)), "vms"],
    scopes=[SingleScope("docker:read", "All that there is", ["*"])],
    reserved={"docker:read": ["admin"]},
    **FIRST,
)


def test_a_scope_that_stands_alone_is_included_by_no_action():
    """Though writing includes reading, and the name says reading: the category has no such action."""
    written = LOOKALIKE.parse("docker:write")
    assert not written.bits & LOOKALIKE.word_bits("docker:read")
    assert LOOKALIKE.closure(written.bits) == written.bits
    assert not Roles(LOOKALIKE)["user"].covers("docker:read")
    assert Roles(LOOKALIKE)["user"].covers("docker:write")


def test_a_scope_that_stands_alone_is_no_action_of_a_category():
    """So reading there needs what nobody can have, and who may read everything does not get what it includes."""
    assert LOOKALIKE.need("docker", ("read",)) is None
    free = Vocabulary(
        "v",
        [Category("docker", actions=("write",)), "vms"],
        scopes=[SingleScope("docker:read", implies=["*"])],
        **FIRST,
    )
    assert Roles(free)["viewer"] == free.parse("vms:read")


def test_a_scope_that_stands_alone_makes_another_vocabulary_than_an_action():
    """They are spelled the same and include the same, and differ in what a pattern or a rule selects."""
    action = Vocabulary("v", [Category("user", actions=("read", "write"))])
    single = Vocabulary(
        "v", [Category("user", actions=("read",))], scopes=[SingleScope("write:user", implies=["read:user"])]
    )
    assert action.scopes == single.scopes
    assert action.match(["*:user"]) != single.match(["*:user"])
    assert action != single


# -- one's own things


def test_what_holds_for_all_holds_for_ones_own():
    """Without a word of it among the implications, and not the other way round."""
    vocabulary = Vocabulary("v", ["docker"], actions=["a", "b"], methods={"*": ["a"]}, own={"a": "b"})
    assert vocabulary.parse("a:docker").covers("b:docker")
    assert not vocabulary.parse("b:docker").covers("a:docker")
    assert dict(vocabulary.own) == {"a": "b"}
    assert SERVER.parse("docker:update_any").covers("docker:read_own")
    assert not SERVER.parse("docker:update_own").covers("docker:read_any")


@pytest.mark.parametrize(
    ("need", "owned"),
    [
        pytest.param("docker:read_any", "docker:read_own", id="one"),
        pytest.param("docker:read_own", "docker:read_own", id="own-already"),
        pytest.param("docker:read_any,docker:update_any", "docker:read_own,docker:update_own", id="two-actions"),
        pytest.param("docker:read_any,docker.logs:update_any", "docker:read_own,docker.logs:update_own", id="two"),
        pytest.param("vms:read_any", "vms:read_any", id="where-there-is-no-such-action"),
        pytest.param("vms:read_any,vms:update_any", "vms:read_any,vms:update_own", id="where-there-is-one"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_what_does_for_ones_own_things(need, owned):
    """In place of each scope that has such another, that one; the others are needed as they are."""

    def raw(text):
        return sum(SERVER.word_bits(word) for word in text.split(",") if word)

    assert SERVER.owned(raw(need)) == raw(owned)


def test_nothing_changes_where_nothing_is_about_ones_own():
    """Neither in a vocabulary without it, nor for what stands alone."""
    assert SHOP.owned(SHOP.everything) == SHOP.everything
    vocabulary = Vocabulary(
        "v",
        ["u"],
        actions=["a", "b"],
        methods={"*": ["a"]},
        own={"a": "b"},
        scopes=[SingleScope("a:all", implies=["*"])],
    )
    assert vocabulary.owned(vocabulary.word_bits("a:all")) == vocabulary.word_bits("a:all")


@given(st.integers(0, SERVER.everything))
@unhurried
def test_what_does_for_ones_own_things_is_never_more(need):
    """The reference, scope by scope; whoever has all that is needed has that, too."""
    expected = set()
    for scope in scopes_of(SERVER, need):
        category, _, action = scope.partition(":")
        less = f"{category}:{OWN.get(action)}"
        expected.add(less if less in SERVER.scopes else scope)
    owned = SERVER.owned(need)
    assert scopes_of(SERVER, owned) == expected
    assert not owned & ~SERVER.closure(need)
    assert SERVER.owned(owned) == owned


def test_a_scope_for_ones_own_things_cannot_include_that_for_all():
    """It would not be for one's own things any more, and every rule that says so would be void."""
    options = {"actions": ["any", "mine", "more"], "methods": {"*": ["any"]}, "own": {"any": "mine"}}
    assert Vocabulary("v", ["u"], **options, implies={"mine": ["more"], "any": ["mine"]})
    for implies in ({"mine": ["any"]}, {"mine": ["more"], "more": ["any"]}):
        with pytest.raises(VocabularyError) as caught:
            Vocabulary("v", ["u"], **options, implies=implies)
        assert caught.value.where.startswith(("own", "implies"))


def test_what_was_granted_for_ones_own_is_stored_in_so_many_words():
    """Also where another scope implies it; what else is implied is not."""
    granted = SERVER.parse("docker:read_any,docker:read_own,docker.logs:read_own,docker.logs:read_any")
    assert granted.as_granted == "docker:read_any,docker:read_own,docker.logs:read_own"
    assert str(granted) == "docker:read_any"
    beside = "docker:*,docker:read_any,docker:read_own"
    assert SERVER.parse(beside).as_granted == beside
    assert SHOP.parse("role:clerk,*,write:order,loyalty").as_granted == "*,role:clerk,write:order,loyalty"
    assert SHOP.parse("all,role:clerk,write:order,loyalty").as_granted == "all"
    bound = SERVER.parse("docker:read_any,docker:read_own@a/b,docker:read_any@a/b")
    assert bound.as_granted == "docker:read_any,docker:read_any@a/b,docker:read_own@a/b"


def test_every_word_of_a_grant_is_listed():
    """What stands for many first, then scopes in order, also those that others imply; nothing that is only implied."""
    words = ["docker:*", "docker:update_any", "docker:read_own", "admin:*"]
    assert SERVER.each(SERVER.parse(words).granted_words) == (
        "docker:*",
        "admin:*",
        "docker:read_own",
        "docker:update_any",
    )
    assert SERVER.each(0) == ()
    assert SERVER.each(SERVER.word_bits("docker:update_any")) == ("docker:update_any",)
    assert SHOP.parse("admin:all,loyalty,all,read:stock@a,all@b").granted == {
        "": ("all", "admin:all", "loyalty"),
        "a": ("read:stock",),
        "b": ("all",),
    }
    assert SHOP.parse("").granted == {}


# -- for people


@pytest.mark.parametrize(
    ("word", "description"),
    [
        pytest.param("read:order", "Orders", id="scope"),
        pytest.param("write:order", "Orders", id="another-of-the-same-category"),
        pytest.param("read:order.refund", "", id="nobody-said"),
        pytest.param("admin:all", "Full access", id="single"),
        pytest.param("reports", "", id="single-nobody-said"),
        pytest.param("role:clerk", "write:order, loyalty", id="wildcard"),
        pytest.param("*", "admin:all", id="everything"),
    ],
)
def test_every_word_has_a_description(word, description):
    """That of the category, its own, or what it stands for."""
    assert SHOP.describe(word) == description


@pytest.mark.parametrize("word", ["order", "raed:order", "order:read", "", "read:order@a/b", "*:order"])
def test_a_word_that_there_is_not_has_no_description(word):
    """It is an error with near words, as everywhere."""
    with pytest.raises(UnknownScope) as caught:
        SHOP.describe(word)
    assert caught.value.word == word


def test_words_that_begin_with_the_category_have_descriptions():
    """The category is what stands in front."""
    assert SERVER.describe("docker:read_own") == "Containers"
    assert SERVER.describe("admin.users:read_any") == "People"
    assert SERVER.describe("admin:*") == "admin.users:update_any, admin.system:update_any"


def test_the_overview_lists_all_that_can_be_granted():
    """By category, in order, then what stands alone; headings have nothing to choose."""
    overview = SHOP.overview()
    assert [row["category"] for row in overview] == ["order", "order.refund", "stock", "staff", None, None, None, None]
    assert overview[0] == {
        "category": "order",
        "description": "Orders",
        "scopes": [{"scope": "read:order", "action": "read"}, {"scope": "write:order", "action": "write"}],
    }
    assert overview[4] == {"category": None, "description": "Full access", "scopes": [{"scope": "admin:all"}]}
    assert [entry["scope"] for row in overview for entry in row["scopes"]] == list(SHOP.scopes)
    assert [row["category"] for row in SERVER.overview()] == [
        "docker",
        "docker.logs",
        "vms",
        "admin.users",
        "admin.system",
    ]


@pytest.mark.parametrize("role", ["viewer", "user", "admin", "clerk", "nobody"])
def test_the_overview_keeps_to_a_ceiling(role):
    """What a role cannot be granted is not offered, and a category without anything to offer is not there."""
    ceiling = Roles(SHOP, {"clerk": "*:order,loyalty"}).ceiling(role)
    overview = SHOP.overview(ceiling)
    assert {entry["scope"] for row in overview for entry in row["scopes"]} == scopes_of(SHOP, ceiling.bits)
    assert all(row["scopes"] for row in overview)
    assert SHOP.overview(SHOP.parse("")) == []


def test_the_overview_is_the_callers_own():
    """What a page does with it changes no other page."""
    SHOP.overview()[0]["scopes"].clear()
    assert SHOP.overview()[0]["scopes"]


# -- what makes two vocabularies the same


@pytest.mark.parametrize(
    "again",
    [
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
        pytest.param(lambda vocabulary: pickle.loads(pickle.dumps(vocabulary)), id="pickle"),
    ],
)
@pytest.mark.parametrize("vocabulary", [SERVER, SHOP], ids=["server", "shop"])
def test_copies_are_equal_and_spell_the_same(vocabulary, again):
    """In another process, too; so do their scope sets."""
    copied = again(vocabulary)
    assert copied == vocabulary
    assert hash(copied) == hash(vocabulary)
    assert copied.scopes == vocabulary.scopes
    assert copied.parts == vocabulary.parts
    assert copied.wildcards == vocabulary.wildcards
    assert (copied.own, copied.aliases, copied.singles) == (vocabulary.own, vocabulary.aliases, vocabulary.singles)
    assert copied.overview() == vocabulary.overview()
    granted = vocabulary.parse([*vocabulary.scopes[2:5], f"{vocabulary.scopes[-1]}@a/b"])
    assert again(granted) == granted
    assert again(granted).as_granted == granted.as_granted


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"spelling": "action:category"}, id="spelling"),
        pytest.param({"own": {}}, id="own"),
        pytest.param({"aliases": {"read": "read_own"}}, id="alias"),
        pytest.param({"aliases": None}, id="no-alias"),
        pytest.param({"category_wildcards": False}, id="category-wildcards"),
        pytest.param({"scopes": []}, id="no-single"),
        pytest.param({"scopes": ["sudo", "extra"]}, id="another-single"),
        pytest.param({"scopes": [SingleScope("sudo")]}, id="what-a-single-includes"),
    ],
)
def test_whatever_changes_a_meaning_makes_another_vocabulary(change):
    """Their scope sets do not mix; only what people are told may differ."""
    options = {
        "actions": ["read_any", "read_own"],
        "methods": {"*": ["read_any"]},
        "own": {"read_any": "read_own"},
        "aliases": {"read": "read_any"},
        "category_wildcards": True,
        "scopes": [SingleScope("sudo", implies=["*"])],
        **FIRST,
    }
    one = Vocabulary("v", ["docker"], **options)
    assert one != Vocabulary("v", ["docker"], **options | change)
    reworded = Vocabulary("v", ["docker"], **options | {"scopes": [SingleScope("sudo", "Everything", ["*"])]})
    assert one == reworded
    assert hash(one) == hash(reworded)
    assert one.parse("docker:read_own") | reworded.parse("sudo") == reworded.parse("sudo")


@pytest.mark.parametrize("table", ["own", "aliases", "singles"])
def test_the_tables_of_a_vocabulary_cannot_be_changed(table):
    """Neither from outside, nor through what they were made of."""
    options = {"own": {"a": "b"}, "aliases": {"x": "a"}}
    singles = [SingleScope("sudo", implies=["*"])]
    vocabulary = Vocabulary("v", ["u"], actions=["a", "b"], methods={"*": ["a"]}, scopes=singles, **options)
    with pytest.raises(TypeError):
        getattr(vocabulary, table)["a"] = "a"
    options["own"].clear()
    options["aliases"]["y"] = "b"
    singles.clear()
    assert dict(vocabulary.own) == {"a": "b"}
    assert dict(vocabulary.aliases) == {"x": "a"}
    assert copy.copy(vocabulary).parse("sudo").covers("a:u")


def test_a_scope_that_stands_alone_is_a_value():
    """As a category is: hashable, and made of what cannot change."""
    implies = ["read:order"]
    single = SingleScope("x", implies=implies)
    implies.clear()
    assert single.implies == ("read:order",)
    assert {single, SingleScope("x", "", ("read:order",))} == {single}
    assert single != SingleScope("x")
