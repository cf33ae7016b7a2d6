"""What is ticked on a line of a prescription, medicine or device alike: FR-En-rapport-avec-ALD and the other four yes-or-no entries.

The models admit true or false only. Where the practice recorded neither, the entry says false, as the form without a tick does, and
the narrative that it points at says that nothing was recorded.
"""

from __future__ import annotations

from typing import Any

from transvase.exporters.cda.entries.dating import point
from transvase.exporters.cda.entries.wording import NOT_RECORDED, extension

SHOWN = {True: "Oui", False: "Non", None: NOT_RECORDED}

# Column: arc of the identifiers, last arc of the templateId, code and label in TA_ASIP, title of the column in the narrative.
MARKS = {
    "long_term": (2, "13", "MED-574", "En rapport avec une ALD", "ALD"),
    "work_related": (
        3,
        "14",
        "GEN-180",
        "En rapport avec un accident du travail ou une maladie professionnelle",
        "AT/MP",
    ),
    "prevention": (4, "34", "GEN-295", "En rapport avec la prévention", "Prévention"),
    "not_reimbursed": (5, "15", "GEN-181", "Non remboursable", "Non remboursable"),
    "off_label": (6, "12", "GEN-179", "Hors Autorisation de Mise sur le Marché (AMM)", "Hors AMM"),
}


def titles(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Titles of the cells that `cells` writes."""
    return tuple(MARKS[name][4] for name in columns)


def cells(row: Any, columns: tuple[str, ...], ref: str) -> str:
    """Cells of the narrative; `ref` starts the XML IDs of the row."""
    return "".join(
        f'<td><content ID="{ref}x{MARKS[name][0]}">{SHOWN.get(getattr(row, name), NOT_RECORDED)}</content></td>'
        for name in columns
    )


def entries(row: Any, columns: tuple[str, ...], ids: str, ref: str, prescribed: str | None) -> str:
    """One observation for each column. `prescribed` is the instant of the prescription."""
    key, when = extension(row.key), point(prescribed)
    return "".join(
        '<entryRelationship typeCode="COMP"><observation classCode="OBS" moodCode="EVN">'
        '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.13"/><templateId root="1.2.250.1.213.1.1.3.48"/>'
        f'<templateId root="1.2.250.1.213.1.1.3.48.{template}"/><id root="{ids}.{arc}" extension="{key}"/>'
        f'<code code="{code}" displayName="{display}" codeSystem="1.2.250.1.213.1.1.4.322" codeSystemName="TA_ASIP"/>'
        f'<text><reference value="#{ref}x{arc}"/></text><statusCode code="completed"/><effectiveTime {when}/>'
        f'<value xsi:type="BL" value="{"true" if getattr(row, name) else "false"}"/></observation></entryRelationship>'
        for name in columns
        for arc, template, code, display, _ in (MARKS[name],)
    )


def repeat(renewals: int | None) -> str:
    """`repeatNumber`. A line that says nothing of a renewal is dispensed once (0, as the models want); the narrative tells them apart."""
    return f'<repeatNumber value="{renewals if renewals and renewals > 0 else 0}"/>'


def repeat_shown(renewals: int | None) -> str:
    """For a reader."""
    return NOT_RECORDED if renewals is None else str(renewals)
