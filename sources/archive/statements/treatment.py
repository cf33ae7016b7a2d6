"""Treatments that the patient takes or took: rows of `treatment`. Prescriptions, dispensations and vaccinations have their readers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from transvase.formats.cda import V3, CdaHeader
from transvase.sources.archive.statements import reading

TEMPLATES: frozenset[str] = frozenset({"1.2.250.1.213.1.1.3.42", "1.3.6.1.4.1.19376.1.5.3.1.4.7"})

# FR-Instructions-au-patient: the dosage in the words of its author.
_INSTRUCTIONS = {
    "1.2.250.1.213.1.1.3.33",
    "1.3.6.1.4.1.19376.1.5.3.1.4.3",
    "2.16.840.1.113883.10.20.1.49",
}  # A treatment stands in its section as taken (EVN) or as meant to be (INT), in official examples too; in this one it is to come.
_PLAN_OF_CARE = "18776-5"


def read(entry: Any, document: CdaHeader) -> Iterator[tuple[str, dict[str, Any]]]:
    """One row, from the substanceAdministration. The dosage is the words of the author, or the structured one said in words."""
    if entry.get("moodCode", "EVN") != "EVN" and reading.section(entry) == _PLAN_OF_CARE:
        yield reading.unrepresented(entry, "what is planned or asked has no canonical table")
        return
    material = reading.child(entry, "consumable", "manufacturedProduct", "manufacturedMaterial")
    said = reading.concept(reading.child(material, "code"))
    name = reading.words(reading.child(material, "name"))
    if not (said.code or said.label or name):
        # No product: the statement is about treatments at large ("no known medication").
        said = reading.concept(reading.child(entry, "code"))
    if reading.silent(said):
        yield reading.unrepresented(entry, reading.SILENCE)
        return
    label = said.words or name or said.display or reading.words(reading.child(entry, "text"))
    label = label or (reading.UNLABELLED if said.code else "")
    if not label:
        yield reading.unrepresented(entry, "it holds no words")
        return
    instructions, taken = "", []
    for link in entry.iterchildren(f"{V3}entryRelationship"):
        inner = next(link.iterchildren(f"{V3}act"), None)
        if inner is not None and reading.templates(inner) & _INSTRUCTIONS and not instructions:
            instructions = reading.words(reading.child(inner, "text"))
            taken.append(inner)
    structured = dosage(entry)
    start, end = reading.span(entry)
    yield (
        "treatment",
        {
            "key": reading.key(entry, "treatment"),
            "code": said.code,
            "system": said.system,
            "label": label,
            "dosage": " ; ".join(t for t in (instructions, structured) if t) or None,
            "start": reading.date(start),
            "stop": reading.date(end),
            "assertion": reading.assertion(entry, said),
        },
    )
    yield from reading.losses(entry, said, *taken)
    if structured:
        yield reading.unrepresented(entry, "a structured dosage is kept as words")


def dosage(entry: Any) -> str:
    """A structured dosage in words: those of the author where the document has them, else quantities as written there."""
    parts: list[str] = []
    dose = reading.child(entry, "doseQuantity")
    if dose is not None:
        low, high = reading.child(dose, "low"), reading.child(dose, "high")
        ends = [q for q in (reading.quantity(dose), reading.quantity(low), reading.quantity(high)) if q]
        parts.append(" - ".join(dict.fromkeys(ends)))
    times = list(entry.iterchildren(f"{V3}effectiveTime"))[1:]
    for time in times:
        period = reading.quantity(reading.child(time, "period"))
        if period:
            parts.append(f"/ {period}")
        event = reading.child(time, "event")
        if event is not None and event.get("code"):
            parts.append(event.get("code"))
    route = reading.concept(reading.child(entry, "routeCode"))
    if route.label:
        parts.append(route.label)
    rate = reading.quantity(reading.child(entry, "rateQuantity"))
    if rate:
        parts.append(rate)
    return ", ".join(p for p in parts if p)
