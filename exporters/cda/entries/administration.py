"""How a medicine is taken or a vaccine given, inside an entry: route, site, quantity, rhythm. Values in, escaped elements out.

What the record holds in words stays in words (`originalText`); a number or a code is written only in a form that the models admit.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from fractions import Fraction

from transvase.exporters.cda.entries.units import AMOUNTS
from transvase.exporters.cda.entries.wording import label, words

EDQM = "0.4.0.127.0.16.1.1.2.1"
SNOMED = "2.16.840.1.113883.6.96"

_EDQM_CODE = re.compile(r"\d{8}", re.ASCII).fullmatch
_SNOMED_CODE = re.compile(r"\d{6,18}", re.ASCII).fullmatch
_NUMBER = re.compile(r"\d{1,12}(\.\d{1,6})?", re.ASCII).fullmatch
_HOURS = {"h": 1, "d": 24, "wk": 168}


def _original(reference: str) -> str:
    return f'<originalText><reference value="#{reference}"/></originalText>'


def _place(
    tag: str, system: tuple[str, str], admitted: Collection[str] | None, code: str | None, text: str | None, ref: str
) -> str:
    """A coded element of one system: the code when the model admits it, else beside a nullFlavor; nothing without code and words."""
    oid, name = system
    formed = bool(code and (_EDQM_CODE if oid == EDQM else _SNOMED_CODE)(code))
    said = _original(ref) if text else ""
    if formed and (admitted is None or code in admitted):
        return f'<{tag} code="{code}" displayName="{label(text or code)}" codeSystem="{oid}" codeSystemName="{name}">{said}</{tag}>'
    if formed:
        return (
            f'<{tag} nullFlavor="OTH">{said}<translation code="{code}" displayName="{label(text or code)}"'
            f' codeSystem="{oid}"/></{tag}>'
        )
    return f'<{tag} nullFlavor="OTH">{said}</{tag}>' if text else ""


def route(code: str | None, text: str | None, ref: str, admitted: Collection[str] | None = None) -> str:
    """`routeCode` in EDQM; `admitted` is the closed list of the model, if it has one. `ref` is the XML ID of the words."""
    return _place("routeCode", (EDQM, "EDQM"), admitted, code, text, ref)


def site(code: str | None, text: str | None, ref: str, admitted: Collection[str]) -> str:
    """`approachSiteCode` in SNOMED CT."""
    return _place("approachSiteCode", (SNOMED, "SNOMED CT"), admitted, code, text, ref)


def number(value: str | None) -> str:
    """A decimal of the record as CDA takes it, digits as written; empty for anything else (negative, words, over 18 digits)."""
    return value if value and _NUMBER(value) else ""


def amount(tag: str, value: str, unit: str | None, ref: str) -> str:
    """A physical quantity (PQ). The unit is an attribute when UCUM has it as written; `ref` is the XML ID of amount and unit."""
    known = AMOUNTS.get(unit or "")
    attribute = f' unit="{known}"' if known else ""
    return f'<{tag} value="{value}"{attribute}><translation>{_original(ref)}</translation></{tag}>'


def dose(value: str | None, unit: str | None, ref: str) -> str:
    """`doseQuantity`, whose two bounds the models want; empty without a number."""
    found = number(value)
    return (
        f"<doseQuantity>{amount('low', found, unit, ref)}{amount('high', found, unit, ref)}</doseQuantity>"
        if found
        else ""
    )


def rhythm(frequency: int | None, period: str | None, unit: str | None, ref: str) -> str:
    """The second `effectiveTime`, PIVL_TS: time from one intake to the next. Several intakes in a period leave the hours to the
    patient (`institutionSpecified`): three a day is not every eight hours. Empty when one of the three values is missing or null."""
    length = number(period)
    if not (frequency and 0 < frequency <= 10_000 and length and (unit in _HOURS or unit == "mo")):
        return ""
    every = Fraction(length) / frequency
    if not every:
        return ""
    if frequency > 1 and unit != "mo":
        every, unit = every * _HOURS[unit or ""], "h"
    text = f"{float(every):.6f}".rstrip("0").rstrip(".")
    if not float(text):
        return ""
    shared = ' institutionSpecified="true"' if frequency > 1 else ""
    return (
        f'<effectiveTime xsi:type="PIVL_TS" operator="A"{shared}><period value="{text}" unit="{unit}"><translation>'
        f"{_original(ref)}</translation></period></effectiveTime>"
    )


_PERIODS = {"h": ("heure", "heures"), "d": ("jour", "jours"), "wk": ("semaine", "semaines"), "mo": ("mois", "mois")}


def rhythm_shown(frequency: int | None, period: str | None, unit: str | None) -> str:
    """For a reader: `3 fois par jour`, `1 fois tous les 2 jours`; what is not known is left out."""
    if frequency is None and not period:
        return ""
    one, many = _PERIODS.get(unit or "", (words(unit), words(unit)))
    times = f"{frequency} fois" if frequency is not None else ""
    if not period:
        return times
    span = f"par {one}" if period == "1" else f"en {words(period)} {many}"
    return f"{times} {span}".strip()


def amount_shown(value: str | None, unit: str | None) -> str:
    """For a reader: `1 comprimé`."""
    return f"{words(value)} {words(unit)}".strip()
