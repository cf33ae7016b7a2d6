"""Liaison letters (LDL-EES, LDL-SES): which row becomes which entry, and what unknown, no and never said look like."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from transvase.exporters.cda import ldl
from transvase.model.record import ROW, Record

NS = {"v": "urn:hl7-org:v3"}
XSI = "http://www.w3.org/2001/XMLSchema-instance"
IDS = "1.2.250.1.213.9.9.13.7"

TREATMENT = "1.2.250.1.213.1.1.3.42"
ALLERGY = "1.2.250.1.213.1.1.3.41"
PROBLEM = "1.2.250.1.213.1.1.3.37"
PROCEDURE = "1.2.250.1.213.1.1.3.62"
HISTORY = "1.2.250.1.213.1.1.2.134"
SURGERY = "1.2.250.1.213.1.1.2.136"
AT_ENTRY = "1.2.250.1.213.1.1.2.144"
AT_DISCHARGE = "1.2.250.1.213.1.1.2.146"
STOPPED = "1.2.250.1.213.1.1.2.145"
ALLERGIES = "1.2.250.1.213.1.1.2.137"
RESULTS = "1.2.250.1.213.1.1.2.150"
PLAN = "1.2.250.1.213.1.1.2.158"
EVENTS = "1.2.250.1.213.1.1.2.163.1"


def row(table: str, key: str, **values: Any) -> Any:
    kind = ROW[table]
    given = {"key": key, "patient": "7", "label": "Libellé", "category": "problem", "assertion": "affirmed"} | values
    return kind(**{name: given.get(name) for name in kind._fields})


def parse(text: str) -> etree._Element:
    return etree.fromstring(f'<d xmlns="urn:hl7-org:v3" xmlns:xsi="{XSI}">{text}</d>'.encode())


def entry(record: Record, letter: ldl.EntryLetter | None = None) -> etree._Element:
    return parse(ldl.entry_body(record, letter or ldl.EntryLetter(), IDS))


def discharge(record: Record, **stay: Any) -> etree._Element:
    return parse(ldl.discharge_body(record, ldl.Stay(**stay), IDS))


def templated(root: etree._Element, template: str) -> list[etree._Element]:
    return [found.getparent() for found in root.iterfind(f".//v:templateId[@root='{template}']", NS)]


def told(found: etree._Element) -> str:
    return " ".join("".join(found.find("v:text", NS).itertext()).split())


def many(table: str, count: int, **values: Any) -> list[Any]:
    return [row(table, str(n), **values) for n in range(count)]


# ------------------------------------------------------------------ rows


@pytest.mark.parametrize("count", [1, 3, 5000])
def test_each_row_of_the_record_is_one_entry(count):
    record = {
        "treatment": many("treatment", count),
        "allergy": many("allergy", count),
        "problem": many("problem", count) + [row("problem", f"s{n}", category="surgery") for n in range(count)],
    }
    root = entry(record)
    counted = {t: len(templated(root, t)) for t in (TREATMENT, ALLERGY, PROBLEM, PROCEDURE)}
    assert counted == dict.fromkeys((TREATMENT, ALLERGY, PROBLEM, PROCEDURE), count)
    ids = [n.get("ID") for n in root.iter() if n.get("ID")]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("table", "template", "section", "code"),
    [
        ("treatment", TREATMENT, AT_ENTRY, "no-medication-info"),
        ("allergy", ALLERGY, ALLERGIES, "no-allergy-info"),
    ],
)
@pytest.mark.parametrize("rows", ["none", "not recorded"])
def test_nothing_known_is_said_by_a_code_and_denies_nothing(table, template, section, code, rows):
    record = {} if rows == "none" else {table: [row(table, "1", assertion="not_recorded", label="Demandé")]}
    root = entry(record)
    (found,) = templated(root, template)
    assert found.get("negationInd") == "false"
    assert found.xpath(".//@code[.=$code]", code=code)
    (around,) = templated(root, section)
    assert told(around).startswith("Non renseigné")
    assert ("Demandé" in told(around)) == (rows != "none")
    reference = found.find("v:text/v:reference", NS).get("value")[1:]
    assert root.xpath("//*[@ID=$name]", name=reference)


def test_a_denied_row_is_negated():
    root = entry(
        {"treatment": [row("treatment", "1", assertion="denied")], "allergy": [row("allergy", "1", assertion="denied")]}
    )
    assert [found.get("negationInd") for t in (TREATMENT, ALLERGY) for found in templated(root, t)] == ["true", "true"]


def test_sections_of_history_stand_only_with_rows():
    assert not templated(entry({}), HISTORY)
    assert not templated(entry({}), SURGERY)
    assert templated(entry({"problem": [row("problem", "1", assertion="not_recorded")]}), HISTORY)


def test_family_history_is_no_part_of_the_model():
    root = entry({"problem": [row("problem", "1", category="family", label="Diabète, mère")]})
    assert "Diabète" not in "".join(root.itertext())


@pytest.mark.parametrize(
    ("values", "status"),
    [({}, "active"), ({"resolved": "2020"}, "completed"), ({"category": "history"}, "completed")],
)
def test_an_active_problem_stays_active_in_the_history(values, status):
    root = entry({"problem": [row("problem", "1", **values)]})
    (concern,) = templated(root, "1.2.250.1.213.1.1.3.39")
    assert concern.find("v:statusCode", NS).get("code") == status


def test_words_of_the_letter_keep_their_lines():
    root = entry({}, ldl.EntryLetter("Chute", "Vit seule\nVoisine à prévenir"))
    assert [p.text for p in root.iter("{urn:hl7-org:v3}paragraph")][-2:] == ["Vit seule", "Voisine à prévenir"]


# ------------------------------------------------------------------ the stay


def test_what_was_given_and_stopped_is_apart_from_what_goes_on():
    root = discharge({"treatment": [row("treatment", "1")]}, stopped=[row("treatment", "2"), row("treatment", "3")])
    assert len(templated(templated(root, AT_DISCHARGE)[0], TREATMENT)) == 1
    assert len(templated(templated(root, STOPPED)[0], TREATMENT)) == 2


def test_optional_sections_stand_only_when_they_say_something():
    root = discharge({})
    assert not any(templated(root, t) for t in (STOPPED, ALLERGIES, RESULTS, PLAN))
    assert templated(discharge({}, plan="Revoir dans un mois"), PLAN)
    assert templated(discharge({}, expected="Écho"), RESULTS)
    assert templated(discharge({"lab_result": [row("lab_result", "1")]}), RESULTS)
    assert templated(discharge({"allergy": [row("allergy", "1")]}), ALLERGIES)


@pytest.mark.parametrize(("said", "value"), [(True, ("true", None)), (False, ("false", None)), (None, (None, "UNK"))])
@pytest.mark.parametrize(
    ("name", "code"), [("resistance_searched", "MED-309"), ("transfused", "MED-145"), ("blood_products", "MED-147")]
)
def test_unknown_is_neither_yes_nor_no(name, code, said, value):
    root = discharge({}, **{name: said})
    (found,) = root.xpath("//v:observation[v:code/@code=$code]/v:value", namespaces=NS, code=code)
    assert (found.get("value"), found.get("nullFlavor")) == value


def test_the_six_observations_of_the_model_are_there_once():
    (section,) = templated(discharge({}), EVENTS)
    codes = Counter(c.get("code") for c in section.iterfind("v:entry/v:observation/v:code", NS))
    assert codes == Counter(["ORG-070", "ORG-074", "MED-142", "MED-309", "MED-145", "MED-147"])


@pytest.mark.parametrize("name", ["state", "arrival", "departure"])
def test_a_value_out_of_the_list_is_refused(name):
    with pytest.raises(KeyError):
        discharge({}, **{name: "elsewhere"})


# ------------------------------------------------------------------ any content

ANY = st.text(st.characters(exclude_categories=()), max_size=12)
SAID = {
    "assertion": st.sampled_from(["affirmed", "denied", "not_recorded"]),
    "category": st.sampled_from(["problem", "history", "surgery", "family"]),
}


def rows(table: str) -> st.SearchStrategy[list[Any]]:
    columns = {name: SAID.get(name, st.none() | ANY) for name in ROW[table]._fields} | {"key": ANY, "label": ANY}
    return st.lists(st.builds(ROW[table], **columns), max_size=3)


RECORDS = st.fixed_dictionaries({t: rows(t) for t in ("problem", "allergy", "treatment", "lab_result")})


@given(RECORDS, ANY, ANY)
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_content_is_well_formed_and_counted(record, one, two):
    def stated(table: str, *categories: str) -> int:
        return max(
            1 if not categories else 0,
            sum(r.assertion != "not_recorded" and (not categories or r.category in categories) for r in record[table]),
        )

    for root in (
        entry(record, ldl.EntryLetter(one, two)),
        discharge(record, reason=one, synthesis=two, adverse=one, plan=two, expected=one, left=two),
    ):
        assert len(templated(root, TREATMENT)) == stated("treatment")
    root = entry(record, ldl.EntryLetter(one, two))
    assert len(templated(root, ALLERGY)) == stated("allergy")
    assert len(templated(root, PROBLEM)) >= stated("problem", "problem", "history")
    assert len(templated(root, PROCEDURE)) >= stated("problem", "surgery")


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"/><x y="', "]]>", "&amp;", "{ids}"])
def test_hostile_text_is_text(text):
    fields = (
        "reason",
        "synthesis",
        "adverse",
        "resistance_found",
        "transfusion_accidents",
        "blood_product_events",
        "expected",
        "plan",
    )
    tags = Counter(n.tag for n in discharge({}, **dict.fromkeys(fields, "x")).iter())
    root = discharge({}, **dict.fromkeys(fields, text))
    assert Counter(n.tag for n in root.iter()) == tags
    assert "".join(root.itertext()).count(text) >= len(fields)
