"""The mapping folder of the embedded product: every query runs, delivers declared columns, unique keys and closed values."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from transvase.model.codes.author_specialties import CODES as SPECIALTIES
from transvase.model.codes.facility_types import CODES as FACILITIES
from transvase.model.codes.practice_settings import CODES as SETTINGS
from transvase.model.codes.type_codes import CODES as TYPE_CODES
from transvase.model.table import Kind
from transvase.model.tables import TABLES
from transvase.sources import mapping
from transvase.sources.sqlite import schema
from transvase.sources.synthetic import practice, vocabulary

from .conftest import made

FOLDER = Path(practice.__file__).parent
QUERIES = sorted(p.stem for p in (FOLDER / "sql").glob("*.sql"))
BODY = {"body"}
FILLED_BY_EXTRACTION = {"sha256", "size", "detected", "damage", "own_unique_id"}


def test_the_folder_loads():
    loaded = mapping.load("synthetic")
    assert (loaded.product, loaded.kind) == ("Mirabelle 8", "sqlite")
    assert set(loaded.unserved) == {"dispensation"}


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_delivers_every_declared_column_and_no_other(journeys, name):
    cursor = journeys.base.execute(mapping.load("synthetic").queries[name])
    delivered = [d[0] for d in cursor.description]
    declared = {c.name for c in TABLES[name].columns}
    if name == "document_version":
        declared = declared - FILLED_BY_EXTRACTION | BODY
    assert set(delivered) == declared
    assert len(delivered) == len(set(delivered))


@pytest.mark.parametrize("name", QUERIES)
def test_keys_are_unique_text_and_name_a_source_row(three_hundred, name):
    rows = three_hundred.canonical(name)
    assert rows
    assert len({r["key"] for r in rows}) == len(rows)
    assert all(isinstance(r["key"], str) and isinstance(r["source_key"], str) for r in rows)
    ((table,),) = {(r["source_table"],) for r in rows}
    key = next(d[1] for d in three_hundred.all(f"PRAGMA table_info({table})") if d[5])
    assert {r["source_key"] for r in rows} <= {str(k) for (k,) in three_hundred.all(f"SELECT {key} FROM {table}")}


def test_a_row_is_delivered_for_each_source_row_but_the_deleted_and_the_secretary(three_hundred):
    left = {}
    for name in QUERIES:
        rows = three_hundred.canonical(name)
        if missing := three_hundred.one(f"SELECT count(*) FROM {rows[0]['source_table']}") - len(rows):
            left[name] = missing
    assert left == {"document": 1, "document_version": 1, "note": 1, "practitioner": 1}


# What the planted defects leave outside the declared forms: column, and the kinds that explain it.
EXCUSED = {
    ("patient", "birth_date"): {"BIRTH_DATE_IMPOSSIBLE", "BIRTH_DATE_LUNAR", "BIRTH_DATE_UNFLAGGED"},
    ("document", "act"): {"WRONG_DATE"},
    ("practice", "facility_type"): {"STRUCTURE_FACILITY"},
    ("practice", "practice_setting"): {"STRUCTURE_SETTING"},
}


@pytest.mark.parametrize("name", QUERIES)
def test_values_have_the_declared_form(three_hundred, name):
    for column in TABLES[name].columns:
        if name == "document_version" and column.name in FILLED_BY_EXTRACTION:
            continue
        excused = {k for kind in EXCUSED.get((name, column.name), ()) for k in three_hundred.census.truth[kind]}
        form = re.compile(column.form) if column.form else None
        for row in three_hundred.canonical(name):
            value = row[column.name]
            if value is None:
                assert not column.required or row["key"] in excused, (column.name, row["key"])
                continue
            if column.values:
                assert value in column.values, (column.name, value)
            if column.kind is Kind.FLAG:
                assert value in (0, 1) and isinstance(value, int)
            elif column.kind is Kind.INTEGER:
                assert isinstance(value, int)
            else:
                assert isinstance(value, str)
            if form and not form.match(value):
                assert row["key"] in excused, (column.name, value)


def test_impossible_dates_are_delivered_as_they_were_typed(three_hundred):
    truth = three_hundred.census.truth
    dates = {r["key"]: r["birth_date"] for r in three_hundred.canonical("patient")}
    assert [dates[k] for k in truth["BIRTH_DATE_IMPOSSIBLE"]] == ["31/02/1980"]
    assert [dates[k] for k in truth["BIRTH_DATE_LUNAR"]] == ["00/00/1951"]
    acts = {r["key"]: r["act"] for r in three_hundred.canonical("document")}
    assert [acts[k] for k in truth["WRONG_DATE"]] == ["2025-02-31 10:00"]


@pytest.mark.parametrize("name", QUERIES)
def test_references_name_records_that_exist(three_hundred, name):
    excused = set(three_hundred.census.truth["ORPHAN_DOCUMENT"])
    for column in TABLES[name].columns:
        if not column.references:
            continue
        known = {r["key"] for r in three_hundred.canonical(column.references)}
        for row in three_hundred.canonical(name):
            if row[column.name] is not None and row[column.name] not in known:
                assert {row["key"], row.get("document")} & excused, (column.name, row["key"])


def test_document_types_are_the_national_codes_that_the_product_means():
    lines = {local: code for local, code, _ in mapping.load("synthetic").codes["document_types"]}
    assert lines == {t.code: t.national for t in vocabulary.DOCUMENT_TYPES}
    assert all(code in TYPE_CODES and TYPE_CODES[code].current for code in lines.values() if code)


@pytest.mark.parametrize(
    "name, known", [("facilities", FACILITIES), ("settings", SETTINGS), ("specialties", SPECIALTIES)]
)
def test_other_codes_are_in_their_value_sets(name, known):
    codes = [code for _, code, _ in mapping.load("synthetic").codes[name] if code]
    assert codes
    assert all(code in known for code in codes)


def test_every_code_without_equivalent_says_why():
    for name, lines in mapping.load("synthetic").codes.items():
        assert all(reason for _, code, reason in lines if not code), name


def test_columns_csv_names_every_column_of_the_live_schema(journeys):
    loaded = mapping.load("synthetic")
    assert loaded.drift(schema(journeys.base)) == []


def declared_columns() -> list[tuple[str, str, str]]:
    with (FOLDER / "columns.csv").open(encoding="utf-8", newline="") as file:
        return [(r["table"], r["column"], r["target"]) for r in csv.DictReader(file) if r["disposition"] == "mapped"]


def test_columns_that_are_not_mapped_have_a_reason_when_excluded_and_no_target():
    with (FOLDER / "columns.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {r["disposition"] for r in rows} == {"mapped", "native", "excluded"}
    assert all(bool(r["target"]) is (r["disposition"] == "mapped") for r in rows)
    assert all(len(r["reason"]) > 20 for r in rows if r["disposition"] == "excluded")


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    practice = made(tmp_path_factory.mktemp("scratch"), patients=60, bodies=False)
    yield practice
    practice.base.close()


@pytest.mark.parametrize("table, column, targets", declared_columns())
def test_a_mapped_column_reaches_its_targets(scratch, table, column, targets):
    """Change the column, and each target it names changes: nothing is called mapped that is not delivered."""
    base = scratch.base
    other = "'zz'"
    values = [v for (v,) in base.execute(f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL LIMIT 2")]
    if len(values) == 2:
        other = f"CASE {column} WHEN ?1 THEN ?2 ELSE ?1 END"
    before = {t: [r[t.split(".")[1]] for r in scratch.canonical(t.split(".")[0])] for t in targets.split(";")}
    base.execute("SAVEPOINT change")
    try:
        if next(d[5] for d in base.execute(f"PRAGMA table_info({table})") if d[1] == column):
            base.execute(f"UPDATE {table} SET {column} = -{column}")
        else:
            base.execute(f"UPDATE {table} SET {column} = {other}", values if len(values) == 2 else ())
        for target, old in before.items():
            name, wanted = target.split(".")
            assert [r[wanted] for r in scratch.canonical(name)] != old, target
    finally:
        base.execute("ROLLBACK TO change")
        base.execute("RELEASE change")


@pytest.mark.parametrize(
    "stored, delivered",
    [
        ("2019", "2019"),
        ("03/2019", "2019-03"),
        ("28/03/2019", "2019-03-28"),
        ("29/02/2024", "2024-02-29"),
        ("29/02/2023", "29/02/2023"),
        ("31/04/2020", "31/04/2020"),
        ("13/2019", "13/2019"),
        ("00/00/1951", "00/00/1951"),
        ("vers 1990", "vers 1990"),
        ("", ""),
        (None, None),
    ],
)
def test_partial_dates_of_the_product(scratch, stored, delivered):
    scratch.base.execute("UPDATE T_ATCD SET ATD_DEB = ?", (stored,))
    assert {r["onset"] for r in scratch.canonical("problem")} == {delivered}
    scratch.base.rollback()


@pytest.mark.parametrize(
    "stored, delivered", [(20240229, "2024-02-29"), (20230229, "20230229"), (0, "0"), (None, None)]
)
def test_integer_dates_of_the_product(scratch, stored, delivered):
    scratch.base.execute("UPDATE T_PATIENT SET PAT_INS_APPEL = ?", (stored,))
    assert {r["insi_date"] for r in scratch.canonical("patient")} == {delivered}
    scratch.base.rollback()


@pytest.mark.parametrize(
    "stored, delivered",
    [
        ("2024-02-29 09:05:00", "2024-02-29T09:05:00"),
        ("2023-02-29 09:05:00", "2023-02-29 09:05:00"),
        ("2023-02-28", "2023-02-28"),
        ("bientôt", "bientôt"),
    ],
)
def test_instants_of_the_product(scratch, stored, delivered):
    scratch.base.execute("UPDATE T_NOTE SET NOT_DT = ?", (stored,))
    assert {r["recorded"] for r in scratch.canonical("note")} == {delivered}
    scratch.base.rollback()


def test_an_unknown_local_code_is_not_hidden(scratch):
    scratch.base.execute("UPDATE T_DOC SET DOC_TYPE = 'ZZZ', DOC_ORIG = 'Z', DOC_DMP = 'Z'")
    rows = scratch.canonical("document")
    assert {(r["local_type"], r["type_code"], r["origin"], r["fed_state"]) for r in rows} == {
        ("ZZZ", None, None, "unknown")
    }
    scratch.base.rollback()
