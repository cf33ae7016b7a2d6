"""Local time of the practice to the wire forms of CDA and XDS. The practice's clock is Europe/Paris unless it says otherwise."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

PARIS = "Europe/Paris"


@lru_cache(maxsize=8)
def zone(name: str) -> ZoneInfo:
    """The time zone of that name; ZoneInfoNotFoundError when unknown."""
    return ZoneInfo(name)


def parse(value: str | None, tz: str = PARIS) -> datetime | None:
    """An instant of the record, aware, when `value` is an existing local date with a time or a whole day; else None."""
    if not value or len(value) < 10:
        return None
    try:
        return datetime.fromisoformat(value).replace(tzinfo=zone(tz))
    except ValueError:
        return None


def hl7(value: str | None, tz: str = PARIS) -> str:
    """HL7 TS of an ISO text of reduced precision: `20190328093000+0100`, `20190328`, `201903`, `2019`; empty when impossible."""
    if not value:
        return ""
    if len(value) > 10:
        moment = parse(value, tz)
        if moment is None:
            return ""
        # Before 1911 Paris time had an offset with seconds, which HL7 TS cannot hold: the day is kept, the time is not.
        return _digits(moment) if moment.year > 1911 else value[:10].replace("-", "")
    digits = value.replace("-", "")
    if not digits.isascii() or not digits.isdigit() or len(digits) not in (4, 6, 8):
        return ""
    if len(digits) == 8 and parse(value, tz) is None:
        return ""
    if len(digits) == 6 and not "01" <= digits[4:] <= "12":
        return ""
    return digits


def utc14(moment: datetime) -> str:
    """XDS DTM in UTC, 14 digits."""
    return _digits(moment.astimezone(UTC))[:14]


_MARKS = str.maketrans("", "", "-T:")


def _digits(moment: datetime) -> str:
    """`YYYYMMDDHHMMSS+ZZZZ`, three times faster than strftime; an offset of whole minutes."""
    text = moment.isoformat(timespec="seconds")
    return text[:19].translate(_MARKS) + text[19:].replace(":", "")
