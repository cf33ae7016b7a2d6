"""The ledger of submissions: one row per (document version, destination), one event per transition, in a SQLite file or on a PostgreSQL
server (`engines`).

What must leave is a row here before it leaves: intent, send, outcome, in that order. Events are append-only and chained by digest.
Only references, identifiers and codes are kept: no health data, no identity, no free text from a server.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from transvase.ledger import engines
from transvase.ledger.engines import Place
from transvase.ledger.states import Event, State, after

LEDGER = "ledger.sqlite"

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
    # Reference of the operator, for an act that keeps it.
    by: str = ""


class Ledger:
    """The ledger of a practice. One writer at a time holds `feeding()`; readers open it when they like.

    `destinations` is the pattern (`*` for anything) of those that the questions and counts are about; the chain is always that of the
    whole ledger. OutputUnwritable when it cannot be opened."""

    def __init__(self, place: Place, destinations: str = "*") -> None:
        # Of the wildcards of LIKE only `%` has a use here.
        self._of = destinations.replace("_", "!_").replace("*", "%")
        self.path = place
        self._base = engines.opened(place)
        # Number and digest of the last event, while events are added.
        self._last = (0, "")

    def close(self) -> None:
        """Close it."""
        self._base.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def feeding(self) -> Iterator[None]:
        """Keep a second feeder out; the lock goes with the process, however it ends. FeederLocked."""
        with self._base.lock():
            yield

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction that adds events: nobody else adds one before its end."""
        with self._base.transaction():
            self._last = self._base.execute(
                "SELECT (SELECT coalesce(max(number), 0) FROM event), digest FROM head"
            ).fetchone()
            yield

    def plan(
        self, documents: Iterable[Planned], adopted: Iterable[Planned], at: datetime, destination: str = "dmp"
    ) -> int:
        """Add what is not there yet: documents to send, and those a former software sent (state adopted). How many were new."""
        stamp = at.isoformat()
        new = 0
        with self._writing():
            for state, rows in (("to_submit", documents), ("adopted", adopted)):
                for row in rows:
                    ident = f"{row.unique_id} {destination}"
                    cursor = self._base.execute(
                        "INSERT INTO submission (id, document, version, patient, destination, unique_id, state, act, changed, rank) "
                        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
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
        with self._writing():
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
                    "attempts = CASE ? WHEN 'send' THEN attempts + 1 WHEN 'turned_away' THEN CASE WHEN attempts > 0 THEN attempts - 1 ELSE 0 END "
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
                sent = f"{step.sha1} {step.size}" if step.sha1 else step.by
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
        number, previous = self._last
        digest = chained(previous, submission, at, event, state, code, *([proof] if proof else []))
        self._base.execute(
            "INSERT INTO event (number, submission, at, event, state, code, previous, digest, proof) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            # Counted here: a sequence would leave a gap after a transaction that failed.
            (number + 1, submission, at, event, state, code, previous, digest, proof),
        )
        self._base.execute("UPDATE head SET events = events + 1, digest = ?", (digest,))
        self._last = (number + 1, digest)

    def waiting(self, state: State, limit: int, after: tuple[str, str] = ("", "")) -> list[Submission]:
        """Submissions in a state, oldest act first (the legal deadline is the day of the act), beyond an (act, id) already seen."""
        rows = self._base.execute(
            f"SELECT {_ROW} FROM submission WHERE state = ? AND (act, id) > (?, ?) AND destination LIKE ? ESCAPE '!' ORDER BY act, id LIMIT ?",
            (state, *after, self._of, limit),
        ).fetchall()
        return [Submission(*r) for r in rows]

    def select(self, states: Sequence[State], document: str = "", code: str = "") -> list[Submission]:
        """Submissions in one of these states, of a document and with a last code when given; oldest act first."""
        rows = self._base.execute(
            f"SELECT {_ROW} FROM submission WHERE state IN ({', '.join('?' * len(states))}) "
            "AND (? = '' OR document = ?) AND (? = '' OR code = ?) AND destination LIKE ? ESCAPE '!' ORDER BY act, id",
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
            ident
            for (ident,) in self._base.execute(
                "SELECT id FROM submission WHERE destination LIKE ? ESCAPE '!'", (self._of,)
            )
        }

    def destinations(self) -> list[tuple[str, str]]:
        """(document, destination) of every submission."""
        found: list[tuple[str, str]] = self._base.execute(
            "SELECT DISTINCT document, destination FROM submission WHERE destination LIKE ? ESCAPE '!' ORDER BY document, destination",
            (self._of,),
        ).fetchall()
        return found

    def counts(self) -> dict[str, int]:
        """Submissions by state."""
        return dict(
            self._base.execute(
                "SELECT state, count(*) FROM submission WHERE destination LIKE ? ESCAPE '!' GROUP BY state", (self._of,)
            ).fetchall()
        )

    def problems(self) -> list[tuple[State, str, int]]:
        """(state, code, how many) of what waits for a person, the most frequent first: one line per problem, not per document."""
        found: list[tuple[State, str, int]] = self._base.execute(
            "SELECT state, code, count(*) FROM submission WHERE state IN ('refused', 'set_aside') AND destination LIKE ? ESCAPE '!' "
            "GROUP BY state, code ORDER BY count(*) DESC, state, code",
            (self._of,),
        ).fetchall()
        return found

    def outcomes(self) -> dict[str, tuple[str, str, str]]:
        """Document key to (state, code, instant of the last change) of its newest version."""
        rows = self._base.execute(
            "SELECT document, state, code, changed FROM submission WHERE destination LIKE ? ESCAPE '!' ORDER BY rank, id",
            (self._of,),
        ).fetchall()
        return {document: (state, code, changed) for document, state, code, changed in rows}

    def latest(self) -> Iterator[tuple[str, str, str, str]]:
        """(document, state, code, instant of its first registration, empty when none) of the newest version of each document, by document;
        read as it is asked for."""
        rows = self._base.execute(
            "WITH newest AS (SELECT document, state, code, "
            "row_number() OVER (PARTITION BY document ORDER BY rank DESC, id DESC) AS place FROM submission WHERE destination LIKE ? ESCAPE '!'), "
            "first AS (SELECT s.document, min(e.at) AS at FROM event e JOIN submission s ON s.id = e.submission "
            "WHERE e.state = 'registered' AND s.destination LIKE ? ESCAPE '!' GROUP BY s.document) "
            "SELECT n.document, n.state, n.code, coalesce(f.at, '') FROM newest n LEFT JOIN first f ON f.document = n.document "
            "WHERE n.place = 1 ORDER BY n.document",
            (self._of, self._of),
        )
        yield from rows

    def sent_since(self, instant: str) -> int:
        """Submissions sent since an ISO instant, for the daily ceiling."""
        return int(
            self._base.execute(
                "SELECT count(*) FROM event e JOIN submission s ON s.id = e.submission "
                "WHERE e.event = 'send' AND e.at >= ? AND s.destination LIKE ? ESCAPE '!'",
                (instant, self._of),
            ).fetchone()[0]
        )

    def of_document(self, document: str) -> list[tuple[str, str, str, str]]:
        """(instant, event, state, code) of a document's submissions, in order."""
        found: list[tuple[str, str, str, str]] = self._base.execute(
            "SELECT e.at, e.event, e.state, e.code FROM event e JOIN submission s ON s.id = e.submission "
            "WHERE s.document = ? AND s.destination LIKE ? ESCAPE '!' ORDER BY e.number",
            (document, self._of),
        ).fetchall()
        return found

    def deletions(self) -> list[tuple[str, str, str, str, State]]:
        """(document, instant, operator, reason, state now) of each deletion that was asked for, in order."""
        found: list[tuple[str, str, str, str, State]] = self._base.execute(
            "SELECT s.document, e.at, e.proof, e.code, s.state FROM event e JOIN submission s ON s.id = e.submission "
            "WHERE e.event = 'delete' AND s.destination LIKE ? ESCAPE '!' ORDER BY e.number",
            (self._of,),
        ).fetchall()
        return found

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
        found: list[tuple[str, str, str, int]] = self._base.execute(
            "SELECT event, state, code, count(*) FROM event WHERE number > ? "
            "GROUP BY event, state, code ORDER BY event, state, code",
            (number,),
        ).fetchall()
        return found

    def broken(self) -> int | None:
        """Number of the first event that cannot be trusted: its digest does not follow from the one before, it is missing at the end
        (one beyond the last), or the submission it moved last says another thing. None when events and submissions agree."""
        previous, last = "", 0
        for number, submission, at, event, state, code, before, digest, proof in self._base.stream(
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
        events = self._base.stream(
            "SELECT e.number, e.submission, e.at, e.event, e.state, e.code, e.proof FROM event e ORDER BY e.submission, e.number"
        )
        told = ((ident, list(rows)) for ident, rows in groupby(events, key=lambda e: str(e[1])))
        rows = self._base.stream(
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
