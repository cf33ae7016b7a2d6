"""Prescribed medicines: FR-Traitement-prescrit, one for each line. The dosage is always in words; dose, rhythm and route are structured
besides when the line holds them so."""

from __future__ import annotations

from typing import Any

from transvase.exporters.cda.entries import administration, prescription_mark
from transvase.exporters.cda.entries.coding import ABSENCE, CIS, cell, concept
from transvase.exporters.cda.entries.dating import high, low, shown
from transvase.exporters.cda.entries.wording import NOT_RECORDED, extension, label, words

_MARKED = ("long_term", "work_related", "prevention", "not_reimbursed", "off_label")
COLUMNS = (
    "Début",
    "Fin",
    "Durée du traitement",
    "Médicament",
    "Code",
    "Posologie",
    "Dose prescrite",
    "Fréquence d'administration",
    "Voie d'administration",
    "Quantité",
    "Nombre de renouvellements",
    "Substitution",
    *prescription_mark.titles(_MARKED),
    "Instruction au patient",
    "Instruction au dispensateur",
)

_TEMPLATES = (
    '<templateId root="2.16.840.1.113883.10.20.1.24"/><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.7"/>'
    '<templateId root="1.3.6.1.4.1.19376.1.9.1.3.2"/><templateId root="1.2.250.1.213.1.1.3.83"/>'
)
_STRUCTURED = '<templateId root="1.3.6.1.4.1.19376.1.9.1.3.6"/>'
# The one mode without subordinate administrations: a line of the record has one dosage.
_NORMAL = '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.7.1"/>'
_DRUG = '<code code="DRUG" displayName="Médicament" codeSystem="2.16.840.1.113883.5.4" codeSystemName="HL7:ActCode"/>'
_PRODUCT = (
    '<consumable><manufacturedProduct classCode="MANU"><templateId root="2.16.840.1.113883.10.20.1.53"/>'
    '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.7.2"/><templateId root="1.2.250.1.213.1.1.3.43"/>'
    '<manufacturedMaterial classCode="MMAT" determinerCode="KIND"><templateId root="1.3.6.1.4.1.19376.1.9.1.3.1"/>'
)
_TO_PATIENT = (
    '<templateId root="2.16.840.1.113883.10.20.1.49"/><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.3"/>'
    '<templateId root="1.2.250.1.213.1.1.3.33"/><code code="PINSTRUCT"'
)
_TO_DISPENSER = (
    '<templateId root="2.16.840.1.113883.10.20.1.43"/><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.3.1"/>'
    '<templateId root="1.2.250.1.213.1.1.3.34"/><code code="FINSTRUCT"'
)
# JDV_HL7_ActSubstanceAdminSubstitutionCode. A generic may replace a medicine unless the prescriber excludes it (CSP L. 5125-23).
_SUBSTITUTION = {
    True: 'code="N" displayName="Aucune substitution permise"',
    False: 'code="G" displayName="Substitution autorisée par un produit générique"',
}
_REPLACEABLE = {True: "Non", False: "Oui"}


def _instruction(kind: str, text: str | None, ref: str) -> str:
    if not text:
        return ""
    return (
        f'<entryRelationship typeCode="SUBJ" inversionInd="true"><act classCode="ACT" moodCode="INT">{kind}'
        f' codeSystem="1.3.6.1.4.1.19376.1.5.3.2" codeSystemName="IHEActCode"/><text><reference value="#{ref}"/></text>'
        '<statusCode code="completed"/></act></entryRelationship>'
    )


def supplied(value: str | None, unit: str | None, ref: str) -> str:
    """FR-Quantite-de-produit, when the quantity is a number."""
    found = administration.number(value)
    if not found:
        return ""
    return (
        '<entryRelationship typeCode="COMP"><supply classCode="SPLY" moodCode="RQO">'
        '<templateId root="1.3.6.1.4.1.19376.1.9.1.3.8"/><templateId root="1.2.250.1.213.1.1.3.86"/>'
        f'<independentInd value="false"/>{administration.amount("quantity", found, unit, ref)}</supply></entryRelationship>'
    )


def _substitution(row: Any, ref: str) -> tuple[str, str]:
    """Cell and entry. The words that the entry points at are the reason, else the answer itself."""
    answer = _REPLACEABLE.get(row.unsubstitutable, NOT_RECORDED)
    reason = words(row.unsubstitutable_reason)
    told = (
        f'{answer} (<content ID="{ref}s">{reason}</content>)' if reason else f'<content ID="{ref}s">{answer}</content>'
    )
    return (
        f"<td>{told}</td>",
        '<entryRelationship typeCode="COMP"><act classCode="ACT" moodCode="DEF">'
        '<templateId root="1.3.6.1.4.1.19376.1.9.1.3.9.1"/><templateId root="1.2.250.1.213.1.1.3.87"/>'
        f'<code {_SUBSTITUTION[bool(row.unsubstitutable)]} codeSystem="2.16.840.1.113883.5.1070"'
        f' codeSystemName="HL7_substanceAdminSubstitution"><originalText><reference value="#{ref}s"/></originalText></code>'
        '<statusCode code="completed"/></act></entryRelationship>',
    )


def span(start: str | None, stop: str | None, wanted: bool) -> str:
    """The `effectiveTime` of the treatment, first day to last. When the line says neither: nothing, unless the rules want it."""
    if not (start or stop or wanted):
        return ""
    return f'<effectiveTime xsi:type="IVL_TS">{low(start)}{high(stop)}</effectiveTime>'


def write(rows: list[Any], ids: str, mark: str, prescribed: str | None) -> tuple[str, str]:
    """Rows of `prescription_line` of one prescription of medicines, signed at `prescribed`.

    The product takes a CIS code; any other (CIP, ATC, UCD) is a translation, for the rules allow no other system there."""
    lines, entries = [], []
    for n, row in enumerate(rows, 1):
        ref, text = f"{mark}{n}", label(row.label)
        dose = administration.dose(row.dose, row.dose_unit, f"{ref}q")
        rhythm = administration.rhythm(row.frequency, row.period, row.period_unit, f"{ref}f")
        route = administration.route(row.route_code, row.route, f"{ref}r")
        told, substitution = _substitution(row, ref)
        # A code that says an absence is no product: its words stay.
        code, system = (None, None) if row.system == ABSENCE else (row.code, row.system)
        lines.append(
            f'<tr ID="{ref}"><td>{shown(row.start)}</td><td>{shown(row.stop)}</td><td>{words(row.duration)}</td>'
            f'<td><content ID="{ref}p">{text}</content></td><td>{cell(row.code, row.system)}</td><td>{words(row.dosage)}</td>'
            f'<td><content ID="{ref}q">{administration.amount_shown(row.dose, row.dose_unit)}</content></td>'
            f'<td><content ID="{ref}f">{administration.rhythm_shown(row.frequency, row.period, row.period_unit)}</content></td>'
            f'<td><content ID="{ref}r">{words(row.route or row.route_code)}</content></td>'
            f'<td><content ID="{ref}n">{administration.amount_shown(row.quantity, row.quantity_unit)}</content></td>'
            f"<td>{prescription_mark.repeat_shown(row.renewals)}</td>{told}{prescription_mark.cells(row, _MARKED, ref)}"
            f'<td><content ID="{ref}i">{words(row.instruction)}</content></td>'
            f'<td><content ID="{ref}d">{words(row.dispenser_instruction)}</content></td></tr>'
        )
        entries.append(
            f'<entry><substanceAdministration classCode="SBADM" moodCode="INT">{_TEMPLATES}'
            f"{_STRUCTURED if dose or rhythm or route else ''}{_NORMAL}"
            f'<id root="{ids}.1" extension="{extension(row.key)}"/>{_DRUG}<text><reference value="#{ref}"/></text>'
            f'<statusCode code="completed"/>{span(row.start, row.stop, bool(rhythm))}{rhythm}{prescription_mark.repeat(row.renewals)}{route}'
            f"{dose}{_PRODUCT}{concept('code', CIS, code, system, text, f'{ref}p')}<name>{text}</name>"
            "</manufacturedMaterial></manufacturedProduct></consumable>"
            f"{_instruction(_TO_PATIENT, row.instruction, f'{ref}i')}"
            f"{_instruction(_TO_DISPENSER, row.dispenser_instruction, f'{ref}d')}"
            f"{supplied(row.quantity, row.quantity_unit, f'{ref}n')}{substitution}"
            f"{prescription_mark.entries(row, _MARKED, ids, ref, prescribed)}</substanceAdministration></entry>"
        )
    return "".join(lines), "".join(entries)
