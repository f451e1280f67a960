"""``scopeware scopes convert``: what old scopes become."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest
from command_line import Result, environment, says

from scopeware.migration import Mapping

GITEA = ("scopes", "convert", "--mapping", "gitea-1.19")

SHOP = """
name = "shop"

[old]
scopes = ["orders", "orders:view"]
  [old.implies]
  orders = ["orders:view"]

[map]
orders = "write:repository"
"orders:view" = ["read:repository", "read:user"]
"""


@pytest.fixture
def shop(folder):
    """A mapping of one's own."""
    (folder / "shop.toml").write_text(SHOP, "utf-8")
    return "shop.toml"


class TestTexts:
    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("repo,user:follow", "write:repository,write:user"),
            ("user:follow, repo", "write:repository,write:user"),
            ("public_repo", "public-only,write:repository"),
            ("all", "all"),
            ("write:repository", "write:repository"),
            ("wirte:package,repo", "wirte:package,write:repository"),
            ("nobody:knows", "nobody:knows"),
            ("REPO", "REPO"),
            ("", ""),
            (" , ,", ""),
            ("admin:user_hook", "write:user"),
        ],
    )
    def test_one_text(self, cli, old, new):
        """As it is stored; words that nobody knows stand in front."""
        assert cli(*GITEA, old) == Result(0, f"{new}\n", "")
        assert cli(*GITEA, old, "--json").json == [{"input": old, "scopes": new}]

    def test_a_line_for_each(self, command):
        """In the order of the arguments."""
        result = command(*GITEA, "repo", "", "user:email")
        assert (result.status, result.out, result.err) == (0, "write:repository\n\nwrite:user\n", "")

    @pytest.mark.parametrize("name", Mapping.builtin_names())
    def test_each_mapping_that_ships(self, cli, name):
        """Every old scope of it; once converted it stays what it is."""
        mapping = Mapping.builtin(name)
        options = ("scopes", "convert", "--mapping", name, "--")
        once = cli(*options, *mapping.old.words).out.splitlines()
        assert once == [mapping.convert(word) for word in mapping.old.words]
        assert cli(*options, *once).out.splitlines() == once

    def test_a_mapping_of_ones_own(self, cli, shop):
        """From a file."""
        options = ("scopes", "convert", "--mapping", shop)
        assert (
            cli(*options, "orders:view", "orders", "sold").out == "read:repository,read:user\nwrite:repository\nsold\n"
        )

    def test_a_text_that_begins_like_an_option(self, cli):
        """After two dashes."""
        assert cli(*GITEA, "--", "--json,repo", "-h").out == "--json,write:repository\n-h\n"

    def test_words_of_ten_thousand_letters(self, cli):
        """Many of them, at once."""
        words = ["x" * 10_000 + str(each) for each in range(50)]
        began = time.monotonic()
        assert cli(*GITEA, ",".join([*words, "repo"])).out == ",".join([*words, "write:repository"]) + "\n"
        assert time.monotonic() - began < 2


class TestFormats:
    @pytest.mark.parametrize(
        ("form", "old", "new"),
        [
            ("comma", "repo,nobody:knows", "nobody:knows,write:repository"),
            ("space", "  repo\tuser:follow ", "write:repository write:user"),
            ("space", "repo user,nobody", "nobody write:repository write:user"),
            ("json", '["repo", "user:follow"]', '["write:repository", "write:user"]'),
            ("json", '["répo", "repo"]', '["répo", "write:repository"]'),
            ("json", "[]", "[]"),
            ("json", "", "[]"),
        ],
    )
    def test_how_scopes_are_stored(self, cli, form, old, new):
        """What is printed is stored the same way."""
        assert cli(*GITEA, "--format", form, "--", old).out == f"{new}\n"

    @pytest.mark.parametrize("old", ["repo", "[1]", '{"a": 1}', "[", "null", "[" * 10_000, "NaN", '"repo"'])
    def test_json_that_is_no_list(self, cli, old):
        """Is wrong; nothing is printed of the others, either."""
        says(cli(*GITEA, "--format", "json", '["repo"]', old), 2, "expected a JSON list of texts")

    @pytest.mark.parametrize("word", ["nobody,repo", "nobody repo", "a,b", ",repo,"])
    def test_a_word_of_json_is_one_word(self, cli, word):
        """It is unknown, whatever is in it, and grants nothing: it comes back as it was."""
        converted = json.loads(cli(*GITEA, "--format", "json", json.dumps([word, "sudo"])).out)
        assert converted == [word, "write:admin"]

    def test_half_a_letter(self, command):
        """In JSON it is written so that it can be printed."""
        result = command(*GITEA, "--format", "json", '["\\ud83d", "repo"]')
        assert (result.status, result.err) == (0, "")
        assert json.loads(result.out) == ["\ud83d", "write:repository"]

    def test_a_format_there_is_not(self, cli):
        """Those that there are are named."""
        says(cli(*GITEA, "--format", "yaml", "repo"), 2, "comma", "space", "json")


class TestErrors:
    def test_no_mapping(self, cli):
        """It has to be said."""
        says(cli("scopes", "convert", "repo"), 2, "--mapping")

    def test_no_text(self, cli):
        """There has to be one."""
        says(cli(*GITEA), 2, "SCOPES")

    @pytest.mark.parametrize("name", ["gitea-1.20", "", "nowhere.toml", "\x1b[31m", "../gitea-1.19", "gitea-1.19.toml"])
    def test_a_mapping_there_is_not(self, cli, name):
        """Those that there are are named."""
        says(cli("scopes", "convert", "--mapping", name, "repo"), 2, "gitea-1.19", "github-classic")

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (("[map]", "[mapp]"), ["shop.toml", "mapp", "did you mean `map`"]),
            (('"write:repository"', '"wirte:repository"'), ["shop.toml", "wirte:repository", "write:repository"]),
            (('orders = "write:repository"', ""), ["shop.toml", "orders"]),
            (("[old]", "[old"), ["shop.toml", "TOML"]),
            (('["orders", "orders:view"]', '["orders", "orders:view", "orders"]'), ["shop.toml", "orders", "twice"]),
        ],
    )
    def test_a_mapping_that_is_wrong(self, cli, folder, shop, change, said):
        """What and where is said, in a line."""
        (folder / shop).write_text(SHOP.replace(*change), "utf-8")
        says(cli("scopes", "convert", "--mapping", shop, "orders"), 2, *said)

    def test_a_folder_is_no_mapping(self, cli, folder):
        """Nor what cannot be read."""
        (folder / "shop").mkdir()
        says(cli("scopes", "convert", "--mapping", "shop", "orders"), 2, "shop")
        (folder / "shop.toml").write_bytes(b"\xff\xfe")
        says(cli("scopes", "convert", "--mapping", "shop.toml", "orders"), 2, "UTF-8")

    def test_an_argument_that_is_no_text(self, folder):
        """Bytes of another encoding: no traceback, whatever is printed."""
        done = subprocess.run(
            [sys.executable, "-m", "scopeware", *GITEA, os.fsencode("répo,repo".encode("latin-1"))],
            cwd=folder,
            env=environment(),
            capture_output=True,
            timeout=20,
            check=False,
        )
        assert b"Traceback" not in done.stderr
        assert done.returncode in (0, 2)
        if done.returncode == 0:
            assert done.stdout == b"r\xe9po,write:repository\n"
