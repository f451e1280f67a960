"""``SCOPEWARE_PEPPER`` and ``SCOPEWARE_PEPPER_FILE``: without the right ones nothing is done, and it is said why."""

from __future__ import annotations

import pytest
from command_line import says

FIRST = "1:the first pepper of this deployment: long enough"
SECOND = "2:the second pepper of this deployment: long enough"
CREATE = ("token", "create", "--owner", "alice", "--scopes", "read:user", "--quiet", "--name")
COMMANDS = [
    (*CREATE, "other"),
    ("token", "list"),
    ("token", "show", "1"),
    ("token", "rotate", "1"),
    ("token", "revoke", "1"),
    ("token", "purge", "--dead-for", "90d"),
    ("owner", "list"),
    ("owner", "disable", "alice"),
    ("audit", "list"),
]


@pytest.fixture
def peppered(cli, monkeypatch):
    """``peppered(FIRST, "token", "list")``: runs a command with these peppers, or without any."""

    def run(peppers, *arguments):
        with monkeypatch.context() as patch:
            if peppers is not None:
                patch.setenv("SCOPEWARE_PEPPER", peppers)
            return cli(*arguments)

    return run


@pytest.fixture
def made(peppered):
    """A database with a token that was made with the first pepper."""
    assert peppered(FIRST, *CREATE, "ci").status == 0


@pytest.mark.usefixtures("made")
class TestRightOnes:
    @pytest.mark.parametrize("peppers", [FIRST, f"{FIRST},{SECOND}", f"# the new one\n{SECOND}\n\n{FIRST}\n"])
    def test_with_it_everything_is_as_ever(self, peppered, peppers):
        """Beside another one, too, whichever new tokens are made with."""
        assert len(peppered(peppers, "token", "list", "--json").json) == 1
        assert peppered(peppers, "token", "revoke", "1").out == "token 1 is revoked\n"

    def test_the_file_has_the_same_form(self, command, folder):
        """As a secret is mounted."""
        (folder / "pepper").write_text(f"# of this deployment\n{FIRST}\n", "utf-8")
        assert len(command("token", "list", "--json", SCOPEWARE_PEPPER_FILE="pepper").json) == 1
        says(command("token", "list", SCOPEWARE_PEPPER_FILE="gone"), 2, "SCOPEWARE_PEPPER_FILE: ", "No such file")

    def test_without_one_nothing_is_needed_once_the_tokens_are_revoked(self, peppered):
        """Nobody can use them any more, with or without."""
        says(peppered(None, "token", "list"), 2, "pepper 1 is missing")
        peppered(FIRST, "token", "revoke", "1")
        assert peppered(None, "token", "list").status == 0

    def test_the_tables_need_none(self, peppered):
        """They can be brought up to date wherever."""
        assert peppered(None, "db", "status").status == 0
        assert peppered(None, "db", "upgrade").status == 0


@pytest.mark.usefixtures("made")
class TestWrongOnes:
    @pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:2]))
    def test_every_command_says_that_it_is_missing(self, peppered, words):
        """Exit status 2; which one, for what, and where to set it."""
        said = "pepper: pepper 1 is missing, and a token was made with it; set it in SCOPEWARE_PEPPER"
        says(peppered(None, *words), 2, said)
        says(peppered(SECOND, *words), 2, said)
        assert len(peppered(FIRST, "token", "list", "--json").json) == 1

    @pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:2]))
    def test_every_command_says_that_it_is_another(self, peppered, words):
        """Exit status 2; nothing of it is shown."""
        result = peppered("1:hunter2 hunter2 hunter2 hunter2 hunter2", *words)
        says(result, 2, "pepper: pepper 1 is not the one that this database knows; a new pepper takes a new number")
        assert "hunter2" not in result.err
        assert len(peppered(FIRST, "token", "list", "--json").json) == 1

    def test_how_many_tokens_there_are_is_told(self, peppered):
        """What is at stake."""
        peppered(FIRST, *CREATE, "other")
        says(peppered(None, "token", "list"), 2, "pepper 1 is missing, and 2 tokens were made with it")


class TestForm:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "SCOPEWARE_PEPPER: there is no pepper; write VERSION:SECRET"),
            ("# none\n", "SCOPEWARE_PEPPER: there is no pepper; write VERSION:SECRET"),
            ("hunter2 " * 8, "SCOPEWARE_PEPPER: line 1 is not VERSION:SECRET"),
            (f"{FIRST}\nhunter2", "SCOPEWARE_PEPPER: line 2 is not VERSION:SECRET"),
            ("one:" + "hunter2" * 8, "SCOPEWARE_PEPPER: line 1 is not VERSION:SECRET"),
            ("-1:" + "hunter2" * 8, "SCOPEWARE_PEPPER: line 1 is not VERSION:SECRET"),
            (f"{FIRST},1:{'hunter2' * 8}", "SCOPEWARE_PEPPER: line 2 is not VERSION:SECRET, with a number of its own"),
            ("1:hunter2", "pepper 1 is shorter than 32 characters"),
            ("0:" + "hunter2" * 8, "the versions of peppers are numbers from 1, not 0"),
        ],
    )
    def test_what_cannot_be_peppers_is_refused(self, peppered, folder, text, said):
        """Exit status 2; no part of it is shown, and no database made."""
        result = peppered(text, "token", "list")
        says(result, 2, said)
        assert "hunter2" not in result.err
        assert not (folder / "scopeware.db").exists()

    @pytest.mark.parametrize("version", ["9" * 5000, "9" * 20, str(2**31)], ids=["huge", "big", "beyond 32 bits"])
    def test_a_version_beyond_the_databases_numbers_is_refused(self, peppered, version):
        """In a line; on some databases it could not be written down."""
        says(peppered(f"{version}:the pepper of this deployment: long enough", "token", "list"), 2, "pepper")

    def test_a_pepper_that_is_no_utf8_is_told_as_such(self, peppered):
        """As the environment passes bytes that are none."""
        says(peppered("1:" + "\udcff" * 40, "token", "list"), 2, "pepper")

    def test_both_variables_are_one_too_many(self, command, folder):
        """One of them would be ignored."""
        (folder / "pepper").write_text(FIRST, "utf-8")
        result = command("token", "list", SCOPEWARE_PEPPER=FIRST, SCOPEWARE_PEPPER_FILE="pepper")
        says(result, 2, "set SCOPEWARE_PEPPER or SCOPEWARE_PEPPER_FILE, not both")

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (None, "SCOPEWARE_PEPPER_FILE: the file cannot be read: Is a directory"),
            (b"1:\xff", "SCOPEWARE_PEPPER_FILE: the file cannot be read: it is not UTF-8 text"),
            (b"", "SCOPEWARE_PEPPER_FILE: there is no pepper; write VERSION:SECRET"),
            (b"hunter2", "SCOPEWARE_PEPPER_FILE: line 1 is not VERSION:SECRET"),
        ],
    )
    def test_a_file_that_cannot_be_read_as_peppers_is_told(self, command, folder, content, said):
        """Exit status 2; no part of it is shown."""
        if content is None:
            (folder / "pepper").mkdir()
        else:
            (folder / "pepper").write_bytes(content)
        result = command("token", "list", SCOPEWARE_PEPPER_FILE="pepper")
        says(result, 2, said)
        assert "hunter2" not in result.err


class TestNetworked:
    def test_a_missing_and_a_wrong_one_are_told(self, command, networked):
        """On each server; with the right one it goes on."""
        settings = {"SCOPEWARE_DATABASE": networked}
        assert command(*CREATE, "ci", SCOPEWARE_PEPPER=FIRST, **settings).status == 0
        says(command("token", "list", **settings), 2, "pepper 1 is missing")
        wrong = command("token", "list", SCOPEWARE_PEPPER="1:another pepper that is long enough", **settings)
        says(wrong, 2, "pepper 1 is not the one that this database knows")
        assert command("token", "rotate", "1", SCOPEWARE_PEPPER=f"{SECOND},{FIRST}", **settings).status == 0
        says(command("token", "list", SCOPEWARE_PEPPER=FIRST, **settings), 2, "pepper 2 is missing")
