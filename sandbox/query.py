"""Registry answers: the response of a feed, and stored queries (ITI-18). Sheet dmp-transactions, sections 2, 10 and 11.

Three questions are understood: GetDocuments by uniqueId, by entryUUID, and FindDocuments by patient.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from transvase.sandbox import finding, forms, markup, metadata, rules
from transvase.sandbox.finding import Finding
from transvase.sandbox.metadata import QUERY, RIM, RS
from transvase.sandbox.registry import REPOSITORY, Document, Registry
from transvase.sandbox.soap import Fault

FIND = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
GET = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"

_STATUS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:"
_SEVERITY = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:"
_PREFIX = "$XDSDocumentEntry"
_QUOTED = re.compile(r"'((?:[^']|'')*)'")
_LIST = re.compile(r"\(\s*'(?:[^']|'')*'(?:\s*,\s*'(?:[^']|'')*')*\s*\)")
_NUMBER = re.compile(r"[0-9]{4,14}")


class Refused(Exception):
    """A query that is answered Failure; holds the finding."""

    def __init__(self, code: str, what: str) -> None:
        super().__init__(what)
        self.finding = Finding(code, what, "AdhocQuery")


def response(findings: Iterable[Finding], *, partial: bool = False) -> str:
    """A `RegistryResponse`: Failure when a finding is an error, else Success (or PartialSuccess when `partial`)."""
    found = list(findings)
    status = "Failure" if not all(one.warning for one in found) else "PartialSuccess" if partial else "Success"
    return f'<rs:RegistryResponse xmlns:rs="{RS}" status="{_STATUS}{status}">{_errors(found)}</rs:RegistryResponse>'


def _errors(findings: list[Finding]) -> str:
    if not findings:
        return ""
    severity = "Warning" if all(one.warning for one in findings) else "Error"
    rows = "".join(
        f'<rs:RegistryError errorCode="{one.code}" codeContext={quoteattr(one.what)} location={quoteattr(one.where)}'
        f' severity="{_SEVERITY}{"Warning" if one.warning else "Error"}"/>'
        for one in findings
    )
    return f'<rs:RegistryErrorList highestSeverity="{_SEVERITY}{severity}">{rows}</rs:RegistryErrorList>'


def answer(body: markup.Element, registry: Registry) -> str:
    """The `AdhocQueryResponse` to an `AdhocQueryRequest`. Raises `Fault` when there is no query to speak of."""
    if markup.parts(body) != (QUERY, "AdhocQueryRequest"):
        raise Fault("Body does not hold an AdhocQueryRequest.")
    option = body.find(f"{{{QUERY}}}ResponseOption")
    query = body.find(f"{{{RIM}}}AdhocQuery")
    if option is None or query is None:
        raise Fault("AdhocQueryRequest does not hold ResponseOption and AdhocQuery.")
    if option.get("returnComposedObjects") != "true" or option.get("returnType") not in ("LeafClass", "ObjectRef"):
        raise Fault("ResponseOption is not LeafClass or ObjectRef with returnComposedObjects true.")
    try:
        documents = _question(query)(registry)
    except Refused as refused:
        return _response("Failure", _errors([refused.finding]), "")
    write = _leaf if option.get("returnType") == "LeafClass" else _reference
    return _response("Success", "", "".join(map(write, documents)))


def _response(status: str, errors: str, objects: str) -> str:
    return (
        f'<query:AdhocQueryResponse xmlns:query="{QUERY}" xmlns:rs="{RS}" xmlns:rim="{RIM}" status="{_STATUS}{status}">'
        f"{errors}<rim:RegistryObjectList>{objects}</rim:RegistryObjectList></query:AdhocQueryResponse>"
    )


def _question(query: markup.Element) -> Callable[[Registry], list[Document]]:
    values: dict[str, str] = {}
    for slot in query.iterfind(f"{{{RIM}}}Slot"):
        name = slot.get("name", "")
        found = [markup.text(value) for value in slot.iterfind(f"{{{RIM}}}ValueList/{{{RIM}}}Value")]
        if name in values or len(found) != 1:
            raise Refused(finding.QUERY_NUMBER, "A parameter is repeated or does not have exactly one Value.")
        values[name] = found[0]
    identifier = query.get("id")
    if identifier == GET:
        return _get(values)
    if identifier == FIND:
        return _find(values)
    raise Refused(finding.QUERY_UNKNOWN, "AdhocQuery is not GetDocuments or FindDocuments.")


def _get(values: dict[str, str]) -> Callable[[Registry], list[Document]]:
    unique, entry = f"{_PREFIX}UniqueId", f"{_PREFIX}EntryUUID"
    if set(values) - {unique, entry}:
        raise Refused(finding.REGISTRY, "A parameter is not one of GetDocuments here.")
    if len(values) != 1:
        raise Refused(finding.QUERY_MISSING, "GetDocuments needs either UniqueId or EntryUUID.")
    if unique in values:
        wanted = _many(values[unique])
        if any(one.startswith("urn:") for one in wanted):
            raise Refused(finding.UNIQUE_ID, "UniqueId was given an entryUUID.")
        return lambda registry: [d for d in map(registry.by_unique_id, wanted) if d is not None]
    wanted = _many(values[entry])
    return lambda registry: [d for d in map(registry.by_entry_uuid, wanted) if d is not None]


class _Filter(NamedTuple):
    """How a parameter is read, and whether a document passes its values."""

    read: Callable[[str], list[str]]
    passes: Callable[[Document, list[str]], bool]


def _find(values: dict[str, str]) -> Callable[[Registry], list[Document]]:
    patient_name = f"{_PREFIX}PatientId"
    for name in (patient_name, f"{_PREFIX}Status"):
        if name not in values:
            raise Refused(finding.QUERY_MISSING, f"FindDocuments needs {name.removeprefix('$')}.")
    quoted = _QUOTED.fullmatch(values[patient_name])
    identity = forms.cx(quoted[1]) if quoted else None
    if quoted is None or identity is None or identity[2] != "NH":
        raise Refused(finding.QUERY_NUMBER, "PatientId is not the CX of an INS in quotes, without parentheses.")
    patient = quoted[1]
    filters: list[tuple[_Filter, list[str]]] = []
    for name, value in values.items():
        if name == patient_name:
            continue
        known = _FILTERS.get(name.removeprefix(_PREFIX)) if name.startswith(_PREFIX) else None
        if known is None:
            raise Refused(finding.REGISTRY, "A parameter is not one of FindDocuments here.")
        filters.append((known, known.read(value)))

    def documents(registry: Registry) -> list[Document]:
        if registry.patient_state(identity[0], identity[1]) == "none":
            raise Refused(finding.UNKNOWN_PATIENT, "PatientId has no DMP.")
        return [d for d in registry.of_patient(patient) if all(one.passes(d, given) for one, given in filters)]

    return documents


def _many(value: str) -> list[str]:
    if not _LIST.fullmatch(value):
        raise Refused(finding.QUERY_NUMBER, "A parameter is not a list of quoted values in parentheses.")
    return [one.replace("''", "'") for one in _QUOTED.findall(value)]


def _number(value: str) -> list[str]:
    if not _NUMBER.fullmatch(value.strip("'")):
        raise Refused(finding.QUERY_NUMBER, "A time parameter is not 4 to 14 digits.")
    return [value.strip("'").ljust(14, "0")]


_FILTERS = {
    "Status": _Filter(_many, lambda d, given: d.status in given),
    "TypeCode": _Filter(_many, lambda d, given: f"{d.type_code}^^{d.type_system}" in given),
    "ClassCode": _Filter(_many, lambda d, given: f"{d.class_code}^^{d.class_system}" in given),
    "CreationTimeFrom": _Filter(_number, lambda d, given: d.created >= given[0]),
    "CreationTimeTo": _Filter(_number, lambda d, given: d.created < given[0]),
    "ServiceStartTimeFrom": _Filter(_number, lambda d, given: d.started >= given[0]),
    "ServiceStartTimeTo": _Filter(_number, lambda d, given: d.started < given[0]),
}


def _reference(document: Document) -> str:
    return f'<rim:ObjectRef id="{document.entry_uuid}"/>'


def _leaf(document: Document) -> str:
    uuid = document.entry_uuid
    slots = {
        "hash": document.hash,
        "size": str(document.size),
        "repositoryUniqueId": REPOSITORY,
        "creationTime": document.created,
        "serviceStartTime": document.started,
    }
    codes = [
        (rules.CLASS, document.class_code, document.class_system),
        (rules.TYPE, document.type_code, document.type_system),
    ]
    codes += [(rules.CONFIDENTIAL, code, system) for code, system in document.confidentiality]
    identifiers = {metadata.ENTRY_PATIENT: document.patient, metadata.ENTRY_UNIQUE: document.unique_id}
    return (
        f'<rim:ExtrinsicObject id="{uuid}" lid="{document.lid}" objectType="{metadata.STABLE_DOCUMENT}"'
        f' mimeType={quoteattr(document.mime_type)} status="{document.status}">'
        + "".join(_slot(name, value) for name, value in slots.items())
        + f'<rim:VersionInfo versionName="{document.version}"/>'
        + "".join(
            f'<rim:Classification id="{uuid}-c{rank}" classificationScheme="{scheme}" classifiedObject="{uuid}"'
            f" nodeRepresentation={quoteattr(code)}>{_slot('codingScheme', system)}</rim:Classification>"
            for rank, (scheme, code, system) in enumerate(codes, 1)
        )
        + "".join(
            f'<rim:ExternalIdentifier id="{uuid}-i{rank}" identificationScheme="{scheme}" registryObject="{uuid}"'
            f" value={quoteattr(value)}><rim:Name><rim:LocalizedString value="
            f'"{metadata.IDENTIFIER_NAMES[scheme]}"/></rim:Name></rim:ExternalIdentifier>'
            for rank, (scheme, value) in enumerate(identifiers.items(), 1)
        )
        + "</rim:ExtrinsicObject>"
    )


def _slot(name: str, value: str) -> str:
    return f'<rim:Slot name="{name}"><rim:ValueList><rim:Value>{escape(value)}</rim:Value></rim:ValueList></rim:Slot>'
