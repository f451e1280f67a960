"""Every error is one line on stderr that says what, where and what to do; the exit status tells the kind."""

from __future__ import annotations

import os

import pytest
from command_line import COMMANDS, HOST, free_port, says

CREATE = ("token", "create", "--owner", "alice", "--name", "ci", "--scopes", "read:user")


def takes(words, option):
    """Whether a command has an option of that name."""
    return any(option in parameter.opts for parameter in COMMANDS[words].params)


class TestUsage:
    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("nope", "No such command 'nope'"),
            ("tokn list", "'token'"),
            ("--nope", "No such option '--nope'"),
            ("token nope", "No such command 'nope'"),
            ("token list --ownr x", "'--owner'"),
            ("token create", "Missing option '--owner'"),
            ("token create --owner a", "Missing option '--name'"),
            ("token create --owner a --name b", "say what it may do: --scopes, or --preset"),
            ("token create --owner", "'--owner' requires an argument"),
            ("token list x", "unexpected extra argument (x)"),
            ("token show", "Missing argument 'TOKEN_ID'"),
            ("token list --expiring soon", "'--expiring': `soon` is no length of time; write 12h, 30d, 2w or 1y"),
            ("token list --unused 0d", "'--unused': `0d` is no length of time"),
            ("token rotate", "Missing argument 'TOKEN_ID'"),
            ("token rotate 1 --grace soon", "'--grace': `soon` is no length of time"),
            ("token rotate 0", "'TOKEN_ID': 0 is not in the range"),
            ("token edit", "Missing argument 'TOKEN_ID'"),
            ("token revoke", "name tokens by their ids, or say which are meant"),
            ("token purge", "Missing option '--dead-for'"),
            ("token purge --dead-for 90", "'--dead-for': `90` is no length of time"),
            ("owner add", "Missing argument 'NAME'"),
            ("owner set-role alice", "Missing argument 'ROLE'"),
            ("audit list --token ci", "'--token': 'ci' is not a valid integer"),
            ("audit list --limit 0", "'--limit': 0 is not in the range"),
            ("audit list --since soon", "'--since': `soon` is no time; write 7d for a week ago, or 2030-01-31"),
            ("audit list --until 2030-13-01", "'--until': `2030-13-01` is no time"),
            ("audit tail --since soon", "'--since': `soon` is no time"),
            ("audit export --format xml", "'--format': 'xml' is not one of 'jsonl', 'csv'"),
            ("audit prune", "Missing option '--keep'"),
            ("audit prune --keep 0d", "'--keep': `0d` is no length of time"),
            ("run", "Missing argument 'MODULE:APP'"),
            ("run x:y --port 99999", "'--port'"),
            ("run x:y --port many", "'--port'"),
            ("run x:y --server iis", "'werkzeug', 'gunicorn'"),
            ("run x:y --workers 0", "'--workers'"),
            ("demo --port -2", "'--port'"),
        ],
    )
    def test_wrong_usage_is_one_line_with_the_help_to_read(self, cli, line, said):
        """Exit status 2."""
        says(cli(*line.split()), 2, said, "--help`)")

    def test_the_help_to_read_is_that_of_the_command(self, cli):
        """Not only of the first word."""
        says(cli("owner", "set-role", "alice"), 2, "(see `scopeware owner set-role --help`)")
        says(cli("nope"), 2, "(see `scopeware --help`)")

    def test_wrong_usage_of_a_real_process(self, command):
        """As a script sees it."""
        says(command("nope"), 2, "No such command 'nope'", "scopeware --help")
        says(command("token", "create"), 2, "Missing option '--owner'")

    @pytest.mark.parametrize("words", [(), ("token",), ("owner",), ("scopes",), ("db",), ("audit",)])
    def test_a_group_alone_shows_its_commands_and_is_wrong_usage(self, cli, words):
        """On stderr, so that nothing is taken for output."""
        result = cli(*words)
        assert (result.status, result.out) == (2, "")
        assert result.err.startswith(f"Usage: {' '.join(('scopeware', *words))}")
        assert "Commands:" in result.err

    @pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
    def test_every_command_has_help(self, cli, words):
        """Exit status 0, on stdout; the first sentence says what it does."""
        result = cli(*words, "--help")
        assert (result.status, result.err) == (0, "")
        assert result.out.startswith(f"Usage: scopeware {' '.join(words)}")
        assert COMMANDS[words].help
        assert result.out == cli(*words, "-h").out

    @pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
    def test_every_command_has_json(self, cli, words):
        """For scripts, which need not look up which commands have it."""
        assert "--json" in cli(*words, "--help").out

    def test_the_help_tells_the_exit_statuses_and_the_environment(self, cli):
        """Where people look first."""
        told = " ".join(cli("--help").out.split())
        assert (
            "Exit status: 0 fine, 1 denied or findings, 2 wrong usage or configuration, 3 a store out of reach" in told
        )
        for name in ("SCOPEWARE_DATABASE and SCOPEWARE_POLICY", "SCOPEWARE_PUSH", "SCOPEWARE_PEPPER_FILE"):
            assert name in told

    def test_the_version_is_that_of_the_package(self, command):
        """And nothing else."""
        from importlib.metadata import version

        assert command("--version").out == f"{version('scopeware')}\n"

    def test_interrupted_it_says_so(self, cli, monkeypatch):
        """With the status of an interrupted command."""

        def interrupted(**options):
            raise KeyboardInterrupt

        monkeypatch.setattr(COMMANDS["token", "list"], "callback", interrupted)
        result = cli("token", "list")
        assert result.status == 130
        assert result.err.strip() == "scopeware: stopped"


USES_A_POLICY = [
    (*CREATE, "--policy"),
    ("token", "list", "--policy"),
    ("token", "show", "1", "--policy"),
    ("token", "rotate", "1", "--policy"),
    ("token", "edit", "1", "--name", "x", "--policy"),
    ("token", "revoke", "1", "--policy"),
    ("token", "purge", "--dead-for", "90d", "--policy"),
    ("owner", "add", "x", "--policy"),
    ("owner", "list", "--policy"),
    ("owner", "set-role", "x", "user", "--policy"),
    ("owner", "disable", "x", "--policy"),
    ("owner", "enable", "x", "--policy"),
    ("scopes", "list", "--policy"),
    ("scopes", "normalize", "all", "--policy"),
    ("scopes", "format", "all", "--policy"),
    ("run", "nothing:app", "--policy"),
    ("advise", "--policy"),
    ("openapi", "annotate", "openapi.json", "--policy"),
]
MAKES_A_POLICY = {("init",)}


class TestPolicy:
    def test_no_command_that_takes_a_policy_is_left_out_here(self):
        """One that is new is tried like the others."""
        assert {words[: len(name)] for words in USES_A_POLICY for name in COMMANDS if words[: len(name)] == name} == {
            name for name in COMMANDS if takes(name, "--policy") and name not in MAKES_A_POLICY
        }

    @pytest.mark.parametrize("words", USES_A_POLICY, ids=lambda words: " ".join(words[:2]))
    def test_every_command_names_the_file_that_is_missing(self, cli, folder, words):
        """Before anything is opened or made."""
        says(cli(*words, "nope.toml"), 2, "nope.toml: there is no such policy file")
        assert list(folder.iterdir()) == []

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "p.toml: the policy file is empty; write at least one [[group]]"),
            (" \n\n", "p.toml: the policy file is empty"),
            ("[policy]\n", "p.toml: there is no group, so nothing could pass; write at least one [[group]]"),
            ("[policy\n", "p.toml:1:8: broken TOML"),
            ('[policy]\nprefx = "/a"\n', "p.toml: policy.prefx: unknown key `prefx`; did you mean `prefix`?"),
            ("[polcy]\n", "p.toml: polcy: unknown key `polcy`; did you mean `policy`?"),
            (
                '[policy]\nprefix = "/a"\n\n[[group]]\npath = "/x"\nscope = ["user"]\n',
                "p.toml:4: group[0].scope: unknown key `scope`; did you mean `scopes`?",
            ),
            (
                '[[group]]\npath = "/x"\nscopes = ["user"]\n\n  [[group.route]]\n  path = "/y"\n  metods = ["GET"]\n',
                "p.toml:5: group[0].route[0].metods: unknown key `metods`; did you mean `methods`?",
            ),
            ('[[group]]\npath = "/x"\nscopes = ["usr"]\n', "p.toml:1: group[0].scopes: `usr` is neither"),
            ('[[group]]\npath = "/x"\n', "p.toml:1: group[0].scopes: say which scopes it needs"),
            ("[[group]]\nscopes = []\n", "p.toml:1: group[0].path: it needs a path"),
            ('[policy]\nvocabulary = "gitae"\n', "p.toml:"),
            ("group = 3\n", "p.toml: group: groups are written [[group]]"),
            (
                '[[group]]\npath = "/x"\nscopes = []\n[gate]\ntoken_prefx = "abc"\n',
                "p.toml: gate.token_prefx: unknown key `token_prefx`; did you mean `token_prefix`?",
            ),
            ('[[group]]\npath = "/x"\nscopes = []\n[roles]\nx = "nope"\n', "p.toml: roles.x: the pattern `nope`"),
            ("[vocabulary]\ncategoris = {}\n", "p.toml: vocabulary.categoris: unknown key `categoris`"),
            (
                '[[group]]\npath = "/x"\nscopes = []\n[[group]]\npath = "/x"\nscopes = ["user"]\n',
                "p.toml:4: group[1]: two rules for one path",
            ),
        ],
    )
    def test_what_is_wrong_is_told_with_file_line_and_key(self, cli, folder, text, said):
        """As precisely as it is known; nothing is made."""
        (folder / "p.toml").write_text(text, "utf-8")
        says(cli(*CREATE, "--policy", "p.toml"), 2, f"scopeware: {said}")
        assert not (folder / "scopeware.db").exists()

    def test_a_file_that_is_no_text_is_refused(self, cli, folder):
        """With the place of the byte."""
        (folder / "p.toml").write_bytes(b"# ok\n\xff\xfe")
        says(cli("scopes", "list", "--policy", "p.toml"), 2, "p.toml: it is not UTF-8 text (byte 5)")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
    def test_a_file_that_must_not_be_read_is_refused(self, cli, folder):  # pragma: no cover
        """With what the system says."""
        (folder / "p.toml").write_text('[[group]]\npath = "/"\nscopes = []\n')
        (folder / "p.toml").chmod(0)
        says(cli("scopes", "list", "--policy", "p.toml"), 2, "p.toml: it cannot be read: Permission denied")

    def test_a_directory_is_refused(self, cli, folder):
        """By name, and where the default would be."""
        (folder / "scopes.toml").mkdir()
        says(cli("scopes", "list", "--policy", "."), 2, ".: it is a directory; name the policy file in it")
        says(cli("scopes", "list"), 2, "scopes.toml: it is a directory; name the policy file in it")

    def test_a_default_policy_that_is_broken_is_not_skipped(self, command, folder):
        """Silence would mean another vocabulary."""
        (folder / "scopes.toml").write_text("x\n", "utf-8")
        says(command(*CREATE), 2, "scopes.toml:1:2: broken TOML")

    def test_the_environment_names_a_policy_that_is_missing(self, command, folder):
        """It is told like any other."""
        says(command(*CREATE, SCOPEWARE_POLICY="gone.toml"), 2, "gone.toml: there is no such policy file")

    def test_a_token_prefix_that_cannot_be_is_told_with_file_and_key(self, cli, folder):
        """As any other value of [gate]."""
        (folder / "p.toml").write_text('[[group]]\npath = "/"\nscopes = []\n[gate]\ntoken_prefix = "X"\n')
        says(cli(*CREATE, "--policy", "p.toml"), 2, "p.toml", "gate.token_prefix", "`X`")

    @pytest.mark.parametrize("where", ["key", "file"])
    def test_control_characters_do_not_reach_the_terminal(self, cli, folder, where):
        """Wherever in the message they stand. (A bell: click takes colours out where there is no terminal.)"""
        (folder / "p.toml").write_text('"\\u0007" = 1\n')
        assert "\x07" not in cli(*CREATE, "--policy", "p.toml" if where == "key" else "\x07.toml").err


USES_A_DATABASE = [
    CREATE,
    ("token", "list"),
    ("token", "show", "1"),
    ("token", "rotate", "1"),
    ("token", "edit", "1", "--name", "x"),
    ("token", "revoke", "1"),
    ("token", "purge", "--dead-for", "90d"),
    ("owner", "add", "x"),
    ("owner", "list"),
    ("owner", "set-role", "x", "user"),
    ("owner", "disable", "x"),
    ("owner", "enable", "x"),
    ("audit", "list"),
    ("audit", "tail"),
    ("audit", "export"),
    ("audit", "prune", "--keep", "90d"),
    ("db", "upgrade"),
    ("db", "status"),
]
ELSEWHERE = {("run",), ("explain",), ("advise",), *(("migrate", name) for name in ("plan", "apply", "undo", "status"))}
"""What needs more than a database to be tried."""


class TestDatabase:
    def test_no_command_that_takes_a_database_is_left_out_here(self):
        """One that is new is tried like the others."""
        tried = {words[: len(name)] for words in USES_A_DATABASE for name in COMMANDS if words[: len(name)] == name}
        assert tried | ELSEWHERE == {name for name in COMMANDS if takes(name, "--database")}

    @pytest.mark.parametrize("words", USES_A_DATABASE, ids=lambda words: " ".join(words[:2]))
    def test_a_database_that_is_none_is_out_of_reach(self, cli, folder, words):
        """Exit status 3, and it stays what it is."""
        (folder / "letter.db").write_text("Dear all, this is a letter and no database. " * 30)
        before = (folder / "letter.db").read_bytes()
        result = cli(*words, "--database", "sqlite:///letter.db")
        says(result, 3, "the token store", "letter.db is out of reach", "not a database")
        assert (folder / "letter.db").read_bytes() == before

    @pytest.mark.parametrize("words", USES_A_DATABASE, ids=lambda words: " ".join(words[:2]))
    def test_a_directory_is_out_of_reach(self, cli, folder, words):
        """It is said that it is one."""
        (folder / "tokens").mkdir()
        says(cli(*words, "--database", "sqlite:///tokens"), 3, "tokens is out of reach", "it is a directory")

    @pytest.mark.parametrize("words", USES_A_DATABASE[:-1], ids=lambda words: " ".join(words[:2]))
    def test_a_directory_that_is_not_there_is_named_and_not_made(self, cli, folder, words):
        """That is not scopeware's to do."""
        result = cli(*words, "--database", "sqlite:///no/where/tokens.db")
        says(result, 3, "out of reach", f"there is no directory {folder}/no/where")
        assert not (folder / "no").exists()

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("tokens.db", "this names no database; write sqlite:///tokens.db"),
            ("", "write sqlite:///tokens.db"),
            ("oracle://localhost/tokens", "`oracle` is no database known here; write sqlite:///tokens.db"),
            ("sqlite3:///tokens.db", "`sqlite3` is no database known here"),
            ("postgresql://", "it names no database; write postgresql://user@host/name"),
            ("postgresql://localhost", "it names no database; write postgresql://user@host/name"),
            ("mysql://localhost/", "it names no database; write mysql://user@host/name"),
            ("mariadb://localhost/one/two", "it names no database; write mariadb://user@host/name"),
            ("postgresql://localhost/tokens#1", "it names no database"),
            ("postgresql://localhost:port/tokens", "this is no URL"),
            ("mysql://localhost:99999/tokens", "this is no URL"),
            ("postgresql://localhost/tokens?max_connections=0", "`max_connections` is a number from 1: `0`"),
            ("mysql://localhost/tokens?max_connections=many", "`max_connections` is a number from 1: `many`"),
            ("http://[x", "database: "),
            ("sqlite://[x/tokens.db", "database: "),
            ("sqlite:///tokens.db?mode=ro", "nothing may follow the file's name"),
            ("sqlite://localhost/tokens.db", "nothing may follow the file's name"),
            ("sqlite:///file:tokens.db", "write the file's name itself"),
        ],
    )
    def test_a_url_that_cannot_be_is_wrong_configuration(self, cli, url, said):
        """Exit status 2, with how to write it."""
        says(cli("token", "list", "--database", url), 2, "database: ", said)

    @pytest.mark.parametrize(
        "url",
        [
            "sqlite://root:hunter2@x/tokens.db",
            "oracle://root:hunter2@x/tokens",
            "postgresql://root:hunter2@x",
            "mysql://root:hunter2@x:port/tokens",
            "root:hunter2@x/tokens",
        ],
    )
    def test_a_password_in_a_url_that_cannot_be_is_not_repeated(self, cli, url):
        """Errors end up in logs."""
        result = cli("token", "list", "--database", url)
        says(result, 2, "database: ")
        assert "hunter2" not in result.err

    @pytest.mark.parametrize("scheme", ["postgresql", "postgres", "mysql", "mariadb"])
    def test_a_server_that_is_not_there_is_named_without_the_password(self, command, scheme):
        """Exit status 3; host, port and database are told."""
        port = free_port()
        result = command("token", "list", "--database", f"{scheme}://root:hunter2@{HOST}:{port}/tokens")
        says(result, 3, f"the token store {scheme}://{HOST}:{port}/tokens is out of reach: ", "refused")
        assert "hunter2" not in result.err
        assert "root" not in result.err

    def test_the_environment_names_a_database_that_is_out_of_reach(self, command, folder):
        """Exit status 3 for a script to see."""
        says(command("token", "list", SCOPEWARE_DATABASE=f"sqlite:///{folder}"), 3, str(folder), "it is a directory")
        url = f"mysql://{HOST}:{free_port()}/tokens"
        says(command("token", "list", SCOPEWARE_DATABASE=url), 3, f"the token store {url} is out of reach")
        says(command("token", "list", SCOPEWARE_DATABASE="oracle://x/y"), 2, "`oracle` is no database known here")


class TestMessages:
    @pytest.mark.parametrize(
        ("words", "value"),
        [((*CREATE, "--expires", "2001-01-01"), "2001-01-01"), (("owner", "add", ""), "owner is empty")],
    )
    def test_an_error_says_what_it_is_about(self, cli, words, value):
        """The value, or the argument it was given as."""
        assert value in cli(*words).err

    @pytest.mark.parametrize(
        "line",
        [
            "token show 9",
            "token rotate 9",
            "token edit 9 --name x",
            "token revoke 9",
            "token list --owner nobody",
            "token revoke --owner nobody",
            "owner disable nobody",
        ],
    )
    def test_what_is_unknown_comes_with_where_to_look(self, cli, line):
        """The list to read."""
        assert "scopeware " in cli(*line.split()).err.removeprefix("scopeware: ")
