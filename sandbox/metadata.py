"""Reading the ebRIM objects of a submission into plain values, and their form.

Form only: identifiers, parents, slots, codes and where they hang. Which attributes are due, and which values they may
take, belongs to `rules`. Written from the sheets dmp-transactions (2, 6, 7, 8) and xdm-mssante (2).
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote

from transvase.sandbox import finding, markup
from transvase.sandbox.finding import Finding
from transvase.sandbox.soap import Fault

RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
LCM = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
RS = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
QUERY = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"
XDS = "urn:ihe:iti:xds-b:2007"
XOP = "http://www.w3.org/2004/08/xop/include"

APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
DELETED = "urn:asip:ci-sis:2010:StatusType:Deleted"
DEPRECATED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated"
STABLE_DOCUMENT = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
SUBMISSION_SET_NODE = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"


class Coded(NamedTuple):
    """A classification with a code: scheme UUID, code, OID of its system."""

    scheme: str
    code: str
    system: str


class Author(NamedTuple):
    """The slots of an author classification, name to values."""

    scheme: str
    slots: dict[str, tuple[str, ...]]


class Item(NamedTuple):
    """A RegistryPackage or an ExtrinsicObject. `where` is its rank in the message; `title` its Name."""

    id: str
    where: str
    attributes: dict[str, str]
    slots: dict[str, tuple[str, ...]]
    title: str
    codes: tuple[Coded, ...]
    authors: tuple[Author, ...]
    identifiers: dict[str, str]


class Association(NamedTuple):
    """An association: type URN, source and target ids, slots."""

    where: str
    type: str
    source: str
    target: str
    slots: dict[str, tuple[str, ...]]


class Submission(NamedTuple):
    """A whole ITI-41 request. `documents` are the bytes by Document@id; `findings` what reading already found wrong."""

    package: Item
    entries: tuple[Item, ...]
    associations: tuple[Association, ...]
    documents: dict[str, bytes]
    findings: tuple[Finding, ...]


AUTHOR_SCHEMES = {
    "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d": "RegistryPackage",
    "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d": "ExtrinsicObject",
}


def read(body: markup.Element, attachments: dict[str, bytes]) -> Submission:
    """Read `ProvideAndRegisterDocumentSetRequest`; `attachments` are the other MIME parts by Content-ID.

    Raises `Fault` when there is no submission to speak of; smaller mistakes are findings."""
    if markup.parts(body) != (XDS, "ProvideAndRegisterDocumentSetRequest"):
        raise Fault("Body does not hold a ProvideAndRegisterDocumentSetRequest.")
    children = list(markup.elements(body))
    if not children or markup.parts(children[0]) != (LCM, "SubmitObjectsRequest"):
        raise Fault("The request does not begin with SubmitObjectsRequest.")
    lists = children[0].findall(f"{{{RIM}}}RegistryObjectList")
    if len(lists) != 1:
        raise Fault("SubmitObjectsRequest does not hold exactly one RegistryObjectList.")
    reader = _Reader()
    submission = reader.objects(lists[0])
    documents = _documents(children[1:], attachments)
    return submission._replace(documents=documents, findings=tuple(reader.findings))


def read_update(body: markup.Element) -> Submission:
    """Read the `SubmitObjectsRequest` of a change of metadata (ITI-57) that touches entries by associations alone. Raises `Fault`."""
    if markup.parts(body) != (LCM, "SubmitObjectsRequest"):
        raise Fault("Body does not hold a SubmitObjectsRequest.")
    lists = body.findall(f"{{{RIM}}}RegistryObjectList")
    if len(lists) != 1:
        raise Fault("SubmitObjectsRequest does not hold exactly one RegistryObjectList.")
    reader = _Reader()
    submission = reader.objects(lists[0], update=True)
    return submission._replace(findings=tuple(reader.findings))


def _documents(elements: list[markup.Element], attachments: dict[str, bytes]) -> dict[str, bytes]:
    documents: dict[str, bytes] = {}
    used: set[str] = set()
    for element in elements:
        if markup.parts(element) != (XDS, "Document"):
            raise Fault("An element other than Document follows SubmitObjectsRequest.")
        identifier = element.get("id", "")
        includes = list(markup.elements(element))
        if not identifier or identifier in documents:
            raise Fault("A Document has no id, or the id of another.")
        if len(includes) != 1 or markup.parts(includes[0]) != (XOP, "Include") or markup.text(element):
            raise Fault("A Document does not hold exactly one xop:Include.")
        href = includes[0].get("href", "")
        content = unquote(href.removeprefix("cid:"))
        if not href.startswith("cid:") or content not in attachments or content in used:
            raise Fault("A xop:Include names no part of the message, or the part of another Document.")
        used.add(content)
        documents[identifier] = attachments[content]
    if len(used) != len(attachments):
        raise Fault("A part of the message belongs to no Document.")
    return documents


class _Reader:
    """Walks the object list once, noting what is out of form."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._ids: set[str] = set()

    def wrong(self, what: str, where: str) -> None:
        self.findings.append(Finding(finding.METADATA, what, where))

    def objects(self, parent: markup.Element, *, update: bool = False) -> Submission:
        packages: list[Item] = []
        entries: list[Item] = []
        associations: list[Association] = []
        markers: list[tuple[str, str]] = []
        for element in markup.elements(parent):
            namespace, name = markup.parts(element)
            if namespace != RIM or name not in ("RegistryPackage", "ExtrinsicObject", "Association", "Classification"):
                self.wrong("RegistryObjectList holds an element that is not one of a submission.", "RegistryObjectList")
            elif name == "RegistryPackage":
                packages.append(self.item(element, f"RegistryPackage[{len(packages) + 1}]", markers))
            elif name == "ExtrinsicObject":
                entries.append(self.item(element, f"ExtrinsicObject[{len(entries) + 1}]", markers))
            elif name == "Association":
                associations.append(self.association(element, f"Association[{len(associations) + 1}]"))
            else:
                self.claim(element, "RegistryObjectList/Classification")
                markers.append((element.get("classificationNode", ""), element.get("classifiedObject", "")))
        if len(packages) != 1:
            raise Fault("RegistryObjectList does not hold exactly one RegistryPackage.")
        if update and entries:
            raise Fault("A change of status holds no ExtrinsicObject.")
        if not entries and not update:
            raise Fault("RegistryObjectList holds no ExtrinsicObject.")
        if markers != [(SUBMISSION_SET_NODE, packages[0].id)]:
            self.wrong(
                "classificationNode does not mark the RegistryPackage, once, as a submission set.", packages[0].where
            )
        return Submission(packages[0], tuple(entries), tuple(associations), {}, ())

    def claim(self, element: markup.Element, where: str) -> str:
        """The id of an element, noted as taken."""
        identifier: str = element.get("id", "")
        if not identifier or identifier in self._ids:
            self.wrong("id is missing or already taken in this message.", where)
        self._ids.add(identifier)
        return identifier

    def item(self, element: markup.Element, where: str, markers: list[tuple[str, str]]) -> Item:
        identifier = self.claim(element, where)
        title = ""
        codes: list[Coded] = []
        authors: list[Author] = []
        identifiers: dict[str, str] = {}
        for child in markup.elements(element):
            namespace, name = markup.parts(child)
            if namespace != RIM or name not in (
                "Slot",
                "Name",
                "Description",
                "VersionInfo",
                "Classification",
                "ExternalIdentifier",
            ):
                self.wrong("An element has no place here.", where)
            elif name == "Name":
                title = self.label(child)
            elif name == "Classification" and child.get("classificationNode") is not None:
                self.claim(child, f"{where}/Classification")
                markers.append((child.get("classificationNode"), child.get("classifiedObject", "")))
            elif name == "Classification":
                self.classification(child, identifier, f"{where}/Classification", codes, authors)
            elif name == "ExternalIdentifier":
                self.identifier(child, identifier, f"{where}/ExternalIdentifier", identifiers)
        slots = self.slots(element, where)
        return Item(identifier, where, dict(element.attrib), slots, title, tuple(codes), tuple(authors), identifiers)

    def slots(self, element: markup.Element, where: str) -> dict[str, tuple[str, ...]]:
        slots: dict[str, tuple[str, ...]] = {}
        for slot in element.iterfind(f"{{{RIM}}}Slot"):
            name = slot.get("name", "")
            values = tuple((value.text or "").strip() for value in slot.iterfind(f"{{{RIM}}}ValueList/{{{RIM}}}Value"))
            if not name or name in slots:
                self.wrong("A Slot has no name, or the name of another.", where)
            if not values or not all(values):
                self.wrong(
                    "A Slot has no value, or an empty one.", f"{where}/Slot {name if name.isalpha() else ''}".strip()
                )
            slots[name] = values
        return slots

    def classification(
        self, element: markup.Element, parent: str, where: str, codes: list[Coded], authors: list[Author]
    ) -> None:
        self.claim(element, where)
        scheme = element.get("classificationScheme", "")
        if element.get("classifiedObject") != parent:
            self.wrong("classifiedObject is not the id of the object that holds the Classification.", where)
        slots = self.slots(element, where)
        if scheme in AUTHOR_SCHEMES:
            if element.get("nodeRepresentation") != "":
                self.wrong("nodeRepresentation of an author is not the empty text.", where)
            authors.append(Author(scheme, slots))
            return
        systems = slots.get("codingScheme", ())
        code = element.get("nodeRepresentation", "")
        if not code:
            self.wrong("nodeRepresentation of a code is missing or empty.", where)
        if set(slots) != {"codingScheme"} or len(systems) != 1:
            self.wrong("A code has no Slot codingScheme with one value, or another Slot.", where)
        if not self.label(element.find(f"{{{RIM}}}Name")):
            self.wrong("A code has no Name with its label.", where)
        codes.append(Coded(scheme, code, systems[0] if systems else ""))

    def identifier(self, element: markup.Element, parent: str, where: str, identifiers: dict[str, str]) -> None:
        self.claim(element, where)
        scheme = element.get("identificationScheme", "")
        known = IDENTIFIER_NAMES.get(scheme)
        if known is None or scheme in identifiers:
            self.wrong("identificationScheme is unknown or repeated.", where)
        elif self.label(element.find(f"{{{RIM}}}Name")) != known:
            self.wrong(f"Name of an ExternalIdentifier is not {known}.", where)
        if element.get("registryObject") != parent:
            self.wrong("registryObject is not the id of the object that holds the ExternalIdentifier.", where)
        identifiers[scheme] = element.get("value", "")

    def label(self, element: markup.Element | None) -> str:
        localized = None if element is None else element.find(f"{{{RIM}}}LocalizedString")
        return "" if localized is None else str(localized.get("value", "")).strip()

    def association(self, element: markup.Element, where: str) -> Association:
        self.claim(element, where)
        return Association(
            where,
            element.get("associationType", ""),
            element.get("sourceObject", ""),
            element.get("targetObject", ""),
            self.slots(element, where),
        )


SET_PATIENT = "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446"
SET_SOURCE = "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832"
SET_UNIQUE = "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8"
ENTRY_PATIENT = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"
ENTRY_UNIQUE = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
IDENTIFIER_NAMES = {
    SET_PATIENT: "XDSSubmissionSet.patientId",
    SET_SOURCE: "XDSSubmissionSet.sourceId",
    SET_UNIQUE: "XDSSubmissionSet.uniqueId",
    ENTRY_PATIENT: "XDSDocumentEntry.patientId",
    ENTRY_UNIQUE: "XDSDocumentEntry.uniqueId",
}
