"""`transvase feed` for the operator: forecast, show, try again, leave aside; one alert for one problem; certificates and environments.

The commands are run as a user runs them, on a small practice and a real local DMP.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from transvase.assets import dmp as asset
from transvase.assets import feeding
from transvase.assets.quota import Limits
from transvase.assets.run import Run
from transvase.commands.main import main
from transvase.errors import CertificateRefused, EnvironmentMismatch, RefusedAlike, SettingsInvalid
from transvase.exporters.portability import job_of
from transvase.gateways import certificates, dmp
from transvase.ledger.submissions import Ledger, Step
from transvase.model.hours import Window
from transvase.sandbox.dmp import Sandbox
from transvase.sandbox.misbehaviour import Misbehaviour, Trouble
from transvase.settings import Feed, Settings, Work, load

from ..builders import (  # noqa: TID252
    CLOCK,
    NIR_OID,
    OFFICE,
    Row,
    a_document,
    a_patient,
    a_version,
    an_objection,
    changed,
    fed_practice,
    judged,
    registered_patients,
)
from ..certificates import issued  # noqa: TID252

STRUCTURE = OFFICE[0].values["struct_idnat"]
LIMITS = Limits(per_second=10_000, per_day=30_000, connections=2)


class Office:
    """A practice with its settings file, its ledger and its local DMP."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.work = folder, folder / "work"
        self.keys = issued(folder / "sandbox", structure=STRUCTURE)
        self.patients = registered_patients(folder / "patients.csv", "P1", "P2")
        rows = [a_document(f"D{n}", f"P{1 + n % 2}", act=f"2026-0{1 + n % 3}-02T10:00:00") for n in range(1, 7)]
        fed_practice(
            self.work,
            a_patient("P1"),
            a_patient("P2"),
            a_patient("P3", dmp="none"),
            *rows,
            a_document("D7", "P3"),
            a_document("D8", "P1", type_code=None),
            a_document("D9", "P2"),
            an_objection("P2", document="D9"),
        )
        (folder / "transvase.toml").write_text(
            f'[work]\nfolder = "{self.work.as_posix()}"\n\n[source]\npath = "{(folder / "base.sqlite3").as_posix()}"\n',
            encoding="utf-8",
        )

    @property
    def ledger(self) -> Path:
        return self.work / "ledger.sqlite"

    def sandbox(self, **options: Any) -> Sandbox:
        return Sandbox(self.folder / "sandbox", self.patients, CLOCK, structure=STRUCTURE, **options)

    def feed(self, service: Sandbox, limits: Limits = LIMITS, clock: Any = None) -> feeding.Fed:
        context = dmp.tls(self.keys.client, self.keys.client_key, self.keys.ca, None)
        job = job_of(self.work, {}, CLOCK, "Transvase essai", None, "Europe/Paris")
        with Ledger(self.ledger) as ledger:
            return feeding.feed(
                job, ledger, lambda: dmp.Dmp(service.url, context, 20), limits, clock or (lambda: CLOCK)
            )

    def call(self, *words: str) -> int:
        return main(["feed", *words, "--settings", str(self.folder / "transvase.toml"), "--clock", CLOCK.isoformat()])


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def answered(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def content(path: Path) -> list[Any]:
    base = sqlite3.connect(path)
    held = [base.execute(f"SELECT * FROM {t} ORDER BY 1").fetchall() for t in ("submission", "event", "head")]
    base.close()
    return held


# Forecast.


def test_a_forecast_counts_what_would_leave_and_who_can_act(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert office.call("plan", "--json") == 0
    found = answered(capsys)
    assert (found["waiting"], found["replacing"]) == (6, 0)
    assert {s["month"]: s["documents"] for s in found["shares"]} == {"2026-01": 2, "2026-02": 2, "2026-03": 2}
    assert all("opératoire" in s["category"] for s in found["shares"])
    assert [(b["rule"], b["documents"]) for b in found["blocked"]] == [("DOC-TYPE-UNMAPPED", 1)]
    assert "correspondance" in found["blocked"][0]["who"]
    # Five a second.
    assert found["end"] == (CLOCK + timedelta(seconds=1)).isoformat()
    assert not office.ledger.exists(), "a forecast writes nothing"


def test_a_forecast_leaves_the_ledger_as_it_was(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    with office.sandbox() as service:
        office.feed(service, LIMITS._replace(per_day=4))
        before = content(office.ledger)
        assert office.call("plan", "--json") == 0
        found = answered(capsys)
        assert content(office.ledger) == before
        # What the forecast says is what the next run does.
        assert found["waiting"] == 2
        assert office.feed(service).sent == 2
    assert office.call("plan", "--json") == 0
    assert answered(capsys)["waiting"] == 0


def test_a_forecast_knows_of_replacements_doubts_and_withdrawn_permissions(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    with office.sandbox() as service:
        office.feed(service)
    shutil.rmtree(office.work / "canonical")
    newer = a_version("D2-2", "D2", "P1", rank=2)
    fed_practice(
        office.work,
        a_patient("P1"),
        a_patient("P2"),
        *(a_document(f"D{n}", f"P{1 + n % 2}") for n in range(1, 7)),
        newer,
        a_document("D10"),
        a_document("D11"),
    )
    with Ledger(office.ledger) as ledger:
        job = job_of(office.work, {}, CLOCK, "Transvase essai", None, "Europe/Paris")
        feeding.plan(job, ledger, CLOCK)
        (ten,) = ledger.select(("to_submit",), "D10")
        ledger.record([Step(ten.id, "send"), Step(ten.id, "doubt")], CLOCK)
    changed(office.work, "document", lambda r: {"withheld": "secret"} if r["key"] == "D11" else {})
    judged(office.work)
    assert office.call("plan", "--json") == 0
    found = answered(capsys)
    assert [found[n] for n in ("waiting", "replacing", "doubtful", "withdrawn")] == [1, 1, 1, 1]


def test_a_forecast_speaks_french_then_english(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert office.call("plan") == 0
    french = capsys.readouterr().out
    assert "À envoyer : 6 documents" in french and "Rien n'a été envoyé" in french
    assert office.call("plan", "--lang", "en") == 0
    assert "To send: 6 documents" in capsys.readouterr().out


def test_a_forecast_without_verdicts_says_what_to_run(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(office.work / "verdicts")
    assert office.call("plan") == 30
    assert "transvase check" in capsys.readouterr().err


# Show, try again, leave aside.


@pytest.fixture
def refused(office: Office) -> Office:
    """Two documents are refused for one reason, one is set aside, the rest is registered."""
    with office.sandbox() as service:
        office.feed(service, LIMITS._replace(per_day=3))
    with Ledger(office.ledger) as ledger:
        left = ledger.select(("to_submit",))
        steps = [Step(s.id, "send") for s in left[:2]]
        steps += [Step(s.id, "refused", "InvalidDocumentContent") for s in left[:2]]
        ledger.record([*steps, Step(left[2].id, "give_up", "DocumentMismatch")], CLOCK)
    return office


def test_one_line_for_each_problem_and_who_can_act(refused: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused.call("show") == 0
    out = capsys.readouterr().out
    assert "refused InvalidDocumentContent × 2 : Le DMP refuse le contenu du document" in out
    assert out.count("InvalidDocumentContent") == 1
    assert refused.call("show", "--json") == 0
    found = answered(capsys)
    assert found["states"] == {"registered": 3, "refused": 2, "set_aside": 1}
    assert [(p["code"], p["count"]) for p in found["problems"]] == [
        ("InvalidDocumentContent", 2),
        ("DocumentMismatch", 1),
    ]
    assert refused.call("show", "--state", "refused", "--json", "--lang", "en") == 0
    assert len(answered(capsys)["submissions"]) == 2


def test_a_document_is_shown_with_its_events(refused: Office, capsys: pytest.CaptureFixture[str]) -> None:
    with Ledger(refused.ledger) as ledger:
        document = ledger.select(("set_aside",))[0].document
    assert refused.call("show", "--document", document, "--json") == 0
    found = answered(capsys)
    assert [e["event"] for e in found["events"]] == ["planned", "give_up"]
    assert [s["code"] for s in found["submissions"]] == ["DocumentMismatch"]


@pytest.mark.parametrize(
    ("criterion", "opened"),
    [
        (("--code", "InvalidDocumentContent"), 2),
        (("--state", "refused"), 2),
        (("--state", "set_aside"), 1),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, tuple) else None,
)
def test_what_is_opened_again_leaves_with_the_next_run(
    refused: Office, capsys: pytest.CaptureFixture[str], criterion: tuple[str, str], opened: int
) -> None:
    assert refused.call("retry", *criterion, "--json") == 0
    assert len(answered(capsys)["documents"]) == opened
    with refused.sandbox() as service:
        assert refused.feed(service).sent == opened
    with Ledger(refused.ledger) as ledger:
        assert ledger.counts()["registered"] == 3 + opened
        assert ledger.broken() is None


def test_a_document_left_aside_stays_so_until_it_is_opened_again(
    refused: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    with Ledger(refused.ledger) as ledger:
        document = ledger.select(("refused",))[0].document
    assert refused.call("skip", "--document", document, "--reason", "withheld", "--json") == 0
    assert answered(capsys)["states"]["skipped"] == 1
    with refused.sandbox() as service:
        assert refused.feed(service).sent == 0
        with Ledger(refused.ledger) as ledger:
            assert ledger.of_document(document)[-1][1:] == ("skip", "skipped", "withheld")
            assert gather_outcome(refused, document) == "withheld"
        assert refused.call("retry", "--document", document) == 0
        assert "1 envoi rouvert ;" in capsys.readouterr().out
        assert refused.feed(service).sent == 1


def gather_outcome(office: Office, document: str) -> str:
    from transvase.reports.findings import outcome_of

    with Ledger(office.ledger) as ledger:
        state, code, _ = ledger.outcomes()[document]
    return outcome_of(state, code) or ""


@pytest.mark.parametrize(
    "words",
    [
        ("retry",),
        ("retry", "--code", "Sender", "--state", "refused"),
        ("retry", "--state", "registered"),
        ("retry", "--reason", "unfit", "--code", "Sender"),
        ("retry", "--code", "NobodyRefusedSo"),
        ("skip", "--document", "D1"),
        ("skip", "--reason", "unfit"),
        ("skip", "--document", "nobody", "--reason", "unfit"),
        ("plan", "--document", "D1"),
        ("show", "--code", "Sender"),
        ("--document", "D1"),
    ],
    ids=" ".join,
)
def test_a_slip_changes_nothing(refused: Office, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    before = content(refused.ledger)
    assert refused.call(*words) == 2
    assert capsys.readouterr().err.startswith("transvase: ")
    assert content(refused.ledger) == before


def test_before_any_feed_there_is_nothing_to_show(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert office.call("show") == 2
    assert "transvase feed plan" in capsys.readouterr().err
    assert not office.ledger.exists()


# One cause, one alert.


def test_a_service_that_refuses_everything_stops_the_run_and_condemns_nothing(office: Office) -> None:
    """Without the VIHF that it wants, every document would be refused alike."""
    with office.sandbox(require_vihf=True) as service:
        fed = office.feed(service)
        assert (fed.stopped, fed.alike, fed.sent) == ("Sender", True, 0)
        assert fed.states == {"to_submit": 6}
        with pytest.raises(RefusedAlike) as stopped:
            feeding.checked(fed, "127.0.0.1")
        assert stopped.value.exit_code == 54
        assert "Sender" in stopped.value.sentence("fr") and "attendent dans le registre" in stopped.value.sentence("fr")
        assert "wait in the ledger" in stopped.value.sentence("en")
    with office.sandbox() as service:
        assert office.feed(service).sent == 6


def test_a_setting_that_spoils_every_document_is_one_cause(office: Office) -> None:
    changed(office.work, "practice", lambda _: {"struct_idnat": "nothing"})
    with office.sandbox() as service:
        fed = office.feed(service, LIMITS._replace(connections=1))
        assert (fed.stopped, fed.alike) == ("XDSRegistryMetadataError", True)
        assert set(fed.states) == {"to_submit"}


def test_a_document_refused_beside_others_that_pass_is_its_own_problem(office: Office) -> None:
    office.patients = registered_patients(office.folder / "some.csv", "P1")
    with office.sandbox() as service:
        fed = office.feed(service)
        assert (fed.stopped, fed.states) == ("", {"registered": 3, "refused": 3})


def test_a_service_that_asks_for_an_hour_is_left_to_the_next_run(office: Office) -> None:
    with office.sandbox(plan=dict.fromkeys(range(1, 7), Misbehaviour(Trouble.OVERLOADED, 3600))) as service:
        fed = office.feed(service)
        assert (fed.stopped, fed.sent) == ("HTTP503", 0)
    with office.sandbox() as service:
        assert office.feed(service).sent == 6


# Window.


@pytest.mark.requirement("DMP-60")
def test_outside_the_window_nothing_leaves_and_nothing_is_wrong(office: Office) -> None:
    limits = LIMITS._replace(window=Window.read("21:00-06:00"))
    with office.sandbox() as service:
        fed = office.feed(service, limits)
        assert (fed.sent, fed.stopped, fed.states) == (0, feeding.CLOSED, {"to_submit": 6})
        assert feeding.checked(fed, "127.0.0.1") is fed
        later = CLOCK + timedelta(hours=2)
        assert office.feed(service, limits, lambda: later).sent == 6


@pytest.mark.requirement("DMP-60")
def test_a_run_ends_with_its_window(office: Office) -> None:
    """The window closes while the first batch is on its way: what it began is told, and nothing else begins."""
    limits = LIMITS._replace(window=Window.read("06:00-20:30"))
    begun: list[bool] = []

    def clock() -> datetime:
        if not begun:
            with sqlite3.connect(office.ledger) as base:
                begun.extend(base.execute("SELECT true FROM submission WHERE state = 'submitted'").fetchall())
        return CLOCK + timedelta(hours=bool(begun))

    with office.sandbox(plan={1: Misbehaviour(Trouble.HTTP_500)}) as service:
        fed = office.feed(service, limits, clock)
        # The document in doubt is asked about, and sent again, in the next window.
        assert (fed.stopped, fed.sent, fed.states) == (feeding.CLOSED, 5, {"registered": 5, "to_query": 1})


@pytest.mark.parametrize("window", ["21:00", "21-06", "24:00-06:00", "21:00-21:00", "9:00-10:00"])
def test_a_window_that_is_none(office: Office, window: str) -> None:
    file = office.folder / "wrong.toml"
    file.write_text(f'[feed]\nwindow = "{window}"\n', encoding="utf-8")
    with pytest.raises(SettingsInvalid, match=r"feed\.window"):
        load(file)


# Certificates.


def run_of(office: Office, **feed: Any) -> Run:
    return Run(Settings(feed=Feed(**feed), work=Work(folder=office.work)), CLOCK)


@pytest.mark.parametrize(
    ("days", "said"),
    [(40, "none"), (31, "none"), (29, "soon"), (0, "soon"), (-1, "over")],
)
def test_the_end_of_a_certificate_is_announced_then_refused(office: Office, days: int, said: str) -> None:
    end = certificates.expiry(office.keys.client).end
    now = (end - timedelta(days=days)).astimezone(CLOCK.tzinfo)
    run = run_of(office, certificate=office.keys.client)
    day = end.astimezone(CLOCK.tzinfo).date().isoformat()
    if said == "over":
        with pytest.raises(CertificateRefused) as refused:
            asset.notices(run, now)
        assert f"client.pem a expiré le {day}" in refused.value.sentence("fr")
        assert f"client.pem expired on {day}" in str(refused.value)
    else:
        notices = asset.notices(run, now)
        assert [f"expire le {day}" in n.fr and f"expires on {day}" in n.en for n in notices] == [True] * (
            said == "soon"
        )


def test_the_seal_is_announced_too_and_a_file_that_is_no_certificate_refused(office: Office) -> None:
    end = certificates.expiry(office.keys.seal).end - timedelta(days=10)
    both = run_of(office, certificate=office.keys.client, seal_certificate=office.keys.seal)
    assert [n.en.split()[0] for n in asset.notices(both, end)] == ["client.pem", "seal.pem"]
    with pytest.raises(CertificateRefused, match="cannot be read"):
        asset.notices(run_of(office, certificate=office.keys.client_key), CLOCK)


# Environments.


def in_production(office: Office, oid: str, ins_oid: str) -> Run:
    shutil.rmtree(office.work)
    practice = Row("practice", OFFICE[0].values | {"oid": oid})
    fed_practice(office.work, practice, a_patient("P1", ins_oid=NIR_OID), a_document("D1"), environment="production")
    # The first structure by its key is the practice.
    changed(office.work, "practice", lambda _: {"oid": oid})
    changed(office.work, "patient", lambda _: {"ins_oid": ins_oid})
    return run_of(office, environment="production")


@pytest.mark.requirement("DMP-03")
def test_production_takes_what_is_of_production(office: Office) -> None:
    asset.guard(in_production(office, "1.2.250.1.71.4.2.2.1", NIR_OID))


@pytest.mark.requirement("DMP-03")
@pytest.mark.parametrize(
    ("oid", "ins_oid", "said"),
    [
        pytest.param("2.999.250.7", NIR_OID, "reserved for examples", id="an OID of examples"),
        pytest.param("1.2.250.1.71.4.2.2.1", "1.2.250.1.213.1.4.10", "1 document whose", id="a test matricule"),
        pytest.param("1.2.250.1.71.4.2.2.1", None, "1 document whose", id="a matricule of nobody knows what"),
    ],
)
def test_production_refuses_what_is_of_a_test(office: Office, oid: str, ins_oid: str, said: str) -> None:
    with pytest.raises(EnvironmentMismatch, match=said) as refused:
        asset.guard(in_production(office, oid, ins_oid))
    assert refused.value.exit_code == 53


def test_elsewhere_nothing_is_guarded(office: Office) -> None:
    for environment in ("sandbox", "test"):
        asset.guard(run_of(office, environment=environment))


# Whole command.


def test_the_command_feeds_and_tells_each_problem_once(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    office.patients = registered_patients(office.folder / "some.csv", "P1")
    with office.sandbox() as service:
        keys = office.keys
        (office.folder / "transvase.toml").write_text(
            f'[work]\nfolder = "{office.work.as_posix()}"\n\n[feed]\nurl = "{service.url}"\n'
            f'certificate = "{keys.client.as_posix()}"\nkey = "{keys.client_key.as_posix()}"\nauthority = "{keys.ca.as_posix()}"\n',
            encoding="utf-8",
        )
        assert office.call() == 1
    out = capsys.readouterr().out
    assert "registered" in out and out.count("XDSUnknownPatientId") == 1
    assert "XDSUnknownPatientId × 3 : Le patient n'a pas de DMP" in out
