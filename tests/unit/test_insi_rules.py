"""What may be asked of INSi, in which order, and what its answer changes (sheets insi 3 and 7, ins-identity 2 to 5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transvase.model.slot import slot
from transvase.model.verdict import VERDICT_SCHEMA
from transvase.validators.insi import (
    Evidence,
    Traits,
    compare,
    evidence,
    outcome_of,
    tries,
    unsendable,
    unusable,
    verdict_rows,
    written,
)

NIR, NIA, TEST_NIR, DEMO = (f"1.2.250.1.213.1.4.{arc}" for arc in (8, 9, 10, 11))
PAUL = Traits("180017599000116", TEST_NIR, "MARTIN", "PAUL JEAN LUC", "PAUL", "M", "1980-01-15", "75056")


# -- written ---------------------------------------------------------------------------------------------------------------

WRITTEN = [
    ("Zoé", "ZOE"),
    ("François", "FRANCOIS"),
    ("Œdipe Æneas", "OEDIPE AENEAS"),
    ("D’Alembert", "D'ALEMBERT"),
    ("Jean‑Pierre", "JEAN-PIERRE"),
    ("  de\u00a0 la   Tour ", "DE LA TOUR"),
    ("Martin--Dupont", "MARTIN--DUPONT"),
    ("Zoe\u0301", "ZOE"),
    ("Straße", "STRASSE"),
]


@pytest.mark.requirement("INSI-04", "INS-12")
@pytest.mark.parametrize(("value", "expected"), WRITTEN)
def test_a_name_as_insi_writes_it(value: str, expected: str) -> None:
    assert written(value) == expected


@pytest.mark.requirement("INSI-04")
@given(st.text(max_size=40))
def test_writing_twice_changes_nothing(value: str) -> None:
    assert written(written(value)) == written(value)


UNSENDABLE = [
    ("everything is there", {}, ()),
    ("accents are written", {"birth_family": "Éléonore"}, ()),
    ("an apostrophe first", {"birth_family": "'T HOOFT"}, ()),
    ("two hyphens in a family name", {"birth_family": "MARTIN--DUPONT"}, ()),
    ("two hyphens in a given name", {"birth_given": "PAUL--JEAN", "birth_first_given": ""}, ("birth_given",)),
    ("no family name", {"birth_family": " "}, ("birth_family",)),
    ("a digit is not dropped", {"birth_family": "MARTIN 2"}, ("birth_family",)),
    ("a letter without equivalent is not dropped", {"birth_family": "Łukasz"}, ("birth_family",)),
    ("a hyphen first", {"birth_family": "-MARTIN"}, ("birth_family",)),
    ("a combined space and apostrophe", {"birth_family": "D' ALEMBERT"}, ("birth_family",)),
    ("an underscore in a given name", {"birth_given": "PAUL_JEAN", "birth_first_given": ""}, ("birth_given",)),
    ("no given name", {"birth_given": "", "birth_first_given": ""}, ("birth_given",)),
    ("the first given name alone", {"birth_given": ""}, ()),
    ("a sex that INSi does not know", {"sex": "UN"}, ("sex",)),
    ("a year and a month", {"birth_date": "1980-01"}, ("birth_date",)),
    ("a lunar date", {"birth_date": "1980-00-00"}, ()),
    ("the search does without a place", {"birth_place_code": ""}, ()),
    ("nothing", dict.fromkeys(Traits._fields, ""), ("birth_family", "birth_given", "sex", "birth_date")),
]  # fmt: skip


@pytest.mark.requirement("INSI-05", "INS-12")
@pytest.mark.parametrize(("changed", "expected"), [u[1:] for u in UNSENDABLE], ids=[u[0] for u in UNSENDABLE])
def test_what_keeps_a_search_from_being_made(changed: dict[str, str], expected: tuple[str, ...]) -> None:
    assert unsendable(PAUL._replace(**changed)) == expected


# -- strategy --------------------------------------------------------------------------------------------------------------


def searched(traits: Traits, *codes: str) -> list[str]:
    """What is tried when the answers are these, in order; the last one is repeated."""
    plan, made = tries(traits), []
    answers = iter(codes)
    code = ""
    try:
        step = next(plan)
        while True:
            made.append(f"{step.criteria}: {step.given}{' @' + step.birth_place if step.birth_place else ''}")
            code = next(answers, code)
            step = plan.send(code)
    except StopIteration:
        return made


ONE, TWO, THREE = "given-1: PAUL", "given-2: JEAN", "given-3: LUC"
ALL, ALL_AT = "all-given: PAUL JEAN LUC", "all-given+place: PAUL JEAN LUC @75056"
STRATEGY = [
    ("found at once", {}, ["00"], [ONE]),
    ("each given name, then all together", {}, ["01"], [ONE, TWO, THREE, ALL]),
    ("found with the second", {}, ["01", "00"], [ONE, TWO]),
    ("found with all together", {}, ["01", "01", "01", "00"], [ONE, TWO, THREE, ALL]),
    ("several: the other given names, then the place", {}, ["02"], [ONE, ALL, ALL_AT]),
    ("several, then one with all given names", {}, ["02", "00"], [ONE, ALL]),
    ("several with the second", {}, ["01", "02", "00"], [ONE, TWO, ALL]),
    ("several, none with all given names: the place with the one that found several", {}, ["02", "01", "00"], [ONE, ALL, "given+place: PAUL @75056"]),
    ("several, and no place to add", {"birth_place_code": ""}, ["02"], [ONE, ALL]),
    ("a place that is no COG code is not sent", {"birth_place_code": "PARIS"}, ["02"], [ONE, ALL]),
    ("one given name, several: the place", {"birth_given": "PAUL"}, ["02", "00"], [ONE, "given+place: PAUL @75056"]),
    ("one given name, none: nothing to vary", {"birth_given": "PAUL"}, ["01"], [ONE]),
    ("a technical error ends it", {}, ["01", "later"], [ONE, TWO]),
    ("an error on all together ends it", {}, ["02", "later"], [ONE, ALL]),
    ("a refusal ends it", {}, ["caller"], [ONE]),
    ("a 00 without its traits ends it", {}, ["incomplete"], [ONE]),
    ("a first given name of two words", {"birth_given": "ANNE MARIE LOUISE", "birth_first_given": "ANNE MARIE"}, ["01"],
     ["given-1: ANNE MARIE", "given-2: LOUISE", "all-given: ANNE MARIE LOUISE"]),
    ("a hyphen holds a given name together", {"birth_given": "Jean-Rémy Luc", "birth_first_given": "Jean-Rémy"}, ["01"],
     ["given-1: JEAN-REMY", "given-2: LUC", "all-given: JEAN-REMY LUC"]),
    ("a first given name that is not in the list comes first", {"birth_given": "JEAN LUC"}, ["01"], [ONE, TWO, THREE, ALL]),
    ("a given name written twice is tried once", {"birth_given": "PAUL JEAN JEAN"}, ["01"], [ONE, TWO, "all-given: PAUL JEAN"]),
    ("no list", {"birth_given": ""}, ["01"], [ONE]),
    ("no first given name", {"birth_first_given": ""}, ["01"], [ONE, TWO, THREE, ALL]),
]  # fmt: skip


@pytest.mark.requirement("INSI-06")
@pytest.mark.parametrize(("changed", "codes", "expected"), [s[1:] for s in STRATEGY], ids=[s[0] for s in STRATEGY])
def test_the_order_of_the_search(changed: dict[str, str], codes: list[str], expected: list[str]) -> None:
    assert searched(PAUL._replace(**changed), *codes) == expected


@pytest.mark.requirement("INSI-07")
@given(
    st.lists(st.sampled_from(["PAUL", "JEAN", "LUC", "ANNE-MARIE"]), min_size=1, max_size=6),
    st.lists(st.sampled_from(["01", "02"]), max_size=12),
)
def test_a_search_is_short_and_never_asks_the_same_twice(names: list[str], codes: list[str]) -> None:
    made = searched(PAUL._replace(birth_given=" ".join(names), birth_first_given=names[0]), *codes, "01")
    assert 1 <= len(made) <= len(set(names)) + 2
    assert len({m.split(": ")[1] for m in made}) == len(made)


# -- comparison ------------------------------------------------------------------------------------------------------------

COMPARED = [
    ("the same", {}, {}, {}, "equal"),
    ("accents and case", {"birth_family": "Martin", "birth_first_given": "Päul"}, {}, {"birth_family": "spelling", "birth_first_given": "spelling"}, "equal"),
    ("a hyphen for a space", {"birth_given": "PAUL-JEAN LUC"}, {}, {"birth_given": "spelling"}, "equal"),
    ("an apostrophe for a space", {"birth_family": "D ALEMBERT"}, {"birth_family": "D'ALEMBERT"}, {"birth_family": "spelling"}, "equal"),
    ("another family name", {"birth_family": "MARTINE"}, {}, {"birth_family": "differs"}, "differs"),
    ("only the first of the given names", {"birth_given": "PAUL"}, {}, {"birth_given": "shorter"}, "completes"),
    ("given names in another order", {"birth_given": "JEAN PAUL LUC"}, {}, {"birth_given": "differs"}, "differs"),
    ("more given names than INSi", {}, {"birth_given": "PAUL JEAN"}, {"birth_given": "differs"}, "differs"),
    ("another first given name", {"birth_first_given": "ZEPHYRINE"}, {}, {"birth_first_given": "differs"}, "differs"),
    ("the beginning of a given name is another one", {"birth_first_given": "PAU"}, {}, {"birth_first_given": "differs"}, "differs"),
    ("another sex", {"sex": "F"}, {}, {"sex": "differs"}, "differs"),
    ("a sex that the practice does not know", {"sex": "UN"}, {}, {"sex": "absent"}, "completes"),
    ("another day", {"birth_date": "1980-01-16"}, {}, {"birth_date": "differs"}, "differs"),
    ("another commune", {"birth_place_code": "75112"}, {}, {"birth_place_code": "differs"}, "differs"),
    ("no place", {"birth_place_code": ""}, {}, {"birth_place_code": "absent"}, "completes"),
    ("no matricule", {"ins": "", "ins_oid": " "}, {}, {"ins": "absent", "ins_oid": "absent"}, "completes"),
    ("another matricule", {"ins": "280017599000116"}, {}, {"ins": "differs"}, "differs"),
    ("a former matricule", {"ins": "780017599000116"}, {}, {"ins": "former"}, "differs"),
    ("a matricule with separators is not the matricule", {"ins": "1 80 01 75 990 001 57"}, {}, {"ins": "differs"}, "differs"),
    ("another authority", {"ins_oid": NIR}, {}, {"ins_oid": "differs"}, "differs"),
    ("an absence does not hide a difference", {"birth_place_code": "", "sex": "F"}, {}, {"birth_place_code": "absent", "sex": "differs"}, "differs"),
]  # fmt: skip


@pytest.mark.requirement("INSI-17")
@pytest.mark.parametrize(
    ("here", "there", "expected", "outcome"), [c[1:] for c in COMPARED], ids=[c[0] for c in COMPARED]
)
def test_the_comparison_trait_by_trait(here, there, expected, outcome) -> None:
    found = compare(PAUL._replace(**here), PAUL._replace(**there), ["780017599000116"])
    assert list(found) == list(Traits._fields)
    assert {n: a for n, a in found.items() if a != "equal"} == expected
    assert outcome_of(found) == outcome


@pytest.mark.requirement("INSI-22")
def test_the_test_platform_answers_8_where_the_test_dmp_wants_10() -> None:
    answered = PAUL._replace(ins_oid=NIR)
    assert compare(PAUL, answered, environment="test")["ins_oid"] == "equal"
    for environment in ("production", "sandbox"):
        assert compare(PAUL, answered, environment=environment)["ins_oid"] == "differs"
    assert compare(PAUL, PAUL._replace(ins_oid=NIA), environment="test")["ins_oid"] == "differs"


@pytest.mark.requirement("INSI-17")
@given(st.builds(Traits, *[st.text(max_size=12)] * 8), st.builds(Traits, *[st.text(max_size=12)] * 8))
def test_a_comparison_never_fails_and_agrees_with_itself(one: Traits, other: Traits) -> None:
    assert list(compare(one, other)) == list(Traits._fields)
    assert set(compare(one, one).values()) <= {"equal", "absent", "former", "spelling", "differs"}
    assert set(compare(PAUL, PAUL).values()) == {"equal"}


KEYS = [
    ("production", "180032B02040123", NIR, False),
    ("production", "109076322088835", NIA, False),
    ("production", "180032B02040123", TEST_NIR, True),
    ("production", "180032B02040123", DEMO, True),
    ("production", "180032B02040124", NIR, True),
    ("production", "181036322045660", NIR, True),
    ("test", "181036322045660", NIR, False),
    ("test", "180032B02040123", TEST_NIR, False),
    ("test", "180032B02040123", DEMO, True),
    ("sandbox", "180017599000116", TEST_NIR, False),
    ("sandbox", "180017599000116", NIR, True),
    ("sandbox", "180017599000117", TEST_NIR, True),
    ("production", "18003AB02040123", NIR, True),
]


@pytest.mark.requirement("INSI-10")
@pytest.mark.parametrize(("environment", "ins", "oid", "expected"), KEYS)
def test_a_matricule_of_another_environment_or_with_a_wrong_key_is_not_kept(environment, ins, oid, expected) -> None:
    assert unusable(ins, oid, environment) is expected


# -- evidence --------------------------------------------------------------------------------------------------------------


def test_a_difference_and_an_absence_are_warnings_for_both_destinations() -> None:
    day = "2026-11-23"
    rows = [
        Evidence("P1", day, "00", "differs", "birth_given birth_date"),
        Evidence("P2", day, "01", "not_found", ""),
        Evidence("P3", day, "00", "equal", ""),
        Evidence("P4", day, "02", "several", ""),
        Evidence("P5", day, "00", "completes", ""),
    ]
    table = verdict_rows(rows)
    assert table.schema == VERDICT_SCHEMA
    found = [tuple(line.values()) for line in table.to_pylist()]
    assert found == [
        (slot("P1"), "P1", "patient", "P1", "INSI-DIFFERS", d, "warning", f"{day} 00 birth_given birth_date")
        for d in ("portability", "dmp")
    ] + [
        (slot("P2"), "P2", "patient", "P2", "INSI-NOT-FOUND", d, "warning", f"{day} 01") for d in ("portability", "dmp")
    ]


def test_without_a_journal_there_is_no_evidence(tmp_path) -> None:
    assert evidence(tmp_path / "insi.sqlite") == []
    assert verdict_rows([]).num_rows == 0
    assert not list(tmp_path.iterdir())
