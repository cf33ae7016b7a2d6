"""The tutorial's commands are run, in order, in an empty folder, and print what the page says.

A block is ```console: lines that begin with `$ ` are commands, the others their standard output. `pytest --approve` rewrites the
outputs; review the difference of the page."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "tutorial" / "first-archive.md"
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
# What differs from one machine, or one run, to another.
VARIABLE = ((re.compile(r"\ben \d+ s\b"), "en … s"), (re.compile(r"\b\d+ octets\b"), "… octets"))


def run(command: str, folder: Path, previous: int) -> tuple[str, int]:
    """Standard output and exit code of a command of the page."""
    if command == "echo $?":
        return f"{previous}\n", 0
    name, *arguments = shlex.split(command)
    assert name == "transvase", f"the page may only run transvase, not {name}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONSAFEPATH": "1", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-m", "transvase.commands.main", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    text = done.stdout.replace(str(folder), "…")
    for pattern, shown in VARIABLE:
        text = pattern.sub(shown, text)
    return text, done.returncode


@pytest.mark.slow
def test_the_tutorial_prints_what_it_says(tmp_path, request):
    page = PAGE.read_text(encoding="utf-8")
    code = 0
    produced = page
    for block in BLOCK.findall(page):
        told = []
        for line in block.splitlines():
            if line.startswith("$ "):
                output, code = run(line[2:], tmp_path.resolve(), code)
                told.append(f"{line}\n{output.rstrip()}\n" if output.strip() else f"{line}\n")
        assert told, "a console block without a command"
        produced = produced.replace(f"```console\n{block}```", f"```console\n{''.join(told)}```", 1)
    if request.config.getoption("--approve"):
        PAGE.write_text(produced, encoding="utf-8", newline="\n")
    assert produced == PAGE.read_text(encoding="utf-8"), (
        "if intended: pytest tests/docs/test_tutorial.py --approve, and read the page again"
    )
