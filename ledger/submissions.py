"""The ledger of submissions: one row per (document version, destination), one event per transition, in SQLite.

What must leave is a row here before it leaves: intent, send, outcome, in that order. Events are append-only and chained by digest.
Only references, identifiers and codes are kept: no health data, no identity, no free text from a server.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from transvase.errors import FeederLocked, OutputUnwritable
from transvase.formats.files import private_folder
from transvase.ledger.states import Event, State, after

LEDGER = "ledger.sqlite"

# Layout of the file, kept in SQLite's user_version.
_LAYOUT = 1
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
  changed TEXT NOT NULL,
  rank INTEGER NOT NULL DEFAULT 1 -- versionNumber: which version of the document replaces which
) STRICT;
CREATE TABLE IF NOT EXISTS event (
  number INTEGER PRIMARY KEY,
  submission TEXT NOT NULL REFERENCES submission (id),
  at TEXT NOT NULL,
  event TEXT NOT NULL,
  state TEXT NOT NULL,
  code TEXT NOT NULL,
  previous TEXT NOT NULL,
  digest TEXT NOT NULL,
  proof TEXT NOT NULL DEFAULT ''  -- of what the row says beside its state: the plan, or the bytes sent
) STRICT;
CREATE TABLE IF NOT EXISTS head (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  events INTEGER NOT NULL,
  digest TEXT NOT NULL           -- of the last event: a tail cut off is missed
) STRICT;
"""
# After the columns that an older file lacks.
_AROUND = """
INSERT OR IGNORE INTO head SELECT 1, count(*), coalesce((SELECT digest FROM event ORDER BY number DESC LIMIT 1), '') FROM event;
CREATE INDEX IF NOT EXISTS submission_state ON submission (state, act);
CREATE INDEX IF NOT EXISTS submission_document ON submission (document);
CREATE INDEX IF NOT EXISTS event_submission ON event (submission, number);
CREATE TRIGGER IF NOT EXISTS event_kept BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER IF NOT EXISTS event_stays BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER IF NOT EXISTS head_follows BEFORE UPDATE ON head WHEN NEW.events <> OLD.events + 1
  BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER IF NOT EXISTS head_stays BEFORE DELETE ON head BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
"""
_ADDED = {
    "submission": "rank INTEGER NOT NULL DEFAULT 1",
    "event": "proof TEXT NOT NULL DEFAULT ''",
}
_ROW = "id, document, version, patient, unique_id, sha1, state, attempts, code, act, rank, destination"


class Planned(NamedTuple):
    """A document that the verdicts allow to leave."""

    document: str
    version: str
    patient: str
    unique_id: str
    act: str
    rank: int = 1


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
    rank: int = 1
    destination: str = "dmp"


class Step(NamedTuple):
    """A transition to record: the code is one of the closed lists, never a server's text."""

    submission: str
    event: Event
    code: str = ""
    sha1: str = ""
    size: int = 0


class Ledger:
    """The ledger file. One writer at a time holds `feeding()`; readers open it when they like.

    `destinations` is the pattern (GLOB) of those that the questions and counts are about; the chain is always that of the whole file."""

    def __init__(self, path: Path, destinations: str = "*") -> None:
        self._of = destinations
        private_folder(path.parent)
        self.path = path
        try:
            self._base = sqlite3.connect(path, isolation_level=None, timeout=30)
            self._base.execute("PRAGMA journal_mode = WAL")
            # FULL: an intent that the disk may forget would let a document be sent twice.
            self._base.execute("PRAGMA synchronous = FULL")
            if self._base.execute("PRAGMA user_version").fetchone()[0] < _LAYOUT:
                self._laid_out()
        except sqlite3.DatabaseError as error:
            raise OutputUnwritable(
                path=path.name, reason=getattr(error, "sqlite_errorname", type(error).__name__)
            ) from None
        path.chmod(0o600)

    def _laid_out(self) -> None:
        """Create the tables, or give those of an older file what they lack, in one transaction."""
        lacking = ""
        for table, column in _ADDED.items():
            names = [row[1] for row in self._base.execute(f"PRAGMA table_info({table})")]
            if names and column.split()[0] not in names:
                lacking += f"ALTER TABLE {table} ADD COLUMN {column};"
        self._base.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}{lacking}{_AROUND}PRAGMA user_version = {_LAYOUT};COMMIT;")

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
                        "INSERT OR IGNORE INTO submission (id, document, version, patient, destination, unique_id, state, act, changed, rank) "
                        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
                            row.rank,
                        ),
                    )
                    if cursor.rowcount:
                        new += 1
                        event = "adopt" if state == "adopted" else "planned"
                        self._append(ident, stamp, event, state, "", _planned(*row[:3], *row[4:]))
        return new

    def record(self, steps: Iterable[Step], at: datetime) -> None:
        """Apply transitions in one synced transaction; ValueError when the specification does not know one.

        What becomes registered replaces, in the same transaction, the older versions of its document that were in force."""
        stamp = at.isoformat()
        with self._transaction():
            for step in steps:
                row = self._base.execute(
                    "SELECT state, document, destination, rank FROM submission WHERE id = ?", (step.submission,)
                ).fetchone()
                if row is None:
                    raise ValueError("unknown submission")
                state = after(row[0], step.event)
                self._base.execute(
                    "UPDATE submission SET state = ?, code = ?, changed = ?, "
                    # What says nothing of the document is no attempt; an operator who reopens one begins anew.
                    "attempts = CASE ? WHEN 'send' THEN attempts + 1 WHEN 'turned_away' THEN max(attempts - 1, 0) "
                    "WHEN 'retry' THEN 0 ELSE attempts END, "
                    "sha1 = CASE WHEN ? <> '' THEN ? ELSE sha1 END, size = CASE WHEN ? <> '' THEN ? ELSE size END WHERE id = ?",
                    (
                        state,
                        step.code,
                        stamp,
                        step.event,
                        step.sha1,
                        step.sha1,
                        step.sha1,
                        step.size,
                        step.submission,
                    ),
                )
                sent = f"{step.sha1} {step.size}" if step.sha1 else ""
                self._append(step.submission, stamp, step.event, state, step.code, sent)
                if state == "registered":
                    self._replaced(row[1], row[2], row[3], stamp)

    def _replaced(self, document: str, destination: str, rank: int, stamp: str) -> None:
        """The versions in force before one that is registered now."""
        for ident, before in self._base.execute(
            "SELECT id, state FROM submission WHERE document = ? AND destination = ? AND rank < ? "
            "AND state IN ('registered', 'adopted') ORDER BY rank",
            (document, destination, rank),
        ).fetchall():
            state = after(before, "replace")
            self._base.execute(
                "UPDATE submission SET state = ?, code = '', changed = ? WHERE id = ?", (state, stamp, ident)
            )
            self._append(ident, stamp, "replace", state, "")

    def _append(self, submission: str, at: str, event: str, state: str, code: str, proof: str = "") -> None:
        (previous,) = self._base.execute("SELECT digest FROM head").fetchone()
        digest = chained(previous, submission, at, event, state, code, *([proof] if proof else []))
        self._base.execute(
            "INSERT INTO event (submission, at, event, state, code, previous, digest, proof) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (submission, at, event, state, code, previous, digest, proof),
        )
        self._base.execute("UPDATE head SET events = events + 1, digest = ?", (digest,))

    def waiting(self, state: State, limit: int, after: tuple[str, str] = ("", "")) -> list[Submission]:
        """Submissions in a state, oldest act first (the legal deadline is the day of the act), beyond an (act, id) already seen."""
        rows = self._base.execute(
            f"SELECT {_ROW} FROM submission WHERE state = ? AND (act, id) > (?, ?) AND destination GLOB ? ORDER BY act, id LIMIT ?",
            (state, *after, self._of, limit),
        ).fetchall()
        return [Submission(*r) for r in rows]

    def select(self, states: Sequence[State], document: str = "", code: str = "") -> list[Submission]:
        """Submissions in one of these states, of a document and with a last code when given; oldest act first."""
        rows = self._base.execute(
            f"SELECT {_ROW} FROM submission WHERE state IN ({', '.join('?' * len(states))}) "
            "AND (? = '' OR document = ?) AND (? = '' OR code = ?) AND destination GLOB ? ORDER BY act, id",
            (*states, document, document, code, code, self._of),
        ).fetchall()
        return [Submission(*r) for r in rows]

    def versions(self, documents: Sequence[str], destination: str = "dmp") -> dict[str, list[Submission]]:
        """The submissions of those documents that have several, by document."""
        found: dict[str, list[Submission]] = {}
        for row in self._base.execute(
            f"SELECT {_ROW} FROM submission WHERE destination = ? AND document IN ({', '.join('?' * len(documents))}) "
            "ORDER BY document, rank, id",
            (destination, *documents),
        ):
            found.setdefault(row[1], []).append(Submission(*row))
        return {document: rows for document, rows in found.items() if len(rows) > 1}

    def in_force(self, document: str, destination: str = "dmp") -> int | None:
        """Rank of the newest version of a document that the registry holds by our account; None without any."""
        (rank,) = self._base.execute(
            "SELECT max(rank) FROM submission WHERE document = ? AND destination = ? AND state IN ('registered', 'adopted')",
            (document, destination),
        ).fetchone()
        return None if rank is None else int(rank)

    def known(self) -> set[str]:
        """Every submission's id."""
        return {
            ident for (ident,) in self._base.execute("SELECT id FROM submission WHERE destination GLOB ?", (self._of,))
        }

    def counts(self) -> dict[str, int]:
        """Submissions by state."""
        return dict(
            self._base.execute(
                "SELECT state, count(*) FROM submission WHERE destination GLOB ? GROUP BY state", (self._of,)
            ).fetchall()
        )

    def problems(self) -> list[tuple[State, str, int]]:
        """(state, code, how many) of what waits for a person, the most frequent first: one line per problem, not per document."""
        return self._base.execute(
            "SELECT state, code, count(*) FROM submission WHERE state IN ('refused', 'set_aside') AND destination GLOB ? "
            "GROUP BY state, code ORDER BY count(*) DESC, state, code",
            (self._of,),
        ).fetchall()

    def outcomes(self) -> dict[str, tuple[str, str, str]]:
        """Document key to (state, code, instant of the last change) of its newest version."""
        rows = self._base.execute(
            "SELECT document, state, code, changed FROM submission WHERE destination GLOB ? ORDER BY rank, id",
            (self._of,),
        ).fetchall()
        return {document: (state, code, changed) for document, state, code, changed in rows}

    def sent_since(self, instant: str) -> int:
        """Submissions sent since an ISO instant, for the daily ceiling."""
        return int(
            self._base.execute(
                "SELECT count(*) FROM event e JOIN submission s ON s.id = e.submission "
                "WHERE e.event = 'send' AND e.at >= ? AND s.destination GLOB ?",
                (instant, self._of),
            ).fetchone()[0]
        )

    def of_document(self, document: str) -> list[tuple[str, str, str, str]]:
        """(instant, event, state, code) of a document's submissions, in order."""
        return self._base.execute(
            "SELECT e.at, e.event, e.state, e.code FROM event e JOIN submission s ON s.id = e.submission "
            "WHERE s.document = ? AND s.destination GLOB ? ORDER BY e.number",
            (document, self._of),
        ).fetchall()

    def head(self) -> tuple[int, str]:
        """How many events there are, and the digest of the last."""
        events, last = self._base.execute("SELECT events, digest FROM head").fetchone()
        return int(events), str(last)

    def digest_at(self, number: int) -> str:
        """Digest of an event, by its number; empty when there is none."""
        found = self._base.execute("SELECT digest FROM event WHERE number = ?", (number,)).fetchone()
        return str(found[0]) if found else ""

    def moved_since(self, number: int) -> list[tuple[str, str, str, int]]:
        """(event, state, code, how many) of the events after one, by its number."""
        return self._base.execute(
            "SELECT event, state, code, count(*) FROM event WHERE number > ? "
            "GROUP BY event, state, code ORDER BY event, state, code",
            (number,),
        ).fetchall()

    def broken(self) -> int | None:
        """Number of the first event that cannot be trusted: its digest does not follow from the one before, it is missing at the end
        (one beyond the last), or the submission it moved last says another thing. None when events and submissions agree."""
        previous, last = "", 0
        for number, submission, at, event, state, code, before, digest, proof in self._base.execute(
            "SELECT number, submission, at, event, state, code, previous, digest, proof FROM event ORDER BY number"
        ):
            facts = (submission, at, event, state, code, *([proof] if proof else []))
            if before != previous or chained(previous, *facts) != digest:
                return int(number)
            previous, last = digest, int(number)
        if self._base.execute("SELECT events, digest FROM head").fetchall() != [(last, previous)]:
            return last + 1
        return self._contradicted(last + 1)

    def _contradicted(self, beyond: int) -> int | None:
        """The earliest last event of a submission whose row differs from what its events make of it; `beyond` for a row without."""
        wrong: list[int] = []
        events = self._base.execute(
            "SELECT e.number, e.submission, e.at, e.event, e.state, e.code, e.proof FROM event e ORDER BY e.submission, e.number"
        )
        told = ((ident, list(rows)) for ident, rows in groupby(events, key=lambda e: str(e[1])))
        rows = self._base.execute(
            "SELECT id, document, version, patient, act, rank, destination, unique_id, state, code, changed, attempts, sha1, size "
            "FROM submission ORDER BY id"
        )
        history = next(told, None)
        for row in rows:
            while history is not None and history[0] < row[0]:
                # Events of a submission that is gone.
                wrong.append(history[1][-1][0])
                history = next(told, None)
            if history is None or history[0] != row[0]:
                wrong.append(beyond)
                continue
            if not _agrees(row, history[1]):
                wrong.append(history[1][-1][0])
            history = next(told, None)
        while history is not None:
            wrong.append(history[1][-1][0])
            history = next(told, None)
        return min(wrong, default=None)


def _planned(*facts: object) -> str:
    """Digest of what a plan says of a submission and nothing changes later: document, version, patient, act, rank."""
    return hashlib.sha256("\0".join(map(str, facts)).encode()).hexdigest()


def _agrees(row: tuple[Any, ...], events: list[tuple[Any, ...]]) -> bool:
    """A submission's row says what its events say."""
    ident, *facts, destination, unique_id, state, code, changed, attempts, sha1, size = row
    tried, sent = 0, " 0"
    for _, _, _, event, _, _, proof in events:
        tried = {"send": tried + 1, "turned_away": max(tried - 1, 0), "retry": 0}.get(event, tried)
        if event == "send" and proof:
            sent = proof
    first, last = events[0], events[-1]
    # An event of an older file bears no proof.
    return (
        ident == f"{unique_id} {destination}"
        and first[6] in ("", _planned(*facts))
        and (last[4], last[5], last[2]) == (state, code, changed)
        and tried == attempts
        and (sent == f"{sha1} {size}" or not first[6])
    )


def chained(previous: str, *facts: str) -> str:
    """Digest of an event: SHA-256 over the digest before and the event's facts, separated by NUL."""
    return hashlib.sha256("\0".join((previous, *facts)).encode()).hexdigest()
