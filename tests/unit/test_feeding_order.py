"""What decides a sending before it leaves: the turn of each version, the rate, the window, the wait of an overloaded service, the cause
that is everybody's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transvase.assets import feeding
from transvase.assets.circuit import ALIKE, Circuit
from transvase.assets.quota import Bucket, Limits, Window, back_off, finish
from transvase.gateways import causes
from transvase.gateways.causes import CAUSES
from transvase.gateways.dmp import OF_CALLER, Answer
from transvase.ledger.states import State
from transvase.ledger.submissions import Submission
from transvase.ledger.versions import IN_THE_WAY, turn
from transvase.sandbox import finding

PARIS = ZoneInfo("Europe/Paris")


# Versions.


def row(rank: int, state: State, code: str = "") -> Submission:
    return Submission(f"{rank} dmp", "D1", f"V{rank}", "P1", f"1.2.{rank}", "", state, 0, code, "2026-03-02", rank)


TURNS: list[tuple[str, dict[int, State], int, str, int]] = [
    # What it is about, the other versions, the rank that would leave, what it does, the rank that it replaces.
    ("the only one", {}, 1, "send", 0),
    ("after a registered one", {1: "registered"}, 2, "replace", 1),
    ("after one that a former software fed", {1: "adopted"}, 2, "replace", 1),
    ("after a chain", {1: "replaced", 2: "registered"}, 3, "replace", 2),
    ("two later than the registered one", {1: "registered"}, 3, "gap", 0),
    ("two later, the one between refused", {1: "registered", 2: "refused"}, 3, "gap", 0),
    ("two later, the one between skipped", {1: "registered", 2: "skipped"}, 3, "gap", 0),
    ("two later, the one between leaves first", {1: "registered", 2: "to_submit"}, 3, "wait", 0),
    ("the one between, itself", {1: "registered", 3: "to_submit"}, 2, "replace", 1),
    ("an older one on its way", {1: "submitted"}, 2, "wait", 0),
    ("an older one in doubt", {1: "to_query"}, 2, "wait", 0),
    ("a doubt behind a refusal", {1: "to_query", 2: "refused"}, 3, "wait", 0),
    ("a doubt before the registered one is over", {1: "to_query", 2: "registered"}, 3, "replace", 2),
    ("an older one refused", {1: "refused"}, 2, "send", 0),
    ("an older one set aside, which the registry does not hold", {1: "set_aside"}, 2, "send", 0),
    ("an older one left aside", {1: "skipped"}, 2, "send", 0),
    ("an older one that never left", {1: "to_submit"}, 2, "wait", 0),
    ("the older one itself", {2: "to_submit"}, 1, "overtaken", 0),
    ("a newer one is in the registry", {2: "registered"}, 1, "overtaken", 0),
    ("a newer one was replaced itself", {2: "replaced", 3: "registered"}, 1, "overtaken", 0),
    ("a newer one on its way", {2: "submitted"}, 1, "wait", 0),
    ("a newer one in doubt", {2: "to_query"}, 1, "wait", 0),
    ("a newer one refused", {2: "refused"}, 1, "send", 0),
]  # fmt: skip


@pytest.mark.parametrize(("others", "rank", "kind", "target"), [t[1:] for t in TURNS], ids=[t[0] for t in TURNS])
def test_the_turn_of_a_version(others: dict[int, State], rank: int, kind: str, target: int) -> None:
    rows = [row(r, s) for r, s in others.items()]
    found = turn(row(rank, "to_submit"), [*rows, row(rank, "to_submit")])
    assert (found.kind, found.target.rank if found.target else 0) == (kind, target)


def test_other_bytes_in_the_registry_stand_in_the_way() -> None:
    assert turn(row(2, "to_submit"), [row(1, "set_aside", IN_THE_WAY)]).kind == "wait"


_STATES: tuple[State, ...] = (
    "to_submit", "submitted", "to_query", "registered", "adopted", "replaced", "refused", "set_aside", "skipped",
)  # fmt: skip


@given(st.dictionaries(st.integers(1, 5), st.sampled_from(_STATES), max_size=5), st.integers(1, 5))
def test_never_two_versions_side_by_side(others: dict[int, State], rank: int) -> None:
    """Whatever the ledger says: beside a version that the registry holds or may hold, nothing leaves but its replacement."""
    others.pop(rank, None)
    found = turn(row(rank, "to_submit"), [row(r, s) for r, s in others.items()])
    held = [r for r, s in others.items() if s in ("registered", "adopted")]
    if found.kind == "send":
        assert not held and not {"submitted", "to_query"} & set(others.values())
    if found.kind == "replace":
        assert found.target is not None and found.target.rank == max(r for r in held if r < rank) == rank - 1
        assert not any(r > rank for r in held)


# Causes.


@pytest.mark.requirement("DMP-52")
@pytest.mark.parametrize("code", [v for k, v in vars(finding).items() if k.isupper() and isinstance(v, str)])
def test_every_refusal_of_the_local_dmp_is_told_to_the_operator(code: str) -> None:
    # A query's errors, and a warning, refuse no document.
    if code.startswith(("XDSStoredQuery", "XDSUnknownStoredQuery")) or code in (finding.EXTRA, finding.REGISTRY):
        return
    assert code in CAUSES


SHEET = [
    # Section 11 of the sheet and IHE ITI TF-3, 4.2.4: code, whether one document after another would meet it.
    ("XDSUnknownPatientId", False),
    ("XDSPatientIdDoesNotMatch", False),
    ("XDSDocumentUniqueIdError", False),
    ("DMPAccessDeniedByRightsService", False),
    ("XDSDuplicateUniqueIdInRegistry", False),
    ("XDSNonIdenticalHash", False),
    ("XDSMissingDocument", False),
    ("XDSReplaceFailed", False),
    ("XDSRegistryDeprecatedDocumentError", False),
    ("InvalidDocumentContent", False),
    ("SpecialtyMissing", False),
    ("DocumentMismatch", False),
    ("XDSRegistryMetadataError", True),
    ("XDSRepositoryMetadataError", True),
    ("DMPInvalidCertificate", True),
    ("StructureUnknown", True),
    ("Sender", True),
    ("unknown", True),
    ("CodeOfTomorrow", True),
]


@pytest.mark.requirement("DMP-52")
@pytest.mark.parametrize(("code", "common"), SHEET, ids=[c for c, _ in SHEET])
def test_whom_a_code_concerns_and_what_is_told(code: str, common: bool) -> None:
    cause = causes.of(code)
    assert causes.common(code) is common
    assert cause.sentence("fr") != cause.sentence("en")
    assert all(len(cause.sentence(language)) > 30 for language in ("fr", "en"))


@pytest.mark.parametrize(("code", "common"), SHEET, ids=[c for c, _ in SHEET])
def test_three_in_a_row_stop_the_run_only_when_the_cause_is_everybodys(code: str, common: bool) -> None:
    circuit = Circuit()
    for number in range(ALIKE):
        assert not circuit.open
        circuit.note(str(number), Answer("refused", code))
    assert circuit.open is common


@pytest.mark.requirement("DMP-52")
def test_every_cause_speaks_both_languages_and_names_no_patient() -> None:
    for cause in CAUSES.values():
        assert cause.french.endswith((".", "?")) and cause.english.endswith((".", "?"))
    # Those of the messages are told apart by their own gateway.
    of_caller = {c.code for c in CAUSES.values() if c.scope == "caller"}
    assert {code for code in of_caller if not code.startswith("Mss")} == set(OF_CALLER)


@pytest.mark.parametrize(
    ("answers", "is_open"),
    [
        pytest.param("SSS", True, id="three"),
        pytest.param("SS", False, id="two"),
        pytest.param("SSASS", False, id="one was taken between"),
        pytest.param("SSPSS", False, id="one was judged between"),
        pytest.param("SSDS", True, id="a doubt between says nothing"),
        pytest.param("SSM", False, id="another cause"),
        pytest.param("SSMMM", True, id="three of the other cause"),
        pytest.param("SSSA", False, id="one was taken after"),
    ],
)
def test_what_interrupts(answers: str, is_open: bool) -> None:
    kinds = {
        "S": Answer("refused", "Sender"),
        "M": Answer("refused", "XDSRegistryMetadataError"),
        "P": Answer("refused", "XDSUnknownPatientId"),
        "A": Answer("accepted"),
        "D": Answer("doubt", "timeout"),
    }
    circuit = Circuit()
    for number, letter in enumerate(answers):
        circuit.note(str(number), kinds[letter])
    assert circuit.open is is_open


def test_one_document_refused_again_and_again_is_one_document() -> None:
    circuit = Circuit()
    for _ in range(9):
        circuit.note("the same", Answer("refused", "Sender"))
    assert not circuit.open


# The wait.


def test_a_wait_is_what_was_asked_and_a_little_more() -> None:
    waits = {back_off(1, 10, f"1.2.3.{n} dmp") for n in range(50)}
    assert len(waits) > 40, "every practice would come back at once"
    assert all(10 <= w <= 12.5 for w in waits)
    assert back_off(1, 10, "1.2.3 dmp") == back_off(1, 10, "1.2.3 dmp")


def test_without_being_asked_it_doubles_up_to_a_limit() -> None:
    bare = [back_off(n, 0, "x") for n in range(1, 12)]
    assert all(b == pytest.approx(2 * a) for a, b in pairwise(bare[:5]))
    assert max(bare) <= 37.5


@pytest.mark.requirement("DMP-58")
def test_a_rate_is_shared_by_every_thread() -> None:
    now, asleep, lock = [0.0], [], threading.Lock()

    def sleep(seconds: float) -> None:
        with lock:
            asleep.append(seconds)

    bucket = Bucket(5, watch=lambda: now[0], sleep=sleep)
    threads = [threading.Thread(target=bucket.take) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # The first leaves at once, then one every fifth of a second: no burst whatever waited before.
    assert sorted(asleep) == pytest.approx([n / 5 for n in range(1, 20)])
    now[0] = 1000.0
    asleep.clear()
    bucket.take()
    bucket.take()
    assert asleep == pytest.approx([0.2])


# The window.


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=PARIS)


@pytest.mark.parametrize(
    ("window", "hour", "inside"),
    [
        ("21:00-06:00", "23T20:59:59", False),
        ("21:00-06:00", "23T21:00", True),
        ("21:00-06:00", "23T23:59:59", True),
        ("21:00-06:00", "24T00:00", True),
        ("21:00-06:00", "24T05:59:59", True),
        ("21:00-06:00", "24T06:00", False),
        ("08:00-12:00", "23T07:59", False),
        ("08:00-12:00", "23T08:00", True),
        ("08:00-12:00", "23T12:00", False),
        ("00:00-06:00", "23T00:00", True),
    ],
)
def test_an_hour_is_in_the_window(window: str, hour: str, inside: bool) -> None:
    read = Window.read(window)
    assert read is not None and read.holds(at(hour)) is inside
    assert Window.read("") is None


ENDS = [
    # waiting, now, per second, per day, window, sent today, end
    (1, "23T20:00", 5, 30_000, "", 0, "23T20:00"),
    (0, "23T20:00", 5, 30_000, "", 0, "23T20:00"),
    (101, "23T20:00", 5, 30_000, "", 0, "23T20:00:20"),
    (100, "23T20:00", 5, 100, "", 100, "24T00:00:19.8"),
    (100, "23T20:00", 5, 40, "", 0, "25T00:00:03.8"),
    (10, "23T20:00", 1, 30_000, "21:00-06:00", 0, "23T21:00:09"),
    (10, "23T12:00", 1, 30_000, "08:00-12:00", 0, "24T08:00:09"),
    (3600 * 9 + 1, "23T20:00", 1, 100_000, "21:00-06:00", 0, "24T21:00"),
    (3, "23T23:59:59", 1, 30_000, "21:00-06:00", 0, "24T00:00:01"),
    (1, "23T20:00", 5, 30_000, "", 40_000, "24T00:00"),
]


@pytest.mark.parametrize(("waiting", "now", "rate", "day", "window", "sent", "end"), ENDS)
def test_when_the_last_would_leave(
    waiting: int, now: str, rate: float, day: int, window: str, sent: int, end: str
) -> None:
    found = finish(waiting, at(now), Limits(rate, day, 2, Window.read(window)), sent)
    assert found == at(end)


def test_an_end_out_of_reach() -> None:
    assert finish(1, at("23T20:00"), Limits(5, 0, 2), 0) is None
    assert finish(10_000_000, at("23T20:00"), Limits(5, 100, 2), 0) is None


@given(
    st.integers(0, 500), st.integers(1, 900), st.integers(0, 900), st.sampled_from(["", "21:00-06:00", "08:00-08:10"])
)
@settings(deadline=None)
def test_an_end_is_never_before_now_and_more_documents_never_end_earlier(
    waiting: int, day: int, sent: int, window: str
) -> None:
    now, limits = at("23T20:00"), Limits(2, day, 2, Window.read(window))
    fewer, more = finish(waiting, now, limits, sent), finish(waiting + 1, now, limits, sent)
    assert fewer is not None and more is not None
    assert now <= fewer <= more
    assert limits.window is None or limits.window.holds(more)
    # So many days have passed, the first of them begun.
    assert more - now >= timedelta(days=(waiting + min(sent, day)) // day - 1)


# Letters, and what is made ahead.


@pytest.mark.parametrize(
    ("made", "leaves", "seconds"),
    [
        ("2026-11-23T20:00:00", "2026-11-23T20:00:05", 5),
        ("2026-11-23T20:00:05", "2026-11-23T20:00:00", 5),
        # The clocks go back: half past two comes twice, an hour apart.
        ("2026-10-25T02:30:00", "2026-10-25T02:30:00+", 3600),
        ("2026-03-29T01:59:59", "2026-03-29T03:00:00", 1),
    ],
)
def test_the_age_of_a_letter_is_time_that_passed(made: str, leaves: str, seconds: int) -> None:
    one, other = (
        datetime.fromisoformat(text.rstrip("+")).replace(tzinfo=PARIS, fold=int(text.endswith("+")))
        for text in (made, leaves)
    )
    assert feeding._apart(one, other) == seconds


KIB = 1 << 10


@pytest.mark.parametrize(
    ("sizes", "batches", "ahead"),
    [
        ([KIB] * 3, [3], 3),
        ([KIB] * 200, [16] * 12 + [8], feeding.AHEAD),
        ([KIB << 8] * 40, [16, 16, 8], 17),
        ([KIB << 13] * 9, [4, 4, 1], 5),
        ([KIB << 16] * 3, [1, 1, 1], 2),
        ([KIB] * 20 + [KIB << 16] + [KIB], [16, 4, 1, 1], 21),
    ],
    ids=["few", "small", "scans", "large", "beyond the bound", "one large among small"],
)
def test_what_is_made_ahead_is_bounded(sizes: list[int], batches: list[int], ahead: int) -> None:
    """Batches keep the order and hold everything; no more than so many documents, or bytes, wait at once."""
    made: list[int] = []
    taken: list[int] = []
    most = 0

    def ready() -> Iterator[Any]:
        for number, size in enumerate(sizes):
            made.append(number)
            yield SimpleNamespace(number=number, composed=SimpleNamespace(data=range(size)))

    found = []
    for batch in feeding._batches(ready()):
        most = max(most, len(made) - len(taken))
        taken += [one.number for one in batch]
        found.append(len(batch))
    assert taken == list(range(len(sizes)))
    assert found == batches
    # One more is made than waits: what tells that the others are enough.
    assert most <= ahead + 1
