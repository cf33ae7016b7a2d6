"""How near to PDF/A-1b a PDF of the practice is brought, by the highest rung it reaches (PORT-38).

untouched: it declares PDF/A-1 and `formats.pdfa` finds nothing against it, its bytes leave as they came; mended: what surrounds its pages
is put right, nothing seen changes; rasterised: its pages become images with their text searchable; carried: none of it, its bytes leave as
they came and a PDF/A page beside it says so. Foreign bytes are read here, so this runs in a process of its own (`beside`).

Not checked on any rung: what `formats.pdfa` says it does not look at. A mended file that it still finds fault with is drawn. Fonts that a
file does not embed are drawn with those of the machine, as a reader would: their drawing is the same on the same machine only.
"""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from datetime import datetime
from typing import Any, NamedTuple

from transvase.exporters.pdf import mending, raster
from transvase.exporters.pdf.writer import Block, Heading, Paragraph, text_document
from transvase.formats import pdfa, pdfa_plain

UNTOUCHED, MENDED, RASTERISED, CARRIED = "untouched", "mended", "rasterised", "carried"
RUNGS = (UNTOUCHED, MENDED, RASTERISED, CARRIED)
# Why a file that could have been drawn was not: the practice asked for no image of a page.
NOT_ASKED = "not-asked"
# Drawn pages that one process keeps, for a body that stands several times.
_KEPT_AT_MOST = 48_000_000


class Standing(NamedTuple):
    """The rung (one of RUNGS), the PDF (empty when its bytes leave as they came), and why: names of `formats.pdfa.DEFECTS`, sorted,
    of what was put right (mended), of what could not be (rasterised, carried), or NOT_ASKED beside them."""

    rung: str
    pdf: bytes
    reasons: tuple[str, ...]


_drawn: OrderedDict[tuple[bytes, int], list[raster.Sheet]] = OrderedDict()


def climb(body: bytes, *, title: str, created: datetime, identifier: str, dpi: int) -> Standing:
    """Bring a body to its rung. `dpi` is the resolution of drawn pages, 0 to draw none; `title` and `created` (aware) serve where the
    file says none; `identifier` is any stable text. Never raises for what the body holds, short of the limits of its process."""
    once = at_once(body, title=title, created=created, identifier=identifier)
    return once or with_libraries(body, title=title, created=created, identifier=identifier, dpi=dpi)


def at_once(body: bytes, *, title: str, created: datetime, identifier: str) -> Standing | None:
    """The rung of a file of the plain form that is PDF/A-1, or lacks only what surrounds its pages; None for any other. No library that
    a hostile file could make die or dwell meets the bytes, so it runs in any process."""
    plain = pdfa_plain.read(body)
    if plain is None:
        return None
    if not plain.found:
        return Standing(UNTOUCHED, b"", ())
    out = mending.rewritten(body, plain, title=title, created=created, identifier=identifier)
    return None if out is None else Standing(MENDED, out, tuple(sorted(plain.found)))


def with_libraries(body: bytes, *, title: str, created: datetime, identifier: str, dpi: int) -> Standing:
    """`climb` for what `at_once` leaves."""
    import pikepdf

    try:
        pdf = pikepdf.open(io.BytesIO(body))
    except pikepdf.PasswordError:
        return Standing(CARRIED, b"", ("password",))
    except Exception:
        # qpdf quotes the file in its messages. pdfium, like most readers, may show what qpdf gives up on.
        return _rasterised(body, ("damaged",), title, created, identifier, dpi)
    with pdf:
        found = pdfa.defects(pdf, body)
        way = pdfa.way(found)
        if way is None:
            return Standing(UNTOUCHED, b"", ())
        if way == "mend":
            out = _mended(pdf, title, created, identifier)
            if out is not None:
                return Standing(MENDED, out, tuple(sorted(found)))
    if way == "never":
        return Standing(CARRIED, b"", _without_mendable(found))
    reasons = _without_mendable(found) or tuple(sorted(found))
    return _rasterised(body, reasons, title, created, identifier, dpi)


def _rasterised(
    body: bytes, reasons: tuple[str, ...], title: str, created: datetime, identifier: str, dpi: int
) -> Standing:
    if not dpi:
        return Standing(CARRIED, b"", (*reasons, NOT_ASKED))
    try:
        drawn = _pages(body, dpi)
    except (raster.TooLarge, MemoryError):
        return Standing(CARRIED, b"", ("beyond-limits",))
    except Exception:
        return Standing(CARRIED, b"", ("unreadable",))
    return Standing(RASTERISED, raster.file(drawn, title=title, created=created, identifier=identifier), reasons)


def _mended(pdf: Any, title: str, created: datetime, identifier: str) -> bytes | None:
    """The mended bytes, None unless nothing is found against them."""
    import pikepdf

    try:
        out = mending.mended(pdf, title=title, created=created, identifier=identifier)
        if pdfa_plain.conforms(out):
            return out
        with pikepdf.open(io.BytesIO(out)) as again:
            return out if not pdfa.defects(again, out) else None
    except Exception:
        return None


def _pages(body: bytes, dpi: int) -> list[raster.Sheet]:
    key = (hashlib.sha256(body).digest(), dpi)
    if key in _drawn:
        _drawn.move_to_end(key)
        return _drawn[key]
    sheets: list[raster.Sheet] = []
    size = 0
    for sheet in raster.sheets(body, dpi):
        sheets.append(sheet)
        size += len(sheet.data)
        if size > raster.BYTES_AT_MOST:
            raise raster.TooLarge("bytes")
    if size <= _KEPT_AT_MOST:
        _drawn[key] = sheets
        while sum(len(s.data) for kept in _drawn.values() for s in kept) > _KEPT_AT_MOST:
            _drawn.popitem(last=False)
    return sheets


def _without_mendable(found: set[str]) -> tuple[str, ...]:
    return tuple(sorted(name for name in found if pdfa.DEFECTS[name].way != "mend"))


def notice(reasons: tuple[str, ...], reference: str, *, created: datetime, identifier: str) -> bytes:
    """The PDF/A-1b page that stands beside a PDF which leaves as it came; `reference` is internal, never a patient's name."""
    said = " ; ".join(pdfa.DEFECTS[name].sentence_fr for name in reasons if name in pdfa.DEFECTS)
    blocks: list[Block] = [
        Paragraph(
            "Le PDF joint à cet avis est transmis tel qu’il est venu : il n’a pas pu être mis au format PDF/A-1."
        ),
        Heading("Motif", 2),
        Paragraph(f"{said[:1].upper()}{said[1:]}."),
        Heading("Référence interne", 2),
        Paragraph(reference),
    ]
    return text_document("Avis : PDF transmis tel quel", blocks, created=created, identifier=f"{identifier} avis")
