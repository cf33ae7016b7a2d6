"""PARQUET/ and FHIR/ in the archive: exactly the rows of its required part, whatever the scope, the division and the encryption; found
when changed, taken away without harm, the same bytes twice and after a kill."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow.parquet as pq
import pyrage
import pytest

from transvase.exporters import portability
from transvase.exporters.archive_set import Delivery, Division
from transvase.exporters.fhir import bulk
from transvase.formats import canonical, encryption
from transvase.model.record import ROW
from transvase.model.request import EVERYTHING, Scope
from transvase.model.slot import PATIENTS_PER_LOT
from transvase.model.table import Kind
from transvase.model.tables import TABLES
from transvase.sources.synthetic.practice import generate
from transvase.validators.archive import verify

from .conftest import CLOCK, CONTACT, SOFTWARE, Exported, job, prepare, unzipped

FOLDERS = ("PARQUET", "FHIR")
PATIENTS = 12
KEYLESS = ("practice", "practitioner")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve patients, with rows of nobody known."""
    folder = tmp_path_factory.mktemp("facultatif")
    generate(folder / "cabinet.sqlite3", patients=PATIENTS - 6, clock=CLOCK, document_size=500)
    with sqlite3.connect(folder / "cabinet.sqlite3") as base:
        base.execute("INSERT INTO T_RDV (RDV_ID, RDV_PAT) VALUES (9001, 999)")
    return prepare(folder / "cabinet.sqlite3", folder / "work")


def made(work: Path, out: Path, scope: Scope = EVERYTHING, **division: Any) -> list[Path]:
    """The archives of an export with both folders."""
    asked = job(work)._replace(parquet=True, fhir=True, scope=scope)
    portability.export(asked, out, CONTACT, workers=1, division=Division(**division))
    return sorted(p for p in out.glob("PA*") if not p.name.endswith((".sha256", ".JSON")))


@pytest.fixture(scope="module")
def archive(work: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    (path,) = made(work, tmp_path_factory.mktemp("entier"))
    return path


Rows = dict[str, Counter[str]]


def text_of(row: dict[str, Any]) -> str:
    return json.dumps(row, sort_keys=True)


def required(members: dict[str, bytes], known: set[str]) -> Rows:
    """Rows of each table in DONNEES.JSON and, of nobody known, in TRANSVERSE.ZIP."""
    found: Rows = {name: Counter() for name in TABLES}
    for name, data in members.items():
        if name.startswith("PAT"):
            content = orjson.loads(unzipped(data)["DONNEES.JSON"])
            found["patient"][text_of(content["patient"])] += 1
            for table, rows in content["tables"].items():
                found[table].update(map(text_of, rows))
    for name, data in unzipped(members["TRANSVERSE.ZIP"]).items():
        if name.endswith(".JSONL"):
            table = name.rsplit("/", 1)[1].removesuffix(".JSONL").lower()
            rows = [orjson.loads(line) for line in data.splitlines()]
            # The records of patients are in their archive.
            found[table].update(
                text_of(r) for r in rows if table in KEYLESS or "/ORPHELIN/" in name or r["patient"] not in known
            )
    return found


def in_parquet(members: dict[str, bytes]) -> Rows:
    found: Rows = {}
    for name, data in members.items():
        if name.startswith("PARQUET/") and name.endswith(".parquet"):
            table = pq.read_table(io.BytesIO(data))
            declared = TABLES[Path(name).stem]
            assert table.schema.equals(declared.schema)
            found[declared.name] = Counter(map(text_of, table.to_pylist()))
    return found


def resources(members: dict[str, bytes]) -> list[dict[str, Any]]:
    return [
        orjson.loads(line)
        for name, data in members.items()
        if name.startswith("FHIR/") and name.endswith(".ndjson")
        for line in data.splitlines()
    ]


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["reference"]] if isinstance(value.get("reference"), str) else []
        return own + [r for v in value.values() for r in references(v)]
    return [r for v in value for r in references(v)] if isinstance(value, list) else []


def rows_of(work: Path, table: str, scope: Scope = EVERYTHING) -> list[Any]:
    with canonical.connect(work, scope=scope) as base:
        found = base.sql(f"SELECT {TABLES[table].select} FROM {table} ORDER BY key").fetchall()
    return [ROW[table]._make(values) for values in found]


def check(members: dict[str, bytes], known: set[str], keyless: bool = True) -> None:
    """Both folders against the required part of their own archive, of an export of the patients `known`; `keyless`: the tables without
    patient leave, even where they are in the TRANSVERSE.ZIP of another archive."""
    expected, found = required(members, known), in_parquet(members)
    for name in TABLES:
        if name in KEYLESS and f"TRANSVERSE/{name.upper()}.JSONL" not in unzipped(members["TRANSVERSE.ZIP"]):
            assert (name in found) is keyless
            continue
        assert found.get(name, Counter()) == expected[name], name
    told = resources(members)
    listed = {f"{r['resourceType']}/{r['id']}" for r in told}
    assert len(listed) == len(told), "a resource stands twice"
    assert set(references(told)) <= listed, "what is referred to stands in the same archive"
    assert sum(name.startswith("PAT") for name in members) == sum(r["resourceType"] == "Patient" for r in told)
    said = json.loads(members["FHIR/manifest.json"])
    counted = Counter(r["resourceType"] for r in told)
    assert {(o["type"], o["url"], o["count"]) for o in said["output"]} == {
        (kind, f"{kind}.ndjson", count) for kind, count in counted.items()
    }


def keys(work: Path, scope: Scope = EVERYTHING) -> set[str]:
    return {row.key for row in rows_of(work, "patient", scope)}


# -- what they hold ------------------------------------------------------------------------------------------------------------


def test_the_whole_practice_is_in_both(archive: Path, work: Path) -> None:
    members = unzipped(archive.read_bytes())
    check(members, keys(work))
    found = in_parquet(members)
    assert {n: sum(c.values()) for n, c in found.items()} == canonical.manifest(work)["rows"]
    assert found["appointment"] and found["personal_note"] and found["access_log"]


def test_fhir_is_what_the_command_writes(archive: Path, work: Path, tmp_path: Path) -> None:
    with canonical.connect(work) as base:
        context = portability.open_context(job(work), base)
        states = dict(base.sql("SELECT patient, qualified FROM identities").fetchall())
        people = [
            bulk.Person(patient, record, states[patient.key])
            for lot in canonical.plan(base, PATIENTS_PER_LOT)
            for _, patient, record in canonical.patients(base, lot)
        ]
    others = [row for row in rows_of(work, "practice") if row.key != context.practice.key]
    told = bulk.write(
        tmp_path,
        iter(people),
        practices=[context.practice, *others],
        practitioners={row.key: row for row in rows_of(work, "practitioner")},
        created=CLOCK.isoformat(),
    )
    members = unzipped(archive.read_bytes())
    for path in tmp_path.glob("*.ndjson"):
        assert members[f"FHIR/{path.name}"] == path.read_bytes(), path.name
    assert json.loads(members["FHIR/manifest.json"]) == {**told, "request": "transvase export"}


@pytest.fixture(scope="module")
def patient(work: Path) -> str:
    """The patient with the most notes among those who have a personal note."""
    kept = {row.patient for row in rows_of(work, "personal_note")} & {
        row.patient for row in rows_of(work, "access_log")
    }
    return Counter(row.patient for row in rows_of(work, "note") if row.patient in kept).most_common(1)[0][0]


@pytest.fixture(scope="module")
def doctor(work: Path) -> str:
    return Counter(row.attending for row in rows_of(work, "patient") if row.attending).most_common(1)[0][0]


SCOPES: dict[str, Callable[[str, str], Scope]] = {
    "one patient": lambda p, d: Scope("UNITAIRE", patient=p),
    "one patient, requisition": lambda p, d: Scope("UNITAIRE", patient=p, judicial=True),
    "a professional": lambda p, d: Scope("CIBLE", practitioner=d),
    "a type of data": lambda p, d: Scope("CIBLE", types=("prescription",)),
    "a period": lambda p, d: Scope("CIBLE", start="2026-01-01", end="2026-06-30"),
}
NEVER_UNITARY = {"personal_note", "appointment", "access_log", "billing", "native"}
MARK = re.compile(r"Zq([a-z_]+)\.([^.]+)\.qZ")


@pytest.fixture(scope="module")
def marked(work: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same practice, where each free text says of which table and of which patient it is."""
    folder = tmp_path_factory.mktemp("marques") / "work"
    shutil.copytree(work, folder)
    kept = {
        "key",
        "sha256",
        "source_table",
        "source_key",
        "document",
        "version",
        "oid",
        "ins",
        "media_type",
        "detected",
    }
    for name, table in TABLES.items():
        free = [
            c.name
            for c in table.own
            if c.kind is Kind.TEXT and not c.references and not c.values and c.name not in kept
        ]
        if not table.of_patient or not free:
            continue
        path = folder / "canonical" / f"{name}.parquet"
        mark = f"'Zq{name}.' || coalesce(\"{table.patient_column}\", '?') || '.qZ'"
        changed = ", ".join(f'{mark} AS "{c}"' for c in free)
        held = duckdb.sql(f"SELECT * REPLACE ({changed}) FROM '{path}'").to_arrow_table()
        pq.write_table(held.cast(pq.read_schema(path)), path, **canonical.LAYOUT)
    return folder


@pytest.mark.parametrize("name", SCOPES)
def test_a_scope_leaves_nothing_else_in_either(
    marked: Path, patient: str, doctor: str, tmp_path: Path, name: str
) -> None:
    scope = SCOPES[name](patient, doctor)
    (path,) = made(marked, tmp_path, scope)
    members = unzipped(path.read_bytes())
    allowed = keys(marked, scope)
    assert allowed and (scope.types or len(allowed) < PATIENTS)
    check(members, allowed, keyless=scope.kind != "UNITAIRE" or scope.judicial)
    for folder in FOLDERS:
        text = (
            " ".join(row for rows in in_parquet(members).values() for row in rows)
            if folder == "PARQUET"
            else " ".join(map(str, resources(members)))
        )
        seen = set(MARK.findall(text))
        assert {"patient"} < {table for table, _ in seen}
        assert {key for _, key in seen} <= allowed | {"?"}
        # The address book is nobody's, and leaves with the data of the practice.
        strays = {table for table, key in seen if key == "?"}
        assert strays <= ({"correspondent"} if scope.kind != "UNITAIRE" or scope.judicial else set())
        assert {table for table, _ in seen} <= {table for table in TABLES if scope.carries(table)}
        if name == "one patient":
            assert not {table for table, _ in seen} & NEVER_UNITARY
            assert {key for _, key in seen} == {patient}
        if name == "a type of data":
            assert not {t for t, _ in seen} & {"note", "encounter", "vital_sign", "lab_result", *NEVER_UNITARY} - {
                "native"
            }
    assert not verify(path).problems


def test_the_record_of_one_patient_names_only_the_professionals_it_needs(
    work: Path, patient: str, tmp_path: Path
) -> None:
    (path,) = made(work, tmp_path, Scope("UNITAIRE", patient=patient))
    members = unzipped(path.read_bytes())
    told = resources(members)
    named = set(references([r for r in told if r["resourceType"] not in ("PractitionerRole", "Practitioner")]))
    roles = {f"PractitionerRole/{r['id']}" for r in told if r["resourceType"] == "PractitionerRole"}
    assert roles and roles <= named
    assert len(roles) < len(rows_of(work, "practitioner"))
    assert not set(in_parquet(members)) & {*KEYLESS, *NEVER_UNITARY}


# -- divided, in phases, encrypted ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("division", [{"part_size": 500_000}, {"most": 4}], ids=str)
def test_each_archive_of_a_set_holds_its_own_and_together_they_hold_all(
    work: Path, archive: Path, tmp_path: Path, division: dict[str, int]
) -> None:
    found = made(work, tmp_path, **division)
    assert len(found) >= 3
    every: Rows = {name: Counter() for name in TABLES}
    for path in found:
        assert not verify(path).problems
        members = unzipped(path.read_bytes())
        check(members, keys(work))
        if bound := division.get("part_size"):
            assert path.stat().st_size <= bound
        for name, rows in in_parquet(members).items():
            every[name] = every[name] | rows if name in KEYLESS else every[name] + rows
    assert every == in_parquet(unzipped(archive.read_bytes()))


def test_the_encrypted_archive_is_the_plain_one_and_nothing_waits_in_clear(
    work: Path, archive: Path, tmp_path: Path
) -> None:
    identity = pyrage.x25519.Identity.generate()
    recipient = encryption.recipient(str(identity.to_public()), None, None, CLOCK)
    (path,) = made(work, tmp_path, recipient=recipient)
    assert pyrage.decrypt(path.read_bytes(), [identity]) == archive.read_bytes()
    assert not (work / "parts").exists()


def test_the_two_deliveries_of_a_request_in_phases_hold_each_patient_once(
    work: Path, archive: Path, tmp_path: Path
) -> None:
    days = sorted(row.start[:10] for row in rows_of(work, "encounter") if row.start)
    every: Rows = {name: Counter() for name in TABLES}
    for number, scope in enumerate((Scope(active_since=days[-5]), Scope(after="essai")), 1):
        (path,) = made(
            work, tmp_path / str(number), scope, delivery=Delivery("essai", number, 2, "2026-12-23T00:00:00+01:00")
        )
        assert not verify(path).problems
        members = unzipped(path.read_bytes())
        check(members, keys(work, scope))
        assert 0 < sum(in_parquet(members)["patient"].values()) < PATIENTS
        for name, rows in in_parquet(members).items():
            # The address book leaves with each.
            shared = name in KEYLESS or name == "correspondent"
            every[name] = every[name] | rows if shared else every[name] + rows
    assert every == in_parquet(unzipped(archive.read_bytes()))


# -- changed, taken away, interrupted ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(small: Exported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    (path,) = made(small.work, tmp_path_factory.mktemp("petit"))
    return path


def blocking(path: Path) -> list[str]:
    return [f.id for f in verify(path).findings if f.severity == "block"]


def test_any_byte_changed_in_a_folder_is_found_without_the_digest_of_the_file(tiny: Path, tmp_path: Path) -> None:
    chance = random.Random(4)
    data = tiny.read_bytes()
    copy = tmp_path / tiny.name
    copy.write_bytes(data)
    assert blocking(copy) == []
    tried = 0
    with zipfile.ZipFile(tiny) as outer:
        for info in outer.infolist():
            if not info.filename.startswith(("PARQUET/", "FHIR/")):
                continue
            start = info.header_offset + 30 + len(info.filename)
            places = {0, info.compress_size - 1, chance.randrange(info.compress_size)}
            for place in sorted(places):
                with copy.open("r+b") as file:
                    file.seek(start + place)
                    file.write(bytes([data[start + place] ^ chance.choice((0xFF, 0x55, 0x80, 0x01))]))
                assert blocking(copy), (info.filename, place)
                with copy.open("r+b") as file:
                    file.seek(start + place)
                    file.write(data[start + place : start + place + 1])
                tried += 1
    assert tried > 100
    assert blocking(copy) == []


def without(path: Path, target: Path, folders: tuple[str, ...]) -> Path:
    """The archive again in our container form without these folders."""
    from transvase.formats.zip_stream import build

    with zipfile.ZipFile(path) as outer:
        entries = [
            (i.filename, outer.read(i), i.compress_type != zipfile.ZIP_STORED)
            for i in outer.infolist()
            if not i.filename.startswith(tuple(f"{f}/" for f in folders))
        ]
    target.write_bytes(build(entries, CLOCK.replace(tzinfo=None)))
    return target


@pytest.mark.parametrize("folders", [("PARQUET",), ("FHIR",), FOLDERS], ids=str)
def test_taken_away_the_archive_verifies_and_says_so(tiny: Path, tmp_path: Path, folders: tuple[str, ...]) -> None:
    path = without(tiny, tmp_path / tiny.name, folders)
    report = verify(path)
    assert not report.problems
    (gone,) = [f for f in report.elsewhere if f.id == "ARC-GONE-OPTIONAL"]
    assert str(len(folders)) in gone.sentence("en")


@pytest.mark.parametrize("name", ["PARQUET/patient.parquet", "FHIR/Patient.ndjson", "FHIR/manifest.json"])
def test_a_file_that_is_missing_or_added_is_found(tiny: Path, tmp_path: Path, name: str) -> None:
    assert blocking(without(tiny, tmp_path / tiny.name, (name.removesuffix("/"),))) == []
    from transvase.formats.zip_stream import build

    members = unzipped(tiny.read_bytes())
    for entries in (
        [(n, d, False) for n, d in members.items() if n != name],
        [(n, d, False) for n, d in (*members.items(), (name + ".bak", members[name]))],
    ):
        path = tmp_path / tiny.name
        path.write_bytes(build(entries, CLOCK.replace(tzinfo=None)))
        assert blocking(path) == ["ARC-OPTIONAL"]


def test_the_required_part_is_the_same_with_and_without(small: Exported, tiny: Path) -> None:
    members = unzipped(tiny.read_bytes())
    kept = {n: d for n, d in members.items() if not n.startswith(("PARQUET/", "FHIR/"))}
    assert kept.keys() == small.members.keys()
    assert {n for n, d in kept.items() if small.members[n] != d} == {"README.TXT", "MANIFEST.XML"}
    for folder in FOLDERS:
        assert f"{folder} (facultatif)" in members["README.TXT"].decode()
        assert f"{folder}/*" in members["DOCUMENTATION/FICHIERS.CSV"].decode("utf-8-sig")
        assert hashlib.sha256(members[f"{folder}/SHA256.TXT"]).hexdigest().encode() in members["MANIFEST.XML"]


SCRIPT = """
import json, sys
from datetime import datetime
from pathlib import Path
from transvase.exporters import portability

if __name__ == "__main__":
    work, out, contact, clock, software = sys.argv[1:]
    portability.PATIENTS_PER_LOT = 2
    job = portability.job_of(Path(work), {}, datetime.fromisoformat(clock), software, None, "Europe/Paris", parquet=True, fhir=True)
    portability.export(job, Path(out), json.loads(contact), workers=1)
"""


@pytest.mark.parametrize("where", ["between two lots", "while a folder is gathered"])
def test_killed_and_begun_again_the_bytes_are_the_same(work: Path, archive: Path, tmp_path: Path, where: str) -> None:
    shutil.copytree(work, tmp_path / "work")
    (tmp_path / "export.py").write_text(SCRIPT)
    arguments = [str(tmp_path / "work"), str(tmp_path / "out"), json.dumps(CONTACT), CLOCK.isoformat(), SOFTWARE]

    def run() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, str(tmp_path / "export.py"), *arguments], start_new_session=True)

    def ready() -> bool:
        parts = tmp_path / "work" / "parts"
        if where == "between two lots":
            return len(list(parts.glob("*/lot-*.json"))) >= 2
        return any(parts.glob("optional/*"))

    # Lots of two patients where the archive was made of one lot: they do not show in the bytes either.
    for _ in range(5):
        process = run()
        while process.poll() is None and not ready():
            time.sleep(0.001)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            if process.wait() == -signal.SIGKILL:
                break
        shutil.rmtree(tmp_path / "out")
    else:
        raise AssertionError("the export always ended first")
    assert list((tmp_path / "work" / "parts").glob("*/lot-*.json"))
    assert not list((tmp_path / "out").glob("PA*"))
    assert run().wait() == 0
    assert (tmp_path / "out" / archive.name).read_bytes() == archive.read_bytes()
    assert not (tmp_path / "work" / "parts").exists()


def test_a_finished_lot_whose_resources_were_cut_is_made_again(
    work: Path, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(work, tmp_path / "work")
    asked = job(tmp_path / "work")._replace(parquet=True, fhir=True)
    portability.parts(asked, range(64), 1, lambda *_: None)
    (resources_of_lot,) = (tmp_path / "work" / "parts").glob("*/lot-*.fhir")
    with resources_of_lot.open("r+b") as file:
        file.truncate(100)
    portability.export(asked, tmp_path / "out", CONTACT, workers=1)
    assert (tmp_path / "out" / archive.name).read_bytes() == archive.read_bytes()
