"""``scopeware scopes``: the words and their spelling."""

from __future__ import annotations

import pytest
from command_line import says

from scopeware import Vocabulary


class TestList:
    def test_every_word_is_listed_with_what_it_is_about(self, command):
        """Scopes, wildcards and the restriction."""
        lines = command("scopes", "list").out.splitlines()
        assert lines[0].split() == ["scope", "about"]
        words = [line.split()[0] for line in lines[1:] if not line.startswith(" ")]
        assert words == [*Vocabulary.builtin("gitea").scopes, "all", "public-only"]
        assert "Issues, labels, milestones, comments, tracked time" in command("scopes", "list").out

    def test_json_lists_them_in_canonical_order(self, cli):
        """Each word an object."""
        listed = cli("scopes", "list", "--json").json
        assert [entry["scope"] for entry in listed[:2]] == ["read:activitypub", "write:activitypub"]
        assert listed[0]["description"] == "ActivityPub federation"
        assert listed[-1] == {"scope": "public-only", "description": "a restriction: nothing that is not public"}

    def test_a_policys_own_words_are_listed_with_their_descriptions_verbatim(self, cli, fleet):
        """Markup in a description is text."""
        listed = {
            entry["scope"]: entry["description"] for entry in cli("scopes", "list", "--policy", fleet, "--json").json
        }
        assert listed["read:docker"] == "Containers"
        assert listed["read:*"] == "read:docker, read:vms"
        assert "public-only" not in listed
        assert "read:user" not in listed
        assert "Machines [bold]loud[/]" in cli("scopes", "list", "--policy", fleet).out


class TestNormalize:
    @pytest.mark.parametrize(
        ("text", "normal"),
        [
            ("read:user", "read:user"),
            ("write:user read:user,public-only", "public-only,write:user"),
            ("read:user,read:issue", "read:issue,read:user"),
            ("all,read:user", "all"),
            ("", ""),
        ],
    )
    def test_one_spelling_for_one_meaning(self, cli, text, normal):
        """As the text and as JSON."""
        assert cli("scopes", "normalize", text).out == f"{normal}\n"
        assert cli("scopes", "normalize", text, "--json").json == [{"input": text, "scopes": normal}]

    def test_all_writes_together_are_all(self, cli):
        """However they were put."""
        writes = [scope for scope in Vocabulary.builtin("gitea").scopes if scope.startswith("write:")]
        assert cli("scopes", "normalize", " ".join(reversed(writes))).out == "all\n"
        assert cli("scopes", "normalize", " ".join(writes[1:])).out != "all\n"

    def test_a_line_each(self, command):
        """In the order of the arguments."""
        result = command("scopes", "normalize", "write:user,read:user", "all", "public-only")
        assert (result.status, result.out) == (0, "write:user\nall\npublic-only\n")

    def test_a_policys_own_vocabulary_spells(self, cli, fleet):
        """Its wildcard for everything, too."""
        result = cli("scopes", "normalize", "read:vms,create:docker", "read:docker everything", "--policy", fleet)
        assert result.out == "create:docker,read:vms\neverything\n"

    def test_what_is_printed_is_already_normal(self, cli):
        """Once is enough."""
        for text in ("write:user read:issue", "public-only all", "read:admin,write:admin"):
            once = cli("scopes", "normalize", text).out.strip()
            assert cli("scopes", "normalize", once).out.strip() == once

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("all", "wirte:user"), "did you mean `write:user`"),
            (("*",), "unknown scope `*`"),
            (("READ:USER",), "`read:user`"),
            (("\x1b[31m",), "`\\x1b[31m`"),
        ],
    )
    def test_an_unknown_word_is_an_error_and_nothing_is_printed(self, cli, words, said):
        """Not even for those before it."""
        says(cli("scopes", "normalize", *words), 2, said)

    def test_nothing_to_normalize_is_wrong_usage(self, cli):
        """An empty argument is one, no argument is none."""
        says(cli("scopes", "normalize"), 2, "Missing argument 'TEXT...'", "scopeware scopes normalize --help")
