"""Documents that others made: CDA and XDM become patients (from CDA headers), documents received and their versions, byte for byte,
and rows of what structured ones state (`statements`).

A patient is recognised by identifiers only, the INS first, and two national numbers are never put together. What another software
fed is not known from a document, so its history is unknown (design, section 6). Nothing is decided on identity: it must be qualified.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from typing import Any

from transvase.formats import cda
from transvase.formats.cda import CdaHeader, Id, Party
from transvase.formats.damage import look
from transvase.formats.sniff import sniff
from transvase.formats.xdm import XdmArchive, XdmRefused
from transvase.formats.xds import DocumentEntry
from transvase.formats.xds_metadata import INS_ROOTS
from transvase.formats.xds_xml import MetadataUnreadable
from transvase.model.codes.type_codes import CODES as TYPES
from transvase.model.identifiers import arc
from transvase.model.tables import TABLES
from transvase.sources.archive import statements
from transvase.sources.archive.sink import Row, Sink
from transvase.sources.archive.statements.reading import local

_CX = re.compile(r"([^^&|~\\]+)\^\^\^&([0-9.]+)&ISO(?:\^[A-Z]*)?")
# Kinds of statements told apart in the report; a document may name as many templates as it likes.
_KINDS = 1000
_ASIDE = re.compile(r".*/(?:METADATA\.XML|[^/]*\.XSL)", re.IGNORECASE)


class Received:
    """Gathers what documents say of patients and documents; `close` hands the rows on. These two tables are held in memory (some
    hundred bytes a row), versions and bodies are not."""

    def __init__(self, sink: Sink, own: str = "") -> None:
        """`own` is the practice's Struct_IdNat: what its custody holds is produced there; empty, everything is received."""
        self._sink = sink
        self._own = own
        self._patients: dict[str, dict[str, Any]] = {}
        self._owners: dict[Id, str] = {}
        self._documents: dict[str, dict[str, Any]] = {}
        # uniqueId to the digest of what stands under it.
        self._known: dict[tuple[str | None, str], str] = {}
        # Statements of the documents: key to the number of their content, and what no row holds, by kind.
        self._stated: dict[int, int] = {}
        self._unrepresented: Counter[str] = Counter()
        self._retold = 0

    def archive(self, archive: XdmArchive, where: str) -> None:
        """Every document of an XDM archive. What its metadata say of visibility is kept; the rest comes from the document."""
        unread = self._sink.unread
        if not archive.subsets:
            unread.append(f"{where}: it holds no submission folder (IHE_XDM).")
        for subset in archive.subsets:
            entries: dict[str, DocumentEntry] = {}
            try:
                entries = {e.uri.upper(): e for e in archive.metadata(subset).entries}
            except (XdmRefused, MetadataUnreadable):
                unread.append(f"{where}: its metadata cannot be read; its CDA documents are imported without them.")
            others: list[tuple[bytes, DocumentEntry, str]] = []
            patients: dict[str, None] = {}
            for rank, name in enumerate(archive.names, 1):
                inside = name.upper().removeprefix(f"{subset}/")
                if inside == name.upper() or not inside or name.endswith("/") or _ASIDE.fullmatch(name):
                    continue
                label = f"{where}, entry {rank}"
                try:
                    data = archive.read(name)
                except XdmRefused:
                    unread.append(f"{label}: it is damaged.")
                    continue
                entry = entries.pop(inside, None)
                if entry and entry.sha1 != hashlib.sha1(data, usedforsecurity=False).hexdigest().upper():
                    unread.append(f"{label}: its content is not the one that the metadata describe; imported as it is.")
                if sniff(data) == "cda":
                    owner = self.document(data, label, entry, beside=next(iter(patients), None))
                    if owner:
                        patients[owner] = None
                elif entry is None:
                    unread.append(f"{label}: neither a CDA nor described by the metadata; not imported.")
                else:
                    others.append((data, entry, label))
            for data, entry, label in others:
                self._other(data, entry, label, patients)
            unread += [f"{where}: a document that the metadata describe is missing."] * len(entries)

    def document(self, data: bytes, where: str, entry: DocumentEntry | None, beside: str | None = None) -> str | None:
        """A CDA; the key of its patient, None when it cannot be read (it is listed, and kept without a patient). `beside` is the
        patient of the first document of the same submission."""
        try:
            root = cda.parse(data)
            header = cda.header(root)
        except cda.CdaUnreadable:
            self._sink.unread.append(f"{where}: its CDA cannot be read; kept as a document without a patient.")
            self._keep(None, "", "", data, {"origin": "received"}, 1, where)
            return None
        owner = self._owner(header, where, beside)
        identifier = header.id.oid or hashlib.sha256(data).hexdigest()
        code = header.code.code
        facts = {
            "local_type": None if code in TYPES else code or None,
            "type_code": code if code in TYPES else None,
            "title": header.title or None,
            "origin": "produced"
            if self._own and self._own in (i.extension for i in header.custodian.ids)
            else "received",
            "external_author": next((n for a in header.authors if (n := _name(a))), None),
            "act": local(header.acts[0].low) if header.acts else None,
            "act_end": local(header.acts[0].high) if header.acts else None,
            "created": local(header.effective_time),
            **_visibility(entry),
        }
        new = self._keep(owner, identifier, header.set_id.oid or identifier, data, facts, max(header.version, 1), where)
        if new and owner is not None and header.level == 3:
            self._statements(root, header, owner, identifier)
        return owner

    def aside(self, data: bytes, where: str) -> None:
        """Keep what names no patient, and is no document that can be read, as a document without a patient."""
        self._keep(None, "", "", data, {"origin": "received"}, 1, where)

    def _statements(self, root: Any, header: CdaHeader, owner: str, identifier: str) -> None:
        """Rows of what a structured document states of its patient. A statement that several documents repeat stands once; with
        another content it is another row, since nothing says here which document is right."""
        found = statements.read(root, header)
        keys: dict[tuple[str, str], str] = {}
        fresh: list[tuple[str, dict[str, Any]]] = []
        for table, rows in found.rows.items():
            for values in rows:
                content = arc(*(f"{n}\1{v!r}" for n, v in sorted(values.items()) if n != "key"))
                key = arc("statement", owner, table, values["key"])
                if self._stated.get(key, content) != content:
                    self._retold += 1
                    key = arc("statement", owner, table, values["key"], str(content))
                keys[table, values["key"]] = str(key)
                if key not in self._stated:
                    self._stated[key] = content
                    fresh.append((table, {**values, "key": str(key), "patient": owner}))
        for table, values in fresh:
            columns = TABLES[table].own
            for column in columns:
                if column.name in values and (column.references, values[column.name]) in keys:
                    values[column.name] = keys[column.references, values[column.name]]
            if any(column.name == "document" for column in columns):
                values.setdefault("document", str(arc("document", owner, header.set_id.oid or identifier)))
            self._sink.add(table, [_row(table, **values, source_table="cda", source_key=identifier)])
        for lost in found.unrepresented:
            kind = f"{lost['what']}: {lost['why']}"
            self._unrepresented[
                kind if kind in self._unrepresented or len(self._unrepresented) < _KINDS else "other kinds"
            ] += 1

    def _other(self, data: bytes, entry: DocumentEntry, where: str, patients: dict[str, None]) -> None:
        """A document that is no CDA: its metadata are all that is known of it. One patient per submission, by rule of XDM."""
        match = _CX.fullmatch(entry.patient_id)
        owner = self._owners.get(Id(match[2], match[1])) if match else None
        if owner is None and len(patients) == 1:
            (owner,) = patients
        if owner is None:
            self._sink.unread.append(
                f"{where}: no CDA beside it names its patient; kept as a document without a patient."
            )
        code = entry.type_code.code
        facts = {
            "local_type": None if code in TYPES else code or None,
            "type_code": code if code in TYPES else None,
            "title": entry.title or None,
            "origin": "received",
            "act": local(f"{entry.service_start_time}+0000") if entry.service_start_time else None,
            "act_end": local(f"{entry.service_stop_time}+0000") if entry.service_stop_time else None,
            "created": local(f"{entry.creation_time}+0000") if entry.creation_time else None,
            **_visibility(entry),
        }
        identifier = entry.unique_id or hashlib.sha256(data).hexdigest()
        self._keep(owner, identifier, identifier, data, facts, 1, where)

    def _keep(
        self,
        owner: str | None,
        identifier: str,
        of_set: str,
        data: bytes,
        facts: dict[str, Any],
        version: int,
        where: str,
    ) -> bool:
        """The body, its version row, and what its document is by its highest version; False when it was filed already."""
        digest = hashlib.sha256(data).hexdigest()
        earlier = self._known.setdefault((owner, identifier or digest), digest)
        if earlier != digest:
            self._sink.unread.append(f"{where}: another content has its identifier; both are kept.")
        key = str(arc("version", owner or "", identifier, digest))
        if self._known.get((owner, key)):
            return False  # The same document, filed again.
        self._known[owner, key] = digest
        if not self._sink.holds(digest):
            self._sink.keep(data)
        document = str(arc("document", owner or "", of_set or digest))
        detected = sniff(data)
        seen = look(data, detected)
        self._sink.add(
            "document_version",
            [
                _row(
                    "document_version",
                    key=key,
                    patient=owner,
                    document=document,
                    version=version,
                    created=facts.get("created"),
                    sha256=digest,
                    size=len(data),
                    detected=detected,
                    damage=seen.damage,
                    own_unique_id=seen.unique_id,
                    source_table="cda" if detected == "cda" else "xdm",
                    source_key=identifier or digest,
                )
            ],
        )
        known = self._documents.get(document)
        if known is None or version > known["_version"]:
            self._documents[document] = {
                **facts,
                "key": document,
                "patient": owner,
                "fed_state": "unknown",
                "source_table": "cda" if detected == "cda" else "xdm",
                "source_key": of_set or digest,
                "_version": version,
            }
        return True

    def _owner(self, header: CdaHeader, where: str, beside: str | None) -> str | None:
        """The key of the patient that a header names, known already or new. An XDM submission has one patient: a header that names
        no other national number is of the patient `beside` it."""
        person = header.patient
        ids = [i for i in person.ids if i.extension]
        if not ids and beside is None:
            self._sink.unread.append(f"{where}: its patient has no identifier; kept as a document without a patient.")
            return None
        ins = next((i for i in ids if i.root in INS_ROOTS), None)
        key = self._owners.get(ins) if ins else None
        if key is None:
            for found in (*map(self._owners.get, ids), beside):
                # A local number alone never joins two national ones.
                if found and (ins is None or self._patients[found]["ins"] is None):
                    key = found
                    break
        if beside is not None and key is None:
            self._sink.unread.append(f"{where}: it names another patient than the documents beside it.")
        if key is None:
            lead = ins or ids[0]
            key = str(arc("patient", lead.root, lead.extension))
        said = {
            "birth_family": person.birth_family,
            "birth_given": person.given_names or person.birth_given,
            "birth_first_given": person.birth_given,
            "used_family": person.used_family,
            "used_given": person.used_given,
            "sex": person.sex if person.sex in ("F", "M", "UN") else "",
            "birth_date": local(person.birth[:8]),
            "birth_place_code": person.birth_place,
            "ins": ins.extension if ins else "",
            "ins_oid": ins.root if ins else "",
        }
        known = self._patients.setdefault(key, dict.fromkeys(said))
        for name, value in said.items():
            if value and known[name] is None:
                known[name] = value
            elif value and known[name] != value:
                self._sink.unread.append(
                    f"{where}: patient.{name} differs from an earlier document; the earlier one is kept."
                )
        for i in ids:
            self._owners.setdefault(i, key)
        return key

    def close(self) -> None:
        """Hand on the rows of patients and documents."""
        for key, known in self._patients.items():
            family = known["birth_family"] or known["used_family"] or ""
            self._sink.add(
                "patient",
                [_row("patient", **{**known, "birth_family": family}, key=key, source_table="cda", source_key=key)],
            )
        for facts in self._documents.values():
            self._sink.add("document", [_row("document", **{n: v for n, v in facts.items() if n != "_version"})])
        # Whole in the document, which is kept byte for byte: said once for each kind.
        self._sink.in_documents += [f"{kind}: {n}" for kind, n in sorted(self._unrepresented.items())]
        if self._retold:
            self._sink.in_documents.append(
                f"statements whose identifier has another content in an earlier document ({self._retold}): both are kept."
            )


def _row(table: str, **values: Any) -> Row:
    """A row with the columns given, the others null."""
    row = tuple(values.pop(c.name, None) for c in TABLES[table].columns)
    if values:
        raise ValueError("columns that the table does not declare")
    return row


def _visibility(entry: DocumentEntry | None) -> dict[str, Any]:
    """The three masks, which only metadata carry; without metadata nothing is known of them."""
    if entry is None:
        return {}
    codes = {c.code for c in entry.confidentiality}
    return {
        "masked_ps": "MASQUE_PS" in codes,
        "invisible_patient": "INVISIBLE_PATIENT" in codes,
        "invisible_representatives": "INVISIBLE_REPRESENTANTS_LEGAUX" in codes,
    }


def _name(party: Party) -> str:
    """An author as a reader writes it; the structure when no person is named."""
    return " ".join(f"{party.prefix} {party.given} {party.family}".split()) or party.organization.name
