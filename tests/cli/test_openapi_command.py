"""``scopeware openapi annotate``: a document that says what the policy does, written down, printed, and compared."""

from __future__ import annotations

import copy
import json
import os
import stat
import sys

import pytest
from command_line import says

from scopeware import Policy
from scopeware.introspect.data import read
from scopeware.introspect.openapi import annotate

yaml = pytest.importorskip("yaml")

RULES = """
[policy]
prefix = "/api"

[[group]]
path = "/user"
scopes = ["user"]

[[group]]
path = "/open"
scopes = []
require_token = false
"""
FINE = {"responses": {"200": {"description": "Größe"}}}
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Things", "version": "1"},
    "servers": [{"url": "/api"}],
    "paths": {"/user": {"get": FINE, "put": copy.deepcopy(FINE)}, "/open": {"get": copy.deepcopy(FINE)}},
}
YAML = """\
# what there is
openapi: 3.0.3
info:
  title: Things
  version: 2024-01-31   # a date, for YAML
paths:
  /api/user:
    get:
      responses: &fine
        200: {description: Größe}
    put:
      responses: *fine
  /api/open:
    get:
      responses: *fine
"""
APPLICATION = """
import json

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    with open("openapi.json", "rb") as file:
        return [file.read()]
"""
ANNOTATE = ("openapi", "annotate")


@pytest.fixture(autouse=True)
def policy(folder):
    (folder / "scopes.toml").write_text(RULES, "utf-8")
    return Policy.loads(RULES)


@pytest.fixture
def document(folder):
    """A document in JSON; its path."""
    (folder / "openapi.json").write_text(json.dumps(DOCUMENT), "utf-8")
    return folder / "openapi.json"


@pytest.fixture
def in_yaml(folder):
    """One in YAML."""
    (folder / "openapi.yaml").write_text(YAML, "utf-8")
    return folder / "openapi.yaml"


def needs(data, path, method):
    """What a document says of an operation."""
    return data["paths"][path][method].get("x-required-scopes")


class TestAnnotate:
    def test_it_is_printed(self, cli, document, policy):
        """The document itself stays."""
        before = document.read_bytes()
        result = cli(*ANNOTATE, "openapi.json")
        assert (result.status, result.err) == (0, "")
        assert result.json == annotate(DOCUMENT, policy)
        assert document.read_bytes() == before

    def test_it_is_written_onto_itself(self, cli, document, policy):
        """Through a link, with the mode it had; to do it again changes no byte, and then they say the same."""
        document.chmod(0o640)
        os.symlink("openapi.json", "link.json")
        once = []
        for _ in range(2):
            result = cli(*ANNOTATE, "link.json", "--output", "link.json")
            assert (result.status, result.out) == (0, "")
            once.append(document.read_bytes())
        assert once[0] == once[1]
        assert json.loads(once[0]) == annotate(DOCUMENT, policy)
        assert stat.S_IMODE(document.stat().st_mode) == 0o640
        assert os.path.islink("link.json")
        result = cli(*ANNOTATE, "openapi.json", "--check")
        assert (result.status, result.out) == (0, "")

    def test_yaml_comes_and_goes(self, cli, in_yaml):
        """Comments may be lost; what two operations share is told apart."""
        assert cli(*ANNOTATE, "openapi.yaml", "--output", "openapi.yaml").status == 0
        text = in_yaml.read_text("utf-8")
        data = yaml.safe_load(text)
        assert "Größe" in text
        for method, word in (("get", "read:user"), ("put", "write:user")):
            assert needs(data, "/api/user", method) == [[word]]
            assert data["paths"]["/api/user"][method]["responses"]["403"]["description"] == f"The token needs `{word}`."
        assert "403" not in data["paths"]["/api/open"]["get"]["responses"]

    def test_yaml_stays_as_it_is_the_second_time(self, cli, in_yaml):
        """And says the same as the policy."""
        texts = []
        for _ in range(2):
            cli(*ANNOTATE, "openapi.yaml", "--output", "openapi.yaml")
            texts.append(in_yaml.read_text("utf-8"))
        assert texts[0] == texts[1]
        assert cli(*ANNOTATE, "openapi.yaml", "--check").status == 0

    def test_words_of_yaml_stay_what_they_are(self, cli, folder):
        """As OpenAPI reads them, by YAML 1.2: neither a country nor a time becomes anything else, be it told twice."""
        words = ("NO", "on", "off", "yes", "y", "12:30", "1:20:30", "2024-01-31", "0b1", "1_000")
        rest = {"ten": 10, "hex": 31, "half": 0.5, "quoted": "010", "true": "true", "really": True, "nothing": None}
        enum = "".join(f"      - {word}\n" for word in words)
        example = "ten: 010, hex: 0x1F, half: .5, quoted: '010', 'true': 'true', really: true, nothing: ~"
        text = f"{YAML}components:\n  schemas:\n    Country:\n      on: {{{example}}}\n      enum:\n{enum}"
        (folder / "openapi.yaml").write_text(text, "utf-8")
        for _ in range(2):
            assert cli(*ANNOTATE, "openapi.yaml", "--output", "openapi.yaml").status == 0
            country = read("openapi.yaml")["components"]["schemas"]["Country"]
            assert country == {"on": rest, "enum": list(words)}
            # So do those that read by YAML 1.1.
            old = yaml.safe_load((folder / "openapi.yaml").read_text("utf-8"))
            assert old["components"]["schemas"]["Country"] == country
        assert cli(*ANNOTATE, "openapi.yaml", "--output", "new.json").status == 0
        assert read("new.json")["components"]["schemas"]["Country"]["enum"] == list(words)

    def test_no_anchors_are_written(self, cli, in_yaml, folder):
        """Neither for what one wrote, nor for what is the same by chance; what they stood for is there each time."""
        shared = "components:\n  schemas:\n    A: &a {type: object}\n    B: *a\n    C: {<<: *a, title: C}\n"
        in_yaml.write_text(YAML.replace("3.0.3", "3.1.0") + shared, "utf-8")
        result = cli(*ANNOTATE, "openapi.yaml")
        assert result.status == 0
        assert not [token for token in yaml.scan(result.out) if isinstance(token, (yaml.AnchorToken, yaml.AliasToken))]
        schemas = yaml.safe_load(result.out)["components"]["schemas"]
        plain = {"type": "object"}
        assert schemas == {"A": plain, "B": plain, "C": plain | {"title": "C"}}

    def test_yaml_can_become_json(self, cli, in_yaml, folder):
        """Dates and numbers of YAML, too."""
        result = cli(*ANNOTATE, "openapi.yaml", "--output", "new.json")
        assert (result.status, result.err) == (0, "")
        data = json.loads((folder / "new.json").read_text("utf-8"))
        assert data["info"]["version"] == "2024-01-31"
        assert needs(data, "/api/user", "get") == [["read:user"]]

    def test_what_is_written_is_valid(self, cli, document):
        """By the schema of its version."""
        validator = pytest.importorskip("openapi_spec_validator")
        for version in ("2.0", "3.0.3", "3.1.0"):
            made = {key: value for key, value in DOCUMENT.items() if key not in ("openapi", "servers")}
            made |= {"swagger": "2.0", "basePath": "/api"} if version == "2.0" else {"openapi": version}
            made |= {} if version == "2.0" else {"servers": [{"url": "/api"}]}
            document.write_text(json.dumps(made), "utf-8")
            validator.validate(cli(*ANNOTATE, "openapi.json").json)

    def test_what_stands_before_its_paths_can_be_said(self, cli, folder):
        """Where its servers do not."""
        bare = {key: value for key, value in DOCUMENT.items() if key != "servers"}
        (folder / "openapi.json").write_text(json.dumps(bare), "utf-8")
        assert needs(cli(*ANNOTATE, "openapi.json").json, "/user", "get") is None
        assert needs(cli(*ANNOTATE, "openapi.json", "--base", "/api").json, "/user", "get") == [["read:user"]]

    def test_an_application_serves_it(self, cli, folder, document, monkeypatch):
        """At a path of its own."""
        (folder / "serving_openapi.py").write_text(APPLICATION, "utf-8")
        monkeypatch.syspath_prepend(str(folder))
        result = cli(*ANNOTATE, "/schema", "--app", "serving_openapi:app", "--output", "new.yaml")
        sys.modules.pop("serving_openapi", None)
        assert (result.status, result.err) == (0, "")
        assert needs(yaml.safe_load((folder / "new.yaml").read_text("utf-8")), "/user", "put") == [["write:user"]]

    def test_what_is_no_document_is_left_as_it_is(self, cli, document):
        """And that is said, in a line."""
        for text, said in (
            ("{", "broken JSON"),
            ("[1]", "OpenAPI"),
            ('{"openapi": "3.1.0", "paths": {}, "components": []}', "components"),
            ('{"openapi": "3.1.0", "paths": {"/user": {"get": {}}}, "servers": [{"url": "//[x"}]}', "servers"),
        ):
            document.write_text(text, "utf-8")
            says(cli(*ANNOTATE, "openapi.json", "--output", "openapi.json"), 2, said)
            assert document.read_text("utf-8") == text
        assert set(os.listdir()) == {"openapi.json", "scopes.toml"}

    def test_where_it_cannot_be_written_nothing_is(self, cli, document, folder):
        """A folder, or a folder that is not there."""
        for output in (str(folder), "nowhere/openapi.json"):
            says(cli(*ANNOTATE, "openapi.json", "--output", output), 2, "--output")
        assert set(os.listdir()) == {"openapi.json", "scopes.toml"}


class TestCheck:
    def test_both_ways(self, cli, document):
        """Operations that say something else, that nobody covers, and rules that no operation is for."""
        made = annotate(DOCUMENT, Policy.loads(RULES))
        made["paths"]["/user"]["put"]["x-required-scopes"] = [["read:user"]]
        made["paths"]["/things"] = {"get": FINE}
        del made["paths"]["/open"]
        document.write_text(json.dumps(made), "utf-8")
        result = cli(*ANNOTATE, "openapi.json", "--check")
        assert result.status == 1
        assert sorted(line.partition(":")[0] for line in result.out.splitlines()) == [
            "/api/open",
            "GET /things",
            "PUT /user",
        ]
        assert "3 differences" in result.err
        rows = cli(*ANNOTATE, "openapi.json", "--check", "--json").json["differences"]
        assert {(row["method"], row["path"]) for row in rows} == {
            ("PUT", "/user"),
            ("GET", "/things"),
            (None, "/api/open"),
        }

    def test_one_is_no_plural(self, cli, document):
        """As people write."""
        made = annotate(DOCUMENT, Policy.loads(RULES))
        made["paths"]["/things"] = {"get": FINE}
        document.write_text(json.dumps(made), "utf-8")
        assert cli(*ANNOTATE, "openapi.json", "--check").err == "1 difference\n"

    def test_text_of_a_document_is_printed_without_control_characters(self, cli, document):
        """It is escaped, not lost; as JSON it is what it was."""
        made = annotate(DOCUMENT, Policy.loads(RULES))
        for path in ("/a\u0007b", "/\u009b2Jc", "/\u202ed"):
            made["paths"][path] = {"get": FINE}
        made["paths"]["/user"]["put"]["x-required-scopes"] = [["\u0007bell"]]
        document.write_text(json.dumps(made), "utf-8")
        result = cli(*ANNOTATE, "openapi.json", "--check")
        assert result.status == 1
        assert [line for line in (result.out + result.err).splitlines() if not line.isprintable()] == []
        assert all(text in result.out for text in (r"GET /a\x07b", r"GET /\x9b2Jc", r"GET /\u202ed", r"\x07bell"))
        rows = cli(*ANNOTATE, "openapi.json", "--check", "--json").json["differences"]
        assert "/a\u0007b" in {row["path"] for row in rows}

    def test_nothing_is_written(self, cli, document):
        """Not even where something is named to be written to."""
        before = document.read_bytes()
        assert cli(*ANNOTATE, "openapi.json", "--check", "--output", "openapi.json").status in (1, 2)
        assert document.read_bytes() == before
