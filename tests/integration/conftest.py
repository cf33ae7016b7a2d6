"""Practices carried to their archive, made once: the one most tests read, and a very small one to be damaged byte by byte."""

from __future__ import annotations

import io
import re
import sqlite3
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from transvase.exporters import portability
from transvase.sources import mapping
from transvase.sources.extract import extract
from transvase.sources.synthetic.practice import generate
from transvase.validators.verdicts import judge

CLOCK = datetime(2026, 11, 23, 20, 0, 0, tzinfo=ZoneInfo("Europe/Paris"))
CONTACT = {"name": "Contact Portabilité", "email": "portabilite@cabinet.invalid", "phone": "+33300000099"}
SOFTWARE = "Transvase 0.1.0"


class Exported(NamedTuple):
    """A practice and its archive; `members` are the files of the outer ZIP by name, read by the standard library."""

    database: Path
    work: Path
    path: Path
    facts: dict[str, Any]
    members: dict[str, bytes]

    def inner(self, name: str) -> dict[str, bytes]:
        return unzipped(self.members[name])

    @property
    def patients(self) -> list[str]:
        return [n for n in self.members if n.startswith("PAT")]


def unzipped(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {i.filename: archive.read(i) for i in archive.infolist()}


def prepare(database: Path, work: Path) -> Path:
    """Extraction and verdicts of a database in `work`."""
    extract(mapping.load("synthetic"), database, work, clock=CLOCK)
    judge(work, clock=CLOCK, environment="sandbox")
    return work


def job(work: Path) -> portability.Job:
    return portability.job_of(work, {}, CLOCK, SOFTWARE, None, "Europe/Paris")


def exported(database: Path, work: Path, out: Path, workers: int = 1) -> Exported:
    facts = portability.export(job(work), out, CONTACT, workers=workers)
    path = out / facts["archive"]
    return Exported(database, work, path, facts, unzipped(path.read_bytes()))


@pytest.fixture(scope="session")
def make() -> Callable[..., Exported]:
    """`make(database, folder, workers)` carries a database to its archive."""
    return lambda database, folder, workers=1: exported(
        database, prepare(database, folder / "work"), folder / "out", workers
    )


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five journeys and twenty-five ordinary patients with small documents, the generator's defects and ours."""
    path = tmp_path_factory.mktemp("cabinet") / "cabinet.sqlite3"
    generate(path, patients=25, clock=CLOCK, document_size=2000)
    plant(path)
    return path


@pytest.fixture(scope="session")
def practice(database: Path, make: Callable[..., Exported], tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return make(database, tmp_path_factory.mktemp("practice"))


@pytest.fixture(scope="session")
def small(make: Callable[..., Exported], tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """One patient with two small documents, so that a test may verify hundreds of damaged copies."""
    folder = tmp_path_factory.mktemp("small")
    path = folder / "cabinet.sqlite3"
    generate(path, clock=CLOCK, document_size=500)
    keep_one_patient(path)
    made = make(path, folder)
    assert made.facts["documents"] == 2
    return made


HOSTILE = "O'B/R\\I:E*N?\"<&>|\u0001\u2028 \U0001f600 " + "É" * 60


def plant(path: Path) -> None:
    """What a practice's base may hold and no generator should: names no file system takes, times that do not exist, rows without
    a patient, bodies of any kind, two contents under one identifier."""
    base = sqlite3.connect(path)
    (cda,) = base.execute(
        "SELECT CNT_BLOB FROM T_DOC_CONTENU WHERE instr(CNT_BLOB, CAST('<ClinicalDocument' AS BLOB)) ORDER BY CNT_ID LIMIT 1"
    ).fetchone()
    patients = [p for (p,) in base.execute("SELECT PAT_ID FROM T_PATIENT ORDER BY PAT_ID DESC LIMIT 3")]
    base.execute(
        "UPDATE T_PATIENT SET PAT_NOM_NAIS = ?, PAT_PRENS_NAIS = ?, PAT_PREN1 = ?, PAT_ALERTE = ?, PAT_ADR = ? WHERE PAT_ID = ?",
        (*[HOSTILE] * 5, patients[0]),
    )
    base.executemany(
        "INSERT INTO T_RDV VALUES (?, ?, NULL, ?, ?, ?, ?, 0, NULL)",
        [
            (1, None, "2026-02-30 10:00", None, "V", "Jour qui n'existe pas"),
            (2, None, "2026-03-01 10:00", "2026-03-01 10:30", "P", "Congés; fermé,\\\r\nretour " + "€" * 80),
            (3, patients[1], "2026-03-02 10:00", "2026-03-02 09:00", "L", HOSTILE),
            (4, None, None, None, "A", None),
            (5, 999, "2026-03-29 02:30", "2026-03-29 02:30", "V", "\x00\x07"),
            # What some products write for "no date".
            (6, patients[1], "0001-01-01 00:00", "9999-12-31 23:59", "V", "Sans date"),
        ],
    )
    base.executemany(
        "INSERT INTO T_TRACE VALUES (?, ?, ?, ?, ?, ?, NULL)",
        [
            (1, None, 'a"b\\c]d', "2026-03-01 10:00:00", "LEC", "ligne\r\nsuivante\n<86>1 - - - - - -"),
            (2, None, None, "hier", "connexion", None),
            (3, 999, HOSTILE, "1890-01-01 00:00:00", HOSTILE, HOSTILE),
            (4, patients[1], None, "0001-01-01 00:00:00", "LEC", None),
        ],
    )
    bodies = (
        b"",
        b"\x00",
        b"%PDF-1.4 cut",
        b"PK\x03\x04 neither a zip",
        b"<html><body>&eacute;" + b"x" * 3000,
        b"{\\rtf1 " + b"{" * 500,
        cda,
        cda + b"<!-- other bytes, same identifier -->",
        b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        HOSTILE.encode(),
    )
    for key, body in enumerate(bodies, 1):
        base.execute(
            "INSERT INTO T_DOC (DOC_ID, DOC_PAT, DOC_TYPE, DOC_TITRE, DOC_ORIG, DOC_DT, DOC_CREE) VALUES (?, ?, ?, ?, 'I', ?, ?)",
            (key, patients[2], "?", HOSTILE, "2026-01-05", "2026-01-05 10:00:00"),
        )
        base.execute(
            "INSERT INTO T_DOC_CONTENU VALUES (?, ?, 1, '2026-01-05 10:00:00', ?, ?, NULL, NULL, ?)",
            (key, key, HOSTILE, f"{HOSTILE}.{key}", body),
        )
    base.executemany(
        "INSERT INTO T_DOC (DOC_ID, DOC_PAT, DOC_ORIG, DOC_DT, DOC_HR, DOC_CREE) VALUES (?, ?, 'I', ?, ?, ?)",
        [
            (81, patients[1], "0001-01-01", "00:00", "0001-01-01 00:00:00"),
            (82, patients[1], "9999-12-31", "23:59", "9999-12-31 23:59:59"),
            (83, patients[1], "1890-06-15", "10:00", "1890-06-15 10:00:00"),
        ],
    )
    base.executemany(
        "INSERT INTO T_DOC_CONTENU VALUES (?, ?, 1, ?, NULL, NULL, NULL, NULL, ?)",
        [(81, 81, "0001-01-01 00:00:00", b"a"), (82, 82, "9999-12-31 23:59:59", b"b"), (83, 83, None, b"c")],
    )
    base.execute(
        "UPDATE T_PATIENT SET PAT_DTN = '01/01/0001', PAT_DECES = '31/12/9999' WHERE PAT_ID = ?", (patients[1],)
    )
    # Versions that no number tells apart.
    base.execute(
        "INSERT INTO T_DOC (DOC_ID, DOC_PAT, DOC_ORIG, DOC_DT) VALUES (84, ?, 'I', '2026-01-06')", (patients[1],)
    )
    base.executemany(
        "INSERT INTO T_DOC_CONTENU VALUES (?, 84, ?, NULL, NULL, NULL, NULL, NULL, ?)",
        [(n, version, b"version %d" % n) for n, version in enumerate((1, 1, 0, -3, "deux", "", 7, 2), 840)],
    )
    # A content whose document is gone, one without content, one document of nobody.
    base.execute(
        "INSERT INTO T_DOC_CONTENU VALUES (90, 9999, 1, NULL, NULL, NULL, NULL, NULL, ?)", (b"content of no document",)
    )
    base.execute("INSERT INTO T_DOC (DOC_ID, DOC_PAT, DOC_ORIG) VALUES (91, ?, 'E')", (patients[2],))
    base.execute("INSERT INTO T_DOC (DOC_ID, DOC_ORIG) VALUES (92, 'P')")
    base.execute(
        "INSERT INTO T_DOC_CONTENU VALUES (92, 92, 1, NULL, NULL, NULL, NULL, NULL, ?)", (b"document of nobody",)
    )
    base.commit()
    base.close()


def keep_one_patient(path: Path) -> None:
    """Delete every row that belongs to another patient than the newborn of the journeys."""
    base = sqlite3.connect(path)
    ((kept,),) = base.execute("SELECT PAT_ID FROM T_PATIENT ORDER BY substr(PAT_DTN, 7) DESC LIMIT 1").fetchall()
    for (table,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for column in [c[1] for c in base.execute(f"PRAGMA table_info({table})")]:
            if re.fullmatch("[A-Z]{3}_PAT", column) or (table, column) == ("T_PATIENT", "PAT_ID"):
                base.execute(f"DELETE FROM {table} WHERE {column} IS NOT ?", (kept,))
    base.execute("DELETE FROM T_DOC_CONTENU WHERE CNT_DOC NOT IN (SELECT DOC_ID FROM T_DOC)")
    base.commit()
    base.execute("VACUUM")
    base.close()
