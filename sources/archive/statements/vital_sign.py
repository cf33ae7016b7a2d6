"""Measures: rows of `vital_sign`, one for each observation of an organizer of vital signs or of their section."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from transvase.formats.cda import V3, CdaHeader
from transvase.sources.archive.statements import reading

_SIGN = frozenset({"1.2.250.1.213.1.1.3.50", "1.3.6.1.4.1.19376.1.5.3.1.4.13.2"})
# FR-Simple-Observation stands in many sections; it is a measure in this one.
TEMPLATES: frozenset[str] = _SIGN | {"1.2.250.1.213.1.1.3.48", "1.3.6.1.4.1.19376.1.5.3.1.4.13"}
_SECTION = "8716-3"

_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII).fullmatch
_LOINC = "2.16.840.1.113883.6.1"


def read(entry: Any, document: CdaHeader) -> Iterator[tuple[str, dict[str, Any]]]:
    """One row, from the observation, digits as written. A measure without a time of its own has that of its organizer, else of the
    documented act: a measure without any is not read."""
    asked = reading.concept(reading.child(entry, "code"))
    value = reading.child(entry, "value")
    number, unit = _measure(value)
    measured = reading.local(reading.span(entry)[0])
    if measured is None:
        organizer = next((a for a in entry.iterancestors() if a.tag == f"{V3}organizer"), None)
        measured = reading.local(reading.span(organizer)[0]) if organizer is not None else None
    if measured is None and document.acts:
        measured = reading.local(document.acts[0].low)
    reason = ""
    if not reading.templates(entry) & _SIGN and reading.section(entry) != _SECTION:
        yield reading.unrepresented(entry, "no canonical table holds this statement")
        return
    if entry.get("moodCode", "EVN") != "EVN":
        reason = "what is planned or asked has no canonical table"
    elif reading.denied(entry):
        reason = "a measure that is denied has no canonical column"
    elif not asked.code or asked.system not in (None, _LOINC):
        reason = "a measure without a LOINC code has no canonical column"
    elif not _NUMBER(number):
        reason = "a measure that is not one number has no canonical column"
    elif measured is None:
        reason = "nothing says when it was measured"
    if reason:
        yield reading.unrepresented(entry, reason)
        return
    yield (
        "vital_sign",
        {
            "key": reading.key(entry, "vital_sign"),
            "code": asked.code,
            "label": asked.display or asked.words or asked.code,
            "value": number,
            "unit": unit or None,
            "measured": measured,
        },
    )
    yield from reading.losses(entry, asked)


def _measure(value: Any) -> tuple[str, str]:
    """Number and unit of a quantity. The unit as received stands beside its form of UCUM, or beside a nullFlavor."""
    if value is None:
        return "", ""
    beside = reading.child(value, "translation")
    received = "" if beside is None else reading.words(reading.child(beside, "originalText"))
    number = value.get("value", "") or ("" if beside is None else beside.get("value", ""))
    return number, received if beside is not None and beside.get("value") == number and received else value.get(
        "unit", ""
    )
