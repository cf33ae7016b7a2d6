"""A PDF whose only defects are in what surrounds its pages, written again as PDF/A-1b: nothing seen changes.

Written: XMP, output intent, information dictionary, file structure (PDF 1.4, no object streams, Flate for LZW), descriptions of embedded
fonts. Taken away: encryption, scripts and actions that PDF/A-1 refuses, attachments, hidden annotations, layers all of which are shown,
transparency groups around opaque content, the fields of a form (their appearance is drawn into the page), signatures, which the rewriting
breaks. What may be mended is decided by `formats.pdfa`, which looks at the result again.
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
from collections.abc import Mapping
from datetime import datetime
from itertools import count
from typing import Any
from xml.sax.saxutils import escape

from transvase.exporters.pdf.container import HEADER, INTENT, PRODUCER, clean, document_uuid, intent_profile, stream
from transvase.exporters.pdf.icc import srgb
from transvase.formats import pdfa, pdfa_plain
from transvase.formats.pdfa_plain import Plain


def mended(pdf: Any, *, title: str, created: datetime, identifier: str) -> bytes:
    """Bytes of the file written again; `pdf` is an open `pikepdf.Pdf`, changed by it. `title` and `created` serve where the file says
    none. The same arguments give the same bytes. Raises what pikepdf raises."""
    import pikepdf

    root = pdf.Root
    _annotations(pdf)
    if "/AcroForm" in root:
        # Before anything else of the form goes: the appearance of its fields becomes content of the pages.
        pdf.flatten_annotations(mode="screen")
        if "/AcroForm" in root:
            del root.AcroForm
        for page in pdf.pages:
            _without_widgets(page.obj)
    for key in ("/AA", "/OCProperties", "/Perms", "/Requirements", "/Extensions", "/Version", "/Legal", "/DSS"):
        if key in root:
            del root[key]
    opening = root.get("/OpenAction")
    if isinstance(opening, pikepdf.Dictionary) and not pdfa.allowed(opening):
        del root.OpenAction
    for key in ("/JavaScript", "/EmbeddedFiles"):
        if key in root.get("/Names", {}):
            del root.Names[key]
    if "/AF" in root:
        del root.AF
    for it in pdf.objects:
        if isinstance(it, (pikepdf.Dictionary, pikepdf.Stream)):
            _object(it, pikepdf)
    _describe_fonts(pdf, pikepdf)
    if pdfa.own_intent(root) not in (3, 4):
        profile = pikepdf.Stream(pdf, srgb())
        profile.N = 3
        profile.Alternate = pikepdf.Name.DeviceRGB
        name = pikepdf.String("sRGB IEC61966-2.1")
        root.OutputIntents = pikepdf.Array([
            pikepdf.Dictionary(Type=pikepdf.Name.OutputIntent, S=pikepdf.Name.GTS_PDFA1, OutputConditionIdentifier=name, Info=name,
                               DestOutputProfile=pdf.make_indirect(profile))
        ])  # fmt: skip
    _metadata(pdf, title, created, identifier, pikepdf)
    out = io.BytesIO()
    pdf.remove_unreferenced_resources()
    pdf.save(
        out,
        force_version="1.4",
        fix_metadata_version=False,
        object_stream_mode=pikepdf.ObjectStreamMode.disable,
        stream_decode_level=pikepdf.StreamDecodeLevel.generalized,
        deterministic_id=True,
        encryption=False,
    )
    return out.getvalue()


_METADATA = re.compile(rb"/Metadata[\0\t\n\f\r ]++\d{1,6} 0 R")


def rewritten(body: bytes, plain: Plain, *, title: str, created: datetime, identifier: str) -> bytes | None:
    """`mended` for a file of the plain form, in a fraction of the time: its objects stay as they are, those around them are added. None
    when what comes out is not certain to have no defect."""
    said = _said(plain.said, title, created)
    digest = hashlib.sha256(identifier.encode()).hexdigest()[:32].encode()
    free = (number for number in count(1) if number not in plain.kept)
    objects = {number: body[start:end] for number, (start, end) in plain.kept.items()}
    root = objects.get(plain.root, b"").rstrip()
    opened, closed = root.find(b"<<"), root.rfind(b">>")
    entries = _METADATA.sub(b"", root[opened:closed], count=1)
    metadata, info = next(free), next(free)
    entries += b"/Metadata %d 0 R" % metadata
    added = {
        metadata: stream(b"/Type/Metadata/Subtype/XML", _xmp(said, identifier)),
        info: b"<<%b>>" % b"".join(_entry(key, value) for key, value in said.items()),
    }
    if "intent" in plain.found:
        intent, profile = next(free), next(free)
        entries += b"/OutputIntents[%d 0 R]" % intent
        added |= {intent: INTENT % profile, profile: intent_profile()}
    objects[plain.root] = b"%d 0 obj\n%b>>\nendobj\n" % (plain.root, entries)
    for number, source in added.items():
        objects[number] = b"%d 0 obj\n%b\nendobj\n" % (number, source)
    last = max(objects)
    rows = [b"0000000000 65535 f \n"] * (last + 1)
    parts, position = [HEADER], len(HEADER)
    for number in sorted(objects):
        rows[number] = b"%010d 00000 n \n" % position
        parts.append(objects[number])
        position += len(objects[number])
    parts.append(b"xref\n0 %d\n" % (last + 1))
    parts += rows
    parts.append(
        b"trailer\n<</Size %d/Root %d 0 R/Info %d 0 R/ID[<%b><%b>]>>\nstartxref\n%d\n%%%%EOF\n"
        % (last + 1, plain.root, info, digest, digest, position)
    )
    out = b"".join(parts)
    return out if pdfa_plain.conforms(out) else None


def _entry(key: str, value: str) -> bytes:
    if key.endswith("Date"):
        return b"%b(%b)" % (key.encode(), _pdf_date(value).encode())
    return b"%b<feff%b>" % (key.encode(), value.encode("utf-16-be").hex().encode())


def _annotations(pdf: Any) -> None:
    for page in pdf.pages:
        if "/AA" in page.obj:
            del page.obj.AA
        kept = []
        for it in page.obj.get("/Annots", []):
            flags = int(it.get("/F", 0))
            if flags & (pdfa.HIDDEN | pdfa.NO_VIEW):
                continue
            if it.get("/Subtype") != "/Popup":
                it.F = (flags | pdfa.PRINT) & ~pdfa.INVISIBLE
            if "/AA" in it:
                del it.AA
            if "/A" in it and not pdfa.allowed(it.A):
                del it.A
            for key in ("/R", "/D"):
                # How it looks under the pointer.
                if key in it.get("/AP", {}):
                    del it.AP[key]
            kept.append(it)
        if "/Annots" in page.obj:
            page.obj.Annots = pdf.make_indirect(kept)


def _without_widgets(page: Any) -> None:
    if "/Annots" in page:
        page.Annots = [it for it in page.Annots if it.get("/Subtype") != "/Widget"]


def _object(it: Any, pikepdf: Any) -> None:
    stream = isinstance(it, pikepdf.Stream)
    keys = it.keys()
    if "/Metadata" in keys:
        del it["/Metadata"]
    # Resources may bear any of these names: only what describes itself is touched.
    described = "/Type" in keys or "/Subtype" in keys or "/FT" in keys
    if "/OC" in keys and described:
        del it["/OC"]
    if "/Group" in keys and pdfa.grouped(it["/Group"]):
        del it["/Group"]
    if "/Interpolate" in keys and stream:
        del it["/Interpolate"]
    if "/A" in keys and "/Title" in keys and not pdfa.allowed(it["/A"]):
        # An entry of the outline.
        del it["/A"]
    if "/AA" in keys and described:
        del it["/AA"]


def _describe_fonts(pdf: Any, pikepdf: Any) -> None:
    for it in pdf.objects:
        if not isinstance(it, pikepdf.Dictionary) or it.get("/Subtype") != "/CIDFontType2":
            continue
        if "/CIDToGIDMap" not in it:
            # What a reader supposes where nothing is said (PDF 1.4, 5.6.3).
            it.CIDToGIDMap = pikepdf.Name.Identity
        held = it.get("/FontDescriptor")
        if held is not None and "/CIDSet" not in held and "/FontFile2" in held:
            program = held.FontFile2.read_bytes()
            if it.CIDToGIDMap == "/Identity":
                cids = list(range(_glyphs(program)))
            else:
                table = it.CIDToGIDMap.read_bytes()
                numbers = struct.unpack(f">{len(table) // 2}H", table[: len(table) // 2 * 2])
                cids = [0, *(cid for cid, glyph in enumerate(numbers) if glyph)]
            bits = bytearray(max(cids, default=0) // 8 + 1)
            for cid in cids:
                bits[cid // 8] |= 0x80 >> cid % 8
            held.CIDSet = pdf.make_indirect(pikepdf.Stream(pdf, bytes(bits)))


def _glyphs(program: bytes) -> int:
    """Number of glyphs of a TrueType program, from its maxp table."""
    for place in range(struct.unpack_from(">H", program, 4)[0]):
        tag, _, start, _ = struct.unpack_from(">4sIII", program, 12 + 16 * place)
        if tag == b"maxp":
            return int(struct.unpack_from(">H", program, start + 4)[0])
    raise ValueError("a TrueType program without maxp")


def _metadata(pdf: Any, title: str, created: datetime, identifier: str, pikepdf: Any) -> None:
    own = pdf.trailer.get("/Info", {})
    held: dict[str, str] = {}
    for key in pdfa.MIRRORED:
        try:
            held[key] = str(own[key]) if key in own else ""
        except (ValueError, TypeError, UnicodeError):
            held[key] = ""
    said = _said(held, title, created)
    info = pikepdf.Dictionary()
    for key, value in said.items():
        info[key] = pikepdf.String(_pdf_date(value) if key.endswith("Date") else value)
    pdf.trailer.Info = pdf.make_indirect(info)
    metadata = pikepdf.Stream(pdf, _xmp(said, identifier))
    metadata.Type, metadata.Subtype = pikepdf.Name.Metadata, pikepdf.Name.XML
    pdf.Root.Metadata = pdf.make_indirect(metadata)


def _said(own: Mapping[str, str], title: str, created: datetime) -> dict[str, str]:
    """What information dictionary and XMP say: what the file says of itself, then what the caller knows."""
    said = {key: clean(own.get(key, "")) for key in pdfa.MIRRORED}
    said["/Title"] = said["/Title"] or clean(title)
    said["/Producer"] = said["/Producer"] or PRODUCER
    first = pdfa.instant(said["/CreationDate"]) if said["/CreationDate"] else None
    last = pdfa.instant(said["/ModDate"]) if said["/ModDate"] else None
    said["/CreationDate"] = (first or created).isoformat(timespec="seconds")
    said["/ModDate"] = (last or first or created).isoformat(timespec="seconds")
    return {key: value for key, value in said.items() if value}


def _pdf_date(iso: str) -> str:
    digits = "".join(filter(str.isdigit, iso[:19]))
    return f"D:{digits}{iso[19]}{iso[20:22]}'{iso[23:25]}'"


def _xmp(said: dict[str, str], identifier: str) -> bytes:
    alternatives, sequences = {"/Title", "/Subject"}, {"/Author"}
    prefixes = {
        "http://purl.org/dc/elements/1.1/": "dc",
        "http://ns.adobe.com/pdf/1.3/": "pdf",
        "http://ns.adobe.com/xap/1.0/": "xmp",
    }
    parts = []
    for key, value in said.items():
        space, name = pdfa.MIRRORED[key]
        text = escape(value)
        if key in alternatives:
            text = f'<rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt>'
        elif key in sequences:
            text = f"<rdf:Seq><rdf:li>{text}</rdf:li></rdf:Seq>"
        tag = f"{prefixes[space]}:{name}"
        parts.append(
            f'<rdf:Description rdf:about="" xmlns:{prefixes[space]}="{space}"><{tag}>{text}</{tag}></rdf:Description>\n'
        )
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
        '<rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">'
        "<pdfaid:part>1</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance></rdf:Description>\n"
        f"{''.join(parts)}"
        '<rdf:Description rdf:about="" xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/">'
        f"<xmpMM:DocumentID>urn:uuid:{document_uuid(identifier)}</xmpMM:DocumentID></rdf:Description>\n"
        '</rdf:RDF></x:xmpmeta>\n<?xpacket end="r"?>'
    ).encode()
