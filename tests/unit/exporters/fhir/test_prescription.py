"""Prescriptions, encounters and relatives: which resource, and which element holds what the row says."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from transvase.exporters.fhir.collection import collection_bundle
from transvase.model.record import ROW


def row(table: str, **values: Any) -> Any:
    return ROW[table](**{name: values.get(name) for name in ROW[table]._fields})


SIGNED = {"key": "1", "category": "medication", "prescribed": "2026-11-20T10:00:00"}
LINE = {"key": "1", "prescription": "1", "label": "AMOXICILLINE 1 g"}


def collected(**tables: Any) -> list[dict[str, Any]]:
    content = collection_bundle(
        {table: [row(table, **values) for values in rows] for table, rows in tables.items()},
        practice=row("practice", key="1", name="Cabinet", oid="1.2.3"),
        practitioners={"d1": row("practitioner", key="d1", family="LEGRAND")},
        patient=row("patient", key="7", birth_family="PAT", birth_given="ANNE"),
        created="2026-11-23T10:00:00+01:00",
    )
    return [entry["resource"] for entry in orjson.loads(content)["entry"]]


def only(kind: str, **tables: Any) -> dict[str, Any]:
    (found,) = [r for r in collected(**tables) if r["resourceType"] == kind]
    return found


def medication(**values: Any) -> dict[str, Any]:
    head = {k: values.pop(k) for k in list(values) if k in ROW["prescription"]._fields and k not in LINE}
    return only("MedicationRequest", prescription=[SIGNED | head], prescription_line=[LINE | values])


@pytest.mark.parametrize(
    "category, kind",
    [
        ("medication", "MedicationRequest"),
        ("device", "DeviceRequest"),
        ("laboratory", "ServiceRequest"),
        ("imaging", "ServiceRequest"),
        ("care", "ServiceRequest"),
        ("other", "ServiceRequest"),
    ],
)
def test_the_resource_of_a_category(category, kind):
    found = only(kind, prescription=[SIGNED | {"category": category}], prescription_line=[LINE])
    assert found["intent"] == "order" and found["authoredOn"] == "2026-11-20T10:00:00+01:00"
    assert (found.get("groupIdentifier") or found["requisition"])["value"] == "prescription/1"


def test_a_structured_dosage():
    found = medication(
        dosage="1 g matin et soir", dose="1", dose_unit="g", frequency=2, period="1", period_unit="d", route="Orale",
        route_code="20053000", start="2026-11-20", stop="2026-11-27", duration="7 jours", instruction="Au repas",
        quantity="14", quantity_unit="comprimés", renewals=1,
    )  # fmt: skip
    (dosage,) = found["dosageInstruction"]
    assert dosage["text"] == "1 g matin et soir" and dosage["patientInstruction"] == "Au repas"
    assert dosage["timing"]["repeat"] == {
        "boundsPeriod": {"start": "2026-11-20", "end": "2026-11-27"}, "frequency": 2, "period": 1, "periodUnit": "d",
    }  # fmt: skip
    assert dosage["route"]["coding"][0] == {"system": "http://standardterms.edqm.eu", "code": "20053000"}
    assert dosage["doseAndRate"] == [{"doseQuantity": {"value": 1, "unit": "g"}}]
    assert found["dispenseRequest"] == {
        "numberOfRepeatsAllowed": 1,
        "quantity": {"value": 14, "unit": "comprimés"},
        "expectedSupplyDuration": {"value": 7, "unit": "jours", "system": "http://unitsofmeasure.org", "code": "d"},
    }


@pytest.mark.parametrize(
    "values, status",
    [
        ({}, "unknown"),
        ({"stop": "2026-11-22"}, "completed"),
        ({"stop": "2026-11-23"}, "active"),
        ({"stop": "2026-11"}, "active"),
        ({"stop": "2026-10"}, "completed"),
        ({"stop": "demain"}, "unknown"),
        ({"valid_until": "2026-11-01"}, "completed"),
        ({"valid_until": "2027-01-01"}, "active"),
    ],
)
def test_whether_it_still_runs(values, status):
    assert medication(**values)["status"] == status


def test_what_has_no_element_is_said_in_words():
    found = medication(
        two_zones=True, exceptional=False, long_term=True, off_label=True, urgent=True, e_prescription="EPU1",
        unsubstitutable=True, unsubstitutable_reason="MTE", duration="un certain temps", dispenser_instruction="Fractionner",
    )  # fmt: skip
    assert [c["text"] for c in found["category"]] == [
        "Ordonnance bizone", "En rapport avec une ALD", "Hors autorisation de mise sur le marché",
    ]  # fmt: skip
    assert found["priority"] == "urgent" and found["identifier"][1]["value"] == "EPU1"
    assert found["substitution"] == {"allowedBoolean": False, "reason": {"text": "MTE"}}
    assert found["dosageInstruction"][0]["additionalInstruction"] == [{"text": "Durée : un certain temps"}]
    assert found["note"] == [{"text": "Consigne au dispensateur : Fractionner"}]


@pytest.mark.parametrize("values", [{"frequency": 0}, {"period": "-1"}, {"period_unit": None}, {"period": "x"}])
def test_a_rhythm_that_is_none_stays_in_words(values):
    found = medication(**{"dosage": "1 le soir", "frequency": 1, "period": "1", "period_unit": "d", **values})
    assert found["dosageInstruction"] == [{"text": "1 le soir"}]


def test_a_line_of_no_prescription_makes_no_resource():
    assert not [r for r in collected(prescription_line=[LINE]) if r["resourceType"] == "MedicationRequest"]


@pytest.mark.parametrize(
    "values, status, kind",
    [
        ({"start": "2026-11-20T10:00:00", "mode": "VR"}, "finished", "VR"),
        ({"start": "2026-12-20T10:00:00"}, "unknown", "unknown"),
    ],
)
def test_an_encounter(values, status, kind):
    found = only("Encounter", encounter=[{"key": "e", "practitioner": "d1", "reason": "Toux", **values}])
    assert (found["status"], found["class"]["code"]) == (status, kind)
    assert found["reasonCode"] == [{"text": "Toux"}] and found["period"]["start"].endswith("+01:00")


def test_a_measure_names_its_encounter_when_it_stands_beside_it():
    sign = {"code": "29463-7", "label": "Poids", "value": "70", "unit": "kg", "measured": "2026-11-20T10:00:00"}
    kept = [{"key": "1", "encounter": "e", **sign}, {"key": "2", "encounter": "absent", **sign}]
    found = collected(encounter=[{"key": "e", "start": "2026-11-20T10:00:00"}], vital_sign=kept)
    assert [("encounter" in r) for r in found if r["resourceType"] == "Observation"] == [True, False]


@pytest.mark.parametrize(
    "role, code", [("guardian", "GUARD"), ("emergency", "C"), ("parent", "PRN"), ("child", "CHILD"), ("trusted", None), ("other", None)]
)  # fmt: skip
def test_a_relative(role, code):
    values = {"key": "r", "role": role, "family": "DUPONT", "legal_representative": True, "phone": "0102030405"}
    found = only("RelatedPerson", related_person=[values])
    first, second = found["relationship"]
    assert [c["code"] for c in first.get("coding", [])] == ([code] if code else [])
    assert second == {"text": "Représentant légal"} and found["telecom"] == [{"system": "phone", "value": "0102030405"}]
