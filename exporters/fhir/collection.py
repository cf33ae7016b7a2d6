"""Every resource of one patient, without the Composition that makes a document: more than the document holds (encounters, prescriptions,
relatives), as a Bundle of type `collection` or one by one for files of one resource a line.

What FHIR gets nothing of is listed in `LEFT_OUT`, which the page of the command and the tests read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from transvase.exporters.fhir.absence import NOT_RECORDED
from transvase.exporters.fhir.bundle import entry
from transvase.exporters.fhir.composition import sections
from transvase.exporters.fhir.encounter import encounter
from transvase.exporters.fhir.patient import claims_french_profile
from transvase.exporters.fhir.patient import patient as patient_resource
from transvase.exporters.fhir.practice import device, organization
from transvase.exporters.fhir.practitioner import practitioner, practitioner_role
from transvase.exporters.fhir.prescription import request
from transvase.exporters.fhir.primitive import Resource, encoded, is_instant, resource, written
from transvase.exporters.fhir.related_person import related_person
from transvase.exporters.fhir.subject import Subject, resource_id, to
from transvase.model.record import Record

# Canonical tables of a patient that no resource carries. Documents leave in the archive, with their bytes and their CDA.
LEFT_OUT = frozenset(
    {
        "access_log",
        "appointment",
        "billing",
        "correspondent",
        "dispensation",
        "document",
        "document_version",
        "native",
        "note",
        "objection",
        "personal_note",
    }
)


def patient_resources(
    record: Record,
    patient: Any,
    practice: Any,
    practitioners: Mapping[str, Any],
    day: str,
    qualified: bool,
    relative: bool,
) -> tuple[Subject, Iterator[Resource]]:
    """The Patient, then what their rows say, in the order of the tables; rows that were not recorded make none. `relative` is the form
    of references. The `Subject` tells, once all are read, which professionals they name."""
    encounters = record.get("encounter") or ()
    subject = Subject(
        practice.oid,
        patient.key,
        practitioners,
        day,
        claims_french_profile(patient),
        relative,
        frozenset(row.key for row in encounters),
    )
    return subject, _resources(record, patient, practice, subject, qualified)


def _resources(record: Record, patient: Any, practice: Any, subject: Subject, qualified: bool) -> Iterator[Resource]:
    # The practice answers for the record: what tells it from the other structures of a file.
    keeper = to("Organization", resource_id(practice.oid, "practice", practice.key), subject.relative)
    yield patient_resource(patient, subject, qualified, written(keeper))
    for row in record.get("related_person") or ():
        yield related_person(row, subject)
    for row in record.get("encounter") or ():
        yield encounter(row, subject)
    # Sections know how rows become resources, and which rows make one together.
    yield from sections(record, subject)[1]
    prescriptions = {row.key: row for row in record.get("prescription") or ()}
    for line in record.get("prescription_line") or ():
        if found := prescriptions.get(line.prescription):
            yield request(line, found, subject)


def collection_bundle(
    record: Record,
    *,
    practice: Any,
    practitioners: Mapping[str, Any],
    patient: Any,
    created: str,
    qualified: bool = False,
) -> bytes:
    """The resources of `patient` as a Bundle of type `collection`, in UTF-8 JSON; arguments as those of `bundle.document_bundle`."""
    if not is_instant(created):
        raise ValueError("the instant of creation of the collection must be ISO 8601, to the second, with its offset")
    subject, resources = patient_resources(record, patient, practice, practitioners, created[:10], qualified, False)
    every = [*resources, resource(organization(practice)), resource(device(practice))]
    for row in subject.professionals:
        every.append(resource(practitioner_role(row, practice.oid, practice.key)))
        every.append(resource(practitioner(row, practice.oid)))
    entries = ",".join(map(entry, every))
    return encoded(f'{{"resourceType":"Bundle","type":"collection","timestamp":"{created}","entry":[{entries}]}}')


def silent(record: Record) -> int:
    """Rows of a record that carry nothing but that nothing was recorded: no resource says that without a section."""
    return sum(getattr(row, "assertion", "") == NOT_RECORDED for rows in record.values() for row in rows)
