"""A treatment row to its MedicationStatement. Prescriptions are other tables."""

from __future__ import annotations

from typing import Any

from transvase.exporters.fhir.absence import DENIED, UNKNOWN, UNLABELLED, denial_note, period, whole_denial
from transvase.exporters.fhir.primitive import Json, date_time, french_date, text, written
from transvase.exporters.fhir.release import ips_profile
from transvase.exporters.fhir.subject import Subject, resource_id
from transvase.exporters.fhir.terminology import SNOMED, concept, concept_beside

_META = written({"profile": [ips_profile("MedicationStatement")]})
_NO_KNOWN_MEDICATION = written({"system": SNOMED, "code": "787481004"})
_LONG_TERM: Json = {"text": "Traitement au long cours"}


def _status(stop: str | None, day: str) -> str:
    """A treatment has ended when its end, at the precision recorded, is before the day of the document. An end that is no date
    is still an end."""
    if not stop:
        return "active"
    return "active" if date_time(stop) and stop >= day[: len(stop)] else "completed"


def medication_statement(row: Any, subject: Subject) -> Json:
    """The resource of an affirmed or denied row; denied is `not-taken`, whether it names a product or denies them all."""
    resource: Json = {
        "resourceType": "MedicationStatement",
        "id": resource_id(subject.practice, "treatment", row.key),
        "meta": _META,
        "identifier": subject.identifier("treatment", row.key),
    }
    notes: list[Json] = []
    if row.assertion != DENIED:
        resource["status"] = _status(row.stop, subject.day)
        resource["medicationCodeableConcept"] = concept(row.label, row.code, row.system)
    else:
        resource["status"] = "not-taken"
        if statement := whole_denial("treatment", row):
            resource["medicationCodeableConcept"] = concept_beside(
                statement, row.code, row.system, _NO_KNOWN_MEDICATION
            )
        else:
            resource["medicationCodeableConcept"] = concept(row.label, row.code, row.system)
        notes = denial_note(row.label)
    resource["subject"] = subject.patient
    taken = period(row.start, row.stop)
    if taken:
        resource["effectivePeriod"] = taken
    else:
        resource["_effectiveDateTime"] = UNKNOWN
    if row.practitioner:
        resource["informationSource"] = subject.professional(row.practitioner)
    if row.long_term:
        notes = [*notes, _LONG_TERM]
    if notes:
        resource["note"] = notes
    if row.dosage and (dosage := text(row.dosage)):
        resource["dosage"] = [{"text": dosage}]
    return resource


def line(row: Any) -> str:
    """The row for a reader, unescaped."""
    words = text(row.label) or UNLABELLED
    if row.dosage:
        words += f" : {row.dosage}"
    if row.start:
        words += f", depuis {french_date(row.start)}"
    return f"{words}, fin {french_date(row.stop)}" if row.stop else words
