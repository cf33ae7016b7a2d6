"""Prescriptions and vaccinations read back: our own documents give the rows they were written from, the official examples what a row
can hold; and the rest is named, without a value of the patient."""

from __future__ import annotations

import math
import sqlite3
import time
from collections import Counter
from contextlib import closing
from datetime import datetime
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transvase.exporters.cda import ep_med_dm, header, vac, vac_note
from transvase.formats import cda
from transvase.model.clock import hl7
from transvase.model.identifiers import arc
from transvase.model.record import ROW
from transvase.model.table import Kind
from transvase.model.tables import TABLES
from transvase.sources import mapping
from transvase.sources.archive import statements
from transvase.sources.archive.statements import immunization, prescription
from transvase.sources.synthetic.practice import generate

OID = "1.2.250.1.213.9.9"
IDS = f"{OID}.13.7"
CIS, CIP = "1.2.250.1.213.2.3.1", "1.2.250.1.213.2.3.2"
ATC, LPP = "2.16.840.1.113883.6.73", "1.2.250.1.215.200.2.1"
ABSENCE = "2.16.840.1.113883.5.1150.1"


def row(table: str, key: str, **values: Any) -> Any:
    kind = ROW[table]
    return kind(**{name: ({"key": key, "patient": "7"} | values).get(name) for name in kind._fields})


def order(category: str = "medication", **values: Any) -> Any:
    return row("prescription", "o1", **{"category": category, "prescribed": "2026-01-02T09:30:00"} | values)


def line(key: str = "1", label: str = "PARACÉTAMOL 500 mg", **values: Any) -> Any:
    return row("prescription_line", key, prescription="o1", label=label, **values)


def vaccine(key: str = "1", label: str = "Vaccin tétanique", assertion: str = "affirmed", **values: Any) -> Any:
    return row("immunization", key, label=label, assertion=assertion, **values)


PRACTICE = header.structure(row("practice", "1", name="Cabinet du Parc", struct_idnat="1750000000", oid=OID))
DOCTOR = header.signatory(row("practitioner", "2", idnat="899900000000", family="DUPONT", specialty="G15_10/SM26"), OID)
PERSON = row("patient", "7", birth_family="PAT-TROIS", birth_given="DOMINIQUE", sex="F", birth_date="1979-03-28")


def document(model: Any, body: str, **values: Any) -> str:
    sound: dict[str, Any] = {
        "templates": model.TEMPLATES, "id": f"{OID}.12.1", "set_id": f"{OID}.12", "version": 1, "replaces": "",
        "type_code": model.TYPE_CODE, "title": model.TITLE, "created": "20260102101500+0100", "act": "20260102093000+0100",
        "act_end": "", "event": model.EVENT,
    }  # fmt: skip
    target = header.record_target(PERSON, OID, False, reachable=True)
    return header.document(header.Heading(**sound | values), target, DOCTOR, DOCTOR, PRACTICE, body)


def read(text: str) -> statements.Statements:
    return statements.read(cda.parse(text.encode("utf-8")))


def prescribed(said: Any, *lines: Any) -> statements.Statements:
    text = document(
        ep_med_dm,
        ep_med_dm.body(said, list(lines), IDS, b"%PDF"),
        event=ep_med_dm.event(said),
        extra_documentation=ep_med_dm.circumstances(said),
        act=hl7(said.prescribed),
        act_high=ep_med_dm.validity(said),
    )
    return read(text)


def vaccinated(*rows: Any) -> statements.Statements:
    return read(document(vac, vac.body(list(rows), IDS)))


LINES, VACCINES = f"{IDS}.0.101.1", f"{IDS}.0.101.1"


def held(values: dict[str, Any]) -> dict[str, Any]:
    """Columns that say something."""
    return {n: v for n, v in values.items() if v is not None}


def expected(one: Any, table: str, root: str, **changed: Any) -> dict[str, Any]:
    """The row as an import would give it: its own columns, under the key of its entry."""
    values = {c.name: getattr(one, c.name) for c in TABLES[table].own if c.name != "patient"}
    return held(values | {"key": str(arc("statement", table, root, one.key))} | changed)


def line_back(one: Any, said: Any) -> dict[str, Any]:
    key = str(arc("statement", "prescription", f"{IDS}.0.1", said.key))
    return expected(one, "prescription_line", LINES, prescription=key)


FULL: dict[str, Any] = {
    "code": "63107752", "system": CIS, "dosage": "1 comprimé 3 fois par jour", "duration": "5 jours", "renewals": 3,
    "long_term": True, "work_related": False, "prevention": True, "not_reimbursed": False, "off_label": True,
    "unsubstitutable": True, "unsubstitutable_reason": "Marge thérapeutique étroite", "start": "2026-01-02", "stop": "2026-01-06",
    "dose": "1.50", "dose_unit": "comprimé", "frequency": 3, "period": "1", "period_unit": "d", "route": "Voie orale",
    "route_code": "20053000", "quantity": "2", "quantity_unit": "boîte", "instruction": "Au cours d'un repas",
    "dispenser_instruction": "Délivrer par mois",
}  # fmt: skip


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({}, id="bare"),
        pytest.param(FULL, id="full"),
        pytest.param({"code": "3400933516390", "system": CIP}, id="another code"),
        pytest.param({"code": "631", "system": CIS}, id="a malformed code"),
        pytest.param({"renewals": 0}, id="not renewable"),
        pytest.param({"unsubstitutable": False}, id="substitutable"),
        pytest.param({"unsubstitutable": True}, id="without a reason"),
        pytest.param(dict.fromkeys(("long_term", "work_related", "prevention", "off_label"), False), id="not ticked"),
        pytest.param({"start": "2026-01"}, id="start alone"),
        pytest.param({"stop": "2026"}, id="stop alone"),
        pytest.param({"dose": "500", "dose_unit": "mg"}, id="dose in UCUM"),
        pytest.param({"dose": "2"}, id="dose without unit"),
        pytest.param({"route": "par la bouche"}, id="route in words"),
        pytest.param({"route_code": "20053000"}, id="route by its code"),
        pytest.param({"dosage": "Si douleur", "duration": "1 mois"}, id="in words"),
        pytest.param({"frequency": 1, "period": "8", "period_unit": "h"}, id="every eight hours"),
        pytest.param({"frequency": 1, "period": "3", "period_unit": "d"}, id="every three days"),
        pytest.param({"frequency": 7, "period": "1", "period_unit": "d"}, id="seven a day"),
        pytest.param({"frequency": 2, "period": "3", "period_unit": "d"}, id="two in three days"),
        pytest.param({"frequency": 2, "period": "1", "period_unit": "wk"}, id="twice a week"),
        pytest.param({"frequency": 3, "period": "1", "period_unit": "mo"}, id="three a month"),
    ],
)
def test_a_line_comes_back_as_it_was(values):
    said = order()
    found = prescribed(said, line(**values))
    assert [held(v) for v in found.rows["prescription_line"]] == [line_back(line(**values), said)]
    assert found.unrepresented == []


def test_a_device_comes_back_as_it_was():
    said = order("device")
    columns = ("dosage", "duration", "renewals", "long_term", "work_related", "prevention", "not_reimbursed", "start", "stop",
               "quantity", "quantity_unit")  # fmt: skip
    one = line("d", "Lit médical", code="1215702", system=LPP, **{c: FULL[c] for c in columns})
    found = prescribed(said, one)
    assert [held(v) for v in found.rows["prescription_line"]] == [line_back(one, said)]
    assert found.unrepresented == []


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"valid_until": "2026-04-02", "e_prescription": "01S2TBPZ", "two_zones": True, "secured": True, "urgent": True},
        {"category": "device", "valid_until": "2026-01-02", "exceptional": True, "at_home": True},
    ],
)
def test_a_prescription_comes_back_once_with_all_its_lines(values):
    said = order(**values)
    found = prescribed(said, *(line(str(n)) for n in range(3)))
    assert [held(v) for v in found.rows["prescription"]] == [expected(said, "prescription", f"{IDS}.0.1")]
    assert len(found.rows["prescription_line"]) == 3


def test_five_thousand_lines_come_back():
    found = prescribed(order(), *(line(str(n), dosage=f"le {n}") for n in range(5000)))
    assert [v["dosage"] for v in found.rows["prescription_line"]] == [f"le {n}" for n in range(5000)]
    assert len(found.rows["prescription"]) == 1


VACCINE: dict[str, Any] = {
    "code": "68747507", "system": CIS, "lot": "4456672", "given": "2026-01-02", "dose": 2, "booster": True,
    "route": "Voie intramusculaire", "route_code": "20035000", "site": "Deltoïde gauche", "site_code": "16217701000119102",
    "performer": "Dr Charles Muller", "reaction": "Fièvre", "comment": "Usager informé",
}  # fmt: skip


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(vaccine(), id="bare"),
        pytest.param(vaccine(**VACCINE), id="full"),
        pytest.param(vaccine(assertion="denied", **VACCINE), id="denied"),
        pytest.param(vaccine(code="J07AM", system=ATC), id="another code"),
        pytest.param(vaccine(given="1975", booster=False), id="first series in 1975"),
        pytest.param(vaccine(route="nez", route_code="20049000"), id="route outside the list"),
        pytest.param(vaccine(site="fesse", site_code="46862004"), id="site outside the list"),
        pytest.param(vaccine(route_code="20035000", site_code="61396006"), id="codes without words"),
        pytest.param(vaccine(reaction="Fièvre"), id="a reaction alone"),
        pytest.param(vaccine(dose=0), id="a rank of zero"),
        pytest.param(vaccine("1", "Aucun", "denied", code="no-known-immunizations", system=ABSENCE), id="none"),
        pytest.param(
            vaccine("1", "Inconnu", "not_recorded", code="no-immunization-info", system=ABSENCE), id="unknown"
        ),
    ],
)
def test_a_vaccination_comes_back_as_it_was(one):
    found = vaccinated(one)
    assert [held(v) for v in found.rows["immunization"]] == [expected(one, "immunization", VACCINES)]
    assert found.unrepresented == []


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({}, id="bare"),
        pytest.param({k: v for k, v in VACCINE.items() if k != "given"}, id="full"),
        pytest.param({"code": "J07AM", "system": ATC}, id="ATC"),
        pytest.param({"code": "3400933516390", "system": CIP}, id="CIP"),
        pytest.param({"reaction": "Fièvre"}, id="a reaction alone"),
        pytest.param(
            {"route": "nez", "route_code": "20049000", "site": "fesse", "site_code": "46862004"}, id="outside"
        ),
    ],
)
def test_the_vaccination_of_a_note_comes_back_as_it_was(values):
    one = vaccine(given="2026-01-02", **values)
    found = read(document(vac_note, vac_note.body(one, IDS, DOCTOR)))
    assert [held(v) for v in found.rows["immunization"]] == [expected(one, "immunization", VACCINES)]
    assert [u["why"] for u in found.unrepresented] == ["who recorded it: the document keeps it"]


def test_a_record_that_says_nothing_comes_back_without_a_row():
    found = vaccinated()
    assert "immunization" not in found.rows
    assert [u["why"] for u in found.unrepresented] == [
        "says that nothing is known of vaccinations; a record without rows says the same"
    ]


# ------------------------------------------------------------------ the rows of a whole practice


@pytest.fixture(scope="module")
def practice(tmp_path_factory) -> dict[str, list[Any]]:
    """Rows that the mapping of the synthetic product delivers."""
    path = tmp_path_factory.mktemp("practice") / "cabinet.sqlite"
    generate(path, clock=datetime(2026, 11, 23, 8, 0), patients=30, bodies=False)
    product = mapping.load("synthetic")
    with closing(sqlite3.connect(path)) as base:
        for name, codes in product.codes.items():
            base.execute(f"CREATE TEMP TABLE map_{name} (local TEXT PRIMARY KEY, code TEXT, reason TEXT)")
            base.executemany(f"INSERT INTO map_{name} VALUES (?, ?, ?)", codes)
        tables = ("prescription", "prescription_line", "immunization")
        return {t: [_row(t, base_row) for base_row in _delivered(base, product.queries[t])] for t in tables}


def _delivered(base: sqlite3.Connection, query: str) -> list[dict[str, Any]]:
    cursor = base.execute(query)
    names = [d[0] for d in cursor.description]
    return [dict(zip(names, values, strict=True)) for values in cursor]


def _row(table: str, values: dict[str, Any]) -> Any:
    """The row as the extraction types it: SQLite has no booleans."""
    flags = {c.name for c in TABLES[table].own if c.kind is Kind.FLAG}
    return ROW[table](**{n: bool(v) if n in flags and v is not None else v for n, v in values.items()})


def test_every_prescription_of_a_practice_comes_back(practice):
    count = 0
    for said in practice["prescription"]:
        lines = [one for one in practice["prescription_line"] if one.prescription == said.key]
        if ep_med_dm.refusal(said, lines, b"%PDF"):
            continue
        found = prescribed(said, *lines)
        key = str(arc("statement", "prescription", f"{IDS}.0.1", said.key))
        assert [held(v) for v in found.rows["prescription_line"]] == [
            expected(one, "prescription_line", LINES, prescription=key) for one in lines
        ]
        assert found.rows["prescription"][0]["valid_until"] == said.valid_until
        assert found.rows["prescription"][0]["e_prescription"] == said.e_prescription
        assert found.unrepresented == []
        count += len(lines)
    assert count > 50


def test_every_vaccination_of_a_practice_comes_back(practice):
    rows = practice["immunization"]
    assert len(rows) > 20
    assert {one.booster for one in rows} >= {True, False}
    found = vaccinated(*rows)
    assert [held(v) for v in found.rows["immunization"]] == [
        {n: v for n, v in expected(one, "immunization", VACCINES).items() if n != "practitioner"} for one in rows
    ]


# ------------------------------------------------------------------ any row of plain words


PLAIN = st.text("abcdéàœ'12 %<&\"", min_size=1, max_size=10).map(lambda t: " ".join(t.split())).filter(bool)
NUMBERS = st.integers(0, 10**6).map(str) | st.decimals("0.01", "999", places=2).map(str)
DAYS = st.dates().map(lambda d: d.isoformat())
OF: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.TEXT: PLAIN, Kind.FLAG: st.booleans(), Kind.DECIMAL: NUMBERS, Kind.DATE: DAYS, Kind.INTEGER: st.integers(0, 9999),
}  # fmt: skip
CODED = [(None, None), ("63107752", CIS), ("A1", CIP), ("J07AM", ATC)]


def drawn(table: str, **fixed: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    columns = {
        c.name: st.none() | OF[c.kind]
        for c in TABLES[table].own
        if c.name not in ("key", "patient", "prescription", "practitioner", "code", "system", "assertion", "label")
    }
    return st.fixed_dictionaries({**columns, "label": PLAIN, "coded": st.sampled_from(CODED), **fixed})


RHYTHMS = st.sampled_from(
    [(None, None, None), (3, "1", "d"), (1, "2", "h"), (5, "1", "wk"), (1, "1", "mo"), (1, "10", "d")]
)


@given(
    drawn(
        "prescription_line",
        route_code=st.sampled_from([None, "20053000"]),
        rhythm=RHYTHMS,
        instruction=st.none() | PLAIN,
    )
)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_plain_line_comes_back(values):
    values = dict(values)
    values["code"], values["system"] = values.pop("coded")
    values["frequency"], values["period"], values["period_unit"] = values.pop("rhythm")
    for number, unit in (("dose", "dose_unit"), ("quantity", "quantity_unit")):
        values[unit] = values[unit] if values[number] is not None else None
    if not values["unsubstitutable"]:
        values["unsubstitutable_reason"] = None
    if values["start"] is None:
        values["stop"] = None
    one = line(**values)
    said = order()
    assert [held(v) for v in prescribed(said, one).rows["prescription_line"]] == [line_back(one, said)]


@given(
    drawn(
        "immunization",
        assertion=st.sampled_from(["affirmed", "denied"]),
        route_code=st.sampled_from([None, "20035000", "20049000"]),
        site_code=st.sampled_from([None, "61396006", "46862004"]),
    )
)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_plain_vaccination_comes_back(values):
    values = dict(values)
    values["code"], values["system"] = values.pop("coded")
    one = vaccine(**values)
    assert [held(v) for v in vaccinated(one).rows["immunization"]] == [expected(one, "immunization", VACCINES)]


ANY = st.text(st.characters(exclude_categories=()), max_size=8)


@given(st.lists(st.tuples(ANY, st.none() | ANY, st.none() | ANY, st.none() | ANY), max_size=4))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_words_lose_a_row(texts):
    rows = [vaccine(str(n), t[0], lot=t[1], reaction=t[2], comment=t[3]) for n, t in enumerate(texts)]
    assert len(vaccinated(*rows).rows.get("immunization", [])) == len(rows)


# ------------------------------------------------------------------ documents of others


def changed(text: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


BARE = document(ep_med_dm, ep_med_dm.body(order(), [line(**FULL)], IDS, b"%PDF"))
GIVEN = document(vac, vac.body([vaccine(**VACCINE)], IDS))


def test_a_device_in_use_leaves_the_prescription_to_the_line_behind_it():
    in_use = (
        f'<entry><supply classCode="SPLY" moodCode="EVN"><templateId root="{prescription.DEVICE}"/></supply></entry>'
    )
    found = read(changed(BARE, ("<entry><substanceAdministration", f"{in_use}<entry><substanceAdministration")))
    assert len(found.rows["prescription"]) == len(found.rows["prescription_line"]) == 1


def test_many_lines_in_one_entry_behind_many_others_are_of_one_prescription():
    """A hostile section: what is before is not walked again for each line."""
    many = 3000
    bare = document(ep_med_dm, ep_med_dm.body(order(), [line(str(n)) for n in range(many)], IDS, b"%PDF"))
    text = changed(bare, ("</entry><entry><substanceAdministration", "<substanceAdministration"))
    text = text.replace("<entry>", f"{'<entry><act/></entry>' * many}<entry>", 1)
    began = time.process_time()
    found = read(text)
    assert time.process_time() - began < 6
    assert len(found.rows["prescription"]) == 1 and len(found.rows["prescription_line"]) == many


@pytest.mark.parametrize(
    "text, why",
    [
        pytest.param(
            changed(BARE, ('<high value="1.50"><translation>', '<high value="3"><translation>')),
            "a range of doses is kept in words only",
            id="a range of doses",
        ),
        pytest.param(
            changed(BARE, ("<doseQuantity>", "<approachSiteCode nullFlavor='OTH'/><doseQuantity>")),
            "no column holds it beside the words of the dosage",
            id="a site",
        ),
        pytest.param(
            changed(BARE, ('unit="h"><translation>', 'unit="min"><translation>')),
            "this rhythm is kept in words only",
            id="a rhythm in minutes",
        ),
        pytest.param(
            changed(BARE, ('<high value="20260106"/>', '<high value="202601061200"/>')),
            "the hour is not kept",
            id="an hour",
        ),
        pytest.param(
            changed(
                BARE,
                (
                    "</name></manufacturedMaterial>",
                    "</name><lotNumberText>SECRET</lotNumberText></manufacturedMaterial>",
                ),
            ),
            "the product is kept by its code and label only",
            id="a lot",
        ),
        pytest.param(
            changed(GIVEN, ("</consumable>", "</consumable><author/>")),
            "who recorded it: the document keeps it",
            id="an author",
        ),
        pytest.param(
            changed(
                GIVEN,
                ('<value xsi:type="CD">', '<value xsi:type="CD" code="R50.2" codeSystem="2.16.840.1.113883.6.3">'),
            ),
            "the reaction is kept in words, without its code",
            id="a coded reaction",
        ),
        pytest.param(
            changed(GIVEN, ('<effectiveTime value="20260102"/>', '<effectiveTime value="202601020930"/>')),
            "the day alone is kept",
            id="an hour of vaccination",
        ),
        pytest.param(
            changed(GIVEN, ('moodCode="EVN" negationInd="false"', 'moodCode="INT" negationInd="false"')),
            "a vaccination intended, not given: no canonical table holds it",
            id="a plan",
        ),
    ],
)
def test_what_no_column_holds_is_named_without_a_value(text, why):
    found = read(text)
    assert why in [u["why"] for u in found.unrepresented]
    assert not [u for u in found.unrepresented if "SECRET" in u["what"] + u["why"] or "PARAC" in u["what"] + u["why"]]


@pytest.mark.parametrize("text", [BARE, GIVEN])
@pytest.mark.parametrize(
    "old",
    ["<text>", "<consumable", "<repeatNumber", "<code ", "<id ", "<effectiveTime", "<entryRelationship", "<value "],
)
def test_an_element_that_is_missing_stops_nothing(text, old):
    """Every element of that name renamed, so that readers find none."""
    body = text.index("<structuredBody>")
    name = old.strip("<> ")
    broken = text[:body] + text[body:].replace(f"<{name}", "<gone").replace(f"</{name}>", "</gone>")
    found = read(broken)
    assert found.rows.get("prescription_line") or found.rows.get("immunization")


def test_every_column_named_is_declared():
    for reader in (prescription, immunization):
        assert reader.TEMPLATES
    for table, values in [
        *((t, v) for t, vs in read(BARE).rows.items() for v in vs),
        *((t, v) for t, vs in read(GIVEN).rows.items() for v in vs),
    ]:
        assert values.keys() <= {c.name for c in TABLES[table].own}


def test_a_length_of_six_decimals_is_enough_for_a_thousand_intakes():
    for times in range(2, 1001):
        every = Fraction(f"{24 / times:.6f}")
        found = prescription._intakes(every, "h")
        assert found is not None
        assert math.isclose(found[0] / int(found[1]) / (7 if found[2] == "wk" else 1), times)


# ------------------------------------------------------------------ official examples


@pytest.mark.shared
def test_the_official_e_prescription(shared):
    found = read((shared / "cisis/exemples/eP-MED-DM_2024.01_PosoStruct.xml").read_text(encoding="utf-8"))
    medicines, devices = found.rows["prescription"]
    assert held(medicines) | {"key": ""} == {
        "key": "", "category": "medication", "prescribed": "2023-12-01T09:10:00", "valid_until": "2024-07-30",
        "e_prescription": "01S2TBPZ2JCNZZYGHZ", "two_zones": True, "exceptional": True, "secured": True, "urgent": True,
        "at_home": True,
    }  # fmt: skip
    assert devices["category"] == "device"
    first, mixture, bed = found.rows["prescription_line"]
    assert (first["code"], first["system"], first["label"]) == ("63107752", CIS, "PARACETAMOL MYLAN 500 mg, comprimé")
    assert (first["start"], first["stop"], first["renewals"], first["unsubstitutable"]) == (
        "2023-12-01",
        "2023-12-06",
        3,
        True,
    )
    assert first["unsubstitutable_reason"] == "Marge thérapeutique étroite"
    assert (first["quantity"], first["long_term"], first["off_label"]) == ("2", False, False)
    assert first["instruction"] == "A prendre au cours d'un repas"
    assert first["dispenser_instruction"] is None
    assert "3 fois/j" in first["dosage"]
    assert mixture["label"].startswith("Préparation magistrale")
    assert mixture["code"] is None
    assert (mixture["frequency"], mixture["period"], mixture["period_unit"]) == (1, "1", "d")
    assert (bed["code"], bed["system"], bed["prevention"]) == ("V0806", "1.2.250.1.213.2.68", False)
    # Dose changes, forms and ingredients, sites, and the sections of no table.
    assert Counter(u["why"] for u in found.unrepresented)["no column holds it beside the words of the dosage"] >= 4


@pytest.mark.shared
def test_the_official_e_prescription_in_words(shared):
    found = read((shared / "cisis/exemples/eP-MED-DM_2023.01_PosoNonStruct.xml").read_text(encoding="utf-8"))
    first, second = [v for v in found.rows["prescription_line"] if "dose" not in v][:2]
    assert first["dosage"].startswith("1 à 2 comprimés 3 fois/j")
    assert second["dosage"] == "2 applications par jour"


@pytest.mark.shared
def test_the_official_history_of_vaccinations(shared):
    found = read((shared / "cisis/exemples/VAC_2023.01.xml").read_text(encoding="utf-8"))
    rows = found.rows["immunization"]
    assert [(v["label"], v["code"], v["given"], v["lot"], v["dose"]) for v in rows] == [
        ("Vaccin antituberculeux", "61077869", "1975", "235421176", 1),
        ("VACCIN TETANIQUE", "68747507", "2009-09-28", "4456668", 1),
        ("VACCIN TETANIQUE", "68747507", "2009-09-28", "4456672", 2),
        ("VACCIN MENINGOCOCCIQUE", "61920725", "2021-04-09", "357904636", 1),
    ]
    assert {v["performer"] for v in rows} == {"DR Charles MULLER"}
    assert {(v["route"], v["route_code"]) for v in rows} == {("voie intramusculaire", "20035000")}
    assert {(v["site"], v["site_code"]) for v in rows} == {("Deltoïde gauche", "16217701000119102")}
    assert {v["assertion"] for v in rows} == {"affirmed"}
    assert [v.get("reaction") for v in rows] == ["fièvre due à des médicaments"] * 3 + [None]
    assert {u["why"] for u in found.unrepresented} == {
        "2 further codes of the vaccine",
        "who gave it is kept by name only",
        "who recorded it: the document keeps it",
        "the reaction is kept in words, without its code",
        "the reaction is kept without its date",
        # Two were given at an hour; one names an informant.
        "the day alone is kept",
        "no column holds it",
    }
