"""A problem row of category surgery to its Procedure."""

from __future__ import annotations

from typing import Any

from transvase.exporters.fhir.absence import DENIED, denial_note, period, put_required_date, whole_denial
from transvase.exporters.fhir.primitive import Json, written
from transvase.exporters.fhir.release import ips_profile
from transvase.exporters.fhir.subject import Subject, resource_id
from transvase.exporters.fhir.terminology import SNOMED, concept, concept_beside

_META = written({"profile": [ips_profile("Procedure")]})
_NO_KNOWN_PROCEDURE = written({"system": SNOMED, "code": "787480003"})


def procedure(row: Any, subject: Subject) -> Json:
    """The resource of an affirmed or denied row. Denied is `not-done`, whether it names an operation or denies them all."""
    resource: Json = {
        "resourceType": "Procedure",
        "id": resource_id(subject.practice, "problem", row.key),
        "meta": _META,
        "identifier": subject.identifier("problem", row.key),
        "status": "completed",
    }
    if row.assertion != DENIED:
        resource["code"] = concept(row.label, row.code, row.system)
    else:
        resource["status"] = "not-done"
        if statement := whole_denial("surgery", row):
            resource["code"] = concept_beside(statement, row.code, row.system, _NO_KNOWN_PROCEDURE)
        else:
            resource["code"] = concept(row.label, row.code, row.system)
        if note := denial_note(row.label):
            resource["note"] = note
    resource["subject"] = subject.patient
    if row.resolved:
        resource["performedPeriod"] = period(row.onset, row.resolved)
    else:
        put_required_date(resource, "performedDateTime", row.onset)
    if row.practitioner:
        resource["recorder"] = subject.professional(row.practitioner)
    return resource
