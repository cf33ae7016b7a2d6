"""A run that goes well says how far it is, and nothing else, on the standard error: no library speaks to the user."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PROGRESS = re.compile(r"[\w' ]+ : \d+/\d+( \(.*\))?( · .*)?")


def test_the_whole_chain_prints_progress_only(tmp_path: Path) -> None:
    # More patients than a lot holds, so that worker processes open, work and end.
    command = [
        sys.executable,
        "-m",
        "transvase.commands.main",
        "demo",
        str(tmp_path / "demo"),
        "--patients",
        "300",
        "--no-bodies",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=300)
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if not PROGRESS.fullmatch(line)] == []
    assert "rapport.html" in done.stdout


def test_an_output_that_nobody_reads_to_its_end_is_no_fault() -> None:
    """`transvase dictionary | head -1`: the reader has seen enough."""
    command = subprocess.Popen(
        [sys.executable, "-m", "transvase.commands.main", "dictionary"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert command.stdout and command.stderr
    command.stdout.close()
    errors = command.stderr.read()
    command.wait(60)
    assert (command.returncode, errors) == (1, b"")
