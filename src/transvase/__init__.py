"""Transvase: a practice's records, poured into the portability archive and the DMP without losing a drop."""

__version__ = "0.1.0"
