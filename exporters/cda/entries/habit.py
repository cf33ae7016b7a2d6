"""Habits and way of life: FR-Habitus-Mode-de-vie, one observation for each row; and occupational factors, which are words only."""

from __future__ import annotations

from typing import Any

from transvase.exporters.cda.entries.dating import point, shown
from transvase.exporters.cda.entries.wording import NEGATION, NOT_RECORDED, STATED, extension, label, words

COLUMNS = ("Type", "Observation", "Valeur", "Saisi le", "Statut")
OCCUPATIONAL_COLUMNS = ("Facteur", "Valeur", "Saisi le", "Statut")

_TEMPLATES = (
    '<templateId root="2.16.840.1.113883.10.20.1.33"/><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.13"/>'
    '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.13.4"/><templateId root="1.2.250.1.213.1.1.3.52"/>'
)
# JDV_SocialHistoryCodes, LOINC.
_KINDS = {
    "tobacco": ("74011-8", "Consommation tabagique"),
    "alcohol": ("74013-4", "Consommation d'alcool"),
    "activity": ("73985-4", "Exercice physique"),
    "social": ("11345-6", "Autre élément social"),
}
_OTHER = ("92944-8", "Exposition à risque")


def write(rows: list[Any], ids: str, mark: str) -> tuple[str, str]:
    """Rows of `risk_factor` but the occupational ones. The value is the recorded value, else the label, as text.

    The time is the day of recording: the record holds no other, and an hour of typing says nothing of the habit."""
    lines, entries = [], []
    for n, row in enumerate(rows, 1):
        said, ref, text, value = row.assertion, f"{mark}{n}", label(row.label), words(row.value)
        code, display = _KINDS.get(row.category, _OTHER)
        lines.append(
            f'<tr><td>{display}</td><td><content ID="{ref}">{text}</content></td><td>{value}</td>'
            f"<td>{shown(row.recorded)}</td><td>{STATED.get(said, NOT_RECORDED)}</td></tr>"
        )
        if said not in NEGATION:
            continue
        day = row.recorded[:10] if row.recorded else None
        entries.append(
            f'<entry><observation classCode="OBS" moodCode="EVN" negationInd="{NEGATION[said]}">{_TEMPLATES}'
            f'<id root="{ids}.1" extension="{extension(row.key)}"/>'
            f'<code code="{code}" displayName="{display}" codeSystem="2.16.840.1.113883.6.1"/>'
            f'<text><reference value="#{ref}"/></text><statusCode code="completed"/><effectiveTime {point(day)}/>'
            f'<value xsi:type="ST">{value or text}</value></observation></entry>'
        )
    return "".join(lines), "".join(entries)


def occupational(rows: list[Any], ids: str, mark: str) -> tuple[str, str]:
    """Occupational rows of `risk_factor`: the section of the model is not coded, the table is all of it."""
    return "".join(
        f'<tr><td><content ID="{mark}{n}">{label(row.label)}</content></td><td>{words(row.value)}</td>'
        f"<td>{shown(row.recorded)}</td><td>{STATED.get(row.assertion, NOT_RECORDED)}</td></tr>"
        for n, row in enumerate(rows, 1)
    ), ""
