"""An encounter row to its Encounter. Documents do not hold encounters: they stand in the collection and in the files."""

from __future__ import annotations

from typing import Any

from transvase.exporters.fhir.absence import ERRONEOUS, UNKNOWN_CODING, period
from transvase.exporters.fhir.primitive import Json, text, written
from transvase.exporters.fhir.release import fr_core_profile
from transvase.exporters.fhir.subject import Subject, resource_id
from transvase.exporters.fhir.terminology import HL7, fixed

_META = written({"profile": [fr_core_profile("encounter")]})
# FR Core requires a type of identifier: visit number.
_VISIT = fixed(f"{HL7}v2-0203", "VN")
_CLASSES = {
    code: written({"system": f"{HL7}v3-ActCode", "code": code}) for code in ("AMB", "HH", "VR", "EMER", "IMP", "FLD")
}


def encounter(row: Any, subject: Subject) -> Json:
    """The resource of a row; it is over when its day is not after the day of the export, unknown otherwise."""
    over = (row.end or row.start or "")[:10] <= subject.day
    (number,) = subject.identifier("encounter", row.key)
    resource: Json = {
        "resourceType": "Encounter",
        "id": resource_id(subject.practice, "encounter", row.key),
    }
    if subject.french:
        # FR Core requires a patient of FR Core.
        resource["meta"] = _META
    resource["identifier"] = [{"type": _VISIT, **number}]
    resource["status"] = "finished" if over else "unknown"
    resource["class"] = _CLASSES.get(row.mode or "") or UNKNOWN_CODING
    resource["subject"] = subject.patient
    if row.practitioner:
        resource["participant"] = [{"individual": subject.professional(row.practitioner)}]
    resource["period"] = period(row.start, row.end) or {"_start": ERRONEOUS}
    if reason := text(row.reason):
        resource["reasonCode"] = [{"text": reason}]
    return resource
