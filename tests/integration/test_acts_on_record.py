"""What an operator does outside a run of the chain is on record too: a submission opened again, left aside or deleted, a request, a search
of INSi. Each leaves an opening and a closing that say how many, by whom and why, and nothing of a patient; the access journal is told."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from transvase.assets import feeding
from transvase.assets.messages import DESTINATIONS, PATIENT
from transvase.assets.quota import Limits
from transvase.commands.main import main
from transvase.exporters.audit_message import message
from transvase.exporters.portability import job_of
from transvase.gateways import dmp
from transvase.ledger.submissions import Ledger, Planned
from transvase.sandbox import authority
from transvase.sandbox import insi as service
from transvase.sandbox.dmp import Sandbox

from ..builders import CLOCK, OFFICE, TEST_OID, a_document, a_patient, fed_practice, ins, registered_patients  # noqa: TID252

OPERATOR = "assistante-2"
STRUCTURE = OFFICE[0].values["struct_idnat"]
# What must stand in no record: a name, the keys of a patient and of a document.
PLANTED = ("ZZNOMNAISSANCE", "ZZPATIENT", "ZZDOCUMENT")
BY = next(row.values["key"] for row in OFFICE if row.table == "practitioner")


class Office:
    """A practice of one patient with two documents, and the command as its operator calls it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.work = folder, folder / "work"
        self.settings: dict[str, dict[str, Any]] = {"work": {"folder": "work"}, "evidence": {"host_role": "cabinet"}}
        patient = a_patient(PLANTED[1], birth_family=PLANTED[0])
        fed_practice(self.work, patient, *(a_document(f"{PLANTED[2]}{n}", PLANTED[1]) for n in (1, 2)))

    def call(self, *words: str) -> int:
        text = ""
        for section, values in self.settings.items():
            text += f"[{section}]\n" + "".join(f"{n} = {json.dumps(str(v))}\n" for n, v in values.items())
        (self.folder / "transvase.toml").write_text(text, encoding="utf-8")
        where = (
            "--settings",
            str(self.folder / "transvase.toml"),
            "--clock",
            CLOCK.isoformat(),
            "--operator",
            OPERATOR,
        )
        return main([*words, *where])

    @property
    def entries(self) -> list[dict[str, Any]]:
        return [orjson.loads(p.read_bytes()) for p in sorted((self.work / "runs").glob("0*.json"))]

    def told(self, command: str, code: int) -> dict[str, Any]:
        """What the one record of a command noted; it names its operator and no patient."""
        opening, closing = self.entries[-2:]
        assert (opening["kind"], closing["kind"], closing["run"]) == ("opening", "closing", opening["number"])
        assert (opening["command"], opening["operator"]) == (command, OPERATOR)
        assert (closing["outcome"], closing["exit_code"]) == ("done" if code < 2 else "failed", code)
        written = b"".join(p.read_bytes() for p in (self.work / "runs").iterdir())
        assert not [word for word in (*PLANTED, ins(1)) if word.encode() in written]
        noted: dict[str, Any] = closing["noted"]
        return noted

    def journal(self) -> str:
        """The message of the last record to the access journal; empty without one."""
        opening, closing = self.entries[-2:]
        return message(opening, closing, "00") or ""


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.fixture
def planned(office: Office) -> Office:
    with Ledger(office.work / "ledger.sqlite", "dmp") as ledger:
        lines = [Planned(f"{PLANTED[2]}{n}", f"V{n}", PLANTED[1], f"1.2.3.{n}", "2026-03-02") for n in (1, 2)]
        ledger.plan(lines, [], CLOCK)
    return office


def test_what_is_left_aside_and_opened_again_is_on_record(planned: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert planned.call("feed", "skip", "--document", f"{PLANTED[2]}1", "--reason", "elsewhere") == 0
    assert "1 envoi écarté ;" in capsys.readouterr().out
    done = {"chosen_by": "document", "submissions": 1, "documents": 1}
    assert planned.told("feed skip", 0) == {"skip": {**done, "reason": "elsewhere"}}
    assert [(m["event"], m["count"]) for m in planned.entries[-1]["sent"]["moved"]] == [("skip", 1)]
    assert planned.call("feed", "retry", "--state", "skipped") == 0
    assert "1 envoi rouvert ;" in capsys.readouterr().out
    assert planned.told("feed retry", 0) == {"retry": {**done, "chosen_by": "state"}}
    assert [(m["event"], m["count"]) for m in planned.entries[-1]["sent"]["moved"]] == [("retry", 1)]
    assert re.search('EventActionCode="U".*csd-code="110110"', planned.journal())
    assert "Destination" not in planned.journal()


def test_a_message_left_aside_and_opened_again_is_on_record(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    with Ledger(office.work / "ledger.sqlite", DESTINATIONS) as ledger:
        ledger.plan([Planned(f"{PLANTED[2]}1", "V1", PLANTED[1], "1.2.3.1", "2026-03-02")], [], CLOCK, PATIENT)
    assert office.call("mss", "skip", "--document", f"{PLANTED[2]}1", "--reason", "elsewhere") == 0
    assert "1 message écarté ;" in capsys.readouterr().out
    done = {"chosen_by": "document", "submissions": 1, "documents": 1}
    assert office.told("mss skip", 0) == {"skip": {**done, "reason": "elsewhere"}}
    assert office.call("mss", "retry", "--state", "skipped") == 0
    assert "1 message rouvert ;" in capsys.readouterr().out
    assert office.told("mss retry", 0) == {"retry": {**done, "chosen_by": "state"}}
    assert re.search('EventActionCode="U".*csd-code="110110"', office.journal())


def test_an_act_that_finds_nothing_is_on_record_as_failed(planned: Office) -> None:
    assert planned.call("feed", "retry", "--document", "D-404") == 2
    assert planned.told("feed retry", 2) == {"retry": {"chosen_by": "document", "submissions": 0, "documents": 0}}


@pytest.mark.parametrize("words", [("show",), ("plan",)])
def test_reading_the_ledger_leaves_no_record(planned: Office, words: tuple[str, ...]) -> None:
    planned.call("feed", *words)
    assert planned.entries == []


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("feed", "skip", "--document", "D1"), id="no reason"),
        pytest.param(("feed", "retry", "--state", "registered"), id="a state that is not opened again"),
        pytest.param(("request", "new", "massif", "--by", "nobody"), id="an unknown professional"),
    ],
)
def test_a_slip_leaves_no_record(planned: Office, words: tuple[str, ...]) -> None:
    assert planned.call(*words) == 2
    assert planned.entries == []


def test_a_deletion_is_on_record(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    keys = authority.create(office.folder / "sandbox", CLOCK, structure=STRUCTURE)
    patients = registered_patients(office.folder / "patients.csv", PLANTED[1])
    with Sandbox(office.folder / "sandbox", patients, CLOCK, structure=STRUCTURE) as sandbox:
        context = dmp.tls(keys.client, keys.client_key, keys.ca, None)
        with Ledger(office.work / "ledger.sqlite") as ledger:
            job = job_of(office.work, {}, CLOCK, "Transvase essai", None, "Europe/Paris")
            limits = Limits(per_second=10_000, per_day=30_000, connections=1)
            feeding.feed(job, ledger, lambda: dmp.Dmp(sandbox.url, context, 20), limits, lambda: CLOCK)
        office.settings["feed"] = {
            "url": sandbox.url, "certificate": keys.client, "key": keys.client_key, "authority": keys.ca,
        }  # fmt: skip
        document = f"{PLANTED[2]}1"
        assert office.call("feed", "delete", document, "--by", "a3", "--reason", "identity") == 0
        assert office.told("feed delete", 0) == {"delete": {"by": "a3", "reason": "identity", "submissions": 1}}
        assert re.search('EventActionCode="D".*csd-code="ITI-57".*DMP sandbox', office.journal())


def test_a_request_is_on_record_from_its_registration_to_its_end(office: Office) -> None:
    assert office.call("request", "new", "unitaire", "--by", BY, "--patient", PLANTED[1]) == 0
    told = {"number": 1, "kind": "UNITAIRE", "means": "logiciel", "judicial": False, "phased": False}
    assert office.told("request new", 0) == {"request": told}
    assert office.entries[-1]["requests"]["states"] == {"received": 1}
    assert office.journal() == "", "no record was opened yet"
    for act, event in (("acknowledge", "acknowledged"), ("cancel", "cancelled")):
        assert office.call("request", act, "1") == 0
        assert office.told(f"request {act}", 0) == {"request": {"number": 1, "kind": "UNITAIRE", "event": event}}
    before = len(office.entries)
    assert office.call("request", "list") == 0 and office.call("request", "show", "1") == 0
    assert len(office.entries) == before, "reading the register leaves no record"


@pytest.fixture
def asked(office: Office) -> Office:
    """The office with its certificates for INSi."""
    authority.create(office.folder / "keys", CLOCK)
    service.certificates(office.folder / "keys" / "insi", CLOCK, authority.STRUCTURE)
    person = {
        "ins": ins(1), "oid": TEST_OID, "family": PLANTED[0], "given": "PAUL JEAN", "first_given": "PAUL", "sex": "M",
        "birth_date": "1980-01-15", "birth_place": "75056", "former": "",
    }  # fmt: skip
    lines = [",".join(service.Person._fields), ",".join(person[n] for n in service.Person._fields)]
    (office.folder / "identities.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (office.folder / "patients.csv").write_text("ins,oid,state\n", encoding="utf-8")
    return office


def test_a_search_of_insi_is_on_record(asked: Office) -> None:
    folder = asked.folder
    with Sandbox(folder / "keys", folder / "patients.csv", CLOCK, identities=folder / "identities.csv") as sandbox:
        asked.settings["insi"] = {
            "url": f"{sandbox.origin}{service.PATH}", "certificate": "keys/insi/insi-auto.pem",
            "key": "keys/insi/insi-auto.key", "authority": "keys/ca.pem", "authorisation_number": service.AUTHORISATION,
        }  # fmt: skip
        code = asked.call("insi", PLANTED[1])
        noted = asked.told("insi", code)
        assert noted["insi"]["patients"] == 1 and noted["insi"]["calls"] >= 1
        assert sum(noted["insi"]["outcomes"].values()) == 1
        assert re.search('EventActionCode="E".*csd-code="110112".*INSi sandbox', asked.journal())
        before = len(asked.entries)
        assert asked.call("insi", "P-404") == 2
        assert len(asked.entries) == before, "nothing was asked: no record"


def test_the_chain_of_these_records_holds_and_is_told_in_number(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    office.call("request", "new", "massif", "--by", BY)
    capsys.readouterr()
    where = ("audit", "verify", "--work", str(office.work))
    assert main([*where]) == 0
    assert capsys.readouterr().out.startswith("2 enregistrements se suivent (1 exécution, 0 signé, 0 horodaté)\n")
    assert main([*where, "--lang", "en"]) == 0
    assert capsys.readouterr().out.startswith("2 records follow one another (1 run, 0 signed, 0 time-stamped)\n")
    office.call("request", "acknowledge", "1")
    capsys.readouterr()
    assert main([*where]) == 0
    assert capsys.readouterr().out.startswith("4 enregistrements se suivent (2 exécutions, ")
