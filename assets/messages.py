"""Sending messages: takes what the verdicts and the record's recipients allow, and keeps the ledger's order of writes (intent, send,
outcome) for each message alone. No Dagster in this module.

After a doubt there is no registry to ask: the folder where the operator files what it took is searched by Message-ID when the settings
name one, else the settings say whether a person decides. Answers of recipients (MDN, DSN) are read first: they prove what left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from transvase.assets.circuit import Circuit
from transvase.assets.quota import Bucket, Limits
from transvase.errors import CertificateRefused, RefusedAlike, Said, ServiceUnreachable
from transvase.exporters import documents, mssante
from transvase.exporters.cda.header import record_target
from transvase.exporters.documents import Composed, Context
from transvase.exporters.mssante import Letterhead, Message
from transvase.exporters.mssante import Mailbox as Address
from transvase.exporters.portability import Job, open_context
from transvase.formats import canonical, mail
from transvase.formats.bodies import read_body
from transvase.gateways import causes
from transvase.gateways.dmp import Answer
from transvase.gateways.mailbox import Mailbox
from transvase.gateways.mssante import MSS, OF_CALLER, Mailer
from transvase.ledger.acts import OPERATOR
from transvase.ledger.mail import Handled, digest
from transvase.ledger.states import Event, State
from transvase.ledger.submissions import Ledger, Planned, Step, Submission
from transvase.model.identifiers import is_oid, unique_id
from transvase.model.record import ROW
from transvase.model.tables import TABLES
from transvase.validators import recipients

DESTINATIONS = "mss_*"
PATIENT, PROFESSIONAL = "mss_patient", "mss_pro"
RECEIPTS = "mss-receipts.jsonl"
LOOK_UP = 256
MOST_ATTEMPTS = 5
FAILURES_BEFORE_STOP = 3
CEILING, CLOSED = "daily ceiling", "outside the window"
# Bytes of a message that Mon espace santé takes (25 Mo, read as the smaller of its two meanings).
PATIENT_MAX = 25_000_000
_SERVICE = ("MssBusy", "MssUnreachable", "MssCut")

Choice = Literal["ask", "resend"]


class Post(NamedTuple):
    """What the settings say of sending: letterhead, domain of citizens, first day of acts, largest message to a professional (bytes), the
    folder where the operator files what it took (empty: none), and what to do after a doubt without it."""

    letterhead: Letterhead
    patient_domain: str
    since: date
    professional_max: int
    sent_folder: str = ""
    doubt_professional: Choice = "ask"
    doubt_patient: Choice = "resend"


class Target(NamedTuple):
    """Where a planned message goes."""

    destination: str
    address: str
    label: str


class Candidates(NamedTuple):
    """Messages that may leave, by ledger id: (planned, target). `held` counts legs that stay here: (leg, rule or cause) to how many."""

    to_send: dict[str, tuple[Planned, Target]]
    held: Counter[tuple[str, str]]


class Posted(NamedTuple):
    """Counts of a run: newly planned, sent, answers read, legs held here, the ledger's states afterwards; `stopped` says why it ended
    early; `alike` when every message met one refusal."""

    planned: int
    sent: int
    answers: int
    held: Counter[tuple[str, str]]
    states: dict[str, int]
    stopped: str
    alike: bool = False


OpenMailbox = Callable[[], AbstractContextManager[Mailbox]]


def candidates(job: Job, ledger: Ledger | None, post: Post) -> Candidates:
    """The newest version of each document whose legs may leave, to each of its recipients."""
    with canonical.connect(Path(job.work), threads=1) as base:
        oid = open_context(job, base).practice.oid
        legs = recipients.due(base)
        rows = {
            row[0]: row[1:]
            for row in base.execute(
                "SELECT d.document, d.version_key, d.patient, left(d.act, 10), v.version, v.own_unique_id, o.fed_unique_id, "
                "p.ins, coalesce(i.qualified, false) FROM decision d JOIN document o ON o.key = d.document "
                "JOIN document_version v ON v.key = d.version_key JOIN patient p ON p.key = d.patient "
                "LEFT JOIN identities i ON i.patient = d.patient WHERE left(d.act, 10) >= $since",
                {"since": post.since.isoformat()},
            ).fetchall()
        }
        legs = [one for one in legs if one.document in rows]
        people = recipients.designated(
            base, {rows[one.document][1] for one in legs if one.leg == PROFESSIONAL}, post.letterhead.sender.address
        )
    known: dict[str, set[str]] = {}
    if ledger is not None:
        for document, destination in ledger.destinations():
            known.setdefault(document, set()).add(destination)
    found = Candidates({}, Counter())
    for document, leg, held in sorted(legs, key=lambda one: (rows[one.document][2], one.document, one.leg)):
        version, patient, act, rank, own, fed_as, ins, qualified = rows[document]
        if held:
            found.held[leg, held] += 1
            continue
        identifier = fed_as if is_oid(fed_as) else own or unique_id(oid, document, rank or 1)
        planned = Planned(document, version, patient, identifier, act, max(rank or 1, 1))
        targets: list[Target] = []
        if leg == PATIENT and qualified and ins:
            targets.append(Target(PATIENT, mssante.patient_address(ins, post.patient_domain), ""))
        elif leg == PATIENT:
            found.held[leg, "MssPatientAddress"] += 1
        else:
            if patient not in people:
                found.held[leg, "MssNoRecipient"] += 1
            for one in people.get(patient, []):
                if one.code:
                    found.held[leg, one.code] += 1
                    continue
                # The same person under another row of the record keeps the place of the first one written to.
                names = [f"{PROFESSIONAL}:{key}" for key in one.same]
                name = next((n for n in names if n in known.get(document, ())), names[0])
                targets.append(Target(name, one.address, one.label))
        for target in targets:
            found.to_send[f"{planned.unique_id} {target.destination}"] = planned, target
    return found


def plan(ledger: Ledger, found: Candidates, now: datetime) -> int:
    """Bring what may leave into the ledger; new rows."""
    by_destination: dict[str, list[Planned]] = {}
    for planned, target in found.to_send.values():
        by_destination.setdefault(target.destination, []).append(planned)
    return sum(ledger.plan(rows, [], now, name) for name, rows in sorted(by_destination.items()))


def send(
    job: Job,
    ledger: Ledger,
    mailer: Mailer,
    mailbox: OpenMailbox | None,
    post: Post,
    limits: Limits,
    clock: Callable[[], datetime],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Posted:
    """Send until nothing is left, a ceiling is met, or the operator fails. `ledger` is opened for DESTINATIONS.

    Raises FeederLocked, CertificateRefused."""
    with ledger.feeding():
        found = candidates(job, ledger, post)
        planned = plan(ledger, found, clock())
        while stale := ledger.waiting("submitted", 1000):
            ledger.record([Step(s.id, "restart", "restart") for s in stale], clock())
        with canonical.connect(Path(job.work), threads=1) as base:
            run = _Run(job, ledger, mailer, post, limits, clock, progress, base, found)
            try:
                answers = run.asked(mailbox, Path(job.work))
                run.all()
            finally:
                mailer.close()
        return Posted(planned, run.sent, answers, found.held, ledger.counts(), run.stopped, run.circuit.open)


class _Run:
    """One run: its connection and counts."""

    def __init__(
        self,
        job: Job,
        ledger: Ledger,
        mailer: Mailer,
        post: Post,
        limits: Limits,
        clock: Callable[[], datetime],
        progress: Callable[[int, int], None],
        base: Any,
        found: Candidates,
    ) -> None:
        self.ctx: Context = open_context(job, base)
        self.work, self.base = Path(job.work), base
        self.ledger, self.mailer, self.post = ledger, mailer, post
        self.limits, self.clock, self.progress = limits, clock, progress
        self.found = found.to_send
        # Documents that leave for a destination: of their versions in the ledger only the newest does.
        self.newest = {(planned.document, target.destination) for planned, target in self.found.values()}
        self.bucket = Bucket(limits.per_second)
        self.circuit = Circuit()
        self.sent = self.failures = 0
        self.stopped = ""
        midnight = clock().replace(hour=0, minute=0, second=0, microsecond=0)
        self.left_today = limits.per_day - ledger.sent_since(midnight.isoformat())

    # -- doubt ---------------------------------------------------------------------------------------------------------------

    def asked(self, mailbox: OpenMailbox | None, work: Path) -> int:
        """Read the answers of recipients, then settle what is in doubt; how many answers were new.

        Doubts of this run wait for the next: the operator may still be filing the message."""
        answers = 0
        if mailbox is not None:
            with mailbox() as box:
                answers = read_answers(box, self.ledger, Handled(work / RECEIPTS), self.clock)
                self.settle(box if self.post.sent_folder else None)
        else:
            self.settle(None)
        return answers

    def settle(self, box: Mailbox | None) -> None:
        """What became of each message in doubt: found in the operator's folder, or absent there; without one, the choice of the
        settings. What an operator reopened leaves again: somebody has asked the recipient."""
        if not self.ledger.waiting("to_query", 1):
            return
        if box is not None:
            box.open(self.post.sent_folder)
        sender = self.post.letterhead.sender.address
        while doubtful := self.ledger.waiting("to_query", LOOK_UP):
            steps = []
            for one in doubtful:
                event: Event = "unsure"
                code = "MssDoubt"
                if box is not None:
                    held = box.holds(mssante.message_id(one.unique_id, one.destination, sender))
                    event = "present" if held else "absent"
                    code = event
                elif one.code == OPERATOR or self.choice(one) == "resend":
                    event = code = "absent"
                steps.append(Step(one.id, event, code))
            self.ledger.record(steps, self.clock())

    def choice(self, one: Submission) -> Choice:
        return self.post.doubt_patient if one.destination == PATIENT else self.post.doubt_professional

    # -- sending -------------------------------------------------------------------------------------------------------------

    def all(self) -> None:
        """One pass: a mailbox that is busy now is tried in the next run."""
        after = ("", "")
        while self.within() and (page := self.ledger.waiting("to_submit", LOOK_UP, after)):
            after = (page[-1].act, page[-1].id)
            for one in page:
                if one.id not in self.found and (one.document, one.destination) not in self.newest:
                    continue
                if not self.within():
                    return
                self.one(one)

    def within(self) -> bool:
        if self.limits.window and not self.limits.window.holds(self.clock()):
            self.stopped = self.stopped or CLOSED
        elif self.left_today <= 0:
            self.stopped = self.stopped or CEILING
        return not self.stopped

    def one(self, one: Submission) -> None:
        """Intent, sending, outcome of one message: more intents at once would leave more doubts after a kill, and each may cost a
        telephone call."""
        versions = self.ledger.versions([one.document], one.destination).get(one.document, [one])
        newer = {v.state for v in versions if v.rank > one.rank}
        if newer & {"to_submit", "registered", "replaced"}:
            self.ledger.record([Step(one.id, "overtaken")], self.clock())
            return
        # A doubt first: whether an older version left decides what this one cancels.
        if one.id not in self.found or {v.state for v in versions if v.id != one.id} & {"submitted", "to_query"}:
            return
        if self.sent and one.attempts >= MOST_ATTEMPTS:
            self.ledger.record([Step(one.id, "give_up", one.code)], self.clock())
            return
        # A recipient may miss a version: what is cancelled is the last one that left.
        held = max(
            (v for v in versions if v.rank < one.rank and v.state == "registered"), key=lambda v: v.rank, default=None
        )
        now = self.clock()
        message = self.message(one, held, now)
        if isinstance(message, str):
            self.ledger.record([Step(one.id, "give_up", message)], now)
            return
        self.left_today -= 1
        composed, letter = message
        self.ledger.record([Step(one.id, "send", "", composed.entry.sha1.lower(), composed.entry.size)], now)
        self.bucket.take()
        try:
            answer = self.mailer.send(self.found[one.id][1].address, letter.data)
        except CertificateRefused:
            # Before the first word: no doubt is left behind.
            self.ledger.record([Step(one.id, "turned_away", "MssAuthentication")], self.clock())
            raise
        self.outcome(one, answer)
        self.progress(self.sent, len(self.found))

    def outcome(self, one: Submission, answer: Answer) -> None:
        """Record what an answer makes of its message, and of those refused before for the same common cause."""
        self.circuit.note(one.id, answer)
        alike = self.circuit.alike if self.circuit.open else []
        of_caller = answer.code in OF_CALLER
        event: Event = answer.kind if answer.kind in ("accepted", "refused", "not_sent") else "doubt"
        if one.id in alike or of_caller:
            event = "turned_away"
        steps = [Step(one.id, event, answer.code)]
        steps += [Step(ident, "turned_away", self.circuit.code) for ident in alike if ident != one.id]
        self.ledger.record(steps, self.clock())
        self.sent += answer.kind == "accepted"
        if of_caller:
            cause = causes.of(answer.code)
            raise CertificateRefused(service=MSS, reason=Said(cause.french.rstrip("."), cause.english.rstrip(".")))
        if self.circuit.open:
            self.stopped = self.circuit.code
        self.failures = self.failures + 1 if answer.code in _SERVICE or answer.kind == "doubt" else 0
        if self.failures >= FAILURES_BEFORE_STOP:
            self.stopped = answer.code

    def message(self, one: Submission, held: Submission | None, now: datetime) -> tuple[Composed, Message] | str:
        """The message of a submission, or our code for what keeps it here."""
        patient, document, version = (
            self.row("patient", one.patient),
            self.row("document", one.document),
            self.row("document_version", one.version),
        )
        if not (patient and document and version) or (body := read_body(self.work / "bodies", version.sha256)) is None:
            return "DocumentMismatch"
        previous = unique_id(self.ctx.practice.oid, document.key, one.rank - 1) if one.rank > 1 else ""
        previous = held.unique_id if held else previous
        target = record_target(patient, self.ctx.practice.oid, qualified=True)
        composed = documents.compose(
            self.ctx, target, True, document, version, one.unique_id, previous, body, "DOC0001"
        )
        national = f"{patient.ins}^^^&{patient.ins_oid}&ISO^NH"
        # Message, document and verdict must speak of the same patient and the same document.
        if (
            composed.form == "plain"
            or composed.entry.patient_id != national
            or composed.entry.unique_id != one.unique_id
        ):
            return "DocumentMismatch"
        to = self.found[one.id][1]
        letterhead = self.post.letterhead
        sender = letterhead.sender._replace(label=letterhead.sender.label or self.ctx.practice.name)
        replaces = mssante.message_id(held.unique_id, held.destination, sender.address) if held else ""
        letter = mssante.compose(
            self.ctx,
            letterhead._replace(sender=sender),
            Address(to.address, to.label),
            one.destination,
            patient,
            composed,
            now,
            qualified=True,
            replaces=replaces,
        )
        most = PATIENT_MAX if one.destination == PATIENT else self.post.professional_max
        return "MssTooLarge" if len(letter.data) > most else (composed, letter)

    def row(self, name: str, key: str) -> Any:
        found = self.base.execute(f"SELECT {TABLES[name].select} FROM {name} WHERE key = $key", {"key": key}).fetchall()
        return ROW[name]._make(found[0]) if found else None


# -- answers -----------------------------------------------------------------------------------------------------------------


def read_answers(box: Mailbox, ledger: Ledger, handled: Handled, clock: Callable[[], datetime]) -> int:
    """Read what recipients answered to our messages (MDN, DSN, failed integrations) into the ledger; how many answers were new. Called
    under the feeder's lock. A message that is no answer stays as it is; one that cannot be read is passed over."""
    ours = {mssante.local_id(s.unique_id, s.destination): (s.document, s.id) for s in ledger.select(_SENT)}
    box.open("INBOX", readonly=False)
    new = 0
    for listed in list(box.listed()):
        name = digest(f"{listed.message_id} {listed.uid if not listed.message_id else ''}")
        report = listed.content_type.lower().startswith("multipart/report")
        if name in handled or not (report or mail.local_part(listed.in_reply_to) in ours):
            continue
        told = None
        if listed.size <= mail.MAX_BYTES:
            try:
                told = mail.receipt(mail.parse(box.read(listed.uid)))
            except mail.MailRefused:
                told = None
        if told is None:
            handled.add(name, "other")
            continue
        if told.original in ours:
            new += _applied(ledger, *ours[told.original], told, clock())
            box.mark(listed.uid)
        handled.add(name, "receipt", outcome=told.outcome, code=told.code)
    return new


_SENT: tuple[State, ...] = ("to_submit", "to_query", "registered", "replaced", "set_aside")
_CODES = {"delivered": "MssDelivered", "displayed": "MssDisplayed"}


def _applied(ledger: Ledger, document: str, ident: str, told: mail.Receipt, now: datetime) -> bool:
    """What an answer makes of a submission; False when it says nothing new."""
    one = next((s for s in ledger.select(_SENT, document) if s.id == ident), None)
    if one is None:
        return False
    steps: list[Step] = []
    state = one.state
    # What never left has no answer.
    if state == "to_query" or (state in ("to_submit", "set_aside") and one.attempts):
        steps.append(Step(ident, "present", "present"))
        state = "registered"
    if state == "registered" and told.outcome == "returned":
        steps.append(Step(ident, "returned", told.code))
    elif state in ("registered", "replaced") and told.outcome != "returned":
        code = _CODES[told.outcome]
        # A message that was displayed had been delivered.
        if one.code not in (code, "MssDisplayed"):
            steps.append(Step(ident, "receipt", code))
    if steps:
        ledger.record(steps, now)
    return bool(steps)


def checked(posted: Posted, host: str) -> Posted:
    """The run's counts; RefusedAlike when every message met one refusal, ServiceUnreachable when the operator stopped the run."""
    service = Said(f"L'opérateur MSSanté ({host})", f"The MSSanté operator ({host})")
    if posted.alike:
        cause = causes.of(posted.stopped)
        raise RefusedAlike(service=service, code=posted.stopped, cause=Said(cause.french, cause.english))
    if posted.stopped and posted.stopped not in (CEILING, CLOSED):
        raise ServiceUnreachable(service=service, reason=posted.stopped)
    return posted
