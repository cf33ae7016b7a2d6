"""Great Expectations' pages and results: they name tables, declarations and rules, hold no value of a record, fetch and run nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from lxml import html as lxml_html

from transvase.formats import canonical
from transvase.model.tables import TABLES
from transvase.model.verdict import CATALOGUE
from transvase.validators import data_docs
from transvase.validators.expectations import RULES, check_tables, check_work, keep, kept, rule_of

from ..builders import a_document, a_patient, practice  # noqa: TID252

PLANTED = ("ZZNOM", "77/77/ZZ77", "ZZSEXE", "ZZACTE", "ZZORIGINE")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    wrong = {"birth_family": PLANTED[0], "birth_date": PLANTED[1], "sex": PLANTED[2]}
    rows = [a_patient(), a_patient("P2", **wrong), *a_document(), *a_document("D2", act=PLANTED[3], origin=PLANTED[4])]
    practice(folder, *rows)
    return folder


@pytest.fixture(scope="module")
def found(work: Path) -> dict:
    return {c.table: c for c in check_work(str(work))}


def test_a_failed_expectation_names_the_rule_or_the_declaration(found: dict) -> None:
    assert found["patient"].rules == {
        "birth_date expect_column_values_to_match_regex": "RNIV-DATE-IMPOSSIBLE, RNIV-DATE-PARTIAL",
        "sex expect_column_values_to_be_in_set": "RNIV-TRAIT",
    }
    assert found["document"].rules == {
        "act expect_column_values_to_match_regex": "DOC-DATE",
        "origin expect_column_values_to_be_in_set": "déclaration document.origin",
    }
    assert found["patient"].failed.keys() == found["patient"].rules.keys()
    assert found["dispensation"].expectations == 0 and found["document_version"].success


def test_the_rules_exist() -> None:
    for (table, column), rules in RULES.items():
        assert column in {c.name for c in TABLES[table].columns}
        assert set(rules.split(", ")) <= set(CATALOGUE)
    assert rule_of("note", "rows_per_key") == "déclaration note.key"


def test_results_are_kept_by_run_and_pages_replaced(work: Path, found: dict) -> None:
    clock = canonical.manifest(work)["clock"]
    (kept_run,) = (work / "expectations" / "runs").iterdir()
    told = json.loads(kept_run.read_bytes())
    assert told["clock"] == clock
    failed = {r["expectation"]["meta"]["rule"] for t in told["results"] for r in t["results"] if not r["success"]}
    assert failed == {
        "RNIV-DATE-IMPOSSIBLE, RNIV-DATE-PARTIAL",
        "RNIV-TRAIT",
        "DOC-DATE",
        "déclaration document.origin",
    }
    index = data_docs.index(work)
    links = set(lxml_html.document_fromstring(index.read_bytes()).xpath("//a/@href"))
    assert links == {p.name for p in index.parent.glob("*.html")} - {"index.html"}
    assert links == {f"{t}.html" for t, one in found.items() if one.expectations}
    data_docs.write(work, "2026-11-24T20:00:00+01:00", [])
    assert len(list((work / "expectations" / "runs").iterdir())) == 2
    assert [p.name for p in index.parent.iterdir()] == ["index.html"]
    check_work(str(work))


def test_no_value_stands_in_them_and_nothing_is_fetched(work: Path, found: dict) -> None:
    pages = [p for p in (work / "expectations").rglob("*") if p.is_file()]
    assert len(pages) >= 4
    for path in pages:
        data = path.read_bytes().decode()
        assert not [v for v in PLANTED if v in data], path.name
        assert "http" not in data and "<script" not in data
        assert path.stat().st_mode & 0o077 == 0
    patient = (work / "expectations" / "data-docs" / "patient.html").read_text(encoding="utf-8")
    assert "RNIV-DATE-IMPOSSIBLE" in patient
    # What the values would have looked like, had they been asked for: the test sees what it looks for.
    with canonical.connect(work) as base:
        assert PLANTED[0] in str(base.sql("SELECT birth_family FROM patient").fetchall())


def test_an_exception_inside_the_library_is_counted_and_its_text_dropped() -> None:
    one = {
        "success": False,
        "expectation_config": {"type": "t"},
        "result": {"observed_value": PLANTED[0], "unexpected_count": 2},
        "exception_info": {
            "raised_exception": True,
            "exception_message": PLANTED[0],
            "exception_traceback": PLANTED[0],
        },
    }
    plain = data_docs._plain({"suite_name": "s", "success": False, "statistics": {}, "results": [one]})
    assert PLANTED[0] not in str(plain)
    assert plain["results"][0]["raised"] and plain["results"][0]["result"] == {"unexpected_count": 2}


def test_what_was_found_is_read_back(work: Path, found: dict) -> None:
    keep(work, list(found.values()))
    assert {c.table: c for c in kept(work) or []} == found
    with canonical.connect(work) as base:
        assert [c.table for c in check_tables(base, ["patient"])] == ["patient"]
    assert re.fullmatch(r"[0-9T+-]+\.json", next((work / "expectations" / "runs").iterdir()).name)
