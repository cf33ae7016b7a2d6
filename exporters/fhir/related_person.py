"""A related person row to its RelatedPerson."""

from __future__ import annotations

from typing import Any

from transvase.exporters.fhir.absence import dated
from transvase.exporters.fhir.contact import telecom
from transvase.exporters.fhir.primitive import Json, Resource, Written, text, written
from transvase.exporters.fhir.subject import Subject, resource_id
from transvase.exporters.fhir.terminology import HL7


def _relation(system: str, code: str, words: str) -> Written:
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
_REPRESENTATIVE = f",{written({'text': 'Représentant légal'})}"


def related_person(row: Any, subject: Subject) -> Resource:
    """The resource of a row."""
    resource = resource_id(subject.practice, "related_person", row.key)
    relation = _RELATIONS.get(row.role, _RELATIONS["other"]) + (_REPRESENTATIVE if row.legal_representative else "")
    parts: Json = {}
    if family := text(row.family):
        parts["family"] = family
    if given := text(row.given):
        parts["given"] = [given]
    name = f',"name":[{written(parts)}]' if parts else ""
    contacts = telecom((row.phone, "phone", ""))
    telecoms = f',"telecom":{written(contacts)}' if contacts else ""
    content = (
        f'{{"resourceType":"RelatedPerson","id":"{resource}","identifier":[{subject.identifier("related_person", row.key)}]'
        f',"patient":{subject.patient},"relationship":[{relation}]{name}{telecoms}'
        f"{dated('birthDate', row.birth_date)}}}"
    )
    return "RelatedPerson", resource, content
