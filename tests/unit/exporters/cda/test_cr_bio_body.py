"""The laboratory report (CR-BIO): one coded observation for each row, and nothing of the laboratory's words lost."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from transvase.exporters.cda import cr_bio, header
from transvase.exporters.cda.entries.units import NUMBER, quantity, ucum
from transvase.model.record import ROW

NS = {"v": "urn:hl7-org:v3"}
XSI = "http://www.w3.org/2001/XMLSchema-instance"
IDS = "1.2.250.1.213.9.9.13.7"
LOINC = "2.16.840.1.113883.6.1"
RESULT = "1.2.250.1.213.1.1.3.80"
ENTRY = "1.2.250.1.213.1.1.3.21"
CHAPTER = "1.2.250.1.213.1.1.2.70"
EXAMINATION = "1.2.250.1.213.1.1.2.71"
SAMPLE = "1.2.250.1.213.1.1.3.77"
COPY = "1.2.250.1.213.1.1.2.243"


def lab(key: str, **values: Any) -> Any:
    given = {"key": key, "patient": "7", "label": "Glycémie", "value": "1.10", "unit": "g/L", "measured": "2026-01-02"}
    kind = ROW["lab_result"]
    return kind(**{name: (given | values).get(name) for name in kind._fields})


def written(rows: list[Any]) -> etree._Element:
    text = cr_bio.body(rows, IDS, b"%PDF-1.7")
    return etree.fromstring(f'<d xmlns="urn:hl7-org:v3" xmlns:xsi="{XSI}">{text}</d>'.encode())


def templated(root: etree._Element, template: str) -> list[etree._Element]:
    return [found.getparent() for found in root.iterfind(f".//v:templateId[@root='{template}']", NS)]


def one(rows: list[Any]) -> etree._Element:
    (found,) = templated(written(rows), RESULT)
    return found


def value(found: etree._Element) -> tuple[str, ...]:
    """Type, value and unit, then value and unit of the translation."""
    said = found.find("v:value", NS)
    beside = said.find("v:translation", NS)
    first = (said.get(f"{{{XSI}}}type"), said.get("value"), said.get("unit"), said.get("nullFlavor"))
    return first if beside is None else (*first, beside.get("value"), beside.findtext("v:originalText", None, NS))


# ------------------------------------------------------------------ rows in, observations out


@pytest.mark.parametrize("count", [0, 1, 7, 5000])
def test_each_row_is_one_observation(count):
    root = written([lab(str(n), chapter=f"C{n % 3}", panel=f"P{n % 5}", specimen="Sang") for n in range(count)])
    assert len(templated(root, RESULT)) == count
    keys = Counter(o.find("v:id", NS).get("extension") for o in templated(root, RESULT))
    assert keys == Counter(str(n) for n in range(count))
    ids = [n.get("ID") for n in root.iter() if n.get("ID")]
    assert len(ids) == len(set(ids))


def test_a_report_without_result_says_so_in_its_one_entry():
    root = written([])
    (entry,) = templated(root, ENTRY)
    reference = entry.find(".//v:text/v:reference", NS).get("value")
    (said,) = root.xpath("//*[@ID=$name]", name=reference[1:])
    assert said.text == cr_bio.NO_RESULT
    assert len(templated(root, CHAPTER)) == 1


def test_every_reference_of_an_entry_has_its_words():
    rows = [
        lab("1", specimen="Sang", method="M", comment="C"),
        lab("2", specimen="Sang", code="X"),
        lab("3", panel="P"),
    ]
    root = written(rows)
    names = {n.get("ID") for n in root.iter() if n.get("ID")}
    references = {r.get("value")[1:] for r in root.iterfind(".//v:reference[@value]", NS)}
    assert references <= names


@pytest.mark.parametrize(
    ("title", "code"),
    [
        ("BIOCHIMIE", "18719-5"),
        ("Hémostase - coagulation", "18720-3"),
        ("HEMATOLOGIE", "18723-7"),
        ("Bactériologie", "18725-2"),
        ("Divers", "26436-6"),
        (None, "26436-6"),
    ],
)
def test_a_chapter_is_coded_when_its_title_names_one(title, code):
    root = written([lab("1", chapter=title)])
    (chapter,) = templated(root, CHAPTER)
    assert chapter.find("v:code", NS).get("code") == code
    assert chapter.findtext("v:title", None, NS) == (title or "Examens de laboratoire")
    event, others = cr_bio.events([lab("1", chapter=title)])
    assert f'code="{code}"' in event
    assert not others


def test_each_further_chapter_is_a_documented_act():
    rows = [lab("1", chapter="Biochimie"), lab("2", chapter="Hématologie"), lab("3", chapter="BIOCHIMIE")]
    event, others = cr_bio.events(rows)
    assert 'code="18719-5"' in event
    assert others.count("<documentationOf>") == 1
    assert 'code="18723-7"' in others


@pytest.mark.parametrize(
    "apart",
    [
        {"panel": "NFS"},
        {"laboratory": "B"},
        {"validated_by": "Dr B"},
        {"validated": "2026-01-04"},
        {"status": "partial"},
    ],
)
def test_results_of_others_are_another_examination(apart):
    assert len(templated(written([lab("1"), lab("2", **apart), lab("3")]), EXAMINATION)) == 2


@pytest.mark.parametrize(
    ("status", "act", "own", "replaces"),
    [
        (None, "completed", "completed", 0),
        ("final", "completed", "completed", 0),
        ("partial", "active", "completed", 0),
        ("corrected", "completed", "completed", 1),
        ("cancelled", "completed", "aborted", 0),
    ],
)
def test_state_of_a_result(status, act, own, replaces):
    root = written([lab("1", status=status)])
    (found,) = templated(root, RESULT)
    assert found.find("v:statusCode", NS).get("code") == own
    assert found.getparent().getparent().find("v:statusCode", NS).get("code") == act
    assert len(found.findall("v:reference[@typeCode='RPLC']", NS)) == replaces


# ------------------------------------------------------------------ values, units, codes


@pytest.mark.parametrize(
    ("unit", "code"),
    [
        ("g/L", "g/L"), ("g/l", "g/L"), ("G/L", "10*9/L"), ("G/l", "10*9/L"), ("mUI/l", "m[IU]/L"), ("UI/L", "[IU]/L"),
        ("µmol/L", "umol/L"), ("\u03bcmol/L", "umol/L"), ("/mm3", "/uL"), ("T/L", "10*12/L"), ("%", "%"), ("fl", "fL"),
        ("MG/L", ""), ("UI", ""), ("unités", ""), ("mL/min/1,73m2", ""), ("", ""),
    ],
)  # fmt: skip
def test_a_unit_is_translated_only_when_it_is_certain(unit, code):
    assert ucum(unit) == code


@pytest.mark.parametrize(
    ("values", "made"),
    [
        pytest.param({}, ("PQ", "1.10", "g/L", None), id="a unit of UCUM stands alone"),
        pytest.param({"unit": "mUI/l"}, ("PQ", "1.10", "m[IU]/L", None, "1.10", "mUI/l"), id="the received one beside"),
        pytest.param({"unit": "doses"}, ("PQ", None, None, "OTH", "1.10", "doses"), id="an uncertain one is not UCUM"),
        pytest.param({"unit": None}, ("REAL", "1.10", None, None), id="no unit"),
        pytest.param({"value": None}, ("ST", None, None, "UNK"), id="no value is unknown, not empty"),
        pytest.param({"value": None, "value_text": "Négatif"}, ("ST", None, None, None), id="words"),
        pytest.param({"value": "<5"}, ("ST", None, None, None), id="what is no number is words"),
    ],
)
def test_value(values, made):
    assert value(one([lab("1", **values)])) == made


def test_a_cancelled_result_without_value_has_none():
    assert one([lab("1", value=None, status="cancelled")]).find("v:value", NS) is None


@pytest.mark.parametrize(
    ("code", "system", "main", "beside"),
    [
        ("2345-7", LOINC, ("2345-7", LOINC), None),
        ("GLUC", LOINC, (None, None), ("GLUC", LOINC)),
        ("27", "1.2.250.1.9.7", (None, None), ("27", "1.2.250.1.9.7")),
        ("PARA12", None, (None, None), ("PARA12", None)),
        ("A B", None, (None, None), None),
        (None, None, (None, None), None),
    ],
)
def test_the_original_code_stays_beside(code, system, main, beside):
    found = one([lab("1", code=code, system=system)]).find("v:code", NS)
    assert (found.get("code"), found.get("codeSystem")) == main
    other = found.find("v:translation", NS)
    assert (None if other is None else (other.get("code"), other.get("codeSystem"))) == beside
    assert found.find("v:originalText/v:reference", NS).get("value") == "#b1.1.1"


def test_one_sample_for_the_results_that_come_from_it():
    rows = [lab("1", specimen="Sang"), lab("2", specimen="Sang"), lab("3", specimen="Urines"), lab("4")]
    root = written(rows)
    assert len(templated(root, SAMPLE)) == 2
    referred = [o.find("v:specimen/v:specimenRole/v:id", NS) for o in templated(root, RESULT)]
    assert [None if r is None else r.get("extension") for r in referred] == ["1", "1", "3", None]


# ------------------------------------------------------------------ who answers for it


def signatory(**values: Any) -> header.Signatory:
    given = {"key": "2", "family": "DUPONT", "idnat": "899900000000", "specialty": "G15_10/SM26"} | values
    kind = ROW["practitioner"]
    return header.signatory(kind(**{name: given.get(name) for name in kind._fields}), "1.2.250.1.213.9.9")


STRUCTURE = header.Structure('root="1.2.250.1.71.4.2.2" extension="1"', "Cabinet", "", "", "")


@pytest.mark.parametrize("missing", [{"idnat": None}, {"specialty": None}, {"specialty": "unknown"}])
def test_a_person_without_national_identifier_or_profession_cannot_answer(missing):
    assert cr_bio.can_answer(signatory())
    assert not cr_bio.can_answer(signatory(**missing))
    with pytest.raises(ValueError, match="national identifier"):
        cr_bio.responsible(signatory(**missing), STRUCTURE)


def test_an_address_that_the_record_lacks_is_said_unknown():
    made = cr_bio.performer(signatory(), STRUCTURE, "")
    assert made.count('<telecom nullFlavor="UNK"/>') == 2
    assert made.count('<addr nullFlavor="UNK"/>') == 2
    assert '<time nullFlavor="UNK"/>' in made


# ------------------------------------------------------------------ any content

ANY = st.none() | st.text(st.characters(exclude_categories=()), max_size=12)
ROWS = st.lists(
    st.builds(
        ROW["lab_result"],
        **(
            dict.fromkeys(ROW["lab_result"]._fields, ANY)
            | {
                "key": st.text(st.characters(exclude_categories=()), max_size=90),
                "label": st.text(st.characters(exclude_categories=()), max_size=400),
                "value": ANY | st.decimals(allow_nan=False, allow_infinity=False).map(str),
                "unit": ANY | st.sampled_from(["g/L", "G/L", "µg/l"]),
                "status": st.sampled_from([None, "final", "partial", "corrected", "cancelled", "?"]),
            }
        ),
    ),
    max_size=5,
)


@given(ROWS)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_content_is_well_formed_and_every_row_is_there(rows):
    root = written(rows)
    assert len(templated(root, RESULT)) == len(rows)
    assert len(templated(root, COPY)) == 1


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", '"/><x y="', "]]>", "&amp;", "{ids}", "{state}", "#b1.1.1"]
)
def test_hostile_text_is_text(text):
    fields = (
        "label",
        "value_text",
        "unit",
        "chapter",
        "panel",
        "specimen",
        "method",
        "laboratory",
        "validated_by",
        "comment",
    )
    tags = Counter(n.tag for n in written([lab("1", **dict.fromkeys(fields, "x"))]).iter())
    root = written([lab("1", **dict.fromkeys(fields, text))])
    assert Counter(n.tag for n in root.iter()) == tags
    assert "".join(root.itertext()).count(text) >= len(fields) - 1


@given(st.from_regex(NUMBER.__self__, fullmatch=True))
def test_digits_are_kept(number):
    assert f'value="{number}"' in quantity("low", number, "g/L")
