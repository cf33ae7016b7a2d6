"""The access journal: what the audit repository of a structure receives of each run, in order, also of those it was not there for; and
that the local repository is strict enough for this to mean something."""

from __future__ import annotations

import base64
import shutil
import socket
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from transvase.assets.evidence import Recording
from transvase.assets.run import Run
from transvase.errors import Said, SourceMissing
from transvase.exporters.audit_message import message
from transvase.gateways.audit_repository import frame
from transvase.sandbox import authority
from transvase.sandbox.audit_repository import AuditRepository, read
from transvase.settings import Settings, anchored

from .conftest import CLOCK


class Desk:
    """A work folder whose runs are told to a repository."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.keys = folder, authority.files(folder / "keys")
        self.evidence: dict[str, Any] = {"operator": "899700000001", "host_role": "serveur-cabinet"}

    def told(self, address: str, **changes: Any) -> Desk:
        self.evidence |= {
            "audit_repository": address, "audit_authority": self.keys.ca, "audit_certificate": self.keys.client,
            "audit_key": self.keys.client_key, **changes,
        }  # fmt: skip
        return self

    def run(self, command: str, code: int = 0, **notes: Any) -> list[Said]:
        settings = anchored(Settings.model_validate({"evidence": self.evidence}), self.folder)
        recording = Recording(command)
        recording.begin(Run(settings, CLOCK, now=lambda: CLOCK))
        for name, facts in notes.items():
            recording.note(name, facts)
        return recording.end(code, SourceMissing(path="x") if code == 20 else None)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    authority.create(folder, CLOCK, hostile=True)
    return folder


@pytest.fixture
def desk(keys: Path, tmp_path: Path) -> Desk:
    shutil.copytree(keys, tmp_path / "keys")
    return Desk(tmp_path)


@pytest.fixture
def repository(desk: Desk) -> Iterator[AuditRepository]:
    with AuditRepository(desk.folder / "keys", CLOCK) as repository:
        desk.told(repository.address)
        yield repository


def arrived(repository: AuditRepository, count: int) -> AuditRepository:
    """The repository once it has read so many messages: syslog answers nothing, and it may still be reading what it took."""
    deadline = time.monotonic() + 10
    while len(repository.messages) + len(repository.refused) < count and time.monotonic() < deadline:
        time.sleep(0.01)
    return repository


def facts(repository: AuditRepository) -> list[tuple[str, str, str, str]]:
    """(event, transaction, action, outcome) of each message."""
    return [
        (
            m.body[0][0].get("csd-code", ""), m.body[0][1].get("csd-code", "") if len(m.body[0]) > 1 else "",
            m.body[0].get("EventActionCode", ""), m.body[0].get("EventOutcomeIndicator", ""),
        )
        for m in repository.messages
    ]  # fmt: skip


EVENTS = [
    ("extract", 0, ("110107", "", "C", "0")),
    ("export", 1, ("110106", "", "R", "4")),
    ("request run", 0, ("110106", "", "R", "0")),
    ("feed", 0, ("110106", "ITI-41", "R", "0")),
    ("dagster nightly", 0, ("110106", "ITI-41", "R", "0")),
    ("import", 0, ("110107", "", "C", "0")),
    ("verify", 0, ("110112", "", "E", "0")),
    ("extract", 20, ("110107", "", "C", "8")),
    ("feed retry", 0, ("110110", "", "U", "0")),
    ("feed skip", 0, ("110110", "", "U", "0")),
    ("feed delete", 1, ("110106", "ITI-57", "D", "4")),
    ("insi", 1, ("110112", "", "E", "4")),
]


@pytest.mark.parametrize(("command", "code", "expected"), EVENTS)
def test_each_access_is_an_event(desk, repository, command, code, expected):
    assert desk.run(command, code) == []
    assert (facts(arrived(repository, 1)), repository.refused) == ([expected], [])
    told = repository.messages[0]
    assert told.host == "serveur-cabinet" and told.instant == CLOCK
    people = [(p.get("UserID"), p.get("UserIsRequestor")) for p in told.body.iter("ActiveParticipant")]
    assert people[0] == ("899700000001", "true") and all(asked == "false" for _, asked in people[1:])
    assert told.body.find("AuditSourceIdentification").get("AuditSourceID") == "serveur-cabinet"


@pytest.mark.parametrize(
    "command", ["check", "audit", "dagster audit", "request new", "request acknowledge", "request cancel"]
)
def test_what_reads_no_record_is_no_event(desk, repository, command):
    assert desk.run(command) == [] and repository.messages == []


def test_an_archive_is_named_by_its_digest(desk, repository):
    desk.run("verify", verified={"sha256": "ab" * 32, "size": 12})
    objects = list(arrived(repository, 1).messages[0].body.iter("ParticipantObjectIdentification"))
    assert [o.get("ParticipantObjectID") for o in objects][1:] == ["ab" * 32]
    details = {d.get("type"): base64.b64decode(d.get("value")) for d in objects[1].iter("ParticipantObjectDetail")}
    assert details == {"size": b"12"}


def test_what_the_repository_missed_comes_later_in_order(desk):
    # A port that is held and not listened to: nobody else answers there meanwhile.
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        desk.told(f"127.0.0.1:{port}")
        for command in ("extract", "export", "check"):
            said = desk.run(command)
            assert len(said) == 1 and "journal d'accès non transmis (service injoignable" in said[0].fr
    with AuditRepository(desk.folder / "keys", CLOCK, port) as repository:
        assert desk.run("feed") == []
        assert [f[:2] for f in facts(arrived(repository, 3))] == [("110107", ""), ("110106", ""), ("110106", "ITI-41")]
        # Taken once.
        assert desk.run("verify") == []
        assert [f[0] for f in facts(arrived(repository, 4))] == ["110107", "110106", "110106", "110112"]
        assert repository.refused == []


def test_a_run_broken_off_is_told(desk, repository):
    settings = anchored(Settings.model_validate({"evidence": desk.evidence}), desk.folder)
    Recording("export").begin(Run(settings, CLOCK, now=lambda: CLOCK))
    import gc

    gc.collect()
    desk.run("feed")
    assert facts(arrived(repository, 2))[0] == ("110106", "", "R", "12")


@pytest.mark.parametrize(
    "wrong",
    [
        {"audit_authority": "stranger.pem"},
        {"audit_certificate": "stranger.pem", "audit_key": "stranger.key"},
        {"audit_certificate": "expired.pem", "audit_key": "expired.key"},
        {"audit_certificate": None, "audit_key": None},
        {"audit_key": "server.key"},
        {"audit_authority": "nothing.pem"},
    ],
    ids=str,
)
def test_certificates_are_verified_both_ways(desk, repository, wrong):
    keys = desk.folder / "keys"
    desk.told(repository.address, **{k: v and keys / v for k, v in wrong.items()})
    assert len(desk.run("export")) == 1
    assert repository.messages == []
    desk.told(repository.address)
    assert desk.run("check") == []
    assert len(arrived(repository, 1).messages) == 1


# -- the local repository is strict ----------------------------------------------------------------------------------------

OPENING = {
    "command": "export",
    "operator": "o",
    "host_role": "",
    "environment": "sandbox",
    "software": {"version": "1"},
}
CLOSING = {"number": 2, "at": CLOCK.isoformat(), "outcome": "done", "exit_code": 0}
BODY = message(OPENING, CLOSING, "0" * 64) or ""
GOOD = frame(CLOCK.isoformat(), "", BODY).partition(b" ")[2]


def test_a_good_message_is_taken():
    assert read(GOOD).instant == datetime.fromisoformat(CLOCK.isoformat())


REFUSED = {
    "no priority": (b"<85>", b""),
    "another facility": (b"<85>", b"<13>"),
    "another version": (b"<85>1", b"<85>2"),
    "an instant without offset": (b"+01:00 -", b" -"),
    "another MSGID": (b"DICOM+RFC3881", b"AUDIT"),
    "no mark of UTF-8": (b"\xef\xbb\xbf", b""),
    "no XML": (b"</AuditMessage>", b""),
    "a document type": (b"<AuditMessage>", b"<!DOCTYPE a><AuditMessage>"),
    "another root": (b"AuditMessage>", b"IHEYr4>"),
    "an unknown event": (b'csd-code="110106"', b'csd-code="110199"'),
    "an unknown action": (b'EventActionCode="R"', b'EventActionCode="X"'),
    "an unknown outcome": (b'EventOutcomeIndicator="0"', b'EventOutcomeIndicator="1"'),
    "nobody asks": (b'UserIsRequestor="true"', b'UserIsRequestor="false"'),
    "no user": (b'UserID="o"', b'UserID=""'),
    "an attribute that does not exist": (b"<ActiveParticipant ", b'<ActiveParticipant Nom="x" '),
    "a detail that is no base64": (b'value="', b'value="*'),
    "a text where none goes": (b"</EventIdentification>", b"Dupont</EventIdentification>"),
    "a source before the event": (
        b"<AuditMessage>", b'<AuditMessage><AuditSourceIdentification AuditSourceID="a"></AuditSourceIdentification>',
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_audit_message_is_refused(name):
    old, new = REFUSED[name]
    assert old in GOOD
    with pytest.raises(ValueError):
        read(GOOD.replace(old, new))
