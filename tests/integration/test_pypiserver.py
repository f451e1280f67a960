"""pypiserver (a Bottle of its own) behind the gate, with pip, twine and XML-RPC as clients."""

import importlib.util
import io
import json
import logging
import stat
import sys
import xmlrpc.client
import zipfile

import pytest
import requests
from live_servers import run
from live_sites import guard, pypiserver_app
from third_party import quietly, validated
from werkzeug.test import EnvironBuilder, run_wsgi_app

quietly("pypiserver")

pytestmark = [
    # The validator knows only the methods of RFC 2616.
    pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD:wsgiref.validate.WSGIWarning"),
]

READ, UPLOAD, ALL = "read:package", "create:package", "read:package,create:package,delete:package"


def wheel(name="tinything", version="1.0"):
    """A wheel, by hand: its file name and its bytes."""
    stem = f"{name}-{version}"
    files = {
        f"{name}.py": "here = True\n",
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: tiny\n",
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{stem}.dist-info/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{stem}.dist-info/RECORD"])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return f"{stem}-py3-none-any.whl", buffer.getvalue()


@pytest.fixture
def folder(tmp_path):
    """The packages of the index: one is there already."""
    folder = tmp_path / "packages"
    folder.mkdir()
    name, content = wheel()
    (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def gate(store, folder):
    return guard(pypiserver_app(str(folder)), "pypiserver", store)


@pytest.fixture
def client(gate):
    return validated(gate)


@pytest.fixture
def asked():
    """What was asked and answered: (method, path, whether with credentials, status)."""
    return []


@pytest.fixture
def live(gate, serve, asked):
    def watched(environ, start_response):
        request = environ["REQUEST_METHOD"], environ["PATH_INFO"], "HTTP_AUTHORIZATION" in environ

        def start(status, headers, exc_info=None):
            asked.append((*request, int(status[:3])))
            return start_response(status, headers, exc_info)

        return gate(environ, start)

    return serve(watched)


def basic(secret):
    return ("__token__", secret)


def pip(*arguments, **environment):
    if importlib.util.find_spec("pip") is None:
        pytest.skip("pip is not installed")
    quiet = ("--disable-pip-version-check", "--no-cache-dir", "--no-input", "--retries", "0")
    return run(sys.executable, "-m", "pip", *arguments, *quiet, **environment)


def twine(url, secret, *files):
    pytest.importorskip("twine")
    options = ("--non-interactive", "--disable-progress-bar", "--config-file", "/dev/null", "--repository-url", url)
    return run(sys.executable, "-m", "twine", "upload", *options, "-u", "__token__", "-p", secret, *map(str, files))


def test_twine_uploads_and_pip_installs(live, token, tmp_path, folder):
    """The usual round: `twine upload`, then `pip install`, tokens in Basic credentials."""
    name, content = wheel("otherthing")
    (tmp_path / name).write_bytes(content)
    done = twine(f"{live.url}/", token(ALL), tmp_path / name)
    assert done.returncode == 0, done.stdout
    assert (folder / name).read_bytes() == content
    index = f"http://__token__:{token(READ)}@127.0.0.1:{live.port}/simple/"
    target = tmp_path / "target"
    done = pip("install", "--index-url", index, "--no-deps", "--target", str(target), "otherthing")
    assert done.returncode == 0, done.stdout
    assert (target / "otherthing.py").exists()


def test_a_read_token_downloads_and_does_not_upload(live, token, tmp_path, folder):
    """What pip may, twine may not; nothing is stored."""
    secret = token(READ)
    index = f"http://__token__:{secret}@127.0.0.1:{live.port}/simple/"
    done = pip("download", "--index-url", index, "--no-deps", "-d", str(tmp_path / "got"), "tinything")
    assert done.returncode == 0, done.stdout
    assert [path.name for path in (tmp_path / "got").iterdir()] == [wheel()[0]]
    name, content = wheel("otherthing")
    (tmp_path / name).write_bytes(content)
    done = twine(f"{live.url}/", secret, tmp_path / name)
    assert done.returncode != 0
    assert "403" in done.stdout
    assert secret not in done.stdout
    assert not (folder / name).exists()


def test_pip_waits_to_be_asked(live, token, tmp_path, asked):
    """The first request has no password; the 401 makes pip ask its keyring, and try again."""
    keyring = tmp_path / "bin" / "keyring"
    keyring.parent.mkdir()
    found = json.dumps({"username": "__token__", "password": token(READ)})
    # pip asks for JSON nowadays, and used to ask for the password alone.
    script = f"import sys\nprint({found!r} if '--output=json' in sys.argv else {json.loads(found)['password']!r})\n"
    keyring.write_text(f"#!{sys.executable}\n{script}")
    keyring.chmod(keyring.stat().st_mode | stat.S_IXUSR)
    index = f"http://__token__@127.0.0.1:{live.port}/simple/"
    done = pip(
        *("download", "--index-url", index, "--no-deps", "-d", str(tmp_path / "got"), "tinything"),
        *("--keyring-provider", "subprocess"),
        PATH=str(keyring.parent),
    )
    assert done.returncode == 0, done.stdout
    assert [(path, status) for _, path, _, status in asked[:2]] == [
        ("/simple/tinything/", 401),
        ("/simple/tinything/", 200),
    ]
    assert [path.name for path in (tmp_path / "got").iterdir()] == [wheel()[0]]


def test_pip_without_a_token_gets_nothing(live, tmp_path, asked):
    """Neither the index nor the file, even if its URL is known."""
    options = ("--no-deps", "-d", str(tmp_path / "got"))
    assert pip("download", "--index-url", f"{live.url}/simple/", *options, "tinything").returncode != 0
    assert pip("download", "--no-index", *options, f"{live.url}/packages/{wheel()[0]}").returncode != 0
    assert {status for *_, status in asked} == {401}


def test_requests_asks_first_with_its_hands_empty(live, token):
    """The challenge is one that clients understand: a Bearer line, and a Basic line with the realm of the policy."""
    answer = requests.get(f"{live.url}/simple/", timeout=10)
    assert answer.status_code == 401
    assert 'Basic realm="packages"' in answer.headers["WWW-Authenticate"]
    assert requests.get(f"{live.url}/simple/", auth=basic(token(READ)), timeout=10).status_code == 200


def test_a_url_whose_body_decides_needs_all_scopes(client, token, folder):
    """The same POST uploads or removes; whoever may not do both may do neither."""
    name, content = wheel("otherthing")
    upload = {"params": {":action": "file_upload"}, "upload_files": [("content", name, content)]}
    remove = {"params": {":action": "remove_pkg", "name": "tinything", "version": "1.0"}}
    for scopes in (READ, UPLOAD, "delete:package", "read:package,update:package,create:package"):
        client.authorization = ("Basic", basic(token(scopes)))
        for post in (upload, remove):
            assert client.post("/", **post, status=403).json["required_scopes"] == ["create:package", "delete:package"]
    assert [path.name for path in folder.iterdir()] == [wheel()[0]]
    client.authorization = ("Basic", basic(token(ALL)))
    client.post("/", **upload, status=200)
    client.post("/", **remove, status=200)
    assert [path.name for path in folder.iterdir()] == [name]


def test_search_by_xml_rpc_is_a_read(live, token):
    """The policy says that this POST reads; a token that only creates may not search."""
    proxy = xmlrpc.client.ServerProxy(f"http://__token__:{token(READ)}@127.0.0.1:{live.port}/RPC2")
    assert [found["name"] for found in proxy.search({"name": "tiny"})] == ["tinything"]
    proxy = xmlrpc.client.ServerProxy(f"http://__token__:{token(UPLOAD)}@127.0.0.1:{live.port}/RPC2")
    with pytest.raises(xmlrpc.client.ProtocolError) as error:
        proxy.search({"name": "tiny"})
    assert error.value.errcode == 403


def test_only_the_named_method_of_the_named_path_is_a_read(client, token):
    """`/RPC2` reads by POST alone, and below it nothing does."""
    client.authorization = ("Basic", basic(token(READ)))
    for method, path in (("PUT", "/RPC2"), ("POST", "/RPC2/x"), ("post", "/RPC2"), ("POST", "/simple/")):
        client.request(path, method=method, status=403)
    assert client.post("/RPC2", "<methodCall/>", expect_errors=True).status_int != 403


def test_pypiserver_learns_who_uploads_and_not_the_token(client, token, caplog):
    """REMOTE_USER is what it logs; it logs whole requests, and there is no token in them."""
    secret = token(ALL)
    client.authorization = ("Basic", basic(secret))
    name, content = wheel("otherthing")
    with caplog.at_level(logging.INFO):
        client.post("/", {":action": "file_upload"}, upload_files=[("content", name, content)])
    assert f"User 'alice' stored '{name}'" in caplog.text
    assert secret not in caplog.text


def test_redirects_come_after_the_token(client, token):
    """`/simple`, and names that are not normal, are redirected; to nobody it looks as if neither were there."""
    for path in ("/simple", "/simple/TinyThing/", "/packages", "/simple/nosuchthing/"):
        assert client.get(path, status=401).json["code"] == "token_required"
    client.authorization = ("Basic", basic(token(READ)))
    for path in ("/simple", "/simple/TinyThing/", "/packages"):
        client.get(path, status=301)
    client.get("/simple/nosuchthing/", status=404)


def test_the_health_endpoint_is_public(client):
    """A route that says so needs no token; its neighbours do."""
    assert client.get("/health").text == "Ok"
    client.get("/healthy", status=401)
    client.get("/health/x", status=401)


@pytest.mark.parametrize("path", ["//simple/", "//RPC2", "/simple/./", "/packages/../RPC2", "/RPC2%0a", "/RPC2%00"])
def test_other_spellings_of_a_path_are_refused(client, token, path):
    """Bottle drops slashes in front, and its expressions end before a newline; the gate has no one reading of it."""
    client.authorization = ("Basic", basic(token(ALL)))
    assert client.get(path, status=400).json["code"] == "ambiguous_path"
    assert client.post(path, status=400).json["code"] == "ambiguous_path"


@pytest.mark.parametrize("path", ["simple/", "RPC2"])
def test_a_path_without_its_slash_is_refused(gate, token, path):
    """Bottle adds the slash that some servers leave out; the gate does not guess."""
    for secret in (token(ALL), None):
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        environ = EnvironBuilder("/", headers=headers).get_environ() | {"PATH_INFO": path}
        answer = run_wsgi_app(gate, environ)
        assert answer[1] == "400 Bad Request"
        body = b"".join(answer[0])
        assert json.loads(body)["code"] == "ambiguous_path"
