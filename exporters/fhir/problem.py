"""A problem row (problem, history, trauma) to its Condition. Surgery and family history have their own modules."""

from __future__ import annotations

from typing import Any

from transvase.exporters.fhir.absence import DENIED, UNLABELLED, denial_note, put_date, whole_denial
from transvase.exporters.fhir.primitive import Json, french_date, text, written
from transvase.exporters.fhir.release import ips_profile
from transvase.exporters.fhir.subject import Subject, resource_id
from transvase.exporters.fhir.terminology import HL7, SNOMED, concept, concept_beside, fixed

_META = written({"profile": [ips_profile("Condition")]})
_ACTIVE = fixed(f"{HL7}condition-clinical", "active")
_INACTIVE = fixed(f"{HL7}condition-clinical", "inactive")
_RESOLVED = fixed(f"{HL7}condition-clinical", "resolved")
_CONFIRMED = fixed(f"{HL7}condition-ver-status", "confirmed")
_REFUTED = fixed(f"{HL7}condition-ver-status", "refuted")
_NO_CURRENT_PROBLEM = written({"system": SNOMED, "code": "160245001"})
# IPS asks for its own category where it fits; elsewhere the heading under which the software filed the row is kept as text.
_CATEGORY = {
    "problem": written([fixed(f"{HL7}condition-category", "problem-list-item")]),
    "history": written([{"text": "Antécédent"}]),
    "trauma": written([{"text": "Traumatisme"}]),
}


def condition(row: Any, subject: Subject) -> Json:
    """The resource of an affirmed or denied row.

    A history item without an end has no clinical status: filing it as history does not say that it is over.
    """
    resource: Json = {
        "resourceType": "Condition",
        "id": resource_id(subject.practice, "problem", row.key),
        "meta": _META,
        "identifier": subject.identifier("problem", row.key),
    }
    if row.assertion != DENIED:
        if row.resolved:
            resource["clinicalStatus"] = _RESOLVED
        elif row.category == "problem":
            resource["clinicalStatus"] = _ACTIVE
        resource["verificationStatus"] = _CONFIRMED
        resource["category"] = _CATEGORY[row.category]
        resource["code"] = concept(row.label, row.code, row.system)
    elif row.category == "problem" and not row.resolved and (statement := whole_denial("problem", row)):
        resource["clinicalStatus"] = _ACTIVE
        resource["verificationStatus"] = _CONFIRMED
        resource["category"] = _CATEGORY[row.category]
        resource["code"] = concept_beside(statement, row.code, row.system, _NO_CURRENT_PROBLEM)
    else:
        resource["clinicalStatus"] = _INACTIVE
        resource["verificationStatus"] = _REFUTED
        resource["category"] = _CATEGORY[row.category]
        resource["code"] = concept(row.label, row.code, row.system)
        if note := denial_note(row.label):
            resource["note"] = note
    resource["subject"] = subject.patient
    put_date(resource, "onsetDateTime", row.onset)
    put_date(resource, "abatementDateTime", row.resolved)
    put_date(resource, "recordedDate", row.recorded)
    if row.practitioner:
        resource["recorder"] = subject.professional(row.practitioner)
    return resource


def line(row: Any) -> str:
    """The row for a reader, unescaped; also serves surgery and family history, whose rows are of the same table."""
    words = text(row.label) or UNLABELLED
    if row.onset:
        words += f" ({french_date(row.onset)})"
    return f"{words}, fin {french_date(row.resolved)}" if row.resolved else words
