"""A feeder killed at every kind of instant, a service that misbehaves: at the end each document stands once and the ledger agrees.

Forty seeded kills by default, half of them on each route, and eight with the ledger on a PostgreSQL server; `TRANSVASE_KILLS=300` asks
for as many by hand. A kill is a SIGKILL of a real process: at the nth statement of the ledger (every write is one), or after a seeded
time.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest

from transvase.gateways import dmp
from transvase.ledger.engines import Place, Server
from transvase.ledger.submissions import Ledger
from transvase.model.identifiers import unique_id
from transvase.sandbox import authority
from transvase.sandbox.dmp import Sandbox
from transvase.sandbox.misbehaviour import Misbehaviour, Trouble

from .. import ledgers  # noqa: TID252
from ..builders import (  # noqa: TID252
    CLOCK,
    OFFICE,
    a_document,
    a_patient,
    a_version,
    an_encounter,
    fed_practice,
    registered_patients,
)
from ..certificates import issued  # noqa: TID252
from ..forking import Forking  # noqa: TID252

ledger_server = ledgers.ledger_server
Route = Literal["soap", "fhir"]
ROUTES: tuple[Route, ...] = ("soap", "fhir")
KILLS = int(os.environ.get("TRANSVASE_KILLS", "40"))
OID, STRUCTURE = OFFICE[0].values["oid"], OFFICE[0].values["struct_idnat"]
# Documents of the first night; of D1 and D2 the second night has a new version, and D6 is new.
FIRST, CHANGED, SECOND = ("D1", "D2", "D3", "D4", "D5"), ("D1", "D2"), ("D6",)
# More than the statements of a whole night, so that some feeders end by themselves.
STATEMENTS = 140

FEEDER = """
import os, signal, threading, time
from datetime import datetime
from pathlib import Path
import lxml.etree, duckdb, pyarrow
from transvase.assets import feeding
from transvase.exporters.portability import Job
from transvase.gateways import dmp
from transvase.gateways.dmp_fhir import DmpFhir
from transvase.ledger.engines import Server
from transvase.ledger.submissions import Ledger

def run(work, clock, ledger, url, way, keys, statements, seconds):
    now, keys = datetime.fromisoformat(clock), Path(keys)
    seen = [0]

    def at_each_statement(_):
        seen[0] += 1
        if seen[0] == int(statements):
            os.kill(os.getpid(), signal.SIGKILL)

    if float(seconds):
        def later():
            time.sleep(float(seconds))
            os.kill(os.getpid(), signal.SIGKILL)
        threading.Thread(target=later, daemon=True).start()
    context = dmp.tls(keys / "client.pem", keys / "client.key", keys / "ca.pem", None)
    def connect():
        return dmp.Dmp(url, context, 0.5) if way == "soap" else DmpFhir(url, context, 0.5, simplified=way == "simplified")

    place = Server(*ledger.split(" ", 1)) if ledger.startswith("postgresql:") else Path(ledger)
    with Ledger(place) as opened:
        # What the engine is asked for, as it is asked: a death before the nth statement, inside a transaction or between two.
        if isinstance(place, Path):
            opened._base.base.set_trace_callback(at_each_statement)
        else:
            ask = opened._base.base.execute
            opened._base.base.execute = lambda *said: (at_each_statement(said), ask(*said))[1]
        feeding.feed(Job(work, (), clock, "Transvase essai", ""), opened, connect,
                     feeding.Limits(10000, 30000, 2), lambda: now)
"""


class World(NamedTuple):
    """Two nights of one small practice, the national list of its patients, certificates."""

    nights: tuple[Path, Path]
    patients: Path
    keys: Path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("campaign")
    issued(folder / "keys", structure=STRUCTURE)
    people = [a_patient("P1"), a_patient("P2")]
    # Those of one patient but the last share an encounter, and so a submission set.
    people += [an_encounter(f"E{n}", f"P{n}") for n in (1, 2)]
    first = [a_document(d, f"P{1 + n % 2}", encounter=f"E{1 + n % 2}" if n < 4 else None) for n, d in enumerate(FIRST)]
    newer = [a_version(f"{d}-2", d, f"P{1 + FIRST.index(d) % 2}", rank=2) for d in CHANGED]
    one = fed_practice(folder / "first", *people, *first)
    two = fed_practice(folder / "second", *people, *first, *newer, *(a_document(d, "P2") for d in SECOND))
    return World((one, two), registered_patients(folder / "patients.csv", "P1", "P2"), folder / "keys")


@pytest.fixture(scope="module")
def forking() -> Iterator[Forking]:
    """Feeders: a fork for each."""
    with Forking(FEEDER) as process:
        yield process


class Round:
    """One ledger and one registry, fed on two nights by feeders that die."""

    def __init__(
        self,
        world: World,
        folder: Path,
        forking: Forking,
        seed: int,
        route: Route,
        place: Place | None = None,
    ) -> None:
        self.ledger: Place = place or folder / "ledger.sqlite"
        self.world, self.folder, self.forking, self.route = world, folder, forking, route
        self.rng = random.Random(f"{route} {seed}")
        shutil.copytree(world.keys, folder / "sandbox")
        # A third of the sendings meet a trouble. A slow answer outlasts the patience of the client.
        self.plan = {
            n: Misbehaviour(trouble, 0.8 if trouble is Trouble.SLOW else 0)
            for n in range(1, 40)
            if self.rng.random() < 1 / 3
            for trouble in [self.rng.choice(list(Trouble))]
        }

    def sandbox(self) -> Sandbox:
        self.running = Sandbox(self.folder / "sandbox", self.world.patients, CLOCK, self.plan, structure=STRUCTURE)
        return self.running

    def feeder(self, night: int, statements: int = 0, seconds: float = 0.0) -> int:
        """Run one; its exit code, -9 when it was killed."""
        # Within the FHIR route, one feeder may leave what another finishes by the other transaction.
        way = "soap" if self.route == "soap" else self.rng.choice(("bundle", "simplified"))
        url = self.running.url if way == "soap" else self.running.fhir_url
        ledger = " ".join(self.ledger) if isinstance(self.ledger, Server) else self.ledger
        facts = (self.world.nights[night], CLOCK.isoformat(), ledger, url, way, self.world.keys)
        return self.forking(*facts, statements, seconds)

    def killed(self, night: int, kills: int) -> int:
        """So many kills of a night's feeder at most; how many met it alive."""
        deaths = 0
        for _ in range(kills):
            if self.rng.random() < 0.7:
                code = self.feeder(night, statements=self.rng.randint(1, STATEMENTS))
            else:
                code = self.feeder(night, seconds=self.rng.uniform(0.01, 0.4))
            assert code in (0, -9)
            deaths += code == -9
            self.invariant()
        return deaths

    def finished(self, night: int) -> None:
        """Runs without kill until nothing waits; what was tried too often is opened again as an operator would."""
        from transvase.ledger import acts

        for _ in range(12):
            assert self.feeder(night) == 0
            with Ledger(self.ledger) as ledger:
                waiting = ledger.select(("to_submit", "submitted", "to_query"))
                aside = acts.retry(ledger, CLOCK, code="absent")
            if not waiting and not aside:
                return
        pytest.fail("something still waits after twelve runs")

    def registry(self) -> list[dict[str, Any]]:
        files = authority.files(self.world.keys)
        context = dmp.tls(files.client, files.client_key, files.ca, None)
        connection = http.client.HTTPSConnection("127.0.0.1", self.running.port, context=context, timeout=20)
        connection.request("GET", "/control/state")
        state = json.loads(connection.getresponse().read())
        connection.close()
        held: list[dict[str, Any]] = state["documents"]
        # Each document came in one set, and no set came twice.
        journal = self.folder / "sandbox" / "registry.jsonl"
        sets = [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []
        assert len({one["set"] for one in sets}) == len(sets) == state["counts"]["submission_sets"]
        assert sorted(d["unique_id"] for one in sets for d in one["documents"]) == sorted(d["unique_id"] for d in held)
        return held

    def invariant(self) -> None:
        """Whatever the instant of a death: nothing stands twice, what stands was announced, the chain holds."""
        held = Counter(d["unique_id"] for d in self.registry())
        assert set(held.values()) <= {1}
        with Ledger(self.ledger) as ledger:
            assert ledger.broken() is None
            sent = {s.unique_id for s in ledger.select(("submitted", "to_query", "registered", "replaced"))}
        assert set(held) <= sent

    def complete(self) -> None:
        """Each document stands once, its newest version in force, and the ledger says the same, to the byte."""
        held = {d["unique_id"]: d for d in self.registry()}
        newest = {unique_id(OID, d, 2 if d in CHANGED else 1) for d in (*FIRST, *SECOND)}
        approved = {u for u, d in held.items() if d["status"].endswith(":Approved")}
        assert approved == newest
        with Ledger(self.ledger) as ledger:
            assert ledger.broken() is None
            assert set(ledger.counts()) == {"registered", "replaced"}
            assert {s.unique_id: s.sha1 for s in ledger.select(("registered",))} == {
                u: held[u]["hash"].lower() for u in newest
            }
            # A first version either stands deprecated, or was lost on its way and overtaken.
            for row in ledger.select(("replaced",)):
                assert row.unique_id not in approved
                events = {event for _, event, _, _ in ledger.of_document(row.document)}
                assert (row.unique_id in held) == ("replace" in events) != ("overtaken" in events)


@pytest.mark.parametrize("route", ROUTES)
def test_each_document_once_after_so_many_kills(world: World, forking: Forking, tmp_path: Path, route: Route) -> None:
    campaign(world, forking, tmp_path, route, KILLS // len(ROUTES))


def test_each_document_once_with_the_ledger_on_a_server(
    world: World, forking: Forking, tmp_path: Path, ledger_server: Any
) -> None:
    campaign(world, forking, tmp_path, "soap", KILLS // 5, lambda: ledgers.on(ledger_server))


def campaign(
    world: World,
    forking: Forking,
    tmp_path: Path,
    route: Route,
    kills: int,
    place: Callable[[], Place | None] = lambda: None,
) -> None:
    """Rounds until so many feeders have died."""
    deaths = seed = 0
    while deaths < kills:
        seed += 1
        folder = tmp_path / str(seed)
        folder.mkdir()
        one = Round(world, folder, forking, seed, route, place())
        with one.sandbox():
            deaths += one.killed(0, 4)
            # Half of the second nights find the first one unfinished.
            if one.rng.random() < 0.5:
                one.finished(0)
            deaths += one.killed(1, 4)
            one.finished(1)
            one.complete()
        shutil.rmtree(folder)
    print(f"{deaths} kills in {seed} rounds by {route}")
