"""A PDF whose only defects are in what surrounds its pages, written again as PDF/A-1b: nothing seen changes.

Written: XMP, output intent, information dictionary, file structure (PDF 1.4, no object streams, Flate for LZW), descriptions of embedded
fonts. Taken away: encryption, scripts and actions that PDF/A-1 refuses, attachments, hidden annotations, layers all of which are shown,
transparency groups around opaque content, the fields of a form (their appearance is drawn into the page), signatures, which the rewriting
breaks. What may be mended is decided by `formats.pdfa`, which looks at the result again.
"""

from __future__ import annotations

import io
import struct
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

from transvase.exporters.pdf.container import PRODUCER, clean, document_uuid
from transvase.exporters.pdf.icc import srgb
from transvase.formats import pdfa


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
    said: dict[str, str] = {}
    for key in pdfa.MIRRORED:
        try:
            value = clean(str(own[key])) if key in own else ""
        except (ValueError, TypeError, UnicodeError):
            value = ""
        said[key] = value
    said["/Title"] = said["/Title"] or clean(title)
    said["/Producer"] = said["/Producer"] or PRODUCER
    first = pdfa.instant(said["/CreationDate"]) if said["/CreationDate"] else None
    last = pdfa.instant(said["/ModDate"]) if said["/ModDate"] else None
    said["/CreationDate"] = (first or created).isoformat(timespec="seconds")
    said["/ModDate"] = (last or first or created).isoformat(timespec="seconds")
    said = {key: value for key, value in said.items() if value}
    info = pikepdf.Dictionary()
    for key, value in said.items():
        info[key] = pikepdf.String(_pdf_date(value) if key.endswith("Date") else value)
    pdf.trailer.Info = pdf.make_indirect(info)
    metadata = pikepdf.Stream(pdf, _xmp(said, identifier))
    metadata.Type, metadata.Subtype = pikepdf.Name.Metadata, pikepdf.Name.XML
    pdf.Root.Metadata = pdf.make_indirect(metadata)


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
