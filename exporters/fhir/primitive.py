"""Canonical text to FHIR primitives: strings, codes, dates of reduced precision, decimals with their digits; and the JSON text that
resources are written in.

What FHIR cannot hold becomes an empty result here; saying why it is absent belongs to `absence`.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson

from transvase.model.clock import parse, zone

Json = dict[str, Any]
# JSON text with one character for each byte of its UTF-8, so that parts are joined at the price of ASCII and become bytes in one copy. Only
# `written` makes some from values; a literal beside it is ASCII.
Written = str
# A resource: its type, its name, its JSON text.
Resource = tuple[str, str, Written]

# What a resource cannot hold once written as XML, FHIR's other syntax: section 2.2 of XML 1.0.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# FHIR strings know four kinds of white space. French texts are full of no-break spaces, which the official JSON schema refuses.
_OTHER_SPACE = re.compile("[\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]")
_NUMBER = re.compile(r"(-?)0*([0-9]+(?:\.[0-9]+)?)")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


def written(value: Any) -> Written:
    """The JSON text of a value."""
    return orjson.dumps(value).decode("latin-1")


def encoded(parts: Written) -> bytes:
    """The bytes of JSON text."""
    return parts.encode("latin-1")


def resource(value: Json) -> Resource:
    """The resource of a dict, for those that a practice has few of."""
    return value["resourceType"], value["id"], written(value)


def said(name: str, value: str | None) -> Written:
    """The member `name` of an object, after its comma, when the value is not blank; else nothing."""
    return f',"{name}":{written(words)}' if value and (words := text(value)) else ""


def text(value: str | None) -> str:
    """The value as a FHIR string: forbidden characters become U+FFFD, no-break and other spaces a space, and a blank value is
    empty, since FHIR has no empty string."""
    if not value:
        return ""
    if not value.isprintable():
        value = _OTHER_SPACE.sub(" ", _FORBIDDEN.sub("�", value))
    return "" if value.isspace() else value


def code(value: str | None) -> str:
    """The value as a FHIR code: no space at either end, single ones inside (R4 datatypes, `code`)."""
    if not value:
        return ""
    if value.isalnum():
        return value
    return " ".join(text(value).split())


def is_instant(value: str) -> bool:
    """Whether the text is a FHIR instant: to the second at least, with its offset, and existing."""
    if not _INSTANT.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def decimal(value: str | None) -> Written | None:
    """The number with the digits it was written with: 1.10 stays 1.10, 007.5 loses what JSON forbids; None when not a number.

    It enters the document unchecked, so nothing but a JSON number gets out of here.
    """
    if not value:
        return None
    match = _NUMBER.fullmatch(value)
    return match[1] + match[2] if match else None


@lru_cache(maxsize=1 << 14)
def date_time(value: str) -> str:
    """FHIR date or dateTime of an ISO text of reduced precision; empty when no such date exists.

    Instants are local time of the practice and get its offset. In the hour that comes twice in autumn, the first is meant.
    """
    length = len(value)
    try:
        if length == 10:
            date.fromisoformat(value)
            return value if value[4] == "-" == value[7] else ""
        if length == 19:
            if value[4] + value[7] + value[10] + value[13] + value[16] != "--T::":
                return ""
            datetime.fromisoformat(value)
            return value + _offset(value[:10]) if _offset(value[:10]) else _exact(value)
        if length == 7:
            date.fromisoformat(value + "-01")
            return value if value[4] == "-" else ""
        if length == 4 and value.isascii() and value.isdigit() and value != "0000":
            return value
    except ValueError:
        pass
    return ""


@lru_cache(maxsize=1 << 14)
def _offset(day: str) -> str:
    """The offset that holds all that day in Paris; empty on the days when it changes, and before 1911 when it had seconds."""
    midnight = datetime.fromisoformat(day).replace(tzinfo=zone("Europe/Paris"))
    start, end = midnight.utcoffset(), (midnight + timedelta(hours=23, minutes=59)).utcoffset()
    offset = f"{midnight:%z}"
    return f"{offset[:3]}:{offset[3:]}" if start == end and len(offset) == 5 else ""


def _exact(value: str) -> str:
    moment = parse(value)
    if moment is None:
        return ""
    # FHIR offsets have no seconds; local mean time is written as the same instant in UTC.
    aware = moment.astimezone(UTC) if len(f"{moment:%z}") != 5 else moment
    return aware.isoformat()


@lru_cache(maxsize=1 << 14)
def french_date(value: str) -> str:
    """The date as a French reader writes it, as precise as recorded: `28/03/2019`, `03/2019`; an impossible one says so."""
    shown = "/".join(reversed(value[:10].split("-")))
    return shown if date_time(value) else f"{shown} (date impossible)"
