"""The matrix of requirements: every rule and requirement has code and tests, or a written reason; what a test names exists; the results of
a run of the tests reach the page and the audit report, and nothing but a run makes them."""

from __future__ import annotations

import ast
import csv
import importlib.util
import json
import re
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from transvase.errors import Said
from transvase.exporters import audit_pdf
from transvase.model.report import WHOLE, Head, Report, number
from transvase.model.requirements import Requirement, Result, requirements
from transvase.model.verdict import CATALOGUE
from transvase.reports import audit
from transvase.reports.matrix import section

ROOT = Path(__file__).resolve().parents[2]
CLOCK = datetime(2026, 11, 23, 20, tzinfo=ZoneInfo("Europe/Paris"))


@pytest.fixture(scope="module")
def tool() -> Any:
    found = importlib.util.spec_from_file_location("requirement_matrix", ROOT / "tools" / "requirement_matrix.py")
    assert found and found.loader
    sys.modules["requirement_matrix"] = module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def lines(tool: Any) -> list[Any]:
    found: list[Any] = tool.matrix()
    return found


# -- what is asked ---------------------------------------------------------------------------------------------------------


def test_every_rule_and_every_requirement_has_a_line(tool: Any, lines: list[Any]) -> None:
    ids = [line.requirement.id for line in lines]
    assert ids[: len(CATALOGUE)] == list(CATALOGUE)
    assert {line.requirement.group for line in lines} == set(tool.GROUPS)
    for line in lines:
        one = line.requirement
        assert all((one.level, one.source, one.fr, one.en)), f"{one.id}: level, source and both sentences"
        assert bool(line.tests) or bool(line.reason), one.id
        assert line.code or not line.tests, f"{one.id}: its tests go through no code of ours"


def test_the_list_of_the_sheets_is_numbered_in_order_and_names_sheets() -> None:
    with (ROOT / "docs/reference/national-requirements.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    numbers: dict[str, list[int]] = {}
    for row in rows:
        group, _, rank = row["id"].partition("-")
        numbers.setdefault(group, []).append(int(rank))
        assert row["level"] in ("must", "should", "may", "info")
    assert all(ranks == list(range(1, len(ranks) + 1)) for ranks in numbers.values())
    sheets = {"dmp-transactions", "vihf", "insi", "ins-identity", "xdm-mssante"}
    assert {row["sheet"] for row in rows} == sheets


@pytest.mark.shared
def test_each_section_named_is_one_of_its_sheet(shared: Path) -> None:
    with (ROOT / "docs/reference/national-requirements.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            text = (shared / "reference" / f"{row['sheet']}.md").read_text(encoding="utf-8")
            section, _, detail = row["section"].partition(", ")
            assert re.search(rf"^##+ {re.escape(section)}\.? ", text, re.MULTILINE), f"{row['id']}: {row['section']}"
            assert not detail or detail.split()[0].partition("/va")[0] in text, row["id"]


# -- what the check refuses ------------------------------------------------------------------------------------------------


class Given:
    """Tests of which is known what they exercise."""

    def __init__(self, tests: dict[str, list[str]]) -> None:
        self.by_requirement = lambda: tests
        self.everywhere: Counter[str] = Counter()

    def modules(self, test: str) -> set[str]:
        return {"gateways.dmp"}


@pytest.mark.parametrize(
    ("tests", "reasons", "said"),
    [
        pytest.param({}, {}, "DMP-07: neither a test", id="neither test nor reason"),
        pytest.param({"DMP-07": ["t"], "DMP-999": ["t"]}, {}, "no such requirement: DMP-999", id="unknown, by a test"),
        pytest.param({"DMP-07": ["t"]}, {"DMP-998": "x"}, "no such requirement: DMP-998", id="unknown, by a reason"),
        pytest.param({"DMP-07": ["t"]}, {"DMP-07": "no way"}, "DMP-07: tested", id="a reason left behind"),
        pytest.param({"DMP-07": ["t"]}, {"DMP-07": "open: in part"}, "", id="what is open may stand beside tests"),
    ],
)
def test_a_matrix_that_does_not_hold_is_refused(
    tool: Any, monkeypatch: pytest.MonkeyPatch, tests: dict[str, list[str]], reasons: dict[str, str], said: str
) -> None:
    one = tool.Requirement("DMP-07", "DMP", "must", "sheet §2", "quoi", "what")
    monkeypatch.setattr(tool, "wanted", lambda: [one])
    monkeypatch.setattr(tool, "reasons", lambda: reasons)
    monkeypatch.setattr(tool, "Tests", lambda: Given(tests))
    if said:
        with pytest.raises(tool.Inconsistent, match=re.escape(said)):
            tool.matrix()
    else:
        assert [line.reason for line in tool.matrix()] == list(reasons.values())


# -- how tests are found ---------------------------------------------------------------------------------------------------

SOURCE = '''
from transvase.exporters import vihf
CASES = [("a", "OBL-NONE"), ("b", "INS-OID")]
OTHER = ["VIS-MSS"]

def helper():
    return vihf.person("DOC-ORPHAN")

@pytest.mark.requirement("DMP-07", "VIHF-01")
@pytest.mark.parametrize("case", CASES)
def test_port_03_and_16_it(case):
    """Speaks of DOC-FED and says DOC-EMPTY."""
    assert helper() == "RNIV-STATUS" and OTHER and "DOC-DATE-of-nothing"
'''


def test_a_test_exercises_what_its_name_its_marker_and_its_parameters_say(tool: Any, tmp_path: Path) -> None:
    path = tmp_path / "test_one.py"
    path.write_text(SOURCE, encoding="utf-8")
    file = tool._File(path)
    node = file.tree.body[-1]
    assert set(tool._stated(node)) == {"PORT-03", "PORT-16", "DMP-07", "VIHF-01"}
    # Not what its docstring says, what another table or another function holds, nor a longer word.
    assert set(tool._rules(node, file)) == {"OBL-NONE", "INS-OID", "RNIV-STATUS"}
    assert set(tool._symbols(node, file, tool._Files())) == {"exporters.vihf", "exporters.vihf.person"}
    assert tool._module("exporters.vihf.person") == "exporters.vihf"


def test_every_marker_stands_on_a_test_that_pytest_knows(tool: Any) -> None:
    """A marker on a fixture or a helper would count for nothing."""
    marked = 0
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                named = [
                    d
                    for d in node.decorator_list
                    if isinstance(d, ast.Call) and ast.unparse(d.func).endswith("mark.requirement")
                ]
                marked += len(named)
                assert not named or (node.name.startswith("test_") and path.name.startswith("test_")), node.name
    assert marked


# -- results ---------------------------------------------------------------------------------------------------------------


def ran(tmp_path: Path, source: str, *options: str) -> Path:
    """The results of pytest on one file of tests, with this project's conftest."""
    (tmp_path / "test_few.py").write_text(source, encoding="utf-8")
    results = tmp_path / "results.json"
    subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "-c", str(ROOT / "pyproject.toml"),
            "--confcutdir", str(tmp_path), "-p", "conftest", str(tmp_path / "test_few.py"), "--results", str(results), *options,
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{ROOT / 'tests'}:{ROOT / 'src'}", "PATH": ""},
        capture_output=True,
        check=False,
    )  # fmt: skip
    return results


FEW = """
import pytest
@pytest.fixture
def broken(): raise ValueError
@pytest.fixture
def leaky():
    yield
    raise ValueError
def test_good(): pass
def test_bad(): assert 0
def test_set_up(broken): pass
def test_torn_down(leaky): pass
@pytest.mark.skip
def test_left_out(): pass
@pytest.mark.parametrize("n", [1, 2])
def test_each(n): assert n == 1
"""


def test_outcomes_are_those_of_the_run(tool: Any, tmp_path: Path) -> None:
    version, found = tool.outcomes([ran(tmp_path, FEW)])
    told = {name.rpartition("::")[2]: outcome for name, outcome in found.items()}
    assert version and told == {
        "test_good": "passed", "test_bad": "failed", "test_set_up": "failed", "test_torn_down": "failed", "test_left_out": "skipped",
        "test_each": "failed",
    }  # fmt: skip


def kept(path: Path, version: str = "1.0", **outcomes: str) -> Path:
    path.write_text(json.dumps({"version": version, "outcomes": {f"t::{n}": o for n, o in outcomes.items()}}))
    return path


def test_runs_add_up_and_versions_do_not_mix(tool: Any, tmp_path: Path) -> None:
    plain = kept(tmp_path / "a", a="skipped", b="passed", c="failed")
    whole = kept(tmp_path / "b", a="passed", b="failed", c="passed")
    assert tool.outcomes([plain, whole]) == ("1.0", {"t::a": "passed", "t::b": "failed", "t::c": "failed"})
    with pytest.raises(tool.Inconsistent):
        tool.outcomes([plain, kept(tmp_path / "c", "1.1", a="passed")])


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ({"a": "passed", "b": "passed"}, ("passed", 2, 0, 0, 0)),
        ({"a": "passed", "b": "failed"}, ("failed", 1, 1, 0, 0)),
        ({"a": "passed", "b": "skipped"}, ("passed", 1, 0, 1, 0)),
        ({"a": "passed"}, ("passed", 1, 0, 0, 1)),
        ({"a": "skipped", "b": "skipped"}, ("not-run", 0, 0, 2, 0)),
        ({}, ("not-run", 0, 0, 0, 2)),
    ],
)
def test_how_a_requirement_ended(tool: Any, outcomes: dict[str, str], expected: tuple[Any, ...]) -> None:
    one = tool.Line(tool.Requirement("DMP-07", "DMP", "must", "s", "f", "e"), (), ("a", "b"), "")
    assert tool.result(one, outcomes) == expected


# -- in the package and the audit report -----------------------------------------------------------------------------------


def test_the_package_holds_the_matrix_of_the_tests(tool: Any, lines: list[Any]) -> None:
    stale = "run python tools/generate_docs.py"
    assert (ROOT / "model" / "requirements.csv").read_text(encoding="utf-8") == tool.packaged(lines), stale


def test_results_of_another_version_are_not_ours(tool: Any, lines: list[Any], tmp_path: Path) -> None:
    listed, results = tmp_path / "listed.csv", tmp_path / "results.csv"
    listed.write_text(tool.packaged(lines), encoding="utf-8")
    assert {r.result for r in requirements("1.0", listed, results)} == {None}, "no run, no result"
    outcomes = {test: "passed" for line in lines for test in line.tests}
    spoilt = next(line for line in lines if line.requirement.id == "DMP-58")
    outcomes |= {spoilt.tests[0]: "failed"}
    results.write_text(tool.packaged_results(lines, "1.0", outcomes), encoding="utf-8")
    found = {r.id: r for r in requirements("1.0", listed, results)}
    assert found["DMP-58"].result == Result("failed", len(spoilt.tests) - 1, 1, 0, 0)
    assert found["OBL-NONE"].result and found["OBL-NONE"].result.outcome == "passed"
    assert {r.result for r in requirements("1.1", listed, results)} == {None}
    listed.write_text(tool.packaged(lines[:-1]), encoding="utf-8")
    assert {r.result for r in requirements("1.0", listed, results)} == {None}, "another list of tests"


ASKED = [
    Requirement("OBL-NONE", "RULE", Said("Pas sur la liste.", "Not listed."), "Arrêté", ("a", "b"), None),
    Requirement("INS-OID", "RULE", Said("OID.", "OID."), "Référentiel", ("a",), Result("passed", 1, 0, 0, 0)),
    Requirement("DMP-01", "DMP", Said("TLS.", "TLS."), "fiche §2", ("a", "b"), Result("failed", 1, 1, 0, 0)),
    Requirement("DMP-02", "DMP", Said("Suites.", "Suites."), "fiche §2", ("a", "b"), Result("passed", 1, 0, 1, 0)),
    Requirement("DMP-03", "DMP", Said("Hôtes.", "Hosts."), "fiche §2", ("a",), Result("not-run", 0, 0, 1, 0)),
    Requirement("DMP-16", "DMP", Said("Consultation.", "Consultation."), "fiche §1", (), None),
]


def test_the_annex_says_findings_tests_and_last_result() -> None:
    annex = section(ASKED, {"OBL-NONE": 7}, {"INS-OID": 2}, "Transvase 1.0")
    rules, others = annex.tables
    assert [[row[0], *map(number, row[3:6]), row[6].fr] for row in rules.rows] == [
        ["OBL-NONE", 7, 0, 2, "non joint"],
        ["INS-OID", 0, 2, 1, "réussi (1)"],
    ]
    assert [(row[0], row[4].fr, row[4].en) for row in others.rows] == [
        ("DMP-01", "échec (1)", "failed (1)"),
        ("DMP-02", "réussi (1, 1 non exécutés)", "passed (1, 1 not run)"),
        ("DMP-03", "non exécuté", "not run"),
        ("DMP-16", "sans essai, raison écrite", "no test, reason written"),
    ]
    assert annex.lines[0].fr.endswith("Essais de Transvase 1.0 : 2 couvertes et réussies, 1 en échec, 2 non exécutées.")


def test_without_a_run_the_annex_says_so() -> None:
    silent = [one._replace(result=None) for one in ASKED]
    annex = section(silent, {}, {}, "Transvase 1.0")
    assert "ne sont pas joints" in annex.lines[0].fr and "are not held" in annex.lines[0].en
    assert not any("réussi" in str(cell) for table in annex.tables for row in table.rows for cell in row)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_annex_is_shown_on_the_page_and_on_paper(language: str) -> None:
    head = Head("Cabinet", CLOCK, "Transvase 1.0", "sandbox", WHOLE)
    report = Report(head, Said("V.", "V."), Said("A.", "A."), [section(ASKED, {"OBL-NONE": 7}, {}, "T")], {}, {})
    assert b'id="matrix"' in audit.html(report, language=language)
    assert audit_pdf.pdf(report, identifier="x", language=language).startswith(b"%PDF-1.4")
