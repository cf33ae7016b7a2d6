"""Deletion of what this practice fed (TD3.3c), after an operator's act: the registry is asked by uniqueId, the intent is written, the
request leaves, its outcome is written. A doubt is asked about like that of a sending; what stands is deleted again, what does not is
done.

A structure's certificate may delete the documents of the structure (sheet dmp-transactions.md, 4); the registry refuses others. No
Dagster here.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from transvase.assets import routes
from transvase.assets.routes import Soap, Sought, Speech
from transvase.assets.signing import Proofs, Signer
from transvase.errors import CertificateRefused
from transvase.exporters import documents
from transvase.exporters.documents import Context
from transvase.exporters.portability import Job, open_context
from transvase.formats import canonical
from transvase.formats.cda import Coded, Id, Party
from transvase.formats.xds import SubmissionSet
from transvase.formats.xds_metadata import PROFESSIONALS, author, source_id
from transvase.gateways.dmp import DMP, OF_CALLER, Dmp, Entry
from transvase.gateways.dmp_fhir import DmpFhir
from transvase.ledger.states import LEAVING, Event
from transvase.ledger.submissions import Ledger, Step, Submission
from transvase.model.clock import utc14
from transvase.model.codes.author_specialties import CODES as SPECIALTIES
from transvase.model.codes.facility_types import CODES as FACILITIES
from transvase.model.identifiers import TRANSMISSIONS, arc, under
from transvase.model.record import ROW
from transvase.model.tables import TABLES

_MESSAGES = uuid.uuid5(uuid.NAMESPACE_URL, "urn:transvase:deletions")


def withdraw(
    job: Job,
    ledger: Ledger,
    connect: Callable[[], Dmp | DmpFhir],
    clock: Callable[[], datetime],
    proofs: Proofs | None = None,
) -> str:
    """Delete all that an operator wants deleted; our code for what ended it early, or empty. On the route fhir nothing is done: what is to
    be deleted waits.

    FeederLocked, CertificateRefused, SettingsInvalid (seal of another structure)."""
    with ledger.feeding(), canonical.connect(Path(job.work), threads=1) as base:
        ctx = open_context(job, base)
        client = routes.over(connect(), ctx)
        try:
            return deletions(ledger, client, Signer(proofs, ctx, base) if proofs else None, ctx, base, clock)
        finally:
            client.close()


def deletions(
    ledger: Ledger, client: routes.Route, signer: Signer | None, ctx: Context, base: Any, clock: Callable[[], datetime]
) -> str:
    """The same within a run that holds the lock."""
    if not isinstance(client, Soap):
        return ""
    if stale := ledger.select(("deleting",)):
        # A former run ended between the request and its outcome.
        ledger.record([Step(s.id, "restart", "restart") for s in stale], clock())
    for one in ledger.select(LEAVING):
        if code := _One(ledger, client, signer, ctx, base, clock, one).deleted():
            return code
    return ""


class _One:
    """One deletion."""

    def __init__(
        self,
        ledger: Ledger,
        client: Soap,
        signer: Signer | None,
        ctx: Context,
        base: Any,
        clock: Callable[[], datetime],
        submission: Submission,
    ) -> None:
        self.ledger, self.client, self.signer, self.ctx, self.base = ledger, client, signer, ctx, base
        self.clock, self.submission = clock, submission
        row = base.execute(
            "SELECT p.ins, p.ins_oid, d.practitioner FROM document d LEFT JOIN patient p ON p.key = d.patient WHERE d.key = $d",
            {"d": submission.document},
        ).fetchone() or (None, None, None)
        self.national = f"{row[0]}^^^&{row[1]}&ISO^NH" if row[0] else ""
        self.practitioner: str | None = row[2]

    def deleted(self) -> str:
        """Ask, then delete what stands; our code when the service does not answer."""
        speech = self.speech("ask", self.national)
        found = self.client.query([Sought(self.submission.unique_id, self.national)], speech)
        if not found.ok:
            if found.code in OF_CALLER:
                raise CertificateRefused(service=DMP, reason=found.code)
            return found.code or "no answer"
        entry = found.entries.get(self.submission.unique_id)
        if entry is None or entry.status == "Deleted":
            self.note("absent", "absent")
            return ""
        if self.submission.state == "to_confirm":
            self.note("present", "present")
        self.note("withdraw")
        # It stands under the patient it was fed for, whatever the record says now.
        patient = entry.patient or self.national
        speech = self.speech("delete", patient)
        answer = self.client.delete(self.set_of(entry, patient, speech.instant), entry.entry_uuid, speech)
        events: dict[str, Event] = {"accepted": "withdrawn", "refused": "kept", "not_sent": "not_sent"}
        self.note(events.get(answer.kind, "doubt"), answer.code)
        if answer.code in OF_CALLER:
            raise CertificateRefused(service=DMP, reason=answer.code)
        return answer.code if answer.kind in ("not_sent", "overloaded") else ""

    def note(self, event: Event, code: str = "") -> None:
        self.ledger.record([Step(self.submission.id, event, code)], self.clock())

    def speech(self, what: str, patient: str) -> Speech:
        now = self.clock()
        number = self.ledger.head()[0]
        message_id = f"urn:uuid:{uuid.uuid5(_MESSAGES, f'{what} {self.submission.id} {number} {now.isoformat()}')}"
        token = self.signer.token(self.practitioner, patient, message_id, now) if self.signer else ""
        return Speech(message_id, now, token)

    def set_of(self, entry: Entry, patient: str, now: datetime) -> SubmissionSet:
        """A set of no document, by the author of the document or who answers for the practice."""
        practice = self.ctx.practice
        rows = self.base.execute(
            f"SELECT {TABLES['practitioner'].select} FROM practitioner ORDER BY key = $k DESC, coalesce(active, false) DESC, key LIMIT 1",
            {"k": self.practitioner or ""},
        ).fetchall()
        person = ROW["practitioner"]._make(rows[0])
        known = SPECIALTIES.get(person.specialty or "")
        ident = Id(PROFESSIONALS, person.idnat) if person.idnat else Id(f"{practice.oid}.2", person.key)
        party = Party(
            ids=(ident,),
            code=Coded(known.code, known.system, known.display) if known else Coded(),
            family=person.family or "",
            given=person.given or "",
            organization=documents.custodian(self.ctx),
        )
        facility = FACILITIES.get(practice.facility_type) or FACILITIES["SA43"]
        return SubmissionSet(
            # Each request is a new set; asked again after a doubt it is another one.
            unique_id=under(
                practice.oid, TRANSMISSIONS, arc("deletion", self.submission.id, entry.entry_uuid, now.isoformat())
            ),
            source_id=source_id(documents.custodian(self.ctx), practice.oid),
            patient_id=patient,
            time=utc14(now),
            authors=(author(party),),
            content_type=Coded(facility.code, facility.system, facility.display),
        )
