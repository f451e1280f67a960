"""The pages that protect an application in five minutes do: every file is written, every command is run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted((ROOT / "docs").glob("protect-*.md"))
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SECONDS = 60

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="the pages use curl")


def commands(block):
    """Each command of a block, with the lines that the page says it prints."""
    found = []
    heredoc = ""
    for line in block.splitlines():
        if heredoc:
            found[-1][0] += f"\n{line}"
            heredoc = "" if line == heredoc else heredoc
        elif line.startswith("$ "):
            found.append([line[2:], []])
            heredoc = "END" if line.endswith("<<END") else ""
        else:
            found[-1][1].append(line)
    return found


def pattern(lines):
    """What is printed has these lines, one after another; ``...`` stands for anything."""
    parts = [r"[\s\S]*".join(re.escape(part) for part in re.sub(r" +", " ", line).split("...")) for line in lines]
    return r"[\s\S]*".join(parts)


class Shell:
    """Runs the commands of a page in a folder of its own; servers go on until the end."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.environment.pop("DJANGO_SETTINGS_MODULE", None)
        self.servers = []

    def run(self, command):
        if command.startswith("scopeware run"):
            return self._serve(command)
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return done.stdout

    def _serve(self, command):
        port = re.search(r"--port (\d+)", command)[1]
        with open(self.folder / "server.log", "w") as log:
            self.servers.append(
                subprocess.Popen(
                    ["bash", "-c", f"exec {command}"], cwd=self.folder, env=self.environment, stdout=log, stderr=log
                )
            )
        for _ in range(SECONDS * 10):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/")
            except urllib.error.HTTPError:
                return ""
            except OSError:
                time.sleep(0.1)
            else:
                return ""
        raise TimeoutError((self.folder / "server.log").read_text())

    def close(self):
        for server in self.servers:
            server.terminate()
            server.wait(SECONDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_does_what_it_says(page, tmp_path):
    """Files, commands and what they print, in the order of the page."""
    shell = Shell(tmp_path)
    ran = 0
    try:
        for language, block in BLOCK.findall(page.read_text()):
            if language == "python":
                (tmp_path / re.match(r"# (\S+\.py)\n", block)[1]).write_text(block)
                continue
            for command, lines in commands(block):
                printed = re.sub(r" +", " ", shell.run(command))
                assert re.search(pattern(lines), printed), f"$ {command}\n{printed}"
                ran += 1
    finally:
        shell.close()
    assert ran >= 8


def test_there_are_three():
    """For Flask, for Django, and for anything else."""
    assert [page.stem for page in PAGES] == ["protect-anything", "protect-django", "protect-flask"]


def test_what_is_printed_otherwise_would_be_seen():
    """A line that is not there, or in another order."""
    assert re.search(pattern(["a ... c"]), "a b c")
    assert not re.search(pattern(["a", "b"]), "b\na")
    assert not re.search(pattern(["nothing found"]), "found")
