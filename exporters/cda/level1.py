"""CDA level 1: the CI-SIS header around a PDF in `nonXMLBody` (sheet `cda-header-ci-sis.md`, section 7)."""

from __future__ import annotations

import pybase64

# IHE XDS-SD replaces the templateId of the model; the rules want exactly this one beside the two French ones.
TEMPLATES = '<templateId root="1.3.6.1.4.1.19376.1.2.20"/>'


# Stands for the base64 while the text around it is written: the document's bytes are joined once, around bytes. A character of ASCII, so
# that Python keeps the text in one byte each.
_HERE = "\x7f"
BODY = f'<component><nonXMLBody><text mediaType="application/pdf" representation="B64">{_HERE}</text></nonXMLBody></component>'


def filled(document: str, pdf: bytes) -> bytes:
    """The bytes of a document written with `BODY`, holding the PDF."""
    # The body is the last element of the document; a title may hold any character, so the search is from the end.
    before, _, after = document.rpartition(_HERE)
    return b"".join((before.encode(), pybase64.b64encode(pdf), after.encode()))


_DECLARED, _HELD = b'<?xml version="1.0" encoding="UTF-8"?>\n', b' representation="B64">'


def canonical(data: bytes) -> tuple[bytes, memoryview] | None:
    """Canonical form (Canonical XML 1.0) of the bytes that `filled` gave: before their base64, and from there on. None when one of their
    values stands otherwise in that form, and for other bytes.

    `header` writes attributes in canonical order, so that only the XML declaration, empty elements and the last line end differ."""
    held = data.find(_HELD) + len(_HELD)
    if not data.startswith(_DECLARED) or held < len(_HELD):
        return None
    head = data[len(_DECLARED) : held]
    # A `>` in an attribute stands as it is in the canonical form, and references to control characters are in hexadecimal.
    if b"&gt;" in head or b"&#" in head:
        return None
    found: list[bytes] = []
    *pieces, last = head.split(b"/>")
    for piece in pieces:
        name = piece[piece.rfind(b"<") + 1 :].split(b" ", 1)[0]
        found += (piece, b"></", name, b">")
    return b"".join((*found, last)), memoryview(data)[held:-1]


def tail(data: bytes, pdf: bytes) -> int | None:
    """How many bytes stand after the base64 in the bytes that `filled` gave for that PDF; None for bytes of
    another form. That the PDF is the one inside is the caller's to know: its length and first bytes alone are looked at."""
    end = data.rfind(b"</text></nonXMLBody>")
    start = end - (len(pdf) + 2) // 3 * 4
    if (
        start < 0
        or data[start - len(_HELD) : start] != _HELD
        or not data.startswith(pybase64.b64encode(pdf[:6]), start)
    ):
        return None
    return len(data) - end
