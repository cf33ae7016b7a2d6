"""The mapping of LibreOsteo against a real database of that product.

The file holds patients, consultations, one account and one office; the product's other tables are empty in it. They are
filled with invented rows in a copy (`populated`), so that every query of the mapping is exercised.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest

from transvase.errors import SchemaDrift
from transvase.model.codes.author_specialties import CODES as SPECIALTIES
from transvase.model.codes.type_codes import CODES as TYPES
from transvase.model.tables import TABLES
from transvase.sources.extract import extract
from transvase.sources.mapping import Mapping, load

pytestmark = pytest.mark.shared

CLOCK = datetime(2026, 11, 23, 12, 0, 0)
PARIS, UTC = ZoneInfo("Europe/Paris"), ZoneInfo("UTC")

Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def database(shared: Path) -> Path:
    return shared / "practice-databases" / "libreosteo.sqlite3"


@pytest.fixture(scope="module")
def mapping() -> Mapping:
    return load("libreosteo")


@pytest.fixture(scope="module")
def source(database: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def manifest(mapping: Mapping, database: Path, work: Path) -> dict[str, Any]:
    return extract(mapping, database, work, clock=CLOCK)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("libreosteo") / "work"


@pytest.fixture(scope="module")
def canonical(manifest: dict[str, Any], work: Path) -> Rows:
    return read(work)


def read(work: Path) -> Rows:
    """Every canonical table of an extraction, as dictionaries."""
    return {name: pq.read_table(work / "canonical" / f"{name}.parquet").to_pylist() for name in TABLES}


def copy(database: Path, folder: Path, *statements: str) -> Path:
    """A writable copy of the database, changed by the statements."""
    path = folder / "copy.sqlite3"
    shutil.copyfile(database, path)
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return path


def live_schema(path: Path) -> set[tuple[str, str]]:
    """Every (table, column), asked of the engine independently of the code under test."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    found = connection.execute(
        "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c "
        "WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite@_%' ESCAPE '@'"
    ).fetchall()
    connection.close()
    return set(found)


# What the real file holds.


EXPECTED = {
    "practice": 1,
    "practitioner": 1,
    "patient": 100,
    "encounter": 100,
    # Ten texts of each of 100 consultations, 84 conclusions, 100 summaries of outside reports.
    "note": 1184,
    # Four histories of each patient.
    "problem": 400,
    "treatment": 100,
    # Tobacco, hobbies, laterality.
    "risk_factor": 300,
    # Rows with a column of no canonical place: patients, consultations, account, office, import, three means of payment.
    "native": 206,
}


def test_rows_of_each_table(manifest: dict[str, Any]) -> None:
    assert {name: rows for name, rows in manifest["rows"].items() if rows} == EXPECTED


def test_every_cell_of_every_table_is_accounted_for(manifest: dict[str, Any], source: sqlite3.Connection) -> None:
    total = Counter[str]()
    for line in manifest["cells"]:
        (rows,) = source.execute(f'SELECT count(*) FROM "{line["table"]}"').fetchone()
        (columns,) = source.execute("SELECT count(*) FROM pragma_table_info(?)", (line["table"],)).fetchone()
        assert line["rows"] == rows and line["source"] == rows * columns, line["table"]
        assert line["mapped"] + line["native"] + line["excluded"] == line["source"], line["table"]
        total.update({name: line[name] for name in ("source", "mapped", "native", "excluded")})
    print(dict(total))
    assert total == {"source": 5495, "mapped": 4211, "native": 533, "excluded": 751}
    assert manifest["unreadable"] == 0


def check_declarations(tables: Rows, empty: set[tuple[str, str]]) -> None:
    """Unique keys; required columns, closed lists, forms and references of the declared model, but for the columns `empty`."""
    for name, table in TABLES.items():
        rows = tables[name]
        keys = [row["key"] for row in rows]
        assert len(keys) == len(set(keys)), name
        for column in table.columns:
            values = [row[column.name] for row in rows]
            given = [value for value in values if value is not None]
            if column.required and (name, column.name) not in empty:
                assert len(given) == len(values), f"{name}.{column.name} is empty"
            if column.values:
                assert set(given) <= set(column.values), f"{name}.{column.name}"
            if column.form:
                assert all(re.fullmatch(column.form, value) for value in given), f"{name}.{column.name}"
            if column.references:
                known = {row["key"] for row in tables[column.references]}
                assert set(given) <= known, f"{name}.{column.name}"


# What the product does not record and the settings of a run give.
BY_SETTINGS = {("practice", "oid"), ("practice", "facility_type"), ("practice", "practice_setting")}


def test_rows_keep_to_the_declared_model(canonical: Rows) -> None:
    check_declarations(canonical, BY_SETTINGS)


def test_no_national_identity_is_made_up(canonical: Rows) -> None:
    empty = ("ins", "ins_oid", "insi_confirmed", "insi_date", "birth_given", "birth_place_code", "document_checked")
    assert {row[name] for row in canonical["patient"] for name in empty} == {None}


def test_exact_duplicates_of_consultations_are_all_kept(canonical: Rows, source: sqlite3.Connection) -> None:
    keys = {key for (key,) in source.execute("SELECT CAST(id AS TEXT) FROM libreosteoweb_examination")}
    assert {row["key"] for row in canonical["encounter"]} == keys and len(keys) == 100
    contents = Counter((row["patient"], row["start"], row["reason"]) for row in canonical["encounter"])
    assert set(contents.values()) == {2}


# The text of a source column is found again, verbatim, under the key of its row.

EXAMINATION_TEXTS = (
    "reason_description",
    "orl",
    "visceral",
    "pulmo",
    "uro_gyneco",
    "periphery",
    "general_state",
    "medical_examination",
    "diagnosis",
    "treatments",
    "conclusion",
)
VERBATIM = [
    # canonical table, canonical column, source table, source column, key of the canonical row from the source key
    *(("note", "text", "libreosteoweb_examination", column, "{}-" + column) for column in EXAMINATION_TEXTS),
    ("note", "text", "libreosteoweb_patient", "medical_reports", "patient-{}-medical_reports"),
    ("encounter", "reason", "libreosteoweb_examination", "reason", "{}"),
    ("problem", "label", "libreosteoweb_patient", "medical_history", "{}-medical_history"),
    ("problem", "label", "libreosteoweb_patient", "surgical_history", "{}-surgical_history"),
    ("problem", "label", "libreosteoweb_patient", "trauma_history", "{}-trauma_history"),
    ("problem", "label", "libreosteoweb_patient", "family_history", "{}-family_history"),
    ("treatment", "label", "libreosteoweb_patient", "current_treatment", "{}-current_treatment"),
    ("risk_factor", "value", "libreosteoweb_patient", "hobbies", "{}-hobbies"),
    ("patient", "used_family", "libreosteoweb_patient", "family_name", "{}"),
    ("patient", "birth_first_given", "libreosteoweb_patient", "first_name", "{}"),
    ("patient", "used_given", "libreosteoweb_patient", "first_name", "{}"),
    ("patient", "sex", "libreosteoweb_patient", "sex", "{}"),
    ("patient", "birth_date", "libreosteoweb_patient", "birth_date", "{}"),
    ("patient", "postal_code", "libreosteoweb_patient", "address_zipcode", "{}"),
    ("patient", "city", "libreosteoweb_patient", "address_city", "{}"),
    ("patient", "phone", "libreosteoweb_patient", "phone", "{}"),
    ("patient", "mobile", "libreosteoweb_patient", "mobile_phone", "{}"),
    ("patient", "email", "libreosteoweb_patient", "email", "{}"),
    ("patient", "important", "libreosteoweb_patient", "important_info", "{}"),
    ("patient", "occupation", "libreosteoweb_patient", "job", "{}"),
]


@pytest.mark.parametrize(("table", "column", "from_table", "from_column", "key"), VERBATIM)
def test_text_is_verbatim(
    canonical: Rows,
    source: sqlite3.Connection,
    table: str,
    column: str,
    from_table: str,
    from_column: str,
    key: str,
) -> None:
    written = {
        key.format(place): value
        for place, value in source.execute(
            f'SELECT id, "{from_column}" FROM {from_table} WHERE "{from_column}" <> \'\''
        )
    }
    assert len(written) >= 77, "the file is not the one these tests were written for"
    form = re.compile(re.escape(key).replace(r"\{\}", r"\d+"))
    found = {
        row["key"]: row[column] for row in canonical[table] if form.fullmatch(row["key"]) and row[column] is not None
    }
    assert found == written


def test_heading_of_each_note_is_the_one_of_the_product(canonical: Rows) -> None:
    found = {(re.sub(r"^(patient-)?\d+-", "", row["key"]), row["title"]) for row in canonical["note"]}
    assert found == {
        ("reason_description", "Détail du motif de consultation / Contexte"),
        ("orl", "Sphère ORL"),
        ("visceral", "Sphère viscérale"),
        ("pulmo", "Sphère cardio-pulmonaire"),
        ("uro_gyneco", "Sphère uro-gynéco"),
        ("periphery", "Sphère périphérique"),
        ("general_state", "État général"),
        ("medical_examination", "Examen médical"),
        ("diagnosis", "Diagnostic ostéopathique"),
        ("treatments", "Traitements"),
        ("conclusion", "Conclusion"),
        ("medical_reports", "Compte-rendus médicaux"),
    }


def test_category_of_each_history(canonical: Rows) -> None:
    found = {(row["key"].partition("-")[2], row["category"], row["assertion"]) for row in canonical["problem"]}
    assert found == {
        ("medical_history", "history", "affirmed"),
        ("surgical_history", "surgery", "affirmed"),
        ("trauma_history", "trauma", "affirmed"),
        ("family_history", "family", "affirmed"),
    }


def test_name_at_birth_is_the_original_name_when_there_is_one(canonical: Rows, source: sqlite3.Connection) -> None:
    names = {
        str(place): original or family
        for place, family, original in source.execute(
            "SELECT id, family_name, original_name FROM libreosteoweb_patient"
        )
    }
    assert {row["key"]: row["birth_family"] for row in canonical["patient"]} == names


def test_both_lines_of_an_address_are_kept(canonical: Rows, source: sqlite3.Connection) -> None:
    lines = {
        str(place): f"{street}, {complement}"
        for place, street, complement in source.execute(
            "SELECT id, address_street, address_complement FROM libreosteoweb_patient"
        )
    }
    assert {row["key"]: row["address"] for row in canonical["patient"]} == lines


def test_tobacco_follows_the_box(canonical: Rows, source: sqlite3.Connection) -> None:
    said = {1: "affirmed", 0: "not_recorded"}
    box = {f"{k}-smoker": said[v] for k, v in source.execute("SELECT id, smoker FROM libreosteoweb_patient")}
    rows = [row for row in canonical["risk_factor"] if row["category"] == "tobacco"]
    assert {row["key"]: row["assertion"] for row in rows} == box
    assert Counter(box.values()) == {"affirmed": 49, "not_recorded": 51}
    # The box cannot tell a no from a question never asked.
    assert {(row["label"], row["value"]) for row in rows} == {("Fumeur", None)}


def test_laterality_is_in_the_words_of_the_product(canonical: Rows, source: sqlite3.Connection) -> None:
    words = {"R": "Droitier", "L": "Gaucher"}
    sides = {f"{k}-laterality": words[v] for k, v in source.execute("SELECT id, laterality FROM libreosteoweb_patient")}
    rows = {row["key"]: row["value"] for row in canonical["risk_factor"] if row["label"] == "Latéralité"}
    assert rows == sides and Counter(rows.values()) == {"Droitier": 78, "Gaucher": 22}


def test_people_and_place(canonical: Rows) -> None:
    (practice,) = canonical["practice"]
    (practitioner,) = canonical["practitioner"]
    assert (practice["name"], practice["oid"], practice["struct_idnat"]) == ("Cabinet LibreOsteo", None, None)
    assert (practitioner["practice"], practitioner["active"], practitioner["idnat"]) == (practice["key"], True, None)


# Time: stored in UTC, said in Paris.


def paris(stored: str) -> str:
    """What a clock in Paris showed at a stored instant, by the time zone database."""
    return datetime.fromisoformat(stored[:19]).replace(tzinfo=UTC).astimezone(PARIS).strftime("%Y-%m-%dT%H:%M:%S")


def test_consultations_are_at_local_midnight(canonical: Rows, source: sqlite3.Connection) -> None:
    """The file was imported from days without an hour, so only a right conversion gives midnight everywhere."""
    stored = {str(k): paris(v) for k, v in source.execute("SELECT id, date FROM libreosteoweb_examination")}
    assert {row["key"]: row["start"] for row in canonical["encounter"]} == stored
    assert {start[10:] for start in stored.values()} == {"T00:00:00"}
    assert {stored[row["encounter"]] == row["recorded"] for row in canonical["note"] if row["encounter"]} == {True}


def test_local_time_is_exact_around_every_change(mapping: Mapping, database: Path, tmp_path: Path) -> None:
    """Each hour, first and last second, of the ends of March, September, October and December, from 1981 to 2060."""
    path = copy(database, tmp_path, "DELETE FROM libreosteoweb_examination")
    connection = sqlite3.connect(path)
    template = source_row(connection, "libreosteoweb_examination")
    stored: list[str] = []
    for year in range(1981, 2061):
        for month, days in ((3, range(24, 32)), (9, range(23, 31)), (10, range(24, 32)), (12, (31,))):
            for day in days:
                start = datetime(year, month, day)
                for hour in range(24):
                    at = start + timedelta(hours=hour)
                    stored += [f"{at}", f"{at + timedelta(seconds=3599)}.999999"]
    insert_rows(
        connection,
        "libreosteoweb_examination",
        [{**template, "id": n, "date": value} for n, value in enumerate(stored, 1)],
    )
    given = {row["key"]: row["start"] for row in answers(connection, mapping, "encounter")}
    connection.close()
    assert len(given) == len(stored) == 80 * 25 * 48
    wrong = [value for n, value in enumerate(stored, 1) if given[str(n)] != paris(value)]
    assert wrong == []


def test_one_rule_of_time_in_every_query(mapping: Mapping) -> None:
    """SQLite has no functions of our own here, so the rule is written out in each query: always the same."""
    form = re.compile(r"COALESCE\( strftime\( '[^']*', substr\((?P<column>[\w.]+), 1, 19\),.*?\), (?P=column) \)")
    rules = []
    for text in mapping.queries.values():
        for found in form.finditer(" ".join(text.split())):
            rule = re.sub(rf"\b{re.escape(found['column'])}\b(?!\()", "STORED", found[0])
            rules.append(rule.replace("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"))
    assert len(rules) == sum(text.count("'weekday 0')") for text in mapping.queries.values()) / 3 == 8
    assert len(set(rules)) == 1


def test_a_time_that_is_no_time_survives(mapping: Mapping, database: Path, tmp_path: Path) -> None:
    path = copy(database, tmp_path, "UPDATE libreosteoweb_examination SET date = '2019-02-31x' WHERE id = 1")
    connection = sqlite3.connect(path)
    given = {row["key"]: row["start"] for row in answers(connection, mapping, "encounter")}
    connection.close()
    assert given["1"] == "2019-02-31x"


# The schema: every column has a fate, and another schema is refused.


def test_every_column_has_a_fate_and_no_other(mapping: Mapping, database: Path) -> None:
    assert set(mapping.columns) == live_schema(database)


def test_what_is_excluded_is_no_data_of_a_person(mapping: Mapping) -> None:
    excluded = {where for where, use in mapping.columns.items() if use.disposition == "excluded"}
    whole = {
        table
        for table in {table for table, _ in excluded}
        if all(where in excluded for where in mapping.columns if where[0] == table)
    }
    assert whole == {
        "auth_group_permissions",
        "auth_permission",
        "django_content_type",
        "django_migrations",
        "django_session",
        "zipcode_lookup_zipcodemapping",
    }
    assert {where for where in excluded if where[0] not in whole} == {
        ("auth_user", "password"),
        ("django_admin_log", "content_type_id"),
        ("libreosteoweb_loggedinuser", "session_key"),
    }


def test_every_choice_has_a_target_or_a_reason(mapping: Mapping) -> None:
    for where, use in mapping.columns.items():
        if use.disposition == "mapped":
            table, _, column = use.target.partition(".")
            assert TABLES[table].column(column) and table in mapping.queries, where
        else:
            assert use.reason and not use.target, where
    assert all(mapping.unserved.values())


def test_codes_of_the_mapping_are_national_codes(mapping: Mapping) -> None:
    assert {code for _, code, _ in mapping.codes["quality"]} <= set(SPECIALTIES)
    assert {code for _, code, _ in mapping.codes["attachment"] if code} <= set(TYPES)
    assert {code for _, code, _ in mapping.codes["smoker"]} <= {"affirmed", "denied", "not_recorded"}
    assert all(reason for lines in mapping.codes.values() for _, _, reason in lines)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        pytest.param(
            "ALTER TABLE libreosteoweb_patient ADD COLUMN allergies text",
            "column libreosteoweb_patient.allergies is new",
            id="a column is added",
        ),
        pytest.param(
            "ALTER TABLE libreosteoweb_patient DROP COLUMN hobbies",
            "column libreosteoweb_patient.hobbies is gone",
            id="a column is removed",
        ),
        pytest.param(
            "ALTER TABLE libreosteoweb_patient RENAME COLUMN job TO occupation",
            "column libreosteoweb_patient.occupation is new; column libreosteoweb_patient.job is gone",
            id="a column is renamed",
        ),
        pytest.param("CREATE TABLE extra_notes (id integer)", "table extra_notes is new", id="a table is added"),
        pytest.param(
            "DROP TABLE libreosteoweb_fileimport", "table libreosteoweb_fileimport is gone", id="a table is removed"
        ),
    ],
)
def test_another_schema_is_refused(mapping: Mapping, database: Path, tmp_path: Path, change: str, named: str) -> None:
    path = copy(database, tmp_path, change)
    with pytest.raises(SchemaDrift) as refusal:
        extract(mapping, path, tmp_path / "work", clock=CLOCK)
    assert refusal.value.facts["differences"] == named
    assert not (tmp_path / "work" / "canonical").exists()


# The tables that the real file leaves empty, with invented rows.

SECRETS = ("pbkdf2_sha256$invented", "invented-session-key", "invented-session-data")
ADDED: dict[str, list[dict[str, Any]]] = {
    "libreosteoweb_regulardoctor": [
        {"id": 3, "family_name": "Exemple", "first_name": "Alix", "city": "Vannes", "phone": "0100000000"},
        {"id": 4, "family_name": "Modèle", "first_name": "", "city": "", "phone": None},
    ],
    "libreosteoweb_children": [
        {"id": 1, "family_name": "Exemple", "first_name": "Lou", "birthday_date": "2012-04-05", "parent_id": 2},
        {"id": 2, "family_name": "", "first_name": "Noa", "birthday_date": "2014-04-05", "parent_id": 2},
    ],
    "libreosteoweb_document": [
        {
            "id": 7,
            "title": "Radio",
            "notes": "Voir la date",
            "internal_date": "2021-07-01 22:30:00.123456",
            "document_date": "2021-06-30",
            "user_id": 1,
            "mime_type": "application/pdf",
            "document_file": "documents/radio.pdf",
        },
        {
            "id": 8,
            "title": "Orphelin",
            "notes": None,
            "internal_date": "2021-12-01 22:30:00",
            "document_date": None,
            "user_id": None,
            "mime_type": None,
            "document_file": "documents/orphelin.bin",
        },
    ],
    "libreosteoweb_patientdocument": [{"document_id": 7, "patient_id": 2, "attachment_type": 5}],
    "libreosteoweb_examinationcomment": [
        {"id": 1, "comment": "Rappelée", "examination_id": 1, "user_id": 1, "date": "2020-01-31 23:10:00"},
        {"id": 2, "comment": "Sans date", "examination_id": 1, "user_id": None, "date": None},
    ],
    "libreosteoweb_therapeutsettings": [
        {"id": 1, "quality": "Ostéopathe D.O.", "user_id": 1, "professional_id": "10 00 00 00 00 1"}
    ],
    "libreosteoweb_invoice": [
        {"id": 1, "date": "2020-12-31 23:30:00", "amount": 55.0, "number": "10000", "canceled_by_id": 2},
        {"id": 2, "date": "2021-01-02 10:00:00", "amount": -55.5, "number": "10001", "check_sum": b"\x00\xff"},
        {"id": 3, "date": "2021-01-03 10:00:00", "amount": 110.0, "number": "10002"},
    ],
    # Invoice 3 covers consultations of two patients.
    "libreosteoweb_examination_invoices": [
        {"id": 1, "examination_id": 1, "invoice_id": 1},
        {"id": 2, "examination_id": 1, "invoice_id": 3},
        {"id": 3, "examination_id": 2, "invoice_id": 3},
    ],
    "libreosteoweb_paiment": [
        {"id": 1, "amount": 55.0, "currency": "EUR", "paiment_mode": "check", "date": "2021-01-01"},
        {"id": 2, "amount": 165.0, "currency": "EUR", "paiment_mode": "other", "date": "2021-01-04"},
    ],
    "libreosteoweb_paiment_invoice": [
        {"id": 1, "paiment_id": 1, "invoice_id": 1},
        {"id": 2, "paiment_id": 2, "invoice_id": 1},
        {"id": 3, "paiment_id": 2, "invoice_id": 3},
    ],
    "libreosteoweb_officeevent": [
        {"id": 1, "date": "2020-06-01 08:00:00", "clazz": "Patient", "type": 1, "comment": "Créé", "reference": 2},
        {"id": 2, "date": "2020-06-01 08:00:00", "clazz": "Examination", "type": 1, "comment": "Vu", "reference": 1},
        {"id": 3, "date": "2020-06-01 08:00:00", "clazz": "OfficeSettings", "type": 2, "comment": "Lu", "reference": 1},
    ],
    "libreosteoweb_loggedinuser": [{"id": 1, "session_key": SECRETS[1], "user_id": 1}],
    "django_session": [
        {"session_key": SECRETS[1], "session_data": SECRETS[2], "expire_date": "2026-12-01 00:00:00"},
    ],
    "django_admin_log": [{"id": 1, "object_repr": "Exemple Alix", "action_flag": 1, "user_id": 1}],
}
CHANGES = (
    "UPDATE libreosteoweb_patient SET doctor_id = 3 WHERE id IN (2, 3)",
    "UPDATE libreosteoweb_patient SET creation_date = '2011-01-01', consent = '2019-05-25', sex = NULL WHERE id = 2",
    "UPDATE libreosteoweb_officesettings SET office_name = 'Cabinet du Port', office_identifier = '123 456 789 00012', "
    "office_address_street = '1 quai', office_address_city = 'Vannes'",
    "UPDATE auth_user SET password = 'pbkdf2_sha256$invented'",
)


def source_row(connection: sqlite3.Connection, table: str) -> dict[str, Any]:
    """A value of the declared type for each required column of a table."""
    values: dict[str, Any] = {}
    for _, name, kind, required, _, _ in connection.execute(f"PRAGMA table_info({table})"):
        number = re.match(r"integer|smallint|real|bool", kind.lower())
        values[name] = None if not required else 1 if number else "2020-01-01 00:00:00" if "date" in kind else ""
    return values


def insert_rows(connection: sqlite3.Connection, table: str, rows: list[dict[str, Any]]) -> None:
    names = list(rows[0])
    marks = ", ".join("?" for _ in names)
    columns = ", ".join(f'"{n}"' for n in names)
    connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", [tuple(r.values()) for r in rows])
    connection.commit()


def answers(connection: sqlite3.Connection, mapping: Mapping, table: str) -> list[dict[str, Any]]:
    """The rows that the mapping's query gives, straight from the engine."""
    for name, lines in mapping.codes.items():
        connection.execute(
            f"CREATE TEMP TABLE IF NOT EXISTS map_{name} (local TEXT PRIMARY KEY, code TEXT, reason TEXT)"
        )
        connection.executemany(f"INSERT OR IGNORE INTO temp.map_{name} VALUES (?, ?, ?)", lines)
    cursor = connection.execute(mapping.queries[table])
    names = [d[0] for d in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


@pytest.fixture(scope="module")
def populated(database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = copy(database, tmp_path_factory.mktemp("populated"), *CHANGES)
    connection = sqlite3.connect(path)
    for table, rows in ADDED.items():
        template = source_row(connection, table)
        insert_rows(connection, table, [{**template, **row} for row in rows])
    connection.close()
    return path


@pytest.fixture(scope="module")
def full_manifest(mapping: Mapping, populated: Path) -> dict[str, Any]:
    return extract(mapping, populated, populated.parent / "work", clock=CLOCK)


@pytest.fixture(scope="module")
def full(full_manifest: dict[str, Any], populated: Path) -> Rows:
    return read(populated.parent / "work")


def only(rows: list[dict[str, Any]], *columns: str) -> list[tuple[Any, ...]]:
    return sorted((tuple(row[c] for c in columns) for row in rows), key=repr)


def test_all_queries_keep_to_the_declared_model(full: Rows, full_manifest: dict[str, Any]) -> None:
    check_declarations(full, BY_SETTINGS)
    assert {name for name, rows in full.items() if rows} == {*TABLES} - set(load("libreosteo").unserved)
    assert full_manifest["unreadable"] == 0


def test_attending_physicians_are_correspondents(full: Rows) -> None:
    assert only(full["correspondent"], "key", "patient", "family", "given", "specialty", "source_table") == [
        ("2-doctor-3", "2", "Exemple", "Alix", "Médecin traitant", "libreosteoweb_patient"),
        ("3", None, "Exemple", "Alix", "Médecin traitant", "libreosteoweb_regulardoctor"),
        ("3-doctor-3", "3", "Exemple", "Alix", "Médecin traitant", "libreosteoweb_patient"),
        ("4", None, "Modèle", None, "Médecin traitant", "libreosteoweb_regulardoctor"),
    ]


def test_children_are_related_persons(full: Rows) -> None:
    assert only(full["related_person"], "key", "patient", "role", "family", "given", "birth_date") == [
        ("1", "2", "child", "Exemple", "Lou", "2012-04-05"),
        ("2", "2", "child", "", "Noa", "2014-04-05"),
    ]


def test_documents_and_their_only_version(full: Rows) -> None:
    columns = ("key", "patient", "practitioner", "local_type", "type_code", "title", "act", "created", "source_table")
    assert only(full["document"], *columns) == [
        ("7", "2", "1", "5", None, "Radio", "2021-06-30", "2021-07-02T00:30:00", "libreosteoweb_patientdocument"),
        ("8", None, None, None, None, "Orphelin", None, "2021-12-01T23:30:00", "libreosteoweb_document"),
    ]
    assert only(full["document_version"], "key", "patient", "document", "version", "media_type", "file_name") == [
        ("7", "2", "7", 1, "application/pdf", "documents/radio.pdf"),
        ("8", None, "8", 1, None, "documents/orphelin.bin"),
    ]
    # The file lies beside the database: nothing is known of its content.
    assert {(row["sha256"], row["size"], row["detected"]) for row in full["document_version"]} == {(None, None, None)}


def test_comments_and_notes_on_documents_are_notes(full: Rows) -> None:
    rows = [row for row in full["note"] if row["key"].startswith(("comment", "document"))]
    columns = ("key", "patient", "practitioner", "encounter", "recorded", "title", "text")
    patient = next(row["patient"] for row in full["encounter"] if row["key"] == "1")
    assert only(rows, *columns) == [
        ("comment-1", patient, "1", "1", "2020-02-01T00:10:00", "Commentaire", "Rappelée"),
        ("comment-2", patient, None, "1", None, "Commentaire", "Sans date"),
        ("document-7-notes", "2", "1", None, "2021-07-02T00:30:00", "Notes sur le document", "Voir la date"),
    ]


def test_invoices_and_payments(full: Rows) -> None:
    patient = next(row["patient"] for row in full["encounter"] if row["key"] == "1")
    assert only(full["billing"], "key", "patient", "at", "label", "amount") == [
        ("invoice-1", patient, "2021-01-01", "10000", "55.0"),
        # The credit note is linked only to the invoice it cancels.
        ("invoice-2", patient, "2021-01-02", "10001", "-55.5"),
        # Two patients: none is named.
        ("invoice-3", None, "2021-01-03", "10002", "110.0"),
        ("payment-1", patient, "2021-01-01", "Chèque", "55.0"),
        ("payment-2", None, "2021-01-04", "other", "165.0"),
    ]


def test_journal_of_the_office(full: Rows) -> None:
    patient = next(row["patient"] for row in full["encounter"] if row["key"] == "1")
    assert only(full["access_log"], "key", "patient", "actor", "at", "action", "object") == [
        ("1", "2", "dr", "2020-06-01T10:00:00", "Créé", "Patient 2"),
        ("2", patient, "dr", "2020-06-01T10:00:00", "Vu", "Examination 1"),
        ("3", None, "dr", "2020-06-01T10:00:00", "Lu", "OfficeSettings 1"),
    ]


def test_identifiers_get_their_national_prefix(full: Rows) -> None:
    assert only(full["practitioner"], "idnat", "specialty") == [("810000000001", "71")]
    assert only(full["practice"], "name", "struct_idnat", "address", "city") == [
        ("Cabinet du Port", "312345678900012", "1 quai", "Vannes")
    ]


@pytest.mark.parametrize(
    ("typed", "idnat"),
    [
        pytest.param("10000000001", "810000000001", id="RPPS"),
        pytest.param("750000001", "0750000001", id="ADELI"),
        pytest.param("2A0000001", "02A0000001", id="ADELI of Corsica"),
        pytest.param("1000000000", None, id="ten digits are neither"),
        pytest.param("en cours", None, id="not a number"),
        pytest.param("", None, id="empty"),
    ],
)
def test_professional_identifier(
    mapping: Mapping, populated: Path, tmp_path: Path, typed: str, idnat: str | None
) -> None:
    path = copy(populated, tmp_path, f"UPDATE libreosteoweb_therapeutsettings SET professional_id = '{typed}'")
    connection = sqlite3.connect(path)
    (row,) = answers(connection, mapping, "practitioner")
    connection.close()
    assert row["idnat"] == idnat


def test_a_second_office_leaves_the_practitioner_without_one(mapping: Mapping, populated: Path, tmp_path: Path) -> None:
    path = copy(populated, tmp_path)
    connection = sqlite3.connect(path)
    office = source_row(connection, "libreosteoweb_officesettings")
    insert_rows(connection, "libreosteoweb_officesettings", [{**office, "id": 2}])
    (row,) = answers(connection, mapping, "practitioner")
    connection.close()
    assert row["practice"] is None


def test_what_is_not_recorded_gives_no_row(mapping: Mapping, populated: Path, tmp_path: Path) -> None:
    path = copy(
        populated,
        tmp_path,
        "UPDATE libreosteoweb_patient SET medical_history = '', current_treatment = '', hobbies = '', laterality = NULL, "
        "medical_reports = '' WHERE id = 2",
        "UPDATE libreosteoweb_patient SET laterality = '' WHERE id = 3",
    )
    connection = sqlite3.connect(path)
    keys = {
        row["key"] for table in ("problem", "treatment", "risk_factor") for row in answers(connection, mapping, table)
    }
    notes = {row["key"] for row in answers(connection, mapping, "note")}
    connection.close()
    gone = {"2-medical_history", "2-current_treatment", "2-hobbies", "2-laterality", "3-laterality"}
    assert not keys & gone and {"2-surgical_history", "2-smoker", "3-hobbies"} <= keys
    assert "patient-2-medical_reports" not in notes and "patient-3-medical_reports" in notes


def test_no_secret_of_an_account_leaves(full: Rows, populated: Path) -> None:
    stored = sqlite3.connect(populated)
    kept = stored.execute("SELECT password FROM auth_user UNION SELECT session_key FROM django_session").fetchall()
    stored.close()
    assert {value for (value,) in kept} == set(SECRETS[:2])
    values = [str(value) for rows in full.values() for row in rows for value in row.values()]
    assert not [secret for secret in SECRETS if any(secret in value for value in values)]
    # The same look finds what is meant to stay.
    assert any("Exemple Alix" in value for value in values)


def test_a_mapped_column_reaches_its_target(mapping: Mapping, populated: Path, tmp_path: Path) -> None:
    """Another value in a column declared `mapped` shows in the canonical column named: no declaration is only on paper."""
    connection = sqlite3.connect(copy(populated, tmp_path), isolation_level=None)
    connection.execute("PRAGMA ignore_check_constraints = ON")

    def target_values(table: str, column: str) -> Counter[tuple[str, Any]]:
        return Counter((row["key"], row[column]) for row in answers(connection, mapping, table))

    silent = []
    mapped = {where: use for where, use in mapping.columns.items() if use.disposition == "mapped"}
    for (table, column), use in mapped.items():
        (kind,) = connection.execute(
            "SELECT lower(type) FROM pragma_table_info(?) WHERE name = ?", (table, column)
        ).fetchone()
        if kind.startswith("date"):
            other = "'2001-02-03 04:05:06'" if kind == "datetime" else "'2001-02-03'"
        elif re.match(r"integer|smallint|real|bool", kind):
            other = f'COALESCE("{column}", 0) + 1000'
        else:
            other = f"COALESCE(\"{column}\", '') || 'x'"
        where = use.target.partition(".")
        connection.execute("SAVEPOINT before")
        before = target_values(where[0], where[2])
        connection.execute(f'UPDATE {table} SET "{column}" = {other}')
        if target_values(where[0], where[2]) == before:
            silent.append(f"{table}.{column} -> {use.target}")
        connection.execute("ROLLBACK TO before")
    connection.close()
    assert len(mapped) > 80 and silent == []


def test_documents_lie_in_the_media_folder(mapping: Mapping, populated: Path, tmp_path: Path) -> None:
    """The product keeps its files beside the database: those that are there are read, typed by content and stored once."""
    media = tmp_path / "media"
    (media / "documents").mkdir(parents=True)
    body = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
    (media / "documents" / "radio.pdf").write_bytes(body)
    manifest = extract(mapping, populated, tmp_path / "work", clock=CLOCK, documents=media)
    assert manifest["files"] == {"named": 2, "read": 1, "absent": 1}
    versions = {v["file_name"]: v for v in read(tmp_path / "work")["document_version"]}
    found = versions["documents/radio.pdf"]
    assert (found["sha256"], found["size"], found["detected"]) == (hashlib.sha256(body).hexdigest(), len(body), "pdf")
    assert versions["documents/orphelin.bin"]["sha256"] is None
    assert (tmp_path / "work" / "bodies" / found["sha256"][:2] / found["sha256"]).read_bytes() == body
