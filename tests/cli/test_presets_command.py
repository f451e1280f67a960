"""Presets: listed by ``scopeware scopes list``, taken by ``scopeware token create --preset``."""

from __future__ import annotations

import pytest
from command_line import says

SHOP = """
[vocabulary]
name = "shop"
actions = ["read", "write"]
all = "everything"
categories = { order = "Orders", stock = "What there is", admin = "Administration" }
admin = ["admin"]
wildcards = { "role:admin" = ["*"], "read:*" = ["read:*"] }
reserved = { "role:admin" = ["admin"] }

[gate]
token_prefix = "shp"

[presets.watch]
scopes = ["read:order", "read:stock"]
description = "Dashboards and [bold]monitoring[/]"

[presets."till 2"]
scopes = "write:order read:stock"

[presets.boss]
scopes = ["role:admin"]
description = "Administrators"

[[group]]
path = "/orders"
scopes = ["order"]
"""
OTHER_WAY = """
[vocabulary]
spelling = "category:action"
actions = ["read_any", "read_own"]
own = { read_any = "read_own" }
methods = { "*" = ["read_any"] }
category_wildcards = true

[vocabulary.categories]
docker = "Containers"
"docker.logs" = "What they say"

[vocabulary.scopes]
export = "Everything in one file"

[presets.all]
scopes = "docker:*,export"
description = "Größe 漢字"

[[group]]
path = "/docker"
scopes = ["docker"]
own = "filter"
"""
CREATE = ("token", "create", "--owner", "alice", "--name", "ci", "--policy", "shop.toml")


@pytest.fixture(autouse=True)
def shop(folder):
    """Two policies with presets."""
    (folder / "shop.toml").write_text(SHOP, "utf-8")
    (folder / "other.toml").write_text(OTHER_WAY, "utf-8")


class TestList:
    def test_presets_stand_below_the_scopes(self, command):
        """In the order of the policy, with what each grants, verbatim."""
        out = command("scopes", "list", "--policy", "shop.toml").out
        scopes, presets = out.split("\n\n")
        assert scopes.splitlines()[0].split() == ["scope", "about"]
        assert presets.splitlines() == [
            "preset  scopes                  about",
            "watch   read:order,read:stock   Dashboards and [bold]monitoring[/]",
            "till 2  write:order,read:stock",
            "boss    role:admin              Administrators",
        ]

    def test_without_presets_there_is_no_such_table(self, cli, fleet):
        """Nor for Gitea's vocabulary, which has no policy."""
        assert "preset" not in cli("scopes", "list", "--policy", fleet).out
        assert "preset" not in cli("scopes", "list").out

    def test_json_tells_presets_from_scopes(self, cli):
        """Each an object with its own keys."""
        listed = cli("scopes", "list", "--policy", "shop.toml", "--json").json
        presets = [entry for entry in listed if "preset" in entry]
        assert presets == [
            {
                "preset": "watch",
                "scopes": "read:order,read:stock",
                "description": "Dashboards and [bold]monitoring[/]",
            },
            {"preset": "till 2", "scopes": "write:order,read:stock", "description": ""},
            {"preset": "boss", "scopes": "role:admin", "description": "Administrators"},
        ]
        assert all(set(entry) == {"scope", "description"} for entry in listed if entry not in presets)

    def test_words_are_listed_as_the_policy_spells_them(self, cli):
        """Category first, parts, words for a category, scopes that stand alone."""
        listed = cli("scopes", "list", "--policy", "other.toml", "--json").json
        assert [(entry.get("scope") or entry["preset"], entry["description"]) for entry in listed] == [
            ("docker:read_any", "Containers"),
            ("docker:read_own", "Containers"),
            ("docker.logs:read_any", "What they say"),
            ("docker.logs:read_own", "What they say"),
            ("export", "Everything in one file"),
            ("docker:*", "docker:read_any"),
            ("docker.logs:*", "docker.logs:read_any"),
            ("all", "Größe 漢字"),
        ]
        text = cli("scopes", "list", "--policy", "other.toml").out
        assert [line.split()[0] for line in text.splitlines() if line][:3] == [
            "scope",
            "docker:read_any",
            "docker:read_own",
        ]
        assert text.splitlines()[-1].split() == ["all", "docker:*,export", "Größe", "漢字"]


class TestCreate:
    def test_a_preset_says_what_a_token_may_do(self, cli):
        """And it is a token like others."""
        result = cli(*CREATE, "--preset", "watch")
        assert (result.status, result.out[:4]) == (0, "shp_")
        assert result.err == "token 1 of alice: read:order,read:stock, without expiry; the secret is not shown again\n"
        made = cli("token", "show", "1", "--policy", "shop.toml", "--json").json
        assert made["scopes"] == made["effective_scopes"] == "read:order,read:stock"

    def test_a_preset_and_scopes_are_both(self, cli):
        """In canonical spelling, what is implied left out."""
        made = cli(*CREATE, "--preset", "watch", "--scopes", "write:order", "--json").json
        assert made["scopes"] == "write:order,read:stock"

    @pytest.mark.parametrize(
        "scopes", ["order:write", "ORDER:write", '{"groups": [{"categories": ["order"], "actions": ["write"]}]}']
    )
    def test_scopes_in_any_notation_go_with_a_preset(self, cli, scopes):
        """As they go without one."""
        assert cli(*CREATE, "--scopes", scopes, "--json").json["scopes"] == "write:order"
        both = cli(*CREATE[:5], "both", *CREATE[6:], "--scopes", scopes, "--preset", "watch", "--json")
        assert both.status == 0, both
        assert both.json["scopes"] == "write:order,read:stock"

    def test_a_name_may_have_spaces(self, cli):
        """It is one argument."""
        assert cli(*CREATE, "--preset", "till 2", "--json").json["scopes"] == "write:order,read:stock"

    def test_words_for_many_are_granted_as_such(self, cli):
        """So that a category to come is among them."""
        made = cli(*CREATE[:-1], "other.toml", "--preset", "all", "--json")
        assert made.json["effective_scopes"] == "docker:read_any,export"
        text = cli("token", "show", "1", "--policy", "other.toml", "--json").json
        assert text["unknown_scopes"] == []

    def test_a_preset_of_reserved_words_is_for_those_roles(self, cli):
        """Refused like the word itself; an administrator gets it."""
        says(cli(*CREATE, "--preset", "boss"), 2, "`role:admin`", "admin", "user")
        cli("owner", "add", "alice", "--role", "admin", "--policy", "shop.toml")
        assert cli(*CREATE, "--preset", "boss").status == 0

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("wotch", "--preset: the policy has no preset `wotch`; did you mean `watch`?"),
            ("Watch", "--preset: the policy has no preset `Watch`; did you mean `watch`?"),
            ("nonsense", "--preset: the policy has no preset `nonsense`; there are: watch, till 2, boss"),
            ("", "--preset: the policy has no preset ``; there are: watch, till 2, boss"),
            ("\x1b[31m", "--preset: the policy has no preset `\\x1b[31m`; there are: watch, till 2, boss"),
        ],
    )
    def test_a_preset_that_nobody_knows_is_told(self, cli, folder, name, said):
        """With those there are; nothing is made."""
        says(cli(*CREATE, "--preset", name), 2, said)
        says(cli(*CREATE, "--preset", name, "--scopes", "read:order"), 2, said)
        assert not (folder / "scopeware.db").exists()

    def test_where_the_policy_has_none_that_is_told(self, cli, fleet):
        """And where there is no policy."""
        create = ("token", "create", "--owner", "alice", "--name", "ci", "--preset", "watch")
        says(cli(*create, "--policy", fleet), 2, "--preset: the policy has no preset `watch`; there are: none")
        says(cli(*create), 2, "--preset: ")

    def test_neither_scopes_nor_a_preset_is_wrong_usage(self, cli):
        """A token that may do nothing is none."""
        says(cli(*CREATE), 2, "say what it may do: --scopes, or --preset", "scopeware token create --help")
        says(cli(*CREATE, "--scopes", ""), 2, "a token without a scope could do nothing")

    def test_an_unknown_scope_beside_a_preset_is_an_error(self, cli):
        """The preset alone is not what was asked for."""
        says(cli(*CREATE, "--preset", "watch", "--scopes", "read:ordr"), 2, "unknown scope `read:ordr`")
        assert cli("token", "list", "--policy", "shop.toml", "--json").json == []
