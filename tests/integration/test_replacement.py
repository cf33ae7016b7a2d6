"""A new version takes the place of the one in the registry: by a RPLC on its entryUUID, once, in the order of the versions.

The local DMP is strict: the target exists, is of the same patient and approved, setId and versionNumber follow (sheet
dmp-transactions, 9).
"""

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
from transvase.exporters.portability import Job, job_of
from transvase.formats.structure_seal import load
from transvase.gateways import dmp
from transvase.ledger.submissions import Ledger, Step
from transvase.model.identifiers import unique_id
from transvase.sandbox import authority
from transvase.sandbox.dmp import Sandbox
from transvase.sandbox.misbehaviour import Misbehaviour, Trouble

from ..builders import (  # noqa: TID252
    CLOCK,
    OFFICE,
    Body,
    Row,
    a_document,
    a_patient,
    a_version,
    an_objection,
    fed_practice,
    judged,
    registered_patients,
)
from ..certificates import issued  # noqa: TID252

OID = OFFICE[0].values["oid"]
STRUCTURE = OFFICE[0].values["struct_idnat"]
LIMITS = Limits(per_second=10_000, per_day=30_000, connections=2)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    issued(folder, structure=STRUCTURE)
    return folder


def versions(document: str, last: int, patient: str = "P1") -> list[Row]:
    """A document and its versions from 1 to `last`."""
    more = [a_version(f"{document}-{rank}", document, patient, rank=rank) for rank in range(2, last + 1)]
    return [*a_document(document, patient), *more]


class Scene:
    """A practice that changes, its ledger, and the registry that it feeds."""

    def __init__(self, folder: Path, keys: Path) -> None:
        self.folder, self.keys = folder, keys
        self.patients = registered_patients(folder / "patients.csv", "P1", "P2")
        self.work = folder / "work"
        self.running: Sandbox | None = None
        self.states: list[str] = []

    def holds(self, *rows: Any, environment: str = "sandbox") -> None:
        """The practice as the night's extraction finds it."""
        shutil.rmtree(self.work, ignore_errors=True)
        fed_practice(self.work, a_patient("P1"), a_patient("P2"), *rows, environment=environment)

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.sqlite"

    @property
    def job(self) -> Job:
        return job_of(self.work, {}, CLOCK, "Transvase essai", None, "Europe/Paris")

    def sandbox(self, plan: Mapping[int, Misbehaviour] | None = None, *, require_vihf: bool = False) -> Sandbox:
        place = self.folder / "sandbox"
        shutil.copytree(self.keys, place, dirs_exist_ok=True)
        self.running = Sandbox(place, self.patients, CLOCK, plan, structure=STRUCTURE, require_vihf=require_vihf)
        return self.running

    def feed(self, *, signed: bool = False, limits: Limits = LIMITS) -> Fed:
        assert self.running is not None
        files = authority.files(self.keys)
        context, url = dmp.tls(files.client, files.client_key, files.ca, None), self.running.url
        proofs = None
        if signed:
            seal = load(files.seal, files.seal_key, None, CLOCK, dmp.DMP)
            proofs = Proofs(seal, "INDIRECTE", "sha256", "sha1", "")
        with Ledger(self.ledger) as ledger:
            return feeding.feed(
                self.job, ledger, lambda: dmp.Dmp(url, context, 20), limits, lambda: CLOCK, proofs=proofs
            )

    def registry(self) -> dict[str, str]:
        """uniqueId to status of the documents; each stands once."""
        assert self.running is not None
        files = authority.files(self.keys)
        context = dmp.tls(files.client, files.client_key, files.ca, None)
        connection = http.client.HTTPSConnection("127.0.0.1", self.running.port, context=context, timeout=20)
        connection.request("GET", "/control/state")
        state = json.loads(connection.getresponse().read())
        connection.close()
        documents = [d for d in state["documents"] if d["type_code"] != "E1762"]
        held = {d["unique_id"]: d["status"].rsplit(":", 1)[-1] for d in documents}
        assert len(held) == len(documents)
        return held

    def ranks(self, document: str = "D1") -> dict[int, str]:
        """Rank to state of a document's versions, by the ledger."""
        with Ledger(self.ledger) as ledger:
            assert ledger.broken() is None
            return {s.rank: s.state for s in ledger.select(tuple(_STATES), document)}

    def events(self, document: str = "D1") -> list[str]:
        with Ledger(self.ledger) as ledger:
            return [event for _, event, _, _ in ledger.of_document(document)]

    def code(self, rank: int, document: str = "D1") -> str:
        with Ledger(self.ledger) as ledger:
            return next(s.code for s in ledger.select(tuple(_STATES), document) if s.rank == rank)


_STATES = ("to_submit", "submitted", "to_query", "registered", "adopted", "replaced", "refused", "set_aside", "skipped")


@pytest.fixture
def scene(tmp_path: Path, keys: Path) -> Scene:
    return Scene(tmp_path, keys)


def uid(rank: int, document: str = "D1") -> str:
    return unique_id(OID, document, rank)


# In order.


@pytest.mark.requirement("DMP-18", "DMP-45", "DMP-46")
@pytest.mark.parametrize("signed", [False, True], ids=["plain", "with proofs"])
def test_a_new_version_takes_the_place_of_the_registered_one(scene: Scene, signed: bool) -> None:
    with scene.sandbox(require_vihf=signed):
        scene.holds(versions("D1", 1), a_document("D2", "P2"))
        assert scene.feed(signed=signed).sent == 2
        scene.holds(versions("D1", 2), a_document("D2", "P2"))
        fed = scene.feed(signed=signed)
        assert (fed.planned, fed.sent, fed.stopped) == (1, 1, "")
        assert scene.registry() == {uid(1): "Deprecated", uid(2): "Approved", uid(1, "D2"): "Approved"}
        assert scene.ranks() == {1: "replaced", 2: "registered"}
        assert scene.events() == ["planned", "send", "accepted", "planned", "send", "accepted", "replace"]
        # The night after, there is nothing to do.
        assert scene.feed(signed=signed).sent == 0


def test_the_report_counts_a_document_once_by_its_newest_version(scene: Scene) -> None:
    with scene.sandbox():
        scene.holds(versions("D1", 1))
        scene.feed()
        scene.holds(versions("D1", 2))
        with Ledger(scene.ledger) as ledger:
            feeding.plan(scene.job, ledger, CLOCK)
            assert ledger.outcomes()["D1"][0] == "to_submit"
        scene.feed()
    with Ledger(scene.ledger) as ledger:
        assert ledger.outcomes()["D1"][:2] == ("registered", "")


def test_two_versions_made_between_two_nights_leave_one_after_the_other(scene: Scene) -> None:
    """versionNumber follows by one: the version in between leaves first."""
    with scene.sandbox():
        scene.holds(versions("D1", 1))
        scene.feed()
        scene.holds(versions("D1", 3))
        scene.feed()
        assert scene.registry() == {uid(1): "Deprecated", uid(2): "Deprecated", uid(3): "Approved"}
        assert scene.ranks() == {1: "replaced", 2: "replaced", 3: "registered"}


def test_of_versions_that_never_left_only_the_newest_does(scene: Scene) -> None:
    with scene.sandbox():
        scene.holds(versions("D1", 1))
        scene.feed(limits=LIMITS._replace(per_day=0))
        assert scene.ranks() == {1: "to_submit"}
        scene.holds(versions("D1", 2))
        assert scene.feed().sent == 1
        assert scene.registry() == {uid(2): "Approved"}
        assert scene.ranks() == {1: "replaced", 2: "registered"}


def test_a_document_first_fed_with_its_third_version_replaces_nothing(scene: Scene) -> None:
    with scene.sandbox():
        scene.holds(versions("D1", 3))
        assert scene.feed().sent == 1
        assert scene.registry() == {uid(3): "Approved"}


# In doubt, refused, lost.


@pytest.mark.parametrize("trouble", [t for t in Trouble if t is not Trouble.SLOW], ids=str)
def test_exactly_once_whatever_happens_to_both_versions(scene: Scene, trouble: Trouble) -> None:
    with scene.sandbox({1: Misbehaviour(trouble, 0), 3: Misbehaviour(trouble, 0)}):
        scene.holds(versions("D1", 1))
        scene.feed()
        scene.holds(versions("D1", 2))
        for _ in range(3):
            scene.feed()
        held = scene.registry()
        assert held[uid(2)] == "Approved"
        assert scene.ranks()[2] == "registered"
        # The first version never left when it was lost on its way and the second came before it could leave again.
        assert scene.ranks()[1] == "replaced"
        assert set(held) <= {uid(1), uid(2)}
        assert held.get(uid(1), "Deprecated") == "Deprecated"


def test_a_version_waits_as_long_as_the_older_one_is_in_doubt(scene: Scene) -> None:
    with scene.sandbox():
        scene.holds(versions("D1", 1))
        scene.feed()
        # Another ledger, which does not know how its sending ended.
        for file in scene.folder.glob("ledger.sqlite*"):
            file.unlink()
        with Ledger(scene.ledger) as ledger:
            feeding.plan(scene.job, ledger, CLOCK)
            ledger.record([Step(f"{uid(1)} dmp", event) for event in ("send", "doubt")], CLOCK)
        scene.holds(versions("D1", 2))
        scene.feed()
        assert scene.registry() == {uid(1): "Deprecated", uid(2): "Approved"}
        # Asked first, then replaced.
        assert scene.events() == ["planned", "send", "doubt", "planned", "present", "send", "accepted", "replace"]


def test_a_refused_version_is_not_what_the_next_one_replaces(scene: Scene) -> None:
    with scene.sandbox():
        scene.holds(versions("D1", 1))
        with Ledger(scene.ledger) as ledger:
            feeding.plan(scene.job, ledger, CLOCK)
            ident = f"{uid(1)} dmp"
            ledger.record([Step(ident, "send"), Step(ident, "refused", "InvalidDocumentContent")], CLOCK)
        scene.holds(versions("D1", 2))
        scene.feed()
        assert scene.registry() == {uid(2): "Approved"}
        # Opened again by an operator, the first one is not sent over its successor.
        with Ledger(scene.ledger) as ledger:
            ledger.record([Step(ident, "retry")], CLOCK)
        scene.feed()
        assert scene.registry() == {uid(2): "Approved"}
        assert scene.ranks() == {1: "replaced", 2: "registered"}


def test_a_lost_ledger_does_not_make_two_documents_of_two_versions(scene: Scene) -> None:
    """The registry holds the first version and no ledger remembers: it is asked before the second leaves."""
    with scene.sandbox():
        scene.holds(versions("D1", 1))
        scene.feed()
        for file in scene.folder.glob("ledger.sqlite*"):
            file.unlink()
        scene.holds(versions("D1", 2))
        scene.feed()
        assert scene.registry() == {uid(1): "Deprecated", uid(2): "Approved"}
        assert scene.ranks() == {1: "replaced", 2: "registered"}


def test_a_version_in_between_that_cannot_leave_keeps_the_newest_here(scene: Scene) -> None:
    with scene.sandbox():
        scene.holds(versions("D1", 1))
        scene.feed()
        damaged = a_version("D1-2", "D1", rank=2, body=Body("pdf", "truncated"))
        scene.holds([*a_document("D1"), damaged, a_version("D1-3", "D1", rank=3)])
        scene.feed()
        assert scene.registry() == {uid(1): "Approved"}
        assert scene.ranks() == {1: "registered", 3: "set_aside"}
        assert scene.code(3) == "VersionMissing"


def test_what_somebody_replaced_or_took_away_is_for_a_person(scene: Scene) -> None:
    with scene.sandbox():
        scene.holds(versions("D1", 1), versions("D2", 1, "P2"))
        scene.feed()
    # The registry forgets the first; the second, another software has replaced since.
    journal = scene.folder / "sandbox" / "registry.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    kept = [line for line in lines if all(d["unique_id"] != uid(1) for d in line["documents"])]
    for line in kept:
        for document in line["documents"]:
            document["status"] = "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated"
    journal.write_text("".join(json.dumps(line) + "\n" for line in kept))
    with scene.sandbox():
        scene.holds(versions("D1", 2), versions("D2", 2, "P2"))
        scene.feed()
        assert (scene.ranks("D1")[2], scene.code(2, "D1")) == ("set_aside", "ReplacedAbsent")
        assert (scene.ranks("D2")[2], scene.code(2, "D2")) == ("refused", "XDSRegistryDeprecatedDocumentError")
        assert scene.registry() == {uid(1, "D2"): "Deprecated"}


# What a former software fed.


def adopted_then_changed(scene: Scene, **facts: Any) -> list[Row]:
    """A document that was fed as its first version, by a software that numbered it as we would, and changed since."""
    fed = {"fed_state": "fed", "fed_unique_id": uid(1), "fed_at": "2026-03-03T21:00:00"}
    rows = versions("D1", 2)
    made = ("2026-03-02T10:30:00", "2026-04-01T09:00:00")
    stamped = [
        Row(r.table, r.values | {"created": made[r.values["version"] - 1]}) if r.table == "document_version" else r
        for r in rows
    ]
    return [Row("document", stamped[0].values | fed | facts), *stamped[1:]]


def test_a_version_made_since_a_former_software_fed_replaces_its_document(scene: Scene) -> None:
    with scene.sandbox():
        scene.holds(versions("D1", 1))
        scene.feed()
        for file in scene.folder.glob("ledger.sqlite*"):
            file.unlink()
        scene.holds(adopted_then_changed(scene))
        assert judged(scene.work).decisions["D1"]["outcome"] == "adopted"
        scene.feed()
        assert scene.registry() == {uid(1): "Deprecated", uid(2): "Approved"}
        assert scene.ranks() == {1: "replaced", 2: "registered"}


@pytest.mark.parametrize(
    ("facts", "extra"),
    [
        pytest.param({"fed_at": "2026-04-02T21:00:00"}, [], id="fed after the change"),
        pytest.param({"fed_at": "2026-04-01"}, [], id="fed the day of the change, nobody knows when"),
        pytest.param({"fed_at": None}, [], id="fed nobody knows when"),
        pytest.param({"fed_unique_id": None}, [], id="fed under an unknown identifier"),
        pytest.param({}, [an_objection("P1")], id="the patient objects"),
        pytest.param({"withheld": "secret"}, [], id="withheld since"),
    ],
)
def test_otherwise_what_was_fed_before_stays(scene: Scene, facts: dict[str, Any], extra: list[Row]) -> None:
    scene.holds(adopted_then_changed(scene, **facts), extra)
    with Ledger(scene.ledger) as ledger:
        feeding.plan(scene.job, ledger, CLOCK)
        assert set(ledger.counts()) <= {"adopted"}


def test_a_former_document_that_the_registry_does_not_hold_is_for_a_person(scene: Scene) -> None:
    with scene.sandbox():
        scene.holds(adopted_then_changed(scene))
        scene.feed()
        assert scene.registry() == {}
        assert scene.ranks() == {1: "adopted", 2: "set_aside"}
        assert scene.code(2) == "ReplacedAbsent"
