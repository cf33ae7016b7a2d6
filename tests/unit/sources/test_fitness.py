"""A database of another version, or one that a restore left half-way, is refused with what was expected and what was found; a whole one
never is. One mapping folder serves two versions of a product, and what both can hold is the same in both."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest

from transvase.errors import BadCall, MappingInvalid, SchemaDrift, SourcePartial, SourceVersion
from transvase.model.tables import TABLES
from transvase.sources import mapping
from transvase.sources.connection import opened
from transvase.sources.extract import extract
from transvase.sources.fitness import check_whole, fitted, gaps
from transvase.sources.synthetic.practice import generate

CLOCK = datetime(2026, 11, 23, 20, 0, 0, tzinfo=ZoneInfo("Europe/Paris"))
Changed = Callable[..., Path]


def made(folder: Path, vintage: str) -> Path:
    path = folder / f"{vintage}.sqlite3"
    generate(path, patients=24, clock=CLOCK, document_size=300, vintage=vintage)
    return path


@pytest.fixture(scope="module")
def recent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("8"), "8")


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("7"), "7")


@pytest.fixture
def changed(recent: Path, tmp_path: Path) -> Changed:
    """A copy of the practice, changed by statements."""

    def copy(*statements: str, of: Path = recent) -> Path:
        path = tmp_path / "copie.sqlite3"
        shutil.copyfile(of, path)
        with sqlite3.connect(path) as base:
            for statement in statements:
                base.execute(statement)
        return path

    return copy


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the mapping, to be changed."""
    target = tmp_path / "correspondance"
    shutil.copytree(mapping.folder_of("synthetic"), target, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return target


def added(folder: Path, text: str) -> mapping.Mapping:
    head = folder / "mapping.toml"
    head.write_text(head.read_text(encoding="utf-8") + text, encoding="utf-8")
    return mapping.load(str(folder))


def refused(path: Path, found: mapping.Mapping | None = None) -> SourcePartial:
    with opened("sqlite", path, "", path.parent) as view, pytest.raises(SourcePartial) as error:
        check_whole(found or mapping.load("synthetic"), view)
    return error.value


# -- loaded to its end -----------------------------------------------------------------------------------------------------

MOST_PATIENTS = "DELETE FROM T_PATIENT WHERE PAT_ID > (SELECT MIN(PAT_ID) + 5 FROM T_PATIENT)"


def test_a_whole_practice_shows_no_gap(recent):
    with opened("sqlite", recent, "", recent.parent) as view:
        assert gaps(mapping.load("synthetic"), view) == []


@pytest.mark.parametrize(
    "statement, kind, words",
    [
        pytest.param("DELETE FROM T_PATIENT", "empty", "table T_PATIENT is empty", id="no patient"),
        pytest.param("DELETE FROM T_TYPE_DOC", "empty", "table T_TYPE_DOC is empty", id="a list the product ships is empty"),
        pytest.param(MOST_PATIENTS, "links", "are in T_PATIENT.PAT_ID", id="most patients are not there yet"),
        pytest.param("DELETE FROM T_ACTE", "parent", "table T_ACTE is empty, and ", id="an empty table that others name"),
        pytest.param(
            "DELETE FROM T_DOC WHERE DOC_ID > (SELECT MIN(DOC_ID) FROM T_DOC)", "links", "are in T_DOC.DOC_ID", id="contents without documents"
        ),
        pytest.param(
            "DELETE FROM T_DOC_CONTENU WHERE CNT_ID > (SELECT MIN(CNT_ID) FROM T_DOC_CONTENU)", "links",
            "are in T_DOC_CONTENU.CNT_DOC (at least 50 % expected)", id="documents without contents"
        ),
    ],
)  # fmt: skip
def test_what_an_interrupted_restore_leaves_is_refused(changed, statement, kind, words):
    path = changed(statement)
    with opened("sqlite", path, "", path.parent) as view:
        assert kind in {g.kind for g in gaps(mapping.load("synthetic"), view)}
    assert words in str(refused(path))


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(
            "DELETE FROM T_PATIENT WHERE PAT_ID = (SELECT MAX(PAT_ID) FROM T_PATIENT)", id="one patient deleted"
        ),
        pytest.param("DELETE FROM T_TRACE", id="a table nothing refers to"),
        pytest.param("UPDATE T_NOTE SET NOT_ACT = 0", id="zero means none"),
        pytest.param("UPDATE T_CONST SET CST_ACT = CST_ID + 900000000", id="visits that were purged"),
    ],
)
def test_what_practices_live_with_is_not_taken_for_it(changed, statement):
    path = changed(statement)
    with opened("sqlite", path, "", path.parent) as view:
        check_whole(mapping.load("synthetic"), view)


def test_the_refusal_says_what_was_expected_and_found_in_both_languages(changed):
    error = refused(changed("DELETE FROM T_PATIENT"))
    assert error.exit_code == 29
    assert "la table T_PATIENT est vide" in error.sentence("fr") and "restaurez-la entière" in error.sentence("fr")
    assert "table T_PATIENT is empty" in error.sentence("en") and "; and " in error.sentence("en")


def test_an_extraction_refuses_it_and_leaves_the_former_one(changed, recent, tmp_path):
    work = tmp_path / "travail"
    extract(mapping.load("synthetic"), recent, work, clock=CLOCK)
    before = {p.name: p.read_bytes() for p in (work / "canonical").iterdir()}
    with pytest.raises(SourcePartial):
        extract(mapping.load("synthetic"), changed(MOST_PATIENTS), work, clock=CLOCK)
    assert {p.name: p.read_bytes() for p in (work / "canonical").iterdir()} == before


COUNTER = """
[[expect.counter]]
what = "T_DOC"
query = "SELECT (SELECT CAST(PRM_VAL AS INTEGER) FROM T_PARAM WHERE PRM_CLE = 'NB_DOC'), (SELECT COUNT(*) FROM T_DOC)"
"""


@pytest.mark.parametrize("kept, whole", [("0", True), ("1", True), ("999999", False)])
def test_a_count_that_the_product_keeps_is_held_against_the_rows(changed, folder, kept, whole):
    path = changed(f"INSERT INTO T_PARAM VALUES ('NB_DOC', '{kept}')")
    found = added(folder, COUNTER)
    if whole:
        with opened("sqlite", path, "", path.parent) as view:
            check_whole(found, view)
    else:
        assert "the software counts 999999 for T_DOC" in str(refused(path, found))


def test_a_product_that_keeps_no_count_is_asked_nothing(recent, folder):
    with opened("sqlite", recent, "", recent.parent) as view:
        check_whole(added(folder, COUNTER), view)


def test_a_link_that_need_not_hold_is_declared_so(changed, folder):
    path = changed("UPDATE T_TRACE SET TRC_PAT = TRC_ID + 900000000")
    assert "T_TRACE.TRC_PAT" in str(refused(path))
    found = added(folder, '\n[[expect.found]]\nof = "T_TRACE.TRC_PAT"\nin = "T_PATIENT.PAT_ID"\nleast = 0\n')
    with opened("sqlite", path, "", path.parent) as view:
        check_whole(found, view)


# -- version ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement, shown",
    [
        ("UPDATE T_PARAM SET PRM_VAL = '9.0' WHERE PRM_CLE = 'VERSION'", "version 9.0,"),
        ("UPDATE T_PARAM SET PRM_VAL = '80.1' WHERE PRM_CLE = 'VERSION'", "version 80.1,"),
        ("UPDATE T_PARAM SET PRM_VAL = NULL WHERE PRM_CLE = 'VERSION'", "version absent from the database,"),
        ("DELETE FROM T_PARAM", "version absent from the database,"),
        ("UPDATE T_PARAM SET PRM_VAL = 'Martin, Zoé ; 1 84' WHERE PRM_CLE = 'VERSION'", "version not recognised,"),
    ],
)
def test_a_version_that_the_mapping_does_not_serve_is_refused(changed, tmp_path, statement, shown):
    with pytest.raises(SourceVersion) as error:
        extract(mapping.load("synthetic"), changed(statement), tmp_path / "travail", clock=CLOCK)
    assert error.value.exit_code == 28
    assert shown in str(error.value) and "8.*, 7.*" in str(error.value) and "Martin" not in str(error.value)


def test_a_schema_without_the_table_of_the_version_is_a_drift(changed, tmp_path):
    with pytest.raises(SchemaDrift):
        extract(mapping.load("synthetic"), changed("DROP TABLE T_PARAM"), tmp_path / "travail", clock=CLOCK)


def test_a_wrong_version_query_is_the_mapping_s_fault(recent, folder):
    head = folder / "mapping.toml"
    head.write_text(head.read_text(encoding="utf-8").replace("SELECT PRM_VAL", "SELECT PRM_VALEUR"), encoding="utf-8")
    with opened("sqlite", recent, "", recent.parent) as view, pytest.raises(MappingInvalid, match=r"mapping\.toml"):
        fitted(mapping.load(str(folder)), view)


@pytest.mark.parametrize(
    "text, words",
    [
        ("\n[vintage.v6]\n", "needs accepts"),
        ('\n[vintage."v 6"]\naccepts = ["6"]\n', "letters, digits"),
        ('\n[[expect.found]]\nof = "T_DOC.DOC_ID"\nin = "T_DOC.DOC_PAT"\nleast = 101\n', "a percentage"),
        ('\n[[expect.found]]\nof = "T_DOC"\nin = "T_DOC.DOC_PAT"\nleast = 1\n', "TABLE.COLUMN"),
        ('\n[[expect.found]]\nof = "T_DOC.DOC_NON"\nin = "T_DOC.DOC_PAT"\nleast = 1\n', "T_DOC.DOC_NON"),
        ('\n[[expect.counter]]\nwhat = "x"\n', "what and query"),
        ("\n[expect.foo]\n", "not foo"),
    ],
)
def test_a_mapping_that_expects_nonsense_is_refused(folder, text, words):
    with pytest.raises(MappingInvalid, match=words):
        added(folder, text)


# -- two vintages ----------------------------------------------------------------------------------------------------------

# What Mirabelle 7 cannot hold, or holds elsewhere.
ELSEWHERE = {"personal_note": {"source_table"}, "allergy": {"severity"}}


def canonical(work: Path) -> dict[str, list[dict[str, Any]]]:
    return {n: pq.read_table(work / "canonical" / f"{n}.parquet").to_pylist() for n in TABLES}


def test_one_folder_reads_both_vintages_of_the_same_people(recent, older, tmp_path):
    both, manifests = {}, {}
    for name, path in (("8", recent), ("7", older)):
        manifests[name] = extract(mapping.load("synthetic"), path, tmp_path / name, clock=CLOCK)
        both[name] = canonical(tmp_path / name)
        for line in manifests[name]["cells"]:
            assert line["source"] == line["mapped"] + line["native"] + line["excluded"]
    assert [(m["product"], m["vintage"]) for m in manifests.values()] == [("Mirabelle 8", ""), ("Mirabelle 7", "v7")]
    assert manifests["7"]["version"] == "7.4.2" and "objection" in manifests["7"]["unserved"]
    assert "objection" not in manifests["8"]["unserved"] and both["7"]["objection"] == []
    for table in TABLES:
        if table in ("native", "objection"):
            continue
        left = ELSEWHERE.get(table, set())
        new, old = ([{k: v for k, v in row.items() if k not in left} for row in both[v][table]] for v in ("8", "7"))
        assert old == new, table
    assert {r["severity"] for r in both["7"]["allergy"]} == {"unknown"}
    assert {r["severity"] for r in both["8"]["allergy"]} != {"unknown"}


def test_the_older_one_differs_in_columns_types_and_tables(recent, older):
    def schema(path: Path) -> dict[str, set[str]]:
        with sqlite3.connect(path) as base:
            names = [n for (n,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {n: {c[1] for c in base.execute(f"PRAGMA table_info({n})")} for n in names}

    new, old = schema(recent), schema(older)
    assert new.keys() - old.keys() == {"T_NOTE_PERSO", "T_OPPOS"} and not old.keys() - new.keys()
    assert old["T_NOTE"] - new["T_NOTE"] == {"NOT_PERSO"} and new["T_ALLERG"] - old["T_ALLERG"] == {"ALG_GRAV"}
    with sqlite3.connect(older) as base:
        assert {
            len(d) for (d,) in base.execute("SELECT DISTINCT ACT_DT FROM T_ACTE WHERE ACT_DT LIKE '__/__/____'")
        } == {10}
        assert {s for (s,) in base.execute("SELECT DISTINCT PAT_SEXE FROM T_PATIENT")} <= {"M", "F", "I"}


def test_a_practice_that_says_another_vintage_than_its_schema_is_a_drift(changed, older, tmp_path):
    path = changed("UPDATE T_PARAM SET PRM_VAL = '8.0.1' WHERE PRM_CLE = 'VERSION'", of=older)
    with pytest.raises(SchemaDrift, match="T_NOTE_PERSO"):
        extract(mapping.load("synthetic"), path, tmp_path / "travail", clock=CLOCK)


def test_a_vintage_that_nobody_made_is_not_generated(tmp_path):
    with pytest.raises(BadCall):
        generate(tmp_path / "x.sqlite3", clock=CLOCK, vintage="6")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "file, text, words",
    [
        ("v7/columns.csv", "table,column,disposition,target,reason\nT_DOC,DOC_NON,absent,,\n", "plain columns.csv"),
        ("columns.csv", None, "disposition must be"),
        ("v7/sql/nothing.sql", "SELECT 1", "no canonical table"),
        ("v7/unserved.csv", "table,reason\n", ""),
    ],
)
def test_the_folder_of_a_vintage_is_checked(folder, file, text, words):
    if text is None:
        text = (folder / file).read_text(encoding="utf-8") + "T_NOUVEAU,N,absent,,\n"
    (folder / file).write_text(text, encoding="utf-8")
    if words:
        with pytest.raises(MappingInvalid, match=words):
            mapping.load(str(folder), "v7")
    else:
        # The plain query of objections serves again.
        assert "objection" in mapping.load(str(folder), "v7").queries


# -- whose rows nobody claims ----------------------------------------------------------------------------------------------


def test_a_deleted_note_stays_with_its_patient_in_native(changed, tmp_path):
    path = changed(
        "UPDATE T_NOTE SET NOT_SUPPR = 1 WHERE NOT_ID IN (SELECT NOT_ID FROM T_NOTE ORDER BY NOT_ID LIMIT 3)",
        "UPDATE T_NOTE SET NOT_PAT = 999 WHERE NOT_ID = (SELECT MIN(NOT_ID) FROM T_NOTE)",
    )
    extract(mapping.load("synthetic"), path, tmp_path / "travail", clock=CLOCK)
    with sqlite3.connect(path) as base:
        rows = base.execute(
            "SELECT NOT_ID, NOT_PAT, NOT_TXT FROM T_NOTE WHERE NOT_SUPPR = 1 ORDER BY NOT_ID"
        ).fetchall()
    native = {r["key"]: r for r in canonical(tmp_path / "travail")["native"]}
    assert len(rows) >= 3 and rows[0][1] == 999
    for note, patient, text in rows:
        row = native[f"T_NOTE:{note}"]
        # The key that no patient bears says nothing.
        assert row["patient"] == (None if patient == 999 else str(patient))
        assert json.loads(row["content"])["NOT_TXT"] == text


@pytest.mark.parametrize(
    "columns, words",
    [
        ('["T_NOTE.NOT_PAT", "T_NOTE.NOT_ITV"]', "two columns of T_NOTE"),
        ('["T_NOTE.NOT_NON"]', "T_NOTE.NOT_NON"),
        ('["NOT_PAT"]', "TABLE.COLUMN"),
        ("[]", "a list of texts"),
    ],
)
def test_patient_columns_are_columns(folder, columns, words):
    head = folder / "mapping.toml"
    lines = head.read_text(encoding="utf-8").splitlines()
    head.write_text(
        "\n".join(f"patient_columns = {columns}" if n.startswith("patient_columns") else n for n in lines),
        encoding="utf-8",
    )
    with pytest.raises(MappingInvalid, match=words):
        mapping.load(str(folder))


# -- real databases --------------------------------------------------------------------------------------------------------


@pytest.mark.shared
def test_a_real_libreosteo_says_its_version_and_is_whole(shared, tmp_path):
    database = shared / "practice-databases" / "libreosteo.sqlite3"
    with opened("sqlite", database, "", tmp_path) as view:
        found, version = fitted(mapping.load("libreosteo"), view)
        assert version == "0055_alter_patient_job" and gaps(found, view) == []


@pytest.mark.shared
@pytest.mark.parametrize(
    "statement, error",
    [
        pytest.param("DELETE FROM django_migrations WHERE name LIKE '0055%' AND app = 'libreosteoweb'", SourceVersion, id="older"),
        pytest.param(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('libreosteoweb', '0056_x', '2027-01-01')", SourceVersion, id="newer"
        ),
        pytest.param("DELETE FROM libreosteoweb_patient", SourcePartial, id="patients not there"),
        pytest.param("DELETE FROM libreosteoweb_patient WHERE id IN (SELECT patient_id FROM libreosteoweb_examination LIMIT 9)", SourcePartial, id="some of them"),
    ],
)  # fmt: skip
def test_a_real_libreosteo_of_another_version_or_cut_is_refused(shared, tmp_path, statement, error):
    path = tmp_path / "copie.sqlite3"
    shutil.copyfile(shared / "practice-databases" / "libreosteo.sqlite3", path)
    with sqlite3.connect(path) as base:
        base.execute(statement)
    with pytest.raises(error):
        extract(mapping.load("libreosteo"), path, tmp_path / "travail", clock=CLOCK)
