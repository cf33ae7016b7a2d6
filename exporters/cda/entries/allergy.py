"""Allergies: FR-Liste-des-allergies-et-hypersensibilites around FR-Allergie-ou-hypersensibilite, one of each for each row."""

from __future__ import annotations

from typing import Any

from transvase.exporters.cda.entries.coding import ABSENCE, CIS, VALUE, carried, cell, concept
from transvase.exporters.cda.entries.dating import low, shown
from transvase.exporters.cda.entries.wording import NEGATION, NOT_RECORDED, STATED, extension, label, words

COLUMNS = ("Date", "Substance", "Code", "Réaction", "Gravité", "Statut")

_CONCERN = (
    '<entry><act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.1.27"/>'
    '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.5.1"/><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.5.3"/>'
    '<templateId root="1.2.250.1.213.1.1.3.40"/>'
)
# JDV_TypeEvenementIndesirablePrevisible: the record does not say allergy or intolerance, drug or food; this concept holds them all.
_ALLERGY = (
    '<templateId root="2.16.840.1.113883.10.20.1.18"/><templateId root="2.16.840.1.113883.10.20.1.28"/>'
    '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.5"/><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.6"/>'
    '<templateId root="1.2.250.1.213.1.1.3.41"/>'
)
_KIND = '<code code="420134006" displayName="propension aux effets indésirables" codeSystem="2.16.840.1.113883.6.96"/>'
_SEVERITY = (
    '<entryRelationship typeCode="SUBJ" inversionInd="true"><observation classCode="OBS" moodCode="EVN">'
    '<templateId root="2.16.840.1.113883.10.20.1.55"/><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.1"/>'
    '<templateId root="1.2.250.1.213.1.1.3.29"/>'
    '<code code="SEV" displayName="Sévérité" codeSystem="2.16.840.1.113883.5.4"/>'
)
# JDV_SeveriteObservation, SNOMED CT. An unknown severity is told to the reader and has no entry.
_DEGREE = {"mild": ("255604002", "léger"), "moderate": ("6736007", "modéré"), "severe": ("24484000", "grave")}
_SHOWN = {"mild": "Légère", "moderate": "Modérée", "severe": "Sévère", "unknown": "Inconnue"}


def _severity(value: str | None, ref: str) -> str:
    if value not in _DEGREE:
        return ""
    code, display = _DEGREE[value]
    return (
        f'{_SEVERITY}<text><reference value="#{ref}g"/></text><statusCode code="completed"/>'
        f'<value xsi:type="CD" code="{code}" displayName="{display}" codeSystem="2.16.840.1.113883.6.96"/>'
        "</observation></entryRelationship>"
    )


def write(rows: list[Any], ids: str, mark: str) -> tuple[str, str]:
    """Rows of `allergy`. A denied substance is a negated observation of that substance; a code of absence ("no known allergies")
    says the denial by itself and is not negated a second time (ANS example of the content models)."""
    lines, entries = [], []
    for n, row in enumerate(rows, 1):
        said, ref, text = row.assertion, f"{mark}{n}", label(row.label)
        reaction = f'<content ID="{ref}r">{words(row.reaction)}</content>' if row.reaction else ""
        severity = f'<content ID="{ref}g">{_SHOWN.get(row.severity, "")}</content>' if row.severity else ""
        lines.append(
            f'<tr><td>{shown(row.onset)}</td><td><content ID="{ref}">{text}</content></td><td>{cell(row.code, row.system)}</td>'
            f"<td>{reaction}</td><td>{severity}</td><td>{STATED.get(said, NOT_RECORDED)}</td></tr>"
        )
        if said not in NEGATION:
            continue
        start = low(row.onset)
        status, span = ("active", start) if said == "affirmed" else ("completed", start + '<high nullFlavor="UNK"/>')
        key = extension(row.key)
        if said != "affirmed" and row.system == ABSENCE and carried(row.code, row.system):
            negation, agent = "false", ""
            value = concept(VALUE, CIS, row.code, row.system, text, ref)
        else:
            negation = NEGATION[said]
            value = f'<value xsi:type="CD"><originalText><reference value="#{ref}{"r" if reaction else ""}"/></originalText></value>'
            agent = (
                '<participant typeCode="CSM"><participantRole classCode="MANU"><playingEntity classCode="MMAT">'
                f"{concept('code', CIS, row.code, row.system, text, ref)}<name>{text}</name>"
                "</playingEntity></participantRole></participant>"
            )
        entries.append(
            f'{_CONCERN}<id root="{ids}.1" extension="{key}"/><code nullFlavor="NA"/><statusCode code="{status}"/>'
            f'<effectiveTime>{span}</effectiveTime><entryRelationship typeCode="SUBJ" inversionInd="false">'
            f'<observation classCode="OBS" moodCode="EVN" negationInd="{negation}">{_ALLERGY}'
            f'<id root="{ids}.2" extension="{key}"/>{_KIND}'
            f'<text><reference value="#{ref}"/></text><statusCode code="completed"/>'
            f"<effectiveTime>{start}</effectiveTime>{value}{agent}{_severity(row.severity, ref)}"
            "</observation></entryRelationship></act></entry>"
        )
    return "".join(lines), "".join(entries)
