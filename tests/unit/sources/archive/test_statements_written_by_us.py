"""Rows, then the document that we write of them, then rows again: the same rows, but for what a document of that model cannot say.

What is lost on the way is written down here, column by column; any other difference is a defect.
"""

from __future__ import annotations

import re
from collections import Counter
from html import unescape
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transvase.exporters.cda import dlu, ips_fr, vsm
from transvase.exporters.cda.entries.coding import ABSENCE, carried
from transvase.exporters.cda.entries.wording import extension
from transvase.formats import cda
from transvase.model.clock import hl7
from transvase.model.identifiers import arc
from transvase.model.record import ROW, Record
from transvase.sources.archive import statements

IDS = "1.2.250.1.213.9.9.14.7"
MODELS: dict[str, Any] = {"vsm": vsm, "ips": ips_fr, "dlu": dlu.DLU, "fludt": dlu.FLUDT, "fludr": dlu.FLUDR}
CIM10, CCAM, CIS, CISP = (
    "2.16.840.1.113883.6.3",
    "1.2.250.1.215.300.1",
    "1.2.250.1.213.2.3.1",
    "2.16.840.1.113883.6.139",
)
NUMBER = re.compile(r"-?\d{1,64}(\.\d{1,64})?", re.ASCII).fullmatch

# Which rows a model takes, by table; a test of the writers counts them.
HELD = {
    "vsm": {
        "problem": lambda row: True,
        "allergy": lambda row: True,
        "treatment": lambda row: True,
        "risk_factor": lambda row: True,
    },
    "ips": {
        "problem": lambda row: True,
        "allergy": lambda row: True,
        "treatment": lambda row: True,
        "risk_factor": lambda row: True,
        "vital_sign": lambda row: True,
    },
    "dlu": {
        "problem": lambda row: row.category not in ("surgery", "family"),
        "allergy": lambda row: True,
        "treatment": lambda row: True,
    },
    "fludt": {"treatment": lambda row: True, "vital_sign": lambda row: True},
    "fludr": {
        "problem": lambda row: row.category in ("problem", "trauma") and not row.resolved,
        "treatment": lambda row: True,
    },
}


def read(model: str, record: Record) -> statements.Statements:
    text = (
        '<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><id root="1.2.3"/>'
        f"{MODELS[model].body(record, IDS)}</ClinicalDocument>"
    )
    return statements.read(cda.parse(text.encode()))


def said(value: str | None) -> str:
    """A text as a narrative holds it: white space of XML is one space, what XML forbids is U+FFFD."""
    forbidden = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", "\ufffd", value or "")
    return re.sub(r"[ \t\r\n]+", " ", forbidden).strip(" ")


def day(value: str | None) -> str | None:
    """A date that HL7 can write, without its time."""
    return value[:10] if value and hl7(value) else None


def coded(row: Any) -> tuple[str | None, str | None]:
    return (row.code, row.system) if carried(row.code, row.system) else (None, None)


def expected(table: str, row: Any) -> dict[str, Any] | None:
    """What must come back of a row; None when the document holds no entry for it."""
    if table != "vital_sign" and row.assertion not in ("affirmed", "denied"):
        return None
    label = said(row.label) or "Sans libellé"
    if table == "vital_sign":
        code, _ = (row.code, None) if carried(row.code, "2.16.840.1.113883.6.1") else (None, None)
        if not code or not NUMBER(row.value or "") or not hl7(row.measured):
            return None
        return {
            "code": code,
            "label": label,
            "value": row.value,
            "unit": said(row.unit) or None,
            "measured": row.measured,
        }
    if table == "risk_factor":
        if row.category == "occupational":
            return None
        value = said(row.value)
        return {
            "category": row.category,
            "label": label,
            "value": value if value and value != label else None,
            "assertion": row.assertion,
            "recorded": day(row.recorded),
        }
    code, system = coded(row)
    kept = {"code": code, "system": system, "label": label, "assertion": row.assertion}
    if table == "problem":
        category = row.category
        if category not in ("surgery", "family"):
            category = "history" if category == "history" or row.resolved else "problem"
        denied_in_active = False
        resolved = None if category == "family" or denied_in_active else day(row.resolved)
        return kept | {"category": category, "onset": day(row.onset), "resolved": resolved}
    if table == "allergy":
        reaction = said(row.reaction)
        return kept | {
            "reaction": reaction if reaction and reaction != label else None,
            "severity": row.severity if row.severity in ("mild", "moderate", "severe") else None,
            "onset": day(row.onset),
        }
    return kept | {"dosage": said(row.dosage) or None, "start": day(row.start), "stop": day(row.stop)}


ROOT = {"problem": 101, "allergy": 102, "treatment": 103, "risk_factor": 104, "vital_sign": 105}


def key(table: str, row: Any) -> str:
    """The key of the row that comes back, from the identifier of its statement."""
    second = table == "allergy" or (table == "problem" and row.category != "surgery")
    return str(arc("statement", table, f"{IDS}.0.{ROOT[table]}.{2 if second else 1}", unescape(extension(row.key))))


def compare(model: str, record: Record) -> None:
    found = read(model, record).rows
    for table in ROOT:
        keep = HELD[model].get(table, lambda row: False)
        wanted = {
            key(table, row): e for row in record.get(table, ()) if keep(row) and (e := expected(table, row)) is not None
        }
        back = {row.pop("key"): row for row in map(dict, found.get(table, ()))}
        assert back == wanted


def row(table: str, key: str, **values: Any) -> Any:
    kind = ROW[table]
    return kind(
        **{name: ({"key": key, "patient": "7", "assertion": "affirmed"} | values).get(name) for name in kind._fields}
    )


CASES: dict[str, Record] = {
    "empty": {},
    "each kind": {
        "problem": [
            row(
                "problem",
                str(n),
                category=c,
                label=c,
                code=code,
                system=system,
                onset="2019-03",
                resolved=end,
                assertion=a,
            )
            for n, (c, code, system, end, a) in enumerate(
                (c, code, system, end, a)
                for c in ("problem", "history", "surgery", "family", "trauma")
                for code, system in (("e119", CIM10), ("HHFA001", CCAM), ("R96", CISP), (None, None))
                for end in (None, "2020")
                for a in ("affirmed", "denied", "not_recorded")
            )
        ],
        "allergy": [
            row(
                "allergy",
                "1",
                label="Pénicilline",
                code="60234100",
                system=CIS,
                reaction="Urticaire",
                severity="moderate",
                onset="2018-06-03",
            ),
            row("allergy", "2", label="Arachide", severity="unknown", assertion="denied"),
            row("allergy", "3", label="Aucune", code="no-known-allergies", system=ABSENCE, assertion="denied"),
        ],
        "treatment": [
            row(
                "treatment",
                "1",
                label="PLAVIX",
                code="63564053",
                system=CIS,
                dosage="1 le matin",
                start="2019",
                stop="2020-05-06",
            ),
            row("treatment", "2", label="Tisane", assertion="denied"),
            row("treatment", "3", label="Aucun", code="no-known-medications", system=ABSENCE, assertion="denied"),
        ],
        "risk_factor": [
            row("risk_factor", c, category=c, label=c, value=v, recorded="2020-05-04T10:11:12")
            for c in ("tobacco", "alcohol", "activity", "occupational", "social", "other")
            for v in ("25 paquets-année",)
        ],
        "vital_sign": [
            row(
                "vital_sign",
                f"{code} {unit}",
                code=code,
                label="Mesure",
                value="1.60",
                unit=unit,
                measured="2026-01-02T08:00:00",
            )
            for code in ("29463-7", "8480-6", "8310-5", "56115-9")
            for unit in ("kg", "mmHg", "°C", "pouces", None)
        ],
    },
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("case", CASES)
def test_rows_come_back(model, case):
    compare(model, CASES[case])


TEXT = st.text(st.characters(exclude_categories=()), max_size=6)
DATE = st.none() | st.sampled_from(["2019", "2019-03", "2019-03-28", "2019-02-30", "x"])
CHOICES: dict[str, st.SearchStrategy[Any]] = {
    "assertion": st.sampled_from(["affirmed", "denied", "not_recorded"]),
    "severity": st.none() | st.sampled_from(["mild", "moderate", "severe", "unknown"]),
    "system": st.none() | st.sampled_from([CIM10, CCAM, CIS, CISP]),
    "measured": st.sampled_from(["2019-03-28T09:30:00", "2019-03-28", "1999-12-31T23:59:59"]),
    "value": st.sampled_from(["1.10", "-3", "0", "58"]),
    "unit": st.none() | st.sampled_from(["kg", "mmHg", "mm[Hg]", "%", "??", "UI/L"]),
    "key": st.text("ab1 é<", min_size=1, max_size=4),
} | dict.fromkeys(("onset", "resolved", "start", "stop", "recorded"), DATE)
CATEGORY = {
    "problem": st.sampled_from(["problem", "history", "surgery", "family", "trauma"]),
    "risk_factor": st.sampled_from(["tobacco", "alcohol", "activity", "occupational", "social", "other"]),
}


def rows(table: str) -> st.SearchStrategy[list[Any]]:
    columns = {name: CHOICES.get(name, st.none() | TEXT) for name in ROW[table]._fields} | {"label": TEXT}
    if table in CATEGORY:
        columns["category"] = CATEGORY[table]
    if table == "vital_sign":
        columns["code"] = st.sampled_from(["29463-7", "8480-6", "2708-6", "56115-9"])
    return st.lists(st.builds(ROW[table], **columns), unique_by=lambda line: line.key, max_size=3)


@pytest.mark.parametrize("model", MODELS)
@given(st.fixed_dictionaries({table: rows(table) for table in ROOT}))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_rows_come_back(model, record):
    compare(model, record)


@pytest.mark.parametrize("model", MODELS)
def test_five_thousand_rows_come_back(model):
    record: Record = {
        "problem": [row("problem", str(n), category="problem", label=f"Libellé {n}") for n in range(5000)],
        "treatment": [row("treatment", str(n), label=f"Libellé {n}") for n in range(5000)],
    }
    found = read(model, record)
    counts = {table: len(lines) for table, lines in found.rows.items()}
    assert counts == {table: 5000 for table in ("problem", "treatment") if table in HELD[model]}


def test_a_record_that_says_nothing_gives_no_row_and_what_is_said_of_that_is_listed():
    found = read("ips", {})
    assert found.rows == {}
    assert Counter(u["why"] for u in found.unrepresented) == {statements.reading.SILENCE: 4}
