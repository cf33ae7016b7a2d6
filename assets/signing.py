"""Who speaks to the DMP in a run, and the proofs they give: the VIHF of each request, the signature of each submission set.

This module chooses the professional and the structure from the practice; the wire forms are in `exporters`. No Dagster here.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from transvase.errors import Said, SettingsInvalid
from transvase.exporters import set_signature, vihf
from transvase.exporters.documents import Context
from transvase.exporters.set_signature import Reference
from transvase.formats.structure_seal import Digest, Seal
from transvase.formats.xds import DocumentEntry, SubmissionSet
from transvase.model.identifiers import uuid5
from transvase.model.record import ROW
from transvase.model.tables import TABLES

# One in so many of the documents made here has the digest of its canonical form taken the long way too.
SAMPLED = 128
_ASSERTIONS = uuid.uuid5(uuid.NAMESPACE_URL, "urn:transvase:assertions")


class Proofs(NamedTuple):
    """What the settings say of the proofs: the seal, the mode the VIHF states, the digest of each signature, the homologation."""

    seal: Seal
    mode: vihf.Mode
    vihf_digest: Digest
    signature_digest: Digest
    homologation: str


class Signer:
    """The proofs of one run; used from any thread. SettingsInvalid when the seal is that of another structure."""

    def __init__(self, proofs: Proofs, ctx: Context, base: Any) -> None:
        self.proofs = proofs
        # Documents made here that were digested, and whether their form is the one that their writer promises.
        self.written, self.trusted = 0, True
        structure = ctx.practice.struct_idnat or ""
        # A card does not bear the structure: the practice's is the one read on it.
        if not structure or (proofs.mode == "INDIRECTE" and structure not in proofs.seal.units):
            named = ", ".join(proofs.seal.units) or "-"
            raise SettingsInvalid(
                name="feed.seal_certificate",
                file="transvase.toml",
                what=Said(
                    f"ce cachet est celui de la structure {named}, le cabinet est {structure or 'sans identifiant national'}",
                    f"this seal is that of structure {named}, the practice is {structure or 'without national identifier'}",
                ),
            )
        software, _, version = ctx.software.partition(" ")
        self.caller = vihf.Caller(
            structure, ctx.practice.facility_type, proofs.mode, ctx.practice.oid, software, version, proofs.homologation
        )
        query = f"SELECT {TABLES['practitioner'].select} FROM practitioner ORDER BY key"
        rows = [ROW["practitioner"]._make(r) for r in base.sql(query).fetchall()]
        self.people = {row.key: vihf.person(row, structure) for row in rows}
        lead = next((row.key for row in rows if row.active), rows[0].key if rows else "")
        # As for the documents (`exporters.documents.context`): the first active one answers for what no author signs.
        self.lead = self.people.get(lead, vihf.Person("", "", ()))

    def who(self, practitioner: str | None) -> vihf.Person:
        """The professional who answers for a document of that author."""
        return self.people.get(practitioner or "", self.lead)

    def refusal(self, practitioner: str | None, entry: DocumentEntry) -> str:
        """Our code for what the DMP would refuse in the proofs of a document; empty when nothing."""
        held = {xon.rpartition("^")[2] for author in entry.authors for xon in author.institutions}
        if self.caller.structure not in held:
            return "DocumentMismatch"
        return "" if self.who(practitioner).complete else "SpecialtyMissing"

    def token(
        self, practitioner: str | None, patient: str, message_id: str, instant: datetime, *, secret: bool = False
    ) -> str:
        """The VIHF of a message about a patient (CX, or empty)."""
        return vihf.assertion(
            self.caller,
            self.who(practitioner),
            patient,
            f"_{uuid5(_ASSERTIONS, message_id)}",
            instant,
            self.proofs.seal,
            self.proofs.vihf_digest,
            secret=secret,
        )

    def reference(self, entry: DocumentEntry, data: bytes, *, written: bool) -> Reference:
        """The manifest's line of a document, `written` when it is of level 1 and was made here. `Uncanonical` when it has none."""
        digest = self.proofs.signature_digest
        if not (written and self.trusted):
            return set_signature.reference(entry.unique_id, data, digest)
        found = set_signature.reference(entry.unique_id, data, digest, written=True)
        # What a writer promises of its form is looked at now and then; once it is broken the parser is asked about all that follows.
        if self.written % SAMPLED == 0:
            promised, found = found, set_signature.reference(entry.unique_id, data, digest)
            self.trusted = promised == found
        self.written += 1
        return found

    def signature(
        self, submission: SubmissionSet, entry: DocumentEntry, references: Sequence[Reference], instant: datetime
    ) -> tuple[DocumentEntry, bytes]:
        """The signature of a set, whose first document is `entry`; its uniqueId follows from the set's."""
        return set_signature.sign(
            f"{submission.unique_id}.1",
            submission,
            references,
            entry,
            instant,
            self.proofs.seal,
            self.proofs.signature_digest,
        )
