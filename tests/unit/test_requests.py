"""Portability requests: scopes that contradict themselves, deadlines, the register and its chain."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from transvase.ledger.requests import MEANS, REQUESTS, Requests
from transvase.model.request import EVERYTHING, KINDS, SELECTABLE, Scope, due, faults

PARIS = ZoneInfo("Europe/Paris")
RECEIVED = datetime(2026, 3, 27, 18, 30, tzinfo=PARIS)
ONE = Scope("UNITAIRE", patient="7")
TARGETED = Scope("CIBLE", practitioner="3", start="2025-01-01", end="2025-12-31", types=("document", "note"))


@pytest.fixture
def register(tmp_path: Path):
    with Requests(tmp_path / "travail" / REQUESTS) as requests:
        yield requests


@pytest.mark.parametrize("scope", [EVERYTHING, ONE, ONE._replace(judicial=True), ONE._replace(deselected=("d",)), TARGETED,
                                   Scope("CIBLE", practitioner="3"), Scope("CIBLE", start="2025-01-01"), Scope("CIBLE", types=("document",)),
                                   Scope("CIBLE", start="2025-01-01", end="2025-01-01"), EVERYTHING._replace(judicial=True)])  # fmt: skip
def test_a_scope_that_holds_together(scope):
    assert faults(scope) == []


@pytest.mark.parametrize(
    "scope, said",
    [
        (Scope("UNITAIRE"), "names one patient"),
        (ONE._replace(practitioner="3"), "no professional, period or type"),
        (ONE._replace(start="2025-01-01"), "no professional, period or type"),
        (ONE._replace(types=("note",)), "no professional, period or type"),
        (Scope("CIBLE"), "names a professional, a period or types"),
        (Scope("CIBLE", patient="7", practitioner="3"), "names no patient"),
        (Scope("CIBLE", practitioner="3", deselected=("d",)), "deselects no document"),
        (Scope("MASSIF", patient="7"), "names no patient"),
        (Scope("MASSIF", end="2025-01-01"), "whole practice"),
        (Scope("CIBLE", start="2025-02-01", end="2025-01-31"), "ends before it starts"),
        (Scope("CIBLE", types=("allergy",)), "not a type of data"),
        (Scope("CIBLE", types=("patient",)), "not a type of data"),
    ],
)
def test_a_scope_that_contradicts_itself(scope, said):
    assert said in faults(scope)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_port_05_and_06_and_07_deadlines(kind):
    found = due(kind, RECEIVED)
    if kind == "UNITAIRE":
        assert found == (None, RECEIVED)
    else:
        # Across the change to summer time, forty-eight hours are forty-eight hours.
        assert found.acknowledged.isoformat() == "2026-03-29T19:30:00+02:00"
        assert found.delivered.isoformat() == "2026-04-26T19:30:00+02:00"


def test_port_03_and_16_a_request_is_time_stamped_and_traced(register):
    one = register.receive("DR1", "courrier", RECEIVED, "Éditeur suivant", TARGETED)
    two = register.receive("DR2", "logiciel", RECEIVED, "", ONE)
    assert (one.number, two.number) == (1, 2)
    assert (one.received, one.author, one.means, one.recipient, one.scope) == (
        RECEIVED, "DR1", "courrier", "Éditeur suivant", TARGETED,
    )  # fmt: skip
    register.record(1, RECEIVED + timedelta(hours=1), "acknowledged")
    register.record(1, RECEIVED + timedelta(days=1), "started")
    register.record(1, RECEIVED + timedelta(days=1, hours=1), "delivered", archive="PA.ZIP", sha256="ab")
    found = register.find(1)
    assert [event for _, event, _ in found.events] == ["received", "acknowledged", "started", "delivered"]
    assert found.events[-1][2] == {"archive": "PA.ZIP", "sha256": "ab"} and not found.open
    assert [r.number for r in register.all()] == [1, 2] and register.all()[1].open
    assert register.find(3) is None


def test_what_was_written_is_read_back_by_another_opening(tmp_path):
    for expected, scope in enumerate((EVERYTHING, ONE, TARGETED), 1):
        with Requests(tmp_path / REQUESTS) as requests:
            assert requests.receive("DR1", "ticket", RECEIVED, "", scope).number == expected
    with Requests(tmp_path / REQUESTS) as requests:
        assert [r.scope for r in requests.all()] == [EVERYTHING, ONE, TARGETED]


@pytest.mark.parametrize("means", MEANS)
def test_port_12_any_means_that_gives_a_certain_date(register, means):
    assert register.receive("DR1", means, RECEIVED, "", EVERYTHING).means == means


def test_another_means_or_event_does_not_exist(register):
    with pytest.raises(ValueError, match="unknown means"):
        register.receive("DR1", "téléphone", RECEIVED, "", EVERYTHING)
    register.receive("DR1", "ticket", RECEIVED, "", EVERYTHING)
    with pytest.raises(ValueError, match="unknown event"):
        register.record(1, RECEIVED, "received")


LATE = [
    # kind, acknowledged after, delivered after, asked after, what is late
    ("MASSIF", None, None, timedelta(hours=48), []),
    ("MASSIF", None, None, timedelta(hours=48, seconds=1), ["acknowledged"]),
    ("MASSIF", timedelta(hours=47), None, timedelta(days=30), []),
    ("MASSIF", timedelta(hours=47), None, timedelta(days=30, seconds=1), ["delivered"]),
    ("MASSIF", timedelta(hours=49), timedelta(days=29), timedelta(days=90), ["acknowledged"]),
    ("MASSIF", timedelta(hours=49), timedelta(days=31), timedelta(days=90), ["acknowledged", "delivered"]),
    # Delivered at once: nobody waits for an acknowledgement any more.
    ("CIBLE", None, timedelta(hours=2), timedelta(days=90), []),
    ("UNITAIRE", None, timedelta(hours=2), timedelta(days=9), []),
    ("UNITAIRE", None, None, timedelta(hours=5), []),
    ("UNITAIRE", None, None, timedelta(hours=6), ["delivered"]),
]


@pytest.mark.parametrize("kind, acknowledged, delivered, asked, late", LATE)
def test_deadlines_missed(register, kind, acknowledged, delivered, asked, late):
    scope = {"MASSIF": EVERYTHING, "CIBLE": TARGETED, "UNITAIRE": ONE}[kind]
    register.receive("DR1", "logiciel", RECEIVED, "", scope)
    for event, after in (("acknowledged", acknowledged), ("delivered", delivered)):
        if after is not None:
            register.record(1, RECEIVED.astimezone(UTC) + after, event)
    assert register.find(1).late(RECEIVED.astimezone(UTC) + asked) == late


def test_a_withdrawn_request_is_never_late(register):
    register.receive("DR1", "logiciel", RECEIVED, "", EVERYTHING)
    register.record(1, RECEIVED, "cancelled")
    assert register.find(1).late(RECEIVED + timedelta(days=99)) == [] and not register.find(1).open


@pytest.mark.parametrize(
    "tamper",
    [
        "UPDATE event SET facts = replace(facts, 'DR1', 'DR9') WHERE number = 2",
        "UPDATE event SET at = '2026-03-01T00:00:00+01:00' WHERE number = 2",
        "UPDATE event SET event = 'cancelled' WHERE number = 2",
        "UPDATE event SET request = 1 WHERE number = 2",
        "DELETE FROM event WHERE number = 1",
    ],
)
def test_an_event_changed_afterwards_is_found(tmp_path, tamper):
    with Requests(tmp_path / REQUESTS) as requests:
        for _ in range(3):
            requests.receive("DR1", "logiciel", RECEIVED, "", EVERYTHING)
        assert requests.broken() is None
    base = sqlite3.connect(tmp_path / REQUESTS)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        base.execute(tamper)
    base.executescript(f"DROP TRIGGER event_kept; DROP TRIGGER event_stays; {tamper}; ")
    base.close()
    with Requests(tmp_path / REQUESTS) as requests:
        assert requests.broken() == 2


def test_the_register_is_private(tmp_path):
    with Requests(tmp_path / "travail" / REQUESTS):
        pass
    assert (tmp_path / "travail" / REQUESTS).stat().st_mode & 0o777 == 0o600


def test_what_may_be_asked_for_by_type_is_what_is_dated():
    assert set(SELECTABLE) == {
        "encounter", "note", "personal_note", "vital_sign", "lab_result", "prescription", "dispensation", "document", "appointment",
        "access_log", "billing",
    }  # fmt: skip
