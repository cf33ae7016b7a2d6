"""Prescribed devices: FR-Dispositif-medical, one supply for each line. What no device has (dose, route) is not asked of the line."""

from __future__ import annotations

from typing import Any

from transvase.exporters.cda.entries import administration, prescription_mark
from transvase.exporters.cda.entries.coding import EMDN, cell, concept
from transvase.exporters.cda.entries.dating import shown
from transvase.exporters.cda.entries.prescription_item import span
from transvase.exporters.cda.entries.wording import extension, label, words

_MARKED = ("long_term", "work_related", "prevention", "not_reimbursed")
COLUMNS = (
    "Début",
    "Fin",
    "Durée du traitement",
    "Dispositif médical",
    "Code",
    "Posologie",
    "Quantité",
    "Nombre de renouvellements",
    *prescription_mark.titles(_MARKED),
    "Instruction au patient",
    "Instruction au dispensateur",
)


def write(rows: list[Any], ids: str, mark: str, prescribed: str | None) -> tuple[str, str]:
    """Rows of `prescription_line` of one prescription of devices. The type takes an EMDN code; any other (LPP) is a translation."""
    lines, entries = [], []
    for n, row in enumerate(rows, 1):
        ref, text = f"{mark}{n}", label(row.label)
        quantity = administration.number(row.quantity)
        lines.append(
            f'<tr ID="{ref}"><td>{shown(row.start)}</td><td>{shown(row.stop)}</td><td>{words(row.duration)}</td>'
            f'<td><content ID="{ref}p">{text}</content></td><td>{cell(row.code, row.system)}</td><td>{words(row.dosage)}</td>'
            f'<td><content ID="{ref}n">{administration.amount_shown(row.quantity, row.quantity_unit)}</content></td>'
            f"<td>{prescription_mark.repeat_shown(row.renewals)}</td>{prescription_mark.cells(row, _MARKED, ref)}"
            f"<td>{words(row.instruction)}</td><td>{words(row.dispenser_instruction)}</td></tr>"
        )
        entries.append(
            '<entry><supply classCode="SPLY" moodCode="INT"><templateId root="2.16.840.1.113883.10.20.1.34"/>'
            f'<templateId root="1.2.250.1.213.1.1.3.20"/><id root="{ids}.1" extension="{extension(row.key)}"/>'
            f'<text><reference value="#{ref}"/></text>'
            f"{span(row.start, row.stop, True)}{prescription_mark.repeat(row.renewals)}"
            f"{administration.amount('quantity', quantity, row.quantity_unit, f'{ref}n') if quantity else ''}"
            '<participant typeCode="DEV"><participantRole classCode="MANU"><playingDevice classCode="DEV"'
            f' determinerCode="INSTANCE">{concept("code", EMDN, row.code, row.system, text, f"{ref}p")}'
            "</playingDevice></participantRole></participant>"
            f"{prescription_mark.entries(row, _MARKED, ids, ref, prescribed)}</supply></entry>"
        )
    return "".join(lines), "".join(entries)
