"""The audit report on a real run: its totals add up to the source, every figure is in the page, nothing active or foreign in it."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from lxml import html as lxml_html

from transvase.formats import canonical
from transvase.model.outcome import GROUPS, OUTCOMES
from transvase.reports import audit
from transvase.reports.findings import Findings, gather, outcome_of
from transvase.sources import mapping
from transvase.sources.extract import extract
from transvase.sources.synthetic.practice import generate
from transvase.validators.expectations import check_tables
from transvase.validators.verdicts import judge

CLOCK = datetime(2026, 11, 23, 20, 0, tzinfo=ZoneInfo("Europe/Paris"))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    generate(folder / "cabinet.sqlite3", patients=30, clock=CLOCK, bodies=False)
    extract(mapping.load("synthetic"), folder / "cabinet.sqlite3", folder / "work", clock=CLOCK)
    judge(folder / "work", clock=CLOCK, environment="sandbox")
    return folder / "work"


@pytest.fixture(scope="module")
def found(work: Path) -> Findings:
    with canonical.connect(work) as base:
        keys = [k for (k,) in base.sql("SELECT document FROM decision ORDER BY document LIMIT 6").fetchall()]
    states = ("registered", "adopted", "refused", "to_query", "set_aside", "to_submit")
    return gather(
        work, {k: (s, "XDSRepositoryError", "2026-11-23T21:00:00+01:00") for k, s in zip(keys, states, strict=True)}
    )


def test_every_document_has_one_outcome_and_the_totals_add_up(found: Findings, work: Path) -> None:
    documents = canonical.manifest(work)["rows"]["document"]
    assert sum(found.outcomes.values()) == sum(found.groups.values()) == documents
    assert set(found.outcomes) <= set(OUTCOMES)
    by_group = dict.fromkeys(GROUPS, 0)
    for outcome, n in found.outcomes.items():
        by_group[OUTCOMES[outcome].group] += n
    assert by_group == found.groups


def test_obligations_and_practitioners_count_the_same_documents(found: Findings) -> None:
    for group in GROUPS:
        assert sum(o[group] for o in found.obligations) == sum(p[group] for p in found.practitioners)


@pytest.mark.parametrize(
    ("state", "code", "outcome"),
    [
        ("registered", "", "registered"), ("adopted", "", "adopted"), ("refused", "XDSRepositoryError", "refused"),
        ("refused", "XDSUnknownPatientId", "no_dmp"), ("set_aside", "XDSNonIdenticalHash", "refused"), ("to_query", "timeout", "in_doubt"),
        ("submitted", "", "in_doubt"), ("to_submit", "", None),
    ],
)  # fmt: skip
def test_what_the_ledger_says_of_a_document(state: str, code: str, outcome: str | None) -> None:
    assert outcome_of(state, code) == outcome


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_page_shows_every_count_and_stands_alone(found: Findings, language: str) -> None:
    page = audit.html(
        found, practice="Cabinet <d'essai> & fils", clock=CLOCK, software="Transvase test", language=language
    )
    root = lxml_html.document_fromstring(page)
    text = re.sub(r"\s+", " ", root.text_content().replace("\u202f", ""))
    rows = {tuple(cell.text_content() for cell in row.xpath("./td")) for row in root.xpath("//tr")}
    counted = {
        row[1]: int(row[2].replace("\u202f", ""))
        for row in rows
        if len(row) == 3 and row[2].replace("\u202f", "").isdigit()
    }
    for outcome, n in found.outcomes.items():
        assert counted[OUTCOMES[outcome][2 if language == "fr" else 3]] == n
    assert "Cabinet <d'essai> & fils" in text
    assert root.get("lang") == language
    # Nothing is fetched, nothing runs.
    assert not root.xpath("//script | //link | //img | //iframe | //*[@src] | //*[starts-with(name(@*), 'on')]")
    assert b"http" not in page.replace(b"http-equiv", b"")
    assert root.xpath("//*[local-name()='svg']/@aria-label")


def test_the_same_facts_give_the_same_page(found: Findings) -> None:
    pages = {audit.html(found, practice="Cabinet", clock=CLOCK, software="Transvase", language="fr") for _ in range(2)}
    assert len(pages) == 1


def test_expectations_follow_the_declarations_and_quote_no_value(work: Path) -> None:
    with canonical.connect(work) as base:
        results = {c.table: c for c in check_tables(base, ["patient", "document", "prescription", "dispensation"])}
    assert results["document"].expectations > 5
    # The generator plants an impossible birth date: the declared form is what finds it, and only the column is named.
    assert list(results["patient"].failed) == ["birth_date expect_column_values_to_match_regex"]
    assert results["prescription"].success
    assert results["dispensation"].expectations == 0
