"""Everything we write as PDF is valid PDF/A-1b for PDFBox Preflight, which also sees that a broken one is not."""

from __future__ import annotations

import pytest

from transvase.exporters.pdf import ladder
from transvase.exporters.pdf.render import notice, render
from transvase.exporters.pdf.writer import Heading, Paragraph, Rule, Table, text_document
from transvase.formats.sniff import sniff

from ..conftest import missing  # noqa: TID252
from ..unit.exporters.pdf.brought import BROUGHT  # noqa: TID252
from ..unit.exporters.pdf.samples import (  # noqa: TID252
    CREATED,
    FACTS,
    LETTER_HTML,
    LETTER_RTF,
    LETTER_TEXT,
    image_bytes,
    multipage_tiff,
)
from .preflight import missing_jars, verdicts

BODIES = {
    "text": LETTER_TEXT.encode(),
    "text-odd": "שלום \x07 \u202e Жизнь".encode(),
    # Signs of every script, some hundred of each block, and marks without a letter.
    "text-scripts": "".join(map(chr, range(0x300, 0x10000, 37))).encode("utf-8", "replace"),
    "rtf": LETTER_RTF,
    "html": LETTER_HTML,
    "xml": b"<?xml version='1.0'?><a><b/></a>",
    "jpeg": image_bytes("jpeg", "RGB"),
    "jpeg-grey-progressive": image_bytes("jpeg", "L", progressive=True),
    "jpeg-four-inks": image_bytes("jpeg", "CMYK"),
    "png": image_bytes("png", "RGB"),
    "png-palette": image_bytes("png", "P"),
    "png-transparent": image_bytes("png", "RGBA"),
    "png-black-and-white": image_bytes("png", "1"),
    "tiff-group-4": image_bytes("tiff", "1", compression="group4"),
    "tiff-pages": multipage_tiff(),
}


def documents() -> dict[str, bytes]:
    rows = [["Examen", "Résultat"], *([f"Analyse {n}", f"{n},5 mmol/L"] for n in range(500))]
    blocks = [Heading("Motif"), Paragraph("gras ∑ Ж", bold=True), Rule(), Table(rows), Paragraph("fin")]
    made = {name: render(body, sniff(body), **FACTS).pdf for name, body in BODIES.items()}
    made["blocks"] = text_document("Synthèse <&>", blocks, created=CREATED, identifier="x", header="h", footer="f")
    made["untitled"] = text_document("", [], created=CREATED, identifier="y")
    made["notice"] = notice("le fichier est tronqué", "DOC-1", created=CREATED, identifier="z")
    return made


@pytest.mark.requirement("MSS-03")
@pytest.mark.debian
def test_every_kind_of_document_is_valid_pdfa_1b(program, tmp_path):
    java = program("java")
    if absent := missing_jars():
        missing(
            f"the jars {', '.join(absent)} (libpdfbox2-java libjaxb-api-java libactivation-java libcommons-io-java)"
        )
    made = documents()
    # A witness without its colour intent: a validator that accepts everything proves nothing.
    made["witness"] = made["blocks"].replace(b"/OutputIntents", b"/OutputIntentz")
    found = verdicts(java, made, tmp_path)
    assert found.pop("witness")
    assert found == {name: [] for name in made if name != "witness"}


# PDFBox 2 does not find the identification there, though XMP makes no difference between the two forms.
BY_ATTRIBUTES = {"pdfa-by-attributes"}


@pytest.mark.debian
def test_every_pdf_of_a_practice_that_the_ladder_brings_up_is_valid_pdfa_1b(program, tmp_path):
    java = program("java")
    if absent := missing_jars():
        missing(
            f"the jars {', '.join(absent)} (libpdfbox2-java libjaxb-api-java libactivation-java libcommons-io-java)"
        )
    made, carried = {}, {}
    for name in BROUGHT.keys() - BY_ATTRIBUTES:
        body = BROUGHT[name][0]()
        stands = ladder.climb(body, dpi=100, **FACTS)
        if stands.rung == ladder.CARRIED:
            made[f"notice-{name}"] = ladder.notice(stands.reasons, name, created=CREATED, identifier=name)
        else:
            made[name] = stands.pdf or body
        if name in ("no-xmp", "font-not-embedded", "half-opaque", "script-on-opening", "four-inks"):
            carried[f"came-{name}"] = body
    found = verdicts(java, {**made, **carried}, tmp_path)
    assert {name: problems for name, problems in found.items() if name in made and problems} == {}
    assert [name for name in carried if not found[name]] == [], "as they came, none was PDF/A-1b"
