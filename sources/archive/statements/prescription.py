"""Prescribed medicines and devices of a CDA: rows of `prescription_line`, and the `prescription` of their section.

Templates FR-Traitement-prescrit and FR-Dispositif-medical (sheet `cda-header-ci-sis.md`, section 9). The prescription itself is in the
header: when it was signed and until when it holds, its national number, the form it is written on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from typing import Any

from transvase.formats.cda import V3, CdaHeader
from transvase.model.identifiers import arc
from transvase.sources.archive.statements import reading

TEMPLATES = frozenset({"1.2.250.1.213.1.1.3.83", "1.3.6.1.4.1.19376.1.9.1.3.2", "1.2.250.1.213.1.1.3.20"})
DEVICE = "1.2.250.1.213.1.1.3.20"
_EPU = "1.2.250.1.215.500.1.1"
_CIRCUMSTANCES = {
    "MED-1096": "two_zones",
    "MED-1097": "exceptional",
    "MED-1098": "secured",
    "MED-1094": "at_home",
    "MED-1095": "urgent",
}
_MARKS = {
    "1.2.250.1.213.1.1.3.48.13": "long_term",
    "1.2.250.1.213.1.1.3.48.14": "work_related",
    "1.2.250.1.213.1.1.3.48.34": "prevention",
    "1.2.250.1.213.1.1.3.48.15": "not_reimbursed",
    "1.2.250.1.213.1.1.3.48.12": "off_label",
}
_SUBSTITUTION = "1.3.6.1.4.1.19376.1.9.1.3.9.1"
_QUANTITY = "1.3.6.1.4.1.19376.1.9.1.3.8"
_INSTRUCTIONS = {
    "1.3.6.1.4.1.19376.1.5.3.1.4.3.1": "dispenser_instruction",
    "1.3.6.1.4.1.19376.1.5.3.1.4.3": "instruction",
}
_NUMBER = re.compile(r"\d{1,12}(\.\d{1,6})?", re.ASCII).fullmatch
_WHOLE = re.compile(r"\d{1,9}", re.ASCII).fullmatch
_HOURS = {"h": 1, "d": 24, "wk": 168}
# Periods in which several intakes are told, the shortest first: hours of one, how many, unit.
_SPANS = (
    [(24, n, "d") for n in range(1, 7)] + [(168, n, "wk") for n in range(1, 5)] + [(24, n, "d") for n in range(8, 14)]
)
_MONTHS = [(1, n, "mo") for n in range(1, 13)]
# Columns of the narrative (ours and those of the official examples) whose words no element of the entry holds.
_DOSAGE, _DOSE, _OFTEN, _RENEWED = (
    "Posologie",
    "Dose prescrite",
    "Fréquence d'administration",
    "Nombre de renouvellements",
)
_LENGTHS = ("Durée du traitement", "Durée de location LPP")
_TOLD = frozenset({_DOSAGE, _DOSE, _OFTEN, _RENEWED, *_LENGTHS})
# Words of a narrative for what the record does not say; the models have no other place for it.
_UNSAID = {"", "-", "Non renseigné"}
# Nothing of these is a statement of its own.
_PLAIN = {V3 + name for name in ("templateId", "id", "text", "statusCode", "code", "realmCode", "typeId")}

Row = tuple[str, dict[str, Any]]


def read(entry: Any, document: CdaHeader) -> Iterator[Row]:
    """The line, and before the first of a section its prescription. A device that is not prescribed is not represented."""
    if _in_use(entry):
        yield reading.unrepresented(entry, "a device in use: no canonical table holds it")
        return
    section = next(entry.iterancestors(f"{V3}section"), None)
    device = DEVICE in reading.templates(entry)
    category = "device" if device else "medication"
    own = reading.key(section, "prescription") if section is not None else ""
    order = own or str(arc("statement", "prescription", document.id.oid, category))
    if _first(entry):
        yield from _order(order, category, document, entry)
    line: dict[str, Any] = {"prescription": order}
    if key := reading.key(entry, "prescription_line"):
        line["key"] = key
    told = cells(entry)
    left = [*_times(entry, line), *_product(entry, line, device), *_taken(entry, line, told), *_relations(entry, line)]
    yield "prescription_line", line
    yield from left


def _first(entry: Any) -> bool:
    """True for the first line of its section, which brings the prescription."""
    outer = entry.getparent()
    if outer is None or outer.tag != f"{V3}entry":
        return True
    # From the nearest on: each line stops at the one before it, so that a section of any length is walked once.
    others = (s for e in outer.itersiblings(f"{V3}entry", preceding=True) for s in e.iterchildren(reversed=True))
    return not any(
        reading.templates(statement) & TEMPLATES and not _in_use(statement)
        for statement in chain(entry.itersiblings(preceding=True), others)
        if isinstance(statement.tag, str)
    )


def _in_use(entry: Any) -> bool:
    """A device that nobody prescribes."""
    return DEVICE in reading.templates(entry) and entry.get("moodCode") != "INT"


def _order(key: str, category: str, document: CdaHeader, entry: Any) -> Iterator[Row]:
    acts = document.acts
    main = next((act for act in acts if act.code.code == document.code.code), acts[0] if acts else None)
    values: dict[str, Any] = {
        "key": key,
        "category": category,
        "prescribed": reading.local((main.low if main else "") or document.effective_time),
        "valid_until": reading.date(main.high) if main else None,
        "e_prescription": (main.id.extension or None) if main and main.id.root == _EPU else None,
    }
    unknown = 0
    for act in acts:
        column = _CIRCUMSTANCES.get(act.code.code)
        if column:
            values[column] = True
        elif act is not main:
            unknown += 1
    yield "prescription", values
    if unknown:
        yield (
            reading.UNREPRESENTED,
            {
                "what": "documentationOf/serviceEvent",
                "why": f"{unknown} circumstances of the prescription that no column holds",
            },
        )


def cells(entry: Any) -> dict[str, str]:
    """Cells of the row of narrative that the statement points at, by the title of their column, those of `_TOLD` only; empty without a
    plain table."""
    target = reading.target(reading.child(entry, "text"))
    row = target
    while row is not None and row.tag != f"{V3}tr":
        row = row.getparent()
    table = row
    while table is not None and table.tag != f"{V3}table":
        table = table.getparent()
    if row is None or table is None:
        return {}
    titles = [reading.spaced(title.text or "") for title in table.iterfind(f"{V3}thead/{V3}tr/{V3}th")]
    found = list(row.iterchildren(f"{V3}td"))
    if len(titles) != len(found):
        return {}
    return {title: reading.words(cell) for title, cell in zip(titles, found, strict=True) if title in _TOLD}


def _times(entry: Any, line: dict[str, Any]) -> Iterator[Row]:
    """Start and stop, rhythm."""
    for time in entry.iterchildren(f"{V3}effectiveTime"):
        kind = time.get(reading.TYPE, "").rpartition(":")[2]
        if time.get("operator") == "A" or kind not in ("", "IVL_TS", "TS"):
            yield from _rhythm(time, kind, line)
            continue
        low, high = reading.child(time, "low"), reading.child(time, "high")
        line["start"] = reading.date(time.get("value") if low is None else low.get("value"))
        line["stop"] = None if high is None else reading.date(high.get("value"))
        for part in (low, high):
            if part is not None and len(part.get("value", "")) > 8:
                yield reading.unrepresented(part, "the hour is not kept")
        if reading.child(time, "width") is not None:
            yield reading.unrepresented(
                reading.child(time, "width"), "the length of the treatment is kept in words only"
            )


def _rhythm(time: Any, kind: str, line: dict[str, Any]) -> Iterator[Row]:
    period = reading.child(time, "period")
    value = "" if period is None else period.get("value", "")
    unit = "" if period is None else period.get("unit", "")
    plain = kind == "PIVL_TS" and _NUMBER(value) and float(value) and (unit in _HOURS or unit == "mo")
    if not plain or reading.child(time, "phase") is not None or "frequency" in line:
        yield reading.unrepresented(time, "this rhythm is kept in words only")
        return
    if time.get("institutionSpecified") in ("true", "1"):
        whole = _intakes(Fraction(value), unit)
        if whole is None:
            yield reading.unrepresented(time, "this rhythm is kept in words only")
        else:
            line["frequency"], line["period"], line["period_unit"] = whole
    else:
        line["frequency"], line["period"], line["period_unit"] = 1, value, unit


def _intakes(every: Fraction, unit: str) -> tuple[int, str, str] | None:
    """So many times in the shortest number of days, weeks or months, from the time between two."""
    hours = every * _HOURS.get(unit, 1)
    for span, count, name in _SPANS if unit in _HOURS else _MONTHS:
        times = span * count / hours
        # The length was written with six decimals.
        if round(times) and abs(times - round(times)) < Fraction(round(times), 1000):
            return round(times), str(count), name
    return None


def _product(entry: Any, line: dict[str, Any], device: bool) -> Iterator[Row]:
    """Code and label; what else is said of the product has no column."""
    if device:
        product = reading.child(entry, "participant", "participantRole", "playingDevice")
    else:
        product = reading.child(entry, "consumable", "manufacturedProduct", "manufacturedMaterial")
    code = reading.child(product, "code")
    concept = reading.concept(code)
    line["code"], line["system"] = concept.code, concept.system
    name = reading.words(reading.child(product, "name"))
    line["label"] = concept.label or name or reading.words(reading.child(entry, "text")) or "Sans libellé"
    if concept.other:
        yield reading.unrepresented(code, f"{concept.other} further codes of the product")
    if product is None:
        return
    kept = {V3 + n for n in ("templateId", "code", "name", "manufacturerModelName")}
    for part in product:
        if isinstance(part.tag, str) and part.tag not in kept:
            yield reading.unrepresented(part, "the product is kept by its code and label only")


def _taken(entry: Any, line: dict[str, Any], told: dict[str, str]) -> Iterator[Row]:
    """Dosage and duration in words, from the narrative; dose, route, renewals; and the elements that have no column."""
    if _DOSAGE in told:
        line["dosage"] = _said(told[_DOSAGE])
    else:
        line["dosage"] = " ; ".join(w for name in (_DOSE, _OFTEN) if (w := _said(told.get(name)))) or None
    line["duration"] = next((w for name in _LENGTHS if (w := _said(told.get(name)))), None)
    repeat = reading.child(entry, "repeatNumber")
    renewals = "" if repeat is None else repeat.get("value", "")
    unsaid = told.get(_RENEWED) == "Non renseigné"
    line["renewals"] = int(renewals) if _WHOLE(renewals) and not unsaid else None
    route = reading.concept(reading.child(entry, "routeCode"))
    line["route"], line["route_code"] = route.label or None, route.code
    if line["route"] == line["route_code"]:
        line["route"] = None
    for child in entry:
        if not isinstance(child.tag, str) or child.tag in _PLAIN:
            continue
        name = child.tag.removeprefix(V3)
        if name == "doseQuantity":
            yield from _dose(child, line)
        elif name == "quantity":
            yield from _quantity(child, line)
        elif name == "precondition":
            if _said(reading.words(reading.child(child, "criterion", "text"))):
                yield reading.unrepresented(child, "a condition of the intake")
        elif name in (
            "approachSiteCode",
            "rateQuantity",
            "maxDoseQuantity",
            "administrationUnitCode",
            "expectedUseTime",
        ):
            yield reading.unrepresented(child, "no column holds it beside the words of the dosage")
        elif name not in ("effectiveTime", "repeatNumber", "routeCode", "consumable", "entryRelationship") and not (
            name == "participant" and child.get("typeCode") == "DEV"
        ):
            yield reading.unrepresented(child, "no column holds it")


def _said(words: str | None) -> str | None:
    return None if words is None or words in _UNSAID else words


def _measured(node: Any) -> tuple[str | None, str | None]:
    """Number and unit of a quantity: the unit in the words that it points at, else its code."""
    value = node.get("value", "")
    if not _NUMBER(value):
        return None, None
    said = reading.words(reading.child(node, "translation", "originalText"))
    if said.startswith(value):
        return value, said[len(value) :].strip() or None
    return value, node.get("unit") or None


def _dose(node: Any, line: dict[str, Any]) -> Iterator[Row]:
    low, high = reading.child(node, "low"), reading.child(node, "high")
    if low is None:
        low = high = node
    if high is None or low.get("value") != high.get("value") or low.get("unit") != high.get("unit"):
        yield reading.unrepresented(node, "a range of doses is kept in words only")
        return
    line["dose"], line["dose_unit"] = _measured(low)


def _quantity(node: Any, line: dict[str, Any]) -> Iterator[Row]:
    line["quantity"], line["quantity_unit"] = _measured(node)
    if line["quantity"] is None:
        yield reading.unrepresented(node, "the quantity is not a number")


def _relations(entry: Any, line: dict[str, Any]) -> Iterator[Row]:
    for relation in entry.iterchildren(f"{V3}entryRelationship"):
        statement = next((n for n in relation if isinstance(n.tag, str) and reading.templates(n)), None)
        roots = set() if statement is None else reading.templates(statement)
        mark = next((column for root, column in _MARKS.items() if root in roots), "")
        instruction = next((column for root, column in _INSTRUCTIONS.items() if root in roots), "")
        if mark:
            value = reading.child(statement, "value")
            said = {"true": True, "false": False}.get("" if value is None else value.get("value", ""))
            # The models have false for what nobody ticked; the narrative then says so.
            unsaid = reading.words(reading.child(statement, "text")) == "Non renseigné"
            line[mark] = None if unsaid and said is False else said
        elif _SUBSTITUTION in roots:
            _substitution(reading.child(statement, "code"), line)
        elif _QUANTITY in roots:
            quantity = reading.child(statement, "quantity")
            if quantity is not None:
                yield from _quantity(quantity, line)
        elif instruction:
            line[instruction] = _said(reading.words(reading.child(statement, "text")))
        elif statement is not None:
            yield reading.unrepresented(statement, "no column holds it beside the words of the dosage")
        else:
            yield reading.unrepresented(relation, "no column holds it")


def _substitution(code: Any, line: dict[str, Any]) -> None:
    excluded = "" if code is None else code.get("code", "")
    said = reading.words(reading.child(code, "originalText"))
    line["unsubstitutable"] = {"N": True, "G": False}.get(excluded)
    if said == "Non renseigné" and excluded == "G":
        line["unsubstitutable"] = None
    if said not in {"Oui", "Non"} | _UNSAID:
        # A cell that answers and gives the reason: « Non (Marge thérapeutique étroite) ».
        told = re.fullmatch(r"(?:Oui|Non) \((.*)\)", said)
        line["unsubstitutable_reason"] = told[1] if told else said
