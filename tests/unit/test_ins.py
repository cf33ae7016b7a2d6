"""The matricule: every official-form sample, valid or not, with the reason the sheet gives."""

from __future__ import annotations

import csv
from pathlib import Path

import duckdb
import pytest

from transvase.validators.identity import ins_rule


def failed(value: str | None) -> str | None:
    return duckdb.execute(f"SELECT {ins_rule('v')} FROM (SELECT ?::VARCHAR AS v)", [value]).fetchall()[0][0]


@pytest.mark.requirement("INS-02")
@pytest.mark.shared
def test_every_sample_of_the_sheet_gets_its_verdict(shared: Path) -> None:
    with (shared / "reference" / "valid-ins-samples.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 60
    wrong = [
        (r["description"], failed(r["value"]))
        for r in rows
        if failed(r["value"]) != ("INS-" + r["reason_code"] if r["validity"] == "invalid" else None)
    ]
    assert wrong == []


@pytest.mark.requirement("INS-01")
@pytest.mark.parametrize(
    ("value", "rule"),
    [
        pytest.param("180017599099094", None, id="man born in January in department 75"),
        pytest.param("207058575627097", None, id="key 97 is legal"),
        pytest.param("111111111111120", "INS-FILLER", id="filler that passes the formula"),
        pytest.param(None, "INS-EMPTY", id="absent"),
        pytest.param("   ", "INS-EMPTY", id="blanks"),
        pytest.param("180017599099095", "INS-KEY_MISMATCH", id="key off by one"),
        pytest.param("18001７599099094", "INS-CHARSET", id="full-width digit"),
    ],
)
def test_rules_of_the_matricule(value: str | None, rule: str | None) -> None:
    assert failed(value) == rule
