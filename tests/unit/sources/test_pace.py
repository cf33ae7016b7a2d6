"""Gentle reading: rows a second, and hours. The clock and the wait are given, so that nothing here waits."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transvase.errors import SourceOutsideHours
from transvase.sources.connection import opened
from transvase.sources.pace import Pace

PARIS = ZoneInfo("Europe/Paris")


class Day:
    """A clock that only waiting and working move; it keeps every wait."""

    def __init__(self, at: str = "23:00") -> None:
        self.start = datetime.fromisoformat(f"2026-11-20T{at}").replace(tzinfo=PARIS).timestamp()
        self.now = 0.0
        self.waits: list[float] = []

    def clock(self) -> datetime:
        return datetime.fromtimestamp(self.start + self.now, PARIS)

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.waits.append(seconds)
        self.now += seconds

    def pace(self, rows_per_second: float = 0, window: str = "") -> Pace:
        return Pace(rows_per_second, window, self.clock, lambda: self.now, self.sleep)


def batches(sizes, day=None, work=0.0):
    for size in sizes:
        if day:
            day.now += work
        yield [(i,) for i in range(size)]


@given(st.lists(st.integers(1, 500), max_size=30), st.floats(0.5, 5000), st.floats(0, 2))
def test_never_more_rows_than_the_ceiling_allows(sizes, rate, work):
    day, read = Day(), 0
    for batch in day.pace(rate).through(batches(sizes, day, work)):
        # What was asked before this batch has had its time.
        assert read <= rate * day.now * (1 + 1e-9) + 1e-6
        read += len(batch)
    assert read == sum(sizes) and day.now >= sum(sizes) / rate * (1 - 1e-9)


def test_a_slow_step_is_not_made_up_for():
    day = Day()
    pace = day.pace(10)
    first = pace.through(batches([10, 10, 10]))
    next(first)
    day.now += 3600
    next(first)
    assert not day.waits
    next(first)
    assert day.waits == [1.0]


def test_several_readings_share_one_ceiling():
    day = Day()
    pace = day.pace(100)
    for _ in range(3):
        assert sum(map(len, pace.through(batches([100])))) == 100
    assert day.now == pytest.approx(3.0)


def test_without_a_ceiling_nothing_waits():
    day = Day()
    assert sum(map(len, day.pace().through(batches([1000] * 50)))) == 50_000 and not day.waits


@pytest.mark.parametrize(
    "window, at, open_",
    [
        ("22:00-06:00", "21:59", False),
        ("22:00-06:00", "22:00", True),
        ("22:00-06:00", "00:00", True),
        ("22:00-06:00", "05:59", True),
        ("22:00-06:00", "06:00", False),
        ("12:00-14:00", "11:59", False),
        ("12:00-14:00", "12:00", True),
        ("12:00-14:00", "14:00", False),
        ("", "12:00", True),
    ],
)
def test_the_hours_begin_and_end_on_time(window, at, open_):
    pace = Day(at).pace(0, window)
    if open_:
        pace.check()
        return
    with pytest.raises(SourceOutsideHours) as refused:
        pace.check()
    assert window in str(refused.value) and window in refused.value.sentence("fr") and refused.value.exit_code == 34


def test_a_reading_ends_with_the_night():
    day = Day("05:59")
    read = 0
    with pytest.raises(SourceOutsideHours):
        for batch in day.pace(10, "22:00-06:00").through(batches([100] * 100)):
            read += len(batch)
    # Ten seconds a batch: the night's last minute is worth six or seven.
    assert read in (600, 700)


def test_nothing_is_opened_by_day(tmp_path):
    pace = Day("15:00").pace(0, "22:00-06:00")
    # No such base: it is not even looked at.
    with (
        pytest.raises(SourceOutsideHours),
        opened("sqlite", tmp_path / "absent.sqlite", "", tmp_path, pace),
    ):
        pass


def test_a_view_is_read_at_the_pace(tmp_path):
    import sqlite3

    path = tmp_path / "cabinet.sqlite"
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE t (v int)")
        base.executemany("INSERT INTO t VALUES (?)", [(i,) for i in range(100)])
    day = Day("05:59")
    with opened("sqlite", path, "", tmp_path, day.pace(10, "22:00-06:00")) as view:
        view.codes({"x": [("1", "a", "")]})
        assert list(view.tables()) == ["t"] and view.count("t") == 100
        assert sum(map(len, view.rows("t", ["v"], 10).batches)) == 100
        assert day.now == pytest.approx(10)
        assert sum(map(len, view.query("SELECT code FROM map_x, t WHERE v < 50", 10).batches)) == 50
        day.now += 60
        for ask in (lambda: view.count("t"), lambda: view.rows("t", [], 1), lambda: view.query("SELECT 1", 1)):
            with pytest.raises(SourceOutsideHours):
                ask()
