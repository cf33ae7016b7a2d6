"""A document of each model, byte for byte, level 1 and FHIR among them: a change of what we write is read like code.

`pytest tests/unit/exporters/cda/test_approved_documents.py --approve` rewrites them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conformity import letters_and_reports as cases
from transvase.exporters.cda import dlu, ep_med_dm, header, ips_fr, level1, vac, vac_note, vsm
from transvase.exporters.cda.header import Signatory
from transvase.exporters.fhir.bundle import document_bundle
from transvase.exporters.fhir.collection import collection_bundle
from transvase.model.record import ROW, Record

GOLDEN = Path(__file__).resolve().parents[3] / "golden"
IDS = "2.999.250.13.7"
CIS, CIP, ATC = "1.2.250.1.213.2.3.1", "1.2.250.1.213.2.3.2", "2.16.840.1.113883.6.73"


def row(table: str, key: str, **values: Any) -> Any:
    kind = ROW[table]
    return kind(**{name: ({"key": key, "patient": "7"} | values).get(name) for name in kind._fields})


def e_prescription() -> str:
    order = row("prescription", "41", category="medication", prescribed="2026-01-02T09:30:00", valid_until="2026-04-02")
    dosed = row(
        "prescription_line", "1", prescription="41", label="METFORMINE 1000 mg, comprimé", code="3400999000031", system=CIP,
        dosage="1 comprimé matin et soir", duration="3 mois", renewals=2, long_term=True, work_related=False, off_label=False,
        unsubstitutable=True, unsubstitutable_reason="Excipient", start="2026-01-02", stop="2026-04-02", dose="1",
        dose_unit="comprimé", frequency=2, period="1", period_unit="d", route="Voie orale", route_code="20053000", quantity="3",
        quantity_unit="boîte", instruction="Pendant le repas",
    )  # fmt: skip
    words = row("prescription_line", "2", prescription="41", label="Tisane", dosage="Si besoin")
    return ep_med_dm.event(order) + ep_med_dm.validity(order) + ep_med_dm.body(order, [dosed, words], IDS, b"%PDF-1.7")


def vaccinations() -> str:
    given = row(
        "immunization", "1", label="Vaccin tétanique", assertion="affirmed", code="J07AM", system=ATC, lot="4456672",
        given="2026-01-02", dose=2, booster=True, route="Voie intramusculaire", route_code="20035000", site="Deltoïde gauche",
        site_code="16217701000119102", performer="Infirmière", reaction="Fièvre", comment="Usager informé",
    )  # fmt: skip
    denied = row("immunization", "2", label="Grippe", assertion="denied")
    asked = row("immunization", "3", label="Fièvre jaune", assertion="not_recorded")
    return vac.body([given, denied, asked], IDS)


def vaccination_note() -> str:
    given = row(
        "immunization", "1", label="Vaccin tétanique", assertion="affirmed", code="68747507", system=CIS, lot="4456672",
        given="2026-01-02", dose=2, booster=True, route="Voie intramusculaire", route_code="20035000", site="Deltoïde gauche",
        site_code="16217701000119102", performer="Infirmière", reaction="Fièvre", comment="Usager informé",
    )  # fmt: skip
    code = '<code code="G15_10/SM26" displayName="Médecin - Qualifié en Médecine Générale" codeSystem="1.2.250.1.213.1.1.4.5"/>'
    doctor = Signatory('root="1.2.250.1.71.4.2.1" extension="899900000000"', code, "<family>DUPONT</family>")
    return vac_note.body(given, IDS, doctor, b"%PDF-1.7")


CIM10, CCAM, LOINC = "2.16.840.1.113883.6.3", "1.2.250.1.215.300.1", "2.16.840.1.113883.6.1"
PRACTICE = row(
    "practice", "1", name="Cabinet des Mirabelles", struct_idnat="1990000000", oid="2.999.250.1", facility_type="SA08",
    practice_setting="AMBULATOIRE", address="1 rue des Mirabelles", postal_code="54000", city="Nancy", phone="0383000000",
)  # fmt: skip
DOCTOR = row(
    "practitioner", "2", idnat="899900000000", family="MIRABEL", given="Anne", prefix="MME", suffix="DR", specialty="G15_10/SM26", active=True,
)  # fmt: skip
PERSON = row(
    "patient", "7", ins="279035121518989", ins_oid="1.2.250.1.213.1.4.10", birth_family="PAT-TROIS", birth_given="DOMINIQUE MARIE-LOUISE",
    birth_first_given="DOMINIQUE", used_family="PAT-TROIS", sex="F", birth_date="1979-03-28", birth_place_code="51215",
    birth_place="DOMPREMY", attending="2",
)  # fmt: skip


def record() -> Record:
    """Affirmed, denied and not recorded rows of each table, coded nationally, otherwise, and in words."""
    said = {"a": "affirmed", "d": "denied", "n": "not_recorded"}
    return {
        "problem": [
            row("problem", "1", category="problem", label="Hypertension", code="I10", system=CIM10, onset="2019-03", assertion="affirmed"),
            row("problem", "2", category="history", label="Diabète", code="T90", system="2.16.840.1.113883.6.139", assertion="denied"),
            row("problem", "3", category="surgery", label="Appendicectomie", code="HHFA001", system=CCAM, onset="1990-05-02", assertion="affirmed"),
            row("problem", "4", category="family", label="Cancer du sein", assertion="affirmed"),
            row("problem", "5", category="problem", label="Asthme", assertion="not_recorded"),
        ],
        "allergy": [
            row("allergy", key, label="Pénicilline", reaction="Urticaire", severity="severe", onset="2001", assertion=state)
            for key, state in said.items()
        ],
        "treatment": [
            row("treatment", "1", label="PLAVIX 75 mg", code="63564053", system=CIS, dosage="1 le matin", start="2021-05-06", long_term=True,
                assertion="affirmed"),
            row("treatment", "2", label="RAMIPRIL 5 mg", code="3400930000000", system=CIP, stop="2020", assertion="denied"),
        ],
        "risk_factor": [
            row("risk_factor", "1", category="tobacco", label="Tabac", value="10 par jour", recorded="2024-02-03T10:00:00", assertion="affirmed"),
            row("risk_factor", "2", category="occupational", label="Amiante", assertion="affirmed"),
        ],
        "immunization": [row("immunization", "1", label="Grippe", given="2025-10-15", lot="A1", assertion="affirmed")],
        "vital_sign": [
            row("vital_sign", "1", code="29463-7", label="Poids", value="71.50", unit="kg", measured="2026-01-02T09:30:00"),
            row("vital_sign", "2", code="56115-9", label="Tour de bras", value="31", unit="cm", measured="2026-01-02T09:30:00"),
        ],
        "lab_result": [
            row("lab_result", "1", code="2345-7", system=LOINC, label="Glycémie", value="1.10", unit="g/L", low="0.70", high="1.10", flag="N",
                measured="2025-12-01T08:00:00", status="final"),
        ],
    }  # fmt: skip


def whole() -> str:
    """Level 1, header and all: a second version, of an act with an end."""
    doctor, place = header.signatory(DOCTOR, PRACTICE.oid), header.structure(PRACTICE)
    heading = header.Heading(
        templates=level1.TEMPLATES, id=f"{IDS}.2", set_id=IDS, version=2, replaces=f"{IDS}.1", type_code="11488-4",
        title="Compte rendu de consultation", created="20260102101500+0100", act="20260102093000+0100", act_end="20260102100000+0100",
    )  # fmt: skip
    target = header.record_target(PERSON, PRACTICE.oid, True)
    return level1.filled(
        header.document(heading, target, doctor, doctor, place, level1.BODY), b"%PDF-1.7 bytes"
    ).decode()


def fhir(made: Any, **more: str) -> str:
    told: bytes = made(
        record(),
        practice=PRACTICE,
        practitioners={"2": DOCTOR},
        patient=PERSON,
        created="2026-01-02T10:15:00+01:00",
        qualified=True,
        **more,
    )
    # Digits stay as they are.
    return told.decode().replace("},{", "},\n{").replace('","', '",\n"') + "\n"


def lines(text: str) -> str:
    """One element a line, so that a difference can be read."""
    return text.replace("><", ">\n<") + "\n"


@pytest.mark.parametrize(
    "name, document",
    [
        ("e-prescription-structured-and-in-words", e_prescription),
        ("vaccination-given-denied-and-not-recorded", vaccinations),
        ("vaccinations-unknown", lambda: vac.body([], IDS)),
        ("vaccination-note", vaccination_note),
        ("level-1-second-version", whole),
        *(
            (name, lambda model=model: model.body(record(), IDS))
            for name, model in (
                ("vsm", vsm),
                ("ips-fr", ips_fr),
                ("dlu", dlu.DLU),
                ("fludt", dlu.FLUDT),
                ("fludr", dlu.FLUDR),
            )
        ),
        *(
            (f"{name}-empty", lambda model=model: model.body({}, IDS))
            for name, model in (
                ("vsm", vsm),
                ("ips-fr", ips_fr),
                ("dlu", dlu.DLU),
                ("fludt", dlu.FLUDT),
                ("fludr", dlu.FLUDR),
            )
        ),
        ("cr-bio", lambda: cases.reports()["full"]),
        ("ldl-ees", lambda: cases.entry_letters()["full"]),
        ("ldl-ses", lambda: cases.discharge_letters()["full"]),
    ],
)
def test_the_document_is_the_one_approved(name, document, request):
    approved(GOLDEN / "cda" / f"{name}.xml", lines(document()), request)


@pytest.mark.parametrize(
    "name, document",
    [
        ("document", lambda: fhir(document_bundle, identifier="2.999.250.13.8")),
        ("collection", lambda: fhir(collection_bundle)),
    ],
)
def test_the_bundle_is_the_one_approved(name, document, request):
    approved(GOLDEN / "fhir" / f"{name}.json", document(), request)


def approved(path: Path, found: str, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--approve"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8"), f"{path.name} changed; if intended: pytest --approve"
