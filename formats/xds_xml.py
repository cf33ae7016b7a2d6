"""The wire form of XDS metadata: an ebRIM `SubmitObjectsRequest` written as text, and read back leniently.

One writer for METADATA.XML of an XDM archive and for the body of ITI-41: they differ by ids, status and the slots that only an
archive has (sheets `xdm-mssante.md`, 2, and `dmp-transactions.md`, 6 to 9). No tree is built for writing. The defects of the
official samples are not copied: `classifiedObject` and `registryObject` name the object that holds them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from transvase.formats import xml_text
from transvase.formats.cda import Coded
from transvase.formats.safe_xml import XmlRefused, element
from transvase.formats.xds import (
    HAS_MEMBER,
    ORIGINAL_FILE_NAME,
    REPLACES,
    SIGNS,
    UPDATES_AVAILABILITY,
    Association,
    Author,
    DocumentEntry,
    SubmissionSet,
)

RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
LCM = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"

# ebRIM schemes of IHE ITI TF-3, as listed in sheet dmp-transactions.md, 6 and 7.
_STABLE_DOCUMENT = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
_ASSOCIATION = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:Association"
_IS_SUBMISSION_SET = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
_SET_AUTHOR = "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"
_SET_CONTENT_TYPE = "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500"
_SET_PATIENT = "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446"
_SET_SOURCE = "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832"
_SET_UNIQUE = "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8"
_AUTHOR = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"
_CLASS = "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a"
_TYPE = "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983"
_CONFIDENTIALITY = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"
_FORMAT = "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d"
_FACILITY = "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1"
_PRACTICE_SETTING = "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead"
_EVENT = "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4"
_PATIENT = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"
_UNIQUE = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
_ACTION_SLOT = "urn:action:extraMetadataSlot"
_REFERENCES_SLOT = "urn:ihe:iti:xds:2013:referenceIdList"

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SPECIAL = re.compile('[&<>"\x00-\x1f\ud800-\udfff\ufffe\uffff]').search


class MetadataUnwritable(ValueError):
    """A value holds a character that XML 1.0 forbids; the message names the object by its uniqueId only."""


class MetadataUnreadable(ValueError):
    """These bytes are not the metadata of one submission; the message never holds content."""


class Metadata(NamedTuple):
    """What `read_metadata` finds. `entry_uuid` of set and entries is the id of the object, symbolic in an ITI-41."""

    submission: SubmissionSet
    entries: list[DocumentEntry]
    associations: list[Association]


def submit_objects_request(
    submission: SubmissionSet,
    entries: Sequence[DocumentEntry],
    *,
    for_xdm: bool,
    signature: DocumentEntry | None = None,
) -> str:
    """The request for these entries, without XML declaration, to be encoded in UTF-8.

    For an archive (`for_xdm`) the ids are the entryUUIDs, which must be set. For ITI-41 they are `SubmissionSet01`, `Document01`…
    in order, and `Signature01` for the XAdES entry that signs the set; the MTOM parts take the same ids. `MetadataUnwritable`
    for a forbidden character."""
    set_id = submission.entry_uuid if for_xdm else "SubmissionSet01"
    stem = _stem(submission.unique_id) if for_xdm else "SubmissionSet01_"
    parts = [
        f'<lcm:SubmitObjectsRequest xmlns:lcm="{LCM}" xmlns:rim="{RIM}"><rim:RegistryObjectList>',
        _package(submission, set_id, stem, for_xdm=for_xdm),
    ]
    links: list[tuple[str, str, str]] = []
    for number, entry in enumerate(entries, 1):
        entry_id = entry.entry_uuid if for_xdm else f"Document{number:02d}"
        parts.append(_document(entry, entry_id, for_xdm=for_xdm))
        links.append((HAS_MEMBER, set_id, entry_id))
        if entry.replaces:
            links.append((REPLACES, entry_id, entry.replaces))
    if signature is not None:
        signature_id = signature.entry_uuid if for_xdm else "Signature01"
        parts.append(_document(signature, signature_id, for_xdm=for_xdm))
        links += ((HAS_MEMBER, set_id, signature_id), (SIGNS, signature_id, set_id))
    # Object ids of the set end below 0x1000, so the links start there.
    parts.extend(
        f'<rim:Association id="{stem}{number:04x}" objectType="{_ASSOCIATION}" associationType="{kind}" '
        f'sourceObject="{_q(source)}" targetObject="{_q(target)}">{_slot("SubmissionSetStatus", ("Original",))}'
        "</rim:Association>"
        for number, (kind, source, target) in enumerate(links, 0x1000)
    )
    parts.append("</rim:RegistryObjectList></lcm:SubmitObjectsRequest>")
    return "".join(parts)


def availability_request(submission: SubmissionSet, target: str, original: str, new: str) -> str:
    """The request that changes the status of a registered entry, of entryUUID `target`, from one to another (ITI-57; sheet
    dmp-transactions.md, 9): a set without documents and one association. `MetadataUnwritable` for a forbidden character."""
    set_id, stem = "SubmissionSet01", "SubmissionSet01_"
    slots = _slot("OriginalStatus", (original,)) + _slot("NewStatus", (new,))
    return (
        f'<lcm:SubmitObjectsRequest xmlns:lcm="{LCM}" xmlns:rim="{RIM}"><rim:RegistryObjectList>'
        f"{_package(submission, set_id, stem, for_xdm=False)}"
        f'<rim:Association id="{stem}1000" objectType="{_ASSOCIATION}" associationType="{UPDATES_AVAILABILITY}" '
        f'sourceObject="{set_id}" targetObject="{_q(target)}">{slots}</rim:Association>'
        "</rim:RegistryObjectList></lcm:SubmitObjectsRequest>"
    )


class _Forbidden(Exception):
    """A character that XML 1.0 forbids, as `U+0001`."""


def _q(value: str) -> str:
    """Escaped for an attribute; most values need nothing, so one search decides."""
    if _SPECIAL(value) is None:
        return value
    if found := _FORBIDDEN.search(value):
        raise _Forbidden(f"U+{ord(found[0]):04X}")
    return xml_text.attribute(value)


def _t(value: str) -> str:
    """Escaped for element content."""
    if _SPECIAL(value) is None:
        return value
    if found := _FORBIDDEN.search(value):
        raise _Forbidden(f"U+{ord(found[0]):04X}")
    return xml_text.text(value)


def _unwritable(unique_id: str, character: _Forbidden) -> MetadataUnwritable:
    return MetadataUnwritable(
        f"metadata of {unique_id!a}: a value holds {character}, which XML forbids; clean that record at the source"
    )


def _stem(unique_id: str) -> str:
    """`urn:uuid:` and all but the last four digits of a UUID version 5 made from a uniqueId; the digits number its parts.

    One digest for each object instead of one for each of its twenty classifications."""
    h = hashlib.sha1(
        b"urn:transvase:xds:parts:" + unique_id.encode(errors="surrogatepass"), usedforsecurity=False
    ).hexdigest()
    return f"urn:uuid:{h[:8]}-{h[8:12]}-5{h[12:15]}-{'89ab'[int(h[15], 16) & 3]}{h[16:19]}-{h[19:27]}"


def _slot(name: str, values: tuple[str, ...]) -> str:
    if len(values) == 1:
        return (
            f'<rim:Slot name="{name}"><rim:ValueList><rim:Value>{_t(values[0])}</rim:Value></rim:ValueList></rim:Slot>'
        )
    listed = "".join(f"<rim:Value>{_t(v)}</rim:Value>" for v in values)
    return f'<rim:Slot name="{name}"><rim:ValueList>{listed}</rim:ValueList></rim:Slot>'


def _label(element_: str, value: str) -> str:
    return (
        f'<rim:{element_}><rim:LocalizedString xml:lang="FR" charset="UTF8" value="{_q(value)}"/></rim:{element_}>'
        if value
        else ""
    )


@lru_cache(maxsize=1024)
def _author_slots(item: Author) -> str:
    """Slots of an author, who signs many documents."""
    return "".join(
        _slot(name, values)
        for name, values in (
            ("authorInstitution", item.institutions),
            ("authorPerson", (item.person,) if item.person else ()),
            ("authorRole", item.roles),
            ("authorSpecialty", item.specialties),
        )
        if values
    )


def _author(item: Author, scheme: str, classification_id: str, owner: str) -> str:
    return (
        f'<rim:Classification id="{classification_id}" classificationScheme="{scheme}" classifiedObject="{owner}" '
        f'nodeRepresentation="">{_author_slots(item)}</rim:Classification>'
    )


@lru_cache(maxsize=4096)
def _coded(item: Coded) -> str:
    """What a code writes wherever it stands."""
    return (
        f'nodeRepresentation="{_q(item.code)}"><rim:Slot name="codingScheme"><rim:ValueList><rim:Value>{_t(item.system)}'
        f"</rim:Value></rim:ValueList></rim:Slot>{_label('Name', item.display)}</rim:Classification>"
    )


def _code(item: Coded, scheme: str, classification_id: str, owner: str) -> str:
    return (
        f'<rim:Classification id="{classification_id}" classificationScheme="{scheme}" classifiedObject="{owner}" '
        f"{_coded(item)}"
    )


def _identifier(value: str, scheme: str, name: str, identifier_id: str, owner: str) -> str:
    return (
        f'<rim:ExternalIdentifier id="{identifier_id}" identificationScheme="{scheme}" registryObject="{owner}" '
        f'value="{_q(value)}"><rim:Name><rim:LocalizedString value="{name}"/></rim:Name></rim:ExternalIdentifier>'
    )


def _package(item: SubmissionSet, set_id: str, stem: str, *, for_xdm: bool) -> str:
    try:
        owner = _q(set_id)
        status = f' status="{_q(item.status)}"' if for_xdm and item.status else ""
        parts = [f'<rim:RegistryPackage id="{owner}"{status}>']
        if item.time:
            parts.append(_slot("submissionTime", (item.time,)))
        parts += (_label("Name", item.title), _label("Description", item.comments))
        parts.append(
            f'<rim:Classification id="{stem}0000" classificationNode="{_IS_SUBMISSION_SET}" classifiedObject="{owner}" '
            'nodeRepresentation=""/>'
        )
        number = 1
        for author in item.authors:
            parts.append(_author(author, _SET_AUTHOR, f"{stem}{number:04x}", owner))
            number += 1
        if item.content_type.code:
            parts.append(_code(item.content_type, _SET_CONTENT_TYPE, f"{stem}{number:04x}", owner))
            number += 1
        for value, scheme, name in (
            (item.patient_id, _SET_PATIENT, "XDSSubmissionSet.patientId"),
            (item.source_id, _SET_SOURCE, "XDSSubmissionSet.sourceId"),
            (item.unique_id, _SET_UNIQUE, "XDSSubmissionSet.uniqueId"),
        ):
            if value:
                parts.append(_identifier(value, scheme, name, f"{stem}{number:04x}", owner))
                number += 1
        parts.append("</rim:RegistryPackage>")
        return "".join(parts)
    except _Forbidden as character:
        raise _unwritable(item.unique_id, character) from None


def _document(item: DocumentEntry, entry_id: str, *, for_xdm: bool) -> str:
    try:
        owner = _q(entry_id)
        stem = _stem(item.unique_id) if for_xdm else f"{entry_id}_"
        lid = f' lid="{_q(item.logical_id)}"' if for_xdm and item.logical_id else ""
        status = f' status="{_q(item.status)}"' if for_xdm and item.status else ""
        parts = [
            f'<rim:ExtrinsicObject id="{owner}"{lid} objectType="{_STABLE_DOCUMENT}" mimeType="{_q(item.mime_type)}"{status}>'
        ]
        if for_xdm:
            parts.extend(
                _slot(name, (value,))
                for name, value in (
                    (_ACTION_SLOT, item.action),
                    ("URI", item.uri),
                    ("repositoryUniqueId", item.repository_unique_id),
                    (ORIGINAL_FILE_NAME, item.original_file_name),
                )
                if value
            )
        parts.extend(
            _slot(name, (value,))
            for name, value in (
                ("hash", item.sha1),
                ("size", str(item.size) if item.sha1 or item.size else ""),
                ("creationTime", item.creation_time),
                ("languageCode", item.language),
                ("legalAuthenticator", item.legal_authenticator),
                ("serviceStartTime", item.service_start_time),
                ("serviceStopTime", item.service_stop_time),
                ("sourcePatientId", item.source_patient_id),
            )
            if value
        )
        if item.source_patient_info:
            parts.append(_slot("sourcePatientInfo", item.source_patient_info))
        if item.reference_ids:
            parts.append(_slot(_REFERENCES_SLOT, item.reference_ids))
        parts += (_label("Name", item.title), _label("Description", item.comments))
        number = 0
        for author in item.authors:
            parts.append(_author(author, _AUTHOR, f"{stem}{number:04x}", owner))
            number += 1
        for scheme, codes in (
            (_CLASS, (item.class_code,)),
            (_TYPE, (item.type_code,)),
            (_FORMAT, (item.format_code,)),
            (_FACILITY, (item.facility,)),
            (_PRACTICE_SETTING, (item.practice_setting,)),
            (_CONFIDENTIALITY, item.confidentiality),
            (_EVENT, item.event_codes),
        ):
            for code in codes:
                if code.code:
                    parts.append(_code(code, scheme, f"{stem}{number:04x}", owner))
                    number += 1
        if item.patient_id:
            parts.append(
                _identifier(item.patient_id, _PATIENT, "XDSDocumentEntry.patientId", f"{stem}{number:04x}", owner)
            )
            number += 1
        parts.append(_identifier(item.unique_id, _UNIQUE, "XDSDocumentEntry.uniqueId", f"{stem}{number:04x}", owner))
        parts.append("</rim:ExtrinsicObject>")
        return "".join(parts)
    except _Forbidden as character:
        raise _unwritable(item.unique_id, character) from None


def read_metadata(data: bytes) -> Metadata:
    """Submission set, entries in document order and associations of a METADATA.XML or of an ITI-41 body.

    Lenient: schemes decide, not labels, order or prefixes; what is absent is empty, spaces around a slot's value do not count.
    `MetadataUnreadable` when it is not XML, or when it does not hold exactly one submission set."""
    try:
        root = element(data)
    except XmlRefused as refusal:
        raise MetadataUnreadable(f"the metadata cannot be read: {refusal}") from None
    marked = {
        c.get("classifiedObject")
        for c in root.iter(f"{{{RIM}}}Classification")
        if c.get("classificationNode") == _IS_SUBMISSION_SET
    }
    packages = [p for p in root.iter(f"{{{RIM}}}RegistryPackage") if p.get("id") in marked]
    if len(packages) != 1:
        raise MetadataUnreadable(f"the metadata hold {len(packages)} submission sets instead of one")
    associations = [
        Association(
            a.get("associationType", ""),
            a.get("sourceObject", ""),
            a.get("targetObject", ""),
            _one(_slots(a), "SubmissionSetStatus"),
        )
        for a in root.iter(f"{{{RIM}}}Association")
    ]
    replaced = {a.source: a.target for a in associations if a.kind == REPLACES}
    entries = [_read_document(e, replaced) for e in root.iter(f"{{{RIM}}}ExtrinsicObject")]
    return Metadata(_read_package(packages[0]), entries, associations)


def _slots(node: Any) -> dict[str, tuple[str, ...]]:
    return {
        slot.get("name", ""): tuple("".join(v.itertext()).strip() for v in slot.iter(f"{{{RIM}}}Value"))
        for slot in node.iterfind(f"{{{RIM}}}Slot")
    }


def _one(slots: dict[str, tuple[str, ...]], name: str) -> str:
    values = slots.get(name)
    return values[0] if values else ""


def _read_label(node: Any, element_: str) -> str:
    label = node.find(f"{{{RIM}}}{element_}/{{{RIM}}}LocalizedString")
    return "" if label is None else label.get("value", "")


def _classifications(node: Any, scheme: str) -> Iterator[Any]:
    return (c for c in node.iterfind(f"{{{RIM}}}Classification") if c.get("classificationScheme") == scheme)


def _read_codes(node: Any, scheme: str) -> tuple[Coded, ...]:
    return tuple(
        Coded(c.get("nodeRepresentation", ""), _one(_slots(c), "codingScheme"), _read_label(c, "Name"))
        for c in _classifications(node, scheme)
    )


def _read_code(node: Any, scheme: str) -> Coded:
    codes = _read_codes(node, scheme)
    return codes[0] if codes else Coded()


def _read_authors(node: Any, scheme: str) -> tuple[Author, ...]:
    return tuple(
        Author(
            _one(slots, "authorPerson"),
            slots.get("authorInstitution", ()),
            slots.get("authorRole", ()),
            slots.get("authorSpecialty", ()),
        )
        for c in _classifications(node, scheme)
        if (slots := _slots(c)) is not None
    )


def _read_identifier(node: Any, scheme: str) -> str:
    for identifier in node.iterfind(f"{{{RIM}}}ExternalIdentifier"):
        if identifier.get("identificationScheme") == scheme:
            value: str = identifier.get("value", "")
            return value
    return ""


def _read_package(node: Any) -> SubmissionSet:
    return SubmissionSet(
        unique_id=_read_identifier(node, _SET_UNIQUE),
        source_id=_read_identifier(node, _SET_SOURCE),
        patient_id=_read_identifier(node, _SET_PATIENT),
        time=_one(_slots(node), "submissionTime"),
        authors=_read_authors(node, _SET_AUTHOR),
        content_type=_read_code(node, _SET_CONTENT_TYPE),
        title=_read_label(node, "Name"),
        comments=_read_label(node, "Description"),
        entry_uuid=node.get("id", ""),
        status=node.get("status", ""),
    )


def _read_document(node: Any, replaced: dict[str, str]) -> DocumentEntry:
    slots = _slots(node)
    size = _one(slots, "size")
    entry_id = node.get("id", "")
    return DocumentEntry(
        unique_id=_read_identifier(node, _UNIQUE),
        entry_uuid=entry_id,
        logical_id=node.get("lid", ""),
        repository_unique_id=_one(slots, "repositoryUniqueId"),
        status=node.get("status", ""),
        mime_type=node.get("mimeType", ""),
        sha1=_one(slots, "hash").upper(),
        # A size that is no number equals no file's size.
        size=int(size) if size.isascii() and size.isdigit() and len(size) < 16 else -1 if size else 0,
        uri=_one(slots, "URI"),
        creation_time=_one(slots, "creationTime"),
        service_start_time=_one(slots, "serviceStartTime"),
        service_stop_time=_one(slots, "serviceStopTime"),
        language=_one(slots, "languageCode"),
        title=_read_label(node, "Name"),
        comments=_read_label(node, "Description"),
        legal_authenticator=_one(slots, "legalAuthenticator"),
        patient_id=_read_identifier(node, _PATIENT),
        source_patient_id=_one(slots, "sourcePatientId"),
        source_patient_info=slots.get("sourcePatientInfo", ()),
        authors=_read_authors(node, _AUTHOR),
        class_code=_read_code(node, _CLASS),
        type_code=_read_code(node, _TYPE),
        format_code=_read_code(node, _FORMAT),
        facility=_read_code(node, _FACILITY),
        practice_setting=_read_code(node, _PRACTICE_SETTING),
        confidentiality=_read_codes(node, _CONFIDENTIALITY),
        event_codes=_read_codes(node, _EVENT),
        reference_ids=slots.get(_REFERENCES_SLOT, ()),
        action=_one(slots, _ACTION_SLOT),
        original_file_name=_one(slots, ORIGINAL_FILE_NAME),
        replaces=replaced.get(entry_id, ""),
    )
