"""A laboratory result row to its Observation. Digits and units stay as received."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from transvase.exporters.fhir.absence import UNKNOWN, UNKNOWN_CONCEPT, required_date
from transvase.exporters.fhir.narrative import day, label, shown, usual
from transvase.exporters.fhir.primitive import (
    Resource,
    Written,
    date_time,
    decimal,
    french_date,
    is_instant,
    text,
    written,
)
from transvase.exporters.fhir.release import ips_profile
from transvase.exporters.fhir.subject import Subject
from transvase.exporters.fhir.terminology import HL7, concept, fixed

_HEAD = '{"resourceType":"Observation","id":"'
_META = f'","meta":{written({"profile": [ips_profile("Observation-results-laboratory-pathology")]})},"identifier":['
_LABORATORY = fixed(f"{HL7}observation-category", "laboratory")
_INTERPRETATION = {
    flag: f',"interpretation":[{fixed(f"{HL7}v3-ObservationInterpretation", flag)}]'
    for flag in ("N", "L", "H", "LL", "HH", "A", "AA", "S", "I", "R")
}
# A result without a state was received: laboratories send what they have validated.
_STATUS = {"partial": "preliminary", "corrected": "corrected", "cancelled": "cancelled"}
# IPS requires a performer and says that its absence is to be given a reason.
_PERFORMER = f"[{UNKNOWN}]"


# Bounds of reference and units recur from patient to patient, values often do.
@lru_cache(maxsize=1 << 14)
def _quantity(value: str | None, unit: str) -> Written:
    """Empty when the value is no number."""
    number = decimal(value)
    if number is None:
        return ""
    # The unit is the laboratory's text: claiming UCUM for it would be a guess.
    return f'{{"value":{number},"unit":{written(unit)}}}' if unit else f'{{"value":{number}}}'


# Chapters and panels recur from patient to patient. R4 has no element for a title: a category may be words, its id says of what.
@lru_cache(maxsize=1 << 10)
def _category(chapter: str | None, panel: str | None) -> Written:
    titled = (("chapter", text(chapter)), ("panel", text(panel)))
    titles = "".join(f",{written({'id': name, 'text': words})}" for name, words in titled if words)
    return f"[{_LABORATORY}{titles}]"


# A practice knows few laboratories and biologists.
@lru_cache(maxsize=1 << 10)
def _performers(laboratory: str | None, biologist: str | None) -> Written:
    """By their names: neither is a row of the record."""
    named = (("Organization", text(laboratory)), ("Practitioner", text(biologist)))
    found = [{"type": kind, "display": name} for kind, name in named if name]
    return written(found) if found else _PERFORMER


@lru_cache(maxsize=1 << 14)
def _range(low: str | None, high: str | None, unit: str) -> Written:
    bounds = ((name, _quantity(value, unit)) for name, value in (("low", low), ("high", high)))
    members = ",".join(f'"{name}":{bound}' for name, bound in bounds if bound)
    return f',"referenceRange":[{{{members}}}]' if members else ""


def _words(row: Any, unit: str, words: str) -> Written:
    """The value of a result that is no number."""
    value = text(row.value)
    if not words and not value:
        return f',"dataAbsentReason":{UNKNOWN_CONCEPT}'
    return f',"valueString":{written(" ".join(filter(None, (value, unit if value else "", words))))}'


def observation(row: Any, subject: Subject, name: str, number: Written) -> Resource:
    """The resource of a result. A value that is no number is a string; both kept when both were received."""
    notes = [words] if row.comment and (words := text(row.comment)) else []
    issued = ""
    if row.validated:
        moment = date_time(row.validated)
        # `issued` is an instant: a day alone is said in words.
        if is_instant(moment):
            issued = f',"issued":"{moment}"'
        else:
            notes.append(f"Validation : {french_date(row.validated)}")
    unit = text(row.unit)
    words = text(row.value_text)
    if quantity := _quantity(row.value, unit):
        value = f',"valueQuantity":{quantity}'
        if words:
            notes.append(words)
    else:
        value = _words(row, unit, words)
    note = f',"note":{written([{"text": note} for note in notes])}' if notes else ""
    method = f',"method":{{"text":{written(words)}}}' if row.method and (words := text(row.method)) else ""
    specimen = ""
    if row.specimen and (words := text(row.specimen)):
        specimen = f',"specimen":{{"type":"Specimen","display":{written(words)}}}'
    content = (
        f'{_HEAD}{name}{_META}{number}],"status":"{_STATUS.get(row.status or "", "final")}","category":{_category(row.chapter, row.panel)}'
        f',"code":{concept(row.label, row.code, row.system)},"subject":{subject.patient}'
        f"{required_date('effectiveDateTime', row.measured)}{issued}"
        f',"performer":{_performers(row.laboratory, row.validated_by)}{value}{_INTERPRETATION.get(row.flag, "")}{note}'
        f"{method}{specimen}{_range(row.low, row.high, unit) if row.low or row.high else ''}}}"
    )
    return "Observation", name, content


def line(row: Any) -> Written:
    """The row for a reader."""
    measured = f" ({day(row.measured)})" if row.measured else ""
    value = f"{usual(row.value)} {usual(row.unit or '')} " if row.value else ""
    words = shown(row.value_text) if row.value_text else ""
    bounds = f" [{usual(row.low or '')} - {usual(row.high or '')}]" if row.low or row.high else ""
    flag = f" {usual(row.flag)}" if row.flag else ""
    return f"{label(row.label)} : {value}{words}{flag}{bounds}{measured}"
