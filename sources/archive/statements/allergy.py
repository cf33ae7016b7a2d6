"""Allergies and intolerances: rows of `allergy`, one for each statement, with the agent as substance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from transvase.formats.cda import V3, CdaHeader
from transvase.sources.archive.statements import reading

TEMPLATES: frozenset[str] = frozenset({"1.2.250.1.213.1.1.3.41", "1.3.6.1.4.1.19376.1.5.3.1.4.6"})

_SEVERITY = {"1.2.250.1.213.1.1.3.29", "1.3.6.1.4.1.19376.1.5.3.1.4.1"}
# JDV_SeveriteObservation, SNOMED CT. A degree between two of the record is told, not rounded.
_DEGREE = {"255604002": "mild", "6736007": "moderate", "24484000": "severe"}


def read(entry: Any, document: CdaHeader) -> Iterator[tuple[str, dict[str, Any]]]:
    """One row, from the observation. Several reactions are one text; the severity is that of the allergy itself."""
    agent = next(
        (
            playing
            for participant in entry.iterchildren(f"{V3}participant")
            if (playing := reading.child(participant, "participantRole", "playingEntity")) is not None
        ),
        None,
    )
    value = reading.child(entry, "value")
    said = reading.concept(reading.child(agent, "code"))
    name = reading.words(reading.child(agent, "name"))
    stated = reading.concept(value)
    reactions: list[str] = []
    if agent is None:
        said = stated
    elif stated.label and stated.label not in (said.label, name):
        reactions.append(stated.label)
    if reading.silent(said):
        yield reading.unrepresented(entry, reading.SILENCE)
        return
    label = said.words or name or said.display or reading.words(reading.child(entry, "text"))
    label = label or (reading.UNLABELLED if said.code else "")
    certainty = reading.certainty(entry)
    if not label or certainty == "entered-in-error":
        yield reading.unrepresented(entry, "it holds no words" if not label else "it was entered in error")
        return
    severity = None
    taken: list[Any] = []
    for link in entry.iterchildren(f"{V3}entryRelationship"):
        inner = next(link.iterchildren(f"{V3}observation"), None)
        if inner is None:
            continue
        if reading.templates(inner) & _SEVERITY:
            degree = reading.concept(reading.child(inner, "value")).code
            if degree in _DEGREE and severity is None:
                severity = _DEGREE[degree]
                taken.append(inner)
        elif link.get("typeCode") == "MFST":
            felt = reading.concept(reading.child(inner, "value"))
            words = felt.label or reading.words(reading.child(inner, "text"))
            if words and not reading.denied(inner):
                if words not in reactions:
                    reactions.append(words)
                taken.append(inner)
                yield from reading.losses(inner, felt)
    start, end = reading.span(entry)
    yield (
        "allergy",
        {
            "key": reading.key(entry, "allergy"),
            "code": said.code,
            "system": said.system,
            "label": label,
            "reaction": " ; ".join(reactions) or None,
            "severity": severity,
            "assertion": reading.assertion(entry, said, certainty),
            "onset": reading.date(start),
        },
    )
    yield from reading.losses(entry, said, *taken, certainty=certainty)
    if end:
        yield reading.unrepresented(entry, "the end of an allergy has no column")
