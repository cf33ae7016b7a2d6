"""Laboratory results inside a patient summary: one FR-Resultats organizer with one FR-Resultat for each row.

The report itself, with its chapters, samples and performers, is the business of `laboratory`.
"""

from __future__ import annotations

from typing import Any

from transvase.exporters.cda.entries import result
from transvase.exporters.cda.entries.coding import cell, concept
from transvase.exporters.cda.entries.dating import point, shown
from transvase.exporters.cda.entries.laboratory import LOINC
from transvase.exporters.cda.entries.units import NUMBER, quantity
from transvase.exporters.cda.entries.wording import extension, label, words

COLUMNS = result.COLUMNS

_ORGANIZER = '<entry><organizer classCode="CLUSTER" moodCode="EVN"><templateId root="1.2.250.1.213.1.1.3.208"/>'
_BIOLOGY = (
    '<code code="26436-6" displayName="Biologie polyvalente" codeSystem="2.16.840.1.113883.6.1" codeSystemName="LOINC"/>'
    '<statusCode code="completed"/>'
)
_RESULT = (
    '<component><observation classCode="OBS" moodCode="EVN"><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.13"/>'
    '<templateId root="1.2.250.1.213.1.1.3.48"/><templateId root="1.2.250.1.213.1.1.3.209"/>'
)
_INTERPRETATION = "2.16.840.1.113883.5.83"


def _value(row: Any) -> str:
    if row.value and NUMBER(row.value):
        if row.unit:
            return quantity('value xsi:type="PQ"', row.value, row.unit)
        return f'<value xsi:type="REAL" value="{row.value}"/>'
    said = words(" ".join(part for part in (row.value, row.value_text) if part))
    return f'<value xsi:type="ST">{said}</value>' if said else '<value xsi:type="ST" nullFlavor="UNK"/>'


def _range(row: Any) -> str:
    bounds = [(tag, v) for tag, v in (("low", row.low), ("high", row.high)) if v and NUMBER(v)]
    if not bounds:
        return ""
    inside = "".join(quantity(tag, v, row.unit) if row.unit else f'<{tag} value="{v}"/>' for tag, v in bounds)
    return (
        '<referenceRange typeCode="REFV"><observationRange>'
        f'<value xsi:type="{"IVL_PQ" if row.unit else "IVL_REAL"}">{inside}</value>'
        f'<interpretationCode code="N" codeSystem="{_INTERPRETATION}"/></observationRange></referenceRange>'
    )


def write(rows: list[Any], ids: str, mark: str) -> tuple[str, str]:
    """Rows of `lab_result`, the latest first, all under one organizer; no entry without rows."""
    if not rows:
        return "", ""
    ordered = result.latest(rows, len(rows))
    lines, inside = [], []
    for n, row in enumerate(ordered, 1):
        ref, text = f"{mark}{n}", label(row.label)
        flag = (
            f'<interpretationCode code="{row.flag}" displayName="{result.FLAGS[row.flag]}" codeSystem="{_INTERPRETATION}"/>'
            if row.flag in result.FLAGS
            else ""
        )
        lines.append(
            f'<tr><td>{shown(row.measured)}</td><td><content ID="{ref}">{text}</content></td><td>{cell(row.code, row.system)}</td>'
            f"<td>{' '.join(filter(None, (words(row.value), words(row.value_text))))}</td><td>{words(row.unit)}</td>"
            f"<td>{result.bounds(row.low, row.high)}</td><td>{result.FLAGS.get(row.flag, '')}</td></tr>"
        )
        inside.append(
            f'{_RESULT}<id root="{ids}.1" extension="{extension(row.key)}"/>'
            f"{concept('code', LOINC, row.code, row.system, text, ref)}"
            f'<text><reference value="#{ref}"/></text><statusCode code="completed"/>'
            f"<effectiveTime {point(row.measured)}/>{_value(row)}{flag}{_range(row)}</observation></component>"
        )
    return "".join(lines), (
        f'{_ORGANIZER}<id root="{ids}"/>{_BIOLOGY}<effectiveTime {point(ordered[0].measured)}/>'
        f"{''.join(inside)}</organizer></entry>"
    )
