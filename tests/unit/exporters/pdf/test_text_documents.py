"""Text documents: what is written can be read back, found, and looks as it should."""

from __future__ import annotations

import io
import itertools
import re
from datetime import datetime, timedelta, timezone

import pikepdf
import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transvase.exporters.pdf import typeface
from transvase.exporters.pdf.icc import srgb
from transvase.exporters.pdf.typeface import FACES, SUBSETS, face, fitted
from transvase.exporters.pdf.writer import Heading, PageBreak, Paragraph, Rule, Table, text_document, typeset

from .samples import CREATED, page_count, text_of

FACTS = {"created": CREATED, "identifier": "DOC-1"}
ACCENTS = "Hôpital d’été : çà, œdème, naïf, Noël, ÆŒŸ ; ≤ 2 µg, SpO₂ → 98 % (\\)"


def written(*blocks, title="Titre", **more) -> bytes:
    return text_document(title, blocks, **{**FACTS, **more})


@pytest.mark.parametrize(
    "block", [Paragraph(ACCENTS), Paragraph(ACCENTS, bold=True), Heading(ACCENTS), Table([[ACCENTS]])]
)
def test_accents_and_delimiters_come_back_from_every_kind_of_block(block):
    assert ACCENTS in text_of(written(block))


def test_the_same_arguments_give_the_same_bytes_and_another_identifier_another_id():
    once, again, other = written(Paragraph("a")), written(Paragraph("a")), written(Paragraph("a"), identifier="DOC-2")
    assert once == again
    ids = [re.search(rb"/ID\[<(\w{32})>", pdf)[1] for pdf in (once, other)]
    assert ids[0] != ids[1]


def test_metadata_say_the_same_in_both_places():
    zone = timezone(timedelta(hours=-3, minutes=-30))
    pdf = pikepdf.open(
        io.BytesIO(written(title="Été <&> “x”\x07\n", created=datetime(2020, 2, 3, 4, 5, 6, tzinfo=zone)))
    )
    xmp = pdf.open_metadata()
    assert str(pdf.docinfo["/Title"]) == xmp["dc:title"] == "Été <&> “x”"
    assert str(pdf.docinfo["/CreationDate"]) == "D:20200203040506-03'30'"
    assert xmp["xmp:CreateDate"] == "2020-02-03T04:05:06-03:30"
    assert (xmp["pdfaid:part"], xmp["pdfaid:conformance"]) == ("1", "B")
    assert str(pdf.Root.Lang) == "fr-FR"


def test_a_date_without_time_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        written(created=datetime(2020, 1, 1))


def test_the_file_is_read_without_repair_and_has_the_structure_of_pdf_1_4():
    body = written(Paragraph("a" * 5000))
    pdf = pikepdf.open(io.BytesIO(body))
    assert pdf.check_pdf_syntax() == [] if hasattr(pdf, "check_pdf_syntax") else pdf.check() == []
    assert pdf.pdf_version == "1.4"
    assert b"/ObjStm" not in body
    assert b"/SMask" not in body


def test_five_hundred_rows_keep_every_row_once_and_repeat_the_header():
    rows = [["Examen", "Valeur", "Unité"], *([f"Analyse {n:03}", f"{n},5", "mmol/L"] for n in range(500))]
    document = written(Table(rows), header="Cabinet", footer="Pied")
    pages = page_count(document)
    text = text_of(document)
    assert re.findall(r"Analyse (\d{3})", text) == [f"{n:03}" for n in range(500)]
    assert text.count("Examen Valeur Unité") == pages > 10
    assert re.findall(rf"\b(\d+)/{pages}\b", text) == [str(n) for n in range(1, pages + 1)]
    assert text.count("Cabinet") == text.count("Pied") == pages


def test_a_row_taller_than_a_page_goes_on_over_the_next_ones():
    words = [f"mot{n}" for n in range(3000)]
    document = written(Table([["a", "b"], ["x", " ".join(words)]]))
    assert re.findall(r"mot\d+", text_of(document)) == words
    assert page_count(document) > 2


def test_a_cell_of_a_hundred_pages_is_laid_out():
    assert page_count(written(Table([["x " * 100, "mot " * 200_000]]))) > 100


def test_a_header_row_taller_than_a_page_loses_nothing():
    words = [f"mot{n}" for n in range(3000)]
    text = text_of(written(Table([["a", " ".join(words)], ["x", "fin"]])))
    assert re.findall(r"mot\d+", text) == words
    assert "fin" in text


@pytest.mark.parametrize("columns", [1, 2, 7, 20, 21, 60])
def test_every_cell_of_a_wide_or_ragged_table_is_there(columns):
    rows = [[f"c{n}" for n in range(columns)], ["seule"], [f"v{n}" for n in range(columns)]]
    shown = text_of(written(Table(rows))).replace(" ", "")
    assert all(cell in shown for row in rows for cell in row)


@pytest.mark.parametrize(
    "text",
    [
        "mot " * 3000,
        "x" * 5000,
        "ligne\n" * 300,
        "\t".join("abcdef") * 40,
        "M" * 300 + " " + "i" * 3000,
        "  retrait " * 99,
    ],
    ids=["words", "one word", "lines", "tabs", "wide and narrow", "indented"],
)
@pytest.mark.parametrize("bold", [False, True])
def test_nothing_is_written_outside_the_margins(text, bold):
    document = pypdfium2.PdfDocument(written(Paragraph(text, bold), Table([["a", text], ["b", text]])))
    for page in document:
        content = page.get_textpage()
        boxes = [content.get_rect(n) for n in range(content.count_rects())]
        assert min(box[0] for box in boxes) >= 49
        assert max(box[2] for box in boxes) <= 595.28 - 49
        assert min(box[1] for box in boxes) >= 20
        assert max(box[3] for box in boxes) <= 841.89 - 20


def test_lines_do_not_overlap():
    page = pypdfium2.PdfDocument(written(Paragraph("mot " * 800), Paragraph("autre " * 400)))[0].get_textpage()
    tops = sorted(
        {round(page.get_charbox(n)[1]) for n in range(page.count_chars()) if page.get_text_range(n, 1) == "m"}
    )
    assert min(after - before for before, after in itertools.pairwise(tops)) > 10


def test_a_heading_never_ends_a_page():
    for filling in range(40, 64):
        document = pypdfium2.PdfDocument(written(Paragraph("l\n" * filling), Heading("Chapitre"), Paragraph("suite")))
        pages = [page.get_textpage().get_text_range() for page in document]
        assert any("Chapitre" in page and "suite" in page for page in pages)


def test_page_breaks_make_no_blank_page():
    assert page_count(written(PageBreak(), Paragraph("a"), PageBreak(), PageBreak(), Paragraph("b"), title="")) == 2


def test_an_empty_document_is_one_page():
    assert page_count(written(title="")) == 1
    assert page_count(written(Rule(), Table([]), Paragraph(""))) == 1


def test_a_plain_letter_carries_one_light_face_only():
    body = written(Paragraph("Cher confrère, " * 20))
    assert b"DejaVuSans-Bold" not in body
    assert len(body) < 30_000


@pytest.mark.parametrize(
    "text, subset",
    [
        pytest.param("Élève à l’hôpital — 12 °C, ≥ 2 µg : « œdème » 20\u202f%, 3 €…", "common", id="usual French"),
        pytest.param("Łęcka Dvořák Őry Țepeș Şahin Žižek", "french", id="names of Europe"),
        pytest.param("SpO₂ → 98 %, α ≈ 3", "french", id="signs of medical notes"),
        pytest.param("Жизнь", "full", id="another script"),
    ],
)
@pytest.mark.parametrize("block", [Paragraph, Heading, lambda text: Table([[text], ["b"]])])
def test_a_document_embeds_the_lightest_subset_that_holds_its_text(text, subset, block):
    tags = {tag for tag, name in zip("CFU", SUBSETS, strict=True) if f"/TR{tag}".encode() in written(block(text))}
    assert tags == {"CFU"[SUBSETS.index(subset)]}
    assert " ".join(text.split()) in text_of(written(block(text)))


@pytest.mark.parametrize("name", FACES)
def test_each_subset_holds_the_one_before_with_the_same_widths(name):
    for light, heavy in itertools.pairwise(SUBSETS):
        assert face(light, name).widths.items() <= face(heavy, name).widths.items()


def test_a_line_feed_cannot_be_mistaken_inside_an_encoded_line():
    assert not [char for name in FACES for char in face(SUBSETS[-1], name).widths if ord(char) >> 8 == 0x0A]
    lines = ["Ċ\\ĀĊ", "", "(a)", "Ā"]
    assert typeface.encoded(lines) == [typeface.encoded([line])[0] for line in lines]
    assert typeface.encoded([]) == []


def test_lengths_are_those_of_the_characters_however_many_texts_were_measured(monkeypatch):
    monkeypatch.setattr(typeface, "_REMEMBERED", 3)
    widths = face("common", "regular").widths
    lengths = typeface.Lengths(widths)
    texts = ["", "a", "été", "i" * 200, *map(str, range(20)), "a"]
    assert [lengths[text] for text in texts] == [sum(widths[char] for char in text) for text in texts]
    assert len(lengths) <= 3


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.text("abé(\\", max_size=6), min_size=2, max_size=4), min_size=2, max_size=6),
    st.integers(1, 30),
)
def test_rows_of_single_lines_stand_where_rows_laid_out_one_by_one_do(rows, times):
    def places(last: str) -> list[tuple[int, str, int, int]]:
        document = pypdfium2.PdfDocument(written(Table([*rows * times, [last, "", "", ""]])))
        found = []
        for number, page in enumerate(document):
            text = page.get_textpage()
            for n in range(text.count_chars()):
                if (char := text.get_text_range(n, 1)) in "abé(\\":
                    left, _, _, top = text.get_charbox(n)
                    found.append((number, char, round(left), round(top)))
        return found

    # A last row of two lines has every row laid out one by one. It may itself need one more page, and its header.
    one_by_one, at_once = places("Z\nZ"), places("Z")
    assert one_by_one[: len(at_once)] == at_once


@pytest.mark.parametrize(
    "source, shown, coded",
    [
        pytest.param("e\u0301t\u00e9", "été", 0, id="marks are composed"),
        pytest.param("a\u00adb\u200bc\ufeffd", "abcd", 0, id="inkless characters go"),
        pytest.param("a\u202eb", "a[U+202E]b", 1, id="direction override is shown"),
        pytest.param("\u200f", "[U+200F]", 1, id="right-to-left mark is shown"),
        pytest.param("a\x00\x07b", "a[U+0000][U+0007]b", 2, id="control characters are shown"),
        pytest.param("שלום", "שלום", 0, id="a script of the second typeface"),
        pytest.param(
            "\ue000\uffff\u0378", "[U+E000][U+FFFF][U+0378]", 3, id="private and unassigned characters are shown"
        ),
        pytest.param("😀", "[U+1F600]", 1, id="beyond the basic plane"),
        pytest.param("\ud800", "[U+D800]", 1, id="lone surrogate"),
        pytest.param("a\r\nb\rc\u2028d", "a\nb\nc\nd", 0, id="line ends"),
        pytest.param("Ψυχή Жизнь ∑ ☎ ─┼", "Ψυχή Жизнь ∑ ☎ ─┼", 0, id="Greek, Cyrillic, signs, boxes"),
    ],
)
def test_what_the_font_lacks_is_never_a_blank_box(source, shown, coded):
    assert (fitted(source).text, fitted(source).coded) == (shown, coded)
    result = typeset("t", [Paragraph(f"[{source}]")], **FACTS)
    assert result.coded == coded
    assert "".join(f"[{shown}]".split()) in text_of(result.pdf).replace(" ", "")


@settings(max_examples=60, deadline=None)
@given(st.text(), st.booleans(), st.lists(st.lists(st.text(max_size=30), max_size=5), max_size=4))
def test_any_text_makes_a_document_other_programs_read(text, bold, rows):
    document = typeset(text, [Paragraph(text, bold), Heading(text, 2), Table(rows)], **FACTS, header=text[:20])
    assert page_count(document.pdf) == document.pages


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(st.sampled_from("abcéœ)(\\≤ČĊ"), min_size=1, max_size=120), min_size=1, max_size=80))
def test_no_word_is_lost_by_wrapping(words):
    shown = text_of(written(Paragraph(" ".join(words)), title="")).replace(" ", "")
    assert "".join(words) in shown


def test_a_header_that_eats_the_page_is_refused():
    with pytest.raises(ValueError, match="header"):
        written(header="ligne\n" * 60)


def test_the_colour_profile_is_version_2_and_means_srgb():
    from PIL import Image, ImageCms

    profile = ImageCms.ImageCmsProfile(io.BytesIO(srgb()))
    assert profile.profile.version < 3
    colours = Image.new("RGB", (4, 1))
    colours.putdata([(255, 0, 0), (12, 200, 99), (128, 128, 128), (255, 255, 255)])
    through = ImageCms.profileToProfile(colours, profile, ImageCms.createProfile("sRGB"))
    differences = [abs(a - b) for a, b in zip(colours.tobytes(), through.tobytes(), strict=True)]
    assert max(differences) <= 2
