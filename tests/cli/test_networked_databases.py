"""The commands against PostgreSQL and MariaDB."""

from __future__ import annotations

import time
import warnings
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from command_line import HOST, REFUSED, SECONDS, SECRET, free_port, says, write_down
from services import CuttableProxy, address_of, run_sql, through

from scopeware import TokenStore
from scopeware.tokens import LiveToken
from scopeware.tokens.networked import _databases

GITEA = str(Path(__file__).parents[2] / "examples" / "gitea" / "policy.toml")


@pytest.fixture
def on(cli, monkeypatch):
    """``on(url, "token", "list")``: runs a command against a database; keyword arguments go into its environment."""

    def run(url, *arguments, **changes):
        with monkeypatch.context() as patch, warnings.catch_warnings():
            for name, value in {"SCOPEWARE_DATABASE": url, **changes}.items():
                patch.setenv(name, value)
            # `db` does not close what it opens: the end of its process does, which is still far away here.
            warnings.simplefilter("ignore", ResourceWarning)
            result = cli(*arguments)
            for database in list(_databases):
                database._pool.close_idle()
        return result

    return run


@pytest.fixture
def create(on):
    """``create(url, "read:user")``: makes a token of alice's; its secret."""

    def make(url, scopes, name="ci", **changes):
        options = ("--owner", "alice", "--name", name, "--scopes", scopes, "--quiet")
        result = on(url, "token", "create", *options, **changes)
        assert (result.status, result.err) == (0, ""), result
        return result.out.strip()

    return make


def answer(url, secret):
    """The code of the refusal of a secret, or nothing where it is let through."""
    with closing(TokenStore.connect(url)) as store:
        found = store.authenticate(secret)
    return None if isinstance(found, LiveToken) else found.code


def hears(store, secret, revoke):
    """Check that a store is told of a revocation. It does not say when it begins to listen, so it is told again."""
    assert isinstance(store.authenticate(secret), LiveToken)
    deadline = time.monotonic() + SECONDS
    while isinstance(store.authenticate(secret), LiveToken) and time.monotonic() < deadline:
        assert revoke().status == 0
        time.sleep(0.1)
    assert store.authenticate(secret).code == "token_revoked"


class TestTables:
    def test_status_tells_what_is_pending_and_makes_nothing(self, on, networked):
        """Exit status 1; asking changes nothing."""
        result = on(networked, "db", "status")
        assert (result.status, result.err) == (1, "")
        assert result.out.splitlines()[1].split() == ["0001_tables", "pending"]
        assert on(networked, "db", "status", "--json").json == [{"name": "0001_tables", "applied": None, "known": True}]
        tables = "SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'scopeware%' AND table_schema"
        where = "= 'public'" if networked.startswith("postgres") else "= DATABASE()"
        assert run_sql(networked, f"{tables} {where}") == []

    def test_upgrade_makes_them_once(self, on, networked):
        """Then there is nothing to do, and status says since when."""
        assert on(networked, "db", "upgrade", "--json").json == {"applied": ["0001_tables"]}
        again = on(networked, "db", "upgrade")
        assert (again.status, again.out, again.err) == (0, "nothing to do\n", "")
        status = on(networked, "db", "status", "--json")
        assert status.status == 0
        applied = datetime.fromisoformat(status.json[0]["applied"])
        assert abs(datetime.now(UTC) - applied) < timedelta(minutes=5)

    def test_one_that_a_newer_version_migrated_is_refused(self, on, networked):
        """By commands that use it; status says what is unknown."""
        on(networked, "db", "upgrade")
        run_sql(
            networked,
            "INSERT INTO scopeware_migration (name, applied) VALUES ('0999_future', '2030-01-01 00:00:00')",
        )
        says(on(networked, "token", "list"), 2, "migrated by a newer version", "0999_future", "upgrade scopeware")
        status = on(networked, "db", "status")
        assert status.status == 1
        assert "0999_future  unknown to this version" in status.out


class TestTokens:
    def test_the_life_of_a_token(self, on, create, networked):
        """Made, shown, rotated, edited, ended, removed: as on SQLite, and the secrets do what is said of them."""
        first = create(networked, "read:user,read:issue")
        assert answer(networked, first) is None
        heading, line = on(networked, "token", "list").out.splitlines()
        assert heading.split()[:3] == ["id", "owner", "name"]
        token = ["1", "alice", "ci", "read:issue,read:user", f"...{first[-4:]}", "live", "never", "never"]
        assert line.split() == token
        rotated = on(networked, "token", "rotate", "1", "--grace", "1h")
        second = rotated.out.strip()
        assert SECRET.fullmatch(second)
        said = "token 2 of alice: read:issue,read:user, without expiry; the secret is not shown again\n"
        assert rotated.err == said
        assert (answer(networked, first), answer(networked, second)) == (None, None)
        edited = on(networked, "token", "edit", "2", "--scopes", "read:user", "--network", "192.0.2.7", "--json").json
        assert (edited["scopes"], edited["networks"]) == ("read:user", ["192.0.2.7/32"])
        assert on(networked, "token", "show", "2", "--json").json == edited
        assert on(networked, "token", "revoke", "2").out == "token 2 is revoked\n"
        assert (answer(networked, first), answer(networked, second)) == ("token_rotated", "token_revoked")
        run_sql(networked, "UPDATE scopeware_token SET revoked_at = 1")
        assert on(networked, "token", "purge", "--dead-for", "90d").out == "removed: 2\n"
        assert on(networked, "token", "list", "--all", "--json").json == []

    def test_filters_mean_the_same(self, on, create, networked):
        """Letter case of names matters, too."""
        create(networked, "read:repository@alice/widgets", "ci")
        create(networked, "write:user", "CI")
        for options, expected in (
            (("--name", "ci"), [1]),
            (("--name", "CI"), [2]),
            (("--name", "ci "), []),
            (("--scope", "read:user"), [2]),
            (("--resource", "alice/*"), [1]),
            (("--unused", "1d"), []),
            (("--expiring", "999999y"), []),
        ):
            listed = on(networked, "token", "list", *options, "--json").json
            assert [token["id"] for token in listed] == expected, options
        assert on(networked, "token", "revoke", "--resource", "alice/widgets").out == "token 1 is revoked\n"
        assert answer(networked, create(networked, "all", "other")) is None

    def test_letters_of_any_script_are_kept(self, on, networked):
        """In names of owners and of tokens."""
        owner, name = "ünï 漢字", "😀 [bold]x"
        assert on(networked, "owner", "add", owner, "--kind", "bot").out == f"{owner}: user, active\n"
        create = ("token", "create", "--owner", owner, "--name", name, "--scopes", "read:user")
        assert on(networked, *create, "--quiet").status == 0
        listed = on(networked, "token", "list", "--json").json[0]
        assert (listed["owner"], listed["name"], listed["owner_kind"]) == (owner, name, "bot")

    def test_a_name_is_taken_once(self, on, create, networked):
        """As on SQLite."""
        create(networked, "read:user")
        taken = on(networked, "token", "create", "--owner", "alice", "--name", "ci", "--scopes", "all")
        says(taken, 2, "alice already has a live token named `ci`")
        assert create(networked, "read:user", "CI")

    def test_errors_are_those_of_sqlite(self, on, networked):
        """In a line each."""
        says(on(networked, "token", "show", "9"), 2, "there is no token 9")
        says(on(networked, "token", "rotate", "9"), 2, "there is no token 9")
        says(on(networked, "owner", "disable", "nobody"), 2, "there is no owner `nobody`")
        create = ("token", "create", "--owner", "alice", "--name", "ci", "--scopes")
        says(on(networked, *create, "raed:user"), 2, "unknown scope `raed:user`")
        assert on(networked, "owner", "list", "--json").json == []

    def test_an_id_beyond_the_databases_numbers_is_nobodys(self, on, networked):
        """For `explain`, too."""
        asked = ("explain", GITEA, "GET", "/api/v1/user", "--token", "3000000000")
        says(on(networked, *asked), 2, "there is no token 3000000000")


class TestTheLog:
    def test_it_is_listed_filtered_exported_and_pruned(self, on, folder, networked):
        """As on SQLite."""
        write_down(networked, {"path": "/old", "at": 1000}, {"path": "/漢字"}, REFUSED | {"path": "/denied"})
        result = on(networked, "audit", "list")
        assert result.status == 0
        assert [line.split()[7] for line in result.out.splitlines()[1:]] == ["/old", "/漢字", "/denied"]
        denied = on(networked, "audit", "list", "--denied", "--since", "1h", "--path", "/de", "--json").json
        assert [entry["path"] for entry in denied] == ["/denied"]
        assert on(networked, "audit", "list", "--path", "/d_nied", "--json").json == []
        assert on(networked, "audit", "export", "--format", "csv", "--output", "log").status == 0
        assert (folder / "log").read_text("utf-8").count("\n") == 4
        assert on(networked, "audit", "prune", "--keep", "90d").out == "removed: 1\n"
        assert len(on(networked, "audit", "list", "--json").json) == 2


class TestOutOfReach:
    COMMANDS = (
        ("token", "list"),
        ("token", "create", "--owner", "a", "--name", "b", "--scopes", "all"),
        ("token", "rotate", "1"),
        ("token", "revoke", "1"),
        ("audit", "list"),
        ("db", "status"),
        ("db", "upgrade"),
    )

    @pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:2]))
    def test_a_server_that_refuses_is_out_of_reach(self, on, networked, words):
        """Exit status 3."""
        on(networked, "db", "upgrade")
        with CuttableProxy(address_of(networked)) as proxy:
            proxy.refuse()
            says(on(through(networked, proxy), *words), 3, "the token store", f"{HOST}:{proxy.port}", "is out of reach")

    def test_a_server_that_says_nothing_is_given_up(self, on, networked):
        """Soon enough for whoever waits at a terminal."""
        with CuttableProxy(address_of(networked)) as proxy:
            proxy.cut()
            start = time.monotonic()
            says(on(through(networked, proxy), "token", "list"), 3, "is out of reach")
            assert time.monotonic() - start < 15

    def test_a_database_that_is_not_there_is_named(self, on, networked):
        """Making it is an administrator's to do."""
        for words in self.COMMANDS[-2:]:
            says(on(f"{networked}_gone", *words), 3, f"{networked.rpartition('/')[2]}_gone", "is out of reach")

    @pytest.mark.parametrize(
        ("kind", "option"),
        [
            ("mariadb", "colour=red"),
            pytest.param(
                "mariadb",
                "connect_timeout=soon",
                marks=pytest.mark.xfail(strict=True, reason="PyMySQL's complaint does not name the option"),
            ),
            ("postgres", "colour=red"),
            ("postgres", "connect_timeout=soon"),
        ],
    )
    def test_an_option_that_the_driver_does_not_take_is_wrong_configuration(self, request, on, kind, option):
        """Exit status 2, in a line that names it."""
        url = request.getfixturevalue(f"{kind}_url")
        says(on(f"{url}?{option}", "token", "list"), 2, "database: ", option.partition("=")[0])


class TestPasswords:
    """PostgreSQL here lets anyone in, whatever the password."""

    @pytest.fixture
    def with_password(self, postgres_url):
        """A URL with a password in it."""
        return postgres_url.replace("//postgres@", "//postgres:hunter2@")

    @pytest.mark.parametrize("line", ["token list", "owner list", "audit list"])
    def test_an_empty_list_does_not_repeat_it(self, on, with_password, line):
        """What is on a terminal is in somebody's scrollback."""
        result = on(with_password, *line.split())
        assert result.status == 0
        assert with_password.rpartition("/")[2] in result.err
        assert "hunter2" not in result.err

    def test_a_server_that_starts_does_not_repeat_it(self, server, folder, with_password):
        """What it says then is in somebody's log."""
        (folder / "guarded_site.py").write_text("def app(environ, start_response):\n    pass\n")
        running = server("run", "guarded_site:app", "--policy", GITEA, "--port", "0", "--database", with_password)
        assert "tokens: postgresql://" in running.err
        assert "hunter2" not in running.err

    def test_nothing_else_does(self, on, with_password):
        """Neither what is done, nor what goes wrong."""
        for line in ("db status", "db upgrade", "owner add alice", "token show 9", "token list --scope x"):
            result = on(with_password, *line.split())
            assert "hunter2" not in result.out + result.err, line
        gone = on(f"{with_password}_gone", "token", "list")
        assert gone.status == 3
        assert "hunter2" not in gone.err

    def test_the_driver_has_nothing_to_complain_about(self, command):
        """What it warns of today is an error tomorrow."""
        url = f"mysql://root:hunter2@{HOST}:{free_port()}/tokens"
        result = command("token", "list", "--database", url, PYTHONWARNINGS="error::DeprecationWarning")
        says(result, 3, "is out of reach")


class TestPush:
    def test_a_process_that_listens_is_told_of_a_revocation(self, on, create, networked, redis_url):
        """Long before it would have asked again."""
        secret = create(networked, "read:user")
        with closing(TokenStore.connect(networked, push=redis_url, max_staleness=3600)) as store:
            hears(store, secret, lambda: on(networked, "token", "revoke", "1", SCOPEWARE_PUSH=redis_url))

    def test_postgresql_itself_tells_those_who_listen(self, on, create, postgres_url):
        """Whoever makes the change need not know of them."""
        secret = create(postgres_url, "read:user")
        with closing(TokenStore.connect(postgres_url, push="notify", max_staleness=3600)) as store:
            hears(store, secret, lambda: on(postgres_url, "token", "revoke", "1"))

    def test_a_redis_out_of_reach_hinders_nothing(self, command, create, networked):
        """It is said in a line; what was asked for is done."""
        create(networked, "read:user")
        changes = {"SCOPEWARE_DATABASE": networked, "SCOPEWARE_PUSH": f"redis://{HOST}:{free_port()}/0"}
        result = command("token", "revoke", "1", **changes)
        assert (result.status, result.out) == (0, "token 1 is revoked\n")
        assert "announced" in result.err
        assert "refused" in result.err
        assert result.err.count("\n") == 1

    @pytest.mark.parametrize(
        ("push", "said"),
        [
            ("nonsense", "neither `notify` nor the URL of a Redis: redis://host:6379/0"),
            (f"redis://{HOST}:port/0", "this is no Redis URL"),
            (f"http://user:hunter2@{HOST}/", "neither `notify` nor the URL of a Redis"),
        ],
    )
    def test_what_names_no_channel_is_wrong_configuration(self, on, networked, push, said):
        """Before anything is done."""
        result = on(networked, "owner", "add", "alice", SCOPEWARE_PUSH=push)
        says(result, 2, "push: ", said)
        assert "hunter2" not in result.err
        assert on(networked, "owner", "list", "--json").json == []

    def test_notify_is_postgresqls_own(self, on, postgres_url, mariadb_url):
        """MariaDB has none, and it is said what there is instead."""
        assert on(postgres_url, "token", "list", SCOPEWARE_PUSH="notify").status == 0
        result = on(mariadb_url, "token", "list", SCOPEWARE_PUSH="notify")
        says(result, 2, "push: only PostgreSQL has `notify`; name a Redis, redis://host:6379/0")

    def test_it_means_nothing_to_sqlite(self, command):
        """Where changes are seen at once; a setting for all deployments does not stand in the way of one."""
        assert command("token", "list", SCOPEWARE_PUSH="notify").status == 0


class TestProcesses:
    """What needs a process of its own."""

    def test_a_command_of_its_own_does_the_same(self, command, networked):
        """As a script runs it: out of the environment, and with nothing else on stderr."""
        create = ("token", "create", "--owner", "alice", "--name", "ci", "--scopes", "read:user", "--quiet")
        made = command(*create, SCOPEWARE_DATABASE=networked)
        assert (made.status, made.err) == (0, "")
        assert answer(networked, made.out.strip()) is None
        ended = command("token", "revoke", "1", "--database", networked)
        assert (ended.status, ended.out, ended.err) == (0, "token 1 is revoked\n", "")
        assert answer(networked, made.out.strip()) == "token_revoked"

    def test_a_command_closes_its_connections(self, command, postgres_url):
        """Servers write a line into their logs for each client that just goes away."""
        command("db", "upgrade", "--database", postgres_url)
        result = command("owner", "list", "--json", "--database", postgres_url, PYTHONWARNINGS="default")
        assert (result.status, result.err) == (0, "")
