"""Vaccinations: FR-Vaccination, one for each row affirmed or denied; and the entry that says that nothing is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transvase.exporters.cda.entries import administration
from transvase.exporters.cda.entries.coding import ABSENCE, ATC, CIS, carried, cell, concept
from transvase.exporters.cda.entries.dating import point, shown
from transvase.exporters.cda.entries.wording import NEGATION, NOT_RECORDED, STATED, extension, label, words
from transvase.exporters.cda.header import Signatory

COLUMNS = (
    "Date",
    "Vaccin",
    "Code",
    "Lot n°",
    "Rang",
    "Type",
    "Voie d'administration",
    "Région d'administration",
    "Réaction observée",
    "Commentaire",
    "Vaccinateur",
    "Statut",
)

# JDV_AbsentOrUnknownImmunization.
_UNKNOWN, _NONE = "no-immunization-info", "no-known-immunizations"
_ABSENT = {_UNKNOWN: "Pas d'information sur les vaccins", _NONE: "Pas de vaccin connu"}
# JDV_HL7_ActSubstanceAdministrationImmunizationCode: first series, booster, or no more said than a vaccination.
_KIND = {
    True: 'code="BOOSTER" displayName="Rappel de vaccin"',
    False: 'code="INITIMMUNIZ" displayName="1ère série vaccinante"',
    None: 'code="IMMUNIZ" displayName="Vaccination sans autre précision"',
}
_TYPE = {True: "Rappel", False: "Première série"}
# JDV_ImmunizationRouteCodes (EDQM) and JDV_ImmunizationApproachSiteCode (SNOMED CT): closed by a rule.
ROUTES = frozenset({"20035000", "20030000", "20020000", "20053000", "20066000"})
SITES = frozenset(
    {"64262003", "66480008", "16217661000119109", "16217701000119102", "91774008", "91775009", "11207009", "61396006",
     "723980000", "723979003"}
)  # fmt: skip
_TEMPLATES = (
    '<templateId root="2.16.840.1.113883.10.20.1.24"/><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.12"/>'
    '<templateId root="1.2.250.1.213.1.1.3.45"/>'
)
_PRODUCT = (
    '<consumable typeCode="CSM"><manufacturedProduct><templateId root="2.16.840.1.113883.10.20.1.53"/>'
    '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.7.2"/><templateId root="1.2.250.1.213.1.1.3.43"/><manufacturedMaterial>'
)
_END = "</manufacturedMaterial></manufacturedProduct></consumable>"
# How a comment says that there is none; readers take it so.
UNSAID = "-"
_AUTHOR = "author"
_NO_PRODUCT = f'{_PRODUCT}<code nullFlavor="NA"/><name nullFlavor="NA"/>{_END}'


def _rank(dose: int | None) -> str:
    value = f'value="{dose}"' if dose is not None else 'nullFlavor="UNK"'
    return (
        '<entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN">'
        '<templateId root="2.16.840.1.113883.10.20.1.46"/><templateId root="1.2.250.1.213.1.1.3.82"/>'
        '<code code="30973-2" displayName="Rang de la vaccination" codeSystem="2.16.840.1.113883.6.1" codeSystemName="LOINC"/>'
        f'<statusCode code="completed"/><value xsi:type="INT" {value}/></observation></entryRelationship>'
    )


def _reaction(row: Any, ids: str, ref: str) -> str:
    return (
        '<entryRelationship inversionInd="false" typeCode="CAUS"><observation classCode="OBS" moodCode="EVN">'
        '<templateId root="2.16.840.1.113883.10.20.1.28"/><templateId root="2.16.840.1.113883.10.20.1.54"/>'
        '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.5"/><templateId root="1.2.250.1.213.1.1.3.37"/>'
        f'<id root="{ids}.2" extension="{extension(row.key)}"/>'
        '<code code="418799008" displayName="symptôme rapporté par le patient ou le répondant"'
        ' codeSystem="2.16.840.1.113883.6.96" codeSystemName="SNOMED CT"/>'
        f'<text><reference value="#{ref}a"/></text><statusCode code="completed"/>'
        '<effectiveTime><low nullFlavor="UNK"/></effectiveTime>'
        f'<value xsi:type="CD"><originalText><reference value="#{ref}a"/></originalText></value>'
        "</observation></entryRelationship>"
    )


def _comment(ref: str) -> str:
    return (
        '<entryRelationship typeCode="SUBJ"><act classCode="ACT" moodCode="EVN">'
        '<templateId root="2.16.840.1.113883.10.20.1.40"/><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.2"/>'
        '<templateId root="1.2.250.1.213.1.1.3.32"/>'
        '<code code="48767-8" displayName="Commentaire" codeSystem="2.16.840.1.113883.6.1" codeSystemName="LOINC"/>'
        f'<text><reference value="#{ref}c"/></text><statusCode code="completed"/></act></entryRelationship>'
    )


def _relations(row: Any, ids: str, ref: str) -> str:
    """Rank, reaction, comment. The rule on the relations of a vaccination knows no reaction alone (it looks for an `act`, the entry is
    an observation): a rank that is not known then stands beside it."""
    rank = _rank(row.dose) if row.dose is not None or (row.reaction and not row.comment) else ""
    return f"{rank}{_reaction(row, ids, ref) if row.reaction else ''}{_comment(ref) if row.comment else ''}"


def _people(row: Any, known: Mapping[str, Signatory]) -> str:
    """Who gave it, in words as recorded; who recorded it, when the caller knows them."""
    given = ""
    if row.performer:
        given = (
            '<performer typeCode="PRF"><assignedEntity classCode="ASSIGNED"><id nullFlavor="UNK"/><assignedPerson>'
            f"<name>{words(row.performer)}</name></assignedPerson></assignedEntity></performer>"
        )
    author = known.get(row.practitioner or "")
    if author is None:
        return given
    return (
        f'{given}<author contextControlCode="OP" typeCode="AUT"><time nullFlavor="UNK"/><assignedAuthor classCode="ASSIGNED">'
        f"<id {author.id}/>{author.code}<assignedPerson><name>{author.name}</name></assignedPerson></assignedAuthor></author>"
    )


def absence(code: str, ident: str, ref: str) -> str:
    """The entry of a code of absence; `ident` is its id element, `ref` the XML ID of the words."""
    return (
        f'<entry><substanceAdministration classCode="SBADM" moodCode="EVN" negationInd="false">{_TEMPLATES}{ident}'
        f'<code code="{code}" displayName="{_ABSENT[code]}" codeSystem="{ABSENCE}"/>'
        f'<text><reference value="#{ref}"/></text><statusCode code="completed"/><effectiveTime nullFlavor="NA"/>'
        f"{_NO_PRODUCT}</substanceAdministration></entry>"
    )


def unknown(mark: str) -> tuple[str, str]:
    """Line and entry of a record that says nothing of vaccinations: neither given nor denied."""
    ref = f"{mark}0"
    line = (
        f'<tr><td/><td><content ID="{ref}">{_ABSENT[_UNKNOWN]}</content></td>{"<td/>" * 9}<td>{NOT_RECORDED}</td></tr>'
    )
    return line, absence(_UNKNOWN, '<id nullFlavor="NA"/>', ref)


def _line(row: Any, ref: str) -> str:
    return (
        f'<tr><td>{shown(row.given)}</td><td><content ID="{ref}">{label(row.label)}</content></td>'
        f"<td>{cell(row.code, row.system)}</td><td>{words(row.lot)}</td><td>{'' if row.dose is None else row.dose}</td>"
        f"<td>{_TYPE.get(row.booster, '')}</td>"
        f'<td><content ID="{ref}r">{words(row.route or row.route_code)}</content></td>'
        f'<td><content ID="{ref}s">{words(row.site or row.site_code)}</content></td>'
        f'<td><content ID="{ref}a">{words(row.reaction)}</content></td>'
        f'<td><content ID="{ref}c">{words(row.comment)}</content></td><td>{words(row.performer)}</td>'
        f"<td>{STATED.get(row.assertion, NOT_RECORDED)}</td></tr>"
    )


def _entry(row: Any, ident: str, ref: str, negation: str, product: str, people: str, relations: str) -> str:
    return (
        f'<entry><substanceAdministration classCode="SBADM" moodCode="EVN" negationInd="{negation}">{_TEMPLATES}'
        f'{ident}<code {_KIND.get(row.booster, _KIND[None])} codeSystem="2.16.840.1.113883.5.4"/>'
        f'<text><reference value="#{ref}"/></text><statusCode code="completed"/><effectiveTime {point(row.given)}/>'
        f"{administration.route(row.route_code, row.route, f'{ref}r', ROUTES)}"
        f"{administration.site(row.site_code, row.site, f'{ref}s', SITES)}"
        f"{_PRODUCT}{product}{_END}{people}{relations}</substanceAdministration></entry>"
    )


def _both_codes(code: str | None, system: str | None, text: str, ref: str) -> str:
    """The vaccine in CIS, translated in ATC: the code recorded stands where its system wants it, or beside them, the others are unknown."""
    national = CIS.national(code) if code and system == CIS.system else ""
    told = f'code="{national}" displayName="{text}"' if national else 'nullFlavor="UNK"'
    beside = ""
    if carried(code, system) and system != ABSENCE and not national:
        beside = f'<translation code="{words(code)}" codeSystem="{system}" displayName="{text}"/>'
    if not beside or system != ATC:
        beside += f'<translation nullFlavor="UNK" codeSystem="{ATC}" displayName="{text}"/>'
    return (
        f'<code {told} codeSystem="{CIS.system}" codeSystemName="{CIS.name}">'
        f'<originalText><reference value="#{ref}"/></originalText>{beside}</code>'
    )


def note(row: Any, ids: str, mark: str, author: Signatory) -> tuple[str, str]:
    """Line and entry of the note of one vaccination given, whose model wants both codes of the vaccine (CIS and ATC), a lot and who
    answers for it: the code and the lot that the record does not hold are said unknown. A rank that is not known is left out."""
    ref, text = f"{mark}1", label(row.label)
    if row.reaction and row.dose is None and not row.comment:
        # The rule on relations knows no reaction alone, and the rank must be a number: an empty comment stands beside it.
        row = row._replace(comment=UNSAID)
    lot = f"<lotNumberText>{words(row.lot)}</lotNumberText>" if row.lot else '<lotNumberText nullFlavor="UNK"/>'
    product = f"{_both_codes(row.code, row.system, text, ref)}<name>{text}</name>{lot}"
    ident = f'<id root="{ids}.1" extension="{extension(row.key)}"/>'
    people = _people(row._replace(practitioner=_AUTHOR), {_AUTHOR: author})
    return _line(row, ref), _entry(row, ident, ref, "false", product, people, _relations(row, ids, ref))


def write(rows: list[Any], ids: str, mark: str, known: Mapping[str, Signatory]) -> tuple[str, str]:
    """Rows of `immunization`; `known` gives professionals by key. A row not recorded is a line for the reader and no entry, unless
    its code is the one that says so."""
    lines, entries = [], []
    for n, row in enumerate(rows, 1):
        said, ref, text = row.assertion, f"{mark}{n}", label(row.label)
        lines.append(_line(row, ref))
        ident = f'<id root="{ids}.1" extension="{extension(row.key)}"/>'
        stated = row.code if row.system == ABSENCE and row.code in _ABSENT and said == {
            _NONE: "denied", _UNKNOWN: "not_recorded"}[row.code] else ""  # fmt: skip
        if stated:
            entries.append(absence(stated, ident, ref))
            continue
        if said not in NEGATION:
            continue
        # A code of absence that the assertion contradicts is no product: its words stay, it does not.
        code, system = (
            (row.code, row.system) if row.system != ABSENCE or not carried(row.code, row.system) else (None, None)
        )
        lot = f"<lotNumberText>{words(row.lot)}</lotNumberText>" if row.lot else ""
        product = f"{concept('code', CIS, code, system, text, ref)}<name>{text}</name>{lot}"
        entries.append(_entry(row, ident, ref, NEGATION[said], product, _people(row, known), _relations(row, ids, ref)))
    return "".join(lines), "".join(entries)
