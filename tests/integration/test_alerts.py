"""Alerts, against a mail server and an HTTP server on this machine: one per problem, once while it lasts, again when it comes back."""

from __future__ import annotations

import email
import http.server
import json
import socket
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.policy import default
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from aiosmtpd.controller import Controller

from transvase.assets import alerts
from transvase.assets.run import Run
from transvase.errors import Defect, Said, SettingsInvalid, SourceLocked, SourceMissing
from transvase.gateways import alerts as gateway
from transvase.ledger.requests import REQUESTS, Requests
from transvase.ledger.submissions import LEDGER, Ledger, Planned, Step
from transvase.model.request import Scope
from transvase.pipelines import definitions
from transvase.settings import Alerts, Settings, Work, load

CLOCK = datetime(2026, 11, 23, 20, tzinfo=ZoneInfo("Europe/Paris"))
PLANTED = "ZZNOMDEPATIENT"


class Mailbox:
    """What the mail server took; it refuses the recipients that start with `no`."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("no"):
            return "550 no such mailbox ZZNOMDEPATIENT"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.messages.append(email.message_from_bytes(envelope.content, policy=default))
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, str]]:
    box = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield box, f"smtp://127.0.0.1:{port}"
    finally:
        controller.stop()


class Hook(http.server.BaseHTTPRequestHandler):
    posted: list[dict]
    answer = 204

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.headers["Content-Type"] == "application/json"
        type(self).posted.append(json.loads(body))
        self.send_response(type(self).answer)
        if type(self).answer == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[tuple[type[Hook], str]]:
    handler = type("OneHook", (Hook,), {"posted": [], "answer": 204})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield handler, f"http://127.0.0.1:{server.server_port}/hook"
    finally:
        server.shutdown()
        server.server_close()


def run_with(tmp_path: Path, **given: Any) -> Run:
    return Run(Settings(work=Work(folder=tmp_path / "work"), alerts=Alerts(**given)), CLOCK)


def problem(cause: str, count: int = 1) -> alerts.Problem:
    return alerts.Problem(cause, Said(f"souci {cause}", f"trouble {cause}"), count)


def register(run: Run) -> dict:
    return json.loads((run.work / "alerts" / "register.json").read_bytes())


def test_one_message_per_problem_once_while_it_lasts(tmp_path: Path, mailbox, hook) -> None:
    box, smtp = mailbox
    handler, url = hook
    run = run_with(
        tmp_path, smtp=smtp, sender="transvase@cabinet.invalid", recipients=["a@x.invalid", "b@x.invalid"], webhook=url
    )
    same = [problem("state dmp refused X", 3), problem("state dmp refused Y")]
    for n in range(3):
        assert alerts.tell(run, ("state",), same, CLOCK + timedelta(hours=n)) == []
    assert sorted(m["Subject"] for m in box.messages) == [
        "Transvase : state dmp refused X",
        "Transvase : state dmp refused Y",
    ]
    assert box.messages[0]["To"] == "a@x.invalid, b@x.invalid" and box.messages[0]["Auto-Submitted"] == "auto-generated"
    assert "souci" in box.messages[0].get_content() and "trouble" in box.messages[0].get_content()
    assert len({m["Message-ID"] for m in box.messages}) == 2
    assert [p["cause"] for p in handler.posted] == ["state dmp refused X", "state dmp refused Y"]
    assert handler.posted[0]["count"] == 3 and handler.posted[0]["since"] == CLOCK.isoformat()
    # Gone, then back: another occurrence, told again.
    assert alerts.tell(run, ("state",), same[:1], CLOCK + timedelta(1)) == []
    assert set(register(run)) == {"state dmp refused X"}
    alerts.tell(run, ("state",), same, CLOCK + timedelta(2))
    assert len(box.messages) == 3 and len(handler.posted) == 3
    assert handler.posted[2]["id"] != handler.posted[1]["id"]
    for path in (run.work / "alerts").iterdir():
        assert path.stat().st_mode & 0o077 == 0


def test_a_success_closes_the_failures_of_its_job_alone(tmp_path: Path) -> None:
    run = run_with(tmp_path)
    for job in ("nightly", "nightly_other", "export"):
        alerts.tell(run, (f"run {job}",), [alerts.of_failure(job, SourceMissing(path="x"))], CLOCK)
    alerts.tell(run, ("run nightly", "state"), [], CLOCK)
    assert set(register(run)) == {"run nightly_other SourceMissing", "run export SourceMissing"}


@pytest.mark.parametrize(
    ("answer", "why"), [(500, "l'adresse répond 500"), (404, "l'adresse répond 404"), (302, "l'adresse répond 302")]
)
def test_what_could_not_be_told_is_tried_again(tmp_path: Path, hook, answer: int, why: str) -> None:
    handler, url = hook
    handler.answer = answer
    run = run_with(tmp_path, webhook=url)
    assert [w.fr for w in alerts.tell(run, ("state",), [problem("state a")], CLOCK)] == [why]
    assert register(run)["state a"]["told"] == ""
    assert json.loads((run.work / "alerts" / "summary.json").read_bytes())["not_told"] == [why]
    handler.answer = 200
    assert alerts.tell(run, ("state",), [problem("state a")], CLOCK + timedelta(hours=1)) == []
    assert len(handler.posted) == 2 and len({p["id"] for p in handler.posted}) == 1
    assert register(run)["state a"]["told"]


def test_a_refused_recipient_or_an_absent_server_is_said_without_its_text(tmp_path: Path, mailbox) -> None:
    box, smtp = mailbox
    given = {"sender": "t@x.invalid", "recipients": ["nobody@x.invalid"]}
    (why,) = alerts.tell(run_with(tmp_path, smtp=smtp, **given), ("state",), [problem("state a")], CLOCK)
    assert why.fr == "le serveur de courrier refuse (SMTPRecipientsRefused)" and not box.messages
    (why,) = alerts.tell(
        run_with(tmp_path, smtp="smtp://127.0.0.1:9", **given), ("state",), [problem("state a")], CLOCK
    )
    assert "injoignable" in why.fr
    for path in (tmp_path / "work" / "alerts").iterdir():
        assert PLANTED not in path.read_text(encoding="utf-8")


def test_an_unusable_authority_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")
    run = run_with(tmp_path, webhook="http://127.0.0.1:9/", authority=tmp_path / "ca.pem")
    (why,) = alerts.tell(run, ("state",), [problem("state a")], CLOCK)
    assert "alerts.authority" in why.fr
    with pytest.raises(gateway.NotTold):
        gateway.tls(tmp_path / "absent.pem")


def test_what_stands_is_one_problem_per_cause(tmp_path: Path) -> None:
    run = run_with(tmp_path)
    work = run.work
    with Ledger(work / LEDGER) as ledger:
        ledger.plan([Planned(f"D{n}", f"V{n}", "P", f"2.999.{n}", "2026-11-20") for n in range(5)], [], CLOCK)
        for n, code in enumerate(["A", "A", "A", "B"]):
            ledger.record([Step(f"2.999.{n} dmp", "send"), Step(f"2.999.{n} dmp", "refused", code)], CLOCK)
    with Requests(work / REQUESTS) as requests:
        requests.receive("DR1", "courriel", CLOCK - timedelta(days=40), "Éditeur", Scope())
        requests.receive("DR1", "courriel", CLOCK - timedelta(days=29), "Éditeur", Scope())
        requests.receive("DR1", "courriel", CLOCK, "Éditeur", Scope())
    found = {p.cause: p.records for p in alerts.standing(run, CLOCK)}
    assert {c: n for c, n in found.items() if "dmp" in c} == {"state dmp refused A": 3, "state dmp refused B": 1}
    assert "state request 1 missed" in found and not any(c.startswith("state request 3") for c in found)
    assert any(c.startswith("state request 2") for c in found)


# -- Dagster's sensors ------------------------------------------------------------------------------------------------------


def job_that(fails: Exception | None) -> dg.JobDefinition:
    @dg.op
    def step() -> None:
        if fails is not None:
            raise fails

    @dg.job(name="nightly", executor_def=dg.in_process_executor)
    def nightly() -> None:
        step()

    return nightly


@pytest.fixture
def settings(tmp_path: Path, hook, monkeypatch) -> tuple[Path, type[Hook]]:
    handler, url = hook
    file = tmp_path / "transvase.toml"
    file.write_text(f'[work]\nfolder = "work"\n\n[alerts]\nwebhook = "{url}"\n', encoding="utf-8")
    monkeypatch.setenv("TRANSVASE_SETTINGS", str(file))
    return tmp_path, handler


def sensed(job: dg.JobDefinition, instance: dg.DagsterInstance) -> None:
    """Run the job and call the sensor of its end, as the daemon would."""
    done = job.execute_in_process(instance=instance, raise_on_error=False)
    sensor = definitions.alert_of_state if done.success else definitions.alert_of_failure
    kind = dg.DagsterEventType.RUN_SUCCESS if done.success else dg.DagsterEventType.RUN_FAILURE
    event = next(e.dagster_event for e in instance.all_logs(done.run_id, of_type=kind))
    context = dg.build_run_status_sensor_context(sensor.name, event, instance, done.dagster_run)
    sensor(context if done.success else context.for_run_failure())


def test_a_run_that_fails_is_told_by_the_class_of_its_error(settings) -> None:
    folder, handler = settings
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(2):
            sensed(job_that(SourceLocked(path=PLANTED)), instance)
        sensed(job_that(ValueError(PLANTED)), instance)
        assert [p["cause"] for p in handler.posted] == ["run nightly SourceLocked", "run nightly Defect"]
        summary = (folder / "work" / "alerts" / "summary.json").read_text(encoding="utf-8")
        assert "code 70" in summary
        sensed(job_that(None), instance)
        assert json.loads((folder / "work" / "alerts" / "summary.json").read_bytes())["open"] == []
        sensed(job_that(SourceLocked(path=PLANTED)), instance)
    assert len(handler.posted) == 3
    everything = (
        json.dumps(handler.posted)
        + summary
        + (folder / "work" / "alerts" / "register.json").read_text(encoding="utf-8")
    )
    assert PLANTED not in everything
    assert Defect.exit_code == 70


def test_both_sensors_are_on_and_say_what_they_do_in_french() -> None:
    for sensor in (definitions.alert_of_failure, definitions.alert_of_state):
        assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
        assert "prévient" in (sensor.description or "")


# -- settings --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        'webhook = "http://example.org/x"', 'webhook = "file:///etc/passwd"', 'smtp = "smtp://h:25"', 'smtp = "http://h"',
        'sender = "two words@x"', 'smtp = "smtp://h:25"\nsender = "a@b"', "timeout = 0",
    ],
)  # fmt: skip
def test_settings_that_cannot_serve_are_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "transvase.toml").write_text(f"[alerts]\n{line}\n", encoding="utf-8")
    with pytest.raises(SettingsInvalid, match="alerts"):
        load(tmp_path / "transvase.toml")


def test_the_password_is_in_a_file_or_in_the_environment(tmp_path: Path, monkeypatch) -> None:
    from transvase.settings import alert_password

    monkeypatch.setenv("TRANSVASE_SMTP_PASSWORD", "one")
    assert alert_password(Alerts()) == "one"
    (tmp_path / "password").write_text("two\nrest", encoding="utf-8")
    (tmp_path / "transvase.toml").write_text('[alerts]\npassword_file = "password"\n', encoding="utf-8")
    found = load(tmp_path / "transvase.toml").alerts
    assert alert_password(found) == "two"
    (tmp_path / "password").unlink()
    with pytest.raises(SettingsInvalid):
        alert_password(found)


def test_the_register_is_no_database_of_patients(tmp_path: Path) -> None:
    run = run_with(tmp_path)
    alerts.tell(run, ("state",), [problem("state a")], CLOCK)
    assert sorted(p.name for p in (run.work / "alerts").iterdir()) == ["register.json", "summary.json"]
    (run.work / "alerts" / "register.json").write_bytes(b"{broken")
    assert alerts.tell(run, ("state",), [problem("state a")], CLOCK) == []
