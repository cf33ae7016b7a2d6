"""One version of a document of the record, ready to leave: its CDA bytes, XDS entry, readable PDF, and the original when that is
another thing. A CDA of its own leaves byte for byte; anything else becomes level 1 around a PDF.

The CDA we write is parsed again from its bytes and the metadata are derived from that reading, so that header and metadata cannot
disagree; with a schema it is validated too. What cannot be put in a CDA leaves as its PDF, and says so.

A PDF of the practice goes up the ladder of `exporters.pdf.ladder`. Level 1 wants PDF/A-1 (formatCode urn:ihe:iti:xds-sd:pdf:2008, sheet
`format-codes.csv`) and the readable copy is the PDF that it embeds (ECO.2.1.5, sheet `xdm-mssante.md`), so both hold what the ladder gives:
the bytes that came when they are PDF/A-1 already, or when nothing makes them so; otherwise the mended or drawn file, and then the bytes
that came are the original of the document. An own CDA is never touched, nor the PDF inside it (PORT-37).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from transvase.exporters import structured
from transvase.exporters.abreast import Work, alone
from transvase.exporters.cda import header as cda_header
from transvase.exporters.cda import level1
from transvase.exporters.pdf import beside as pdf_beside
from transvase.exporters.pdf import ladder, writer
from transvase.exporters.pdf import render as pdf_render
from transvase.formats import cda, cda_pieces
from transvase.formats.xds import DocumentEntry
from transvase.formats.xds_metadata import NotDerivable, derive
from transvase.model.clock import hl7, parse
from transvase.model.codes.type_codes import CODES as TYPES
from transvase.model.identifiers import is_oid, set_id

# The document leaves under the most general type of a practice, its title says that the local type has no national equivalent.
UNMAPPED_TYPE = "11488-4"
# XML 1.0, section 2.2; the values of a header are cleaned by its writer, this one goes straight to the metadata.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
RENDERED = ("rtf", "text", "jpeg", "tiff", "png", "html", "xml")
EXTENSION = {"pdf": "PDF", "rtf": "RTF", "text": "TXT", "jpeg": "JPG", "tiff": "TIF", "png": "PNG", "html": "HTM", "xml": "XML",
             "cda": "XML", "zip": "ZIP"}  # fmt: skip


@dataclass(frozen=True)
class Context:
    """What is common to the documents of a practice: rows, ready header parts, clock (aware), software, optional XSD validator, and
    optionally what accepts most documents faster than it (`formats.schema_acceptor`) and what packs a level-1 CDA faster than ISA-L
    (`formats.base64_deflate`)."""

    practice: Any
    structure: cda_header.Structure
    signatories: dict[str, cda_header.Signatory]
    responsible: cda_header.Signatory
    clock: datetime
    software: str
    schema: Any = None
    accepts: Callable[[bytes], bool] | None = None
    packs: Callable[[bytes, bytes, int], bytes | None] | None = None
    # Resolution at which pages of a PDF are drawn when nothing else makes it PDF/A-1; 0 to draw none.
    dpi: int = 0

    @property
    def now(self) -> str:
        """The clock as HL7 TS."""
        return self.clock.strftime("%Y%m%d%H%M%S%z")


class Composed(NamedTuple):
    """A document ready to leave. `form` is carried (a CDA of its own), structured (its own model, level 3), written (level 1), or plain
    (its PDF, without CDA); `rung` how the PDF was had and `reasons` why; `original` the source bytes and extension when neither CDA nor
    PDF holds them; `notice` the page that says why the PDF is no PDF/A-1."""

    data: bytes
    entry: DocumentEntry
    pdf: bytes
    form: str
    rung: str
    original: tuple[bytes, str] | None
    checked: bool
    reasons: tuple[str, ...] = ()
    notice: bytes | None = None


def context(
    practice: Any,
    practitioners: list[Any],
    clock: datetime,
    software: str,
    schema: Any = None,
    accepts: Callable[[bytes], bool] | None = None,
    dpi: int = 0,
    packs: Callable[[bytes, bytes, int], bytes | None] | None = None,
) -> Context:
    """The context of a practice from its rows; the first active practitioner answers for what no author signs."""
    signatories = {p.key: cda_header.signatory(p, practice.oid) for p in practitioners}
    lead = next((p for p in practitioners if p.active), practitioners[0] if practitioners else None)
    responsible = signatories[lead.key] if lead else cda_header.outside_author(practice.name, "structure", practice.oid)
    return Context(
        practice, cda_header.structure(practice), signatories, responsible, clock, software, schema, accepts, packs, dpi
    )


def read_back(ctx: Context, data: bytes) -> Work[cda.CdaHeader | None]:
    """The header of a document we wrote, read from its bytes; None when the schema refuses it."""
    if ctx.schema is None and (found := cda_pieces.written(data)) is not None:
        return found
    if ctx.accepts is not None and ctx.accepts(data):
        yield
        return cda_pieces.header(data) or cda.header(cda.parse(data))
    root = cda.parse(data)
    return cda.header(root) if ctx.schema is None or ctx.schema.validate(root) else None


def custodian(ctx: Context) -> cda.Organization:
    """The practice as custodian, for the sourceId of a submission set."""
    return cda.Organization(
        (cda.Id(cda_header.STRUCTURES, ctx.practice.struct_idnat or ctx.practice.key),), ctx.practice.name
    )


def heading(ctx: Context, document: Any, version: Any, identifier: str, previous: str) -> cda_header.Heading:
    """The header values of a version of a document; `identifier` is its uniqueId, `previous` that of the version it replaces."""
    code = document.type_code
    known = TYPES.get(code or "")
    title = document.title or (known.display if known else "") or "Document"
    if known is None or not known.current or not known.class_code:
        title = f"{title} (type local {document.local_type or 'absent'} sans équivalent national)"
        code = UNMAPPED_TYPE
    act = _instant(document.act)
    created = _instant(version.created) or _instant(document.created) or act or ctx.now
    end = _instant(document.act_end)
    return cda_header.Heading(
        templates=level1.TEMPLATES,
        id=identifier,
        set_id=set_id(ctx.practice.oid, document.key),
        version=max(version.version, 1),
        replaces=previous,
        type_code=code,
        title=title,
        created=created,
        act=act or created,
        act_end=end if end > act else "",
    )


def _instant(value: str | None) -> str:
    """HL7 TS of an instant; the day alone before the year 1000, which some products write for "no date" (0001-01-01T00:00:00)."""
    return hl7(value[:10] if value and value < "1000" else value)


def composing(
    ctx: Context,
    target: str,
    header_possible: bool,
    document: Any,
    version: Any,
    identifier: str,
    previous: str,
    body: bytes,
    name: str,
    rows: structured.Rows | None = None,
) -> Work[Composed]:
    """A document in stages, for several abreast; `compose` makes one.

    `target` is the patient's `record_target`; `name` the 8.3 name without extension under which it stands in the archive; `rows` what the
    record holds of this version beside its body, for a document made here to leave in its own model.

    Never raises for what the body holds: a body nobody can read leaves with a notice and its original bytes."""
    detected = version.detected or "unknown"
    masks = tuple(
        code
        for code, on in (
            ("MASQUE_PS", document.masked_ps),
            ("INVISIBLE_PATIENT", document.invisible_patient),
            ("INVISIBLE_REPRESENTANTS_LEGAUX", document.invisible_representatives),
        )
        if on
    )
    created = parse(version.created or document.created or document.act) or ctx.clock
    if detected == "cda" and not version.damage:
        own = _carried(body, document, version, masks, name, created, identifier)
        if own is not None:
            return own
        detected = "unknown"
    original: tuple[bytes, str] | None = None
    reasons: tuple[str, ...] = ()
    notice: bytes | None = None
    if detected == "pdf" and not version.damage:
        title = document.title or "Document"
        stands = pdf_beside.climb(body, title=title, created=created, identifier=identifier, dpi=ctx.dpi)
        pdf, rung, reasons = stands.pdf or body, stands.rung, stands.reasons
        if stands.pdf:
            original = (body, EXTENSION["pdf"])
        elif rung == ladder.CARRIED and ladder.NOT_ASKED not in reasons:
            notice = ladder.notice(reasons, f"document {document.key}", created=created, identifier=identifier)
    else:
        original = (body, EXTENSION.get(detected, "BIN")) if body else None
        pdf, rung = _rendered(body, detected, version.damage, document, created, identifier)
    yield
    head = heading(ctx, document, version, identifier, previous)
    author = ctx.signatories.get(document.practitioner or "", ctx.responsible)
    if document.origin != "produced" and document.external_author:
        responsible, author = (
            author,
            cda_header.outside_author(document.external_author, document.key, ctx.practice.oid),
        )
    else:
        responsible = author
    text = cda_header.document(head, target, author, responsible, ctx.structure, level1.BODY)
    yield
    for form, data in _forms(ctx, head, target, author, text, pdf, rows if document.origin == "produced" else None):
        # What passes over all the bytes comes at once, while they are in the nearest caches.
        digest = hashlib.sha1(data, usedforsecurity=False).hexdigest()
        facts = (yield from read_back(ctx, data)) if header_possible else None
        if facts is not None:
            yield
            entry = derive(
                facts,
                data_sha1=digest,
                size=len(data),
                uri=f"{name}.XML",
                local_confidentiality=masks,
                original_file_name=_filed(version),
            )
            return Composed(data, entry, pdf, form, rung, original, ctx.schema is not None, reasons, notice)
    return plain(text, pdf, rung, original, masks, name, _filed(version))._replace(reasons=reasons, notice=notice)


compose = alone(composing)


def _forms(
    ctx: Context,
    head: cda_header.Heading,
    target: str,
    author: cda_header.Signatory,
    text: str,
    pdf: bytes,
    rows: structured.Rows | None,
) -> Iterator[tuple[str, bytes]]:
    """The forms in which a document can leave, best first: its own model, then level 1."""
    if rows is not None and (own := structured.document(head, target, author, ctx.structure, rows, pdf)) is not None:
        yield "structured", own.encode()
    yield "written", level1.filled(text, pdf)


def _carried(
    body: bytes, document: Any, version: Any, masks: tuple[str, ...], name: str, created: datetime, identifier: str
) -> Composed | None:
    """A CDA of its own, byte for byte; None when it cannot be read or gives no metadata."""
    try:
        root = cda.parse(body)
        facts = cda.header(root)
        embedded = cda.embedded_pdf(root)
        known = TYPES.get(facts.code.code)
        fallback = "" if known and known.class_code else TYPES[UNMAPPED_TYPE].class_code
        entry = derive(
            facts,
            data_sha1=hashlib.sha1(body, usedforsecurity=False).hexdigest(),
            size=len(body),
            uri=f"{name}.XML",
            local_confidentiality=masks,
            original_file_name=_filed(version),
            class_code=fallback,
        )
    except (cda.CdaUnreadable, NotDerivable):
        return None
    if not is_oid(entry.unique_id.split("^", 1)[0]):
        return None
    pdf, rung = embedded, "embedded"
    if pdf is None:
        blocks = [writer.Paragraph(line) for line in cda.narrative_text(root)]
        pdf = writer.text_document(document.title or facts.title, blocks, created=created, identifier=identifier)
        rung = "narrative"
    return Composed(body, entry, pdf, "carried", rung, None, False)


def _filed(version: Any) -> str:
    """The name a body had, as XML can hold it: one control character in a name must not stop the export of a practice."""
    return _NOT_XML.sub("\ufffd", version.file_name or "")


def _rendered(
    body: bytes, detected: str, damage: str | None, document: Any, created: datetime, identifier: str
) -> tuple[bytes, str]:
    """A PDF of another body, or the notice that stands in its place."""
    title = document.title or "Document"
    if not damage and detected in RENDERED:
        try:
            done = pdf_render.render(body, detected, title=title, created=created, identifier=identifier)
            return done.pdf, done.rung
        except pdf_render.BodyUnreadable:
            pass
    reason = (
        "Le contenu d'origine n'a pas pu être présenté. Il est joint tel quel dans le dossier ORIGINAUX de l'archive."
    )
    return pdf_render.notice(reason, f"document {document.key}", created=created, identifier=identifier), "notice"


def plain(
    text: str,
    pdf: bytes,
    rung: str,
    original: tuple[bytes, str] | None,
    masks: tuple[str, ...],
    name: str,
    file_name: str,
) -> Composed:
    """The PDF alone, when the patient's traits do not allow a CDA header: its metadata come from the header that could not leave."""
    # The empty birth date is what the schema refuses; the reader takes it as absent, which is the truth.
    entry = derive(
        cda.header(cda.parse(text.encode())),
        data_sha1=hashlib.sha1(pdf, usedforsecurity=False).hexdigest(),
        size=len(pdf),
        uri=f"{name}.PDF",
        local_confidentiality=masks,
        original_file_name=file_name,
    )
    return Composed(pdf, entry._replace(mime_type="application/pdf"), pdf, "plain", rung, original, False)
