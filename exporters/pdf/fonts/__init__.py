"""DejaVu Sans in two faces and three subsets, made by `tools/subset_fonts.py`. No code here."""
