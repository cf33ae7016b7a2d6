"""Bodies that a product wraps: what comes out, and what is told of those that are not wrapped as the mapping says."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as some

from transvase.sources.wrapping import ENCODINGS, NotWrapped, unwrapped

PDF = b"%PDF-1.4\n" + bytes(range(256)) + b"\n%%EOF"
TEXT = base64.b64encode(PDF)
LINES = base64.encodebytes(PDF)

WRAPPED = [
    pytest.param(TEXT, "base64", id="base64"),
    pytest.param(LINES, "base64", id="base64 in lines"),
    pytest.param(b"data:application/pdf;base64," + TEXT, "base64", id="a data address"),
    pytest.param(b"  " + TEXT + b"\r\n\0\0", "base64", id="base64 between blanks and NUL bytes"),
    pytest.param(PDF.hex().encode(), "hexadecimal", id="hexadecimal"),
    pytest.param(b"0x" + PDF.hex().upper().encode(), "hexadecimal", id="hexadecimal of SQL Server"),
    pytest.param(b"\\x" + PDF.hex().encode(), "hexadecimal", id="hexadecimal of PostgreSQL"),
    pytest.param(
        b"<?xml version='1.0'?><doc><nom>Dupont</nom><corps>\n" + LINES + b"</corps></doc>",
        "xml",
        id="an element of XML",
    ),
    pytest.param(
        b"<d><a>" + TEXT[:64] + b"</a><b>" + TEXT + b"</b></d>\0\0\0", "xml", id="the longest of two elements"
    ),
    pytest.param(PDF + b"\0" * 512, "padded", id="padded to a block"),
    pytest.param(b"\0\0" + PDF + b"\0", "padded", id="padded on both sides"),
]


@pytest.mark.parametrize(("data", "encoding"), WRAPPED)
def test_the_document_inside(data: bytes, encoding: str) -> None:
    assert unwrapped(data, encoding) == PDF


NOT_SO = [
    pytest.param(PDF, "base64", id="the document itself"),
    pytest.param(TEXT[:-3], "base64", id="base64 cut"),
    pytest.param(TEXT.replace(b"A", b"!", 1), "base64", id="a letter that base64 has not"),
    pytest.param(PDF.hex().encode()[:-1], "hexadecimal", id="an odd number of digits"),
    pytest.param(b"<doc><nom>Dupont</nom></doc>", "xml", id="XML without a document"),
    pytest.param(b"", "xml", id="nothing"),
]


@pytest.mark.parametrize(("data", "encoding"), NOT_SO)
def test_what_is_not_wrapped_so_is_said(data: bytes, encoding: str) -> None:
    with pytest.raises(NotWrapped, match=f"^wrapping {encoding}$"):
        unwrapped(data, encoding)


def test_another_encoding_is_a_fault_of_the_mapping() -> None:
    with pytest.raises(ValueError, match="body_encoding"):
        unwrapped(PDF, "rot13")


@given(some.binary(max_size=300), some.sampled_from(ENCODINGS))
def test_any_bytes_have_an_answer(data: bytes, encoding: str) -> None:
    try:
        unwrapped(data, encoding)
    except NotWrapped:
        assert encoding != "padded"


@given(some.binary(max_size=300))
def test_base64_comes_back(data: bytes) -> None:
    assert unwrapped(base64.b64encode(data), "base64") == data
