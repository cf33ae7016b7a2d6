"""PATnnnnn.ZIP: one patient's stand-alone IHE XDM archive (PORT-45 to PORT-54, PORT-70 to PORT-75; sheet `xdm-mssante.md`).

INDEX.HTM, README.TXT, IHE_XDM/SUBSET01/ (synthesis VSM, documents, METADATA.XML), PDF/ (a readable copy of each), DONNEES.JSON (every
canonical row, nothing left out), ORIGINAUX/ (source bytes that neither CDA nor PDF holds). Values in, bytes out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import orjson

from transvase.exporters import documents, structured, summary
from transvase.exporters.abreast import Work, abreast, alone, done, portions
from transvase.exporters.cda import header as cda_header
from transvase.exporters.cda import level1, vsm
from transvase.exporters.documents import Composed, Context
from transvase.exporters.pdf import writer
from transvase.formats import zip_stream
from transvase.formats.ascii_text import file_part, readme
from transvase.formats.xds import DocumentEntry
from transvase.formats.xds_metadata import derive, source_id, submission_set
from transvase.formats.xds_xml import submit_objects_request
from transvase.formats.xml_text import text as t
from transvase.model.clock import utc14
from transvase.model.identifiers import SUBMISSIONS, SYNTHESES, arc, under, unique_id
from transvase.model.record import Record

# Version of DONNEES.JSON's shape; DOCUMENTATION describes it.
DATA_VERSION = 1

# Documents of a patient that are made abreast.
ABREAST = 64

# Ends the name of the page that stands beside a readable copy which is no PDF/A-1.
NOTICE = "_AVIS"

Bodies = Callable[[str], bytes | None]


class Line(NamedTuple):
    """What became of one version of a document; `uri` is empty when there was nothing to carry, that of the first for a repetition."""

    document: str
    version: str
    uri: str
    form: str
    rung: str
    unique_id: str
    checked: bool
    # Why its PDF stands on that rung (`exporters.pdf.ladder`).
    reasons: tuple[str, ...] = ()


class PatientArchive(NamedTuple):
    """The ZIP's bytes, its patient identifier in CX form, one line per version of a document, and the readable copy of each URI."""

    data: bytes
    patient_id: str
    lines: list[Line]
    copies: dict[str, str]


def building(
    ctx: Context, patient: Any, record: Record, qualified: bool, header_possible: bool, bodies: Bodies
) -> Work[PatientArchive]:
    """The archive of a patient in stages, for several abreast; `build` makes one. `bodies` gives the bytes of a SHA-256, or None when the
    store lost them (a verdict says so beforehand)."""
    target = cda_header.record_target(patient, ctx.practice.oid, qualified)
    composed: list[Composed] = [(yield from _synthesis(ctx, patient, record, target, header_possible))]
    lines: list[Line] = []
    seen = {composed[0].entry.unique_id: composed[0].entry}
    structured_rows = structured.of_record(
        record, lambda: cda_header.record_target(patient, ctx.practice.oid, qualified, reachable=True)
    )

    def work(version: _Version, previous: str, body: bytes, rank: int) -> Work[Composed]:
        # Rows are those of the document as it is now.
        rows = structured_rows.get(version.document.key) if version.newest else None
        return documents.composing(
            ctx,
            target,
            header_possible,
            version.document,
            version.row,
            version.identifier,
            previous,
            body,
            _name(rank),
            rows,
        )

    replaced = ""
    for some in portions(_versions(ctx, record), _size, ABREAST):
        yield
        found = [_body(version.row, bodies) for version in some]
        foreseen: list[str] = []
        works: list[Work[Composed]] = []
        previous = replaced
        for version, body in zip(some, found, strict=True):
            previous = previous if version.follows else ""
            foreseen.append(previous)
            if body is not None:
                works.append(work(version, previous, body, len(composed) + len(works) + 1))
                previous = version.identifier
        yield
        ready = iter((yield from abreast(works)))
        for version, body, told in zip(some, found, foreseen, strict=True):
            replaced = replaced if version.follows else ""
            if body is None:
                lines.append(
                    Line(version.document.key, version.row.key if version.row else "", "", "absent", "", "", False)
                )
                continue
            made = next(ready)
            name = _name(len(composed) + 1)
            if replaced != told:
                # The version before it did not leave under the identifier that was foreseen.
                made = done(work(version, replaced, body, len(composed) + 1))
            earlier = seen.get(made.entry.unique_id)
            if earlier is not None and earlier.sha1 == made.entry.sha1:
                # The same CDA filed twice is one document of the archive, and both rows say where it is.
                lines.append(
                    Line(version.document.key, version.row.key, earlier.uri, "repeated", "", earlier.unique_id, False)
                )
                continue
            identifier = version.identifier
            if earlier is not None:
                # Two contents under one uniqueId: the second cannot enter the metadata under it.
                spoilt = version.row._replace(damage="another document has its uniqueId")
                identifier = unique_id(ctx.practice.oid, version.document.key, version.row.version)
                made = documents.compose(
                    ctx, target, header_possible, version.document, spoilt, identifier, replaced, body, name
                )
            if not made.entry.uri.startswith(f"{name}."):
                # One before it was a repetition.
                uri = f"{name}.{made.entry.uri.rpartition('.')[2]}"
                made = made._replace(entry=made.entry._replace(uri=uri))
            seen[made.entry.unique_id] = made.entry
            composed.append(made)
            lines.append(
                Line(
                    version.document.key,
                    version.row.key,
                    made.entry.uri,
                    made.form,
                    made.rung,
                    made.entry.unique_id,
                    made.checked,
                    made.reasons,
                )
            )
            replaced = identifier
    yield
    # A CDA of its own may name the patient otherwise than the record (an older or local identifier): one archive, one patientId.
    patient_id = composed[0].entry.patient_id
    # The repository of an archive is the archive of the practice: XDS wants its OID on every document (PORT-70).
    entries = [c.entry._replace(patient_id=patient_id, repository_unique_id=ctx.practice.oid) for c in composed]
    moment = ctx.clock.replace(tzinfo=None)
    submission = submission_set(
        entries,
        unique_id=under(ctx.practice.oid, SUBMISSIONS, arc("archive", patient.key), f"{ctx.clock:%Y%m%d%H%M%S}"),
        source_id=source_id(documents.custodian(ctx), ctx.practice.oid),
        time=utc14(ctx.clock),
    )
    yield
    metadata = submit_objects_request(submission, entries, for_xdm=True).encode()
    yield
    files: list[tuple[str, bytes, bool | bytes]] = [
        ("INDEX.HTM", index(ctx), True),
        ("README.TXT", _readme(ctx, len(composed)), True),
        ("IHE_XDM/", b"", False),
        ("IHE_XDM/SUBSET01/", b"", False),
    ]
    # PDF bytes hardly shrink, and a level-1 CDA is their base64: DEFLATE gives back the third that base64 added.
    files += [
        (f"IHE_XDM/SUBSET01/{e.uri}", c.data, not e.uri.endswith(".PDF") and deflation(ctx, c))
        for c, e in zip(composed, entries, strict=True)
    ]
    files.append(("IHE_XDM/SUBSET01/METADATA.XML", metadata, True))
    taken: set[str] = set()
    copies = {entry.uri: _pdf_name(patient, entry, rank, taken) for rank, entry in enumerate(entries, 1)}
    for name, one in zip(copies.values(), composed, strict=True):
        files.append((name, one.pdf, False))
        if one.notice is not None:
            files.append((f"{name.removesuffix('.pdf')}{NOTICE}.pdf", one.notice, False))
    for rank, one in enumerate(composed, 1):
        if one.original:
            files.append((f"ORIGINAUX/{_name(rank)}.{one.original[1]}", one.original[0], True))
    files.append(("DONNEES.JSON", _data(patient, record, lines), True))
    yield
    return PatientArchive(zip_stream.build(files, moment), patient_id, lines, copies)


build = alone(building)


class _Version(NamedTuple):
    """A version of a document, numbered, or a document without any; `follows` another version of it, is its `newest`."""

    document: Any
    row: Any
    identifier: str
    follows: bool
    newest: bool


def _versions(ctx: Context, record: Record) -> Iterator[_Version]:
    versions: dict[str, list[Any]] = {}
    for row in record.get("document_version", []):
        versions.setdefault(row.document, []).append(row)
    for document in record.get("document", []):
        rows = _numbered(versions.get(document.key, []))
        for version in rows:
            newest = version is rows[-1]
            # A former software fed the last version; the id it used stays that of this version alone.
            fed_as = document.fed_unique_id if newest else None
            identifier = version.own_unique_id or unique_id(ctx.practice.oid, document.key, version.version, fed_as)
            yield _Version(document, version, identifier, version is not rows[0], newest)
        if not rows:
            yield _Version(document, None, "", False, True)


def deflation(ctx: Context, one: Composed) -> bool | bytes:
    """What `zip_stream.build` is told of a CDA: its DEFLATE where the context makes it, True otherwise."""
    # Of the base64 of a CDA that came, nobody here answers for each letter.
    if ctx.packs is None or one.form != "written" or (after := level1.tail(one.data, one.pdf)) is None:
        return True
    return ctx.packs(one.data, one.pdf, after) or True


def _size(one: _Version) -> int:
    return (one.row and one.row.size) or 0


def _body(version: Any, bodies: Bodies) -> bytes | None:
    """The bytes of a version, None when there is nothing to carry."""
    body = bodies(version.sha256) if version and version.sha256 else None
    return None if version and not body and version.detected == "empty" else body


def _numbered(rows: list[Any]) -> list[Any]:
    """Versions in order, each under a number of its own from 1, as recorded wherever that can serve: identifiers hang on it, and a
    software may have recorded none, zero, or the same twice."""
    out: list[Any] = []
    last = 0
    for row in sorted(rows, key=lambda v: (v.version is None, v.version or 0, v.key)):
        last = max(last + 1, row.version or 1)
        out.append(row._replace(version=last))
    return out


def _name(rank: int) -> str:
    """8.3 name of the document of that rank; five digits only beyond 9,999."""
    return f"DOC{rank:04d}"


def _pdf_name(patient: Any, entry: Any, rank: int, taken: set[str]) -> str:
    """PORT-50: date of the act, type, birth name in capitals, given name; the rank when another document has the same four,
    so that each PDF names one document (PORT-51)."""
    family = (patient.birth_family or patient.used_family or "").upper()
    given = patient.birth_first_given or patient.used_given or (patient.birth_given or "").split(" ")[0]
    day = (entry.service_start_time or entry.creation_time)[:8]
    stem = f"PDF/{day}_{file_part(entry.type_code.display)}_{file_part(family)}_{file_part(given)}"
    name = f"{stem}.pdf"
    # Some file systems ignore case, so a pair that differs only by case collides too.
    if name.casefold() in taken:
        name = f"{stem}_{rank:04d}.pdf"
    taken.add(name.casefold())
    return name


def index(ctx: Context) -> bytes:
    """INDEX.HTM: issuer and a link to README.TXT (PORT-53)."""
    issuer = f"{t(ctx.practice.name)} ({t(ctx.practice.struct_idnat or ctx.practice.key)})"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="fr"><head><title>Dossier patient</title></head><body>\n'
        f"<p>Emetteur : {issuer}</p>\n"
        '<p>Voir le fichier <a href="README.TXT">README.TXT</a></p>\n</body></html>\n'
    ).encode()


def issuer_lines(ctx: Context) -> list[str]:
    """The blocks of README.TXT that name the issuer and the software, at all three levels."""
    row = ctx.practice
    where = " ".join(v for v in (row.address, row.postal_code, row.city) if v)
    return [
        "Emetteur :",
        "==========",
        f"   . Nom : {row.name}",
        f"   . Organisme : {row.name} ({row.struct_idnat or row.key})",
        f"   . Adresse : {where}",
        f"   . Telephone : {row.phone or ''}",
        f"   . Courriel : {row.email or ''}",
        "",
        "Application de l'emetteur :",
        "===========================",
        "   . Nom : Transvase",
        f"   . Version : {ctx.software.rsplit(' ', 1)[-1]}",
        "   . Editeur : projet Transvase",
        "",
    ]


def _readme(ctx: Context, count: int) -> bytes:
    return readme(
        [
            *issuer_lines(ctx),
            "Instructions :",
            "==============",
            "   . Cette archive IHE XDM contient le dossier d'un seul patient.",
            "   . IHE_XDM/SUBSET01 : documents CDA et leurs metadonnees (METADATA.XML), pour les logiciels.",
            "   . PDF : une copie lisible de chaque document, pour les personnes. Une page _AVIS dit pourquoi une copie",
            "     n'est pas au format PDF/A-1.",
            "   . DONNEES.JSON : toutes les donnees du dossier, decrites dans DOCUMENTATION de l'archive principale.",
            "   . ORIGINAUX : contenus d'origine, lorsqu'un document a du etre converti.",
            "",
            "Arborescence :",
            "==============",
            # Its rank depends on the archive that it travels in.
            "   PATnnnnn.ZIP",
            "      INDEX.HTM",
            "      README.TXT",
            "      IHE_XDM",
            f"         SUBSET01 ({count} documents)",
            "            METADATA.XML",
            "      PDF",
            "      ORIGINAUX",
            "      DONNEES.JSON",
        ]
    )


def _data(patient: Any, record: Record, lines: list[Line]) -> bytes:
    """Every canonical row of the patient, and where each document went."""
    tables = {name: [r._asdict() for r in rows] for name, rows in record.items() if rows}
    where = [line._asdict() for line in lines]
    return orjson.dumps({"version": DATA_VERSION, "patient": patient._asdict(), "tables": tables, "documents": where})


def synthesis_text(ctx: Context, patient: Any, record: Record, target: str) -> tuple[str, str]:
    """The VSM as text and its uniqueId: signed by the attending doctor when known, with the software as device beside them."""
    doctor = ctx.signatories.get(patient.attending or "")
    person = doctor or ctx.responsible
    arcs = (SYNTHESES, arc("synthesis", patient.key))
    set_id = under(ctx.practice.oid, *arcs)
    identifier = under(ctx.practice.oid, *arcs, f"{ctx.clock:%Y%m%d%H%M%S}")
    head = cda_header.Heading(
        templates=vsm.TEMPLATES,
        id=identifier,
        set_id=set_id,
        version=1,
        replaces="",
        type_code=vsm.TYPE_CODE,
        title=vsm.TITLE,
        created=ctx.now,
        act=ctx.now,
        act_end="",
        event=vsm.EVENT,
        extra_participants=vsm.attending_participant(doctor, ctx.structure if doctor else None),
    )
    return cda_header.document(
        head, target, person, person, ctx.structure, vsm.body(record, set_id), ctx.software
    ), identifier


def synthesis_document(ctx: Context, text: str) -> Work[tuple[bytes, DocumentEntry] | None]:
    """The VSM's bytes and entry, read again from its bytes; None when the schema refuses it."""
    data = text.encode()
    # What passes over all the bytes comes at once, while they are in the nearest caches.
    digest = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    facts = yield from documents.read_back(ctx, data)
    if facts is None:
        return None
    yield
    return data, derive(facts, data_sha1=digest, size=len(data), uri=f"{_name(1)}.XML")


def _synthesis(ctx: Context, patient: Any, record: Record, target: str, header_possible: bool) -> Work[Composed]:
    """The VSM with its readable copy, first document of the archive (PORT-35)."""
    text, identifier = synthesis_text(ctx, patient, record, target)
    yield
    pdf = writer.text_document(vsm.TITLE, summary.blocks(patient, record), created=ctx.clock, identifier=identifier)
    yield
    made = (yield from synthesis_document(ctx, text)) if header_possible else None
    if made is None:
        return documents.plain(text, pdf, "synthesis", None, (), _name(1), "")
    return Composed(*made, pdf, "written", "synthesis", None, ctx.schema is not None)
