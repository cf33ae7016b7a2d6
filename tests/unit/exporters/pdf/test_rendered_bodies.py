"""Bodies of each kind: what they say can be read in the PDF, and what the PDF leaves out is noted."""

from __future__ import annotations

import contextlib
import io
import re
import time
import zlib
from statistics import mean

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from transvase.exporters.pdf.render import NOTES, RUNGS, BodyUnreadable, notice, render
from transvase.formats.sniff import sniff

from .samples import (
    CREATED,
    FACTS,
    LETTER_HTML,
    LETTER_RTF,
    LETTER_TEXT,
    image_bytes,
    multipage_tiff,
    page_count,
    page_image,
    text_of,
)


def rendered(body: bytes, kind: str | None = None):
    result = render(body, kind or sniff(body), **FACTS)
    assert result.rung in RUNGS
    assert set(result.notes) <= set(NOTES)
    return result


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_text_in_each_encoding(encoding):
    letter = LETTER_TEXT.replace("≤", "<").replace("₂", "2")
    result = rendered(letter.encode(encoding))
    shown = text_of(result.pdf)
    assert all(word in shown for word in letter.split())
    assert (result.rung, result.notes, page_count(result.pdf)) == ("laid-out", (), 2)


@pytest.mark.parametrize(
    "body, note",
    [
        pytest.param(b"a\x07b", "characters-as-codes", id="control character"),
        pytest.param(b"\xe9t\xe9 \x81", "characters-undecodable", id="byte without character in Windows-1252"),
        pytest.param("a\u202eb".encode(), "characters-as-codes", id="direction override"),
    ],
)
def test_text_with_odd_characters_is_shown_and_noted(body, note):
    assert note in rendered(body, "text").notes


def test_padding_of_databases_is_not_text():
    assert rendered(b"\0\0bonjour\r\n\x1a" + bytes(50)).notes == ()


def test_rtf_shows_what_the_reader_of_the_letter_sees():
    result = rendered(LETTER_RTF)
    shown = text_of(result.pdf)
    for seen in (
        "Cabinet des Tilleuls",
        "Évolution favorable, œdème ≤ 2 cm, μg, Пр.",
        "1.",
        "Doliprane 1 g ☑ accord ☐ refus",
        "Hémoglobine",
        "12,5",
        "Sodium 140",
        "Après [note en bas] le tableau.",
        "zone de texte",
        "[image non reproduite]",
        "☒ vacciné",
    ):
        assert seen in shown, seen
    for unseen in ("brouillon", "biffé", "en double", "Arial", "Word", "89504e"):
        assert unseen not in shown, unseen
    assert result.notes == ("pictures-left-out", "hidden-text-left-out")


def test_a_cut_rtf_is_shown_as_far_as_it_goes_and_noted():
    result = rendered(LETTER_RTF[: len(LETTER_RTF) // 2])
    assert "Évolution favorable" in text_of(result.pdf)
    assert "source-unfinished" in result.notes


@pytest.mark.parametrize(
    "source, seen",
    [
        pytest.param(rb"{\rtf1\mac \'8e}", "é", id="Macintosh"),
        pytest.param(rb"{\rtf1\pca \'82}", "é", id="DOS 850"),
        pytest.param(rb"{\rtf1\ansicpg99999 \'e9}", "é", id="unknown code page"),
        pytest.param(rb"{\rtf1\uc0\u233 t\u233 }", "été", id="no fallback character"),
        pytest.param(rb"{\rtf1\uc2\u233 ??t}", "ét", id="two fallback characters"),
        pytest.param(rb"{\rtf1\u233\'e9t}", "ét", id="fallback in hexadecimal"),
        pytest.param(rb"{\rtf1\u-10179?\u-8704?}", "[U+1F600]", id="surrogates"),
        pytest.param(
            rb"{\rtf1{\fonttbl{\f5\fcharset2 Webdings;}}\f5\'61}", "[signe 61]", id="unknown sign is not a letter"
        ),
        pytest.param(rb"{\rtf1 a\~b\_c\-d \{e\} \\}", "a b‑cd {e} \\", id="escapes"),
        pytest.param(b"{\\rtf1 d\xe9j\xe0 vu}", "déjà vu", id="raw bytes"),
        pytest.param(rb"{\rtf1{\*\inconnu secret}vu}", "vu", id="unknown optional group"),
        pytest.param(rb"{\rtf1{\upr{ancien}{\*\ud{nouveau}}}}", "ancien", id="double form"),
        pytest.param(rb"{\rtf1 un\par}suite hors document", "un", id="after the end"),
    ],
)
def test_rtf_details(source, seen):
    shown = text_of(render(source, "rtf", **{**FACTS, "title": ""}).pdf).removesuffix("1/1").strip()
    assert shown.replace("\u00a0", " ") == seen


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"{\\rtf1" + b"{" * 500_000, id="nesting"),
        pytest.param(rb"{\rtf1{\fonttbl" + rb"\f0\fcharset0 " * 50_000 + b"}x}", id="font table"),
        pytest.param(rb"{\rtf1 " + rb'{\field{\*\fldinst{HYPERLINK "a" ' * 20_000, id="links"),
        pytest.param(rb"{\rtf1\bin9999999999 x}", id="binary beyond the end"),
        pytest.param(rb"{\rtf1\u9999999999 x\uc99999 \u233 abcdefghijk}", id="large numbers"),
        pytest.param(rb"{\rtf1" + b"\\" * 300_000, id="backslashes"),
        pytest.param(rb"{\rtf1" + rb"\cell" * 100_000, id="cells"),
        pytest.param(rb"{\rtf1" + rb"\row" * 100_000, id="rows"),
        pytest.param(rb"{\rtf1" + rb"\'e9" * 300_000, id="hexadecimal"),
        pytest.param(rb"{\rtf1}}}}}}", id="too many ends"),
        pytest.param(rb"{\rtf1{\*", id="cut in a destination"),
    ],
)
def test_rtf_bombs_end_soon(body):
    start = time.perf_counter()
    rendered(body, "rtf")
    assert time.perf_counter() - start < 5


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                b"{",
                b"}",
                b"\\",
                b"\\par ",
                b"\\u233?",
                b"\\'e9",
                b"\\cell",
                b"\\row",
                b"\\*",
                b"\\pict",
                b"\\f1",
                b"\\header ",
            ]
            + [
                b"{\\fonttbl",
                b"{\\f1\\fcharset2 Symbol;}",
                b"\\bin3 ",
                b"abc",
                b"\\v",
                b"\\footnote ",
                b"\\intbl",
                b"\xe9",
                b"\0",
            ]
        ),
        max_size=60,
    )
)
def test_no_rtf_makes_the_reader_fail(pieces):
    rendered(b"{\\rtf1" + b"".join(pieces), "rtf")


def test_html_shows_text_and_structure_and_neither_scripts_nor_styles():
    result = rendered(LETTER_HTML)
    shown = text_of(result.pdf)
    for seen in (
        "Compte rendu",
        "Évolution favorable, œdème ≤ 2 cm & stable",
        "• Doliprane 1 g • Repos",
        "Examen Valeur Hémoglobine 12,5",
        "[image non reproduite : ECG]",
        "☒ vacciné fin",
    ):
        assert seen in shown.replace("\u00a0", " "), seen
    assert not any(word in shown for word in ("alert", "color", "caché"))
    assert result.notes == ("pictures-left-out",)


@pytest.mark.parametrize(
    "body, seen",
    [
        pytest.param("<p>été</p>".encode("cp1252"), "été", id="undeclared Windows-1252"),
        pytest.param(b"<meta charset=iso-8859-1><p>\x80 \xe9", "€ é", id="declared Latin-1 is Windows-1252"),
        pytest.param("<meta charset=iso-8859-1><p>été".encode(), "été", id="declared Latin-1, is UTF-8"),
        pytest.param(b"<table><tr><td>a<table><tr><td>b<td>c</table>d</table>e", "a b c d e", id="table in a table"),
        pytest.param(b"<table>libre<tr>x<td>a</table>", "libre", id="text outside cells"),
        pytest.param(b"<p>a<p>b<div>c</p></b></div>d", "a b c d", id="tags badly closed"),
        pytest.param(b"<pre>a\n  b</pre>", "a b", id="preformatted"),
        pytest.param(b"<p>a\x00\x0bb</p>", "a", id="control characters"),
    ],
)
def test_html_details(body, seen):
    assert seen in text_of(rendered(body, "html").pdf)


def test_deep_html_ends_soon():
    start = time.perf_counter()
    with contextlib.suppress(BodyUnreadable):
        rendered(b"<div>" * 100_000 + b"x", "html")
    assert time.perf_counter() - start < 5


def test_xml_is_shown_as_its_source_and_entities_stay_closed():
    body = b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/hostname">]><r a="1"><b>\xc3\xa9t\xc3\xa9 &e;</b></r>'
    assert "<b>été &e;</b>" in text_of(rendered(body, "xml").pdf)
    laughs = b"<!DOCTYPE r [<!ENTITY a 'ha'>" + b"".join(
        b"<!ENTITY %c '%b'>" % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)
    )
    with contextlib.suppress(BodyUnreadable):
        assert len(rendered(laughs + b"]><r>&j;</r>", "xml").pdf) < 100_000


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_keeps_its_own_bytes(mode, progressive):
    body = image_bytes("jpeg", mode, progressive=progressive)
    result = rendered(body)
    assert result.rung == "wrapped"
    pdf = pikepdf.open(io.BytesIO(result.pdf))
    (image,) = pdf.pages[0].Resources.XObject.values()
    assert image.read_raw_bytes() == body


PICTURES = {
    "jpeg grey": image_bytes("jpeg", "L", quality=95),
    "jpeg colour": image_bytes("jpeg", "RGB", quality=95),
    "jpeg four inks": image_bytes("jpeg", "CMYK", quality=95),
    "png black and white": image_bytes("png", "1"),
    "png grey": image_bytes("png", "L"),
    "png palette": image_bytes("png", "P"),
    "png transparent": image_bytes("png", "RGBA"),
    "png grey transparent": image_bytes("png", "LA"),
    "tiff group 4": image_bytes("tiff", "1", compression="group4"),
    "tiff black and white": image_bytes("tiff", "1"),
    "tiff lzw": image_bytes("tiff", "RGB", compression="tiff_lzw"),
    "tiff four inks": image_bytes("tiff", "CMYK"),
    "tiff palette": image_bytes("tiff", "P"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_each_form_of_image_looks_as_it_did(name):
    result = rendered(PICTURES[name])
    page = page_image(result.pdf)
    # 60 by 40 pixels at one point a pixel in the middle of a landscape page.
    left, top = (page.width - 60) // 2, (page.height - 40) // 2
    dark, light = page.getpixel((left + 15, top + 10)), page.getpixel((left + 45, top + 30))
    assert dark < 60, dark
    assert light > 180, light
    assert page.getpixel((left - 5, top - 5)) == 255
    assert result.rung == ("converted" if "four inks" in name else "wrapped")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["jpeg", "png", "tiff", "tiff group 4", "tiff one bit"])
def test_orientation_is_respected(form, orientation):
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    kind = form.split()[0]
    tags = {"tiffinfo": {0x0112: orientation}} if kind == "tiff" else {"exif": exif}
    coding = {"compression": "group4"} if "group" in form else {}
    body = image_bytes(kind, "L" if kind == form else "1", (320, 240), **tags, **coding)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(body))).convert("L")
    page = page_image(rendered(body).pdf)
    left, top = (page.width - upright.width) // 2, (page.height - upright.height) // 2
    for x in (10, upright.width - 10):
        for y in (10, upright.height - 10):
            # One-bit greys are dots: what counts is dark or light around the place.
            spot = (x - 8, y - 8, x + 8, y + 8)
            drawn = page.crop((left + spot[0], top + spot[1], left + spot[2], top + spot[3]))
            assert abs(mean(drawn.tobytes()) - mean(upright.crop(spot).tobytes())) < 40


def test_a_scan_in_one_group_4_strip_keeps_its_bytes():
    body = bytearray(image_bytes("tiff", "1", (320, 240), compression="group4"))
    # A strip written anew would not have this changed byte.
    start, size = (Image.open(io.BytesIO(body)).tag_v2[tag][0] for tag in (273, 279))
    body[start + size // 2] ^= 0x10
    pdf = pikepdf.open(io.BytesIO(rendered(bytes(body)).pdf))
    (image,) = pdf.pages[0].Resources.XObject.values()
    assert image.read_raw_bytes() == body[start : start + size]


def test_every_page_of_a_tiff_is_there():
    assert page_count(rendered(multipage_tiff()).pdf) == 3


def test_sixteen_bit_greys_are_converted_and_noted():
    out = io.BytesIO()
    Image.new("I;16", (50, 50), 40_000).save(out, "TIFF")
    result = rendered(out.getvalue())
    assert (result.rung, result.notes) == ("converted", ("colours-converted",))
    assert abs(page_image(result.pdf).getpixel((298, 421)) - 40_000 // 257) <= 2


def test_images_beyond_a_hundred_megapixels_are_refused_without_decoding():
    huge = bytearray(image_bytes("png", "L"))
    huge[16:24] = (60_000).to_bytes(4, "big") * 2
    huge[29:33] = zlib.crc32(huge[12:29]).to_bytes(4, "big")
    with pytest.raises(BodyUnreadable, match="megapixels"):
        rendered(bytes(huge))
    jpeg = bytearray(image_bytes("jpeg", "L"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = (60_000).to_bytes(2, "big") * 2
    with pytest.raises(BodyUnreadable, match="megapixels"):
        rendered(bytes(jpeg))


@pytest.mark.parametrize("name", PICTURES)
def test_cut_images_are_unreadable(name):
    body = PICTURES[name]
    for share in (0.3, 0.6, 0.9):
        with pytest.raises(BodyUnreadable):
            rendered(body[: int(len(body) * share)], name.split()[0])


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(sorted(PICTURES)), st.data())
def test_a_damaged_image_is_shown_or_refused_never_an_accident(name, data):
    body = bytearray(PICTURES[name])
    for _ in range(3):
        body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(BodyUnreadable):
        assert page_count(rendered(bytes(body), name.split()[0]).pdf) >= 1


def plain_pdf(**options: object) -> bytes:
    pdf = pikepdf.new()
    pdf.add_blank_page()
    out = io.BytesIO()
    pdf.save(out, **options)
    return out.getvalue()


def test_a_pdf_is_carried_as_it_came():
    own = rendered(b"bonjour").pdf
    assert rendered(own) == (own, "carried", ())
    foreign = plain_pdf()
    assert rendered(foreign) == (foreign, "carried", ("pdf-not-declared-pdfa1",))


@pytest.mark.parametrize("user", ["", "secret"])
def test_an_encrypted_pdf_is_carried_and_noted(user):
    body = plain_pdf(encryption=pikepdf.Encryption(owner="o", user=user))
    assert rendered(body).notes == ("pdf-encrypted", "pdf-not-declared-pdfa1")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_cut_pdf_is_unreadable(share):
    body = rendered(b"bonjour").pdf
    with pytest.raises(BodyUnreadable, match="pdf"):
        rendered(body[: int(len(body) * share)], "pdf")


@pytest.mark.parametrize("kind", ["pdf", "jpeg", "tiff", "png", "rtf", "xml", "zip", "unknown", "empty", "cda"])
def test_errors_say_the_kind_and_never_the_content(kind):
    with pytest.raises(BodyUnreadable) as caught:
        render(b"DUPONT Jean 255081416802538", kind, **FACTS)
    assert caught.value.kind == kind
    assert not re.search("DUPONT|Jean|2550814", str(caught.value) + repr(caught.value.__cause__))
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("kind", ["text", "rtf", "html"])
def test_a_body_without_text_says_so(kind):
    body = {"text": b" \n", "rtf": rb"{\rtf1\par\par}", "html": b"<p> </p>"}[kind]
    result = rendered(body, kind)
    assert result.notes == ("no-text",)
    assert "aucun texte" in text_of(result.pdf)


@pytest.mark.parametrize("body", [LETTER_TEXT.encode(), LETTER_RTF, LETTER_HTML, *PICTURES.values(), multipage_tiff()])
def test_rendering_is_deterministic(body):
    assert rendered(body) == rendered(body)


def test_the_notice_is_one_page_in_french():
    page = notice("le fichier est tronqué", "DOC-42", created=CREATED, identifier="DOC-42")
    shown = text_of(page)
    assert page_count(page) == 1
    assert all(part in shown for part in ("tel quel", "le fichier est tronqué", "DOC-42"))


def test_logs_and_warnings_stay_silent_about_damaged_bodies(caplog, recwarn):
    damaged = [rendered(b"DUPONT").pdf.replace(b"/Kids", b"/Kidz"), multipage_tiff().replace(b"\x1c\x01", b"\x1d\x7f")]
    for body in damaged:
        with contextlib.suppress(BodyUnreadable):
            rendered(body)
    assert not caplog.records
    assert not recwarn.list
