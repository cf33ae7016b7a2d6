"""What a cheap look at a body tells, by kind: microseconds for PDF and pictures, one parse for a CDA."""

from __future__ import annotations

from typing import NamedTuple

from transvase.formats import cda
from transvase.formats.image import jpeg_problem, tiff_problem
from transvase.formats.pdf import pdf_problem


class Look(NamedTuple):
    """`damage`: a short reason in English without any content, or None. `unique_id`: that of a readable CDA, or None."""

    damage: str | None
    unique_id: str | None = None


def look(body: bytes, detected: str) -> Look:
    """`detected` comes from `sniff`."""
    if detected == "pdf":
        return Look(pdf_problem(body))
    if detected == "jpeg":
        return Look(jpeg_problem(body))
    if detected == "tiff":
        return Look(tiff_problem(body))
    if detected == "cda":
        try:
            return Look(None, cda.header(cda.parse(body)).id.oid or None)
        except cda.CdaUnreadable:
            return Look("the XML cannot be read as CDA")
    return Look(None)
