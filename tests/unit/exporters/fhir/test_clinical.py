"""One concept after the other: which element holds what the row says."""

from __future__ import annotations

import pytest

LOINC_OID, CIM10 = "2.16.840.1.113883.6.1", "2.16.840.1.113883.6.3"


@pytest.mark.parametrize(
    "system, uri",
    [
        (LOINC_OID, "http://loinc.org"),
        ("2.16.840.1.113883.6.96", "http://snomed.info/sct"),
        (CIM10, f"urn:oid:{CIM10}"),
        (f" {CIM10} ", f"urn:oid:{CIM10}"),
        ("https://exemple.fr/codes", "https://exemple.fr/codes"),
        ("maison", None),
        ("1.02", None),
        (None, None),
    ],
)
def test_code_as_recorded_with_the_uri_of_its_system(document, of_type, system, uri):
    (condition,) = of_type(document(problem=[{"code": "I10", "system": system}]), "Condition")
    assert condition["code"] == {
        "coding": [{"system": uri, "code": "I10"} if uri else {"code": "I10"}],
        "text": "Asthme",
    }


def test_the_original_code_stands_first_beside_the_others(document, of_type):
    denied = {"label": "Aucune allergie connue", "code": "A0", "system": "1.2.250.1.9", "assertion": "denied"}
    (allergy,) = of_type(document(allergy=[denied]), "AllergyIntolerance")
    assert [c["code"] for c in allergy["code"]["coding"]] == ["A0", "716186003"]


def test_a_row_without_label_or_code_is_of_unknown_code(document, of_type):
    (condition,) = of_type(document(problem=[{"label": " "}]), "Condition")
    assert condition["code"]["coding"][0]["code"] == "unknown"


@pytest.mark.parametrize(
    "category, resolved, status",
    [
        ("problem", None, "active"),
        ("problem", "2019", "resolved"),
        ("problem", "2019-02-31", "resolved"),
        ("history", None, None),
        ("history", "2019", "resolved"),
        ("trauma", None, None),
    ],
)
def test_clinical_status_of_a_condition(document, of_type, section, category, resolved, status):
    bundle = document(problem=[{"category": category, "resolved": resolved}])
    (condition,) = of_type(bundle, "Condition")
    found = condition.get("clinicalStatus")
    assert (found["coding"][0]["code"] if found else None) == status
    assert "entry" in section(bundle, "11450-4" if category == "problem" else "11348-0")


def test_an_operation_is_a_procedure(document, of_type, section):
    bundle = document(problem=[{"category": "surgery", "label": "Appendicectomie", "onset": "1998"}])
    (procedure,) = of_type(bundle, "Procedure")
    assert procedure["status"] == "completed" and procedure["performedDateTime"] == "1998"
    assert of_type(bundle, "Condition") == [] and "entry" in section(bundle, "47519-4")


@pytest.mark.parametrize(
    "reaction, severity, expected",
    [
        ("Urticaire", "moderate", [{"manifestation": [{"text": "Urticaire"}], "severity": "moderate"}]),
        ("Urticaire", "unknown", [{"manifestation": [{"text": "Urticaire"}]}]),
        (None, "unknown", None),
        (None, None, None),
    ],
)
def test_reaction(document, of_type, reaction, severity, expected):
    (allergy,) = of_type(document(allergy=[{"reaction": reaction, "severity": severity}]), "AllergyIntolerance")
    assert allergy.get("reaction") == expected


def test_a_severity_without_reaction_has_an_unknown_manifestation(document, of_type):
    (allergy,) = of_type(document(allergy=[{"severity": "severe"}]), "AllergyIntolerance")
    (event,) = allergy["reaction"]
    assert event["severity"] == "severe" and event["manifestation"][0]["coding"][0]["code"] == "unknown"


def test_dosage_and_long_term_of_a_treatment(document, of_type):
    (found,) = of_type(document(treatment=[{"dosage": "1 le matin", "long_term": True}]), "MedicationStatement")
    assert found["dosage"] == [{"text": "1 le matin"}] and found["note"] == [{"text": "Traitement au long cours"}]
    assert found["_effectiveDateTime"]["extension"][0]["valueCode"] == "unknown"


@pytest.mark.parametrize("dose, expected", [(2, {"doseNumberPositiveInt": 2}), (0, {"doseNumberString": "0"})])
def test_rank_of_a_dose(document, of_type, dose, expected):
    (found,) = of_type(document(immunization=[{"dose": dose, "lot": "AB1"}]), "Immunization")
    assert found["protocolApplied"] == [expected] and found["lotNumber"] == "AB1"


def test_who_recorded_a_vaccination_is_not_said_to_have_given_it(document, of_type):
    (found,) = of_type(document(immunization=[{"practitioner": "d1"}]), "Immunization")
    assert found["performer"][0]["function"]["text"] == "Auteur de l'enregistrement"


@pytest.mark.parametrize("flag", ["N", "L", "H", "LL", "HH", "A", "AA", "S", "I", "R"])
def test_result(document, of_type, flag):
    row = {
        "code": "2345-7",
        "system": LOINC_OID,
        "value": "1.1",
        "unit": "g/L",
        "low": "0.7",
        "high": "1.1",
        "flag": flag,
    }
    (found,) = of_type(document(lab_result=[row]), "Observation")
    assert found["status"] == "final" and found["category"][0]["coding"][0]["code"] == "laboratory"
    assert found["effectiveDateTime"] == "2024-03-11T08:05:00+01:00"
    assert found["interpretation"][0]["coding"][0]["code"] == flag
    assert found["referenceRange"] == [{"low": {"value": 0.7, "unit": "g/L"}, "high": {"value": 1.1, "unit": "g/L"}}]
    assert "system" not in found["valueQuantity"], "the laboratory's unit is not known to be UCUM"


def test_what_the_laboratory_says_of_a_result(document, of_type):
    row = {
        "value": "1.1",
        "status": "corrected",
        "chapter": "Biochimie",
        "panel": "Bilan lipidique",
        "specimen": "Sérum",
        "method": "Enzymatique",
        "laboratory": "Laboratoire du Lac",
        "validated_by": "Dr LEGRAND",
        "validated": "2024-03-12T10:00:00",
        "comment": "À jeun",
    }
    (found,) = of_type(document(lab_result=[row]), "Observation")
    assert found["status"] == "corrected"
    assert found["category"][1:] == [{"id": "chapter", "text": "Biochimie"}, {"id": "panel", "text": "Bilan lipidique"}]
    assert found["specimen"] == {"type": "Specimen", "display": "Sérum"} and found["method"] == {"text": "Enzymatique"}
    assert found["performer"] == [
        {"type": "Organization", "display": "Laboratoire du Lac"},
        {"type": "Practitioner", "display": "Dr LEGRAND"},
    ]
    assert found["issued"] == "2024-03-12T10:00:00+01:00" and found["note"] == [{"text": "À jeun"}]


@pytest.mark.parametrize(
    "status, code",
    [
        ("final", "final"),
        ("partial", "preliminary"),
        ("corrected", "corrected"),
        ("cancelled", "cancelled"),
        (None, "final"),
    ],
)
def test_state_of_a_result(document, of_type, status, code):
    (found,) = of_type(document(lab_result=[{"value": "1", "status": status}]), "Observation")
    assert found["status"] == code


def test_a_day_of_validation_alone_is_said_in_words(document, of_type):
    (found,) = of_type(document(lab_result=[{"value": "1", "validated": "2024-03-12"}]), "Observation")
    assert "issued" not in found and found["note"] == [{"text": "Validation : 12/03/2024"}]


def test_how_a_vaccine_was_given(document, of_type):
    row = {
        "booster": True,
        "dose": 2,
        "route": "Intramusculaire",
        "route_code": "20035000",
        "site": "Deltoïde gauche",
        "site_code": "16217701000119102",
        "performer": "IDE Martin",
        "practitioner": "d1",
        "reaction": "Fièvre",
        "comment": "Bien toléré",
    }
    (found,) = of_type(document(immunization=[row]), "Immunization")
    assert found["protocolApplied"] == [{"series": "Rappel", "doseNumberPositiveInt": 2}]
    assert found["route"]["coding"] == [{"system": "http://standardterms.edqm.eu", "code": "20035000"}]
    assert found["site"]["coding"][0]["system"] == "http://snomed.info/sct"
    recorder, vaccinator = found["performer"]
    assert "reference" in recorder["actor"] and vaccinator["actor"] == {"display": "IDE Martin"}
    assert found["reaction"][0]["detail"]["display"] == "Fièvre" and found["note"] == [{"text": "Bien toléré"}]


def test_a_booster_of_unknown_rank(document, of_type):
    (found,) = of_type(document(immunization=[{"booster": False}]), "Immunization")
    assert found["protocolApplied"] == [{"series": "Première série", "doseNumberString": "Inconnu"}]


def profiles(resource):
    return [p.rsplit("/", 1)[1].split("|")[0] for p in resource.get("meta", {}).get("profile", [])]


@pytest.mark.parametrize(
    "values, expected",
    [
        pytest.param({}, ["bodyweight", "fr-core-observation-body-weight"], id="weight"),
        pytest.param({"unit": "kilo"}, ["vitalsigns"], id="unit that the profile does not allow"),
        pytest.param({"unit": None}, ["vitalsigns"], id="no unit"),
        pytest.param({"measured": "2024-03"}, [], id="a vital sign is dated to the day"),
        pytest.param({"measured": "2024-02-31"}, [], id="impossible day"),
        pytest.param(
            {"code": "8867-4", "unit": "/min"}, ["heartrate", "fr-core-observation-heartrate"], id="heart rate"
        ),
        pytest.param({"code": "8480-6", "unit": "cm[Hg]"}, ["vitalsigns"], id="pressure in another unit"),
        pytest.param({"code": "8480-6", "unit": "mm[Hg]"}, ["bp", "fr-core-observation-bp"], id="systolic alone"),
        pytest.param({"code": "56086-2", "unit": "cm"}, ["vitalsigns"], id="waist: no profile of its own"),
    ],
)
def test_profiles_of_a_vital_sign(document, of_type, qualified, values, expected):
    (found,) = of_type(document(qualified, vital_sign=[values]), "Observation")
    assert profiles(found) == expected
    assert found["category"][0]["coding"][0]["code"] == "vital-signs"


def test_a_vital_sign_in_ucum(document, of_type):
    (found,) = of_type(document(vital_sign=[{"value": "70.50"}]), "Observation")
    quantity = {"value": 70.5, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"}
    assert found["valueQuantity"] == quantity


def test_a_more_precise_code_stands_beside_the_one_that_the_profile_requires(document, of_type):
    (found,) = of_type(document(vital_sign=[{"code": "59408-5", "unit": "%", "value": "98"}]), "Observation")
    assert [c["code"] for c in found["code"]["coding"]] == ["59408-5", "2708-6"] and "oxygensat" in profiles(found)


def pressure(key, code, value, **values):
    return {"key": key, "code": code, "label": code, "value": value, "unit": "mm[Hg]", **values}


@pytest.mark.parametrize("order", [("8480-6", "8462-4"), ("8462-4", "8480-6")])
def test_a_blood_pressure_is_one_observation(document, of_type, qualified, order):
    values = {"8480-6": "120", "8462-4": "80"}
    bundle = document(qualified, vital_sign=[pressure(str(n), code, values[code]) for n, code in enumerate(order)])
    (found,) = of_type(bundle, "Observation")
    assert found["code"]["coding"][0]["code"] == "85354-9" and profiles(found) == ["bp", "fr-core-observation-bp"]
    parts = [(c["code"]["coding"][0]["code"], c["valueQuantity"]["value"]) for c in found["component"]]
    assert parts == [("8480-6", 120), ("8462-4", 80)]
    assert {i["value"] for i in found["identifier"]} == {"vital_sign/0", "vital_sign/1"}


@pytest.mark.parametrize("change", [{"measured": "2024-03-12T08:05:00"}, {"encounter": "2"}])
def test_pressures_of_two_moments_stay_two(document, of_type, change):
    rows = [pressure("1", "8480-6", "120"), pressure("2", "8462-4", "80", **change)]
    first, second = of_type(document(vital_sign=rows), "Observation")
    assert "valueQuantity" in first["component"][0] and first["component"][1]["dataAbsentReason"]
    assert second["component"][0]["dataAbsentReason"] and "valueQuantity" in second["component"][1]


@pytest.mark.parametrize(
    "codes, observations",
    [
        pytest.param(["8480-6", "8480-6", "8462-4"], [["1"], ["2", "3"]], id="two systolic"),
        pytest.param(["8480-6", "8462-4", "8462-4"], [["1", "2"], ["3"]], id="two diastolic"),
        pytest.param(["8480-6", "8462-4", "8480-6", "8462-4"], [["1", "2"], ["3", "4"]], id="taken twice"),
    ],
)
def test_repeated_pressures_lose_none(document, of_type, codes, observations):
    found = of_type(
        document(vital_sign=[pressure(str(n), code, "9") for n, code in enumerate(codes, 1)]), "Observation"
    )
    assert [[i["value"][-1] for i in o["identifier"]] for o in found] == observations


@pytest.mark.parametrize(
    "category, code", [("tobacco", "72166-2"), ("alcohol", "11331-6"), ("occupational", "11341-5"), ("other", None)]
)
def test_risk_factor(document, of_type, category, code):
    (found,) = of_type(document(risk_factor=[{"category": category, "value": "dix par jour"}]), "Observation")
    assert [c["code"] for c in found["code"].get("coding", [])] == ([code] if code else [])
    assert ("Observation-tobaccouse-uv-ips" in profiles(found)) is (category == "tobacco")


@pytest.mark.parametrize(
    "hostile", ["<img src=x onerror=alert(1)>", "a & b", "]]>", "x\x00y", "un\ndeux", "a\rb", "</li></ul>"]
)
def test_a_hostile_label_stays_text(document, section, hostile):
    from xml.etree import ElementTree

    div = section(document(problem=[{"label": hostile}]), "11450-4")["text"]["div"]
    (item,) = ElementTree.fromstring(div).iter("{http://www.w3.org/1999/xhtml}li")
    assert item.text == hostile.replace("\x00", "\ufffd") and len(item) == 0
