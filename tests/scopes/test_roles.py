"""Roles: ceilings on what an owner's tokens can do."""

import pytest

from scopeware.scopes import ADMIN_ROLE, DEFAULT_ROLE, Category, Roles, Vocabulary, VocabularyError

GITEA = Vocabulary.builtin("gitea")


def test_a_viewer_reads_everything_but_administration():
    """All reads but the administrators', and no write."""
    viewer = Roles(GITEA)["viewer"]
    for category in GITEA.categories:
        assert viewer.covers(f"read:{category}") is (category != "admin")
        assert not viewer.covers(f"write:{category}")


def test_a_user_does_everything_but_administration():
    """All writes but the administrators', which it cannot even read."""
    user = Roles(GITEA)["user"]
    for category in GITEA.categories:
        assert user.covers(f"write:{category}") is (category != "admin")
    assert not user.covers("read:admin")


def test_an_administrator_does_everything():
    """Nothing is beyond the admin role, and no role is public-only."""
    roles = Roles(GITEA)
    assert roles["admin"] == GITEA.parse("all")
    assert roles["viewer"] < roles["user"] < roles["admin"]
    assert not any(ceiling.public_only for ceiling in roles.values())


def test_a_ceiling_cuts_what_a_token_was_granted():
    """Rights are granted ∩ role: neither alone is enough."""
    roles = Roles(GITEA)
    assert str(GITEA.parse("all") & roles["viewer"]) == str(roles["viewer"])
    assert str(GITEA.parse("write:user,write:admin") & roles["user"]) == "write:user"
    assert str(GITEA.parse("write:user,write:admin") & roles["admin"]) == "write:admin,write:user"
    assert str(GITEA.parse("read:user") & roles["admin"]) == "read:user"


def test_what_a_ceiling_cuts_is_not_a_literal_all():
    """Everything that a user has today does not grow into everything of tomorrow; under a role that has everything, a
    word stays the word."""
    roles = Roles(GITEA)
    assert "all" not in (GITEA.parse("all") & roles["user"]).as_granted.split(",")
    assert "all" not in (GITEA.parse(GITEA.scopes) & roles["admin"]).as_granted.split(",")
    assert (GITEA.parse("all") & roles["admin"]).as_granted == "all"
    assert (GITEA.parse("all") & roles["admin"]) == GITEA.parse("all")


def test_roles_are_a_mapping():
    """The three built-in roles come in order, custom ones after them."""
    roles = Roles(GITEA, {"bot": "read:repository"})
    assert list(roles) == ["viewer", "user", "admin", "bot"]
    assert len(roles) == 4
    assert "bot" in roles
    assert "nobody" not in roles
    assert (DEFAULT_ROLE, ADMIN_ROLE) == ("user", "admin")
    with pytest.raises(KeyError):
        roles["nobody"]


@pytest.mark.parametrize("role", ["nobody", "", "Admin", "admin ", "root", "*"])
def test_an_unknown_role_has_no_rights_at_all(role):
    """A role nobody defined is a ceiling of nothing, a known one is its own."""
    roles = Roles(GITEA)
    assert not roles.ceiling(role)
    assert not GITEA.parse("all") & roles.ceiling(role)
    assert roles.ceiling("admin") == GITEA.parse("all")


def test_check_passes_a_role_that_there_is_and_names_near_ones_otherwise():
    """The role comes back as it went in, or the error names what was meant."""
    roles = Roles(GITEA, {"bot": "read:repository"})
    assert roles.check("viewer") == "viewer"
    assert roles.check("bot") == "bot"
    with pytest.raises(VocabularyError) as caught:
        roles.check("viewr")
    assert str(caught.value) == "unknown role `viewr`; did you mean `viewer`?"


def test_check_lists_the_roles_where_none_is_near():
    """Who is far off sees all there are."""
    with pytest.raises(VocabularyError) as caught:
        Roles(GITEA).check("zzz\n")
    assert str(caught.value) == r"unknown role `zzz\n`; there are: viewer, user, admin"


@pytest.mark.parametrize(
    ("patterns", "ceiling"),
    [
        pytest.param("read:user", "read:user", id="a-scope"),
        pytest.param("read:user,write:misc", "write:misc,read:user", id="commas"),
        pytest.param(" read:user  write:misc ", "write:misc,read:user", id="spaces"),
        pytest.param("*", "all", id="everything"),
        pytest.param("*:issue,*:repository", "write:issue,write:repository", id="categories"),
        pytest.param("*:issue,*:repository,-*:issue", "write:repository", id="taken-away"),
        pytest.param("read:user,-*", "", id="all-taken-away"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_a_table_defines_roles_by_patterns(patterns, ceiling):
    """Patterns select, `-` takes away, an empty role has no rights."""
    assert Roles(GITEA, {"own": patterns})["own"] == GITEA.parse(ceiling)


def test_a_role_may_read_all_but_administration():
    """`-*:admin` takes away the reads of administration and no other."""
    roles = Roles(GITEA, {"own": "read:*,-*:admin"})
    assert roles["own"] == roles["viewer"]
    assert not roles["own"].covers("read:admin")
    assert Roles(GITEA, {"own": "read:*"})["own"].covers("read:admin")


def test_a_table_may_narrow_the_built_in_roles():
    """A deployment's own definition wins, and the other roles stay."""
    roles = Roles(GITEA, {"viewer": "read:user"})
    assert str(roles["viewer"]) == "read:user"
    assert roles["user"] == Roles(GITEA)["user"]
    assert list(roles) == ["viewer", "user", "admin"]


def test_a_pattern_that_matches_nothing_is_refused_with_its_role():
    """A typo in a role does not silently narrow or widen it."""
    with pytest.raises(VocabularyError) as caught:
        Roles(GITEA, {"own": "read:*,-*:admn"})
    assert caught.value.where == "roles.own"
    assert caught.value.problem == "the pattern `-*:admn` matches no scope; did you mean `admin`?"


@pytest.mark.parametrize("patterns", [["read:*"], None, 5, True, {"read": "*"}])
def test_patterns_of_a_role_are_text(patterns):
    """A list that a policy file may hold is refused with its place, not read letter by letter."""
    with pytest.raises(VocabularyError) as caught:
        Roles(GITEA, {"own": patterns})
    assert caught.value.where == "roles.own"
    assert caught.value.problem == 'expected patterns such as "read:*"'
    assert Roles(GITEA, {"own": "read:*"})["own"].covers("read:user")


def test_parts_of_the_administrators_category_are_for_administrators_too():
    """A part goes with its whole; a category that only begins with the same letters does not."""
    vocabulary = Vocabulary("v", ["user", "admin", "admin.users", "admin.users.keys", "admins"], admin=["admin"])
    roles = Roles(vocabulary)
    for part in ("admin", "admin.users", "admin.users.keys"):
        assert not roles["user"].covers(f"read:{part}")
        assert not roles["viewer"].covers(f"read:{part}")
        assert roles["admin"].covers(f"write:{part}")
    assert roles["user"].covers("write:admins")
    assert roles["viewer"].covers("read:admins")


def test_without_an_administrators_category_users_do_everything():
    """The difference between user and admin is that category alone."""
    roles = Roles(Vocabulary("v", ["user", "misc"]))
    assert roles["user"] == roles["admin"]
    assert roles["viewer"] < roles["user"]


def test_a_viewer_has_what_get_needs_in_vocabularies_of_any_actions():
    """Reading is what GET needs, whatever the deployment calls it, where the category has it."""
    vocabulary = Vocabulary(
        "v",
        ["song", Category("upload", actions=("record",)), "admin"],
        actions=("play", "record"),
        methods={"GET": ["play"], "*": ["record"]},
        admin=["admin"],
    )
    viewer = Roles(vocabulary)["viewer"]
    assert str(viewer) == "play:song"
    assert not viewer.covers("record:upload")


@pytest.mark.parametrize("role", ["viewer", "user"])
def test_a_part_that_is_for_administrators_is_not_reached_through_its_whole(role):
    """Where only a part is the administrators', no other role has it, nor the whole that would imply it."""
    vocabulary = Vocabulary("v", ["user", "repository", "repository.secret"], admin=["repository.secret"])
    roles = Roles(vocabulary)
    assert not roles[role].covers("read:repository.secret")
    assert not roles[role].covers("read:repository")
    assert roles[role].covers("read:user")
    assert roles["admin"].covers("write:repository.secret")


@pytest.mark.parametrize(
    ("patterns", "taken"),
    [
        pytest.param("*,-read:user", "read:user", id="read-implied-by-write"),
        pytest.param("*,-*:repository.hooks", "read:repository.hooks", id="part-implied-by-whole"),
    ],
)
def test_what_a_pattern_takes_away_is_not_implied_back(patterns, taken):
    """A ceiling that takes a scope away holds nothing that implies it."""
    vocabulary = Vocabulary("v", ["user", "misc", "repository", "repository.hooks"])
    ceiling = Roles(vocabulary, {"own": patterns})["own"]
    assert ceiling.covers("write:misc")
    assert not ceiling.covers(taken)


def test_taking_a_write_away_leaves_the_read():
    """What is taken away goes with what implies it, not with what it implies."""
    ceiling = Roles(GITEA, {"own": "*,-write:user"})["own"]
    assert ceiling.covers("read:user")
    assert not ceiling.covers("write:user")
    assert ceiling == GITEA.parse("all") & ceiling


@pytest.mark.parametrize("patterns", ["*,-read:user", "read:*,-*:admin", "*:user,*:misc,-write:misc"])
def test_a_ceiling_is_the_same_however_it_is_read(patterns):
    """A ceiling's own text spells the ceiling, so that what is shown is what holds."""
    ceiling = Roles(GITEA, {"own": patterns})["own"]
    assert ceiling
    assert GITEA.parse(str(ceiling)) == ceiling
