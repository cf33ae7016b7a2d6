"""What every test may ask for: the reference data folder, and programs of the system.

`TRANSVASE_SHARED` names the folder (default: `shared` beside the project). Without it, or without a program, the tests
that need it are skipped and listed by name; with `TRANSVASE_TEST_ALL=1` (make test-all, CI) their absence is a failure.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from transvase import __version__

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("TRANSVASE_SHARED") or ROOT.parent / "shared")
ALL = os.environ.get("TRANSVASE_TEST_ALL") == "1"


def missing(what: str) -> None:
    """Fail where everything must run, skip elsewhere."""
    if ALL:
        pytest.fail(f"{what} is missing: install it (make test-all does), or run make test")
    pytest.skip(f"needs {what}")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference data folder."""
    if not (SHARED / "reference").is_dir():
        missing("the reference data folder (TRANSVASE_SHARED)")
    return SHARED


@pytest.fixture(scope="session")
def program():
    """`program("java")` gives the path of a program from Debian's packages."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            missing(f"the program {name}")
        return str(path)

    return find


NEEDS = {"shared": "shared", "program": "debian"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--plain` leaves out what needs the folder or a program, even when they are there; `--approve` rewrites expected files."""
    parser.addoption(
        "--plain", action="store_true", help="leave out tests that need the reference folder or Debian packages"
    )
    parser.addoption("--approve", action="store_true", help="rewrite the expected files, then review the difference")
    parser.addoption(
        "--results",
        type=Path,
        metavar="FILE",
        help="write the outcome of each test, for tools/generate_docs.py --results",
    )


class Results:
    """The outcome of each test by its identifier: failed when any of its phases failed, skipped when nothing of it ran."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.outcomes: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        worst = {"skipped": 1, "passed": 0, "failed": 2}
        said = self.outcomes.get(report.nodeid, "passed")
        self.outcomes[report.nodeid] = max(said, report.outcome, key=worst.__getitem__)

    def pytest_sessionfinish(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        told = {"version": __version__, "outcomes": dict(sorted(self.outcomes.items()))}
        self.path.write_text(json.dumps(told, indent=0), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """The marker of requirements, and the record of outcomes where it is asked for; workers of xdist report to the one that writes it."""
    config.addinivalue_line(
        "markers", "requirement(*ids): lines of docs/reference/national-requirements.csv that the test exercises"
    )
    if (path := config.getoption("--results", None)) is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Results(path), "transvase-results")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test that asks for the folder or a program carries the mark; with `--plain` it is skipped and so listed at the end."""
    left_out = pytest.mark.skip(reason="needs the reference folder or Debian packages: make test-all")
    for item in items:
        for fixture, mark in NEEDS.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(mark)
        if config.getoption("--plain") and (item.get_closest_marker("shared") or item.get_closest_marker("debian")):
            item.add_marker(left_out)


def pytest_terminal_summary(terminalreporter) -> None:
    """Name the tests that were not run."""
    names = sorted({r.nodeid.split("[")[0] for r in terminalreporter.stats.get("skipped", [])})
    if names:
        terminalreporter.section("not run here, see their reason above or run make test-all")
        for name in names:
            terminalreporter.line(name)
