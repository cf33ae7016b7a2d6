"""Shapes hide what they stand for; dates, numbers and paths are known by their form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transvase.sources.discover.forms import date_form, is_path, number_form, shape


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Durand", "Aaaaa"),
        ("LE GALL", "AA AAAA"),
        ("Éloïse-Marie", "Aaaaa-Aaaaa"),
        ("1985-03-28", "9999-99-99"),
        ("+33 1 23", "+99 9 99"),
        ("a@b.fr", "a@a.aa"),
        ("☂", "·"),
        ("x" * 200, "aaaa"),
        ("1a" * 60, "9a9a9a9a9a9a9a9a9a9a9a9…"),
    ],
)
def test_shape(text, found):
    assert shape(text) == found


@given(st.text(max_size=200))
def test_a_shape_has_no_letter_nor_digit_but_its_classes(text):
    found = shape(text)
    assert len(found) <= 24
    assert {c for c in found if c.isalnum()} <= {"a", "A", "9"}


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("1985-03-28", "AAAA-MM-JJ"),
        ("1985/03/28", "AAAA/MM/JJ"),
        ("1985-03-00", "AAAA-MM-JJ"),
        ("2024-03-28 09:30", "AAAA-MM-JJ HH:MM"),
        ("2024-03-28 09:30:00.123", "AAAA-MM-JJ HH:MM:SS"),
        ("2024-03-28T09:30:00Z", "AAAA-MM-JJTHH:MM:SS"),
        ("28/03/1985", "JJ/MM/AAAA"),
        ("03/28/1985", "MM/JJ/AAAA"),
        ("03/04/1985", "JJ/MM ou MM/JJ/AAAA"),
        ("04/04/1985", "JJ/MM/AAAA"),
        ("28.03.85", "JJ.MM.AA"),
        ("19850328", "AAAAMMJJ"),
        ("20240328093000", "AAAAMMJJHHMMSS"),
        ("03/1985", "MM/AAAA"),
        ("1985-03", "AAAA-MM"),
        ("1985", "AAAA"),
        ("0000-00-00", "zéros"),
        ("0000-00-00 00:00:00", "zéros"),
        ("1985-13-01", ""),
        ("1985-01-32", ""),
        ("32/01/1985", ""),
        ("1785-01-01", ""),
        ("12345678", ""),
        ("1985-03/28", ""),
        ("28/03/1985 bis", ""),
        ("٢٠٢٤-٠٣-٢٨", ""),
        ("", ""),
    ],
)
def test_date_form(text, form):
    assert date_form(text) == form


@pytest.mark.parametrize(
    ("text", "form"),
    [("12", "entier"), ("0", "entier"), ("-3", "entier"), ("1.5", "point"), ("1,5", "virgule"), ("0,5", "virgule"), ("012", "code"),
     ("1234567890123456", "code"), ("1.5.2", ""), ("12 kg", ""), ("1e5", "")],
)  # fmt: skip
def test_number_form(text, form):
    assert number_form(text) == form


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r"C:\CABINET\DOCS\1234.PDF", True),
        (r"\\serveur\docs$\a.tif", True),
        ("/var/lib/docs/12/34", True),
        ("documents/2024/a b.jpg", True),
        ("scan0001.tiff", True),
        ("file:///c:/docs/a.pdf", True),
        ("https://exemple.invalid/a.pdf", False),
        ("120/80", False),
        ("et/ou", False),
        ("Voir le compte rendu.", False),
        ("a.b", False),
        ("28/03/1985", False),
    ],
)
def test_is_path(text, found):
    assert is_path(text) is found
