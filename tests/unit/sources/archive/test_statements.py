"""Statements of documents that others wrote: dispatch, identity, bounds, and what the official examples give."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from transvase.exporters.cda import dlu, ips_fr, vsm
from transvase.formats import cda
from transvase.model.record import ROW
from transvase.model.tables import TABLES
from transvase.sources.archive import statements
from transvase.sources.archive.statements import READERS, reading

HEAD = (
    '<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><id root="1.2.3"/>'
)
PROBLEM_CODE = '<code code="55607006" codeSystem="2.16.840.1.113883.6.96"/>'


def document(entries: str, section: str = "11450-4", text: str = "") -> str:
    return (
        f'{HEAD}<component><structuredBody><component><section><code code="{section}" codeSystem="2.16.840.1.113883.6.1"/>'
        f"<text>{text}</text>{entries}</section></component></structuredBody></component></ClinicalDocument>"
    )


def read(entries: str, section: str = "11450-4", text: str = "") -> statements.Statements:
    return statements.read(cda.parse(document(entries, section, text).encode()))


def problem(
    inner: str = "",
    value: str = '<value xsi:type="CD" code="I10" codeSystem="2.16.840.1.113883.6.3" displayName="HTA"/>',
    **attributes: str,
) -> str:
    said = " ".join(f'{n}="{v}"' for n, v in ({"classCode": "OBS", "moodCode": "EVN"} | attributes).items())
    return (
        f'<observation {said}><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.5"/><id root="1.2.3.4" extension="a"/>{PROBLEM_CODE}'
        f'<statusCode code="completed"/><effectiveTime><low value="20190328"/></effectiveTime>{value}{inner}</observation>'
    )


def entry(inner: str) -> str:
    return f"<entry>{inner}</entry>"


def concern(*inner: str, kind: str = "SUBJ", inversion: str = "false") -> str:
    links = "".join(
        f'<entryRelationship typeCode="{kind}" inversionInd="{inversion}">{i}</entryRelationship>' for i in inner
    )
    return entry(
        f'<act classCode="ACT" moodCode="EVN"><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.5.2"/>{links}</act>'
    )


def only(found: statements.Statements, table: str = "problem") -> dict[str, Any]:
    assert list(found.rows) == [table]
    (row,) = found.rows[table]
    return row


def test_a_row_has_the_declared_columns_and_a_key_that_depends_on_the_identifier_of_the_statement():
    row = only(read(concern(problem())))
    assert row == {
        "key": row["key"],
        "category": "problem",
        "code": "I10",
        "system": "2.16.840.1.113883.6.3",
        "label": "HTA",
        "assertion": "affirmed",
        "onset": "2019-03-28",
        "resolved": None,
    }
    assert only(read(entry(problem())))["key"] == row["key"]
    assert only(read(concern(problem().replace('"a"', '"b"'))))["key"] != row["key"]


@pytest.mark.parametrize("module", READERS)
def test_every_reader_declares_templates_that_no_earlier_one_takes_whole(module):
    earlier = set().union(*(m.TEMPLATES for m in READERS[: READERS.index(module)]))
    assert module.TEMPLATES - earlier


def test_a_statement_repeated_stands_once_and_another_content_under_its_identifier_is_kept_beside_it():
    other = problem(value='<value xsi:type="CD" code="E11" codeSystem="2.16.840.1.113883.6.3" displayName="Diabète"/>')
    found = read(concern(problem(), problem(), other, other))
    rows = found.rows["problem"]
    assert [row["label"] for row in rows] == ["HTA", "Diabète"]
    assert len({row["key"] for row in rows}) == 2
    assert [row["key"] for row in read(concern(problem(), problem(), other, other)).rows["problem"]] == [
        row["key"] for row in rows
    ]


def test_a_statement_without_identifier_has_a_key_all_the_same():
    bare = problem().replace('<id root="1.2.3.4" extension="a"/>', "")
    assert only(read(concern(bare, bare)))["key"]


@pytest.mark.parametrize(
    ("inner", "attributes", "assertion"),
    [
        pytest.param("", {}, "affirmed", id="plain"),
        pytest.param("", {"negationInd": "true"}, "denied", id="negated"),
        pytest.param("", {"negationInd": "1"}, "denied", id="negated by 1"),
        pytest.param("confirmed", {}, "affirmed", id="confirmed"),
        pytest.param("refuted", {}, "denied", id="refuted"),
        pytest.param("provisional", {}, "not_recorded", id="a doubt affirms nothing"),
        pytest.param("unconfirmed", {"negationInd": "true"}, "not_recorded", id="a doubt denies nothing"),
    ],
)
def test_affirmed_denied_or_neither(inner, attributes, assertion):
    said = (
        f'<entryRelationship typeCode="SUBJ" inversionInd="true"><observation><templateId root="1.2.250.1.213.1.1.3.171"/>'
        f'<value xsi:type="CD" code="{inner}" codeSystem="2.16.840.1.113883.4.642.1.1075"/></observation></entryRelationship>'
    )
    assert only(read(concern(problem(said if inner else "", **attributes))))["assertion"] == assertion


@pytest.mark.parametrize(("code", "assertion"), [("no-known-problems", "denied"), ("no-problem-info", None)])
@pytest.mark.parametrize("negation", ["true", "false"])
def test_a_code_of_absence_denies_once(code, assertion, negation):
    value = f'<value xsi:type="CD" code="{code}" codeSystem="{reading.ABSENCE}" displayName="Absence"/>'
    found = read(concern(problem(value=value, negationInd=negation)))
    if assertion is None:
        assert found.rows == {}
        assert [u["why"] for u in found.unrepresented] == [reading.SILENCE]
    else:
        assert only(found)["assertion"] == assertion


def test_what_was_entered_in_error_is_no_row():
    said = (
        '<entryRelationship typeCode="SUBJ" inversionInd="true"><observation><templateId root="1.2.250.1.213.1.1.3.171"/>'
        '<value xsi:type="CD" code="entered-in-error" codeSystem="1.2"/></observation></entryRelationship>'
    )
    found = read(concern(problem(said)))
    assert found.rows == {}
    assert [u["why"] for u in found.unrepresented] == ["it was entered in error"]


@pytest.mark.parametrize(
    ("value", "code", "system", "label"),
    [
        ('<value xsi:type="CD" code="I10" codeSystem="1.2" displayName="HTA"/>', "I10", "1.2", "HTA"),
        (
            '<value xsi:type="CD" code="E11.9" codeSystem="1.2"><translation code="e119" codeSystem="1.2" displayName="Diabète"/></value>',
            "e119",
            "1.2",
            "Diabète",
        ),
        (
            '<value xsi:type="CD" nullFlavor="OTH"><translation code="T90" codeSystem="1.3" displayName="Diabète"/></value>',
            "T90",
            "1.3",
            "Diabète",
        ),
        (
            '<value xsi:type="CD"><originalText>Selon\n   le patient</originalText></value>',
            None,
            None,
            "Selon le patient",
        ),
        (
            '<value xsi:type="CD"><originalText><reference value="#x"/></originalText></value>',
            None,
            None,
            "Mots du récit",
        ),
        (
            '<value xsi:type="CD"><originalText><reference value="x"/></originalText></value>',
            None,
            None,
            "Mots du récit",
        ),
        (
            '<value xsi:type="CD" code="I10" codeSystem="1.2"><originalText><reference value="#absent"/></originalText></value>',
            "I10",
            "1.2",
            "Sans libellé",
        ),
    ],
)
def test_code_and_words(value, code, system, label):
    row = only(
        read(
            concern(problem(value=value)),
            text='<paragraph>a <content ID="x">Mots <!-- caché -->du récit</content></paragraph>',
        )
    )
    assert (row["code"], row["system"], row["label"]) == (code, system, label)


@pytest.mark.parametrize(
    ("written", "date"),
    [
        ("2019", "2019"),
        ("201903", "2019-03"),
        ("20190328", "2019-03-28"),
        ("20190328093000+0100", "2019-03-28"),
        ("20190230", None),
        ("vers 1990", None),
        ("", None),
    ],
)
def test_dates_keep_their_precision(written, date):
    assert only(read(concern(problem().replace("20190328", written))))["onset"] == date


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param(
            entry(
                '<observation classCode="OBS" moodCode="EVN"><templateId root="9.9.9.9"/>'
                f'<entryRelationship typeCode="COMP">{problem()}</entryRelationship></observation>'
            ),
            id="inside a statement that is not known",
        ),
        pytest.param(concern(problem(), kind="RSON"), id="the reason of something"),
        pytest.param(concern(problem(), kind="SUBJ", inversion="true"), id="said of something"),
        pytest.param(concern(problem(moodCode="INT")), id="planned"),
    ],
)
def test_what_only_qualifies_another_statement_is_never_read_alone(entries):
    found = read(entries)
    assert found.rows == {}
    assert len(found.unrepresented) == 1


def test_an_adverse_effect_of_a_medicine_is_neither_a_problem_nor_a_treatment():
    inner = (
        '<entryRelationship typeCode="COMP"><substanceAdministration classCode="SBADM" moodCode="EVN">'
        '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.7"/></substanceAdministration></entryRelationship>'
    )
    found = read(entry(problem(inner).replace("<id ", '<templateId root="1.2.250.1.213.1.1.3.210"/><id ')))
    assert found.rows == {}
    assert ["adverse effect" in u["why"] for u in found.unrepresented] == [True]


def test_a_section_whose_entries_no_reader_knows_is_listed_without_its_values():
    found = read(
        entry(
            '<observation classCode="OBS"><templateId root="1.2.250.1.213.1.1.3.54"/><DUPONT/><value>DUPONT</value></observation>'
        ),
        "42348-3",
    )
    assert found.unrepresented == [
        {
            "what": "section[42348-3]/entry/observation[1.2.250.1.213.1.1.3.54]",
            "why": "no canonical table holds this statement",
        }
    ]


SECRET = "SECRETDUPATIENT"


@pytest.mark.parametrize(
    "entries",
    [
        entry(f'<act><templateId root="{SECRET}"/><id root="{SECRET}"/></act>'),
        entry(f'<{SECRET}><act><templateId root="1.2"/></act></{SECRET}>'),
        entry(f"<organizer><component><{SECRET}/></component></organizer>"),
        concern(problem(f'<entryRelationship typeCode="{SECRET}"><{SECRET}/></entryRelationship>')),
        concern(problem(f'<entryRelationship><act><templateId root="{SECRET}"/></act></entryRelationship>')),
    ],
)
def test_the_list_holds_no_value_whatever_stands_in_the_document(entries):
    assert SECRET not in str(read(entries, SECRET).unrepresented)


@pytest.mark.parametrize(
    ("entries", "rows"),
    [
        pytest.param(
            entry("<organizer><component>" * 900 + "</component></organizer>" * 900), 0, id="nested organizers"
        ),
        pytest.param(
            "<component><section>" * 900 + concern(problem()) + "</section></component>" * 900,
            1,
            id="nested sections",
        ),
        pytest.param(
            "".join(concern(problem().replace('"a"', f'"{n}"')) for n in range(5000)), 5000, id="five thousand"
        ),
        pytest.param(
            concern(problem("".join("<entryRelationship><act/></entryRelationship>" for _ in range(20_000)))),
            1,
            id="many below one",
        ),
    ],
)
def test_hostile_shapes_are_read_in_bounded_time(entries, rows):
    start = time.perf_counter()
    assert len(read(entries).rows.get("problem", ())) == rows
    assert time.perf_counter() - start < 10


def test_a_reference_to_a_huge_text_is_not_a_label_and_costs_no_more_than_its_bound():
    value = '<value xsi:type="CD" code="I10" codeSystem="1.2" displayName="HTA"><originalText><reference value="#x"/></originalText></value>'
    many = "".join(concern(problem(value=value).replace('"a"', f'"{n}"')) for n in range(2000))
    huge = '<paragraph ID="x">' + "<content>mot </content>" * 50_000 + "</paragraph>"
    start = time.perf_counter()
    assert {row["label"] for row in read(many, text=huge).rows["problem"]} == {"HTA"}
    assert time.perf_counter() - start < 20


NAMES = st.sampled_from(
    [
        "entry",
        "act",
        "organizer",
        "observation",
        "component",
        "entryRelationship",
        "section",
        "value",
        "code",
        "text",
        "id",
        "effectiveTime",
        "low",
        "originalText",
        "reference",
        "translation",
        "participant",
        "consumable",
    ]
)
ROOTS = st.sampled_from(sorted(set().union(*(m.TEMPLATES for m in READERS))))
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["code", "codeSystem", "value", "root", "nullFlavor", "moodCode", "unit", "typeCode", "ID"]),
    st.text("a1.#-é", max_size=4),
    max_size=3,
)


def element(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(NAMES, st.lists(ROOTS, max_size=2), ATTRIBUTES, st.lists(children, max_size=3))


def build(node: Any) -> etree._Element:
    name, roots, attributes, children = node
    made = etree.Element(f"{{urn:hl7-org:v3}}{name}", attributes)
    for root in roots:
        etree.SubElement(made, "{urn:hl7-org:v3}templateId", root=root)
    made.extend([build(child) for child in children])
    return made


LEAF = st.tuples(NAMES, st.lists(ROOTS, max_size=2), ATTRIBUTES, st.just([]))


@given(st.lists(element(st.recursive(LEAF, element, max_leaves=12)), max_size=4))
@settings(max_examples=100, deadline=None)
def test_any_tree_gives_rows_of_declared_columns_and_raises_nothing(nodes):
    root = cda.parse(document("").encode())
    section = next(root.iter("{urn:hl7-org:v3}section"))
    for node in nodes:
        etree.SubElement(section, "{urn:hl7-org:v3}entry").append(build(node))
    found = statements.read(root)
    for table, rows in found.rows.items():
        assert len({row["key"] for row in rows}) == len(rows)
        for row in rows:
            assert row.keys() <= {c.name for c in TABLES[table].own}
            assert all(row.get(c.name) in (*c.values, None) for c in TABLES[table].own if c.values)


# What the official examples give, by table; and how many statements stay in the document only.
OFFICIAL = {
    "VSM_1.4_2022.01": {"problem": 6, "allergy": 1, "treatment": 2, "risk_factor": 2},
    "IPS-FR_2024.01": {
        "problem": 10,
        "allergy": 1,
        "treatment": 1,
        "risk_factor": 4,
        "vital_sign": 2,
        "immunization": 2,
        "lab_result": 1,
    },
    "DLU-EHPAD-DLU_2022.01": {"problem": 2, "allergy": 2, "treatment": 1, "immunization": 3},
    "DLU-EHPAD-FLUDT_2022.01": {"vital_sign": 5},
}
MODEL = {
    "VSM_1.4_2022.01": vsm,
    "IPS-FR_2024.01": ips_fr,
    "DLU-EHPAD-DLU_2022.01": dlu.DLU,
    "DLU-EHPAD-FLUDT_2022.01": dlu.FLUDT,
}
# Kept in the document only, and why: the last element of each path with its template.
ONLY_IN_THE_DOCUMENT = {
    "VSM_1.4_2022.01": {
        "act[1.2.250.1.213.1.1.3.36]": 3,
        "observation[1.2.250.1.213.1.1.3.30]": 1,
        "observation[1.2.250.1.213.1.1.3.52]": 1,
        "observation[1.2.250.1.213.1.1.3.51]": 1,
        "substanceAdministration[1.3.6.1.4.1.19376.1.5.3.1.4.7.1]": 4,
    },
    "DLU-EHPAD-FLUDT_2022.01": {
        "observation[1.2.250.1.213.1.1.3.48]": 5,
        "observation[1.2.250.1.213.1.1.3.12]": 6,
        "act[1.2.250.1.213.1.1.3.28]": 1,
        "procedure[1.2.250.1.213.1.1.3.62]": 1,
        "substanceAdministration[1.3.6.1.4.1.19376.1.5.3.1.4.7.1]": 1,
    },
}


def official(shared, name: str) -> statements.Statements:
    return statements.read(cda.parse((shared / "cisis" / "exemples" / f"{name}.xml").read_bytes()))


@pytest.mark.parametrize("name", OFFICIAL)
def test_the_official_examples_are_read(shared, name):
    found = official(shared, name)
    assert {table: len(rows) for table, rows in found.rows.items()} == OFFICIAL[name]
    if name in ONLY_IN_THE_DOCUMENT:
        assert Counter(u["what"].rpartition("/")[2] for u in found.unrepresented) == ONLY_IN_THE_DOCUMENT[name]


@pytest.mark.parametrize("name", OFFICIAL)
def test_the_official_examples_written_again_say_the_same(shared, name):
    """Rows of the example, our document of the same model, rows again: the same, but the key, which depends on the identifier."""
    first = official(shared, name).rows
    record = {
        table: [ROW[table](**{n: row.get(n) for n in ROW[table]._fields} | {"patient": "7"}) for row in rows]
        for table, rows in first.items()
    }
    text = f"{HEAD}{MODEL[name].body(record, '1.2.250.1.213.9.9.14.7')}</ClinicalDocument>"
    again = statements.read(cda.parse(text.encode())).rows
    mine = ("problem", "allergy", "treatment", "risk_factor", "vital_sign")
    for table in mine:
        # A row not recorded is a line for the reader and no entry.
        wanted = [bare(row) for row in first.get(table, ()) if row.get("assertion") != "not_recorded"]
        assert sorted(map(str, wanted)) == sorted(str(bare(row)) for row in again.get(table, ()))


def bare(row: dict[str, Any]) -> dict[str, Any]:
    return {n: v for n, v in sorted(row.items()) if n != "key" and v is not None}
