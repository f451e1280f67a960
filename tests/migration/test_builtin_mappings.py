"""The mappings that ship: every entry against the facts they were made from, and what their variants promise, over all
routes of Gitea 1.19 and 1.20.

The reference knows neither bits nor closures: it keeps scopes as sets of words, reads the tables of facts as they are,
and asks of each route what is written there.
"""

import functools
import itertools
import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scopeware.migration import Mapping
from scopeware.migration.access import AccessChange, Reached, side_at
from scopeware.scopes import Vocabulary

DATA = Path(__file__).parent.parent / "data"
TABLE = json.loads((DATA / "gitea-1.19-scopes.json").read_text("utf-8"))
FACTS = json.loads((DATA / "gitea-1.19-vocabulary.json").read_text("utf-8"))
ROUTES = json.loads((DATA / "gitea-1.19-routes.json").read_text("utf-8"))
LEFT_OUT = {"admin:user_hook": "write:user"}
"""What the upstream table forgot."""
GITEA = Vocabulary.builtin("gitea")
OLD_WORDS = (*FACTS["scopes"], "all")
unhurried = settings(deadline=None)

PLAIN = Mapping.builtin("gitea-1.19")
KEEPING = Mapping.builtin("gitea-1.19-keep-access")
STRICT = Mapping.builtin("gitea-1.19-strict")
GITHUB = Mapping.builtin("github-classic")


# -- the reference


def included(implies, words):
    """Words, and all that they imply."""
    found, todo = set(), list(words)
    while todo:
        word = todo.pop()
        if word not in found:
            found.add(word)
            todo += implies.get(word, [])
    return frozenset(found)


@functools.cache
def held_before(words):
    """What a token with these old scopes had."""
    return included(FACTS["implies"], words)


@functools.cache
def held_after(text):
    """What a token with this text has, and whether it is for public things only."""
    words = [word for word in text.split(",") if word]
    if "all" in words:
        words += [f"write:{category}" for category in GITEA.categories]
    reads = [word.replace("write:", "read:") for word in words]
    return frozenset({*words, *reads} - {"all", "public-only"}), "public-only" in words


def passed(route, words, public):
    """Whether a token passed a route before: it had all of its scopes, if any were asked for; `public_repo` did for
    `repo` where the repository was public."""
    held = held_before(words)
    return all(each in held or (each == "repo" and public and "public_repo" in held) for each in route["old_scopes"])


def passes(route, text, public):
    """Whether a token passes it after: it has a scope at all, those of all categories at the level of the method, and
    is not for public things only where this is about a repository or an issue of one that is not."""
    held, public_only = held_after(text)
    about_repository = "repo" in route["old_scopes"] or {"repository", "issue"} & {*route["new_categories"]}
    if not held or (public_only and about_repository and not public):
        return False
    level = "read" if route["method"] == "GET" else "write"
    return all(f"{level}:{category}" in held for category in route["new_categories"])


KINDS = list(
    {
        (*route["old_scopes"], "|", *route["new_categories"], route["method"] == "GET"): route for route in ROUTES
    }.values()
)
"""A route of each kind: all others are decided like one of them."""


def lost(words, text):
    """The routes that conversion takes away."""
    return [
        (each, public) for each, public in questions() if passed(each, words, public) and not passes(each, text, public)
    ]


def gained(words, text):
    """The routes that conversion gives."""
    return [
        (each, public) for each, public in questions() if passes(each, text, public) and not passed(each, words, public)
    ]


def questions():
    """Each kind of route, with both readings."""
    return itertools.product(KINDS, (False, True))


old_sets = st.lists(st.sampled_from(OLD_WORDS), min_size=1, max_size=12, unique=True).map(tuple)
FEW = [*itertools.combinations(OLD_WORDS, 1), *itertools.combinations(OLD_WORDS, 2)]
"""Every old scope, and every two of them."""


# -- gitea-1.19


@pytest.mark.parametrize(("old", "new"), [*TABLE.items(), *LEFT_OUT.items()], ids=[*TABLE, *LEFT_OUT])
def test_every_entry_of_the_upstream_table(old, new):
    """Becomes what upstream made of it, and what upstream forgot becomes what its like became."""
    assert PLAIN.convert(old) == new
    assert PLAIN.convert(new) == new


def test_nothing_is_missing_and_nothing_was_added():
    """The old words are those of the old system, `all` among them."""
    assert {*PLAIN.old.words} == {*FACTS["scopes"], "all"} == {*TABLE, *LEFT_OUT}
    assert len(PLAIN.old.words) == len({*PLAIN.old.words}) == 32
    assert PLAIN.public == {"public_repo": "repo"}
    assert PLAIN.target is GITEA


@pytest.mark.parametrize("word", OLD_WORDS)
def test_every_old_scope_implies_what_it_did(word):
    """Neither less nor more than the walk along what the facts say."""
    assert {*PLAIN.old.spell(PLAIN.old.bits(word))} == included(FACTS["implies"], [word])


def test_all_was_everything_but_sudo():
    """With `sudo` beside it, it was everything."""
    assert {*PLAIN.old.spell(PLAIN.old.bits("all"))} == {*OLD_WORDS} - {"sudo"}
    assert PLAIN.conversion(["all", "sudo"]).old == (1 << 32) - 1


def test_its_kinds_of_routes_are_those_of_the_table():
    """Each pair of what a route needed and needs once, and all that they are made of."""
    assert len(ROUTES) == len({(route["method"], route["path"]) for route in ROUTES}) == 366
    found = set()
    for route in ROUTES:
        level = "read" if route["method"] == "GET" else "write"
        new = frozenset(f"{level}:{category}" for category in route["new_categories"])
        found.add((frozenset(route["old_scopes"]), new))
    stated = [(frozenset(PLAIN.old.spell(each.old)), frozenset(GITEA.words(each.new))) for each in PLAIN.access]
    assert {*stated} == found
    assert len(stated) == len(found) == len(KINDS)
    assert KEEPING.access == STRICT.access == PLAIN.access


def test_what_its_routes_are_about():
    """A repository, or an issue of one: those that are about neither may be used with public-only tokens."""
    by_words = {
        (frozenset(PLAIN.old.spell(each.old)), frozenset(GITEA.words(each.new))): each.about for each in PLAIN.access
    }
    for (old, new), about in by_words.items():
        assert about == ("repo" in old or any(word.endswith((":repository", ":issue")) for word in new))


def test_what_upstream_widened_and_what_it_broke():
    """The cases that users were surprised by are what they are said to be."""
    assert any(route["path"].endswith("/api/v1/user/emails") for route, _ in gained(("user:email",), "write:user"))
    assert lost(("repo",), PLAIN.convert("repo"))
    assert {route["new_categories"][0] for route, _ in lost(("repo",), "write:repository")} >= {"issue", "misc"}
    assert gained(("all",), "all")
    assert {tuple(route["old_scopes"]) for route, _ in gained(("all",), "all")} == {("sudo",)}
    assert not lost(("all",), "all")


# -- what the variants promise


def test_keep_access_never_loses_a_route_with_few():
    """With any old scope, or any two."""
    assert not [words for words in FEW if lost(words, KEEPING.convert(",".join(words)))]


def test_strict_never_gains_a_route_with_few():
    """With any old scope, or any two."""
    assert not [words for words in FEW if gained(words, STRICT.convert(",".join(words)))]


@unhurried
@given(old_sets)
@example(OLD_WORDS)
@example(tuple(word for word in OLD_WORDS if word != "all"))
@example(("public_repo", "repo"))
@example(("public_repo", "user", "sudo"))
def test_keep_access_never_loses_a_route(words):
    """Whatever a token held, and whether what the route is about is public or not."""
    assert not lost(words, KEEPING.convert(",".join(words)))


@unhurried
@given(old_sets)
@example(OLD_WORDS)
@example(tuple(word for word in OLD_WORDS if word != "all"))
@example(("public_repo", "repo"))
@example(("public_repo", "read:repo_hook"))
def test_strict_never_gains_a_route(words):
    """Whatever a token held, and whether what the route is about is public or not."""
    assert not gained(words, STRICT.convert(",".join(words)))


@unhurried
@given(old_sets)
def test_the_variants_lie_on_either_side(words):
    """What strict grants is in what upstream does, and that in what keep-access does, restrictions aside."""
    least, usual, most = (mapping.conversion(words).scopes for mapping in (STRICT, PLAIN, KEEPING))
    assert most.covers(usual)
    assert usual.covers(least)


@pytest.mark.parametrize("word", sorted({*OLD_WORDS} - {"all", "notification", "sudo"}))
def test_keep_access_adds_what_every_token_could_reach(word):
    """What asked for no scope asks for some now."""
    assert KEEPING.conversion([word]).scopes.covers(
        "write:misc,write:activitypub,read:issue,read:repository,write:user"
    )


@pytest.mark.parametrize(
    ("text", "kept", "strict"),
    [
        pytest.param("all", "all", None, id="all"),
        pytest.param("notification", None, "write:notification", id="notification"),
        pytest.param("sudo", None, "write:admin", id="sudo"),
        pytest.param("user:email", None, "", id="email"),
        pytest.param("repo:status", None, "", id="status"),
    ],
)
def test_entries_that_users_ask_about(text, kept, strict):
    """What is exact already stays; what only widens becomes nothing under strict."""
    if kept is not None:
        assert KEEPING.convert(text) == kept
    if strict is not None:
        assert STRICT.convert(text) == strict


def test_keep_access_lifts_the_restriction_only_where_it_must():
    """A token for public repositories read some things of others, too: what asked for no scope."""
    assert not KEEPING.conversion(["public_repo"]).scopes.public_only
    assert STRICT.conversion(["public_repo"]).scopes.public_only or not STRICT.convert("public_repo")


def test_strict_never_grants_the_administration_for_all():
    """`all` was everything but `sudo`."""
    assert not STRICT.conversion(["all"]).scopes.covers("read:admin")
    assert STRICT.conversion(["all", "sudo"]).scopes.covers("write:admin")


# -- the comparison that plans show


@pytest.fixture(scope="module")
def change():
    """The exact comparison over the 366 routes."""
    path = DATA / "gitea-1.19-routes.json"
    return AccessChange(side_at(path, PLAIN, old=True), side_at(path, PLAIN, old=False))


def expected_change(words, text):
    """The reference, route by route."""
    found = {"gained": [], "lost": []}
    for route in ROUTES:
        had = [passed(route, words, public) for public in (False, True)]
        has = [passes(route, text, public) for public in (False, True)]
        more = tuple(now and not then for then, now in zip(had, has, strict=True))
        less = tuple(then and not now for then, now in zip(had, has, strict=True))
        for kind, where in (("gained", more), ("lost", less)):
            if any(where):
                name = {(True, True): "", (False, True): "public", (True, False): "not public"}[where]
                found[kind].append(Reached(route["path"], route["method"], name))
    return found


@settings(deadline=None, max_examples=40)
@given(old_sets, st.sampled_from([PLAIN, KEEPING, STRICT]))
@example(("public_repo",), PLAIN)
@example(("repo",), PLAIN)
@example(("user:email", "public_repo"), KEEPING)
@example(("all",), PLAIN)
def test_plans_list_exactly_what_changes(change, words, mapping):
    """Each route that is gained or lost, once, in order, and where; and no other."""
    text = mapping.convert(",".join(words))
    expected = expected_change(words, text)
    found = change.of(",".join(words), mapping.conversion(words))
    assert list(found.gained) == sorted(expected["gained"])
    assert list(found.lost) == sorted(expected["lost"])
    assert bool(found) == bool(expected["gained"] or expected["lost"])


def test_plans_say_where_a_route_is_lost(change):
    """A token with `repo` and `public_repo` ends up for public things only, as upstream made it: private ones are
    lost, and of public ones what other categories guard now."""
    found = change.of("repo,public_repo", PLAIN.conversion(["repo", "public_repo"]))
    assert Reached("/api/v1/repos/{username}/{reponame}", "PATCH", "not public") in found.lost
    assert Reached("/api/v1/repos/{username}/{reponame}/issues", "POST", "") in found.lost
    assert not any(each.where == "not public" for each in found.gained)


def test_plans_for_one_without_a_word(change):
    """It could do nothing, and still cannot."""
    for text in ("", ",", " , ", []):
        assert not change.of(text, PLAIN.conversion([]))


# -- github-classic

GITHUB_FAMILIES = {
    "repo": ["repo:status", "repo_deployment", "public_repo", "repo:invite", "security_events"],
    "write:packages": ["read:packages"],
    "admin:org": ["write:org", "manage_runners:org", "read:org"],
    "write:org": ["read:org"],
    "admin:public_key": ["write:public_key", "read:public_key"],
    "write:public_key": ["read:public_key"],
    "admin:repo_hook": ["write:repo_hook", "read:repo_hook"],
    "write:repo_hook": ["read:repo_hook"],
    "user": ["read:user", "user:email", "user:follow"],
    "write:discussion": ["read:discussion"],
    "admin:enterprise": ["manage_runners:enterprise", "manage_billing:enterprise", "read:enterprise"],
    "audit_log": ["read:audit_log"],
    "codespace": ["codespace:secrets"],
    "copilot": ["manage_billing:copilot"],
    "write:network_configurations": ["read:network_configurations"],
    "project": ["read:project"],
    "admin:gpg_key": ["write:gpg_key", "read:gpg_key"],
    "write:gpg_key": ["read:gpg_key"],
    "admin:ssh_signing_key": ["write:ssh_signing_key", "read:ssh_signing_key"],
    "write:ssh_signing_key": ["read:ssh_signing_key"],
}
"""What stands indented below what, where GitHub lists its scopes, and on the page where tokens are made."""
GITHUB_ALONE = (
    *("workflow", "delete:packages", "admin:org_hook", "gist", "notifications", "delete_repo", "site_admin"),
    "scim:enterprise",
)
WITHOUT_THE_CODE = ("repo_deployment", "repo:invite", "security_events")
"""GitHub grants these for what Gitea does not have, "without granting access to the code"."""

GITHUB_MEANINGS = {
    "repo": "write:issue,write:repository",
    "repo:status": "write:repository",
    "public_repo": "public-only,write:issue,write:repository",
    "workflow": "write:repository",
    "write:packages": "write:package",
    "read:packages": "read:package",
    "delete:packages": "write:package",
    "admin:org": "write:organization",
    "write:org": "write:organization",
    "read:org": "read:organization",
    "manage_runners:org": "write:organization",
    "admin:public_key": "write:user",
    "write:public_key": "write:user",
    "read:public_key": "read:user",
    "admin:repo_hook": "write:repository",
    "write:repo_hook": "write:repository",
    "read:repo_hook": "read:repository",
    "admin:org_hook": "write:organization",
    "gist": "",
    "notifications": "write:notification",
    "user": "write:user",
    "read:user": "read:user",
    "user:email": "read:user",
    "user:follow": "write:user",
    "delete_repo": "write:repository",
    "write:discussion": "write:issue",
    "read:discussion": "read:issue",
    "admin:enterprise": "",
    "manage_runners:enterprise": "",
    "manage_billing:enterprise": "",
    "read:enterprise": "",
    "scim:enterprise": "",
    "audit_log": "",
    "read:audit_log": "",
    "codespace": "",
    "codespace:secrets": "",
    "copilot": "",
    "manage_billing:copilot": "",
    "write:network_configurations": "",
    "read:network_configurations": "",
    "project": "write:organization,write:repository",
    "read:project": "read:organization,read:repository",
    "admin:gpg_key": "write:user",
    "write:gpg_key": "write:user",
    "read:gpg_key": "read:user",
    "admin:ssh_signing_key": "write:user",
    "write:ssh_signing_key": "write:user",
    "read:ssh_signing_key": "read:user",
    "site_admin": "write:admin",
}


@pytest.mark.parametrize(("old", "new"), GITHUB_MEANINGS.items(), ids=GITHUB_MEANINGS)
def test_every_entry_of_github_classic(old, new):
    """Becomes the like of it at Gitea, or nothing; and stays that."""
    assert GITHUB.convert(old) == new
    assert GITHUB.convert(new) == new
    assert GITHUB.convert(old, "space") == new.replace(",", " ")


def test_github_classic_knows_the_scopes_of_github():
    """All of them, each once, and no others."""
    everyone = {*GITHUB_FAMILIES, *itertools.chain(*GITHUB_FAMILIES.values()), *GITHUB_ALONE}
    assert {*GITHUB.old.words} == everyone == {*GITHUB_MEANINGS, *WITHOUT_THE_CODE}
    assert len(GITHUB.old.words) == len(everyone)


@pytest.mark.parametrize("word", GITHUB.old.words)
def test_every_github_scope_implies_what_stands_below_it(word):
    """And nothing else."""
    assert {*GITHUB.old.spell(GITHUB.old.bits(word))} == included(GITHUB_FAMILIES, [word])


@pytest.mark.parametrize("mapping", [PLAIN, GITHUB], ids=["gitea-1.19", "github-classic"])
def test_what_a_scope_implies_becomes_no_more_than_the_scope(mapping):
    """Nobody could gain by holding the lesser one."""
    for word in mapping.old.words:
        for less in mapping.old.spell(mapping.old.bits(word)):
            assert mapping.conversion([word]).scopes.covers(mapping.conversion([less]).scopes), (word, less)


@pytest.mark.parametrize("mapping", [PLAIN, GITHUB], ids=["gitea-1.19", "github-classic"])
def test_what_reads_becomes_what_reads(mapping):
    """No old scope for reading becomes one for writing."""
    reading = [word for word in mapping.old.words if word.startswith("read:")]
    assert len(reading) >= 7
    for word in reading:
        assert not any(each.startswith("write:") for each in mapping.conversion([word]).scopes), word


@pytest.mark.parametrize("word", WITHOUT_THE_CODE)
def test_github_scopes_without_the_code_do_not_get_it(word):
    """They have no like at Gitea, and so become nothing, as the mapping says of itself."""
    assert not GITHUB.conversion([word]).scopes.covers("read:repository")


def test_github_tokens_as_github_lists_them():
    """As in the header X-OAuth-Scopes, with a space after each comma."""
    assert GITHUB.convert("repo, user:email, gist, notifications") == (
        "write:notification,write:issue,write:repository,read:user"
    )
    assert GITHUB.convert("public_repo, read:org") == "public-only,read:organization,write:issue,write:repository"
