"""The embedded practice is generated: the same each time, whole or not at all, of the size asked for."""

from __future__ import annotations

import ast
import csv
import hashlib
import sqlite3
from pathlib import Path

import pytest

from transvase.errors import BadCall
from transvase.model.codes.mandated_documents import CODES as MANDATED
from transvase.sandbox.insi import read_directory
from transvase.sources import synthetic
from transvase.sources.synthetic import practice
from transvase.sources.synthetic.practice import generate

from .conftest import CLOCK, made

TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"


def digest(path: Path) -> str:
    """Digest of every row of every table, bodies included."""
    with sqlite3.connect(path) as base:
        total = hashlib.sha256()
        for (table,) in base.execute(TABLES).fetchall():
            for row in base.execute(f"SELECT * FROM {table} ORDER BY 1"):
                total.update(repr(row).encode())
    base.close()
    return total.hexdigest()


def test_the_same_arguments_give_the_same_rows(tmp_path, three_hundred):
    again = tmp_path / "again.sqlite"
    census = generate(again, patients=300, clock=CLOCK)
    assert digest(again) == digest(three_hundred.path)
    assert census == three_hundred.census
    for ending in (".truth.csv", ".dmp-patients.csv", ".identities.csv"):
        assert again.with_suffix(ending).read_bytes() == three_hundred.path.with_suffix(ending).read_bytes()


def test_another_seed_gives_other_people_but_the_same_journeys(tmp_path):
    names = []
    for seed in (1, 2):
        path = tmp_path / f"{seed}.sqlite"
        generate(path, patients=20, seed=seed, clock=CLOCK, bodies=False)
        with sqlite3.connect(path) as base:
            names.append(base.execute("SELECT PAT_NOM_NAIS, PAT_INS FROM T_PATIENT ORDER BY PAT_ID").fetchall())
        base.close()
    assert names[0][:6] == names[1][:6]
    assert names[0][6:] != names[1][6:]


def test_a_larger_practice_holds_the_smaller_one(tmp_path):
    small, large = (
        made(tmp_path / str(n), patients=n, bodies=False) for n in (0, 40) if (tmp_path / str(n)).mkdir() is None
    )
    query = "SELECT * FROM T_PATIENT ORDER BY PAT_ID LIMIT 6"
    assert small.all(query) == large.all(query)
    assert large.census.patients >= 46


@pytest.mark.parametrize("wanted", [{"patients": -1}, {"patients": 100_001}, {"document_size": 0}])
def test_a_number_out_of_range_is_refused(tmp_path, wanted):
    with pytest.raises(BadCall):
        generate(tmp_path / "x.sqlite", clock=CLOCK, **wanted)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_former_file_alone(tmp_path, monkeypatch):
    path = tmp_path / "x.sqlite"
    generate(path, clock=CLOCK, bodies=False)
    before = path.read_bytes()
    with pytest.raises(FileNotFoundError):
        generate(path, clock=CLOCK, examples=[tmp_path / "absent.xml"])
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "x.dmp-patients.csv",
        "x.identities.csv",
        "x.sqlite",
        "x.truth.csv",
    ]


def test_the_census_counts_what_is_in_the_file(three_hundred):
    counted = {t: three_hundred.one(f"SELECT count(*) FROM {t}") for (t,) in three_hundred.all(TABLES)}
    assert three_hundred.census.rows == counted
    assert three_hundred.census.patients == counted["T_PATIENT"]
    assert three_hundred.census.body_bytes == three_hundred.one("SELECT sum(length(CNT_BLOB)) FROM T_DOC_CONTENU")


def test_without_bodies_documents_have_metadata_and_nothing_else(tmp_path, three_hundred):
    bare = made(tmp_path, patients=300, bodies=False)
    assert bare.census.rows == three_hundred.census.rows
    assert bare.one("SELECT count(*) FROM T_DOC_CONTENU WHERE CNT_BLOB IS NOT NULL AND CNT_BLOB IS NOT ''") == 0
    assert bare.path.stat().st_size < three_hundred.path.stat().st_size / 10


def test_a_patient_has_eight_to_twelve_documents_on_average(three_hundred):
    assert 8 <= three_hundred.census.rows["T_DOC"] / three_hundred.census.patients <= 12


@pytest.mark.parametrize("size", [8_000, 80_000])
def test_the_size_of_documents_is_the_mean_asked_for(tmp_path, size):
    practice = made(tmp_path, patients=60, document_size=size)
    mean = practice.one(
        "SELECT avg(length(CNT_BLOB)) FROM T_DOC_CONTENU WHERE CNT_MIME = 'application/pdf' AND CNT_BLOB <> x''"
    )
    assert mean == pytest.approx(size, rel=0.1)


def test_scans_weigh_about_eighty_kilobytes_with_a_long_tail(three_hundred):
    sizes = sorted(
        s
        for (s,) in three_hundred.all(
            "SELECT length(CNT_BLOB) FROM T_DOC_CONTENU WHERE CNT_MIME = 'application/pdf' AND length(CNT_BLOB) > 26000"
        )
    )
    received = three_hundred.one(
        "SELECT avg(length(CNT_BLOB)) FROM T_DOC_CONTENU JOIN T_DOC ON DOC_ID = CNT_DOC "
        "WHERE DOC_ORIG = 'P' AND CNT_MIME = 'application/pdf'"
    )
    assert 55_000 < received < 110_000
    assert sizes[-1] > 4 * sizes[len(sizes) // 2]


def test_documents_spread_over_six_years_and_half_are_of_the_last_one(three_hundred):
    days = [d for (d,) in three_hundred.all("SELECT DOC_DT FROM T_DOC")]
    assert min(days) < "2021-12-31"
    recent = sum(d >= "2025-11-23" for d in days) / len(days)
    assert 0.35 < recent < 0.7


def feedable(practice) -> int:
    """Documents nothing stands against: read through the mapping, with the rules of the sheets written again here."""
    known = {r["key"]: r for r in practice.canonical("patient")}
    objected = {r["patient"] for r in practice.canonical("objection")}
    active = {
        r["ins"]
        for r in csv.DictReader(practice.path.with_suffix(".dmp-patients.csv").open())
        if r["state"] == "active"
    }
    count = 0
    for row in practice.canonical("document"):
        patient = known.get(row["patient"])
        rules = [m for m in MANDATED.values() if row["type_code"] in m.type_codes and m.dmp == "true"]
        count += bool(
            patient
            and patient["insi_confirmed"]
            and patient["document_checked"]
            and not patient["doubtful"]
            and not patient["fictitious"]
            and patient["ins"] in active
            and row["patient"] not in objected
            and row["origin"] == "produced"
            and row["fed_state"] == "never"
            and not row["withheld"]
            and not row["masked_ps"]
            and row["hospital_stay"] == 0
            and row["prior_agreement"] == 0
            and rules
            and row["act"][:10] >= min(m.effective_from for m in rules)
        )
    return count


def test_a_practice_of_three_hundred_documents_leaves_sixty_to_feed(tmp_path):
    practice = made(tmp_path, patients=22, bodies=False)
    total = practice.census.rows["T_DOC"]
    assert 220 <= total <= 340
    assert feedable(practice) >= total * 0.2


def test_the_national_file_holds_only_matricules_of_valid_form(three_hundred):
    lines = list(csv.DictReader(three_hundred.path.with_suffix(".dmp-patients.csv").open(encoding="utf-8")))
    assert {line["state"] for line in lines} == {"active", "closed", "none"}
    assert {line["oid"] for line in lines} == {"1.2.250.1.213.1.4.10"}
    assert len({line["ins"] for line in lines}) == len(lines)
    broken = {key for code, key in three_hundred.census.planted if code.startswith("INS_")}
    spoiled = {ins for key, ins in three_hundred.all("SELECT PAT_ID, PAT_INS FROM T_PATIENT") if str(key) in broken}
    assert not spoiled & {line["ins"] for line in lines}


def test_examples_are_filed_byte_for_byte_as_received_documents(tmp_path):
    example = tmp_path / "exemple.xml"
    example.write_text(
        '<ClinicalDocument><code code="11490-0"/><title>Sortie</title></ClinicalDocument>', encoding="utf-8"
    )
    practice = made(tmp_path, examples=[example])
    rows = practice.all(
        "SELECT DOC_TYPE, DOC_ORIG, CNT_BLOB, PAT_NOM_NAIS FROM T_DOC JOIN T_DOC_CONTENU ON CNT_DOC = DOC_ID "
        "JOIN T_PATIENT ON PAT_ID = DOC_PAT WHERE DOC_TITRE = 'Sortie'"
    )
    assert rows == [("LDL_SOR", "E", example.read_bytes(), "OKONJO")]


def test_the_generator_imports_nothing_that_judges_or_writes():
    folder = Path(practice.__file__).parent
    allowed = ("transvase.errors", "transvase.model.codes", "transvase.sources.synthetic")
    seen = set()
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("transvase"):
                seen.add(node.module)
    assert seen
    assert all(module.startswith(allowed) for module in seen)
    assert synthetic.__doc__


def test_the_local_insi_takes_the_directory_of_the_invented_people(three_hundred):
    people = read_directory(three_hundred.path.with_suffix(".identities.csv"))
    by_ins = {p.ins: p for p in people}
    assert len(by_ins) == len(people) >= 300 and any(p.former for p in people)
    recovered = three_hundred.all("SELECT PAT_INS, PAT_NOM_NAIS FROM T_PATIENT WHERE PAT_STATUT_ID = 'QUAL'")
    same = sum(ins in by_ins and by_ins[ins].family == family for ins, family in recovered)
    # The others carry a planted defect.
    assert same > 0.9 * len(recovered)
