"""The journal of INSi calls, and apart from it what INSi answered: two private SQLite files.

The journal (`insi.sqlite`) is append-only and chained by digest as the ledger of submissions: a row before each call, its answer, and the
conclusion about the patient. It holds keys, codes and names of traits, never a value. The answers (`insi_answers.sqlite`) are identities:
the operator reviews them and copies them into the practice's software; the file may be deleted at any time.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from transvase.errors import OutputUnwritable
from transvase.formats import files
from transvase.ledger.submissions import chained

JOURNAL, ANSWERS = "insi.sqlite", "insi_answers.sqlite"

_JOURNAL = """
CREATE TABLE IF NOT EXISTS event (
  number INTEGER PRIMARY KEY,
  at TEXT NOT NULL,            -- UTC
  day TEXT NOT NULL,           -- local day, which the quota counts
  patient TEXT NOT NULL,       -- key of the canonical patient
  event TEXT NOT NULL CHECK (event IN ('sent', 'answered', 'concluded')),
  operation TEXT NOT NULL,
  criteria TEXT NOT NULL,      -- what the call searched with, in a word
  message_id TEXT NOT NULL,
  tries INTEGER NOT NULL,      -- rank of the call for this patient; their number in a conclusion
  code TEXT NOT NULL,          -- CodeCR, code of a fault, or ours
  outcome TEXT NOT NULL,       -- of a closed list, in a conclusion
  traits TEXT NOT NULL,        -- names of the traits that differ, in a conclusion
  previous TEXT NOT NULL,
  digest TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS event_day ON event (day, event);
CREATE UNIQUE INDEX IF NOT EXISTS event_sent ON event (message_id) WHERE event = 'sent';
CREATE TRIGGER IF NOT EXISTS event_kept BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER IF NOT EXISTS event_stays BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
-- What others may read: the last conclusion about each patient for whom INSi was called.
CREATE VIEW IF NOT EXISTS conclusion AS
  SELECT patient, day, code, outcome, traits, tries, max(number) AS number FROM event WHERE event = 'concluded' GROUP BY patient;
"""
_ANSWERS = """
CREATE TABLE IF NOT EXISTS insi_answer (
  message_id TEXT PRIMARY KEY,
  patient TEXT NOT NULL,
  at TEXT NOT NULL,
  ins TEXT NOT NULL,
  ins_oid TEXT NOT NULL,
  former TEXT NOT NULL,        -- former matricules: ins, OID, first and last day, separated by commas; one a line
  birth_family TEXT NOT NULL,
  birth_given TEXT NOT NULL,
  birth_first_given TEXT NOT NULL,
  sex TEXT NOT NULL,
  birth_date TEXT NOT NULL,
  birth_place_code TEXT NOT NULL
) STRICT;
"""


class Call(NamedTuple):
    """A call that is about to leave, or has been answered. `rank` counts the calls for the patient in this run, from 1."""

    patient: str
    operation: str
    criteria: str
    message_id: str
    rank: int


class Kept(NamedTuple):
    """An identity that INSi gave, columns of `insi_answer` in order but for the message, the patient and the instant."""

    ins: str
    ins_oid: str
    former: str
    birth_family: str
    birth_given: str
    birth_first_given: str
    sex: str
    birth_date: str
    birth_place_code: str


def _opened(path: Path, schema: str) -> sqlite3.Connection:
    files.private_folder(path.parent)
    try:
        # Created private before SQLite opens it: the files that it puts beside take the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise files.output_error(error, path) from None
    try:
        base = sqlite3.connect(path, isolation_level=None, timeout=30)
        base.execute("PRAGMA journal_mode = WAL")
        # FULL: a call that the disk may forget would not count.
        base.execute("PRAGMA synchronous = FULL")
        base.executescript(schema)
    except sqlite3.DatabaseError as error:
        reason = getattr(error, "sqlite_errorname", type(error).__name__)
        raise OutputUnwritable(path=path.name, reason=reason) from None
    return base


class Journal:
    """The journal of a work folder, as a context manager. Several commands may hold it at once."""

    def __init__(self, path: Path) -> None:
        self._base = _opened(path, _JOURNAL)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    def events(self) -> int:
        """How many events there are: two calls of a journal never find the same number."""
        return int(self._base.execute("SELECT count(*) FROM event").fetchone()[0])

    def calls_on(self, day: str) -> int:
        """Calls that left on a local day (AAAA-MM-JJ), answered or not."""
        found = self._base.execute("SELECT count(*) FROM event WHERE event = 'sent' AND day = ?", (day,)).fetchone()
        return int(found[0])

    def reserve(self, call: Call, at: datetime, per_day: int) -> bool:
        """Write that a call leaves, before it does; False, and nothing is written, when the local day of `at` has had `per_day` calls.

        Counted and written in one transaction: two commands at once do not pass the quota together."""
        with self._transaction():
            if self.calls_on(f"{at:%Y-%m-%d}") >= per_day:
                return False
            self._append(call, at, "sent")
        return True

    def answered(self, call: Call, at: datetime, code: str) -> None:
        """Write how a call ended."""
        with self._transaction():
            self._append(call, at, "answered", code)

    def concluded(self, call: Call, at: datetime, code: str, outcome: str, traits: tuple[str, ...]) -> None:
        """Write the conclusion about a patient after the last call: outcome, and names of the traits that differ."""
        with self._transaction():
            self._append(call, at, "concluded", code, outcome, " ".join(traits))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")

    def _append(
        self, call: Call, at: datetime, event: str, code: str = "", outcome: str = "", traits: str = ""
    ) -> None:
        last = self._base.execute("SELECT digest FROM event ORDER BY number DESC LIMIT 1").fetchone()
        previous = last[0] if last else ""
        facts = (
            at.astimezone(UTC).isoformat(),
            f"{at:%Y-%m-%d}",
            call.patient,
            event,
            call.operation,
            call.criteria,
            call.message_id,
            call.rank,
            code,
            outcome,
            traits,
        )
        self._base.execute(
            "INSERT INTO event (at, day, patient, event, operation, criteria, message_id, tries, code, outcome, traits, previous, digest) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*facts, previous, chained(previous, *map(str, facts))),
        )

    def broken(self) -> int | None:
        """Number of the first event whose digest does not follow from the one before; None when the chain holds."""
        previous = ""
        for number, *facts, before, digest in self._base.execute(
            "SELECT number, at, day, patient, event, operation, criteria, message_id, tries, code, outcome, traits, previous, digest "
            "FROM event ORDER BY number"
        ):
            if before != previous or chained(previous, *map(str, facts)) != digest:
                return int(number)
            previous = digest
        return None


class Answers:
    """The identities that INSi gave, as a context manager."""

    def __init__(self, path: Path) -> None:
        self._base = _opened(path, _ANSWERS)

    def __enter__(self) -> Answers:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()

    def keep(self, call: Call, at: datetime, kept: Kept) -> None:
        """Keep what a call brought."""
        self._base.execute(
            f"INSERT INTO insi_answer VALUES ({', '.join('?' * (3 + len(kept)))})",
            (call.message_id, call.patient, at.astimezone(UTC).isoformat(), *kept),
        )
