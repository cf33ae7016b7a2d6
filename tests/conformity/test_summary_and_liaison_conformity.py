"""Every form of patient summary (IPS-FR) and of emergency liaison document (DLU, FLUDT, FLUDR) that we write passes the official XSD
and Schematrons, warnings included.

The official rules run once, in a process of their own, on a folder of all the variants; one broken document of each model stands
among them, so that a tool that checks nothing is seen. `TRANSVASE_CDA_CAMPAIGN=1000` writes and checks that many random documents of
each model and of the VSM, by hand: it takes some minutes.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from tests.conformity.test_vsm_conformity import (
    ANY,
    CATEGORIES,
    CCAM,
    CIM10,
    CIP,
    CIS,
    CISP,
    DOCTOR,
    FACTORS,
    HOSTILE,
    PATIENT,
    PRACTICE,
    VARIANTS,
    WORDS,
    lab,
    row,
)
from transvase.exporters.cda import dlu, header, ips_fr, vsm
from transvase.exporters.cda.entries import vital_sign
from transvase.model.record import ROW, Record

pytestmark = [pytest.mark.shared, pytest.mark.slow]

IDS = "1.2.250.1.213.9.9.14.7"
MODELS: dict[str, Any] = {"ips": ips_fr, "dlu": dlu.DLU, "fludt": dlu.FLUDT, "fludr": dlu.FLUDR}
SCHEMATRON = {
    "ips": "CI-SIS_IPS-FR_2024.01",
    "dlu": "CI-SIS_DLU-EHPAD-DLU_2022.01",
    "fludt": "CI-SIS_DLU-EHPAD-FLUDT_2022.01",
    "fludr": "CI-SIS_DLU-EHPAD-FLUDR_2022.01",
}
# A section that the model demands: without its templateId the document must fail.
DEMANDED = {
    "ips": '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.3.13"/>',
    "dlu": '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.3.35"/>',
    "fludt": '<templateId root="1.3.6.1.4.1.19376.1.7.3.1.1.13.5"/>',
    "fludr": '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.3.22"/>',
}


def sign(key: str, code: str = "29463-7", **values: Any) -> Any:
    given_values = {"label": "Poids", "value": "58.20", "unit": "kg", "measured": "2026-01-02T08:00:00"} | values
    return row("vital_sign", key, code=code, **given_values)


def vaccine(key: str, **values: Any) -> Any:
    return row("immunization", key, **({"label": "REVAXIS", "given": "2024-05-06"} | values))


def signs() -> list[Any]:
    """Each measure with a rule of its own, with the unit that the rule wants, another, one that is unknown, and none."""
    codes = (
        "9279-1",
        "8867-4",
        "2708-6",
        "8480-6",
        "8462-4",
        "8310-5",
        "8302-2",
        "8287-5",
        "29463-7",
        "39156-5",
        "56115-9",
    )
    units = ("/min", "%", "mm[Hg]", "mmHg", "Cel", "°C", "m", "cm", "kg", "kg/m2", "bpm", "pouces", None)
    return [
        sign(f"{code} {n}", code, unit=unit, measured=f"2026-01-{n + 1:02}")
        for code in codes
        for n, unit in enumerate(units)
    ]


EXTRA: dict[str, Record] = {
    "every-unit": {"vital_sign": signs()},
    "measures-hostile": {
        "vital_sign": [
            sign(HOSTILE, HOSTILE, label=HOSTILE, value=HOSTILE, unit=HOSTILE, measured=HOSTILE),
            sign("2", unit="", value="-0.5"),
        ]
    },
    "measures-not-listed": {"vital_sign": [sign("1", "56115-9", label="Tour de taille", unit="cm"), sign("2", "x")]},
    "measures-same-moment": {
        "vital_sign": [sign("1", "8480-6", value="120", unit="mm[Hg]"), sign("2", "8462-4", value="80", unit="mm[Hg]")]
    },
    "vaccines": {
        "immunization": [
            vaccine("1", code="60917345", system=CIS, lot="A1", dose=2),
            vaccine("2", assertion="denied"),
            vaccine("3", assertion="not_recorded"),
        ]
    },
    "dosages": {
        "treatment": [
            row("treatment", "1", label="A", dosage=HOSTILE),
            row("treatment", "2", label="B", dosage="x" * 4000),
        ]
    },
    "only-not-recorded": {
        "vital_sign": [sign("1")],
        "treatment": [row("treatment", "1", label="A", assertion="not_recorded")],
        "allergy": [row("allergy", "1", label="A", assertion="not_recorded")],
    },
    "results-odd": {
        "lab_result": [
            lab("1", value=None, value_text=None),
            lab("2", value=HOSTILE, unit="UI/L"),
            lab("3", unit=None, low="1"),
            lab("4", unit="??", high="2"),
        ]
    },
}
RECORDS = VARIANTS | EXTRA


def document(model: Any, record: Record, pdf: bytes | None = None) -> str:
    heading = header.Heading(
        templates=model.TEMPLATES,
        id="1.2.250.1.213.9.9.12.1",
        set_id="1.2.250.1.213.9.9.12",
        version=1,
        replaces="",
        type_code=model.TYPE_CODE,
        title=model.TITLE,
        created="20260102101500+0100",
        act="20260102093000+0100",
        act_end="",
        event=model.EVENT,
        extra_participants=vsm.attending_participant(DOCTOR, PRACTICE),
    )
    return header.document(heading, PATIENT, DOCTOR, DOCTOR, PRACTICE, model.body(record, IDS, pdf))


def check(shared: Path, folder: Path, cache: Path) -> dict[str, dict[str, Any]]:
    """Findings of the official rules for each file of a folder, by its name."""
    found = folder.parent / f"{folder.name}.json"
    command = [sys.executable, str(shared / "tools" / "cda_check.py"), "--by-template", "--strict", "--no-warnings"]
    run = subprocess.run(
        [*command, "--cache", str(cache), "--json", str(found), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.is_file(), run.stdout + run.stderr
    return {Path(report["file"]).stem: report for report in json.loads(found.read_text(encoding="utf-8"))}


@pytest.fixture(scope="module")
def reports(shared, tmp_path_factory, request) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("summaries") / "cda"
    folder.mkdir()
    for name, model in MODELS.items():
        files = {f"{name}-{variant}": document(model, record) for variant, record in RECORDS.items()}
        files[f"{name}-with-pdf-copy"] = document(model, RECORDS["full"], b"%PDF-1.7 " + b"x" * 999)
        control = files[f"{name}-full"].replace(DEMANDED[name], "", 1)
        assert control != files[f"{name}-full"]
        files[f"{name}-control"] = control
        for stem, content in files.items():
            (folder / f"{stem}.xml").write_text(content, encoding="utf-8", newline="")
    return check(shared, folder, request.config.cache.mkdir("schematron"))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("variant", [*RECORDS, "with-pdf-copy"])
def test_passes_every_rule(reports, name, variant):
    report = reports[f"{name}-{variant}"]
    assert not report["xsd"]
    assert not report["findings"]
    assert report["valid"]
    assert report["fired"][SCHEMATRON[name]]


def test_the_list_of_measures_is_the_official_one(shared):
    values = etree.parse(str(shared / "cisis" / "jeuxDeValeurs" / "JDV_SignesVitaux_CISIS.xml"))
    assert {c.get("code") for c in values.iter("{*}Concept")} == vital_sign.CODES


@pytest.mark.parametrize("name", MODELS)
def test_the_rules_do_fire(reports, name):
    assert not reports[f"{name}-control"]["valid"]


@pytest.fixture(scope="module")
def schema(shared) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(shared / "cisis" / "xsd" / "CDA_extended.xsd")))


TABLES = ("problem", "allergy", "treatment", "risk_factor", "lab_result", "vital_sign", "immunization")


def rows(table: str) -> st.SearchStrategy[list[Any]]:
    odd = {
        "booster": st.none() | st.booleans(),
        "long_term": st.none() | st.booleans(),
        "dose": st.none() | st.integers(-9, 99),
    }
    columns = {name: (WORDS | odd).get(name, st.none() | ANY) for name in ROW[table]._fields} | {
        "key": ANY,
        "label": ANY,
    }
    return st.lists(st.builds(ROW[table], **columns), unique_by=lambda line: line.key, max_size=3)


@pytest.mark.parametrize("name", MODELS)
@given(st.fixed_dictionaries({table: rows(table) for table in TABLES}))
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_content_is_valid_against_the_schema(schema, name, record):
    schema.assertValid(etree.fromstring(document(MODELS[name], record, b"%PDF").encode("utf-8")))


CODES = (
    (None, None),
    ("I10", CIM10),
    ("e119", CIM10),
    ("R96", CISP),
    ("HHFA001", CCAM),
    ("60234100", CIS),
    ("3400938022209", CIP),
    ("x y", "?"),
)
DATES = (None, "2019", "2019-03", "2019-03-28", "2019-03-28T09:30:00", "2019-02-30", "vers 1990")
TEXTS = ("Hypertension artérielle", "Asthme", "", HOSTILE, "x" * 3000, "Œdème 🩺")


def drawn(seed: int) -> Record:
    """A record of 0 to 40 rows, the same for the same seed."""
    pick = random.Random(seed)
    columns: dict[str, tuple[Any, ...]] = {
        "assertion": ("affirmed", "affirmed", "denied", "not_recorded"),
        "severity": (None, "mild", "moderate", "severe", "unknown"),
        "unit": (None, "kg", "mmHg", "mm[Hg]", "Cel", "g/L", "??"),
        "value": (None, "1.10", "58", "-3", "positif"),
        "low": (None, "1", "0.70"),
        "high": (None, "2"),
        "flag": (None, "N", "H", "LL"),
        "dose": (None, 1, 2),
        "booster": (None, True, False),
        "long_term": (None, True, False),
        "status": (None, "final", "partial", "corrected", "cancelled"),
        "route_code": (None,),
        "site_code": (None,),
    }
    record: Record = {}
    for table in TABLES:
        made = []
        for n in range(pick.choice((0, 1, 2, 6))):
            code, system = pick.choice(CODES)
            values = {f: pick.choice(columns.get(f, TEXTS)) for f in ROW[table]._fields} | {
                "key": f"{table}{n}",
                "code": code,
                "system": system,
            }
            for name in ("onset", "resolved", "recorded", "start", "stop", "given", "measured", "validated"):
                values[name] = pick.choice(DATES)
            values["category"] = pick.choice(CATEGORIES if table == "problem" else FACTORS)
            if table == "vital_sign":
                values["code"] = pick.choice(("29463-7", "8480-6", "8310-5", "56115-9"))
            made.append(ROW[table](**{f: values[f] for f in ROW[table]._fields}))
        record[table] = made
    return record


@pytest.mark.skipif(not os.environ.get("TRANSVASE_CDA_CAMPAIGN"), reason="by hand: TRANSVASE_CDA_CAMPAIGN=1000")
@pytest.mark.parametrize("name", [*MODELS, "vsm"])
def test_campaign(shared, tmp_path, request, name):
    count = int(os.environ["TRANSVASE_CDA_CAMPAIGN"])
    folder = tmp_path / "cda"
    folder.mkdir()
    for seed in range(count):
        content = document(MODELS.get(name, vsm), drawn(seed), b"%PDF-1.7" if seed % 3 == 0 else None)
        (folder / f"{seed:05}.xml").write_text(content, encoding="utf-8", newline="")
    found = check(shared, folder, request.config.cache.mkdir("schematron"))
    assert len(found) == count
    assert [stem for stem, report in found.items() if not report["valid"]] == []
