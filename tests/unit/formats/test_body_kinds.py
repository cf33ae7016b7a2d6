"""Kinds of bodies from their bytes, and cheap checks that they are whole."""

from __future__ import annotations

import io
import struct
import timeit
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transvase.formats.image import jpeg_problem, png_problem, tiff_problem
from transvase.formats.pdf import pdf_facts, pdf_problem
from transvase.formats.sniff import KINDS, sniff


@pytest.mark.parametrize(
    "body, kind",
    [
        (b"", "empty"),
        (b"\0" * 100_000, "empty"),
        (b" \r\n\t\0", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"%PDF-1.4\n", "pdf"),
        (b"\0\0%PDF-1.7", "pdf"),
        (b"From: scanner\r\n\r\n%PDF-1.3\n\x01\x02\x03", "pdf"),
        (b"le format %PDF-1.3 est vieux", "text"),
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"II*\0\x08\0\0\0", "tiff"),
        (b"MM\0*\0\0\0\x08", "tiff"),
        (b"PK\x03\x04", "zip"),
        (b"{\\rtf1\\ansi}", "rtf"),
        (b"\xef\xbb\xbf\r\n{\\rtf1}", "rtf"),
        (b"bonjour", "text"),
        ("été".encode("cp1252"), "text"),
        ("été".encode("utf-16"), "text"),
        (b"MSH|^~\\&|LABO\rPID|1", "text"),
        (b"<12 mmol/L, normal", "text"),
        (b"<Dr X> a vu le patient", "text"),
        (b"texte\x1b&l0O imprim\xe9 " * 20, "text"),
        (b"en clair " + bytes(range(32)) * 50, "unknown"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + b">\0\x03\0\xfe\xff\t\0", "unknown"),
        (b"\0" * 70_000 + b"x", "unknown"),
        (b"<?xml version='1.0'?><a/>", "xml"),
        (b"<r><b>1</b></r>", "xml"),
        (b"<!DOCTYPE html><html>", "html"),
        (b"<HTML><body>x", "html"),
        (b"<p>bonjour</p>", "html"),
        (b"<?xml version='1.0'?><!DOCTYPE html PUBLIC 'x' 'y'><html xmlns='http://www.w3.org/1999/xhtml'/>", "html"),
        (b"<?xml version='1.0'?><!-- <html> --><?p i?><ClinicalDocument xmlns='urn:hl7-org:v3'/>", "cda"),
        (b"<c:ClinicalDocument a='>' xmlns:c=\"urn:hl7-org:v3\"/>", "cda"),
        ("\ufeff<?xml version='1.0'?><ClinicalDocument xmlns='urn:hl7-org:v3'/>".encode("utf-16-le"), "cda"),
        (b"<ClinicalDocument xmlns='urn:other'/>", "xml"),
        (b"<Bundle><ClinicalDocument xmlns='urn:hl7-org:v3'/></Bundle>", "xml"),
        (b"<xsl:stylesheet xmlns:xsl='http://www.w3.org/1999/XSL/Transform'><xsl:template/></xsl:stylesheet>", "xml"),
        (
            b"<xsl:stylesheet xmlns:xsl='http://www.w3.org/1999/XSL/Transform'><ClinicalDocument xmlns='urn:hl7-org:v3'/>"
            b"</xsl:stylesheet>",
            "cda",
        ),
    ],
)
def test_kind(body, kind):
    assert sniff(body) == kind


@given(st.binary(max_size=300))
def test_any_bytes_have_a_kind(body):
    assert sniff(body) in KINDS


@pytest.mark.parametrize(
    "hostile",
    [
        b"<!DOCTYPE " + b"a[b]" * 50_000,
        b"<!--" * 50_000,
        b"<a " + b"b='c\"" * 50_000,
        b"<?xml" * 50_000,
        b"<" * 200_000,
    ],
)
def test_hostile_markup_is_decided_soon(hostile):
    assert timeit.timeit(lambda: sniff(hostile), number=1) < 0.5


@pytest.mark.shared
def test_official_examples_are_cda(shared):
    found = Counter(sniff(path.read_bytes()) for path in (shared / "cisis" / "exemples").rglob("*.xml"))
    assert found["cda"] > 50
    assert set(found) <= {"cda", "xml"}


def made_pdf(**options: object) -> bytes:
    import pikepdf

    pdf = pikepdf.new()
    for _ in range(20):
        pdf.add_blank_page()
    out = io.BytesIO()
    pdf.save(out, **options)
    return out.getvalue()


def pdf_forms() -> dict[str, bytes]:
    import pikepdf

    plain = made_pdf()
    return {
        "plain": plain,
        "object streams": made_pdf(object_stream_mode=pikepdf.ObjectStreamMode.generate),
        "linearised": made_pdf(linearize=True),
        "padded with NULs": plain + bytes(20_000),
        "mail header before": b"X: y\r\n\r\n" + plain,
    }


@pytest.mark.parametrize("form", pdf_forms())
def test_whole_pdf_has_no_problem(form):
    assert pdf_problem(pdf_forms()[form]) is None


@pytest.mark.parametrize("form", ["plain", "object streams", "linearised"])
def test_every_cut_of_a_pdf_is_seen(form):
    body = pdf_forms()[form]
    whole = len(body.rstrip())
    assert all(pdf_problem(body[:length]) for length in range(0, whole - 1, 7))


def test_bytes_lost_in_the_middle_of_a_pdf_are_seen():
    body = made_pdf()
    assert "cross-reference" in (pdf_problem(body[:300] + body[400:]) or "")


def test_the_pdf_check_takes_microseconds():
    body = made_pdf()[:-10].ljust(5_000_000, b" ") + made_pdf()
    assert min(timeit.repeat(lambda: pdf_problem(body), number=100, repeat=3)) / 100 < 0.001


def test_facts_of_pdfs():
    import pikepdf

    assert pdf_facts(made_pdf()) == (False, 20, None)
    assert pdf_facts(made_pdf(encryption=pikepdf.Encryption(owner="o", user="u"))) == (True, None, None)
    with pytest.raises(ValueError, match="structure"):
        pdf_facts(b"%PDF-1.4 DUPONT")


def image(kind: str, mode: str = "RGB", **options: object) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.effect_noise((80, 60), 50).convert(mode).save(out, kind, **options)
    return out.getvalue()


CHECKS = {"jpeg": jpeg_problem, "png": png_problem, "tiff": tiff_problem}
IMAGES = {
    "jpeg baseline": image("jpeg"),
    "jpeg progressive": image("jpeg", progressive=True),
    "jpeg grey": image("jpeg", "L"),
    "png": image("png"),
    "tiff raw": image("tiff"),
    "tiff lzw": image("tiff", compression="tiff_lzw"),
    "tiff group 4": image("tiff", "1", compression="group4"),
    "tiff big": image("tiff", big_tiff=True),
}


@pytest.mark.parametrize("name", IMAGES)
def test_whole_images_have_no_problem(name):
    assert CHECKS[name.split()[0]](IMAGES[name]) is None


@pytest.mark.parametrize("name", IMAGES)
def test_cut_images_have_one(name):
    body, check = IMAGES[name], CHECKS[name.split()[0]]
    # A few last bytes may be padding of a directory.
    assert all(check(body[:length]) for length in range(0, len(body) - 8, 11))


def test_a_png_with_one_changed_byte_is_seen():
    for place in range(8, len(IMAGES["png"]), 37):
        body = bytearray(IMAGES["png"])
        body[place] ^= 0xFF
        assert png_problem(bytes(body))


def test_tiff_directories_in_a_circle_are_seen():
    entry = struct.pack("<HHII", 273, 4, 1, 8) + struct.pack("<HHII", 279, 4, 1, 4)
    body = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 2) + entry + struct.pack("<I", 8)
    assert tiff_problem(body) == "the TIFF directories do not end"


@given(st.sampled_from(sorted(IMAGES)), st.data())
def test_damage_never_raises(name, data):
    body = bytearray(IMAGES[name])
    body[data.draw(st.integers(0, min(400, len(body) - 1)))] ^= data.draw(st.integers(1, 255))
    problem = CHECKS[name.split()[0]](bytes(body))
    assert problem is None or isinstance(problem, str)
