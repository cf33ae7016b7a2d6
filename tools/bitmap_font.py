"""Makes the second typeface of PDF/A documents, the signs of the world's scripts drawn on sixteen lines, from GNU Unifont (SIL Open
Font License 1.1, kept beside it).

One file holds, compressed, a byte for each of the 65,536 characters of the basic plane, then the lines of each drawn one in order of
code point. The byte: bits 0 and 1 the width in steps of eight dots (0: not drawn), bit 2 a mark that takes no room, bits 4 to 7 how
far left of its place a mark is drawn, in steps of four dots. What has no ink and is no space (controls, joiners, direction marks,
fillers) is left out, and so are private and unassigned characters: nobody could read them.

    python tools/bitmap_font.py FOLDER     (share/unifont of Debian's package `unifont`: unifont.hex, plane00-combining.txt)
"""

from __future__ import annotations

import lzma
import sys
import unicodedata
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "exporters" / "pdf" / "fonts" / "bitmaps.xz"
# Control, format, surrogate, private, unassigned; line and paragraph separators.
LEFT_OUT = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Drawn by Unifont as a dashed box with a name in it: no ink in a text. Joiner of graphemes, fillers, Mongolian and other selectors.
INKLESS = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x3164, *range(0xFE00, 0xFE10), 0xFFA0}
MARK = 4


def drawn(folder: Path) -> dict[int, bytes]:
    """Lines of each character that the typeface keeps, by code point: 16 or 32 bytes."""
    found = {}
    for line in (folder / "unifont.hex").read_text(encoding="ascii").splitlines():
        place, lines = line.split(":")
        code = int(place, 16)
        if code < 0x10000 and unicodedata.category(chr(code)) not in LEFT_OUT and code not in INKLESS:
            found[code] = bytes.fromhex(lines)
    return found


def shifts(folder: Path) -> dict[int, int]:
    """How many dots left of its place each mark is drawn."""
    lines = (folder / "plane00-combining.txt").read_text(encoding="ascii").split()
    return {int(code, 16): -int(dots) for code, dots in (line.split(":") for line in lines)}


def table(folder: Path) -> bytes:
    """The file, before compression."""
    glyphs, marks = drawn(folder), shifts(folder)
    kinds = bytearray(0x10000)
    for code, lines in glyphs.items():
        width = len(lines) // 16
        if len(lines) % 16 or width not in (1, 2):
            raise ValueError(f"U+{code:04X} is not on sixteen lines of 8 or 16 dots")
        kinds[code] = width
        if code in marks:
            dots = marks[code]
            if dots % 4 or not 0 <= dots <= 16:
                raise ValueError(f"U+{code:04X} is moved by {dots} dots")
            kinds[code] |= MARK | dots // 4 << 4
    return bytes(kinds) + b"".join(lines for _, lines in sorted(glyphs.items()))


def main() -> None:
    made = table(Path(sys.argv[1]))
    TARGET.write_bytes(lzma.compress(made, preset=9 | lzma.PRESET_EXTREME))
    print(f"{TARGET.name}: {sum(map(bool, made[:0x10000]))} characters, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
