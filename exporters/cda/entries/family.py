"""Family history: FR-Antecedents-familiaux, an organizer with one FR-Antecedent-familial-observe for each row.

The record does not hold the kinship apart from the label, so the relation is unknown and never deduced from words."""

from __future__ import annotations

from typing import Any

from transvase.exporters.cda.entries.coding import CIM10, VALUE, cell, concept
from transvase.exporters.cda.entries.dating import point, shown
from transvase.exporters.cda.entries.problem import DIAGNOSIS, PROBLEM
from transvase.exporters.cda.entries.wording import NEGATION, NOT_RECORDED, STATED, extension, label

COLUMNS = ("Date", "Antécédent", "Code", "Statut")

_ORGANIZER = (
    '<entry><organizer classCode="CLUSTER" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.1.23"/>'
    '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.15"/><templateId root="1.2.250.1.213.1.1.3.59"/>'
)
_SUBJECT = (
    '<statusCode code="completed"/><subject typeCode="SBJ"><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.15.2"/>'
    '<templateId root="1.2.250.1.213.1.1.3.60"/><relatedSubject classCode="PRS"><code nullFlavor="UNK"/></relatedSubject>'
    '</subject><component typeCode="COMP">'
)
_OBSERVED = (
    '<templateId root="2.16.840.1.113883.10.20.1.22"/><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.13"/>'
    '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.13.3"/><templateId root="1.2.250.1.213.1.1.3.51"/>'
)


def write(rows: list[Any], ids: str, mark: str) -> tuple[str, str]:
    """Rows of `problem` whose category is `family`."""
    lines, entries = [], []
    for n, row in enumerate(rows, 1):
        said, ref, text = row.assertion, f"{mark}{n}", label(row.label)
        lines.append(
            f'<tr><td>{shown(row.onset)}</td><td><content ID="{ref}">{text}</content></td>'
            f"<td>{cell(row.code, row.system)}</td><td>{STATED.get(said, NOT_RECORDED)}</td></tr>"
        )
        if said not in NEGATION:
            continue
        key = extension(row.key)
        entries.append(
            f'{_ORGANIZER}<id root="{ids}.1" extension="{key}"/>{_SUBJECT}'
            f'<observation classCode="OBS" moodCode="EVN" negationInd="{NEGATION[said]}">{_OBSERVED}'
            f'<id root="{ids}.2" extension="{key}"/>{DIAGNOSIS if row.system == CIM10.system else PROBLEM}'
            f'<text><reference value="#{ref}"/></text><statusCode code="completed"/>'
            f"<effectiveTime {point(row.onset)}/>"
            f"{concept(VALUE, CIM10, row.code, row.system, text, ref)}"
            "</observation></component></organizer></entry>"
        )
    return "".join(lines), "".join(entries)
