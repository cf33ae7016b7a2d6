"""The history of vaccinations (VAC): given, denied, not recorded, unknown; what each row becomes; and the note of one (VAC-NOTE)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from transvase.exporters.cda import vac, vac_note
from transvase.exporters.cda.header import Signatory
from transvase.model.record import ROW

NS = {"v": "urn:hl7-org:v3"}
XSI = "http://www.w3.org/2001/XMLSchema-instance"
IDS = "1.2.250.1.213.9.9.13.7"
CIS, CIP, ATC = "1.2.250.1.213.2.3.1", "1.2.250.1.213.2.3.2", "2.16.840.1.113883.6.73"
ABSENCE = "2.16.840.1.113883.5.1150.1"
ENTRY = "1.2.250.1.213.1.1.3.45"
RANK, REACTION, COMMENT = "1.2.250.1.213.1.1.3.82", "1.2.250.1.213.1.1.3.37", "1.2.250.1.213.1.1.3.32"


def vaccine(key: str = "1", label: str = "Vaccin", assertion: str = "affirmed", **values: Any) -> Any:
    kind = ROW["immunization"]
    assert values.keys() <= set(kind._fields)
    filled = {"key": key, "patient": "7", "label": label, "assertion": assertion} | values
    return kind(**{name: filled.get(name) for name in kind._fields})


def written(*rows: Any, **options: Any) -> etree._Element:
    text = vac.body(list(rows), IDS, **options)
    return etree.fromstring(f'<d xmlns="urn:hl7-org:v3" xmlns:xsi="{XSI}">{text}</d>'.encode())


def templated(root: etree._Element, template: str) -> list[etree._Element]:
    return [found.getparent() for found in root.iterfind(f".//v:templateId[@root='{template}']", NS)]


def one(root: etree._Element, template: str = ENTRY) -> etree._Element:
    (found,) = templated(root, template)
    return found


@pytest.mark.parametrize("count", [1, 7, 5000])
def test_each_affirmed_or_denied_row_is_one_entry(count):
    rows = [vaccine(f"k{n}", assertion=("affirmed", "denied")[n % 2]) for n in range(count)]
    found = templated(written(*rows), ENTRY)
    assert [e.find("v:id", NS).get("extension") for e in found] == [f"k{n}" for n in range(count)]
    assert [e.get("negationInd") for e in found] == [("false", "true")[n % 2] for n in range(count)]


@pytest.mark.parametrize(
    "rows, code, ident",
    [
        pytest.param([], "no-immunization-info", None, id="no row"),
        pytest.param([vaccine(assertion="not_recorded")], "no-immunization-info", None, id="rows not recorded"),
        pytest.param(
            [vaccine("1", "Inconnu", "not_recorded", code="no-immunization-info", system=ABSENCE)],
            "no-immunization-info",
            "1",
            id="a row that says so",
        ),
        pytest.param(
            [vaccine("1", "Aucun", "denied", code="no-known-immunizations", system=ABSENCE)],
            "no-known-immunizations",
            "1",
            id="denied at large",
        ),
    ],
)
def test_nothing_known_and_nothing_given_are_two_statements(rows, code, ident):
    entry = one(written(*rows))
    assert entry.find("v:code", NS).get("code") == code
    assert entry.get("negationInd") == "false"
    assert entry.find("v:id", NS).get("extension") == ident
    assert entry.find("v:effectiveTime", NS).get("nullFlavor") == "NA"
    assert entry.find(".//v:manufacturedMaterial/v:code", NS).get("nullFlavor") == "NA"


def test_a_row_not_recorded_is_a_line_and_no_entry():
    root = written(vaccine("1"), vaccine("2", "Fièvre jaune", "not_recorded"))
    assert len(templated(root, ENTRY)) == 1
    assert "Fièvre jaune" in "".join(root.itertext())


def test_a_contradicted_absence_is_not_a_product():
    entry = one(written(vaccine("1", "Aucun", "affirmed", code="no-known-immunizations", system=ABSENCE)))
    assert entry.find("v:code", NS).get("code") == "IMMUNIZ"
    assert entry.find(".//v:manufacturedMaterial/v:code", NS).get("code") is None


@pytest.mark.parametrize("booster, code", [(True, "BOOSTER"), (False, "INITIMMUNIZ"), (None, "IMMUNIZ")])
def test_series(booster, code):
    assert one(written(vaccine(booster=booster))).find("v:code", NS).get("code") == code


@pytest.mark.parametrize(
    "code, system, main, other",
    [("68747507", CIS, "68747507", None), ("J07AM", ATC, None, "J07AM"), (None, None, None, None)],
)
def test_the_code_recorded_is_never_lost(code, system, main, other):
    found = one(written(vaccine(code=code, system=system))).find(".//v:manufacturedMaterial/v:code", NS)
    beside = found.find("v:translation", NS)
    assert found.get("code") == main
    assert (beside.get("code") if beside is not None else None) == other


@pytest.mark.parametrize(
    "column, name, code, admitted",
    [
        ("route", "routeCode", "20035000", True),
        ("route", "routeCode", "20049000", False),
        ("site", "approachSiteCode", "61396006", True),
        ("site", "approachSiteCode", "46862004", False),
    ],
)
def test_a_code_outside_the_closed_list_stands_beside_a_null_flavor(column, name, code, admitted):
    found = one(written(vaccine(**{column: "en mots", f"{column}_code": code}))).find(f"v:{name}", NS)
    beside = found.find("v:translation", NS)
    assert (found.get("code") if admitted else beside.get("code")) == code
    assert (found.get("nullFlavor") is None) is admitted


@pytest.mark.parametrize(
    "values, ranks, reactions, comments",
    [
        ({}, 0, 0, 0),
        ({"dose": 2}, 1, 0, 0),
        ({"comment": "Note"}, 0, 0, 1),
        # The rule knows no reaction alone: an unknown rank stands beside it.
        ({"reaction": "Fièvre"}, 1, 1, 0),
        ({"reaction": "Fièvre", "comment": "Note"}, 0, 1, 1),
    ],
)
def test_what_is_said_of_a_vaccination(values, ranks, reactions, comments):
    root = written(vaccine(**values))
    assert [len(templated(root, t)) for t in (RANK, REACTION, COMMENT)] == [ranks, reactions, comments]
    if ranks:
        assert one(root, RANK).find("v:value", NS).get("value") == (str(values["dose"]) if "dose" in values else None)


def test_who_gave_it_and_who_recorded_it():
    doctor = Signatory('root="1.2.250.1.71.4.2.1" extension="899"', "", "<family>DUPONT</family>")
    entry = one(written(vaccine(performer="Infirmière", practitioner="2"), professionals={"2": doctor}))
    assert entry.find("v:performer/v:assignedEntity/v:assignedPerson/v:name", NS).text == "Infirmière"
    assert entry.find("v:author/v:assignedAuthor/v:id", NS).get("extension") == "899"
    assert one(written(vaccine(practitioner="9"), professionals={"2": doctor})).find("v:author", NS) is None


ANY = st.text(st.characters(exclude_categories=()), max_size=12)
WORDS = ("label", "lot", "given", "route", "site", "performer", "reaction", "comment")


@given(st.dictionaries(st.sampled_from(WORDS), ANY))
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_words_make_or_lose_an_element(values):
    plain = {n: "x" if v else v for n, v in values.items()}
    assert [n.tag for n in written(vaccine()._replace(**values)).iter()] == [
        n.tag for n in written(vaccine()._replace(**plain)).iter()
    ]


# ------------------------------------------------------------------ the note of one vaccination

DOCTOR = Signatory('root="1.2.250.1.71.4.2.1" extension="899"', '<code code="G15_10/SM26"/>', "<family>DUPONT</family>")


def noted(row: Any, pdf: bytes | None = None) -> etree._Element:
    text = vac_note.body(row, IDS, DOCTOR, pdf)
    return etree.fromstring(f'<d xmlns="urn:hl7-org:v3" xmlns:xsi="{XSI}">{text}</d>'.encode())


@pytest.mark.parametrize(
    "code, system, main, beside",
    [
        pytest.param("68747507", CIS, "68747507", [(ATC, None)], id="CIS: ATC unknown"),
        pytest.param("J07AM", ATC, None, [(ATC, "J07AM")], id="ATC: CIS unknown"),
        pytest.param("3400933516390", CIP, None, [(CIP, "3400933516390"), (ATC, None)], id="another code is kept"),
        pytest.param(None, None, None, [(ATC, None)], id="none"),
        pytest.param("no-known-immunizations", ABSENCE, None, [(ATC, None)], id="an absence that is contradicted"),
        pytest.param("631", CIS, None, [(CIS, "631"), (ATC, None)], id="malformed"),
        pytest.param("x y", "CIS", None, [(ATC, None)], id="a code that CDA cannot hold"),
    ],
)
def test_a_note_says_both_codes_of_the_vaccine_or_that_one_is_unknown(code, system, main, beside):
    found = one(noted(vaccine(given="2026-01-02", code=code, system=system))).find(
        ".//v:manufacturedMaterial/v:code", NS
    )
    assert (found.get("codeSystem"), found.get("code")) == (CIS, main)
    assert [(t.get("codeSystem"), t.get("code")) for t in found.iterfind("v:translation", NS)] == beside
    for element in (found, *found.iterfind("v:translation", NS)):
        assert (element.get("nullFlavor") == "UNK") is (element.get("code") is None)


def test_a_lot_that_is_not_recorded_is_said_unknown():
    lots = [one(noted(vaccine(given="2026-01-02", lot=lot))).find(".//v:lotNumberText", NS) for lot in ("A1", None, "")]
    assert [(lot.text, lot.get("nullFlavor")) for lot in lots] == [("A1", None), (None, "UNK"), (None, "UNK")]


@pytest.mark.parametrize(
    "values, ranks, reactions, comments",
    [
        ({}, 0, 0, 0),
        ({"dose": 2, "reaction": "Fièvre"}, 1, 1, 0),
        # A rank must be a number and a reaction cannot stand alone: a comment that says nothing stands beside it.
        ({"reaction": "Fièvre"}, 0, 1, 1),
        ({"reaction": "Fièvre", "comment": "Note"}, 0, 1, 1),
    ],
)
def test_what_a_note_says(values, ranks, reactions, comments):
    root = noted(vaccine(given="2026-01-02", **values))
    assert [len(templated(root, t)) for t in (RANK, REACTION, COMMENT)] == [ranks, reactions, comments]


def test_a_note_is_one_entry_that_its_author_answers_for():
    entry = one(noted(vaccine("k7", given="2026-01-02", performer="Infirmière", practitioner="9"), b"%PDF"))
    assert entry.find("v:id", NS).get("extension") == "k7"
    assert entry.find("v:author/v:assignedAuthor/v:id", NS).get("extension") == "899"
    assert entry.find("v:performer/v:assignedEntity/v:assignedPerson/v:name", NS).text == "Infirmière"


@pytest.mark.parametrize(
    "values, author, why",
    [
        pytest.param({"given": "2026-01-02"}, None, "", id="sound"),
        pytest.param({"given": "2026-01-02"}, DOCTOR, "", id="sound with its author"),
        pytest.param({"given": "2026-01-02", "assertion": "denied"}, None, "was given", id="denied"),
        pytest.param({"given": "2026-01-02", "assertion": "not_recorded"}, None, "was given", id="not recorded"),
        pytest.param({"given": None}, None, "the day", id="no day"),
        pytest.param({"given": "2026-01"}, None, "the day", id="a month"),
        pytest.param({"given": "2026-02-30"}, None, "the day", id="an impossible day"),
        pytest.param({"given": "vers 1990"}, None, "the day", id="words"),
        pytest.param({"given": "2026-01-02"}, DOCTOR.__class__(DOCTOR.id, "", DOCTOR.name), "specialty", id="author"),
    ],
)
def test_a_row_that_the_model_cannot_hold_is_refused_by_its_reference(values, author, why):
    row = vaccine("K-12", "ÉTIQUETTE", **values)
    assert why in vac_note.refusal(row, author)
    assert bool(why) is bool(vac_note.refusal(row, author))
    if why:
        with pytest.raises(vac_note.NotAVaccinationNote, match="K-12") as refused:
            vac_note.body(row, IDS, author or DOCTOR)
        assert "ÉTIQUETTE" not in str(refused.value)


@given(st.dictionaries(st.sampled_from([w for w in WORDS if w != "given"]), ANY))
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_words_make_or_lose_an_element_of_a_note(values):
    plain = {n: "x" if v else v for n, v in values.items()}
    base = vaccine(given="2026-01-02")
    assert [n.tag for n in noted(base._replace(**values)).iter()] == [
        n.tag for n in noted(base._replace(**plain)).iter()
    ]
