"""The pages of a PDF as images in PDF/A-1b, with their text laid invisibly over them so that it is found and copied.

For files that no mending makes PDF/A-1. What a reader shows on the screen is drawn, page after page, at the resolution asked for; page
sizes stay. Whether a file needs it is decided by `ladder`.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from transvase.exporters.pdf.container import FIRST_FREE, Identity, Page, deflated, document, stream

PAGES_AT_MOST = 500
# An A3 sheet at 300 dots an inch is 17 million; a larger sheet is drawn less finely.
PIXELS_AT_MOST = 20_000_000
BYTES_AT_MOST = 150_000_000
# PDF 1.4, annex C: the largest side of a page, in points.
_SIDE_AT_MOST = 14_400
_CHARACTERS_AT_MOST = 100_000
# Above so many bytes a pixel after exact compression the page is a photograph or a scan, and JPEG is what it was.
_EXACT_AT_MOST = 0.18
_JPEG_QUALITY = 82
# Fineness of the grid on which places of text are asked for, in parts of a point.
_GRID = 20


class TooLarge(ValueError):
    """More pages, or a larger file, than is drawn."""


class Word(NamedTuple):
    """A run of characters with its box in points from the lower left corner of the page as shown; `turn` is 0, 90 or 270 degrees."""

    text: str
    left: float
    bottom: float
    right: float
    top: float
    turn: int


class Sheet(NamedTuple):
    """A drawn page: size in points, image (dictionary entries without size, data), its size in pixels, its words."""

    width: float
    height: float
    entries: bytes
    data: bytes
    across: int
    down: int
    words: tuple[Word, ...]


def sheets(body: bytes, dpi: int) -> Iterator[Sheet]:
    """Each page in turn, one in memory at a time. Raises TooLarge, and what pypdfium2 raises of a file it cannot read."""
    import pypdfium2

    pdf = pypdfium2.PdfDocument(body)
    try:
        if not len(pdf):
            raise ValueError("no page")
        if len(pdf) > PAGES_AT_MOST:
            raise TooLarge("pages")
        if pdf.get_formtype() != pypdfium2.raw.FORMTYPE_NONE:
            pdf.init_forms()
        for number in range(len(pdf)):
            page = pdf[number]
            try:
                yield _sheet(page, dpi)
            finally:
                page.close()
    finally:
        pdf.close()


def _sheet(page: Any, dpi: int) -> Sheet:
    width, height = page.get_size()
    if not (0 < width <= _SIDE_AT_MOST and 0 < height <= _SIDE_AT_MOST):
        raise TooLarge("page size")
    scale = min(dpi / 72, math.sqrt(PIXELS_AT_MOST / (width * height)), _PIXELS_OF_A_SIDE / max(width, height))
    bitmap = page.render(scale=scale, rev_byteorder=True, prefer_bgrx=False, maybe_alpha=False)
    try:
        entries, data = _image(bitmap.to_numpy())
        across, down = bitmap.width, bitmap.height
    finally:
        bitmap.close()
    return Sheet(width, height, entries, data, across, down, tuple(_words(page, width, height)))


_PIXELS_OF_A_SIDE = 30_000


def _image(pixels: Any) -> tuple[bytes, bytes]:
    """The smallest exact form where that is small, JPEG elsewhere."""
    import numpy
    from isal import isal_zlib
    from PIL import Image

    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim == 3:
        pixels = pixels[:, :, :3]
        first = pixels[:, :, 0]
        if numpy.array_equal(first, pixels[:, :, 1]) and numpy.array_equal(first, pixels[:, :, 2]):
            pixels = first
    pixels = numpy.ascontiguousarray(pixels)
    grey = pixels.ndim == 2
    space = b"/DeviceGray" if grey else b"/DeviceRGB"
    if grey and not ((pixels != 0) & (pixels != 255)).any():
        packed = numpy.packbits(pixels != 0, axis=1).tobytes()
        return b"/ColorSpace/DeviceGray/BitsPerComponent 1/Filter/FlateDecode", isal_zlib.compress(packed, 3)
    data = isal_zlib.compress(pixels.data, 2)
    if len(data) <= _EXACT_AT_MOST * pixels.shape[0] * pixels.shape[1]:
        return b"/ColorSpace%b/BitsPerComponent 8/Filter/FlateDecode" % space, data
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    if len(data) <= len(out.getvalue()):
        return b"/ColorSpace%b/BitsPerComponent 8/Filter/FlateDecode" % space, data
    return b"/ColorSpace%b/BitsPerComponent 8/Filter/DCTDecode" % space, out.getvalue()


def _words(page: Any, width: float, height: float) -> Iterator[Word]:
    """Words in the order of the file, with their places on the page as it is turned and cut."""
    import ctypes

    import pypdfium2.raw as raw

    text = page.get_textpage()
    try:
        count = min(text.count_chars(), _CHARACTERS_AT_MOST)
        grid_x, grid_y = round(width * _GRID), round(height * _GRID)
        x, y = ctypes.c_int(), ctypes.c_int()
        box = raw.FS_RECTF()

        def corners(index: int) -> tuple[float, float, float, float] | None:
            if not raw.FPDFText_GetLooseCharBox(text, index, box):
                return None
            points = []
            for across, up in ((box.left, box.bottom), (box.right, box.top)):
                if not raw.FPDF_PageToDevice(page, 0, 0, grid_x, grid_y, 0, across, up, x, y):
                    return None
                points.append((x.value / _GRID, height - y.value / _GRID))
            (a, b), (c, d) = points
            return min(a, c), min(b, d), max(a, c), max(b, d)

        start: int | None = None
        letters: list[str] = []
        for index in range(count + 1):
            code = raw.FPDFText_GetUnicode(text, index) if index < count else 32
            blank = code <= 32 or code in (0xA0, 0xFFFE, 0xFFFF)
            if not blank:
                if start is None:
                    start = index
                letters.append(chr(code) if code < 0xD800 or 0xE000 <= code < 0xFFFE else "\ufffd")
                continue
            if start is None:
                continue
            first, last = corners(start), corners(index - 1)
            if first is not None and last is not None:
                word = _word("".join(letters), first, last)
                # What lies outside the page is not seen.
                if word.right > 0 and word.top > 0 and word.left < width and word.bottom < height:
                    yield word
            start, letters = None, []
    finally:
        text.close()


def _word(text: str, first: tuple[float, ...], last: tuple[float, ...]) -> Word:
    rightwards, upwards = last[0] + last[2] - first[0] - first[2], last[1] + last[3] - first[1] - first[3]
    turn = 0 if abs(rightwards) >= abs(upwards) else 90 if upwards > 0 else 270
    left, bottom = min(first[0], last[0]), min(first[1], last[1])
    return Word(text, left, bottom, max(first[2], last[2]), max(first[3], last[3]), turn)


def file(drawn: list[Sheet], *, title: str, created: datetime, identifier: str) -> bytes:
    """The PDF/A-1b file of drawn pages."""
    shared, pages = [*_glyphless()], []
    for sheet in drawn:
        shared.append(
            stream(
                b"/Type/XObject/Subtype/Image/Width %d/Height %d%b" % (sheet.across, sheet.down, sheet.entries),
                sheet.data,
            )
        )
        number = FIRST_FREE + len(shared) - 1
        content = b"q %.2f 0 0 %.2f 0 0 cm /I Do Q" % (sheet.width, sheet.height)
        if sheet.words:
            content += b"\nBT 3 Tr\n" + b"".join(map(_laid, sheet.words)) + b"ET"
        resources = b"/XObject<</I %d 0 R>>/Font<</T %d 0 R>>" % (number, FIRST_FREE)
        pages.append(Page(content, resources, sheet.width, sheet.height))
    return document(Identity(title, created, identifier, "fr-FR"), pages, shared)


def _laid(word: Word) -> bytes:
    """Operators that lay a word over its image; the space after it keeps it apart from the next one."""
    if word.turn:
        length, size = word.top - word.bottom, max(word.right - word.left, 0.5)
    else:
        length, size = word.right - word.left, max(word.top - word.bottom, 0.5)
    # Each character is half as wide as high; a fifth of the height hangs below the line.
    stretch = max(length, 0.1) / (len(word.text) * size * 0.5) * 100
    if word.turn == 90:
        matrix = b"0 1 -1 0 %.2f %.2f" % (word.right - size * 0.2, word.bottom)
    elif word.turn == 270:
        matrix = b"0 -1 1 0 %.2f %.2f" % (word.left + size * 0.2, word.top)
    else:
        matrix = b"1 0 0 1 %.2f %.2f" % (word.left, word.bottom + size * 0.2)
    return b"/T %.2f Tf %.2f Tz %b Tm <%b> Tj\n" % (
        size,
        stretch,
        matrix,
        (word.text + " ").encode("utf-16-be").hex().encode(),
    )


@cache
def _glyphless() -> tuple[bytes, ...]:
    """Objects of a font whose every character is an empty glyph half as wide as high: text to search, nothing to see."""
    program = _empty_font()
    base = FIRST_FREE
    name = b"TRGLYP+Glyphless"
    highs = [high for high in range(256) if not 0xD8 <= high <= 0xDF]
    blocks = [highs[:100], highs[100:200], highs[200:]]
    ranges = b"".join(
        b"%d beginbfrange\n%b\nendbfrange\n"
        % (len(block), b"\n".join(b"<%02X00> <%02XFF> <%02X00>" % (high, high, high) for high in block))
        for block in blocks
    )
    unicode_map = (
        b"/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        b"/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n"
        b"/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        b"1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n" + ranges + b"endcmap\n"
        b"CMapName currentdict /CMap defineresource pop\nend\nend"
    )
    return (
        b"<</Type/Font/Subtype/Type0/BaseFont/%b/Encoding/Identity-H/DescendantFonts[%d 0 R]/ToUnicode %d 0 R>>"
        % (name, base + 1, base + 5),
        b"<</Type/Font/Subtype/CIDFontType2/BaseFont/%b/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"
        b"/FontDescriptor %d 0 R/DW 500/CIDToGIDMap %d 0 R>>" % (name, base + 2, base + 4),
        b"<</Type/FontDescriptor/FontName/%b/Flags 4/FontBBox[0 -200 500 800]/ItalicAngle 0/Ascent 800/Descent -200"
        b"/CapHeight 800/StemV 80/FontFile2 %d 0 R/CIDSet %d 0 R>>" % (name, base + 3, base + 6),
        deflated(b"/Length1 %d" % len(program), program, 9),
        deflated(b"", struct.pack(">H", 1) * 0x10000, 9),
        deflated(b"", unicode_map, 9),
        deflated(b"", b"\xff" * 0x2000, 9),
    )


def _empty_font() -> bytes:
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "blank"])
    builder.setupCharacterMap({})
    # A line of no width gives the glyph a box without ink: pdfium passes over text whose box is flat.
    pen = TTGlyphPen(None)
    pen.moveTo((0, -200))
    pen.lineTo((500, 800))
    pen.lineTo((0, -200))
    pen.closePath()
    empty = pen.glyph()
    builder.setupGlyf({".notdef": empty, "blank": empty})
    builder.setupHorizontalMetrics({".notdef": (500, 0), "blank": (500, 0)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    # The epoch of the format: the same font on every day.
    builder.updateHead(created=0, modified=0)
    font = builder.font
    font.recalcTimestamp = False
    out = io.BytesIO()
    font.save(out)
    return out.getvalue()
