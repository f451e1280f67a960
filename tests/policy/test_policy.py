"""Groups and routes: what they need, and what does not load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from scopeware.errors import ConfigurationError
from scopeware.policy import Group, Policy, PolicyError, Requirement, Route
from scopeware.scopes import Category, Vocabulary, VocabularyError

CRUD = Vocabulary("crud", ["docs", "users"], actions=["create", "read", "update", "delete"])
PARTIAL = Vocabulary("partial", [Category("stats", actions=("read",)), "docs"], all_word="all", public_only="public")


def need(policy: Policy, method: str = "GET", path: str = "/a") -> Requirement:
    requirement = policy.requirement(method, path)
    assert requirement is not None
    return requirement


def one(*routes: Route, vocabulary: str | Vocabulary = "gitea", **needs: Any) -> Policy:
    """A policy of the group `/a`."""
    return Policy([Group(path="/a", routes=routes, **needs)], vocabulary=vocabulary)


def lists(policy: Policy, method: str = "GET", path: str = "/a") -> tuple[tuple[str, ...], ...]:
    return need(policy, method, path).scope_lists()


# -- methods


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_methods_that_read_need_read(method: str) -> None:
    """GET, HEAD and OPTIONS."""
    assert lists(one(scopes=["user"]), method) == (("read:user",),)


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "PATCH", "DELETE", "PROPFIND", "TRACE", "JEFF", "get", "Get", "head", "GET ", "GETX", ""]
)
def test_every_other_method_needs_write(method: str) -> None:
    """Known or not, in whatever case, even none."""
    assert lists(one(scopes=["user"]), method) == (("write:user",),)


@pytest.mark.parametrize(
    ("method", "scopes"),
    [
        ("GET", ("read:docs",)),
        ("HEAD", ("read:docs",)),
        ("OPTIONS", ("read:docs",)),
        ("POST", ("create:docs",)),
        ("PUT", ("update:docs",)),
        ("PATCH", ("update:docs",)),
        ("DELETE", ("delete:docs",)),
        ("PROPFIND", ("create:docs", "delete:docs", "update:docs")),
        ("delete", ("create:docs", "delete:docs", "update:docs")),
        ("", ("create:docs", "delete:docs", "update:docs")),
    ],
)
def test_finer_vocabularies_have_an_action_for_each_method(method: str, scopes: tuple[str, ...]) -> None:
    """Create, read, update and delete; and all that changes anything for a method that nobody knows."""
    assert lists(one(scopes=["docs"], vocabulary=CRUD), method) == (scopes,)


def test_a_vocabulary_has_the_last_word_on_any_method() -> None:
    """A method that its table names needs what the table says, not what every other method needs."""
    vocabulary = Vocabulary("v", ["docs"], methods={"GET": ["read"], "*": ["read"], "PURGE": ["write"]})
    assert lists(one(scopes=["docs"], vocabulary=vocabulary), "REPORT") == (("read:docs",),)
    assert lists(one(scopes=["docs"], vocabulary=vocabulary), "PURGE") == (("write:docs",),)


def test_the_table_of_a_vocabulary_decides_well_known_methods() -> None:
    """Whatever the defaults would be."""
    vocabulary = Vocabulary("v", ["docs"], methods={"POST": ["read"], "*": ["write"]})
    assert lists(one(scopes=["docs"], vocabulary=vocabulary), "POST") == (("read:docs",),)
    assert lists(one(scopes=["docs"], vocabulary=vocabulary), "GET") == (("write:docs",),)


def test_an_action_holds_whatever_the_method() -> None:
    """For a group, and for a route where it differs; beside it the method decides."""
    policy = one(
        Route(path="/markdown", methods=["POST"], action="read"),
        Route(path="/refresh", action="write"),
        scopes=["misc"],
    )
    assert lists(policy, "POST", "/a/markdown") == (("read:misc",),)
    assert lists(policy, "PUT", "/a/markdown") == (("write:misc",),)
    assert lists(policy, "POST", "/a/markdown/raw") == (("write:misc",),)
    assert lists(policy, "GET", "/a/refresh") == (("write:misc",),)
    assert lists(policy, "GET", "/a") == (("read:misc",),)
    assert lists(one(scopes=["misc"], action="read"), "DELETE") == (("read:misc",),)


def test_a_route_for_some_methods_leaves_the_others_to_its_group() -> None:
    """GET brings HEAD; nothing else comes along."""
    policy = one(Route(path="/", methods=["GET", "PROPFIND"], scopes=["issue"]), scopes=["user"])
    assert lists(policy, "GET") == lists(policy, "HEAD") == (("read:issue",),)
    assert lists(policy, "PROPFIND") == (("write:issue",),)
    assert lists(policy, "OPTIONS") == (("read:user",),)
    assert lists(policy, "POST") == lists(policy, "propfinder") == (("write:user",),)
    # Some frameworks take it for GET, so what GET needs is needed as well.
    assert lists(policy, "get") == (("read:issue", "write:user"),)
    assert lists(policy, "GET", "/a/b") == (("read:user",),)


def test_several_routes_may_share_a_path_by_method() -> None:
    """Each decides about its own, and one without methods about all others."""
    policy = one(
        Route(path="/x", methods=["GET"], scopes=[]),
        Route(path="/x", methods=["DELETE"], scopes=["admin"]),
        Route(path="/<y>", scopes=["issue"]),
        scopes=["user"],
    )
    assert lists(policy, "HEAD", "/a/x") == ()
    assert lists(policy, "DELETE", "/a/x") == (("write:admin",),)
    assert lists(policy, "POST", "/a/x") == (("write:issue",),)
    assert lists(policy, "DELETE", "/a/y") == (("write:issue",),)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "DELETE", "PROPFIND", "head", ""])
@pytest.mark.parametrize("path", ["/a", "/a/x", "/a/y", "/b", "/c"])
def test_head_always_decides_as_get(method: str, path: str) -> None:
    """Whatever routes there are; and only HEAD does."""
    policy = Policy(
        [
            Group(path="/a", scopes=["user"], routes=[Route(path="/x", methods=["GET"], scopes=["admin"])]),
            Group(path="/b", scopes=[], require_token=False),
        ],
    )
    same = need(policy, method, path) is need(policy, "GET", path)
    assert same or method not in ("GET", "HEAD")


@pytest.mark.parametrize(
    ("method", "destination"),
    [("COPY", True), ("MOVE", True), ("PUT", False), ("LOCK", False), ("copy", True), ("GET", False)],
)
def test_copy_and_move_need_their_destination_looked_at(method: str, destination: bool) -> None:
    """They write in two places, so scope bits alone never decide about them."""
    requirement = need(one(scopes=["user"]), method)
    assert requirement.destination is destination
    assert (requirement.simple == -1) is destination


# -- scopes


def granted(policy: Policy, scopes: str) -> int:
    return policy.vocabulary.parse(scopes).bits


@pytest.mark.parametrize(
    ("needs", "enough", "short"),
    [
        pytest.param({"scopes": ["user"]}, "read:user", "write:issue", id="one category"),
        pytest.param({"scopes": ["user"]}, "write:user", "public-only", id="write does for read"),
        pytest.param({"scopes": ["user", "issue"]}, "read:user,read:issue", "write:user", id="all of two"),
        pytest.param({"any_of": [["user"], ["issue"]]}, "read:issue", "read:misc", id="any of two"),
        pytest.param(
            {"any_of": [["user", "misc"], ["issue"]]}, "read:user,read:misc", "read:user", id="any of two lists"
        ),
        pytest.param(
            {"scopes": ["misc"], "any_of": [["user"], ["issue"]]},
            "read:misc,read:user",
            "read:user,read:issue",
            id="one, and any of two",
        ),
        pytest.param({"scopes": ["write:user"]}, "write:user", "read:user", id="a fixed scope"),
        pytest.param({"scopes": ["all"]}, "all", "write:user,write:issue", id="a word for everything"),
        pytest.param(
            {"any_of": [["write:admin"], ["user"]]}, "read:user", "read:admin", id="a fixed scope or a category"
        ),
    ],
)
def test_enough_scopes_meet_a_need_and_fewer_do_not(needs: dict[str, Any], enough: str, short: str) -> None:
    """All of `scopes`, and all of one list of `any_of`."""
    policy = one(**needs)
    assert need(policy).met_by(granted(policy, enough))
    assert not need(policy).met_by(granted(policy, short))
    assert not need(policy).met_by(0)


def test_scopes_are_listed_sorted() -> None:
    """One list an alternative, each in alphabetical order."""
    policy = one(scopes=["user"], any_of=[["misc"], ["write:issue", "activitypub"]])
    assert lists(policy) == (("read:misc", "read:user"), ("read:activitypub", "read:user", "write:issue"))


def test_what_is_missing_is_told_of_the_nearest_alternative() -> None:
    """The scopes that lack there; none where the need is met, or where none would help."""
    policy = one(any_of=[["misc", "user", "issue"], ["admin", "package"]])
    requirement = need(policy)
    assert requirement.missing(granted(policy, "read:misc,read:issue")) == ("read:user",)
    assert requirement.missing(granted(policy, "read:admin")) == ("read:package",)
    assert requirement.missing(0) == ("read:admin", "read:package")
    assert requirement.missing(granted(policy, "all")) == ()
    assert need(policy, path="/b").missing(0) == ()


def test_no_scope_has_to_be_written_as_such() -> None:
    """`scopes = []` asks for none; any token will do."""
    requirement = need(one(scopes=[]))
    assert requirement.scope_free
    assert requirement.met_by(0)
    assert requirement.missing(0) == ()
    assert requirement.scope_lists() == ()
    assert requirement.simple == 0


def test_a_group_that_says_nothing_about_scopes_is_refused() -> None:
    """Nothing is not the same as none."""
    with pytest.raises(PolicyError, match="say which scopes it needs") as caught:
        one()
    assert caught.value.where == "group[0].scopes"


def test_a_category_without_the_action_lets_nobody_pass() -> None:
    """Who writes where there is nothing but reading has no scope for it, whoever it is."""
    policy = one(scopes=["stats", "docs"], vocabulary=PARTIAL)
    assert need(policy, "GET").met_by(PARTIAL.everything)
    requirement = need(policy, "POST")
    assert requirement.alternatives == ()
    assert not requirement.scope_free
    assert not any(requirement.met_by(bits) for bits in range(PARTIAL.everything + 1))
    assert not requirement.met_by(-1)
    assert requirement.missing(0) == ()
    assert requirement.simple == -1


def test_an_alternative_that_nobody_can_have_leaves_the_others() -> None:
    """It just does not count."""
    policy = one(any_of=[["stats"], ["docs"]], vocabulary=PARTIAL)
    assert lists(policy, "GET") == (("read:stats",), ("read:docs",))
    assert lists(policy, "POST") == (("write:docs",),)


def test_an_empty_alternative_is_never_met() -> None:
    """Even if one came about; a requirement asks for no scope only where it says so."""
    empty = replace(need(one(scopes=["user"])), alternatives=(0,))
    assert not empty.met_by(0)
    assert not empty.met_by(empty.vocabulary.everything)
    assert empty.simple == -1


@pytest.mark.parametrize(
    ("needs", "simple"),
    [
        pytest.param({"scopes": ["user"]}, True, id="scopes alone"),
        pytest.param({"scopes": []}, True, id="none"),
        pytest.param({"scopes": ["user"], "accept": "token"}, True, id="tokens only"),
        pytest.param({"scopes": ["user"], "accept": "session"}, False, id="sessions only"),
        pytest.param({"any_of": [["user"], ["issue"]]}, False, id="alternatives"),
        pytest.param({"scopes": ["user"], "owner": "<n>", "self_or_admin": True}, False, id="self or admin"),
    ],
)
def test_bits_alone_decide_only_where_nothing_else_is_asked(needs: dict[str, Any], simple: bool) -> None:
    """What is to be looked at besides keeps a requirement from being simple."""
    requirement = need(Policy([Group(path="/<n>", **needs)]))
    assert (requirement.simple >= 0) is simple


# -- everything else a rule may say


def test_what_a_group_does_not_say_is_what_the_policy_says() -> None:
    """Someone has to be signed in, and public-only tokens are refused, unless said otherwise."""
    requirement = need(one(scopes=["user"]))
    assert (requirement.require_token, requirement.accept, requirement.public_only) == (True, "any", "reject")
    policy = Policy(
        [
            Group(path="/a", scopes=["user"]),
            Group(path="/b", scopes=["user"], require_token=True, public_only="allow", accept="session"),
        ],
        require_token=False,
        public_only="check",
    )
    requirement = need(policy)
    assert (requirement.require_token, requirement.accept, requirement.public_only) == (False, "any", "check")
    requirement = need(policy, path="/b")
    assert (requirement.require_token, requirement.accept, requirement.public_only) == (True, "session", "allow")


def test_what_a_route_does_not_say_is_what_its_group_says() -> None:
    """Key by key; scopes and any_of go together."""
    policy = Policy(
        [
            Group(
                path="/u/<name>",
                any_of=[["user"], ["admin"]],
                require_token=True,
                accept="token",
                public_only="check",
                resource="<name>",
                owner="<name>",
                self_or_admin=True,
                description="people",
                routes=[
                    Route(path="/public", require_token=False, accept="any", self_or_admin=False),
                    Route(path="/keys", scopes=["issue"]),
                    Route(path="/keys/<id>", resource="<name>:<id>", description="one key"),
                ],
            )
        ]
    )
    group = need(policy, path="/u/bob")
    assert (group.group, group.route, group.description) == ("/u/<name>", "", "people")
    public = need(policy, path="/u/bob/public")
    assert (public.require_token, public.accept, public.owner, public.public_only) == (False, "any", None, "check")
    assert public.alternatives == group.alternatives
    keys = need(policy, path="/u/bob/keys")
    assert keys.scope_lists() == (("read:issue",),)
    assert keys.owner is not None
    assert keys.owner.fill(policy.params(keys, "/u/bob/keys")) == "bob"
    key = need(policy, path="/u/bob/keys/7")
    assert key.resource is not None
    assert key.resource.fill(policy.params(key, "/u/bob/keys/7")) == "bob:7"
    assert (key.route, key.description, key.accept) == ("/u/<name>/keys/<id>", "one key", "token")


def test_params_are_those_below_the_prefix() -> None:
    """The prefix is no part of the rules' paths."""
    policy = Policy([Group(path="/<x>", scopes=[])], prefix="/api/v1")
    assert policy.params(need(policy, path="/api/v1/y/z/"), "/api/v1/y/z/") == {"x": "y"}
    assert policy.params(need(policy, path="/api/v1"), "/api/v1") == {}


def test_what_no_group_covers_is_denied() -> None:
    """No scopes, no token would help; it is told apart from a group that is never met."""
    requirement = need(one(scopes=[]), path="/b")
    assert requirement.unmatched
    assert (requirement.group, requirement.route, requirement.scope_free, requirement.simple) == ("", "", False, -1)
    assert not requirement.met_by(Vocabulary.builtin("gitea").everything)
    assert not need(one(scopes=[])).unmatched


def test_what_no_group_covers_may_pass() -> None:
    """Where the policy says so; tokens that are shown are still looked at."""
    policy = Policy([Group(path="/a", scopes=["user"])], unmatched="pass", public_only="check")
    requirement = need(policy, "DELETE", "/b")
    assert requirement.met_by(0)
    assert (requirement.require_token, requirement.unmatched, requirement.public_only) == (False, False, "check")
    assert not need(policy, "DELETE", "/a").met_by(0)


def test_a_policy_tells_what_it_is() -> None:
    """Name, size and prefix."""
    groups = [Group(path="/a", scopes=[])]
    assert repr(Policy(groups)) == "<Policy of 1 groups under />"
    assert repr(Policy(groups, prefix="/api", source="p.toml")) == "<Policy p.toml 1 groups under /api>"


def test_roles_are_ceilings_of_the_vocabulary() -> None:
    """The deployment's own beside the usual ones."""
    policy = Policy([Group(path="/a", scopes=[])], roles={"bot": "read:*, -*:admin"})
    assert policy.roles.ceiling("bot").covers("read:user")
    assert not policy.roles.ceiling("bot").covers("read:admin")
    assert not policy.roles.ceiling("bot").covers("write:user")
    with pytest.raises(VocabularyError, match="`read:uzer` matches no scope; did you mean `user`") as caught:
        Policy([Group(path="/a", scopes=[])], roles={"bot": "read:uzer"})
    assert caught.value.where == "roles.bot"


# -- rules that stand alone and cannot be


@pytest.mark.parametrize(
    ("needs", "where", "problem"),
    [
        pytest.param({"scopes": ["uzer"]}, "scopes", "`uzer` is neither a category nor a scope", id="unknown category"),
        pytest.param({"scopes": ["uzer"]}, "scopes", "did you mean `user`", id="with what may be meant"),
        pytest.param({"scopes": ["red:user"]}, "scopes", "did you mean `read:user`", id="unknown scope"),
        pytest.param({"scopes": ["read:*"]}, "scopes", "neither a category nor a scope", id="a pattern"),
        pytest.param({"any_of": [["user"], ["uzer"]]}, "scopes", "`uzer`", id="unknown category in an alternative"),
        pytest.param({"scopes": ["public-only"]}, "scopes", "is a restriction", id="a restriction"),
        pytest.param({"scopes": ["user", "user"]}, "scopes", "same word twice", id="a word twice"),
        pytest.param({"any_of": [["user", "user"]]}, "any_of", "same word twice", id="a word twice in an alternative"),
        pytest.param({"scopes": [""]}, "scopes", "expected a list of categories", id="an empty word"),
        pytest.param({"scopes": "user"}, "scopes", "expected a list", id="a string for scopes"),
        pytest.param({"scopes": 7}, "scopes", "expected a list", id="a number for scopes"),
        pytest.param({"scopes": [7]}, "scopes", "expected a list of categories", id="a number as scope"),
        pytest.param({"scopes": {"user": 1}}, "scopes", "expected a list", id="a table for scopes"),
        pytest.param({"any_of": [[]]}, "any_of", "empty alternative", id="an empty alternative"),
        pytest.param({"any_of": [["user"], []]}, "any_of", "empty alternative", id="one empty alternative"),
        pytest.param({"any_of": ["user"]}, "any_of", "expected a list", id="a list of strings for a list of lists"),
        pytest.param({"any_of": "user"}, "any_of", "expected a list", id="a string for alternatives"),
        pytest.param({"any_of": [7]}, "any_of", "expected a list", id="a number as alternative"),
        pytest.param({"scopes": ["user"], "action": "wirte"}, "action", "did you mean `write`", id="unknown action"),
        pytest.param({"scopes": ["user"], "action": ""}, "action", "unknown action", id="empty action"),
        pytest.param({"scopes": ["user"], "action": 7}, "action", "unknown action", id="a number for an action"),
        pytest.param({"scopes": ["user"], "action": ["read"]}, "action", "unknown action", id="a list for an action"),
        pytest.param({"scopes": ["read:user"], "action": "read"}, "action", "no effect", id="action of fixed scopes"),
        pytest.param({"scopes": [], "action": "read"}, "action", "no effect", id="action of nothing"),
        pytest.param({"scopes": [], "require_token": "no"}, "require_token", "true or false", id="a word for a flag"),
        pytest.param({"scopes": [], "require_token": 0}, "require_token", "true or false", id="a number for a flag"),
        pytest.param({"scopes": [], "accept": "all"}, "accept", "none of any, token, session", id="unknown accept"),
        pytest.param({"scopes": [], "accept": ["any"]}, "accept", "none of", id="a list for accept"),
        pytest.param(
            {"scopes": [], "accept": "token", "require_token": False}, "accept", "no effect", id="accept of no token"
        ),
        pytest.param({"scopes": [], "public_only": "deny"}, "public_only", "none of check", id="unknown public_only"),
        pytest.param({"scopes": [], "public_only": True}, "public_only", "none of check", id="a flag for public_only"),
        pytest.param({"scopes": [], "resource": "<m>"}, "resource", "no variable of `/a/<n>`", id="unknown variable"),
        pytest.param({"scopes": [], "resource": "n"}, "resource", "names no variable", id="no variable"),
        pytest.param({"scopes": [], "resource": 7}, "resource", "expected a string", id="a number for a template"),
        pytest.param({"scopes": [], "owner": "<n>"}, "owner", "no effect without self_or_admin", id="owner alone"),
        pytest.param(
            {"scopes": [], "owner": "<n>", "self_or_admin": False}, "owner", "no effect", id="owner for nothing"
        ),
        pytest.param(
            {"scopes": [], "owner": "<m>", "self_or_admin": True}, "owner", "no variable of", id="unknown owner"
        ),
        pytest.param({"scopes": [], "self_or_admin": True}, "self_or_admin", "say whose", id="self or admin of nobody"),
        pytest.param({"scopes": [], "self_or_admin": 1}, "self_or_admin", "true or false", id="a number for a flag 2"),
        pytest.param(
            {"scopes": [], "owner": "<n>", "self_or_admin": True, "require_token": False},
            "self_or_admin",
            "no effect where require_token = false",
            id="self or admin of nobody in particular",
        ),
    ],
)
def test_a_rule_that_cannot_be_is_refused(needs: dict[str, Any], where: str, problem: str) -> None:
    """For a group as for a route, the error names the rule, the key and the trouble."""
    with pytest.raises(PolicyError) as caught:
        Policy([Group(path="/b", scopes=[]), Group(path="/a/<n>", **needs)])
    assert caught.value.where == f"group[1].{where}"
    assert problem in caught.value.problem
    with pytest.raises(PolicyError) as caught:
        Policy([Group(path="/a", scopes=["user"], routes=[Route(path="/<n>", **needs)])])
    assert caught.value.where == f"group[0].route[0].{where}"
    assert problem.replace("`/a/<n>`", "") in caught.value.problem


@pytest.mark.parametrize(
    "needs",
    [
        pytest.param({"accept": ""}, id="empty accept"),
        pytest.param({"accept": False}, id="a flag for accept"),
        pytest.param({"public_only": False}, id="a flag for public_only"),
        pytest.param({"public_only": 0}, id="a number for public_only"),
    ],
)
def test_a_value_that_is_false_is_still_a_value(needs: dict[str, Any]) -> None:
    """It is refused like every other wrong one."""
    with pytest.raises(PolicyError):
        one(scopes=["user"], **needs)


def test_a_group_without_alternatives_is_refused() -> None:
    """An empty list of alternatives is not how no scope is asked for."""
    with pytest.raises(PolicyError, match="no alternative at all") as caught:
        one(any_of=[])
    assert caught.value.where == "group[0].any_of"


@pytest.mark.parametrize(
    "needs",
    [
        pytest.param({"any_of": []}, id="no alternative"),
        pytest.param({"any_of": False}, id="a flag for alternatives"),
        pytest.param({"scopes": False}, id="a flag for scopes"),
        pytest.param({"scopes": 0}, id="a number for scopes"),
        pytest.param({"scopes": {}}, id="a table for scopes"),
    ],
)
def test_a_route_is_open_only_where_it_says_so(needs: dict[str, Any]) -> None:
    """Nothing but `scopes = []` asks for no scope; whatever else is empty or false is refused."""
    with pytest.raises(PolicyError):
        one(Route(path="/b", **needs), scopes=["admin"])


def test_an_empty_tuple_of_alternatives_is_refused() -> None:
    """In Python as in TOML."""
    with pytest.raises(PolicyError):
        one(any_of=())


def test_an_action_that_a_category_lacks_is_refused() -> None:
    """The rule would let nobody pass, whatever the method."""
    with pytest.raises(PolicyError, match="the category `stats` has no action `write`"):
        one(scopes=["docs", "stats"], action="write", vocabulary=PARTIAL)
    assert lists(one(scopes=["docs", "stats"], action="read", vocabulary=PARTIAL), "PUT") == (
        ("read:docs", "read:stats"),
    )


@pytest.mark.parametrize(
    ("methods", "problem"),
    [
        pytest.param([], "no method at all", id="none"),
        pytest.param("GET", "expected a list", id="a string"),
        pytest.param(7, "expected a list", id="a number"),
        pytest.param([7], "upper-case letters: `7`", id="a number in the list"),
        pytest.param([["GET"]], "upper-case letters", id="a list in the list"),
        pytest.param(["get"], "upper-case letters: `get`", id="lower case"),
        pytest.param(["M-SEARCH"], "upper-case letters: `M-SEARCH`", id="a dash"),
        pytest.param([""], "upper-case letters", id="empty"),
        pytest.param(["ÉT"], "upper-case letters", id="beyond ASCII"),
        pytest.param(["HEAD"], "HEAD always decides as GET; name GET", id="HEAD"),
        pytest.param(["GET", "HEAD"], "HEAD always decides as GET", id="HEAD beside GET"),
        pytest.param(["GET", "GET"], "the same method twice", id="twice"),
    ],
)
def test_methods_that_cannot_be_are_refused(methods: Any, problem: str) -> None:
    """A list of upper-case words, each once, and never HEAD."""
    with pytest.raises(PolicyError) as caught:
        one(Route(path="/b", methods=methods, scopes=[]), scopes=["user"])
    assert caught.value.where == "group[0].route[0].methods"
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    "route",
    [
        pytest.param(Route(path="/b"), id="nothing"),
        pytest.param(Route(path="/b", methods=["GET"]), id="methods alone"),
        pytest.param(Route(path="/b", description="b"), id="a description alone"),
    ],
)
def test_a_route_that_says_nothing_new_is_refused(route: Route) -> None:
    """It would have no effect; with one need of its own it loads."""
    with pytest.raises(PolicyError, match="says nothing that its group does not say") as caught:
        one(route, scopes=["user"])
    assert caught.value.where == "group[0].route[0].path"
    assert need(one(replace(route, scopes=[]), scopes=["user"]), path="/a/b").scope_free


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        pytest.param("a", "starts with a slash", id="no slash"),
        pytest.param("/a/../b", "in no canonical path", id="dots"),
        pytest.param("/<x", "cannot be in a path", id="not closed"),
        pytest.param(7, "expected a string", id="a number"),
        pytest.param(None, "expected a string", id="nothing"),
    ],
)
def test_a_path_that_cannot_be_is_refused(path: Any, problem: str) -> None:
    """Of a group and of a route."""
    with pytest.raises(PolicyError) as caught:
        Policy([Group(path=path, scopes=[])])
    assert caught.value.where == "group[0].path"
    assert problem in caught.value.problem
    with pytest.raises(PolicyError) as caught:
        one(Route(path=path, scopes=[]), scopes=["user"])
    assert caught.value.where == "group[0].route[0].path"
    assert problem in caught.value.problem


def test_a_route_cannot_use_a_variable_of_its_group_again() -> None:
    """The variables of both make one path."""
    with pytest.raises(PolicyError, match="`x` is there twice") as caught:
        Policy([Group(path="/<x>", scopes=["user"], routes=[Route(path="/<x>", scopes=[])])])
    assert caught.value.where == "group[0].route[0].path"


@pytest.mark.parametrize(
    ("arguments", "where", "problem"),
    [
        pytest.param({"prefix": "api"}, "policy.prefix", "starts with a slash", id="prefix without a slash"),
        pytest.param({"prefix": "/api//v1"}, "policy.prefix", "no canonical path", id="prefix with two slashes"),
        pytest.param({"prefix": "/<version>"}, "policy.prefix", "a prefix has no variables", id="prefix with variable"),
        pytest.param({"require_token": 1}, "policy.require_token", "true or false", id="a number for a flag"),
        pytest.param({"unmatched": "allow"}, "policy.unmatched", "none of deny, pass", id="unknown unmatched"),
        pytest.param({"unmatched": ""}, "policy.unmatched", "none of deny, pass", id="empty unmatched"),
        pytest.param({"public_only": False}, "policy.public_only", "none of check", id="a flag for public_only"),
        pytest.param(
            {"vocabulary": "gitee"}, "policy.vocabulary", "no built-in vocabulary `gitee`", id="unknown vocabulary"
        ),
    ],
)
def test_a_policy_that_cannot_be_is_refused(arguments: dict[str, Any], where: str, problem: str) -> None:
    """The error names the key of the [policy] table, or what is not known."""
    with pytest.raises(ConfigurationError) as caught:
        Policy([Group(path="/a", scopes=[])], **arguments)
    assert caught.value.where == where
    assert problem in caught.value.problem


def test_a_policy_without_groups_is_refused() -> None:
    """Nothing could pass."""
    with pytest.raises(PolicyError, match="there is no group"):
        Policy([])


# -- rules against each other


def refused(groups: Sequence[Group], *words: str) -> PolicyError:
    """The error that these groups are refused with; all `words`, rules' names first of all, are in it."""
    with pytest.raises(PolicyError) as caught:
        Policy(groups)
    for word in words:
        assert word in str(caught.value), word
    return caught.value


@pytest.mark.parametrize(
    ("one_path", "other_path"),
    [
        pytest.param("/a", "/a", id="the same text"),
        pytest.param("/a", "/a/", id="a slash at the end"),
        pytest.param("/<x>", "/<y>", id="variables of other names"),
        pytest.param("/<x>", "/<string:y>", id="the default converter by name"),
        pytest.param("/<int:x>/b", "/<int:y>/b/", id="typed variables of other names"),
        pytest.param("/<any(a,b):x>", "/<any(b,a):y>", id="choices in another order"),
        pytest.param("/<path:x>", "/<path:y>", id="many segments"),
        pytest.param("/", "/", id="the root"),
    ],
)
def test_two_groups_at_one_path_are_refused(one_path: str, other_path: str) -> None:
    """Even where they need the same; both are named, the second is the place."""
    error = refused(
        [
            Group(path=one_path, scopes=["user"], where="3: group[0]"),
            Group(path=other_path, scopes=["user"], where="7: group[1]"),
        ],
        "two rules for one path",
        f"`{one_path}` (3: group[0])",
        f"`{other_path}` (7: group[1])",
    )
    assert error.where == "7: group[1]"


@pytest.mark.parametrize(
    ("one_path", "other_path"),
    [
        pytest.param("/a", "/<any(a):x>", id="the only choice"),
        pytest.param("/a/<x>", "/a/<path:y>", id="one segment and all below, and many segments"),
    ],
)
def test_two_groups_with_the_same_paths_are_refused(one_path: str, other_path: str) -> None:
    """One of them would never decide."""
    refused([Group(path=one_path, scopes=["user"]), Group(path=other_path, scopes=["issue"])], one_path, other_path)


@pytest.mark.parametrize(
    ("one_path", "other_path"),
    [
        pytest.param("/<x>/b", "/a/<y>", id="of one length"),
        pytest.param("/<x>/b", "/a", id="a shorter one"),
        pytest.param("/<x>/b/c", "/a/<y>", id="a longer one"),
        pytest.param("/<any(a,b):x>", "/<any(b,c):y>", id="choices with one in common"),
        pytest.param("/<int:x>", "/<string(length=2):y>", id="types that nobody can tell apart"),
        pytest.param("/<path:x>/b", "/a", id="many segments and a literal"),
        pytest.param("/<path:x>/b", "/a/<path:y>", id="many segments twice"),
        pytest.param("/<x>.<y>", "/<x>-<y>", id="several variables in a segment"),
    ],
)
def test_ambiguous_groups_are_refused(one_path: str, other_path: str) -> None:
    """Both cover some path, need different things there, and neither is the more specific; both are named."""
    one_group = Group(path=one_path, scopes=["user"], where="3: group[0]")
    other_group = Group(path=other_path, scopes=["issue"], where="7: group[1]")
    names = (f"`{one_path}` (3: group[0])", f"`{other_path}` (7: group[1])")
    for groups in ([one_group, other_group], [other_group, one_group]):
        error = refused(groups, "ambiguous", *names)
        assert error.where in ("3: group[0]", "7: group[1]")
    assert Policy([one_group, replace(other_group, scopes=["user"])])


@pytest.mark.parametrize(
    "difference",
    [
        pytest.param({"scopes": ["user"], "require_token": False}, id="require_token"),
        pytest.param({"scopes": ["user"], "accept": "token"}, id="accept"),
        pytest.param({"scopes": ["user"], "public_only": "check"}, id="public_only"),
        pytest.param({"scopes": ["user"], "resource": "<y>"}, id="resource"),
        pytest.param({"scopes": ["user"], "owner": "<y>", "self_or_admin": True}, id="owner"),
        pytest.param({"scopes": ["user"], "action": "read"}, id="action"),
        pytest.param({"scopes": ["user"], "bound": "filter"}, id="bound"),
        pytest.param({"scopes": []}, id="no scope"),
        pytest.param({"any_of": [["user"], ["issue"]]}, id="an alternative more"),
    ],
)
def test_every_need_counts_for_ambiguity(difference: dict[str, Any]) -> None:
    """Not only scopes."""
    refused(
        [Group(path="/<x>/b", scopes=["user"]), Group(path="/a/<y>", **difference)],
        "ambiguous",
        "`/<x>/b`",
        "`/a/<y>`",
    )


def test_templates_of_other_segments_make_rules_ambiguous() -> None:
    """The first variable of one is the first segment, that of the other the second: another resource."""
    refused(
        [
            Group(path="/<x>/b", scopes=["user"], resource="<x>"),
            Group(path="/a/<y>", scopes=["user"], resource="<y>"),
        ],
        "ambiguous",
    )


def test_templates_of_the_same_segments_are_no_difference() -> None:
    """Whatever the variables are called."""
    policy = Policy(
        [
            Group(path="/<x>/<y>/b", scopes=["user"], resource="<y>"),
            Group(path="/<p>/<q>/<r>/c", scopes=["user"], resource="<q>"),
        ]
    )
    assert need(policy, path="/1/2/b").resource is not None


def test_a_rule_for_what_two_share_settles_it() -> None:
    """It decides there, and each of the two elsewhere; a rule for something narrower is not enough."""
    crossing = [Group(path="/<x>/b", scopes=["user"]), Group(path="/a/<y>", scopes=["issue"])]
    policy = Policy([*crossing, Group(path="/a/b", scopes=["admin"])])
    assert need(policy, path="/a/b").group == need(policy, path="/a/b/c").group == "/a/b"
    assert need(policy, path="/z/b").group == "/<x>/b"
    assert need(policy, path="/a/z").group == "/a/<y>"
    refused([*crossing, Group(path="/a/b/c", scopes=["admin"])], "ambiguous")


def test_what_groups_of_different_lengths_share_can_be_settled_too() -> None:
    """The rule has the literals of both."""
    crossing = [Group(path="/<x>/b/<z>", scopes=["user"]), Group(path="/a", scopes=["issue"])]
    refused(crossing, "ambiguous", "`/<x>/b/<z>`", "`/a`")
    policy = Policy([*crossing, Group(path="/a/b/<z>", scopes=["admin"])])
    assert need(policy, path="/a/b/c").group == "/a/b/<z>"
    assert need(policy, path="/a/b").group == "/a"


def test_types_that_have_a_value_in_common_cannot_be_settled() -> None:
    """There is no rule for just what two typed variables share."""
    groups = [Group(path="/<int:x>/b", scopes=["user"]), Group(path="/<string(length=2):y>/<z>", scopes=["issue"])]
    refused([*groups, Group(path="/<int:x>/c", scopes=["admin"])], "ambiguous")


@pytest.mark.parametrize(
    ("one_path", "other_path", "path", "group"),
    [
        pytest.param("/<int:x>", "/a", "/a", "/a", id="a number and a word"),
        pytest.param("/<int:x>", "/<y>", "/7", "/<int:x>", id="a number is more specific than anything"),
        pytest.param("/<int:x>/b", "/<any(a,c):y>/<z>", "/a/b", "/<any(a,c):y>/<z>", id="a number and a choice"),
        pytest.param("/<any(a,b):x>", "/a", "/a", "/a", id="a word is more specific than a choice"),
        pytest.param("/<any(a,b,c):x>", "/<any(a,b):y>", "/a", "/<any(a,b):y>", id="fewer choices"),
        pytest.param("/<x>.<any(a,b):y>", "/<z>", "/1.a", "/<x>.<any(a,b):y>", id="a suffix"),
        pytest.param("/<path:x>/b", "/<x>/b/c", "/a/b/c", "/<x>/b/c", id="many segments, not the most specific"),
        pytest.param("/<path:x>", "/<y>/<z>", "/a/b", "/<y>/<z>", id="many segments, and two"),
    ],
)
def test_converters_settle_what_plain_variables_leave_open(
    one_path: str, other_path: str, path: str, group: str
) -> None:
    """Whichever comes first in the policy."""
    groups = [Group(path=one_path, scopes=["user"]), Group(path=other_path, scopes=["issue"])]
    assert need(Policy(groups), path=path).group == group
    assert need(Policy(groups[::-1]), path=path).group == group


def test_ambiguous_routes_are_refused() -> None:
    """Inside one group, by path and by method; both are named with their methods."""
    one_route = Route(path="/<x>/b", scopes=["issue"], where="5: group[0].route[0]")
    other_route = Route(path="/c/<y>", methods=["GET", "POST"], scopes=["misc"], where="9: group[0].route[1]")
    error = refused(
        [Group(path="/a", scopes=["user"], routes=[one_route, other_route])],
        "ambiguous",
        "`/a/<x>/b` (5: group[0].route[0])",
        "`GET,POST /a/c/<y>` (9: group[0].route[1])",
    )
    assert error.where in ("5: group[0].route[0]", "9: group[0].route[1]")
    assert one(one_route, replace(other_route, scopes=["issue"]), scopes=["user"])
    assert one(replace(one_route, methods=["DELETE"]), other_route, scopes=["user"])
    settled = one(one_route, other_route, Route(path="/c/b", scopes=["admin"]), scopes=["user"])
    assert need(settled, path="/a/c/b").route == "/a/c/b"


@pytest.mark.parametrize(
    ("paths", "path", "route"),
    [
        pytest.param(("/<path:x>", "/<y>"), "/a/b", "/a/<y>", id="one segment and many"),
        pytest.param(("/<path:x>", "/<path:y>/c"), "/a/b/c", "/a/<path:y>/c", id="many, and then a word"),
        pytest.param(("/<path:x>/<y>", "/<path:z>/c"), "/a/b/c", "/a/<path:z>/c", id="many, and then a variable"),
        pytest.param(("/<path:x>/c", "/b/<path:y>/c"), "/a/b/x/c", "/a/b/<path:y>/c", id="a word in front"),
    ],
)
def test_the_narrower_of_two_routes_of_many_segments_decides(paths: tuple[str, str], path: str, route: str) -> None:
    """Whichever comes first."""
    routes = [Route(path=paths[0], scopes=["issue"]), Route(path=paths[1], scopes=["misc"])]
    assert need(one(*routes, scopes=["user"]), path=path).route == route
    assert need(one(*routes[::-1], scopes=["user"]), path=path).route == route


def test_two_routes_at_one_path_are_refused_where_they_share_a_method() -> None:
    """By name, or because one is for all; for different methods they may stand side by side."""
    get = Route(path="/b", methods=["GET"], scopes=[], where="5: r")
    for other in (replace(get, path="/b/", where="9: r"), Route(path="/b", scopes=["misc"], where="9: r")):
        error = refused(
            [Group(path="/a", scopes=["user"], routes=[get, other])], "two rules for one path", "`GET /a/b` (5: r)"
        )
        assert "/a/b" in error.problem.partition(" and ")[2]
        assert error.where == "9: r"
    propfind = replace(get, methods=["PROPFIND"])
    refused([Group(path="/a", scopes=["user"], routes=[Route(path="/b", scopes=[]), propfind])], "`PROPFIND /a/b`")
    assert one(get, propfind, replace(get, methods=["POST"]), scopes=["user"])


def test_routes_of_two_groups_may_share_a_path_that_only_one_of_them_decides() -> None:
    """A route counts inside of its own group."""
    policy = Policy(
        [
            Group(path="/", scopes=["user"], routes=[Route(path="/<x>/c", scopes=["issue"])]),
            Group(path="/b", scopes=["user"], routes=[Route(path="/c", scopes=["misc"])]),
        ]
    )
    assert need(policy, path="/b/c").route == "/b/c"
    assert need(policy, path="/a/c").route == "/<x>/c"


@pytest.mark.parametrize(
    ("group", "route", "inner"),
    [
        pytest.param("/a", "/b/c", "/a/b", id="below it"),
        pytest.param("/a", "/b", "/a/b", id="its very path"),
        pytest.param("/a", "/b/<y>", "/a/<x>", id="a variable of it"),
        pytest.param("/<v>", "/b/c", "/<w>/b", id="with variables of other names"),
        pytest.param("/a", "/b/c/d", "/a/<path:x>/c", id="after many segments"),
    ],
)
def test_a_route_inside_of_a_more_specific_group_is_refused(group: str, route: str, inner: str) -> None:
    """It would never decide; it and the group that does are named."""
    error = refused(
        [
            Group(path=group, scopes=["user"], routes=[Route(path=route, scopes=[], where="5: r")]),
            Group(path=inner, scopes=["user"], where="9: g"),
        ],
        "never decides",
        f"`{group}{route}` (5: r)",
        f"`{inner}` (9: g)",
    )
    assert error.where == "5: r"


def test_a_route_of_many_segments_inside_of_a_more_specific_group_is_refused() -> None:
    """It would never decide either."""
    refused(
        [
            Group(path="/a", scopes=["user"], routes=[Route(path="/b/<path:x>", scopes=["admin"])]),
            Group(path="/a/b", scopes=["issue"]),
        ],
        "never decides",
    )


def test_a_route_that_a_more_specific_group_takes_only_a_part_of_loads() -> None:
    """There is enough left for it to decide."""
    policy = Policy(
        [
            Group(path="/a", scopes=["user"], routes=[Route(path="/<x>/c", scopes=["issue"])]),
            Group(path="/a/b", scopes=["misc"]),
        ]
    )
    assert need(policy, path="/a/z/c").route == "/a/<x>/c"
    assert need(policy, path="/a/b/c").group == "/a/b"


def test_a_group_that_is_no_more_than_a_path_apart_does_not_make_a_route_dead() -> None:
    """Crossing groups that need the same leave routes elsewhere alone."""
    policy = Policy(
        [
            Group(path="/a/<x>", scopes=["user"], routes=[Route(path="/c", scopes=["issue"])]),
            Group(path="/b/<x>", scopes=["user"]),
        ]
    )
    assert need(policy, path="/a/b/c").route == "/a/<x>/c"
    assert need(policy, path="/b/a/c").group == "/b/<x>"


# -- groups without what is below them


def test_a_group_may_leave_out_what_is_below() -> None:
    """Then it is more specific than one at the same path that does not."""
    policy = Policy(
        [
            Group(path="/a", scopes=["user"], routes=[Route(path="/b/c", scopes=["misc"])]),
            Group(path="/a", below=False, scopes=["issue"]),
            Group(path="/a/<x>", below=False, scopes=["package"], routes=[Route(path="/", methods=["PUT"], scopes=[])]),
        ]
    )
    assert lists(policy, path="/a") == lists(policy, path="/a/") == (("read:issue",),)
    assert lists(policy, path="/a/b") == (("read:package",),)
    assert need(policy, "PUT", "/a/b").scope_free
    assert lists(policy, path="/a/b/c") == (("read:misc",),)
    assert lists(policy, path="/a/b/d") == (("read:user",),)


def test_below_a_group_that_leaves_it_out_nothing_is_covered() -> None:
    """Unless another group does."""
    policy = Policy([Group(path="/a/<x>", below=False, scopes=[])])
    assert not need(policy, path="/a/b").unmatched
    assert need(policy, path="/a").unmatched
    assert need(policy, path="/a/b/c").unmatched


def test_groups_that_only_cross_below_do_not_make_a_policy_ambiguous() -> None:
    """What one leaves out is not shared."""
    crossing = [Group(path="/<x>/b", scopes=["user"]), Group(path="/a", scopes=["issue"])]
    refused(crossing, "ambiguous")
    policy = Policy([crossing[0], replace(crossing[1], below=False)])
    assert need(policy, path="/a/b").group == "/<x>/b"
    refused([replace(crossing[0], below=False), crossing[1]], "ambiguous")
    assert Policy([replace(crossing[0], below=False), crossing[1], Group(path="/a/b", below=False, scopes=[])])


def test_two_groups_at_one_path_without_what_is_below_are_refused() -> None:
    """As two with it are."""
    group = Group(path="/<x>", below=False, scopes=[])
    refused([group, replace(group, path="/<y>/")], "two rules for one path", "`/<x>`", "`/<y>/`")


@pytest.mark.parametrize(
    ("group", "problem"),
    [
        pytest.param(Group(path="/a", scopes=[], below=1), "true or false", id="a number"),  # type: ignore[arg-type]
        pytest.param(
            Group(path="/a", scopes=["user"], below=False, routes=[Route(path="/b", scopes=[])]),
            "has no routes there",
            id="a route below",
        ),
    ],
)
def test_below_is_a_flag_and_routes_keep_to_it(group: Group, problem: str) -> None:
    """A route where the group does not reach would never decide."""
    error = refused([group], problem)
    assert error.where == "group[0].below"


def test_a_route_at_the_path_of_such_a_group_is_refused_in_the_wider_one() -> None:
    """It would never decide."""
    refused(
        [
            Group(path="/a", scopes=["user"], routes=[Route(path="/", scopes=["misc"])]),
            Group(path="/a", below=False, scopes=["issue"]),
        ],
        "never decides",
    )
