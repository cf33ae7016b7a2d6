"""Reading a CDA document: one parse, then its header as values, its embedded PDF, its text for a readable copy.

Reading is lenient: what is absent is empty, what is malformed is left as written. Judging belongs to `validators`, deriving XDS
metadata to `xds_metadata`, writing to `exporters/cda`. Elements and cardinalities: sheet `cda-header-ci-sis.md`.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from typing import Any, NamedTuple

import pybase64

from transvase.formats.safe_xml import XmlRefused, element

V3 = "{urn:hl7-org:v3}"
_STYLESHEET = "{http://www.w3.org/1999/XSL/Transform}stylesheet"
# Section FR-Document-PDF-copie: a structured document's own PDF (sheet, section 7).
PDF_COPY_SECTION = "1.2.250.1.213.1.1.2.243"


class CdaUnreadable(ValueError):
    """These bytes are not a CDA document that can be read; the message never holds content."""


class Coded(NamedTuple):
    """A coded value: code, OID of its code system, label as written there. All empty when absent."""

    code: str = ""
    system: str = ""
    display: str = ""


class Id(NamedTuple):
    """An HL7 instance identifier."""

    root: str = ""
    extension: str = ""

    @property
    def oid(self) -> str:
        """`root`, or `root^extension`: the form of an XDS uniqueId."""
        return f"{self.root}^{self.extension}" if self.extension else self.root


class Organization(NamedTuple):
    """A structure. `setting` is its practice setting (standardIndustryClassCode)."""

    ids: tuple[Id, ...] = ()
    name: str = ""
    setting: Coded = Coded()


class Party(NamedTuple):
    """An author, legal authenticator or performer: a person, or software when `software` or `model` is not empty.

    `time` is an HL7 TS, `function` the role played (functionCode), `code` profession and specialty."""

    ids: tuple[Id, ...] = ()
    time: str = ""
    function: Coded = Coded()
    code: Coded = Coded()
    family: str = ""
    given: str = ""
    prefix: str = ""
    suffix: str = ""
    software: str = ""
    model: str = ""
    organization: Organization = Organization()

    @property
    def is_device(self) -> bool:
        """True for software."""
        return bool(self.software or self.model)


class Patient(NamedTuple):
    """The person of recordTarget. `given_names` is the list of birth given names, `birth_given` the first of them; `sex` is F, M
    or UN; `birth` an HL7 TS; `birth_place` the COG code of the place of birth."""

    ids: tuple[Id, ...] = ()
    birth_family: str = ""
    birth_given: str = ""
    given_names: str = ""
    used_family: str = ""
    used_given: str = ""
    sex: str = ""
    birth: str = ""
    birth_place: str = ""


class Act(NamedTuple):
    """A documentationOf/serviceEvent; `low` and `high` are HL7 TS."""

    id: Id = Id()
    code: Coded = Coded()
    low: str = ""
    high: str = ""
    performer: Party = Party()


class CdaHeader(NamedTuple):
    """Header of a ClinicalDocument. Times are HL7 TS as written; `version` is 0 when absent or not a number.

    `level` is 1 with a nonXMLBody (then `media_type` is the one of its text), 3 otherwise; `replaces` is the id of the parent
    document of a RPLC relation, empty for a first version; `self_presenting` when it came inside its own stylesheet."""

    templates: tuple[Id, ...]
    id: Id
    code: Coded
    title: str
    effective_time: str
    confidentiality: Coded
    language: str
    set_id: Id
    version: int
    patient: Patient
    authors: tuple[Party, ...]
    legal_authenticator: Party | None
    custodian: Organization
    acts: tuple[Act, ...]
    facility: Coded
    encounter_low: str
    encounter_high: str
    replaces: Id
    level: int
    media_type: str
    self_presenting: bool


def parse(data: bytes) -> Any:
    """The ClinicalDocument element of a document, also of a self-presenting one. `CdaUnreadable` when there is none."""
    try:
        root = element(data)
    except XmlRefused as refusal:
        raise CdaUnreadable(f"the document cannot be read as CDA: {refusal}") from None
    if root.tag == _STYLESHEET:
        root = next(root.iter(f"{V3}ClinicalDocument"), root)
    if root.tag != f"{V3}ClinicalDocument":
        raise CdaUnreadable("the document is XML but not a CDA: it has no ClinicalDocument in namespace urn:hl7-org:v3")
    return root


def header(document: Any) -> CdaHeader:
    """Header values of the element given by `parse`."""
    children: dict[Any, list[Any]] = {}
    for child in document:
        children.setdefault(child.tag, []).append(child)

    def first(name: str) -> Any:
        found = children.get(V3 + name)
        return found[0] if found else None

    number = _value(first("versionNumber"))
    encounter = _path(first("componentOf"), "encompassingEncounter")
    low, high = _interval(encounter)
    authenticator = first("legalAuthenticator")
    raw = _path(first("component"), "nonXMLBody")
    raw_text = _path(raw, "text")
    return CdaHeader(
        templates=tuple(_id(e) for e in children.get(f"{V3}templateId", ())),
        id=_id(first("id")),
        code=_coded(first("code")),
        title=_text(first("title")),
        effective_time=_value(first("effectiveTime")),
        confidentiality=_coded(first("confidentialityCode")),
        language=_attribute(first("languageCode"), "code"),
        set_id=_id(first("setId")),
        version=int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0,
        patient=patient(first("recordTarget")),
        authors=tuple(author(e) for e in children.get(f"{V3}author", ())),
        legal_authenticator=None if authenticator is None else entity(authenticator),
        custodian=custodian(first("custodian")),
        acts=tuple(found for e in children.get(f"{V3}documentationOf", ()) if (found := act(e)) is not None),
        facility=_coded(_path(encounter, "location", "healthCareFacility", "code")),
        encounter_low=low,
        encounter_high=high,
        replaces=next(
            (
                _id(_path(e, "parentDocument", "id"))
                for e in children.get(f"{V3}relatedDocument", ())
                if e.get("typeCode") == "RPLC"
            ),
            Id(),
        ),
        level=3 if raw is None else 1,
        media_type=_attribute(raw_text, "mediaType"),
        self_presenting=document.getparent() is not None,
    )


def embedded_pdf(source: Any) -> bytes | None:
    """The PDF inside a document (`parse`d element, or bytes): its nonXMLBody, or the copy that a structured document carries in
    section FR-Document-PDF-copie. None when it carries none, `CdaUnreadable` when what it carries is not base64."""
    document = parse(source) if isinstance(source, bytes) else source
    value = document.find(f"{V3}component/{V3}nonXMLBody/{V3}text")
    if value is None:
        value = next(_copies(document), None)
    if value is None or value.get("mediaType") != "application/pdf":
        return None
    if value.get("representation") != "B64" or value.get("compression"):
        raise CdaUnreadable("the PDF inside the document is not in plain base64")
    try:
        pdf: bytes = pybase64.b64decode("".join(_text(value, verbatim=True).split()).encode("ascii"), validate=True)
        return pdf
    except (binascii.Error, UnicodeEncodeError):
        raise CdaUnreadable("the PDF inside the document is not valid base64") from None


def narrative_text(source: Any) -> list[str]:
    """Title, then for each section in order its title and its text as plain lines: one per paragraph, list item (`- …`) or table
    row (cells joined by ` | `). Takes a `parse`d element or bytes; a level-1 document gives its title alone."""
    document = parse(source) if isinstance(source, bytes) else source
    lines = [_text(document.find(f"{V3}title"))]
    for section in document.iterfind(f"{V3}component/{V3}structuredBody//{V3}section"):
        lines.append(_text(section.find(f"{V3}title")))
        body = section.find(f"{V3}text")
        if body is not None:
            lines.extend(_lines(body))
    return [spaced for line in lines if (spaced := " ".join(line.split()))]


def _copies(document: Any) -> Iterator[Any]:
    for section in document.iterfind(f"{V3}component/{V3}structuredBody//{V3}section"):
        if any(t.get("root") == PDF_COPY_SECTION for t in section.iterfind(f"{V3}templateId")):
            for value in section.iterfind(f"{V3}entry//{V3}observationMedia/{V3}value"):
                if value.get("mediaType") == "application/pdf":
                    yield value


_BREAKS = {V3 + name for name in ("paragraph", "item", "list", "table", "tr", "caption", "br", "footnote", "text")}
_CELLS = {f"{V3}td", f"{V3}th"}


def _lines(body: Any) -> Iterator[str]:
    """Lines of a narrative block. Inside a table cell nothing breaks the line, so that a row stays one line."""
    from lxml import etree

    line: list[str] = []
    bullet = ""
    cells = depth = 0
    for event, node in etree.iterwalk(body, events=("start", "end", "comment", "pi")):
        tag = node.tag
        if event in ("comment", "pi"):
            line.append(node.tail or "")
            continue
        if tag in _CELLS:
            if event == "start":
                line.append(" | " if cells and not depth else " ")
                cells += 1
            depth += 1 if event == "start" else -1
        elif tag in _BREAKS:
            if depth:
                line.append(" ")
            else:
                joined = " ".join("".join(line).split())
                if joined.strip("| "):
                    yield bullet + joined
                    bullet = ""
                if tag == f"{V3}item":
                    bullet = "- " if event == "start" else ""
                line = []
                cells = 0
        if event == "start":
            line.append(node.text or "")
        elif node is not body:
            line.append(node.tail or "")


def _path(node: Any, *names: str) -> Any:
    for name in names:
        if node is None:
            return None
        node = next(node.iterchildren(V3 + name), None)
    return node


def _child(node: Any, name: str) -> Any:
    """First child of that name; three times faster than `find`, which compiles a path."""
    return next(node.iterchildren(V3 + name), None)


def _attribute(node: Any, name: str) -> str:
    return "" if node is None else node.get(name, "")


def _value(node: Any) -> str:
    return "" if node is None else node.get("value", "")


def _text(node: Any, *, verbatim: bool = False) -> str:
    """Text of an element without comments. Line breaks of the writer's layout become spaces; other spaces are the author's."""
    if node is None:
        return ""
    value: str = (node.text or "") if len(node) == 0 else "".join(node.itertext())
    if not verbatim and ("\n" in value or "\t" in value or "\r" in value):
        return " ".join(value.split())
    return value


def _id(node: Any) -> Id:
    return Id() if node is None else Id(node.get("root", ""), node.get("extension", ""))


def _ids(node: Any) -> tuple[Id, ...]:
    return () if node is None else tuple(i for e in node.iterchildren(f"{V3}id") if (i := _id(e)).root)


def _coded(node: Any) -> Coded:
    if node is None or not node.get("code"):
        return Coded()
    return Coded(node.get("code"), node.get("codeSystem", ""), " ".join(node.get("displayName", "").split()))


def _interval(node: Any) -> tuple[str, str]:
    """(low, high) of an effectiveTime; a single instant counts as low."""
    time = _path(node, "effectiveTime")
    if time is None:
        return "", ""
    return _value(_child(time, "low")) or time.get("value", ""), _value(_child(time, "high"))


def _organization(node: Any) -> Organization:
    if node is None:
        return Organization()
    return Organization(_ids(node), _text(_child(node, "name")), _coded(_child(node, "standardIndustryClassCode")))


def author(node: Any) -> Party:
    """Values of an `author` element of the header."""
    assigned = _child(node, "assignedAuthor")
    device = _path(assigned, "assignedAuthoringDevice")
    party = _party(node, assigned)
    if device is None:
        return party
    return party._replace(
        software=_text(_child(device, "softwareName")), model=_text(_child(device, "manufacturerModelName"))
    )


def entity(node: Any) -> Party:
    """Values of a `legalAuthenticator` or `performer` element."""
    return _party(node, _child(node, "assignedEntity"))


def _party(node: Any, assigned: Any) -> Party:
    name = _path(assigned, "assignedPerson", "name")
    return Party(
        ids=_ids(assigned),
        time=_value(_child(node, "time")),
        function=_coded(_child(node, "functionCode")),
        code=_coded(_path(assigned, "code")),
        family=_text(_path(name, "family")),
        given=_text(_path(name, "given")),
        prefix=_text(_path(name, "prefix")),
        suffix=_text(_path(name, "suffix")),
        organization=_organization(_path(assigned, "representedOrganization")),
    )


def act(node: Any) -> Act | None:
    """Values of a `documentationOf` element; None without a serviceEvent."""
    event = _child(node, "serviceEvent")
    if event is None:
        return None
    performer = _child(event, "performer")
    low, high = _interval(event)
    return Act(
        id=_id(_child(event, "id")),
        code=_coded(_child(event, "code")),
        low=low,
        high=high,
        performer=Party() if performer is None else entity(performer),
    )


def custodian(node: Any) -> Organization:
    """Values of a `custodian` element; empty without one."""
    return _organization(_path(node, "assignedCustodian", "representedCustodianOrganization"))


def patient(node: Any) -> Patient:
    """Values of a `recordTarget` element; empty without one."""
    role = _path(node, "patientRole")
    person = _path(role, "patient")
    if person is None:
        return Patient(ids=_ids(role))
    family: dict[str, str] = {}
    given: dict[str, list[str]] = {}
    for name in person.iterchildren(f"{V3}name"):
        for part in name.iterchildren(f"{V3}family"):
            family.setdefault(part.get("qualifier", ""), _text(part))
        for part in name.iterchildren(f"{V3}given"):
            given.setdefault(part.get("qualifier", ""), []).append(_text(part))
    return Patient(
        ids=_ids(role),
        birth_family=family.get("BR", ""),
        birth_given=given.get("BR", [""])[0],
        # One element holds the whole list in the official examples; older writers use one element for each name.
        given_names=" ".join(given.get("", ())),
        # A family name without qualifier (older documents) is the name in use: nothing says that it is the one of birth.
        used_family=family.get("CL", "") or family.get("", ""),
        used_given=given.get("CL", [""])[0],
        sex=_attribute(_child(person, "administrativeGenderCode"), "code"),
        birth=_value(_child(person, "birthTime")),
        birth_place=_text(_path(person, "birthplace", "place", "addr", "county")),
    )
