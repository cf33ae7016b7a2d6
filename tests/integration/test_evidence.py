"""Run records as commands and Dagster leave them: what they hold, what they never hold, what a failure or a kill leaves, signatures that
openssl accepts, time-stamps had at once or later, and `transvase audit verify` on all of it."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest

from transvase.assets.evidence import Recording
from transvase.assets.run import Run
from transvase.commands.main import main
from transvase.errors import Said
from transvase.sandbox import authority
from transvase.sandbox.dmp import Sandbox
from transvase.sandbox.time_stamping import Misbehaviour, TimeStamping, Trouble
from transvase.settings import load
from transvase.sources.synthetic.cabinet import STRUCTURES
from transvase.sources.synthetic.practice import generate

from .conftest import CLOCK, keep_one_patient

COMMAND = str(Path(sys.executable).with_name("transvase"))
PLANTED = ("ZZNOMNAISSANCE", "ZZPRENOM", "ZZTITREDOC", "ZZTYPELOCAL", "ZZMOTIF", "ZZADRESSE")
SETTINGS = """\
[source]
product = "synthetic"
path = "cabinet.sqlite3"
[work]
folder = "work"
workers = 1
[export]
folder = "out"
{export}
[evidence]
operator = "899700000001"
host_role = "serveur-cabinet"
{evidence}
{feed}
"""


class Office:
    """A practice's folder, and the command as called in it, in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.work, self.runs = folder, folder / "work", folder / "work" / "runs"
        self.settings = folder / "transvase.toml"

    def set(self, *, export: str = "", evidence: str = "", feed: str = "") -> Office:
        self.settings.write_text(SETTINGS.format(export=export, evidence=evidence, feed=feed), encoding="utf-8")
        return self

    def call(self, *words: object) -> int:
        mask = os.umask(0o077)
        try:
            clock = (
                ["--clock", CLOCK.isoformat()] if words[0] in ("extract", "check", "export", "feed", "audit") else []
            )
            if words[:2] == ("audit", "verify") and "--work" in words:
                return main([*map(str, words)])
            return main([*map(str, words), "--settings", str(self.settings), *clock])
        finally:
            os.umask(mask)

    def idle(self, command: str = "idle") -> list[Said]:
        """A run that does nothing, on record; what could not be stamped or handed over."""
        recording = Recording(command)
        recording.begin(Run(load(self.settings), CLOCK))
        return recording.end(0)

    def entries(self) -> list[dict[str, Any]]:
        return [orjson.loads(p.read_bytes()) for p in sorted(self.runs.glob("0*.json"))]

    @property
    def last(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Opening and closing of the last run."""
        opening, closing = self.entries()[-2:]
        assert closing["run"] == opening["number"]
        return opening, closing

    def verified(self, capsys: Any, *words: object) -> dict[str, Any]:
        capsys.readouterr()
        self.call("audit", "verify", "--json", *words)
        found: dict[str, Any] = orjson.loads(capsys.readouterr().out)
        return found


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """One patient full of planted values, extracted and judged; keys of the practice."""
    office = Office(tmp_path_factory.mktemp("evidence")).set()
    database = office.folder / "cabinet.sqlite3"
    generate(database, clock=CLOCK, document_size=500)
    keep_one_patient(database)
    with sqlite3.connect(database) as base:
        base.execute(
            "UPDATE T_PATIENT SET PAT_NOM_NAIS = ?, PAT_PREN1 = ?, PAT_ADR = ?", (PLANTED[0], PLANTED[1], PLANTED[5])
        )
        base.execute("UPDATE T_DOC SET DOC_TITRE = ?, DOC_NT_MOTIF = ?", (PLANTED[2], PLANTED[4]))
        base.execute("UPDATE T_DOC SET DOC_TYPE = ? WHERE DOC_ID = (SELECT min(DOC_ID) FROM T_DOC)", (PLANTED[3],))
    authority.create(office.folder / "keys", CLOCK, structure=f"1{STRUCTURES[0][2]}")
    assert office.call("extract") == 0
    assert office.call("check") in (0, 1)
    return office


@pytest.fixture
def office(read: Office, tmp_path: Path) -> Office:
    return Office(Path(shutil.copytree(read.folder, tmp_path / "office")))


SIGNED = 'signing_key = "keys/seal.key"\nsigning_certificate = "keys/seal.pem"'


# -- what a record holds ---------------------------------------------------------------------------------------------------


def test_an_extraction_is_told_by_count(read):
    opening, closing = read.entries()[:2]
    manifest = orjson.loads((read.work / "canonical/extraction.json").read_bytes())
    assert (opening["command"], opening["operator"], opening["host_role"]) == (
        "extract",
        "899700000001",
        "serveur-cabinet",
    )
    assert opening["clock"] == CLOCK.isoformat()
    assert opening["scope"] == "MASSIF" and opening["request"] == 0
    assert all(len(d) == 64 for d in (opening["settings"], opening["software"]["dependencies"]))
    assert (closing["outcome"], closing["exit_code"], closing["error"]) == ("done", 0, None)
    inputs = closing["inputs"]
    assert inputs["written"] and inputs["rows"] == manifest["rows"] and inputs["mapping"] == manifest["mapping"]
    cells = inputs["cells"]
    assert cells["source"] == cells["mapped"] + cells["native"] + cells["excluded"] > 0
    assert closing["noted"]["expectations"]["tables"] == len(manifest["rows"])
    assert closing["judged"] is None and closing["archive"] is None


def test_verdicts_are_told_by_rule_outcome_and_type(read):
    opening, closing = read.entries()[2:4]
    counts = orjson.loads((read.work / "verdicts/counts.json").read_bytes())
    judged = closing["judged"]
    assert opening["command"] == "check" and judged["written"] and not closing["inputs"]["written"]
    assert judged["verdicts"] == counts["verdicts"] and judged["documents_by_outcome"] == counts["documents"]
    assert sum(judged["documents_by_type"].values()) == sum(counts["documents"].values())
    assert closing["exit_code"] == (1 if any(v["severity"] == "block" for v in counts["verdicts"]) else 0)


def test_an_export_is_told_by_its_archive(office, capsys):
    office.call("export", "--operator", "martin.d")
    opening, closing = office.last
    facts = closing["archive"]["facts"]
    data = (office.folder / "out" / facts["archive"]).read_bytes()
    assert (facts["sha256"], facts["size"]) == (sha256(data).hexdigest(), len(data))
    assert (opening["command"], opening["operator"]) == ("export", "martin.d")
    capsys.readouterr()
    # A verification is kept when it is told whose; an import in the folder it fills.
    assert office.call("verify", office.folder / "out" / facts["archive"]) == 0
    opening, closing = office.last
    assert (opening["command"], closing["exit_code"]) == ("verify", 0)
    assert closing["noted"]["verified"]["sha256"] == facts["sha256"]
    assert office.verified(capsys)["broken"] is None
    office.work, office.runs = office.folder / "received", office.folder / "received/runs"
    office.settings.write_text(
        office.settings.read_text(encoding="utf-8").replace('"work"', '"received"'), encoding="utf-8"
    )
    assert office.call("import", office.folder / "out" / facts["archive"]) in (0, 1)
    opening, closing = office.last
    assert (opening["command"], closing["noted"]["imported"]["sha256"]) == ("import", facts["sha256"])
    assert closing["inputs"]["written"]
    assert office.verified(capsys)["broken"] is None


def test_a_request_is_told_by_its_number(office, capsys):
    with sqlite3.connect(office.folder / "cabinet.sqlite3") as base:
        ((patient,),) = base.execute("SELECT PAT_ID FROM T_PATIENT").fetchall()
    import duckdb

    by = duckdb.sql(f"SELECT key FROM '{office.work}/canonical/practitioner.parquet'").fetchall()[0][0]
    office.call("request", "new", "unitaire", "--by", by, "--patient", patient)
    office.call("request", "run", 1)
    opening, closing = office.last
    assert (opening["command"], opening["scope"], opening["request"]) == ("request run", "UNITAIRE", 1)
    assert closing["requests"]["states"] == {"delivered": 1} and closing["requests"]["events"] >= 3
    assert office.verified(capsys)["broken"] is None
    with sqlite3.connect(office.work / "requests.sqlite") as base:
        base.execute("DROP TRIGGER event_kept")
        base.execute("UPDATE event SET at = '2026-11-01T00:00:00+01:00' WHERE number = 1")
    assert "register of requests" in office.verified(capsys, "--lang", "en")["broken"]["why"]


def test_a_feeding_is_told_by_state_and_reason(office, capsys):
    patients = office.folder / "cabinet.dmp-patients.csv"
    structure = f"1{STRUCTURES[0][2]}"
    with Sandbox(office.folder / "dmp", patients, CLOCK, structure=structure) as sandbox:
        keys = sandbox.authority
        office.set(
            feed=f'[feed]\nurl = "{sandbox.url}"\ncertificate = "{keys.client}"\nkey = "{keys.client_key}"\n'
            f'authority = "{keys.ca}"\nsubmissions_per_second = 1000.0'
        )
        office.call("feed")
    opening, closing = office.last
    sent = closing["sent"]
    with sqlite3.connect(office.work / "ledger.sqlite") as base:
        events = base.execute("SELECT count(*), max(number) FROM event").fetchone()[0]
        head = base.execute("SELECT digest FROM head").fetchone()[0]
    assert opening["command"] == "feed"
    assert (sent["events"], sent["head"], sum(m["count"] for m in sent["moved"])) == (events, head, events)
    office.call("check")
    assert office.last[1]["sent"]["moved"] == []
    assert office.verified(capsys)["broken"] is None


def test_no_value_of_a_record_stands_in_a_record(read, office):
    office.call("export")
    office.call("audit")
    text = b"".join(p.read_bytes() for p in office.runs.iterdir())
    with sqlite3.connect(read.folder / "cabinet.sqlite3") as base:
        row = base.execute("SELECT PAT_INS, PAT_NOM_NAIS, PAT_PREN1, PAT_DTN FROM T_PATIENT").fetchone()
    held = [v for v in (*PLANTED, *row, str(read.folder), os.uname().nodename) if v and str(v).encode() in text]
    assert held == [] and len(office.entries()) == 8


# -- who -------------------------------------------------------------------------------------------------------------------


def test_the_operator_is_that_of_the_line_then_the_environment_then_the_settings(office, monkeypatch):
    for expected, environment, option in (
        ("899700000001", "", ()),
        ("poste-2", "poste-2", ()),
        ("dr.b@cabinet", "poste-2", ("--operator", "dr.b@cabinet")),
    ):
        monkeypatch.setenv("TRANSVASE_OPERATOR", environment)
        # Refused once on record: the folder holds an extraction.
        office.call("import", office.settings, *option)
        assert office.last[0]["operator"] == expected


@pytest.mark.parametrize("name", ["Jean Dupont", "é", "", "-x", "a" * 65, "a\nb", "<b>"])
def test_an_operator_is_a_reference_not_a_text(office, monkeypatch, capsys, name):
    before = len(office.entries())
    assert office.call("check", f"--operator={name}") == 2
    if name:
        monkeypatch.setenv("TRANSVASE_OPERATOR", name)
        assert office.call("check") == 11
        assert name not in capsys.readouterr().err or len(name) < 3
    assert len(office.entries()) == before


# -- failures and kills ----------------------------------------------------------------------------------------------------


def test_a_run_that_fails_leaves_its_record(office, capsys):
    (office.folder / "cabinet.sqlite3").unlink()
    assert office.call("extract") == 20
    closing = office.last[1]
    assert (closing["outcome"], closing["exit_code"]) == ("failed", 20)
    assert closing["error"] == {"code": 20, "name": "SourceMissing"}
    assert not closing["inputs"]["written"]
    assert office.verified(capsys)["broken"] is None


def test_a_run_killed_is_closed_by_the_next_as_interrupted(office, capsys):
    before = len(office.entries())
    process = subprocess.Popen(
        [COMMAND, "check", "--settings", str(office.settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while len(list(office.runs.glob("0*.json"))) == before and time.monotonic() < deadline:
            time.sleep(0.005)
        assert office.verified(capsys, "--lang", "en")["notes"][-1] == f"run {before + 1} under way"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert "interrupted" in office.verified(capsys, "--lang", "en")["notes"][-1]
    office.call("check")
    killed = office.entries()[before : before + 2]
    assert [(e["kind"], e.get("run"), e.get("outcome")) for e in killed] == [
        ("opening", None, None), ("closing", before + 1, "interrupted"),
    ]  # fmt: skip
    assert office.verified(capsys)["broken"] is None


def test_a_run_that_cannot_be_recorded_does_not_begin(office, capsys):
    office.set(export='signing_key = "keys/nothing.key"\nsigning_certificate = "keys/seal.pem"')
    before = (office.work / "verdicts/counts.json").stat().st_mtime_ns
    assert office.call("check") == 11
    assert (office.work / "verdicts/counts.json").stat().st_mtime_ns == before


# -- Dagster's own runs ----------------------------------------------------------------------------------------------------


@pytest.fixture
def screen(office: Office, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A job as the screen, a schedule or a sensor starts it: nothing but the settings file is given."""
    import dagster as dg

    from transvase.pipelines.definitions import build

    monkeypatch.setenv("TRANSVASE_SETTINGS", str(office.settings))
    with dg.DagsterInstance.ephemeral() as instance:
        yield (
            lambda job, **options: (
                build()
                .resolve_job_def(job)
                .execute_in_process(instance=instance, raise_on_error=False, **options)
                .success
            )
        )


def test_a_run_of_the_screen_leaves_its_record(office, screen, capsys):
    assert screen("check")
    opening, closing = office.last
    assert (opening["command"], closing["outcome"], closing["exit_code"]) == ("dagster check", "done", 0)
    assert closing["judged"]["written"]
    assert office.verified(capsys)["broken"] is None


def test_a_run_of_the_screen_that_fails_leaves_its_record(office, screen):
    (office.folder / "cabinet.sqlite3").unlink()
    assert not screen("extract")
    closing = office.last[1]
    assert (closing["outcome"], closing["error"]) == ("failed", {"code": 20, "name": "SourceMissing"})


def test_every_asset_takes_the_resource_that_records():
    from transvase.pipelines.definitions import build

    for job in build().resolve_all_job_defs():
        for node in job.nodes:
            assert "run" in node.definition.required_resource_keys, node.name


# -- signatures ------------------------------------------------------------------------------------------------------------


def test_signed_with_the_key_of_the_exports(office, capsys, program):
    office.set(export=SIGNED, evidence='authority = "keys/ca.pem"')
    office.idle()
    first = len(office.entries()) - 1
    found = office.verified(capsys)
    assert (found["signed"], found["broken"]) == (2, None)
    # The command that the how-to page gives.
    number = f"{first + 1:06d}"
    page = (Path(__file__).parents[2] / "docs/how-to/compliance.md").read_text(encoding="utf-8")
    line = next(text for text in page.splitlines() if text.startswith("openssl cms "))
    line = line.replace("000002", number).replace("autorite.pem", "../../keys/ca.pem")
    done = subprocess.run([program("openssl"), *line.split()[1:]], cwd=office.runs, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shutil.copy(office.runs / f"{first:06d}.p7s", office.runs / f"{number}.p7s")
    assert office.verified(capsys)["broken"]["record"] == first + 1


def test_a_certificate_that_has_ended_signs_nothing_and_stops_nothing(office, capsys):
    keys = authority.create(office.folder / "old", datetime(2010, 1, 1, tzinfo=UTC))
    office.set(export=f'signing_key = "{keys.seal_key}"\nsigning_certificate = "{keys.seal}"')
    office.idle()
    assert (office.last[0]["unsigned"], office.last[0]["signer"]) == ("certificate-dates", "")


# -- time-stamps -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def stamping(office: Office) -> Iterator[TimeStamping]:
    with TimeStamping(office.folder / "tsa", lambda: datetime.now(UTC)) as authority_:
        office.set(
            evidence=f'time_stamp_authority = "{authority_.url}"\ntime_stamp_certificate = "{authority_.ca}"\n'
            "time_stamp_timeout = 0.5"
        )
        yield authority_


def test_each_closing_is_stamped(office, stamping, capsys, program):
    assert office.idle() == []
    number = office.last[1]["number"]
    token = office.runs / f"{number:06d}.tsr"
    found = office.verified(capsys)
    assert (found["time_stamped"], found["broken"]) == (1, None)
    page = (Path(__file__).parents[2] / "docs/how-to/compliance.md").read_text(encoding="utf-8")
    line = next(text for text in page.splitlines() if text.startswith("openssl ts "))
    line = line.replace("000002", f"{number:06d}").replace("horodatage.pem", str(stamping.ca))
    done = subprocess.run([program("openssl"), *line.split()[1:]], cwd=office.runs, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    whole = token.read_bytes()
    token.write_bytes(whole.replace(sha256((office.runs / f"{number:06d}.json").read_bytes()).digest(), bytes(32)))
    assert office.verified(capsys)["broken"]["record"] == number


@pytest.mark.parametrize("trouble", Trouble)
def test_no_time_stamp_is_said_and_completed_later(office, stamping, capsys, trouble):
    assert office.idle() == []
    stamping.plan = {stamping.received + 1: Misbehaviour(trouble, 2.0)}
    assert len(office.idle()) == 1
    found = office.verified(capsys, "--lang", "en")
    assert (found["time_stamped"], found["broken"]) == (1, None)
    assert any(note.startswith("1 time-stamps are missing") for note in found["notes"])
    # The next run says that one is missing, until it is completed.
    assert office.idle() == []
    assert office.last[0]["unstamped"] == [office.entries()[-3]["number"]]
    assert office.call("audit", "stamp") == 0
    found = office.verified(capsys)
    assert (found["time_stamped"], found["broken"]) == (3, None)
    assert orjson.loads((office.runs / "head.json").read_bytes())["unstamped"] == []


def test_stamps_of_an_authority_out_of_reach_are_left_for_later(office, capsys):
    office.set(evidence='time_stamp_authority = "https://127.0.0.1:9/tsa"\ntime_stamp_certificate = "keys/ca.pem"')
    capsys.readouterr()
    assert office.call("check") in (0, 1)
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("transvase: ")]
    assert said == [
        "transvase: pas d'horodatage (service injoignable (ConnectionRefusedError)) ; `transvase audit stamp` le complétera."
    ]
    assert office.call("audit", "stamp") == 1


# -- the command -----------------------------------------------------------------------------------------------------------


def test_the_first_broken_link_is_one_sentence(office, capsys):
    path = office.runs / "000002.json"
    path.write_bytes(path.read_bytes().replace(b'"exit_code":0', b'"exit_code":1'))
    assert office.call("audit", "verify") == 41
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and said.err.startswith("transvase: Enregistrement 3 de work : il ne suit pas")
    assert office.call("audit", "verify", "--work", office.work) == 41


def test_a_digest_noted_elsewhere_must_be_there(office, capsys):
    head = office.verified(capsys)["head"]
    office.idle()
    assert office.call("audit", "verify", "--known", head.upper()) == 0
    assert office.call("audit", "verify", "--known", "0" * 64) == 41


def test_listing_and_verifying_only_read(office, capsys):
    def state() -> dict[str, tuple[int, bytes]]:
        return {str(p): (p.stat().st_mtime_ns, p.read_bytes()) for p in office.folder.rglob("*") if p.is_file()}

    before = state()
    assert office.call("audit", "verify") == 0
    assert office.call("audit", "runs") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-2:] for line in lines[-2:]] == [["extract", "899700000001"], ["check", "899700000001"]]
    assert state() == before


@pytest.mark.parametrize("words", [("--known", "0"), ("runs", "--authority", "x"), ("stamp", "--work", "x")])
def test_options_that_do_not_go_together(office, words):
    assert office.call("audit", *words) == 2


def test_nothing_to_verify(tmp_path):
    assert main(["audit", "verify", "--work", str(tmp_path)]) == 30
