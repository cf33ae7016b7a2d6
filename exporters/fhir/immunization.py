"""An immunization row to its Immunization."""

from __future__ import annotations

from typing import Any

from transvase.exporters.fhir.absence import DENIED, ERRONEOUS, UNKNOWN, UNLABELLED, denial_note, whole_denial
from transvase.exporters.fhir.primitive import Json, date_time, french_date, text, written
from transvase.exporters.fhir.release import ips_profile
from transvase.exporters.fhir.subject import Subject, resource_id
from transvase.exporters.fhir.terminology import SNOMED, concept, concept_beside

_META = written({"profile": [ips_profile("Immunization")]})
_NO_KNOWN_IMMUNIZATION = written({"system": SNOMED, "code": "787482006"})
# R4 has no recorder here, and who recorded a vaccination did not always give it.
_RECORDER = {"text": "Auteur de l'enregistrement"}


def immunization(row: Any, subject: Subject) -> Json:
    """The resource of an affirmed or denied row; denied is `not-done`, whether it names a vaccine or denies them all."""
    resource: Json = {
        "resourceType": "Immunization",
        "id": resource_id(subject.practice, "immunization", row.key),
        "meta": _META,
        "identifier": subject.identifier("immunization", row.key),
        "status": "completed",
    }
    if row.assertion != DENIED:
        resource["vaccineCode"] = concept(row.label, row.code, row.system)
    else:
        resource["status"] = "not-done"
        if statement := whole_denial("immunization", row):
            resource["vaccineCode"] = concept_beside(statement, row.code, row.system, _NO_KNOWN_IMMUNIZATION)
        else:
            resource["vaccineCode"] = concept(row.label, row.code, row.system)
        if note := denial_note(row.label):
            resource["note"] = note
    resource["patient"] = subject.patient
    given = date_time(row.given) if row.given else ""
    if given:
        resource["occurrenceDateTime"] = given
    else:
        # The element is required whatever its type, and parsers do not take its extension for it: words, with the reason.
        resource["occurrenceString"] = "Date impossible" if row.given else "Date inconnue"
        resource["_occurrenceString"] = ERRONEOUS if row.given else UNKNOWN
    if row.lot and (lot := text(row.lot)):
        resource["lotNumber"] = lot
    if row.practitioner:
        resource["performer"] = [{"function": _RECORDER, "actor": subject.professional(row.practitioner)}]
    if row.dose is not None:
        # A rank of zero or less is no positive integer: kept as written.
        rank: Json = {"doseNumberPositiveInt": row.dose} if row.dose > 0 else {"doseNumberString": str(row.dose)}
        resource["protocolApplied"] = [rank]
    return resource


def line(row: Any) -> str:
    """The row for a reader, unescaped."""
    words = text(row.label) or UNLABELLED
    if row.dose is not None:
        words += f", dose {row.dose}"
    if row.lot:
        words += f", lot {row.lot}"
    return f"{words} ({french_date(row.given)})" if row.given else words
