"""Texts encoded twice: found by evidence, given back only when the way there and back is whole."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from transvase.sources.discover.encodings import fault_of, repaired

FRENCH = st.text("abcdefghijklmnopqrstuvwxyz àâäçéèêëîïôöùûüÿœæÀÂÇÉÈÊËÎÏÔÙÛÜŒ'’-«»€", min_size=1, max_size=40)


def twice(text: str) -> str:
    """As a program does that reads UTF-8 as Windows-1252; its five unused bytes keep their number."""
    return "".join(
        chr(b) if b in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else bytes((b,)).decode("cp1252") for b in text.encode()
    )


@given(FRENCH)
def test_a_text_encoded_twice_is_given_back(text):
    assume(not text.isascii())
    assert repaired(twice(text)) == text
    assert fault_of(twice(text)) == "double"


@given(FRENCH)
def test_a_text_read_as_latin_1_is_given_back(text):
    assume(not text.isascii())
    assert repaired(text.encode().decode("latin-1")) == text


@given(FRENCH)
def test_a_healthy_french_text_is_left(text):
    # A capital Â before a sign is written nowhere, and is what a sign encoded twice looks like.
    assume("Â" not in text and "â€" not in text)
    assert repaired(text) is None


@given(st.text(max_size=60))
def test_a_repair_goes_there_and_back(text):
    found = repaired(text)
    assert found is None or text in (twice(found), found.encode().decode("latin-1"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("HÃ©lÃ¨ne", "double"),
        ("lâ€™examen", "double"),
        ("HÃ©lÃ", ""),
        ("HÃ©lÃ¨ne 日本", ""),
        ("Hélène HÃ©lÃ¨ne", ""),
        ("Hélène", ""),
        ("« CAFÉ»", ""),
        ("DÉCÉDÉ’", ""),
        ("H\ufffdl\ufffdne", "lost"),
        ("c\u009cur", "controls"),
        ("H&eacute;l&egrave;ne", "entities"),
        ("<p>H&eacute;l&egrave;ne</p>", ""),
        ("R&D; A&B", ""),
        ("Durand & fils", ""),
    ],
)
def test_fault_of(text, fault):
    assert fault_of(text) == fault
