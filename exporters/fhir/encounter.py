"""An encounter row to its Encounter. Documents do not hold encounters: they stand in the collection and in the files."""

from __future__ import annotations

from typing import Any

from transvase.exporters.fhir.absence import ERRONEOUS, UNKNOWN_CODING, period
from transvase.exporters.fhir.primitive import Resource, text, written
from transvase.exporters.fhir.release import fr_core_profile
from transvase.exporters.fhir.subject import Subject, resource_id
from transvase.exporters.fhir.terminology import HL7, fixed

_META = f',"meta":{written({"profile": [fr_core_profile("encounter")]})}'
# FR Core requires a type of identifier: visit number.
_VISIT = f'{{"type":{fixed(f"{HL7}v2-0203", "VN")},'
_CLASSES = {
    code: written({"system": f"{HL7}v3-ActCode", "code": code}) for code in ("AMB", "HH", "VR", "EMER", "IMP", "FLD")
}


def encounter(row: Any, subject: Subject) -> Resource:
    """The resource of a row; it is over when its day is not after the day of the export, unknown otherwise."""
    over = (row.end or row.start or "")[:10] <= subject.day
    name = resource_id(subject.practice, "encounter", row.key)
    # FR Core requires a patient of FR Core.
    meta = _META if subject.french else ""
    participant = ""
    if row.practitioner:
        participant = f',"participant":[{{"individual":{subject.professional(row.practitioner)}}}]'
    lasted = period(row.start, row.end) or f'{{"_start":{ERRONEOUS}}}'
    reason = f',"reasonCode":[{{"text":{written(words)}}}]' if row.reason and (words := text(row.reason)) else ""
    content = (
        f'{{"resourceType":"Encounter","id":"{name}"{meta}'
        f',"identifier":[{_VISIT}{subject.identifier("encounter", row.key)[1:]}]'
        f',"status":"{"finished" if over else "unknown"}","class":{_CLASSES.get(row.mode or "", UNKNOWN_CODING)}'
        f',"subject":{subject.patient}{participant},"period":{lasted}{reason}}}'
    )
    return "Encounter", name, content
