"""An allergy row to its AllergyIntolerance. Sections and bundles are not known here."""

from __future__ import annotations

from typing import Any

from transvase.exporters.fhir.absence import (
    DENIED,
    UNKNOWN_CONCEPT,
    UNLABELLED,
    denial_note,
    put_date,
    whole_denial,
)
from transvase.exporters.fhir.primitive import Json, french_date, text, written
from transvase.exporters.fhir.release import ips_profile
from transvase.exporters.fhir.subject import Subject, resource_id
from transvase.exporters.fhir.terminology import HL7, SNOMED, concept, concept_beside, fixed

_META = written({"profile": [ips_profile("AllergyIntolerance")]})
_ACTIVE = fixed(f"{HL7}allergyintolerance-clinical", "active")
_INACTIVE = fixed(f"{HL7}allergyintolerance-clinical", "inactive")
_CONFIRMED = fixed(f"{HL7}allergyintolerance-verification", "confirmed")
_REFUTED = fixed(f"{HL7}allergyintolerance-verification", "refuted")
_NO_KNOWN_ALLERGY = written({"system": SNOMED, "code": "716186003"})
_SEVERITY = {"mild": "mild", "moderate": "moderate", "severe": "severe"}
_SEVERITY_FR = {"mild": "légère", "moderate": "modérée", "severe": "sévère"}


def allergy_intolerance(row: Any, subject: Subject) -> Json:
    """The resource of an affirmed or denied row.

    No allergy at all is a confirmed statement coded "no known allergy" (the form of R4's own example and of IPS); no allergy to a
    named substance is that allergy, refuted, which invariant ait-1 still wants with a clinical status.
    """
    resource: Json = {
        "resourceType": "AllergyIntolerance",
        "id": resource_id(subject.practice, "allergy", row.key),
        "meta": _META,
        "identifier": subject.identifier("allergy", row.key),
    }
    if row.assertion != DENIED:
        resource["clinicalStatus"] = _ACTIVE
        resource["verificationStatus"] = _CONFIRMED
        resource["code"] = concept(row.label, row.code, row.system)
    elif statement := whole_denial("allergy", row):
        resource["clinicalStatus"] = _ACTIVE
        resource["verificationStatus"] = _CONFIRMED
        resource["code"] = concept_beside(statement, row.code, row.system, _NO_KNOWN_ALLERGY)
    else:
        resource["clinicalStatus"] = _INACTIVE
        resource["verificationStatus"] = _REFUTED
        resource["code"] = concept(row.label, row.code, row.system)
        if note := denial_note(row.label):
            resource["note"] = note
    resource["patient"] = subject.patient
    put_date(resource, "onsetDateTime", row.onset)
    put_date(resource, "recordedDate", row.recorded)
    if row.practitioner:
        resource["recorder"] = subject.professional(row.practitioner)
    reaction = text(row.reaction)
    severity = _SEVERITY.get(row.severity or "")
    if reaction or severity:
        # A reaction must have a manifestation (1..*), even when only its severity was recorded.
        event: Json = {"manifestation": [{"text": reaction} if reaction else UNKNOWN_CONCEPT]}
        if severity:
            event["severity"] = severity
        resource["reaction"] = [event]
    return resource


def line(row: Any) -> str:
    """The row for a reader, unescaped."""
    words = text(row.label) or UNLABELLED
    if row.reaction:
        words += f" : {row.reaction}"
    if row.severity in _SEVERITY_FR:
        words += f", gravité {_SEVERITY_FR[row.severity]}"
    return f"{words} (depuis {french_date(row.onset)})" if row.onset else words
