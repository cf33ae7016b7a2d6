"""Measures: FR-Liste-des-signes-vitaux for each moment, with one FR-Signe-vital for each row; a measure that the national list does
not know is a FR-Simple-Observation.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

from transvase.exporters.cda.entries.coding import Asked, cell, concept
from transvase.exporters.cda.entries.dating import point, shown
from transvase.exporters.cda.entries.laboratory import LOINC
from transvase.exporters.cda.entries.units import NUMBER, ucum
from transvase.exporters.cda.entries.wording import extension, label, words

COLUMNS = ("Date", "Mesure", "Code", "Valeur", "Unité")

_ORGANIZER = (
    '<entry><organizer classCode="CLUSTER" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.1.32"/>'
    '<templateId root="2.16.840.1.113883.10.20.1.35"/><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.13.1"/>'
    '<templateId root="1.2.250.1.213.1.1.3.49"/>'
)
_PANEL = (
    '<code code="85353-1" displayName="Signes vitaux" codeSystem="2.16.840.1.113883.6.1" codeSystemName="LOINC"/>'
    '<statusCode code="completed"/>'
)
_OBSERVED = (
    '<component typeCode="COMP"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.1.31"/>'
    '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.13"/><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.13.2"/>'
    '<templateId root="1.2.250.1.213.1.1.3.50"/>'
)
_SIMPLE = (
    '<entry><observation classCode="OBS" moodCode="EVN"><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.13"/>'
    '<templateId root="1.2.250.1.213.1.1.3.48"/>'
)
# JDV_SignesVitaux, LOINC, closed by a rule (a test reads it there).
CODES = frozenset(
    {"20564-1", "8280-0", "8287-5", "8302-2", "8306-3", "8310-5", "8867-4", "8462-4", "8480-6", "9272-6", "9274-2", "9271-8",
     "9279-1", "29463-7", "39156-5"}
)  # fmt: skip
# More precise codes of LOINC (by oximetry, measured) under the one of the list; the recorded one stands beside it.
_BROADER = {"2708-6": "20564-1", "59408-5": "20564-1", "3141-9": "29463-7", "3137-7": "8302-2"}
_NATIONAL = Asked(LOINC.system, LOINC.name, lambda code: code if code in CODES else _BROADER.get(code, ""))
_LENGTH = frozenset({"m", "cm", "[in_us]", "[in_uk]"})
# Units that the rules demand for a measure (E_vitalSignsObservation_int); other measures take any unit of UCUM.
_DEMANDED = {
    "9279-1": frozenset({"/min"}),
    "8867-4": frozenset({"/min"}),
    "8480-6": frozenset({"mm[Hg]"}),
    "8462-4": frozenset({"mm[Hg]"}),
    "8310-5": frozenset({"Cel", "[degF]"}),
    "8302-2": _LENGTH,
    "8287-5": _LENGTH,
    "29463-7": frozenset({"kg", "g", "[lb_av]", "[oz_av]"}),
    "39156-5": frozenset({"kg/m2"}),
}
_KNOWN = frozenset().union(*_DEMANDED.values())


def listed(code: str | None) -> bool:
    """Whether the national list has the measure, itself or under a broader code: then it is a FR-Signe-vital."""
    return bool(_NATIONAL.national(code or ""))


def _value(code: str, value: str | None, unit: str | None) -> str:
    """The measure. A unit that is not certainly UCUM, or not one that the rules take for this measure, stands beside under OTH."""
    if not value or not NUMBER(value):
        return '<value xsi:type="PQ" nullFlavor="UNK"/>'
    received = (unit or "").strip()
    asked = _DEMANDED.get(code)
    form = received if received in _KNOWN else ucum(received) if received else ""
    told = f"<originalText>{words(unit)}</originalText>" if received else ""
    beside = f'<translation value="{value}">{told}</translation>'
    if form and (asked is None or form in asked):
        return f'<value xsi:type="PQ" value="{value}" unit="{form}">{beside if form != unit else ""}</value>'
    if not received and asked is None:
        return f'<value xsi:type="PQ" value="{value}"/>'
    return f'<value xsi:type="PQ" nullFlavor="OTH">{beside}</value>'


def write(rows: list[Any], ids: str, mark: str) -> tuple[str, str]:
    """Rows of `vital_sign`, the latest first, those of one moment together. Digits stay as written: 1.60 is not 1.6."""
    lines, entries = [], []
    ordered = sorted(rows, key=lambda row: (row.measured or "", row.key), reverse=True)
    n = 0
    for measured, together in groupby(ordered, key=lambda row: row.measured):
        when = point(measured)
        inside, beside = [], []
        for row in together:
            n += 1
            ref, text = f"{mark}{n}", label(row.label)
            lines.append(
                f'<tr><td>{shown(row.measured)}</td><td><content ID="{ref}">{text}</content></td>'
                f"<td>{cell(row.code, LOINC.system)}</td><td>{words(row.value)}</td><td>{words(row.unit)}</td></tr>"
            )
            national = _NATIONAL.national(row.code or "")
            written = (
                f'<id root="{ids}.1" extension="{extension(row.key)}"/>'
                f"{concept('code', _NATIONAL if national else LOINC, row.code, LOINC.system, text, ref)}"
                f'<text><reference value="#{ref}"/></text><statusCode code="completed"/><effectiveTime {when}/>'
                f"{_value(national, row.value, row.unit)}</observation>"
            )
            if national:
                inside.append(f"{_OBSERVED}{written}</component>")
            else:
                beside.append(f"{_SIMPLE}{written}</entry>")
        if inside:
            entries.append(
                f'{_ORGANIZER}<id root="{ids}.2" extension="{extension(measured or "")}"/>{_PANEL}<effectiveTime {when}/>'
                f"{''.join(inside)}</organizer></entry>"
            )
        entries += beside
    return "".join(lines), "".join(entries)
