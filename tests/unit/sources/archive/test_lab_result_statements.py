"""Laboratory results read back: from our own reports, equal to the rows written; from official examples, what is kept and what is
listed; from hostile documents, never a value in a report."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from transvase.exporters.cda import cr_bio
from transvase.formats import cda
from transvase.formats.cda import V3
from transvase.model.record import ROW
from transvase.model.tables import TABLES
from transvase.sources.archive.statements import lab_result, reading

LOINC = "2.16.840.1.113883.6.1"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
IDS = "1.2.250.1.213.9.9.13.7"
OWN = [c.name for c in TABLES["lab_result"].own if c.name not in ("key", "patient", "document")]


def lab(key: str, **values: Any) -> Any:
    kind = ROW["lab_result"]
    given = {"key": key, "label": "Glycémie", "measured": "2026-01-02T08:00:00", "status": "final"} | values
    return kind(**{name: given.get(name) for name in kind._fields})


def read(document: Any) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Rows and what is listed, of every entry that the reader knows by the templates of the entry or of its statement."""
    rows, listed = [], []
    header = cda.header(document)
    with reading.narrative(document):
        for entry in document.iter(f"{V3}entry"):
            statement = next((n for n in entry if n.tag in (f"{V3}act", f"{V3}organizer", f"{V3}observation")), None)
            if statement is None:
                continue
            if lab_result.TEMPLATES.isdisjoint(reading.templates(entry) | reading.templates(statement)):
                continue
            for table, values in lab_result.read(statement, header):
                (rows if table == "lab_result" else listed).append(values)
    return rows, listed


def whole(body: str) -> Any:
    text = f'<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="{XSI}"><id root="1.2"/>{body}</ClinicalDocument>'
    return etree.fromstring(text.encode())


def back(rows: list[Any]) -> list[dict[str, Any]]:
    return read(whole(cr_bio.body(rows, IDS, b"%PDF")))[0]


def seen(row: Any) -> dict[str, Any]:
    """A row as a reader of the document can know it: white space is the layout's, an empty text is none."""
    kept = {name: getattr(row, name) for name in OWN}
    return {n: v for n, t in kept.items() if t and (v := reading.spaced(t))}


def unordered(found: list[dict[str, Any]]) -> Counter[tuple[tuple[str, Any], ...]]:
    return Counter(tuple(sorted((n, v) for n, v in row.items() if n != "key")) for row in found)


# ------------------------------------------------------------------ rows, document, rows

FULL = lab(
    "1", code="2345-7", system=LOINC, value="1.10", unit="g/L", low="0.70", high="1.10", flag="N", chapter="BIOCHIMIE",
    panel="Bilan", specimen="Sérum", method="Hexokinase", laboratory="Charmilles", validated_by="Dr Odile Ravenel",
    validated="2026-01-02T11:20:00", comment="À jeun",
)  # fmt: skip


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"unit": "mUI/l"},
        {"unit": "unités maison"},
        {"unit": None},
        {"value": "0.00500"},
        {"value": None, "unit": None, "low": None, "high": None, "value_text": "Négatif"},
        {"value_text": "échantillon hémolysé"},
        {"low": None},
        {"high": None},
        {"code": "27", "system": "1.2.250.1.9.7"},
        {"code": "PARA12", "system": "LABO"},
        {"code": "PARA12", "system": None},
        {"code": None, "system": None},
        *({"status": s} for s in ("final", "partial", "corrected", "cancelled")),
        *({"flag": f} for f in TABLES["lab_result"].column("flag").values),
        *({"measured": d} for d in ("2019", "2019-03", "2019-03-28", "2024-07-14T23:59:59")),
        {"validated": "2026-01-03"},
        {"validated_by": None},
        {"validated": None},
        {"laboratory": None},
        {"specimen": None},
        {"chapter": None, "panel": None},
        {"chapter": "Divers"},
        {"comment": "première ; seconde"},
        {"label": '<b>&amp; "quoted" 🩺'},
    ],
    ids=str,
)
def test_a_result_is_read_back_as_it_was_written(values):
    row = FULL._replace(**values)
    (found,) = back([row])
    assert {n: v for n, v in found.items() if n != "key"} == seen(row)


def test_the_key_is_the_same_for_every_version_and_another_for_another_row():
    one, again = back([FULL])[0]["key"], back([FULL._replace(value="1.20")])[0]["key"]
    assert one == again
    assert one != back([FULL._replace(key="2")])[0]["key"]


CLEAN = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), min_size=1, max_size=20
).filter(lambda t: reading.spaced(t))
MAYBE = st.none() | CLEAN
NUMBERS = st.none() | st.from_regex(r"-?[0-9]{1,9}(\.[0-9]{1,5})?", fullmatch=True)
MOMENTS = st.datetimes().filter(lambda d: d.year > 1911).map(lambda d: d.replace(microsecond=0).isoformat()[:10])


@st.composite
def rows(draw: Any) -> list[Any]:
    made = []
    for n in range(draw(st.integers(0, 5))):
        number = draw(NUMBERS)
        made.append(
            lab(
                str(n), label=draw(CLEAN), value=number, unit=draw(MAYBE) if number else None, value_text=draw(MAYBE),
                low=draw(NUMBERS) if number else None, high=draw(NUMBERS) if number else None,
                flag=draw(st.sampled_from((None, "N", "AA", "R"))), measured=draw(MOMENTS), chapter=draw(MAYBE),
                panel=draw(MAYBE), specimen=draw(MAYBE), method=draw(MAYBE), laboratory=draw(MAYBE),
                status=draw(st.sampled_from(("final", "partial", "corrected", "cancelled"))), validated_by=draw(MAYBE),
                validated=draw(st.none() | MOMENTS), comment=draw(MAYBE), code=draw(st.sampled_from((None, "2345-7"))),
                system=LOINC,
            )
        )  # fmt: skip
    return [row._replace(system=row.system if row.code else None) for row in made]


@given(rows())
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_results_are_read_back_as_they_were_written(made):
    assert unordered(back(made)) == unordered([seen(row) for row in made])


def test_five_thousand_results():
    found = back([lab(str(n), value=str(n), unit="g/L", chapter=f"C{n % 4}") for n in range(5000)])
    assert sorted(int(row["value"]) for row in found) == list(range(5000))
    assert len({row["key"] for row in found}) == 5000


# ------------------------------------------------------------------ what others write


def around(inside: str, act: str = "completed", more: str = "") -> Any:
    return whole(
        "<component><structuredBody><component><section><title>NFS</title><text><content ID='a'>Hémoglobine</content></text>"
        '<entry typeCode="DRIV"><templateId root="1.3.6.1.4.1.19376.1.3.1"/><act classCode="ACT" moodCode="EVN">'
        f'<code nullFlavor="UNK"/><statusCode code="{act}"/>{more}<entryRelationship typeCode="COMP">'
        f'<observation classCode="OBS" moodCode="EVN"><templateId root="1.3.6.1.4.1.19376.1.3.1.6"/>'
        f'<code code="718-7" codeSystem="{LOINC}" displayName="Hb"><originalText><reference value="#a"/></originalText></code>'
        f'<statusCode code="completed"/><effectiveTime value="20240104"/>{inside}</observation></entryRelationship></act></entry>'
        "</section></component></structuredBody></component>"
    )


@pytest.mark.parametrize(
    ("inside", "kept"),
    [
        pytest.param('<value xsi:type="INT" value="4"/>', {"value": "4"}, id="whole number"),
        pytest.param('<value xsi:type="c:PQ" value="4" unit="g"/>', {"value": "4", "unit": "g"}, id="prefixed type"),
        pytest.param('<value xsi:type="PQ" value="1e3" unit="g"/>', {"value_text": "1e3", "unit": "g"}, id="exponent"),
        pytest.param('<value xsi:type="BL" value="false"/>', {"value_text": "Non"}, id="yes or no"),
        pytest.param(
            '<value xsi:type="IVL_PQ"><high value="5" unit="g" inclusive="false"/></value>',
            {"value_text": "< 5", "unit": "g"},
            id="under",
        ),
        pytest.param(
            '<value xsi:type="IVL_PQ"><low value="5" unit="g"/></value>', {"value_text": "≥ 5", "unit": "g"}, id="over"
        ),
        pytest.param(
            '<value xsi:type="IVL_PQ"><low value="5" unit="g"/><high value="9" unit="g"/></value>',
            {"value_text": "5 - 9", "unit": "g"},
            id="between",
        ),
        pytest.param(
            '<value xsi:type="RTO_PQ_PQ"><numerator value="1"/><denominator value="160"/></value>',
            {"value_text": "1/160"},
            id="titre",
        ),
        pytest.param('<value xsi:type="CD" displayName="absence"/>', {"value_text": "absence"}, id="words of a code"),
        pytest.param('<value xsi:type="PQ" nullFlavor="UNK"/>', {}, id="unknown"),
    ],
)
def test_values_of_others(inside, kept):
    found, listed = read(around(inside))
    assert not listed
    (row,) = found
    names = ("value", "value_text", "unit")
    assert {n: row[n] for n in names if n in row} == kept
    assert row["label"] == "Hémoglobine"


@pytest.mark.parametrize(
    ("inside", "why"),
    [
        ('<value xsi:type="TS" value="2024"/>', "type"),
        ('<value xsi:type="CD" code="1" codeSystem="1.2.3" displayName="x"/>', "code of a result"),
        ('<value xsi:type="PQ" value="1" unit="g"><translation value="2" code="mg"/></value>', "second unit"),
        ('<interpretationCode code="POS"/>', "interpretation"),
        ('<methodCode code="HPX" codeSystem="1.2.3" displayName="x"/>', "code of a technique"),
        ("<author><time/></author>", "no column"),
        (
            '<referenceRange><observationRange><value xsi:type="IVL_PQ"><low value="1" unit="mg"/></value></observationRange>'
            '</referenceRange><value xsi:type="PQ" value="1" unit="g"/>',
            "another unit",
        ),
        ('<entryRelationship typeCode="COMP"><observationMedia/></entryRelationship>', "no column"),
        (
            '<entryRelationship typeCode="REFR"><observation><code displayName="Hb"/></observation></entryRelationship>',
            "without a readable date",
        ),
    ],
)
def test_what_no_column_holds_is_listed(inside, why):
    found, listed = read(around(inside))
    assert len(found) == 1
    assert any(why in one["why"] for one in listed)


def test_an_earlier_result_is_a_row_of_its_own_day_and_of_nobody():
    inside = (
        '<entryRelationship typeCode="REFR"><observation classCode="OBS" moodCode="EVN"><code displayName="Hb"/>'
        '<statusCode code="completed"/><effectiveTime value="20230104"/><value xsi:type="PQ" value="9" unit="g/dL"/>'
        "</observation></entryRelationship>"
    )
    validator = (
        '<participant typeCode="AUTHEN"><time value="20240105"/><participantRole><playingEntity><name>Dr A</name>'
        "</playingEntity></participantRole></participant>"
    )
    (today, before), _ = read(around(inside, more=validator))
    assert (today["measured"], today["validated_by"], today["validated"]) == ("2024-01-04", "Dr A", "2024-01-05")
    assert (before["measured"], before["value"], before["status"]) == ("2023-01-04", "9", "final")
    assert not {"validated_by", "validated"} & before.keys()


def test_results_of_an_unfinished_examination_are_partial():
    assert read(around("", act="active"))[0][0]["status"] == "partial"


def test_deep_nesting_is_listed_and_stops():
    inside = ""
    for _ in range(60):
        inside = f'<entryRelationship typeCode="COMP"><observation><code displayName="x"/>{inside}</observation></entryRelationship>'
    found, listed = read(around(inside))
    assert len(found) == lab_result.MAX_DEPTH
    assert [one["why"] for one in listed] == [f"nested more than {lab_result.MAX_DEPTH} deep"]


SECRET = "DUPONTEL"
PIECES = [
    f'<value xsi:type="{SECRET}" value="{SECRET}"/>', f'<value xsi:type="CD" code="{SECRET}" displayName="{SECRET}"/>',
    f"<author><assignedAuthor><id extension='{SECRET}'/></assignedAuthor></author>", f"<{SECRET}>{SECRET}</{SECRET}>",
    f'<methodCode code="{SECRET}">{SECRET}</methodCode>', f'<interpretationCode code="{SECRET}"/>',
    f'<templateId root="{SECRET}"/><entryRelationship><{SECRET} code="{SECRET}"/></entryRelationship>', "<!-- c --><?pi x?>",
    "<code/>", "<value/>", "<referenceRange/>", "<specimen/>", "<participant/>", "<performer/>", "<entryRelationship/>",
    "<reference/>", "<entryRelationship><observation/></entryRelationship>",
    "<entryRelationship><act><templateId root='1.3.6.1.4.1.19376.1.5.3.1.4.2'/></act></entryRelationship>",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=6), st.lists(st.sampled_from(PIECES), max_size=4))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_broken_statements_are_read_or_listed_without_any_value(inside, more):
    _, listed = read(around("".join(inside), more="".join(more)))
    assert SECRET not in str(listed)


# ------------------------------------------------------------------ official examples

# Results and earlier results of each, those without a date included.
OFFICIAL = {
    "BIO-CR-BIO_2021.01_CR-2nde-intention": 1,
    "BIO-CR-BIO_2021.01_Microbiologie_V1": 14,
    "BIO-CR-BIO_2024.01_CR-2nde-intention-PDF": 1,
    "BIO-CR-BIO_2024.01_CRP_non_LOINC": 1,
    "BIO-CR-BIO_2024.01_DEP-CCU-tout-structuré": 4,
    "BIO-CR-BIO_2024.01_Electrophorese": 64,
    "BIO-CR-BIO_2024.01_Glycémie deux unités principales_mole_masse": 2,
    "BIO-CR-BIO_2024.01_Microbiologie_V1": 14,
    "BIO-CR-BIO_2024.01_TSH_1": 2,
    "BIO-CR-BIO_2021.01_Auto-Presentable": 11,
    "LDL-EES_2022.01": 0,
    "LDL-SES_2022.01": 0,
}
# Why something of them is listed; anything else is a reader that lost something without a word.
REASONS = {
    "the same value in a second unit has no column",
    "identifiers and addresses of a laboratory: only its name has a column",
    "identifiers and addresses of a validator: only the name has a column",
    "the code of a sample: only its nature in words has a column",
    "reception and other facts of a sample have no column",
    "who took a sample has no column",
    "the place of the body has no column",
    "the code of a technique: only its words have a column",
    "the code of a result: only its words have a column",
    "the code of an examination: only its title has a column",
    "the code of an organism: only its name has a column",
    "a participant that is neither laboratory nor validator has no column",
    "a remark on a whole examination: only results have a column for it",
    "no column of a laboratory result holds this statement",
    "an earlier result without a readable date",
}


@pytest.mark.parametrize("name", OFFICIAL)
def test_official_examples(shared, name):
    document = cda.parse((shared / "cisis" / "exemples" / f"{name}.xml").read_bytes())
    found, listed = read(document)
    undated = sum(one["why"] == "an earlier result without a readable date" for one in listed)
    assert len(found) + undated == OFFICIAL[name]
    assert {one["why"] for one in listed} <= REASONS
    for row in found:
        assert row["label"]
        assert row["measured"]
        assert "value" in row or "value_text" in row
        assert row.keys() <= {c.name for c in TABLES["lab_result"].own}


@pytest.mark.parametrize(
    ("name", "column", "values"),
    [
        ("BIO-CR-BIO_2024.01_TSH_1", "value", ["1.950", "7.67"]),
        ("BIO-CR-BIO_2024.01_TSH_1", "method", ["(ECL Modular)"] * 2),
        ("BIO-CR-BIO_2024.01_TSH_1", "flag", ["N", "L"]),
        ("BIO-CR-BIO_2024.01_CRP_non_LOINC", "code", ["1234"]),
        ("BIO-CR-BIO_2024.01_CR-2nde-intention-PDF", "validated_by", ["Jean DE SANTS"]),
    ],
)
def test_values_of_official_examples(shared, name, column, values):
    found, _ = read(cda.parse((shared / "cisis" / "exemples" / f"{name}.xml").read_bytes()))
    assert [row[column] for row in found] == values
