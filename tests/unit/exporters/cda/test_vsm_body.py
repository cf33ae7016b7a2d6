"""The synthesis (VSM): what each row of the record becomes, and what is said when there is none."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from transvase.exporters.cda import header, vsm
from transvase.model.record import ROW, Record

NS = {"v": "urn:hl7-org:v3"}
XSI = "http://www.w3.org/2001/XMLSchema-instance"
IDS = "1.2.250.1.213.9.9.13.7"
CIM10 = "2.16.840.1.113883.6.3"

# National templateId of each entry: one is written for each row.
ACTIVE_OR_HISTORY = "1.2.250.1.213.1.1.3.39"
PROBLEM = "1.2.250.1.213.1.1.3.37"
PROCEDURE = "1.2.250.1.213.1.1.3.62"
FAMILY = "1.2.250.1.213.1.1.3.59"
FAMILY_OBSERVED = "1.2.250.1.213.1.1.3.51"
ALLERGY_LIST = "1.2.250.1.213.1.1.3.40"
ALLERGY = "1.2.250.1.213.1.1.3.41"
TREATMENT = "1.2.250.1.213.1.1.3.42"
PRODUCT = "1.2.250.1.213.1.1.3.43"
HABIT = "1.2.250.1.213.1.1.3.52"
SEVERITY = "1.2.250.1.213.1.1.3.29"

# National templateId of each section.
ACTIVE = "1.2.250.1.213.1.1.2.132"
HISTORY = "1.2.250.1.213.1.1.2.134"
SURGERY = "1.2.250.1.213.1.1.2.136"
ALLERGIES = "1.2.250.1.213.1.1.2.137"
HABITS = "1.2.250.1.213.1.1.2.141"
OCCUPATIONAL = "1.2.250.1.213.1.1.2.74"
RELATIVES = "1.2.250.1.213.1.1.2.139"
TREATMENTS = "1.2.250.1.213.1.1.2.143"
PATHOLOGY = "1.2.250.1.213.1.1.2.30"
RISKS = "1.2.250.1.213.1.1.2.31"
RESULTS = "1.2.250.1.213.1.1.2.150"
PLAN = "1.2.250.1.213.1.1.2.32"
COPY = "1.2.250.1.213.1.1.2.243"


def row(table: str, key: str, **values: Any) -> Any:
    kind = ROW[table]
    filled = {"key": key, "patient": "7", "label": "Libellé", "category": "problem", "assertion": "affirmed"} | values
    return kind(**{name: filled.get(name) for name in kind._fields})


def parse(text: str) -> etree._Element:
    return etree.fromstring(f'<d xmlns="urn:hl7-org:v3" xmlns:xsi="{XSI}">{text}</d>'.encode())


def written(record: Record, pdf: bytes | None = None) -> etree._Element:
    return parse(vsm.body(record, IDS, pdf))


def templated(root: etree._Element, template: str) -> list[etree._Element]:
    return [found.getparent() for found in root.iterfind(f".//v:templateId[@root='{template}']", NS)]


def section(root: etree._Element, template: str) -> etree._Element:
    (found,) = templated(root, template)
    assert found.tag == "{urn:hl7-org:v3}section"
    return found


def narrative(found: etree._Element) -> str:
    text = found.find("v:text", NS)
    return " ".join("".join(text.itertext()).split()) if text is not None else ""


# ------------------------------------------------------------------ rows in, entries out


@pytest.mark.parametrize(
    ("table", "values", "place", "templates"),
    [
        pytest.param("problem", {"category": "problem"}, ACTIVE, (ACTIVE_OR_HISTORY, PROBLEM), id="problem"),
        pytest.param("problem", {"category": "trauma"}, ACTIVE, (ACTIVE_OR_HISTORY, PROBLEM), id="trauma"),
        pytest.param(
            "problem", {"resolved": "2020"}, HISTORY, (ACTIVE_OR_HISTORY, PROBLEM), id="resolved problem is history"
        ),
        pytest.param(
            "problem",
            {"resolved": "2020-13"},
            HISTORY,
            (ACTIVE_OR_HISTORY, PROBLEM),
            id="resolved at an impossible date",
        ),
        pytest.param("problem", {"category": "history"}, HISTORY, (ACTIVE_OR_HISTORY, PROBLEM), id="history"),
        pytest.param("problem", {"category": "surgery"}, SURGERY, (PROCEDURE,), id="surgery"),
        pytest.param("problem", {"category": "family"}, RELATIVES, (FAMILY, FAMILY_OBSERVED), id="family history"),
        pytest.param("allergy", {}, ALLERGIES, (ALLERGY_LIST, ALLERGY), id="allergy"),
        pytest.param("treatment", {}, TREATMENTS, (TREATMENT, PRODUCT), id="treatment"),
        *(
            pytest.param("risk_factor", {"category": kind}, HABITS, (HABIT,), id=f"{kind} habit")
            for kind in ("tobacco", "alcohol", "activity", "social", "other")
        ),
    ],
)
@pytest.mark.parametrize("count", [1, 3, 5000])
def test_each_row_is_one_entry_in_its_section(table, values, place, templates, count):
    root = written({table: [row(table, str(n), **values) for n in range(count)]})
    assert len(root.findall(".//v:entry", NS)) == count
    assert len(section(root, place).findall("v:entry", NS)) == count
    for template in templates:
        assert len(templated(root, template)) == count


def test_occupational_factors_are_words_only():
    root = written({"risk_factor": [row("risk_factor", "1", category="occupational", label="Amiante")]})
    assert "Amiante" in narrative(section(root, OCCUPATIONAL))
    assert not root.findall(".//v:entry", NS)


def test_vaccinations_and_measures_are_no_part_of_the_model():
    assert vsm.body({"immunization": [object()], "vital_sign": [object()]}, IDS) == vsm.body({}, IDS)


# ------------------------------------------------------------------ three values

STATED = {
    "problem": ("problem", ACTIVE, "observation"),
    "history": ("problem", HISTORY, "observation"),
    "surgery": ("problem", SURGERY, "procedure"),
    "family": ("problem", RELATIVES, "observation"),
    "allergy": ("allergy", ALLERGIES, "observation"),
    "treatment": ("treatment", TREATMENTS, "substanceAdministration"),
    "tobacco": ("risk_factor", HABITS, "observation"),
}


@pytest.mark.parametrize("kind", STATED)
@pytest.mark.parametrize(
    ("assertion", "negation", "told"), [("affirmed", "false", "Affirmé"), ("denied", "true", "Absence affirmée")]
)
def test_affirmed_and_denied_never_meet(kind, assertion, negation, told):
    table, place, element = STATED[kind]
    root = written({table: [row(table, "1", category=kind, assertion=assertion)]})
    found = section(root, place)
    assert [e.get("negationInd") for e in found.iterfind(f".//v:{element}", NS)] == [negation]
    assert told in narrative(found)


@pytest.mark.parametrize("kind", [*STATED, "occupational"])
@pytest.mark.parametrize("assertion", ["not_recorded", "a value unknown to the model"])
def test_not_recorded_is_told_and_never_an_entry(kind, assertion):
    table = STATED[kind][0] if kind in STATED else "risk_factor"
    root = written({table: [row(table, "1", category=kind, label="Question posée", assertion=assertion)]})
    assert not root.findall(".//v:entry", NS)
    parent = {"treatment": PLAN, "allergy": PATHOLOGY}.get(
        kind, RISKS if kind in ("family", "tobacco", "occupational") else PATHOLOGY
    )
    assert "non renseigné (Question posée)" in narrative(section(root, parent))


def test_not_recorded_beside_an_allergy_is_a_line_of_its_table():
    root = written({"allergy": [row("allergy", "1"), row("allergy", "2", label="Latex", assertion="not_recorded")]})
    assert narrative(section(root, ALLERGIES)).endswith("LatexNon renseigné")
    assert len(root.findall(".//v:entry", NS)) == 1


def test_a_code_of_absence_is_not_negated_twice():
    absence = {"code": "no-known-allergies", "system": "2.16.840.1.113883.5.1150.1", "assertion": "denied"}
    (found,) = templated(written({"allergy": [row("allergy", "1", **absence)]}), ALLERGY)
    assert found.get("negationInd") == "false"
    assert found.find("v:value", NS).get("code") == "no-known-allergies"
    assert found.find("v:participant", NS) is None


def test_a_code_of_absence_that_the_record_affirms_is_an_agent_like_any_other():
    absence = {"code": "no-known-allergies", "system": "2.16.840.1.113883.5.1150.1"}
    (found,) = templated(written({"allergy": [row("allergy", "1", **absence)]}), ALLERGY)
    assert found.find("v:value", NS).get("code") is None


@pytest.mark.parametrize(
    ("assertion", "kind", "status", "high"),
    [
        ("affirmed", "problem", "active", False),
        ("affirmed", "history", "completed", True),
        ("denied", "problem", "completed", True),
        ("denied", "history", "completed", True),
    ],
)
def test_only_an_affirmed_active_problem_goes_on(assertion, kind, status, high):
    (act,) = templated(
        written({"problem": [row("problem", "1", category=kind, assertion=assertion)]}), ACTIVE_OR_HISTORY
    )
    assert act.find("v:statusCode", NS).get("code") == status
    assert (act.find("v:effectiveTime/v:high", NS) is not None) is high


# ------------------------------------------------------------------ empty sections


def test_an_empty_record_denies_nothing():
    root = written({})
    assert not root.findall(".//v:entry", NS)
    told = narrative(section(root, PATHOLOGY)) + narrative(section(root, RISKS)) + narrative(section(root, PLAN))
    assert told.lower().count("non renseigné") == 8
    assert narrative(section(root, RESULTS)) == "Non renseigné"
    assert "bsence" not in "".join(root.itertext())


def test_a_parent_has_no_text_when_all_its_parts_are_there():
    record = {
        "problem": [row("problem", c, category=c) for c in ("problem", "history", "surgery", "family")],
        "allergy": [row("allergy", "1")],
        "risk_factor": [row("risk_factor", c, category=c) for c in ("tobacco", "occupational")],
        "treatment": [row("treatment", "1")],
    }
    root = written(record)
    for parent in (PATHOLOGY, RISKS, PLAN):
        assert section(root, parent).find("v:text", NS) is None


# ------------------------------------------------------------------ values


@pytest.mark.parametrize(
    ("date", "stamp", "told"),
    [
        pytest.param("2019-03-28", "20190328", "28/03/2019", id="day"),
        pytest.param("2019-03", "201903", "03/2019", id="month"),
        pytest.param("2019", "2019", "2019", id="year"),
        pytest.param("2019-02-30", None, "30/02/2019", id="impossible day"),
        pytest.param("2019-13", None, "13/2019", id="impossible month"),
        pytest.param("vers 1990", None, "vers 1990", id="words"),
        pytest.param(None, None, "", id="none"),
    ],
)
@pytest.mark.parametrize(
    ("table", "category", "column", "path"),
    [
        ("problem", "problem", "onset", ".//v:observation/v:effectiveTime/v:low"),
        ("problem", "history", "resolved", ".//v:act/v:effectiveTime/v:high"),
        ("problem", "surgery", "onset", ".//v:procedure/v:effectiveTime"),
        ("problem", "family", "onset", ".//v:observation/v:effectiveTime"),
        ("allergy", "", "onset", ".//v:observation/v:effectiveTime/v:low"),
        ("treatment", "", "start", ".//v:effectiveTime/v:low"),
        ("treatment", "", "stop", ".//v:effectiveTime/v:high"),
        ("risk_factor", "tobacco", "recorded", ".//v:observation/v:effectiveTime"),
    ],
)
def test_a_date_keeps_its_precision_or_is_unknown(table, category, column, path, date, stamp, told):
    root = written({table: [row(table, "1", category=category, **{column: date})]})
    (found,) = root.iterfind(path, NS)
    assert found.get("value") == stamp
    assert found.get("nullFlavor") == (None if stamp else "UNK")
    assert told in "".join(root.itertext())


def test_every_coded_element_has_the_words_of_the_record():
    record = {
        "problem": [
            row("problem", c, category=c, label=f"Mot {c}") for c in ("problem", "history", "surgery", "family")
        ],
        "allergy": [row("allergy", "1", label="Mot allergie")],
        "treatment": [row("treatment", "1", label="Mot traitement")],
    }
    root = written(record)
    words = {found.get("ID"): "".join(found.itertext()) for found in root.iter("{*}content")}
    said = [words[f.get("value")[1:]] for f in root.iterfind(".//v:originalText/v:reference", NS)]
    assert set(said) == {f"Mot {k}" for k in ("problem", "history", "surgery", "family", "allergie", "traitement")}


def test_the_text_of_a_treatment_is_its_line_with_the_dosage():
    root = written({"treatment": [row("treatment", "1", dosage="1 comprimé le matin")]})
    (found,) = templated(root, TREATMENT)
    target = found.find("v:text/v:reference", NS).get("value")[1:]
    (line,) = root.xpath("//*[@ID=$name]", name=target)
    assert "1 comprimé le matin" in "".join(line.itertext())


@pytest.mark.parametrize(
    ("severity", "code"),
    [("mild", "255604002"), ("moderate", "6736007"), ("severe", "24484000"), ("unknown", None), (None, None)],
)
def test_severity_is_coded_when_known(severity, code):
    found = templated(written({"allergy": [row("allergy", "1", severity=severity)]}), SEVERITY)
    assert [f.find("v:value", NS).get("code") for f in found] == ([code] if code else [])


def test_a_habit_carries_its_value_as_recorded():
    (found,) = templated(written({"risk_factor": [row("risk_factor", "1", category="tobacco", value="25 PA")]}), HABIT)
    assert found.find("v:value", NS).text == "25 PA"


# ------------------------------------------------------------------ results


def lab(n: int, **values: Any) -> Any:
    return row("lab_result", f"{n:04}", measured=f"{2000 + n % 25}-01-01T00:00:00", value="1.10", **values)


@pytest.mark.parametrize(
    ("count", "lines", "told"),
    [
        (1, 1, "Tous les résultats"),
        (vsm.RESULTS_SHOWN, vsm.RESULTS_SHOWN, "Tous les résultats"),
        (vsm.RESULTS_SHOWN + 1, vsm.RESULTS_SHOWN, "Les 50 résultats de biologie les plus récents, sur 51 au dossier."),
    ],
)
def test_results_are_bounded_and_say_so(count, lines, told):
    found = section(written({"lab_result": [lab(n) for n in range(count)]}), RESULTS)
    assert len(found.findall(".//v:tbody/v:tr", NS)) == lines
    assert told in narrative(found)
    assert not found.findall("v:entry", NS)


def test_the_latest_results_come_first_and_the_oldest_are_left():
    found = section(written({"lab_result": [lab(n) for n in range(75)]}), RESULTS)
    years = [line.find("v:td", NS).text[6:10] for line in found.iterfind(".//v:tbody/v:tr", NS)]
    assert years == sorted(years, reverse=True)
    assert years[0] == "2024"
    assert "2007" not in years


def test_digits_of_a_result_stay_as_received():
    assert "1.10" in narrative(section(written({"lab_result": [lab(1)]}), RESULTS))


# ------------------------------------------------------------------ identifiers, copy, header pieces


def identifiers(root: etree._Element) -> dict[str, tuple[str, str]]:
    return {
        "".join(found.getparent().find("v:text/v:reference", NS).get("value")): (
            found.get("root"),
            found.get("extension"),
        )
        for found in root.iterfind(".//v:entry//v:observation/v:id", NS)
    }


def test_no_identifier_is_one_of_a_version_of_the_document():
    roots = {found.get("root") for found in written({"problem": [row("problem", "1")]}, b"%PDF").iter("{*}id")}
    assert all(root.startswith(f"{IDS}.0.") for root in roots)


def test_a_row_keeps_its_identifier_when_others_come_and_when_it_moves():
    one = row("problem", "42", category="problem")
    before = written({"problem": [one]})
    after = written({"problem": [row("problem", "41"), one._replace(resolved="2026-01")]})
    (same,) = identifiers(before).values()
    assert same in identifiers(after).values()


@pytest.mark.parametrize("key", ["1", "é", "a" * 65, "", "a\x00", "a b", '<&>"'])
def test_any_key_gives_an_identifier_that_cda_holds(key):
    (found,) = templated(written({"treatment": [row("treatment", key)]}), TREATMENT)
    assert 0 < len(found.find("v:id", NS).get("extension")) <= 64


def test_keys_that_xml_cannot_hold_stay_distinct():
    root = written({"treatment": [row("treatment", "a\x00"), row("treatment", "a\x01")]})
    assert len({f.find("v:id", NS).get("extension") for f in templated(root, TREATMENT)}) == 2


def test_the_pdf_copy_is_pointed_to_and_whole():
    root = written({}, b"%PDF-1.7 bytes")
    found = section(root, COPY)
    media = found.find(".//v:observationMedia", NS)
    assert found.find(".//v:renderMultiMedia", NS).get("referencedObject") == media.get("ID")
    assert media.find("v:value", NS).text == "JVBERi0xLjcgYnl0ZXM="
    assert not templated(written({}), COPY)


def test_the_attending_doctor_is_named_or_said_unknown():
    doctor = header.signatory(row("practitioner", "2", idnat="899900000000", family="DUPONT"), "1.2.3")
    known = parse(vsm.attending_participant(doctor))
    assert known.find(".//v:functionCode", NS).get("displayName") == "Médecin Traitant"
    assert known.find(".//v:associatedEntity/v:id", NS).get("extension") == "899900000000"
    unknown = parse(vsm.attending_participant(None))
    assert unknown.find(".//v:family", NS).get("nullFlavor") == "UNK"
    assert unknown.find(".//v:id", NS) is None


# ------------------------------------------------------------------ any content

ANY = st.text(st.characters(exclude_categories=()), max_size=12)
DATES = st.none() | st.sampled_from(["2019", "2019-03", "2019-03-28", "2019-02-30", "1900-01-01T00:00:00", "?"]) | ANY
CHOICES = {
    ("problem", "category"): st.sampled_from(["problem", "history", "surgery", "family", "trauma"]),
    ("risk_factor", "category"): st.sampled_from(["tobacco", "alcohol", "activity", "occupational", "social", "other"]),
    ("allergy", "severity"): st.none() | st.sampled_from(["mild", "moderate", "severe", "unknown"]),
    ("treatment", "long_term"): st.none() | st.booleans(),
    ("lab_result", "measured"): ANY,
}
BY_COLUMN = {
    "assertion": st.sampled_from(["affirmed", "denied", "not_recorded"]),
    "label": ANY,
    "code": st.none() | st.sampled_from(["I10", "e119", "HHFA001", "63564053", "no-known-problems"]) | ANY,
    "system": st.none() | st.sampled_from([CIM10, "1.2.250.1.215.300.1", "1.2.250.1.213.2.3.1"]) | ANY,
} | dict.fromkeys(("onset", "resolved", "start", "stop", "recorded"), DATES)


def values(table: str, column: str) -> st.SearchStrategy[Any]:
    return CHOICES.get((table, column), BY_COLUMN.get(column, st.none() | ANY))


def rows(table: str) -> st.SearchStrategy[list[Any]]:
    kind = ROW[table]
    columns = {name: values(table, name) for name in kind._fields} | {"key": ANY}
    return st.lists(st.builds(kind, **columns), unique_by=lambda line: line.key, max_size=4)


RECORDS = st.fixed_dictionaries({t: rows(t) for t in ("problem", "allergy", "treatment", "risk_factor", "lab_result")})


@given(RECORDS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_content_is_well_formed_counted_and_referenced(record):
    before = deepcopy(record)
    text = vsm.body(record, IDS)
    assert vsm.body(before, IDS) == text, "same rows, same bytes"
    assert record == before
    root = parse(text)

    said = Counter()
    for table in ("problem", "allergy", "treatment", "risk_factor"):
        for line in record[table]:
            if line.assertion != "not_recorded" and getattr(line, "category", "") != "occupational":
                said[table] += 1
    assert len(root.findall(".//v:entry", NS)) == sum(said.values())
    assert len(templated(root, ALLERGY)) == said["allergy"]
    assert len(templated(root, TREATMENT)) == said["treatment"]
    assert len(templated(root, HABIT)) == said["risk_factor"]
    assert (
        len(templated(root, PROBLEM)) + len(templated(root, PROCEDURE)) + len(templated(root, FAMILY_OBSERVED))
        == said["problem"]
    )

    names = root.xpath("//@ID")
    assert len(names) == len(set(names))
    assert {f.get("value")[1:] for f in root.iter("{*}reference")} <= set(names)
    marks = [(f.get("root"), f.get("extension")) for f in root.iter("{*}id")]
    assert len(marks) == len(set(marks))
