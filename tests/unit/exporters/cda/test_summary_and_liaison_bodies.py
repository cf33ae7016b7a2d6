"""Patient summary (IPS-FR) and emergency liaison documents (DLU, FLUDT, FLUDR): what each row becomes, what an empty record says."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from transvase.exporters.cda import dlu, ips_fr
from transvase.exporters.cda.entries import vital_sign
from transvase.model.record import ROW, Record

NS = {"v": "urn:hl7-org:v3"}
IDS = "1.2.250.1.213.9.9.14.7"
MODELS: dict[str, Any] = {"ips": ips_fr, "dlu": dlu.DLU, "fludt": dlu.FLUDT, "fludr": dlu.FLUDR}
CATEGORIES = ("problem", "history", "surgery", "family", "trauma")
FACTORS = ("tobacco", "alcohol", "activity", "occupational", "social", "other")
# National templateId of the entry of a row, by table; problems by the place of their row.
ENTRY = {
    "problem": "1.2.250.1.213.1.1.3.37",
    "surgery": "1.2.250.1.213.1.1.3.62",
    "family": "1.2.250.1.213.1.1.3.51",
    "allergy": "1.2.250.1.213.1.1.3.41",
    "treatment": "1.2.250.1.213.1.1.3.42",
    "risk_factor": "1.2.250.1.213.1.1.3.52",
    "vital_sign": "1.2.250.1.213.1.1.3.50",
    "immunization": "1.2.250.1.213.1.1.3.45",
    "lab_result": "1.2.250.1.213.1.1.3.209",
}
# What each model carries, and the sections that it always has.
CARRIED = {
    "ips": set(ENTRY),
    "dlu": {"problem", "allergy", "treatment", "immunization"},
    "fludt": {"treatment", "vital_sign"},
    "fludr": {"problem", "treatment"},
}
ALWAYS = {
    "ips": {"11450-4", "47519-4", "48765-2", "10160-0", "46264-8"},
    "dlu": {"11302-7", "10160-0", "42348-3", "42545-4", "30954-2", "55107-7"},
    "fludt": {"42545-4", "8716-3", "30954-2", "10160-0", "47420-5", "46264-8"},
    "fludr": {"42545-4", "11535-2", "10183-2", "46264-8", "55107-7"},
}


def row(table: str, key: str, **values: Any) -> Any:
    kind = ROW[table]
    given_values = {
        "key": key,
        "patient": "7",
        "label": "Libellé",
        "category": "problem",
        "assertion": "affirmed",
    } | values
    return kind(**{name: given_values.get(name) for name in kind._fields})


def parse(name: str, record: Record, pdf: bytes | None = None) -> etree._Element:
    text = MODELS[name].body(record, IDS, pdf)
    return etree.fromstring(
        f'<d xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{text}</d>'.encode()
    )


def entries(root: etree._Element) -> Counter[str]:
    """Statements that have an identifier of a row, by national templateId."""
    count: Counter[str] = Counter()
    for ident in root.iterfind(".//v:id[@extension]", NS):
        if "inconnu" in ident.get("extension", ""):
            continue
        statement = ident.getparent()
        assert statement is not None
        link = statement.getparent()
        if link is not None and link.get("typeCode") == "CAUS":
            continue  # The reaction to a vaccine.
        known = {t.get("root") for t in statement.iterfind("v:templateId", NS)}
        count.update(known & set(ENTRY.values()))
    return count


def sections(root: etree._Element) -> list[str]:
    return [code.get("code", "") for code in root.iterfind(".//v:section/v:code", NS)]


def kinds(name: str, record: Record) -> Counter[str]:
    """How many entries a record must give."""
    wanted: Counter[str] = Counter()
    for table, rows in record.items():
        for line in rows:
            kind = table
            if table == "problem" and line.category in ("surgery", "family"):
                kind = line.category
            if name == "fludr" and table == "problem" and (line.category == "history" or line.resolved):
                continue
            stated = getattr(line, "assertion", "affirmed") in ("affirmed", "denied")
            if stated and kind in CARRIED[name] and getattr(line, "category", "") != "occupational":
                wanted[ENTRY[kind]] += 1
    return wanted


FULL: Record = {
    "problem": [
        row("problem", f"{c}{a}", category=c, assertion=a)
        for c in CATEGORIES
        for a in ("affirmed", "denied", "not_recorded")
    ],
    "allergy": [row("allergy", a, assertion=a) for a in ("affirmed", "denied", "not_recorded")],
    "treatment": [row("treatment", a, assertion=a) for a in ("affirmed", "denied", "not_recorded")],
    "risk_factor": [
        row("risk_factor", f"{c}{a}", category=c, assertion=a)
        for c in FACTORS
        for a in ("affirmed", "denied", "not_recorded")
    ],
    "vital_sign": [
        row("vital_sign", c, code=c, value="1.60", unit="m", measured="2026-01-02") for c in sorted(vital_sign.CODES)
    ],
    "immunization": [row("immunization", a, assertion=a) for a in ("affirmed", "denied", "not_recorded")],
    "lab_result": [row("lab_result", str(n), value="1.10", unit="g/L", measured=f"2026-01-0{n}") for n in range(1, 4)],
}


@pytest.mark.parametrize("name", MODELS)
def test_each_stated_row_is_one_entry_and_a_row_not_recorded_none(name):
    assert entries(parse(name, FULL)) == kinds(name, FULL)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    "record",
    [{}, FULL, {"treatment": [row("treatment", "1", assertion="not_recorded")]}],
    ids=["empty", "full", "silent"],
)
def test_the_sections_that_the_model_wants_always_stand_once(name, record):
    found = Counter(sections(parse(name, record)))
    assert set(found) >= ALWAYS[name]
    assert max(found.values()) == 1


@pytest.mark.parametrize("name", MODELS)
def test_an_empty_record_affirms_and_denies_nothing(name):
    root = parse(name, {})
    assert entries(root) == Counter()
    for value in root.iterfind(".//v:observation/v:value", NS):
        absent = value.get("codeSystem") == "2.16.840.1.113883.5.1150.1" and value.get("code", "").endswith("-info")
        assert absent or value.get("nullFlavor")
    assert "Affirmé" not in "".join(root.itertext())
    assert "Absence affirmée" not in "".join(root.itertext())


def test_what_was_asked_and_not_recorded_is_named_for_the_reader():
    record = {"problem": [row("problem", "1", category="history", label="Phlébite", assertion="not_recorded")]}
    assert "Antécédents médicaux : non renseigné (Phlébite)" in "".join(parse("ips", record).itertext())


@pytest.mark.parametrize("name", MODELS)
def test_the_pdf_stands_once_and_only_when_given(name):
    assert parse(name, FULL, b"%PDF").xpath("count(//v:value[@mediaType='application/pdf'])", namespaces=NS) == 1
    assert parse(name, FULL).xpath("count(//v:value[@mediaType='application/pdf'])", namespaces=NS) == 0


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("pdf", [None, b"%PDF"])
def test_every_reference_has_its_words_and_every_xml_identifier_is_one(name, pdf):
    root = parse(name, FULL, pdf)
    names = root.xpath("//@ID")
    assert len(names) == len(set(names))
    assert {r.removeprefix("#") for r in root.xpath("//v:reference/@value", namespaces=NS)} <= set(names)
    identifiers = Counter((i.get("root"), i.get("extension")) for i in root.iter("{urn:hl7-org:v3}id") if i.get("root"))
    assert set(identifiers.values()) == {1}


@pytest.mark.parametrize(
    ("code", "unit", "written"),
    [
        ("29463-7", "kg", {"value": "58.20", "unit": "kg"}),
        ("8480-6", "mmHg", {"value": "58.20", "unit": "mm[Hg]"}),
        ("8310-5", "°C", {"value": "58.20", "unit": "Cel"}),
        ("29463-7", "pouces", {"nullFlavor": "OTH"}),
        ("29463-7", None, {"nullFlavor": "OTH"}),
        ("8480-6", "kg", {"nullFlavor": "OTH"}),
        ("9272-6", None, {"value": "58.20"}),
        ("56115-9", "cm", {"value": "58.20", "unit": "cm"}),
    ],
)
def test_a_measure_keeps_its_digits_and_a_unit_that_is_not_certain_stands_beside(code, unit, written):
    root = parse(
        "ips", {"vital_sign": [row("vital_sign", "1", code=code, value="58.20", unit=unit, measured="2026-01-02")]}
    )
    kind = "{http://www.w3.org/2001/XMLSchema-instance}type"
    (value,) = (v for v in root.iterfind(".//v:observation/v:value", NS) if v.get(kind) == "PQ")
    assert {n: v for n, v in value.attrib.items() if not n.startswith("{")} == written
    beside = value.find("v:translation", NS)
    if written.get("unit", "") != (unit or "") or "nullFlavor" in written:
        assert beside is not None
        assert beside.get("value") == "58.20"
        assert (beside.findtext("v:originalText", None, NS)) == unit


def test_a_more_precise_code_stands_beside_the_one_of_the_national_list():
    root = parse(
        "ips", {"vital_sign": [row("vital_sign", "1", code="59408-5", value="97", unit="%", measured="2026-01-02")]}
    )
    codes = [
        (c.get("code"), [t.get("code") for t in c]) for c in root.iterfind(".//v:component/v:observation/v:code", NS)
    ]
    assert codes == [("20564-1", [None, "59408-5"])]


HOSTILE = "<&>\"' \x00\x07\r\n\t\ufffe ]]> {ids} &amp; é 🩺 <script>alert(1)</script>"


@pytest.mark.parametrize("name", MODELS)
def test_hostile_text_is_inert(name):
    record = {
        table: [
            line._replace(
                **{f: HOSTILE for f in line._fields if f not in ("category", "assertion", "dose", "booster", "flag")}
            )
            for line in lines
        ]
        for table, lines in FULL.items()
    }
    root = parse(name, record)
    assert not list(root.iter("{urn:hl7-org:v3}script"))
    assert [e.tag for e in parse(name, FULL).iter("{urn:hl7-org:v3}section")] == [
        e.tag for e in root.iter("{urn:hl7-org:v3}section")
    ]


@pytest.mark.parametrize("name", MODELS)
def test_five_thousand_rows_of_a_table(name):
    record: Record = {
        t: [row(t, str(n), code="29463-7", value="1", measured="2026") for n in range(5000)]
        for t in ("problem", "treatment", "vital_sign")
    }
    assert entries(parse(name, record)) == kinds(name, record)


@pytest.mark.parametrize("name", MODELS)
def test_the_longest_names_stand_whole(name):
    long = "é" * 100_000
    text = "".join(parse(name, {"treatment": [row("treatment", "k" * 500, label=long, dosage=long)]}).itertext())
    assert text.count(long) >= 2


ANY = st.text(st.characters(exclude_categories=()), max_size=6)
WORDS = {
    "assertion": st.sampled_from(["affirmed", "denied", "not_recorded"]),
    "category": st.sampled_from(CATEGORIES),
    "dose": st.none(),
    "booster": st.none(),
    "long_term": st.none(),
}


def rows(table: str) -> st.SearchStrategy[list[Any]]:
    fixed = WORDS | {"key": st.text("abcdef0123456789", min_size=1, max_size=6), "label": ANY}
    columns = {n: fixed.get(n, st.none() | ANY) for n in ROW[table]._fields}
    if table == "risk_factor":
        columns["category"] = st.sampled_from(FACTORS)
    if table == "vital_sign":
        columns["code"] = st.sampled_from(sorted(vital_sign.CODES))
    return st.lists(st.builds(ROW[table], **columns), unique_by=lambda line: line.key, max_size=3)


@pytest.mark.parametrize("name", MODELS)
@given(st.fixed_dictionaries({t: rows(t) for t in FULL}))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_unicode_gives_one_entry_for_each_stated_row(name, record):
    assert entries(parse(name, record)) == kinds(name, record)
    assert MODELS[name].body(record, IDS) == MODELS[name].body(record, IDS)
