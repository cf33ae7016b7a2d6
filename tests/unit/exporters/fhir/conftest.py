"""A practice, a professional, a patient; the tests say what matters and the rest is defaulted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from transvase.exporters.fhir.bundle import document_bundle
from transvase.model.record import ROW

REQUIRED = {
    "practice": {
        "name": "Cabinet du Lac",
        "oid": "1.2.250.1.999.7",
        "facility_type": "SA07",
        "practice_setting": "AMBULATOIRE",
    },
    "practitioner": {"family": "LEGRAND"},
    "patient": {"birth_family": "PAT-TROIS"},
    "problem": {"category": "problem", "label": "Asthme", "assertion": "affirmed"},
    "allergy": {"label": "Pénicilline", "assertion": "affirmed"},
    "treatment": {"label": "AMLODIPINE 5 mg", "assertion": "affirmed"},
    "immunization": {"label": "Grippe", "assertion": "affirmed"},
    "lab_result": {"label": "Glucose", "measured": "2024-03-11T08:05:00"},
    "vital_sign": {
        "code": "29463-7",
        "label": "Poids",
        "value": "70.50",
        "unit": "kg",
        "measured": "2024-03-11T08:05:00",
    },
    "risk_factor": {"category": "tobacco", "label": "Tabac", "assertion": "affirmed"},
}
QUALIFIED = {
    "ins": "279035121518989",
    "ins_oid": "1.2.250.1.213.1.4.10",
    "insi_confirmed": True,
    "document_checked": True,
    "birth_given": "DOMINIQUE MARIE-LOUISE",
    "birth_first_given": "DOMINIQUE",
    "sex": "F",
    "birth_date": "1979-03-28",
    "birth_place_code": "51215",
}


@pytest.fixture(scope="session")
def row() -> Callable[..., Any]:
    """`row("allergy", onset="2019")`: a row of that table, what it requires filled, the rest empty."""

    def build(table: str, **values: Any) -> Any:
        kind = ROW[table]
        filled = {"key": "1", "patient": "7"} | REQUIRED[table] | values
        return kind(**{name: filled.get(name) for name in kind._fields})

    return build


@pytest.fixture(scope="session")
def qualified() -> dict[str, Any]:
    """The traits of a patient whose identity is qualified."""
    return dict(QUALIFIED)


@pytest.fixture(scope="session")
def document(row: Callable[..., Any]) -> Callable[..., Any]:
    """`document(allergy=[{...}, {...}])`: the parsed Bundle of a record of those rows."""

    def build(
        patient: Any = None, *, raw: bool = False, verdict: bool = False, doctors: Any = None, **tables: Any
    ) -> Any:
        record = {table: [row(table, **values) for values in rows] for table, rows in tables.items()}
        content = document_bundle(
            record,
            practice=row("practice"),
            practitioners=doctors if doctors is not None else {"d1": row("practitioner", key="d1")},
            patient=row("patient", key="7", **(patient or {})),
            created="2026-11-23T10:00:00+01:00",
            identifier="1.2.250.1.999.7.8.42",
            qualified=verdict,
        )
        return content if raw else orjson.loads(content)

    return build


@pytest.fixture(scope="session")
def of_type() -> Callable[..., list[Any]]:
    """`of_type(bundle, "Condition")`: the resources of that type."""
    return lambda bundle, kind: [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind]


@pytest.fixture(scope="session")
def section() -> Callable[[Any, str], Any]:
    """`section(bundle, "48765-2")`: the section of that LOINC code."""

    def find(bundle: Any, loinc: str) -> Any:
        (found,) = [s for s in bundle["entry"][0]["resource"]["section"] if s["code"]["coding"][0]["code"] == loinc]
        return found

    return find
