"""Vital sign rows to Observations conforming to R4's own vital signs profiles, which every R4 system must use for them.

A blood pressure is one Observation of two components whatever the rows, as the `bp` profile has it: `measures` brings both rows
together before `observation` writes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from transvase.exporters.fhir.absence import UNKNOWN_CONCEPT, UNLABELLED, put_required_date
from transvase.exporters.fhir.primitive import Json, code, date_time, decimal, french_date, text, written
from transvase.exporters.fhir.release import core_profile, fr_core_profile
from transvase.exporters.fhir.subject import Subject, resource_id
from transvase.exporters.fhir.terminology import HL7, LOINC, UCUM, fixed

SYSTOLIC, DIASTOLIC, _PANEL = "8480-6", "8462-4", "85354-9"


class _Sign(NamedTuple):
    """What the profiles of one sign require: their names, the LOINC code that must stand, the UCUM units allowed."""

    core: str
    french: str
    loinc: str
    units: frozenset[str]


def _sign(core: str, french: str, loinc: str, *units: str) -> _Sign:
    return _Sign(core_profile(core), fr_core_profile(f"observation-{french}"), loinc, frozenset(units))


_WEIGHT = _sign("bodyweight", "body-weight", "29463-7", "g", "kg", "[lb_av]")
_HEIGHT = _sign("bodyheight", "body-height", "8302-2", "cm", "[in_i]")
_OXYGEN = _sign("oxygensat", "saturation-oxygen", "2708-6", "%")
_PRESSURE = _sign("bp", "bp", _PANEL, "mm[Hg]")
# By recorded LOINC code; the more specific ones are kept beside the code that the profile requires (R4, "Vital Signs").
_SIGNS = {
    "29463-7": _WEIGHT,
    "3141-9": _WEIGHT,
    "8302-2": _HEIGHT,
    "8308-9": _HEIGHT,
    "2708-6": _OXYGEN,
    "59408-5": _OXYGEN,
    "39156-5": _sign("bmi", "bmi", "39156-5", "kg/m2"),
    "8310-5": _sign("bodytemp", "body-temperature", "8310-5", "Cel", "[degF]"),
    "8867-4": _sign("heartrate", "heartrate", "8867-4", "/min"),
    "9279-1": _sign("resprate", "resp-rate", "9279-1", "/min"),
    "9843-4": _sign("headcircum", "head-circum", "9843-4", "cm", "[in_i]"),
}
_CATEGORY = written([fixed(f"{HL7}observation-category", "vital-signs")])
_PANEL_CODE = written({"coding": [{"system": LOINC, "code": _PANEL}], "text": "Pression artérielle"})
_BARE = written({"profile": [core_profile("vitalsigns")]})
_METAS = {
    (sign.core, french): written({"profile": [sign.core, sign.french] if french else [sign.core]})
    for sign in (*_SIGNS.values(), _PRESSURE)
    for french in (False, True)
}


def measures(rows: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The rows in order, a systolic and a diastolic pressure of the same moment and encounter together, systolic first."""
    found: list[tuple[Any, ...]] = []
    waiting: dict[tuple[str, str, str | None], int] = {}
    for row in rows:
        if row.code != SYSTOLIC and row.code != DIASTOLIC:
            found.append((row,))
            continue
        other = DIASTOLIC if row.code == SYSTOLIC else SYSTOLIC
        place = waiting.pop((other, row.measured, row.encounter), None)
        if place is None:
            # A second systolic before any diastolic takes the place in the queue; the first stays alone.
            waiting[row.code, row.measured, row.encounter] = len(found)
            found.append((row,))
        else:
            (first,) = found[place]
            found[place] = (row, first) if row.code == SYSTOLIC else (first, row)
    return found


# Weights, heights and pressures recur from patient to patient.
@lru_cache(maxsize=1 << 14)
def _quantity(value: str | None, unit: str | None) -> tuple[str, Any, str]:
    """Element name, value and UCUM unit (empty when there is none) of a measure; shared, never to be changed."""
    number, written = decimal(value), text(unit)
    if number is None:
        words = f"{text(value)} {written}".strip()
        return ("valueString", words, "") if text(value) else ("dataAbsentReason", UNKNOWN_CONCEPT, "")
    if not written:
        return "valueQuantity", {"value": number}, ""
    if code(written) != written or " " in written:
        return "valueQuantity", {"value": number, "unit": written}, ""
    return "valueQuantity", {"value": number, "unit": written, "system": UCUM, "code": written}, written


def _component(loinc: str, row: Any) -> tuple[Json, str]:
    name, value, unit = _quantity(row.value, row.unit)
    component: Json = {"code": {"coding": [{"system": LOINC, "code": loinc}]}, name: value}
    if words := text(row.label):
        component["code"]["text"] = words
    return component, unit


def observation(rows: tuple[Any, ...], subject: Subject) -> Json:
    """The resource of a measure made by `measures`. A profile is claimed when unit and date are what it requires (to the day)."""
    first = rows[0]
    key = first.key
    resource: Json = {
        "resourceType": "Observation",
        "id": resource_id(subject.practice, "vital_sign", key),
        "meta": _BARE,
        "identifier": subject.identifier("vital_sign", key),
        "status": "final",
        "category": _CATEGORY,
    }
    measured = first.measured or ""
    dated = len(measured) >= 10 and bool(date_time(measured))
    if first.code in (SYSTOLIC, DIASTOLIC):
        resource["identifier"] = [
            identifier for row in rows for identifier in subject.identifier("vital_sign", row.key)
        ]
        resource["code"] = _PANEL_CODE
        by_code = {row.code: row for row in rows}
        components, units = [], set()
        for loinc in (SYSTOLIC, DIASTOLIC):
            if loinc in by_code:
                component, unit = _component(loinc, by_code[loinc])
                units.add(unit)
            else:
                component = {
                    "code": {"coding": [{"system": LOINC, "code": loinc}]},
                    "dataAbsentReason": UNKNOWN_CONCEPT,
                }
            components.append(component)
        sign: _Sign | None = _PRESSURE
        fits = units <= _PRESSURE.units
        value: Any = components
        name = "component"
    else:
        sign = _SIGNS.get(first.code)
        name, value, unit = _quantity(first.value, first.unit)
        fits = sign is not None and unit in sign.units
        recorded = code(first.code)
        coding = [{"system": LOINC, "code": recorded}] if recorded else []
        if sign is not None and sign.loinc != recorded:
            coding.append({"system": LOINC, "code": sign.loinc})
        words = text(first.label)
        concept: Json = {"coding": coding} if coding else {}
        if words:
            concept["text"] = words
        resource["code"] = concept or UNKNOWN_CONCEPT
    if not dated:
        del resource["meta"]
    elif fits and sign is not None:
        resource["meta"] = _METAS[sign.core, subject.french]
    resource["subject"] = subject.patient
    if encounter := subject.encounter(first.encounter):
        resource["encounter"] = encounter
    put_required_date(resource, "effectiveDateTime", first.measured)
    resource[name] = value
    return resource


def line(rows: tuple[Any, ...]) -> str:
    """The measure for a reader, unescaped."""
    first = rows[0]
    measured = f" ({french_date(first.measured)})" if first.measured else ""
    if len(rows) == 2:
        return f"Pression artérielle : {first.value} / {rows[1].value} {first.unit or ''}{measured}"
    return f"{text(first.label) or UNLABELLED} : {first.value} {first.unit or ''}{measured}"
