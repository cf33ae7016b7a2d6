"""Surgical history: FR-Acte, one procedure for each row, coded in CCAM when the record is."""

from __future__ import annotations

from typing import Any

from transvase.exporters.cda.entries.coding import CCAM, cell, concept
from transvase.exporters.cda.entries.dating import high, low, point, shown
from transvase.exporters.cda.entries.wording import NEGATION, NOT_RECORDED, STATED, extension, label

COLUMNS = ("Date", "Fin", "Acte", "Code", "Statut")

_TEMPLATES = (
    '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.19"/><templateId root="2.16.840.1.113883.10.20.1.29"/>'
    '<templateId root="1.2.250.1.213.1.1.3.62"/>'
)


def write(rows: list[Any], ids: str, mark: str) -> tuple[str, str]:
    """Rows of `problem` whose category is `surgery`."""
    lines, entries = [], []
    for n, row in enumerate(rows, 1):
        said, ref, text = row.assertion, f"{mark}{n}", label(row.label)
        lines.append(
            f'<tr><td>{shown(row.onset)}</td><td>{shown(row.resolved)}</td><td><content ID="{ref}">{text}</content></td>'
            f"<td>{cell(row.code, row.system)}</td><td>{STATED.get(said, NOT_RECORDED)}</td></tr>"
        )
        if said not in NEGATION:
            continue
        when = (
            f"<effectiveTime>{low(row.onset)}{high(row.resolved)}</effectiveTime>"
            if row.resolved
            else f"<effectiveTime {point(row.onset)}/>"
        )
        entries.append(
            f'<entry><procedure classCode="PROC" moodCode="EVN" negationInd="{NEGATION[said]}">{_TEMPLATES}'
            f'<id root="{ids}.1" extension="{extension(row.key)}"/>'
            f"{concept('code', CCAM, row.code, row.system, text, ref)}"
            f'<text><reference value="#{ref}"/></text><statusCode code="completed"/>{when}</procedure></entry>'
        )
    return "".join(lines), "".join(entries)
