"""The FHIR route feeds what the SOAP route feeds, into the same registry, with the same outcomes (sheet pdsm-fhir, 1 to 4).

The local DMP is strict about resources, references and profiles, then judges the document by the rules of the SOAP route.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import shutil
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from transvase.assets import feeding
from transvase.assets.dmp import connector
from transvase.assets.feeding import Fed, Limits
from transvase.assets.run import Run
from transvase.errors import CertificateRefused, EnvironmentMismatch, SettingsInvalid
from transvase.exporters.portability import job_of
from transvase.gateways import dmp
from transvase.gateways.dmp_fhir import DmpFhir
from transvase.ledger.submissions import Ledger
from transvase.model.identifiers import unique_id
from transvase.sandbox import authority, server
from transvase.sandbox.dmp import Dmp, Sandbox
from transvase.sandbox.misbehaviour import Misbehaviour, Trouble
from transvase.sandbox.registry import Registry
from transvase.settings import Settings

from ..builders import (  # noqa: TID252
    CLOCK,
    OFFICE,
    a_document,
    a_patient,
    a_version,
    fed_practice,
    registered_patients,
)
from ..certificates import issued  # noqa: TID252

Way = Literal["soap", "bundle", "simplified"]
WAYS: tuple[Way, ...] = ("soap", "bundle", "simplified")
FHIR: tuple[Way, ...] = ("bundle", "simplified")
OID, STRUCTURE = OFFICE[0].values["oid"], OFFICE[0].values["struct_idnat"]
LIMITS = Limits(per_second=10_000, per_day=30_000, connections=2)
STATES = ("to_submit", "submitted", "to_query", "registered", "adopted", "replaced", "refused", "set_aside", "skipped")
TOKEN = "eyJhbGciOiJub25lIn0.e30."


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    issued(folder, structure=STRUCTURE)
    return folder


@pytest.fixture(scope="module")
def other_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("other")
    authority.create(folder, CLOCK, structure="1990000788")
    return folder


@pytest.fixture(scope="module")
def practices(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A judged practice of these rows, made once for all tests that want the same."""
    made: dict[str, Path] = {}

    def practice(name: str, *rows: Any) -> Path:
        if name not in made:
            made[name] = fed_practice(tmp_path_factory.mktemp(name), a_patient("P1"), a_patient("P2"), *rows)
        return made[name]

    return practice


class Scene:
    """One registry and one ledger, which any route may feed."""

    def __init__(self, folder: Path, keys: Path, practices: Callable[..., Path]) -> None:
        self.folder, self.keys, self.practices = folder, keys, practices
        self.patients = registered_patients(folder / "patients.csv", "P1", "P2")
        self.work = self.three()
        self.running: Sandbox | None = None

    def three(self) -> Path:
        return self.practices("three", *(a_document(d, p) for d, p in (("D1", "P1"), ("D2", "P2"), ("D3", "P1"))))

    def second(self) -> Path:
        newer = a_version("D1-2", "D1", "P1", rank=2)
        return self.practices("second", *a_document("D1", "P1"), newer, *(a_document(d, "P2") for d in ("D2", "D3")))

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.sqlite"

    @property
    def tls(self) -> ssl.SSLContext:
        files = authority.files(self.keys)
        return dmp.tls(files.client, files.client_key, files.ca, None)

    def sandbox(self, plan: Mapping[int, Misbehaviour] | None = None, token: str = "") -> Sandbox:
        place = self.folder / "sandbox"
        shutil.copytree(self.keys, place, dirs_exist_ok=True)
        self.running = Sandbox(place, self.patients, CLOCK, plan, structure=STRUCTURE, token=token)
        return self.running

    def connection(self, way: Way, token: str = "", timeout: float = 20) -> dmp.Dmp | DmpFhir:
        assert self.running is not None
        if way == "soap":
            return dmp.Dmp(self.running.url, self.tls, timeout)
        return DmpFhir(self.running.fhir_url, self.tls, timeout, lambda: token, simplified=way == "simplified")

    def feed(self, way: Way, token: str = "", timeout: float = 20, limits: Limits = LIMITS) -> Fed:
        job = job_of(self.work, {}, CLOCK, "Transvase essai", None, "Europe/Paris")
        with Ledger(self.ledger) as ledger:
            return feeding.feed(job, ledger, lambda: self.connection(way, token, timeout), limits, lambda: CLOCK)

    def state(self) -> dict[str, Any]:
        assert self.running is not None
        connection = http.client.HTTPSConnection("127.0.0.1", self.running.port, context=self.tls, timeout=20)
        connection.request("GET", "/control/state")
        state: dict[str, Any] = json.loads(connection.getresponse().read())
        connection.close()
        return state

    def held(self) -> dict[str, str]:
        """uniqueId to status; each stands once."""
        documents = self.state()["documents"]
        held = {d["unique_id"]: d["status"].rsplit(":", 1)[-1] for d in documents}
        assert len(held) == len(documents)
        return held

    def rows(self) -> dict[str, tuple[str, str]]:
        """uniqueId to (state, code) of the ledger."""
        with Ledger(self.ledger) as ledger:
            assert ledger.broken() is None
            return {s.unique_id: (s.state, s.code) for s in ledger.select(STATES)}  # type: ignore[arg-type]


@pytest.fixture
def scene(tmp_path: Path, keys: Path, practices: Callable[..., Path]) -> Scene:
    return Scene(tmp_path, keys, practices)


def uid(document: str, rank: int = 1) -> str:
    return unique_id(OID, document, rank)


ALL = {uid(d) for d in ("D1", "D2", "D3")}


# The same registry.


def test_every_route_leaves_the_same_registry(tmp_path: Path, keys: Path, practices: Callable[..., Path]) -> None:
    """What XDS knows of a document is the same whichever way it came; the set's own facts are not kept."""
    left = {}
    for way in WAYS:
        (tmp_path / way).mkdir()
        scene = Scene(tmp_path / way, keys, practices)
        with scene.sandbox():
            assert scene.feed(way).sent == 3
            left[way] = sorted(scene.state()["documents"], key=lambda d: d["unique_id"])
            assert {state for state, _ in scene.rows().values()} == {"registered"}
    assert left["bundle"] == left["soap"] == left["simplified"]


@pytest.mark.parametrize("way", FHIR)
def test_feeding_again_sends_nothing(scene: Scene, way: Way) -> None:
    with scene.sandbox():
        scene.feed(way)
        assert scene.feed(way).sent == 0
        assert scene.state()["counts"]["received"] == 3
        # Nor does the other route.
        assert scene.feed("soap").sent == 0
        assert scene.state()["counts"]["received"] == 3


@pytest.mark.parametrize("way", FHIR)
@pytest.mark.parametrize("trouble", list(Trouble), ids=str)
def test_whatever_the_service_does_each_document_stands_once(scene: Scene, way: Way, trouble: Trouble) -> None:
    """A trouble on the second document: the ledger and the registry agree at the end."""
    plan = {2: Misbehaviour(trouble, 0.6 if trouble is Trouble.SLOW else 0)}
    with scene.sandbox(plan):
        scene.feed(way, timeout=0.4, limits=LIMITS._replace(connections=1))
        scene.feed(way)
        assert scene.held() == dict.fromkeys(ALL, "Approved")
        assert scene.state()["counts"]["submission_sets"] == 3
        assert {state for state, _ in scene.rows().values()} == {"registered"}


@pytest.mark.parametrize(("first", "then"), [("soap", "bundle"), ("bundle", "soap"), ("simplified", "bundle")])
def test_a_doubt_of_one_route_is_asked_by_the_other(scene: Scene, first: Way, then: Way) -> None:
    with scene.sandbox({n: Misbehaviour(Trouble.CUT_AFTER) for n in (1, 2, 3)}):
        job = job_of(scene.work, {}, CLOCK, "Transvase essai", None, "Europe/Paris")
        with Ledger(scene.ledger) as ledger:
            feeding.plan(job, ledger, CLOCK)
        scene.feed(first)
        received = scene.state()["counts"]["received"]
        assert received == 3
        scene.feed(then)
        assert scene.state()["counts"]["received"] == received
        assert set(scene.held()) == ALL


# Replacement.


@pytest.mark.parametrize("first", WAYS)
@pytest.mark.parametrize("then", FHIR)
def test_a_new_version_takes_the_place_of_the_registered_one(scene: Scene, first: Way, then: Way) -> None:
    with scene.sandbox():
        scene.feed(first)
        scene.work = scene.second()
        assert scene.feed(then).sent == 1
        assert scene.held() == {**dict.fromkeys(ALL, "Approved"), uid("D1"): "Deprecated", uid("D1", 2): "Approved"}
        assert scene.rows()[uid("D1")] == ("replaced", "")
        assert scene.rows()[uid("D1", 2)][0] == "registered"


def test_a_version_fed_by_fhir_is_replaced_by_soap(scene: Scene) -> None:
    with scene.sandbox():
        scene.feed("bundle")
        scene.work = scene.second()
        assert scene.feed("soap").sent == 1
        assert scene.held()[uid("D1")] == "Deprecated"


@pytest.mark.parametrize("way", FHIR)
def test_a_lost_ledger_does_not_make_two_documents_of_two_versions(scene: Scene, way: Way) -> None:
    with scene.sandbox():
        scene.feed(way)
        scene.ledger.unlink()
        scene.work = scene.second()
        scene.feed(way)
        assert scene.held()[uid("D1")] == "Deprecated"
        assert scene.rows()[uid("D1")] == ("replaced", "")


# Refusals.


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("state", "asked", "code"), [
    ("none", "active", "XDSUnknownPatientId"),
    ("closed", "active", "XDSUnknownPatientId"),
    ("none", "unknown", "DMPNone"),
    ("closed", "unknown", "DMPClosed"),
])  # fmt: skip
def test_a_patient_without_an_open_dmp(
    tmp_path: Path, keys: Path, practices: Callable[..., Path], way: Way, state: str, asked: str, code: str
) -> None:
    """Refused by the registry, or where the record does not know, told beforehand and not sent."""
    scene = Scene(tmp_path, keys, practices)
    if asked == "unknown":
        scene.work = fed_practice(tmp_path / "w", a_patient("P1", dmp="unknown"), *a_document("D1", "P1"))
    scene.patients = registered_patients(tmp_path / "patients.csv", "P1", state=state)
    with scene.sandbox():
        scene.feed(way)
        assert scene.held() == {}
        assert scene.rows()[uid("D1")] == ("refused", code)
        assert bool(scene.state()["counts"]["received"]) is (asked == "active")


@pytest.mark.parametrize("way", FHIR)
def test_another_structure_feeds_nothing_and_is_told_at_once(
    tmp_path: Path, other_keys: Path, practices: Callable[..., Path], way: Way
) -> None:
    scene = Scene(tmp_path, other_keys, practices)
    with scene.sandbox():
        with pytest.raises(CertificateRefused, match="StructureUnknown"):
            scene.feed(way)
        assert scene.held() == {}
        assert {state for state, _ in scene.rows().values()} == {"to_submit"}


@pytest.mark.parametrize("way", FHIR)
def test_the_access_token_is_borne_by_every_request(scene: Scene, way: Way) -> None:
    with scene.sandbox(token=TOKEN):
        for wrong in ("", "ABC"):
            with pytest.raises(CertificateRefused, match="TokenRefused"):
                scene.feed(way, token=wrong)
        assert scene.held() == {}
        scene.feed(way, token=TOKEN)
        # Questions too.
        scene.work = scene.second()
        with pytest.raises(CertificateRefused, match="TokenRefused"):
            scene.feed(way)
        scene.feed(way, token=TOKEN)
        assert scene.held()[uid("D1", 2)] == "Approved"


# A server that does not name the request it answers.


@contextmanager
def forgetful(scene: Scene, plan: Mapping[int, Misbehaviour]) -> Iterator[tuple[str, list[str]]]:
    """The local DMP behind a proxy that keeps the number of a request for itself; the address, and one item for each request."""
    registry = Registry(None, scene.patients)
    inner, requests, started = Dmp(registry, CLOCK, plan), list[str](), Future[int]()
    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def handle(request: server.Request) -> server.Answer | None:
        requests.append(request.method)
        headers = {k: v for k, v in request.headers.items() if k != "x-request-id"}
        return await inner.handle(request._replace(headers=headers))

    async def main() -> None:
        stop.append((asyncio.get_running_loop(), asyncio.Event()))
        tls = server.context(authority.files(scene.keys))
        async with server.listening(handle, tls, "127.0.0.1", 0) as port:
            started.set_result(port)
            await stop[0][1].wait()

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{started.result(20)}/fhir", requests
    finally:
        stop[0][0].call_soon_threadsafe(stop[0][1].set)
        thread.join()


def test_an_answer_written_twice_is_never_taken_for_that_of_the_next_document(scene: Scene) -> None:
    """Without a number to tell them apart each request has a connection of its own: the second copy is read by nobody."""
    plan = {1: Misbehaviour(Trouble.DUPLICATE_ANSWER), 2: Misbehaviour(Trouble.CUT)}
    job = job_of(scene.work, {}, CLOCK, "Transvase essai", None, "Europe/Paris")
    with forgetful(scene, plan) as (url, requests), Ledger(scene.ledger) as ledger:
        alone = LIMITS._replace(connections=1)
        feeding.feed(job, ledger, lambda: DmpFhir(url, scene.tls, 20), alone, lambda: CLOCK)
        events = {s.unique_id: ledger.of_document(s.document) for s in ledger.select(("registered",))}
        assert set(events) == ALL
        # The second was cut, asked about, and sent again: its answer was not that of the first.
        assert sorted(sum(event == "doubt" for _, event, _, _ in told) for told in events.values()) == [0, 0, 1]
        assert len(requests) == 5


# The settings.


def settings_of(tmp_path: Path, keys: Path, **feed: Any) -> Run:
    files = authority.files(keys)
    facts = {
        "url": "https://127.0.0.1:1/fhir",
        "certificate": files.client,
        "key": files.client_key,
        "authority": files.ca,
    }
    return Run(Settings.model_validate({"feed": {"route": "fhir", **facts, **feed}}), CLOCK)


def test_the_settings_choose_the_route(tmp_path: Path, keys: Path) -> None:
    (tmp_path / "jeton").write_text(f"{TOKEN}\n")
    for feed, kind in (({"route": "soap"}, dmp.Dmp), ({}, DmpFhir), ({"token_file": tmp_path / "jeton"}, DmpFhir)):
        _, connect = connector(settings_of(tmp_path, keys, **feed))
        assert type(connect()) is kind
    for publish, simplified in (("bundle", False), ("simplified", True)):
        made = connector(settings_of(tmp_path, keys, fhir_publish=publish))[1]()
        assert isinstance(made, DmpFhir) and made.simplified is simplified


def test_a_token_file_without_token_stops_before_anything_is_sent(tmp_path: Path, keys: Path) -> None:
    with pytest.raises(SettingsInvalid, match="token_file"):
        connector(settings_of(tmp_path, keys, token_file=tmp_path / "absent"))


def test_production_has_no_fhir_route(tmp_path: Path, keys: Path) -> None:
    with pytest.raises(EnvironmentMismatch, match="fhir"):
        connector(settings_of(tmp_path, keys, environment="production", url="https://dmp.invalid/fhir"))
