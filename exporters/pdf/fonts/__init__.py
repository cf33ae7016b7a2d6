"""DejaVu Sans in two faces and two subsets, made by `tools/subset_fonts.py`. No code here."""
