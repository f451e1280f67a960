"""The least a token needs: what was done with it can be done again with that, by the same gate, and with nothing less.

Every request here is made through a gate, read back from its log, and made again with the advised scopes.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import flask
import pytest
from calls import Recorder, call_gate
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from policy_strategies import TEXTS, policies

from scopeware import Policy, Scopeware, TokenStore, req_scopes
from scopeware.introspect.least import Advice, advise
from scopeware.tokens import Issued, LogEntry, LogFilter
from scopeware.tokens.sqlite import _PRAGMAS

unhurried = settings(
    max_examples=70,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)

FORGE = """
[policy]
prefix = "/api"

[[group]]
path = "/repos/<owner>/<repo>"
scopes = ["repository"]
resource = "<owner>/<repo>"
public_only = "check"
  [[group.route]]
  path = "/markdown"
  methods = ["POST"]
  action = "read"

[[group]]
path = "/lists"
scopes = ["repository"]
bound = "filter"

[[group]]
path = "/pages/<path:page>"
below = false
scopes = ["misc"]
resource = "<page>"

[[group]]
path = "/issues"
scopes = ["issue"]

[[group]]
path = "/both"
scopes = ["issue", "package"]

[[group]]
path = "/either"
any_of = [["read:issue"], ["read:package", "read:misc"]]

[[group]]
path = "/fixed"
scopes = ["write:misc"]

[[group]]
path = "/users/<name>/mail"
scopes = ["user"]
owner = "<name>"
self_or_admin = true

[[group]]
path = "/anyone"
scopes = []

[[group]]
path = "/free/<name>"
scopes = []
resource = "<name>"
"""

DEPOT = """
[policy]
prefix = "/api"

[vocabulary]
name = "depot"
spelling = "category:action"
actions = ["read_any", "read_own", "write_any", "write_own"]
implies = { write_any = ["read_any"], write_own = ["read_own"] }
own = { read_any = "read_own", write_any = "write_own" }
methods = { GET = ["read_any"], "*" = ["write_any"] }
categories = { docker = "Containers", vms = "Virtual machines" }

[roles]
operator = "*:read_any"

[[group]]
path = "/docker"
scopes = ["docker"]
own = "filter"

[[group]]
path = "/docker/<name>"
scopes = ["docker"]
resource = "docker/<name>"

[[group]]
path = "/vms"
scopes = ["vms"]

[[group]]
path = "/files"
scopes = []
others = ["operator"]
own = "filter"
"""


_numbers = itertools.count()


class Request(NamedTuple):
    """One request, and where it is to copy or move to."""

    method: str
    path: str
    destination: str = ""

    def environ(self) -> dict[str, str]:
        return {"HTTP_DESTINATION": self.destination} if self.destination else {}


class Site:
    """An application behind a gate, and what its log makes of tokens."""

    def __init__(self, store: TokenStore, policy: Policy, app: Any = None, **options: Any) -> None:
        self.store = store
        self.policy = policy
        self.recorder = app or Recorder()
        self.gate = Scopeware(self.recorder, policy, store, **options)

    def issue(self, scopes: Any, owner: str = "alice", **more: Any) -> Issued:
        return self.store.issue(owner=owner, name=f"token {next(_numbers)}", scopes=scopes, **more)

    def ask(self, secret: str, request: Request) -> int:
        raw = request.path.encode("utf-8").decode("latin-1")
        environ = request.environ()
        return call_gate(self.gate, request.method, raw, environ=environ, authorization=f"Bearer {secret}").status

    def all_ask(self, secret: str, requests: list[Request]) -> list[Request]:
        """Those that were allowed."""
        return [request for request in requests if self.ask(secret, request) == 200]

    def entries(self, token_id: int | None = None) -> list[LogEntry]:
        self.gate.access_log.flush()
        return [record.entry for record in self.store.access_log().all(LogFilter(token_id=token_id))]

    def advice(self, issued: Issued, policy: Policy | None = None) -> Advice:
        token = self.store.show(issued.token.id)
        return advise(policy or self.policy, token, self.entries(token.id))

    def refused_with(self, scopes: Any, requests: list[Request], owner: str) -> list[Request]:
        """What a new token with these scopes may not do of it."""
        secret = self.issue(scopes, owner).secret
        return [request for request in requests if self.ask(secret, request) != 200]

    def prove(self, issued: Issued, requests: list[Request], *, minimal: bool = True) -> Advice:
        """Make requests, and check the advice by making those that were allowed again.

        :param minimal: whether none of the advised scopes may go, either.
        """
        done = self.all_ask(issued.secret, requests)
        advice = self.advice(issued)
        assert (advice.requests, advice.refused) == (len(done), ())
        assert advice.scopes <= issued.token.scopes
        if not done:
            assert (advice.scopes, advice.narrows) == (issued.token.scopes, False)
            return advice
        narrower = self.store.rotate(issued.token.id, scopes=advice.scopes)
        assert [request for request in done if self.ask(narrower.secret, request) != 200] == []
        words = str(advice.scopes).split(",")
        for word in words if minimal else ():
            fewer = self.policy.vocabulary.parse([each for each in words if each != word])
            if word != "public-only" and fewer:
                assert self.refused_with(fewer, done, issued.token.owner), f"{word} of {words} can go"
        return advice


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No view is guarded but those of this file, and nobody waits for the disk."""
    monkeypatch.setattr("scopeware.gate.guards.in_use", False)
    monkeypatch.setitem(_PRAGMAS, "synchronous", "off")


@pytest.fixture
def site(store: TokenStore) -> Callable[..., Site]:
    """``site(policy, **options)``: an application behind a gate."""
    return lambda policy=FORGE, **options: Site(store, Policy.loads(policy), **options)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenStore]:
    """A store that all examples of this file's properties share; its owners have all the roles."""
    made = shared_store(tmp_path_factory.mktemp("least"))
    for role in ("user", "viewer", "admin"):
        made.add_owner(role, role=role)
    yield made
    made.close()


@pytest.fixture(scope="module")
def depot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TokenStore, Policy]]:
    """The same with a vocabulary in which people have things of their own."""
    made, policy = shared_store(tmp_path_factory.mktemp("depot")), Policy.loads(DEPOT)
    made.use(policy.vocabulary, policy.roles, "swt", policy.lifetimes)
    for role in ("user", "operator", "admin"):
        made.add_owner(role, role=role)
    yield made, policy
    made.close()


def shared_store(folder: Path) -> TokenStore:
    return TokenStore.connect(f"sqlite:///{folder}/tokens.db")


# -- whatever the policy, the token and the requests

WORDS = ("all", "read:user", "write:user", "read:issue", "write:issue", "read:misc", "write:misc", "write:admin")
PLACES = ("a", "b", "z", "7", "7.diff", "a/*", "a/b", "7/*", "größe")
METHODS = ("GET", "GET", "HEAD", "POST", "DELETE", "PROPFIND", "get")

grants = st.builds("{}{}".format, st.sampled_from(WORDS), st.sampled_from(("", "", *(f"@{each}" for each in PLACES))))
tokens = st.builds(
    lambda words, restricted: ",".join([*restricted, *words]).replace("ö", "%C3%B6").replace("ß", "%C3%9F"),
    st.lists(grants, min_size=1, max_size=5),
    st.sampled_from([(), (), ("public-only",)]),
)


@st.composite
def cases(draw: st.DrawFn, *, moving: bool = False) -> tuple[Policy, str, list[Request], str]:
    """A policy of few words, a token, requests for what lies in its groups and near by, and the token's owner."""
    groups = draw(policies(alike=not moving))
    policy = Policy(groups, public_only=draw(st.sampled_from(["check", "check", "allow", "reject"])))
    rules = [f"{group.path}{end}" for group in groups for end in ("", "/<x>", *(route.path for route in group.routes))]

    def path() -> str:
        whole = re.sub(r"<path:[^<>]*>|<[^<>]*>", lambda _: draw(texts), draw(st.sampled_from(rules)))
        return re.sub("/+", "/", whole).rstrip("/") or "/"

    texts = st.sampled_from([*TEXTS, "größe"])
    requests = [Request(draw(st.sampled_from(METHODS)), path()) for _ in range(draw(st.integers(1, 6)))]
    if moving:
        way = st.sampled_from(["COPY", "MOVE", "move"])
        requests[0] = Request(draw(way), path(), draw(st.sampled_from(["", quote(path())])))
        return policy, draw(st.sampled_from(["all", "all@a,all@b", "all@a/*,all@b"])), requests, "admin"
    return policy, draw(tokens), requests, draw(st.sampled_from(["user", "user", "viewer", "admin"]))


def prove(store: TokenStore, case: tuple[Policy, str, list[Request], str], **options: Any) -> None:
    policy, scopes, requests, owner = case
    site = Site(store, policy, visibility=lambda environ, resource: "public")
    site.prove(site.issue(scopes, owner), requests, **options)


@unhurried
@given(cases())
def test_what_was_done_can_be_done_with_the_least(shared: TokenStore, case: Any) -> None:
    """Every logged request that was allowed is allowed by the advised scopes, which are none that the token has not."""
    prove(shared, case, minimal=False)


@unhurried
@given(cases())
def test_nothing_of_the_least_can_go(shared: TokenStore, case: Any) -> None:
    """Without any one of the advised scopes at least one of the logged requests is refused."""
    prove(shared, case)


@unhurried
@given(cases(moving=True))
def test_what_was_copied_and_moved_can_be_again(shared: TokenStore, case: Any) -> None:
    """Wherever to."""
    prove(shared, case, minimal=False)


OWNED = st.sampled_from(["docker:read_any", "docker:read_own", "docker:write_any", "docker:write_own", "vms:write_any"])
PLACED = st.sampled_from(["", "", "@docker/mine", "@docker/*"])
owned_requests = st.builds(
    Request,
    st.sampled_from(["GET", "POST"]),
    st.sampled_from(["/api/docker", "/api/docker/mine", "/api/docker/other", "/api/vms", "/api/files"]),
)


@unhurried
@given(
    st.lists(st.builds("{}{}".format, OWNED, PLACED), min_size=1, max_size=3).map(",".join),
    st.lists(owned_requests, min_size=1, max_size=4),
    st.sampled_from(["user", "user", "operator", "admin"]),
)
def test_what_was_done_with_ones_own_things_can_be_done_again(
    depot: tuple[TokenStore, Policy], scopes: str, requests: list[Request], owner: str
) -> None:
    """What is the owner's own, and what is not; what is allowed today is not told as refused."""
    site = Site(*depot, resource_owner=lambda resource: owner if resource == "docker/mine" else "somebody else")
    site.prove(site.issue(scopes, owner), requests, minimal=False)


# -- what is advised

SITE = "/api/repos/alice/site"


@pytest.mark.parametrize(
    ("scopes", "asked", "least"),
    [
        pytest.param("write:repository", [f"HEAD {SITE}"], "read:repository@alice/site", id="HEAD reads"),
        pytest.param("all", [f"get {SITE}"], "write:repository@alice/site", id="get writes"),
        pytest.param("all", [f"POST {SITE}/markdown"], "read:repository@alice/site", id="a POST that reads"),
        pytest.param("read:misc,write:package", ["GET /api/either"], "read:misc,read:package", id="the list it has"),
        pytest.param(
            "all",
            ["GET /api/either", "GET /api/both", "POST /api/fixed"],
            "write:misc,read:package,read:issue",
            id="the list that is needed anyway",
        ),
        pytest.param("public-only,all", [f"GET {SITE}"], "public-only,read:repository@alice/site", id="public-only"),
        pytest.param(
            "write:repository@alice/*,read:issue",
            [f"GET {SITE}", f"DELETE {SITE}/x", "GET /api/repos/alice/b"],
            "read:repository@alice/b,write:repository@alice/site",
            id="bound",
        ),
        pytest.param(
            "write:repository,write:issue", ["GET /api/lists", f"GET {SITE}"], "read:repository", id="a list of all"
        ),
        pytest.param("all", ["GET /api/repos/ä ö/ü,@*"], "read:repository@%C3%A4%20%C3%B6/%C3%BC%2C@%2A", id="letters"),
    ],
)
def test_the_least(site: Callable[..., Site], scopes: str, asked: list[str], least: str) -> None:
    """By hand, for some that people have; it is enough, and nothing of it can go."""
    here = site(visibility=lambda environ, resource: "public")
    advice = here.prove(here.issue(scopes), [Request(*each.split(" ", 1)) for each in asked])
    assert str(advice.scopes) == least


def test_a_few_resources_are_named_and_many_are_not(site: Callable[..., Site]) -> None:
    """What was used for more than ten is bound to none."""
    here = site()
    for count, bound in ((10, 10), (11, 0)):
        asked = [Request("GET", f"/api/repos/alice/{number}") for number in range(count)]
        advice = here.prove(here.issue("write:repository,read:misc"), asked)
        assert (len(advice.resources), len(advice.scopes.bound)) == (count, bound)
        assert advice.used == ("read:repository",)


def test_a_bound_token_that_was_used_for_many_resources_still_loses_what_it_did_not_use(
    site: Callable[..., Site],
) -> None:
    """All below alice is not everything."""
    here = site()
    asked = [Request("GET", f"/api/repos/alice/{number}") for number in range(11)]
    advice = here.prove(here.issue("write:repository@alice/*,write:misc"), asked)
    assert "write:misc" in advice.unused


@pytest.mark.parametrize(
    ("scopes", "role"),
    [
        pytest.param("public-only,all", "user", id="everything that is public"),
        pytest.param("read:issue@a/b,read:issue@a/c", "user", id="bound"),
        pytest.param("read:admin,read:issue", "user", id="one is worth nothing under the role"),
    ],
)
def test_a_token_that_only_went_where_no_scope_is_needed_keeps_one(
    store: TokenStore, site: Callable[..., Site], scopes: str, role: str
) -> None:
    """Without any it could not be."""
    store.add_owner("alice", role=role)
    here = site(FORGE.replace("[policy]", '[policy]\npublic_only = "allow"'))
    advice = here.prove(here.issue(scopes), [Request("GET", "/api/anyone")])
    assert len(advice.scopes) == 1
    assert advice.scopes.public_only == scopes.startswith("public-only")


def test_what_needed_no_scope_used_none(site: Callable[..., Site]) -> None:
    """Though the token has to keep one."""
    here = site()
    advice = here.prove(here.issue("write:issue,read:package"), [Request("GET", "/api/anyone")])
    assert (advice.used, advice.unused) == ((), ("read:package", "write:issue"))


def test_what_asks_for_no_scope_may_still_be_about_something(site: Callable[..., Site]) -> None:
    """A token that is bound elsewhere does not reach it; the rest of what was never used goes all the same."""
    here = site()
    asked = [Request("GET", "/api/free/r1"), Request("GET", "/api/pages/p1")]
    advice = here.prove(here.issue("write:misc,write:package"), asked)
    assert "write:package" in advice.unused


def test_a_list_of_what_a_bound_token_reaches_does_not_keep_the_rest(site: Callable[..., Site]) -> None:
    """What has nothing to do with the list is not used."""
    here = site()
    advice = here.prove(here.issue("read:repository@a/b,write:misc"), [Request("GET", "/api/lists")])
    assert advice.unused == ("write:misc",)


def test_what_was_never_used_is_told(site: Callable[..., Site]) -> None:
    """Each word of the token that no request needed, in full."""
    here = site()
    token = here.issue("write:repository,read:issue,write:package")
    advice = here.prove(token, [Request("GET", SITE), Request("GET", SITE + "/x"), Request("GET", "/api/issues")])
    assert (advice.requests, advice.used) == (3, ("read:issue", "read:repository"))
    assert advice.unused == ("write:package", "write:repository")
    assert advice.resources == ("alice/site",)
    assert advice.narrows


# -- what counts


def test_a_token_that_was_never_used_is_left_as_it_is(site: Callable[..., Site]) -> None:
    """Nothing is advised."""
    here = site()
    advice = here.prove(here.issue("write:repository,read:issue"), [])
    assert (advice.requests, advice.used, advice.resources) == (0, (), ())


def test_other_tokens_and_refused_requests_do_not_count(site: Callable[..., Site]) -> None:
    """Nor does what report mode let pass."""
    here, reporting = site(), site(mode="report")
    one, other = here.issue("write:repository,read:issue"), here.issue("all")
    for request in (Request("GET", "/api/both"), Request("DELETE", "/api/issues")):
        assert here.ask(one.secret, request) == 403
        assert reporting.ask(one.secret, request) == 200
        assert here.ask(other.secret, request) == 200
    assert here.ask(one.secret, Request("GET", SITE)) == 200
    reporting.gate.access_log.flush()
    assert {entry.decision for entry in here.entries()} == {"allowed", "denied", "reported"}
    advice = advise(here.policy, one.token, here.entries())
    assert (advice.requests, str(advice.scopes)) == (1, "read:repository@alice/site")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(('scopes = ["issue"]', 'scopes = ["admin"]'), id="it needs what the token has not"),
        pytest.param(('path = "/issues"', 'path = "/tickets"'), id="no group covers it"),
        pytest.param(('scopes = ["issue"]', 'scopes = ["issue"]\naccept = "session"'), id="no token will do"),
    ],
)
def test_what_would_be_refused_today_is_told_and_asks_for_nothing(
    site: Callable[..., Site], change: tuple[str, str]
) -> None:
    """The policy is another than it was."""
    here = site()
    token = here.issue("write:repository,write:issue,write:misc")
    here.all_ask(token.secret, [Request("GET", "/api/issues"), Request("GET", SITE)])
    advice = here.advice(token, Policy.loads(FORGE.replace(*change)))
    assert [(use.method, use.path) for use in advice.refused] == [("GET", "/api/issues")]
    assert str(advice.scopes) == "read:repository@alice/site"


def test_what_the_owner_may_no_longer_do_asks_for_nothing(store: TokenStore, site: Callable[..., Site]) -> None:
    """Their role is another than it was."""
    here = site()
    token = here.issue("write:repository,write:issue")
    here.all_ask(token.secret, [Request("DELETE", "/api/issues"), Request("GET", SITE)])
    store.set_role("alice", "viewer")
    advice = here.advice(token)
    assert [use.method for use in advice.refused] == ["DELETE"]
    assert str(advice.scopes) == "read:repository@alice/site"


def test_what_the_guard_of_a_view_asked_for_is_kept(site: Callable[..., Site]) -> None:
    """Beside what the policy asks for, and where the policy asks for nothing."""

    @req_scopes("read:user")
    def view(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"fine"]

    here = site(app=view)
    for path in ("/api/issues", "/elsewhere"):
        here.prove(here.issue("write:user,write:issue,write:misc"), [Request("GET", path)], minimal=False)


def test_where_the_guard_of_a_view_asked_for_it_is_kept(site: Callable[..., Site]) -> None:
    """It may be about something else than the policy says; the log does not say what."""
    app = flask.Flask("guarded", static_folder=None)
    for path, scope, about in (
        ("/api/issues/<owner>/<repo>", "write:repository", "<owner>/<repo>"),
        ("/api/repos/<owner>/<repo>/to/<other>", "read:repository", "<owner>/<other>"),
        ("/elsewhere/<owner>/<repo>", "write:repository", "<owner>/<repo>"),
    ):
        app.add_url_rule(path, path, req_scopes(scope, resource=about)(lambda **_: "fine"))
    here = site(app=app.wsgi_app)
    for scopes in ("write:repository@alice/*,read:issue,read:misc", "all"):
        for path in ("/api/issues/alice/b", f"{SITE}/to/b", "/elsewhere/alice/b"):
            here.prove(here.issue(scopes), [Request("GET", path)], minimal=False)


# -- where the log does not say everything


@pytest.mark.parametrize(
    ("scopes", "moved"),
    [
        pytest.param("write:repository,write:issue", Request("MOVE", SITE, "/api/issues/1"), id="to another group"),
        pytest.param("write:repository", Request("MOVE", SITE, "/api/repos/alice/b"), id="to another repository"),
        pytest.param("write:repository", Request("move", SITE, "/api/repos/alice/b"), id="in small letters"),
        pytest.param("write:repository@alice/*", Request("COPY", SITE, "/api/repos/alice/b"), id="bound"),
        pytest.param("write:repository@alice/*", Request("MOVE", SITE), id="bound, to nowhere"),
    ],
)
def test_what_was_moved_needs_what_its_destination_needs(
    site: Callable[..., Site], scopes: str, moved: Request
) -> None:
    """Whatever else it was used for."""
    here = site()
    token = here.issue(f"{scopes},read:package" if scopes != "all" else scopes)
    assert here.ask(token.secret, moved) == 200
    # The log does not say where to: whatever may be needed there stays.
    here.prove(
        here.issue(token.token.scopes), [moved, Request("GET", "/api/lists"), Request("GET", SITE)], minimal=False
    )


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/api/repos/alice/swt_abc", id="what looks like a secret is starred"),
        pytest.param("/api/repos/alice/no\u00a0break", id="what is not printable is escaped"),
        pytest.param("/api/pages/" + "x" * 2500, id="what is long is cut"),
        pytest.param("/api/pages/" + "/".join("x" * 40), id="what is too deep to be bound to"),
    ],
)
def test_paths_that_the_log_does_not_keep_as_they_were(site: Callable[..., Site], path: str) -> None:
    """Nothing is taken for the resource that is none."""
    here = site()
    asked = [Request("GET", path), Request("GET", "/api/issues")]
    here.prove(here.issue("write:repository,write:misc,write:issue"), asked, minimal=False)


def test_what_the_role_at_a_resource_allowed_is_not_taken_away(store: TokenStore, site: Callable[..., Site]) -> None:
    """A viewer may be more in a project; the log does not say where, but that there are such roles is known."""
    store.add_owner("alice", role="viewer")
    here = site(resource_role=lambda owner, resource: "user")
    token = here.issue("write:repository")
    here.all_ask(token.secret, [Request("GET", SITE), Request("DELETE", "/api/repos/alice/b")])
    entries = here.entries(token.token.id)
    advice = advise(here.policy, token.token, entries, roles_by_resource=True)
    assert advice.refused == ()
    assert advice.scopes == here.policy.vocabulary.parse("read:repository@alice/site,write:repository@alice/b")


def test_what_showed_everyones_does_not_come_to_show_ones_own(depot: tuple[TokenStore, Policy]) -> None:
    """A list that the application filters is answered either way, and not alike."""
    here = Site(*depot, resource_owner=lambda resource: "user")
    token = here.issue("docker:read_any,docker:write_own", "user")
    asked = [Request("GET", "/api/docker"), Request("POST", "/api/docker")]
    shown = []
    for request in asked * 2:
        if len(shown) == len(asked):
            token = here.store.rotate(token.token.id, scopes=here.advice(token).scopes)
        assert here.ask(token.secret, request) == 200
        shown.append(here.recorder.environ["scopeware"].possession)
    assert shown == ["any", "own"] * 2


def test_a_policy_of_many_groups_is_read_in_one_go(site: Callable[..., Site], store: TokenStore) -> None:
    """What is advised does not depend on the order of the log."""
    here = site()
    token = here.issue("all")
    asked = ["GET /api/either", "GET /api/both", "POST /api/fixed", f"GET {SITE}", f"DELETE {SITE}", "GET /api/lists"]
    here.all_ask(token.secret, [Request(*each.split(" ", 1)) for each in asked])
    entries = here.entries(token.token.id)
    advised = {str(advise(here.policy, token.token, order).scopes) for order in (entries, entries[::-1], entries * 3)}
    assert len(advised) == 1
