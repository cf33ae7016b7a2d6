"""What each scope of an export holds and leaves out, against the whole tables; the command that registers and runs a request."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from datetime import timedelta

import duckdb
import orjson
import pytest

from transvase.commands.main import main
from transvase.exporters import portability
from transvase.formats import canonical
from transvase.formats.portability_manifest import read
from transvase.ledger.requests import REQUESTS, Requests
from transvase.model.request import EVERYTHING, Scope
from transvase.model.tables import TABLES
from transvase.validators.archive import verify

from .conftest import CLOCK, CONTACT, job, unzipped

NEVER_UNITARY = {"personal_note", "appointment", "access_log", "billing", "native"}


def whole(practice, query):
    """Rows of the whole tables, asked without the product's selection."""
    with duckdb.connect() as base:
        for name in TABLES:
            base.execute(f"CREATE VIEW {name} AS FROM '{practice.work}/canonical/{name}.parquet'").fetchall()
        return base.sql(query).fetchall()


def export(practice, folder, scope):
    """(facts, patients by archive name, transverse members, MANIFEST.XML) of the archive of a scope."""
    facts = portability.export(job(practice.work)._replace(scope=scope), folder, CONTACT, workers=1)
    members = unzipped((folder / facts["archive"]).read_bytes())
    patients = {n: json.loads(unzipped(d)["DONNEES.JSON"]) for n, d in members.items() if n.startswith("PAT")}
    return facts, patients, unzipped(members["TRANSVERSE.ZIP"]), members["MANIFEST.XML"], members["README.TXT"].decode()


@pytest.fixture(scope="module")
def rich(practice):
    """The patient with the most kinds of rows, among those who have a personal note or an appointment."""
    counted = Counter()
    for name, table in TABLES.items():
        if table.of_patient and name != "patient":
            for (patient,) in whole(
                practice, f"SELECT DISTINCT patient FROM {name} WHERE patient IN (SELECT key FROM patient)"
            ):
                counted[patient] += 1 + (name in NEVER_UNITARY)
    return counted.most_common(1)[0][0]


@pytest.fixture(scope="module")
def doctor(practice):
    """The professional to whom the most patients are attached."""
    return whole(
        practice,
        "SELECT attending FROM patient WHERE attending IS NOT NULL GROUP BY ALL ORDER BY count(*) DESC, 1 LIMIT 1",
    )[0][0]


def held(patients):
    """Kinds of rows in the patient archives."""
    return {name for content in patients.values() for name in content["tables"]}


@pytest.mark.parametrize("judicial", [False, True])
def test_port_21_a_single_record_without_notes_agenda_and_traces_unless_a_requisition_asks(
    practice, rich, tmp_path, judicial
):
    facts, patients, transverse, manifest, readme = export(
        practice, tmp_path, Scope("UNITAIRE", patient=rich, judicial=judicial)
    )
    (content,) = patients.values()
    assert content["patient"]["key"] == rich and facts["patients"] == 1
    for name, table in TABLES.items():
        if not table.of_patient or name in ("patient", "correspondent"):
            continue
        expected = whole(practice, f"SELECT count(*) FROM {name} WHERE patient = '{rich}'")[0][0]
        left_out = name in NEVER_UNITARY and not judicial
        assert len(content["tables"].get(name, [])) == (0 if left_out else expected), name
    assert (held(patients) & NEVER_UNITARY != set()) is judicial
    assert (list(transverse) == ["README.TXT"]) is not judicial
    assert b"<exportType>UNITAIRE</exportType>" in manifest and "Portee UNITAIRE" in readme
    if judicial:
        traces = whole(practice, f"SELECT count(*) FROM access_log WHERE patient = '{rich}'")[0][0]
        assert transverse["TRANSVERSE/ACCES.LOG"].count(b"\n") == traces
    assert not verify(tmp_path / facts["archive"]).problems


def test_port_24_the_documents_that_the_professional_deselects_stay(practice, rich, tmp_path):
    keys = [k for (k,) in whole(practice, f"SELECT key FROM document WHERE patient = '{rich}' ORDER BY key")]
    assert len(keys) > 1
    facts, patients, _, _, readme = export(practice, tmp_path, Scope("UNITAIRE", patient=rich, deselected=(keys[0],)))
    (content,) = patients.values()
    assert {d["key"] for d in content["tables"]["document"]} == set(keys[1:])
    assert {v["document"] for v in content["tables"]["document_version"]} <= set(keys[1:])
    assert facts["documents"] == len(keys) - 1 and "ecartes par le professionnel : 1" in readme


def test_port_22_the_whole_practice_with_notes_agenda_and_traces(practice):
    names = {n for p in practice.patients for n in orjson.loads(practice.inner(p)["DONNEES.JSON"])["tables"]}
    assert {"personal_note", "appointment"} <= names
    assert {"TRANSVERSE/AGENDA.ICS", "TRANSVERSE/ACCES.LOG"} <= set(practice.inner("TRANSVERSE.ZIP"))


def test_port_25_the_whole_record_of_the_patients_of_a_professional(practice, doctor, tmp_path):
    facts, patients, transverse, manifest, _ = export(practice, tmp_path, Scope("CIBLE", practitioner=doctor))
    seen = " UNION ".join(
        f"SELECT patient FROM {n} WHERE practitioner = '{doctor}'" for n in ("encounter", "document", "note")
    )
    mine = {
        k
        for (k,) in whole(
            practice, f"SELECT key FROM patient WHERE attending = '{doctor}' OR (attending IS NULL AND key IN ({seen}))"
        )
    }
    assert {c["patient"]["key"] for c in patients.values()} == mine and 0 < len(mine) < len(practice.patients)
    listed = ", ".join(f"'{k}'" for k in sorted(mine))
    for name, table in TABLES.items():
        if table.of_patient and name not in ("patient", "access_log", "correspondent"):
            expected = whole(practice, f"SELECT count(*) FROM {name} WHERE patient IN ({listed})")[0][0]
            assert sum(len(c["tables"].get(name, [])) for c in patients.values()) == expected, name
    assert transverse["TRANSVERSE/ACCES.LOG"] == b"" and transverse["TRANSVERSE/AGENDA.ICS"].count(b"BEGIN:VEVENT") > 0
    assert b"<exportType>CIBLE</exportType>" in manifest and b"exportStartTime" not in manifest
    assert not verify(tmp_path / facts["archive"]).problems


def test_port_23_a_period_bounds_what_is_dated_and_stands_in_the_manifest(practice, tmp_path):
    scope = Scope("CIBLE", start="2026-01-01", end="2026-03-31")
    facts, patients, _, manifest, _ = export(practice, tmp_path, scope)
    assert b"<exportStartTime>2026-01-01T00:00:00</exportStartTime>" in manifest
    assert b"<exportEndTime>2026-03-31T23:59:59</exportEndTime>" in manifest
    for content in patients.values():
        dated = 0
        for name, rows in content["tables"].items():
            column = TABLES[name].dated
            for row in rows if column else ():
                day = row[column][:10]
                assert "2026-01-01"[: len(day)] <= day <= "2026-03-31"[: len(day)]
                dated += 1
        assert dated, "a patient without anything in the period has no archive"
        # What describes the patient is whole: an allergy left out would read as an allergy denied.
        key = content["patient"]["key"]
        for name in ("problem", "allergy", "treatment", "risk_factor", "immunization"):
            assert (
                len(content["tables"].get(name, []))
                == whole(practice, f"SELECT count(*) FROM {name} WHERE patient = '{key}'")[0][0]
            )
    in_period = whole(
        practice,
        "SELECT count(*) FROM document WHERE patient IN (SELECT key FROM patient) AND left(act, 10) BETWEEN '2026-01-01' AND '2026-03-31'",
    )
    assert facts["documents"] == in_period[0][0] > 0


def test_port_23_types_of_data(practice, doctor, tmp_path):
    _, patients, _, _, _ = export(
        practice, tmp_path, Scope("CIBLE", practitioner=doctor, types=("document", "prescription"))
    )
    assert {"document", "document_version", "prescription", "prescription_line", "problem"} <= held(patients)
    assert not held(patients) & {
        "note",
        "encounter",
        "vital_sign",
        "lab_result",
        "personal_note",
        "appointment",
        "billing",
    }


def test_port_01_the_scope_never_changes_the_form_of_a_patient_archive(practice, rich, tmp_path):
    """The same record, alone or among all: the same files, but for what the scope leaves out."""
    _, patients, _, _, _ = export(practice, tmp_path, Scope("UNITAIRE", patient=rich, judicial=True))
    among = next(
        n for n in practice.patients if orjson.loads(practice.inner(n)["DONNEES.JSON"])["patient"]["key"] == rich
    )
    alone = unzipped(unzipped(next(tmp_path.glob("PA*.ZIP")).read_bytes())["PAT00001.ZIP"])
    assert list(alone) == list(practice.inner(among))
    assert alone["IHE_XDM/SUBSET01/METADATA.XML"] == practice.inner(among)["IHE_XDM/SUBSET01/METADATA.XML"]
    assert patients["PAT00001.ZIP"] == orjson.loads(practice.inner(among)["DONNEES.JSON"])


def test_two_scopes_of_one_second_are_two_exports(practice, rich, tmp_path):
    ids = set()
    for number, scope in enumerate(
        (EVERYTHING, Scope("UNITAIRE", patient=rich), Scope("UNITAIRE", patient=rich, judicial=True))
    ):
        export(practice, tmp_path / str(number), scope)
        with (
            next((tmp_path / str(number)).glob("PA*.ZIP")).open("rb") as file,
            zipfile.ZipFile(file) as archive,
            archive.open("MANIFEST.XML") as manifest,
        ):
            ids.add(read(manifest)[0].export_id)
    assert len(ids) == 3


def test_a_name_in_a_scope_is_a_value_and_never_sql(practice):
    for scope in (Scope("UNITAIRE", patient="' OR '1'='1"), Scope("CIBLE", practitioner="x'; DROP TABLE patient; --")):
        with canonical.connect(practice.work, scope=scope) as base:
            assert base.sql("SELECT count(*) FROM patient").fetchall() == [(0,)]


@pytest.fixture
def office(practice, tmp_path):
    """A settings file over the practice's work folder, and a clock to type."""
    file = tmp_path / "transvase.toml"
    file.write_text(
        f'[source]\npath = "{practice.database}"\n[work]\nfolder = "{practice.work}"\nworkers = 1\n[export]\nfolder = "{tmp_path}/sortie"\n',
        encoding="utf-8",
    )
    (practice.work / REQUESTS).unlink(missing_ok=True)

    def call(*words, after=timedelta(0)):
        return main(["request", *words, "--settings", str(file), "--clock", (CLOCK + after).isoformat()])

    yield call
    (practice.work / REQUESTS).unlink(missing_ok=True)


def test_port_02_and_13_a_professional_of_the_software_asks_and_runs_alone(
    office, practice, rich, doctor, tmp_path, capsys
):
    assert office("new", "unitaire", "--by", doctor, "--patient", rich) == 0
    assert office("run", "1", "--json") in (0, 1)
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    (request,) = answer["requests"]
    assert (request["state"], request["late"], answer["chain_broken_at"]) == ("delivered", [], None)
    delivered = request["events"][-1]
    archive = tmp_path / "sortie" / "demande-000001" / delivered["archive"]
    assert archive.is_file() and delivered["patients"] == 1
    assert archive.with_name(f"{archive.name}.sha256").read_text().split()[0] == delivered["sha256"]
    # What was asked for once is closed.
    assert office("run", "1") != 0 and "close" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words, said",
    [
        (("new", "unitaire", "--by", "{doctor}"), "se contredit"),
        (("new", "cible", "--by", "{doctor}"), "se contredit"),
        (("new", "massif", "--by", "{doctor}", "--patient", "{rich}"), "se contredit"),
        (("new", "cible", "--by", "{doctor}", "--from", "2026-2-1"), "se contredit"),
        (("new", "unitaire", "--by", "{doctor}", "--patient", "inconnu"), "aucune ligne de patient"),
        (("new", "massif", "--by", "inconnu"), "aucune ligne de practitioner"),
        (("new", "massif", "--by", "{doctor}", "--received", "2027-01-01T00:00:00+01:00"), "avenir"),
        (("show", "9"), "aucune demande 9"),
        (("run", "9"), "aucune demande 9"),
    ],
)
def test_a_request_that_cannot_be_is_one_sentence(office, rich, doctor, capsys, words, said):
    assert office(*(w.format(rich=rich, doctor=doctor) for w in words)) != 0
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_port_05_and_06_deadlines_are_told_before_and_after(office, doctor, capsys):
    assert office("new", "massif", "--by", doctor) == 0
    assert office("list", after=timedelta(hours=47)) == 0
    assert (
        office("list", after=timedelta(hours=49)) == 1 and "EN RETARD (accusé de réception)" in capsys.readouterr().out
    )
    assert office("acknowledge", "1", after=timedelta(hours=1)) == 0
    assert office("list", after=timedelta(days=29)) == 0 and "échéance proche" in capsys.readouterr().out
    assert office("list", after=timedelta(days=31)) == 1 and "EN RETARD" in capsys.readouterr().out


def test_the_sensor_runs_what_waits_once(practice, doctor, rich, tmp_path, monkeypatch, office):
    import dagster as dg

    from transvase.assets.requests import TAG
    from transvase.pipelines.definitions import portability_requests

    monkeypatch.setenv("TRANSVASE_SETTINGS", str(tmp_path / "transvase.toml"))
    with dg.instance_for_test() as instance:
        ask = lambda: portability_requests(dg.build_sensor_context(instance))  # noqa: E731
        assert isinstance(ask(), dg.SkipReason)
        office("new", "unitaire", "--by", doctor, "--patient", rich)
        office("new", "massif", "--by", doctor)
        office("cancel", "2")
        (asked,) = ask().run_requests
        assert asked.tags[TAG] == "1" and asked.run_key == "demande-1"
        with Requests(practice.work / REQUESTS) as register:
            register.record(1, CLOCK, "failed", error="DiskFull")
        # A failure is the operator's: the sensor does not try again all night.
        assert isinstance(ask(), dg.SkipReason)


@pytest.mark.requirement("INS-08")
def test_port_29_a_patient_without_a_qualified_identity_leaves_under_the_local_number(practice):
    with zipfile.ZipFile(practice.path) as archive, archive.open("MANIFEST.XML") as manifest:
        under = {line.name: line.patient_id for line in read(manifest)[1] if line.type == "PATIENT"}
    with duckdb.connect() as base:
        states = dict(
            base.sql(f"SELECT patient, qualified FROM '{practice.work}/verdicts/identities.parquet'").fetchall()
        )
    seen = set()
    for name in practice.patients:
        key = orjson.loads(practice.inner(name)["DONNEES.JSON"])["patient"]["key"]
        assert under[name].endswith("ISO^NH" if states[key] else "ISO^PI")
        assert states[key] or under[name].startswith(f"{key}^^^")
        seen.add(states[key])
    assert seen == {True, False}
