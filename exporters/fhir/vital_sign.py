"""Vital sign rows to Observations conforming to R4's own vital signs profiles, which every R4 system must use for them.

A blood pressure is one Observation of two components whatever the rows, as the `bp` profile has it: `measures` brings both rows
together before `observation` writes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from transvase.exporters.fhir.absence import UNKNOWN_CONCEPT, required_date
from transvase.exporters.fhir.narrative import day, label, shown, usual
from transvase.exporters.fhir.primitive import Json, Resource, Written, code, date_time, decimal, text, written
from transvase.exporters.fhir.release import core_profile, fr_core_profile
from transvase.exporters.fhir.subject import Subject
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
_CATEGORY = f"[{fixed(f'{HL7}observation-category', 'vital-signs')}]"
_PANEL_CODE = written({"coding": [{"system": LOINC, "code": _PANEL}], "text": "Pression artérielle"})
_PRESSURE_SHOWN = shown("Pression artérielle : ")


def _meta(*profiles: str) -> Written:
    return f',"meta":{written({"profile": profiles})}'


_BARE = _meta(core_profile("vitalsigns"))
_METAS = {
    (sign.core, french): _meta(sign.core, sign.french) if french else _meta(sign.core)
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


class _Quantity(NamedTuple):
    """The member of a measure's value, and its UCUM unit (empty when there is none)."""

    member: Written
    unit: str


# Weights, heights and pressures recur from patient to patient.
@lru_cache(maxsize=1 << 14)
def _quantity(value: str | None, unit: str | None) -> _Quantity:
    number, named = decimal(value), text(unit)
    if number is None:
        words = f"{text(value)} {named}".strip()
        absent = f'"dataAbsentReason":{UNKNOWN_CONCEPT}'
        return _Quantity(f'"valueString":{written(words)}' if text(value) else absent, "")
    if not named:
        return _Quantity(f'"valueQuantity":{{"value":{number}}}', "")
    quantity = f'"valueQuantity":{{"value":{number},"unit":{written(named)}'
    if code(named) != named or " " in named:
        return _Quantity(f"{quantity}}}", "")
    return _Quantity(f'{quantity},"system":"{UCUM}","code":{written(named)}}}', named)


@lru_cache(maxsize=1 << 10)
def _code(recorded: str | None, label: str | None) -> Written:
    """CodeableConcept of a sign, with the code that its profile requires beside a more specific one."""
    kept, sign = code(recorded), _SIGNS.get(recorded or "")
    codes = [kept] if kept else []
    if sign is not None and sign.loinc != kept:
        codes.append(sign.loinc)
    concept: Json = {"coding": [{"system": LOINC, "code": one} for one in codes]} if codes else {}
    if words := text(label):
        concept["text"] = words
    return written(concept) if concept else UNKNOWN_CONCEPT


def _component(loinc: str, row: Any) -> tuple[Written, str]:
    coded: Json = {"coding": [{"system": LOINC, "code": loinc}]}
    if row is None:
        return f'{{"code":{written(coded)},"dataAbsentReason":{UNKNOWN_CONCEPT}}}', ""
    if words := text(row.label):
        coded["text"] = words
    member, unit = _quantity(row.value, row.unit)
    return f'{{"code":{written(coded)},{member}}}', unit


def observation(rows: tuple[Any, ...], subject: Subject, name: str, number: Written) -> Resource:
    """The resource of a measure made by `measures`. A profile is claimed when unit and date are what it requires (to the day)."""
    first = rows[0]
    if first.code in (SYSTOLIC, DIASTOLIC):
        by_code = {row.code: row for row in rows}
        components = {loinc: _component(loinc, by_code.get(loinc)) for loinc in (SYSTOLIC, DIASTOLIC)}
        sign: _Sign | None = _PRESSURE
        fits = all(components[loinc][1] in _PRESSURE.units for loinc in by_code)
        coded, member = _PANEL_CODE, f'"component":[{",".join(component for component, _ in components.values())}]'
    else:
        sign = _SIGNS.get(first.code)
        member, unit = _quantity(first.value, first.unit)
        fits = sign is not None and unit in sign.units
        coded = _code(first.code, first.label)
    measured = first.measured or ""
    meta = ""
    if len(measured) >= 10 and date_time(measured):
        meta = _METAS[sign.core, subject.french] if fits and sign is not None else _BARE
    if len(rows) == 2:
        number += f",{subject.identifier('vital_sign', rows[1].key)}"
    content = (
        f'{{"resourceType":"Observation","id":"{name}"{meta},"identifier":[{number}],"status":"final","category":{_CATEGORY},"code":{coded},"subject":{subject.patient}'
        f"{subject.encounter(first.encounter)}{required_date('effectiveDateTime', first.measured)},{member}}}"
    )
    return "Observation", name, content


def line(rows: tuple[Any, ...]) -> Written:
    """The measure for a reader."""
    first = rows[0]
    measured = f" ({day(first.measured)})" if first.measured else ""
    unit = usual(first.unit or "")
    if len(rows) == 2:
        return f"{_PRESSURE_SHOWN}{usual(first.value)} / {usual(rows[1].value)} {unit}{measured}"
    return f"{label(first.label)} : {usual(first.value)} {unit}{measured}"
