"""Makes the fonts that PDF/A documents embed, from the DejaVu fonts (free licence, kept beside them).

Three subsets of each face, because every document carries its font: `common` holds what nearly every French text uses and
weighs least, `french` the signs of medical notes and the names of Europe, `full` what a text seldom needs. Each holds the one
before. Hinting and layout tables go: readers do not use them.

    python tools/subset_fonts.py FOLDER_WITH_DEJAVU_TTF     (matplotlib's wheel ships one, in mpl-data/fonts/ttf)
"""

from __future__ import annotations

import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

TARGET = Path(__file__).resolve().parent.parent / "exporters" / "pdf" / "fonts"
FACES = {"regular": "DejaVuSans.ttf", "bold": "DejaVuSans-Bold.ttf"}
LICENCE = "LICENSE_DEJAVU"

# Letters of French, its typography, and the commonest signs.
COMMON = {
    *range(0x20, 0x7F),
    *range(0xA0, 0x100),
    *map(ord, "ŒœŸ‐‑–—‘’‚“”„†•…‰′″€−≤≥\u2009\u202f"),
}

# Letters of the names of Europe, typography, and the signs of medical notes: units, comparisons, trends, ticks.
FRENCH = COMMON | {
    *range(0x100, 0x180),
    *map(ord, "ȘșȚț"),
    *map(ord, "‐‑‒–—―‘’‚“”„†‡•…‰′″‹›⁄€™№Ω℃"),
    *range(0x2002, 0x200B),
    0x202F,
    *map(ord, "⁰⁴⁵⁶⁷⁸⁹⁺⁻₀₁₂₃₄₅₆₇₈₉"),
    *map(ord, "αβγδεκλμπστφωΔΣΦ"),
    *map(ord, "←↑→↓↔↗↘⇒−≈≠≤≥∞√∆∅♀♂"),
    *map(ord, "■□▪▫▲►▼◆○●☐☑☒✓✔✗✘➔➢"),
}

# Latin, Greek and Cyrillic whole, marks, punctuation, currencies, arrows, mathematics, boxes, shapes, signs.
FULL = FRENCH | {
    *range(0x100, 0x250),
    *range(0x2B0, 0x400),
    *range(0x400, 0x530),
    *range(0x1E00, 0x2000),
    *range(0x2010, 0x2028),
    *range(0x2030, 0x205F),
    *range(0x2070, 0x20A0),
    *range(0x20A0, 0x20C0),
    *range(0x2100, 0x2300),
    *range(0x2300, 0x2400),
    *range(0x2460, 0x2800),
    0xFFFD,
}
SETS = {"common": COMMON, "french": FRENCH, "full": FULL}


def make(source: Path, wanted: set[int], target: Path) -> None:
    """Write the subset of `source` holding the characters `wanted` (code points) to `target`."""
    font = TTFont(source, recalcTimestamp=False)
    options = subset.Options()
    options.hinting = False
    options.layout_features = []
    options.drop_tables += ["GPOS", "GSUB", "GDEF", "kern", "MATH", "FFTM", "gasp"]
    options.glyph_names = False
    options.legacy_cmap = False
    options.notdef_outline = True
    options.name_IDs = [0, 1, 2, 4, 5, 6, 13, 14]
    options.recalc_timestamp = False
    worker = subset.Subsetter(options)
    worker.populate(unicodes=wanted)
    worker.subset(font)
    font.save(target)


def main() -> None:
    folder = Path(sys.argv[1])
    TARGET.mkdir(parents=True, exist_ok=True)
    for face, file in FACES.items():
        for name, wanted in SETS.items():
            target = TARGET / f"sans-{face}-{name}.ttf"
            make(folder / file, wanted, target)
            print(f"{target.name}: {target.stat().st_size} bytes")
    (TARGET / LICENCE).write_bytes((folder / LICENCE).read_bytes())


if __name__ == "__main__":
    main()
