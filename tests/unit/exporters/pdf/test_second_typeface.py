"""The second typeface of text documents: what the first lacks is drawn, found and copied; what neither holds is named, never a box."""

from __future__ import annotations

import io
import itertools
import re
import unicodedata

import pikepdf
import pypdfium2
import pytest
from fontTools.ttLib import TTFont
from hypothesis import given, settings
from hypothesis import strategies as st

from transvase.exporters.pdf import bitmaps, direction, typeface
from transvase.exporters.pdf.render import render
from transvase.exporters.pdf.writer import Bars, Heading, Paragraph, Table, typeset

from .samples import CREATED, text_of

FACTS = {"created": CREATED, "identifier": "DOC-1"}
SCRIPTS = {
    "Chinese": "王小明李雷慢性病",
    "Japanese": "東京ひらがなカタカナ",
    "Korean": "한국어",
    "Hebrew": "שלום עולם",
    "Arabic": "مرحبا بالعالم",
    "Thai": "สวัสดี",
    "Devanagari": "नमस्ते",
    "Gujarati": "ગુજરાતી",
    "Gurmukhi": "ਪੰਜਾਬੀ",
    "Armenian": "Հայաստան",
    "Georgian": "საქართველო",
    "Ethiopic": "አማርኛ",
}


def written(*blocks, **more) -> bytes:
    return typeset("t", blocks, **FACTS, **more).pdf


@pytest.mark.parametrize("text", SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.parametrize(
    "block",
    [Paragraph, lambda text: Paragraph(text, True), Heading, lambda text: Table([["Nom", "x"], [text, "Été"]])],
    ids=["paragraph", "bold", "heading", "cell"],
)
def test_each_script_is_found_as_it_was_typed_among_french_words(block, text):
    result = typeset("t", [block(f"Été {text} fin")], **FACTS)
    assert result.coded == 0
    found = text_of(result.pdf)
    if unicodedata.bidirectional(text[0]) == "L":
        assert f"Été {text} fin" in found
    # Readers differ on the order of such words in a line of two directions, not on the words.
    assert all(word in found.split() for word in ("Été", *text.split(), "fin"))
    assert b"TransvaseDots" in result.pdf


def test_a_line_of_one_direction_comes_back_in_its_order():
    assert "שלום עולם אב 12,5 גד" in text_of(written(Paragraph("שלום עולם אב 12,5 גד")))


def test_names_on_the_header_the_footer_the_title_and_the_bars():
    bars = Bars([("王", (0.5, 0.5, 0.5))], [("李雷", [(0, 3)])])
    text = text_of(typeset("小明", [bars], **FACTS, header="東京", footer="한국어").pdf)
    assert [name for name in ("小明", "王", "李雷", "東京", "한국어") if name not in text] == []


def test_a_text_of_the_first_typeface_does_not_load_the_second(monkeypatch):
    def refused() -> None:
        raise AssertionError("the second typeface was loaded")

    monkeypatch.setattr(bitmaps, "_signs", refused)
    assert b"TransvaseDots" not in written(Paragraph("Élève Жизнь ∑ ☎"), Table([["a"]]))


def test_only_the_characters_of_the_text_are_embedded_in_a_font_of_outlines():
    pdf = pikepdf.open(io.BytesIO(written(Paragraph("été 王 王 小"))))
    fonts = pdf.pages[0].Resources.Font
    descendant = fonts["/F2"].DescendantFonts[0]
    program = TTFont(io.BytesIO(descendant.FontDescriptor.FontFile2.read_bytes()))
    assert len(program.getGlyphOrder()) == 1 + 2
    assert {"/F0", "/F2"} == set(fonts.keys())
    places = descendant.CIDToGIDMap.read_bytes()
    assert [int.from_bytes(places[2 * ord(c) : 2 * ord(c) + 2], "big") for c in "小王"] == [1, 2]


def test_the_same_text_gives_the_same_bytes():
    assert written(Paragraph("王 שלום ก้")) == written(Paragraph("王 שלום ก้"))


@pytest.mark.parametrize("text", SCRIPTS.values(), ids=SCRIPTS)
def test_each_letter_of_a_script_leaves_ink_of_its_own(text):
    letters = [char for char in dict.fromkeys(text) if unicodedata.category(char)[0] == "L"]
    page = pypdfium2.PdfDocument(written(*(Paragraph(char * 40) for char in letters)))[0]
    dots = page.render(scale=1).to_numpy()[:, :, 0] < 160
    text_page, drawn = page.get_textpage(), []
    for char in letters:
        index = next(n for n in range(text_page.count_chars()) if text_page.get_text_range(n, 1) == char)
        top = int(page.get_height() - text_page.get_charbox(index, loose=True)[3])
        drawn.append(dots[top - 1 : top + 13, 50:450])
    assert min(lines.sum() for lines in drawn) > 100
    assert len({lines.tobytes() for lines in drawn}) == len(letters), "alike: boxes"


@pytest.mark.parametrize(
    "codes",
    [
        pytest.param(range(0x20), id="controls"),
        pytest.param([0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)], id="direction marks"),
        pytest.param(range(0xD800, 0xE000), id="surrogates"),
        pytest.param(range(0xE000, 0xF900), id="private"),
        pytest.param([0x0378, 0xFFFE, 0xFFFF], id="unassigned"),
        pytest.param([0x115F, 0x1160, 0x3164, 0xFFA0], id="fillers"),
        pytest.param([0x1F600, 0x20000], id="beyond the basic plane"),
    ],
)
def test_what_nobody_could_read_is_not_held(codes):
    assert not [code for code in codes if bitmaps.holds(chr(code))]


def test_everything_held_has_ink_or_is_a_space():
    held = [code for code in range(0x10000) if bitmaps.holds(chr(code))]
    assert len(held) > 55_000
    signs = bitmaps._signs()
    lines = {code: signs.lines[16 * signs.starts[code] : 16 * signs.starts[code + 1]] for code in held}
    blank = [chr(code) for code in held if not any(lines[code])]
    assert {unicodedata.category(char) for char in blank} == {"Zs"}


def test_the_outline_of_each_character_covers_its_dots_exactly():
    for char in ("王", "ก", "A", "ש", "8", "㋿", "▓", "/"):
        signs = bitmaps._signs()
        width = signs.kinds[ord(char)] & 3
        start = signs.starts[ord(char)] * 16
        dots = sum(byte.bit_count() for byte in signs.lines[start : start + 16 * width])
        area = 0
        for corners in bitmaps.outlines(ord(char)):
            for (x, y), (following_x, following_y) in zip(corners, [*corners[1:], corners[0]], strict=True):
                assert x == following_x or y == following_y
                # Clockwise is ink.
                area += following_x * y - x * following_y
        assert area == 2 * dots * (bitmaps.UNITS // 16) ** 2


@pytest.mark.parametrize(
    ("char", "width"), [("王", 1000), ("ก", 500), ("\u0e34", 0), ("\u05b8", 0), ("ש", 500), ("\u3000", 1000)]
)
def test_widths(char, width):
    assert bitmaps.advance(char) == width


@pytest.mark.parametrize("char", ["\u0e34", "\u0940", "\u05b8", "\u064e", "\u0300"])
def test_a_mark_is_drawn_on_its_letter_whichever_side_that_stands(char):
    """Marks of scripts read from right to left come before their letter on the page, the others after it."""
    sides = [x for corners in bitmaps.outlines(ord(char)) for x, _ in corners]
    if 0x590 <= ord(char) < 0x700:
        assert min(sides) >= 0
    else:
        assert max(sides) <= 0


def test_lines_of_wide_characters_stay_within_the_margins():
    document = pypdfium2.PdfDocument(
        written(Paragraph("王" * 700), Paragraph("mot 王小明 " * 90, True), Table([["a", "王" * 300], ["b", "王\t小"]]))
    )
    for page in document:
        content = page.get_textpage()
        boxes = [content.get_charbox(n) for n in range(content.count_chars()) if content.get_text_range(n, 1).strip()]
        assert min(box[0] for box in boxes) >= 49
        assert max(box[2] for box in boxes) <= 595.28 - 49


@pytest.mark.parametrize(
    "line, shown",
    [
        pytest.param("été 12", "été 12", id="left to right"),
        pytest.param("אבג", "גבא", id="a word"),
        pytest.param("nom אבג דה fin", "nom הד גבא fin", id="words among others"),
        pytest.param("אב x גד", "בא x דג", id="two runs"),
        pytest.param("אב 12,5 גד", "דג 12,5 בא", id="a number between"),
        pytest.param("אב 12/05/2026", "12/05/2026 בא", id="a number after"),
        pytest.param("12 אב", "12 בא", id="a number before"),
        pytest.param("אב (12 %) fin", "בא (12 %) fin", id="brackets after"),
        pytest.param("אב «ג» ד", "ד «ג» בא", id="quotation marks between, mirrored"),
        pytest.param("א(ב)ג", "ג(ב)א", id="brackets between, mirrored"),
        pytest.param("א\u05b8ב", "ב\u05b8א", id="a mark comes before its letter"),
        pytest.param("مر ١٢", "١٢ رم", id="Arabic digits"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_order_on_the_page(line, shown):
    assert direction.shown(line) == shown


@settings(max_examples=200, deadline=None)
@given(st.text("abאבج1,( )\u05b8", max_size=20))
def test_turning_a_line_loses_and_adds_nothing(line):
    mirrored = {"(": "|", ")": "|"}
    assert sorted(mirrored.get(c, c) for c in direction.shown(line)) == sorted(mirrored.get(c, c) for c in line)


@settings(max_examples=30, deadline=None)
@given(st.text(st.sampled_from("aé王一Āひก\\()ऊ\u0a0dਪ\u0a0a\u0b0aЖ\ue000"), min_size=1, max_size=60))
def test_any_mixture_comes_back_whole(text):
    found = text_of(written(Paragraph("|" + text + "|")))
    expected = typeface.fitted(text).text
    # Readers put spaces of their own around marks.
    assert re.sub(r"\s", "", f"|{expected}|") in re.sub(r"\s", "", found)


def test_no_text_makes_an_array_longer_than_the_format_holds():
    """Widths other than the usual one, in the worst case every other character: two elements a run, 8,191 at most (PDF 1.4, annex C)."""
    told = [code for code in range(0x10000) if bitmaps.holds(chr(code)) and bitmaps.advance(chr(code)) != 1000]
    told = [code for code in told if typeface.fitted(chr(code)).others]
    neighbours = [len(list(run)) for _, run in itertools.groupby(enumerate(told), lambda place: place[1] - place[0])]
    assert 2 * sum((length + 1) // 2 for length in neighbours) <= 8191


def plane() -> str:
    """Every character that only the second typeface draws, each standing alone."""
    held = filter(bitmaps.holds, map(chr, range(0x10000)))
    return "".join(char for char in held if typeface.fitted(char).others == {char})


def test_a_text_of_the_whole_plane_draws_so_many_characters_and_names_the_others():
    text = plane()
    result = typeface.fitted(text + text[-1])
    assert len(text) > 10 * typeface.OTHERS_AT_MOST and result.others == set(text[: typeface.OTHERS_AT_MOST])
    # Each occurrence of what is not drawn is counted, and shown by its code.
    assert result.coded == len(text) + 1 - typeface.OTHERS_AT_MOST
    assert result.text.count(f"[U+{ord(text[-1]):04X}]") == 2
    again = typeface.fitted(text[0] + text[-1], result.others)
    assert (again.others, again.coded) == ({text[0]}, 1)


def test_the_bound_is_that_of_a_document_whatever_it_is_cut_into(monkeypatch):
    monkeypatch.setattr(typeface, "OTHERS_AT_MOST", 12)
    drawn = []
    program = bitmaps.program
    monkeypatch.setattr(bitmaps, "program", lambda chars: drawn.extend(chars) or program(drawn))
    blocks = [Paragraph("王小明李雷"), Table([["慢性", "東京王"], ["ひらが", "王"]]), Heading("なカタ王")]
    result = typeset("t", blocks, **FACTS)
    assert len(drawn) == 12 and result.coded == 3
    found = text_of(result.pdf)
    assert all(f"[U+{ord(char):04X}]" in found for char in "なカタ") and "王小明李雷" in found


def test_what_is_told_of_a_document_beyond_the_bound(monkeypatch):
    monkeypatch.setattr(typeface, "OTHERS_AT_MOST", 2)
    facts = {"title": "t", "created": CREATED, "identifier": "DOC-1"}
    assert "characters-as-codes" in render("王小明".encode(), "text", **facts).notes
    assert "characters-as-codes" not in render("王小".encode(), "text", **facts).notes
