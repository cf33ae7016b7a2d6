"""The FHIR forms of a submission: the ITI-65 transaction Bundle and the ITI-105 DocumentReference of PDSm, from the same XDS metadata as
the SOAP route, and the questions of ITI-67 and TD0.2 (sheet pdsm-fhir.md, 1 to 5).

Pure functions of values; sending belongs to `gateways`. What the sheet leaves open is said where it is chosen.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple
from urllib.parse import quote, urlencode

import orjson

from transvase.exporters.fhir.primitive import Json, text
from transvase.exporters.fhir.release import FR_CORE_BASE, fr_core_extension
from transvase.exporters.fhir.terminology import HL7, LOINC, nos
from transvase.formats.cda import Coded, Organization
from transvase.formats.xds import Author, DocumentEntry, SubmissionSet
from transvase.formats.xds_metadata import PROFESSIONALS, STRUCTURES, entry_uuid, xon

PDSM = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/"
MHD = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/"
_LIST_TYPES = "https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes"
_URI = "urn:ietf:rfc:3986"
_RPPS = "https://rpps.esante.gouv.fr"
_IDENTIFIER_TYPES = f"{FR_CORE_BASE}CodeSystem/fr-core-cs-v2-0203"
_BINARIES = uuid.uuid5(uuid.NAMESPACE_URL, "urn:transvase:fhir:binary")
_PATCHES = uuid.uuid5(uuid.NAMESPACE_URL, "urn:transvase:fhir:patch")
# Bytes of a document encoded at a time: a multiple of 3, so that the pieces join.
_PIECE = 3 << 18

# Code systems as PDSm names them (sheet, 5 and 6); another keeps its OID. A04, A05, A08 have not the names of the national sets.
_SYSTEMS = {
    "2.16.840.1.113883.6.1": LOINC,
    "2.16.840.1.113883.5.25": f"{HL7}v3-Confidentiality",
    "1.2.250.1.213.1.1.4.1": nos("TRE_A03-ClasseDocument"),
    "1.2.250.1.213.1.1.4.12": nos("TRE_A05-TypeDocComplementaireCISIS"),
    "1.2.250.1.213.1.1.4.2.282": nos("TRE_A06-FormatCodeComplementaire"),
    "1.3.6.1.4.1.19376.1.2.3": nos("TRE_A11-IheFormatCode"),
    "1.2.250.1.213.1.1.4.9": nos("TRE_A01-CadreExercice"),
    "1.2.250.1.213.1.1.4.13": nos("TRE_A07-StatutVisibiliteDocument"),
    "1.2.250.1.71.4.2.4": nos("TRE_R02-SecteurActivite"),
    "1.2.250.1.213.2.2": nos("TRE_R209-TypeActivite"),
    "1.2.250.1.213.1.1.4.6": nos("TRE_A00-ProducteurDocNonPS"),
    "1.2.250.1.213.1.1.4.5": nos("TRE_A02-ProfessionSavFaire-CISIS"),
}
_GENDERS = {"M": "male", "F": "female"}
_ESCAPES = {"\\F\\": "|", "\\S\\": "^", "\\T\\": "&", "\\R\\": "~", "\\E\\": "\\"}


class Message(NamedTuple):
    """The body of a request whose document is encoded as it leaves: JSON before, raw document, JSON after."""

    head: bytes
    document: bytes
    tail: bytes

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return len(self.head) + (len(self.document) + 2) // 3 * 4 + len(self.tail)

    def parts(self) -> Iterator[bytes]:
        """The body in pieces of a megabyte: never a whole base64 copy of a large document."""
        yield self.head
        view = memoryview(self.document)
        for start in range(0, len(view), _PIECE):
            yield base64.b64encode(view[start : start + _PIECE])
        yield self.tail


def message(resource: Json, document: bytes) -> Message:
    """A resource of this module, which holds one empty `data`, as the body of its request with the document there."""
    # Inside a JSON string quotes are escaped: these bytes can only be that element.
    head, mark, tail = orjson.dumps(resource).partition(b'"data":""')
    return Message(head + mark[:-1], document, mark[-1:] + tail)


def identifier(unique_id: str) -> tuple[str, str]:
    """(system, value) of a uniqueId: an OID as URN. `root^extension` is under its root, as MHD has it; PDSm shows no such case."""
    root, _, extension = unique_id.partition("^")
    return (f"urn:oid:{root}", extension) if extension else (_URI, f"urn:oid:{root}")


def token(system: str, value: str) -> str:
    """A token parameter `system|value`, its delimiters escaped (FHIR R4, search, 3.1.1.3)."""
    return "|".join(_escaped(part) for part in (system, value))


def search_document(unique_id: str, patient: str) -> str:
    """The parameters of ITI-67 that ask for one document of a patient (CX, left out when empty), whatever became of it."""
    parameters = {"identifier": token(*identifier(unique_id)), "status": "current,superseded"}
    if patient:
        parameters = {"patient.identifier": token(*_cx(patient)), **parameters}
    return urlencode(parameters)


def search_patient(ins: str, ins_oid: str) -> str:
    """The query of TD0.2: the Patient of a matricule."""
    return f"identifier={quote(token(f'urn:oid:{ins_oid}', ins), safe='')}"


def provide_bundle(submission: SubmissionSet, entry: DocumentEntry, custodian: Organization) -> Json:
    """The transaction of ITI-65: List, DocumentReference, the PATCH of what `entry.replaces` (a logical id of the registry), Binary.

    `entry` is the only one of `submission`; the `data` of the Binary is empty, for `message`."""
    listed = _full(submission.entry_uuid or entry_uuid(submission.unique_id))
    described, binary = _full(entry.entry_uuid or entry_uuid(entry.unique_id)), binary_uuid(entry.unique_id)
    subject: Json = {"reference": _conditional(entry.patient_id), **_subject(entry.patient_id)}
    entries = [
        _entry(listed, _submission_set(submission, subject, described), "POST", "List"),
        _entry(
            described,
            _document(entry, custodian, subject, {"url": binary})
            | {"meta": _meta("pdsm-comprehensive-document-reference")},
            "POST",
            "DocumentReference",
        ),
    ]
    if entry.replaces:
        patched = f"urn:uuid:{uuid.uuid5(_PATCHES, entry.unique_id)}"
        entries.append(_entry(patched, _superseding(), "PATCH", f"DocumentReference/{entry.replaces}"))
    content = {"resourceType": "Binary", "contentType": entry.mime_type, "data": ""}
    entries.append(_entry(binary, content, "POST", "Binary"))
    return {
        "resourceType": "Bundle",
        "meta": _meta("pdsm-comprehensive-provide-document-bundle"),
        "type": "transaction",
        "entry": entries,
    }


def simplified_publish(entry: DocumentEntry, custodian: Organization) -> Json:
    """The DocumentReference of ITI-105, with every element of the comprehensive profile, which XDS requires (sheet, 3); the `data` of
    its attachment is empty, for `message`."""
    resource = _document(entry, custodian, _subject(entry.patient_id), {"data": ""})
    # MHD limits it to one here; a document of several acts says the first.
    if "event" in resource["context"]:
        resource["context"]["event"] = resource["context"]["event"][:1]
    return resource | {"meta": _meta("pdsm-simplified-publish")}


def binary_uuid(unique_id: str) -> str:
    """fullUrl of a document's bytes, derived from its uniqueId."""
    return f"urn:uuid:{uuid.uuid5(_BINARIES, unique_id)}"


# The resources.


def _submission_set(submission: SubmissionSet, subject: Json, described: str) -> Json:
    actors = _Actors()
    source = actors.author(submission.authors[0] if submission.authors else Author(), submission.patient_id)
    resource: Json = {
        "resourceType": "List",
        "meta": _meta("pdsm-submissionset-comprehensive"),
        "contained": actors.resources,
        "extension": [
            {"url": f"{MHD}ihe-designationType", "valueCodeableConcept": _concept(submission.content_type)},
            {
                "url": f"{MHD}ihe-sourceId",
                "valueIdentifier": {"system": _URI, "value": f"urn:oid:{submission.source_id}"},
            },
        ],
        "identifier": [{"use": "usual", "system": _URI, "value": f"urn:oid:{submission.unique_id}"}],
        "status": "current",
        "mode": "working",
        "code": {"coding": [{"system": _LIST_TYPES, "code": "submissionset"}]},
        "subject": subject,
        "date": _instant(submission.time),
        "source": source,
        "entry": [{"item": {"reference": described}}],
    }
    if title := text(submission.title):
        resource["title"] = title
    if comments := text(submission.comments):
        resource["note"] = [{"text": comments}]
    return resource


def _document(entry: DocumentEntry, custodian: Organization, subject: Json, carried: Json) -> Json:
    """What both transactions say of a document; `carried` is where its bytes are."""
    actors = _Actors()
    system, value = identifier(entry.unique_id)
    attachment: Json = {
        # XDS says text/xml of a CDA where the 4DMP examples say application/xml (sheet, 6, 8).
        "contentType": entry.mime_type,
        "language": entry.language,
        **carried,
        "size": entry.size,
        "hash": base64.b64encode(bytes.fromhex(entry.sha1)).decode(),
        "title": text(entry.title),
        "creation": _instant(entry.creation_time),
    }
    period = {"start": _instant(entry.service_start_time)} if entry.service_start_time else {}
    if entry.service_stop_time:
        period["end"] = _instant(entry.service_stop_time)
    context: Json = {"event": [_concept(code) for code in entry.event_codes]} if entry.event_codes else {}
    context |= {
        "period": period,
        "facilityType": _concept(entry.facility),
        "practiceSetting": _concept(entry.practice_setting),
        "sourcePatientInfo": actors.patient(entry),
    }
    if entry.reference_ids:
        context["related"] = [_related(one) for one in entry.reference_ids]
    resource: Json = {
        "resourceType": "DocumentReference",
        "contained": actors.resources,
        "masterIdentifier": {"use": "usual", "system": system, "value": value},
        "status": "current",
        "type": _concept(entry.type_code),
        "category": [_concept(entry.class_code)],
        "subject": subject,
        # PDSm and 4DMP disagree on what it dates (sheet, 6, 18): both are filled with the document's creation.
        "date": _instant(entry.creation_time),
        "author": [actors.author(one, entry.patient_id) for one in entry.authors],
        "custodian": actors.organization(xon(custodian)),
        "securityLabel": [_concept(code) for code in entry.confidentiality],
        "content": [{"attachment": attachment, "format": _concept(entry.format_code)["coding"][0]}],
        "context": context,
    }
    if entry.legal_authenticator:
        resource["authenticator"] = actors.person(entry.legal_authenticator)
    if comments := text(entry.comments):
        resource["description"] = comments
    if entry.replaces:
        target = {"reference": f"DocumentReference/{entry.replaces}"}
        resource["relatesTo"] = [{"code": "replaces", "target": target}]
    return resource


def _superseding() -> Json:
    """The FHIRPath patch that puts a replaced document out of force (sheet, 2)."""
    parts: list[Json] = [
        {"name": "type", "valueCode": "replace"},
        {"name": "path", "valueString": "DocumentReference.status"},
        {"name": "value", "valueCode": "superseded"},
    ]
    return {
        "resourceType": "Parameters",
        "meta": {"profile": [f"{MHD}IHE.MHD.Patch.Parameters"]},
        "parameter": [{"name": "operation", "part": parts}],
    }


class _Actors:
    """The contained resources of one resource, each person and structure once."""

    def __init__(self) -> None:
        self.resources: list[Json] = []
        self._known: dict[tuple[str, str], str] = {}

    def _put(self, kind: str, key: str, resource: Json) -> Json:
        ident = self._known.get((kind, key))
        if ident is None:
            rank = sum(known == kind for known, _ in self._known) + 1
            ident = self._known[kind, key] = f"{kind}-{rank}"
            self.resources.append({"resourceType": resource["resourceType"], "id": ident, **resource})
        return {"reference": f"#{ident}"}

    def author(self, author: Author, patient: str) -> Json:
        """A professional by their exercise in the first of their structures, software with its owner and kind (the sheet gives
        these two no place), or the patient."""
        parts = _components(author.person)
        specialties = [_unescaped(one.split("^")) for one in author.specialties]
        if parts[12] == "RI":
            device = _device(parts)
            if specialties:
                device["type"] = _concept(Coded(specialties[0][0], specialties[0][2], specialties[0][1]))
            if author.institutions:
                device["owner"] = self.organization(author.institutions[0])
            return self._put("device", repr(author), device)
        if parts[12] == "NH":
            return self._put("author", author.person, _person_as_patient(parts))
        role: Json = {"resourceType": "PractitionerRole", "practitioner": self.person(author.person)}
        if author.institutions:
            role["organization"] = self.organization(author.institutions[0])
        if author.roles:
            role["code"] = [{"text": text(label)} for label in author.roles]
        if specialties:
            role["specialty"] = [_concept(Coded(code, system, label)) for code, label, system in specialties]
        return self._put("role", repr(author), role)

    def person(self, xcn: str) -> Json:
        """A professional alone."""
        parts = _components(xcn)
        identifiers = [_identifier(parts)]
        if parts[12] == "IDNPS" and len(parts[0]) == 12 and parts[0].startswith("8"):
            identifiers.append({"type": _typed("RPPS"), "system": _RPPS, "value": parts[0][1:]})
        resource: Json = {
            "resourceType": "Practitioner",
            "identifier": identifiers,
            "name": [_name(parts[1], parts[2])],
        }
        return self._put("practitioner", xcn, resource)

    def organization(self, xon_: str) -> Json:
        """A structure."""
        parts = _components(xon_, 10)
        resource: Json = {"resourceType": "Organization"}
        if parts[9]:
            root = parts[5].strip("&").partition("&")[0]
            typed = {"type": _typed("IDNST")} if root == STRUCTURES else {}
            resource["identifier"] = [{**typed, "system": f"urn:oid:{root}", "value": parts[9]}]
        if parts[0]:
            resource["name"] = text(parts[0])
        return self._put("organization", xon_, resource)

    def patient(self, entry: DocumentEntry) -> Json:
        """sourcePatientInfo: the traits that the document was made under."""
        return self._put("patient", entry.patient_id, _source_patient(entry))


def _source_patient(entry: DocumentEntry) -> Json:
    fields: dict[str, list[str]] = {}
    for line in entry.source_patient_info:
        field, _, value = line.partition("|")
        fields.setdefault(field, []).append(value)
    system, number = _cx(entry.patient_id)
    local = [entry.source_patient_id, *fields.get("PID-3", [])]
    identifiers: list[Json] = [{"use": "official", "system": system, "value": number}]
    identifiers += [{"use": "usual", "system": s, "value": v} for s, v in map(_cx, local) if (s, v) != (system, number)]
    names: list[Json] = []
    for value in fields.get("PID-5", []):
        family, given, listed, *_, kind = _unescaped(value.split("^"))
        name: Json = {"use": "official" if kind == "L" else "usual", **_name(family, given)}
        if kind == "L" and text(listed):
            url = fr_core_extension("patient-birth-list-given-name")
            name = {"extension": [{"url": url, "valueString": text(listed)}], **name}
        names.append(name)
    resource: Json = {"resourceType": "Patient", "identifier": identifiers}
    for place in fields.get("PID-11", []):
        commune = _unescaped(place.split("^"))[-1]
        system = nos("TRE_R20-Pays" if commune.startswith("99") else "TRE_R13-CommuneOM")
        coded = {"url": fr_core_extension("address-insee-code"), "valueCoding": {"system": system, "code": commune}}
        born = {"url": f"{_CORE}patient-birthPlace", "valueAddress": {"extension": [coded]}}
        resource["extension"] = [born]
    if names:
        resource["name"] = names
    for sex in fields.get("PID-8", []):
        resource["gender"] = _GENDERS.get(sex, "unknown")
    if day := _day(next(iter(fields.get("PID-7", [])), "")):
        resource["birthDate"] = day
    return resource


_CORE = "http://hl7.org/fhir/StructureDefinition/"


def _device(parts: list[str]) -> Json:
    names = ((parts[1], "manufacturer-name"), (parts[2], "model-name"))
    named = [{"name": text(value), "type": kind} for value, kind in names if text(value)]
    resource: Json = {"resourceType": "Device", "identifier": [_identifier(parts)]}
    return resource | ({"deviceName": named} if named else {})


def _person_as_patient(parts: list[str]) -> Json:
    return {"resourceType": "Patient", "identifier": [_identifier(parts)], "name": [_name(parts[1], parts[2])]}


def _identifier(parts: list[str]) -> Json:
    """The identifier of an XCN, with its type when it is the national one of professionals."""
    root = parts[8].strip("&").partition("&")[0]
    typed = {"type": _typed("IDNPS")} if root == PROFESSIONALS and parts[12] == "IDNPS" else {}
    return {**typed, "system": f"urn:oid:{root}", "value": parts[0]}


def _typed(code: str) -> Json:
    return {"coding": [{"system": _IDENTIFIER_TYPES, "code": code}]}


def _name(family: str, given: str) -> Json:
    name: Json = {}
    if text(family):
        name["family"] = text(family)
    if text(given):
        name["given"] = [text(given)]
    return name


# The pieces.


def _entry(full: str, resource: Json, method: str, url: str) -> Json:
    return {"fullUrl": full, "resource": resource, "request": {"method": method, "url": url}}


def _full(entry_uuid_: str) -> str:
    return entry_uuid_ if entry_uuid_.startswith("urn:uuid:") else f"urn:uuid:{entry_uuid_}"


def _meta(profile: str) -> Json:
    return {"profile": [f"{PDSM}{profile}"]}


def _subject(patient: str) -> Json:
    """A logical reference, which MHD accepts where a national identifier exists."""
    system, value = _cx(patient)
    return {"type": "Patient", "identifier": {"system": system, "value": value}}


def _conditional(patient: str) -> str:
    """The form of the 4DMP examples, defined in a transaction only."""
    return f"Patient?identifier={'|'.join(_cx(patient))}"


def _concept(code: Coded) -> Json:
    coding: Json = {"system": _SYSTEMS.get(code.system) or f"urn:oid:{code.system}", "code": code.code}
    if label := text(code.display):
        coding["display"] = label
    return {"coding": [coding]}


def _related(reference: str) -> Json:
    """A CXi of referenceIdList."""
    value, _, _, authority, kind = _unescaped(reference.split("^"))
    one: Json = {"type": {"coding": [{"system": _URI, "code": kind}]}, "value": value}
    if root := authority.strip("&").partition("&")[0]:
        one["system"] = f"urn:oid:{root}"
    return {"identifier": one}


def _instant(digits: str) -> str:
    """14 digits UTC as a FHIR instant."""
    d = digits
    return f"{d[:4]}-{d[4:6]}-{d[6:8]}T{d[8:10]}:{d[10:12]}:{d[12:14]}Z"


def _day(digits: str) -> str:
    """A birth date as precise as it exists: INSi gives months and days that no calendar has, which FHIR cannot hold."""
    year, month, day = digits[:4], digits[4:6], digits[6:8]
    for value, whole in ((f"{year}-{month}-{day}", f"{year}-{month}-{day}"), (f"{year}-{month}", f"{year}-{month}-01")):
        try:
            date.fromisoformat(whole)
        except ValueError:
            continue
        return value
    return year if len(year) == 4 and year != "0000" else ""


def _cx(value: str) -> tuple[str, str]:
    """(system, value) of a CX; OIDs of the INS included."""
    parts = _unescaped(value.split("^"))
    root = parts[3].strip("&").partition("&")[0] if len(parts) > 3 else ""
    return f"urn:oid:{root}", parts[0]


def _components(value: str, count: int = 13) -> list[str]:
    """The components of an XCN or a XON, always so many."""
    parts = _unescaped(value.split("^"))
    return parts + [""] * (count - len(parts))


def _unescaped(parts: list[str]) -> list[str]:
    """Components as written before HL7 v2 escaped its delimiters."""
    return [_plain(part) if "\\" in part else part for part in parts]


def _plain(part: str) -> str:
    pieces: list[str] = []
    at = 0
    while (found := part.find("\\", at)) >= 0:
        pieces += (part[at:found], _ESCAPES.get(part[found : found + 3], part[found : found + 3]))
        at = found + 3
    return "".join((*pieces, part[at:]))


def _escaped(value: str) -> str:
    for sign in ("\\", "$", ",", "|"):
        value = value.replace(sign, f"\\{sign}")
    return value
