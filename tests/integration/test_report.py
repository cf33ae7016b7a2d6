"""The audit report on a real run with planted lateness and refusals: every figure recomputed here in plain Python from the software's
database, the ledger's events and the verdicts, then looked for in the four forms. `TRANSVASE_REPORT=20000` asks by hand for that many.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sqlite3
import stat
import subprocess
import sys
import zipfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest
from lxml import html as lxml_html

from transvase.errors import Said, WorkMissing
from transvase.exporters import audit_pdf
from transvase.ledger.submissions import Ledger, Planned, Step
from transvase.model.codes.mandated_documents import CODES as MANDATED
from transvase.model.outcome import OUTCOMES
from transvase.model.report import DELAYS, STATUSES, WHOLE, Figure, Head, Report, View, number
from transvase.reports import audit, plots, records, sheets
from transvase.reports.findings import CEILING, PENALTY, Asked, gather, outcome_of
from transvase.sources import mapping
from transvase.sources.extract import extract
from transvase.sources.synthetic.practice import generate
from transvase.validators.verdicts import judge

PARIS = ZoneInfo("Europe/Paris")
CLOCK = datetime(2026, 11, 23, 20, 0, tzinfo=PARIS)
PATIENTS = int(os.environ.get("TRANSVASE_REPORT", "2000"))
TYPES = Path(mapping.__file__).parent / "synthetic" / "mappings" / "document_types.csv"
# Days late, by turns; None is refused, "doubt" has no certain answer, "next version" had a first one on the day and another one later.
LAGS = (0, 0, 1, 5, 20, 90, None, "doubt", "next version", -1)


@dataclass
class Document:
    """A document as the software has it, and what became of it; nothing here comes from the report."""

    key: str
    practitioner: str
    day: date | None
    owed: str
    obligation: str
    outcome: str
    status: str = ""
    delay: int | None = None


@dataclass
class World:
    folder: Path
    documents: list[Document]

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def report(self, view: View = WHOLE, **more: object) -> Report:
        head = Head("Cabinet <d'essai> & fils", CLOCK, "Transvase test", "sandbox", view)
        with closing(Ledger(self.work / "ledger.sqlite", "dmp")) as ledger:
            return gather(self.work, head, ledger.latest(), **more)


def day_of(text: str | None) -> date | None:
    try:
        return date.fromisoformat((text or "")[:10])
    except ValueError:
        return None


def obligation(row: sqlite3.Row, code: str, day: date | None) -> tuple[str, str]:
    """(due, presumed or free; obligation) by the list, read anew: in force latest at the act, else the first to come."""
    listed = [m for m in MANDATED.values() if code in m.type_codes]
    if not listed:
        return "free", ""
    begun = [m for m in listed if day and date.fromisoformat(m.effective_from or "0001-01-01") <= day]
    coming = [m for m in listed if m not in begun]
    one = (
        max(begun, key=lambda m: (m.effective_from or "0001-01-01", [-ord(c) for c in m.id]))
        if begun
        else min(coming, key=lambda m: m.effective_from or "0001-01-01")
        if day
        else max(coming, key=lambda m: m.effective_from or "0001-01-01")
    )
    if day and one not in begun:
        return "free", one.id
    facts = []
    for exclusion in one.exclusions:
        if "séjour" in exclusion:
            facts.append(row["DOC_HOSPI"])
        elif "entente" in exclusion:
            facts.append(row["DOC_EP"])
        elif "génétique" in exclusion:
            facts.append(row["DOC_GENET"])
        elif "traitant" in exclusion:
            known = row["PAT_MT"] is not None and row["DOC_ITV"] is not None
            facts.append(("N" if row["PAT_MT"] == row["DOC_ITV"] else "O") if known else None)
    if "O" in facts:
        return "free", one.id
    return ("presumed" if any(f not in ("O", "N") for f in facts) else "due"), one.id


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("report")
    generate(folder / "cabinet.sqlite3", patients=PATIENTS, clock=CLOCK, bodies=False)
    extract(mapping.load("synthetic"), folder / "cabinet.sqlite3", folder / "work", clock=CLOCK)
    judge(folder / "work", clock=CLOCK, environment="sandbox")
    decisions = {r["document"]: r for r in pq.read_table(folder / "work" / "verdicts" / "decision.parquet").to_pylist()}
    codes = {r["local"]: r["code"] for r in csv.DictReader(TYPES.open(encoding="utf-8"))}
    documents, versions = [], {}
    with closing(sqlite3.connect(folder / "cabinet.sqlite3")) as base:
        base.row_factory = sqlite3.Row
        rows = base.execute(
            "SELECT d.*, p.PAT_MT FROM T_DOC d LEFT JOIN T_PATIENT p ON p.PAT_ID = d.DOC_PAT WHERE d.DOC_SUPPR IS NOT 'O'"
        ).fetchall()
    for row in rows:
        key, day = str(row["DOC_ID"]), day_of(row["DOC_DT"])
        decided = decisions[key]
        owed, listed = obligation(row, codes.get(row["DOC_TYPE"], ""), day)
        if row["DOC_ORIG"] != "I" or decided["outcome"] == "duplicate":
            owed = "free"
        documents.append(
            Document(key, str(row["DOC_ITV"]) if row["DOC_ITV"] else "-", day, owed, listed, decided["outcome"])
        )
        versions[key] = (decided["version_key"] or "", decided["patient"] or "")
    feed(folder / "work" / "ledger.sqlite", documents, versions)
    tell(folder / "work" / "ledger.sqlite", documents)
    return World(folder, documents)


def feed(path: Path, documents: list[Document], versions: dict[str, tuple[str, str]]) -> None:
    """Plant a history of sending for what could leave if it had a body."""
    chosen = [d for d in documents if d.outcome in ("to_send", "no_content") and d.day and d.day < CLOCK.date()]
    at = datetime.combine(min(d.day for d in chosen if d.day), datetime.min.time(), PARIS)
    by_day: dict[datetime, list[Step]] = {}
    plans = []
    for n, one in enumerate(chosen[: len(chosen) * 9 // 10]):
        lag = LAGS[n % len(LAGS)]
        assert one.day is not None
        act = one.day.isoformat()
        version, patient = versions[one.key]
        plans.append(Planned(one.key, version, patient, f"2.999.{one.key}.1", act))
        evening = datetime.combine(one.day, datetime.min.time(), PARIS) + timedelta(hours=21)
        ident = f"2.999.{one.key}.1 dmp"
        if lag is None:
            by_day.setdefault(evening, []).extend([Step(ident, "send"), Step(ident, "refused", "XDSRepositoryError")])
        elif lag == "doubt":
            by_day.setdefault(evening, []).extend([Step(ident, "send"), Step(ident, "doubt", "timeout")])
        elif lag == "next version":
            plans.append(Planned(one.key, version, patient, f"2.999.{one.key}.2", act, 2))
            by_day.setdefault(evening, []).extend([Step(ident, "send"), Step(ident, "accepted")])
            second = f"2.999.{one.key}.2 dmp"
            by_day.setdefault(evening + timedelta(40), []).extend([Step(second, "send"), Step(second, "accepted")])
        else:
            by_day.setdefault(evening + timedelta(int(lag)), []).extend([Step(ident, "send"), Step(ident, "accepted")])
    with Ledger(path) as ledger:
        ledger.plan(plans, [], at)
        for moment in sorted(by_day):
            ledger.record(by_day[moment], moment)


def tell(path: Path, documents: list[Document]) -> None:
    """What became of each document by the ledger's events, read by the standard library alone."""
    first: dict[str, str] = {}
    last: dict[str, tuple[int, str, str]] = {}
    with closing(sqlite3.connect(path)) as base:
        for document, rank, state, code in base.execute("SELECT document, rank, state, code FROM submission"):
            last[document] = max(last.get(document, (0, "", "")), (rank, state, code))
        for document, at, state in base.execute(
            "SELECT s.document, e.at, e.state FROM event e JOIN submission s ON s.id = e.submission ORDER BY e.at"
        ):
            if state == "registered":
                first.setdefault(document, at)
    for one in documents:
        _, state, code = last.get(one.key, (0, "", ""))
        one.outcome = outcome_of(state, code) or one.outcome
        group = OUTCOMES[one.outcome].group
        if one.outcome == "adopted":
            one.status = "adopted"
        elif group == "fed":
            assert one.day
            one.delay = (date.fromisoformat(first[one.key][:10]) - one.day).days
            one.status = "in_time" if one.delay <= 0 else "late"
        elif group == "pending":
            one.status = "waiting" if one.day and one.day >= CLOCK.date() else "missing"
        else:
            one.status = group


@pytest.fixture(scope="module")
def found(world: World) -> Report:
    return world.report(evidence=[(Said("Empreinte", "Digest"), "00ff")])


def cells(report: Report, table: str) -> dict[tuple[str, str], int]:
    """(first cell, column) to number, of a table of the report."""
    one = report.table(table)
    names = [c.id for c in one.columns]

    def text(value: object) -> str:
        return value.fr if isinstance(value, Said) else str(value)

    return {(text(r[0]), n): number(v) for r in one.rows for n, v in zip(names[1:], r[1:], strict=True)}


def nonzero(counted: dict) -> dict:
    return {k: n for k, n in counted.items() if n}


def bucket(delay: int) -> str:
    return (
        "same_day"
        if delay <= 0
        else "next_day"
        if delay == 1
        else "week"
        if delay <= 7
        else "month"
        if delay <= 31
        else "later"
    )


# -- the figures -----------------------------------------------------------------------------------------------------------


def test_the_planted_history_has_every_case(world: World) -> None:
    assert {d.status for d in world.documents} >= {
        "in_time",
        "late",
        "adopted",
        "missing",
        "refused",
        "blocked",
        "exempt",
    }
    assert {bucket(d.delay) for d in world.documents if d.delay is not None} == set(DELAYS)


def test_the_addition_holds_to_the_unit(world: World, found: Report) -> None:
    with closing(sqlite3.connect(world.folder / "cabinet.sqlite3")) as base:
        ((stored,),) = base.execute("SELECT count(*) FROM T_DOC WHERE DOC_SUPPR IS NOT 'O'").fetchall()
    input_total = found.table("input").total
    assert input_total is not None and number(input_total[-1]) == stored == len(world.documents)
    counted = Counter((d.owed, d.status) for d in world.documents)
    labels = {"due": "Dus", "presumed": "Présumés dus", "free": "Non dus"}
    assert nonzero({(o, s): cells(found, "account")[labels[o], s] for o in labels for s in STATUSES}) == dict(counted)
    total = found.table("account").total
    assert total is not None and number(total[-1]) == stored
    said, *parts = [
        int(n) for n in re.findall(r"\d+(?= [^\d]*?(?:\+|=|;|\.))", found.addition.fr.replace("\u202f", ""))
    ]
    assert said == stored and f"= {stored} dans ce rapport + 0 hors" in found.addition.fr
    assert sum(parts[-len(STATUSES) :]) == stored


@pytest.mark.parametrize(
    ("table", "of"), [("obligations", "obligation"), ("practitioners", "practitioner"), ("months", "month")]
)
def test_each_way_of_telling_what_was_due_agrees_with_the_source(
    world: World, found: Report, table: str, of: str
) -> None:
    names = {m.id: m.label for m in MANDATED.values()}

    def label(d: Document) -> str:
        if of == "obligation":
            return names[d.obligation] + (
                ""
                if MANDATED[d.obligation].confirmed and MANDATED[d.obligation].effective_from
                else " (date d'effet non confirmée)"
            )
        if of == "practitioner":
            return "(sans professionnel connu)" if d.practitioner == "-" else d.practitioner
        return f"{d.day:%Y-%m}" if d.day else "(sans date)"

    counted = Counter((label(d), d.status) for d in world.documents if d.owed != "free")
    assert nonzero({k: n for k, n in cells(found, table).items() if k[1] in STATUSES}) == dict(counted)
    sums = Counter(label for (label, _), n in counted.items() for _ in range(n))
    assert {k[0]: n for k, n in cells(found, table).items() if k[1] == "total"} == dict(sums)


def test_delays_count_from_the_act_to_the_first_version_accepted(world: World, found: Report) -> None:
    fed = [d for d in world.documents if d.delay is not None]
    total = found.table("delays").total
    assert total is not None
    assert dict(zip(DELAYS, map(number, total[1:]), strict=False)) == dict(Counter(bucket(d.delay or 0) for d in fed))
    by_person: dict[str, list[int]] = {}
    for d in fed:
        by_person.setdefault("(sans professionnel connu)" if d.practitioner == "-" else d.practitioner, []).append(
            d.delay or 0
        )
    told = cells(found, "delays_practitioners")
    for who, delays in by_person.items():
        assert {b: told[who, b] for b in DELAYS} == {b: sum(bucket(x) == b for x in delays) for b in DELAYS}
        assert told[who, "worst"] == max(delays)
        assert told[who, "median"] in sorted(delays)[(len(delays) - 1) // 2 : len(delays) // 2 + 1]


def test_exposure_is_capped_by_professional_and_year_and_is_no_fine(world: World, found: Report) -> None:
    unmet = Counter(
        (d.practitioner, d.day.year)
        for d in world.documents
        if d.owed == "due" and d.status in ("missing", "refused", "blocked") and d.day
    )
    rows = {
        (str(r[0]) if not isinstance(r[0], Said) else "-", int(str(r[1]))): (number(r[2]), r[3])
        for r in found.table("exposure").rows
    }
    assert {k: n for k, (n, _) in rows.items()} == dict(unmet)
    for (_, year), (n, most) in rows.items():
        assert most == (min(PENALTY * n, CEILING) if year >= 2026 else None)
    section = next(s for s in found.sections if s.id == "exposure")
    assert "non confirmé" in section.lines[0].fr and "unconfirmed" in section.lines[0].en


def test_identities_add_up_to_the_patients(world: World, found: Report) -> None:
    rows = pq.read_table(world.work / "verdicts" / "identities.parquet").to_pylist()
    with closing(sqlite3.connect(world.folder / "cabinet.sqlite3")) as base:
        ((stored,),) = base.execute("SELECT count(*) FROM T_PATIENT").fetchall()
    assert {k[0]: n for k, n in cells(found, "identities").items() if k[1] == "count" and n} == dict(
        Counter(r["status"] for r in rows)
    )
    qualify = found.table("qualify")
    assert number(qualify.rows[0][-1]) == sum(r["qualified"] for r in rows)
    assert qualify.total is not None
    assert number(qualify.total[-1]) == len(rows) <= stored


def test_findings_count_the_verdicts_and_name_who_can_act(world: World, found: Report) -> None:
    rows = pq.read_table(world.work / "verdicts" / "verdict.parquet").to_pylist()
    counted = Counter((r["severity"], r["rule"], r["destination"]) for r in rows)
    told = {
        ("block" if r[0].en == "blocking" else "warning", r[1], r[3]): number(r[4])
        for r in found.table("findings").rows
        if isinstance(r[0], Said)
    }
    assert told == dict(counted)
    assert [r[0].en for r in found.table("findings").rows] == sorted(r[0].en for r in found.table("findings").rows)
    assert all(r[5] for r in found.table("findings").rows)


def test_every_figure_has_as_many_records_as_it_says(world: World, found: Report) -> None:
    found_again = world.report()
    counted = Counter(name for name, _ in records.listed(world.work))
    assert counted == found.lists == found_again.lists
    known = {d.key for d in world.documents}
    opened = 0
    for section in found.sections:
        for table in section.tables:
            for row in table.rows:
                for value in row:
                    if isinstance(value, Figure) and value.amount:
                        assert counted[value.records] == value.amount
                        opened += 1
    assert opened > 100
    late = {r for name, r in records.listed(world.work) if name == "status-due-late"}
    assert late == {d.key for d in world.documents if d.owed == "due" and d.status == "late"} <= known


@pytest.mark.parametrize(
    "view",
    [
        View("2026-10-01", "2026-10-31"),
        View(start="2026-01-01"),
        View(practitioner="2"),
        View("2025-01-01", "2026-06-30", "1"),
    ],
)
def test_a_period_or_a_professional_says_what_it_leaves_out(world: World, view: View) -> None:
    known = {d.practitioner for d in world.documents}
    who = sorted(known - {"-"})[int(view.practitioner) % len(known)] if view.practitioner else ""
    view = view._replace(practitioner=who)
    report = world.report(view)

    def inside(d: Document) -> bool:
        within = not (view.start or view.end) or (
            d.day is not None and (view.start or "0") <= d.day.isoformat() <= (view.end or "9")
        )
        return within and (not who or d.practitioner == who)

    kept = [d for d in world.documents if inside(d)]
    assert 0 < len(kept) < len(world.documents)
    assert report.facts["in_view"] == len(kept) and report.facts["documents"] == len(world.documents)
    assert sum(n for (_, c), n in cells(report, "input").items() if c == "count") == len(world.documents)
    owed = Counter(d.status for d in kept if d.owed != "free")
    assert {s: report.facts[f"due_{s}"] for s in STATUSES if report.facts[f"due_{s}"]} == dict(owed)


def test_requests_show_their_deadlines(world: World) -> None:
    asked = [
        Asked(1, "MASSIF", "delivered", "2026-09-01 09:00", "2026-10-01 09:00", "2026-10-05 09:00", ["delivered"]),
        Asked(2, "UNITAIRE", "received", "2026-11-23 09:00", "2026-11-23 23:59", "", []),
    ]
    report = world.report(requests=asked)
    rows = report.table("requests").rows
    assert (
        [r[0] for r in rows] == ["1", "2"]
        and rows[0][-1] == Said("remise", "delivery")
        and rows[1][-1] == Said("aucune", "none")
    )
    section = next(s for s in report.sections if s.id == "requests")
    assert section.lines[0].fr == "2 demandes, dont 1 avec une échéance manquée."


# -- the four forms --------------------------------------------------------------------------------------------------------


def page_numbers(page: bytes) -> dict[str, list[list[str]]]:
    """Title of each table to its rows, as text."""
    root = lxml_html.document_fromstring(page)
    out = {}
    for table in root.xpath("//table"):
        ident = table.get("aria-labelledby")
        rows = []
        for tr in table.xpath(".//tbody/tr"):
            rows.append(
                [
                    (td.xpath(".//summary") or [td])[0].text_content().replace("\u202f", "")
                    for td in tr.xpath("./td | ./th")
                ]
            )
        out[ident.removeprefix("t-")] = rows
    return out


@pytest.fixture(scope="module")
def places(world: World, found: Report) -> dict[str, records.Place]:
    return records.write_pages(world.work, world.folder / "pieces")


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_four_forms_say_the_same(
    world: World, found: Report, places: dict[str, records.Place], language: str, tmp_path: Path
) -> None:
    page = page_numbers(audit.html(found, language=language, places=places, pages="pieces"))
    told = json.loads(sheets.json(found, language))
    sheets.write_csv(found, tmp_path / "report.zip", [("list", "=1+1")], language)
    archive = zipfile.ZipFile(tmp_path / "report.zip")
    paper = audit_pdf.pdf(found, identifier="one", language=language)
    assert paper.startswith(b"%PDF-1.4")
    tables = [t for s in told["sections"] for t in s["tables"]]
    assert (
        {t["id"] for t in tables}
        == set(page)
        == {n.removesuffix(".csv") for n in archive.namelist()} - {"rapport", "records"}
    )
    for table in tables:
        names = list(table["columns"])
        rows = [[r[n] for n in names] for r in [*table["rows"], *([table["total"]] if table["total"] else [])]]
        sheet = list(csv.reader(io.TextIOWrapper(archive.open(f"{table['id']}.csv"), "utf-8-sig"), delimiter=";"))
        assert [["" if v is None else str(v) for v in r] for r in rows] == sheet[1:]
        plain = [["–" if v is None else str(v) for v in r] for r in rows]
        assert [[c.replace(",", "").replace(" €", "") for c in r] for r in page[table["id"]]] == [
            [c.replace(",", "") for c in r] for r in plain
        ]
    assert list(csv.reader(io.TextIOWrapper(archive.open("records.csv"), "utf-8-sig"), delimiter=";"))[1] == [
        "list",
        "'=1+1",
    ]


def test_the_page_stands_alone_and_runs_nothing(found: Report, places: dict[str, records.Place]) -> None:
    page = audit.html(found, places=places, pages="rapport-pieces")
    root = lxml_html.document_fromstring(page)
    assert "Cabinet <d'essai> & fils" in root.text_content()
    assert root.get("lang") == "fr"
    assert not root.xpath("//script | //link | //iframe | //*[starts-with(name(@*), 'on')]")
    assert all(src.startswith("data:image/svg+xml;base64,") for src in root.xpath("//@src"))
    assert all(
        re.fullmatch(r"#[a-z]+|rapport-pieces/\d{6}\.html#[A-Za-z0-9_.-]+", href) for href in root.xpath("//@href")
    )
    assert b"http" not in page
    assert all(alt and any(c.isdigit() for c in alt) for alt in root.xpath("//img/@alt"))
    idents = root.xpath("//@id")
    assert len(idents) == len(set(idents))


def test_the_same_facts_give_the_same_bytes(world: World, found: Report) -> None:
    again = world.report(evidence=[(Said("Empreinte", "Digest"), "00ff")])
    assert audit.html(found) == audit.html(again)
    assert sheets.json(found) == sheets.json(again)
    assert audit_pdf.pdf(found, identifier="i") == audit_pdf.pdf(again, identifier="i")


def test_each_segment_of_a_drawing_is_told_by_more_than_its_colour(found: Report) -> None:
    bars = found.sections[0].bars[0]
    drawn = plots.svg(bars, "fr").decode()
    assert drawn.count("<pattern") >= 3 and "À temps" not in drawn and "Alimentés à temps" in drawn
    for series, counts in bars.series:
        if max(counts) > 0:
            assert plots.label_of(series, "fr") in drawn
    assert str(bars.series[0][1][0]) in drawn


def test_pages_of_references_are_bounded_and_complete(world: World, places: dict[str, records.Place]) -> None:
    listed: list[tuple[str, str]] = []
    for path in sorted((world.folder / "pieces").glob("*.html")):
        root = lxml_html.document_fromstring(path.read_bytes())
        assert 0 < sum(len(pre.text_content().splitlines()) for pre in root.xpath("//pre")) <= records.PAGE
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        name = ""
        for element in root.xpath("//h2 | //pre"):
            if element.tag == "h2":
                name = element.text_content()
                assert element.get("id") in (name, None)
            else:
                listed += [(name, line) for line in element.text_content().splitlines()]
    assert listed == list(records.listed(world.work))
    for name, place in places.items():
        page, _, anchor = place.href.partition("#")
        assert f'id="{anchor}"' in (world.folder / "pieces" / page).read_text(encoding="utf-8")
        assert anchor == name


# -- patients --------------------------------------------------------------------------------------------------------------


def test_only_the_annex_names_patients_and_it_is_private(
    world: World, found: Report, places: dict[str, records.Place], tmp_path: Path
) -> None:
    patients = {r["key"]: r for r in pq.read_table(world.work / "canonical" / "patient.parquet").to_pylist()}
    target = tmp_path / "annexe.csv"
    rows = records.write_annex(world.work, target, WHOLE, CLOCK.date())
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    told = list(csv.DictReader(target.open(encoding="utf-8-sig"), delimiter=";"))
    waiting = {
        d.key for d in world.documents if d.owed != "free" and d.status in ("missing", "refused", "blocked", "waiting")
    }
    assert {r["reference"] for r in told} == waiting and rows == len(told) == len(waiting)
    # One of a thousand invented names would be a formula in a spreadsheet: it is quoted.
    spoken = {k: p["birth_family"] or "" for k, p in patients.items()}
    quoted = {k: f"'{n}" if n[:1] in "=+-@\t\r" and n else n for k, n in spoken.items()}
    assert [r["birth_family"] for r in told if r["patient"] in quoted] == [
        quoted[r["patient"]] for r in told if r["patient"] in quoted
    ]
    assert all(r["who_can_act"] for r in told if r["rule"])
    names = {r["birth_family"] for r in told if len(r["birth_family"]) > 4} | {
        r["ins"] for r in told if len(r["ins"]) == 15
    }
    assert len(names) > 20
    forms = [
        audit.html(found, places=places, pages="p"),
        sheets.json(found),
        *(p.read_bytes() for p in (world.folder / "pieces").glob("*")),
    ]
    everything = b"\n".join(forms).decode()
    words = set(re.findall(r"[\w'-]+", everything))
    # A family name may be a word of the report ("Petit"): in capitals it is not.
    assert {n for n in names if n in words and n.isupper()} == set()


def test_only_a_report_pays_for_the_drawing_library() -> None:
    asked = "import sys, transvase.pipelines.definitions; print(sorted({'matplotlib', 'great_expectations'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_verdicts_the_report_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(WorkMissing):
        gather(tmp_path, Head("", CLOCK, "", "sandbox", WHOLE), ())


# -- words of the ledger ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "code", "outcome"),
    [
        ("registered", "", "registered"), ("adopted", "", "adopted"), ("refused", "XDSRepositoryError", "refused"),
        ("refused", "XDSUnknownPatientId", "no_dmp"), ("set_aside", "XDSNonIdenticalHash", "refused"), ("to_query", "timeout", "in_doubt"),
        ("submitted", "", "in_doubt"), ("to_submit", "", None), ("skipped", "elsewhere", "adopted"), ("skipped", "unfit", "refused"),
        ("replaced", "", "registered"),
    ],
)  # fmt: skip
def test_what_the_ledger_says_of_a_document(state: str, code: str, outcome: str | None) -> None:
    assert outcome_of(state, code) == outcome
