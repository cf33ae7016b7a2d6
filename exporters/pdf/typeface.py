"""The typefaces of text documents: which characters they hold, how wide each is, and the PDF objects that embed them.

A character is its own CID (Unicode code point, two bytes), so text goes to the page without a lookup per character and
comes back out by search and copy. The main typeface is DejaVu Sans; what it lacks is drawn by a second one (`bitmaps`), and what
neither holds is written `[U+XXXX]`. Laying out lines belongs to `writer`, their direction to `direction`.
"""

from __future__ import annotations

import io
import re
import struct
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from transvase.exporters.pdf import bitmaps
from transvase.exporters.pdf.container import FIRST_FREE, deflated

if TYPE_CHECKING:
    from fontTools.ttLib import TTFont

FACES = ("regular", "bold")
# From light to heavy: the first subset that holds every character of a document is the one it embeds.
SUBSETS = ("common", "french", "full")
# Number of the second typeface among the fonts of a page.
SECOND = len(FACES)
# Characters that it draws in one document: each costs near a millisecond, and no letter of a practice has so many. A text made of the
# whole plane, which would take a minute, shows the others as `[U+XXXX]`.
OTHERS_AT_MOST = 3000
_OBJECTS_PER_FACE = 7
_EMBEDDED = ("glyf", "head", "hhea", "hmtx", "loca", "maxp")

# Invisible by definition (soft hyphen, joiners, byte order mark, variation selectors): leaving them out loses no ink.
# Direction marks are not among them: text that claims another reading order must show the claim.
_INKLESS = frozenset("\u00ad\u200b\u200c\u200d\u2060\ufeff" + "".join(map(chr, range(0xFE00, 0xFE10))))


# What a process remembers of the lengths it measured: about two megabytes a face, then it starts afresh.
_REMEMBERED = 1 << 13
_REMEMBERED_LENGTH = 80


class Lengths(dict[str, int]):
    """Length of a line of fitted text in thousandths of the size, by the text; those of short texts are remembered.

    Labels, codes, dates and words recur from one record to the next: looking them up is what makes a table cheap.
    """

    def __init__(self, widths: dict[str, int]) -> None:
        super().__init__()
        self._width = widths.__getitem__

    def __missing__(self, text: str) -> int:
        length = sum(map(self._width, text))
        if len(text) <= _REMEMBERED_LENGTH:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[text] = length
        return length


class Face(NamedTuple):
    """One face of one subset: advance widths by character and lengths by text (thousandths of the size), PDF objects."""

    widths: dict[str, int]
    lengths: Lengths
    objects: tuple[bytes, ...]


class Fitted(NamedTuple):
    """Text the typefaces can draw, the subset it needs (index in SUBSETS), how many characters became `[U+XXXX]`, and those that only
    the second typeface draws."""

    text: str
    subset: int
    coded: int
    others: frozenset[str] = frozenset()


def resource_names(faces: Sequence[str], second: bool = False) -> bytes:
    """The Font entry of a page's resources: /F0 is regular, /F1 bold, /F2 the second typeface, whose objects come after theirs."""
    places = [(FACES.index(face), _first(FACES.index(face))) for face in faces]
    if second:
        places.append((SECOND, _first(len(faces))))
    return b"/Font<<%b>>" % b"".join(b"/F%d %d 0 R" % place for place in places)


def _first(place: int) -> int:
    """Number of the first object of the face that comes at this place."""
    return FIRST_FREE + _OBJECTS_PER_FACE * place


def encoded(lines: Sequence[str]) -> list[bytes]:
    """Inside of a PDF literal string for each of these lines of the main typeface, none of which holds a line feed."""
    # The two bytes of a line feed cannot straddle two characters: no main face holds one of U+0A00 to U+0AFF.
    return literal("\n".join(lines)).split(b"\0\n") if lines else []


def literal(text: str) -> bytes:
    """Inside of a PDF literal string for a text."""
    raw = text.encode("utf-16-be")
    return raw.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)").replace(b"\r", b"\\r")


def fitted(text: str, drawn: frozenset[str] = frozenset()) -> Fitted:
    """Make any text drawable: line ends unified, marks composed, what no typeface holds written `[U+XXXX]`, as is what the second one
    holds beyond OTHERS_AT_MOST characters a document, where `drawn` are those that it draws already."""
    subset = lightest(text)
    if subset is not None:
        return Fitted(text, subset, 0)
    text = re.sub("\r\n?|[\x0b\x85\u2028\u2029]", "\n", text)
    text = "".join(char for char in unicodedata.normalize("NFC", text) if char not in _INKLESS)
    beyond = Counter(_outside(SUBSETS[-1]).findall(text))
    others = frozenset(filter(bitmaps.holds, beyond)) if beyond else frozenset()
    more, room = others - drawn, OTHERS_AT_MOST - len(drawn)
    if len(more) > room:
        # By code point: the same text always keeps the same ones.
        others -= frozenset(sorted(more)[max(0, room) :])
    lost = beyond.keys() - others
    coded = sum(beyond[char] for char in lost)
    if lost:
        text = text.translate({ord(char): f"[U+{ord(char):04X}]" for char in lost})
    subset = lightest(text.translate(dict.fromkeys(map(ord, others))) if others else text)
    return Fitted(text, len(SUBSETS) - 1 if subset is None else subset, coded, others)


def lightest(text: str) -> int | None:
    """Index of the lightest subset that draws this text as it is; the last, which also holds lone marks, is not tried."""
    return next((place for place, subset in enumerate(SUBSETS[:-1]) if not _outside(subset).search(text)), None)


@cache
def face(subset: str, name: str) -> Face:
    """Load a face once per process."""
    # Imported here: sixty milliseconds that commands writing no PDF need not pay.
    from fontTools.ttLib import TTFont

    font = TTFont(io.BytesIO(_file(subset, name)), lazy=True, recalcTimestamp=False)
    scale = 1000 / font["head"].unitsPerEm
    glyphs = {char: glyph for char, glyph in font.getBestCmap().items() if char < 0x10000}
    advances = {char: round(font["hmtx"][glyph][0] * scale) for char, glyph in glyphs.items()}
    numbers = {char: font.getGlyphID(glyph) for char, glyph in glyphs.items()}
    box = " ".join(str(round(font["head"].__dict__[side] * scale)) for side in ("xMin", "yMin", "xMax", "yMax"))
    # The tag names the subset (six capitals, 9.6.4 of PDF 1.4); the same file always has the same tag.
    label = f"TR{'CFU'[SUBSETS.index(subset)]}{'RB'[FACES.index(name)]}AA+DejaVuSans{'-Bold' if name == 'bold' else ''}"
    objects = _objects(
        label,
        f"/FontBBox[{box}]/ItalicAngle 0"
        f"/Ascent {round(font['hhea'].ascent * scale)}/Descent {round(font['hhea'].descent * scale)}/CapHeight 729"
        f"/StemV {(88, 160)[FACES.index(name)]}",
        f"/DW {round(font['hmtx']['.notdef'][0] * scale)}/W[{_runs(advances)}]",
        bitmaps.Program(_program(font), advances, numbers),
        _first(FACES.index(name)),
    )
    widths = {chr(char): width for char, width in advances.items()}
    return Face(widths, Lengths(widths), objects)


def with_others(main: Face, others: Iterable[str]) -> Face:
    """The face for laying out a document that also has these characters of the second typeface."""
    if not others:
        return main
    widths = main.widths | {char: bitmaps.advance(char) for char in others}
    return Face(widths, Lengths(widths), main.objects)


def second(chars: Iterable[str], faces: int) -> tuple[bytes, ...]:
    """PDF objects of the second typeface with these characters, in a document that has so many faces of the main one."""
    made = bitmaps.program(chars)
    # Marks are drawn left of their place, wide characters are as wide as high.
    box = f"/FontBBox[-1000 {bitmaps.DESCENT * 1000 // bitmaps.UNITS} 1000 {bitmaps.ASCENT * 1000 // bitmaps.UNITS}]"
    metrics = f"{box}/ItalicAngle 0/Ascent 875/Descent -125/CapHeight 625/StemV 63"
    # The commonest width, that of Chinese, Japanese and Korean, is said once: an array of PDF 1.4 holds 8,191 elements at most.
    widths = f"/DW 1000/W[{_runs({char: width for char, width in made.advances.items() if width != 1000})}]"
    return _objects("TRDOTS+TransvaseDots", metrics, widths, made, _first(faces))


def _objects(label: str, metrics: str, widths: str, font: bitmaps.Program, base: int) -> tuple[bytes, ...]:
    """A composite font whose CIDs are code points; `metrics` and `widths` are entries of its dictionaries, `base` the first number."""
    numbers = font.numbers
    return (
        f"<</Type/Font/Subtype/Type0/BaseFont/{label}/Encoding/Identity-H/DescendantFonts[{base + 1} 0 R]"
        f"/ToUnicode {base + 6} 0 R>>".encode(),
        f"<</Type/Font/Subtype/CIDFontType2/BaseFont/{label}/FontDescriptor {base + 2} 0 R/CIDToGIDMap {base + 5} 0 R"
        f"{widths}/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>>>".encode(),
        f"<</Type/FontDescriptor/FontName/{label}/Flags 4{metrics}"
        f"/FontFile2 {base + 3} 0 R/CIDSet {base + 4} 0 R>>".encode(),
        deflated(b"/Length1 %d" % len(font.data), font.data, 9),
        deflated(b"", _cid_set(font.advances), 9),
        deflated(
            b"", struct.pack(f">{max(numbers) + 1}H", *(numbers.get(cid, 0) for cid in range(max(numbers) + 1))), 9
        ),
        deflated(b"", _to_unicode(font.advances), 9),
    )


def _program(font: TTFont) -> bytes:
    """The font as a document embeds it: outlines and metrics, the only tables that PDF 1.4 (5.8) has a reader use."""
    for name in set(font.keys()) - {"GlyphOrder", *_EMBEDDED}:
        del font[name]
    program = io.BytesIO()
    font.save(program)
    return program.getvalue()


def _file(subset: str, name: str) -> bytes:
    return (resources.files("transvase.exporters.pdf") / "fonts" / f"sans-{name}-{subset}.ttf").read_bytes()


@cache
def _outside(subset: str) -> re.Pattern[str]:
    """Matches a character that `subset` does not hold, in either face. Line feed and tab are layout, not characters."""
    common = set.intersection(*(set(face(subset, name).widths) for name in FACES)) - _INKLESS
    return re.compile(f"[^\n\t{''.join(re.escape(char) for char in sorted(common))}]")


def _runs(advances: dict[int, int]) -> str:
    runs: list[str] = []
    before = -2
    for char, width in sorted(advances.items()):
        runs.append(f" {width}" if char == before + 1 else f"{']' if runs else ''}{char}[{width}")
        before = char
    return "".join(runs) + ("]" if runs else "")


def _cid_set(cids: Iterable[int]) -> bytes:
    bits = bytearray(max(cids) // 8 + 1)
    for cid in (0, *cids):
        bits[cid // 8] |= 0x80 >> cid % 8
    return bytes(bits)


def _to_unicode(cids: Iterable[int]) -> bytes:
    # A range may not cross a high byte, and a block holds at most a hundred ranges.
    highs = sorted({cid >> 8 for cid in cids})
    blocks = "".join(
        f"{len(block)} beginbfrange\n"
        + "".join(f"<{high:02X}00> <{high:02X}FF> <{high:02X}00>\n" for high in block)
        + "endbfrange\n"
        for block in (highs[start : start + 100] for start in range(0, len(highs), 100))
    )
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        "/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n"
        "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        f"1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n{blocks}"
        "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend"
    ).encode()
