"""The written forms of identifiers, persons, structures and times (sheets dmp-transactions 5 and 7.1, ins-identity 1 and 2).

Each function says whether a text has the form, or cuts it. Where the form is due belongs to `rules`.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

ALLOWED_INS_OIDS = frozenset({"1.2.250.1.213.1.4.10"})
"""A sandbox takes test identities only: a production OID here means that someone points real data at it."""
INS_OIDS = frozenset(f"1.2.250.1.213.1.4.{arc}" for arc in (8, 9, 10, 11))
PS = "1.2.250.1.71.4.2.1"
STRUCTURE = "1.2.250.1.71.4.2.2"

_OID = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*))+")
_INS = re.compile(r"([1-478][0-9]{4})([0-9]{2}|2A|2B)([0-9]{6})([0-9]{2})")
_CX = re.compile(r"([^\^&]+)\^\^\^&([0-9.]+)&ISO\^(NH|PI)")
_TIME = re.compile(r"[0-9]{14}")
_CDA_TIME = re.compile(r"([0-9]{12}(?:[0-9]{2})?)(?:\.[0-9]+)?([+-])([0-9]{2})([0-9]{2})")
_STRUCT = re.compile(r"[0-9A-Z]{4,20}")
_PERSON_IDS = {"IDNPS": re.compile(r"8[0-9]{11}|0[0-9A-Z]{9}"), "EI": re.compile(r"[13456][0-9A-Z]+/[^/]+")}
_DEVICE_ID = re.compile(r"[13456][0-9A-Z]+/[^/]+")


def is_oid(value: str) -> bool:
    """An OID: no leading zero in an arc, at most 128 characters."""
    return len(value) <= 128 and bool(_OID.fullmatch(value))


def ins_problem(number: str, oid: str) -> str:
    """What is wrong with an INS, as the end of a sentence; empty when nothing is."""
    if oid not in ALLOWED_INS_OIDS:
        return "its OID is not that of test identities"
    cut = _INS.fullmatch(number)
    if not cut:
        return "it is not 15 characters of the form of an INS"
    # Corsica: only characters 6-7, before the modulo.
    digits = cut[1] + {"2A": "19", "2B": "18"}.get(cut[2], cut[2]) + cut[3]
    return "" if 97 - int(digits) % 97 == int(cut[4]) else "its key does not fit"


def cx(value: str) -> tuple[str, str, str] | None:
    """`id^^^&oid&ISO^type` as (id, oid, type), type being NH or PI."""
    cut = _CX.fullmatch(value)
    return (cut[1], cut[2], cut[3]) if cut and is_oid(cut[2]) else None


def is_time(value: str) -> bool:
    """`YYYYMMDDHHMMSS` of an existing moment."""
    if not _TIME.fullmatch(value):
        return False
    try:
        _moment(value)
    except ValueError:
        return False
    return True


def _moment(value: str) -> datetime:
    """14 digits as a moment; `strptime` takes ten times longer. Raises `ValueError`."""
    year, *others = value[:4], *(value[at : at + 2] for at in range(4, 14, 2))
    month, day, hour, minute, second = map(int, others)
    return datetime(int(year), month, day, hour, minute, second)


def utc(value: str) -> str:
    """A CDA time as `YYYYMMDDHHMMSS` UTC; empty when it is less precise than a minute or has no offset."""
    cut = _CDA_TIME.fullmatch(value)
    if not cut:
        return ""
    try:
        local = _moment(cut[1].ljust(14, "0"))
        offset = timedelta(hours=int(cut[3]), minutes=int(cut[4]))
        return f"{local - offset if cut[2] == '+' else local + offset:%Y%m%d%H%M%S}"
    except (ValueError, OverflowError):
        return ""


def person_problem(value: str, kinds: tuple[str, ...]) -> str:
    """What is wrong with an XCN, `kinds` being the permitted last components among IDNPS, EI, RI, NH; empty when nothing."""
    parts = value.split("^")
    if len(parts) != 13 or any(parts[3:8]) or parts[10] or parts[11]:
        return "it is not an XCN of 13 components"
    identifier, family, given, kind = parts[0], parts[1], parts[2], parts[12]
    if kind not in kinds:
        return "its kind of identifier is not permitted here"
    if not family.strip() or not given.strip():
        return "a name is missing"
    authority = re.fullmatch(r"&([0-9.]+)&ISO", parts[8])
    if not authority:
        return "its assigning authority is not &OID&ISO"
    if kind == "NH":
        return ins_problem(identifier, authority[1])
    if authority[1] != PS:
        return "its assigning authority is not that of professionals"
    if parts[9] != ("U" if kind == "RI" else "D"):
        return "its kind of name does not fit"
    pattern = _DEVICE_ID if kind == "RI" else _PERSON_IDS[kind]
    return "" if pattern.fullmatch(identifier) else "its identifier has not the form of its kind"


def structure_problem(value: str) -> str:
    """What is wrong with an XON; empty when nothing is."""
    parts = value.split("^")
    if len(parts) != 10 or any(parts[1:5]) or parts[7] or parts[8]:
        return "it is not an XON of 10 components"
    if not parts[0].strip():
        return "the name is missing"
    if (parts[5], parts[6]) not in ((f"&{STRUCTURE}&ISO", "IDNST"), ("&1.3.2&ISO", "SIREN")):
        return "its authority and kind of identifier do not fit"
    return "" if _STRUCT.fullmatch(parts[9]) else "its identifier is missing or malformed"
