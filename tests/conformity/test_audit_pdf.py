"""The paper form of the audit report is valid PDF/A-1b for PDFBox Preflight, bars included, and says what the page says."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pypdfium2
import pytest

from transvase.errors import Said
from transvase.exporters import audit_pdf
from transvase.exporters.pdf.writer import Bars as DrawnBars
from transvase.exporters.pdf.writer import text_document
from transvase.model.report import WHOLE, Bars, Column, Figure, Head, Report, Section, Table

from ..conftest import missing  # noqa: TID252
from .preflight import missing_jars, verdicts

CLOCK = datetime(2026, 11, 23, 20, tzinfo=ZoneInfo("Europe/Paris"))


def report() -> Report:
    statuses = [("in_time", [70, 1]), ("late", [10, 0]), ("missing", [9, 0]), ("blocked", [10, 0])]
    columns = (
        Column("a", Said("Règle", "Rule")),
        *(Column(f"c{n}", Said(f"Col{n}", f"Col{n}"), "count") for n in range(8)),
    )
    rows = [[f"Ligne {n}", Figure(n + 1, "x"), *[0] * 6, 1234] for n in range(300)]
    wide = Table("wide", Said("Large", "Wide"), columns, rows, ["Total", 5, *[0] * 6, 5])
    euros = Table(
        "euros", Said("Au plus", "At most"), (Column("e", Said("Montant", "Amount"), "euro"),), [[10_000], [None]]
    )
    bars = Bars("b", Said("Dus", "Due"), ["2026-10", Said("Autres", "Others")], statuses)
    section = Section("s", Said("Constats", "Findings"), (Said("Une phrase.", "A sentence."),), (bars,), (wide, euros))
    head = Head("Cabinet & fils", CLOCK, "Transvase", "sandbox", WHOLE)
    return Report(head, Said("Verdict.", "Verdict."), Said("Addition.", "Addition."), [section], {}, {})


@pytest.mark.debian
def test_the_report_on_paper_is_valid_pdfa_1b(program, tmp_path):
    java = program("java")
    if absent := missing_jars():
        missing(f"the jars {', '.join(absent)}")
    made = {
        f"report-{language}": audit_pdf.pdf(report(), identifier="x", language=language) for language in ("fr", "en")
    }
    made["bars"] = text_document(
        "", [DrawnBars([("A", (1, 0, 0))], [("seule", [(0, 3)]), ("vide", [])])], created=CLOCK, identifier="y"
    )
    made["witness"] = made["bars"].replace(b"/OutputIntents", b"/OutputIntentz")
    found = verdicts(java, made, tmp_path)
    assert found.pop("witness") != []
    assert found == {name: [] for name in found}


def text_of(data: bytes) -> str:
    with pypdfium2.PdfDocument(data) as document:
        return "\n".join(page.get_textpage().get_text_bounded() for page in document)


def test_it_says_what_the_page_says_and_is_the_same_twice():
    french, english = (audit_pdf.pdf(report(), identifier="x", language=language) for language in ("fr", "en"))
    assert french == audit_pdf.pdf(report(), identifier="x")
    told = text_of(french)
    for words in (
        "Rapport d'audit",
        "Verdict.",
        "Addition.",
        "Constats",
        "Ligne 299",
        "A 70",
        "D Bloqués",
        "Lu et approuvé",
    ):
        assert words in told
    assert "10\u202f000 €" in told and "Audit report" in text_of(english) and "10,000 €" in text_of(english)
    assert audit_pdf.pdf(report(), identifier="other") != french


def test_columns_that_count_nothing_leave_room_on_paper_only_where_it_is_short():
    told = text_of(audit_pdf.pdf(report(), identifier="x"))
    assert "Col0" in told and "Col7" in told
    assert not [f"Col{n}" for n in range(1, 7) if f"Col{n}" in told]
