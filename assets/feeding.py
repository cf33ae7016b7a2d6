"""The feeder: takes what the verdicts allow, in the order of the legal deadline, and keeps the ledger's order of writes (intent, send,
outcome), so that a kill at any point leaves the registry with each document exactly once. No Dagster in this module.
"""

from __future__ import annotations

import queue
import re
import threading
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from transvase.assets import routes
from transvase.assets.circuit import Circuit
from transvase.assets.quota import LONGEST_WAIT, Bucket, Limits, back_off
from transvase.assets.routes import Letter, Route, Sending, Sought, Speech
from transvase.assets.signing import Proofs, Signer
from transvase.assets.withdrawal import deletions
from transvase.errors import CertificateRefused, RefusedAlike, Said, ServiceUnreachable
from transvase.exporters import documents, structured
from transvase.exporters.cda.header import record_target
from transvase.exporters.documents import Composed, Context
from transvase.exporters.portability import Job, open_context
from transvase.exporters.set_signature import Reference as ManifestLine
from transvase.formats import canonical, cda
from transvase.formats.bodies import read_body
from transvase.formats.structure_seal import Uncanonical
from transvase.formats.xds_metadata import source_id, submission_set
from transvase.gateways import causes
from transvase.gateways.dmp import AT_WORK, DMP, OF_CALLER, Answer, Dmp, Existence, Reference
from transvase.gateways.dmp_fhir import DmpFhir
from transvase.ledger.states import Event
from transvase.ledger.submissions import Ledger, Planned, Step, Submission
from transvase.ledger.versions import Turn, turn
from transvase.model.clock import parse, utc14
from transvase.model.identifiers import TRANSMISSIONS, arc, is_oid, under, unique_id, uuid5
from transvase.model.record import ROW, Record
from transvase.model.tables import TABLES

# Intents committed together: one synced write for sixteen sendings; after a crash at most so many are asked about again.
BATCH = 16
BATCH_BYTES = 32 << 20
# Documents made together, when they are small: what waits for answers finds its code gone from the caches of the processor.
AHEAD, AHEAD_BYTES = 64, 4 << 20
# Rows looked up together in the columnar files.
LOOK_UP = 1024
# Seconds, at most, since the signature and the VIHF of a message were made when it leaves.
_FRESH = 5.0
# The registry answers about twenty documents at a time (sheet dmp-transactions.md, section 10).
ASK = 20
MOST_ATTEMPTS = 5
# Batches in which every call failed before the feeder stops and says so: a service that is down is not hammered all night.
FAILURES_BEFORE_STOP = 3

_MESSAGES = uuid.uuid5(uuid.NAMESPACE_URL, "urn:transvase:messages")


class Fed(NamedTuple):
    """Counts of a run: newly planned, sent, and the ledger's states afterwards; `stopped` says why it ended early, or is empty;
    `alike` when that is a cause for which the service refuses every document."""

    planned: int
    sent: int
    states: dict[str, int]
    stopped: str
    alike: bool = False


# Ends of a run that are no trouble: the next run goes on.
CEILING, CLOSED = "daily ceiling", "outside the window"
# Our code for what was kept here because the service asked to wait before its turn came.
_HELD = "held"


# What the ledger keeps of a patient whose existing DMP was asked about and is not there.
_WITHOUT_DMP: dict[Existence, str] = {"none": "DMPNone", "closed": "DMPClosed"}


# Bytes of the documents of a set of several: a set whose answer is lost is asked about as a whole.
_SET_BYTES = 8 << 20


class _Ready(NamedTuple):
    submission: Submission
    composed: Composed
    patient_id: str
    patient: Any
    practitioner: str | None
    encounter: str | None
    reference: ManifestLine | None
    # The registered version that this one replaces; an earlier one that the registry may hold although the ledger knows of none.
    target: Submission | None = None
    earlier: Planned | None = None


class _Told(NamedTuple):
    """What was answered about the set of a document; `several` when the set had others."""

    ready: _Ready
    answer: Answer
    several: bool

    @property
    def apart(self) -> bool:
        """The set was refused, which says of none of its documents that it is guilty: each leaves again alone."""
        return self.several and self.answer.kind == "refused"


Progress = Callable[[int, int], None]


class Candidates(NamedTuple):
    """What the verdicts say of the ledger's destination: documents to send, and those that a former software sent."""

    to_send: list[Planned]
    adopted: list[Planned]


def candidates(job: Job, ledger: Ledger | None) -> Candidates:
    """The versions that the verdicts let leave. Of a document whose earlier version is registered, every later one in its order; of
    one that a former software fed under a known uniqueId, the version made since, when nothing else stands against it."""
    with canonical.connect(Path(job.work), threads=1) as base:
        oid = open_context(job, base).practice.oid
        rows = base.sql(
            "SELECT d.document, coalesce(d.version_key, ''), d.patient, d.act, d.outcome, v.version, v.created, o.fed_unique_id, o.fed_at, "
            "v.own_unique_id, d.outcome = 'adopted' AND NOT EXISTS (SELECT 1 FROM verdict x WHERE x.destination = 'dmp' "
            "AND x.severity = 'block' AND x.rule <> 'DOC-FED' AND x.record_table = 'document' AND x.record_key = d.document) "
            "AND NOT EXISTS (SELECT 1 FROM verdict x WHERE x.destination = 'dmp' AND x.severity = 'block' "
            "AND x.record_table = 'patient' AND x.record_key = d.patient) "
            "FROM decision d JOIN document o ON o.key = d.document LEFT JOIN document_version v ON v.key = d.version_key "
            "WHERE d.outcome IN ('to_send', 'adopted') ORDER BY d.act, d.document"
        ).fetchall()
        found = Candidates([], [])
        several = {r[0] for r in rows if (r[5] or 1) > 2 or _after(r[6], r[8])}
        versions = _versions(base, several)
        for document, version, patient, act, outcome, rank, created, fed_as, fed_at, own, free in rows:
            # A CDA of its own keeps the id it carries; the one a former software used wins, since the registry knows that one.
            known = fed_as if is_oid(fed_as) else own
            ident = known or unique_id(oid, document, rank or 1)
            one = Planned(document, version, patient, ident, (act or "")[:10], max(rank or 1, 1))
            if outcome == "to_send":
                held = ledger.in_force(document) if ledger and one.rank > 2 else None
                if held is not None:
                    found.to_send.extend(_between(versions[document], oid, one, held))
                found.to_send.append(one)
                continue
            since = [v for v in versions[document] if _after(v[2], fed_at)] if _after(created, fed_at) else []
            if free and since and is_oid(fed_as):
                # What was fed is the version before the first one made since.
                found.adopted.append(one._replace(rank=max(since[0][1] - 1, 0)))
                for key, number, _, own_id in since:
                    newer = own_id or unique_id(oid, document, number)
                    found.to_send.append(one._replace(version=key, unique_id=newer, rank=max(number, 1)))
            else:
                found.adopted.append(one)
    return found


_Version = tuple[str, int, str | None, str | None]


def _versions(base: Any, documents: set[str]) -> defaultdict[str, list[_Version]]:
    """(key, rank, made, own uniqueId) of the versions of each document that can be sent, in order."""
    found = defaultdict(list)
    rows = base.execute(
        "SELECT document, key, version, created, own_unique_id FROM document_version WHERE document IN (SELECT unnest($keys)) "
        "AND sha256 IS NOT NULL AND coalesce(damage, '') = '' AND detected <> 'empty' ORDER BY document, version, key",
        {"keys": sorted(documents)},
    ).fetchall()
    for document, *version in rows:
        found[document].append(tuple(version))
    return found


def _between(versions: list[_Version], oid: str, newest: Planned, held: int) -> Iterator[Planned]:
    """The versions between the one in force and the newest: each replaces the one before (sheet, 9)."""
    for key, number, _, own in versions:
        if held < number < newest.rank:
            ident = own or unique_id(oid, newest.document, number)
            yield newest._replace(version=key, unique_id=ident, rank=number)


def _after(made: str | None, fed: str | None) -> bool:
    """The first instant is surely later than the second, whatever the precision of each; a missing one tells nothing."""
    size = min(len(made or ""), len(fed or ""))
    return size >= 10 and (made or "")[:size] > (fed or "")[:size]


def plan(job: Job, ledger: Ledger, now: datetime) -> int:
    """Bring the verdicts into the ledger: what is to be sent, and what a former software sent (adopted). New rows."""
    return ledger.plan(*candidates(job, ledger), now)


def feed(
    job: Job,
    ledger: Ledger,
    connect: Callable[[], Dmp | DmpFhir],
    limits: Limits,
    clock: Callable[[], datetime],
    progress: Progress = lambda done, total: None,
    proofs: Proofs | None = None,
) -> Fed:
    """Feed until nothing is left to send, a ceiling is met, or the service fails. The kind of connection decides the route. With
    `proofs`, on the SOAP route, every request carries the VIHF and every submission set its signature.

    Raises FeederLocked, CertificateRefused, SettingsInvalid (seal of another structure); ServiceUnreachable when nothing at all could
    be sent."""
    with ledger.feeding():
        found = candidates(job, ledger)
        planned = ledger.plan(*found, clock())
        # A former run that died between sending and outcome: nobody knows, so the registry is asked.
        while stale := ledger.waiting("submitted", 1000):
            ledger.record([Step(s.id, "restart", "restart") for s in stale], clock())
        with canonical.connect(Path(job.work), threads=1) as base:
            # Also a document that a former software fed, for the version made since.
            allowed = {one.document for one in found.to_send}
            run = _Run(job, ledger, connect, limits, clock, progress, base, proofs, allowed)
            try:
                run.delete()
                run.all()
            finally:
                run.close()
        return Fed(planned, run.sent, ledger.counts(), run.stopped, run.circuit.open)


class _Run:
    """One run of the feeder: its connections and counts."""

    def __init__(
        self,
        job: Job,
        ledger: Ledger,
        connect: Callable[[], Dmp | DmpFhir],
        limits: Limits,
        clock: Callable[[], datetime],
        progress: Progress,
        base: Any,
        proofs: Proofs | None,
        allowed: set[str],
    ) -> None:
        self.ctx: Context = open_context(job, base)
        self.signer = Signer(proofs, self.ctx, base) if proofs else None
        # Patients whose DMP was asked about in this run.
        self.existing: dict[str, Existence] = {}
        # Submissions of which the registry holds no earlier version, by its own word in this run.
        self.first: set[str] = set()
        self.moved = True
        self.work, self.base = Path(job.work), base
        # Of the documents in hand: the key of their newest version, and what the record holds beside its body.
        self.beside: dict[str, tuple[str, Record]] = {}
        # Of those of them that have several versions, what can be sent.
        self.versions: dict[str, list[_Version]] = {}
        self.ledger, self.limits, self.clock, self.progress = ledger, limits, clock, progress
        # A connection serves one sending at a time: a sender takes one and puts it back.
        self.idle: queue.SimpleQueue[Route] = queue.SimpleQueue()
        self.clients = [routes.over(connect(), self.ctx) for _ in range(limits.connections)]
        self.client = self.clients[0]
        for client in self.clients:
            self.idle.put(client)
        self.pool = ThreadPoolExecutor(limits.connections)
        self.sent = 0
        self.stopped = ""
        self.failures = 0
        self.allowed = allowed
        midnight = clock().replace(hour=0, minute=0, second=0, microsecond=0)
        self.left_today = limits.per_day - ledger.sent_since(midnight.isoformat())
        self.bucket = Bucket(limits.per_second)
        self.circuit = Circuit()
        # Set as soon as the service is overloaded: what has not left of the batch stays.
        self.held = threading.Event()

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
        self.moved = True
        while self.moved and self.within():
            self.moved = False
            self.ask()
            after = ("", "")
            while not self.halted():
                page = self.ledger.waiting("to_submit", LOOK_UP, after)
                if not page:
                    break
                after = (page[-1].act, page[-1].id)
                for batch in _batches(self.prepare(page)):
                    if not self.within():
                        return
                    self.moved = True
                    self.send(self.with_targets(self.with_dmp(batch)))
                    self.progress(self.sent, total)
                    if self.halted():
                        return
            if self.halted():
                return

    def within(self) -> bool:
        """The hour is one of the window, when there is one."""
        if self.limits.window and not self.limits.window.holds(self.clock()):
            self.stopped = CLOSED
        return not self.halted()

    def delete(self) -> None:
        """What an operator wants deleted goes first: a document must not be replaced meanwhile."""
        if self.within() and (
            code := deletions(self.ledger, self.client, self.signer, self.ctx, self.base, self.clock)
        ):
            self.failed(code, 0.0, "deletions")

    # -- doubt ---------------------------------------------------------------------------------------------------------------

    def ask(self) -> None:
        """Ask the registry by uniqueId about every submission in doubt; what it does not hold may be sent again."""
        while doubtful := self.ledger.waiting("to_query", ASK):
            now, assertion = self.clock(), ""
            if self.signer:
                # A VIHF speaks of one patient.
                doubtful = [s for s in doubtful if s.patient == doubtful[0].patient]
            asked = " ".join(f"{s.id} {s.attempts}" for s in doubtful)
            message_id = f"urn:uuid:{uuid5(_MESSAGES, f'ask {asked} {now.isoformat()}')}"
            people = self.rows("patient", {s.patient for s in doubtful})
            sought = [Sought(s.unique_id, _national(people.get(s.patient))) for s in doubtful]
            if self.signer:
                assertion = self.signer.token(None, sought[0].patient, message_id, now)
            found = self.client.query(sought, Speech(message_id, now, assertion))
            if not found.ok:
                self.failed(found.code, 0.0, asked)
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
        versions = self.ledger.versions([s.document for s in waiting]) if waiting else {}
        turns = {s.id: turn(s, versions[s.document]) for s in waiting if s.document in versions}
        said: dict[str, tuple[Event, str]] = {"overtaken": ("overtaken", ""), "gap": ("give_up", "VersionMissing")}
        if steps := [Step(i, *said[t.kind]) for i, t in turns.items() if t.kind in said]:
            self.ledger.record(steps, self.clock())
            # A newer version may have waited for this.
            self.moved = True
        waiting = [s for s in waiting if s.id not in turns or turns[s.id].kind in ("send", "replace")]
        if not waiting:
            return
        found = {
            name: self.rows(name, {getattr(s, attribute) for s in waiting})
            for name, attribute in (("patient", "patient"), ("document", "document"), ("document_version", "version"))
        }
        self.beside = self.rows_beside({s.document for s in waiting})
        self.versions = _versions(self.base, {s.document for s in waiting if s.rank > 1})
        for submission in waiting:
            patient, document, version = (
                found["patient"].get(submission.patient),
                found["document"].get(submission.document),
                found["document_version"].get(submission.version),
            )
            made: _Ready | str = "DocumentMismatch"
            if patient and document and version:
                made = self.ready(submission, patient, document, version, turns.get(submission.id))
            if isinstance(made, str):
                self.ledger.record([Step(submission.id, "give_up", made)], self.clock())
            else:
                yield made

    def ready(
        self, submission: Submission, patient: Any, document: Any, version: Any, place: Turn | None
    ) -> _Ready | str:
        """A submission with its bytes, or our code for what keeps it here. `place` is its turn, None when the ledger knows of no other
        version."""
        target = place.target if place else None
        asked = place is not None or submission.rank < 2 or submission.id in self.first
        earlier = None if asked else self.earlier(submission)
        previous = target.unique_id if target else earlier.unique_id if earlier else ""
        one = self.compose(submission, patient, document, version, previous)
        national = _national(patient)
        # Envelope, document and verdict must speak of the same patient and the same document.
        if (
            one is None
            or one.entry.patient_id != national
            or one.entry.unique_id != submission.unique_id
            or one.form == "plain"
        ):
            return "DocumentMismatch"
        # A CDA of its own says itself what it replaces.
        if target and one.form == "carried" and cda.header(cda.parse(one.data)).replaces.oid != target.unique_id:
            return "ReplacedMismatch"
        reference = None
        if self.signer:
            if code := self.signer.refusal(document.practitioner, one.entry):
                return code
            try:
                reference = self.signer.reference(one.entry, one.data, written=one.form == "written")
            except Uncanonical:
                return "DocumentMismatch"
        author, encounter = document.practitioner, document.encounter
        # Of what waits for its batch, only what will be sent is kept: a body may be a thousand times the PDF that it gave.
        one = one._replace(pdf=b"", original=None, notice=None)
        return _Ready(submission, one, national, patient, author, encounter, reference, target, earlier)

    def earlier(self, submission: Submission) -> Planned:
        """The version before one, under the identifier that it would have."""
        rank = submission.rank - 1
        found = [v for v in self.versions[submission.document] if v[1] == rank]
        key, own = (found[-1][0], found[-1][3]) if found else ("", None)
        ident = own or unique_id(self.ctx.practice.oid, submission.document, rank)
        return Planned(submission.document, key, submission.patient, ident, submission.act, rank)

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

    def with_targets(self, batch: list[_Ready]) -> list[_Ready]:
        """A batch whose replacements bear the entryUUID of what they replace, asked now (TD3.1b): it changes with every change of
        metadata. A later version of which the ledger knows no earlier one is asked about too: the ledger may have been lost."""
        kept: list[_Ready] = []
        silent = False
        for ready in batch:
            sought = ready.target.unique_id if ready.target else ready.earlier.unique_id if ready.earlier else ""
            if not sought:
                kept.append(ready)
                continue
            if silent:
                continue
            found = self.reference(ready, sought)
            if not found.ok:
                # It waits for the next pass; of a service that does not answer, one question in a batch is enough.
                silent = True
                self.failed(found.code, 0.0, ready.submission.id)
            elif ready.target is None and ready.earlier is not None:
                # Once adopted it is what this one replaces, in the next pass.
                if not (found.entry_uuids and self.ledger.plan([], [ready.earlier], self.clock())):
                    self.first.add(ready.submission.id)
                    kept.append(ready)
            elif len(found.entry_uuids) == 1:
                entry = ready.composed.entry._replace(replaces=found.entry_uuids[0])
                kept.append(ready._replace(composed=ready.composed._replace(entry=entry)))
            else:
                code = "ReplacedAmbiguous" if found.entry_uuids else "ReplacedAbsent"
                self.ledger.record([Step(ready.submission.id, "give_up", code)], self.clock())
        return kept

    def reference(self, ready: _Ready, sought: str) -> Reference:
        """The id under which the registry holds a uniqueId."""
        self.bucket.take()
        now = self.clock()
        asked = f"reference {sought} {ready.submission.id} {ready.submission.attempts} {now.isoformat()}"
        message_id = f"urn:uuid:{uuid5(_MESSAGES, asked)}"
        assertion = ""
        if self.signer:
            assertion = self.signer.token(
                ready.practitioner, ready.patient_id, message_id, now, secret=secret(ready.patient, now)
            )
        return self.client.reference(Sought(sought, ready.patient_id), Speech(message_id, now, assertion))

    def exists(self, ready: _Ready) -> Existence:
        """Ask whether the patient of a document has a DMP."""
        self.bucket.take()
        now = self.clock()
        message_id = f"urn:uuid:{uuid5(_MESSAGES, f'exists {ready.submission.patient} {now.isoformat()}')}"
        assertion = ""
        if self.signer:
            assertion = self.signer.token(
                ready.practitioner, ready.patient_id, message_id, now, secret=secret(ready.patient, now)
            )
        return self.client.exists(ready.patient.ins, ready.patient.ins_oid, Speech(message_id, now, assertion))

    def rows(self, name: str, keys: set[str]) -> dict[str, Any]:
        found = self.base.execute(
            f"SELECT {TABLES[name].select} FROM {name} WHERE key IN (SELECT unnest($keys))", {"keys": sorted(keys)}
        ).fetchall()
        make = ROW[name]._make
        return {r[0]: make(r) for r in found}

    def compose(
        self, submission: Submission, patient: Any, document: Any, version: Any, previous: str
    ) -> Composed | None:
        body = read_body(self.work / "bodies", version.sha256)
        if body is None:
            return None
        if not previous and (version.version or 1) > 1:
            previous = unique_id(self.ctx.practice.oid, document.key, version.version - 1)
        target = record_target(patient, self.ctx.practice.oid, qualified=True)
        newest, record = self.beside.get(document.key, ("", {}))
        # Rows are those of the document as it is now.
        rows = None
        if newest == version.key:
            reachable = partial(record_target, patient, self.ctx.practice.oid, qualified=True, reachable=True)
            rows = structured.of_record(record, reachable).get(document.key)
        return documents.compose(
            self.ctx, target, True, document, version, submission.unique_id, previous, body, "DOC0001", rows
        )

    def rows_beside(self, documents: set[str]) -> dict[str, tuple[str, Record]]:
        """What the record holds of some documents beside their bodies, with the key of their newest version."""
        found: dict[str, tuple[str, Record]] = {
            document: (newest, {})
            for document, newest in self.base.execute(
                "SELECT document, arg_max(key, (version, key)) FROM document_version WHERE document IN (SELECT unnest($keys)) GROUP BY document",
                {"keys": sorted(documents)},
            ).fetchall()
        }
        owner: dict[str, str] = {}
        for name, place in (
            ("prescription", "document"),
            ("lab_result", "document"),
            ("prescription_line", "prescription"),
        ):
            keys = sorted(owner if place == "prescription" else documents)
            asked = f"SELECT {TABLES[name].select} FROM {name} WHERE {place} IN (SELECT unnest($keys)) ORDER BY key"
            for values in self.base.execute(asked, {"keys": keys}).fetchall() if keys else ():
                row = ROW[name]._make(values)
                document = owner[row.prescription] if place == "prescription" else row.document
                if name == "prescription":
                    owner[row.key] = document
                if document in found:
                    found[document][1].setdefault(name, []).append(row)
        return found

    def send(self, batch: list[_Ready]) -> None:
        """Intents, sendings, outcomes of a batch."""
        if not batch or self.halted():
            return
        if self.left_today <= 0:
            self.stopped = CEILING
            return
        batch = batch[: self.left_today]
        self.left_today -= len(batch)
        now = self.clock()
        self.ledger.record(
            [Step(r.submission.id, "send", "", r.composed.entry.sha1.lower(), r.composed.entry.size) for r in batch],
            now,
        )
        self.held.clear()
        sets = _sets(batch) if self.client.together else [[ready] for ready in batch]
        told = [
            _Told(ready, answer, len(members) > 1)
            for members, answer in zip(sets, self.answers(sets), strict=True)
            for ready in members
        ]
        for one in told:
            if not one.apart:
                self.circuit.note(one.ready.submission.id, one.answer)
        self.ledger.record(self.outcomes(told), self.clock())
        answers = [one.answer for one in told]
        self.left_today += sum(a.code == _HELD for a in answers)
        self.sent += sum(a.kind == "accepted" for a in answers)
        if caller := next((a.code for a in answers if a.code in OF_CALLER), ""):
            raise CertificateRefused(service=DMP, reason=caller)
        if self.circuit.open:
            self.stopped = self.circuit.code
            return
        asked, seed = max(a.retry_after for a in answers), " ".join(r.submission.id for r in batch)
        if all(a.kind in ("not_sent", "overloaded", "doubt") and a.code not in AT_WORK for a in answers):
            self.failed(answers[0].code, asked, seed)
        else:
            self.failures = 0
            if self.held.is_set():
                self.rest(answers[0].code, asked, seed)

    def answers(self, sets: list[list[_Ready]]) -> list[Answer]:
        """What is answered about each set. One task for each connection, which takes the next set as long as there is one."""
        found: dict[int, Answer] = {}
        # Made one after the other, as many as the quota lets leave while they are fresh: between two waits each costs twice as much.
        soon = int(min(self.limits.per_second * _FRESH, len(sets)))
        letters = [self.letter(members) for members in sets[:soon]]
        places = iter(range(len(sets)))

        def some() -> None:
            for place in places:
                found[place] = self.one(sets[place], letters[place] if place < soon else None)

        for task in [self.pool.submit(some) for _ in self.clients[: len(sets)]]:
            task.result()
        return [found[place] for place in range(len(sets))]

    def outcomes(self, told: list[_Told]) -> list[Step]:
        """What the answers of a batch make of its submissions, and of those refused before for the same common cause."""
        alike = set(self.circuit.alike) if self.circuit.open else set()
        steps: list[Step] = []
        for one in told:
            ident, answer = one.ready.submission.id, one.answer
            event: Event = "doubt"
            if one.apart:
                event = "apart"
            elif ident in alike or answer.code == _HELD:
                event = "turned_away"
            elif answer.kind in ("accepted", "refused", "not_sent"):
                event = answer.kind
            steps.append(Step(ident, event, answer.code))
            alike.discard(ident)
        return [*steps, *(Step(ident, "turned_away", self.circuit.code) for ident in sorted(alike))]

    def one(self, members: list[_Ready], letter: Letter | None) -> Answer:
        """Send one submission set. Its proofs say when they were made: a letter that waited is written again."""
        self.bucket.take()
        if self.held.is_set():
            return Answer("not_sent", _HELD)
        if letter is None or _apart(self.clock(), letter.speech.instant) > _FRESH:
            letter = self.letter(members)
        client = self.idle.get()
        try:
            answer = client.submit(letter)
        finally:
            self.idle.put(client)
        if answer.kind == "overloaded":
            self.held.set()
        return answer

    def letter(self, members: list[_Ready]) -> Letter:
        """The message of one submission set; the identifiers of the set follow from its documents, so sending again is the same sending."""
        lead, named, now = members[0], [r.submission.id for r in members], self.clock()
        entries = [r.composed.entry._replace(uri="", original_file_name="") for r in members]
        submission = submission_set(
            entries,
            unique_id=under(self.ctx.practice.oid, TRANSMISSIONS, arc("submission", *named)),
            source_id=source_id(documents.custodian(self.ctx), self.ctx.practice.oid),
            time=utc14(now),
        )
        signature, assertion = None, ""
        # The time is in the message: under a MessageID already used, a ledger rebuilt from nothing would say other things.
        told = f"{' '.join(named)} {lead.submission.attempts} {now.isoformat()}"
        message_id = f"urn:uuid:{uuid5(_MESSAGES, told)}"
        if self.signer:
            references = [r.reference for r in members if r.reference]
            signature = self.signer.signature(submission, entries[0], references, now)
            assertion = self.signer.token(
                lead.practitioner, lead.patient_id, message_id, now, secret=secret(lead.patient, now)
            )
        sent = [(entry, r.composed.data) for entry, r in zip(entries, members, strict=True)]
        return self.client.letter(Sending(submission, sent, signature), Speech(message_id, now, assertion))

    def failed(self, code: str, asked: float, seed: str) -> None:
        """A batch or a question without any answer: wait longer each time, then stop. CertificateRefused when it is for who asks."""
        if code in OF_CALLER:
            raise CertificateRefused(service=DMP, reason=code)
        self.failures += 1
        if self.failures >= FAILURES_BEFORE_STOP:
            self.stopped = code or "no answer"
            return
        self.rest(code, asked, seed)

    def rest(self, code: str, asked: float, seed: str) -> None:
        """Leave the service alone as long as it asks; a run does not wait for hours."""
        if asked > LONGEST_WAIT:
            self.stopped = code
            return
        time.sleep(back_off(self.failures, asked, seed))


def _batches(ready: Iterator[_Ready]) -> Iterator[list[_Ready]]:
    """Batches of so many documents at most, and of so many bytes: a document is made little before its batch is, and is gone with it."""
    ahead: deque[_Ready] = deque()
    size = 0
    for one in ready:
        weight = len(one.composed.data)
        if len(ahead) == AHEAD or size + weight > (AHEAD_BYTES if len(ahead) >= BATCH else BATCH_BYTES):
            yield from _taken(ahead)
            size = 0
        ahead.append(one)
        size += weight
    yield from _taken(ahead)


def _apart(one: datetime, other: datetime) -> float:
    """Seconds between two instants; across a change of the clocks too, where those of one zone subtract as the clock on the wall."""
    return abs(one.timestamp() - other.timestamp())


def _taken(ahead: deque[_Ready]) -> Iterator[list[_Ready]]:
    while ahead:
        yield [ahead.popleft() for _ in range(min(BATCH, len(ahead)))]


def _sets(batch: list[_Ready]) -> list[list[_Ready]]:
    """The submission sets of a batch. Documents of one encounter and one author belong together, as long as nothing is known that could
    set them apart: what replaces a version, or was sent before, leaves alone, so that an answer about it is about nothing else."""
    sets: list[list[_Ready]] = []
    places: dict[tuple[str, str | None, str], int] = {}
    for ready in batch:
        alone = not ready.encounter or ready.submission.attempts or ready.target or ready.earlier
        key = (ready.submission.patient, ready.practitioner, ready.encounter or "")
        place = None if alone else places.get(key)
        size = len(ready.composed.data)
        if place is not None and sum(len(r.composed.data) for r in sets[place]) + size <= _SET_BYTES:
            sets[place].append(ready)
            continue
        if not alone:
            places[key] = len(sets)
        sets.append([ready])
    return sets


def _national(patient: Any) -> str:
    """The CX of a patient row's matricule; empty without row."""
    return f"{patient.ins}^^^&{patient.ins_oid}&ISO^NH" if patient else ""


def secret(patient: Any, now: datetime) -> bool:
    """Whether an assertion says that the connection is secret: a minor's is (sheet vihf, section 3), an adult's is not and a verdict says
    so. Of a date that is uncertain or partial the year alone is sure; who may still be a minor is one."""
    if not patient.sensitive_connection:
        return False
    born = patient.birth_date or ""
    sure = parse(born) is not None and len(born) == 10 and not patient.birth_date_uncertain
    last = born if sure else f"{born[:4]}-12-31"
    if not re.fullmatch("[0-9]{4}", last[:4]):
        return True
    return f"{int(last[:4]) + 18:04d}{last[4:]}" > f"{now:%Y-%m-%d}"


def checked(fed: Fed, url: str) -> Fed:
    """The run's counts; RefusedAlike when every document met one refusal, ServiceUnreachable when the service stopped the run."""
    service = Said(f"Le DMP ({url})", f"The DMP ({url})")
    if fed.alike:
        cause = causes.of(fed.stopped)
        raise RefusedAlike(service=service, code=fed.stopped, cause=Said(cause.french, cause.english))
    if fed.stopped and fed.stopped not in (CEILING, CLOSED):
        raise ServiceUnreachable(service=service, reason=fed.stopped)
    return fed
