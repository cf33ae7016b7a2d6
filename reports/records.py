"""The lists behind the figures, as pages of a bounded size beside the report, and the restricted annex that names patients.

Lists come from the file that `findings.gather` writes, read in order: memory does not follow their length.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from transvase.formats import files
from transvase.model.report import STATUSES, View
from transvase.model.verdict import CATALOGUE
from transvase.reports.findings import prepared
from transvase.reports.sheets import cell

RECORDS = "records.parquet"
# References on a page: what a browser opens at once. A figure of fewer opens in the report itself.
PAGE, INLINE = 2_000, 20
_READ = 10_000


class Place(NamedTuple):
    """Where a list begins: the page and its anchor; the references themselves when they are few."""

    href: str
    few: tuple[str, ...] = ()


def listed(work: Path) -> Iterator[tuple[str, str]]:
    """(list, reference) in order."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(work / "report" / RECORDS) as file:
        for batch in file.iter_batches(_READ, columns=["list", "reference"]):
            names, references = (batch.column(i).to_pylist() for i in (0, 1))
            yield from zip(names, references, strict=True)


def _opening(number: int, title: str) -> str:
    return (
        '<!doctype html><html lang="fr"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title} {number}</title><style>body{{font:14px/1.5 system-ui,sans-serif;margin:1.5rem;color:#111}}"
        "pre{font:inherit;white-space:pre-wrap;overflow-wrap:anywhere;margin:0}</style></head>"
        f"<body><main><h1>{title} {number}</h1>"
    )


def write_pages(work: Path, folder: Path, title: str = "Références / References") -> dict[str, Place]:
    """Write the pages to a private folder, replacing what stands there; where each list begins, by its name."""
    files.private_folder(folder)
    for old in folder.glob("*.html"):
        old.unlink()
    places: dict[str, Place] = {}
    out = io.StringIO()
    number, filled, current = 1, 0, ""
    few: list[str] = []

    def close(last: bool) -> None:
        nonlocal out, number, filled
        before = f'<a href="{number - 1:06d}.html">&lt;</a> ' if number > 1 else ""
        after = "" if last else f'<a href="{number + 1:06d}.html">&gt;</a>'
        text = f"{_opening(number, title)}<nav>{before}{after}</nav>{out.getvalue()}</main></body></html>\n"
        files.write(folder / f"{number:06d}.html", text.encode())
        out, filled, number = io.StringIO(), 0, number + 1

    def settle() -> None:
        if current and len(few) <= INLINE:
            places[current] = places[current]._replace(few=tuple(few))

    for name, reference in listed(work):
        if filled == PAGE:
            out.write("</pre>")
            close(last=False)
            if current == name:
                out.write(f"<h2>{escape(name)}</h2><pre>")
        if name != current:
            settle()
            if current and filled:
                out.write("</pre>")
            current, few = name, []
            places[name] = Place(f"{number:06d}.html#{name}")
            out.write(f'<h2 id="{escape(name)}">{escape(name)}</h2><pre>')
        if len(few) <= INLINE:
            few.append(reference)
        out.write(f"{escape(reference)}\n")
        filled += 1
    settle()
    if filled:
        out.write("</pre>")
        close(last=True)
    return places


_ANNEX = (
    "reference", "status", "rule", "who_can_act", "act", "practitioner", "patient", "birth_family", "birth_given", "birth_date", "ins",
)  # fmt: skip


def write_annex(work: Path, target: Path, view: View, today: date) -> int:
    """Write the restricted annex: what is due and not in the DMP, with the patient's identity, as CSV (`;`, UTF-8), private; its rows.

    It is the one output of the audit that names patients."""
    with files.replacing(target) as file, prepared(work, view, today) as base:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        writer = csv.writer(text, delimiter=";")
        writer.writerow(_ANNEX)
        rows = 0
        for row in _annex(base):
            who = CATALOGUE[row[2]].unblock if row[2] in CATALOGUE else ""
            writer.writerow([cell(v) for v in (row[0], STATUSES[row[1]].fr, row[2], who, *row[3:])])
            rows += 1
        text.flush()
        text.detach()
    return rows


def _annex(base: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    base.execute(
        "SELECT f.document, f.status, f.rule, f.act, f.practitioner, f.patient, p.birth_family, p.birth_given, p.birth_date, p.ins "
        "FROM final f LEFT JOIN patient p ON p.key = f.patient WHERE f.place = 'in' AND f.owed <> 'free' "
        "AND f.status IN ('missing', 'refused', 'blocked', 'waiting') ORDER BY f.act, f.document"
    )
    while rows := base.fetchmany(_READ):
        yield from rows
