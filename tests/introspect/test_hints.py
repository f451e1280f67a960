"""What names and descriptions give away: near pairs, of which one is what it looks like and the other is not."""

from __future__ import annotations

import pytest

from scopeware.introspect.endpoint import Endpoint
from scopeware.introspect.hints import (
    seems_public,
    seems_to_change,
    seems_to_mint,
    seems_to_read,
    seems_to_sign_in,
)


def route(asked: str, *, name: str = "", doc: str = "") -> Endpoint:
    """`GET,POST /path`, `ANY /path/...`"""
    methods, _, path = asked.partition(" ")
    listed = () if methods == "ANY" else tuple(methods.split(","))
    return Endpoint(listed, path.removesuffix("/..."), name=name, doc=doc, open=path.endswith("/..."))


@pytest.mark.parametrize(
    ("public", "others"),
    [
        pytest.param(
            "GET /health", ["GET /patients/<int:id>/health", "GET /<patient>/health", "POST /health"], id="health"
        ),
        pytest.param("GET /api/v1/healthz", ["ANY /api/v1/healthz", "GET /api/v1/healthz/..."], id="of any method"),
        pytest.param("GET,HEAD /ping", ["GET,POST /ping", "GET /hosts/<host>/ping"], id="writing, too"),
        pytest.param(
            "GET /api/version", ["GET /documents/<path:name>/version", "GET /api/version/<id>"], id="of a thing"
        ),
        pytest.param(
            "GET /readyz", ["GET /admin/readyz", "GET /internal/v1/readyz", "GET /staff/readyz"], id="inner parts"
        ),
        pytest.param("GET /api/v2/version", ["GET /api/conversion", "GET /version-keys"], id="parts of words"),
        pytest.param("GET /rest/health", ["GET /me/health", "GET /debug/health"], id="below something"),
        pytest.param("GET /static/<path:f>", ["GET /assets", "GET /assets/<int:id>", "GET /static/<f>"], id="files"),
        pytest.param("GET /assets/...", ["POST /assets/...", "ANY /assets/...", "GET /assets/<int:id>/keys"], id="all"),
        pytest.param("GET /Static/<path:f>", ["GET /api/static/<path:f>", "GET /statics/<path:f>"], id="in front only"),
        pytest.param("GET /robots.txt", ["GET /robots.txt/x", "GET /users/<id>/robots.txt"], id="robots"),
    ],
)
def test_what_everyone_may_see(public: str, others: list[str]) -> None:
    """Files, and what the whole application says of itself; never what is about a thing."""
    assert seems_public(route(public))
    assert [each for each in others if seems_public(route(each))] == []


@pytest.mark.parametrize(
    ("sign_in", "others"),
    [
        pytest.param(
            "POST /login",
            ["POST /users/<id>/login", "POST /users/<id>/admin/login", "PUT /login", "ANY /login", "POST /login/..."],
            id="login",
        ),
        pytest.param("GET,POST /api/log-in", ["POST,DELETE /api/log-in", "POST /api/blog-in"], id="log-in"),
        pytest.param(
            "POST /sign_in",
            ["POST /users/<int:id>/disable-login", "POST /settings/allow_sso_login", "GET /users/<id>/last-login"],
            id="words beside it",
        ),
        pytest.param("POST /accounts/login", ["POST /staff/<id>/login", "POST /last-login"], id="below something"),
        pytest.param(
            "GET /oauth2/google/callback",
            ["POST /sessions/<int:id>/messages/<int:mid>/callback", "GET /oauth2/<provider>/callback"],
            id="callback",
        ),
        pytest.param(
            "POST /sessions/refresh",
            ["POST /tokens/<int:id>/refresh", "POST /security/scanners/<int:id>/refresh", "POST /tokens/refresh"],
            id="refresh",
        ),
        pytest.param("POST /api/auth/refresh", ["POST /feeds/refresh", "POST /auth/a/b/refresh"], id="of sessions"),
    ],
)
def test_where_people_sign_in(sign_in: str, others: list[str]) -> None:
    """With nothing in the path that names a thing, and by posting only."""
    assert seems_to_sign_in(route(sign_in))
    assert [each for each in others if seems_to_sign_in(route(each))] == []


@pytest.mark.parametrize(
    ("mints", "others"),
    [
        pytest.param("POST /token", ["POST /runners/registration-token", "GET /token", "DELETE /token"], id="token"),
        pytest.param("POST /users/<id>/tokens", ["POST /users/<id>/tokenizers", "GET /users/<id>/tokens"], id="tokens"),
        pytest.param(
            "PUT /api/access_tokens/<name>", ["DELETE /api/access_tokens/<name>", "PUT /api/tags/<name>"], id="named"
        ),
        pytest.param(
            "POST /tokens/<int:id>/rotate", ["POST /tokens/<int:id>/notes", "POST /keys/<id>/rotate"], id="new"
        ),
        pytest.param("POST /users/<id>/api-keys/new", ["POST /users/<id>/api-keys/search", "POST /keys"], id="keys"),
        pytest.param("POST /api-token-auth", ["POST /api-token-authors", "POST /deploy-token"], id="token-auth"),
        pytest.param("ANY /auth/token", ["PATCH /auth/token", "POST /auth/token/info"], id="of any method"),
    ],
)
def test_what_makes_tokens(mints: str, others: list[str]) -> None:
    """By the end of its path, or what is done there to one of them."""
    assert seems_to_mint(route(mints))
    assert [each for each in others if seems_to_mint(route(each))] == []


@pytest.mark.parametrize(
    ("doc", "others"),
    [
        pytest.param("Deletes the post", ["Posts of the blog", "The post and its deletion"], id="posts"),
        pytest.param("Permanently deletes it", ["Family of a user", "Weekly posts of the blog"], id="adverbs"),
        pytest.param("Reset the password.", ["Resets since last week", "Reset codes"], id="reset"),
        pytest.param("Archives a message", ["Archives of a list", "Archives by year"], id="archives"),
        pytest.param(
            "Updated as asked", ["Updated by a job", "Updates from friends", "Updates for a package"], id="updates"
        ),
        pytest.param("Transfer money", ["Transfers between accounts", "Read a transfer"], id="transfers"),
        pytest.param("Publishing it: now", ["Publisher", "Get what was published"], id="other endings"),
    ],
)
def test_descriptions_of_what_changes(doc: str, others: list[str]) -> None:
    """A verb at their beginning; nouns that look like one do not count."""
    for asked in ("GET /x", "ANY /x"):
        assert seems_to_change(route(asked, doc=doc))
        assert [each for each in others if seems_to_change(route(asked, doc=each))] == []
    assert not seems_to_change(route("POST /x", doc=doc))


@pytest.mark.parametrize(
    ("name", "others"),
    [
        pytest.param("delete_user", ["deleted_users", "user_delete_form", "list_deletes"], id="delete"),
        pytest.param("get_revoke_token", ["get_token", "getRevocations"], id="behind the method"),
        pytest.param("users.logout", ["users.logouts", "logout.users"], id="the last word of a blueprint"),
        pytest.param("banUser", ["bank", "bannerOf"], id="in camel case"),
        pytest.param("edit_post", ["edit_post_form", "edit_page", "editPostDialog"], id="forms"),
    ],
)
def test_names_of_what_changes(name: str, others: list[str]) -> None:
    """A verb in front, as a whole word; a form to change something changes nothing."""
    assert seems_to_change(route("GET /x", name=name))
    assert [each for each in others if seems_to_change(route("GET /x", name=each))] == []


@pytest.mark.parametrize(
    ("asked", "known", "others"),
    [
        pytest.param(
            "POST /x/search",
            {},
            [("PUT /x/search", {}), ("POST /x/research", {}), ("POST /search/<id>", {}), ("GET,POST /x/search", {})],
            id="by its path",
        ),
        pytest.param(
            "POST /x/search",
            {"doc": "Search in it"},
            [
                ("POST /x/search", {"doc": "Deletes what is found"}),
                ("POST /x/query", {"doc": "Permanently removes it"}),
            ],
            id="by its path, but not against its description",
        ),
        pytest.param(
            "POST /x",
            {"name": "list_users"},
            [("POST /x", {"name": "list_users", "doc": "Update the list"}), ("POST /x", {"name": "listen"})],
            id="by its name",
        ),
        pytest.param(
            "POST /x",
            {"doc": "Exports the users"},
            [("POST /x", {"doc": "Exports of the users"}), ("POST /x", {"doc": "Stores the exports"})],
            id="by its description",
        ),
    ],
)
def test_what_only_reads(asked: str, known: dict[str, str], others: list[tuple[str, dict[str, str]]]) -> None:
    """Though it is posted; what it says that it changes, it does."""
    assert seems_to_read(route(asked, **known))
    assert [each for each in others if seems_to_read(route(each[0], **each[1]))] == []
