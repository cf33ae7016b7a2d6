"""Documents of one encounter leave in one submission set, and whatever is answered about it, each document stands once."""

from __future__ import annotations

import http.client
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from transvase.assets import feeding
from transvase.assets.feeding import Fed, Limits
from transvase.assets.signing import Proofs
from transvase.exporters.portability import job_of
from transvase.formats.structure_seal import load
from transvase.gateways import dmp
from transvase.gateways.dmp_fhir import DmpFhir
from transvase.ledger.submissions import Ledger, Step
from transvase.model.identifiers import unique_id
from transvase.sandbox import authority
from transvase.sandbox.dmp import Sandbox
from transvase.sandbox.misbehaviour import Misbehaviour, Trouble

from ..builders import (  # noqa: TID252
    CLOCK,
    OFFICE,
    Row,
    a_document,
    a_patient,
    a_version,
    an_encounter,
    fed_practice,
    registered_patients,
)
from ..certificates import issued  # noqa: TID252

OID, STRUCTURE = OFFICE[0].values["oid"], OFFICE[0].values["struct_idnat"]
LIMITS = Limits(per_second=10_000, per_day=30_000, connections=2)
COLLEAGUE = Row("practitioner", OFFICE[1].values | {"key": "9", "idnat": "899700991013", "family": "DELORME"})
# E1: three documents of one author and one of another; E2: one; E3: two of another patient; D8 belongs to no encounter.
ENCOUNTERS = (an_encounter("E1"), an_encounter("E2"), an_encounter("E3", "P2"))
DOCUMENTS = (
    *(a_document(d, encounter="E1") for d in ("D1", "D2", "D3")),
    a_document("D4", encounter="E1", practitioner="9"),
    a_document("D5", encounter="E2"),
    *(a_document(d, "P2", encounter="E3") for d in ("D6", "D7")),
    a_document("D8"),
)
TOGETHER = [["D1", "D2", "D3"], ["D4"], ["D5"], ["D6", "D7"], ["D8"]]
ALL = [f"D{n}" for n in range(1, 9)]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    issued(folder, structure=STRUCTURE)
    return folder


class Scene:
    """A practice, its ledger, and the registry that it feeds with every proof."""

    def __init__(self, folder: Path, keys: Path) -> None:
        self.folder, self.keys, self.work = folder, keys, folder / "work"
        self.patients = registered_patients(folder / "patients.csv", "P1", "P2")
        self.running: Sandbox | None = None
        self.holds(*DOCUMENTS)

    def holds(self, *rows: Any) -> None:
        """The practice as the night's extraction finds it."""
        shutil.rmtree(self.work, ignore_errors=True)
        fed_practice(self.work, a_patient("P1"), a_patient("P2"), COLLEAGUE, *ENCOUNTERS, *rows)

    def sandbox(self, plan: Mapping[int, Misbehaviour] | None = None, *, require_vihf: bool = True) -> Sandbox:
        place = self.folder / "sandbox"
        shutil.copytree(self.keys, place, dirs_exist_ok=True)
        self.running = Sandbox(place, self.patients, CLOCK, plan, structure=STRUCTURE, require_vihf=require_vihf)
        return self.running

    def feed(self, *, fhir: bool = False, limits: Limits = LIMITS) -> Fed:
        assert self.running is not None
        running, files = self.running, authority.files(self.keys)
        context = dmp.tls(files.client, files.client_key, files.ca, None)
        seal = load(files.seal, files.seal_key, None, CLOCK, dmp.DMP)
        proofs = None if fhir else Proofs(seal, "INDIRECTE", "sha256", "sha1", "")

        def connect() -> dmp.Dmp | DmpFhir:
            return DmpFhir(running.fhir_url, context, 20) if fhir else dmp.Dmp(running.url, context, 1)

        job = job_of(self.work, {}, CLOCK, "Transvase essai", None, "Europe/Paris")
        with Ledger(self.ledger) as ledger:
            return feeding.feed(job, ledger, connect, limits, lambda: CLOCK, proofs=proofs)

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.sqlite"

    def sets(self) -> list[list[str]]:
        """The documents of each registered set, without the signatures; sorted."""
        names = {unique_id(OID, d, rank): d if rank == 1 else f"{d}-{rank}" for d in ALL for rank in (1, 2)}
        lines = (self.folder / "sandbox" / "registry.jsonl").read_text(encoding="utf-8").splitlines()
        sets = [
            [names[d["unique_id"]] for d in json.loads(line)["documents"] if d["type_code"] != "E1762"]
            for line in lines
        ]
        return sorted(sorted(one) for one in sets)

    def received(self) -> int:
        """How many submissions came, whatever became of them."""
        assert self.running is not None
        files = authority.files(self.keys)
        context = dmp.tls(files.client, files.client_key, files.ca, None)
        connection = http.client.HTTPSConnection("127.0.0.1", self.running.port, context=context, timeout=20)
        connection.request("GET", "/control/state")
        state = json.loads(connection.getresponse().read())
        connection.close()
        return int(state["counts"]["received"])

    def states(self) -> dict[str, int]:
        with Ledger(self.ledger) as ledger:
            assert ledger.broken() is None
            return ledger.counts()

    def events(self, document: str) -> list[str]:
        with Ledger(self.ledger) as ledger:
            return [event for _, event, _, _ in ledger.of_document(document)]


@pytest.fixture
def scene(tmp_path: Path, keys: Path) -> Scene:
    return Scene(tmp_path, keys)


@pytest.mark.requirement("DMP-42")
def test_documents_of_one_encounter_and_one_author_share_a_set_and_its_signature(scene: Scene) -> None:
    """The sandbox verifies the signature against every document of its set."""
    with scene.sandbox():
        fed = scene.feed()
        assert (fed.sent, fed.stopped) == (8, "")
        assert scene.sets() == TOGETHER
        assert scene.received() == len(TOGETHER)
        assert scene.states() == {"registered": 8}
        assert all(scene.events(d) == ["planned", "send", "accepted"] for d in ALL)
        # The day's ceiling counts documents.
        assert scene.feed().sent == 0


def test_a_route_that_sends_one_document_at_a_time_does(scene: Scene) -> None:
    with scene.sandbox(require_vihf=False):
        assert scene.feed(fhir=True).sent == 8
        assert scene.sets() == [[d] for d in ALL]


def test_the_ceiling_of_the_day_counts_documents(scene: Scene) -> None:
    with scene.sandbox():
        assert scene.feed(limits=LIMITS._replace(per_day=2)).sent == 2
        assert sum(map(len, scene.sets())) == 2
        assert scene.feed().sent == 6
        assert scene.states() == {"registered": 8}


def test_one_guilty_document_keeps_no_other_out(scene: Scene) -> None:
    """A set is refused whole; its documents then leave one by one, and the guilty one alone stays refused."""
    with scene.sandbox():
        # The registry holds the same version of D2 under another uniqueId: a setId and a versionNumber stand once.
        version = a_version("D2-1", "D2")
        document, _ = a_document("D2")
        scene.holds(document, Row("document_version", version.values | {"own_unique_id": "2.999.250.7.99.2"}))
        assert scene.feed().sent == 1
        for file in scene.folder.glob("ledger.sqlite*"):
            file.unlink()
        scene.holds(*DOCUMENTS)
        fed = scene.feed()
        assert (fed.sent, fed.stopped) == (7, "")
        assert scene.states() == {"registered": 7, "refused": 1}
        assert scene.events("D2") == ["planned", "send", "apart", "send", "refused"]
        for innocent in ("D1", "D3"):
            assert scene.events(innocent) == ["planned", "send", "apart", "send", "accepted"]
        # What was in other sets left at once.
        assert scene.events("D6") == ["planned", "send", "accepted"]


def test_a_set_of_which_the_registry_took_a_part_is_completed(scene: Scene) -> None:
    """PartialSuccess: each document is asked about, and what the registry does not hold leaves alone."""
    with scene.sandbox(dict.fromkeys(range(1, len(TOGETHER) + 1), Misbehaviour(Trouble.PARTIAL))):
        assert scene.feed().stopped == ""
        assert scene.sets() == [[d] for d in ALL]
        assert scene.states() == {"registered": 8}
        held, lost = ["planned", "send", "doubt", "present"], ["planned", "send", "doubt", "absent", "send", "accepted"]
        for members in TOGETHER:
            assert sorted(map(scene.events, members)) == sorted([held, *[lost] * (len(members) - 1)])


@pytest.mark.parametrize("trouble", list(Trouble), ids=str)
def test_exactly_once_after_every_misbehaviour(scene: Scene, trouble: Trouble) -> None:
    plan = {n: Misbehaviour(trouble, 1.5 if trouble is Trouble.SLOW else 0) for n in (1, 4)}
    with scene.sandbox(plan):
        for _ in range(4):
            scene.feed()
        assert sorted(d for one in scene.sets() for d in one) == ALL
        assert scene.states() == {"registered": 8}


def test_what_was_sent_before_leaves_alone(scene: Scene) -> None:
    """After an attempt whose end is known to be nothing, a document is no longer sent with others."""
    with scene.sandbox():
        job = job_of(scene.work, {}, CLOCK, "Transvase essai", None, "Europe/Paris")
        with Ledger(scene.ledger) as ledger:
            feeding.plan(job, ledger, CLOCK)
            ledger.record([Step(f"{unique_id(OID, 'D2', 1)} dmp", event) for event in ("send", "not_sent")], CLOCK)
        scene.feed()
        assert scene.sets() == [["D1", "D3"], ["D2"], *TOGETHER[1:]]


def test_a_new_version_leaves_alone(scene: Scene) -> None:
    with scene.sandbox():
        scene.feed()
        scene.holds(*DOCUMENTS, a_version("D1-2", "D1", rank=2), a_version("D2-2", "D2", rank=2))
        assert scene.feed().sent == 2
        assert scene.sets() == sorted([*TOGETHER, ["D1-2"], ["D2-2"]])
        assert scene.states() == {"registered": 8, "replaced": 2}


@pytest.mark.parametrize(("most", "sets"), [(1, [[d] for d in ALL]), (1 << 20, TOGETHER)])
def test_large_documents_do_not_share_a_set(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, most: int, sets: list[list[str]]
) -> None:
    monkeypatch.setattr(feeding, "_SET_BYTES", most)
    with scene.sandbox():
        scene.feed()
        assert scene.sets() == sets
