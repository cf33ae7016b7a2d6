"""The ledger of submissions: one row per (document version, destination), one event per transition, in SQLite.

What must leave is a row here before it leaves: intent, send, outcome, in that order. Events are append-only and chained by digest.
Only references, identifiers and codes are kept: no health data, no identity, no free text from a server.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from transvase.errors import FeederLocked, OutputUnwritable
from transvase.formats.files import private_folder
from transvase.ledger.states import Event, State, after

_SCHEMA = """
CREATE TABLE IF NOT EXISTS submission (
  id TEXT PRIMARY KEY,           -- unique_id and destination
  document TEXT NOT NULL,        -- key of the canonical document
  version TEXT NOT NULL,         -- key of the canonical document_version
  patient TEXT NOT NULL,         -- key of the canonical patient
  destination TEXT NOT NULL,
  unique_id TEXT NOT NULL,
  sha1 TEXT NOT NULL DEFAULT '', -- of the bytes that were validated and sent
  size INTEGER NOT NULL DEFAULT 0,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  code TEXT NOT NULL DEFAULT '', -- last code of the registry
  act TEXT NOT NULL,             -- local date of the act: the legal deadline
  changed TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS submission_state ON submission (state, act);
CREATE TABLE IF NOT EXISTS event (
  number INTEGER PRIMARY KEY,
  submission TEXT NOT NULL REFERENCES submission (id),
  at TEXT NOT NULL,
  event TEXT NOT NULL,
  state TEXT NOT NULL,
  code TEXT NOT NULL,
  previous TEXT NOT NULL,
  digest TEXT NOT NULL
) STRICT;
CREATE TRIGGER IF NOT EXISTS event_kept BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER IF NOT EXISTS event_stays BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
"""


class Planned(NamedTuple):
    """A document that the verdicts allow to leave."""

    document: str
    version: str
    patient: str
    unique_id: str
    act: str


class Submission(NamedTuple):
    """A row of the ledger."""

    id: str
    document: str
    version: str
    patient: str
    unique_id: str
    sha1: str
    state: State
    attempts: int
    code: str
    act: str


class Step(NamedTuple):
    """A transition to record: the code is one of the closed lists, never a server's text."""

    submission: str
    event: Event
    code: str = ""
    sha1: str = ""
    size: int = 0


class Ledger:
    """The ledger file. One writer at a time holds `feeding()`; readers open it when they like."""

    def __init__(self, path: Path) -> None:
        private_folder(path.parent)
        self.path = path
        try:
            self._base = sqlite3.connect(path, isolation_level=None, timeout=30)
            self._base.execute("PRAGMA journal_mode = WAL")
            # FULL: an intent that the disk may forget would let a document be sent twice.
            self._base.execute("PRAGMA synchronous = FULL")
            self._base.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            raise OutputUnwritable(
                path=path.name, reason=getattr(error, "sqlite_errorname", type(error).__name__)
            ) from None
        path.chmod(0o600)

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def feeding(self) -> Iterator[None]:
        """Keep a second feeder out; the lock goes with the process, however it ends. FeederLocked."""
        # A lock held by a database connection is released by the system when the process dies, on every system.
        lock = sqlite3.connect(self.path.with_name(self.path.name + ".lock"), isolation_level=None, timeout=0)
        try:
            try:
                lock.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError:
                raise FeederLocked(path=self.path.name) from None
            yield
        finally:
            lock.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")

    def plan(
        self, documents: Iterable[Planned], adopted: Iterable[Planned], at: datetime, destination: str = "dmp"
    ) -> int:
        """Add what is not there yet: documents to send, and those a former software sent (state adopted). How many were new."""
        stamp = at.isoformat()
        new = 0
        with self._transaction():
            for state, rows in (("to_submit", documents), ("adopted", adopted)):
                for row in rows:
                    ident = f"{row.unique_id} {destination}"
                    cursor = self._base.execute(
                        "INSERT OR IGNORE INTO submission (id, document, version, patient, destination, unique_id, state, act, changed) "
                        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        (
                            ident,
                            row.document,
                            row.version,
                            row.patient,
                            destination,
                            row.unique_id,
                            state,
                            row.act,
                            stamp,
                        ),
                    )
                    if cursor.rowcount:
                        new += 1
                        self._append(ident, stamp, "adopt" if state == "adopted" else "planned", state, "")
        return new

    def record(self, steps: Iterable[Step], at: datetime) -> None:
        """Apply transitions in one synced transaction; ValueError when the specification does not know one."""
        stamp = at.isoformat()
        with self._transaction():
            for step in steps:
                row = self._base.execute("SELECT state FROM submission WHERE id = ?", (step.submission,)).fetchone()
                if row is None:
                    raise ValueError("unknown submission")
                state = after(row[0], step.event)
                self._base.execute(
                    "UPDATE submission SET state = ?, code = ?, changed = ?, attempts = attempts + ?, "
                    "sha1 = CASE WHEN ? <> '' THEN ? ELSE sha1 END, size = CASE WHEN ? > 0 THEN ? ELSE size END WHERE id = ?",
                    (
                        state,
                        step.code,
                        stamp,
                        step.event == "send",
                        step.sha1,
                        step.sha1,
                        step.size,
                        step.size,
                        step.submission,
                    ),
                )
                self._append(step.submission, stamp, step.event, state, step.code)

    def _append(self, submission: str, at: str, event: str, state: str, code: str) -> None:
        last = self._base.execute("SELECT digest FROM event ORDER BY number DESC LIMIT 1").fetchone()
        previous = last[0] if last else ""
        digest = chained(previous, submission, at, event, state, code)
        self._base.execute(
            "INSERT INTO event (submission, at, event, state, code, previous, digest) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (submission, at, event, state, code, previous, digest),
        )

    def waiting(self, state: State, limit: int, after: tuple[str, str] = ("", "")) -> list[Submission]:
        """Submissions in a state, oldest act first (the legal deadline is the day of the act), beyond an (act, id) already seen."""
        rows = self._base.execute(
            "SELECT id, document, version, patient, unique_id, sha1, state, attempts, code, act FROM submission "
            "WHERE state = ? AND (act, id) > (?, ?) ORDER BY act, id LIMIT ?",
            (state, *after, limit),
        ).fetchall()
        return [Submission(*r) for r in rows]

    def counts(self) -> dict[str, int]:
        """Submissions by state."""
        return dict(self._base.execute("SELECT state, count(*) FROM submission GROUP BY state").fetchall())

    def outcomes(self) -> dict[str, tuple[str, str, str]]:
        """Document key to (state, code, instant of the last change)."""
        rows = self._base.execute("SELECT document, state, code, changed FROM submission").fetchall()
        return {document: (state, code, changed) for document, state, code, changed in rows}

    def sent_since(self, instant: str) -> int:
        """Submissions sent since an ISO instant, for the daily ceiling."""
        return int(
            self._base.execute("SELECT count(*) FROM event WHERE event = 'send' AND at >= ?", (instant,)).fetchone()[0]
        )

    def of_document(self, document: str) -> list[tuple[str, str, str, str]]:
        """(instant, event, state, code) of a document's submissions, in order."""
        return self._base.execute(
            "SELECT e.at, e.event, e.state, e.code FROM event e JOIN submission s ON s.id = e.submission "
            "WHERE s.document = ? ORDER BY e.number",
            (document,),
        ).fetchall()

    def broken(self) -> int | None:
        """Number of the first event whose digest does not follow from the one before; None when the chain holds."""
        previous = ""
        for number, submission, at, event, state, code, before, digest in self._base.execute(
            "SELECT number, submission, at, event, state, code, previous, digest FROM event ORDER BY number"
        ):
            if before != previous or chained(previous, submission, at, event, state, code) != digest:
                return int(number)
            previous = digest
        return None


def chained(previous: str, *facts: str) -> str:
    """Digest of an event: SHA-256 over the digest before and the event's facts, separated by NUL."""
    return hashlib.sha256("\0".join((previous, *facts)).encode()).hexdigest()
