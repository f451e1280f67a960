"""httpbin (Flask) behind the gate: methods, two credentials side by side, writes by GET."""

import json
import shutil

import pytest
from live_servers import run
from live_sites import guard
from third_party import TestApp, quietly, validated

httpbin = quietly("httpbin")

pytestmark = [
    # The validator knows only the methods of RFC 2616.
    pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD:wsgiref.validate.WSGIWarning"),
]

READS = ("GET", "HEAD", "OPTIONS")
WRITES = ("POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "JEFF", "get", "head", "options", "delete", "Post")


@pytest.fixture
def gate(store):
    return guard(httpbin.app, "httpbin", store)


@pytest.fixture
def client(gate):
    return validated(gate)


@pytest.fixture
def curl(gate, serve):
    """Runs curl on a path; the body, the status and the `WWW-Authenticate` lines."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    live = serve(gate)

    def ask(path, *options):
        done = run("curl", "-s", "-w", "\n%{http_code}", "--path-as-is", *options, f"{live.url}{path}")
        assert done.returncode == 0, done.stdout
        body, _, status = done.stdout.rpartition("\n")
        return int(status), body

    return ask


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


def basic(user, password):
    import base64

    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


@pytest.mark.parametrize("method", READS)
def test_a_read_token_reads(client, token, method):
    """GET, HEAD and OPTIONS are httpbin's to answer."""
    answer = client.request("/anything/here", method=method, headers=bearer(token("read:echo")))
    assert answer.status_int == 200
    if method == "GET":
        assert answer.json["method"] == "GET"


@pytest.mark.parametrize("method", WRITES)
def test_a_read_token_does_nothing_else(client, token, method):
    """Every other method, known or not, in upper or lower case, is a write."""
    answer = client.request("/anything/here", method=method, headers=bearer(token("read:echo")), status=403)
    assert answer.json["code"] == "insufficient_scope"
    assert answer.json["required_scopes"] == ["write:echo"]


@pytest.mark.parametrize("method", [*READS, *WRITES])
def test_a_write_token_gets_httpbins_own_answer(client, token, method):
    """The gate refuses none of them; 405 is httpbin's own word, and Flask takes lower-case methods."""
    answer = client.request("/anything/here", method=method, headers=bearer(token("write:echo")), expect_errors=True)
    assert answer.status_int == (405 if method in ("PROPFIND", "JEFF") else 200)


@pytest.mark.parametrize("method", [*READS, *WRITES])
def test_nobody_gets_nothing(client, method):
    """Without a credential each method is asked for one, in both schemes."""
    answer = client.request("/anything/here", method=method, status=401)
    assert answer.headers.getall("WWW-Authenticate") == [
        'Bearer realm="scopeware"',
        'Basic realm="scopeware", charset="UTF-8"',
    ]


def test_a_public_route_is_public_until_a_bad_token_is_sent(client, token):
    """What needs no token is open to all; a token that does not work is refused there, too."""
    assert "User-agent" in client.get("/robots.txt").text
    assert "User-agent" in client.get("/robots.txt", headers=bearer(token("read:echo"))).text
    assert client.get("/robots.txt", headers=bearer("swt_nonsense"), status=401).json["code"] == "token_invalid"
    assert "User-agent" in client.get("/robots.txt", headers=basic("someone", "else")).text


def test_writes_by_get_need_the_write_scope(client, token):
    """`GET /cookies/set` and its like change something, and the policy says so; `GET /cookies` reads."""
    read, write = bearer(token("read:cookies")), bearer(token("write:cookies"))
    for path in ("/cookies/set?a=b", "/cookies/set/a/b", "/cookies/delete?a"):
        assert client.get(path, headers=read, status=403).json["required_scopes"] == ["write:cookies"]
        assert client.head(path, headers=read, status=403).body == b""
        answer = client.get(path, headers=write, status=302)
        assert answer.headers["Set-Cookie"].startswith("a=")
    client.reset()
    assert client.get("/cookies", headers=read).json == {"cookies": {}}
    client.get("/cookies", headers=bearer(token("read:echo")), status=403)


def test_two_credentials_travel_side_by_side(client, token):
    """httpbin checks `Authorization` itself; the token comes in a header of its own."""
    key = {"X-API-Key": token("read:echo")}
    assert client.get("/basic-auth/me/secret", headers=key | basic("me", "secret")).json["user"] == "me"
    assert client.get("/bearer", headers=key | bearer("not-ours")).json["token"] == "not-ours"
    assert client.get("/hidden-basic-auth/me/secret", headers=key | basic("me", "secret")).json["user"] == "me"


def test_the_applications_own_refusal_is_its_own(gate, client, token):
    """With a good token and a bad password it is httpbin that refuses; without a token the gate."""
    client = TestApp(gate)  # httpbin's refusal has no Content-Type, which the validator would not take
    key = {"X-API-Key": token("read:echo")}
    answer = client.get("/basic-auth/me/secret", headers=key | basic("me", "wrong"), status=401)
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="Fake Realm"'
    answer = client.get("/basic-auth/me/secret", headers=basic("me", "secret"), status=401)
    assert answer.json["code"] == "token_required"


def test_a_token_is_used_up_by_the_gate(client, token):
    """The application sees neither header; what was not ours it sees as it was sent."""
    secret = token("read:echo")
    for headers in (bearer(secret), basic(secret, ""), basic("__token__", secret), {"X-API-Key": secret}):
        echoed = client.get("/anything", headers=headers).json
        assert secret not in json.dumps(echoed)
        assert not {"Authorization", "X-Api-Key"} & set(echoed["headers"])
    client.get("/bearer", headers=bearer(secret), status=401)
    echoed = client.get("/headers", headers={"X-API-Key": secret} | bearer("not-ours")).json["headers"]
    assert echoed["Authorization"] == "Bearer not-ours"
    assert "X-Api-Key" not in echoed


def test_two_tokens_are_one_too_many(client, token):
    """Which of them counts, nobody can say: 400."""
    answer = client.get("/get", headers=bearer(token("read:echo")) | {"X-API-Key": token("write:echo")}, status=400)
    assert answer.json["code"] == "ambiguous_credentials"


def test_a_redirect_tells_nothing_to_nobody(client, token):
    """Redirects, unknown paths and wrong methods look all the same before someone shows a token."""
    anonymous = [client.get(path, status=401).body for path in ("/redirect/1", "/get", "/no/such", "/post")]
    assert len(set(anonymous)) == 1
    headers = bearer(token("read:echo"))
    statuses = [client.get(path, headers=headers, expect_errors=True).status_int for path in ("/redirect/1", "/nil")]
    assert statuses == [302, 404]


@pytest.mark.parametrize(
    "path",
    ["//get", "/./get", "/x/../get", "/get/.", "/get%0a", "/get%00", "/cookies//set?a=b", "/%2e/get", "/..%2fget"],
)
def test_other_spellings_of_a_path_are_refused(client, token, path):
    """Flask would answer some of these as `/get`; the gate has no one reading of them."""
    answer = client.get(path, headers=bearer(token("write:echo,write:cookies")), status=400)
    assert answer.json["code"] == "ambiguous_path"
    client.get(path, status=400)


@pytest.mark.parametrize("path", ["/cookies/set/a/b/", "/cookies/set/?a=b", "/cookies/delete/?a"])
def test_a_trailing_slash_changes_nothing(client, token, path):
    """With a slash at its end a path needs what it needs without one."""
    assert client.get(path, headers=bearer(token("read:cookies")), status=403).json["required_scopes"] == [
        "write:cookies"
    ]


def test_curl_with_each_way_to_send_a_token(curl, token):
    """By `-u`, `--oauth2-bearer` and `-H`; the same token, the same decision."""
    secret = token("read:echo")
    for options in (
        ("-u", f"{secret}:"),
        ("-u", f"__token__:{secret}"),
        ("--oauth2-bearer", secret),
        ("-H", f"Authorization: token {secret}"),
        ("-H", f"X-API-Key: {secret}"),
    ):
        status, body = curl("/get", *options)
        assert (status, secret in body) == (200, False)
        status, body = curl("/post", *options, "-d", "a=b")
        assert (status, json.loads(body)["code"]) == (403, "insufficient_scope")


def test_curl_waits_to_be_asked(curl, token):
    """With `--anyauth` the first request has no credentials; the challenge says that Basic will do."""
    status, body = curl("/get", "--anyauth", "-u", f"__token__:{token('read:echo')}", "-v", "--stderr", "/dev/null")
    assert (status, json.loads(body)["args"]) == (200, {})


def test_curl_sends_two_credentials(curl, token):
    """A password for httpbin, a token for the gate."""
    key = ("-H", f"X-API-Key: {token('read:echo')}")
    assert curl("/basic-auth/me/secret", "-u", "me:secret", *key)[0] == 200
    assert curl("/basic-auth/me/secret", "-u", "me:wrong", *key)[0] == 401
    assert curl("/basic-auth/me/secret", "-u", "me:secret")[0] == 401


def test_curl_writes_in_lower_case(curl, token):
    """werkzeug's server and Flask take `delete` for DELETE; the gate takes it for a write."""
    status, _ = curl("/delete", "-X", "delete", "--oauth2-bearer", token("read:echo"))
    assert status == 403
    status, body = curl("/anything", "-X", "delete", "--oauth2-bearer", token("write:echo"))
    assert (status, json.loads(body)["method"]) == (200, "DELETE")


def test_tokens_in_the_query_reach_the_gate_alone(store, token):
    """Some clients know no headers: `?access_token=`, on request; the application sees the rest of the query."""
    client = validated(guard(httpbin.app, "httpbin", store, query=["access_token", "token"]))
    secret = token("read:echo")
    for name in ("access_token", "token"):
        echoed = client.get(f"/anything?a=1&{name}={secret}&b=2").json
        assert echoed["args"] == {"a": "1", "b": "2"}
        assert secret not in json.dumps(echoed)
        client.post(f"/anything?{name}={secret}", status=403)
    client.get(f"/anything?token={secret}&access_token={secret}", status=400)
    client.get(f"/anything?token={secret}", headers=bearer(secret), status=400)
