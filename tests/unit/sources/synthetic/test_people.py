"""Invented people: matricules with valid keys that nobody living can have, names as INSi writes them."""

from __future__ import annotations

import csv
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as some

from transvase.sources.synthetic import vocabulary as words
from transvase.sources.synthetic.people import Register, ins_key, luhn, strict
from transvase.sources.synthetic.vocabulary import Place


@pytest.mark.parametrize(
    "thirteen, key",
    [
        pytest.param("1800175990990", "94", id="metropolitan"),
        pytest.param("202072A990990", "42", id="South Corsica"),
        pytest.param("290102B990990", "73", id="Upper Corsica"),
        pytest.param("1840633990938", "97", id="key 97"),
        pytest.param("2930744990941", "01", id="leading zero"),
    ],
)
def test_ins_key(thirteen, key):
    assert ins_key(thirteen) == key


@pytest.mark.shared
def test_ins_key_agrees_with_every_valid_sample(shared):
    with (shared / "reference/valid-ins-samples.csv").open(encoding="utf-8") as file:
        valid = [row for row in csv.DictReader(file) if row["validity"] == "valid"]
    assert len(valid) == 30
    assert [ins_key(row["matricule_13"]) for row in valid] == [row["key"] for row in valid]


def test_every_matricule_not_planted_has_a_valid_key(three_hundred):
    planted = {key for code, key in three_hundred.census.planted if code.startswith("INS_")}
    rows = three_hundred.all("SELECT PAT_ID, PAT_INS, PAT_INS_OID FROM T_PATIENT WHERE PAT_INS IS NOT NULL")
    healthy = [(ins, oid) for key, ins, oid in rows if str(key) not in planted]
    assert len(healthy) > 200
    for ins, oid in healthy:
        corsican = {"2A": "19", "2B": "18"}.get(ins[5:7], ins[5:7])
        number = int(ins[:5] + corsican + ins[7:13])
        assert len(ins) == 15
        assert 97 - number % 97 == int(ins[13:])
        assert oid == "1.2.250.1.213.1.4.10"


def test_nobody_living_can_have_these_numbers(three_hundred):
    for (ins,) in three_hundred.all(
        "SELECT PAT_INS FROM T_PATIENT WHERE length(PAT_INS) = 15 AND PAT_INS <> '111111111111120'"
    ):
        # No commune has these numbers; overseas the department takes three characters and the commune two.
        assert ins[8:10] >= "90" if ins[5:7] in ("97", "98") else ins[7:9] == "99" or ins[10] == "O"


@given(some.sampled_from("MF"), some.dates(date(1920, 1, 1), date(2026, 1, 1)), some.integers(0, 20_000))
def test_a_register_never_gives_a_matricule_twice(sex, born, order):
    register = Register()
    given_out = [register.matricule(sex, born, Place("2A004", "Ajaccio"), order) for _ in range(30)]
    assert len(set(given_out)) == 30
    assert all(len(m) == 15 and ins_key(m[:13]) == m[13:] for m in given_out)


@pytest.mark.parametrize(
    "name, written",
    [
        ("Œuvrard", "OEUVRARD"),
        ("Marie-Ève", "MARIE-EVE"),
        ("D'Ambrosio", "D'AMBROSIO"),
        ("Yılmaz", "YILMAZ"),
        ("Wiśniewski", "WISNIEWSKI"),
    ],
)
def test_names_as_insi_writes_them(name, written):
    assert strict(name) == written


def test_every_name_of_the_vocabulary_fits_the_profile_of_insi():
    names = [*words.FAMILIES, *(n for pool in (*words.GIVEN_F, *words.GIVEN_M) for n in pool)]
    assert all(set(strict(n)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ '-") for n in names)


def test_luhn_on_a_known_number():
    assert luhn("7992739871") == "79927398713"


def test_people_come_from_everywhere(three_hundred):
    codes = [c for (c,) in three_hundred.all("SELECT PAT_LIEU_COG FROM T_PATIENT WHERE PAT_LIEU_COG IS NOT NULL")]
    for start in (("2A", "2B", "20"), ("97", "98"), ("99",), ("54",)):
        assert any(c.startswith(start) for c in codes), start
    assert three_hundred.one("SELECT count(*) FROM T_PATIENT WHERE PAT_NOM_USU IS NOT NULL") > 20
    minors = three_hundred.one(
        "SELECT count(DISTINCT PRO_PAT) FROM T_PROCHE JOIN T_PATIENT ON PAT_ID = PRO_PAT WHERE PRO_REP_LEGAL = 1 AND substr(PAT_DTN, 7) > '2009'"
    )
    assert minors > 20
