"""wagtail (Django) behind the gate, in a process of its own: its API guarded, its admin interface untouched."""

import re
from types import SimpleNamespace

import live_sites
import pytest
import requests
from live_servers import gunicorn_server
from third_party import quietly

quietly("wagtail")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site on gunicorn, and tokens for it."""
    folder = tmp_path_factory.mktemp("wagtail")
    database = str(folder / "tokens.db")
    policy_store = live_sites.TokenStore.connect(
        f"sqlite:///{database}", vocabulary=live_sites.Policy.load(live_sites.POLICIES / "wagtail.toml").vocabulary
    )
    tokens = {
        scopes: policy_store.issue(owner="alice", name=scopes, scopes=scopes).secret
        for scopes in (
            *("read:page", "read:document", "write:page", "read:self"),
            *("public-only,read:page,read:document", "public-only,read:self"),
        )
    }
    expression = f"live_sites:wagtail_validated({database!r}, {str(folder)!r})"
    with gunicorn_server(expression, folder / "gunicorn.log", "--preload", "--timeout", "60") as live:

        def ask(method, path, scopes=None, **options):
            headers = dict(options.pop("headers", {}))
            if scopes:
                headers |= {"Authorization": f"Bearer {tokens[scopes]}"}
            options = {"timeout": 60, "allow_redirects": False} | options
            return requests.request(method, f"{live.url}{path}", headers=headers, **options)

        yield SimpleNamespace(ask=ask, url=live.url, log=live.log, tokens=tokens)
        log = live.log.read_text()
    policy_store.close()
    assert "Traceback" not in log, log


@pytest.fixture
def get(site):
    return lambda path, scopes=None, **options: site.ask("GET", path, scopes, **options)


@pytest.fixture
def editor(site):
    """A browser that has signed in to the admin interface."""
    from wagtail_site import PASSWORD

    browser = requests.Session()
    page = browser.get(f"{site.url}/admin/login/", timeout=60)
    assert page.status_code == 200
    csrf = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
    answer = browser.post(
        f"{site.url}/admin/login/",
        data={"username": "editor", "password": PASSWORD, "csrfmiddlewaretoken": csrf, "next": "/admin/"},
        timeout=60,
        allow_redirects=False,
    )
    assert answer.status_code == 302
    yield browser
    browser.close()


def numbers(get):
    """Title → number of the pages and documents, as their token sees them."""
    found = {}
    for kind in ("pages", "documents"):
        items = get(f"/api/v2/{kind}/", "read:page" if kind == "pages" else "read:document").json()["items"]
        found |= {item["title"]: item["id"] for item in items}
    return found


def test_the_api_asks_for_its_scopes(get):
    """Pages with one, documents with the other, neither without a token; Django checks nothing of that."""
    for kind, right, wrong in (("pages", "read:page", "read:document"), ("documents", "read:document", "read:page")):
        assert get(f"/api/v2/{kind}/", right).json()["meta"]["total_count"] >= 1
        assert get(f"/api/v2/{kind}/", wrong).json()["required_scopes"] == [right]
        assert get(f"/api/v2/{kind}/").json()["code"] == "token_required"


def test_what_writes_needs_write(site):
    """The API only reads, and says so itself, in its own words, to those who may ask."""
    for method in ("POST", "PUT", "PATCH", "DELETE", "PROPFIND"):
        refused, passed = (site.ask(method, "/api/v2/pages/", scopes) for scopes in ("read:page", "write:page"))
        assert (refused.status_code, refused.headers["Content-Type"]) == (403, "application/problem+json")
        assert passed.status_code in (403, 405)
        assert passed.headers["Content-Type"] != "application/problem+json"
    assert site.ask("HEAD", "/api/v2/pages/", "read:page").status_code in (200, 405)
    assert site.ask("OPTIONS", "/api/v2/pages/", "read:page").status_code == 200


def test_what_lies_outside_of_the_prefix_is_not_touched(site, get):
    """The pages and the admin interface, with a token and without; tokens do not sign in to it."""
    for path, status in (("/", 200), ("/admin/login/", 200), ("/admin/", 302), ("/apiary/", 404)):
        for headers in ({}, {"Authorization": f"Bearer {site.tokens['write:page']}"}, {"Authorization": "Bearer x"}):
            assert get(path, headers=headers).status_code == status, path
    assert get("/admin/", headers={"Remote-User": "editor", "X-Remote-User": "editor"}).status_code == 302


def test_an_editor_who_is_signed_in_needs_no_token(get, editor, site):
    """`identify` reads Django's session; a token that is sent beside it is judged all the same."""
    assert editor.get(f"{site.url}/admin/", timeout=60).status_code == 200
    assert editor.get(f"{site.url}/api/v2/pages/", timeout=60).status_code == 200
    assert editor.get(f"{site.url}/api/whoami/", timeout=60).json()["user"] == "editor"
    bad = {"Authorization": "Bearer swt_nonsense"}
    assert editor.get(f"{site.url}/api/v2/pages/", headers=bad, timeout=60).status_code == 401
    assert get("/api/v2/pages/", headers={"Cookie": "sessionid=nonsense"}).status_code == 401


def test_django_learns_who_calls_and_not_the_token(get):
    """By REMOTE_USER, and by nothing that the client makes up."""
    assert get("/api/whoami/", "read:self").json() == {"user": "alice", "authorization": None}
    spoofed = {"Remote-User": "editor", "X-Remote-User": "editor", "X-Scopeware": "x"}
    assert get("/api/whoami/", "read:self", headers=spoofed).json()["user"] == "alice"
    assert get("/api/whoami/", headers=spoofed).status_code == 401


def test_a_token_does_not_become_a_session(site):
    """The cookie that Django may set for a token's owner opens neither the API nor the admin interface."""
    browser = requests.Session()
    answer = browser.get(
        f"{site.url}/api/whoami/", headers={"Authorization": f"Bearer {site.tokens['read:self']}"}, timeout=60
    )
    assert answer.json()["user"] == "alice"
    assert browser.get(f"{site.url}/admin/", timeout=60, allow_redirects=False).status_code == 302
    browser.close()


def test_a_tokens_session_does_not_reach_further_than_the_token(site):
    """Whoever may read `/api/whoami/` alone reads no pages with the cookie that Django made of REMOTE_USER: `identify`
    has to know such sessions from those of people who signed in."""
    browser = requests.Session()
    headers = {"Authorization": f"Bearer {site.tokens['read:self']}"}
    assert browser.get(f"{site.url}/api/whoami/", headers=headers, timeout=60).status_code == 200
    assert browser.get(f"{site.url}/api/v2/pages/", headers=headers, timeout=60).status_code == 403
    answer = browser.get(f"{site.url}/api/v2/pages/", timeout=60)
    browser.close()
    assert answer.status_code == 401


def test_a_public_only_token_sees_what_is_public(get):
    """A document of an open collection, and not one of the board's; what is private looks like what is not there."""
    found = numbers(get)
    restricted = "public-only,read:page,read:document"
    leaflet, minutes = f"/api/documents/{found['leaflet']}/leaflet.txt", "/api/documents/2/minutes.txt"
    assert get(leaflet, restricted).text == "the leaflet"
    assert get(leaflet, "read:document").text == "the leaflet"
    private, unknown = get(minutes, restricted), get("/api/documents/9999/minutes.txt", restricted)
    assert (private.status_code, private.json()["code"]) == (403, "public_only")
    assert (unknown.status_code, unknown.content) == (403, private.content)
    variable = ("date", "content-length")
    without = [{k: v for k, v in answer.headers.items() if k.lower() not in variable} for answer in (private, unknown)]
    assert without[0] == without[1]
    # Wagtail shows it to whoever is signed in, and REMOTE_USER is enough for that.
    assert get(minutes, "read:document").text == "the minutes"


def test_a_public_only_token_sees_pages_one_by_one(get):
    """The page is asked about; the list is not one resource, and the policy refuses it."""
    found = numbers(get)
    restricted = "public-only,read:page,read:document"
    assert get(f"/api/v2/pages/{found['News']}/", restricted).json()["title"] == "News"
    assert get("/api/v2/pages/", restricted).json()["code"] == "public_only"
    assert get("/api/whoami/", "public-only,read:self").json()["user"] == "alice"
    answers = {get(f"/api/v2/pages/{number}/", restricted).content for number in (*range(4, 6), 999, 1000)}
    assert len({answer for answer in answers if b"public_only" in answer}) == 1


def test_a_redirect_tells_nothing_to_nobody(get):
    """`APPEND_SLASH` redirects to what exists; before a token is shown, nothing does."""
    paths = ("/api/v2/pages", "/api/v2/pages/", "/api/v2/pages/find/?id=1", "/api/v2/pages/no/such", "/api/v2/pages/9")
    answers = [get(path) for path in paths]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert get("/api/v2/nothing").status_code == 401
    assert get("/api/v2/pages", "read:page").status_code == 301
    assert get("/api/v2/nothing", "read:page").status_code == 403
    assert get("/api/v2/pages", "read:document").status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "/api//v2/pages/",
        "//api/v2/pages/",
        "/api/v2/./pages/",
        "/api/v2/x/../pages/",
        "/API/v2/pages/",
        "/api/v2/pages/%0a",
    ],
)
def test_other_spellings_of_the_api_are_refused(site, path):
    """With the slashes, dots and letters that someone might take for the prefix: 400, also without a token."""
    import http.client

    connection = http.client.HTTPConnection(site.url.removeprefix("http://"), timeout=60)
    for headers in ({}, {"Authorization": f"Bearer {site.tokens['read:page']}"}):
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        assert (answer.status, b"ambiguous_path" in answer.read()) == (400, True)
    connection.close()


def test_a_preflight_asks_django(site):
    """A browser asks without credentials what it may send; the API framework describes itself, no more."""
    headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    assert site.ask("OPTIONS", "/api/v2/pages/", headers=headers).status_code == 200
    assert site.ask("OPTIONS", "/api/v2/pages/").status_code == 401


def test_a_preflight_gets_no_document(site, get):
    """wagtail serves documents whatever the method; nobody gets one by calling the request a preflight."""
    path = f"/api/documents/{numbers(get)['leaflet']}/leaflet.txt"
    assert get(path).status_code == 401
    headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    assert "the leaflet" not in site.ask("OPTIONS", path, headers=headers).text
