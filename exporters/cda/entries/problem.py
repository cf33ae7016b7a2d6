"""Problems and history: FR-Liste-des-problemes around FR-Probleme, one of each for each row (sheet, section 8)."""

from __future__ import annotations

from typing import Any

from transvase.exporters.cda.entries.coding import CIM10, VALUE, cell, concept
from transvase.exporters.cda.entries.dating import high, low, shown
from transvase.exporters.cda.entries.wording import NEGATION, NOT_RECORDED, STATED, extension, label

COLUMNS = ("Début", "Fin", "Libellé", "Code", "Statut")

_CONCERN = (
    '<entry><act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.1.27"/>'
    '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.5.1"/><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.5.2"/>'
    '<templateId root="1.2.250.1.213.1.1.3.39"/>'
)
_PROBLEM = (
    '<templateId root="2.16.840.1.113883.10.20.1.28"/><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.5"/>'
    '<templateId root="1.2.250.1.213.1.1.3.37"/>'
)
# JDV_ProblemCodes: a diagnosis only when the record codes it as one, else the neutral "problem".
DIAGNOSIS = '<code code="282291009" displayName="interprétation diagnostique" codeSystem="2.16.840.1.113883.6.96"/>'
PROBLEM = '<code code="55607006" displayName="problème" codeSystem="2.16.840.1.113883.6.96"/>'


def write(rows: list[Any], ids: str, mark: str, active: bool) -> tuple[str, str]:
    """Rows of `problem`. `active` is true in the section of active problems, where an affirmed row is not completed.

    A denied row is completed whatever the section: its absence is a fact observed, not a concern that goes on."""
    lines, entries = [], []
    for n, row in enumerate(rows, 1):
        said, ref, text = row.assertion, f"{mark}{n}", label(row.label)
        lines.append(
            f'<tr><td>{shown(row.onset)}</td><td>{shown(row.resolved)}</td><td><content ID="{ref}">{text}</content></td>'
            f"<td>{cell(row.code, row.system)}</td><td>{STATED.get(said, NOT_RECORDED)}</td></tr>"
        )
        if said not in NEGATION:
            continue
        start = low(row.onset)
        key = extension(row.key)
        if active and said == "affirmed":
            status, span, end = "active", start, ""
        else:
            status, span = "completed", start + high(row.resolved)
            end = high(row.resolved) if row.resolved else ""
        entries.append(
            f'{_CONCERN}<id root="{ids}.1" extension="{key}"/><code nullFlavor="NA"/><statusCode code="{status}"/>'
            f"<effectiveTime>{span}</effectiveTime>"
            '<entryRelationship typeCode="SUBJ" inversionInd="false">'
            f'<observation classCode="OBS" moodCode="EVN" negationInd="{NEGATION[said]}">{_PROBLEM}'
            f'<id root="{ids}.2" extension="{key}"/>{DIAGNOSIS if row.system == CIM10.system else PROBLEM}'
            f'<text><reference value="#{ref}"/></text><statusCode code="completed"/>'
            f"<effectiveTime>{start}{end}</effectiveTime>"
            f"{concept(VALUE, CIM10, row.code, row.system, text, ref)}"
            "</observation></entryRelationship></act></entry>"
        )
    return "".join(lines), "".join(entries)
