"""A risk factor row to its Observation of the social history."""

from __future__ import annotations

from typing import Any

from transvase.exporters.fhir.absence import DENIED, UNLABELLED, put_required_date
from transvase.exporters.fhir.primitive import Json, french_date, text, written
from transvase.exporters.fhir.release import ips_profile
from transvase.exporters.fhir.subject import Subject, resource_id
from transvase.exporters.fhir.terminology import HL7, LOINC, concept_beside, fixed

_TOBACCO_META = written({"profile": [ips_profile("Observation-tobaccouse")]})
_CATEGORY = written([fixed(f"{HL7}observation-category", "social-history")])
# The other categories hold too many different facts for one LOINC code.
_LOINC: dict[str, tuple[Json, ...]] = {
    "tobacco": ({"system": LOINC, "code": "72166-2"},),
    "alcohol": ({"system": LOINC, "code": "11331-6"},),
    "occupational": ({"system": LOINC, "code": "11341-5"},),
}
_YES = written({"coding": [{"system": f"{HL7}v2-0136", "code": "Y"}], "text": "Oui"})
_NO_CODING = written({"system": f"{HL7}v2-0136", "code": "N"})
_NO = written({"coding": [_NO_CODING], "text": "Non : absence affirmée"})


def observation(row: Any, subject: Subject) -> Json:
    """The resource of an affirmed or denied row: its value as recorded, or yes; for a denied one, no, with its value as text."""
    resource: Json = {"resourceType": "Observation", "id": resource_id(subject.practice, "risk_factor", row.key)}
    if row.category == "tobacco":
        resource["meta"] = _TOBACCO_META
    resource["identifier"] = subject.identifier("risk_factor", row.key)
    resource["status"] = "final"
    resource["category"] = _CATEGORY
    resource["code"] = concept_beside(row.label, None, None, *_LOINC.get(row.category, ()))
    resource["subject"] = subject.patient
    put_required_date(resource, "effectiveDateTime", row.recorded)
    value = text(row.value)
    if row.assertion == DENIED:
        resource["valueCodeableConcept"] = {"coding": [_NO_CODING], "text": value} if value else _NO
    else:
        resource["valueCodeableConcept"] = {"text": value} if value else _YES
    return resource


def line(row: Any) -> str:
    """The row for a reader, unescaped."""
    words = text(row.label) or UNLABELLED
    if row.value:
        words += f" : {row.value}"
    return f"{words} ({french_date(row.recorded)})" if row.recorded else words
