"""Laboratory reports and liaison letters of every shape, for the official rules and for the readers. Only tests use it.

`REPORTS`, `ENTRIES` and `DISCHARGES` are the named cases; `drawn` makes more of them from a seed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

from transvase.exporters.cda import cr_bio, header, ldl
from transvase.model.record import ROW, Record

LOINC = "2.16.840.1.113883.6.1"
CIM10 = "2.16.840.1.113883.6.3"
CCAM = "1.2.250.1.215.300.1"
CIS = "1.2.250.1.213.2.3.1"
CIP = "1.2.250.1.213.2.3.2"
LOCAL = "1.2.250.1.999.7"
HOSTILE = "<&>\"' \x00\x07\r\n\t\ufffe ]]> &amp; é 🩺"
PRACTICE_OID = "1.2.250.1.213.9.9"
IDS = f"{PRACTICE_OID}.13.7"
PDF = b"%PDF-1.7 " + b"x" * 99


def row(table: str, key: str, **values: Any) -> Any:
    kind = ROW[table]
    filled = {"key": key, "patient": "7"} | values
    return kind(**{name: filled.get(name) for name in kind._fields})


def lab(key: str, **values: Any) -> Any:
    given = {"label": "Glycémie", "value": "1.10", "unit": "g/L", "measured": "2026-01-02T08:00:00"} | values
    return row("lab_result", key, **given)


def treatment(key: str, **values: Any) -> Any:
    given = {"label": "PLAVIX 75 mg", "assertion": "affirmed"} | values
    return row("treatment", key, **given)


def allergy(key: str, **values: Any) -> Any:
    return row("allergy", key, **({"label": "Pénicilline", "assertion": "affirmed"} | values))


def problem(key: str, category: str, **values: Any) -> Any:
    return row("problem", key, category=category, **({"label": "Hypertension", "assertion": "affirmed"} | values))


STATES = (None, "final", "partial", "corrected", "cancelled")
FLAGS = (None, "N", "L", "H", "LL", "HH", "A", "AA", "S", "I", "R")
UNITS = (
    None,
    "g/L",
    "G/L",
    "mUI/l",
    "UI/L",
    "%",
    "µmol/L",
    "μg/L",
    "/mm3",
    "unités maison",
    "x'y",
    "10*9/L",
    "mL/min/1,73m2",
)
CHAPTERS = (
    None, "BIOCHIMIE", "Hématologie", "Hémostase - coagulation", "Bactériologie", "Sérologie", "Divers", "PROTÉINES", "Cytologie",
)  # fmt: skip

TEXTS = ("label", "value_text", "unit", "chapter", "panel", "specimen", "method", "laboratory", "validated_by")

FULL = [
    lab("1", code="2345-7", system=LOINC, low="0.70", high="1.10", flag="N", chapter="BIOCHIMIE", panel="Bilan glucidique",
        specimen="Sérum", method="Hexokinase", status="final", laboratory="Laboratoire des Charmilles",
        validated_by="Dr Odile Ravenel", validated="2026-01-02T11:20:00", comment="À jeun"),
    lab("2", label="HbA1c", code="4548-4", system=LOINC, value="6.4", unit="%", chapter="BIOCHIMIE", panel="Bilan glucidique",
        specimen="Sang", status="final", laboratory="Laboratoire des Charmilles", validated_by="Dr Odile Ravenel",
        validated="2026-01-02T11:20:00"),
    lab("3", label="Paludisme", code="PARA12", value=None, unit=None, value_text="Négatif", chapter="Parasitologie", flag="A"),
    lab("4", label="TSH", code="7", system=LOCAL, value="1.950", unit="mUI/l", low="0.270", high="4.200", status="partial"),
    lab("5", label="INR", value="2.0", unit=None, low="0.8", high="1.2", flag="HH", chapter="Hémostase", status="corrected"),
    lab("6", label="Potassium", value=None, unit=None, status="cancelled", comment="Tube hémolysé"),
]  # fmt: skip

REPORTS: dict[str, list[Any]] = {
    "no-result": [],
    "full": FULL,
    "one": [lab("1")],
    **{f"status-{s}": [lab("1", status=s), lab("2", status=s, value=None, unit=None)] for s in STATES},
    "every-flag": [lab(str(n), flag=f) for n, f in enumerate(FLAGS)],
    "every-unit": [lab(str(n), unit=u, low="0.1", high="0.9") for n, u in enumerate(UNITS)],
    "every-chapter": [lab(str(n), chapter=c) for n, c in enumerate(CHAPTERS)],
    "bounds": [lab("1", low="0.1"), lab("2", high="0.1"), lab("3", low="1", high="2", unit=None), lab("4", low="x", high="y")],
    "number-and-words": [lab("1", value_text="hémolysé"), lab("2", value="1e3"), lab("3", value="١", unit="g/L")],
    "no-value": [lab("1", value=None, unit=None), lab("2", value=None, unit="g/L", status="cancelled")],
    "codes": [
        lab("1", code="2345-7", system=LOINC), lab("2", code="2345-7"), lab("3", code="PARA12", system="LABO"),
        lab("4", code="A B", system=LOCAL), lab("5", code="27", system=LOCAL), lab("6", code="GLUC", system=LOINC),
        lab("7", code=HOSTILE, system=HOSTILE),
    ],
    "dates": [lab(str(n), measured=d, specimen="Sang", validated=d) for n, d in enumerate(
        ("2019", "2019-03", "2019-03-28", "2019-03-28T09:30:00", "2019-02-30", "vers 1990", HOSTILE, "1900-01-01T00:00:00"))],
    "specimens": [lab("1", specimen="Sang"), lab("2", specimen="Sang"), lab("3", specimen="Urines"), lab("4")],
    "validators": [lab("1", validated_by="Dr A"), lab("2", validated="2026-01-03"), lab("3", laboratory="L2"), lab("4")],
    "hostile": [line._replace(**dict.fromkeys((*TEXTS, "comment", "code"), HOSTILE))
        for line in FULL],
    "hostile-keys": [line._replace(key=HOSTILE * 9 + line.key) for line in FULL],
    "empty-texts": [line._replace(label="", unit="", value="", value_text="", specimen="", comment="") for line in FULL],
    "longest": [lab("1", **dict.fromkeys(TEXTS, "é" * 5000))],
}  # fmt: skip

RECORD: Record = {
    "problem": [
        problem("1", "problem", code="I10", system=CIM10, onset="2019-03-28"),
        problem("2", "history", label="Pneumopathie", code="J18.9", system=CIM10, onset="2011", resolved="2011-04-02"),
        problem("3", "surgery", label="Appendicectomie", code="HHFA001", system=CCAM, onset="1998-07-12"),
        problem("4", "trauma", label="Entorse"),
        problem("5", "family", label="Diabète, mère"),
        problem("6", "problem", label="Diabète", assertion="denied"),
    ],
    "allergy": [allergy("1", code="60234100", system=CIS, reaction="Urticaire", severity="moderate"), allergy("2", assertion="denied")],
    "treatment": [
        treatment("1", code="63564053", system=CIS, dosage="1 le matin", start="2019-08-11", long_term=True),
        treatment("2", code="3400938022209", system=CIP, start="2020", stop="2021-05"),
        treatment("3", label="Tisane", assertion="denied"),
    ],
    "lab_result": [lab("1", flag="N")],
}  # fmt: skip


def said(assertion: str) -> Record:
    return {
        name: [r._replace(assertion=assertion) for r in rows] for name, rows in RECORD.items() if name != "lab_result"
    }


def hostile(record: Record) -> Record:
    fields = ("label", "code", "dosage", "reaction")
    return {
        name: [r._replace(**{f: HOSTILE for f in fields if hasattr(r, f)}) for r in rows]
        for name, rows in record.items()
    }


RECORDS: dict[str, Record] = {
    "empty": {},
    "full": RECORD,
    "denied": said("denied"),
    "not-recorded": said("not_recorded"),
    "hostile": hostile(RECORD),
    "no-label": {name: [r._replace(label="") for r in rows] for name, rows in RECORD.items()},
    "surgery-only": {"problem": RECORD["problem"][2:3]},
    "active-only": {"problem": RECORD["problem"][:1]},
    "surgery-not-recorded": {"problem": [problem("3", "surgery", assertion="not_recorded")]},
    "absence-by-code": {
        "allergy": [allergy("1", assertion="denied", code="no-known-allergies", system="2.16.840.1.113883.5.1150.1")],
        "treatment": [
            treatment("1", assertion="denied", code="no-known-medications", system="2.16.840.1.113883.5.1150.1")
        ],
    },
}
LETTERS = {
    "plain": ldl.EntryLetter("Dyspnée", "Vit seule\nVoisine à prévenir"),
    "silent": ldl.EntryLetter(),
    "hostile": ldl.EntryLetter(HOSTILE, HOSTILE),
}
STAYS = {
    "silent": ldl.Stay(),
    "full": ldl.Stay(
        "Décompensation", "approved", "urgent", "2026-01-02", "home", "2026-01-09", "Évolution favorable", "Chute", True,
        "E. coli BLSE", True, "Aucun", False, "Aucun", tuple(RECORD["treatment"]), "Écho attendue", "Consultation à un mois",
    ),
    "hostile": ldl.Stay(HOSTILE, "closed", "transfer", HOSTILE, "other", HOSTILE, *([HOSTILE] * 2), True, HOSTILE, False, HOSTILE,
                        None, HOSTILE, (), HOSTILE, HOSTILE),
    **{f"arrival-{n}": ldl.Stay(arrival=n) for n in ldl.ARRIVALS},
    **{f"departure-{n}": ldl.Stay(departure=n) for n in ldl.DEPARTURES},
    **{f"state-{n}": ldl.Stay(state=n) for n in ldl.STATES},
}  # fmt: skip

PRACTICE = header.structure(
    row("practice", "1", name="Cabinet du Parc", struct_idnat="1750000000", oid=PRACTICE_OID, facility_type="SA07",
        practice_setting="AMBULATOIRE", address="1 rue du Parc", postal_code="75001", city="Paris", phone="01 02 03 04 05")
)  # fmt: skip
UNREACHED = header.structure(row("practice", "1", name="Cabinet", struct_idnat="1750000000", oid=PRACTICE_OID))
DOCTOR = header.signatory(
    row("practitioner", "2", idnat="899900000000", family="DUPONT", given="Anne", prefix="MME", suffix="DR",
        specialty="G15_10/SM26"), PRACTICE_OID,
)  # fmt: skip
PATIENT = header.record_target(
    row("patient", "7", ins="279035121518989", ins_oid="1.2.250.1.213.1.4.10", birth_family="PAT-TROIS",
        birth_given="DOMINIQUE MARIE-LOUISE", birth_first_given="DOMINIQUE", sex="F", birth_date="1979-03-28",
        birth_place_code="51215", birth_place="DOMPREMY"), PRACTICE_OID, True,
)  # fmt: skip


def _document(body: str, templates: str, type_code: str, title: str, practice: header.Structure, **more: str) -> str:
    heading = header.Heading(
        templates=templates,
        id=f"{PRACTICE_OID}.12.1",
        set_id=f"{PRACTICE_OID}.12",
        version=1,
        replaces="",
        type_code=type_code,
        title=title,
        created="20260102101500+0100",
        act="20260102093000+0100",
        act_end="",
        **more,
    )
    return header.document(heading, PATIENT, DOCTOR, DOCTOR, practice, body)


def report(rows: list[Any], practice: header.Structure = PRACTICE) -> str:
    """A whole CR-BIO."""
    event, others = cr_bio.events(rows)
    return _document(
        cr_bio.body(rows, IDS, PDF),
        cr_bio.TEMPLATES,
        cr_bio.TYPE_CODE,
        cr_bio.TITLE,
        practice,
        event=event,
        extra_documentation=others,
        performer=cr_bio.performer(DOCTOR, practice, "20260102101500+0100"),
        responsible=cr_bio.responsible(DOCTOR, practice),
    )


def entry_letter(record: Record, letter: ldl.EntryLetter, pdf: bytes | None = None) -> str:
    """A whole LDL-EES."""
    return _document(ldl.entry_body(record, letter, IDS, pdf), *ldl.ENTRY, PRACTICE, event=ldl.EVENT)


def discharge_letter(record: Record, stay: ldl.Stay, pdf: bytes | None = None) -> str:
    """A whole LDL-SES."""
    return _document(ldl.discharge_body(record, stay, IDS, pdf), *ldl.DISCHARGE, PRACTICE, event=ldl.EVENT)


def reports() -> dict[str, str]:
    """The named CR-BIO."""
    made = {name: report(rows) for name, rows in REPORTS.items()}
    return made | {"practice-without-address": report(FULL, UNREACHED)}


def entry_letters() -> dict[str, str]:
    """The named LDL-EES."""
    made = {name: entry_letter(record, LETTERS["plain"]) for name, record in RECORDS.items()}
    made |= {f"letter-{name}": entry_letter(RECORD, letter) for name, letter in LETTERS.items()}
    return made | {"with-pdf": entry_letter(RECORD, LETTERS["plain"], PDF)}


def discharge_letters() -> dict[str, str]:
    """The named LDL-SES."""
    made = {name: discharge_letter(record, STAYS["full"]) for name, record in RECORDS.items()}
    made |= {f"stay-{name}": discharge_letter(RECORD, stay) for name, stay in STAYS.items()}
    return made | {"with-pdf": discharge_letter(RECORD, STAYS["full"], PDF)}


_WORDS = ("Glycémie", "", "é", HOSTILE, "Sang", "x" * 300, "a  b", "#", "%s", "Dr A. Béranger", "\u202e")
_DATES = (None, "2019", "2019-03", "2019-03-28", "2024-02-29T23:59:59", "2019-02-30", "hier", "20240101")
_NUMBERS = (None, "1.10", "0", "-3", "12345678.000", "1,5", "1e3", "<5", "")
_CODES = (
    (None, None),
    ("2345-7", LOINC),
    ("X1", None),
    ("27", LOCAL),
    ("A B", LOCAL),
    ("I10", CIM10),
    ("60234100", CIS),
)


def _row(random: Random, table: str, key: str, fixed: dict[str, tuple[Any, ...]]) -> Any:
    code, system = random.choice(_CODES)
    kind = ROW[table]
    values = {name: random.choice(fixed.get(name, (None, *_WORDS))) for name in kind._fields}
    return kind(**(values | {"key": key, "code": code, "system": system, "label": random.choice(_WORDS)}))


_LAB = {
    "value": _NUMBERS, "low": _NUMBERS, "high": _NUMBERS, "unit": UNITS, "flag": (*FLAGS, "?"), "status": STATES,
    "measured": _DATES, "validated": _DATES, "chapter": (*CHAPTERS, HOSTILE), "laboratory": (None, "L1", HOSTILE),
    "validated_by": (None, "Dr A"), "panel": (None, "NFS", HOSTILE),
}  # fmt: skip
_SAID = {
    "assertion": ("affirmed", "denied", "not_recorded"), "category": ("problem", "history", "surgery", "family", "trauma"),
    "onset": _DATES, "resolved": _DATES, "start": _DATES, "stop": _DATES, "long_term": (None, True, False),
    "severity": (None, "mild", "moderate", "severe", "unknown"),
}  # fmt: skip


def _record(random: Random) -> Record:
    return {
        table: [_row(random, table, f"{table}{n}", _SAID) for n in range(random.randrange(4))]
        for table in ("problem", "allergy", "treatment")
    }


def drawn(model: str, seed: int) -> str:
    """One more document of a model, always the same for the same seed."""
    random = Random(f"{model} {seed}")
    if model == "cr-bio":
        return report([_row(random, "lab_result", str(n), _LAB) for n in range(random.randrange(9))])
    if model == "ldl-ees":
        return entry_letter(_record(random), ldl.EntryLetter(random.choice(_WORDS), random.choice(_WORDS)))
    yes = (None, True, False)
    stay = ldl.Stay(
        reason=random.choice(_WORDS), state=random.choice([*ldl.STATES]), arrival=random.choice([*ldl.ARRIVALS]),
        arrived=random.choice(_DATES), departure=random.choice([*ldl.DEPARTURES]), left=random.choice(_DATES),
        synthesis=random.choice(_WORDS), adverse=random.choice(_WORDS), resistance_searched=random.choice(yes),
        resistance_found=random.choice(_WORDS), transfused=random.choice(yes), transfusion_accidents=random.choice(_WORDS),
        blood_products=random.choice(yes), blood_product_events=random.choice(_WORDS),
        stopped=[_row(random, "treatment", f"s{n}", _SAID) for n in range(random.randrange(3))],
        expected=random.choice(_WORDS), plan=random.choice(_WORDS),
    )  # fmt: skip
    results = [_row(random, "lab_result", str(n), _LAB) for n in range(random.randrange(3))]
    return discharge_letter(_record(random) | {"lab_result": results}, stay)


MODELS = {
    "cr-bio": "CI-SIS_BIO-CR-BIO_2024.01",
    "ldl-ees": "CI-SIS_LDL-EES_2022.01",
    "ldl-ses": "CI-SIS_LDL-SES_2022.01",
}


def checked(files: dict[str, str], folder: Path, shared: Path, cache: Path) -> dict[str, dict[str, Any]]:
    """Findings of the official XSD and Schematrons for each document, by name, warnings included."""
    for name, content in files.items():
        (folder / f"{name}.xml").write_text(content, encoding="utf-8", newline="")
    found = folder / "found.json"
    run = subprocess.run(
        [sys.executable, str(shared / "tools" / "cda_check.py"), "--by-template", "--strict", "--cache", str(cache),
         "--json", str(found), str(folder)],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONHASHSEED": "0"},
    )  # fmt: skip
    assert found.is_file(), run.stdout + run.stderr
    by_name = {Path(report["file"]).stem: report for report in json.loads(found.read_text(encoding="utf-8"))}
    assert set(by_name) == set(files)
    return by_name
