"""Reading a practice's database gently while the practice works: a ceiling of rows a second, and the hours during which it is read at all.
What is read belongs to the engines; the hours of sending to the DMP belong to `assets.quota`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from transvase.errors import SourceOutsideHours
from transvase.model.hours import Window
from transvase.sources.view import Rows, SourceColumn, Tables, View, Whole


class Pace:
    """How fast and when a source may be read.

    `rows_per_second` is a ceiling on what is asked of the source, 0 for none; `window` are hours such as `22:00-06:00` in the practice's
    time, the end excluded, empty for any hour. `clock` gives the practice's time with its zone, `watch` seconds that only grow, `sleep`
    waits that many. The ceiling holds from the first row read and for the whole reading: what a slow step does not use, the next does not
    make up for."""

    def __init__(
        self,
        rows_per_second: float,
        window: str,
        clock: Callable[[], datetime],
        watch: Callable[[], float],
        sleep: Callable[[float], object],
    ) -> None:
        self._interval = 1 / rows_per_second if rows_per_second else 0.0
        self._window = window
        self._hours = Window.read(window)
        self._clock = clock
        self._watch = watch
        self._sleep = sleep
        # When the rows already given are paid for.
        self._free = 0.0

    def check(self) -> None:
        """SourceOutsideHours when it is not the hour."""
        if self._hours is not None and not self._hours.holds(self._clock()):
            raise SourceOutsideHours(window=self._window)

    def through(self, batches: Iterator[list[tuple[Any, ...]]]) -> Iterator[list[tuple[Any, ...]]]:
        """The batches, none asked for outside the hours, each followed by the wait that its rows cost."""
        while True:
            self.check()
            if (early := self._free - self._watch()) > 0:
                self._sleep(early)
                # The night may have ended meanwhile.
                self.check()
            rows = next(batches, None)
            if rows is None:
                return
            self._free = max(self._free, self._watch()) + len(rows) * self._interval
            yield rows


class PacedTables:
    """Tables read at a pace."""

    def __init__(self, source: Tables, pace: Pace) -> None:
        self.name = source.name
        self.kind = source.kind
        self._source = source
        self._pace = pace

    def tables(self) -> Mapping[str, tuple[SourceColumn, ...]]:
        """As the source."""
        return self._source.tables()

    def count(self, table: str) -> int:
        """As the source, within the hours."""
        self._pace.check()
        return self._source.count(table)

    def whole(self, table: str, size: int) -> Whole:
        """As the source, at the pace."""
        self._pace.check()
        types, batches = self._source.whole(table, size)
        return Whole(types, self._pace.through(batches))


class PacedView:
    """A View read at a pace."""

    def __init__(self, view: View, pace: Pace) -> None:
        self.name = view.name
        self._view = view
        self._pace = pace

    def tables(self) -> Mapping[str, tuple[SourceColumn, ...]]:
        """As the view."""
        return self._view.tables()

    def count(self, table: str) -> int:
        """As the view, within the hours."""
        self._pace.check()
        return self._view.count(table)

    def codes(self, codes: Mapping[str, Sequence[tuple[str, str, str]]]) -> None:
        """As the view."""
        self._view.codes(codes)

    def query(self, sql: str, size: int) -> Rows:
        """As the view, at the pace."""
        self._pace.check()
        names, batches = self._view.query(sql, size)
        return Rows(names, self._pace.through(batches))

    def rows(self, table: str, columns: Sequence[str], size: int) -> Rows:
        """As the view, at the pace."""
        self._pace.check()
        names, batches = self._view.rows(table, columns, size)
        return Rows(names, self._pace.through(batches))
