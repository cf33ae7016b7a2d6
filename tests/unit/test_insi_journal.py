"""The journal of INSi calls: a row before each call, a quota that two commands cannot pass together, a chain that shows tampering."""

from __future__ import annotations

import os
import sqlite3
import threading
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from transvase.errors import OutputUnwritable
from transvase.ledger.insi import ANSWERS, JOURNAL, Answers, Call, Journal, Kept
from transvase.validators.insi import EVIDENCE, Evidence, evidence, evidence_sql, verdict_rows

PARIS = ZoneInfo("Europe/Paris")
CLOCK = datetime(2026, 11, 23, 20, 0, tzinfo=PARIS)
KEPT = Kept("180017599000116", "1.2.250.1.213.1.4.10", "", "ZZNOM", "ZZPRENOM", "ZZPRENOM", "M", "1980-01-15", "75056")


def call(number: int = 1, patient: str = "P1") -> Call:
    return Call(patient, "rechercherInsAvecTraitsIdentite", "given-1", f"uuid:{number}", 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "work" / JOURNAL


def told(journal: Journal, number: int, patient: str, outcome: str, *traits: str, at: datetime = CLOCK) -> None:
    """A call and its conclusion."""
    assert journal.reserve(call(number, patient), at, 1000)
    journal.answered(call(number, patient), at, "00")
    journal.concluded(call(number, patient), at, "00", outcome, traits)


def test_the_quota_counts_what_left_even_without_an_answer(path: Path) -> None:
    with Journal(path) as journal:
        assert [journal.reserve(call(n), CLOCK, 2) for n in (1, 2, 3)] == [True, True, False]
        assert journal.calls_on("2026-11-23") == 2
        assert journal.events() == 2, "nothing is written for a call that may not leave"


def test_the_quota_is_that_of_the_local_day(path: Path) -> None:
    late, early = datetime(2026, 11, 23, 23, 59, tzinfo=PARIS), datetime(2026, 11, 24, 0, 1, tzinfo=PARIS)
    with Journal(path) as journal:
        assert journal.reserve(call(1), late, 1)
        assert not journal.reserve(call(2), late + timedelta(seconds=30), 1)
        assert journal.reserve(call(3), early, 1)


def test_a_quota_of_none_lets_nothing_leave(path: Path) -> None:
    with Journal(path) as journal:
        assert not journal.reserve(call(), CLOCK, 0)


def test_two_commands_do_not_pass_the_quota_together(path: Path) -> None:
    Journal(path).close()
    passed: list[bool] = []

    def command(first: int) -> None:
        with Journal(path) as journal:
            passed.extend(journal.reserve(call(n), CLOCK, 10) for n in range(first, first + 10))

    threads = [threading.Thread(target=command, args=(100 * n,)) for n in (1, 2, 3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert passed.count(True) == 10 and len(passed) == 30
    with Journal(path) as journal:
        assert journal.broken() is None


def test_events_are_neither_changed_nor_removed(path: Path) -> None:
    with Journal(path) as journal:
        told(journal, 1, "P1", "differs", "sex")
    base = sqlite3.connect(path)
    for statement in ("UPDATE event SET outcome = 'equal'", "DELETE FROM event"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            base.execute(statement)


COLUMNS = (
    "at",
    "day",
    "patient",
    "event",
    "operation",
    "criteria",
    "message_id",
    "tries",
    "code",
    "outcome",
    "traits",
    "previous",
    "digest",
)


@pytest.mark.parametrize("column", COLUMNS)
def test_whatever_is_changed_by_force_is_found(path: Path, column: str) -> None:
    with Journal(path) as journal:
        for number in (1, 2, 3):
            told(journal, number, f"P{number}", "differs", "sex")
        assert journal.broken() is None
    base = sqlite3.connect(path, isolation_level=None)
    base.execute("DROP TRIGGER event_kept")
    value = {"event": "answered", "tries": 7}.get(column, "other")
    base.execute(f"UPDATE event SET {column} = ? WHERE number = 4", (value,))
    base.close()
    with Journal(path) as journal:
        assert journal.broken() == 4


def test_a_removed_event_is_found(path: Path) -> None:
    with Journal(path) as journal:
        for number in (1, 2):
            told(journal, number, "P1", "equal")
    base = sqlite3.connect(path, isolation_level=None)
    base.execute("DROP TRIGGER event_stays")
    base.execute("DELETE FROM event WHERE number = 2")
    base.close()
    with Journal(path) as journal:
        assert journal.broken() == 3


def test_a_call_leaves_once(path: Path) -> None:
    with Journal(path) as journal:
        assert journal.reserve(call(), CLOCK, 10)
        with pytest.raises(sqlite3.IntegrityError):
            journal.reserve(call(), CLOCK, 10)
        assert journal.events() == 1


def test_the_last_conclusion_of_each_patient_is_the_evidence(path: Path) -> None:
    with Journal(path) as journal:
        told(journal, 1, "P1", "differs", "sex", "birth_date", at=CLOCK - timedelta(days=9))
        told(journal, 2, "P2", "differs", "ins")
        told(journal, 3, "P1", "equal")
        journal.reserve(call(4, "P3"), CLOCK, 10)
    assert evidence(path) == [
        Evidence("P1", "2026-11-23", "00", "equal", ""),
        Evidence("P2", "2026-11-23", "00", "differs", "ins"),
    ]


def test_evidence_becomes_verdicts_of_patients_who_are_still_there(path: Path) -> None:
    with Journal(path) as journal:
        told(journal, 1, "P1", "differs", "sex")
        told(journal, 2, "P9", "differs", "ins")
    with duckdb.connect() as base:
        base.execute("CREATE TABLE identities AS SELECT 'P1' AS patient")
        base.register(EVIDENCE, verdict_rows(evidence(path)))
        found = base.execute(evidence_sql()).fetchall()
    assert sorted((r[1], r[4], r[5], r[7]) for r in found) == [
        ("P1", "INSI-DIFFERS", d, "2026-11-23 00 sex") for d in ("dmp", "portability")
    ]


def test_identities_are_kept_apart_from_the_journal(tmp_path: Path) -> None:
    with Journal(tmp_path / JOURNAL) as journal, Answers(tmp_path / ANSWERS) as answers:
        told(journal, 1, "P1", "equal")
        answers.keep(call(1), CLOCK, KEPT)
    held = b"".join(p.read_bytes() for p in tmp_path.glob(f"{JOURNAL}*"))
    assert not [
        value for value in (KEPT.ins, KEPT.birth_family, KEPT.birth_given, KEPT.birth_date) if value.encode() in held
    ]
    with duckdb.connect() as base:
        rows = sqlite3.connect(tmp_path / ANSWERS).execute("SELECT * FROM insi_answer").fetchall()
        assert rows == [("uuid:1", "P1", "2026-11-23T19:00:00+00:00", *KEPT)]
        # Flat texts: they go to Parquet as they are.
        base.execute("CREATE TABLE t AS SELECT unnest($rows)", {"rows": [list(r) for r in rows]})


@pytest.mark.skipif(os.name == "nt", reason="modes of files are POSIX")
def test_both_files_are_private_and_what_sqlite_puts_beside_too(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with Journal(tmp_path / JOURNAL) as journal, Answers(tmp_path / ANSWERS) as answers:
            told(journal, 1, "P1", "equal")
            answers.keep(call(1), CLOCK, KEPT)
            found = list(tmp_path.iterdir())
            assert len(found) >= 4 and all(p.stat().st_mode & 0o077 == 0 for p in found)
    finally:
        os.umask(before)


def test_a_file_that_is_no_journal_is_said_in_one_sentence(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"ZZNOM" * 500)
    with pytest.raises(OutputUnwritable) as raised:
        Journal(path)
    assert "ZZNOM" not in str(raised.value) and JOURNAL in str(raised.value)
