"""A practitioner row to its Practitioner (the person) and its PractitionerRole (their exercise in the practice)."""

from __future__ import annotations

from typing import Any

from transvase.exporters.fhir.contact import telecom
from transvase.exporters.fhir.primitive import Json, text
from transvase.exporters.fhir.release import FR_CORE_BASE, fr_core_profile, ips_profile
from transvase.exporters.fhir.subject import resource_id, to
from transvase.exporters.fhir.terminology import national
from transvase.model.codes.author_specialties import CODES as SPECIALTIES

_IDNPS: Json = {"coding": [{"system": f"{FR_CORE_BASE}CodeSystem/fr-core-cs-v2-0203", "code": "IDNPS"}]}
PROFESSIONALS = "urn:oid:1.2.250.1.71.4.2.1"
_PERSON: Json = {"profile": [ips_profile("Practitioner"), fr_core_profile("practitioner")]}
_ROLE: Json = {"profile": [ips_profile("PractitionerRole"), fr_core_profile("practitioner-role")]}


def practitioner(row: Any, practice_oid: str) -> Json:
    """The person: national identifier when there is one (never cut into its parts), then the practice's own number."""
    identifiers: list[Json] = []
    if number := text(row.idnat):
        identifiers.append({"type": _IDNPS, "system": PROFESSIONALS, "value": number})
    identifiers.append({"system": f"urn:oid:{practice_oid}.2", "value": text(row.key) or "?"})
    resource: Json = {"resourceType": "Practitioner", "id": resource_id(practice_oid, "practitioner", row.key)}
    name: Json = {}
    if family := text(row.family):
        resource["meta"] = _PERSON
        name["family"] = family
    if given := text(row.given):
        name["given"] = [given]
    if row.prefix:
        name["prefix"] = [row.prefix]
    if row.suffix:
        name["suffix"] = [row.suffix]
    resource["identifier"] = identifiers
    if name:
        resource["name"] = [name]
    return resource


def practitioner_role(row: Any, practice_oid: str, practice_key: str, relative: bool = False) -> Json:
    """The exercise. The structure is the practice of the document, or the key of another structure of the same record."""
    resource: Json = {"resourceType": "PractitionerRole", "id": resource_id(practice_oid, "practitioner_role", row.key)}
    if text(row.family):
        resource["meta"] = _ROLE
    if row.active is not None:
        resource["active"] = row.active
    resource["practitioner"] = to("Practitioner", resource_id(practice_oid, "practitioner", row.key), relative)
    if row.practice and row.practice != practice_key:
        number = {"system": f"urn:oid:{practice_oid}", "value": f"practice/{text(row.practice)}"}
        resource["organization"] = {"type": "Organization", "identifier": number}
    else:
        resource["organization"] = to("Organization", resource_id(practice_oid, "practice", practice_key), relative)
    if known := SPECIALTIES.get(row.specialty or ""):
        resource["code"] = [{"coding": [national(known)]}]
    if contacts := telecom((row.phone, "phone", "work")):
        resource["telecom"] = contacts
    return resource
