"""Cells that hold more than words: each nature, wrapped or padded, and what only looks like one."""

from __future__ import annotations

import base64
import gzip
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transvase.sources.discover.contents import nature

PDF = b"%PDF-1.4\n" + b"1 0 obj <<>> endobj\n" * 20 + b"%%EOF"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256))
CDA = b'<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2"/></ClinicalDocument>'


def zipped() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a", "b")
    return made.getvalue()


def wrapped(raw: bytes, width: int = 76) -> str:
    text = base64.b64encode(raw).decode()
    return "\r\n".join(text[i : i + width] for i in range(0, len(text), width))


@pytest.mark.parametrize(
    ("value", "found"),
    [
        pytest.param(PDF, "pdf", id="pdf"),
        pytest.param(PDF + bytes(40), "pdf+nul", id="pdf padded"),
        pytest.param(bytes(12) + PDF, "pdf+nul", id="pdf after NULs"),
        pytest.param(JPEG, "jpeg", id="jpeg"),
        pytest.param(b"II*\0\x08\0\0\0" + b"\1" * 30 + bytes(9), "tiff", id="tiff ends with its own NULs"),
        pytest.param(zipped(), "zip", id="zip"),
        pytest.param(gzip.compress(b"a" * 100, mtime=0), "gzip", id="gzip"),
        pytest.param(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(40), "ole", id="old office"),
        pytest.param(rb"{\rtf1\ansi Bonjour}", "rtf", id="rtf"),
        pytest.param(r"{\rtf1\ansi Bonjour tout le monde}", "rtf", id="rtf in a text"),
        pytest.param("<div><p>Bonjour</p></div>", "html", id="html"),
        pytest.param("<?xml version='1.0'?><a><b>c</b></a>", "xml", id="xml"),
        pytest.param(CDA, "cda", id="cda"),
        pytest.param(CDA.decode(), "cda", id="cda in a text"),
        pytest.param('a:2:{s:4:"type";i:1;s:3:"day";N;}', "php", id="php"),
        pytest.param(b'a:1:{s:4:"type";i:1;}', "php", id="php in bytes"),
        pytest.param("[patient]\r\ngroupe=A\r\nrhesus=+\r\n", "ini", id="ini"),
        pytest.param('{"a": [1, 2], "bcd": "efgh"}', "json", id="json"),
        pytest.param(base64.b64encode(PDF).decode(), "base64:pdf", id="base64"),
        pytest.param(wrapped(JPEG), "base64:jpeg", id="base64 in lines"),
        pytest.param("data:application/pdf;base64," + base64.b64encode(PDF).decode(), "base64:pdf", id="data url"),
        pytest.param(f"<?xml version='1.0'?><doc><nom>x</nom><corps>{wrapped(PDF)}</corps></doc>", "xml+base64:pdf", id="base64 in xml"),
        pytest.param(f"<?xml version='1.0'?><doc><corps>{wrapped(PDF)}</corps></doc>\0\0", "xml+base64:pdf+nul", id="all at once"),
        pytest.param(PDF.hex(), "hex:pdf", id="hexadecimal"),
        pytest.param("0x" + PDF.hex().upper(), "hex:pdf", id="hexadecimal of SQL"),
        pytest.param(bytes(50), "empty", id="only NULs"),
        pytest.param(b"", "empty", id="no byte"),
        pytest.param(bytes(range(16)), "binary", id="identifier"),
        pytest.param("Tension < 14 et > 9, contrôle dans un mois", "text", id="words"),
        pytest.param("<3 bonne journée à toutes et à tous", "text", id="less than"),
        pytest.param("{note du 12} à revoir avant la fin du mois", "text", id="brace"),
        pytest.param("a" * 64, "text", id="base64 alphabet, nothing inside"),
        pytest.param("0123456789abcdef" * 4, "text", id="digest"),
        pytest.param("Bonjour", "", id="word"),
        pytest.param("", "", id="nothing"),
    ],
)  # fmt: skip
def test_nature(value, found):
    assert nature(value) == found


@given(st.binary(max_size=300) | st.text(max_size=300))
def test_any_cell_has_a_nature(value):
    assert isinstance(nature(value), str)


@pytest.mark.parametrize(
    "value", ["[" * 100_000 + "]" * 100_000, '{"a":' * 50_000 + "}", "A" * 200_000, "<a>" * 50_000, b"<" * 100_000]
)
def test_a_hostile_cell_is_told_quickly(value):
    assert nature(value) in ("text", "json", "xml", "html")
