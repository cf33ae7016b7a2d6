"""CDA documents that other software sent to the practice, or that the product made before: level 1, and a small CR-BIO at level 3.

Written straight from the sheet cda-header-ci-sis.md, apart from the product's exporters on purpose: what Transvase reads here
was not made by its own writers.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from transvase.model.codes.author_specialties import CODES as SPECIALTIES
from transvase.model.codes.facility_types import CODES as FACILITIES
from transvase.model.codes.practice_settings import CODES as SETTINGS
from transvase.model.codes.type_codes import CODES as TYPE_CODES
from transvase.sources.synthetic.people import TEST_OID, Person, strict

LOINC = "2.16.840.1.113883.6.1"
PERSONS = "1.2.250.1.71.4.2.1"
STRUCTURES = "1.2.250.1.71.4.2.2"
LEVEL_1 = '<templateId root="1.3.6.1.4.1.19376.1.2.20"/>'
CR_BIO = '<templateId root="1.3.6.1.4.1.19376.1.3.3"/><templateId root="1.2.250.1.213.1.1.1.55" extension="2024.01"/>'


class Sender(NamedTuple):
    """The structure and the professional behind a document. `struct_id` and `idnat` carry their prefixes."""

    organisation: str
    struct_id: str
    oid: str
    idnat: str
    family: str
    given: str
    prefix: str
    specialty: str
    facility: str
    setting: str
    phone: str
    street: str
    postal: str
    city: str


class Result(NamedTuple):
    """A line of a level-3 laboratory report: numbers as text, in the laboratory's digits."""

    code: str
    label: str
    value: str
    unit: str
    low: str
    high: str
    flag: str


def stamp(moment: datetime) -> str:
    """A CDA instant. The offset follows the months of summer time, which is enough for invented documents."""
    return f"{moment:%Y%m%d%H%M%S}{'+0200' if 4 <= moment.month <= 10 else '+0100'}"


def uuid_of(number: int, rank: int) -> str:
    """An identifier in UUID form, upper case, derived from the document's number."""
    return f"{number & 0xFFFFFFFF:08X}-{rank:04X}-4000-8000-{(number >> 32) & 0xFFFFFFFFFFFF:012X}"


@lru_cache(maxsize=256)
def _coded(code: str, kind: str) -> str:
    sets: dict[str, Mapping[str, Any]] = {
        "type": TYPE_CODES,
        "facility": FACILITIES,
        "setting": SETTINGS,
        "specialty": SPECIALTIES,
    }
    known = sets[kind][code]
    return f'code={quoteattr(known.code)} displayName={quoteattr(known.display)} codeSystem="{known.system}"'


@lru_cache(maxsize=128)
def _organisation(sender: Sender, setting: bool) -> str:
    industry = f"<standardIndustryClassCode {_coded(sender.setting, 'setting')}/>" if setting else ""
    return (
        f'<id root="{STRUCTURES}" extension="{sender.struct_id}"/><name>{escape(sender.organisation)}</name>'
        f'<telecom value="tel:{sender.phone}" use="WP"/>{_address(sender)}{industry}'
    )


def _address(sender: Sender) -> str:
    return (
        f"<addr><streetAddressLine>{escape(sender.street)}</streetAddressLine>"
        f"<streetAddressLine>{sender.postal} {escape(sender.city)}</streetAddressLine></addr>"
    )


@lru_cache(maxsize=128)
def _professional(sender: Sender, setting: bool) -> str:
    """Identifier to organisation, the common part of author, authenticator and performer."""
    suffix = "<suffix>DR</suffix>" if sender.specialty.startswith("G15_10") else ""
    return (
        f'<id root="{PERSONS}" extension="{sender.idnat}"/><code {_coded(sender.specialty, "specialty")}/>'
        f'{_address(sender)}<telecom value="tel:{sender.phone}" use="WP"/><assignedPerson><name>'
        f"<prefix>{sender.prefix}</prefix><given>{escape(sender.given)}</given><family>{escape(strict(sender.family))}</family>"
        f"{suffix}</name></assignedPerson>"
        f"<representedOrganization>{_organisation(sender, setting)}</representedOrganization>"
    )


def _patient(person: Person, ipp: str, ipp_oid: str, qualified: bool) -> str:
    ins = f'<id extension="{person.matricule}" root="{TEST_OID}"/>' if qualified else ""
    used = ""
    if person.used_family:
        used = (
            f'<family qualifier="CL">{escape(strict(person.used_family))}</family>'
            f'<given qualifier="CL">{escape(strict(person.givens[0]))}</given>'
        )
    gender = ("F", "Féminin") if person.sex == "F" else ("M", "Masculin")
    return (
        f'<recordTarget><patientRole>{ins}<id extension="{ipp}" root="{ipp_oid}"/><addr nullFlavor="UNK"/>'
        f'<telecom nullFlavor="UNK"/><patient classCode="PSN"><name><family qualifier="BR">{escape(strict(person.family))}</family>'
        f"<given>{escape(person.strict_givens)}</given>"
        f'<given qualifier="BR">{escape(strict(person.givens[0]))}</given>{used}</name>'
        f'<administrativeGenderCode code="{gender[0]}" displayName="{gender[1]}" codeSystem="2.16.840.1.113883.5.1"/>'
        f'<birthTime value="{person.born:%Y%m%d}"/><birthplace><place><addr><county>{person.place.cog}</county>'
        f"<city>{escape(strict(person.place.label))}</city></addr></place></birthplace></patient></patientRole></recordTarget>"
    )


def _document(
    sender: Sender,
    person: Person,
    *,
    number: int,
    version: int,
    type_code: str,
    title: str,
    act: datetime,
    qualified: bool,
    templates: str,
    event: str,
    performer: str,
    body: str,
) -> bytes:
    root = f"{sender.oid}.{number}"
    made = stamp(act + timedelta(hours=2))
    replaced = ""
    if version > 1:
        replaced = (
            f'<relatedDocument typeCode="RPLC"><parentDocument><id root="{root}.{version - 1}"/>'
            f'<setId root="{root}"/><versionNumber value="{version - 1}"/></parentDocument></relatedDocument>'
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xmlns:lab="urn:oid:1.3.6.1.4.1.19376.1.3.2">'
        '<realmCode code="FR"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>'
        '<templateId root="2.16.840.1.113883.2.8.2.1"/><templateId root="1.2.250.1.213.1.1.1.1"/>'
        f'{templates}<id root="{root}.{version}"/><code {_coded(type_code, "type")}/><title>{escape(title)}</title>'
        f'<effectiveTime value="{made}"/>'
        '<confidentialityCode code="N" displayName="Normal" codeSystem="2.16.840.1.113883.5.25"/>'
        f'<languageCode code="fr-FR"/><setId root="{root}"/><versionNumber value="{version}"/>'
        f"{_patient(person, f'P{number}', sender.oid, qualified)}"
        f'<author><time value="{made}"/><assignedAuthor>{_professional(sender, False)}</assignedAuthor></author>'
        "<custodian><assignedCustodian><representedCustodianOrganization>"
        f"{_organisation(sender, False)}</representedCustodianOrganization></assignedCustodian></custodian>"
        f'<legalAuthenticator><time value="{made}"/><signatureCode code="S"/>'
        f"<assignedEntity>{_professional(sender, True)}</assignedEntity></legalAuthenticator>"
        f"<documentationOf><serviceEvent>{event}<effectiveTime>"
        f'<low value="{stamp(act)}"/><high value="{made}"/></effectiveTime><performer typeCode="PRF">{performer}'
        f"<assignedEntity>{_professional(sender, True)}</assignedEntity></performer></serviceEvent></documentationOf>"
        f'{replaced}<componentOf><encompassingEncounter><effectiveTime><low value="{stamp(act)}"/></effectiveTime>'
        f"<responsibleParty><assignedEntity>{_professional(sender, True)}</assignedEntity></responsibleParty>"
        f"<location><healthCareFacility><code {_coded(sender.facility, 'facility')}/></healthCareFacility></location>"
        f"</encompassingEncounter></componentOf><component>{body}</component></ClinicalDocument>\n"
    ).encode()


def level_1(
    sender: Sender,
    person: Person,
    pdf: bytes,
    *,
    number: int,
    version: int,
    type_code: str,
    title: str,
    act: datetime,
    qualified: bool,
) -> bytes:
    """A level-1 CDA around a PDF. `number` makes the identifiers; `qualified` puts the INS in the header."""
    body = (
        '<nonXMLBody><text mediaType="application/pdf" representation="B64">'
        f"{b64encode(pdf).decode()}</text></nonXMLBody>"
    )
    return _document(
        sender,
        person,
        number=number,
        version=version,
        type_code=type_code,
        title=title,
        act=act,
        qualified=qualified,
        templates=LEVEL_1,
        event="",
        performer="",
        body=body,
    )


def biology(
    sender: Sender,
    person: Person,
    pdf: bytes,
    results: list[Result],
    *,
    number: int,
    version: int,
    act: datetime,
    qualified: bool,
) -> bytes:
    """A CR-BIO at level 3: one chapter, the results with their LOINC codes, and the PDF copy."""
    chapter = f'<code code="18719-5" displayName="Biochimie" codeSystem="{LOINC}"/>'
    made = stamp(act)
    lines = "".join(
        f'<tr><td><content ID="r{i}">{escape(r.label)}</content></td><td>{r.value} {escape(r.unit)}</td>'
        f"<td>{r.low} - {r.high}</td></tr>"
        for i, r in enumerate(results)
    )
    observations = "".join(_observation(i, r, made) for i, r in enumerate(results))
    copy = (
        '<component><section><templateId root="1.2.250.1.213.1.1.2.243"/>'
        f'<id root="{uuid_of(number, 1)}"/><code code="55108-5" displayName="Copie du document" codeSystem="{LOINC}"/>'
        "<title>Copie du document</title><text><table><tbody><tr><td>"
        '<renderMultiMedia referencedObject="copie"/></td></tr></tbody></table></text>'
        '<entry><organizer classCode="CLUSTER" moodCode="EVN"><templateId root="1.2.250.1.213.1.1.3.18"/>'
        f'<id root="{uuid_of(number, 2)}"/><code code="55107-7" displayName="Document attaché" codeSystem="{LOINC}"/>'
        '<statusCode code="completed"/><component><observation classCode="OBS" moodCode="EVN">'
        '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.13"/><templateId root="1.2.250.1.213.1.1.3.48"/>'
        f'<templateId root="1.2.250.1.213.1.1.3.48.18"/><id root="{uuid_of(number, 3)}"/>'
        f'<code code="69764-9" displayName="Type de document" codeSystem="{LOINC}"/>'
        '<text><reference value="#copie"/></text><statusCode code="completed"/><effectiveTime nullFlavor="NA"/>'
        f'<value xsi:type="CD" code="55108-5" displayName="Copie du document" codeSystem="{LOINC}"/></observation></component>'
        '<component><observationMedia classCode="OBS" moodCode="EVN" ID="copie">'
        f'<value mediaType="application/pdf" representation="B64">{b64encode(pdf).decode()}</value>'
        "</observationMedia></component></organizer></entry></section></component>"
    )
    body = (
        '<structuredBody><component><section><templateId root="1.3.6.1.4.1.19376.1.3.3.2.1"/>'
        f'<templateId root="1.2.250.1.213.1.1.2.70"/>{chapter}<title>BIOCHIMIE</title><component><section>'
        '<templateId root="1.3.6.1.4.1.19376.1.3.3.2.2"/><templateId root="1.2.250.1.213.1.1.2.71"/>'
        f"{chapter}<text><table><tbody>{lines}</tbody></table></text>"
        '<entry typeCode="DRIV"><templateId root="1.3.6.1.4.1.19376.1.3.1"/><templateId root="1.2.250.1.213.1.1.3.21"/>'
        f'<act classCode="ACT" moodCode="EVN">{chapter}<statusCode code="completed"/>{observations}</act></entry>'
        f"</section></component></section></component>{copy}</structuredBody>"
    )
    return _document(
        sender,
        person,
        number=number,
        version=version,
        type_code="11502-2",
        title="Compte rendu d'examens biologiques",
        act=act,
        qualified=qualified,
        templates=CR_BIO,
        event=f'{chapter}<lab:statusCode code="completed"/>',
        performer=(
            f'<templateId root="1.3.6.1.4.1.19376.1.3.3.1.7"/><time><high value="{stamp(act + timedelta(hours=2))}"/></time>'
        ),
        body=body,
    )


def _observation(rank: int, result: Result, made: str) -> str:
    flags = {"N": "Normal", "L": "Anormalement bas", "H": "Anormalement haut"}
    interpretation = 'codeSystem="2.16.840.1.113883.5.83"'
    return (
        '<entryRelationship typeCode="COMP"><observation classCode="OBS" moodCode="EVN">'
        '<templateId root="1.3.6.1.4.1.19376.1.3.1.6"/><templateId root="1.2.250.1.213.1.1.3.80"/>'
        f'<code code="{result.code}" displayName={quoteattr(result.label)} codeSystem="{LOINC}">'
        f'<originalText><reference value="#r{rank}"/></originalText></code><statusCode code="completed"/>'
        f'<effectiveTime value="{made}"/><value xsi:type="PQ" value="{result.value}" unit={quoteattr(result.unit)}/>'
        f'<interpretationCode code="{result.flag}" displayName="{flags[result.flag]}" {interpretation}/>'
        '<referenceRange typeCode="REFV"><observationRange classCode="OBS" moodCode="EVN.CRT"><value xsi:type="IVL_PQ">'
        f'<low value="{result.low}" unit={quoteattr(result.unit)}/><high value="{result.high}" unit={quoteattr(result.unit)}/>'
        f'</value><interpretationCode code="N" displayName="Normal" {interpretation}/></observationRange></referenceRange>'
        "</observation></entryRelationship>"
    )
