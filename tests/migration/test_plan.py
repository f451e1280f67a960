"""What a conversion would do, told beforehand: texts and how many tokens hold each, unknown words, routes gained and
lost."""

import itertools
import json
import sqlite3
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scopeware.errors import ConfigurationError
from scopeware.migration import Mapping
from scopeware.migration.access import AccessChange, Change, Reached, access_change, side_at
from scopeware.migration.column import Column, Place
from scopeware.migration.formats import join
from scopeware.migration.plan import Line, Plan, plan
from scopeware.migration.report import as_data
from scopeware.tokens import StoreUnavailable

ROUTES = Path(__file__).parent.parent / "data" / "gitea-1.19-routes.json"
GITEA = Mapping.builtin("gitea-1.19")
FORGE = (("repo", 3), ("public_repo", 1), ("read:user", 3), ("user:mail,repo", 2), ("all", 5), ("write:misc", 1))
"""Texts, and how many tokens hold each."""


@pytest.fixture
def column(tmp_path):
    """``column(values)``: a column that holds these, in a table like Gitea's."""
    opened = []

    def make(values, where=""):
        path = tmp_path / f"forge{len(opened)}.db"
        database = sqlite3.connect(path)
        database.execute("CREATE TABLE access_token (id INTEGER PRIMARY KEY, name TEXT, scope TEXT)")
        rows = [(f"token {number}", value) for number, value in enumerate(values)]
        database.executemany("INSERT INTO access_token (name, scope) VALUES (?, ?)", rows)
        database.commit()
        database.close()
        opened.append(Column(f"sqlite:///{path}", Place("access_token", "scope", where=where)))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


@pytest.fixture(scope="module")
def over_gitea():
    """The exact comparison over the 366 routes of Gitea."""
    return AccessChange(side_at(ROUTES, GITEA, old=True), side_at(ROUTES, GITEA, old=False))


def spread(texts):
    """Each text as often as it is held, one after the other."""
    return [text for text, count in texts for _ in range(count)]


# -- texts and counts


def test_each_text_is_told_once_with_its_count(column):
    """Those of most tokens first, and in alphabetical order where that is the same; with what each becomes."""
    made = plan(column(spread(FORGE)), GITEA)
    assert [(line.old, line.new, line.count) for line in made.lines] == [
        ("all", "all", 5),
        ("read:user", "read:user", 3),
        ("repo", "write:repository", 3),
        ("user:mail,repo", "user:mail,write:repository", 2),
        ("public_repo", "public-only,write:repository", 1),
        ("write:misc", "write:misc", 1),
    ]
    assert (made.rows, made.changed) == (15, 6)
    assert [line.old for line in made.lines if line.is_changed] == ["repo", "user:mail,repo", "public_repo"]
    assert (made.table, made.column, made.mapping, made.form) == ("access_token", "scope", "gitea-1.19", "comma")
    assert made.database.endswith("forge0.db")
    assert (made.others, made.too_long) == ({}, ())


def test_planning_changes_nothing(column, tmp_path, over_gitea):
    """Not a byte of the file, and nothing beside it."""
    opened = column(spread(FORGE))
    before = (tmp_path / "forge0.db").read_bytes()
    first = plan(opened, GITEA, access=over_gitea)
    assert plan(opened, GITEA, access=over_gitea) == first
    assert (tmp_path / "forge0.db").read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["forge0.db"]


def test_an_empty_table_has_an_empty_plan(column):
    """Nothing to change, and nothing to tell."""
    made = plan(column([]), GITEA)
    assert (made.lines, made.rows, made.changed, made.others, made.suggestions) == ((), 0, 0, {}, ())
    assert (made.count("widen"), made.routes_by_tokens("narrow"), made.routes) == (0, [], None)


def test_rows_without_a_text_are_left_as_they_are(column):
    """How many, and by what they hold; a text that says NULL is a text."""
    made = plan(column(["repo", None, None, b"repo", b"\xff", "NULL", ""]), GITEA)
    assert made.others == {"NULL": 2, "blob": 2}
    assert {line.old: line.new for line in made.lines} == {"repo": "write:repository", "NULL": "NULL", "": ""}
    assert made.rows == 3


def test_only_the_rows_that_are_meant(column):
    """A condition leaves out texts and NULLs alike."""
    made = plan(column(["repo", "user", None, None], where="id > 1 AND id < 4"), GITEA)
    assert [line.old for line in made.lines] == ["user"]
    assert made.others == {"NULL": 1}


def test_texts_that_differ_in_spaces_are_told_apart(column):
    """They become the same; each is its own text until then."""
    made = plan(column(["repo,user", "repo, user", " repo,user", "REPO,user", "repo,user,"]), GITEA)
    assert {line.old: line.new for line in made.lines} == {
        "repo,user": "write:repository,write:user",
        "repo, user": "write:repository,write:user",
        " repo,user": "write:repository,write:user",
        "repo,user,": "write:repository,write:user",
        "REPO,user": "REPO,write:user",
    }
    assert all(line.count == 1 for line in made.lines)


def test_texts_that_cannot_be_read_are_left_as_they_are(column, over_gitea):
    """They are told with their count, change nothing, and gain and lose nothing."""
    made = plan(column(['["repo"]', '["repo"]', "repo", "null", "null", "null"]), GITEA, "json", over_gitea)
    assert [(line.old, line.new, line.count, line.is_changed) for line in made.lines] == [
        ("null", None, 3, False),
        ('["repo"]', '["write:repository"]', 2, True),
        ("repo", None, 1, False),
    ]
    assert [line.change is None for line in made.lines] == [True, False, True]
    assert [(line.widens, line.narrows) for line in made.lines] == [(False, False), (True, True), (False, False)]
    assert (made.rows, made.changed, made.count("widen"), made.count("narrow")) == (6, 2, 2, 2)


@pytest.mark.parametrize("form", ["space", "json"])
def test_other_formats_are_planned_alike(column, over_gitea, form):
    """What tokens gain and lose does not depend on how their scopes are stored."""
    words = [text.split(",") for text in spread(FORGE)]
    usual = plan(column(spread(FORGE)), GITEA, "comma", over_gitea)
    made = plan(column([join(each, form) for each in words]), GITEA, form, over_gitea)
    assert made.form == form
    assert Counter((line.new, line.count, line.change) for line in made.lines) == Counter(
        (join(line.new.split(","), form), line.count, line.change) for line in usual.lines
    )
    for kind in ("widen", "narrow"):
        assert made.count(kind) == usual.count(kind)
        assert made.routes_by_tokens(kind) == usual.routes_by_tokens(kind)
    assert made.suggestions == usual.suggestions


def test_a_plan_of_what_was_converted_changes_nothing(column):
    """The second time there is nothing to do."""
    first = plan(column(spread(FORGE)), GITEA)
    second = plan(column([line.new for line in first.lines]), GITEA)
    assert second.changed == 0
    assert all(line.new == line.old for line in second.lines)


def test_texts_that_do_not_fit_are_named(column, monkeypatch):
    """Those that would be written, and no others."""
    opened = column(["repo", "public_repo", "x" * 60])
    assert plan(opened, GITEA).too_long == ()
    monkeypatch.setattr(opened, "fits", lambda text: len(text) <= 20)
    assert plan(opened, GITEA).too_long == ("public-only,write:repository",)


def test_a_table_that_went_away(column, tmp_path):
    """Is the store's fault, and is said to be."""
    opened = column(["repo"])
    database = sqlite3.connect(tmp_path / "forge0.db")
    database.execute("DROP TABLE access_token")
    database.close()
    with pytest.raises(StoreUnavailable):
        plan(opened, GITEA)


# -- unknown words


def test_unknown_words_are_told_with_what_may_have_been_meant(column):
    """Each once, with how many tokens have it, in whatever texts; old words and new ones are suggested."""
    texts = ["user:mail", "user:mail", "user:mail,repo", "write:repositroy,user:mail", "zzz", "ü,zzz"]
    made = plan(column(texts), GITEA)
    assert [(word, count) for word, count, _ in made.suggestions] == [
        ("user:mail", 4),
        ("write:repositroy", 1),
        ("zzz", 2),
        ("ü", 1),
    ]
    hints = {word: hint for word, _, hint in made.suggestions}
    assert hints["user:mail"].startswith("did you mean `user:email`")
    assert hints["write:repositroy"].startswith("did you mean `write:repository`")
    assert hints["zzz"] == hints["ü"] == ""
    assert {line.old: line.unknown for line in made.lines}["ü,zzz"] == ("ü", "zzz")


@pytest.mark.parametrize(
    ("word", "meant"), [("public-onyl", "public-only"), ("public_only", "public-only"), ("al", "all"), ("Repo", "repo")]
)
def test_words_of_the_new_system_that_are_no_scopes_are_suggested_too(column, word, meant):
    """The restriction, and the word for everything."""
    ((_, _, hint),) = plan(column([word]), GITEA).suggestions
    assert hint.startswith(f"did you mean `{meant}`")


def test_the_word_for_everything_is_suggested_by_every_mapping(column):
    """Also where the old system had none."""
    ((_, _, hint),) = plan(column(["al"]), Mapping.builtin("github-classic")).suggestions
    assert "`all`" in hint


def test_long_unknown_words_are_not_compared_with_anything(column):
    """A word of ten thousand letters is told, and takes no time."""
    word = "repo" * 2_500
    made = plan(column([word, f"{word},repo"]), GITEA)
    assert made.suggestions == ((word, 2, ""),)
    assert {line.new for line in made.lines} == {word, f"{word},write:repository"}


def test_many_unknown_words_are_planned_in_good_time(column):
    """Two thousand tokens with a word of their own."""
    opened = column([f"nonsense-{number},repo" for number in range(2_000)])
    start = time.perf_counter()
    made = plan(opened, GITEA)
    assert time.perf_counter() - start < 3
    assert len(made.suggestions) == len(made.lines) == made.changed == 2_000


# -- routes


def test_without_routes_nothing_is_said_of_access(column):
    """Neither gains nor losses, nor that there are none."""
    made = plan(column(spread(FORGE)), GITEA)
    assert made.routes is None
    assert all(line.change is None and not line.widens and not line.narrows for line in made.lines)
    assert (made.count("widen"), made.count("narrow")) == (0, 0)
    assert made.routes_by_tokens("widen") == made.routes_by_tokens("narrow") == []
    assert as_data(made)["widened"] is None


def test_tokens_that_reach_more_and_less_are_counted(column, over_gitea):
    """By tokens, not by texts; one that does both counts in both."""
    made = plan(column(spread(FORGE)), GITEA, access=over_gitea)
    assert (made.routes, made.routes_left_out) == (366, 0)
    wider = {line.old for line in made.lines if line.widens}
    narrower = {line.old for line in made.lines if line.narrows}
    assert "all" in wider - narrower
    assert {"repo", "public_repo"} <= wider & narrower
    assert made.count("widen") == sum(count for text, count in FORGE if text in wider)
    assert made.count("narrow") == sum(count for text, count in FORGE if text in narrower)
    for line in made.lines:
        words = line.old.split(",")
        assert line.change == over_gitea.of(line.old, GITEA.conversion(words))


def test_routes_are_told_with_how_many_tokens_gain_or_lose_them(column, over_gitea):
    """Most first; then by path and method."""
    made = plan(column(spread(FORGE)), GITEA, access=over_gitea)
    for kind in ("widen", "narrow"):
        expected = Counter()
        for line in made.lines:
            for route in line.change.gained if kind == "widen" else line.change.lost:
                expected[route] += line.count
        found = made.routes_by_tokens(kind)
        assert dict(found) == expected
        assert [count for _, count in found] == sorted(expected.values(), reverse=True)
        for (route, count), (following, fewer) in itertools.pairwise(found):
            assert count > fewer or (route.path, route.method, route.where) < (
                following.path,
                following.method,
                following.where,
            )


def test_the_same_route_in_two_places_is_told_twice():
    """Where it is public, and everywhere: other tokens, other losses."""
    everywhere, public = Reached("/x", "GET"), Reached("/x", "GET", "public")
    lines = (
        Line("a", "b", 2, change=Change(lost=(public,))),
        Line("c", "d", 3, change=Change(gained=(everywhere,), lost=(everywhere,))),
        Line("e", "f", 1, change=Change(lost=(public,))),
        Line("g", "h", 7, change=Change()),
        Line("i", None, 9),
    )
    made = Plan("db", "t", "c", "m", "comma", lines, {}, routes=1)
    assert made.routes_by_tokens("narrow") == [(everywhere, 3), (public, 3)]
    assert made.routes_by_tokens("widen") == [(everywhere, 3)]
    assert (made.count("narrow"), made.count("widen"), made.rows, made.changed) == (6, 3, 22, 13)


def test_routes_that_only_one_side_knows_are_counted(column, tmp_path):
    """And left out of the comparison."""
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    rows = [{"method": "GET", "path": f"/{name}", "old_scopes": ["repo"], "scopes": ["read:misc"]} for name in "abc"]
    before.write_text(json.dumps(rows[:2]), "utf-8")
    after.write_text(json.dumps(rows[1:]), "utf-8")
    access = access_change(side_at(before, GITEA, old=True), side_at(after, GITEA, old=False))
    made = plan(column(["repo", "user"]), GITEA, access=access)
    assert (made.routes, made.routes_left_out) == (1, 2)
    assert made.routes_by_tokens("narrow") == [(Reached("/b", "GET"), 1)]


@pytest.mark.parametrize(("name", "kind"), [("gitea-1.19-keep-access", "narrow"), ("gitea-1.19-strict", "widen")])
def test_the_variants_keep_their_promise_in_a_plan(column, over_gitea, name, kind):
    """No token that held an old scope loses by the one, or gains by the other."""
    opened = column([",".join(pair) for pair in zip(GITEA.old.words, GITEA.old.words[5:], strict=False)])
    made = plan(opened, Mapping.builtin(name), access=over_gitea)
    assert made.count(kind) == 0
    assert plan(opened, GITEA, access=over_gitea).count(kind) > 0


@pytest.mark.parametrize("form", ["comma", "space", "json"])
def test_a_word_with_a_separator_in_it_had_no_access_before(column, tmp_path, form):
    """It was no scope of the old system, also where the old side is a policy, which reads texts of its own."""
    policy = tmp_path / "old.toml"
    policy.write_text(
        '[vocabulary]\nname = "old"\ncategories = { none = "" }\n[vocabulary.scopes]\nrepo = ""\nuser = ""\n'
        '[[group]]\npath = "/x"\nscopes = ["repo"]\n',
        "utf-8",
    )
    rows = tmp_path / "new.json"
    rows.write_text(json.dumps([{"method": "GET", "path": "/x", "scopes": ["read:admin"]}]), "utf-8")
    access = access_change(side_at(policy, GITEA, old=True), side_at(rows, GITEA, old=False))
    strange = {"comma": "repo;user", "space": "repo;user", "json": json.dumps(["repo,user"])}[form]
    (known,) = plan(column([join(["repo"], form)]), GITEA, form, access).lines
    assert known.narrows
    (line,) = plan(column([strange]), GITEA, form, access).lines
    assert not line.narrows
    assert line.new == strange


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.lists(st.sampled_from([*GITEA.old.words, "write:issue", "zzz", "", " "]), max_size=4).map(",".join),
        max_size=12,
    )
)
def test_plans_add_up(column, over_gitea, texts):
    """Whatever a table holds: every row in one line, and what is told of all lines is what is told of each."""
    made = plan(column(texts), GITEA, access=over_gitea)
    assert {line.old: line.count for line in made.lines} == Counter(texts)
    assert [(-line.count, line.old) for line in made.lines] == sorted((-line.count, line.old) for line in made.lines)
    assert all(line.new == GITEA.convert(line.old) for line in made.lines)
    assert made.rows == len(texts)
    assert made.changed == sum(text != GITEA.convert(text) for text in texts)
    for kind in ("widen", "narrow"):
        total = sum(count for _, count in made.routes_by_tokens(kind))
        lists = [line.change.gained if kind == "widen" else line.change.lost for line in made.lines]
        assert total == sum(len(each) * line.count for each, line in zip(lists, made.lines, strict=True))
        assert made.count(kind) == sum(line.count for each, line in zip(lists, made.lines, strict=True) if each)
    assert {word: count for word, count, _ in made.suggestions} == Counter(
        word for text in texts for word in {*text.split(",")} if word == "zzz"
    )


def test_a_plan_with_the_access_change_takes_a_moment(column, over_gitea):
    """Two hundred texts over 366 routes."""
    texts = [",".join(pair) for pair in itertools.islice(itertools.combinations(GITEA.old.words, 2), 200)]
    opened = column(texts)
    start = time.perf_counter()
    made = plan(opened, GITEA, access=over_gitea)
    assert time.perf_counter() - start < 3
    assert len(made.lines) == 200


def test_nothing_is_planned_for_a_column_that_is_not_there(tmp_path):
    """The message says what there is, before anything is asked of the mapping."""
    database = sqlite3.connect(tmp_path / "x.db")
    database.execute("CREATE TABLE access_token (id INTEGER PRIMARY KEY, scope TEXT)")
    database.close()
    with pytest.raises(ConfigurationError, match="there is no column `scopes`; did you mean `scope`"):
        Column(f"sqlite:///{tmp_path}/x.db", Place("access_token", "scopes"))
