"""``scopeware token create``: where a token works, who may end it, how long it lives."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from command_line import SECRET, says

from scopeware import TokenStore
from scopeware.tokens import TokenManaged

CREATE = ("token", "create", "--owner", "alice", "--name", "ci", "--scopes", "read:user")


def days_left(token):
    """For how many days a token of JSON still works, to the nearest one."""
    return round((datetime.fromisoformat(token["expires_at"]) - datetime.now(UTC)) / timedelta(days=1))


class TestNetworks:
    @pytest.fixture
    def from_address(self, cli, call, make_gate):
        """``from_address("192.0.2.7", "--network", ...)``: how the gate answers a new token that comes from there."""
        gate = make_gate()

        def ask(address, *options):
            secret = cli(*CREATE, *options, "--quiet", "--database", "sqlite:///tokens.db").out.strip()
            return call(gate, "GET", "/api/v1/user", environ={"REMOTE_ADDR": address}, authorization=f"token {secret}")

        return ask

    @pytest.mark.parametrize(
        ("network", "inside", "outside"),
        [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
        ],
    )
    def test_a_token_works_from_its_networks_only(self, cli, from_address, network, inside, outside):
        """From the last address inside; no longer from the first one outside."""
        assert from_address(inside, "--network", network).status == 200
        cli("token", "revoke", "1", "--database", "sqlite:///tokens.db")
        refused = from_address(outside, "--network", network)
        assert (refused.status, refused.code) == (403, "address_not_allowed")

    def test_without_networks_it_works_from_anywhere(self, from_address):
        """The neighbour of the above."""
        assert from_address("192.0.3.0").status == 200

    def test_several_are_told_in_order_and_once_each(self, cli):
        """When it is made, in JSON; later, on paper, too."""
        networks = ("2001:db8::/32", "192.0.2.7", "10.0.0.0/8", "192.0.2.7")
        options = [word for network in networks for word in ("--network", network)]
        made = cli(*CREATE, *options, "--json").json
        assert made["networks"] == ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"]
        assert cli("token", "show", "1", "--json").json["networks"] == made["networks"]
        rows = dict(line.split(None, 1) for line in cli("token", "show", "1").out.splitlines())
        assert rows["networks"] == "10.0.0.0/8, 192.0.2.7/32, 2001:db8::/32"

    def test_a_token_from_anywhere_has_no_such_line(self, cli):
        """In JSON the list is empty."""
        assert cli(*CREATE, "--json").json["networks"] == []
        assert "networks" not in cli("token", "show", "1").out

    @pytest.mark.parametrize(
        ("network", "why"),
        [
            ("192.0.2.1/24", "has host bits set"),
            ("192.0.2.0/33", "does not appear to be"),
            ("office", "does not appear to be"),
            ("", "does not appear to be"),
            ("192.0.2.0/24,10.0.0.0/8", "does not appear to be"),
            ("192.0.2.0/24 ", "does not appear to be"),
        ],
    )
    def test_what_is_no_network_is_refused_with_examples(self, cli, network, why):
        """Nothing is made, also where another one is fine."""
        result = cli(*CREATE, "--network", "10.0.0.0/8", "--network", network)
        says(result, 2, f"`{network}` is no network (", why, "write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32")
        assert cli("token", "list", "--all", "--json").json == []


class TestManaged:
    def test_its_owner_cannot_end_a_managed_token(self, cli):
        """Whoever runs the command line can."""
        cli(*CREATE, "--managed")
        with closing(TokenStore.connect("sqlite:///scopeware.db")) as store, pytest.raises(TokenManaged):
            store.revoke(1, by="alice")
        assert cli("token", "revoke", "1").out == "token 1 is revoked\n"

    def test_its_owner_can_end_a_token_that_is_not_managed(self, cli):
        """The neighbour of the above."""
        cli(*CREATE)
        with closing(TokenStore.connect("sqlite:///scopeware.db")) as store:
            assert store.revoke(1, by="alice")

    def test_it_is_told(self, cli):
        """In JSON and on paper; the neighbour is not called so."""
        assert cli(*CREATE, "--managed", "--json").json["managed"] is True
        assert cli(*CREATE, "--name", "other", "--json").json["managed"] is False
        assert "managed    its owner cannot end or change it" in cli("token", "show", "1").out
        assert "managed" not in cli("token", "show", "2").out


class TestLifetimes:
    def test_a_token_lives_as_long_as_the_policy_says(self, cli, limited):
        """And for ever, where no policy says so."""
        assert days_left(cli(*CREATE, "--policy", limited, "--json").json) == 30
        assert cli(*CREATE, "--name", "other", "--json").json["expires_at"] is None

    def test_the_end_is_told_when_it_is_made(self, cli, limited):
        """Nobody asked for one."""
        assert "read:user, until 20" in cli(*CREATE, "--policy", limited).err

    def test_the_longest_there_may_be_is_fine(self, cli, limited):
        """And is what was asked for, not the default."""
        assert days_left(cli(*CREATE, "--expires", "90d", "--policy", limited, "--json").json) == 90

    @pytest.mark.parametrize(
        ("expires", "said"),
        [
            ("never", "a token has to expire, 90d from now at the latest"),
            ("91d", "the expiry is too far away: 90d from now at the latest"),
            ("1y", "90d from now at the latest"),
            ("2099-01-31", "90d from now at the latest"),
        ],
    )
    def test_what_is_longer_is_refused_with_the_longest(self, cli, limited, expires, said):
        """Nothing is made; without the policy it is fine."""
        says(cli(*CREATE, "--expires", expires, "--policy", limited), 2, said)
        assert cli("token", "list", "--all", "--json").json == []
        assert cli(*CREATE, "--expires", expires).status == 0

    def test_a_default_alone_forbids_nothing(self, cli, folder):
        """``never`` can be asked for where there is no longest."""
        (folder / "p.toml").write_text('[tokens]\ndefault_lifetime = "30d"\n[[group]]\npath = "/"\nscopes = ["user"]\n')
        assert days_left(cli(*CREATE, "--policy", "p.toml", "--json").json) == 30
        made = cli(*CREATE, "--name", "other", "--expires", "never", "--policy", "p.toml", "--json").json
        assert made["expires_at"] is None

    def test_a_longest_alone_is_the_default_too(self, cli, folder):
        """With it no token lives for ever."""
        (folder / "p.toml").write_text('[tokens]\nmax_lifetime = "2w"\n[[group]]\npath = "/"\nscopes = ["user"]\n')
        assert days_left(cli(*CREATE, "--policy", "p.toml", "--json").json) == 14

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ('default_lifetime = "100d"\nmax_lifetime = "90d"', "p.toml: tokens.default_lifetime: "),
            ('max_lifetime = "0d"', "p.toml: tokens.max_lifetime: "),
            ('max_lifetime = "soon"', "p.toml: tokens.max_lifetime: "),
            ('max_liftime = "90d"', "p.toml: tokens.max_liftime: unknown key `max_liftime`; did you mean"),
        ],
    )
    def test_lifetimes_that_cannot_be_are_told_with_file_and_key(self, cli, folder, line, said):
        """Before anything is made."""
        (folder / "p.toml").write_text(f'[tokens]\n{line}\n[[group]]\npath = "/"\nscopes = ["user"]\n')
        says(cli(*CREATE, "--policy", "p.toml"), 2, said)
        assert not (folder / "scopeware.db").exists()


class TestOutput:
    def test_json_is_all_there_is(self, command):
        """Nothing is said beside it, so that it can be read from a terminal's log, too."""
        result = command(*CREATE, "--network", "192.0.2.7", "--managed", "--json")
        assert (result.status, result.err) == (0, "")
        assert SECRET.fullmatch(result.json["secret"])
