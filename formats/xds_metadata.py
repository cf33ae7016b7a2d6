"""XDS metadata derived from a CDA header: what the ANS generator does, verified on its official archives.

Pure functions of the header and of facts the caller measured (digest, size, name in the archive). Forms of names, structures and
patients: sheet `dmp-transactions.md`, 7.1, and `practitioner-identifiers.md`, 4. Class by ASS_X04, format by ASS_A11.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from functools import lru_cache

from transvase.formats.cda import CdaHeader, Coded, Id, Organization, Party, Patient
from transvase.formats.xds import Author, DocumentEntry, SubmissionSet
from transvase.model.clock import PARIS, utc14, zone
from transvase.model.codes.class_codes import CODES as CLASSES
from transvase.model.codes.confidentiality_codes import CODES as CONFIDENTIALITY
from transvase.model.codes.format_codes import CODES as FORMATS
from transvase.model.codes.type_codes import CODES as TYPES
from transvase.model.identifiers import uuid5

PROFESSIONALS = "1.2.250.1.71.4.2.1"
STRUCTURES = "1.2.250.1.71.4.2.2"
# Reference of a SIREN in the XON of a referenced digital service.
_SIREN = "1.3.2"
# NIR, NIA, test and demonstration; then the old INS-C, which identifies only when nothing better does.
INS_ROOTS = ("1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.9", "1.2.250.1.213.1.4.10", "1.2.250.1.213.1.4.11")
_OLD_INS = "1.2.250.1.213.1.4.2"
_NATIONAL = (*INS_ROOTS, _OLD_INS)

# Namespace of the entryUUIDs derived from a uniqueId: the same document has the same entry in every archive we write.
_ENTRIES = uuid.uuid5(uuid.NAMESPACE_URL, "urn:transvase:xds:entry")

_LEVEL_1 = {f.media_type: f for f in FORMATS.values() if f.media_type and f.templates}
_BY_TEMPLATE = {t: f for f in FORMATS.values() if not f.media_type for t in f.templates}
# Structured document of a model that neither IHE nor the CI-SIS names (value set J10).
_OUTSIDE_MODELS = FORMATS["urn:asipSante:modelesHorsProfils:2011"]

_FIELDS = ((0, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 14))
_TIME = re.compile(r"(\d{4}|\d{6}|\d{8}|\d{10}|\d{12}|\d{14})(?:\.\d+)?([+-]\d{4})?", re.ASCII)
_HL7_ESCAPES = str.maketrans({"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"})
# One search decides: hardly any name holds a delimiter, and `translate` costs ten times the search.
_HL7_SPECIAL = re.compile(r"[\\|^&~]").search
_OID_ARC = re.compile(r"0|[1-9][0-9]*")


class NotDerivable(ValueError):
    """The header lacks what a mandatory attribute needs; `attribute` names it. The message holds no value."""

    def __init__(self, attribute: str, why: str) -> None:
        super().__init__(f"XDS attribute {attribute} cannot be derived: {why}")
        self.attribute = attribute


@lru_cache(maxsize=4096)
def utc(value: str) -> str:
    """14 digits UTC of an HL7 TS; empty for an empty value, `NotDerivable` for a malformed one.

    With an offset, the instant minus it. With a time of day but no offset, local time of Europe/Paris. A bare date, month or
    year is padded and not shifted (`20240328` gives `20240328000000`): so its day stays the same in UTC and in Paris."""
    if not value:
        return ""
    match = _TIME.fullmatch(value)
    if match is None:
        raise NotDerivable("time", "the HL7 time is malformed")
    digits, offset = match.groups()
    padded = digits + "00000101000000"[len(digits) :]
    try:
        # Five times faster than strptime.
        year, month, day, hour, minute, second = (int(padded[at:end]) for at, end in _FIELDS)
        moment = datetime(year, month, day, hour, minute, second)
        if len(digits) <= 8:
            return padded
        if offset is None:
            return utc14(moment.replace(tzinfo=zone(PARIS)))
        shift = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:]))
        return utc14(moment.replace(tzinfo=timezone(shift if offset[0] == "+" else -shift)))
    except (ValueError, OverflowError):
        raise NotDerivable("time", "the HL7 time does not exist") from None


def entry_uuid(unique_id: str) -> str:
    """entryUUID derived from a document's uniqueId, as `urn:uuid:…`."""
    return f"urn:uuid:{uuid5(_ENTRIES, unique_id)}"


def derive(
    header: CdaHeader,
    *,
    data_sha1: str,
    size: int,
    uri: str,
    local_confidentiality: tuple[str, ...] = (),
    original_file_name: str = "",
    repository_unique_id: str = "",
    class_code: str = "",
    deletion: bool = False,
    replaces: str = "",
) -> DocumentEntry:
    """Entry of a CDA whose bytes have this SHA-1 (hexadecimal) and size.

    `local_confidentiality` are visibility codes added to those of the header; `class_code` decides where ASS_X04 gives no class
    for the type; `deletion` marks a cancellation message (slot D); `replaces` is the entryUUID of the version replaced.
    `NotDerivable` when the header lacks id, code, effectiveTime or patient id, or for a code outside its set."""
    unique_id = header.id.oid
    if not unique_id:
        raise NotDerivable("uniqueId", "the document has no id")
    if not header.effective_time:
        raise NotDerivable("creationTime", "the document has no effectiveTime")
    type_code = _type(header.code)
    act = header.acts[0] if header.acts else None
    uuid_ = entry_uuid(unique_id)
    authenticator = header.legal_authenticator
    patient, source, told = _of_patient(header.patient)
    if deletion:
        action = "D"
    else:
        action = "C" if header.version > 1 else ""
    return DocumentEntry(
        unique_id=unique_id,
        entry_uuid=uuid_,
        # A registry gives a new document a logicalId equal to its entryUUID; later metadata versions keep it.
        logical_id=uuid_,
        repository_unique_id=repository_unique_id,
        mime_type="application/xslt+xml" if header.self_presenting else "text/xml",
        sha1=data_sha1.upper(),
        size=size,
        uri=uri,
        creation_time=utc(header.effective_time),
        service_start_time=utc(act.low) if act else "",
        service_stop_time=utc(act.high) if act else "",
        language=header.language,
        title=header.title,
        legal_authenticator=xcn(authenticator) if authenticator else "",
        patient_id=patient,
        source_patient_id=source,
        source_patient_info=told,
        authors=tuple(author(party) for party in header.authors),
        class_code=_class(header.code, class_code),
        type_code=type_code,
        format_code=_format(header),
        facility=header.facility,
        practice_setting=act.performer.organization.setting if act else Coded(),
        confidentiality=_confidentiality(header.confidentiality.code, local_confidentiality),
        event_codes=tuple(a.code for a in header.acts if a.code.code),
        action=action,
        original_file_name=original_file_name,
        replaces=replaces,
    )


def submission_set(
    entries: Sequence[DocumentEntry],
    *,
    unique_id: str,
    source_id: str,
    time: str,
    content_type: Coded | None = None,
    authors: tuple[Author, ...] | None = None,
) -> SubmissionSet:
    """Submission of these entries of one patient; title, authors and content type default to those of the first, as in the XDM
    samples, which give the facility as content type. `NotDerivable` when the entries are not of one patient."""
    lead = entries[0]
    if any(e.patient_id != lead.patient_id for e in entries):
        raise NotDerivable("patientId", "the documents of a submission are not of one patient")
    return SubmissionSet(
        unique_id=unique_id,
        source_id=source_id,
        patient_id=lead.patient_id,
        time=time,
        authors=lead.authors if authors is None else authors,
        content_type=lead.facility if content_type is None else content_type,
        title=lead.title,
        entry_uuid=entry_uuid(unique_id),
    )


def source_id(custodian: Organization, configured: str) -> str:
    """sourceId: the custodian's `root.extension`; `configured` (the practice's own OID) when that is not a legal OID, because the
    identifier starts with 0 or holds a letter."""
    for i in custodian.ids:
        if i.root and not i.extension:
            return i.root
        if _OID_ARC.fullmatch(i.extension):
            return f"{i.root}.{i.extension}"
    return configured


def cx(i: Id) -> str:
    """Patient identifier `<id>^^^&<OID>&ISO^NH` for a national one, `^PI` for another."""
    return f"{_hl7(i.extension)}^^^&{i.root}&ISO^{'NH' if i.root in _NATIONAL else 'PI'}"


def patient_id(patient: Patient) -> str:
    """patientId: the INS first (PORT-74), else the first identifier (PORT-29). `NotDerivable` without any."""
    for wanted in (INS_ROOTS, (_OLD_INS,)):
        for i in patient.ids:
            if i.root in wanted and i.extension:
                return cx(i)
    if not patient.ids:
        raise NotDerivable("patientId", "the patient has no identifier")
    return cx(patient.ids[0])


def source_patient_id(patient: Patient) -> str:
    """sourcePatientId: the first local identifier, else the one of patientId."""
    local = _local(patient)
    return cx(local[0]) if local else patient_id(patient)


def source_patient_info(patient: Patient) -> tuple[str, ...]:
    """sourcePatientInfo: birth names (PID-5 … L), names in use (PID-5 … D), birth date, sex, place of birth, then further local
    identifiers (PID-3). A line whose facts are all absent is left out."""
    lines = []
    if patient.birth_family or patient.birth_given or patient.given_names:
        names = (patient.birth_family, patient.birth_given, patient.given_names)
        lines.append(f"PID-5|{'^'.join(map(_hl7, names))}^^^^L")
    if patient.used_family or patient.used_given:
        # The given name in use is never filled from another (sheet ins-identity.md, 4: EXI ID 08).
        lines.append(f"PID-5|{_hl7(patient.used_family)}^{_hl7(patient.used_given)}^^^^^D")
    if patient.birth:
        lines.append(f"PID-7|{_hl7(patient.birth[:8])}")
    if patient.sex:
        # HL7 v2 table 0001 has no UN (undifferentiated, CDA): its value is U.
        lines.append(f"PID-8|{'U' if patient.sex == 'UN' else _hl7(patient.sex)}")
    if patient.birth_place:
        lines.append(f"PID-11|^^^^^^BDL^^{_hl7(patient.birth_place)}")
    lines.extend(f"PID-3|{cx(i)}" for i in _local(patient)[1:])
    return tuple(lines)


@lru_cache(maxsize=64)
def _of_patient(patient: Patient) -> tuple[str, str, tuple[str, ...]]:
    """The same for all documents of a patient."""
    return patient_id(patient), source_patient_id(patient), source_patient_info(patient)


def author(party: Party) -> Author:
    """An author of the header as an XDS author; the role is the label of functionCode."""
    code = party.code
    return Author(
        person=xcn(party),
        institutions=(xon(party.organization),) if party.organization.name or party.organization.ids else (),
        roles=(party.function.display,) if party.function.display else (),
        specialties=(f"{_hl7(code.code)}^{_hl7(code.display)}^{code.system}",) if code.code else (),
    )


def xcn(party: Party) -> str:
    """XCN of a person or of software (`^U^^^RI`). Type of identifier: IDNPS for a national one, EI for one that a structure gave
    (`<structure>/<internal>`, or another root), NH for a patient."""
    i = _preferred(party.ids, PROFESSIONALS)
    if party.is_device:
        names, name_type, id_type = (party.software, party.model), "U", "RI"
    else:
        names, name_type = (party.family, party.given), "D"
        if i.root in _NATIONAL:
            id_type = "NH"
        else:
            id_type = "IDNPS" if i.root == PROFESSIONALS and "/" not in i.extension else "EI"
    return f"{_hl7(i.extension)}^{'^'.join(map(_hl7, names))}^^^^^^&{i.root}&ISO^{name_type}^^^{id_type}"


def xon(organization: Organization) -> str:
    """XON of a structure; its name alone when it has no identifier."""
    if not organization.ids:
        return _hl7(organization.name)
    i = _preferred(organization.ids, STRUCTURES)
    id_type = {STRUCTURES: "IDNST", _SIREN: "SIREN"}.get(i.root, "XX")
    return f"{_hl7(organization.name)}^^^^^&{i.root}&ISO^{id_type}^^^{_hl7(i.extension)}"


def _hl7(value: str) -> str:
    """A component of an HL7 v2 field: its delimiters escaped, so that `Martin & Fils` stays one component."""
    return value.translate(_HL7_ESCAPES) if _HL7_SPECIAL(value) else value


def _preferred(ids: tuple[Id, ...], root: str) -> Id:
    """The identifier under that root (since header version 1.16.7 a billing number may stand beside it), else the first."""
    return next((i for i in ids if i.root == root), ids[0] if ids else Id())


def _local(patient: Patient) -> list[Id]:
    return [i for i in patient.ids if i.root not in _NATIONAL and i.extension]


def _type(code: Coded) -> Coded:
    if not code.code:
        raise NotDerivable("typeCode", "the document has no code")
    known = TYPES.get(code.code)
    # The label of the value set, not the one that the document gives: they differ in 10 of the 69 official archives.
    if known is None or known.system != code.system or not known.display:
        return code
    return Coded(known.code, known.system, known.display)


def _class(code: Coded, chosen: str) -> Coded:
    known = TYPES.get(code.code)
    found = CLASSES.get((known.class_code if known else "") or chosen)
    if found is None:
        raise NotDerivable("classCode", "ASS_X04 gives no class for this type of document; choose one by hand")
    return Coded(found.code, found.system, found.display)


def _format(header: CdaHeader) -> Coded:
    if header.level == 1:
        found = _LEVEL_1.get(header.media_type)
        if found is None:
            raise NotDerivable("formatCode", "no format is known for the media type of the unstructured body")
    else:
        # The last templateId names the model; those before it are the profiles that it specialises.
        known = (_BY_TEMPLATE[t.root] for t in reversed(header.templates) if t.root in _BY_TEMPLATE)
        found = next(known, _OUTSIDE_MODELS)
    return Coded(found.code, found.system, found.display)


def _confidentiality(of_header: str, local: tuple[str, ...]) -> tuple[Coded, ...]:
    """`N` always and first, then a restriction of the header (R, V), then the local codes, each once."""
    in_header = CONFIDENTIALITY.get(of_header)
    codes = dict.fromkeys(("N", *((of_header,) if in_header and in_header.in_metadata else ()), *local))
    result = []
    for code in codes:
        found = CONFIDENTIALITY.get(code)
        if found is None or not found.in_metadata:
            raise NotDerivable("confidentialityCode", "a local code is not allowed in XDS metadata")
        result.append(Coded(found.code, found.system, found.display))
    return tuple(result)
