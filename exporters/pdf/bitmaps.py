"""The second typeface of text documents, for what the first does not hold: the scripts of the world, drawn on sixteen lines of dots.

What belongs here: which characters it holds, how wide each is, and a TrueType program of those that one document uses. The dots are
those of GNU Unifont (`fonts/LICENSE_UNIFONT`), packed by `tools/bitmap_font.py`; the objects of a PDF belong to `typeface`. Each
character is drawn alone, marks on their letter: no joined forms (Arabic letters stand apart), no reordered vowels, no conjuncts.
"""

from __future__ import annotations

import io
import lzma
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from importlib import resources
from itertools import accumulate
from typing import NamedTuple

# One dot is a sixteenth of the size; two lines of dots hang below the base line.
UNITS = 1024
_DOT = UNITS // 16
ASCENT, DESCENT = 14 * _DOT, -2 * _DOT
_WIDTH, _MARK, _SHIFT = 3, 4, 4


class Program(NamedTuple):
    """A TrueType font; advance width and glyph number of each character it holds, by code point."""

    data: bytes
    advances: dict[int, int]
    numbers: dict[int, int]


class _Signs(NamedTuple):
    """Kind of each character of the basic plane, where its lines start (in units of 16 bytes), and the lines."""

    kinds: bytes
    starts: list[int]
    lines: bytes


@cache
def _signs() -> _Signs:
    """Loaded by the first document that needs it: a twentieth of a second and two megabytes."""
    packed = (resources.files("transvase.exporters.pdf") / "fonts" / "bitmaps.xz").read_bytes()
    whole = lzma.decompress(packed)
    kinds = whole[:0x10000]
    return _Signs(kinds, [0, *accumulate(kind & _WIDTH for kind in kinds)], whole[0x10000:])


def holds(char: str) -> bool:
    """Whether the typeface draws this character."""
    return char <= "\uffff" and bool(_signs().kinds[ord(char)])


def advance(char: str) -> int:
    """Width of a character it holds, in thousandths of the size: 500, 1000, or 0 for a mark, drawn on its neighbour."""
    kind = _signs().kinds[ord(char)]
    return 0 if kind & _MARK else 500 * (kind & _WIDTH)


def program(chars: Iterable[str]) -> Program:
    """A font of these characters, all of which the typeface holds; the same characters always give the same bytes."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    codes = sorted(set(map(ord, chars)))
    names = [".notdef", *(f"u{code:04X}" for code in codes)]
    glyphs, metrics = {".notdef": TTGlyphPen(None).glyph()}, {".notdef": (UNITS, 0)}
    for name, code in zip(names[1:], codes, strict=True):
        pen = TTGlyphPen(None)
        for first, *others in outlines(code):
            pen.moveTo(first)
            for corner in others:
                pen.lineTo(corner)
            pen.closePath()
        glyphs[name] = pen.glyph()
        metrics[name] = (advance(chr(code)) * UNITS // 1000, 0)
    builder = FontBuilder(UNITS, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({})
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(
        {name: (width, getattr(glyphs[name], "xMin", 0)) for name, (width, _) in metrics.items()}
    )
    builder.setupHorizontalHeader(ascent=ASCENT, descent=DESCENT)
    # The epoch of the format: the same font on every day.
    builder.updateHead(created=0, modified=0)
    font = builder.font
    font.recalcTimestamp = False
    out = io.BytesIO()
    font.save(out)
    return Program(
        out.getvalue(), {code: advance(chr(code)) for code in codes}, {code: n for n, code in enumerate(codes, 1)}
    )


@lru_cache(maxsize=4096)
def outlines(code: int) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Corners of each closed line around the dots of a character, ink on its right: whole areas, so that no seam shows between dots."""
    signs = _signs()
    kind = signs.kinds[code]
    width, start = kind & _WIDTH, signs.starts[code] * 16
    left = (kind >> _SHIFT) * 4 if kind & _MARK else 0
    inked = set()
    for row in range(16):
        line = int.from_bytes(signs.lines[start + row * width : start + (row + 1) * width], "big")
        inked |= {(x, 13 - row) for x in range(8 * width) if line >> (8 * width - 1 - x) & 1}
    return tuple(tuple(((x - left) * _DOT, y * _DOT) for x, y in corners) for corners in _closed(dict(_grouped(inked))))


_Corner = tuple[int, int]


def _grouped(inked: set[_Corner]) -> Iterator[tuple[_Corner, list[_Corner]]]:
    """The ends of the sides that leave each corner, sides running clockwise around each dot; a side between two dots is none."""
    leaving: dict[_Corner, list[_Corner]] = {}
    for x, y in sorted(inked):
        for beside, start, end in (
            ((x - 1, y), (x, y), (x, y + 1)),
            ((x, y + 1), (x, y + 1), (x + 1, y + 1)),
            ((x + 1, y), (x + 1, y + 1), (x + 1, y)),
            ((x, y - 1), (x + 1, y), (x, y)),
        ):
            if beside not in inked:
                leaving.setdefault(start, []).append(end)
    yield from leaving.items()


def _closed(leaving: dict[_Corner, list[_Corner]]) -> Iterator[list[_Corner]]:
    """The closed lines that the sides make, by their corners only."""
    while leaving:
        first = min(leaving)
        path = [first]
        while True:
            ends = leaving[path[-1]]
            step = ends.pop()
            if not ends:
                del leaving[path[-1]]
            if step == first:
                break
            path.append(step)
        around = zip([path[-1], *path], path, [*path[1:], first], strict=False)
        yield [
            here
            for before, here, after in around
            if (here[0] - before[0], here[1] - before[1]) != (after[0] - here[0], after[1] - here[1])
        ]
