"""Feeding with the proofs: the strict local DMP requires the VIHF, checks the signature of each set, and says who has a DMP.

What the service would refuse for good stays here with a code, before anything leaves; what it refuses of the caller stops the run.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from transvase.assets import dmp as asset
from transvase.assets import feeding
from transvase.assets.feeding import Fed, Limits
from transvase.assets.run import Run
from transvase.assets.signing import Proofs
from transvase.errors import CertificateRefused, EnvironmentMismatch, SettingsInvalid
from transvase.exporters import iti41, vihf
from transvase.exporters.portability import Job, job_of
from transvase.formats import cda, structure_seal
from transvase.formats.bodies import read_body
from transvase.gateways import dmp
from transvase.gateways.dmp import Existence, read_answer, read_existence
from transvase.ledger.submissions import Ledger
from transvase.reports.findings import outcome_of
from transvase.sandbox import authority, soap
from transvase.sandbox.dmp import Sandbox
from transvase.sandbox.misbehaviour import Misbehaviour, Trouble
from transvase.settings import Feed, Settings
from transvase.sources.extract import extract
from transvase.sources.mapping import load
from transvase.sources.synthetic.practice import generate

from ..builders import CLOCK, SURGERY_REPORT, changed, copied, judged, rows_of  # noqa: TID252

LIMITS = Limits(per_second=10_000, per_day=30_000, connections=2)
OTHER = "1990000788"
HOMOLOGATION = "TST-000001-tmp1"


class World(NamedTuple):
    """The judged practice, the national list of its patients, its structure, and the certificates of two structures."""

    work: Path
    patients: Path
    structure: str
    keys: Path
    other_keys: Path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("signed")
    database, work = folder / "cabinet.sqlite3", folder / "work"
    generate(database, patients=10, clock=CLOCK, document_size=2000)
    extract(load("synthetic"), database, work, clock=CLOCK)
    # What was made since a former software fed has its own tests (test_replacement), so have sets of several documents
    # (test_documents_together).
    changed(work, "document", lambda _: {"fed_at": None, "encounter": None})
    judged(work)
    ((structure,),) = rows_of(work, "SELECT struct_idnat FROM practice ORDER BY key LIMIT 1")
    for name, whose in (("keys", structure), ("other", OTHER)):
        authority.create(folder / name, CLOCK, structure=whose)
    return World(work, database.with_suffix(".dmp-patients.csv"), structure, folder / "keys", folder / "other")


class Asking(dmp.Dmp):
    """The client, which notes whom it asks about."""

    asked: list[str]

    def exists(self, content_type: str, parts: Any, length: int, message_id: str) -> Existence:
        self.asked.append(message_id)
        return super().exists(content_type, parts, length, message_id)


class Mute(Asking):
    """The client of a service whose TD0.2 answers nothing."""

    def exists(self, content_type: str, parts: Any, length: int, message_id: str) -> Existence:
        self.asked.append(message_id)
        return "unknown"


class Scene:
    """A ledger and a registry of one test."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder, self.work = world, folder, world.work
        self.keys = authority.files(world.keys)
        self.asked: list[str] = []
        self.running: Sandbox | None = None

    def sandbox(
        self, plan: dict[int, Misbehaviour] | None = None, patients: Path | None = None, require_vihf: bool = True
    ) -> Sandbox:
        import shutil

        place = self.folder / "sandbox"
        shutil.copytree(self.world.keys, place, dirs_exist_ok=True)
        self.running = Sandbox(place, patients or self.world.patients, CLOCK, plan, require_vihf=require_vihf)
        return self.running

    def context(self) -> ssl.SSLContext:
        return dmp.tls(self.keys.client, self.keys.client_key, self.keys.ca, None)

    def job(self, **practice: str) -> Job:
        return job_of(self.work, practice, CLOCK, "Transvase 0.1.0", None, "Europe/Paris")

    def proofs(self, keys: authority.Authority | None = None, **options: Any) -> Proofs:
        files = keys or self.keys
        seal = structure_seal.load(files.seal, files.seal_key, None, CLOCK, dmp.DMP)
        return Proofs(seal, "INDIRECTE", "sha256", "sha1", HOMOLOGATION)._replace(**options)

    def feed(
        self,
        proofs: Proofs | None,
        job: Job | None = None,
        client: type[dmp.Dmp] = Asking,
        url: str = "",
        limits: Limits = LIMITS,
        clock: Callable[[], datetime] = lambda: CLOCK,
    ) -> Fed:
        context, address = self.context(), url or (self.running.url if self.running else "")

        def connect() -> dmp.Dmp:
            made = client(address, context, 20)
            if isinstance(made, Asking):
                made.asked = self.asked
            return made

        with Ledger(self.folder / "ledger.sqlite") as ledger:
            return feeding.feed(job or self.job(), ledger, connect, limits, clock, proofs=proofs)

    def registry(self) -> list[dict[str, Any]]:
        assert self.running is not None
        connection = http.client.HTTPSConnection("127.0.0.1", self.running.port, context=self.context(), timeout=20)
        connection.request("GET", "/control/state")
        state = json.loads(connection.getresponse().read())
        connection.close()
        held: list[dict[str, Any]] = state["documents"]
        return held

    def held(self) -> dict[str, str]:
        """uniqueId to hash of the documents registered, without signatures; each document comes with one signature."""
        documents = [d for d in self.registry() if d["type_code"] != "E1762"]
        signatures = [d for d in self.registry() if d["type_code"] == "E1762"]
        assert len(signatures) in (0, len(documents))
        return {d["unique_id"]: d["hash"].lower() for d in documents}

    def states(self) -> Counter[tuple[str, str]]:
        """(state, code) of the submissions that this run is about."""
        with Ledger(self.folder / "ledger.sqlite") as ledger:
            assert ledger.broken() is None
            found = ledger.outcomes().values()
            return Counter((state, code) for state, code, _ in found if state != "adopted")

    def events(self, document: str) -> list[str]:
        with Ledger(self.folder / "ledger.sqlite") as ledger:
            return [event for _, event, _, _ in ledger.of_document(document)]


@pytest.fixture
def scene(world: World, tmp_path: Path) -> Scene:
    return Scene(world, tmp_path)


def due(work: Path) -> list[dict[str, Any]]:
    return [d for d in judged(work).decisions.values() if d["outcome"] == "to_send"]


# Accepted.


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"signature_digest": "sha256", "vihf_digest": "sha1"},
        {"mode": "DIRECTE"},
        {"homologation": ""},
    ],
    ids=["defaults", "other digests", "direct", "no homologation"],
)
def test_with_its_proofs_everything_is_taken(scene: Scene, options: dict[str, Any]) -> None:
    with scene.sandbox():
        fed = scene.feed(scene.proofs(**options))
        assert (fed.sent, fed.stopped) == (len(due(scene.work)), "")
        assert scene.states() == {("registered", ""): fed.sent}
        assert len(scene.registry()) == 2 * fed.sent
        assert len(scene.held()) == fed.sent > 30
        assert scene.asked == []


def test_without_them_the_service_takes_nothing_and_the_default_path_still_feeds_the_other(
    scene: Scene, tmp_path: Path
) -> None:
    with scene.sandbox():
        assert scene.feed(None).sent == 0
        # One cause, one alert: no document is condemned.
        assert {state for state, _ in scene.states()} == {"to_submit"}
        assert scene.registry() == []
    (tmp_path / "plain").mkdir()
    plain = Scene(scene.world, tmp_path / "plain")
    with plain.sandbox(require_vihf=False):
        assert plain.feed(None).sent == len(due(scene.work))
        assert len(plain.registry()) == len(plain.held()) == len(due(scene.work))


def test_the_documents_are_those_of_a_feed_without_proofs(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    plain = Scene(scene.world, tmp_path / "plain")
    with plain.sandbox(require_vihf=False):
        plain.feed(None)
        expected = plain.held()
    with scene.sandbox():
        scene.feed(scene.proofs())
        assert scene.held() == expected


@pytest.mark.requirement("DMP-40")
def test_the_signature_is_hidden_and_of_the_same_patient(scene: Scene) -> None:
    with scene.sandbox():
        scene.feed(scene.proofs())
        by_type = Counter(d["type_code"] == "E1762" for d in scene.registry())
        assert by_type[True] == by_type[False]
        for document in scene.registry():
            if document["type_code"] == "E1762":
                assert [code for code, _ in document["confidentiality"]] == ["N", "MASQUE_PS", "INVISIBLE_PATIENT"]
                assert document["class_code"] == "urn:oid:1.3.6.1.4.1.19376.1.2.1.1.1"


@pytest.mark.parametrize(
    "trouble", [Trouble.CUT_AFTER, Trouble.HTTP_500, Trouble.FAULT, Trouble.PARTIAL, Trouble.DUPLICATE_ANSWER], ids=str
)
def test_exactly_once_with_proofs(scene: Scene, trouble: Trouble) -> None:
    """The questions about what is in doubt carry the VIHF too, one patient at a time."""
    with scene.sandbox(dict.fromkeys((1, 5, 6, 16, 17, 18, 30), Misbehaviour(trouble, 0))):
        fed = scene.feed(scene.proofs())
        assert fed.stopped == ""
        assert {state for state, _ in scene.states()} == {"registered"}
        assert len(scene.registry()) == 2 * len(due(scene.work))


# Refused, here or there.


@pytest.mark.requirement("DMP-13", "VIHF-12")
def test_the_seal_of_another_structure_sends_nothing(scene: Scene) -> None:
    with scene.sandbox():
        with pytest.raises(
            SettingsInvalid, match=f"feed.seal_certificate.*{OTHER}.*{scene.world.structure}"
        ) as refused:
            scene.feed(scene.proofs(authority.files(scene.world.other_keys)))
        assert refused.value.exit_code == 11
        assert scene.registry() == []
        assert {state for state, _ in scene.states()} == {"to_submit"}
        # Nothing was lost: with the right one everything leaves.
        assert scene.feed(scene.proofs()).sent == len(due(scene.work))


@pytest.fixture
def foreign(scene: Scene) -> tuple[Scene, str]:
    """A CDA of another structure, which the record says was made here: it leaves byte for byte, under its own identifier."""
    scene.work = copied(scene.world.work, scene.folder / "work")
    qualified = {d["patient"] for d in due(scene.work)}
    key, digest = next(
        (document, body)
        for document, patient, body in rows_of(
            scene.work,
            "SELECT d.key, d.patient, v.sha256 FROM document d JOIN document_version v ON v.document = d.key "
            "WHERE v.detected = 'cda' AND v.version = 1 AND v.damage IS NULL ORDER BY d.key",
        )
        if patient in qualified
    )
    here = {
        "origin": "produced",
        "type_code": SURGERY_REPORT,
        "act": "2026-03-02T10:00:00",
        "fed_state": "never",
        "fed_unique_id": cda.header(cda.parse(read_body(scene.work / "bodies", digest) or b"")).id.oid,
        "external_author": None,
    }
    changed(scene.work, "document", lambda r: here if r["key"] == key else {})
    assert key in {d["document"] for d in due(scene.work)}
    return scene, key


@pytest.mark.requirement("DMP-55")
def test_a_document_of_another_structure_is_set_aside_and_the_others_leave(foreign: tuple[Scene, str]) -> None:
    scene, key = foreign
    with scene.sandbox():
        scene.feed(scene.proofs())
        assert scene.states() == {("set_aside", "DocumentMismatch"): 1, ("registered", ""): len(due(scene.work)) - 1}
        assert scene.events(key) == ["planned", "give_up"]
    assert outcome_of("set_aside", "DocumentMismatch") == "refused"


def test_without_vihf_the_same_document_leaves(foreign: tuple[Scene, str]) -> None:
    """What held it back is the structure, nothing else."""
    scene, key = foreign
    with scene.sandbox(require_vihf=False):
        scene.feed(None)
        assert "send" in scene.events(key)


@pytest.mark.requirement("DMP-54", "VIHF-11")
def test_a_physician_without_specialty_is_set_aside_and_the_others_leave(scene: Scene) -> None:
    scene.work = copied(scene.world.work, scene.folder / "work")
    author_of = dict(rows_of(scene.work, "SELECT key, practitioner FROM document"))
    authors = Counter(author_of[d["document"]] for d in due(scene.work))
    doctor = authors.most_common()[-1][0]
    changed(scene.work, "practitioner", lambda r: {"specialty": "G15_10"} if r["key"] == doctor else {})
    with scene.sandbox():
        scene.feed(scene.proofs())
        # A CDA of its own keeps its author, but who answers for it now is the same person.
        assert scene.states() == {
            ("set_aside", "SpecialtyMissing"): authors[doctor],
            ("registered", ""): authors.total() - authors[doctor],
        }
        left_out = next(d["document"] for d in due(scene.work) if author_of[d["document"]] == doctor)
        assert scene.events(left_out) == ["planned", "give_up"]
    assert outcome_of("set_aside", "SpecialtyMissing") == "refused"


@pytest.mark.requirement("DMP-54")
def test_the_service_says_the_same_of_a_missing_specialty(scene: Scene) -> None:
    """What is checked here is what it refuses: the same assertion, sent all the same."""
    proofs = scene.proofs()
    who = vihf.Person("899700991005", "Claire Vautrin", vihf.person(_Physician(), scene.world.structure).roles)
    caller = vihf.Caller(scene.world.structure, "SA07", "INDIRECTE", "1.2.3", "Transvase", "0.1.0", "")
    message_id = "urn:uuid:6f0d7f0e-5a0c-5c1e-9a57-0c3d2b1a4e6f"
    with scene.sandbox() as service:
        token = vihf.assertion(caller, who, "", "_1", CLOCK, proofs.seal, "sha256")
        message = iti41.provide_and_register(
            "", [("Document01", b"<a/>")], message_id, f"{service.url}/repository", token
        )
        client = dmp.Dmp(service.url, scene.context(), 20)
        answer = client.submit(message.content_type, message.parts, message.length, message_id)
        client.close()
    assert (answer.kind, answer.code) == ("refused", "SpecialtyMissing")


class _Physician:
    key, idnat, family, given, specialty = "1", None, "Vautrin", "Claire", "G15_10"


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        (soap.Fault("Aucun AuthorInstitution ne correspond à l'utilisateur du VIHF"), "refused", "DocumentMismatch"),
        (soap.Fault("Aucune spécialité dans le vihf"), "refused", "SpecialtyMissing"),
        (soap.Fault("Structure introuvable ou Inactive"), "not_sent", "StructureUnknown"),
        (soap.Fault("PS et Structure non liés"), "not_sent", "StructureUnknown"),
        (
            soap.Fault("Not a valid signature certificate", subcodes=("dmp:DMPInvalidCertificate",)),
            "not_sent",
            "DMPInvalidCertificate",
        ),
        (soap.Fault("Autre chose"), "refused", "Sender"),
        # A server that fails may have taken the document, whatever it says.
        (soap.Fault("Aucune spécialité dans le vihf", "Receiver"), "doubt", "SpecialtyMissing"),
        (soap.Fault("Not valid", "Receiver", ("DMPInvalidCertificate",)), "doubt", "DMPInvalidCertificate"),
    ],
)
def test_what_the_service_words(fault: soap.Fault, kind: str, code: str) -> None:
    answer = read_answer(fault.status, {}, soap.fault(fault))
    assert (answer.kind, answer.code) == (kind, code)


@contextlib.contextmanager
def refusing(keys: authority.Authority, fault: bytes) -> Iterator[tuple[str, list[int]]]:
    """A service behind the same certificates that answers every request with one fault; its address and what it received."""
    received: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            received.append(len(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(400)
            self.send_header("Content-Type", "application/soap+xml; charset=UTF-8")
            self.send_header("Content-Length", str(len(fault)))
            self.end_headers()
            self.wfile.write(fault)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(keys.ca))
    context.load_cert_chain(keys.server, keys.server_key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}/si-dmp-server/v2/services", received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.requirement("DMP-53")
@pytest.mark.parametrize("code", ["DMPInvalidCertificate", "StructureUnknown"])
def test_a_refusal_of_who_asks_stops_the_run_and_condemns_no_document(scene: Scene, code: str) -> None:
    """A seal that the service does not take would otherwise mark every document of the practice as refused."""
    reason = "Structure introuvable ou Inactive" if code == "StructureUnknown" else "Not a valid signature certificate"
    fault = soap.fault(soap.Fault(reason, subcodes=("DMPInvalidCertificate",)))
    one = LIMITS._replace(connections=1)
    with refusing(scene.keys, fault) as (url, received):
        with pytest.raises(CertificateRefused, match=code) as refused:
            scene.feed(scene.proofs(), url=url, limits=one)
        assert refused.value.exit_code == 50
        assert len(received) <= feeding.BATCH
    assert {state for state, _ in scene.states()} == {"to_submit"}
    with scene.sandbox():
        assert scene.feed(scene.proofs()).sent == len(due(scene.work))


# Proofs are made a little before they leave, several at a time.


@pytest.mark.requirement("DMP-42")
@pytest.mark.parametrize(
    ("seconds", "per_second", "ahead", "again"),
    [
        (0.0, 1e6, feeding.BATCH, 0),
        (0.0, 0.4, 2, 0),
        (1.0, 1e6, feeding.BATCH, feeding.BATCH - 5),
        (60.0, 1e6, feeding.BATCH, feeding.BATCH - 1),
    ],
    ids=["at once", "two in five seconds", "each takes a second", "each takes a minute"],
)
def test_proofs_are_fresh_when_they_leave(
    scene: Scene, seconds: float, per_second: float, ahead: int, again: int
) -> None:
    """However long the service takes, no VIHF is older than five seconds; when it is quick they are made a batch at a time."""
    instants: list[str] = []
    ages: list[float] = []
    now = [CLOCK]

    class Timed(Asking):
        def submit(self, content_type: str, parts: Any, length: int, message_id: str) -> dmp.Answer:
            found = re.search(rb'IssueInstant="([^"]+)"', b"".join(parts))
            assert found
            instants.append(found[1].decode())
            ages.append((now[0] - datetime.fromisoformat(instants[-1])).total_seconds())
            now[0] += timedelta(seconds=seconds)
            return super().submit(content_type, parts, length, message_id)

    def clock() -> datetime:
        # Two readings are never alike, as of a real clock.
        now[0] += timedelta(milliseconds=1)
        return now[0]

    limits = LIMITS._replace(connections=1, per_day=feeding.BATCH)
    with scene.sandbox(), pytest.MonkeyPatch.context() as patch:
        written: list[int] = []
        letter = feeding._Run.letter
        patch.setattr(feeding._Run, "letter", lambda run, members: written.append(len(ages)) or letter(run, members))
        # The rate counts for what is made ahead; the wait itself is that of the bucket's own tests.
        patch.setattr(feeding.Bucket, "take", lambda bucket: None)
        fed = scene.feed(scene.proofs(), client=Timed, limits=limits._replace(per_second=per_second), clock=clock)
    assert fed.sent == len(ages) == feeding.BATCH
    assert min(ages) >= 0 and max(ages) <= 5
    assert Counter(written)[0] == ahead
    assert len(written) == fed.sent + again
    assert len(set(instants)) == len(instants)


# Who has a DMP.


@pytest.fixture
def unknown(scene: Scene) -> Scene:
    """The record knows nothing of any DMP."""
    scene.work = copied(scene.world.work, scene.folder / "work")
    changed(scene.work, "patient", lambda r: {"dmp": "unknown"})
    judged(scene.work)
    return scene


@pytest.mark.requirement("DMP-57")
def test_only_patients_of_whom_nothing_is_known_are_asked_about_and_once(unknown: Scene) -> None:
    whose = {d["patient"] for d in due(unknown.work)}
    known = sorted(whose)[0]
    changed(unknown.work, "patient", lambda r: {"dmp": "active"} if r["key"] == known else {})
    with unknown.sandbox():
        fed = unknown.feed(unknown.proofs())
        assert fed.sent == len(due(unknown.work)) > len(whose)
        assert len(unknown.asked) == len(set(unknown.asked)) == len(whose) - 1
        # Nothing left to send, nobody to ask about.
        unknown.feed(unknown.proofs())
        assert len(unknown.asked) == len(whose) - 1


@pytest.mark.requirement("DMP-10")
@pytest.mark.parametrize(("state", "code"), [("none", "DMPNone"), ("closed", "DMPClosed"), ("absent", "DMPNone")])
@pytest.mark.parametrize("signed", [True, False], ids=["with proofs", "without"])
def test_nothing_leaves_for_a_patient_without_dmp(unknown: Scene, state: str, code: str, signed: bool) -> None:
    whose = Counter(d["patient"] for d in due(unknown.work))
    without = whose.most_common(1)[0][0]
    ((ins,),) = rows_of(unknown.work, f"SELECT ins FROM patient WHERE key = '{without}'")
    lines = unknown.world.patients.read_text(encoding="utf-8").splitlines()
    kept = [x for x in lines if not x.startswith(ins)] + (
        [f"{ins},1.2.250.1.213.1.4.10,{state}"] if state != "absent" else []
    )
    patients = unknown.folder / "patients.csv"
    patients.write_text("\n".join(kept) + "\n", encoding="utf-8")
    with unknown.sandbox(patients=patients, require_vihf=signed):
        unknown.feed(unknown.proofs() if signed else None)
        assert whose[without] > 1
        assert unknown.states() == {
            ("refused", code): whose[without],
            ("registered", ""): whose.total() - whose[without],
        }
        assert len(unknown.asked) == len(whose)
        for decision in due(unknown.work):
            expected = ["no_dmp"] if decision["patient"] == without else ["send", "accepted"]
            assert unknown.events(decision["document"]) == ["planned", *expected]
        assert not any(d["patient"].startswith(ins) for d in unknown.registry())
    assert outcome_of("refused", code) == "no_dmp"


@pytest.mark.requirement("DMP-09")
def test_a_question_without_answer_holds_nobody_up(unknown: Scene) -> None:
    """The registry refuses a patient it does not know by itself: the documents leave. One question a batch, not one a patient."""
    with unknown.sandbox():
        fed = unknown.feed(unknown.proofs(), client=Mute)
        assert fed.sent == len(due(unknown.work))
        assert 1 <= len(unknown.asked) <= -(-fed.sent // feeding.BATCH)


def answered(found: str, *states: str, ack: str = "AA") -> bytes:
    patients = "".join(f'<patient><id root="1"/><statusCode code="{s}"/></patient>' for s in states)
    return (
        '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Header xmlns:a="http://www.w3.org/2005/08/addressing">'
        '<a:RelatesTo>urn:uuid:1</a:RelatesTo></e:Header><e:Body><PRPA_IN201308UV02 xmlns="urn:hl7-org:v3">'
        f'<acknowledgement><typeCode code="{ack}"/></acknowledgement><controlActProcess><subject><registrationEvent>'
        f'<statusCode code="active"/><subject1>{patients}</subject1></registrationEvent></subject>'
        f'<queryAck><queryResponseCode code="{found}"/></queryAck></controlActProcess></PRPA_IN201308UV02></e:Body></e:Envelope>'
    ).encode()


@pytest.mark.requirement("DMP-09")
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (answered("OK", "active"), "active"),
        (answered("OK", "terminated"), "closed"),
        (answered("NF"), "none"),
        (answered("OK"), "unknown"),
        (answered("OK", "nullified"), "unknown"),
        (answered("OK", "active", "terminated"), "unknown"),
        (answered("AE", "active"), "unknown"),
        (answered("NF", ack="AE"), "unknown"),
        (answered("", "active"), "unknown"),
        (answered("OK", "active").replace(b"urn:uuid:1", b"urn:uuid:2"), "unknown"),
        (answered("OK", "active").replace(b"urn:hl7-org:v3", b"urn:hl7-org:v2"), "unknown"),
        (soap.fault(soap.Fault("Refused")), "unknown"),
        (b"<html>Proxy</html>", "unknown"),
        (b"", "unknown"),
    ],
)
def test_an_answer_about_existence(body: bytes, expected: Existence) -> None:
    assert read_existence(body, "urn:uuid:1") == expected


# Settings.


def run_of(scene: Scene, **feed: Any) -> Run:
    return Run(Settings(feed=Feed(**feed)), CLOCK)


def test_the_proofs_of_the_settings(scene: Scene) -> None:
    keys = scene.keys
    assert asset.proofs(run_of(scene), CLOCK) is None
    made = asset.proofs(
        run_of(scene, seal_certificate=keys.seal, seal_key=keys.seal_key, certificate=keys.client), CLOCK
    )
    assert made is not None
    assert made.seal.units == (scene.world.structure,)
    assert made[1:] == ("INDIRECTE", "sha256", "sha1", "")


@pytest.mark.requirement("DMP-64")
def test_production_is_not_fed_without_seal_nor_homologation(scene: Scene) -> None:
    seal = {"seal_certificate": scene.keys.seal, "seal_key": scene.keys.seal_key}
    for settings in ({}, {"homologation_number": "X-1"}, seal):
        with pytest.raises(EnvironmentMismatch, match="production") as refused:
            asset.proofs(run_of(scene, environment="production", **settings), CLOCK)
        assert refused.value.exit_code == 53
    assert asset.proofs(run_of(scene, environment="production", homologation_number="X-1", **seal), CLOCK) is not None


@pytest.mark.requirement("DMP-44")
def test_half_a_seal_and_the_wrong_one(scene: Scene) -> None:
    keys = scene.keys
    with pytest.raises(SettingsInvalid, match=r"feed\.seal_key"):
        asset.proofs(run_of(scene, seal_certificate=keys.seal), CLOCK)
    with pytest.raises(SettingsInvalid, match=r"feed\.seal_certificate"):
        asset.proofs(run_of(scene, seal_key=keys.seal_key), CLOCK)
    # The certificate that opens connections: the service would answer DMPInvalidCertificate.
    with pytest.raises(CertificateRefused, match=r"client\.pem opens connections"):
        wrong = {"seal_certificate": keys.client, "seal_key": keys.client_key}
        asset.proofs(run_of(scene, certificate=keys.client, **wrong), CLOCK)
