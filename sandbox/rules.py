"""The rules of a submission that need no memory: attributes due, their values, and their agreement with the documents.

What depends on earlier submissions (known patients, duplicates, replacement) belongs to `registry`. Written from the
sheets dmp-transactions (6 to 9) and xdm-mssante (2); code sets from `model.codes`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import NamedTuple

from transvase.model.codes.author_specialties import CODES as SPECIALTIES
from transvase.model.codes.class_codes import CODES as CLASSES
from transvase.model.codes.confidentiality_codes import CODES as CONFIDENTIALITY
from transvase.model.codes.facility_types import CODES as FACILITIES
from transvase.model.codes.format_codes import CODES as FORMATS
from transvase.model.codes.practice_settings import CODES as PRACTICES
from transvase.model.codes.type_codes import CODES as TYPES
from transvase.sandbox import finding, forms, metadata
from transvase.sandbox.document import Facts, Unfit, Writer, read
from transvase.sandbox.finding import Finding
from transvase.sandbox.metadata import AUTHOR_SCHEMES, Association, Author, Coded, Item, Submission
from transvase.sandbox.signature import FORMAT as SIGNATURE_FORMAT
from transvase.sandbox.signature import problems as signature_problems

HAS_MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
REPLACES = "urn:ihe:iti:2007:AssociationType:RPLC"
SIGNS = "urn:ihe:iti:2007:AssociationType:signs"

CLASS = "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a"
TYPE = "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983"
CONFIDENTIAL = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"
FORMAT = "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d"
FACILITY = "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1"
PRACTICE = "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead"
EVENT = "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4"
CONTENT_TYPE = "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500"

_ACTIVITIES = "1.2.250.1.213.2.2"  # TRE_R209-TypeActivite
_SIGNATURE_CLASS = "urn:oid:1.3.6.1.4.1.19376.1.2.1.1.1"
_SIGNATURE_CODES = {
    TYPE: [("E1762", "ASTM")],
    FORMAT: [(SIGNATURE_FORMAT, "URN")],
    EVENT: [("1.2.840.10065.1.12.1.14", "1.2.840.10065.1.12")],
}
_REFERENCE = re.compile(r"[^\^&]+\^\^\^&[0-9.]+&ISO\^urn:ihe:iti:xds:(2013:accession|2013:order|2016:studyInstanceUID)")
_HASH = re.compile(r"[0-9A-Fa-f]{40}")
_SIZE = re.compile(r"0|[1-9][0-9]*")
_MANY = 999


class Checked(NamedTuple):
    """What the rules found: errors and warnings; the header facts and the SHA-1 (upper-case hex) by ExtrinsicObject id."""

    findings: list[Finding]
    facts: dict[str, Facts]
    hashes: dict[str, str]


def _content_type(code: Coded) -> bool:
    if code.system == _ACTIVITIES:
        return bool(re.fullmatch(r"[0-9]{2}", code.code))
    return code.code in FACILITIES and FACILITIES[code.code].system == code.system


def _confidentiality(code: Coded) -> bool:
    known = CONFIDENTIALITY.get(code.code)
    # JDV_J58 holds N and the visibility codes, which are those that no header may carry.
    return (
        known is not None and known.system == code.system and (code.code == "N" or known.in_metadata > known.in_header)
    )


def _type(code: Coded) -> bool:
    known = TYPES.get(code.code)
    return known is not None and known.system == code.system and known.in_dmp


def _format(code: Coded) -> bool:
    known = FORMATS.get(code.code)
    return known is not None and known.system == code.system and known.current


class _CodeRule(NamedTuple):
    name: str
    least: int
    most: int
    holds: Callable[[Coded], bool]


SET_CODES = {CONTENT_TYPE: _CodeRule("contentTypeCode", 1, 1, _content_type)}
ENTRY_CODES = {
    CLASS: _CodeRule("classCode", 1, 1, lambda c: c.code in CLASSES and CLASSES[c.code].system == c.system),
    TYPE: _CodeRule("typeCode", 1, 1, _type),
    CONFIDENTIAL: _CodeRule("confidentialityCode", 1, 4, _confidentiality),
    FORMAT: _CodeRule("formatCode", 1, 1, _format),
    FACILITY: _CodeRule(
        "healthcareFacilityTypeCode", 1, 1, lambda c: c.code in FACILITIES and FACILITIES[c.code].system == c.system
    ),
    PRACTICE: _CodeRule(
        "practiceSettingCode", 1, 1, lambda c: c.code in PRACTICES and PRACTICES[c.code].system == c.system
    ),
    EVENT: _CodeRule("eventCodeList", 0, _MANY, lambda c: forms.is_oid(c.system)),
}


class _SlotRule(NamedTuple):
    """Fewest and most values, and the form of one (`says` ends the sentence "a value is not ...")."""

    least: int
    most: int
    holds: Callable[[str], bool]
    says: str


_TIME = (forms.is_time, "YYYYMMDDHHMMSS")
SET_SLOTS = {"submissionTime": _SlotRule(1, 1, *_TIME)}
ENTRY_SLOTS = {
    "creationTime": _SlotRule(1, 1, *_TIME),
    "languageCode": _SlotRule(1, 1, lambda v: v == "fr-FR", "fr-FR"),
    "legalAuthenticator": _SlotRule(
        1, 1, lambda v: not forms.person_problem(v, ("IDNPS", "EI")), "the XCN of a professional"
    ),
    "serviceStartTime": _SlotRule(1, 1, *_TIME),
    "serviceStopTime": _SlotRule(0, 1, *_TIME),
    "sourcePatientId": _SlotRule(1, 1, lambda v: forms.cx(v) is not None, "the CX of a patient"),
    "sourcePatientInfo": _SlotRule(1, _MANY, lambda v: bool(re.match(r"PID-(3|5|7|8|11)\|.", v)), "PID-n| and a field"),
    "hash": _SlotRule(1, 1, lambda v: bool(_HASH.fullmatch(v)), "40 hexadecimal digits"),
    "size": _SlotRule(1, 1, lambda v: bool(_SIZE.fullmatch(v)), "a number of bytes"),
    "urn:ihe:iti:xds:2013:referenceIdList": _SlotRule(0, _MANY, lambda v: bool(_REFERENCE.fullmatch(v)), "a CXi"),
}
SIGNATURE_SLOTS = {
    **ENTRY_SLOTS,
    "languageCode": _SlotRule(1, 1, lambda v: v == "art", "art"),
    "legalAuthenticator": ENTRY_SLOTS["legalAuthenticator"]._replace(least=0),
    "sourcePatientInfo": ENTRY_SLOTS["sourcePatientInfo"]._replace(least=0, most=0),
}
_SERVER_SLOTS = ("URI", "repositoryUniqueId")
_AUTHOR_SLOTS = ("authorPerson", "authorInstitution", "authorRole", "authorSpecialty", "authorTelecommunication")


def is_signature(entry: Item) -> bool:
    """Whether an entry is the signature of its set rather than a document."""
    return any(code.scheme == CLASS and code.code == _SIGNATURE_CLASS for code in entry.codes)


def code(entry: Item, scheme: str) -> str:
    """The first code of an entry under a scheme; empty for none."""
    return next((coded.code for coded in entry.codes if coded.scheme == scheme), "")


def institutions(submission: Submission) -> set[str]:
    """The Struct_IdNat of the institutions of the authors of a submission's documents, or of the set when it holds none."""
    values = (
        v
        for e in submission.entries or (submission.package,)
        for a in e.authors
        for v in a.slots.get("authorInstitution", ())
    )
    return {value.rpartition("^")[2] for value in values}


def check(submission: Submission) -> Checked:
    """Every rule that needs nothing but the message itself."""
    checker = _Checker(submission)
    checker.package()
    for entry in submission.entries:
        checker.entry(entry)
    checker.members()
    known = {entry.id for entry in submission.entries}
    if set(submission.documents) - known:
        checker.note(finding.NO_METADATA, "A Document has no ExtrinsicObject of the same id.", "Document")
    return Checked([*submission.findings, *checker.findings], checker.facts, checker.hashes)


def beginning(submission: Submission) -> Submission:
    """The submission with its first document and its signature alone."""
    documents = [entry for entry in submission.entries if not is_signature(entry)]
    return submission._replace(entries=tuple(e for e in submission.entries if e not in documents[1:]))


def check_set(submission: Submission) -> list[Finding]:
    """The rules of a submission set that holds no document."""
    checker = _Checker(submission)
    checker.package()
    return [*submission.findings, *checker.findings]


class _Checker:
    def __init__(self, submission: Submission) -> None:
        self.submission = submission
        self.findings: list[Finding] = []
        self.facts: dict[str, Facts] = {}
        self.hashes: dict[str, str] = {}
        self.patient = submission.package.identifiers.get(metadata.SET_PATIENT, "")

    def note(self, code: str, what: str, where: str) -> None:
        self.findings.append(Finding(code, what, where))

    def wrong(self, what: str, where: str) -> None:
        self.note(finding.METADATA, what, where)

    # The submission set.

    def package(self) -> None:
        item = self.submission.package
        self.slots(item, SET_SLOTS)
        self.codes(item, SET_CODES)
        self.authors(item)
        for scheme in (metadata.SET_SOURCE, metadata.SET_UNIQUE):
            if not forms.is_oid(item.identifiers.get(scheme, "")):
                name = metadata.IDENTIFIER_NAMES[scheme]
                self.wrong(f"{name} is missing or not an OID.", item.where)
        patient = forms.cx(self.patient)
        if patient is None or patient[2] != "NH":
            self.wrong("patientId of the submission set is missing or not the CX of an INS.", item.where)
        elif problem := forms.ins_problem(patient[0], patient[1]):
            self.wrong(f"patientId of the submission set is refused: {problem}.", item.where)

    # One entry.

    def entry(self, entry: Item) -> None:
        signature = is_signature(entry)
        self.slots(entry, SIGNATURE_SLOTS if signature else ENTRY_SLOTS)
        if entry.attributes.get("objectType") != metadata.STABLE_DOCUMENT:
            self.wrong("objectType is not that of a stable document.", entry.where)
        if entry.attributes.get("mimeType") not in (
            ("text/xml",) if signature else ("text/xml", "application/xslt+xml")
        ):
            self.wrong("mimeType is not that of the document.", entry.where)
        if entry.attributes.get("status", metadata.APPROVED) != metadata.APPROVED:
            self.wrong("status is not Approved.", entry.where)
        if "lid" in entry.attributes:
            self.wrong("lid is given by the registry.", entry.where)
        if not entry.title:
            self.wrong("title (Name) is missing.", entry.where)
        if entry.identifiers.get(metadata.ENTRY_PATIENT) != self.patient:
            self.note(finding.PATIENT_DIFFERS, "patientId of the entry is not that of the submission set.", entry.where)
        start, stop = (entry.slots.get(name, ("",))[0] for name in ("serviceStartTime", "serviceStopTime"))
        if stop and stop < start:
            self.wrong("serviceStopTime comes before serviceStartTime.", entry.where)
        root, caret, extension = entry.identifiers.get(metadata.ENTRY_UNIQUE, "").partition("^")
        if not forms.is_oid(root) or bool(caret) != bool(extension):
            self.note(finding.UNIQUE_ID, "uniqueId is neither an OID nor OID^extension.", entry.where)
        self.authors(entry)
        data = self.submission.documents.get(entry.id)
        if data is None:
            self.note(finding.NO_DOCUMENT, "No Document has the id of the ExtrinsicObject.", entry.where)
        else:
            self.integrity(entry, data)
        if signature:
            self.signature(entry, data)
            return
        self.codes(entry, ENTRY_CODES)
        kind = TYPES.get(code(entry, TYPE))
        if kind is not None and kind.class_code != code(entry, CLASS):
            self.wrong("classCode is not the class of typeCode by ASS_X04.", entry.where)
        if data is not None:
            self.document(entry, data)

    def integrity(self, entry: Item, data: bytes) -> None:
        digest = hashlib.sha1(data, usedforsecurity=False).hexdigest().upper()
        self.hashes[entry.id] = digest
        if entry.slots.get("hash", ("",))[0].upper() != digest:
            self.note(finding.REPOSITORY_METADATA, "hash is not the SHA-1 of the bytes received.", entry.where)
        if entry.slots.get("size", ("",))[0] != str(len(data)):
            self.note(finding.REPOSITORY_METADATA, "size is not the number of bytes received.", entry.where)

    def slots(self, item: Item, rules: dict[str, _SlotRule]) -> None:
        for name, rule in rules.items():
            values = item.slots.get(name, ())
            if not rule.least <= len(values) <= rule.most:
                self.wrong(f"{name} does not have the number of values due.", item.where)
            if not all(map(rule.holds, values)):
                self.wrong(f"{name} has a value that is not {rule.says}.", item.where)
        for name in item.slots:
            if name in rules:
                continue
            if name in _SERVER_SLOTS:
                self.wrong(f"{name} has no place in a feed: it belongs to XDM, or the server gives it.", item.where)
            elif name.startswith("urn:"):
                self.findings.append(
                    Finding(finding.EXTRA, "A Slot outside the profile is not kept.", item.where, warning=True)
                )
            else:
                self.wrong("A Slot is not one of the profile.", item.where)

    def codes(self, item: Item, rules: dict[str, _CodeRule]) -> None:
        counts = dict.fromkeys(rules, 0)
        for coded in item.codes:
            rule = rules.get(coded.scheme)
            if rule is None:
                self.wrong("classificationScheme is unknown here.", item.where)
                continue
            counts[coded.scheme] += 1
            if not rule.holds(coded):
                self.wrong(
                    f"{rule.name} is not in its value set, or its codingScheme is not that of the code.", item.where
                )
        for scheme, rule in rules.items():
            if not rule.least <= counts[scheme] <= rule.most:
                self.wrong(f"{rule.name} does not have the number of codes due.", item.where)
        if CONFIDENTIAL in rules:
            levels = [coded.code for coded in item.codes if coded.scheme == CONFIDENTIAL]
            if levels[:1] != ["N"] or len(set(levels)) != len(levels):
                self.wrong("confidentialityCode does not begin with N, or repeats a code.", item.where)

    def authors(self, item: Item) -> None:
        if not item.authors:
            self.wrong("author is missing.", item.where)
        for author in item.authors:
            if not item.where.startswith(AUTHOR_SCHEMES[author.scheme]):
                self.wrong("author has the classificationScheme of the other kind of object.", item.where)
            if set(author.slots) - set(_AUTHOR_SLOTS):
                self.wrong("author has a Slot that is not one of an author.", item.where)
            persons = author.slots.get("authorPerson", ())
            if len(persons) != 1:
                self.wrong("authorPerson does not stand exactly once.", item.where)
            for person in persons:
                if problem := forms.person_problem(person, ("IDNPS", "EI", "RI", "NH")):
                    self.wrong(f"authorPerson is refused: {problem}.", item.where)
            structures = author.slots.get("authorInstitution", ())
            by_patient = all(person.endswith("^NH") for person in persons)
            if not structures and not by_patient:
                self.wrong("authorInstitution is missing.", item.where)
            for structure in structures:
                if problem := forms.structure_problem(structure):
                    self.wrong(f"authorInstitution is refused: {problem}.", item.where)
            for specialty in author.slots.get("authorSpecialty", ()):
                parts = specialty.split("^")
                known = SPECIALTIES.get(parts[0])
                if len(parts) != 3 or known is None or not parts[1] or parts[2] != known.system:
                    self.wrong("authorSpecialty is not code^label^system of its value set.", item.where)

    # Agreement with the document.

    def document(self, entry: Item, data: bytes) -> None:
        try:
            facts = read(data)
        except Unfit as problem:
            self.note(finding.CONTENT, f"The document is refused: {problem}.", entry.where)
            return
        self.facts[entry.id] = facts
        if entry.identifiers.get(metadata.ENTRY_UNIQUE) != facts.unique_id:
            self.note(finding.UNIQUE_ID, "uniqueId is not the id of the document.", entry.where)
        number, root = facts.patient_ids[0][1], facts.patient_ids[0][0]
        if self.patient != f"{number}^^^&{root}&ISO^NH":
            what = "patientId is not the INS that comes first in the document."
            self.note(finding.PATIENT_DIFFERS, what, entry.where)
        for name, stated, due in _repeated(entry, facts):
            if stated != due:
                self.wrong(f"{name} is not that of the document.", entry.where)
        self.source_patient(entry, facts)
        self.writers(entry, facts)
        events = {coded.code for coded in entry.codes if coded.scheme == EVENT}
        if not facts.events <= events <= facts.events | facts.event_translations:
            self.wrong("eventCodeList is not the codes of the acts of the document.", entry.where)
        known = FORMATS.get(code(entry, FORMAT))
        if known is not None and known.templates and not facts.templates & set(known.templates):
            self.wrong("formatCode is not announced by a templateId of the document.", entry.where)
        if known is not None and known.media_type and known.media_type != facts.body_media:
            self.wrong("formatCode is not that of the media type of the document's body.", entry.where)

    def source_patient(self, entry: Item, facts: Facts) -> None:
        source = forms.cx(entry.slots.get("sourcePatientId", ("",))[0])
        local = [(number, root, "PI") for root, number in facts.patient_ids if root not in forms.INS_OIDS]
        national = [(number, root, "NH") for root, number in facts.patient_ids[:1]]
        if source is not None and source not in (local or national):
            self.wrong("sourcePatientId is neither a local id of the document nor, without one, its INS.", entry.where)
        if problem := _traits_problem(entry.slots.get("sourcePatientInfo", ()), facts.traits):
            self.wrong(f"sourcePatientInfo: {problem}.", entry.where)

    def writers(self, entry: Item, facts: Facts) -> None:
        if len(entry.authors) != len(facts.authors):
            self.wrong("The number of authors is not that of the document.", entry.where)
        for author in entry.authors:
            writer = _same(author, facts.authors)
            if writer is None:
                self.wrong("authorPerson is not an author of the document.", entry.where)
            elif writer.profession:
                stated = {value.partition("^")[0] for value in author.slots.get("authorSpecialty", ())}
                if writer.profession not in stated:
                    self.wrong("authorSpecialty is not the profession of the author of the document.", entry.where)
        signer = entry.slots.get("legalAuthenticator", ("",))[0].partition("^")[0]
        if signer not in facts.authenticator.identifiers:
            self.wrong("legalAuthenticator is not that of the document.", entry.where)

    # The signature of the set.

    def signature(self, entry: Item, data: bytes | None) -> None:
        if entry.title != "Source":
            self.wrong("title of the signature is not Source.", entry.where)
        for scheme, due in _SIGNATURE_CODES.items():
            if [(coded.code, coded.system) for coded in entry.codes if coded.scheme == scheme] != due:
                self.wrong(f"{ENTRY_CODES[scheme].name} of the signature is not the one due.", entry.where)
        levels = [coded.code for coded in entry.codes if coded.scheme == CONFIDENTIAL]
        if levels[:1] != ["N"] or sorted(levels) != ["INVISIBLE_PATIENT", "MASQUE_PS", "N"]:
            self.wrong("confidentialityCode of the signature is not N, MASQUE_PS and INVISIBLE_PATIENT.", entry.where)
        rules = {scheme: rule for scheme, rule in ENTRY_CODES.items() if scheme not in _SIGNATURE_CODES}
        others = tuple(coded for coded in entry.codes if coded.scheme not in _SIGNATURE_CODES)
        self.codes(entry._replace(codes=others), rules)
        if entry.slots.get("sourcePatientId", ("",))[0] != self.patient:
            self.wrong("sourcePatientId of the signature is not the INS.", entry.where)
        if data is None:
            return
        documents = {
            other.identifiers.get(metadata.ENTRY_UNIQUE, ""): self.submission.documents.get(other.id, b"")
            for other in self.submission.entries
            if not is_signature(other)
        }
        submission_id = self.submission.package.identifiers.get(metadata.SET_UNIQUE, "")
        own_id = entry.identifiers.get(metadata.ENTRY_UNIQUE, "")
        for problem in signature_problems(data, own_id, submission_id, documents):
            self.note(finding.CONTENT, f"The signature is refused: {problem}.", entry.where)

    # Associations.

    def members(self) -> None:
        package = self.submission.package.id
        entries = {entry.id: entry for entry in self.submission.entries}
        members: dict[str, int] = dict.fromkeys(entries, 0)
        signed = {identifier for identifier, entry in entries.items() if is_signature(entry)}
        signing: list[str] = []
        for one in self.submission.associations:
            if one.type in (HAS_MEMBER, SIGNS) and one.slots.get("SubmissionSetStatus") != ("Original",):
                self.wrong("Association has no SubmissionSetStatus Original.", one.where)
            if one.type == HAS_MEMBER:
                if one.source != package or one.target not in entries:
                    self.wrong(
                        "HasMember does not go from the RegistryPackage to an ExtrinsicObject of the message.",
                        one.where,
                    )
                else:
                    members[one.target] += 1
            elif one.type == SIGNS:
                signing.append(one.source)
                if one.target != package:
                    self.wrong("signs does not go to the RegistryPackage.", one.where)
            elif one.type != REPLACES:
                self.wrong("associationType is not one of a feed.", one.where)
            elif one.source not in entries or one.source in signed:
                self.wrong("RPLC does not come from a document of the message.", one.where)
        for identifier, count in members.items():
            if count != 1:
                self.wrong(
                    "The ExtrinsicObject is not, exactly once, the target of a HasMember.", entries[identifier].where
                )
        if sorted(signing) != sorted(signed):
            self.wrong("Each signature, and nothing else, is the source of one signs association.", "Association")


def replacements(submission: Submission) -> dict[str, Association]:
    """The RPLC associations by the ExtrinsicObject id of the new document (the last one when repeated)."""
    return {one.source: one for one in submission.associations if one.type == REPLACES}


def _repeated(entry: Item, facts: Facts) -> list[tuple[str, object, object]]:
    """Name, stated value, value of the document. A time the document gives without offset, or a facility it leaves out,
    has nothing to be compared with."""
    rows: list[tuple[str, object, object]] = [
        ("title", " ".join(entry.title.split()), " ".join(facts.title.split())),
        ("languageCode", entry.slots.get("languageCode", ("",))[0], facts.language),
        (
            "typeCode",
            next(((c.code, c.system) for c in entry.codes if c.scheme == TYPE), None),
            (facts.code, facts.system),
        ),
    ]
    times = {"creationTime": facts.created, "serviceStartTime": facts.started, "serviceStopTime": facts.stopped}
    rows += [(name, entry.slots.get(name, ("",))[0], due) for name, due in times.items() if due]
    places = (
        ("healthcareFacilityTypeCode", FACILITY, facts.facility),
        ("practiceSettingCode", PRACTICE, facts.practice),
    )
    rows += [(name, code(entry, scheme), due) for name, scheme, due in places if due]
    return rows


def _same(author: Author, writers: tuple[Writer, ...]) -> Writer | None:
    person = author.slots.get("authorPerson", ("",))[0].partition("^")[0]
    return next((writer for writer in writers if person in writer.identifiers), None)


def _traits_problem(values: tuple[str, ...], traits: dict[str, str]) -> str:
    """What is wrong with sourcePatientInfo against the traits of the document; empty when nothing is."""
    fields: dict[str, list[list[str]]] = {}
    for value in values:
        name, _, field = value.partition("|")
        fields.setdefault(name, []).append(field.split("^"))
    legal = [traits["birth name"], traits["first given name"], traits["given names"], "", "", "", "L"]
    used = [traits["used name"], traits["used given name"], "", "", "", "", "D"]
    names = fields.get("PID-5", [])
    if names.count(legal) != 1 or any(name not in (legal, used) for name in names) or names.count(used) > 1:
        return "PID-5 is not the birth name (L) and at most the used name (D) of the document"
    due = {
        "PID-7": [traits["birth date"]],
        "PID-8": [traits["sex"]],
        "PID-11": ["", "", "", "", "", "", "BDL", "", traits["birth place"]],
    }
    for name, components in due.items():
        if fields.get(name) != [components]:
            return f"{name} is missing, repeated or not that of the document"
    return ""
