"""A patient row to its Patient, with the national identity when, and only when, it is qualified (sheet `ins-identity.md`)."""

from __future__ import annotations

from typing import Any

from transvase.exporters.fhir.absence import dated, required_date
from transvase.exporters.fhir.contact import address, telecom
from transvase.exporters.fhir.primitive import Resource, Written, code, date_time, said, text, written
from transvase.exporters.fhir.release import FR_CORE_BASE, fr_core_extension, fr_core_profile, ips_profile
from transvase.exporters.fhir.subject import Subject
from transvase.exporters.fhir.terminology import HL7, fixed, nos

_IDENTIFIER_TYPE = f"{FR_CORE_BASE}CodeSystem/fr-core-cs-v2-0203"
_STATUS = f"{FR_CORE_BASE}CodeSystem/fr-core-cs-identity-status"
_STATUS_2_1 = f"{FR_CORE_BASE}CodeSystem/fr-core-cs-v2-0445"


def _typed(use: str, system: str, value: str) -> Written:
    """What an identifier begins with."""
    return f'{{"use":"{use}","type":{fixed(system, value)},"system":'


# By OID of the assigning authority (sheet, section 2); the computed INS-C is obsolete and never leaves.
_AUTHORITIES = {
    "1.2.250.1.213.1.4.8": _typed("official", _IDENTIFIER_TYPE, "INS-NIR"),
    "1.2.250.1.213.1.4.9": _typed("temp", _IDENTIFIER_TYPE, "INS-NIA"),
    "1.2.250.1.213.1.4.10": _typed("official", _IDENTIFIER_TYPE, "INS-NIR-TEST"),
    "1.2.250.1.213.1.4.11": _typed("official", _IDENTIFIER_TYPE, "INS-NIR-DEMO"),
}
_LOCAL = _typed("usual", f"{HL7}v2-0203", "PI")
_GENDER = {"F": "female", "M": "male", "UN": "other"}


def _claimed(*profiles: str) -> Written:
    return f',"meta":{written({"profile": profiles})}'


_NAMED = _claimed(ips_profile("Patient"))
_FRENCH = _claimed(ips_profile("Patient"), fr_core_profile("patient"))
_NATIONAL = _claimed(ips_profile("Patient"), fr_core_profile("patient-ins"))


def _reliability(system: str, status: str) -> Written:
    return written(
        {
            "url": fr_core_extension("identity-reliability"),
            "extension": [{"url": "identityStatus", "valueCoding": {"system": system, "code": status}}],
        }
    )


_STATUSES = {status: _reliability(_STATUS, status) for status in ("PROV", "VALI", "RECUP", "QUAL")}
_ATTRIBUTES = {status: f",{_reliability(_STATUS_2_1, status)}" for status in ("VALI", "DOUT", "FICT", "HOMA")}
_UNCERTAIN = written({"url": fr_core_extension("patient-birthdate-update-indicator"), "valueBoolean": True})
_COMMUNE = f'{{"extension":[{{"url":"{fr_core_extension("address-insee-code")}","valueCoding":{{"system":'
_BIRTH_PLACE = ',{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthPlace","valueAddress":'
_GIVEN_NAMES = f'"extension":[{{"url":"{fr_core_extension("patient-birth-list-given-name")}","valueString":'


def identity_status(row: Any) -> str:
    """RNIV status of the row: PROV, VALI, RECUP or QUAL, from the two criteria and the attributes that force PROV."""
    if row.doubtful or row.fictitious:
        return "PROV"
    if row.insi_confirmed and row.ins is not None:
        return "QUAL" if row.document_checked else "RECUP"
    return "VALI" if row.document_checked else "PROV"


def _extensions(row: Any, national: bool) -> Written:
    """The status as RNIV has it, the one that FR Core 2.1.0 wants beside a national identifier (`VALI`, another code system with
    another meaning), the attributes, and the traits that have no element of their own."""
    extensions = _STATUSES[identity_status(row)]
    if row.insi_date and len(row.insi_date) <= 10 and date_time(row.insi_date):
        extensions = f'{extensions[:-2]},{{"url":"dateCollection","valueDate":"{row.insi_date}"}}]}}'
    if national:
        extensions += _ATTRIBUTES["VALI"]
    if row.doubtful:
        extensions += _ATTRIBUTES["DOUT"]
    if row.fictitious:
        extensions += _ATTRIBUTES["FICT"]
    if row.homonym:
        extensions += _ATTRIBUTES["HOMA"]
    if row.birth_place_code or row.birth_place:
        extensions += _birth_place(row)
    return f"{extensions},{_UNCERTAIN}" if row.birth_date_uncertain else extensions


def _birth_place(row: Any) -> Written:
    city = said("city", row.birth_place)
    if commune := code(row.birth_place_code):
        # COG: 99 and the country code abroad.
        system = nos("TRE_R20-Pays" if commune.startswith("99") else "TRE_R13-CommuneOM")
        return f'{_BIRTH_PLACE}{_COMMUNE}"{system}","code":{written(commune)}}}}}]{city}}}}}'
    return f"{_BIRTH_PLACE}{{{city[1:]}}}}}" if city else ""


def _names(row: Any, first: str) -> Written:
    """Birth name, then the name in use when there is one; the given name in use is never filled from another. Empty when there are
    none."""
    family, given = said("family", row.birth_family), f',"given":[{written(first)}]' if first else ""
    used_family, used_given = said("family", row.used_family), text(row.used_given) if row.used_given else ""
    names = used = ""
    if family or given:
        listed = text(row.birth_given)
        extension = f"{_GIVEN_NAMES}{written(listed)}}}]," if listed else ""
        names = f'{{{extension}"use":"official"{family}{given}}}'
    if used_family or used_given:
        shown = f',"given":[{written(used_given)}]' if used_given else ""
        used = f'{{"use":"usual"{used_family}{shown}}}'
    return f"{names},{used}" if names and used else names or used


def patient(row: Any, subject: Subject, qualified: bool, managing: Written = "") -> Resource:
    """The Patient of `subject`; its national matricule only when `qualified`, which the validators decide; `managing` refers to its
    structure.

    Claims IPS when it has a name, FR Core when the birth name is complete, FR Core INS when it has the matricule and every trait.
    """
    authority = _AUTHORITIES.get(row.ins_oid or "")
    ins = text(row.ins) if qualified and authority else ""
    first = _first(row)
    numbers = f'{authority}"urn:oid:{row.ins_oid}","value":{written(ins)}}},' if ins else ""
    numbers += f'{_LOCAL}{written(f"{subject.system}.1")},"value":{written(text(row.key) or "?")}}}'
    names = _names(row, first)
    gender = _GENDER.get(row.sex or "", "unknown")
    meta = _NAMED if names else ""
    if first and text(row.birth_family):
        traits = row.birth_place_code and row.birth_date and text(row.birth_given) and gender != "other"
        meta = _NATIONAL if ins and traits and date_time(row.birth_date) else _FRENCH
    contacts = telecom((row.phone, "phone", "home"), (row.mobile, "phone", "mobile"), (row.email, "email", ""))
    deceased = dated("deceasedDateTime", row.death_date) if row.death_date else ""
    if deceased and not date_time(row.death_date):
        # That the person died is known, when is not.
        deceased = ',"deceasedBoolean":true'
    keeper = f',"managingOrganization":{managing}' if managing else ""
    home = address(row.address, row.postal_code, row.city, row.country, "home")
    content = (
        f'{{"resourceType":"Patient","id":"{subject.name}"{meta},"extension":[{_extensions(row, bool(ins))}]'
        f',"identifier":[{numbers}]{_list("name", names)}{_list("telecom", written(contacts)[1:-1] if contacts else "")}'
        f',"gender":"{gender}"{required_date("birthDate", row.birth_date)}{deceased}'
        f"{_list('address', written(home) if home else '')}"
        f"{_list('generalPractitioner', subject.professional(row.attending) if row.attending else '')}"
        f"{keeper}}}"
    )
    return "Patient", subject.name, content


def _list(name: str, items: Written) -> Written:
    return f',"{name}":[{items}]' if items else ""


def _first(row: Any) -> str:
    return text(row.birth_first_given) or text((row.birth_given or "").split(" ")[0])


def claims_ips(row: Any) -> bool:
    """Whether `patient` claims IPS, which wants a name."""
    return bool(_names(row, _first(row)))


def claims_french_profile(row: Any) -> bool:
    """Whether `patient` claims a profile of FR Core, which FR Core observations require of their subject."""
    return bool(text(row.birth_family) and _first(row))
