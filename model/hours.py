"""Hours of the practice during which something is allowed: reading its database, sending. What to do outside them belongs to who reads or
sends.
"""

from __future__ import annotations

from datetime import datetime, time
from typing import NamedTuple


class Window(NamedTuple):
    """Hours of the practice; `end` excluded, before `start` when the night passes midnight."""

    start: time
    end: time

    @classmethod
    def read(cls, text: str) -> Window | None:
        """`21:00-06:00` as the settings have checked it, or empty for none."""
        if not text:
            return None
        start, end = (time.fromisoformat(part) for part in text.split("-"))
        return cls(start, end)

    def holds(self, instant: datetime) -> bool:
        """The instant, in the practice's time, is inside."""
        now = instant.time()
        return self.start <= now < self.end if self.start < self.end else now >= self.start or now < self.end
