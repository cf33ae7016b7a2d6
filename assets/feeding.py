"""The feeder: takes what the verdicts allow, in the order of the legal deadline, and keeps the ledger's order of writes (intent, send,
outcome), so that a kill at any point leaves the registry with each document exactly once. No Dagster in this module.
"""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from transvase.assets.signing import Proofs, Signer
from transvase.errors import CertificateRefused, Said, ServiceUnreachable
from transvase.exporters import documents, existence, iti41
from transvase.exporters.cda.header import record_target
from transvase.exporters.documents import Composed, Context
from transvase.exporters.portability import Job, open_context
from transvase.exporters.set_signature import Reference
from transvase.formats import canonical
from transvase.formats.bodies import read_body
from transvase.formats.structure_seal import Uncanonical
from transvase.formats.xds_metadata import source_id, submission_set
from transvase.formats.xds_xml import submit_objects_request
from transvase.gateways.dmp import AT_WORK, DMP, OF_CALLER, Answer, Dmp, Existence
from transvase.ledger.submissions import Ledger, Planned, Step, Submission
from transvase.model.clock import utc14
from transvase.model.identifiers import TRANSMISSIONS, arc, is_oid, unique_id
from transvase.model.record import ROW
from transvase.model.tables import TABLES

# Intents committed together: one synced write for sixteen sendings; after a crash at most so many are asked about again.
BATCH = 16
# Rows looked up together in the columnar files.
LOOK_UP = 256
# The registry answers about twenty documents at a time (sheet dmp-transactions.md, section 10).
ASK = 20
MOST_ATTEMPTS = 5
# Batches in which every call failed before the feeder stops and says so: a service that is down is not hammered all night.
FAILURES_BEFORE_STOP = 3

_MESSAGES = uuid.uuid5(uuid.NAMESPACE_URL, "urn:transvase:messages")


class Limits(NamedTuple):
    """Ceilings of a run."""

    per_second: float
    per_day: int
    connections: int


class Fed(NamedTuple):
    """Counts of a run: newly planned, sent, and the ledger's states afterwards; `stopped` says why it ended early, or is empty."""

    planned: int
    sent: int
    states: dict[str, int]
    stopped: str


# What the ledger keeps of a patient whose existing DMP was asked about and is not there.
_WITHOUT_DMP: dict[Existence, str] = {"none": "DMPNone", "closed": "DMPClosed"}


class _Ready(NamedTuple):
    submission: Submission
    composed: Composed
    patient_id: str
    patient: Any
    practitioner: str | None
    reference: Reference | None


Progress = Callable[[int, int], None]


def plan(job: Job, ledger: Ledger, now: datetime) -> int:
    """Bring the verdicts into the ledger: what is to be sent, and what a former software sent (adopted). New rows."""
    with canonical.connect(Path(job.work), threads=1) as base:
        oid = open_context(job, base).practice.oid
        rows = base.sql(
            "SELECT d.document, coalesce(d.version_key, ''), d.patient, d.act, d.outcome, v.version, o.fed_unique_id, v.own_unique_id FROM decision d "
            "JOIN document o ON o.key = d.document LEFT JOIN document_version v ON v.key = d.version_key "
            "WHERE d.outcome IN ('to_send', 'adopted') ORDER BY d.act, d.document"
        ).fetchall()
    to_send: list[Planned] = []
    adopted: list[Planned] = []
    for document, version, patient, act, outcome, rank, fed_as, own in rows:
        # A CDA of its own keeps the id it carries; the one a former software used wins, since the registry knows that one.
        known = fed_as if is_oid(fed_as) else own
        ident = known or unique_id(oid, document, rank or 1)
        (to_send if outcome == "to_send" else adopted).append(
            Planned(document, version, patient, ident, (act or "")[:10])
        )
    return ledger.plan(to_send, adopted, now)


def feed(
    job: Job,
    ledger: Ledger,
    connect: Callable[[], Dmp],
    limits: Limits,
    clock: Callable[[], datetime],
    progress: Progress = lambda done, total: None,
    proofs: Proofs | None = None,
) -> Fed:
    """Feed until nothing is left to send, a ceiling is met, or the service fails. With `proofs` every request carries the VIHF and
    every submission set its signature.

    Raises FeederLocked, CertificateRefused, SettingsInvalid (seal of another structure); ServiceUnreachable when nothing at all could
    be sent."""
    with ledger.feeding():
        planned = plan(job, ledger, clock())
        # A former run that died between sending and outcome: nobody knows, so the registry is asked.
        while stale := ledger.waiting("submitted", 1000):
            ledger.record([Step(s.id, "restart", "restart") for s in stale], clock())
        with canonical.connect(Path(job.work), threads=1) as base:
            run = _Run(job, ledger, connect, limits, clock, progress, base, proofs)
            try:
                run.all()
            finally:
                run.close()
        return Fed(planned, run.sent, ledger.counts(), run.stopped)


class _Run:
    """One run of the feeder: its connections and counts."""

    def __init__(
        self,
        job: Job,
        ledger: Ledger,
        connect: Callable[[], Dmp],
        limits: Limits,
        clock: Callable[[], datetime],
        progress: Progress,
        base: Any,
        proofs: Proofs | None,
    ) -> None:
        self.ctx: Context = open_context(job, base)
        self.signer = Signer(proofs, self.ctx, base) if proofs else None
        # Patients whose DMP was asked about in this run.
        self.existing: dict[str, Existence] = {}
        self.work, self.base = Path(job.work), base
        self.ledger, self.limits, self.clock, self.progress = ledger, limits, clock, progress
        self.client = connect()
        # A connection serves one sending at a time: a sender takes one and puts it back.
        self.idle: queue.SimpleQueue[Dmp] = queue.SimpleQueue()
        self.clients = [self.client, *(connect() for _ in range(limits.connections - 1))]
        for client in self.clients:
            self.idle.put(client)
        self.pool = ThreadPoolExecutor(limits.connections)
        self.sent = 0
        self.stopped = ""
        self.failures = 0
        self.allowed = {k for (k,) in base.sql("SELECT document FROM decision WHERE outcome = 'to_send'").fetchall()}
        midnight = clock().replace(hour=0, minute=0, second=0, microsecond=0)
        self.left_today = limits.per_day - ledger.sent_since(midnight.isoformat())
        self.turn = threading.Lock()
        self.next_slot = time.monotonic()

    def close(self) -> None:
        self.pool.shutdown(wait=True)
        for client in self.clients:
            client.close()

    def halted(self) -> bool:
        """A ceiling or a failing service ended the run."""
        return self.stopped != ""

    def all(self) -> None:
        """Passes over what waits, each preceded by the questions about what is in doubt, until a pass sends nothing."""
        total = len(self.allowed)
        moved = True
        while moved:
            moved = False
            self.ask()
            after = ("", "")
            while not self.halted():
                page = self.ledger.waiting("to_submit", LOOK_UP, after)
                if not page:
                    break
                after = (page[-1].act, page[-1].id)
                ready = list(self.prepare(page))
                for start in range(0, len(ready), BATCH):
                    moved = True
                    self.send(self.with_dmp(ready[start : start + BATCH]))
                    self.progress(self.sent, total)
                    if self.halted():
                        return
            if self.halted():
                return

    # -- doubt ---------------------------------------------------------------------------------------------------------------

    def ask(self) -> None:
        """Ask the registry by uniqueId about every submission in doubt; what it does not hold may be sent again."""
        while doubtful := self.ledger.waiting("to_query", ASK):
            now, assertion = self.clock(), ""
            if self.signer:
                # A VIHF speaks of one patient.
                doubtful = [s for s in doubtful if s.patient == doubtful[0].patient]
            asked = " ".join(f"{s.id} {s.attempts}" for s in doubtful)
            message_id = f"urn:uuid:{uuid.uuid5(_MESSAGES, f'ask {asked} {now.isoformat()}')}"
            if self.signer:
                patient = self.rows("patient", {doubtful[0].patient}).get(doubtful[0].patient)
                assertion = self.signer.token(None, _national(patient), message_id, now)
            message = iti41.query_by_unique_id(
                [s.unique_id for s in doubtful], message_id, f"{self.client.base}/registry", assertion
            )
            found = self.client.query(message.content_type, message.parts, message.length, message_id)
            if not found.ok:
                self.failed(found.code)
                if self.halted():
                    return
                continue
            steps = []
            for submission in doubtful:
                entry = found.entries.get(submission.unique_id)
                if entry is None:
                    steps.append(Step(submission.id, "absent", "absent"))
                elif submission.sha1 and entry.sha1 and entry.sha1 != submission.sha1:
                    steps.append(Step(submission.id, "differs", "XDSNonIdenticalHash"))
                else:
                    steps.append(Step(submission.id, "present", "present"))
            self.ledger.record(steps, self.clock())

    # -- sending -------------------------------------------------------------------------------------------------------------

    def prepare(self, page: list[Submission]) -> Iterator[_Ready]:
        """The submissions of a page with their bytes; those the verdicts no longer allow stay where they are."""
        waiting = [s for s in page if s.document in self.allowed]
        # Only a service that takes other documents in this run makes a document guilty: an outage sets nothing aside.
        if self.sent and (spent := [s for s in waiting if s.attempts >= MOST_ATTEMPTS]):
            self.ledger.record([Step(s.id, "give_up", s.code) for s in spent], self.clock())
            waiting = [s for s in waiting if s.attempts < MOST_ATTEMPTS]
        if not waiting:
            return
        found = {
            name: self.rows(name, {getattr(s, attribute) for s in waiting})
            for name, attribute in (("patient", "patient"), ("document", "document"), ("document_version", "version"))
        }
        for submission in waiting:
            patient, document, version = (
                found["patient"].get(submission.patient),
                found["document"].get(submission.document),
                found["document_version"].get(submission.version),
            )
            made: _Ready | str = "DocumentMismatch"
            if patient and document and version:
                made = self.ready(submission, patient, document, version)
            if isinstance(made, str):
                self.ledger.record([Step(submission.id, "give_up", made)], self.clock())
            else:
                yield made

    def ready(self, submission: Submission, patient: Any, document: Any, version: Any) -> _Ready | str:
        """A submission with its bytes, or our code for what keeps it here."""
        one = self.compose(submission, patient, document, version)
        national = _national(patient)
        # Envelope, document and verdict must speak of the same patient and the same document.
        if (
            one is None
            or one.entry.patient_id != national
            or one.entry.unique_id != submission.unique_id
            or one.form == "plain"
        ):
            return "DocumentMismatch"
        reference = None
        if self.signer:
            if code := self.signer.refusal(document.practitioner, one.entry):
                return code
            try:
                reference = self.signer.reference(one.entry, one.data)
            except Uncanonical:
                return "DocumentMismatch"
        return _Ready(submission, one, national, patient, document.practitioner, reference)

    def with_dmp(self, batch: list[_Ready]) -> list[_Ready]:
        """A batch without the patients who have no DMP. Only where the record does not know, and once for each patient, it is asked.

        An answer that tells nothing holds nobody up: the registry refuses the documents of a patient it does not know."""
        steps: list[Step] = []
        kept: list[_Ready] = []
        silent = False
        for ready in batch:
            key = ready.submission.patient
            if (ready.patient.dmp or "unknown") == "unknown" and key not in self.existing:
                self.existing[key] = "unknown" if silent else self.exists(ready)
                # Of a service that does not answer, one question in a batch is enough.
                silent = self.existing[key] == "unknown"
            if code := _WITHOUT_DMP.get(self.existing.get(key, "active")):
                steps.append(Step(ready.submission.id, "no_dmp", code))
            else:
                kept.append(ready)
        if steps:
            self.ledger.record(steps, self.clock())
        return kept

    def exists(self, ready: _Ready) -> Existence:
        """Ask whether the patient of a document has a DMP."""
        self.pace()
        now = self.clock()
        message_id = f"urn:uuid:{uuid.uuid5(_MESSAGES, f'exists {ready.submission.patient} {now.isoformat()}')}"
        assertion = ""
        if self.signer:
            assertion = self.signer.token(ready.practitioner, ready.patient_id, message_id, now, secret=_secret(ready))
        message = existence.request(
            ready.patient.ins,
            ready.patient.ins_oid,
            self.ctx.practice.oid,
            self.ctx.software,
            message_id,
            now,
            f"{self.client.base}/patients",
            assertion,
        )
        return self.client.exists(message.content_type, message.parts, message.length, message_id)

    def rows(self, name: str, keys: set[str]) -> dict[str, Any]:
        found = self.base.execute(
            f"SELECT {TABLES[name].select} FROM {name} WHERE key IN (SELECT unnest($keys))", {"keys": sorted(keys)}
        ).fetchall()
        make = ROW[name]._make
        return {r[0]: make(r) for r in found}

    def compose(self, submission: Submission, patient: Any, document: Any, version: Any) -> Composed | None:
        body = read_body(self.work / "bodies", version.sha256)
        if body is None:
            return None
        previous = ""
        if (version.version or 1) > 1:
            previous = unique_id(self.ctx.practice.oid, document.key, version.version - 1)
        target = record_target(patient, self.ctx.practice.oid, qualified=True)
        return documents.compose(
            self.ctx, target, True, document, version, submission.unique_id, previous, body, "DOC0001"
        )

    def send(self, batch: list[_Ready]) -> None:
        """Intents, sendings, outcomes of a batch."""
        if not batch:
            return
        if self.left_today <= 0:
            self.stopped = "daily ceiling"
            return
        batch = batch[: self.left_today]
        self.left_today -= len(batch)
        now = self.clock()
        self.ledger.record(
            [Step(r.submission.id, "send", "", r.composed.entry.sha1.lower(), r.composed.entry.size) for r in batch],
            now,
        )
        answers = list(self.pool.map(self.one, batch))
        steps = []
        for ready, answer in zip(batch, answers, strict=True):
            event = {"accepted": "accepted", "refused": "refused", "not_sent": "not_sent"}.get(answer.kind, "doubt")
            steps.append(Step(ready.submission.id, event, answer.code))  # type: ignore[arg-type]
        self.ledger.record(steps, self.clock())
        self.sent += sum(a.kind == "accepted" for a in answers)
        if caller := next((a.code for a in answers if a.code in OF_CALLER), ""):
            raise CertificateRefused(service=DMP, reason=caller)
        if all(a.kind in ("not_sent", "overloaded", "doubt") and a.code not in AT_WORK for a in answers):
            self.failed(answers[0].code, max(a.retry_after for a in answers))
        else:
            self.failures = 0

    def one(self, ready: _Ready) -> Answer:
        """Send one submission set of one document; its identifiers follow from the document, so sending again is the same sending."""
        self.pace()
        ident, now = arc("submission", ready.submission.id), self.clock()
        entry = ready.composed.entry._replace(uri="", original_file_name="")
        submission = submission_set(
            [entry],
            unique_id=f"{self.ctx.practice.oid}.{TRANSMISSIONS}.{ident}",
            source_id=source_id(documents.custodian(self.ctx), self.ctx.practice.oid),
            time=utc14(now),
        )
        parts, signature, assertion = [("Document01", ready.composed.data)], None, ""
        # The time is in the message: under a MessageID already used, a ledger rebuilt from nothing would say other things.
        message_id = (
            f"urn:uuid:{uuid.uuid5(_MESSAGES, f'{ready.submission.id} {ready.submission.attempts} {now.isoformat()}')}"
        )
        if self.signer and ready.reference:
            signature, data = self.signer.signature(submission, entry, ready.reference, now)
            parts.append(("Signature01", data))
            assertion = self.signer.token(ready.practitioner, ready.patient_id, message_id, now, secret=_secret(ready))
        request = submit_objects_request(submission, [entry], for_xdm=False, signature=signature)
        message = iti41.provide_and_register(request, parts, message_id, f"{self.client.base}/repository", assertion)
        client = self.idle.get()
        try:
            return client.submit(message.content_type, message.parts, message.length, message_id)
        finally:
            self.idle.put(client)

    def pace(self) -> None:
        """Wait for this sending's turn; all threads share the ceiling."""
        with self.turn:
            slot = self.next_slot = max(self.next_slot + 1 / self.limits.per_second, time.monotonic())
        if (wait := slot - time.monotonic()) > 0:
            time.sleep(wait)

    def failed(self, code: str, retry_after: float = 0.0) -> None:
        """A batch or a question without any answer: wait longer each time, then stop."""
        self.failures += 1
        if self.failures >= FAILURES_BEFORE_STOP:
            self.stopped = code or "no answer"
            return
        time.sleep(min(retry_after or 0.2 * 2**self.failures, 30.0))


def _national(patient: Any) -> str:
    """The CX of a patient row's matricule; empty without row."""
    return f"{patient.ins}^^^&{patient.ins_oid}&ISO^NH" if patient else ""


def _secret(ready: _Ready) -> bool:
    return bool(ready.patient.sensitive_connection)


def checked(fed: Fed, url: str) -> Fed:
    """The run's counts, or ServiceUnreachable when the service stopped it."""
    if fed.stopped and fed.stopped != "daily ceiling":
        raise ServiceUnreachable(service=Said(f"Le DMP ({url})", f"The DMP ({url})"), reason=fed.stopped)
    return fed
