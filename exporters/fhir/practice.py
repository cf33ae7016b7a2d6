"""A practice row to its Organization, and the software that assembles the document to its Device."""

from __future__ import annotations

from typing import Any

from transvase.exporters.fhir.contact import address, telecom
from transvase.exporters.fhir.primitive import Json, text
from transvase.exporters.fhir.release import FR_CORE_BASE, fr_core_profile, ips_profile
from transvase.exporters.fhir.subject import resource_id, to
from transvase.exporters.fhir.terminology import national
from transvase.model.codes.facility_types import CODES as FACILITIES

_IDNST: Json = {"coding": [{"system": f"{FR_CORE_BASE}CodeSystem/fr-core-cs-v2-0203", "code": "IDNST"}]}
STRUCTURES = "urn:oid:1.2.250.1.71.4.2.2"
SOFTWARE = "Transvase"


def organization(row: Any) -> Json:
    """The Organization: national structure identifier when there is one, then the OID of the practice."""
    identifiers: list[Json] = []
    if number := text(row.struct_idnat):
        identifiers.append({"use": "official", "type": _IDNST, "system": STRUCTURES, "value": number})
    identifiers.append({"system": "urn:ietf:rfc:3986", "value": f"urn:oid:{row.oid}"})
    resource: Json = {"resourceType": "Organization", "id": resource_id(row.oid, "practice", row.key)}
    name = text(row.name)
    # IPS requires a name; FR Core, which roles and patients of FR Core require here, does not.
    claims = [ips_profile("Organization")] if name else []
    resource["meta"] = {"profile": [*claims, fr_core_profile("organization")]}
    resource["identifier"] = identifiers
    if known := FACILITIES.get(row.facility_type or ""):
        resource["type"] = [{"coding": [national(known)]}]
    if name:
        resource["name"] = name
    if contacts := telecom((row.phone, "phone", "work"), (row.email, "email", "work")):
        resource["telecom"] = contacts
    if place := address(row.address, row.postal_code, row.city, None, "work"):
        resource["address"] = [place]
    return resource


def device(row: Any, relative: bool = False) -> Json:
    """The software, owned by the practice, as author of what nobody wrote by hand (IPS, "software-assembled")."""
    return {
        "resourceType": "Device",
        "id": resource_id(row.oid, "device", SOFTWARE),
        "deviceName": [{"name": SOFTWARE, "type": "model-name"}],
        "owner": to("Organization", resource_id(row.oid, "practice", row.key), relative),
    }
