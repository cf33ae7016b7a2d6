"""Affirmed, denied, not recorded (PORT-26): three forms that no reader can take for one another."""

from __future__ import annotations

import pytest

SNOMED = "http://snomed.info/sct"
# Table, section, resource, what a denied row carries.
STATED = [
    pytest.param("problem", "11450-4", "Condition", id="problem"),
    pytest.param("allergy", "48765-2", "AllergyIntolerance", id="allergy"),
    pytest.param("treatment", "10160-0", "MedicationStatement", id="treatment"),
    pytest.param("immunization", "11369-6", "Immunization", id="immunization"),
    pytest.param("risk_factor", "29762-2", "Observation", id="risk factor"),
]


def codes(concept):
    return [c["code"] for c in concept.get("coding", [])]


@pytest.mark.parametrize("table, loinc, kind", STATED)
def test_the_three_states_differ(document, of_type, section, table, loinc, kind):
    states = {}
    for assertion in ("affirmed", "denied", "not_recorded"):
        bundle = document(**{table: [{"assertion": assertion, "label": "Chose"}]})
        states[assertion] = (of_type(bundle, kind), section(bundle, loinc))
    (affirmed,), _ = states["affirmed"]
    (denied,), said = states["denied"]
    nothing, silent = states["not_recorded"]
    assert affirmed != denied and affirmed["id"] == denied["id"]
    assert said["entry"] and "emptyReason" not in said and "Absence affirmée : Chose" in said["text"]["div"]
    assert (
        nothing == []
        and codes(silent["emptyReason"]) == ["notasked"]
        and "Non renseigné : Chose" in silent["text"]["div"]
    )


@pytest.mark.parametrize("table, loinc, kind", STATED)
def test_no_row_at_all_is_unavailable(document, section, table, loinc, kind):
    assert codes(section(document(), loinc)["emptyReason"]) == ["unavailable"]


def test_a_row_not_recorded_beside_others_is_a_line_only(document, of_type, section):
    bundle = document(allergy=[{"key": "1"}, {"key": "2", "label": "Iode", "assertion": "not_recorded"}])
    assert len(of_type(bundle, "AllergyIntolerance")) == 1
    found = section(bundle, "48765-2")
    assert len(found["entry"]) == 1 and "emptyReason" not in found and "Non renseigné : Iode" in found["text"]["div"]


@pytest.mark.parametrize(
    "label, code, whole",
    [
        pytest.param("Aucune allergie connue", None, True, id="none known"),
        pytest.param("Pas d’allergie", None, True, id="typographic apostrophe"),
        pytest.param("AUCUNE INTOLÉRANCE.", None, True, id="capitals, accent, full stop"),
        pytest.param("Néant", None, True, id="nothing"),
        pytest.param("Aucune allergie connue", "X1", True, id="negative label with its own code"),
        pytest.param("Allergies", None, True, id="heading denied"),
        pytest.param("Allergies", "419199007", False, id="heading coded: that code is refuted"),
        pytest.param("Pénicilline", None, False, id="one substance"),
        pytest.param("Aucune allergie aux antibiotiques", None, False, id="negative, but of some"),
        pytest.param("Allergie au latex", None, False, id="one allergy"),
        pytest.param("", None, False, id="no label"),
    ],
)
def test_no_allergy_is_told_from_no_allergy_to_this(document, of_type, label, code, whole):
    (allergy,) = of_type(
        document(allergy=[{"assertion": "denied", "label": label, "code": code}]), "AllergyIntolerance"
    )
    status = codes(allergy["verificationStatus"])
    assert ("716186003" in codes(allergy["code"])) is whole
    assert status == (["confirmed"] if whole else ["refuted"])
    assert codes(allergy["clinicalStatus"]) == (["active"] if whole else ["inactive"])


def test_a_heading_denied_reads_as_a_denial_out_of_context(document, of_type):
    (allergy,) = of_type(document(allergy=[{"assertion": "denied", "label": "Allergies"}]), "AllergyIntolerance")
    assert allergy["code"]["text"] == "Allergies : absence affirmée"


def test_an_affirmed_negative_sentence_is_not_coded(document, of_type):
    (allergy,) = of_type(document(allergy=[{"label": "Aucune allergie connue"}]), "AllergyIntolerance")
    assert codes(allergy["code"]) == []


def test_a_denial_of_a_negative_label_says_so(document, of_type):
    denied = {"assertion": "denied", "label": "Pas d'allergie aux AINS"}
    (allergy,) = of_type(document(allergy=[denied]), "AllergyIntolerance")
    assert "déjà négatif" in allergy["note"][0]["text"]


@pytest.mark.parametrize(
    "tables, kind, status, element, code",
    [
        (
            {"treatment": "Aucun traitement en cours"},
            "MedicationStatement",
            "not-taken",
            "medicationCodeableConcept",
            "787481004",
        ),
        ({"immunization": "Aucune vaccination"}, "Immunization", "not-done", "vaccineCode", "787482006"),
        ({"problem": "Aucun antécédent chirurgical"}, "Procedure", "not-done", "code", "787480003"),
    ],
)
def test_none_at_all_keeps_a_negative_status(document, of_type, tables, kind, status, element, code):
    """Read alone, neither the status nor the code says that the patient has anything."""
    rows = {t: [{"assertion": "denied", "label": label, "category": "surgery"}] for t, label in tables.items()}
    (resource,) = of_type(document(**rows), kind)
    assert resource["status"] == status and {"system": SNOMED, "code": code} in resource[element]["coding"]


def test_no_current_problem_is_the_ips_code(document, of_type):
    (condition,) = of_type(document(problem=[{"assertion": "denied", "label": "Aucune pathologie"}]), "Condition")
    assert codes(condition["code"]) == ["160245001"] and codes(condition["verificationStatus"]) == ["confirmed"]


def test_a_denied_family_history_is_never_the_patients(document, of_type, section):
    row = {
        "category": "family",
        "assertion": "denied",
        "label": "Diabète",
        "code": "E11",
        "system": "2.16.840.1.113883.6.3",
    }
    bundle = document(problem=[row])
    assert of_type(bundle, "Condition") == of_type(bundle, "FamilyMemberHistory") == []
    (observation,) = of_type(bundle, "Observation")
    assert codes(observation["code"]) == ["10157-6"]
    (component,) = observation["component"]
    assert codes(component["code"]) == ["E11"] and codes(component["valueCodeableConcept"]) == ["N"]
    assert len(section(bundle, "10157-6")["entry"]) == 1


def test_an_affirmed_family_history_is_a_family_member_history(document, of_type):
    bundle = document(problem=[{"category": "family", "label": "Diabète", "onset": "1990"}])
    (history,) = of_type(bundle, "FamilyMemberHistory")
    assert of_type(bundle, "Condition") == [] and history["condition"][0]["onsetString"] == "1990"


@pytest.mark.parametrize(
    "value, assertion, expected",
    [
        ("ex-fumeur", "affirmed", {"text": "ex-fumeur"}),
        (
            None,
            "affirmed",
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0136", "code": "Y"}], "text": "Oui"},
        ),
        (
            "non fumeur",
            "denied",
            {
                "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0136", "code": "N"}],
                "text": "non fumeur",
            },
        ),
    ],
)
def test_a_risk_factor_answers_by_its_value_or_yes_or_no(document, of_type, value, assertion, expected):
    (observation,) = of_type(document(risk_factor=[{"value": value, "assertion": assertion}]), "Observation")
    assert observation["valueCodeableConcept"] == expected
