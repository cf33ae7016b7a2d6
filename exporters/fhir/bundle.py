"""The document of one patient: a FHIR R4 Bundle of type `document`, as bytes. Clock and identifier are arguments."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from transvase.exporters.fhir.absence import NOT_RECORDED
from transvase.exporters.fhir.composition import composition, sections
from transvase.exporters.fhir.patient import claims_french_profile, claims_ips
from transvase.exporters.fhir.patient import patient as patient_resource
from transvase.exporters.fhir.practice import device, organization
from transvase.exporters.fhir.practitioner import practitioner, practitioner_role
from transvase.exporters.fhir.primitive import Resource, Written, encoded, is_instant, resource, written
from transvase.exporters.fhir.release import ips_profile
from transvase.exporters.fhir.subject import Subject, resource_id, to
from transvase.model.identifiers import is_oid
from transvase.model.record import Record

_META = f',"meta":{written({"profile": [ips_profile("Bundle")]})}'


def entry(of: Resource) -> Written:
    """An entry of a Bundle, whose URL is the URN of its resource."""
    _, name, content = of
    return f'{{"fullUrl":"urn:uuid:{name}","resource":{content}}}'


# The same for each patient of a practice, hence written once: some hundred rows, whatever the number of patients.
@lru_cache(maxsize=64)
def _practice_parts(row: Any) -> tuple[Written, ...]:
    """References to the structure and to the software, then their entries."""
    resources = (resource(organization(row)), resource(device(row)))
    return (*(written(to(kind, name)) for kind, name, _ in resources), *map(entry, resources))


@lru_cache(maxsize=1024)
def _professional_entries(row: Any, practice_oid: str, practice_key: str) -> tuple[Written, ...]:
    resources = (practitioner_role(row, practice_oid, practice_key), practitioner(row, practice_oid))
    return tuple(entry(resource(one)) for one in resources)


def _tobacco_statements(record: Record) -> int:
    return sum(
        1 for row in record.get("risk_factor") or () if row.category == "tobacco" and row.assertion != NOT_RECORDED
    )


def document_bundle(
    record: Record,
    *,
    practice: Any,
    practitioners: Mapping[str, Any],
    patient: Any,
    created: str,
    identifier: str,
    qualified: bool = False,
) -> bytes:
    """The document of `patient` (a `patient` row) from the rows of `record`, in UTF-8 JSON; same arguments, same bytes.

    `practice` and the values of `practitioners` (by key) are rows; only professionals that a row names enter. `created` is an ISO
    instant with its offset, `identifier` the OID of the document; ValueError when they are not. `qualified` is the validators'
    verdict on the identity: without it the national matricule stays out.
    """
    if not is_instant(created):
        raise ValueError("the instant of creation of the document must be ISO 8601, to the second, with its offset")
    if not is_oid(identifier):
        raise ValueError("the identifier of the document must be an OID in dotted form")
    oid = practice.oid
    subject = Subject(oid, patient.key, practitioners, created[:10], claims_french_profile(patient))
    person = patient_resource(patient, subject, qualified)
    found, resources = sections(record, subject)
    # IPS: a patient with a name, and at most one statement about tobacco.
    ips = (subject.french or claims_ips(patient)) and _tobacco_statements(record) <= 1
    structure, software, *shared = _practice_parts(practice)
    number = f'{{"system":"urn:ietf:rfc:3986","value":"urn:oid:{identifier}"}}'
    name = resource_id(oid, "composition", identifier)
    head = composition(number, name, created, [software, structure], structure, subject, found, ips)
    entries = [entry(head), entry(person), *shared]
    for row in subject.professionals:
        entries += _professional_entries(row, oid, practice.key)
    entries += map(entry, resources)
    return encoded(
        f'{{"resourceType":"Bundle"{_META if ips else ""},"identifier":{number},"type":"document","timestamp":"{created}"'
        f',"entry":[{",".join(entries)}]}}'
    )
