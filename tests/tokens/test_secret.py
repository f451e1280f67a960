"""The text of tokens: its form, its checksum, and what is refused without asking anyone."""

import hashlib
import logging
import re
import string
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import answer
from token_helpers import bytes_on_disk, trace

from scopeware.errors import ConfigurationError
from scopeware.tokens import SecretFormat, StoreUnavailable, TokenRefused
from scopeware.tokens.secret import checksum, digest

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
FORM = SecretFormat()
WELL_FORMED = "swt_ABCDEFGHIJKLMNOPQRSTUVWXYZ0123"
WELL_FORMED += checksum(WELL_FORMED)


@pytest.fixture
def store(connect):
    """A store in a file, with nobody in it."""
    return connect()


def slow_checksum(text: str) -> str:
    """The reference: CRC-32 bit by bit, then one base62 digit after the other."""
    crc = 0xFFFFFFFF
    for byte in text.encode("ascii"):
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xEDB88320 if crc & 1 else 0)
    number = crc ^ 0xFFFFFFFF
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = ALPHABET[digit] + digits
    return digits.rjust(6, "0")


@given(st.text(st.characters(max_codepoint=127), max_size=60))
def test_the_checksum_is_the_crc_in_base62(text):
    """Any text has the checksum of the slow reference, six characters long."""
    assert checksum(text) == slow_checksum(text)
    assert len(checksum(text)) == 6


def test_a_small_checksum_is_padded_on_the_left():
    """The CRC of nothing is zero, and still six characters."""
    assert checksum("") == "000000"
    text = next(text for number in range(10_000) if (text := str(number)) and slow_checksum(text).startswith("00"))
    assert checksum(text) == slow_checksum(text)


@pytest.mark.parametrize(
    ("body", "check"),
    [("swt_" + "0" * 30, "44v4j4"), ("swt_" + "z" * 30, "1F1Wbd"), ("ghp_" + "a" * 30, "0tn8kc")],
)
def test_the_checksum_never_changes(body, check):
    """Tokens of old are still told from noise: these were computed once and for all."""
    assert checksum(body) == slow_checksum(body) == check


def test_secrets_have_the_form_that_scanners_know():
    """Prefix, 30 random characters of base62, six of checksum; no two alike."""
    secrets = {FORM.generate() for _ in range(2_000)}
    assert len(secrets) == 2_000
    for secret in secrets:
        assert re.fullmatch(r"swt_[0-9A-Za-z]{36}", secret)
        assert secret[-6:] == slow_checksum(secret[:-6])
        assert FORM.is_well_formed(secret)
    for position in range(4, 34):
        assert len({secret[position] for secret in secrets}) == 62


@pytest.mark.parametrize("prefix", ["ab", "swt", "a1", "abcdefghij123456"])
def test_the_prefix_is_the_deployments(prefix):
    """Its tokens start with it, and those of another deployment are not well formed here."""
    form = SecretFormat(prefix)
    secret = form.generate()
    assert form.prefix == prefix
    assert secret.startswith(f"{prefix}_")
    assert form.is_well_formed(secret)
    assert not SecretFormat("other").is_well_formed(secret)


@pytest.mark.parametrize(
    "prefix", ["", "a", "abcdefghij1234567", "Swt", "1a", "s_t", "s-t", "swt_", "swt\n", " swt", "größe", "s t", "ſwt"]
)
def test_a_prefix_that_scanners_could_trip_over_is_refused(prefix):
    """Two to sixteen lower-case letters and digits, a letter first; the message says so."""
    with pytest.raises(ConfigurationError, match="2 to 16 lower-case letters and digits"):
        SecretFormat(prefix)


@given(st.integers(0, len(WELL_FORMED) - 1), st.sampled_from(ALPHABET))
def test_a_secret_with_one_character_changed_is_not_well_formed(position, character):
    """A CRC-32 finds every single change, wherever it is."""
    changed = WELL_FORMED[:position] + character + WELL_FORMED[position + 1 :]
    assert FORM.is_well_formed(changed) is (changed == WELL_FORMED)


@given(st.integers(0, len(WELL_FORMED) - 2))
def test_a_secret_with_two_characters_swapped_is_not_well_formed(position):
    """A CRC-32 finds what people mistype."""
    first, second = WELL_FORMED[position : position + 2]
    swapped = WELL_FORMED[:position] + second + first + WELL_FORMED[position + 2 :]
    assert FORM.is_well_formed(swapped) is (first == second)


@given(st.text() | st.text(ALPHABET, min_size=36, max_size=36).map("swt_{}".format))
def test_any_text_is_judged_as_the_reference_judges_it(text):
    """Nothing crashes it, and nothing passes but the right form with the right checksum."""
    formed = re.fullmatch(r"swt_[0-9A-Za-z]{36}", text) is not None and slow_checksum(text[:-6]) == text[-6:]
    assert FORM.is_well_formed(text) is formed


MALFORMED = [
    pytest.param("", id="nothing"),
    pytest.param(WELL_FORMED[:-1], id="cut-at-the-end"),
    pytest.param(WELL_FORMED[1:], id="cut-at-the-beginning"),
    pytest.param(WELL_FORMED[:10] + WELL_FORMED[11:], id="cut-inside"),
    pytest.param(WELL_FORMED + "0", id="longer"),
    pytest.param(WELL_FORMED[:-1] + ("A" if WELL_FORMED[-1] != "A" else "B"), id="changed-checksum"),
    pytest.param("swt_B" + WELL_FORMED[5:], id="changed-body"),
    pytest.param(SecretFormat("ghp").generate(), id="another-prefix"),
    pytest.param("SWT" + WELL_FORMED[3:], id="prefix-in-upper-case"),
    pytest.param("swt-" + WELL_FORMED[4:], id="another-joint"),
    pytest.param(WELL_FORMED.lower(), id="lower-case"),
    pytest.param(WELL_FORMED + "\n", id="newline-after"),
    pytest.param(WELL_FORMED + " ", id="space-after"),
    pytest.param("\n" + WELL_FORMED, id="newline-before"),
    pytest.param(WELL_FORMED + "\0", id="nul-after"),
    pytest.param("swt_\0" + WELL_FORMED[5:], id="nul-inside"),
    pytest.param(WELL_FORMED.replace("0", "٠"), id="arabic-digits"),
    pytest.param(WELL_FORMED.replace("A", "\uff21"), id="full-width-letters"),
    pytest.param("\ud800" * 40, id="surrogates"),
    pytest.param("\U0001f511" * 40, id="beyond-the-basic-plane"),
    pytest.param(digest(WELL_FORMED).hex(), id="its-own-digest"),
    pytest.param("' OR 1=1 --", id="sql"),
    pytest.param("x" * 1_000_000, id="a-megabyte"),
    pytest.param("swt_" + "0" * 1_000_000, id="a-megabyte-after-the-prefix"),
]


@pytest.mark.parametrize("text", MALFORMED)
def test_what_cannot_be_a_token_is_refused_without_a_query(text, store, issued):
    """No statement runs for it; one that might be a token costs statements."""
    statements = trace(store)
    assert answer(store, text) == "token_invalid"
    assert statements == []
    assert answer(store, WELL_FORMED) == "token_invalid"
    assert any("digest" in statement for statement in statements)


@pytest.mark.parametrize("text", MALFORMED)
def test_what_cannot_be_a_token_is_not_looked_for_either(text, store, issued, caplog):
    """`find` knows no such token, and asks nobody; the real one it asks for, and finds."""
    with caplog.at_level(logging.DEBUG, "peewee"):
        assert store.find(text) is None
        assert caplog.records == []
        assert store.find(issued.secret).id == issued.token.id
        assert caplog.records


def test_the_digest_is_sha_256_of_the_whole_secret():
    """One character more or less is another digest; text that is no UTF-8 has one, too."""
    assert digest(WELL_FORMED) == hashlib.sha256(WELL_FORMED.encode()).digest()
    assert digest(WELL_FORMED) != digest(WELL_FORMED[:-1])
    assert len(digest("\ud800")) == 32


def test_a_token_of_another_prefix_is_not_good_here(home):
    """Two deployments on one database: each accepts its own."""
    ours, theirs = home.connect(prefix="ours"), home.connect(prefix="theirs")
    issued = ours.issue(owner="alice", name="ci", scopes="read:user")
    assert ours.prefix == "ours"
    assert answer(ours, issued.secret) == "read:user"
    assert answer(theirs, issued.secret) == "token_invalid"


def test_the_secret_is_not_in_the_tables(home):
    """Nor any long part of it, of whichever database; its digest is."""
    issued = home.connect().issue(owner="alice", name="ci", scopes="read:user")
    body = issued.secret.removeprefix("swt_")
    stored = repr(home.rows())
    assert repr(digest(issued.secret)) in stored
    assert not [body[start : start + 8] for start in range(len(body) - 7) if body[start : start + 8] in stored]


def test_the_secret_is_not_in_the_files(store, issued, path):
    """The same of all files of an SQLite database, whatever else they hold."""
    body = issued.secret.removeprefix("swt_")
    stored = bytes_on_disk(path)
    assert digest(issued.secret) in stored
    for start in range(len(body) - 7):
        assert body[start : start + 8].encode() not in stored
    assert issued.token.hint == issued.secret[-4:]


def test_the_secret_is_in_no_text_about_the_token(store, issued):
    """`repr` and `str` of everything that is handed out may be logged; `secret` itself is the one place."""
    shown = [
        issued,
        issued.token,
        store.authenticate(issued.secret),
        store.find(issued.secret),
        store.list(),
        store,
        store._known,
        digest(issued.secret),
    ]
    for value in shown:
        assert issued.secret[4:] not in f"{value!r} {value}"


def test_the_secret_is_in_no_error(store, issued, path):
    """Whatever goes wrong says so without it; causes and their texts included."""
    errors = []
    with pytest.raises(TokenRefused) as refused:
        store.issue(owner="alice", name="ci", scopes="read:user")
    errors.append(refused.value)
    store.close()
    for ask in (store.authenticate, store.find):
        with pytest.raises(StoreUnavailable) as unavailable:
            ask(issued.secret)
        errors.append(unavailable.value)
    for error in errors:
        text = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
        assert issued.secret not in text
        assert digest(issued.secret).hex() not in text
