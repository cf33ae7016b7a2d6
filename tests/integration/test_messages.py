"""Messages by MSSanté: each document once to each recipient, whatever the operator answers and wherever the sender dies.

A real local operator over real mutual TLS, stricter than ours; the truth is what its mailboxes hold.
"""

from __future__ import annotations

import logging
import shutil
import socket
import threading
from collections import Counter
from datetime import date
from email.header import decode_header, make_header
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest

from transvase.assets import inbox, messages
from transvase.assets.messages import MOST_ATTEMPTS, Post, Posted
from transvase.assets.quota import Limits
from transvase.errors import CertificateRefused, RefusedAlike, ServiceUnreachable
from transvase.exporters import mssante as writer
from transvase.exporters.mssante import Letterhead
from transvase.exporters.mssante import Mailbox as Address
from transvase.exporters.portability import job_of
from transvase.gateways import mssante
from transvase.gateways.mailbox import Mailbox
from transvase.gateways.mssante import Mailer
from transvase.ledger import acts
from transvase.ledger.mail import Handled
from transvase.ledger.submissions import Ledger
from transvase.model.hours import Window
from transvase.sandbox import authority, mail
from transvase.sandbox.mail import MailSandbox, MailTrouble
from transvase.sandbox.mail import report as a_report
from transvase.sandbox.mailboxes import INBOX

from ..builders import (  # noqa: TID252
    CLOCK,
    OFFICE,
    Row,
    a_document,
    a_patient,
    a_version,
    an_objection,
    fed_practice,
    ins,
    registered_patients,
)
from ..certificates import issued  # noqa: TID252

STRUCTURE = OFFICE[0].values["struct_idnat"]
LIMITS = Limits(per_second=10_000, per_day=30_000, connections=1)
GP, HEART = "anne.martin@medecin.mssante.fr", "paul.durand@exemple.mssante.fr"
CITIZEN = f"{ins(1)}@patient.mssante.fr"
POST = Post(Letterhead(Address(mail.OWNER), mail.PRODUCT), "patient.mssante.fr", date(2024, 1, 1), 10_000_000, "Sent")


def a_correspondent(key: str, patient: str | None = "P1", address: str | None = GP, **facts: Any) -> Row:
    sound = {
        "key": key,
        "patient": patient,
        "family": "Martin",
        "given": "Anne",
        "mssante": address,
        "phone": "0300000103",
    }
    return Row("correspondent", sound | facts)


class Scene:
    """A practice, its ledger and a local operator."""

    def __init__(self, folder: Path, keys: Path, work: Path) -> None:
        self.folder, self.work = folder, folder / "work"
        shutil.copytree(work, self.work)
        shutil.copytree(keys, folder / "sandbox")
        self.keys = authority.files(folder / "sandbox")
        self.patients = registered_patients(folder / "patients.csv", "P1", "P2")

    def again(self, *rows: Any) -> None:
        """The practice as it is the next day."""
        shutil.rmtree(self.work)
        fed_practice(self.work, *rows)

    def sandbox(self, *troubles: MailTrouble, **options: Any) -> MailSandbox:
        plan = dict(enumerate(troubles, 1))
        self.running = MailSandbox(self.folder / "sandbox", self.patients, CLOCK, plan, structure=STRUCTURE, **options)
        return self.running

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.folder / "ledger.sqlite", messages.DESTINATIONS)

    def context(self) -> Any:
        return mssante.tls(self.keys.client, self.keys.client_key, self.keys.ca, None)

    def mailer(self, timeout: float = 20, smtp: str = "") -> Mailer:
        return Mailer(mssante.endpoint(smtp or self.running.smtp), self.context(), timeout, mail.OWNER)

    def box(self) -> Mailbox:
        return Mailbox(mssante.endpoint(self.running.imap), self.context(), 20, mail.OWNER)

    def send(
        self, post: Post = POST, mailer: Mailer | None = None, limits: Limits = LIMITS, reading: bool = True
    ) -> Posted:
        job = job_of(self.work, {}, CLOCK, "Transvase essai", None, "Europe/Paris")
        with self.ledger as ledger:
            return messages.send(
                job, ledger, mailer or self.mailer(), self.box if reading else None, post, limits, lambda: CLOCK
            )

    def states(self) -> dict[str, int]:
        with self.ledger as ledger:
            assert ledger.broken() is None
            return ledger.counts()

    def codes(self) -> Counter[tuple[str, str]]:
        with self.ledger as ledger:
            rows = ledger.select(("to_submit", "to_query", "registered", "replaced", "refused", "set_aside", "skipped"))
        return Counter((s.state, s.code) for s in rows)

    def delivered(self) -> Counter[str]:
        """Messages by mailbox, that of the practice apart."""
        return Counter(a for a, _ in self.running.operator.mailboxes.all() if a != mail.OWNER)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    issued(folder, structure=STRUCTURE, hostile=True)
    return folder


PRACTICE = (
    a_patient("P1"),
    a_document("D1", "P1"),
    a_correspondent("C1"),
    a_correspondent("C2", address=HEART, family="Durand"),
)


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fed_practice(tmp_path_factory.mktemp("practice") / "work", *PRACTICE)


@pytest.fixture
def scene(tmp_path: Path, keys: Path, practice: Path) -> Scene:
    return Scene(tmp_path, keys, practice)


# What leaves, to whom.


@pytest.mark.requirement("DMP-19", "MSS-01")
def test_a_document_goes_to_the_patient_and_to_each_designated_correspondent_once(scene: Scene) -> None:
    with scene.sandbox():
        first = scene.send()
        assert scene.running.operator.reasons == []
        assert (first.planned, first.sent, first.stopped) == (3, 3, "")
        assert scene.delivered() == {GP: 1, HEART: 1, CITIZEN.lower(): 1}
        second = scene.send()
        assert (second.planned, second.sent, second.answers) == (0, 0, 3)
        assert scene.codes() == {("registered", "MssDelivered"): 3}
        assert scene.running.operator.received == 3


PRO, TO_PATIENT = "mss_pro", "mss_patient"
RPPS = "810000000013"
WHO: dict[str, tuple[list[dict[str, Any]], list[str], set[str], set[tuple[str, str]]]] = {
    # What it is about: correspondents (of the patient unless said otherwise), objections, recipients by rank, what stays and why.
    "nobody is designated": ([], [], {TO_PATIENT}, {(PRO, "MssNoRecipient")}),
    "of the whole practice": ([{"patient": None}], [], {TO_PATIENT}, {(PRO, "MssNoRecipient")}),
    "no address": ([{"address": None}], [], {TO_PATIENT}, {(PRO, "MssNoAddress")}),
    "outside the space": ([{"address": "a@gmail.com"}], [], {TO_PATIENT}, {(PRO, "MssAddressForm")}),
    "a citizen's": ([{"address": CITIZEN}], [], {TO_PATIENT}, {(PRO, "MssAddressForm")}),
    "two lines": ([{"address": f"{GP}\r\nBcc: x@y.mssante.fr"}], [], {TO_PATIENT}, {(PRO, "MssAddressForm")}),
    "one mailbox twice": ([{}, {"address": GP.upper()}], [], {TO_PATIENT, "C0"}, set()),
    "one person twice": ([{"idnat": RPPS}, {"address": HEART, "idnat": RPPS}], [], {TO_PATIENT, "C0"}, set()),
    "two persons": ([{}, {"address": HEART}], [], {TO_PATIENT, "C0", "C1"}, set()),
    "the practice itself": ([{"address": mail.OWNER}], [], {TO_PATIENT}, {(PRO, "MssNoRecipient")}),
    "an objection to the patient's": ([{}], [TO_PATIENT], {"C0"}, set()),
    "an objection to professionals'": ([{}], [PRO], {TO_PATIENT}, set()),
    "an objection to all": ([{}], ["all"], set(), set()),
}


def candidates_of(work: Path) -> messages.Candidates:
    return messages.candidates(job_of(work, {}, CLOCK, "Transvase essai", None, "Europe/Paris"), None, POST)


@pytest.fixture(scope="module")
def who(tmp_path_factory: pytest.TempPathFactory) -> messages.Candidates:
    """Each case is a patient of one practice."""
    rows: list[Any] = []
    for n, (people, objections, _, _) in enumerate(WHO.values(), 1):
        rows += [a_patient(f"P{n}"), a_document(f"D{n}", f"P{n}")]
        rows += [a_correspondent(f"P{n}C{m}", **{"patient": f"P{n}"} | facts) for m, facts in enumerate(people)]
        rows += [an_objection(f"P{n}", scope) for scope in objections]
    return candidates_of(fed_practice(tmp_path_factory.mktemp("who") / "work", *rows))


@pytest.mark.requirement("MSS-23")
@pytest.mark.parametrize("case", WHO)
def test_who_receives(who: messages.Candidates, case: str) -> None:
    number = list(WHO).index(case) + 1
    found = {t.destination for planned, t in who.to_send.values() if planned.document == f"D{number}"}
    assert {d.removeprefix(f"mss_pro:P{number}") for d in found} == WHO[case][2]


def test_what_stays_for_want_of_a_recipient_is_told_by_its_cause(who: messages.Candidates) -> None:
    assert who.held == Counter(cause for *_, held in WHO.values() for cause in held)


WHICH: dict[str, tuple[dict[str, Any], set[str], set[tuple[str, str]]]] = {
    "due": ({}, {TO_PATIENT, PRO}, set()),
    "before the first day of the settings": ({"act": "2023-12-31T10:00:00"}, set(), set()),
    "announced by the professional first": ({"invisible_patient": True}, {PRO}, set()),
    "masked: a person decides for the patient": ({"masked_ps": True}, set(), {(TO_PATIENT, "VIS-APART")}),
    "unknown history": ({"fed_state": "unknown"}, set(), {(TO_PATIENT, "DOC-UNKNOWN-HISTORY"), (PRO, "DOC-UNKNOWN-HISTORY")}),
    "withheld": ({"withheld": "Annonce"}, set(), set()),
    "conditional by law, X (*)": ({"type_code": "57833-6", "hospital_stay": False, "prior_agreement": False}, {TO_PATIENT, PRO}, set()),
}  # fmt: skip


@pytest.fixture(scope="module")
def which(tmp_path_factory: pytest.TempPathFactory) -> messages.Candidates:
    documents = [a_document(f"D{n}", "P1", **facts) for n, (facts, _, _) in enumerate(WHICH.values())]
    # Of an unqualified identity nothing leaves: there is no address.
    stranger = [a_patient("P2", document_checked=False), a_document("D99", "P2")]
    work = tmp_path_factory.mktemp("which") / "work"
    return candidates_of(fed_practice(work, a_patient("P1"), a_correspondent("C0"), *documents, *stranger))


@pytest.mark.requirement("MSS-16")
@pytest.mark.parametrize("case", WHICH)
def test_which_documents_leave(which: messages.Candidates, case: str) -> None:
    number = list(WHICH).index(case)
    found = {t.destination.partition(":")[0] for p, t in which.to_send.values() if p.document == f"D{number}"}
    assert found == WHICH[case][1]


@pytest.mark.requirement("MSS-19")
def test_what_a_person_must_settle_is_told_by_its_rule(which: messages.Candidates) -> None:
    rules = Counter(cause for *_, held in WHICH.values() for cause in held)
    assert {k: n for k, n in which.held.items() if k != (PRO, "MssNoRecipient")} == rules


@pytest.mark.requirement("MSS-07")
def test_an_unqualified_patient_has_no_address(which: messages.Candidates) -> None:
    assert "D99" not in {planned.document for planned, _ in which.to_send.values()}


def test_a_person_recorded_again_under_another_key_is_not_written_to_twice(scene: Scene) -> None:
    with scene.sandbox():
        scene.send()
        scene.again(*PRACTICE[:2], a_correspondent("C0"), *PRACTICE[2:])
        assert scene.send().sent == 0
        assert scene.delivered()[GP] == 1


# Versions.


@pytest.mark.requirement("MSS-15")
def test_a_new_version_cancels_the_message_of_the_former_one(scene: Scene) -> None:
    with scene.sandbox():
        scene.send()
        scene.again(*PRACTICE, a_version("D1-2", "D1", rank=2))
        assert scene.send().sent == 3
        assert scene.running.operator.reasons == []
        assert scene.states() == {"registered": 3, "replaced": 3}
        (old, new) = [data for address, data in scene.running.operator.mailboxes.all() if address == GP]
        names = [line for line in new.split(b"\r\n") if line.startswith((b"In-Reply-To:", b"References:"))]
        former = next(line for line in old.split(b"\r\n") if line.startswith(b"Message-ID:")).partition(b": ")[2]
        assert len(names) == 2 and all(former in line for line in names)
        subject = str(make_header(decode_header(str(BytesParser().parsebytes(new)["Subject"]))))
        assert subject.startswith("[Annule et remplace] XDM/1.0/DDM+")


def test_of_versions_that_never_left_only_the_newest_does(scene: Scene) -> None:
    with scene.sandbox(*[MailTrouble.MAILBOX_BUSY] * 3):
        assert scene.send().sent == 0
        scene.again(*PRACTICE, a_version("D1-2", "D1", rank=2))
        assert scene.send().sent == 3
        assert scene.states() == {"registered": 3, "replaced": 3}
        assert set(scene.delivered().values()) == {1}


# Each answer.


ONE = (a_patient("P1"), a_document("D1", "P1"), a_correspondent("C1"), an_objection("P1", "mss_patient"))


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fed_practice(tmp_path_factory.mktemp("single") / "work", *ONE)


@pytest.fixture
def one(tmp_path: Path, keys: Path, single: Path) -> Scene:
    """A single message, to a professional."""
    return Scene(tmp_path, keys, single)


ANSWERS = [
    # trouble, state and code after the run, state and code after the next, messages delivered in the end
    (MailTrouble.SHUT, ("to_submit", "MssBusy"), ("registered", ""), 1),
    (MailTrouble.BUSY, ("to_submit", "MssBusy"), ("registered", ""), 1),
    (MailTrouble.MAILBOX_BUSY, ("to_submit", "MssMailboxBusy"), ("registered", ""), 1),
    (MailTrouble.REFUSED, ("refused", "MssMailboxUnknown"), ("refused", "MssMailboxUnknown"), 0),
    (MailTrouble.CONTENT, ("refused", "MssContentRefused"), ("refused", "MssContentRefused"), 0),
    (MailTrouble.CUT, ("to_query", "MssDoubt"), ("registered", ""), 1),
    (MailTrouble.CUT_AFTER, ("to_query", "MssDoubt"), ("registered", "MssDelivered"), 1),
    (MailTrouble.BOUNCE, ("registered", ""), ("refused", "MssMailboxUnknown"), 0),
    (MailTrouble.MDN_ERROR, ("registered", ""), ("refused", "Mdn901"), 1),
    (MailTrouble.DISPLAYED, ("registered", ""), ("registered", "MssDisplayed"), 1),
    (MailTrouble.SILENT, ("registered", ""), ("registered", ""), 1),
]


@pytest.mark.requirement("MSS-20")
@pytest.mark.parametrize(("trouble", "first", "second", "held"), ANSWERS, ids=[a[0] for a in ANSWERS])
def test_each_answer(one: Scene, trouble: MailTrouble, first: Any, second: Any, held: int) -> None:
    with one.sandbox(trouble):
        one.send()
        assert one.codes() == {first: 1}
        one.send()
        assert one.codes() == {second: 1}
        assert one.delivered()[GP] == held
        assert one.running.operator.duplicates() == 0


def test_a_slow_answer_is_a_doubt_and_is_found_in_the_operators_folder(one: Scene) -> None:
    with one.sandbox(MailTrouble.SLOW):
        one.send(mailer=one.mailer(timeout=0.4))
        assert one.codes() == {("to_query", "MssDoubt"): 1}
        one.send()
        assert one.states() == {"registered": 1} and one.delivered()[GP] == 1


WITHOUT = POST._replace(sent_folder="")


@pytest.mark.parametrize("trouble", [MailTrouble.CUT, MailTrouble.CUT_AFTER])
def test_without_that_folder_a_person_decides_for_a_professional(one: Scene, trouble: MailTrouble) -> None:
    with one.sandbox(trouble, files_sent=False):
        one.send(WITHOUT, reading=False)
        one.send(WITHOUT, reading=False)
        one.send(WITHOUT, reading=False)
        assert one.codes() == {("set_aside", "MssDoubt"): 1}
        with one.ledger as ledger:
            assert len(acts.retry(ledger, CLOCK)) == 1
        one.send(WITHOUT, reading=False)
        assert one.states() == {"registered": 1}


def test_an_answer_of_the_recipient_settles_a_doubt(one: Scene) -> None:
    with one.sandbox(MailTrouble.CUT_AFTER, files_sent=False):
        one.send(WITHOUT, reading=False)
        one.send(WITHOUT, reading=False)
        assert one.codes() == {("set_aside", "MssDoubt"): 1}
        one.send(WITHOUT)
        assert one.codes() == {("registered", "MssDelivered"): 1} and one.delivered()[GP] == 1


def test_the_patient_is_written_to_again_after_a_doubt_under_the_same_message_id(tmp_path: Path, keys: Path) -> None:
    scene = Scene(tmp_path, keys, fed_practice(tmp_path / "alone", a_patient("P1"), a_document("D1", "P1")))
    with scene.sandbox(MailTrouble.CUT_AFTER, files_sent=False):
        scene.send(WITHOUT, reading=False)
        scene.send(WITHOUT, reading=False)
        assert scene.states() == {"registered": 1}
        assert scene.delivered() == {CITIZEN.lower(): 2}
        assert scene.running.operator.duplicates() == 1


def test_three_refusals_alike_stop_the_run_and_refuse_nobody(scene: Scene) -> None:
    with scene.sandbox(*[MailTrouble.CONTENT] * 3):
        posted = scene.send()
        assert (posted.stopped, posted.alike) == ("MssContentRefused", True)
        with pytest.raises(RefusedAlike):
            messages.checked(posted, "127.0.0.1")
        assert scene.states() == {"to_submit": 3}
        assert scene.send().sent == 3


def test_an_operator_that_is_down_stops_the_run(scene: Scene) -> None:
    with scene.sandbox():
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            posted = scene.send(mailer=scene.mailer(smtp=f"smtp://127.0.0.1:{closed.getsockname()[1]}"))
        assert posted.stopped == "MssUnreachable"
        with pytest.raises(ServiceUnreachable):
            messages.checked(posted, "127.0.0.1")
        assert scene.states() == {"to_submit": 3}


def test_a_mailbox_busy_night_after_night_is_set_aside_once_another_message_has_passed(scene: Scene) -> None:
    with scene.sandbox():
        one = LIMITS._replace(per_day=1)
        for night in range(MOST_ATTEMPTS):
            scene.running.operator.plan(MailTrouble.MAILBOX_BUSY)
            scene.send(limits=one._replace(per_day=night + 1), reading=False)
        assert scene.codes() == {("to_submit", "MssMailboxBusy"): 1, ("to_submit", ""): 2}
        # Only when others pass is it the mailbox's fault: the first of this night is tried once more.
        scene.running.operator.plan(MailTrouble.MAILBOX_BUSY)
        scene.send(reading=False)
        assert scene.codes() == {("to_submit", "MssMailboxBusy"): 1, ("registered", ""): 2}


@pytest.mark.requirement("MSS-28")
@pytest.mark.parametrize("who", ["expired", "stranger"])
def test_a_certificate_that_the_operator_does_not_know_sends_nothing(scene: Scene, who: str) -> None:
    files = scene.keys
    context = mssante.tls(getattr(files, who), getattr(files, f"{who}_key"), files.ca, None)
    with scene.sandbox():
        mailer = Mailer(mssante.endpoint(scene.running.smtp), context, 20, mail.OWNER)
        with pytest.raises(CertificateRefused):
            scene.send(mailer=mailer, reading=False)
        assert scene.delivered() == {}
        with pytest.raises(CertificateRefused):
            Mailbox(mssante.endpoint(scene.running.imap), context, 20, mail.OWNER)


@pytest.mark.requirement("MSS-25")
def test_a_server_of_another_authority_is_given_nothing(scene: Scene) -> None:
    files = scene.keys
    context = mssante.tls(files.client, files.client_key, files.stranger, None)
    with scene.sandbox():
        with pytest.raises(CertificateRefused, match="server certificate"):
            scene.send(mailer=Mailer(mssante.endpoint(scene.running.smtp), context, 20, mail.OWNER), reading=False)
        assert scene.running.operator.received == 0


def test_an_address_that_is_not_ours_stops_the_run_and_refuses_no_message(scene: Scene) -> None:
    other = "autre@bac-a-sable.mssante.fr"
    post = POST._replace(letterhead=Letterhead(Address(other), mail.PRODUCT), sent_folder="")
    with scene.sandbox():
        with pytest.raises(CertificateRefused):
            scene.send(post, Mailer(mssante.endpoint(scene.running.smtp), scene.context(), 20, other), reading=False)
        assert scene.states() == {"to_submit": 3}


@pytest.mark.requirement("MSS-27")
@pytest.mark.parametrize("token", ["jeton-psc", "autre"])
def test_a_token_opens_both_servers(one: Scene, token: str) -> None:
    with one.sandbox(token="jeton-psc"):
        mailer = Mailer(mssante.endpoint(one.running.smtp), one.context(), 20, mail.OWNER, lambda: token)

        def box() -> Mailbox:
            return Mailbox(mssante.endpoint(one.running.imap), one.context(), 20, mail.OWNER, lambda: token)

        if token == "jeton-psc":
            assert one.send(mailer=mailer, reading=False).sent == 1
            with box() as opened:
                opened.open("INBOX")
                assert len(list(opened.listed())) == 1
        else:
            with pytest.raises(CertificateRefused):
                one.send(mailer=mailer, reading=False)
            with pytest.raises(CertificateRefused):
                box()
            assert one.states() == {"to_submit": 1}


# A server that answers what it is told to: what the standard client must not take for an answer.


def scripted(*replies: bytes | None) -> int:
    """A port where each line received is answered by the next reply; None closes. Plain, so for codes before TLS only."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener, listener.accept()[0] as peer:
            for reply in replies:
                if reply is None:
                    return
                peer.sendall(reply)
                peer.recv(4096)

    threading.Thread(target=serve, daemon=True).start()
    return int(listener.getsockname()[1])


@pytest.mark.parametrize(
    ("replies", "code"),
    [
        ((b"421 4.3.2 later\r\n",), "MssBusy"),
        ((b"554 5.7.1 go away\r\n",), "MssBusy"),
        ((None,), "MssUnreachable"),
        ((b"\xff\xfe\x00\r\n",), "MssBusy"),
        ((b"220 hi\r\n", b"250-x\r\n250 STARTTLS\r\n", b"454 4.7.0 no TLS now\r\n"), "MssBusy"),
        ((b"220 hi\r\n", b"250-x\r\n250 STARTTLS\r\n", None), "MssCut"),
    ],
)  # fmt: skip
def test_before_the_content_nothing_can_have_left(one: Scene, replies: tuple[Any, ...], code: str) -> None:
    with one.sandbox():
        answer = one.mailer(2, f"smtp://127.0.0.1:{scripted(*replies)}").send(GP, b"x\r\n")
        assert (answer.kind, answer.code) == ("not_sent", code)


@pytest.mark.requirement("MSS-25")
def test_without_starttls_nothing_is_said(one: Scene) -> None:
    with one.sandbox(), pytest.raises(CertificateRefused, match="no TLS"):
        one.mailer(2, f"smtp://127.0.0.1:{scripted(b'220 hi' + bytes([13, 10]), b'250 x' + bytes([13, 10]))}").send(
            GP, b"x"
        )


# Ceilings.


def test_ceiling_and_window(scene: Scene) -> None:
    with scene.sandbox():
        assert scene.send(limits=LIMITS._replace(per_day=2)).stopped == messages.CEILING
        assert scene.states() == {"registered": 2, "to_submit": 1}
        assert scene.send(limits=LIMITS._replace(window=Window.read("03:00-04:00"))).stopped == messages.CLOSED
        assert scene.send().sent == 1


@pytest.mark.requirement("MSS-18")
def test_a_document_above_the_size_stays(one: Scene) -> None:
    with one.sandbox():
        one.send(POST._replace(professional_max=1000))
        assert one.codes() == {("set_aside", "MssTooLarge"): 1} and one.running.operator.received == 0


# No identity where it has no business.


@pytest.mark.requirement("MSS-30")
def test_no_identity_in_the_ledger_the_journal_or_the_logs(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with scene.sandbox(MailTrouble.BOUNCE, MailTrouble.CUT_AFTER):
        scene.send()
        scene.send()
    patient = a_patient("P1").values
    private = [patient["birth_family"], patient["ins"], GP, HEART, "Durand"]
    stored = b"".join(
        p.read_bytes() for p in [*scene.folder.glob("ledger.sqlite*"), scene.work / messages.RECEIPTS]
    ).decode("latin-1")
    ours = "".join(r.getMessage() for r in caplog.records if not r.name.startswith(("mail", "asyncio")))
    assert [v for v in private if v in stored or v in ours] == []


# Receiving.


ARCHIVE_OF = "IHE_XDM.ZIP"


def a_message(
    name: str, attachment: bytes, file: str = ARCHIVE_OF, author: str = GP, kind: str = "application/zip"
) -> bytes:
    import base64

    encoded = base64.encodebytes(attachment).replace(b"\n", b"\r\n")
    head = (
        f"From: =?utf-8?B?{base64.b64encode('Dr Anne Martín'.encode()).decode()}?= <{author}>\r\nTo: <{mail.OWNER}>\r\n"
        f"Subject: XDM/1.0/DDM+CR X Y\r\nMessage-ID: <{name}@medecin.mssante.fr>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nBonjour\r\n'
        f'--b\r\nContent-Type: {kind}; name="{file}"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    )
    return head.encode() + encoded + b"--b--\r\n"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, keys: Path, single: Path) -> bytes:
    """An archive as we send them."""
    scene = Scene(tmp_path_factory.mktemp("archive"), keys, single)
    with scene.sandbox():
        scene.send()
        ((_, data),) = [(a, d) for a, d in scene.running.operator.mailboxes.all() if a == GP]
    part = BytesParser().parsebytes(data).get_payload()[1]
    found = part.get_payload(decode=True)
    assert isinstance(found, bytes)
    return found


def receive(scene: Scene) -> inbox.Taken:
    with scene.box() as box:
        return inbox.receive(box, scene.folder / "recus", lambda addresses: {GP: ("810000000013", "Anne MARTIN")})


def hostile(archive: bytes) -> dict[str, tuple[bytes, str]]:
    """Message and why it is not taken."""
    import io
    import zipfile

    def zipped(**entries: bytes) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
            for name, data in entries.items():
                made.writestr(name.replace("__", "/"), data)
        return out.getvalue()

    return {
        "bomb": (a_message("bomb", zipped(A=b"\0" * 50_000_000)), "ratio-all"),
        "not a zip": (a_message("nozip", b"hello"), "unreadable"),
        "cut": (a_message("cut", archive[: len(archive) // 2]), "unreadable"),
        "climbing": (a_message("climb", zipped(**{"..__x": b"x"})), "path"),
        "no document": (a_message("empty", zipped(A=b"x")), "no-cda"),
        "archive in an archive": (a_message("nested", zipped(A=archive)), "no-cda"),
        "nested parts": (b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" * 5000, "parts"),
        "altered": (a_message("altered", altered(archive)), "hash"),
    }


def altered(archive: bytes) -> bytes:
    """The same archive, one letter of its document changed and packed again."""
    import io
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as read, zipfile.ZipFile(out, "w") as made:
        for info in read.infolist():
            data = read.read(info)
            made.writestr(info, data.replace(b"Cabinet", b"Kabinet") if info.filename.endswith("DOC0001.XML") else data)
    return out.getvalue()


@pytest.mark.requirement("MSS-24")
def test_what_is_received_is_filed_once_with_who_sent_it_and_can_be_read_as_a_source(
    one: Scene, archive: bytes
) -> None:
    from transvase.sources.archive.folder import extract_folder

    with one.sandbox():
        boxes = one.running.operator.mailboxes
        boxes.put(mail.OWNER, INBOX, a_message("first", archive))
        boxes.put(mail.OWNER, INBOX, a_message("text", b"PDF", "note.pdf", kind="application/pdf"))
        boxes.put(mail.OWNER, INBOX, a_message("lower", archive, "ihe_xdm.zip", HEART, "application/octet-stream"))
        taken = receive(one)
        assert (taken.messages, taken.filed, taken.refused) == (3, 2, [])
        # The same message again, and nothing else: an operator may deliver twice.
        boxes.put(mail.OWNER, INBOX, a_message("first", archive))
        assert receive(one) == (0, 0, [])
    folder = one.folder / "recus"
    assert [p.read_bytes() for p in sorted((folder / "xdm").iterdir())] == [archive] * 2
    assert (folder / "correspondents.csv").read_text(encoding="utf-8").splitlines() == [
        "address,label,idnat,name",
        f"{GP},Dr Anne Martín,810000000013,Anne MARTIN",
        f"{HEART},Dr Anne Martín,,",
    ]
    manifest = extract_folder(folder / "xdm", one.folder / "read", product="cda", clock=CLOCK)
    assert (manifest["rows"]["patient"], manifest["rows"]["document"], manifest["received"]["aside"]) == (1, 1, 0)


def test_hostile_messages_are_said_and_the_good_ones_go_on(one: Scene, archive: bytes) -> None:
    cases = hostile(archive)
    with one.sandbox():
        for data, _ in cases.values():
            one.running.operator.mailboxes.put(mail.OWNER, INBOX, data)
        one.running.operator.mailboxes.put(mail.OWNER, INBOX, a_message("good", archive))
        one.running.operator.mailboxes.put(mail.OWNER, INBOX, b"\xff\x00 garbage")
        taken = receive(one)
        assert taken.filed == 1
        assert sorted(reason for _, reason in taken.refused) == sorted(reason for _, reason in cases.values())
        assert receive(one).messages == 0


def test_a_message_above_the_bound_is_not_even_read(
    one: Scene, archive: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox.mail, "MAX_BYTES", 3000)
    with one.sandbox():
        one.running.operator.mailboxes.put(mail.OWNER, INBOX, a_message("big", archive))
        assert [reason for _, reason in receive(one).refused] == ["large"]


def test_forged_and_strange_answers_change_nothing(one: Scene) -> None:
    with one.sandbox():
        boxes = one.running.operator.mailboxes
        with one.ledger as ledger:
            job = job_of(one.work, {}, CLOCK, "Transvase essai", None, "Europe/Paris")
            found = messages.candidates(job, ledger, POST)
            messages.plan(ledger, found, CLOCK)
            (row,) = ledger.waiting("to_submit", 9)
        ident = writer.message_id(row.unique_id, row.destination, mail.OWNER)
        state = "Disposition: automatic-action/MDN-sent-automatically; processed\r\n"
        for n, fields in enumerate((f"Original-Message-ID: {ident}\r\n{state}", f"Original-Message-ID: <other@x>\r\n{state}",
                                    "Disposition:\r\n", "", f"Original-Message-ID: {ident}\r\n")):  # fmt: skip
            boxes.put(
                mail.OWNER,
                INBOX,
                a_report("disposition-notification", "x", fields, f"<{n}>", GP, mail.OWNER, b"", CLOCK),
            )
        with one.ledger as ledger, one.box() as box:
            # It has not left: whoever answers, answers something else.
            assert messages.read_answers(box, ledger, Handled(one.folder / "h"), lambda: CLOCK) == 0
            assert messages.read_answers(box, ledger, Handled(one.folder / "h"), lambda: CLOCK) == 0
            assert ledger.counts() == {"to_submit": 1}
