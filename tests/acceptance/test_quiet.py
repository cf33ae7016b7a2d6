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
