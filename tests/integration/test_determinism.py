"""Same practice, clock and settings: the same bytes, whatever the folders, the number of processes, and what ran before."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from transvase.exporters import portability
from transvase.sources.synthetic.practice import generate


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_same_database_gives_the_same_archive_in_other_folders(practice, make, tmp_path):
    again = make(practice.database, tmp_path / "un dossier d'ailleurs")
    assert again.path.name == practice.path.name
    assert sha256(again.path) == sha256(practice.path)
    assert again.facts == practice.facts


def test_two_processes_give_the_bytes_of_one(practice, make, tmp_path, monkeypatch):
    """Lots as small as slots allow, so that both processes work and the order in which they end is not that of the archive."""
    monkeypatch.setattr(portability, "PATIENTS_PER_LOT", 3)
    again = make(practice.database, tmp_path, workers=2)
    assert sha256(again.path) == sha256(practice.path)


def test_the_invented_practice_itself_is_the_same_twice(tmp_path):
    """Row by row, since a SQLite file may differ where rows do not."""
    from_two = []
    for name in ("a", "b"):
        generate(tmp_path / name, patients=5, clock=datetime(2026, 11, 23, 20, tzinfo=ZoneInfo("Europe/Paris")))
        with sqlite3.connect(tmp_path / name) as base:
            from_two.append(list(base.iterdump()))
    assert from_two[0] == from_two[1]


def test_another_clock_gives_another_archive(small, tmp_path):
    """A check of the checks above: what should show does."""
    work = tmp_path / "work"
    shutil.copytree(small.work, work)
    job = portability.job_of(
        work,
        {},
        datetime.fromisoformat("2026-11-23T20:00:00+01:00") + timedelta(seconds=2),
        "Transvase 0.1.0",
        None,
        "Europe/Paris",
    )
    facts = portability.export(job, tmp_path / "out", {}, workers=1)
    assert facts["archive"] == "PA20261123T200002.ZIP"
    assert facts["sha256"] != sha256(small.path)


def test_port_04_without_a_contact_in_the_settings_the_practice_is_the_contact(small, tmp_path):
    work = tmp_path / "work"
    shutil.copytree(small.work, work)
    portability.export(portability.job_of(work, {}, datetime.fromisoformat("2026-11-23T20:00:00+01:00"), "T 1", None,
                                          "Europe/Paris"), tmp_path / "out", {}, workers=1)  # fmt: skip
    with zipfile.ZipFile(tmp_path / "out" / "PA20261123T200000.ZIP") as archive:
        text = archive.read("MANIFEST.XML").decode()
    assert "<contact><name>Maison de santé" in text
    assert "<email>secretariat1@" in text
