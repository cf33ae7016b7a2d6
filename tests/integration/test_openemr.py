"""The mapping of OpenEMR against a real database of that product, in a private MariaDB server.

The dump holds people, visits, lists of issues, measures, results and appointments; the product's other tables are empty in it. They
are filled with invented rows in a second copy (`populated`), so that every query of the mapping is exercised. What is expected is
computed here from the tables themselves, row by row in Python, never by the mapping's own queries.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest
from lxml import etree
from pymysql.cursors import DictCursor

from transvase.exporters import portability
from transvase.model.codes.author_specialties import CODES as SPECIALTIES
from transvase.model.codes.type_codes import CODES as TYPES
from transvase.model.tables import TABLES
from transvase.sources.extract import extract
from transvase.sources.mapping import Mapping, load
from transvase.validators.archive import verify
from transvase.validators.verdicts import judge

from .sources.conftest import PASSWORD, USER, Server, mariadb_server, mariadb_writer

pytestmark = [pytest.mark.shared, pytest.mark.debian]

CLOCK = datetime(2026, 11, 23, 20, 0, 0, tzinfo=ZoneInfo("Europe/Paris"))
COMMAND = str(Path(sys.executable).with_name("transvase"))
PRACTICE = {"oid": "1.2.250.1.999.1.1", "facility_type": "SA07", "practice_setting": "AMBULATOIRE"}
CONTACT = {"name": "Contact Portabilité", "email": "portabilite@cabinet.invalid", "phone": "+33300000099"}

Row = dict[str, Any]
Rows = dict[str, list[Row]]


class Copy(NamedTuple):
    """A database of the product, what was extracted from it, and where."""

    port: int
    name: str
    work: Path
    manifest: dict[str, Any]
    canonical: Rows

    @property
    def url(self) -> str:
        return f"mariadb://{USER}@127.0.0.1:{self.port}/{self.name}"

    def rows(self, table: str, where: str = "1 = 1") -> list[Row]:
        """Rows of a table as the reference driver reads them, dates as the server writes them."""
        with mariadb_writer(self.port, self.name) as connection, connection.cursor(DictCursor) as cursor:
            cursor.execute(f"SELECT * FROM `{table}` WHERE {where}")
            return list(cursor.fetchall())

    def one(self, table: str, key: str) -> Row:
        """The canonical row of that key."""
        (row,) = [r for r in self.canonical[table] if r["key"] == key]
        return row

    def native(self, table: str, key: str) -> Row:
        """The cells of a source row that are carried as native."""
        (row,) = [r for r in self.canonical["native"] if r["key"] == f"{table}:{key}"]
        return dict(json.loads(row["content"]))


@pytest.fixture(scope="module")
def server(program) -> Iterator[Server]:
    yield from mariadb_server(program("mariadbd"))


@pytest.fixture(scope="module")
def mapping() -> Mapping:
    return load("openemr")


@pytest.fixture(scope="module")
def dump(shared: Path) -> bytes:
    return gzip.decompress((shared / "practice-databases" / "openemr-8.2-demo.sql.gz").read_bytes())


def made(server: Server, client: str, dump: bytes, name: str) -> None:
    """A database of that name, filled from the dump by the product's own client."""
    with mariadb_writer(server.port, None) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    call = [
        client,
        "--no-defaults",
        "-h127.0.0.1",
        f"-P{server.port}",
        f"-u{USER}",
        "--default-character-set=utf8mb4",
        name,
    ]
    subprocess.run(call, input=dump, check=True, timeout=60, env={**os.environ, "MYSQL_PWD": PASSWORD})


def carried(server: Server, name: str, mapping: Mapping, folder: Path) -> Copy:
    url = f"mariadb://{USER}@127.0.0.1:{server.port}/{name}"
    manifest = extract(mapping, url, folder / "work", clock=CLOCK, password=PASSWORD)
    tables = {t: pq.read_table(folder / "work" / "canonical" / f"{t}.parquet").to_pylist() for t in TABLES}
    return Copy(server.port, name, folder / "work", manifest, tables)


@pytest.fixture(scope="module")
def real(server: Server, program, dump: bytes, mapping: Mapping, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    made(server, program("mariadb"), dump, "openemr")
    return carried(server, "openemr", mapping, tmp_path_factory.mktemp("openemr"))


def text(value: Any) -> str | None:
    """A number or a date as text, as a query would give it."""
    return None if value is None else str(value).replace(" ", "T") if isinstance(value, datetime) else str(value)


# What the real dump holds.


EXPECTED = {
    "practice": 4,
    "practitioner": 28,
    "patient": 122,
    # 121 of 122 patients have an emergency contact.
    "related_person": 121,
    "encounter": 100,
    # Comments typed beside 303 issues; the dump has no form of text.
    "note": 303,
    # 213 issues; and 8 headings of family history of 64 patients.
    "problem": 213 + 64 * 8,
    "allergy": 28,
    "treatment": 163,
    # Tobacco, alcohol, coffee, exercise, sleep, seat belt of 64 patients.
    "risk_factor": 64 * 6,
    "immunization": 356,
    # Nine measures of each of 100 forms.
    "vital_sign": 900,
    "lab_result": 53,
    # 134 drugs, 40 orders of which one is empty.
    "prescription": 134 + 40,
    "prescription_line": 134 + 39,
    "appointment": 292,
}


def test_rows_of_each_table(real: Copy) -> None:
    found = {name: rows for name, rows in real.manifest["rows"].items() if rows and name != "native"}
    assert found == EXPECTED


def test_every_cell_of_every_table_is_accounted_for(real: Copy) -> None:
    total = Counter[str]()
    with mariadb_writer(real.port, real.name) as connection, connection.cursor() as cursor:
        for line in real.manifest["cells"]:
            cursor.execute(f"SELECT COUNT(*) FROM `{line['table']}`")
            (rows,) = cursor.fetchone()
            cursor.execute(f"SELECT * FROM `{line['table']}` LIMIT 0")
            assert line["rows"] == rows and line["source"] == rows * len(cursor.description), line["table"]
            assert line["mapped"] + line["native"] + line["excluded"] == line["source"], line["table"]
            total.update({name: line[name] for name in ("source", "mapped", "native", "excluded")})
        cursor.execute("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s", (real.name,))
        assert cursor.fetchone() == (len(real.manifest["cells"]),) == (283,)
    print(dict(total))
    assert total["source"] == total["mapped"] + total["native"] + total["excluded"]
    assert total == {"source": 198743, "mapped": 14237, "native": 183596, "excluded": 910}
    assert real.manifest["unreadable"] == 0


def faults(tables: Rows) -> Counter[str]:
    """What departs from the declared model: repeated keys, required columns that are empty, values, forms and references."""
    found = Counter[str]()
    for name, table in TABLES.items():
        rows = tables[name]
        found[f"{name} repeated"] += len(rows) - len({row["key"] for row in rows})
        for column in table.columns:
            given = [row[column.name] for row in rows if row[column.name] is not None]
            where = f"{name}.{column.name}"
            if column.required:
                found[f"{where} empty"] += len(rows) - len(given)
            if column.values:
                found[f"{where} value"] += sum(v not in column.values for v in given)
            if column.form:
                found[f"{where} form"] += sum(not re.fullmatch(column.form, v) for v in given)
            if column.references:
                known = {row["key"] for row in tables[column.references]}
                found[f"{where} reference"] += sum(v not in known for v in given)
    return +found


# What the product does not record and the settings of a run give.
BY_SETTINGS = {"practice.oid empty": 4, "practice.facility_type empty": 4, "practice.practice_setting empty": 4}


def test_rows_keep_to_the_declared_model_but_for_the_faults_of_the_dump(real: Copy) -> None:
    users = {row["id"] for row in real.rows("users")}
    lost = sum(row["providerID"] not in users for row in real.rows("patient_data", "providerID > 0"))
    numbers = {row["encounter"] for row in real.rows("form_encounter")}
    # Its orders hold the id of the visit's row where the product holds the visit's number.
    astray = sum(row["encounter_id"] not in numbers for row in real.rows("procedure_order"))
    assert (lost, astray) == (10, 40)
    assert faults(real.canonical) == {
        **BY_SETTINGS,
        "patient.attending reference": lost,
        "prescription.encounter reference": astray,
    }


def test_no_national_identity_is_made_up(real: Copy) -> None:
    empty = ("ins", "ins_oid", "insi_confirmed", "insi_date", "birth_given", "birth_place_code", "document_checked")
    assert {row[name] for row in real.canonical["patient"] for name in empty} == {None}
    assert {row["idnat"] for row in real.canonical["practitioner"]} == {None}
    assert {row["struct_idnat"] for row in real.canonical["practice"]} == {None}


def test_patients(real: Copy) -> None:
    sexes = {"Male": "M", "Female": "F", "": None}
    expected = {
        str(p["pid"]): (
            p["lname"],
            p["lname"],
            p["fname"],
            sexes[p["sex"]],
            text(p["DOB"]),
            p["street"] or None,
            p["postal_code"] or None,
            p["city"] or None,
            p["country_code"] or None,
            p["phone_home"] or None,
            p["phone_cell"] or None,
            p["email"] or None,
            text(p["providerID"] or None),
            p["occupation"],
        )
        for p in real.rows("patient_data")
    }
    names = (
        "birth_family",
        "used_family",
        "birth_first_given",
        "sex",
        "birth_date",
        "address",
        "postal_code",
        "city",
        "country",
        "phone",
        "mobile",
        "email",
        "attending",
        "occupation",
    )
    assert {row["key"]: tuple(row[n] for n in names) for row in real.canonical["patient"]} == expected
    assert Counter(row["sex"] for row in real.canonical["patient"]) == {"F": 69, "M": 49, None: 4}
    # The column of the occupation admits NULL: an empty string in it is one that somebody left.
    assert sum(row["occupation"] == "" for row in real.canonical["patient"]) == 5


def test_facilities_and_accounts(real: Copy) -> None:
    places = {
        str(f["id"]): (f["name"], f["street"], f["postal_code"], f["city"], f["phone"]) for f in real.rows("facility")
    }
    found = {
        r["key"]: (r["name"], r["address"], r["postal_code"], r["city"], r["phone"]) for r in real.canonical["practice"]
    }
    assert found == places
    people = {
        str(u["id"]): (u["lname"], u["fname"], u["facility_id"] or None, u["active"] == 1) for u in real.rows("users")
    }
    assert {
        r["key"]: (r["family"], r["given"], r["practice"] and int(r["practice"]), r["active"])
        for r in real.canonical["practitioner"]
    } == people
    assert Counter(row["suffix"] for row in real.canonical["practitioner"]) == {"DR": 14, None: 14}


def test_a_speciality_is_that_of_the_degree_too(real: Copy) -> None:
    said = {str(u["id"]): (u["valedictory"], u["specialty"]) for u in real.rows("users")}
    found = {(said[r["key"]], r["specialty"]) for r in real.canonical["practitioner"]}
    assert (("MD", "Family Medicine"), "G15_10/SM54") in found
    assert (("FNP-C", "Family Medicine"), None) in found, "a nurse practitioner is no doctor"
    assert {s for (degree, _), s in found if degree == "RN"} == {"G15_60"}


def test_emergency_contacts(real: Copy) -> None:
    expected = {
        f"{p['pid']}-emergency": (str(p["pid"]), "emergency", p["contact_relationship"], p["phone_contact"] or None)
        for p in real.rows("patient_data")
        if p["contact_relationship"] or p["phone_contact"]
    }
    assert {
        r["key"]: (r["patient"], r["role"], r["family"], r["phone"]) for r in real.canonical["related_person"]
    } == expected


def test_visits(real: Copy) -> None:
    expected = {
        str(e["encounter"]): (str(e["pid"]), str(e["provider_id"]), text(e["date"]), "AMB", e["reason"], str(e["id"]))
        for e in real.rows("form_encounter")
    }
    columns = ("patient", "practitioner", "start", "mode", "reason", "source_key")
    assert {r["key"]: tuple(r[c] for c in columns) for r in real.canonical["encounter"]} == expected


def accounts(copy: Copy) -> dict[str, str]:
    return {u["username"]: str(u["id"]) for u in copy.rows("users") if u["username"]}


def test_issues_go_to_the_table_of_their_heading(real: Copy) -> None:
    who = accounts(real)
    for heading, table, start in (
        ("medical_problem", "problem", "onset"),
        ("medication", "treatment", "start"),
        ("allergy", "allergy", "onset"),
    ):
        expected = {
            str(i["id"]): (
                str(i["pid"]),
                who[i["user"]],
                i["title"],
                str(i["begdate"])[:10] if i["begdate"] else None,
                "affirmed",
            )
            for i in real.rows("lists", f"type = '{heading}'")
        }
        found = {
            r["key"]: (r["patient"], r["practitioner"], r["label"], r[start], r["assertion"])
            for r in real.canonical[table]
            if r["source_table"] == "lists"
        }
        assert found == expected and expected, heading


def test_codes_of_problems(real: Copy) -> None:
    codes = {str(i["id"]): i["diagnosis"] for i in real.rows("lists", "type = 'medical_problem'")}
    rows = [r for r in real.canonical["problem"] if r["source_table"] == "lists"]
    assert all(codes[r["key"]] == f"ICD10:{r['code']}" for r in rows)
    assert {(r["system"], r["category"]) for r in rows} == {("2.16.840.1.113883.6.90", "problem")}


def test_reactions_and_severities(real: Copy) -> None:
    titles = {"hives": "Hives", "nausea": "Nausea", "shortness_of_breath": "Shortness of Breath", "unassigned": None}
    expected = {str(i["id"]): (titles[i["reaction"]], i["severity_al"]) for i in real.rows("lists", "type = 'allergy'")}
    assert {r["key"]: (r["reaction"], r["severity"]) for r in real.canonical["allergy"]} == expected


def test_comments_of_issues_are_notes_under_their_title(real: Copy) -> None:
    expected = {
        f"lists-{i['id']}-comments": (str(i["pid"]), i["title"], i["comments"], text(i["date"]))
        for i in real.rows("lists")
        if i["comments"]
    }
    assert {r["key"]: (r["patient"], r["title"], r["text"], r["recorded"]) for r in real.canonical["note"]} == expected


FAMILY = {
    "history_mother": "Mère",
    "history_father": "Père",
    "relatives_cancer": "Cancer",
    "relatives_diabetes": "Diabète",
    "relatives_high_blood_pressure": "Hypertension artérielle",
    "relatives_heart_problems": "Maladie cardiaque",
    "relatives_stroke": "Accident vasculaire cérébral",
    "relatives_mental_illness": "Maladie mentale",
}


def test_family_history_keeps_its_yes_and_its_no(real: Copy) -> None:
    expected = {}
    for h in real.rows("history_data"):
        for field, heading in FAMILY.items():
            said = {"YES": (heading, "affirmed"), "NO": (heading, "denied")}.get(
                h[field], (f"{heading} : {h[field]}", "affirmed")
            )
            expected[f"history-{h['id']}-{field}"] = (str(h["pid"]), *said)
    rows = [r for r in real.canonical["problem"] if r["source_table"] == "history_data"]
    assert {r["key"]: (r["patient"], r["label"], r["assertion"]) for r in rows} == expected
    assert Counter(r["assertion"] for r in rows) == {"affirmed": 107 + 128, "denied": 277}


def test_habits_are_verbatim_and_a_never_smoker_is_a_denial(real: Copy) -> None:
    fields = {"tobacco", "alcohol", "coffee", "exercise_patterns", "sleep_patterns", "seatbelt_use"}
    expected = {
        f"{h['id']}-{f}": (h[f], "denied" if h[f] == "Never smoker" else "affirmed")
        for h in real.rows("history_data")
        for f in fields
    }
    assert {r["key"]: (r["value"], r["assertion"]) for r in real.canonical["risk_factor"]} == expected
    assert Counter(assertion for _, assertion in expected.values())["denied"] == 21


def test_vaccinations(real: Copy) -> None:
    expected = {
        str(i["id"]): (
            str(i["patient_id"]),
            str(i["administered_by_id"]),
            i["cvx_code"],
            f"CVX {i['cvx_code']}",
            i["lot_number"],
            str(i["administered_date"])[:10],
        )
        for i in real.rows("immunizations")
    }
    columns = ("patient", "practitioner", "code", "label", "lot", "given")
    assert {r["key"]: tuple(r[c] for c in columns) for r in real.canonical["immunization"]} == expected
    assert {(r["system"], r["assertion"], r["dose"]) for r in real.canonical["immunization"]} == {
        ("2.16.840.1.113883.12.292", "affirmed", None)
    }


MEASURES = {
    "bps": ("8480-6", "mm[Hg]"),
    "bpd": ("8462-4", "mm[Hg]"),
    "weight": ("29463-7", "[lb_av]"),
    "height": ("8302-2", "[in_i]"),
    "temperature": ("8310-5", "[degF]"),
    "pulse": ("8867-4", "/min"),
    "respiration": ("9279-1", "/min"),
    "BMI": ("39156-5", "kg/m2"),
    "oxygen_saturation": ("59408-5", "%"),
}


def test_measures_are_those_stored_with_their_unit(real: Copy) -> None:
    visits = {(f["formdir"], f["form_id"]): str(f["encounter"]) for f in real.rows("forms")}
    expected = {
        f"{v['id']}-{field}": (str(v["pid"]), visits["vitals", v["id"]], code, Decimal(v[field]), unit, text(v["date"]))
        for v in real.rows("form_vitals")
        for field, (code, unit) in MEASURES.items()
    }
    found = {
        r["key"]: (r["patient"], r["encounter"], r["code"], Decimal(r["value"]), r["unit"], r["measured"])
        for r in real.canonical["vital_sign"]
    }
    assert found == expected
    assert not any("." in r["value"] and r["value"].endswith("0") for r in real.canonical["vital_sign"])


def test_results(real: Copy) -> None:
    orders = {o["procedure_order_id"]: o for o in real.rows("procedure_order")}
    reports = {r["procedure_report_id"]: r for r in real.rows("procedure_report")}
    expected = {}
    for x in real.rows("procedure_result"):
        report = reports[x["procedure_report_id"]]
        low, dash, high = x["range"].partition("-")
        expected[str(x["procedure_result_id"])] = (
            str(orders[report["procedure_order_id"]]["patient_id"]),
            x["result_code"],
            x["result_text"],
            x["result"],
            x["units"],
            low if dash else None,
            high if dash else None,
            x["abnormal"] or None,
            text(report["date_collected"]),
        )
    columns = ("patient", "code", "label", "value", "unit", "low", "high", "flag", "measured")
    assert {r["key"]: tuple(r[c] for c in columns) for r in real.canonical["lab_result"]} == expected
    assert {r["system"] for r in real.canonical["lab_result"]} == {"2.16.840.1.113883.6.1"}
    # A bound that is only one (`<7.0`) is left as it came.
    assert (
        real.native("procedure_result", "2")["range"]
        == real.rows("procedure_result", "procedure_result_id = 2")[0]["range"]
    )


def test_drugs_and_orders_are_prescriptions_with_their_lines(real: Copy) -> None:
    drugs = {str(d["id"]): d for d in real.rows("prescriptions")}
    orders = {f"order-{o['procedure_order_id']}": o for o in real.rows("procedure_order")}
    for row in real.canonical["prescription"]:
        if row["key"] in drugs:
            d = drugs[row["key"]]
            assert (row["category"], row["prescribed"]) == ("medication", text(d["start_date"]))
            assert (row["patient"], row["practitioner"]) == (str(d["patient_id"]), str(d["provider_id"]))
        else:
            o = orders[row["key"]]
            assert (row["category"], row["prescribed"]) == ("laboratory", text(o["date_ordered"]))
            assert (row["patient"], row["practitioner"]) == (str(o["patient_id"]), str(o["provider_id"]))
    lines = {r["key"]: r for r in real.canonical["prescription_line"]}
    for key, d in drugs.items():
        assert (lines[key]["label"], lines[key]["code"]) == (d["drug"], d["rxnorm_drugcode"])
        assert (lines[key]["dosage"], lines[key]["renewals"]) == (f"{d['dosage']} {d['route']}", d["refills"])
        assert lines[key]["system"] == "2.16.840.1.113883.6.88"
    for c in real.rows("procedure_order_code"):
        line = lines[f"order-{c['procedure_order_id']}-{c['procedure_order_seq']}"]
        assert (line["prescription"], line["code"]) == (f"order-{c['procedure_order_id']}", c["procedure_code"])
        assert (line["label"], line["system"]) == (c["procedure_name"], None)


def test_appointments(real: Copy) -> None:
    expected = {
        str(e["pc_eid"]): (
            e["pc_pid"],
            e["pc_aid"],
            f"{e['pc_eventDate']}T{int(e['pc_startTime'].total_seconds()) // 3600:02}:{e['pc_startTime'].seconds // 60 % 60:02}:00",
            f"{e['pc_eventDate']}T{int(e['pc_endTime'].total_seconds()) // 3600:02}:{e['pc_endTime'].seconds // 60 % 60:02}:00",
            e["pc_title"],
        )
        for e in real.rows("openemr_postcalendar_events")
    }
    columns = ("patient", "practitioner", "start", "end", "label")
    assert {r["key"]: tuple(r[c] for c in columns) for r in real.canonical["appointment"]} == expected
    assert {r["status"] for r in real.canonical["appointment"]} == {"booked"}


# The schema and the mapping folder.


def test_every_column_has_a_fate_and_no_other(real: Copy, mapping: Mapping) -> None:
    with mariadb_writer(real.port, "information_schema") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT TABLE_NAME, COLUMN_NAME FROM COLUMNS WHERE TABLE_SCHEMA = %s", (real.name,))
        live = set(cursor.fetchall())
    assert set(mapping.columns) == live and len(live) == 3780


def test_every_choice_has_a_target_or_a_reason(mapping: Mapping) -> None:
    for where, use in mapping.columns.items():
        if use.disposition == "mapped":
            table, _, column = use.target.partition(".")
            assert TABLES[table].column(column) and table in mapping.queries, where
        else:
            assert use.reason and not use.target, where
    assert set(mapping.unserved) == {"personal_note", "objection"} and all(mapping.unserved.values())


SHIPPED = re.compile(
    r"icd(9|10)_|lang_(constants|definitions|languages)|supported_external|standardized_tables|valueset|ccda_(comp|sect|field|table)|"
    r"migrations|version|product_registration|gacl_phpgacl|categories_seq|gacl_\w+_seq|sequences|edi_sequences|session_tracker"
)
SECRET = re.compile(
    r"pass|pwd|secret|token|onetime|pin$|isa04|key$|apikey|login_id|login_work_area|md5|\.code$|session_cache|var[12]$|keys\.value|"
    r"gl_value|jti$|medex_prefs\.status"
)


def test_what_is_excluded_is_shipped_or_secret(mapping: Mapping) -> None:
    excluded = [where for where, use in mapping.columns.items() if use.disposition == "excluded"]
    assert [w for w in excluded if not SHIPPED.match(w[0]) and not SECRET.search(".".join(w))] == []


def test_no_secret_leaves(populated: Copy, mapping: Mapping) -> None:
    whole = b"".join(p.read_bytes() for p in (populated.work / "canonical").rglob("*") if p.is_file())
    cells = "".join(r["content"] for r in populated.canonical["native"])
    seen = 0
    for (table, column), use in mapping.columns.items():
        if use.disposition == "excluded" and SECRET.search(f"{table}.{column}"):
            for row in populated.rows(table, f"LENGTH(`{column}`) > 8"):
                seen += 1
                assert str(row[column]) not in cells
                assert str(row[column]).encode() not in whole
    assert seen >= 30, "the dump holds digests of passwords, and the copy more secrets"


def test_codes_of_the_mapping_are_those_of_their_lists(mapping: Mapping) -> None:
    codes = {name: {code for _, code, _ in lines if code} for name, lines in mapping.codes.items()}
    column = {
        "sexes": "patient.sex",
        "titles": "practitioner.suffix",
        "encounter_classes": "encounter.mode",
        "verifications": "problem.assertion",
        "severities": "allergy.severity",
        "immunization_states": "immunization.assertion",
        "habit_states": "risk_factor.assertion",
        "family_answers": "problem.assertion",
        "order_types": "prescription.category",
        "result_flags": "lab_result.flag",
        "appointment_states": "appointment.status",
        "relations": "related_person.role",
    }
    for name, where in column.items():
        table, _, field = where.partition(".")
        assert codes[name] <= set(TABLES[table].column(field).values), name
    assert codes["specialties"] <= set(SPECIALTIES)
    assert codes["document_categories"] <= set(TYPES)
    assert codes["issue_types"] == {"problem", "surgery", "allergy", "treatment"}
    assert all(re.fullmatch(r"[0-2](\.(0|[1-9]\d*))+", c) for c in codes["code_systems"])
    assert {local for local, _, _ in mapping.codes["vital_signs"]} == {
        local for local, _, _ in mapping.codes["vital_units"]
    }
    empty = [(n, local) for n, lines in mapping.codes.items() for local, code, why in lines if not code and not why]
    assert empty == [], "no equivalent: say why"


def test_lists_of_the_product_are_covered(real: Copy, mapping: Mapping) -> None:
    """Every option of the lists that the product ships has a line, so that none falls silently."""
    for shipped, name in (
        ("apptstat", "appointment_states"),
        ("severity_ccda", "severities"),
        ("allergyintolerance-verification", "verifications"),
        ("condition-verification", "verifications"),
        ("Immunization_Completion_Status", "immunization_states"),
        ("proc_res_abnormal", "result_flags"),
        ("order_type", "order_types"),
        ("sex", "sexes"),
        ("_ActEncounterCode", "encounter_classes"),
    ):
        options = {o["option_id"] for o in real.rows("list_options", f"list_id = '{shipped}'")}
        assert options and options <= {local for local, _, _ in mapping.codes[name]}, shipped
    assert {t["type"] for t in real.rows("issue_types")} <= {local for local, _, _ in mapping.codes["issue_types"]}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        pytest.param(
            ("form_soap", "plan", "agenda"),
            ["column form_soap.agenda is new", "column form_soap.plan is gone"],
            id="renamed",
        ),
        pytest.param(("lists", "", "risk"), ["column lists.risk is new"], id="added"),
        pytest.param(("lists", "comments", ""), ["column lists.comments is gone"], id="removed"),
        pytest.param(("extra", "", "id"), ["table extra is new"], id="a new table"),
    ],
)
def test_another_schema_is_a_drift(mapping: Mapping, change: tuple[str, str, str], named: list[str]) -> None:
    live: dict[str, tuple[str, ...]] = {}
    for table, column in mapping.columns:
        live[table] = (*live.get(table, ()), column)
    assert mapping.drift(live) == []
    table, old, new = change
    live[table] = tuple(c for c in live.get(table, ()) if c != old) + ((new,) if new else ())
    assert mapping.drift(live) == named


# The tables that the real dump leaves empty, with invented rows.


ZERO = "0000-00-00 00:00:00"
VISIT = {"encounter": 30001, "pid": 100, "user": "moconnor", "date": "2026-03-04 05:06:07"}
FILED = {**VISIT, "formdir": "soap", "deleted": 0}
ADDED: dict[str, list[Row]] = {
    "users": [
        {"id": 90, "username": None, "lname": "Correspondant", "fname": "Alix", "organization": "Clinique", "specialty": "Cardiology",
         "phonew1": "0100000000", "city": "Vannes"},
        {"id": 91, "username": "", "lname": "", "organization": "Laboratoire du Port"},
    ],
    "misc_address_book": [{"id": 1, "lname": "Divers", "fname": "Lou", "phone": "0200000000", "city": "Brest"}],
    "contact": [{"id": 1, "foreign_table_name": "person", "foreign_id": 1}],
    "person": [{"id": 1, "first_name": "Noa", "last_name": "Proche", "birth_date": "2001-02-00"}],
    "contact_telecom": [
        {"id": 1, "contact_id": 1, "system": "phone", "value": "0600000001", "rank": 2, "status": "A"},
        {"id": 2, "contact_id": 1, "system": "phone", "value": "0600000002", "rank": 1, "status": "A"},
        {"id": 3, "contact_id": 1, "system": "phone", "value": "0600000003", "rank": 0, "status": "I"},
    ],
    "contact_relation": [
        # Patient 900 has the same number by id and by pid; 4 is the id of one patient and the pid of another.
        {"id": 1, "contact_id": 1, "target_table": "patient_data", "target_id": 900, "relationship": "CHILD", "active": 1},
        {"id": 2, "contact_id": 1, "target_table": "patient_data", "target_id": 4, "relationship": "CHILD", "active": 1},
        {"id": 3, "contact_id": 1, "target_table": "patient_data", "target_id": 900, "relationship": "CHILD", "active": 0},
        {"id": 4, "contact_id": 1, "target_table": "patient_data", "target_id": 900, "is_emergency_contact": 1, "active": 1},
    ],
    "patient_data": [{"id": 900, "pid": 900, "lname": "Neuf", "fname": "", "sex": "UNK", "uuid": None}],
    "forms": [
        {**FILED, "id": 9001, "form_id": 1},
        {**FILED, "id": 9002, "form_id": 2, "deleted": 1},
        {**FILED, "id": 9003, "form_id": 1, "formdir": "dictation"},
        {**FILED, "id": 9004, "form_id": 77, "formdir": "LBFdemo"},
        {**FILED, "id": 9005, "form_id": 78, "formdir": "LBFdemo", "deleted": 1},
        {**FILED, "id": 9006, "form_id": 901, "formdir": "vitals"},
        {**FILED, "id": 9007, "form_id": 902, "formdir": "vitals", "deleted": 1},
        {**FILED, "id": 9008, "form_id": 5, "formdir": "clinical_notes"},
        {**FILED, "id": 9009, "form_id": 903, "formdir": "newpatient", "deleted": 1, "encounter": 39999},
    ],
    "form_encounter": [
        {"id": 903, "encounter": 39999, "pid": 100, "date": "2026-03-04 05:06:07", "reason": "Supprimée"},
        {"id": 904, "encounter": 39998, "pid": 100, "date": "2026-03-04 05:06:07", "date_end": ZERO, "class_code": "ACUTE",
         "reason": "", "provider_id": 0},
    ],
    "form_soap": [
        {"id": 1, "pid": 100, "user": "moconnor", "date": VISIT["date"], "activity": 1, "subjective": "Va mieux", "objective": "",
         "assessment": "Stable", "plan": "Revoir"},
        {"id": 2, "pid": 100, "activity": 1, "subjective": "Effacé"},
        {"id": 3, "pid": 100, "activity": 0, "subjective": "Désactivé"},
    ],
    "form_dictation": [{"id": 1, "pid": 100, "user": "gone", "date": VISIT["date"], "activity": 1, "dictation": "Dicté",
                        "additional_notes": "Ajout"}],
    "form_clinical_notes": [
        {"id": 11, "form_id": 5, "pid": 100, "encounter": "30001", "user": "moconnor", "date": "2026-03-04", "activity": 1,
         "clinical_notes_type": "progress_note", "description": "Évolution favorable"},
        {"id": 12, "form_id": 5, "pid": 100, "encounter": "30001", "date": "2026-03-04", "activity": 0, "description": "Retirée"},
    ],
    "form_clinical_instructions": [{"id": 1, "pid": 100, "encounter": "30001", "user": "moconnor", "instruction": "Marcher",
                                    "date": "2026-03-04 05:06:07", "activity": 1}],
    "lbf_data": [
        {"form_id": 77, "field_id": "champ", "field_value": "Valeur libre"},
        {"form_id": 78, "field_id": "champ", "field_value": "Effacée"},
    ],
    "layout_options": [{"form_id": "LBFdemo", "field_id": "champ", "seq": n, "title": "Champ du cabinet"} for n in (1, 2)],
    "pnotes": [
        {"id": 1, "pid": 100, "user": "moconnor", "date": VISIT["date"], "title": "Lab Results", "body": "À rappeler"},
        {"id": 2, "pid": 100, "title": "Lab Results", "body": "Effacé", "deleted": 1},
        {"id": 3, "pid": 100, "title": "Lab Results", "body": "0123456789abcdef", "is_msg_encrypted": 1},
        {"id": 4, "pid": 0, "title": "Réunion", "body": "Lundi"},
    ],
    "lists": [
        {"id": 9001, "pid": 22, "type": "allergy", "title": "Latex", "verification": "entered-in-error", "comments": "Erreur de saisie"},
        {"id": 9002, "pid": 22, "type": "medical_problem", "title": "Asthme", "verification": "refuted", "begdate": ZERO, "activity": 0},
        {"id": 9003, "pid": 22, "type": "medical_problem", "title": "Diabète", "begdate": "2019-00-00 00:00:00",
         "enddate": "2020-05-00 00:00:00", "diagnosis": "SNOMED-CT:44054006;ICD10:E11.9"},
        {"id": 9004, "pid": 22, "type": "medical_device", "title": "Stimulateur"},
        {"id": 9005, "pid": 22, "type": "surgery", "title": "Appendicectomie", "user": "nobody", "begdate": "2001-02-03 10:00:00"},
        {"id": 9006, "pid": 22, "type": "medication", "title": "Amoxicilline", "diagnosis": "RXCUI:723", "comments": ""},
        {"id": 9007, "pid": 22, "type": "allergy", "title": "Noix", "reaction": "gonflement", "severity_al": "fatal",
         "diagnosis": "LOCAL:12"},
    ],
    "lists_medication": [{"id": 9001, "list_id": 9006, "drug_dosage_instructions": "1 g matin et soir"}],
    "lists_touch": [
        *({"pid": 18, "type": t, "date": "2026-03-04 05:06:07"} for t in ("allergy", "medication", "medical_problem", "surgery")),
        {"pid": 18, "type": "medical_device", "date": "2026-03-04 05:06:07"},
        # Opened, and not left empty.
        *({"pid": 22, "type": t, "date": "2026-03-04 05:06:07"} for t in ("allergy", "medication", "medical_problem")),
    ],
    "history_data": [
        {"id": 900, "pid": 100, "date": "2027-01-01 00:00:00", "tobacco": "arrêt au printemps|quittobacco|2026-05-01|3",
         "alcohol": "|neveralcohol|", "coffee": "|||", "recreational_drugs": "|not_applicablerecreational_drugs|",
         "relatives_cancer": "tante", "history_siblings": "HTA", "dc_siblings": "ICD10:I10;ICD10:E78.5",
         "additional_history": "Né à terme"},
    ],
    "codes": [{"id": 9001, "code_type": 100, "code": "33", "code_text": "pneumococcal polysaccharide PPV23"}],
    "immunizations": [
        {"id": 901, "patient_id": 22, "cvx_code": "33", "administered_date": ZERO, "completion_status": "Refused", "note": "Refus ferme",
         "create_date": "2026-03-04 05:06:07"},
        {"id": 902, "patient_id": 22, "cvx_code": "33", "added_erroneously": 1, "note": "Par erreur"},
        {"id": 903, "patient_id": 22, "immunization_id": 32, "administered_date": "1999-00-00 00:00:00", "administered_by_id": 0},
    ],
    "form_vitals": [
        {"id": 901, "pid": 100, "date": VISIT["date"], "user": "moconnor", "activity": 1, "bps": "120", "bpd": "0", "weight": 150.5,
         "waist_circ": 34, "inhaled_oxygen_concentration": 21, "note": "Après effort"},
        {"id": 902, "pid": 100, "date": VISIT["date"], "activity": 1, "bps": "130", "note": "Effacée"},
    ],
    "procedure_order": [
        {"procedure_order_id": 1, "patient_id": 22, "provider_id": 10, "date_ordered": "2026-01-02 03:04:05", "activity": 1,
         "procedure_order_type": "imaging", "patient_instructions": "À jeun", "clinical_hx": "Toux"},
        {"procedure_order_id": 2, "patient_id": 22, "provider_id": 10, "date_ordered": "2026-01-02 03:04:05", "activity": 0,
         "patient_instructions": "Effacées"},
        {"procedure_order_id": 3, "patient_id": 22, "provider_id": 10, "date_ordered": "2026-01-02 03:04:05", "activity": 1,
         "history_order": "1", "patient_instructions": "Pour mémoire", "date_collected": "2025-12-31 23:00:00"},
    ],
    "procedure_order_code": [
        {"procedure_order_id": n, "procedure_order_seq": 1, "procedure_code": "71046", "procedure_name": "Radio"} for n in (1, 2, 3)
    ],
    "procedure_report": [
        {"procedure_report_id": 1, "procedure_order_id": 3, "date_report": "2026-01-03 00:00:00", "report_notes": "Hémolyse"},
        {"procedure_report_id": 2, "procedure_order_id": 2, "date_report": "2026-01-03 00:00:00", "report_notes": "Effacé"},
    ],
    "procedure_result": [
        {"procedure_result_id": 901, "procedure_report_id": 1, "result_code": "HB", "result_text": "Hémoglobine", "result": "positive",
         "range": "4.0 - 5.6", "abnormal": "vhigh", "comments": "Contrôlé", "document_id": 1},
        {"procedure_result_id": 902, "procedure_report_id": 1, "result_code": "718-7", "result": "12", "result_status": "error"},
        {"procedure_result_id": 903, "procedure_report_id": 2, "result_code": "718-7", "result": "12"},
    ],
    "prescriptions": [
        {"id": 901, "patient_id": 22, "drug": "Paracétamol", "date_added": "2026-01-02 03:04:05", "start_date": "2026-01-05",
         "drug_dosage_instructions": "1 g si douleur", "dosage": "1", "note": "Pas plus de 4 g", "active": 0, "txDate": "0000-00-00"},
        {"id": 902, "patient_id": 22, "drug": "Ibuprofène", "start_date": "2026-01-05", "dosage": "1", "form": 2, "route": "bymouth",
         "interval": 1, "encounter": 30001, "provider_id": 10, "txDate": "2026-01-05"},
    ],
    "drugs": [{"drug_id": 5, "name": "Vaccin en stock", "drug_code": "1001"}],
    "drug_sales": [
        {"sale_id": 1, "drug_id": 5, "pid": 22, "prescription_id": 902, "sale_date": "2026-01-06", "quantity": 2, "trans_type": 1},
        {"sale_id": 2, "drug_id": 5, "pid": 0, "sale_date": "2026-01-06", "quantity": 50, "trans_type": 2},
    ],
    "documents": [
        {"id": 1, "foreign_id": 22, "owner": 10, "encounter_id": 30001, "name": "Biologie.pdf", "docdate": "2026-01-03",
         "date": "2026-01-04 05:06:07", "mimetype": "application/pdf", "url": "file:///srv/documents/22/Biologie.pdf",
         "foreign_reference_id": 5, "foreign_reference_table": "procedure_order"},
        {"id": 2, "foreign_id": 22, "name": "Effacé.pdf", "deleted": 1, "url": "file:///srv/documents/22/Efface.pdf"},
        {"id": 3, "foreign_id": 0, "owner": 0, "name": "Sans patient", "docdate": "0000-00-00", "date": ZERO, "url": ""},
    ],
    "categories_to_documents": [{"category_id": c, "document_id": d} for c, d in ((2, 1), (3, 1), (3, 2))],
    "notes": [
        {"id": 1, "foreign_id": 1, "note": "Vu avec le patient", "date": "2026-01-05 06:07:08"},
        {"id": 2, "foreign_id": 2, "note": "Effacée"},
    ],
    "onsite_documents": [
        {"id": 1, "pid": 22, "provider": 10, "encounter": 0, "create_date": "2026-01-04 05:06:07", "doc_type": "Privacy Document",
         "full_document": b"<html><body>signed</body></html>", "file_name": "privacy.html"},
    ],
    "openemr_postcalendar_events": [
        {"pc_eid": 901, "pc_aid": "10", "pc_pid": "", "pc_title": "Vacances", "pc_eventDate": "2026-08-01", "pc_alldayevent": 1,
         "pc_startTime": "00:00:00", "pc_endTime": "23:59:00", "pc_apptstatus": "-"},
        {"pc_eid": 902, "pc_aid": "10", "pc_pid": "22", "pc_title": "Suivi", "pc_eventDate": "2026-01-05", "pc_endDate": "2026-06-05",
         "pc_startTime": "09:05:00", "pc_endTime": None, "pc_recurrtype": 1, "pc_apptstatus": "maison",
         "pc_recurrspec": 'a:1:{s:17:"event_repeat_freq";s:1:"1";}'},
        *(
            {"pc_eid": 910 + n, "pc_aid": "10", "pc_pid": "22", "pc_eventDate": "2026-01-05", "pc_startTime": "09:05:00",
             "pc_endTime": "09:20:00", "pc_apptstatus": sign}
            for n, sign in enumerate("-*+^#@~<>$!?x%")
        ),
    ],
    "log": [
        {"id": 1, "date": "2026-01-05 06:07:08", "event": "patient-record-select", "category": "Patient Demographics", "user": "moconnor",
         "patient_id": 22, "comments": "U0VMRUNUIDE="},
        {"id": 2, "date": "2026-01-05 06:07:09", "event": "login", "user": "moconnor", "patient_id": 0},
    ],
    "extended_log": [
        {"id": 1, "date": "2026-01-05 06:07:08", "event": "disclosure-treatment", "user": "moconnor", "recipient": "Clinique",
         "description": "Copie", "patient_id": 22},
    ],
    "api_log": [
        {"id": 1, "log_id": 1, "user_id": 10, "patient_id": 22, "ip_address": "127.0.0.1", "method": "GET", "request": "/fhir/Patient",
         "request_body": "", "response": "", "created_time": "2026-01-05 06:07:08"},
        {"id": 2, "log_id": 2, "user_id": 777, "patient_id": 0, "ip_address": "127.0.0.1", "method": "GET", "request": "/fhir/Patient"},
    ],
    "billing": [
        {"id": 1, "date": "2026-01-05 06:07:08", "pid": 22, "code_text": "Consultation", "fee": "26.50", "activity": 1},
        {"id": 2, "date": "2026-01-05 06:07:08", "pid": 22, "code_text": "Annulée", "fee": "26.50", "activity": 0},
    ],
    "ar_activity": [
        {"pid": 22, "encounter": 30001, "sequence_no": 1, "post_time": "2026-01-06 00:00:00", "memo": "", "pay_amount": "20.00"},
        {"pid": 22, "encounter": 30001, "sequence_no": 2, "post_time": "2026-01-06 00:00:00", "memo": "Chèque", "pay_amount": "20.00",
         "deleted": "2026-01-07 00:00:00"},
    ],
    "globals": [{"gl_name": "SMTP_PASS", "gl_index": 0, "gl_value": "invented-mail-secret"}],
    "keys": [{"id": 1, "name": "seven", "value": "invented-encryption-key"}],
    "api_token": [{"id": 1, "token": "invented-api-token"}],
    "oauth_clients": [{"client_id": "app", "client_secret": "invented-client-secret"}],
}  # fmt: skip
CHANGES = (
    "UPDATE patient_data SET ref_providerID = 90, guardiansname = 'Tutrice Exemple', guardianphone = '0100000001', "
    "mothersname = 'Mère Exemple', birth_lname = 'Naissance', birth_fname = 'Prénom', street = '1 rue', street_line_2 = 'Bâtiment B', "
    "deceased_date = '2026-01-02 03:04:05', regdate = '2020-05-06 07:08:09', DOB = '1990-00-00', occupation = '1' WHERE pid = 17",
    f"UPDATE patient_data SET DOB = '0000-00-00', sex = 'Autre', deceased_date = '{ZERO}', regdate = '{ZERO}' WHERE pid = 18",
    "UPDATE patient_data SET DOB = '1985-04-00', guardianphone = '0100000002' WHERE pid = 22",
    "INSERT INTO list_options (list_id, option_id, title) VALUES ('OccupationODH', '1', 'Boulangère')",
    "UPDATE users SET password = 'invented-password-digest' WHERE id = 90",
)


@pytest.fixture(scope="module")
def populated(server: Server, program, dump: bytes, mapping: Mapping, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    made(server, program("mariadb"), dump, "populated")
    with mariadb_writer(server.port, "populated") as connection, connection.cursor() as cursor:
        # As the product connects: what an INSERT leaves out gets the zero of its type.
        cursor.execute("SET sql_mode = ''")
        for table, rows in ADDED.items():
            for row in rows:
                names = ", ".join(f"`{n}`" for n in row)
                cursor.execute(
                    f"INSERT INTO `{table}` ({names}) VALUES ({', '.join(['%s'] * len(row))})", list(row.values())
                )
        for statement in CHANGES:
            cursor.execute(statement)
    return carried(server, "populated", mapping, tmp_path_factory.mktemp("populated"))


def test_all_queries_keep_to_the_declared_model(populated: Copy, mapping: Mapping) -> None:
    found = faults(populated.canonical)
    for known in BY_SETTINGS:
        del found[known]
    assert found == {
        "patient.attending reference": 10,
        "prescription.encounter reference": 40,
        # A call of the API may have no date.
        "access_log.at empty": 1,
    }
    assert {name for name, rows in populated.canonical.items() if rows} == {*TABLES} - set(mapping.unserved)
    assert populated.manifest["unreadable"] == 0


WHOLE = [
    ("lists", "9001", "entered in error"),
    ("lists", "9004", "an implanted device"),
    ("form_soap", "2", "form deleted from its visit"),
    ("form_soap", "3", "entry deactivated"),
    ("form_clinical_notes", "12", "entry deactivated"),
    ("form_vitals", "902", "form deleted from its visit"),
    ("form_encounter", "903", "visit deleted"),
    ("lbf_data", "78|champ", "form deleted from its visit"),
    ("pnotes", "2", "deleted"),
    ("pnotes", "3", "encrypted"),
    ("pnotes", "4", "about no patient"),
    ("immunizations", "902", "added by error"),
    ("procedure_order", "2", "deleted"),
    ("procedure_order", "3", "for history only"),
    ("procedure_order_code", "2|1", "of a deleted order"),
    ("procedure_order_code", "3|1", "of an order for history only"),
    ("procedure_report", "2", "of a deleted order"),
    ("procedure_result", "902", "in error"),
    ("procedure_result", "903", "of a deleted order"),
    ("documents", "2", "deleted"),
    ("notes", "2", "on a deleted document"),
    ("billing", "2", "deleted"),
    ("ar_activity", "22|30001|2", "voided"),
    ("drug_sales", "2", "a purchase"),
    ("contact_relation", "2", "of which patient is not sure"),
    ("contact_relation", "3", "deactivated"),
    ("lists_touch", "22|medical_problem", "problems not left empty"),
    ("lists_touch", "22|allergy", "allergies not left empty"),
    ("lists_touch", "22|medication", "medications not left empty"),
    ("lists_touch", "18|medical_device", "no table for it"),
]


@pytest.mark.parametrize(("table", "key", "why"), WHOLE, ids=[f"{t}-{w}" for t, _, w in WHOLE])
def test_what_no_table_takes_is_whole_in_native(
    populated: Copy, mapping: Mapping, table: str, key: str, why: str
) -> None:
    columns = {c for (t, c), use in mapping.columns.items() if t == table and use.disposition != "excluded"}
    assert set(populated.native(table, key)) == columns
    claims = [
        n
        for n, rows in populated.canonical.items()
        if n != "native"
        for r in rows
        if (r["source_table"], r["source_key"]) == (table, key)
    ]
    assert claims == []


def test_only_the_last_save_of_the_history_speaks(populated: Copy) -> None:
    (old,) = populated.rows("history_data", "pid = 100 AND id <> 900")
    assert populated.native("history_data", str(old["id"]))["tobacco"] == old["tobacco"]
    habits = {
        r["label"]: (r["value"], r["assertion"]) for r in populated.canonical["risk_factor"] if r["patient"] == "100"
    }
    assert habits == {
        "Tabac": ("arrêt au printemps|quittobacco|2026-05-01|3", "affirmed"),
        "Alcool": ("|neveralcohol|", "denied"),
        "Drogues": ("|not_applicablerecreational_drugs|", "not_recorded"),
    }
    family = {
        r["label"]: (r["code"], r["system"], r["category"])
        for r in populated.canonical["problem"]
        if r["source_key"] == "900"
    }
    assert family == {
        "Cancer : tante": (None, None, "family"),
        "Fratrie : HTA": ("I10", "2.16.840.1.113883.6.90", "family"),
        "Né à terme": (None, None, "history"),
    }


def test_none_is_denied_only_where_the_product_says_it(populated: Copy) -> None:
    rows = [
        r | {"table": t}
        for t in ("problem", "allergy", "treatment")
        for r in populated.canonical[t]
        if r["source_table"] == "lists_touch"
    ]
    assert sorted((r["table"], r["patient"], r["label"], r["assertion"], r.get("category")) for r in rows) == [
        ("allergy", "18", "Allergies", "denied", None),
        ("problem", "18", "Interventions chirurgicales", "denied", "surgery"),
        ("problem", "18", "Problèmes", "denied", "problem"),
        ("treatment", "18", "Traitements", "denied", None),
    ]


def test_issues_with_their_codes_dates_and_doubts(populated: Copy) -> None:
    columns = ("label", "category", "code", "system", "assertion", "onset", "resolved", "practitioner")
    found = {k: tuple(populated.one("problem", k)[c] for c in columns) for k in ("9002", "9003", "9005")}
    assert found == {
        "9002": ("Asthme", "problem", None, None, "denied", None, None, None),
        "9003": ("Diabète", "problem", "44054006", "2.16.840.1.113883.6.96", "affirmed", "2019", "2020-05", None),
        "9005": ("Appendicectomie", "surgery", None, None, "affirmed", "2001-02-03", None, None),
    }
    assert populated.native("lists", "9003")["diagnosis"] == "SNOMED-CT:44054006;ICD10:E11.9"
    assert populated.native("lists", "9002")["activity"] == 0
    assert populated.native("lists", "9005")["begdate"] == "2001-02-03 10:00:00"
    drug = populated.one("treatment", "9006")
    assert (drug["code"], drug["system"], drug["dosage"]) == ("723", "2.16.840.1.113883.6.88", "1 g matin et soir")
    nuts = populated.one("allergy", "9007")
    assert (nuts["reaction"], nuts["severity"]) == ("gonflement", "severe")
    # A system that the mapping does not know keeps its code, without one.
    assert (nuts["code"], nuts["system"]) == ("12", None)


def test_identities_with_their_zeros(populated: Copy) -> None:
    columns = (
        "birth_family",
        "birth_first_given",
        "birth_date",
        "death_date",
        "created",
        "sex",
        "address",
        "occupation",
    )
    found = {k: tuple(populated.one("patient", k)[c] for c in columns) for k in ("17", "18", "900")}
    (first,) = populated.rows("patient_data", "pid = 17")
    (second,) = populated.rows("patient_data", "pid = 18")
    assert found == {
        "17": ("Naissance", "Prénom", "1990", "2026-01-02", "2020-05-06", {"Male": "M", "Female": "F"}[first["sex"]],
               "1 rue, Bâtiment B", "Boulangère"),
        "18": (second["lname"], second["fname"], None, None, None, None, second["street"], second["occupation"]),
        "900": ("Neuf", None, None, None, None, "UN", None, None),
    }  # fmt: skip
    assert populated.one("patient", "17")["used_family"] == first["lname"] != "Naissance"
    assert populated.one("patient", "22")["birth_date"] == "1985-04"
    # A sex that the practice added to the list has no place in the model's.
    assert populated.native("patient_data", "18")["sex"] == "Autre"


def test_relatives(populated: Copy) -> None:
    rows = [
        r
        for r in populated.canonical["related_person"]
        if r["role"] != "emergency" or r["source_table"] == "contact_relation"
    ]
    found = {r["key"]: (r["patient"], r["role"], r["family"], r["given"], r["birth_date"], r["phone"]) for r in rows}
    assert found == {
        "17-guardian": ("17", "guardian", "Tutrice Exemple", None, None, "0100000001"),
        "17-mother": ("17", "parent", "Mère Exemple", None, None, None),
        "contact-1": ("900", "child", "Proche", "Noa", "2001-02", "0600000002"),
        "contact-4": ("900", "emergency", "Proche", "Noa", "2001-02", "0600000002"),
    }
    # A telephone without the name of a guardian makes no person, and is not lost.
    assert populated.native("patient_data", "22")["guardianphone"] == "0100000002"


def test_correspondents_are_those_without_a_login(populated: Copy) -> None:
    columns = ("patient", "family", "given", "specialty", "organisation", "phone", "city")
    assert {r["key"]: tuple(r[c] for c in columns) for r in populated.canonical["correspondent"]} == {
        "90": (None, "Correspondant", "Alix", "Cardiology", "Clinique", "0100000000", "Vannes"),
        "91": (None, "Laboratoire du Port", None, None, "Laboratoire du Port", None, None),
        "misc-1": (None, "Divers", "Lou", None, None, "0200000000", "Brest"),
        "17-referring-90": ("17", "Correspondant", "Alix", "Cardiology", "Clinique", "0100000000", "Vannes"),
    }
    assert not {"90", "91"} & {r["key"] for r in populated.canonical["practitioner"]}


def test_texts_of_forms_messages_and_comments(populated: Copy) -> None:
    real = {f"lists-{i['id']}-comments" for i in populated.rows("lists")}
    at, me = "2026-03-04T05:06:07", "10"
    columns = ("patient", "practitioner", "encounter", "recorded", "title", "text")
    found = {r["key"]: tuple(r[c] for c in columns) for r in populated.canonical["note"] if r["key"] not in real}
    assert found == {
        "form_soap-1-subjective": ("100", me, "30001", at, "Subjectif", "Va mieux"),
        "form_soap-1-assessment": ("100", me, "30001", at, "Évaluation", "Stable"),
        "form_soap-1-plan": ("100", me, "30001", at, "Plan", "Revoir"),
        # The account is gone; its name stays in native.
        "form_dictation-1-dictation": ("100", None, "30001", at, "Dictée", "Dicté"),
        "form_dictation-1-additional_notes": ("100", None, "30001", at, "Notes complémentaires", "Ajout"),
        "form_clinical_notes-11-description": (
            "100",
            me,
            "30001",
            "2026-03-04",
            "Progress Note",
            "Évolution favorable",
        ),
        "form_clinical_instructions-1-instruction": ("100", me, "30001", at, "Consignes au patient", "Marcher"),
        "lbf_data-77|champ-value": ("100", me, "30001", at, "Champ du cabinet", "Valeur libre"),
        "pnotes-1-body": ("100", me, None, at, "Lab Results", "À rappeler"),
        "form_vitals-901-note": ("100", me, "30001", at, "Note sur les constantes", "Après effort"),
        "immunizations-901-note": ("22", None, None, at, "CVX 33", "Refus ferme"),
        "procedure_order-1-patient_instructions": (
            "22",
            None,
            None,
            "2026-01-02T03:04:05",
            "Consignes au patient",
            "À jeun",
        ),
        "procedure_order-1-clinical_hx": ("22", None, None, "2026-01-02T03:04:05", "Renseignements cliniques", "Toux"),
        "procedure_report-1-report_notes": (
            "22",
            None,
            None,
            "2026-01-03T00:00:00",
            "Notes du laboratoire",
            "Hémolyse",
        ),
        "procedure_result-901-comments": ("22", None, None, "2026-01-03T00:00:00", "Hémoglobine", "Contrôlé"),
        "prescriptions-901-note": ("22", None, None, "2026-01-02T03:04:05", "Paracétamol", "Pas plus de 4 g"),
        "notes-1-note": ("22", None, "30001", "2026-01-05T06:07:08", "Biologie.pdf", "Vu avec le patient"),
    }
    assert populated.native("form_dictation", "1")["user"] == "gone"


def test_a_visit_may_have_no_end_and_no_professional(populated: Copy) -> None:
    row = populated.one("encounter", "39998")
    assert (row["end"], row["practitioner"], row["mode"], row["reason"]) == (None, None, "IMP", "")
    assert populated.native("form_encounter", "904")["class_code"] == "ACUTE"


def test_vaccinations_refused_unnamed_or_without_a_day(populated: Copy) -> None:
    columns = ("code", "label", "given", "assertion", "practitioner")
    found = {k: tuple(populated.one("immunization", k)[c] for c in columns) for k in ("901", "903")}
    assert found == {
        "901": ("33", "pneumococcal polysaccharide PPV23", None, "denied", None),
        "903": (None, "Td", "1999", "affirmed", None),
    }


def test_a_zero_is_no_measure(populated: Copy) -> None:
    found = {r["key"]: (r["value"], r["unit"]) for r in populated.canonical["vital_sign"] if r["source_key"] == "901"}
    assert found == {
        "901-bps": ("120", "mm[Hg]"),
        "901-weight": ("150.5", "[lb_av]"),
        "901-waist_circ": ("34", "[in_i]"),
        "901-inhaled_oxygen_concentration": ("21", "%"),
    }


def test_a_result_in_words(populated: Copy) -> None:
    row = populated.one("lab_result", "901")
    columns = ("patient", "document", "code", "system", "value", "value_text", "low", "high", "flag", "measured")
    assert tuple(row[c] for c in columns) == (
        "22", "1", "HB", None, None, "positive", "4.0", "5.6", "HH", "2025-12-31T23:00:00",
    )  # fmt: skip


def test_prescriptions_with_their_parts(populated: Copy) -> None:
    found = {
        k: (populated.one("prescription", k)["prescribed"], populated.one("prescription_line", k)["dosage"])
        for k in ("901", "902")
    }
    assert found == {
        "901": ("2026-01-02T03:04:05", "1 g si douleur"),
        "902": ("2026-01-05", "1 tablet By Mouth b.i.d."),
    }
    assert populated.one("prescription", "902")["encounter"] == "30001"
    assert populated.native("prescriptions", "901")["active"] == 0
    order = populated.one("prescription", "order-1")
    assert (order["category"], order["prescribed"], order["practitioner"]) == ("imaging", "2026-01-02T03:04:05", "10")


def test_what_the_practice_hands_out_is_a_dispensation(populated: Copy) -> None:
    (row,) = populated.canonical["dispensation"]
    columns = ("patient", "prescription", "code", "system", "label", "quantity", "dispensed")
    assert tuple(row[c] for c in columns) == (
        "22", "902", "1001", "2.16.840.1.113883.6.88", "Vaccin en stock", "2", "2026-01-06",
    )  # fmt: skip


def test_documents_on_disk_have_no_body_and_forms_of_the_portal_have_one(populated: Copy) -> None:
    columns = (
        "patient",
        "practitioner",
        "encounter",
        "local_type",
        "type_code",
        "title",
        "origin",
        "act",
        "created",
        "fed_state",
    )
    assert {r["key"]: tuple(r[c] for c in columns) for r in populated.canonical["document"]} == {
        "1": ("22", "10", "30001", "Lab Report", "11502-2", "Biologie.pdf", "received", "2026-01-03", "2026-01-04T05:06:07", "never"),
        "3": (None, None, None, None, None, "Sans patient", "received", None, None, "never"),
        "portal-1": ("22", "10", None, "Privacy Document", None, "Privacy Document", "patient", "2026-01-04T05:06:07",
                     "2026-01-04T05:06:07", "never"),
    }  # fmt: skip
    facts = ("document", "version", "media_type", "file_name", "size", "detected")
    assert {r["key"]: tuple(r[c] for c in facts) for r in populated.canonical["document_version"]} == {
        "1": ("1", 1, "application/pdf", "file:///srv/documents/22/Biologie.pdf", None, None),
        "3": ("3", 1, None, "", None, None),
        "portal-1": ("portal-1", 1, None, "privacy.html", 32, "html"),
    }
    assert populated.one("document_version", "1")["sha256"] is None
    assert populated.native("documents", "1")["foreign_reference_table"] == "procedure_order"
    assert populated.native("categories_to_documents", "3|1") == {"category_id": 3, "document_id": 1}


def test_calendar(populated: Copy) -> None:
    columns = ("patient", "practitioner", "start", "end", "status", "label")
    found = {k: tuple(populated.one("appointment", k)[c] for c in columns) for k in ("901", "902")}
    assert found == {
        "901": (None, "10", "2026-08-01", None, "booked", "Vacances"),
        # One row, as it is recorded; a state that the practice made up says nothing here.
        "902": ("22", "10", "2026-01-05T09:05:00", None, None, "Suivi"),
    }
    native = populated.native("openemr_postcalendar_events", "902")
    assert (native["pc_endDate"], native["pc_recurrtype"], native["pc_apptstatus"]) == ("2026-06-05", 1, "maison")
    assert native["pc_recurrspec"] == 'a:1:{s:17:"event_repeat_freq";s:1:"1";}'
    assert "".join(str(populated.one("appointment", str(910 + n))["status"])[0] for n in range(14)) == "bbbbbaaaaaancc"


def test_journal(populated: Copy) -> None:
    columns = ("patient", "actor", "at", "action", "object")
    at = "2026-01-05T06:07:08"
    assert {r["key"]: tuple(r[c] for c in columns) for r in populated.canonical["access_log"]} == {
        "log-1": ("22", "moconnor", at, "patient-record-select", "Patient Demographics"),
        "log-2": (None, "moconnor", "2026-01-05T06:07:09", "login", None),
        "disclosure-1": ("22", "moconnor", at, "disclosure-treatment", "Clinique"),
        "api-1": ("22", "moconnor", at, "GET", "/fhir/Patient"),
        "api-2": (None, "777", None, "GET", "/fhir/Patient"),
    }


def test_money(populated: Copy) -> None:
    columns = ("patient", "at", "label", "amount")
    assert {r["key"]: tuple(r[c] for c in columns) for r in populated.canonical["billing"]} == {
        "charge-1": ("22", "2026-01-05", "Consultation", "26.50"),
        "payment-22-30001-1": ("22", "2026-01-06", None, "20.00"),
    }


def test_a_mapped_cell_is_found_again_in_a_row_that_names_its_source(populated: Copy, mapping: Mapping) -> None:
    """No mapped column is dropped for a row that a query claims: its text stands in one of the canonical rows of that row."""
    said: dict[tuple[str, str], list[str]] = {}
    for name, rows in populated.canonical.items():
        if name != "native":
            for row in rows:
                said.setdefault((row["source_table"], row["source_key"]), []).extend(
                    str(v) for v in row.values() if v is not None
                )
    # Read through a list of the product or of the mapping, or a body.
    listed = {
        ("onsite_documents", "full_document"),
        ("patient_data", "occupation"),
    }
    keys = {"patient_data": ("pid",), "lists_touch": ("pid", "type"), "procedure_order_code": ("procedure_order_id", "procedure_order_seq"),
            "ar_activity": ("pid", "encounter", "sequence_no"), "lbf_data": ("form_id", "field_id"), "openemr_postcalendar_events": ("pc_eid",),
            "procedure_order": ("procedure_order_id",), "procedure_report": ("procedure_report_id",),
            "procedure_result": ("procedure_result_id",), "drug_sales": ("sale_id",)}  # fmt: skip
    mapped: dict[str, list[str]] = {}
    for (table, column), use in mapping.columns.items():
        if use.disposition == "mapped" and (table, column) not in listed:
            mapped.setdefault(table, []).append(column)
    lost, checked = [], 0
    for table, columns in mapped.items():
        for row in populated.rows(table):
            key = "|".join(str(row[c]) for c in keys.get(table, ("id",)))
            if (table, key) not in said:
                continue
            texts = said[table, key]
            for column in columns:
                value = row[column]
                if (
                    value in (None, "", 0, "0")
                    or str(value).startswith("0000-00-00")
                    or re.fullmatch(r"[|]+", str(value))
                ):
                    continue
                shown = (
                    str(value).replace(" ", "T")
                    if re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", str(value))
                    else str(value)
                )
                if isinstance(value, Decimal):
                    found = any(re.fullmatch(r"\d+(\.\d+)?", t) and Decimal(t) == value for t in texts)
                else:
                    shown = re.sub(r"(-00)+$", "", shown) if re.fullmatch(r"\d{4}-\d\d-\d\d", shown) else shown
                    found = any(shown in t for t in texts) or str(value) in {"YES", "NO"}
                checked += 1
                if not found:
                    lost.append(f"{table}.{column} of {key}")
    assert lost == [] and checked > 10_000


# The whole chain.


def carried_on(copy: Copy, out: Path, shared: Path) -> tuple[dict[str, Any], Path]:
    judge(copy.work, clock=CLOCK, environment="sandbox")
    schema = shared / "cisis" / "xsd" / "CDA_extended.xsd"
    job = portability.job_of(copy.work, PRACTICE, CLOCK, "Transvase 0.1.0", schema, "Europe/Paris")
    facts = portability.export(job, out, CONTACT, workers=1)
    return facts, out / facts["archive"]


@pytest.fixture(scope="module")
def schema(shared: Path) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(shared / "cisis" / "xsd" / "CDA_extended.xsd"))


@pytest.mark.parametrize("which", ["real", "populated"])
def test_from_the_database_to_a_verified_archive(
    which: str, request: pytest.FixtureRequest, schema: etree.XMLSchema, shared: Path, tmp_path: Path
) -> None:
    copy: Copy = request.getfixturevalue(which)
    facts, path = carried_on(copy, tmp_path, shared)
    report = verify(path)
    assert report.problems == []
    patients = len(copy.canonical["patient"])
    assert facts["patients"] == report.checked["patient archives"] == patients
    assert facts["documents"] == (0 if which == "real" else 2)
    syntheses, statements = 0, Counter[str]()
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.startswith("PAT"):
                with zipfile.ZipFile(io.BytesIO(archive.read(name))) as inner:
                    for member in inner.namelist():
                        if re.search(r"DOC\d+\.XML$", member):
                            schema.assertValid(etree.fromstring(inner.read(member)))
                            syntheses += member.endswith("DOC0001.XML")
                    tables = json.loads(inner.read("DONNEES.JSON"))["tables"]
                    statements.update({t: len(rows) for t, rows in tables.items()})
    # Two invented patients have no day of birth, so no header of a CDA: their synthesis is a PDF.
    assert syntheses == patients - (0 if which == "real" else 2)
    for table in (
        "problem",
        "allergy",
        "treatment",
        "immunization",
        "vital_sign",
        "lab_result",
        "prescription",
        "note",
        "encounter",
    ):
        assert statements[table] == len(copy.canonical[table]), table


def test_the_commands_carry_it_too(real: Copy, tmp_path: Path) -> None:
    (tmp_path / "transvase.toml").write_text(
        f'[source]\nproduct = "openemr"\nurl = "{real.url}"\n[practice]\noid = "{PRACTICE["oid"]}"\n'
        '[work]\nfolder = "work"\nworkers = 1\n[export]\nfolder = "out"\n',
        encoding="utf-8",
    )

    def run(*arguments: str) -> str:
        call = [COMMAND, *arguments]
        environment = {**os.environ, "TRANSVASE_SOURCE_PASSWORD": PASSWORD}
        done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=180)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    assert "OpenEMR : 3780 colonnes dans 283 tables" in run("check")
    cells = {n: sum(line[n] for line in real.manifest["cells"]) for n in ("source", "mapped", "native", "excluded")}
    said = run("extract", "--clock", CLOCK.isoformat())
    line = f"{cells['source']} cellules de la source = {cells['mapped']} reprises + {cells['native']} natives + {cells['excluded']} exclues"
    assert line in said
    print(line)
    assert "122 patients" in run("export", "--clock", CLOCK.isoformat())
    (archive,) = (tmp_path / "out").glob("PA*.ZIP")
    assert "122 archives de patients" in run("verify", str(archive))
    # The receiving side rebuilds the same tables: nothing is said when both are equal.
    assert run("diff", str(tmp_path / "work"), str(archive)).strip() == ""


def test_an_extraction_is_the_same_twice(real: Copy, mapping: Mapping, tmp_path: Path) -> None:
    again = extract(mapping, real.url, tmp_path / "work", clock=CLOCK, password=PASSWORD)
    assert again == real.manifest
    for name in TABLES:
        first = (real.work / "canonical" / f"{name}.parquet").read_bytes()
        assert (tmp_path / "work" / "canonical" / f"{name}.parquet").read_bytes() == first, name
