"""The ledger of submissions: its table of states walked whole, its events append-only and chained, one feeder at a time."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
from datetime import datetime, timedelta
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from transvase.errors import FeederLocked, OutputUnwritable
from transvase.ledger.states import FINAL, NEXT, Event, State, after
from transvase.ledger.submissions import Ledger, Planned, Step, chained

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
}


def planned(number: int, act: str = "2026-03-02") -> Planned:
    return Planned(f"D{number}", f"V{number}", f"P{number}", f"1.2.3.{number}", act)


def ident(number: int) -> str:
    return f"1.2.3.{number} dmp"


@pytest.fixture
def ledger(tmp_path: Path):
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def state_of(ledger: Ledger, number: int = 1) -> str:
    return ledger.outcomes()[f"D{number}"][0]


def brought(ledger: Ledger, state: State, number: int = 1) -> None:
    ledger.plan([planned(number)], [], CLOCK)
    ledger.record([Step(ident(number), event) for event in WAY[state]], CLOCK)


# States.


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("event", EVENTS)
def test_every_transition_is_in_the_table_or_refused(ledger: Ledger, state: State, event: Event) -> None:
    brought(ledger, state)
    assert state_of(ledger) == state
    before = ledger.of_document("D1")
    if (state, event) in NEXT:
        ledger.record([Step(ident(1), event, "Code")], CLOCK)
        assert state_of(ledger) == after(state, event) == NEXT[state, event]
        assert ledger.of_document("D1")[:-1] == before
        assert ledger.of_document("D1")[-1][1:] == (event, NEXT[state, event], "Code")
    else:
        with pytest.raises(ValueError, match=f"no transition from {state} by {event}"):
            ledger.record([Step(ident(1), event)], CLOCK)
        assert (state_of(ledger), ledger.of_document("D1")) == (state, before)
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
    # Out of a final state only an operator's retry leads, and never out of what the registry holds.
    assert {(s, e) for s, e in NEXT if s in FINAL} == {("refused", "retry"), ("set_aside", "retry")}


def test_nothing_is_sent_again_after_a_doubt_without_asking() -> None:
    """Every way from `submitted` back to `to_submit` passes by the registry's answer, or by a connection that never opened."""
    back = {(s, e) for (s, e), following in NEXT.items() if following == "to_submit"}
    assert back == {("submitted", "not_sent"), ("to_query", "absent"), ("refused", "retry")}


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


def other_hand(ledger: Ledger) -> sqlite3.Connection:
    """The file opened by another program."""
    return sqlite3.connect(ledger.path, isolation_level=None)


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
    with other_hand(lived) as base, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        base.execute(statement)
    base.close()


def tampered(ledger: Ledger, *statements: str) -> None:
    """Someone removes the triggers first."""
    base = other_hand(ledger)
    base.execute("PRAGMA foreign_keys = OFF")
    base.execute("DROP TRIGGER event_kept")
    base.execute("DROP TRIGGER event_stays")
    for statement in statements:
        assert base.execute(statement).rowcount == 1, statement
    base.close()


@pytest.mark.parametrize("field", ["submission", "at", "event", "state", "code", "previous", "digest"])
@pytest.mark.parametrize("number", [1, 5, 9])
def test_a_changed_field_breaks_the_chain(lived: Ledger, field: str, number: int) -> None:
    tampered(lived, f"UPDATE event SET {field} = {field} || 'x' WHERE number = {number}")
    assert lived.broken() == number


def test_the_fields_above_are_all_those_of_an_event(lived: Ledger) -> None:
    base = other_hand(lived)
    names = {row[1] for row in base.execute("PRAGMA table_info(event)")}
    base.close()
    assert names == {"number", "submission", "at", "event", "state", "code", "previous", "digest"}


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
    tampered(lived, f"INSERT INTO event (submission, at, event, state, code, previous, digest) VALUES ({values})")
    assert lived.broken() == 10


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
        from transvase.ledger.submissions import Ledger
        with Ledger(Path(sys.argv[1])) as ledger, ledger.feeding():
            print("held", flush=True)
            time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(ledger.path)]
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
    assert lived.path.stat().st_mode & 0o777 == 0o600
    with Ledger(lived.path) as again:
        assert (again.counts(), again.outcomes()) == (lived.counts(), lived.outcomes())
        again.record([Step(ident(1), "send")], CLOCK)
        assert again.broken() is None


def test_an_intent_is_on_the_disk_before_the_sending(ledger: Ledger) -> None:
    """No test can cut the power: the setting that makes SQLite wait for the disk is looked at instead (2 is FULL)."""
    assert ledger._base.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_file_that_is_no_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"not a database, and long enough to be read as one" * 20)
    with pytest.raises(OutputUnwritable) as refused:
        Ledger(path)
    assert "SQLITE_NOTADB" in str(refused.value)


# Any sequence of calls.


class AnyHistory(RuleBasedStateMachine):
    """Whatever is planned and recorded in whatever order: states follow the table, the chain holds, totals add up."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.ledger = Ledger(Path(self.folder.name) / "ledger.sqlite")
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
        self.folder.cleanup()


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
