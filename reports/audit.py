"""The audit report as one HTML page that stands alone, French first, without script: sentences, bars, tables, each figure opening on its
records. Records are named by reference only; patients never.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from transvase.errors import Said
from transvase.model.report import Column, Figure, Report, Section, Table, Value, lines_of, said, shown
from transvase.reports import plots
from transvase.reports.records import Place

_TITLE = Said("Rapport d'audit", "Audit report")
_WORDS = {
    "contents": Said("Sommaire", "Contents"),
    "all": Said("tout voir", "see all"),
    "sign": Said(
        "Lu et approuvé : nom, qualité, date, signature", "Read and approved: name, capacity, date, signature"
    ),
}
_CSS = """
:root{color-scheme:light}body{font:15px/1.45 system-ui,'Segoe UI',Roboto,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#111;
background:#fff}h1{font-size:1.6rem;margin:0}h2{font-size:1.2rem;margin:2.2rem 0 .5rem;border-bottom:1px solid #767676}
h3{font-size:1rem;margin:1.2rem 0 .2rem}p.lead{font-size:1.25rem;font-weight:600}a{color:#0047a0}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;margin:.3rem 0}th,td{text-align:left;padding:.25rem .6rem .25rem 0;
border-bottom:1px solid #ddd;vertical-align:top;font-weight:400;overflow-wrap:anywhere}thead th{font-weight:600;vertical-align:bottom;
font-size:.88rem;overflow-wrap:normal;hyphens:auto}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;padding-left:.4rem}
td.n{white-space:nowrap}tbody th{min-width:9rem}tr.total>*{font-weight:700;border-top:2px solid #111}.muted{color:#444;font-size:.9rem;margin:.2rem 0}
img{display:block;width:100%;height:auto;margin:.5rem 0}summary{cursor:pointer;color:#0047a0;text-decoration:underline}
details p{white-space:normal;text-align:left;font-size:.8rem;max-width:16rem;overflow-wrap:anywhere;margin:.2rem 0}
.sign{border:1px solid #111;min-height:5rem;padding:.5rem;margin-top:2rem}nav ol{columns:2;padding-left:1.2rem;margin:.5rem 0}
@media print{body{margin:0;max-width:none;font-size:10px}nav{display:none}h2,h3{break-after:avoid}tr,img{break-inside:avoid}
.scroll{overflow:visible}details p{display:none}a,summary{color:inherit;text-decoration:none;list-style:none}}
"""


def html(
    report: Report,
    *,
    language: str = "fr",
    places: Mapping[str, Place] | None = None,
    pages: str = "",
    contents: bool = True,
) -> bytes:
    """The page. `places` tells where each list of records begins in the folder `pages` beside it (`records.write_pages`); without it
    figures do not open."""
    head, title = report.head, escape(said(_TITLE, language))
    facts = (
        head.practice,
        said(head.view.sentence, language),
        f"{head.clock:%d/%m/%Y %H:%M}",
        head.software,
        head.environment,
    )
    writer = _Writer(language, places or {}, pages)
    out = [
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f"<title>{title}</title><style>{_CSS}</style></head><body><header><h1>{title}</h1>",
        f"<p class=muted>{' · '.join(escape(f) for f in facts if f)}</p></header><main>",
        f"<p class=lead>{escape(said(report.verdict, language))}</p>",
        f"<p>{escape(said(report.addition, language))}</p>",
    ]
    if contents:
        links = "".join(f'<li><a href="#{s.id}">{escape(said(s.title, language))}</a></li>' for s in report.sections)
        out.append(f'<nav aria-label="{said(_WORDS["contents"], language)}"><ol>{links}</ol></nav>')
    out += [writer.section(s) for s in report.sections]
    out.append(f"<div class=sign>{escape(said(_WORDS['sign'], language))}</div></main></body></html>\n")
    return "".join(out).encode()


class _Writer:
    def __init__(self, language: str, places: Mapping[str, Place], pages: str) -> None:
        self.language, self.places, self.pages = language, places, pages

    def section(self, section: Section) -> str:
        lines = "".join(f"<p>{escape(line)}</p>" for line in lines_of(section.lines, self.language))
        bars = "".join(
            f'<img src="{plots.data_uri(b, self.language)}" alt="{escape(plots.description(b, self.language))}">'
            for b in section.bars
        )
        tables = "".join(self.table(t) for t in section.tables)
        title = escape(said(section.title, self.language))
        return (
            f'<section aria-labelledby="{section.id}"><h2 id="{section.id}">{title}</h2>{lines}{bars}{tables}</section>'
        )

    def table(self, table: Table) -> str:
        title = escape(said(table.title, self.language))
        head = "".join(f"<th scope=col{_class(c)}>{escape(said(c.label, self.language))}</th>" for c in table.columns)
        body = "".join(self.row(row, table.columns) for row in table.rows)
        foot = self.row(table.total, table.columns, " class=total") if table.total is not None else ""
        note = f"<p class=muted>{escape(said(table.note, self.language))}</p>" if table.note else ""
        ident = f"t-{table.id}"
        return (
            f'<h3 id="{ident}">{title}</h3>{note}<div class=scroll role=region tabindex=0 aria-labelledby="{ident}">'
            f'<table aria-labelledby="{ident}"><thead><tr>{head}</tr></thead><tbody>{body}{foot}</tbody></table></div>'
        )

    def row(self, cells: Sequence[Value], columns: Sequence[Column], extra: str = "") -> str:
        inner = "".join(
            f"<th scope=row>{self.cell(v, c)}</th>" if i == 0 else f"<td{_class(c)}>{self.cell(v, c)}</td>"
            for i, (v, c) in enumerate(zip(cells, columns, strict=True))
        )
        return f"<tr{extra}>{inner}</tr>"

    def cell(self, value: Value, column: Column) -> str:
        text = escape(shown(value, column.kind, self.language))
        place = self.places.get(value.records) if isinstance(value, Figure) else None
        if place is None:
            return text
        if place.few:
            return f"<details><summary>{text}</summary><p>{escape(' · '.join(place.few))}</p></details>"
        return f'<a href="{self.pages}/{place.href}">{text}</a>'


def _class(column: Column) -> str:
    return "" if column.kind == "text" else " class=n"
