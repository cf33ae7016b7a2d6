"""A patient row to its Patient, with the national identity when, and only when, it is qualified (sheet `ins-identity.md`)."""

from __future__ import annotations

from typing import Any, NamedTuple

from orjson import Fragment

from transvase.exporters.fhir.absence import put_date, put_required_date
from transvase.exporters.fhir.contact import address, telecom
from transvase.exporters.fhir.primitive import Json, code, date_time, text
from transvase.exporters.fhir.release import FR_CORE_BASE, fr_core_extension, fr_core_profile, ips_profile
from transvase.exporters.fhir.subject import Subject, resource_id
from transvase.exporters.fhir.terminology import HL7, fixed, nos

_IDENTIFIER_TYPE = f"{FR_CORE_BASE}CodeSystem/fr-core-cs-v2-0203"
_STATUS = f"{FR_CORE_BASE}CodeSystem/fr-core-cs-identity-status"
_STATUS_2_1 = f"{FR_CORE_BASE}CodeSystem/fr-core-cs-v2-0445"
_RELIABILITY = fr_core_extension("identity-reliability")


class _Authority(NamedTuple):
    type: Fragment
    use: str


# By OID of the assigning authority (sheet, section 2); the computed INS-C is obsolete and never leaves.
_AUTHORITIES = {
    "1.2.250.1.213.1.4.8": _Authority(fixed(_IDENTIFIER_TYPE, "INS-NIR"), "official"),
    "1.2.250.1.213.1.4.9": _Authority(fixed(_IDENTIFIER_TYPE, "INS-NIA"), "temp"),
    "1.2.250.1.213.1.4.10": _Authority(fixed(_IDENTIFIER_TYPE, "INS-NIR-TEST"), "official"),
    "1.2.250.1.213.1.4.11": _Authority(fixed(_IDENTIFIER_TYPE, "INS-NIR-DEMO"), "official"),
}
_LOCAL = fixed(f"{HL7}v2-0203", "PI")
_GENDER = {"F": "female", "M": "male", "UN": "other"}


def identity_status(row: Any) -> str:
    """RNIV status of the row: PROV, VALI, RECUP or QUAL, from the two criteria and the attributes that force PROV."""
    if row.doubtful or row.fictitious:
        return "PROV"
    if row.insi_confirmed and row.ins is not None:
        return "QUAL" if row.document_checked else "RECUP"
    return "VALI" if row.document_checked else "PROV"


def _reliability(system: str, status: str) -> Json:
    return {
        "url": _RELIABILITY,
        "extension": [{"url": "identityStatus", "valueCoding": {"system": system, "code": status}}],
    }


def _extensions(row: Any, national: bool) -> list[Json]:
    """The status as RNIV has it, the one that FR Core 2.1.0 wants beside a national identifier (`VALI`, another code system with
    another meaning), the attributes, and the traits that have no element of their own."""
    extensions = [_reliability(_STATUS, identity_status(row))]
    if row.insi_date and len(row.insi_date) <= 10 and date_time(row.insi_date):
        extensions[0]["extension"].append({"url": "dateCollection", "valueDate": row.insi_date})
    if national:
        extensions.append(_reliability(_STATUS_2_1, "VALI"))
    attributes = (("DOUT", row.doubtful), ("FICT", row.fictitious), ("HOMA", row.homonym))
    extensions.extend(_reliability(_STATUS_2_1, attribute) for attribute, holds in attributes if holds)
    if row.birth_place_code or row.birth_place:
        place: Json = {}
        if commune := code(row.birth_place_code):
            # COG: 99 and the country code abroad.
            system = nos("TRE_R20-Pays" if commune.startswith("99") else "TRE_R13-CommuneOM")
            place["extension"] = [
                {"url": fr_core_extension("address-insee-code"), "valueCoding": {"system": system, "code": commune}}
            ]
        if city := text(row.birth_place):
            place["city"] = city
        if place:
            extensions.append(
                {"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueAddress": place}
            )
    if row.birth_date_uncertain:
        extensions.append({"url": fr_core_extension("patient-birthdate-update-indicator"), "valueBoolean": True})
    return extensions


def _names(row: Any, first: str) -> list[Json]:
    """Birth name, then the name in use when there is one; the given name in use is never filled from another."""
    birth: Json = {}
    if listed := text(row.birth_given):
        birth["extension"] = [{"url": fr_core_extension("patient-birth-list-given-name"), "valueString": listed}]
    birth["use"] = "official"
    if family := text(row.birth_family):
        birth["family"] = family
    if first:
        birth["given"] = [first]
    names = [birth] if "family" in birth or first else []
    used: Json = {"use": "usual"}
    if family := text(row.used_family):
        used["family"] = family
    if given := text(row.used_given):
        used["given"] = [given]
    return [*names, used] if len(used) > 1 else names


def patient(row: Any, subject: Subject, qualified: bool) -> Json:
    """The Patient; its national matricule only when `qualified`, which the validators decide.

    Claims IPS when it has a name, FR Core when the birth name is complete, FR Core INS when it has the matricule and every trait.
    """
    authority = _AUTHORITIES.get(row.ins_oid or "")
    national = bool(qualified and authority and text(row.ins))
    first = text(row.birth_first_given) or text((row.birth_given or "").split(" ")[0])
    identifiers: list[Json] = []
    if national and authority:
        identifiers.append(
            {
                "use": authority.use,
                "type": authority.type,
                "system": f"urn:oid:{row.ins_oid}",
                "value": text(row.ins),
            }
        )
    identifiers.append({"use": "usual", "type": _LOCAL, "system": f"{subject.system}.1", "value": text(row.key) or "?"})
    names = _names(row, first)
    gender = _GENDER.get(row.sex or "", "unknown")
    profiles = []
    if names:
        profiles.append(ips_profile("Patient"))
    if text(row.birth_family) and first:
        traits = row.birth_place_code and row.birth_date and text(row.birth_given) and gender != "other"
        ins = national and traits and bool(date_time(row.birth_date))
        profiles.append(fr_core_profile("patient-ins" if ins else "patient"))
    resource: Json = {"resourceType": "Patient", "id": resource_id(subject.practice, "patient", row.key)}
    if profiles:
        resource["meta"] = {"profile": profiles}
    resource["extension"] = _extensions(row, national)
    resource["identifier"] = identifiers
    if names:
        resource["name"] = names
    if contacts := telecom((row.phone, "phone", "home"), (row.mobile, "phone", "mobile"), (row.email, "email", "")):
        resource["telecom"] = contacts
    resource["gender"] = gender
    put_required_date(resource, "birthDate", row.birth_date)
    if row.death_date:
        if date_time(row.death_date):
            put_date(resource, "deceasedDateTime", row.death_date)
        else:
            # That the person died is known, when is not.
            resource["deceasedBoolean"] = True
    if home := address(row.address, row.postal_code, row.city, row.country, "home"):
        resource["address"] = [home]
    if row.attending:
        resource["generalPractitioner"] = [subject.professional(row.attending)]
    return resource


def claims_french_profile(row: Any) -> bool:
    """Whether `patient` claims a profile of FR Core, which FR Core observations require of their subject."""
    return bool(text(row.birth_family) and (text(row.birth_first_given) or text((row.birth_given or "").split(" ")[0])))
