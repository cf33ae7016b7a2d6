"""A problem row of category family to its FamilyMemberHistory, or to an Observation when the family history is denied."""

from __future__ import annotations

from typing import Any

from transvase.exporters.fhir.absence import DENIED, denial_note, put_date
from transvase.exporters.fhir.primitive import Json, french_date, written
from transvase.exporters.fhir.subject import Subject, resource_id
from transvase.exporters.fhir.terminology import HL7, LOINC, concept, fixed

# The table does not say which relative: the code that covers them all.
_RELATIVE = fixed(f"{HL7}v3-RoleCode", "FAMMEMB")
_FAMILY_HISTORY = written({"coding": [{"system": LOINC, "code": "10157-6"}], "text": "Antécédents familiaux"})
_NO = written({"coding": [{"system": f"{HL7}v2-0136", "code": "N"}], "text": "Non : absence affirmée"})


def family_history(row: Any, subject: Subject) -> Json:
    """The resource of an affirmed or denied row.

    FamilyMemberHistory cannot deny a condition. An Observation of the family history can, the condition standing in a component:
    as the Observation's own code it would be the patient's.
    """
    resource: Json = {
        "resourceType": "FamilyMemberHistory",
        "id": resource_id(subject.practice, "problem", row.key),
        "identifier": subject.identifier("problem", row.key),
        "status": "completed",
    }
    subject_of = concept(row.label, row.code, row.system)
    if row.assertion == DENIED:
        resource["resourceType"] = "Observation"
        resource["status"] = "final"
        resource["code"] = _FAMILY_HISTORY
        resource["subject"] = subject.patient
        put_date(resource, "effectiveDateTime", row.recorded)
        if row.practitioner:
            resource["performer"] = [subject.professional(row.practitioner)]
        if note := denial_note(row.label):
            resource["note"] = note
        resource["component"] = [{"code": subject_of, "valueCodeableConcept": _NO}]
        return resource
    resource["patient"] = subject.patient
    put_date(resource, "date", row.recorded)
    resource["relationship"] = _RELATIVE
    condition: Json = {"code": subject_of}
    if row.onset:
        condition["onsetString"] = french_date(row.onset)
    if row.resolved:
        condition["note"] = [{"text": f"Fin : {french_date(row.resolved)}"}]
    resource["condition"] = [condition]
    return resource
