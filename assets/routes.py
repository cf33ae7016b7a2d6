"""The two ways to speak to the DMP behind one interface: SOAP (XDS.b) and FHIR (PDSm). The feeder knows nothing of either.

A route makes the message of its standard and hands it to the connection of its gateway. When to send, and what an outcome means for the
ledger, belongs to `feeding`.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from transvase.exporters import documents, existence, iti41, pdsm
from transvase.exporters.documents import Context
from transvase.formats.xds import APPROVED, DELETED, DocumentEntry, SubmissionSet
from transvase.formats.xds_xml import availability_request, submit_objects_request
from transvase.gateways.dmp import Answer, Dmp, Entry, Existence, Found, Reference
from transvase.gateways.dmp_fhir import DmpFhir


class Speech(NamedTuple):
    """What every message bears: its `urn:uuid:…`, its instant (aware), and the signed VIHF or nothing."""

    message_id: str
    instant: datetime
    assertion: str = ""


class Sought(NamedTuple):
    """A document asked about: its uniqueId, and the CX of its patient, empty when the record no longer has them."""

    unique_id: str
    patient: str


class Sending(NamedTuple):
    """A submission set, the entry and bytes of each of its documents, and those of the set's signature when there is one."""

    submission: SubmissionSet
    documents: Sequence[tuple[DocumentEntry, bytes]]
    signature: tuple[DocumentEntry, bytes] | None = None


class Letter(NamedTuple):
    """A submission ready to leave, in the form of its route, and the speech that it bears."""

    speech: Speech
    content: Any


class Route(Protocol):
    """One connection to the DMP in one standard; not shared between threads. Whatever the standard, outcomes are the same values."""

    # Whether a sending may hold several documents.
    together: bool

    def letter(self, sending: Sending, speech: Speech) -> Letter:
        """The message of a set, for any connection of the route; a document is not copied into it."""

    def submit(self, letter: Letter) -> Answer:
        """Send a set. CertificateRefused when TLS refuses us or the server's certificate."""

    def query(self, sought: Sequence[Sought], speech: Speech) -> Found:
        """What the registry holds under these uniqueIds."""

    def reference(self, sought: Sought, speech: Speech) -> Reference:
        """Under which ids of its own the registry holds one document: what a replacement names."""

    def exists(self, ins: str, ins_oid: str, speech: Speech) -> Existence:
        """What is known of the DMP of a matricule."""

    def close(self) -> None:
        """Close the connection."""


class Soap:
    """ITI-41, ITI-18 and the TD0.2 in HL7v3."""

    together = True

    def __init__(self, connection: Dmp, ctx: Context) -> None:
        self._dmp, self._ctx = connection, ctx

    def letter(self, sending: Sending, speech: Speech) -> Letter:
        """ITI-41 with the set's signature beside the documents."""
        parts, signature = [(f"Document{n:02d}", data) for n, (_, data) in enumerate(sending.documents, 1)], None
        if sending.signature:
            signature, data = sending.signature
            parts.append(("Signature01", data))
        entries = [entry for entry, _ in sending.documents]
        request = submit_objects_request(sending.submission, entries, for_xdm=False, signature=signature)
        to = f"{self._dmp.base}/repository"
        return Letter(speech, iti41.provide_and_register(request, parts, speech.message_id, to, speech.assertion))

    def submit(self, letter: Letter) -> Answer:
        """Send an ITI-41."""
        message: iti41.Message = letter.content
        return self._dmp.submit(message.content_type, message.parts, message.length, letter.speech.message_id)

    def query(self, sought: Sequence[Sought], speech: Speech) -> Found:
        """ITI-18 GetDocuments, all in one question."""
        unique_ids, to = [one.unique_id for one in sought], f"{self._dmp.base}/registry"
        message = iti41.query_by_unique_id(unique_ids, speech.message_id, to, speech.assertion)
        return self._dmp.query(message.content_type, message.parts, message.length, speech.message_id)

    def reference(self, sought: Sought, speech: Speech) -> Reference:
        """TD3.1b: entryUUIDs."""
        to = f"{self._dmp.base}/registry"
        message = iti41.query_by_unique_id([sought.unique_id], speech.message_id, to, speech.assertion, references=True)
        return self._dmp.reference(message.content_type, message.parts, message.length, speech.message_id)

    def delete(self, submission: SubmissionSet, entry_uuid: str, speech: Speech) -> Answer:
        """TD3.3c: an approved document becomes deleted. Of this route alone: how FHIR says it is an open question of the 4DMP guide
        (sheet pdsm-fhir.md, 5)."""
        request = availability_request(submission, entry_uuid, APPROVED, DELETED)
        message = iti41.update(request, speech.message_id, f"{self._dmp.base}/registry", speech.assertion)
        return self._dmp.update(message.content_type, message.parts, message.length, speech.message_id)

    def exists(self, ins: str, ins_oid: str, speech: Speech) -> Existence:
        """TD0.2."""
        message = existence.request(
            ins,
            ins_oid,
            self._ctx.practice.oid,
            self._ctx.software,
            speech.message_id,
            speech.instant,
            f"{self._dmp.base}/patients",
            speech.assertion,
        )
        return self._dmp.exists(message.content_type, message.parts, message.length, speech.message_id)

    def close(self) -> None:
        """Close the connection."""
        self._dmp.close()


class Fhir:
    """ITI-65 or ITI-105 of one document, ITI-67, and TD0.2 as a search. No VIHF and no signature: PDSm has no place for either (sheet
    pdsm-fhir.md, 6 and 7); the access token is the connection's."""

    together = False

    def __init__(self, connection: DmpFhir, ctx: Context) -> None:
        self._dmp, self._custodian = connection, documents.custodian(ctx)

    def letter(self, sending: Sending, speech: Speech) -> Letter:
        """What the transaction says; in base64 the document would be a copy of itself."""
        return Letter(speech, sending)

    def submit(self, letter: Letter) -> Answer:
        """The transaction, or the DocumentReference alone."""
        sending: Sending = letter.content
        ((entry, data),) = sending.documents
        if self._dmp.simplified:
            resource, entries = pdsm.simplified_publish(entry, self._custodian), 1
        else:
            resource = pdsm.provide_bundle(sending.submission, entry, self._custodian)
            entries = len(resource["entry"])
        message = pdsm.message(resource, data)
        named = "|".join(pdsm.identifier(entry.unique_id))
        return self._dmp.submit(message.parts(), message.length, letter.speech.message_id, named, entries)

    def query(self, sought: Sequence[Sought], speech: Speech) -> Found:
        """One ITI-67 for each document: the sheet knows the question for one identifier, of one patient."""
        entries: dict[str, Entry] = {}
        for one in sought:
            form, named = pdsm.search_document(*one), "|".join(pdsm.identifier(one.unique_id))
            # A number for each question: the answer to the one before must not pass for its own.
            number = uuid.uuid5(uuid.UUID(speech.message_id), one.unique_id).urn
            found = self._dmp.query(form, number, named, one.unique_id)
            if not found.ok:
                return found
            entries |= found.entries
        return Found(True, entries)

    def reference(self, sought: Sought, speech: Speech) -> Reference:
        """TD3.1b: logical ids of DocumentReferences."""
        named = "|".join(pdsm.identifier(sought.unique_id))
        return self._dmp.reference(pdsm.search_document(*sought), speech.message_id, named)

    def exists(self, ins: str, ins_oid: str, speech: Speech) -> Existence:
        """TD0.2 as a search of Patient."""
        return self._dmp.exists(pdsm.search_patient(ins, ins_oid), speech.message_id, f"urn:oid:{ins_oid}|{ins}")

    def close(self) -> None:
        """Close the connection."""
        self._dmp.close()


def over(connection: Dmp | DmpFhir, ctx: Context) -> Route:
    """The route that a connection speaks."""
    return Fhir(connection, ctx) if isinstance(connection, DmpFhir) else Soap(connection, ctx)
