"""The audit report as PDF/A-1b, by our writer: the same tree as the page, for a signature on paper or on the file."""

from __future__ import annotations

from transvase.errors import Said
from transvase.exporters.pdf import writer
from transvase.model.report import DELAYS, STATUSES, Report, Section, lines_of, number, said, shown

_TITLE = Said("Rapport d'audit", "Audit report")
# Columns beyond which those that count nothing are left out.
_WIDE = 7
_SIGN = Said("Lu et approuvé : nom, qualité, date, signature", "Read and approved: name, capacity, date, signature")
# Okabe-Ito colours, as on the page.
_COLOURS: dict[str, tuple[float, float, float]] = {
    "in_time": (0.0, 0.447, 0.698),
    "late": (0.337, 0.706, 0.914),
    "undated": (0.75, 0.87, 0.95),
    "adopted": (0.0, 0.62, 0.451),
    "waiting": (0.941, 0.894, 0.259),
    "missing": (0.902, 0.624, 0.0),
    "refused": (0.835, 0.369, 0.0),
    "blocked": (0.2, 0.2, 0.2),
    "exempt": (0.867, 0.867, 0.867),
    "same_day": (0.0, 0.447, 0.698),
    "next_day": (0.337, 0.706, 0.914),
    "week": (0.941, 0.894, 0.259),
    "month": (0.902, 0.624, 0.0),
    "later": (0.835, 0.369, 0.0),
}


def pdf(report: Report, *, identifier: str, language: str = "fr") -> bytes:
    """Bytes of the document; `identifier` is any stable text that tells this report from another. The same report gives the same bytes."""
    head = report.head
    about = (
        head.practice,
        said(head.view.sentence, language),
        f"{head.clock:%d/%m/%Y %H:%M}",
        head.software,
        head.environment,
    )
    blocks: list[writer.Block] = [
        writer.Paragraph(" · ".join(a for a in about if a)),
        writer.Paragraph(said(report.verdict, language), bold=True),
        writer.Paragraph(said(report.addition, language)),
    ]
    for section in report.sections:
        blocks += _section(section, language)
    blocks += [writer.Rule(), writer.Paragraph(said(_SIGN, language) + "\n\n\n\n"), writer.Rule()]
    return writer.text_document(
        said(_TITLE, language),
        blocks,
        created=head.clock,
        identifier=identifier,
        language="fr-FR" if language == "fr" else "en-GB",
        footer=f"{said(_TITLE, language)} · {head.practice} · {head.clock:%d/%m/%Y %H:%M}",
    )


def _section(section: Section, language: str) -> list[writer.Block]:
    blocks: list[writer.Block] = [writer.Heading(said(section.title, language))]
    blocks += [writer.Paragraph(line) for line in lines_of(section.lines, language)]
    for bars in section.bars:
        series = [(name, counts) for name, counts in bars.series if any(counts)]
        blocks += [
            writer.Heading(said(bars.title, language), 2),
            writer.Bars(
                [(said(STATUSES.get(name) or DELAYS[name], language), _COLOURS[name]) for name, _ in series],
                [
                    (said(label, language), [(i, counts[at]) for i, (_, counts) in enumerate(series) if counts[at]])
                    for at, label in enumerate(bars.names)
                ],
            ),
        ]
    for table in section.tables:
        body = [*table.rows, *([table.total] if table.total is not None else [])]
        # On paper a column of zeros takes the room of words.
        wide = len(table.columns) > _WIDE
        kept = [
            i
            for i, c in enumerate(table.columns)
            if not (wide and c.kind == "count") or any(number(r[i]) for r in body)
        ]
        rows = [[said(table.columns[i].label, language) for i in kept]]
        rows += [[shown(row[i], table.columns[i].kind, language) for i in kept] for row in body]
        blocks.append(writer.Heading(said(table.title, language), 2))
        if table.note:
            blocks.append(writer.Paragraph(said(table.note, language)))
        blocks.append(writer.Table(rows))
    return blocks
