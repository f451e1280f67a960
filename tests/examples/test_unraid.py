"""The authorization scopes of Unraid, claim by claim, against examples/unraid, a home server behind the gate."""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from html import unescape
from itertools import count, product
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit
from wsgiref.validate import validator

import pytest
import webtest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopeware import Policy, Scopeware, TokenStore
from scopeware.cli.main import main
from scopeware.scopes import UnknownScope, notation

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "unraid"
POLICY = Policy.load(FOLDER / "policy.toml")
VOCABULARY = POLICY.vocabulary
AUTHORIZE = "/Tools/ApiKeyAuthorize"
CALLBACK = "https://app.example/callback"
SECONDS = 20

CLAIMS = [
    # what is claimed, where in the document, the test that shows it
    ("a consent screen shows who asks, and for what", "summary", "test_the_consent_page_shows_what_is_asked"),
    ("it has a page among the Tools, for people", "summary", "test_the_pages_are_for_people_and_the_api_is_for_keys"),
    ("the answer goes back to the application", "summary", "test_the_key_and_the_state_go_to_the_callback"),
    ("there are presets of permissions", "summary", "test_presets_are_what_they_say"),
    ("a developer can have a link made", "summary", "test_a_link_has_what_was_asked_for"),
    ("effective permissions can be seen beforehand", "summary", "test_a_preview_tells_what_a_key_would_come_to"),
    ("keys are masked", "summary", "test_a_key_is_shown_once"),
    ("the flow and its scopes are documented", "summary", "test_the_readme_names_every_part_of_the_document"),
    ("a raw permission is a resource and actions", "RawPermission", "test_permissions_become_scopes"),
    ("a link needs the name of the application", "AuthorizationLinkParams", "test_a_link_needs_a_name"),
    ("the rest of a link may be left out", "AuthorizationLinkParams", "test_a_link_leaves_out_what_was_not_given"),
    ("a form has a name, a description, roles, permissions", "AuthorizationFormData", "test_a_form_has_four_parts"),
    ("a bare verb is an action: `read`", "extractActionVerb", "test_old_spellings_are_understood"),
    ("so is `read:any`", "extractActionVerb", "test_old_spellings_are_understood"),
    ("actions keep their possession: `read_own`", "extractActionWithPossession", "test_possession_is_kept"),
    ("roles are `role:admin`, before all else", "encodePermissionsToScopes", "test_roles_come_first"),
    ("a permission without actions is left out", "encodePermissionsToScopes", "test_no_actions_no_scope"),
    ("permissions for one resource are merged", "encodePermissionsToScopes", "test_one_resource_is_merged"),
    ("an action stands once", "encodePermissionsToScopes", "test_duplicates_are_left_out"),
    ("actions are sorted", "encodePermissionsToScopes", "test_actions_and_resources_are_sorted"),
    ("resources with the same actions go together", "encodePermissionsToScopes", "test_same_actions_go_together"),
    ("those with other actions do not", "encodePermissionsToScopes", "test_other_actions_stay_apart"),
    ("resources are sorted", "encodePermissionsToScopes", "test_actions_and_resources_are_sorted"),
    ("the order of what is asked makes no difference", "encodePermissionsToScopes", "test_the_text_is_deterministic"),
    ("a known role is one, an unknown one is nothing", "decodeScopesToPermissions", "test_roles_are_read"),
    ("a single scope is a permission", "decodeScopesToPermissions", "test_a_single_scope_is_read"),
    ("a grouped scope is many", "decodeScopesToPermissions", "test_a_grouped_scope_is_read"),
    ("`docker:*` is all that can be done", "decodeScopesToPermissions", "test_a_wildcard_is_read"),
    ("letter case does not matter", "decodeScopesToPermissions", "test_letter_case_does_not_matter"),
    ("what is no scope is ignored", "decodeScopesToPermissions", "test_what_is_no_scope_is_ignored"),
    ("an unknown action is ignored", "decodeScopesToPermissions", "test_unknown_parts_are_ignored"),
    ("so is an unknown resource", "decodeScopesToPermissions", "test_unknown_parts_are_ignored"),
    ("scopes for one resource are merged", "decodeScopesToPermissions", "test_scopes_for_one_resource_are_merged"),
    ("a form groups resources by their actions", "scopesToFormData", "test_a_form_groups_by_actions"),
    ("its description is empty by default", "scopesToFormData", "test_a_form_has_four_parts"),
    ("without permissions it has an empty list", "scopesToFormData", "test_a_form_without_permissions"),
    ("a link has name, redirect_uri and scopes", "generateAuthorizationUrl", "test_a_link_has_what_was_asked_for"),
    ("scopes are joined with commas", "generateAuthorizationUrl", "test_a_link_has_what_was_asked_for"),
    ("description and state only where given", "generateAuthorizationUrl", "test_a_link_leaves_out_what_was_not_given"),
    ("the page is /Tools/ApiKeyAuthorize here", "generateAuthorizationUrl", "test_a_link_leads_to_this_server"),
    ("the default redirect is /api-key-created of it", "generateAuthorizationUrl", "test_a_link_leads_to_this_server"),
    ("the callback gets the key", "buildCallbackUrl", "test_the_key_and_the_state_go_to_the_callback"),
    ("or an error", "buildCallbackUrl", "test_a_refusal_goes_to_the_callback"),
    ("and the state, where there was one", "buildCallbackUrl", "test_without_a_state_none_comes_back"),
    ("what the redirect says besides is kept", "buildCallbackUrl", "test_the_query_of_a_redirect_is_kept"),
    ("an invalid redirect is refused", "buildCallbackUrl", "test_an_invalid_redirect_is_refused"),
    ("generateScopes is the same as encoding", "generateScopes", "test_permissions_become_scopes"),
]
PARTS = {
    "summary",
    "RawPermission",
    "AuthorizationLinkParams",
    "AuthorizationFormData",
    "extractActionVerb",
    "extractActionWithPossession",
    "encodePermissionsToScopes",
    "decodeScopesToPermissions",
    "scopesToFormData",
    "generateAuthorizationUrl",
    "buildCallbackUrl",
    "generateScopes",
}
"""What the document is made of: what it says of itself, and all that it exports."""


def test_every_claim_has_a_test_and_every_part_a_claim():
    """Nothing of the document is left out, and every test among the claims shows one."""
    tests = {name for kind in (TestTheFlow, TestWriting, TestReading, TestLinks) for name in vars(kind)}
    tests = {name for name in tests if name.startswith("test_")}
    assert {shown for _, _, shown in CLAIMS} == tests
    assert {part for _, part, _ in CLAIMS} == PARTS


# -- the example as its clients see it


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self):
        return json.loads(self.text)

    @property
    def sent(self) -> dict[str, list[str]]:
        """The query of the address that the browser is sent to."""
        return parse_qs(urlsplit(self.headers["location"]).query)


@dataclass
class Site:
    """A running example; `transport` sends one request to it: (method, target, headers, body) -> Answer."""

    transport: object
    cookies: dict[str, str] = field(default_factory=dict)
    keys: dict[tuple[str, str], str] = field(default_factory=dict)
    number: count = field(default_factory=count)

    def ask(self, method, target, *, key=None, person=None, data=None, form=None, headers=()):
        """One request: with a key, or by a person who is signed in; with JSON, or a form."""
        sent = dict(headers)
        body = b""
        if key is not None:
            sent["Authorization"] = f"Bearer {key}"
        if person is not None:
            sent["Cookie"] = self.sign_in(person)
        if data is not None:
            sent["Content-Type"], body = "application/json", json.dumps(data).encode()
        if form is not None:
            sent["Content-Type"], body = "application/x-www-form-urlencoded", urlencode(form).encode()
        return self.transport(method, target, sent, body)

    def sign_in(self, person):
        """The cookie of someone's session."""
        if person not in self.cookies:
            answer = self.ask("POST", "/login", form={"name": person, "password": "unraid"})
            assert answer.status == 303
            self.cookies[person] = answer.headers["set-cookie"].partition(";")[0]
        return self.cookies[person]

    def csrf(self, person):
        """What the forms carry that this person sees."""
        page = self.ask("GET", asking(), person=person)
        return re.search(r'name="csrf" value="([^"]+)"', page.text)[1]

    def decide(self, person, decision="authorize", **asked):
        """What comes of someone's decision about a request for a key."""
        form = {"csrf": self.csrf(person), "decision": decision, "name": f"key {next(self.number)}"}
        return self.ask("POST", asking(**asked), person=person, form=form)

    def key(self, person, scopes):
        """A key with these scopes, given by this person; the same one every time."""
        if (person, scopes) not in self.keys:
            self.keys[person, scopes] = self.decide(person, scopes=scopes).sent["api_key"][0]
        return self.keys[person, scopes]

    def link(self, **asked):
        """The address that the server makes of a request for a key."""
        key = self.key("vera", "permission:read_any")
        return self.ask("POST", "/api/permission/link", key=key, data={"appName": "Dash", **asked})

    def linked(self, *permissions, roles=()):
        """The scopes in such an address."""
        raw = [{"resource": resource, "actions": actions.split()} for resource, actions in permissions]
        made = self.link(roles=roles, rawPermissions=raw).json["url"]
        return dict(parse_qsl(urlsplit(made).query, keep_blank_values=True))["scopes"]

    def preview(self, scopes, person="root", **more):
        """What the server makes of scopes."""
        key = self.key(person, "permission:read_any")
        return self.ask("GET", f"/api/permission/preview?{urlencode({'scopes': scopes, **more})}", key=key).json


def asking(**asked):
    """The page with a request for a key."""
    return f"{AUTHORIZE}?{urlencode({'name': 'Dash', 'scopes': 'docker:read_own', 'redirect_uri': CALLBACK} | asked)}"


def over_http(port):
    """Requests to a server."""

    def send(method, target, headers, body):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        with closing(connection):
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            known = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, known, response.read().decode())

    return send


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The example as its README starts it, with a folder for what it prints and stores."""
    folder = tmp_path_factory.mktemp("unraid")
    command = [sys.executable, "-m", "scopeware", "run", "app:app", "--policy", "policy.toml"]
    command += ["--database", f"sqlite:///{folder}/tokens.db", "--port", "0", "--json"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SCOPEWARE_")}
    environment = kept | {"UNRAID_DATABASE": str(folder / "unraid.db"), "PYTHONDONTWRITEBYTECODE": "1"}
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen(command, cwd=FOLDER, env=environment, stdout=out, stderr=err)
    try:
        deadline = time.monotonic() + SECONDS
        while not (found := re.search(r"http://127\.0\.0\.1:(\d+)", (folder / "err").read_text())):
            assert process.poll() is None, (folder / "err").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield Site(over_http(int(found[1]))), folder
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(SECONDS)


@pytest.fixture
def site(served):
    """The server that runs."""
    return served[0]


# -- the claims


class TestTheFlow:
    """A person, an application, and a key."""

    def test_the_consent_page_shows_what_is_asked(self, site):
        """Who asks, for what, what it comes to for this person, where the key would go; and it makes nothing."""
        asked = asking(name="My Dash", description="Shows it", scopes="docker+vms:read_own")
        page = site.ask("GET", asked, person="alice")
        assert page.status == 200
        for text in ("My Dash", "Shows it", "docker+vms:read_own", "Docker containers, Virtual machines", CALLBACK):
            assert text in unescape(page.text)
        assert "location" not in page.headers
        before = site.ask("GET", "/Tools/ApiKeys", person="alice").text
        assert "My Dash" not in before

    def test_the_pages_are_for_people_and_the_api_is_for_keys(self, site):
        """No key opens a page, not even an administrator's; no session the API; who is nobody is asked to sign in."""
        key = site.key("root", "role:admin")
        assert site.ask("GET", "/Tools/ApiKeys", person="root").status == 200
        assert site.ask("GET", "/Tools/ApiKeys", key=key).json["code"] == "session_required"
        assert site.ask("GET", asking(), key=key).json["code"] == "session_required"
        assert site.ask("GET", "/api/docker", key=key).status == 200
        assert site.ask("GET", "/api/docker", person="root").json["code"] == "token_required"
        assert site.ask("GET", "/Tools/ApiKeys").status == 401
        sent = site.ask("GET", asking(state="s"))
        assert (sent.status, urlsplit(sent.headers["location"]).path) == (303, "/login")
        answer = site.ask("POST", sent.headers["location"], form={"name": "alice", "password": "unraid"})
        assert answer.headers["location"] == asking(state="s")

    def test_the_key_and_the_state_go_to_the_callback(self, site):
        """After a person said so; and the key does what was asked for, and nothing else."""
        answer = site.decide("alice", scopes="docker:read_own", state="a&b=c")
        assert answer.status == 303
        assert answer.headers["location"].startswith(f"{CALLBACK}?")
        assert answer.headers["cache-control"] == "no-store"
        assert set(answer.sent) == {"api_key", "state"}
        assert answer.sent["state"] == ["a&b=c"]
        key = answer.sent["api_key"][0]
        assert site.ask("GET", "/api/docker", key=key).status == 200
        assert site.ask("GET", "/api/vms", key=key).status == 403

    def test_a_refusal_goes_to_the_callback(self, site):
        """With an error, the state, and no key; and none was made."""
        before = site.ask("GET", "/Tools/ApiKeys", person="alice").text
        answer = site.decide("alice", "cancel", state="s")
        assert answer.status == 303
        assert answer.sent == {"error": ["access_denied"], "state": ["s"]}
        assert site.ask("GET", "/Tools/ApiKeys", person="alice").text == before

    def test_without_a_state_none_comes_back(self, site):
        """Nor an error where there is none."""
        assert set(site.decide("alice").sent) == {"api_key"}

    def test_the_query_of_a_redirect_is_kept(self, site):
        """What the application had in its address stays there."""
        sent = site.decide("alice", redirect_uri=f"{CALLBACK}?tenant=7").sent
        assert sent["tenant"] == ["7"]
        assert set(sent) == {"tenant", "api_key"}

    @pytest.mark.parametrize(
        "redirect",
        [
            "/relative",
            "//other.example/",
            "javascript:alert(1)",
            "data:text/html,x",
            "https:///nowhere",
            "not an address",
            "https://a.example/\nX: y",
            "ftp://a.example/",
        ],
    )
    def test_an_invalid_redirect_is_refused(self, site, redirect):
        """There is nothing to agree to, nobody is sent anywhere, and no key is made."""
        assert site.ask("GET", asking(), person="alice").status == 200
        page = site.ask("GET", asking(redirect_uri=redirect), person="alice")
        assert (page.status, "location" in page.headers, "<form" in page.text) == (400, False, False)
        for decision in ("authorize", "cancel"):
            answer = site.decide("alice", decision, redirect_uri=redirect)
            assert (answer.status, "location" in answer.headers) == (400, False)
            assert "unraid_" not in answer.text

    def test_presets_are_what_they_say(self, site):
        """A key with one does that, and no more."""
        presets = POLICY.presets
        assert set(presets) == {"backup_manager", "docker_manager", "monitoring", "network_admin", "vm_manager"}
        key = site.key("root", presets["monitoring"].scopes)
        assert site.ask("GET", "/api/array", key=key).status == 200
        assert site.ask("GET", "/api/docker", key=key).status == 403

    def test_a_preview_tells_what_a_key_would_come_to(self, site):
        """What roles and other scopes include; and no more than the role of whoever asks allows."""
        shown = site.preview("role:guest,docker:update_any")["permissions"]
        assert shown == [
            {"resource": "DOCKER", "actions": ["UPDATE_ANY", "UPDATE_OWN"]},
            {"resource": "ME", "actions": ["READ_ANY", "READ_OWN"]},
        ]
        assert site.preview("docker:read_any,docker:update_any", person="vera")["permissions"] == [
            {"resource": "DOCKER", "actions": ["READ_ANY", "READ_OWN"]}
        ]
        key = site.key("alice", "docker:read_any+delete_own")
        assert site.ask("GET", "/api/me/permissions", key=key).json["permissions"] == [
            {"resource": "DOCKER", "actions": ["DELETE_OWN", "READ_OWN"]}
        ]
        assert site.ask("GET", "/api/permission/preview?scopes=docker:*", key=key).status == 403

    def test_a_key_is_shown_once(self, served):
        """In the answer that makes it; afterwards its last characters, and nowhere in what is printed or stored."""
        site, folder = served
        key = site.decide("root", scopes="api_key:read_any").sent["api_key"][0]
        listed = site.ask("GET", "/api/api_key", key=key)
        page = site.ask("GET", "/Tools/ApiKeys", person="root")
        for text in (listed.text, page.text):
            assert key[-4:] in text
            assert key not in text
        assert [one["scopes"] for one in listed.json if one["hint"] == key[-4:]] == ["api_key:read_any"]
        for path in folder.iterdir():
            assert key.encode() not in path.read_bytes()

    def test_the_readme_names_every_part_of_the_document(self):
        """Where it is shown, and what differs."""
        text = (FOLDER / "README.md").read_text("utf-8")
        assert [part for part in PARTS - {"summary"} if f"`{part}`" not in text] == []


class TestWriting:
    """Permissions as text: by way of the link that the server makes."""

    def test_permissions_become_scopes(self, site):
        """A resource and its actions; what there is not is refused, and not left out in silence."""
        assert site.linked(("DOCKER", "READ_ANY UPDATE_OWN")) == "docker:read_any+update_own"
        assert site.link(rawPermissions=[{"resource": "DOKCER", "actions": ["READ_ANY"]}]).status == 400

    def test_possession_is_kept(self, site):
        """Also where one action covers the other: what is printed is what was granted."""
        assert site.linked(("DOCKER", "READ_OWN")) == "docker:read_own"
        assert site.linked(("DOCKER", "READ_ANY READ_OWN")) == "docker:read_any+read_own"

    def test_roles_come_first(self, site):
        """In lower case."""
        assert site.linked(("DOCKER", "READ_ANY"), roles=["ADMIN"]) == "role:admin,docker:read_any"
        assert site.link(roles=["KING"]).status == 400

    def test_no_actions_no_scope(self, site):
        """And nothing for all of it by any means."""
        assert site.linked(("DOCKER", ""), ("VMS", "READ_ANY")) == "vms:read_any"

    def test_one_resource_is_merged(self, site):
        """However often it is named."""
        assert site.linked(("DOCKER", "READ_ANY"), ("DOCKER", "UPDATE_ANY")) == "docker:read_any+update_any"

    def test_duplicates_are_left_out(self, site):
        """Of actions and of resources."""
        assert site.linked(("DOCKER", "READ_ANY READ_ANY"), ("DOCKER", "READ_ANY")) == "docker:read_any"

    def test_actions_and_resources_are_sorted(self, site):
        """By their names."""
        assert site.linked(("VMS", "UPDATE_ANY READ_ANY"), ("DOCKER", "READ_ANY UPDATE_ANY")) == (
            "docker+vms:read_any+update_any"
        )

    def test_same_actions_go_together(self, site):
        """In one word."""
        assert site.linked(("DOCKER", "READ_ANY"), ("VMS", "READ_ANY"), ("ARRAY", "READ_ANY")) == (
            "array+docker+vms:read_any"
        )

    def test_other_actions_stay_apart(self, site):
        """Even if they share some; and all of them one by one do not make a wildcard."""
        assert site.linked(("DOCKER", "READ_ANY UPDATE_ANY"), ("VMS", "READ_ANY")) == (
            "docker:read_any+update_any,vms:read_any"
        )
        assert site.linked(("VMS", "CREATE_ANY READ_ANY UPDATE_ANY DELETE_ANY")) == (
            "vms:create_any+delete_any+read_any+update_any"
        )

    def test_the_text_is_deterministic(self, site):
        """The same grants in any order are the same text."""
        asked = [("VMS", "UPDATE_ANY READ_ANY"), ("DOCKER", "READ_ANY UPDATE_ANY"), ("ARRAY", "READ_OWN")]
        assert site.linked(*asked) == site.linked(*reversed(asked)) == "array:read_own,docker+vms:read_any+update_any"


def permission(resources, actions):
    return {"resources": resources.split(), "actions": actions.split()}


class TestReading:
    """Text as permissions: by way of the preview of the form."""

    def form(self, site, scopes, **more):
        return site.preview(scopes, **more)["form"]

    def permissions(self, site, scopes):
        return self.form(site, scopes)["customPermissions"]

    def test_roles_are_read(self, site):
        """Those that there are."""
        form = self.form(site, "role:admin,role:king,role:viewer,role:")
        assert (form["roles"], form["customPermissions"]) == (["ADMIN", "VIEWER"], [])
        assert self.form(site, "role:connect role:guest")["roles"] == ["CONNECT", "GUEST"]

    def test_a_single_scope_is_read(self, site):
        """A resource and an action."""
        assert self.permissions(site, "docker:read_any") == [permission("DOCKER", "READ_ANY")]

    def test_a_grouped_scope_is_read(self, site):
        """Each of the resources, each of the actions."""
        assert self.permissions(site, "docker+vms:read_any+update_own") == [
            permission("DOCKER VMS", "READ_ANY UPDATE_OWN")
        ]

    def test_a_wildcard_is_read(self, site):
        """All four actions with any; beside it, what has the same actions in so many words goes with it."""
        everything = "CREATE_ANY DELETE_ANY READ_ANY UPDATE_ANY"
        assert self.permissions(site, "docker:*") == [permission("DOCKER", everything)]
        spelled = "vms:create_any+read_any+update_any+delete_any"
        assert self.permissions(site, f"docker:*,{spelled}") == [permission("DOCKER VMS", everything)]

    def test_letter_case_does_not_matter(self, site):
        """Of roles, resources and actions."""
        assert self.form(site, "ROLE:Admin,Docker:READ_ANY") == self.form(site, "role:admin,docker:read_any")

    def test_old_spellings_are_understood(self, site):
        """A bare verb is about any, and says so from then on; what says own stays own."""
        for old in ("docker:read", "DOCKER:read:any", "DOCKER:READ_ANY"):
            assert self.permissions(site, old) == [permission("DOCKER", "READ_ANY")]
        assert self.permissions(site, "DOCKER:read:own") == [permission("DOCKER", "READ_OWN")]
        assert self.permissions(site, "DOCKER:read:some") == []

    def test_what_is_no_scope_is_ignored(self, site):
        """And named; a key that asks for it alone cannot be had."""
        shown = site.preview("docker,:read_any,docker:,vms:read_any,,")
        assert shown["form"]["customPermissions"] == [permission("VMS", "READ_ANY")]
        assert shown["unknown"] == ["docker", ":read_any", "docker:"]
        answer = site.decide("alice", scopes="docker,nothing")
        assert (answer.status, "location" in answer.headers) == (409, False)

    def test_unknown_parts_are_ignored(self, site):
        """By the lenient reader; the strict one refuses the lot."""
        text = "docker:read_any+fly,cellar+vms:read_any,cellar:read_any,vms:fly"
        assert self.permissions(site, text) == [permission("DOCKER VMS", "READ_ANY")]
        assert notation.read(VOCABULARY, "docker+vms:read_any").unknown == ()
        for word in text.split(","):
            with pytest.raises(UnknownScope):
                notation.read(VOCABULARY, word)

    def test_scopes_for_one_resource_are_merged(self, site):
        """From wherever in the text."""
        assert self.permissions(site, "docker:read_any,vms:read_own,docker:update_own") == [
            permission("DOCKER", "READ_ANY UPDATE_OWN"),
            permission("VMS", "READ_OWN"),
        ]

    def test_a_form_groups_by_actions(self, site):
        """Resources with the same actions are one entry."""
        assert self.permissions(site, "docker:read_any,vms:update_own,disk:read_any") == [
            permission("DISK DOCKER", "READ_ANY"),
            permission("VMS", "UPDATE_OWN"),
        ]

    def test_a_form_has_four_parts(self, site):
        """The name and the description are as given; the latter may be left out."""
        form = self.form(site, "role:admin,docker:read_any", name="My <App>")
        assert form == {
            "name": "My <App>",
            "description": "",
            "roles": ["ADMIN"],
            "customPermissions": [permission("DOCKER", "READ_ANY")],
        }
        assert self.form(site, "", name="x", description="y")["description"] == "y"

    def test_a_form_without_permissions(self, site):
        """Empty lists, which stand for nothing."""
        form = self.form(site, "", name="x")
        assert (form["roles"], form["customPermissions"]) == ([], [])


class TestLinks:
    """The address of a request for a key."""

    def test_a_link_has_what_was_asked_for(self, site):
        """And the page that it leads to shows the same."""
        raw = [{"resource": name, "actions": ["READ_OWN"]} for name in ("VMS", "DOCKER")]
        asked = {"appDescription": "Shows & tells", "redirectUrl": CALLBACK, "state": "s+1"}
        url = site.link(roles=["VIEWER"], rawPermissions=raw, **asked).json["url"]
        assert parse_qsl(urlsplit(url).query) == [
            ("name", "Dash"),
            ("redirect_uri", CALLBACK),
            ("scopes", "role:viewer,docker+vms:read_own"),
            ("description", "Shows & tells"),
            ("state", "s+1"),
        ]
        page = site.ask("GET", f"{AUTHORIZE}?{urlsplit(url).query}", person="alice")
        assert "docker+vms:read_own" in page.text
        assert "Shows &amp; tells" in page.text

    def test_a_link_leaves_out_what_was_not_given(self, site):
        """Description and state."""
        made = parse_qs(urlsplit(site.link(roles=["GUEST"]).json["url"]).query)
        assert set(made) == {"name", "redirect_uri", "scopes"}

    def test_a_link_leads_to_this_server(self, site):
        """The page, and without another redirect the answer, too."""
        url = urlsplit(site.link(roles=["GUEST"]).json["url"])
        assert (url.scheme, url.path) == ("http", AUTHORIZE)
        assert url.hostname == "127.0.0.1"
        assert parse_qs(url.query)["redirect_uri"] == [f"http://{url.netloc}/api-key-created"]

    def test_a_link_needs_a_name(self, site):
        """There is no application without one."""
        assert site.link(appName="Dash").status == 200
        for name in (None, ""):
            assert site.link(appName=name).status == 400


# -- possession


@pytest.fixture(scope="module")
def inside(tmp_path_factory):
    """The example in this process, each of its calls checked; and the database of the application."""
    folder = tmp_path_factory.mktemp("inside")
    spec = importlib.util.spec_from_file_location("unraid_example", FOLDER / "app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    store = TokenStore.connect(f"sqlite:///{folder / 'tokens.db'}")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("UNRAID_DATABASE", str(folder / "unraid.db"))
        patched.setitem(sys.modules, "app", module)  # as the hooks of the policy call it
        gate = Scopeware(module.app, POLICY, store)
    application = webtest.TestApp(validator(gate), lint=False)

    def send(method, target, headers, body):
        application.reset()  # it remembers cookies
        response = application.request(target, method=method, headers=headers, body=body, expect_errors=True)
        return Answer(response.status_int, {key.lower(): value for key, value in response.headerlist}, response.text)

    yield Site(send), folder / "unraid.db"
    store.close()


@pytest.fixture
def things(inside):
    """The example with one thing of alice's and one of bob's of each kind."""
    site, path = inside
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM thing")
        for kind, owner in product(("docker", "vms", "share"), ("alice", "bob")):
            connection.execute("INSERT INTO thing VALUES (?, ?, ?, 'NEW')", (kind, f"of-{owner}", owner))
    return site


VERBS = {"create": "POST", "read": "GET", "update": "PUT", "delete": "DELETE"}
KINDS = ("docker", "vms", "share")


def reached(site, key, kind):
    """What a key can do, method by method: with things of alice's, and with things of bob's."""
    done = set()
    for method, verb in (("GET", "read"), ("PUT", "update"), ("DELETE", "delete")):
        for owner in ("alice", "bob"):
            answer = site.ask(method, f"/api/{kind}/of-{owner}", key=key, data={"state": "OLD"})
            assert answer.status in (200, 403)
            done |= {(verb, owner)} if answer.status == 200 else set()
    for owner in ("alice", "bob"):
        answer = site.ask("POST", f"/api/{kind}", key=key, data={"name": f"new-{owner}", "owner": owner})
        assert answer.status in (201, 403)
        done |= {("create", owner)} if answer.status == 201 else set()
    return done


class TestPossession:
    """`own` reaches what its owner owns, and nothing else."""

    @pytest.mark.parametrize("verb", VERBS)
    @pytest.mark.parametrize("kind", KINDS)
    def test_any_does_one_thing_with_everything(self, things, kind, verb):
        """An administrator's key, with this one scope."""
        key = things.key("root", f"{kind}:{verb}_any")
        assert reached(things, key, kind) == {(verb, "alice"), (verb, "bob")}

    @pytest.mark.parametrize("verb", VERBS)
    @pytest.mark.parametrize("kind", KINDS)
    def test_own_does_it_with_what_is_one_s_own(self, things, kind, verb):
        """Alice's key, with this one scope."""
        assert reached(things, things.key("alice", f"{kind}:{verb}_own"), kind) == {(verb, "alice")}

    @pytest.mark.parametrize("verb", VERBS)
    def test_any_is_own_for_those_whose_role_is_no_more(self, things, verb):
        """What a key can do is what was granted, as far as the role of its owner goes."""
        assert reached(things, things.key("alice", f"docker:{verb}_any"), "docker") == {(verb, "alice")}

    @pytest.mark.parametrize("kind", KINDS)
    def test_other_resources_are_out_of_it(self, things, kind):
        """All actions, in all other categories than this one."""
        others = ",".join(f"{other}:*" for other in things_but(kind))
        assert reached(things, things.key("root", others), kind) == set()

    def test_lists_show_what_is_one_s_own(self, things):
        """And everything to whom may read any."""
        every = things.ask("GET", "/api/docker", key=things.key("root", "docker:read_any")).json
        own = things.ask("GET", "/api/docker", key=things.key("alice", "docker:read_own")).json
        assert [thing["name"] for thing in every] == ["of-alice", "of-bob"]
        assert [thing["name"] for thing in own] == ["of-alice"]
        none = things.ask("GET", "/api/docker", key=things.key("root", "docker:read_own")).json
        assert none == []

    def test_what_is_made_belongs_to_the_caller(self, things):
        """If nothing else is said; with own nothing else may be, with any it may."""
        own, every = things.key("alice", "vms:create_own"), things.key("root", "vms:create_any")
        made = things.ask("POST", "/api/vms", key=own, data={"name": "a"})
        assert (made.status, made.json["owner"]) == (201, "alice")
        assert things.ask("POST", "/api/vms", key=own, data={"name": "b", "owner": "bob"}).status == 403
        assert things.ask("POST", "/api/vms", key=every, data={"name": "b", "owner": "bob"}).json["owner"] == "bob"
        assert things.ask("POST", "/api/vms", key=every, data={"name": "c", "owner": "nobody"}).status == 409

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
    def test_a_refusal_does_not_tell_what_there_is(self, things, method):
        """The same bytes for what is someone else's and for what is not there; any sees the difference."""
        key = things.key("alice", "docker:*")
        theirs, nothing = (things.ask(method, f"/api/docker/{name}", key=key) for name in ("of-bob", "nothing"))
        assert theirs.status == 403
        assert theirs == nothing
        if method != "HEAD":
            assert theirs.json["code"] == "resource_out_of_reach"
        every = things.key("root", "docker:*")
        found, nothing = (
            things.ask(method, f"/api/docker/{name}", key=every, data={"state": "X"}) for name in ("of-bob", "nothing")
        )
        assert (found.status, nothing.status) == (200, 404)

    def test_what_is_nobody_s_own_takes_any(self, things):
        """The array belongs to no one."""
        assert things.ask("GET", "/api/array", key=things.key("root", "array:read_any")).status == 200
        assert things.ask("GET", "/api/array", key=things.key("root", "array:read_own")).status == 403

    def test_oneself_is_one_s_own(self, things):
        """Whichever of the two."""
        for scope in ("me:read_own", "me:read_any"):
            answer = things.ask("GET", "/api/me", key=things.key("alice", scope))
            assert (answer.status, answer.json) == (200, {"name": "alice", "roles": ["USER"]})
        assert things.ask("GET", "/api/me", key=things.key("alice", "docker:read_own")).status == 403

    def test_keys_are_listed_like_other_things(self, things):
        """One's own, or anyone's; never a secret."""
        mine = things.ask("GET", "/api/api_key", key=things.key("alice", "api_key:read_own")).json
        every = things.ask("GET", "/api/api_key", key=things.key("root", "api_key:read_any")).json
        assert {key["owner"] for key in mine} == {"alice"}
        assert {key["owner"] for key in every} >= {"alice", "root"}
        assert things.ask("GET", "/api/api_key", key=things.key("vera", "role:viewer")).status == 403


def things_but(kind):
    return [other for other in (*KINDS, "array", "me", "api_key", "permission") if other != kind]


class TestRoles:
    """Words for roles among the scopes of a key."""

    def test_a_role_is_what_the_server_says(self, things):
        """An administrator does everything, a viewer reads, a guest sees a profile."""
        admin, viewer, guest = (things.key("root", f"role:{role}") for role in ("admin", "viewer", "guest"))
        assert things.ask("DELETE", "/api/docker/of-bob", key=admin).status == 200
        assert things.ask("GET", "/api/docker/of-alice", key=viewer).status == 200
        assert things.ask("DELETE", "/api/docker/of-alice", key=viewer).status == 403
        assert things.ask("GET", "/api/me", key=guest).status == 200
        assert things.ask("GET", "/api/docker/of-alice", key=guest).status == 403

    def test_connect_is_a_viewer_with_remote_access(self):
        """Its word covers what the viewer's does, and one thing more."""
        connect, viewer = VOCABULARY.parse("role:connect"), VOCABULARY.parse("role:viewer")
        assert viewer < connect
        assert connect.covers("connect__remote_access:update_any")
        assert not connect.covers("connect:update_any")

    @pytest.mark.parametrize(
        ("person", "scopes", "given"),
        [
            ("root", "role:admin", True),
            ("alice", "role:admin", False),
            ("connie", "role:connect", True),
            ("alice", "role:connect,docker:read_own", False),
            ("alice", "role:viewer", True),
        ],
    )
    def test_a_role_is_given_by_who_may_give_it(self, things, person, scopes, given):
        """Otherwise nothing is made, and the page says why."""
        answer = things.decide(person, scopes=scopes)
        assert answer.status == (303 if given else 409)
        assert ("api_key" in answer.headers.get("location", "")) is given
        assert ("for the role" in answer.text) is not given

    def test_a_key_follows_the_role_of_its_owner(self, inside, things):
        """On the next request, as the application's own table says; and back."""
        site, path = inside
        key = site.key("root", "role:admin")
        assert site.ask("PUT", "/api/docker/of-bob", key=key, data={"state": "X"}).status == 200
        for role, status in (("user", 403), ("admin", 200)):
            with closing(sqlite3.connect(path)) as connection, connection:
                connection.execute("UPDATE person SET role = ? WHERE name = 'root'", (role,))
            assert site.ask("PUT", "/api/docker/of-bob", key=key, data={"state": "X"}).status == status

    def test_the_key_of_somebody_who_is_gone_does_not_work(self, inside, things):
        """There is no row of that name any more."""
        site, path = inside
        key = site.key("gus", "me:read_own")
        assert site.ask("GET", "/api/me", key=key).status == 200
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE person SET name = 'gone' WHERE name = 'gus'")
        assert site.ask("GET", "/api/me", key=key).json["code"] == "owner_inactive"
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE person SET name = 'gus' WHERE name = 'gone'")


class TestConsent:
    """What the page must never do."""

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_looking_makes_no_key_and_sends_nobody_away(self, things, method):
        """Whatever the address says."""
        before = things.ask("GET", "/Tools/ApiKeys", person="alice").text
        answer = things.ask(method, asking(decision="authorize", csrf=things.csrf("alice")), person="alice")
        assert (answer.status, "location" in answer.headers) == (200, False)
        assert things.ask("GET", "/Tools/ApiKeys", person="alice").text == before

    @pytest.mark.parametrize("decision", ["authorize", "cancel"])
    @pytest.mark.parametrize("csrf", [None, "", "wrong", "bob's", "\u00e9"])
    def test_a_form_from_elsewhere_does_nothing(self, things, csrf, decision):
        """Without what the page carries, or with someone else's: no key, and no way to another site."""
        form = {"decision": decision, "name": "stolen"}
        if csrf is not None:
            form["csrf"] = things.csrf("bob") if csrf == "bob's" else csrf
        answer = things.ask("POST", asking(), person="alice", form=form)
        assert (answer.status, "location" in answer.headers) == (403, False)
        assert "stolen" not in things.ask("GET", "/Tools/ApiKeys", person="alice").text

    def test_nobody_decides_without_a_session(self, things):
        """Nor with a key, or with a session that is over."""
        form = {"csrf": things.csrf("alice"), "decision": "authorize", "name": "x"}
        assert things.ask("POST", asking(), form=form).status == 401
        key = things.key("root", "role:admin")
        assert things.ask("POST", asking(), form=form, key=key).json["code"] == "session_required"

    def test_a_session_comes_to_an_end(self, inside, things):
        """Afterwards it is as if there had been none."""
        site, path = inside
        answer = site.ask("POST", "/login", form={"name": "bob", "password": "unraid"})
        cookie = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
        assert site.ask("GET", "/Tools/ApiKeys", headers=cookie).status == 200
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE session SET ends = 0 WHERE person = 'bob'")
        assert site.ask("GET", "/Tools/ApiKeys", headers=cookie).status == 401
        site.cookies.pop("bob", None)

    def test_texts_of_others_are_escaped(self, things):
        """Name, description, scopes, redirect: they are shown as they are."""
        nasty = "<script>alert('1')</script>\""
        redirect = f"{CALLBACK}?x=%22%3Cb%3E"
        asked = {"name": nasty, "description": nasty, "scopes": f"docker:read_own,{nasty}", "redirect_uri": redirect}
        page = things.ask("GET", asking(**asked), person="alice")
        assert page.status == 200
        assert "<script" not in page.text
        assert "<b>" not in page.text
        assert nasty in unescape(page.text)
        assert page.headers["x-frame-options"] == "DENY"

    def test_a_state_stays_one_parameter(self, things):
        """It cannot bring a key of its own, nor another header."""
        sent = things.decide("alice", state="x&api_key=other#\r\nX: y").sent
        assert sent["state"] == ["x&api_key=other#\r\nX: y"]
        assert len(sent["api_key"]) == 1

    def test_the_key_for_this_server_is_shown_and_sent_nowhere(self, things):
        """It stands in no address then; refused, the browser goes where the link says."""
        url = things.link(rawPermissions=[{"resource": "DOCKER", "actions": ["READ_OWN"]}]).json["url"]
        asked = dict(parse_qsl(urlsplit(url).query))
        answer = things.decide("alice", **asked)
        assert (answer.status, "location" in answer.headers) == (200, False)
        assert answer.headers["cache-control"] == "no-store"
        key = re.search(r"unraid_\w{36}", answer.text)[0]
        assert things.ask("GET", "/api/docker", key=key).status == 200
        refused = things.decide("alice", "cancel", **asked).headers["location"]
        assert refused == f"{asked['redirect_uri']}?error=access_denied"
        assert things.ask("GET", refused.removeprefix("http://localhost:80"), person="alice").status == 200

    def test_a_name_that_is_taken_is_told(self, things):
        """On the page, with no key made."""
        form = {"csrf": things.csrf("alice"), "decision": "authorize", "name": "twice"}
        assert things.ask("POST", asking(), person="alice", form=form).status == 303
        again = things.ask("POST", asking(), person="alice", form=form)
        assert (again.status, "location" in again.headers) == (409, False)
        assert "twice" in again.text

    @pytest.mark.parametrize(
        "asked", ["//other.example/", "https://other.example/", "\\other.example", "x\r\nX: y", "name=a&scopes=b"]
    )
    def test_signing_in_leads_to_the_page_and_nowhere_else(self, things, asked):
        """Whatever it is told."""
        form = {"name": "alice", "password": "unraid"}
        answer = things.ask("POST", f"/login?{urlencode({'asked': asked})}", form=form)
        assert answer.status == 303
        assert answer.headers["location"].startswith(f"{AUTHORIZE}?")
        assert "x" not in answer.headers

    def test_signing_in_takes_the_password(self, things):
        """Nobody learns which of the two was wrong; and a key is no password."""
        key = things.key("root", "role:admin")
        answers = [
            things.ask("POST", "/login", form={"name": name, "password": password})
            for name, password in (("alice", "wrong"), ("nobody", "unraid"), ("root", key), ("", ""))
        ]
        assert {answer.status for answer in answers} == {401}
        assert len({answer.text for answer in answers}) == 1
        assert not any("set-cookie" in answer.headers for answer in answers)


class TestOneThing:
    """Keys that are bound to one thing, which the document does not know: nothing makes more of them."""

    def test_it_reaches_that_thing(self, things):
        """And no other, and no list."""
        key = things.key("root", "docker:*@docker/of-bob")
        assert things.ask("GET", "/api/docker/of-bob", key=key).status == 200
        assert things.ask("GET", "/api/docker/of-alice", key=key).status == 403
        assert things.ask("GET", "/api/docker", key=key).status == 403

    def test_own_beside_it_is_still_one_s_own(self, things):
        """Someone else's thing is not, though the key is bound to it; one's own is, if it is that one."""
        theirs, mine = (things.key("alice", f"docker:read_any@docker/of-{owner}") for owner in ("bob", "alice"))
        assert things.ask("GET", "/api/docker/of-bob", key=theirs).status == 403
        assert things.ask("GET", "/api/docker/of-alice", key=mine).status == 200

    @pytest.mark.parametrize("scopes", ["docker:read_any@docker/of-bob", "role:admin@docker/of-bob"])
    def test_a_form_leaves_it_out(self, things, scopes):
        """It could not say where it ends."""
        form = things.preview(f"{scopes},vms:read_any")["form"]
        assert (form["roles"], form["customPermissions"]) == ([], [permission("VMS", "READ_ANY")])


class TestTheNotation:
    """The same text by ``scopeware scopes format``, and both ways."""

    @staticmethod
    def written(capsys, *arguments):
        """The exit status of the command, and what it prints."""
        command = ["scopes", "format", "--policy", str(FOLDER / "policy.toml"), "--as", "compact"]
        with pytest.raises(SystemExit) as ended:
            main([*command, *arguments])
        return ended.value.code, capsys.readouterr().out

    def test_the_command_writes_what_the_server_writes(self, capsys):
        """Merged, grouped, sorted, whatever the spelling."""
        text = "vms:update_own+read_any DOCKER:read:any,docker:update_own,role:ADMIN,docker:read"
        assert self.written(capsys, text) == (0, "role:admin,docker+vms:read_any+update_own\n")

    def test_unknown_words_are_refused_unless_they_may_be_left_out(self, capsys):
        """By the strict reader, and the lenient one."""
        assert self.written(capsys, "docker:read_any,docker:fly") == (2, "")
        assert self.written(capsys, "--lenient", "docker:read_any,docker:fly") == (0, "docker:read_any\n")

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.sampled_from([*VOCABULARY.scopes[:40], *VOCABULARY.wildcards]), max_size=15))
    def test_what_is_written_is_read_as_the_same(self, words):
        """The same grants are the same text, in whatever order; and the same text the same grants."""
        granted = notation.read(VOCABULARY, words).scopes
        text = notation.write(granted, "compact")
        again = notation.read(VOCABULARY, text).scopes
        assert (again, again.granted) == (granted, granted.granted)
        assert notation.write(notation.read(VOCABULARY, words[::-1]).scopes, "compact") == text


class TestKeys:
    """The page where people end their keys."""

    def test_people_end_their_own_keys_and_nobody_else_s(self, things):
        """Someone else's does not exist for them; the key is dead on the next request."""
        key, other = things.decide("alice").sent["api_key"][0], things.key("bob", "docker:read_own")
        listed = things.ask("GET", "/api/api_key", key=things.key("root", "api_key:read_any")).json
        of_alice, of_bob = (next(one["id"] for one in listed if one["hint"] == secret[-4:]) for secret in (key, other))

        def revoke(number, csrf):
            return things.ask("POST", "/Tools/ApiKeys", person="alice", form={"key": number, "csrf": csrf}).status

        csrf = things.csrf("alice")
        assert (revoke(of_bob, csrf), revoke(10**6, csrf), revoke(of_alice, "wrong")) == (404, 404, 403)
        assert things.ask("GET", "/api/docker", key=key).status == 200
        assert revoke(of_alice, csrf) == 200
        assert things.ask("GET", "/api/docker", key=key).json["code"] == "token_revoked"
        assert things.ask("GET", "/api/docker", key=other).status == 200

    def test_a_key_goes_in_a_header_of_its_own_too(self, things):
        """As Unraid's clients send it; not in two places at once."""
        key = things.key("alice", "docker:read_own")
        header = {"X-API-Key": key}
        assert things.ask("GET", "/api/docker", headers=header).status == 200
        assert things.ask("GET", "/api/docker", headers=header, key=key).status == 400
        assert things.ask("GET", "/api/docker", headers={"X-API-Key": f"{key[:-1]}x"}).status == 401

    @pytest.mark.parametrize("path", [group.path for group in POLICY.groups if group.path.startswith("/api/")])
    def test_a_session_does_not_open_the_api(self, things, path):
        """Not even an administrator's, nowhere: other sites could use it."""
        answer = things.ask("GET", path, person="root")
        assert (answer.status, answer.json["code"]) == (401, "token_required")
        assert things.ask("GET", path, person="root", key=things.key("root", "role:admin")).status in (200, 404)

    @pytest.mark.parametrize(
        "path", ["/", "/api", "/api/docker/of-bob/logs", "/api/network", "/Tools/Other", "/api/permission"]
    )
    def test_what_no_rule_covers_is_not_reached(self, things, path):
        """There is nothing, and an administrator's key gets no other answer than that."""
        assert things.ask("GET", path).status == 401
        assert things.ask("GET", path, key=things.key("root", "role:admin")).status in (403, 404)
