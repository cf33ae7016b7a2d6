"""The five journeys of the national programme are in the smallest practice, with the traps of the sheet."""

from __future__ import annotations

import pytest


def documents(practice, family: str) -> list[dict]:
    """The canonical documents of the patient of that birth name, oldest first."""
    (key,) = [r["key"] for r in practice.canonical("patient") if r["birth_family"] == family]
    return sorted((d for d in practice.canonical("document") if d["patient"] == key), key=lambda d: d["act"])


def patient(practice, family: str) -> dict:
    (row,) = [r for r in practice.canonical("patient") if r["birth_family"] == family]
    return row


def test_the_smallest_practice_is_the_journeys_alone(journeys):
    assert journeys.census.patients == 6
    assert {"OBJECTION_TO_ALL", "INS_KEY_MISMATCH", "CORRUPT_BODY"}.isdisjoint(journeys.census.truth)


def test_home_nursing_is_qualified_between_two_documents(journeys):
    row = patient(journeys, "AUBERTIN")
    assert row["insi_confirmed"] and row["document_checked"]
    made_here = [d for d in documents(journeys, "AUBERTIN") if d["origin"] == "produced"]
    before = [d for d in made_here if d["act"][:10] < row["insi_date"]]
    after = [d for d in made_here if d["act"][:10] >= row["insi_date"]]
    assert [d["type_code"] for d in before] == ["89601-9"]
    assert "57833-6" in {d["type_code"] for d in after}
    (letter,) = [d for d in documents(journeys, "AUBERTIN") if d["origin"] == "received"]
    assert letter["type_code"] == "11506-3"
    assert "Marchal" in letter["external_author"]
    assert any(c["family"] == "Marchal" and c["mssante"] for c in journeys.canonical("correspondent"))


def test_the_bicycle_accident_of_a_minor_leaves_the_hospital_its_own_identifiers(journeys):
    row = patient(journeys, "CASTEL")
    relatives = [r for r in journeys.canonical("related_person") if r["patient"] == row["key"]]
    assert [r["legal_representative"] for r in relatives] == [1, 1]
    assert row["birth_date"] > "2009"
    received = [d for d in documents(journeys, "CASTEL") if d["origin"] == "received"]
    assert {d["type_code"] for d in received} == {"11490-0", "18748-4", "15507-7"}
    assert all(d["fed_state"] == "fed" and d["hospital_stay"] == 1 for d in received)
    own = journeys.one("SELECT STR_OID FROM T_STRUCT ORDER BY STR_ID")
    assert not any(d["fed_unique_id"].startswith(own) for d in received)
    assert not [t for t in journeys.canonical("access_log") if t["patient"] == row["key"]]
    assert all(d["fed_state"] == "never" for d in documents(journeys, "CASTEL") if d["origin"] == "produced")


def test_the_nursing_home_replaces_a_document_already_fed(journeys):
    row = patient(journeys, "MALGRANGE")
    roles = {r["role"] for r in journeys.canonical("related_person") if r["patient"] == row["key"]}
    assert roles == {"guardian", "trusted"}
    (liaison,) = [d for d in documents(journeys, "MALGRANGE") if d["type_code"] == "74207-2"]
    versions = [v for v in journeys.canonical("document_version") if v["document"] == liaison["key"]]
    assert [v["version"] for v in versions] == [1, 2]
    assert versions[0]["created"] < liaison["fed_at"] < versions[1]["created"]
    kinds = {(d["type_code"], d["origin"]) for d in documents(journeys, "MALGRANGE")}
    expected = {
        ("78341-5", "produced"),
        ("60280-5", "received"),
        ("11502-2", "received"),
        ("18748-4", "received"),
        ("57828-6", "received"),
    }
    assert expected <= kinds


def test_biology_changes_units_and_corrects_a_result(journeys):
    row = patient(journeys, "OKONJO")
    results = sorted(
        (r for r in journeys.canonical("lab_result") if r["patient"] == row["key"]), key=lambda r: r["measured"]
    )
    glucose = [r["unit"] for r in results if r["label"].startswith("Glucose")]
    assert glucose == sorted(glucose, key=["g/L", "mmol/L"].index)
    assert set(glucose) == {"g/L", "mmol/L"}
    assert len({r["measured"][:4] for r in results}) >= 5
    twice = [r for r in results if r["code"] == "14682-9"]
    moments = [r["measured"] for r in twice]
    (corrected,) = {m for m in moments if moments.count(m) > 1}
    assert len({r["value"] for r in twice if r["measured"] == corrected}) == 2
    reports = [d for d in documents(journeys, "OKONJO") if d["type_code"] == "11502-2"]
    assert len(reports) > 8
    assert all(d["origin"] == "received" and d["fed_state"] == "fed" for d in reports)
    bodies = [v["body"] for v in journeys.canonical("document_version") if v["document"] == reports[0]["key"]]
    assert b"structuredBody" in bodies[0]
    assert any(d["type_code"] == "PRESC-BIO" and d["fed_state"] == "never" for d in documents(journeys, "OKONJO"))


def test_pregnancy_hides_a_letter_from_professionals_and_representatives(journeys):
    row = patient(journeys, "VALROY")
    assert row["sensitive_connection"] == 1
    hidden = [d for d in documents(journeys, "VALROY") if d["masked_ps"]]
    assert len(hidden) == 1
    assert hidden[0]["invisible_representatives"] == 1
    assert hidden[0]["withheld"]
    kinds = {(d["local_type"], d["origin"]) for d in documents(journeys, "VALROY")}
    assert {("QUEST", "produced"), ("DOC_PAT", "patient"), ("CPA", "received"), ("CR_ACC", "received")} <= kinds
    (question,) = [d for d in documents(journeys, "VALROY") if d["local_type"] == "QUEST"]
    address = journeys.one("SELECT DOC_MSS_ID FROM T_DOC WHERE DOC_ID = ?", question["key"])
    assert row["ins"] in address and question["act"][:10] > row["insi_date"]
    authors = {d["practitioner"] for d in documents(journeys, "VALROY") if d["origin"] == "produced"}
    (author,) = [p for p in journeys.canonical("practitioner") if p["key"] in authors]
    assert author["specialty"] == "G15_50"


def test_the_child_follows_with_a_certificate_of_health(journeys):
    row = patient(journeys, "VALROY-SIMONIN")
    assert row["document_checked"]
    (certificate,) = [d for d in documents(journeys, "VALROY-SIMONIN") if d["type_code"] == "59283-2"]
    assert certificate["act"][:10] < row["insi_date"]
    (mother,) = [r for r in journeys.canonical("related_person") if r["patient"] == row["key"]]
    assert mother["legal_representative"] == 1


@pytest.mark.parametrize(
    "kind", ["RECEIVED", "FED_BEFORE", "REPLACED_AFTER_FEEDING", "MASKED", "INVISIBLE_REPRESENTATIVES"]
)
def test_the_truth_of_the_journeys_names_what_is_natural_to_them(journeys, kind):
    assert journeys.census.truth[kind]
