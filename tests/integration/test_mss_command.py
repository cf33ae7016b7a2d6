"""`transvase mss` for the operator: forecast, send, show, try again, leave aside, receive; settings that must not pass.

The commands are run as a user runs them, on a small practice and a real local operator.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from transvase.commands.main import main
from transvase.sandbox import mail
from transvase.sandbox.mail import MailSandbox, MailTrouble
from transvase.sandbox.mailboxes import INBOX

from ..builders import CLOCK, OFFICE, Row, a_document, a_patient, fed_practice, registered_patients  # noqa: TID252
from ..certificates import issued  # noqa: TID252

STRUCTURE = OFFICE[0].values["struct_idnat"]
GP = "anne.martin@medecin.mssante.fr"


class Office:
    """A practice with its settings file and its local operator."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        issued(folder / "sandbox", structure=STRUCTURE)
        self.patients = registered_patients(folder / "patients.csv", "P1", "P2")
        gp = Row("correspondent", {"key": "C1", "patient": "P1", "family": "Martin", "given": "Anne", "idnat": "810000000013",
                                   "mssante": GP, "phone": "1"})  # fmt: skip
        rows = [a_patient("P1"), a_patient("P2"), a_document("D1", "P1"), a_document("D2", "P2"), gp]
        fed_practice(folder / "work", *rows)

    def sandbox(self, *troubles: MailTrouble) -> MailSandbox:
        plan = dict(enumerate(troubles, 1))
        return MailSandbox(self.folder / "sandbox", self.patients, CLOCK, plan, structure=STRUCTURE)

    def settings(self, running: MailSandbox | None, **changes: Any) -> None:
        given = {
            "address": mail.OWNER,
            "product": mail.PRODUCT,
            "smtp": running.smtp if running else "smtp://127.0.0.1:9",
            "imap": running.imap if running else "imaps://127.0.0.1:9",
            "sent_folder": "Sent",
            "messages_per_second": 1000,
            "since": "2024-01-01",
        } | changes
        lines = [
            f"{k} = {v if isinstance(v, int) or k == 'since' else json.dumps(v)}"
            for k, v in given.items()
            if v is not None
        ]
        environment = lines.pop() if "environment" in given else 'environment = "sandbox"'
        (self.folder / "transvase.toml").write_text(
            f'[work]\nfolder = "work"\n[source]\npath = "base.sqlite3"\n[feed]\n{environment}\ncertificate = "sandbox/client.pem"\n'
            'key = "sandbox/client.key"\nauthority = "sandbox/ca.pem"\n[mss]\n' + "\n".join(lines) + "\n",
            encoding="utf-8",
        )

    def call(self, *words: object) -> int:
        place = str(self.folder / "transvase.toml")
        return main(["mss", *map(str, words), "--settings", place, "--clock", CLOCK.isoformat()])


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def answered(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_a_morning_of_the_operator(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    with office.sandbox(MailTrouble.REFUSED) as running:
        office.settings(running)
        assert office.call("plan", "--json") == 0
        found = answered(capsys)
        assert (found["patients"], found["professionals"]) == (2, 1)
        assert [(h["leg"], h["code"], h["count"]) for h in found["held"]] == [("mss_pro", "MssNoRecipient", 1)]
        assert not (office.folder / "work" / "ledger.sqlite").exists()
        assert office.call("plan") == 0
        assert "À envoyer aux patients : 2" in capsys.readouterr().out

        assert office.call("send", "--json") == 1
        found = answered(capsys)
        assert found["states"] == {"registered": 2, "refused": 1}
        assert [(p["code"], p["count"]) for p in found["problems"]] == [("MssMailboxUnknown", 1)]

        assert office.call("show", "--document", "D1", "--json") == 0
        found = answered(capsys)
        assert {m["destination"] for m in found["messages"]} == {"mss_patient", "mss_pro:C1"}
        assert office.call("show", "--state", "refused", "--json") == 0
        (refused,) = answered(capsys)["messages"]
        assert office.call("skip", "--document", refused["document"], "--reason", "withheld") == 0
        assert "1 message écarté ;" in capsys.readouterr().out
        assert office.call("retry", "--state", "skipped") == 0
        assert "1 message rouvert ;" in capsys.readouterr().out
        assert office.call("send") == 0
        assert capsys.readouterr().out.split() == ["registered", "3"]
        assert office.call("skip", "--document", "D1", "--reason", "withheld") == 2
        assert office.call("plan", "--lang", "en") == 0
        assert "To send to patients: 0" in capsys.readouterr().out


def test_receive_files_what_arrives_with_its_sender(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    with office.sandbox() as running:
        office.settings(running)
        assert office.call("send") == 0
        boxes = running.operator.mailboxes
        (sent,) = [data for address, data in boxes.all() if address == GP]
        # What a colleague's software would send us.
        boxes.put(mail.OWNER, INBOX, sent.replace(f"<{mail.OWNER}>".encode(), f"<{GP}>".encode()))
        boxes.put(mail.OWNER, INBOX, b"From: <x@y.mssante.fr>\r\nContent-Type: application/zip\r\n\r\nPK no zip")
        capsys.readouterr()
        assert office.call("receive", "--into", office.folder / "recus") == 1
        said = capsys.readouterr().out
        assert "2 messages nouveaux, 1 archive rangée dans" in said and "abîmée" in said and said.count("\n") == 2
        assert office.call("receive", "--into", office.folder / "recus", "--json") == 0
        assert answered(capsys) == {"messages": 0, "filed": 0, "refused": []}
    lines = (office.folder / "recus" / "correspondents.csv").read_text(encoding="utf-8").splitlines()
    assert lines[1].startswith(f"{GP},") and lines[1].endswith(",810000000013,Anne Martin")
    assert len(list((office.folder / "recus" / "xdm").iterdir())) == 1


@pytest.mark.parametrize(
    ("changes", "code", "named"),
    [
        ({"since": None}, 11, "mss.since"),
        ({"product": None}, 11, "mss.product"),
        ({"address": None}, 11, "mss.address"),
        ({"smtp": None}, 11, "mss.smtp"),
        ({"imap": None}, 11, "mss.imap"),
        ({"smtp": "http://x"}, 11, "mss.smtp"),
        ({"smtp": "smtp://operateur.fr"}, 53, "sandbox"),
        ({"imap": "imaps://operateur.fr"}, 53, "sandbox"),
        ({"certificate": "absent.pem"}, 50, "absent.pem"),
        ({"key": "sandbox/server.key"}, 50, "client.pem"),
        ({"environment": "test"}, 53, "test"),
    ],
)
def test_settings_that_must_not_pass(
    office: Office, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], code: int, named: str
) -> None:
    office.settings(None, **changes)
    absent = None in changes.values()
    assert office.call("send") == code
    said = capsys.readouterr().err
    assert named in said and said.count("\n") == 1
    # What is missing has no line to take away.
    assert ("donnez-lui une valeur" in said, "retirez la ligne" in said) == (absent, code == 11 and not absent)
    assert not (office.folder / "work" / "ledger.sqlite").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["send", "--document", "D1"],
        ["retry"],
        ["retry", "--state", "registered"],
        ["retry", "--code", "x", "--document", "D1"],
        ["skip", "--document", "D1"],
        ["receive"],
        ["plan", "--into", "x"],
    ],
)
def test_slips_are_refused(office: Office, words: list[str]) -> None:
    office.settings(None)
    assert office.call(*words) == 2


def test_an_operator_that_does_not_answer(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    office.settings(None, imap=None, sent_folder="")
    assert office.call("send") == 51
    assert "MssUnreachable" in capsys.readouterr().err


def test_the_plan_of_troubles_may_be_left_in_a_file(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    (office.folder / "sandbox" / mail.PLAN).write_text(json.dumps(["busy", "refused"]), encoding="utf-8")
    with office.sandbox() as running:
        office.settings(running)
        assert office.call("send", "--json") == 1
    assert answered(capsys)["states"] == {"refused": 1, "registered": 1, "to_submit": 1}
