"""`transvase discover` on whole databases: the invented practice, LibreOsteo, OpenEMR on its server, one small practice in every engine.
What it writes extracts at once and accounts for every cell; what it prints holds no value."""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
import subprocess
from pathlib import Path

import duckdb
import pytest

from transvase.commands.main import main
from transvase.sources.discover import folder
from transvase.sources.discover.survey import Survey, survey
from transvase.sources.engines import sqlite
from transvase.sources.extract import extract
from transvase.sources.mapping import load

from .conftest import CLOCK
from .sources.conftest import (  # noqa: F401
    FILES,
    PASSWORD,
    SERVERS,
    USER,
    Practice,
    mariadb_process,
    mariadb_writer,
    postgresql_process,
)


def seen(path: Path) -> Survey:
    with sqlite.opened(path) as view:
        return survey(view, "sqlite", 20_000)


def extracted(folder: Path, where: Path | str, work: Path, password: str = "") -> dict:
    """The manifest of an extraction by the folder written; every cell is native and counted."""
    manifest = extract(load(str(folder)), where, work, clock=CLOCK, password=password)
    cells = manifest["cells"]
    assert sum(c["source"] for c in cells) > 0
    assert [c for c in cells if c["native"] != c["source"]] == []
    return manifest


def values_of(connection: sqlite3.Connection, table: str, *columns: str) -> set[str]:
    return {
        str(v)
        for row in connection.execute(f"SELECT {', '.join(columns)} FROM {table}")
        for v in row
        if v and len(str(v)) > 3
    }


# -- the invented practice -------------------------------------------------------------------------------------------------

# By hand, from sources/synthetic/schema.sql. T_CORRESP is linked too, and its column may be empty.
SYNTHETIC = {
    "T_PROCHE.PRO_PAT", "T_CORRESP.COR_PAT", "T_ACTE.ACT_PAT", "T_NOTE.NOT_PAT", "T_NOTE_PERSO.NPE_PAT", "T_ATCD.ATD_PAT", "T_ALLERG.ALG_PAT",
    "T_TTT.TTT_PAT", "T_FDR.FDR_PAT", "T_VACCIN.VAC_PAT", "T_CONST.CST_PAT", "T_BIO.BIO_PAT", "T_ORDO.ORD_PAT", "T_ORDO_LIG.OLI_PAT",
    "T_DOC.DOC_PAT", "T_RDV.RDV_PAT", "T_TRACE.TRC_PAT", "T_OPPOS.OPP_PAT", "T_FACTURE.FAC_PAT",
}  # fmt: skip


def test_the_invented_practice(database, tmp_path, capsys):
    assert main(["discover", str(database), str(tmp_path / "m")]) == 0
    printed = capsys.readouterr().out
    found = seen(database)
    assert (found.patient.table, found.patient.key) == ("T_PATIENT", "PAT_ID")
    assert {f"{li.table}.{li.column}" for li in found.links if li.grade != "doubt"} == SYNTHETIC
    assert [li.to_table for li in found.through["T_DOC_CONTENU"]] == ["T_DOC"]
    for line in (
        "Table des patients : T_PATIENT, clé PAT_ID",
        "T_DOC_CONTENU.CNT_BLOB : PDF",
        "T_NOTE.NOT_TXT : RTF",
        "T_PATIENT.PAT_DTN : JJ/MM/AAAA",
        "T_BIO.BIO_DT : AAAAMMJJ",
        "T_BIO.BIO_VAL : décimales à virgule",
        "T_DOC.DOC_SUPPR : suppression logique ?",
        "T_CONST : CST_COD = CST_VAL",
    ):
        assert line in printed
    manifest = extracted(tmp_path / "m", database, tmp_path / "out")
    (patients,) = duckdb.sql(
        f"SELECT count(*) FROM '{tmp_path}/out/canonical/patient.parquet' WHERE birth_date ~ '^\\d{{4}}-'"
    ).fetchall()
    assert patients[0] >= 0.9 * manifest["rows"]["patient"] > 0
    # Each patient's rows are attached to the patient: the query names rows as the extraction does.
    (attached,) = duckdb.sql(
        f"SELECT count(*) FROM '{tmp_path}/out/canonical/native.parquet' WHERE source_table = 'T_PATIENT' AND patient = source_key"
    ).fetchall()
    assert attached[0] == manifest["rows"]["patient"]


@pytest.mark.parametrize("options", [["--lang", "fr"], ["--lang", "en"], ["--json"]], ids=str)
def test_nothing_printed_nor_logged_is_a_value(database, tmp_path, capfd, options):
    assert main(["discover", str(database), str(tmp_path / "m"), *options]) == 0
    printed = capfd.readouterr()
    text = printed.out + printed.err
    if options == ["--json"]:
        json.loads(printed.out)
    with sqlite3.connect(database) as base:
        held = values_of(
            base,
            "T_PATIENT",
            "PAT_NOM_NAIS",
            "PAT_PREN1",
            "PAT_DTN",
            "PAT_INS",
            "PAT_ADR",
            "PAT_VILLE",
            "PAT_TEL",
            "PAT_MEL",
        )
        held |= values_of(base, "T_DOC", "DOC_TITRE", "DOC_TYPE", "DOC_DT") | values_of(
            base, "T_CONST", "CST_COD", "CST_LIB"
        )
        held |= (
            values_of(base, "T_INTERV", "ITV_NOM", "ITV_RPPS")
            | values_of(base, "T_ATCD", "ATD_LIB")
            | values_of(base, "T_NOTE", "NOT_TXT")
        )
        # A local type bears the name of a column.
        held -= {
            c
            for (t,) in base.execute("SELECT name FROM sqlite_master")
            for _, c, *_ in base.execute(f"PRAGMA table_info({t})")
        }
    words = set(re.findall(r"[\w@./:-]+", text))
    assert len(held) > 100 and {v for v in held if v in words or (len(v) > 12 and v in text)} == set()


def test_no_identity_is_in_the_folder(database, tmp_path, capsys):
    assert main(["discover", str(database), str(tmp_path / "m")]) == 0
    capsys.readouterr()
    text = "".join(p.read_text(encoding="utf-8") for p in (tmp_path / "m").rglob("*") if p.is_file())
    with sqlite3.connect(database) as base:
        held = values_of(
            base, "T_PATIENT", "PAT_NOM_NAIS", "PAT_PREN1", "PAT_DTN", "PAT_INS", "PAT_ADR", "PAT_TEL", "PAT_MEL"
        )
        held |= values_of(base, "T_PROCHE", "PRO_NOM", "PRO_TEL") | values_of(base, "T_CORRESP", "COR_NOM")
    assert len(held) > 100 and {v for v in held if re.search(rf"\b{re.escape(v)}\b", text)} == set()


# -- refusals --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "code"),
    [("nulle-part.sqlite3", 20), ("texte.csv", 2), ("mariadb://u:secret@localhost/base", 2), ("ftp://localhost/base", 20), ("http://[", 20)],
)  # fmt: skip
def test_a_source_that_is_none(tmp_path, monkeypatch, capsys, where, code):
    monkeypatch.chdir(tmp_path)
    Path("texte.csv").write_text("a;b\n1;2\n", encoding="utf-8")
    assert main(["discover", where, "m"]) == code
    said = capsys.readouterr().err
    assert said.startswith("transvase: ") and "secret" not in said and not Path("m").exists()


def test_a_folder_that_holds_something_is_refused_untouched(database, tmp_path, capsys):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "a").write_text("b", encoding="utf-8")
    assert main(["discover", str(database), str(tmp_path / "m")]) == 2
    assert [p.name for p in (tmp_path / "m").iterdir()] == ["a"]
    assert main(["discover", str(database), str(tmp_path / "m" / "a")]) == 2
    assert main(["discover", str(database), str(tmp_path / "n"), "--sample", "0"]) == 2
    capsys.readouterr()


def test_a_damaged_database_leaves_nothing(database, tmp_path, capsys):
    raw = bytearray(database.read_bytes())
    for place in range(40_000, len(raw), 4096):
        raw[place : place + 64] = b"\xff" * 64
    (tmp_path / "casse.sqlite3").write_bytes(raw)
    assert main(["discover", str(tmp_path / "casse.sqlite3"), str(tmp_path / "m")]) == 21
    capsys.readouterr()
    assert [p.name for p in tmp_path.iterdir()] == ["casse.sqlite3"]


# -- one practice in every engine ------------------------------------------------------------------------------------------

PEOPLE = 40


def born(n: int) -> str:
    return f"{n % 28 + 1:02d}/0{n % 9 + 1}/19{50 + n}"


SMALL = {
    "patients": [(n * 3, f"Nom{'abcdefgh'[n % 8]}", f"Prénom{'ijkl'[n % 4]}", born(n), "FM"[n % 2]) for n in range(1, PEOPLE + 1)],
    "consultations": [(n, n % PEOPLE * 3 + 3, f"2024-0{n % 9 + 1}-{n % 28 + 1:02d} 09:30:00", ["PREVU", "FAIT", "ANNULE"][n % 3]) for n in range(1, 201)],
    "pieces": [(n, n % PEOPLE * 3 + 3, b"%PDF-1.4\n" + bytes([65 + n % 20]) * 90_000) for n in range(1, 31)],
}  # fmt: skip


def filled(practice: Practice) -> Practice:
    text, blob = practice.types.get("text", "text"), practice.types.get("blob", "blob")
    practice.write(
        f"CREATE TABLE patients (id integer NOT NULL PRIMARY KEY, nom {text}, prenom {text}, naissance {text}, sexe {text})",
        f"CREATE TABLE consultations (id integer NOT NULL PRIMARY KEY, patient_id integer, debut {text}, etat {text})",
        f"CREATE TABLE pieces (id integer NOT NULL PRIMARY KEY, patient_id integer, corps {blob})",
    )
    for name, rows in SMALL.items():
        practice.insert(name, rows)
    return practice


ENGINES = ["sqlite", "duckdb", "tabular", *(pytest.param(k, marks=pytest.mark.debian) for k in SERVERS if k != "odbc")]


@pytest.fixture(params=ENGINES)
def small(request, tmp_path) -> tuple[str, str]:
    """The kind of the small practice, and where it stands."""
    kind = request.param
    if kind in SERVERS:
        server = request.getfixturevalue(f"{kind}_process")
        practice = filled(SERVERS[kind](server))
        with practice.opened() as view:
            base = view.name.partition("@")[0]
        return kind, f"{kind}://{USER}@127.0.0.1:{server.port}/{base}"
    filled(FILES["sqlite" if kind == "sqlite" else "duckdb"](tmp_path))
    if kind != "tabular":
        return kind, str(tmp_path / f"cabinet.{kind}")
    (tmp_path / "export").mkdir()
    with duckdb.connect(str(tmp_path / "cabinet.duckdb")) as base:
        for name, ending in (("patients", "csv"), ("consultations", "csv"), ("pieces", "parquet")):
            base.execute(f"COPY {name} TO '{tmp_path}/export/{name}.{ending}'")
    return kind, str(tmp_path / "export")


@pytest.mark.parametrize("sample", [20_000, 15])
def test_a_small_practice_in_each_engine(small, sample, tmp_path, monkeypatch, capsys):
    kind, where = small
    monkeypatch.setenv("TRANSVASE_SOURCE_PASSWORD", PASSWORD)
    assert main(["discover", where, str(tmp_path / "m"), "--sample", str(sample), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["kind"], told["patient"]["table"], told["patient"]["key"]) == (kind, "patients", "id")
    assert [(li["table"], li["column"], li["grade"], li["found"] == li["of"] > 0) for li in told["links"]] == [
        ("consultations", "patient_id", "sure", True),
        ("pieces", "patient_id", "sure", True),
    ]
    tables = {t["name"]: {c["name"]: c for c in t["columns"]} for t in told["tables"]}
    assert {n: t["rows"] for n, t in ((t["name"], t) for t in told["tables"])} == {
        n: len(rows) for n, rows in SMALL.items()
    }
    assert set(tables["pieces"]["corps"]["natures"]) == {"pdf"}
    assert [f["role"] for f in tables["patients"]["naissance"]["seen"]] == ["date-text"]
    manifest = extracted(tmp_path / "m", where, tmp_path / "out", PASSWORD)
    assert (manifest["rows"]["patient"], manifest["rows"]["encounter"]) == (PEOPLE, 200)
    patients = duckdb.sql(
        f"SELECT birth_date, sex, source_key FROM '{tmp_path}/out/canonical/patient.parquet'"
    ).fetchall()
    assert {(b, s) for b, s, _ in patients} == {(f"{b[6:]}-{b[3:5]}-{b[:2]}", s) for _, _, _, b, s in SMALL["patients"]}
    ((attached,),) = duckdb.sql(
        f"SELECT count(DISTINCT patient) FROM '{tmp_path}/out/canonical/native.parquet' WHERE source_table = 'patients'"
    ).fetchall()
    assert attached == PEOPLE


PERSONS = [(n * 3, f"Nom{'abcdefgh'[n % 8]}", f"Prénom{'ijkl'[n % 4]}", born(n)) for n in range(1, PEOPLE + 1)]


@pytest.mark.debian
def test_types_that_an_engine_cannot_compare(postgresql_process, tmp_path):  # noqa: F811
    practice = SERVERS["postgresql"](postgresql_process)
    practice.write(
        'CREATE TABLE "Malades" ("Id" int PRIMARY KEY, "Nom" text, "Prenom" text, "Naissance" text)',
        'CREATE TABLE "Lignes" (a json, b xml, c point, d text[], e inet, "MaladeId" int, f numeric, g timestamptz, h "char", i uuid)',
        "INSERT INTO \"Lignes\" SELECT json_build_object('n', n), xmlparse(content '<n>' || n || '</n>'), point(n, n), ARRAY[n::text],"
        " '10.0.0.1'::inet + n, n * 3, n + 0.5, now(), 'x', gen_random_uuid() FROM generate_series(1, 40) n",
    )
    practice.insert("Malades", PERSONS)
    with practice.opened() as view:
        found = survey(view, "postgresql", 10)
        folder.write(found, view, tmp_path / "m")
    assert (found.patient.table, found.patient.key) == ("Malades", "Id")
    assert [(li.column, li.grade, li.found.share) for li in found.links] == [("MaladeId", "sure", 1.0)]
    assert [c.name for c in found.tables[0].columns if c.unique] == ["d", "e", "MaladeId", "f", "i"]


def test_tables_of_several_schemas(tmp_path):
    practice = FILES["duckdb"](tmp_path)
    practice.write(
        "CREATE SCHEMA cab",
        "CREATE TABLE cab.patient (id int PRIMARY KEY, nom text, prenom text, naissance date)",
        "CREATE TABLE visites (patient_id int, piece blob, reste struct(a int, b text))",
        "INSERT INTO visites SELECT n * 3, '%PDF-1.4'::blob, {'a': n, 'b': 'x'} FROM range(1, 41) t(n)",
    )
    practice.write(
        *(
            ("INSERT INTO cab.patient VALUES (?, ?, ?, ?)", (*p[:3], f"{p[3][6:]}-{p[3][3:5]}-{p[3][:2]}"))
            for p in PERSONS
        )
    )
    where = tmp_path / "cabinet.duckdb"
    assert main(["discover", str(where), str(tmp_path / "m")]) == 0
    assert extracted(tmp_path / "m", where, tmp_path / "out")["rows"]["patient"] == PEOPLE


# -- real products ---------------------------------------------------------------------------------------------------------


def test_libreosteo(shared, tmp_path, capsys):
    database = shared / "practice-databases" / "libreosteo.sqlite3"
    assert main(["discover", str(database), str(tmp_path / "m")]) == 0
    assert "Table des patients : libreosteoweb_patient, clé id" in capsys.readouterr().out
    found = seen(database)
    assert {f"{li.table}.{li.column}": li.grade for li in found.links} == {
        "libreosteoweb_examination.patient_id": "sure",
        "libreosteoweb_patientdocument.patient_id": "name",
        "libreosteoweb_fileimport.file_patient": "doubt",
    }
    manifest = extracted(tmp_path / "m", database, tmp_path / "out")
    assert {n: r for n, r in manifest["rows"].items() if r and n != "native"} == {
        "patient": 100,
        "practitioner": 1,
        "encounter": 100,
    }
    ((named,),) = duckdb.sql(f"SELECT count(birth_family) FROM '{tmp_path}/out/canonical/patient.parquet'").fetchall()
    assert named == 100


# Columns of OpenEMR 8.2 that hold a patient (patient_data.pid), by hand from its schema and from the comments of its columns.
# documents, contact: `foreign_id` holds one when `foreign_table_name`, or the code that wrote it, says so.
PID = """
amc_misc_data amendments ar_activity audit_master billing care_teams ccda clinical_plans clinical_rules clinical_rules_log
dated_reminders document_templates drug_sales employer_data form_care_plan form_clinical_instructions form_clinical_notes
form_dictation form_encounter form_eye_acuity form_eye_antseg form_eye_base form_eye_biometrics form_eye_external
form_eye_hpi form_eye_locking form_eye_mag_dispense form_eye_mag_impplan form_eye_mag_orders form_eye_neuro form_eye_postseg
form_eye_refraction form_eye_ros form_eye_vitals form_functional_cognitive_status form_history_sdoh form_misc_billing_options
form_observation form_questionnaire_assessments form_reviewofs form_ros form_soap form_vitals form_vitals_calculation forms
history_data insurance_data issue_encounter lists lists_touch notification_log onetime_auth onsite_documents
onsite_signatures patient_access_onsite patient_birthday_alert patient_history patient_reminders patient_tracker
payment_processing_audit payments pnotes report_itemized rule_patient_data shared_attributes
therapy_groups_participant_attendance therapy_groups_participants transactions
"""
PATIENT_ID = """
api_log ar_session batchcom claims direct_message_log erx_ttl_touch extended_log immunizations log onsite_portal_activity
patient_care_experience_preferences patient_treatment_intervention_preferences person_patient_link prescriptions
pro_assessments procedure_order questionnaire_response voids
"""
OPENEMR = {
    **dict.fromkeys(PID.split(), "pid"),
    **dict.fromkeys(PATIENT_ID.split(), "patient_id"),
    "chart_tracker": "ct_pid", "contact": "foreign_id", "documents": "foreign_id", "documents_legal_detail": "dld_pid",
    "external_encounters": "ee_pid", "external_procedures": "ep_pid", "form_eye_mag_wearing": "PID", "form_taskman": "PATIENT_ID",
    "immunization_observation": "imo_pid", "medex_outgoing": "msg_pid", "medex_recalls": "r_pid", "openemr_postcalendar_events": "pc_pid",
    "patient_settings": "setting_patient", "verify_email": "pid_holder",
}  # fmt: skip
# What no reader of names and values could tell: the tables are empty, and the names say something else.
MISSED = {"contact.foreign_id", "documents.foreign_id", "verify_email.pid_holder"}


@pytest.mark.debian
@pytest.mark.shared
def test_openemr(shared, mariadb_process, tmp_path, monkeypatch, capsys):  # noqa: F811
    monkeypatch.setenv("TRANSVASE_SOURCE_PASSWORD", PASSWORD)
    with mariadb_writer(mariadb_process.port, None) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE openemr CHARACTER SET utf8mb4")
    dump = gzip.decompress((shared / "practice-databases" / "openemr-8.2-demo.sql.gz").read_bytes())
    client = ["mariadb", "-h127.0.0.1", f"-P{mariadb_process.port}", f"-u{USER}", f"-p{PASSWORD}", "openemr"]
    subprocess.run(client, input=dump, check=True, capture_output=True, timeout=120)
    url = f"mariadb://{USER}@127.0.0.1:{mariadb_process.port}/openemr"
    assert main(["discover", url, str(tmp_path / "m"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["patient"]["table"], told["patient"]["key"]) == ("patient_data", "pid")
    truth = {f"{table}.{column}" for table, column in OPENEMR.items()}
    rows = {t["name"]: t["rows"] for t in told["tables"]}
    assert set(OPENEMR) <= set(rows), "the dump has other tables than the truth was written for"
    found = {f"{li['table']}.{li['column']}" for li in told["links"] if li["grade"] != "doubt"}
    by_values = {f"{li['table']}.{li['column']}" for li in told["links"] if li["grade"] in ("sure", "values")}
    print(
        f"OpenEMR: {len(found & truth)} of {len(truth)} tables keyed to the patient, {len(found - truth)} found in excess, {len(by_values)} by values"
    )
    assert found - truth == set()
    assert truth - found == MISSED
    # Wherever a column holds at least one patient, the values say it.
    assert by_values == {
        t for t in truth if any(f"{li['table']}.{li['column']}" == t and li["of"] for li in told["links"])
    }
    natures = {f"{t['name']}.{c['name']}": set(c["natures"]) for t in told["tables"] for c in t["columns"]}
    assert natures["openemr_postcalendar_events.pc_recurrspec"] == {"php"}
    assert {"procedure_report", "procedure_result", "procedure_order_code"} <= set(told["through"])
    manifest = extracted(tmp_path / "m", url, tmp_path / "out", PASSWORD)
    assert manifest["rows"]["patient"] == 122
