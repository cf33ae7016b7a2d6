"""The ledger of submissions: its table of states walked whole, its events append-only and chained, one feeder at a time."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from transvase.errors import FeederLocked, LedgerRefused, LedgerUnreachable, OutputUnwritable, SettingsInvalid
from transvase.ledger import acts
from transvase.ledger.engines import Place, Server, exists
from transvase.ledger.states import FINAL, LEAVING, NEXT, REOPENED, Event, State, after
from transvase.ledger.submissions import Ledger, Planned, Step, chained

from .. import ledgers  # noqa: TID252
from ..ledgers import NUMBERS, Hand, on  # noqa: TID252

ledger_server, place = ledgers.ledger_server, ledgers.place

CLOCK = datetime(2026, 11, 23, 20, 0, tzinfo=ZoneInfo("Europe/Paris"))
STATES: tuple[State, ...] = get_args(State)
EVENTS: tuple[Event, ...] = get_args(Event)

# The shortest way from a planned row to each state.
WAY: dict[State, tuple[Event, ...]] = {
    "to_submit": (),
    "submitted": ("send",),
    "to_query": ("send", "doubt"),
    "registered": ("send", "accepted"),
    "adopted": ("adopt",),
    "refused": ("send", "refused"),
    "set_aside": ("give_up",),
    "replaced": ("overtaken",),
    "skipped": ("skip",),
    "to_delete": ("send", "accepted", "delete"),
    "deleting": ("send", "accepted", "delete", "withdraw"),
    "to_confirm": ("send", "accepted", "delete", "withdraw", "doubt"),
    "deleted": ("send", "accepted", "delete", "withdraw", "withdrawn"),
}


def planned(number: int, act: str = "2026-03-02") -> Planned:
    return Planned(f"D{number}", f"V{number}", f"P{number}", f"1.2.3.{number}", act)


def ident(number: int) -> str:
    return f"1.2.3.{number} dmp"


@pytest.fixture
def ledger(place: Place) -> Iterator[Ledger]:
    """A new one, in each engine."""
    with Ledger(place) as opened:
        yield opened


def state_of(ledger: Ledger, number: int = 1) -> str:
    return ledger.outcomes()[f"D{number}"][0]


def brought(ledger: Ledger, state: State, number: int = 1) -> None:
    ledger.plan([planned(number)], [], CLOCK)
    ledger.record([Step(ident(number), event) for event in WAY[state]], CLOCK)


# States.


@pytest.mark.parametrize("state", STATES)
def test_every_transition_is_in_the_table_or_refused(ledger: Ledger, state: State) -> None:
    for number, event in enumerate(EVENTS, 1):
        brought(ledger, state, number)
        assert state_of(ledger, number) == state
        before = ledger.of_document(f"D{number}")
        if (state, event) in NEXT:
            ledger.record([Step(ident(number), event, "Code")], CLOCK)
            assert state_of(ledger, number) == after(state, event) == NEXT[state, event]
            assert ledger.of_document(f"D{number}")[:-1] == before
            assert ledger.of_document(f"D{number}")[-1][1:] == (event, NEXT[state, event], "Code")
        else:
            with pytest.raises(ValueError, match=f"no transition from {state} by {event}"):
                ledger.record([Step(ident(number), event)], CLOCK)
            assert (state_of(ledger, number), ledger.of_document(f"D{number}")) == (state, before)
    assert ledger.broken() is None


def test_the_table_speaks_of_known_states_and_events() -> None:
    assert {s for s, _ in NEXT} | set(NEXT.values()) == set(STATES)
    assert {e for _, e in NEXT} == set(EVENTS)


def test_from_every_state_a_document_may_end_and_final_states_wait_for_a_person() -> None:
    ends: dict[State, set[State]] = {s: {s} for s in STATES}
    for _ in STATES:
        for (state, _event), following in NEXT.items():
            ends[state] = ends[state] | ends[following]
    assert all(ends[state] & set(FINAL) for state in STATES)
    # Out of a final state leads an operator's act, a newer version in the registry, or a cause that was not the document's: what the
    # registry holds is never sent again.
    assert {(s, e) for s, e in NEXT if s in FINAL} == {
        ("refused", "retry"),
        ("set_aside", "retry"),
        ("skipped", "retry"),
        ("refused", "skip"),
        ("set_aside", "skip"),
        ("refused", "turned_away"),
        ("registered", "replace"),
        ("adopted", "replace"),
        ("registered", "delete"),
        # Of a message: an answer of its recipient.
        ("registered", "receipt"),
        ("replaced", "receipt"),
        ("registered", "returned"),
        ("set_aside", "present"),
    }
    assert set(REOPENED) == {"refused", "set_aside", "skipped"}


def test_what_was_set_aside_or_skipped_is_asked_about_before_it_is_sent() -> None:
    assert {s for s in REOPENED if NEXT[s, "retry"] == "to_query"} == {"set_aside", "skipped"}


def test_what_may_be_in_the_patients_record_cannot_be_skipped() -> None:
    assert {s for s, e in NEXT if e == "skip"} == {"to_submit", "refused", "set_aside"}


def test_nothing_is_sent_again_after_a_doubt_without_asking() -> None:
    """Every way from `submitted` back to `to_submit` passes by the registry's answer (that it took nothing of a set, for one), or by a
    connection that never opened."""
    back = {(s, e) for (s, e), following in NEXT.items() if following == "to_submit"}
    assert back == {
        ("submitted", "not_sent"),
        ("submitted", "turned_away"),
        ("submitted", "apart"),
        ("to_query", "absent"),
        ("refused", "retry"),
        ("refused", "turned_away"),
    }


def test_what_is_being_deleted_is_never_sent_again() -> None:
    """From the act on, only the registry's refusal leads back, to a document that stands; nothing leads out of `deleted`."""
    reached: set[str] = {"to_delete"}
    for _ in STATES:
        reached |= {following for (state, _e), following in NEXT.items() if state in reached and state in LEAVING}
    assert reached == {*LEAVING, "deleted", "registered"}
    assert not [e for s, e in NEXT if s == "deleted"]


def test_a_deletion_keeps_who_asked_in_the_chain(ledger: Ledger) -> None:
    brought(ledger, "registered")
    acts.delete(ledger, CLOCK, "D1", "assistante-2", "identity")
    assert ledger.deletions() == [("D1", CLOCK.isoformat(), "assistante-2", "identity", "to_delete")]
    assert ledger.broken() is None
    tampered(ledger, "UPDATE event SET proof = 'docteur-1' WHERE event = 'delete'")
    assert ledger.broken() == 4


def test_an_unknown_submission_is_refused(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="unknown submission"):
        ledger.record([Step("1.2.3.404 dmp", "send")], CLOCK)


def test_steps_recorded_together_stand_or_fall_together(ledger: Ledger) -> None:
    ledger.plan([planned(1), planned(2)], [], CLOCK)
    with pytest.raises(ValueError, match="no transition"):
        ledger.record([Step(ident(1), "send"), Step(ident(2), "accepted")], CLOCK)
    assert ledger.counts() == {"to_submit": 2}
    assert len(ledger.of_document("D1")) == 1


def test_a_sending_keeps_what_was_sent(ledger: Ledger) -> None:
    ledger.plan([planned(1)], [], CLOCK)
    ledger.record([Step(ident(1), "send", "", "ab12", 345)], CLOCK)
    ledger.record([Step(ident(1), "doubt", "timeout")], CLOCK)
    ledger.record([Step(ident(1), "absent")], CLOCK)
    ledger.record([Step(ident(1), "send", "", "cd34", 678)], CLOCK)
    (row,) = ledger.waiting("submitted", 10)
    assert (row.sha1, row.attempts, row.unique_id, row.document, row.version, row.patient) == (
        "cd34", 2, "1.2.3.1", "D1", "V1", "P1",
    )  # fmt: skip


# The plan.


def test_planning_again_changes_nothing(ledger: Ledger) -> None:
    rows = [planned(n) for n in range(1, 6)]
    assert ledger.plan(rows, [planned(9)], CLOCK) == 6
    ledger.record([Step(ident(1), "send"), Step(ident(2), "give_up")], CLOCK)
    before = (ledger.outcomes(), ledger.counts(), ledger.of_document("D1"))
    assert ledger.plan(rows, [planned(9)], CLOCK + timedelta(days=1)) == 0
    assert (ledger.outcomes(), ledger.counts(), ledger.of_document("D1")) == before
    assert ledger.plan([*rows, planned(6)], [], CLOCK) == 1


def test_what_a_former_software_fed_is_never_to_be_sent(ledger: Ledger) -> None:
    ledger.plan([], [planned(1)], CLOCK)
    # Planned later under the same uniqueId: the row of the former software stays.
    assert ledger.plan([planned(1)], [], CLOCK) == 0
    assert ledger.counts() == {"adopted": 1}
    assert ledger.waiting("to_submit", 10) == []


def test_a_document_may_leave_for_two_destinations(ledger: Ledger) -> None:
    assert ledger.plan([planned(1)], [], CLOCK) == 1
    assert ledger.plan([planned(1)], [], CLOCK, destination="mss_pro") == 1


def test_the_oldest_act_leaves_first_and_pages_follow_each_other(ledger: Ledger) -> None:
    acts = ["2026-03-02", "2026-01-05", "2026-03-02", "", "2025-12-31"]
    ledger.plan([planned(n, act) for n, act in enumerate(acts, 1)], [], CLOCK)
    seen, last = [], ("", "")
    while page := ledger.waiting("to_submit", 2, last):
        seen += [s.document for s in page]
        last = (page[-1].act, page[-1].id)
    assert seen == ["D4", "D5", "D2", "D1", "D3"]


def test_sendings_are_counted_from_an_instant(ledger: Ledger) -> None:
    ledger.plan([planned(n) for n in (1, 2, 3)], [], CLOCK)
    midnight = CLOCK.replace(hour=0)
    ledger.record([Step(ident(1), "send")], midnight - timedelta(seconds=1))
    ledger.record([Step(ident(2), "send")], midnight)
    ledger.record([Step(ident(2), "not_sent"), Step(ident(3), "send")], CLOCK)
    assert ledger.sent_since(midnight.isoformat()) == 2


# Append-only, chained.


def other_hand(ledger: Ledger) -> Hand:
    """The ledger opened by another program."""
    return Hand(ledger.path)


@pytest.fixture
def lived(ledger: Ledger) -> Ledger:
    """A ledger with a history: nine events."""
    ledger.plan([planned(1), planned(2)], [planned(3)], CLOCK)
    for event in ("send", "doubt", "absent"):
        ledger.record([Step(ident(1), event)], CLOCK)  # type: ignore[arg-type]
    for event, code in (("send", ""), ("refused", "XDSUnknownPatientId"), ("retry", "")):
        ledger.record([Step(ident(2), event, code)], CLOCK)  # type: ignore[arg-type]
    assert ledger.broken() is None
    return ledger


@pytest.mark.parametrize(
    "statement", ["UPDATE event SET code = 'x' WHERE number = 2", "DELETE FROM event WHERE number = 2"]
)
def test_events_are_append_only(lived: Ledger, statement: str) -> None:
    with other_hand(lived) as base, pytest.raises(Exception, match="append-only"):
        base.execute(statement)


def tampered(ledger: Ledger, *statements: str) -> None:
    """Someone removes the triggers first."""
    with other_hand(ledger) as base:
        base.unguarded()
        assert set(base.execute(*statements)) == {1}


@pytest.mark.parametrize("field", ["submission", "at", "event", "state", "code", "previous", "digest", "proof"])
@pytest.mark.parametrize("number", [1, 5, 9])
def test_a_changed_field_breaks_the_chain(lived: Ledger, field: str, number: int) -> None:
    tampered(lived, f"UPDATE event SET {field} = {field} || 'x' WHERE number = {number}")
    assert lived.broken() == number


def test_the_fields_above_are_all_those_of_an_event(lived: Ledger) -> None:
    with other_hand(lived) as base:
        names = base.columns("event")
    assert names == {"number", "submission", "at", "event", "state", "code", "previous", "digest", "proof"}


@pytest.mark.parametrize("number", [1, 4, 8])
def test_a_removed_event_breaks_the_chain(lived: Ledger, number: int) -> None:
    tampered(lived, f"DELETE FROM event WHERE number = {number}")
    assert lived.broken() == number + 1


def test_events_put_in_another_order_break_the_chain(lived: Ledger) -> None:
    swap = [f"UPDATE event SET number = {to} WHERE number = {at}" for at, to in ((4, 99), (5, 4), (99, 5))]
    tampered(lived, *swap)
    assert lived.broken() == 4


def test_an_event_slipped_in_with_its_own_digest_breaks_the_chain(lived: Ledger) -> None:
    facts = (ident(1), CLOCK.isoformat(), "accepted", "registered", "")
    values = ", ".join(f"'{v}'" for v in (*facts, "", chained("", *facts)))
    columns = "number, submission, at, event, state, code, previous, digest"
    tampered(lived, f"INSERT INTO event ({columns}) VALUES (10, {values})")
    assert lived.broken() == 10


@pytest.mark.parametrize("kept", [0, 5, 8])
def test_a_tail_cut_off_breaks_the_chain(lived: Ledger, kept: int) -> None:
    with other_hand(lived) as base:
        base.unguarded()
        base.execute(f"DELETE FROM event WHERE number > {kept}")
    assert lived.broken() == kept + 1
    # Going on does not hide it.
    lived.record([Step(ident(1), "skip", "unfit")], CLOCK)
    assert lived.broken() is not None


def test_the_count_of_events_only_grows(lived: Ledger) -> None:
    for statement in ("UPDATE head SET events = events - 1", "UPDATE head SET digest = ''", "DELETE FROM head"):
        with other_hand(lived) as base, pytest.raises(Exception, match="append-only"):
            base.execute(statement)


@pytest.mark.parametrize(
    "change",
    [
        "state = 'registered'",
        "state = 'adopted'",
        "code = 'x'",
        "attempts = 0",
        "attempts = 7",
        "changed = changed || 'x'",
        "document = 'D9'",
        "version = 'V9'",
        "patient = 'P9'",
        "act = '2026-01-01'",
        "rank = 2",
        "unique_id = '1.2.3.9'",
        "destination = 'mss_pro'",
        f"sha1 = '{'0' * 40}'",
        "size = 9",
    ],
)
def test_a_submission_that_says_another_thing_than_its_events(lived: Ledger, change: str) -> None:
    """Nobody needs to touch the events to make a document look sent: the rows are held against them."""
    lived.record([Step(ident(1), "send", "", "ab" * 20, 345)], CLOCK)
    assert lived.broken() is None
    with other_hand(lived) as base:
        assert base.execute(f"UPDATE submission SET {change} WHERE id = '{ident(1)}'") == [1]
    assert lived.broken() == 10


def test_the_changes_above_are_of_every_field_but_the_identifier(lived: Ledger) -> None:
    with other_hand(lived) as base:
        names = base.columns("submission")
    tried = test_a_submission_that_says_another_thing_than_its_events.pytestmark[0].args[1]
    assert names - {"id"} == {change.split()[0] for change in tried}


def test_a_submission_taken_out_or_slipped_in(lived: Ledger) -> None:
    with other_hand(lived) as base:
        base.unguarded()
        base.execute(f"DELETE FROM submission WHERE id = '{ident(2)}'")
        assert lived.broken() == 9
        base.execute(
            "INSERT INTO submission (id, document, version, patient, destination, unique_id, state, act, changed) "
            f"VALUES ('{ident(7)}', 'D7', 'V7', 'P7', 'dmp', '1.2.3.7', 'registered', '', '')",
            "UPDATE submission SET state = 'registered'",
        )
    assert lived.broken() is not None


def test_a_ledger_of_the_former_layout_is_taken_up(tmp_path: Path) -> None:
    """Events without proof keep their digests; what comes after has one."""
    path = tmp_path / "ledger.sqlite"
    base = sqlite3.connect(path, isolation_level=None)
    base.executescript(
        "CREATE TABLE submission (id TEXT PRIMARY KEY, document TEXT NOT NULL, version TEXT NOT NULL, patient TEXT NOT NULL, "
        "destination TEXT NOT NULL, unique_id TEXT NOT NULL, sha1 TEXT NOT NULL DEFAULT '', size INTEGER NOT NULL DEFAULT 0, "
        "state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, code TEXT NOT NULL DEFAULT '', act TEXT NOT NULL, "
        "changed TEXT NOT NULL) STRICT;"
        "CREATE TABLE event (number INTEGER PRIMARY KEY, submission TEXT NOT NULL, at TEXT NOT NULL, event TEXT NOT NULL, "
        "state TEXT NOT NULL, code TEXT NOT NULL, previous TEXT NOT NULL, digest TEXT NOT NULL) STRICT;"
    )
    at, previous = CLOCK.isoformat(), ""
    base.execute(
        "INSERT INTO submission VALUES (?, 'D1', 'V1', 'P1', 'dmp', '1.2.3.1', 'ab', 3, 'submitted', 1, '', '2026-03-02', ?)",
        (ident(1), at),
    )
    for event, state in (("planned", "to_submit"), ("send", "submitted")):
        digest = chained(previous, ident(1), at, event, state, "")
        base.execute(
            "INSERT INTO event (submission, at, event, state, code, previous, digest) VALUES (?, ?, ?, ?, '', ?, ?)",
            (ident(1), at, event, state, previous, digest),
        )
        previous = digest
    base.close()
    for _ in range(2):
        with Ledger(path) as ledger:
            assert ledger.broken() is None
            assert ledger.counts() == {"submitted": 1}
    with Ledger(path) as ledger:
        ledger.plan([planned(2)], [], CLOCK)
        ledger.record([Step(ident(1), "accepted")], CLOCK)
        assert ledger.broken() is None


# Versions of a document.


def of_document(rank: int) -> Planned:
    return Planned("D1", f"V{rank}", "P1", f"1.2.3.{rank}", "2026-03-02", rank)


def test_what_is_registered_replaces_the_version_before(ledger: Ledger) -> None:
    ledger.plan([of_document(2), of_document(3), planned(7)], [of_document(1)], CLOCK)
    for number in (2, 3):
        assert ledger.in_force("D1") == number - 1
        ledger.record([Step(ident(number), "send"), Step(ident(number), "doubt")], CLOCK)
        assert ledger.in_force("D1") == number - 1
        ledger.record([Step(ident(number), "present")], CLOCK)
    assert [(s.rank, s.state) for s in ledger.versions(["D1", "D7"])["D1"]] == [
        (1, "replaced"),
        (2, "replaced"),
        (3, "registered"),
    ]
    assert ledger.outcomes()["D1"][0] == "registered"
    assert "D7" not in ledger.versions(["D1", "D7"])
    assert ledger.broken() is None


def test_a_ledger_opened_for_some_destinations_speaks_of_them_alone(place: Place) -> None:
    with Ledger(place) as whole, Ledger(place, "dmp") as dmp, Ledger(place, "mss_*") as messages:
        whole.plan([planned(1)], [], CLOCK)
        whole.plan([planned(1), planned(2)], [], CLOCK, destination="mss_pro:C1")
        whole.record([Step("1.2.3.2 mss_pro:C1", "send"), Step("1.2.3.2 mss_pro:C1", "refused", "Code")], CLOCK)
        assert (dmp.counts(), messages.counts()) == ({"to_submit": 1}, {"to_submit": 1, "refused": 1})
        assert (dmp.problems(), messages.problems()) == ([], [("refused", "Code", 1)])
        assert [s.destination for s in messages.waiting("to_submit", 9)] == ["mss_pro:C1"]
        assert dmp.known() == {ident(1)} and len(messages.select(("to_submit", "refused"))) == 2
        assert (dmp.outcomes()["D1"][0], "D2" in dmp.outcomes()) == ("to_submit", False)
        assert (dmp.sent_since("2000"), messages.sent_since("2000"), whole.sent_since("2000")) == (0, 1, 1)
        assert dmp.of_document("D2") == [] and len(messages.of_document("D2")) == 3
        assert dmp.head() == messages.head() and dmp.broken() is None


def test_a_version_takes_no_place_at_another_destination(ledger: Ledger) -> None:
    ledger.plan([of_document(1)], [], CLOCK, destination="mss_pro")
    ledger.record([Step("1.2.3.1 mss_pro", "send"), Step("1.2.3.1 mss_pro", "accepted")], CLOCK)
    ledger.plan([of_document(2)], [], CLOCK)
    ledger.record([Step(ident(2), "send"), Step(ident(2), "accepted")], CLOCK)
    assert ledger.counts() == {"registered": 2}


# Acts of the operator.


def test_what_is_opened_again_begins_anew(ledger: Ledger) -> None:
    for number, state in ((1, "refused"), (2, "set_aside"), (3, "skipped"), (4, "registered"), (5, "to_query")):
        brought(ledger, state, number)  # type: ignore[arg-type]
    opened = acts.retry(ledger, CLOCK, document="D1")
    assert [(s.document, s.state) for s in opened] == [("D1", "refused")]
    assert {s.document for s in acts.retry(ledger, CLOCK)} == {"D2", "D3"}
    assert [state_of(ledger, n) for n in range(1, 6)] == ["to_submit", "to_query", "to_query", "registered", "to_query"]
    assert ledger.of_document("D1")[-1] == (CLOCK.isoformat(), "retry", "to_submit", "operator")
    assert [s.attempts for s in ledger.select(("to_submit",))] == [0]
    assert ledger.broken() is None


def test_a_retry_by_code_or_state_opens_no_other(ledger: Ledger) -> None:
    ledger.plan([planned(n) for n in (1, 2, 3)], [], CLOCK)
    ledger.record([Step(ident(n), "send") for n in (1, 2)] + [Step(ident(3), "give_up", "DocumentMismatch")], CLOCK)
    ledger.record([Step(ident(1), "refused", "XDSUnknownPatientId"), Step(ident(2), "refused", "Sender")], CLOCK)
    assert [s.document for s in acts.retry(ledger, CLOCK, code="XDSUnknownPatientId")] == ["D1"]
    assert [s.document for s in acts.retry(ledger, CLOCK, state="set_aside")] == ["D3"]
    assert acts.retry(ledger, CLOCK, code="XDSUnknownPatientId") == []
    assert state_of(ledger, 2) == "refused"


@pytest.mark.parametrize("state", STATES)
def test_what_may_be_left_aside(ledger: Ledger, state: State) -> None:
    brought(ledger, state)
    skipped = acts.skip(ledger, CLOCK, "D1", "unfit")
    allowed = state in ("to_submit", "refused", "set_aside")
    assert [s.document for s in skipped] == ["D1"] * allowed
    assert state_of(ledger) == ("skipped" if allowed else state)
    # Planned again by the next night, it stays aside.
    ledger.plan([planned(1)], [], CLOCK)
    assert state_of(ledger) == ("skipped" if allowed else state)


def test_a_reason_is_one_of_the_list(ledger: Ledger) -> None:
    brought(ledger, "refused")
    with pytest.raises(ValueError, match="unknown reason"):
        acts.skip(ledger, CLOCK, "D1", "Mme Martin ne veut pas")
    assert state_of(ledger) == "refused"


def test_no_act_while_a_feeder_runs(ledger: Ledger) -> None:
    brought(ledger, "refused")
    with Ledger(ledger.path) as other, ledger.feeding():
        with pytest.raises(FeederLocked):
            acts.retry(other, CLOCK, document="D1")
        with pytest.raises(FeederLocked):
            acts.skip(other, CLOCK, "D1", "unfit")
    assert state_of(ledger) == "refused"


def test_one_line_for_each_problem(ledger: Ledger) -> None:
    ledger.plan([planned(n) for n in range(1, 7)], [], CLOCK)
    ledger.record([Step(ident(n), "send") for n in range(1, 5)], CLOCK)
    codes = {1: "Sender", 2: "XDSUnknownPatientId", 3: "XDSUnknownPatientId", 4: "XDSUnknownPatientId"}
    ledger.record([Step(ident(n), "refused", code) for n, code in codes.items()], CLOCK)
    ledger.record([Step(ident(5), "give_up", "DocumentMismatch")], CLOCK)
    assert ledger.problems() == [
        ("refused", "XDSUnknownPatientId", 3),
        ("refused", "Sender", 1),
        ("set_aside", "DocumentMismatch", 1),
    ]


def test_what_says_nothing_of_a_document_is_no_attempt(ledger: Ledger) -> None:
    ledger.plan([planned(1)], [], CLOCK)
    for _ in range(9):
        ledger.record([Step(ident(1), "send"), Step(ident(1), "turned_away", "held")], CLOCK)
    ledger.record([Step(ident(1), "send"), Step(ident(1), "refused", "Sender"), Step(ident(1), "turned_away")], CLOCK)
    assert [s.attempts for s in ledger.select(("to_submit",))] == [0]
    assert ledger.broken() is None


def test_fields_cannot_run_into_each_other() -> None:
    assert chained("", "ab", "c") != chained("", "a", "bc")


# The file.


def test_a_second_feeder_is_kept_out(ledger: Ledger, tmp_path: Path) -> None:
    with Ledger(ledger.path) as second:
        with ledger.feeding():
            with pytest.raises(FeederLocked) as refused, second.feeding():
                pytest.fail("two feeders at once")
            assert refused.value.exit_code == 52
            # A reader opens it when it likes.
            assert second.counts() == {}
        with second.feeding():
            pass


def test_a_killed_feeder_lets_go_of_the_lock(ledger: Ledger) -> None:
    code = """
        import sys, time
        from pathlib import Path
        from transvase.ledger.engines import Server
        from transvase.ledger.submissions import Ledger
        place = Server(*sys.argv[1:]) if len(sys.argv) > 2 else Path(sys.argv[1])
        with Ledger(place) as ledger, ledger.feeding():
            print("held", flush=True)
            time.sleep(60)
    """
    where = list(ledger.path) if isinstance(ledger.path, Server) else [str(ledger.path)]
    command = [sys.executable, "-c", textwrap.dedent(code), *where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        with pytest.raises(FeederLocked), ledger.feeding():
            pytest.fail("two feeders at once")
        other.kill()
        other.wait()
    with ledger.feeding():
        pass


def test_an_error_while_feeding_lets_go_of_the_lock(ledger: Ledger) -> None:
    with pytest.raises(RuntimeError), ledger.feeding():
        raise RuntimeError
    with ledger.feeding():
        pass


def test_the_ledger_is_private_and_survives_reopening(lived: Ledger) -> None:
    assert exists(lived.path)
    if isinstance(lived.path, Path):
        assert lived.path.stat().st_mode & 0o777 == 0o600
    with Ledger(lived.path) as again:
        assert (again.counts(), again.outcomes()) == (lived.counts(), lived.outcomes())
        again.record([Step(ident(1), "send")], CLOCK)
        assert again.broken() is None


def test_an_intent_is_on_the_disk_before_the_sending(ledger: Ledger) -> None:
    """No test can cut the power: the setting that makes the engine wait for the disk is looked at instead (2 is FULL)."""
    asked, due = ("PRAGMA synchronous", (2,)) if isinstance(ledger.path, Path) else ("SHOW synchronous_commit", ("on",))
    assert ledger._base.execute(asked).fetchone() == due


def test_a_file_that_is_no_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"not a database, and long enough to be read as one" * 20)
    with pytest.raises(OutputUnwritable) as refused:
        Ledger(path)
    assert "SQLITE_NOTADB" in str(refused.value)


# The server.


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        pytest.param({"password": "wrong"}, LedgerRefused, id="password"),
        pytest.param({"password": ""}, LedgerRefused, id="no password"),
        pytest.param({"user": "inconnu"}, LedgerRefused, id="user"),
        pytest.param({"base": "inconnue"}, LedgerRefused, id="base"),
        pytest.param({"port": "1"}, LedgerUnreachable, id="nobody there"),
        # The name of a machine is no cause.
        pytest.param({"host": "role-password.invalid", "port": "1"}, LedgerUnreachable, id="no such machine"),
    ],
)
def test_a_server_that_cannot_be_used(
    ledger_server: Any, change: dict[str, str], kind: type[LedgerRefused | LedgerUnreachable]
) -> None:
    where = on(ledger_server)
    parts = urlsplit(where.url)
    given = {"user": parts.username, "host": parts.hostname, "port": parts.port, "base": "postgres", **change}
    url = "postgresql://{user}@{host}:{port}/{base}?schema=s".format(**given)
    secret = change.get("password", where.password)
    for call in (Ledger, exists):
        with pytest.raises(kind) as refused:
            call(Server(url, secret))
        assert str(refused.value).startswith(f"The server of the ledger {given['base']}/s ")
        assert not secret or secret not in str(refused.value)


def test_a_user_without_a_right_to_the_schema(ledger_server: Any) -> None:
    where = on(ledger_server)
    with Hand(where) as hand:
        hand.execute("DROP ROLE IF EXISTS lecture", "CREATE ROLE lecture LOGIN PASSWORD 'sans droit'")
        with Ledger(where):
            pass
    other = Server(where.url.replace(f"//{urlsplit(where.url).username}@", "//lecture@"), "sans droit")
    for place in (other, other._replace(url=other.url + "_neuf")):
        with pytest.raises(LedgerRefused):
            Ledger(place)
    with pytest.raises(LedgerRefused):
        exists(other)


def test_a_server_without_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for call in (Ledger, exists):
        with pytest.raises(SettingsInvalid) as refused:
            call(Server("postgresql://u@h/b", "un secret"))
        assert refused.value.sentence("fr") == (
            "Réglage feed.ledger de transvase.toml : il manque le pilote de PostgreSQL ; installez-le : pip install "
            "'transvase[postgresql]'."
        )


def test_one_schema_is_one_practice(ledger_server: Any) -> None:
    """Two practices of one server neither see nor wait for each other."""
    one, other = on(ledger_server), on(ledger_server)
    assert not exists(one)
    with Ledger(one) as ours, Ledger(other) as theirs, ours.feeding(), theirs.feeding():
        ours.plan([planned(1)], [], CLOCK)
        assert exists(one) and theirs.counts() == {}


def test_a_feeder_that_loses_its_session_writes_no_more(ledger_server: Any) -> None:
    """The lock went with the session: another machine may feed now."""
    where = on(ledger_server)
    with Ledger(where) as ledger, Ledger(where) as other, Hand(where) as hand:
        ledger.plan([planned(1)], [], CLOCK)
        with ledger.feeding():
            session = ledger._base.execute("SELECT pg_backend_pid()").fetchone()[0]
            hand.rows(f"SELECT pg_terminate_backend({session})")
            with other.feeding():
                other.record([Step(ident(1), "send")], CLOCK)
            with pytest.raises(LedgerUnreachable):
                ledger.record([Step(ident(1), "send")], CLOCK)
            with pytest.raises(LedgerUnreachable):
                ledger.broken()
        assert other.broken() is None and state_of(other) == "submitted"


def test_two_writers_make_one_chain(ledger_server: Any) -> None:
    """An operator's act while messages leave: each waits for the other, no event is lost."""
    where = on(ledger_server)

    def write(start: int) -> None:
        with Ledger(where) as ledger:
            for number in range(start, start + 20):
                ledger.plan([planned(number)], [], CLOCK)
                ledger.record([Step(ident(number), "send")], CLOCK)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, (100, 200, 300)))
    with Ledger(where) as ledger:
        assert ledger.broken() is None
        assert ledger.head()[0] == 120 and ledger.counts() == {"submitted": 60}


# Any sequence of calls.


class AnyHistory(RuleBasedStateMachine):
    """Whatever is planned and recorded in whatever order: states follow the table, the chain holds, totals add up."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        number = next(NUMBERS)
        if isinstance(place, Path):
            self.place: Place = place.with_name(f"{number}.sqlite")
        else:
            self.place = place._replace(url=re.sub("schema=.*", f"schema=history_{number}", place.url))
        self.ledger = Ledger(self.place)
        self.known: dict[int, State] = {}
        self.events = 0

    @rule(number=st.integers(1, 4), adopted=st.booleans())
    def plan(self, number: int, adopted: bool) -> None:
        rows = [planned(number)]
        new = self.ledger.plan([] if adopted else rows, rows if adopted else [], CLOCK)
        assert new == (number not in self.known)
        self.known.setdefault(number, "adopted" if adopted else "to_submit")
        self.events += new

    @precondition(lambda self: self.known)
    @rule(data=st.data(), event=st.sampled_from(EVENTS))
    def record(self, data: st.DataObject, event: Event) -> None:
        number = data.draw(st.sampled_from(sorted(self.known)))
        following = NEXT.get((self.known[number], event))
        if following is None:
            with pytest.raises(ValueError, match="no transition"):
                self.ledger.record([Step(ident(number), event)], CLOCK)
            return
        self.ledger.record([Step(ident(number), event)], CLOCK)
        self.known[number] = following
        self.events += 1

    @invariant()
    def agrees(self) -> None:
        assert {k: v[0] for k, v in self.ledger.outcomes().items()} == {f"D{n}": s for n, s in self.known.items()}
        assert sum(self.ledger.counts().values()) == len(self.known)
        assert sum(len(self.ledger.of_document(f"D{n}")) for n in self.known) == self.events
        assert self.ledger.broken() is None

    def teardown(self) -> None:
        self.ledger.close()


def test_any_history(place: Place) -> None:
    run_state_machine_as_test(
        lambda: AnyHistory(place),
        settings=settings(max_examples=20 if isinstance(place, Path) else 6, stateful_step_count=20, deadline=None),
    )
