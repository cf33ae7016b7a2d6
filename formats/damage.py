"""What a cheap look at the structure of a body finds wrong, by kind: microseconds for PDF and pictures, one parse for a CDA."""

from __future__ import annotations

from transvase.formats import cda
from transvase.formats.image import jpeg_problem, tiff_problem
from transvase.formats.pdf import pdf_problem


def damage(body: bytes, detected: str) -> str | None:
    """A short reason in English without any content, or None. `detected` comes from `sniff`."""
    if detected == "pdf":
        return pdf_problem(body)
    if detected == "jpeg":
        return jpeg_problem(body)
    if detected == "tiff":
        return tiff_problem(body)
    if detected == "cda":
        try:
            cda.header(cda.parse(body))
        except cda.CdaUnreadable:
            return "the XML cannot be read as CDA"
    return None
