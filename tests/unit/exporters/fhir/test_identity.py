"""Who the document is about, who wrote it, under which profiles: nothing is claimed that is not held."""

from __future__ import annotations

import uuid

import pytest

FR_CORE = "https://hl7.fr/ig/fhir/core/"
INS, PATIENT = (f"{FR_CORE}StructureDefinition/fr-core-{name}|2.1.0" for name in ("patient-ins", "patient"))
IPS = "http://hl7.org/fhir/uv/ips/StructureDefinition/{}-uv-ips|2.0.0"


def statuses(patient):
    found = [
        e["extension"][0]["valueCoding"] for e in patient["extension"] if e["url"].endswith("identity-reliability")
    ]
    return [(c["system"].rsplit("/", 1)[1], c["code"]) for c in found]


def test_a_qualified_identity(document, of_type, qualified):
    (patient,) = of_type(document(qualified, verdict=True), "Patient")
    assert patient["meta"]["profile"] == [IPS.format("Patient"), INS]
    national, local = patient["identifier"]
    assert national == {
        "use": "official",
        "type": {"coding": [{"system": f"{FR_CORE}CodeSystem/fr-core-cs-v2-0203", "code": "INS-NIR-TEST"}]},
        "system": "urn:oid:1.2.250.1.213.1.4.10",
        "value": "279035121518989",
    }
    assert (local["use"], local["system"], local["value"]) == ("usual", "urn:oid:1.2.250.1.999.7.1", "7")
    assert statuses(patient) == [("fr-core-cs-identity-status", "QUAL"), ("fr-core-cs-v2-0445", "VALI")]
    (name,) = patient["name"]
    assert name["given"] == ["DOMINIQUE"] and name["extension"][0]["valueString"] == "DOMINIQUE MARIE-LOUISE"


@pytest.mark.parametrize(
    "oid, kind, use",
    [
        ("1.2.250.1.213.1.4.8", "INS-NIR", "official"),
        ("1.2.250.1.213.1.4.9", "INS-NIA", "temp"),
        ("1.2.250.1.213.1.4.10", "INS-NIR-TEST", "official"),
        ("1.2.250.1.213.1.4.11", "INS-NIR-DEMO", "official"),
    ],
)
def test_identifier_by_authority(document, of_type, qualified, oid, kind, use):
    (patient,) = of_type(document(qualified | {"ins_oid": oid}, verdict=True), "Patient")
    first = patient["identifier"][0]
    assert (first["type"]["coding"][0]["code"], first["use"], first["system"]) == (kind, use, f"urn:oid:{oid}")


@pytest.mark.parametrize(
    "change, verdict",
    [
        pytest.param({}, False, id="the validators do not call it qualified"),
        pytest.param({"ins_oid": "1.2.250.1.213.1.4.2"}, True, id="obsolete INS-C"),
        pytest.param({"ins_oid": None}, True, id="no authority"),
        pytest.param({"ins": None}, True, id="no matricule"),
    ],
)
def test_no_matricule_leaves_otherwise(document, of_type, qualified, change, verdict):
    content = document(qualified | change, verdict=verdict, raw=True)
    assert qualified["ins"].encode() not in content
    (patient,) = of_type(document(qualified | change, verdict=verdict), "Patient")
    assert patient["meta"]["profile"] == [IPS.format("Patient"), PATIENT]


@pytest.mark.parametrize(
    "confirmed, checked, attributes, status",
    [
        (False, False, {}, "PROV"),
        (False, True, {}, "VALI"),
        (True, False, {}, "RECUP"),
        (True, True, {}, "QUAL"),
        (None, None, {}, "PROV"),
        (True, True, {"doubtful": True}, "PROV"),
        (True, True, {"fictitious": True}, "PROV"),
        (True, True, {"homonym": True}, "QUAL"),
        (True, True, {"ins": None}, "VALI"),
    ],
)
def test_status_by_criteria(document, of_type, qualified, confirmed, checked, attributes, status):
    traits = qualified | {"insi_confirmed": confirmed, "document_checked": checked} | attributes
    (patient,) = of_type(document(traits), "Patient")
    assert statuses(patient)[0] == ("fr-core-cs-identity-status", status)
    assert ("fr-core-cs-v2-0445", "VALI") not in statuses(patient)
    expected = {"doubtful": "DOUT", "fictitious": "FICT", "homonym": "HOMA"}
    assert [c for s, c in statuses(patient)[1:]] == [expected[a] for a, v in attributes.items() if a in expected]


@pytest.mark.parametrize("missing", ["birth_given", "birth_place_code", "birth_date"])
def test_an_incomplete_identity_does_not_claim_the_ins_profile(document, of_type, qualified, missing):
    (patient,) = of_type(document(qualified | {missing: None}, verdict=True), "Patient")
    assert INS not in patient["meta"]["profile"]


def test_a_birth_name_without_given_name_claims_no_french_profile(document, of_type):
    bundle = document({"birth_family": "X"}, vital_sign=[{}])
    (patient,) = of_type(bundle, "Patient")
    (weight,) = of_type(bundle, "Observation")
    assert patient["meta"]["profile"] == [IPS.format("Patient")]
    assert weight["meta"]["profile"] == ["http://hl7.org/fhir/StructureDefinition/bodyweight|4.0.1"]


@pytest.mark.parametrize("sex, gender", [("F", "female"), ("M", "male"), ("UN", "other"), (None, "unknown")])
def test_gender(document, of_type, sex, gender):
    (patient,) = of_type(document({"sex": sex}), "Patient")
    assert patient["gender"] == gender


def test_the_given_name_in_use_is_never_filled_from_another(document, of_type, qualified):
    (patient,) = of_type(document(qualified | {"used_family": "MARTIN"}), "Patient")
    assert patient["name"][1] == {"use": "usual", "family": "MARTIN"}


@pytest.mark.parametrize("code, table", [("51215", "TRE-R13-CommuneOM"), ("99132", "TRE-R20-Pays")])
def test_place_of_birth(document, of_type, code, table):
    (patient,) = of_type(document({"birth_place_code": code}), "Patient")
    (place,) = [e for e in patient["extension"] if e["url"].endswith("patient-birthPlace")]
    coding = place["valueAddress"]["extension"][0]["valueCoding"]
    assert coding["code"] == code and coding["system"].endswith(table)


@pytest.mark.parametrize(
    "recorded, expected",
    [
        (None, {"_birthDate": "unknown"}),
        ("1979-02-31", {"_birthDate": "error"}),
        ("1979-03", {"birthDate": "1979-03"}),
    ],
)
def test_birth_date(document, of_type, recorded, expected):
    (patient,) = of_type(document({"birth_date": recorded}), "Patient")
    found = {
        k: v if isinstance(v, str) else v["extension"][0]["valueCode"] for k, v in patient.items() if "irthDate" in k
    }
    assert found == expected


def test_a_death_of_impossible_date_is_still_a_death(document, of_type):
    (patient,) = of_type(document({"death_date": "2020-02-30"}), "Patient")
    assert patient["deceasedBoolean"] is True


def test_software_and_practice_are_the_authors_and_no_doctor_signs(document, of_type, row):
    bundle = document(doctors={"d1": row("practitioner", key="d1")})
    composition = bundle["entry"][0]["resource"]
    (software,), (practice,) = of_type(bundle, "Device"), of_type(bundle, "Organization")
    assert [a["reference"] for a in composition["author"]] == [
        f"urn:uuid:{software['id']}",
        f"urn:uuid:{practice['id']}",
    ]
    assert "attester" not in composition
    assert of_type(bundle, "Practitioner") == [], "nobody named by a row"


def test_a_professional_enters_once_with_their_role(document, of_type, row):
    doctor = row(
        "practitioner", key="d1", idnat="801234567897", specialty="G15_10/SM26", prefix="MME", suffix="DR", active=False
    )
    bundle = document(doctors={"d1": doctor}, problem=[{"key": k, "practitioner": "d1"} for k in "12"])
    (person,), (role,) = of_type(bundle, "Practitioner"), of_type(bundle, "PractitionerRole")
    assert person["identifier"][0]["system"] == "urn:oid:1.2.250.1.71.4.2.1"
    assert person["name"] == [{"family": "LEGRAND", "prefix": ["MME"], "suffix": ["DR"]}]
    assert role["active"] is False and role["practitioner"]["reference"] == f"urn:uuid:{person['id']}"
    assert role["code"][0]["coding"][0]["code"] == "G15_10/SM26"
    assert {c["recorder"]["reference"] for c in of_type(bundle, "Condition")} == {f"urn:uuid:{role['id']}"}


def test_a_professional_whom_the_record_lacks_keeps_their_number(document, of_type):
    (condition,) = of_type(document(problem=[{"practitioner": "gone"}]), "Condition")
    assert condition["recorder"] == {
        "type": "Practitioner",
        "identifier": {"system": "urn:oid:1.2.250.1.999.7.2", "value": "gone"},
    }


def test_names_of_resources_are_uuid5_of_practice_table_and_key(document, of_type):
    keys = ["é 42/7", *map(str, range(20))]
    namespace = uuid.uuid5(uuid.NAMESPACE_OID, "1.2.250.1.999.7")
    found = of_type(document(problem=[{"key": key} for key in keys]), "Condition")
    assert [c["id"] for c in found] == [str(uuid.uuid5(namespace, f"problem/{key}")) for key in keys]


def test_envelope(document):
    bundle = document()
    identifier = {"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.250.1.999.7.8.42"}
    assert (bundle["type"], bundle["timestamp"], bundle["identifier"]) == (
        "document",
        "2026-11-23T10:00:00+01:00",
        identifier,
    )
    composition = bundle["entry"][0]["resource"]
    assert composition["resourceType"] == "Composition" and composition["identifier"] == identifier
    assert composition["type"]["coding"] == [{"system": "http://loinc.org", "code": "60591-5"}]
    assert composition["meta"]["profile"] == [IPS.format("Composition")] and bundle["meta"]["profile"] == [
        IPS.format("Bundle")
    ]
    assert [s["code"]["coding"][0]["code"] for s in composition["section"]] == [
        "11450-4",
        "48765-2",
        "10160-0",
        "11369-6",
        "30954-2",
        "8716-3",
        "47519-4",
        "11348-0",
        "10157-6",
        "29762-2",
    ]


def test_two_statements_about_tobacco_are_more_than_ips_allows(document):
    bundle = document(risk_factor=[{"key": "1"}, {"key": "2"}])
    assert "meta" not in bundle and "meta" not in bundle["entry"][0]["resource"]
    kept = document(risk_factor=[{"key": "1"}, {"key": "2", "assertion": "not_recorded"}])
    assert "meta" in kept, "what was not recorded is no statement"


def test_a_patient_without_any_name_is_no_ips_subject(document, of_type):
    bundle = document({"birth_family": " "})
    (patient,) = of_type(bundle, "Patient")
    assert "name" not in patient and "meta" not in patient
    assert "meta" not in bundle and "meta" not in bundle["entry"][0]["resource"]
