"""What is asked of this software, the tests that exercise it and how they last ended: two files that tools/generate_docs.py writes beside
this one, the second only from the results of a run of the tests. What each rule finds in a practice belongs to `reports`.
"""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path
from typing import Literal, NamedTuple

from transvase.errors import Said

_LISTED = Path(__file__).with_name("requirements.csv")
_RESULTS = Path(__file__).with_name("requirement_results.csv")

Outcome = Literal["passed", "failed", "not-run"]


class Result(NamedTuple):
    """How the tests of a requirement ended: passed when one passed and none failed. The others are numbers of tests; `absent` did not run
    at all, or came after that run."""

    outcome: Outcome
    passed: int
    failed: int
    skipped: int
    absent: int


class Requirement(NamedTuple):
    """A line that is asked of the software. `group` is RULE, PORT, DMP, VIHF, INSI, INS, XDM or MSS; `tests` are pytest's identifiers;
    `result` is None when this copy holds none."""

    id: str
    group: str
    title: Said
    source: str
    tests: tuple[str, ...]
    result: Result | None


def requirements(version: str, listed: Path = _LISTED, results: Path = _RESULTS) -> list[Requirement]:
    """Every requirement, in the order of the documentation. Results of another version than the one given, or of another list of tests,
    are not this one's: none."""
    ended: dict[str, Result] = {}
    of = hashlib.sha256(listed.read_bytes()).hexdigest() if results.is_file() else ""
    if results.is_file():
        with results.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if (row["version"], row["matrix"]) == (version, of):
                    outcome: Outcome = (
                        "failed"
                        if row["outcome"] == "failed"
                        else "passed"
                        if row["outcome"] == "passed"
                        else "not-run"
                    )
                    counts = (int(row[name]) for name in ("passed", "failed", "skipped", "absent"))
                    ended[row["id"]] = Result(outcome, *counts)
    with listed.open(encoding="utf-8", newline="") as file:
        return [
            Requirement(
                row["id"],
                row["group"],
                Said(row["fr"], row["en"]),
                row["source"],
                tuple(row["tests"].split()),
                ended.get(row["id"]),
            )
            for row in csv.DictReader(file)
        ]
