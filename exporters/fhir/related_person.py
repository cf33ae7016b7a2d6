"""A related person row to its RelatedPerson."""

from __future__ import annotations

from typing import Any

from transvase.exporters.fhir.absence import put_date
from transvase.exporters.fhir.contact import telecom
from transvase.exporters.fhir.primitive import Json, text, written
from transvase.exporters.fhir.subject import Subject, resource_id
from transvase.exporters.fhir.terminology import HL7


def _relation(system: str, code: str, words: str) -> Any:
    return written({"coding": [{"system": f"{HL7}{system}", "code": code}], "text": words})


_RELATIONS = {
    "guardian": _relation("v3-RoleCode", "GUARD", "Tuteur"),
    "emergency": _relation("v2-0131", "C", "Contact en cas d'urgence"),
    "parent": _relation("v3-RoleCode", "PRN", "Parent"),
    "child": _relation("v3-RoleCode", "CHILD", "Enfant"),
    # No international code means the person that a patient designates by article L. 1111-6 of CSP.
    "trusted": written({"text": "Personne de confiance"}),
    "other": written({"text": "Autre proche"}),
}
_REPRESENTATIVE = written({"text": "Représentant légal"})


def related_person(row: Any, subject: Subject) -> Json:
    """The resource of a row."""
    resource: Json = {
        "resourceType": "RelatedPerson",
        "id": resource_id(subject.practice, "related_person", row.key),
        "identifier": subject.identifier("related_person", row.key),
        "patient": subject.patient,
        "relationship": [_RELATIONS.get(row.role, _RELATIONS["other"])],
    }
    if row.legal_representative:
        resource["relationship"].append(_REPRESENTATIVE)
    name: Json = {}
    if family := text(row.family):
        name["family"] = family
    if given := text(row.given):
        name["given"] = [given]
    if name:
        resource["name"] = [name]
    if contacts := telecom((row.phone, "phone", "")):
        resource["telecom"] = contacts
    put_date(resource, "birthDate", row.birth_date)
    return resource
