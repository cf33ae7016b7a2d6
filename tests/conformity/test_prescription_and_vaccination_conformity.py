"""Every form of e-prescription, of vaccination history and of vaccination note that we write passes the official XSD and Schematrons,
warnings included.

The official rules run once, in a process of their own, on a folder of all the variants of these models; a broken document of each stands
among them, so that a tool that checks nothing is seen. `TRANSVASE_CAMPAIGN=1000` adds as many drawn documents of each model.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from transvase.exporters.cda import ep_med_dm, header, vac, vac_note
from transvase.model.clock import hl7
from transvase.model.record import ROW
from transvase.model.table import Kind
from transvase.model.tables import TABLES

pytestmark = [pytest.mark.shared, pytest.mark.slow]

OID = "1.2.250.1.213.9.9"
IDS = f"{OID}.13.7"
CIS, CIP, ATC = "1.2.250.1.213.2.3.1", "1.2.250.1.213.2.3.2", "2.16.840.1.113883.6.73"
EMDN, LPP = "1.2.250.1.213.2.68", "1.2.250.1.215.200.2.1"
ABSENCE = "2.16.840.1.113883.5.1150.1"
PDF = b"%PDF-1.7 " + b"x" * 99
HOSTILE = "<&>\"' \x00\x07\r\n\t\ufffe ]]> &amp; {ids} é 🩺"
LONG = "Très long " * 400


def row(table: str, key: str, **values: Any) -> Any:
    kind = ROW[table]
    filled = {"key": key, "patient": "7"} | values
    assert values.keys() <= set(kind._fields)
    return kind(**{name: filled.get(name) for name in kind._fields})


def order(category: str = "medication", **values: Any) -> Any:
    return row("prescription", "o1", **{"category": category, "prescribed": "2026-01-02T09:30:00"} | values)


def line(key: str, label: str = "PARACÉTAMOL 500 mg, comprimé", **values: Any) -> Any:
    return row("prescription_line", key, prescription="o1", label=label, **values)


def vaccine(key: str, label: str = "Vaccin tétanique", assertion: str = "affirmed", **values: Any) -> Any:
    return row("immunization", key, label=label, assertion=assertion, **values)


FULL_LINE: dict[str, Any] = {
    "code": "63107752", "system": CIS, "dosage": "1 comprimé 3 fois par jour", "duration": "5 jours", "renewals": 3,
    "long_term": True, "work_related": False, "prevention": True, "not_reimbursed": False, "off_label": True,
    "unsubstitutable": True, "unsubstitutable_reason": "Marge thérapeutique étroite", "start": "2026-01-02", "stop": "2026-01-06",
    "dose": "1.5", "dose_unit": "comprimé", "frequency": 3, "period": "1", "period_unit": "d", "route": "Voie orale",
    "route_code": "20053000", "quantity": "2", "quantity_unit": "boîte", "instruction": "Au cours d'un repas",
    "dispenser_instruction": "Délivrer par mois",
}  # fmt: skip
FULL_VACCINE: dict[str, Any] = {
    "code": "68747507", "system": CIS, "lot": "4456672", "given": "2026-01-02", "dose": 2, "booster": True,
    "route": "Voie intramusculaire", "route_code": "20035000", "site": "Deltoïde gauche", "site_code": "16217701000119102",
    "performer": "Dr Charles Muller", "reaction": "Fièvre", "comment": "Usager informé", "practitioner": "2",
}  # fmt: skip


def texts(table: str, value: str) -> dict[str, Any]:
    """All the columns of words of a table with the same words."""
    kept = {"key", "patient", "prescription", "assertion", "practitioner", "system", "code"}
    return {
        c.name: value
        for c in TABLES[table].own
        if c.kind is Kind.TEXT and c.name not in kept and c.name != "period_unit"
    }


ORDERS: dict[str, tuple[Any, list[Any]]] = {
    "bare": (order(), [line("1")]),
    "full": (
        order(valid_until="2026-04-02", e_prescription="01S2TBPZ2JCNZZYGHZ", two_zones=True, exceptional=True, secured=True,
              urgent=True, at_home=True),
        [line("1", **FULL_LINE)],
    ),
    "valid-that-day": (order(valid_until="2026-01-02"), [line("1")]),
    "valid-that-month": (order(valid_until="2026-01"), [line("1")]),
    "valid-that-year": (order(valid_until="2026"), [line("1")]),
    "valid-before-it-was-signed": (order(valid_until="2025-12-31"), [line("1")]),
    "valid-until-an-impossible-day": (order(valid_until="2026-02-30"), [line("1")]),
    "signed-that-day": (order(prescribed="2026-01-02", valid_until="2026-01-02"), [line("1")]),
    "code-of-absence": (order(), [line("1", code="no-known-medications", system=ABSENCE)]),
    "circumstances-denied": (order(two_zones=False, exceptional=False, secured=False, urgent=False, at_home=False), [line("1")]),
    "several": (order(), [line(str(n), **FULL_LINE) for n in range(5)]),
    "ticks-yes": (order(), [line("1", **dict.fromkeys(("long_term", "work_related", "prevention", "not_reimbursed", "off_label"), True))]),
    "ticks-no": (order(), [line("1", **dict.fromkeys(("long_term", "work_related", "prevention", "not_reimbursed", "off_label"), False))]),
    "substitutable": (order(), [line("1", unsubstitutable=False)]),
    "unsubstitutable-without-reason": (order(), [line("1", unsubstitutable=True)]),
    "code-cip": (order(), [line("1", code="3400933516390", system=CIP)]),
    "code-atc": (order(), [line("1", code="N02BE01", system=ATC)]),
    "code-malformed": (order(), [line("1", code="631", system=CIS)]),
    "code-without-system": (order(), [line("1", code="63107752")]),
    "code-hostile": (order(), [line("1", code=HOSTILE, system=HOSTILE)]),
    "start-only": (order(), [line("1", start="2026-01-02")]),
    "stop-only": (order(), [line("1", stop="2026-01")]),
    "dates-impossible": (order(prescribed="2026-02-30"), [line("1", start="2026-02-30", stop="vers mars")]),
    "dose-in-ucum": (order(), [line("1", dose="500", dose_unit="mg"), line("2", dose="0.5", dose_unit="ml"), line("3", dose="1000", dose_unit="UI")]),
    "dose-not-a-number": (order(), [line("1", dose="un demi", dose_unit="comprimé")]),
    "dose-negative": (order(), [line("1", dose="-1", quantity="-2")]),
    "rhythm-hours": (order(), [line("1", frequency=1, period="8", period_unit="h")]),
    "rhythm-week": (order(), [line("1", frequency=2, period="1", period_unit="wk")]),
    "rhythm-month": (order(), [line("1", frequency=3, period="1", period_unit="mo")]),
    "rhythm-seven-a-day": (order(), [line("1", frequency=7, period="1", period_unit="d")]),
    "rhythm-null": (order(), [line("1", frequency=0, period="0", period_unit="d")]),
    "rhythm-incomplete": (order(), [line("1", frequency=3), line("2", period="2", period_unit="d")]),
    "route-in-words": (order(), [line("1", route="par la bouche")]),
    "route-code-alone": (order(), [line("1", route_code="20066000")]),
    "route-code-malformed": (order(), [line("1", route_code="PO")]),
    "renewals-negative": (order(), [line("1", renewals=-1)]),
    "texts-hostile": (order(e_prescription="x"), [line("1", HOSTILE, **{k: v for k, v in texts("prescription_line", HOSTILE).items() if k != "label"})]),
    "texts-long": (order(), [line("1", LONG, **{k: v for k, v in texts("prescription_line", LONG).items() if k not in ("label", "route_code")})]),
    "label-empty": (order(), [line("1", "")]),
    "keys-hostile": (order()._replace(key=HOSTILE * 9), [line(HOSTILE * 9, **FULL_LINE)]),
    "device": (order("device"), [line("1", "Lit médical")]),
    "device-full": (
        order("device", valid_until="2026-07-02"),
        [line("1", "Lit médical", **FULL_LINE | {"code": "1215702", "system": LPP})],
    ),
    "device-emdn": (order("device"), [line("1", "Lit médical", code="V0806", system=EMDN)]),
    "device-hostile": (order("device"), [line("1", HOSTILE, **{k: v for k, v in texts("prescription_line", HOSTILE).items() if k != "label"})]),
}  # fmt: skip

HISTORIES: dict[str, list[Any]] = {
    "empty": [],
    "bare": [vaccine("1")],
    "full": [vaccine("1", **FULL_VACCINE)],
    "several": [vaccine(str(n), **FULL_VACCINE | {"dose": n}) for n in range(6)],
    "denied": [vaccine("1", assertion="denied", **FULL_VACCINE)],
    "denied-bare": [vaccine("1", assertion="denied")],
    "not-recorded": [vaccine("1", assertion="not_recorded")],
    "not-recorded-beside-one-given": [vaccine("1"), vaccine("2", assertion="not_recorded")],
    "none-known": [vaccine("1", "Pas de vaccin connu", "denied", code="no-known-immunizations", system=ABSENCE)],
    "no-information": [vaccine("1", "Inconnu", "not_recorded", code="no-immunization-info", system=ABSENCE)],
    "absence-contradicted": [vaccine("1", "Pas de vaccin", "affirmed", code="no-known-immunizations", system=ABSENCE)],
    "absence-of-something-else": [vaccine("1", "Pas d'allergie", "denied", code="no-known-allergies", system=ABSENCE)],
    "first-series": [vaccine("1", booster=False)],
    "reaction-alone": [vaccine("1", reaction="Fièvre")],
    "comment-alone": [vaccine("1", comment="Prochaine dose en mars")],
    "rank-alone": [vaccine("1", dose=1)],
    "rank-null": [vaccine("1", dose=0), vaccine("2", dose=-1)],
    "code-atc": [vaccine("1", code="J07AM", system=ATC)],
    "code-hostile": [vaccine("1", code=HOSTILE, system=HOSTILE)],
    "dates": [vaccine(str(n), given=d) for n, d in enumerate(("2009", "2009-08", "2009-02-30", "vers 1990", "0001-01-01"))],
    "route-outside-the-list": [vaccine("1", route="Voie nasale", route_code="20049000")],
    "route-in-words": [vaccine("1", route="IM")],
    "site-outside-the-list": [vaccine("1", site="Fesse", site_code="46862004")],
    "site-in-words": [vaccine("1", site="bras")],
    "codes-alone": [vaccine("1", route_code="20066000", site_code="61396006")],
    "codes-malformed": [vaccine("1", route_code="SC", site_code="bras")],
    "performer": [vaccine("1", performer="Infirmière")],
    "author-unknown": [vaccine("1", practitioner="99")],
    "texts-hostile": [vaccine("1", HOSTILE, **{k: v for k, v in texts("immunization", HOSTILE).items() if k != "label"})],
    "texts-long": [vaccine("1", LONG, **{k: v for k, v in texts("immunization", LONG).items() if k != "label"})],
    "label-empty": [vaccine("1", "")],
    "keys-hostile": [vaccine(HOSTILE * 9, **FULL_VACCINE)],
}  # fmt: skip

PRACTICE = header.structure(
    row("practice", "1", name="Cabinet du Parc", struct_idnat="1750000000", oid=OID, facility_type="SA07",
        practice_setting="AMBULATOIRE", address="1 rue du Parc", postal_code="75001", city="Paris", phone="01 02 03 04 05")
)  # fmt: skip
DOCTOR = header.signatory(
    row("practitioner", "2", idnat="899900000000", family="DUPONT", given="Anne", prefix="MME", suffix="DR",
        specialty="G15_10/SM26"),
    OID,
)  # fmt: skip
PERSON = row(
    "patient", "7", ins="279035121518989", ins_oid="1.2.250.1.213.1.4.10", birth_family="PAT-TROIS",
    birth_given="DOMINIQUE MARIE-LOUISE", birth_first_given="DOMINIQUE", sex="F", birth_date="1979-03-28",
    birth_place_code="51215", birth_place="DOMPREMY",
)  # fmt: skip


def heading(model: Any, **values: Any) -> header.Heading:
    sound: dict[str, Any] = {
        "templates": model.TEMPLATES, "id": f"{OID}.12.1", "set_id": f"{OID}.12", "version": 1, "replaces": "",
        "type_code": model.TYPE_CODE, "title": model.TITLE, "created": "20260102101500+0100", "act": "20260102093000+0100",
        "act_end": "", "event": model.EVENT,
    }  # fmt: skip
    return header.Heading(**sound | values)


def prescription(prescribed: Any, lines: list[Any], person: Any = PERSON) -> str:
    head = heading(
        ep_med_dm,
        event=ep_med_dm.event(prescribed),
        extra_documentation=ep_med_dm.circumstances(prescribed),
        act=hl7(prescribed.prescribed) or "20260102093000+0100",
        act_high=ep_med_dm.validity(prescribed),
    )
    target = header.record_target(person, OID, True, reachable=True)
    return header.document(head, target, DOCTOR, DOCTOR, PRACTICE, ep_med_dm.body(prescribed, lines, IDS, PDF))


def history(rows: list[Any], pdf: bytes | None = None) -> str:
    target = header.record_target(PERSON, OID, True)
    return header.document(heading(vac), target, DOCTOR, DOCTOR, PRACTICE, vac.body(rows, IDS, pdf, {"2": DOCTOR}))


def note(one: Any, pdf: bytes | None = None) -> str:
    target = header.record_target(PERSON, OID, True)
    head = heading(vac_note, act=hl7(one.given))
    return header.document(head, target, DOCTOR, DOCTOR, PRACTICE, vac_note.body(one, IDS, DOCTOR, pdf))


# Each vaccination of the histories that can have a note, on a day that is known.
NOTES = {
    f"{name}-{n}": one._replace(given="2026-01-02", key=one.key or "k", assertion="affirmed")
    for name, rows in HISTORIES.items()
    for n, one in enumerate(rows)
    if one.assertion == "affirmed"
}


# ------------------------------------------------------------------ the campaign

WORDS = (None, "", "Voie orale", HOSTILE, LONG[:600], "3", "é" * 300)
VALUES: dict[str, tuple[Any, ...]] = {
    "code": (None, "63107752", "3400933516390", "N02BE01", "V0806", "no-known-immunizations", "no-immunization-info", HOSTILE),
    "system": (None, CIS, CIP, ATC, LPP, ABSENCE, "CIS"),
    "assertion": ("affirmed", "affirmed", "denied", "not_recorded"),
    "period_unit": (None, "h", "d", "wk", "mo"),
    "route_code": (None, "20053000", "20035000", "20049000", "PO"),
    "site_code": (None, "61396006", "46862004", "bras"),
    "practitioner": (None, "2", "99"),
}  # fmt: skip
KINDS: dict[Kind, tuple[Any, ...]] = {
    Kind.TEXT: WORDS,
    Kind.FLAG: (None, True, False),
    Kind.INTEGER: (None, 0, 1, 3, 7, 40, -1),
    Kind.DECIMAL: (None, "1", "0.5", "12", "0", "-1", "1000000", "un"),
    Kind.DATE: (None, "2026", "2026-01", "2026-01-02", "2026-02-30", "vers 1990"),
    Kind.INSTANT: ("2026-01-02T09:30:00", "2025-12-31", "2025"),
}


def drawn(draw: Random, table: str, key: str, **fixed: Any) -> Any:
    """A row of any admitted or broken values."""
    values = {c.name: draw.choice(VALUES.get(c.name, KINDS[c.kind])) for c in TABLES[table].own}
    if "label" in values:
        values["label"] = values["label"] or "Libellé"
    return row(table, **values | {"key": key, "patient": "7"} | fixed)


def campaign(count: int) -> dict[str, str]:
    """As many documents of each model, drawn with a seed."""
    draw = Random(20240101)
    files = {}
    for n in range(count):
        kind = "medication" if draw.random() < 0.8 else "device"
        ordered = drawn(draw, "prescription", f"o{n}", category=kind, e_prescription=draw.choice((None, f"EP{n}")))
        lines = [drawn(draw, "prescription_line", f"{n}-{i}", prescription=f"o{n}") for i in range(draw.randint(1, 6))]
        files[f"drawn-ep-{n}"] = prescription(ordered, lines)
        rows = [drawn(draw, "immunization", f"{n}-{i}") for i in range(draw.randint(0, 6))]
        files[f"drawn-vac-{n}"] = history(rows, PDF if draw.random() < 0.2 else None)
    draw = Random(20240102)
    for n in range(count):
        given = draw.choice(("2026-01-02", "1975-12-31"))
        one = drawn(draw, "immunization", f"{n}", assertion="affirmed", given=given)
        files[f"drawn-note-{n}"] = note(one, PDF if draw.random() < 0.2 else None)
    return files


DRAWN = int(os.environ.get("TRANSVASE_CAMPAIGN", "10"))


@pytest.fixture(scope="module")
def reports(shared, tmp_path_factory, request) -> dict[str, dict[str, Any]]:
    """Findings of the official rules for each file, by its name."""
    folder = tmp_path_factory.mktemp("documents")
    files = {f"ep-{name}": prescription(*said) for name, said in ORDERS.items()}
    files |= {f"vac-{name}": history(rows) for name, rows in HISTORIES.items()}
    files["vac-with-pdf-copy"] = history(HISTORIES["full"], PDF)
    files |= {f"note-{name}": note(one) for name, one in NOTES.items()}
    files["note-with-pdf-copy"] = note(NOTES["full-0"], PDF)
    known = {"address": "2 rue du Pré", "postal_code": "51000", "city": "CHALONS", "phone": "0300000000"}
    files["ep-patient-reachable"] = prescription(*ORDERS["full"], PERSON._replace(**known))
    files |= campaign(DRAWN)
    files["control-ep"] = files["ep-full"].replace('<templateId root="1.2.250.1.213.1.1.2.171"/>', "", 1)
    files["control-vac"] = files["vac-full"].replace('<id root="1.2.250.1.213.9.9.13.7.0.101.1" extension="1"/>', "", 1)
    files["control-note"] = files["note-full-0"].replace("<lotNumberText>4456672</lotNumberText>", "", 1)
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
    by_name = {Path(r["file"]).stem: r for r in json.loads(found.read_text(encoding="utf-8"))}
    assert set(by_name) == set(files)
    return by_name


SCHEMATRON = {
    "ep": "CI-SIS_EP-MED-DM_2024.01",
    "vac": "CI-SIS_VAC_2023.01",
    "note": "CI-SIS_VAC-NOTE_2023.01",
}


@pytest.mark.parametrize(
    "name",
    [
        *(f"ep-{n}" for n in ORDERS),
        "ep-patient-reachable",
        *(f"vac-{n}" for n in HISTORIES),
        "vac-with-pdf-copy",
        *(f"note-{n}" for n in NOTES),
        "note-with-pdf-copy",
    ],
)
def test_passes_every_rule(reports, name):
    report = reports[name]
    assert not report["xsd"]
    assert not report["findings"]
    assert report["valid"]
    assert report["fired"][SCHEMATRON[name.partition("-")[0]]]


def test_twenty_documents_of_each_model_at_least():
    assert min(map(len, (ORDERS, HISTORIES, NOTES))) >= 20


def test_drawn_documents_pass_every_rule(reports):
    failed = {n: r["xsd"] or r["findings"] for n, r in reports.items() if n.startswith("drawn-") and not r["valid"]}
    assert sum(n.startswith("drawn-") for n in reports) == len(SCHEMATRON) * DRAWN
    assert not failed


@pytest.mark.parametrize("model", SCHEMATRON)
def test_the_rules_do_fire(reports, model):
    assert not reports[f"control-{model}"]["valid"]


@pytest.fixture(scope="module")
def schema(shared) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(shared / "cisis" / "xsd" / "CDA_extended.xsd")))


ANY = st.text(st.characters(exclude_categories=()), max_size=8)
ANYTHING = {
    Kind.TEXT: st.none() | ANY,
    Kind.DATE: st.none() | ANY,
    Kind.INSTANT: ANY,
    Kind.DECIMAL: st.none() | ANY | st.decimals(allow_nan=False, allow_infinity=False).map(lambda d: f"{d:f}"),
    Kind.INTEGER: st.none() | st.integers(-(2**63), 2**63 - 1),
    Kind.FLAG: st.none() | st.booleans(),
}


def rows(table: str, least: int = 0) -> st.SearchStrategy[list[Any]]:
    columns = {name: st.just("x") for name in ROW[table]._fields}
    columns |= {c.name: ANYTHING[c.kind] if not c.values else st.sampled_from(c.values) for c in TABLES[table].own}
    columns |= {"key": ANY, "label": ANY}
    return st.lists(st.builds(ROW[table], **columns), unique_by=lambda r: r.key, min_size=least, max_size=3)


@given(st.sampled_from(["medication", "device"]), ANY, rows("prescription_line", 1))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_prescription_is_valid_against_the_schema(schema, category, key, lines):
    text = prescription(order(category)._replace(key=key), lines)
    schema.assertValid(etree.fromstring(text.encode("utf-8")))


@given(rows("immunization"))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_vaccination_is_valid_against_the_schema(schema, given_rows):
    schema.assertValid(etree.fromstring(history(given_rows).encode("utf-8")))
