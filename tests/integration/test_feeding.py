"""Exactly once: whatever the service does and wherever the feeder dies, the registry holds each document once, with its bytes.

A real local DMP over real mutual TLS; the truth is what its registry says afterwards, compared with an undisturbed run.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import transvase
from transvase.assets import feeding
from transvase.assets.feeding import BATCH, FAILURES_BEFORE_STOP, MOST_ATTEMPTS, Fed, Limits
from transvase.errors import CertificateRefused, FeederLocked, ServiceUnreachable
from transvase.exporters.portability import Job, job_of
from transvase.gateways import dmp
from transvase.ledger.submissions import Ledger, Step
from transvase.sandbox import authority, server
from transvase.sandbox.dmp import Sandbox
from transvase.sandbox.misbehaviour import Misbehaviour, Trouble
from transvase.sources.extract import extract
from transvase.sources.mapping import load
from transvase.sources.synthetic.practice import generate

from ..builders import CLOCK, Row, changed, copied, judged, rows_of, with_rows  # noqa: TID252

LIMITS = Limits(per_second=10_000, per_day=30_000, connections=2)
ALONE = LIMITS._replace(connections=1)
LATER = CLOCK + timedelta(days=1)


class World(NamedTuple):
    """The judged practice, the national list of its patients (and the same with every DMP active), certificates, what an undisturbed
    run leaves in the registry, and how many documents it refuses."""

    work: Path
    patients: Path
    active: Path
    keys: Path
    holds: dict[str, str]
    refused: int


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("feeding")
    database, work, keys = folder / "cabinet.sqlite3", folder / "work", folder / "keys"
    generate(database, patients=20, clock=CLOCK, document_size=2000)
    extract(load("synthetic"), database, work, clock=CLOCK)
    # What was made since a former software fed has its own tests (test_replacement), so have sets of several documents
    # (test_documents_together).
    changed(work, "document", lambda _: {"fed_at": None, "encounter": None})
    judged(work)
    authority.create(keys, CLOCK, hostile=True)
    # One patient has closed his DMP since the practice looked: the registry refuses what nobody here could foresee.
    patients, active = folder / "patients.csv", folder / "active.csv"
    lines = database.with_suffix(".dmp-patients.csv").read_text(encoding="utf-8").splitlines()
    whose = Counter(p for (p,) in rows_of(work, "SELECT patient FROM document"))
    sent = Counter(d["patient"] for d in judged(work).decisions.values() if d["outcome"] == "to_send")
    closed = min(p for p in whose if 2 <= sent[p] <= 6)
    ((ins,),) = rows_of(work, f"SELECT ins FROM patient WHERE key = '{closed}'")
    patients.write_text("\n".join(x.replace(",active", ",closed") if x.startswith(ins) else x for x in lines) + "\n")
    active.write_text("\n".join(x.replace(",closed", ",active").replace(",none", ",active") for x in lines) + "\n")
    undisturbed = Scene(World(work, patients, active, keys, {}, sent[closed]), folder / "undisturbed")
    with undisturbed.sandbox():
        undisturbed.feed()
        return undisturbed.world._replace(holds=undisturbed.registry())


class Scene:
    """A ledger and a registry of one test, over the practice of all."""

    def __init__(self, world: World, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.world, self.folder = world, folder
        self.work = world.work
        self.running: Sandbox | None = None

    @property
    def job(self) -> Job:
        return job_of(self.work, {}, CLOCK, "Transvase essai", None, "Europe/Paris")

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.sqlite"

    def sandbox(self, plan: Mapping[int, Misbehaviour] | None = None) -> Sandbox:
        """A service on this scene's registry, with the certificates of all scenes."""
        place = self.folder / "sandbox"
        shutil.copytree(self.world.keys, place, dirs_exist_ok=True)
        self.running = Sandbox(place, self.world.patients, CLOCK, plan)
        return self.running

    @property
    def keys(self) -> authority.Authority:
        return authority.files(self.world.keys)

    def context(self) -> ssl.SSLContext:
        return dmp.tls(self.keys.client, self.keys.client_key, self.keys.ca, None)

    def connect(self, timeout: float = 20, url: str = "") -> Callable[[], dmp.Dmp]:
        assert self.running is not None
        context, address = self.context(), url or self.running.url
        return lambda: dmp.Dmp(address, context, timeout)

    def feed(
        self,
        limits: Limits = LIMITS,
        timeout: float = 20,
        connect: Callable[[], dmp.Dmp] | None = None,
        clock: datetime = CLOCK,
    ) -> Fed:
        """One run of the feeder, as the operator starts it."""
        with Ledger(self.ledger) as ledger:
            return feeding.feed(self.job, ledger, connect or self.connect(timeout), limits, lambda: clock)

    def control(self, *troubles: Mapping[str, Any]) -> dict[str, Any]:
        """Set the plan of the service when given, and its state."""
        assert self.running is not None
        connection = http.client.HTTPSConnection("127.0.0.1", self.running.port, context=self.context(), timeout=20)
        if troubles:
            connection.request("POST", "/control", json.dumps({"plan": [t for t in troubles if t]}))
            assert connection.getresponse().read()
        connection.request("GET", "/control/state")
        state: dict[str, Any] = json.loads(connection.getresponse().read())
        connection.close()
        return state

    def tried(self, times: int) -> None:
        """As many vain attempts for every document, in former runs."""
        with Ledger(self.ledger) as ledger:
            feeding.plan(self.job, ledger, CLOCK)
            for _ in range(times):
                rows = ledger.waiting("to_submit", 10_000)
                ledger.record(
                    [Step(r.id, event) for r in rows for event in ("send", "not_sent")], CLOCK - timedelta(days=1)
                )

    def received(self, count: int) -> None:
        """Wait until the service has received so many submissions."""
        end = time.monotonic() + 30
        while self.control()["counts"]["received"] < count:
            assert time.monotonic() < end, "the feeder did not send"
            time.sleep(0.02)

    def registry(self) -> dict[str, str]:
        """uniqueId to hash of what is registered; each submission set and each document once, or the test fails."""
        state = self.control()
        held = {d["unique_id"]: d["hash"].lower() for d in state["documents"]}
        assert len(held) == len(state["documents"]) == state["counts"]["submission_sets"] == state["counts"]["approved"]
        return held

    def states(self) -> dict[str, int]:
        with Ledger(self.ledger) as ledger:
            assert ledger.broken() is None
            return ledger.counts()

    def rows(self, *states: str) -> list[Any]:
        with Ledger(self.ledger) as ledger:
            return [row for state in states for row in ledger.waiting(state, 10_000)]  # type: ignore[arg-type]

    def complete(self) -> None:
        """The registry holds what an undisturbed run leaves there, and the ledger says the same of every document."""
        held = self.registry()
        assert held == self.world.holds
        assert {r.unique_id: r.sha1 for r in self.rows("registered")} == held
        assert [r.code for r in self.rows("refused")] == ["XDSUnknownPatientId"] * self.world.refused
        assert set(self.states()) == {"registered", "refused", "adopted"}


@pytest.fixture
def scene(world: World, tmp_path: Path) -> Scene:
    return Scene(world, tmp_path)


def to_send(world: World) -> int:
    return len(world.holds) + world.refused


# Nothing goes wrong.


def test_everything_due_is_registered_once_and_nothing_else(scene: Scene) -> None:
    with scene.sandbox():
        fed = scene.feed()
        assert (fed.sent, fed.stopped) == (len(scene.world.holds), "")
        scene.complete()
        decisions = judged(scene.work).decisions.values()
        assert {r.document for r in scene.rows("registered", "refused")} == {
            d["document"] for d in decisions if d["outcome"] == "to_send"
        }
        assert {r.document for r in scene.rows("adopted")} == {
            d["document"] for d in decisions if d["outcome"] == "adopted"
        }
        # Enough for several batches, or the tests below would say little.
        assert len(scene.world.holds) > 3 * BATCH
        assert scene.world.refused >= 2


@pytest.mark.requirement("DMP-51")
def test_feeding_again_sends_nothing(scene: Scene) -> None:
    with scene.sandbox():
        scene.feed()
        received = scene.control()["counts"]["received"]
        again = scene.feed()
        assert (again.planned, again.sent) == (0, 0)
        assert scene.control()["counts"]["received"] == received
        scene.complete()


def test_intent_sending_outcome_in_that_order(scene: Scene) -> None:
    with scene.sandbox():
        scene.feed()
    with Ledger(scene.ledger) as ledger:
        for row in ledger.waiting("registered", 1000):
            assert [event for _, event, _, _ in ledger.of_document(row.document)] == ["planned", "send", "accepted"]


# The service misbehaves.


@pytest.mark.requirement("DMP-50")
@pytest.mark.parametrize("trouble", list(Trouble), ids=str)
def test_exactly_once_after_every_misbehaviour(scene: Scene, trouble: Trouble) -> None:
    """At the first sending of a connection, on a connection in use, at both sides of a batch, among the last, and twice running."""
    last = to_send(scene.world)
    plan = dict.fromkeys(
        (1, 6, 7, BATCH, BATCH + 1, last - 1, last), Misbehaviour(trouble, 0.7 if trouble is Trouble.SLOW else 0)
    )
    with scene.sandbox(plan):
        # A slow answer comes after the client has lost patience.
        fed = scene.feed(timeout=0.5 if trouble is Trouble.SLOW else 20)
        assert fed.stopped == ""
        scene.complete()


@pytest.mark.parametrize("seed", [1, 2])
def test_exactly_once_in_a_storm(scene: Scene, seed: int) -> None:
    """Half of the sendings meet a trouble; runs follow each other until nothing waits."""
    rng = random.Random(seed)
    troubles = [t for t in Trouble if t is not Trouble.SLOW]
    plan = {n: Misbehaviour(rng.choice(troubles), 0) for n in range(1, 200) if rng.random() < 0.5}
    with scene.sandbox(plan):
        for _ in range(10):
            if scene.feed().stopped == "" and not scene.rows("to_submit", "to_query", "submitted", "set_aside"):
                break
            with Ledger(scene.ledger) as ledger:
                aside = ledger.waiting("set_aside", 100)
                ledger.record([Step(s.id, "retry") for s in aside], CLOCK)
        scene.complete()


@pytest.mark.parametrize("connections", [1, 2])
def test_a_stale_answer_is_not_taken_for_that_of_the_next_document(scene: Scene, connections: int) -> None:
    """Every answer comes twice: read as they come, the acceptance of one document would be taken for that of a refused one."""
    plan = dict.fromkeys(range(1, 200), Misbehaviour(Trouble.DUPLICATE_ANSWER))
    with scene.sandbox(plan):
        scene.feed(LIMITS._replace(connections=connections))
        scene.complete()


@pytest.mark.parametrize("trouble", [Trouble.OVERLOADED, Trouble.HTML_502, Trouble.CUT], ids=str)
def test_an_outage_stops_the_run_and_sets_nothing_aside(scene: Scene, trouble: Trouble) -> None:
    """Whatever happened to them before, documents wait for the end of an outage, then leave."""
    scene.tried(MOST_ATTEMPTS)
    with scene.sandbox(dict.fromkeys(range(1, 200), Misbehaviour(trouble, 0))):
        fed = scene.feed()
        assert fed.stopped
        received = scene.control()["counts"]["received"]
        if trouble is Trouble.OVERLOADED:
            # Asked to wait, the rest of a batch is not sent.
            assert FAILURES_BEFORE_STOP <= received <= FAILURES_BEFORE_STOP * LIMITS.connections
        else:
            assert received == FAILURES_BEFORE_STOP * BATCH
        assert scene.registry() == {}
        assert fed.states.get("to_submit", 0) + fed.states.get("to_query", 0) == to_send(scene.world)
        with pytest.raises(ServiceUnreachable) as stopped:
            feeding.checked(fed, "127.0.0.1")
        assert stopped.value.exit_code == 51
        scene.control({})
        assert scene.feed().stopped == ""
        scene.complete()


def test_an_overloaded_service_is_left_alone_as_long_as_it_asks(scene: Scene) -> None:
    plan = dict.fromkeys(range(1, LIMITS.connections + 1), Misbehaviour(Trouble.OVERLOADED, 2))
    with scene.sandbox(plan):
        before = time.monotonic()
        assert scene.feed().stopped == ""
        assert time.monotonic() - before >= 2
        scene.complete()


def test_a_document_that_the_service_never_takes_is_set_aside_once_others_pass(scene: Scene) -> None:
    """Alone, it cannot be told from an outage; beside another that the service takes, a person must look at it."""
    last = max(scene_rows(scene), key=lambda row: row[1])[0]
    scene.work = copied(scene.world.work, scene.folder / "work")
    ((patient,),) = rows_of(scene.work, f"SELECT patient FROM document WHERE key = '{last}'")
    with_rows(scene.work, Row("objection", {"key": "99", "patient": patient, "document": last, "scope": "dmp"}))
    judged(scene.work)
    first_pass = to_send(scene.world) - 1
    with scene.sandbox(dict.fromkeys((1, *range(first_pass + 1, first_pass + 20)), Misbehaviour(Trouble.HTTP_500))):
        # The guilty one is the oldest act, the first to leave; then it is alone.
        assert scene.feed(ALONE).stopped == "unreadable"
        assert scene.feed(ALONE).stopped == "unreadable"
        (guilty,) = scene.rows("to_submit", "to_query")
        assert guilty.attempts > MOST_ATTEMPTS
        # A day later there is something else to send.
        scene.work = scene.world.work
        scene.control({"nth": 1, "trouble": "http_500"})
        fed = scene.feed(ALONE)
        assert (fed.sent, fed.stopped) == (1, "")
        assert [(r.id, r.code) for r in scene.rows("set_aside")] == [(guilty.id, "absent")]
        # Once mended, an operator has it tried again.
        with Ledger(scene.ledger) as ledger:
            ledger.record([Step(guilty.id, "retry")], CLOCK)
        scene.feed()
        scene.complete()


def scene_rows(scene: Scene) -> list[tuple[str, str]]:
    """(document, act) of what an undisturbed run registers."""
    with Ledger(scene.world.work.parent / "undisturbed" / "ledger.sqlite") as ledger:
        return [(row.document, f"{row.act} {row.id}") for row in ledger.waiting("registered", 1000)]


@contextmanager
def hanging_up(keys: authority.Authority, when: str) -> Iterator[str]:
    """The address of a service that closes every connection without a word: in the handshake, or once it is made."""
    context = server.context(keys)
    # As the national services (sheet dmp-transactions, section 2): a certificate is refused in the handshake or not at all.
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    def answer(listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                if when == "handshake":
                    # All of it, or the system would reset the connection instead of ending it.
                    connection.recv(65536)
                else:
                    try:
                        secured = context.wrap_socket(connection, server_side=True)
                        secured.recv(100)
                        # Without TLS's own farewell.
                        socket.socket(fileno=secured.detach()).close()
                    except OSError:
                        pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=answer, args=(listening,), daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}/services"
        listening.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.parametrize(("when", "state"), [("handshake", "to_submit"), ("request", "to_query")])
def test_a_service_that_hangs_up_has_refused_no_certificate(scene: Scene, when: str, state: str) -> None:
    with hanging_up(scene.keys, when) as url:
        context = scene.context()
        fed = scene.feed(connect=lambda: dmp.Dmp(url, context, 5))
    assert fed.stopped == ("unreachable" if when == "handshake" else "cut")
    assert not set(fed.states) - {"to_submit", "to_query", "adopted"}
    assert fed.states[state] > 0


# The feeder dies.

KILLED = """
import os, signal, sys, threading
from datetime import datetime
from pathlib import Path
from transvase.assets import feeding
from transvase.exporters.portability import Job
from transvase.gateways import dmp
from transvase.ledger.submissions import Ledger

work, clock, ledger, url, keys, when = sys.argv[1:]
now, keys, calls, lock = datetime.fromisoformat(clock), Path(keys), [0], threading.Lock()

def tick():
    # The feeder asks the time before each intent, each sending and each outcome: death comes at the nth.
    with lock:
        calls[0] += 1
        if calls[0] == int(when):
            os.kill(os.getpid(), signal.SIGKILL)
    return now

context = dmp.tls(keys / "client.pem", keys / "client.key", keys / "ca.pem", None)
with Ledger(Path(ledger)) as opened:
    print("feeding", flush=True)
    feeding.feed(Job(work, (), clock, "Transvase essai", ""), opened, lambda: dmp.Dmp(url, context, 60),
                 feeding.Limits(10000, 30000, 2), tick)
"""


def feeder(scene: Scene, at_call: int = 0) -> subprocess.Popen[str]:
    """A feeder in a process of its own, that kills itself at a call of its clock."""
    assert scene.running is not None
    arguments = (scene.work, CLOCK.isoformat(), scene.ledger, scene.running.url, scene.world.keys, at_call)
    command = [sys.executable, "-c", KILLED, *map(str, arguments)]
    # The code under test, wherever these tests run from.
    source = str(Path(transvase.__file__).parent.parent)
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": source})


def test_exactly_once_when_killed_at_every_stage(scene: Scene) -> None:
    """The same ledger, killed again and again: before the plan is kept, at intents, between sendings, before outcomes."""
    with scene.sandbox():
        for call in (1, 3, 4, 12, 20, 22, 23):
            with feeder(scene, call) as process:
                process.communicate(timeout=60)
                if process.returncode == 0:
                    break
                assert process.returncode == -signal.SIGKILL
            held = scene.registry()
            assert held.items() <= scene.world.holds.items()
            # What must leave is in the ledger before it leaves.
            known = {r.unique_id for r in scene.rows("submitted", "to_query", "registered")}
            assert set(held) <= known
        assert call > 12, "the feeder ended too early for this test to say much"
        scene.feed()
        scene.complete()


@pytest.mark.parametrize("nth", [1, 2 * BATCH + 3])
def test_exactly_once_when_killed_while_the_service_answers(scene: Scene, nth: int) -> None:
    """The document is registered, its answer is on its way, the power fails."""
    with scene.sandbox({nth: Misbehaviour(Trouble.SLOW, 60)}):
        with feeder(scene) as process:
            scene.received(nth)
            # With two connections the other goes on until the batch ends.
            time.sleep(0.3)
            process.kill()
            process.communicate()
        in_flight = {r.unique_id for r in scene.rows("submitted")} & set(scene.registry())
        assert in_flight, "nothing was both registered and without outcome"
        # The registry is asked first: of what it holds, nothing is sent a second time.
        answered = len(scene.registry()) + len(scene.rows("refused"))
        before = scene.control()["counts"]["received"]
        scene.feed()
        assert scene.control()["counts"]["received"] - before == to_send(scene.world) - answered
        scene.complete()


def test_exactly_once_when_killed_at_random(scene: Scene) -> None:
    rng = random.Random(3)
    with scene.sandbox():
        for _ in range(3):
            with feeder(scene) as process:
                assert process.stdout is not None and process.stdout.readline() == "feeding\n"
                time.sleep(rng.uniform(0.05, 0.6))
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
        scene.feed()
        scene.complete()


def test_two_feeders_at_once(scene: Scene) -> None:
    with scene.sandbox({1: Misbehaviour(Trouble.SLOW, 60)}):
        with feeder(scene) as process:
            scene.received(1)
            with pytest.raises(FeederLocked):
                scene.feed()
            process.kill()
            process.communicate()
        scene.feed()
        scene.complete()


def test_a_registry_that_lost_what_it_took_gets_it_again(scene: Scene) -> None:
    """Doubt, then a registry restored from before: it says absent, the document leaves again."""
    with scene.sandbox({1: Misbehaviour(Trouble.CUT_AFTER)}):
        scene.feed(LIMITS._replace(per_day=1))
    (scene.folder / "sandbox" / "registry.jsonl").unlink()
    with scene.sandbox():
        assert [r.state for r in scene.rows("to_query")] == ["to_query"]
        scene.feed()
        assert set(scene.registry()) == set(scene.world.holds)


@pytest.mark.requirement("DMP-56")
def test_other_bytes_under_our_identifier_are_for_a_person_to_look_at(scene: Scene) -> None:
    with scene.sandbox():
        scene.feed()
        with Ledger(scene.ledger) as ledger:
            row = ledger.waiting("registered", 1)[0]
    # The same document is in doubt in another ledger, where other bytes were noted.
    other = scene.folder / "other.sqlite"
    with Ledger(other) as ledger:
        feeding.plan(scene.job, ledger, CLOCK)
        ledger.record([Step(row.id, "send", "", "0" * 40, 1), Step(row.id, "doubt", "timeout")], CLOCK)
        with scene.sandbox():
            fed = feeding.feed(scene.job, ledger, scene.connect(), LIMITS, lambda: LATER)
        assert [(s.id, s.code) for s in ledger.waiting("set_aside", 10)] == [(row.id, "XDSNonIdenticalHash")]
        # The rest was there already: see the next test.
        assert (fed.stopped, fed.states["registered"]) == ("", len(scene.world.holds) - 1)


def test_a_lost_ledger_is_rebuilt_by_asking(world: World, tmp_path: Path) -> None:
    """A service that answers "already there" to whole batches is at work: the run goes on to its end."""
    scene = Scene(world._replace(patients=world.active), tmp_path)
    with scene.sandbox():
        scene.feed()
        before = scene.registry()
        assert len(before) == to_send(world) > FAILURES_BEFORE_STOP * BATCH
        for file in scene.folder.glob("ledger.sqlite*"):
            file.unlink()
        fed = scene.feed(clock=LATER)
        assert (fed.sent, fed.stopped) == (0, "")
        assert scene.registry() == before == {r.unique_id: r.sha1 for r in scene.rows("registered")}


# Who may connect.


@pytest.mark.parametrize("who", ["expired", "stranger"])
def test_a_certificate_that_the_service_refuses(scene: Scene, who: str) -> None:
    with scene.sandbox() as service:
        pair = getattr(scene.keys, who), getattr(scene.keys, f"{who}_key")
        context = dmp.tls(*pair, scene.keys.ca, None)
        with pytest.raises(CertificateRefused) as refused:
            scene.feed(connect=lambda: dmp.Dmp(service.url, context, 20))
        assert refused.value.exit_code == 50
        assert scene.registry() == {}
        # With the right certificate everything leaves.
        scene.feed()
        scene.complete()


def test_a_service_that_another_authority_signed(scene: Scene, tmp_path: Path) -> None:
    impostor = authority.create(tmp_path / "impostor", CLOCK)
    with scene.sandbox() as service:
        context = dmp.tls(scene.keys.client, scene.keys.client_key, impostor.ca, None)
        with pytest.raises(CertificateRefused, match="server certificate"):
            scene.feed(connect=lambda: dmp.Dmp(service.url, context, 20))
        assert scene.control()["counts"]["received"] == 0
        assert not scene.rows("registered", "refused", "set_aside")
        # Intents without outcome: the next run asks, and goes on.
        scene.feed()
        scene.complete()


def test_a_service_under_another_name(scene: Scene) -> None:
    place = scene.folder / "elsewhere"
    keys = authority.create(place, CLOCK, names=("dmp.example",))
    context = dmp.tls(keys.client, keys.client_key, keys.ca, None)
    with (
        Sandbox(place, scene.world.patients, CLOCK) as service,
        pytest.raises(CertificateRefused, match="server certificate"),
    ):
        scene.feed(connect=lambda: dmp.Dmp(service.url, context, 5))


def test_files_that_cannot_be_used(scene: Scene, tmp_path: Path) -> None:
    keys, wrong = scene.keys, tmp_path / "wrong.pem"
    wrong.write_text("not a certificate")
    for certificate, key, ca, named in (
        (wrong, keys.client_key, keys.ca, "wrong.pem"),
        (keys.client, keys.seal_key, keys.ca, "client.pem"),
        (keys.client, keys.client_key, wrong, "wrong.pem"),
        (keys.client, keys.client_key, tmp_path / "absent.pem", "absent.pem"),
    ):
        with pytest.raises(CertificateRefused, match=named):
            dmp.tls(certificate, key, ca, None)


# The service is not there.


def test_a_service_that_is_down_costs_nothing(scene: Scene) -> None:
    """Nothing is lost and nothing is set aside, however often it was tried before."""
    scene.tried(MOST_ATTEMPTS)
    with scene.sandbox() as service:
        url = service.url
    context = scene.context()
    fed = scene.feed(connect=lambda: dmp.Dmp(url, context, 5))
    assert (fed.sent, fed.stopped, fed.states["to_submit"]) == (0, "unreachable", to_send(scene.world))
    with pytest.raises(ServiceUnreachable) as down:
        feeding.checked(fed, url)
    assert down.value.exit_code == 51
    assert "run the same command again" in str(down.value)
    with scene.sandbox():
        scene.feed()
        scene.complete()


def test_a_service_that_accepts_and_never_speaks(scene: Scene) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute, scene.sandbox():
        url, context = f"https://127.0.0.1:{mute.getsockname()[1]}/services", scene.context()
        fed = scene.feed(ALONE, connect=lambda: dmp.Dmp(url, context, 0.02))
        assert fed.stopped == "unreachable"
        assert fed.states["to_submit"] == to_send(scene.world)


# Ceilings and decisions.


@pytest.mark.requirement("DMP-59")
def test_the_daily_ceiling_ends_the_run_and_the_next_day_goes_on(scene: Scene) -> None:
    limits = LIMITS._replace(per_day=BATCH + 4)
    with scene.sandbox():
        fed = scene.feed(limits)
        assert fed.stopped == "daily ceiling"
        assert feeding.checked(fed, "127.0.0.1") is fed
        assert scene.control()["counts"]["received"] == limits.per_day
        assert scene.feed(limits).sent == 0
        assert scene.control()["counts"]["received"] == limits.per_day
        days = 1
        while scene.rows("to_submit"):
            scene.feed(limits, clock=CLOCK + timedelta(days=days))
            assert scene.control()["counts"]["received"] <= (days + 1) * limits.per_day
            days += 1
        scene.complete()
        assert days == -(-to_send(scene.world) // limits.per_day)


def test_the_oldest_acts_leave_first(scene: Scene) -> None:
    with scene.sandbox():
        scene.feed(LIMITS._replace(per_day=BATCH))
        gone, waiting = scene.rows("registered", "refused"), scene.rows("to_submit")
        assert len(gone) == BATCH
        assert max(r.act for r in gone) <= min(r.act for r in waiting)


@pytest.mark.requirement("DMP-58")
def test_the_rate_is_a_ceiling_over_all_connections(scene: Scene) -> None:
    with scene.sandbox():
        before = time.monotonic()
        scene.feed(Limits(per_second=20, per_day=21, connections=2))
        assert time.monotonic() - before >= 1.0
        assert scene.control()["counts"]["received"] == 21


def test_a_document_blocked_between_two_runs_is_not_sent(scene: Scene) -> None:
    """The patient objects after the first night: what has not left stays, what is in doubt is only asked about."""
    scene.work = copied(scene.world.work, scene.folder / "work")
    with scene.sandbox():
        scene.feed(LIMITS._replace(per_day=BATCH))
        waiting = scene.rows("to_submit")
        one = waiting[0]
        with_rows(
            scene.work,
            Row("objection", {"key": "99", "patient": one.patient, "document": one.document, "scope": "dmp"}),
        )
        assert judged(scene.work).decisions[one.document]["outcome"] == "objection"
        scene.feed()
        held = scene.registry()
        assert one.unique_id not in held
        assert set(scene.world.holds) - set(held) == {one.unique_id} & set(scene.world.holds)
        assert [r.unique_id for r in scene.rows("to_submit")] == [one.unique_id]


def test_when_every_verdict_turns_nothing_more_is_sent(scene: Scene) -> None:
    scene.work = copied(scene.world.work, scene.folder / "work")
    with scene.sandbox():
        scene.feed(LIMITS._replace(per_day=5))
        before = scene.control()["counts"]["received"]
        # The test identities of the practice are nothing in production.
        judged(scene.work, environment="production")
        fed = scene.feed()
        assert (fed.sent, fed.stopped) == (0, "")
        assert scene.control()["counts"]["received"] == before
        judged(scene.work)
        scene.feed()
        scene.complete()


def test_what_left_before_the_verdict_turned_is_still_asked_about(scene: Scene) -> None:
    scene.work = copied(scene.world.work, scene.folder / "work")
    with scene.sandbox({1: Misbehaviour(Trouble.CUT_AFTER)}):
        scene.feed(ALONE._replace(per_day=1))
        (doubtful,) = scene.rows("to_query")
        with_rows(
            scene.work,
            Row("objection", {"key": "99", "patient": doubtful.patient, "document": doubtful.document, "scope": "dmp"}),
        )
        judged(scene.work)
        scene.feed(LIMITS._replace(per_day=1))
        assert [r.unique_id for r in scene.rows("registered")] == [doubtful.unique_id]
        assert set(scene.registry()) == {doubtful.unique_id}
