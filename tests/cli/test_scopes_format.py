"""``scopeware scopes format``: scopes of one notation in another."""

from __future__ import annotations

import json

import pytest
from command_line import says

DEPOT = """
[vocabulary]
name = "depot"
spelling = "category:action"
actions = ["read_any", "read_own", "write_any", "write_own"]
implies = { write_any = ["read_any"], write_own = ["read_own"] }
own = { read_any = "read_own", write_any = "write_own" }
methods = { GET = ["read_any"], "*" = ["write_any"] }
category_wildcards = true
public_only = "public-only"
aliases = { read = "read_any", "read:any" = "read_any" }
wildcards = { "role:admin" = ["*"] }
reserved = { "role:admin" = ["admin"] }

[vocabulary.categories]
docker = "Containers"
vms = "Virtual machines"
admin = { actions = [] }
"admin.users" = { description = "People", actions = ["read_any", "write_any"] }

[vocabulary.scopes]
export = "Everything in one file"

[[group]]
path = "/docker"
scopes = ["docker"]
"""
EVERY = ("plain", "compact", "dotted", "json")


@pytest.fixture(autouse=True)
def depot(folder):
    """A policy whose words stand the other way round, used by default."""
    (folder / "scopes.toml").write_text(DEPOT, "utf-8")


@pytest.fixture
def formatted(cli):
    """``formatted("compact", "docker:read")``: what is printed; nothing may be said besides."""

    def run(notation, *words):
        result = cli("scopes", "format", "--as", notation, *words)
        assert (result.status, result.err) == (0, "")
        return result.out.removesuffix("\n")

    return run


class TestWriting:
    @pytest.mark.parametrize(
        ("notation", "written"),
        [
            ("plain", "docker:read_any,vms:read_any,vms:write_own"),
            ("compact", "docker:read_any,vms:read_any+write_own"),
            ("dotted", "docker:read_any,vms:read_any,vms:write_own"),
        ],
    )
    def test_each_notation_has_its_own_spelling(self, formatted, notation, written):
        """Of the same scopes."""
        assert formatted(notation, "vms:read_any,docker:read_any,vms:write_own") == written

    def test_json_is_the_groups_as_data(self, formatted):
        """Words that are about no category stand beside them."""
        data = json.loads(formatted("json", "docker:read_any,vms:read_any,export,public-only,vms:write_any@vms/web"))
        assert data == {
            "public_only": True,
            "words": ["export"],
            "groups": [
                {"categories": ["docker", "vms"], "actions": ["read_any"]},
                {"categories": ["vms"], "actions": ["write_any"], "resource": "vms/web"},
            ],
        }

    def test_plain_is_the_default(self, cli, formatted):
        """In its canonical order, what is implied left out."""
        result = cli("scopes", "format", "vms:write_any docker:read_own,vms:read_any")
        assert result.out == "docker:read_own,vms:write_any\n"
        assert result.out.strip() == formatted("plain", "vms:write_any docker:read_own,vms:read_any")

    def test_compact_puts_together_what_can_be_done_alike(self, formatted):
        """Categories with the same actions; what was granted stays, also where it is implied."""
        assert formatted("compact", "vms:read_any,docker:read_any") == "docker+vms:read_any"
        assert formatted("compact", "vms:read_any,docker:write_any,docker:read_any") == (
            "docker:read_any+write_any,vms:read_any"
        )

    def test_words_for_many_scopes_are_kept_where_they_were_granted(self, formatted):
        """In `compact`; `plain` and `dotted` say what they come to."""
        assert formatted("compact", "docker:*,vms:read_any") == "docker:*,vms:read_any"
        assert formatted("compact", "role:admin") == "role:admin"
        assert formatted("plain", "docker:*") == "docker:write_any"
        assert formatted("dotted", "role:admin") == "docker:write_any,vms:write_any,admin.users:write_any,export"

    @pytest.mark.parametrize(
        ("notation", "written"),
        [
            ("plain", "export,docker:read_any@docker/web,vms:read_any@docker/web"),
            ("compact", "export,docker+vms:read_any@docker/web"),
            ("dotted", "export,docker:read_any@docker/web,vms:read_any@docker/web"),
        ],
    )
    def test_what_is_bound_stays_bound(self, formatted, notation, written):
        """To the same."""
        assert formatted(notation, "docker+vms:read@docker/web,export") == written

    @pytest.mark.parametrize("notation", EVERY)
    def test_nothing_is_nothing(self, formatted, notation):
        """An empty text grants nothing in every notation."""
        written = formatted(notation, "")
        expected = {"public_only": False, "words": [], "groups": []}
        assert json.loads(written) == expected if notation == "json" else written == ""


class TestReading:
    @pytest.mark.parametrize(
        "text",
        [
            "docker:read_any,vms:read_any",
            "docker:read_any vms:read_any",
            "vms:read_any, docker:read_any",
            "docker+vms:read_any",
            "vms+docker:read_any",
            "docker:read,vms:read",
            "DOCKER:read:any,VMS:READ_ANY",
            "Docker+Vms:Read",
            "docker+docker+vms:read+read_any",
            '{"groups": [{"categories": ["docker", "vms"], "actions": ["read_any"]}]}',
            '  {"words": ["docker:read"], "groups": [{"categories": ["vms"], "actions": ["read:any"]}]}',
        ],
    )
    def test_every_spelling_is_understood(self, formatted, text):
        """Plain, compact, old, in any letter case, as JSON."""
        assert formatted("compact", text) == "docker+vms:read_any"

    def test_several_arguments_are_one_text(self, formatted):
        """All together."""
        assert formatted("compact", "docker:read", "vms:read,export") == "export,docker+vms:read_any"
        assert formatted("compact", "docker:read", "") == "docker:read_any"

    def test_everything_of_a_category_is_what_it_has(self, formatted):
        """A star is a word where the vocabulary has one, and all actions where not."""
        assert formatted("compact", "admin.users:*") == "admin.users:*"
        assert formatted("compact", "docker+vms:*") == "docker+vms:*"

    @pytest.mark.parametrize("notation", ["compact", "json"])
    @pytest.mark.parametrize(
        "text",
        [
            "docker+vms:read_any+write_own",
            "docker:*,vms:read_own,export,public-only",
            "role:admin,docker:read_any",
            "docker:read_any@docker/web,vms:write_any@vms/*,vms:read_own",
            "export@docker/web,export",
            "",
        ],
    )
    def test_what_is_printed_can_be_read_again(self, formatted, notation, text):
        """As the same grants; and once more is once too often."""
        once = formatted(notation, text)
        assert formatted(notation, once) == once
        assert formatted("json", once) == formatted("json", text)

    @pytest.mark.parametrize("notation", ["plain", "dotted"])
    def test_what_it_comes_to_can_be_read_again(self, formatted, notation):
        """In the notations that say what grants come to."""
        text = "docker:*,vms:read_own,export,public-only,admin.users:read_any@docker/web"
        once = formatted(notation, text)
        assert formatted(notation, once) == once
        assert formatted("plain", once) == formatted("plain", text)


class TestVocabularies:
    @pytest.mark.parametrize(
        ("notation", "written"),
        [
            ("plain", "public-only,write:issue,read:user"),
            ("compact", "public-only,issue:write,user:read"),
            ("dotted", "public-only,issue:write,user:read"),
        ],
    )
    def test_without_a_policy_it_is_giteas(self, formatted, folder, notation, written):
        """As the help shows it."""
        (folder / "scopes.toml").unlink()
        assert sorted(formatted(notation, "read:user,write:issue,public-only").split(",")) == sorted(written.split(","))

    def test_the_examples_of_the_help_are_true(self, command, folder):
        """To the letter."""
        (folder / "scopes.toml").unlink()
        shown = command("scopes", "format", "--help").out
        lines = [line.partition(" prints ") for line in shown.splitlines() if " prints " in line]
        assert len(lines) == 2
        for line, _, printed in lines:
            assert command(*line.split()[1:]).out.strip() == printed.strip()

    def test_a_policy_can_be_named(self, cli, folder, fleet):
        """Its words are the ones that are known."""
        result = cli("scopes", "format", "--as", "dotted", "read:docker", "--policy", fleet)
        assert (result.status, result.out) == (0, "docker:read\n")
        says(cli("scopes", "format", "read_any:docker"), 2, "did you mean `docker:read_any`?")


class TestUnknown:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("docker:fly", "unknown scope `docker:fly`"),
            ("docker:read,dockr:read_any", "unknown scope `dockr:read_any`"),
            ("docker+vans:read", "`docker+vans:read`"),
            ("docker:read_any@", "`docker:read_any@`"),
            ("nonsense", "unknown scope `nonsense`"),
            ("ROLE:ADMIN2", "`ROLE:ADMIN2`"),
            ("docker:", "`docker:`"),
            ("\x1b[31m", "`\\x1b[31m`"),
            ("größe:lesen", "`größe:lesen`"),
        ],
    )
    def test_what_nobody_knows_is_an_error(self, cli, text, said):
        """Nothing is printed, not even what is known beside it."""
        says(cli("scopes", "format", "--as", "compact", text), 2, said)

    def test_it_can_be_left_out(self, command):
        """A line each on stderr; what is known is printed all the same."""
        result = command(
            "scopes", "format", "--as", "compact", "--lenient", "docker+vans:read+fly,sea:read vms:read_own"
        )
        assert (result.status, result.out) == (0, "docker:read_any,vms:read_own\n")
        lines = result.err.splitlines()
        assert all(line.startswith("left out: `") for line in lines)
        assert {"left out: `sea:read`", "left out: `vans:read+fly`"} <= set(lines)

    def test_what_is_left_out_grants_nothing(self, cli):
        """Not even a part of what it looks like."""
        result = cli("scopes", "format", "--lenient", "docker:fly,all,*,*:*,read_any,docker,role:,docker:read_any@..")
        assert (result.status, result.out) == (0, "\n")
        assert result.err.count("left out: ") == 8

    def test_json_names_what_was_left_out(self, cli):
        """And says what was asked, and how it is written."""
        result = cli("scopes", "format", "--as", "dotted", "--lenient", "--json", "docker:read", "docker:fly")
        assert (result.status, result.err) == (0, "")
        assert result.json == {
            "input": ["docker:read", "docker:fly"],
            "as": "dotted",
            "scopes": "docker:read_any",
            "unknown": ["docker:fly"],
        }
        says(cli("scopes", "format", "--json", "docker:read", "docker:fly"), 2, "unknown scope `docker:fly`")

    def test_what_is_left_out_does_not_command_the_terminal(self, cli):
        """It is shown escaped."""
        result = cli("scopes", "format", "--lenient", "\x1b[2J")
        assert (result.out, result.err) == ("\n", "left out: `\\x1b[2J`\n")

    def test_what_is_left_out_is_not_more_than_there_was(self, cli):
        """However many names stand in one word: ten thousand characters do not become ten million."""
        text = f"{'+'.join(f'c{number}' for number in range(1000))}:{'+'.join(f'a{number}' for number in range(1000))}"
        unknown = cli("scopes", "format", "--lenient", "--json", text).json["unknown"]
        assert sum(map(len, unknown)) < 20 * len(text)


class TestErrors:
    def test_no_scopes_are_wrong_usage(self, cli):
        """An empty argument would be one."""
        says(cli("scopes", "format"), 2, "Missing argument 'SCOPES...'", "scopeware scopes format --help")

    def test_a_notation_that_nobody_knows_is_wrong_usage(self, cli):
        """With those there are."""
        says(cli("scopes", "format", "--as", "yaml", "docker:read"), 2, "'yaml'", *EVERY)

    @pytest.mark.parametrize(
        "text",
        [
            "{",
            "{nonsense}",
            '{"groups": 5}',
            '{"groups": [5]}',
            '{"groups": [{}]}',
            '{"groups": [{"categories": ["docker"]}]}',
            '{"groups": [{"categories": [5], "actions": ["read"]}]}',
            '{"groups": [{"categories": "docker", "actions": "read"}]}',
            '{"words": 5}',
            '{"words": "export"}',
            f'{{"words": {"[" * 100_000}',
        ],
        ids=lambda text: text[:40],
    )
    def test_json_that_is_something_else_is_told(self, cli, text):
        """In one line; text is no list of names, whose letters would be names."""
        says(cli("scopes", "format", text), 2, "scopes: expected what the json notation writes")

    def test_json_with_names_that_nobody_knows_is_an_error_like_others(self, cli):
        """Or left out."""
        text = '{"groups": [{"categories": ["docker"], "actions": ["fly"]}], "words": ["sea"]}'
        says(cli("scopes", "format", text), 2, "unknown scope")
        result = cli("scopes", "format", "--lenient", text)
        assert (result.status, result.out) == (0, "\n")

    def test_a_policy_that_cannot_be_used_is_told(self, cli, folder):
        """By its name."""
        says(cli("scopes", "format", "docker:read", "--policy", "nope.toml"), 2, "nope.toml: there is no such policy")
        (folder / "scopes.toml").write_text("[vocabulary]\nspeling = 1\n" + DEPOT, "utf-8")
        says(cli("scopes", "format", "docker:read"), 2, "scopes.toml:")
