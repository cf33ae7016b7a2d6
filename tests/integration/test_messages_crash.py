"""A sender of messages killed at every kind of instant, an operator that misbehaves: at the end each message stands once in its mailbox.

Kills are SIGKILLs of a real process before the nth statement of the ledger (every write is one); `TRANSVASE_KILLS=200` asks for as many.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from transvase.exporters.mssante import local_id
from transvase.ledger.submissions import Ledger
from transvase.sandbox import mail
from transvase.sandbox.mail import MailSandbox, MailTrouble

from ..builders import CLOCK, OFFICE, Row, a_document, a_patient, a_version, fed_practice, registered_patients  # noqa: TID252
from ..certificates import issued  # noqa: TID252
from ..forking import Forking  # noqa: TID252

KILLS = int(os.environ.get("TRANSVASE_KILLS", "6"))
STRUCTURE = OFFICE[0].values["struct_idnat"]
# More than the statements of a whole run, so that some end by themselves.
STATEMENTS = 110
PASSING = (
    MailTrouble.CUT,
    MailTrouble.CUT_AFTER,
    MailTrouble.SHUT,
    MailTrouble.MAILBOX_BUSY,
    MailTrouble.SILENT,
    MailTrouble.DISPLAYED,
)

SENDER = """
import os, signal
from datetime import date, datetime
from pathlib import Path
import lxml.etree, duckdb, pyarrow
from transvase.assets import messages
from transvase.exporters.mssante import Letterhead, Mailbox as Address
from transvase.exporters.portability import Job
from transvase.gateways import mssante
from transvase.gateways.mailbox import Mailbox
from transvase.ledger.submissions import Ledger

def run(work, clock, ledger, smtp, imap, keys, owner, statements):
    now, keys, seen = datetime.fromisoformat(clock), Path(keys), [0]

    def at_each_statement(_):
        seen[0] += 1
        if seen[0] == int(statements):
            os.kill(os.getpid(), signal.SIGKILL)

    context = mssante.tls(keys / "client.pem", keys / "client.key", keys / "ca.pem", None)
    mailer = mssante.Mailer(mssante.endpoint(smtp), context, 5, owner)
    box = lambda: Mailbox(mssante.endpoint(imap), context, 5, owner)
    post = messages.Post(Letterhead(Address(owner), "N"), "patient.mssante.fr", date(2024, 1, 1), 10_000_000, "Sent")
    with Ledger(Path(ledger), messages.DESTINATIONS) as opened:
        opened._base.base.set_trace_callback(at_each_statement)
        messages.send(Job(work, (), clock, "Transvase essai", ""), opened, mailer, box, post,
                      messages.Limits(10000, 30000, 1), lambda: now)
"""


@pytest.fixture(scope="module")
def forking() -> Iterator[Forking]:
    """Senders: a fork for each."""
    with Forking(SENDER) as process:
        yield process


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two nights of a practice: on the second one document has a new version."""
    folder = tmp_path_factory.mktemp("nights")
    names = ("anne@medecin.mssante.fr", "paul@medecin.mssante.fr")
    people = [
        Row("correspondent", {"key": f"C{n}", "patient": f"P{n}", "family": "X", "mssante": names[n - 1], "phone": "1"})
        for n in (1, 2)
    ]
    rows = [a_patient("P1"), a_patient("P2"), *people, a_document("D1", "P1"), a_document("D2", "P2")]
    return (
        fed_practice(folder / "first", *rows),
        fed_practice(folder / "second", *rows, a_version("D1-2", "D1", "P1", rank=2)),
    )


def test_each_message_once_after_so_many_kills(nights: tuple[Path, Path], forking: Forking, tmp_path: Path) -> None:
    keys = issued(tmp_path / "keys", structure=STRUCTURE)
    patients = registered_patients(tmp_path / "patients.csv", "P1", "P2")
    deaths = seed = 0
    while deaths < KILLS:
        seed += 1
        rng = random.Random(seed)
        folder = tmp_path / str(seed)
        shutil.copytree(keys.ca.parent, folder)
        plan = {n: rng.choice(PASSING) for n in range(1, 20) if rng.random() < 0.35}
        with MailSandbox(folder, patients, CLOCK, plan, structure=STRUCTURE) as running:

            def sender(night: int, statements: int, folder: Path = folder, running: MailSandbox = running) -> int:
                facts = (
                    nights[night],
                    CLOCK.isoformat(),
                    folder / "ledger.sqlite",
                    running.smtp,
                    running.imap,
                    folder,
                    mail.OWNER,
                )
                return forking(*facts, statements)

            def settled(folder: Path = folder) -> bool:
                with Ledger(folder / "ledger.sqlite") as ledger:
                    assert ledger.broken() is None
                    return not ledger.select(("to_submit", "submitted", "to_query"))

            for night in (0, 1):
                for _ in range(3):
                    code = sender(night, rng.randint(1, STATEMENTS))
                    assert code in (0, -9)
                    deaths += code == -9
                    assert running.operator.duplicates() == 0
                # Half of the second nights find the first one unfinished.
                if night or rng.random() < 0.5:
                    assert any(sender(night, 0) == 0 and settled() for _ in range(8))
            assert running.operator.duplicates() == 0 and running.operator.reasons == []
            with Ledger(folder / "ledger.sqlite") as ledger:
                assert set(ledger.counts()) <= {"registered", "replaced"}
                held = {s.id: s for s in ledger.select(("registered",))}
            assert sorted((s.document, s.destination, s.rank) for s in held.values()) == [
                ("D1", "mss_patient", 2),
                ("D1", "mss_pro:C1", 2),
                ("D2", "mss_patient", 1),
                ("D2", "mss_pro:C2", 1),
            ]
            every = [(a, data) for a, data in running.operator.mailboxes.all() if a != mail.OWNER]
            for one in held.values():
                mark = local_id(one.unique_id, one.destination).encode()
                assert sum(b"Message-ID: <" + mark in data for _, data in every) == 1
        shutil.rmtree(folder)
    print(f"{deaths} kills in {seed} rounds")
