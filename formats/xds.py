"""XDS metadata as values: the document entry, the submission set, their author and their links, with the identifiers of each.

Shapes only. Deriving an entry from a CDA is in `xds_metadata`, the wire form (METADATA.XML, ITI-41) in `xds_xml`.
Attributes and cardinalities: sheet `dmp-transactions.md`, sections 5 to 9; `portability-requirements.md`, PORT-70.
"""

from __future__ import annotations

from typing import NamedTuple

from transvase.formats.cda import Coded

APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
HAS_MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
REPLACES = "urn:ihe:iti:2007:AssociationType:RPLC"
DELETED = "urn:asip:ci-sis:2010:StatusType:Deleted"
SIGNS = "urn:ihe:iti:2007:AssociationType:signs"
UPDATES_AVAILABILITY = "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus"
# Slot of ours: XDS has no attribute for the name a document had in the practice (PORT-49, decision in the reference README).
ORIGINAL_FILE_NAME = "urn:transvase:originalFileName"


class Author(NamedTuple):
    """An author. `person` is an XCN, `institutions` are XON, `roles` labels, `specialties` `code^label^OID`."""

    person: str = ""
    institutions: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    specialties: tuple[str, ...] = ()


class DocumentEntry(NamedTuple):
    """Metadata of one document. Times are 14 digits UTC; `sha1` upper-case hexadecimal; `size` bytes; ids of patients are CX,
    `legal_authenticator` an XCN. Empty means absent and is not written.

    `uri`, `logical_id`, `repository_unique_id`, `status`, `action` (`C` replacement, `D` deletion) and `original_file_name` are
    written in archives only; `replaces` is the entryUUID of the entry that this one replaces."""

    unique_id: str
    entry_uuid: str = ""
    logical_id: str = ""
    repository_unique_id: str = ""
    status: str = APPROVED
    mime_type: str = "text/xml"
    sha1: str = ""
    size: int = 0
    uri: str = ""
    creation_time: str = ""
    service_start_time: str = ""
    service_stop_time: str = ""
    language: str = ""
    title: str = ""
    comments: str = ""
    legal_authenticator: str = ""
    patient_id: str = ""
    source_patient_id: str = ""
    source_patient_info: tuple[str, ...] = ()
    authors: tuple[Author, ...] = ()
    class_code: Coded = Coded()
    type_code: Coded = Coded()
    format_code: Coded = Coded()
    facility: Coded = Coded()
    practice_setting: Coded = Coded()
    confidentiality: tuple[Coded, ...] = ()
    event_codes: tuple[Coded, ...] = ()
    reference_ids: tuple[str, ...] = ()
    action: str = ""
    original_file_name: str = ""
    replaces: str = ""


class SubmissionSet(NamedTuple):
    """Metadata of one submission. `time` is 14 digits UTC, `unique_id` and `source_id` are OIDs, `patient_id` a CX equal to the
    one of each document."""

    unique_id: str
    source_id: str = ""
    patient_id: str = ""
    time: str = ""
    authors: tuple[Author, ...] = ()
    content_type: Coded = Coded()
    title: str = ""
    comments: str = ""
    entry_uuid: str = ""
    status: str = APPROVED


class Association(NamedTuple):
    """A link between two objects of a submission, or to one already registered. `status` is the SubmissionSetStatus."""

    kind: str
    source: str
    target: str
    status: str = ""
