"""The typefaces of text documents: which characters they hold, how wide each is, and the PDF objects that embed them.

A character is its own CID (Unicode code point, two bytes), so text goes to the page without a lookup per character and
comes back out by search and copy. Laying out lines belongs to `writer`.
"""

from __future__ import annotations

import io
import re
import struct
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from transvase.exporters.pdf.container import FIRST_FREE, deflated

if TYPE_CHECKING:
    from fontTools.ttLib import TTFont

FACES = ("regular", "bold")
# From light to heavy: the first subset that holds every character of a document is the one it embeds.
SUBSETS = ("common", "french", "full")
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
    """Text the typefaces can draw, the subset it needs (index in SUBSETS), how many characters became `[U+XXXX]`."""

    text: str
    subset: int
    coded: int


def resource_names(faces: Iterable[str]) -> bytes:
    """The Font entry of a page's resources: /F0 is regular, /F1 bold."""
    return b"/Font<<%b>>" % b"".join(
        b"/F%d %d 0 R" % (FACES.index(face), FIRST_FREE + _OBJECTS_PER_FACE * FACES.index(face)) for face in faces
    )


def encoded(lines: Sequence[str]) -> list[bytes]:
    """Inside of a PDF literal string for each of these lines of fitted text, none of which holds a line feed."""
    raw = "\n".join(lines).encode("utf-16-be")
    raw = raw.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)").replace(b"\r", b"\\r")
    # The two bytes of a line feed cannot straddle two characters: no face holds one of U+0A00 to U+0AFF.
    return raw.split(b"\0\n") if lines else []


def fitted(text: str) -> Fitted:
    """Make any text drawable: line ends unified, marks composed, what no typeface holds written `[U+XXXX]`."""
    subset = lightest(text)
    if subset is not None:
        return Fitted(text, subset, 0)
    text = re.sub("\r\n?|[\x0b\x85\u2028\u2029]", "\n", text)
    text = "".join(char for char in unicodedata.normalize("NFC", text) if char not in _INKLESS)
    text, coded = _outside(SUBSETS[-1]).subn(lambda found: f"[U+{ord(found.group()):04X}]", text)
    subset = lightest(text)
    return Fitted(text, len(SUBSETS) - 1 if subset is None else subset, coded)


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
    program = _program(font)
    base = FIRST_FREE + _OBJECTS_PER_FACE * FACES.index(name)
    box = " ".join(str(round(font["head"].__dict__[side] * scale)) for side in ("xMin", "yMin", "xMax", "yMax"))
    # The tag names the subset (six capitals, 9.6.4 of PDF 1.4); the same file always has the same tag.
    label = f"TR{'CFU'[SUBSETS.index(subset)]}{'RB'[FACES.index(name)]}AA+DejaVuSans{'-Bold' if name == 'bold' else ''}"
    system = b"/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"
    objects = (
        f"<</Type/Font/Subtype/Type0/BaseFont/{label}/Encoding/Identity-H/DescendantFonts[{base + 1} 0 R]"
        f"/ToUnicode {base + 6} 0 R>>".encode(),
        f"<</Type/Font/Subtype/CIDFontType2/BaseFont/{label}/FontDescriptor {base + 2} 0 R/CIDToGIDMap {base + 5} 0 R"
        f"/DW {round(font['hmtx']['.notdef'][0] * scale)}/W[{_runs(advances)}]".encode()
        + system
        + b">>",
        f"<</Type/FontDescriptor/FontName/{label}/Flags 4/FontBBox[{box}]/ItalicAngle 0"
        f"/Ascent {round(font['hhea'].ascent * scale)}/Descent {round(font['hhea'].descent * scale)}/CapHeight 729"
        f"/StemV {(88, 160)[FACES.index(name)]}/FontFile2 {base + 3} 0 R/CIDSet {base + 4} 0 R>>".encode(),
        deflated(b"/Length1 %d" % len(program), program, 9),
        deflated(b"", _cid_set(advances), 9),
        deflated(
            b"", struct.pack(f">{max(numbers) + 1}H", *(numbers.get(cid, 0) for cid in range(max(numbers) + 1))), 9
        ),
        deflated(b"", _to_unicode(advances), 9),
    )
    widths = {chr(char): width for char, width in advances.items()}
    return Face(widths, Lengths(widths), objects)


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
    return "".join(runs) + "]"


def _cid_set(cids: Iterable[int]) -> bytes:
    bits = bytearray(max(cids) // 8 + 1)
    for cid in (0, *cids):
        bits[cid // 8] |= 0x80 >> cid % 8
    return bytes(bits)


def _to_unicode(cids: Iterable[int]) -> bytes:
    # A range may not cross a high byte, and a block holds at most a hundred ranges.
    highs = sorted({cid >> 8 for cid in cids})
    ranges = "\n".join(f"<{high:02X}00> <{high:02X}FF> <{high:02X}00>" for high in highs)
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        "/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n"
        "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        "1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n"
        f"{len(highs)} beginbfrange\n{ranges}\nendbfrange\n"
        "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend"
    ).encode()
