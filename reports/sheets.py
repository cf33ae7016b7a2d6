"""The audit report for programs and spreadsheets: one JSON document, and a ZIP of one CSV file per table with the lists of records."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from transvase.formats import files
from transvase.model.report import Figure, Report, Table, Value, lines_of, said

# Of the JSON document; a change that a reader must know of takes the next number.
FORMAT = 1
# Dates of the members: the clock of the run is in `rapport.csv`, the bytes depend on nothing else.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def _plain(value: Value, language: str) -> str | int | None:
    if isinstance(value, Figure):
        return value.amount
    return value if value is None or isinstance(value, int) else said(value, language)


def _about(report: Report, language: str) -> dict[str, str]:
    head = report.head
    return {
        "practice": head.practice,
        "clock": head.clock.isoformat(),
        "software": head.software,
        "environment": head.environment,
        "from": head.view.start,
        "to": head.view.end,
        "practitioner": head.view.practitioner,
        "verdict": said(report.verdict, language),
        "addition": said(report.addition, language),
    }


def json(report: Report, language: str = "fr") -> bytes:
    """The report as JSON: what it is of, the totals by name, then the sections with their tables, a row being an object by column.

    A figure that opens on records has its list in `records`, by column; the lists are in the CSV archive."""

    def row(table: Table, cells: Iterable[Value]) -> dict[str, Any]:
        pairs = list(zip((c.id for c in table.columns), cells, strict=True))
        lists = {name: v.records for name, v in pairs if isinstance(v, Figure) and v.records}
        return {name: _plain(v, language) for name, v in pairs} | ({"records": lists} if lists else {})

    return orjson.dumps(
        {
            "format": FORMAT,
            "language": language,
            **_about(report, language),
            "totals": report.facts,
            "sections": [
                {
                    "id": s.id,
                    "title": said(s.title, language),
                    "lines": lines_of(s.lines, language),
                    "tables": [
                        {
                            "id": t.id,
                            "title": said(t.title, language),
                            "columns": {c.id: said(c.label, language) for c in t.columns},
                            "rows": [row(t, cells) for cells in t.rows],
                            "total": row(t, t.total) if t.total is not None else None,
                        }
                        for t in s.tables
                    ],
                }
                for s in report.sections
            ],
            "lists": report.lists,
        },
        option=orjson.OPT_INDENT_2,
    )


def write_csv(report: Report, target: Path, records: Iterable[tuple[str, str]], language: str = "fr") -> None:
    """Write the archive: `rapport.csv` (what it is of, totals), a file per table, `records.csv` (list, reference), `;` and UTF-8."""
    with files.replacing(target) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        about = [*_about(report, language).items(), *report.facts.items()]
        _member(archive, "rapport.csv", (("name", "value"), *about))
        for section in report.sections:
            for table in section.tables:
                rows = [*table.rows, *([table.total] if table.total is not None else [])]
                head = tuple(said(c.label, language) for c in table.columns)
                _member(archive, f"{table.id}.csv", (head, *([_plain(v, language) for v in r] for r in rows)))
        _member(archive, "records.csv", _with_head(records))


def _with_head(records: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    yield ("list", "reference")
    yield from records


def _member(archive: zipfile.ZipFile, name: str, rows: Iterable[Iterable[Any]]) -> None:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    with (
        archive.open(info, "w", force_zip64=True) as member,
        io.TextIOWrapper(member, encoding="utf-8-sig", newline="") as text,
    ):
        writer = csv.writer(text, delimiter=";")
        for row in rows:
            writer.writerow([cell(v) for v in row])


def cell(value: Any) -> Any:
    """A cell that a spreadsheet shows as it is: text that would start a formula is quoted."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return "" if value is None else value
