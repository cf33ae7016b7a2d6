"""The e-prescription (eP-MED-DM): what each line becomes, what is ticked or not, and when a prescription cannot be this document."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from transvase.exporters.cda import ep_med_dm, header
from transvase.exporters.cda.entries import administration
from transvase.exporters.cda.header import Signatory
from transvase.model.record import ROW

NS = {"v": "urn:hl7-org:v3"}
XSI = "http://www.w3.org/2001/XMLSchema-instance"
IDS = "1.2.250.1.213.9.9.13.7"
PDF = b"%PDF-1.7"
CIS, CIP = "1.2.250.1.213.2.3.1", "1.2.250.1.213.2.3.2"
LPP = "1.2.250.1.215.200.2.1"

ITEM = "1.2.250.1.213.1.1.3.83"
DEVICE = "1.2.250.1.213.1.1.3.20"
STRUCTURED = "1.3.6.1.4.1.19376.1.9.1.3.6"
QUANTITY = "1.2.250.1.213.1.1.3.86"
SUBSTITUTION = "1.2.250.1.213.1.1.3.87"
MARKS = {"long_term": "13", "work_related": "14", "prevention": "34", "not_reimbursed": "15", "off_label": "12"}


def row(table: str, key: str, **values: Any) -> Any:
    kind = ROW[table]
    assert values.keys() <= set(kind._fields)
    return kind(**{name: ({"key": key, "patient": "7"} | values).get(name) for name in kind._fields})


def order(category: str = "medication", **values: Any) -> Any:
    return row("prescription", "o1", **{"category": category, "prescribed": "2026-01-02T09:30:00"} | values)


def line(key: str = "1", label: str = "Libellé", **values: Any) -> Any:
    return row("prescription_line", key, prescription="o1", label=label, **values)


def parse(text: str) -> etree._Element:
    return etree.fromstring(f'<d xmlns="urn:hl7-org:v3" xmlns:xsi="{XSI}">{text}</d>'.encode())


def written(*lines: Any, category: str = "medication", **values: Any) -> etree._Element:
    return parse(ep_med_dm.body(order(category, **values), list(lines), IDS, PDF))


def templated(root: etree._Element, template: str) -> list[etree._Element]:
    return [found.getparent() for found in root.iterfind(f".//v:templateId[@root='{template}']", NS)]


def one(root: etree._Element, template: str) -> etree._Element:
    (found,) = templated(root, template)
    return found


def pointed(root: etree._Element, node: etree._Element) -> str:
    """What the reference inside an element points at."""
    name = node.find(".//v:reference", NS).get("value").removeprefix("#")
    (target,) = [n for n in root.iter() if n.get("ID") == name]
    return "".join(target.itertext())


# ------------------------------------------------------------------ lines in, entries out


@pytest.mark.parametrize("category, template", [("medication", ITEM), ("device", DEVICE)])
@pytest.mark.parametrize("count", [1, 7])
def test_each_line_is_one_entry_with_its_key(category, template, count):
    root = written(*(line(f"k{n}") for n in range(count)), category=category)
    found = templated(root, template)
    assert [e.find("v:id", NS).get("extension") for e in found] == [f"k{n}" for n in range(count)]
    assert len({e.find("v:text/v:reference", NS).get("value") for e in found}) == count


def test_five_thousand_lines():
    root = written(*(line(str(n), dose="1", dose_unit="comprimé") for n in range(5000)))
    assert len(templated(root, ITEM)) == 5000
    names = [n.get("ID") for n in root.iter() if n.get("ID")]
    assert len(names) == len(set(names))


def test_the_section_carries_the_key_of_the_prescription():
    section = one(written(line()), "1.2.250.1.213.1.1.2.171")
    assert section.find("v:id", NS).get("extension") == "o1"


@pytest.mark.parametrize(
    "values, main, other",
    [
        pytest.param({"code": "63107752", "system": CIS}, "63107752", None, id="the national code"),
        pytest.param({"code": "3400933516390", "system": CIP}, None, "3400933516390", id="another stays beside"),
        pytest.param({"code": "631", "system": CIS}, None, "631", id="a malformed one stays beside"),
        pytest.param({}, None, None, id="words alone"),
    ],
)
def test_the_code_recorded_is_never_lost(values, main, other):
    code = one(written(line(**values)), ITEM).find(".//v:manufacturedMaterial/v:code", NS)
    beside = code.find("v:translation", NS)
    assert code.get("code") == main
    assert (beside.get("code") if beside is not None else None) == other


def test_a_device_keeps_its_code_beside_the_one_asked_for():
    code = one(written(line(code="1215702", system=LPP), category="device"), DEVICE).find(
        ".//v:playingDevice/v:code", NS
    )
    assert code.get("nullFlavor") == "OTH"
    assert code.find("v:translation", NS).get("code") == "1215702"


# ------------------------------------------------------------------ ticked, not ticked, not recorded


@pytest.mark.parametrize("column, arc", MARKS.items())
@pytest.mark.parametrize(
    "said, value, words", [(True, "true", "Oui"), (False, "false", "Non"), (None, "false", "Non renseigné")]
)
def test_a_tick_is_said_and_its_absence_told_apart_for_the_reader(column, arc, said, value, words):
    root = written(line(**{column: said}))
    mark = one(root, f"1.2.250.1.213.1.1.3.48.{arc}")
    assert mark.find("v:value", NS).get("value") == value
    assert pointed(root, mark.find("v:text", NS)) == words


@pytest.mark.parametrize(
    "said, reason, code, words",
    [
        (True, "Marge thérapeutique étroite", "N", "Marge thérapeutique étroite"),
        (True, None, "N", "Non"),
        (False, None, "G", "Oui"),
        (None, None, "G", "Non renseigné"),
    ],
)
def test_substitution(said, reason, code, words):
    root = written(line(unsubstitutable=said, unsubstitutable_reason=reason))
    act = one(root, SUBSTITUTION)
    assert act.find("v:code", NS).get("code") == code
    assert pointed(root, act.find("v:code", NS)) == words


@pytest.mark.parametrize(
    "renewals, value, words", [(3, "3", "3"), (0, "0", "0"), (None, "0", "Non renseigné"), (-1, "0", "-1")]
)
def test_renewals(renewals, value, words):
    root = written(line(renewals=renewals))
    assert one(root, ITEM).find("v:repeatNumber", NS).get("value") == value
    assert words in ["".join(cell.itertext()) for cell in root.iterfind(".//v:td", NS)]


# ------------------------------------------------------------------ how it is taken


def test_a_dosage_in_words_is_not_called_structured():
    root = written(line(dosage="1 comprimé le matin"))
    assert not templated(root, STRUCTURED)
    assert "1 comprimé le matin" in "".join(one(root, "1.2.250.1.213.1.1.2.171").find("v:text", NS).itertext())


@pytest.mark.parametrize(
    "values",
    [
        {"dose": "1", "dose_unit": "comprimé"},
        {"frequency": 1, "period": "1", "period_unit": "d"},
        {"route": "Voie orale"},
    ],
)
def test_a_structured_dosage_is_announced(values):
    assert templated(written(line(**values)), STRUCTURED)


@pytest.mark.parametrize(
    "frequency, period, unit, value, code, shared",
    [
        pytest.param(3, "1", "d", "8", "h", "true", id="three a day"),
        pytest.param(1, "8", "h", "8", "h", None, id="every eight hours"),
        pytest.param(1, "2", "d", "2", "d", None, id="every other day"),
        pytest.param(7, "1", "d", "3.428571", "h", "true", id="seven a day"),
        pytest.param(2, "1", "wk", "84", "h", "true", id="twice a week"),
        pytest.param(1, "1", "mo", "1", "mo", None, id="once a month"),
        pytest.param(3, "1", "mo", "0.333333", "mo", "true", id="three a month"),
    ],
)
def test_the_rhythm_is_the_time_between_two_intakes(frequency, period, unit, value, code, shared):
    item = one(written(line(frequency=frequency, period=period, period_unit=unit)), ITEM)
    time = item.find("v:effectiveTime[@operator='A']", NS)
    assert (time.find("v:period", NS).get("value"), time.find("v:period", NS).get("unit")) == (value, code)
    assert time.get("institutionSpecified") == shared


@pytest.mark.parametrize(
    "values",
    [
        {"frequency": 3},
        {"frequency": 0, "period": "1", "period_unit": "d"},
        {"frequency": -2, "period": "1", "period_unit": "d"},
        {"frequency": 1, "period": "0", "period_unit": "d"},
        {"frequency": 1, "period": "un", "period_unit": "d"},
        {"frequency": 1, "period": "1", "period_unit": "an"},
        {"frequency": 10_000, "period": "0.000001", "period_unit": "d"},
    ],
)
def test_a_rhythm_that_makes_no_time_stays_words(values):
    assert administration.rhythm(values.get("frequency"), values.get("period"), values.get("period_unit"), "r") == ""


@pytest.mark.parametrize(
    "unit, code", [("mg", "mg"), ("ml", "mL"), ("µg", "ug"), ("UI", "[IU]"), ("comprimé", None), (None, None)]
)
def test_the_unit_is_a_code_only_when_ucum_has_it(unit, code):
    root = written(line(dose="2", dose_unit=unit))
    low = one(root, ITEM).find("v:doseQuantity/v:low", NS)
    assert (low.get("value"), low.get("unit")) == ("2", code)
    assert pointed(root, low) == f"2 {unit or ''}".strip()


@pytest.mark.parametrize("quantity, entries", [("2", 1), ("0.5", 1), (None, 0), ("deux", 0), ("-1", 0)])
def test_a_quantity_is_an_entry_when_it_is_a_number(quantity, entries):
    assert len(templated(written(line(quantity=quantity, quantity_unit="boîte")), QUANTITY)) == entries


# ------------------------------------------------------------------ the prescription itself


def test_circumstances_are_those_that_are_true():
    told = parse(ep_med_dm.circumstances(order(two_zones=True, secured=False, urgent=True)))
    assert [c.get("code") for c in told.iter("{urn:hl7-org:v3}code")] == ["MED-1096", "MED-1095"]
    assert ep_med_dm.circumstances(order()) == ""


def test_the_national_number_stands_before_the_documented_act():
    told = parse(ep_med_dm.event(order(e_prescription="01S2")))
    assert [(n.tag.rpartition("}")[2], n.get("extension")) for n in told] == [("id", "01S2"), ("code", None)]
    assert ep_med_dm.event(order()) == ep_med_dm.EVENT


@pytest.mark.parametrize(
    "prescribed, until, high",
    [
        ("2026-01-02T09:30:00", "2026-04-02", 'value="20260402"'),
        ("2026-01-02T09:30:00", "2026-01-02", 'value="20260102235959+0100"'),
        ("2026-02-02T09:30:00", "2026-02", 'value="20260228235959+0100"'),
        ("2026-02-02T09:30:00", "2026", 'value="20261231235959+0100"'),
        ("2026-02-02", "2026", 'value="20261231"'),
        ("2026-01-02", "2026-01-02", 'value="20260102"'),
        ("2026-01-02T09:30:00", "2025-12-31", 'nullFlavor="UNK"'),
        ("2026-01-02T09:30:00", "2026-02-30", 'nullFlavor="UNK"'),
        ("2026-01-02T09:30:00", None, 'nullFlavor="UNK"'),
        ("2026-02-30", "2026-04-02", 'nullFlavor="UNK"'),
    ],
)
def test_validity_never_ends_before_the_signature(prescribed, until, high):
    assert ep_med_dm.validity(order(prescribed=prescribed, valid_until=until)) == f"<high {high}/>"


@pytest.mark.parametrize(
    "category, lines, pdf",
    [
        pytest.param("medication", [], PDF, id="no line"),
        pytest.param("medication", [line()], None, id="no copy in PDF"),
        pytest.param("laboratory", [line()], PDF, id="not of medicines or devices"),
    ],
)
def test_what_the_model_cannot_hold_is_refused_without_its_content(category, lines, pdf):
    with pytest.raises(ep_med_dm.NotAnEPrescription) as refused:
        ep_med_dm.body(order(category), lines, IDS, pdf)
    assert ep_med_dm.refusal(order(category), lines, pdf) in str(refused.value)
    assert "Libellé" not in str(refused.value)


def test_an_author_without_a_specialty_is_told_beforehand():
    unknown = Signatory('root="1.2.3" extension="1"', "", "<family>DUPONT</family>")
    assert "specialty" in ep_med_dm.refusal(order(), [line()], PDF, unknown)
    assert ep_med_dm.refusal(order(), [line()], PDF, replace(unknown, code="<code/>")) == ""


@pytest.mark.parametrize(
    "known, addresses, telecoms",
    [
        pytest.param({}, [("UNK", None)], [("UNK", None)], id="unknown is said"),
        pytest.param(
            {"city": "Paris", "phone": "01 02"}, [(None, "H")], [(None, "tel:0102")], id="known is not doubled"
        ),
    ],
)
def test_the_patient_of_a_prescription_has_an_address_and_a_telecom(known, addresses, telecoms):
    person = row("patient", "7", birth_family="PAT", birth_given="ANNE", sex="F", birth_date="1979-03-28", **known)
    role = parse(header.record_target(person, "1.2.3", False, reachable=True)).find(".//v:patientRole", NS)
    assert [(a.get("nullFlavor"), a.get("use")) for a in role.iterfind("v:addr", NS)] == addresses
    assert [(t.get("nullFlavor"), t.get("value")) for t in role.iterfind("v:telecom", NS)] == telecoms
    plain = parse(header.record_target(person, "1.2.3", False)).find(".//v:patientRole", NS)
    assert len(plain.findall("v:addr", NS)) == len(plain.findall("v:telecom", NS)) == bool(known)


# ------------------------------------------------------------------ anything


ANY = st.text(st.characters(exclude_categories=()), max_size=12)
WORDS = ("label", "code", "system", "dosage", "duration", "dose_unit", "route", "instruction", "unsubstitutable_reason")


@given(st.dictionaries(st.sampled_from(WORDS), ANY), st.sampled_from(["medication", "device"]))
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_words_make_or_lose_an_element(values, category):
    """Hostile words are words: the elements are those of the same columns with plain ones."""
    given_line = line()._replace(**values)
    plain = line()._replace(**{n: "x" if v else v for n, v in values.items() if n not in ("code", "system")})
    names = [n.tag for n in written(given_line, category=category).iter()]
    assert [n for n in names if not n.endswith("}translation")] == [
        n.tag for n in written(plain, category=category).iter() if not n.tag.endswith("}translation")
    ]


@given(ANY)
@settings(max_examples=80, deadline=None)
def test_words_reach_the_reader(text):
    kept = "".join(
        "\ufffd" if (c < " " and c not in "\t\r\n") or "\ud800" <= c <= "\udfff" or c in "\ufffe\uffff" else c
        for c in text
    )
    cells = ["".join(c.itertext()) for c in written(line(dosage=text)).iterfind(".//v:td", NS)]
    assert cells[5] == kept
