"""Deletion of what the practice fed (TD3.3c): an operator's act in the ledger, the intent before the request, the outcome after, a doubt
asked by uniqueId. The local DMP deletes approved documents of one patient that are the structure's own (sheet dmp-transactions.md, 4, 9).
"""

from __future__ import annotations

import http.client
import json
import shutil
import ssl
from pathlib import Path
from typing import Any

import pytest

from transvase.assets import feeding, withdrawal
from transvase.assets.quota import Limits
from transvase.assets.signing import Proofs
from transvase.commands.main import main
from transvase.exporters.portability import Job, job_of
from transvase.formats import structure_seal
from transvase.gateways import dmp
from transvase.gateways.dmp import Answer
from transvase.gateways.dmp_fhir import DmpFhir
from transvase.ledger import acts
from transvase.ledger.states import State
from transvase.ledger.submissions import Ledger, Step
from transvase.model.identifiers import unique_id
from transvase.reports.findings import outcome_of
from transvase.sandbox import authority
from transvase.sandbox.dmp import Sandbox

from ..builders import (  # noqa: TID252
    CLOCK,
    OFFICE,
    a_document,
    a_patient,
    a_version,
    changed,
    fed_practice,
    judged,
    registered_patients,
)
from ..certificates import issued  # noqa: TID252

OID, STRUCTURE = OFFICE[0].values["oid"], OFFICE[0].values["struct_idnat"]
OTHER = "1990000788"
LIMITS = Limits(per_second=10_000, per_day=30_000, connections=2)


class Losing(dmp.Dmp):
    """The client of a network that loses the answers of changes of metadata; `kind` is what it then knows."""

    def update(self, *request: Any) -> Answer:
        super().update(*request)
        return Answer("doubt", "cut")


class Unheard(dmp.Dmp):
    """The client of a network that loses the requests themselves."""

    def update(self, *request: Any) -> Answer:
        return Answer("doubt", "timeout")


class Killed(dmp.Dmp):
    """The client of a feeder that dies when the request has left."""

    def update(self, *request: Any) -> Answer:
        super().update(*request)
        raise KeyboardInterrupt


class Scene:
    """A practice that has fed three documents, and the registry that holds them."""

    def __init__(self, folder: Path, keys: Path) -> None:
        self.folder, self.work = folder, folder / "work"
        shutil.copytree(keys, folder / "sandbox")
        self.keys = authority.files(folder / "sandbox")
        self.patients = registered_patients(folder / "patients.csv", "P1", "P2")
        fed_practice(
            self.work, a_patient("P1"), a_patient("P2"), a_document("D1"), a_document("D2"), a_document("D3", "P2")
        )
        (folder / "transvase.toml").write_text(
            f'[work]\nfolder = "{self.work.as_posix()}"\n\n[source]\npath = "{(folder / "base.sqlite3").as_posix()}"\n',
            encoding="utf-8",
        )
        self.running: Sandbox

    def sandbox(self, *, require_vihf: bool = False) -> Sandbox:
        self.running = Sandbox(
            self.folder / "sandbox", self.patients, CLOCK, structure=STRUCTURE, require_vihf=require_vihf
        )
        return self.running

    @property
    def job(self) -> Job:
        return job_of(self.work, {}, CLOCK, "Transvase 0.1.0", None, "Europe/Paris")

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.work / "ledger.sqlite", "dmp")

    def context(self, keys: authority.Authority | None = None) -> ssl.SSLContext:
        files = keys or self.keys
        return dmp.tls(files.client, files.client_key, self.keys.ca, None)

    def proofs(self) -> Proofs:
        seal = structure_seal.load(self.keys.seal, self.keys.seal_key, None, CLOCK, dmp.DMP)
        return Proofs(seal, "INDIRECTE", "sha256", "sha1", "")

    def feed(self, *, signed: bool = False, client: type[dmp.Dmp] = dmp.Dmp) -> feeding.Fed:
        context = self.context()
        with self.ledger as ledger:
            return feeding.feed(
                self.job, ledger, lambda: client(self.running.url, context, 20), LIMITS, lambda: CLOCK,
                proofs=self.proofs() if signed else None,
            )  # fmt: skip

    def asked(self, document: str = "D1", reason: str = "identity") -> list[str]:
        with self.ledger as ledger:
            return [s.document for s in acts.delete(ledger, CLOCK, document, "assistante-2", reason)]

    def deleted(self, *, signed: bool = False, client: type[dmp.Dmp] = dmp.Dmp) -> str:
        context = self.context()
        with self.ledger as ledger:
            proofs = self.proofs() if signed else None
            return withdrawal.withdraw(
                self.job, ledger, lambda: client(self.running.url, context, 20), lambda: CLOCK, proofs
            )

    def registry(self) -> dict[str, str]:
        connection = http.client.HTTPSConnection("127.0.0.1", self.running.port, context=self.context(), timeout=20)
        connection.request("GET", "/control/state")
        state = json.loads(connection.getresponse().read())
        connection.close()
        documents = [d for d in state["documents"] if d["type_code"] != "E1762"]
        return {d["unique_id"]: d["status"].rsplit(":", 1)[-1] for d in documents}

    def events(self, document: str = "D1") -> list[tuple[str, str, str]]:
        with self.ledger as ledger:
            assert ledger.broken() is None
            return [e[1:] for e in ledger.of_document(document)][3:]

    def call(self, *words: str) -> int:
        return main(["feed", *words, "--settings", str(self.folder / "transvase.toml"), "--clock", CLOCK.isoformat()])


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    issued(folder, structure=STRUCTURE)
    return folder


@pytest.fixture
def scene(tmp_path: Path, keys: Path) -> Scene:
    return Scene(tmp_path, keys)


def uid(document: str = "D1", rank: int = 1) -> str:
    return unique_id(OID, document, rank)


@pytest.mark.requirement("DMP-47")
@pytest.mark.parametrize("signed", [False, True], ids=["plain", "with proofs"])
def test_a_document_of_ours_is_deleted_and_the_others_stand(scene: Scene, signed: bool) -> None:
    with scene.sandbox(require_vihf=signed):
        scene.feed(signed=signed)
        assert scene.asked() == ["D1"]
        assert scene.deleted(signed=signed) == ""
        assert scene.registry() == {uid(): "Deleted", uid("D2"): "Approved", uid("D3"): "Approved"}
        assert scene.events() == [
            ("delete", "to_delete", "identity"),
            ("withdraw", "deleting", ""),
            ("withdrawn", "deleted", ""),
        ]
        # Never sent again, however often the practice feeds.
        assert scene.feed(signed=signed).sent == 0
        assert scene.registry()[uid()] == "Deleted"
    with scene.ledger as ledger:
        assert ledger.deletions() == [("D1", CLOCK.isoformat(), "assistante-2", "identity", "deleted")]
    assert outcome_of("deleted", "") == "withdrawn"


def test_the_nightly_feed_takes_up_what_waits(scene: Scene) -> None:
    with scene.sandbox():
        scene.feed()
        scene.asked("D3")
        scene.feed()
        assert scene.registry()[uid("D3")] == "Deleted"


def test_a_lost_answer_is_asked_about_and_nothing_is_deleted_twice(scene: Scene) -> None:
    with scene.sandbox():
        scene.feed()
        scene.asked()
        scene.deleted(client=Losing)
        assert scene.events()[-1] == ("doubt", "to_confirm", "cut")
        assert scene.deleted(client=Unheard) == ""
        assert scene.events()[-1] == ("absent", "deleted", "absent")
        assert scene.registry()[uid()] == "Deleted"


def test_a_lost_request_is_asked_about_and_sent_again(scene: Scene) -> None:
    with scene.sandbox():
        scene.feed()
        scene.asked()
        scene.deleted(client=Unheard)
        assert scene.registry()[uid()] == "Approved"
        scene.deleted()
        assert [e[0] for e in scene.events()] == ["delete", "withdraw", "doubt", "present", "withdraw", "withdrawn"]
        assert scene.registry()[uid()] == "Deleted"


def test_a_feeder_that_dies_with_the_request_on_its_way(scene: Scene) -> None:
    with scene.sandbox():
        scene.feed()
        scene.asked()
        with pytest.raises(KeyboardInterrupt):
            scene.deleted(client=Killed)
        assert scene.events()[-1] == ("withdraw", "deleting", "")
        scene.feed()
        assert [e[:2] for e in scene.events()[-2:]] == [("restart", "to_confirm"), ("absent", "deleted")]


def test_what_was_deleted_by_other_means_is_done(scene: Scene) -> None:
    with scene.sandbox():
        scene.feed()
        scene.asked()
        scene.deleted()
        # A ledger restored from yesterday's backup knows nothing of it.
        for file in scene.work.glob("ledger.sqlite*"):
            file.unlink()
        with scene.ledger as ledger:
            feeding.plan(scene.job, ledger, CLOCK)
            ledger.record([Step(f"{uid()} dmp", e) for e in ("send", "accepted")], CLOCK)  # type: ignore[arg-type]
        assert scene.asked() == ["D1"]
        scene.deleted()
        assert scene.events()[-1] == ("absent", "deleted", "absent")


@pytest.mark.requirement("DMP-14")
def test_the_document_of_another_structure_stands(scene: Scene) -> None:
    """The registry refuses; the ledger says that the document stands, and why."""
    with scene.sandbox() as service:
        scene.feed()
        scene.asked()
        service._registry._by_unique[uid()] = service._registry._by_unique[uid()]._replace(institutions=(OTHER,))
        scene.deleted()
        assert scene.registry()[uid()] == "Approved"
        assert scene.events()[-1] == ("kept", "registered", "DMPAccessDeniedByRightsService")


def test_a_patient_corrected_since_is_deleted_where_it_stands(scene: Scene) -> None:
    """The set names the patient of the registry's entry, not the one that the record has now."""
    with scene.sandbox():
        scene.feed()
        changed(scene.work, "document", lambda r: {"patient": "P2"} if r["key"] == "D1" else {})
        judged(scene.work)
        scene.asked(reason="patient")
        scene.deleted()
        assert scene.registry()[uid()] == "Deleted"


def test_a_version_that_waits_is_left_aside_and_a_later_one_leaves_as_a_first(scene: Scene) -> None:
    with scene.sandbox():
        scene.feed()
        with scene.ledger as ledger:
            row = ledger.select(("registered",), "D1")[0]
            one = feeding.Planned("D1", "D1-2", row.patient, uid("D1", 2), row.act, 2)
            ledger.plan([one], [], CLOCK)
        scene.asked()
        with scene.ledger as ledger:
            assert {s.rank: s.state for s in ledger.select(("to_delete", "skipped"), "D1")} == {
                1: "to_delete",
                2: "skipped",
            }
        scene.deleted()
        assert scene.registry() == {uid(): "Deleted", uid("D2"): "Approved", uid("D3"): "Approved"}


def test_a_new_version_waits_for_the_answer(scene: Scene) -> None:
    rows = [a_version("D1-2", "D1", rank=2)]
    with scene.sandbox():
        scene.feed()
        scene.asked()
        scene.deleted(client=Unheard)
        fed_practice(
            scene.work / "again", a_patient("P1"), a_patient("P2"), a_document("D1"), rows, a_document("D2"), a_document("D3", "P2")
        )  # fmt: skip
        (scene.work / "again" / "ledger.sqlite").write_bytes((scene.work / "ledger.sqlite").read_bytes())
        scene.work = scene.work / "again"
        scene.feed(client=Unheard)
        assert scene.registry() == {uid(): "Approved", uid("D2"): "Approved", uid("D3"): "Approved"}
        scene.feed()
        assert scene.registry() == {
            uid(): "Deleted",
            uid("D1", 2): "Approved",
            uid("D2"): "Approved",
            uid("D3"): "Approved",
        }


@pytest.mark.requirement("DMP-47")
@pytest.mark.parametrize("state", ["to_submit", "to_query", "adopted", "refused", "deleted"])
def test_what_does_not_stand_by_our_account_is_not_deleted(tmp_path: Path, state: State) -> None:
    way: dict[str, tuple[str, ...]] = {
        "to_submit": (),
        "to_query": ("send", "doubt"),
        "adopted": ("adopt",),
        "refused": ("send", "refused"),
        "deleted": ("send", "accepted", "delete", "absent"),
    }
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.plan([feeding.Planned("D1", "V1", "P1", "1.2.3", "2026-03-02")], [], CLOCK)
        ledger.record([Step("1.2.3 dmp", event) for event in way[state]], CLOCK)  # type: ignore[arg-type]
        head = ledger.head()
        assert acts.delete(ledger, CLOCK, "D1", "assistante-2", "identity") == []
        assert ledger.head() == head
        with pytest.raises(ValueError, match="unknown reason"):
            acts.delete(ledger, CLOCK, "D1", "assistante-2", "Mme Martin le demande")


def test_on_the_route_fhir_nothing_is_deleted(scene: Scene) -> None:
    """How FHIR deletes is an open question of the guide: what is to be deleted waits for the other route."""
    with scene.sandbox():
        scene.feed()
        scene.asked()
        context = scene.context()
        with scene.ledger as ledger:
            connect = lambda: DmpFhir(scene.running.fhir_url, context, 20, simplified=False)  # noqa: E731
            assert withdrawal.withdraw(scene.job, ledger, connect, lambda: CLOCK) == ""
        assert scene.events()[-1][1] == "to_delete"
        assert scene.registry()[uid()] == "Approved"


# What no longer agrees with the record.


@pytest.mark.parametrize(
    ("table", "key", "facts", "kind", "sentence"),
    [
        pytest.param("patient", "P1", {"insi_confirmed": False}, "identity", "feed delete", id="downgraded"),
        pytest.param("document", "D1", {"patient": "P2"}, "patient", "feed delete", id="of another patient"),
        pytest.param(
            "document",
            "D1",
            {"masked_ps": True, "visibility_at": "2026-11-24T09:00:00"},
            "visibility",
            "ne masque pas",
            id="masked",
        ),
        pytest.param(
            "document",
            "D1",
            {"invisible_patient": True, "visibility_at": "2026-11-23"},
            "visibility",
            "l'auteur",
            id="hidden that day",
        ),
        pytest.param(
            "document", "D1", {"masked_ps": True, "visibility_at": "2026-11-22"}, None, "", id="masked before it left"
        ),
        pytest.param("patient", "P1", {"phone": "0102030405"}, None, "", id="nothing of it"),
    ],
)
def test_what_stands_and_no_longer_agrees_is_told_with_its_remedy(
    scene: Scene,
    capsys: pytest.CaptureFixture[str],
    table: str,
    key: str,
    facts: dict[str, Any],
    kind: str | None,
    sentence: str,
) -> None:
    """Masking is not a structure's: the sentence says who may, and nothing is sent."""
    with scene.sandbox():
        scene.feed()
        changed(scene.work, table, lambda r: facts if r["key"] == key else {})
        judged(scene.work)
        before = scene.registry()
        assert scene.call("show", "--json", "--document", "D1") == 0
        told = json.loads(capsys.readouterr().out)["remedies"]
        assert [(r["document"], r["kind"]) for r in told] == ([("D1", kind)] if kind else [])
        assert not kind or sentence in told[0]["remedy"]
        scene.feed()
        assert scene.registry() == before


def test_what_was_deleted_is_no_longer_told(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    with scene.sandbox():
        scene.feed()
        changed(scene.work, "patient", lambda r: {"insi_confirmed": False} if r["key"] == "P1" else {})
        judged(scene.work)
        scene.call("show")
        assert "D1, D2" in capsys.readouterr().out
        scene.asked("D1")
        scene.deleted()
        scene.call("show")
        assert "D1" not in capsys.readouterr().out


# By the operator.


def configured(scene: Scene, **feed: str) -> None:
    lines = {
        "url": scene.running.url,
        "certificate": scene.keys.client,
        "key": scene.keys.client_key,
        "authority": scene.keys.ca,
    } | feed
    text = "".join(f'{name} = "{value}"\n' for name, value in lines.items())
    settings = scene.folder / "transvase.toml"
    settings.write_text(settings.read_text(encoding="utf-8") + f"\n[feed]\n{text}", encoding="utf-8")


def test_the_operator_deletes(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    with scene.sandbox():
        scene.feed()
        configured(scene)
        assert scene.call("delete", "D1", "--by", "assistante-2", "--reason", "identity") == 0
        assert "Supprimé du DMP" in capsys.readouterr().out
        assert scene.registry()[uid()] == "Deleted"
        assert scene.call("show", "--document", "D1", "--json") == 0
        shown = json.loads(capsys.readouterr().out)
        assert shown["deletions"] == [
            {"document": "D1", "at": CLOCK.isoformat(), "by": "assistante-2", "reason": "identity", "state": "deleted"}
        ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("D1", "--reason", "identity"), "--by"),
        (("D1", "--by", "Mme Martin", "--reason", "identity"), "référence"),
        (("D1", "--by", "a2", "--reason", "unfit"), "--reason"),
        (("D4", "--by", "a2", "--reason", "identity"), "registre"),
    ],
)
def test_an_act_that_is_not_whole_changes_nothing(
    scene: Scene, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    with scene.sandbox():
        scene.feed()
        configured(scene)
        with scene.ledger as ledger:
            head = ledger.head()
        assert scene.call("delete", *words) == 2
        assert said in capsys.readouterr().err
        with scene.ledger as ledger:
            assert ledger.head() == head


def test_by_the_route_fhir_the_act_is_refused_with_a_sentence(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    with scene.sandbox():
        scene.feed()
        configured(scene, route="fhir", url=scene.running.fhir_url)
        assert scene.call("delete", "D1", "--by", "a2", "--reason", "identity") == 2
        assert "voie soap" in capsys.readouterr().err
    assert scene.events() == []
