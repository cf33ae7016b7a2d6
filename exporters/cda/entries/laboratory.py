"""Laboratory results in coded form: FR-Resultats-examens-de-biologie-medicale, one observation for each row (sheet, section 10).

Chapters and their order belong to `cr_bio.py`, units to `units`, the table alone of a model without coded results to `result`.
"""

from __future__ import annotations

import re
from typing import Any

from transvase.exporters.cda.entries.coding import Asked, carried, cell, concept
from transvase.exporters.cda.entries.dating import point, shown
from transvase.exporters.cda.entries.result import FLAGS, bounds
from transvase.exporters.cda.entries.units import NUMBER, quantity
from transvase.exporters.cda.entries.wording import extension, label, words

COLUMNS = (
    "Date",
    "Analyse",
    "Code",
    "Résultat",
    "Unité",
    "Valeurs de référence",
    "Interprétation",
    "Échantillon",
    "Technique",
    "État",
    "Commentaire",
)
STATES = {"final": "", "partial": "Partiel", "corrected": "Corrigé", "cancelled": "Annulé"}

_LOINC_FORM = re.compile(r"[0-9]{1,7}-[0-9]").fullmatch
LOINC = Asked("2.16.840.1.113883.6.1", "LOINC", lambda code: code if _LOINC_FORM(code) else "")
# A code of the laboratory itself: the rules ask its code and label, not its system.
_LOCAL = re.compile(r"[!-~]{1,64}").fullmatch

_ENTRY = (
    '<entry typeCode="DRIV"><templateId root="1.3.6.1.4.1.19376.1.3.1"/><templateId root="1.2.250.1.213.1.1.3.21"/>'
)
_RESULT = (
    '<entryRelationship typeCode="COMP"><observation classCode="OBS" moodCode="EVN">'
    '<templateId root="1.3.6.1.4.1.19376.1.3.1.6"/><templateId root="1.2.250.1.213.1.1.3.80"/>'
)
_COLLECTION = (
    '<entryRelationship typeCode="COMP"><procedure classCode="PROC" moodCode="EVN">'
    '<templateId root="1.3.6.1.4.1.19376.1.3.1.2"/><templateId root="1.2.250.1.213.1.1.3.77"/>'
)
_COMMENT = (
    '<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.1.40"/>'
    '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.2"/><templateId root="1.2.250.1.213.1.1.3.32"/>'
    '<code code="48767-8" displayName="Commentaire" codeSystem="2.16.840.1.113883.6.1" codeSystemName="LOINC"/>'
)
# The record names the laboratory; the rules ask for its number, telephone, address and setting, which are then said unknown.
_PERFORMER = (
    '<performer typeCode="PRF"><templateId root="1.3.6.1.4.1.19376.1.3.3.1.7"/><templateId root="1.2.250.1.213.1.1.3.23"/>'
    '<time nullFlavor="UNK"/><assignedEntity><id nullFlavor="UNK"/><addr nullFlavor="UNK"/><telecom nullFlavor="UNK"/>'
    '<representedOrganization><id nullFlavor="UNK"/>'
)
_PERFORMER_END = (
    '<telecom nullFlavor="UNK"/><addr nullFlavor="UNK"/><standardIndustryClassCode nullFlavor="UNK"/>'
    "</representedOrganization></assignedEntity></performer>"
)
_VALIDATOR = (
    '<participant typeCode="AUTHEN"><templateId root="1.3.6.1.4.1.19376.1.3.3.1.5"/>'
    '<templateId root="1.2.250.1.213.1.1.3.109"/>'
)
_ROLE = '<participantRole><id nullFlavor="UNK"/><addr nullFlavor="UNK"/><telecom nullFlavor="UNK"/><playingEntity>'
# In place of an earlier result whose identifier is not known: no status of the model says it.
_CORRECTED = (
    '<reference typeCode="RPLC"><externalObservation classCode="OBS" moodCode="EVN"><id nullFlavor="UNK"/>'
    "</externalObservation></reference>"
)
_INTERPRETATION = "2.16.840.1.113883.5.83"
_NORMAL = f'<interpretationCode code="N" displayName="Normal" codeSystem="{_INTERPRETATION}"/>'


def _code(row: Any, text: str, ref: str) -> str:
    if not row.code or carried(row.code, row.system) or not _LOCAL(row.code):
        return concept("code", LOINC, row.code, row.system, text, ref)
    name = f' codeSystemName="{words(row.system)}"' if row.system else ""
    return (
        f'<code nullFlavor="OTH"><originalText><reference value="#{ref}"/></originalText>'
        f'<translation code="{words(row.code)}" displayName="{text}"{name}/></code>'
    )


def _value(row: Any) -> str:
    number, said = row.value, row.value_text
    if number and not NUMBER(number):
        number, said = None, f"{number} {said}" if said else number
    made = ""
    if number:
        made = (
            quantity('value xsi:type="PQ"', number, row.unit)
            if row.unit
            else f'<value xsi:type="REAL" value="{number}"/>'
        )
    if said:
        made += f'<value xsi:type="ST">{words(said)}</value>'
    if not made and row.status != "cancelled":
        return '<value xsi:type="ST" nullFlavor="UNK"/>'
    return made


def _range(row: Any) -> str:
    low, high = (bound if bound and NUMBER(bound) else None for bound in (row.low, row.high))
    if not (low or high):
        return ""
    inside = "".join(
        (quantity(tag, bound, row.unit) if row.unit else f'<{tag} value="{bound}"/>')
        for tag, bound in (("low", low), ("high", high))
        if bound
    )
    kind = "IVL_PQ" if row.unit else "IVL_REAL"
    return (
        '<referenceRange typeCode="REFV"><observationRange classCode="OBS" moodCode="EVN.CRT">'
        f'<value xsi:type="{kind}">{inside}</value>{_NORMAL}</observationRange></referenceRange>'
    )


def _collection(row: Any, ids: str, ref: str) -> str:
    """FR-Prelevement: the sample, named once for all the results that come from it."""
    day = point(row.measured)
    return (
        f'{_COLLECTION}<code><originalText><reference value="#{ref}e"/></originalText></code><effectiveTime {day}/>'
        '<participant typeCode="PRD"><participantRole classCode="SPEC">'
        f'<id root="{ids}.2" extension="{extension(row.key)}"/><playingEntity><code><originalText>'
        f'<reference value="#{ref}e"/></originalText></code></playingEntity></participantRole></participant>'
        "</procedure></entryRelationship>"
    )


def _line(row: Any, ref: str, text: str) -> str:
    def marked(suffix: str, value: str | None) -> str:
        return f'<content ID="{ref}{suffix}">{words(value)}</content>' if value else ""

    return (
        f'<tr><td>{shown(row.measured)}</td><td><content ID="{ref}">{text}</content></td><td>{cell(row.code, row.system)}</td>'
        f"<td>{' '.join(filter(None, (words(row.value), words(row.value_text))))}</td><td>{words(row.unit)}</td>"
        f"<td>{bounds(row.low, row.high)}</td><td>{FLAGS.get(row.flag, '')}</td><td>{marked('e', row.specimen)}</td>"
        f"<td>{marked('m', row.method)}</td><td>{STATES.get(row.status, '')}</td><td>{marked('c', row.comment)}</td></tr>"
    )


def write(rows: list[Any], ids: str, mark: str, code: str) -> tuple[str, str]:
    """Rows of `lab_result` of one examination: the lines of the table, and its one entry. They share chapter, panel, laboratory and
    validation, are all partial or none, all with a sample or none. `code` is the element that names the examination; `mark` starts
    the XML IDs.

    Results come under an act that is `active` when they are partial: the model gives the results themselves no such state."""
    lines, inside = [], []
    samples: dict[tuple[str, str], str] = {}
    first = rows[0]
    for n, row in enumerate(rows, 1):
        ref, text = f"{mark}{n}", label(row.label)
        lines.append(_line(row, ref, text))
        specimen = ""
        if row.specimen:
            sample = (row.specimen, row.measured or "")
            if sample not in samples:
                samples[sample] = extension(row.key)
                inside.append(_collection(row, ids, ref))
            specimen = (
                '<specimen typeCode="SPC"><specimenRole classCode="SPEC">'
                f'<id root="{ids}.2" extension="{samples[sample]}"/></specimenRole></specimen>'
            )
        flag = (
            f'<interpretationCode code="{row.flag}" displayName="{FLAGS[row.flag]}" codeSystem="{_INTERPRETATION}"/>'
            if row.flag in FLAGS
            else ""
        )
        method = (
            f'<methodCode><originalText><reference value="#{ref}m"/></originalText></methodCode>' if row.method else ""
        )
        remark = (
            f'<entryRelationship typeCode="SUBJ" inversionInd="true">{_COMMENT}<text><reference value="#{ref}c"/></text>'
            '<statusCode code="completed"/></act></entryRelationship>'
            if row.comment
            else ""
        )
        inside.append(
            f'{_RESULT}<id root="{ids}.1" extension="{extension(row.key)}"/>{_code(row, text, ref)}'
            f'<statusCode code="{"aborted" if row.status == "cancelled" else "completed"}"/>'
            f"<effectiveTime {point(row.measured)}/>{_value(row)}{flag}{method}{specimen}{remark}"
            f"{_CORRECTED if row.status == 'corrected' else ''}{_range(row)}</observation></entryRelationship>"
        )
    performer = f"{_PERFORMER}<name>{words(first.laboratory)}</name>{_PERFORMER_END}" if first.laboratory else ""
    validator = ""
    if first.validated_by or first.validated:
        name = f"<name>{words(first.validated_by)}</name>" if first.validated_by else '<name nullFlavor="UNK"/>'
        moment = point(first.validated)
        time = f"<time><high {moment}/></time>" if first.validated else '<time nullFlavor="UNK"/>'
        validator = f"{_VALIDATOR}{time}{_ROLE}{name}</playingEntity></participantRole></participant>"
    state = "active" if first.status == "partial" else "completed"
    return "".join(lines), (
        f'{_ENTRY}<act classCode="ACT" moodCode="EVN">{code}<statusCode code="{state}"/>{performer}{validator}'
        f"{''.join(inside)}</act></entry>"
    )


def none(code: str, mark: str) -> str:
    """The entry of a report without result, which the model cannot leave out: a remark that there is none. Its words are `mark`."""
    return (
        f'{_ENTRY}<act classCode="ACT" moodCode="EVN">{code}<statusCode code="completed"/>'
        f'<entryRelationship typeCode="COMP">{_COMMENT}<text><reference value="#{mark}"/></text>'
        '<statusCode code="completed"/></act></entryRelationship></act></entry>'
    )
