"""DejaVu Sans in two faces and three subsets, made by `tools/subset_fonts.py`; the dots of GNU Unifont, by `tools/bitmap_font.py`.

No code here."""
