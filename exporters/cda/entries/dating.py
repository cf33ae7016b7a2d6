"""Dates of the record inside an entry: HL7 TS with the precision of the record, `nullFlavor="UNK"` when absent or impossible.

The narrative always shows what the record holds, impossible or not, so that nothing is lost.
"""

from __future__ import annotations

import re
from functools import lru_cache

from transvase.exporters.cda.entries.wording import words
from transvase.model.clock import hl7

# A practice's dates are days, months and years of one century and a half: about 60 000 values, far fewer in use.
_DAYS = 16384

# XSD, type ts.
_STAMP = re.compile(r"[0-9]{4,14}([+-][0-9]{4})?").fullmatch


def _stamp(value: str | None) -> str:
    stamp = hl7(value)
    return stamp if _STAMP(stamp) else ""


@lru_cache(maxsize=_DAYS)
def low(value: str | None) -> str:
    """The `low` element of an ISO date of reduced precision."""
    stamp = _stamp(value)
    return f'<low value="{stamp}"/>' if stamp else '<low nullFlavor="UNK"/>'


@lru_cache(maxsize=_DAYS)
def high(value: str | None) -> str:
    """The `high` element of an ISO date of reduced precision."""
    stamp = _stamp(value)
    return f'<high value="{stamp}"/>' if stamp else '<high nullFlavor="UNK"/>'


@lru_cache(maxsize=_DAYS)
def point(value: str | None) -> str:
    """The attribute of an `effectiveTime` that is one point in time."""
    stamp = _stamp(value)
    return f'value="{stamp}"' if stamp else 'nullFlavor="UNK"'


@lru_cache(maxsize=_DAYS)
def shown(value: str | None) -> str:
    """For a reader: `28/03/2019`, `03/2019`, `2019`, with the time as `28/03/2019 09:30`. Another form stays as recorded."""
    if not value:
        return ""
    day, _, clock = value.partition("T")
    parts = day.split("-")
    if not all(part.isascii() and part.isdigit() for part in parts) or len(parts) > 3:
        return words(value)
    return words("/".join(reversed(parts)) + (f" {clock[:5]}" if clock else ""))
