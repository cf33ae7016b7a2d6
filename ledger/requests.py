"""The register of portability requests: each request once, and what happened to it, in one private SQLite file chained by digest. A trace
of every export, with the instant of the request, its author, the archive and the outcome (PORT-03, PORT-12, PORT-16).

Patients and documents stand here by their keys in the practice's software, never by a value of the record.
"""

from __future__ import annotations

import os
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from transvase.errors import OutputUnwritable
from transvase.formats import files
from transvase.ledger.submissions import chained
from transvase.model.request import Due, Scope, active_since, due

REQUESTS = "requests.sqlite"
# By which means it came, with a certain date (PORT-12).
MEANS = ("logiciel", "courriel", "ticket", "courrier", "requisition")
# A deadline nearer than this is announced.
NEAR = timedelta(hours=48)
# Deliveries of a phased request: the active patients, then the others.
PHASES = 2
EVENTS = ("received", "acknowledged", "started", "delivered", "failed", "cancelled")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
  number INTEGER PRIMARY KEY,
  request INTEGER NOT NULL,
  at TEXT NOT NULL,
  event TEXT NOT NULL CHECK (event IN ('received', 'acknowledged', 'started', 'delivered', 'failed', 'cancelled')),
  facts TEXT NOT NULL,         -- JSON: the request itself, or what the event tells
  previous TEXT NOT NULL,
  digest TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS event_request ON event (request, number);
CREATE TRIGGER IF NOT EXISTS event_kept BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER IF NOT EXISTS event_stays BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
"""


class Request(NamedTuple):
    """A request and where it stands. `author` is the key or identifier of the professional who asks; `events` are (instant, event,
    facts) in order; `rest_due` when the second delivery of a phased request is due (PORT-08), None for one that is not."""

    number: int
    author: str
    means: str
    received: datetime
    recipient: str
    scope: Scope
    events: tuple[tuple[datetime, str, dict[str, Any]], ...]
    rest_due: datetime | None = None

    @property
    def state(self) -> str:
        """The last event; `phase` when the first delivery of a phased request is made and the rest awaited."""
        last = self.events[-1][1]
        return "phase" if last == "delivered" and not self.whole else last

    @property
    def deliveries(self) -> list[datetime]:
        """When each delivery was made."""
        return [moment for moment, name, _ in self.events if name == "delivered"]

    @property
    def whole(self) -> bool:
        """Whether everything was delivered."""
        return len(self.deliveries) >= (1 if self.rest_due is None else PHASES)

    @property
    def list_name(self) -> str:
        """Under which name the work folder keeps what its first delivery held."""
        return f"demande-{self.number:06d}"

    @property
    def next_scope(self) -> Scope:
        """What its next delivery takes (PORT-08): of a phased request the active patients, then the others."""
        if self.rest_due is None:
            return self.scope
        if self.deliveries:
            return self.scope._replace(after=self.list_name)
        return self.scope._replace(active_since=active_since(self.received))

    @property
    def awaited(self) -> datetime:
        """When its next delivery is due; that of the last one once all are made."""
        return self.rest_due if self.rest_due and self.deliveries else self.due.delivered

    @property
    def due(self) -> Due:
        """Its deadlines."""
        return due(self.scope.kind, self.received)

    @property
    def open(self) -> bool:
        """Whether something remains to be done."""
        return self.state not in ("delivered", "cancelled")

    def at(self, event: str) -> datetime | None:
        """When an event last happened."""
        return next((moment for moment, name, _ in reversed(self.events) if name == event), None)

    def late(self, now: datetime) -> list[str]:
        """Deadlines missed so far: `acknowledged`, `delivered`, `rest` (second delivery of a phased request). An immediate export has
        the day to be made."""
        missed = []
        deadlines = self.due
        if deadlines.acknowledged is not None and self.state != "cancelled":
            done = self.at("acknowledged") or self.at("delivered") or now
            if done > deadlines.acknowledged:
                missed.append("acknowledged")
        if self.state != "cancelled":
            made = self.deliveries
            done = made[0] if made else now
            local = done.astimezone(self.received.tzinfo)
            by_day = self.scope.kind == "UNITAIRE"
            if local.date() > deadlines.delivered.date() if by_day else done > deadlines.delivered:
                missed.append("delivered")
            if self.rest_due is not None and (made[1] if len(made) > 1 else now) > self.rest_due:
                missed.append("rest")
        return missed


class Requests:
    """The register of a work folder, as a context manager."""

    def __init__(self, path: Path) -> None:
        files.private_folder(path.parent)
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600))
            self._base = sqlite3.connect(path, isolation_level=None, timeout=30)
            self._base.execute("PRAGMA synchronous = FULL")
            self._base.executescript(_SCHEMA)
        except OSError as error:
            raise files.output_error(error, path) from None
        except sqlite3.DatabaseError as error:
            raise OutputUnwritable(
                path=path.name, reason=getattr(error, "sqlite_errorname", type(error).__name__)
            ) from None

    def __enter__(self) -> Requests:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()

    def receive(
        self,
        author: str,
        means: str,
        received: datetime,
        recipient: str,
        scope: Scope,
        rest_due: datetime | None = None,
    ) -> Request:
        """Register a request, phased when `rest_due` is given; it takes the next number."""
        if means not in MEANS:
            raise ValueError(f"unknown means {means}")
        facts = {"author": author, "means": means, "recipient": recipient, "scope": scope._asdict()}
        if rest_due is not None:
            facts["rest_due"] = rest_due.isoformat()
        with self._turn():
            number = self._base.execute("SELECT coalesce(max(request), 0) + 1 FROM event").fetchone()[0]
            self._append(number, received, "received", facts)
        found = self.find(number)
        assert found is not None
        return found

    def record(self, number: int, at: datetime, event: str, **facts: Any) -> None:
        """Something happened to a request; ValueError for an event that does not exist."""
        if event not in EVENTS[1:]:
            raise ValueError(f"unknown event {event}")
        with self._turn():
            self._append(number, at, event, facts)

    def find(self, number: int) -> Request | None:
        """The request of that number."""
        return next(iter(self._read("WHERE request = ?", (number,))), None)

    def all(self) -> list[Request]:
        """Every request, oldest first."""
        return self._read("", ())

    def head(self) -> tuple[int, str]:
        """Number and digest of the last event."""
        found = self._base.execute("SELECT number, digest FROM event ORDER BY number DESC LIMIT 1").fetchone()
        return (int(found[0]), str(found[1])) if found else (0, "")

    def digest_at(self, number: int) -> str:
        """Digest of an event, by its number; empty when there is none."""
        found = self._base.execute("SELECT digest FROM event WHERE number = ?", (number,)).fetchone()
        return str(found[0]) if found else ""

    def counts(self) -> dict[str, int]:
        """Requests by state."""
        states = [r.state for r in self.all()]
        return {state: states.count(state) for state in sorted(set(states))}

    def broken(self) -> int | None:
        """Number of the first event whose digest does not follow from the one before; None when the chain holds."""
        previous = ""
        query = "SELECT number, request, at, event, facts, previous, digest FROM event ORDER BY number"
        for number, request, at, event, facts, before, digest in self._base.execute(query):
            if before != previous or chained(previous, str(request), at, event, facts) != digest:
                return int(number)
            previous = digest
        return None

    def _turn(self) -> Any:
        """One writer at a time: the number and the chain follow from what stands there."""
        self._base.execute("BEGIN IMMEDIATE")
        return self._base

    def _append(self, number: int, at: datetime, event: str, facts: dict[str, Any]) -> None:
        last = self._base.execute("SELECT digest FROM event ORDER BY number DESC LIMIT 1").fetchone()
        previous = last[0] if last else ""
        text, moment = orjson.dumps(facts, option=orjson.OPT_SORT_KEYS).decode(), at.isoformat()
        self._base.execute(
            "INSERT INTO event (request, at, event, facts, previous, digest) VALUES (?, ?, ?, ?, ?, ?)",
            (number, moment, event, text, previous, chained(previous, str(number), moment, event, text)),
        )

    def _read(self, where: str, values: tuple[Any, ...]) -> list[Request]:
        by_number: dict[int, list[tuple[datetime, str, dict[str, Any]]]] = {}
        for number, at, event, facts in self._base.execute(
            f"SELECT request, at, event, facts FROM event {where} ORDER BY number", values
        ):
            by_number.setdefault(number, []).append((datetime.fromisoformat(at), event, orjson.loads(facts)))
        out = []
        for number, events in by_number.items():
            received, _, facts = events[0]
            # Written by `receive` from a Scope: the fields are its own.
            told = {**Scope()._asdict(), **facts["scope"]}
            scope = Scope._make(tuple(v) if isinstance(v, list) else v for v in map(told.get, Scope._fields))
            rest = datetime.fromisoformat(facts["rest_due"]) if "rest_due" in facts else None
            out.append(
                Request(
                    number, facts["author"], facts["means"], received, facts["recipient"], scope, tuple(events), rest
                )
            )
        return out
