"""``scopeware demo``: a small forge behind the gate, and what to try on it."""

from __future__ import annotations

import importlib.util
import json
import shlex
import shutil
import tempfile
from pathlib import Path
from types import ModuleType

import click

from ..errors import ConfigurationError
from ..gate import Scopeware
from ..policy import Policy
from ..tokens import TokenStore
from .application import end_on_signals, print_decision, print_decision_json, serve_werkzeug
from .output import json_option

_TOKENS = (
    ("alice", "reader", "read:user,read:organization"),
    ("alice", "half", "read:user"),
    ("bob", "issues", "write:issue,read:repository"),
    ("alice", "public", "public-only,read:repository"),
    ("root", "everything", "all"),
)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8765, show_default=True, type=click.IntRange(0, 65535))
@click.option("--directory", metavar="DIR", help="Keep the databases there.  [default: a temporary one]")
@json_option
def demo(host: str, port: int, directory: str | None, as_json: bool) -> None:
    """Serve a small forge with Gitea's API behind the gate, and print what to try."""
    example = _example()
    end_on_signals()
    folder = _folder(directory)
    store: TokenStore | None = None
    try:
        database = f"sqlite:///{folder / 'tokens.db'}"
        store = TokenStore.connect(database)
        forge = example.Forge(folder / "forge.db")
        gate = Scopeware(
            forge,
            Policy.load(example.POLICY),
            store,
            visibility=forge.visibility,
            observe=print_decision_json if as_json else print_decision,
        )
        secrets = _seed(store)

        def ready(url: str) -> None:
            steps = _what_to_try(url, database, secrets)
            if as_json:
                click.echo(json.dumps({"url": url, "database": database, "steps": steps}))
            else:
                click.echo(_as_text(url, steps))

        serve_werkzeug(gate, host, port, ready)
    finally:
        if store is not None:
            store.close()
        if directory is None:
            shutil.rmtree(folder, ignore_errors=True)


def _folder(directory: str | None) -> Path:
    if directory is None:
        return Path(tempfile.mkdtemp(prefix="scopeware-demo-"))
    folder = Path(directory).resolve()
    if set(str(folder)) & set("?#"):
        raise ConfigurationError("a directory of a database has no `?` and no `#` in its name", where="--directory")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"it cannot be made: {error.strerror}", where="--directory") from error
    return folder


def _example() -> ModuleType:
    """The application in ``examples/gitea``: inside the installed package, or at the top of the source tree."""
    package = Path(__file__).resolve().parent.parent
    folder = package / "_demo"
    if not folder.is_dir():
        folder = package.parent / "examples" / "gitea"
    spec = importlib.util.spec_from_file_location("scopeware_demo", folder / "app.py")
    if spec is None or spec.loader is None:
        raise AssertionError(f"{folder} holds no application")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _seed(store: TokenStore) -> dict[str, tuple[int, str]]:
    """Token name → id and secret. What an earlier demo left in the same directory is replaced."""
    known = {owner.name for owner in store.owners()}
    for name, role in (("root", "admin"), ("alice", "user"), ("bob", "user"), ("carol", "viewer")):
        if name not in known:
            store.add_owner(name, role=role)
    secrets = {}
    for owner, name, scopes in _TOKENS:
        for token in store.list(owner=owner):
            if token.name == name:
                store.revoke(token.id)
        issued = store.issue(owner=owner, name=name, scopes=scopes)
        secrets[name] = (issued.token.id, issued.secret)
    return secrets


def _what_to_try(url: str, database: str, secrets: dict[str, tuple[int, str]]) -> list[tuple[str, str]]:
    api = f"{url}/api/v1"
    permissions = f"{api}/users/alice/orgs/acme/permissions"

    def curl(token: str | None, rest: str) -> str:
        header = f'-H "Authorization: Bearer {secrets[token][1]}" ' if token else ""
        return f"curl -i {header}{rest}"

    new_issue = f'-H "Content-Type: application/json" -d \'{{"title": "It squeaks"}}\' {api}/repos/alice/widgets/issues'
    reader = secrets["reader"][0]
    return [
        ("everyone may ask for the version: 200", curl(None, f"{api}/version")),
        ("without a token: 401", curl(None, permissions)),
        ("read:user and read:organization are needed, and there: 200", curl("reader", permissions)),
        ("read:user alone: 403, and it says what is missing", curl("half", permissions)),
        (
            "the token may, and the application knows no such user: 404",
            curl("reader", permissions.replace("alice", "unknown")),
        ),
        ("write:issue reports an issue: 201", curl("issues", new_issue)),
        ("read:repository does not delete a repository: 403", curl("issues", f"-X DELETE {api}/repos/alice/widgets")),
        ("public-only, and the repository is: 200", curl("public", f"{api}/repos/alice/widgets")),
        ("public-only, and this one is not: 403", curl("public", f"{api}/repos/alice/diary")),
        ("administrators only, as an administrator: 200", curl("everything", f"{api}/admin/users")),
        (
            "end the first token, here or in another terminal",
            f"scopeware token revoke {reader} --database {shlex.quote(database)}",
        ),
        ("it is refused on the very next request: 401", curl("reader", permissions)),
    ]


def _as_text(url: str, steps: list[tuple[str, str]]) -> str:
    lines = [f"A small forge listens on {url}; its policy is Gitea's. Paste these, line by line:", ""]
    for comment, command in steps:
        lines += [f"# {comment}", command, ""]
    lines += ["Ctrl-C ends it. Every decision is printed below.", ""]
    return "\n".join(lines)
