"""Liaison letters read back: rows of the record, the letter, the same rows; and the official letters, what is kept and what is listed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transvase.exporters.cda import ldl
from transvase.formats import cda
from transvase.model.record import ROW, Record
from transvase.sources.archive import statements

XSI = "http://www.w3.org/2001/XMLSchema-instance"
CIM10, CCAM, CIS, CIP = "2.16.840.1.113883.6.3", "1.2.250.1.215.300.1", "1.2.250.1.213.2.3.1", "1.2.250.1.213.2.3.2"
IDS = "1.2.250.1.213.9.9.13.7"


def row(table: str, key: str, **values: Any) -> Any:
    kind = ROW[table]
    given = {"key": key, "label": "Libellé", "assertion": "affirmed"} | values
    return kind(**{name: given.get(name) for name in kind._fields})


def read(body: str) -> statements.Statements:
    text = f'<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="{XSI}"><id root="1.2"/>{body}</ClinicalDocument>'
    return statements.read(cda.parse(text.encode()))


def facts(rows: list[Any], columns: tuple[str, ...]) -> Counter[tuple[Any, ...]]:
    """Rows as their columns: those of the record and those read, which are dictionaries."""
    return Counter(tuple((r.get(c) if isinstance(r, dict) else getattr(r, c)) or None for c in columns) for r in rows)


COLUMNS = {
    "treatment": ("label", "code", "system", "dosage", "start", "stop", "assertion"),
    "allergy": ("label", "code", "system", "reaction", "severity", "onset", "assertion"),
    "problem": ("label", "code", "system", "onset", "assertion"),
}
RECORD: Record = {
    "treatment": [
        row("treatment", "1", code="63564053", system=CIS, dosage="1 le matin", start="2019-08-11"),
        row("treatment", "2", code="3400938022209", system=CIP, start="2020", stop="2021-05"),
        row("treatment", "3", assertion="denied"),
    ],
    "allergy": [
        row("allergy", "1", code="60234100", system=CIS, reaction="Urticaire", severity="moderate", onset="2018-06"),
        row("allergy", "2", assertion="denied"),
    ],
    "problem": [
        row("problem", "1", category="history", code="J18.9", system=CIM10, onset="2011", resolved="2011-04-02"),
        row("problem", "2", category="surgery", code="HHFA001", system=CCAM, onset="1998-07-12"),
        row("problem", "3", category="history", assertion="denied"),
    ],
}


@pytest.mark.parametrize("table", COLUMNS)
def test_an_entry_letter_is_read_back_as_it_was_written(table):
    found = read(ldl.entry_body(RECORD, ldl.EntryLetter("Chute"), IDS))
    assert facts(found.rows[table], COLUMNS[table]) == facts(RECORD[table], COLUMNS[table])
    assert not found.unrepresented


@pytest.mark.parametrize("table", ["treatment", "allergy"])
def test_a_discharge_letter_is_read_back_as_it_was_written(table):
    found = read(ldl.discharge_body(RECORD, ldl.Stay(), IDS))
    assert facts(found.rows[table], COLUMNS[table]) == facts(RECORD[table], COLUMNS[table])


def test_what_was_stopped_is_read_too():
    stopped = [row("treatment", "9", label="Arrêté", start="2020", stop="2021")]
    found = read(ldl.discharge_body(RECORD, ldl.Stay(stopped=stopped), IDS))
    assert facts(found.rows["treatment"], COLUMNS["treatment"]) == facts(
        RECORD["treatment"] + stopped, COLUMNS["treatment"]
    )


def test_a_letter_without_rows_gives_no_row():
    found = read(ldl.entry_body({}, ldl.EntryLetter(), IDS))
    assert not found.rows
    assert len(found.unrepresented) == 2


def test_what_a_stay_says_is_listed_and_never_told():
    stay = ldl.Stay(synthesis="DUPONTEL", adverse="DUPONTEL", resistance_found="DUPONTEL", plan="DUPONTEL")
    found = read(ldl.discharge_body({}, stay, IDS))
    assert sum("section[42545-4]" in one["what"] for one in found.unrepresented) == 8
    assert "DUPONTEL" not in str(found.unrepresented)


WORDS = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp"), exclude_characters="\ufffe\uffff"),
    min_size=1,
    max_size=20,
)


@given(
    st.lists(
        st.builds(
            ROW["treatment"],
            **(
                dict.fromkeys(ROW["treatment"]._fields, st.none())
                | {
                    "key": st.uuids().map(str),
                    "label": WORDS,
                    "dosage": st.none() | WORDS,
                    "start": st.none() | st.dates().map(str),
                    "assertion": st.sampled_from(["affirmed", "denied"]),
                }
            ),
        ),
        min_size=1,
        max_size=6,
        unique_by=lambda r: r.key,
    )
)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_treatments_are_read_back(rows):
    found = read(ldl.entry_body({"treatment": rows}, ldl.EntryLetter(), IDS))
    assert facts(found.rows["treatment"], COLUMNS["treatment"]) == facts(rows, COLUMNS["treatment"])


@pytest.mark.parametrize(
    ("name", "kept", "listed"),
    [
        ("LDL-EES_2022.01", {"treatment": 1, "allergy": 1, "problem": 2}, set()),
        ("LDL-SES_2022.01", {"treatment": 2}, {"42545-4", "33557-0", "18776-5", "46264-8"}),
    ],
)
def test_official_letters(shared, name, kept, listed):
    """Of the discharge letter, events, state, plan of care and devices have no canonical table; its allergy names nothing."""
    found = statements.read(cda.parse((shared / "cisis" / "exemples" / f"{name}.xml").read_bytes()))
    assert {table: len(rows) for table, rows in found.rows.items()} == kept
    sections = {one["what"].split("]")[0].removeprefix("section[") for one in found.unrepresented}
    assert listed <= sections
    assert all(one["why"] for one in found.unrepresented)
