"""Every form of synthesis that we write passes the official XSD and Schematrons, warnings included.

The official rules run once, in a process of their own, on a folder of all the variants; one broken document stands among
them, so that a tool that checks nothing is seen.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from transvase.exporters.cda import header, vsm
from transvase.model.record import ROW, Record

pytestmark = [pytest.mark.shared, pytest.mark.slow]

CIM10 = "2.16.840.1.113883.6.3"
CCAM = "1.2.250.1.215.300.1"
CIS = "1.2.250.1.213.2.3.1"
CIP = "1.2.250.1.213.2.3.2"
ATC = "2.16.840.1.113883.6.73"
CISP = "2.16.840.1.113883.6.139"
ABSENCE = "2.16.840.1.113883.5.1150.1"

HOSTILE = "<&>\"' \x00\x07\r\n\t\ufffe ]]> &amp; é 🩺"


def row(table: str, key: str, **values: Any) -> Any:
    kind = ROW[table]
    filled = {"key": key, "patient": "7", "assertion": "affirmed"} | values
    return kind(**{name: filled.get(name) for name in kind._fields})


def problem(key: str, category: str, label: str = "Hypertension artérielle", **values: Any) -> Any:
    return row("problem", key, category=category, label=label, **values)


def allergy(key: str, label: str = "Pénicilline", **values: Any) -> Any:
    return row("allergy", key, label=label, **values)


def treatment(key: str, label: str = "PLAVIX 75 mg, comprimé pelliculé", **values: Any) -> Any:
    return row("treatment", key, label=label, **values)


def factor(key: str, category: str, label: str = "Tabagisme actif", **values: Any) -> Any:
    return row("risk_factor", key, category=category, label=label, **values)


def lab(key: str, measured: str = "2026-01-02T08:00:00", **values: Any) -> Any:
    return row(
        "lab_result", key, **({"label": "Glycémie", "value": "1.10", "unit": "g/L", "measured": measured} | values)
    )


CATEGORIES = ("problem", "history", "surgery", "family", "trauma")
FACTORS = ("tobacco", "alcohol", "activity", "occupational", "social", "other")

FULL: Record = {
    "problem": [
        problem("1", "problem", code="I10", system=CIM10, onset="2019-03-28"),
        problem(
            "2", "trauma", "Entorse de la cheville", code="S934", system=CIM10, onset="2026-01", resolved="2026-02"
        ),
        problem("3", "history", "Pneumopathie", code="J18.9", system=CIM10, onset="2011", resolved="2011-04-02"),
        problem("4", "surgery", "Appendicectomie", code="HHFA001", system=CCAM, onset="1998-07-12"),
        problem("5", "family", "Diabète, mère", code="E11.9", system=CIM10),
        problem("6", "problem", "Asthme", code="R96", system=CISP),
        problem("7", "surgery", "Pose de prothèse", code="27130", system=CISP, onset="2001", resolved="2001-02"),
    ],
    "allergy": [
        allergy("1", code="60234100", system=CIS, reaction="Urticaire", severity="moderate", onset="2018-06-03"),
        allergy("2", "Arachide", severity="severe", reaction="Œdème"),
        allergy("3", "Pollens", severity="unknown"),
        allergy("4", "Latex", severity="mild"),
        allergy("5", "Aspirine", code="N02BA01", system=ATC),
    ],
    "treatment": [
        treatment("1", code="63564053", system=CIS, dosage="1 comprimé le matin", start="2019-08-11", long_term=True),
        treatment("2", code="3400938022209", system=CIP, start="2020", stop="2021-05", long_term=False),
        treatment("3", "Kardégic 75 mg", code="B01AC06", system=ATC),
        treatment("4", "Tisane"),
    ],
    "risk_factor": [
        factor("1", "tobacco", value="25 paquets-année", recorded="2020-05-04T10:11:12"),
        factor("2", "alcohol", "Consommation occasionnelle"),
        factor("3", "activity", "Marche", value="3 h par semaine", recorded="2020"),
        factor("4", "occupational", "Exposition à l'amiante"),
        factor("5", "social", "Vit seule"),
        factor("6", "other", "Voyages en zone tropicale"),
    ],
    "lab_result": [
        lab("1", low="0.70", high="1.10", flag="N", code="2345-7", system="2.16.840.1.113883.6.1"),
        lab("2", "2026-01-03T08:00:00", value=None, value_text="Positif", flag="A"),
    ],
}


def every(assertion: str, **values: Any) -> Record:
    """One row of each kind, all with the same values."""
    return {
        "problem": [problem(str(n), c, assertion=assertion, **values) for n, c in enumerate(CATEGORIES)],
        "allergy": [allergy("1", assertion=assertion, **values)],
        "treatment": [treatment("1", assertion=assertion, **values)],
        "risk_factor": [factor(str(n), c, assertion=assertion, **values) for n, c in enumerate(FACTORS)],
    }


def dated(first: str | None, last: str | None) -> Record:
    return {
        "problem": [problem(str(n), c, onset=first, resolved=last) for n, c in enumerate(CATEGORIES)],
        "allergy": [allergy("1", onset=first)],
        "treatment": [treatment("1", start=first, stop=last)],
        "risk_factor": [factor("1", "tobacco", recorded=first)],
        "lab_result": [lab("1", first or "")],
    }


def coded(code: str | None, system: str | None) -> Record:
    return {
        "problem": [problem(str(n), c, code=code, system=system) for n, c in enumerate(CATEGORIES)],
        "allergy": [allergy("1", code=code, system=system)],
        "treatment": [treatment("1", code=code, system=system)],
    }


def many(count: int) -> Record:
    return {
        "problem": [
            problem(str(n), CATEGORIES[n % 5], code="I10", system=CIM10, onset="2019-03-28") for n in range(count)
        ],
        "lab_result": [lab(str(n), f"20{n % 30:02}-01-01T00:00:00") for n in range(count * 2)],
    }


ABSENT: Record = {
    "problem": [
        problem("1", "problem", "Pas de problème connu", assertion="denied", code="no-known-problems", system=ABSENCE),
        problem("2", "surgery", "Pas d'acte connu", assertion="denied", code="no-known-procedures", system=ABSENCE),
        problem("3", "family", "Pas de problème connu", assertion="denied", code="no-known-problems", system=ABSENCE),
    ],
    "allergy": [allergy("1", "Pas d'allergie connue", assertion="denied", code="no-known-allergies", system=ABSENCE)],
    "treatment": [treatment("1", "Pas de traitement", assertion="denied", code="no-known-medications", system=ABSENCE)],
}

VARIANTS: dict[str, Record] = {
    "empty": {},
    "full": FULL,
    "all-denied": every("denied"),
    "nothing-recorded": every("not_recorded"),
    "denied-allergy-only": {"allergy": [allergy("1", assertion="denied", code="60234100", system=CIS)]},
    "absence-by-code": ABSENT,
    "four-sub-sections-of-pathologies": {"problem": FULL["problem"][:4], "allergy": FULL["allergy"]},
    "allergy-beside-one-not-recorded": {
        "allergy": [allergy("1"), allergy("2", "Allergies alimentaires", assertion="not_recorded")]
    },
    "problem-and-one-denied": {
        "problem": [
            problem("1", "problem"),
            problem("2", "problem", "Diabète", assertion="denied", code="E11", system=CIM10),
        ]
    },
    "dates-year": dated("2019", "2020"),
    "dates-month": dated("2019-03", "2020-04"),
    "dates-instant": dated("2019-03-28T09:30:00", "2019-03-29T09:30:00"),
    "dates-none": dated(None, None),
    "dates-impossible": dated("2019-02-30", "2019-13-01"),
    "dates-words": dated("vers 1990", HOSTILE),
    "dates-same-day": dated("2019-03-28", "2019-03-28"),
    "dates-end-before-start": dated("2020-03-28", "2019-03-28"),
    "codes-none": coded(None, None),
    "codes-without-system": coded("I10", None),
    "codes-system-not-an-oid": coded("I10", "CIM-10"),
    "codes-with-spaces": coded("J 45", CIM10),
    "codes-hostile": coded(HOSTILE, HOSTILE),
    "codes-other-system": coded("27", CISP),
    "codes-undotted": {"problem": [problem("1", "problem", code="e119", system=CIM10)]},
    "codes-malformed": coded("diabète", CIM10),
    "texts-hostile": {
        name: [
            line._replace(
                **{f: HOSTILE for f in ("label", "dosage", "reaction", "value", "value_text") if hasattr(line, f)}
            )
            for line in lines
        ]
        for name, lines in FULL.items()
    },
    "labels-empty": {name: [line._replace(label="") for line in lines] for name, lines in FULL.items()},
    "keys-hostile": {
        name: [line._replace(key=HOSTILE * 9 + line.key) for line in lines] for name, lines in FULL.items()
    },
    "sixty-entries": many(60),
    "before-legal-time": dated("1900-01-01T00:00:00", "0001-01-01"),
}

PRACTICE = header.structure(
    row(
        "practice",
        "1",
        name="Cabinet du Parc",
        struct_idnat="1750000000",
        oid="1.2.250.1.213.9.9",
        facility_type="SA07",
        practice_setting="AMBULATOIRE",
        address="1 rue du Parc",
        postal_code="75001",
        city="Paris",
        phone="01 02 03 04 05",
    )
)
DOCTOR = header.signatory(
    row(
        "practitioner",
        "2",
        idnat="899900000000",
        family="DUPONT",
        given="Anne",
        prefix="MME",
        suffix="DR",
        specialty="G15_10/SM26",
    ),
    "1.2.250.1.213.9.9",
)
PATIENT = header.record_target(
    row(
        "patient",
        "7",
        ins="279035121518989",
        ins_oid="1.2.250.1.213.1.4.10",
        birth_family="PAT-TROIS",
        birth_given="DOMINIQUE MARIE-LOUISE",
        birth_first_given="DOMINIQUE",
        sex="F",
        birth_date="1979-03-28",
        birth_place_code="51215",
        birth_place="DOMPREMY",
    ),
    "1.2.250.1.213.9.9",
    True,
)


def document(body: str, attending: str) -> str:
    heading = header.Heading(
        templates=vsm.TEMPLATES,
        id="1.2.250.1.213.9.9.12.1",
        set_id="1.2.250.1.213.9.9.12",
        version=1,
        replaces="",
        type_code=vsm.TYPE_CODE,
        title=vsm.TITLE,
        created="20260102101500+0100",
        act="20260102093000+0100",
        act_end="",
        event=vsm.EVENT,
        extra_participants=attending,
    )
    return header.document(heading, PATIENT, DOCTOR, DOCTOR, PRACTICE, body)


@pytest.fixture(scope="module")
def reports(shared, tmp_path_factory, request) -> dict[str, dict[str, Any]]:
    """Findings of the official rules for each file, by its name."""
    folder = tmp_path_factory.mktemp("vsm")
    known = vsm.attending_participant(DOCTOR, PRACTICE)
    files = {name: document(vsm.body(record, "1.2.250.1.213.9.9.13.7"), known) for name, record in VARIANTS.items()}
    files["with-pdf-copy"] = document(vsm.body(FULL, "1.2.250.1.213.9.9.13.7", b"%PDF-1.7 " + b"x" * 999), known)
    files["attending-unknown"] = document(vsm.body({}, "1.2.250.1.213.9.9.13.7"), vsm.attending_participant(None))
    files["attending-without-structure"] = document(
        vsm.body({}, "1.2.250.1.213.9.9.13.7"), vsm.attending_participant(DOCTOR)
    )
    local = header.signatory(row("practitioner", "2", family="DUPONT"), "1.2.250.1.213.9.9")
    files["attending-without-national-identifier"] = document(
        vsm.body({}, "1.2.250.1.213.9.9.13.7"), vsm.attending_participant(local, PRACTICE)
    )
    files["control"] = files["full"].replace('<templateId root="1.2.250.1.213.1.1.2.31"/>', "", 1)
    for name, content in files.items():
        (folder / f"{name}.xml").write_text(content, encoding="utf-8", newline="")
    found = folder / "found.json"
    cache = request.config.cache.mkdir("schematron")
    run = subprocess.run(
        [
            sys.executable,
            str(shared / "tools" / "cda_check.py"),
            "--by-template",
            "--strict",
            "--cache",
            str(cache),
            "--json",
            str(found),
            str(folder),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.is_file(), run.stdout + run.stderr
    listed = json.loads(found.read_text(encoding="utf-8"))
    by_name = {Path(report["file"]).stem: report for report in listed}
    assert set(by_name) == set(files)
    return by_name


@pytest.mark.parametrize(
    "name",
    [
        *VARIANTS,
        "with-pdf-copy",
        "attending-unknown",
        "attending-without-structure",
        "attending-without-national-identifier",
    ],
)
def test_passes_every_rule(reports, name):
    report = reports[name]
    assert not report["xsd"]
    assert not report["findings"]
    assert report["valid"]
    assert report["fired"]["CI-SIS_VSM_1.4_2022.01"]


def test_the_rules_do_fire(reports):
    assert not reports["control"]["valid"]


@pytest.fixture(scope="module")
def schema(shared) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(shared / "cisis" / "xsd" / "CDA_extended.xsd")))


ANY = st.text(st.characters(exclude_categories=()), max_size=8)
WORDS = {
    "assertion": st.sampled_from(["affirmed", "denied", "not_recorded"]),
    "category": st.sampled_from(CATEGORIES + FACTORS),
}


def rows(table: str) -> st.SearchStrategy[list[Any]]:
    columns = {name: WORDS.get(name, st.none() | ANY) for name in ROW[table]._fields} | {"key": ANY, "label": ANY}
    return st.lists(st.builds(ROW[table], **columns), unique_by=lambda line: line.key, max_size=3)


@given(st.fixed_dictionaries({t: rows(t) for t in ("problem", "allergy", "treatment", "risk_factor", "lab_result")}))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_content_is_valid_against_the_schema(schema, record):
    text = document(vsm.body(record, "1.2.250.1.213.9.9.13.7"), vsm.attending_participant(DOCTOR, PRACTICE))
    schema.assertValid(etree.fromstring(text.encode("utf-8")))
