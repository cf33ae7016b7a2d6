"""The registry: who has a DMP, which documents stand in it, and the rules that need this memory.

Metadata that names nobody is kept, with the patient's identifier; neither bytes nor traits are. Written from the sheet
dmp-transactions, sections 5, 9 and 11.
"""

from __future__ import annotations

import csv
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from transvase.sandbox import finding, forms, metadata, rules
from transvase.sandbox.document import Facts
from transvase.sandbox.finding import Finding
from transvase.sandbox.journal import Journal
from transvase.sandbox.metadata import APPROVED, DELETED, DEPRECATED, Item, Submission
from transvase.sandbox.rules import Checked
from transvase.sandbox.soap import Fault

REPOSITORY = "1.2.250.1.213.4.1.1.1.2"
"""repositoryUniqueId of documents."""

_NAMESPACE = uuid.UUID("6f0d7f0e-5a0c-5c1e-9a57-0c3d2b1a4e6f")
_STATES = ("active", "closed", "none")


class Document(NamedTuple):
    """A registered document. `hash` is SHA-1 in upper-case hex, `size` in bytes, `patient` the CX of the INS; `set_id` and
    `set_version` are those of the CDA (empty and 0 for a signature), `institutions` the Struct_IdNat of its authors; times are
    `YYYYMMDDHHMMSS` UTC."""

    unique_id: str
    entry_uuid: str
    lid: str
    version: int
    status: str
    hash: str
    size: int
    mime_type: str
    patient: str
    type_code: str
    type_system: str
    class_code: str
    class_system: str
    confidentiality: tuple[tuple[str, str], ...]
    created: str
    started: str
    set_id: str
    set_version: int
    institutions: tuple[str, ...] = ()


UPDATE_STATUS = "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus"


class Registry:
    """State in memory, appended to the file `state` (JSON lines; None keeps it in memory only).

    `patients` is a CSV file with header `ins,oid,state`, state being active, closed or none. Raises `ValueError` naming
    the line of either file that cannot be read."""

    def __init__(self, state: Path | None, patients: Path) -> None:
        self._patients = dict(_read_patients(patients))
        self._journal = Journal(state)
        self._messages: dict[str, str] = {}
        self._sets: set[str] = set()
        self._by_unique: dict[str, Document] = {}
        self._unique_of: dict[str, str] = {}
        self._of_patient: dict[str, list[str]] = {}
        self._versions: set[tuple[str, str, int]] = set()
        for record in self._journal.replay():
            self._apply(record)

    async def settled(self) -> None:
        """Return once what was registered so far is on the disk."""
        await self._journal.settled()

    def close(self) -> None:
        """Close the state file."""
        self._journal.close()

    # Questions.

    def patient_state(self, ins: str, oid: str) -> str:
        """active, closed, or none (also for a patient never heard of)."""
        return self._patients.get((ins, oid), "none")

    def by_unique_id(self, unique_id: str) -> Document | None:
        """The document with a uniqueId."""
        return self._by_unique.get(unique_id)

    def by_entry_uuid(self, entry_uuid: str) -> Document | None:
        """The document with an entryUUID."""
        return self._by_unique.get(self._unique_of.get(entry_uuid, ""))

    def of_patient(self, patient: str) -> list[Document]:
        """The documents of a patient (CX), in the order they came."""
        return [self._by_unique[unique_id] for unique_id in self._of_patient.get(patient, ())]

    def documents(self) -> list[Document]:
        """All documents, in the order they came."""
        return list(self._by_unique.values())

    @property
    def submission_sets(self) -> int:
        """How many submission sets are registered."""
        return len(self._sets)

    # Submission.

    def meet(self, message_id: str, digest: str) -> None:
        """Note a MessageID. Raises `Fault` when it came before with other content."""
        if self._messages.setdefault(message_id.lower(), digest) != digest:
            raise Fault(
                "MessageID came before with other content.",
                subcodes=("wsa:InvalidAddressingHeader", "wsa:DuplicateMessageID"),
            )

    def submit(self, message_id: str, submission: Submission, checked: Checked) -> list[Finding]:
        """Register a submission entirely, or not at all when a finding is an error. Returns all findings.

        Raises `OSError` when the state file cannot be written; nothing is registered then."""
        findings = [*self._duplicates(submission, checked)] or [*self._conflicts(submission, checked)]
        findings += checked.findings
        if not all(one.warning for one in findings):
            return findings
        replaced = [one.target for one in rules.replacements(submission).values()]
        record = {
            "message": message_id.lower(),
            "digest": self._messages.get(message_id.lower(), ""),
            "set": submission.package.identifiers[metadata.SET_UNIQUE],
            "deprecated": replaced,
            "documents": [_document(e, submission, checked)._asdict() for e in submission.entries],
        }
        self._journal.append(record)
        self._apply(record)
        return findings

    def delete(self, message_id: str, submission: Submission, structure: str) -> list[Finding]:
        """Take a change of status (TD3.3c): approved documents of one patient that are `structure`'s own become deleted, all or none.
        Returns all findings. Raises `OSError` as `submit`."""
        findings = [*rules.check_set(submission), *self._deletions(submission, structure)]
        if not all(one.warning for one in findings):
            return findings
        record = {
            "message": message_id.lower(),
            "digest": self._messages.get(message_id.lower(), ""),
            "set": submission.package.identifiers[metadata.SET_UNIQUE],
            "deprecated": [],
            "documents": [],
            "deleted": [one.target for one in submission.associations],
        }
        self._journal.append(record)
        self._apply(record)
        return findings

    def _deletions(self, submission: Submission, structure: str) -> Iterable[Finding]:
        package = submission.package
        patient = package.identifiers.get(metadata.SET_PATIENT, "")
        if package.identifiers.get(metadata.SET_UNIQUE) in self._sets:
            yield Finding(finding.DUPLICATE, "uniqueId of the submission set is already registered.", package.where)
        if not submission.associations or len({one.target for one in submission.associations}) != len(
            submission.associations
        ):
            yield Finding(finding.METADATA, "There is no association, or two of one target.", "Association")
        for one in submission.associations:
            known = self.by_entry_uuid(one.target)
            if one.type != UPDATE_STATUS or one.source != package.id:
                yield Finding(
                    finding.METADATA, "The association is not a change of status by the submission set.", one.where
                )
            elif one.slots != {"OriginalStatus": (APPROVED,), "NewStatus": (DELETED,)}:
                yield Finding(
                    finding.METADATA, "The slots are not OriginalStatus approved and NewStatus deleted.", one.where
                )
            elif known is None:
                yield Finding(finding.METADATA, "The target is no entryUUID in force.", one.where)
            elif known.status != APPROVED:
                yield Finding(finding.METADATA, "OriginalStatus is not that of the target.", one.where)
            elif known.patient != patient:
                yield Finding(finding.PATIENT_DIFFERS, "The target is a document of another patient.", one.where)
            elif structure not in known.institutions:
                yield Finding(finding.DENIED, "The target is not a document of this structure.", one.where)

    def _apply(self, record: dict[str, Any]) -> None:
        self._messages[record["message"]] = record["digest"]
        self._sets.add(record["set"])
        for entry_uuid in record.get("deleted", ()):
            # Each change of metadata gives the entry another entryUUID (sheet, 5): the former one names nothing any more.
            known = self._by_unique[self._unique_of.pop(entry_uuid)]
            version = known.version + 1
            renamed = f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{known.unique_id}#{version}')}"
            self._by_unique[known.unique_id] = known._replace(status=DELETED, version=version, entry_uuid=renamed)
            self._unique_of[renamed] = known.unique_id
        for entry_uuid in record["deprecated"]:
            unique_id = self._unique_of[entry_uuid]
            self._by_unique[unique_id] = self._by_unique[unique_id]._replace(status=DEPRECATED)
        for values in record["documents"]:
            confidentiality = tuple((code, system) for code, system in values["confidentiality"])
            institutions = tuple(values.get("institutions", ()))
            document = Document(**{**values, "confidentiality": confidentiality, "institutions": institutions})
            self._by_unique[document.unique_id] = document
            self._unique_of[document.entry_uuid] = document.unique_id
            self._of_patient.setdefault(document.patient, []).append(document.unique_id)
            if document.set_id:
                self._versions.add((document.patient, document.set_id, document.set_version))

    def _duplicates(self, submission: Submission, checked: Checked) -> Iterable[Finding]:
        """A repeated feed is told so and nothing else: what it replaced then is deprecated now, for one."""
        seen: set[str] = set()
        for entry in submission.entries:
            unique_id = entry.identifiers.get(metadata.ENTRY_UNIQUE, "")
            if unique_id in seen:
                what = "uniqueId stands twice in the message."
                yield Finding(finding.DUPLICATE_IN_MESSAGE, what, entry.where)
            seen.add(unique_id)
            known = self._by_unique.get(unique_id)
            if known is not None and entry.id in checked.hashes:
                same = checked.hashes[entry.id] == known.hash
                code = finding.DUPLICATE if same else finding.OTHER_HASH
                yield Finding(
                    code, f"uniqueId is already registered, with {'the same' if same else 'other'} bytes.", entry.where
                )
        if submission.package.identifiers.get(metadata.SET_UNIQUE) in self._sets:
            what = "uniqueId of the submission set is already registered."
            yield Finding(finding.DUPLICATE, what, submission.package.where)

    def _conflicts(self, submission: Submission, checked: Checked) -> Iterable[Finding]:
        package = submission.package
        patient = package.identifiers.get(metadata.SET_PATIENT, "")
        identity = forms.cx(patient)
        if identity is not None:
            state = self.patient_state(identity[0], identity[1])
            if state != "active":
                what = "patientId has no DMP." if state == "none" else "patientId has a DMP that is closed."
                yield Finding(finding.UNKNOWN_PATIENT, what, package.where)
        replacements = rules.replacements(submission)
        targets = [one.target for one in submission.associations if one.type == rules.REPLACES]
        if len(set(targets)) != len(targets) or len(targets) != len(replacements):
            yield Finding(finding.REPLACE, "Two RPLC associations share their source or their target.", "Association")
        for entry in submission.entries:
            facts = checked.facts.get(entry.id)
            if facts is None:
                continue
            replacement = replacements.get(entry.id)
            if replacement is not None:
                yield from self._replacement(facts, patient, replacement.target, replacement.where)
            else:
                old = self._by_unique.get(facts.replaces)
                if old is not None and old.status == APPROVED:
                    what = "The document replaces a registered one, but no RPLC association says so."
                    yield Finding(finding.REPLACE, what, entry.where)
            if (patient, facts.set_id, facts.version) in self._versions:
                what = "setId and versionNumber are those of a registered document."
                yield Finding(finding.METADATA, what, entry.where)

    def _replacement(self, facts: Facts, patient: str, target: str, where: str) -> Iterable[Finding]:
        old = self.by_entry_uuid(target)
        if not target.startswith("urn:uuid:"):
            yield Finding(finding.REPLACE, "RPLC target is not an entryUUID.", where)
        elif old is None:
            yield Finding(finding.REPLACE, "RPLC target is not registered.", where)
        elif old.patient != patient:
            yield Finding(finding.PATIENT_DIFFERS, "RPLC target is a document of another patient.", where)
        elif old.status != APPROVED:
            yield Finding(finding.DEPRECATED, "RPLC target is no longer approved.", where)
        elif facts.replaces != old.unique_id:
            what = "relatedDocument RPLC of the document does not name the uniqueId of the RPLC target."
            yield Finding(finding.REPLACE, what, where)
        elif (facts.set_id, facts.version) != (old.set_id, old.set_version + 1):
            what = "setId is not that of the RPLC target, or versionNumber does not follow."
            yield Finding(finding.REPLACE, what, where)


def _document(entry: Item, submission: Submission, checked: Checked) -> Document:
    unique_id = entry.identifiers[metadata.ENTRY_UNIQUE]
    facts = checked.facts.get(entry.id)
    kind = next(one for one in entry.codes if one.scheme == rules.TYPE)
    family = next(one for one in entry.codes if one.scheme == rules.CLASS)
    return Document(
        unique_id=unique_id,
        # Derived, so that the same feeds always give the same registry.
        entry_uuid=f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{unique_id}#1')}",
        lid=f"urn:uuid:{uuid.uuid5(_NAMESPACE, unique_id)}",
        version=1,
        status=APPROVED,
        hash=checked.hashes[entry.id],
        size=len(submission.documents[entry.id]),
        mime_type=entry.attributes["mimeType"],
        patient=entry.identifiers[metadata.ENTRY_PATIENT],
        type_code=kind.code,
        type_system=kind.system,
        class_code=family.code,
        class_system=family.system,
        confidentiality=tuple((c.code, c.system) for c in entry.codes if c.scheme == rules.CONFIDENTIAL),
        created=entry.slots["creationTime"][0],
        started=entry.slots["serviceStartTime"][0],
        set_id=facts.set_id if facts else "",
        set_version=facts.version if facts else 0,
        institutions=tuple(sorted(rules.institutions(submission))),
    )


def _read_patients(path: Path) -> Iterable[tuple[tuple[str, str], str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if rows.fieldnames != ["ins", "oid", "state"]:
            raise ValueError(f"{path} does not begin with the header ins,oid,state.")
        for row in rows:
            if row["state"] not in _STATES or not row["ins"] or not row["oid"]:
                raise ValueError(
                    f"Line {rows.line_num} of {path} has no ins, no oid, or a state other than {', '.join(_STATES)}."
                )
            yield (row["ins"], row["oid"]), row["state"]
