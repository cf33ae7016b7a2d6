"""Structural facts of a PDF body: a check in microseconds that it is whole, and what qpdf says of it.

Nothing is repaired and no content is read. Writing PDF belongs to `exporters.pdf`.
"""

from __future__ import annotations

import io
import re
from typing import NamedTuple

_HEADER_WITHIN = 1024
# PDF 1.4 (annex H) lets a reader look for the end marker in the last kilobyte; twice that costs nothing.
_END_WITHIN = 2048
_BLANK = b"\0 \t\r\n"
_XREF = re.compile(rb"\s*(?:xref\b|\d{1,10}\s+\d{1,5}\s+obj\b)")
_STARTXREF = re.compile(rb"startxref\s+(\d{1,15})\s")
_PART = re.compile(rb"pdfaid:part\s*(?:=\s*[\"']|>)\s*(\d)")


class PdfFacts(NamedTuple):
    """`pages` is None when the file is encrypted with a password; `pdfa_part` is what the file declares, unverified."""

    encrypted: bool
    pages: int | None
    pdfa_part: int | None


def pdf_problem(body: bytes) -> str | None:
    """Why a PDF cannot be whole, in a few words without content, or None. Looks at its two ends only."""
    header = body.find(b"%PDF-", 0, _HEADER_WITHIN)
    if header < 0:
        return "no PDF header"
    # Databases pad with NULs to the size of a column.
    end = len(body)
    while end and not body[max(0, end - 4096) : end].strip(_BLANK):
        end = max(0, end - 4096)
    end -= len(body[max(0, end - 4096) : end]) - len(body[max(0, end - 4096) : end].rstrip(_BLANK))
    tail = body[max(0, end - _END_WITHIN) : end]
    marker = tail.rfind(b"%%EOF")
    if marker < 0:
        return "no end marker: the file is truncated"
    found = None
    for found in _STARTXREF.finditer(tail, 0, marker):  # noqa: B007 - the last one counts
        pass
    if found is None:
        return "no cross-reference position before the end marker"
    offset = int(found[1])
    # Offsets count from the header in some files, from the first byte in others.
    if not any(_XREF.match(body, start, start + 64) for start in {offset, offset + header} if start < len(body)):
        return "the cross-reference table is not where the file says"
    return None


def pdf_facts(body: bytes) -> PdfFacts:
    """Facts from a full structural reading. Raises ValueError, without content, when no page tree can be read."""
    import pikepdf

    try:
        with pikepdf.open(io.BytesIO(body)) as pdf:
            pages = len(pdf.pages)
            metadata = pdf.Root.get("/Metadata")
            source = metadata.read_bytes() if isinstance(metadata, pikepdf.Stream) else b""
            part = _PART.search(source)
            facts = PdfFacts(pdf.is_encrypted, pages, int(part[1]) if part else None)
    except pikepdf.PasswordError:
        return PdfFacts(True, None, None)
    except Exception as error:
        # qpdf quotes the file in its messages.
        raise ValueError(f"the PDF structure cannot be read ({type(error).__name__})") from None
    if not pages:
        raise ValueError("the PDF holds no page")
    return facts
