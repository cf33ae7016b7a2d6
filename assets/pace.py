"""How gently a run reads the practice's database: what the settings ask, with the clock of the run. Reading belongs to `sources.pace`."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from transvase.assets.run import Run
from transvase.sources.pace import Pace


def pace_of(run: Run) -> Pace | None:
    """The ceiling and the hours of the settings; None when they ask nothing."""
    source, began = run.settings.source, time.monotonic()
    if not source.rows_per_second and not source.window:
        return None
    zone = ZoneInfo(run.settings.time_zone)

    def clock() -> datetime:
        now = run.now() if run.now else run.clock + timedelta(seconds=time.monotonic() - began)
        return now.astimezone(zone)

    return Pace(source.rows_per_second, source.window, clock, time.monotonic, time.sleep)
