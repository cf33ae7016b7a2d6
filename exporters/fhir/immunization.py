"""An immunization row to its Immunization."""

from __future__ import annotations

from typing import Any

from transvase.exporters.fhir.absence import DENIED, ERRONEOUS, UNKNOWN, UNLABELLED, denial_note, whole_denial
from transvase.exporters.fhir.primitive import Json, date_time, french_date, text, written
from transvase.exporters.fhir.release import ips_profile
from transvase.exporters.fhir.subject import Subject, resource_id
from transvase.exporters.fhir.terminology import EDQM_OID, HL7, SNOMED, SNOMED_OID, concept, concept_beside, fixed

_META = written({"profile": [ips_profile("Immunization")]})
_NO_KNOWN_IMMUNIZATION = written({"system": SNOMED, "code": "787482006"})
# R4 has no recorder here, and who recorded a vaccination did not always give it.
_RECORDER = {"text": "Auteur de l'enregistrement"}
_VACCINATOR = fixed(f"{HL7}v2-0443", "AP")
_SERIES = {True: "Rappel", False: "Première série"}


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
    if row.site or row.site_code:
        resource["site"] = concept(row.site, row.site_code, SNOMED_OID)
    if row.route or row.route_code:
        resource["route"] = concept(row.route, row.route_code, EDQM_OID)
    performers: list[Json] = []
    if row.practitioner:
        performers.append({"function": _RECORDER, "actor": subject.professional(row.practitioner)})
    if name := text(row.performer):
        performers.append({"function": _VACCINATOR, "actor": {"display": name}})
    if performers:
        resource["performer"] = performers
    if comment := text(row.comment):
        resource["note"] = [*resource.get("note", []), {"text": comment}]
    if reaction := text(row.reaction):
        resource["reaction"] = [{"detail": {"type": "Observation", "display": reaction}}]
    if row.dose is not None or row.booster is not None:
        protocol: Json = {}
        if row.booster is not None:
            protocol["series"] = _SERIES[bool(row.booster)]
        if row.dose is None:
            # Required beside the series, whatever its type.
            protocol["doseNumberString"] = "Inconnu"
        elif row.dose > 0:
            protocol["doseNumberPositiveInt"] = row.dose
        else:
            # A rank of zero or less is no positive integer: kept as written.
            protocol["doseNumberString"] = str(row.dose)
        resource["protocolApplied"] = [protocol]
    return resource


def line(row: Any) -> str:
    """The row for a reader, unescaped."""
    words = text(row.label) or UNLABELLED
    if row.dose is not None:
        words += f", dose {row.dose}"
    if row.booster:
        words += ", rappel"
    if row.lot:
        words += f", lot {row.lot}"
    return f"{words} ({french_date(row.given)})" if row.given else words
