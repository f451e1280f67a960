"""What an owner may do now is what its tokens may do at most, on the very next request."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scopeware import Policy, Scopeware, TokenStore
from scopeware.tokens import Account

LACKS = "insufficient_scope"

ROLES = """
[roles]
auditor = "read:*"
packager = "*:package"
nothing = "-read:*"
"""


@pytest.fixture
def text() -> str:
    """A policy with a rule for each sort of scope, and roles of its own."""
    rules = (("repos", '["repository"]'), ("packages", '["package"]'), ("admin", '["admin"]'), ("any", "[]"))
    return ROLES + "".join(f'[[group]]\npath = "/{path}"\nscopes = {scopes}\n' for path, scopes in rules)


@pytest.fixture
def codes(call: Any) -> Callable[..., list[str | None]]:
    """``codes(gate, secret)``: what becomes of reading and writing repositories, of writing packages, and so on."""

    def ask(gate: Any, secret: str) -> list[str | None]:
        asked = [("GET", "/repos"), ("PUT", "/repos"), ("PUT", "/packages"), ("GET", "/admin"), ("GET", "/any")]
        return [call(gate, method, path, authorization=f"Bearer {secret}").code for method, path in asked]

    return ask


EXPECTED: dict[str, list[str | None]] = {
    "admin": [None, None, None, None, None],
    "user": [None, None, None, LACKS, None],
    "viewer": [None, LACKS, LACKS, LACKS, None],
    "auditor": [None, LACKS, LACKS, None, None],
    "packager": [LACKS, LACKS, None, LACKS, None],
    "nothing": [LACKS] * 5,
}
"""Role → what becomes of an `all` token's requests."""


@pytest.mark.parametrize("role", EXPECTED)
@pytest.mark.parametrize("before", ["admin", "nothing"])
def test_the_tokens_of_a_demoted_or_promoted_owner_follow_at_once(
    make_gate: Any, codes: Any, issue: Any, store: TokenStore, text: str, before: str, role: str
) -> None:
    """Tokens that were used and ones that were not; and back again."""
    gate = make_gate(policy=text)
    store.add_owner("alice", role=before)
    used, unused = issue("all"), issue("all")
    assert codes(gate, used) == EXPECTED[before]
    store.set_role("alice", role)
    assert codes(gate, used) == codes(gate, unused) == EXPECTED[role]
    store.set_role("alice", before)
    assert codes(gate, used) == EXPECTED[before]


def test_nobody_elses_tokens_follow(make_gate: Any, codes: Any, issue: Any, store: TokenStore, text: str) -> None:
    """Roles are an owner's."""
    gate = make_gate(policy=text)
    secret = issue("all", owner="bob")
    store.add_owner("alice", role="user")
    assert codes(gate, secret) == EXPECTED["user"]
    store.set_role("alice", "nothing")
    assert codes(gate, secret) == EXPECTED["user"]


@pytest.mark.parametrize(
    ("scopes", "demoted"),
    [
        pytest.param("read:repository", [None, LACKS, LACKS, LACKS, None], id="less than the role"),
        pytest.param("write:package", [LACKS, LACKS, LACKS, LACKS, None], id="more than the role"),
        pytest.param("write:repository,write:admin", [None, LACKS, LACKS, LACKS, None], id="partly"),
        pytest.param("write:admin", [LACKS] * 5, id="nothing that the role allows"),
    ],
)
def test_a_role_gives_nothing_that_was_not_granted(
    make_gate: Any, codes: Any, issue: Any, store: TokenStore, text: str, scopes: str, demoted: list[str | None]
) -> None:
    """Granted ∩ role, and what is left of that."""
    gate = make_gate(policy=text)
    store.add_owner("alice", role="admin")
    secret = issue(scopes)
    as_admin = codes(gate, secret)
    store.set_role("alice", "viewer")
    assert codes(gate, secret) == demoted
    assert [one for one, other in zip(demoted, as_admin, strict=True) if one is None and other is not None] == []


@pytest.mark.parametrize("role", ["superuser", "Admin", "", " admin", "user,admin", "0"])
def test_a_role_that_nobody_knows_is_worth_nothing(
    make_gate: Any, codes: Any, issue: Any, tmp_path: Path, store: TokenStore, text: str, role: str
) -> None:
    """As when a role was taken out of the policy, or written by hand."""
    gate = make_gate(policy=text)
    store.add_owner("alice", role="admin")
    secret = issue("all")
    assert codes(gate, secret) == EXPECTED["admin"]
    connection = sqlite3.connect(tmp_path / "tokens.db")
    connection.execute("UPDATE scopeware_owner SET role = ? WHERE name = 'alice'", (role,))
    connection.commit()
    connection.close()
    assert codes(gate, secret) == EXPECTED["nothing"]


def test_a_demotion_in_another_process_holds_at_once(
    make_gate: Any, codes: Any, issue: Any, tmp_path: Path, store: TokenStore, text: str
) -> None:
    """Whoever told the database."""
    gate = make_gate(policy=text)
    store.add_owner("alice", role="admin")
    secret = issue("all")
    assert codes(gate, secret) == EXPECTED["admin"]
    script = f"""
from scopeware import TokenStore
store = TokenStore.connect("sqlite:///{tmp_path}/tokens.db")
store.set_role("alice", "viewer")
store.close()
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    assert codes(gate, secret) == EXPECTED["viewer"]


def test_an_owner_who_is_disabled_and_enabled_again_has_the_role_of_then(
    make_gate: Any, codes: Any, issue: Any, store: TokenStore, text: str
) -> None:
    """Not the one of before."""
    gate = make_gate(policy=text)
    store.add_owner("alice", role="admin")
    secret = issue("all")
    store.disable_owner("alice")
    assert codes(gate, secret) == ["owner_inactive"] * 5
    store.set_role("alice", "viewer")
    assert codes(gate, secret) == ["owner_inactive"] * 5
    store.enable_owner("alice")
    assert codes(gate, secret) == EXPECTED["viewer"]


def test_the_roles_of_the_policy_are_the_ceilings(
    app: Any, codes: Any, issue: Any, tmp_path: Path, store: TokenStore, text: str
) -> None:
    """What a role means is looked up anew where a process starts with another policy."""
    secret = issue("all")
    for meaning, expected in (("read:*", EXPECTED["auditor"]), ("*:package", EXPECTED["packager"])):
        fresh = TokenStore.connect(f"sqlite:///{tmp_path}/tokens.db")
        policy = Policy.loads(text.replace("[roles]", f'[roles]\nuser = "{meaning}"'))
        assert codes(Scopeware(app, policy, fresh), secret) == expected
        fresh.close()


def test_the_context_shows_the_scopes_of_now(
    make_gate: Any, call: Any, issue: Any, store: TokenStore, app: Any, text: str
) -> None:
    """And keeps what was granted beside them."""
    gate = make_gate(policy=text)
    store.add_owner("alice", role="user")
    secret = issue("write:repository")
    for role, scopes in (("user", "write:repository"), ("viewer", "read:repository")):
        store.set_role("alice", role)
        assert call(gate, "GET", "/repos", authorization=f"Bearer {secret}").status == 200
        context = app.environ["scopeware"]
        assert (str(context.scopes), str(context.token.granted), context.token.role) == (
            scopes,
            "write:repository",
            role,
        )


# -- the application's own user table

Table = dict[str, Any]


class TestAccounts:
    """A store that asks the application at each use of a token."""

    @pytest.fixture
    def table(self) -> Table:
        """The application's user table."""
        return {"alice": Account("admin")}

    @pytest.fixture
    def asked(self) -> list[str]:
        """Whom the table was asked about."""
        return []

    @pytest.fixture
    def store(self, tmp_path: Path, table: Table, asked: list[str]) -> Iterator[TokenStore]:
        """An empty token store in a file, which asks the application's table."""

        def accounts(name: str) -> Any:
            asked.append(name)
            found = table.get(name)
            if isinstance(found, BaseException):
                raise found
            return found

        made = TokenStore.connect(f"sqlite:///{tmp_path}/tokens.db", accounts=accounts)
        yield made
        made.close()

    @pytest.mark.parametrize("role", EXPECTED)
    def test_an_account_of_the_application_has_the_role_that_the_application_says(
        self, make_gate: Any, codes: Any, issue: Any, table: Table, text: str, role: str
    ) -> None:
        """Now, whatever it said at the last request; nothing has to be told to the store."""
        gate = make_gate(policy=text)
        secret = issue("all")
        assert codes(gate, secret) == EXPECTED["admin"]
        table["alice"] = Account(role)
        assert codes(gate, secret) == EXPECTED[role]
        table["alice"] = Account("admin")
        assert codes(gate, secret) == EXPECTED["admin"]

    def test_the_stores_own_role_does_not_count_for_an_account(
        self, make_gate: Any, codes: Any, issue: Any, store: TokenStore, table: Table, text: str
    ) -> None:
        """There is one who knows."""
        gate = make_gate(policy=text)
        table["alice"] = Account("viewer")
        secret = issue("all")
        store.set_role("alice", "admin")
        assert codes(gate, secret) == EXPECTED["viewer"]

    @pytest.mark.parametrize("gone", [None, Account("admin", active=False)], ids=["gone", "inactive"])
    def test_an_account_that_is_gone_has_no_tokens_that_work(
        self, make_gate: Any, codes: Any, issue: Any, table: Table, text: str, gone: Account | None
    ) -> None:
        """Until it is back."""
        gate = make_gate(policy=text)
        secret = issue("all")
        assert codes(gate, secret) == EXPECTED["admin"]
        table["alice"] = gone
        assert codes(gate, secret) == ["owner_inactive"] * 5
        table["alice"] = Account("viewer")
        assert codes(gate, secret) == EXPECTED["viewer"]

    def test_an_account_may_be_disabled_in_the_store_alone(
        self, make_gate: Any, codes: Any, issue: Any, store: TokenStore, table: Table, text: str
    ) -> None:
        """Either of the two can shut it out."""
        gate = make_gate(policy=text)
        secret = issue("all")
        store.disable_owner("alice")
        assert codes(gate, secret) == ["owner_inactive"] * 5
        store.enable_owner("alice")
        assert codes(gate, secret) == EXPECTED["admin"]

    @pytest.mark.parametrize("role", ["superuser", "Admin", ""])
    def test_an_account_with_a_role_that_nobody_knows_is_worth_nothing(
        self, make_gate: Any, codes: Any, issue: Any, table: Table, text: str, role: str
    ) -> None:
        """Roles are the policy's to name."""
        gate = make_gate(policy=text)
        secret = issue("all")
        table["alice"] = Account(role)
        assert codes(gate, secret) == EXPECTED["nothing"]

    @pytest.mark.parametrize(
        "said",
        [
            pytest.param("admin", id="text"),
            pytest.param(True, id="True"),
            pytest.param(False, id="False"),
            pytest.param({"role": "admin"}, id="a table"),
            pytest.param(("admin", True), id="a pair"),
            pytest.param(RuntimeError("not my day"), id="an error"),
            pytest.param(KeyError("alice"), id="a missing key"),
            pytest.param(StopIteration(), id="an iteration that is over"),
        ],
    )
    @pytest.mark.parametrize("path", ["/repos", "/any"])
    def test_an_account_that_is_none_lets_nobody_in(
        self, make_gate: Any, call: Any, issue: Any, table: Table, text: str, path: str, said: Any
    ) -> None:
        """What the application answers is an account, or none; anything else is a 500."""
        gate = make_gate(policy=text)
        secret = issue("all")
        assert call(gate, "GET", path, authorization=f"Bearer {secret}").status == 200
        table["alice"] = said
        reply = call(gate, "GET", path, authorization=f"Bearer {secret}")
        assert (reply.status, reply.code, reply.record.calls) == (500, "internal_error", 1)
        assert b"not my day" not in reply.body

    def test_an_account_is_asked_for_once_a_request_that_a_working_token_came_with(
        self, make_gate: Any, call: Any, issue: Any, store: TokenStore, asked: list[str], text: str
    ) -> None:
        """Nobody asks the application about tokens that do not work."""
        gate = make_gate(policy=text)
        secret = issue("all")
        found = store.find(secret)
        assert found is not None
        del asked[:]
        for _ in range(3):
            assert call(gate, "GET", "/repos", authorization=f"Bearer {secret}").status == 200
        assert asked == ["alice"] * 3
        store.revoke(found.id)
        del asked[:]
        for authorization in (f"Bearer {secret}", "Bearer swt_x", "Bearer other"):
            assert call(gate, "GET", "/repos", authorization=authorization).status == 401
        assert asked == []

    def test_an_account_that_signed_in_otherwise_has_the_same_role(
        self, make_gate: Any, call: Any, table: Table, store: TokenStore
    ) -> None:
        """`self_or_admin` asks for a session's role; it is the application's to say."""
        text = '[[group]]\npath = "/mail/<name>"\nscopes = ["user"]\nowner = "<name>"\nself_or_admin = true'
        gate = make_gate(policy=text, identify=lambda environ: environ.get("HTTP_X_USER"))
        assert call(gate, "GET", "/mail/bob", x_user="alice").code is None
        for role in (Account("user"), Account("admin", active=False), None):
            table["alice"] = role
            assert call(gate, "GET", "/mail/bob", x_user="alice").code == "owner_mismatch"

    def test_an_account_is_the_ceiling_of_bound_tokens_too(
        self, make_gate: Any, call: Any, issue: Any, table: Table
    ) -> None:
        """Where they are bound, and nowhere else."""
        text = '[[group]]\npath = "/repos/<name>"\nscopes = ["repository"]\nresource = "<name>"'
        gate = make_gate(policy=text)
        secret = issue("write:repository@widgets")
        for role, expected in (("user", [None, None]), ("viewer", [None, LACKS]), ("admin", [None, None])):
            table["alice"] = Account(role)
            headers = {"authorization": f"Bearer {secret}"}
            assert [call(gate, method, "/repos/widgets", **headers).code for method in ("GET", "PUT")] == expected
            assert call(gate, "GET", "/repos/gadgets", **headers).code == "resource_out_of_reach"
