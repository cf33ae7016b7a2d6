"""Treatments: FR-Traitement with its FR-Produit-de-sante, one for each row. The dosage stays the words of the prescriber."""

from __future__ import annotations

from typing import Any

from transvase.exporters.cda.entries.coding import ABSENCE, CIS, carried, cell, concept
from transvase.exporters.cda.entries.dating import high, low, shown
from transvase.exporters.cda.entries.wording import NEGATION, NOT_RECORDED, STATED, extension, label, words

COLUMNS = ("Début", "Fin", "Traitement", "Code", "Posologie", "Au long cours", "Statut")

_LONG = {True: "Oui", False: "Non", None: NOT_RECORDED}
# Mode .7.1, normal dosage: the only one without subordinate administrations, hence the one that a dosage in words can take.
_TEMPLATES = (
    '<templateId root="2.16.840.1.113883.10.20.1.24"/><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.7"/>'
    '<templateId root="1.2.250.1.213.1.1.3.42"/><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.7.1"/>'
)
_PRODUCT = (
    '<consumable><manufacturedProduct><templateId root="2.16.840.1.113883.10.20.1.53"/>'
    '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.7.2"/><templateId root="1.2.250.1.213.1.1.3.43"/><manufacturedMaterial>'
)
# FR-Instructions-au-patient: the dosage as a statement of its own, which another software can read.
_INSTRUCTIONS = (
    '<entryRelationship typeCode="SUBJ" inversionInd="true"><act classCode="ACT" moodCode="INT">'
    '<templateId root="2.16.840.1.113883.10.20.1.49"/><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.3"/>'
    '<templateId root="1.2.250.1.213.1.1.3.33"/><code code="PINSTRUCT" codeSystem="1.3.6.1.4.1.19376.1.5.3.2"/>'
)
_DRUG = '<code code="DRUG" displayName="Médicament" codeSystem="2.16.840.1.113883.5.4"/>'


def write(rows: list[Any], ids: str, mark: str) -> tuple[str, str]:
    """Rows of `treatment`. The text of the entry is the whole line of the table, dosage included; the product is its own words.

    The product takes a CIS code; any other (CIP, ATC, UCD) is a translation, for the rules allow no other system there."""
    lines, entries = [], []
    for n, row in enumerate(rows, 1):
        said, ref, text = row.assertion, f"{mark}{n}", label(row.label)
        dosage = f'<content ID="{ref}d">{words(row.dosage)}</content>' if row.dosage else ""
        lines.append(
            f'<tr ID="{ref}"><td>{shown(row.start)}</td><td>{shown(row.stop)}</td><td><content ID="{ref}p">{text}</content></td>'
            f"<td>{cell(row.code, row.system)}</td><td>{dosage}</td>"
            f"<td>{_LONG.get(row.long_term, NOT_RECORDED)}</td><td>{STATED.get(said, NOT_RECORDED)}</td></tr>"
        )
        if said not in NEGATION:
            continue
        if row.system == ABSENCE and carried(row.code, row.system):
            kind = concept("code", CIS, row.code, row.system, text, f"{ref}p")
            product = '<code nullFlavor="NA"/><name nullFlavor="NA"/>'
        else:
            kind = _DRUG
            product = f"{concept('code', CIS, row.code, row.system, text, f'{ref}p')}<name>{text}</name>"
        instructions = (
            f'{_INSTRUCTIONS}<text><reference value="#{ref}d"/></text><statusCode code="completed"/></act></entryRelationship>'
            if dosage
            else ""
        )
        entries.append(
            f'<entry><substanceAdministration classCode="SBADM" moodCode="EVN" negationInd="{NEGATION[said]}">{_TEMPLATES}'
            f'<id root="{ids}.1" extension="{extension(row.key)}"/>{kind}'
            f'<text><reference value="#{ref}"/></text><statusCode code="completed"/>'
            f'<effectiveTime xsi:type="IVL_TS">{low(row.start)}{high(row.stop)}</effectiveTime>'
            f"{_PRODUCT}{product}</manufacturedMaterial></manufacturedProduct></consumable>{instructions}"
            "</substanceAdministration></entry>"
        )
    return "".join(lines), "".join(entries)
