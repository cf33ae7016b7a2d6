"""Each PDF of a practice reaches its rung of the ladder to PDF/A-1, and what is seen stays; hostile ones cost no more than their limits.

That the results are PDF/A-1b is for tests/conformity.
"""

from __future__ import annotations

import hashlib
import io
import os
import signal
import time
import unicodedata
from datetime import UTC, datetime, timedelta

import numpy
import pikepdf
import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transvase.exporters.pdf import beside, bitmaps, ladder, raster
from transvase.exporters.pdf.typeface import FACES, SUBSETS, face, fitted
from transvase.exporters.pdf.writer import Paragraph, text_document
from transvase.formats import pdfa
from transvase.model.verdict import CATALOGUE

from .brought import BROUGHT, HOSTILE, TEXT, changed, drawing, helvetica, own
from .samples import CREATED, FACTS, text_of

DPI = 100


@pytest.fixture(scope="module")
def reached():
    """(body, where it stands) of each brought PDF."""
    made = {name: make() for name, (make, _, _) in BROUGHT.items()}
    return {name: (body, ladder.climb(body, dpi=DPI, **FACTS)) for name, body in made.items()}


def shown(body: bytes) -> list[tuple[tuple[float, float], numpy.ndarray]]:
    """Size and pixels of each page, as a reader shows it on the screen."""
    pdf = pypdfium2.PdfDocument(body)
    if pdf.get_formtype() != pypdfium2.raw.FORMTYPE_NONE:
        pdf.init_forms()
    pages = []
    for page in pdf:
        size = page.get_size()
        pages.append((size, page.render(scale=min(1, 1500 / max(size)), rev_byteorder=True).to_numpy().astype(int)))
    return pages


def difference(before: numpy.ndarray, after: numpy.ndarray) -> float:
    """The largest difference between squares of eight pixels: edges are smoothed otherwise, a word or a box that is missing shows."""
    down, across = before.shape[0] // 8 * 8, before.shape[1] // 8 * 8
    squares = [p[:down, :across].reshape(down // 8, 8, across // 8, 8, 3).mean(axis=(1, 3)) for p in (before, after)]
    return float(abs(squares[0] - squares[1]).max())


@pytest.mark.parametrize("name", BROUGHT)
def test_each_pdf_reaches_its_rung_and_says_why(reached, name):
    _, rung, reasons = BROUGHT[name]
    stands = reached[name][1]
    assert (stands.rung, reasons - set(stands.reasons)) == (rung, set())
    assert bool(stands.pdf) == (rung in ("mended", "rasterised"))
    assert set(stands.reasons) <= set(pdfa.DEFECTS) and bool(stands.reasons) == (rung != "untouched")


def test_every_defect_is_met():
    met = set.union(*(reasons for _, _, reasons in BROUGHT.values()))
    # Limits of size are below; a font described wrongly and a wrong layer need no file of their own.
    assert set(pdfa.DEFECTS) - met == {"beyond-limits", "font-rules"}


# The only wish of a file that is not kept: the smoothing of an enlarged image, whose pixels stay.
SMOOTHED = {"smoothed-image"}


@pytest.mark.parametrize("name", [n for n, (_, rung, _) in BROUGHT.items() if rung == "mended" and n not in SMOOTHED])
def test_a_mended_pdf_looks_the_same_to_the_pixel(reached, name):
    body, stands = reached[name]
    for (size, before), (after_size, after) in zip(shown(body), shown(stands.pdf), strict=True):
        assert after_size == size and numpy.array_equal(before, after)


# Two readings of a damaged file need not agree on what it holds.
@pytest.mark.parametrize("name", [n for n, (_, rung, _) in BROUGHT.items() if rung == "rasterised"])
def test_a_drawn_page_keeps_its_size_and_looks_the_same(reached, name):
    body, stands = reached[name]
    for (size, before), (after_size, after) in zip(shown(body), shown(stands.pdf), strict=True):
        assert after_size == pytest.approx(size, abs=0.01)
        assert abs(before - after).mean() < 1.2 and difference(before, after) < 50


def test_the_comparison_sees_a_word_that_is_missing():
    with_it, without = (shown(body)[0][1] for body in (changed(drawing(TEXT, Font={"H": helvetica})), changed()))
    assert difference(with_it, without) > 70


def test_the_text_of_drawn_pages_is_found_where_it_is_seen(reached):
    body, stands = reached["turned-and-cropped"]
    # The page is cut: what is outside is not shown, and is not found.
    assert "Dyspnée" not in text_of(stands.pdf) and "Bonjour" in text_of(stands.pdf)
    places = []
    for data in (body, stands.pdf):
        page = pypdfium2.PdfDocument(data)[0]
        text = page.get_textpage()
        start, _ = text.search("tourne").get_next()
        left, bottom, right, top = text.get_charbox(start, loose=True)
        x, y = pypdfium2.PdfPosConv(page, (0, 0, 1000, 1000, 0)).to_bitmap((left + right) / 2, (bottom + top) / 2)
        places.append((x, y))
    assert places[0] == pytest.approx(places[1], abs=25)


@settings(max_examples=30, deadline=None)
@given(
    st.text(
        # A ligature is read back as its letters.
        st.characters(codec="utf-8", exclude_categories=["C", "Z"], max_codepoint=0xFFFF).filter(
            lambda c: c.isascii() or not any(x.isascii() for x in unicodedata.normalize("NFKC", c))
        ),
        min_size=1,
        max_size=20,
    )
)
def test_any_word_laid_over_a_page_is_read_back(word):
    sheet = raster.Sheet(
        300, 100, b"/ColorSpace/DeviceGray/BitsPerComponent 8", b"\xff", 1, 1, (raster.Word(word, 10, 10, 200, 30, 0),)
    )
    pdf = raster.file([sheet], **FACTS)
    page = pypdfium2.PdfDocument(pdf)[0].get_textpage()
    read = "".join(chr(pypdfium2.raw.FPDFText_GetUnicode(page, i)) for i in range(page.count_chars()))
    # pdfium puts right-to-left, with its brackets, and hyphens in the form it prefers; every character is there.
    plain, told = (
        sorted(c for c in text if c.isascii() and c.isprintable() and c not in " -" and not unicodedata.mirrored(c))
        for text in (word, read)
    )
    assert plain == told or not plain


def test_the_same_arguments_give_the_same_bytes(reached):
    for name, (body, stands) in reached.items():
        ladder._drawn.clear()
        assert ladder.climb(body, dpi=DPI, **FACTS) == stands, name


def test_dates_and_titles_of_the_file_are_kept_and_others_come_from_the_caller():
    one = ladder.climb(changed(), dpi=0, **FACTS).pdf
    with pikepdf.open(io.BytesIO(one)) as pdf:
        assert str(pdf.docinfo["/Title"]) == "Compte rendu"
        assert pdfa.instant(str(pdf.docinfo["/CreationDate"])) == CREATED
    bare = changed(lambda pdf: pdf.trailer.__delitem__("/Info"))
    later = {**FACTS, "title": "Autre", "created": CREATED + timedelta(days=1)}
    with pikepdf.open(io.BytesIO(ladder.climb(bare, dpi=0, **later).pdf)) as pdf:
        assert str(pdf.docinfo["/Title"]) == "Autre"
        assert pdfa.instant(str(pdf.docinfo["/ModDate"])) == CREATED + timedelta(days=1)


def test_pages_are_drawn_only_when_asked(reached):
    for name, (_, rung, _) in BROUGHT.items():
        body, stands = reached[name]
        undrawn = ladder.climb(body, dpi=0, **FACTS)
        if rung == "rasterised":
            assert (undrawn.rung, undrawn.pdf, undrawn.reasons) == (
                "carried",
                b"",
                (*stands.reasons, ladder.NOT_ASKED),
            ), name
        elif name != "nothing":
            assert undrawn == stands, name


def test_the_resolution_is_the_one_asked_for():
    body = changed(drawing(TEXT, Font={"H": helvetica}))
    for dpi in (72, 144):
        with pikepdf.open(io.BytesIO(ladder.climb(body, dpi=dpi, **FACTS).pdf)) as pdf:
            assert int(pdf.pages[0].Resources.XObject.I.Width) == pytest.approx(595.28 / 72 * dpi, abs=1.5)


def test_a_notice_says_the_reason_and_no_content():
    page = ladder.notice(("password",), "document 7", created=CREATED, identifier="x")
    assert "mot de passe" in text_of(page) and "document 7" in text_of(page)
    assert ladder.climb(page, dpi=0, **FACTS).rung == "untouched"


def test_the_rungs_short_of_the_pdf_that_came_have_their_rule():
    assert {"PDF-RASTERISED", "PDF-CARRIED"} == {r for r in CATALOGUE if r.startswith("PDF-")}


@pytest.mark.parametrize(("text", "moment"), [
    ("D:20261123110000+01'00'", CREATED), ("D:20261123110000+01'00", CREATED), ("2026-11-23T11:00:00+01:00", CREATED),
    ("2026-11-23T10:00:00Z", CREATED), ("D:20261123100000Z", CREATED), ("D:2026", datetime(2026, 1, 1, tzinfo=UTC)),
    ("2026-11-23T10:00:00.250Z", CREATED), ("hier", None), ("D:20261399", None), ("", None),
])  # fmt: skip
def test_dates_of_pdf_and_xmp_are_one_instant(text, moment):
    assert pdfa.instant(text) == moment


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_pdf_reaches_some_rung_never_an_accident(data):
    body = bytearray(changed() if data.draw(st.booleans()) else own())
    for _ in range(4):
        body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    assert ladder.climb(bytes(body[: data.draw(st.integers(1, len(body)))]), dpi=36, **FACTS).rung in ladder.RUNGS


# -- the process beside ----------------------------------------------------------------------------------------------------


def packed() -> bytes:
    """A PDF whose mending needs the libraries, and so the process."""
    return BROUGHT["object-streams"][0]()


@pytest.fixture
def process():
    one = beside.Beside(seconds=2, memory=1 << 30)
    yield one
    one.close()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pdf_costs_its_limits_and_the_next_one_is_served(process, name):
    body = HOSTILE[name]()
    before = time.monotonic()
    stands = process.climb(body, dpi=36, **FACTS)
    assert time.monotonic() - before < 20
    assert stands.rung in ladder.RUNGS and len(stands.pdf) < 1_000_000
    assert process.climb(packed(), dpi=36, **FACTS).rung == "mended"
    if name in ("bomb", "many-pages"):
        assert (stands.rung, stands.reasons) == ("carried", ("beyond-limits",))
    if stands.rung == "carried":
        before = time.monotonic()
        assert process.climb(body, dpi=36, **FACTS) == stands
        assert time.monotonic() - before < 0.1, "remembered"


def test_what_comes_back_from_the_process_is_what_is_made_here(process, reached):
    for name in ("pdfa", "no-xmp", "object-streams", "font-not-embedded", "password"):
        body, stands = reached[name]
        assert process.climb(body, dpi=DPI, **FACTS) == stands


def test_a_process_that_died_is_replaced(process):
    body = packed()
    whole = process.climb(body, dpi=36, **FACTS)
    os.kill(process._process.pid, signal.SIGKILL)
    process._process.wait()
    assert process.climb(body, dpi=36, **FACTS) == whole


def test_the_process_keeps_the_bytes_of_nobody(process):
    for body in (packed(), BROUGHT["password"][0]()):
        process.climb(body, dpi=36, **FACTS)
    assert process._known and all(not stands.pdf for stands in process._known.values())
    assert all(len(digest) == hashlib.sha256().digest_size for digest, _ in process._known)


# -- our own writer --------------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30))
def test_every_character_of_our_own_pages_has_a_glyph_or_is_told_by_its_code(text):
    drawable = fitted(text)
    for name in FACES:
        widths = face(SUBSETS[drawable.subset], name).widths
        assert set(drawable.text) - {"\n", "\t"} - drawable.others <= set(widths)
    assert all(map(bitmaps.holds, drawable.others))


@pytest.mark.parametrize(
    ("text", "told"),
    [("Ж ∑ ≥ œ", ()), ("שלום", ("שלום",)), ("診 est écrit", ("診 est",)), ("😀", ("[U+1F600]",))],
)
def test_no_box_stands_for_a_character(text, told):
    pdf = text_document("x", [Paragraph(text)], created=CREATED, identifier="x")
    assert "\ufffd" not in text_of(pdf) and all(code in text_of(pdf) for code in told)
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        assert {
            str(f.DescendantFonts[0].FontDescriptor.get("/FontFile2") is not None)
            for f in opened.pages[0].Resources.Font.values()
        } == {"True"}
