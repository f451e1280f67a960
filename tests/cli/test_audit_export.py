"""``scopeware audit export``: the record for other programs."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import DATABASE, REFUSED, SECONDS, environment, says, write_down
from services import CuttableProxy, address_of, run_sql, through

COLUMNS = ["id", "time", "at", "token_id", "hint", "owner", "address", "method", "path", "group", "scopes", "resource"]
COLUMNS += ["decision", "code", "status", "duration"]
NOBODY = {"owner": None, "token_id": None, "hint": None, "code": "token_required", "status": 401, "decision": "denied"}


def table(text):
    """CSV as a program reads it: a dictionary a row."""
    return list(csv.DictReader(io.StringIO(text, newline="")))


def many(url, count=60_000):
    """So many requests that it takes a while to export them."""
    write_down(url, {})
    columns = ", ".join("group_path" if name == "group" else name for name in COLUMNS if name not in ("id", "time"))
    run_sql(
        url,
        f"INSERT INTO scopeware_access_log ({columns}) WITH RECURSIVE numbers(n) AS "
        f"(SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count}) "
        f"SELECT {columns} FROM scopeware_access_log, numbers",
    )


def begin(folder, path, url=DATABASE):
    """An export to a file as a process of its own, once it has begun to write."""
    command = [sys.executable, "-m", "scopeware", "audit", "export", "--output", str(path), "--database", url]
    before = {found: found.stat().st_size for found in folder.iterdir()}
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=said, stderr=said)
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        new = [found for found in folder.iterdir() if found not in before and found.name != "said"]
        if any(found.suffix not in (".db-wal", ".db-shm") and found.stat().st_size for found in new):
            return process
        time.sleep(0.005)
    process.kill()
    raise AssertionError(f"it does not write, or wrote it all at once: {(folder / 'said').read_text()}")


def names(folder):
    """What is in a folder but for the database and what was said."""
    return {path.name for path in folder.iterdir() if not path.name.startswith("scopeware.db")} - {"said"}


class TestLines:
    @pytest.fixture(autouse=True)
    def requests(self):
        """A usual one, one of nobody, one that is odd, one that was refused."""
        write_down(DATABASE, {"path": "/a"}, {"path": "/b"} | NOBODY, {"path": "/漢字 \x1b\n", "owner": "ü"}, REFUSED)

    def test_a_line_is_a_request_the_oldest_first(self, cli):
        """As `list` has it in JSON; a line each, whatever is in it."""
        for options in ((), ("--format", "jsonl"), ("--json",)):
            result = cli("audit", "export", *options)
            assert (result.status, result.err) == (0, "")
            entries = [json.loads(line) for line in result.out.splitlines()]
            assert [entry["path"] for entry in entries] == ["/a", "/b", "/漢字 \x1b\n", "/api/v1/user"]
            assert entries == cli("audit", "list", "--json").json
            assert result.out.isascii()
            assert "\x1b" not in result.out

    def test_filters_hold(self, cli):
        """As for `list`."""
        assert len(cli("audit", "export", "--denied").out.splitlines()) == 2
        assert len(cli("audit", "export", "--owner", "ü").out.splitlines()) == 1
        assert cli("audit", "export", "--owner", "nobody").out == ""

    def test_there_is_no_limit(self, cli):
        """More than are read at a time."""
        write_down(DATABASE, *({"path": f"/{number}"} for number in range(2500)))
        paths = [json.loads(line)["path"] for line in cli("audit", "export").out.splitlines()]
        assert paths[4:] == [f"/{number}" for number in range(2500)]

    def test_an_empty_log_is_an_empty_file(self, cli, folder):
        """And fine."""
        result = cli("audit", "export", "--database", "sqlite:///new.db", "--output", "log")
        assert (result.status, result.out, result.err) == (0, "", "")
        assert (folder / "log").read_bytes() == b""

    def test_head_may_close_the_pipe(self, folder):
        """It is no failure, and makes no noise."""
        many(DATABASE, 5000)
        pipeline = f"'{sys.executable}' -m scopeware audit export | head -1"
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", pipeline], cwd=folder, env=environment(), capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert json.loads(done.stdout)["id"] == 1


class TestTables:
    def test_the_first_row_names_the_columns(self, cli):
        """Those of JSON, in the same order; that is all there is of an empty log."""
        assert cli("audit", "export", "--format", "csv").out.splitlines() == [",".join(COLUMNS)]

    def test_a_carriage_return_does_not_begin_a_row(self, cli):
        """Else whoever chose it would choose what is in that row, too."""
        write_down(DATABASE, {"owner": "mallory\r=1+1", "path": "/a"})
        rows = table(cli("audit", "export", "--format", "csv").out)
        assert [(row["owner"], row["path"]) for row in rows] == [("mallory\r=1+1", "/a")]

    def test_a_row_is_a_request(self, cli):
        """What is not known is empty; what has commas, quotes and line ends in it comes back as it was."""
        odd = 'a "b", c;d\ne\t漢'
        write_down(DATABASE, {"path": odd, "resource": "alice/widgets"}, NOBODY)
        rows = table(cli("audit", "export", "--format", "csv").out)
        entries = cli("audit", "list", "--json").json
        expected = [{name: "" if value is None else str(value) for name, value in entry.items()} for entry in entries]
        assert rows == expected
        assert rows[0]["path"] == odd
        assert rows[1]["owner"] == ""

    @pytest.mark.parametrize("start", "=+-@")
    @pytest.mark.parametrize("column", ["owner", "path", "address", "method", "group", "resource", "scopes"])
    def test_what_a_spreadsheet_takes_for_a_formula_is_marked_as_text(self, cli, column, start):
        """Whoever made the request may have chosen it; what is none stays as it is."""
        formula = f'{start}HYPERLINK("x")'
        write_down(DATABASE, {column: formula}, {column: f"x{formula}"})
        rows = table(cli("audit", "export", "--format", "csv").out)
        assert [row[column] for row in rows] == [f"'{formula}", f"x{formula}"]

    @pytest.mark.parametrize("start", ["\t=", "\r=", "\n=", "\t", "\r"], ids=repr)
    def test_so_is_what_begins_with_what_spreadsheets_skip(self, cli, start):
        """A tab or a line end in front makes it no less of a formula."""
        write_down(DATABASE, {"owner": f"{start}1+1"})
        rows = table(cli("audit", "export", "--format", "csv").out)
        assert rows[0]["owner"] == f"'{start}1+1"

    def test_what_is_empty_stays_empty(self, cli):
        """It is no formula."""
        write_down(DATABASE, {"group": "", "scopes": "", "address": ""})
        row = table(cli("audit", "export", "--format", "csv").out)[0]
        assert (row["group"], row["scopes"], row["address"]) == ("", "", "")

    def test_json_lines_are_as_they_are(self, cli):
        """No program takes them for formulas."""
        write_down(DATABASE, {"owner": "=1+1"})
        assert json.loads(cli("audit", "export").out)["owner"] == "=1+1"


class TestOutput:
    @pytest.mark.parametrize("form", ["jsonl", "csv"])
    def test_it_is_what_would_have_been_printed(self, cli, folder, form):
        """And nothing is printed then."""
        write_down(DATABASE, {"path": "/漢字"}, REFUSED)
        result = cli("audit", "export", "--format", form, "--output", "log")
        assert (result.status, result.out, result.err) == (0, "", "")
        assert (folder / "log").read_bytes().decode() == cli("audit", "export", "--format", form).out
        assert names(folder) == {"log"}

    def test_nobody_else_may_read_it(self, cli, folder):
        """Nor what was there before."""
        write_down(DATABASE, {})
        (folder / "log").write_text("old")
        (folder / "log").chmod(0o644)
        cli("audit", "export", "--output", "log")
        assert stat.S_IMODE((folder / "log").stat().st_mode) == 0o600
        assert (folder / "log").read_text("utf-8").count("\n") == 1

    @pytest.mark.parametrize(("path", "why"), [("no/where/log", "No such file"), ("taken", "Is a directory")])
    def test_a_place_that_cannot_be_written_is_told(self, cli, folder, path, why):
        """Exit status 2; what is there stays."""
        (folder / "taken").mkdir()
        says(cli("audit", "export", "--output", path), 2, "--output: it cannot be written: ", why)
        assert (folder / "taken").is_dir()
        assert not (folder / "no").exists()

    def test_nothing_is_left_beside_a_place_that_cannot_be_written(self, cli, folder):
        """It was ours to begin with."""
        (folder / "taken").mkdir()
        write_down(DATABASE, {})
        assert cli("audit", "export", "--output", "taken").status == 2
        assert names(folder) == {"taken"}

    def test_a_file_beside_it_is_nobodys_business(self, cli, folder):
        """Whatever it is called, it is not ours to empty, and lends its rights to nothing."""
        write_down(DATABASE, {})
        (folder / "log.part").write_text("mine")
        (folder / "log.part").chmod(0o644)
        assert cli("audit", "export", "--output", "log").status == 0
        assert stat.S_IMODE((folder / "log").stat().st_mode) == 0o600
        assert (folder / "log.part").read_text() == "mine"

    def test_a_link_beside_it_leads_nowhere(self, cli, folder):
        """Whoever may write to the folder must not choose what is overwritten."""
        write_down(DATABASE, {})
        (folder / "precious").write_text("mine")
        (folder / "log.part").symlink_to("precious")
        cli("audit", "export", "--output", "log")
        assert (folder / "precious").read_text() == "mine"

    def test_what_is_no_file_is_not_replaced_by_one(self, cli, folder):
        """A pipe stays a pipe, a device a device."""
        write_down(DATABASE, {})
        os.mkfifo(folder / "pipe")
        reader = os.open(folder / "pipe", os.O_RDONLY | os.O_NONBLOCK)
        try:
            cli("audit", "export", "--output", "pipe")
            assert stat.S_ISFIFO((folder / "pipe").stat().st_mode)
        finally:
            os.close(reader)


class TestInterrupted:
    @pytest.mark.parametrize("before", [None, "what was there"], ids=["new", "there before"])
    def test_it_is_there_whole_or_not_at_all(self, folder, before):
        """Interrupted, it leaves what was there before."""
        many(DATABASE)
        if before is not None:
            (folder / "log").write_text(before)
        process = begin(folder, "log")
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 130
        assert (folder / "said").read_text().strip() == "scopeware: stopped"
        found = (folder / "log").read_text() if (folder / "log").exists() else None
        assert found == before

    @pytest.mark.parametrize(
        "sign",
        [pytest.param(signal.SIGINT, id="SIGINT"), pytest.param(signal.SIGTERM, id="SIGTERM")],
    )
    def test_nothing_half_written_is_left(self, folder, sign):
        """Nobody would remove it."""
        many(DATABASE)
        process = begin(folder, "log")
        process.send_signal(sign)
        process.wait(SECONDS)
        assert names(folder) == set()

    def test_an_export_that_was_ended_is_no_success(self, folder):
        """A script that goes on with the file must not take it for done."""
        many(DATABASE)
        process = begin(folder, "log")
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) != 0

    def test_a_database_that_goes_away_is_told_in_one_line(self, folder, postgres_url):
        """Exit status 3, and no file that looks complete."""
        many(postgres_url)
        with CuttableProxy(address_of(postgres_url)) as proxy:
            process = begin(folder, "log", through(postgres_url, proxy))
            proxy.refuse()
            assert process.wait(SECONDS) == 3
        said = Path(folder / "said").read_text()
        assert said.startswith("scopeware: the token store postgresql://")
        assert said.count("\n") == 1
        assert not (folder / "log").exists()

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
    def test_a_full_disk_is_told_in_one_line(self, folder):
        """Whoever reads what was printed must not take it for everything."""
        write_down(DATABASE, {})
        command = [sys.executable, "-m", "scopeware", "audit", "export"]
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run(
                command, cwd=folder, env=environment(), stdout=full, stderr=subprocess.PIPE, text=True, check=False
            )
        assert done.returncode == 3
        assert done.stderr == "scopeware: the output cannot be written: No space left on device\n"
