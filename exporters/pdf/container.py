"""The file structure that makes pages a PDF/A-1b document: objects, cross references, identification, colour intent.

What is on the pages belongs to `writer` (text) and `pictures` (images); the typefaces to `typeface`.
ISO 19005-1:2005 is named where a line exists only because of it.
"""

from __future__ import annotations

import hashlib
import re
import uuid
import zlib
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import NamedTuple
from xml.sax.saxutils import escape

from isal import isal_zlib

from transvase.exporters.pdf.icc import srgb

# A4, in points.
PAGE_WIDTH, PAGE_HEIGHT = 595.28, 841.89

PRODUCER = "Transvase"

# Derives document identifiers; any constant would do, changing it changes every document.
_NAMESPACE = uuid.UUID("7d4ea77e-5b41-5f5e-9d0c-2d6b1e2a9c11")

HEADER = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
# Objects with the same number in every document.
_CATALOG, _PAGES, _INFO, _METADATA, _INTENT, _PROFILE = range(1, 7)
FIRST_FREE = 7

# Source of the output intent, given the number of its profile.
INTENT = (
    b"<</Type/OutputIntent/S/GTS_PDFA1/OutputConditionIdentifier(sRGB IEC61966-2.1)"
    b"/Info(sRGB IEC61966-2.1)/DestOutputProfile %d 0 R>>"
)

_PAGE_LEVEL = 1

_NOT_XML = re.compile("[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Page(NamedTuple):
    """One page: size in points, its drawing operators, and the objects its resources name, as PDF source."""

    content: bytes
    resources: bytes
    width: float = PAGE_WIDTH
    height: float = PAGE_HEIGHT


class Identity(NamedTuple):
    """What a document says of itself. `created` carries a time zone; `identifier` is any stable text."""

    title: str
    created: datetime
    identifier: str
    language: str


def stream(entries: bytes, data: bytes) -> bytes:
    """Source of a stream object: `entries` are dictionary entries without Length, `data` the encoded bytes."""
    return b"<<%b/Length %d>>\nstream\n%b\nendstream" % (entries, len(data), data)


def deflated(entries: bytes, data: bytes, level: int = 6) -> bytes:
    """Source of a stream object whose `data` it compresses."""
    return stream(entries + b"/Filter/FlateDecode", zlib.compress(data, level))


def document(identity: Identity, pages: Sequence[Page], shared: Sequence[bytes] = ()) -> bytes:
    """Bytes of a PDF/A-1b file.

    `shared` are the sources of the objects that resources name; they take the numbers from `FIRST_FREE` on.
    Raises ValueError when `created` has no time zone (the two forms of the date must be one instant, 6.7.3).
    """
    if identity.created.tzinfo is None:
        raise ValueError("the creation date of a PDF needs a time zone")
    title = clean(identity.title)
    first_page = FIRST_FREE + len(shared)
    kids = b" ".join(b"%d 0 R" % number for number in range(first_page, first_page + 2 * len(pages), 2))
    objects = [
        b"<</Type/Catalog/Pages %d 0 R/Metadata %d 0 R/OutputIntents[%d 0 R]/Lang(%b)"
        b"/ViewerPreferences<</DisplayDocTitle true>>>>"
        % (_PAGES, _METADATA, _INTENT, identity.language.encode("ascii")),
        b"<</Type/Pages/Count %d/Kids[%b]>>" % (len(pages), kids),
        _info(title, identity.created),
        stream(b"/Type/Metadata/Subtype/XML", _xmp(title, identity)),
        INTENT % _PROFILE,
        intent_profile(),
        *shared,
    ]
    for place, page in enumerate(pages):
        objects.append(
            b"<</Type/Page/Parent %d 0 R/MediaBox[0 0 %.2f %.2f]/Resources<<%b>>/Contents %d 0 R>>"
            % (_PAGES, page.width, page.height, page.resources, first_page + 2 * place + 1)
        )
        # Pages are written for each document: four times the speed of zlib is worth a tenth more bytes.
        objects.append(stream(b"/Filter/FlateDecode", isal_zlib.compress(page.content, _PAGE_LEVEL)))
    return _file(objects, identity.identifier)


def clean(text: str) -> str:
    """Text as XMP can hold it, on one line."""
    return " ".join(_NOT_XML.sub(" ", text).split())


def document_uuid(identifier: str) -> uuid.UUID:
    """The document identifier that XMP states, derived from any stable text."""
    return uuid.uuid5(_NAMESPACE, identifier)


def _file(objects: Sequence[bytes], identifier: str) -> bytes:
    parts, offsets, position = [HEADER], [], len(HEADER)
    for number, source in enumerate(objects, 1):
        offsets.append(b"%010d 00000 n \n" % position)
        part = b"%d 0 obj\n%b\nendobj\n" % (number, source)
        parts.append(part)
        position += len(part)
    digest = hashlib.sha256(identifier.encode()).hexdigest()[:32].encode()
    parts.append(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    parts += offsets
    parts.append(
        b"trailer\n<</Size %d/Root %d 0 R/Info %d 0 R/ID[<%b><%b>]>>\nstartxref\n%d\n%%%%EOF\n"
        % (len(objects) + 1, _CATALOG, _INFO, digest, digest, position)
    )
    return b"".join(parts)


@cache
def intent_profile() -> bytes:
    """Source of the profile object that INTENT names."""
    return deflated(b"/N 3/Alternate/DeviceRGB", srgb(), 9)


def _offset(created: datetime) -> tuple[str, int, int]:
    delta = created.utcoffset()
    minutes = 0 if delta is None else int(delta.total_seconds() // 60)
    return ("-" if minutes < 0 else "+", *divmod(abs(minutes), 60))


def _info(title: str, created: datetime) -> bytes:
    sign, hours, minutes = _offset(created)
    digits = "".join(filter(str.isdigit, created.isoformat()[:19]))
    date = f"D:{digits}{sign}{hours:02}'{minutes:02}'".encode()
    named = b"/Title<feff%b>" % title.encode("utf-16-be").hex().encode() if title else b""
    return b"<<%b/Producer(%b)/CreationDate(%b)/ModDate(%b)>>" % (named, PRODUCER.encode(), date, date)


def _xmp(title: str, identity: Identity) -> bytes:
    # Properties as elements, not attributes: PDFBox Preflight finds the identification only in that form.
    sign, hours, minutes = _offset(identity.created)
    date = f"{identity.created.isoformat()[:19]}{sign}{hours:02}:{minutes:02}"
    named = (
        f'<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{escape(title)}</rdf:li></rdf:Alt></dc:title>'
        if title
        else ""
    )
    document_id = document_uuid(identity.identifier)
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
        '<rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">'
        "<pdfaid:part>1</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance></rdf:Description>\n"
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<dc:format>application/pdf</dc:format>{named}"
        f"<dc:language><rdf:Bag><rdf:li>{identity.language}</rdf:li></rdf:Bag></dc:language></rdf:Description>\n"
        '<rdf:Description rdf:about="" xmlns:pdf="http://ns.adobe.com/pdf/1.3/">'
        f"<pdf:Producer>{PRODUCER}</pdf:Producer></rdf:Description>\n"
        '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/">'
        f"<xmp:CreateDate>{date}</xmp:CreateDate><xmp:ModifyDate>{date}</xmp:ModifyDate></rdf:Description>\n"
        '<rdf:Description rdf:about="" xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/">'
        f"<xmpMM:DocumentID>urn:uuid:{document_id}</xmpMM:DocumentID></rdf:Description>\n"
        '</rdf:RDF></x:xmpmeta>\n<?xpacket end="r"?>'
    ).encode()
