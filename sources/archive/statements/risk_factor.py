"""Habits, way of life, exposures: rows of `risk_factor`. Occupational factors are words of a section without entries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from transvase.formats.cda import CdaHeader
from transvase.sources.archive.statements import reading

TEMPLATES: frozenset[str] = frozenset({"1.2.250.1.213.1.1.3.52", "1.3.6.1.4.1.19376.1.5.3.1.4.13.4"})

# JDV_SocialHistoryCodes and the LOINC codes of the official examples.
_KINDS = {
    "74011-8": "tobacco",
    "72166-2": "tobacco",
    "74010-0": "tobacco",
    "74013-4": "alcohol",
    "11331-6": "alcohol",
    "73985-4": "activity",
    "11345-6": "social",
    "11341-5": "occupational",
}


def read(entry: Any, document: CdaHeader) -> Iterator[tuple[str, dict[str, Any]]]:
    """One row, from the observation. The label is the author's words, else the label of the code; the value as text with its unit."""
    if entry.get("moodCode", "EVN") != "EVN":
        yield reading.unrepresented(entry, "what is planned or asked has no canonical table")
        return
    asked = reading.concept(reading.child(entry, "code"))
    value = reading.child(entry, "value")
    kind = "" if value is None else value.get(reading.TYPE, "").rpartition(":")[2]
    if kind in ("CD", "CE"):
        said = reading.concept(value)
        shown = said.label
    else:
        said = reading.Concept()
        shown = (
            reading.quantity(value)
            if kind == "PQ"
            else reading.words(value) or ("" if value is None else value.get("value", ""))
        )
    words = reading.words(reading.child(entry, "text"))
    label = words or asked.label
    if not label and not shown:
        yield reading.unrepresented(entry, "it holds no words")
        return
    start, end = reading.span(entry)
    yield (
        "risk_factor",
        {
            "key": reading.key(entry, "risk_factor"),
            "category": _KINDS.get(asked.code or "", "other"),
            "label": label or shown,
            "value": shown if shown != label else None,
            "assertion": reading.assertion(entry, said),
            "recorded": reading.local(start),
        },
    )
    yield from reading.losses(entry, said)
    if said.code:
        yield reading.unrepresented(entry, "the code of a value is kept as its label")
    if end:
        yield reading.unrepresented(entry, "the end of a factor has no column")
