"""A laboratory result row to its Observation. Digits and units stay as received."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from orjson import Fragment

from transvase.exporters.fhir.absence import UNKNOWN, UNKNOWN_CONCEPT, UNLABELLED, put_required_date
from transvase.exporters.fhir.primitive import Json, date_time, decimal, french_date, is_instant, text, written
from transvase.exporters.fhir.release import ips_profile
from transvase.exporters.fhir.subject import Subject, resource_id
from transvase.exporters.fhir.terminology import HL7, concept, fixed

_META = written({"profile": [ips_profile("Observation-results-laboratory-pathology")]})
_LABORATORY = fixed(f"{HL7}observation-category", "laboratory")
_CATEGORY = written([_LABORATORY])
_INTERPRETATION = {
    flag: written([fixed(f"{HL7}v3-ObservationInterpretation", flag)])
    for flag in ("N", "L", "H", "LL", "HH", "A", "AA", "S", "I", "R")
}
# A result without a state was received: laboratories send what they have validated.
_STATUS = {"partial": "preliminary", "corrected": "corrected", "cancelled": "cancelled"}
# IPS requires a performer and says that its absence is to be given a reason.
_PERFORMER = written([UNKNOWN])


# Bounds of reference and units recur from patient to patient, values often do.
@lru_cache(maxsize=1 << 14)
def _quantity(value: str | None, unit: str) -> Fragment | None:
    number = decimal(value)
    if number is None:
        return None
    # The unit is the laboratory's text: claiming UCUM for it would be a guess.
    return written({"value": number, "unit": unit} if unit else {"value": number})


# Chapters and panels recur from patient to patient. R4 has no element for a title: a category may be words, its id says of what.
@lru_cache(maxsize=1 << 10)
def _category(chapter: str, panel: str) -> Fragment:
    titles = [{"id": name, "text": words} for name, words in (("chapter", chapter), ("panel", panel)) if words]
    return written([_LABORATORY, *titles]) if titles else _CATEGORY


def _performers(laboratory: str, biologist: str) -> list[Json]:
    """By their names: neither is a row of the record."""
    named = (("Organization", laboratory), ("Practitioner", biologist))
    return [{"type": kind, "display": name} for kind, name in named if name]


def observation(row: Any, subject: Subject) -> Json:
    """The resource of a result. A value that is no number is a string; both kept when both were received."""
    resource: Json = {
        "resourceType": "Observation",
        "id": resource_id(subject.practice, "lab_result", row.key),
        "meta": _META,
        "identifier": subject.identifier("lab_result", row.key),
        "status": _STATUS.get(row.status or "", "final"),
        "category": _category(text(row.chapter), text(row.panel)),
        "code": concept(row.label, row.code, row.system),
        "subject": subject.patient,
    }
    put_required_date(resource, "effectiveDateTime", row.measured)
    notes = [words] if (words := text(row.comment)) else []
    if row.validated:
        moment = date_time(row.validated)
        # `issued` is an instant: a day alone is said in words.
        if is_instant(moment):
            resource["issued"] = moment
        else:
            notes.append(f"Validation : {french_date(row.validated)}")
    resource["performer"] = _performers(text(row.laboratory), text(row.validated_by)) or _PERFORMER
    unit = text(row.unit)
    quantity = _quantity(row.value, unit)
    words = text(row.value_text)
    if quantity is not None:
        resource["valueQuantity"] = quantity
        if words:
            notes.append(words)
    elif words or text(row.value):
        resource["valueString"] = " ".join(filter(None, (text(row.value), unit if text(row.value) else "", words)))
    else:
        resource["dataAbsentReason"] = UNKNOWN_CONCEPT
    if row.flag in _INTERPRETATION:
        resource["interpretation"] = _INTERPRETATION[row.flag]
    if notes:
        resource["note"] = [{"text": note} for note in notes]
    if method := text(row.method):
        resource["method"] = {"text": method}
    if specimen := text(row.specimen):
        resource["specimen"] = {"type": "Specimen", "display": specimen}
    if row.low or row.high:
        low, high = _quantity(row.low, unit), _quantity(row.high, unit)
        bounds: Json = {}
        if low is not None:
            bounds["low"] = low
        if high is not None:
            bounds["high"] = high
        if bounds:
            resource["referenceRange"] = [bounds]
    return resource


def line(row: Any) -> str:
    """The row for a reader, unescaped."""
    measured = f" ({french_date(row.measured)})" if row.measured else ""
    value = f"{row.value} {row.unit or ''} " if row.value else ""
    bounds = f" [{row.low or ''} - {row.high or ''}]" if row.low or row.high else ""
    flag = f" {row.flag}" if row.flag else ""
    return f"{text(row.label) or UNLABELLED} : {value}{row.value_text or ''}{flag}{bounds}{measured}"
