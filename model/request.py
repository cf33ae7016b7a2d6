"""A portability request: who asked for what, when, and what is due when (PORT-01 to PORT-08, PORT-20 to PORT-25).

The scope decides which records leave and never how they are written: selecting them belongs to `formats.selection`, keeping the
requests to `ledger.requests`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from transvase.model.tables import TABLES

ScopeKind = Literal["UNITAIRE", "CIBLE", "MASSIF"]
KINDS: tuple[ScopeKind, ...] = ("UNITAIRE", "CIBLE", "MASSIF")

# PORT-05 counts hours; an older draft says working hours (open point of the sheet): the calendar is the stricter reading.
ACKNOWLEDGEMENT = timedelta(hours=48)
# PORT-06, calendar days in the definition of the actors.
DELIVERY = timedelta(days=30)

# What may be asked for by type (PORT-23): the tables that are dated. The synthesis describes the patient and always leaves whole: an
# allergy left out of it would read as an allergy denied.
SELECTABLE = tuple(name for name, table in TABLES.items() if table.dated)
# Rows that leave with the row they belong to.
FOLLOWS = {"document_version": "document", "prescription_line": "prescription"}


class Scope(NamedTuple):
    """What an export holds. UNITAIRE: `patient`, without the documents of `deselected` (PORT-24). CIBLE: the patients whose referring
    professional is `practitioner`, the period from `start` to `end` (ISO days, both included), the tables of `types`; an empty value
    does not restrict. `judicial` lifts the exclusions of PORT-21.

    The deliveries of a phased MASSIF (PORT-08): first the patients with an encounter, a document or an appointment on `active_since` (ISO
    day) or later; then all but those of the deliveries kept under the name `after`."""

    kind: ScopeKind = "MASSIF"
    patient: str = ""
    practitioner: str = ""
    start: str = ""
    end: str = ""
    types: tuple[str, ...] = ()
    deselected: tuple[str, ...] = ()
    judicial: bool = False
    active_since: str = ""
    after: str = ""

    def carries(self, table: str) -> bool:
        """Whether rows of a canonical table leave at all.

        A targeted export carries what the professional who leaves needs (personal notes, agenda) and, short of a requisition, no
        trace of access: the guide says nothing of it (PORT-21 and PORT-22 frame the two others)."""
        if self.judicial or self.kind == "MASSIF":
            return True
        if self.kind == "UNITAIRE":
            return TABLES[table].unitary
        owner = FOLLOWS.get(table, table)
        if owner in SELECTABLE and self.types:
            return owner in self.types
        return table != "access_log"


EVERYTHING = Scope()


def faults(scope: Scope) -> list[str]:
    """What contradicts itself in a scope, in English; empty when it can be exported."""
    found = []
    if scope.kind == "UNITAIRE":
        if not scope.patient:
            found.append("UNITAIRE names one patient")
        if scope.practitioner or scope.start or scope.end or scope.types:
            found.append("UNITAIRE is the whole record of a patient: no professional, period or type")
    else:
        if scope.patient or scope.deselected:
            found.append(f"{scope.kind} names no patient and deselects no document")
        targeted = scope.practitioner or scope.start or scope.end or scope.types
        if scope.kind == "CIBLE" and not targeted:
            found.append("CIBLE names a professional, a period or types")
        if scope.kind == "MASSIF" and targeted:
            found.append("MASSIF is the whole practice: no professional, period or type")
    if scope.kind != "MASSIF" and (scope.active_since or scope.after):
        found.append("phases are those of MASSIF")
    if scope.start and scope.end and scope.end < scope.start:
        found.append("the period ends before it starts")
    if unknown := [t for t in scope.types if t not in SELECTABLE]:
        found.append(f"{unknown[0]} is not a type of data: {', '.join(SELECTABLE)}")
    return found


# PORT-08: active data are those under two years, and the plan is offered within seven days.
PLAN = timedelta(days=7)
ACTIVE_YEARS = 2
# What makes a patient active: the acts of the practice, and those that are booked.
ACTIVITY = ("encounter", "document", "appointment")


def active_since(received: datetime) -> str:
    """First day of the activity that the first delivery of a phased request covers, ISO."""
    day = received.date()
    leap = day.month == 2 and day.day == 29
    return day.replace(year=day.year - ACTIVE_YEARS, day=28 if leap else day.day).isoformat()


class Due(NamedTuple):
    """When a request must be acknowledged and delivered; None where nothing is due."""

    acknowledged: datetime | None
    delivered: datetime


def due(kind: ScopeKind, received: datetime) -> Due:
    """Deadlines of a request received then, in elapsed time: the night of a time change has its own length. UNITAIRE is immediate,
    without acknowledgement (PORT-07)."""
    if kind == "UNITAIRE":
        return Due(None, received)
    begun = received.astimezone(UTC)
    return Due(*((begun + lapse).astimezone(received.tzinfo) for lapse in (ACKNOWLEDGEMENT, DELIVERY)))
