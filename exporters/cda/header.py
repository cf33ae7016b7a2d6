"""The CI-SIS header of every CDA we write (Structuration minimale; reference sheet `cda-header-ci-sis.md`, sections 1 to 6).

Values in, escaped text out: no tree, no clock. Parts that do not change within a patient or a practice are built once by the
caller (`record_target`, `Signatory`) and reused for each document. Bodies are in the sibling modules.

Attributes stand in the order of Canonical XML, on which `level1.canonical` relies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from transvase.formats.xml_text import attribute as q
from transvase.formats.xml_text import text as t
from transvase.model.clock import hl7
from transvase.model.codes.author_specialties import CODES as SPECIALTIES
from transvase.model.codes.confidentiality_codes import CODES as CONFIDENTIALITY
from transvase.model.codes.facility_types import CODES as FACILITIES
from transvase.model.codes.practice_settings import CODES as SETTINGS
from transvase.model.codes.type_codes import CODES as TYPES

PROFESSIONALS = "1.2.250.1.71.4.2.1"
STRUCTURES = "1.2.250.1.71.4.2.2"
_GENDER = {"F": "Féminin", "M": "Masculin", "UN": "Indifférencié"}


@dataclass(frozen=True, slots=True)
class Signatory:
    """Who stands in the header as author, legal authenticator and performer, already escaped.

    `id` is `extension="…" root="…"`; `code` the specialty element or empty; `name` the children of the name element."""

    id: str
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Structure:
    """The practice in the header, already escaped: id attributes, name, telecom and address elements, codes."""

    id: str
    name: str
    contact: str
    setting: str
    facility: str


@dataclass(frozen=True, slots=True)
class Heading:
    """What changes with each document. Instants are HL7 TS (`formats`: `model.clock.hl7`); `act` is never empty.

    `templates` are the templateId elements of the model, `id`/`set_id` OIDs, `replaces` the OID of the replaced version or empty,
    `event` the code element of the documented act or empty, `device` true when software wrote the content. `performer` and
    `responsible` are the elements performer and responsibleParty of a model that asks more of them than the common rules;
    `act_high` the element high of an act that does not end with the encounter (how long a prescription is valid)."""

    templates: str
    id: str
    set_id: str
    version: int
    replaces: str
    type_code: str
    title: str
    created: str
    act: str
    act_end: str
    event: str = ""
    confidentiality: str = "N"
    extra_participants: str = ""
    extra_documentation: str = ""
    performer: str = ""
    responsible: str = ""
    act_high: str = ""


def coded(tag: str, code: str, system: str, display: str) -> str:
    """A coded element with its label."""
    return f'<{tag} code="{q(code)}" codeSystem="{q(system)}" displayName="{q(display)}"/>'


def signatory(row: Any, practice_oid: str) -> Signatory:
    """From a `practitioner` row. Without a national identifier the practice's own number stands under its OID."""
    if row.idnat:
        ident = f'extension="{q(row.idnat)}" root="{PROFESSIONALS}"'
    else:
        ident = f'extension="{q(row.key)}" root="{q(practice_oid)}.2"'
    known = SPECIALTIES.get(row.specialty or "")
    code = coded("code", known.code, known.system, known.display) if known and known.active else ""
    name = "".join(
        (
            f"<prefix>{t(row.prefix)}</prefix>" if row.prefix else "",
            f"<given>{t(row.given)}</given>" if row.given else "",
            f"<family>{t(row.family)}</family>",
            f"<suffix>{t(row.suffix)}</suffix>" if row.suffix else "",
        )
    )
    return Signatory(ident, code, name)


def outside_author(name: str, document: str, practice_oid: str) -> Signatory:
    """The author of a received document, as the record names it: no national identifier is invented for it."""
    return Signatory(f'extension="{q(document)}" root="{q(practice_oid)}.3"', "", f"<family>{t(name)}</family>")


def structure(row: Any) -> Structure:
    """From a `practice` row. A practice without Struct_IdNat carries its own OID's last resort: its key as technical number."""
    facility = FACILITIES.get(row.facility_type) or FACILITIES["SA43"]
    setting = SETTINGS.get(row.practice_setting) or SETTINGS["AMBULATOIRE"]
    contact = ""
    if row.phone:
        contact += f'<telecom use="WP" value="tel:{q(_dial(row.phone))}"/>'
    if row.city or row.address:
        contact += address(row.address, row.postal_code, row.city, "", "WP")
    return Structure(
        f'extension="{q(row.struct_idnat or row.key)}" root="{STRUCTURES}"',
        t(row.name),
        contact,
        coded("standardIndustryClassCode", setting.code, setting.system, setting.display),
        coded("code", facility.code, facility.system, facility.display),
    )


def _dial(number: str) -> str:
    """A telephone number as a URI part: digits and a leading plus."""
    kept = "".join(c for c in number if c.isascii() and c.isdigit())
    return "+" + kept if number.strip().startswith("+") else kept


def address(street: str | None, postal_code: str | None, city: str | None, country: str | None, use: str) -> str:
    """An `addr` element of parts, or nothing when all are empty."""
    parts = "".join(
        f"<{tag}>{t(value)}</{tag}>"
        for tag, value in (("streetName", street), ("postalCode", postal_code), ("city", city), ("country", country))
        if value
    )
    return f'<addr use="{use}">{parts}</addr>' if parts else ""


def record_target(patient: Any, practice_oid: str, qualified: bool, reachable: bool = False) -> str:
    """The patient. The matricule stands first and only when the identity is qualified (RNIV; sheet ins-identity, section 3);
    the local number always follows. An unqualified patient keeps the traits that the record holds. `reachable` is for models that
    want an address and a telecom even when the record has none."""
    ids = f'<id extension="{q(patient.key)}" root="{q(practice_oid)}.1"/>'
    if qualified:
        ids = f'<id extension="{q(patient.ins)}" root="{q(patient.ins_oid)}"/>' + ids
    telecom = ""
    for value, use, scheme in ((patient.phone, "H", "tel:"), (patient.mobile, "MC", "tel:")):
        if value and (number := _dial(value)):
            telecom += f'<telecom use="{use}" value="{scheme}{q(number)}"/>'
    if patient.email and "@" in patient.email:
        telecom += f'<telecom value="mailto:{q(patient.email.strip())}"/>'
    home = address(patient.address, patient.postal_code, patient.city, patient.country, "H")
    if reachable:
        home, telecom = home or '<addr nullFlavor="UNK"/>', telecom or '<telecom nullFlavor="UNK"/>'
    first = patient.birth_first_given or (patient.birth_given or "").split(" ")[0]
    names = f'<family qualifier="BR">{t(patient.birth_family)}</family>'
    if patient.birth_given:
        names += f"<given>{t(patient.birth_given)}</given>"
    if first:
        names += f'<given qualifier="BR">{t(first)}</given>'
    if patient.used_family:
        names += f'<family qualifier="CL">{t(patient.used_family)}</family>'
    if patient.used_given:
        names += f'<given qualifier="CL">{t(patient.used_given)}</given>'
    if not (first or patient.birth_given or patient.used_given):
        names += '<given nullFlavor="UNK"/>'
    # A value outside the closed list is a verdict's business; the header says that it is not known.
    sex = patient.sex if patient.sex in _GENDER else "UN"
    birth = hl7(patient.birth_date)
    place = ""
    if patient.birth_place_code or patient.birth_place:
        inner = f"<county>{t(patient.birth_place_code)}</county>" if patient.birth_place_code else ""
        inner += f"<city>{t(patient.birth_place)}</city>" if patient.birth_place else ""
        place = f"<birthplace><place><addr>{inner}</addr></place></birthplace>"
    return (
        f"<recordTarget><patientRole>{ids}{home}{telecom}"
        f'<patient classCode="PSN"><name>{names}</name>'
        f"{coded('administrativeGenderCode', sex, '2.16.840.1.113883.5.1', _GENDER[sex])}"
        f'<birthTime value="{birth}"/>{place}</patient></patientRole></recordTarget>'
    )


def document(
    heading: Heading,
    patient: str,
    author: Signatory,
    responsible: Signatory,
    practice: Structure,
    body: str,
    device: str = "",
) -> str:
    """The whole ClinicalDocument. `patient` comes from `record_target`; `body` is the component element.

    `device` names the software that wrote the content (model and name, escaped by us) and then stands as a second author.
    """
    kind = TYPES[heading.type_code]
    conf = CONFIDENTIALITY[heading.confidentiality]
    organisation = f"<id {practice.id}/><name>{practice.name}</name>{practice.contact}"
    person = f"<assignedPerson><name>{author.name}</name></assignedPerson>"
    machine = ""
    if device:
        machine = (
            f'<author><time value="{heading.created}"/><assignedAuthor><id {practice.id}/>'
            f"<assignedAuthoringDevice><manufacturerModelName>{t(device)}</manufacturerModelName>"
            f"<softwareName>{t(device)}</softwareName></assignedAuthoringDevice>"
            f"<representedOrganization>{organisation}</representedOrganization></assignedAuthor></author>"
        )
    end = f'<high value="{heading.act_end}"/>' if heading.act_end else ""
    performer = heading.performer or (
        f'<performer typeCode="PRF"><assignedEntity><id {responsible.id}/>{responsible.code}'
        f"<assignedPerson><name>{responsible.name}</name></assignedPerson>"
        f"<representedOrganization>{organisation}{practice.setting}</representedOrganization></assignedEntity></performer>"
    )
    related = ""
    if heading.replaces:
        related = (
            '<relatedDocument typeCode="RPLC"><parentDocument>'
            f'<id root="{q(heading.replaces)}"/></parentDocument></relatedDocument>'
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        '<realmCode code="FR"/><typeId extension="POCD_HD000040" root="2.16.840.1.113883.1.3"/>'
        '<templateId root="2.16.840.1.113883.2.8.2.1"/><templateId root="1.2.250.1.213.1.1.1.1"/>'
        f'{heading.templates}<id root="{q(heading.id)}"/>'
        f"{coded('code', kind.code, kind.system, kind.display)}<title>{t(heading.title)}</title>"
        f'<effectiveTime value="{heading.created}"/>'
        f"{coded('confidentialityCode', conf.code, conf.system, conf.display)}"
        f'<languageCode code="fr-FR"/><setId root="{q(heading.set_id)}"/><versionNumber value="{heading.version}"/>'
        f"{patient}"
        f'<author><time value="{heading.created}"/><assignedAuthor><id {author.id}/>{author.code}{person}'
        f"<representedOrganization>{organisation}</representedOrganization></assignedAuthor></author>{machine}"
        f"<custodian><assignedCustodian><representedCustodianOrganization>{organisation}"
        "</representedCustodianOrganization></assignedCustodian></custodian>"
        f'<legalAuthenticator><time value="{heading.created}"/><signatureCode code="S"/><assignedEntity>'
        f"<id {responsible.id}/>{responsible.code}"
        f"<assignedPerson><name>{responsible.name}</name></assignedPerson>"
        f"<representedOrganization>{organisation}</representedOrganization></assignedEntity></legalAuthenticator>"
        f"{heading.extra_participants}"
        f'<documentationOf><serviceEvent>{heading.event}<effectiveTime><low value="{heading.act}"/>{heading.act_high or end}'
        "</effectiveTime>"
        f"{performer}</serviceEvent></documentationOf>{heading.extra_documentation}{related}"
        f'<componentOf><encompassingEncounter><effectiveTime><low value="{heading.act}"/>{end}</effectiveTime>'
        f"{heading.responsible}<location><healthCareFacility>{practice.facility}</healthCareFacility></location>"
        f"</encompassingEncounter></componentOf>{body}</ClinicalDocument>\n"
    )
