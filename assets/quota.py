"""When a sending may leave: the rate shared by all threads, the wait that an overloaded service asks for, the night window, and when
the rest would be done. No sending here.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from datetime import time as hour
from typing import NamedTuple

from transvase.model.hours import Window

# A service that asks for more than this is left for the next run.
LONGEST_WAIT = 300.0
_FIRST_WAIT = 0.4
# What an unanswered service is left alone, whatever the number of failures.
_LONGEST_BACK_OFF = 30.0
_JITTER = 0.25
# Beyond this the end is not worth a date.
_HORIZON = timedelta(days=3660)


class Limits(NamedTuple):
    """Ceilings of a run."""

    per_second: float
    per_day: int
    connections: int
    window: Window | None = None


class Bucket:
    """A bucket of one token, filled at the rate and shared by all threads: two sendings are never closer than its interval."""

    def __init__(
        self,
        per_second: float,
        watch: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval, self._watch, self._sleep = 1 / per_second, watch, sleep
        self._turn = threading.Lock()
        self._next = watch()

    def take(self) -> None:
        """Wait for a token."""
        with self._turn:
            slot = max(self._next, self._watch())
            self._next = slot + self._interval
        if (wait := slot - self._watch()) > 0:
            self._sleep(wait)


def back_off(failures: int, asked: float, seed: str) -> float:
    """Seconds to leave a service alone after so many failures: what it asked for, or twice as long each time; then up to a quarter
    more, drawn from the seed (ids of the ledger), so that two practices turned away together do not come back together."""
    drawn = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big") / 2**32
    wait = asked or min(_FIRST_WAIT * 2 ** max(failures - 1, 0), _LONGEST_BACK_OFF)
    return wait * (1 + _JITTER * drawn)


def finish(waiting: int, now: datetime, limits: Limits, sent_today: int) -> datetime | None:
    """When the last of so many sendings would leave, in the practice's time; None when that is not within ten years.

    A day is the calendar's; the sendings of today count against its ceiling."""
    at, left_today, end = now, limits.per_day - sent_today, now + _HORIZON
    while at < end:
        opening = _opening(at, limits.window)
        if opening.date() != at.date():
            left_today = limits.per_day
        at = opening
        midnight = _midnight(at)
        closing = min(midnight, _closing(at, limits.window))
        room = max(min(left_today, int((closing - at).total_seconds() * limits.per_second)), 0)
        if waiting <= room:
            return at + timedelta(seconds=max(waiting - 1, 0) / limits.per_second)
        waiting -= room
        left_today -= room
        if left_today <= 0 or closing == midnight:
            at, left_today = midnight, limits.per_day
        else:
            at = closing
    return None


def _midnight(at: datetime) -> datetime:
    return datetime.combine(at.date() + timedelta(days=1), hour(), at.tzinfo)


def _opening(at: datetime, window: Window | None) -> datetime:
    """The instant itself, or the next opening of the window."""
    if window is None or window.holds(at):
        return at
    today = datetime.combine(at.date(), window.start, at.tzinfo)
    return today if today > at else datetime.combine(at.date() + timedelta(days=1), window.start, at.tzinfo)


def _closing(at: datetime, window: Window | None) -> datetime:
    """The end of the window that the instant is in."""
    if window is None:
        return _midnight(at)
    today = datetime.combine(at.date(), window.end, at.tzinfo)
    return today if today > at else datetime.combine(at.date() + timedelta(days=1), window.end, at.tzinfo)
